# SPDX-License-Identifier: Apache-2.0
"""What sense sees, in a real container: each detector by a tiny program, and that it is silent where nothing is wrong.

Every find must be in the trail, counted exactly: the sums of the records' counts are what was done.
"""
import contextlib
import datetime
import hashlib
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

import adapters
import fence
import laz
from laz import LONG, case, check, check_equal
from sense_world import INTERVAL, SENSE_UID, World, act, check_page, programs
from ship_world import until

# What most containers do not have: CAP_SYS_PTRACE.
NO_PTRACE = f"drop-caps={1 << 19}"


@case("a workload that only works raises nothing: children, connections, allowed ports, files beside the watched ones")
def silent():
    world = World({"listen": {"allow": ["4441/tcp", "4442/udp"]}})
    world.sense["files"] = {"watch": [str(world.watched)], "except": [str(world.watched / "cache")]}
    (world.watched / "stays").write_text("as it is\n")
    (world.watched / "cache").mkdir()
    (world.watched / "cache").chmod(0o777)
    with world.watch():
        world.check_quiet()
        world.tell("tcp 4441", "tcp6 4441", "udp 4442", "sleep", "sleep")
        (world.watched / "cache" / "scratch").write_text("changes\n")
        (world.folder / "beside").write_text("not watched\n")
        (world.watched / "stays").read_text()
        os.kill(world.ship(), signal.SIGKILL)
        until(lambda: world.records("helper.exit"), "the end of ship")
        world.check_quiet()
        start = world.records("sense.start")
        check_equal([(r["act"], r["d"]["starts"], r["d"]["files"]) for r in start], [("started", 1, 2)], "sense.start")


@case("what the record of the start says: who watches, as whom, and what cannot be watched here, by name")
def start_record():
    world = World({"files": {"watch": ["/etc/hostname", "/nowhere/yet"]}})
    with world.watch(conditions=(NO_PTRACE,)) as run:
        status = run.status(world.sense_pid())
        check_equal(status["Uid"].split(), [str(SENSE_UID)] * 4, "its user")
        check_equal((status["CapEff"], status["CapPrm"]), ("0" * 16, "0" * 16), "its capabilities")
        check_equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "its filter")
        (start,) = world.records("sense.start")
        check_equal(start["act"], "degraded", "act")
        check_equal(list(start["d"]["unavailable"]), ["executables"], "what cannot be watched")
        check("CAP_SYS_PTRACE" in start["d"]["unavailable"]["executables"], f"why: {start}")
        check_equal(start["d"]["watching"], ["foreign", "listen", "files", "credentials"], "what is")
        world.tell("memfd x")
        world.check_quiet()


@case("a detector that is required and cannot work: the workload never starts, by name")
def required():
    world = World({"executables": "required"})
    marker = world.folder / "ran"
    code, errors = world.outcome(f"touch={marker}", conditions=(NO_PTRACE,), wrapper=("unshare", "-n"))
    check_equal(code, 105, f"{errors}")
    check("sense.executables is required and cannot work" in errors, errors)
    check(not marker.exists(), "the workload ran")


@case("processes from outside: each is a record, its children are not, allowed names are not; repeats fold, counted exactly")
def foreign():
    n = 40 if LONG else 12
    world = World({"foreign": {"allow": ["cat"]}})
    with world.watch():
        first = world.exec_foreign("sleep", "60")
        (record,) = world.await_find("exec.foreign", 1, exe="sleep")
        check_equal((record["act"], record["obj"], record["d"]["uid"]), ("injected", "sleep", 0), "the record")
        check_equal((record["d"]["level"], record["d"]["attack"], record["sev"]), (10, ["T1609"], 6), "its weight")
        allowed = world.exec_foreign("cat", "/dev/zero")
        family = world.exec_foreign("sh", "-c", "sleep 61 & sleep 62 & wait")
        world.await_find("exec.foreign", 1, exe="sh")
        others = []
        for _ in range(n - 1):
            others.append(world.exec_foreign("sleep", "60"))
            time.sleep(0.02)
        records = world.await_find("exec.foreign", n + 1)
        check(len(records) < n, f"{len(records)} records of {n + 1} finds")
        # Whoever is seen on its way is called what brings it in.
        check({r["exe"] for r in records} <= {"sh", "sleep", "nsenter"}, f"who was found: {records}")
        for process in (first, allowed, family, *others):
            process.kill()
            process.wait()
        world.check_quiet(but=["exec.foreign"])
    world.judge("ok open single")


@case("who is allowed by init's name is the health command alone: one of that name that is called otherwise is found")
def named_as_init():
    world = World({"interval": "100ms", "foreign": {"allow": ["lazaret-init"]}})
    for command, what in (("cat", "probe"), ("sleep", "other")):
        folder = world.folder / what
        folder.mkdir()
        os.symlink(f"/bin/{command}", folder / "lazaret-init")
    os.mkfifo(world.folder / "probe" / "probe")  # who opens it waits

    def put_in(what, *words):
        process = world.exec_foreign(f"--wd={world.folder / what}", "./lazaret-init", *words)
        world.settle(10)
        process.kill()
        process.wait()
        return world.finds("exec.foreign", exe="lazaret-init")

    with world.watch():
        for _ in range(3):  # one may be seen on its way in, as nsenter
            check_equal(put_in("probe", "probe", "live"), [], "the health command")
        tries = 20
        while not (found := put_in("other", "60")):
            tries -= 1
            check(tries > 0, f"a program of that name is not found: {world.finds()}")
        check_equal([r["obj"] for r in found], ["./lazaret-init"], "a program of that name")


@case("a stage of runc's has a second to become who it will be, and is found if it stays what it is")
def stages():
    world = World({"foreign": {"allow": ["cat", "nsenter"]}})
    stage, stays = world.folder / "runc:[2:INIT]", world.folder / "runc:[1:CHILD]"
    stage.write_text("#!/bin/sh\nsleep 0.5\nexec cat /dev/zero\n")
    stays.write_text("#!/bin/sh\nsleep 60\n")
    with world.watch():
        for path in (stage, stays):
            path.chmod(0o755)
        quick, slow = world.exec_foreign(str(stage)), world.exec_foreign(str(stays))
        (record,) = world.await_find("exec.foreign", 1)
        check_equal(record["exe"], "runc:[1:CHILD]", f"{record}")
        world.settle(10)
        check_equal(len(world.finds()), 1, f"finds: {world.finds()}")
        for process in (quick, slow):
            process.kill()
            process.wait()


@case("whoever is put in and stays a second is found within that second, whenever that is, with the default interval")
def in_time():
    n = 1000 if LONG else 12
    world = World({"interval": "500ms", "window": "1s"})
    draw = random.Random(7)
    late = []
    with world.watch():
        for i in range(n):
            time.sleep(draw.random() / 2)
            name = world.folder / f"p{i}"
            os.symlink("/bin/sleep", name)
            on_the_way = len(world.finds("exec.foreign", exe="nsenter"))  # seen before it was what it is
            began = time.time()
            process = world.exec_foreign(str(name), "20")
            record = until(lambda: world.finds("exec.foreign", obj=str(name)) or
                           world.finds("exec.foreign", exe="nsenter")[on_the_way:], f"find {i}", pause=0.02)[0]
            took = datetime.datetime.fromisoformat(record["ts"].replace("Z", "+00:00")).timestamp() - began
            late += [took] if took > 1 else []
            process.kill()
            process.wait()
    check(len(late) <= max(1, n // 100), f"{len(late)} of {n} were found late: {late}")  # the machine may stand still


@case("ports: TCP, IPv6 and UDP that nobody named are records; those of the policy are not; the same port twice folds")
def ports():
    world = World({"listen": {"allow": ["4441/tcp"]}}, {"network": {"tcp-bind": [4440]}})
    with world.watch():
        world.tell("tcp 4440", "tcp 4441", "tcp 4444", "tcp6 4445", "udp 4446", "udp 4441")
        for obj in ("0.0.0.0:4444/tcp", "[::]:4445/tcp", "0.0.0.0:4446/udp", "0.0.0.0:4441/udp"):
            (record,) = world.await_find("net.listen", 1, obj=obj)
            check_equal((record["act"], record["d"]["uid"]), ("listening", adapters.WORKLOAD_UID), obj)
        for _ in range(3):
            world.tell("tcp 4444")
        records = world.await_find("net.listen", 4, obj="0.0.0.0:4444/tcp")
        check_equal(len(world.finds("net.listen")), 3 + len(records), "records")


@case("files: modified, created, deleted, replaced, mode, owner, through a mapping; hashes of both sides; each counted once")
def files():
    world = World({"window": "1s"})
    world.sense["files"] = {"watch": [str(world.watched), str(world.folder / "single"), str(world.folder / "later")],
                            "rehash": "1s"}
    names = ("modified", "deleted", "replaced", "mode", "owner", "mapped")
    for name in names:
        (world.watched / name).write_text(f"{name} as it was\n" * 300)
    (world.watched / "mapped").chmod(0o666)
    (world.folder / "single").write_text("one\n")
    before = {name: hashlib.sha256((world.watched / name).read_bytes()).hexdigest() for name in names}
    with world.watch():
        world.check_quiet()
        put(world.watched / "modified", "changed\n")
        (world.watched / "deleted").unlink()
        replace(world.watched / "replaced", "another\n")
        (world.watched / "mode").chmod(0o4755)
        os.chown(world.watched / "owner", 12345, 12345)
        (world.watched / "folder").mkdir()
        replace(world.watched / "folder" / "created", "new\n")
        os.symlink("/etc/passwd", world.watched / "link")
        replace(world.folder / "single", "two\n")
        world.tell(f"map {world.watched / 'mapped'}")
        expected = {"modified": "modified", "deleted": "deleted", "replaced": "replaced", "mode": "mode", "owner": "owner",
                    "folder": "created", "folder/created": "created", "link": "created", "mapped": "modified"}
        for name, act_ in expected.items():
            (record,) = world.await_find("fim.change", 1, obj=str(world.watched / name))
            check_equal(record["act"], act_, name)
            if name in before:
                check_equal(record["d"]["before"]["sha256"], before[name], f"{name}: the hash before")
            if act_ in ("modified", "replaced", "created") and name not in ("folder", "link"):
                after = hashlib.sha256((world.watched / name).read_bytes()).hexdigest()
                check_equal(record["d"]["after"]["sha256"], after, f"{name}: the hash after")
        world.await_find("fim.change", 1, obj=str(world.folder / "single"))
        (world.folder / "later").write_text("it came\n")
        world.await_find("fim.change", 1, obj=str(world.folder / "later"), act="created")
        world.settle(15)
        found = [(r["obj"], r["act"], r["d"]["count"]) for r in world.finds()]
        check_equal(sum(f[2] for f in found), len(expected) + 2, f"finds in all: {found}")


@case("more files than there is room for: the record of the start says how many are not watched, and one that comes later says so too")
def too_many():
    world = World()
    world.sense["files"] = {"watch": [str(world.watched)]}
    for i in range(8200):
        (world.watched / f"{i}").touch()
    with world.watch():
        (start,) = world.records("sense.start")
        check_equal((start["act"], start["d"]["files"], start["d"]["unwatched"]), ("degraded", 8192, 9), "the start")
        (world.watched / "one-more").touch()
        until(lambda: [r for r in world.records("sense.start") if (r["act"], r["obj"]) == ("limited", "files")], "the limit")
        (world.watched / "0").chmod(0o600)
        until(lambda: world.finds("fim.change"), "a find, all the same")
        world.settle()
        check(laz.sanitized() or private_kib(world.sense_pid()) < 6 * 1024, f"{private_kib(world.sense_pid())} KiB of its own")
        check_equal(len(world.records("sense.start")), 2, "records of the limit: one, and the start")


@case("thousands of finds at once, while nobody takes them: each has a record, or is counted in one, and none is lost")
def flood():
    n = 5000 if LONG else 2000
    world = World()
    world.sense["files"] = {"watch": [str(world.watched)]}
    with world.watch():
        ship = world.ship()
        os.kill(ship, signal.SIGSTOP)  # which takes nothing for a while: more than a pipe holds
        for i in range(n):
            (world.watched / f"{i}").touch()
        time.sleep(1)
        os.kill(ship, signal.SIGCONT)

        def counted():
            return sum(r["d"]["count"] + r["d"].get("lost", 0) for r in world.finds("fim.change"))
        until(lambda: counted() >= n, lambda: f"{n} finds: {counted()}", 60, 0.2)
        world.settle(10)
        check_equal(counted(), n, "finds, those that were lost included")
        check_equal(sum(r["d"].get("lost", 0) for r in world.finds()), 0, "lost")
        check_equal({r["act"] for r in world.finds()}, {"created"}, "what was found")
    world.judge("ok open single")


def private_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))


def put(path, text):
    """A write in one piece, without a moment at which the file is empty."""
    with open(path, "r+", encoding="ascii") as file:
        file.write(text)
        file.flush()


def replace(path, text):
    """As editors do it: another file takes the name."""
    other = fence.scratch() / f"{path.name}.new"  # which nobody watches
    other.write_text(text)
    os.rename(other, path)


@case("files of an image's layer: a copy into the upper layer is no change, what is written into it is one, with the hash before")
def layers():
    world = World()
    lower, merged = world.folder / "lower", world.folder / "merged"
    for folder in (lower, merged, world.folder / "upper", world.folder / "work"):
        folder.mkdir()
    for name in ("copied", "written", "removed", "stays"):
        (lower / name).write_text(f"{name} in the image\n")
    before = hashlib.sha256((lower / "written").read_bytes()).hexdigest()
    world.sense["files"] = {"watch": [str(merged)], "rehash": "1s"}
    options = f"lowerdir={lower},upperdir={world.folder / 'upper'},workdir={world.folder / 'work'}"
    script = f"mount -t overlay overlay -o {options} {merged} && exec \"$@\""
    with world.watch(wrapper=("unshare", "-n", "-m", "sh", "-c", script, "sh")) as run:
        inside = pathlib.Path(f"/proc/{run.pid}/root{merged}")
        world.check_quiet()
        with open(inside / "copied", "r+b"):  # which copies it
            pass
        os.utime(inside / "copied")
        put(inside / "written", "not of the image")
        (inside / "removed").unlink()
        (written,) = world.await_find("fim.change", 1, obj=str(merged / "written"))
        check(written["act"] in ("modified", "replaced"), f"{written}")
        check_equal(written["d"]["before"]["sha256"], before, "the hash before")
        world.await_find("fim.change", 1, obj=str(merged / "removed"), act="deleted")
        world.settle(15)
        check_equal({r["obj"] for r in world.finds()}, {str(merged / "written"), str(merged / "removed")}, "what was found")


@case("a file that sense may not read: its times and its size say that it changed, and the record says that this is all")
def unreadable():
    world = World()
    world.sense["files"] = {"watch": [str(world.watched)]}
    secret = world.watched / "secret"
    secret.write_text("nobody reads this\n")
    secret.chmod(0o600)
    with world.watch():
        (start,) = world.records("sense.start")
        check_equal((start["act"], start["d"]["unreadable"], start["d"]["unreadable_first"]),
                    ("degraded", 1, str(secret)), "said at the start")
        put(secret, "something")
        (record,) = world.await_find("fim.change", 1, obj=str(secret))
        check_equal((record["act"], record["d"]["after"]["content"]), ("touched", "unreadable"), "the record")
        check("sha256" not in record["d"]["after"], f"{record}")
        world.settle()
        os.kill(world.sense_pid(), signal.SIGKILL)
        again = until(lambda: [r for r in world.records("sense.start") if r["d"]["starts"] == 2], "the next one")[0]
        check_equal((again["act"], again["d"].get("unreadable")), ("degraded", 1), "said again by a successor")


@case("a watched file in a folder that is closed to sense, and what is in a watched folder that is: said once each, at the start too; "
      "opened again, it is held against what it was")
def closed():
    world = World()
    box, shut = world.folder / "box", world.folder / "shut"
    for folder in (box, shut):
        folder.mkdir()
        (folder / "file").write_text("as it was\n")
    shut.chmod(0o700)
    (world.watched / "sub").mkdir()
    was = hashlib.sha256(b"as it was\n").hexdigest()
    world.sense["files"] = {"watch": [str(box / "file"), str(box / "later"), str(shut / "file"), str(world.watched)]}
    with world.watch():
        (start,) = world.records("sense.start")
        check_equal((start["act"], start["d"].get("unreadable"), start["d"].get("unreadable_first")),
                    ("degraded", 1, str(shut / "file")), "said at the start")
        box.chmod(0o700)
        (record,) = world.await_find("fim.change", 1, obj=str(box / "file"))
        check_equal((record["act"], record["d"]["before"]["sha256"], record["d"]["after"]["content"]), ("unreadable", was, "unreadable"), "closed")
        (record,) = world.await_find("fim.change", 1, obj=str(box / "later"))
        check_equal((record["act"], "before" in record["d"], "after" in record["d"]), ("unreadable", False, False), "never seen")
        (world.watched / "sub").chmod(0o711)
        records = world.await_find("fim.change", 2, obj=str(world.watched / "sub"))
        check_equal(sorted(r["act"] for r in records), ["mode", "unreadable"], "a folder")
        put(box / "file", "another\n")
        os.kill(world.sense_pid(), signal.SIGKILL)
        again = until(lambda: [r for r in world.records("sense.start") if r["d"]["starts"] == 2], "the next one")[0]
        check_equal((again["act"], again["d"].get("unreadable")), ("degraded", 4), "said again by a successor")
        world.settle(15)
        check_equal(sum(r["d"]["count"] for r in world.finds()), 4, f"said once: {world.finds()}")
        box.chmod(0o755)
        record = world.await_find("fim.change", 2, obj=str(box / "file"))[-1]
        check_equal((record["act"], record["d"]["before"]["sha256"]), ("modified", was), "opened again")


@case("a file that somebody touches without end is a find, with its attributes and without a hash, while it goes on")
def busy():
    world = World()
    world.sense["files"] = {"watch": [str(world.watched)]}
    file = world.watched / "file"
    file.write_bytes(b"x" * (16 << 20))
    with world.watch(), touched(file):
        (record,) = until(lambda: world.finds("fim.change", obj=str(file)), "a find")[:1]
        check_equal((record["act"], record["d"]["after"]["content"]), ("touched", "busy"), "the record")
        check("sha256" in record["d"]["before"], f"{record}")


@contextlib.contextmanager
def touched(path):
    """Somebody touches it all the time."""
    loop = "import os, sys\nwhile True: os.utime(sys.argv[1])"
    process = subprocess.Popen([sys.executable, "-c", loop, str(path)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@case("files whose names are too long for a record, and differ at their ends, are two finds, which say that they are cut")
def long_names():
    world = World()
    world.sense["files"] = {"watch": [str(world.watched)]}
    folder = world.watched / ("a" * 250) / ("b" * 250)
    folder.mkdir(parents=True)
    with world.watch():
        for name in ("one", "two"):
            (folder / (name * 60)).touch()
        records = until(lambda: len(found := world.finds("fim.change", act="created")) == 2 and found, "two records")
        check_equal([(len(r["obj"]), r["d"]["count"], r["d"].get("cut")) for r in records], [(511, 1, True)] * 2, "records")


@case("folders that come and go take no memory, and no more than a part of a processor, however many there are")
def folders():
    world = World()
    world.sense["files"] = {"watch": [str(world.watched)]}
    for i in range(7600):
        (world.watched / f"{i}").touch()
    names = [world.watched / f"{i:0250}" for i in range(400)]

    def come_and_go():
        for name in names:
            name.mkdir()
        until(lambda: n_watches(pid) == 1 + len(names), lambda: f"{n_watches(pid)} folders that are watched")
        for name in names:
            name.rmdir()
        until(lambda: n_watches(pid) == 1, "folders that are no longer watched")
    with world.watch():
        pid = world.sense_pid()
        come_and_go()
        world.settle()
        before = private_kib(pid)
        for _ in range(5):
            come_and_go()
        world.settle()
        check(laz.sanitized() or private_kib(pid) < before + 300, f"{private_kib(pid)} KiB after {before}")
        began, used = time.monotonic(), cpu_s(pid)
        while time.monotonic() < began + 2:
            names[0].mkdir()
            names[0].rmdir()
            time.sleep(0.001)
        share = (cpu_s(pid) - used) / (time.monotonic() - began)
        check(laz.sanitized() or share < 0.16, f"{share:.2f} of a processor")


def n_watches(pid):
    """Folders that inotify watches for this process."""
    folder = pathlib.Path(f"/proc/{pid}/fdinfo")
    fd = next(fd for fd in os.listdir(folder) if os.readlink(folder.parent / "fd" / fd) == "anon_inode:inotify")
    return (folder / fd).read_text().count("inotify wd:")


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@case("where init is not PID 1 it sees the same, and nothing where nothing is")
def nested():
    world = World()
    with world.watch(mode="nested"):
        world.tell("sleep")
        world.check_quiet()
        process = world.exec_foreign("sleep", "60")
        world.tell("tcp 4444")
        world.await_find("exec.foreign", 1)
        world.await_find("net.listen", 1)
        process.kill()
        process.wait()


@case("killed again and again, sense forgets nothing: what changed meanwhile is found, what was found is not found twice")
def killed():
    world = World()
    world.sense["files"] = {"watch": [str(world.watched)]}
    n = 12 if LONG else 4
    for i in range(n):
        (world.watched / f"f{i}").write_text("as it was\n")
    with world.watch():
        world.tell("tcp 4444")
        process = world.exec_foreign("sleep", "60")
        world.await_find("net.listen", 1)
        world.await_find("exec.foreign", 1)
        for i in range(n):
            pid = until(world.sense_pid, "sense")
            os.kill(pid, signal.SIGKILL)
            put(world.watched / f"f{i}", "changed\n")
            world.tell(f"tcp {5000 + i}")
            world.await_find("fim.change", 1, obj=str(world.watched / f"f{i}"), timeout=60)
            world.await_find("net.listen", 1, obj=f"0.0.0.0:{5000 + i}/tcp", timeout=60)
        world.settle(10)
        starts = world.records("sense.start")
        check_equal(sum(r["d"]["count"] for r in starts), starts[-1]["d"]["starts"], "starts, and those that are counted")
        check(2 <= starts[-1]["d"]["starts"] <= n + 1, f"{starts[-1]}")  # one may be killed before it has begun
        found = [(r["ev"], r["obj"], r["act"], r["d"]["count"]) for r in world.finds()]
        check_equal(sum(f[3] for f in found), 2 * n + 2, f"finds in all: {found}")
        check_equal(len(world.records("helper.exit")), n, "ends of helpers")
        process.kill()
        process.wait()
    world.judge("ok open single")


@case("one that comes when the workload runs already says so, takes nobody for init's own, and sees what comes after it")
def late():
    world = World()
    init = programs("exit")
    how = init.parent / "do"
    before = how.read_text()
    try:
        for path in (world.orders, world.done):
            path.write_bytes(b"")
            path.chmod(0o666)
        app = [act(), str(world.orders), str(world.done)]
        with world.start(app=app, init=init, wrapper=("unshare", "-n")):
            check_equal(world.records("sense.start"), [], "sense, which does not start yet")
            world.tell("tcp 4443", "sleep")
            how.write_text("real\n")
            until(lambda: world.records("sense.start"), "sense.start", 60)
            (start,) = world.records("sense.start")
            check_equal((start["act"], start["d"].get("late")), ("degraded", True), "the record")
            world.tell("tcp 4444")
            world.await_find("net.listen", 1)
            world.settle(60)  # whoever is judged wrongly is so after five seconds
            check_equal([(r["ev"], r["obj"]) for r in world.finds()], [("net.listen", "0.0.0.0:4444/tcp")], "finds")
    finally:
        how.write_text(before)


@case("what is found last is in the trail before it is closed")
def last_words():
    world = World({"window": "60s"})
    with world.watch() as run:
        world.tell("tcp 4444")
        world.await_find("net.listen", 1)
        world.tell("tcp 4444", "tcp 4444", "tcp 4444", "tcp 5555")
        world.await_find("net.listen", 1, obj="0.0.0.0:5555/tcp")  # of the same look, or a later one
        check_equal(len(world.finds(obj="0.0.0.0:4444/tcp")), 1, "records before the end")
        run.kill(fence.TERM)
        run.wait()
    check_equal(sum(r["d"]["count"] for r in world.finds("net.listen", obj="0.0.0.0:4444/tcp")), 4, "counted")
    check_equal(world.records()[-1]["ev"], "chain.final", "the last record")
    world.judge("ok closed single")


@case("what was counted is said before anything else at the end, also where there would be much to look at")
def last_words_first():
    world = World({"interval": "2s", "window": "60s"}, {"shutdown": {"flush": "600ms"}})  # half of it is for last words
    world.sense["files"] = {"watch": [str(world.watched)]}
    beside = [world.folder / f"beside{i}" for i in range(4)]  # other names of what is watched: no event tells of them
    for i, path in enumerate(beside):
        path.touch()
        os.truncate(path, 60 << 20)
        os.link(path, world.watched / f"{i}")
    with world.watch() as run:
        world.tell("tcp 4444")
        world.await_find("net.listen", 1)
        world.tell("tcp 4444", "tcp 4444", "tcp 4444", "tcp 5555")
        world.await_find("net.listen", 1, obj="0.0.0.0:5555/tcp")
        for path in beside:
            os.utime(path)
        run.kill(fence.TERM)
        run.wait()
    check_equal(sum(r["d"]["count"] for r in world.finds("net.listen", obj="0.0.0.0:4444/tcp")), 4, "counted")


def real_records():
    """A record of each event, and what it did, of two containers."""
    found = {}
    world = World()
    world.sense["files"] = {"watch": [str(world.watched)]}
    (world.watched / "secret").write_text("nobody reads this\n")
    (world.watched / "secret").chmod(0o600)
    (world.watched / "file").write_text("as it was\n")
    with world.watch(conditions=(NO_PTRACE,)):
        world.exec_foreign("sh", "-c", "setsid sleep 63 & exit 0").wait()
        world.exec_foreign("sleep", "30")
        world.tell("tcp 4444")
        put(world.watched / "file", "changed\n")
        wanted = (("cred.change", {}), ("fim.change", {}), ("net.listen", {}), ("exec.foreign", {"act": "injected"}))
        until(lambda: all(world.finds(ev, **fields) for ev, fields in wanted), "finds")
        for record in world.records():
            found.setdefault((record["ev"], record["act"]), record)
    world = World(changes={"syscalls": {"allow": ["memfd_create", "execveat"]}})
    with world.watch():
        world.tell("memfd payload")
        (record,) = world.await_find("exec.memfd", 1)
        found[record["ev"], record["act"]] = record
    world = World()
    world.changes["volumes"] = [{"path": str(world.watched)}]
    line = f'mount -t tmpfs tmpfs "{world.watched}"; exec "$@"'
    with world.watch(wrapper=("unshare", "-n", "--mount", "sh", "-ec", line, "-")) as run:
        subprocess.run(["nsenter", "-t", str(run.pid), "-m", "umount", world.watched], check=True, timeout=30)
        (record,) = world.await_find("volume.change", 1)
        found[record["ev"], record["act"]] = record
    return found


@case("records on the page of sense have the members, in the order, that real ones have")
def page():
    check_page(real_records(), ["cred.change", "exec.foreign", "exec.memfd", "fim.change", "net.listen", "sense.start", "volume.change"])


@case("sense opens nothing but what it watches, has no socket to the outside, and cannot be traced")
def narrow():
    world = World()
    world.sense["files"] = {"watch": [str(world.watched)]}
    with world.watch(conditions=(NO_PTRACE,)) as run:
        pid = world.sense_pid()
        links = set()
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # a table of the kernel's that it has read by now
                links.add(os.readlink(f"/proc/{pid}/fd/{fd}").split("[")[0])
        expected = {"/dev/null", str(run.errors), "socket:", "pipe:", "anon_inode:", "anon_inode:inotify", "/proc"}
        others = {link for link in links - expected if not re.fullmatch(r"/proc/[0-9]+/[a-z0-9/_]+", link)}
        check(not others, f"descriptors: {others}")
        check_equal(run.status(pid)["NoNewPrivs"], "1", "no_new_privs")
        check(world.records("sense.start")[0]["d"]["landlock_abi"] >= 1, "Landlock, which this kernel has")
        check_equal(run.status(pid)["Seccomp"], "2", "its filter")


if __name__ == "__main__":
    laz.main()
