# SPDX-License-Identifier: Apache-2.0
"""A signal at each step of the start, made deterministic: strace holds one system call while it is sent.

The list of calls comes from a run of the same init, so that it is the start
path of today; each is held in turn, in init and in its children, and the signal comes meanwhile.
"""
import time

import adapters
import fence
import laz
from adapters import sample
from fence import HUP, INT, TERM, USR1

INIT = adapters.subject()
POLICY = {"shutdown": {"grace": "600ms", "drain": "300ms"}}
WORDS = ["say=started", "pause"]


def start_path(mode):
    """The calls from the hold to the workload's exec, and how long that takes under strace."""
    with INIT.start(WORDS, mode, conditions=["hold"], policy=POLICY) as run:
        run.trace()
        began = time.monotonic()
        run.expect("say", timeout=20)
        took = time.monotonic() - began
        run.kill(TERM)
        run.wait(20)
        return fence.calls_of(run.traced(), run.pid, until_exec_of="/probe"), took


def held_at(mode, call, number, took, deaf):
    """One run in which `call` lasts until after the signal. (run's end, its words, when it was sent).

    deaf: init does not listen before it has made that call.
    """
    name, when = call
    hold_us = int((took + 0.3) * 1_000_000)
    with INIT.start(WORDS, mode, conditions=["hold"], policy=POLICY) as run:
        run.trace("-e", f"trace={name}", "-e", f"inject={name}:delay_enter={hold_us}:when={when}")
        run.wait_exec()
        if not deaf:
            run.wait_armed()
        time.sleep(took + 0.03)
        sent = time.monotonic_ns()
        run.kill(number)
        if not run.has_ended(4.0):
            # Held before init listened: for PID 1 the kernel drops the signal, and nothing can help that.
            run.kill(TERM)
        ended = run.wait()
        return ended, run.seen("say"), sent


def deaf_before(mode):
    """The calls before init has blocked all signals; a signal during these is lost for any PID 1."""
    with INIT.start(WORDS, mode, conditions=["hold"], policy=POLICY) as run:
        run.trace("-e", "trace=all")
        run.expect("say", timeout=20)
        run.kill(TERM)
        run.wait(20)
        early = []
        for line in run.traced():
            if line.split()[0] != str(run.pid):
                continue
            early.append(line)
            if "rt_sigprocmask" in line or "rt_sigaction" in line:
                break
        return fence.calls_of(early, run.pid)


def held_everywhere(mode, number, count):
    """For `count` of the start's calls: was init deaf there, how it came out, and what to call that."""
    path, took = start_path(mode)
    early = deaf_before(mode)
    for call in sample(path, count):
        what = f"signal {int(number)} while {call[0]} number {call[1]} was held"
        yield call in early, *held_at(mode, call, number, took, call in early), what


def stops(mode, number, count):
    for deaf, ended, words, sent, what in held_everywhere(mode, number, count):
        if deaf and mode != "pid1":
            laz.check(ended.signal == number or ended.code == 128 + number, f"{what}: {ended}")
            continue
        laz.check_equal(str(ended), f"exit {143 if deaf else 128 + number}", what)
        late = [(w["t"] - sent) / 1e6 for w in words if w["t"] > sent]
        laz.check(deaf or not late or late[0] < 220, f"{what}: the workload spoke {late} ms later")


def passes(mode, number, count):
    """A signal that is no stop: it is held, and ends the workload, which is at default, after its exec."""
    for deaf, ended, _, _, what in held_everywhere(mode, number, count):
        if deaf:
            laz.check(ended.signal == number or ended.code == 143, f"{what}: {ended}")
            continue
        laz.check_equal(str(ended), f"exit {128 + number}", what)


for place in adapters.MODES:
    label = "PID 1" if place == "pid1" else "not PID 1"
    for signal_number, points in ((TERM, 14), (INT, 4)):
        laz.case(f"signal {int(signal_number)} at each call of the start stops it [{label}]")(
            lambda place=place, n=signal_number, points=points: stops(place, n, points))
    for signal_number, points in ((HUP, 6), (USR1, 4)):
        laz.case(f"signal {int(signal_number)} at each call of the start is delivered after it [{label}]")(
            lambda place=place, n=signal_number, points=points: passes(place, n, points))


@laz.case("control: tini -g loses a TERM while its child is held before setpgid")
def control():
    """tini's group mode: with its child held before setpgid, TERM goes to a group that is not there yet."""
    init = adapters.control("tini -g")
    with init.start(WORDS, "pid1", conditions=["hold"]) as run:
        run.trace("-e", "trace=setpgid", "-e", "inject=setpgid:delay_enter=400000:when=1")
        run.wait_exec()
        time.sleep(0.2)
        run.kill(TERM)
        laz.check(not run.has_ended(1.0), "tini -g lost nothing: the control shows nothing")


if __name__ == "__main__":
    laz.main()
