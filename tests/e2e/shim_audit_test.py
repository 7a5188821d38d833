# SPDX-License-Identifier: Apache-2.0
"""lazaret-shim's own records: who came into a container, what was refused, which container runs without a policy.

The runtime is a stand-in, the ledger is the host's. What cannot be recorded does not happen, and the control of each refusal is the same call
with a ledger that can be had.
"""
import fcntl
import hashlib
import itertools
import json
import os
import pathlib

import area
import laz
import readme
import rootfs
import shim_world as world
from laz import case, check, check_equal
from shim_world import SHIM, configure

POLICY = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text().replace("/app, ", "")
LEDGER = world.OPT / "audit" / "host.jsonl"
RULES = "select: [{runtime-name: lazaret-off, policy: pass-through}]\n"
ROOT = ["--root", "/run/test"]
_numbers = itertools.count()


def configured(audit=None, more=RULES, policy="shell"):
    """runtime.yaml, with the stand-in behind the shim."""
    keys = {"file": str(LEDGER), **(audit or {})}
    configure(f"version: 1\nruntime: {world.RUNTIME}\ndefault-policy: {policy}\naudit: {json.dumps(keys)}\n{more}")


def prepare(audit=None, host="", **words):
    """The host, with an empty ledger."""
    area.require_program("runc")
    world.host()
    world.install(shell=POLICY + f"\nhost: {{{host}}}\n" if host else POLICY)
    configured(audit, **words)
    LEDGER.unlink(missing_ok=True)
    world.records()


def bundle(name, change=lambda config: None):
    """A bundle of runc's own making, changed."""
    folder = area.folder(f"bundle-{name}")
    area.run(["runc", "spec", "--bundle", folder])
    config = json.loads((folder / "config.json").read_text())
    config["process"].update(terminal=False, args=["true"])
    config["root"] = {"path": str(rootfs.busybox_root(f"root-{name}")), "readonly": False}
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def call(*words, program=SHIM):
    """The shim, to its end, and whether the runtime was called."""
    result = area.run([program, *ROOT, *words], env={"PATH": area.PATH})
    laz.check_no_report(result.err)
    return result, len(world.records()) == 1


def ledger():
    """Its records, each checked to be numbered and chained to the line before."""
    prev, found = "0" * 64, []
    for number, line in enumerate(LEDGER.read_bytes().splitlines(keepends=True) if LEDGER.exists() else []):
        record = json.loads(line)
        check_equal((record["seq"], record["prev"]), (number, prev), f"the chain at {line!r}")
        check_equal(record["d"]["caller"], os.readlink("/proc/self/exe"), "the caller")
        prev = hashlib.sha256(line).hexdigest()
        found.append(record)
    return found


def digest():
    """Of the policy, as the shim remembers it of the container "one"."""
    (path,) = pathlib.Path("/run/lazaret").glob("*/one.json")
    return json.loads(path.read_text())["policy-digest"]


@case("each refusal of create, run, restore, update, checkpoint and exec is one record with its name and reason; what is let through by the host's own choice is none")
def refusals():
    prepare(host="update: refuse")
    good, bad = bundle("good"), bundle("bad", lambda c: c["linux"].update(namespaces=[n for n in c["linux"]["namespaces"] if n["type"] != "pid"]))
    check_equal(call("create", "--bundle", good, "one"), ((0, "", ""), True), "the control, create")
    check_equal(call("kill", "one", "9")[1], True, "the control, kill")
    check_equal(ledger(), [], "the hook records what is created")
    rows = [
        (["create", "--bundle", bad, "two"], "request-refused", "the host's namespace of type pid", True),
        (["run", "--bundle", bad, "two"], "request-refused", "the host's namespace of type pid", True),
        (["restore", "--bundle", good, "two"], "request-refused", "(host.checkpoint: refuse)", True),
        (["update", "--pids-limit", "7", "one"], "request-refused", "policy shell: update: limits stay as they are (host.update: refuse)", True),
        (["checkpoint", "--image-path", "/tmp/image", "--leave-running", "one"], "request-refused", "(host.checkpoint: refuse)", True),
        (["exec", "nobody", "true"], "request-refused", "there is no record of container nobody", False),
        (["create", "-bundle", good, "two"], "request-refused", "is not taken by all runtimes", False),
        (["create", "--bundle", "/nowhere", "two"], "oci-refused", "", False),
    ]
    for words, name, why, _ in rows:
        result, called = call(*words)
        check(result.code == 1 and not called, f"{words}: {result}")
    found = ledger()
    check_equal(len(found), len(rows), f"records: {found}")
    for (words, name, why, has_policy), record in zip(rows, found):
        check_equal((record["ev"], record["act"], record["sev"]), ("shim.refuse", "refuse", 6), f"{words}")
        check_equal((record["d"]["verb"], record["d"]["error"]), (words[0], name), f"{words}: {record}")
        check(why in record["d"]["why"], f"{words}: {record}")
        check_equal(record["ctr"], "shell" if has_policy else "", f"{words}: the policy")
    said = readme.block("sh host-file", laz.ROOT / "docs/reference/hook.md").replace("/var/log/lazaret/host-audit.jsonl", str(LEDGER))
    verdict = area.run(["sh", "-c", said], env={"PATH": f"{laz.BIN}:{area.PATH}"})
    check(verdict.code == 0 and f"{len(rows)} records, 0 to {len(rows) - 1}" in verdict.out, f"lazaret verify: {verdict}")
    check_equal(found[3]["obj"], "one", "the container")
    check_equal(found[3]["d"]["policy_sha256"], digest(), "the digest")
    prepare(host="checkpoint: allow")
    check_equal(call("create", "--bundle", good, "one"), ((0, "", ""), True), "the control, create")
    check_equal(call("checkpoint", "--pre-dump", "one"), ((0, "", ""), True), "a checkpoint that is allowed")
    (record,) = ledger()
    check_equal((record["ev"], record["act"], record["sev"], record["obj"], record["ctr"]), ("shim.checkpoint", "checkpoint", 5, "one", "shell"), "its record")


@case("a container without a policy is recorded, by the name of the runtime that the administrator registered for it; where nobody has one, nothing is")
def passed():
    prepare()
    off = world.OPT / "lazaret-off"
    off.unlink(missing_ok=True)
    off.symlink_to(SHIM)
    folder = bundle("off")
    text = (folder / "config.json").read_text()
    check_equal(call("create", "--bundle", folder, "off", program=off), ((0, "", ""), True), "create")
    check_equal((folder / "config.json").read_text(), text, "config.json stays byte for byte")
    check_equal([(r["ev"], r["act"], r["sev"], r["obj"], r["ctr"], r["d"]["mode"]) for r in ledger()],
                [("shim.create", "pass-through", 3, "off", "", "pass-through")], "records")
    configured(policy="pass-through", more="")
    check_equal(call("create", "--bundle", folder, "on")[1], True, "nobody has a policy")
    check_equal(len(ledger()), 1, "records")


@case("a ledger that cannot be had: refused by name, and the runtime is not called; with required: false it goes on, and the log says so")
def unavailable():
    small = world.OPT / "small"

    def full(path):
        path.mkdir()
        world.mount("-t", "tmpfs", "-o", "size=4k,mode=0700", "tmpfs", path)
        (path / "fill").write_bytes(b"x" * 4096)
        return path / "host.jsonl", "ledger-unavailable", "ENOSPC"

    def sealed(path):
        path.mkdir()
        world.mount("-t", "tmpfs", "-o", "ro,mode=0700", "tmpfs", path)
        return path / "host.jsonl", "ledger-unavailable", "EROFS"

    def foreign(path):
        path.mkdir(mode=0o777)
        path.chmod(0o777)
        return path / "host.jsonl", "host-unsafe", "others than root may write, mode 0777"

    def link(path):
        path.mkdir(mode=0o700)
        (path / "host.jsonl").symlink_to("/etc/passwd")
        return path / "host.jsonl", "ledger-unavailable", "ELOOP"

    def damaged(path):
        path.mkdir(mode=0o700)
        (path / "host.jsonl").write_text("no record\n")
        (path / "host.jsonl").chmod(0o600)
        return path / "host.jsonl", "ledger-unavailable", "no record is in its last 10 bytes"

    def held(path):
        path.mkdir(mode=0o700)
        fd = os.open(path / "host.jsonl", os.O_RDWR | os.O_CREAT, 0o600)  # until the suite ends
        fcntl.flock(fd, fcntl.LOCK_EX)
        return path / "host.jsonl", "host-busy", "another process has had the lock of host.jsonl for 5 seconds"

    prepare()
    small.mkdir(exist_ok=True)
    off, log = world.OPT / "lazaret-off", world.OPT / "shim.log"
    off.unlink(missing_ok=True)
    off.symlink_to(SHIM)
    folder, passwd = bundle("unavailable"), pathlib.Path("/etc/passwd").read_bytes()
    for make in (full, sealed, foreign, link, damaged, held):
        file, name, why = make(small / make.__name__)
        log.unlink(missing_ok=True)
        configured({"file": str(file)})
        result, called = call("create", "--bundle", folder, "off", program=off)
        check(result.code == 1 and not called, f"{make.__name__}: {result}")
        check(result.err.startswith(f"lazaret: {name}: audit.file: ") and why in result.err, f"{make.__name__}: {result.err!r}")
        configured({"file": str(file), "required": False}, more=RULES + f"log: {log}\n")
        check_equal(call("create", "--bundle", folder, "off", program=off), ((0, "", ""), True), f"{make.__name__}, not required")
        check("level=warning" in log.read_text() and why in log.read_text(), f"{make.__name__}: {log.read_text()}")
    check_equal(pathlib.Path("/etc/passwd").read_bytes(), passwd, "what the link leads to")
    configured()
    check_equal(call("create", "--bundle", folder, "off", program=off), ((0, "", ""), True), "the control")


# ---- Who enters ----------------------------------------------------------------------------------------


def entered(args, **changes):
    """`exec` of this command into the container "one", by a file: the result, whether the runtime was called, and the records of it."""
    path = world.OPT / "process.json"
    path.write_text(json.dumps({"args": args, "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}, **changes}))
    before = len(ledger())
    result, called = call("exec", "--process", path, "one")
    return result, called, ledger()[before:]


def of_arguments(args):
    """As the page says: each with a NUL behind it."""
    return hashlib.sha256(b"".join(arg.encode() + b"\0" for arg in args)).hexdigest()


def created(**words):
    """A container "one" under the policy, remembered by the shim: what its process begins with."""
    prepare(**words)
    for path in pathlib.Path("/run").glob("lazaret/*/one.json"):
        path.unlink()
    folder = bundle(f"enter-{next(_numbers)}")
    process = json.loads((folder / "config.json").read_text())["process"]
    check_equal(call("create", "--bundle", folder, "one")[1], True, "create")
    return {key: process[key] for key in ("cwd", "env", "user")}


@case("an exec is one record: container, policy, mode, user, command and a digest of the arguments, which are not there themselves")
def entries():
    args = ["/bin/report", "--patient", "MRN-0042-Doe", ""]
    rows = [("exec: confined", 0, "confined", 0), ("exec: allow", 0, "allow", 0), ("exec: deny", 0, "deny", 1),
            ("exec-user: non-root", 0, "confined", 1), ("exec-user: non-root", 7, "confined", 0)]
    for host, uid, mode, code in rows:
        created(host=host)
        result, called, found = entered(args, user={"uid": uid, "gid": 5})
        check_equal((result.code, called, len(found)), (code, code == 0, 1), f"{host}, {uid}: {result}")
        (record,), said = found, found[0]["d"]
        check_equal([record[key] for key in ("ev", "act", "sev", "obj", "ctr")],
                    ["shim.refuse", "refuse", 6, "one", "shell"] if code else ["shim.exec", "enter", 3, "one", "shell"], f"{host}, {uid}")
        check_equal({key: said.get(key) for key in ("verb", "mode", "way", "uid", "gid", "command", "n_arguments", "arguments_sha256", "policy_sha256")},
                    {"verb": "exec", "mode": mode, "way": "exec", "uid": uid, "gid": 5, "command": args[0], "n_arguments": 4,
                     "arguments_sha256": of_arguments(args), "policy_sha256": digest()}, f"{host}, {uid}")
        check_equal("why" in said, code == 1, f"{host}, {uid}: why")
        check("Doe" not in LEDGER.read_text() and "arguments" not in said, f"{host}, {uid}: whose data they are")
    created()
    result, called = call("exec", "one", *args[:3])
    (record,) = ledger()
    check_equal((called, record["ev"], record["d"]["mode"], record["d"]["command"], record["d"]["arguments_sha256"]),
                (True, "shim.exec", "confined", args[0], of_arguments(args[:3])), "by hand")
    check("uid" not in record["d"], "by hand the user is the container's")


@case("audit.arguments: true shows the arguments, as many as fit into a record; neither many of them, nor long or strange ones, get in the way of an exec")
def arguments():
    rows = [(["ls", "-l", "/tmp"], 3), (["ls"], 1), (["x" * 300, "y"], 2), (["a", "b" * 1900, "c" * 200], 2), (["\x01" * 150, "\x02" * 400], 1),
            (["ls", *["word"] * 5000], None), (["ü\u2028"], 1), (["z" * 100000], 0),
            (["a", "b" * 2045], 2), (["a", "b" * 2046], 1)]
    rows += [(["\x01" * length], None) for length in range(350, 460, 5)]  # around what a record holds
    created(audit={"arguments": True})
    for args, shown in rows:
        result, called, found = entered(args)
        what = f"{args[0][:20]!r}, {len(args)}"
        check_equal((result.code, called, len(found)), (0, True, 1), f"{what}: {result}")
        said = found[0]["d"]
        count = len(said["arguments"])
        check_equal(said["arguments"], args[:count], what)
        check(count == shown or (shown is None and (len(args) == 1 or 100 < count < 5000)), f"{what}: {count}")
        check_equal((said["arguments_cut"], said["n_arguments"], said["arguments_sha256"]), (count < len(args), len(args), of_arguments(args)), what)
        check(args[0].startswith(said["command"]) and len(said["command"].encode()) <= 127, f"{what}: {said['command']!r}")


def order(*words):
    """The calls that matter, as strace has seen them, when what the host's files mean is known already."""
    trace = world.OPT / "trace"
    area.run([SHIM, *ROOT, *words], env={"PATH": area.PATH})
    env = {"PATH": area.PATH, "ASAN_OPTIONS": "detect_leaks=0"}  # which is impossible for who is traced
    area.run(["strace", "-o", trace, "-e", "trace=fdatasync,execve", SHIM, *ROOT, *words], env=env)
    world.records()
    lines = [line for line in trace.read_text().splitlines() if "lazaret-prepare" not in line]  # of a policy that is new
    return [line.split("(")[0] for line in lines if line.startswith(("fdatasync", "execve"))]


@case("the record of an exec is on the disk before the runtime is called; a health check's is not waited for, and audit.health-checks: false leaves it out, but not a refused one")
def health():
    host = "exec: deny, health-check: {argv: [/bin/true, x]}"
    process = created(host=host)
    rows = [(True, ["/bin/true", "x"], [("shim.exec", 1, "health-check", "confined")]), (True, ["/bin/true"], [("shim.refuse", 6, "exec", "deny")]),
            (False, ["/bin/true", "x"], []), (False, ["/bin/true"], [("shim.refuse", 6, "exec", "deny")])]
    words = ["exec", "--process", world.OPT / "process.json", "one"]
    for records, args, expected in rows:
        configured({"health-checks": records})
        _, called, found = entered(args, **process)
        check_equal(called, args == ["/bin/true", "x"], f"{records}, {args}")
        check_equal([(r["ev"], r["sev"], r["d"]["way"], r["d"]["mode"]) for r in found], expected, f"{records}, {args}")
    configured()
    entered(["/bin/true", "x"], **process)
    check_equal(order(*words), ["execve", "execve"], "a health check")
    world.install(shell=POLICY + "\nhost: {health-check: {argv: [/bin/true, x], exec: deny}}\n")
    check_equal(order(*words), ["execve", "fdatasync"], "a health check that is refused")
    world.install(shell=POLICY)
    check_equal(order(*words), ["execve", "fdatasync", "execve"], "an exec")
    LEDGER.unlink()  # its callers were strace
    configured({"health-checks": False})
    check_equal(len(entered(["/bin/ls"])[2]), 1, "an exec is no health check")


@case("an exec that cannot be recorded does not happen, a health check neither; with required: false both do")
def unrecorded():
    process = created(host="exec: confined, health-check: {argv: [/bin/true]}")
    broken = world.OPT / "broken"
    broken.mkdir(mode=0o777, exist_ok=True)
    broken.chmod(0o777)
    for args in (["/bin/true"], ["/bin/ls"]):
        for required in (True, False):
            configured({"file": str(broken / "host.jsonl"), "required": required})
            result, called, _ = entered(args, **process)
            check_equal((result.code, called), (1, False) if required else (0, True), f"{args}, {required}: {result}")
            check(not required or "lazaret: host-unsafe: audit.file: " in result.err, f"{args}: {result}")


if __name__ == "__main__":
    laz.main()
