# SPDX-License-Identifier: Apache-2.0
"""Small test runner for end-to-end suites: cases, checks, counted skips.

A suite is a Python file that declares functions with @case("name") and ends with main().
Command line of a suite: [--long] [--list] [--but=SUBSTRING...] [NAME-SUBSTRING...].
The build under test is found through LAZARET_BIN (a directory), default build/release/bin.
"""
import ctypes
import functools
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("LAZARET_BIN", ROOT / "build" / "release" / "bin"))
LONG = "--long" in sys.argv
REPORT = re.compile(r"^.*(?:(?:Address|Leak|UndefinedBehavior)Sanitizer|runtime error: ).*", re.M)

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1

_cases = []


class Skip(Exception):
    """Raised by skip(): counted and printed, never silent."""


class Failed(AssertionError):
    """Raised by check()."""


class Beside:
    """A case that is under way while others are, in a process of its own, and is waited for at its place."""

    def __init__(self, name):
        flags = ["--beside", *(["--long"] if LONG else [])]
        self.process = subprocess.Popen([sys.executable, sys.argv[0], *flags, name], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __call__(self):
        said, _ = self.process.communicate()
        verdict = re.search(r": (\d+) passed, \d+ failed, (\d+) skipped\s*$", said)
        if verdict and verdict[2] != "0":
            skip(said.splitlines()[0].rpartition(": ")[2])
        if self.process.returncode != 0 or not verdict or verdict[1] != "1":
            raise Failed(said)


def case(name, beside=False):
    """Register a test case. The name is a claim: 'exit code 7 stays 7'. One that waits more than it works may be beside
    the others: it begins with the first of them."""

    def register(function):
        _cases.append((name, function, beside))
        return function

    return register


def check(condition, message):
    """Fail the running case with a message that says what was seen."""
    if not condition:
        raise Failed(message)


def check_equal(seen, expected, what):
    """Fail unless seen == expected, showing both."""
    if seen != expected:
        raise Failed(f"{what}: saw {seen!r}, expected {expected!r}")


def skip(reason):
    """Leave the running case; the summary counts it and the run fails unless allowed."""
    raise Skip(reason)


def check_no_report(text):
    """Fail if a sanitizer has reported in what a program under test wrote."""
    found = REPORT.search(text)
    if found:
        raise Failed(f"a sanitizer reports: {text[found.start():found.start() + 4000]}")


@functools.cache
def sanitized():
    """Whether the build under test is a sanitizer's."""
    return b"__asan_init" in (BIN / "lazaret-init").read_bytes()


@functools.cache
def instrumented():
    """Whether it is a sanitizer's or gcov's: then init is dynamic, and a runtime is in it."""
    return sanitized() or b"__gcov_" in (BIN / "lazaret-init").read_bytes()


def selected():
    """The cases that the command line asks for; a name that asks for, or leaves out, nothing is an error."""
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    left_out = [a.removeprefix("--but=") for a in sys.argv[1:] if a.startswith("--but=")]
    for word in wanted + left_out:
        if not any(word in name for name, *_ in _cases):
            sys.exit(f"no case is called \"{word}\"")
    return [(name, *rest) for name, *rest in _cases
            if (not wanted or any(w in name for w in wanted)) and not any(w in name for w in left_out)]


def part_from_the_network():
    """A network of the suite's own, with loopback alone: what suites beside this one listen on is not seen here. The
    process itself, before it has threads. Whoever may not do that shares the machine's."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) == 0:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def main():
    """Run the cases of the calling suite and exit 0 only if none failed or skipped.

    LAZARET_ALLOW_SKIPS=1 lets skips pass (a laptop without Docker); CI never sets it.
    """
    suite = pathlib.Path(sys.argv[0]).stem
    cases = selected()
    if "--list" in sys.argv:
        for name, *_ in cases:
            print(name)
        sys.exit(0)
    if "--beside" in sys.argv:  # it ends with the suite, also if that is killed
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    first = time.monotonic()
    besides = {name: Beside(name) for name, _, beside in cases if beside and len(cases) > 1}
    part_from_the_network()
    passed = failed = skipped = 0
    for name, function, _ in cases:
        began = first if name in besides else time.monotonic()
        function = besides.get(name, function)
        try:
            function()
        except Skip as reason:
            skipped += 1
            print(f"skip {suite}: {name}: {reason}", flush=True)
        except Failed as why:
            failed += 1
            print(f"FAIL {suite}: {name}: {why}", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL {suite}: {name}:\n{traceback.format_exc()}", flush=True)
        else:
            passed += 1
            print(f"ok   {suite}: {name} ({time.monotonic() - began:.2f} s)", flush=True)
    print(f"{suite}: {passed} passed, {failed} failed, {skipped} skipped", flush=True)
    allowed = os.environ.get("LAZARET_ALLOW_SKIPS") == "1"
    sys.exit(1 if failed or passed + skipped == 0 or (skipped and not allowed) else 0)
