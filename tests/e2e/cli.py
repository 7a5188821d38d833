# SPDX-License-Identifier: Apache-2.0
"""Runs the lazaret command in a folder of its own: policies to run it on, its output as text and as JSON, and
which options of lazaret(1) a suite has exercised."""
import atexit
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import laz
from laz import check, check_equal

LAZARET = (laz.BIN / "lazaret").resolve()
MACHINE = {"x86_64": "x86-64", "aarch64": "aarch64"}[os.uname().machine]
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="lazaret-cli-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
PAGE = (laz.ROOT / "docs/man/lazaret.1").read_text(encoding="utf-8")

WEB = """\
version: 1
name: claims-api
extends: [builtin/web-api]
workload:
  user: "10001:10001"
  cwd: /app
privileges: {capabilities: {keep: [NET_BIND_SERVICE]}}
limits: {open-files: 4096}
filesystem:
  read-exec: [/usr, /opt/java]
  read: [/app, /etc]
  write: [/app/cache, /tmp]
  optional: [/opt/java]
network: {tcp-bind: [8080, 443], tcp-connect: [443, 5432]}
syscalls:
  rules:
    - {names: [bpf], action: kill}
tests:
  - {call: socket, args: {domain: AF_VSOCK}, expect: notify}
  - {call: socket, args: {domain: AF_UNIX, type: SOCK_STREAM}, expect: allow}
  - {call: bpf, expect: kill}
  - {nr: 999, expect: errno, errno: ENOSYS}
"""
BAD = """\
version: 1
nome: oops
workload: {user: "10001:10001"}
filesystem: {read-exec: [/usr]}
syscalls: {allow: [opnat]}
"""

exercised = set()  # (command, option) of every run whose exit was not a usage error


def options_of(words):
    return {"-o" if w.startswith("-o") else w.split("=")[0] for w in words if re.match(r"-o|--\w|-h$", w)}


def lazaret(*words, expect=None, around=(), **more):
    """Run the program and return the finished process; `around` is a command that runs it."""
    done = subprocess.run([*around, LAZARET, *map(str, words)], cwd=FOLDER, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False, **more)
    laz.check_no_report(done.stderr)
    if expect is not None:
        check_equal(done.returncode, expect, f"exit code of {words}: {done.stdout}{done.stderr}")
    check(done.returncode in (0, 1, 2), f"{words}: exit code {done.returncode}: {done.stderr}")
    if done.returncode != 2:
        words = [str(w) for w in words]
        command = " ".join(words[:1] if words[0] in ("doctor", "report", "top", "verify") else words[:2])
        exercised.update((command, option) for option in options_of(words))
    return done


def as_json(*words, expect=0, **more):
    done = lazaret(*words, "--json", expect=expect, **more)
    check_equal(done.stderr, "", f"{words}: standard error of a JSON run")
    check_equal(done.stdout.count("\n"), 1, f"{words}: lines of JSON")
    return json.loads(done.stdout)


def write(name, text):
    (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
    (FOLDER / name).write_text(text, encoding="utf-8")
    return name


def web(name="web.yaml", **replace):
    """WEB with lines replaced: web(mode=...) are (old, new) pairs by keyword."""
    text = WEB
    for old, new in replace.values():
        check(old in text, f"no {old!r} in WEB")
        text = text.replace(old, new)
    return write(name, text)


def where(needle, text=WEB, name="web.yaml"):
    """The position of the only occurrence of a word in a policy."""
    check_equal(text.count(needle), 1, f"occurrences of {needle!r}")
    before = text[:text.index(needle)]
    return f"{name}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def no_strays(folder=FOLDER):
    left = [p.name for p in folder.iterdir() if p.name.startswith(".")]
    check_equal(left, [], "files left behind")


def check_page(commands):
    """Every option of these commands in the synopsis of lazaret(1) was exercised, and no other exists."""
    if [a for a in sys.argv[1:] if not a.startswith("-")]:
        laz.skip("only some cases ran")
    synopsis = PAGE[PAGE.index(".Sh SYNOPSIS"):PAGE.index(".Sh DESCRIPTION")]
    documented = set()
    for block in synopsis.split(".Nm\n")[1:]:
        command = re.match(r"\.Cm ((?:policy |secrets )?\w+)", block)
        for option in re.findall(r"Fl (-?[\w-]+)", block) if command else []:
            documented.add((command.group(1), f"-{option}"))
    short = {"--output": "-o"}
    ran = {(c, short.get(o, o)) for c, o in exercised if o not in ("-h", "--help", "--version")}
    check_equal({row for row in ran if row[0].startswith(commands)},
                {row for row in documented if row[0].startswith(commands)}, "options run, options of the synopsis")
