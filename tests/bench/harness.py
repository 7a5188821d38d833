# SPDX-License-Identifier: Apache-2.0
"""What all benches share: the list of them, programs beside them, and how numbers and goals are printed."""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import fence  # noqa: E402
import laz  # noqa: E402

SMOKE = "--smoke" in sys.argv
MEMORY = pathlib.Path("/dev/shm")  # who writes, writes to a tmpfs: a disk would only measure itself
benches = {}
said = []
rows = []


def bench(name):
    """Put a function on the list; its first line says what it measures."""
    def register(function):
        benches[name] = function
        return function

    return register


def count(full, smoke):
    """How often: little of everything where only the benches themselves are tried."""
    return smoke if SMOKE else full


# --- programs -----------------------------------------------------------------------------------------


def timer():
    """bench/timer.c, built like the test programs."""
    folder = fence.build_folder()
    wire = folder / "bench-sources"
    wire.mkdir(exist_ok=True)
    for source in (HERE / "timer.c", fence.HERE / "probe" / "wire.c", fence.HERE / "probe" / "wire.h"):
        copy = wire / source.name
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            copy.write_bytes(source.read_bytes())
    return str(fence.compile_program("timer", ["timer.c", "wire.c"], wire, folder))


def small(name):
    """bench/NAME.c on musl: `least`, as small as an init can be; `writer`, a workload that logs."""
    target = fence.build_folder() / name
    source = HERE / f"{name}.c"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["musl-gcc", "-O2", "-static", "-s", str(source), "-o", str(target)], check=True)
    return str(target)


def small_go(name):
    """bench/NAME.go, a static program; None where there is no Go, of Debian's package golang-go."""
    beside = sorted(pathlib.Path("/usr/lib").glob("go-*/bin/go"))
    compiler = shutil.which("go") or (beside and str(beside[-1]))
    target = fence.build_folder() / f"{name}-go"
    if compiler and not target.exists():
        place = {"GOCACHE": str(fence.build_folder() / "go-cache"), "GO111MODULE": "off", "CGO_ENABLED": "0"}
        subprocess.run([compiler, "build", "-ldflags", "-s -w", "-o", target, HERE / f"{name}.go"], check=True, env=os.environ | place)
    return str(target) if compiler else None


def payload(argv, timeout, mode="nested"):
    """Run argv inside a fence and return what it printed, as JSON."""
    reader, writer = os.pipe()
    output = bytearray()
    with fence.Run(argv, mode, stdout=writer) as run:
        os.close(writer)
        end = time.monotonic() + timeout
        os.set_blocking(reader, False)
        while run.ended is None or output[-1:] != b"\n":
            run.pump(0.02)
            try:
                output += os.read(reader, 65536)
            except BlockingIOError:
                pass
            if run.ended is not None and run.ended.code != 0:
                raise laz.Failed(f"{argv[:3]} ended with {run.ended}: {run.stderr()[-400:]}")
            if time.monotonic() > end:
                raise laz.Failed(f"{argv[:3]} took more than {timeout} s: {run.describe()}")
    os.close(reader)
    return json.loads(output)


# --- printing -----------------------------------------------------------------------------------------


def quantiles(values):
    """(p10, p50, p90)"""
    ordered = sorted(values)
    at = lambda q: ordered[min(len(ordered) - 1, int(q * len(ordered)))]  # noqa: E731
    return at(0.1), statistics.median(ordered), at(0.9)


def say(text):
    said.append(text)
    print(text, flush=True)


def show(name, values, unit, against=None, scale=1.0):
    """One line: p50 (p10-p90), and the ratio to the medians of `against`."""
    low, middle, high = (x / scale for x in quantiles(values))
    ratio = f"{statistics.median(values) / statistics.median(against):6.2f} x" if against else " " * 8
    say(f"  {name:34s} {middle:10.2f} {unit:3s} ({low:.2f} - {high:.2f}) {ratio}")
    return statistics.median(values) / statistics.median(against) if against else middle


def goal(name, value, limit, unit="x"):
    """Print and remember whether a goal is met; 0 as a limit means none at all."""
    met = value <= limit
    rows.append((name, value, limit, unit, met))
    say(f"  goal: {name}: {value:.2f} {unit}, at most {limit:.4g} {unit}: {'met' if met else 'MISSED'}")
