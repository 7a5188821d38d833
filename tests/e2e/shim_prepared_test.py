# SPDX-License-Identifier: Apache-2.0
"""lazaret-prepare: what it keeps is used only as long as it is what the files say, and the shim is the same process before and after it."""
import contextlib
import json
import os
import re
import shutil

import area
import laz
import rootfs
import shim_world as world
from laz import case, check, check_equal
from shim_world import OPT, PREPARED, PROGRAMS, SHIM, Caller, configure, records, refused

POLICY = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text().replace("/app, ", "")
FILE = f"version: 1\nruntime: {world.RUNTIME}\ndefault-policy: shell\naudit: {{required: false, file: {OPT}/audit.jsonl}}\n"
MASKED = "/proc/cpuinfo"


def bundle():
    folder = OPT / "prepared-bundle"
    if not folder.exists():
        folder.mkdir()
        area.run(["runc", "spec", "--bundle", folder])
        config = json.loads((folder / "config.json").read_text())
        config["root"]["path"] = str(rootfs.busybox_root("prepared-root"))
        (folder / "original").write_text(json.dumps(config))
    shutil.copy(folder / "original", folder / "config.json")
    return folder


def create(*before, caller=None):
    """The Result of a create, and the paths that it masks."""
    folder = bundle()
    records()
    result = (caller or Caller()).call(*before, SHIM, "--root", "/run/prepared", "create", "--bundle", folder, "one")
    return result, json.loads((folder / "config.json").read_text())["linux"]["maskedPaths"]


def host(**policies):
    world.install(**(policies or {"shell": POLICY}))
    configure(FILE)
    shutil.rmtree(PREPARED, ignore_errors=True)
    records()


def programs(*before):
    """What one create becomes, in this order, and by how many processes."""
    trace = OPT / "prepared-trace"
    result, _ = create("strace", "-f", "-o", trace, "-e", "trace=execve,execveat", *before)
    check_equal(result.code, 0, result.err)
    lines = [line for line in trace.read_text().splitlines() if " exec" in line and " = 0" in line]
    names = ["shim" if "execveat" in line else re.search(r'execve\("[^"]*/([\w-]+)"', line)[1] for line in lines]
    return names, {line.split()[0] for line in lines}


@case("the first call becomes lazaret-prepare, once for each file, and the shim again; the second one does not; it is one process")
def once():
    host()
    round_trip = ["lazaret-prepare", "shim"]
    names, pids = programs()
    check_equal((names, len(pids)), (["lazaret-shim", *round_trip, *round_trip, "runtime"], 1), "the first")
    check_equal(sorted(path.name for path in PREPARED.iterdir()), ["policy-shell", "runtime"], "what is kept")
    for path in PREPARED.iterdir():
        check_equal((path.stat().st_mode & 0o7777, path.stat().st_uid), (0o600, 0), str(path))
    check_equal(programs()[0], ["lazaret-shim", "runtime"], "the second")


@case("whatever changes, the next call sees it: the policy, a file that it extends, the host's file, the program")
def edits():
    host(shell=POLICY.replace("builtin/web-api", "builtin/web-api, base.yaml"), base="version: 1\n")
    folder = world.FILE.parent / "policies.d"
    check_equal((create()[0].code, MASKED in create()[1]), (0, False), "as it is")
    base = folder / "base.yaml"
    base.write_text(f"version: 1\nhost: {{masked-paths: [{MASKED}]}}\n")
    result, masked = create()
    check_equal((result.code, MASKED in masked), (0, True), "a file that it extends")
    base.write_text(f"version: 1\nhost: {{masked-paths: [{MASKED[:-1]}X]}}\n")  # of the same length
    check(MASKED not in create()[1] and f"{MASKED[:-1]}X" in create()[1], "other bytes of the same length")
    base.write_text("version: 1\n")  # what it began with, and no more
    check(f"{MASKED[:-1]}X" not in create()[1], "the beginning alone")
    base.write_text("version: 2\n")
    refused(create()[0], "policy-invalid", "base.yaml:1:10")
    base.write_text("version: 1\n")
    check_equal(create()[0].code, 0, "as before")
    base.chmod(0o666)
    refused(create()[0], "policy-unsafe", "base.yaml is writable by group or others")
    base.chmod(0o644)
    configure(FILE.replace("shell", "absent"))
    refused(create()[0], "host-absent", "policies.d/absent.yaml: nothing is there")
    configure(FILE.replace("default-policy: shell\n", ""))
    refused(create()[0], "request-refused", "no policy of /etc/lazaret/runtime.yaml")
    configure(FILE)
    check_equal(create()[0].code, 0, "as before")
    kept = (PREPARED / "policy-shell").stat().st_ino
    program = PROGRAMS / "lazaret-prepare"
    shutil.copy(program, PROGRAMS / "moved")
    (PROGRAMS / "moved").rename(program)
    check_equal(create()[0].code, 0, "another build of lazaret-prepare")
    check((PREPARED / "policy-shell").stat().st_ino != kept, "what another build has made was used")
    records()


@case("what is kept and is cut off, of somebody else's, or no such thing, is made anew; where it cannot be, the call is refused")
def damage():
    host()
    check_equal(create()[0].code, 0, "a first one")
    kept = PREPARED / "policy-shell"
    whole = kept.read_bytes()
    for length in (0, 7, 8, 200, len(whole) // 2, len(whole) - 1):
        kept.write_bytes(whole[:length])
        check_equal((create()[0].code, kept.read_bytes()), (0, whole), f"cut off behind {length}")
    kept.write_bytes(whole + b"\0")
    check_equal((create()[0].code, kept.read_bytes()), (0, whole), "with something behind it")
    os.chown(kept, 1000, 0)
    check_equal((create()[0].code, kept.stat().st_uid), (0, 0), "of somebody else's")
    kept.unlink()
    kept.symlink_to(OPT / "elsewhere")
    (OPT / "elsewhere").write_bytes(whole)
    check_equal((create()[0].code, kept.is_symlink()), (0, False), "a link")
    records()
    PREPARED.chmod(0o777)
    refused(create()[0], "host-unsafe", f"{PREPARED} is not root's alone")
    shutil.rmtree(PREPARED)
    PREPARED.write_text("")
    refused(create()[0], "system-error", str(PREPARED))
    PREPARED.unlink()
    records()
    (OPT / "elsewhere").write_bytes(b"of no use")
    for name in ("policy-shell", "runtime"):  # of which nothing comes: it must not go round for ever
        check_equal(create()[0].code, 0, "as before")
        world.mount("--bind", OPT / "elsewhere", PREPARED / name)
        result, _ = create()
        area.run(["umount", PREPARED / name])
        check(result.code == 1 and len(result.err.splitlines()) == 1, f"{name} cannot be replaced: {result}")
    records()


@case("without lazaret-prepare, or with one that others may write, what would need it is refused, and what stops a container passes")
def absent():
    host()
    program = PROGRAMS / "lazaret-prepare"
    program.rename(PROGRAMS / "away")
    try:
        refused(create()[0], "program-unfit", "lazaret-prepare: nothing is there")
        check_equal(Caller().call(SHIM, "kill", "one").code, 0, "kill")
        configure(FILE + "runtime-by-name: {x: /opt/runtime}\n")
        check_equal(Caller().call(SHIM, "kill", "one").code, 0, "kill, where all of the file would have to be read")
        records()
        configure(FILE)
    finally:
        (PROGRAMS / "away").rename(program)
    program.chmod(0o777)
    refused(create()[0], "host-unsafe", "lazaret-prepare may be written by others")
    program.chmod(0o755)
    check_equal(create()[0].code, 0, "the control")
    records()


@case("where nothing can be kept, a create is refused, and what stops a container goes to the runtime that the file names for this name, or nowhere")
def full():
    host()
    file = FILE + f"runtime-by-name: {{lazaret-x: {OPT}/x/runtime}}\n"
    (OPT / "x").mkdir(exist_ok=True)
    shutil.copy(world.RUNTIME, OPT / "x" / "runtime")
    (OPT / "lazaret-x").unlink(missing_ok=True)
    (OPT / "lazaret-x").symlink_to(SHIM)
    configure(file)
    world.mount("-t", "tmpfs", "-o", "size=16k,mode=0755", "tmpfs", "/run")
    try:
        with contextlib.suppress(OSError), open("/run/filler", "wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        for program, folder in ((SHIM, OPT), (OPT / "lazaret-x", OPT / "x")):
            for verb in ("kill", "delete", "state"):
                check_equal(Caller().call(program, verb, "one").code, 0, f"{program} {verb}")
                check_equal([path.parent for path in (OPT / "record", OPT / "x" / "record") if path.exists()], [folder], f"{program} {verb}")
                (folder / "record").unlink()
        for program in (SHIM, OPT / "lazaret-x"):
            refused(Caller().call(program, "--root", "/run/prepared", "create", "--bundle", bundle(), "one"), "system-error", f"{PREPARED}/runtime: ")
        (OPT / "x" / "runtime").unlink()
        refused(Caller().call(OPT / "lazaret-x", "kill", "one"), "runtime-unusable", f"{OPT}/x/runtime: nothing is there")
    finally:
        area.run(["umount", "/run"])


@case("through lazaret-prepare the runtime gets what the caller gave: words, environment, descriptors, signals, limits")
def transparent():
    host()
    configure(world.PASS_THROUGH)
    with open(OPT / "a", "wb") as one, open(OPT / "b", "wb") as other:
        caller = Caller(env={"A": "1", "LAZARET_POLICY": "x"}, cwd="/opt", umask=0o137, death=9, ignored=(10,), blocked=(12,),
                        descriptors=(one.fileno(), None, other.fileno()))
        found = []
        for _ in range(2):  # the first goes through lazaret-prepare
            found.append(caller.call(SHIM, "create", "--bundle", bundle(), "one"))
            found.append(records()[0])
    check_equal(found[0].code, 0, found[0].err)
    check("runtime" in [path.name for path in PREPARED.iterdir()], "lazaret-prepare was not called")
    for key in found[1]:
        if key == "descriptors":  # the pipes of 1 and 2 are other ones
            check_equal([row for row in found[1][key] if row[0] > 2], [row for row in found[3][key] if row[0] > 2], key)
        elif key not in ("pid", "status"):
            check_equal(found[1][key], found[3][key], key)
    check_equal(world.status_of(found[1]), world.status_of(found[3]), "status")


@case("a caller that says the shim's own word is not believed, and lazaret-prepare by hand does nothing")
def word():
    host()
    check_equal(Caller().call(SHIM, "--lazaret-prepared=16", "kill", "one").code, 0, "kill")
    check_equal(records()[0]["words"][1:], ["kill", "one"], "the runtime's words")
    folder = bundle()
    result = Caller().call(SHIM, "--lazaret-prepared=16", "--root", "/run/prepared", "create", "--bundle", folder, "one")
    refused(result, "system-error", "is never what the files say")
    result = Caller().call(PROGRAMS / "lazaret-prepare", "x")
    check_equal(result.code, 1, "by hand")
    check("is started by lazaret-shim alone" in result.err, result.err)


if __name__ == "__main__":
    laz.main()
