# SPDX-License-Identifier: Apache-2.0
"""Drop-in: images with lazaret-init as their entrypoint behave under Docker's own options.

The images are built with README's Dockerfile, to the letter, on three root file systems: empty, busybox, and
Debian's own files, each in its turn the image that the Dockerfile's FROM names. What Docker reports is compared
with the same image without Lazaret.
"""
import pathlib
import time

import area
import engines
import laz
import readme
import rootfs
from laz import case, check, check_equal
from terminal import Terminal

POLICY = laz.ROOT / "tests" / "data" / "policies" / "docker.yaml"
INIT, _, SERVER = readme.entrypoint()
STATUS = ["/bin/sh", "-c", "cat /proc/self/status"]
LAUNCH_CAPS = ["SETUID", "SETGID", "SETPCAP", "KILL"]
STOP_LIMIT_S = 5  # far below the ten seconds after which docker kills

_made = {}


def docker():
    """The suite's daemon."""
    if "docker" not in _made:
        _made["docker"] = engines.Docker()
    return _made["docker"]


def runc():
    """The suite's runc."""
    if "runc" not in _made:
        _made["runc"] = engines.Runc()
    return _made["runc"]


def base(name, use):
    """A root file system with a server, its "attack", where README's image has its own."""
    make = {"scratch": rootfs.scratch_root, "busybox": rootfs.busybox_root, "debian": rootfs.debian_root}[name]
    root = make(f"{use}-{name}")
    rootfs.put(root, "/etc/plain-text", "not a program\n")
    rootfs.put(root, SERVER, area.program("attack"), 0o755)
    return root


def build(root, policy, tag):
    """README's Dockerfile on a root file system."""
    context = area.folder(f"context-{tag}")
    text = readme.block("dockerfile")
    docker().import_root(root, text.split()[1])
    rootfs.put_lazaret(context)
    rootfs.put(context, "policy.yaml", policy)
    rootfs.put(context, "Dockerfile", text)
    return docker().build(context, tag)


def image(name):
    """README's Dockerfile on one of the bases, with a policy that lets a shell run."""
    if name not in _made:
        _made[name] = build(base(name, "docker"), POLICY, f"lazaret-{name}")
    return _made[name]


def instead(args, options=()):
    """(args, options) of a docker run that has another workload than the image's."""
    return ["--", *args], ["--entrypoint", INIT, *options]


def outcome_of(result):
    """The exit code, stdout, other lines of stderr; and the events."""
    events, rest = engines.events_of(result.err)
    return area.Result(result.code, result.out, rest), events


def serve(name, args=("run", "93"), options=()):
    """`docker run` of an image with Lazaret, as a user types it: these are the server's arguments."""
    return outcome_of(docker().run(image(name), args, options=options))


def run(name, args, options=()):
    """The same with another workload."""
    args, options = instead(args, options)
    return outcome_of(docker().run(image(name), args, options=options))


def status_of(text):
    """The lines of /proc/self/status."""
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def check_confined(result, events):
    """The workload ran, as 10001, without any power, filtered; and init said that it started and stopped."""
    check_equal(result.code, 0, f"exit code ({' / '.join(result.err)})")
    status = status_of(result.out)
    check_equal(status["Uid"].split(), [str(rootfs.APP_UID)] * 4, "uids")
    check_equal(status["Gid"].split(), [str(rootfs.APP_UID)] * 4, "gids")
    # docker gives the user's own group as a supplementary one, and only root could take it away.
    check(set(status["Groups"].split()) <= {str(rootfs.APP_UID)}, f"groups {status['Groups']}")
    for caps in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        check_equal(int(status[caps], 16), 0, caps)
    check_equal(status["NoNewPrivs"], "1", "NoNewPrivs")
    check_equal(status["Seccomp"], "2", "Seccomp")
    check_equal((events[0]["ev"], events[-1]["ev"]), ("init.start", "init.stop"), "events")
    return status


# ---- The three root file systems ---------------------------------------------------------------------


@case("README's Dockerfile with README's policy: four lines are a container")
def from_readme():
    tag = build(base("debian", "readme"), readme.block("yaml"), "lazaret-readme")
    result, events = outcome_of(docker().run(tag, ["run", "93"]))
    check_equal(result.code, 0, f"exit code ({' / '.join(result.err)})")
    check_equal(result.out.split("\t")[2], "ok", "outcome of row 93")
    check_equal([(e["ev"], e["exe"]) for e in events if e["ev"] == "init.start"], [("init.start", SERVER)], "start")


@case("an empty image: init and the server need nothing beside them")
def from_scratch():
    result, events = serve("scratch")
    check_equal(result.code, 0, f"exit code ({' / '.join(result.err)})")
    check_equal(result.out.split("\t")[2], "ok", "outcome of row 93")
    check_equal(events[0]["ev"], "init.start", "first event")


@case("an empty image: without descriptors, capabilities or variables that nobody granted")
def from_scratch_clean():
    result, _ = serve("scratch", ["run", "01", "105", "106"], ["--env", "ATTACK_CANARY=1"])
    outcomes = [line.split("\t")[2] for line in result.out.splitlines()]
    check_equal(outcomes, ["none"] * 3, "rows 01, 105, 106")


@case("busybox: a shell runs confined")
def on_busybox():
    status = check_confined(*run("busybox", STATUS))
    check_equal(int(status["CapBnd"], 16), 0, "CapBnd")


@case("Debian: a shell runs confined")
def on_debian():
    status = check_confined(*run("debian", STATUS))
    check_equal(int(status["CapBnd"], 16), 0, "CapBnd")


@case("Debian: pipes, substitutions and children work as in a terminal window")
def debian_script():
    script = 'set -e; n=$(ls /usr/bin | grep -c .); test "$n" -gt 50; echo a b | tr " " "\\n" | sort -r'
    result, events = run("debian", ["/bin/bash", "-c", script])
    check_equal((result.code, result.out), (0, "b\na\n"), f"script ({' / '.join(result.err)})")
    denied = [event["obj"] for event in events if event["ev"] == "seccomp.deny"]
    check_equal(denied, [], "calls refused in a normal run")


# ---- Options of docker run ---------------------------------------------------------------------------


@case("docker run --init: init is not PID 1, and confines all the same")
def with_init():
    result, events = run("busybox", ["/bin/sh", "-c", "cat /proc/self/status; cat /proc/1/comm"],
                         ["--init"])
    check_confined(result, events)
    check(result.out.splitlines()[-1] in ("docker-init", "tini"),
          f"PID 1 is {result.out.splitlines()[-1]!r}: docker did not put its init in front")


@case("docker run --read-only")
def read_only():
    result, events = run("busybox", STATUS, ["--read-only"])
    check_confined(result, events)


@case("docker run --cap-drop ALL with the four that a launch needs")
def cap_drop_with_four():
    options = ["--cap-drop", "ALL"] + [f"--cap-add={cap}" for cap in LAUNCH_CAPS]
    status = check_confined(*run("busybox", STATUS, options))
    check_equal(int(status["CapBnd"], 16), 0, "CapBnd")


@case("docker run --cap-drop ALL as root: refused with 102, naming the capability")
def cap_drop_all():
    result, _ = run("busybox", STATUS, ["--cap-drop", "ALL"])
    check_equal((result.code, result.out), (102, ""), f"exit code and output ({result.err})")
    check("CAP_SETUID" in "\n".join(result.err), f"no word about CAP_SETUID: {result.err}")


@case("docker run --cap-drop ALL -u 10001: no capability is needed")
def cap_drop_as_user():
    check_confined(*run("busybox", STATUS, ["--cap-drop", "ALL", "-u", "10001"]))


@case("docker run -u 10001, where the image's passwd gives the group")
def as_user():
    check_confined(*run("busybox", STATUS, ["-u", "10001"]))


@case("docker run -u 10001:10001 in an image without a passwd")
def as_user_in_scratch():
    result, _ = serve("scratch", options=["-u", rootfs.APP_USER])
    check_equal(result.code, 0, f"exit code ({' / '.join(result.err)})")


@case("docker run -u 20002: not the policy's user, so nothing starts")
def as_stranger():
    result, _ = run("busybox", STATUS, ["-u", "20002:20002"])
    check_equal((result.code, result.out), (102, ""), f"exit code and output ({result.err})")


@case("docker run --security-opt no-new-privileges")
def no_new_privileges():
    check_confined(*run("busybox", STATUS, ["--security-opt", "no-new-privileges"]))


@case("docker run --security-opt seccomp=unconfined: the only filter is ours")
def unconfined():
    status = check_confined(*run("busybox", STATUS, ["--security-opt", "seccomp=unconfined"]))
    check_equal(status["Seccomp_filters"], "1", "filters")


# ---- Exit codes --------------------------------------------------------------------------------------


def check_code(args, expected, compare=True):
    """The same exit code as docker reports without Lazaret."""
    if compare:
        plain = docker().run(image("busybox"), args[1:], options=["--entrypoint", args[0]])
        check_equal(plain.code, expected, f"without Lazaret ({plain.err.strip()})")
    result, events = run("busybox", args)
    check_equal(result.code, expected, f"with Lazaret ({' / '.join(result.err)})")
    return events


@case("exit code 0")
def exit_0():
    check_code(["/bin/true"], 0)


@case("exit code 7")
def exit_7():
    check_code(["/bin/sh", "-c", "exit 7"], 7)


@case("exit code 137: the workload dies of SIGKILL (which it cannot as PID 1)")
def exit_137():
    check_code(["/bin/sh", "-c", "kill -KILL $$"], 137, compare=False)


@case("exit code 126: a file that is no program")
def exit_126():
    check_code(["/etc/plain-text"], 126)


@case("exit code 127: no such file")
def exit_127():
    check_code(["/bin/no-such-program"], 127)


@case("a command without a path is found through PATH, as docker finds it")
def through_path():
    check_code(["true"], 0)


# ---- Stopping ----------------------------------------------------------------------------------------


def start_ready(script, options=()):
    """The name of a container whose script has said that it is ready."""
    args, options = instead(["/bin/sh", "-c", script], options)
    name = docker().start(image("busybox"), args, options=options)
    deadline = time.monotonic() + 20
    while "ready" not in docker().must("logs", name):
        check(time.monotonic() < deadline, f"not ready: {docker().call('logs', name)}")
        time.sleep(0.05)
    return name


def check_stop(script, expected, options=(), stop=()):
    """`docker stop` of a running script: its exit code, well inside the time-out."""
    name = start_ready(script, options)
    began = time.monotonic()
    docker().must("stop", *stop, name)
    took = time.monotonic() - began
    code = int(docker().must("inspect", "--format", "{{.State.ExitCode}}", name))
    logs = docker().call("logs", name)
    docker().must("rm", name)
    check_equal(code, expected, f"exit code ({logs.err.strip()[-600:]})")
    check(took < STOP_LIMIT_S, f"docker stop took {took:.1f} s")


WAIT = "echo ready; while :; do sleep 0.05; done"


@case("docker stop: TERM reaches the workload, and its exit code is the container's")
def stop_handled():
    check_stop(f"trap 'exit 24' TERM; {WAIT}", 24)


@case("docker stop: a workload without a handler dies of TERM, 143, though it would not as PID 1")
def stop_default():
    check_stop(WAIT, 143)


@case("docker run --stop-signal INT")
def stop_signal_int():
    check_stop(f"trap 'exit 25' INT; {WAIT}", 25, ["--stop-signal", "INT"])


@case("docker run --stop-signal USR1: a signal that is no stop for init is forwarded")
def stop_signal_usr1():
    check_stop(f"trap 'exit 26' USR1; {WAIT}", 26, ["--stop-signal", "USR1"])


@case("docker stop under --init")
def stop_under_init():
    check_stop(f"trap 'exit 27' TERM; {WAIT}", 27, ["--init"])


@case("docker stop -t 2 of a deaf workload: killed, 137")
def stop_deaf():
    check_stop(f"trap '' TERM; {WAIT}", 137, stop=["--time", "2"])


@case("docker kill --signal HUP is forwarded")
def kill_hup():
    name = start_ready(f"trap 'exit 28' HUP; {WAIT}")
    docker().must("kill", "--signal", "HUP", name)
    code = docker().must("wait", name, timeout=20)
    docker().must("rm", name)
    check_equal(code, "28", "exit code")


# ---- A terminal --------------------------------------------------------------------------------------


def shell():
    """A shell that has prompted."""
    args, options = instead(["/bin/sh"])
    terminal = docker().terminal(image("busybox"), args, options=options)
    terminal.wait_for("$ ")
    return terminal


@case("docker run -it: a shell on a terminal, with its size, and its exit code")
def on_terminal():
    terminal = shell()
    terminal.send("tty; echo $((6 * 7))\n")
    terminal.wait_for("\n42")
    terminal.send("exit 5\n")
    result = terminal.finish()
    check_equal(result.code, 5, f"exit code ({result.out!r})")
    check("/dev/pts/0" in result.out or "/dev/console" in result.out, f"no terminal: {result.out!r}")
    check("job control" not in result.out, f"the shell cannot control jobs: {result.out!r}")


@case("docker run -it: ^C ends the foreground job, not the shell")
def control_c():
    terminal = shell()
    terminal.send("echo begin$((1 + 1)); sleep 60; echo after$((1 + 2))\n")
    terminal.wait_for("begin2")
    time.sleep(0.3)  # the shell forks the sleep after it has printed
    terminal.send("\x03")
    terminal.send("\necho alive$((2 + 2))\n")
    terminal.wait_for("alive4")
    terminal.send("exit 6\n")
    result = terminal.finish()
    check_equal(result.code, 6, f"exit code ({result.out!r})")


def terminal_outcomes(entrypoint, words):
    """What the attempts saw on a terminal."""
    result = docker().terminal(image("busybox"), words, options=["--entrypoint", entrypoint]).finish()
    return [line.split("\t")[2] for line in result.out.splitlines() if line.count("\t") == 3]


@case("docker run -it: pushing input into the terminal works without Lazaret, and not with it")
def terminal_input():
    rows = ["47", "48", "167"]
    plain = terminal_outcomes(SERVER, ["run", *rows])
    check_equal(plain, ["ok"] * 3, "without Lazaret")
    confined = terminal_outcomes(INIT, ["--", SERVER, "run", *rows])
    check_equal(confined, ["EPERM", "EPERM", "ok"], "with Lazaret, where the policy grants /dev/tty")


# ---- runc directly -----------------------------------------------------------------------------------


@case("runc: the same three root file systems, without docker")
def runc_directly():
    workloads = {"scratch": [SERVER, "exit-42"], "busybox": ["/bin/sh", "-c", "exit 42"],
                 "debian": ["/bin/bash", "-c", "exit 42"]}
    for name, workload in workloads.items():
        root = base(name, "runc")
        rootfs.put_lazaret(root, pathlib.PurePath(INIT).parent)
        rootfs.put(root, "/etc/lazaret/policy.yaml", POLICY)
        for user in ("0:0", rootfs.APP_USER):
            for readonly in (False, True):
                result = runc().run(root, [INIT, "--", *workload], user=user,
                                  readonly=readonly)
                check_equal(result.code, 42, f"{name} as {user}, read-only {readonly}: "
                                             f"exit code ({result.err.strip()})")


@case("runc: a terminal of its own")
def runc_terminal():
    root = base("busybox", "runc-terminal")
    rootfs.put_lazaret(root, pathlib.PurePath(INIT).parent)
    rootfs.put(root, "/etc/lazaret/policy.yaml", POLICY)
    words, _ = runc().command(root, [INIT, "--", "/bin/sh"], terminal=True)
    terminal = Terminal(words)
    terminal.wait_for("$ ")
    terminal.send("echo $((6 * 7)); exit 9\n")
    result = terminal.finish()
    check_equal(result.code, 9, f"exit code ({result.out!r})")
    check("\n42" in result.out, f"no answer: {result.out!r}")


if __name__ == "__main__":
    laz.main()
