# SPDX-License-Identifier: Apache-2.0
"""Benches of a container in which nothing happens that would be worth a record: what `sense` and `ship` take then."""
import pathlib
import statistics
import time

from harness import bench, count, goal, say, show, small

import adapters
import fence
import laz
import ship_world

HELPERS = ("lazaret-sense", "lazaret-ship", "lazaret-init")
# All five detectors are on; as many files as an image has configuration.
WATCHED = {"files": {"watch": ["/etc"]}}


def used_ns(pid):
    """Processor time of a process so far."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def processes_of(run):
    """{name: pid} of init and its helpers."""
    found = {fence.comm(pid): pid for pid in run.children()}
    return {"lazaret-init": run.pid, **{name: found[name] for name in HELPERS if name in found}}


def at_rest(processes, watched, seconds):
    """{name: parts of a processor} while so many processes of the workload wait."""
    world = ship_world.World({"sense": watched})
    app = [small("quiet"), processes]
    with world.start(app=app, wrapper=("unshare", "-n")) as run:
        ship_world.until(lambda: world.records("sense.start"), lambda: f"sense.start: {run.describe()}")
        ship_world.until(lambda: len(run.inhabitants()) > processes, "processes of the workload")
        time.sleep(1)
        pids = processes_of(run)
        before, began = {name: used_ns(pid) for name, pid in pids.items()}, time.monotonic_ns()
        time.sleep(seconds)
        took = time.monotonic_ns() - began
        return {name: (used_ns(pid) - before[name]) / took for name, pid in pids.items()}


def work(policy, processes, rounds):
    """[nanoseconds, nanoseconds with a processor] that a workload takes for so much work beside so many processes."""
    took = fence.scratch() / "quiet-took"
    took.write_text("")
    took.chmod(0o666)
    image = adapters.Lazaret.image(policy)
    app = [small("quiet"), str(processes), str(rounds), str(took)]
    words = [str(laz.BIN / "lazaret-init"), "--policy", image, "--", *app]
    with fence.Run(words, "pid1", wrapper=("unshare", "-n")) as run:
        code = run.wait(120).code
        laz.check_equal(code, 0, f"exit code ({run.stderr()[-400:]})")
    return [int(word) for word in took.read_text().split()]


@bench("sense")
def sense():
    """What helpers take while the workload waits, or works and writes nothing: all detectors, a look every 500 ms."""
    seconds = count(10, 1)
    sense_share = 0.0
    files = sum(1 for _ in pathlib.Path("/etc").rglob("*"))
    for processes, watched, what in (
            (50, {}, "no files"), (50, WATCHED, f"{files} files"), (500, WATCHED, f"{files} files")):
        runs = [at_rest(processes, watched, seconds) for _ in range(count(3, 1))]
        say(f"  {processes} processes that wait, {what} watched, share of a processor over {seconds} s:")
        for name in runs[0]:
            show(name, [100 * run[name] for run in runs], "%")
        sense_share = statistics.median(100 * run["lazaret-sense"] for run in runs)
    goal("sense's share of a CPU, 500 processes at rest", sense_share, 10, "%")
    full = ship_world.World({"sense": WATCHED}).policy()
    plain = {key: value for key, value in full.items() if key not in ("sinks", "sense", "spool", "audit")}
    found = {"without sinks and sense": [], "with sinks and sense": []}
    for _ in range(count(15, 1)):
        for name, policy in zip(found, (plain, full)):
            found[name].append(work(policy, 50, count(3000, 3)))
    base = found["without sinks and sense"]
    for index, what in ((1, "processor time"), (0, "time")):
        say(f"  {what} of some work beside 50 processes:")
        for name, rows in found.items():
            ratio = show(name, [row[index] for row in rows], "ms", [row[index] for row in base], 1e6)
        if index == 1:
            goal("a workload that writes nothing, processor time with sinks and sense", ratio, 1.02)
