# SPDX-License-Identifier: Apache-2.0
"""Each system call of init fails in turn, over its whole life: a correct run or a refusal, never a hang.

Item 5 of the conformance list. strace makes the k-th use of a call return an error, in init alone; the
workload is started, gets a signal, and is stopped. Whether a failed start leaves anything half confined is
asked elsewhere; here it is asked whether init survives, ends, and tells the truth about the status.
"""
import time

import adapters
import fence
import laz
from adapters import sample
from fence import TERM, USR1

INIT = adapters.subject()
ERRORS = ("EINTR", "EAGAIN", "ENOMEM", "EPERM", "ENOSYS")
POLICY = {"shutdown": {"grace": "400ms", "drain": "200ms"}}
WORDS = ["say=started", "stray=session:20", "until=15", "exit=7"]
# A failure of these is a signal that does not arrive; the grace and SIGKILL, or the end, are then in order.
DELIVERY = ("kill", "tgkill", "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open")
# These do not return, or are the C library's own first steps, which the kernel cannot refuse.
NOT_FAILING = ("exit_group", "exit", "execve", "rt_sigreturn", "restart_syscall", "arch_prctl", "set_tid_address")


def life(mode, *options):
    """(end or None, what the workload said) of one run under strace."""
    with INIT.start(WORDS, mode, conditions=["hold"], policy=POLICY) as run:
        run.trace(*options)
        end = time.monotonic() + 8
        while not run.seen("listening") and run.ended is None and time.monotonic() < end:
            run.pump(0.05)
        run.kill(USR1)
        run.seen("nothing", settle=0.03)
        run.kill(TERM)
        run.has_ended(8)
        said = {x["ev"] for x in run.seen("say", settle=0.02) + run.seen("signal")}
        return run.ended, said, run.traced(), run.pid, run.stderr()


def calls_of_life(mode):
    _, _, lines, pid, _ = life(mode)
    return [c for c in fence.calls_of(lines, pid, only=pid) if c[0] not in NOT_FAILING]


def judge(what, call, ended, said, errors):
    laz.check(ended is not None, f"{what}: init hangs ({errors[-200:]!r})")
    laz.check(ended.signal == 0, f"{what}: init died of signal {ended.signal}")
    if ended.code in adapters.REFUSALS:
        laz.check("say" not in said, f"{what}: refused with {ended.code}, but the workload had run")
        return
    allowed = (7, 137, 143) if call[0] in DELIVERY or call[0].startswith("wait") else (7,)
    # A stop that found init still starting (the call failed, something was tried again) is a stop.
    allowed = (*allowed, 143) if "say" not in said else allowed
    laz.check(ended.code in allowed, f"{what}: {ended}, said {said} ({errors[-200:]!r})")


for place in adapters.MODES:
    label = "PID 1" if place == "pid1" else "not PID 1"

    def each_fails(place=place):
        points = [(c, e) for c in calls_of_life(place) for e in ERRORS]
        laz.check(len(points) > 50, f"only {len(points)} points: the trace is not what it was")
        for call, error in sample(points, 60):
            name, when = call
            ended, said, _, _, errors = life(place, "-e", f"trace={name}", "-e",
                                             f"inject={name}:error={error}:when={when}")
            judge(f"{name} number {when} answers {error}", call, ended, said, errors)

    laz.case(f"each call of init fails in turn: a correct run or a refusal [{label}]")(each_fails)

    def interrupted(place=place):
        """EINTR at every second use of everything that can wait."""
        for name in ("ppoll", "poll", "read", "waitid", "wait4", "rt_sigtimedwait", "recvmsg", "ioctl"):
            ended, said, _, _, errors = life(place, "-e", f"trace={name}", "-e", f"inject={name}:error=EINTR:when=2+2")
            judge(f"{name} interrupted every second time", (name, 2), ended, said, errors)

    laz.case(f"whatever waits may be interrupted at every second use [{label}]")(interrupted)


if __name__ == "__main__":
    laz.main()
