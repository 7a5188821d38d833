# SPDX-License-Identifier: Apache-2.0
"""A container that is part of a task of ECS: which task it is, in every record of its trail, whatever the agent answers.

The agent is a stand-in (ecs_standin.py); init, ship and the workload are real.
"""
import contextlib
import json
import os
import re
import socket
import struct
import time

import fence
import laz
import readme
from ecs_world import ARN, ID, IMAGE, TASK, TASK_ID, Agent
from laz import case, check, check_equal
from secret_world import MESSAGES
from ship_world import NOWHERE, World, until
from trail_judge import FINE

PAGE = laz.ROOT / "docs" / "reference" / "ecs.md"
KNOWN = {"launch_type": "FARGATE", "cluster": "default", "family": "portal", "revision": "24", "service": "portal",
         "az": "us-west-2d", "image_id": IMAGE, "clock": "SYNCHRONIZED"}
ALL = {**KNOWN, "container": f"{ARN}:container/0206b271-b33f-47ab-86c6-a0ba208a70a9", "clock_error_us": 545,
       "storage_used_mib": 261, "storage_mib": 20496}
LABELLED = {name: KNOWN[name] for name in ("cluster", "family", "revision", "image_id")}


def run(agent, *words, env=None, **changes):
    """The world of a run that ends by itself, its stderr, and how long it took to the record of the start."""
    world = World(changes=changes)
    began = time.monotonic()
    with world.start(*(words or ("say=up", "exit=0")), env=agent.environment() if env is None else env) as started:
        took = time.monotonic() - began
        check_equal(started.wait(60).code, 0, f"exit code: {started.stderr()}")
        errors = started.stderr()
    return world, errors, took


def event(world):
    found = world.records("ecs.metadata")
    check_equal(len(found), 1, f"records of the metadata: {found}")
    return found[0]


def hidden(world, errors):
    """The id is in nothing that was written."""
    check(ID.encode() not in world.bytes() and ID not in errors, "the id of the address was written down")
    for path in world.spool.rglob("*"):
        check(not path.is_file() or ID.encode() not in path.read_bytes(), f"the id is in {path.name}")


@case("every record of the trail names the task, and one says what is known of it")
def named():
    agent = Agent()
    world, errors, _ = run(agent, "lines=50,60", "deny=1", "exit=0", sense={"interval": "1s"})
    records = world.records()
    check({"chain.genesis", "init.start", "log", "log.block", "seccomp.deny", "init.stop", "chain.final"} <=
          {r["ev"] for r in records}, f"events: {sorted({r['ev'] for r in records})}")
    check_equal({r["task"] for r in records}, {TASK}, "the task of all records")
    check_equal({r["ctr"] for r in records}, {"ship"}, "the container of all records")
    said = event(world)
    check_equal((said["act"], said["sev"], said["obj"]), ("found", 1, TASK_ID), "the record")
    check_equal(said["d"], ALL, "what is known")
    first = [r["ev"] for r in records[:3]]
    check_equal(first[:2], ["chain.genesis", "ecs.metadata"], "the first records")
    page = json.loads(readme.block("json ecs", PAGE))
    check_equal((list(page), page["d"], page["task"]), ([k for k in said if k not in ("chain", "prev", "h")], ALL, TASK),
                "the record of the page")
    check_equal(agent.asked(), ["container", "task"], "what was asked")
    check_equal(agent.violations(), "", "what the agent does not take")
    world.judge(FINE)
    hidden(world, errors)


@case("the ids of the agent's addresses, with which anybody asks for this task, are masked in what the workload prints")
def printed():
    agent = Agent()
    credentials, token, short = "0f9c3ad2-77aa-4d55-9b11-cccccccccccc", "tokenCANARY0123456789", "v1/credentials"
    env = {**agent.environment(), "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": f"/v2/credentials/{credentials}",
           "AWS_CONTAINER_AUTHORIZATION_TOKEN": token, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://169.254.170.23/{short}"}
    said = f"http://169.254.170.2/v4/{ID}/task,/v2/credentials/{credentials},{token},{short},{TASK_ID}"
    world, errors, _ = run(agent, f"say={said}", "exit=0", env=env)
    line, = (r["d"]["msg"] for r in world.records("log") if "169.254" in r["d"].get("msg", ""))
    mark = "[REDACTED:secret]"
    check_equal(line, f"http://169.254.170.2/v4/{mark}/task,/v2/credentials/{mark},{mark},{short},{TASK_ID}", "the line")
    for canary in (ID, credentials, token):
        check(canary.encode() not in world.bytes() and canary not in errors, canary)


@case("outside of a task nobody is asked, and no record speaks of one")
def no_task():
    world, _, _ = run(Agent(), env=fence.ENVIRONMENT)
    check_equal(world.records("ecs.metadata"), [], "records of the metadata")
    check_equal({r["task"] for r in world.records()}, {""}, "tasks")


# What the agent does; what the record says of it: act, a part of the message, and its other members; the task; how often
# each is asked.
def both(fault, **more):
    return {"faults": [{"fault": fault, **more}]}


def one(what, fault, **more):
    return {"faults": [{"path": what, "fault": fault, **more}]}


ANSWERS = (
    ("too many requests, twice", one("container", "429", count=2), "found", "", ALL, 4),
    ("too many requests, always", both("429"), "unavailable", "container: it answers 429", {}, 3),
    ("an id that it does not know", both("404"), "unavailable", "container: it answers 404", {}, 2),
    ("an error, once", both("500", count=1), "found", "", ALL, 3),
    ("an error, of the task alone", one("task", "500"), "partial", "task: it answers 500",
     {**LABELLED, "container": ALL["container"]}, 4),
    ("an error, of the container alone", one("container", "503"), "partial", "container: it answers 503",
     {name: value for name, value in ALL.items() if name not in ("image_id", "container")}, 4),
    ("half an answer", one("task", "truncated"), "partial", "task: the peer closed the connection", None, 4),
    ("half an answer that is whole", one("task", "not-json"), "partial", "task: not JSON: byte", None, 2),
    ("nothing", one("task", "empty"), "partial", "task: not JSON: byte 0", None, 2),
    ("a member twice", one("task", "twice"), "partial", "task: not JSON: byte", None, 2),
    ("a list", one("task", "list"), "partial", "task: not a JSON object", None, 2),
    ("depth", one("task", "deep"), "partial", "task: not JSON: byte", None, 2),
    ("2 MB", one("task", "2mb"), "partial", "task: ", None, 4),
    ("no HTTP", both("garbage"), "unavailable", "container: ", {}, 3),
    ("a connection that breaks, once", both("reset", count=1), "found", "", ALL, 3),
    ("a connection that breaks", both("reset"), "unavailable", "container: ", {}, 3),
    ("members that it has never had", {"task": {"New": {"a": [1, None]}, "Errors": [None]}, "container": {"Also": 1e300}},
     "found", "", ALL, 2),
    ("null everywhere", {"task": {"Containers": None, "ClockDrift": None, "EphemeralStorageMetrics": None, "ServiceName": None},
                         "container": {"Health": None, "Networks": None, "Limits": None, "Labels": None}},
     "found", "", {n: v for n, v in ALL.items() if n not in ("service", "clock", "clock_error_us", "storage_used_mib", "storage_mib")},
     2),
    ("a cluster by its name", {"task": {"Cluster": "prod"}}, "found", "", {**ALL, "cluster": "prod"}, 2),
    ("other types", {"task": {"Cluster": 7, "Family": ["x"], "ClockDrift": "y", "EphemeralStorageMetrics": {"Reserved": "9"}}},
     "found", "", {n: v for n, v in ALL.items() if n not in ("clock", "clock_error_us", "storage_used_mib", "storage_mib")}, 2),
    ("words that are no names", {"task": {"LaunchType": "a\nb", "AvailabilityZone": "z" * 5000, "ServiceName": "\u202e"}},
     "found", "", {n: v for n, v in ALL.items() if n not in ("launch_type", "az", "service")}, 2),
    ("no task", {"task": {"TaskARN": "CANARY"}, "container": {"Labels": {}}}, "unavailable", "its answers name no task", {}, 2),
)


@case("whatever the agent answers: the container starts, in time, and a record says what is known and why no more is")
def answers():
    agent = Agent()
    for name, rules, act, message, members, asked in ANSWERS:
        world, errors, took = run(agent.again(**rules))
        said = event(world)
        print(f"  {name}: {took:.1f} s, {len(agent.asked())} requests, {said['act']}: {said['d'].get('message', '')}")
        check_equal((said["act"], said["sev"]), (act, 1 if act == "found" else 3), f"{name}: the record: {said}")
        check(said["d"].get("message", "").startswith(message) and bool(message) == ("message" in said["d"]),
              f"{name}: the message: {said['d']}")
        check("CANARY" not in json.dumps(said), f"{name}: words of an answer: {said}")
        there = {key: value for key, value in said["d"].items() if key != "message"}
        check(members is None or there == members, f"{name}: what is known: {there}")
        check_equal({r["task"] for r in world.records()}, {"" if act == "unavailable" else TASK}, f"{name}: tasks")
        check(asked is None or len(agent.asked()) == asked, f"{name}: asked {agent.asked()}")
        hidden(world, errors)


@case("an agent that does not answer holds the start up for four seconds and no longer; one that is not there, not so long")
def silent():
    agent = Agent(faults=[{"fault": "hang"}])
    world, errors, took = run(agent)
    said = event(world)
    check_equal((said["act"], said["d"]["message"][:11]), ("unavailable", "container: "), "the record")
    check(len(agent.asked()) <= 4, f"asked {agent.asked()}")
    check(3 <= took < 30, f"it took {took:.1f} s")
    hidden(world, errors)
    free = socket.socket()
    free.bind(("127.0.0.1", 0))  # and never listens
    absent = f"http://127.0.0.1:{free.getsockname()[1]}/v4/{ID}"
    world, errors, _ = run(agent, env=agent.environment(ECS_CONTAINER_METADATA_URI_V4=absent))
    check_equal(event(world)["act"], "unavailable", "the record")
    check("refused" in event(world)["d"]["message"], f"the message: {event(world)}")
    hidden(world, errors)


@case("an older agent has version 3, and nobody but the agent or this host is asked")
def addresses():
    agent = Agent()
    old = agent.environment()
    del old["ECS_CONTAINER_METADATA_URI_V4"]
    world, _, _ = run(agent, env=old)
    check_equal(agent.asked(), ["v3-container", "v3-task"], "what was asked")
    check_equal((event(world)["act"], {r["task"] for r in world.records()}), ("found", {TASK}), "the record, and the task")
    agent.again()
    for address in (f"http://localhost:{agent.port}/v4/{ID}", f"https://127.0.0.1:{agent.port}/v4/{ID}",
                    f"http://169.254.169.254/v4/{ID}", f"ftp://127.0.0.1/{ID}", ID, f"http://127.0.0.1:{agent.port}/v4/{ID}?x"):
        world, errors, _ = run(agent, env=agent.environment(ECS_CONTAINER_METADATA_URI_V4=address))
        said = event(world)
        check_equal((said["act"], said["d"]["message"]), (
            "unavailable", "ECS_CONTAINER_METADATA_URI_V4 is neither the container agent's address (169.254.170.2) nor one of "
            "this host"), address.replace(ID, "ID"))
        hidden(world, errors)
    check_equal(agent.asked(), [], "what was asked")


@case("a helper that is killed is followed by one that asks nobody: the same task in all records, and one record of it")
def once():
    agent = Agent()
    world = World()
    with world.start("say=one", "sleep=60000", env=agent.environment()) as started:
        first = world.ready()
        os.kill(first, fence.KILL)
        world.ship(other_than=first)
        until(lambda: world.records("helper.exit"), lambda: f"the end of ship: {started.describe()}")
        started.kill(fence.TERM)
        started.wait(30)
    check_equal(agent.asked(), ["container", "task"], "what was asked")
    check_equal({r["task"] for r in world.records()}, {TASK}, "the task of all records")
    check_equal(event(world)["act"], "found", "the record")
    world.judge(FINE)


@case("one that dies while it asks is followed by one that goes on without")
def died_asking():
    agent = Agent(faults=[{"fault": "hang"}])
    world = World()
    with world.start("say=one", "sleep=60000", ready=False, env=agent.environment()) as started:
        until(lambda: agent.asked(), "a question")
        os.kill(world.ship(), fence.KILL)
        until(lambda: world.records("log"), lambda: f"a line: {started.describe()}")
        started.kill(fence.TERM)
        started.wait(30)
    check_equal(agent.asked(), ["container"], "what was asked")
    said = event(world)
    check_equal((said["act"], said["d"]["message"]),
                ("unavailable", "its answer ended the helper that read it"), "the record")
    check_equal({r["task"] for r in world.records()}, {""}, "tasks")


@case("a stop while the agent does not answer does not wait for it")
def stopped_asking():
    agent = Agent(faults=[{"fault": "hang"}])
    world = World()
    with world.start("say=one", "sleep=60000", ready=False, env=agent.environment()) as started:
        until(lambda: agent.asked(), "a question")
        started.kill(fence.TERM)
        began = time.monotonic()
        started.wait(30)
        print(f"  it ended after {time.monotonic() - began:.1f} s")
    check_equal(world.records("log"), [], "lines of a workload that never ran")


# ---- what health hears ----


def gauges(started):
    """What ship has told init so far: (seconds, JSON)."""
    number = MESSAGES.index("GAUGES")
    start = struct.pack("<HH", number, 0)
    found = []
    for line in started.traced():
        said = re.search(r'^\d+ +([\d.]+) sendmsg\(3<.*iov_base="((?:[^"\\]|\\.)*)"', line)
        data = said[2].encode().decode("unicode_escape").encode("latin-1") if said else b""
        if data.startswith(start):
            found.append((float(said[1]), json.loads(data[8:].rstrip(b"\0"))))
    return found


@contextlib.contextmanager
def told(world, *words, env=None):
    with world.start(*words, conditions=["hold"], ready=False, env=env) as started:
        started.trace("-y", "-s", "5000", "-e", "trace=sendmsg")
        yield started
        started.kill(fence.TERM)
        started.wait(30)


@case("health hears of the task, of each sink and of the spool: at once when a sink comes or goes, and no more than once a second")
def heard():
    agent, world = Agent(), World()
    port = socket.socket()
    port.bind(("127.0.0.1", 0))
    address = f"127.0.0.1:{port.getsockname()[1]}"
    world.sinks.append({"name": "mirror", "type": "relp", "to": address, "classes": ["audit"], "required": False})
    with told(world, "say=up", "sleep=60000", env=agent.environment()) as started:
        def last():
            return gauges(started)[-1][1] if gauges(started) else {}
        until(lambda: last().get("logs", [{}])[0].get("up"), lambda: f"a sink that is up: {last()}")
        until(lambda: (last()["logs"][0].get("last_ack_age_s", 99) < 60), lambda: f"an acknowledgement: {last()}")
        said = last()
        check_equal(said["ecs"], KNOWN, "the task")
        check_equal([(s["sink"], s["required"], s["up"]) for s in said["logs"]],
                    [("trail", True, True), ("mirror", False, False)], "the sinks")
        check("last_ack_age_s" not in said["logs"][1] and said["logs"][1]["behind_bytes"] > 0, f"who is down: {said}")
        check(0 < said["spool"]["used"] < said["spool"]["limit"] == 16 << 20 and not said["spool"]["full"], f"the spool: {said}")
        check("CANARY" not in json.dumps(said), "the id")
        times = [when for when, _ in gauges(started)]
    check(all(b - a > 0.9 for a, b in zip(times, times[1:])), f"more than one in a second: {times}")


@case("health hears of a spool that is full, and of lines that found no room")
def full():
    world = World(sinks=[NOWHERE], changes={"spool": {"max": "4MiB", "segment": "1MiB"}, "shutdown": {"flush": "500ms"}})
    with told(world, "lines=30000,400", "sleep=60000") as started:
        until(lambda: any(s["spool"]["full"] and s["logs"][0]["dropped"] > 0 for _, s in gauges(started)),
              lambda: f"a full spool: {gauges(started)[-1:]}", 60)
        check(all("ecs" not in s for _, s in gauges(started)), "a task outside of ECS")


if __name__ == "__main__":
    laz.main()
