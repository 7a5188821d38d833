#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tally.py RESULTS.xml... again:RESULTS.xml broken:NAME...: add up what the tests of several builds counted themselves.
tally.py --failed RESULTS.xml: the suites that are to be run again alone, a line each.

A CTest test is a whole program. Where it ends with its own count (Criterion's synthesis, or a line
"name: N passed, N failed, N skipped") that count is taken; where it does not, it counts as one. A program
that failed without counting a failure counts as one failure: a crash never looks like a pass.

Suites of whole programs (e2e_) share a machine with the rest, and a few look at a clock. One that failed is run twice
more, alone, by tests/run.sh; where both pass (again:, behind the results that it mends) its count is taken, and
it is named as unsteady: a defect of the suite or of the product, to be looked for. More than UNSTEADY of them are
no accident: then none is run again.
"""
import os
import re
import sys
import xml.etree.ElementTree

COUNT = re.compile(r"^[\w.-]+: (\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
# "Failing" includes the crashes; a skipped test is in none of the numbers.
CRITERION = re.compile(r"Synthesis: Tested: (\d+) \| Passing: (\d+) \| Failing: \d+ \| Crashing: \d+")
CRITERION_SKIP = re.compile(r"^\[SKIP\] ", re.MULTILINE)


UNSTEADY = 3  # at most, in one file of results


def count(status, output):
    """(passed, failed, skipped) of one CTest test."""
    passed = failed = skipped = 0
    counted = False
    for match in COUNT.finditer(output):
        counted = True
        passed, failed, skipped = (a + int(b) for a, b in zip((passed, failed, skipped), match.groups()))
    for match in CRITERION.finditer(output):
        counted = True
        tested, passing = map(int, match.groups())
        passed, failed = passed + passing, failed + tested - passing
        skipped += len(CRITERION_SKIP.findall(output))
    if not counted:
        return {"run": (1, 0, 0), "disabled": (0, 0, 1)}.get(status, (0, 1, 0))
    if status != "run" and not failed and not skipped:
        failed = 1
    return passed, failed, skipped


def counts_of(path):
    """The count of each test in a file of results, by name; empty where it has none."""
    try:
        tests = list(xml.etree.ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, xml.etree.ElementTree.ParseError):
        tests = []
    return {test.get("name"): count(test.get("status"), test.findtext("system-out") or "") for test in tests}


def failed_suites(counts):
    """Those that may be run again."""
    failed = [name for name, (_, failed, _) in counts.items() if failed]
    fit = len(failed) <= UNSTEADY and all(name.startswith("e2e_") for name in failed)
    return failed if fit else []


def main(arguments):
    if arguments[:1] == ["--failed"]:
        print("\n".join(failed_suites(counts_of(arguments[1]))))
        return 0
    results, broken = [], []
    for argument in arguments:
        kind, _, name = argument.rpartition(":")
        if kind == "broken":
            broken.append(name)
        elif kind == "again":
            counts, again = results[-1], counts_of(name)
            for suite in failed_suites(counts):
                if suite in again and again[suite][1:] == (0, 0):
                    print(f"unsteady: {suite} failed beside the others ({counts[suite][1]} failed) and passed alone, twice")
                    counts[suite] = again[suite]
        else:
            results.append(counts_of(argument))
            if not results[-1]:
                broken.append(f"no results in {argument}")
    for name in broken:
        print(f"failed: {name}")
    for counts in results:
        for name, (_, failed, skipped) in counts.items():
            if failed or skipped:
                print(f"{name}: {failed} failed, {skipped} skipped")
    every = [numbers for counts in results for numbers in counts.values()]
    passed, failed, skipped = (sum(numbers[i] for numbers in every) for i in range(3))
    failed += len(broken)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    allowed = os.environ.get("LAZARET_ALLOW_SKIPS") == "1"
    return 1 if failed or not passed or (skipped and not allowed) else 0


if __name__ == "__main__":
    sys.exit(main([a for a in sys.argv[1:] if a]))
