# SPDX-License-Identifier: Apache-2.0
"""Whatever init is started with, the workload gets what the policy declares and the status is right.

Rows C4, C6, C20 and C26 to C29 of docs/reference/pid1-contract.md: inherited masks, ignored signals, children,
descriptors, limits and missing system calls. The workload reports about itself by system calls.
"""
import contextlib
import itertools
import os
import resource
import subprocess
import time

import adapters
import fence
import laz
import scenarios
from adapters import both, sample
from fence import CHLD, TERM

INIT = adapters.subject()
PR_SET_CHILD_SUBREAPER = 36
# Each of these missing may cost a feature, never the workload (row C28).
OPTIONAL = ["close_range", "signalfd4", "pidfd_open", "waitid", "pidfd_send_signal"]


def refuse(*names, errno=38):
    """Conditions of the fence that make these calls answer ENOSYS, or errno."""
    return [f"refuse={fence.system_calls()[name]}={errno}" for name in names]


def works(mode, what, conditions, policy=None):
    laz.check_equal(scenarios.simple_condition(INIT, mode, conditions, policy), "works", what)


@both("SIGCHLD ignored on entry: exit 7 stays 7")
def child_ignored(mode):
    laz.check_equal(scenarios.child_signal_ignored(INIT, mode), "exit 7", "SIGCHLD ignored")


@laz.case("control: tini and catatonit hang when SIGCHLD is ignored")
def child_ignored_control():
    for name in ("tini", "catatonit"):
        word = scenarios.child_signal_ignored(adapters.control(name), "pid1")
        laz.check_equal(word, "hangs", f"{name} with SIGCHLD ignored")


@both("SIGCHLD, or everything, blocked on entry: nothing changes")
def child_blocked(mode):
    laz.check_equal(scenarios.child_signal_blocked(INIT, mode), "exit 7", "SIGCHLD blocked")
    laz.check_equal(scenarios.everything_blocked(INIT, mode), "exit 7", "all blocked")
    works(mode, "all blocked and all ignored", ["block=all", "ignore=all"])


@both("each signal ignored or blocked on entry is at default in the workload")
def each_ignored(mode):
    for number in sample(fence.FORWARDABLE + [int(CHLD), 32, 33], 10):
        with INIT.start(["state", "exit=7"], mode, conditions=[f"ignore={number}", f"block={number}"]) as run:
            state = run.expect("state")
            seen = scenarios.bits(state["blocked"]) | scenarios.bits(state["ignored"])
            laz.check_equal(seen, set(), f"signal {number}: blocked or ignored")
            laz.check_equal(str(run.wait()), "exit 7", f"signal {number}")


@both("a mask of init's own never reaches the workload")
def own_mask(mode):
    laz.check_equal(scenarios.clean_mask_stays_clean(INIT, mode), "clean", "mask")


@laz.case("control: catatonit's workload starts with TSTP, TTIN and TTOU blocked")
def own_mask_control():
    word = scenarios.clean_mask_stays_clean(adapters.control("catatonit"), "pid1")
    laz.check(word != "clean", f"catatonit: {word}")


@both("children from before init's exec change nothing")
def children(mode):
    for conditions in (["children-exited=1"], ["children-living=2"], ["children-exited=3", "children-living=1"]):
        with INIT.start(["sleep=30", "exit=7"], mode, conditions=conditions,
                        policy={"shutdown": {"drain": "300ms"}}) as run:
            laz.check_equal(str(run.wait()), "exit 7", f"{conditions}")


@both("standard descriptors closed in any combination: the workload still runs")
def closed_descriptors(mode):
    for closed in range(8):
        with INIT.start(["until=15", "exit=7"], mode, conditions=[f"closed={closed}"]) as run:
            run.expect("listening")
            run.kill(TERM)
            laz.check_equal(str(run.wait()), "exit 7", f"closed descriptors {closed:03b}")


@both("a descriptor that the workload opens never lands on 0, 1 or 2 of somebody else's file")
def closed_descriptors_filled(mode):
    if not INIT.enforces:
        laz.skip("a peer passes on what it was given")
    with INIT.start(["state", "exit=7"], mode, conditions=["closed=7"]) as run:
        fds = run.expect("state")["fds"]
        laz.check({0, 1, 2} <= set(fds), f"descriptors {fds}")


@both("a variable is passed on by its whole name")
def whole_names(mode):
    if not INIT.enforces:
        laz.skip("a peer passes on everything")
    env = {"LANGUAGE": "fr", "LAN": "x", "LANG": "C", "PATHOLOGY": "none", "PATH": "/bin"}
    policy = {"workload": {"env": {"pass": ["PATH", "LANG", "ABSENT"]}}}
    with INIT.start(["state", "exit=7"], mode, env=env, policy=policy) as run:
        laz.check_equal(sorted(run.expect("state")["env"]), ["LANG=C", "PATH=/bin"], "variables of the workload")


def descriptors(pid):
    """What a process has open; of one that is closed meanwhile, nothing."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return found


@both("after its start init holds stderr, the events, its signals and the listener, and nothing else")
def own_descriptors(mode):
    """A descriptor that it kept would be a secret's, a file system's that cannot be unmounted, or a gate's."""
    if not INIT.enforces:
        laz.skip("a peer closes nothing")
    strays = [f"extra-fd={fd}" for fd in (3, 4, 5, 9, 200)]
    for level, source in itertools.product(("preferred", "disabled"), (False, True)):
        with INIT.start(["until=15"], mode, strays, source=source, policy={"requires": {"events": level}}) as run:
            run.expect("listening")
            wanted = [str(run.errors), str(run.events_path), "anon_inode:[signalfd]"]
            wanted += ["anon_inode:seccomp notify"] if level == "preferred" else []
            wanted += [f"/proc/{inner}/task/{inner}/children" for inner in run.status()["NSpid"].split()[-1:]
                       if mode != "pid1"]
            held, end = [], time.monotonic() + fence.PATIENCE  # it closes the gate after the workload has gone through
            while sorted(held) != sorted(wanted) and time.monotonic() < end:
                held = descriptors(run.pid)
            laz.check_equal(sorted(held), sorted(wanted), f"descriptors, events {level}, from YAML {source}")


@both("stray descriptors, also with huge numbers, do not reach the workload")
def stray_descriptors(mode):
    conditions = ["extra-fd=3", "extra-fd=5", "extra-fd=100", "extra-fd=19999"]
    with INIT.start(["state", "exit=7"], mode, conditions=conditions) as run:
        fds = run.expect("state")["fds"]
        # 10 and above belong to the probe: its log.
        laz.check_equal([fd for fd in fds if fd not in (0, 1, 2, 10)], [], "descriptors beside 0-2")


@both("stray descriptors, also above the limit, do not reach the workload where there is no close_range")
def stray_descriptors_listed(mode):
    conditions = ["extra-fd=3", "extra-fd=100", "extra-fd=4000", f"limit={resource.RLIMIT_NOFILE}=64"]
    with INIT.start(["state", "exit=7"], mode, conditions=[*conditions, *refuse("close_range")]) as run:
        fds = run.expect("state")["fds"]
        laz.check_equal([fd for fd in fds if fd not in (0, 1, 2, 10)], [], "descriptors beside 0-2")


@both("a pipe that the workload closes has ended for its reader")
def pipe_end(mode):
    laz.check_equal(scenarios.init_holds_descriptors(INIT, mode), "end seen", "reader of the workload's stdout")


@both("init leaves the directory it was started in, so that it can be unmounted")
def directory(mode):
    laz.check_equal(scenarios.init_keeps_directory(INIT, mode), "leaves it", "init")


@both("the workload's state is what the policy declares")
def declared(mode):
    if not INIT.enforces:
        laz.skip("a peer declares nothing")
    policy = {
        "workload": {"cwd": "/usr", "umask": "0027", "env": {"pass": ["LANG"], "set": {"TZ": "UTC"}},
                     "groups": ["10002"]},
        "limits": {"open-files": 64, "core-size": 0},
    }
    env = {**fence.ENVIRONMENT, "LANG": "C.UTF-8", "SECRET": "marker", "LAZARET_EVENTS": "/dev/null"}
    with INIT.start(["state", "exit=0"], mode, policy=policy, env=env) as run:
        state = run.expect("state")
    uid = adapters.WORKLOAD_UID
    empty = "0" * 16
    laz.check_equal(state["uids"], [uid] * 3, "uids")
    laz.check_equal(state["gids"], [uid] * 3, "gids")
    laz.check_equal(state["groups"], [10002], "groups")
    laz.check_equal(state["cwd"], "/usr", "cwd")
    laz.check_equal(state["umask"], "0027", "umask")
    # builtin/web-api passes PATH.
    laz.check_equal(sorted(state["env"]), ["LANG=C.UTF-8", f"PATH={env['PATH']}", "TZ=UTC"], "environment")
    laz.check_equal(set(state["caps"].values()), {empty}, f"capabilities {state['caps']}")
    laz.check_equal(state["nnp"], 1, "no_new_privs")
    laz.check_equal(state["limits"]["nofile"], [64, 64], "open files")
    laz.check_equal(state["limits"]["core"], [0, 0], "core size")
    laz.check_equal((state["blocked"], state["ignored"]), (empty, empty), "signals")
    laz.check_equal([fd for fd in state["fds"] if fd != 10], [0, 1, 2], "descriptors")
    laz.check_equal(state["pgid"], state["pid"], "leads a process group")
    laz.check_equal(state["pdeathsig"], 0 if mode == "pid1" else 9, "death signal")


@both("the kernel confirms the workload's confinement from outside")
def confirmed(mode):
    if not INIT.enforces:
        laz.skip("a peer confines nothing")
    with INIT.start(["until=15"], mode) as run:
        run.expect("listening")
        status = run.status(run.children()[0])
        laz.check_equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "NoNewPrivs, Seccomp")
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            laz.check_equal(int(status[name], 16), 0, name)


@both("without /proc: the workload runs, or the refusal says so")
def no_proc(mode):
    if not INIT.enforces:
        works(mode, "no /proc", ["no-proc"])
        return
    refuses(mode, ["no-proc"])


@both("with fewer than 16 descriptors: the workload runs, or the refusal says so")
def few_descriptors(mode):
    if not INIT.enforces:
        works(mode, "RLIMIT_NOFILE 3", ["limit=7=3"])
        return
    for count in (3, 8, 15):
        refuses(mode, [f"limit=7={count}"])
    works(mode, "RLIMIT_NOFILE 16", ["limit=7=16"])


def refuses(mode, conditions):
    """These two refuse with 108, in words, and nothing of the workload ever runs."""
    with INIT.start(["say=ran", "exit=7"], mode, conditions=conditions) as run:
        laz.check_equal(str(run.wait()), f"exit {adapters.KERNEL}", f"{conditions}")
        laz.check_equal(run.seen("say", settle=0.05), [], "the workload's words")
        laz.check(run.stderr().strip() or adapters.events(run), "nothing was said")


@both("a read-only root changes nothing")
def read_only(mode):
    works(mode, "read-only root", ["read-only"])


@both("each optional system call missing costs a feature at most")
def refused_calls(mode):
    for name in OPTIONAL:
        works(mode, f"{name} answers ENOSYS", refuse(name))
    works(mode, "no subreaper", [f"refuse={fence.system_calls()['prctl']}:{PR_SET_CHILD_SUBREAPER}=38"])


@both("so does each pair of them")
def refused_pairs(mode):
    for pair in sample(itertools.combinations(OPTIONAL, 2), 4):
        works(mode, f"{pair} answer ENOSYS", refuse(*pair))
        if laz.LONG:
            works(mode, f"{pair} answer EPERM", refuse(*pair, errno=1))


@both("so do all of them at once, as in a sandbox that emulates an old kernel")
def refused_all(mode):
    works(mode, "old kernel", refuse(*OPTIONAL, "clone3", "openat2", "statx", "landlock_create_ruleset"))


@both("what is degraded is named in the start record")
def degraded(mode):
    if not INIT.enforces:
        laz.skip("only Lazaret writes records")
    with INIT.start(["exit=0"], mode, conditions=refuse("signalfd4", "close_range")) as run:
        laz.check_equal(str(run.wait()), "exit 0", "status")
        named = adapters.events(run, "init.start")[0]["d"]["degraded"]
        for word in ("signalfd-absent", "close-range-absent"):
            laz.check(word in named, f"{word} is not in {named}")


@laz.case("control: catatonit does not start without signalfd")
def refused_control():
    word = scenarios.no_signalfd(adapters.control("catatonit"), "pid1")
    laz.check(word.startswith("does not start"), f"catatonit without signalfd: {word}")


@both("started as an ordinary user, the workload still runs and init serves it")
def as_user(mode):
    works(mode, "started as the workload's uid", [f"uid={adapters.WORKLOAD_UID}"])


@both("with no_new_privs already set, the same")
def as_no_new_privs(mode):
    works(mode, "no_new_privs on entry", ["no-new-privs"])


@both("in an empty root file system with nothing but init and the workload, the same")
def empty_root(mode):
    if not INIT.enforces:
        laz.skip("the peers of Debian are dynamic programs")
    root = fence.scratch() / f"root-{mode}"
    for folder in ("", "proc", "dev", "log"):
        (root / folder).mkdir(mode=0o777, exist_ok=True)
    for source, name in ((INIT.base[0], "init"), (fence.tool("probe"), "probe")):
        subprocess.run(["cp", source, str(root / name)], check=True)
    image = INIT.image(INIT.policy())
    subprocess.run(["cp", image, str(root / "policy.img")], check=True)
    app = ["/init", "--policy", "/policy.img", "--", "/probe", "exit=7"]
    for closed in ([], ["closed=7"]):  # and there is no /dev/null to put there
        with fence.Run(app, "pid1" if mode == "pid1" else "nested", [f"root={root}", *closed]) as run:
            laz.check_equal(str(run.wait()), "exit 7", f"FROM scratch, {closed} ({run.stderr()[-300:]!r})")


@both("options: unknown or incomplete ones refuse and never start the workload")
def options(mode):
    if not INIT.enforces:
        laz.skip("every init has options of its own")
    probe = [fence.tool("probe"), "exit=0"]
    image = INIT.image(INIT.policy())
    for extra in (["--no-such-option"], ["--policy"], ["--policy", "/no/such/policy"],
                  ["--policy", image, "--policy-sha256", "zz"], ["--policy", image, "--policy-sha256", "0" * 64]):
        with fence.Run([*INIT.base, *extra, *([] if extra[-1] == "--policy" else ["--", *probe])], mode) as run:
            laz.check_equal(str(run.wait()), f"exit {adapters.POLICY}", f"{extra} ({run.stderr()[-200:]!r})")
    with fence.Run([*INIT.base, "--policy", image], mode) as run:
        laz.check_equal(str(run.wait()), f"exit {adapters.POLICY}", "no command")


@both("options of the workload are left alone, with and without --")
def workload_options(mode):
    laz.check_equal(scenarios.options_of_the_workload(INIT, mode), "works", "sh -c without --")


if __name__ == "__main__":
    laz.main()
