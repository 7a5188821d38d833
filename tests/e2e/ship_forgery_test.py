# SPDX-License-Identifier: Apache-2.0
"""Nothing that a workload can say becomes a record, a second line or a control character of the trail; and all of it
can be read back from the trail, to the byte."""
import json

import adapters
import fence
import laz
import trail_judge
import trail_verifier
from hostile import check_form, own_records, said, text
from laz import case, check, check_equal
from ship_world import Output, World


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


if __name__ == "__main__":
    laz.main()
