# SPDX-License-Identifier: Apache-2.0
"""Which files lazaret-init takes its policy from: links, owners, modes, and what a pin changes about them; and what
it answers without one.

Folders are laid out as Kubernetes mounts a config map: policy.yaml -> ..data/policy.yaml, ..data -> ..1.
"""
import hashlib
import json
import os
import re
import subprocess
import tempfile

import fence
import laz
from laz import case, check, check_equal

INIT, LAZARET = laz.BIN / "lazaret-init", laz.BIN / "lazaret"
POLICY = """\
version: 1
name: linked
extends: [base.yaml]
workload: {user: "10001:10001"}
filesystem: {read-exec: [/]}
"""
BASE = "version: 1\nextends: [builtin/web-api]\n"
NO_PIN = "0" * 64
CHECKED, SOURCES = 48, 52  # of a compiled policy: what its own digest is of, and the digest of its sources


def folder(name):
    """A config map's volume; its files are links."""
    top = fence.scratch() / name
    (top / "..1").mkdir(parents=True)
    (top / "..data").symlink_to("..1")
    for file, text in (("policy.yaml", POLICY), ("base.yaml", BASE)):
        (top / "..1" / file).write_text(text)
        (top / file).symlink_to(f"..data/{file}")
    lazaret("compile", top / "policy.yaml", "-o", top / "..1" / "policy.img")
    (top / "policy.img").symlink_to("..data/policy.img")
    return top


def lazaret(*words):
    done = subprocess.run([LAZARET, "policy", *words, "--json"], capture_output=True, text=True, check=False)
    check_equal(done.returncode, 0, f"{words}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def start(policy, pin=None):
    """Exit code and stderr without events."""
    words = ["--policy", str(policy), *(["--policy-sha256", pin] if pin else []), "--", "/bin/true"]
    with fence.Run([str(INIT), *words]) as run:
        code = run.wait().code
        return code, "\n".join(line for line in run.stderr().splitlines() if not line.startswith("{"))


def refused(policy, error, message, pin=None):
    code, said = start(policy, pin)
    check_equal(code, 101, f"exit code of {policy}: {said}")
    check(f"lazaret-init: error: {error}: {message}" in said, f"{policy}: {said}")
    return said


@case("without a pin, a link is refused, and the error says where it leads and what to do")
def link_unpinned():
    top = folder("unpinned")
    for file in ("policy.yaml", "policy.img"):
        said = refused(top / file, "policy-unsafe", f"{top / file}: is a link (to ..data/{file}) and not pinned")
        check("Name the file that the link leads to" in said, said)
    check_equal(start(top / "..data" / "policy.img"), (0, ""), "the file that the link leads to")
    check_equal(start(top / "..data" / "policy.yaml"), (0, ""), "the YAML that the link leads to")
    (top / "..1" / "base.yaml").unlink()
    (top / "..1" / "base.yaml").symlink_to("../base.yaml")
    said = refused(top / "..data" / "policy.yaml", "policy-unsafe", "")
    check(f"extends[0]: {top}/..data/base.yaml is a link" in said, said)


@case("a pin vouches for what a link leads to: YAML with its parents, and an image; a wrong pin does not")
def link_pinned():
    top = folder("pinned")
    pins = lazaret("check", top / "policy.yaml")["policies"][0]["digest"]
    for file in ("policy.yaml", "policy.img"):
        check_equal(start(top / file, pins), (0, ""), file)
        refused(top / file, "policy-pin-mismatch", "", NO_PIN)


@case("a pinned link may lead to another folder, whoever owns what is there")
def link_far():
    top, far = folder("near"), fence.scratch() / "far"
    far.mkdir()
    text = POLICY.replace("base.yaml", "builtin/web-api")
    (far / "one.yaml").write_text(text)
    os.chown(far / "one.yaml", 10001, 10001)
    (top / "far.yaml").symlink_to(far / "one.yaml")
    check_equal(start(top / "far.yaml", lazaret("check", top / "far.yaml")["policies"][0]["digest"]), (0, ""), "far")
    refused(far / "one.yaml", "policy-unsafe", f"{far / 'one.yaml'}: owned by user 10001, not by root")


@case("a parent may be a link within the policy's directory; out of it, the error says where it leads and what is read")
def parent_far():
    top, far = folder("parent"), fence.scratch() / "parents-of-all"
    far.mkdir()
    (far / "base.yaml").write_text(BASE)
    pin = lazaret("check", top / "policy.yaml")["policies"][0]["digest"]
    check_equal(start(top / "policy.yaml", pin), (0, ""), "a link within the directory")
    (top / "base.yaml").unlink()
    (top / "base.yaml").symlink_to(far / "base.yaml")
    if not has_landlock():
        laz.skip("without Landlock everything can be read")
    refused(top / "policy.yaml", "policy-invalid", f"{top / 'policy.yaml'}:3:11: extends[0]: {top / 'base.yaml'} is a link to "
            f"{far / 'base.yaml'}, which cannot be read: lazaret-setup has no capabilities, and reads no file outside of "
            "the policy's directory", pin)


def has_landlock():
    seen = json.loads(subprocess.run([LAZARET, "doctor", "--json"], capture_output=True, check=False).stdout)
    return next(c["state"] for c in seen["checks"] if c["name"] == "landlock") == "yes"


@case("a link that leads nowhere, or round and round, is policy-absent under a pin")
def link_broken():
    top = folder("broken")
    (top / "nowhere.yaml").symlink_to("absent")
    (top / "round.yaml").symlink_to("round.yaml")
    refused(top / "nowhere.yaml", "policy-absent", f"{top / 'nowhere.yaml'}: No such file or directory", NO_PIN)
    refused(top / "round.yaml", "policy-absent", f"{top / 'round.yaml'}: Symbolic link loop", NO_PIN)


@case("a file that others can write is refused without a pin; with it YAML is taken by its digest, and a compiled policy by the hash of its file alone")
def writable():
    top = folder("writable")
    pin = lazaret("check", top / "policy.yaml")["policies"][0]["digest"]
    image = top / "..1" / "policy.img"
    whole = hashlib.sha256(image.read_bytes()).hexdigest()
    for real, others in ((top / "..1" / "policy.yaml", lambda path: path.chmod(0o664)), (image, lambda path: path.chmod(0o646)),
                         (image, lambda path: (path.chmod(0o644), os.chown(path, 10001, 0)))):
        check_equal(start(real, pin), (0, ""), f"{real}: the control: root's, under the digest of its sources")
        others(real)
        refused(real, "policy-unsafe", f"{real}: ")
        if real == image:
            check_equal(start(real, whole), (0, ""), "under the hash of the file")
            refused(real, "policy-pin-mismatch", f"{real}: a compiled policy that is not root's alone is pinned by the hash of its file", pin)
        else:
            check_equal(start(real, pin), (0, ""), "YAML under its digest")
        real.chmod(0o644)
        os.chown(real, 0, 0)


@case("a compiled policy that is forged to be of other sources passes for root's word, as nobody else's")
def forged():
    top = folder("forged")
    pin = hashlib.sha256(b"another policy").digest()
    block = bytearray((top / "..1" / "policy.img").read_bytes())
    block[SOURCES:SOURCES + 32] = pin
    block[CHECKED - 32:CHECKED] = hashlib.sha256(block[CHECKED:]).digest()
    image = top / "image"
    image.write_bytes(block)
    check_equal(start(image, pin.hex()), (0, ""), "the control: where root has put it")
    os.chown(image, 10001, 0)
    refused(image, "policy-pin-mismatch", f"{image}: a compiled policy that is not root's alone", pin.hex())


@case("what is no file is refused, and does not hold init up")
def no_file():
    fifo = fence.scratch() / "fifo.yaml"
    os.mkfifo(fifo)
    for path in (fifo, fence.scratch(), "/dev/null"):
        refused(path, "policy-unsafe", f"{path}: not a regular file")
        refused(path, "policy-unsafe", f"{path}: not a regular file", NO_PIN)


@case("a path that the image lacks: nothing starts, and the error names it and filesystem.optional; there it may be missing")
def missing_path():
    path = fence.scratch() / "missing.yaml"
    text = POLICY.replace("base.yaml", "builtin/web-api").replace("[/]}", "[/], read: [/no/such/folder]}")
    path.write_text(text)
    code, said = start(path)
    check_equal(code, 102, f"exit code: {said}")
    check("at /no/such/folder: No such file or directory (filesystem.optional is for paths that may be missing)\n" in said,
          said)
    path.write_text(text.replace("]}", "], optional: [/no/such/folder]}"))
    check_equal(start(path), (0, ""), "optional")


@case("a link that an earlier run left where it may write: nothing starts, and the error names the rule; a folder there is one")
def planted_link():
    data = fence.scratch() / "planted"
    (data / "plugins").mkdir(parents=True)
    path = fence.scratch() / "planted.yaml"
    path.write_text(POLICY.replace("base.yaml", "builtin/web-api").replace("[/]}", f"[/bin, /lib, /lib64, /usr, {data}/plugins], "
                                                                           f"write: [{data}], optional: [/lib64], read: [/proc]}}"))
    check_equal(start(path), (0, ""), "a folder")
    (data / "plugins").rmdir()
    (data / "plugins").symlink_to("/etc")
    code, said = start(path)
    check_equal(code, 102, f"exit code: {said}")
    check(f'enforcement-failed: step "build the Landlock rules" at {data}/plugins: ' in said and
          "(a part of it is a link, of /proc or where the workload may write: name what is meant)\n" in said, said)


@case("a policy whose own tests fail, or that makes too large a filter, starts nothing")
def not_to_be_built():
    text = POLICY.replace("base.yaml", "builtin/web-api")
    wrong = fence.scratch() / "wrong.yaml"
    wrong.write_text(text + "tests: [{call: socket, args: {domain: AF_VSOCK}, expect: allow}]\n")
    refused(wrong, "policy-test-failed", "")
    large = fence.scratch() / "large.yaml"
    rules = "".join(f"    - {{names: [fcntl], action: errno, errno: EINVAL, when: {{arg: arg, in: {values}}}}}\n"
                    for values in ([3 * (64 * i + k) for k in range(64)] for i in range(20)))
    large.write_text(text + "syscalls:\n  rules:\n" + rules)
    refused(large, "policy-too-large", "")


@case("a parent that belongs to the workload's user is refused, also where init runs as that user")
def foreign_parent():
    top = fence.scratch() / "parents"
    top.mkdir()
    (top / "policy.yaml").write_text(POLICY)
    (top / "base.yaml").write_text(BASE)
    os.chown(top / "base.yaml", 10001, 10001)
    for conditions in ((), ("uid=10001",)):
        words = [str(INIT), "--policy", str(top / "policy.yaml"), "--", "/bin/true"]
        with fence.Run(words, conditions=conditions) as run:
            check_equal(run.wait().code, 101, f"{conditions}: {run.stderr()}")
            check("policy-unsafe" in run.stderr() and "base.yaml belongs to user 10001" in run.stderr(), run.stderr())


# ---- Before any policy ----


@case("lazaret-init --help and --version answer on stdout with 0 and start nothing; --help names every option")
def init_help():
    page = (laz.ROOT / "docs/man/lazaret-init.8").read_text(encoding="utf-8")
    answers = {}
    for option in ("--help", "--version"):
        with tempfile.TemporaryFile() as out:
            with fence.Run([str(INIT), option, "/bin/false"], stdout=out) as run:
                code, said = run.wait().code, run.stderr()
            out.seek(0)
            answers[option] = out.read().decode()
        check_equal((code, said), (0, ""), f"{option}: exit code, stderr")
    named = set(re.findall(r"--(\w[\w-]*)", answers["--help"]))
    check_equal(named, set(re.findall(r"^\.It Fl -(\w[\w-]*)", page, re.MULTILINE)), "options of --help")
    check(re.fullmatch(r"lazaret-init \d+\.\d+\.\d+\n", answers["--version"]), f"{answers}")


laz.main()
