# SPDX-License-Identifier: Apache-2.0
"""One container with secrets: a tmpfs, a policy, an init inside the fence, and a helper fetch that does as it is told.

The helper (secrets/fetch.c) stands in for the role, so that each of its failures can be had; the real one has suites of
its own. The workload is Python as the workload's user; it writes what it has seen into world.seen.
"""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess

import adapters
import fence
import laz
import ship_world
from laz import check

HERE = pathlib.Path(__file__).resolve().parent
FETCH = "lazaret-fetch"

class World:
    """A folder, a tmpfs below it, and the programs with a fetch that behaves so, so often."""

    _count = 0

    def __init__(self, items, values, how="good", times=0, size="1m", changes=None, sinks=(), real=False):
        World._count += 1
        self.folder = fence.scratch() / f"secrets-{World._count}"
        self.folder.mkdir()
        self.folder.chmod(0o777)
        self.kept = fence.scratch() / f"kept-{World._count}"  # sources and the trail: the workload may write in the other
        self.kept.mkdir(mode=0o755)
        self.items, self.changes, self.sinks = items, changes or {}, list(sinks)
        self.disk = ship_world.Disk(self.folder / "tmpfs", size)
        subprocess.run([*self.disk.wrapper, "mount", "-t", "tmpfs", "none", "/run"], check=True)  # for the control socket
        self.dir = self.folder / "tmpfs" / "secrets"
        self.seen_path, self.marker, self.trail = self.folder / "seen.json", self.folder / "ran", self.kept / "trail.jsonl"
        self.bin = laz.BIN if real else self._programs(values, how, times)

    def _programs(self, values, how, times):
        folder = self.folder / "bin"
        (folder / "values").mkdir(parents=True)
        for name, target in (("lazaret-init", "lazaret-init"), ("lazaret-setup", "lazaret-setup"), ("lazaret-helper", "real")):
            shutil.copy(laz.BIN / name, folder / target)
        out = fence.build_folder()
        shutil.copy(fence.compile_program("secrets-fetch", ["fetch.c"], HERE / "secrets", out), folder / "lazaret-helper")
        for number, value in values.items():
            (folder / "values" / str(number)).write_bytes(value)
        (folder / "do").write_text(f"{how} {times}\n")
        (folder / "count").write_text(f"{len(self.items)}\n")
        return folder

    def starts(self):
        """How often fetch has been started."""
        path = self.bin / "seen"
        return len(path.read_bytes()) if path.exists() else 0

    def policy(self):
        base = adapters.Lazaret.policy({
            "name": "secrets-start", "workload": {"exec-budget": -1, "cwd": "/"},
            "shutdown": {"grace": "2s", "drain": "200ms"},
            "secrets": {"dir": str(self.dir), "start-deadline": "5s", "items": self.items}})
        if self.sinks:
            base = adapters.merged(base, {"sinks": self.sinks, "spool": {
                "dir": str(self.kept / "run" / "spool"), "max": "16MiB", "segment": "1MiB"}})
        return adapters.merged(base, self.changes)

    @contextlib.contextmanager
    def start(self, then="pass", mode="pid1", conditions=(), numbers=(), env=None, wrapper=(), options=(), **rest):
        """init with the workload that looks, and then executes `then`."""
        words = ["/usr/bin/python3", str(HERE / "secrets" / "look.py"), str(self.dir), str(self.seen_path), ",".join(map(str, numbers)),
                 str(self.marker), then]
        events = [] if self.sinks else ["--events", str(self.folder / "events")]
        command = [str(self.bin / "lazaret-init"), "--policy", adapters.Lazaret.image(self.policy()), *events, *options, "--",
                   *words]
        with fence.Run(command, "pid1" if mode == "pid1" else "nested", conditions, env,
                       wrapper=(*self.disk.wrapper, *wrapper), **rest) as run:
            self.run = run
            yield run

    def outcome(self, *args, timeout=20, **rest):
        """Exit code and stderr of a run that ends by itself."""
        with self.start(*args, **rest) as run:
            code = run.wait(timeout).code
            return code, run.stderr()

    def seen(self, timeout=15):
        """What the workload has seen."""
        ship_world.until(lambda: self.seen_path.exists() or self.run.has_ended(0.01),
                         lambda: f"workload: {self.run.describe()}", timeout)
        check(self.seen_path.exists(), f"the workload has not looked: {self.run.describe()}")
        return json.loads(self.seen_path.read_text())

    def records(self, ev=None):
        path = self.trail if self.sinks else self.folder / "events"
        whole, _, _ = path.read_text().rpartition("\n") if path.exists() else ("", "", "")  # the last one may still be written
        lines = whole.splitlines()
        return [r for r in map(json.loads, lines) if ev is None or r["ev"] == ev]

    def left(self):
        """Everything that lies on the tmpfs, as a path below the folder of the secrets."""
        folder = self.disk.seen(self.dir)
        return sorted(str(pathlib.Path(top, name).relative_to(folder))
                      for top, folders, names in os.walk(folder) for name in [*folders, *names])

    def pid(self, name):
        """Host pid of one of init's processes."""
        return next((p for p in self.run.children() if fence.comm(p) == name and fence.state(p) not in "ZX"), None)

    def lazaret(self, *words, wrapper=()):
        """The command, as somebody in the container would run it: exit code, output, errors."""
        run = getattr(self, "run", None)
        inside = ["nsenter", "-t", str(run.pid), "-p", "-m", "--"] if run and run.pid and run.ended is None else self.disk.wrapper
        done = subprocess.run([*inside, *wrapper, laz.BIN / "lazaret", *words], capture_output=True, text=True,
                              check=False, timeout=30)
        return done.returncode, done.stdout, done.stderr

    def close(self):
        self.disk.__exit__()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
