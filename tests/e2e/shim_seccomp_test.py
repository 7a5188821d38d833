# SPDX-License-Identifier: Apache-2.0
"""The seccomp profile around a container under a policy: what an engine's refuses raises no event, and host.seccomp decides.

By dockerd, ctr and podman with runc, and by crun on bundles. What a process wears is what the kernel answers it.
"""
import errno
import json
import os

import area
import engines
import fence
import laz
import rootfs
import shim_peers
import shim_world as world
from laz import case, check, check_equal
from shim_served import BASE, HELPERS, Served
from shim_world import SHIM, configure

CALLER = "/bin/caller"
UNIFIED = 'mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"'  # crun wants control groups of version 2 alone
_made = {}


def prepare(policy="shell", runtime="runc", **policies):
    """The host, with this runtime behind the shim."""
    path = area.require_program(runtime)
    world.host()
    world.install(**policies)
    configure(f"version: 1\nruntime: {path}\ndefault-policy: {policy}\naudit: {{file: {world.OPT}/audit/host.jsonl}}\n")


def with_host(text, base=BASE):
    """The policy, and what it says to the host."""
    return f"{base}\nhost: {{{text}}}\n"


def root():
    """An image that knows nothing of Lazaret, with a program that makes system calls."""
    if "root" not in _made:
        _made["root"] = rootfs.busybox_root("shim-seccomp")
        rootfs.put(_made["root"], CALLER, fence.compile_program("caller", ["caller.c"], fence.HERE / "shim", world.host()), 0o755)
    return _made["root"]


def docker():
    """A daemon that knows the shim by name."""
    world.host()
    if "docker" not in _made:
        _made["docker"] = engines.Docker(["--add-runtime", f"lazaret={SHIM}"])
        _made["docker"].import_root(root(), "shell", "ENV PATH=/bin:/usr/bin")
    return _made["docker"]


def answers(result, what):
    """What the caller printed: {name: errno}, and for which calls there was an event."""
    check_equal(result.code, 0, f"{what}: {result}")
    said = dict(line.split("=") for line in result.out.splitlines() if "=" in line and not line.startswith("{"))
    events, _ = engines.events_of(result.err)
    return ({name: int(value) for name, value in said.items()},
            sorted(event["obj"] for event in events if event["ev"] == "seccomp.deny"))


def refused(*names, filters):
    """What is to be answered where each of them is refused."""
    return {**{name: errno.EPERM for name in names}, "filters": filters}


def by_docker(engine, *calls, options=(), runtime="lazaret"):
    return answers(engine.run("shell", [CALLER, *calls], options=["--runtime", runtime, *options]), f"docker {options}")


@case("docker: what Docker's profile refuses raises an event with host.seccomp: events, and none without")
def events():
    engine = docker()
    silent = ("bpf", "keyctl", "mount", "unshare", "userfaultfd")
    prepare(shell=BASE)
    check_equal(by_docker(engine, *silent, "ptrace"), (refused(*silent, "ptrace", filters=2), ["ptrace"]), "the control: keep")
    prepare(shell=with_host("seccomp: events"))
    check_equal(by_docker(engine, *silent, "ptrace"), (refused(*silent, "ptrace", filters=2), sorted([*silent, "ptrace"])), "events")
    said, seen = by_docker(engine, "getpid", "foreign")
    check_equal((said["getpid"], seen), (0, ["foreign_20"] if os.uname().machine == "x86_64" else []), "another ABI")
    name = engine.start("shell", ["sleep", "1000"], options=["--runtime", "lazaret"])
    check_equal(answers(engine.call("exec", name, CALLER, *silent), "exec"), (refused(*silent, filters=2), sorted(silent)), "exec")
    engine.must("rm", "--force", name)


@case("docker: a container without a profile gets the policy's, and its events stay; who may exec as he likes wears no more than that")
def supplied():
    engine = docker()
    loose = ["--security-opt", "seccomp=unconfined"]
    prepare(shell=BASE)
    check_equal(by_docker(engine, "keyctl", "ptrace", options=loose), (refused("keyctl", "ptrace", filters=2), ["keyctl", "ptrace"]), "run")
    prepare(shell=with_host("exec: allow"))
    check_equal(by_docker(engine, "keyctl", options=loose), (refused("keyctl", filters=2), []), "run, exec: allow")
    for policy, expected in (("shell", refused("keyctl", "ptrace", "userfaultfd", filters=1)), ("pass-through", None)):
        prepare(policy)
        name = engine.start("shell", ["sleep", "1000"], options=["--runtime", "lazaret", *loose])
        said, _ = answers(engine.call("exec", name, CALLER, "keyctl", "ptrace", "userfaultfd"), f"exec, {policy}")
        if expected is None:
            check(said["filters"] == 0 and errno.EPERM not in (said["keyctl"], said["userfaultfd"]), f"the control: {said}")
        else:
            check_equal(said, expected, "exec")
        engine.must("rm", "--force", name)


@case("docker: narrow takes out of Docker's profile what the policy never allows, which an exec that is allowed notices")
def narrowed():
    engine = docker()
    for rule, is_narrow in (("exec: allow", False), ("exec: allow, seccomp: narrow", True)):
        prepare(shell=with_host(rule))
        check_equal(by_docker(engine, "ptrace"), (refused("ptrace", filters=2), [] if is_narrow else ["ptrace"]), f"run: {rule}")
        name = engine.start("shell", ["sleep", "1000"], options=["--runtime", "lazaret"])
        said, _ = answers(engine.call("exec", name, CALLER, "ptrace", "getpid", "mount"), f"exec: {rule}")
        check_equal(said["ptrace"] == errno.EPERM, is_narrow, f"exec: {rule}: {said}")
        check_equal((said["getpid"], said["mount"], said["filters"]), (0, errno.EPERM, 1), f"exec: {rule}")
        engine.must("rm", "--force", name)
    deny_list = world.OPT / "deny-list.json"
    deny_list.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}))
    for rule in ("seccomp: narrow", "seccomp: keep"):
        prepare(shell=with_host(rule))
        result = engine.run("shell", ["true"], options=["--runtime", "lazaret", "--security-opt", f"seccomp={deny_list}"])
        check(result.code != 0 and "request-refused: policy shell: a seccomp profile that lets happen what it does not name (host.seccomp)"
              in result.err, f"{rule}: a list of what is refused: {result}")


@case("docker: a policy that was changed does not let an exec out of a container whose profile is loosened")
def changed_later():
    engine = docker()
    prepare(shell=with_host("seccomp: events"))
    name = engine.start("shell", ["sleep", "1000"], options=["--runtime", "lazaret"])
    text = "loosened for events: an exec has to be confined (host.seccomp)"
    for rule, is_refused in (("exec: confined", False), ("exec: allow", True)):
        prepare(shell=with_host(rule))
        result = engine.call("exec", name, "true")
        check_equal((result.code == 0, text in result.out + result.err), (not is_refused, is_refused), f"{rule}: {result}")
    engine.must("rm", "--force", name)
    for profile, is_refused in (([], False), (["--security-opt", "seccomp=unconfined"], True)):
        prepare(shell=BASE)  # keep: an engine's profile stays; where there is none the policy's comes, which is loose
        name = engine.start("shell", ["sleep", "1000"], options=["--runtime", "lazaret", *profile])
        prepare(shell=with_host("exec: allow"))
        result = engine.call("exec", name, "true")
        check_equal((result.code == 0, text in result.out + result.err), (not is_refused, is_refused), f"keep, {profile}: {result}")
        engine.must("rm", "--force", name)
    prepare(shell=with_host("exec: allow"))
    name = engine.start("shell", ["sleep", "1000"], options=["--runtime", "lazaret"])
    check_equal(engine.call("exec", name, "true").code, 0, "the control: made under the changed one")
    engine.must("rm", "--force", name)


@case("docker: every helper begins and works under the policy's profile alone, and under Docker's narrowed")
def every_helper():
    engine = docker()
    seen = []
    for rule, options in (("exec: confined", []), ("exec: allow", ["--security-opt", "seccomp=unconfined"]),
                          ("exec: allow, seccomp: narrow", []), ("seccomp: events", [])):
        prepare(shell=with_host(rule, HELPERS))
        with Served(engine, *options) as served:
            served.ready()
            began = [record["d"] for record in served.trail() if record["ev"] == "init.start"]
            seen.append((rule, len(served.processes()), began[0]["degraded"], began[0]["outer_filters"], began[0]["events"]))
    check(seen[0][1] >= 4 and seen[0][3] == 1, f"the control: {seen[0]}")
    for form in seen[1:]:
        check_equal(form[1:], seen[0][1:], form[0])


@case("ctr: a container has no profile of its own, gets the policy's, and its events stay")
def by_ctr():
    prepare(shell=BASE)
    with shim_peers.Containerd() as containerd:
        words = [root(), "ctr-seccomp", CALLER, "keyctl", "ptrace"]
        check_equal(answers(area.run([*containerd.run, "--rm", *words]), "ctr"), (refused("keyctl", "ptrace", filters=2), ["keyctl", "ptrace"]), "ctr")
        prepare(shell=with_host("exec: allow"))
        check_equal(answers(area.run([*containerd.run, "--rm", *words]), "ctr"), (refused("keyctl", "ptrace", filters=2), []), "ctr, exec: allow")


@case("podman: its profile stays, is narrowed or goes, as Docker's does")
def by_podman():
    podman = shim_peers.Podman("s")
    for rule, seen, answer in (("seccomp: keep", ["ptrace"], errno.EPERM), ("seccomp: events", ["bpf", "ptrace"], errno.EPERM),
                               ("seccomp: narrow", [], errno.ENOSYS)):  # what podman's profile answers by default
        prepare(shell=with_host(rule))
        result = podman.call("run", "--rm", *podman.options, "--rootfs", root(), CALLER, "bpf", "ptrace")
        check_equal(answers(result, rule), ({"bpf": errno.EPERM, "ptrace": answer, "filters": 2}, seen), rule)


@case("crun, by hand: it loads the policy's profile in both of its forms, and a narrowed one")
def by_crun():
    world.host()
    fenced = area.fence()
    bundle = area.folder("crun-seccomp")
    area.run(["runc", "spec", "--bundle", bundle])
    config = json.loads((bundle / "config.json").read_text())
    caps = ["CAP_" + name for name in engines.DOCKER_CAPS]
    config["process"].update(terminal=False, args=[CALLER, "keyctl", "ptrace"], capabilities={k: caps for k in ("bounding", "effective", "permitted")})
    config["root"] = {"path": str(root()), "readonly": False}
    config["linux"].update(cgroupsPath=f"/{fenced.cgroup}/crun", resources={})
    lists = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": sorted(fence.system_calls()), "action": "SCMP_ACT_ALLOW"}]}
    begin = fenced.command("unshare", "-m", "sh", "-c", UNIFIED, "sh", SHIM, "--root", "/run/crun-seccomp")
    for rule, profile, seen in (("seccomp: keep", None, ["keyctl", "ptrace"]), ("seccomp: events", lists, ["keyctl", "ptrace"]),
                                ("exec: allow", None, []), ("seccomp: narrow", lists, [])):
        prepare("shell", "crun", shell=with_host(rule))
        config["linux"].pop("seccomp", None)
        if profile is not None:
            config["linux"]["seccomp"] = profile
        (bundle / "config.json").write_text(json.dumps(config))
        result = area.run([*begin, "run", "--bundle", bundle, "one"], env={"PATH": area.PATH})
        check_equal(answers(result, rule), (refused("keyctl", "ptrace", filters=2), seen), rule)


if __name__ == "__main__":
    laz.main()
