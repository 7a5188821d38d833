# SPDX-License-Identifier: Apache-2.0
"""A host for `lazaret install runtime`: a root folder of the suite's own, which the command enters by --root.

Must never run the command without --root, or with another root than one that is made here. Needs root.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import area
import laz
from laz import check, check_equal

LAZARET = (laz.BIN / "lazaret").resolve()
PROGRAMS = ("lazaret-shim", "lazaret-prepare", "lazaret-init", "lazaret-setup", "lazaret-helper", "lazaret-hook")
SHIM = "/usr/libexec/lazaret/lazaret-shim"
YAML = "# of this host\nversion: 1\nruntime: /usr/sbin/runc # the real one\ndefault-policy: pass-through\n"
RUNC = b"#!/bin/sh\necho runc version 1\n"
STATE = "var/lib/lazaret/install"
FILES = {"docker": "etc/docker/daemon.json", "containerd": "etc/containerd/config.toml",
         "podman": "etc/containers/containers.conf.d/50-lazaret.conf"}


class Host:
    """An empty host but for runc, the programs and runtime.yaml."""

    def __init__(self):
        area.require_root()
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="host-", dir=area.root()))
        self.root.chmod(0o755)
        programs = self.root / "usr/libexec/lazaret"
        programs.mkdir(parents=True)
        for name in PROGRAMS:
            os.link(_program(name), programs / name)
        self.put("etc/lazaret/runtime.yaml", YAML)
        self.put("usr/sbin/runc", RUNC, 0o755)
        (self.root / "var/lib").mkdir(parents=True)

    def put(self, path, content, mode=0o644, owner=(0, 0)):
        """A file; folders above it are made."""
        at = self.root / path
        at.parent.mkdir(parents=True, exist_ok=True)
        at.unlink(missing_ok=True)
        at.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.chown(at, *owner)
        at.chmod(mode)
        return at

    def words(self, *words):
        """The command line."""
        return [LAZARET, "install", "runtime", *words, "--root", self.root]

    def call(self, *words, expect=None):
        """The command, to its end."""
        done = area.run(self.words(*words))
        if expect is not None:
            check_equal(done.code, expect, f"exit code of {words}: {done.out}{done.err}")
        return done

    def as_json(self, *words, expect=0):
        done = self.call(*words, "--json", expect=expect)
        check_equal(done.err, "", f"{words}: standard error of a JSON run")
        said = json.loads(done.out)
        check_equal(said["ok"], expect == 0, "ok")
        return said

    def look(self):
        """All that is there: path, kind, mode, owner, content or target. The programs are left out."""
        found = {}
        for top, folders, files in os.walk(self.root):
            for name in folders + files:
                path = pathlib.Path(top, name)
                status = path.lstat()
                if path.name in PROGRAMS:
                    continue
                what = os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
                found[str(path.relative_to(self.root))] = (oct(status.st_mode), status.st_uid, status.st_gid, what)
        return found

    def close(self):
        shutil.rmtree(self.root)


_copies = {}


def _program(name):
    """On the same file system as hosts, so that it can be linked."""
    if name not in _copies:
        _copies[name] = area.root() / name
        shutil.copy(area.program(name), _copies[name])
        _copies[name].chmod(0o755)
    return _copies[name]


def differences(before, after):
    """Paths that are not the same in two looks."""
    return sorted(path for path in {*before, *after} if before.get(path) != after.get(path))


def check_finding(done, name, *texts):
    """It ended with 1 and this error, whose message has these texts."""
    check_equal(done.code, 1, f"exit code ({done.out}{done.err})")
    lines = [line for line in done.err.splitlines() if line.startswith(f"lazaret: error: {name}: ")]
    check(lines, f"no {name} in {done.err!r}")
    for text in texts:
        check(any(text in line for line in lines), f"{text!r} is not in {lines}")


def calls_of(words, trace):
    """The system calls of a whole run, each with how many of its name there were until then."""
    result = area.run(["strace", "-o", trace, *words])
    check_equal(result.code, 0, f"the whole run: {result.err}")
    counts, calls = {}, []
    for line in pathlib.Path(trace).read_text().splitlines():
        match = re.match(r"^(\w+)\(", line)
        if match:
            counts[match[1]] = counts.get(match[1], 0) + 1
            calls.append((match[1], counts[match[1]]))
    return calls[1:]


def kill_at(call, words, trace):
    """The run, killed before it makes that call."""
    name, count = call
    subprocess.run(["strace", "-o", str(trace), "-e", f"inject={name}:signal=KILL:when={count}", *map(str, words)],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def stopped_at(call, words, trace, meanwhile):
    """The run, to its end; behind the first call of that name it stands still, and something else happens."""
    trace = pathlib.Path(trace)
    trace.unlink(missing_ok=True)
    process = subprocess.Popen(["strace", "-o", str(trace), "-e", f"inject={call}:signal=STOP:when=1", *map(str, words)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 60
    while not (trace.exists() and "--- stopped by SIGSTOP ---" in trace.read_text()):
        check(process.poll() is None and time.monotonic() < deadline, f"it does not stop behind {call}")
        time.sleep(0.01)
    meanwhile()
    os.kill(int(children.read_text().split()[0]), signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    return area.Result(process.returncode, out.decode(), err.decode())
