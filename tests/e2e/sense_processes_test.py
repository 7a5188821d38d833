# SPDX-License-Identifier: Apache-2.0
"""What sense sees of processes: what they execute, what they are allowed, and who hides, however cleverly.

Every find must be in the trail, counted exactly; no process that is as the policy says is a find.
"""
import os
import pathlib
import signal
import time

import adapters
import fence
import laz
from laz import case, check, check_equal
from sense_world import World, act
from ship_world import until


@case("a process with thousands of groups is found as any other is")
def groups():
    world = World()
    many = [4_000_000_000 + i for i in range(2000)]
    with world.watch():
        process = world.exec_foreign("sleep", "60", extra_groups=many)
        (record,) = world.await_find("exec.foreign", 1)
        check_equal(record["d"]["uid"], 0, "the record")
        groups_line = pathlib.Path(f"/proc/{process.pid}/status").read_text().split("Groups:")[1]
        check_equal(len(groups_line.split("\n")[0].split()), 2000, "its groups")
        process.kill()
        process.wait()


@case("programs: in memory, in /dev/shm, written since the start, deleted; the image's own raise nothing")
def origins():
    world = World(changes={"syscalls": {"allow": ["memfd_create", "execveat"]}})
    target = world.folder / "dropped"
    gone = world.folder / "gone"
    shm = f"/dev/shm/laz-sense-{os.getpid()}"
    try:
        with world.watch():
            check("executables" in world.records("sense.start")[0]["d"]["watching"], "not watched here")
            world.tell("sleep")
            world.check_quiet()
            world.folder.chmod(0o777)
            world.tell("memfd payload", f"copy {target}", f"copy {shm}", f"deleted {gone}")
            (record,) = world.await_find("exec.memfd", 1)
            check_equal((record["exe"], record["obj"], record["d"]["level"]), ("/memfd:payload (deleted)", "memfd", 13), "memfd")
            world.await_find("exec.drift", 1, exe=str(target), obj="new")
            world.await_find("exec.drift", 1, exe=shm, obj="shm")
            world.await_find("exec.drift", 1, exe=f"{gone} (deleted)", obj="deleted")
    finally:
        if os.path.exists(shm):
            os.unlink(shm)


@case("where init is not root, sense is the workload's own user: it sees programs and who listens, and who hides")
def same_user():
    world = World(changes={"syscalls": {"allow": ["memfd_create", "execveat"]}})
    with world.watch(conditions=(f"uid={adapters.WORKLOAD_UID}",)) as run:
        (start,) = world.records("sense.start")
        check("executables" in start["d"]["watching"], f"{start}")
        os.kill(world.ship(), signal.SIGKILL)  # its successor is nobody's secret, and hides from its user
        began = time.monotonic()
        world.tell("tcp 4444", "memfd payload")
        (record,) = world.await_find("net.listen", 1)
        check_equal((record["exe"], record["pid"] > 1), ("act", True), "who listens")
        world.await_find("exec.memfd", 1)
        time.sleep(max(0.0, began + 6 - time.monotonic()))
        check_equal(world.finds("exec.drift"), [], "who hides")
        world.tell("hide")
        world.await_find("exec.drift", 1, obj="hidden", act="unreadable")
        check_equal(run.status(world.sense_pid())["Seccomp"], "2", "its filter")


@case("a start that waits for its acknowledgement is nobody who hides, where init is not root, however long it waits")
def waits():
    world = World(changes={"audit": {"durability": "acked", "start-wait": "7s"}})
    down = {"name": "down", "type": "syslog", "transport": "tcp", "to": "127.0.0.1:9", "plain": True, "classes": ["audit"]}
    world.sinks = [world.file_sink(required=False), {**down, "required": True}]
    code, errors = world.outcome("exit=3", conditions=(f"uid={adapters.WORKLOAD_UID}",), wrapper=("unshare", "-n"))
    check_equal(code, 106, errors)
    check("executables" in world.records("sense.start")[0]["d"]["watching"], f"{world.records('sense.start')}")
    check_equal(world.finds(), [], "what was found")


@case("whoever hides and is somebody else every moment is found: there is no patience that a child would have anew")
def hidden():
    world = World()
    with world.watch(conditions=(f"uid={adapters.WORKLOAD_UID}",)):
        world.tell(*["sleep"] * 60)
        world.settle()
        check_equal(world.finds("exec.drift"), [], "who hides")
        world.tell("rehide")
        record = until(lambda: world.finds("exec.drift", obj="hidden"), "a find", 30)[0]
        check_equal((record["act"], record["d"]["name"]), ("unreadable", "act"), f"{record}")


@case("programs whose paths are too long for a record say that they are cut, and are two; one that no path leads to is found")
def long_programs():
    world = World()
    with world.watch():
        world.folder.chmod(0o777)
        names = [world.folder / ("p" * 200 + end) for end in "ab"]
        world.tell(*[f"copy {name}" for name in names], f"deep {world.folder / 'deep'}")
        records = until(lambda: len(found := world.finds("exec.drift", obj="new")) == 3 and found, "three records")
        seen = sorted((r["exe"], r["d"].get("cut"), r["d"]["count"]) for r in records)
        check_equal(seen, [("", True, 1)] + [(str(names[0])[:127], True, 1)] * 2, "records")
        process = world.exec_foreign("bash", "-c", f"exec -a {'n' * 600} sleep 60")
        (record,) = until(lambda: world.finds("exec.foreign", exe="sleep"), "the one from outside")
        check_equal((record["obj"], record["d"]["cut"]), ("n" * 511, True), "its command")
        process.kill()


@case("a process from outside that leaves its parent is a process of the container without confinement, and named as that")
def drift():
    world = World()
    with world.watch():
        process = world.exec_foreign("sh", "-c", "setsid sleep 63 & exit 0")
        process.wait()
        records = until(lambda: world.finds("cred.change") + world.finds("exec.foreign"), "any find")
        if records[0]["ev"] == "cred.change":
            check("uid" in records[0]["obj"] and "seccomp" in records[0]["obj"], f"{records}")
            check_equal(records[0]["d"]["is"]["uid"], [0, 0, 0, 0], "what it is")
            check_equal(records[0]["d"]["expected"]["uid"], adapters.WORKLOAD_UID, "what it should be")


@case("whoever leaves its parent again and again is found: the patience with new children is for those that init starts")
def reforks():
    world = World()
    script = "import os, time\nfor _ in range(8):\n  if os.fork(): os._exit(0)\n  time.sleep(1.5)\n"
    with world.watch():
        world.tell("sleep")
        world.settle(5)
        world.exec_foreign("python3", "-c", script).wait()
        record = until(lambda: world.finds("cred.change"), "a find")[0]
        check("uid" in record["obj"] and "seccomp" in record["obj"], f"{record}")
        os.kill(world.ship(), signal.SIGKILL)
        until(lambda: world.records("helper.exit"), "the end of ship")
        world.settle(10)
        check_equal({r["exe"] for r in world.finds("cred.change")}, {"python3"}, "who was found")


@case("a process whose first thread has ended is looked at as any other: one from outside, and what one of the workload executes")
def headless():
    world = World()
    target = world.folder / "dropped"
    with world.watch():
        world.folder.chmod(0o777)
        process = world.exec_foreign(act(), "headless")
        world.await_find("exec.foreign", 1)
        world.tell(f"headless {target}")
        (record,) = world.await_find("exec.drift", 1, exe=str(target), obj="new")
        world.settle()
        states = {pid: fence.state(pid) for pid in world.run.children() if fence.comm(pid) == "act"}
        check_equal(fence.state(first_child(process.pid)), "Z", "the first thread of that from outside")
        check(record["pid"] > 1, f"{record} {states}")
        check_equal(len(world.finds()), 2, f"finds: {world.finds()}")
        process.kill()


def first_child(pid):
    """nsenter's child is in the container, and it waits for it."""
    return int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@case("a process of which one thread is more than the first is found, and the record names that thread")
def threads():
    world = World()
    with world.watch():
        for count in range(1, 4):  # one that is seen before it has two faces is found as what it was
            world.exec_foreign(act(), f"split={adapters.WORKLOAD_UID}").wait()
            records = until(lambda count=count: len(found := world.finds("cred.change")) >= count and found, "a find")
            if "thread" in records[-1]["d"]:
                break
        record = records[-1]
        check(record["d"].get("thread", 0) > record["pid"], f"{record}")
        check_equal((record["d"]["is"]["uid"], record["d"]["expected"]["uid"]), ([0, 0, 0, 0], adapters.WORKLOAD_UID), "what it is")
        check("seccomp" not in record["obj"] and "cap_eff" in record["obj"], f"{record}")


@case("a process of the workload that stays who it is and gains capabilities in place is found, once")
def in_place():
    world = World(changes={"syscalls": {"allow": ["unshare"]}})
    with world.watch():
        world.check_quiet()
        world.tell("userns")
        (record,) = world.await_find("cred.change", 1)
        check_equal((record["obj"], record["act"]), ("cap_prm cap_eff", "drifted"), f"{record}")
        check_equal(record["d"]["expected"], {"cap_prm": "0" * 16, "cap_eff": "0" * 16}, "what it should be")
        check(int(record["d"]["is"]["cap_eff"], 16) > 1 << 21, "what it is")
        world.settle(10)
        check_equal(len(world.finds()), 1, f"finds: {world.finds()}")


@case("of a command line the first word is kept, and no byte of what follows it, nowhere")
def arguments():
    world = World()
    with world.watch() as run:
        process = world.exec_foreign("sh", "-c", "sleep 60 & wait", "the-secret-of-this-test")
        world.await_find("exec.foreign", 1, exe="sh")
        memory = b""
        for fd in pathlib.Path(f"/proc/{run.pid}/fd").iterdir():
            if "memfd:" in os.readlink(fd):
                memory += fd.read_bytes()
        check(b"injected" in memory, "the memory of sense is not where this looks")
        check(b"the-secret-of-this-test" not in memory, "arguments are kept")
        process.kill()
        process.wait()


if __name__ == "__main__":
    laz.main()
