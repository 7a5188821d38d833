# SPDX-License-Identifier: Apache-2.0
"""Each system call of init fails in turn, over its whole life: a correct run or a refusal, never a hang.

Item 5 of the conformance list. probe/inject.c makes the k-th use of a call return an error, in init alone;
the workload is started, gets a signal, leaves a stray, and is stopped. Whether a failed start leaves anything
half confined is asked elsewhere; here: whether init survives, ends, and tells the truth about the status.
"""
import collections
import errno
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
NAMES = {number: name for name, number in fence.system_calls().items()}


def life(mode, *what):
    """(end or None, what the workload said, the calls if they were listed, stderr) of one run."""
    with INIT.start(WORDS, mode, conditions=["hold"], policy=POLICY) as run:
        run.attach("inject", *what)
        end = time.monotonic() + 6
        while not run.seen("listening") and run.ended is None and time.monotonic() < end:
            run.pump(0.05)
        run.kill(USR1)
        run.seen("nothing", settle=0.03)
        run.kill(TERM)
        run.has_ended(6)
        said = {x["ev"] for x in run.seen("say", settle=0.02) + run.seen("signal")}
        return run.ended, said, run.traced(), run.stderr()


def calls_of_life(mode):
    """(name, k) of every call that init makes from its exec to its end."""
    ended, _, lines, errors = life(mode, "list")
    laz.check_equal(str(ended), "exit 7", f"the run that is listed ({errors[-200:]!r})")
    counts, found = collections.Counter(), []
    for number in map(int, lines):
        counts[number] += 1
        if NAMES[number] not in NOT_FAILING:
            found.append((NAMES[number], counts[number]))
    return found


def judge(what, call, ended, said, errors):
    """What is wrong with the outcome: nothing, or one sentence."""
    if ended is None:
        return [f"{what}: init hangs ({errors[-200:]!r})"]
    if ended.signal:
        return [f"{what}: init died of signal {ended.signal}"]
    if ended.code in adapters.REFUSALS:
        return [f"{what}: refused with {ended.code}, but the workload had run"] if "say" in said else []
    allowed = (7, 137, 143) if call[0] in DELIVERY or call[0].startswith("wait") else (7,)
    if "say" not in said:
        # Found to be no program, as a shell would say it; or stopped while still starting.
        allowed = (*allowed, 126, 127, 143)
    return [] if ended.code in allowed else [f"{what}: {ended}, said {sorted(said)} ({errors[-200:]!r})"]


for place in adapters.MODES:
    label = "PID 1" if place == "pid1" else "not PID 1"

    def each_fails(place=place):
        points = [(c, e) for c in calls_of_life(place) for e in ERRORS]
        laz.check(len(points) > 100, f"only {len(points)} points: the list is not what it was")
        wrong = []
        for call, error in sample(points, 60):
            name, k = call
            ended, said, _, errors = life(place, fence.system_calls()[name], k, 0, getattr(errno, error))
            wrong += judge(f"{name} number {k} answers {error}", call, ended, said, errors)
        laz.check(not wrong, f"{len(wrong)} wrong: " + "; ".join(wrong[:20]))

    laz.case(f"each call of init fails in turn: a correct run or a refusal [{label}]")(each_fails)

    def interrupted(place=place):
        """EINTR at every second use of everything that can wait."""
        wrong = []
        for name in ("ppoll", "poll", "read", "waitid", "wait4", "rt_sigtimedwait", "recvmsg", "ioctl"):
            ended, said, _, errors = life(place, fence.system_calls()[name], 2, 2, errno.EINTR)
            wrong += judge(f"{name} interrupted every second time", (name, 2), ended, said, errors)
        laz.check(not wrong, "; ".join(wrong))

    laz.case(f"whatever waits may be interrupted at every second use [{label}]")(interrupted)


if __name__ == "__main__":
    laz.main()
