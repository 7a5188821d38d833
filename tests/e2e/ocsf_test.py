# SPDX-License-Identifier: Apache-2.0
"""Records as events of OCSF: every event that Lazaret writes, held against a checker that knows the schema alone, and
against the record that it was made of."""
import datetime
import json
import re

import area
import laz
import ocsf_checker
import ossec_rules
import readme
import sinks_peers as peers
import trail_judge
from cloudwatch_world import Standin
from laz import case, check, check_equal
from sinks_peers import Drive

PAGE = laz.ROOT / "docs" / "reference" / "ocsf.md"
ROW = re.compile(r"^\| `([a-z.]+)` \| (\d+) ([A-Z][^|]*) \| (\d+) ([A-Z][^|]*) \| ([^|]+) \|$", re.MULTILINE)
SEVERITIES = [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]


def rendered(name, records):
    """The lines that a file sink makes of the records."""
    path = area.folder(name) / "events"
    drive = Drive(type="file", format="ocsf", path=path)
    drive.end(records)
    check_equal(drive.of("rejected"), [], "what was rejected")
    return path.read_bytes().splitlines()


def documented():
    """ev -> (class, its name, activity, its name, title)."""
    return {ev: (int(number), name, int(activity), verb, title)
            for ev, number, name, activity, verb, title in ROW.findall(PAGE.read_text(encoding="utf-8"))}


def samples():
    """Every event with its record's text: those of OSSEC's table, and the examples of the reference."""
    found = [ossec_rules.line(event, header=False, **more).encode()
             for event, _, _, more in [*ossec_rules.SAMPLES, *ossec_rules.STRANGE]]
    for page in readme.pages():
        found += [line.encode() for block in readme.blocks(page) if block.kind in ("json record", "json find")
                  for line in block.text.splitlines()]
    return found


@case("every event that Lazaret writes is one of OCSF, of the class that the reference says, and says what the record says")
def every_event():
    table, records = documented(), samples()
    seen = set()
    for text, line in zip(records, rendered("every", records), strict=True):
        event, record = ocsf_checker.check(line), json.loads(text)
        ev = record["ev"]
        seen.add(ev)
        number, name, activity, verb, title = table.get(ev, (0, "Base Event", 99, "Other", None))
        check_equal((event["class_uid"], event["class_name"], event["activity_id"], event["activity_name"]),
                    (number, name, activity, verb), ev)
        check_equal(event["metadata"]["event_code"], ev, "ev")
        check_equal(event["metadata"]["sequence"], record["seq"], ev)
        check_equal(event["severity_id"], SEVERITIES[record["sev"]] if "sev" in record else 0, f"{ev}: severity")
        moment = datetime.datetime.strptime(record["ts"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
        check_equal(event["time"], int(moment.timestamp() * 1000000) // 1000, f"{ev}: time")
        if ev == "log":
            check_equal(event["message"], record["d"]["msg"], "a line")
            check_equal(event["unmapped"]["obj"], record["obj"], "its stream")
            check("raw_data" not in event, "the line is there twice")
        else:
            check_equal(event["raw_data"].encode(), text, f"{ev}: the record inside")
        check_equal("attestation_list" in event, "h" in record, f"{ev}: attestation")
    check_equal(sorted(set(table) - seen), [], "rows that nothing was tried of")


@case("severities, times at the edges of months and years, files by what was done to them, ports, techniques")
def members():
    times = ["1970-01-01T00:00:00.000000Z", "2000-02-29T23:59:59.999999Z", "2026-12-31T23:59:59.001000Z",
             "2027-03-01T00:00:00.000000Z", "2100-02-28T12:00:00.500000Z", "2400-02-29T00:00:01.000000Z"]
    sample = ossec_rules.line("init.start", header=False)
    stamped = [sample.replace("2026-11-21T23:59:01.123456Z", when).encode() for when in times[1:]]
    for when, line in zip(times[1:], rendered("times", stamped), strict=True):
        moment = datetime.datetime.strptime(when, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
        check_equal(ocsf_checker.check(line)["time"], int(moment.timestamp() * 1000000 + 0.5) // 1000, when)
    sums = {"before": {"kind": "file", "mode": "0644", "uid": 0, "gid": 0, "size": 1, "sha256": "a" * 64},
            "after": {"kind": "file", "mode": "0644", "uid": 0, "gid": 0, "size": 2, "sha256": "b" * 64}}
    acts = {"created": 1, "deleted": 4, "modified": 3, "replaced": 3, "owner": 7, "mode": 7, "touched": 6}
    texts = [ossec_rules.line("fim.change", sev=6, obj="/app/a b", act=act, header=False, members={"attack": ["T1554"], **sums})
             for act in acts]
    for act, line in zip(acts, rendered("files", [text.encode() for text in texts]), strict=True):
        event = ocsf_checker.check(line)
        check_equal(event["activity_id"], acts[act], act)
        check_equal(event["file"], {"name": "a b", "path": "/app/a b", "type_id": 1, "size": 2,
                                    "hashes": [{"algorithm_id": 3, "value": "b" * 64}]}, act)
    texts = [ossec_rules.line("net.listen", sev=6, obj="[::]:1/tcp", exe="/usr/bin/nc", header=False, members=more)
             for more in ({"port": 4444}, {"port": 65535}, {"port": 65536}, {"port": "1"}, {})]
    ports = [ocsf_checker.check(line)["src_endpoint"].get("port") for line in rendered("ports", [t.encode() for t in texts])]
    check_equal(ports, [4444, 65535, None, None, None], "ports")
    text = ossec_rules.line("exec.foreign", sev=6, obj="sh", header=False, members={"attack": ["T1609"]}).encode()
    event = ocsf_checker.check(rendered("attacks", [text])[0])
    check_equal(event["attacks"], [{"technique": {"uid": "T1609"}}], "techniques")
    check_equal((event["action_id"], event["disposition_id"]), (3, 15), "observed and detected")
    text = ossec_rules.line("seccomp.deny", sev=6, obj="socket", act="EPERM", header=False).encode()
    event = ocsf_checker.check(rendered("denied", [text])[0])
    check_equal((event["action_id"], event["disposition_id"]), (2, 2), "denied and blocked")


@case("whatever a workload can name itself or say stays inside a string")
def hostile():
    evil = '","class_uid":1,"x":"\u001b[2J\u2028\\{"lz":1,'
    texts = [ossec_rules.line(event, obj=evil, exe=evil, act="x", header=False, members={"msg": evil, "part": 1})
             for event in ("log", "seccomp.deny", "fim.change", "net.listen", "proc.exit", "init.start", "other.event")]
    for line in rendered("hostile", [text.encode() for text in texts]):
        ocsf_checker.check(line)
        check(b'{"lz":1,' not in line and not re.search(rb"[\x00-\x1f\x7f]", line), f"{line[:200]!r}")


@case("a trail as events: each is attested with its record's hash, and the trail without its lines comes out of them again")
def trail():
    made = trail_judge.make(trail_judge.CLOSED)
    lines = rendered("trail", made.splitlines())
    events = [ocsf_checker.check(line) for line in lines]
    records = [json.loads(line) for line in made.splitlines()]
    chained = [(event, record) for event, record in zip(events, records, strict=True) if "h" in record]
    before = None
    for event, record in chained:
        attested, = event["attestation_list"]
        check_equal((attested["chain_uid"], attested["fingerprint"]["value"]), (record["chain"], record["h"]), "attestation")
        check_equal(attested.get("prev_event", {}).get("uid"), before, "the one before")
        before = event["metadata"]["uid"]
        check_equal(before, record["h"][:16], "the name of an event")
    out = "".join(event["raw_data"] + "\n" for event, _ in chained).encode()
    code, answer = trail_judge.product(out, no_logs=True)
    check_equal((code, [trail_judge.said(chain) for chain in answer["chains"]]), (0, ["ok closed single"]), "what comes out of it")
    path = area.folder("verify") / "events"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    result = area.run([area.program("lazaret"), "verify", path])
    check_equal(result.code, 1, "the exit code of verify")
    check_equal(result.out, f"events of OCSF, a rendering of records and not the trail: {len(lines)}\n"
                "there is no record of any chain: these are events of OCSF, which Lazaret made of records; the trail is where "
                "a sink of format \"native\" writes\n", "what verify says")
    result = area.run([area.program("lazaret"), "verify", "--json", path])
    check_equal(json.loads(result.out)["lines"]["rendered"], len(lines), "what verify says as JSON")


@case("the same on the container's output, and as events of CloudWatch Logs with the record's time; what is no record is rejected")
def elsewhere():
    records = [ossec_rules.line("exec.budget", sev=7, header=False).encode(), peers.record(1)]
    wanted = rendered("file", records)
    path = area.folder("stdout") / "out"
    with open(path, "wb") as out:
        drive = Drive(type="stdout", format="ocsf", fd=1, stdout=out)
        drive.end([records[0], b"no record", records[1]])
    check_equal(path.read_bytes().splitlines(), wanted, "on standard output")
    check_equal(drive.of("rejected"), ["2 it is not a record in one line"], "what was rejected")
    standin = Standin()
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000000Z").encode()
    fresh = [line.replace(b"2026-11-21T23:59:01.123456Z", now) for line in records]
    drive = standin.drive(format="ocsf")
    drive.end([fresh[0], b"no record", fresh[1]])
    check_equal(drive.of("rejected"), ["2 it is not a record in one line"], "what was rejected")
    events = standin.events()
    check_equal([ocsf_checker.check(event["message"])["time"] for event in events], [event["timestamp"] for event in events],
                "times")
    check_equal(len(events), 2, "events")
    standin.check_rules()


if __name__ == "__main__":
    laz.main()
