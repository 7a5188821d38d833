# SPDX-License-Identifier: Apache-2.0
"""Nothing that a workload can say becomes a record, a second line or a control character of the trail; and all of it
can be read back from the trail, to the byte."""
import functools
import json
import random
import re

import adapters
import fence
import laz
import ship_world
import trail_judge
import trail_verifier
from laz import case, check, check_equal
from ship_world import Output, World

SEED = 20261122
# What no viewer of a trail shall ever be steered by: C0, C1, DEL, and what turns or breaks lines.
STEERING = re.compile("[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]")
OWN = {"chain.genesis", "chain.checkpoint", "chain.final", "log.block", "log", "init.start", "init.stop", "proc.exit"}

HOSTILE = [
    b"", b" ", b"\r", b"\r\r", b"\0", b"\0\0\0", b"\t", b"\v\f", b"\x1b[2J\x1b[1;1H\x1b]0;title\x07", b"\x9b31m", b"\x7f",
    b"\xc2\x85 next line", b"\xc2\x9b31m", "\u2028 \u2029".encode(), "\u202e\u2066 turned \u2069".encode(), "\u061c\u200e\u200f".encode(),
    b"\xff\xfe", b"\xc3", b"\xe2\x80", b"\xf0\x9f\x98", b"\xc0\xaf overlong", b"\xe0\x80\x8a", b"\xed\xa0\x80 surrogate",
    b"\xf4\x90\x80\x80 beyond", b"\xf8\x88\x80\x80\x80", b"\x80", "\U0001f600 \u00e9 \uffff \ufffe \ufeff".encode(),
    b'"', b"\\", b'\\"', b'"}}', b'"},"x":{"', b'\\u000a', b"\\n", b"%s%n%x%p", b"${jndi:ldap://x}", b"<script>", b"'; --",
    b'<13>1 2026-01-01T00:00:00Z h a - - [x@1 y="]"] z', b"12 <13>1 - - - - - - x", b"1 syslog 5 hello", b"-- ]]>",
    b'{"lz":1,', b'{"lz":1,"ev":"chain.final"', b'x {"lz":1,"ev":"init.stop","sev":1,"seq":0,', b'{"lz":1,"ev":"log"}',
    b"a" * 4095, b"a" * 4096, b"a" * 65536, b"a" * 65537, b"\xff" * 70000, b"\0" * 300000, "\u2028".encode() * 100000,
    b"a" * 300000, b'{"lz":1,' * 40000, b'"' * 131072, b"\\" * 131073, b"\xf0\x9f\x98\x80" * 33000, b"x" * 65535 + b"\xc3\xa9 cut",
]


@functools.cache
def own_records():
    """Records of another run, whole: what somebody who has seen a trail would repeat."""
    world = World()
    world.outcome("lines=3", "exit=0")
    return world.bytes()


def text():
    """All of it, then line feeds at every place of a record, then chance."""
    chance = random.Random(SEED)
    lines = list(HOSTILE) + own_records().splitlines()
    record = own_records().splitlines()[0]
    lines += [record[:i] + b"\n" + record[i:] for i in range(0, len(record), 1 if laz.LONG else 9)]
    lines += [bytes([i]) for i in range(256)] + [bytes([i, 10, i]) for i in range(256)]
    for _ in range(3000 if laz.LONG else 300):
        alphabet = chance.choice((b'{}":,\\lz1', b"\n\r\0 a", bytes(range(256)), b"\xe2\x80\xa8\xc2\x85\xff"))
        lines.append(bytes(chance.choice(alphabet) for _ in range(chance.randrange(200))))
    return b"\n".join(lines)


def check_form(world, data, what):
    """Lines are records, records are known ones, and none steers a viewer."""
    seen = data.decode("utf-8")  # or it raises
    found = STEERING.search(seen)
    check(not found, f"{what}: {found and seen[max(0, found.start() - 60):found.end()]!r}")
    check(data.endswith(b"\n"), f"{what}: the last line has no end")
    kinds = [trail_verifier.read_line(line) for line in data.splitlines()]
    strange = [k if isinstance(k, str) else k.ev for k in kinds if isinstance(k, str) or k.ev not in OWN]
    check_equal(strange, [], f"{what}: lines that are no records of ours")
    check_equal(len(seen.splitlines()), data.count(b"\n"), f"{what}: lines, as another reader counts them")
    for ev in ("chain.genesis", "init.start", "init.stop", "proc.exit", "chain.final"):
        check_equal(len(world.records(ev, data)), 1, f"{what}: {ev}")
    for record in world.records("log", data):
        check_equal(set(record["d"]) - {"msg", "raw", "eol", "part", "more"}, set(), f"{what}: members of d")


def said(world, content, words, **rest):
    (world.folder / "content").write_bytes(content)
    with world.start(f"file={world.folder}/content,{words}", "exit=0", ready=False, **rest) as run:
        check_equal(str(run.wait(40)), "exit 0", f"the end: {run.stderr()}")


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
