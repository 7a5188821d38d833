# SPDX-License-Identifier: Apache-2.0
"""The built-in policies on real runtimes: a normal run raises no event.

A server for each runtime (runtimes/) runs under lazaret-init in a real container, is driven from outside of
it with every kind of request, and is stopped with SIGTERM. What it raised is held against nothing; that the
same run can fail is shown by taking away one call that it needs.
"""
import collections
import ctypes
import functools
import itertools
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

import area
import engines
import laz
import rootfs
from laz import case, check, check_equal

PROGRAMS = pathlib.Path(__file__).resolve().parent / "runtimes"
ROUNDS = 20 if laz.LONG else 1
CONNECTIONS = 2  # of each kind, as client.py opens them
PATHS = ["/hello", "/echo", "/files", "/threads", "/names", "/timers", "/sockets", "/runtime"]
NORMAL = ["init.start", "stop.request", "proc.exit", "init.stop"]
NEEDED = "fsync"  # a call that every server makes for /files, and for nothing else
PATIENCE_S = 60
# Not the other suites' user: limits.processes counts what a user has on the whole machine, and they use it up.
UID = 10007
USER = f"{UID}:{UID}"

Runtime = collections.namedtuple("Runtime", "name command extends code tls")
Outcome = collections.namedtuple("Outcome", "code served failed events output answer")

_numbers = itertools.count(1)


# ---- The runtimes ------------------------------------------------------------------------------------


def python(extends=("web-api", "python")):
    """Debian's Python. Its server ends itself on SIGTERM."""
    return Runtime("python", [installed("/usr/bin/python3"), "/app/server.py"], extends, 0, True)


def node(extends=("web-api", "node")):
    """Node, where Debian's package puts it. Its server dies of SIGTERM."""
    return Runtime("node", [installed("/usr/bin/node"), "/app/server.js"], extends, 143, True)


def java(extends=("web-api", "jvm"), options=()):
    """Debian's Java. Its server runs a hook on SIGTERM, then Java returns what a shell would."""
    command = [java_path(), *options, "-cp", "/app/classes", "Server"]
    return Runtime("java", command, extends, 143, True)


def static(libc="musl", extends=("static",)):
    """A static program, which needs no file of the image. It ends itself on SIGTERM."""
    return Runtime(f"static {libc}", [f"/app/server-{libc}"], extends, 0, False)


def installed(path):
    """The path behind the links; a runtime that is not there is a skip."""
    real = pathlib.Path(path).resolve()
    if not real.exists():
        laz.skip(f"{path} is not installed")
    return str(real)


@functools.cache
def java_path():
    """The Java of Debian's packages, whichever version; not one that somebody else installed."""
    found = sorted(pathlib.Path("/usr/lib/jvm").glob("java-*-openjdk-*/bin/java"))
    if not found:
        laz.skip("Debian's OpenJDK is not installed")
    return installed(found[-1])


# ---- The container -----------------------------------------------------------------------------------


def make(words):
    """Run a tool that has to work."""
    done = area.run(words, timeout=120)
    check_equal(done.code, 0, f"{words[0]}: {done.out}{done.err}")


@functools.cache
def certificate():
    """A throw-away certificate for localhost and its key, both PEM."""
    made = area.folder("certificate")
    make([area.require_program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
          "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
          "subjectAltName=DNS:localhost", "-keyout", made / "tls.key", "-out", made / "tls.crt"])
    return made


@functools.cache
def image_root():
    """A root file system without a runtime of its own: /usr is the machine's, mounted."""
    root = rootfs.scratch_root("runtimes-root")
    rootfs.put(root, "/etc/passwd", f"root:x:0:0::/:/bin/sh\nserver:x:{UID}:{UID}::/:/bin/sh\n")
    rootfs.put(root, "/etc/group", f"root:x:0:\nserver:x:{UID}:\n")
    rootfs.put_lazaret(root)
    for path in ("/usr", "/app/classes", "/events", *extra_mounts()):
        rootfs.put_folder(root, path)
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    rootfs.put(root, "/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    rootfs.put(root, "/etc/nsswitch.conf", "hosts: files dns\n")
    rootfs.put(root, "/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    rootfs.put(root, "/app/tls.crt", certificate() / "tls.crt")
    rootfs.put(root, "/app/tls.key", certificate() / "tls.key", 0o400, (UID, UID))
    for name in ("server.py", "server.js"):
        rootfs.put(root, f"/app/{name}", PROGRAMS / name)
    for libc, compiler in (("musl", "musl-gcc"), ("glibc", "gcc")):
        make([compiler, "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-static", "-pthread", "-w",
              PROGRAMS / "server.c", "-o", root / f"app/server-{libc}"])
    return root


@functools.cache
def compiled_java():
    """Server.java as classes in the image. The JRE holds the compiler, though no javac command."""
    make([java_path(), "-m", "jdk.compiler/com.sun.tools.javac.Main", "-d", image_root() / "app/classes",
          PROGRAMS / "Server.java"])
    return True


def extra_mounts():
    """What the runtimes keep outside /usr."""
    return [str(path) for path in [*pathlib.Path("/etc").glob("java-*-openjdk"), pathlib.Path("/etc/ssl")]
            if path.is_dir()]


@functools.cache
def policies():
    """The folder that containers see as /etc/lazaret."""
    return area.folder("policies")


def put_policy(runtime, mode="enforce", remove=(), write_xor_execute="disabled"):
    """A policy for a server, as its operator would write it. The path in the container."""
    name = f"{runtime.name.split()[0]}-{next(_numbers)}"
    programs, data = (["/usr"], ["/app", "/etc"]) if runtime.tls else (["/app"], ["/etc"])
    ports = [8080, 8443] if runtime.tls else [8080]
    policy = {
        "version": 1, "name": name, "mode": mode, "extends": [f"builtin/{part}" for part in runtime.extends],
        "requires": {"write-xor-execute": write_xor_execute},
        "workload": {"user": USER, "cwd": "/app"},
        "filesystem": {"read-exec": programs, "read": data, "write": ["/tmp"]},
        "network": {"tcp-bind": ports, "tcp-connect": [8080]}}
    if remove:
        policy["syscalls"] = {"remove": list(remove)}
    (policies() / f"{name}.yaml").write_text(json.dumps(policy))
    return f"/etc/lazaret/{name}.yaml"


TMP = {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777"]}


class InRunc:
    """A container of runc, started as root."""

    explained = set()

    def __init__(self, words, events):
        mounts = [TMP, bind("/usr", "/usr", "ro"), bind(policies(), "/etc/lazaret", "ro"),
                  bind(events, "/events", "rw"), *(bind(path, path, "ro") for path in extra_mounts())]
        engine = runc()
        self.output_path = events.parent / "output"
        command, self.name = engine.command(image_root(), words, mounts=mounts)
        with open(self.output_path, "wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def output(self):
        return self.output_path.read_text(errors="replace")

    def has_ended(self):
        return self.process.poll() is not None

    def pid(self):
        """Of its first process, as the engines' fence sees it."""
        state = area.run(runc().fence.command(runc().path, "--root", runc().state, "state", self.name))
        return json.loads(state.out)["pid"]

    def stop(self):
        check_equal(runc().signal(self.name, signal.SIGTERM).code, 0, "runc kill")

    def wait(self):
        return self.process.wait(PATIENCE_S)

    def remove(self):
        area.run(runc().fence.command(runc().path, "--root", runc().state, "delete", "--force", self.name))
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class InDocker:
    """A container of docker, started as the workload's own user, behind docker's own filter."""

    explained = {"bounding-set-kept", "securebits-unset", "shared-user", "groups-inherited"}

    def __init__(self, words, events):
        volumes = ["/usr:/usr:ro", f"{policies()}:/etc/lazaret:ro", f"{events}:/events",
                   *(f"{path}:{path}:ro" for path in extra_mounts())]
        options = ["--user", USER, "--dns", "127.0.0.1"]
        self.name = docker().start(docker_image(), words, options=[*options, *(f"--volume={v}" for v in volumes)])

    def output(self):
        logs = docker().call("logs", self.name)
        return logs.out + logs.err

    def has_ended(self):
        return docker().must("inspect", "--format", "{{.State.Running}}", self.name) != "true"

    def pid(self):
        return int(docker().must("inspect", "--format", "{{.State.Pid}}", self.name))

    def stop(self):
        docker().must("kill", "--signal", "TERM", self.name)

    def wait(self):
        return int(docker().must("wait", self.name))

    def remove(self):
        docker().call("rm", "--force", self.name)


@functools.cache
def runc():
    """The suite's runc."""
    area.require_root()
    return engines.Runc()


@functools.cache
def docker():
    """The suite's dockerd."""
    area.require_root()
    return engines.Docker()


@functools.cache
def docker_image():
    """The image root as an image of docker. Made when everything is in it."""
    compiled_java()
    return docker().import_root(image_root(), "runtimes")


def bind(source, destination, mode):
    """A bind mount of an OCI configuration."""
    return {"destination": str(destination), "type": "bind", "source": str(source),
            "options": ["rbind", "nosuid", "nodev", mode]}


# ---- A run -------------------------------------------------------------------------------------------


def drive(container, runtime, path):
    """Send every kind of request from outside the container: what the client counted."""
    trusted = certificate() / "tls.crt" if runtime.tls else "-"
    words = area.fence().command("nsenter", "-t", container.pid(), "-n", "--", sys.executable,
                                    PROGRAMS / "client.py", ROUNDS, trusted, *path)
    done = area.run(words, timeout=60 * ROUNDS)
    check_equal(done.code, 0, f"client: {done.err} (server: {container.output()})")
    return json.loads(done.out)


def run(runtime, where=InRunc, path=(), **policy):
    """A server from start to SIGTERM and beyond, with its requests in between."""
    area.require_root()
    if runtime.name == "java":
        compiled_java()
    events = area.folder(f"run-{next(_numbers)}/events")
    events.chmod(0o777)
    words = ["/lazaret-init", "--policy", put_policy(runtime, **policy), "--events", "/events/log", "--",
             *runtime.command]
    container = where(words, events)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while "serving" not in container.output() and not container.has_ended():
            check(time.monotonic() < deadline, f"it does not serve: {container.output()}")
            time.sleep(0.02)
        client = {"served": {}, "failed": {}, "answer": None}
        if not container.has_ended():
            client = drive(container, runtime, path)
            container.stop()
        code = container.wait()
        output = container.output()
    finally:
        container.remove()
    lines = (events / "log").read_text().splitlines() if (events / "log").exists() else []
    return Outcome(code, client["served"], client["failed"], [json.loads(line) for line in lines], output,
                   client["answer"])


# ---- What a run has to look like ---------------------------------------------------------------------


def kernel_is(*least):
    """Whether the kernel is this version or a later one."""
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2]) >= least


def kernel_lacks():
    """The degradations that this kernel, and the limits of this machine, explain."""
    abi = ctypes.CDLL(None).syscall(444, None, 0, 1)
    names = ["absent", "no-refer", "no-truncate", "no-network", "no-ioctl-dev", "no-scope"]
    lacks = {f"landlock-{name}" for least, name in enumerate(names, 1) if abi < least}
    small = ((resource.RLIMIT_NOFILE, 4096), (resource.RLIMIT_NPROC, 512))
    if any(0 <= resource.getrlimit(which)[1] < wanted for which, wanted in small):
        lacks.add("limits-lower")
    if not kernel_is(6, 3):
        lacks.add("write-xor-execute-absent")
    if not kernel_is(5, 19):
        lacks.add("wait-killable-absent")
    return lacks


def refusals(outcome):
    """The calls that raised an event, with the answer and how often."""
    counts = collections.Counter()
    for event in outcome.events:
        if event["ev"] == "seccomp.deny":
            counts[event["obj"], event["act"]] += event["d"]["count"]
    return counts


def check_start(outcome, where, mode="enforce"):
    """What init read back before the server's first instruction."""
    check(outcome.events, f"no events: {outcome.output}")
    start = outcome.events[0]
    check_equal((start["ev"], start["act"]), ("init.start", mode), "first event")
    data = start["d"]
    check_equal((data["read"]["uid"], data["read"]["seccomp"]), (UID, 2), "user and filter")
    check_equal((data["events"], data["exec_budget"]), ("notify", 1), "events and exec budget")
    unexplained = set(data["degraded"]) - where.explained - kernel_lacks()
    check_equal(unexplained, set(), "degradations that the environment does not explain")
    check_equal(data["relaxations"], [] if mode == "enforce" else [f"mode: {mode}"], "relaxations")


def check_served(outcome, runtime, but=()):
    """Every request went well, save for those paths."""
    kinds = 2 if runtime.tls else 1
    check_equal(set(outcome.failed), set(but), f"paths that failed ({outcome.failed})")
    expected = {path: ROUNDS * CONNECTIONS * kinds for path in PATHS if path not in but}
    check_equal(outcome.served, expected, "requests served")


def check_end(outcome, runtime):
    """The end is the one that somebody outside asked for, with the runtime's own exit code."""
    check_equal(outcome.code, runtime.code, f"exit code ({outcome.output} {outcome.events})")
    last = outcome.events[-1]
    check_equal((last["ev"], last["obj"], last["d"]["exit"], last["d"]["lost"]),
                ("init.stop", "stop-request", runtime.code, 0), "last event")


def check_normal(runtime, where=InRunc, but=(), **policy):
    """A whole run without a refusal; paths in but may fail for other reasons."""
    outcome = run(runtime, where, **policy)
    check_start(outcome, where)
    check_equal(refusals(outcome), {}, "refused calls")
    check_served(outcome, runtime, but)
    check_end(outcome, runtime)
    check_equal([event["ev"] for event in outcome.events], NORMAL, f"events of {outcome.events}")
    check_equal(outcome.events[-1]["d"]["denied"], 0, "refusals that init counted")
    return outcome


def check_control(runtime):
    """One needed call less: what needs it fails, the rest works, and the event names the call."""
    outcome = run(runtime, remove=[NEEDED])
    check_start(outcome, InRunc)
    check_equal(set(refusals(outcome)), {(NEEDED, "EPERM")}, "refused calls")
    check_served(outcome, runtime, but=["/files"])
    check_end(outcome, runtime)


def check_observed(runtime):
    """The same in mode observe: everything works, and the events say what would not have. clone3 answers ENOSYS
    as under enforce, or there would be one event of it for each thread."""
    outcome = run(runtime, mode="observe", remove=[NEEDED])
    check_start(outcome, InRunc, "observe")
    seen = refusals(outcome)
    check_equal(set(seen), {(NEEDED, "observed")}, "observed calls")
    check_equal(seen[NEEDED, "observed"], outcome.served["/files"], "observed calls, one for each request")
    check_served(outcome, runtime)
    check_end(outcome, runtime)


# ---- The cases ---------------------------------------------------------------------------------------

MAKERS = {"Python": python, "Node": node, "Java": java, "static C (musl)": static}


@case("Python under web-api alone: no event")
def python_plain():
    check_normal(python(["web-api"]))


@case("Node under web-api alone: no event, but how many processors there are stays unknown")
def node_plain():
    outcome = check_normal(node(["web-api"]), but=["/runtime"])
    check("os.cpus()" in outcome.failed["/runtime"], f"something else failed: {outcome.failed}")


@case("Python under web-api and python: no event")
def python_own():
    check_normal(python())


@case("Node under web-api and node: no event")
def node_own():
    check_normal(node())


@case("Java under web-api and jvm: no event")
def java_own():
    check_normal(java())


@case("Java with NUMA and parallel collection: no event")
def java_numa():
    check_normal(java(options=["-XX:+UseNUMA", "-XX:+UseParallelGC"]))


@case("Python under write-xor-execute: no event, and no memory is writable and executable")
def python_write_xor_execute():
    outcome = check_normal(python(), path=["/write-execute"], write_xor_execute="preferred")
    probed = outcome.events[0]["d"]["probed"]["write_xor_execute"]
    check_equal((probed, outcome.answer), (1, "refused") if kernel_is(6, 3) else (-1, "granted"), "W^X")


@case("control: Python without write-xor-execute may have such memory")
def python_without():
    check_equal(run(python(), path=["/write-execute"]).answer, "granted", "answer")


@case("static C, musl: no event")
def static_musl():
    check_normal(static("musl"))


@case("static C, glibc: no event")
def static_glibc():
    check_normal(static("glibc"))


def declare(template, check_it):
    """One case for each runtime."""
    for name, maker in MAKERS.items():
        case(template.format(name))(lambda maker=maker: check_it(maker()))


declare("docker, as the workload's own user: {}: no event", lambda runtime: check_normal(runtime, InDocker))
declare("control: {} without fsync: that request fails, and the event names the call", check_control)
declare("observe: {} without fsync: works, and the event says observed", check_observed)

if __name__ == "__main__":
    laz.main()
