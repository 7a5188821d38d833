# SPDX-License-Identifier: Apache-2.0
"""`lazaret verify` as a command: what it prints, with which exit code, of files and folders of every kind."""
import copy
import hashlib
import json
import re

import cli
import laz
import trail_forge as forge
from cli import FOLDER, lazaret
from laz import case, check, check_equal
from trail_judge import CLOSED, FINE, both, human, make, place, records, said


@case("what is printed for a reader, and the exit code, for each kind of trail")
def human_output():
    trail = records(CLOSED)
    broken, forked = copy.deepcopy(trail), copy.deepcopy(trail)
    forge.modified(broken, 5)
    forked.append(forge.modified(copy.deepcopy(trail), 5)[5])
    chain = trail[0]["chain"]
    rows = [
        ("closed", trail, 0, ["10 records", "integrity ok", "completeness closed", "uniqueness single"]),
        ("running", trail[:7], 1, ["completeness open"]),
        ("lossy", make("log a\ngap 0 0 4 44 rate\nfinal 0\n"), 1, ["completeness gap", "4 lost"]),
        ("headless", trail[4:], 1, ["completeness headless", "4 to 9"]),
        ("truncated", trail[:2] + trail[3:], 1, ["completeness truncated", "1 missing"]),
        ("broken", broken, 1, ["integrity broken", "5"]),
        ("forked", forked, 1, ["uniqueness forked", "5"]),
        ("malformed", forge.encode(trail) + b'{"lz":1,"ev":\n', 1, ["integrity ok", "completeness closed", "begin like a record and are none"]),
        ("foreign", forge.encode(trail) + b"one\ntwo\n", 0, ["integrity ok", "lines that are no records: 2"]),
    ]
    for name, data, code, words in rows:
        (FOLDER / "trail").write_bytes(data if isinstance(data, bytes) else forge.encode(data))
        out, err = human("trail", expect=code)
        check_equal(err, "", f"{name}: standard error")
        flat = re.sub(r"[ \t]+", " ", out)
        for word in words + ([chain] if isinstance(data, list) else []):
            check(word in flat, f"{name}: no \"{word}\" in {out}")
        as_json = json.loads(lazaret("verify", "--json", "trail", expect=code).stdout)
        check_equal(as_json["ok"], code == 0, f"{name}: ok")


@case("--running lets an open chain pass, and nothing else")
def running():
    trail = records(CLOSED)
    rows = [("open", trail[:7], True), ("closed", trail, True), ("headless", trail[4:7], False),
            ("truncated", trail[:2] + trail[3:7], False), ("broken", forge.modified(copy.deepcopy(trail[:7]), 5), False),
            ("lossy", make("gap 0 0 4 44 rate\nfinal 0\n"), False)]
    for name, data, ok in rows:
        check_equal(both(name, data, running=True)["ok"], ok, name)
    check_equal(both("open, anchored", trail[:7], [place(trail[9])], running=True)["ok"], False, "open, anchored")


@case("a folder and several files are one trail")
def folder():
    trail = records(CLOSED)
    (FOLDER / "sinks" / "more").mkdir(parents=True)
    (FOLDER / "sinks" / "one").write_bytes(forge.encode(trail[:6]))
    (FOLDER / "sinks" / "two").write_bytes(forge.encode(trail[4:]))
    (FOLDER / "three").write_bytes(forge.encode(trail[:3]) + b"words\n")
    for paths in (["sinks"], ["sinks/two", "three", "sinks/one"], ["three", "sinks"]):
        answer = json.loads(lazaret("verify", "--json", *paths, expect=0).stdout)
        check_equal([said(chain) for chain in answer["chains"]], [FINE], f"{paths}")
    check_equal(answer["lines"], {"repeated": 5, "unchained": 0, "foreign": 1, "rendered": 0, "malformed": 0}, "lines")


@case("what is no trail, or cannot be read, is an error that says so")
def not_a_trail():
    (FOLDER / "empty").write_bytes(b"")
    (FOLDER / "words").write_bytes(b"just\nwords\n")
    (FOLDER / "nothing").mkdir()
    for path in ("empty", "words", "nothing"):
        out, _ = human(path, expect=1)
        check("there is no record of any chain: this is no audit trail" in out, f"{path}: {out}")
        check_equal(json.loads(lazaret("verify", "--json", path, expect=1).stdout)["chains"], [], f"{path}: chains")
    (FOLDER / "spool").mkdir()
    (FOLDER / "spool" / "00000001.lzs").write_bytes(b"LZSP\0\1" + bytes(80))
    for path in ("spool", "spool/00000001.lzs"):
        out, _ = human(path, expect=1)
        check("this looks like a spool; lazaret spool read --key FILE DIR | lazaret verify -" in out, f"{path}: {out}")
    (FOLDER / "closed").write_bytes(make(CLOSED))
    _, err = human("closed", "absent", expect=1)
    check("absent: No such file or directory" in err, f"{err}")
    _, err = human("/dev/null", expect=1)
    check("/dev/null: neither a file nor a folder" in err, f"{err}")
    answer = json.loads(lazaret("verify", "--json", "absent", expect=1).stdout)
    check_equal((answer["ok"], answer["error"]["name"]), (False, "system-error"), "JSON of an error")


def host_file(count, first=0):
    """A host's file of records, as docs/reference/hook.md has it: its lines."""
    lines, prev = [], "0" * 64
    for seq in range(first, first + count):
        record = {"lz": 1, "ev": "shim.exec", "sev": 3, "seq": seq, "task": "", "ctr": "web", "pid": 7, "exe": "", "obj": "one", "act": "enter",
                  "ts": f"2026-11-23T10:00:00.{seq:06}Z", "prev": prev, "d": {"login": -1}}
        lines.append(json.dumps(record, separators=(",", ":")).encode() + b"\n")
        prev = hashlib.sha256(lines[-1]).hexdigest()
    return lines


@case("a host's file of records is known by its records and judged by its own rules: whole, changed, cut, exchanged, spliced, torn, several one behind the other")
def host_files():
    lines = host_file(6)
    size = len(lines[0])
    other = [lines[0].replace(b'"pid":7', b'"pid":8')]
    rows = [
        ("whole", lines, 0, "open", ["6 records, 0 to 5, the last of 2026-11-23T10:00:00.000005Z", "integrity ok", "completeness open: all from its first"]),
        ("changed", [*lines[:2], lines[2].replace(b":-1", b":42"), *lines[3:]], 1, "open", [f"integrity broken at line 4, byte {3 * size}: it does not follow"]),
        ("cut", [*lines[:2], *lines[3:]], 1, "open", [f"integrity broken at line 3, byte {2 * size}: records in front of it are missing; 2 breaks"]),
        ("exchanged", [lines[0], lines[2], lines[1], *lines[3:]], 1, "open", [f"integrity broken at line 2, byte {size}: records in front"]),
        ("spliced", [*other, *lines[1:]], 1, "open", [f"integrity broken at line 2, byte {size}: it does not follow"]),
        ("headless", lines[2:], 1, "headless", ["integrity ok", "completeness headless: begins at 2"]),
        ("torn", [*lines[:3], lines[3][:40]], 1, "torn", ["3 records", f"completeness torn at its end, line 4, byte {3 * size}"]),
        ("renamed", lines + lines, 0, "open", [f"files 2, one behind the other: the second begins at line 7, byte {6 * size}"]),
        ("sent", [b"<13>Nov 23 host lazaret: " + line for line in lines], 0, "open", ["6 records", "integrity ok"]),
    ]
    for name, data, code, completeness, words in rows:
        (FOLDER / "host.jsonl").write_bytes(b"".join(data))
        out, err = human("host.jsonl", expect=code)
        check_equal(err, "", f"{name}: standard error")
        flat = re.sub(r"[ \t]+", " ", out)
        for word in ["host's file host.jsonl: ", *words]:
            check(word in flat, f"{name}: no {word!r} in {out}")
        check("no audit trail" not in out and "chain " not in out, f"{name}: {out}")
        answer = json.loads(lazaret("verify", "--json", "host.jsonl", expect=code).stdout)
        (said_of,) = answer["host_files"]
        check_equal((answer["ok"], answer["chains"], said_of["ok"], said_of["completeness"], said_of["integrity"]),
                    (code == 0, [], code == 0, completeness, "broken" if "broken" in flat else "ok"), name)
    (FOLDER / "host.jsonl").write_bytes(b"".join(lines) + b'{"lz":1,"ev')
    human("--running", "host.jsonl", expect=0)
    (FOLDER / "host.jsonl").write_bytes(b"".join(lines))
    (FOLDER / "closed").write_bytes(make(CLOSED))
    out, _ = human("host.jsonl", "closed", expect=0)
    check("host's file host.jsonl: 6 records" in out and "closed" in out, f"beside a trail: {out}")
    done = lazaret("report", "host.jsonl", expect=2)
    check("a host's file of records is among them: lazaret verify judges it" in done.stderr and not done.stdout, f"report: {done.stderr}")


@case("a file or folder that may not be read is named")
def unreadable():
    FOLDER.chmod(0o711)
    (FOLDER / "closed").write_bytes(make(CLOSED))
    (FOLDER / "closed").chmod(0o600)
    (FOLDER / "shut").mkdir(mode=0o700)
    user = ["setpriv", "--reuid=10001", "--regid=10001", "--clear-groups", "--"]
    for path in ("closed", "shut"):
        done = cli.lazaret("verify", path, expect=1, around=user)
        check(f"{path}: Permission denied" in done.stderr, f"{path}: {done.stderr}")


@case("usage errors are told on standard error with exit code 2")
def usage():
    chain, seq, h = place(records(CLOSED)[1])
    (FOLDER / "closed").write_bytes(make(CLOSED))
    for words in ([], ["--anchor", "closed"], ["--bogus", "closed"], ["--anchor", f"{chain}:{seq}", "closed"],
                  ["--anchor", f"{chain}:{seq}:{h}0", "closed"], ["--anchor", f"{chain[1:]}:{seq}:{h}", "closed"],
                  ["--anchor", f"{chain}:-1:{h}", "closed"], ["--anchor", f"{chain}:18446744073709551616:{h}", "closed"]):
        out, err = human(*words, expect=2)
        check(out == "" and "bad-option" in err, f"{words}: {out}{err}")


laz.main()
