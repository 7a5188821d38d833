# SPDX-License-Identifier: Apache-2.0
"""Bench of what lazaret-shim adds to a call of the runtime, beside the two wrappers that do nothing else.

The runtime does nothing either. A call is timed from its spawn to its end, by whom it is spawned is the same for all.
Run by itself it measures, in mounts of its own, and prints JSON: run.py's other benches must not be in those mounts.
"""
import json
import os
import shutil
import subprocess
import sys
import time

import harness
from harness import bench, count, goal, show

import area
import engines
import laz
import rootfs
import shim_world as world

START, CHANGE, WHOLE = 1.2, 2.0, 1.05  # what may be added, in times of the static wrapper; WHOLE: of runc alone, by docker
POLICY = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text(encoding="utf-8").replace("/app, ", "")
GO = "Go, adds hooks"
ROWS = {"static wrapper": world.OPT / "onward", "sh wrapper": world.OPT / "onward.sh", GO: world.OPT / "hooks-go", "shim": world.SHIM}


def prepare():
    """The host, its policy, and a bundle: the text of its config.json."""
    world.host()
    world.install(shell=POLICY)
    for target in (world.RUNTIME, ROWS["static wrapper"]):
        shutil.copy(harness.small("onward"), target)
    ROWS["sh wrapper"].write_text(f'#!/bin/sh\nexec {world.RUNTIME} "$@"\n', encoding="ascii")
    ROWS["sh wrapper"].chmod(0o755)
    program = harness.small_go("hooks")
    if program:
        shutil.copy(program, ROWS[GO])
    else:
        del ROWS[GO]
    folder = world.OPT / "bundle"  # in memory, as engines keep them in /run
    folder.mkdir()
    area.run(["runc", "spec", "--bundle", folder])
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["root"]["path"] = str(rootfs.busybox_root("bench-root"))
    process = folder / "process.json"
    process.write_text(json.dumps(config["process"] | {"terminal": False}), encoding="utf-8")
    return folder, json.dumps(config)


def in_turn(names, turn):
    """Each goes behind each other as often: what comes behind `sh` finds its caches full of it."""
    order = list(names) if turn // len(names) % 2 else list(names)[::-1]
    return order[turn % len(order):] + order[:turn % len(order)]


def took(words):
    """Nanoseconds from the spawn to the end."""
    began = time.monotonic_ns()
    pid = os.posix_spawn(words[0], words, {"PATH": area.PATH})
    _, status = os.waitpid(pid, 0)
    ended = time.monotonic_ns()
    laz.check_equal(status, 0, " ".join(words))
    return ended - began


def measure(rounds):
    """{"verb, what is enforced": {row: [ns]}}; the rows in turn."""
    folder, text = prepare()
    verbs = {"start": [], "create": ["--bundle", str(folder)], "exec": ["--process", str(folder / "process.json")]}
    runtime = f"version: 1\nruntime: {world.RUNTIME}\ndefault-policy: {{}}\naudit: {{{{required: false}}}}\n"
    kinds = [("start", "shell"), ("create", "shell"), ("exec", "shell"), ("create", "pass-through"), ("exec", "pass-through")]
    found = {}
    for verb, policy in kinds:
        world.configure(runtime.format(policy))
        rows = found[f"{verb}, {policy}"] = {name: [] for name in ROWS}
        for turn in range(rounds + 1):  # the first compiles the policy, and is not counted
            for name in in_turn(ROWS, turn):
                (folder / "config.json").write_text(text, encoding="utf-8")
                time_of_it = took([str(ROWS[name]), "--root", "/run/bench", verb, *verbs[verb], "one"])
                rows[name] += [time_of_it] if turn else []
    return found


def measure_docker(rounds):
    """The same for `docker run` and `docker exec`, with a program that ends at once: runc alone, and the shim in front of it."""
    off = world.OPT / "lazaret-off"
    off.symlink_to(world.SHIM)
    world.configure("version: 1\nruntime: /usr/sbin/runc\ndefault-policy: shell\nselect: [{runtime-name: lazaret-off, policy: pass-through}]\n"
                    "audit: {required: false}\n")
    engine = engines.Docker(["--add-runtime", f"lazaret={world.SHIM}", "--add-runtime", f"lazaret-off={off}"])
    engine.import_root(rootfs.busybox_root("bench-docker"), "bench", "ENV PATH=/bin:/usr/bin")
    runtimes = {"runc": "runc", "shim, pass-through": "lazaret-off", "shim": "lazaret"}
    held = {name: engine.must("run", "--detach", "--network", "none", "--runtime", runtime, "bench", "sleep", "3600")
            for name, runtime in runtimes.items()}
    words = {"docker run": lambda name: ["run", "--rm", "--network", "none", "--runtime", runtimes[name], "bench", "true"],
             "docker exec": lambda name: ["exec", held[name], "true"]}
    found = {}
    for kind, words_of in words.items():
        rows = found[kind] = {name: [] for name in runtimes}
        for turn in range(rounds + 1):
            for name in in_turn(runtimes, turn):
                began = time.monotonic_ns()
                engine.must(*words_of(name))
                rows[name] += [time.monotonic_ns() - began] if turn else []
    for identity in held.values():
        engine.must("rm", "--force", identity)
    engine.close()
    return found


@bench("shim")
def shim():
    """A call of the runtime with lazaret-shim in front of it, with a static wrapper, with one in sh and with one in Go that adds hooks."""
    argv = [sys.executable, __file__, str(count(300, 2)), str(count(100, 1))]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=900, check=False)
    laz.check(done.returncode == 0, f"{argv} ended with {done.returncode}: {done.stderr[-1000:]}")
    ratios = {}
    for kind, rows in json.loads(done.stdout.splitlines()[-1]).items():
        harness.say(f"  -- {kind}")
        for name, values in rows.items():
            ratios[kind, name] = show(name, values, "us", next(iter(rows.values())), 1000)
    goal("start through the shim, against a static wrapper", ratios["start, shell", "shim"], START)
    goal("create under a policy, against a static wrapper", ratios["create, shell", "shim"], CHANGE)
    goal("exec under a policy, against a static wrapper", ratios["exec, shell", "shim"], CHANGE)
    for kind in ("start, shell", "create, shell", "exec, shell"):
        if (kind, GO) in ratios:
            goal(f"{kind.split(',', maxsplit=1)[0]} through the shim, against a wrapper in Go", ratios[kind, "shim"] / ratios[kind, GO], 1)
    if ("create, shell", GO) not in ratios:
        harness.say("  a wrapper in Go: not run, there is no Go (Debian's package golang-go)")
    goal("docker run under a policy, against runc alone", ratios["docker run", "shim"], WHOLE)
    goal("docker run without a policy, against runc alone", ratios["docker run", "shim, pass-through"], WHOLE)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1])) | measure_docker(int(sys.argv[2]))))
