# SPDX-License-Identifier: Apache-2.0
"""What a hostile workload says in the hope that it is read as something else, and what a trail that has it must look
like nevertheless."""
import functools
import random
import re

import laz
import trail_verifier
from laz import check, check_equal
from ship_world import World

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
