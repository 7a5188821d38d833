# SPDX-License-Identifier: Apache-2.0
"""lazaret-shim's own records: who came into a container, what was refused, which container runs without a policy.

The runtime is a stand-in, the ledger is the host's. What cannot be recorded does not happen, and the control of each refusal is the same call
with a ledger that can be had.
"""
import hashlib
import json
import os
import pathlib

import area
import laz
import rootfs
import shim_world as world
from laz import case, check, check_equal
from shim_world import SHIM, configure

POLICY = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text().replace("/app, ", "")
LEDGER = world.OPT / "audit" / "host.jsonl"
RULES = "select: [{runtime-name: lazaret-off, policy: pass-through}]\n"
ROOT = ["--root", "/run/test"]


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


@case("each refusal of create, run, restore, update and exec is one record with its name and reason; what is let through by the host's own choice is none")
def refusals():
    prepare(host="update: refuse")
    good, bad = bundle("good"), bundle("bad", lambda c: c["linux"].update(namespaces=[n for n in c["linux"]["namespaces"] if n["type"] != "pid"]))
    check_equal(call("create", "--bundle", good, "one"), ((0, "", ""), True), "the control, create")
    check_equal(call("kill", "one", "9")[1], True, "the control, kill")
    check_equal(ledger(), [], "the hook records what is created")
    rows = [
        (["create", "--bundle", bad, "two"], "request-refused", "the host's namespace of type pid", True),
        (["run", "--bundle", bad, "two"], "request-refused", "the host's namespace of type pid", True),
        (["restore", "--bundle", good, "two"], "request-refused", "(host.restore)", True),
        (["update", "--pids-limit", "7", "one"], "request-refused", "(host.update)", True),
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
    check_equal(found[3]["obj"], "one", "the container")
    check_equal(found[3]["d"]["policy_sha256"], digest(), "the digest")


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
        return path / "host.jsonl", "ledger-unavailable", "its last line is no record"

    prepare()
    small.mkdir(exist_ok=True)
    off, log = world.OPT / "lazaret-off", world.OPT / "shim.log"
    off.unlink(missing_ok=True)
    off.symlink_to(SHIM)
    folder, passwd = bundle("unavailable"), pathlib.Path("/etc/passwd").read_bytes()
    for make in (full, sealed, foreign, link, damaged):
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


if __name__ == "__main__":
    laz.main()
