# SPDX-License-Identifier: Apache-2.0
"""Bench of a container that ships a trail and has nothing to say: what its helper keeps, what all of ours cost, and what a
workload that only computes loses by them."""
import os
import pathlib
import statistics
import time

from harness import bench, count, goal, say, show

import fence
import laz
import sinks_peers
from ship_world import World, sealed, until

SHIP_KIB = 6 * 1024
# And how much processor it took: what else the machine does is not ours to measure.
WORK = """import hashlib, time
began = time.process_time_ns()
for _ in range({rounds}):
    hashlib.sha256(bytes(1 << 20)).digest()
open({path!r}, "w").write(str(time.process_time_ns() - began))"""


def private_kib(pid):
    """(all, what was written to), KiB. The rest are pages of the program, which are its own while nobody else runs it."""
    sums = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as text:
        for line in text:
            if line.startswith("Private_"):
                sums[line.split(":")[0]] = int(line.split()[1])
    return sum(sums.values()), sums["Private_Dirty"]


def cpu_ms(pids):
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return 1000 * ticks / os.sysconf("SC_CLK_TCK")


def computed(world, rounds):
    """Nanoseconds of processor that the work took inside the container."""
    path = world.folder / "took"
    path.touch()
    path.chmod(0o666)
    with world.start(app=["/usr/bin/python3", "-c",
                          WORK.format(rounds=rounds, path=str(path))], ready=False) as run:
        laz.check_equal(str(run.wait(120)), "exit 0", f"the end: {run.stderr()}")
    return int(path.read_text(encoding="ascii"))


class Plain(World):
    """The same container without a trail."""

    def policy(self):
        return {key: value for key, value in super().policy().items() if key not in ("sinks", "spool", "audit")}


@bench("rest")
def rest():
    """A container with a file, a RELP and TLS collector and an idle workload; and one that computes, with a trail and without."""
    seconds = count(20, 1)
    collector = sinks_peers.Rsyslog("bench-rest")
    keys = {key: str(value) for key, value in sinks_peers.client().items()}
    world = World(sealed())
    world.sinks = [world.file_sink(), {"name": "collector", "type": "relp", "to": f"127.0.0.1:{collector.ports['relps']}",
                                       "classes": ["audit", "ids", "log"], "required": True, "tls": keys}]
    with world.start("say=up", "lines=20000,120,100", "term", "exit=0") as run:
        until(lambda: world.said() == 3 + 121 * 20000, "words", 60)
        time.sleep(count(5, 1))
        ours = [run.pid, world.pid("launch"), world.ship()]
        before = cpu_ms(ours)
        time.sleep(seconds)
        used, (private, written) = (cpu_ms(ours) - before) / seconds, private_kib(ours[2])
        run.kill(fence.TERM)
        run.wait()
    collector.stop()
    say(f"  {'ship, at rest after 20,000 lines':34s} {private} KiB of its own, {written} of them written to; init and helpers: "
        f"{used:.2f} ms of processor a second")
    goal("ship at rest, private memory that it wrote to", written, SHIP_KIB, "KiB")
    found = {"without a trail": [], "with a trail": []}
    for _ in range(count(61, 1)):
        found["without a trail"].append(computed(Plain(), count(100, 20)))
        found["with a trail"].append(computed(World(), count(100, 20)))
    for name, times in found.items():
        show(name, times, "ms", found["without a trail"], 1e6)
    goal("processor of a workload that says nothing, with a trail against without",
         statistics.median(found["with a trail"]) / statistics.median(found["without a trail"]), 1.02)
