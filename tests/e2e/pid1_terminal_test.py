# SPDX-License-Identifier: Apache-2.0
"""With a terminal: the workload is in the foreground, a key press reaches it once, the terminal comes back.

Row C23 of docs/reference/pid1-contract.md. The terminal is a pseudo terminal whose other end is here.
"""
import fcntl
import os
import re
import select
import struct
import termios
import time

import adapters
import fence
import laz
from adapters import both
from fence import CONT, HUP, INT, QUIT, TSTP, USR1, WINCH, mask

INIT = adapters.subject()


def keys(run, text):
    os.write(run.terminal, text)


def screen_until(run, pattern, seen="", seconds=fence.PATIENCE):
    """What the terminal has shown, as soon as pattern is in it; fails if that does not come."""
    end = time.monotonic() + seconds
    while not re.search(pattern, seen):
        ready, _, _ = select.select([run.terminal], [], [], max(0.0, end - time.monotonic()))
        laz.check(ready, f"no {pattern!r} on the terminal: {seen!r}")
        seen += os.read(run.terminal, 4096).decode(errors="replace")
    return seen


@both("the workload is in the terminal's foreground")
def foreground(mode):
    with INIT.start(["state", "exit=0"], mode, conditions=["tty"]) as run:
        state = run.expect("state")
        laz.check_equal(state["tty_group"], state["pgid"], "foreground group")
        laz.check_equal(str(run.wait()), "exit 0", "status")


@both("a line that is typed reaches the workload")
def typed(mode):
    with INIT.start(["say=ready", "line", "exit=0"], mode, conditions=["tty"]) as run:
        run.expect("say")
        keys(run, b"hello\n")
        line = run.expect("line")
        laz.check_equal((line["text"], line["errno"]), ("hello", 0), "line")


@both("^C while it starts stops it, and nothing starts")
def key_in_start(mode):
    """It comes from the kernel, not from a process; init is in the foreground until there is a workload."""
    if not INIT.enforces:
        laz.skip("a peer is no sooner there than its workload")
    with INIT.start(["say=started", "pause"], mode, ["tty", "hold"], source=True) as run:
        run.trace("-e", "trace=execve", "-e", "inject=execve:delay_exit=700000:when=1")
        run.wait_exec()
        run.wait_armed()
        end = time.monotonic() + fence.PATIENCE
        while not run.children() and time.monotonic() < end:
            time.sleep(0.005)
        laz.check(run.children(), "no setup was started")
        keys(run, b"\x03")
        laz.check_equal(str(run.wait()), f"exit {128 + INT}", "status")
        laz.check_equal(run.seen("say", settle=0.05), [], "the workload's words")


@both("^C between the hand-over of the terminal and the execve is a stop like any other")
def key_at_the_gate(mode):
    """The workload's group is in the foreground and its program is not there yet: the key ends it as it ends a
    program without a handler."""
    if not INIT.enforces:
        laz.skip("a peer has no gate")
    with INIT.start(["say=started", "pause"], mode, ["tty", "hold"], source=True) as run:
        run.trace("-e", "trace=ioctl", "-e", "inject=ioctl:delay_exit=600000")
        before = os.tcgetpgrp(run.terminal)
        run.wait_exec()
        end = time.monotonic() + fence.PATIENCE
        while os.tcgetpgrp(run.terminal) == before and time.monotonic() < end:
            time.sleep(0.001)
        laz.check(os.tcgetpgrp(run.terminal) != before, "the terminal was not handed over")
        keys(run, b"\x03")
        laz.check_equal(str(run.wait()), f"exit {128 + INT}", "status")
        laz.check_equal(run.seen("say", settle=0.05), [], "the workload's words")


@both("^C, ^\\ and ^Z each reach the workload exactly once")
def key_signals(mode):
    for key, number in ((b"\x03", INT), (b"\x1c", QUIT), (b"\x1a", TSTP)):
        with INIT.start([f"until={mask(USR1)}"], mode, conditions=["tty"]) as run:
            run.expect("listening")
            keys(run, key)
            run.expect("signal", sig=int(number))
            laz.check_equal(len(run.seen("signal", settle=0.15, sig=int(number))), 1, f"deliveries of {number}")
            laz.check(run.ended is None, f"{number} ended init: {run.ended}")


@both("a stopped workload resumes at CONT")
def stop_and_resume(mode):
    with INIT.start(["say=up", "sleep=1000", "say=resumed", "exit=7"], mode, conditions=["tty"]) as run:
        run.expect("say")
        keys(run, b"\x1a")
        end = time.monotonic() + fence.PATIENCE
        while "T" not in [fence.state(p) for p in run.children()] and time.monotonic() < end:
            time.sleep(0.005)
        run.kill(CONT)
        run.expect("say", text="resumed")
        laz.check_equal(str(run.wait()), "exit 7", "status")


@both("a change of the window's size reaches the workload once")
def window(mode):
    with INIT.start([f"until={mask(USR1)}"], mode, conditions=["tty"]) as run:
        run.expect("listening")
        fcntl.ioctl(run.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        run.expect("signal", sig=int(WINCH))
        laz.check_equal(len(run.seen("signal", settle=0.15, sig=int(WINCH))), 1, "deliveries of WINCH")


@both("when the terminal hangs up the workload is told")
def hang_up(mode):
    with INIT.start([f"until={mask(HUP)}", "exit=7"], mode, conditions=["tty"]) as run:
        run.expect("listening")
        os.close(run.terminal)
        run.terminal = None
        run.expect("signal", sig=int(HUP))
        laz.check_equal(str(run.wait()), "exit 7", "status")


@both("started in the background, it does not take the terminal")
def background(mode):
    with INIT.start(["state", f"until={mask(USR1)}"], mode, conditions=["tty-background"]) as run:
        state = run.expect("state")
        laz.check(state["tty_group"] != state["pgid"], "the workload took the terminal")
        run.expect("listening")
        laz.check(fence.state(run.pid) != "T", "init was stopped by the terminal")


@both("a stop signal works with a terminal too")
def stop(mode):
    with INIT.start(["until=15", "exit=7"], mode, conditions=["tty"]) as run:
        run.expect("listening")
        run.kill(15)
        laz.check_equal(str(run.wait()), "exit 7", "status")


@both("when the workload is gone, the terminal is init's again while strays drain")
def handed_back(mode):
    if not INIT.enforces:
        laz.skip("no peer outlives the workload")
    with INIT.start(["stray=session:2000", "sleep=60", "exit=0"], mode, conditions=["tty"],
                    policy={"shutdown": {"drain": "4s"}}) as run:
        run.expect("signal", name="stray-session", sig=15)
        group, end = 0, time.monotonic() + 3
        while group != os.getpgid(run.pid) and time.monotonic() < end:
            group = struct.unpack("i", fcntl.ioctl(run.terminal, termios.TIOCGPGRP, b"\0" * 4))[0]
        laz.check_equal(group, os.getpgid(run.pid), "foreground group, and init's own")
        laz.check_equal(str(run.wait()), "exit 0", "status")


@both("an interactive shell has job control and complains of nothing")
def shell(mode):
    shell_runs(INIT, mode)


def shell_runs(init, mode):
    policy = {"workload": {"env": {"pass": ["PATH", "TERM"]}, "exec-budget": -1}}
    env = {**fence.ENVIRONMENT, "TERM": "dumb", "PS1": "$ ", "HOME": "/"}
    with init.start(app=["/bin/bash", "--norc", "--noprofile", "-i"], mode=mode, conditions=["tty"],
                    policy=policy, env=env) as run:
        seen = screen_until(run, r"\$ ")
        keys(run, b"cat\n")
        end = time.monotonic() + fence.PATIENCE
        # Typed before cat reads, a line would still be the shell's editor's.
        while not [p for p in run.inhabitants() if fence.comm(p) == "cat"] and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.1)
        keys(run, b"echoed\n")
        seen = screen_until(run, r"echoed\r\nechoed", seen)
        keys(run, b"\x1a")
        seen = screen_until(run, r"Stopped[^$]*\$ ", seen)
        keys(run, b"kill -9 %1; sleep 0.1; true\n")
        end = time.monotonic() + fence.PATIENCE
        while not re.search(r"Killed[^$]*\$ ", seen := screen_until(run, r"\$ $", seen)) and time.monotonic() < end:
            keys(run, b"sleep 0.1\n")  # it is told in front of a prompt, once it is known
            seen = screen_until(run, r"0\.1\r\n$|0\.1\r\n.*\$ $", seen)
        laz.check("Killed" in seen, f"no end of the job on the terminal: {seen!r}")
        keys(run, b"exit 6\n")
        laz.check_equal(str(run.wait()), "exit 6", f"status after {seen!r}")
        for complaint in ("no job control", "cannot set terminal"):
            laz.check(complaint not in seen, f"bash says: {seen!r}")


@laz.case("control: under catatonit ^Z does not stop a job")
def shell_control():
    try:
        shell_runs(adapters.control("catatonit"), "pid1")
    except laz.Failed as failure:
        laz.check("Stopped" in str(failure), f"failed for another reason: {failure}")
    else:
        laz.check(False, "catatonit's shell has job control: the control shows nothing")


if __name__ == "__main__":
    laz.main()
