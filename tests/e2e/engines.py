# SPDX-License-Identifier: Apache-2.0
"""Real container engines for end-to-end suites: runc, and a dockerd of our own.

Everything runs behind a fence: a PID and mount namespace whose first process dies with this one, so that a
suite that crashes leaves no process and no mount. Folders and control groups are removed at exit. Never
touches an engine, an image or a container that it did not make. Needs root; a missing engine is a skip.
"""
import atexit
import collections
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

import laz

APP_UID = 10001
APP_USER = f"{APP_UID}:{APP_UID}"

# Docker's default capabilities.
DOCKER_CAPS = """CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP
NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE""".split()

PREFIX = "lazaret-e2e-"  # of everything that outlives a process: folders, control groups

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Result = collections.namedtuple("Result", "code out err")

_area = None
_fence = None


# ---- The area: one folder, removed at exit ----------------------------------------------------------


def area():
    """The suite's temporary folder. Removed at exit, with whatever is in it."""
    global _area
    if _area is None:
        _sweep()
        _area = pathlib.Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        _area.chmod(0o755)
        atexit.register(shutil.rmtree, _area, ignore_errors=True)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))  # so that atexit runs
    return _area


def _sweep():
    """Remove what runs left behind that were killed: their processes and mounts are gone already."""
    for left in pathlib.Path(tempfile.gettempdir()).glob(PREFIX + "*-*"):
        pid = left.name[len(PREFIX):].split("-")[0]
        if not pathlib.Path("/proc", pid).exists():
            shutil.rmtree(left, ignore_errors=True)
            _remove_cgroups(PREFIX + pid)


def folder(name):
    """A new empty folder inside the area."""
    path = area() / name
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
        deadline = time.monotonic() + 5
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


# ---- Terminals ---------------------------------------------------------------------------------------


class Terminal:
    """A pseudo-terminal with a command on it, as its controlling terminal."""

    def __init__(self, words, env=None):
        self.master, slave = pty.openpty()
        self.seen = b""
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *map(str, words)], stdin=slave, stdout=slave,
            stderr=slave, env=env, close_fds=True)
        os.close(slave)

    def send(self, text):
        """Type."""
        os.write(self.master, text.encode())

    def _pump(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            more = os.read(self.master, 65536)
        except OSError:  # the other end is closed
            return False
        self.seen += more
        return bool(more)

    def wait_for(self, text, timeout=20):
        """Read until the text has appeared; fails the case if it does not."""
        deadline = time.monotonic() + timeout
        while text.encode() not in self.seen and time.monotonic() < deadline:
            if not self._pump(0.1):
                break
        laz.check(text.encode() in self.seen, f"no {text!r} on the terminal: {self.seen!r}")

    def finish(self, timeout=30):
        """Read until the command ends: its exit code, and all that was on the terminal."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self._pump(0.1):
            if self.process.poll() is not None:
                while self._pump(0.05) and select.select([self.master], [], [], 0)[0]:
                    pass
                break
        try:
            code = self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = None
        os.close(self.master)
        laz.check(code is not None, f"still running after {timeout} s: {self.seen!r}")
        return Result(code, self.seen.decode(errors="replace"), "")


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
    return Result(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


# ---- Root file systems -------------------------------------------------------------------------------


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
    for name in ("lazaret-init", "lazaret-setup"):
        put(root, f"{where}/{name}", program(name), 0o755)


def scratch_root(name):
    """An empty image: nothing but the folders that a runtime needs to mount on, and /tmp."""
    root = folder(name)
    for path in ("/proc", "/sys", "/dev", "/etc"):
        put_folder(root, path)
    put_folder(root, "/tmp", 0o1777)
    return root


def busybox_root(name):
    """A root file system of Debian's busybox-static, with a link for each of its commands."""
    busybox = pathlib.Path(require_program("busybox"))
    root = scratch_root(name)
    put_users(root)
    put(root, "/bin/busybox", busybox, 0o755)
    for path in run([busybox, "--list-full"]).out.split():
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
    files = run(["dpkg", "-L", *DEBIAN_PACKAGES]).out.splitlines()
    wanted = {path for path in files if not path.startswith(("/usr/share", "/usr/lib/locale"))}
    programs = [path for path in wanted if os.access(path, os.X_OK) and os.path.isfile(path)]
    for line in run(["ldd", *programs]).out.splitlines():
        wanted.update(word for word in line.split() if word.startswith("/") and word[-1] != ":")
    for path in sorted(wanted):
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
    path = area() / (root.name + ".tar")
    with tarfile.open(path, "w") as tar:
        tar.add(root, arcname=".")
    return path


# ---- Seccomp profiles for an engine ------------------------------------------------------------------


def profile_without(*names):
    """An OCI profile that allows everything, and answers ENOSYS to the named calls."""
    archs = {"x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
             "aarch64": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]}[os.uname().machine]
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": archs,
            "syscalls": [{"names": list(names), "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}


def profile_without_landlock():
    """As on a kernel that was built without Landlock."""
    return profile_without(
        "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")


def _start_beside(engine, name, args, user):
    """Start a command in a container that is about to come up: the thread that does it, or None."""
    if args is None:
        return None
    helper = threading.Thread(target=engine.exec_detached, args=(name, args, user))
    helper.start()
    return helper


# ---- runc --------------------------------------------------------------------------------------------


def all_capabilities():
    """The names of the capabilities that this process could have: runc cannot give more."""
    status = pathlib.Path("/proc/self/status").read_text()
    bounding = int(status.split("CapBnd:")[1].split()[0], 16)
    names = """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
    LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE
    SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
    SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
    WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE""".split()
    return [name for number, name in enumerate(names) if bounding >> number & 1]


def _mount(destination, kind, *options):
    return {"destination": destination, "type": kind, "source": kind, "options": list(options)}


class Runc:
    """Containers by runc alone, each from a bundle that is written for it."""

    def __init__(self):
        self.path = require_program("runc")
        self.fence = fence()
        self.state = area() / "runc"
        self.count = 0

    def _config(self, rootfs, args, user, caps, env, readonly, terminal, seccomp, open_wide, cwd,
                mounts):
        uid, gid = (int(part) for part in user.split(":"))
        named = ["CAP_" + cap for cap in caps]
        own = named if uid == 0 else []
        ro = [] if open_wide else ["ro"]
        process = {
            "terminal": terminal, "user": {"uid": uid, "gid": gid}, "args": [str(a) for a in args],
            "env": [f"PATH={PATH}", *env], "cwd": cwd, "noNewPrivileges": False,
            "capabilities": {"bounding": named, "effective": own, "permitted": own,
                             "inheritable": own if open_wide else [], "ambient": []}}
        linux = {
            "cgroupsPath": f"/{self.fence.cgroup}/runc-{self.count}",
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]}
        if not open_wide:
            linux["maskedPaths"] = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"]
            linux["readonlyPaths"] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                      "/proc/sysrq-trigger"]
        if seccomp is not None:
            linux["seccomp"] = seccomp
        return {
            "ociVersion": "1.0.2", "process": process, "hostname": "lazaret-e2e", "linux": linux,
            "root": {"path": str(rootfs), "readonly": readonly},
            "mounts": [
                _mount("/proc", "proc"),
                _mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
                _mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666",
                       "mode=0620", "gid=5"),
                _mount("/dev/shm", "tmpfs", "nosuid", "noexec", "nodev", "mode=1777"),
                _mount("/dev/mqueue", "mqueue", "nosuid", "noexec", "nodev"),
                _mount("/sys", "sysfs", "nosuid", "noexec", "nodev", *ro),
                _mount("/sys/fs/cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", *ro),
                *mounts]}

    def command(self, rootfs, args, *, user="0:0", caps=DOCKER_CAPS, env=(), readonly=False,
                terminal=False, seccomp=None, open_wide=False, cwd="/", mounts=(), leak=0):
        """The command line that runs args in a new container, and the container's name.

        open_wide: nothing masked, nothing read-only, capabilities inheritable. leak: so many descriptors
        from 3 on are handed to the container.
        """
        self.count += 1
        name = f"{self.fence.cgroup}-{self.count}"
        bundle = folder(f"bundle-{self.count}")
        config = self._config(rootfs, args, user, caps, env, readonly, terminal, seccomp,
                              open_wide, cwd, mounts)
        (bundle / "config.json").write_text(json.dumps(config))
        words = [self.path, "--root", self.state, "run", "--bundle", bundle]
        if leak:
            opened = "".join(f"exec {fd}</dev/null; " for fd in range(3, 3 + leak))
            words = ["sh", "-c", opened + 'exec "$@"', "sh", *words, "--preserve-fds", leak]
        return self.fence.command(*words, name), name

    def run(self, rootfs, args, *, timeout=60, beside=None, beside_user=APP_USER, **options):
        """Run a container to its end. beside: a command to start in it from outside."""
        words, name = self.command(rootfs, args, **options)
        helper = _start_beside(self, name, beside, beside_user)
        try:
            return run(words, timeout=timeout)
        finally:
            if helper is not None:
                helper.join()
            run(self.fence.command(self.path, "--root", self.state, "delete", "--force", name))

    def exec_detached(self, name, args, user):
        """`runc exec -d` as soon as the container runs; False if that never came."""
        words = self.fence.command(
            self.path, "--root", self.state, "exec", "--detach", "--user", user, name, *args)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, check=False)
            if done.returncode == 0:
                return True
            time.sleep(0.05)
        return False

    def signal(self, name, number):
        """Send a signal to the first process of a running container."""
        return run(self.fence.command(self.path, "--root", self.state, "kill", name, int(number)))


# ---- Docker ------------------------------------------------------------------------------------------


class Docker:
    """A dockerd of our own, with its own containerd, folder and socket, and no network."""

    def __init__(self):
        self.daemon_path = require_program("dockerd")
        self.fence = fence()
        self.home = folder("docker")
        self.socket = self.home / "socket"
        self.log = self.home / "log"
        self.count = 0
        (self.home / "config").mkdir()
        self.env = dict(os.environ, DOCKER_HOST=f"unix://{self.socket}", DOCKER_BUILDKIT="0",
                        DOCKER_CONFIG=str(self.home / "config"))
        for name in ("DOCKER_CONTEXT", "DOCKER_API_VERSION", "DOCKER_TLS_VERIFY"):
            self.env.pop(name, None)
        self._start()
        self.path = self._client()

    def _start(self):
        words = self.fence.command(
            self.daemon_path, "--data-root", self.home / "data", "--exec-root", self.home / "exec",
            "--pidfile", self.home / "pid", "--host", f"unix://{self.socket}", "--bridge=none",
            "--iptables=false", "--ip6tables=false", "--ip-forward=false",
            "--exec-opt", "native.cgroupdriver=cgroupfs",
            "--cgroup-parent", "/" + self.fence.cgroup)
        with open(self.log, "wb") as log:
            self.daemon = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ, PATH=PATH))
        atexit.register(self.close)
        deadline = time.monotonic() + 60
        while b"API listen on" not in self.log.read_bytes():
            tail = self.log.read_text(errors="replace")[-2000:]
            laz.check(self.daemon.poll() is None, f"dockerd ended: {tail}")
            laz.check(time.monotonic() < deadline, f"dockerd did not get ready: {tail}")
            time.sleep(0.05)

    def _client(self):
        """The client of the same package first: another one may be too new for this daemon."""
        for path in ("/usr/bin/docker", shutil.which("docker", path=PATH)):
            if path and os.access(path, os.X_OK):
                self.path = path
                if self.call("version").code == 0:
                    return path
        return laz.skip("no docker client that understands this dockerd")

    def close(self):
        """Stop the daemon: it stops its containers and removes its mounts."""
        if self.daemon.poll() is None:
            try:
                inner = (self.home / "pid").read_text().strip()
                run(self.fence.command("kill", "-TERM", inner))
                self.daemon.wait(20)
            except (OSError, subprocess.TimeoutExpired):
                self.daemon.kill()
                self.daemon.wait()

    def call(self, *words, timeout=120):
        """One docker command."""
        return run([self.path, *words], env=self.env, timeout=timeout)

    def must(self, *words, timeout=120):
        """One docker command that has to work; what it printed."""
        result = self.call(*words, timeout=timeout)
        laz.check_equal(result.code, 0, f"docker {' '.join(map(str, words))}: {result.err.strip()}")
        return result.out.strip()

    def import_root(self, root, tag, *changes):
        """An image from a root file system, with Dockerfile instructions."""
        words = [word for change in changes for word in ("--change", change)]
        self.must("import", *words, tar_of(root), tag)
        return tag

    def build(self, context, tag):
        """`docker build`, as a user types it."""
        self.must("build", "--network", "none", "--tag", tag, context)
        return tag

    def command(self, image, args=(), *, options=()):
        """The command line of `docker run` without a network, and the container's name."""
        self.count += 1
        name = f"{self.fence.cgroup}-{self.count}"
        return [self.path, "run", "--name", name, "--network", "none", *options, image, *args], name

    def run(self, image, args=(), *, options=(), timeout=60, beside=None, beside_user=APP_USER):
        """`docker run` to its end. beside: a command to start in it by docker exec."""
        words, name = self.command(image, args, options=options)
        helper = _start_beside(self, name, beside, beside_user)
        try:
            return run(words, env=self.env, timeout=timeout)
        finally:
            if helper is not None:
                helper.join()
            self.call("rm", "--force", name)

    def start(self, image, args=(), *, options=()):
        """`docker run --detach`: the container's name."""
        words, name = self.command(image, args, options=("--detach", *options))
        result = run(words, env=self.env)
        laz.check_equal(result.code, 0, f"docker run --detach: {result.err.strip()}")
        return name

    def terminal(self, image, args=(), *, options=()):
        """`docker run -it` on a terminal of ours."""
        words, _ = self.command(image, args, options=("--interactive", "--tty", "--rm", *options))
        return Terminal(words, env=self.env)

    def exec_detached(self, name, args, user):
        """`docker exec -d` as soon as the container runs; False if that never came."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.call("exec", "--detach", "--user", user, name, *args).code == 0:
                return True
            time.sleep(0.05)
        return False


# ---- What init says ----------------------------------------------------------------------------------


def events_of(text):
    """The events among the lines of an output, and the other lines."""
    events, rest = [], []
    for line in text.splitlines():
        if line.startswith('{"lz":'):
            events.append(json.loads(line))
        else:
            rest.append(line)
    return events, rest
