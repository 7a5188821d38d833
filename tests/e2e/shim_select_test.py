# SPDX-License-Identifier: Apache-2.0
"""Which policy a container gets: the host's file selects, and who made the container or its image may name a stricter one, never a laxer one.

The runtime is a stand-in: what was chosen is in the host's record of the container, in the mount of the policy, and in the ledger. The control of
each refusal is the row in which the same place names a policy that is stricter.
"""
import functools
import hashlib
import itertools
import json
import os
import pathlib
import shutil

import area
import laz
import rootfs
import shim_world as world
from laz import case, check, check_equal
from shim_world import SHIM, configure

POLICY = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text().replace("/app, ", "")
LEDGER = world.OPT / "audit" / "host.jsonl"
POLICIES = {
    "host": POLICY,
    "wide": POLICY.replace("write: [/tmp]", "write: [/tmp, /srv]"),
    "narrow": POLICY.replace("write: [/tmp]", "write: []"),
    "narrower": POLICY.replace("write: [/tmp]", "write: []").replace("read: [/etc, /proc]", "read: [/etc]"),
    "other": POLICY.replace("read: [/etc, /proc]", "read: [/etc]"),
}
WHO = {"annotation": "annotation io.lazaret.policy", "variable": "LAZARET_POLICY", "file": "/etc/lazaret/policy.name of the image"}
_numbers = itertools.count()


def prepare(policy="host", more=""):
    """The host with its policies, and no container."""
    area.require_program("runc")
    world.host()
    world.install(**POLICIES)
    configure(f"version: 1\nruntime: {world.RUNTIME}\ndefault-policy: {policy}\naudit: {{file: {LEDGER}}}\n{more}")
    world.records()
    LEDGER.unlink(missing_ok=True)
    for path in pathlib.Path("/run").glob("lazaret/*/*.json"):
        path.unlink()


@functools.cache
def root():
    """One for all: whoever changes it puts it right."""
    return rootfs.busybox_root("root-select")


def name_file():
    """The file of the image, absent."""
    path = root() / "etc" / "lazaret" / "policy.name"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return path


def bundle(annotation=None, variable=None, file=None):
    """A new bundle, which names policies in these places."""
    folder = area.folder(f"select-{next(_numbers)}")
    area.run(["runc", "spec", "--bundle", folder])
    config = json.loads((folder / "config.json").read_text())
    config["process"].update(terminal=False, args=["true"])
    config["root"] = {"path": str(root()), "readonly": False}
    if annotation is not None:
        config["annotations"] = {"io.lazaret.policy": annotation}
    if variable is not None:
        config["process"]["env"].append(f"LAZARET_POLICY={variable}")
    if file is not None:
        name_file().write_bytes(file if isinstance(file, bytes) else file.encode())
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def create(folder, program=SHIM, verb="create"):
    """The result, and which policy the container has; None: it has no record, and the runtime was not called."""
    result = area.run([program, "--root", "/run/test", verb, "--bundle", folder, "one"], env={"PATH": area.PATH})
    laz.check_no_report(result.err)
    found = list(pathlib.Path("/run/lazaret").glob("*/one.json"))
    check_equal((len(found), len(world.records())), (1, 1) if result.code == 0 else (0, 0), f"a record, and the runtime called: {result}")
    if not found:
        return result, None
    record = json.loads(found[0].read_text())
    found[0].unlink()
    mounts = {m["destination"]: m["source"] for m in json.loads((folder / "config.json").read_text())["mounts"]}
    if record["policy"] != "pass-through":
        check(record["policy-digest"] in mounts["/.lazaret-policy"], f"the mount: {mounts}")
    return result, record["policy"]


# annotation, variable, file; what is chosen
CHOSEN = [
    (None, None, None, "host"),
    ("narrow", None, None, "narrow"), (None, "narrow", None, "narrow"), (None, None, "narrow\n", "narrow"), (None, None, "narrow", "narrow"),
    ("host", "host", "host", "host"), ("host", None, "narrow", "narrow"), ("narrow", "host", "host", "narrow"),
    ("narrow", "narrower", None, "narrower"), ("narrower", "narrow", None, "narrower"), (None, "narrower", "narrow", "narrower"),
    ("narrow", None, "narrower", "narrower"), ("other", "narrower", "narrow", "narrower"), ("narrower", "other", "narrow", "narrower"),
    (None, "/etc/lazaret/policy.yaml", None, "host"), (None, "/etc/lazaret/policy.yaml", "narrow", "narrow"),
]
# which place; what it names; the error; what it says
REFUSED = [
    ("wide", "policy-widened", "policy wide allows what host does not: filesystem.write /srv"),
    ("nobody", "host-absent", "/etc/lazaret/policies.d/nobody.yaml"),
    ("pass-through", "policy-invalid", '"pass-through" is no policy, and only runtime.yaml may say it'),
    ("../policies.d/narrow", "policy-invalid", "the name of a policy"),
    ("a name", "policy-invalid", "the name of a policy"),
    ("x" * 64, "policy-invalid", "the name of a policy"),
    ("x" * 4000, "request-refused", "no name of a policy"),
    ("", "request-refused", "no name of a policy"),
]


@case("an annotation, LAZARET_POLICY and the image's policy.name: of the host's selection and of all that are named the strictest is taken, in whichever order")
def chosen():
    prepare()
    for annotation, variable, file, expected in CHOSEN:
        shutil.rmtree(world.PREPARED, ignore_errors=True)  # lazaret-prepare is asked for each of the files
        name_file()
        LEDGER.unlink(missing_ok=True)
        row = f"{annotation}, {variable}, {file}"
        folder = bundle(annotation, variable, file)
        result, policy = create(folder)
        check_equal((result.code, result.err, policy), (0, "", expected), row)
        env = json.loads((folder / "config.json").read_text())["process"]["env"]
        check(not [entry for entry in env if entry.startswith("LAZARET_")], f"{row}: {env}")
        records = [json.loads(line) for line in LEDGER.read_text().splitlines()] if LEDGER.exists() else []
        check_equal([(r["ev"], r["act"], r["sev"], r["ctr"], r["d"]["selected"]) for r in records],
                    [("shim.create", "tighten", 1, expected, "host")] if expected != "host" else [], f"{row}: records")
        names = [who for who, word in zip(WHO.values(), (annotation, variable, file)) if word is not None and not word.startswith("/")]
        check(not records or records[0]["d"]["by"] == names, f"{row}: {records}")
    name_file()


@case("what is named and laxer than the host's selection, absent, or no name is refused by the place that names it; so are two of which neither is the stricter")
def refused():
    prepare()
    for named, kind, text in REFUSED:
        for place, who in WHO.items():
            name_file()
            result, _ = create(bundle(**{place: named}))
            what = f"{place}: {named[:80]!r}: {result}"
            check_equal(result.code, 1, what)
            check(result.err.startswith(f"lazaret: {kind}: {who}: ") and text in result.err, what)
    name_file()
    world.install(host=POLICY + "\nno: key\n")
    result, _ = create(bundle())
    check(result.code == 1 and result.err.startswith("lazaret: policy-invalid: /etc/lazaret/policies.d/host.yaml:"), f"the control, where nobody names one: {result}")
    prepare()
    for words in ({"annotation": "narrow", "variable": "other"}, {"variable": "other", "file": "narrow"}, {"annotation": "other", "file": "narrow"}):
        name_file()
        result, _ = create(bundle(**words))
        check(result.code == 1 and "lazaret: request-refused: " in result.err and "each allows what the other does not" in result.err, f"{words}: {result}")
    name_file()


@case("a policy.name that is a fifo, a device, a folder, huge, of two lines, or leads out of the image is refused without being waited for; a link inside it leads there")
def hostile():
    prepare()
    outside = world.OPT / "outside"
    outside.write_text("narrow\n")
    rows = {
        "a fifo": (os.mkfifo, "no regular file"),
        "a device": (lambda path: os.mknod(path, 0o020666, os.makedev(1, 5)), "no regular file"),
        "a folder": (lambda path: path.mkdir(), "no regular file"),
        "huge": (lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 40), "no name of a policy in one line"),
        "empty": (lambda path: path.write_bytes(b""), "no name of a policy in one line"),
        "two lines": (lambda path: path.write_text("narrow\nwide\n"), "the name of a policy"),
        "a NUL": (lambda path: path.write_bytes(b"narrow\0x\n"), "no name of a policy in one line"),
        "itself": (lambda path: path.symlink_to("policy.name"), "ELOOP"),
    }
    for name, (make, text) in rows.items():
        folder = bundle()
        path = name_file()
        make(path)
        result, _ = create(folder)
        check(result.code == 1 and f"{WHO['file']}: " in result.err and text in result.err, f"{name}: {result}")
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    for target in (outside, f"../../../../../../../..{outside}", "/proc/self/root/opt/outside", "/proc/1/root/opt/outside"):
        folder = bundle()
        name_file().symlink_to(target)
        check_equal(create(folder)[1], "host", f"a link to {target}: the image has nothing there")
    (root() / "opt").mkdir(exist_ok=True)
    (root() / "opt" / "outside").write_text("narrower\n")
    for target in (outside, f"../../../../../../../..{outside}"):
        folder = bundle()
        name_file().symlink_to(target)
        check_equal(create(folder)[1], "narrower", f"a link to {target}: the image's own file")
    (root() / "opt" / "outside").unlink()
    name_file()
    area.run(["mount", "-t", "proc", "proc", root() / "proc"])
    folder = bundle()
    name_file().symlink_to("/proc/version")
    result, _ = create(folder)
    area.run(["umount", root() / "proc"])
    check(result.code == 1 and f"{WHO['file']}: EXDEV" in result.err, f"a /proc in the image: {result}")
    name_file()


@case("by a second name of the runtime, which the administrator registers, a container runs without a policy; nothing that the container or its image says selects that name, or undoes it")
def off():
    prepare(more="select: [{runtime-name: lazaret-off, policy: pass-through}]\n")
    program = world.OPT / "lazaret-off"
    program.unlink(missing_ok=True)
    program.symlink_to(SHIM)
    folder = bundle("narrow", "narrow", "narrow")
    text = (folder / "config.json").read_text()
    result, policy = create(folder, program)
    check_equal((result.code, policy, (folder / "config.json").read_text() == text), (0, "pass-through", True), "by the second name")
    check_equal(create(folder)[1], "narrow", "the control: by the first")
    name_file()
    for words in ({"annotation": "lazaret-off"}, {"variable": "lazaret-off"}, {"file": "lazaret-off"}, {"annotation": "pass-through"}):
        name_file()
        check_equal(create(bundle(**words))[0].code, 1, f"{words}")
    name_file()


@case("restore is refused; with host.checkpoint: allow the container is judged and rewritten as any other, its processes are not, and the ledger says so")
def restored():
    prepare()
    folder = bundle()
    before = (folder / "config.json").read_text()
    result, _ = create(folder, verb="restore")
    check(result.code == 1 and "(host.checkpoint: refuse)" in result.err and (folder / "config.json").read_text() == before, f"{result}")
    world.install(host=POLICY + "\nhost: {checkpoint: allow}\n")
    LEDGER.unlink()
    result, policy = create(folder, verb="restore")
    check_equal((result.code, policy), (0, "host"), f"allowed: {result}")
    config = json.loads((folder / "config.json").read_text())
    check_equal(config["process"]["args"][0], "/.lazaret/lazaret-init", "rewritten")
    records = [json.loads(line) for line in LEDGER.read_text().splitlines()]
    check_equal([(r["ev"], r["act"], r["sev"], r["ctr"], r["d"]["verb"]) for r in records], [("shim.create", "restore", 5, "host", "restore")], "records")
    config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "pid"]
    (folder / "config.json").write_text(json.dumps(config))
    result, _ = create(folder, verb="restore")
    check(result.code == 1 and "(host.namespaces)" in result.err, f"judged: {result}")


# ---- An image's own lazaret-init -------------------------------------------------------------------------

OWN = "/usr/libexec/lazaret/lazaret-init"
FRONT = ["/.lazaret/lazaret-init", "--policy", "/.lazaret-policy", "--policy-sha256", "its digest", "--"]
# process.args; what of them is run
REPLACED = [
    ([OWN, "--", "app", "--policy", "x"], ["app", "--policy", "x"]), ([OWN, "app"], ["app"]), ([OWN, "--policy", "/p.yaml", "--", "app"], ["app"]),
    ([OWN, "--policy=/p.yaml", "--events", "2", "--policy-sha256=00", "app", "--"], ["app", "--"]), ([OWN, "--events=/x", "--", "--", "app"], ["--", "app"]),
    (["app", OWN, "--"], ["app", OWN, "--"]), (["/bin/my-lazaret-init", "--", "app"], ["/bin/my-lazaret-init", "--", "app"]),
    (["/linked/lazaret-init", "--", "app"], ["app"]), (["/sbin/docker-init", "--", OWN, "--", "app"], ["app"]), (["/sbin/docker-init", "--", "app"], ["app"]),
    (["/dev/init", "--", OWN, "--", "app"], ["/dev/init", "--", OWN, "--", "app"]), (["/sbin/docker-init", "app"], ["/sbin/docker-init", "app"]),
]
NOT_REPLACED = [
    (["lazaret-init", "--", "app"], "it is not named by an absolute path"), (["./lazaret-init", "app"], "it is not named by an absolute path"),
    (["/nowhere/lazaret-init", "app"], "the image has no file of that name"), (["/folder/lazaret-init", "app"], "/folder/lazaret-init of the image (image-init): no regular file"),
    (["/out/lazaret-init", "app"], "the image has no file of that name"), (["/huge/lazaret-init", "app"], "is too large"),
    (["/other/lazaret-init", "app"], "is another one than this host's, with SHA-256 " + hashlib.sha256(b"another\n").hexdigest() + " (known-inits)"),
    ([OWN, "--version"], "it has an option that is not"), ([OWN, "--enter", "--", "app"], "it has an option that is not"), ([OWN, "-p", "x"], "it has an option that is not"),
    ([OWN, "--policyx=1", "app"], "it has an option that is not"), ([OWN, "--policy"], "it has an option that is not"), ([OWN, "probe", "live"], "it is not asked to run a command"),
    ([OWN], "a container without a command"), ([OWN, "--"], "a container without a command"), ([OWN, "--policy", "x"], "a container without a command"),
    (["/sbin/docker-init", "--"], "a container without a command"),
]


def own(args, mounts=()):
    """A bundle whose image has inits of its own, with this command."""
    files = root()
    for name in ("usr/libexec/lazaret", "other", "folder/lazaret-init", "linked", "out", "huge"):
        (files / name).mkdir(parents=True, exist_ok=True)
    if not (files / OWN[1:]).exists():
        shutil.copy(area.program("lazaret-init"), files / OWN[1:])
        (files / "other" / "lazaret-init").write_text("another\n")
        (files / "linked" / "lazaret-init").symlink_to(OWN)
        (files / "out" / "lazaret-init").symlink_to(f"/opt/{LEDGER.name}")
        os.truncate(os.open(files / "huge" / "lazaret-init", os.O_CREAT | os.O_WRONLY), 1 << 40)
    folder = bundle()
    config = json.loads((folder / "config.json").read_text())
    config["process"]["args"] = args
    config["mounts"] += [{"destination": place, "type": "bind", "source": "/opt/init", "options": ["ro"]} for place in mounts]
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def args_of(folder):
    """With "its digest" where that of the policy is that is mounted."""
    config = json.loads((folder / "config.json").read_text())
    digests = [hashlib.sha256(pathlib.Path(m["source"]).read_bytes()).hexdigest() for m in config["mounts"] if m["destination"] == "/.lazaret-policy"]
    return ["its digest" if word in digests else word for word in config["process"]["args"]]


@case("an image whose command is a lazaret-init of its own is refused, however it is named; pass-through leaves it as it is")
def own_init():
    name_file()
    for args in ([OWN, "--", "app"], ["lazaret-init", "app"], ["/x/lazaret-init"], ["/sbin/docker-init", "--", OWN, "--", "app"]):
        prepare()
        folder = own(args, ["/sbin/docker-init"])
        result, _ = create(folder)
        check(result.code == 1 and "the image brings its own lazaret-init, and this host its own: let it be replaced" in result.err, f"{args}: {result}")
        check_equal(args_of(folder), args, "the file")
        prepare("pass-through", more="select: [{cgroups-path: /nowhere, policy: host}]\n")
        check_equal((create(folder)[1], args_of(folder)), ("pass-through", args), f"{args}")


@case("image-init: replace: the host's init takes the place of the image's and of its options, if that is byte for byte one that is known; the ledger says so")
def replaced():
    name_file()
    prepare(more="image-init: replace\n")
    for args, left in REPLACED:
        folder = own(args, ["/sbin/docker-init"])
        LEDGER.unlink(missing_ok=True)
        result, policy = create(folder)
        check_equal((result.code, policy, args_of(folder)), (0, "host", FRONT + left), f"{args}: {result.err}")
        found = [json.loads(line)["d"].get("own_init_replaced") for line in LEDGER.read_text().splitlines()] if LEDGER.exists() else []
        is_own = any(word.endswith("/lazaret-init") for word in args[:len(args) - len(left)])
        check_equal(found, [True] if is_own else [], f"{args}: records")
        before = (folder / "config.json").read_text()
        check_equal((create(folder)[1], (folder / "config.json").read_text()), ("host", before), f"{args}: a second pass")
    for place in ("/dev/init", "/run/podman-init"):  # podman's
        folder = own([place, "--", OWN, "--", "app"], [place])
        check_equal((create(folder)[1], args_of(folder)), ("host", FRONT + ["app"]), place)
    for args, text in NOT_REPLACED:
        folder = own(args, ["/sbin/docker-init"])
        result, _ = create(folder)
        check(result.code == 1 and "lazaret: request-refused: " in result.err and text in result.err, f"{args}: {result}")
        check_equal(args_of(folder), args, f"{args}: the file")
    digest = hashlib.sha256(b"another\n").hexdigest()
    prepare(more=f"image-init: replace\nknown-inits: ['{64 * '0'}', {digest}]\n")
    folder = own(["/other/lazaret-init", "app"])
    result, policy = create(folder)
    check_equal((policy, args_of(folder)), ("host", FRONT + ["app"]), f"known-inits: {result}")
    prepare(more=f"known-inits: [{digest}]\n")
    check_equal(create(own(["/other/lazaret-init", "app"]))[0].code, 1, "known, and not to be replaced")


if __name__ == "__main__":
    laz.main()
