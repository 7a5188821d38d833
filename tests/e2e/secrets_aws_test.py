# SPDX-License-Identifier: Apache-2.0
"""The whole way of a secret: a policy as ECS has it, the real helpers, the stand-in for AWS, and what the workload gets.

Whatever a service does: the workload has every value whole, or it has never run, nothing lies on the tmpfs, and one
sentence says why. What was fetched is in no record, in no text and in nobody's memory but the workload's.
"""
import base64
import json
import re
import secrets

import adapters
import fence
import fetch_world
import laz
import secret_world
import ship_world
from laz import case, check, check_equal
from secret_world import ARN, KEY, Standin
from secrets_world import World

UID = adapters.WORKLOAD_UID
VALUE = "CANARY" + secrets.token_hex(16)
OTHER = "CANARY" + secrets.token_hex(16)
PLAIN = secrets.token_bytes(32)
BLOB = secrets.token_bytes(64)
ITEMS = [
    {"name": "password", "from": ARN + "prod/db-AbCdEf:password::", "file": {"path": "db/password"}},
    {"name": "parameter", "from": "/prod/token", "form": "base64", "newline": True, "file": {"path": "token"}},
    {"name": "key", "from": {"variable": "WRAPPED"}, "decode": "base64", "bytes": 32,
     "decrypt": {"key": KEY, "context": {"app": "emr"}}, "fd": {"number": 20, "variable": "KEY_FD"}},
]


def standin():
    """The services, with what the items ask for."""
    return Standin(secrets=secret_world.secret("prod/db", json.dumps({"user": "app", "password": VALUE})),
                   parameters={"/prod/token": {"Value": OTHER, "Version": 7}},
                   ciphertexts=[{"blob": base64.b64encode(BLOB).decode(), "key": KEY, "context": {"app": "emr"},
                                 "plain": base64.b64encode(PLAIN).decode()}])


def environment(services):
    return {**fence.ENVIRONMENT, **services.environment(), "WRAPPED": base64.b64encode(BLOB).decode()}


def world_of(services, deadline="8s", items=None, **more):
    url = f"https://127.0.0.1:{services.port}"
    changes = {"secrets": {"ca": str(services.ca), "start-deadline": deadline,
                           "endpoints": {"secrets-manager": url, "ssm": url, "kms": url}}}
    return World(items or ITEMS, {}, real=True, changes=changes, **more)


def check_nowhere(text, where):
    """No value, in no form."""
    for value in (VALUE.encode(), OTHER.encode(), PLAIN):
        for form in (value, base64.b64encode(value)[:-4], value.hex().encode()):
            check(form not in text, f"a value is in {where}")


@case("an ECS string, a parameter and a key that KMS decrypts reach the workload as files and a descriptor, and nobody else")
def arrives():
    services = standin()
    with world_of(services) as world:
        with world.start("time.sleep(30)", numbers=(20,), env=environment(services)) as run:
            seen = world.seen()
            check_equal(seen["files"], {
                "db/password": [VALUE.encode().hex(), UID, UID, "0o400"],
                "token": [(base64.b64encode(OTHER.encode()) + b"\n").hex(), UID, UID, "0o400"]}, "files")
            check_equal(seen["fds"]["20"][:4], [PLAIN.hex(), PLAIN.hex(), UID, "0o400"], "the descriptor")
            check(not {"WRAPPED", *services.environment()} & set(seen["environ"]), f"{sorted(seen['environ'])}")
            for pid in [run.pid, *(p for p in run.children() if fence.comm(p).startswith("lazaret"))]:
                for name, content in fence.memory(pid):
                    check_nowhere(content, f"{name} of {fence.comm(pid)}")
            check_nowhere(b"".join(open(f"/proc/{p}/environ", "rb").read() for p in [run.pid, *run.children()]), "environ")
            run.kill(fence.TERM)
            run.wait()
        fetched = {r["obj"]: (r["act"], r["d"]["version"]) for r in world.records("secret.fetch")}
        check_equal(fetched, {"password": ("fetched", "11111111-2222-3333-4444-555555555555"),
                              "parameter": ("fetched", "7"), "key": ("fetched", "")}, "records")
        check_nowhere(json.dumps(world.records()).encode() + run.stderr().encode(), "what was said")
        check_equal(world.left(), [], "what is left on the tmpfs")
    services.check_rules()


# The three services, each with one item, as fetch_world has them.
PLAIN_ITEMS = {"GetSecretValue": {"from": {"secrets-manager": "prod/db"}}, "GetParameter": {"from": {"parameter": "/prod/db"}},
               "Decrypt": {"from": {"variable": "WRAPPED"}, "decode": "base64", "decrypt": {"key": KEY, "context": {"app": "emr"}}}}


def check_not_started(world, services, env, expected, fault):
    """103, one sentence with class and request; the workload never ran and nothing is left."""
    code, errors = world.outcome(env=env)
    check_equal(code, 103, f"{fault}: {errors}")
    found = re.search(r"secret-unavailable: secrets\.items\[it\]: (.*)", errors)
    check(found and re.match(expected.rstrip(), found[1]), f"{fault}: {expected!r} is not in {errors}")
    named = re.search(r"\(request ([0-9a-f-]+)\)", found[1])
    if named:
        check(named[1] in [r.get("id") for r in services.requests()], f"{fault}: no such request: {errors}")
    check(named or expected.startswith("unavailable: "), f"{fault}: {errors} names no request")
    check(not world.marker.exists(), "the workload ran")
    check_equal([n for n in world.left() if ".." in n], [], "what is left on the tmpfs")
    check("CANARY" not in errors + json.dumps(world.records()), errors)


@case("each fault of each service: 103, one sentence with the item, the workload never ran, nothing lies on the tmpfs")
def faults():
    services = fetch_world.held()
    env = {**fence.ENVIRONMENT, **services.environment(), "WRAPPED": base64.b64encode(fetch_world.BLOB).decode()}
    for at, (call, item) in enumerate(PLAIN_ITEMS.items()):
        passing = (*fetch_world.PASSING, "hang") if laz.LONG else ("truncated", "429", "hang")  # they take all of the time
        rows = {**fetch_world.fatal_of(call), **{fault: "unavailable: " for fault in passing}}
        for number, (fault, expected) in enumerate(rows.items()):
            if not laz.LONG and (number + at) % 3:
                continue
            services.rules(fault=fault, call=call, hang=3)
            with world_of(services, "1s" if expected == "unavailable: " else "8s",
                          items=[{"name": "it", **item, "file": {"path": "it"}}]) as world:
                check_not_started(world, services, env, expected, f"{fault} of {call}")
    services.check_rules()


@case("faults that pass, a wrong clock and an agent that is late cost time and nothing else")
def passing():
    services = standin()
    for rules in ({"fault": "503", "count": 2}, {"fault": "reset", "count": 2}, {"clock": 86400},
                  {"agent": "unready", "agent_count": 2}, {"fault": "expired", "count": 1}):
        services.rules(**rules)
        with world_of(services) as world:
            code, errors = world.outcome(numbers=(20,), env=environment(services))
            check_equal(code, 0, f"{rules}: {errors}")
            check_equal(len(world.seen()["files"]), 2, f"{rules}")
            said = {(r["sev"], re.sub(r"\d+", "N", r["d"].get("message", ""))) for r in world.records("secret.fetch")}
            odd = "the clock here is N s behind the service's, by which its requests were signed"
            check_equal(said, {(3, odd) if "clock" in rules else (1, "")}, f"{rules}: records")


@case("whoever watches the container finds nothing in it: neither fetch, however long it takes, nor the files that come")
def watched():
    services = standin()
    for conditions in ((), (f"uid={UID}",)):
        services.rules(delay=2)
        with world_of(services) as world:
            world.changes = adapters.merged(world.changes, {"sense": {"interval": "100ms", "files": {"watch": ["/etc/ssl"]}}})
            world.sinks = [{"name": "trail", "type": "file", "path": str(world.trail), "classes": ["audit", "ids"]}]
            if conditions:
                world.kept.chmod(ship_world.kept_mode(conditions))
            with world.start("time.sleep(1)", numbers=(20,), conditions=conditions, env=environment(services)) as run:
                check_equal(str(run.wait(30)), "exit 0", run.stderr())
            found = [r for r in world.records() if r["ev"].startswith(("cred.", "exec.", "fim.", "net.", "sense."))]
            check_equal([(r["ev"], r["act"]) for r in found if r["ev"] != "sense.start"], [], f"finds as {conditions}")
            check("sense.start" in {r["ev"] for r in found}, f"nobody watched: {world.records()}")


@case("what the workload prints of its secrets is masked in the trail: as it is, in base64, in hex and in two writes")
def masked():
    services = standin()
    told = ("import base64\n"
            f"v = open({'{dir!r}'} + '/db/password').read()\n"
            "print('raw', v); print('b64', base64.b64encode(v.encode()).decode()); print('hex', v.encode().hex())\n"
            "sys.stdout.write('two ' + v[:9]); sys.stdout.flush(); sys.stdout.write(v[9:] + '\\n')\n"
            f"print('token', open({'{dir!r}'} + '/token').read().strip()); print('plain words stay')\n")
    with world_of(services) as world:
        world.sinks = [{"name": "trail", "type": "file", "path": str(world.trail),
                        "classes": ["audit", "ids", "log"], "required": True}]
        with world.start(told.replace("{dir!r}", repr(str(world.dir))), numbers=(20,), env=environment(services)) as run:
            check_equal(str(run.wait(30)), "exit 0", run.stderr())
        trail = world.trail.read_bytes()
        for word in (b"raw ", b"b64 ", b"hex ", b"two ", b"token ", b"plain words stay"):
            check(word in trail, f"{word!r} is not in the trail")
        check_nowhere(trail, "the trail")
        check(VALUE.encode()[:20] not in trail, "a piece of a value is in the trail")


if __name__ == "__main__":
    laz.main()
