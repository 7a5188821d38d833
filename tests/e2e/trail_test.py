# SPDX-License-Identifier: Apache-2.0
"""Audit trails, judged twice: by `lazaret verify` and by trail_verifier.py, which knows the format's page alone.

Trails are made by the product's own writer (fixture/trail_make.c) and then changed as somebody would who wants to hide
something: without any key, or with a key that he has got hold of. Every verdict is stated here; that the two verifiers
agree is not enough. What the design does not catch is stated as well.
"""
import copy
import json
import random
import re
import subprocess

import cli
import laz
import trail_forge as forge
from cli import FOLDER, lazaret
from laz import case, check, check_equal
from trail_judge import CLOSED, FINE, KEYS, NO_H, OTHER, both, human, judged, make, place, product, records, said

KEPT = laz.BIN.parent / "tests" / "trail_test.kept"  # the trail of a random edit that was judged wrongly


# ---- Agreement ----


@case("both verifiers agree on trails that are whole, running, cut, headless, or have lost something")
def agreement():
    rows = [
        ("only a genesis", "", "ok open single", {"records": 1, "tail": 0}),
        ("empty and closed", "final 0\n", FINE, {"records": 2, "last": 1, "missing": 0, "lost": 0}),
        ("closed", CLOSED, FINE, {"records": 10, "first": 0, "last": 9, "tail": 0}),
        ("not closed", "event a.b x\ncheckpoint\nevent a.b y\nlog z\n", "ok open single", {"tail": 2, "last": 4}),
        ("dropped and named", "log a\ndrop 2\nlog b\nlog c\nlog d\nblock\ngap 2 3 2 80 spool-full\nfinal 0\n",
         "ok gap single", {"missing": 0, "lost": 2, "records": 6, "last": 7}),
        ("a whole block dropped and named", "drop 2\nlog a\nlog b\nblock\ngap 1 2 2 80 spool-full\nfinal 0\n",
         "ok gap single", {"missing": 0, "lost": 2}),
        ("named before the block", "drop 2\nlog a\nlog b\nlog c\ngap 1 2 2 80 spool-full\nblock\nfinal 0\n",
         "ok gap single", {"missing": 0, "lost": 2}),
        ("named across a chained record",
         "drop 1\nlog a\nevent a.b x\ndrop 1\nlog b\nblock\ngap 1 3 2 9 full\nfinal 0\n", "ok gap single",
         {"missing": 0, "lost": 2}),
        ("lost without a number", "log a\ngap 0 0 4 44 rate\nfinal 0\n", "ok gap single", {"missing": 0, "lost": 4}),
        ("named, but another sink has it", "log a\nblock\ngap 1 1 1 80 spool-full\nfinal 0\n", "ok gap single",
         {"lost": 1}),
        ("dropped and not named", "log a\ndrop 2\nlog b\nlog c\nlog d\nblock\nfinal 0\n",
         "ok truncated single", {"missing": 2, "lost": 0}),
        ("dropped, and half of it named", "log a\ndrop 2\nlog b\nlog c\nlog d\nblock\ngap 3 3 1 40 full\nfinal 0\n",
         "ok truncated single", {"missing": 1, "lost": 1}),
        ("dropped in a trail that runs", "log a\ndrop 3\nlog b\nlog c\nlog d\nlog e\n",
         "ok truncated single", {"missing": 3, "tail": 5}),
        ("a gap that names what follows it", "log a\nblock\ngap 1 3 2 80 full\nlog b\nfinal 0\n", "broken@3", {}),
        ("a gap that ends before it begins", "log a\nlog b\nblock\ngap 2 1 2 80 full\nfinal 0\n", "broken@4", {}),
        ("anchors in checkpoints",
         "event a.b x\nanchor relp\nlog x\ncheckpoint\nanchor cw\nevent a.b y\nfinal 0\n", FINE, {}),
        ("strings that need escapes", 'log a"b\\c\td\x01é\x7f\nevent a.b "\\é\nfinal 3\n', FINE, {}),
    ]
    for name, script, expected, counts in rows:
        answer = both(name, make(script))
        check_equal(len(answer["chains"]), 1, f"{name}: chains")
        chain = answer["chains"][0]
        check(said(chain).startswith(expected), f"{name}: {said(chain)}, expected {expected}")
        for key, value in counts.items():
            check_equal(chain[key], value, f"{name}: {key}")


@case("hundreds of records, logs and blocks in many epochs")
def hundreds():
    script = "".join(f"event proc.exec /bin/{i}\nlog line {i}\nlog more of {i}\n" + ("block\n" if i % 7 == 0 else "") +
                     ("checkpoint\n" if i % 20 == 19 else "") for i in range(200))
    answer = judged("hundreds", make(script + "final 0\n"), FINE, lost=0, missing=0, first=0)
    check(answer["chains"][0]["records"] > 620, f"{answer}")
    judged("hundreds, running", make(script + "event a.b x\n"), "ok open single")


@case("whatever is cut from the front or the back, or missing in between, is found, and found where it is")
def cuts():
    trail = records(CLOSED, KEYS)
    for n in range(1, len(trail)):
        judged(f"first {n}", trail[:n], "ok open single", last=n - 1)
        judged(f"without the first {n}", trail[n:], "ok headless single", first=n, records=len(trail) - n)
        if n == len(trail) - 1:
            continue
        following = next(r["seq"] for r in trail[n + 1:] if r["ev"] != "log")
        expected = "ok" if trail[n]["ev"] == "log" else f"broken@{following}"
        answer = both(f"without {n}", trail[:n] + trail[n + 1:])["chains"][0]
        check(said(answer).startswith(expected), f"without {n}: {said(answer)}")
        check(answer["completeness"] == "truncated" or expected != "ok", f"without {n}: {said(answer)}")


@case("transports: headers, foreign lines, order, repetition, several chains, several files, no line feed at the end")
def transports():
    trail, other = make(CLOSED), make("log x\nevent a.b y\nfinal 0\n")
    lines, others = trail.splitlines(keepends=True), other.splitlines(keepends=True)
    judged("headers", b"".join(b'<13>1 2026-11-21T23:59:01Z host lazaret 1 - [x y="{"] ' + line for line in lines), FINE,
           foreign=0)
    judged("foreign lines", b'{"a":1}\nwords\x00\xff\n\n' + trail + b"last words", FINE, foreign=3)
    judged("backwards", b"".join(lines[::-1]), FINE, repeated=0)
    judged("no line feed", trail[:-1], FINE, malformed=0)
    judged("twice", trail + b"<14>" + b"<14>".join(lines), FINE, repeated=len(lines))
    judged("two copies, one truncated", b"".join(lines[:4]) + trail, FINE, repeated=4)
    judged("two copies, both with holes", b"".join(lines[:4] + lines[5:] + lines[2:7]), FINE, repeated=4)
    judged("mixed", b"".join(a + b for a, b in zip(lines, others)) + b"".join(lines[len(others):]), [FINE, FINE])
    judged("unchained", re.sub(rb',"chain":.*"d"', b',"d"', lines[1]) + trail, FINE, unchained=1)
    for name, old, new in (("a carriage return", b"}\n", b"}\r\n"), ("a blank", b',"task"', b', "task"'),
                           ("another order", b'"ctr":"web","pid":0', b'"pid":0,"ctr":"web"'),
                           ("an upper-case digit", b'"h":"', b'"h":"A'), ("a leading zero", b'"seq":', b'"seq":0'),
                           ("a sev of 11", b'"sev":1', b'"sev":11'), ("a header that says it", b"{", b'{"lz":1, {')):
        answer = both(name, trail.replace(lines[0], lines[0].replace(old, new, 1)))
        check_equal(answer["lines"]["malformed"], 1, f"{name}: malformed in {answer}")


@case("an anchor finds what is missing, and a record that is another, on a record, a line and a place that is lost")
def anchors():
    trail = records(CLOSED)
    chain, last, _ = place(trail[-1])
    judged("all", trail, FINE, [place(r) for r in trail if "h" in r])
    judged("another h", trail, "ok closed forked@5", [(chain, 5, NO_H)])
    judged("a log record", trail, "ok closed forked@2", [(chain, 2, NO_H)])
    judged("further", trail, "ok truncated single", [(chain, last + 1, NO_H)])
    judged("truncated", trail[:6], "ok truncated single", [place(trail[-1])])
    judged("truncated and another", trail[:6], "ok truncated forked@1", [place(trail[-1]), (chain, 1, NO_H)])
    judged("headless", trail[4:], "ok truncated single", [place(trail[1])])
    lossy = records("log a\ndrop 1\nlog b\nblock\ngap 2 2 1 9 full\nfinal 0\n")
    judged("a place that a gap names", lossy, "ok truncated single", [(lossy[0]["chain"], 2, NO_H)])


@case("an anchor of a chain of which nothing is there makes it truncated")
def anchor_of_nothing():
    trail = records(CLOSED)
    judged("nothing of it", make("event a.b x\nfinal 0\n"), [FINE, "ok truncated single"], [place(trail[-1])])
    judged("nothing at all", b"words\n", "ok truncated single", [place(trail[-1])])


@case("`before` is held against the chain that it continues")
def before():
    trail = records(CLOSED)
    chain, last, h = place(trail[-1])
    whole = forge.encode(trail)

    def after(seq, digest, more="event a.b x\n"):
        return make(f"before {chain} {seq} {digest}\n{more}final 0\n")

    rows = [
        ("continued", whole + after(last, h), [FINE, FINE]),
        ("the later run alone", after(last, h), FINE),
        ("truncated", forge.encode(trail[:6]) + after(last, h), ["ok truncated single", FINE]),
        ("another h", whole + after(last, NO_H), [f"ok closed forked@{last}", FINE]),
        ("a log record", whole + after(2, NO_H), ["ok closed forked@2", FINE]),
        ("continued twice", whole + after(last, h) + after(last, h, "event a.b y\n"),
         [f"ok closed forked@{last}", FINE, FINE]),
    ]
    for name, data, expected in rows:
        judged(name, data, expected)


@case("two chains that continue the same record are found where that record itself is not there")
def continued_twice():
    chain, last, h = place(records(CLOSED)[-1])
    runs = [make(f"before {chain} {last} {h}\nevent a.b {name}\nfinal 0\n") for name in "xy"]
    judged("continued twice", b"".join(runs), [FINE, FINE, f"ok truncated forked@{last}"])
    earlier = place(records(CLOSED)[-2])
    runs.append(make(f"before {chain} {earlier[1]} {earlier[2]}\nevent a.b z\nfinal 0\n"))
    judged("continued at two places", b"".join(runs[1:]), [FINE, FINE, f"ok truncated forked@{earlier[1]}"])


@case("without a genesis nothing vouches for a signature: a final record or a checkpoint cannot begin a chain")
def no_genesis():
    for kind in ("chain.final", "chain.checkpoint"):
        made = next(r for r in records(CLOSED) if r["ev"] == kind)
        made["seq"], made["prev"], made["d"]["sig"] = 0, "0" * 16, "0" * 128
        laz.check_equal(product(forge.encode([made]))[1]["chains"][0]["broken_seq"], 0, kind)


@case("--running: a line that is being written is no finding; without it, it is")
def torn():
    torn_trail = make("event a.b x\ncheckpoint\n") + b'{"lz":1,"ev":"a'
    laz.check_equal(product(torn_trail, running=True)[0], 0, "--running")
    laz.check_equal(product(torn_trail)[1]["lines"]["malformed"], 1, "without")


@case("a record is UTF-8, all of it; what a transport puts in front need not be")
def utf8():
    line = (b'%s{"lz":1,"ev":"a.b","sev":1,"seq":0,"task":"","ctr":"","pid":1,"exe":"","obj":"%s","act":"",'
            b'"ts":"2026-11-21T23:59:01.123456Z","d":{"msg":"%s"}}\n')
    good = ("\u00e9", "\u20ac", "\ud7ff", "\ue000", "\U0001f600", "\U0010ffff", "1234567\u00e9", "12345678\u00e9")
    bad = (b"\xff", b"\x80", b"\xc3", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f\x98",
           b"1234567\xc3", b"\xc3\xa912345\xe2\x82")
    whole = make("event a.b x\nfinal 0\n")
    for text in (word.encode() for word in good):
        for place_of in ((b"", text, b""), (b"", b"", text)):
            judged(f"{text}", whole + line % place_of, FINE, unchained=1, malformed=0)
    for text in bad:
        judged(f"{text} in front", whole + line % (text, b"", b""), FINE, unchained=1, malformed=0)
        for place_of in ((b"", text, b""), (b"", b"", text)):
            judged(f"{text}", whole + line % place_of, FINE, unchained=0, malformed=1)
    lines = make("event a.b x\nevent a.b caf\nfinal 0\n").splitlines(keepends=True)
    judged("of a chain", b"".join(lines[:2]) + lines[2].replace(b"caf", b"caf\xe9") + lines[3], "broken@3 truncated single",
           malformed=1)


@case("the genesis names policy and program by a digest, or not at all")
def digests():
    trail = records("event a.b x\nfinal 0\n", KEYS)
    digest = "0123456789abcdef" * 4
    for key in ("policy", "binary"):
        for value in ("", digest):
            judged(f"{key} {value}", lie(trail, 0, key, value), FINE)
        for value in ("0", digest[1:], digest + "0", digest.upper(), "g" * 64, "web.yaml"):
            answer = both(f"{key} {value}", lie(trail, 0, key, value))
            check(said(answer["chains"][0]).startswith("broken@0 "), f"{key} {value}: {said(answer['chains'][0])}")


@case("log records of a block that cannot be checked are counted, and told")
def unvouched():
    logs = "log a\nlog b\nblock\ndrop 1\nlog c\nlog d\nevent a.b x\nlog e\nblock\n"
    trail = records(logs + "gap 4 4 1 80 full\nfinal 0\n")
    judged("a gap names one of three", trail, "ok gap single", unvouched=2, lost=1)
    judged("and another is missing", [r for r in trail if r["seq"] != 7], "ok truncated single", unvouched=1, missing=1)
    judged("all of a block", [r for r in trail if r["seq"] not in (1, 2)], "ok truncated single", unvouched=2, missing=2)
    judged("of two blocks", [r for r in trail if r["seq"] != 1], "ok truncated single", unvouched=3, missing=1)
    judged("headless inside a block", trail[2:], "ok headless single", unvouched=3)
    judged("headless in front of a block", trail[1:], "ok headless single", unvouched=2)
    judged("no block yet", trail[:6], "ok truncated single", unvouched=0)
    (FOLDER / "trail").write_bytes(forge.encode(trail))
    out = human("trail", expect=1)[0]
    check("integrity     ok; but nothing vouches for 2 log records: others of their blocks are missing\n" in out, out)


@case("--no-logs: of a copy without log records these are not judged, and all others are missed as ever")
def no_logs():
    trail = records(CLOSED)
    copy_of = [r for r in trail if r["ev"] != "log"]
    judged("without the option", copy_of, "ok truncated single", missing=3, unjudged=0)
    judged("with it", copy_of, FINE, no_logs=True, missing=0, unjudged=3)
    judged("nothing to judge", make("event a.b x\nfinal 0\n"), FINE, no_logs=True, unjudged=0)
    judged("where they are there", trail, FINE, no_logs=True, missing=0, unjudged=0)
    judged("where one is there", without(trail, 2, 7), "ok truncated single", no_logs=True, missing=2, unjudged=0)
    other = make("log x\nevent a.b y\nfinal 0\n")
    judged("beside another chain that has them", forge.encode(copy_of) + other, [FINE, FINE], no_logs=True)
    lossy = "log a\ndrop 2\nlog b\nlog c\nlog d\nblock\ngap 2 3 2 80 full\nfinal 0\n"
    judged("a gap is told", [r for r in records(lossy) if r["ev"] != "log"], "ok gap single", no_logs=True, unjudged=2,
           lost=2)
    for n, record in enumerate(copy_of[1:-1], 1):
        answer = both(f"without its {record['ev']}", without(copy_of, record["seq"]), no_logs=True)
        check(said(answer["chains"][0]).startswith(f"broken@{copy_of[n + 1]['seq']} "), f"{record['ev']}: {answer}")
    judged("without its beginning", copy_of[1:], "ok headless single", no_logs=True)
    judged("without its end", copy_of[:-1], "ok open single", no_logs=True)
    judged("without what is anchored", copy_of[:-1], "ok truncated single", [place(copy_of[-1])], no_logs=True)
    judged("a line in a block's place", copy_of[:2] + [{**trail[2], "seq": 4}] + copy_of[3:],
           "broken@5 truncated single", no_logs=True)
    (FOLDER / "trail").write_bytes(forge.encode(copy_of))
    out = human("--no-logs", "trail", expect=0)[0]
    check("completeness  closed: from the genesis to the final record; 3 log records are not in this copy, and not "
          "judged\n" in out, out)
    check("not judged" not in human("trail", expect=1)[0], "without the option")


@case("any number of chains is printed, in both forms")
def many_chains():
    line = make("event a.b x\nfinal 0\n").splitlines()[1]
    chain = json.loads(line)["chain"].encode()
    names = [b"%032x" % number for number in range(100000)]
    (FOLDER / "trail").write_bytes(b"\n".join(line.replace(chain, name) for name in names))
    answer = json.loads(lazaret("verify", "--json", "trail", expect=1).stdout)
    check_equal([chain["chain"].encode() for chain in answer["chains"]], names, "chains")
    check_equal(answer["lines"]["malformed"], 0, "the end of the answer")
    out = human("trail", expect=1)[0]
    check_equal(out.count("\nchain ") + out.startswith("chain "), len(names), "chains of the text")
    done = subprocess.run([cli.LAZARET, "verify", "--json", "trail"], cwd=FOLDER, stdout=open("/dev/full", "wb"),
                          stderr=subprocess.PIPE, timeout=60, check=False)
    check(done.returncode == 1 and done.stderr.count(b"standard output") == 1, f"a full disk: {done.stderr}")


@case("the first record is the genesis, not a line of the workload")
def line_first():
    trail = records(CLOSED)
    judged("a line in its place", [{**trail[2], "seq": 0}] + trail[1:2] + trail[3:], "broken@0 truncated single")


# ---- Numbers that lie, in a trail that is otherwise signed and hashed as it should be ----


def lie(trail, seq, key, value):
    """The trail with one member changed, and hashed and signed again by its writer."""
    trail = copy.deepcopy(trail)
    next(r for r in trail if r["seq"] == seq)["d"][key] = value
    return forge.seal(trail, KEYS)


@case("a number that does not agree with the chain breaks it, although hashes and signatures are right")
def lies():
    trail = records("event a.b x\nlog a\nblock\ncheckpoint\ndrop 2\nlog b\nlog c\nlog d\nblock\n"
                    "gap 5 6 2 80 full\nanchor relp\ncheckpoint\nfinal 0\n", KEYS)
    judged("the truth", trail, "ok gap single", lost=2)
    rows = [(0, "format", 2), (3, "first", 1), (3, "first", 3), (3, "last", 1), (3, "last", 3), (3, "bytes", 0),
            (3, "sha256", NO_H), (4, "epoch", 1), (4, "records", 2), (4, "records", 4), (4, "lost", 1), (8, "first", 6),
            (8, "first", 4), (8, "last", 6), (9, "last", 9), (10, "records", 6), (10, "lost", 0), (10, "epoch", 0),
            (10, "epoch", 2), (11, "epoch", 1), (11, "records", 10), (11, "lost", 3)]
    for seq, key, value in rows:
        answer = both(f"{seq} {key}", lie(trail, seq, key, value))
        check(said(answer["chains"][0]).startswith(f"broken@{seq} "), f"{seq} {key}: {said(answer['chains'][0])}")
    judged("another exit code", lie(trail, 11, "exit", 7), "ok gap single")
    judged("an anchor of another h", lie(trail, 10, "anchors", [{"sink": "relp", "seq": 1, "h": NO_H}]),
           "ok gap forked@1")


@case("a gap names as many records as it counts")
def gap_counts():
    for gap in ("3 4 1", "3 4 3", "3 4 0", "2 5 2", "1 4 2", "1 4 3", "3 6 3"):
        answer = both(gap, make(f"event a.b x\nlog a\ndrop 2\nlog b\nlog c\nlog d\nblock\ngap {gap} 80 full\nfinal 0\n"))
        check(said(answer["chains"][0]).startswith("broken@7 "), f"{gap}: {said(answer['chains'][0])}")


@case("an anchor in a checkpoint is of a record before it")
def future_anchors():
    trail = records("event a.b x\nanchor relp\ncheckpoint\nevent a.b y\nfinal 0\n", KEYS)
    for seq, named in ((2, 2), (2, 3), (2, 99), (4, 99)):
        answer = both(f"{named} in {seq}", lie(trail, seq, "anchors", [{"sink": "relp", "seq": named, "h": NO_H}]))
        check(said(answer["chains"][0]).startswith(f"broken@{seq} "), f"{named} in {seq}: {said(answer['chains'][0])}")


@case("a gap without a count, or with all it names there, is still a gap")
def gap_of_bytes():
    judged("bytes alone", make("log a\ngap 0 0 0 44 rate\nfinal 0\n"), "ok gap single", lost=0)


# ---- Attacks ----

EPOCH = "event proc.exec /a\nevent net.listen :1\nevent seccomp.deny ptrace\nlog one\nlog two\nblock\nevent fim.change /b\n"
STORY = (EPOCH + "checkpoint\n") * 4  # 8 records each: checkpoints are 8, 16, 24 and 32
INSIDE = 18                           # an event in the epoch that ends at 24
THEFT = 23                            # when the key of that epoch, 2, is stolen
STOLEN = {2: KEYS[2], **{epoch: OTHER[epoch] for epoch in range(3, 16)}}


def victim():
    return records(STORY + "final 0\n", KEYS)


def of_another(trail, key, *seqs):
    return [{**r, key: "2026-11-21T23:59:01.123456Z"} if r["seq"] in seqs else r for r in trail]


def without(trail, *seqs):
    return [r for r in trail if r["seq"] not in seqs]


def swapped(trail, a, b):
    """Two events exchange what they say, and keep their places."""
    for key in ("ev", "obj", "ts"):
        trail[a][key], trail[b][key] = trail[b][key], trail[a][key]
    return trail


def spliced(trail, keep_chain):
    stranger = copy.deepcopy(records("event cred.change root\nevent proc.exec /c\nfinal 0\n")[2])
    if not keep_chain:
        stranger["chain"] = trail[0]["chain"]
    stranger["seq"] = 3
    return trail[:3] + [stranger] + trail[4:]


def false_final(trail, keys):
    """What a thief writes who wants the trail to end at THEFT, in good order."""
    return forge.rewrite(trail[:THEFT] + [trail[-1]], keys, start=THEFT)


def attacks():
    """(name, trail, verdict, anchor's seq, verdict with that anchor): the anchor is of the trail that was written."""
    true = victim()

    def row(name, change, verdict, anchor=19, with_anchor=None):
        return name, change(copy.deepcopy(true)), verdict, place(true[anchor]), with_anchor or verdict

    rehash = forge.rewrite
    return [
        row("modify a record", lambda t: forge.modified(t, 10), "broken@10 closed single"),
        row("modify a line", lambda t: forge.modified(t, 12), "broken@14 closed single"),
        *(row(f"another {key} for {what}", lambda t, key=key, seqs=seqs: of_another(t, key, *seqs), "broken@14 closed single")
          for key in ("task", "ctr", "obj", "ts")
          for what, seqs in (("a line", [12]), ("the line after it", [13]), ("both lines of a block", [12, 13]))),
        row("modify and hash all again", lambda t: rehash(forge.modified(t, 10)), "broken@16 closed single",
            with_anchor="broken@16 closed forked@19"),
        row("modify, hash all again and sign it with other keys", lambda t: rehash(forge.modified(t, 10), OTHER, start=10),
            "broken@16 closed single", with_anchor="broken@16 closed forked@19"),
        row("write all of it anew, genesis and keys [missed without an anchor]",
            lambda t: rehash(forge.modified(t, 10), OTHER), FINE, anchor=0, with_anchor="ok closed forked@0"),
        row("delete a record", lambda t: without(t, 10), "broken@11 truncated single"),
        row("delete a line", lambda t: without(t, 12), "ok truncated single"),
        row("delete and hash all again", lambda t: rehash(without(t, 10)), "broken@15 closed single",
            with_anchor="broken@15 closed forked@19"),
        row("delete lines and their block, and hash all again", lambda t: rehash(without(t, 12, 13, 14)),
            "broken@13 closed single", with_anchor="broken@13 closed forked@19"),
        row("reorder", lambda t: swapped(t, 9, 10), "broken@9 closed single"),
        row("reorder and hash all again", lambda t: rehash(swapped(t, 9, 10)), "broken@16 closed single",
            with_anchor="broken@16 closed forked@19"),
        row("replay a record", lambda t: t + [t[10]], FINE),
        row("replay a record under a new number", lambda t: rehash(t[:12] + [copy.deepcopy(t[10])] + t[12:]),
            "broken@17 closed single", with_anchor="broken@17 closed forked@19"),
        row("splice in another container's record", lambda t: spliced(t, False), "broken@3 closed single"),
        row("splice it in and hash all again", lambda t: rehash(spliced(t, False)), "broken@8 closed single",
            with_anchor="broken@8 closed forked@19"),
        row("truncate the tail", lambda t: t[:18], "ok open single", with_anchor="ok truncated single"),
        row("truncate up to a checkpoint", lambda t: t[:17], "ok open single", with_anchor="ok truncated single"),
        row("truncate behind the anchor", lambda t: t[:22], "ok open single"),
        row("key theft: rewrite a past epoch", lambda t: rehash(forge.modified(t, 10), STOLEN), "broken@16 closed single",
            with_anchor="broken@16 closed forked@19"),
        row("key theft: rewrite the past with its key replaced",
            lambda t: rehash(forge.modified(t, 10), OTHER | {2: KEYS[2]}, start=10), "broken@16 closed single",
            with_anchor="broken@16 closed forked@19"),
        row("key theft: rewrite the current epoch [missed without an anchor]",
            lambda t: rehash(forge.modified(t, INSIDE), STOLEN, start=INSIDE), FINE, with_anchor="ok closed forked@19"),
        row("key theft: rewrite the current epoch behind the anchor [missed]",
            lambda t: rehash(forge.modified(t, INSIDE), STOLEN, start=INSIDE), FINE, anchor=17),
        row("key theft: forge the future, of which nothing was anchored [missed]",
            lambda t: rehash(forge.modified(t, 25), STOLEN, start=THEFT), FINE),
        row("key theft: forge the future, of which something was anchored",
            lambda t: rehash(forge.modified(t, 25), STOLEN, start=THEFT), FINE, anchor=27, with_anchor="ok closed forked@27"),
        row("a false final record, key stolen, nothing anchored behind it [missed]", lambda t: false_final(t, STOLEN),
            FINE),
        row("a false final record, key stolen, something anchored behind it", lambda t: false_final(t, STOLEN),
            FINE, anchor=25, with_anchor="ok truncated single"),
        row("a false final record, key stolen, the record of its place anchored", lambda t: false_final(t, STOLEN),
            FINE, anchor=23, with_anchor="ok closed forked@23"),
        row("a false final record without the key", lambda t: false_final(t, OTHER), "broken@23 closed single"),
    ]


@case("the attack table: each attack, without an anchor and with one, has the verdict that is stated")
def attack_table():
    judged("the victim", victim(), FINE, records=34)
    judged("the victim, anchored", victim(), FINE, [place(r) for r in victim() if "h" in r])
    for name, data, verdict, anchor, with_anchor in attacks():
        judged(name, data, verdict)
        judged(f"{name}, anchored", data, with_anchor, [anchor])


@case("a record spliced in with its own chain's name is that chain without its head")
def splice_as_it_is():
    answer = both("splice", spliced(victim(), True))
    seen = sorted(said(chain).split("@")[0] for chain in answer["chains"])
    check_equal(seen, ["broken", "ok headless single"], f"{answer}")


@case("a fork at restart: one story shown is missed without an anchor, both shown are found")
def fork():
    true = records(STORY, KEYS)
    seen = place(true[30])
    # The spool is put back to what it was at 19, and a new run continues from there.
    chain, seq, h = place(true[19])
    new = make(f"before {chain} {seq} {h}\nevent a.b x\nfinal 0\n")
    old = forge.encode(true[:20])
    judged("old spool, other continuation [missed]", old + new, ["ok open single", FINE])
    judged("old spool, other continuation, anchored", old + new, ["ok truncated single", FINE], [seen])
    judged("two runs from the old spool", old + new + make(f"before {chain} {seq} {h}\nfinal 0\n"),
           ["ok open forked@19", FINE, FINE])
    # The whole process is put back, key and all, and goes on in the same chain.
    twin = forge.rewrite(forge.modified(copy.deepcopy(true), 23), KEYS, start=23)
    judged("a process restored [missed]", twin, "ok open single")
    judged("a process restored, anchored", twin, "ok open forked@30", [seen])
    judged("a process restored, both stories", forge.encode(true) + forge.encode(twin), "ok open forked@23")


@case("what is left of a block of which a gap names a part can be changed [missed]; without the gap it cannot")
def beside_a_gap():
    trail = records("log a\ndrop 1\nlog b\nlog c\nblock\ngap 2 2 1 80 full\nfinal 0\n")
    trail[1]["d"]["msg"] = "nothing"
    judged("beside a gap", trail, "ok gap single", unvouched=2)
    whole = records("log a\nlog c\nblock\nfinal 0\n")
    whole[1]["d"]["msg"] = "nothing"
    judged("no gap", whole, "broken@3 closed single")


@case("a signature is nowhere but where it is signed: appended to another record, it changes that record's hash")
def appended_signature():
    for seq in (1, 3, 4, 5):
        trail = victim()
        trail[seq]["d"]["sig"] = "ab" * 64
        expected = 6 if trail[seq]["ev"] == "log" else seq
        judged(f"sig appended to {seq}", trail, f"broken@{expected} closed single")
    for seq in (0, 8, 33):
        trail = victim()
        trail[seq]["d"]["sig"] = trail[8 if seq != 8 else 16]["d"]["sig"]
        judged(f"another signature at {seq}", trail, f"broken@{seq} closed single")


# ---- Random edits ----


def record_set(data):
    """What belongs to records: each line from where a record begins."""
    return {line[line.find(b'{"lz":1,'):] for line in data.split(b"\n") if b'{"lz":1,' in line}


@case("random edits of a closed trail: each is found, except those that touch no record")
def random_edits():
    script = EPOCH + "checkpoint\nlog a\nevent a.b x\nlog b\nanchor relp\ncheckpoint\nlog c\nfinal 0\n"
    trail = b"".join(b"<13>1 host lazaret - - " * (i % 2) + line
                     for i, line in enumerate(make(script).splitlines(keepends=True)))
    judged("unedited", trail, FINE)
    true, found, neutral = record_set(trail), 0, 0
    for number in range(10000 if laz.LONG else 300):
        choose = random.Random(number)
        edit = choose.choice([forge.edit_bytes, forge.edit_bytes, forge.edit_number, forge.edit_lines, forge.edit_lines])
        what, edited = edit(choose, trail)
        untouched = record_set(edited) == true
        try:
            answer = both(what, edited)
            check_equal(answer["ok"], untouched, f"{answer}: whether it is fine")
        except laz.Failed as why:
            KEPT.write_bytes(edited)
            raise laz.Failed(f"edit {number}, {what}: {why}; the trail is {KEPT}") from why
        neutral, found = neutral + untouched, found + (not untouched)
    check(found > 3 * neutral > 30, f"{found} found and {neutral} neutral edits show little")


def change_number(choose, trail, record):
    numbers = [key for key, value in record["d"].items() if isinstance(value, int)]
    if numbers:
        key = choose.choice(numbers)
        record["d"][key] = max(0, record["d"][key] + choose.choice([-3, -2, -1, 1, 2, 3]))


def change_place(choose, trail, record):
    other = choose.choice(trail)
    record["seq"], other["seq"] = other["seq"], choose.choice([record["seq"], record["seq"] + 1])
    trail.sort(key=lambda r: r["seq"])


def change_anchor(choose, trail, record):
    for seal in [r for r in trail if "anchors" in r["d"]][-1:]:
        seal["d"]["anchors"] = [{"sink": "relp", "seq": choose.randrange(20), "h": record.get("h", NO_H)}]


def cut_front(choose, trail, _):
    del trail[:choose.randrange(len(trail))]


def cut_back(choose, trail, _):
    del trail[1 + choose.randrange(len(trail)):]


LIES = (change_number, change_number, change_place, change_anchor, cut_front, cut_back,
        lambda choose, trail, record: trail.remove(record),
        lambda choose, trail, record: trail.append({**record, "obj": "another"}),
        lambda choose, trail, record: record.update(seq=record["seq"] + choose.choice([1, 2, 100])))


@case("random lies of who has all keys: whatever the two verifiers say, they say the same")
def random_lies():
    scripts = ["event a.b x\nlog a\nlog b\nblock\nanchor relp\ncheckpoint\nlog c\nevent a.b y\nlog d\nblock\nfinal 3\n",
               "event a.b x\nlog a\ndrop 2\nlog b\nlog c\nlog d\nblock\ngap 3 4 2 80 full\nanchor relp\ncheckpoint\n"
               "gap 0 0 3 10 rate\nevent a.b y\nlog d\nblock\nevent a.b z\ncheckpoint\nlog e\nfinal 3\n",
               "drop 1\nlog a\nevent a.b x\ndrop 1\nlog b\nblock\ngap 1 3 2 9 full\ncheckpoint\nlog z\ndrop 3\nlog b\n"
               "log c\nlog d\nevent a.b y\nblock\ngap 8 10 3 9 full\nlog k\ncheckpoint\n"]
    trails = [records(script, KEYS) for script in scripts]
    for number in range(5000 if laz.LONG else 150):
        choose = random.Random(number)
        trail = copy.deepcopy(choose.choice(trails))
        for _ in range(choose.choice([1, 1, 1, 2, 3])):
            choose.choice(LIES)(choose, trail, choose.choice(trail))
            trail = trail or copy.deepcopy(trails[0])
        both(f"lie {number}", forge.seal(trail, KEYS))


laz.main()
