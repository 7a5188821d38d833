# SPDX-License-Identifier: Apache-2.0
"""From the workload's mouth to the sinks: what was said is in the trail, or counted as lost, and nothing else is."""
import os
import subprocess
import sys
import time

import adapters
import fence
import laz
import ship_world
import trail_judge
from laz import case, check, check_equal
from ship_world import Output, World, numbered, sealed, until


@case("all that a workload says is in the trail, in order, and the trail is closed")
def plain():
    world = World()
    code, errors = world.outcome("lines=20000,60,10", "exit=7")
    check_equal((code, errors), (7, ""), "exit code, stderr")
    check_equal(world.account(numbered(20000, 60)), [], "missing")
    check_equal([r["ev"] for r in world.records()][:3], ["chain.genesis", "init.start", "log"], "the first records")
    check_equal(world.records("chain.final")[0]["d"]["exit"], 7, "the exit code in the final record")


# ---- Full ----

CONSOLE = {"name": "console", "type": "stdout", "classes": ["audit", "ids", "log"]}


# Half of the flush is for sinks; a busy disk takes 5 s to close.
PATIENT = {"grace": "2s", "drain": "200ms", "flush": "14s", "stop-timeout": "30s"}


def small(when):
    """The smallest spool there is."""
    return adapters.merged(sealed(opens=True, max="4MiB", segment="1MiB"), {"logs": {"when-full": when}, "shutdown": PATIENT})


def denied(world, data=None):
    return sum(r["d"]["count"] for r in world.records("seccomp.deny", data))


@case("drop: while nobody reads, the workload goes on, and what found no room is counted, to the line and the byte")
def drop():
    world, output = World(small("drop"), [CONSOLE]), Output()
    count = 60000
    with world.start(f"lines={count},200,20", "deny=40", "term", "exit=3", ready=False,
                     stdout=output.write_end) as run:
        until(lambda: world.said() == 201 * count, lambda: f"end of {world.said()} bytes: {run.describe()}", 60)
        check(not run.has_ended(0.2), f"it ended: {run.stderr()}")
        output.read()
        run.kill(fence.TERM)
        check_equal(str(run.wait(60)), "exit 3", f"the end: {run.stderr()}")
    data = output.all()
    missing = world.account(numbered(count, 200), data=data)
    check(1000 < len(missing), f"only {len(missing)} lines found no room")
    check_equal(denied(world, data), 40, "refused calls in the trail")


@case("block: while nobody reads, the workload is held, and nothing is lost when somebody does")
def block():
    world, output = World(small("block"), [CONSOLE]), Output()
    count = 60000
    with world.start(f"lines={count},200,20", "exit=3", ready=False, stdout=output.write_end) as run:
        until(lambda: world.said() > 1 << 20, lambda: f"words: {world.said()}", 60)
        said = ship_world.at_rest(world.said, "what is said")
        check(said < 201 * count, "it was never held")
        check(6 << 20 > said, f"it was held after {said} bytes")
        check_equal(run.ended, None, "the end")
        output.read()
        check_equal(str(run.wait(60)), "exit 3", f"the end: {run.stderr()}")
    check_equal(world.account(numbered(count, 200), data=output.all()), [], "missing")


@case("a stop while nobody reads is over in time, the code is kept, and all of it is in the spool, closed")
def stop_while_full():
    for when in ("drop", "block"):
        world, output = World(small(when), [CONSOLE]), Output()
        last = ["say=bye", "deny=5"] if when == "drop" else []
        with world.start("lines=0,200,20", *last, "exit=3", ready=False, stdout=output.write_end) as run:
            until(lambda: world.said() > (7 << 20 if when == "drop" else 1 << 20), lambda: f"words: {world.said()}", 60)
            time.sleep(1)
            began = time.monotonic()
            run.kill(fence.TERM)
            check_equal(str(run.wait(60)), "exit 3", f"{when}: the end: {run.stderr()}")
            took = time.monotonic() - began
        check(took < 28, f"{when}: it took {took:.1f} s, of a grace of 2 s and a flush of 14 s, and a stop-timeout of 30 s")
        check("sink-failed: some sink has not acknowledged everything within shutdown.flush" in run.stderr(), f"{when}: {run.stderr()}")
        output.all()
        said, data = world.said() - (4 if last else 0), world.spooled()
        world.account(numbered(said // 201 + 1, 200)[:said] + (b"bye\n" if last else b""), data=data)
        check_equal(denied(world, data), 5 if last else 0, "refused calls in the trail")


# ---- The end ----


class Paced(Output):
    """Read so many bytes a second, from `read` on."""

    rate = 0

    def _read(self):
        due = time.monotonic()
        while piece := os.read(self.read_end, 4096):
            self.pieces.append(piece)
            due += len(piece) / self.rate
            time.sleep(max(0.0, due - time.monotonic()))  # who overslept makes it up
        self.data = b"".join(self.pieces)


SINKS = ("up", "down", "stuck", "slow", "too slow")  # slow: it has all in half of the time that there is


def stop_rows():
    return [(timeout, sink) for timeout in (2, 10, 30) for sink in SINKS
            if timeout < 30 or laz.LONG or sink in ("up", "slow")]


def check_stop(timeout, sink):
    flush = timeout / 4
    world = World({**sealed(), "shutdown": {"stop-timeout": f"{timeout}s", "grace": f"{int(flush * 1000)}ms", "drain": "200ms",
                                            "flush": f"{int(flush * 1000)}ms"}})
    what, output = f"stop-timeout {timeout} s, sink {sink}", Paced()
    world.sinks = {"up": [world.file_sink()], "down": [ship_world.NOWHERE]}.get(sink, [CONSOLE])
    before = [] if sink in ("up", "down") else ["lines=3000,100,20"]
    size = 101 * 3000 * len(before) + 3
    output.rate = {"slow": 2, "too slow": 0.2}.get(sink, 1000) * 600000 / flush
    with world.start(*before, "say=up", "term", "say=the last words", "exit=9", ready=False, stdout=output.write_end) as run:
        until(lambda: world.said() == size, lambda: f"start: {run.describe()}")
        if "slow" in sink:
            output.read()
        began = time.monotonic()
        run.kill(fence.TERM)
        check_equal(str(run.wait(timeout + 20)), "exit 9", f"{what}: the end: {run.stderr()}")
        took = time.monotonic() - began
    output.rate = 1e9
    seen, is_late = output.all(), sink not in ("up", "slow")
    if (timeout, sink) == (2, "slow"):  # a quarter of a second: a busy machine may be late, and then says so
        is_late = "sink-failed" in run.stderr()
    data = world.spooled() if is_late else world.bytes() if sink == "up" else seen
    check(took < (0.9 * flush if sink == "up" and timeout > 2 else flush + timeout / 2 + 2), f"{what}: it took {took:.2f} s")
    check_equal(world.stream(data=data).splitlines()[-2:], [b"up", b"the last words"], what)
    check_equal([r["d"]["exit"] for r in world.records("chain.final", data)], [9], f"{what}: exit code in the trail")
    world.judge(trail_judge.FINE, data=data)
    said = ["sink-failed: some sink has not acknowledged everything"]
    if timeout <= 10:  # init hears from a ship on a busy machine too late for that
        said.append("sink-failed: the trail was not closed within shutdown.flush")
    check_equal(any(words in run.stderr() for words in said), is_late, f"{what}: {run.stderr()}")
    if is_late:
        name, why = ("trail", "127.0.0.1 port 1: Connection refused") if sink == "down" else ("console", "it has not acknowledged")
        required = " (required)" if world.sinks[0].get("required") else ""
        check(f"is in the spool: sink {name}{required}: {why}" in run.stderr(), f"{what}: {run.stderr()}")
        check("(exit" not in run.stderr(), f"{what}: an exit code that is not: {run.stderr()}")
    if is_late and sink == "too slow":
        check(b"chain.final" not in seen, f"{what}: it had all in time")


@case("the last line of a TERM handler arrives, the code is kept and the trail closed: sinks up, down, stuck and slow")
def last_words():
    for timeout, sink in stop_rows():
        check_stop(timeout, sink)


@case("a workload that closes its output runs on, and a line without an end is a record too")
def closes():
    world = World()
    with world.start("say=one", "close=1", "close=2", "sleep=600", "exit=5") as run:
        until(lambda: world.stream() == b"one\n", "line")
        check(not run.has_ended(0.2), f"it ended: {run.stderr()}")
        check_equal(str(run.wait()), "exit 5", "the end")
    check_equal(world.stream(), b"one\n", "the stream")
    world.judge(trail_judge.FINE)
    world = World()
    code, errors = world.outcome(app=["/bin/sh", "-c", "printf 'no end'; printf 'nor here' >&2; exit 6"])
    check_equal((code, errors), (6, ""), "exit code")
    check_equal((world.stream(), world.stream("stderr")), (b"no end", b"nor here"), "the streams")
    world.judge(trail_judge.FINE)


@case("grandchildren that hold the pipe, and write to it, neither hold up the end nor lose what they said before it")
def grandchildren():
    patient = {"shutdown": {"grace": "12s", "stop-timeout": "30s"}}
    world = World(patient)
    with world.start("daemon=4,300", "lines=0,100,1,2000") as run:
        check_equal(str(run.wait()), "exit 4", "the end")
        check(run.ended.seconds < 8, f"it took {run.ended.seconds} s")
    said = world.said()
    check(said > 0, "the grandchild never wrote")
    check_equal(world.account(numbered(said // 101 + 1, 100)[:said]), [], "missing")
    world = World(patient)  # it does not end by TERM, and is killed
    with world.start("ignore=15", "daemon=4,300", "lines=0,100,1,2000") as run:
        check_equal(str(run.wait()), "exit 4", "the end")
        check(run.ended.seconds < 8, f"it took {run.ended.seconds} s")
    stream = world.stream()
    check(numbered(len(stream) // 101 + 1, 100).startswith(stream) and world.said() - 101 <= len(stream), "lines are missing")
    world.judge(trail_judge.FINE)


@case("strays are asked to leave beside a helper too, once each, also the child of one that does not care")
def asked_to_leave():
    for kind, mode in (("session", "pid1"), ("heir", "pid1"), ("below", "pid1"), ("session", "nested"), ("heir", "nested")):
        what = f"{kind}, {mode}"
        world = World({"shutdown": {"drain": "20s" if kind != "below" else "4s", "stop-timeout": "60s"}})
        log = str(world.folder / "log")
        app = [fence.tool("probe"), f"log={log}", f"stray={kind}:100", "sleep=60", "exit=5"]
        with world.start(app=app, mode=mode, log=log) as run:
            run.expect("stray")
            check_equal(str(run.wait()), "exit 5", f"{what}: the end: {run.stderr()}")
            check_equal(len(run.seen("signal", name=f"stray-{kind}", sig=15)), 1, f"{what}: TERMs")
            check(run.seen("left"), f"{what}: was not let finish")
        check_equal(world.records("helper.exit"), [], f"{what}: helpers that TERM has ended")
        world.judge(trail_judge.FINE)


@case("somebody outside who writes to the workload's output without end does not keep the trail from being closed")
def outsider():
    world = World()
    world.sinks = [world.file_sink(classes=["audit"]), CONSOLE]  # which is /dev/null
    with world.start("say=up", "term", "exit=3") as run:
        until(lambda: b'"ev":"log.block"' in world.bytes(), "line")
        target = f"/proc/{world.workload()}/fd/1"
        with subprocess.Popen([sys.executable, "-c", f"f = open({target!r}, 'wb', 0)\nwhile True: f.write(b'o' * 999 + b'\\n')"],
                              stderr=subprocess.DEVNULL) as other:
            until(lambda: world.bytes().count(b'"ev":"log.block"') > 20, "its lines")
            began = time.monotonic()
            run.kill(fence.TERM)
            check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
            check(time.monotonic() - began < 9, f"it took {time.monotonic() - began:.1f} s")
            other.kill()
    check_equal(len(world.records("chain.final")), 1, "final records")


@case("fifty processes that write at once: every line whole, each one's in order")
def many():
    world = World()
    code, errors = world.outcome("many=50,200,120,100", "exit=3", timeout=60)
    check_equal((code, errors), (3, ""), "exit code")
    seen = {}
    for line in world.stream().splitlines():
        who, number = line.split(b" ")[0].split(b"-")
        seen.setdefault(who, []).append(int(number))
        check_equal(len(line), 120, "length of a line")
    check_equal(len(seen), 50, "writers")
    check(all(numbers == list(range(1, 201)) for numbers in seen.values()), "a line is missing, or not in order")
    world.judge(trail_judge.FINE)


# ---- The start ----


@case("durability acked: the workload runs when every required sink has the record of its start, and not before")
def acked():
    world = World({"audit": {"durability": "acked", "start-wait": "1s"}})
    marker = world.folder / "ran"
    code, errors = world.outcome(f"touch={marker}", "exit=3")
    check_equal((code, errors, marker.exists()), (3, "", True), "with a sink that is up")
    marker.unlink()
    stuck = {**world.file_sink(), "name": "other", "type": "relp", "to": "127.0.0.1:1"}
    del stuck["path"]
    world = World({"audit": {"durability": "acked", "start-wait": "1s"}, **sealed()}, [world.file_sink(), stuck])
    began = time.monotonic()
    code, errors = world.outcome(f"touch={marker}", "exit=3")
    check_equal(code, 106, f"with one that is down: {errors}")
    check("audit-unavailable: no acknowledgement of the start from every required sink within 1000 ms: "
          "sink other (required): 127.0.0.1 port 1: Connection refused" in errors, errors)
    check("waits for it. (exit 106)" in errors, errors)
    check(1 < time.monotonic() - began < 20, f"it took {time.monotonic() - began:.1f} s")
    check(not marker.exists(), "the workload ran")
    data = world.spooled()
    check_equal([r["d"]["exit"] for r in world.records("init.stop", data)], [106], "the trail says so")
    stuck["required"] = False
    world = World({"audit": {"durability": "acked", "start-wait": "1s"}}, [world.file_sink(), stuck])
    code, errors = world.outcome(f"touch={marker}", "exit=3")
    check_equal((code, marker.exists()), (3, True), f"with one that is down, and not required: {errors}")


@case("events have one place: --events and LAZARET_EVENTS beside sinks are an error of usage")
def events_beside():
    world = World()
    code, errors = world.outcome("exit=3", options=["--events", str(world.folder / "events")])
    check_equal(code, 101, errors)
    check("bad-option: --events: the policy has sinks, and events go there" in errors, errors)
    code, errors = world.outcome("exit=3", env={**fence.ENVIRONMENT, "LAZARET_EVENTS": "2"})
    check_equal(code, 101, errors)


@case("an init that is not PID 1, or not root, keeps its trail as well")
def elsewhere():
    for mode, conditions in (("nested", ()), ("pid1", (f"uid={adapters.WORKLOAD_UID}",)),
                             ("nested", (f"uid={adapters.WORKLOAD_UID}",))):
        world = World()
        with world.start("lines=2000,60,5,100", "term", "say=bye", "exit=7", mode=mode, conditions=conditions) as run:
            until(lambda: world.said() == 61 * 2000, "lines")
            ship = world.ready()
            os.kill(ship, fence.KILL)
            world.ship(ship)
            run.kill(fence.TERM)
            check_equal(str(run.wait()), "exit 7", f"{mode} {conditions}: the end: {run.stderr()}")
            check_equal(run.stderr(), "", f"{mode} {conditions}: stderr")
        check(world.stream() == numbered(2000, 60) + b"bye\n", f"{mode} {conditions}: the stream")
        world.judge(trail_judge.FINE)
        check_equal(world.records("init.start")[0]["d"]["pid1"], mode == "pid1", f"{mode}: pid1")


@case("a terminal is not captured: the workload sees one, and what it says goes there")
def terminal():
    world = World()
    with world.start("tty", "exit=3", conditions=["tty"], ready=False) as run:
        check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
        said = os.read(run.terminal, 4096)
    check(b"tty 1 1 1" in said, f"{said}")
    check_equal(world.records("log"), [], "log records")
    world.judge(trail_judge.FINE)


@case("passthrough: the container's own output has every byte as it was said, and the trail has it too")
def passthrough():
    world, output = World({"logs": {"passthrough": True}}), Output()
    output.read()
    with world.start("lines=20000,90,7", "exit=3", ready=False, stdout=output.write_end) as run:
        check_equal(str(run.wait(60)), "exit 3", f"the end: {run.stderr()}")
    check(output.all() == numbered(20000, 90), "the container's output is not what was said")
    check_equal(world.account(numbered(20000, 90)), [], "missing")


@case("passthrough that nobody reads: the workload goes on, the trail has all, and what was passed over is counted")
def passthrough_stuck():
    world, output = World({"logs": {"passthrough": True}}), Output()
    count = 30000
    with world.start(f"lines={count},200,20", "sleep=1000", "exit=3", ready=False, stdout=output.write_end) as run:
        check_equal(str(run.wait(60)), "exit 3", f"the end: {run.stderr()}")
    passed = output.all()
    check(numbered(count, 200).startswith(passed[:4096]), "the first that was passed on")
    counted = len(passed) + sum(r["d"]["bytes"] for r in world.records("log.unpassed"))
    check(0 <= counted - 201 * count <= 68 << 10, f"{counted} bytes were passed on or counted, of {201 * count}; up to "
          "68 KiB may be both, because nobody knows whether what was on its way will ever be read")
    check_equal(world.account(numbered(count, 200)), [], "missing")


if __name__ == "__main__":
    laz.main()
