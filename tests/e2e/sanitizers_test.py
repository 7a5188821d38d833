# SPDX-License-Identifier: Apache-2.0
"""Under the sanitizers a suite can fail: bugs that are planted in such a build (instrument/sanitized.c) are reported
from inside every process that has given up what it does not need, end it with a code that no suite expects, and
never lead to a workload. Every other build knows nothing of them.
"""
import shutil

import adapters
import fence
import laz
from ship_world import World

REPORTS = {"address": "AddressSanitizer: stack-buffer-overflow", "undefined": "runtime error: shift exponent 40"}
REPORTED = 99  # exitcode in instrument/sanitized.c
FILTERED = "2"


class Planted:
    """A start with a policy whose file's name asks for a bug, and what the suites would have made of it."""

    def __init__(self, place, kind, mode):
        folder = fence.scratch() / f"{place}-{kind}-{mode}"
        folder.mkdir()
        folder.chmod(0o777)
        policy = folder / f"planted-{place}-{kind}.yaml"
        if place == "setup":
            policy.write_text("version: 1\nno-such-key: 1\n")
        else:
            policy = policy.with_suffix(".img")
            shutil.copy(adapters.Lazaret.image(adapters.Lazaret.policy()), policy)
        log = str(folder / "log")
        command = [str(laz.BIN / "lazaret-init"), "--policy", str(policy), "--events", str(folder / "events"), "--",
                   fence.tool("probe"), f"log={log}", "say=ran", "stray=session:20", "until=15", "exit=7"]
        self.run, self.seccomp, self.failed = fence.Run(command, mode, log=log), None, ""
        self.run.events_path = folder / "events"
        try:
            with self.run:
                self.live(place)
        except laz.Failed as why:
            self.failed = str(why)

    def live(self, place):
        if place == "loop" or (place == "exec" and not laz.sanitized()):
            self.run.expect("listening")
            self.seccomp = self.run.status()["Seccomp"]
            self.run.kill(fence.TERM)
        self.run.wait()


def judged(place, kind, mode, code):
    planted = Planted(place, kind, mode)
    if not laz.sanitized():
        laz.check_equal((str(planted.run.ended), planted.failed),
                        (f"exit {adapters.POLICY if place == 'setup' else 7}", ""), "without a sanitizer")
        return
    laz.check(planted.failed.startswith("a sanitizer reports: ") and REPORTS[kind] in planted.failed,
              f"the suite did not fail of it: {planted.failed!r} {planted.run.stderr()!r}")
    laz.check_equal(str(planted.run.ended), f"exit {code}", "the end")
    if place == "loop":
        laz.check_equal(planted.seccomp, FILTERED, "Seccomp of the init that reported")
        laz.check("sanitized.c" in planted.failed, f"no line of source: {planted.failed}")
    else:
        laz.check_equal(planted.run.lines, [], "what the workload said")


# Where the bug is, and the exit code: of the runtime in init itself, of init's own refusal elsewhere.
for where, ends in (("loop", REPORTED), ("exec", adapters.ENFORCEMENT), ("setup", adapters.POLICY)):
    for what in REPORTS:
        for how in adapters.MODES:
            label = f"{where}, {what}, " + ("PID 1" if how == "pid1" else "not PID 1")
            laz.case(f"a planted bug fails the suite, where it can be planted [{label}]")(
                lambda a=where, b=what, c=how, d=ends: judged(a, b, c, d))


def judged_helper(kind):
    """ship, narrowed, at its first look into a stream: reported each time, and nothing runs without a record."""
    world = World()
    world.trail = world.kept / f"planted-ship-{kind}.jsonl"
    world.sinks = [world.file_sink(path=str(world.trail))]
    failed = ""
    try:
        with world.start("say=up", "exit=7", ready=False) as run:
            laz.check_equal(str(run.wait(30)), f"exit {adapters.AUDIT if laz.sanitized() else 7}", f"the end: {run.stderr()}")
    except laz.Failed as why:
        failed = str(why)
    if laz.sanitized():
        laz.check(failed.startswith("a sanitizer reports: ") and REPORTS[kind] in failed, f"the suite did not fail of it: {failed!r}")
        laz.check("(lazaret-ship)" in failed if kind == "address" else "sanitized.c" in failed, f"not of ship: {failed}")
    else:
        laz.check_equal((failed, world.stream()), ("", b"up\n"), "without a sanitizer")


for what in REPORTS:
    laz.case(f"a planted bug fails the suite, where it can be planted [ship, {what}]")(lambda a=what: judged_helper(a))


if __name__ == "__main__":
    laz.main()
