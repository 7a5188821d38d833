# SPDX-License-Identifier: Apache-2.0
"""Runs lazaret-init under the injector inside a fence, and judges what came of it.

One run: the fence holds the init before its exec, the injector attaches, the init goes; the workload says
how it is confined and ends as its words say. judge() knows the two right outcomes, a confined workload and
a refusal by name, and nothing else. Must never start an init but by fence.Run, and never wait without an end.
"""
import collections
import contextlib
import fcntl
import functools
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import threading
import time

import adapters
import fence
import laz

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = ["../probe/wire.c"]
TIMEOUT = 15.0
HELD_S = 0.004  # longer than all that the others have to do meanwhile
STALLED_S = 11  # longer than a start may take
WORKLOAD_CODE = 42
STARTING = threading.Lock()  # fence.Run numbers its folders without one

# A degradation by its name, and what it may change of the workload's report or of PID 1.
EXPLAINS = {
    "landlock-absent": {"root", "file", "port"},
    "landlock-no-network": {"port"},
    "bounding-set-kept": {"cap_bnd"},
    "securebits-unset": {"securebits"},
    "groups-inherited": {"groups"},
    "write-xor-execute-absent": {"mdwe"},
    "own-filter-absent": {"pid1.CapPrm", "pid1.CapEff", "pid1.NoNewPrivs", "pid1.Seccomp"},
    "core-filter-kept": {"core_filter", "pid1.core_filter"},
    "dumpable-kept": {"pid1.owner"},
    "limits-lower": {"limits"},
    "events-absent": {"pid1.fds"},
    "signalfd-absent": {"pid1.fds"},
    "streams-held": {"pid1.fds"},
    "children-unreadable": {"pid1.fds"},
}
# What `requires:` can name.
REQUIRABLE = {"events-absent", "exec-budget-unenforced", "landlock-absent", "bounding-set-kept", "shared-user",
              "write-xor-execute-absent"}

# action: fail (detail: an errno), repeat (the same, at each second use from then on), hold (enter|exit; TERM is
# sent meanwhile), delay (the same, without a signal), stall (the same, for longer than a start may take), orphan
# (init is killed meanwhile), murder (init's only child is), power (SIGPWR is sent)
Plan = collections.namedtuple("Plan", "action role call k detail")
Scenario = collections.namedtuple("Scenario", "name mode conditions policy source words")


@functools.cache
def tool(name):
    """injector or confined, built if need be."""
    out = fence.build_folder()
    with open(out / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return str(fence.compile_program(name, [f"{name}.c", *SOURCES], HERE, out))


@functools.cache
def numbers():
    """Name of a system call -> its number, from the compiler's headers."""
    text = subprocess.run(["gcc", "-dM", "-E", "-"], input="#include <sys/syscall.h>\n", capture_output=True,
                          text=True, check=True).stdout
    return {m[1]: int(m[2]) for m in re.finditer(r"^#define __NR_(\w+) (\d+)$", text, re.M)}


@functools.cache
def names():
    return {number: name for name, number in numbers().items()}


@functools.cache
def codes():
    """Name of each error in the catalogue -> lazaret-init's exit code."""
    text = (laz.ROOT / "lib" / "core" / "err.def").read_text()
    found = {m[1]: int(m[2]) for m in re.finditer(r'^LAZ_ERROR\(\w+, "([a-z0-9-]+)", (\d+),', text, re.M)}
    laz.check(len(found) > 20, f"err.def is not what it was: {found}")
    return found


@functools.cache
def forbidden():
    """A file that anybody may read and no policy of these tests names."""
    path = fence.scratch() / "forbidden"
    path.write_text("not for the workload\n")
    path.chmod(0o644)
    return str(path)


class Outcome:
    """What one run showed."""

    def __init__(self):
        self.report = self.pid1 = self.ended = None
        self.hit = self.execd = self.execd_before_hold = self.held = self.decided_before_hold = False
        self.calls, self.totals, self.events, self.left = [], {}, [], []
        self.stderr = self.described = ""

    def named(self):
        """(name, exit code it stands for) of the refusal, from stderr or else from the record."""
        match = re.search(r"^lazaret-init: error: ([a-z0-9-]+): ", self.stderr, re.M)
        name = match[1] if match else None
        for event in self.events:
            if event["ev"] == "init.stop" and event["act"] == "refused":
                name = name or event["obj"]
        return name, codes().get(name)

    def start(self):
        return next((e for e in self.events if e["ev"] == "init.start"), None)

    def degraded(self):
        start = self.start()
        return set(start["d"]["degraded"]) if start else set()

    def has(self, name):
        return any(e["ev"] == name for e in self.events)


def command(scenario, folder):
    policy = adapters.Lazaret.policy(scenario.policy)
    image = adapters.Lazaret.image(policy)
    image = image.removesuffix(".img") + ".yaml" if scenario.source else image
    return [str(laz.BIN / "lazaret-init"), "--policy", image, "--events", str(folder / "events"), "--",
            tool("confined"), forbidden(), *scenario.words]


def pid1_state(run):
    """What the kernel shows of the init itself, as root outside sees it; None if it changes meanwhile."""
    try:
        status = run.status()
        fds = sorted(pathlib.PurePath(os.readlink(f"/proc/{run.pid}/fd/{fd}").split(":")[0]).name
                     for fd in os.listdir(f"/proc/{run.pid}/fd"))
        with open(f"/proc/{run.pid}/coredump_filter") as core:
            core_filter = core.read().strip()
        owner = os.stat(f"/proc/{run.pid}/mem").st_uid
    except OSError:
        return None
    keys = ("CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs", "Seccomp", "SigBlk", "SigIgn", "SigCgt")
    return {**{k: status[k] for k in keys}, "core_filter": core_filter, "owner": owner, "fds": fds}


class Attached:
    """The injector on one init."""

    def __init__(self, run, scenario, plan, record):
        words = []
        if plan is not None:
            words = [plan.action if plan.action in ("fail", "repeat") else "hold", plan.role, str(numbers()[plan.call]), str(plan.k),
                     str(plan.detail)]
        self.process = subprocess.Popen(
            [tool("injector"), str(run.pid), "setup" if scenario.source else "no-setup",
             "record" if record else "quiet", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.plan, self.lines, self.partial, self.open = plan, [], b"", True
        os.set_blocking(self.process.stdout.fileno(), False)

    def read(self):
        piece = self.process.stdout.read()
        if piece == b"":
            self.open = False
        if piece:
            *whole, self.partial = (self.partial + piece).split(b"\n")
            self.lines += [w.decode() for w in whole]

    def wait_for(self, line, timeout=10.0):
        end = time.monotonic() + timeout
        while line not in self.lines:
            left = end - time.monotonic()
            laz.check(left > 0 and self.open, f"the injector did not say {line}: {self.lines[-3:]}")
            select.select([self.process.stdout], [], [], left)
            self.read()

    def release(self):
        with contextlib.suppress(BrokenPipeError):  # what was held has been killed, and all the rest has ended
            self.process.stdin.write(b"\n")
            self.process.stdin.flush()

    def decided_before_hold(self):
        """Whether init had looked at its signals for the last time, which it does after it wrote init.start.

        Its first write is to coredump_filter, its second is init.start.
        """
        writes = looked = 0
        for line in self.lines:
            word, *rest = line.split()
            if word == "call" and rest[0] == "init":
                looked += writes >= 2 and looked == 1  # a call after the look: the look has ended
                looked += writes >= 2 and looked == 0 and int(rest[1]) == numbers()["read"]
                writes += int(rest[1]) == numbers()["write"]
            elif word == "hold":
                return looked == 2 or (looked == 1 and (self.plan.role != "init" or self.plan.detail == "exit"))
        return False

    def finish(self, outcome):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        end = time.monotonic() + 5
        while self.open and time.monotonic() < end:
            select.select([self.process.stdout], [], [], 0.5)
            self.read()
        if self.open:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        for line in self.lines:
            word, *rest = line.split()
            if word == "call":
                outcome.calls.append((rest[0], names().get(int(rest[1]), f"number {rest[1]}"), int(rest[2])))
            elif word == "total":
                outcome.totals[rest[0]] = int(rest[1])
        outcome.hit = "hit" in self.lines
        outcome.held = "hold" in self.lines
        outcome.execd = "exec child" in self.lines
        outcome.decided_before_hold = self.decided_before_hold()
        if outcome.held and outcome.execd:
            outcome.execd_before_hold = self.lines.index("exec child") < self.lines.index("hold")


def follow(run, attached, outcome, plan, baseline_pid1, waits_for_term):
    """Until the init has ended: take the report, look at PID 1, send TERM, at a hold too."""
    text, out = b"", run.process.stdout
    os.set_blocking(out.fileno(), False)
    end = time.monotonic() + TIMEOUT
    sources, held = [run.control, out, attached.process.stdout], False

    def let_go():
        nonlocal held
        if not held and "hold" in attached.lines:
            held = True
            meanwhile(run, plan)
            attached.release()

    def look():
        if attached.open and select.select([attached.process.stdout], [], [], 0)[0]:
            attached.read()
        let_go()

    while run.ended is None and time.monotonic() < end:
        ready, _, _ = select.select([s for s in sources if s], [], [], 0.5)
        if run.control in ready:
            run.pump(0.0)
        if attached.process.stdout in ready:
            attached.read()
            if not attached.open:
                sources.remove(attached.process.stdout)
        if out in ready:
            piece = out.read()
            if piece == b"":
                sources.remove(out)
            text += piece or b""
        if outcome.report is None and b"\n" in text:
            outcome.report = json.loads(text.split(b"\n")[0])
            if waits_for_term:
                outcome.pid1 = settled(run, baseline_pid1, look)
                run.kill(fence.WINCH)  # forwarded, and harmless
                run.kill(fence.TERM)
        let_go()
    if outcome.report is None and b"\n" in text:
        outcome.report = json.loads(text.split(b"\n")[0])
    outcome.ended = run.ended


def meanwhile(run, plan):
    """What happens while a call is held."""
    if plan.action == "hold":
        run.kill(fence.TERM)
    elif plan.action == "orphan":
        run.kill(fence.KILL)
    elif plan.action == "murder":
        os.kill(run.children()[0], fence.KILL)
    elif plan.action == "power":
        run.kill(signal.SIGPWR)
    time.sleep(STALLED_S if plan.action == "stall" else HELD_S)


def settled(run, baseline, look):
    """PID 1's state, once it is the baseline's, or when it has slept, or is gone, for a while: on a busy machine it waits for its turn."""
    end, state = time.monotonic() + TIMEOUT, None
    idle = 0.3 if baseline else 0.1
    while idle > 0 and time.monotonic() < end and (state is None or state != baseline):
        look()
        state = pid1_state(run) or state
        began, before = time.monotonic(), fence.state(run.pid)
        time.sleep(0.005)
        if before in "SZX" and fence.state(run.pid) == before:
            idle -= time.monotonic() - began
    return state


def held(scenario, environment=None):
    """A run whose init waits before its exec."""
    with STARTING:
        folder = fence.scratch() / f"inject-{fence.Run._count}"
        folder.mkdir()
        folder.chmod(0o777)
        run = fence.Run(command(scenario, folder), scenario.mode, ["hold", *scenario.conditions],
                  environment, stdout=subprocess.PIPE)
    run.events_path = folder / "events"
    return run


def perform(scenario, plan=None, record=False, baseline=None):
    """One run of a scenario with one plan; everything inside has ended when it returns."""
    outcome = Outcome()
    run = held(scenario)
    try:
        attached = Attached(run, scenario, plan, record)
        attached.wait_for("ready")
        run.go()
        follow(run, attached, outcome, plan, baseline.pid1 if baseline else None, "term" in scenario.words)
        if outcome.ended is None:
            outcome.described = run.describe() + f"\n  injector: {attached.lines[-5:]}"
        elif scenario.mode != "pid1":
            outcome.left = lingering(run)
    except laz.Failed as why:
        outcome.described = str(why)
        attached.process.kill()
    finally:
        run.close()
    attached.finish(outcome)
    run.process.stdout.close()
    outcome.stderr = run.stderr()
    if run.events_path.exists():
        outcome.events = [json.loads(line) for line in run.events_path.read_text().splitlines()]
    return outcome


def lingering(run):
    """Names of what is left in the fence beside its own three, after a moment for the kernel."""
    end = time.monotonic() + 0.5
    while True:
        left = [p for p in run.inhabitants() if fence.comm(p) != "fence" and fence.state(p) not in "ZX"]
        if not left or time.monotonic() > end:
            return [fence.comm(p) for p in left]
        time.sleep(0.01)


def parsed(line):
    """A line of the workload."""
    try:
        return json.loads(line)
    except ValueError:
        raise laz.Failed(f"the workload wrote {line!r}") from None


def differences(outcome, baseline):
    """Field -> (baseline's, this run's) wherever the two differ; PID 1's own are named "pid1.…"."""
    found = {}
    for prefix, old, new in (("", baseline.report, outcome.report), ("pid1.", baseline.pid1 or {}, outcome.pid1 or {})):
        found |= {prefix + k: (v, new.get(k)) for k, v in old.items() if new.get(k) != v}
    return found


def judge_life(outcome):
    """What holds however it came out."""
    laz.check(outcome.ended is not None, f"hang\n{outcome.described}")
    laz.check(not outcome.left, f"left behind: {outcome.left}")
    laz.check(outcome.ended.signal == 0, f"the init died of signal {outcome.ended.signal}: {outcome.stderr}")


def judge_confined(outcome, baseline):
    """The workload has run: as the baseline, but for what init.start names. Returns those names."""
    laz.check(outcome.report is not None, f"the workload ran without a report, {outcome.ended}: {outcome.stderr}")
    laz.check(outcome.start() is not None or outcome.has("events.gap") or outcome.has("init.stop") is False,
              f"no init.start, and no gap that says so: {[e['ev'] for e in outcome.events]}")
    new = outcome.degraded() - baseline.degraded()
    explained = set().union(*(EXPLAINS.get(name, set()) for name in new))
    wrong = {k: v for k, v in differences(outcome, baseline).items() if k not in explained}
    laz.check(not wrong, f"differs without a name ({sorted(new)} named): {wrong}")
    start = outcome.start()
    if start is not None:
        read, own = start["d"]["read"], outcome.report
        for key in ("cap_inh", "cap_prm", "cap_eff", "cap_bnd", "cap_amb"):
            laz.check_equal(read[key], own[key], f"init.start's {key} against the workload's own")
        laz.check_equal((read["uid"], read["gid"], read["groups"]), (own["uids"][1], own["gids"][1], own["groups"]),
                        "init.start's ids against the workload's own")
    return new


def judge_refusal(outcome):
    """The workload has not run: an error by name, and the exit code that belongs to it."""
    name, code = outcome.named()
    laz.check(name is not None, f"{outcome.ended}, and no named error: {outcome.stderr!r}")
    laz.check(code is not None, f"\"{name}\" is not in the catalogue")
    laz.check_equal(outcome.ended.code, code, f"exit code of \"{name}\"")
    laz.check(outcome.report is None, "the workload reported, though it never ran")
    return f"{name} ({code})"


def judge(outcome, baseline):
    """("ran fully" | "ran degraded" | "refused", detail), or laz.Failed."""
    judge_life(outcome)
    if not outcome.execd:
        return "refused", judge_refusal(outcome)
    laz.check_equal(str(outcome.ended), f"exit {WORKLOAD_CODE}", "the end of a workload that ran")
    new = judge_confined(outcome, baseline)
    return ("ran degraded", ", ".join(sorted(new))) if new else ("ran fully", "")


RECORDINGS = 3


class Baseline:
    """A recorded run without any failure: of several the one with the fewest calls, as init waits in turns, and makes more
    of them on a busy machine."""

    def __init__(self, scenario):
        outcome = min((perform(scenario, record=True) for _ in range(RECORDINGS)), key=lambda o: len(o.calls))
        laz.check(outcome.ended is not None and str(outcome.ended) == f"exit {WORKLOAD_CODE}" and outcome.report,
                  f"{scenario.name}: the run without a failure is not right: {outcome.ended} {outcome.stderr} "
                  f"{outcome.described}")
        self.calls, self.report, self.pid1 = outcome.calls, outcome.report, outcome.pid1
        self.totals, self.outcome = outcome.totals, outcome

    def degraded(self):
        return self.outcome.degraded()
