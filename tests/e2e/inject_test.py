# SPDX-License-Identifier: Apache-2.0
"""Never half-confined: whatever system call of the start fails, the workload is confined or nothing runs.

Each (process, call, k-th use) from init's own execve to the workload's first instruction fails with each
error, one at a time, in the program that ships; then each call of the loop; then each call is held while a
stop request arrives. See docs/explanation/never-half-confined.md.
By default PID 1's start takes every point with one error and each kind of call with all of them, and the other
scenarios take the first and the last use of each kind; --long takes every point with every error, everywhere.
"""
import collections
import concurrent.futures
import errno
import functools
import signal
import time

import adapters
import fence
import laz
from inject import harness
from inject.harness import Plan, Scenario

ERRORS = ("EPERM", "ENOMEM", "EINTR", "ENOSYS", "EMFILE", "EIO", "EAGAIN")
ABSENCE = ("EINVAL", "EBUSY", "EOPNOTSUPP")
LOOP_ERRORS = ("EINTR", "EAGAIN", "ENOMEM", "EPERM", "ENOSYS")
# A filter around the container may answer any call with any error, so every call fails with every error,
# whatever its man page knows. But for these: call -> errors that are left, and why not all.
LEFT = {
    "arch_prctl": ((), "musl stops itself before main if its thread pointer cannot be set"),
    "getpid": ((), "has no error, and musl passes what it gets as the number"),
    "getppid": ((), "has no error, and musl passes what it gets as the number"),
    "getuid": ((), "has no error, and musl passes what it gets as the number"),
    "getgid": ((), "has no error, and musl passes what it gets as the number"),
    "close": (("EINTR", "EIO"), "closes whatever it answers, and these are its answers"),
    "exit_group": ((), "does not return"),
}
WAITING = ("ppoll", "poll", "read", "write", "pread64", "waitid", "wait4", "recvmsg", "sendmsg", "ioctl", "open")
STARTING_ROLES = ("init", "setup", "child", "sibling")
WORKERS = 2
LOOP_CALLS_MAX = 300  # in a run without a failure, and beside three times as many: a loop that spins makes thousands


def policy(**changes):
    base = {
        "name": "inject",
        "requires": {"landlock": "preferred", "write-xor-execute": "preferred"},
        "workload": {"cwd": "/", "umask": "0027", "exec-budget": 1},
        "limits": {"open-files": 256, "core-size": 0},
        "syscalls": {"allow": ["prctl"]},  # the workload asks about itself
        "filesystem": {"read": ["/proc"], "read-exec": [str(fence.build_folder())]},
        "shutdown": {"grace": "400ms", "drain": "200ms"},
    }
    return adapters.merged(base, changes)


ALL_REQUIRED = dict.fromkeys(("events", "landlock", "bounding-set", "separate-user", "exec-budget",
                              "write-xor-execute"), "required")
PID1 = Scenario("PID 1", "pid1", [], policy(), False, ["term"])
NESTED = PID1._replace(name="not PID 1", mode="nested")
SCENARIOS = [
    PID1,
    NESTED,
    NESTED._replace(name="not PID 1, started as the workload's user", conditions=[f"uid={adapters.WORKLOAD_UID}"]),
    PID1._replace(name="PID 1, no events, kept capabilities", policy=policy(
        requires={"events": "disabled"}, privileges={"capabilities": {"keep": ["NET_BIND_SERVICE"]}})),
    PID1._replace(name="PID 1, everything required", policy=policy(requires=ALL_REQUIRED)),
    PID1._replace(name="PID 1, from YAML", source=True),
    PID1._replace(name="PID 1, on an old kernel", conditions=["limit=7=256", *(
        f"refuse={fence.system_calls()[name]}={errno.ENOSYS}"
        for name in ("close_range", "signalfd4", "landlock_create_ruleset"))]),
    NESTED._replace(name="not PID 1, no events", policy=policy(requires={"events": "disabled"})),
]


@functools.cache
def baseline_of(name):
    return harness.Baseline(next(s for s in SCENARIOS if s.name == name))


def errors_of(call, wanted=ERRORS):
    return [e for e in wanted if e in LEFT.get(call, (wanted, ""))[0]]


def points(baseline, roles):
    """The recorded calls; of sched_yield, which init makes as often as time wants, the first."""
    calls = own_calls(baseline.calls) if laz.instrumented() else baseline.calls
    return [c for c in calls if c[0] in roles and (c[1] != "sched_yield" or c[2] == 1)]


# An instrumented build has a loader and a runtime beside us. Ours begins with these calls, and these are never ours.
FIRST = {"init": ("rt_sigprocmask", 1), "setup": ("fcntl", 1)}
ALLOCATOR = ("mmap", "munmap", "madvise", "brk", "mremap")
RUNTIME = {"setup": (*ALLOCATOR, "sigaltstack"), "child": ("sigaltstack",), "loop": (*ALLOCATOR, "sigaltstack")}


def own_calls(calls):
    begun, own = set(STARTING_ROLES) - set(FIRST) | {"loop"}, []
    for role, name, k in calls:
        if FIRST.get(role) == (name, k):
            begun.add(role)
        if role in begun and name not in RUNTIME.get(role, ()):
            own.append((role, name, k))
    laz.check(begun >= {"init"}, "init was never seen to block signals")
    return own


def first_and_last(found):
    """The first and the last use of each kind of call."""
    uses = collections.defaultdict(list)
    for point in found:
        uses[point[:2]].append(point)
    return [p for p in found if p in (uses[p[:2]][0], uses[p[:2]][-1])]


def start_points(scenario, baseline):
    found = points(baseline, STARTING_ROLES)
    return found if laz.LONG or scenario is PID1 else first_and_last(found)


def failing_plans(found, wanted=ERRORS, most=1):
    """Every point with `most` errors, in turn; with --long, with all."""
    plans = []
    for i, (role, call, k) in enumerate(found):
        errors = errors_of(call, wanted)
        count = len(errors) if laz.LONG else min(most, len(errors))
        plans += [Plan("fail", role, call, k, getattr(errno, errors[(i + j) % len(errors)])) for j in range(count)]
    return plans


def words_of(plan):
    if plan.action in ("fail", "repeat"):
        detail = f"{errno.errorcode[plan.detail]} ({plan.action})"
    else:
        detail = f"is held at its {plan.detail} ({plan.action})"
    return f"{plan.role}'s {plan.call} number {plan.k} {detail}"


class Tally:
    """What the runs of one case came to; its end is the case's."""

    def __init__(self):
        self.verdicts, self.details, self.wrong = collections.Counter(), collections.Counter(), []
        self.missed, self.began = 0, time.monotonic()

    def add(self, plan, hit, verdict, detail):
        self.verdicts[verdict] += 1
        self.details[f"{verdict}: {detail}"] += 1 if detail else 0
        self.missed += not hit

    def finish(self, name, total):
        print(f"     {name}: {total} runs in {time.monotonic() - self.began:.1f} s: "
              + ", ".join(f"{n} {v}" for v, n in self.verdicts.most_common())
              + f"; {self.missed} of them never came to their call", flush=True)
        for detail, count in sorted(self.details.items()):
            if count:
                print(f"       {count:5d}  {detail}", flush=True)
        laz.check(total > 15, f"only {total} points: the recording is not what it was")
        laz.check(self.missed <= total / 8, f"{self.missed} of {total} runs never came to their call")
        laz.check(not self.wrong, f"{len(self.wrong)} of {total} wrong:\n  " + "\n  ".join(self.wrong[:12]))


def each(name, scenario, baseline, plans, judge):
    """Run all plans, two at a time, and judge each."""
    tally = Tally()

    def one(plan):
        outcome = harness.perform(scenario, plan, plan.action in ("hold", "orphan"), baseline)
        try:
            return plan, outcome, judge(plan, outcome), None
        except laz.Failed as why:
            return plan, outcome, None, str(why)

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for plan, outcome, verdict, wrong in pool.map(one, plans):
            if wrong is not None:
                tally.wrong.append(f"{words_of(plan)}: {wrong}")
            else:
                tally.add(plan, outcome.hit, *verdict)
    tally.finish(name, len(plans))


def judge_start(baseline, required):
    """Ran as ever, less by name, or refused by name; never less than what is required."""

    def judge(_, outcome):
        verdict, detail = harness.judge(outcome, baseline)
        given_up = outcome.degraded() & harness.REQUIRABLE if required else None
        laz.check(not given_up, f"required, and yet given up: {given_up}")
        return verdict, detail

    return judge


def start_fails(scenario):
    baseline = baseline_of(scenario.name)
    required = scenario.policy["requires"] == {**policy()["requires"], **ALL_REQUIRED}
    found = start_points(scenario, baseline)
    plans = failing_plans(found)
    if scenario is PID1:
        plans += failing_plans([p for p in first_and_last(found) if p[2] == 1], most=len(ERRORS))
    each(scenario.name, scenario, baseline, dict.fromkeys(plans), judge_start(baseline, required))


for each_scenario in SCENARIOS:
    laz.case(f"each call of the start fails in turn: confined as ever, or refused by name [{each_scenario.name}]")(
        lambda s=each_scenario: start_fails(s))


# --- the loop ---------------------------------------------------------------------------------------------


def loop_fails(scenario):
    baseline = harness.Baseline(scenario)
    laz.check(baseline.totals["loop"] <= LOOP_CALLS_MAX, f"busy without a failure: {baseline.totals['loop']} calls")

    def judge(plan, outcome):
        harness.judge_life(outcome)
        harness.judge_confined(outcome, baseline)
        total, usual = outcome.totals["loop"], baseline.totals["loop"]
        laz.check(total <= 3 * usual + LOOP_CALLS_MAX, f"busy: {total} calls in the loop, {usual} without a failure")
        ended = str(outcome.ended)
        if plan.call in ("kill", "rt_sigqueueinfo") and ended == "exit 137":
            laz.check(outcome.has("signal.undelivered") and outcome.has("stop.forced"), "forced without a record")
            return "undelivered, forced by name", ""
        laz.check_equal(ended, f"exit {harness.WORKLOAD_CODE}", "the end")
        return "right code", ""

    # Which turn of the loop does what is decided by time, so each point is tried more than once. Without
    # events there is nothing that would wake init a second time: all errors there.
    most = len(LOOP_ERRORS) if scenario.name.startswith(SCENARIOS[3].name) else 2
    each(scenario.name, scenario, baseline, failing_plans(points(baseline, ("loop",)), LOOP_ERRORS, most), judge)


def at_work(base, what, words):
    """A scenario whose workload works before it ends, and may not be given the time for it at once."""
    patient = adapters.merged(base.policy, {"shutdown": {"grace": "1500ms"}})
    return base._replace(name=f"{base.name}, {what}", words=words, policy=patient)


for each_base in (PID1, NESTED, SCENARIOS[3]):
    for end, what in (("exit", "the workload works and ends"), ("term", "the workload works and is stopped")):
        working = at_work(each_base, what, ["work", end])
        laz.case(f"each call of the loop fails in turn: the code stays right [{working.name}]")(
            lambda s=working: loop_fails(s))


# --- interrupted at every second use -------------------------------------------------------------------------


def interrupted(scenario):
    """EINTR at the first or second use of whatever can wait, and at each second one after it."""
    baseline = harness.Baseline(scenario)

    def judge(plan, outcome):
        verdict, detail = harness.judge(outcome, baseline)
        laz.check(verdict == "ran fully" or plan.role != "loop", f"the loop was only interrupted: {verdict} {detail}")
        return verdict, detail

    found = [p for p in points(baseline, (*STARTING_ROLES, "loop")) if p[1] in WAITING and p[2] <= 2]
    each(scenario.name, scenario, baseline, [Plan("repeat", *point, errno.EINTR) for point in found], judge)


for each_base in (PID1, NESTED, SCENARIOS[3]):
    working = at_work(each_base, "interrupted", ["work", "term"])
    laz.case(f"whatever waits is interrupted at every second use: right all the same, or refused by name [{working.name}]")(
        lambda s=working: interrupted(s))


# --- a kernel that has less --------------------------------------------------------------------------------------


def has_less(scenario):
    """What a kernel, or a filter around it, answers to what it does not know: taken as its absence, or refused."""
    baseline = baseline_of(scenario.name)
    found = points(baseline, STARTING_ROLES)
    found = found if laz.LONG else first_and_last(found)
    plans = [Plan("fail", *point, getattr(errno, name)) for point in found for name in ABSENCE
             if point[1] not in LEFT]
    required = scenario.name.endswith("required")
    each(scenario.name, scenario, baseline, plans, judge_start(baseline, required))


for each_scenario in (PID1, SCENARIOS[4]):
    laz.case(f"each call of the start is one that the kernel does not know: the same [{each_scenario.name}]")(
        lambda s=each_scenario: has_less(s))


# --- a death at each call ----------------------------------------------------------------------------------------


def after_fork(baseline):
    """The child's calls, and init's from its fork on."""
    own = points(baseline, ("init",))
    found = own[next(i for i, point in enumerate(own) if point[1] == "clone"):] + points(baseline, ("child",))
    return found if laz.LONG else first_and_last(found)


def init_dies(scenario):
    baseline = baseline_of(scenario.name)

    def judge(plan, outcome):
        if not outcome.held:
            return harness.judge(outcome, baseline)
        laz.check_equal(str(outcome.ended), f"signal {int(fence.KILL)}", "the end of init")
        laz.check(not outcome.left, f"left behind: {outcome.left}")
        let_through = outcome.decided_before_hold and plan.call not in ("ioctl", "write")  # which do it
        laz.check(not outcome.execd or outcome.execd_before_hold or let_through, "started without its init")
        return "gone with its init", ""

    edges = ("enter", "exit") if laz.LONG else ("enter",)
    each(scenario.name, scenario, baseline, held_plans(after_fork(baseline), "orphan", edges), judge)


for each_scenario in (NESTED, SCENARIOS[7]):
    laz.case(f"init dies at each call of the start: nothing runs without it [{each_scenario.name}]")(
        lambda s=each_scenario: init_dies(s))


def child_dies(scenario):
    """Killed from outside, for want of memory say."""
    baseline = baseline_of(scenario.name)

    def judge(plan, outcome):
        harness.judge_life(outcome)
        laz.check(not outcome.execd, "the dead ran")
        if outcome.start() is not None:  # read back, and let through: its death is the workload's
            laz.check_equal(str(outcome.ended), "exit 137", "the end of a workload that was killed")
            return "let through, and then killed", ""
        named = harness.judge_refusal(outcome)
        said = "lazaret-setup ended with signal 9" if plan.role == "setup" else "the child ended by signal 9; the last"
        laz.check(said in outcome.stderr, f"not what happened: {outcome.stderr}")
        return "refused", named

    role = ("setup",) if scenario.source else ("child",)
    found = points(baseline, role)
    plans = held_plans(found if laz.LONG else first_and_last(found), "murder", ("enter",))
    each(scenario.name, scenario, baseline, plans, judge)


for each_scenario in (PID1, SCENARIOS[3], SCENARIOS[5]):
    laz.case(f"its child dies at each call of the start: refused by name [{each_scenario.name}]")(
        lambda s=each_scenario: child_dies(s))


def start_takes_too_long():
    """Whoever it is that does not get on."""
    rows = [(PID1, "child", "setresuid", "set the group"), (SCENARIOS[5], "setup", "read", "lazaret-setup")]
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        outcomes = list(pool.map(lambda r: harness.perform(r[0], Plan("stall", r[1], r[2], 1, "enter")), rows))
    for (_, role, _, where), outcome in zip(rows, outcomes):
        harness.judge_life(outcome)
        laz.check(not outcome.execd, "ran all the same")
        laz.check_equal(harness.judge_refusal(outcome), "start-timeout (104)", role)
        laz.check(f'the last step was "{where}"' in outcome.stderr, f"{role}: {outcome.stderr}")


def stopped_by_its_own_signal():
    """Until setup has read the policy, init does not know that this signal is a stop: it holds it."""
    scenario = SCENARIOS[5]._replace(policy=policy(signals={"stop": ["TERM", "PWR"]}))
    outcome = harness.perform(scenario, Plan("power", "setup", "read", 1, "enter"))
    harness.judge_life(outcome)
    laz.check(outcome.held and not outcome.execd, f"started after the stop request: {outcome.ended}")
    laz.check_equal(str(outcome.ended), f"exit {128 + signal.SIGPWR}", "a stop before the exec")


laz.case("a stop signal that only the policy knows, while setup still reads it: nothing starts")(
    stopped_by_its_own_signal)


laz.case("a start that takes longer than ten seconds is refused, and says where it stood")(start_takes_too_long)


# --- a stop request at each call ----------------------------------------------------------------------------


def before_arming(baseline):
    """Init's calls before it has blocked all signals: what comes now, the kernel drops for a PID 1."""
    own = points(baseline, ("init",))
    return own[:own.index(("init", "rt_sigprocmask", 1))]


def held_plans(found, action, edges):
    return [Plan(action, *point, edge) for point in found for edge in edges if point[1] != "exit_group"]


def judge_normal_stop(outcome):
    """The workload was there: it got the signal, and was not killed."""
    laz.check(str(outcome.ended) in (f"exit {harness.WORKLOAD_CODE}", "exit 143"), f"no normal stop: {outcome.ended}")
    exits = [e for e in outcome.events if e["ev"] == "proc.exit"]
    laz.check(exits and not exits[0]["d"]["forced"] and exits[0]["d"].get("signal") in (None, int(fence.TERM)),
              f"the workload was running, and was not asked to stop but killed: {exits}")


def stopped_at_each(scenario):
    baseline = baseline_of(scenario.name)
    early = before_arming(baseline)

    def judge(plan, outcome):
        laz.check(outcome.ended is not None, f"hang\n{outcome.described}")
        laz.check(not outcome.left, f"left behind: {outcome.left}")
        point = (plan.role, plan.call, plan.k)
        if point in early:
            wanted = f"exit {harness.WORKLOAD_CODE}" if scenario.mode == "pid1" else f"signal {int(fence.TERM)}"
            laz.check_equal(str(outcome.ended), wanted, "before init listens")
            return "before init listens", ""
        if outcome.execd and (outcome.execd_before_hold or not outcome.held):
            judge_normal_stop(outcome)
            return "stopped after its exec", ""
        if outcome.execd and outcome.decided_before_hold:
            judge_normal_stop(outcome)
            return "came after the decision, stopped after its exec", ""
        laz.check(not outcome.execd, f"the workload started after the stop request, {outcome.ended}")
        laz.check_equal(str(outcome.ended), "exit 143", "a stop before the exec")
        return "stopped before its exec", ""

    plans = held_plans(start_points(scenario, baseline), "hold", ("enter", "exit"))
    each(scenario.name, scenario, baseline, plans, judge)


for each_scenario in (PID1, NESTED, SCENARIOS[3], SCENARIOS[5]):
    laz.case(f"a stop request while each call of the start is held: nothing starts after it [{each_scenario.name}]")(
        lambda s=each_scenario: stopped_at_each(s))


# --- a delay at each call, and nothing else ------------------------------------------------------------------


def delayed_at_each(scenario):
    """Init and its child share a descriptor table and a page: none of the two may depend on the other's pace."""
    baseline = baseline_of(scenario.name)

    def judge(_, outcome):
        verdict, detail = harness.judge(outcome, baseline)
        laz.check_equal(verdict, "ran fully", f"a delay alone ({detail})")
        return verdict, detail

    edges = ("enter", "exit") if laz.LONG else ("enter",)
    each(scenario.name, scenario, baseline, held_plans(start_points(scenario, baseline), "delay", edges), judge)


for each_scenario in (PID1, SCENARIOS[3]):
    laz.case(f"each call of the start takes long in turn: nothing changes [{each_scenario.name}]")(
        lambda s=each_scenario: delayed_at_each(s))


# --- the tests of the test -----------------------------------------------------------------------------------


def told_apart(changes, fields):
    """A workload under another policy must not pass for the baseline's."""
    baseline = baseline_of(PID1.name)
    outcome = harness.perform(PID1._replace(policy=policy(**changes)))
    laz.check(outcome.report is not None, f"no report: {outcome.ended} {outcome.stderr}")
    seen = set(harness.differences(outcome, baseline))
    laz.check(fields <= seen, f"differences seen: {seen}, expected {fields} among them")
    try:
        harness.judge(outcome, baseline)
    except laz.Failed:
        return
    raise laz.Failed("the judge let it pass")


for label, altered, shows in (
        ("Landlock", {"filesystem": {"read": ["/"]}}, {"root", "file"}),
        ("ports", {"network": {"tcp-bind": [47123]}}, {"port"}),
        ("the filter", {"syscalls": {"allow": ["prctl", "unshare"]}}, {"unshare"}),
        ("capabilities", {"privileges": {"capabilities": {"keep": ["NET_BIND_SERVICE"]}}}, {"cap_eff", "cap_amb"}),
        ("limits", {"limits": {"open-files": 300}}, {"limits"}),
        ("the user", {"workload": {"user": "10002:10002"}}, {"uids", "gids"})):
    laz.case(f"control: a workload that differs in {label} is told apart")(
        lambda altered=altered, shows=shows: told_apart(altered, shows))


@laz.case("control: the injector counts init's calls as strace does")
def strace_agrees():
    """The injector counts as strace does; what is decided by time is left out."""
    scenario, by_time = PID1, {"sched_yield", "ppoll", "poll", "read", "waitid", "ioctl"}
    with harness.held(scenario._replace(words=["exit"])) as run:
        run.trace("-e", "trace=all")
        run.wait(harness.TIMEOUT)
        counted = fence.calls_of(run.traced(), run.pid, only=run.pid)
    counts, own = collections.Counter(), collections.Counter()
    for name, _ in counted:
        counts[name] += 1
    for role, name, _ in harness.Baseline(scenario._replace(words=["exit"])).calls:
        own[name] += role in ("init", "loop")
    wrong = {n: (own[n], counts[n]) for n in {*own, *counts} - by_time if own[n] != counts[n]}
    laz.check(len(counts) > 20 and not wrong, f"call: (counted here, by strace): {wrong}")


if __name__ == "__main__":
    laz.main()
