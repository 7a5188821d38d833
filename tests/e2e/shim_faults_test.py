# SPDX-License-Identifier: Apache-2.0
"""One system call after the other fails under lazaret-shim and lazaret-prepare, as a full disk, a bad one, or a host without memory
or descriptors has it: what they do then is whole, or is refused by name and has left nothing behind, and the next call is as ever.

The control of each row is the call itself, which is seen to have been answered so. A runtime that is a stand-in says what it got.
"""
import contextlib
import json
import pathlib
import re

import area
import faults
import laz
import rootfs
import shim_world as world
from laz import case, check, check_equal
from shim_world import OPT, RUNTIME, SHIM, configure

POLICY = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text().replace("/app, ", "")
LEDGER = OPT / "audit" / "host.jsonl"
TRACE = OPT / "trace"
STATE = pathlib.Path("/run/lazaret")
REFUSED = re.compile(r"lazaret: [a-z0-9-]+: \S.*\n")


def is_named(result, what):
    """One line of ours, and exit code 1."""
    laz.check_no_report(result.err)
    check(result.code == 1 and REFUSED.fullmatch(result.err), f"{what}: {result}")


class Host:
    """The shim's, as it is before each row."""

    def __init__(self, name):
        area.require_program("runc")
        world.host()
        world.install(shell=POLICY)
        configure(f"version: 1\nruntime: {RUNTIME}\ndefault-policy: shell\naudit: {{file: {LEDGER}}}\n")
        self.folder = area.folder(f"faults-{name}")
        area.run(["runc", "spec", "--bundle", self.folder])
        config = json.loads((self.folder / "config.json").read_text())
        config["process"].update(terminal=False, args=["/bin/true"])
        self.root = rootfs.busybox_root(f"root-{name}")
        config["root"] = {"path": str(self.root), "readonly": False}
        self.text = json.dumps(config)
        self.process = self.folder / "process"
        self.process.write_text(json.dumps({"args": ["/bin/true"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["LD_PRELOAD=/x"]}))

    def call(self, *words, options=()):
        """By strace, which hands on the code."""
        world.records()
        result = area.run(["strace", "-qq", "-o", TRACE, *options, SHIM, "--root", "/run/test", *words], env={"PATH": area.PATH})
        return result, world.records()

    def state(self, keeps="prepared"):
        """What is left but what is kept: the names, and whether the ledger is whole."""
        if LEDGER.exists():
            for line in LEDGER.read_text().splitlines():
                json.loads(line)
        return sorted(re.sub(r"-\d+$", "-PID", str(path.relative_to(STATE))) for path in STATE.glob("*/*") if path.parent.name not in (keeps, "images"))

    def forget(self, *folders):
        for folder in folders or ("[0-9a-f]*",):
            for path in STATE.glob(f"{folder}/*"):
                path.unlink()


def go_through(host, begin, words, judge):
    """Each row of a call of the shim; how many were refused."""
    for _ in range(2):  # the first one may find something to tidy up
        begin()
        result, records = host.call(*words)
        check_equal((result.code, result.err, len(records)), (0, "", 1), "the whole call")
    whole = judge(None, result, records, "the whole call")
    left = host.state()
    refused = n = 0
    for row in faults.rows(TRACE):
        begin()
        before = host.state()
        result, records = host.call(*words, options=faults.injection(row))
        line, what = faults.injected(TRACE, row)
        check(line, f"{what}: it did not come to that: {result}")
        n += 1
        if not records:
            is_named(result, what)
            check_equal(host.state(), before, f"{what}: what is left of a call that was refused: {host.state()} {result.err}")
            refused += 1
        else:
            laz.check_no_report(result.err)
            check_equal((result.code, host.state()), (0, left), f"{what}: {result}")
        judge(whole, result, records, what)
        result, records = host.call(*words)
        check_equal((result.code, result.err, len(records)), (0, "", 1), f"the next one behind {what}")
        judge(whole, result, records, f"the next one behind {what}")
    check(0 < refused, "none was refused")
    print(f"     {words[0]}: {n} rows, {refused} refused by name, {n - refused} did their work all the same")
    return n - refused


@case("create: the container has the whole policy, its record and its entries, or the old file is there and nothing else")
def create():
    host = Host("create")

    def judge(whole, result, records, what):
        config = (host.folder / "config.json").read_text()
        check_equal(sorted(path.name for path in host.folder.iterdir()), ["config.json", "process"], what)
        if records:
            check_equal(records[0]["config"], config, f"{what}: what the runtime got")
            check(whole is None or config == whole, f"{what}: another config.json: {result}")
        else:
            check(config in (host.text, whole), f"{what}: half a file")
        return config

    def begin(*folders):
        host.forget(*folders)
        (host.folder / "config.json").write_text(host.text)

    words = ["create", "--bundle", host.folder, "one"]
    go_through(host, begin, words, judge)
    go_through(host, lambda: begin("*"), words, judge)  # lazaret-prepare too


@case("exec: the runtime gets the confined copy whole, or is not called")
def execute():
    host = Host("exec")
    (host.folder / "config.json").write_text(host.text)
    check_equal(host.call("create", "--bundle", host.folder, "one")[0].code, 0, "create")

    def judge(whole, result, records, what):
        check_equal(host.process.read_text(), text, f"{what}: the caller's file")
        found = json.loads(records[0]["process"]) if records else None
        check(whole is None or found in (None, whole), f"{what}: another process.json: {found} {result}")
        return found

    def begin():
        for path in STATE.glob("[0-9a-f]*/*.exec-*"):
            path.unlink()

    text = host.process.read_text()
    go_through(host, begin, ["exec", "--process", host.process, "one"], judge)


# ---- What is refused stays refused -------------------------------------------------------------------


@contextlib.contextmanager
def changed(path, mode):
    before = path.stat().st_mode & 0o7777
    path.chmod(mode)
    yield
    path.chmod(before)


@contextlib.contextmanager
def put(path, what):
    """A text, a folder (None), or a link to a path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if what is None:
        path.mkdir()
    elif isinstance(what, pathlib.Path):
        path.symlink_to(what)
    else:
        path.write_text(what)
    yield
    path.rmdir() if what is None else path.unlink()


def refusals(host):
    """(name, what is there meanwhile, how config.json differs, the words, what is said)."""
    disguised = OPT / "disguised"
    if not disguised.exists():
        disguised.mkdir()
        world.mount("--bind", "/etc", disguised)
    nothing = contextlib.nullcontext
    create = ["create", "--bundle", host.folder, "one"]
    bind = {"destination": "/data", "type": "bind", "source": str(disguised), "options": ["rbind", "rw"]}
    every = {"allow": True, "access": "rwm"}
    return [
        ("the host's folder under another name as the root", nothing, lambda c: c["root"].update(path=str(disguised)), create, "root.path is a part of the host"),
        ("the host's folder under another name as a mount", nothing, lambda c: c["mounts"].append(bind), create, "is /etc"),
        ("all devices", nothing, lambda c: c["linux"]["resources"]["devices"].append(every), create, "privileged"),
        ("a link of the image in the place of init", lambda: put(host.root / ".lazaret", pathlib.Path("/etc")), None, create, "something else at /.lazaret"),
        ("a policy that allows more, named by the image", lambda: put(host.root / "etc/lazaret/policy.name", "wide"), None, create, "allows what shell does not"),
        ("a policy that others may write", lambda: changed(world.FILE.parent / "policies.d/shell.yaml", 0o666), None, create, "shell.yaml may be written"),
        ("a file of the host that others may write", lambda: changed(world.FILE, 0o666), None, create, "runtime.yaml"),
        ("a folder of records that others may write", lambda: changed(LEDGER.parent, 0o777), None, ["exec", "--process", host.process, "control"], str(LEDGER.parent)),
        ("a container that is there", lambda: put(pathlib.Path("/run/test/one"), None), None, create, "which keeps its policy"),
        ("an exec into a container that nobody knows", nothing, None, ["exec", "--process", host.process, "unknown"], "no record of container"),
    ]


@case("what is refused stays refused, whichever of the calls by which that is found out fails")
def closed():
    host = Host("closed")
    world.install(wide=POLICY.replace("write: [/tmp]", "write: [/tmp, /srv]"))
    for name, there, change, words, text in refusals(host):
        (host.folder / "config.json").write_text(host.text)
        check_equal(len(host.call("create", "--bundle", host.folder, "control")[1]), 1, "the control: nothing is wrong")
        config = json.loads(host.text)
        if change is not None:
            change(config)
        with there():
            def call(*options, config=config, words=words):
                (host.folder / "config.json").write_text(json.dumps(config))
                return host.call(*words, options=options)

            n = 0
            for row in [None, *faults.rows(TRACE)] if call() else []:
                result, records = call(*([] if row is None else faults.injection(row)))
                what = f"{name}: {row}: {result}"
                check_equal((result.code, records), (1, []), what)
                check(row is not None or (text in result.err and is_named(result, what) is None), what)
                n += 1
        print(f"     {name}: {n} rows")
        host.forget()


if __name__ == "__main__":
    laz.main()
