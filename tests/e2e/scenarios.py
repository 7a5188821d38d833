# SPDX-License-Identifier: Apache-2.0
"""What an init does in a situation, as one short verdict, the same question for every init.

A scenario takes an adapter and a mode and returns a string; it judges nothing. peers_test.py compares the
verdicts of several inits, and the pid1_* suites use some of them with their negative controls.
"""
import json
import os
import select
import time

import adapters
import fence
import laz
from fence import CHLD, CONT, HUP, KILL, TERM, USR1, mask

SEED = 20240229  # of the random moments in race()


def patience(init):
    """Seconds without an end that count as a hang. Every init here needs milliseconds; who is judged by it and does
    not hang may be slow on a busy machine, and of a peer that does hang the table wants to know it soon."""
    return 20.0 if init.enforces else 2.0


def exit_word(init, run, within=None):
    """'exit N', 'signal N' or 'hangs'."""
    return str(run.wait()) if run.has_ended(within or patience(init)) else "hangs"


def numbers(found):
    """A compact list: 34-64, or none."""
    found = sorted(found)
    pieces = []
    while found:
        last = 0
        while last + 1 < len(found) and found[last + 1] == found[last] + 1:
            last += 1
        pieces.append(f"{found[0]}" if last == 0 else f"{found[0]}-{found[last]}")
        found = found[last + 1:]
    return " ".join(pieces) or "none"


def exit_codes(init, mode):
    wrong = []
    for code in (0, 1, 7, 126, 127, 128, 137, 255):
        with init.start([f"exit={code}"], mode) as run:
            if exit_word(init, run) != f"exit {code}":
                wrong.append(code)
    return f"wrong for {numbers(wrong)}" if wrong else "kept"


def death_by_signal(init, mode):
    wrong = []
    for number in (HUP, 4, 6, KILL, 11, TERM, 31, 34, 64):
        with init.start([f"die={int(number)}"], mode) as run:
            if exit_word(init, run) != f"exit {128 + number}":
                wrong.append(number)
    return f"wrong for {numbers(wrong)}" if wrong else "128+n"


def exec_failures(init, mode):
    plain = fence.scratch() / "plain"
    plain.write_text("no program\n")
    plain.chmod(0o755)
    closed = fence.scratch() / "closed"
    closed.write_text("#!/bin/true\n")
    closed.chmod(0o644)
    codes = []
    for path in ("/no/such/program", str(closed), str(plain)):
        with init.start(app=[path], mode=mode) as run:
            codes.append(exit_word(init, run).removeprefix("exit "))
    return "/".join(codes)


def forwarded_set(init, mode, wanted):
    """Which of wanted reach the workload when sent to init from outside, each alone."""
    arrived = set()
    with init.start(["for=60000"], mode) as run:
        run.expect("listening")
        for number in wanted:
            run.kill(number)
        end = time.monotonic() + (10 if init.enforces else 0.6)
        while arrived < set(wanted) and time.monotonic() < end:
            run.pump(0.05)
            arrived = {x["sig"] for x in run.lines if x["ev"] == "signal"} & set(wanted)
    return arrived


def forwards_standard(init, mode):
    """The harmless ones together, then one run for each that could stop or end the init itself."""
    grave = [4, 5, 6, 7, 8, 11, 31]
    wanted = {n for n in fence.FORWARDABLE if n < 32 and n not in (20, 21, 22)}
    arrived = forwarded_set(init, mode, sorted(wanted - set(grave)))
    for number in grave:
        arrived |= forwarded_set(init, mode, [number])
    missing = wanted - arrived
    return f"all but {numbers(missing)}" if missing else "all"


def forwards_job_control(init, mode):
    """One run each: a stopped group would hide what follows."""
    missing = {n for n in (20, 21, 22) if not forwarded_set(init, mode, [n])}
    return f"all but {numbers(missing)}" if missing else "all"


def forwards_real_time(init, mode):
    wanted = list(range(34, 65))
    missing = set(wanted) - forwarded_set(init, mode, wanted)
    return f"all but {numbers(missing)}" if missing else "all"


def keeps_payload(init, mode):
    with init.start(["until=40"], mode) as run:
        run.expect("listening")
        run.queue(40, 4711)
        seen = run.expect("signal", sig=40)
        return "kept" if seen["value"] == 4711 and seen["code"] == -1 else "lost"


def keeps_queue_count(init, mode):
    with init.start(["for=5000"], mode) as run:
        run.expect("listening")
        for i in range(50):
            run.queue(41, i)
        end = time.monotonic() + 3
        while len(run.seen("signal", sig=41)) < 50 and time.monotonic() < end:
            run.pump(0.05)
        count = len(run.seen("signal", sig=41))
        return "50 of 50" if count == 50 else f"{count} of 50"


def child_signal_ignored(init, mode):
    with init.start(["sleep=20", "exit=7"], mode, conditions=[f"ignore={mask(CHLD)}"]) as run:
        return exit_word(init, run)


def child_signal_blocked(init, mode):
    with init.start(["sleep=20", "exit=7"], mode, conditions=[f"block={mask(CHLD)}"]) as run:
        return exit_word(init, run)


def everything_blocked(init, mode):
    with init.start(["until=15", "exit=7"], mode, conditions=["block=all"]) as run:
        run.expect("listening")
        run.kill(TERM)
        return exit_word(init, run)


def inherited_children(init, mode):
    conditions = ["children-exited=2", "children-living=1"]
    with init.start(["sleep=50", "exit=7"], mode, conditions=conditions) as run:
        return exit_word(init, run)


def workload_mask(init, mode):
    """What the workload starts with when init was given a mask and ignored signals."""
    conditions = [f"block={mask(10, 20)}", f"ignore={mask(13, 30)}"]
    with init.start(["state", "exit=0"], mode, conditions=conditions) as run:
        state = run.expect("state")
        blocked = numbers(bits(state["blocked"]))
        ignored = numbers(bits(state["ignored"]))
    if blocked == "none" and ignored == "none":
        return "all reset"
    if (blocked, ignored) == ("10 20", "13 30"):
        return "inherited"
    return f"blocked {blocked}, ignored {ignored}"


def clean_mask_stays_clean(init, mode):
    with init.start(["state", "exit=0"], mode) as run:
        state = run.expect("state")
        blocked = bits(state["blocked"]) | bits(state["ignored"])
        return f"blocked {numbers(blocked)}" if blocked else "clean"


def bits(text):
    value = int(text, 16)
    return {n for n in range(1, 65) if value >> (n - 1) & 1}


def own_process_group(init, mode):
    with init.start(["state", "exit=0"], mode) as run:
        state = run.expect("state")
        if state["sid"] == state["pid"]:
            return "session"
        return "group" if state["pgid"] == state["pid"] else "none"


def deaf_workload(init, mode):
    """TERM is ignored by the workload: does anything follow?"""
    policy = {"shutdown": {"grace": "300ms", "drain": "100ms"}}
    with init.start([f"ignore={mask(TERM)}", "say=up", "pause"], mode, policy=policy) as run:
        run.expect("say")
        run.kill(TERM)
        return "killed after the grace time" if run.has_ended(patience(init)) else "lives on"


def repeated_stop(init, mode):
    with init.start([f"until={mask(USR1)}"], mode) as run:
        run.expect("listening")
        run.kill(TERM)
        run.expect("signal", sig=15)
        run.kill(TERM)
        end = time.monotonic() + 2
        while len(run.seen("signal", sig=15)) < 2 and time.monotonic() < end:
            run.pump(0.05)
        return "forwarded" if len(run.seen("signal", sig=15)) == 2 else "swallowed"


def stray_verdict(init, mode, kind, manner, milliseconds=400):
    """The workload exits 5 while a stray of this kind lives."""
    words = [f"stray={kind}:{manner}", "sleep=60", "exit=5"]
    with init.start(words, mode, policy={"shutdown": {"drain": f"{milliseconds}ms"}}) as run:
        run.expect("stray")
        ended = run.has_ended(patience(init) + milliseconds / 1000)
        left = run.seen("left", settle=0.15)
        heard = {x["sig"] for x in run.seen("signal") if x["name"] == f"stray-{kind}"}
        if left:
            word = "TERM, and time to leave"
        elif run.leftovers():
            word = "left alive"
        else:
            # Whether a TERM with SIGKILL at its heels is still heard is chance.
            word = "TERM, then SIGKILL" if manner == "deaf" and TERM in heard else "killed at once"
        end = str(run.ended) if ended else "init hangs"
        return word if end == "exit 5" else f"{word}; {end}"


def strays_in_new_group(init, mode):
    return stray_verdict(init, mode, "newgroup", "50")


def strays_in_group(init, mode):
    return stray_verdict(init, mode, "group", "50")


def strays_in_session(init, mode):
    return stray_verdict(init, mode, "double", "50")


def strays_stopped(init, mode):
    return stray_verdict(init, mode, "stopped", "50")


def strays_deaf(init, mode):
    return stray_verdict(init, mode, "session", "deaf")


def quick_exit(init, mode):
    """How long an init lingers when nothing is left to wait for: the quickest of some, for a sleep is in each of them."""
    times = []
    for _ in range(5):
        with init.start(["exit=0"], mode) as run:
            began = run.wait_exec()
            times.append((run.wait().t - began) / 1e6)
    return "at once" if min(times) < 60 else f"after {min(times):.0f} ms"


def forward_not_permitted(init, mode):
    """Init may not signal the workload (other uid, no CAP_KILL): it must survive that."""
    words = ["setuid=12345", "say=up", "for=400", "exit=7"]
    with init.start(words, mode, conditions=[f"drop-caps={1 << 5}"]) as run:
        run.expect("say")
        run.expect("listening")
        run.kill(USR1)
        word = exit_word(init, run)
    return "survives" if word == "exit 7" else f"ends the workload, {word}"


def extra_descriptors(init, mode):
    conditions = ["extra-fd=5", "extra-fd=100"]
    with init.start(["state", "exit=0"], mode, conditions=conditions) as run:
        fds = run.expect("state")["fds"]
    leaked = [fd for fd in fds if fd > 2 and fd < 700 and fd != 10]
    return f"leaks {numbers(leaked)}" if leaked else "closed"


def init_holds_descriptors(init, mode):
    """A pipe that the workload closed must report its end while init lives."""
    reader, writer = os.pipe()
    with init.start(["close=1", "say=closed", "until=15"], mode, stdout=writer) as run:
        os.close(writer)
        run.expect("listening")
        held = not select.select([reader], [], [], 2)[0] or os.read(reader, 1) != b""
        os.close(reader)
    return "held open" if held else "end seen"


def init_keeps_directory(init, mode):
    start = fence.scratch() / "start-directory"
    start.mkdir(exist_ok=True)
    with init.start(["until=15"], mode, conditions=[f"cwd={start}"]) as run:
        run.expect("listening")
        here = os.readlink(f"/proc/{run.pid}/cwd")
        return "leaves it" if here == "/" else "stays in it"


def simple_condition(init, mode, conditions, policy=None):
    """Start, hear one TERM, exit 7: 'works', or how it ended."""
    with init.start(["until=15", "exit=7"], mode, conditions=conditions, policy=policy) as run:
        try:
            run.expect("listening", timeout=patience(init))
        except laz.Failed:
            return f"does not start, {exit_word(init, run, 0.1)}"
        run.kill(TERM)
        word = exit_word(init, run)
        return "works" if word == "exit 7" else word


def no_proc(init, mode):
    return simple_condition(init, mode, ["no-proc"])


def three_descriptors(init, mode):
    return simple_condition(init, mode, ["limit=7=3"])


def sixteen_descriptors(init, mode):
    return simple_condition(init, mode, ["limit=7=16"])


def read_only_root(init, mode):
    return simple_condition(init, mode, ["read-only"])


def no_signalfd(init, mode):
    return simple_condition(init, mode, [f"refuse={fence.system_calls()['signalfd4']}"])


def closed_standard_descriptors(init, mode):
    return simple_condition(init, mode, ["closed=7"])


def options_of_the_workload(init, mode):
    """`INIT /bin/sh -c 'exit 3'` without "--" between."""
    with init.start(app=["/bin/sh", "-c", "exit 3"], mode=mode, separator=False) as run:
        word = exit_word(init, run)
    return "works" if word == "exit 3" else word


def orphans_when_not_first(init, mode):
    """Do orphans become this init's children?"""
    with init.start(["orphans=3", "stray=double:0", f"until={mask(USR1)}"], mode) as run:
        run.expect("stray")
        run.expect("listening")
        zombies, adopted, end = [], False, time.monotonic() + 2
        while (zombies or not adopted) and time.monotonic() < end:
            run.pump(0.05)
            zombies = [p for p in run.inhabitants() if fence.state(p) == "Z"]
            adopted = len(run.children()) == 2
        return ("adopted" if adopted else "left to others") + (f", {len(zombies)} zombies" if zombies else "")


def stopped_workload(init, mode):
    """A stopped and continued workload has not ended."""
    with init.start(["stop", "exit=7"], mode) as run:
        end = time.monotonic() + fence.PATIENCE
        child = None
        while child is None and time.monotonic() < end:
            child = next((p for p in run.children() if fence.state(p) == "T"), None)
        laz.check(child is not None or run.ended, "the workload never stopped")
        early = run.has_ended(0.15)
        if early:
            return f"taken for an end, {run.ended}"
        run.kill(CONT, child)
        return "waited for" if exit_word(init, run) == "exit 7" else "wrong"


def signal_from_workload(init, mode):
    """The workload sends TERM to its own init."""
    with init.start([f"block={mask(TERM)}", f"kill=parent,{int(TERM)}", "for=150", "exit=7"], mode) as run:
        word = exit_word(init, run)
        heard = run.seen("signal", sig=15)
        return ("sent back" if heard else "not a stop") + ("" if word == "exit 7" else f", {word}")


def storm_status(init, mode):
    """The main process exits in the tick in which 5,000 zombies arrive."""
    with init.start(["zombies=5000", "exit=42"], mode) as run:
        return exit_word(init, run, 60)


def storm_overtaken(init, mode):
    """A signal that waits behind zombies: init is stopped until both are there, so the order is certain."""
    with init.start(["storm=5000", "until=40"], mode) as run:
        run.expect("listening")
        run.kill(fence.STOP)
        run.expect("handover", timeout=30)
        end = time.monotonic() + fence.PATIENCE
        while len(run.leftovers()) > 1 and time.monotonic() < end:
            time.sleep(0.02)
        run.kill(40)
        run.kill(CONT)
        return "signal first" if run.expect("signal", sig=40)["storm_left"] else "zombies first"


def idle_wakeups(init, mode, seconds=2.2):
    with init.start(["until=15"], mode) as run:
        run.expect("listening")
        before, end = None, time.monotonic() + 10
        while before != switches(run) and time.monotonic() < end:  # what is left of its start
            before = switches(run)
            time.sleep(0.2)
        time.sleep(seconds)
        return (switches(run) - before) / seconds


def switches(run):
    status = run.status()
    return int(status["voluntary_ctxt_switches"]) + int(status["nonvoluntary_ctxt_switches"])


def pries(init, mode):
    """What a process of init's own uid, as which the container was started, can read of init."""
    uid = adapters.WORKLOAD_UID
    with init.start(["until=15"], mode, conditions=[f"uid={uid}"]) as run:
        run.expect("listening")
        target = 1 if mode == "pid1" else int(run.status()["NSpid"].split()[-1])
        got = run.inject([f"pry={target}"], uid=uid)[-1]["got"]
        readable = [name for name, errno in got.items() if errno == 0]
        return "nothing" if not readable else ", ".join(sorted(readable))


def term_after_armed(init, mode):
    """60 TERMs at random moments within 200 microseconds after init listens, or as many as it takes to lose one."""
    for turn in range(6):
        seen = race(init, "armed", 10, 200, mode, "pinned", SEED + turn)
        if seen["lost"] + seen["hung"] > 0:
            return "some lost"
    return "none lost"


def race(init, kind, count, microseconds, mode, pinning, seed=SEED):
    """probe/race.c: the init, many times; counts of stopped, died, lost, hung and other, or times."""
    folder = fence.scratch() / f"race-{time.monotonic_ns()}"
    folder.mkdir()
    command = init.command([fence.tool("race"), "app"], folder)
    argv = [fence.tool("race"), kind, str(count), str(microseconds), mode, pinning, str(seed), "--", *command]
    reader, writer = os.pipe()
    with fence.Run(argv, "nested", stdout=writer) as run:
        os.close(writer)
        laz.check_equal(str(run.wait(60 + count / 10)), "exit 0", f"race ({run.stderr()[-300:]!r})")
    with os.fdopen(reader) as text:
        return json.load(text)


def term_while_starting(init, mode):
    """TERM while the exec of the workload is held up: does it start all the same?"""
    with init.start(["say=started", "sleep=300", "exit=7"], mode, conditions=["hold"]) as run:
        run.trace("-e", "trace=execve", "-e", "inject=execve:delay_enter=250000:when=1")
        run.wait_exec()
        time.sleep(0.15)
        run.kill(TERM)
        run.wait()
        return "starts" if run.seen("say", settle=0.05) else "never starts"


def foreground(init, mode):
    with init.start(["state", "until=2", "exit=7"], mode, conditions=["tty"]) as run:
        state = run.expect("state")
        run.expect("listening")
        os.write(run.terminal, b"\x03")
        run.expect("signal", sig=2)
        word = "" if state["tty_group"] == state["pgid"] else "in the background, "
        return word + f"^C {len(run.seen('signal', settle=0.1, sig=2))} time"


def background(init, mode):
    with init.start(["state", "exit=0"], mode, conditions=["tty-background"]) as run:
        state = run.expect("state")
        return "left alone" if state["tty_group"] != state["pgid"] else "taken"


def secrets_in_init(init, mode):
    env = {**fence.ENVIRONMENT, "PASSWORD": "laz-marker-55aa"}
    with init.start(["until=15"], mode, env=env) as run:
        run.expect("listening")
        with open(f"/proc/{run.pid}/environ", "rb") as text:
            return "kept" if b"laz-marker" in text.read() else "gone"


def environment_kept(init, mode):
    """Whether a variable that nobody declared reaches the workload."""
    with init.start(["state", "exit=0"], mode, env={**fence.ENVIRONMENT, "SOMETHING": "1"}) as run:
        return "all passed on" if "SOMETHING=1" in run.expect("state")["env"] else "declared ones only"


def wakes_up(init, mode):
    return "never" if idle_wakeups(init, mode) == 0 else "yes"


def killed_workload(init, mode):
    """SIGKILL of the workload from outside."""
    with init.start(["say=up", "pause"], mode) as run:
        run.expect("say")
        os.kill(run.children()[0], KILL)
        return exit_word(init, run)
