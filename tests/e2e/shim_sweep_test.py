# SPDX-License-Identifier: Apache-2.0
"""What containers leave with the host, and when lazaret-shim takes it away: never of a container that is there, or is just being created."""
import concurrent.futures
import fcntl
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import area
import laz
import shim_world as world
from laz import case, check, check_equal
from shim_world import SHIM, configure

ROOT = pathlib.Path("/run/test")
RUNC = world.OPT / "runc"
OLD = [f"old-{n}" for n in range(17)]
CROWD = 40
# Every runtime works for a while before there is a container.
SLOW = f'#!/bin/sh\nfor id; do :; done\nsleep 0.2\nmkdir {ROOT}/$id\n'


def prepare(runtime=RUNC):
    """A host on which a rule leads to a policy, so that all is judged, and the default leaves it as it is; no container."""
    area.require_program("runc")
    world.host()
    shutil.copy(world.RUNTIME, RUNC)
    configure(f"version: 1\nruntime: {runtime}\ndefault-policy: pass-through\nselect: [{{cgroups-path: /nowhere, policy: shell}}]\n"
              f"audit: {{file: {world.OPT}/audit/host.jsonl, required: false}}\n")
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir(mode=0o700)
    shutil.rmtree("/run/lazaret", ignore_errors=True)


def bundle():
    """One for all: nothing of it is changed."""
    folder = pathlib.Path(area.root()) / "sweep"
    if not folder.exists():
        folder.mkdir()
        area.run(["runc", "spec", "--bundle", folder])
        config = json.loads((folder / "config.json").read_text())
        config["process"].update(terminal=False)
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def create(name, root=ROOT):
    """Through the shim, to its end."""
    result = area.run([SHIM, "--root", root, "create", "--bundle", bundle(), name], env={"PATH": area.PATH})
    laz.check_no_report(result.err)
    check_equal(result.code, 0, f"create {name}: {result.err}")


def folder_of(name):
    """Where the shim remembers this container."""
    (path,) = pathlib.Path("/run/lazaret").glob(f"*/{name}.json")
    return path.parent


def records(folder):
    """The names of the containers that are remembered there."""
    return sorted(path.stem for path in folder.glob("*.json"))


@case("records of containers that the runtime does not have go with the next create; those that it has, of another root, and of another kind of runtime stay")
def orphans():
    for runtime, stays in ((RUNC, []), (world.RUNTIME, OLD)):
        prepare(runtime)
        create("there")
        create("elsewhere", "/run/other")
        (ROOT / "there").mkdir()
        folder = folder_of("there")
        for name in OLD:
            (folder / f"{name}.json").write_text((folder / "there.json").read_text())
        other = folder / f"{OLD[3]}.another{os.getpid()}"  # no mark, though as long as one
        other.touch()
        create("new")
        check_equal((records(folder), other.exists()), (sorted([*stays, "new", "there"]), True), f"by {runtime.name}")
        check_equal(records(folder_of("elsewhere")), ["elsewhere"], "another root")


@case("somebody who has the lock of the folder and does not give it back: a create is refused by name, and goes on afterwards")
def held():
    prepare()
    create("one")
    fd = os.open(folder_of("one"), os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    result = area.run([SHIM, "--root", ROOT, "create", "--bundle", bundle(), "two"], env={"PATH": area.PATH})
    check(result.code == 1 and result.err.startswith("lazaret: host-busy: another process has had the lock of the folder"), f"{result}")
    check_equal(records(folder_of("one")), ["one"], "what is remembered")
    os.close(fd)
    create("two")


@case("a root that depends on where its caller is, whose records would be another's too, is refused by name, also of an exec; nothing is remembered of it")
def relative():
    prepare()
    for words in (["create", "--bundle", bundle(), "one"], ["exec", "one", "true"]):
        for root in ("st", "", "./st", "../st"):
            result = area.run([SHIM, "--root", root, *words], env={"PATH": area.PATH}, cwd=ROOT)
            text = f"lazaret: request-refused: --root \"{root}\": not an absolute path, so another folder for each caller"
            check(result.code == 1 and result.err.startswith(text), f"{words[0]}: {result}")
    check_equal(list(pathlib.Path("/run/lazaret").glob("*/*.json")), [], "records")
    create("one")
    result = area.run([SHIM, "--root", "st", "state", "one"], env={"PATH": area.PATH}, cwd=ROOT)
    check("request-refused" not in result.err, f"what the shim does not act on: {result}")


def begin(program, name, session):
    """Without a root."""
    env = {"PATH": area.PATH, **({"XDG_RUNTIME_DIR": session} if session else {})}
    return area.run([program, "create", "--bundle", bundle(), name], env=env)


@case("crun keeps its containers below XDG_RUNTIME_DIR, also root's, where no root is given: so does their record's folder, and none of them loses it; of runc that is no word")
def session():
    area.require_program("crun")
    real = area.run(["crun", "state", "nobody"], env={"PATH": area.PATH, "XDG_RUNTIME_DIR": "/run/session"})
    check("/run/session/crun/nobody" in real.err, f"the control: crun itself: {real}")
    for name in ("crun", "runc"):
        prepare(world.OPT / name)
        for folder in ("session", "crun", "runc"):
            shutil.rmtree(f"/run/{folder}", ignore_errors=True)
        place = "${XDG_RUNTIME_DIR:-/run}" if name == "crun" else "/run"
        (world.OPT / name).write_text(f'#!/bin/sh\nfor id; do :; done\nmkdir -p "{place}/{name}/$id"\n')
        (world.OPT / name).chmod(0o755)
        for session, container in (("/run/session", "one"), ("/run/session", "two"), (None, "three"), ("", "four"), ("/run/session", "five")):
            check_equal(begin(SHIM, container, session).code, 0, f"{name}: {container}")
        first, second = folder_of("one"), folder_of("three")
        check_equal({*records(first), *records(second)}, {"one", "two", "three", "four", "five"}, f"{name}: none is lost")
        check_equal((second / "root").read_text(), "\n", f"{name}: without one")
        if name == "runc":
            check_equal(first, second, "runc: one root")
            continue
        check_equal((first / "root").read_text(), "/run/session/crun\n", "its root")
        again = begin(SHIM, "one", "/run/session")
        check(again.code == 1 and "there is a container one, which keeps its policy" in again.err, f"a second one: {again}")
        pathlib.Path("/run/session/crun/one").rmdir()
        check_equal(begin(SHIM, "six", "/run/session").code, 0, "six")
        check("one" not in records(first) and "two" in records(first), "the control: when it has gone")
        there = begin(SHIM, "seven", "session")
        check(there.code == 1 and '"session/crun": not an absolute path' in there.err, f"relative: {there}")


@case("copies, marks and unfinished files of processes that have ended go; those of a process that lives stay, and so does what only looks like them")
def leftovers():
    prepare()
    create("one")
    (ROOT / "one").mkdir()
    folder = folder_of("one")
    alive = subprocess.Popen(["sleep", "1000"])
    try:
        dead = subprocess.Popen(["true"])
        dead.wait()
        forms = ["one.exec-{}", "one.create-{}", ".one.json.{}-0", "a.exec-1.exec-{}"]
        keep = [form.format(alive.pid) for form in forms]
        keep += ["one.exec-", "one.exec-x", "one.exec-0", "exec-1", f"one.exec{dead.pid}", ".json", f".{dead.pid}-0", f"one.exec-{dead.pid}.json", f"one.{dead.pid}-0", f".exec-{dead.pid}"]
        for name in keep + [form.format(dead.pid) for form in forms]:
            (folder / name).touch()
        (ROOT / f"one.exec-{dead.pid}").mkdir()
        create("two")
        left = {path.name for path in folder.iterdir()} - {"one.json", "root", "two.json"}
        check_equal({name for name in left if not name.startswith("two.create-")}, set(keep), "what is left")
    finally:
        alive.kill()
        alive.wait()
    create("three")
    left = {path.name for path in folder.iterdir()}
    check_equal({form.format(alive.pid) for form in forms} & left, set(), "when it has ended")


@case("of many containers that are created at the same time none loses its record to another's sweep, though their runtimes are not done yet")
def crowd():
    prepare()
    RUNC.write_text(SLOW)
    names = [f"crowd-{n}" for n in range(CROWD)]
    create("first")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(create, names))
    folder = folder_of("first")
    check_equal(records(folder), sorted(["first", *names]), "records")
    for name in names:
        (ROOT / name).rmdir()
    create("last")
    check_equal(records(folder), ["first", "last"], "the control: they go when their containers have gone")


@case("a record stays while the process lives that creates its container, also if that takes long, and goes when it was killed before there was one")
def marked():
    prepare()
    RUNC.write_text(f'#!/bin/sh\ncase "$*" in *slow) exec sleep 1000;; esac\nfor id; do :; done\nmkdir {ROOT}/$id\n')
    words = [str(word) for word in (SHIM, "--root", ROOT, "create", "--bundle", bundle(), "slow")]
    slow = subprocess.Popen(words, env={"PATH": area.PATH})
    try:
        deadline = time.monotonic() + 60
        while pathlib.Path(f"/proc/{slow.pid}/comm").read_text().strip() != "sleep":
            check(slow.poll() is None and time.monotonic() < deadline, "the runtime was not called")
            time.sleep(0.01)
        folder = folder_of("slow")
        create("other")
        check("slow" in records(folder), "while it lives")
        record = (folder / "slow.json").read_text()
        again = area.run(words, env={"PATH": area.PATH})
        check(again.code == 1 and "there is a container slow, which keeps its policy" in again.err, f"a second one of its name: {again}")
        check_equal((folder / "slow.json").read_text(), record, "its record")
    finally:
        slow.kill()
        slow.wait()
    create("another")
    check_equal(records(folder), ["another", "other"], "when it was killed")
    create("again")
    (ROOT / "again").rmdir()
    (mark,) = folder.glob("again.create-*")
    older = mark.with_name(f"again.create-{os.getpid()}")
    mark.rename(older)
    again = area.run([*words[:-1], "again"], env={"PATH": area.PATH})
    check(again.code == 1 and "there is a container again" in again.err, f"the control: a process that was there when it was marked: {again}")
    time.sleep(0.1)  # processes are told apart by the hundredth of a second in which they began
    younger = subprocess.Popen(["sleep", "1000"])
    try:
        other = mark.with_name(f"again.create-{younger.pid}")
        older.rename(other)
        create("again")
        check(not other.exists(), "a mark of a process whose number is another's now")
    finally:
        younger.kill()
        younger.wait()


def asks(pid, folder):
    """It has the folder open, and so asks for its lock."""
    fds = [f"/proc/{pid}/fd/{fd}" for fd in os.listdir(f"/proc/{pid}/fd")]
    return any(os.readlink(fd) == str(folder) for fd in fds if os.path.lexists(fd))


@case("who creates waits for who is sweeping: while somebody has the folder nothing is written to it")
def waits():
    prepare()
    create("first")
    folder = folder_of("first")
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    before = sorted(folder.iterdir())
    words = [str(word) for word in (SHIM, "--root", ROOT, "create", "--bundle", bundle(), "second")]
    second = subprocess.Popen(words, env={"PATH": area.PATH})
    try:
        deadline = time.monotonic() + 60
        while not asks(second.pid, folder):
            check(second.poll() is None and time.monotonic() < deadline, "it does not wait")
            time.sleep(0.01)
        check_equal((sorted(folder.iterdir()), second.poll()), (before, None), "what is written meanwhile")
        os.close(held)
        check_equal(second.wait(60), 0, "then it goes on")
    finally:
        second.kill()
        second.wait()
    check("second" in records(folder), "its record")


if __name__ == "__main__":
    laz.main()
