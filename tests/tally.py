#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tally.py RESULTS.xml... broken:NAME...: add up what the tests of several builds counted themselves.

A CTest test is a whole program. Where it ends with its own count (Criterion's synthesis, or a line
"name: N passed, N failed, N skipped") that count is taken; where it does not, it counts as one. A program
that failed without counting a failure counts as one failure: a crash never looks like a pass.
"""
import os
import re
import sys
import xml.etree.ElementTree

COUNT = re.compile(r"^[\w.-]+: (\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
# "Failing" includes the crashes; a skipped test is in none of the numbers.
CRITERION = re.compile(r"Synthesis: Tested: (\d+) \| Passing: (\d+) \| Failing: \d+ \| Crashing: \d+")
CRITERION_SKIP = re.compile(r"^\[SKIP\] ", re.MULTILINE)


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


def main(arguments):
    totals = (0, 0, 0)
    for argument in arguments:
        name = argument.removeprefix("broken:")
        if name != argument:
            print(f"failed: {name}")
            totals = (totals[0], totals[1] + 1, totals[2])
            continue
        try:
            tests = list(xml.etree.ElementTree.parse(argument).getroot().iter("testcase"))
        except (OSError, xml.etree.ElementTree.ParseError):
            tests = []
        if not tests:
            print(f"failed: no results in {argument}")
            totals = (totals[0], totals[1] + 1, totals[2])
            continue
        for test in tests:
            counts = count(test.get("status"), test.findtext("system-out") or "")
            totals = tuple(a + b for a, b in zip(totals, counts))
            if counts[1] or counts[2]:
                print(f"{test.get('name')}: {counts[1]} failed, {counts[2]} skipped")
    passed, failed, skipped = totals
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    allowed = os.environ.get("LAZARET_ALLOW_SKIPS") == "1"
    return 1 if failed or not passed or (skipped and not allowed) else 0


if __name__ == "__main__":
    sys.exit(main([a for a in sys.argv[1:] if a]))
