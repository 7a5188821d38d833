# SPDX-License-Identifier: Apache-2.0
"""The table of tests/attack, read: what each attempt promises, and what of that was not kept.

Knows nothing of engines or guests: whoever ran the program brings its output and init's events. The
environments' letters are those of tests/attack/rows.def.
"""
import laz
from laz import check, check_equal

ATTACK = "/bin/attack"
POLICY = "/etc/lazaret/attack.yaml"
# The limit on processes counts a user's processes on the whole machine, so this user is nobody else's.
UID = 10693

# What the kernel says of things that it was built without.
NOT_BUILT = ("ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT")


def image(attack):
    """What the attacked root file system holds beside Lazaret: (path, content, mode, owner) of each file.

    The content is text or a Path to copy; a folder has none.
    """
    root = (0, 0)
    yield ATTACK, attack, 0o755, root
    yield "/bin/attack-setuid", attack, 0o4755, root
    yield "/secret", "secret\n", 0o644, root
    yield "/etc/app.conf", "configured\n", 0o644, root
    yield "/etc/lazaret/victim.yaml", "version: 1\n", 0o644, root
    yield "/app/data", attack, 0o644, root
    yield "/data", None, 0o777, root
    yield "/data/file", "data\n", 0o666, (UID, UID)
    yield "/data/victim", "data\n", 0o666, root
    for policy in sorted((laz.ROOT / "tests/data/policies").glob("attack*.yaml")):
        yield f"/etc/lazaret/{policy.name}", policy, 0o644, root
    # Without the program under test the controls still need a file to attack.
    yield "/lazaret-init", attack, 0o755, root


class Row:
    """A line of `attack list`."""

    def __init__(self, line):
        (self.id, self.name, self.proves, self.control, self.promise, self.exceptions, self.event,
         self.seen) = line.split("\t")

    def promised(self, letter, kernel):
        """The outcome that is promised in an environment, given what the kernel has."""
        outcome = self.promise
        for exception in self.exceptions.split(";"):
            where, _, what = exception.partition("=")
            letters, _, abi = where.partition("<")
            if where == "mdwe":
                applies = kernel["mdwe"] == 0
            else:
                applies = (not letters or letter in letters) and (
                    not abi or kernel["landlock"] < int(abi))
            if what and applies:
                outcome = what
        return outcome

    def events(self, letter):
        """The events that are promised in an environment."""
        if self.event == "-" or letter not in self.seen:
            return set()
        return {self.event}


def table(text):
    """What `attack list` printed: the rows by id."""
    found = [Row(line) for line in text.splitlines() if not line.startswith("#")]
    return {row.id: row for row in found}


def kernel_of(text):
    """What `attack kernel` printed: what the promises depend on."""
    return {name: int(value) for name, _, value in (word.partition("=") for word in text.split())}


def outcomes_of(text):
    """What `attack run` printed: id to (outcome, process id)."""
    seen = {}
    for line in text.splitlines():
        words = line.split("\t")
        if len(words) == 4:
            seen[words[0]] = (words[2], int(words[3]))
    return seen


def has_worked(outcome):
    """Whether an attempt did what it set out to do."""
    return outcome == "ok" or outcome.startswith(("leaked:", "held:"))


def failed_controls(rows, seen, letter, absent):
    """The attempts that have to work without Lazaret in an environment and did not, as sentences.

    absent: rows that this kernel has no code for, so that they cannot have a control.
    """
    wrong = []
    for row in rows.values():
        outcome = seen[row.id][0]
        if letter not in row.control or has_worked(outcome):
            continue
        if row.id in absent or outcome == "n/a":
            print(f"     control: {row.id} {row.name}: not in this kernel ({outcome})")
            continue
        wrong.append(f"{row.id} {row.name}: {outcome}")
    return wrong


def events_by_row(events, seen):
    """Lay each refusal beside the attempt whose process, or whose child, it came from."""
    starts = sorted((pid, i) for i, (_, pid) in seen.items())
    found = {i: set() for i in seen}
    for event in events:
        kind = {"seccomp.deny": "deny", "exec.budget": "budget"}.get(event["ev"])
        before = [i for pid, i in starts if pid <= event["pid"]]
        if kind is None:
            continue
        where = found[before[-1]] if before else found.setdefault("before the first", set())
        where.add(f"{kind}:{event['obj']}")
    return found


def event_fits(promised, raised):
    """The same set, where an object of * stands for any."""
    if len(promised) != len(raised):
        return False
    return all(any(p == r or (p.endswith(":*") and r.startswith(p[:-1])) for r in raised)
               for p in promised)


def check_frame(events):
    """The first and the last event, and that none is missing between them."""
    check(events, "no events at all")
    check_equal(events[0]["ev"], "init.start", "first event")
    check_equal(events[-1]["ev"], "init.stop", "last event")
    numbers = [event["seq"] for event in events]
    check_equal(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "sequence numbers")


def broken_promises(rows, seen, events, letter, kernel):
    """Every outcome and every event that is not as the table promises it, as sentences."""
    raised = events_by_row(events, seen)
    wrong = []
    for row in rows.values():
        outcome, promised = seen[row.id][0], row.promised(letter, kernel)
        if outcome != promised and outcome != "n/a":
            wrong.append(f"{row.id} {row.name}: saw {outcome}, promised {promised}")
        if outcome != "n/a" and not event_fits(row.events(letter), raised[row.id]):
            wrong.append(f"{row.id} {row.name}: raised {sorted(raised[row.id])}, "
                         f"promised {sorted(row.events(letter))}")
    if raised.get("before the first"):
        wrong.append(f"before the first attempt: {sorted(raised['before the first'])}")
    return wrong
