# SPDX-License-Identifier: Apache-2.0
"""lazaret-shim with a policy: what a container may do, and who comes into it, is the policy's, whatever its image is.

The images know nothing of Lazaret. Each claim has its control: the same without a policy.
"""
import hashlib
import json
import os
import pathlib
import re
import stat

import area
import engines
import laz
import rootfs
import shim_world as world
from laz import case, check, check_equal
from shim_confined import check_status, status_of
from shim_world import SHIM, configure

POLICY = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text().replace("/app, ", "")
LEDGER = world.OPT / "audit" / "host.jsonl"
RUNTIME_YAML = f"version: 1\nruntime: /usr/sbin/runc\ndefault-policy: {{}}\naudit: {{{{file: {LEDGER}}}}}\n"
ALLOWED = {"CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID"}
STATUS = ["cat", "/proc/self/status"]
MASKED = ["/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
          "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware"]  # beside /proc/keys
HOOK = world.PROGRAMS / "lazaret-hook"
HASH = hashlib.sha256(b"/run/test").hexdigest()[:32]
LONG = "N" * 300  # a name that a policy may have
_made = {}


def prepare():
    """The host with its policy; without the hook where the build cannot be one of a host's."""
    area.require_program("runc")
    world.host()
    world.install(shell=POLICY)
    configure(RUNTIME_YAML.format("shell"))


def docker():
    """A daemon that knows the shim by name."""
    prepare()
    if "docker" not in _made:
        _made["docker"] = engines.Docker(["--add-runtime", f"lazaret={SHIM}"])
        _made["docker"].import_root(rootfs.busybox_root("shim-confine"), "shell", "ENV PATH=/bin:/usr/bin")
    return _made["docker"]


@case("docker run: the workload of an image that knows nothing of Lazaret is confined, and without the policy it is not")
def run():
    engine = docker()
    result = engine.run("shell", STATUS, options=["--runtime", "lazaret"])
    check_equal(result.code, 0, f"docker run: {result.err}")
    check_status(result.out, "run")
    status = status_of(engine.run("shell", STATUS, options=["--runtime", "runc"]).out)
    check_equal((status["NoNewPrivs"], status["Uid"].split()[0]), ("0", "0"), "the control")
    check(int(status["CapEff"], 16) != 0, "the control: capabilities")


def started(engine, *options, runtime="lazaret"):
    """A container that sleeps: its name."""
    return engine.start("shell", ["sleep", "1000"], options=["--runtime", runtime, *options])


@case("docker exec, --privileged, -u root, -u of the workload: as confined as the workload; another user cannot come in")
def execs():
    engine = docker()
    name = started(engine)
    for options in ([], ["--privileged"], ["-u", "0:0"], ["-u", f"{rootfs.APP_UID}:{rootfs.APP_UID}"]):
        result = engine.call("exec", *options, name, *STATUS)
        check_equal(result.code, 0, f"exec {options}: {result}")
        check_status(result.out, f"exec {options}")
    result = engine.call("exec", "-u", "1234", name, *STATUS)
    check(result.code != 0 and "user-mismatch" in result.out + result.err, f"exec as 1234: {result}")
    check_equal(engine.call("exec", name, "sh", "-c", "exit 7").code, 7, "exit code")
    check_equal(engine.call("exec", "-e", "LD_PRELOAD=/x.so", "-e", "KEPT=1", name, "env").out.count("LD_PRELOAD"), 0, "LD_PRELOAD")
    engine.must("rm", "--force", name)
    name = started(engine, runtime="runc")
    status = status_of(engine.must("exec", name, *STATUS))  # --privileged may ask for more than this machine has
    check_equal((status["NoNewPrivs"], status["Uid"].split()[0]), ("0", "0"), "the control, runc alone")
    engine.must("rm", "--force", name)


@case("host.exec: deny refuses execs and says why; allow clamps without an init; who has no record is not entered")
def exec_rules():
    engine = docker()
    name = started(engine)
    denied = "policy shell: no command may be run in this container (host.exec: deny; an engine's health check comes in by host.health-check)"
    for rule, text in (("exec: deny", denied), ("exec-user: workload", "an exec as user 0:0 (host.exec-user: workload)"),
                       ("exec-user: non-root", "policy shell: an exec as user 0:0 (host.exec-user: non-root)")):
        world.install(shell=POLICY + f"\nhost: {{{rule}}}\n")
        result = engine.call("exec", name, "true")
        check_equal(result.code, 126, f"{rule}: {result}")
        check("lazaret: request-refused: " in result.out + result.err and text in result.out + result.err, f"{rule}: {result}")
    agent = "/ecs-execute-command-x/amazon-ssm-agent"  # of the image's
    for rule in ("exec: deny, ecs-exec: allow", "exec: allow, ecs-exec: deny"):
        world.install(shell=POLICY + f"\nhost: {{{rule}}}\n")
        result = engine.call("exec", name, agent)
        check("(host.exec, host.ecs-exec: it is not the agent's" in result.out + result.err, f"{rule}: {result}")
    check_equal(engine.call("exec", name, "true").code, 0, "the control, exec: allow")
    world.install(shell=POLICY + "\nhost: {exec: allow}\n")
    status = status_of(engine.must("exec", "--privileged", name, *STATUS))
    for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        check_equal(int(status[caps], 16), 0, f"allow: {caps}")
    check_equal((status["NoNewPrivs"], status["Uid"].split()[0]), ("1", "0"), "allow: the caller's user")
    world.install(shell=POLICY)
    for path in pathlib.Path("/run/lazaret").glob("*/*.json"):
        path.unlink()
    result = engine.call("exec", name, "true")
    check("there is no record of container" in result.out + result.err, f"{result}")
    configure(RUNTIME_YAML.format("shell") + "unknown-container: clamp-default\n")
    status = status_of(engine.must("exec", name, *STATUS))  # an image's own program may lie where init would be
    for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        check_equal(int(status[caps], 16), 0, f"clamp-default: {caps}")
    check_equal((status["NoNewPrivs"], status["Uid"].split()[0], status["Seccomp_filters"]), ("1", str(rootfs.APP_UID), "1"), "clamp-default")
    engine.must("stop", "-t", "1", name)
    engine.must("rm", name)


@case("LAZARET_EVENTS of an image or of docker run -e does not silence lazaret-init, at docker run nor at docker exec")
def events():
    engine = docker()
    engine.import_root(rootfs.busybox_root("shim-silent"), "silent", "ENV PATH=/bin:/usr/bin LAZARET_EVENTS=/dev/null")

    def seen(result):
        check_equal(result.code, 0, f"{result}")
        return [json.loads(line)["ev"] for line in result.err.splitlines() if line.startswith("{")]

    policy = ["--runtime", "lazaret"]
    expected = seen(engine.run("shell", ["true"], options=policy))
    check(len(expected) >= 2, f"the control: {expected}")
    check_equal(seen(engine.run("shell", ["true"], options=[*policy, "-e", "LAZARET_EVENTS=/dev/null"])), expected, "run -e")
    check_equal(seen(engine.run("silent", ["true"], options=policy)), expected, "ENV")
    check("LAZARET_EVENTS=/dev/null" in engine.run("silent", ["env"], options=["--runtime", "runc"]).out, "the control: the image's ENV")
    name = started(engine)
    expected = seen(engine.call("exec", name, "true"))
    check(len(expected) >= 2, f"the control, exec: {expected}")
    check_equal(seen(engine.call("exec", "-e", "LAZARET_EVENTS=/dev/null", name, "true")), expected, "exec -e")
    engine.must("rm", "--force", name)


@case("what an image notices: its variables, its directory and its user are the policy's, and so is how often it starts programs")
def noticed():
    engine = docker()
    asked, words = ["-e", "OWN=1", "-w", "/tmp"], ["sh", "-c", "env; pwd"]
    seen = {name: engine.run("shell", words, options=["--runtime", name, *asked]).out.splitlines() for name in ("lazaret", "runc")}
    check("OWN=1" in seen["runc"] and seen["runc"][-1] == "/tmp", f"the control: {seen['runc']}")
    check("PATH=/bin:/usr/bin" in seen["lazaret"] and "OWN=1" not in seen["lazaret"], f"variables: {seen['lazaret']}")
    check_equal(seen["lazaret"][-1], "/", "the directory")
    result = engine.run("shell", ["true"], options=["--runtime", "lazaret", "-u", "123"])
    check(result.code == 102 and "user-mismatch" in result.err, f"-u 123: {result}")
    script = ["sh", "-c", "/bin/busybox echo one; /bin/busybox echo two"]
    check_equal(engine.run("shell", script, options=["--runtime", "lazaret"]).out, "one\ntwo\n", "without a budget")
    world.install(shell=POLICY.replace("exec-budget: -1", "exec-budget: 1").replace("exec-budget: disabled", "exec-budget: required"))
    result = engine.run("shell", script, options=["--runtime", "lazaret"])
    check("Operation not permitted" in result.err and "one" not in result.out, f"a budget of one: {result}")
    world.install(shell=POLICY)


@case("the host's records say which container began and ended, under which policy, and its record goes with it")
def recorded():
    engine = docker()
    LEDGER.unlink(missing_ok=True)
    check_equal(engine.run("shell", ["true"], options=["--runtime", "lazaret"]).code, 0, "docker run")
    records = [json.loads(line) for line in LEDGER.read_text().splitlines()]
    check_equal([r["ev"] for r in records], ["hook.create", "hook.end"], "records")
    for record in records:
        check_equal(record["ctr"], "shell", "the policy")
    check_equal(records[0]["d"]["config_as_recorded"], True, "config.json")
    check(not [p for p in pathlib.Path("/run/lazaret").glob("*/*.json") if p.stem == records[0]["obj"]], "the record is gone")
    hook = pathlib.Path("/usr/libexec/lazaret/lazaret-hook")
    hook.rename(hook.with_name("away"))
    result = engine.run("shell", ["true"], options=["--runtime", "lazaret"])
    check(result.code == 125 and "lazaret: program-unfit: /usr/libexec/lazaret/lazaret-hook" in result.err, f"no hook: {result}")
    configure(RUNTIME_YAML.replace("jsonl}}", "jsonl, required: false}}").format("shell"))
    check_equal(engine.run("shell", ["true"], options=["--runtime", "lazaret"]).code, 0, "not required")
    hook.with_name("away").rename(hook)


@case("secrets of the host: the hook brings them to a tmpfs that is read-only, and a container whose secret is not there does not begin")
def secrets():
    engine = docker()
    item = "{name: key, from: {file: /run/lazaret/host-secrets/key}, file: {path: key}, optional: false}"
    world.install(shell=POLICY + f"\nhost: {{exec: allow}}\nsecrets: {{items: [{item}]}}\n")
    folder = world.FILE.parent / "secrets.d" / "shell"
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "key"
    result = engine.run("shell", ["true"], options=["--runtime", "lazaret"])
    check(result.code != 0 and "secret-unavailable" in result.err, f"no secret: {result}")
    key.write_text("canary-of-the-host\n")
    key.chmod(0o400)
    name = engine.start("shell", ["sleep", "1000"], options=["--runtime", "lazaret", "--tmpfs", "/run/secrets"])
    where = "cat /run/lazaret/host-secrets/key; grep host-secrets /proc/self/mounts"
    seen = engine.call("exec", "-u", f"{rootfs.APP_USER}", name, "sh", "-c", where)
    check("canary-of-the-host" in seen.out, f"the workload's user reads it: {seen}")
    mounts = [line for line in seen.out.splitlines() if "host-secrets" in line and line.startswith("tmpfs")]
    check(mounts and " ro," in mounts[0], f"the mount: {seen}")
    check("canary-of-the-host" not in engine.call("exec", "-u", "1234:1234", name, "sh", "-c", where).out, "another user reads it")
    ident = engine.must("inspect", "-f", "{{.Id}}", name)
    configs = list((engine.home / "exec").glob(f"**/{ident}/config.json")) + list(pathlib.Path("/run/lazaret").glob(f"*/{ident}.json"))
    check_equal(len(configs), 2, f"config.json and the record: {configs}")
    places = [engine.bytes_of("inspect", name), engine.bytes_of("export", name), engine.bytes_of("diff", name), engine.bytes_of("logs", name),
              LEDGER.read_bytes(), *[path.read_bytes() for path in configs]]
    check_equal([b"canary-of-the-host" in place for place in places], [False] * len(places), "who shows it")
    engine.must("rm", "--force", name)
    world.install(shell=POLICY)


@case("copies of process.json do not pile up, and only root can read them and the records")
def copies():
    engine = docker()
    name = started(engine)
    for _ in range(3):
        engine.must("exec", name, "true")
    found = list(pathlib.Path("/run/lazaret").glob("*/*.exec-*"))
    check(len(found) <= 1, f"copies: {found}")
    for path in [*found, *pathlib.Path("/run/lazaret").glob("*/*.json")]:
        check_equal(path.stat().st_mode & 0o777, 0o600, f"mode of {path}")
    for path in pathlib.Path("/run/lazaret").iterdir():
        check_equal(path.stat().st_mode & 0o777, 0o700, f"mode of {path}")
    engine.must("rm", "--force", name)


@case("what a policy does not let a container ask for is refused by docker run, with the reason and its key")
def requests():
    engine = docker()
    rows = [
        (["--privileged"], "(privileged) (host.privileged)"),
        (["--device-cgroup-rule", "b 8:0 rwm"], "devices of the host (privileged) (host.privileged)"),
        (["--device-cgroup-rule", "a 1:3 rwm"], "devices of the host (privileged) (host.privileged)"),
        (["--cap-add", "SYS_ADMIN"], "capabilities of the host's administrator (privileged) (host.privileged)"),
        (["--security-opt", "systempaths=unconfined"], "a /proc without masked paths (privileged) (host.privileged)"),
        (["--device-cgroup-rule", "b *:* rwm"], "devices of the host (privileged) (host.privileged)"),
        (["--device", "/dev/null:/dev/other"], "a device /dev/other (host.devices)"),
        (["--pid", "host"], "the host's namespace of type pid (host.namespaces)"),
        (["--ipc", "host"], "the host's namespace of type ipc (host.namespaces)"),
        (["--uts", "host"], "the host's namespace of type uts (host.namespaces)"),
        (["--network", "host"], "the host's namespace of type network (host.namespaces)"),
        (["-v", "/:/host"], "a bind mount of / (host.mounts)"),
        (["-v", "/proc:/host"], "a bind mount of /proc (host.mounts)"),
        (["-v", "/sys:/host"], "a bind mount of /sys (host.mounts)"),
        (["-v", "/dev:/host"], "a bind mount of /dev (host.mounts)"),
        (["-v", "/etc:/host"], "a bind mount of /etc (host.mounts)"),
        (["-v", "/var/run:/host"], "a bind mount of /var/run (host.mounts)"),
        (["-v", "/run/lazaret:/host"], "a bind mount of /run/lazaret (host.mounts)"),
    ]
    for options, text in rows:
        result = engine.run("shell", ["true"], options=["--runtime", "lazaret", *options])
        check_equal(result.code, 125, f"{options}: {result}")
        check("lazaret: request-refused: " in result.err and text in result.err, f"{options}: {result.err}")
    for number, device in enumerate(("/", "/proc", "/run", "/etc")):
        name = f"volume-{number}"
        engine.must("volume", "create", "-d", "local", "-o", "type=none", "-o", "o=bind", "-o", f"device={device}", name)
        result = engine.run("shell", ["true"], options=["--runtime", "lazaret", "-v", f"{name}:/host"])
        check(result.code == 125 and f"volumes/{name}/_data (host.mounts): there, or in it, is " in result.err, f"a volume of {device}: {result}")
        check_equal(engine.run("shell", ["true"], options=["--runtime", "runc", "-v", f"{name}:/host"]).code, 0, f"the control: {device}")
    engine.must("volume", "create", "-d", "local", "-o", "type=overlay", "-o", "device=overlay", "-o", "o=lowerdir=/etc:/srv", "stacked")
    result = engine.run("shell", ["true"], options=["--runtime", "lazaret", "-v", "stacked:/x"])
    check(result.code == 125 and "volumes/stacked/_data (host.mounts): there, or in it, is overlay" in result.err, f"an overlay: {result.err[-300:]}")
    result = engine.run("shell", ["ls", "/x/lazaret"], options=["--runtime", "runc", "-v", "stacked:/x"])
    check(result.code == 0 and "runtime.yaml" in result.out, f"the control, an overlay: {result}")
    plain = area.folder("plain")
    for options in (["-v", f"{plain}:/host:ro"], ["--init"], ["--read-only"], ["--tmpfs", "/x"], ["--cap-drop", "ALL", "-u", f"{rootfs.APP_UID}:{rootfs.APP_UID}"]):
        result = engine.run("shell", STATUS, options=["--runtime", "lazaret", *options])
        check_equal(result.code, 0, f"the control, {options}: {result.err}")


@case("host.privileged: clamp: a privileged container without devices of its own is as confined as any other")
def clamped():
    engine = docker()
    world.install(shell=POLICY + "\nhost: {privileged: clamp}\n")
    result = engine.run("shell", STATUS, options=["--runtime", "lazaret", "--cap-add", "SYS_ADMIN", "--security-opt", "systempaths=unconfined"])
    check_equal(result.code, 0, result.err)
    check_status(result.out, "clamped")
    world.install(shell=POLICY)


@case("no policy, or one that cannot be used: nothing is created, by name")
def policies():
    engine = docker()
    for name, text in (("nobody", "host-absent"), ("broken", "policy-invalid")):
        world.install(broken="version: 1\nname: x\nno: key\n")
        configure(RUNTIME_YAML.format(name))
        result = engine.run("shell", ["true"], options=["--runtime", "lazaret"])
        check(result.code == 125 and f"lazaret: {text}: " in result.err, f"{name}: {result}")
    configure(RUNTIME_YAML.replace("default-policy: {}\n", "").format())
    result = engine.run("shell", ["true"], options=["--runtime", "lazaret"])
    check("is for this container" in result.err, f"no policy: {result}")
    configure(RUNTIME_YAML.format("pass-through") + "select: [{cgroups-path: /nowhere, policy: shell}]\n")
    check_equal(engine.run("shell", ["true"], options=["--runtime", "lazaret"]).code, 0, "pass-through by selection")
    configure(RUNTIME_YAML.format("shell"))


@case("update is the policy's to allow, restore too; an exec by hand is confined, and its widening options are refused")
def by_hand():
    engine = docker()
    name = started(engine)
    engine.must("update", "--pids-limit", "66", name)
    world.install(shell=POLICY + "\nhost: {update: refuse}\n")
    result = engine.call("update", "--pids-limit", "67", name)
    check(result.code != 0 and "policy shell: update: limits stay as they are (host.update: refuse)" in result.err, f"update: {result}")
    world.install(shell=POLICY)
    ident = engine.must("inspect", "-f", "{{.Id}}", name)
    words = engine.fence.command(SHIM, "--root", engine.home / "exec" / "runtime-lazaret" / "moby")
    states = list((engine.home / "exec").glob(f"*/*/{ident}/state.json")) + list(pathlib.Path("/run").glob(f"**/{ident}/state.json"))
    check(states, "where runc keeps it")
    words[-1] = str(states[0].parent.parent)
    result = area.run([*words, "exec", ident, *STATUS], env={"PATH": area.PATH})
    check_equal(result.code, 0, f"runc exec: {result}")
    check_status(result.out, "runc exec")
    for option in (["--cap", "CAP_SYS_ADMIN"], ["--user", "0"], ["-e", "LD_PRELOAD=x"], ["--apparmor", "x"], ["--no-new-privs=false"]):
        result = area.run([*words, "exec", *option, ident, "true"], env={"PATH": area.PATH})
        check(result.code == 1 and "lazaret: request-refused: " in result.err, f"{option}: {result}")
    engine.must("rm", "--force", name)
    folder = bundle("restore")
    for host, code in (("", 1), ("\nhost: {checkpoint: allow}\n", 0)):
        world.install(shell=POLICY + host)
        configure(RUNTIME_YAML.replace("/usr/sbin/runc", str(world.RUNTIME)).format("shell"))
        result = area.run([SHIM, "restore", "--bundle", folder, "restored"], env={"PATH": area.PATH})
        check_equal(result.code, code, f"restore, {host!r}: {result}")
        check(code == 0 or "(host.checkpoint: refuse)" in result.err, f"restore: {result}")
    world.install(shell=POLICY)
    world.records()


# ---- Bundles by hand -----------------------------------------------------------------------------------


def bundle(name, change=lambda config: None):
    """A bundle of runc's own making, changed."""
    prepare()
    folder = area.folder(f"bundle-{name}")
    area.run(["runc", "spec", "--bundle", folder])
    config = json.loads((folder / "config.json").read_text())
    config["process"].update(terminal=False, args=STATUS)
    config["root"] = {"path": str(rootfs.busybox_root(f"root-{name}")), "readonly": False}
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "config.json").chmod(0o640)
    return folder


def own_hook(args):
    return {"createRuntime": [{"path": str(HOOK), "args": args, "env": ["PATH=/usr/bin:/bin"], "timeout": 10}]}


def create(folder, *words):
    """`create` with a runtime that does nothing: the result, and config.json after it."""
    configure(RUNTIME_YAML.replace("/usr/sbin/runc", str(world.RUNTIME)).format("shell"))
    world.records()
    result = area.run([SHIM, "--root", "/run/test", "create", "--bundle", folder, *words, "one"], env={"PATH": area.PATH})
    return result, (folder / "config.json").read_text()


def image_of(config):
    """Where the compiled policy of a config.json lies."""
    return next(m["source"] for m in config["mounts"] if m["destination"] == "/.lazaret-policy")


def pin_of(config):
    """What has to stand behind --policy-sha256."""
    return hashlib.sha256(pathlib.Path(image_of(config)).read_bytes()).hexdigest()


@case("the rewrite: init and policy are in front, all else is kept byte for byte, mode and owner stay; a second pass changes nothing, or the policy alone")
def rewrite():
    folder = bundle("rewrite", lambda c: (c.update(futureKey={"x": [18446744073709551615]}), c["linux"].update(maskedPaths=["/proc/keys", "/proc/x"], readonlyPaths=["/proc/sys"])))
    before = (folder / "config.json").read_text()
    result, after = create(folder)
    check_equal((result.code, result.err), (0, ""), "create")
    config = json.loads(after)
    check_equal(config["process"]["args"], ["/.lazaret/lazaret-init", "--policy", "/.lazaret-policy", "--policy-sha256", pin_of(config), "--", *STATUS], "args")
    check_equal(config["process"]["noNewPrivileges"], True, "no_new_privs")
    check_equal(config["futureKey"], {"x": [18446744073709551615]}, "what nobody knows")
    check("18446744073709551615" in after, "numbers are kept")
    entries = {stage: [hook["args"][1] for hook in hooks] for stage, hooks in config["hooks"].items()}
    check_equal(entries, {"createRuntime": ["audit-create"], "poststop": ["audit-end"]}, "hooks")
    for hook in [h for hooks in config["hooks"].values() for h in hooks]:
        check_equal((hook["path"], hook["env"], hook["timeout"]), ("/usr/libexec/lazaret/lazaret-hook", ["PATH=/usr/bin:/bin"], 10), "an entry")
    for kind, names in config["process"]["capabilities"].items():
        check(set(names) <= ALLOWED, f"{kind}: {names}")
    check_equal(config["linux"]["maskedPaths"], ["/proc/keys", "/proc/x", *MASKED], "masked paths")
    check_equal(config["linux"]["readonlyPaths"], ["/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger"], "read-only paths")
    mounts = {m["destination"]: m for m in config["mounts"]}
    for path, kind, options in (("/.lazaret", "rbind", []), ("/.lazaret-policy", "bind", ["noexec"])):
        check_equal(mounts[path]["options"], [kind, "ro", "nosuid", "nodev", *options], path)
    check_equal((folder / "config.json").stat().st_mode & 0o777, 0o640, "mode")
    check(before != after, "the control")
    check_equal(create(folder)[1], after, "a second pass")
    explained = area.run([area.program("lazaret"), "oci", "explain", "/etc/lazaret/policies.d/shell.yaml", folder])
    check_equal((explained.code, [line for line in explained.out.splitlines() if not line.startswith("+ hooks.")]), (0, []), f"explained: {explained}")
    world.install(shell=POLICY + "# changed since\n")
    result, changed = create(folder)
    world.install(shell=POLICY)
    image = image_of(json.loads(changed))
    check(result.code == 0 and image != mounts["/.lazaret-policy"]["source"], f"when the policy was changed: {result.err} {image}")
    again = after.replace(mounts["/.lazaret-policy"]["source"], image).replace(pin_of(config), pin_of(json.loads(changed)))
    check_equal(changed, again, "all else, when the policy was changed")
    check_equal(create(folder)[1], after, "and back")
    check_equal(sorted(p.name for p in folder.iterdir()), ["config.json"], "what is in the bundle")


@case("the record says whether the profile around the container is loosened: not with narrow, nor where an exec may be without the filter inside")
def loosened():
    for number, (host, expected) in enumerate((("{}", True), ("{seccomp: narrow}", False), ("{exec: allow}", False), ("{ecs-exec: allow}", False))):
        folder = bundle(f"loosened-{number}")
        world.install(shell=POLICY + f"\nhost: {host}\n")
        check_equal(create(folder)[0].code, 0, host)
        (record,) = pathlib.Path("/run/lazaret").glob("*/one.json")
        check_equal(json.loads(record.read_text())["loosened"], expected, host)
    world.install(shell=POLICY)


@case("a bundle that runtimes read differently, or that asks for too much, is refused, and its file stays as it was")
def hostile():
    evil = area.folder("evil")
    (evil / "hook").write_text("#!/bin/sh\n")
    (evil / "hook").chmod(0o777)
    rows = [
        ("annotation", lambda c: c.update(annotations={"run.oci.seccomp_bpf_data": "x"}), "annotation run.oci. (host.annotations)"),
        ("criu", lambda c: c.update(annotations={"org.criu.config": "/x"}), "annotation org.criu.config"),
        ("systemd", lambda c: c.update(annotations={"org.systemd.property.X": "1"}), "annotation org.systemd.property."),
        ("hook", lambda c: c.update(hooks={"prestart": [{"path": str(evil / "hook")}]}), "(host.hooks)"),
        ("a hook like docker's", lambda c: c.update(hooks={"prestart": [{"path": "/opt/exe", "args": ["libnetwork-setkey"]}]}), "the hook /opt/exe (host.hooks)"),
        ("relative hook", lambda c: c.update(hooks={"createContainer": [{"path": "hook"}]}), "the hook hook (host.hooks)"),
        ("mount namespace", lambda c: c["linux"].update(namespaces=[n for n in c["linux"]["namespaces"] if n["type"] != "mount"]), "mount"),
        ("path of a namespace", lambda c: c["linux"]["namespaces"].append({"type": "user", "path": 7}), "lazaret: "),
        ("case", lambda c: c["process"].update(NoNewPrivileges=False), "lazaret: "),
        ("dotless", lambda c: c["process"].update({"noNewPrivilege\u017f": False}), "lazaret: "),
        ("init of the image", lambda c: c["process"].update(args=["/usr/libexec/lazaret/lazaret-init", "--", "x"]), "its own lazaret-init"),
        ("no process", lambda c: c.pop("process"), "a container without a process"),
        ("no command", lambda c: c["process"].update(args=[]), "without a command"),
        ("taken place", lambda c: c["mounts"].append({"destination": "/.lazaret", "type": "tmpfs", "source": "x"}), "lazaret: "),
        ("policy", lambda c: c.update(annotations={"io.lazaret.policy": "../x"}), "annotation io.lazaret.policy"),
        ("no policy", lambda c: c.update(annotations={"io.lazaret.policy": "pass-through"}), "annotation io.lazaret.policy"),
        ("a wider policy", lambda c: c.update(annotations={"io.lazaret.policy": "wide"}), "policy wide allows what"),
    ]
    link, other, disguised = area.folder("link-root"), area.folder("file-root"), world.OPT / "disguised"
    (link / ".lazaret").symlink_to("/tmp")
    (other / ".lazaret-policy").mkdir()
    prepare()
    disguised.mkdir()
    world.mount("--bind", "/etc", disguised)
    for name, source in (("all", "/"), ("home", "/home"), ("part", "/etc/ssl"), ("image", rootfs.busybox_root("image-elsewhere"))):
        (world.OPT / name).mkdir()
        world.mount("--bind", source, world.OPT / name)
    (world.OPT / "linked").symlink_to("/sys")
    rows += [
        ("the host's root", lambda c: c["root"].update(path="/"), "root.path is a part of the host"),
        ("the host's /etc", lambda c: c["root"].update(path="/etc"), "root.path is a part of the host"),
        ("the host's root by another name", lambda c: c["root"].update(path="/opt/all"), "root.path is a part of the host: /opt/all ("),
        ("the host's /etc by another name", lambda c: c["root"].update(path="/opt/disguised"), "root.path is a part of the host: /opt/disguised ("),
        ("the host's /home by another name", lambda c: c["root"].update(path="/opt/home"), "root.path is a part of the host: /opt/home ("),
        ("a part of /etc by another name", lambda c: c["root"].update(path="/opt/part"), "root.path is a part of the host: /opt/part ("),
        ("a part of /etc, below another name", lambda c: c["root"].update(path="/opt/disguised/ssl"), "root.path is a part of the host: /opt/disguised/ssl ("),
        ("more capabilities than can go", lambda c: c["process"].update(capabilities={"bounding": ["CAP_X"] * 3000}), "more than 2048 edits"),
        *[(f"our hook, {name}", lambda c, args=args: c.update(hooks=own_hook(args)), "lazaret-hook with other words than the host's, in createRuntime")
          for name, args in (("as another stage has it", [HOOK.name, "audit-end", HASH]), ("and a word more", [HOOK.name, "audit-create", HASH, "x"]),
                             ("of another root", [HOOK.name, "audit-create", HASH[::-1]]), ("by another name", ["x", "audit-create", HASH]),
                             ("without a root", [HOOK.name, "audit-create"]), ("without a verb", [HOOK.name]), ("without a word", []))],
        ("a link in the image", lambda c: c["root"].update(path=str(link)), "something else at /.lazaret,"),
        ("a folder in the image", lambda c: c["root"].update(path=str(other)), "something else at /.lazaret-policy"),
        ("a layer", lambda c: c["mounts"].append({"destination": "/x", "type": "overlay", "source": "overlay", "options": ["lowerdir=/etc:/opt"]}),
         "engines make: overlay"),
        ("a disk", lambda c: c["mounts"].append({"destination": "/x", "type": "ext4", "source": "/dev/sda1"}), "engines make: ext4"),
        ("a second /proc", lambda c: c["mounts"].append({"destination": "/tmp/p2", "type": "proc", "source": "proc"}), "engines make: proc"),
        ("no type", lambda c: c["mounts"].append({"destination": "/x", "source": "x"}), "engines make: of no type"),
        ("a bind of a bind", lambda c: c["mounts"].append({"destination": "/x", "type": "bind", "source": str(disguised), "options": ["rbind"]}),
         "a bind mount of /opt/disguised (host.mounts)"),
        ("a link to /sys", lambda c: c["mounts"].append({"destination": "/x", "type": "bind", "source": "/opt/linked", "options": ["rbind"]}),
         "a bind mount of /opt/linked (host.mounts)"),
        ("a node by another's name", lambda c: c["linux"].update(devices=[{"path": "/dev/null", "type": "b", "major": 8, "minor": 0}]),
         "a device /dev/null (host.devices)"),
    ]
    world.install(wide=POLICY.replace("write: [/tmp]", "write: [/tmp, /srv]").replace("name: docker", "name: wide"),
                  narrow=POLICY.replace("write: [/tmp]", "write: []").replace("name: docker", "name: narrow"))
    for number, (name, change, text) in enumerate(rows):
        folder = bundle(f"hostile-{number}", change)
        before = (folder / "config.json").read_text()
        result, after = create(folder)
        check(result.code == 1 and result.err.startswith("lazaret: ") and text in result.err, f"{name}: {result}")
        check_equal(after, before, f"{name}: the file")
        check_equal(world.records(), [], f"{name}: calls of the runtime")
    world.install(shell=POLICY + "\nhost: {devices: [/dev/null]}\n")
    for name, node, code in (("another", {"type": "b", "major": 8, "minor": 0}, 1), ("its own", {"type": "c", "major": 1, "minor": 3}, 0)):
        folder = bundle(f"node-{code}", lambda c: c["linux"].update(devices=[{"path": "/dev/null", **node}]))
        world.install(shell=POLICY + "\nhost: {devices: [/dev/null]}\n")
        check_equal(create(folder)[0].code, code, f"host.devices, {name}")
    check_equal(create(bundle("elsewhere", lambda c: c["root"].update(path="/opt/image")))[0].code, 0, "the control: an image by another name")
    check_equal(create(bundle("own-hook", lambda c: c.update(hooks=own_hook([HOOK.name, "audit-create", HASH]))))[0].code, 0, "the control: our hook as it is ours")
    node, rule = world.OPT / "node", {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rwm"}
    os.mknod(node, stat.S_IFCHR | 0o600, os.makedev(10, 229))
    listed = [{"path": str(node), "type": "c", "major": 10, "minor": 229}]
    for number, (name, more, devices, code) in enumerate([("of a listed device", {}, listed, 0), ("of none", {}, [], 1), ("of a disk", {"type": "b"}, listed, 1),
                                                          ("of its neighbour", {"minor": 230}, listed, 1), ("of another kind", {"major": 11}, listed, 1),
                                                          ("of memory", {"major": 1, "minor": 1}, [], 1), ("of null", {"major": 1, "minor": 3}, [], 0),
                                                          ("of any", {"major": None, "minor": None}, listed, 1)]):
        folder = bundle(f"rule-{number}", lambda c: c["linux"].update(devices=devices, resources={"devices": [{k: v for k, v in {**rule, **more}.items() if v is not None}]}))
        world.install(shell=POLICY + f"\nhost: {{devices: [{node}]}}\n")
        result = create(folder)[0]
        check(result.code == code and (code == 0 or "devices of the host (privileged)" in result.err), f"a rule for devices, {name}: {result}")
    folder = bundle("strip", lambda c: c.update(annotations={"run.oci.handler": "x", "kept": "1"}))
    world.install(shell=POLICY + "\nhost: {annotations: strip}\n")
    result, after = create(folder)
    check_equal((result.code, json.loads(after)["annotations"]), (0, {"kept": "1"}), f"host.annotations: strip: {result.err}")
    folder = bundle("strip-all", lambda c: c.update(annotations={f"run.oci.{n}": "x" for n in range(3000)}))
    world.install(shell=POLICY + "\nhost: {annotations: strip}\n")
    result, _ = create(folder)
    check(result.code == 1 and "lazaret: oci-refused: " in result.err and "more than 2048 edits" in result.err, f"more annotations than can go: {result}")
    world.install(shell=POLICY)
    folder = bundle("narrow", lambda c: c.update(annotations={"io.lazaret.policy": "narrow"}))
    check_equal(create(folder)[0].code, 0, "a narrower policy")


@case("lazaret-hook that others may write is refused, also where records are not required; where they are not, a container begins without it")
def unsafe_hook():
    for number, (required, mode, kind) in enumerate((("true", 0o755, None), ("true", 0o775, "host-unsafe"), ("false", 0o775, "host-unsafe"), ("true", None, "program-unfit"), ("false", None, None))):
        folder = bundle(f"unsafe-hook-{number}")
        if mode is None:
            HOOK.unlink()
        else:
            HOOK.chmod(mode)
        configure(RUNTIME_YAML.replace("/usr/sbin/runc", str(world.RUNTIME)).format("shell").replace("}\n", f", required: {required}}}\n"))
        world.records()
        result = area.run([SHIM, "--root", "/run/test", "create", "--bundle", folder, "one"], env={"PATH": area.PATH})
        what = f"required: {required}, mode {mode}: {result}"
        check_equal((result.code, len(world.records())), (0, 1) if kind is None else (1, 0), what)
        check(kind is None or result.err.startswith(f"lazaret: {kind}: {HOOK}"), what)
    world.install()


@case("an exec's file: other groups than the workload's are refused by exec-user: workload; Lazaret's variables are dropped, others stay")
def exec_file():
    folder = bundle("exec-file")
    check_equal(create(folder)[0].code, 0, "create")
    path, own = world.OPT / "process.json", rootfs.APP_UID
    rows = [("workload", own, own, [0, 6], 1), ("workload", own, own, [own, 6], 1), ("workload", own, 6, None, 1), ("workload", 6, own, None, 1),
            ("workload", own, own, [own], 0), ("workload", own, own, None, 0), ("non-root", 0, own, None, 1), ("non-root", 7, 6, [0], 0),
            ("any", 0, 0, [0, 6], 0), ("any, as dockerd has it", 0, 0, [0, 6], 0)]
    sets = ("bounding", "effective", "permitted")
    for rule, uid, gid, groups, code in rows:
        rule, _, has_caps = rule.partition(",")
        caps = {"capabilities": {name: ["CAP_SETGID", "CAP_SETUID"] for name in sets}} if has_caps else {}
        user = {"uid": uid, "gid": gid} | ({} if groups is None else {"additionalGids": groups})
        path.write_text(json.dumps({"args": ["true"], "cwd": "/", "user": user, **caps, 
                                    "env": ["LAZARET_EVENTS=/x", "LAZARET_NEW=1", "LD_PRELOAD=/x", "LAZARE=1", "LD_PRELOAD", f"{LONG}=1", f"{LONG}X=1", "GCONV_PATH="]}))
        world.install(shell=POLICY + f"\nhost: {{exec-user: {rule}, exec-env-deny: [{LONG}]}}\n")
        world.records()
        result = area.run([SHIM, "--root", "/run/test", "exec", "--process", path, "one"], env={"PATH": area.PATH})
        check_equal(result.code, code, f"{rule}, {user}: {result}")
        calls = world.records()
        check(code == 0 or f"an exec as user {uid}:{gid} (host.exec-user: " in result.err, f"{rule}, {user}: {result}")
        check_equal(len(calls), 1 - code, f"{rule}, {user}: calls of the runtime")
        if calls:
            (copy,) = pathlib.Path("/run/lazaret").glob("*/one.exec-*")
            process = json.loads(copy.read_text())
            check_equal(process["env"], ["LAZARE=1", f"{LONG}X=1"], f"{rule}, {user}: variables")
            begun = user if has_caps or uid != 0 else {**user, "uid": own, "gid": own}  # root without them could not become the policy's user
            own_groups = {"additionalGids": []} if begun["uid"] != 0 and groups is not None else {}  # the policy's, which has none
            check_equal(process["user"], {**begun, **own_groups}, f"{rule}{has_caps}: the user")
            copy.unlink()
    world.install(shell=POLICY)


@case("a second container of the name of one that is there does not take its record")
def second():
    folder = bundle("second")
    check_equal(create(folder)[0].code, 0, "the first")
    (record,) = pathlib.Path("/run/lazaret").glob("*/one.json")
    before = record.read_text()
    there = pathlib.Path("/run/test/one")
    there.mkdir(parents=True)
    result, _ = create(folder)
    there.rmdir()
    check(result.code == 1 and "there is a container one" in result.err, f"{result}")
    check_equal(record.read_text(), before, "its record")


@case("a config.json that is absent, a link, a fifo, no JSON or twice the same key is refused; so are --config and a doubtful word")
def files():
    folder = bundle("files")
    config = folder / "config.json"
    text = config.read_text()
    other = folder / "other"
    for name, make in (("absent", lambda: None), ("link", lambda: (other.write_text(text), config.symlink_to(other))),
                       ("no JSON", lambda: config.write_text(text[:-1])), ("twice", lambda: config.write_text(text[:-1] + ', "root": {}}')),
                       ("fifo", lambda: os.mkfifo(config))):
        config.unlink(missing_ok=True)
        make()
        configure(RUNTIME_YAML.replace("/usr/sbin/runc", str(world.RUNTIME)).format("shell"))
        result = area.run([SHIM, "create", "--bundle", folder, "one"])
        check(result.code == 1 and result.err.startswith("lazaret: "), f"{name}: {result}")
    config.unlink()
    config.write_text(text)
    for words in (["--config", "/x"], ["-bundle", "/x"], ["--new"]):
        result, _ = create(folder, *words)
        check(result.code == 1 and "lazaret: request-refused: " in result.err, f"{words}: {result}")
    check_equal(create(folder)[0].code, 0, "the control")


@case("killed at any of its system calls, create leaves the old file or the new one, and no container without its policy")
def killed():
    folder = bundle("killed")
    text = (folder / "config.json").read_text()
    _, new = create(folder)
    configure(RUNTIME_YAML.replace("/usr/sbin/runc", str(world.RUNTIME)).format("shell"))
    words = [SHIM, "--root", "/run/test", "create", "--bundle", folder, "one"]
    trace = world.OPT / "trace"

    def run(*options):
        (folder / "config.json").write_text(text)
        world.records()
        area.run(["strace", "-o", trace, *options, *words], env={"PATH": area.PATH})
        return (folder / "config.json").read_text(), world.records()

    def forget(*folders):
        for folder in folders:
            for path in pathlib.Path("/run/lazaret").glob(f"{folder}/*"):
                path.unlink()

    def go_through(keeps, every):
        def begin():
            forget("*") if not keeps else forget("[0-9a-f]*")

        begin()
        check_equal(run()[0], new, "the whole call")
        calls, counts = [], {}
        for line in trace.read_text().splitlines():
            match = re.match(r"^(\w+)\(", line)
            if match:
                counts[match[1]] = counts.get(match[1], 0) + 1
                calls.append((match[1], counts[match[1]]))
        calls = calls[1:]
        last = max(n for n, (name, _) in enumerate(calls) if name == "execve")
        seen = set()
        for name, count in calls[:last] if laz.LONG else calls[:last][::every] + calls[last - 12:last]:
            begin()
            found, records = run("-e", f"inject={name}:signal=KILL:when={count}")
            check(found in (text, new), f"killed at {name} {count}: half a file")
            check(not records, f"killed at {name} {count}: the runtime was called")
            seen.add(found == new)
        check_equal(seen, {True, False}, "both were seen")

    go_through(keeps=True, every=3)
    go_through(keeps=False, every=6)  # lazaret-prepare too


if __name__ == "__main__":
    laz.main()
