# SPDX-License-Identifier: Apache-2.0
"""Freezes processes as `docker pause` does, by a control group of either version.

The hierarchy is mounted in a mount namespace of its own, so that neither the machine's mounts nor an engine's
groups are touched. Must be left with everything thawed: of version 1, no frozen process can be killed.
"""
import contextlib
import os
import pathlib
import signal
import subprocess
import time

import fence
import laz

MOUNTS = {"cgroup version 2": "cgroup2", "cgroup version 1": "cgroup -o freezer"}
KINDS = (*MOUNTS, "SIGSTOP to each process")


class _Group:
    """A control group with a freezer."""

    def __init__(self, kind):
        where = fence.scratch() / "cgroup"
        where.mkdir(exist_ok=True)
        self.holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "sh", "-c",
             f"mount -t {MOUNTS[kind]} none {where} && echo mounted && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.holder.stdout.readline() != b"mounted\n":
            laz.skip(f"{kind} cannot be mounted: {self.holder.communicate()[1].decode().strip()}")
        self.root = pathlib.Path(f"/proc/{self.holder.pid}/root{where}")
        self.path = self.root / f"lazaret-e2e-{os.getpid()}"
        self.path.mkdir()
        self.second = kind == "cgroup version 2"

    def add(self, pid):
        (self.path / "cgroup.procs").write_text(str(pid))

    def release(self, pid):
        (self.root / "cgroup.procs").write_text(str(pid))

    def freeze(self):
        """As runc does: version 1 cannot freeze a process whose call waits for init's answer, if init is frozen."""
        for _ in range(50):
            if self._set("1", "frozen 1") if self.second else self._set("FROZEN", "FROZEN\n"):
                return
            self.thaw()
        raise laz.Failed("the group was never frozen")

    def thaw(self):
        thawed = self._set("0", "frozen 0") if self.second else self._set("THAWED", "THAWED\n")
        laz.check(thawed, "the group was never thawed")

    def _set(self, value, wanted):
        """False if the group is not so within 0.1 s."""
        (self.path / ("cgroup.freeze" if self.second else "freezer.state")).write_text(value)
        state = self.path / ("cgroup.events" if self.second else "freezer.state")
        end = time.monotonic() + 0.1
        while wanted not in state.read_text():
            if time.monotonic() > end:
                return False
            time.sleep(0.001)
        return True

    def close(self):
        self.thaw()
        for pid in (self.path / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):  # it may end meanwhile
                self.release(pid)
        end = time.monotonic() + 2
        while True:
            try:
                self.path.rmdir()
                break
            except OSError:  # a process that has ended holds it until it is reaped
                laz.check(time.monotonic() < end, f"{self.path} is still busy")
                time.sleep(0.005)
        self.holder.communicate()


class _Stopped:
    """The stand-in: the processes are stopped by a signal, which they can tell from being frozen."""

    def __init__(self):
        self.pids = []

    def add(self, pid):
        self.pids.append(pid)

    def release(self, pid):
        self.pids.remove(pid)

    def _send(self, number):
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def freeze(self):
        self._send(signal.SIGSTOP)
        end = time.monotonic() + 5
        while any(fence.state(pid) not in "TZX" for pid in self.pids):
            laz.check(time.monotonic() < end, "not all have stopped")
            time.sleep(0.001)

    def thaw(self):
        self._send(signal.SIGCONT)

    close = thaw


@contextlib.contextmanager
def group(kind, *pids):
    """A freezer of one of KINDS, with these processes and whatever they start in it."""
    freezer = _Stopped() if kind not in MOUNTS else _Group(kind)
    try:
        for pid in pids:
            freezer.add(pid)
        yield freezer
    finally:
        freezer.close()
