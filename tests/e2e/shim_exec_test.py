# SPDX-License-Identifier: Apache-2.0
"""What comes into a running container behind lazaret-shim, whose policy has helpers: a command, a health command, ECS Exec.

By a real dockerd. Each claim has its control: the same by runc alone, or with the rule the other way round.
"""
import json
import os
import pathlib
import subprocess
import time

import area
import engines
import laz
import rootfs
import shim_world as world
from laz import case, check, check_equal
from shim_world import SHIM, configure

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
AGENT = "/ecs-execute-command-0123/amazon-ssm-agent"
STATUS = ["cat", "/proc/self/status"]
_made = {}


def prepare(**policies):
    """The host, and each of these policies in its place; the first is the default."""
    area.require_program("runc")
    world.host()
    world.install(**policies)
    configure(f"version: 1\nruntime: /usr/sbin/runc\ndefault-policy: {next(iter(policies))}\naudit: {{file: {world.OPT}/audit/host.jsonl}}\n")


def docker():
    """A daemon that knows the shim by name, and an image that knows nothing of Lazaret."""
    world.host()
    if "docker" not in _made:
        _made["docker"] = engines.Docker(["--add-runtime", f"lazaret={SHIM}"])
        _made["docker"].import_root(rootfs.busybox_root("shim-exec"), "shell", "ENV PATH=/bin:/usr/bin")
    return _made["docker"]


def until(found, what, seconds=60):
    """The first answer that is true."""
    end = time.monotonic() + seconds
    while not (answer := found()):
        check(time.monotonic() < end, f"no {what() if callable(what) else what}")
        time.sleep(0.1)
    return answer


def status_of(text):
    """The lines of /proc/self/status."""
    return {k: v.strip() for k, v in (line.split(":", 1) for line in text.splitlines() if ":" in line)}


def check_confined(text, what):
    """As the policy says."""
    status = status_of(text)
    check("Uid" in status, f"{what}: {text!r}")
    check_equal(status["Uid"].split(), [str(rootfs.APP_UID)] * 4, f"{what}: uids")
    for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        check_equal(int(status[caps], 16), 0, f"{what}: {caps}")
    check_equal((status["NoNewPrivs"], status["Seccomp"], status["Seccomp_filters"]), ("1", "2", "2"), f"{what}: filters")


class Served:
    """A container with every helper, by the shim."""

    def __init__(self, engine, *options, command=("sh", "-c", "while :; do sleep 1000; done")):
        self.engine = engine
        self.folder = world.OPT / f"trail-{len(list(world.OPT.glob('trail-*')))}"
        self.folder.mkdir()
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
        """Lazaret's in the container: {(pid, name)}."""
        lines = self.inside("/bin/busybox", "ps", "-o", "pid,comm").out.splitlines()
        return {tuple(line.split()) for line in lines if "lazaret" in line}

    def trail(self):
        return [json.loads(line) for line in (self.folder / "trail.jsonl").read_text().splitlines()]


@case("a container with sinks, health, sense and secrets: execs are confined, two at once, and its helpers do not notice")
def undisturbed():
    engine = docker()
    prepare(shell=HELPERS)
    with Served(engine).ready() as it:
        before = it.processes()
        names = {name for _, name in before}
        for role in ("ship", "sense", "health", "launch"):
            check(f"lazaret-{role}" in names, f"the control: no {role} among {names}")
        first = subprocess.Popen([engine.path, "exec", "-i", it.name, "sh", "-c", "echo in; cat; exit 7"], env=engine.env, text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check_equal(first.stdout.readline(), "in\n", "the first")
        second = engine.call("exec", it.name, *STATUS)
        check_equal(second.code, 0, f"the second, beside it: {second}")
        check_confined(second.out, "the second")
        check_equal({name for _, name in it.processes()} - names, {"lazaret-init"} - names, "what was started")
        check(before <= it.processes(), f"{before} - {it.processes()}")
        check_equal(it.probe().code, 0, "ready, beside it")
        first.stdin.write("kept\n")
        out, err = first.communicate(timeout=60)
        check_equal((first.returncode, out), (7, "kept\n"), f"the first: {err}")
        started = [json.loads(line) for line in err.splitlines() if '"init.start"' in line]
        check_equal([(r["ctr"], r["d"].get("entered"), r["d"]["pid1"]) for r in started], [("docker", True, False)], f"events go to the caller: {err}")
        until(lambda: it.processes() == before, lambda: f"the same processes: {before} {it.processes()}")
        check_equal(it.probe("live").code, 0, "live")
        engine.must("stop", "-t", "10", it.name)
        records = it.trail()
        check_equal([r["seq"] for r in records], list(range(len(records))), "the trail's numbers")
        starts = [r for r in records if r["ev"] == "init.start"]
        check_equal(["entered" in r["d"] for r in starts], [False], "starts in the trail")
        check("kept" not in json.dumps(records), "what an exec wrote is its caller's")
        verdict = area.run([laz.BIN / "lazaret", "verify", it.folder / "trail.jsonl"])
        check(verdict.code == 0 and "closed" in verdict.out, f"lazaret verify: {verdict}")


@case("an exec has the workload's files of secrets; a secret that is a variable of the workload's is none of an exec's")
def secrets():
    engine = docker()
    prepare(shell=HELPERS)
    with Served(engine, command=("sh", "-c", "env; exec sleep 1000")).ready() as it:
        result = engine.call("exec", it.name, "sh", "-c", "env; cat /run/secrets/token")
        check_equal(result.code, 0, f"exec: {result}")
        check(result.out.endswith("one-of-the-secrets"), f"the file: {result.out}")
        env = result.out.splitlines()
        check("PLAIN=1" in env, f"the control, what the policy passes: {env}")
        check(not [v for v in env if v.startswith(("EXPOSED", "SHOWN", "TOKEN"))], f"variables: {env}")
        engine.must("stop", "-t", "10", it.name)
        said = [json.dumps(r) for r in it.trail() if r["ev"] == "log"]
        check([line for line in said if "EXPOSED=" in line], f"the control, the workload's: {said}")


if __name__ == "__main__":
    laz.main()
