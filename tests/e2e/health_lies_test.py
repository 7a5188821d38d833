# SPDX-License-Identifier: Apache-2.0
"""A health helper that says what is not true, under a real init: of its words two make init act, that nobody comes any more
and that start-up took too long. Too early they end the helper, by name, and nothing else; in time they are believed, which
is the control.
"""
import json

import fence
import health_world
import laz
import ship_world
from laz import case, check, check_equal
from ship_world import World, until

WORDS, PHASES = health_world.MESSAGES, health_world.PHASES
LATER = {"startup": {"deadline": "10m", "checks": [{"name": "never", "tcp": "127.0.0.1:9", "every": "1s"}]}}
SOON = {"startup": {**LATER["startup"], "deadline": "1s"}}
LIE = "lazaret-helper health sent what cannot be true yet"


def at_once(word):
    return f"say-{WORDS.index(word)}"


def after(phase, ms, word):
    return f"at-{WORDS.index('STATUS')}-{PHASES.index(phase)}-{ms}-{WORDS.index(word)}"


def lies(how, times=1):
    """Init with a health that lies so, so often, and then is the real one."""
    return ship_world.with_helper(ship_world.program("fake", "fake.c"), f"health:ready-{how} {times}", f"lies-{how}-{World._count}")


def world(health, **shutdown):
    return World({"health": health, "shutdown": {"stop-timeout": "20m", **shutdown}})


def check_found_out(one, run, how):
    """The liar is ended by name, and a real one comes."""
    until(lambda: one.records("helper.exit"), lambda: f"{how}: the helper's end: {run.describe()}", 60)
    found = [(r["obj"], r["d"]["message"]) for r in one.records("helper.exit")]
    check_equal(found, [("health", LIE)], f"{how}: helper.exit")
    until(lambda: one.pid("health"), f"{how}: a successor", 60)


@case("start-up that took too long is believed at the deadline, and no sooner: who says it earlier is ended, and the run goes on")
def overdue():
    word = "OVERDUE"
    for name, health, how in (("before the deadline", LATER, after("RUNNING", 0, word)), ("before the workload runs", LATER, at_once(word)),
                              ("without start-up checks", {}, after("RUNNING", 0, word))):
        one = world(health)
        with one.start("say=up", "term", "exit=3", init=lies(how)) as run:
            check_found_out(one, run, name)
            check_equal(run.ended, None, f"{name}: the end")
            run.kill(fence.TERM)
            check_equal(str(run.wait()), "exit 3", f"{name}: the end: {run.stderr()}")
    one = world(SOON)
    with one.start("say=up", "term", "exit=3", init=lies(after("RUNNING", 1500, word))) as run:
        check_equal(str(run.wait()), "exit 107", f"in time: the end: {run.stderr()}")
    check_equal([r["obj"] for r in one.records("init.stop")], ["start-overdue"], "in time: init.stop")
    check("forged" in run.stderr(), f"the check that it named: {run.stderr()}")


@case("nobody comes any more is believed after lb-grace-least, and no sooner: who says it earlier is ended, and the drain goes on")
def drained():
    word = "DRAINED"
    one = world({}, **{"lb-grace": "1m", "lb-grace-least": "500ms"})
    with one.start("say=up", "term", "exit=3", init=lies(after("RUNNING", 0, word))) as run:
        check_found_out(one, run, "without a stop request")
        check_equal((run.ended, one.records("drain.end")), (None, []), "without a stop request")
    one = world({}, **{"lb-grace": "1m", "lb-grace-least": "3s"})
    with one.start("say=up", "term", "exit=3", init=lies(after("LB_GRACE", 0, word))) as run:
        run.kill(fence.TERM)
        check_found_out(one, run, "before lb-grace-least")
        check_equal(str(run.wait(60)), "exit 3", f"before lb-grace-least: the end: {run.stderr()}")
    end, = one.records("drain.end")
    check(end["d"]["ms"] >= 3000 and "forged" not in end["d"]["evidence"], f"before lb-grace-least: {json.dumps(end)}")
    one = world({}, **{"lb-grace": "10m", "lb-grace-least": "500ms"})
    with one.start("say=up", "term", "exit=3", init=lies(after("LB_GRACE", 700, word))) as run:
        run.kill(fence.TERM)
        check_equal(str(run.wait(60)), "exit 3", f"in time: the end: {run.stderr()}")
    end, = one.records("drain.end")
    check_equal(end["d"]["evidence"], "forged", "in time: what it said")


if __name__ == "__main__":
    laz.main()
