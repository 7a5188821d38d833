# SPDX-License-Identifier: Apache-2.0
"""Nothing that a workload can say becomes a record, a second line or a control character of the trail; and all of it
can be read back from the trail, to the byte."""
import json
import os
import pathlib
import shutil

import adapters
import fence
import laz
import trail_judge
import trail_verifier
from hostile import check_form, own_records, said, text
from laz import case, check, check_equal
from ship_world import SHIP_UID, Output, World, numbered, until


@case("hostile lines: what a file has is records of ours alone, and the bytes as they were")
def to_file():
    for max_line in ("64KiB", "1KiB"):
        world, content = World({"logs": {"max-line": max_line}}), text()
        said(world, content, "65536,200")
        check_form(world, world.bytes(), max_line)
        check(world.stream() == content, f"{max_line}: the stream is not what was said")
        world.judge(trail_judge.FINE)


@case("hostile lines in small pieces: where a write ends makes no difference")
def in_pieces():
    content = text()[:40000]
    for piece in adapters.sample([1, 3, 7, 64, 4095, 4097], 3):
        world = World()
        said(world, content, f"{piece},{20 if piece < 64 else 300}")
        check_form(world, world.bytes(), f"{piece} bytes at a time")
        check(world.stream() == content, f"{piece} bytes at a time: the stream is not what was said")


@case("hostile lines on the container's output: records alone there too, and in one piece each")
def to_output():
    world, output = World(sinks=[{"name": "console", "type": "stdout", "classes": ["audit", "ids", "log"]}]), Output()
    output.read()
    content = text()
    said(world, content, "65536,200", stdout=output.write_end)
    data = output.all()
    check_form(world, data, "output")
    check(world.stream(data=data) == content, "the stream is not what was said")
    world.judge(trail_judge.FINE, data=data)


@case("a record said by the workload, of this very chain and at the next place, is a line of the log and nothing more")
def own_chain():
    world = World()
    content = world.folder / "content"
    content.write_bytes(b"")
    with world.start("say=up", "term", f"file={content},0,0", "exit=0") as run:
        genesis = world.records("chain.genesis")[0]
        forged = dict(genesis, ev="chain.final", seq=3, prev=genesis["h"][:16])
        line = json.dumps(forged, separators=(",", ":")).encode()
        content.write_bytes(line + b"\n" + world.bytes() + b"\n" + line)
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 0", f"the end: {run.stderr()}")
    check(world.stream().startswith(b"up\n" + line + b"\n"), "the forged record is not in the log")
    world.judge(trail_judge.FINE)
    check_equal(len(world.records("chain.final")), 1, "final records")


@case("control: where nothing keeps them apart, the same lines do forge records")
def control():
    data = own_records() + b'{"lz":1,"ev":"init.stop"}\n' + own_records().replace(b'"seq":1,', b'"seq":2,')
    kinds = [trail_verifier.read_line(line) for line in data.splitlines()]
    check("malformed" in kinds, "the search finds nothing")
    check(not trail_verifier.verify(data)["ok"], "the verifier finds nothing")


UID = adapters.WORKLOAD_UID
FOLDERS = {  # what the workload may do to a folder above the file, and what is said of it
    "belongs to it": (lambda path: os.chown(path, UID, UID), f"belongs to the workload, user {UID}"),
    "everybody may write it": (lambda path: path.chmod(0o777), "may be written by everybody, mode 0777"),
    "its group may write it": (lambda path: (os.chown(path, 0, UID), path.chmod(0o775)), f"may be written by the workload's group {UID}, mode 0775"),
}


@case("a file sink below a folder in which the workload has a hand does not start, by name; beside one of root's it does")
def hands():
    for name, (give, why) in FOLDERS.items():
        for depth in ("above", "above/out"):
            world = World()
            out = world.kept / "above" / "out"
            out.mkdir(parents=True)
            world.trail = out / "trail.jsonl"
            world.sinks = [world.file_sink()]
            with world.start("exit=3") as run:
                check_equal(str(run.wait()), "exit 3", f"{name}: root's: {run.stderr()}")
            world.trail.unlink()
            give(world.kept / depth)
            code, errors = world.outcome("exit=3")
            check_equal(code, 106, f"{name}: {depth}: {errors}")
            check(f"sink trail: {world.trail}: {world.kept / depth} {why}" in errors, f"{name}: {depth}: {errors}")
            check(not world.trail.exists(), f"{name}: {depth}: it was made")
    world = World()
    sticky = world.kept / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    world.trail = sticky / "trail.jsonl"
    world.sinks = [world.file_sink()]
    code, errors = world.outcome("exit=3")
    check(code == 106 and f"{sticky} is a folder where everybody may make files" in errors, f"{code}: {errors}")


@case("a spool below a folder in which the workload has a hand does not start, by name, and is not made; below root's it is")
def spool_hands():
    for name, (give, why) in FOLDERS.items():
        for depth in ("above", "above/out"):
            world = World()
            world.spool = world.kept / "above" / "out" / "deep" / "spool"
            world.spool.parents[1].mkdir(parents=True)
            code, errors = world.outcome("exit=3")
            check_equal(code, 3, f"{name}: root's: {errors}")
            shutil.rmtree(world.spool.parent)
            give(world.kept / depth)
            code, errors = world.outcome("exit=3")
            check_equal(code, 106, f"{name}: {depth}: {errors}")
            check("spool-failed: " in errors and f"spool.dir: {world.spool}: {world.kept / depth} {why}" in errors, f"{name}: {depth}: {errors}")
            check_equal(list((world.kept / "above" / "out").iterdir()), [], f"{name}: {depth}: what was made")


@case("the spool's own folder: the workload's is refused and left as it is, one that others may write becomes the helper's")
def spool_itself():
    for name, (give, why) in FOLDERS.items():
        world = World()
        world.spool.mkdir(parents=True)
        give(world.spool)
        code, errors = world.outcome("exit=3")
        status = world.spool.stat()
        if name == "belongs to it":
            check_equal((code, status.st_uid, list(world.spool.iterdir())), (106, UID, []), f"{name}: {errors}")
            check("spool-failed: " in errors and f"spool.dir: {world.spool} {why}" in errors, errors)
        else:
            check_equal((code, status.st_uid, status.st_gid, status.st_mode & 0o7777), (3, SHIP_UID, SHIP_UID, 0o770), f"{name}: {errors}")
    world = World()
    sticky = world.kept / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    world.spool = sticky / "spool"
    code, errors = world.outcome("exit=3")
    check_equal(code, 3, f"in a sticky folder of root's, where nobody moves what is another's: {errors}")


@case("a file sink whose file is the workload's, or may be written by it, does not start, by name; another's file it has")
def own_file():
    for name, (give, why) in {**FOLDERS, "another's": (lambda path: os.chown(path, 4321, 4321), None)}.items():
        world = World()
        world.trail.touch(0o600)
        give(world.trail)
        code, errors = world.outcome("exit=3")
        check_equal((code, world.trail.stat().st_size > 0), (3, True) if why is None else (106, False), f"{name}: {errors}")
        check(why is None or "sink-failed: " in errors and f"sink trail: {world.trail} {why}" in errors, f"{name}: {errors}")


@case("a ship that begins anew follows no folder that the workload has put in the way; who follows names makes it elsewhere")
def led_astray():
    for what in ("trail.jsonl", "spool"):
        astray(what)


def make(path):
    """As somebody who follows names."""
    if path.name == "spool":
        path.mkdir()
    else:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))


def faults_of_reaped(pid):
    """What grows with each child that it reaps, also with one that lives too short to be seen."""
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[8])


def astray(what):
    world = World()
    out, aside, away = (world.kept / name for name in ("out", "aside", "away"))
    for folder in (out, aside):
        folder.mkdir()
    if what == "spool":
        world.spool = out / what
    else:
        world.trail = out / what
    world.sinks = [world.file_sink()]
    with world.start("lines=0,100,5,2000", "exit=3") as run:
        world.ready()
        out.rename(away)
        out.symlink_to(aside)
        os.chown(out, UID, UID, follow_symlinks=False)  # as the workload would have made it
        make(out / what)
        check((aside / what).exists(), "the control: who follows names was not led astray")
        (aside / what).rename(world.kept / "made")
        seen = {faults_of_reaped(run.pid)}
        os.kill(world.pid("ship"), fence.KILL)
        until(lambda: seen.add(faults_of_reaped(run.pid)) or len(seen) > 3, "two tries of a ship behind the killed one")
        check_equal(list(aside.iterdir()), [], "what root has made where the link leads")
        check_equal(run.ended, None, "the end")
        out.unlink()
        away.rename(out)
        world.ready()
        run.kill(fence.TERM, world.workload())
        check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
    exits = [r["d"]["message"] for r in world.records("helper.exit")]
    check(any(f"{out} belongs to the workload, user {UID}" in why for why in exits), f"{exits}")
    check_equal(world.account(numbered(world.said() // 101, 100)), [], "missing")


if __name__ == "__main__":
    laz.main()
