# SPDX-License-Identifier: Apache-2.0
"""What init and ship make of a `sense`, whatever it does: a stand-in for that role, which watches nothing.

It may say what a sense may say and nothing else; it is started again, waited for, or done without, as the policy says;
and what it says last is in the trail before the trail is closed.
"""
import time

import fence
import laz
import ship_world
from laz import case, check, check_equal
from sense_world import programs
from ship_world import World, until


def world(level="preferred"):
    """Whoever waits for a helper that is not to be waited for does so for twelve seconds."""
    return World({"sense": {"listen": {"level": level}}, "shutdown": {"grace": "12s", "flush": "12s", "stop-timeout": "30s"}})


def seen(records):
    return [r["obj"] for r in records if r["ev"] == "net.listen"]


def started(here, how, *words):
    """The container with a sense that behaves so; its workload ends with 3 when it is told to."""
    return here.start(*words, "say=up", "term", "exit=3", init=programs(how))


def heard(here):
    """Waits for the first words of sense and of the workload, which from then on knows what TERM is."""
    until(lambda: seen(here.records()) and here.said() == 3, "first words")


def stop(run, most=25.0, least=0.0):
    """From outside: the workload's end is the container's, and takes so many seconds."""
    run.kill(fence.TERM)
    began = time.monotonic()
    check_equal(str(run.wait()), "exit 3", run.stderr())
    check(least <= time.monotonic() - began < most, f"the end took {time.monotonic() - began:.2f} s")


@case("what sense sees is in the trail; its last words are there before the trail is closed, and then the end is quick")
def farewell():
    here = world()
    with started(here, "quiet") as run:
        heard(here)
        stop(run, most=8)
    check_equal(seen(here.records()), ["tcp/1", "farewell"], "what it saw")
    check_equal(here.records()[-1]["ev"], "chain.final", "the last record")
    here.judge("ok closed single")


@case("one that does not go when it is told to is ended, and costs a quarter of a second")
def stays():
    here = world()
    with started(here, "stay") as run:
        heard(here)
        stop(run, most=8, least=0.2)
    check_equal(seen(here.records()), ["tcp/1", "farewell"], "what it saw")
    here.judge("ok closed single")


@case("it cannot speak for init, for the chain or for the workload: such lines are dropped, counted and said")
def forges():
    here = world()
    with started(here, "forge") as run:
        until(lambda: here.records("fim.change"), "what it says behind its forgeries")
        until(lambda: here.records("helper.refused"), "the record of the refusal")
        until(lambda: here.records("log"), "the workload's first word: from then on it knows what TERM is")
        stop(run)
    records = here.records()
    refused = [(r["obj"], r["act"], r["sev"], r["d"]) for r in records if r["ev"] == "helper.refused"]
    check_equal(sum(r[3]["count"] for r in refused), 20, f"lines that were dropped: {refused}")
    check(all(r[:3] == ("sense", "dropped", 8) for r in refused), f"{refused}")
    check_equal([(r["obj"], r["d"]["exit"]) for r in records if r["ev"] == "init.stop"], [("stop-request", 3)], "init's end")
    check_equal([r["ev"] for r in records if r["ev"] in ("chain.final", "net.listening")], ["chain.final"], "forged")
    check_equal(seen(records), ["tcp/1", "farewell"], "what it may say")
    check(b"\033" not in here.bytes() and b"\177" not in here.bytes(), "a control byte in the trail")
    check_equal(here.stream(), b"up\n", "the workload's own words")
    here.judge("ok closed single")


@case("half a line of it does not keep the trail from being closed")
def cut():
    here = world()
    with started(here, "cut") as run:
        heard(here)
        stop(run, most=8)
    check_equal([r["d"]["count"] for r in here.records("helper.refused")], [1], "what was dropped")
    here.judge("ok closed single")


@case("one that shouts without end holds neither the workload nor the trail nor the stop")
def shouts():
    here = world()
    with started(here, "shout", "lines=500,60") as run:
        until(lambda: here.said() == 500 * 61 + 3, "the workload's words")
        stop(run)
    check_equal(here.account(ship_world.numbered(500, 60) + b"up\n"), [], "missing")


@case("preferred: the workload runs without one, the start says so, and it is tried again")
def preferred():
    here = world()
    with started(here, "exit") as run:
        until(lambda: len(here.records("helper.exit")) >= 4 and here.said() == 3, "four tries")
        stop(run)
    start, = here.records("init.start")
    check("sense-absent" in start["d"]["degraded"], f"{start['d']['degraded']}")
    told = [(r["obj"], r["act"], r["d"]["error"]) for r in here.records("helper.exit")]
    check_equal(told[:2], [("sense", "restarted", "sense-lost")] * 2, "the first tries")
    check_equal(told[2], ("sense", "lost", "sense-lost"), "the third")
    here.judge("ok closed single")


@case("required: no workload without one, 105 by name")
def required():
    here = world("required")
    marker = here.folder / "ran"
    code, errors = here.outcome(f"touch={marker}", "exit=3", init=programs("exit"))
    check_equal(code, 105, errors)
    check("error: sense-lost: lazaret-helper does not stay up: lazaret-helper sense ended by exit 5" in errors, errors)
    check(not marker.exists(), "the workload ran")


@case("one that never says that it is ready: the start ends in time, with 104, and names it")
def mute():
    code, errors = world().outcome("exit=3", init=programs("mute"))
    check_equal(code, 104, errors)
    check("the last step was \"lazaret-helper sense\"" in errors, errors)


@case("kill -9 of launch, and then of sense: preferred, the workload runs on; required, it is ended with 105, by name")
def orphaned():
    for level, code in (("preferred", 3), ("required", 105)):
        here = world(level)
        with started(here, "quiet") as run:
            heard(here)
            run.kill(fence.KILL, here.pid("launch"))
            until(lambda here=here: [r for r in here.records("helper.exit") if r["obj"] == "launch"], "the end of launch")
            eye = next(p for p in run.children() if fence.comm(p) == "lazaret-helper")
            run.kill(fence.KILL, eye)
            until(lambda here=here: [r for r in here.records("helper.exit") if r["obj"] == "sense"], "the end of sense")
            if code == 3:
                time.sleep(0.3)
                check_equal(run.ended, None, "the run, without a sense")
                run.kill(fence.TERM)
            check_equal(str(run.wait()), f"exit {code}", run.stderr())
            check_equal("sense-lost" in run.stderr(), code == 105, run.stderr())
        if code == 105:
            check_equal([r["obj"] for r in here.records("init.stop")], ["sense-lost"], "why it ended")
        here.judge("ok closed single")


@case("launch dies while it is to start a sense: the end waits for nobody")
def launch_dies():
    here = world()
    with started(here, "quiet") as run:
        heard(here)
        launch = here.pid("launch")
        run.kill(fence.STOP, launch)
        run.kill(fence.KILL, next(p for p in run.children() if fence.comm(p) == "lazaret-helper"))
        time.sleep(0.4)  # another one is asked for after a tenth of a second
        run.kill(fence.KILL, launch)
        until(lambda: [r for r in here.records("helper.exit") if r["obj"] == "launch"], "the end of launch")
        stop(run, most=8)
    here.judge("ok closed single")


if __name__ == "__main__":
    laz.main()
