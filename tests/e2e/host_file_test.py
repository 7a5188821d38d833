# SPDX-License-Identifier: Apache-2.0
"""lazaret runtime check: this host's /etc/lazaret, whose it is and what it names, and that of another host.

The command reads one place only, so each case has an /etc of its own, in a mount namespace of its own.
"""
import atexit
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import laz
from laz import case, check, check_equal

sys.path.insert(0, str(laz.ROOT / "docs" / "man"))
import policy_page  # noqa: E402  the page's generator lives with the page

LAZARET = (laz.BIN / "lazaret").resolve()
HOST = """\
version: 1
runtime: /usr/bin/true
runtime-by-name: {other: /usr/bin/env}
select:
  - {runtime-name: other, cgroups-path: /ecs/, policy: task}
infra-policy: pass-through
default-policy: task
"""
TASK = """\
version: 1
extends: [builtin/web-api]
workload: {user: "10001:10001", exec-budget: -1}
filesystem: {read-exec: [/usr]}
"""
SCRIPT = """\
mount -t tmpfs -o mode=0755 tmpfs /etc && cp -a "$1" /etc/lazaret &&
mount -t tmpfs -o mode=0755 tmpfs /usr/libexec && cp -a "$2" /usr/libexec/lazaret && shift 2 && exec "$@"
"""
PROGRAMS = ("lazaret-shim", "lazaret-prepare", "lazaret-init", "lazaret-setup", "lazaret-helper", "lazaret-hook")


def folder(host=HOST, **policies):
    """What is to be /etc/lazaret."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="lazaret-host-"))
    top.chmod(0o755)
    (top / "policies.d").mkdir(mode=0o755)
    (top / "runtime.yaml").write_text(host)
    for name, text in {"task": TASK, **policies}.items():
        (top / "policies.d" / f"{name}.yaml").write_text(text)
    return top


@functools.cache
def installed():
    """What is to be /usr/libexec/lazaret, whole."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="lazaret-host-programs-"))
    atexit.register(shutil.rmtree, top)
    top.chmod(0o755)
    for name in PROGRAMS:
        shutil.copy(laz.BIN / name, top / name)
    return top


def runtime_check(top, code, *words, beside=None):
    """Output and errors of the command where that folder is /etc/lazaret."""
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", SCRIPT, "sh", top, beside or installed(), LAZARET, "runtime", "check", *words],
        capture_output=True, text=True, check=False)
    shutil.rmtree(top)
    laz.check_no_report(done.stderr)
    check_equal(done.returncode, code, f"exit code: {done.stdout}{done.stderr}")
    return done


def refused(top, *lines):
    done = runtime_check(top, 1)
    for line in lines:
        check(line in done.stderr, f"{line!r} is not in\n{done.stderr}")
    return done


@case("a host that is as it should be: what it says is told, and what it does not enforce")
def good():
    done = runtime_check(folder(), 0)
    check_equal(done.stderr, "", "errors")
    said = re.sub(r"[0-9a-f]{64}", "DIGEST", done.stdout)
    check_equal(said, """\
/etc/lazaret/runtime.yaml
  runtime         /usr/bin/true
  runtime-by-name other: /usr/bin/env
  select          name other, cgroups /ecs/ -> task
  policy          task, sha256 DIGEST
    relaxations   workload: no exec-budget
  no task of ECS  pass-through: nothing is enforced
  all others      task
  programs        /usr/libexec/lazaret, version VERSION
""".replace("VERSION", subprocess.run([LAZARET, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]), "output")


@case("secrets of the host that a policy names: one that is absent is a warning, one that others may read, is not root's or is empty is an error; an optional one may be absent")
def secrets():
    item = "{name: db, from: {file: /run/lazaret/host-secrets/db-password}, file: {path: db}, optional: %s}"
    for what, optional, mode, owner, text, code, said in (
            ("absent", "false", None, 0, "", 0, "runtime.yaml:5:56: warning: policy task: secret db: /etc/lazaret/secrets.d/task/db-password: nothing is there"),
            ("absent, and may be", "true", None, 0, "", 0, ""),
            ("as it should be", "false", 0o400, 0, "x", 0, ""),
            ("read by others", "true", 0o644, 0, "x", 1, "secret db: /etc/lazaret/secrets.d/task/db-password may be read by others than root, mode 0644"),
            ("another's", "false", 0o600, 1000, "x", 1, "secret db: /etc/lazaret/secrets.d/task/db-password belongs to user 1000"),
            ("empty", "false", 0o600, 0, "", 1, "secret db: /etc/lazaret/secrets.d/task/db-password has 0 bytes, and may have 1 to 131072")):
        top = folder(task=TASK + f"secrets: {{items: [{item % optional}]}}\n")
        if mode is not None:
            path = top / "secrets.d" / "task" / "db-password"
            path.parent.mkdir(parents=True)
            path.write_text(text)
            path.chmod(mode)
            os.chown(path, owner, 0)
        done = runtime_check(top, code)
        check(said in done.stderr, f"{what}: {said!r} is not in\n{done.stderr}")
        check(said or not done.stderr, f"{what}: {done.stderr}")


@case("programs beside the shim that are absent, not root's or of another version are findings, and so is the shim, or a copy, as runtime")
def beside():
    spoiled = pathlib.Path(tempfile.mkdtemp(prefix="lazaret-host-spoiled-"))
    spoiled.chmod(0o755)
    for name in PROGRAMS[:-1]:
        shutil.copy(laz.BIN / name, spoiled / name)
    os.chown(spoiled / "lazaret-init", 1000, 0)
    text = (spoiled / "lazaret-setup").read_bytes()
    (spoiled / "lazaret-setup").write_bytes(text.replace(b"lazaret-setup 0.", b"lazaret-setup 9."))
    done = runtime_check(folder(), 1, beside=spoiled)
    for line in ("host-unsafe: /usr/libexec/lazaret/lazaret-init belongs to user 1000", "program-unfit: /usr/libexec/lazaret/lazaret-setup is lazaret-setup 9.",
                 "program-unfit: /usr/libexec/lazaret/lazaret-hook: nothing is there"):
        check(f"lazaret: error: {line}" in done.stderr, f"{line!r} is not in {done.stderr}")
    check("  runtime         /usr/bin/true" in done.stdout and "  programs" not in done.stdout, done.stdout)
    said = json.loads(runtime_check(folder(), 1, "--json", beside=spoiled).stdout)
    check_equal((said["ok"], len(said["unfit"]), said["error"]["name"]), (False, 3, "host-unsafe"), f"{said}")
    shutil.rmtree(spoiled)
    for program in ("/usr/libexec/lazaret/lazaret-shim", "/etc/lazaret/runc"):
        top = folder(HOST.replace("/usr/bin/true", program))
        shutil.copy(laz.BIN / "lazaret-shim", top / "runc")
        refused(top, f"/etc/lazaret/runtime.yaml:2:10: error: {program} is lazaret-shim itself")


@case("as JSON: one object, whose policies have digests and relaxations, and whose findings have places")
def as_json():
    done = runtime_check(folder(), 0, "--json")
    said = json.loads(done.stdout)
    check_equal((done.stderr, said["ok"], said["unfit"], said["diagnostics"]), ("", True, [], []), "a good host")
    check_equal([(p["name"], p["ok"], len(p["digest"]), p["relaxations"]) for p in said["policies"]],
                [("task", True, 64, ["workload: no exec-budget"])], "policies")
    done = runtime_check(folder(task=TASK.replace('"10001:10001"', "app")), 1, "--json")
    said = json.loads(done.stdout)
    check_equal((done.stderr, said["ok"], said["error"]["name"]), ("", False, "policy-invalid"), "a bad policy")
    check_equal([(d["file"], d["line"]) for d in said["diagnostics"] + said["policies"][0]["diagnostics"]],
                [("/etc/lazaret/runtime.yaml", 5), ("/etc/lazaret/policies.d/task.yaml", 3)], "places")
    top = folder()
    (top / "runtime.yaml").unlink()
    said = json.loads(runtime_check(top, 1, "--json").stdout)
    check_equal((said["ok"], said["error"]["name"], said["policies"]), (False, "host-absent", []), "no file")


@case("without a policy for all others they are refused, and that is said; so are the other laxities")
def laxities():
    host = "version: 1\nruntime: /usr/bin/true\ndefault-policy: task\nunknown-container: clamp-default\naudit: {required: false, arguments: true}\nimage-init: replace\n"
    said = runtime_check(folder(host), 0).stdout
    check("an exec into a container without a record is let in" in said, said)
    check("what cannot be recorded is let through" in said, said)
    check("audit           the arguments of what enters a container are recorded too" in said, said)
    check("image-init      an image's own init is replaced, and its policy does not count" in said, said)
    said = runtime_check(folder("version: 1\nruntime: /usr/bin/true\n"), 0).stdout
    check("all others      refused: no key names a policy for them" in said, said)


@case("what somebody else could have changed is refused, by the part of the path that is theirs")
def unsafe():
    top = folder()
    os.chown(top / "runtime.yaml", 1000, 0)
    refused(top, "host-unsafe: /etc/lazaret/runtime.yaml belongs to user 1000, not to root", "remedy: chown root")
    top = folder()
    (top / "runtime.yaml").chmod(0o664)
    refused(top, "host-unsafe: /etc/lazaret/runtime.yaml may be written by others than root, mode 0664")
    top = folder()
    top.chmod(0o1777)
    refused(top, "host-unsafe: /etc/lazaret may be written by others than root, mode 1777")
    top = folder()
    (top / "runtime.yaml").rename(top / "other.yaml")
    (top / "runtime.yaml").symlink_to("other.yaml")
    refused(top, "host-unsafe: /etc/lazaret/runtime.yaml is a link")
    at = "/etc/lazaret/runtime.yaml:5:56: error: policy task: "
    top = folder()
    os.chown(top / "policies.d", 0, 1000)
    (top / "policies.d").chmod(0o775)
    refused(top, at + "/etc/lazaret/policies.d may be written by others than root, mode 0775", "host-unsafe: ")
    top = folder()
    (top / "policies.d" / "task.yaml").chmod(0o606)
    refused(top, at + "/etc/lazaret/policies.d/task.yaml may be written by others than root, mode 0606")


@case("a program that cannot be the runtime is refused at the key that names it")
def programs():
    for program, why in (
            ("/usr/sbin/absent-runtime", "/usr/sbin/absent-runtime: nothing is there"),
            ("/etc/lazaret/runtime.yaml", "/etc/lazaret/runtime.yaml is not executable"),
            ("/usr/bin", "/usr/bin is not a regular file"),
            ("/bin/true", "/bin is a link: name what it leads to")):
        refused(folder(HOST.replace("/usr/bin/true", program)), f"/etc/lazaret/runtime.yaml:2:10: error: {why}")
        refused(folder(HOST.replace("/usr/bin/env", program)), f"/etc/lazaret/runtime.yaml:3:26: error: {why}")


@case("a policy that does not load is an error at the key that names it, and at its own line; each is read once")
def policies():
    done = refused(folder(task=TASK.replace('"10001:10001"', "app")),
                   "/etc/lazaret/policies.d/task.yaml:3:18: error: workload.user: ", "runtime.yaml:5:56: error: policy task: ")
    check_equal(done.stderr.count("error: policy task"), 1, "times that it is told")
    check_equal(done.stderr.splitlines()[-2], "lazaret: error: policy-invalid: /etc/lazaret/runtime.yaml: 1 error", "the last line")
    refused(folder(HOST.replace("default-policy: task", "default-policy: tsk")),
            "runtime.yaml:7:17: error: policy tsk: /etc/lazaret/policies.d/tsk.yaml: nothing is there")


@case("what is wrong with the file itself is told with its line; without one the error has a name")
def file_itself():
    refused(folder(HOST.replace("default-policy:", "default:")),
            '/etc/lazaret/runtime.yaml:7:1: error: unknown key "default"', "    default: task\n    ^", "lazaret: error: policy-invalid")
    top = folder()
    (top / "runtime.yaml").unlink()
    refused(top, "host-absent: /etc/lazaret/runtime.yaml: nothing is there", "remedy: Write the file that the message names, or name a policy that is there")


@case("the file of another host: its policies lie beside it, and nobody asks whose they are")
def elsewhere():
    top = folder(HOST.replace("/usr/bin/true", "/usr/sbin/absent-runtime"))
    os.chown(top / "policies.d" / "task.yaml", 1000, 1000)
    words = [LAZARET, "runtime", "check"]
    done = subprocess.run([*words, top / "runtime.yaml"], capture_output=True, text=True, check=False)
    check_equal(done.returncode, 0, done.stdout + done.stderr)
    check("not asked       whose the files are, and whether there are such programs" in done.stdout, done.stdout)
    done = subprocess.run([*words, "runtime.yaml"], cwd=top, capture_output=True, text=True, check=False)
    check_equal(done.returncode, 0, done.stdout + done.stderr)
    (top / "policies.d" / "task.yaml").unlink()
    done = subprocess.run([*words, "runtime.yaml"], cwd=top, capture_output=True, text=True, check=False)
    check_equal(done.returncode, 1, done.stdout + done.stderr)
    check("runtime.yaml:5:56: error: policy task: cannot open policies.d/task.yaml" in done.stderr, done.stderr)
    shutil.rmtree(top)


@case("who is called as a container runtime, as podman does where it cannot find the one of that name, says which program is")
def no_runtime():
    for words in (["create", "--bundle", "/x", "id"], ["--root", "/run/x", "create"], ["--log-format=json", "exec"], ["features"], ["--systemd-cgroup", "run"]):
        done = subprocess.run([LAZARET, *words], capture_output=True, text=True, check=False)
        said = f'lazaret: error: program-unfit: "{words[0]}" is for a container runtime, which lazaret-shim is and this command is not: '
        check(said in done.stderr and "/usr/libexec/lazaret/lazaret-shim" in done.stderr, f"{words}: {done.stderr}")
        check_equal((done.returncode, done.stdout), (1, ""), f"{words}")


@case("policy explain says what a policy says to the host, and where; nothing of one that says nothing")
def explained():
    top = folder(task=TASK + "host: {exec: deny, namespaces: [network], mounts: {allow: [/etc/localtime]}, exec-env-deny: [A], health-check: {argv: [a, b], exec: deny}}\n")
    words = [LAZARET, "policy", "explain", "policies.d/task.yaml"]
    facts = json.loads(subprocess.run([*words, "--json"], cwd=top, capture_output=True, text=True, check=True).stdout)["facts"]["host"]
    check_equal([fact["text"] for fact in facts],
                ["exec: deny", "exec-user: any", "ecs-exec: confined", "privileged: refuse",
                 "user-namespace: optional", "annotations: refuse", "seccomp: keep", "update: allow", "checkpoint: refuse",
                 "health-check, deny: a b", "the host's own namespace: network", "mount allowed: /etc/localtime", "exec without variable: A"], "facts")
    check_equal(facts[0]["at"], "policies.d/task.yaml:5:14", "position of the first")
    (top / "policies.d" / "task.yaml").write_text(TASK)
    check("host" not in json.loads(subprocess.run([*words, "--json"], cwd=top, capture_output=True, text=True, check=True).stdout)["facts"], "host")
    shutil.rmtree(top)


@case("lazaret-runtime(5) is made of the reference, and its example is what the command takes")
def page():
    reference = subprocess.run([LAZARET, "runtime", "reference"], capture_output=True, text=True, check=True).stdout
    there = (laz.ROOT / "docs/man/lazaret-runtime.5").read_text(encoding="utf-8")
    check_equal(there == policy_page.page(reference), True, "docs/man/lazaret-runtime.5 is current (policy_page.py)")
    top = folder(policy_page.RUNTIME_EXAMPLE)
    done = subprocess.run([LAZARET, "runtime", "check", top / "runtime.yaml"], capture_output=True, text=True, check=False)
    check_equal(done.returncode, 0, done.stdout + done.stderr)
    shutil.rmtree(top)


laz.main()
