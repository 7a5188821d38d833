# SPDX-License-Identifier: Apache-2.0
"""One system call after the other fails under lazaret-hook, where runc runs it: a container begins with all of its secrets and its record, or it does
not begin and the error has a name; the next one is as ever."""
import area
import faults
import hook_world as world
import laz
from hook_world import SECRETS
from laz import case, check, check_equal

LOOKS = {"getdents64", "openat2", "statfs", "stat", "lstat", "statx", "prctl", "close_range", "chdir"}  # each of them decides
ENTRIES = {"audit-create": "createRuntime", "secrets": "createContainer", "audit-end": "poststop"}
SCRIPT = f"cat {SECRETS}/db; echo; cat {SECRETS}/api.key; echo; echo x > {SECRETS}/new; echo ran"


class Traced:
    """Containers of which one hook runs under strace."""

    def __init__(self, verb):
        self.verb, self.runtime = verb, world.runtime("runc")
        self.strace = area.require_program("strace")
        self.trace = area.root() / f"trace-{verb}"
        self.runtime.set_up()

    def run(self, row=None):
        """Of a container: the Result, and what is new in the ledger."""
        self.trace.unlink(missing_ok=True)
        before = len(self.runtime.ledger())
        said = world.config(["/bin/sh", "-c", SCRIPT])
        (entry,) = said["hooks"][ENTRIES[self.verb]]
        words = ["strace", "-qq", "-o", str(self.trace), *(faults.injection(row) if row else []), str(world.hook()), *entry["args"][1:]]
        entry.update(path=str(self.strace), args=words, timeout=60)
        made = world.bundle(said)
        result, name = self.runtime.run(made)
        area.run(["rm", "-rf", made])
        left = self.runtime.host(f"/run/lazaret/{world.HASH}/{name}.json").exists()
        return result, self.runtime.ledger()[before:], left

    def check_whole(self, what, result, records, is_left):
        values = list(self.runtime.values.values())
        check_equal((result.code, result.out.split()), (0, [*values, "ran"]), f"{what}: {result}")
        check("Read-only file system" in result.err, f"{what}: {result}")
        check_equal([record["ev"] for record in records], ["hook.create", "hook.secrets", "hook.end"], what)
        check(not is_left, f"{what}: the record of an ended container is there")


def go_through(verb, judge_passed):
    """Each call of this hook. What begins is whole, what does not has a name."""
    traced = Traced(verb)
    mounts = traced.runtime.mounts()
    for _ in range(2):  # the first one makes folders
        traced.check_whole("the control", *traced.run())
    refused = n = 0
    for row in faults.rows(traced.trace):
        result, records, is_left = traced.run(row)
        line, what = faults.injected(traced.trace, row)
        check(line, f"{what}: it did not come to that: {result}")
        n += 1
        laz.check_no_report(result.err)
        if "ran" in result.out:
            check(verb == "audit-end" or row[0] not in LOOKS, f"{what}: what could not be looked at was taken for good")
            judge_passed(traced, what, result, records, is_left)
        else:
            check(result.code != 0 and result.out == "", f"{what}: {result}")
            check("lazaret-hook: error: " in result.err or line.startswith("write(2,"), f"{what}: {result}")
            refused += 1
        check_equal(traced.runtime.mounts(), mounts, f"{what}: mounts of the host")
        if n % 8 == 0:
            traced.check_whole(f"the next one behind {what}", *traced.run())
    print(f"     {verb}: {n} rows, {refused} refused by name")
    return refused


@case("secrets: the workload sees all of them, on a mount that nobody writes to, or does not begin")
def secrets():
    check(go_through("secrets", Traced.check_whole) > 0, "none was refused")


@case("audit-create: the container is recorded, or does not begin")
def begins():
    check(go_through("audit-create", Traced.check_whole) > 0, "none was refused")


@case("audit-end: what has ended is recorded, or the runtime is told by name that it is not")
def ends():
    def judge(traced, what, result, records, is_left):
        if "lazaret-hook: error: " not in result.err and "hook.end" not in [record["ev"] for record in records]:
            check(False, f"{what}: neither recorded nor told: {result} {records}")

    go_through("audit-end", judge)


if __name__ == "__main__":
    laz.main()
