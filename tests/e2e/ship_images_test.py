# SPDX-License-Identifier: Apache-2.0
"""A container with a trail under real engines: an image that holds nothing but our programs and a static one."""
import json
import pathlib
import subprocess
import time

import area
import engines
import laz
import rootfs
import ship_world
import trail_judge
from laz import case, check, check_equal

POLICY = {
    "version": 1,
    "name": "empty",
    "extends": ["builtin/web-api"],
    "requires": {"landlock": "preferred"},
    "workload": {"user": "10001:10001"},
    "filesystem": {"read-exec": ["/talk"]},
    "logs": {"passthrough": True},
    "spool": {"dir": "/run/lazaret/spool", "max": "8MiB", "segment": "1MiB"},
    "sinks": [{"name": "trail", "type": "file", "path": "/var/log/trail.jsonl", "classes": ["audit", "ids", "log"],
               "required": True}],
    "limits": {"processes": 30000},
}
CONTENT = ship_world.numbered(3000, 80) + bytes(range(256)) * 40 + b"no end"


def empty_root(name, **changes):
    """Our three programs, the policy as YAML, and the workload."""
    root = rootfs.scratch_root(name)
    for program in ("lazaret-init", "lazaret-setup", "lazaret-helper"):
        rootfs.put(root, f"/{program}", area.program(program), 0o755)
    rootfs.put(root, "/talk", pathlib.Path(ship_world.talk()), 0o755)
    rootfs.put(root, "/content", CONTENT)
    rootfs.put_folder(root, "/var/log")
    rootfs.put_folder(root, "/run")
    policy = {**POLICY, "filesystem": {"read-exec": ["/talk"], "read": ["/content"]}, **changes}
    rootfs.put(root, "/policy.yaml", json.dumps(policy))
    return root


WORDS = ["/lazaret-init", "--policy", "/policy.yaml", "--", "/talk", "file=/content,5000,200", "exit=7"]


def judged(data, what):
    """The trail of one run that said CONTENT."""
    world = ship_world.World()
    check(world.stream(data=data) == CONTENT, f"{what}: the stream is not what was said")
    world.judge(trail_judge.FINE, data=data)
    check_equal(world.records("chain.final", data)[0]["d"]["exit"], 7, f"{what}: exit code in the trail")


@case("runc, an empty image, with Docker's capabilities, with four of them, and as the workload's own user")
def empty_runc():
    runc = engines.Runc()
    for name, options in (("docker", {}), ("four", {"caps": ["SETUID", "SETGID", "SETPCAP", "KILL"]}),
                          ("user", {"user": "10001:10001", "caps": []})):
        root = empty_root(f"runc-{name}")
        if name == "user":
            for path in ("/var/log", "/run"):
                rootfs.put_folder(root, path, 0o755, (10001, 10001))
        words, container = runc.command(root, WORDS, **options)
        done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        area.run(runc.fence.command(runc.path, "--root", runc.state, "delete", "--force", container))
        check_equal((done.returncode, done.stderr), (7, b""), f"{name}: exit code, stderr")
        check(done.stdout == CONTENT, f"{name}: {len(done.stdout)} bytes of {len(CONTENT)} on the container's output")
        judged((root / "var/log/trail.jsonl").read_bytes(), name)


@case("docker, an empty image: `docker logs` has every byte, `docker stop` closes the trail, `docker kill` leaves it open")
def empty_docker():
    docker = engines.Docker()
    root = empty_root("docker-empty")
    docker.import_root(root, "lazaret-ship-empty")

    def start(*words):
        # json-file, the default, replaces what is no UTF-8; this one keeps bytes.
        return docker.start("lazaret-ship-empty", [*WORDS[:5], *words], options=["--log-driver", "local"])

    def trail(container):
        return subprocess.run([docker.path, "cp", f"{container}:/var/log/trail.jsonl", "-"], env=docker.env,
                              capture_output=True, check=True).stdout[512:].rstrip(b"\0")

    container = start(*WORDS[5:])
    check_equal(docker.must("wait", container), "7", "exit code")
    logs = subprocess.run([docker.path, "logs", container], env=docker.env, capture_output=True, check=True)
    check(logs.stdout == CONTENT, f"{len(logs.stdout)} bytes of {len(CONTENT)} in docker logs")
    check_equal(logs.stderr, b"", "stderr in docker logs")
    judged(trail(container), "docker run")
    container = start("say=up", "term", "say=bye", "exit=5")
    ship_world.until(lambda: docker.must("logs", container) == "up", "line")
    began = time.monotonic()
    docker.must("stop", container)
    check(time.monotonic() - began < 9, f"docker stop took {time.monotonic() - began:.1f} s")
    check_equal(docker.must("wait", container), "5", "exit code after docker stop")
    check_equal(docker.must("logs", container), "up\nbye", "docker logs after docker stop")
    ship_world.World().judge(trail_judge.FINE, data=trail(container))
    container = start("say=up", "term")
    ship_world.until(lambda: b"init.start" in trail(container), "trail")
    docker.must("kill", container)
    check_equal(docker.must("wait", container), "137", "exit code after docker kill")
    ship_world.World().judge("ok open single", data=trail(container))


if __name__ == "__main__":
    laz.main()
