# SPDX-License-Identifier: Apache-2.0
"""Nothing that a workload can say becomes a record, a second line or a control character of the trail; and all of it
can be read back from the trail, to the byte."""
import json
import os

import adapters
import fence
import laz
import trail_judge
import trail_verifier
from hostile import check_form, own_records, said, text
from laz import case, check, check_equal
from ship_world import Output, World, numbered, until


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


@case("a ship that begins anew follows no folder that the workload has put in the way; who follows names makes a file elsewhere")
def led_astray():
    world = World()
    out, aside, away = (world.kept / name for name in ("out", "aside", "away"))
    for folder in (out, aside):
        folder.mkdir()
    world.trail = out / "trail.jsonl"
    world.sinks = [world.file_sink()]
    with world.start("lines=0,100,5,2000", "exit=3") as run:
        world.ready()
        out.rename(away)
        out.symlink_to(aside)
        os.chown(out, UID, UID, follow_symlinks=False)  # as the workload would have made it
        os.close(os.open(world.trail, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        check((aside / "trail.jsonl").exists(), "the control: who follows names was not led astray")
        (aside / "trail.jsonl").unlink()
        os.kill(world.pid("ship"), fence.KILL)
        seen = set()
        until(lambda: seen.add(world.pid("ship")) or len(seen - {None}) > 2, "two tries of a ship")
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
