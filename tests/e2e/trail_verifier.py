# SPDX-License-Identifier: Apache-2.0
"""A second verifier of audit trails, written from docs/reference/trail-format.md alone.

It judges what `lazaret verify` judges and says it in the same JSON. It must never be written, or mended, from the
product's source: where the two disagree, the page decides, and where the page does not, the page is what is wrong.
"""
import bisect
import functools
import hashlib
import json
import re

# ---- Ed25519, RFC 8032 section 5.1 ----

P = 2 ** 255 - 19
ORDER = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def recover_x(y, sign):
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def add(p, q):
    """The sum of two points in extended coordinates (X, Y, Z, T), with x = X/Z, y = Y/Z, xy = T/Z."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def decode_point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x = recover_x(y, sign) if y < P else None
    return None if x is None else (x, y, 1, x * y % P)


def encode_point(point):
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = decode_point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def challenge(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % ORDER


def secret_of(seed):
    """The scalar and the prefix that a 32-byte private key stands for."""
    digest = bytearray(hashlib.sha512(seed).digest())
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    return int.from_bytes(digest[:32], "little"), bytes(digest[32:])


@functools.lru_cache(maxsize=None)
def public_of(seed):
    return encode_point(multiply(secret_of(seed)[0], BASE))


@functools.lru_cache(maxsize=None)
def sign(seed, message):
    scalar, prefix = secret_of(seed)
    nonce = challenge(prefix, message)
    point = encode_point(multiply(nonce, BASE))
    answer = (nonce + challenge(point, public_of(seed), message) * scalar) % ORDER
    return point + answer.to_bytes(32, "little")


@functools.lru_cache(maxsize=None)
def is_signed(public, message, signature):
    key, point = decode_point(public), decode_point(signature[:32])
    answer = int.from_bytes(signature[32:], "little")
    if key is None or point is None or answer >= ORDER:
        return False
    right = add(point, multiply(challenge(signature[:32], public, message), key))
    return encode_point(multiply(answer, BASE)) == encode_point(right)


# ---- Lines: what is a record, and of which form ----

STRING = rb'"(?:[^"\\\x00-\x1f\x7f]|\\["\\]|\\u[0-9a-f]{4})*"'
NUMBER = rb"(?:0|[1-9][0-9]*)"
WORDS = {b"n": NUMBER, b"s": STRING, b"h": rb"[0-9a-f]{64}", b"g": rb"[0-9a-f]{128}", b"c": rb"[0-9a-f]{32}"}
WORDS[b"a"] = rb'\[(?:(?:%(x)s,)*%(x)s)?\]' % {b"x": rb'\{"sink":%(s)s,"seq":%(n)s,"h":"%(h)s"\}' % WORDS}
WORDS[b"t"] = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
LINE_MAX = 1 << 20
U64_MAX, PID_MAX = (1 << 64) - 1, (1 << 31) - 1
START = b'{"lz":1,'
LOG = re.compile((
    rb'\{"lz":1,"ev":"(?P<ev>log)","seq":(?P<seq>%(n)s)(?P<middle>,"task":%(s)s,"ctr":%(s)s,"obj":%(s)s,'
    rb'"ts":"(?P<ts>%(t)s)","chain":"(?P<chain>%(c)s)"),"d":\{(?P<members>.*)\}\}') % WORDS, re.DOTALL)
RECORD = re.compile((
    rb'\{"lz":1,"ev":"(?P<ev>(?!log")[a-z0-9.-]+)","sev":(?:[0-9]|10),"seq":(?P<seq>%(n)s),"task":%(s)s,"ctr":%(s)s,'
    rb'"pid":(?P<pid>(?!-0)-?%(n)s),"exe":%(s)s,"obj":%(s)s,"act":%(s)s,'
    rb'"ts":"(?P<ts>%(t)s)"'
    rb'(?:,"chain":"(?P<chain>%(c)s)","prev":"(?P<prev>[0-9a-f]{16})"(?P<hash>,"h":"(?P<h>%(h)s)"))?'
    rb',"d":(?P<d>\{.*\})\}') % WORDS, re.DOTALL)
SIGNATURE = re.compile(rb'(?P<member>,"sig":"(?P<value>%(g)s)")\}\}\Z' % WORDS)

KINDS = {"chain.genesis": 0, "chain.checkpoint": 2, "chain.gap": 3, "chain.final": 4, "log.block": 5}
SIGNED = ("chain.genesis", "chain.checkpoint", "chain.final")
FORMS = {ev: re.compile(form % WORDS) for ev, form in {
    "chain.genesis": rb'\{"format":1,"boot":%(s)s,"policy":"(?:%(h)s)?","binary":"(?:%(h)s)?","pk":"%(h)s",'
                     rb'"before":(?:null|\{"chain":"%(c)s","seq":%(n)s,"h":"%(h)s"\}),"sig":"%(g)s"\}',
    "chain.checkpoint": rb'\{"epoch":%(n)s,"records":%(n)s,"lost":%(n)s,"anchors":%(a)s,"pk":"%(h)s","sig":"%(g)s"\}',
    "chain.gap": rb'\{"first":%(n)s,"last":%(n)s,"count":%(n)s,"bytes":%(n)s,"why":%(s)s\}',
    "chain.final": rb'\{"epoch":%(n)s,"exit":%(n)s,"records":%(n)s,"lost":%(n)s,"anchors":%(a)s,"sig":"%(g)s"\}',
    "log.block": rb'\{"first":%(n)s,"last":%(n)s,"bytes":%(n)s,"sha256":"%(h)s"\}',
}.items()}


def is_in_range(value):
    """Whether every number in the members of a record of the chain's own fits 64 bits."""
    if isinstance(value, (dict, list)):
        return all(map(is_in_range, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, int) or value <= U64_MAX


class Record:
    """A record of a chain: a log record, or a chained one."""

    def __init__(self, line, match):
        self.line = line
        self.ev, self.ts, self.chain = (match[name].decode() for name in ("ev", "ts", "chain"))
        self.seq = int(match["seq"])
        self.is_log = self.ev == "log"
        self.d = self.sig = None
        if self.is_log:
            self.middle, self.members = match["middle"], match["members"]
            return
        self.prev, self.h = match["prev"].decode(), match["h"].decode()
        self.text = line[:match.start("hash")] + line[match.end("hash"):]
        if self.ev in SIGNED:
            sig = SIGNATURE.search(line)
            self.sig = bytes.fromhex(sig["value"].decode())
            self.text = self.text[:-len(sig[0])] + b"}}"
        if self.ev in FORMS and FORMS[self.ev].fullmatch(match["d"]):
            members = json.loads(match["d"].decode(errors="replace"))
            self.d = members if is_in_range(members) else None

    def hash_after(self, before):
        """What `h` must be, if `before` is the hash of the chained record before this one."""
        head = bytes([KINDS.get(self.ev, 1)]) + bytes.fromhex(self.chain) + self.seq.to_bytes(8, "big")
        text = len(self.text).to_bytes(4, "big") + self.text
        return hashlib.sha256(head + text + bytes.fromhex(before)).hexdigest()

    def is_signed_by(self, key):
        return is_signed(bytes.fromhex(key), b"lazaret-trail-1\0" + bytes.fromhex(self.h), self.sig)


def read_line(line):
    """A Record, or the word under which a line that is none is counted."""
    at = line.find(START)
    if at < 0:
        return "foreign"
    line = line[at:]
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return "malformed"
    if len(line) >= LINE_MAX:
        return "malformed"
    match = LOG.fullmatch(line)
    if match:
        return Record(line, match) if int(match["seq"]) <= U64_MAX else "malformed"
    match = RECORD.fullmatch(line)
    if not match or int(match["seq"]) > U64_MAX or abs(int(match["pid"])) > PID_MAX:
        return "malformed"
    if match["chain"] is None:
        return "malformed" if match["ev"].decode() in SIGNED else "unchained"
    if match["ev"].decode() in SIGNED and not SIGNATURE.search(line):
        return "malformed"
    return Record(line, match)


def pack(records):
    """The text that a block of these log records hashes."""
    text, before = b"", None
    for record in records:
        middle = b"" if record.middle == before else record.middle
        text += b"".join(n.to_bytes(size, "big") for n, size in
                         ((record.seq, 8), (len(middle), 4), (len(record.members), 4)))
        text += middle + record.members
        before = record.middle
    return text


# ---- Integrity ----

class Broken(Exception):
    """Something at a place is not what was written."""


class Walk:
    """Follows a chain through `records`, one for each place, in the order of seq, until something is wrong."""

    def __init__(self, records):
        self.records = records
        self.chained = [r.seq for r in records if not r.is_log]
        self.logs = {r.seq: r for r in records if r.is_log}
        self.start = records[0].seq  # nothing is known of what lies before
        self.open = self.start       # from here on no block has covered log records,
        self.is_open_known = self.start == 0  # unless one has that is not there
        self.h = self.key = self.epoch = self.checkpoint = None
        self.final = False
        self.lost, self.is_lost_known = 0, self.start == 0
        self.unvouched = 0           # log records that are there, of blocks that cannot be checked

    def broken_at(self):
        """(seq, why) of the first record at which something is wrong, or None."""
        for record in self.records:
            try:
                self.step(record)
            except Broken as why:
                return record.seq, str(why)
        return None

    @staticmethod
    def must(condition, why):
        if not condition:
            raise Broken(why)

    def step(self, record):
        self.must(not self.final, "stands behind the final record")
        self.must((record.seq == 0) == (record.ev == "chain.genesis"), "not the genesis, or not the first")
        if record.is_log:
            return
        before = "00" * 32 if record.seq == 0 else self.h
        if before is not None:
            self.must(record.prev == before[:16], "prev")
            self.must(record.h == record.hash_after(before), "hash")
        self.h = record.h
        if record.ev in KINDS:
            self.must(record.d is not None, "members")
            getattr(self, "on_" + record.ev.split(".")[1])(record, record.d)

    def sign(self, record, d):
        self.must(self.key is None or record.is_signed_by(self.key), "signature")
        self.key = d.get("pk")

    def on_genesis(self, record, d):
        self.key, self.epoch, self.checkpoint = d["pk"], 0, 0
        self.sign(record, d)

    def sum_up(self, record, d):
        """What a checkpoint and the final record have in common."""
        self.must(self.epoch in (None, d["epoch"]), "epoch")
        self.must(not self.is_lost_known or d["lost"] == self.lost, "lost")
        self.must(not self.log_places(self.open, record.seq - 1), "log records in no block")
        self.must(all(a["seq"] < record.seq for a in d["anchors"]), "an anchor of what was not yet written")
        self.epoch, self.checkpoint = d["epoch"] + 1, record.seq
        self.lost, self.is_lost_known = d["lost"], True
        self.open, self.is_open_known = record.seq + 1, True
        self.sign(record, d)

    def on_checkpoint(self, record, d):
        self.must(self.checkpoint is None or d["records"] == record.seq - self.checkpoint - 1, "records")
        self.sum_up(record, d)

    def on_final(self, record, d):
        self.must(d["records"] == record.seq + 1, "records")
        self.sum_up(record, d)
        self.final = True

    def chained_between(self, first, last):
        return self.chained[bisect.bisect_left(self.chained, first):bisect.bisect_right(self.chained, last)]

    def log_places(self, first, last):
        """How many places from first to last are those of log records, whether these are there or not."""
        return max(0, last - first + 1) - len(self.chained_between(first, last))

    def on_gap(self, record, d):
        self.lost += d["count"]
        if (d["first"], d["last"]) == (0, 0):
            return
        first, last = d["first"], d["last"]
        self.must(0 < first <= last < record.seq, "names what is not before it")
        if first >= self.start:
            ends = set(self.chained_between(first, first) + self.chained_between(last, last))
            self.must(not ends and d["count"] == self.log_places(first, last), "count")

    def on_block(self, record, d):
        first, last = d["first"], d["last"]
        rules = {"names what is not before it": self.open <= first <= last < record.seq,
                 "log records before it": not self.log_places(self.open, first - 1),
                 "log records behind it": not self.log_places(last + 1, record.seq - 1),
                 "ends": not self.chained_between(first, first) and not self.chained_between(last, last)}
        for why, holds in rules.items():
            self.must(holds or not self.is_open_known, why)
        self.open, self.is_open_known = record.seq + 1, True
        there = [self.logs[seq] for seq in sorted(s for s in self.logs if first <= s <= last and s < record.seq)]
        if all(rules.values()) and len(there) == self.log_places(first, last):
            text = pack(there)
            self.must(d["bytes"] == len(text) and d["sha256"] == hashlib.sha256(text).hexdigest(), "log records")
        else:
            self.unvouched += len(there)


# ---- A chain, and all that knows of it ----

class Chain:
    """Everything that was read of one chain, and the claims of others about it: (seq, h)."""

    def __init__(self, name):
        self.name = name
        self.places = {}        # seq: the record that was read first
        self.forks = set()      # seqs at which there are two stories
        self.told = []          # what anchors and `before` say
        self.continued = []     # where each chain whose genesis continues this one does so

    def add(self, record):
        """False if the record was there before, byte for byte."""
        first = self.places.setdefault(record.seq, record)
        if first is not record:
            if record.line == first.line:
                return False
            self.forks.add(record.seq)
        return True

    def records(self):
        return [self.places[seq] for seq in sorted(self.places)]

    def missing(self, named):
        """How many places between the first and the last record are empty, and in none of the intervals `named`."""
        count, place = 0, min(self.places)
        filled = sorted([(seq, seq) for seq in self.places] + named)
        for first, last in filled:
            count += max(0, first - place)
            place = max(place, last + 1)
        return count

    @staticmethod
    def lost(records):
        """What all gaps have named: from the first checkpoint on that is there, it knows of those before it."""
        lost, is_known = 0, records[:1] and records[0].seq == 0
        for d in (r.d for r in records if r.d):
            lost += d.get("count", 0)
            if "pk" in d and "lost" in d and not is_known:
                lost, is_known = d["lost"], True
        return lost

    def disagrees(self, seq, h):
        record = self.places.get(seq)
        return record is not None and (record.is_log or record.h != h)

    def judge(self, no_logs):
        records = self.records()
        gaps = [r for r in records if r.ev == "chain.gap" and r.d]
        named = [(r.d["first"], r.d["last"]) for r in gaps if 0 < r.d["first"] <= r.d["last"] < r.seq]
        own = [(a["seq"], a["h"]) for r in records if r.d for a in r.d.get("anchors", ())]
        forks = self.forks | {seq for seq, h in self.told + own if self.disagrees(seq, h)}
        forks |= {min(self.continued)} if len(self.continued) > 1 else set()
        missing, unjudged = self.missing(named) if records else 0, 0
        if no_logs and not any(r.is_log for r in records):
            missing, unjudged = 0, missing
        answer = {"chain": self.name, "integrity": "ok", "completeness": "closed", "missing": missing,
                  "unjudged": unjudged, "uniqueness": "forked" if forks else "single"}
        if forks:
            answer["forked_seq"] = min(forks)
        walk = Walk(records) if records else None
        broken = walk.broken_at() if walk else None
        if broken:
            answer.update(integrity="broken", broken_seq=broken[0], why=broken[1])
        answer.update(first=records[0].seq if records else 0, last=records[-1].seq if records else 0,
                      records=len(records), lost=self.lost(records), unvouched=walk.unvouched if walk else 0, tail=0,
                      last_ts=records[-1].ts if records else "")
        if records:
            signed = [r.seq for r in records if r.sig]
            answer["tail"] = answer["last"] - (signed[-1] if signed else answer["first"] - 1)
        if missing or not records or any(seq not in self.places for seq, _ in self.told):
            answer["completeness"] = "truncated"
        elif records[0].seq > 0:
            answer["completeness"] = "headless"
        elif not any(r.ev == "chain.final" for r in records):
            answer["completeness"] = "open"
        elif gaps:
            answer["completeness"] = "gap"
        return answer


def read(data):
    """All chains of a trail, by name, and the counts of lines."""
    chains, counts = {}, {"repeated": 0, "unchained": 0, "foreign": 0, "malformed": 0}
    lines = data.split(b"\n")
    for line in lines if lines[-1] else lines[:-1]:
        record = read_line(line)
        if isinstance(record, str):
            counts[record] += 1 if line else 0
        elif not chains.setdefault(record.chain, Chain(record.chain)).add(record):
            counts["repeated"] += 1
    return chains, counts


def verify(data, anchors=(), running=False, no_logs=False):
    """What `lazaret verify --json` says; `anchors` are (chain, seq, h)."""
    chains, counts = read(data)
    for name, seq, h in anchors:
        chains.setdefault(name, Chain(name)).told.append((seq, h))
    continued = {}
    for chain in list(chains.values()):
        genesis = chain.places.get(0)
        before = genesis.d["before"] if genesis and genesis.ev == "chain.genesis" and genesis.d else None
        if before:
            continued.setdefault(before["chain"], []).append((before["seq"], before["h"]))
    for name, links in continued.items():
        if name not in chains and len(links) == 1:
            continue  # an auditor may look at a later run alone
        chain = chains.setdefault(name, Chain(name))
        for seq, h in links:
            chain.told.append((seq, h))
            chain.continued.append(seq)
    answers = [chains[name].judge(no_logs) for name in sorted(chains)]
    fine = ("closed", "open") if running else ("closed",)
    ok = bool(answers) and not counts["malformed"] and all(
        a["integrity"] == "ok" and a["completeness"] in fine and a["uniqueness"] == "single" for a in answers)
    return {"ok": ok, "chains": answers, "lines": counts}
