#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debian packages of another architecture, and kernels, unpacked under build/packages/ without being
installed: packages.py sysroot | guests.

apt works here on lists and a cache of its own, with arm64 beside the machine's architecture, so that
neither dpkg's state nor the machine's package lists change. What is unpacked stays until this file changes.
"""
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGES = ROOT / "build" / "packages"

# What the toolchain file aarch64.cmake looks for, and the libraries that Criterion's own needs to start.
SYSROOT = """musl-dev libyaml-dev libseccomp-dev libseccomp2 libcap-dev libcap2
libcriterion-dev libcriterion3 libffi8 libnanomsg5 libgit2-1.5 libhttp-parser2.9 libmbedcrypto7 libmbedtls14
libmbedx509-1 libpcre2-8-0 libssh2-1 zlib1g libssl3 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0
libcom-err2 libkeyutils1 libc6 libgcc-s1""".split()

# Kernel line -> the meta-package that names its newest image. The cloud flavours leave out drivers, so
# they are the smallest and boot fastest.
KERNELS = {
    "6.1": "linux-image-cloud-{deb}",
    "6.12": "linux-image-6.12-cloud-{deb}",
}
DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}


def apt(program, *words):
    """Run an apt program on our own lists; what it printed."""
    state = PACKAGES / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    options = {"APT::Architectures::": "arm64", "Acquire::Languages": "none", "Dir::State::lists": state / "lists",
               "Dir::Cache": state / "cache", "APT::Sandbox::User": "root"}
    done = subprocess.run(
        [program, "-q", *[w for k, v in options.items() for w in ("-o", f"{k}={v}")], *words],
        cwd=PACKAGES, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"packages: {program} {' '.join(map(str, words))}:\n{done.stdout}{done.stderr}")
    return done.stdout


def update():
    """Fetch the lists, once in a run."""
    if not getattr(update, "done", False):
        apt("apt-get", "update")
        update.done = True


def download(names, folder):
    """The .deb files of packages (NAME:ARCH) in a folder."""
    update()
    before = PACKAGES / "incoming"
    shutil.rmtree(before, ignore_errors=True)
    before.mkdir()
    apt("apt-get", "download", "-o", f"Dir::Cache::archives={before}", *names)
    for deb in PACKAGES.glob("*.deb"):
        deb.rename(folder / deb.name)
    shutil.rmtree(before)
    return sorted(folder.glob("*.deb"))


def unpack(name, make):
    """PACKAGES/name, made by make(folder) unless a make() of the same source made it before."""
    target, stamp = PACKAGES / name, PACKAGES / f"{name}.stamp"
    source = hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()
    if target.is_dir() and stamp.exists() and stamp.read_text() == source:
        return
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=PACKAGES) as scratch:
        fresh = pathlib.Path(scratch) / "fresh"
        fresh.mkdir()
        make(fresh, pathlib.Path(scratch))
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.rename(target)
    stamp.write_text(source)
    print(f"packages: {name}")


def make_sysroot(target, scratch):
    """Everything of the sysroot packages, in Debian's own places."""
    for deb in download([f"{name}:arm64" for name in SYSROOT], scratch):
        subprocess.run(["dpkg-deb", "-x", deb, target], check=True)
    # Debian's own tree has /lib as a link to /usr/lib; a package unpacked alone does not know that.
    if (target / "lib").is_dir():
        shutil.copytree(target / "lib", target / "usr/lib", symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(target / "lib")
        (target / "lib").symlink_to("usr/lib")
    # Of what Criterion is made of only the shared libraries are here, which is all that it needs.
    criterion = next(target.glob("usr/**/criterion.pc"))
    criterion.write_text(re.sub(r"^Requires.private:.*\n", "", criterion.read_text(), flags=re.M))


def newest_image(meta):
    """The package of the image that a meta-package stands for."""
    update()
    shown = apt("apt-cache", "show", "--no-all-versions", meta)
    depends = re.search(r"^Depends: (linux-image-[^ ,]+)", shown, re.M)
    if depends is None:
        sys.exit(f"packages: {meta} names no image:\n{shown}")
    return depends.group(1)


def make_guest(arch, line):
    """A function that unpacks one kernel and a static busybox for it."""
    deb_arch = DEBIAN[arch]

    def make(target, scratch):
        image = newest_image(KERNELS[line].format(deb=deb_arch) + f":{deb_arch}")
        for deb in download([f"{image}:{deb_arch}", f"busybox-static:{deb_arch}"], scratch):
            names = ["./boot/vmlinuz-*", "./boot/config-*"] if deb.name.startswith("linux-") else ["./bin/busybox"]
            subprocess.run(["sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --wildcards "$3" ${4:+"$4"}',
                            "sh", deb, target, *names], check=True)
        next(target.glob("boot/vmlinuz-*")).rename(target / "kernel")
        next(target.glob("boot/config-*")).rename(target / "config")
        (target / "bin/busybox").rename(target / "busybox")
    return make


def main():
    PACKAGES.mkdir(parents=True, exist_ok=True)
    with open(PACKAGES / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if sys.argv[1:] == ["sysroot"]:
            unpack("aarch64", make_sysroot)
        elif sys.argv[1:] == ["guests"]:
            for arch in DEBIAN:
                for line in KERNELS:
                    unpack(f"guest-{arch}-{line}", make_guest(arch, line))
        else:
            sys.exit("usage: packages.py sysroot | guests")


if __name__ == "__main__":
    os.umask(0o022)
    main()
