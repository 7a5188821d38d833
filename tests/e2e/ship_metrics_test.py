# SPDX-License-Identifier: Apache-2.0
"""What ship says of itself in CloudWatch's Embedded Metric Format: lines as the specification has them, and numbers
that are those of the trail, of the workload and of the sinks.
"""
import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import time

import fence
import laz
from cloudwatch_world import GROUP, REGION, Standin
from ecs_world import TASK_ID, Agent
from laz import case, check, check_equal
from ship_world import NOWHERE, Output, World, numbered, until

UNITS = {"Count", "Bytes", "Seconds"}
PAGE = laz.ROOT / "docs" / "reference" / "sinks.md"


def meter(**changes):
    return {"name": "metrics", "type": "emf", "interval": "1s", **changes}


def lines_of(data):
    return [json.loads(line) for line in data.splitlines() if line.startswith(b'{"_aws"')]


def check_line(line):
    """One line, held against the specification."""
    directive = line["_aws"]
    check(abs(directive["Timestamp"] / 1000 - time.time()) < 300, f"the time: {directive['Timestamp']}")
    check_equal(set(directive), {"Timestamp", "CloudWatchMetrics"}, "members of _aws")
    for part in directive["CloudWatchMetrics"]:
        check_equal(set(part), {"Namespace", "Dimensions", "Metrics"}, "members of a directive")
        check(1 <= len(part["Namespace"]) <= 255 and len(part["Metrics"]) <= 100, "ceilings")
        for dimensions in part["Dimensions"]:
            check(len(dimensions) <= 30, "dimensions")
            for name in dimensions:
                check(isinstance(line[name], str) and 1 <= len(line[name]) <= 1024, f"dimension {name}")
        for metric in part["Metrics"]:
            check(metric["Unit"] in UNITS and isinstance(line[metric["Name"]], int), f"metric {metric}")
    return part


def sums(lines, name):
    return sum(line.get(name, 0) for line in lines)


def run(world, *words, env=None, timeout=30):
    """(exit code, lines of metrics) of a run whose output is a pipe."""
    output = Output()
    output.read()
    with world.start(*words, ready=False, stdout=output.write_end, env=env) as started:
        code = started.wait(timeout).code
    return code, lines_of(output.all())


@case("metrics on the container's output: every line as specified, the numbers those of trail, workload and sinks")
def numbers():
    world = World(sinks=[World().file_sink(), meter()], changes={"logs": {"redact": {"patterns": ["ssn"]}}})
    world.sinks[0]["path"] = str(world.trail)
    code, lines = run(world, "say=ssn 123-45-6789 and 123-45-6780", "lines=500,60", "deny=7", "sleep=1500", "exit=3")
    check_equal(code, 3, "exit code")
    for line in lines:
        check_line(line)
    totals, sinks = [x for x in lines if "Sink" not in x], [x for x in lines if "Sink" in x]
    check(len(totals) >= 2 and len(sinks) == len(totals), f"{len(totals)} and {len(sinks)} lines")
    records = world.records()
    check(sums(totals, "Records") >= len(records) - 12, f"{sums(totals, 'Records')} of {len(records)} records")
    said = world.said()
    check_equal(sums(totals, "WorkloadBytes"), said, "bytes of the workload")
    check_equal(sums(totals, "Redactions"), sum(sum(r["d"].get("redacted", {}).values()) for r in records
                                                if r["ev"] == "log"), "redactions")
    check(sums(totals, "Redactions") >= 1, "nothing was redacted")
    refused = [r for r in records if r["ev"] == "seccomp.deny"]
    check_equal(sums(totals, "RefusedCalls"), len(refused), "refused calls")
    check(refused, "nothing was refused")
    check_equal({x["Sink"] for x in sinks}, {"trail"}, "sinks")
    check(all(x["SinkUp"] == 1 and x["SinkRejected"] == 0 for x in sinks), f"the sink: {sinks}")
    check(sums(sinks, "SinkRecords") > 100, f"records of the sink: {sinks}")
    check_equal({x["Policy"] for x in lines}, {"ship"}, "the policy")
    check_equal({p["Namespace"] for x in lines for p in x["_aws"]["CloudWatchMetrics"]}, {"Lazaret"}, "the namespace")


@case("a sink that is down: down, its backlog and how long it has been behind; lines that are dropped are counted")
def down():
    world = World(sinks=[NOWHERE, meter(namespace="Claims")],
                  changes={"spool": {"max": "4MiB", "segment": "1MiB"}, "shutdown": {"flush": "500ms"}})
    code, lines = run(world, "lines=30000,400,50", "sleep=3200", "exit=3", timeout=60)
    check_equal(code, 3, "exit code")
    sinks = [x for x in lines if "Sink" in x]
    check(all(x["SinkUp"] == 0 for x in sinks[1:]), f"up: {sinks}")
    check(sinks[-1]["SinkBacklogBytes"] > 100000 and sinks[-1]["SinkBehindSeconds"] >= 2, f"behind: {sinks[-1]}")
    check_equal(sums(sinks, "SinkRecords"), 0, "records of a sink that is down")
    totals = [x for x in lines if "Sink" not in x]
    check(sums(totals, "DroppedLines") > 1000, f"dropped: {totals[-1]}")
    check(0 < totals[-1]["SpoolBytes"] <= totals[-1]["SpoolMaxBytes"] == 4 << 20, f"the spool: {totals[-1]}")


@case("metrics in a log stream: the same lines, with the header that makes metrics of them, and no record beside them")
def stream():
    standin, agent = Standin(tls=False), Agent()
    environment = {**agent.environment(), "AWS_REGION": REGION,
                   "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{standin.agent}/v2/credentials/CANARYpath"}
    world = World()
    world.sinks.append(meter(group=GROUP, stream="metrics-{task}", endpoint=f"http://127.0.0.1:{standin.logs}"))
    code, lines = run(world, "lines=100,60", "sleep=2500", "exit=3", env=environment)
    check_equal((code, lines), (3, []), "exit code, and lines on the output")
    stored = lines_of(b"\n".join(standin.messages()))
    check_equal(len(stored), len(standin.events()), "events that are metrics, and events")
    check(len(stored) >= 4, f"{len(stored)} lines")
    for line in stored:
        check_line(line)
    check_equal({r["format"] for r in standin.requests("PutLogEvents")}, {"json/emf"}, "x-amzn-logs-format")
    check_equal({e["stream"] for e in standin.events()}, {f"metrics-{TASK_ID}"}, "the stream")
    standin.check_rules()
    world.account(numbered(100, 60))


VITALS = ("Ready", "PolicyViolations", "DrainSeconds", "LogDropped")


@contextlib.contextmanager
def watched(*words, env=None, **shutdown):
    """(world, run, output, socket): a container that is ready as long as the socket listens; metrics by themselves once in ten minutes."""
    listener = socket.create_server(("127.0.0.1", 0))
    check_one = {"name": "port", "tcp": f"127.0.0.1:{listener.getsockname()[1]}", "every": "1s", "timeout": "500ms"}
    world = World(sinks=[World().file_sink(), meter(interval="10m")], changes={
        "health": {"ready": {"rise": 1, "fall": 1, "checks": [check_one]}}, "shutdown": {"stop-timeout": "20s", **shutdown}})
    world.sinks[0]["path"] = str(world.trail)
    output = Output()
    output.read()
    with world.start(*words, ready=False, stdout=output.write_end, env=env) as started:
        yield world, started, output, listener
        output.all()
    listener.close()


def vitals_of(output):
    return [line for line in lines_of(output.so_far()) if "Ready" in line]


@case("readiness, violations and the drain: told when one of them changes, of the policy and the service, and only where there is health")
def vitals():
    agent = Agent()
    with watched("deny=3", "sleep=60000", env=agent.environment(), **{"lb-grace": "3s", "lb-grace-least": "1s", "lb-quiet": "1s"}) \
            as (_, started, output, listener):
        until(lambda: any(x["Ready"] == 1 for x in vitals_of(output)), lambda: f"ready: {started.describe()}")
        listener.close()
        until(lambda: vitals_of(output)[-1]["Ready"] == 0, "not ready")
        started.kill(fence.TERM)
        started.wait(30)
    lines = vitals_of(output)
    for line in lines:
        directive = check_line(line)
        check_equal((directive["Dimensions"], tuple(m["Name"] for m in directive["Metrics"])), ([["Policy", "Service"]], VITALS), "a line")
        check_equal((line["Policy"], line["Service"], line["TaskId"], line["Revision"]), ("ship", "portal", TASK_ID, "24"), "of whom")
    said = [x["Ready"] for x in lines]
    check(1 in said and said[-1] == 0 and len(said) <= 8, f"readiness: {said}")
    check_equal(sum(x["PolicyViolations"] for x in lines), 3, "violations")
    check(1 <= lines[-1]["DrainSeconds"] <= 10 and lines[0]["DrainSeconds"] == 0, f"the drain: {lines}")
    check_equal({x["LogDropped"] for x in lines}, {0}, "lines that were dropped")
    _, lines = run(World(sinks=[World().file_sink(path=str(fence.scratch() / "no-health.jsonl")), meter()]), "exit=0")
    check(lines and not any(name in line for line in lines for name in VITALS), f"without health: {lines}")


@case("not ready while health is gone: its successor says so anew")
def gone():
    with watched("sleep=60000") as (world, started, output, _):
        until(lambda: vitals_of(output) and vitals_of(output)[-1]["Ready"] == 1, lambda: f"ready: {started.describe()}")
        count = len(vitals_of(output))
        os.kill(world.pid("health"), signal.SIGKILL)
        until(lambda: len(vitals_of(output)) > count, "its end")
        check_equal(vitals_of(output)[count]["Ready"], 0, "nobody says that it is ready")
        until(lambda: vitals_of(output)[-1]["Ready"] == 1, "the successor")
        started.kill(fence.TERM)
        started.wait(30)


@case("the page names every metric with its unit, and none that is not there")
def page():
    world = World(sinks=[World().file_sink(), meter()])
    world.sinks[0]["path"] = str(world.trail)
    _, lines = run(world, "exit=3")
    seen = {(m["Name"], m["Unit"]) for x in lines for p in x["_aws"]["CloudWatchMetrics"] for m in p["Metrics"]}
    seen |= {(name, "Seconds" if name == "DrainSeconds" else "Count") for name in VITALS}  # as the case above has them
    text = PAGE.read_text(encoding="utf-8").split("\n## emf\n")[1].split("\n## ")[0]
    named = set(re.findall(r"^\| `([A-Za-z]+)` \| ([A-Za-z]+) \|", text, re.MULTILINE))
    check_equal(sorted(seen), sorted(named), "metrics, and what the page has")


@case("a reader of the output who reads nothing holds nobody up, and the trail is whole")
def unread():
    world = World(sinks=[World().file_sink(), meter()])
    world.sinks[0]["path"] = str(world.trail)
    output = Output()
    fcntl.fcntl(output.write_end, fcntl.F_SETPIPE_SZ, 4096)
    with world.start("lines=100,60", "sleep=6000", "exit=3", ready=False, stdout=output.write_end) as started:
        check_equal(started.wait(30).code, 3, "exit code")
    output.all()
    world.account(numbered(100, 60))


if __name__ == "__main__":
    laz.main()
