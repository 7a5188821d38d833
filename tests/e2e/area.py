# SPDX-License-Identifier: Apache-2.0
"""What a suite with container engines works in: one folder, and a fence around every process.

The fence is a PID and mount namespace whose first process dies with this one, so that a suite that crashes
leaves no process and no mount. Folders and control groups are removed at exit. Must never touch what it did not
make. Needs root; a missing program is a skip.
"""
import atexit
import collections
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import laz

# Of everything that outlives a process: folders, control groups. Pids mean something in their namespace alone.
PREFIX = f"lazaret-e2e-{os.stat('/proc/self/ns/pid').st_ino}-"

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Result = collections.namedtuple("Result", "code out err")

_root = None
_fence = None


def root():
    """The suite's temporary folder. Removed at exit, with whatever is in it."""
    global _root
    if _root is None:
        _sweep()
        _root = pathlib.Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        _root.chmod(0o755)
        atexit.register(shutil.rmtree, _root, ignore_errors=True)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))  # so that atexit runs
    return _root


def _sweep():
    """Remove what runs left behind that were killed: their processes and mounts are gone already."""
    for left in pathlib.Path(tempfile.gettempdir()).glob(PREFIX + "*-*"):
        pid = left.name[len(PREFIX):].split("-")[0]
        if not pathlib.Path("/proc", pid).exists():
            shutil.rmtree(left, ignore_errors=True)
            _remove_cgroups(PREFIX + pid)


def folder(name):
    """A new empty folder inside the area."""
    path = root() / name
    path.mkdir(parents=True)
    return path


def require_root():
    """Skip the running case unless we are root."""
    if os.geteuid() != 0:
        laz.skip("needs root")


def require_program(name):
    """The path of a system program; skips the running case where it is not installed."""
    path = shutil.which(name, path=PATH)
    if path is None:
        laz.skip(f"{name} is not installed")
    return path


def program(name):
    """One of the programs under test; a build without it is a failure, not a skip."""
    path = laz.BIN / name
    laz.check(path.exists(), f"{path} does not exist: build it first (or set LAZARET_BIN)")
    return path


def run(words, *, env=None, timeout=60, stdin=subprocess.DEVNULL, cwd=None):
    """Run a command to its end: a Result; fails the case on a time-out."""
    process = subprocess.Popen(
        [str(word) for word in words], env=env, cwd=cwd, stdin=stdin, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate(timeout=10)
        laz.check(False, f"{words[0]}: still running after {timeout} s: {out!r} {err!r}")
    result = Result(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
    laz.check_no_report(result.err)
    return result


# ---- The fence ---------------------------------------------------------------------------------------


class Fence:
    """A PID and mount namespace that lives as long as this process.

    Its first process is a shell that waits, because a shell reaps whatever falls to it: a container's
    namespace does not end before the last of its processes has been reaped.
    """

    def __init__(self):
        require_root()
        self.cgroup = f"{PREFIX}{os.getpid()}"
        self.holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork",
             "--kill-child", "--mount-proc", "sh", "-c", "while :; do sleep 1000 & wait; done"],
            stdin=subprocess.DEVNULL)
        atexit.register(self.close)
        self.pid = self._first_process()

    def _first_process(self):
        children = pathlib.Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found = children.read_text().split() if children.exists() else []
            if found and pathlib.Path(f"/proc/{found[0]}/comm").read_text() == "sh\n":
                return int(found[0])
            time.sleep(0.005)
        raise RuntimeError("the fence namespace did not come up")

    def command(self, *words):
        """The command line that runs the words inside. Who kills it kills them."""
        ended = self.holder.poll()
        laz.check(ended is None, f"the fence namespace ended by itself or was killed: {ended}")
        return ["nsenter", "-t", str(self.pid), "-p", "-m", "--",
                "setpriv", "--pdeathsig", "KILL", *map(str, words)]

    def close(self):
        """End every process inside and remove the control groups."""
        self.holder.kill()
        self.holder.wait()
        deadline = time.monotonic() + 5
        while _remove_cgroups(self.cgroup) and time.monotonic() < deadline:
            time.sleep(0.05)


def _remove_cgroups(name):
    """Remove our groups from all hierarchies; the number of those that are still busy."""
    busy = 0
    root = pathlib.Path("/sys/fs/cgroup")
    for top in [root / name, *(entry / name for entry in root.iterdir() if entry.is_dir())]:
        if not top.is_dir():
            continue
        groups = [pathlib.Path(at) for at, _, _ in os.walk(top)]
        for group in reversed(groups):
            try:
                group.rmdir()
            except OSError:
                busy += 1
    return busy


def fence():
    """The suite's fence; made at first use."""
    global _fence
    if _fence is None:
        _fence = Fence()
    return _fence
