# SPDX-License-Identifier: Apache-2.0
"""Disks that are full, that fail, and that go: what finds no place is counted, nobody is held longer than the policy
says, and all goes on when there is room again."""
import contextlib
import errno
import os
import shutil
import time

import fence
import laz
import ship_world
import trail_judge
from laz import case, check, check_equal
from ship_world import Disk, Output, Refuser, World, numbered, until

CONSOLE = {"name": "console", "type": "stdout", "classes": ["audit", "ids", "log"]}


def cpu_s(pid):
    """Seconds of processor that a process has used."""
    with open(f"/proc/{pid}/stat") as text:
        fields = text.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@case("a spool's disk without room: nothing starts, and the error says so")
def no_room_at_start():
    world = World()
    with Disk(world.spool, "512k") as disk:
        code, errors = world.outcome("exit=3", wrapper=disk.wrapper)
    check_equal(code, 106, f"exit code: {errors}")
    check("spool-failed" in errors and "No space left" in errors, errors)


@case("a spool's disk that is smaller than spool.max, while nobody reads: `drop` drops and counts, `block` holds")
def spool_disk_full():
    count = 60000
    for when in ("drop", "block"):
        world, output = World({"logs": {"when-full": when}}, [CONSOLE]), Output()
        with Disk(world.spool, "3500k") as disk:
            with world.start(f"lines={count},200,20", "deny=9", "exit=3", ready=False, wrapper=disk.wrapper,
                             stdout=output.write_end) as run:
                if when == "drop":
                    until(lambda: world.said() == 201 * count, lambda: f"end: {world.said()} {run.describe()}", 60)
                else:
                    until(lambda: world.said() > 1 << 20, lambda: f"words: {world.said()}", 60)
                    ship_world.at_rest(world.said, "what is said")
                    used = cpu_s(world.pid("ship"))
                    time.sleep(1)
                    check(world.said() < 201 * count, "it was never held")
                    used = cpu_s(world.pid("ship")) - used
                    check(used < 0.3, f"ship used {used:.2f} s of a second to wait")
                output.read()
                check_equal(str(run.wait(60)), "exit 3", f"{when}: the end: {run.stderr()}")
        data = output.all()
        missing = world.account(numbered(count, 200), data=data)
        check_equal(len(missing) > 0, when == "drop", f"{when}: {len(missing)} are missing")
        check_equal(sum(r["d"]["count"] for r in world.records("seccomp.deny", data)), 9, f"{when}: refused calls")


@case("a file sink's disk that is full is named; everything is there when there is room again")
def sink_disk_full():
    world = World()
    out = world.kept / "out"
    with Disk(out, "300k", "0755") as disk:
        world.sinks = [world.file_sink(path=str(out / "trail.jsonl")), {**CONSOLE, "classes": ["audit"]}]
        output = Output()
        output.read()
        with world.start("lines=5000,200,10,500", "term", "exit=3", ready=False, wrapper=disk.wrapper,
                         stdout=output.write_end) as run:
            until(lambda: world.said() == 201 * 5000, lambda: f"words: {run.describe()}", 60)
            until(lambda: b'"ev":"sink.down"' in output.so_far(), lambda: f"word of the full disk: {run.describe()}")
            disk.grow(out, "20m")
            world.trail = disk.seen(out / "trail.jsonl")
            until(lambda: len(world.stream()) == 201 * 5000, lambda: f"all of it: {len(world.stream())}", 40, 0.2)
            run.kill(fence.TERM)
            check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
        check_equal(world.account(numbered(5000, 200)), [], "missing")
        down = world.records("sink.down")
        check(down and "No space left" in down[0]["d"]["message"] and down[0]["obj"] == "trail", f"{down}")
        check(0 < len(down) < 20, f"it was said {len(down)} times")
        check(world.records("sink.up"), "that it is up again was not said")
    output.all()


@case("calls on the spool and the sink that fail now and then: nothing is lost, and nothing is said too often")
def failing():
    for call, error, first, step in (("pwrite64", errno.EIO, 2, 5), ("fdatasync", errno.EIO, 1, 3), ("write", errno.ENOSPC, 2, 3),
                                     ("renameat", errno.EIO, 1, 2), ("fallocate", errno.ENOSPC, 1, 2),
                                     ("ftruncate", errno.EIO, 1, 2), ("openat", errno.EMFILE, 2, 3), ("fsync", errno.EIO, 1, 2)):
        world = World()
        with world.start("lines=3000,800,10,1000", "term", "lines=300,800,10,1000", "exit=3") as run:
            with Refuser(world.ready(), call, error, first, step):
                until(lambda: world.said() == 801 * 3000, lambda: f"{call}: words: {run.describe()}", 60)
            run.kill(fence.TERM)
            check_equal(str(run.wait(60)), "exit 3", f"{call}: the end: {run.stderr()}")
        produced = numbered(3000, 800) + numbered(300, 800)
        check(world.stream() == produced, f"{call}: {len(world.stream())} bytes of {len(produced)}")
        world.judge(trail_judge.FINE)
        check_equal(world.records("helper.exit"), [], f"{call}: ship did not live through it")
        said = [r for r in world.records() if r["ev"].startswith(("spool.", "sink."))]
        check(len(said) < 60, f"{call}: {len(said)} records about it: {said[:3]}")


@case("what ship itself had to say in a block that the disk refused is said again, or counted; none of it goes unsaid")
def own_words_refused():
    world = World({"logs": {"passthrough": True}, "audit": {"checkpoint": {"every": "1s"}}})
    output = Output()

    def lost():
        return [r["d"]["lost"] for r in world.records("events.gap") if r["obj"] == "notes"]

    with world.start("lines=0,2000,20,20000", "exit=3", stdout=output.write_end) as run:
        pid = world.ready()
        until(lambda: world.records("log.unpassed"), lambda: f"a word of what is not passed on: {run.describe()}")
        for _ in range(10):  # until it was about to speak, which it does once a second, with a checkpoint
            turns = len(world.records("chain.checkpoint"))
            until(lambda count=turns: len(world.records("chain.checkpoint")) > count, "checkpoint")
            time.sleep(0.7)  # the next one is refused, and what is refused for half a second is given up
            with Refuser(pid, "pwrite64", errno.EIO):
                time.sleep(1.2)
            turns = len(world.records("chain.checkpoint"))
            until(lambda count=turns: len(world.records("chain.checkpoint")) > count, "checkpoint")
            if lost():
                break
        world.enough()
        check_equal(str(run.wait(60)), "exit 3", f"the end: {run.stderr()}")
    count = world.said() // 2001
    check_equal(world.records("helper.exit"), [], "ship did not live through it")
    check(lost() and all(n > 0 for n in lost()), f"no note was refused: {world.records('spool.error')}")
    counted = len(output.all()) + sum(r["d"]["bytes"] for r in world.records("log.unpassed"))
    check(0 <= counted - 2001 * count <= 68 << 10, f"{counted} bytes were passed on or counted, of {2001 * count}")
    world.account(numbered(count, 2000))


@case("a disk that fails at every sync: it is said, now and then, and the trail goes on when it no longer does")
def never_synced():
    world = World()
    with world.start("lines=4000,100,1,400", "term", "exit=3") as run:
        with Refuser(world.ready(), "fdatasync", errno.EIO):
            time.sleep(3)
        until(lambda: len(world.stream()) == 4000 * 101, lambda: f"all of it: {len(world.stream())}", 60, 0.1)
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
    check_equal(world.account(numbered(4000, 100)), [], "missing")
    check_equal(world.records("helper.exit"), [], "ship did not live through it")
    for ev in ("spool.error", "sink.down"):
        check(0 < len(world.records(ev)) < 15, f"{ev} was said {len(world.records(ev))} times in 3 seconds")


def inner_number(run, pid):
    """The pid that a process has inside."""
    return int(run.status(pid)["NSpid"].split()[-1])


def tried(world, run):
    """The number of the ship that is there, another with each."""
    with contextlib.suppress(OSError):
        pid = world.pid("ship")
        return inner_number(run, pid) if pid else 0
    return 0


@case("a file sink whose folder goes, and ship with it: init lives, and the rest arrives when the folder is there again")
def folder_goes():
    world = World()
    out = world.kept / "out"
    out.mkdir()
    world.sinks = [world.file_sink(path=str(out / "trail.jsonl"))]
    world.trail = out / "trail.jsonl"
    with world.start("lines=0,100,5,2000", "exit=3") as run:
        ship = world.ready()
        time.sleep(0.3)
        out.rename(world.kept / "gone")
        number = inner_number(run, ship)
        os.kill(ship, fence.KILL)
        tries = set()  # threads have numbers too: a second try is another number than the first
        until(lambda: tries.add(tried(world, run)) or len(tries - {0, number}) > 1, "a second try to start it")
        check_equal(run.ended, None, "the end")
        shutil.copytree(world.kept / "gone", out)
        world.ready()
        run.kill(fence.TERM, world.workload())
        check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
    check_equal(world.account(numbered(world.said() // 101, 100)), [], "missing")
    exits = world.records("helper.exit")
    check(any("No such file or directory" in r["d"]["message"] for r in exits), f"{exits}")


def remove(path, _):
    """It is deleted: what is in it is read before."""
    data = path.read_bytes()
    path.unlink()
    return data


def rename(path, create):
    """As logrotate does, which may make the new file itself. What is in the old one is read at the end."""
    aside = path.with_suffix(".1")
    path.rename(aside)
    if create:
        path.touch(0o600)
    return aside


def rotated(act, create, mode):
    """What a trail has in all its files, when its file was moved under a ship that works."""
    world = World()
    out = world.kept / "out"
    out.mkdir(mode=mode)
    world.trail = out / "trail.jsonl"
    world.sinks = [world.file_sink(path=str(world.trail))]
    with world.start("lines=0,100,5,2000", "exit=3") as run:
        world.ready()
        kept = []
        for _ in range(2 if mode == 0o755 else 1):
            time.sleep(1.2)
            with open(world.trail, "rb") as old:
                act(world.trail, create)
                if mode == 0o755:
                    until(lambda: world.trail.exists() and world.trail.stat().st_size > 3000, lambda: f"file: {run.describe()}")
                else:
                    time.sleep(2.5)
                kept.append(old.read())
        run.kill(fence.TERM, world.workload())
        check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
    return world, b"".join(kept), world.trail.read_bytes() if world.trail.exists() else b""


@case("a file sink's file that is renamed or removed while it is written: the rest goes to a new one, and nothing is missing")
def moved():
    for act, create in ((rename, True), (remove, False), (rename, False))[:3 if laz.LONG else 2]:
        world, before, after = rotated(act, create, 0o755)
        check_equal(world.account(numbered(world.said() // 101, 100), data=before + after), [], f"{act} {create}: missing")
        exits = world.records("helper.exit", before + after)
        check_equal(len(exits), 2, f"{act} {create}: ends of ship: {exits}")
        check(all("was renamed or removed: it is opened anew" in r["d"]["message"] for r in exits), f"{exits}")


@case("in a folder that only root may search, a rename is not noticed, and the old file has everything")
def moved_unseen():
    world, before, after = rotated(rename, False, 0o700)
    check_equal((after, world.records("helper.exit", before)), (b"", []), "a new file, ends of ship")
    whole = max((path.read_bytes() for path in (world.kept / "out").iterdir()), key=len)
    check_equal(world.account(numbered(world.said() // 101, 100), data=whole), [], "missing")


if __name__ == "__main__":
    laz.main()
