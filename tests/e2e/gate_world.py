# SPDX-License-Identifier: Apache-2.0
"""The gate's golden inputs (tests/data/gate), with times that are now, and changed as a case says."""
import copy
import datetime
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import atexit
import shutil

import laz
from laz import check, check_equal

LAZARET = (laz.BIN / "lazaret").resolve()
DATA = laz.ROOT / "tests" / "data" / "gate"
TOP = pathlib.Path(tempfile.mkdtemp(prefix="lazaret-gate-"))
atexit.register(shutil.rmtree, TOP, ignore_errors=True)
CODES = {"pass": 0, "fail": 10, "inconclusive": 11}

# The options of a whole run, and the golden file of each.
WHOLE = {
    "promote": [("--config", "rollout.yaml"), ("--health", "health-green.json"), ("--tasks", "tasks.json"),
                ("--target-health", "targets-green.json"), ("--target-health", "portal-blue=targets-blue.json"),
                ("--rules", "rules-before.json"), ("--rules", "listeners.json"), ("--eb-health", "eb-health.json"),
                ("--volumes", "volumes.json"), ("--baseline", "baseline.json")],
    "verify": [("--config", "rollout.yaml"), ("--health", "health-green.json"), ("--tasks", "tasks.json"),
               ("--target-health", "targets-green.json"), ("--rules", "rules-after.json"),
               ("--eb-health", "eb-health.json"), ("--volumes", "volumes.json"), ("--baseline", "baseline.json")],
    "retire": [("--config", "retire.yaml"), ("--health", "health-blue.json"),
               ("--target-health", "portal-blue=targets-blue.json"),
               ("--target-health", "portal-green=targets-green.json"), ("--rules", "rules-after.json"),
               ("--protection", "protection.json")],
}


def moment(seconds):
    """Now and so many seconds, as the aws command line writes times."""
    at = datetime.datetime.fromtimestamp(time.time() + seconds, datetime.timezone.utc)
    return at.isoformat(timespec="milliseconds")


def health_moment(seconds):
    """The same, as health documents have it."""
    at = datetime.datetime.fromtimestamp(time.time() + seconds, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def golden():
    """Every file by name: documents of JSON, text of YAML."""
    return {p.name: json.loads(p.read_text()) if p.suffix == ".json" else p.read_text()
            for p in sorted(DATA.iterdir())}


GOLDEN = golden()


def written(document):
    if isinstance(document, bytes):
        return document
    text = document if isinstance(document, str) else json.dumps(document)
    text = re.sub(r"\{(-?\d+)\}", lambda m: moment(int(m[1])), text)
    return re.sub(r"\{(-?\d+)Z\}", lambda m: health_moment(int(m[1])), text).encode()


class Inputs:
    """A folder of golden inputs; `change` gets a copy of them all, and may change any."""

    def __init__(self, change=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=TOP))
        self.files = copy.deepcopy(GOLDEN)
        if change:
            change(self.files)
        for name, document in self.files.items():
            if document is not None:
                (self.folder / name).write_bytes(written(document))

    def age(self, name, seconds):
        at = time.time() - seconds
        os.utime(self.folder / name, (at, at))

    def run(self, mode, words, expect=None):
        """The finished process; the code is one of the gate's."""
        done = subprocess.run([LAZARET, "gate", mode, *map(str, words)], cwd=self.folder, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, check=False)
        laz.check_no_report(done.stderr)
        if expect is not None:
            check_equal(done.returncode, expect, f"exit code of gate {mode} {words}: {done.stdout}{done.stderr}")
        check(done.returncode in (0, 10, 11, 2), f"{words}: exit code {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def whole(self, mode, without=(), more=()):
        """All options of a gate but some, as words."""
        pairs = [p for p in WHOLE[mode] if p not in without]
        return [word for pair in pairs for word in pair] + list(more)

    def evidence(self, mode, without=(), more=(), words=None):
        """What it says in JSON, of a run whose code is that of its verdict."""
        words = self.whole(mode, without, more) if words is None else words
        done = self.run(mode, [*words, "--format", "json"])
        said = json.loads(done.stdout)
        check_equal(done.returncode, CODES[said["verdict"]], "code of the verdict")
        return said


def rows_of(said, check_name):
    return [r for r in said["checks"] if r["check"] == check_name]


def expect_row(said, check_name, target, result, words=""):
    """There is a row of that check, whose target and text hold these words, with that result."""
    found = [r for r in rows_of(said, check_name) if target in r["target"]]
    check(any(r["result"] == result and words in r["observed"] for r in found),
          f"no row {check_name} {target} {result} {words!r} in {found or said['checks']}")
