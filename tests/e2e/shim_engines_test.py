# SPDX-License-Identifier: Apache-2.0
"""lazaret-shim in front of runc for real engines: what people do with containers works as it does without.

dockerd with the shim as a runtime that is asked for by name and as the default one, containerd by ctr, podman. Between the
shim and runc stands the stand-in that writes down each call, which shows that the shim was there.
"""
import time

import area
import engines
import laz
import rootfs
import shim_peers
import shim_world as world
from laz import case, check, check_equal
from shim_world import SHIM, configure, records
from terminal import Terminal

PATIENCE_S = 60
_made = {}


def words_of(record):
    """The verb of a recorded call."""
    words = record["words"][1:]
    verbs = {"create", "start", "exec", "kill", "delete", "pause", "resume", "ps", "update", "state", "run", "--version", "features", "list", "events"}
    return next((word for word in words if word in verbs), "?")


def called():
    """The verbs since the last time that somebody asked."""
    return [words_of(record) for record in records()]


def until(condition, what):
    """Wait for a state."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        check(time.monotonic() < end, f"never: {what}")
        time.sleep(0.1)


def prepare():
    """The host; behind the stand-in is the real runc."""
    runc = area.require_program("runc")
    world.host()
    configure()
    if not world.THEN.is_symlink():
        world.THEN.symlink_to(runc)
    records()


def root():
    """A root file system with a shell, and a program that cannot be executed."""
    if "root" not in _made:
        made = rootfs.busybox_root("shim-engines")
        rootfs.put(made, "/plain", "no program\n", 0o644)
        _made["root"] = made
    return _made["root"]


def docker():
    """A daemon that knows the shim by name."""
    prepare()
    if "docker" not in _made:
        _made["docker"] = engines.Docker(["--add-runtime", f"lazaret={SHIM}", "--live-restore"])
        _made["docker"].import_root(root(), "shim", "ENV PATH=/bin:/usr/bin")
        records()
    return _made["docker"]


def outcome(engine, runtime, args, options=()):
    """The exit code and the output of a `docker run`."""
    result = engine.run("shim", args, options=["--runtime", runtime, *options])
    return result.code, result.out


RUNS = [(["true"], 0), (["sh", "-c", "exit 3"], 3), (["/plain"], 126), (["/nobody"], 127), (["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137)]


@case("docker run: exit codes 0, 3, 126, 127 and 137, output, --init, -u, -w, --read-only: as with runc")
def docker_run():
    engine = docker()
    for args, code in RUNS:
        for options in ((), ("--init",)) if code < 126 else ((),):
            seen = outcome(engine, "lazaret", args, options)
            check_equal(called()[:1], ["create"], "the shim was there")
            check_equal(seen[0], code, f"{args} {options}")
            check_equal(seen, outcome(engine, "runc", args, options), f"{args} {options}")
            check_equal(called(), [], "the control: runc alone")
    for options, args in ((("-u", "1000:1000"), ["id"]), (("-w", "/etc"), ["pwd"]), (("--read-only",), ["cat", "/proc/self/status"])):
        seen, control = (outcome(engine, r, args, options) for r in ("lazaret", "runc"))
        check_equal(seen[0], 0, f"{options} {args}: {seen}")
        if "status" not in args[-1]:
            check_equal(seen, control, f"{options} {args}")
        for name in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp", "SigBlk", "SigIgn", "Umask") if "status" in args[-1] else ():
            lines = [next(line for line in out.splitlines() if line.startswith(name + ":")) for _, out in (seen, control)]
            check_equal(lines[0], lines[1], name)


@case("docker: -it, exec, exec -it, exec -u, exec that fails, top, pause, update from a pipe, restart, kill, stop, rm")
def docker_life():
    engine = docker()
    terminal = engine.terminal("shim", ["sh"], options=["--runtime", "lazaret"])
    terminal.wait_for("# ")
    terminal.send("echo $((6 * 7)); stty size; exit 9\n")
    result = terminal.finish()
    check_equal(result.code, 9, f"exit code ({result.out!r})")
    check("\n42" in result.out, f"no answer: {result.out!r}")
    name = engine.start("shim", ["sh", "-c", "trap 'exit 4' TERM; trap 'echo hup' HUP; while :; do sleep 0.1; done"],
                        options=["--runtime", "lazaret"])
    called()
    check_equal(engine.must("exec", name, "echo", "in"), "in", "exec")
    check_equal(engine.call("exec", name, "sh", "-c", "exit 5").code, 5, "exit code of an exec")
    result = engine.call("exec", name, "/nobody")
    check(result.code in (126, 127) and "no such file" in result.out + result.err, f"an exec of nothing, in runc's words: {result}")
    seen = engine.call("exec", "-u", "1000:1000", name, "id")
    check("uid=1000" in seen.out, f"exec -u: {seen}")
    inner = Terminal([engine.path, "exec", "-it", name, "sh"], env=engine.env)
    inner.wait_for("# ")
    inner.send("exit 6\n")
    check_equal(inner.finish().code, 6, "exit code of an exec -it")
    check_equal(set(called()), {"exec"}, "calls")
    check("sleep" in engine.must("top", name), "top")
    engine.must("pause", name)
    check_equal(engine.must("inspect", "-f", "{{.State.Paused}}", name), "true", "paused")
    engine.must("unpause", name)
    engine.must("update", "--pids-limit", "77", name)
    check_equal(called(), ["ps", "pause", "resume", "update"], "calls")
    engine.must("kill", "-s", "HUP", name)
    until(lambda: "hup" in engine.must("logs", name), "the signal arrives")
    engine.must("restart", "-t", "30", name)
    check_equal(engine.must("inspect", "-f", "{{.State.Running}}", name), "true", "running again")
    engine.must("stop", "-t", "30", name)
    check_equal(engine.must("inspect", "-f", "{{.State.ExitCode}}", name), "4", "exit code after stop")
    engine.must("rm", name)
    seen = called()
    check_equal(seen.count("create"), 1, f"of the restart: {seen}")
    check({"kill", "start", "delete"} <= set(seen), f"calls: {seen}")


@case("docker: a health check is run, and makes the container healthy, or not")
def docker_health():
    engine = docker()
    for command, status in (("true", "healthy"), ("exit 1", "unhealthy")):
        name = engine.start("shim", ["sleep", "1000"], options=[
            "--runtime", "lazaret", "--health-cmd", command, "--health-interval", "1s", "--health-retries", "1"])
        until(lambda: engine.must("inspect", "-f", "{{.State.Health.Status}}", name) == status, f"{command}: {status}")
        engine.must("rm", "--force", name)
        check("exec" in called(), "the check is an exec by the shim")


@case("docker, live-restore: the daemon goes and comes, and the container is still there to be entered and stopped")
def docker_live_restore():
    engine = docker()
    name = engine.start("shim", ["sleep", "1000"], options=["--runtime", "lazaret"])
    pid = engine.must("inspect", "-f", "{{.State.Pid}}", name)
    engine.close()
    check(engine.daemon.poll() is not None, "the daemon has ended")
    engine.log.unlink()
    engine._start()
    check_equal(engine.must("inspect", "-f", "{{.State.Running}} {{.State.Pid}}", name), f"true {pid}", "after the restart")
    called()
    check_equal(engine.must("exec", name, "echo", "in"), "in", "exec")
    engine.must("kill", name)
    until(lambda: engine.must("inspect", "-f", "{{.State.Running}} {{.State.ExitCode}}", name) == "false 137", "the end")
    engine.must("rm", name)
    seen = called()
    check_equal(seen[:2], ["exec", "kill"], f"calls {seen}")


@case("docker: with a broken file nothing is created or entered, the reason is what docker prints, and what runs can be stopped")
def docker_broken():
    engine = docker()
    name = engine.start("shim", ["sleep", "1000"], options=["--runtime", "lazaret"])
    configure(world.PASS_THROUGH + "no: such key\n")
    result = engine.run("shim", ["true"], options=["--runtime", "lazaret"])
    check_equal(result.code, 125, f"docker run ({result.err})")
    check("lazaret: policy-invalid: /etc/lazaret/runtime.yaml:4:1: unknown key" in result.err, result.err)
    result = engine.call("exec", name, "true")
    check_equal(result.code, 126, f"docker exec ({result.err})")
    check("lazaret: policy-invalid: " in result.out + result.err, f"{result}")
    engine.must("stop", "-t", "1", name)
    engine.must("rm", name)
    configure()


@case("docker, the shim as default-runtime: every container is by it, and the daemon knows its version")
def docker_default():
    docker().close()
    _made.pop("docker")
    engine = engines.Docker(["--add-runtime", f"lazaret={SHIM}", "--default-runtime", "lazaret", "--log-level", "info"])
    try:
        check("--version" in called(), "the daemon asked for the version")
        check_equal(engine.must("info", "-f", "{{.DefaultRuntime}}"), "lazaret", "default runtime")
        check("runc version" in engine.must("info") or engine.must("info", "-f", "{{.RuncCommit.ID}}") != "N/A", "runc's version")
        engine.import_root(root(), "shim", "ENV PATH=/bin:/usr/bin")
        called()
        result = engine.run("shim", ["sh", "-c", "exit 3"])
        check_equal((result.code, called()[0]), (3, "create"), "docker run")
    finally:
        engine.close()


# ---- containerd --------------------------------------------------------------------------------------


@case("ctr run --runc-binary: exit codes, exec, kill, and the reason of a refusal")
def by_ctr():
    prepare()
    with shim_peers.Containerd() as containerd:
        ctr, run = containerd.ctr, containerd.run
        for number, (args, code) in enumerate([(["true"], 0), (["sh", "-c", "exit 3"], 3)]):
            result = area.run([*run, "--rm", root(), f"ctr-{number}", *[f"/bin/{args[0]}", *args[1:]]])
            check_equal(result.code, code, f"{args}: {result.err}")
            check_equal(called()[:2], ["create", "start"], "calls")
        result = area.run([*run, "-d", root(), "ctr-life", "/bin/sleep", "1000"])
        check_equal(result.code, 0, f"ctr run -d: {result.err}")
        result = area.run([*ctr, "task", "exec", "--exec-id", "one", "ctr-life", "/bin/sh", "-c", "echo in; exit 5"])
        check_equal((result.code, result.out), (5, "in\n"), f"ctr task exec: {result.err}")
        configure(None)
        result = area.run([*ctr, "task", "exec", "--exec-id", "two", "ctr-life", "/bin/true"])
        check("lazaret: host-absent: " in result.err, f"a refused exec: {result}")
        result = area.run([*ctr, "task", "kill", "--signal", "SIGKILL", "ctr-life"])
        check_equal(result.code, 0, f"kill with a file that is absent: {result.err}")
        until(lambda: area.run([*ctr, "task", "rm", "ctr-life"]).code == 0, "the task ends")
        check_equal(called(), ["create", "start", "exec"], "calls by the stand-in")
    configure()


# ---- podman ------------------------------------------------------------------------------------------


@case("podman --runtime: exit codes, a terminal, exec, kill, rm, and the reason of a refusal")
def by_podman():
    prepare()
    podman = shim_peers.Podman()
    call, options = podman.call, podman.options
    for args, code in [(["true"], 0), (["sh", "-c", "exit 3"], 3), (["/nobody"], 127), (["/plain"], 126)]:
        result = call("run", "--rm", *options, "--rootfs", root(), *args)
        check_equal(result.code, code, f"{args}: {result.err}")
        check_equal(called()[0], "create", "calls")
    result = call("run", "-d", *options, "--name", "life", "--rootfs", root(), "sleep", "1000")
    check_equal(result.code, 0, f"podman run -d: {result.err}")
    result = call("exec", "life", "sh", "-c", "echo in; exit 5")
    check_equal((result.code, result.out), (5, "in\n"), f"podman exec: {result.err}")
    terminal = Terminal([str(w) for w in [*podman.words, "exec", "-it", "life", "sh"]], env=podman.env)
    terminal.wait_for("# ")
    terminal.send("exit 6\n")
    check_equal(terminal.finish().code, 6, "exec -it")
    check_equal(set(called()), {"create", "start", "exec"}, "calls")
    configure(None)
    result = call("exec", "life", "true")
    check(result.code != 0 and "lazaret: host-absent: " in result.err, f"a refused exec: {result}")
    result = call("rm", "--force", "--time", "0", "life")
    check_equal(result.code, 0, f"rm with a file that is absent: {result.err}")
    configure()


if __name__ == "__main__":
    laz.main()
