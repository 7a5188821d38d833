# SPDX-License-Identifier: Apache-2.0
"""A container whose trail goes to CloudWatch Logs (a stand-in: cloudwatch_standin.py), by the credentials of its task.

What is stored there is the trail: both verifiers take it, each line of the workload is in it or counted in a gap. No
credential is in a record, a message, an environment or a core, and none but those of the fixed list reaches the helper.
"""
import json
import os
import pathlib
import signal
import time

import adapters
import area
import fence
import hostile
import laz
import readme
import ship_world
import sinks_peers as peers
import trail_judge
from cloudwatch_world import CANARY, GROUP, REGION, Standin
from laz import case, check, check_equal
from ship_world import World, check_rejects, numbered, recovery_key, until

SECRET = "HUSHworkloadsecret"


def environment(standin, **more):
    return {**fence.ENVIRONMENT, "AWS_REGION": REGION, "OTHER_SECRET": SECRET,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{standin.agent}/v2/credentials/CANARYpath",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "CANARYauthorization", **more}


def sink(standin, **changes):
    found = {"name": "cloud", "type": "cloudwatch", "group": GROUP, "required": True, "classes": ["audit", "ids", "log"],
             "endpoint": f"{'https' if standin.tls else 'http'}://127.0.0.1:{standin.logs}", **changes}
    return {**found, **({"tls": {"ca": str(peers.pki() / "ca.pem")}} if standin.tls else {})}


def trail(standin):
    """What is stored, as a file of a trail; what was repeated, once."""
    lines = list(dict.fromkeys(standin.messages()))
    return b"".join(line + b"\n" for line in lines)


@case("a whole trail: the task's role, region of the container, the workload's exit code, both verifiers [TLS, plain]")
def whole():
    for tls in (True, False):
        standin = Standin(tls=tls, token="CANARYauthorization")
        world = World(sinks=[sink(standin)])
        code, errors = world.outcome("lines=3000,60", "exit=7", env=environment(standin))
        check_equal(code, 7, f"exit code: {errors}")
        world.account(numbered(3000, 60), data=trail(standin))
        standin.check_rules()
        names = {(event["group"], event["stream"]) for event in standin.events()}
        check(len(names) == 1 and next(iter(names))[1].startswith("ship/"), f"group and stream: {names}")


@case("a workload's hostile lines are records of ours alone, and its bytes, as the service has decoded them")
def hostile_lines():
    standin, content = Standin(token="CANARYauthorization"), hostile.text()
    world = World({"shutdown": {"flush": "20s", "stop-timeout": "40s"}}, [sink(standin)])
    hostile.said(world, content, "65536,200", env=environment(standin))
    data = trail(standin)
    hostile.check_form(world, data, "CloudWatch Logs")
    check(world.stream(data=data) == content, "the stream is not what was said")
    world.judge(trail_judge.FINE, data=data)
    standin.check_rules()


@case("a service that rejects everything: that is told in few records, which count all that it rejected")
def rejections():
    standin = Standin(**{"token": "CANARYauthorization", "too-new": 1 << 20})
    world = World({"audit": {"checkpoint": {"every": "60s"}}})  # or one is on its way at the stop, and counts for itself
    world.sinks = [world.file_sink(), sink(standin)]
    with world.start("lines=150,100,1,50", "term", "exit=3", ready=False, env=environment(standin)) as run:
        until(lambda: world.said() == 150 * 101, lambda: f"lines: {run.describe()} {run.stderr()}")
        until(lambda: world.records("sink.reject"), "a refusal")
        ship_world.at_rest(lambda: len(standin.requests("PutLogEvents")), "what is sent")
        run.kill(signal.SIGTERM)
        check_equal(str(run.wait()), "exit 3", f"the end: {run.stderr()}")
    check_equal(standin.events(), [], "what is stored")
    check_rejects(world, "cloud", 2)


@case("a service whose clock is another: the trail says by how much, once, and its times stay this host's")
def clock():
    standin = Standin(token="CANARYauthorization", clock=7200)
    world = World()
    world.sinks = [world.file_sink(), sink(standin)]
    with world.start("lines=300,60", "term", "exit=3", env=environment(standin)) as run:
        until(lambda: world.records("sink.clock"), lambda: f"the record: {run.describe()}")
        run.kill(signal.SIGTERM)
        check_equal(str(run.wait(10)), "exit 3", f"the end: {run.stderr()}")
    (record,) = world.records("sink.clock")
    check_equal((record["obj"], record["act"], record["sev"]), ("cloud", "corrected", 5), f"{record}")
    check(abs(record["d"]["seconds"] - 7200) <= 2, f"{record}")
    check(record["ts"] < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 60)), f"its time: {record}")
    world.judge("ok closed single")
    world.account(numbered(300, 60), data=trail(standin))


@case("kill -9 of ship and of the service, credentials that end and faults of all kinds: delivered and gaps are produced")
def accounting():
    standin = Standin(lifetime=63)
    world = World(sinks=[sink(standin)], changes={"shutdown": {"flush": "15s", "stop-timeout": "40s"}})
    faults = ["throttle", "500", "500-after", "reset-after", "truncate-after", "reset", "html", "expired"]
    with world.start("lines=0,60,100,20000", "exit=3", ready=False, env=environment(standin)) as run:
        until(standin.events, lambda: f"records: {run.describe()} {run.stderr()}")
        for turn in range(4 if not laz.LONG else 40):
            standin.rules(lifetime=63, fault=faults, rate=0.5)
            time.sleep(0.8)
            if turn % 2:
                os.kill(world.ship(), signal.SIGKILL)
            else:
                standin.kill()
                time.sleep(0.3)
                standin.start()
        standin.rules()
        world.enough()
        ended = run.wait(60)
    check_equal(ended.code, 3, f"exit code: {run.stderr()}")
    check(world.said() > 61 * 2000, f"{world.said()} bytes said")
    world.account(numbered(world.said() // 61, 60), data=trail(standin))
    standin.check_rules()


@case("no credential in what is shipped, said, inherited or kept; what is not on the list does not reach the helper")
def secrecy():
    standin = Standin(token="CANARYauthorization")
    world = World(sinks=[sink(standin)])
    with world.start("lines=100,40", "sleep=60000", ready=False, env=environment(standin)) as run:
        until(lambda: len(standin.events()) > 100, lambda: f"records: {run.describe()} {run.stderr()}")
        ship = world.ready()
        memory = fence_memory(ship)
        check(CANARY + b"path" in memory, "the search itself: ship has the address, so it is found")
        check(SECRET.encode() not in memory, "a variable that is not on the list reached ship")
        for pid in [run.pid, *run.children()]:
            environ = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
            check(CANARY not in environ and SECRET.encode() not in environ, f"the environment of {fence.comm(pid)}")
        check_equal(pathlib.Path(f"/proc/{ship}/coredump_filter").read_text().strip(), "00000000", "what a core would have")
        errors = run.stderr()
    check(CANARY not in errors.encode() and CANARY not in trail(standin), "a credential in a record or a message")
    for path in (*world.folder.rglob("*"), *world.spool.rglob("*")):
        if path.is_file():
            check(CANARY not in path.read_bytes(), f"a credential in {path}")


def fence_memory(pid):
    """All that a process can read of itself."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            first, last = (int(x, 16) for x in line.split()[0].split("-"))
            if line.split()[1].startswith("r") and "[v" not in line:
                try:
                    memory.seek(first)
                    found.append(memory.read(last - first))
                except (OSError, OverflowError):
                    pass
    return b"".join(found)


@case("a start that cannot be acknowledged, or has no role or region, is refused by name")
def refused():
    rows = [({"fault": "denied"}, {}, {"audit": {"durability": "acked", "start-wait": "2s"}}, 106, "audit-unavailable"),
            ({}, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": ""}, {}, 106, "no credentials: the task has no role"),
            ({}, {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, {}, 106, "the region is not known"),
            ({}, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://10.0.0.1/x"}, {}, 106, "would travel unencrypted"),
            ({}, {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/" + "x" * 5000}, {}, 106, "RELATIVE_URI is no path")]
    for rules, variables, changes, code, words in rows:
        standin = Standin(tls=False, token="CANARYauthorization", **rules)
        world = World(sinks=[sink(standin)], changes=changes)
        got, errors = world.outcome("exit=0", env=environment(standin, **variables), timeout=30)
        check_equal(got, code, f"{words}: {errors}")
        check(words in errors, f"{words}: {errors}")
        check("CANARY" not in errors, f"a credential: {errors}")


@case("a token's file is read while ship is confined, as it is at that moment")
def token_file():
    standin = Standin(tls=False, lifetime=63, token="CANARYone")
    world = World(sinks=[sink(standin)])
    folder = fence.scratch() / "token"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "token").write_text("CANARYone")
    (folder / "token").chmod(0o644)
    variables = {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(folder / "token")}
    with world.start("lines=1000,40,10", "sleep=60000", ready=False, env=environment(standin, **variables)) as run:
        until(lambda: standin.events(), lambda: f"records: {run.stderr()}")
        standin.rules(lifetime=63, token="CANARYtwo")
        (folder / "token").write_text("CANARYtwo")
        until(lambda: [r for r in standin.requests("credentials") if r["authorization"] == "CANARYtwo"],
              lambda: f"the new token: {standin.requests('credentials')}")


@case("a token's file in a folder that the workload could lead elsewhere is not read, and the reason is said")
def token_file_of_the_workload():
    for mode, owner, said in ((0o755, 0, ""), (0o755, adapters.WORKLOAD_UID, "belongs to the workload, user"),
                              (0o777, 0, "may be written by everybody"), (0o1777, 0, "is a folder where everybody may make files")):
        standin = Standin(tls=False, token="CANARYone")
        world = World(sinks=[{**sink(standin), "required": False}, World().file_sink()])
        world.sinks[1]["path"] = str(world.trail)
        folder = fence.scratch() / f"token-{mode:o}-{owner}"
        folder.mkdir()
        (folder / "token").write_text("CANARYone")
        (folder / "token").chmod(0o644)
        os.chown(folder, owner, 0)
        folder.chmod(mode)
        variables = {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(folder / "token")}
        with world.start("lines=10", "sleep=60000", env=environment(standin, **variables)) as run:
            if not said:  # control: the same way, kept by root
                until(lambda s=standin: s.events(), lambda r=run: f"records: {r.stderr()}")
                continue
            down = until(lambda w=world: w.records("sink.down"), lambda r=run: f"a reason: {r.stderr()}")[0]["d"]["message"]
            check(f"the container agent: AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: {folder} {said}" in down, down)
            check_equal(standin.requests("credentials"), [], "nothing of it was sent")


@case("the how-to: its policy ships a container's output by what its role may do, and by nothing more")
def how_to():
    page = laz.ROOT / "docs" / "how-to" / "cloudwatch.md"
    standin = Standin(create=True, token="CANARYauthorization")
    world = World()
    text = readme.block("yaml", page)
    ca = peers.pki() / "ca.pem"
    for old, new in ((", cwd: /app", ""), ("read: [/app, /etc]", "read: [/etc, /proc]"),
                     ("/etc/lazaret/recovery.pem]", f"{recovery_key()[1]}], dir: {world.spool}"),
                     ("required: true", f'required: true\n    create: true\n    endpoint: "https://127.0.0.1:{standin.logs}"\n'
                                        f"    tls: {{ca: {ca}}}")):
        check(old in text, f"no {old} in the policy")
        text = text.replace(old, new)
    source, image = world.folder / "how-to.yaml", world.folder / "how-to.img"
    source.write_text(text)
    done = area.run([laz.BIN / "lazaret", "policy", "compile", source, "-o", image])
    check_equal(done.code, 0, done.err)
    image.chmod(0o644)
    command = [str(laz.BIN / "lazaret-init"), "--policy", str(image), "--", "/bin/sh", "-c", "echo it works; exit 3"]
    with fence.Run(command, env=environment(standin)) as run:
        check_equal(run.wait(20).code, 3, run.stderr())
    check(any('"msg":"it works"' in event["message"] for event in standin.events()), "what the workload said")
    check_equal({event["group"] for event in standin.events()}, {"/claims/audit"}, "the group")
    trail_judge.judged("the how-to", trail(standin), [trail_judge.FINE])
    used = {f"logs:{r['call']}" for r in standin.requests() if r["call"] != "credentials"}
    allowed = [s["Action"] for s in json.loads(readme.block("json iam-policy", page))["Statement"] if s["Effect"] == "Allow"]
    check_equal(used, set(allowed[0]), "what the role of the page may do, and what was done")


if __name__ == "__main__":
    laz.main()
