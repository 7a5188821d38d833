# SPDX-License-Identifier: Apache-2.0
"""Rewrites audit trails, with keys that are known: what an attacker can do who has them, or has not.

A trail is a list of records (dicts, in the order of their members); encode() makes the bytes of it. How a record is
hashed and signed is from docs/reference/trail-format.md, and must never be taken from the product's source.
"""
import hashlib
import json
import re

from trail_verifier import KINDS, SIGNED, pack, public_of, read_line, sign


def encode_record(record):
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def encode(records):
    return b"".join(encode_record(r) for r in records)


def decode(data):
    return [json.loads(line) for line in data.splitlines()]


def hash_of(record, before):
    """`h` of a record, from the page: text without h and, in those that have one, without sig."""
    bare = {key: value for key, value in record.items() if key != "h"}
    if record["ev"] in SIGNED:
        bare["d"] = {key: value for key, value in record["d"].items() if key != "sig"}
    text = encode_record(bare)[:-1]
    head = bytes([KINDS.get(record["ev"], 1)]) + bytes.fromhex(record["chain"]) + record["seq"].to_bytes(8, "big")
    return hashlib.sha256(head + len(text).to_bytes(4, "big") + text + before).digest()


def sign_record(record, seed):
    return sign(seed, b"lazaret-trail-1\0" + bytes.fromhex(record["h"])).hex()


def seal(records, keys, start=0):
    """Hash and sign again what begins at `start`, with the keys that there are for each epoch; no number is touched."""
    before, moved = bytes(32), {}
    for place, record in enumerate(records):
        d, ev = record["d"], record["ev"]
        if ev == "log":
            continue
        if place >= start:
            for anchor in d.get("anchors", ()):
                anchor.update(moved.get(anchor["h"], {}))
            signer, following = (0, 0) if ev == "chain.genesis" else (d.get("epoch"), d.get("epoch", 0) + 1)
            if "pk" in d and following in keys:
                d["pk"] = public_of(keys[following]).hex()
            old, record["prev"] = record["h"], before.hex()[:16]
            record["h"] = hash_of(record, before).hex()
            moved[old] = {"seq": record["seq"], "h": record["h"]}
            if ev in SIGNED and signer in keys:
                d["sig"] = sign_record(record, keys[signer])
        before = bytes.fromhex(record["h"])
    return records


def rewrite(records, keys=None, start=0):
    """Make a trail consistent from its record `start` on, after records were changed, put in or left out: numbers,
    blocks and hashes; and signatures, with the keys that there are for each epoch. It must have lost no record."""
    logs, checkpoint, lost, epoch = [], 0, 0, 0
    for place, record in enumerate(records):
        d, ev = record["d"], record["ev"]
        if place >= start:
            record["seq"] = place
            if ev == "log.block":
                text = pack([read_line(encode_record(r)[:-1]) for r in logs])
                d.update(first=logs[0]["seq"], last=logs[-1]["seq"], bytes=len(text),
                         sha256=hashlib.sha256(text).hexdigest())
            elif ev == "chain.checkpoint":
                d.update(epoch=epoch, records=place - checkpoint - 1, lost=lost)
            elif ev == "chain.final":
                d.update(epoch=epoch, records=place + 1, lost=lost)
        if ev == "log":
            logs.append(record)
        elif ev == "log.block":
            logs = []
        elif ev == "chain.gap":
            lost += d["count"]
        elif ev == "chain.checkpoint":
            checkpoint, epoch = place, epoch + 1
    return seal(records, keys or {}, start)


# ---- Random edits: what was edited, and the trail then ----


def edit_bytes(choose, data):
    at = choose.randrange(len(data))
    kind = choose.choice(["flip a bit", "change", "insert", "remove"])
    if kind == "flip a bit":
        new = bytes([data[at] ^ 1 << choose.randrange(8)])
    elif kind == "change":
        new = bytes([choose.choice(b'0123456789abcdefABCDEF{}",:\\ \n\r\x00\x7f\xff')])
    else:
        new = b"" if kind == "remove" else bytes([choose.randrange(256)]) + data[at:at + 1]
    return f"{kind} at {at}: {data[at:at + 1]} to {new}", data[:at] + new + data[at + 1:]


NUMBERS = re.compile(rb'"(?:seq|sev|pid|ts|first|last|count|bytes|epoch|records|lost|exit)":"?[0-9]')
MEMBERS = (rb'"obj":"[^"]*"', rb'"ts":"[^"]*"', rb'"ev":"[^"]*"', rb'"d":.*', rb'"seq":[0-9]+', rb'"h":"[^"]*"')


def edit_number(choose, data):
    at = choose.choice(list(NUMBERS.finditer(data))).end() - 1
    return f"digit at {at}", data[:at] + choose.choice(b"0123456789").to_bytes(1, "big") + data[at + 1:]


def edit_lines(choose, data):
    lines = data.splitlines(keepends=True)
    a, b = choose.randrange(len(lines)), choose.randrange(len(lines))
    line = lines[a]
    kind = choose.choice(["delete", "repeat", "repeat with a change", "move", "exchange", "cut", "join", "header", "foreign",
                          "exchange what is said", "cut the trail"])
    if kind == "delete":
        del lines[a]
    elif kind == "repeat":
        lines.insert(b, b"<7>" + line[line.find(b"{"):])
    elif kind == "repeat with a change":
        lines.insert(b, edit_bytes(choose, line[:-1])[1] + b"\n")
    elif kind in ("move", "exchange"):
        lines[a], lines[b] = lines[b], line
    elif kind == "cut":
        lines[a] = line[:choose.randrange(len(line))] + choose.choice([b"", b"\n"])
    elif kind == "join":
        lines[a] = line[:-1] + choose.choice([b"", b" ", b","])
    elif kind == "header":
        lines[a] = b"Nov 21 23:59:01 host lazaret[1]: " + line
    elif kind == "foreign":
        lines.insert(a, b"words of another program {}\n")
    elif kind == "exchange what is said":
        key = choose.choice(MEMBERS)
        one, other = re.search(key, line), re.search(key, lines[b])
        if one and other:
            lines[a], lines[b] = line.replace(one[0], other[0]), lines[b].replace(other[0], one[0])
    else:
        lines = lines[:a]
    return f"{kind} {a} {b}", b"".join(lines)


def modified(trail, seq):
    """One record says something else, and nothing is hashed or signed again."""
    trail[seq]["obj"] = "/nothing/to/see"
    return trail
