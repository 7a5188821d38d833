# SPDX-License-Identifier: Apache-2.0
"""No stop signal is lost from the moment on at which init listens, and none starts a workload.

Rows C1 and C2 of docs/reference/pid1-contract.md. probe/race.c starts the init hundreds or thousands of times and
sends TERM at a random moment; what is lost shows as a workload that runs on. The controls are inits that do lose.
"""
import re
import time

import adapters
import fence
import laz
from fence import TERM
from scenarios import race

INIT = adapters.subject()
COUNT = 10000 if laz.LONG else 400
AFTER_EXEC = 2000 if laz.LONG else 150
CONTROLS = 60


def none_lost(seen, count, may_die):
    """All were stopped; where init is no PID 1 it may die of a TERM that comes before it listens."""
    fine = seen["stopped"] + (seen["died"] if may_die else 0)
    laz.check_equal(fine, count, f"stopped in time: {seen}")


for place in adapters.MODES:
    for how in ("pinned", "free"):
        label = "PID 1" if place == "pid1" else "not PID 1"

        def lost_after_armed(place=place, how=how):
            none_lost(race(INIT, "armed", COUNT, 200, place, how), COUNT, False)

        laz.case(f"{COUNT} TERMs after init listens, none lost [{label}, {how}]")(lost_after_armed)

        def lost_late(place=place, how=how):
            none_lost(race(INIT, "armed", COUNT // 4, 5000, place, how), COUNT // 4, False)

        laz.case(f"{COUNT // 4} TERMs over the whole start, none lost [{label}, {how}]")(lost_late)


def lost_after_exec():
    """Before its first instruction no init can listen; a TERM in that window is lost for PID 1."""
    seen = race(INIT, "exec", AFTER_EXEC, 1000, "pid1", "pinned")
    laz.check_equal(seen["hung"] + seen["other"], 0, f"outcomes {seen}")
    laz.check(seen["lost"] <= AFTER_EXEC * 0.15, f"deaf for more than a seventh of the first millisecond: {seen}")


laz.case(f"{AFTER_EXEC} TERMs in the first millisecond: at most the first instants are deaf")(lost_after_exec)


def never_hangs():
    seen = race(INIT, "exec", AFTER_EXEC, 3000, "nested", "free")
    none_lost(seen, AFTER_EXEC, True)


laz.case(f"{AFTER_EXEC} TERMs after exec where init is not PID 1: it stops or dies, nothing runs on")(never_hangs)

for peer in ("dumb-init", "tini -g", "catatonit -g"):

    def loses(peer=peer):
        seen = {}
        for turn in range(CONTROLS // 10):
            seen = race(adapters.control(peer), "armed", 10, 200, "pid1", "pinned", turn)
            if seen["lost"] > 0:
                return
        laz.check(False, f"{peer} lost nothing: the test shows nothing: {seen}")

    laz.case(f"control: the same test catches {peer}")(loses)


def stop_during_start(policy_of, step_ms, last_ms):
    """TERM every step_ms after init listens. The workload may only have started before it."""
    for delay in range(0, last_ms, step_ms):
        with INIT.start(["say=started", "pause"], "pid1", **policy_of(delay)) as run:
            run.wait_exec()
            run.wait_armed()
            began = time.monotonic_ns()
            while time.monotonic_ns() < began + delay * 1_000_000:
                pass
            sent = time.monotonic_ns()
            run.kill(TERM)
            ended = run.wait()
            laz.check_equal(str(ended), "exit 143", f"TERM at {delay} ms")
            for line in run.seen("say"):
                late = (line["t"] - sent) / 1e6
                # What had passed the gate when the TERM came needs an exec to speak.
                laz.check(late < 150, f"TERM at {delay} ms, and the workload spoke {late:.1f} ms later")


@laz.case("TERM at each millisecond of a start from a compiled policy ends it")
def stop_compiled():
    stop_during_start(lambda delay: {}, 1 if laz.LONG else 2, 60 if laz.LONG else 30)


def stop_yaml():
    if not INIT.enforces:
        laz.skip("a peer has no policy")
    stop_during_start(lambda delay: {"source": True}, 1 if laz.LONG else 5, 500 if laz.LONG else 60)


laz.case("TERM at each millisecond of a start from YAML ends it")(stop_yaml)


@laz.case("a stop during a slow setup ends it, and nothing starts")
def stop_slow_setup():
    """lazaret-setup, like init itself, stands still for 2.5 s after its exec; the stop does not wait."""
    if not INIT.enforces:
        laz.skip("a peer has no setup")
    for mode, delay in (("pid1", 0.05), ("pid1", 0.4), ("nested", 0.2)):
        with INIT.start(["say=started", "pause"], mode, conditions=["hold"], source=True) as run:
            run.trace("-e", "trace=execve,kill", "-e", "inject=execve:delay_exit=2500000:when=1")
            run.wait_exec()
            run.wait_armed()
            time.sleep(delay)
            sent = time.time()
            run.kill(TERM)
            laz.check_equal(str(run.wait()), "exit 143", f"TERM {delay} s into a slow setup")
            laz.check_equal(run.seen("say", settle=0.05), [], "the workload's words")
            # The end itself waits for strace, which lets nobody go before the delay is over.
            ends = [float(line.split()[1]) for line in run.traced() if re.match(rf"{run.pid} +[0-9.]+ kill\(.*SIGKILL", line)]
            laz.check(ends and ends[0] - sent < 1.5, f"the stop waited for the setup: {[end - sent for end in ends]}")
            left = [fence.comm(p) for p in run.inhabitants() if fence.state(p) not in "ZX"]
            laz.check_equal(set(left), {"fence"}, "who is left")


if __name__ == "__main__":
    laz.main()
