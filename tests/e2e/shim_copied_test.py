# SPDX-License-Identifier: Apache-2.0
"""What an engine's copy command puts where the host has mounted its own, in a container that runs behind lazaret-shim.

By a real dockerd and podman. The kernel lets a mount point be removed from another mount namespace, and dockerd unpacks an
archive in one in which the container's mounts are not: what is copied there takes the place of what the host has mounted.
"""
import http.client
import io
import json
import pathlib
import socket
import tarfile

import area
import engines
import laz
import rootfs
import shim_peers
import shim_world as world
from laz import case, check, check_equal
from shim_confined import STATUS, check_confined
from shim_served import BASE
from shim_world import SHIM, configure

INIT, POLICY = "/.lazaret/lazaret-init", "/.lazaret-policy"
LEDGER = world.OPT / "audit" / "host.jsonl"
# Whose workload is root, and writes and executes anywhere.
LAX = BASE.replace('user: "10001:10001"', 'user: "0:0"\n  allow-root: true').replace("read: [/etc, /proc]", "read: [/proc]").replace("write: [/tmp]", "write: [/tmp, /etc]")
TAKEN = "#!/bin/sh\necho taken by $(id -u)\n"
_made = {}


def prepare(policy=BASE):
    """The host, and a container's policy."""
    area.require_program("runc")
    world.host()
    world.install(shell=policy)
    configure(f"version: 1\nruntime: /usr/sbin/runc\ndefault-policy: shell\naudit: {{file: {LEDGER}}}\n")


def docker():
    """A daemon that knows the shim by name, and an image that knows nothing of Lazaret."""
    world.host()  # before the engine's own mounts
    if "docker" not in _made:
        _made["docker"] = engines.Docker(["--add-runtime", f"lazaret={SHIM}"])
        _made["docker"].import_root(rootfs.busybox_root("shim-copied"), "shell", "ENV PATH=/bin:/usr/bin")
    return _made["docker"]


def started(engine, *options):
    """A container that waits."""
    return engine.start("shell", ["sleep", "1000"], options=["--runtime", "lazaret", *options])


class Unix(http.client.HTTPConnection):
    """To the engine's own socket."""

    def __init__(self, path):
        super().__init__("engine")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


def archive(name, text=None, mode=0o755):
    """Of one file, or of a folder where there is no text; root's."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.mode, entry.type = mode, tarfile.REGTYPE if text is not None else tarfile.DIRTYPE
        entry.size = len(text or "")
        tar.addfile(entry, io.BytesIO((text or "").encode()))
    return out.getvalue()


def put(engine, name, body):
    """What `docker cp` asks for, and without its scruple to put a file in a folder's place."""
    connection = Unix(engine.socket)
    connection.request("PUT", f"/containers/{name}/archive?path=/", body=body, headers={"Content-Type": "application/x-tar"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def put_init(engine, name):
    """A program of the caller's in the place of lazaret-init."""
    for body in (archive(".lazaret", "x"), archive(".lazaret"), archive(INIT[1:], TAKEN)):
        check_equal(put(engine, name, body)[0], 200, "the control: dockerd unpacks it")


def lax(name):
    """A policy of the caller's, as a file."""
    path = area.folder(name) / "lax.yaml"
    path.write_text(LAX)
    path.chmod(0o644)
    return path


def record_of(engine, name):
    """Where the host remembers it."""
    ident = engine.must("inspect", "--format", "{{.Id}}", name)
    return next(pathlib.Path("/run/lazaret").glob(f"*/{ident}.json"))


def by_hand(engine, program, name, *words):
    """An exec by the shim, or by the runtime past it."""
    record = record_of(engine, name)
    state = (record.parent / "root").read_text().strip()
    return area.run(engine.fence.command(program, "--root", state, "exec", record.stem, *words), env={"PATH": area.PATH})


def last_refusal():
    """In the host's file."""
    record = [r for r in map(json.loads, LEDGER.read_text().splitlines()) if r["ev"] == "shim.refuse"][-1]
    return record["d"]["verb"], record["d"]["error"], record["d"]["why"]


REASON = "is not what the host has mounted there"


def check_refused(done, place, what):
    """By name, to the caller and in the host's file; nothing has run."""
    said = done.out + done.err
    check(done.code != 0 and "taken by" not in said and "Uid:" not in said, f"{what}: {done}")
    check(f"lazaret: container-changed: {place} of the container {REASON} (" in said, f"{what}: {done}")
    verb, error, why = last_refusal()
    check_equal((verb, error), ("exec", "container-changed"), what)
    check(f"{place} of the container {REASON}" in why, f"{what}: {why}")


WAYS = [(), ("-u", "0"), ("--privileged",)]


@case("docker cp over the policy of a running container: each exec after it is refused by name, and recorded; before it each is confined")
def policy():
    engine = docker()
    prepare()
    name = started(engine)
    for way in WAYS:
        check_confined(engine.call("exec", *way, name, *STATUS), f"the control, before: {way}")
    engine.must("cp", lax("lax"), f"{name}:{POLICY}")
    for way in WAYS:
        check_refused(engine.call("exec", *way, name, *STATUS), POLICY, f"docker exec {way}")
    check_refused(by_hand(engine, SHIM, name, *STATUS), POLICY, "by hand")
    pin = json.loads(record_of(engine, name).read_text())["policy-pin"]
    words = [INIT, "--enter", "--policy", POLICY, "--policy-sha256", pin, "--", *STATUS]
    done = by_hand(engine, "runc", name, *words)
    check(done.code == 101 and "policy-pin-mismatch: the pin names another policy" in done.err, f"copied behind the shim's look: {done}")
    words[4:6] = []
    check(by_hand(engine, "runc", name, *words).code == 0, "the control, without the pin")
    engine.must("restart", "-t", "0", name)
    check_confined(engine.call("exec", name, *STATUS), "begun anew, the host's is there again")
    engine.must("rm", "--force", name)


@case("an archive over the folder of lazaret-init: each exec after it is refused by name, and so are the probe and the health command under exec: deny")
def init():
    engine = docker()
    for policy_, words in ((BASE, ["true"]), (BASE, [INIT, "probe", "live"]),
                           (BASE + f"host: {{exec: deny, health-check: {{argv: [{INIT}, probe, live]}}}}\n", [INIT, "probe", "live"])):
        prepare(policy_)
        name = started(engine)
        before = engine.call("exec", name, *words)
        check("lazaret: " not in before.err, f"the control, before: {before}")
        put_init(engine, name)
        check_refused(engine.call("exec", name, *words), INIT, f"{words} {policy_[-60:]}")
        engine.must("rm", "--force", name)


@case("a container whose root is read-only: dockerd itself refuses to copy; podman cannot either, and an exec is confined afterwards")
def others():
    engine = docker()
    prepare()
    name = started(engine, "--read-only")
    path = lax("lax-others")
    done = engine.call("cp", path, f"{name}:{POLICY}")
    check(done.code != 0 and "read-only" in done.err, f"read-only: {done}")
    check_confined(engine.call("exec", name, *STATUS), "read-only")
    engine.must("rm", "--force", name)
    podman = shim_peers.Podman("copied")
    root = rootfs.busybox_root("shim-copied-podman")
    result = podman.call("run", "-d", *podman.options, "--name", "copied", "--rootfs", root, "/bin/sleep", "1000")
    check_equal(result.code, 0, f"podman run: {result}")
    done = podman.call("cp", path, f"copied:{POLICY}")
    check(done.code != 0 and "busy" in done.err, f"podman cp: {done}")
    check_confined(podman.call("exec", "copied", *STATUS), "podman")
    podman.call("rm", "--force", "--time", "0", "copied")


if __name__ == "__main__":
    laz.main()
