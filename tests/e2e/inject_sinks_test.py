# SPDX-License-Identifier: Apache-2.0
"""What PID 1 does for its helpers fails, call by call: the workload runs as ever with a trail that is whole, or
nothing runs and the reason is named.

inject_test.py takes every call of a start without helpers; here are those of a start with sinks, from the pipes to
the messages, in init and in the process that starts helpers. strace injects into one process; its errors in calls
after init's own filter would kill init, so it stops there.
By default each call fails at its first and last use with one error each; --long takes all uses and errors.
"""
import json
import re
import shutil
import subprocess

import fence
import laz
from inject import harness
from laz import case, check, check_equal

ERRORS = ("EPERM", "ENOMEM", "EINTR", "ENOSYS", "EMFILE", "EIO", "EAGAIN")
# Calls that only a start with sinks makes, or makes more often; with what may also come of a failure.
CALLS = ("memfd_create", "ftruncate", "socketpair", "clone", "pipe2", "setfsuid", "setfsgid", "fchmod", "fcntl", "dup2",
         "sendmsg", "recvmsg", "openat", "open")
MARK = "the workload ran"
FILTERED = "SECCOMP_SET_MODE_FILTER, 0, {len"
POLICY = """\
version: 1
name: inject
extends: [builtin/static]
workload: {{user: "10001:10001", exec-budget: -1}}
filesystem: {{read-exec: [/]}}
shutdown: {{flush: 3s}}
spool: {{dir: {folder}/spool, max: 4MiB, segment: 1MiB}}
sinks:
  - {{name: trail, type: file, path: {folder}/trail, classes: [audit, ids, log], required: true}}
"""
runs = 0


def start(trace, follow):
    """(folder, run that is held and traced)."""
    global runs
    runs += 1
    folder = fence.scratch() / f"sinks-{runs}"
    folder.mkdir()
    (folder / "policy.yaml").write_text(POLICY.format(folder=folder))
    image = folder / "policy.img"
    done = subprocess.run([laz.BIN / "lazaret", "policy", "compile", folder / "policy.yaml", "-o", image],
                          capture_output=True, text=True, check=False)
    check_equal(done.returncode, 0, done.stderr)
    command = [str(laz.BIN / "lazaret-init"), "--policy", str(image), "--", "/bin/busybox", "echo", MARK]
    run = fence.Run(command, "pid1", ["hold"])
    run.trace(*trace, follow=follow)
    return folder, run


def trail(folder):
    path = folder / "trail"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def verified(folder):
    done = subprocess.run([laz.BIN / "lazaret", "verify", folder / "trail"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and "completeness  closed" in done.stdout


def judge(folder, run):
    """Ran with a whole trail, or refused by name; returns which."""
    ended = str(run.wait(25))
    said = run.stderr()
    ran = any(r["ev"] == "log" and r["d"]["msg"] == MARK for r in trail(folder))
    refusal = re.search(r"^lazaret-init: error: ([a-z0-9-]+): ", said, re.M)
    if ended == "exit 0":
        check(ran, f"exit 0, and its words are not in the trail: {said}")
        check(verified(folder), "the trail is not whole")
        return "ran"
    check(refusal, f"{ended} without a name: {said}")
    check_equal(ended, f"exit {harness.codes()[refusal[1]]}", f"the exit code of {refusal[1]}")
    check(not ran, f"it ran, and was refused as {refusal[1]}")
    return "refused"


def uses(follow=False):
    """{call: how often init makes it} up to its own filter, in a run without a failure."""
    folder, run = start(["-e", "trace=" + ",".join((*CALLS, "seccomp"))], follow)
    with run:
        check_equal(judge(folder, run), "ran", "a start without a failure")
        found = {}
        for line in run.traced():
            name = re.search(r"([a-z_0-9]+)\(", line)
            if "SECCOMP_SET_MODE_FILTER, 0, {len" in line:
                break  # its own filter: from here on strace's way of failing a call would kill it
            if name:
                found[name[1]] = found.get(name[1], 0) + 1
    shutil.rmtree(folder)
    return found


def was_late(run):
    """Whether the failure came after init's filter: how often it hears of its helpers before is the machine's doing."""
    lines = run.traced()
    filtered = next((i for i, line in enumerate(lines) if FILTERED in line), len(lines))
    return any("(INJECTED)" in line for line in lines[filtered:]) and str(run.ended) == "signal 31"


def plans(found):
    for call in CALLS:
        count = found.get(call, 0)
        points = range(1, count + 1) if laz.LONG else sorted({1, (count + 1) // 2, count} - {0})
        for i, k in enumerate(points):
            wanted = ERRORS if laz.LONG else (ERRORS[(i + count) % len(ERRORS)],)
            for name in wanted:
                yield call, k, name


@case("each call that PID 1 makes for its helpers fails in turn: a whole trail, or refused by name")
def init_fails():
    found = uses()
    check(found.get("memfd_create", 0) >= 4 and found.get("pipe2", 0) >= 3 and found.get("sendmsg", 0) >= 5,
          f"the recording is not what it was: {found}")
    outcomes, wrong = {}, []
    for call, k, name in plans(found):
        folder, run = start(["-e", f"trace={call},seccomp", "-e", f"inject={call}:error={name}:when={k}"], False)
        with run:
            try:
                verdict = judge(folder, run)
                outcomes[verdict] = outcomes.get(verdict, 0) + 1
            except laz.Failed as why:
                if was_late(run):
                    outcomes["late"] = outcomes.get("late", 0) + 1
                else:
                    wrong.append(f"{call} number {k} {name}: {why}")
        shutil.rmtree(folder)
    print(f"     {outcomes}", flush=True)
    check(not wrong, f"{len(wrong)} wrong:\n  " + "\n  ".join(wrong[:10]))
    check(5 * outcomes.get("late", 0) <= sum(outcomes.values()), f"many failures came too late: {outcomes}")
    check(outcomes.get("refused", 0) > 5 and outcomes.get("ran", 0) > 0, f"not both outcomes: {outcomes}")


@case("a helper that dies at the same call of its start each time: nothing runs, by name")
def helper_killed():
    for call in ("mkdirat", "setresuid", "fallocate", "pwrite64", "landlock_restrict_self"):
        # Followed: init and all that it starts, of which only the helper makes these calls; each successor again.
        folder, run = start(["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when=1"], True)
        with run:
            check_equal(judge(folder, run), "refused", call)
            check_equal(str(run.ended), "exit 106", call)
            check("audit-unavailable: lazaret-helper does not stay up: lazaret-helper ship ended by signal 9" in run.stderr(), f"{call}: {run.stderr()}")
        shutil.rmtree(folder)


if __name__ == "__main__":
    laz.main()
