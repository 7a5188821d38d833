# SPDX-License-Identifier: Apache-2.0
"""Spools, read twice: by `lazaret spool read` and by spool_reader.py, which knows the format's page alone.

Spools are made by the product's own writer (fixture/spool_make.c), killed or ended in order, and then torn, changed and
mixed up. Both readers must give out the same records and name the same places; what comes out was always put in.
"""
import os
import random
import re
import shutil
import subprocess

import laz
import spool_reader
from cli import FOLDER, LAZARET
from laz import case, check, check_equal

MAKE = laz.BIN.parent / "tests" / "spool_make"
NAMES = iter(range(1000))


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def recovery_key(name, *words):
    private, public = FOLDER / f"{name}.key", FOLDER / f"{name}.pem"
    openssl("genpkey", *words, "-out", private)
    openssl("pkey", "-in", private, "-pubout", "-out", public)
    return private, public


X25519, X25519_PUBLIC = recovery_key("x25519", "-algorithm", "x25519")
RSA, RSA_PUBLIC = recovery_key("rsa", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048")
STRANGER, _ = recovery_key("stranger", "-algorithm", "x25519")
OURS = spool_reader.RecoveryKey(X25519)


def new_spool():
    folder = FOLDER / f"spool-{next(NAMES)}"
    folder.mkdir()
    return folder


def live(folder, script, run="run", keys=(X25519_PUBLIC, RSA_PUBLIC)):
    """One writer's life; the records that it appended. Lives of the same `run` follow one another."""
    done = subprocess.run([MAKE, folder, folder.with_name(f"{folder.name}.{run}"), *keys], input=script.encode(),
                          capture_output=True, check=False, timeout=60)
    check_equal(done.returncode, 0, f"spool_make: {done.stderr.decode()}")
    return done.stdout


def product(folder, key=X25519, *options):
    done = subprocess.run([LAZARET, "spool", "read", *options, "--key", key, folder], capture_output=True, check=False,
                          timeout=60)
    errors = done.stderr.decode()
    laz.check_no_report(errors)
    return done.returncode, done.stdout, errors


def both(name, folder):
    """What both readers give out, and the places that both name."""
    code, records, errors = product(folder)
    lines = [re.match(r"lazaret: (\d{8})\.lzs(?: at (\d+):)?", line) for line in errors.splitlines()]
    check(all(lines), f"{name}: {errors}")
    theirs = sorted((int(m.group(1)), int(m.group(2)) if m.group(2) else -1) for m in lines)
    ours = spool_reader.Reading(folder, OURS)
    check_equal(theirs, sorted((n, -1 if at is None else at) for n, at in ours.findings), f"{name}: findings ({errors})")
    check(records == ours.records, f"{name}: the two readers give out other records")
    check_equal(code, 1 if theirs else 0, f"{name}: exit code")
    return records, theirs


def verdict(records):
    return subprocess.run([LAZARET, "verify", "-"], input=records, capture_output=True, check=False, timeout=60)


def segments(folder):
    return sorted(path for path in folder.iterdir() if path.suffix == ".lzs")


KILLED = "event 3\nlog 5 200\ncheckpoint\nevent 2\nkill\n"


@case("both readers agree on spools that were ended in order, killed, and continued by others; and the trail is whole")
def agreement():
    rows = [
        ("in order", [("run", "event 3\nlog 5 200\nfinal\n")]),
        ("killed", [("run", KILLED)]),
        ("killed, and gone on with", [("run", KILLED), ("run", KILLED), ("run", "event 1\nfinal\n")]),
        ("many segments", [("run", "log 30 20000\n" * 8 + "final\n")]),
        ("two runs", [("first", KILLED), ("second", "event 4\nfinal\n")]),
        ("nothing but a genesis", [("run", "kill\n")]),
        ("released", [("run", "log 30 20000\n" * 5 + "release\nevent 1\nkill\n")]),
    ]
    for name, lives in rows:
        folder = new_spool()
        written = b"".join(live(folder, script, run) for run, script in lives)
        records, findings = both(name, folder)
        check_equal(findings, [], f"{name}: findings")
        if name == "released":
            check(0 < len(records) < len(written) and written.endswith(records), f"{name}: {len(records)} bytes")
        else:
            check(records == written, f"{name}: {len(records)} of {len(written)} bytes")
        if all(script.endswith("final\n") for _, script in lives[-1:]) and len({run for run, _ in lives}) == 1:
            judged = verdict(records)
            check_equal(judged.returncode, 0, f"{name}: verify -: {judged.stdout.decode()}")


@case("each recovery key opens all of it, another key nothing; a list needs none and shows for whom it is sealed")
def keys():
    folder = new_spool()
    written = live(folder, KILLED)
    for key in (X25519, RSA):
        code, records, errors = product(folder, key)
        check((code, records, errors) == (0, written, ""), f"{key.name}: {code} {errors}")
        check(spool_reader.Reading(folder, spool_reader.RecoveryKey(key)).records == written, f"{key.name}: ours")
    code, records, errors = product(folder, STRANGER)
    check_equal((code, records), (1, b""), "a stranger's key")
    check_equal(errors, "lazaret: 00000001.lzs is not sealed to this key\n", "a stranger's key")
    for words in ([], ["--key", X25519]):
        done = subprocess.run([LAZARET, "spool", "read", "--list", *words, folder], capture_output=True, text=True,
                              check=False, timeout=60)
        check_equal((done.returncode, done.stderr), (0, ""), f"list {words}")
        ids = f"x25519:{OURS.id.hex()}, rsa:{spool_reader.RecoveryKey(RSA).id.hex()}"
        wanted = rf"00000001\.lzs: chain [0-9a-f]{{32}}, 1048576 bytes, 5 blocks, 13 records from 0, " \
                 rf"the last chained one 12; sealed to {ids}\n"
        check(re.fullmatch(wanted, done.stdout), f"list {words}: {done.stdout}")
    nobody = new_spool()
    live(nobody, KILLED, keys=())
    check_equal(product(nobody)[0], 1, "sealed to nobody")


@case("records that cannot be printed are an error, said once")
def unprintable():
    folder = new_spool()
    live(folder, KILLED)
    for words in (["--key", X25519], ["--list"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([LAZARET, "spool", "read", *words, folder], stdout=full, stderr=subprocess.PIPE,
                                  text=True, check=False, timeout=60)
        check_equal(done.returncode, 1, f"{words}: exit code")
        check_equal(done.stderr.count("lazaret: error: "), 1, f"{words}: {done.stderr}")
        check("standard output: write: No space left on device" in done.stderr, f"{words}: {done.stderr}")


@case("torn anywhere, by zeros, by garbage or by an end: what comes out is what was whole, and both name the place")
def torn():
    folder = new_spool()
    written = live(folder, KILLED)
    (segment,) = segments(folder)
    data = segment.read_bytes()
    used = len(data.rstrip(b"\0"))
    chance = random.Random(20261122)
    for _ in range(60):
        at = chance.randrange(1, used)
        how = chance.choice(("end", "zeros", "garbage"))
        rest = {"end": b"", "zeros": bytes(used - at), "garbage": chance.randbytes(used - at)}[how]
        segment.write_bytes(data[:at] + rest)
        records, findings = both(f"{how} at {at}", folder)
        check(written.startswith(records), f"{how} at {at}: what came out was never put in")
        check(len(findings) <= 1, f"{how} at {at}: {findings}")
        if records != written and how == "garbage":
            check(findings, f"{how} at {at}: nothing is said")


@case("a bit that changed anywhere is named by both, and nothing that was not written comes out")
def bits():
    folder = new_spool()
    written = live(folder, KILLED) + live(folder, KILLED) + live(folder, "event 9\nfinal\n")
    lines = written.splitlines(keepends=True)
    chance = random.Random(1)
    for _ in range(80):
        segment = chance.choice(segments(folder))
        data = segment.read_bytes()
        at = chance.randrange(len(data.rstrip(b"\0")))
        segment.write_bytes(data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1:])
        records, findings = both(f"{segment.name} at {at}", folder)
        check(findings and len(records) < len(written), f"{segment.name} at {at}: not seen")
        left = iter(lines)
        check(all(line in left for line in records.splitlines(keepends=True)), f"{segment.name} at {at}: order")
        segment.write_bytes(data)


@case("a segment that is missing, exchanged, cut at a block, renamed, repeated, or no file at all is named by both")
def exchanged():
    source = new_spool()
    for _ in range(4):
        live(source, KILLED)
    other = new_spool()
    live(other, KILLED)
    first, second, third = (segment.name for segment in segments(source)[:3])

    def cut(folder):
        data = (folder / second).read_bytes()
        head = spool_reader.Head(data, 2)
        (folder / second).write_bytes(data[:head.length + spool_reader.number(data, head.length, 4) + 88])

    rows = [
        ("the first is missing", lambda f: (f / first).unlink(), 0),  # it may have been released
        ("one is missing", lambda f: (f / second).unlink(), 1),
        ("one is of another spool", lambda f: shutil.copy(other / first, f / second), 1),
        ("one is cut behind a block", cut, 1),
        ("one has the name of another", lambda f: (f / second).rename(f / "00000009.lzs"), 2),
        ("one is there twice", lambda f: shutil.copy(f / second, f / "00000009.lzs"), 1),
        ("one is a link", lambda f: ((f / second).rename(f / "kept"), (f / second).symlink_to("kept")), 1),
        ("one is a folder", lambda f: ((f / second).unlink(), (f / second).mkdir()), 1),
        ("one is empty", lambda f: (f / third).write_bytes(b""), 1),
        ("one is too large", lambda f: os.truncate(f / third, (16 << 20) + 1), 1),
        ("others lie about", lambda f: (f / "0000001.lzs").write_bytes(b"x"), 0),
    ]
    for name, change, wanted in rows:
        folder = new_spool()
        shutil.copytree(source, folder, dirs_exist_ok=True)
        change(folder)
        _, findings = both(name, folder)
        check_equal(len(findings), wanted, f"{name}: findings {findings}")


@case("bytes of a block that are no records are named by both; what is in front of them, and the blocks around, come out")
def no_records():
    seq, middle = (7).to_bytes(8, "big"), b',"task":"t"'

    def packed(middle_size, members_size, text=b""):
        return (seq + middle_size.to_bytes(4, "big") + members_size.to_bytes(4, "big") + text).hex()

    rows = [("without a middle", packed(0, 1, b"x")), ("cut in its head", packed(0, 0)[:20]), ("a zero", "00"),
            ("a middle that is longer than the block", packed(12, 0, middle)),
            ("members that are", packed(len(middle), 1, middle)), ("both lengths all ones", packed(2 ** 32 - 1, 2 ** 32 - 1, b"x" * 20)),
            ("behind one that is", packed(len(middle), 1, middle + b"1") + "00")]
    for name, bad in rows:
        folder = new_spool()
        written = live(folder, f"event 2\nbad {bad}\nlog 3 50\nfinal\n")
        records, findings = both(name, folder)
        check_equal([number for number, _ in findings], [1], f"{name}: segments that are named")
        extra = b'{"lz":1,"ev":"log","seq":7,"task":"t","d":{1}}\n' if name.startswith("behind") else b""
        check_equal(records.replace(extra, b""), written, f"{name}: records")
        check(extra in records, f"{name}: what is in front of it")


@case("reading changes nothing, and a spool that is being written to can be read")
def alive():
    folder = new_spool()
    with subprocess.Popen([MAKE, folder, folder.with_name("alive.run"), X25519_PUBLIC], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, bufsize=0) as writer:
        written = b""
        for n in range(5):
            writer.stdin.write(b"event 1\n")
            while written.count(b"\n") < n + 2:  # the genesis, and these
                written += os.read(writer.stdout.fileno(), 65536)
            before = {p.name: (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.iterdir()}
            records, findings = both("alive", folder)
            check_equal(findings, [], "a living writer's spool")
            check(records and records.endswith(b"\n"), "records")
            after = {p.name: (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.iterdir()}
            check_equal(after, before, "the folder")
        again = subprocess.run([MAKE, folder, folder.with_name("second.run")], stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, check=False, timeout=60)
        check("another process writes to this spool" in again.stderr, f"a second writer: {again.stderr}")
        writer.stdin.close()
        written += writer.stdout.read()
        check_equal(writer.wait(timeout=30), 0, "spool_make")
    check(both("ended", folder)[0] == written, "all of it")


laz.main()
