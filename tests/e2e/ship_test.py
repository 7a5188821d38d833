# SPDX-License-Identifier: Apache-2.0
"""From the workload's mouth to the sinks: what was said is in the trail, or counted as lost, and nothing else is."""
import os

import fence
import laz
import ship_world
from laz import case, check, check_equal
from ship_world import World, numbered


@case("all that a workload says is in the trail, in order, and the trail is closed")
def plain():
    world = World()
    code, errors = world.outcome("lines=20000,60,10", "exit=7")
    check_equal((code, errors), (7, ""), "exit code, stderr")
    check_equal(world.account(numbered(20000, 60)), [], "missing")
    check_equal([r["ev"] for r in world.records()][:3], ["chain.genesis", "init.start", "log"], "the first records")
    check_equal(world.records("chain.final")[0]["d"]["exit"], 7, "the exit code in the final record")


if __name__ == "__main__":
    laz.main()
