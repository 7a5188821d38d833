# SPDX-License-Identifier: Apache-2.0
"""What goes to OSSEC: the line that stock OSSEC decodes through a real rsyslogd, the decoder and the rules of
examples/ossec against every event that Lazaret writes, and the agent against a stand-in for the manager. ossec_real.py asks a real OSSEC the same, by hand."""
import json
import os
import re
import signal
import time
import xml.etree.ElementTree as ET

import area
import fence
import hostile
import laz
import ossec_rules
import ossec_standin
import readme
import sinks_peers as peers
import trail_judge
from laz import case, check, check_equal
from ossec_standin import Authd, Manager
from ship_world import World
from sinks_peers import Drive, record

REFERENCE = laz.ROOT / "docs" / "reference" / "ossec.md"
EVENTS = laz.ROOT / "docs" / "reference" / "events.md"
HOW_TO = laz.ROOT / "docs" / "how-to" / "ossec.md"
HEAD = b"2026-11-21T23:59:01.123456+00:00 host.example lazaret[1]: "
LONGEST = 5600


def said_by(page, pattern):
    return re.findall(pattern, page.read_text(encoding="utf-8"), re.MULTILINE)


# ---- decoder and rules ----


@case("every event that Lazaret writes has a rule of its own, and the reference names it with its level")
def every_event():
    table = [(event, int(level), int(rule)) for event, level, rule in
             said_by(REFERENCE, r"^\| `([a-z.]+)` \|[^|]*\| (\d+) \| (\d+) \|$")]
    samples = [(event, level, rule) for event, level, rule, _ in ossec_rules.SAMPLES]
    counted = ("seccomp.deny", 14, 100813)  # over time: only ossec_real.py can tell
    check_equal(sorted(table), sorted([*samples, counted]), "the table and what is tried")
    written = set(said_by(EVENTS, r"^## ([a-z]+\.[a-z]+)$")) | set(said_by(EVENTS, r"^\| `([a-z]+\.[a-z]+)` \| `"))
    for source in sorted((laz.ROOT / "init").rglob("*.c")):
        written |= set(re.findall(r'"((?:init|seccomp|exec|stop|signal|proc|events|helper|secret|sink|spool|log)\.[a-z]+)"',
                                  source.read_text(encoding="utf-8")))
    written -= {"spool.max", "spool.dir"}
    check(len(written) > 15, f"only {written} are written")
    check_equal(sorted(written - {event for event, _, _ in table}), [], "events without a row")
    sensed = re.findall(r'^LAZ_SENSE_EVENT\(\w+, +"([a-z.]+)", +\d+, +(\d+),',
                        (laz.ROOT / "lib" / "sense" / "events.def").read_text(encoding="utf-8"), re.MULTILINE)
    check(len(sensed) > 5, f"only {sensed} are sensed")
    check_equal({(event, int(level)) for event, level in sensed} - {(event, level) for event, level, _ in table}, set(),
                "levels of the sensors")
    rules = ossec_rules.rules()
    numbers = [rules.number(rule) for rule in rules.all]
    check_equal(len(numbers), len(set(numbers)), "rules with a number of their own")
    check(all(100800 <= number <= 100899 for number in numbers), "numbers of another range")
    ends = {rule for _, _, rule in table} | {rule for _, _, rule, _ in ossec_rules.STRANGE} | {100800, 100801}
    check_equal(sorted(set(numbers) - ends), [], "rules that nothing reaches")


@case("each sample ends at the rule and the level that the reference says, with a header and without one")
def levels():
    decoders, rules = ossec_rules.decoders(), ossec_rules.rules()
    for event, level, rule, more in [*ossec_rules.SAMPLES, *ossec_rules.STRANGE]:
        for header in (True, False):
            found = decoders.decode(ossec_rules.line(event, header=header, **more))
            check(found, f"{event}: nothing decodes it")
            name, fields, body = found
            check_equal(name, "lazaret" if header else "lazaret-bare", f"the decoder of {event}")
            check_equal(fields.get("id"), None if event == "log" else event, "its id")  # a line has fewer members
            check_equal(rules.judge(name, fields, body), (rule, level), f"{event} {more}")


@case("what a workload can put into names does not shift a field, and another program's line is not ours")
def shifted():
    decoders = ossec_rules.decoders()
    evil = '","obj":"x","act":"y'
    _, fields, _ = decoders.decode(ossec_rules.line("exec.budget", exe=evil, obj=evil + "\\", act="EPERM"))
    check_equal((fields["id"], fields["action"]), ("exec.budget", "EPERM"), "fields")
    check_equal(json.loads(f'"{fields["lz.exe"]}"'), evil, "exe")
    check_equal(json.loads(f'"{fields["extra_data"]}"'), evil + "\\", "obj")
    check_equal(decoders.decode(ossec_rules.line("log").replace(" lazaret[1]", " lazarett[1]")), None, "another program")


@case("the example's files are XML, and what the how-to adds to ossec.conf names them")
def example_files():
    text = HOW_TO.read_text(encoding="utf-8")
    for name in ("lazaret_decoder.xml", "lazaret_rules.xml", "rsyslog.conf"):
        check(f"examples/ossec/{name}" in text, f"{name} is not named in {HOW_TO.name}")
    shown = re.search(r"echo '(.*)' \| .*/ossec-logtest", (ossec_rules.FOLDER / "README.md").read_text(encoding="utf-8"))
    check_equal(ossec_rules.rules().judge(*ossec_rules.decoders().decode(shown.group(1))), (100811, 13), "the line of the README")
    for block in readme.blocks(HOW_TO):
        if block.kind == "xml":
            ET.fromstring(f"<all>{block.text}</all>")


# ---- the line ----


def line_of(text):
    return HEAD + text


@case("through the receiver of the example to its file: the line that OSSEC decodes, nothing around it, long ones without members; and the trail beside it, uncut")
def relay():
    folder, pki = area.folder("relay"), peers.pki()
    port, whole = peers.free_ports(2)
    text = (laz.ROOT / "examples" / "ossec" / "rsyslog.conf").read_text(encoding="utf-8")
    for old, new in (("/etc/rsyslog.d/tls/ca.pem", pki / "ca.pem"), ("/etc/rsyslog.d/tls/collector.pem", pki / "server.pem"),
                     ("/etc/rsyslog.d/tls/collector.key", pki / "server.key"), ("/var/log/lazaret", folder),
                     ("claims-api.internal", "client.test"), ('"2515"', f'"{port}"'), ('"2514"', f'"{whole}"')):
        check(old in text, f"no {old} in the configuration")
        text = text.replace(old, str(new))
    (folder / "conf").write_text(f'global(workDirectory="{folder}")\n{text}')
    rsyslog = peers.start_rsyslogd(folder, [port, whole])
    drive = Drive(type="relp", format="ossec", host="127.0.0.1", port=port, **peers.client())
    room = LONGEST - len(HEAD) - len(record(0, ""))
    lines = [record(0), record(1, "x" * room), record(2, "x" * (room + 1)), record(3, "x" * 100000), record(4, "%%n\\\\ \\u001b <13>")]
    drive.end(lines)
    check_equal(drive.of("settled"), ["5"], "what was settled")
    check_equal(drive.of("rejected"), [], "what was rejected")
    evidence = [record(0), record(1, "x" * ((1 << 20) - 2000)), record(2)]
    Drive(type="relp", host="127.0.0.1", port=whole, **peers.client()).end(evidence)
    rsyslog.terminate()
    rsyslog.wait(20)
    check((folder / "trail.jsonl").read_bytes() == b"".join(line + b"\n" for line in evidence), "the trail beside it")
    complaints = [line for line in (folder / "said").read_text(errors="replace").splitlines() if re.search("more than once|already|smaller", line)]
    check_equal(complaints, [], "what rsyslogd says of the file")
    got = (folder / "ossec.log").read_bytes().split(b"\n")
    check_equal(got.pop(), b"", "the end of the file")
    check_equal(len(got), 5, "lines")
    for number in (0, 1, 4):
        check_equal(got[number], line_of(lines[number]), f"line {number}")
    for number in (2, 3):
        front, members = lines[number].split(b'"d":', 1)
        check_equal(got[number], line_of(front) + b'"d":{"cut":%d}}' % (len(members) - 1), f"line {number}")
    for one in got:
        check(len(one) <= LONGEST, f"{len(one)} bytes")
        name, fields, _ = ossec_rules.decoders().decode(one.decode())
        check_equal((name, fields["id"]), ("lazaret", "log"), "what OSSEC makes of it")


@case("a workload's hostile lines: OSSEC decodes each line of the file as ours, of the event that it is, and no line more")
def hostile_lines():
    world, content = World(), hostile.text()
    lines = world.kept / "ossec.log"
    world.sinks = [world.file_sink(), {**world.file_sink(), "name": "ids", "path": str(lines), "format": "ossec"}]
    hostile.said(world, content, "65536,200")
    records, decoders = world.bytes().splitlines(), ossec_rules.decoders()
    check(world.stream() == content, "the stream is not what was said")
    got = lines.read_bytes().split(b"\n")
    check_equal((got.pop(), len(got)), (b"", len(records)), "the end of the file, and lines")
    for line, text in zip(got, records):
        check(len(line) <= LONGEST + 100, f"{len(line)} bytes")
        check(not hostile.STEERING.search(line.decode()), f"it steers whoever looks at it: {line[:300]!r}")
        name, fields, _ = decoders.decode(line.decode())
        event = json.loads(text)["ev"]
        # A line of the workload has fewer members than the decoder takes fields from.
        check_equal((name, fields.get("id", "log")), ("lazaret", event), f"what OSSEC makes of {line[:300]!r}")


@case("a file of this format: whole lines, half a line of a killed predecessor is cut, somebody else's is ended")
def files():
    folder = area.folder("files")
    for before, kept in ((b"", b""), (line_of(record(0)) + b"\n2026-11-21T23", line_of(record(0)) + b"\n"),
                         (b"Nov 21 23:59:01 half a", b"Nov 21 23:59:01 half a\n")):
        path = folder / "ossec.log"
        path.write_bytes(before)
        drive = Drive(type="file", format="ossec", path=path)
        drive.end([record(1), b"not a record", record(2)])
        check_equal(drive.of("rejected"), ["2 it is not a record in one line"], "what was rejected")
        check_equal(drive.of("settled"), ["3"], "what was settled")
        check_equal(path.read_bytes(), kept + b"".join(line_of(record(n)) + b"\n" for n in (1, 2)), f"after {before!r}")


@case("over UDP it is the same line behind its priority")
def datagrams():
    rsyslog = peers.Rsyslog("datagrams", parts=True)
    Drive(type="syslog", transport="udp", format="ossec", host="127.0.0.1", port=rsyslog.ports["udp"]).end([record(1)])
    peers.wait_until(rsyslog.lines, "a line", rsyslog.said_last)
    rsyslog.stop()
    parts = json.loads((rsyslog.folder / "parts").read_text(encoding="utf-8"))
    check_equal((parts["pri"], parts["host"], parts["app"], parts["msgid"]), ("110", "host.example", "lazaret", "-"),
                "what rsyslog makes of the header")
    check_equal(parts["time"], "2026-11-21T23:59:01.123456+00:00", "its time")
    check_equal(rsyslog.lines(), [record(1)], "the record")



# ---- the agent ----

KEY = "5a" * 32


def manager_and_key(name, **more):
    """A stand-in that knows agent 001, and the file that a policy names."""
    manager = Manager({"001": KEY}, **more)
    path = area.folder(name) / "client.keys"
    path.write_text("# agents\n" + manager.line("001"), encoding="utf-8")
    return manager, path


def agent(manager, path, **more):
    return Drive(type="ossec", host="127.0.0.1", port=manager.port, path=path, **more)


def lines_of(messages):
    """The records behind the header of what came in queue 1."""
    for message in messages:
        check(message.startswith(b"1:lazaret:" + HEAD), f"{message[:100]!r}")
    return [message.removeprefix(b"1:lazaret:" + HEAD) for message in messages]


@case("an agent: known by its key, sums and counters as the manager wants them, every record once and in order, 2000 a second")
def records():
    manager, path = manager_and_key("records")
    started = time.monotonic()
    drive = agent(manager, path)
    drive.end([*map(record, range(3000)), b"no record", record(3000), record(3001, "x" * 20000)])
    took = time.monotonic() - started
    check_equal(drive.of("settled"), ["3003"], "what was settled")
    check_equal(drive.of("rejected"), ["3001 it is not a record that OSSEC has room for"], "what was rejected")
    peers.wait_until(lambda: len(manager.messages) >= 3002, "all of them", lambda: f"{len(manager.messages)} {manager.refused}")
    check_equal(manager.refused, [], "what the manager refused")
    got = lines_of(manager.messages)
    check(got[:-1] == [record(n) for n in range(3001)], "records that arrived")
    check(got[-1].startswith(record(3001)[:150]) and got[-1].endswith(b'"d":{"cut":20010}}'), f"{got[-1][-100:]!r}")
    check(took > 1.4, f"3000 datagrams within {took:.2f} s")
    check_equal(manager.controls[0], b"agent startup ", "the first word")
    check(manager.controls[1].startswith(b"Linux host.example - Lazaret\n"), f"{manager.controls[1]!r}")


@case("what the manager shares is not taken but named, so that it is not sent again; its orders are not heard")
def pushed():
    manager, path = manager_and_key("pushed", push=b"<agent_config/>" * 1000)
    folder = path.parent
    manager.after_ack = [b"#!-execd {}; touch " + str(folder / "done").encode(), b"#!-syscheck restart", b"garbage"]
    drive = agent(manager, path, answer=200)
    drive.feed([record(0)])
    peers.wait_until(lambda: len(manager.controls) > 4, "keepalives", lambda: f"{manager.controls}")
    drive.end([record(1)])
    check_equal(manager.pushed, 1, "how often it was sent")
    check_equal(drive.of("down"), [], "complaints")
    check_equal(sorted(p.name for p in folder.iterdir()), ["client.keys"], "files")
    check_equal(len(manager.messages), 2, "records")


@case("a manager that is silent, or forgets, or is thrown datagrams at: named, tried again, with counters that go on")
def silent():
    manager, path = manager_and_key("silent")
    manager.answer = False
    drive = agent(manager, path, connect=3000, answer=300, seconds=120)
    drive.feed([record(0)])
    peers.wait_until(lambda: drive.of("down"), "a complaint", lambda: f"{drive.said}")
    check_equal(drive.of("down"), [f"127.0.0.1 port {manager.port}: no answer from the manager to agent 001: does it know the key, "
                                   "does nobody else use it, was the clock set back"], "what is said")
    check_equal(manager.messages, [], "what is sent to nobody")
    manager.answer = True
    peers.wait_until(lambda: manager.messages, "the record", lambda: f"{drive.said}")
    for size in (0, 1, 5, 21, 22, 37, 100, 1400, 6400, 6500):
        manager.socket.sendto(peers.at_random(f"garbage {size}").randbytes(size), manager.peer)
    manager.socket.sendto(ossec_standin.seal(manager.key("001"), b"#!-agent ack ", (1, 1)), manager.peer)
    drive.feed([record(1)])
    peers.wait_until(lambda: len(manager.messages) >= 2, "the next", lambda: f"{drive.said}")
    manager.answer = False
    peers.wait_until(lambda: len(drive.of("down")) >= 2, "a complaint about keepalives", lambda: f"{drive.said}")
    check("not OSSEC" in drive.of("down")[1], f"{drive.of('down')}")
    manager.answer = True
    drive.end([record(2)])
    peers.wait_until(lambda: len(manager.messages) >= 3, "the last")
    check_equal(manager.refused, [], "what the manager refused")


@case("started again and again with one key: no counter is repeated, also within a second")
def again():
    manager, path = manager_and_key("again")
    for number in range(30):
        agent(manager, path, retry_max=200).end([record(number)])
    peers.wait_until(lambda: len(manager.messages) == 30, "all", lambda: f"{manager.refused}")
    check_equal(lines_of(manager.messages), [record(n) for n in range(30)], "records")
    check_equal(manager.refused, [], "what the manager refused")


@case("the wrong key, an agent that the manager does not know, counters from the future: nothing is taken, and it is named")
def unknown():
    for name, spoil in (("key", lambda m: m.agents.update({"001": "another"})), ("id", lambda m: m.agents.pop("001")),
                        ("future", lambda m: m.counters.update({"001": (int(time.time()) + 3600, 0)}))):
        manager, path = manager_and_key(f"unknown-{name}")
        spoil(manager)
        drive = agent(manager, path, connect=1000, seconds=5)
        drive.end([record(0)], code=3)
        check_equal(len(set(drive.of("down"))), 1, f"{name}: complaints")
        check("no answer from the manager to agent 001" in drive.of("down")[0], f"{name}: {drive.said}")
        check(manager.refused and not manager.messages, f"{name}: {manager.refused} {manager.messages}")


@case("what stock rules know goes in their queues: a changed file as it was and, later, as it is; ports; strangers")
def stock():
    manager, path = manager_and_key("stock")
    sums = {side: {"kind": "file", "mode": "0644", "uid": 0, "gid": 0, "size": 12, "sha256": digit * 64}
            for side, digit in (("before", "a"), ("after", "b"))}
    drive = agent(manager, path)
    drive.feed(ossec_rules.line(event, sev=6, obj=obj, header=False, members=members).encode() for event, obj, members in (
        ("fim.change", "/app/config", sums), ("net.listen", "tcp 4444", {}), ("exec.foreign", "sh", {}),
        ("fim.change", "/gone", {"before": sums["before"]})))
    peers.wait_until(lambda: len(manager.messages) >= 4, "what goes at once")
    check(drive.arrived() == 0 or len(manager.messages) > 4, "it has arrived before all of the first change was sent")
    peers.wait_until(lambda: len(manager.messages) == 6, "what goes later")
    check(manager.times[4] - manager.times[3] > 0.3, "the change came with what was before it")
    peers.wait_until(lambda: drive.arrived() == 4, "arrival of all", lambda: f"{drive.said}")
    drive.end()
    was, port, stranger, was_gone, now, gone = manager.messages
    check_equal(was, b"8:syscheck:12:33188:0:0:xxx:xxx:" + b"a" * 64 + b" /app/config", "as it was")
    check_equal(now, b"8:syscheck:12:33188:0:0:xxx:xxx:" + b"b" * 64 + b" /app/config", "as it is")
    check_equal((was_gone[-6:], gone), (b" /gone", b"8:syscheck:-1 /gone"), "a file that has gone")
    for message, words in ((port, (b"net.listen", b"tcp 4444")), (stranger, (b"exec.foreign", b'"sh"'))):
        check(message.startswith(b"9:rootcheck:Lazaret: ") and all(word in message for word in words), f"{message!r}")
    check_equal(manager.refused, [], "what the manager refused")


@case("a change at the end: both halves are sent before it counts as arrived, without the wait")
def last_change():
    waits = []
    while not waits or min(waits) >= 1.2 and len(waits) < 10:  # on a busy machine not each is quick; with the wait none is
        manager, path = manager_and_key(f"last-change-{len(waits)}")
        side = {"kind": "file", "mode": "0644", "uid": 0, "gid": 0, "size": 12, "sha256": "a" * 64}
        drive = agent(manager, path)
        drive.feed([ossec_rules.line("fim.change", sev=6, obj="/app/x", header=False, members={"before": side}).encode()])
        peers.wait_until(lambda: manager.messages, "the first half")
        began = time.monotonic()
        drive.end()
        waits.append(time.monotonic() - began)
        check_equal(manager.messages[-1], b"8:syscheck:-1 /app/x", "the second half")
    check(min(waits) < 1.2, f"the end waited for the second half: {waits}")


@case("the reference's own examples of finds go to those queues too")
def examples():
    manager, path = manager_and_key("examples")
    page = laz.ROOT / "docs" / "reference" / "sense.md"
    found = [line.encode() for block in readme.blocks(page) if block.kind == "json find" for line in block.text.splitlines()]
    drive = agent(manager, path)
    drive.end(found)
    kinds = {"fim.change": b"8:syscheck:", "net.listen": b"9:rootcheck:", "exec.foreign": b"9:rootcheck:"}
    changed = sum(b'"ev":"fim.change"' in line for line in found)
    check(changed, "no example of a changed file")
    peers.wait_until(lambda: len(manager.messages) == len(found) + changed, "all", lambda: f"{manager.messages}")
    for line, message in zip(found, manager.messages):
        kind = kinds.get(json.loads(line)["ev"], b"1:lazaret:")
        check(message.startswith(kind), f"{message!r} is not {kind}")


# ---- enrolment ----


def enrolment(name, password=None, answer=None, certificate="server"):
    manager, pki = Manager(), peers.pki()
    authd = Authd(manager, pki / f"{certificate}.pem", pki / f"{certificate}.key", password, answer)
    folder = area.folder(name)
    (folder / "password").write_text("open-sesame\n", encoding="utf-8")
    return manager, authd, folder


def enrolling(manager, authd, *prefix, **more):
    keys = {"type": "ossec", "host": "127.0.0.1", "port": manager.port, "enrol_host": "127.0.0.1", "enrol_port": authd.port,
            "ca": peers.pki() / "ca.pem", "peer": "server.test", "name": "task-9", **more}
    return Drive(*prefix, **keys)


@case("enrolled over TLS with a password; the key is kept, and the next start is the same agent")
def enrolled():
    manager, authd, folder = enrolment("enrolled", password="open-sesame")
    spool = area.folder("spool")
    inside = ["sh", "-c", 'folder=$1; shift; exec "$@" 9<"$folder"', "sh", spool]
    for number in range(2):
        enrolling(manager, authd, *inside, enrol_password=folder / "password", folder=9).end([record(number)])
    peers.wait_until(lambda: len(manager.messages) == 2, "both", lambda: f"{manager.refused}")
    check_equal(authd.requests, [b"OSSEC PASS: open-sesame OSSEC A:'task-9'\n"], "what authd was asked")
    kept = spool / "ossec-driven.key"
    check_equal(kept.read_text(encoding="utf-8"), f"1024 task-9 any {manager.agents['1024']}", "what is kept")
    check_equal(kept.stat().st_mode & 0o777, 0o600, "its mode")
    kept.write_text("no key", encoding="utf-8")
    enrolling(manager, authd, *inside, enrol_name="other", enrol_password=folder / "password", folder=9).end([record(2)])
    check_equal(len(authd.requests), 2, "after it was spoilt")


@case("enrolment that fails is named: password, name, another's certificate, answers that are none, nobody there")
def refusals():
    for name, more, keys, why in (
            ("password", {"password": "other"}, {}, "authd refuses: Invalid password. Unable to add agent."),
            ("answer", {"answer": b"HTTP/1.1 400 Bad Request\r\n\r\n"}, {}, "not authd's answer: 25 bytes"),
            ("half", {"answer": b"OSSEC K:'1024"}, {}, "the peer closed the connection"),
            ("key", {"answer": b"OSSEC K:'x'\n"}, {}, "no agent's key: it is not"),
            ("foreign", {"certificate": "foreign"}, {}, "the peer's certificate: unable to get local issuer certificate"),
            ("peer", {}, {"peer": "else.test"}, "the peer's certificate: hostname mismatch"),
            ("nobody", {}, {"enrol_port": peers.free_ports(1)[0]}, "Connection refused")):
        manager, authd, _ = enrolment(f"refused-{name}", **more)
        manager.names[b"taken"] = "1"
        drive = enrolling(manager, authd, seconds=3, **keys)
        drive.end([record(0)], code=3)
        check(drive.of("down") and why in drive.of("down")[0], f"{name}: {drive.said}")
        check_equal(manager.messages, [], f"{name}: what was sent")
    manager, authd, _ = enrolment("refused-taken")
    manager.names[b"task-9"] = "1"
    drive = enrolling(manager, authd, seconds=3)
    drive.end([record(0)], code=3)
    check("authd refuses: Invalid agent name: task-9." in drive.of("down")[0], f"{drive.said}")


@case("what cannot work is refused when it is opened, by name")
def unopened():
    folder, pki = area.folder("unopened"), peers.pki()
    for name, text in (("empty", ""), ("comment", "# nothing\n"), ("id", "x task any key\n"), ("good", f"001 task any {KEY}\n"),
                       ("blanks", "two words\n")):
        (folder / name).write_text(text, encoding="utf-8")
    enrol = {"enrol_host": "127.0.0.1", "enrol_port": 1, "ca": pki / "ca.pem", "peer": "x"}
    for keys, why in (
            ({"path": folder / "gone"}, f"sink driven: {folder}/gone: No such file or directory"),
            ({"path": folder / "empty"}, f"sink driven: {folder}/empty: no agent's key: it is not \"ID NAME ADDRESS KEY\""),
            ({"path": folder / "comment"}, f"sink driven: {folder}/comment: no agent's key: it is not \"ID NAME ADDRESS KEY\""),
            ({"path": folder / "id"}, f"sink driven: {folder}/id: no agent's key: its id is not a number"),
            ({**enrol, "name": "two words"}, "sink driven: the host's name is none for an OSSEC agent: give one as \"enrol.name\""),
            ({**enrol, "enrol_password": folder / "blanks"},
             f"sink driven: {folder}/blanks: a password is one line of printable ASCII without blanks"),
            ({**enrol, "ca": folder / "empty"}, f"sink driven: {folder}/empty: no certificate in it: ")):
        drive = Drive(type="ossec", host="127.0.0.1", port=1, **keys)
        drive.end(code=1)
        check_equal(len(drive.of("unopened")), 1, f"{drive.said}")
        check(drive.of("unopened")[0].startswith("sink-failed: " + why), f"{drive.said}")
    (folder / "openssl.cnf").write_text("openssl_conf = all\n[all]\nalg_section = algorithms\n[algorithms]\n"
                                        "default_properties = fips=yes\n", encoding="utf-8")
    drive = Drive("env", f"OPENSSL_CONF={folder}/openssl.cnf", type="ossec", host="127.0.0.1", port=1, path=folder / "good")
    drive.end(code=1)
    check_equal(drive.of("unopened"), ["sink-failed: sink driven: OSSEC's agent protocol needs MD5, which this OpenSSL does not "
                                       "have (FIPS)"], "with an OpenSSL that has approved algorithms alone")


# ---- in a container ----


@case("in a container: ship, narrowed, enrols and is an agent; killed, it is the same agent again; the trail says nothing of keys")
def container():
    area.require_root()
    manager, authd, folder = enrolment("container", password="open-sesame")
    world = World()
    world.sinks.append({"name": "ids", "type": "ossec", "to": f"127.0.0.1:{manager.port}", "classes": ["audit", "ids"],
                        "enrol": {"to": f"127.0.0.1:{authd.port}", "password": str(folder / "password"), "name": "task-1"},
                        "tls": {"ca": str(peers.pki() / "ca.pem"), "peer": "server.test"}})
    (folder / "password").chmod(0o400)
    with world.start("say=up", "term", "exit=3") as run:
        ship = world.ready()
        peers.wait_until(lambda: any(b'"ev":"init.start"' in m for m in manager.messages), "the start",
                         lambda: f"{manager.refused} {world.records()}")
        before = len(manager.controls)
        os.kill(ship, signal.SIGKILL)
        world.ship(other_than=ship)
        peers.wait_until(lambda: len(manager.controls) > before, "the agent again", lambda: f"{world.records('sink.down')}")
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
    check_equal(len(authd.requests), 1, "enrolments")
    check_equal(manager.refused, [], "what the manager refused")
    sent = b"".join(manager.messages)
    check(all(f'"ev":"{ev}"'.encode() in sent for ev in ("chain.genesis", "init.start", "proc.exit", "init.stop", "chain.final")),
          f"{sent[-2000:]!r}")
    world.judge(trail_judge.FINE)
    key = manager.agents["1024"].encode()
    check((world.spool / "ossec-ids.key").read_bytes().endswith(key), "the key that is kept")
    for where, data in (("the trail", world.bytes()), ("stderr", run.stderr().encode())):
        check(key not in data and b"open-sesame" not in data, f"a secret in {where}")



if __name__ == "__main__":
    laz.main()
