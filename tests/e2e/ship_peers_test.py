# SPDX-License-Identifier: Apache-2.0
"""From the workload's mouth to a real rsyslog over RELP and TLS, through everything that is done to the receiver and to
what is between: what was said has arrived or is counted in a gap, to the byte, and what came twice is what a break had
left open: a window of records, or, where the whole container was killed, what had arrived since the cursors were saved.
"""
import collections
import os
import re
import time

import fence
import hostile
import laz
import ship_world
import sinks_peers as peers
import trail_judge
from laz import case, check, check_equal
from ship_world import World, check_rejects, listens, numbered, sealed, text_of, until
from sinks_peers import Proxy, RelpSession, Rsyslog, Scripted

KILLS = 100 if laz.LONG else 6
CUTS = 200 if laz.LONG else 5
CONTAINERS = 20 if laz.LONG else 3
WINDOW = 128
WIDTH = 300
SMALL = {"max": "4MiB", "segment": "1MiB"}
UNLIMITED = {"stop-timeout": "60s", "grace": "2s", "drain": "200ms", "flush": "40s"}


def sink(port, tls=True):
    pki = peers.pki()
    means = {"ca": str(pki / "ca.pem"), "cert": str(pki / "client.pem"), "key": str(pki / "client.key"), "peer": "server.test"}
    return {"name": "collector", "type": "relp", "to": f"127.0.0.1:{port}", "classes": ["audit", "ids", "log"],
            "required": True, **({"tls": means} if tls else {})}


def world_of(port, tls=True, **changes):
    return World({"shutdown": UNLIMITED, **changes}, [sink(port, tls)])


def received(rsyslog):
    return b"".join(line + b"\n" for line in rsyslog.lines())


def finish(world, run, rsyslog, code=3):
    """Stop the workload; what it has said, and what has arrived, all of it."""
    run.kill(fence.TERM)
    check_equal(str(run.wait(60)), f"exit {code}", f"the end: {run.stderr()}")
    check_equal(run.stderr(), "", "stderr")
    rsyslog.stop()
    said = world.said()
    return numbered(said // (WIDTH + 1) + 1, WIDTH)[:said], received(rsyslog)


def check_repeats(data, breaks):
    lines = data.splitlines()
    repeated = len(lines) - len(set(lines))
    check(repeated <= WINDOW * breaks, f"{repeated} records came twice, after {breaks} breaks of a window of {WINDOW}")


def arrived(rsyslog):
    return rsyslog.records.stat().st_size if rsyslog.records.exists() else 0


def refuse_all(seen, connection):
    session = RelpSession(connection)
    session.open()
    while True:
        number, _, data = session.frame()
        seen[data] += 1
        session.answer(number, b"500 no")


@case("a receiver that refuses everything: its refusals are told in few records, which count them all")
def refusals():
    seen = collections.Counter()
    receiver = Scripted(lambda connection, _: refuse_all(seen, connection))
    world = World({"audit": {"checkpoint": {"every": "60s"}}})  # or one is on its way at the stop, and counts for itself
    world.sinks = [world.file_sink(), sink(receiver.port, tls=False)]
    with world.start("lines=150,100,1,50", "term", "exit=3") as run:
        until(lambda: world.records("sink.reject"), "refusals")
        until(lambda: len(seen) > 150 and min(seen.values()) == 4, lambda: f"four tries of each: {seen.values()}", 60)
        ship_world.at_rest(lambda: sum(seen.values()), "what is sent")
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
    receiver.close()
    check_rejects(world, "collector", 3)


def refuse_start(seen, connection):
    """Whatever else comes is taken."""
    session = RelpSession(connection)
    session.open()
    while True:
        number, _, data = session.frame()
        name = b"init.start" if b'"ev":"init.start"' in data else b"behind" if seen[b"init.start"] == 4 else b"before"
        session.answer(number, b"500 no" if name == b"init.start" else b"200 OK")
        seen[name] += 1


def refused_start(wait_s, kill):
    """What a start says with a required receiver that refuses its record; None where there was no time for that, and for a kill."""
    seen = collections.Counter()
    receiver = Scripted(lambda connection, _: refuse_start(seen, connection))
    world = World({"audit": {"durability": "acked", "start-wait": f"{wait_s}s"}})
    world.sinks = [world.file_sink(), sink(receiver.port, tls=False)]
    marker = world.folder / "ran"

    def await_while_it_waits(found, what):
        until(lambda: run.has_ended(0.002) or found(), what, 120)
        return not run.has_ended(0)

    with world.start(f"touch={marker}", "exit=3", ready=False) as run:
        was_there = await_while_it_waits(lambda: seen[b"behind"] > 0 and world.records("sink.reject"), lambda: f"refusals: {seen}")
        if kill and was_there:
            ship = world.pid("ship")
            os.kill(ship, fence.KILL)
            was_there = await_while_it_waits(lambda: world.pid("ship") not in (None, ship) and listens(world.pid("ship")), "another ship")
        code, errors = run.wait(120).code, run.stderr()
    receiver.close()
    check_equal((code, marker.exists()), (106, False), f"exit code, and whether the workload ran: {seen}, {errors}")
    return errors if was_there else None


@case("durability acked: a receiver that refuses the record of the start, and takes what comes behind it, has not acknowledged it; nor where ship dies meanwhile")
def refused_starts():
    why = ": sink collector [(]required[)]: it has rejected a record of the start: the receiver refuses it: 500 no\n"
    for kill, tail in ((False, why), (True, "")):  # the next ship may not have come to saying it
        said = next(filter(None, (refused_start(wait_s, kill) for wait_s in (3, 12, 60))), None)
        check(said is not None, "there was no time for it")
        check(re.search("audit-unavailable: no acknowledgement of the start from every required sink within [0-9]+ ms" + tail, said), said)


@case("a run that ends takes leave of its receiver, who logs no error for it [RELP, RELP over TLS, syslog over TLS, TCP]")
def leave_taken():
    rsyslog = Rsyslog("peer-leave")
    means = sink(0)["tls"]
    for i, one in enumerate(({"type": "relp", "port": "relps", "tls": means}, {"type": "relp", "port": "relp"},
                             {"type": "syslog", "transport": "tls", "port": "tls", "tls": means},
                             {"type": "syslog", "transport": "tcp", "port": "tcp"})):
        keys = {**one, "name": "collector", "classes": ["audit", "ids", "log"], "to": f"127.0.0.1:{rsyslog.ports[one['port']]}"}
        del keys["port"]
        code, errors = World(sinks=[keys]).outcome("lines=500,60", "exit=3")
        check_equal((code, errors), (3, ""), f"{one}")
        peers.wait_until(lambda count=i + 1: rsyslog.records.read_bytes().count(b'"ev":"chain.final"') == count, f"the end of {one}")
    time.sleep(0.3)  # an error is logged behind the last record
    rsyslog.stop()
    check_equal([line for line in rsyslog.said().splitlines() if re.search("error|warn|fail", line, re.I)], [], "complaints")


@case("rsyslogd is killed, and comes back, again and again: every line of the workload is there, in order")
def kills():
    rsyslog, chance = Rsyslog("peer-kills"), peers.at_random("peer-kills")
    world = world_of(rsyslog.ports["relps"])
    with world.start(f"lines=0,{WIDTH},10,4000", "exit=3", ready=False) as run:
        for _ in range(KILLS):
            before = arrived(rsyslog)
            until(lambda before=before: arrived(rsyslog) > before + 20000, lambda: f"more: {run.describe()}", 60)
            time.sleep(chance.uniform(0, 0.1))
            rsyslog.kill()
            rsyslog.start()
        produced, data = finish(world, run, rsyslog)
    check_equal(world.account(produced, data=data), [], "missing")
    check_repeats(data, KILLS)
    check(len(world.records("sink.down", data)) > 0, "no break was named")


@case("rsyslogd stands still for a while, again and again: every line is there, and nobody was told off for it")
def stops():
    rsyslog = Rsyslog("peer-stops")
    world = world_of(rsyslog.ports["relps"])
    with world.start(f"lines=0,{WIDTH},10,4000", "exit=3", ready=False) as run:
        until(lambda: arrived(rsyslog) > 0, lambda: f"words: {run.describe()}")
        for _ in range(3):
            rsyslog.signal(fence.STOP)
            time.sleep(0.7)
            rsyslog.signal(fence.CONT)
            time.sleep(0.2)
        produced, data = finish(world, run, rsyslog)
    check_equal(world.account(produced, data=data), [], "missing")
    check_repeats(data, 0)
    check_equal(world.records("sink.down", data), [], "breaks")


@case("connections that are reset in mid-frame, in either direction: every line is there [RELP, RELP over TLS]")
def cuts():
    for tls in (True, False):
        rsyslog, chance = Rsyslog(f"peer-cuts-{tls}"), peers.at_random(f"peer-cuts {tls}")
        proxy = Proxy(rsyslog.ports["relps" if tls else "relp"], cut=lambda chance=chance: int(2 ** chance.uniform(13, 18)))
        world = world_of(proxy.port, tls)
        with world.start(f"lines=0,{WIDTH},10,2000", "exit=3", ready=False) as run:
            until(lambda proxy=proxy: proxy.n_cuts >= CUTS, lambda: f"cuts: {run.describe()}", 20 * CUTS, 0.02)
            proxy.cut = None
            produced, data = finish(world, run, rsyslog)
        check_equal(world.account(produced, data=data), [], f"TLS {tls}: missing")
        check_repeats(data, proxy.n_cuts)
        proxy.close()


@case("a slow reader with a spool that is full of what it has not read yet: nothing is missing that is not counted")
def slow():
    rsyslog = Rsyslog("peer-slow")
    proxy = Proxy(rsyslog.ports["relp"], chunk=16384, pause=0.01)
    world = world_of(proxy.port, False, spool=SMALL)
    with world.start(f"lines=12000,{WIDTH},50", "term", "exit=3", ready=False) as run:
        time.sleep(3)
        proxy.pause = 0
        until(lambda: world.said() == 12000 * (WIDTH + 1), lambda: f"end of the words: {world.said()}", 40)
        produced, data = finish(world, run, rsyslog)
    check(world.account(produced, data=data), "it was not slow enough for anything to be counted")
    proxy.close()


@case("a partition that is longer than the spool: `drop` counts what found no room, `block` holds the workload")
def partition():
    for when in ("drop", "block"):
        rsyslog = Rsyslog(f"peer-partition-{when}")
        world = world_of(rsyslog.ports["relps"], spool=SMALL, logs={"when-full": when})
        with world.start(f"lines=25000,{WIDTH},20,{500}", "deny=7", "term", "exit=3", ready=False) as run:
            until(lambda rsyslog=rsyslog: arrived(rsyslog) > 100000, lambda: f"words: {run.describe()}")
            rsyslog.kill()
            if when == "drop":
                until(lambda: world.said() == 25000 * (WIDTH + 1), lambda: f"end of the words: {world.said()}", 60, 0.05)
            held = ship_world.at_rest(world.said, "what is said")
            check_equal(held < 25000 * (WIDTH + 1), when == "block", f"{when}: held after {held} bytes")
            check_equal(run.ended, None, "the end")
            rsyslog.start()
            until(lambda: world.said() == 25000 * (WIDTH + 1), lambda: f"end of the words: {world.said()}", 60, 0.05)
            produced, data = finish(world, run, rsyslog)
        missing = world.account(produced, data=data)
        check_equal(len(missing) > 500, when == "drop", f"{when}: {len(missing)} are missing")
        check_equal(sum(r["d"]["count"] for r in world.records("seccomp.deny", data)), 7, f"{when}: refused calls")
        check_repeats(data, 1)


@case("kill -9 of the whole container, again and again: what rsyslogd had not acknowledged comes with the next run")
def containers():
    rsyslog, chance = Rsyslog("peer-containers"), peers.at_random("peer-containers")
    world = World({"shutdown": UNLIMITED, **sealed(opens=True)}, [sink(rsyslog.ports["relps"])])
    kept = []
    for _ in range(CONTAINERS):
        with world.start(f"lines=0,{WIDTH},10,500", ready=False) as run:
            until(lambda: world.said() > 0, "words")
            time.sleep(chance.uniform(0, 0.5))
            run.kill(fence.KILL)
            check_equal(str(run.wait()), "signal 9", "the end")
        kept += world.spooled().splitlines()
    code, errors = world.outcome(f"lines=10,{WIDTH},10", "exit=3", timeout=60)
    check_equal((code, errors), (3, ""), "the last")
    rsyslog.stop()
    data = received(rsyslog)
    check(set(data.splitlines()).issuperset(kept), "something that was in the spool has not arrived")
    chains = {}
    for record in world.records(data=data):
        chains.setdefault(record["chain"], []).append(record)
    check_equal(len(chains), CONTAINERS + 1, "chains")
    for name, records in chains.items():
        lines = b"".join(text_of(r) + b"\n" for r in sorted(records, key=lambda r: r["seq"]) if r["ev"] == "log")
        check(numbered(len(lines) // (WIDTH + 1), WIDTH) == lines, f"{name}: lines are missing, or not in order")
    answer = trail_judge.both("all of them", data)
    check(all(c["integrity"] == "ok" and c["uniqueness"] == "single" for c in answer["chains"]), f"{answer}")


@case("a workload's hostile lines are records of ours alone, and its bytes, in rsyslog's file")
def hostile_lines():
    rsyslog, content = Rsyslog("peer-hostile"), hostile.text()
    world = world_of(rsyslog.ports["relps"])
    hostile.said(world, content, "65536,200")
    rsyslog.stop()
    data = received(rsyslog)
    hostile.check_form(world, data, "rsyslog")
    check(world.stream(data=data) == content, "the stream is not what was said")
    world.judge(trail_judge.FINE, data=data)


if __name__ == "__main__":
    laz.main()
