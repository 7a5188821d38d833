# SPDX-License-Identifier: Apache-2.0
"""Escapes: every row of tests/attack, with and without Lazaret, in runc and docker.

The table is the program's own (`attack list`): which attempts have to work without Lazaret (the control),
what the workload has to see under Lazaret, and which event has to be raised. A control that does not work
is a failure: then the row proves nothing.
"""
import json
import sys

import area
import attempts
import engines
import laz
import rootfs
from attempts import ATTACK, POLICY, UID
from laz import case, check, check_equal

BYSTANDER = [ATTACK, "bystander"]
USER = f"{UID}:{UID}"
CANARY = "ATTACK_CANARY=1"

ENVIRONMENTS = {
    "R": "runc, as root", "r": "runc, as the user", "D": "docker, as root", "d": "docker, as the user",
    "P": "runc, all capabilities", "N": "runc, as root, no Landlock",
    "n": "runc, as the user, no Landlock", "X": "runc, as root, no exec budget"}

_made = {}


def once(make):
    """The result of make(), made at first use."""
    if make not in _made:
        _made[make] = make()
    return _made[make]


def rows():
    """The table, by id."""
    return attempts.table(area.run([area.program("attack"), "list"]).out)


def kernel():
    """What this kernel has, by the program's own probe."""
    return attempts.kernel_of(area.run([area.program("attack"), "kernel"]).out)


# ---- The container -----------------------------------------------------------------------------------


def attack_root(name="attack-root"):
    """The attacked image: our programs, a secret, and a folder that everybody may write."""
    root = rootfs.scratch_root(name)
    attack = area.program("attack")
    rootfs.put_users(root, UID)
    for path, content, mode, owner in attempts.image(attack):
        if content is None:
            rootfs.put_folder(root, path, mode, owner)
        else:
            rootfs.put(root, path, content, mode, owner)
    if (laz.BIN / "lazaret-init").exists():
        rootfs.put_lazaret(root)
        rootfs.put_libraries(root)
    return root


def fresh_root(letter, kind):
    """A root file system for one run: a control may destroy it."""
    return attack_root(f"root-{kind}-{letter}")


def image():
    """The same for docker, where each run has a layer of its own."""
    return once(engines.Docker).import_root(attack_root("root-docker"), "attack")


def under_lazaret(policy, words):
    """The command line of the init with one of the policies."""
    area.program("lazaret-init")
    return ["/lazaret-init", "--policy", policy, "--", *words]


def run_in(letter, words, kind, beside=True):
    """Run a command line in an environment: the Result."""
    helper = BYSTANDER if beside else None
    if letter in "Dd":
        options = ["--env", CANARY]
        if letter == "d":
            options += ["--user", USER]
        return once(engines.Docker).run(once(image), words, options=options, beside=helper,
                                        beside_user=USER)
    options = {"env": [CANARY], "beside": helper, "beside_user": USER, "leak": 2}
    if letter in "rn":
        options["user"] = USER
    if letter == "P":
        options.update(caps=engines.all_capabilities(), open_wide=True)
    if letter in "Nn":
        options["seccomp"] = engines.profile_without_landlock()
    return once(engines.Runc).run(fresh_root(letter, kind), words, **options)


# ---- Without Lazaret ---------------------------------------------------------------------------------


def not_built():
    """Rows that this kernel has no code for, so that they cannot have a control here."""
    result = run_in("P", [ATTACK, "run-beside"], "probe")
    return {i for i, (outcome, _) in attempts.outcomes_of(result.out).items() if outcome in attempts.NOT_BUILT}


def check_control(letter):
    """Every attempt that the table says works in this environment has to work."""
    result = run_in(letter, [ATTACK, "run-beside"], "control")
    check_equal(result.code, 0, f"exit code ({result.err.strip()})")
    seen = attempts.outcomes_of(result.out)
    table = once(rows)
    check_equal(set(seen), set(table), "rows")
    wrong = attempts.failed_controls(table, seen, letter, once(not_built))
    check(not wrong, "attempts that have to work without Lazaret did not:\n  " + "\n  ".join(wrong))


def declare_controls():
    for letter in "RrDdP":
        case(f"control: {ENVIRONMENTS[letter]}: what has to work without Lazaret works")(
            lambda letter=letter: check_control(letter))


# ---- With Lazaret ------------------------------------------------------------------------------------


def check_promises(letter, policy=POLICY, only=()):
    """Every outcome and every event as the table promises. Returns the events."""
    result = run_in(letter, under_lazaret(policy, [ATTACK, "run-beside", *only]), "lazaret")
    events, rest = engines.events_of(result.err)
    check_equal(result.code, 0, f"exit code ({' / '.join(rest)})")
    seen = attempts.outcomes_of(result.out)
    table = {i: row for i, row in once(rows).items() if not only or i in only}
    check_equal(set(seen), set(table), "rows")
    attempts.check_frame(events)
    wrong = attempts.broken_promises(table, seen, events, letter, once(kernel))
    check(not wrong, "promises not kept:\n  " + "\n  ".join(wrong))
    return events


def declare_promises():
    for letter in "RrDdPNn":
        case(f"Lazaret: {ENVIRONMENTS[letter]}: every attempt ends as promised, with its event")(
            lambda letter=letter: check_promises(letter))


@case("Lazaret: without an exec budget, no_new_privs and Landlock still stop programs")
def without_budget():
    check_promises("X", "/etc/lazaret/attack-exec.yaml", ("57", "62", "63", "64", "101"))


# ---- Landlock absent ---------------------------------------------------------------------------------


def degradations(letter):
    """What init.start names as degraded in an environment."""
    words = under_lazaret(POLICY, [ATTACK, "run", "93"])
    result = run_in(letter, words, "degraded", beside=False)
    events, rest = engines.events_of(result.err)
    check_equal(result.code, 0, f"exit code ({' / '.join(rest)})")
    attempts.check_frame(events)
    return events[0]["d"]["degraded"]


def check_landlock_named(without, with_it):
    named = degradations(without)
    check("landlock-absent" in named, f"not named: {named}")
    check("landlock-absent" not in degradations(with_it), "named although it is there")


@case("Landlock absent: preferred starts as root, and init.start says so")
def landlock_preferred():
    check_landlock_named("N", "R")


@case("Landlock absent: preferred starts as the user, and init.start says so")
def landlock_preferred_as_user():
    check_landlock_named("n", "r")


def check_landlock_required(run):
    """108, no row, and a sentence that names Landlock."""
    result = run(under_lazaret("/etc/lazaret/attack-required.yaml", [ATTACK, "run", "93"]))
    check_equal(result.code, 108, f"exit code ({result.err.strip()})")
    check_equal(attempts.outcomes_of(result.out), {}, "what the workload did")
    check("landlock" in result.err.lower(), f"no word about Landlock: {result.err!r}")


@case("Landlock absent: required refuses with 108 in runc, as root and as the user")
def landlock_required():
    for letter in "Nn":
        check_landlock_required(lambda words, letter=letter: run_in(
            letter, words, "required", beside=False))


@case("Landlock absent: required refuses with 108 in docker")
def landlock_required_in_docker():
    docker = once(engines.Docker)
    profile = area.root() / "no-landlock.json"
    profile.write_text(json.dumps(engines.profile_without_landlock()))
    check_landlock_required(lambda words: docker.run(
        once(image), words, options=["--security-opt", f"seccomp={profile}"]))


@case("Landlock present: required starts")
def landlock_required_present():
    words = under_lazaret("/etc/lazaret/attack-required.yaml", [ATTACK, "run", "93"])
    result = run_in("R", words, "present", beside=False)
    check_equal(result.code, 0, f"exit code ({result.err.strip()})")
    check_equal(attempts.outcomes_of(result.out)["93"][0], "ok", "row 93")


# ---- The table itself --------------------------------------------------------------------------------


NO_CONTROL = {
    "02": "Debian's kernels have no x32", "35": "an honest control would set the clock",
    "74": "this needs CAP_SYS_RESOURCE, which a machine may lack itself",
    "78": "no device with quotas", "86": "nobody knows this number", "87": "nor this one",
    "167": "needs a terminal: docker_test.py has it", "170": "no device with quotas",
    "217": "only kernels with Yama"}


@case("the table: 93 attempts of the facts, 20 more; who has no control has a reason")
def table_is_complete():
    table = once(rows)
    facts = [i for i in table if int(i) < 100]
    check_equal(facts, [f"{n:02}" for n in range(1, 94)], "rows of the facts")
    check(len(table) - len(facts) >= 20, f"only {len(table) - len(facts)} rows of our own")
    letters = set(ENVIRONMENTS) | {"-"}
    for row in table.values():
        check(set(row.control) <= set("RrDdP-"), f"{row.id}: control {row.control!r}")
        check(set(row.seen) <= letters, f"{row.id}: seen {row.seen!r}")
        check_equal(row.control == "-", row.id in NO_CONTROL, f"{row.id}: no control, but a reason")
        check((row.event == "-") == (row.seen == "-"), f"{row.id}: event without a place")


if __name__ == "__main__":
    if "--table" in sys.argv:  # what was seen, for whoever edits the table
        for env in "RrDdP":
            print(json.dumps({env: attempts.outcomes_of(run_in(env, [ATTACK, "run-beside"], "table").out)}))
        sys.exit(0)
    declare_controls()
    declare_promises()
    laz.main()
