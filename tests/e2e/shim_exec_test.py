# SPDX-License-Identifier: Apache-2.0
"""What comes into a running container behind lazaret-shim, whose policy has helpers: a command, a health command, ECS Exec.

By a real dockerd. Each claim has its control: the same by runc alone, or with the rule the other way round.
"""
import hashlib
import json
import os
import pathlib
import subprocess

import area
import engines
import laz
import readme
import rootfs
import shim_peers
import shim_world as world
from laz import case, check, check_equal
from shim_confined import check_status, status_of
from shim_served import BASE, HELPERS, Served, until
from shim_world import SHIM, configure

PAGE = laz.ROOT / "docs" / "reference" / "shim.md"
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
    agent()  # what it has on the host is there before the engine's own mounts
    if "docker" not in _made:
        _made["docker"] = engines.Docker(["--add-runtime", f"lazaret={SHIM}"])
        _made["docker"].import_root(rootfs.busybox_root("shim-exec"), "shell", "ENV PATH=/bin:/usr/bin")
    return _made["docker"]


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
        check_status(second.out, "the second")
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


def health_of(engine, name):
    return engine.must("inspect", "--format", "{{.State.Health.Status}}", name)


def becomes(engine, name, state):
    """The engine comes to see it so: a slow start may be unhealthy first."""
    def log():
        return engine.call("inspect", "--format", "{{json .State.Health}}", name).out[-2000:]
    until(lambda: health_of(engine, name) == state, lambda: f"{state}: {log()}")


WELL = "test -e /tmp/well"
RULES = ["--health-cmd", WELL, "--health-interval", "200ms", "--health-retries", "2", "--health-timeout", "20s"]


@case("HEALTHCHECK under exec: deny: the health command alone comes in, as the container began; anything else is refused, by name")
def health_check():
    engine = docker()
    host = 'host: {exec: deny, exec-user: workload, health-check: {argv: [/bin/sh, -c, "%s"]%s}}\n'
    prepare(shell=BASE + host % (WELL, ""))
    name = engine.start("shell", ["sh", "-c", "touch /tmp/well; exec sleep 1000"], options=["--runtime", "lazaret", "-e", "ONE=1", *RULES])
    becomes(engine, name, "healthy")
    argv = ["/bin/sh", "-c", WELL]
    check_equal(engine.call("exec", name, *argv).code, 0, "who starts the same is the same")
    other = "it is the health command, but not with the user, the variables and the folder"
    for options, words, text in (([], ["true"], "(host.exec: deny; "), ([], [*argv, "x"], "(host.exec: deny; "), ([], argv[:2] + [WELL + " "], "(host.exec: deny; "),
                                 ([], argv[:2], "(host.exec: deny; "), (["-u", "1"], argv, other), (["-e", "TWO=2"], argv, other),
                                 (["-e", "ONE=2"], argv, other), (["-w", "/tmp"], argv, other)):
        result = engine.call("exec", *options, name, *words)
        check(result.code == 126 and text in result.out + result.err, f"{options} {words}: {result}")
    for terminal in (["-t"], ["--privileged"]):  # the one is no engine's check, the other brings nothing: it is clamped
        result = engine.call("exec", *terminal, name, *argv)
        check_equal(result.code, 0 if terminal == ["--privileged"] else 126, f"{terminal}: {result}")
    engine.must("rm", "--force", name)
    for what, policy, state in (("health-check denied", BASE + (host % (WELL, ", exec: deny")).replace("exec: deny, exec-user", "exec-user"), "unhealthy"),
                                ("the control, no such key", BASE + "host: {exec: deny}\n", "unhealthy"),
                                ("the control, confined as any", BASE, "healthy")):
        prepare(shell=policy)
        name = engine.start("shell", ["sh", "-c", "touch /tmp/well; exec sleep 1000"], options=["--runtime", "lazaret", *RULES])
        becomes(engine, name, state)
        if state == "unhealthy":
            check("lazaret: request-refused" in engine.must("inspect", "--format", "{{json .State.Health}}", name), f"{what}: why")
        engine.must("rm", "--force", name)


@case("podman healthcheck run under exec: deny is the health command too, though podman leaves HOSTNAME out of it; podman exec is not")
def podman_check():
    agent()
    podman = shim_peers.Podman("p")
    root = rootfs.busybox_root("shim-podman")
    for rule, code in (("exec: deny", 1), ('exec: deny, health-check: {argv: [/bin/sh, -c, "%s"]}' % WELL, 0)):
        prepare(shell=BASE + f"host: {{{rule}}}\n")
        result = podman.call("run", "-d", *podman.options, "--name", f"well-{code}", "--health-cmd", WELL, "--health-interval", "disable",
                             "--rootfs", root, "sh", "-c", "touch /tmp/well; exec sleep 1000")
        check_equal(result.code, 0, f"{rule}: {result}")
        until(lambda: (root / "tmp/well").exists(), "workload")
        for _ in range(2):
            check_equal(podman.call("healthcheck", "run", f"well-{code}").code, code, f"{rule}: podman healthcheck")
        result = podman.call("exec", f"well-{code}", "true")
        check(result.code != 0 and "(host.exec: deny; " in result.err, f"{rule}: podman exec: {result}")
        result = podman.call("exec", "-e", "HOSTNAME=x", f"well-{code}", "/bin/sh", "-c", WELL)
        check_equal(result.code != 0, True, f"{rule}: a name of one's own: {result}")
        podman.call("rm", "--force", "--time", "0", f"well-{code}")


@case("lazaret-init probe as HEALTHCHECK: healthy while the workload is ready, also under exec: deny, where only that command comes in")
def probe():
    engine = docker()
    documented = readme.block("text healthcheck", PAGE).strip()
    ready = documented.replace("live", "ready")
    for tag, line in (("live", documented), ("ready", ready)):
        line = line.replace("--interval=10s", "--interval=200ms --retries=2").replace("--start-period=60s ", "")
        engine.import_root(rootfs.busybox_root(f"shim-{tag}"), tag, "ENV PATH=/bin:/usr/bin", line)
    policy = BASE.replace("families: [unix]", "families: []") + "health: {ready: {fall: 1, checks: [{name: up, exec: [/usr/bin/test, -e, /tmp/up], every: 1s}]}}\n"
    for tag, rule in (("ready", ""), ("live", readme.block("yaml health-check", PAGE))):
        words = json.loads(documented.partition("CMD ")[2].replace("live", tag))
        prepare(shell=policy + rule)
        name = engine.start(tag, ["sh", "-c", "touch /tmp/up; exec sleep 1000"], options=["--runtime", "lazaret", "--tmpfs", "/run:mode=0755"])
        becomes(engine, name, "healthy")
        result = engine.call("exec", name, *words)
        check(result.code == 0 and result.out.startswith(tag), f"asked by hand, {rule}: {result}")
        result = engine.call("exec", name, "rm", "/tmp/up")
        check_equal(result.code, 126 if rule else 0, f"another command, {rule}: {result}")
        if not rule:
            becomes(engine, name, "unhealthy")
        engine.must("rm", "--force", name)


def bundle(name, mounts=(), **process):
    """A bundle whose container was created with a runtime that does nothing."""
    folder = area.folder(f"exec-{name}")
    area.run(["runc", "spec", "--bundle", folder])
    config = json.loads((folder / "config.json").read_text())
    config["process"].update(terminal=False, args=["true"], **process)
    config["mounts"] += mounts
    config["root"] = {"path": str(rootfs.busybox_root(f"exec-root-{name}")), "readonly": False}
    (folder / "config.json").write_text(json.dumps(config))
    result = area.run([SHIM, "--root", "/run/test", "create", "--bundle", folder, name], env={"PATH": area.PATH})
    check_equal(result.code, 0, f"create: {result}")


def entered(name, **process):
    """What the runtime gets for this process file: the result, and the process."""
    path = world.OPT / "process.json"
    path.write_text(json.dumps({"cwd": "/", "user": {"uid": 0, "gid": 0}, "env": [], **process}))
    world.records()
    result = area.run([SHIM, "--root", "/run/test", "exec", "--process", path, name], env={"PATH": area.PATH})
    copies = list(pathlib.Path("/run/lazaret").glob(f"*/{name}.exec-*"))
    found = json.loads(copies[0].read_text()) if copies else None
    for copy in copies:
        copy.unlink()
    return result, found


def by_hand(policy):
    """As prepare, with a runtime that does nothing."""
    prepare(shell=policy)
    configure(f"version: 1\nruntime: {world.RUNTIME}\ndefault-policy: shell\naudit: {{file: {world.OPT}/audit/host.jsonl}}\n")


@case("the probe is run by itself, as the policy's user and with nothing; another program, or another word, has init in front of it")
def probe_file():
    by_hand(BASE)
    bundle("probe")
    record = json.loads(next(pathlib.Path("/run/lazaret").glob("*/probe.json")).read_text())
    image = next(pathlib.Path("/run/lazaret/images").glob(record["policy-digest"] + "-*.img"))
    init, pin = "/.lazaret/lazaret-init", hashlib.sha256(image.read_bytes()).hexdigest()
    front = [init, "--enter", "--policy", "/.lazaret-policy", "--policy-sha256", pin, "--"]
    caps = {kind: ["CAP_KILL", "CAP_SETGID", "CAP_SETUID"] for kind in ("bounding", "effective", "permitted")}
    for args, is_probe in (([init, "probe", "ready"], True), ([init, "probe", "live", "--timeout", "1s"], True), ([init, "--", "sh"], False),
                           ([init], False), (["/x" + init, "probe", "ready"], False), (["probe"], False)):
        result, found = entered("probe", args=args, capabilities=caps, user={"uid": 0, "gid": 0, "additionalGids": [0, 6]})
        check_equal(result.code, 0, f"{args}: {result}")
        check_equal(found["args"], args if is_probe else front + args, f"{args}: what is run")
        user = {"uid": rootfs.APP_UID, "gid": rootfs.APP_UID, "additionalGids": []} if is_probe else {"uid": 0, "gid": 0, "additionalGids": [0, 6]}
        check_equal(found["user"], user, f"{args}: as whom")
        check_equal(found["noNewPrivileges"], True, f"{args}: no_new_privs")
        check_equal(set(sum(found["capabilities"].values(), [])), set() if is_probe else set(caps["bounding"]), f"{args}: capabilities")
    by_hand(BASE + "host: {exec: allow}\n")
    bundle("probe-allowed")
    check_equal(entered("probe-allowed", args=[init, "probe", "ready"])[1]["user"], {"uid": 0, "gid": 0}, "under allow, as it comes")


@case("a confined exec looks at what the container's first process has mounted, if a hook has said which it is: it may have ended, and the mounts may be gone")
def looked_at():
    by_hand(BASE)
    bundle("looked")
    path = next(pathlib.Path("/run/lazaret").glob("*/looked.json"))
    record = json.loads(path.read_text())
    started = int(pathlib.Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    for pid, when, kind, text in ((os.getpid(), started, "container-changed", "/.lazaret/lazaret-init of the container is not what the host has mounted there"),
                                  (os.getpid(), started + 1, "host-unseen", f"the container's first process, {os.getpid()}, has ended"),
                                  (2**31 - 1, started, "host-unseen", "the container's first process, 2147483647, has ended")):
        path.write_text(json.dumps({**record, "pid": pid, "started": when}))
        for done in (entered("looked", args=["true"])[0], entered("looked", args=["/.lazaret/lazaret-init", "probe", "live"])[0],
                     area.run([SHIM, "--root", "/run/test", "exec", "looked", "true"], env={"PATH": area.PATH})):
            world.refused(done, kind, text)
    path.write_text(json.dumps(record))
    check_equal(entered("looked", args=["true"])[0].code, 0, "the control: no hook has said which process it is")
    by_hand(BASE + "host: {exec: allow}\n")
    path.write_text(json.dumps({**record, "pid": os.getpid(), "started": started, "loosened": False}))
    check_equal(entered("looked", args=["true"])[0].code, 0, "allow: nothing of the host's is started")


@case("the groups of the policy's user are the policy's, at docker run --group-add, at docker exec and in an exec's file; an empty variable is none")
def groups():
    own = str(rootfs.APP_UID)
    user = ["-u", f"{own}:{own}"]
    engine = docker()
    for policy, expected in ((BASE, ""), (BASE.replace('user: "10001:10001"', 'user: "10001:10001"\n  groups: ["43"]'), "43")):
        prepare(shell=policy)
        options = ["--runtime", "lazaret", *user, "--group-add", "0", "--group-add", "42"]
        result = engine.run("shell", STATUS, options=options)
        check("Groups" in status_of(result.out), f"docker run: {result}")
        check_equal(status_of(result.out)["Groups"], expected, "docker run")
        name = engine.start("shell", ["sleep", "1000"], options=options)
        check_equal(status_of(engine.must("exec", *user, name, *STATUS))["Groups"], expected, "docker exec")
        engine.must("rm", "--force", name)
    options[1] = "runc"
    check("42" in status_of(engine.run("shell", STATUS, options=options).out)["Groups"].split(), "the control, runc alone")
    for rule, uid, groups_, expected in (("confined", 10001, [0, 42], []), ("confined", 10001, None, None), ("confined", 0, [0, 42], []), ("allow", 10001, [0, 42], [0, 42])):
        by_hand(BASE + f"host: {{exec: {rule}}}\n")
        bundle(f"groups-{rule}-{uid}-{groups_ is None}")
        result, found = entered(f"groups-{rule}-{uid}-{groups_ is None}", args=["true"], env=["PATH=/bin", "", "="],
                                user={"uid": uid, "gid": uid} | ({} if groups_ is None else {"additionalGids": groups_}))
        check_equal(result.code, 0, f"{rule} {uid}: {result}")
        check_equal(found["user"].get("additionalGids"), expected, f"{rule} {uid}: groups")
        check_equal(found["env"], ["PATH=/bin", "", "="], f"{rule} {uid}: variables")


@case("docker exec -u 0 and --privileged into a container that began as the policy's user are that user's too; exec-user is who refuses it")
def root_into_user():
    engine = docker()
    prepare(shell=BASE)
    for user in ([], ["-u", rootfs.APP_USER]):
        name = engine.start("shell", ["sleep", "1000"], options=["--runtime", "lazaret", *user])
        for options in (["-u", "0"], ["-u", "0:0", "--privileged"], ["--privileged"], ["-u", rootfs.APP_USER], []):
            result = engine.call("exec", *options, name, *STATUS)
            check_equal(result.code, 0, f"{user}: {options}: {result}")
            check_status(result.out, f"{user}: {options}")
        world.install(shell=BASE + "host: {exec-user: non-root}\n")
        result = engine.call("exec", "-u", "0", name, *STATUS)
        check(result.code == 126 and "an exec as user 0:0 (host.exec-user: " in result.out + result.err, f"{user}: {result}")
        world.install(shell=BASE)
        engine.must("rm", "--force", name)


@case("an exec as root that brings what lazaret-init needs to change its user begins as root; else, as the policy's user, with nothing")
def root_without():
    by_hand(BASE)
    bundle("root-without")
    needed = ["CAP_KILL", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID"]
    whole = {kind: needed for kind in ("bounding", "effective", "permitted")}
    rows = [(whole, True), ({}, False), (None, False), ({**whole, "permitted": []}, False), ({**whole, "effective": []}, False), ({**whole, "bounding": []}, False),
            *[({kind: [n for n in needed if n != name] for kind in whole}, False) for name in ("CAP_SETUID", "CAP_SETGID")],
            ({kind: [n for n in needed if n != "CAP_SETPCAP"] for kind in whole}, True)]
    for caps, is_root in rows:
        result, found = entered("root-without", args=["true"], user={"uid": 0, "gid": 0, "additionalGids": [0, 6]}, **({} if caps is None else {"capabilities": caps}))
        check_equal(result.code, 0, f"{caps}: {result}")
        user = {"uid": 0, "gid": 0, "additionalGids": [0, 6]} if is_root else {"uid": rootfs.APP_UID, "gid": rootfs.APP_UID, "additionalGids": []}
        check_equal((found["user"], found["args"][0]), (user, "/.lazaret/lazaret-init"), f"{caps}")
        check_equal(any(found["capabilities"].values()), is_root, f"{caps}: {found['capabilities']}")


@case("a container without a record, unknown-container: clamp-default: an exec is the policy's user with nothing, and nothing is put in front of it")
def unknown():
    init = "/.lazaret/lazaret-init"
    caps = {kind: ["CAP_SETUID", "CAP_SETGID"] for kind in ("bounding", "effective", "permitted")}
    asked = {"capabilities": caps, "user": {"uid": 0, "gid": 0, "additionalGids": [0, 42]}, "env": ["LD_PRELOAD=/x", "A=1"]}
    by_hand(BASE)
    check("there is no record" in entered("nobody", args=["true"])[0].err, "the control: by default refused")
    configure(world.FILE.read_text() + "unknown-container: clamp-default\n")
    for args in (["true"], [init, "--enter", "--policy", "/.lazaret-policy", "--", "true"], [init, "probe", "live"]):
        result, found = entered("nobody", args=args, **asked)
        check_equal(result.code, 0, f"{args}: {result}")
        check_equal((found["args"], found["user"]), (args, {"uid": rootfs.APP_UID, "gid": rootfs.APP_UID, "additionalGids": []}), f"{args}")
        check_equal((sum(found["capabilities"].values(), []), found["noNewPrivileges"], found["env"]), ([], True, ["A=1"]), f"{args}")
    last = json.loads((world.OPT / "audit" / "host.jsonl").read_text().splitlines()[-1])
    check_equal((last["ev"], last["d"]["mode"]), ("shim.exec", "clamped"), "what is recorded")
    words = [SHIM, "--root", "/run/test", "exec", "nobody", "true"]
    result = area.run(words, env={"PATH": area.PATH})
    check(result.code == 1 and "but by a file (--process)" in result.err, f"by hand: {result}")
    for rule, code in (("deny", 1), ("allow", 0)):
        world.install(shell=BASE + f"host: {{exec: {rule}}}\n")
        result, found = entered("nobody", args=["true"], **asked)
        check_equal((result.code, found and found["user"]), (code, None if code else asked["user"]), f"{rule}: {result}")


@case("the health command is held against all that the container's process began with: ids, groups, folder, variables in their order")
def as_begun():
    by_hand(BASE + "host: {exec: deny, health-check: {argv: [a, a]}}\n")
    user, env = {"uid": 7, "gid": 8, "additionalGids": [9, 10]}, ["A=1", "B=2", "LAZARET_X=1", "HOSTNAME=h"]
    bundle("begun", user=user, env=env, cwd="/tmp")
    own = {"args": ["a", "a"], "user": user, "env": env, "cwd": "/tmp"}
    rows = [({}, 0), ({"env": ["A=1", "B=2", "LAZARET_Y=2", "HOSTNAME=h"]}, 0), ({"env": ["A=1", "B=2"]}, 0), ({"env": ["A=1", "B=2", "HOSTNAME=x"]}, 1),
            ({"env": ["A=1", "HOSTNAME=h"]}, 1), ({"env": ["A=1", "B=2", "C=3", "HOSTNAME=h"]}, 1), ({"env": ["B=2", "A=1", "HOSTNAME=h"]}, 1),
            ({"env": ["A=1B", "=2", "HOSTNAME=h"]}, 1), ({"env": []}, 1), ({"cwd": "/tmpA"}, 1), ({"cwd": "/"}, 1),
            ({"cwd": "/tmpA", "env": ["=1", "B=2", "HOSTNAME=h"]}, 1), ({"user": {**user, "uid": 6}}, 1), ({"user": {**user, "gid": 9}}, 1),
            ({"user": {**user, "additionalGids": [9]}}, 1), ({"user": {**user, "additionalGids": [10, 9]}}, 1), ({"user": {"uid": 7, "gid": 8}}, 1),
            ({"terminal": True}, 1), ({"args": ["a"]}, 1), ({"args": ["a", "a", "a"]}, 1), ({"args": []}, 1), ({"args": ["b", "a"]}, 1)]
    for change, code in rows:
        result, found = entered("begun", **{**own, **change})
        check_equal((result.code, found is None), (code, code == 1), f"{change}: {result}")


@case("AppArmor and SELinux of an exec are the container's: what its file says of them is dropped, under confined and under allow")
def labels():
    for rule in ("", "host: {exec: allow}\n"):
        by_hand(BASE + rule)
        name = f"labels-{len(rule)}"
        bundle(name, apparmorProfile="docker-default", selinuxLabel="system_u:system_r:container_t:s0:c1,c2")
        for said in ({"apparmorProfile": "unconfined"}, {"selinuxLabel": "unconfined_u:unconfined_r:unconfined_t:s0"},
                     {"apparmorProfile": "docker-default", "selinuxLabel": ""}, {}):
            result, found = entered(name, args=["true"], **said)
            check_equal((result.code, {k for k in found if "apparmor" in k or "selinux" in k}), (0, set()), f"{rule} {said}: {result}")
        check_equal(found["args"][-1], "true", "the control, the rest of the file")


ID = "0f3e2d1c-aaaa-4bbb-8ccc-0123456789ab"
PLACE = f"/ecs-execute-command-{ID}"
AGENT = f"{PLACE}/amazon-ssm-agent"
BIN = pathlib.Path("/var/lib/ecs/deps/execute-command/bin/3.1.1732.0")


def agent():
    """A stand-in for what the agent of ECS has on its host and mounts: a program that says who it is."""
    world.host()
    if "agent" not in _made:
        _made["agent"] = True
        upper = world.OPT / "var-lib"
        for part in ("upper", "work"):
            (upper / part).mkdir(parents=True)
        world.mount("-t", "overlay", "-o", f"lowerdir=/var/lib,upperdir={upper}/upper,workdir={upper}/work", "overlay", "/var/lib")
        pathlib.Path("/var/lib/ecs").mkdir()
        world.mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/var/lib/ecs")  # a host has no overlay there
        BIN.mkdir(parents=True)
        for name in ("amazon-ssm-agent", "ssm-agent-worker", "ssm-session-worker"):
            (BIN / name).write_text(f"#!/bin/sh\necho {name}\nexec cat /proc/self/status\n")
            (BIN / name).chmod(0o755)
    names = ("amazon-ssm-agent", "ssm-agent-worker", "ssm-session-worker")
    return [word for name in names for word in ("-v", f"{BIN}/{name}:{PLACE}/{name}:ro")]


@case("ECS Exec by its own switch: allowed where no other command is, denied where all are, confined; what has no such mount is not the agent")
def ecs():
    engine = docker()
    options = agent()
    rows = [("exec: deny, ecs-exec: allow, exec-user: workload", 126, 0), ("exec: allow, ecs-exec: deny", 0, 126), ("exec: deny, ecs-exec: confined", 126, 0)]
    for rule, other, code in rows:
        prepare(shell=BASE + f"host: {{{rule}}}\n")
        name = engine.start("shell", ["sleep", "1000"], options=["--runtime", "lazaret", *options])
        check_equal(engine.call("exec", "-u", "0", name, "true").code, other, f"{rule}: another command")
        result = engine.call("exec", "-u", "0", name, AGENT)
        check_equal(result.code, code, f"{rule}: the agent: {result}")
        if code:
            check("(host.ecs-exec: deny)" in result.out + result.err, f"{rule}: {result}")
        elif "confined" in rule:
            check(result.out.startswith("amazon-ssm-agent\n"), result.out)
            check_status(result.out, rule)
            check(f'"read_exec":"{PLACE}"' in result.err, f"{rule}: what it may execute beside the policy's is recorded: {result.err}")
        else:
            status = status_of(result.out)
            check_equal((status["Uid"].split()[0], status["NoNewPrivs"], int(status["CapBnd"], 16)), ("0", "1", 0), f"{rule}: as it comes, but clamped")
        refused = engine.call("exec", "-u", "0", name, AGENT, "-x")
        check_equal(refused.code, 126, f"{rule}: with one argument more the stricter counts: {refused}")
        engine.must("rm", "--force", name)


@case("a mount is the agent's only from its folder, read-only, root's alone and under nothing else; else the stricter of both switches counts")
def no_agent():
    agent()
    by_hand(BASE + "host: {exec: deny, ecs-exec: allow, mounts: {allow: [/var/lib/ecs/deps]}}\n")  # else a writable one is refused before
    loose, hidden, elsewhere = BIN.with_name("loose"), BIN.with_name(".hidden"), world.OPT / "elsewhere"
    for folder, mode in ((loose, 0o775), (hidden, 0o755), (elsewhere, 0o755)):
        folder.mkdir()
        (folder / "amazon-ssm-agent").write_text("#!/bin/sh\n")
        folder.chmod(mode)

    def bind(source=BIN, place=PLACE, name="amazon-ssm-agent", options=("rbind", "ro"), kind="bind"):
        return {"destination": f"{place}/{name}", "type": kind, "source": f"{source}/{name}", "options": list(options)}

    def tmpfs(place):
        return {"destination": place, "type": "tmpfs", "source": "tmpfs"}

    rows = [("as ECS has it", [bind(), bind(name="ssm-agent-worker")], 0), ("and a volume", [bind(), tmpfs("/data"), tmpfs("/ecs"), tmpfs(PLACE + "-x")], 0),
            ("behind another of its place", [tmpfs(PLACE), bind()], 0), ("no mount", [], 1), ("another program", [bind(name="ssm-agent-worker")], 1),
            ("writable", [bind(options=["rbind", "rw"])], 1), ("from elsewhere", [bind(source=elsewhere)], 1),
            ("no bind", [bind(kind="tmpfs")], 1), ("of no version", [bind(source=hidden)], 1),
            ("from a folder that others may write to", [bind(source=loose)], 1), ("from below", [bind(source=BIN / "..")], 1),
            ("covered", [bind(), tmpfs(PLACE)], 1), ("covered itself", [bind(), bind(source=elsewhere)], 1),
            ("covered by one that climbs", [bind(), tmpfs("/data/.." + PLACE)], 1), ("covered, with a slash", [bind(), tmpfs(PLACE + "/")], 1),
            ("of another place", [bind(place=PLACE + "/deeper")], 1)]
    for number, (what, mounts, code) in enumerate(rows):
        name = f"agent-{number}"
        bundle(name, mounts)
        result, found = entered(name, args=[AGENT])
        check_equal(result.code, code, f"{what}: {result}")
        check(code == 0 or "(host.exec, host.ecs-exec: it is not the agent's that was mounted)" in result.err, f"{what}: {result}")
        check_equal(found["args"] if found else None, None if code else [AGENT], f"{what}: what the runtime gets")
    for more in ({"args": [AGENT, "x"]}, {"args": ["/bin/sh"]}, {"args": [AGENT], "terminal": True}):
        check_equal(entered("agent-0", **more)[0].code, 1, f"the control's container, {more}")


if __name__ == "__main__":
    laz.main()
