#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coverage.py [--build DIR] [--keep] [FOLDER...]: which functions, lines and branches no test reaches.

Builds the preset `coverage`, runs its unit tests and suites, and prints what gcov counted of the folders (by default
PID 1, its child and the three libraries that decide what is allowed). --keep: only print what is there already.
Not a test and not a number to reach: a list to read.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ["init", "lib/confine", "lib/filter", "lib/policy"]
# Which keep their counters in files: instrument/counted.c.
PROGRAMS = ("lazaret", "lazaret-helper", "lazaret-init", "lazaret-setup")


def measure(build):
    """Run everything once, from zero."""
    subprocess.run(["cmake", "--preset", "coverage", "-B", build, "-DBUILD_TESTING=ON"], cwd=ROOT, check=True)
    subprocess.run(["cmake", "--build", build], cwd=ROOT, check=True)
    for old in [*build.rglob("*.gcda"), *(build / "counters").iterdir()]:
        old.unlink()
    subprocess.run(["ctest", "--test-dir", build, "-L", "^(unit|e2e)$", "-j", str(os.cpu_count())], check=False)
    for program in PROGRAMS:
        subprocess.run([build / "bin" / program, "--write-counters"], check=True)


class File:
    """What was counted of one source, in all programs that have it."""

    def __init__(self):
        self.functions, self.lines, self.branches = collections.Counter(), collections.Counter(), {}

    def add(self, counted):
        for function in counted["functions"]:
            self.functions[function["name"]] += function["execution_count"]
        for line in counted["lines"]:
            self.lines[line["line_number"]] += line["count"]
            found = [branch["count"] for branch in line["branches"]]
            known = self.branches.setdefault(line["line_number"], found)
            if known is not found and len(known) == len(found):
                self.branches[line["line_number"]] = [a + b for a, b in zip(known, found)]


def read(build):
    """path -> File, for every source of the build that is the project's."""
    files = collections.defaultdict(File)
    for data in sorted(build.rglob("*.gcno")):
        done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", data], cwd=build,
                              capture_output=True, text=True, check=True)
        for text in done.stdout.splitlines():
            for counted in json.loads(text)["files"]:
                path = pathlib.Path(build, counted["file"]).resolve()
                if path.is_relative_to(ROOT) and not path.is_relative_to(build):
                    files[str(path.relative_to(ROOT))].add(counted)
    return files


def show(path, file):
    source = (ROOT / path).read_text(encoding="utf-8").splitlines()
    run = sum(count > 0 for count in file.lines.values())
    taken = [count > 0 for counts in file.branches.values() for count in counts]
    print(f"\n{path}: {run} of {len(file.lines)} lines, {sum(taken)} of {len(taken)} branches")
    for name, count in sorted(file.functions.items()):
        if count == 0:
            print(f"  never called: {name}")
    for number, count in sorted(file.lines.items()):
        counts = file.branches.get(number, [])
        if count == 0:
            print(f"  {number:4d} never    | {source[number - 1].strip()}")
        elif 0 in counts:
            missing = ",".join(str(i) for i, c in enumerate(counts) if c == 0)
            print(f"  {number:4d} no {missing:>2} of {len(counts)} | {source[number - 1].strip()}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "coverage")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("folder", nargs="*", default=FOLDERS)
    options = parser.parse_args()
    build = options.build.resolve()
    if not options.keep:
        measure(build)
    for path, file in sorted(read(build).items()):
        if path.endswith(".c") and path.startswith(tuple(folder + "/" for folder in options.folder)):
            show(path, file)


if __name__ == "__main__":
    main()
