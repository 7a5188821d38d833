# SPDX-License-Identifier: Apache-2.0
"""What PID 1 does for secrets fails, call by call: the workload has every value whole, or it never runs and the reason is named.

inject_test.py takes every call of a start without helpers, inject_sinks_test.py those with a trail, secrets_start_test.py the
calls of the process that delivers; here are init's own with values in its hands. As there, strace injects into one process,
and stops at init's own filter. By default each call fails at its first, middle and last use with one error each; --long takes all.
"""
import re
import secrets

import fence
import laz
from inject import harness
from laz import case, check, check_equal
from secrets_world import World

ERRORS = ("EPERM", "ENOMEM", "EINTR", "ENOSYS", "EMFILE", "EIO", "EAGAIN")
# Calls that a start with secrets makes more often than one without.
CALLS = ("memfd_create", "socketpair", "clone", "fcntl", "fstat", "fchmod", "fchown", "sendmsg", "recvmsg", "poll", "ppoll", "open",
         "openat", "write", "pwrite64", "mmap", "close_range", "dup2", "dup3", "statfs", "fstatfs", "waitid", "wait4", "getrandom")
FILTERED = "SECCOMP_SET_MODE_FILTER, 0, {len"
FILE, FD, VARIABLE = (secrets.token_hex(20).encode() for _ in range(3))
NUMBER = 20
ENVIRONMENT = {**fence.ENVIRONMENT, "OLD_TOKEN": VARIABLE.decode()}


def world():
    """A file, a descriptor, and a variable that becomes a file."""
    made = World([], {}, real=True)
    for name, value in (("file", FILE), ("fd", FD)):
        (made.kept / name).write_bytes(value)
        (made.kept / name).chmod(0o400)
    made.items = [{"name": "file", "from": {"file": str(made.kept / "file")}, "file": {"path": "deep/file"}},
                  {"name": "fd", "from": {"file": str(made.kept / "fd")}, "fd": {"number": NUMBER, "variable": "THE_FD"}},
                  {"name": "old", "from": {"variable": "OLD_TOKEN"}, "file": {"path": "old"}}]
    return made


def judge(made, run):
    """Everything is there, or refused by name and nothing is; returns which."""
    ended, said = str(run.wait(25)), run.stderr()
    for value in (FILE, FD, VARIABLE):
        check(value.decode() not in said, "a value is in the message")
    refusal = re.search(r"^lazaret-init: error: ([a-z0-9-]+): ", said, re.M)
    if ended == "exit 0":
        seen = made.seen()
        check_equal({name: row[0] for name, row in seen["files"].items()}, {"deep/file": FILE.hex(), "old": VARIABLE.hex()}, "files")
        check_equal((seen["fds"][str(NUMBER)][0], seen["environ"].get("OLD_TOKEN")), (FD.hex(), None), "descriptor, variable")
        check_equal(made.left(), [], "what is left")
        return "ran"
    check(refusal, f"{ended} without a name: {said}")
    check_equal(ended, f"exit {harness.codes()[refusal[1]]}", f"the exit code of {refusal[1]}")
    check(not made.marker.exists(), f"it ran, and was refused as {refusal[1]}")
    check_equal(made.left(), [], f"refused as {refusal[1]}: what is left on the tmpfs")
    return "refused"


def perform(trace):
    """(verdict, lines of the trace) of one run; the verdict of one whose failure came behind init's filter is "late"."""
    with world() as made:
        with made.start(conditions=["hold"], numbers=(NUMBER,), env=ENVIRONMENT) as run:
            run.trace(*trace, follow=False)
            try:
                verdict = judge(made, run)
            except laz.Failed:
                lines = run.traced()
                filtered = next((i for i, line in enumerate(lines) if FILTERED in line), len(lines))
                if str(run.ended) != "signal 31" or not any("(INJECTED)" in line for line in lines[filtered:]):
                    raise
                verdict = "late"
            return verdict, run.traced()


def uses():
    """{call: how often init makes it} up to its own filter, in a run without a failure."""
    verdict, lines = perform(["-e", "trace=" + ",".join((*CALLS, "seccomp"))])
    check_equal(verdict, "ran", "a start without a failure")
    found = {}
    for line in lines:
        if FILTERED in line:
            break
        name = re.search(r"([a-z_0-9]+)\(", line)
        if name:
            found[name[1]] = found.get(name[1], 0) + 1
    return found


def plans(found):
    for call in CALLS:
        count = found.get(call, 0)
        points = range(1, count + 1) if laz.LONG else sorted({1, (count + 1) // 2, count} - {0})
        for i, k in enumerate(points):
            for name in ERRORS if laz.LONG else (ERRORS[(i + count) % len(ERRORS)],):
                yield call, k, name


@case("each call that PID 1 makes for secrets fails in turn: every value whole, or refused by name and nothing on the tmpfs")
def init_fails():
    found = uses()
    check(found.get("sendmsg", 0) >= 5 and found.get("recvmsg", 0) >= 5, f"the recording is not what it was: {found}")
    outcomes, wrong = {}, []
    for call, k, name in plans(found):
        try:
            verdict, _ = perform(["-e", f"trace={call},seccomp", "-e", f"inject={call}:error={name}:when={k}"])
            outcomes[verdict] = outcomes.get(verdict, 0) + 1
        except laz.Failed as why:
            wrong.append(f"{call} number {k} {name}: {why}")
    print(f"     {outcomes} of {found}", flush=True)
    check(not wrong, f"{len(wrong)} wrong:\n  " + "\n  ".join(wrong[:10]))
    check(outcomes.get("refused", 0) > 5 and outcomes.get("ran", 0) > 0, f"not both outcomes: {outcomes}")


if __name__ == "__main__":
    laz.main()
