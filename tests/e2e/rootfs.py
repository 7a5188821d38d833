# SPDX-License-Identifier: Apache-2.0
"""Root file systems for containers: empty, busybox's, and Debian's own files, made from what this machine has."""
import os
import pathlib
import shutil
import tarfile

import area
import laz

APP_UID = 10001
APP_USER = f"{APP_UID}:{APP_UID}"
PROGRAMS = ("lazaret-init", "lazaret-setup", "lazaret-helper")


def put(root, path, content, mode=0o644, owner=(0, 0)):
    """Write a file of a root file system: bytes, text, or a Path to copy."""
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pathlib.Path):
        shutil.copyfile(content, target)
    elif isinstance(content, bytes):
        target.write_bytes(content)
    else:
        target.write_text(content)
    os.chown(target, *owner)
    target.chmod(mode)
    return target


def put_folder(root, path, mode=0o755, owner=(0, 0)):
    """Make a folder of a root file system."""
    target = root / path.lstrip("/")
    target.mkdir(parents=True, exist_ok=True)
    os.chown(target, *owner)
    target.chmod(mode)
    return target


def put_users(root, uid=APP_UID, passwd="root:x:0:0:root:/:/bin/sh\n", group="root:x:0:\n"):
    """/etc/passwd and /etc/group with root, or whom else the image has, and app."""
    put(root, "/etc/passwd", f"{passwd}app:x:{uid}:{uid}::/:/bin/sh\n")
    put(root, "/etc/group", f"{group}app:x:{uid}:\n")


def put_lazaret(root, where="/"):
    """lazaret-init and what it needs beside it."""
    for name in PROGRAMS:
        put(root, f"{where}/{name}", area.program(name), 0o755)


def put_libraries(root):
    """What the programs of an instrumented build load; those that ship load nothing."""
    programs = [area.program(name) for name in PROGRAMS]
    for path in libraries(*programs) if laz.instrumented() else ():
        put(root, path, pathlib.Path(path), 0o755)


def libraries(*programs):
    """The shared libraries and the loader that dynamic programs load."""
    words = [line.split() for line in area.run(["ldd", *programs]).out.splitlines()]
    return {word for line in words for word in line if word.startswith("/") and word[-1] != ":"}


def scratch_root(name):
    """An empty image: nothing but the folders that a runtime needs to mount on, and /tmp."""
    root = area.folder(name)
    for path in ("/proc", "/sys", "/dev", "/etc"):
        put_folder(root, path)
    put_folder(root, "/tmp", 0o1777)
    return root


def busybox_root(name):
    """A root file system of Debian's busybox-static, with a link for each of its commands."""
    busybox = pathlib.Path(area.require_program("busybox"))
    root = scratch_root(name)
    put_users(root)
    put(root, "/bin/busybox", busybox, 0o755)
    for path in area.run([busybox, "--list-full"]).out.split():
        link = root / path
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to("/bin/busybox")
    return root


# What the Debian root file system is made of: the files of these packages, and the libraries they load.
DEBIAN_PACKAGES = "base-files base-passwd bash coreutils dash libc-bin debianutils sed grep procps".split()


def debian_root(name):
    """A root file system of this machine's own Debian files, libraries included."""
    if not pathlib.Path("/etc/debian_version").exists():
        laz.skip("this machine is not Debian")
    root = scratch_root(name)
    for link in ("bin", "sbin", "lib", "lib64"):
        target = pathlib.Path("/" + link)
        if target.is_symlink():
            put_folder(root, f"/usr/{link}")
            (root / link).symlink_to(f"usr/{link}")
    files = area.run(["dpkg", "-L", *DEBIAN_PACKAGES]).out.splitlines()
    wanted = {path for path in files if not path.startswith(("/usr/share", "/usr/lib/locale"))}
    programs = [path for path in wanted if os.access(path, os.X_OK) and os.path.isfile(path)]
    for path in sorted(wanted | libraries(*programs)):
        _copy_entry(root, pathlib.Path(path))
    masters = pathlib.Path("/usr/share/base-passwd")
    put_users(root, passwd=(masters / "passwd.master").read_text(),
              group=(masters / "group.master").read_text())
    return root


def _copy_entry(root, source):
    """Copy a file at its own path, or a link and what it points to; the folders come by themselves."""
    target = root / str(source).lstrip("/")
    if os.path.lexists(target) or not source.exists() or source.is_dir():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)
    if source.is_symlink():
        _copy_entry(root, source.resolve())


def tar_of(root):
    """The root file system as a tar file, owners and modes kept."""
    path = area.root() / (root.name + ".tar")
    with tarfile.open(path, "w") as tar:
        tar.add(root, arcname=".")
    return path
