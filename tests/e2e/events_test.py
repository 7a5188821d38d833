# SPDX-License-Identifier: Apache-2.0
"""What init does about refused calls while they happen, and how it treats the stream that takes the records.

The arithmetic of floods is in tests/unit/init/listener_test.c; here a workload lives through it. A record is
written whole or counted as lost, and nobody ever waits for a stream.
"""
import contextlib
import fcntl
import json
import os
import pathlib
import subprocess
import time

import adapters
import fence
import laz
from fence import TERM, mask
from laz import case, check, check_equal

INIT = adapters.LAZARET
CALL = fence.system_calls()["unshare"]  # refused by builtin/web-api with EPERM; unshare(0) itself does nothing
EPERM = 1
BAD_OPTION = adapters.POLICY


def flood(**changes):
    return {"events": {"flood": {"burst": 5, "per-second": 1, "hold": "40ms", **changes}}}


def denied(run):
    """How many refused calls the records stand for."""
    return sum(e["d"]["count"] for e in adapters.events(run, "seccomp.deny"))


# --- refused calls ----------------------------------------------------------------------------------------


@case("calls over the budget are answered late, and each of them is counted in some record")
def tarpit():
    with INIT.start([f"ask={CALL},20", "exit=7"], policy=flood()) as run:
        asked = run.expect("asked")
        check_equal((asked["refused"], asked["errno"]), (20, EPERM), "answers")
        check_equal(str(run.wait()), "exit 7", "status")
        check_equal(denied(run), 20, "calls in the records")
        records = adapters.events(run, "seccomp.deny")
        check(len(records) <= 10, f"{len(records)} records of 20 calls")
        check_equal({(r["obj"], r["act"]) for r in records}, {("unshare", "EPERM")}, "what they say")
        total = adapters.events(run, "init.stop")[0]["d"]
        check_equal(total["denied"], 20, "denied, in init.stop")
        free = 2 + asked["took_ns"] // 1_000_000_000  # one a second comes to the five, and one may be on its way
        check(15 - free <= total["held"] <= 15, f"held, in init.stop: {total['held']}")
        check(asked["took_ns"] >= total["held"] * 40e6, f"20 calls, 5 of them free, took {asked['took_ns'] / 1e6:.0f} ms")


@case("a stop answers what is held, and holds nothing more")
def stop_in_flood():
    policy = {**flood(burst=1, hold="10s"), "shutdown": {"stop-timeout": "60s", "grace": "50s", "drain": "1s"}}
    with INIT.start([f"handle={mask(TERM)}", "say=up", f"ask={CALL},10", "exit=7"], policy=policy) as run:
        run.expect("say")
        time.sleep(0.3)
        check_equal(run.seen("asked"), [], "the second call was not held")
        run.kill(TERM)
        check_equal(str(run.wait(7)), "exit 7", "status")
        check_equal(denied(run), 10, "calls in the records")


@case("kill-after: as many refused calls as it says are fine, one more ends the workload with 105")
def kill_after():
    for count, wanted in ((20, "exit 7"), (21, "exit 105")):
        with INIT.start([f"ask={CALL},{count}", "sleep=50", "exit=7"],
                        policy=flood(**{"burst": 100, "kill-after": 20})) as run:
            check_equal(str(run.wait()), wanted, f"{count} refused calls")
            forced = adapters.events(run, "stop.forced")
            check_equal([e["obj"] for e in forced], [] if count == 20 else ["signal 9"], "stop.forced")
            cause = adapters.events(run, "init.stop")[0]["obj"]
            check_equal(cause, "workload-exit" if count == 20 else "flood.kill-after", "cause in init.stop")


@case("mode observe: the call happens, the record says that it was only observed, and nothing is held")
def observed():
    with INIT.start([f"ask={CALL},20", "exit=7"], policy={"mode": "observe", **flood(**{"kill-after": 1, "hold": "1s"})}) as run:
        asked = run.expect("asked")
        check_equal(asked["refused"], 0, "refused calls")
        check(asked["took_ns"] < 5e9, f"20 observed calls took {asked['took_ns'] / 1e6:.0f} ms")
        check_equal(str(run.wait()), "exit 7", "status")
        check_equal(denied(run), 20, "calls in the records")
        check_equal({e["act"] for e in adapters.events(run, "seccomp.deny")}, {"observed"}, "what they say")


# --- the stream -------------------------------------------------------------------------------------------


def small_pipe(folder):
    """A FIFO of two pages that nobody reads for now, open so that it never ends."""
    os.mkfifo(folder / "events")
    small_pipe.fd = os.open(folder / "events", os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(small_pipe.fd, fcntl.F_SETPIPE_SZ, 8192)


def drained(records):
    """All records in the pipe, behind those that are known."""
    text = b""
    while True:
        try:
            text += os.read(small_pipe.fd, 65536)
        except BlockingIOError:
            break
    return records + [json.loads(line) for line in text.splitlines()]


@case("signals that come faster than they are read hold up nobody else: a refused call is answered between them")
def among_signals():
    """Init is stopped until all is there, but may have looked before at what there was to read: that is one turn more."""
    count, number = 300, 40
    words = ["until=10", f"ask={CALL},1", "until=12", "exit=7"]  # it stays until all of them are read
    with INIT.start(words, policy={"signals": {"drop": [f"RTMIN+{number - 34}"]}}) as run:
        run.expect("listening")
        workload = run.children()[0]
        run.kill(fence.STOP)
        for _ in range(count):
            run.kill(number)
        os.kill(workload, 10)
        asks, end = pathlib.Path(f"/proc/{workload}/syscall"), time.monotonic() + fence.PATIENCE
        while asks.read_text().split()[0] != str(CALL):
            check(time.monotonic() < end, f"the workload never asked: {asks.read_text()}")
            time.sleep(0.01)
        run.kill(fence.CONT)
        run.expect("listening")
        while len(adapters.events(run, "signal.drop")) < count:
            check(time.monotonic() < end, "not all signals were read")
            time.sleep(0.01)
        run.kill(12)
        check_equal(str(run.wait()), "exit 7", "status")
        names = [e["ev"] for e in adapters.events(run)]
        check_equal((names.count("signal.drop"), names.count("seccomp.deny")), (count, 1), "records")
        before = names[:names.index("seccomp.deny")].count("signal.drop")
        check(before <= 2 * 64, f"{before} signals came before it")


@case("a pipe that the workload shares is written by init alone without waiting, and the workload gets nothing of that")
def own_pipe():
    path = fence.scratch() / "shared-fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    image = INIT.image(INIT.policy())
    command = ["/bin/sh", "-c", f'exec "$0" "$@" 2>{path}', str(laz.BIN / "lazaret-init"), "--policy", image, "--", "/bin/sleep", "60"]
    with fence.Run(command) as run:
        text, end = b"", time.monotonic() + fence.PATIENCE
        while b"init.start" not in text or "sleep" not in map(fence.comm, run.children()):
            check(time.monotonic() < end, f"no start: {text}, {run.describe()}")
            time.sleep(0.01)
            with contextlib.suppress(BlockingIOError):
                text += os.read(reader, 65536)
        check_equal({fd: waits for fd, waits in writers(run.pid, path).items() if waits}, {2: True}, "init: what waits")
        check(len(writers(run.pid, path)) > 1, "init has nothing of its own")
        check_equal(writers(run.children()[0], path), {2: True}, "the workload's")
        run.kill(TERM)
        run.wait()
    os.close(reader)


def writers(pid, path):
    """The descriptors of a process for this FIFO, and whether a write may wait."""
    held = {}
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        if os.readlink(f"/proc/{pid}/fd/{info.name}") == str(path):
            flags = int(next(x for x in info.read_text().splitlines() if x.startswith("flags:")).split()[1], 8)
            held[int(info.name)] = not flags & os.O_NONBLOCK
    return held


@case("a full stream: nobody waits, no record is cut, and what was lost is said as soon as it can be")
def full_stream():
    words = [f"ask={CALL},30", "until=10", f"ask={CALL},1", "exit=7"]
    with INIT.start(words, policy=flood(burst=100), prepare=small_pipe) as run:
        asked = run.expect("asked")
        check(asked["took_ns"] < 10e9, f"the workload waited for the stream: {asked['took_ns'] / 1e6:.0f} ms")
        run.expect("listening")
        records = drained([])
        check_equal([r["ev"] for r in records if r["ev"] == "events.gap"], [], "gaps, as long as nothing is said")
        run.kill(10)
        check_equal(str(run.wait()), "exit 7", "status")
        before, records = len(records), drained(records)
        os.close(small_pipe.fd)
        gap = records[before]
        check_equal(gap["ev"], "events.gap", "the first record after the loss")
        lost = gap["d"]["lost"]
        check(lost > 10, f"only {lost} records were lost: the stream was never full")
        numbers = [r["seq"] for r in records]
        jumps = [b - a - 1 for a, b in zip(numbers, numbers[1:]) if b != a + 1]
        check_equal(jumps, [lost], "jumps of seq, against the loss that was said")
        check_equal(records[-1]["ev"], "init.stop", "last record")
        check_equal(records[-1]["d"]["lost"], lost, "lost, in init.stop")


@case("a stream whose reader is gone hurts nobody: the SIGPIPE is init's own, and is not forwarded")
def broken_stream():
    words = [f"ask={CALL},3", "until=10", f"ask={CALL},3", "sleep=200", "exit=7"]
    with INIT.start(words, prepare=small_pipe) as run:
        run.expect("listening")
        check(drained([]), "nothing came through the pipe")
        os.close(small_pipe.fd)
        run.kill(10)
        check_equal(str(run.wait()), "exit 7", "status")
        check_equal([x["sig"] for x in run.seen("signal")], [10], "signals of the workload")


@case("proc.exit counts the out-of-memory kills of this run, not those before it")
def oom_kills():
    with INIT.start(["until=15", "exit=7"], conditions=["hold"]) as run:
        counts = pathlib.Path(f"/proc/{run.pid}/root/sys/fs/cgroup/memory.events")
        mounted = subprocess.run(["nsenter", "-t", str(run.pid), "-m", "mount", "-t", "tmpfs", "none", "/sys/fs/cgroup"],
                                 capture_output=True, text=True)
        check_equal(mounted.returncode, 0, f"a control group of its own: {mounted.stderr}")
        counts.write_text("low 0\noom 9\noom_kill 3\noom_group_kill 0\n")
        run.go()
        run.expect("listening")
        counts.write_text("low 0\noom 9\noom_kill 5\noom_group_kill 0\n")
        run.kill(TERM)
        check_equal(str(run.wait()), "exit 7", "status")
        check_equal(adapters.events(run, "proc.exit")[0]["d"]["oom_kills"], 2, "oom_kills")


@case("the file of events is root's alone, and is appended to")
def event_file():
    def there_already(folder):
        (folder / "events").write_text("before\n")

    with INIT.start(["exit=7"]) as run:
        run.wait()
        check_equal(oct(run.events_path.stat().st_mode & 0o7777), "0o600", "mode of a new file")
    with INIT.start(["exit=7"], prepare=there_already) as run:
        run.wait()
        lines = run.events_path.read_text().splitlines()
        check_equal(lines[0], "before", "first line of a file that was there")
        check_equal(json.loads(lines[1])["ev"], "init.start", "second line")


@case("a file of events that is a link is refused, and its target not touched")
def event_link():
    target = fence.scratch() / "link-target"
    target.write_text("")
    with INIT.start(["say=ran", "exit=7"], prepare=lambda folder: (folder / "events").symlink_to(target)) as run:
        check_equal(run.wait().code, BAD_OPTION, "exit code")
        check("lazaret-init: error: bad-option: events: " in run.stderr(), run.stderr())
        check_equal(run.seen("say", settle=0.02), [], "the workload's words")
    check_equal(target.read_text(), "", "the target")


if __name__ == "__main__":
    laz.main()
