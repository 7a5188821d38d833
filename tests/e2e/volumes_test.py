# SPDX-License-Identifier: Apache-2.0
"""Volumes in a real container: what is mounted there decides whether the workload starts, and what is mounted later is a
record. Devices are those of tests/unit/sense/volume_test.c: no device-mapper is needed here.
"""
import signal
import subprocess

import fence
import laz
from laz import case, check, check_equal
from ship_world import World, until

ATTESTED = {"require": "attested", "attested-by": "arn:aws:ec2:us-east-1:111122223333:volume/vol-0123456789abcdef0"}


class Volume(World):
    """A world with one volume, on whatever the case mounts there; its disk is what the machine's temporary files are on."""

    def __init__(self, sense=None, path="volume", **keys):
        super().__init__()
        self.volume = self.folder / "volume"
        self.volume.mkdir(exist_ok=True)
        self.changes["volumes"] = [{"path": str(self.folder / path), **keys}]
        if sense is not None:
            self.changes["sense"] = sense


def mounted(volume, *words):
    """A wrapper: a mount namespace with this mounted on the volume, and the container in it."""
    line = " ".join(["mount", *words, f'"{volume}"']) if words else "true"
    return ("unshare", "--mount", "sh", "-ec", f'{line}; exec "$@"', "-")


def refused(world, state, *words):
    marker = world.folder / "ran"
    code, errors = world.outcome(f"touch={marker}", "exit=3", wrapper=mounted(world.volume, *words))
    check_equal(code, 107, errors)
    check("error: volume-unprotected: " in errors and state in errors, errors)
    check(not marker.exists(), "the workload ran")


def taken(world, state, *words):
    code, errors = world.outcome("exit=3", wrapper=mounted(world.volume, *words))
    check_equal(code, 3, errors)
    (start,) = world.records("sense.start")
    check_equal(start["d"]["volumes"], {world.changes["volumes"][0]["path"]: state}, "states")
    return start


@case("in memory is good enough; of a disk nothing is seen: refused with 107, by name, and the workload has not run")
def states():
    start = taken(Volume(), "memory", "-t tmpfs tmpfs")
    check_equal((start["act"], start["d"]["watching"]), ("started", []), "what else is watched")
    world = Volume()
    refused(world, f"volumes[{world.volume}]: unknown: nothing shows that it is encrypted, ")
    world = Volume()
    refused(world, "unknown: nothing shows that it is encrypted, overlay of overlay; required is encrypted",
            "-t overlay overlay -o lowerdir=/usr:/etc")


@case("what is attested is as good as the policy says, and what need not be encrypted is a relaxation that init names")
def words():
    world = Volume(**ATTESTED)
    (world.folder / "disk").mkdir()
    taken(world, "attested", "--bind", f'"{world.folder}/disk"')
    refused(Volume(**ATTESTED), "not-mounted: nothing is mounted there: it is in the container's own layer, ")
    world = Volume(require="any")
    taken(world, "unknown")
    (start,) = world.records("init.start")
    check(f"volumes: {world.volume} need not be encrypted" in start["d"]["relaxations"], start["d"]["relaxations"])


@case("what is not there, and what a link leads to, is refused, whatever is required")
def absent():
    refused(Volume(path="nowhere", require="any"), "nowhere]: No such file or directory")
    world = Volume(path="link/below", require="any")
    (world.folder / "link").symlink_to(world.volume)
    (world.volume / "below").mkdir()
    refused(world, "link/below]: a part of it is a link")
    refused(Volume(path="volume/secret", **ATTESTED), "secret]: No such file or directory", "-t tmpfs tmpfs")


@case("a mount that comes later is a record, and so is its end; a new helper says what is violated once more")
def later():
    world = Volume({"interval": "100ms", "window": "1s"})
    with world.start("term", "exit=3", wrapper=mounted(world.volume, "-t tmpfs tmpfs")) as run:
        until(lambda: world.records("sense.start"), lambda: run.describe())

        def inside(*command):
            subprocess.run(["nsenter", "-t", str(run.pid), "-m", *command], check=True, timeout=30)

        def acts():
            return [(r["act"], r["d"]["was"], r["d"]["state"]) for r in world.records("volume.change")]

        (world.folder / "disk").mkdir()
        inside("mount", "--bind", world.folder / "disk", world.volume)
        until(lambda: len(acts()) == 1, lambda: f"the mount: {run.describe()}")
        check_equal(acts(), [("violated", "memory", "unknown")], "what is said of it")
        (record,) = world.records("volume.change")
        check_equal((record["obj"], record["sev"], record["d"]["require"]), (str(world.volume), 7, "encrypted"), "the record")
        eye = next(p for p in run.children() if fence.comm(p) == "lazaret-sense")
        run.kill(signal.SIGKILL, eye)
        until(lambda: len(acts()) == 2, lambda: f"a new helper: {run.describe()}")
        check_equal(acts()[1], ("violated", "unknown", "unknown"), "once more")
        inside("umount", world.volume)
        until(lambda: len(acts()) == 3, lambda: f"its end: {run.describe()}")
        check_equal(acts()[2], ("restored", "unknown", "memory"), "its end")
        inside("mount", "-t", "tmpfs", "tmpfs", "/mnt")
        inside("mount", "-t", "tmpfs", "tmpfs", world.volume)
        until(lambda: len(acts()) == 4, lambda: f"another tmpfs: {run.describe()}")
        check_equal(acts()[3][0], "changed", "another, and as good; elsewhere is nobody's business")
        world.volume.rename(world.folder / "aside")  # the mount goes with it
        world.volume.symlink_to(world.folder / "disk")
        until(lambda: len(acts()) == 5, lambda: f"a link: {run.describe()}")
        check_equal(acts()[4][:2], ("violated", "memory"), "a link in its place")
        world.volume.unlink()
        (world.folder / "aside").rename(world.volume)
        until(lambda: len(acts()) == 6, lambda: f"no link: {run.describe()}")
        check_equal(acts()[5], ("restored", "absent", "memory"), "as it was")
        check_equal(run.ended, None, "the workload goes on")
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 3", run.stderr())


if __name__ == "__main__":
    laz.main()
