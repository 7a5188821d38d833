# SPDX-License-Identifier: Apache-2.0
"""A workload that says more than anybody can take: what init saw is all there, what was dropped is counted to the byte,
memory stays what it was, and init answers as if nothing were.

A sample takes some seconds; --long a minute.
"""
import json
import os
import statistics
import struct
import threading
import time

import fence
import hostile
import laz
import ship_world
import trail_judge
from laz import case, check, check_equal
from ship_world import World, sealed, until

SECONDS = 60 if laz.LONG else 5
MBYTES_PER_S = 100
PAUSE_S, READ_BYTES = 4.5, 6 << 20  # of whoever reads the container's output
LOOP_MS = 10
SHIP_MIB, INIT_MIB = 48, 4
PROGRAM = ("flood", "flood.c")
LINES = [line for line in hostile.text().split(b"\n") if len(line) < 65000] + [b"plain " * 20] * 2000


class BurstyOutput(ship_world.Output):
    """Read a few megabytes at a time, with a pause behind each; all the rest once `hurry` is set. Whoever is merely
    slow is waited for; only who stands still makes lines drop."""

    def __init__(self, at_once, pause):
        super().__init__()
        self.at_once, self.pause, self.hurry = at_once, pause, False
        self.read()

    def _read(self):
        pieces, left = [], self.at_once
        while piece := os.read(self.read_end, 1 << 16):
            pieces.append(piece)
            left -= len(piece)
            if left < 0 and not self.hurry:
                time.sleep(self.pause)
                left = self.at_once
        self.data = b"".join(pieces)


def field(pid, name):
    """A number of /proc/PID/status, in MiB."""
    with open(f"/proc/{pid}/status") as text:
        return next(int(line.split()[1]) for line in text if line.startswith(name + ":")) / 1024


def waited_ns(pid):
    """How long a process was ready to run and another one did."""
    with open(f"/proc/{pid}/schedstat") as text:
        return int(text.read().split()[1])


class Flood:
    """A run of flood.c, and what it has in its shared page."""

    def __init__(self, world):
        self.world, self.signals, self.calls, self.raw = world, [], [], []
        (world.folder / "lines").write_bytes(b"".join(line + b"\n" for line in LINES))

    def command(self, mbytes=MBYTES_PER_S, seconds=SECONDS):
        return [ship_world.program(*PROGRAM), str(self.world.shared), str(self.world.folder / "lines"), str(mbytes),
                str(seconds), "3"]

    def page(self):
        return struct.unpack_from("<6Q", self.world.shared.read_bytes())

    def ping(self, run, pid):
        """One signal through init to the workload, and one of its calls that init refuses: without the time in which
        others had the processors, in ms."""
        before, waited = self.page()[2], waited_ns(run.pid) + waited_ns(pid)
        began = time.monotonic_ns()
        run.kill(fence.USR1)
        until(lambda: self.page()[2] > before, "answer to a signal", 5, 0.0005)
        _, _, _, reached, refused, _ = self.page()
        waited = waited_ns(run.pid) + waited_ns(pid) - waited
        self.raw.append((reached - began) / 1e6)
        self.signals.append(max(0, reached - began - waited) / 1e6)
        self.calls.append(max(0, refused - waited) / 1e6)

    def late(self, run, pid):
        """What is measured of an init that stands still for 100 ms."""
        measured = Flood(self.world)
        run.kill(fence.STOP)
        threading.Timer(0.1, run.kill, [fence.CONT]).start()
        measured.ping(run, pid)
        return measured.signals[0]

    def workload(self, run):
        found = [p for p in run.children() if fence.comm(p) == "flood"]
        return found[0] if found else None


def check_lines(data, produced_lines, produced_bytes):
    """Each line that is there is the one that was said; the others are counted in gaps. How many are missing."""
    seen, seen_bytes, last, gap_lines, gap_bytes = 0, 0, 0, 0, 0
    for text in data.splitlines():
        if b'"ev":"log"' not in text and b'"ev":"chain.gap"' not in text:
            continue
        record = json.loads(text)
        if record["ev"] == "chain.gap":
            gap_lines, gap_bytes = gap_lines + record["d"]["count"], gap_bytes + record["d"]["bytes"]
            continue
        if record["ev"] != "log":
            continue
        said = ship_world.text_of(record)
        number = int(said[:8])
        check(last < number, f"line {number} came after {last}")
        check(said == b"%08d " % number + LINES[(number - 1) % len(LINES)], f"line {number} is not what was said: {said[:200]!r}")
        last, seen, seen_bytes = number, seen + 1, seen_bytes + len(said) + 1
    check_equal((seen + gap_lines, seen_bytes + gap_bytes), (produced_lines, produced_bytes),
                "lines and bytes that are there or counted in gaps, and those that were said")
    return gap_lines


@case(f"{MBYTES_PER_S} MB/s of hostile lines: no event lost, drops counted exactly, memory bounded, init in time")
def flood():
    console = {"name": "console", "type": "stdout", "classes": ["audit", "ids", "log"]}
    world = World(sealed(opens=True) | {"logs": {"when-full": "drop"}, "events": {"flood": {"per-second": 1000, "burst": 1000}},
                                        "shutdown": {"grace": "2s", "drain": "200ms", "flush": "20s", "stop-timeout": "30s"}}, [console])
    flood, output = Flood(world), BurstyOutput(READ_BYTES, PAUSE_S)
    with world.start(app=flood.command(), ready=False, stdout=output.write_end) as run:
        pid = until(lambda: flood.page()[0] and flood.workload(run), lambda: f"words: {run.describe()}", 20)
        ship, sizes, began = world.ship(), [], time.monotonic()
        while not flood.page()[5]:
            flood.ping(run, pid)
            sizes.append(field(ship, "VmRSS"))
            time.sleep(0.02)
            check(time.monotonic() - began < 3 * SECONDS + 10, f"it does not end: {flood.page()}")
        took = time.monotonic() - began
        peak, init_peak = field(ship, "VmHWM"), field(run.pid, "VmHWM")
        control = flood.late(run, pid)
        output.hurry = True
        run.kill(fence.TERM)
        check_equal(str(run.wait(40)), "exit 3", f"the end: {run.stderr()}")
        check_equal(run.stderr(), "", "stderr")
    said_bytes, said_lines, pings, *_ = flood.page()
    data = output.all()
    missing = check_lines(data, said_lines, said_bytes)
    denied = sum(json.loads(line)["d"]["count"] for line in data.splitlines() if b'"ev":"seccomp.deny"' in line)
    p99 = statistics.quantiles(flood.signals, n=100)[98]
    print(f"     {said_bytes / took / 1e6:.0f} MB/s were said; {missing} of {said_lines} lines dropped; {pings} signals: "
          f"median {statistics.median(flood.signals):.2f} ms, p99 {p99:.2f}, most {max(flood.signals):.2f} (with others' "
          f"time {max(flood.raw):.2f}); refused calls: most {max(flood.calls):.2f} ms; ship {peak:.1f} MiB at most, "
          f"init {init_peak:.1f}", flush=True)
    check(control > 50, f"the control: of 100 ms {control:.1f} were seen")
    check(said_bytes / took > 10e6, f"it was no flood: {said_bytes / took / 1e6:.1f} MB/s")
    check_equal(denied, pings, "refused calls in the trail")
    check(missing > 1000, f"only {missing} lines found no room")
    code, answer = trail_judge.product(data)
    check_equal([trail_judge.said(chain) for chain in answer["chains"]], ["ok gap single"], f"verify, which ended with {code}")
    check(peak < SHIP_MIB and init_peak < INIT_MIB, f"memory: ship {peak:.1f} MiB, init {init_peak:.1f} MiB")
    half = len(sizes) // 2
    check(max(sizes[half:]) < max(sizes[:half]) + 4, f"memory of ship grows: {max(sizes[:half]):.1f}, {max(sizes[half:]):.1f} MiB")
    check(p99 < LOOP_MS and max(flood.calls) < 5 * LOOP_MS, f"init was late: {sorted(flood.signals)[-5:]} {sorted(flood.calls)[-5:]}")


if __name__ == "__main__":
    laz.main()
