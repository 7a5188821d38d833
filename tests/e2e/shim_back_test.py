# SPDX-License-Identifier: Apache-2.0
"""The fast way back: all of runtime.yaml is pass-through, on a host that has containers of lazaret-shim, and again forward.

What has begun under a policy stays under it, and what has begun without one stays without. By a runtime that does nothing but
write down how it was called; by docker once.
"""
import json
import os
import pathlib

import area
import engines
import laz
import rootfs
import shim_world as world
from laz import case, check, check_equal
from shim_confined import STATUS, check_confined, check_open
from shim_served import BASE
from shim_world import SHIM, configure

ROOT = pathlib.Path("/run/test")
RUNTIME = world.OPT / "runc-standin"  # by its name one of which the shim knows how it keeps its containers
FRONT = ["/.lazaret/lazaret-init", "--enter"]
LEDGER = world.OPT / "audit" / "host.jsonl"


def prepare(default, policy=BASE, runtime=RUNTIME):
    """The host as its file says: a policy, or pass-through."""
    world.host()
    if not RUNTIME.exists():
        os.link(world.RUNTIME, RUNTIME)
    world.install(shell=policy)
    configure(f"version: 1\nruntime: {runtime}\ndefault-policy: {default}\naudit: {{file: {LEDGER}}}\n")
    world.records()


def call(*words):
    """The shim, as an engine calls it."""
    return area.run([SHIM, "--root", ROOT, *words], env={"PATH": area.PATH})


def create(name):
    """A container, as far as anybody can see; was its file left as it was?"""
    folder = area.folder(f"back-{name}")
    area.run(["runc", "spec", "--bundle", folder])
    config = json.loads((folder / "config.json").read_text())
    config["process"].update(terminal=False, args=["true"])
    config["root"] = {"path": str(rootfs.busybox_root(f"back-root-{name}")), "readonly": False}
    (folder / "config.json").write_text(json.dumps(config))
    before = (folder / "config.json").read_bytes()
    done = call("create", "--bundle", folder, name)
    check_equal((done.code, done.err), (0, ""), f"create {name}")
    (ROOT / name).mkdir(parents=True)
    return before == (folder / "config.json").read_bytes()


def record(name):
    """What the host remembers of it, or None."""
    found = list(pathlib.Path("/run/lazaret").glob(f"*/{name}.json"))
    return found[0] if found else None


def enter(name, *words):
    """An exec by a file: the result, and what the runtime gets: the caller's file, or its own copy with these arguments."""
    path = world.OPT / "process.json"
    path.write_text(json.dumps({"cwd": "/", "user": {"uid": 0, "gid": 0}, "env": [], "args": list(words)}))
    world.records()
    done = call("exec", "--process", path, name)
    calls = world.records()
    given = pathlib.Path(calls[0]["words"][calls[0]["words"].index("--process") + 1]) if calls else None
    return done, given == path, json.loads(given.read_text())["args"] if given else None


def ledger():
    """What was recorded since the last time."""
    lines = LEDGER.read_text().splitlines() if LEDGER.exists() else []
    LEDGER.unlink(missing_ok=True)
    return [(r["ev"], r["obj"]) for r in map(json.loads, lines)]


@case("made while all is pass-through: untouched, unrecorded and remembered; when a policy is selected again, exec, update and checkpoint are as they were")
def forward():
    prepare("pass-through")
    ledger()
    check(create("free"), "config.json is as it was")
    check_equal(json.loads(record("free").read_text())["policy"], "pass-through", "what is remembered")
    done, is_callers, args = enter("free", "true")
    check_equal((done.code, is_callers, args), (0, True, ["true"]), "before")
    check_equal(ledger(), [], "records")
    prepare("shell", BASE + "host: {exec: deny, update: refuse}\n")
    done, is_callers, args = enter("free", "true")
    check_equal((done.code, is_callers, args), (0, True, ["true"]), f"afterwards: {done}")
    for verb in ("update", "checkpoint"):
        check_equal(call(verb, "free").code, 0, verb)
    record("free").unlink()
    world.records()
    world.refused(enter("free", "true")[0], "request-refused", "there is no record of container free")


@case("made under a policy, and then all is pass-through: an exec is confined and recorded, by hand too, or refused; so are update and checkpoint")
def bound():
    prepare("shell", BASE + "host: {update: refuse}\n")
    check(not create("kept"), "the control: it was rewritten")
    prepare("pass-through", BASE + "host: {update: refuse}\n")
    ledger()
    done, is_callers, args = enter("kept", "true")
    check_equal((done.code, is_callers, args[:2], args[-1]), (0, False, FRONT, "true"), f"by a file: {done}")
    check_equal(call("exec", "kept", "id").code, 0, "by hand")
    check_equal(world.records()[0]["words"][-1], "id", "by hand")
    check_equal(ledger(), [("shim.exec", "kept")] * 2, "records")
    world.refused(call("update", "kept"), "request-refused", "policy shell: update", "host.update: refuse")
    world.refused(call("checkpoint", "kept"), "request-refused", "policy shell: checkpoint")
    prepare("pass-through", BASE + "host: {exec: deny}\n")
    world.refused(enter("kept", "true")[0], "request-refused", "policy shell: no command may be run in this container (host.exec: deny; ")
    world.install(shell="version: 1\n")
    world.refused(enter("kept", "true")[0], "policy-invalid", "shell.yaml:1:1: workload.user: missing")
    done, is_callers, args = enter("nobody", "true")
    check_equal((done.code, is_callers), (0, True), f"the control, of which nobody knows: {done}")


@case("the way back works on a broken host: nothing that cannot be remembered or kept refuses a create; a record that cannot be read refuses an exec by name")
def broken():
    prepare("shell")
    create("whole")
    prepare("pass-through")
    folder = record("whole").parent
    text = record("whole").read_text()
    for path, kind, reason in ((folder, "oci-state-refused", "others could write there"), (folder.parent, "host-unsafe", "/run/lazaret is not root's alone, mode 0777")):
        mode = path.stat().st_mode
        path.chmod(0o777)
        for name in ("more", "whole"):
            check_equal(call("create", "--bundle", "/", name).code, 0, f"{path}: create {name}")
            check_equal(len(world.records()), 1, f"{path}: the runtime's calls")
        world.refused(enter("whole", "true")[0], kind, reason)
        path.chmod(mode)
        check_equal(record("more"), None, f"{path}: nothing was written")
    (folder / "whole.json").write_text("{")
    world.refused(enter("whole", "true")[0], "oci-state-refused", "record of whole: ")
    (folder / "whole.json").write_text(text)
    world.PREPARED.chmod(0o777)
    (world.PREPARED / "runtime").unlink()
    check_equal(call("create", "--bundle", "/", "more").code, 0, "what is prepared cannot be kept: create")
    done, is_callers, _ = enter("nobody", "true")
    check_equal((done.code, is_callers), (0, True), f"what is prepared cannot be kept: exec: {done}")
    world.refused(enter("whole", "true")[0], "host-unsafe", str(world.PREPARED))
    world.PREPARED.chmod(0o755)
    check_equal(enter("whole", "true")[1], False, "the control, mended")


@case("a name that a container has: while all is pass-through it keeps its record, whoever asks for another one; that of one that has ended goes")
def taken():
    prepare("shell")
    create("held")
    prepare("pass-through")
    for name in ("held", "other"):
        call("create", "--bundle", "/", name)
        check_equal(json.loads(record("held").read_text())["policy"], "shell", "what is remembered")
    (ROOT / "held").rmdir()
    call("create", "--bundle", "/", "another")
    check_equal(record("held"), None, "it has ended")


@case("a runtime of another kind: nothing is remembered while all is pass-through, since nobody could tell when a container has ended")
def others():
    prepare("pass-through", runtime=world.RUNTIME)
    create("foreign")
    check_equal(record("foreign"), None, "what is remembered")
    prepare("pass-through")
    create("own")
    check(record("own") is not None, "the control")


@case("docker: a container that is confined stays so on the way back, one that is not stays so on the way forward")
def by_docker():
    prepare("shell", runtime=area.require_program("runc"))
    engine = engines.Docker(["--add-runtime", f"lazaret={SHIM}"])
    engine.import_root(rootfs.busybox_root("shim-back"), "shell", "ENV PATH=/bin:/usr/bin")
    kept = engine.start("shell", ["sleep", "1000"], options=["--runtime", "lazaret"])
    prepare("pass-through", runtime=area.require_program("runc"))
    check_confined(engine.call("exec", "-u", "0", kept, *STATUS), "back")
    free = engine.start("shell", ["sleep", "1000"], options=["--runtime", "lazaret"])
    check_open(engine.call("exec", free, *STATUS), "back, the control")
    prepare("shell", runtime=area.require_program("runc"))
    check_open(engine.call("exec", free, *STATUS), "forward")
    check_confined(engine.call("exec", kept, *STATUS), "forward, the control")
    for name in (kept, free):
        engine.must("rm", "--force", name)
    engine.close()


if __name__ == "__main__":
    laz.main()
