# SPDX-License-Identifier: Apache-2.0
"""lazaret install runtime, and then the real engines, as they are: dockerd, containerd and podman run containers by the shim, and no longer
after --undo.

In mounts of the suite's own, in which /etc, /run, /usr/libexec, /usr/sbin and /var/lib may be changed: nothing of the machine is.
"""
import ctypes
import functools
import json
import os
import pathlib
import signal
import subprocess
import time
import tomllib

import area
import engines
import laz
import rootfs
import shim_world as world
from install_world import LAZARET, SHIM, check_finding
from laz import case, check, check_equal
from shim_confined import POLICY, STATUS, check_confined, check_open

DAEMON, TOML, CONF = (pathlib.Path(path) for path in (
    "/etc/docker/daemon.json", "/etc/containerd/config.toml", "/etc/containers/containers.conf.d/50-lazaret.conf"))
PATIENCE_S = 60
MOUNT_NAMESPACE = os.readlink("/proc/self/ns/mnt")


@functools.cache
def host():
    """Mounts of our own, before anything that is started in them."""
    world.host()
    for path in ("/usr/sbin", "/var/lib"):
        above = world.OPT / path.replace("/", "-")
        for name in ("upper", "work"):
            (above / name).mkdir(parents=True)
        world.mount("-t", "overlay", "-o", f"lowerdir={path},upperdir={above}/upper,workdir={above}/work", "overlay", path)
    world.install(shell=POLICY)
    programs = pathlib.Path(SHIM).parent
    for name in ("lazaret-shim", "lazaret-setup"):
        if not (programs / name).exists():
            (programs / name).write_bytes(area.program(name).read_bytes())
    for path in programs.iterdir():
        path.chmod(0o755)
    world.configure(f"version: 1\nruntime: {area.require_program('runc')}\ndefault-policy: shell\naudit: {{file: {world.OPT}/audit/host.jsonl}}\n")
    check(os.readlink("/proc/self/ns/mnt") != MOUNT_NAMESPACE, "these are the machine's own mounts")


def install(*words, expect=0):
    """The command, in our mounts."""
    host()
    done = area.run([LAZARET, "install", "runtime", *words])
    check_equal(done.code, expect, f"{words}: {done.out}{done.err}")
    return done


def until(condition, what):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        check(time.monotonic() < end, f"never: {what}")
        time.sleep(0.1)


@functools.cache
def root():
    host()
    return rootfs.busybox_root("install-engines")


# ---- docker ------------------------------------------------------------------------------------------


def reload(engine):
    """What `systemctl reload docker` does."""
    area.run(engine.fence.command("kill", "-HUP", (engine.home / "pid").read_text().strip()))


def runtimes(engine):
    said = json.loads(engine.must("info", "-f", "[{{json .Runtimes}}, {{json .DefaultRuntime}}]"))
    return "lazaret" in said[0], said[1]


@functools.cache
def docker():
    """A daemon that has a daemon.json with something of its own."""
    host()
    DAEMON.parent.mkdir(exist_ok=True)
    DAEMON.write_text('{"debug": false}')
    engine = engines.Docker(["--config-file", str(DAEMON)])
    engine.import_root(root(), "shell", "ENV PATH=/bin:/usr/bin")
    return engine


@case("docker: after --apply and a reload its containers can have the shim, with --default all do, and after --undo none")
def by_docker():
    engine = docker()
    check(engine.run("shell", ["true"], options=["--runtime", "lazaret"]).code != 0, "the control: nobody knows the name")
    check_open(engine.run("shell", STATUS), "before")
    for words, default in ((["--engine", "docker"], "runc"), (["--engine", "docker", "--default"], "lazaret")):
        install(*words, "--apply")
        reload(engine)
        until(lambda expected=(True, default): runtimes(engine) == expected, f"after {words}")
        install(*words, "--check")
        check_confined(engine.run("shell", STATUS, options=["--runtime", "lazaret"]), f"{words}: by name")
        judge = check_confined if default == "lazaret" else check_open
        judge(engine.run("shell", STATUS), f"{words}: without a name")
    name = engine.start("shell", ["sleep", "1000"])
    check_confined(engine.call("exec", "--privileged", name, *STATUS), "docker exec --privileged")
    engine.must("rm", "--force", name)
    said = install("--engine", "docker", "--undo").out
    check_equal(DAEMON.read_text(), '{"debug": false}', "the file")
    check("docker: then run: systemctl restart docker\n" in said, said)
    reload(engine)
    engine.run("shell", ["true"])
    check_equal(runtimes(engine), (True, "lazaret"), "a reload takes back nothing, which is why a restart is said")
    engine.close()
    engine.log.unlink()
    engine._start()
    check_equal(runtimes(engine), (False, "runc"), "after --undo and a restart")
    check_open(engine.run("shell", STATUS), "after --undo")


@case("docker: a daemon that starts with the file takes it; runtimeArgs of our name, which it would run by a script, are refused")
def docker_starts():
    host()
    DAEMON.parent.mkdir(exist_ok=True)
    DAEMON.unlink(missing_ok=True)
    install("--engine", "docker", "--default", "--apply")
    engine = engines.Docker(["--config-file", str(DAEMON), "--log-level", "info", "--debug"])
    try:
        check_equal(runtimes(engine), (True, "lazaret"), "runtimes")
    finally:
        engine.close()
        install("--engine", "docker", "--undo")
    DAEMON.write_text(json.dumps({"runtimes": {"lazaret": {"path": SHIM, "runtimeArgs": ["--debug"]}}}))
    check_finding(install("--engine", "docker", "--apply", expect=1), "engine-file-refused", 'has more than "path"')
    DAEMON.write_text('{"debug": false}')


def inside(engine, *words):
    """The command where that daemon is."""
    return area.run(engine.fence.command(LAZARET, "install", "runtime", "--engine", "docker", *words))


def starts(engine):
    """Again, with what the file says now."""
    engine.close()
    engine.log.unlink()
    try:
        engine._start()
    except laz.Failed as why:
        return str(why)
    return ""


@case("docker: runtimes on its command line do not survive a reload, and a default is taken there or in the file: that, and another file, is said first")
def docker_words():
    host()
    DAEMON.parent.mkdir(exist_ok=True)
    DAEMON.write_text("{}")
    DAEMON.with_name("other.json").write_text("{}")
    engine = engines.Docker(["--config-file", str(DAEMON), "--add-runtime", "other=/usr/bin/crun", "--default-runtime=other"])
    try:
        for word in ("--apply", "--check"):
            check_finding(inside(engine, word), "engine-file-refused", "was started with --add-runtime, which a reload with \"runtimes\" in /etc/docker/daemon.json forgets")
        check_equal(DAEMON.read_text(), "{}", "the file")
        install("--engine", "docker", "--apply")  # the control: where there is no such daemon
        reload(engine)
        known = functools.partial(engine.call, "info", "-f", "{{json .Runtimes}}")
        until(lambda: engine.daemon.poll() is not None or (SHIM in known().out and '"other"' not in known().out), "it has forgotten, or crashed")
        check_equal(starts(engine), "", "it starts with runtimes in both places")
        install("--engine", "docker", "--default", "--apply")
        check("specified both as a flag and in the configuration file" in starts(engine), "dockerd takes two defaults")
        install("--engine", "docker", "--undo")
    finally:
        engine.close()
    for words, expect, why in (
            (["--config-file", str(DAEMON), "--default-runtime=runc"], ["--default"], 'was started with --default-runtime, and takes no "default-runtime"'),
            (["--config-file", "/etc/docker/other.json", "--debug"], [], "reads /etc/docker/other.json, and not /etc/docker/daemon.json")):
        engine = engines.Docker(words)
        try:
            check_finding(inside(engine, *expect, "--apply"), "engine-file-refused", why)
            if expect:
                check_equal(inside(engine, "--apply", "--json").code, 0, "without --default")
        finally:
            engine.close()
            install("--engine", "docker", "--undo")
            DAEMON.write_text("{}")


@case("docker, the shim in the place of runc: also a container that asks for runc by its name is confined, and no longer after --undo")
def diverted():
    engine = docker()
    real = pathlib.Path("/usr/sbin/runc").read_bytes()
    options = ["--runtime", "runc"]
    check_open(engine.run("shell", STATUS, options=options), "before")
    install("--divert-runc", "--apply")
    install("--divert-runc", "--check")
    check_confined(engine.run("shell", STATUS, options=options), "docker run --runtime runc")
    name = engine.start("shell", ["sleep", "1000"], options=options)
    text = world.FILE.read_text()
    world.configure("broken: [\n")
    check(engine.call("exec", name, "true").code != 0, "with a broken runtime.yaml nobody comes in")
    engine.must("kill", name)
    engine.must("rm", "--force", name)
    world.configure(text)
    install("--divert-runc", "--undo")
    check_open(engine.run("shell", STATUS, options=options), "after --undo")
    check(pathlib.Path("/usr/sbin/runc").read_bytes() == real and not pathlib.Path("/usr/sbin/runc.real").exists(), "runc is what it was")


# ---- containerd --------------------------------------------------------------------------------------


def dump():
    """The CRI plugin's section as containerd itself has it in the end."""
    done = area.run([area.require_program("containerd"), "--config", TOML, "config", "dump"])
    check_equal(done.code, 0, f"containerd config dump: {done.err}")
    return tomllib.loads(done.out)["plugins"]["io.containerd.grpc.v1.cri"]


@case("containerd: its own config dump has the runtime, the default, and all that the file said before; and not after --undo")
def by_containerd():
    host()
    text = TOML.read_text() + '  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]\n    SystemdCgroup = true\n'
    TOML.write_text(text)
    before = dump()
    check_equal(before["cni"]["bin_dir"], "/usr/lib/cni", "what Debian's file says")
    for words, default in ((["--engine", "containerd"], "runc"), (["--engine", "containerd", "--default"], "lazaret")):
        install(*words, "--apply")
        install(*words, "--check")
        found = dump()
        ours = found["containerd"]["runtimes"].pop("lazaret")
        check_equal((ours["runtime_type"], ours["options"]["BinaryName"], ours["options"]["SystemdCgroup"]), ("io.containerd.runc.v2", SHIM, True), "ours")
        check_equal(found["containerd"].pop("default_runtime_name"), default, "default")
        check_equal({**found, "containerd": {**found["containerd"], "default_runtime_name": "runc"}}, before, "all else")
    install("--engine", "containerd", "--undo")
    check_equal(TOML.read_text(), text, "the file after --undo")
    check_equal(dump(), before, "the dump after --undo")


@case("containerd: an imported file takes the place of the whole section, which is why none is used; the daemon's CRI plugin starts with ours")
def containerd_starts():
    host()
    text = TOML.read_text()
    imported = TOML.parent / "imported.toml"
    imported.write_text('version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.x]\n  runtime_type = "io.containerd.runc.v2"\n')
    TOML.write_text(text.replace("version = 2\n", f'version = 2\nimports = ["{imported}"]\n'))
    check(dump()["cni"]["bin_dir"] != "/usr/lib/cni", "an imported file leaves the section of the main one alone")
    TOML.write_text(text)
    imported.unlink()
    install("--engine", "containerd", "--default", "--apply")
    with open(world.OPT / "containerd.log", "wb") as log:
        daemon = subprocess.Popen(area.fence().command(area.require_program("containerd"), "--config", TOML), stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log, env={"PATH": area.PATH})
    try:
        ctr = area.fence().command("ctr", "plugins", "ls")

        def state():
            rows = [line.split() for line in area.run(ctr).out.splitlines()]
            return [row[-1] for row in rows if row[:2] == ["io.containerd.grpc.v1", "cri"]]

        until(lambda: state() == ["ok"], f"the plugin is ok: {(world.OPT / 'containerd.log').read_text()[-2000:]}")
        check('"lazaret"' in (world.OPT / "containerd.log").read_text() or SHIM in (world.OPT / "containerd.log").read_text(),
              "the daemon says nothing of the runtime when it starts the plugin")
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(PATIENCE_S)
        install("--engine", "containerd", "--undo")


# ---- podman ------------------------------------------------------------------------------------------


class Podman:
    """podman as it is on a host: it reads what is in /etc/containers."""

    def __init__(self):
        program = area.require_program("podman")
        area.require_program("conmon")
        host()
        self.fence = area.fence()
        self.home = world.OPT / "podman"
        self.home.mkdir(exist_ok=True)
        self.words = self.fence.command(
            program, "--root", self.home / "root", "--runroot", self.home / "run", "--tmpdir", self.home / "tmp", "--storage-driver", "vfs",
            "--cgroup-manager", "cgroupfs", "--events-backend", "none")
        self.env = {"PATH": area.PATH, "HOME": str(self.home), "TMPDIR": str(self.home)}

    def call(self, *words):
        done = subprocess.run([*map(str, self.words), *map(str, words)], env=self.env, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=PATIENCE_S)
        return area.Result(done.returncode, done.stdout, done.stderr)

    def run(self, *words, options=()):
        """A container to its end."""
        return self.call(*options, "run", "--rm", "--network", "none", "--cgroup-parent", f"/{self.fence.cgroup}", "--log-driver", "k8s-file",
                         "--rootfs", root(), *words)

    def must(self, *words):
        done = self.call(*words)
        check_equal(done.code, 0, f"podman {words}: {done.err}")
        return done.out.strip()

    def start(self, *words):
        """A container that stays: its id."""
        return self.must("run", "--detach", "--network", "none", "--cgroup-parent", f"/{self.fence.cgroup}", "--log-driver", "k8s-file", "--rootfs",
                         root(), *words)

    def default(self):
        done = self.call("info", "--format", "{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}")
        check_equal(done.code, 0, f"podman info: {done.err}")
        return done.out.strip()


@case("podman: after --apply it knows the name, with --default all its containers have the shim, and after --undo none")
def by_podman():
    podman = Podman()
    before = podman.default()
    check("lazaret" not in before, before)
    by_name = ["--runtime", "lazaret"]
    check(podman.run("true", options=by_name).code != 0, "the control: nobody knows the name")
    install("--engine", "podman", "--apply")
    check_equal(podman.default(), before, "the default runtime, untouched")
    check_confined(podman.run(*STATUS, options=by_name), "podman --runtime lazaret")
    install("--engine", "podman", "--default", "--apply")
    check_equal(podman.default(), f"lazaret {SHIM}", "the default runtime")
    check_confined(podman.run(*STATUS), "podman run")
    first, second = podman.start("sleep", "1000"), podman.start("sleep", "1000")
    done = install("--engine", "podman", "--undo", expect=1)
    for ident in (first, second):
        check_finding(done, "containers-left", f"container {ident} is still there (no --root")
    check_equal(podman.default(), f"lazaret {SHIM}", "still there")
    podman.must("rm", "--force", "--time", "0", first)
    check_finding(install("--engine", "podman", "--undo", expect=1), "containers-left", f"container {second} ")
    done = area.run(podman.fence.command(SHIM, "delete", "--force", second), env=podman.env)
    check_equal(done.code, 0, f"as if podman knew of it no more: {done}")
    podman.call("rm", "--force", second)
    install("--engine", "podman", "--undo")
    check_equal((podman.default(), CONF.exists()), (before, False), "after --undo")
    check(podman.run("true", options=by_name).code != 0, "the name is gone")


@case("podman: a hook of hooks.d whose program is absent is passed over, and the container runs; one of the shim's is not")
def hooks():
    podman = Podman()
    folder = world.OPT / "hooks.d"
    folder.mkdir(exist_ok=True)
    (folder / "lazaret.json").write_text(json.dumps({
        "version": "1.0.0", "hook": {"path": "/usr/libexec/lazaret/lazaret-absent"}, "when": {"always": True}, "stages": ["createRuntime"]}))
    done = podman.run("echo", "ran", options=["--runtime", "runc", "--hooks-dir", folder])
    check_equal((done.code, done.out), (0, "ran\n"), f"hooks.d with an absent program: {done.err}")
    (folder / "lazaret.json").write_text((folder / "lazaret.json").read_text().replace("/usr/libexec/lazaret/lazaret-absent", "/bin/false"))
    check(podman.run("true", options=["--runtime", "runc", "--hooks-dir", folder]).code != 0, "the control: hooks.d was read")
    install("--engine", "podman", "--apply")
    hook = pathlib.Path(SHIM).parent / "lazaret-hook"
    aside = hook.rename(hook.with_name("aside"))
    try:
        done = podman.run("echo", "ran", options=["--runtime", "lazaret"])
        check(done.code != 0 and done.out == "", f"the container ran without its hook: {done}")
        check_finding(install("--engine", "podman", "--check", expect=1), "program-unfit", "lazaret-hook: nothing is there")
    finally:
        aside.rename(hook)
    check_equal(podman.run("echo", "ran", options=["--runtime", "lazaret"]).out, "ran\n", "the control: with it")
    install("--engine", "podman", "--undo")


if __name__ == "__main__":
    laz.main()
