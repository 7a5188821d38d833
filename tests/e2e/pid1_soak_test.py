# SPDX-License-Identifier: Apache-2.0
"""A random mix of forks, ends and signals, for a bounded count: nothing grows and nothing is lost.

Resident memory and descriptors constant, no zombie left, every real-time
signal delivered. The seed is printed, so that a failure can be had again.
"""
import os
import random
import time

import adapters
import fence
import laz
from adapters import both
from fence import TERM

INIT = adapters.subject()
ROUNDS = 3000 if laz.LONG else 60
SEED = int(os.environ.get("LAZARET_SOAK_SEED", random.randrange(1 << 32)))


def memory(run):
    """Resident kibibytes and open descriptors of init."""
    return int(run.status()["VmRSS"].split()[0]), len(os.listdir(f"/proc/{run.pid}/fd"))


def settle(run):
    """Wait until no zombie is left; true if that came."""
    end = time.monotonic() + fence.PATIENCE
    while time.monotonic() < end:
        if not [p for p in run.inhabitants() if fence.state(p) == "Z"]:
            return True
        time.sleep(0.02)
    return False


@both(f"{ROUNDS} rounds of forks, ends and signals leave init as it was (seed {SEED})")
def soak(mode):
    source = random.Random(SEED)
    words = []
    for _ in range(ROUNDS):
        words += [source.choice(["orphans=3", "zombies=20", "sleep=1", "spin=1"])]
    with INIT.start(["block=all", "say=first", "sleep=400", *words, "say=last", "until=15", "exit=7"], mode) as run:
        run.expect("say", text="first")
        run.seen("nothing", settle=0.2)  # init may still be closing what it needed for the start
        before = memory(run)
        sent = 0
        end = time.monotonic() + 600
        while not run.seen("say", text="last") and time.monotonic() < end:
            number = source.choice([1, 10, 12, 28, *range(34, 65)])
            run.kill(number)
            sent += number >= 34
            run.pump(source.random() * 0.003)
        run.expect("listening", timeout=20)
        laz.check(settle(run), "zombies are left")
        laz.check_equal(len([x for x in run.seen("signal", settle=0.3) if x["sig"] >= 34]), sent, "real-time signals")
        after = memory(run)
        laz.check(after[0] - before[0] <= 16, f"resident memory went from {before[0]} to {after[0]} KiB")
        laz.check_equal(after[1], before[1], "descriptors")
        run.kill(TERM)
        laz.check_equal(str(run.wait()), "exit 7", "status")


if __name__ == "__main__":
    laz.main()
