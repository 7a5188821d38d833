# SPDX-License-Identifier: Apache-2.0
"""What goes to OSSEC: the line that stock OSSEC decodes through a real rsyslogd, and the decoder and the rules of
examples/ossec against every event that Lazaret writes. ossec_real.py asks a real OSSEC the same, by hand."""
import json
import re
import xml.etree.ElementTree as ET

import area
import laz
import ossec_rules
import readme
import sinks_peers as peers
from laz import case, check, check_equal
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
    for source in sorted((laz.ROOT / "init").glob("*.c")):
        written |= set(re.findall(r'"((?:init|seccomp|exec|stop|signal|proc|events|helper|sink|spool|log)\.[a-z]+)"',
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
    for block in readme.blocks(HOW_TO):
        if block.kind == "xml":
            ET.fromstring(f"<all>{block.text}</all>")


# ---- the line ----


def line_of(text):
    return HEAD + text


@case("through the receiver of the example to its file: the line that OSSEC decodes, nothing around it, long ones without members")
def relay():
    folder, pki = area.folder("relay"), peers.pki()
    port, = peers.free_ports(1)
    text = (laz.ROOT / "examples" / "ossec" / "rsyslog.conf").read_text(encoding="utf-8")
    for old, new in (("/etc/rsyslog.d/tls/ca.pem", pki / "ca.pem"), ("/etc/rsyslog.d/tls/collector.pem", pki / "server.pem"),
                     ("/etc/rsyslog.d/tls/collector.key", pki / "server.key"), ("/var/log/lazaret", folder),
                     ("claims-api.internal", "client.test"), ('"2515"', f'"{port}"')):
        check(old in text, f"no {old} in the configuration")
        text = text.replace(old, str(new))
    (folder / "conf").write_text(f'global(workDirectory="{folder}")\n{text}')
    rsyslog = peers.start_rsyslogd(folder, [port])
    drive = Drive(type="relp", format="ossec", host="127.0.0.1", port=port, **peers.client())
    room = LONGEST - len(HEAD) - len(record(0, ""))
    lines = [record(0), record(1, "x" * room), record(2, "x" * (room + 1)), record(3, "x" * 100000), record(4, "%%n\\\\ \\u001b <13>")]
    drive.end(lines)
    check_equal(drive.of("settled"), ["5"], "what was settled")
    check_equal(drive.of("rejected"), [], "what was rejected")
    rsyslog.terminate()
    rsyslog.wait(20)
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


if __name__ == "__main__":
    laz.main()
