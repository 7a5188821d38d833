# SPDX-License-Identifier: Apache-2.0
"""The images and the compose file of the examples on the Docker Engine: both Dockerfiles build as they are, and what
docker-compose.yml says is what the container has, by docker-compose itself; one file beside it takes the network away, which
this Docker has not, and gives its image's name."""
import json
import pathlib
import shutil
import threading
import time

import area
import engines
import fence
import laz
import rootfs
import yaml
from laz import case, check, check_equal

BEANSTALK = laz.ROOT / "examples" / "beanstalk"
ECS = laz.ROOT / "examples" / "ecs"
SERVICE = "claims-web"
INIT = "/usr/libexec/lazaret/lazaret-init"

_made = {}


def docker():
    if "docker" not in _made:
        _made["docker"] = engines.Docker()
    return _made["docker"]


def context(source, name):
    """An example's folder with the programs beside it, and the image that its Dockerfile begins with."""
    folder = area.folder(f"context-{name}")
    shutil.copytree(source, folder, dirs_exist_ok=True)
    rootfs.put_lazaret(folder)
    base = (source / "Dockerfile").read_text(encoding="utf-8").split("FROM ")[1].split()[0]
    root = rootfs.scratch_root(f"base-{name}")
    rootfs.put(root, "/app/server", pathlib.Path(fence.tool("web")), 0o755)
    docker().import_root(root, base)
    return folder


def compose(folder, *words, code=0):
    """docker-compose with the example's file and one that adds what a test needs."""
    done = area.run([area.require_program("docker-compose"), "--project-name", "claims", "-f", "docker-compose.yml", "-f", "test.yml", *words],
                    cwd=folder, env=docker().env, timeout=120)
    if code is not None:
        check_equal(done.code, code, f"docker-compose {words}: {done.out}{done.err}")
    return done


def up():
    if "up" not in _made:
        folder = context(BEANSTALK, "beanstalk")
        (folder / "test.yml").write_text(json.dumps({"services": {SERVICE: {
            "network_mode": "none", "image": "claims-web:1.4-lazaret", "build": {"context": ".", "network": "none"}}}}))
        compose(folder, "up", "--detach", "--build")
        _made["up"] = folder, compose(folder, "ps", "--quiet").out.strip()
    return _made["up"]


def inspect(name):
    return json.loads(docker().must("inspect", name))[0]


def until(what, said):
    """Poll until it is so; 30 s are the most."""
    end = time.monotonic() + 30
    while not what():
        check(time.monotonic() < end, said())
        time.sleep(0.1)


def logs(name):
    done = docker().call("logs", name)
    return (done.out + done.err)[-3000:]


@case("both Dockerfiles build, and their images start Lazaret and ask it for health")
def images():
    for name, source in (("ecs", ECS), ("beanstalk", BEANSTALK)):
        folder = context(source, f"image-{name}")
        for file in ("rds-ca.pem", "corp-root.pem"):
            (folder / file).write_text("")
        tag = docker().build(folder, f"example-{name}")
        config = inspect(tag)["Config"]
        check_equal((config["Entrypoint"], config["User"]), ([INIT, "--", "/app/server"], "root"), f"{name}: what is started")
        check_equal(config["Healthcheck"]["Test"], ["CMD", INIT, "probe", "live"], f"{name}: health command")


@case("docker-compose takes the file as it is, and the container has what it says: no write, no capability beyond four, tmpfs, time to stop")
def container():
    folder, name = up()
    check_equal(yaml.safe_load(compose(folder, "config").out)["services"].keys(), {SERVICE}, "services")
    found = inspect(name)
    host, config = found["HostConfig"], found["Config"]
    check_equal((host["ReadonlyRootfs"], host["SecurityOpt"], config["User"]), (True, ["no-new-privileges:true"], "0:0"), "what it may")
    check_equal(set(engines.DOCKER_CAPS) - {c.removeprefix("CAP_") for c in host["CapDrop"]}, {"KILL", "SETGID", "SETPCAP", "SETUID"}, "capabilities")
    check_equal({p: set(o.split(",")) >= {"noexec", "nosuid", "nodev"} for p, o in host["Tmpfs"].items()}, {"/tmp": True, "/run": True}, "tmpfs")
    check_equal((config["StopTimeout"], config["Healthcheck"]["Interval"]), (45, 10 * 10**9), "times")


@case("the service runs as the policy says, confined, on a read-only root without anything but itself")
def runs():
    _, name = up()
    until(lambda: "listening" in logs(name), lambda: logs(name))
    events = engines.events_of(logs(name))[0]
    start = next(e for e in events if e["ev"] == "init.start")
    check_equal(start["exe"], "/app/server", f"{start}")
    read = start["d"]["read"]
    check_equal((start["d"]["pid1"], read["uid"], read["no_new_privs"], read["seccomp"], int(read["cap_eff"], 16), int(read["cap_bnd"], 16)),
                (True, 10001, 1, 2, 0, 0), f"{start}")
    check_equal(events[-1]["ev"] == "init.stop", False, f"{events[-1]}")


def probe(name, what):
    """The container's health command, as the engine runs it."""
    return docker().call("exec", name, INIT, "probe", what)


@case("the health command is fine, and the engine calls the container healthy; without a writable root")
def healthy():
    _, name = up()
    for what in ("live", "ready", "startup"):
        until(lambda what=what: probe(name, what).code == 0, lambda what=what: str(probe(name, what)) + logs(name))
    until(lambda: inspect(name)["State"]["Health"]["Status"] == "healthy", lambda: str(inspect(name)["State"]["Health"]))


@case("`docker-compose stop` ends it by itself, in the time that it is given, with the workload's own code; it drains first: live, not ready")
def stops():
    folder, name = up()
    until(lambda: "listening" in logs(name), lambda: logs(name))
    begin = time.monotonic()
    stopping = threading.Thread(target=compose, args=(folder, "stop"))
    stopping.start()
    until(lambda: probe(name, "ready").code == 1, lambda: logs(name))
    check_equal(probe(name, "live").code, 0, "live while it drains")
    stopping.join()
    took = time.monotonic() - begin
    state = inspect(name)["State"]
    check_equal((state["ExitCode"], "stopped" in logs(name)), (0, True), logs(name))
    check(took < 44, f"{took} s: it was killed")
    compose(folder, "down")


laz.main()
