#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debian packages that are unpacked under build/packages/ and not installed: what a cross build for aarch64
links, kernels with a busybox for guests, what our own suites need in one, and syslog-ng. packages.py [--long];
--long adds the kernels that only it boots.

apt works on lists and a cache of its own, with arm64 beside the machine's architecture, so that neither dpkg's
state nor the machine's package lists change. What is unpacked stays until this file changes.
"""
import concurrent.futures
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
SYSROOT = """musl-dev libssl-dev libyaml-dev libseccomp-dev libseccomp2
libevent-dev
zlib1g-dev
libcriterion-dev libcriterion3 libffi8 libnanomsg5 libgit2-1.5 libhttp-parser2.9 libmbedcrypto7 libmbedtls14
libmbedx509-1 libpcre2-8-0 libssh2-1 zlib1g libssl3 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0
libcom-err2 libkeyutils1 libc6 libgcc-s1""".split()

# What the suites of tests/e2e start, beside the libraries above.
USERLAND = """bash busybox-static catatonit dumb-init libblkid1 libbz2-1.0 libcap-ng0 libcrypt1 libexpat1 liblzma5
libmount1 libpython3.11-minimal libpython3.11-stdlib libselinux1 libsmartcols1 libtinfo6 libunwind8 libuuid1
python3.11-minimal strace tini util-linux util-linux-extra""".split()

# A collector for the suites of the sinks, for this machine. Debian installs it only in rsyslog's place.
SYSLOG_NG = """syslog-ng-core libcap2 libcom-err2 libffi8 libgcrypt20 libglib2.0-0 libgpg-error0 libgssapi-krb5-2
libivykis0 libjson-c5 libk5crypto3 libkeyutils1 libkrb5-3 libkrb5support0 liblz4-1 liblzma5 libnet1 libnsl2 libpcre3
libpcre2-8-0 libssl3 libsystemd0 libtirpc3 libwrap0 libzstd1 zlib1g""".split()

# Guest -> the meta-package that names the newest image of its line. The cloud flavours leave drivers out, so they
# are the smallest and boot fastest.
KERNELS = {
    ("x86_64", "6.1"): "linux-image-cloud-amd64:amd64",
    ("aarch64", "6.1"): "linux-image-cloud-arm64:arm64",
    ("aarch64", "6.12"): "linux-image-6.12-cloud-arm64:arm64",
    ("x86_64", "6.12"): "linux-image-6.12-cloud-amd64:amd64",
}
ONLY_LONG = [("x86_64", "6.12")]


def run(*words, **more):
    """A program that has to work; what it printed."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, **more)
    if done.returncode != 0:
        sys.exit(f"packages: {' '.join(map(str, words))}:\n{done.stdout}{done.stderr}")
    return done.stdout


def apt(program, *words, **more):
    """Run an apt program on our own lists."""
    state = PACKAGES / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    options = {"APT::Architectures::": "arm64", "Acquire::Languages": "none", "Dir::State::lists": state / "lists",
               "Dir::Cache": state / "cache", "APT::Sandbox::User": "root"}
    return run(program, "-q", *[w for k, v in options.items() for w in ("-o", f"{k}={v}")], *words, **more)


def newest_images(metas):
    """Meta-package -> the package of the image that it stands for now, both with their architectures."""
    shown = apt("apt-cache", "show", "--no-all-versions", *metas)
    found = {}
    for record in shown.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Architecture|Depends): (.*)$", record, re.M))
        image = re.match(r"linux-image-[^ ,]+", fields.get("Depends", ""))
        if image is not None:
            found[f"{fields['Package']}:{fields['Architecture']}"] = f"{image.group()}:{fields['Architecture']}"
    missing = sorted(set(metas) - set(found))
    if missing:
        sys.exit(f"packages: no kernel of {', '.join(missing)} here:\n{shown}")
    return found


def make_userland(target, debs):
    """Everything of packages, in Debian's own places."""
    for deb in debs:
        run("dpkg-deb", "-x", deb, target)
    # Debian's own tree has /lib as a link to /usr/lib; a package unpacked alone does not know that.
    for name in ("bin", "lib", "sbin"):
        if (target / name).is_dir():
            shutil.copytree(target / name, target / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(target / name)
            (target / name).symlink_to(f"usr/{name}")


def make_sysroot(target, debs):
    """The same, and Criterion such that it can be linked."""
    make_userland(target, debs)
    # Of what Criterion is made of only the shared libraries are here, which is all that it needs.
    criterion = next(target.glob("usr/**/criterion.pc"))
    criterion.write_text(re.sub(r"^Requires.private:.*\n", "", criterion.read_text(), flags=re.M))


def make_guest(target, debs):
    """A kernel and a static busybox."""
    for deb in debs:
        name = "./boot/vmlinuz-*" if deb.name.startswith("linux-") else "./bin/busybox"
        run("sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --wildcards "$3"', "sh", deb, target, name)
    next(target.glob("boot/vmlinuz-*")).rename(target / "kernel")
    (target / "bin/busybox").rename(target / "busybox")
    for folder in ("boot", "bin"):
        (target / folder).rmdir()


def wanted(long):
    """Folder -> (its packages, how it is made). A kernel is still named by its meta-package."""
    own = run("dpkg", "--print-architecture").strip()
    found = {"aarch64": ([f"{name}:arm64" for name in SYSROOT], make_sysroot),
             "userland-aarch64": ([f"{name}:arm64" for name in USERLAND], make_userland),
             "syslog-ng": ([f"{name}:{own}" for name in SYSLOG_NG], make_userland)}
    for key, meta in KERNELS.items():
        if long or key not in ONLY_LONG:
            found["guest-" + "-".join(key)] = ([meta, f"busybox-static:{meta.partition(':')[2]}"], make_guest)
    return found


def files_of(names, debs):
    """The .deb files of packages, among those that were downloaded."""
    found = []
    for name in names:
        package, _, arch = name.partition(":")
        found.append(next(d for d in debs if d.name.startswith(package + "_") and d.name.endswith(f"_{arch}.deb")))
    return found


def unpack(name, names, make, scratch):
    """One folder, complete or not at all."""
    fresh = scratch / "fresh" / name
    fresh.mkdir(parents=True)
    make(fresh, files_of(names, list(scratch.glob("*.deb"))))
    shutil.rmtree(PACKAGES / name, ignore_errors=True)
    fresh.rename(PACKAGES / name)
    (PACKAGES / f"{name}.stamp").write_text(source_digest())
    print(f"packages: {name}", flush=True)


def source_digest():
    return hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()


def is_there(name):
    stamp = PACKAGES / f"{name}.stamp"
    return (PACKAGES / name).is_dir() and stamp.exists() and stamp.read_text() == source_digest()


def main():
    if sys.argv[1:] not in ([], ["--long"]):
        sys.exit("usage: packages.py [--long]")
    PACKAGES.mkdir(parents=True, exist_ok=True)
    with open(PACKAGES / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = {name: how for name, how in wanted(bool(sys.argv[1:])).items() if not is_there(name)}
        if not missing:
            return
        apt("apt-get", "update")
        metas = [n for names, _ in missing.values() for n in names if n in KERNELS.values()]
        images = newest_images(metas) if metas else {}
        missing = {name: ([images.get(n, n) for n in names], make) for name, (names, make) in missing.items()}
        with tempfile.TemporaryDirectory(dir=PACKAGES) as scratch:
            scratch = pathlib.Path(scratch)
            apt("apt-get", "download", *sorted({n for names, _ in missing.values() for n in names}), cwd=scratch)
            print(f"packages: {sum(d.stat().st_size for d in scratch.glob('*.deb')) >> 20} MiB", flush=True)
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda item: unpack(item[0], *item[1], scratch), missing.items()))


if __name__ == "__main__":
    os.umask(0o022)
    main()
