# SPDX-License-Identifier: Apache-2.0
"""Real container engines for end-to-end suites: runc, and a dockerd of our own, both inside the area's fence.

Must never touch an engine, an image or a container that it did not make. Needs root; a missing engine is a skip.
"""
import atexit
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time

import area
import laz
import rootfs
from terminal import Terminal

# Docker's default capabilities.
DOCKER_CAPS = """CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP
NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE""".split()


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
        self.path = area.require_program("runc")
        self.fence = area.fence()
        self.state = area.root() / "runc"
        self.count = 0

    def _config(self, root, args, user, caps, env, readonly, terminal, seccomp, open_wide, cwd,
                mounts):
        uid, gid = (int(part) for part in user.split(":"))
        named = ["CAP_" + cap for cap in caps]
        own = named if uid == 0 else []
        ro = [] if open_wide else ["ro"]
        process = {
            "terminal": terminal, "user": {"uid": uid, "gid": gid}, "args": [str(a) for a in args],
            "env": [f"PATH={area.PATH}", *env], "cwd": cwd, "noNewPrivileges": False,
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
            "root": {"path": str(root), "readonly": readonly},
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

    def command(self, root, args, *, user="0:0", caps=DOCKER_CAPS, env=(), readonly=False,
                terminal=False, seccomp=None, open_wide=False, cwd="/", mounts=(), leak=0):
        """The command line that runs args in a new container, and the container's name.

        open_wide: nothing masked, nothing read-only, capabilities inheritable. leak: so many descriptors
        from 3 on are handed to the container.
        """
        self.count += 1
        name = f"{self.fence.cgroup}-{self.count}"
        bundle = area.folder(f"bundle-{self.count}")
        config = self._config(root, args, user, caps, env, readonly, terminal, seccomp,
                              open_wide, cwd, mounts)
        (bundle / "config.json").write_text(json.dumps(config))
        words = [self.path, "--root", self.state, "run", "--bundle", bundle]
        if leak:
            opened = "".join(f"exec {fd}</dev/null; " for fd in range(3, 3 + leak))
            words = ["sh", "-c", opened + 'exec "$@"', "sh", *words, "--preserve-fds", leak]
        return self.fence.command(*words, name), name

    def run(self, root, args, *, timeout=60, beside=None, beside_user=rootfs.APP_USER, **options):
        """Run a container to its end. beside: a command to start in it from outside."""
        words, name = self.command(root, args, **options)
        helper = _start_beside(self, name, beside, beside_user)
        try:
            return area.run(words, timeout=timeout)
        finally:
            if helper is not None:
                helper.join()
            area.run(self.fence.command(self.path, "--root", self.state, "delete", "--force", name))

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
        return area.run(self.fence.command(self.path, "--root", self.state, "kill", name, int(number)))


# ---- Docker ------------------------------------------------------------------------------------------


class Docker:
    """A dockerd of our own, with its own containerd, folder and socket, and no network."""

    made = 0

    def __init__(self, words=()):
        """words: what else its command line says."""
        self.words = words
        self.daemon_path = area.require_program("dockerd")
        self.fence = area.fence()
        Docker.made += 1
        self.home = area.folder(f"docker-{Docker.made}")
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
            "--cgroup-parent", "/" + self.fence.cgroup, *self.words)
        with open(self.log, "wb") as log:
            self.daemon = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ, PATH=area.PATH))
        atexit.register(self.close)
        deadline = time.monotonic() + 60
        while b"API listen on" not in self.log.read_bytes():
            tail = self.log.read_text(errors="replace")[-2000:]
            laz.check(self.daemon.poll() is None, f"dockerd ended: {tail}")
            laz.check(time.monotonic() < deadline, f"dockerd did not get ready: {tail}")
            time.sleep(0.05)

    def _client(self):
        """The client of the same package first: another one may be too new for this daemon."""
        for path in ("/usr/bin/docker", shutil.which("docker", path=area.PATH)):
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
                area.run(self.fence.command("kill", "-TERM", inner))
                self.daemon.wait(20)
            except (OSError, subprocess.TimeoutExpired):
                self.daemon.kill()
                self.daemon.wait()

    def call(self, *words, timeout=120):
        """One docker command."""
        return area.run([self.path, *words], env=self.env, timeout=timeout)

    def must(self, *words, timeout=120):
        """One docker command that has to work; what it printed."""
        result = self.call(*words, timeout=timeout)
        laz.check_equal(result.code, 0, f"docker {' '.join(map(str, words))}: {result.err.strip()}")
        return result.out.strip()

    def bytes_of(self, *words):
        """What a docker command that has to work printed, unread."""
        done = subprocess.run([self.path, *map(str, words)], env=self.env, capture_output=True, check=False, timeout=120)
        laz.check_equal(done.returncode, 0, f"docker {words[0]}: {done.stderr.decode(errors='replace')}")
        return done.stdout + done.stderr

    def import_root(self, root, tag, *changes):
        """An image from a root file system, with Dockerfile instructions."""
        words = [word for change in changes for word in ("--change", change)]
        self.must("import", *words, rootfs.tar_of(root), tag)
        return tag

    def build(self, context, tag):
        """`docker build`, as a user types it."""
        self.must("build", "--network", "none", "--tag", tag, context)
        return tag

    def command(self, image, args=(), *, options=()):
        """The command line of `docker run`, without a network unless an option says which, and the container's name."""
        self.count += 1
        name = f"{self.fence.cgroup}-{self.count}"
        network = [] if "--network" in options else ["--network", "none"]
        return [self.path, "run", "--name", name, *network, *options, image, *args], name

    def run(self, image, args=(), *, options=(), timeout=60, beside=None, beside_user=rootfs.APP_USER):
        """`docker run` to its end. beside: a command to start in it by docker exec."""
        words, name = self.command(image, args, options=options)
        helper = _start_beside(self, name, beside, beside_user)
        try:
            return area.run(words, env=self.env, timeout=timeout)
        finally:
            if helper is not None:
                helper.join()
            self.call("rm", "--force", name)

    def start(self, image, args=(), *, options=()):
        """`docker run --detach`: the container's name."""
        words, name = self.command(image, args, options=("--detach", *options))
        result = area.run(words, env=self.env)
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
