# SPDX-License-Identifier: Apache-2.0
"""Hostile images, bundles and state documents in front of lazaret-hook: under runc and under crun no file of the host
changes that is not the hook's own, no code of an image runs on the host, and nothing hangs.

A row says what is hostile and what comes of it: the name of an error, DELIVERED, or RUNTIME, where the runtime itself
has refused before a hook was asked. Each row runs with a watched tree of the host beside it.
"""
import json
import os
import shutil
import signal
import stat
import subprocess
import time

import area
import hook_world as world
import laz
import rootfs
from hook_world import SECRETS, TMPFS
from laz import case, check, check_equal
from swaps import Swaps

DELIVERED, RUNTIME = "delivered", "the runtime's own"
ROUNDS = 20000 if laz.LONG else 300
PATIENCE_S = 60
ATTACK = r"""
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void run(void)
{
    int fd = open(MARK, O_CREAT | O_WRONLY, 0666);
    if (fd >= 0) {
        (void)!write(fd, "x", 1);
    }
}
"""


class Case:
    """What a row may spoil: the image, config.json's content, and the host's files beside the hook's own."""

    def __init__(self, runtime, canary):
        self.runtime, self.canary = runtime, canary
        self.bundle = world.bundle()
        self.root = self.bundle / "rootfs"
        self.config = world.config(["/bin/cat", f"{SECRETS}/db"])
        self.name = None

    def link(self, path, target):
        at = self.root / path
        at.parent.mkdir(parents=True, exist_ok=True)
        at.symlink_to(target)

    def mount(self, **changes):
        self.config["mounts"][-1].update(changes)

    def run(self):
        (self.bundle / "config.json").write_text(json.dumps(self.config))
        done, self.name = self.runtime.run(self.bundle)
        return done


# ---- Images and bundles that a runtime runs ----------------------------------------------------------


def preload(c):
    """As an image would have it: a library of its own, and variables that have programs load it."""
    source = area.root() / "attack.c"
    source.write_text(ATTACK)
    built = area.run(["gcc", "-shared", "-fPIC", f'-DMARK="{c.canary.root}/ran"', source, "-o", c.root / "evil.so"])
    check_equal(built.code, 0, built.err)
    c.config["process"]["env"] += ["LD_PRELOAD=./evil.so", "LD_LIBRARY_PATH=.:/evil", "GLIBC_TUNABLES=glibc.malloc.check=3"]
    for entries in c.config["hooks"].values():
        del entries[0]["env"]


def own_files(c):
    """An image that brings the host's files, with laxer words in them."""
    for path, text in (("/etc/lazaret/runtime.yaml", "version: 1\nruntime: /bin/true\ndefault-policy: pass-through\n"),
                       ("/etc/lazaret/policies.d/task.yaml", "version: 1\nextends: [builtin/static]\nworkload: {user: '1:1'}\n"),
                       ("/etc/lazaret/secrets.d/task/db", "of the image"), ("/run/lazaret/" + world.HASH + "/x.json", "{}")):
        rootfs.put(c.root, path, text)


def own_proc(c):
    """An image whose /proc says what it likes, until the runtime mounts the real one."""
    rootfs.put(c.root, "/proc/self/ns/mnt", "x")
    (c.root / "proc" / "1").symlink_to(c.canary.root)


def hard_links(c):
    """The image has the host's files under other names."""
    os.link(c.canary.root / "file", c.root / "db")
    (c.root / "run/lazaret/host-secrets").mkdir(parents=True)
    os.link(c.canary.root / "db", c.root / "run/lazaret/host-secrets/db")


def device(c):
    (c.root / "run/lazaret").mkdir(parents=True)
    os.mknod(c.root / "run/lazaret/host-secrets", stat.S_IFCHR | 0o666, os.makedev(1, 3))


def fifo(c):
    (c.root / "run/lazaret").mkdir(parents=True)
    os.mkfifo(c.root / "run/lazaret/host-secrets")


def add_mount(*places, **said):
    def spoil(c):
        for at in places or [len(c.config["mounts"])]:
            c.config["mounts"].insert(at, {key: str(value).format(canary=c.canary.root) if isinstance(value, str) else value
                                           for key, value in said.items()})
    return spoil


def root_path(text):
    def spoil(c):
        (c.bundle / "link").symlink_to("rootfs")
        c.config["root"]["path"] = text.format(bundle=c.bundle, canary=c.canary.root)
    return spoil


def removed(c):
    c.config["mounts"].pop()


def large_value(c):
    c.runtime.put(f"{world.SOURCE}/task/db", "x" * 100000, 0o600)
    c.mount(options=["nosuid", "size=8k"])


# crun follows no link out of an image itself, runc follows it inside.
LINKED = {"runc": "bundle-refused", "crun": RUNTIME}
# what, how, what comes of it, and a word of why; runc makes a mount read-only behind its hooks
IMAGES = [
    ("/run is a link to the host", lambda c: c.link("run", c.canary.root), LINKED, "ELOOP"),
    ("/run/lazaret is a link to the host", lambda c: c.link("run/lazaret", c.canary.root / "lazaret"), LINKED, "ELOOP"),
    ("the folder is a link to the host", lambda c: c.link(SECRETS[1:], c.canary.root / "host-secrets"), LINKED, "ELOOP"),
    ("the folder is a link upwards", lambda c: c.link(SECRETS[1:], "../" * 12 + str(c.canary.root)[1:]), LINKED, "ELOOP"),
    ("the folder is a link inside the image", lambda c: c.link("run", "tmp"), "bundle-refused", "ELOOP"),
    ("/run is a magic link to the host's root", lambda c: c.link("run", "/proc/1/root/tmp"), LINKED, "ELOOP"),
    ("/run is a magic link to the caller's folder", lambda c: c.link("run", "/proc/self/cwd"), LINKED, "ELOOP"),
    ("/run is a link to itself", lambda c: c.link("run", "run"), RUNTIME, ""),
    ("the folder is a device", device, RUNTIME, ""),
    ("the folder is a FIFO", fifo, RUNTIME, ""),
    ("the folder is a file", lambda c: rootfs.put(c.root, SECRETS, "x"), RUNTIME, ""),
    ("variables that load the image's code", preload, DELIVERED, ""),
    ("a thousand long variables", lambda c: c.config["process"]["env"].extend(f"V{i}={'x' * 500}" for i in range(1000)), DELIVERED, ""),
    ("annotations that name another policy", lambda c: c.config.update(annotations={
        "io.lazaret.policy": "pass-through", "io.lazaret.applied": "x", "run.lazaret": "../../etc"}), DELIVERED, ""),
    ("annotations of 100 KiB", lambda c: c.config.update(annotations={"a": "x" * 100000}), "oci-state-refused", "more than 65536 bytes"),
    ("the host's own files in the image", own_files, DELIVERED, ""),
    ("a /proc of the image's own", own_proc, DELIVERED, ""),
    ("hard links to the host's files", hard_links, DELIVERED, ""),
    ("a link in the place of the records", lambda c: c.link("var/log/lazaret", c.canary.root), DELIVERED, ""),
    ("no mount is declared", removed, "secret-undeliverable", f"config.json mounts no tmpfs at {SECRETS}"),
    ("a folder of the host is mounted", lambda c: c.mount(type="bind", source=str(c.canary.root / "sub"), options=["bind"]),
     "secret-undeliverable", "mounts no tmpfs"),
    ("a tmpfs that is a bind mount", lambda c: c.mount(source=str(c.canary.root / "sub"), options=["rbind"]),
     "secret-undeliverable", "mounts no tmpfs"),
    ("it is mounted twice", lambda c: c.config["mounts"].append(TMPFS), "secret-undeliverable", "mounts no tmpfs"),
    ("something is mounted over it", add_mount(destination=SECRETS + "/", type="bind", source="{canary}/sub", options=["bind"]),
     "secret-undeliverable", ""),
    ("something is mounted in it", add_mount(destination=SECRETS + "/db", type="bind", source="{canary}/db", options=["bind"]),
     "secret-undeliverable", "mounts no tmpfs"),
    ("something is mounted in it, by a link", lambda c: (c.link("foo", SECRETS), add_mount(
        destination="/foo/db", type="bind", source="{canary}/db", options=["bind"])(c)),
     "secret-undeliverable", f"{SECRETS} is not empty"),
    ("something is mounted above it", add_mount(destination="/run", type="tmpfs", source="tmpfs"), "bundle-refused", "ENOENT"),
    ("the mount has what the image has there", lambda c: (rootfs.put(c.root, SECRETS + "/db", "of the image"),
                                                           c.mount(options=["tmpcopyup"])), "secret-undeliverable", "is not empty"),
    ("a mount above it has the folder, and is a tmpfs", lambda c: (
        world.rootfs.put_folder(c.root, SECRETS), c.config["mounts"].append({
            "destination": "/run/lazaret", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]})),
     "secret-undeliverable", "is no mount of its own"),
    ("another file system", lambda c: c.mount(type="ramfs", source="ramfs", options=[]), "secret-undeliverable", "mounts no tmpfs"),
    ("a mount without room", large_value, "secret-undeliverable", "ENOSPC"),
    ("a mount that is read-only", lambda c: c.mount(options=["ro"]), {"runc": DELIVERED, "crun": "secret-undeliverable"}, "EROFS"),
    ("the root is a link", root_path("link"), {"runc": RUNTIME, "crun": "bundle-refused"}, "ELOOP"),
    ("the root is a link, by its path", root_path("{bundle}/link"), {"runc": RUNTIME, "crun": "bundle-refused"}, "ELOOP"),
    ("programs of the host's are mounted, and may be written", add_mount(destination="/x", type="bind", source="/usr", options=["rbind"]),
     "request-refused", "/x of the container is not what it was when it was judged: there, or in it, is /usr (host.mounts)"),
    ("programs of the host's are mounted read-only, but not what is in them", add_mount(
        destination="/x", type="bind", source="/usr", options=["rbind", "ro", "rrw"]), "request-refused", "/usr (host.mounts)"),
    ("control: programs of the host's are mounted read-only", add_mount(destination="/x", type="bind", source="/usr", options=["rbind", "ro"]), DELIVERED, ""),
    ("the root is upwards", root_path("../{bundle.name}/rootfs"), "bundle-refused", "EXDEV"),
]


def spoiled(runtime, row):
    """Run one row: the outcome is what it says, and the host is as it was."""
    what, spoil, expected, words = row
    if isinstance(expected, dict):
        expected = expected[runtime.name]
    runtime.set_up()
    canary = world.Canary()
    c = Case(runtime, canary)
    spoil(c)
    canary.before = canary.look()  # a hard link counts at both ends
    canary.events()
    mounts = runtime.mounts()
    done = c.run()
    told = f"{runtime.name}: {what}: {done}"
    said = [r for r in runtime.ledger() if r["ev"] == "hook.refuse"]
    if expected == DELIVERED:
        check_equal((done.code, done.out), (0, runtime.values["db"]), told)
        check_equal([r["ev"] for r in runtime.ledger()], ["hook.create", "hook.secrets", "hook.end"], told)
    else:
        check(done.code != 0 and runtime.values["db"] not in done.out, told)
    if expected not in (DELIVERED, RUNTIME):
        check(said and said[0]["d"]["error"] == expected and words in said[0]["d"]["why"], f"{told}: {said}")
        check(runtime.name == "crun" or f"lazaret-hook: error: {expected}: " in done.err, told)
        check(not world.MISLEADING.search(str(said)), told)
    check_equal(runtime.mounts(), mounts, f"{told}: mounts of the host")
    canary.check_untouched(told)
    for value in runtime.values.values():
        left = area.run(["grep", "-rlsF", "-D", "skip", value, canary.root, c.bundle, runtime.state])
        check_equal(left.out, "", f"{told}: the value is on the host")
    canary.close()
    shutil.rmtree(c.bundle)


def images():
    """An instrumented build is dynamic, and loads what the environment says."""
    return [row for row in IMAGES if not (laz.instrumented() and row[1] is preload)]


@case("hostile images and bundles change nothing on the host, and run nothing there")
def images_are_harmless():
    for runtime in world.runtimes():
        wrong = []
        for row in images():
            try:
                spoiled(runtime, row)
            except laz.Failed as why:
                wrong.append(str(why))
        check(not wrong, "\n".join(wrong))
        print(f"     {runtime.name}: {len(images())} hostile images and bundles")


# ---- A tmpfs of the host's, which is none of the container's -----------------------------------------

OURS = len(world.config()["mounts"]) - 1
SHARED = [  # source below /var/log/shared, destination, place among the mounts, what comes of it, why
    ("a folder of it, with a slash behind", "folder", SECRETS + "/", OURS + 1, "secret-undeliverable", "mounts no tmpfs"),
    ("a folder of it, by way of dots", "folder", "/run/./x/..//lazaret/host-secrets", OURS + 1, "secret-undeliverable", "mounts no tmpfs"),
    ("a folder of it, by a link of the image's", "folder", "/foo", OURS + 1, "secret-undeliverable", "is no fresh tmpfs"),
    ("the whole of it, by a link of the image's", "whole", "/foo", OURS + 1, "secret-undeliverable", "is no fresh tmpfs"),
    ("control: by a link, and the container's own over it", "folder", "/foo", OURS, DELIVERED, ""),
    ("control: elsewhere in the container", "whole", "/bar", OURS + 1, DELIVERED, ""),
]


@case("no secret reaches a tmpfs of the host that is mounted in the place of the container's, and the host's stays writable")
def tmpfs_of_host():
    for runtime in world.runtimes():
        wrong = []
        for what, source, destination, place, expected, words in SHARED:
            runtime.set_up()
            at = runtime.host("/var/log/shared")
            runtime.must("mkdir", "-p", "/var/log/shared")
            runtime.must("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/var/log/shared")
            if source == "folder":
                (at / "folder").mkdir()
            canary = world.Canary(at)
            c = Case(runtime, canary)
            c.link("foo", SECRETS)
            rootfs.put_folder(c.root, SECRETS)
            path = "/var/log/shared" + ("/folder" if source == "folder" else "")
            c.config["mounts"].insert(place, {"destination": destination, "type": "bind", "source": path, "options": ["rbind"]})
            mounts = runtime.mounts()
            done = c.run()
            try:
                check_equal(runtime.mounts(), mounts, "mounts of the host")
                canary.check_untouched("a tmpfs of the host")
                (at / "writable").touch()
                said = [r["d"] for r in runtime.ledger() if r["ev"] == "hook.refuse"]
                if expected == DELIVERED:
                    check_equal((done.code, done.out, said), (0, runtime.values["db"], []), str(done))
                else:
                    check(done.code != 0 and said and said[0]["error"] == expected and words in said[0]["why"], f"{done}: {said}")
            except (laz.Failed, OSError) as why:
                wrong.append(f"{runtime.name}: {what}: {why}")
            canary.close()
            shutil.rmtree(c.bundle)
            runtime.must("umount", "/var/log/shared")
        check(not wrong, "\n".join(wrong))


@case("control: a hook that is not static runs the image's code on the host, where its entry has no variables")
def dynamic_hook_runs_code():
    runtime = next(world.runtimes())
    canary = world.Canary()
    c = Case(runtime, canary)
    preload(c)
    c.config["hooks"] = {"createContainer": [{"path": "/bin/true", "args": ["true"]}]}
    c.config["process"]["args"] = ["/bin/true"]
    c.run()
    if not (canary.root / "ran").exists():  # runc 1.3 does not hand the image's environment on any more
        version = area.run([runtime.path, "--version"]).out
        check(tuple(map(int, version.split()[2].split("+")[0].split(".")[:2])) >= (1, 3), f"the attack does not work: {version}")
    canary.close()


# ---- What no runtime would hand over -----------------------------------------------------------------


class Given:
    """A bundle, and a state document as runc or crun writes it, for a hook that is run by hand."""

    def __init__(self, runtime, canary):
        self.runtime, self.canary = runtime, canary
        self.processes = []
        self.bundle = world.bundle()
        self.id = f"by-hand-{self.bundle.name}"
        self.state = {"ociVersion": "1.0.2-dev", "id": self.id, "status": "creating", "pid": self.container(),
                      "bundle": str(self.bundle)}
        if runtime.name == "crun":
            self.state = {**self.state, "ociVersion": "1.0", "root": "rootfs", "status": "created",
                          "created": "2026-11-23T00:00:00Z", "annotations": {}}
        self.raw = None

    def container(self, *before):
        """A process in a mount namespace of its own, as the hook numbers it."""
        at = f"/run/pid-{self.bundle.name}-{len(self.processes)}"
        self.processes.append(subprocess.Popen(
            self.runtime.fence.command(*(before or ("unshare", "--mount")), "sh", "-c", f"echo $$ > {at}; exec sleep 1000")))
        deadline = time.monotonic() + PATIENCE_S
        path = self.runtime.host(at)
        while not path.exists() or not path.read_text().endswith("\n"):
            check(time.monotonic() < deadline, "no process")
            time.sleep(0.005)
        return int(path.read_text())

    def put_document(self):
        """For a hook that a script runs: its record, and the document as a file."""
        self.runtime.record(self.id, self.bundle)
        self.document = area.root() / f"{self.id}.json"
        self.document.write_text(json.dumps(self.state))

    def run(self, verb):
        self.runtime.record(self.id, self.bundle)
        document = self.raw if self.raw is not None else json.dumps(self.state).encode()
        return self.runtime.direct(verb, document)

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.bundle, ignore_errors=True)


def config_becomes(how):
    def spoil(g):
        path = g.bundle / "config.json"
        text = path.read_text()
        path.unlink()
        how(g, path, text)
    return spoil


def raw(text):
    def spoil(g):
        g.raw = text(g) if callable(text) else text
    return spoil


def state(**changes):
    return lambda g: g.state.update(changes)


def whole(g):
    return json.dumps(g.state)


def linked_config(g, path, text):
    other = rootfs.put(g.bundle, "other.json", text)
    path.symlink_to(other)


def twice_named(g, path, text):
    os.link(rootfs.put(g.bundle, "other.json", text), path)


def in_another_folder(g):
    place = g.bundle.with_name(g.bundle.name + "-of-another")
    place.mkdir()
    place.chmod(0o777)
    shutil.move(g.bundle, place / "bundle")
    g.bundle = place / "bundle"
    g.state["bundle"] = str(g.bundle)


BY_HAND = [
    ("no document", raw(b""), "oci-state-refused", ""),
    ("no JSON", raw(b"\x7fELF\x00"), "oci-state-refused", ""),
    ("half a document", raw(lambda g: whole(g)[:-9].encode()), "oci-state-refused", ""),
    ("two documents", raw(lambda g: (whole(g) * 2).encode()), "oci-state-refused", ""),
    ("a list", raw(b"[]"), "oci-state-refused", ""),
    ("a document of 70,000 bytes", raw(lambda g: (whole(g) + " " * 70000).encode()), "oci-state-refused", "more than 65536 bytes"),
    ("nested a thousand times", raw(b'{"annotations":' + b"[" * 1000), "oci-state-refused", ""),
    ("an id twice", raw(lambda g: (whole(g)[:-1] + ', "id": "other"}').encode()), "oci-state-refused", ""),
    ("bytes that are no UTF-8", raw(lambda g: whole(g).encode()[:-1] + b',"x":"\xff"}'), "oci-state-refused", ""),
    ("an id with slashes", state(id="../../etc/x"), "oci-state-refused", "id"),
    ("an id that is two dots", state(id=".."), "oci-state-refused", "id"),
    ("an empty id", state(id=""), "oci-state-refused", "id"),
    ("an id of 5,000 letters", state(id="x" * 5000), "oci-state-refused", "id"),
    ("an id with a NUL", state(id="a\0b"), "oci-state-refused", ""),
    ("no bundle", state(bundle=None), "oci-state-refused", "bundle"),
    ("a relative bundle", state(bundle="bundle"), "oci-state-refused", "bundle"),
    ("a bundle with dots", lambda g: g.state.update(bundle=f"{g.bundle}/../{g.bundle.name}"), "bundle-refused", "no plain path"),
    ("a bundle that ends with a slash", lambda g: g.state.update(bundle=f"{g.bundle}/"), "bundle-refused", "no plain path"),
    ("a bundle that is a magic link", state(bundle="/proc/self/root/etc"), "bundle-refused", "ELOOP"),
    ("a bundle that is not there", state(bundle="/nowhere/at/all"), "bundle-refused", "ENOENT"),
    ("a bundle of another's", lambda g: os.chown(g.bundle, 5, 5), "host-unsafe", "belongs to user 5, not to root"),
    ("a bundle that others write", lambda g: g.bundle.chmod(0o775), "host-unsafe", "others than root may write, mode 0775"),
    ("a bundle in a folder that others write", in_another_folder, "host-unsafe", "is in a folder that others than root may write"),
    ("a status of another stage", state(status="stopped"), "bundle-refused", "at a container that is stopped"),
    ("no status", state(status="perhaps"), "oci-state-refused", "status"),
    ("a pid below 0", state(pid=-1), "oci-state-refused", "pid"),
    ("config.json is a FIFO", config_becomes(lambda g, path, text: os.mkfifo(path)), "host-unsafe", "config.json is no regular file"),
    ("config.json is a link", config_becomes(linked_config), "bundle-refused", "config.json: ELOOP"),
    ("config.json is a device", config_becomes(lambda g, path, text: os.mknod(path, stat.S_IFCHR, os.makedev(1, 5))),
     "host-unsafe", "config.json is no regular file"),
    ("config.json is a folder", config_becomes(lambda g, path, text: path.mkdir()), "host-unsafe", "config.json is no regular file"),
    ("config.json has two names", config_becomes(twice_named), "host-unsafe", "config.json has 2 names, and may have one"),
    ("config.json is not there", config_becomes(lambda g, path, text: None), "bundle-refused", "config.json: ENOENT"),
    ("config.json is another's", lambda g: os.chown(g.bundle / "config.json", 5, 5), "host-unsafe", "config.json belongs to user 5"),
    ("others may write config.json", lambda g: (g.bundle / "config.json").chmod(0o666), "host-unsafe", "mode 0666"),
    ("config.json of 5 MiB", config_becomes(lambda g, path, text: path.write_text(text + " " * (5 << 20))), "bundle-refused",
     "config.json: more than 4194304 bytes"),
    ("a key of config.json twice", config_becomes(lambda g, path, text: path.write_text(text[:-1] + ', "root": {"path": "/"}}')),
     "oci-refused", ""),
    ("a key of config.json in another case", config_becomes(lambda g, path, text: path.write_text(text[:-1] + ', "Root": {"path": "/"}}')),
     "oci-refused", ""),
    ("config.json without a root", config_becomes(lambda g, path, text: path.write_text(json.dumps({**json.loads(text), "root": {}}))),
     "bundle-refused", "root.path is no path"),
    ("the host's own root", config_becomes(lambda g, path, text: path.write_text(json.dumps({**json.loads(text), "root": {"path": "/"}}))),
     "bundle-refused", "root.path is the host's own root"),
]
PIDS = [
    ("the pid of the host's first process", state(pid=1), "bundle-refused", "pid 1 is no process of a container"),
    ("the pid of another process of the host's", lambda g: g.state.update(pid=g.container("env")), "bundle-refused", "is no process of a container"),
    ("no pid", state(pid=0), "bundle-refused", "pid 0 is no process of a container"),
    ("a pid of nobody", state(pid=4194000), "bundle-refused", "pid 4194000 is no process of a container"),
]
PLACES = [
    ("the host's mount namespace", lambda g: None, "secret-undeliverable", "this is the host's mount namespace, not a container's"),
]


def by_hand(runtime, verb, row):
    what, spoil, expected, words = row
    runtime.set_up()
    canary = world.Canary()
    given = Given(runtime, canary)
    try:
        spoil(given)
        mounts = runtime.mounts()
        done = given.run(verb)
        world.check_refused(done, expected, words, f"{runtime.name}: {verb}: {what}")
        said = [r for r in runtime.ledger() if r["ev"] == "hook.refuse"]
        check_equal([r["d"]["error"] for r in said], [expected], f"{runtime.name}: {verb}: {what}: records")
        check_equal(len(runtime.ledger()), 1, f"{runtime.name}: {verb}: {what}: other records")
        check_equal(runtime.mounts(), mounts, f"{runtime.name}: {what}: mounts of the host")
        canary.check_untouched(what)
    finally:
        given.close()
        canary.close()


@case("state documents and bundles that no engine makes are refused by name, and read without waiting")
def documents_are_refused():
    for runtime in world.runtimes():
        for row in BY_HAND:
            for verb in ("audit-create", "secrets"):
                by_hand(runtime, verb, row)
        for row in PIDS:
            by_hand(runtime, "audit-create", row)
        for row in PLACES:
            by_hand(runtime, "secrets", row)
        print(f"     {runtime.name}: {len(BY_HAND) + len(PIDS) + len(PLACES)} rows by hand")


@case("control: the document that the rows spoil is taken")
def document_is_taken():
    for runtime in world.runtimes():
        given = Given(runtime, None)
        done = given.run("audit-create")
        check_equal((done.code, done.err), (0, ""), runtime.name)
        check_equal([r["ev"] for r in runtime.ledger()], ["hook.create"], runtime.name)
        given.close()


# In a mount namespace of the runtime's: where its tmpfs is from, and what comes of it.
MADE = [
    ("a tmpfs of its own", 'mount -t tmpfs tmpfs "$1"', DELIVERED),
    ("one that only the runtime sees elsewhere", 'mount -t tmpfs tmpfs /mnt && mount --bind /mnt "$1"', "is no fresh tmpfs"),
    ("a part of one that is gone", 'mount -t tmpfs tmpfs /mnt && mkdir /mnt/part && mount --bind /mnt/part "$1" && umount /mnt',
     "is no fresh tmpfs"),
    ("one that the host sees too", 'mount -t tmpfs tmpfs "$1"', "is no fresh tmpfs"),
]


@case("a tmpfs that anybody else has, or had, takes no secret")
def tmpfs_is_fresh():
    for runtime in world.runtimes():
        for what, script, expected in MADE:
            runtime.set_up()
            given = Given(runtime, None)
            root = given.bundle / "rootfs"
            rootfs.put_folder(root, SECRETS)
            given.put_document()
            is_shared = "host sees" in what
            if is_shared:
                runtime.must("mount", "--bind", root, root)
                runtime.must("mount", "--make-shared", root)
            done = area.run(runtime.fence.command(
                "unshare", "--mount", "--propagation", "unchanged" if is_shared else "private", "sh", "-c",
                f'{script} && exec "$2" secrets {world.HASH} < "$3"', "sh", str(root) + SECRETS, world.hook(), given.document))
            if is_shared:
                seen = [line.split()[4] for line in runtime.mounts()]
                runtime.must("umount", "--recursive", root)
                check(str(root) + SECRETS in seen, f"the host does not see it: {seen}")
            if expected == DELIVERED:
                check_equal((done.code, done.err), (0, ""), f"{runtime.name}: {what}")
            else:
                world.check_refused(done, "secret-undeliverable", expected, f"{runtime.name}: {what}")
            given.close()


@case("a hook that may not look at process 1 says so, and takes it neither for the host's nor for the container's")
def process_one_unseen():
    for runtime in world.runtimes():
        runtime.set_up()
        given = Given(runtime, None)
        rootfs.put_folder(given.bundle / "rootfs", SECRETS)
        given.put_document()
        words = ["setpriv", "--bounding-set", "-sys_ptrace", world.hook(), "secrets", world.HASH]
        done = area.run(runtime.fence.command("sh", "-c", 'exec "$@" < "$0"', given.document, *words))
        world.check_refused(done, "host-unseen", "/proc/1/ns/mnt: EACCES", runtime.name)
        given.close()


# ---- The race ----------------------------------------------------------------------------------------


def exchanged(root, canary):
    """A folder of the image, and a link to the host."""
    (root / "run").mkdir()
    (root / "run/lazaret/host-secrets").mkdir(parents=True)
    (root / "run/other").symlink_to(canary.root / "lazaret")
    return Swaps(root / "run" / "lazaret", root / "run" / "other")


# The runtime's part, in a mount namespace of its own: a tmpfs where the image has the folder at this moment.
ROUND = (f'mount -t tmpfs -o nosuid,nodev,noexec,mode=0711 tmpfs "$1/run/lazaret/host-secrets" 2>/dev/null || '
         f'mount -t tmpfs tmpfs "$1/run/other/host-secrets" 2>/dev/null; shift; exec "$@"')


@case("while parts of the image's paths are exchanged for links to the host, nothing gets there")
def race_is_lost():
    runtime = next(world.runtimes())
    canary = world.Canary()
    given = Given(runtime, canary)
    root = given.bundle / "rootfs"
    given.put_document()
    script = f"""
    n=0; delivered=0
    while [ $n -lt {ROUNDS} ]; do
        unshare --mount --propagation private sh -c '{ROUND}' sh {root} {world.hook()} secrets {world.HASH} < {given.document} 2>> /run/raced && delivered=$((delivered + 1))
        n=$((n + 1))
    done
    echo $delivered"""
    with exchanged(root, canary) as swaps:
        done = area.run(runtime.fence.command("sh", "-c", script), timeout=300 if not laz.LONG else 3600)
    delivered = int(done.out)
    errors = runtime.host("/run/raced").read_text().splitlines()
    print(f"     {ROUNDS} rounds, {swaps.n} exchanges: {delivered} delivered, {len(errors)} refused")
    check_equal(delivered + len(errors), ROUNDS, "rounds")
    check(swaps.n > ROUNDS / 10 and delivered > 0 and errors, f"{swaps.n} exchanges, {delivered} delivered: no race")
    known = ("bundle-refused", "secret-undeliverable")
    strange = [line for line in errors if line.split(": ")[2] not in known]
    check_equal(strange, [], "refusals by another name")
    canary.check_untouched("the race")
    left = area.run(["grep", "-rlsF", runtime.values["db"], canary.root, root])
    check_equal(left.out, "", "the value is on the host")
    given.close()
    canary.close()


@case("control: who writes by the path loses that race")
def naive_writer_loses():
    runtime = next(world.runtimes())
    canary = world.Canary()
    given = Given(runtime, canary)
    root = given.bundle / "rootfs"
    target = root / "run/lazaret/host-secrets/db"
    deadline = time.monotonic() + PATIENCE_S
    with exchanged(root, canary):
        while canary.look() == canary.before and time.monotonic() < deadline:
            try:
                target.write_text("naive")
            except OSError:
                continue
    check(canary.look() != canary.before and canary.events(), "the race does not bite")
    given.close()
    canary.close()


signal.signal(signal.SIGPIPE, signal.SIG_DFL)
laz.main()
