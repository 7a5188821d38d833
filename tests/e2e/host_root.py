# SPDX-License-Identifier: Apache-2.0
"""This machine's own root with a layer of the suite's on top, in mounts of the suite's own: a package can be installed in it, files
in /etc and /usr may change, engines run at their usual places. Nothing of it is seen outside, and it is gone with the process.

Must never be entered by a process that then works on the real machine. Needs root.
"""
import ctypes
import functools
import os
import pathlib
import shutil
import stat
import subprocess

import area
import laz

BASE = pathlib.Path("/mnt")
CLONE_NEWNS = 0x20000
MNT_DETACH = 2
# What a layer cannot have, or what must be the same inside: the kernel's own, and where suites work.
SHARED = ("/proc", "/sys", "/dev", "/tmp")
# What is on a disk, though the root is a layer: engines put layers of their own there.
DISKS = ("/run", "/var/lib/docker", "/var/lib/containerd", "/var/lib/containers")
# Where a machine has what a developer installed or ran.
OURS = ("/etc/lazaret", "/usr/libexec/lazaret", "/var/lib/lazaret", "/var/log/lazaret")

_libc = ctypes.CDLL(None, use_errno=True)


def version():
    return area.run([area.program("lazaret"), "--version"]).out.split()[-1]


def architecture():
    """Debian's name of it."""
    return {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def dist(name, **environment):
    """A folder with what the package's script makes of the programs under test."""
    out = area.folder(name)
    done = area.run([laz.ROOT / "shim" / "package" / "dist.sh", laz.BIN.parent, version(), os.uname().machine, out],
                    env={"PATH": area.PATH, **environment}, timeout=250)
    laz.check_equal(done.code, 0, f"dist.sh: {done.err}")
    return out


def _mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)


@functools.cache
def enter():
    """Two descriptors: the folder in which everything appears that this process and its children change, and the machine's own root.
    Called before any engine starts."""
    area.require_root()
    area.root()  # below /tmp, and nothing of what follows is: it is removed, with all that is in it, at exit
    laz.check_equal(_libc.unshare(CLONE_NEWNS), 0, "unshare")
    _mount("--make-rprivate", "/")
    _mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", BASE)
    for name in ("changed", "work", "merged"):
        (BASE / name).mkdir(mode=0o755)
    merged = BASE / "merged"
    _mount("-t", "overlay", "-o", f"lowerdir=/,upperdir={BASE}/changed,workdir={BASE}/work", "overlay", merged)
    shared = [*SHARED, *([str(laz.ROOT)] if laz.ROOT.stat().st_dev != pathlib.Path("/").stat().st_dev else [])]
    for place in shared:
        _mount("--rbind", place, f"{merged}{place}")
    top, machine = (os.open(path, os.O_PATH | os.O_DIRECTORY) for path in (BASE / "changed", "/"))
    for place in DISKS:
        _mount_tmpfs(merged, place)
    os.chdir(merged)
    laz.check_equal(_libc.pivot_root(b".", b"."), 0, f"pivot_root: {os.strerror(ctypes.get_errno())}")
    os.fchdir(machine)
    laz.check_equal(_libc.umount2(b".", MNT_DETACH), 0, f"umount: {os.strerror(ctypes.get_errno())}")
    os.chdir("/")
    for place in OURS:
        shutil.rmtree(place, ignore_errors=True)
    return top, machine


def _mount_tmpfs(merged, place):
    pathlib.Path(f"{merged}{place}").mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", f"{merged}{place}")


def changed():
    """Every path that is not as on the machine, but for folders that are there and only lie above such a path."""
    top, machine = enter()
    found = set()
    for folder, folders, files in os.walk(f"/proc/self/fd/{top}/."):
        for name in [*folders, *files]:
            place = os.path.relpath(f"{folder}/{name}", f"/proc/self/fd/{top}/.")
            if name in files or not _is_folder(place, machine):
                found.add(f"/{place}")
    return found


def _is_folder(place, machine):
    try:
        return stat.S_ISDIR(os.stat(place, dir_fd=machine, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
