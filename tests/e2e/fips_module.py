# SPDX-License-Identifier: Apache-2.0
"""OpenSSL's own FIPS module, built from the source of the distribution, which ships none, under build/packages/.

It is what the long suite of tls.fips needs, three minutes of work for two processors, and validated by nobody. apt works
on lists of its own, made of the machine's: neither dpkg's state nor the machine's lists change.
"""
import fcntl
import pathlib
import platform
import re
import shutil
import subprocess

import laz

TARGET = laz.ROOT / "build" / "packages" / "openssl-fips"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def run(*words, **more):
    done = subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **more)
    laz.check(done.returncode == 0, f"{' '.join(map(str, words))}:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def sources():
    """The machine's sources of its own release, of source packages."""
    release = re.search(r"^VERSION_CODENAME=(\w+)", pathlib.Path("/etc/os-release").read_text(encoding="utf-8"), re.M)[1]
    targets = run("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages")
    rows = {tuple(line.split()) for line in targets.splitlines()}
    found = sorted({f"deb-src [signed-by={KEYRING}] {site} {name} {component}\n" for site, name, component in rows
                    if name.startswith(release) and component == "main"})
    laz.check(found, f"no sources of {release}: {targets}")
    return "".join(found)


def download(folder):
    """The source of OpenSSL, unpacked; its folder."""
    for name in ("lists/partial", "cache/archives/partial", "source"):
        (folder / name).mkdir(parents=True)
    (folder / "sources.list").write_text(sources(), encoding="utf-8")
    options = {"Dir::Etc::sourcelist": folder / "sources.list", "Dir::Etc::sourceparts": "-", "Dir::State::lists": folder / "lists",
               "Dir::Cache": folder / "cache", "APT::Sandbox::User": "root", "Acquire::Languages": "none",
               "APT::Update::Error-Mode": "any"}
    apt = ["apt-get", "-q", *[w for k, v in options.items() for w in ("-o", f"{k}={v}")]]
    run(*apt, "update")
    run(*apt, "source", "--download-only", "--tar-only", "openssl", cwd=folder)
    run("tar", "-x", "--strip-components=1", "-C", folder / "source", "-f", next(folder.glob("openssl_*.orig.tar.*z")))
    return folder / "source"


def build(folder):
    source = download(folder)
    compiler = "ccache gcc" if shutil.which("ccache") else "gcc"
    run("./Configure", "enable-fips", "no-shared", f"linux-{platform.machine()}", f"CC={compiler}", cwd=source)
    run("make", "-j2", "build_generated", cwd=source)
    run("make", "-j2", "providers/fips.so", cwd=source)
    fresh = folder / "fresh"
    fresh.mkdir()
    run("strip", "-o", fresh / "fips.so", source / "providers" / "fips.so")
    run("openssl", "fipsinstall", "-module", fresh / "fips.so", "-out", fresh / "fipsmodule.cnf")
    shutil.rmtree(TARGET, ignore_errors=True)
    fresh.rename(TARGET)


def module():
    """The bytes of fips.so and of fipsmodule.cnf; both are built once."""
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{TARGET}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (TARGET / "fipsmodule.cnf").exists():
            work = pathlib.Path(f"{TARGET}.work")
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            build(work)
            shutil.rmtree(work)
    return (TARGET / "fips.so").read_bytes(), (TARGET / "fipsmodule.cnf").read_bytes()
