# SPDX-License-Identifier: Apache-2.0
"""A container behind lazaret-shim whose policy has every helper but the tunnel's, for suites that need a real dockerd.

Must never look at a container that it did not start. Needs root.
"""
import json
import os
import time

import area
import laz
import shim_world as world
from laz import check

BASE = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text().replace("/app, ", "")
# Every helper but tunnel; a secret that is a file, and one that is a variable.
HELPERS = BASE.replace("pass: [PATH, TERM]", "pass: [PATH, TERM, PLAIN]").replace(
    "read: [/etc, /proc]", "read: [/etc, /proc, /run/secrets]") + """
sinks: [{name: trail, type: file, path: /trail/trail.jsonl, classes: [audit, ids, log], required: true}]
spool: {dir: /run/spool, max: 8MiB}
sense: {foreign: {level: preferred}}
health: {ready: {checks: [{name: up, exec: [/bin/true], every: 1s}]}}
secrets:
  items:
    - {name: token, from: {variable: TOKEN}, file: {path: token}}
    - {name: shown, from: {variable: SHOWN}, expose-in-environment: {variable: EXPOSED}}
"""


def until(found, what, seconds=60):
    """The first answer that is true."""
    end = time.monotonic() + seconds
    while not (answer := found()):
        check(time.monotonic() < end, f"no {what() if callable(what) else what}")
        time.sleep(0.1)
    return answer


class Served:
    """A container with every helper, by the shim."""

    def __init__(self, engine, *options, command=("sh", "-c", "while :; do sleep 1000; done"), owner=0):
        self.engine = engine
        self.folder = world.OPT / f"trail-{len(list(world.OPT.glob('trail-*')))}"
        self.folder.mkdir()
        os.chown(self.folder, owner, owner)  # root of the container, who may be none of the host
        self.name = engine.start("shell", command, options=[
            "--runtime", "lazaret", "--tmpfs", "/run:mode=0755", "-v", f"{self.folder}:/trail", "-e", "TOKEN=one-of-the-secrets",
            "-e", "SHOWN=another-secret", "-e", "PLAIN=1", *options])
        self.pid = engine.must("inspect", "--format", "{{.State.Pid}}", self.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.engine.call("rm", "--force", self.name)

    def inside(self, *words):
        """As root of the host, past the shim."""
        return area.run(self.engine.fence.command("nsenter", "-t", self.pid, "-m", "-p", "--", *words), env={"PATH": area.PATH})

    def probe(self, what="ready"):
        return self.inside("/.lazaret/lazaret-init", "probe", what)

    def ready(self):
        """Wait for it."""
        until(lambda: self.probe().code == 0, lambda: f"readiness: {self.probe()} {self.engine.call('logs', self.name)}")
        return self

    def processes(self):
        """Lazaret's in the container: {(pid, name)}. Not what launch has forked, which becomes a check each second."""
        lines = self.inside("/bin/busybox", "ps", "-o", "pid,ppid,comm").out.splitlines()
        found = [line.split() for line in lines if "lazaret" in line]
        launchers = {pid for pid, _, name in found if name == "lazaret-launch"}
        return {(pid, name) for pid, parent, name in found if parent not in launchers}

    def trail(self):
        return [json.loads(line) for line in (self.folder / "trail.jsonl").read_text().splitlines()]
