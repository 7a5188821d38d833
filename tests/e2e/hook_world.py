# SPDX-License-Identifier: Apache-2.0
"""A host of lazaret-hook's own: runc or crun in a fence whose /etc, /run and /var/log are empty but for what a case
puts there, bundles with the entries that the shim would write, and the tree that nothing may change.

Hooks are run by the runtimes themselves; what no runtime would hand over is handed over by hand.
"""
import collections
import copy
import ctypes
import functools
import hashlib
import itertools
import json
import os
import pathlib
import re
import struct

import area
import laz
import rootfs
from laz import check, check_equal

HASH = "0123456789abcdef" * 2
UID = 10008
SECRETS = "/run/lazaret/host-secrets"
SOURCE = "/etc/lazaret/secrets.d"
LEDGER = "/var/log/lazaret/host-audit.jsonl"
TMPFS = {"destination": SECRETS, "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "nodev", "noexec", "mode=0711", "size=4m"]}
POLICY = f"""\
version: 1
extends: [builtin/static]
workload: {{user: "{UID}:{UID}"}}
filesystem: {{read-exec: [/bin], read: [/run]}}
secrets:
  items:
    - {{name: db-password, from: {{file: {SECRETS}/db}}, file: {{path: db}}}}
    - {{name: api-key, from: {{file: {SECRETS}/api.key}}, fd: {{number: 20, variable: API_KEY_FD}}}}
    - {{name: perhaps, from: {{file: {SECRETS}/perhaps}}, optional: true, file: {{path: perhaps}}}}
"""
# What callers of runtimes take for another failure.
MISLEADING = re.compile("no such file|permission denied|executable file not found", re.I)
IN_MODIFY, IN_ATTRIB, IN_MOVED, IN_CREATE, IN_DELETE = 0x2, 0x4, 0xC0, 0x100, 0x200

_numbers = itertools.count(1)


def hook():
    """The program under test."""
    return area.program("lazaret-hook")


@functools.cache
def policy_digest(text=POLICY):
    """What the shim would record: the digest that `lazaret policy check` prints."""
    path = area.root() / f"policy-{hashlib.sha256(text.encode()).hexdigest()[:8]}.yaml"
    path.write_text(text)
    said = area.run([area.program("lazaret"), "policy", "check", path])
    found = re.search(r"[0-9a-f]{64}", said.out)
    check(found, f"no digest: {said}")
    return found[0]


# ---- Runtimes ----------------------------------------------------------------------------------------


class Runtime:
    """runc or crun, in a fence of its own, with a host's files of its own."""

    def __init__(self, name):
        self.name = name
        self.path = area.require_program(name)
        self.fence = area.Fence()
        self.state = area.folder(f"state-{name}")
        if name == "crun":  # it takes no mixture of both versions of control groups
            self.must("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
        for path in ("/etc", "/run", "/var/log"):
            self.must("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", path)
        self.set_up()

    def must(self, *words):
        done = area.run(self.fence.command(*words))
        check_equal(done.code, 0, f"{words}: {done.out}{done.err}")

    def host(self, path):
        """A path of the host as this runtime and its hooks see it."""
        return pathlib.Path(f"/proc/{self.fence.pid}/root{path}")

    def put(self, path, text, mode=0o644, owner=(0, 0)):
        """A file of the host; None: it is gone."""
        target = self.host(path)
        if text is None:
            target.unlink(missing_ok=True)
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        return rootfs.put(target.parent, target.name, text, mode, owner)

    def set_up(self):
        """The host as its administrator has left it."""
        for path in ("/etc/lazaret", "/var/log/lazaret", "/run/lazaret"):
            area.run(self.fence.command("rm", "-rf", path))
        self.put("/etc/lazaret/runtime.yaml", f"version: 1\nruntime: {self.path}\ndefault-policy: task\n")
        self.put("/etc/lazaret/policies.d/task.yaml", POLICY)
        self.values = {"db": f"db-{os.urandom(12).hex()}", "api.key": f"key-{os.urandom(12).hex()}"}
        for name, value in self.values.items():
            self.put(f"{SOURCE}/task/{name}", value, 0o600)
        folder = self.host(f"/run/lazaret/{HASH}")
        folder.mkdir(parents=True, mode=0o700)

    def record(self, name, bundle, **changes):
        """What the shim remembers of a container."""
        config = bundle / "config.json"
        digest = hashlib.sha256(config.read_bytes()).hexdigest() if config.is_file() else "0" * 64
        said = {"version": 1, "policy": "task", "policy-digest": policy_digest(), "config-digest": digest,
                "mode": "enforce", "process-digest": "0" * 64, "nameless-digest": "0" * 64, "ecs-agent": "", "loosened": False,
                **changes}
        self.put(f"/run/lazaret/{HASH}/{name}.json", json.dumps(said) + "\n", 0o600)

    def call(self, *words, timeout=60):
        """The runtime itself."""
        return area.run(self.fence.command(self.path, "--root", self.state, *words), timeout=timeout)

    def run(self, bundle, *, known=True, **record):
        """Run a bundle to its end, as the shim would have: the Result, and the container's name."""
        name = f"{self.fence.cgroup}-{next(_numbers)}"
        if known:
            self.record(name, bundle, **record)
        try:
            return self.call("run", "--bundle", bundle, name), name
        finally:
            self.call("delete", "--force", name)

    def ledger(self):
        """The records on the host, each with its place and its hash in order."""
        path = self.host(LEDGER)
        text = path.read_text() if path.exists() else ""
        before = "0" * 64
        records = []
        for number, line in enumerate(text.splitlines(keepends=True)):
            record = json.loads(line)
            check_equal((record["seq"], record["prev"]), (number, before), f"line {number}")
            check_equal(list(record)[:12], ["lz", "ev", "sev", "seq", "task", "ctr", "pid", "exe", "obj", "act",
                                            "ts", "prev"], "keys")
            before = hashlib.sha256(line.encode()).hexdigest()
            records.append(record)
        return records

    def direct(self, verb, document, *, timeout=60, words=(HASH,), env=None):
        """lazaret-hook itself, with a state document of ours on stdin."""
        with open(area.root() / f"state-{next(_numbers)}.json", "wb+") as file:
            file.write(document if isinstance(document, bytes) else json.dumps(document).encode())
            file.seek(0)
            return area.run(self.fence.command(hook(), verb, *words), stdin=file, timeout=timeout, env=env)

    def mounts(self):
        """What is mounted on the host."""
        return sorted(self.host("/proc/1/mountinfo").read_text().splitlines())


@functools.cache
def runtime(name):
    """One of each for a suite."""
    return Runtime(name)


def runtimes():
    """Both, in their first state."""
    for name in ("runc", "crun"):
        made = runtime(name)
        made.set_up()
        yield made


# ---- Bundles -----------------------------------------------------------------------------------------


@functools.cache
def image():
    """What bundles copy."""
    root = rootfs.scratch_root("hook-image")
    busybox = pathlib.Path(area.require_program("busybox"))
    rootfs.put(root, "/bin/busybox", busybox, 0o755)
    for name in ("sh", "cat", "stat", "id", "ls", "umount", "mount", "env", "sleep", "true", "tar"):
        (root / "bin" / name).symlink_to("busybox")
    return root


def entry(verb, **changes):
    """As the shim writes it."""
    words = [f"{name}={os.environ[name]}" for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ]
    return {"path": str(hook()), "args": ["lazaret-hook", verb, HASH], "env": ["PATH=/usr/bin:/bin", *words], "timeout": 10,
            **changes}


def config(args=("true",), user=UID, caps=()):
    """A config.json with the three entries and the mount for secrets."""
    names = [f"CAP_{cap}" for cap in caps]
    mounts = [{"destination": "/proc", "type": "proc", "source": "proc"},
              {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]}]
    return {
        "ociVersion": "1.0.2", "root": {"path": "rootfs", "readonly": False},
        "process": {"terminal": False, "user": {"uid": user, "gid": user}, "args": list(args), "cwd": "/",
                    "env": ["PATH=/bin"], "noNewPrivileges": True,
                    "capabilities": {kind: names for kind in ("bounding", "effective", "permitted")}},
        "mounts": [*mounts, copy.deepcopy(TMPFS)],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]},
        "hooks": {"createRuntime": [entry("audit-create")], "createContainer": [entry("secrets")],
                  "poststop": [entry("audit-end")]}}


def bundle(said=None):
    """A new bundle with this config.json."""
    made = area.folder(f"bundle-{next(_numbers)}")
    root = made / "rootfs"
    area.run(["cp", "-a", image(), root])
    (made / "config.json").write_text(json.dumps(config() if said is None else said))
    return made


# ---- What may not change -----------------------------------------------------------------------------

Seen = collections.namedtuple("Seen", "mode owner links size mtime ctime inode content")


class Canary:
    """Files of the host that no hook has anything to do with, or a folder of it, watched while a case runs."""

    def __init__(self, folder=None):
        self.root = folder or area.folder(f"canary-{next(_numbers)}")
        if folder is None:
            for name in ("db", "api.key", "file", "sub/db", "host-secrets/db", "lazaret/host-secrets/db"):
                rootfs.put(self.root, name, f"canary of {name}", 0o644)
        self.before = self.look()
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        mask = IN_MODIFY | IN_ATTRIB | IN_MOVED | IN_CREATE | IN_DELETE
        for folder, _, _ in os.walk(self.root):
            check(libc.inotify_add_watch(self.fd, folder.encode(), mask) >= 0, "inotify")

    def look(self):
        seen = {}
        for folder, folders, files in os.walk(self.root):
            for name in [*folders, *files]:
                path = pathlib.Path(folder, name)
                at = path.lstat()
                content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
                seen[str(path)] = Seen(at.st_mode, (at.st_uid, at.st_gid), at.st_nlink, at.st_size, at.st_mtime_ns,
                                       at.st_ctime_ns, at.st_ino, content)
        return seen

    def events(self):
        """(mask, name) of what was done below it meanwhile."""
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return []
        found, at = [], 0
        while at < len(data):
            _, mask, _, length = struct.unpack_from("iIII", data, at)
            found.append((mask, data[at + 16:at + 16 + length].rstrip(b"\0").decode()))
            at += 16 + length
        return found

    def check_untouched(self, what):
        check_equal(self.events(), [], f"{what}: events below {self.root}")
        check_equal(self.look(), self.before, f"{what}: files below {self.root}")

    def close(self):
        os.close(self.fd)


def check_refused(done, error, words, what):
    """One line of ours by that name, in words that no caller takes for something else."""
    laz.check(done.code != 0, f"{what}: exit 0")
    check(f"lazaret-hook: error: {error}: " in done.err, f"{what}: no {error}: {done.err}")
    check(words in done.err, f"{what}: not \"{words}\": {done.err}")
    check(not MISLEADING.search(done.err), f"{what}: taken for something else: {done.err}")
