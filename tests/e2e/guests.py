# SPDX-License-Identifier: Apache-2.0
"""Machines with another kernel: boots one under QEMU's emulation, runs jobs in it, brings back what they said.

A guest is a Debian kernel and an initramfs that is written here, file by file, without touching the disk or
needing root. Its first process is kernels/guest.sh. Emulated, never accelerated: then every machine can run
it. What packages.py has not unpacked, or a missing emulator, is a skip.
"""
import base64
import collections
import concurrent.futures
import gzip
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import zlib

import laz

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = laz.ROOT / "build" / "packages"
BOOT_LIMIT_S = 3600 if laz.LONG else 600

Result = collections.namedtuple("Result", "code out err uptime")

# pauth-impdef: the architected algorithm for pointer authentication is slow to emulate, this one is not.
MACHINES = {
    "x86_64": ("qemu-system-x86_64", "q35", "max", "ttyS0"),
    "aarch64": ("qemu-system-aarch64", "virt", "max,pauth-impdef=on", "ttyAMA0"),
}


def scratch():
    """A folder for what is made here, gone at the end."""
    if not hasattr(scratch, "folder"):
        scratch.folder = tempfile.TemporaryDirectory(prefix="laz-guests-")
    return pathlib.Path(scratch.folder.name)


class Archive:
    """An initramfs: entries with the owner and mode that they shall have (cpio, "newc")."""

    def __init__(self):
        self.entries = {}

    def _add(self, path, mode, owner, content=b"", device=(0, 0)):
        for parent in reversed(pathlib.PurePosixPath(path).parents):
            if str(parent) not in ("/", ".") and str(parent) not in self.entries:
                self.entries[str(parent)] = (0o40755, (0, 0), b"", (0, 0))
        self.entries[path] = (mode, owner, content, device)

    def put(self, path, content, mode=0o644, owner=(0, 0)):
        """A file: bytes, text, or a Path to copy."""
        if isinstance(content, pathlib.Path):
            content = content.read_bytes()
        elif isinstance(content, str):
            content = content.encode()
        self._add(path, 0o100000 | mode, owner, content)

    def folder(self, path, mode=0o755, owner=(0, 0)):
        self._add(path, 0o40000 | mode, owner)

    def link(self, path, target):
        self._add(path, 0o120777, (0, 0), target.encode())

    def device(self, path, major, minor):
        self._add(path, 0o20600, (0, 0), device=(major, minor))

    def tree(self, path, folder, without=()):
        """A folder with all that is in it, links as links; `without`: what is left out, by its beginning."""
        for source in sorted(folder.rglob("*")):
            inside = str(source.relative_to(folder))
            if inside.startswith(tuple(without)):
                continue
            if source.is_symlink():
                self.link(f"{path}/{inside}", os.readlink(source))
            elif source.is_file():
                self.put(f"{path}/{inside}", source, source.stat().st_mode & 0o7777)

    def merge_usr(self):
        """/bin, /lib and /sbin become links into /usr, as in Debian; what they hold so far moves along."""
        for name in ("bin", "lib", "sbin"):
            for path in [p for p in self.entries if p.startswith(f"/{name}/")]:
                self._add("/usr" + path, *self.entries.pop(path))
            self.entries.pop(f"/{name}", None)
            self.link(f"/{name}", f"usr/{name}")

    @staticmethod
    def _encode(number, path, mode, owner, content, device):
        name = path.lstrip("/").encode() + b"\0"
        fields = (number, mode, *owner, 1, 0, len(content), 0, 0, *device, len(name), 0)
        head = b"070701" + b"".join(b"%08x" % f for f in fields) + name
        head += b"\0" * (-len(head) % 4)
        return head + content + b"\0" * (-len(content) % 4)

    def write(self, path):
        with open(path, "wb") as out:
            for number, (name, entry) in enumerate(self.entries.items(), 1):
                out.write(self._encode(number, name, *entry))
            out.write(self._encode(0, "TRAILER!!!", 0, (0, 0), b"", (0, 0)))


def require(arch, line):
    """The folder of a kernel that packages.py has unpacked; skips the case if it, or the emulator, is not there."""
    if shutil.which(MACHINES[arch][0]) is None:
        laz.skip(f"{MACHINES[arch][0]} is not installed")
    folder = PACKAGES / f"guest-{arch}-{line}"
    if not (folder / "kernel").exists():
        laz.skip(f"no kernel {line} for {arch}: run tests/e2e/kernels/packages.py guests")
    return folder


def compile_cell(arch, out):
    """The program that makes a container in a guest."""
    source = HERE / "kernels" / "cell.c"
    flags = "-std=gnu17 -O2 -static -D_GNU_SOURCE -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Werror".split()
    done = subprocess.run([f"{arch}-linux-gnu-gcc", *flags, source, "-o", out], capture_output=True, text=True,
                          check=False)
    laz.check(done.returncode == 0, f"cell does not compile: {done.stderr}")


def _decode(lines):
    """A base64 of a gzip, as the guest writes files."""
    return gzip.decompress(base64.b64decode("".join(lines))).decode(errors="replace")


def read_console(text):
    """The Results between the marks of guest.sh, by job."""
    results = {}
    pattern = r"^@@job (\S+) (\d+) (\S+)\n([^@]*)^@@err\n([^@]*)^@@end$"
    for name, code, uptime, out, err in re.findall(pattern, text, re.M):
        try:
            results[name] = Result(int(code), _decode(out.split()), _decode(err.split()), float(uptime))
        except (ValueError, OSError, EOFError, zlib.error):
            continue  # something wrote into it: the job counts as not run, and the console is shown
    return results


class Guest:
    """One boot. Results come by job name; a job that did not come back fails the case, with the console's end."""

    def __init__(self, arch, line, fill, jobs, parameters="", memory_mib=1024, limit_s=180):
        self.arch, self.line, self.fill, self.jobs, self.parameters = arch, line, fill, jobs, parameters
        self.memory_mib, self.limit_s = memory_mib, limit_s  # limit_s: of each job
        self.name = f"{arch} {line}" + (f" {parameters}" if parameters else "")
        self.console, self.results = "", {}

    def boot(self):
        """Run all jobs, to the end of the machine."""
        folder = require(self.arch, self.line)
        with tempfile.TemporaryDirectory(prefix="laz-guest-") as scratch:
            scratch = pathlib.Path(scratch)
            archive = Archive()
            for path in ("/dev", "/proc", "/sys", "/cell"):
                archive.folder(path)
            archive.folder("/tmp", 0o1777)
            archive.device("/dev/console", 5, 1)
            archive.put("/bin/busybox", folder / "busybox", 0o755)
            archive.put("/init", HERE / "kernels" / "guest.sh", 0o755)
            archive.put("/limit", str(self.limit_s))
            compile_cell(self.arch, scratch / "cell")
            archive.put("/bin/cell", scratch / "cell", 0o755)
            self.fill(archive, self)
            for number, (name, script) in enumerate(self.jobs.items()):
                laz.check(re.fullmatch(r"[\w.,-]+", name), f"{name}: no name for a job")
                archive.put(f"/jobs/{number:03}.{name}", script)
            archive.write(scratch / "initramfs")
            self._run(folder / "kernel", scratch)
        self.results = {name.partition(".")[2]: r for name, r in read_console(self.console).items()}
        return self

    def _run(self, kernel, scratch):
        program, machine, cpu, console = MACHINES[self.arch]
        words = [program, "-machine", machine, "-accel", "tcg", "-cpu", cpu, "-smp", "2", "-m", str(self.memory_mib),
                 "-nodefaults", "-no-reboot", "-display", "none", "-serial", f"file:{scratch / 'console'}",
                 "-kernel", kernel, "-initrd", scratch / "initramfs",
                 "-append", f"console={console} quiet panic=-1 {self.parameters}"]
        with open(scratch / "errors", "wb") as errors:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
            try:
                process.wait(BOOT_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        seen = (scratch / "console").read_bytes() if (scratch / "console").exists() else b""
        self.console = seen.decode(errors="replace").replace("\r\n", "\n")
        self.console += (scratch / "errors").read_text(errors="replace")

    def result(self, job):
        """What a job said."""
        end = self.console.rpartition("@@end\n")[2][-3000:]
        laz.check(job in self.results, f"{self.name}: {job} did not come back; the console ends with:\n{end}")
        return self.results[job]


class Pool:
    """Guests that boot side by side, each at its first use, or all when the first is asked for."""

    def __init__(self, guests, together):
        self.guests, self.together = guests, together
        self.executor = concurrent.futures.ThreadPoolExecutor(2)
        self.futures = {}

    def get(self, key):
        """A guest that has been booted; what went wrong then comes up here."""
        for name in self.guests if self.together else [key]:
            if name not in self.futures:
                self.futures[name] = self.executor.submit(self.guests[name].boot)
        return self.futures[key].result()
