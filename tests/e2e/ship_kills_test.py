# SPDX-License-Identifier: Apache-2.0
"""Whatever is killed, nothing is lost that is not counted: ship at any moment and at each of its system calls, the
process that starts it, and the whole container with a spool that outlives it."""
import contextlib
import fcntl
import os
import random
import signal
import sys
import time

import adapters
import fence
import laz
import ship_world
import trail_judge
from laz import case, check, check_equal
from ship_world import Injector, Output, World, listens, numbered, sealed, until

SEED = 20261122
# The calls between which ship does what must not be torn, and at which use of them it dies.
RUNNING = {"splice": (1, 2, 7), "pwrite64": (1, 2, 5), "lseek": (1, 2), "fdatasync": (1, 2, 3), "renameat": (1, 2),
           "openat": (1, 2), "write": (1, 2, 5), "epoll_wait": (1, 4)}
STARTING = {"splice": (1, 2), "pwrite64": (1, 2), "lseek": (1, 2, 3), "fdatasync": (1, 2), "renameat": (1, 2),
            "fallocate": (1,), "ftruncate": (1, 2), "openat": (1, 2, 4, 6, 8), "epoll_ctl": (1, 3),
            "setresuid": (1,), "seccomp": (1,), "write": (1, 2), "unlinkat": (1,)}
ENDING = {"splice": (1, 2), "pwrite64": (1, 2), "fdatasync": (1, 2, 3), "renameat": (1, 2), "ftruncate": (1,),
          "sendmsg": (1,), "write": (1, 2), "openat": (1, 2), "epoll_wait": (1, 2, 3)}


def points(table):
    return adapters.sample([(call, n) for call, numbers in table.items() for n in numbers], 16)


def ended(world, run, count, width, code, timeout=30):
    """The end of a run that said so many lines, every one of which must be there."""
    check_equal(str(run.wait(timeout)), f"exit {code}", f"the end: {run.stderr()}")
    check_equal(world.account(numbered(count, width)), [], "missing")


def dies(pid, within):
    """Whether a process ends within so many seconds."""
    end = time.monotonic() + within
    while fence.state(pid) not in "ZX" and time.monotonic() < end:
        time.sleep(0.002)
    return fence.state(pid) in "ZX"


@case("kill -9 of ship, again and again at random moments: every line once, in order")
def killed():
    chance = random.Random(SEED)
    kills = 100 if laz.LONG else 10
    world = World()
    with world.start("lines=0,900,10,1000", "exit=3") as run:
        before = None
        for i in range(kills):
            before = world.ship(before)
            if i % 2:  # else, where it starts slowly, it would never be ready, and be started ever more seldom
                before = world.ready()
            time.sleep(chance.uniform(0, 0.04))
            os.kill(before, fence.KILL)
        world.enough()
        check_equal(str(run.wait(60 + kills)), "exit 3", f"the end: {run.stderr()}")
    count = world.said() // 901
    check(count >= 100 * kills, f"{count} lines said")
    check_equal(world.account(numbered(count, 900)), [], "missing")
    check(len(world.records("helper.exit")) == kills, f"{kills} kills: {world.records('helper.exit')}")


@case("kill -9 of ship inside a line that is too long: its parts are counted on, and are the line")
def killed_inside_a_line():
    world = World({"logs": {"max-line": "4KiB"}})
    text = b"".join(b"%07d " % i for i in range(15000))
    (world.folder / "long").write_bytes(text + b"\n")
    with world.start(f"file={world.folder / 'long'},2400,80000", "term", "exit=3") as run:
        before = None
        for wanted in (3, 8, 14):
            before = world.ship(before)
            until(lambda count=wanted: len(world.records("log")) > count, lambda: f"parts: {world.records('log')}")
            os.kill(before, fence.KILL)
        until(lambda: world.said() == len(text) + 1, lambda: f"all of it: {world.said()}", 60)
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
    check_equal(len(world.records("helper.exit")), 3, "kills")
    parts = [r["d"] for r in world.records("log")]
    check_equal([d.get("part") for d in parts], list(range(1, len(parts) + 1)), "part numbers")
    check_equal([d.get("more", False) for d in parts], [True] * (len(parts) - 1) + [False], "more of them")
    check_equal("".join(d["msg"] for d in parts).encode(), text, "the line")


START_AT = 824  # in the state that init holds for ship (init/ship/state.h): where the record of the start is


def kept_state(pid):
    """Where the state is in a ship's memory, or None."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/maps", encoding="ascii") as maps, \
            open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            if " rw-s " in line:
                at = int(line.split("-")[0], 16)
                memory.seek(at)
                if memory.read(8) == b"lazship1":
                    return at
    return None


def word(pid, at):
    with open(f"/proc/{pid}/mem", "rb") as memory:
        memory.seek(at)
        return int.from_bytes(memory.read(8), sys.byteorder)


@case("kill -9 of ship when the start is in the spool and not yet noted: it is acknowledged all the same")
def killed_before_the_note():
    world = World({"audit": {"durability": "acked", "start-wait": "25s"}})
    world.trail.touch()
    world.trail.chmod(0o644)
    with open(world.trail, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # the sink is down as long as somebody else writes there
        with world.start("exit=3", ready=False) as run:
            pid = world.ready()
            at = until(lambda: kept_state(pid), "state") + START_AT
            until(lambda: word(pid, at), "note of the start")
            os.kill(pid, signal.SIGSTOP)
            check_equal(word(pid, at) >> 32, 1, "the segment that it names")
            with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
                memory.seek(at)
                memory.write(bytes(8))
            os.kill(pid, fence.KILL)
            fcntl.flock(held, fcntl.LOCK_UN)
            check_equal(str(run.wait(40)), "exit 3", f"the end: {run.stderr()}")


@case("kill -9 of ship when half a line is out on the container's output: its successor begins a new one")
def killed_inside_a_write():
    world, output = World({}, [{"name": "console", "type": "stdout", "classes": ["audit", "ids", "log"]}]), Output()
    with world.start("lines=40,20000,1,1000", "term", "exit=3", ready=False, stdout=output.write_end) as run:
        until(lambda: world.said() == 20001 * 40, lambda: f"words: {run.describe()}", 60)
        pid = world.ready()
        os.kill(pid, fence.KILL)
        world.ship(pid)
        output.read()
        world.ready()
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
    data = output.all()
    torn = [line for line in data.splitlines() if line.startswith(b'{"lz":1,') and not line.endswith(b"}}")]
    check_equal(len(torn), 1, "torn lines")
    check_equal([line[:40] for line in data.splitlines() if line.count(b'{"lz":1,') > 1], [], "lines with two records")
    whole = b"".join(line + b"\n" for line in data.splitlines() if line not in torn)
    check_equal(world.account(numbered(40, 20000), data=whole), [], "missing")


@case("kill -9 of ship at each of its calls while it works")
def killed_running():
    world = World()
    fired = []
    with world.start("lines=0,900,20,2000", "exit=3") as run:
        for call, n in points(RUNNING):
            before = world.ready()
            with Injector(before, call, n):
                if dies(before, 5):
                    fired.append(call)
        run.kill(fence.TERM, world.workload())
        check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
    produced = numbered(world.said() // 901, 900)
    check_equal(world.account(produced), [], "missing")
    check_equal(set(RUNNING) - set(fired), set(), f"calls at which it was never killed; {len(fired)} kills")


def inner_number(run, pid):
    """The pid that a process has inside."""
    return int(run.status(pid)["NSpid"].split()[-1])


def came_behind(world, run, first):
    """Whether the ship of that number listens, or a later one is there."""
    with contextlib.suppress(OSError):
        pid = world.pid("ship")
        return pid and (inner_number(run, pid) > first or (inner_number(run, pid) == first and listens(pid)))
    return False


@case("kill -9 of ship at each of its calls while it starts, after another was killed")
def killed_starting():
    world, fired = World(), []
    with world.start("lines=0,200,5,4000", "exit=3") as run:
        for call, n in points(STARTING):
            before = world.ready()
            number = inner_number(run, before)
            with Injector(world.pid("launch"), call, n, follow=True):
                os.kill(before, fence.KILL)
                # The pause before it is started again grows up to a second. Nobody else forks in there: the next one
                # listens, or there is one behind it.
                until(lambda first=number + 1: came_behind(world, run, first), "another ship")
            if inner_number(run, world.ready()) > number + 1:
                fired.append(call)
        world.ready()
        run.kill(fence.TERM, world.workload())
        check_equal(str(run.wait(30)), "exit 3", f"the end: {run.stderr()}")
    check_equal(world.account(numbered(world.said() // 201, 200)), [], "missing")
    check(len(set(fired)) > len(STARTING) // 2, f"killed at {fired} only")


@case("kill -9 of ship at each of its calls at the end: closed all the same, once")
def killed_ending():
    fired = []
    for call, n in points(ENDING):
        world = World({"shutdown": {"flush": "20s", "stop-timeout": "30s"}})
        with world.start("lines=300,60,10,100", "term", "lines=300,60,10,100", "exit=3") as run:
            until(lambda: world.said() == 300 * 61, "first words")
            with Injector(world.ready(), call, n):
                run.kill(fence.TERM)
                check_equal(str(run.wait(40)), "exit 3", f"{call} {n}: {run.stderr()}")
            check_equal(run.stderr(), "", f"{call} {n}: stderr")
        produced = numbered(300, 60)
        check(world.stream() == produced + produced, f"{call} {n}: {len(world.stream())} bytes, not {2 * len(produced)}")
        world.judge(trail_judge.FINE)
        fired += [call] if world.records("helper.exit") else []
    check(fired, "it was never killed")


@case("a ship that is stopped for a while goes on where it was, and the workload waits for it no longer than it must")
def stopped():
    world = World()
    with world.start("lines=20000,400,10,200", "exit=3") as run:
        for _ in range(3):
            ship = world.ready()
            os.kill(ship, fence.STOP)
            time.sleep(0.7)
            os.kill(ship, fence.CONT)
            time.sleep(0.1)
        ended(world, run, 20000, 400, 3)
    check_equal(world.records("helper.exit"), [], "nobody was restarted")


@case("kill -9 of launch: all goes on; of ship too: the workload is ended with 106, by name, and before its grace is over")
def nobody_starts():
    world = World({"shutdown": {"grace": "20s", "stop-timeout": "30s"}})
    with world.start("lines=0,60,1,1000", "exit=3") as run:
        world.ready()
        os.kill(world.pid("launch"), fence.KILL)
        check(not run.has_ended(0.5), f"it ended: {run.stderr()}")
        said = len(world.stream())
        until(lambda: len(world.stream()) > said, "more of the workload in the trail")
        began = time.monotonic()
        os.kill(world.pid("ship"), fence.KILL)
        check_equal(str(run.wait()), "exit 106", "the end")
        check(time.monotonic() - began < 10, f"{time.monotonic() - began} s")
        check("audit-unavailable" in run.stderr() and "the process that starts helpers has ended" in run.stderr(),
              run.stderr())
    whole = world.stream()
    check(numbered(len(whole) // 61, 60) == whole, "what had arrived is not the beginning of what was said")
    world.judge("ok open single")


# ---- The whole container ----


def chains(world, data=None):
    """Records of each chain, by its name, in the order in which the chains began."""
    found = {}
    for record in world.records(data=data):
        found.setdefault(record["chain"], []).append(record)
    return [sorted(records, key=lambda r: r["seq"]) for records in found.values()]


def lines_of(records):
    return b"".join(ship_world.bytes_of(r) for r in records if r["ev"] == "log")


@case("after a clean stop that every sink has heard of, the next run finds nothing left, again and again, with and without keys")
def nothing_left():
    for changes in ({}, sealed(opens=False), sealed(opens=True)):
        world = World(changes)
        sizes = set()
        for i in range(4):
            code, errors = world.outcome("lines=300,100", "exit=3")
            check_equal((code, errors), (3, ""), f"run {i}")
            sizes.add(len([p for p in world.spool.iterdir() if p.suffix == ".lzs"]))
        check_equal(world.records("spool.left"), [], f"what was left, {changes}")
        check_equal(sizes, {1}, f"segments after each run: the one with the chain's last place, {changes}")
        found = chains(world)
        for before, after in zip(found, found[1:]):
            last = before[-1]
            check_equal(after[0]["d"]["before"], {"chain": last["chain"], "seq": last["seq"], "h": last["h"]}, "before")


def spooled(world, text):
    """Wait until all of it is in the spool."""
    until(lambda: lines_of(world.records(data=world.spooled())) == text, "the words in the spool", 60, 0.2)
    time.sleep(0.5)  # and what ship says of its sinks beside them


@case("kill -9 of the container: what no sink had is shipped by the next run, which knows where the last one ended")
def left_and_shipped():
    world = World(sealed(opens=True), [ship_world.NOWHERE])
    with world.start("lines=5000,100,10", "sleep=60000", ready=False) as run:
        spooled(world, numbered(5000, 100))
        run.kill(fence.KILL)
        check_equal(str(run.wait()), "signal 9", "the end of the first")
    left = world.spooled()
    check(lines_of(world.records(data=left)) == numbered(5000, 100), "not all of it is in the spool")
    world.sinks = [world.file_sink()]
    code, errors = world.outcome("lines=100,100,10", "exit=3")
    check_equal((code, errors), (3, ""), "the second")
    first, second = chains(world)
    check(world.bytes().startswith(left), "what was left was not shipped first, byte for byte")
    check(lines_of(first) == numbered(5000, 100) and lines_of(second) == numbered(100, 100), "the lines of both")
    last = [r for r in first if r["ev"] != "log"][-1]
    check_equal(second[0]["d"]["before"], {"chain": last["chain"], "seq": last["seq"], "h": last["h"]}, "before")
    check_equal([(r["obj"], r["act"]) for r in second if r["ev"] == "spool.left"], [("spool", "shipped")], "it says so")
    world.judge("ok open single", trail_judge.FINE)


@case("without the key what was left is kept as it is, and said; a later run that has the key ships it")
def left_and_kept():
    world = World(sealed(opens=False), [ship_world.NOWHERE])
    with world.start("lines=1000,100,10", "sleep=60000", ready=False) as run:
        spooled(world, numbered(1000, 100))
        run.kill(fence.KILL)
        run.wait()
    left = world.spooled()
    world.sinks = [world.file_sink()]
    code, errors = world.outcome("lines=100,100,10", "exit=3")
    check_equal((code, errors), (3, ""), "the second")
    (second,) = chains(world)
    check_equal([(r["obj"], r["act"]) for r in second if r["ev"] == "spool.left"], [("spool", "kept")], "it says so")
    last = [r for r in world.records(data=left) if r["ev"] != "log"][-1]
    check_equal(second[0]["d"]["before"], {"chain": last["chain"], "seq": last["seq"], "h": last["h"]}, "before")
    check(world.spooled().startswith(left), "what was left is no longer there")
    world.changes = sealed(opens=True)
    with world.start("lines=100,100,10", "term", "lines=100,100,10", "exit=4") as run:
        until(lambda: len(chains(world)) > 1 and lines_of(chains(world)[1]) == numbered(1000, 100), "what was left", 60, 0.2)
        run.kill(fence.TERM)
        check_equal((str(run.wait()), run.stderr()), ("exit 4", ""), "the third")
    check(lines_of(chains(world)[1]) == numbered(1000, 100), "what was left did not arrive in the end")
    check_equal(len(chains(world)), 3, "chains")


@case("what a killed container sealed to nobody is dropped by the next run, which says so, and does not fill the volume")
def left_and_dropped():
    world = World({"spool": {"max": "4MiB"}}, [ship_world.NOWHERE])
    last = None
    for _ in range(4):
        with world.start("lines=6000,200,10", "sleep=60000", ready=False) as run:
            until(lambda: world.said() == 201 * 6000, "all words")
            until(lambda: sum(f.stat().st_blocks * 512 for f in world.spool.glob("*.lzs")) > 1 << 20, "spool")
            ship_world.at_rest(lambda: sorted(f.stat().st_mtime_ns for f in world.spool.iterdir()), "the spool")
            run.kill(fence.KILL)
            check_equal(str(run.wait()), "signal 9", f"the end: {run.stderr()}")
        last = sorted(f.name for f in world.spool.glob("*.lzs"))
    world.sinks = [world.file_sink()]
    code, errors = world.outcome("lines=100,100,10", "exit=3")
    check_equal((code, errors), (3, ""), "the last")
    said = [r for r in world.records("spool.left")]
    check_equal([(r["act"], r["d"]["segments"], r["sev"]) for r in said], [("dropped", len(last), 7)], "it says so")
    check(said[0]["d"]["bytes"] > 1 << 20, f"{said}")
    genesis = world.records("chain.genesis")[0]["d"]
    check(genesis["before"] and genesis["before"]["seq"] > 6000, f"before: {genesis}")
    check(not set(last) & {f.name for f in world.spool.iterdir()}, "they are still there")


@case("kill -9 of the container at random moments, again and again: nothing that was in the spool is missing")
def killed_containers():
    chance = random.Random(SEED)
    world = World(sealed(opens=True))
    rounds = 20 if laz.LONG else 3
    kept = []
    for _ in range(rounds):
        with world.start("lines=0,300,10,1000", ready=False) as run:
            until(lambda: world.said() > 0, "words")
            time.sleep(chance.uniform(0, 0.5))
            run.kill(fence.KILL)
            check_equal(str(run.wait()), "signal 9", "the end")
        kept.append(world.spooled())
    code, errors = world.outcome("lines=10,300,10", "exit=3")
    check_equal((code, errors), (3, ""), "the last")
    found = chains(world)
    check_equal(len(found), rounds + 1, "chains")
    for one in found:
        lines = lines_of(one)
        check(numbered(len(lines) // 301, 300) == lines, f"{one[0]['chain']}: lines are missing, or not in order")
    there = set(world.bytes().splitlines())
    check(all(there.issuperset(data.splitlines()) for data in kept), "something that was in the spool is not in the trail")
    before = [one[0]["d"]["before"] for one in found]
    names = [one[0]["chain"] for one in found]
    check_equal([b and b["chain"] for b in before], [None, *names[:-1]], "each names the one before")
    answer = trail_judge.both("all of them", world.bytes())
    check(all(c["integrity"] == "ok" and c["uniqueness"] == "single" for c in answer["chains"]), f"{answer}")


if __name__ == "__main__":
    laz.main()
