# SPDX-License-Identifier: Apache-2.0
"""A host for lazaret-shim: mounts of the suite's own, in which /etc, /opt, /run, /usr/libexec and /var/log may be changed, and a stand-in for the runtime.

Both folders are root's from end to end, as the shim wants them, which a temporary folder is not. Must never be used by a
process that then works outside of these mounts. Needs root.
"""
import ctypes
import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess

import area
import fence
import laz
from laz import check, check_equal

OPT = pathlib.Path("/opt")
SHIM = OPT / "lazaret-shim"
RUNTIME = OPT / "runtime"
RECORD = OPT / "record"
THEN = OPT / "then"
PROGRAMS = pathlib.Path("/usr/libexec/lazaret")
PREPARED = pathlib.Path("/run/lazaret/prepared")
FILE = pathlib.Path("/etc/lazaret/runtime.yaml")
PASS_THROUGH = f"version: 1\nruntime: {RUNTIME}\ndefault-policy: pass-through\n"
CLONE_NEWNS = 0x20000
PR_SET_PDEATHSIG = 1

# Of /proc/PID/status, what is inherited and has nothing to do with how large the program is.
STATUS = ["Umask", "TracerPid", "Uid", "Gid", "Groups", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapInh",
          "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Cpus_allowed", "Mems_allowed", "Threads"]

_libc = ctypes.CDLL(None, use_errno=True)


def mount(*words):
    """In the mounts of the suite."""
    subprocess.run(["mount", *map(str, words)], check=True)


@functools.cache
def host():
    """The suite's own mounts; the folder of programs that were compiled for it."""
    area.require_root()
    out = fence.build_folder() / "shim"
    out.mkdir(exist_ok=True)
    check_equal(_libc.unshare(CLONE_NEWNS), 0, "unshare")
    mount("--make-rprivate", "/")
    mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", OPT)
    shutil.copytree("/etc", OPT / "etc", symlinks=True)
    mount("--bind", OPT / "etc", "/etc")
    for name in ("libexec", "libexec-before"):
        (OPT / name).mkdir()
    for path in pathlib.Path("/usr/libexec").iterdir():
        (OPT / "libexec" / path.name).symlink_to(OPT / "libexec-before" / path.name)
    mount("--bind", "/usr/libexec", OPT / "libexec-before")
    mount("--bind", OPT / "libexec", "/usr/libexec")
    for path in ("/run", "/var/log"):
        mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", path)
    FILE.parent.mkdir(mode=0o755, exist_ok=True)
    shutil.copy(area.program("lazaret-shim"), SHIM)
    if PROGRAMS.is_symlink():  # of an installation
        PROGRAMS.unlink()
    PROGRAMS.mkdir(mode=0o755)
    PROGRAMS.chmod(0o755)
    shutil.copy(area.program("lazaret-prepare"), PROGRAMS)
    for source, target in (("standin", RUNTIME), ("wrapper", OPT / "wrapper")):
        shutil.copy(fence.compile_program(source, [f"{source}.c"], fence.HERE / "shim", out), target)
    return out


def configure(text=PASS_THROUGH):
    """/etc/lazaret/runtime.yaml, root's; None: there is none."""
    host()
    folder = FILE.parent
    if FILE.is_dir() and not FILE.is_symlink():
        FILE.rmdir()
    FILE.unlink(missing_ok=True)
    os.chown(folder, 0, 0)
    folder.chmod(0o755)
    if text is not None:
        FILE.write_text(text)
        FILE.chmod(0o644)


def install(**policies):
    """What a container under a policy needs from the host; NAME="YAML" is the policy of that name."""
    host()
    folder = FILE.parent / "policies.d"
    folder.mkdir(mode=0o755, exist_ok=True)
    folder.chmod(0o755)
    for name in ("lazaret-init", "lazaret-setup", "lazaret-helper", "lazaret-hook"):
        if not (PROGRAMS / name).exists():  # it may be running
            shutil.copy(area.program(name), PROGRAMS / name)
    for name, text in policies.items():
        (folder / f"{name}.yaml").write_text(text)
        (folder / f"{name}.yaml").chmod(0o644)


def records():
    """What the stand-in was given, call by call, since the last time that somebody asked."""
    if not RECORD.exists():
        return []
    text = RECORD.read_text()
    RECORD.unlink()
    return [json.loads(line) for line in text.splitlines()]


def status_of(record):
    """The lines of /proc/self/status that must not depend on who called."""
    found = dict(line.split(":", 1) for line in record["status"].splitlines())
    return {name: found[name].strip() for name in STATUS}


class Caller:
    """What a process has when it calls a runtime. Every call by it has the same."""

    def __init__(self, *, env=None, cwd="/", umask=0o022, death=0, ignored=(), blocked=(), descriptors=(), closed=()):
        self.env = {"PATH": area.PATH} if env is None else env
        if laz.sanitized():  # the runtime of the sanitizer would change the limit of cores
            self.env = {**self.env, "ASAN_OPTIONS": "disable_coredump=0:detect_leaks=0"}
        self.cwd, self.umask, self.death, self.ignored, self.blocked = cwd, umask, death, ignored, blocked
        self.descriptors, self.closed = descriptors, closed

    def _prepare(self):
        """In the child."""
        os.umask(self.umask)
        _libc.prctl(PR_SET_PDEATHSIG, self.death, 0, 0, 0)
        for number in self.ignored:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.blocked)
        for place, fd in enumerate(self.descriptors, 3):
            if fd is not None:
                os.dup2(fd, place, inheritable=True)
        for fd in self.closed:
            os.close(fd)

    def start(self, words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE):
        """The words as a child, as the caller starts it."""
        places = [3 + n for n, fd in enumerate(self.descriptors) if fd is not None]
        return subprocess.Popen(
            [str(word) for word in words], env=self.env, cwd=self.cwd, stdin=stdin, stdout=stdout, stderr=stderr,
            pass_fds=places, preexec_fn=self._prepare)

    def call(self, *words, stdin=subprocess.DEVNULL, feed=None):
        """To its end: a Result."""
        process = self.start(words, stdin=subprocess.PIPE if feed is not None else stdin)
        out, err = process.communicate(feed, timeout=60)
        result = area.Result(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
        laz.check_no_report(result.err)
        return result


def refused(result, kind, *texts):
    """It was refused by this name: one line, exit code 1, and nothing that a caller would take for something else."""
    check_equal(result.code, 1, f"exit code ({result.err})")
    check_equal(len(result.err.splitlines()), 1, f"lines of {result.err!r}")
    check(result.err.startswith(f"lazaret: {kind}: "), f"{result.err!r} is not {kind}")
    for text in texts:
        check(text in result.err, f"{text!r} is not in {result.err!r}")
    for phrase in ("no such file", "permission denied", "executable file not found", "does not exist", "not running",
                   "operation not permitted", "not a directory", "no such process"):
        check(phrase not in result.err.lower(), f"{phrase!r} is in {result.err!r}")
    check_equal(records(), [], "calls of the runtime")
