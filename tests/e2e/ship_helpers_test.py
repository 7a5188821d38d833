# SPDX-License-Identifier: Apache-2.0
"""A helper that does not keep to the catalogue of messages: init names it, ends it, starts another, and lives.

Beside a copy of lazaret-init lies a helper of ours, which misbehaves as often as it is told to and then makes way for
the real one.
"""
import os
import shutil
import time

import fence
import laz
import ship_world
import trail_judge
from laz import case, check, check_equal
from ship_world import World, numbered, until

VIOLATIONS = {
    "garbage": "ship sent 40 bytes that are no message",
    "short": "ship sent 3 bytes that are no message",
    "long": "ship sent a message that is too long",
    "forbidden": "ship may not send message 0",
    "unknown": "ship may not send message 999",
    "descriptor": "ship sent message 8 with 1 descriptors instead of 0",
    "descriptors": "ship sent a message that is too long",
    "empty": "lazaret-helper ship ended by signal 9",
    "close": "lazaret-helper ship ended by signal 9",
    "exit": "lazaret-helper ship ended by exit 5",
    "failed": "lazaret-helper ship ended by exit 1",
}


def programs(how, times):
    """Init with a helper that misbehaves so, so often."""
    return ship_world.with_helper(ship_world.program("fake", "fake.c"), f"{how} {times}", f"bin-{how}-{times}")


def resident(pid):
    """KiB."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


@case("a helper that breaks the rules before it is ready: three tries, then 106 by name, and the workload never runs")
def never_ready():
    for how, why in VIOLATIONS.items():
        world = World()
        marker = world.folder / "ran"
        began = time.monotonic()
        code, errors = world.outcome(f"touch={marker}", "exit=3", init=programs(how, 99))
        check_equal(code, 106, f"{how}: {errors}")
        check(f"lazaret-helper does not stay up: {why}" in errors, f"{how}: {errors}")
        check(not marker.exists(), f"{how}: the workload ran")
        check(time.monotonic() - began < 9, f"{how}: {time.monotonic() - began:.1f} s")
        left = int((fence.scratch() / f"bin-{how}-99" / "do").read_text().split()[1])
        check_equal(99 - left, 3, f"{how}: starts")


@case("a helper that breaks the rules twice, and then does not: the workload runs, and its trail is whole")
def late():
    for how in VIOLATIONS:
        world = World()
        code, errors = world.outcome("lines=100,60", "exit=3", init=programs(how, 2))
        check_equal((code, errors), (3, ""), how)
        check_equal(world.account(numbered(100, 60)), [], f"{how}: missing")


@case("a helper that breaks the rules once it was ready is ended and replaced, by name; nothing is lost, init keeps nothing of it")
def after_ready():
    for how, why in VIOLATIONS.items():
        world = World()
        with world.start("lines=800,60,1,300", "term", "exit=3", init=programs("ready-" + how, 1)) as run:
            until(lambda: len(world.records("helper.exit")) == 1, lambda: f"{how}: end of it: {run.describe()}")
            at_first = (resident(run.pid), descriptors(run.pid))
            until(lambda: world.said() == 800 * 61, f"{how}: all words")
            check_equal(world.records("helper.exit")[0]["d"]["message"], why, f"{how}: the reason")
            check_equal(descriptors(run.pid), at_first[1], f"{how}: descriptors of init")
            run.kill(fence.TERM)
            check_equal(str(run.wait()), "exit 3", f"{how}: the end: {run.stderr()}")
        check_equal(world.account(numbered(800, 60)), [], f"{how}: missing")


@case("a helper that ends each time as soon as it is ready is started ever more seldom, until one stays")
def never_steady():
    world, init = World(), programs("ready-exit", 60)
    with world.start("say=up", "term", "exit=3", init=init, ready=False) as run:
        until(lambda: world.said() == 3, "words")
        time.sleep(6)
        left = int((init.parent / "do").read_text().split()[1])
        check_equal(run.ended, None, "the end")
        # 0.1, 0.2, 0.4, 0.8, and then a second after the one before
        check(4 <= 60 - left <= 11, f"{60 - left} starts in 6 seconds")
        (init.parent / "do").write_text("ready-exit 0\n")
        until(lambda: world.stream() == b"up\n", lambda: f"one that stays: {run.describe()}")
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
    world.judge(trail_judge.FINE)


@case("a helper that floods init, stops, or says early that it is done: init answers, ends in time, and does not grow")
def flood():
    for how in ("flood", "flushed", "stop", "mute"):
        world = World({"shutdown": {"flush": "20s" if how == "flushed" else "1s", "stop-timeout": "60s"}})
        with world.start("say=up", "term", "exit=3", init=programs("ready-" + how, 1), ready=False) as run:
            until(lambda: world.said() == 3, "words")
            time.sleep(0.3)
            before = (resident(run.pid), descriptors(run.pid))
            time.sleep(1)
            check_equal(run.ended, None, f"{how}: the end")
            check(resident(run.pid) <= before[0] + 8, f"{how}: init grew from {before[0]} to {resident(run.pid)} KiB")
            check_equal(descriptors(run.pid), before[1], f"{how}: descriptors of init")
            began = time.monotonic()
            run.kill(fence.TERM)
            check_equal(str(run.wait()), "exit 3", f"{how}: the end: {run.stderr()}")
            took = time.monotonic() - began
            check(took < 9, f"{how}: it took {took:.1f} s")
            check_equal("sink-failed" in run.stderr(), how != "flushed", f"{how}: {run.stderr()}")


@case("a helper that never says that it is ready: the start ends in time, with 104, and names it")
def silent():
    world = World()
    began = time.monotonic()
    code, errors = world.outcome("exit=3", init=programs("mute", 99))
    check_equal(code, 104, errors)
    check("start-timeout" in errors and "the last step was \"lazaret-helper ship\"" in errors, errors)
    check(time.monotonic() - began < 25, f"{time.monotonic() - began:.1f} s")


@case("no helper beside init, or none that can run: 106 by name")
def absent():
    for change, why in ((lambda f: (f / "lazaret-helper").unlink(),
                         "does not stay up: lazaret-helper was not found beside lazaret-init or in /usr/libexec/lazaret"),
                        (lambda f: (f / "lazaret-helper").write_bytes(b"no program"), "exit 126")):
        init = programs("exit", 99)
        folder = fence.scratch() / "bin-absent"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(init.parent, folder)
        change(folder)
        code, errors = World().outcome("exit=3", init=folder / "lazaret-init")
        check_equal(code, 106, errors)
        check("audit-unavailable" in errors and why in errors, errors)


if __name__ == "__main__":
    laz.main()
