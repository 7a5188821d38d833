# SPDX-License-Identifier: Apache-2.0
"""Containers with a user namespace of their own behind lazaret-shim. Inside, no file of the host is root's: neither
lazaret-init's policy nor lazaret-init. By runc and crun on bundles, and by a dockerd with userns-remap.
"""
import copy
import hashlib
import json
import os
import pathlib
import re

import area
import engines
import hook_world
import laz
import rootfs
import shim_world as world
from laz import case, check, check_equal
from shim_confined import STATUS, check_confined
from shim_served import BASE, HELPERS, Served
from shim_world import SHIM, configure

FIRST, LENGTH = 100000, 65536
MAPPING = [{"containerID": 0, "hostID": FIRST, "size": LENGTH}]
REQUIRED = "host: {user-namespace: required}\n"
HEADER = 48  # bytes of a compiled policy, the last of which are the digest of all behind them
INIT = "/.lazaret/lazaret-init"
SECRETS = "secrets: {items: [{name: db, from: {file: /run/lazaret/host-secrets/db}, file: {path: db}}]}\n"
_fences = {}


class Host:
    """One runtime behind the shim, and bundles for it."""

    made = 0

    def __init__(self, name):
        self.name = name
        self.path = area.require_program(name)
        world.host()
        if name not in _fences:
            _fences[name] = area.Fence()
            if name == "crun":  # it takes no mixture of both versions of control groups
                area.run(_fences[name].command("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"))
        self.fence = _fences[name]

    def set_up(self, policy):
        world.install(shell=policy)
        configure(f"version: 1\nruntime: {self.path}\ndefault-policy: shell\naudit: {{file: {world.OPT}/audit/host.jsonl}}\n")

    def call(self, *words, program=SHIM, shell=None):
        """By the shim, or another program; `shell` stands in front."""
        before = ["sh", "-c", shell + ' "$@"', "sh"] if shell else []
        return area.run(self.fence.command(*before, program, "--root", "/run/state", *words), env={"PATH": area.PATH}, cwd="/")

    def bundle(self, args, *, users=MAPPING, **changes):
        """Whose image belongs to the root that it will have."""
        Host.made += 1
        folder = area.folder(f"users-{Host.made}")
        area.run(["cp", "-a", hook_world.image(), folder / "rootfs"])
        rootfs.put_folder(folder / "rootfs", "/usr")
        rootfs.put_folder(folder / "rootfs", "/tmp", 0o1777)
        rootfs.put_users(folder / "rootfs")
        area.run(["runc", "spec", "--bundle", folder])
        config = json.loads((folder / "config.json").read_text())
        caps = ["CAP_" + name for name in engines.DOCKER_CAPS]
        config["process"].update(terminal=False, args=list(args), capabilities={k: caps for k in ("bounding", "effective", "permitted")})
        config["root"]["readonly"] = False
        linux = config["linux"]
        linux.update(cgroupsPath=f"/{self.fence.cgroup}/{Host.made}", resources={})
        linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] != "user"]
        if users:
            linux["namespaces"].append({"type": "user"})
            linux.update(uidMappings=users, gidMappings=copy.deepcopy(users))
            area.run(["chown", "-R", "--no-dereference", f"{FIRST}:{FIRST}", folder / "rootfs"])
        linux.update(changes)
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    def run(self, bundle):
        name = f"u-{Host.made}"
        try:
            return self.call("run", "--bundle", bundle, name)
        finally:
            self.call("delete", "--force", name, program=self.path)

    def start(self, bundle):
        """In the background; its name."""
        name = f"u-{Host.made}"
        done = self.call("run", "--detach", "--bundle", bundle, name, shell="exec </dev/null >/opt/said 2>&1;")
        check_equal(done.code, 0, f"{self.name}: {area.run(self.fence.command('cat', '/opt/said')).out}")
        return name

    def stop(self, name):
        self.call("delete", "--force", name, program=self.path)

    def enter(self, name, bundle, args, **process):
        """As an engine does it, by a file."""
        caps = ["CAP_" + name for name in engines.DOCKER_CAPS]
        path = bundle / "process.json"
        path.write_text(json.dumps({"args": list(args), "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin"],
                                    "capabilities": {k: caps for k in ("bounding", "effective", "permitted")}, **process}))
        return self.call("exec", "--process", path, name)

    def image(self):
        """The compiled policy that containers have."""
        (found,) = pathlib.Path(f"/proc/{self.fence.pid}/root/run/lazaret/images").glob("*.img")
        return found


def hosts(policy):
    """runc and crun, with nothing kept of another policy."""
    for name in ("runc", "crun"):
        host = Host(name)
        area.run(host.fence.command("rm", "-rf", "/run/lazaret/images", "/run/lazaret/prepared"))
        host.set_up(policy)
        yield host


def compiled(text, digest):
    """A policy that claims to be of other sources."""
    path = area.root() / "claims.yaml"
    path.write_text(text)
    done = area.run([laz.BIN / "lazaret", "policy", "compile", path, "-o", path.with_suffix(".img")])
    check_equal(done.code, 0, f"{done}")
    own = re.search("[0-9a-f]{64}", area.run([laz.BIN / "lazaret", "policy", "check", path]).out)[0]
    image = path.with_suffix(".img").read_bytes()
    check_equal(image.count(bytes.fromhex(own)), 1, "the digest of its sources")
    body = image[HEADER:].replace(bytes.fromhex(own), digest)
    return image[:HEADER - 32] + hashlib.sha256(body).digest() + body


def words_of(bundle):
    return json.loads((bundle / "config.json").read_text())["process"]["args"]


@case("host.user-namespace: required: what has none is refused; what has one begins, and is confined; without the key both begin")
def required():
    for policy, alone in ((BASE, True), (BASE + REQUIRED, False)):
        for host in hosts(policy):
            what = f"{host.name}: {policy[-40:]!r}"
            seen = host.run(host.bundle(["/bin/sh", "-c", "cat /proc/self/uid_map /proc/self/status"]))
            check_confined(seen, what)
            check_equal(seen.out.split()[:3], ["0", str(FIRST), str(LENGTH)], f"{what}: a namespace of its own")
            other = host.run(host.bundle(STATUS, users=None))
            if alone:
                check_confined(other, what)
            else:
                world.refused(other, "request-refused", "no user namespace of its own (host.user-namespace)")


@case("an exec by a file and by hand is confined as the workload is, and in its user namespace")
def execs():
    for host in hosts(BASE):
        bundle = host.bundle(["/bin/sleep", "1000"])
        name = host.start(bundle)
        for what, done in (("by a file", host.enter(name, bundle, STATUS)), ("as user 10001", host.enter(name, bundle, STATUS, user={"uid": 10001, "gid": 10001}, capabilities={})),
                           ("by hand", host.call("exec", name, *STATUS))):
            check_confined(done, f"{host.name}: {what}")
        seen = host.call("exec", name, "/bin/cat", "/proc/self/uid_map")
        check_equal(seen.out.split(), ["0", str(FIRST), str(LENGTH)], f"{host.name}: {seen}")
        host.stop(name)


@case("what lies at the policy's place must be the file that the shim has read: another one, also of the same sources, starts nothing")
def another():
    for host in hosts(BASE):
        bundle = host.bundle(["/bin/sleep", "1000"])
        name = host.start(bundle)
        image = host.image()
        before = image.read_bytes()
        image.write_bytes(compiled(BASE.replace("write: [/tmp]", "write: [/]"), bytes.fromhex(image.name[:64])))
        for done in (host.enter(name, bundle, STATUS), host.call("exec", name, *STATUS)):
            check(done.code == 101 and "policy-pin-mismatch: /.lazaret-policy: the pin names another policy" in done.err, f"{host.name}: {done}")
        image.write_bytes(compiled(BASE.replace("write: [/tmp]", "write: [/]"), hashlib.sha256(before).digest()))
        os.chown(image, FIRST, FIRST)  # root's, as the container sees it, and it claims what the pin is
        done = host.call("exec", name, *STATUS)
        check(done.code == 101 and "policy-pin-mismatch: /.lazaret-policy: a compiled policy that is not root's alone" in done.err, f"{host.name}: {done}")
        image.write_bytes(before)
        os.chown(image, 0, 0)
        check_confined(host.enter(name, bundle, STATUS), f"{host.name}: the control, as it was")
        host.stop(name)


@case("a bundle that was rewritten already: nothing changes, and under a policy that was edited since there is one lazaret-init, with the new pin")
def again():
    for host in hosts(BASE):
        bundle = host.bundle(STATUS)
        check_confined(host.run(bundle), host.name)
        first, words = (bundle / "config.json").read_bytes(), words_of(bundle)
        check_equal((words[:4], words[5:]), ([INIT, "--policy", "/.lazaret-policy", "--policy-sha256"], ["--", *STATUS]), f"{host.name}: words")
        check_confined(host.run(bundle), f"{host.name}: again")
        check_equal((bundle / "config.json").read_bytes(), first, f"{host.name}: config.json")
        host.set_up(BASE.replace("processes: 30000", "processes: 20000"))
        check_confined(host.run(bundle), f"{host.name}: another policy")
        now = words_of(bundle)
        check_equal((now[:4], now[5:]), (words[:4], words[5:]), f"{host.name}: words under another policy")
        check(now[4] != words[4], f"{host.name}: {now}")


@case("a user namespace that is there already is refused: nobody says whom its users are on the host")
def joined():
    for host in hosts(BASE):
        bundle = host.bundle(STATUS, users=None)
        config = json.loads((bundle / "config.json").read_text())
        config["linux"]["namespaces"].append({"type": "user", "path": "/proc/self/ns/user"})
        (bundle / "config.json").write_text(json.dumps(config))
        world.refused(host.run(bundle), "request-refused", "a user namespace that is there already")


@case("a user namespace of which config.json does not say whom its users are on the host is refused; crun would take the host's root")
def unmapped():
    for host in hosts(BASE):
        for key in ("uidMappings", "gidMappings"):
            for changes in ({key: []}, {}):
                bundle = host.bundle(STATUS, **changes)
                config = json.loads((bundle / "config.json").read_text())
                if not changes:
                    del config["linux"][key]
                for mount in config["mounts"]:
                    if mount["destination"] == "/sys/fs/cgroup":
                        mount["options"] = [o for o in mount["options"] if o != "ro"]
                (bundle / "config.json").write_text(json.dumps(config))
                world.refused(host.run(bundle), "request-refused", "a user namespace without linux.uidMappings and linux.gidMappings")
        check_confined(host.run(host.bundle(STATUS)), f"{host.name}: the control, with both")


@case("secrets of the host do not come into a user namespace: refused by name before anything runs; the control, without one, has them")
def secrets():
    for host in hosts(BASE.replace("read: [/etc, /proc]", "read: [/etc, /proc, /run/secrets]") + SECRETS):
        folder = pathlib.Path("/etc/lazaret/secrets.d/shell")
        folder.mkdir(parents=True, exist_ok=True)
        folder.parent.chmod(0o755)
        (folder / "db").write_text("of the host")
        (folder / "db").chmod(0o600)
        words = ["/bin/sh", "-c", "read value </run/secrets/db; echo $value"]
        mounts = [{"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}]
        for users in (MAPPING, None):
            bundle = host.bundle(words, users=users)
            config = json.loads((bundle / "config.json").read_text())
            config["mounts"] += mounts
            (bundle / "config.json").write_text(json.dumps(config))
            done = host.run(bundle)
            if users:
                world.refused(done, "request-refused", "secrets of the host in a user namespace of the container's own, in which lazaret-hook is not the host's root (secrets.items)")
            else:
                check_equal((done.code, done.out), (0, "of the host\n"), f"{host.name}: the control: {done}")


@case("control groups that may be written: refused, but in a user namespace none of whose users is the host's root, as dockerd asks for them")
def control_groups():
    as_hosts = [{"containerID": 0, "hostID": 0, "size": LENGTH}]
    for host in hosts(BASE):
        for users, is_refused in ((MAPPING, False), (as_hosts, True), (None, True)):
            bundle = host.bundle(["/bin/sh", "-c", "cat /proc/self/status; echo 0 >/sys/fs/cgroup/cgroup.procs; echo x >/sys/fs/cgroup/pids/cgroup.procs"], users=users)
            config = json.loads((bundle / "config.json").read_text())
            for mount in config["mounts"]:
                if mount["type"] in ("cgroup", "cgroup2"):
                    mount["options"] = [o for o in mount["options"] if o != "ro"]
            (bundle / "config.json").write_text(json.dumps(config))
            done = host.run(bundle)
            if is_refused:
                world.refused(done, "request-refused", "a writable /sys or /sys/fs/cgroup (privileged) (host.privileged)")
            else:
                check("NoNewPrivs:\t1" in done.out and done.out.count("CapBnd:\t0000000000000000") == 1, f"{host.name}: {done}")


def remapped():
    """A daemon whose containers have users of their own; (the engine, the host's number of their root)."""
    world.host()
    first = 200000
    for name in ("subuid", "subgid"):
        pathlib.Path("/etc", name).write_text(f"mapped:{first}:{LENGTH}\n")
    for name, line in (("passwd", "mapped:x:990:990::/:/bin/false\n"), ("group", "mapped:x:990:\n")):
        with open(f"/etc/{name}", "a", encoding="ascii") as file:
            file.write(line)
    engine = engines.Docker(["--add-runtime", f"lazaret={SHIM}", "--userns-remap", "mapped"])
    engine.import_root(rootfs.busybox_root("shim-users"), "shell", "ENV PATH=/bin:/usr/bin")
    return engine, first


@case("docker with userns-remap: begins, an exec and all helpers do as in any other container; --userns host is refused")
def docker():
    engine, first = remapped()
    world.install(shell=HELPERS + REQUIRED)
    configure(f"version: 1\nruntime: /usr/sbin/runc\ndefault-policy: shell\naudit: {{file: {world.OPT}/audit/host.jsonl}}\n")
    with Served(engine, owner=first).ready() as it:
        done = engine.call("exec", it.name, "sh", "-c", "cat /proc/self/uid_map; cat /run/secrets/token; echo; cat /proc/self/status")
        check_confined(done, "exec")
        check_equal(done.out.split()[:4], ["0", str(first), str(LENGTH), "one-of-the-secrets"], f"exec: {done}")
        engine.must("stop", "-t", "10", it.name)
        verdict = area.run([laz.BIN / "lazaret", "verify", it.folder / "trail.jsonl"])
        check(verdict.code == 0 and "closed" in verdict.out, f"lazaret verify: {verdict}")
        (start,) = [r for r in it.trail() if r["ev"] == "init.start"]
        check_equal(start["d"]["degraded"], [], "degraded")
    alone = engine.run("shell", ["true"], options=["--runtime", "lazaret", "--userns", "host"])
    check(alone.code == 125 and "lazaret: request-refused: " in alone.err, f"--userns host: {alone}")  # by its control groups already


if __name__ == "__main__":
    laz.main()
