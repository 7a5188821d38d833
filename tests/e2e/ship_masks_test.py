# SPDX-License-Identifier: Apache-2.0
"""What was delivered to the workload is in no record, in whatever way the workload says it, and through kills of ship.

Between init and the real helper stands ship/hide.c, which hands over the values in init's name: each case chooses when.
What came out is searched for canaries; a run without the masks shows that the search finds them.
"""
import base64
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import time

import canaries
import fence
import laz
import ship_world
from laz import case, check, check_equal
from ship_world import World, talk, until

MARK = b"[REDACTED:secret]"
PASSWORD = b"Tr0ub4dor&3/\"x\\y+z"
TOKEN = b"ghp_16C7e42F292c6912E7710c838347Ae178B4a"
KEY = bytes(range(256)).replace(b"\n", b"")[7:]
PEM_LINES = [base64.b64encode(bytes((i * 37 + k * 11 + 5) % 256 for k in range(48))) for i in range(8)]
PEM = b"-----BEGIN PRIVATE KEY-----\n" + b"\n".join(PEM_LINES) + b"\n-----END PRIVATE KEY-----\n"
ALL = [PASSWORD, TOKEN, KEY, PEM]


def number(name):
    """Of a message, in the catalogue's order."""
    names = re.findall(r"^LAZ_MESSAGE\((\w+)", (laz.ROOT / "lib" / "ipc" / "msg.def").read_text(), re.M)
    return names.index(name)


class Hiding:
    """A folder with init, the helper that stands between, and the real one."""

    _count = 0

    def __init__(self, how, secrets, raw=None, later=(), item=0):
        """`later`: (item, secrets) of what is hidden after the first."""
        Hiding._count += 1
        self.folder = fence.scratch() / f"hide-{Hiding._count}"
        self.folder.mkdir()
        for name, target in (("lazaret-init", "lazaret-init"), ("lazaret-setup", "lazaret-setup"), ("lazaret-helper", "real")):
            shutil.copy(laz.BIN / name, self.folder / target)
        shutil.copy(ship_world.program("hide", "hide.c"), self.folder / "lazaret-helper")
        numbers = (number(name) for name in ("BEGIN", "READY", "HIDE", "HIDDEN"))
        (self.folder / "do").write_text(" ".join(map(str, (how, *numbers, item, *(i for i, _ in later)))) + "\n")
        for at, texts in enumerate([secrets, *(texts for _, texts in later)]):
            masks = b"".join(struct.pack("<I", len(secret)) + secret for secret in texts)
            (self.folder / f"masks-{at}").write_bytes(masks if raw is None else raw)
        self.init = self.folder / "lazaret-init"

    def answers(self):
        """How often ship has said HIDDEN."""
        check(not (self.folder / "broken").exists(), "hide.c is broken")
        path = self.folder / "hidden"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def go(self):
        (self.folder / "go").touch()


def real(run):
    """Host pid of the real ship, whose parent stands between."""
    def found():
        return next((pid for between in run.children() for pid in fence.children(between)
                     if fence.comm(pid) == "lazaret-ship" and fence.state(pid) not in "ZX"), None)
    return until(found, lambda: f"ship: {run.describe()}", 25)


def said(secret):
    """All ways of one secret as a workload would print them, one a line."""
    lines = [b"%s: <%s>" % (name.encode(), text) for name, text in canaries.ways(secret).items()]
    lines += [b"framed " + base64.b64encode(b"x" * front + secret + b"y" * 3) for front in range(3)]
    return b"\n".join(lines) + b"\n" + (secret if b"\n" in secret else b"")


def leaks(data, secrets):
    """(secret, way) that is there, the escapes of records undone and not."""
    plain = bytearray(data)
    for line in data.splitlines():
        record = json.loads(line)
        if record["ev"] == "log":
            plain += ship_world.text_of(record) + b"\n"
        plain += "\n".join(strings(record)).encode() + b"\n"
    return canaries.found(bytes(plain), secrets)


def strings(value):
    if isinstance(value, dict):
        return [s for v in value.values() for s in strings(v)]
    if isinstance(value, list):
        return [s for v in value for s in strings(v)]
    return [value] if isinstance(value, str) else []


def printed(world, *secrets):
    """A file with all that is to be said, which the workload may read."""
    path = world.folder / "words"
    path.write_bytes(b"".join(said(s) for s in secrets) + b"end\n")
    path.chmod(0o644)
    return path


def count(world):
    return sum(r["d"].get("redacted", {}).get("secret", 0) for r in world.records("log"))


@case("what is hidden before ship begins is in no record: raw, JSON, URLs, hex, base64, line by line, split over writes")
def masked():
    for piece, pause in ((1 << 20, 0), (7, 300)):
        world, hiding = World(), Hiding("orders", ALL)
        path = printed(world, *ALL)
        code, errors = world.outcome(f"file={path},{piece},{pause}", "exit=3", init=hiding.init)
        check_equal((code, errors), (3, ""), "the end")
        check_equal(hiding.answers(), 1, "answers")
        check_equal(leaks(world.bytes(), ALL), [], f"in pieces of {piece}: what is there")
        check(world.stream().endswith(b"end\n") and MARK in world.stream(), "what is left")
        check(count(world) > 50, f"{count(world)} are counted")
        world.judge(ship_world.trail_judge.FINE)


@case("positive control: without the masks the same search finds every way of each secret")
def control():
    world, hiding = World(), Hiding("never", ALL)
    code, errors = world.outcome(f"file={printed(world, *ALL)}", "exit=3", init=hiding.init)
    check_equal((code, errors, hiding.answers()), (3, "", 0), "the end")
    found = set(leaks(world.bytes(), ALL))
    missing = [(s[:12], way) for s in ALL for way in canaries.ways(s) if (s[:12], way) not in found]
    check_equal(missing, [], "what is not found")
    check_equal(sum(way == "line" for _, way in found), len(PEM_LINES), "lines of the PEM file")


@case("cut into parts at max-line, joined to multi-line records: masked all the same")
def parts():
    secrets = [b"".join(b"%06d-" % i for i in range(n)) for n in (6, 200, 700, 9000)] + [PEM]
    changes = {"logs": {"max-line": "1KiB", "multiline": {"start": "^start", "wait": "50ms"}}}
    world, hiding = World(changes), Hiding("orders", secrets)
    path = world.folder / "words"
    path.write_bytes(b"".join(b"start%s <%s> %s\n%s" % (b"." * (i * 97 % 1100), s.rstrip(), b"-" * 300, s if b"\n" in s else b"")
                              for i, s in enumerate(secrets * 12)))
    path.chmod(0o644)
    code, errors = world.outcome(f"file={path},1000,200", "exit=3", init=hiding.init)
    check_equal((code, errors), (3, ""), "the end")
    text = world.stream()
    for secret in secrets:
        for line in (line for line in secret.splitlines() if not line.startswith(b"-----")):
            left = [at for at in range(0, len(line) - 21, 7) if line[at:at + 21] in text]
            check_equal(left, [], f"of one of {len(line)} bytes there is")
    check(any(r["d"].get("part") for r in world.records("log")), "no line was cut")


@case("hidden while ship runs: from the answer on nothing gets through, also of a line that has begun before")
def later():
    world, hiding = World(), Hiding("later", [TOKEN])
    words = ["say=before", f"file={world.folder / 'first'}", "term", f"file={world.folder / 'second'}", "exit=3"]
    for name, text in (("first", b"no end " + TOKEN[:20]), ("second", TOKEN[20:] + b" " + TOKEN + b"\n")):
        (world.folder / name).write_bytes(text)
        (world.folder / name).chmod(0o644)
    with world.start(*words, init=hiding.init) as run:
        until(lambda: world.said() == 7 + 27, "words")
        until(lambda: world.stream() == b"before\n", "the line in front")
        check_equal(hiding.answers(), 0, "answers before anything was asked")
        hiding.go()
        until(lambda: hiding.answers() == 1, lambda: f"answer: {run.describe()}")
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
    check_equal(leaks(world.bytes(), [TOKEN]), [], "what is there")
    check_equal(world.stream(), b"before\nno end " + MARK + b" " + MARK + b"\n", "what was said")


@case("ship is killed again and again: each successor is told anew, answers, and nothing gets through or is lost")
def killed():
    for how, answers in (("orders", 1), ("both", 2)):
        world, hiding = World(), Hiding(how, ALL)
        path = world.folder / "words"
        path.write_bytes(b"".join(b"%08d %s %s\n" % (i, TOKEN, PASSWORD) for i in range(1, 6001)))
        path.chmod(0o644)
        hiding.go()
        kills = told = 0
        with world.start(f"file={path},997,6000", "term", "exit=3", init=hiding.init) as run:
            while world.said() < path.stat().st_size:
                until(lambda: hiding.answers() >= told + answers, lambda: f"answer: {run.describe()}", 25)
                told, pid = hiding.answers(), real(run)
                time.sleep(0.1)
                if world.said() < path.stat().st_size:
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
            real(run)
            until(lambda: world.stream().count(b"\n") == 6000, lambda: f"the rest: {run.describe()}", 30)
            run.kill(fence.TERM)
            check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
        check(kills >= 3, f"{kills} kills")
        check_equal(leaks(world.bytes(), ALL), [], "what is there")
        check_equal(world.stream(), b"".join(b"%08d %s %s\n" % (i, MARK, MARK) for i in range(1, 6001)), "what was said")


@case("names of processes and paths are outside too: masked in events, also where the kernel has cut them, and its rules still match")
def events():
    world, hiding = World(), Hiding("orders", [TOKEN])
    program = world.folder / TOKEN.decode()
    shutil.copy(talk(), program)
    program.chmod(0o755)
    app = [str(program), f"share={world.shared}", "deny=2", "daemon=3,500", "deny=2", "sleep=200", "exit=3"]
    code, errors = world.outcome(app=app, init=hiding.init)
    check_equal((code, errors), (3, ""), "the end")
    check_equal(leaks(world.bytes(), [TOKEN]), [], "what is there")
    check(TOKEN[:15] not in world.bytes(), "comm is there")
    exes = {r["exe"] for r in world.records("seccomp.deny")}
    check_equal(exes, {f"{world.folder}/[REDACTED:secret]", "[REDACTED:secret]"}, "exe")
    check_equal({r["obj"] for r in world.records("seccomp.deny")}, {"swapoff"}, "obj")
    check_equal(len(world.records("init.start")), 1, "starts")
    world.judge(ship_world.trail_judge.FINE)


@case("the values are in no core of ship, and 20 of them leave it below 6 MiB of private memory")
def memory():
    secrets = [b"%02d-" % i + base64.b64encode(bytes((i * 7 + k * k) % 256 for k in range(36))) for i in range(20)]
    world, hiding = World(), Hiding("orders", secrets)
    with world.start("say=up", "term", "exit=3", init=hiding.init) as run:
        pid = real(run)
        until(lambda: hiding.answers() == 1, "answer")
        until(lambda: world.stream() == b"up\n", "words")
        time.sleep(0.3)
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text() # before the search, which has all pages read
        private = sum(int(n) for n in re.findall(r"^Private_\w+:\s+(\d+) kB", rollup, re.M))
        where = holding(pid, secrets)
        check(where, "they are nowhere in memory: the search is wrong")
        check_equal([name for name, flags in where if "dd" not in flags], [], "mappings that a core would have")
        if not laz.instrumented():
            check(private <= 6 * 1024, f"{private} KiB of private memory")
        print(f"     ship with 20 secrets: {private} KiB private")
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")


def holding(pid, secrets):
    """(name, flags) of each mapping that has one of them."""
    return [(name, flags) for name, flags, data in canaries.mappings(pid) if any(s in data for s in secrets)]


@case("what is no list of values, or can still be changed, is refused by name, and the workload never runs")
def refused():
    good = struct.pack("<I", 6) + b"secret"
    rows = [("unsealed", good, "what is to be hidden is not sealed"), ("seals", good, "what is to be hidden is not sealed"),
            ("orders", good + b"\1", "value 1 to mask has 0 bytes, of 1 that are left"),
            ("orders", struct.pack("<I", 7) + b"secret", "value 0 to mask has 7 bytes, of 10 that are left"),
            ("orders", struct.pack("<I", 5) + b"secre", "value 0 to mask has 5 bytes, of 9 that are left"),
            ("orders", good * 515, "more than 514 values to mask"),
            ("orders", bytes(3 * 131077 + 1), "what is to be hidden is too large")]
    rows.append(("orders", good, "what is to be hidden is of no item"))
    for how, raw, why in rows:
        world, hiding = World(), Hiding(how, [], raw, item=32 if "no item" in why else 0)
        marker = world.folder / "ran"
        code, errors = world.outcome(f"touch={marker}", "exit=3", init=hiding.init)
        check_equal(code, 109, f"{why}: {errors}")
        check(why in errors, f"{why}: {errors}")
        check(not marker.exists() and hiding.answers() == 0, f"{why}: it went on")


@case("of each item the first and the last three count: they are masked, what was between them is not")
def three():
    values = {item: [b"%s-%s-%02d-CANARY" % (item, os.urandom(8).hex().encode(), n) for n in range(6)] for item in (b"one", b"two")}
    later = [(0, [values[b"one"][n]]) for n in range(1, 6)] + [(31, [values[b"two"][n]]) for n in range(2)] + [(7, [])]
    said_ = [*values[b"one"], *values[b"two"][:2]]
    gone = values[b"one"][1:3]
    for how, answers in (("orders", 9), ("later", 9), ("both", 18)):
        world, hiding = World(), Hiding(how, [values[b"one"][0]], later=later)
        path = printed(world, *said_)
        with world.start("say=up", "term", f"file={path}", "exit=3", init=hiding.init) as run:
            until(lambda: world.stream() == b"up\n", "words")
            hiding.go()
            until(lambda: hiding.answers() == answers, lambda: f"answers: {hiding.answers()}, {run.describe()}")
            run.kill(fence.TERM)
            check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
        found = {secret for secret, _ in leaks(world.bytes(), said_)}
        check_equal(found, {s[:12] for s in gone}, f"{how}: what is there")


@case("thirty-two items with four values of 64 KiB each: what is in force is masked whatever was before, and memory has an end")
def many():
    values = [base64.b64encode(bytes((i * 89 + k * 7 + k // 251) % 256 for k in range(49152))) for i in range(128)]
    world = World()
    hiding = Hiding("later", [values[0]], later=[(i % 32, [values[i]]) for i in range(1, 128)])
    path = world.folder / "words"
    path.write_bytes(b"".join(v[:2048] + b"\n" for v in values[96:]) + b"end\n")
    path.chmod(0o644)
    with world.start("say=up", "term", f"file={path}", "term", "exit=3", init=hiding.init) as run:
        pid = real(run)
        until(lambda: world.stream() == b"up\n", "words")
        began = time.monotonic()
        hiding.go()
        until(lambda: hiding.answers() == 128, lambda: f"answers: {hiding.answers()}, {run.describe()}", 30)
        print(f"     hidden in {time.monotonic() - began:.2f} s")
        check(laz.instrumented() or time.monotonic() - began < 10, "each makes everything anew")
        run.kill(fence.TERM)
        until(lambda: world.stream().endswith(b"end\n"), "words", 30)
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        private = sum(int(n) for n in re.findall(r"^Private_\w+:\s+(\d+) kB", rollup, re.M))
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
        check("memfd:masks" not in maps, "what it was told is still mapped")
        print(f"     ship with 128 values of 64 KiB: {private} KiB private")
        check(laz.instrumented() or private <= 64 * 1024, f"{private} KiB of private memory")
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
    text = world.stream()
    check_equal([i for i, v in enumerate(values[96:]) if v[:2048] in text or v[40:90] in text], [], "what is there")


@case("nothing to hide is hidden as well: an empty list is answered")
def empty():
    world, hiding = World(), Hiding("orders", [])
    code, errors = world.outcome("say=hunter2", "exit=3", init=hiding.init)
    check_equal((code, errors, hiding.answers(), world.stream()), (3, "", 1, b"hunter2\n"), "the end")


if __name__ == "__main__":
    laz.main()
