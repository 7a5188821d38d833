# SPDX-License-Identifier: Apache-2.0
"""Forwarding: every signal, once, in order, with its payload; stop signals only from who may stop.

Rows C2, C3, C7 to C12, C22 and C24 of docs/reference/pid1-contract.md. The stop signals are adapters.STOP_SIGNALS.
"""
import ctypes
import time

import adapters
import fence
import laz
import scenarios
from adapters import STOP_SIGNALS, both, sample
from fence import CHLD, CONT, HUP, INT, KILL, QUIT, TERM, TSTP, USR1, USR2, WINCH, mask

INIT = adapters.subject()
LANDLOCK_CREATE_RULESET = 444  # on all architectures; with 1 it says which Landlock there is
LIBC = ctypes.CDLL(None)
OTHERS = [n for n in fence.FORWARDABLE if n not in STOP_SIGNALS]


def only_lazaret(what):
    if not INIT.enforces:
        laz.skip(f"only Lazaret {what}")


@both("each signal, number 32 and 33 included, reaches a ready workload exactly once")
def each_signal(mode):
    for number in sample(sorted([*fence.FORWARDABLE, 32, 33]), 32):
        with INIT.start([f"until={number}"], mode) as run:
            run.expect("listening")
            run.kill(number)
            run.expect("signal", sig=number)
            laz.check_equal(len(run.seen("signal", sig=number)), 1, f"deliveries of {number}")
            laz.check(run.has_ended(fence.PATIENCE) and run.ended.code == 0, f"signal {number}: {run.ended}")


@both("signals of all kinds sent together all arrive, and none twice")
def together(mode):
    wanted = [n for n in OTHERS if n not in (TSTP, 21, 22, CONT)]
    with INIT.start(["for=60000"], mode) as run:
        run.expect("listening")
        for number in wanted:
            run.kill(number)
        for number in wanted:
            run.expect("signal", sig=number)
        seen = [x["sig"] for x in run.seen("signal", settle=0.05)]
        laz.check_equal(sorted(seen), sorted(wanted), "signals")


@both("TSTP, TTIN and TTOU are forwarded and init itself does not stop")
def job_control(mode):
    laz.check_equal(scenarios.forwards_job_control(INIT, mode), "all", "job control signals")


@laz.case("control: the same test catches catatonit, which swallows TSTP")
def job_control_control():
    swallowed = scenarios.forwards_job_control(adapters.control("catatonit"), "pid1")
    laz.check(swallowed != "all", "catatonit no longer swallows TSTP: the control shows nothing")


@both("a queued payload arrives with its code, its value and its user")
def payload(mode):
    for number in (40, int(USR1)):
        with INIT.start([f"until={number}"], mode) as run:
            run.expect("listening")
            run.queue(number, 0x7766554433221100, uid=4242)
            seen = run.expect("signal", sig=number)
            payload = (seen["code"], seen["value"], seen["uid"])
            laz.check_equal(payload, (-1, 0x7766554433221100, 4242), f"signal {number}: code, value, user")


@both("queued real-time signals all arrive, in order, none merged")
def queue_count(mode):
    count = 1000 if laz.LONG else 200
    with INIT.start(["for=60000"], mode) as run:
        run.expect("listening")
        for i in range(count):
            run.queue(40, i)
        end = time.monotonic() + fence.PATIENCE
        while len([x for x in run.lines if x["ev"] == "signal"]) < count and time.monotonic() < end:
            run.pump(0.1)
        laz.check_equal([x["value"] for x in run.seen("signal", sig=40)], list(range(count)), "values")


@laz.case("control: the same test catches tini, which loses payloads")
def queue_count_control():
    laz.check_equal(scenarios.keeps_payload(adapters.control("tini"), "pid1"), "lost", "tini and a payload")


@both("when the workload's queue of pending signals is full, init goes on")
def queue_full(mode):
    """RLIMIT_SIGPENDING counts per user; the workload does not take its signals."""
    with INIT.start(["block=all", "say=deaf", "sleep=600", "exit=7"], mode, conditions=["limit=11=20"]) as run:
        run.expect("say")
        for i in range(60):
            try:
                run.queue(40, i)
            except OSError:
                pass
        laz.check_equal(str(run.wait()), "exit 7", "after a full queue")


def starting(mode, policy=None):
    """A run whose workload's exec takes 0.6 s longer; returned as soon as init listens.

    strace counts per process, so the delay comes before init's own exec too, and before a setup child's.
    """
    run = INIT.start(["say=started", "pause"], mode, conditions=["hold"], policy=policy)
    run.trace("-e", "trace=kill,tgkill,rt_sigqueueinfo,pidfd_send_signal,execve",
              "-e", "inject=execve:delay_enter=600000:when=1")
    run.wait_exec()
    run.wait_armed()
    return run


@both("signals that come before the workload runs are held and then delivered in order of arrival")
def held(mode):
    """Init is traced to see what it sends; the workload, all at default, dies of the first that can end it."""
    if not INIT.enforces:
        laz.skip("a peer has no phase in which it holds")
    with starting(mode) as run:
        for number in (WINCH, HUP, USR1, 50, 49):
            run.kill(number)
            end = time.monotonic() + 5
            while int(run.status()["ShdPnd"], 16) >> (number - 1) & 1 and time.monotonic() < end:
                time.sleep(0.001)  # two that wait at once are handed over by number
        laz.check_equal(str(run.wait()), f"exit {128 + HUP}", "WINCH is harmless, HUP is first of the rest")
        sent = [line for line in run.traced() if int(line.split()[0]) == run.pid and "execve" not in line]
        order = [name for line in sent for name in ("SIGWINCH", "SIGHUP", "SIGUSR1", "SIGRT_18", "SIGRT_17")
                 if name in line]
        laz.check_equal(order[:5], ["SIGWINCH", "SIGHUP", "SIGUSR1", "SIGRT_18", "SIGRT_17"], "order")


@both("a stop signal before the workload runs means that it never does")
def stop_before_start(mode):
    only_lazaret("promises it")
    with starting(mode) as run:
        run.kill(TERM)
        laz.check_equal(str(run.wait()), "exit 143", "stop while starting")
        laz.check_equal(run.seen("say", settle=0.05), [], "the workload's words")


@both("more signals than can be held before the start are counted, not lost without a word")
def held_overflow(mode):
    only_lazaret("holds signals")
    with starting(mode) as run:
        for i in range(100):
            run.queue(28, i)
            run.kill(34 + i % 30)
        run.wait()
        laz.check(run.ended.code > 128, f"status {run.ended}")
        laz.check([e for e in adapters.events(run) if "overflow" in e["act"]], "no record of the overflow")


@both("the second stop signal is forwarded too, the third ends the grace")
def repeated_stop(mode):
    policy = {"shutdown": {"grace": "25s", "drain": "200ms", "stop-timeout": "30s"}}
    with INIT.start(["for=60000"], mode, policy=policy) as run:
        run.expect("listening")
        for _ in range(2):
            run.kill(TERM)
            run.expect("signal", sig=15)
        if not INIT.enforces:
            laz.skip("no peer has a third step")
        run.kill(TERM)
        ended = run.wait(15)
        laz.check_equal(str(ended), "exit 137", "third TERM")


@both("a deaf workload is killed when the grace is over")
def grace(mode):
    policy = {"shutdown": {"grace": "300ms", "drain": "100ms", "stop-timeout": "30s"}}  # 30 s are what it has without
    with INIT.start([f"ignore={mask(TERM)}", "say=up", "pause"], mode, policy=policy) as run:
        run.expect("say")
        sent = time.monotonic_ns()
        run.kill(TERM)
        laz.check(run.has_ended(fence.PATIENCE), "a deaf workload still runs after the stop")
        laz.check_equal(str(run.ended), "exit 137", "forced stop")
        took = (run.ended.t - sent) / 1e9
        laz.check(0.25 <= took < 5.0, f"a grace of 0.3 s took {took:.2f} s")


@laz.case("control: under tini a deaf workload lives on")
def grace_control():
    word = scenarios.deaf_workload(adapters.control("tini"), "pid1")
    laz.check_equal(word, "lives on", "tini with a deaf workload")


@both("stop signals from inside are an event, not a stop, and are not forwarded")
def stop_from_inside(mode):
    only_lazaret("tells senders apart")
    for number in STOP_SIGNALS:
        with INIT.start(["until=10"], mode) as run:
            run.expect("listening")
            target = 1 if mode == "pid1" else int(run.status()["NSpid"].split()[-1])
            run.inject([f"kill={target},{int(number)}"])
            run.seen("signal", settle=0.2)
            laz.check(run.ended is None, f"signal {number} from inside ended it: {run.ended}")
            laz.check_equal(run.seen("signal", sig=int(number)), [], "what the workload got")
            run.kill(USR1)
            laz.check_equal(str(run.wait()), "exit 0", "after a later harmless signal")
            refused = [e for e in adapters.events(run) if e["ev"] not in ("init.start", "init.stop", "proc.exit")]
            laz.check(any(e["obj"] == f"signal {int(number)}" for e in refused), f"no event: {refused}")


@both("the workload cannot stop its own init")
def stop_from_workload(mode):
    only_lazaret("tells senders apart")
    laz.check_equal(scenarios.signal_from_workload(INIT, mode), "not a stop", "TERM from the workload")


@both("a workload of init's own user can send it nothing where Landlock isolates signals; otherwise it can, and it is no stop")
def isolated(mode):
    only_lazaret("isolates")
    if LIBC.syscall(LANDLOCK_CREATE_RULESET, None, 0, 1) < 6:
        laz.skip("Landlock does not isolate signals here")
    isolating = {"requires": {"landlock": {"level": "required", "min-abi": 6}}, "filesystem": {"write-exec": ["/"]}}
    for policy, errno, refused in (({}, 0, 1), (isolating, 1, 0)):  # isolate: [signals] is of builtin/web-api
        words = [f"kill=parent,{int(TERM)}", "for=150", "exit=7"]
        with INIT.start(words, mode, policy=policy, conditions=[f"uid={adapters.WORKLOAD_UID}"]) as run:
            laz.check_equal(run.expect("sent")["errno"], errno, f"{policy}: the answer to kill")
            laz.check_equal(str(run.wait()), "exit 7", f"{policy}: status")
            said = [e["act"] for e in adapters.events(run, "stop.request")]
            laz.check_equal(said, ["refused"] * refused, f"{policy}: records")


@both("a stop counts by tgkill as by kill")
def stop_by_thread(mode):
    with INIT.start(["until=15", "exit=7"], mode) as run:
        run.expect("listening")
        run.kill_thread(TERM)
        laz.check_equal(str(run.wait()), "exit 7", "TERM by tgkill")


@both("a queued stop signal is no stop, whoever it says it is from")
def stop_queued(mode):
    """Under a negative code the kernel takes any sender's word for its pid, also that it is 0: somebody outside."""
    only_lazaret("tells senders apart")
    with INIT.start(["until=10"], mode) as run:
        run.expect("listening")
        for i, sender in enumerate((0, 1, None)):
            run.queue(TERM, 0, sender=sender)
            end = time.monotonic() + fence.PATIENCE
            while len(adapters.events(run, "stop.request")) <= i and time.monotonic() < end:
                time.sleep(0.005)
            said = [e["act"] for e in adapters.events(run, "stop.request")]
            laz.check_equal(said, ["refused"] * (i + 1), f"records, the last one's sender {sender}")
        run.kill(USR1)
        laz.check_equal(str(run.wait()), "exit 0", "after a later harmless signal")
        laz.check_equal(run.seen("signal", sig=int(TERM)), [], "what the workload got")


@both("a SIGCHLD that somebody sends is forwarded, one of a child is not")
def sent_child_signal(mode):
    with INIT.start(["stray=double:0", f"until={mask(CHLD)}", "exit=7"], mode) as run:
        run.expect("stray")
        run.expect("listening")
        run.seen("signal", settle=0.1)
        laz.check_equal(run.seen("signal", sig=int(CHLD)), [], "of a child")
        run.kill(CHLD)
        laz.check_equal(str(run.wait()), "exit 7", "SIGCHLD by kill")


@laz.case("a stop signal from the parent counts where init is not PID 1")
def stop_from_parent():
    only_lazaret("tells senders apart")
    with INIT.start(["until=15", "exit=7"], "nested") as run:
        run.expect("listening")
        run.parent_kill(TERM)
        laz.check_equal(str(run.wait()), "exit 7", "TERM from the parent")


@both("other signals from inside are forwarded")
def other_from_inside(mode):
    with INIT.start([f"until={mask(USR2)}"], mode) as run:
        run.expect("listening")
        target = 1 if mode == "pid1" else int(run.status()["NSpid"].split()[-1])
        run.inject([f"kill={target},{int(USR2)}"])
        run.expect("signal", sig=12)


@both("signals.stop replaces the default set")
def stop_set(mode):
    only_lazaret("has a policy")
    policy = {"signals": {"stop": ["QUIT"]}, "shutdown": {"grace": "200ms", "drain": "100ms"}}
    with INIT.start(["for=60000"], mode, policy=policy) as run:
        run.expect("listening")
        run.kill(INT)
        run.expect("signal", sig=int(INT))
        laz.check(not run.has_ended(0.5), "INT stopped it")
        run.kill(QUIT)
        laz.check_equal(str(run.wait()), "exit 137", "QUIT, unheeded")


@both("signals are mapped and dropped as the policy says")
def mapped(mode):
    only_lazaret("has a policy")
    policy = {"signals": {"map": {"TERM": "QUIT", "USR1": "RTMIN+6"}, "drop": ["HUP"]}}
    with INIT.start([f"until={mask(QUIT)}"], mode, policy=policy) as run:
        run.expect("listening")
        run.kill(HUP)
        run.kill(USR1)
        run.expect("signal", sig=40)  # else the lower number could be taken first
        run.kill(TERM)
        run.expect("signal", sig=int(QUIT))
        laz.check_equal(sorted(x["sig"] for x in run.seen("signal")), [int(QUIT), 40], "what arrived")


@both("a guarded signal is delivered only to a workload that handles it")
def guarded(mode):
    only_lazaret("has a policy")
    policy = {"signals": {"guard": ["HUP", "USR1"]}}
    with INIT.start([f"handle={mask(USR1)}", "say=up", "sleep=500", "exit=7"], mode, policy=policy) as run:
        run.expect("say")
        run.kill(HUP)
        run.kill(USR1)
        run.expect("signal", sig=int(USR1))
        laz.check_equal(str(run.wait()), "exit 7", "HUP without a handler")


@both("signals.group reaches the workload's group, the default only its main process")
def grouped(mode):
    only_lazaret("has a policy")
    for policy, expected in (({}, 1), ({"signals": {"group": ["USR1"]}}, 2)):
        with INIT.start(["stray=group:0", "for=60000", "exit=7"], mode, policy=policy) as run:
            run.expect("stray")
            run.expect("listening")
            run.kill(USR1)
            run.expect("signal", sig=int(USR1), name="app")
            laz.check_equal(len(run.seen("signal", settle=0.15, sig=int(USR1))), expected, f"under {policy}")


@both("a fault signal that is sent to init is forwarded, not suffered")
def faults(mode):
    laz.check_equal(scenarios.forwards_standard(INIT, mode), "all", "standard signals")


@both("a signal that init may not deliver does not end it")
def not_permitted(mode):
    laz.check_equal(scenarios.forward_not_permitted(INIT, mode), "survives", "EPERM")


@laz.case("control: the same test catches tini, which ends on EPERM")
def not_permitted_control():
    word = scenarios.forward_not_permitted(adapters.control("tini"), "pid1")
    laz.check(word.startswith("ends"), f"tini {word}: the control shows nothing")


@both("a signal that cannot be delivered after the grace is reported, and init leaves")
def not_permitted_stop(mode):
    only_lazaret("has a grace")
    policy = {"shutdown": {"grace": "200ms", "drain": "100ms"}}
    with INIT.start(["for=60000"], mode, policy=policy, conditions=[f"drop-caps={1 << 5}"]) as run:
        run.expect("listening")
        run.kill(TERM)
        laz.check(run.has_ended(fence.PATIENCE), "init waits for ever for a workload that it cannot kill")


@both("stopping and continuing init from outside loses nothing")
def init_stopped(mode):
    with INIT.start(["for=60000"], mode) as run:
        run.expect("listening")
        run.kill(fence.STOP)
        for number in (HUP, USR1, 41):
            run.kill(number)
        run.kill(CONT)
        for number in (HUP, USR1, 41):
            run.expect("signal", sig=int(number))


@both("init ends the way PID 1 ends: SIGKILL from outside")
def killed(mode):
    with INIT.start(["say=up", "pause"], mode) as run:
        run.expect("say")
        run.kill(KILL)
        laz.check_equal(str(run.wait()), "signal 9", "SIGKILL")


if __name__ == "__main__":
    laz.main()
