# SPDX-License-Identifier: Apache-2.0
"""What the policy asks of a trail, in a container: words that are taken out or joined, pipes of a size, signed silence,
and what the sinks know of each other."""
import fcntl
import json
import os
import subprocess
import sys

import adapters
import fence
import laz
import trail_judge
from laz import case, check, check_equal
from ship_world import NOWHERE, World, sealed, until

LITERAL = "open sesame of ward 7"
SECRETS = {"ssn": "123-45-6789", "pan": "4111 1111 1111 1111", "aws-key": "AKIAIOSFODNN7EXAMPLE", "mrn": "MRN-12345678",
           "jwt": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwYXRpZW50In0.c2lnbmF0dXJlLW9mLWl0", "literal": LITERAL}
REDACT = {"patterns": ["ssn", "pan", "jwt", "aws-key", "mrn"], "mrn": "MRN-[0-9]{8}", "literals": [LITERAL]}
LINES = 40


def said(world, *words):
    """What the workload of a world says that has a secret in each place of a line; the container ends with 3."""
    text = "".join(f"{i} {name} {secret} and {secret}, behind it\n" for i in range(LINES) for name, secret in SECRETS.items())
    (world.folder / "content").write_text(text)
    with world.start(f"file={world.folder}/content,7,100", *words, "exit=3", ready=False) as run:
        check_equal(str(run.wait()), "exit 3", run.stderr())
    return text


def found_in(data):
    return sorted(name for name, secret in SECRETS.items() if secret.encode() in data)


@case("what the policy names is taken out, however the writes cut it: not in a sink, not in the spool; counted by kind")
def redacted():
    for sinks in (None, [NOWHERE]):
        world = World({**sealed(opens=True), "logs": {"redact": REDACT}, "shutdown": {"flush": "300ms"}}, sinks)
        text = said(world)
        data = world.bytes() if sinks is None else world.spooled()
        marked = text
        for name, secret in SECRETS.items():
            marked = marked.replace(secret, f"[REDACTED:{name}]")
        check_equal(world.stream(data=data).decode(), marked, "the lines")
        counts = {}
        for record in world.records("log", data):
            for name, count in record["d"].get("redacted", {}).items():
                counts[name] = counts.get(name, 0) + count
        check_equal(counts, dict.fromkeys(SECRETS, 2 * LINES), "counted by kind")
        (world.folder / "content").unlink()
        for path in [p for p in (*world.folder.rglob("*"), *world.spool.rglob("*")) if p.is_file()]:
            check_equal(found_in(path.read_bytes()), [], f"what is in {path.name}")
        world.judge(trail_judge.FINE, data=data)


@case("control: without `redact` the same search finds all of it in the sink's file")
def redacted_control():
    world = World()
    said(world)
    check_equal(found_in(world.bytes()), sorted(SECRETS), "what is in the trail")


@case("lines that belong together are one record, over any writes; what comes after `wait` is a record of its own")
def joined():
    world = World({"logs": {"multiline": {"start": "^2026", "wait": "400ms"}}})
    (world.folder / "content").write_text("2026 first\n  at a\n  at b\n2026 second\n\n2026 third\n  at c\n")
    with world.start(f"file={world.folder}/content,3,1000", "sleep=1500", "say=  at d, too late", "say=2026 fourth", "say=  at e",
                     "exit=3", ready=False) as run:
        check_equal(str(run.wait()), "exit 3", run.stderr())
    check_equal([r["d"]["msg"] for r in world.records("log")],
                ["2026 first\n  at a\n  at b", "2026 second\n", "2026 third\n  at c", "  at d, too late", "2026 fourth\n  at e"],
                "records")
    world.judge(trail_judge.FINE)


# Takes all of a user's share of pages for pipes: whoever comes then gets pipes of a page or two.
GREEDY = """import fcntl, os, sys
os.setuid(int(sys.argv[1]))
while True:
    try:
        fcntl.fcntl(os.pipe()[1], 1031, 1 << 20)
    except OSError:
        break
print("held", flush=True)
input()"""


def pipe_of(size, conditions):
    """(bytes of the workload's stdout, what the start calls degraded) under a policy that asks for so much."""
    world = World({"logs": {"pipe-size": size}})
    with world.start("say=up", "term", "exit=3", conditions=conditions) as run:
        until(lambda: world.said() == 3, "words")
        fd = os.open(f"/proc/{world.workload()}/fd/1", os.O_WRONLY | os.O_NONBLOCK)
        granted = fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)
        os.close(fd)
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 3", run.stderr())
    return granted, world.records("init.start")[0]["d"]["degraded"]


@case("pipes are as large as the policy says; where the kernel grants less, the start says so")
def pipes():
    user = adapters.WORKLOAD_UID
    for size, wanted in (("1MiB", 1 << 20), ("64KiB", 1 << 16)):
        for conditions in ((), (f"uid={user}",)):
            granted, degraded = pipe_of(size, conditions)
            check_equal((granted, "pipes-small" in degraded), (wanted, False), f"{size} {conditions}: {degraded}")
    with subprocess.Popen([sys.executable, "-c", GREEDY, str(user)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        check_equal(other.stdout.readline(), b"held\n", "the user's share")
        granted, degraded = pipe_of("1MiB", (f"uid={user}",))
        other.kill()
    check(granted < 1 << 20 and "pipes-small" in degraded, f"{granted} bytes, degraded: {degraded}")


@case("silence is signed; and what a sink has acknowledged stands in what the others get, so that one finds what another lacks")
def anchored():
    world = World({"audit": {"checkpoint": {"every": "1s"}}})
    other = world.kept / "other.jsonl"
    world.sinks = [world.file_sink(), {**world.file_sink(), "name": "other", "path": str(other), "required": False}]
    with world.start("say=up", "term", "exit=3") as run:
        until(lambda: world.records("log"), "the word")
        heard = len(world.records("chain.checkpoint"))
        until(lambda: len(world.records("chain.checkpoint")) > heard + 3, "checkpoints of silence", 60)
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 3", run.stderr())
    check(world.bytes() == other.read_bytes(), "the two sinks have two stories")
    records = {r["seq"]: r for r in world.records()}
    last = max(r["seq"] for r in records.values() if r["ev"] == "log")
    signed = [r for r in records.values() if r["ev"] == "chain.checkpoint" and r["seq"] > last + 1]
    check(len(signed) >= 3, f"{len(signed)} checkpoints while nothing was said")
    for record in signed:
        anchors = record["d"]["anchors"]
        check_equal(sorted(a["sink"] for a in anchors), ["other", "trail"], f"anchors of {record}")
        for anchor in anchors:
            check(anchor["seq"] < record["seq"], f"{anchor} in {record['seq']}")
            check_equal(anchor["h"], records[anchor["seq"]]["h"], f"the record that {anchor} names")
    lines = other.read_bytes().splitlines(keepends=True)
    anchor = next(a for a in signed[-1]["d"]["anchors"] if a["sink"] == "other")
    cut = b"".join(line for line in lines if json.loads(line)["seq"] < anchor["seq"])
    place = (records[0]["chain"], anchor["seq"], anchor["h"])
    answer = trail_judge.both("the other sink's, cut", cut, [place])
    check_equal(answer["chains"][0]["completeness"], "truncated", "with the anchor of the first sink")
    answer = trail_judge.both("the same without an anchor", cut)
    check_equal(answer["chains"][0]["completeness"], "open", "without it")


if __name__ == "__main__":
    laz.main()
