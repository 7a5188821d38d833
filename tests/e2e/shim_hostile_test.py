# SPDX-License-Identifier: Apache-2.0
"""Hostile images and bundles in front of lazaret-shim, under runc and under crun: each is refused by name, or its workload is
as confined as the policy says, read from the kernel by the workload itself; never half. No file and no mount of the host
changes, and no code of an image runs on the host or in the place of lazaret-init.

A row says what is hostile and what comes of it: the name of an error and words of it, CONFINED, or RUNTIME, where the
runtime itself has refused. "Control" is what the same bundle does by the bare runtime.
"""
import json
import os
import pathlib
import shutil
import stat
import subprocess
import time

import area
import engines
import hook_world
import laz
import rootfs
import shim_profiles
import shim_sources
import shim_world as world
from laz import case, check, check_equal
from shim_world import SHIM, configure

POLICY = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text().replace("/app, ", "").replace("landlock: preferred", "landlock: required")
LEDGER = world.OPT / "audit" / "host.jsonl"
CONFINED, RUNTIME = "confined", "the runtime's own"
MAYBE = "confined, or not at all"
EVIL = "code of the image ran here"
STATUS = ["/bin/sh", "-c", "cat /proc/self/status; echo CWD; pwd"]
MARKER = "ran-on-the-host"
_number = iter(range(1, 100000))
_hosts = {}


class Host:
    """A fence whose root is shared, as a host's is, with one runtime behind the shim."""

    def __init__(self, name):
        self.name = name
        self.path = area.require_program(name)
        world.host()
        self.fence = area.Fence()
        self.must("mount", "--make-rshared", "/")
        if name == "crun":  # it takes no mixture of both versions of control groups
            self.must("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
        self.must("mkdir", "-p", "/opt/spare")
        self.must("mount", "-t", "tmpfs", "spare", "/opt/spare")  # that somebody may try to remount
        self.must("mkdir", "-p", "/run/state")

    def must(self, *words):
        done = area.run(self.fence.command(*words))
        check_equal(done.code, 0, f"{words}: {done}")
        return done

    def set_up(self, host=""):
        """The host as its administrator has left it."""
        world.install(shell=POLICY + host)
        configure(f"version: 1\nruntime: {self.path}\ndefault-policy: shell\naudit: {{file: {LEDGER}}}\n")

    def mounts(self):
        """What is mounted on the host, by place and what it is."""
        lines = pathlib.Path(f"/proc/{self.fence.pid}/mountinfo").read_text().splitlines()
        return sorted(" ".join(line.split()[2:6] + line.split(" - ")[1].split()) for line in lines)

    def run(self, program, bundle, *words, before=()):
        """Run a bundle to its end."""
        name = f"{self.fence.cgroup}-{next(_number)}"
        root = ["--root", "/run/state"]
        try:
            return area.run(self.fence.command(program, *before, *root, "run", *words, "--bundle", bundle, name), env={"PATH": area.PATH}, cwd="/")
        finally:
            area.run(self.fence.command(self.path, *root, "delete", "--force", name))


def hosts():
    """Both, in their first state."""
    for name in ("runc", "crun"):
        if name not in _hosts:
            _hosts[name] = Host(name)
        _hosts[name].set_up()
        yield _hosts[name]


class Case:
    """What a row may spoil: the image, the content of config.json, the file itself, and what is beside it."""

    def __init__(self, host, canary):
        self.host, self.canary = host, canary
        self.bundle = area.folder(f"bundle-{next(_number)}")
        self.root = self.bundle / "rootfs"
        area.run(["cp", "-a", hook_world.image(), self.root])
        rootfs.put_folder(self.root, "/usr")
        rootfs.put_folder(self.root, "/tmp", 0o1777)
        rootfs.put_users(self.root)
        area.run(["runc", "spec", "--bundle", self.bundle])
        self.config = json.loads((self.bundle / "config.json").read_text())
        caps = ["CAP_" + name for name in engines.DOCKER_CAPS]
        self.config["process"].update(terminal=False, args=list(STATUS), capabilities={k: caps for k in ("bounding", "effective", "permitted")})
        self.config["linux"].update(cgroupsPath=f"/{host.fence.cgroup}/{next(_number)}", resources={})
        self.config["root"]["readonly"] = False
        self.after = self.undo = lambda: None
        self.words = []
        self.processes = []

    linux = property(lambda self: self.config["linux"])
    process = property(lambda self: self.config["process"])
    mounts = property(lambda self: self.config["mounts"])

    def link(self, path, target):
        at = self.root / path
        at.parent.mkdir(parents=True, exist_ok=True)
        at.symlink_to(target)

    def own_init(self, path):
        """A program of the image's in the place of lazaret-init."""
        return rootfs.put(self.root, path, f"#!/bin/sh\necho '{EVIL}'; cat /proc/self/status\n", 0o755)

    def write(self):
        """config.json as the row has it."""
        (self.bundle / "config.json").write_text(json.dumps(self.config))
        self.after()

    def done(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self.undo()
        shutil.rmtree(self.bundle)


# ---- How a row ends ----------------------------------------------------------------------------------


def fields(text):
    return {k: v.split() for k, v in (line.split(":", 1) for line in text.splitlines() if ":" in line)}


def check_confined(text, what):
    """As the policy says, by the kernel's words."""
    status = fields(text)
    check("CapBnd" in status, f"{what}: no status")
    check_equal(status["Uid"] + status["Gid"], [str(rootfs.APP_UID)] * 8, f"{what}: ids")
    for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        check_equal(int(status[caps][0], 16), 0, f"{what}: {caps}")
    check_equal((status["NoNewPrivs"], status["Seccomp"]), (["1"], ["2"]), f"{what}: no_new_privs, seccomp")
    check(text.rstrip().endswith("CWD\n/"), f"{what}: its folder: {text[-80:]}")


def judge(done, expected, words, what):
    """The outcome is what the row says."""
    check(EVIL not in done.out + done.err, f"{what}: {EVIL}: {done}")
    if expected == CONFINED:
        check_equal(done.code, 0, f"{what}: {done}")
        check_confined(done.out, what)
        return
    if expected == MAYBE and done.code == 0:
        check_confined(done.out, what)
        return
    check(done.code != 0 and "CapBnd" not in done.out, f"{what}: it ran: {done}")
    if expected in (RUNTIME, MAYBE):
        check("lazaret: " not in done.err and words in done.err, f"{what}: {done}")
    elif expected.startswith("by "):
        check(expected.rpartition(" ")[2] in done.err and words in done.err, f"{what}: {done}")
    else:
        world.refused(done, expected, words)


def spoiled(host, row):
    """Run one row: the outcome is what it says, and the host is as it was."""
    what, spoil, expected, *rest = row
    words = rest[0] if rest else ""
    if isinstance(expected, dict):
        expected = expected[host.name]
    host.set_up()
    canary = hook_world.Canary()
    c = Case(host, canary)
    spoil(c)
    c.write()
    canary.before = canary.look()
    canary.events()
    mounts = host.mounts()
    config = c.bundle / "config.json"
    before = config.read_bytes() if config.is_file() and not config.is_symlink() else None
    told = f"{host.name}: {what}"
    try:
        judge(host.run(SHIM, c.bundle, *c.words), expected, words, told)
        if before is not None and expected not in (CONFINED, RUNTIME, MAYBE) and not expected.startswith("by "):
            check_equal(config.read_bytes(), before, f"{told}: config.json of what was refused")
        check_equal(host.mounts(), mounts, f"{told}: mounts of the host")
        canary.check_untouched(told)
    finally:
        c.done()
        canary.close()


def sweep(rows):
    """All of them, under both runtimes; every failure is told."""
    for host in hosts():
        wrong = []
        for row in rows:
            try:
                spoiled(host, row)
            except laz.Failed as why:
                wrong.append(str(why))
        check(not wrong, "\n".join(wrong))
        print(f"     {host.name}: {len(rows)} rows")


# ---- config.json as a file ---------------------------------------------------------------------------


def becomes(how):
    """The file is made into something else once it is written."""
    def spoil(c):
        path = c.bundle / "config.json"

        def after():
            text = path.read_text()
            path.unlink()
            how(c, path, text)
        c.after = after
    return spoil


def text_becomes(how):
    return becomes(lambda c, path, text: path.write_text(how(text)))


def deep(n):
    return text_becomes(lambda text: text[:-1] + ',"x":' + "[" * n + "]" * n + "}")


FILES = [
    ("config.json is a link", becomes(lambda c, path, text: path.symlink_to(rootfs.put(c.bundle, "other", text))), "oci-refused", "link"),
    ("config.json is a link to the host", becomes(lambda c, path, text: path.symlink_to(c.canary.root / "file")), "oci-refused", "link"),
    ("config.json is a magic link", becomes(lambda c, path, text: path.symlink_to("/proc/self/fd/0")), "oci-refused", "link"),
    ("config.json is a FIFO", becomes(lambda c, path, text: os.mkfifo(path)), "oci-refused", "config.json: not a regular file"),
    ("config.json is a device", becomes(lambda c, path, text: os.mknod(path, stat.S_IFCHR, os.makedev(1, 5))), "oci-refused", "config.json: not a regular file"),
    ("config.json is a folder", becomes(lambda c, path, text: path.mkdir()), "oci-refused", "config.json: not a regular file"),
    ("config.json is absent", becomes(lambda c, path, text: None), "oci-refused", "config.json: open"),
    ("config.json is empty", text_becomes(lambda text: ""), "oci-refused", ""),
    ("config.json of 5 MiB", text_becomes(lambda text: text + " " * (5 << 20)), "oci-refused", "config.json: too large"),
    ("config.json ends early", text_becomes(lambda text: text[:-1]), "oci-refused", ""),
    ("two documents", text_becomes(lambda text: text * 2), "oci-refused", ""),
    ("a NUL behind the end", text_becomes(lambda text: text + "\0"), "oci-refused", ""),
    ("a byte order mark", text_becomes(lambda text: "\ufeff" + text), "oci-refused", ""),
    *[(f"nested {n} times", deep(n), "oci-refused", "deep") for n in (100, 1000000)],
    ("a key twice", text_becomes(lambda text: text[:-1] + ',"root":{"path":"/"}}'), "oci-refused", "a key twice"),
    ("a key in another case", text_becomes(lambda text: text[:-1] + ',"Root":{"path":"/"}}'), "oci-refused", "Root"),
    ("a key by an escape", text_becomes(lambda text: text[:-1] + ',"r\\u006fot":{"path":"/"}}'), "oci-refused", "a key twice"),
    ("bytes that are no UTF-8", becomes(lambda c, path, text: path.write_bytes(text[:-1].encode() + b',"x":"\xff"}')), "oci-refused", ""),
    ("config.json has another name too", becomes(lambda c, path, text: os.link(rootfs.put(c.bundle, "other", text), path)), CONFINED),
]

# ---- the image ----------------------------------------------------------------------------------------


def evil_folder(c, path=".lazaret"):
    c.own_init(f"{path}/lazaret-init")


def device_at(path):
    def spoil(c):
        (c.root / path).parent.mkdir(parents=True, exist_ok=True)
        os.mknod(c.root / path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    return spoil


def own_files(c):
    """The host's files, with laxer words in them."""
    for path, text in (("/etc/lazaret/runtime.yaml", "version: 1\nruntime: /bin/true\ndefault-policy: pass-through\n"),
                       ("/etc/lazaret/policies.d/shell.yaml", "version: 1\nextends: [builtin/static]\nworkload: {user: '1:1'}\n"),
                       ("/run/lazaret/images/x", "")):
        rootfs.put(c.root, path, text)
    c.own_init("/usr/libexec/lazaret/lazaret-init")


def loads_code(*variables):
    """As an image would have it: a library of its own, and variables by which programs load it."""
    def spoil(c):
        source = area.root() / "attack.c"
        source.write_text('#include <fcntl.h>\n__attribute__((constructor)) static void run(void)\n{ (void)open(MARK, O_CREAT | O_WRONLY, 0666); }\n')
        built = area.run(["gcc", "-shared", "-fPIC", f'-DMARK="{c.canary.root}/{MARKER}"', source, "-o", c.root / "evil.so"])
        check_equal(built.code, 0, built.err)
        c.process["env"] += [f"{name}=/evil.so" for name in variables] + ["LD_LIBRARY_PATH=:/", "GLIBC_TUNABLES=glibc.malloc.check=3"]
    return spoil


def fake_proc(c):
    """A /proc of the image's, which says that all is well."""
    shutil.rmtree(c.root / "proc", ignore_errors=True)
    good = "Uid:\t10001\t10001\t10001\t10001\nGid:\t10001\t10001\t10001\t10001\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t9\n"
    rootfs.put(c.root, "/proc/self/status", good)
    rootfs.put(c.root, "/proc/1/status", good)


def no_proc(c):
    fake_proc(c)
    c.mounts[:] = [m for m in c.mounts if m["destination"] != "/proc"]


IMAGES = [
    ("the rootfs is a link to the host", lambda c: (shutil.rmtree(c.root), c.root.symlink_to("/")), "request-refused", "root.path is a part of the host"),
    ("the rootfs is a link to /etc", lambda c: (shutil.rmtree(c.root), c.root.symlink_to("/etc")), "request-refused", "root.path is a part of the host: /etc ("),
    *[(f"the rootfs is {path}", lambda c, path=path: c.config["root"].update(path=path), "request-refused",
       f"root.path is a part of the host: {os.path.realpath(path)} (")  # the last two climb, and are a link
      for path in ("/usr/share", "/var", "/run", "/tmp", "/var/log", "/opt/../usr/share", "/bin")],
    ("the rootfs is a magic link", lambda c: (shutil.rmtree(c.root), c.root.symlink_to("/proc/self/root")), "request-refused", "root.path rootfs"),
    ("the rootfs is a file", lambda c: (shutil.rmtree(c.root), c.root.write_text("")), "request-refused", "root.path rootfs"),
    ("the rootfs is a loop", lambda c: (shutil.rmtree(c.root), c.root.symlink_to("rootfs")), "request-refused", "root.path rootfs"),
    ("/.lazaret is a link inside", lambda c: (evil_folder(c, "evil"), c.link(".lazaret", "evil")), "request-refused", "something else at /.lazaret,"),
    ("/.lazaret is a link to the host", lambda c: c.link(".lazaret", str(c.canary.root)), "request-refused", "something else at /.lazaret,"),
    ("/.lazaret is a magic link", lambda c: c.link(".lazaret", "/proc/self/cwd"), "request-refused", "something else at /.lazaret,"),
    ("/.lazaret is a file", lambda c: c.own_init(".lazaret"), "request-refused", "something else at /.lazaret,"),
    ("/.lazaret is a device", device_at(".lazaret"), "request-refused", "something else at /.lazaret,"),
    ("/.lazaret is a FIFO", lambda c: os.mkfifo(c.root / ".lazaret"), "request-refused", "something else at /.lazaret,"),
    ("/.lazaret has an init of the image's", evil_folder, CONFINED),
    ("/.lazaret has a link in it", lambda c: (c.own_init("evil"), c.link(".lazaret/lazaret-init", "/evil")), CONFINED),
    ("/.lazaret-policy is a link", lambda c: c.link(".lazaret-policy", str(c.canary.root / "file")), "request-refused", "something else at /.lazaret-policy"),
    ("/.lazaret-policy is a folder", lambda c: (c.root / ".lazaret-policy").mkdir(), "request-refused", "something else at /.lazaret-policy"),
    ("/.lazaret-policy is a device", device_at(".lazaret-policy"), "request-refused", "something else at /.lazaret-policy"),
    ("/.lazaret-policy is a policy of the image's", lambda c: rootfs.put(c.root, ".lazaret-policy", "version: 1\n"), CONFINED),
    ("/.lazaret-policy is a hard link to the host's", lambda c: os.link(c.canary.root / "file", c.root / ".lazaret-policy"), CONFINED),
    ("the host's own files in the image", own_files, CONFINED),
    ("LD_PRELOAD", loads_code("LD_PRELOAD"), CONFINED),
    ("LD_AUDIT, GCONV_PATH and others", loads_code("LD_AUDIT", "GCONV_PATH", "LD_DEBUG_OUTPUT", "LAZARET_EVENTS", "LAZARET_POLICY"), CONFINED),
    ("a /proc of the image's, which the runtime covers", fake_proc, CONFINED),
    ("a thousand long variables", lambda c: c.process["env"].extend(f"V{i}={'x' * 500}" for i in range(1000)), CONFINED),
    ("annotations of 1 MiB", lambda c: c.config.update(annotations={f"a{i}": "x" * 1000 for i in range(1000)}), {"runc": "by lazaret-hook oci-state-refused", "crun": RUNTIME}, ""),
]


WAIT = "echo $$ > {at}; while :; do sleep 100; done"


def shell(c):
    """A shell of the host's that waits: its number where the runtime is."""
    return waiting(c, "sh", "-c", WAIT)


def other_mounts(c):
    """A mount namespace in which somebody else has laid programs over ours."""
    evil_bundle(c)
    return waiting(c, "unshare", "--mount", "sh", "-c", f"mount --bind {c.bundle}/evil /usr/libexec/lazaret; echo $$ > {{at}}; while :; do sleep 100; done")


def waiting(c, *words):
    at = c.bundle / "pid"
    process = subprocess.Popen(c.host.fence.command(*[word.format(at=at) for word in words]))
    c.processes.append(process)
    while not at.exists() or not at.read_text().endswith("\n"):
        time.sleep(0.005)
    return at.read_text().strip()


# ---- what config.json asks for --------------------------------------------------------------------


def bind(source, destination, *options, place=None, **more):
    """One more mount, in front of all or behind them."""
    def spoil(c):
        said = {"destination": destination, "type": "bind", "source": source.format(canary=c.canary.root, bundle=c.bundle),
                "options": list(options or ["rbind", "ro"]), **more}
        c.mounts.insert(len(c.mounts) if place is None else place, said)
    return spoil


def tmpfs(destination, *options, place=None):
    def spoil(c):
        said = {"destination": destination, "type": "tmpfs", "source": "tmpfs", "options": list(options)}
        c.mounts.insert(len(c.mounts) if place is None else place, said)
    return spoil


def both(*spoils):
    return lambda c: [spoil(c) for spoil in spoils]


def evil_bundle(c):
    """A folder of the caller's with programs in the place of ours."""
    folder = c.bundle / "evil"
    rootfs.put(folder, "lazaret-init", f"#!/bin/sh\necho '{EVIL}'; cat /proc/self/status\n", 0o755)
    rootfs.put(folder, "null", f"#!/bin/sh\necho '{EVIL}'; cat /proc/self/status\n", 0o755)


OURS = [{"destination": "/.lazaret", "type": "bind", "source": "/usr/libexec/lazaret", "options": ["rbind", "ro", "nosuid", "nodev"]}]


def covered(destination, link):
    """Our own mount, as a second pass would find it, and another over it by a link of the image's."""
    def spoil(c):
        evil_bundle(c)
        c.link(link, "/.lazaret")
        c.mounts.extend(OURS)
        bind("{bundle}/evil", destination)(c)
    return spoil


MOUNTS = [
    ("a mount over /.lazaret", both(evil_bundle, bind("{bundle}/evil", "/.lazaret")), "oci-refused", "would hide what the host mounts at /.lazaret"),
    ("a mount over /.lazaret, by way of dots", both(evil_bundle, bind("{bundle}/evil", "/x/..//./.lazaret/")), "oci-refused", "would hide what the host mounts at /.lazaret"),
    ("a mount that climbs to /.lazaret", both(evil_bundle, bind("{bundle}/evil", "../../../.lazaret")), "oci-refused", "would hide what the host mounts at /.lazaret"),
    ("a mount over the policy", bind("{bundle}/config.json", "/.lazaret-policy"), "oci-refused", "would hide what the host mounts at /.lazaret-policy"),
    ("a mount in /.lazaret, behind ours", both(lambda c: c.mounts.extend(OURS), evil_bundle, bind("{bundle}/evil/lazaret-init", "/.lazaret/lazaret-init")),
     "request-refused", "a mount behind the host's own, at /.lazaret/lazaret-init"),
    ("a mount in /.lazaret, in front of ours", both(evil_bundle, bind("{bundle}/evil/lazaret-init", "/.lazaret/lazaret-init")), CONFINED),
    ("a mount by a link, in front of ours", both(evil_bundle, lambda c: c.link("foo", "/.lazaret"), bind("{bundle}/evil", "/foo")), {"runc": CONFINED, "crun": RUNTIME}),
    ("a mount by a link, behind ours", covered("/foo", "foo"), "request-refused", "behind"),
    ("a mount by a link of a folder's, behind ours", covered("/a/b/../foo", "a/foo"), "request-refused", "behind"),
    ("a mount over the root", tmpfs("/", place=0), "request-refused", "over the root"),
    ("a bind over the root", both(evil_bundle, bind("{bundle}/evil", "/", "rbind", "rw", place=0)), "request-refused", "over the root"),
    ("a mount over the root, by way of dots", tmpfs("/x/../.", place=0), "request-refused", "over the root"),
    ("a mount over the root that climbs", tmpfs("../..", place=0), "request-refused", "over the root"),
    ("a mount over the root behind ours", both(lambda c: c.mounts.extend(OURS), tmpfs("/")), "request-refused", ""),
    ("a bind over /proc", bind("{canary}/sub", "/proc"), "request-refused", "/proc"),
    ("a bind over /dev", both(evil_bundle, bind("{bundle}/evil", "/dev", place=0)), "request-refused", "/dev"),
    ("a bind over /dev/null", both(evil_bundle, bind("{bundle}/evil/null", "/dev/null")), "request-refused", "/dev/null"),
    ("a tmpfs remounts a folder of the host", both(bind("/opt/spare", "/x", "rbind", "rw"), tmpfs("/x", "remount", "ro")), "request-refused", "remount"),
    ("a bind that remounts", bind("/opt/spare", "/x", "bind", "remount", "ro"), "request-refused", "remount"),
    ("a mount that is shared with the host", both(bind("{canary}", "/x", "rbind", "ro", "rshared"), tmpfs("/x/sub")), "request-refused", "rshared"),
    ("a mount that is shared", bind("{canary}", "/x", "rbind", "ro", "shared"), "request-refused", "shared"),
    ("the root is shared with the host", lambda c: c.linux.update(rootfsPropagation="shared"), "request-refused", "linux.rootfsPropagation"),
    ("the root is shared, recursively", lambda c: c.linux.update(rootfsPropagation="rshared"), "request-refused", "linux.rootfsPropagation"),
    ("the root follows the host", lambda c: c.linux.update(rootfsPropagation="slave"), CONFINED),
    ("programs of the host, made writable behind", bind("/usr", "/x", "rbind", "ro", "rrw"), "request-refused", "(host.mounts)"),
    ("programs of the host, by both words", bind("/usr", "/x", "rbind", "rw", "ro"), "request-refused", "(host.mounts)"),
    ("mapped users of a mount", bind("{canary}", "/x", "rbind", "ro", "idmap", uidMappings=[{"containerID": 10001, "hostID": 0, "size": 1}],
                                     gidMappings=[{"containerID": 10001, "hostID": 0, "size": 1}]), "request-refused", "mapped users"),
    ("mapped users, by an option", bind("{canary}", "/x", "rbind", "ro", "idmap=uids=10001-0-1#gids=10001-0-1"), "request-refused", "mapped users"),
    ("a mount that climbs out", bind("{canary}", "../../../../tmp/../x", "rbind", "ro"), CONFINED),
    ("a mount at a link to the host", both(lambda c: c.link("x", str(c.canary.root)), bind("{canary}/sub", "/x")), {"runc": CONFINED, "crun": RUNTIME}),
    ("a mount at a magic link", both(lambda c: c.link("x", "/proc/1/root/tmp"), bind("{canary}/sub", "/x")), {"runc": CONFINED, "crun": RUNTIME}),
    ("the same place twice", both(tmpfs("/x"), tmpfs("/x")), CONFINED),
    ("/sys is writable", lambda c: [m.update(options=["nosuid"]) for m in c.mounts if m["destination"] == "/sys"], "request-refused", "a writable /sys or /sys/fs/cgroup (privileged) (host.privileged)"),
    *[(f"a {kind} that is writable", lambda c, kind=kind: [m.update(type=kind, options=["nosuid", "rw"]) for m in c.mounts if m["destination"] == "/sys/fs/cgroup"],
       "request-refused", "a writable /sys or /sys/fs/cgroup (privileged) (host.privileged)") for kind in ("cgroup", "cgroup2")],
    ("the host's devices are mounted", bind("/dev", "/x"), "request-refused", "(host.mounts)"),
    ("a mount of a relative path", bind("evil", "/x"), "request-refused", "no absolute path"),
    ("a mount of a path that climbs", bind("/tmp/../etc", "/x"), "request-refused", "(host.mounts)"),
    ("a mount of a magic link", bind("/proc/self/root/etc", "/x"), "request-refused", "by a link of /proc"),
    ("a mount of a link to a magic link", lambda c: (os.symlink("/proc/self/fd/3", c.bundle / "l"), bind("{bundle}/l", "/x")(c)), "request-refused", "by a link of /proc"),
    ("a mount of a descriptor", bind("/proc/self/fd/3", "/x"), "request-refused", "by a link of /proc"),
    ("/dev/shm of the host", bind("/dev/shm", "/dev/shm"), "request-refused", "(host.mounts)"),
    *shim_sources.ROWS,
    ("three hundred mounts", lambda c: [tmpfs(f"/tmp/{i}")(c) for i in range(300)], CONFINED),
]


def process(**changes):
    return lambda c: c.process.update(changes)


def linux(**changes):
    return lambda c: c.linux.update(changes)


def hook(stage, **changes):
    def spoil(c):
        marker = c.canary.root / MARKER
        said = {"path": "/bin/sh", "args": ["sh", "-c", f"echo x > {marker}"], "env": ["PATH=/bin"], "timeout": 5, **changes}
        c.config["hooks"] = {stage: [said]}
    return spoil


def own_hook(stage, *words):
    return hook(stage, path="/usr/libexec/lazaret/lazaret-hook", args=["lazaret-hook", *words])


def hook_of_the_image(c):
    rootfs.put(c.root, "/usr/libexec/lazaret/lazaret-hook", f"#!/bin/sh\necho x > /{MARKER}\n", 0o755)
    own_hook("startContainer", "audit-create")(c)


def namespace(kind, **more):
    def spoil(c):
        c.linux["namespaces"] = [n for n in c.linux["namespaces"] if n["type"] != kind] + [{"type": kind, **more}]
    return spoil


def users(*mappings):
    """A user namespace; (in the container, on the host, how many)."""
    def spoil(c):
        namespace("user")(c)
        said = [{"containerID": a, "hostID": b, "size": n} for a, b, n in mappings]
        c.linux.update(uidMappings=said, gidMappings=said)
        area.run(["chown", "-R", "--no-dereference", f"{mappings[0][1]}:{mappings[0][1]}", c.root])
    return spoil


def without(kind):
    def spoil(c):
        c.linux["namespaces"] = [n for n in c.linux["namespaces"] if n["type"] != kind]
    return spoil


def masked(*paths, key="maskedPaths"):
    def spoil(c):
        c.linux[key] = [*c.linux[key], *paths]
    return spoil


def masked_by_image(path):
    """The image's own /dev/null, which runc lays over what is masked."""
    def spoil(c):
        c.own_init("dev/null")
        c.mounts[:] = [m for m in c.mounts if not m["destination"].startswith("/dev")]
        c.linux["maskedPaths"] = [*c.linux["maskedPaths"], *([path] if path else [])]
    return spoil


def init_words(*words):
    return process(args=["/.lazaret/lazaret-init", *words])


PROCESS = [
    ("the folder is a descriptor of the runtime's", process(cwd="/proc/self/fd/7"), RUNTIME, ""),
    ("the folder is a link to a descriptor", both(lambda c: c.link("w", "/proc/self/fd/7"), process(cwd="/w")), RUNTIME, ""),
    ("the folder climbs", process(cwd="/../../../../tmp/../"), CONFINED),
    ("the folder is relative", process(cwd="x"), {"runc": RUNTIME, "crun": CONFINED}),
    ("our own words, with another policy", both(lambda c: rootfs.put(c.root, "p", "version: 1\n"),
        init_words("--policy", "/p", "--", *STATUS)), "by lazaret-init policy", ""),
    ("our own words, and no command", init_words("--policy", "/.lazaret-policy", "--"), "request-refused", "a container without a command"),
    ("the command is an init of the image's", both(lambda c: c.own_init("x/lazaret-init"), process(args=["/x/lazaret-init"])), "request-refused", "brings its own lazaret-init"),
    ("docker's init, without the mount of it", both(lambda c: c.own_init("sbin/docker-init"), process(args=["/sbin/docker-init", "--", *STATUS])),
     "by lazaret-init command-not-executable", ""),
    ("Lazaret's variables", process(env=["PATH=/bin", "LAZARET_EVENTS=/dev/null", "LAZARET_POLICY=/x", "LAZARET_MODE=observe"]), CONFINED),
    ("Lazaret's variables, by escapes", text_becomes(lambda text: text.replace('"PATH=', '"LAZAR\\u0045T_EVENTS=/nowhere/x", "PATH=', 1)), CONFINED),
    ("a variable without a value", process(env=["PATH=/bin", "LAZARET_EVENTS", "=x"]), {"runc": RUNTIME, "crun": CONFINED}),
    ("a variable with a NUL", text_becomes(lambda text: text.replace('"PATH=', '"A=\\u0000", "PATH=', 1)), "oci-refused", "NUL"),
    ("another user", process(user={"uid": 1234, "gid": 1234}), "by lazaret-init", "user"),
    ("more groups", process(user={"uid": 0, "gid": 0, "additionalGids": [0, 6, 42]}), CONFINED),
    *[(f"a user that is no number of 32 bits: {n}", process(user={"uid": n, "gid": 0}), "oci-refused", why) for n, why in ((4294967296, "user.uid"), (-1, ""))],
    ("all capabilities that are ambient", lambda c: c.process["capabilities"].update(ambient=["CAP_NET_RAW"], inheritable=["CAP_NET_RAW"]), CONFINED),
    ("CAP_SYS_ADMIN that is only ambient", lambda c: c.process["capabilities"].update(ambient=["CAP_SYS_ADMIN"], inheritable=["CAP_SYS_ADMIN"], permitted=["CAP_SYS_ADMIN"]), RUNTIME),
    ("a capability of the host's administrator", lambda c: c.process["capabilities"]["bounding"].append("CAP_BPF"), "request-refused", "(host.privileged)"),
    ("capabilities in small letters", lambda c: c.process["capabilities"].update(bounding=["cap_sys_admin"]), "by lazaret-init privilege-missing", ""),
    ("no capabilities are said", lambda c: c.process.pop("capabilities"), {"runc": "by lazaret-init privilege-missing", "crun": "by lazaret-init privilege-missing"}, ""),
    ("no_new_privs is off", process(noNewPrivileges=False), CONFINED),
    ("limits that are higher", process(rlimits=[{"type": "RLIMIT_CORE", "hard": 18446744073709551615, "soft": 18446744073709551615}]), CONFINED),
    ("a limit twice", process(rlimits=[{"type": "RLIMIT_CORE", "hard": 1, "soft": 1}] * 2), CONFINED),
    ("the kernel's killer is told to spare it", process(oomScoreAdj=-1000), MAYBE),
    ("a terminal that nobody has", process(terminal=True), RUNTIME, ""),
    ("a profile of AppArmor's that is not there", process(apparmorProfile="nobody"), MAYBE),
    *[(f"{key} {said}", process(**{key: said}), "request-refused", f"process.{key}: {why} (privileged) (host.privileged)") for key, said, why in (
        ("apparmorProfile", "unconfined", "unconfined"), ("selinuxLabel", "system_u:system_r:spc_t:s0", "a type of programs that nobody confines"))],
    ("a scheduler", process(scheduler={"policy": "SCHED_FIFO", "priority": 99}), CONFINED),
]
LINUX = [
    ("a mount namespace that is there", namespace("mount", path="/proc/self/ns/mnt"), "request-refused", "mount namespace"),
    ("a mount namespace that somebody has made", lambda c: namespace("mount", path=f"/proc/{other_mounts(c)}/ns/mnt")(c), "request-refused", "mount namespace"),
    ("the host's PID namespace by its path", namespace("pid", path="/proc/self/ns/pid"), "request-refused", "(host.namespaces)"),
    ("the host's PID namespace by a link", lambda c: (os.symlink("/proc/self/ns/pid", c.bundle / "ns"), namespace("pid", path=str(c.bundle / "ns"))(c)), "request-refused", "(host.namespaces)"),
    ("a namespace by a relative path", namespace("ipc", path="rootfs"), "request-refused", "(host.namespaces)"),
    ("a namespace that is a FIFO", lambda c: (os.mkfifo(c.bundle / "ns"), namespace("ipc", path=str(c.bundle / "ns"))(c)), "request-refused", "(host.namespaces)"),
    ("control: a namespace of somebody's", lambda c: namespace("ipc", path=f"/proc/{waiting(c, 'unshare', '--ipc', 'sh', '-c', WAIT)}/ns/ipc")(c), CONFINED),
    ("a type of namespace that nobody knows", namespace("lazaret"), RUNTIME, ""),
    ("a time namespace", both(namespace("time"), linux(timeOffsets={"monotonic": {"secs": 100000000, "nanosecs": 0}})), {"runc": RUNTIME, "crun": MAYBE}),
    ("no cgroup namespace", without("cgroup"), CONFINED),
    ("the policy's user is the host's root", users((0, 100000, 10001), (10001, 0, 1)), "request-refused", "linux.uidMappings"),
    ("a user namespace", users((0, 100000, 65536)), CONFINED),
    *[(f"a sysctl of the host: {name}", linux(sysctl={name: "|/bin/sh"}), "request-refused", f"linux.sysctl of the whole host: {name} (")
      for name in ("kernel.core_pattern", "kernel/core_pattern", "net/../kernel/core_pattern")],
    ("control: sysctls of its own, as engines write them", linux(sysctl={"net.ipv4.ping_group_range": "0 0", "net.ipv4.ip_unprivileged_port_start": "0", "kernel.shmmax": "65536"}), CONFINED),
    ("a network device of the host", linux(netDevices={"lo": {"name": "eth0"}}), "request-refused", "linux.netDevices"),
    ("a file of the control group that climbs", linux(resources={"unified": {"../../cgroup.procs": "0"}}), RUNTIME, ""),
    *[(f"a personality: {said}", linux(personality=said), CONFINED) for said in ({"domain": "LINUX32"}, {"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]})],
    ("Intel RDT that climbs", linux(intelRdt={"closID": "../../../tmp/x", "l3CacheSchema": "L3:0=1"}), "request-refused", "linux.intelRdt.closID"),
    ("a label for mounts", linux(mountLabel="system_u:object_r:x:s0,rw,exec"), {"runc": RUNTIME, "crun": CONFINED}, ""),
    ("sections of other systems", lambda c: c.config.update(vm={"hypervisor": {"path": "/bin/sh"}, "kernel": {"path": "/bin/sh"}}, windows={"layerFolders": ["x"]}, solaris={"x": 1}, zos={"x": 1}), CONFINED),
    ("what nobody knows", lambda c: c.config.update({"future": {"args": ["/bin/sh"]}, "x-process": {"args": ["/bin/sh"]}}), CONFINED),
    *shim_profiles.ROWS,
    ("a masked path is lazaret-init", masked("/.lazaret/lazaret-init"), "request-refused", "linux.maskedPaths"),
    ("a masked path is the policy", masked("/.lazaret-policy"), "request-refused", "linux.maskedPaths"),
    ("a masked path climbs", masked("/proc/../.lazaret/lazaret-init"), "request-refused", "linux.maskedPaths"),
    ("a masked path goes by a process", masked("/proc/self/root/.lazaret/lazaret-init"), "request-refused", "linux.maskedPaths"),
    ("a masked path goes by a process's number", masked("/proc/1/root/.lazaret/lazaret-init"), "request-refused", "linux.maskedPaths"),
    ("a masked path is a link to lazaret-init", both(lambda c: c.link("foo", "/.lazaret/lazaret-init"), masked("/foo")), "request-refused", "linux.maskedPaths"),
    ("a read-only path is a link to the host", both(lambda c: c.link("foo", "/proc/1/root"), masked("/foo", key="readonlyPaths")), "request-refused", "linux.readonlyPaths"),
    ("/dev is the image's, and lies over what is masked", masked_by_image("/.lazaret/lazaret-init"), "request-refused", ""),
    ("/dev is the image's", masked_by_image(None), "request-refused", "/dev"),
    ("nothing is masked", linux(maskedPaths=[]), "request-refused", "(host.privileged)"),
    ("a file of devices at another's place", linux(devices=[{"path": "/.lazaret/lazaret-init", "type": "c", "major": 1, "minor": 3}]), "request-refused", "(host.devices)"),
    ("a device that is a FIFO", linux(devices=[{"path": "/x", "type": "p"}]), "request-refused", "(host.devices)"),
    ("a hook", hook("prestart"), "request-refused", "(host.hooks)"),
    *[(f"a hook in {stage}", hook(stage), "request-refused", "(host.hooks)") for stage in ("createRuntime", "createContainer", "startContainer", "poststart", "poststop")],
    ("lazaret-hook as the image has it", hook_of_the_image, "request-refused", "a hook of startContainer"),
    ("lazaret-hook with words of the caller's", own_hook("createRuntime", "audit-end", hook_world.HASH), "request-refused", "lazaret-hook with other words than the host's, in createRuntime"),
    ("lazaret-hook in another stage", own_hook("createContainer", "audit-create", hook_world.HASH), "request-refused", "lazaret-hook with other words than the host's, in createContainer"),
    ("a hook like docker's, that is a shell", lambda c: hook("prestart", path=f"/proc/{shell(c)}/exe", args=["libnetwork-setkey", "-c", f"echo x > {c.canary.root}/{MARKER}"])(c),
     "request-refused", "(host.hooks)"),
    ("a hook like docker's, that is the runtime", hook("prestart", path="/proc/self/exe", args=["libnetwork-setkey", "--version"]), "request-refused", "(host.hooks)"),
    ("annotations that runtimes obey", lambda c: c.config.update(annotations={"run.oci.hooks.stdout": f"{c.canary.root}/{MARKER}"}), "request-refused", "annotation run.oci."),
    ("annotations of ours", lambda c: c.config.update(annotations={"io.lazaret.applied": "x", "io.lazaret.mode": "observe"}), CONFINED),
    ("the control group climbs", lambda c: c.linux.update(cgroupsPath=f"/../../../../../..{c.canary.root}/x"), "request-refused", "linux.cgroupsPath"),
]


@case("what config.json is, how large and how deep: refused by name, without waiting")
def files():
    sweep(FILES)


@case("images: links, devices, hard links, an init and files of their own, variables that load code")
def images():
    sweep(IMAGES)


@case("mounts: over ours, over the root, over what is trusted, shared with the host, remounted, with mapped users")
def mounts():
    sweep(MOUNTS)


@case("what is put at a source between the judgement and the runtime's own look is in no container; by the bare runtime it is")
def meanwhile():
    for host in hosts():
        shim_sources.meanwhile(host, lambda host=host: Case(host, hook_world.Canary()), LEDGER)


@case("the process: its folder, words, variables, user, capabilities, limits")
def processes():
    sweep(PROCESS)


@case("namespaces, users, sysctls, filters that lie, masked paths, hooks in each stage, annotations")
def others():
    sweep(LINUX)


@case("a folder of the host that the caller hands on as a descriptor is none of the workload's, also by a profile that only says so; by the bare runtime it is")
def descriptors():
    rows = [(SHIM, [], "ran"), (None, [], "ran"), (SHIM, ["close_range"], "ran"), (SHIM, ["close_range", "fcntl"], 'step "mark descriptors close-on-exec"')]
    for host in hosts():
        for program, lies, expected in rows:
            c = Case(host, hook_world.Canary())
            c.process.update(args=["/bin/sh", "-c", "ls -l /proc/self/fd; echo ran"])
            (shim_profiles.filtered(names=lies) if lies else linux())(c)
            c.write()
            done = host.run("sh", c.bundle, "--preserve-fds", "1", before=["-c", f'exec 3<{c.canary.root}; exec "$@"', "sh", program or host.path])
            check(expected in done.out + done.err, f"{host.name}, {program}, {lies}: {done}")
            check_equal(c.canary.root.name in done.out, program is None, f"{host.name}, {program}, {lies}: {done}")
            c.done()
            c.canary.close()


# ---- That the attacks are some ---------------------------------------------------------------------------


def ran(done, c):
    return (c.canary.root / MARKER).exists()


def hook_like_dockers(c):
    said = f"echo x > {c.canary.root}/{MARKER}"
    hook("prestart", path=f"/proc/{shell(c)}/exe", args=["libnetwork-setkey", "-c", said])(c)


def reads_as_root(c):
    """A file of the host's root, for the user that the policy says."""
    (c.canary.root / "file").chmod(0o600)
    users((0, 100000, 10001), (10001, 0, 1))(c)
    bind("{canary}", "/x", "bind")(c)
    c.process.update(user={"uid": rootfs.APP_UID, "gid": rootfs.APP_UID}, args=["/bin/cat", "/x/file"])


# By the bare runtime: what is done, and how it is seen that it worked.
CONTROLS = [
    ("runc", "a hook", hook("createRuntime"), ran),
    ("runc", "a hook like docker's, that is a shell", hook_like_dockers, ran),
    ("runc", "a hook of the image's", hook_of_the_image, lambda done, c: (c.root / MARKER).exists()),
    ("runc", "the host's root by a mapping", reads_as_root, lambda done, c: "canary of file" in done.out),
    ("runc", "a folder of the image's over another, by a link", both(evil_bundle, lambda c: c.link("foo", "/bin"), bind("{bundle}/evil", "/foo")),
     lambda done, c: "/bin/sh" in done.err and "CapBnd" not in done.out),
    ("crun", "an annotation that writes a file", lambda c: c.config.update(annotations={"run.oci.hooks.stdout": f"{c.canary.root}/{MARKER}"}) or hook("prestart", args=["true"])(c), ran),
]


@case("control: by the bare runtime, the attacks work")
def controls():
    wrong = []
    for host in hosts():
        for name, what, spoil, works in CONTROLS:
            if name != host.name:
                continue
            c = Case(host, hook_world.Canary())
            spoil(c)
            c.write()
            done = host.run(host.path, c.bundle)
            if not works(done, c):
                wrong.append(f"{name}: {what}: {done}")
            c.done()
            c.canary.close()
    check(not wrong, "the attack does not work:\n" + "\n".join(wrong))


if __name__ == "__main__":
    laz.main()
