# SPDX-License-Identifier: Apache-2.0
"""Hostile process.json files and names of containers in front of lazaret-shim: each exec is refused by name, or the runtime,
which is a stand-in, gets a copy that is confined. Nothing is made outside of the shim's own folder.
"""
import json
import os
import pathlib
import shutil

import area
import laz
import rootfs
import shim_world as world
from laz import case, check, check_equal
from shim_world import OPT, RUNTIME, SHIM, configure

POLICY = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text().replace("/app, ", "")
RUNTIME_YAML = f"version: 1\nruntime: {RUNTIME}\ndefault-policy: shell\naudit: {{file: {OPT}/audit/host.jsonl}}\n"
ALLOWED = {"CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID"}
KINDS = ("bounding", "effective", "permitted", "inheritable", "ambient")
INIT = "/.lazaret/lazaret-init"
BASE = {"args": ["/bin/true"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin"]}
PASSED = "passed"


def prepare():
    """A host, and a bundle on it."""
    world.host()
    world.install(shell=POLICY)
    configure(RUNTIME_YAML)
    folder = area.folder(f"bundle-{len(list(area.root().iterdir()))}")
    area.run(["runc", "spec", "--bundle", folder])
    config = json.loads((folder / "config.json").read_text())
    config["process"]["args"] = ["/bin/true"]
    config["root"] = {"path": str(rootfs.put_folder(folder, "rootfs")), "readonly": False}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def shim(*words):
    return area.run([SHIM, "--root", "/run/test", *words], env={"PATH": area.PATH})


def said(**changes):
    return json.dumps({**BASE, **changes})


def link(path):
    path.with_name("other").write_text(said())
    path.symlink_to(path.with_name("other"))


# what process.json is, and what comes of it: the name of a refusal and words of it, or PASSED and what to look at
ROWS = [
    ("as engines write it", said(), PASSED),
    ("all capabilities", said(capabilities={kind: ["CAP_SYS_ADMIN", *sorted(ALLOWED)] for kind in KINDS}), PASSED),
    ("capabilities that are not said", said(), PASSED),
    ("no_new_privs is off", said(noNewPrivileges=False), PASSED),
    ("variables that load code", said(env=["LD_PRELOAD=/x", "LD_AUDIT=/x", "GCONV_PATH=/x", "LAZARET_EVENTS=/x", "PATH=/bin"]), PASSED),
    ("variables by escapes", said(env=["LD_PRELOAD=/x"]).replace("LD_PRELOAD", "LD_PREL\\u004fAD"), PASSED),
    ("the words of lazaret-init, with another policy", said(args=[INIT, "--policy", "/tmp/p", "--", "/bin/sh"]), PASSED),
    ("an engine's init", said(args=["/sbin/docker-init", "--", "/bin/sh"]), PASSED),
    ("a folder that is a descriptor", said(cwd="/proc/self/fd/7"), PASSED),
    ("limits", said(rlimits=[{"type": "RLIMIT_CORE", "hard": 18446744073709551615, "soft": 18446744073709551615}]), PASSED),
    ("a link", link, PASSED),
    ("no command, which lazaret-init refuses", said(args=[]), PASSED),
    ("a command that is no list", said(args="/bin/sh"), "oci-refused", "args"),
    ("a command with a NUL", said(args=["/bin/true\0x"]), "oci-refused", "NUL"),
    ("a user of more than 32 bits", said(user={"uid": 1 << 32, "gid": 0}), "oci-refused", "user.uid"),
    ("a key twice", said()[:-1] + ', "args": ["/bin/sh"]}', "oci-refused", "a key twice"),
    ("a key in another case", said()[:-1] + ', "Args": ["/bin/sh"]}', "oci-refused", "Args"),
    ("a key with a long s", said()[:-1] + ', "arg\u017f": ["/bin/sh"]}', "oci-refused", ""),
    ("a whole config.json", json.dumps({"ociVersion": "1.0.2", "process": BASE}), "oci-refused", "process.args"),
    ("a list", "[]", "oci-refused", "not an object"),
    ("nothing", "", "oci-refused", "not JSON"),
    ("half of it", said()[:-9], "oci-refused", "not JSON"),
    ("two of them", said() * 2, "oci-refused", "not JSON"),
    ("5 MiB", said() + " " * (5 << 20), "oci-refused", "more than 4194304 bytes"),
    ("nested 10,000 times", said()[:-1] + ',"x":' + "[" * 10000 + "]" * 10000 + "}", "oci-refused", "deep"),
    ("a folder", lambda path: path.mkdir(), "oci-refused", "Is a directory"),
    ("a device without an end", lambda path: os.mknod(path, 0o20644, os.makedev(1, 5)), "oci-refused", "more than 4194304 bytes"),
    ("nothing there", lambda path: None, "oci-refused", ""),
]


def check_confined(process, what):
    check_equal((process["args"][0], process["noNewPrivileges"]), (INIT, True), what)
    check("--" in process["args"] and "/.lazaret-policy" in process["args"][:process["args"].index("--")], f"{what}: {process['args']}")
    for kind, names in process.get("capabilities", {}).items():
        check(set(names) == (ALLOWED if what == "all capabilities" else set()), f"{what}: {kind}: {names}")  # of what was asked for
    check_equal([v for v in process["env"] if v.startswith(("LD_", "GCONV", "LAZARET_"))], [], f"{what}: variables")
    for limit in process.get("rlimits", []):
        check(limit["type"] != "RLIMIT_CORE" or limit["hard"] == 0, f"{what}: {limit}")


@case("process.json: whatever it is, the runtime gets a confined copy, or nothing")
def processes():
    folder = prepare()
    check_equal(shim("create", "--bundle", folder, "one").code, 0, "create")
    world.records()
    wrong = []
    for number, (what, made, expected, *words) in enumerate(ROWS):
        path = area.folder(f"process-{number}") / "process"
        if callable(made):
            made(path)
        else:
            path.write_text(made)
        try:
            result = shim("exec", "--process", path, "one")
            if expected != PASSED:
                world.refused(result, expected, *words)
                continue
            check_equal((result.code, result.err), (0, ""), what)
            (record,) = world.records()
            check_confined(json.loads(record["process"]), what)
        except laz.Failed as why:
            wrong.append(f"{what}: {why}")
    check(not wrong, "\n".join(wrong))
    print(f"     {len(ROWS)} rows")


@case("a process.json that asks for more changes than there is room for is refused, whatever the policy makes of an exec: none is half done")
def room():
    folder = prepare()
    path = folder / "process"
    rows = [("capabilities", {"capabilities": {"bounding": ["CAP_X"] * 3000}}), ("variables", {"env": ["LD_PRELOAD=/x"] * 3000}),
            ("variables of ours", {"env": ["LAZARET_X=/x"] * 3000})]
    for host, ident, mode in (("", "one", "confined"), ("exec: allow", "one", "allow"), ("", "unknown", "clamped")):
        world.install(shell=POLICY + f"\nhost: {{{host}}}\n")
        configure(RUNTIME_YAML + "unknown-container: clamp-default\n")
        check_equal(shim("create", "--bundle", folder, "one").code, 0, "create")
        world.records()
        for what, changes in rows:
            told = f"{what}, {mode}"
            few = {key: value[:9] if isinstance(value, list) else {k: v[:9] for k, v in value.items()} for key, value in changes.items()}
            path.write_text(said(user={"uid": rootfs.APP_UID, "gid": rootfs.APP_UID}, **few))
            check_equal(shim("exec", "--process", path, ident).code, 0, f"{told}: the control")
            left = json.loads(world.records()[0]["process"])
            check_equal((left["env"], left["capabilities"]["bounding"]), ([] if "env" in few else BASE["env"], []), f"{told}: the control")
            path.write_text(said(user={"uid": rootfs.APP_UID, "gid": rootfs.APP_UID}, **changes))
            world.refused(shim("exec", "--process", path, ident), "oci-refused", "more than 2048 edits")
        shutil.rmtree("/run/lazaret")


@case("process.json by each form of its option: the runtime gets the copy, in the same form")
def forms():
    folder = prepare()
    check_equal(shim("create", "--bundle", folder, "one").code, 0, "create")
    world.records()
    path = folder / "process"
    path.write_text(said())
    for before, joined in ((["--process"], ""), (["-p"], ""), ([], "--process="), (["--detach", "-p"], "")):
        result = shim("exec", *before, f"{joined}{path}", "one")
        check_equal(result.code, 0, f"{before}, {joined}: {result}")
        (record,) = world.records()
        word = record["words"][-2]
        check_equal(record["words"][1:-2], ["--root", "/run/test", "exec", *before], "what is in front of it")
        check(word.startswith(f"{joined}/run/lazaret/") and ".exec-" in word, f"{before}, {joined}: {word}")
        check_confined(json.loads(pathlib.Path(word.removeprefix(joined)).read_text()), word)


@case("records in a folder that others may write are none: create, exec and update are refused by name, also where an unknown container may be entered")
def unsafe():
    folder = prepare()
    configure(RUNTIME_YAML + "unknown-container: clamp-default\n")
    path = folder / "process"
    path.write_text(said())
    check_equal(shim("create", "--bundle", folder, "one").code, 0, "create")
    world.records()
    (records,) = {path.parent for path in pathlib.Path("/run/lazaret").glob("*/one.json")}
    calls = (["create", "--bundle", folder, "two"], ["exec", "--process", path, "one"], ["exec", "--process", path, "unknown"], ["update", "one"], ["update", "unknown"])
    for place, kind, text in ((records.parent, "host-unsafe", "not root's alone"), (records, "oci-state-refused", "others could write there")):
        place.chmod(0o777)
        for words in calls:
            world.refused(shim(*words), kind, text)
        place.chmod(0o755)
    for words in calls:
        check_equal(shim(*words).code, 0, f"the control: {words}")
    world.records()


@case("a name that is no plain name of a container is refused, and makes no file anywhere")
def names():
    folder = prepare()
    process = folder / "process"
    process.write_text(said())
    before = set(pathlib.Path("/opt").rglob("*"))
    shutil.rmtree("/run/lazaret", ignore_errors=True)
    for name in ("../../../opt/evil", "../evil", "a/b", ".", "..", "", "a\nb", "a b", "\u00e9", ".exec-1", "x" * 300):
        for words in (("create", "--bundle", folder), ("run", "--bundle", folder), ("exec", "--process", process)):
            world.refused(shim(*words, name), "oci-state-refused", "not the name of a container")
    made = set(pathlib.Path("/opt").rglob("*")) - before
    check(not [path for path in made if "audit" not in str(path)], f"made: {made}")
    check_equal([str(p) for p in pathlib.Path("/run/lazaret").glob("*/*") if p.parent.name not in ("images", "prepared")], [], "records")
    for name in ("images", "one.exec-5", "one.json", "a.b-c_d"):
        check_equal(shim("create", "--bundle", folder, name).code, 0, f"the control, {name}")
    check_equal(len(world.records()), 4, "calls of the runtime")


if __name__ == "__main__":
    laz.main()
