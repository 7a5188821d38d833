# SPDX-License-Identifier: Apache-2.0
"""Our own suites, run inside a guest: what init promises as PID 1, on the architecture that no machine here has.

The guest holds Debian's Python and what else the suites start, the tests, and the programs built for it. A case
here is a suite there. Left out are cases that measure time, which passes differently under emulation, and those
for which the guest lacks something; that list is below, with the reasons.
"""
import os
import pathlib
import re
import subprocess
import sys

import fence
import guests
import laz
from laz import case, check

HERE = pathlib.Path(__file__).resolve().parent
ARCH, LINE = "aarch64", "6.1"
BIN = pathlib.Path(os.environ.get("LAZARET_BIN_AARCH64", laz.ROOT / "build" / "aarch64" / "bin"))
USERLAND = guests.PACKAGES / "userland-aarch64"
SYSROOT = guests.PACKAGES / "aarch64"

# Suite -> cases that are left out. Two guests share them.
MEASURES = "it measures time"
SUITES = (
    {
        "policy_file": {},
        "events": {},
        "pid1_signals": {"held and then delivered in order of arrival": "all arrive at once where init is this slow"},
        "pid1_strays": {"with nothing left to wait for": MEASURES, "5,000 zombies": MEASURES,
                        "under tini a signal waits": MEASURES,
                        "when no more processes can be made": "no control groups of the first version",
                        "a frozen and thawed container": "likewise"},
    },
    {
        "pid1_status": {},
        "pid1_inherited": {},
        "pid1_secrecy": {},
        "pid1_terminal": {},
        "pid1_nested": {},
        "cli_doctor": {},
    },
)
SAMPLE = ("policy_file", "events")

PREPARE = """mkdir -p /dev/shm /dev/pts
mount -t devpts devpts /dev/pts; mount -t tmpfs shm /dev/shm; mount -t tmpfs -o mode=1777 tmp /tmp
ifconfig lo 127.0.0.1 up
echo 60000 >/proc/sys/kernel/threads-max; ulimit -n 65536; ulimit -u 50000
cd /source; export PATH=/usr/bin:/usr/sbin
"""


def program(name):
    path = BIN / name
    if not path.exists():
        laz.skip(f"{path} does not exist: build the preset aarch64 first (or set LAZARET_BIN_AARCH64)")
    return path


def cross_compile(*words):
    done = subprocess.run(["aarch64-linux-gnu-gcc", *words], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"aarch64-linux-gnu-gcc: {done.stderr}")
    return done.stdout


def fill(archive, _):
    """A Debian without dpkg: userland, tests, programs."""
    if not USERLAND.exists() or not SYSROOT.exists():
        laz.skip("no userland for aarch64: run tests/e2e/kernels/packages.py")
    archive.merge_usr()
    libraries = "usr/lib/aarch64-linux-gnu"
    for root in (SYSROOT, USERLAND):
        archive.tree("/usr/lib", root / "usr/lib", without=("locale", "ssl", "aarch64-linux-musl"))
    for path in [p for p in archive.entries if p.startswith(f"/{libraries}/") and p.endswith(".a")]:
        del archive.entries[path]
    archive.tree("/usr/bin", USERLAND / "usr/bin")
    archive.tree("/usr/sbin", USERLAND / "usr/sbin")
    archive.link("/usr/bin/python3", "python3.11")
    archive.put("/etc/passwd", "root:x:0:0:root:/:/bin/sh\n")
    archive.put("/etc/group", "root:x:0:\n")
    archive.folder("/image")
    archive.folder("/run")
    fill_source(archive)


def fill_source(archive):
    """The tree as the suites know it, with their helper programs built already."""
    archive.tree("/source/tests", laz.ROOT / "tests", without=("fuzz", "unit", "e2e/__pycache__"))
    archive.tree("/source/policies", laz.ROOT / "policies")
    archive.tree("/source/docs", laz.ROOT / "docs")
    for name in ("lazaret", "lazaret-init", "lazaret-setup", "lazaret-helper"):
        archive.put(f"/source/build/release/bin/{name}", program(name), 0o755)
    for name, sources in fence.PROGRAMS.items():
        out = guests.scratch() / name
        cross_compile(*fence.FLAGS, *[HERE / "probe" / source for source in sources], "-o", out)
        archive.put(f"/source/build/e2e-probe/{name}", out, 0o755)
    # The suites ask the compiler for the numbers of system calls; this is all that it can say here.
    archive.put("/usr/share/numbers", cross_compile("-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"))
    archive.put("/usr/bin/gcc", "#!/bin/busybox sh\nexec cat /usr/share/numbers\n", 0o755)


def job(suite, left_out):
    words = " ".join("'--but=" + name + "'" for name in left_out)
    return PREPARE + f"LAZARET_ALLOW_SKIPS=1 python3 tests/e2e/{suite}_test.py {words} 2>&1\n"


def declare_guests():
    """Guests by number, of which a sample starts one."""
    found = {}
    for number, suites in enumerate(SUITES):
        jobs = {suite: job(suite, left_out) for suite, left_out in suites.items() if laz.LONG or suite in SAMPLE}
        if jobs:
            found[number] = guests.Guest(ARCH, LINE, fill, jobs, memory_mib=2048, limit_s=1200)
    return found


def check_suite(number, suite):
    result = POOL.get(number).result(suite)
    counts = re.search(r"^\w+: (\d+) passed, (\d+) failed, (\d+) skipped$", result.out, re.M)
    wrong = [line for line in result.out.splitlines() if not line.startswith("ok ")]
    check(result.code == 0 and counts is not None and int(counts.group(1)) > 0, "\n  ".join([f"exit {result.code}", *wrong]))
    print("     " + counts.group())
    for line in wrong:
        if line.startswith("skip"):
            print("     " + line)


def declare_cases():
    for number, guest in GUESTS.items():
        for suite in guest.jobs:
            case(f"{guest.name}: {suite}")(lambda number=number, suite=suite: check_suite(number, suite))


if __name__ == "__main__":
    GUESTS = declare_guests()
    POOL = guests.Pool(GUESTS, together=all(word.startswith("-") for word in sys.argv[1:]))
    declare_cases()
    laz.main()
