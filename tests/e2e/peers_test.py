# SPDX-License-Identifier: Apache-2.0
"""Lazaret beside Debian's tini, dumb-init and catatonit: the same situations, the verdicts in one table.

What the three agree on must hold for Lazaret, or be better by the row's own scale, or be explained. A row in
which Lazaret is not best must be explained. The table is published; `peers_test.py --write` writes it, and
without it this suite fails when the published verdicts are not those that it sees.
"""
import sys

import adapters
import laz
import scenarios as s

PAGE = laz.ROOT / "docs" / "explanation" / "compared-with-other-inits.md"
NAMES = ["Lazaret", "tini", "dumb-init", "catatonit"]


class Row:
    """One behaviour. scale: verdicts from best to worst; what is not in it is worse than all of it."""

    def __init__(self, title, scenario, scale, why="", modes=("pid1",)):
        self.title, self.scenario, self.scale, self.why, self.modes = title, scenario, scale, why, modes

    def rank(self, verdict):
        return self.scale.index(verdict) if verdict in self.scale else len(self.scale)


BOTH = ("pid1", "nested")
ROWS = [
    ("Exit status", [
        Row("exit codes", s.exit_codes, ["kept"], modes=BOTH),
        Row("death of the workload by signal n", s.death_by_signal, ["128+n"], modes=BOTH),
        Row("workload killed from outside", s.killed_workload, ["exit 137"], modes=BOTH),
        Row("missing file / file that is not executable / file without a format", s.exec_failures,
            ["127/126/126"], modes=("pid1",)),
        Row("SIGCHLD ignored on entry, the workload exits 7", s.child_signal_ignored, ["exit 7"], modes=BOTH),
        Row("SIGCHLD blocked on entry, the workload exits 7", s.child_signal_blocked, ["exit 7"]),
        Row("every signal blocked on entry, TERM, the workload exits 7", s.everything_blocked, ["exit 7"]),
        Row("children that were there before, the workload exits 7", s.inherited_children, ["exit 7"]),
        Row("5,000 orphans end in the tick of the workload's exit 42", s.storm_status, ["exit 42"]),
        Row("workload stopped and continued", s.stopped_workload, ["waited for"]),
    ]),
    ("Signals", [
        Row("standard signals forwarded", s.forwards_standard, ["all"], modes=BOTH),
        Row("TSTP, TTIN, TTOU forwarded", s.forwards_job_control, ["all"]),
        Row("real-time signals forwarded", s.forwards_real_time, ["all"]),
        Row("payload of sigqueue()", s.keeps_payload, ["kept"]),
        Row("50 queued real-time signals", s.keeps_queue_count, ["50 of 50"]),
        Row("TERM right after init listens", s.term_after_armed, ["none lost"]),
        Row("TERM while the workload's exec is held up", s.term_while_starting, ["never starts", "starts"]),
        Row("second TERM", s.repeated_stop, ["forwarded"]),
        Row("init may not signal the workload", s.forward_not_permitted, ["survives"]),
        Row("signal that arrives behind 5,000 zombies", s.storm_overtaken, ["signal first", "zombies first"]),
        Row("TERM that the workload sends to init", s.signal_from_workload, ["not a stop", "sent back"],
            "A workload must not be able to stop the process that confines it. A stop signal counts from outside the "
            "PID namespace and, where init is not PID 1, from its parent; from anyone else it is an event."),
    ]),
    ("Stopping", [
        Row("workload that ignores TERM", s.deaf_workload, ["killed after the grace time", "lives on"], modes=BOTH),
        Row("stray of the workload's group", s.strays_in_group, ["TERM, and time to leave"], modes=BOTH),
        Row("stray of another group", s.strays_in_new_group, ["TERM, and time to leave"]),
        Row("double-forked stray of another session", s.strays_in_session, ["TERM, and time to leave"],
            modes=BOTH),
        Row("stray that is stopped", s.strays_stopped, ["TERM, and time to leave"]),
        Row("stray that ignores TERM", s.strays_deaf, ["TERM, then SIGKILL", "killed at once"]),
        Row("nothing left to wait for", s.quick_exit, ["at once"], modes=BOTH),
    ]),
    ("What the workload starts with", [
        Row("clean mask and dispositions", s.clean_mask_stays_clean, ["clean"]),
        Row("inherited mask and ignored signals", s.workload_mask, ["all reset", "inherited"],
            "Reset is predictable, and immune to what a caller left behind; a program that wants a signal ignored "
            "says so itself."),
        Row("process group", s.own_process_group, ["group", "session"]),
        Row("descriptors that init was given beside 0-2", s.extra_descriptors, ["closed"],
            "A descriptor that nobody declared is a way out of the confinement. Socket activation by inherited "
            "descriptors is therefore not passed on."),
        Row("environment", s.environment_kept, ["declared ones only", "all passed on"],
            "The policy names the variables; everything else may be a secret that the workload has no need of."),
        Row("terminal: foreground, and how often ^C arrives", s.foreground, ["^C 1 time"]),
        Row("terminal: started in the background", s.background, ["left alone", "taken"]),
    ]),
    ("What init itself holds", [
        Row("end of a pipe that the workload closed", s.init_holds_descriptors, ["end seen", "held open"]),
        Row("directory it was started in", s.init_keeps_directory, ["leaves it", "stays in it"]),
        Row("secrets of the environment in /proc/1/environ", s.secrets_in_init, ["gone", "kept"]),
        Row("what a process of its own uid can read of it", s.pries, ["nothing"]),
        Row("idle wake-ups", s.wakes_up, ["never", "yes"]),
    ]),
    ("Poor surroundings", [
        Row("no /proc", s.no_proc, ["works"],
            "What was enforced is read back from /proc before the workload may start. Without it there is no proof, "
            "so Lazaret refuses with exit code 108 and names the reason; it never runs unproved."),
        Row("RLIMIT_NOFILE 3", s.three_descriptors, ["works"],
            "Nobody starts here. Lazaret says why, with exit code 108; it needs 16 descriptors while it starts."),
        Row("RLIMIT_NOFILE 16", s.sixteen_descriptors, ["works"]),
        Row("read-only root", s.read_only_root, ["works"]),
        Row("signalfd answers ENOSYS", s.no_signalfd, ["works"]),
        Row("descriptors 0, 1 and 2 closed", s.closed_standard_descriptors, ["works"]),
        Row("orphans", s.orphans_when_not_first, ["adopted"], modes=BOTH),
        Row("`INIT sh -c ...` without `--`", s.options_of_the_workload, ["works"]),
    ]),
]

INTRODUCTION = """<!-- SPDX-License-Identifier: Apache-2.0 -->
# Compared with other inits

Lazaret stands where tini, dumb-init or catatonit would stand. This page puts the four into the same
situations and writes down what each does. It is generated: `tests/e2e/peers_test.py --write` runs every row
against Debian 12's packages (tini 0.19.0, dumb-init 1.2.5, catatonit 0.1.7) and a Lazaret that enforces a
policy based on `builtin/web-api`, and the test suite fails when this page says anything else than what it
sees.

Two rules hold for the table. What the three others agree on holds for Lazaret too, unless Lazaret does better
or a note says why not. Where Lazaret is not the best of the row, a note says why. A row that ends in
"(not PID 1)" is about an init that somebody else started; the other rows are about PID 1.

The comparison is not quite fair to the others: they confine nothing and promise less. It is about what an
image would notice when its `ENTRYPOINT` changes.
"""

seen = {}


def verdicts(row, mode):
    """Each init's verdict, asked once."""
    key = (row.title, mode)
    if key not in seen:
        inits = [adapters.LAZARET, *adapters.PEERS.values()]
        for init in inits:
            if not init.installed():
                laz.skip(f"{init.name} is not installed: {init.base[0]}")
        seen[key] = [row.scenario(init, mode) for init in inits]
    return seen[key]


def label(row, mode):
    return row.title + (" (not PID 1)" if mode == "nested" else "")


def judge(row, mode):
    mine, *theirs = verdicts(row, mode)
    agreed = theirs[0] if len(set(theirs)) == 1 else None
    if agreed is not None and mine != agreed:
        laz.check(row.rank(mine) < row.rank(agreed) or row.why,
                  f"tini, dumb-init and catatonit agree on {agreed!r}; Lazaret: {mine!r}")
    best = min(row.rank(v) for v in theirs)
    laz.check(row.rank(mine) <= best or row.why, f"Lazaret: {mine!r}, the others: {theirs}, and no explanation")


def cell(verdict):
    return verdict.replace("|", "\\|")


def notes():
    """The explanations that the verdicts ask for, in the order of the table."""
    found = []
    for _, rows in ROWS:
        for row in rows:
            if row.why:
                found.append(row)
    return found


def page():
    """The whole page, from what this run saw."""
    out = [INTRODUCTION]
    explained = notes()
    for heading, rows in ROWS:
        out += [f"## {heading}", "", "| | " + " | ".join(NAMES) + " |", "|---" * (len(NAMES) + 1) + "|"]
        for row in rows:
            for mode in row.modes:
                mark = f" [{explained.index(row) + 1}]" if row in explained else ""
                out.append(f"| {label(row, mode)}{mark} | " + " | ".join(cell(v) for v in verdicts(row, mode)) + " |")
        out.append("")
    out += ["## Notes", ""]
    out += [f"{i}. *{row.title}*: {row.why}" for i, row in enumerate(explained, 1)]
    return "\n".join(out) + "\n"


for _, group in ROWS:
    for one in group:
        for place in one.modes:
            laz.case(f"{one.title} [{'PID 1' if place == 'pid1' else 'not PID 1'}]")(
                lambda one=one, place=place: judge(one, place))


@laz.case("the published table says what was seen")
def published():
    """The verdicts in the published page are those that this run saw; the words around them are free."""
    laz.check(PAGE.exists(), f"{PAGE} is not there; write it with --write")
    rows = [line for line in page().splitlines() if line.startswith("| ")]
    there = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    for line in rows:
        laz.check(line in there, f"not what is published: {line}")
    laz.check_equal(len(there), len(rows), "rows of the published tables")


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page())
        print(f"wrote {PAGE.relative_to(laz.ROOT)}")
        sys.exit(0)
    laz.main()
