# SPDX-License-Identifier: Apache-2.0
"""What the host does to a running init: debuggers come and go, the freezer, a step of the wall clock.

After each of these signals, reaping and the stop are as before, and what came
meanwhile is neither lost nor doubled.
"""
import contextlib
import datetime
import os
import signal
import struct
import subprocess
import time

import adapters
import fence
import freezer
import laz
from adapters import both
from fence import KILL, TERM, mask

INIT = adapters.subject()


# --- debuggers --------------------------------------------------------------------------------------------

ORPHANS = 1500


def strace(pid, seconds):
    process = subprocess.Popen(["strace", "-f", "-o", "/dev/null", "-p", str(pid)],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    fence.wait_attached(process.stderr, "strace")
    time.sleep(seconds)
    return process, process.stderr


def gdb(pid, seconds):
    """It stops init for so long, steps it through some instructions, and detaches."""
    process = subprocess.Popen(
        ["gdb", "-nx", "-batch", "-p", str(pid), "-ex", "echo stopped\\n", "-ex", f"shell sleep {seconds}",
         "-ex", "stepi 20", "-ex", "detach"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for line in process.stdout:
        if line == b"stopped\n":
            return process, process.stdout
    raise laz.Failed("gdb did not attach")


@contextlib.contextmanager
def debugger(start, end, pid):
    """A debugger on init for as long as the block takes; `end` is how it goes: None by itself, else a signal."""
    process, stream = start(pid, 0.05)
    try:
        yield
    finally:
        if end is not None:
            process.send_signal(end)
        stream.read()
        process.wait(fence.PATIENCE)
        stream.close()


DEBUGGERS = {
    "strace": (strace, signal.SIGINT),
    "strace, which is then killed": (strace, KILL),
    "gdb": (gdb, None),
    "gdb, which is then killed": (gdb, KILL),
}


def debugged(name, mode):
    """Orphans by the hundred and queued signals while it comes and goes; at last a stop while it is there."""
    start, end = DEBUGGERS[name]
    with INIT.start(["block=all", "say=up", f"orphans={ORPHANS}", "until=15", "exit=7"], mode) as run:
        run.expect("say")
        for i in range(3):
            with debugger(start, end, run.pid):
                run.queue(40, i)
        run.expect("listening")
        run.queue(40, 3)
        run.expect("signal", sig=40, value=3)
        laz.check_equal([x["value"] for x in run.seen("signal", sig=40)], [0, 1, 2, 3], "signals under the debugger")
        left = [p for p in run.children() if fence.state(p) == "Z"]
        laz.check_equal(left, [], "orphans that were not reaped")
        with debugger(start, end, run.pid):
            run.kill(TERM)
        laz.check_equal(str(run.wait()), "exit 7", "status")
        laz.check_equal(len(run.seen("signal", sig=15)), 1, "TERMs")
        if INIT.enforces:
            reaped = adapters.events(run, "init.stop")[0]["d"]["reaped"]
            laz.check(reaped > ORPHANS, f"only {reaped} of {ORPHANS} orphans and the workload were reaped")


for debugger_name in DEBUGGERS:
    both(f"a debugger that attaches and leaves does not upset it: {debugger_name}")(
        lambda mode, name=debugger_name: debugged(name, mode))


# --- the freezer ------------------------------------------------------------------------------------------


def inner_pid(run, pid):
    """The number that a process has in its own namespace."""
    return int(run.status(pid)["NSpid"].split()[-1])


def wait_for(condition, what, timeout=fence.PATIENCE):
    end = time.monotonic() + timeout
    while not condition():
        laz.check(time.monotonic() < end, f"{what}: not within {timeout} s")
        time.sleep(0.002)


def frozen_with_pending(kind, mode):
    """A stop, a queued signal and the death of a child arrive while init and the workload are frozen."""
    with INIT.start(["stray=double:0", "until=40", "exit=7"], mode) as run:
        orphan = run.expect("stray")["pid"]
        run.expect("listening")
        wait_for(lambda: len(run.children()) == 2, "the orphan is init's")
        doomed = next(p for p in run.children() if inner_pid(run, p) == orphan)
        # Of version 1, a frozen process cannot die: the doomed one stays outside.
        others = [run.pid, *(p for p in run.children() if p != doomed)]
        with freezer.group(kind, *others) as cold:
            cold.freeze()
            os.kill(doomed, KILL)
            wait_for(lambda: fence.state(doomed) == "Z", "the child is dead")
            run.queue(40, 7)
            run.kill(TERM)
            status = run.status()
            pending = int(status["ShdPnd"], 16) | int(status["SigPnd"], 16)
            for number in (signal.SIGCHLD, TERM, 40):
                laz.check(pending >> (number - 1) & 1, f"signal {int(number)} is not pending: init was not frozen")
            laz.check_equal(run.seen("signal", settle=0.1, sig=15), [], "the workload heard of it while frozen")
            cold.thaw()
            laz.check_equal(run.expect("signal", sig=40)["value"], 7, "the queued signal")
            laz.check_equal(str(run.wait()), "exit 7", "status")
        laz.check_equal(len(run.seen("signal", sig=15)), 1, "TERMs")
        if INIT.enforces:
            laz.check_equal(len(adapters.events(run, "stop.request")), 1, "stop requests")
            laz.check_equal(adapters.events(run, "stop.forced"), [], "a forced stop")
            laz.check_equal(adapters.events(run, "init.stop")[0]["d"]["reaped"], 2, "reaped: the child and the workload")


def frozen_in_grace(kind, mode):
    """The grace passes while all are frozen: a deaf workload is then killed, by name, and not waited for again."""
    if not INIT.enforces:
        laz.skip("no peer has a grace")
    policy = {"shutdown": {"grace": "2s", "drain": "100ms"}}
    with INIT.start([f"ignore={mask(TERM)}", "say=up", "pause"], mode, policy=policy) as run:
        run.expect("say")
        with freezer.group(kind, run.pid, *run.children()) as cold:
            run.kill(TERM)
            wait_for(lambda: adapters.events(run, "stop.request"), "the grace has begun")
            cold.freeze()
            laz.check(not run.has_ended(2.2), "it ended while frozen")
            cold.thaw()
            laz.check(run.has_ended(1.5), "the grace began anew after the thaw")
        laz.check_equal(str(run.ended), "exit 137", "status")
        laz.check_equal(len(adapters.events(run, "stop.forced")), 1, "forced stops")


def frozen_in_start(kind, mode):
    """At any moment between the exec and the workload; a stop that comes meanwhile counts."""
    for stop in (False, True):
        for delay_us in range(0, 3500, 700):
            with INIT.start(["say=up", "until=15", "exit=7"], mode, conditions=["hold"]) as run, \
                    freezer.group(kind, run.pid) as cold:
                run.go()
                run.wait_exec()
                run.wait_armed()
                time.sleep(delay_us / 1e6)
                cold.freeze()
                if stop:
                    run.kill(TERM)
                time.sleep(0.02)
                cold.thaw()
                if not stop:
                    run.expect("listening")
                    run.kill(TERM)
                wanted = ("exit 7",) if not stop else ("exit 7", "exit 143")
                what = f"frozen {delay_us} us after it listened, stop {stop}"
                laz.check(str(run.wait()) in wanted, f"{what}: {run.ended}")
                laz.check(run.ended.code == 7 or not run.seen("listening", settle=0.02), f"{what}: the stop was lost")


for freezer_kind in freezer.KINDS:
    both(f"frozen while a stop and a SIGCHLD come, then thawed: both count, once [{freezer_kind}]")(
        lambda mode, kind=freezer_kind: frozen_with_pending(kind, mode))
    both(f"frozen for longer than the grace: forced at the thaw, by name [{freezer_kind}]")(
        lambda mode, kind=freezer_kind: frozen_in_grace(kind, mode))
    if freezer_kind in freezer.MOUNTS:
        both(f"frozen and thawed in the middle of its start: starts as ever [{freezer_kind}]")(
            lambda mode, kind=freezer_kind: frozen_in_start(kind, mode))


# --- the wall clock ---------------------------------------------------------------------------------------

HOUR = 3600
# A deadline in any of these could follow CLOCK_REALTIME; ppoll and poll wait by CLOCK_MONOTONIC.
CLOCK_BOUND = ("timerfd_create", "timerfd_settime", "timer_create", "timer_settime", "clock_nanosleep", "setitimer",
               "alarm", "futex", "mq_timedsend", "mq_timedreceive", "semtimedop", "gettimeofday", "time")


@contextlib.contextmanager
def own_wall_clock(words, mode, policy):
    """(run, step): a run whose init alone sees another CLOCK_REALTIME, off by what step(seconds) was last given."""
    with INIT.start(words, mode, conditions=["hold"], policy=policy) as run:
        path = run.folder / "step"
        with open(path, "w+b", buffering=0) as file:

            def step(seconds):
                os.pwrite(file.fileno(), struct.pack("q", seconds), 0)  # in place: it is mapped

            step(0)
            run.attach("clock", path)
            yield run, step


def off_by(event):
    """How far a record's time is from the machine's, in hours."""
    when = datetime.datetime.strptime(event["ts"], "%Y-%m-%dT%H:%M:%S.%f%z")
    return round((when - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / HOUR, 2)


@both("no deadline follows the wall clock, and every record does")
def clock_step(mode):
    """The clock is stepped while the workload runs, in the grace, and in the drain, there and back by years.

    A real step would be the whole machine's, and a time namespace has no CLOCK_REALTIME; see probe/clock.c.
    """
    if not INIT.enforces:
        laz.skip("no peer has a grace")
    policy = {"shutdown": {"grace": "400ms", "drain": "300ms"}}
    years = 10 * 365 * 24 * HOUR
    with own_wall_clock(["stray=session:deaf", f"ignore={mask(TERM)}", "say=up", "pause"], mode, policy) as (run, step):
        run.expect("stray")
        run.expect("say")
        step(3 * HOUR)
        sent = time.monotonic()
        run.kill(TERM)
        wait_for(lambda: adapters.events(run, "stop.request"), "the grace has begun")
        step(-years)
        run.expect("signal", name="stray-session", sig=15)
        step(years)
        laz.check_equal(str(run.wait()), "exit 137", "status")
        took = run.ended.t / 1e9 - sent
        laz.check(0.65 <= took < 10, f"a grace of 0.4 s and a drain of 0.3 s took {took:.2f} s")
        events = adapters.events(run)
        off = {event["ev"]: off_by(event) for event in events}
        wanted = {"init.start": 0, "stop.request": 3, "stop.forced": -years / HOUR, "init.stop": years / HOUR}
        laz.check_equal({name: off.get(name) for name in wanted}, wanted, "hours that each record is off by")
        laz.check_equal([event["seq"] for event in events], list(range(len(events))), "sequence numbers")
        ran_ms = next(event["d"]["ran_ms"] for event in events if event["ev"] == "proc.exit")
        laz.check(400 <= ran_ms < 20000, f"the workload ran for {ran_ms} ms")
        names = {number: name for name, number in fence.system_calls().items()}
        traced = [line.split() for line in run.traced()]
        used = {names[int(number)] for word, number in traced if word == "call"}
        laz.check("ppoll" in used, f"not init's calls: {used}")
        laz.check_equal(used & set(CLOCK_BOUND), set(), "calls that can wait by the wall clock")
        looks = [int(number) for word, number in traced if word == "clock"]
        laz.check_equal(looks.count(time.CLOCK_REALTIME), len(events), "looks at the wall clock: one a record")


if __name__ == "__main__":
    laz.main()
