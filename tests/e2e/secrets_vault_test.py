# SPDX-License-Identifier: Apache-2.0
"""Secrets of Vault: the helper fetch against a stand-in (vault_standin.py), and the real init with it.

The claim: the value comes whole and is the version that was asked for, or none does and one sentence says the item, the
class of fault and the request that we named; no token and no value is in a sentence.
"""
import json
import pathlib
import re
import secrets as random_secrets

import fence
import laz
import secret_world
import ship_world
from laz import case, check, check_equal
from secret_world import Helper, Standin
from secrets_world import World
from vault_world import PATH, TOKEN, Vault, secret

VALUE = "CANARY" + random_secrets.token_hex(12)
DATA = {"password": VALUE, "user": "app", "n": 7, "nested": {"a": ["b"]}}
ITEM = {"name": "it", "vault": PATH, "json-key": "password"}


def vault(**more):
    return Vault(**{"secrets": secret({"password": "CANARYold"}, DATA), "tokens": [TOKEN], **more})


def check_refused(result, expected, standin=None, about="it"):
    """Nothing was handed over, and the sentence is the expected one, without anything of a value."""
    said = result.text()
    check(result.error is not None, f"it was not refused: {result.items}")
    check_equal((result.error[0], result.values, result.items, result.is_done), ("SECRET", {}, {}, False), said)
    check(re.search(rf"^secrets\.items\[{about}\]: " + expected, said), f"{said!r} is not {expected!r}")
    check("CANARY" not in said and VALUE not in said, f"a value in a message: {said}")
    check(said.isprintable() and said.isascii() and len(said) < 400, f"what is no line of text: {said!r}")
    if standin is not None:
        named = re.search(r"\(request ([0-9a-f]{32})\)$", said)
        check(named and named[1] in [r["id"] for r in standin.requests("read")], f"{said!r} names no request")


@case("a member of a secret comes with the number of its version: the newest one, or the one that was asked for")
def versions():
    standin = vault()
    rows = [({}, VALUE, "2"), ({"version": "1"}, "CANARYold", "1"), ({"version": "2", "json-key": "n"}, "7", "2"),
            ({"json-key": "nested"}, '{"a": ["b"]}', "2"), ({"json-key": "user", "form": "base64"}, "YXBw", "2")]
    for keys, value, number in rows:
        result = standin.fetch([{**ITEM, **keys}])
        check_equal((result.text(), result.code), ("", 0), f"{keys}")
        check_equal((result.values["it"], result.items["it"][1]), (value.encode(), number), f"{keys}")
    requests = standin.requests("read")
    check_equal({r["path"] for r in requests}, {f"/v1/{PATH}", f"/v1/{PATH}?version=1", f"/v1/{PATH}?version=2"}, "paths")
    check_equal(len({r["id"] for r in requests}), len(requests), "each request has a name of its own")
    check_refused(standin.fetch([{**ITEM, "json-key": "none"}]), 'malformed: json-key "none": there is no such key', standin)
    check_refused(standin.fetch([{**ITEM, "version": "3"}]), "not-found: .*it answers 404", standin)
    result = standin.fetch([{**ITEM, "version": "3", "optional": True}])
    check_equal((result.text(), result.items["it"][0]), ("", "absent"), "an optional item")
    standin.check_rules()


@case("a namespace is sent with every request, and a token is taken with a line feed behind it and without")
def namespaces():
    standin = vault(namespace="admin/claims")
    for token in (TOKEN, TOKEN + "\n"):
        standin.token.chmod(0o600)
        standin.token.write_text(token)
        result = standin.fetch([ITEM], vault=standin.login(namespace="admin/claims"))
        check_equal((result.text(), result.values.get("it")), ("", VALUE.encode()), f"{token!r}")
    standin.check_rules()


@case("a token that is a variable is taken likewise, and one that is not set, or is no token, is named with the variable")
def by_variable():
    standin = vault()
    login = standin.login(variable="VAULT_TOKEN")
    for token in (TOKEN, TOKEN + "\n"):
        result = standin.fetch([ITEM], vault=login, inherited={"": token.encode()})
        check_equal((result.text(), result.values.get("it")), ("", VALUE.encode()), f"{token!r}")
    asked = len(standin.requests())
    check_refused(standin.fetch([ITEM], vault=login), "credentials: token variable VAULT_TOKEN: it is not set in the environment$")
    check_refused(standin.fetch([ITEM], vault=login, inherited={"": b"CANARY\r\nX-Evil: 1"}),
                  "credentials: token variable VAULT_TOKEN: the token is not 1 to 4096 printable characters")
    check_equal(len(standin.requests()), asked, "requests without a token")
    standin.check_rules()


@case("the task's role logs in, once for all items, by a signed request that names this Vault; botocore's signer agrees")
def by_role():
    agent = Standin()
    for data, more in (({}, {}), ({"server_id": "vault.internal"}, {"server-id": "vault.internal"}),
                       ({"region": "eu-west-1", "mount": "aws/eu"}, {"region": "eu-west-1", "mount": "aws/eu"})):
        standin = vault(agent=agent, tokens=[], role="app", **data)
        agent.rules()
        items = [{**ITEM, "name": f"i{n}"} for n in range(8)]
        result = standin.fetch(items, vault=standin.login("app", **more))
        check_equal((result.text(), len(result.values)), ("", 8), f"{data}")
        check_equal((len(standin.requests("login")), len(standin.requests("read"))), (1, 8), f"{data}: requests")
        check_equal(len(agent.requests("credentials")), 1, f"{data}: requests for credentials")
        standin.check_rules()
    standin = vault(agent=agent, tokens=[], role="app", server_id="vault.internal")
    result = standin.fetch([ITEM], vault=standin.login("app", **{"server-id": "other.internal"}))
    check_refused(result, "credentials: 127.0.0.1: the login: it answers 400: failed to verify IAM")
    result = standin.fetch([ITEM], vault=standin.login("nobody", **{"server-id": "vault.internal"}))
    check_refused(result, "credentials: 127.0.0.1: the login: it answers 400: entry for role")


@case("each for itself: no region, no CAs, no credentials are what those items say that need them, and the others come")
def unprepared():
    agent = Standin(secrets={**secret_world.secret("db", "CANARYdb")},
                    ciphertexts=[{"blob": "YmxvYg==", "key": secret_world.KEY, "plain": "Q0FOQVJZ", "context": {}}])
    standin = vault()
    items = [{"name": "by-name", "secrets-manager": "db"}, {"name": "by-arn", "secrets-manager": f"{secret_world.ARN}db-AbCdEf", "region": "eu-west-1"},
             {"name": "key", "variable": "KEY", "key": secret_world.KEY}, {"name": "given", "variable": "GIVEN"}, {**ITEM, "name": "vault"}]
    keys = {"inherited": {"key": b"blob", "given": b"CANARYgiven"}, "endpoint": f"https://127.0.0.1:{agent.port}", "ca": agent.ca,
            "environment": {**agent.environment(), "AWS_REGION": ""}, "vault": standin.login()}
    aws, region = ("by-name", "by-arn", "key"), {**keys, "region": "eu-west-1"}
    for what, said, failed, expected in (
            ("no region", keys, ("by-name",), "system: the region is not known: say secrets.region, or set AWS_REGION"),
            ("no CAs", {**region, "ca": "/no/such.pem"}, aws, "system: secrets.ca: /no/such.pem: No such file or directory"),
            ("no CA in it", {**region, "ca": "/etc/passwd"}, aws, "system: /etc/passwd: no certificate in it: "),
            ("a folder", {**region, "ca": "/etc"}, aws, "system: secrets.ca: /etc: Is a directory"),
            ("no credentials", {**region, "environment": {}}, aws, "credentials: no credentials: the task has no role "),
            ("no CAs of credentials", {**region, "ca": "/no/such.pem", "environment": {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": "https://127.0.0.1:1/"}}, aws, "system: secrets.ca: /no/such.pem: No such file"),
            ("no CAs of Vault", {**region, "vault": standin.login(ca="/no/such.pem")}, ("vault",),
             "credentials: secrets.vault.ca: /no/such.pem: No such file"),
            ("no CA of Vault in it", {**region, "vault": standin.login(ca="/etc/passwd")}, ("vault",),
             "credentials: vault: /etc/passwd: no certificate in it: "),
            ("no credentials for Vault", {**region, "environment": {}, "vault": standin.login("app")}, (*aws, "vault"),
             "credentials: no credentials: the task has no role ")):
        result = Helper(items, whole=False, **said).end()
        check_equal((result.text(), result.is_done, result.code), ("", True, 0), what)
        for item in items:
            name = item["name"]
            if name in failed:
                check_equal((result.items[name][0], name in result.values), ("failed", False), f"{what}: {name}")
                check(result.why[name].startswith(expected), f"{what}: {name}: {result.why[name]}")
            else:
                check_equal((result.why[name], name in result.values), ("", True), f"{what}: {name}")
        check_refused(Helper(items, **said).end(), expected, about=failed[0])


@case("a token that is refused is replaced by one more login, and a second refusal is a denial")
def again():
    agent = Standin()
    standin = vault(agent=agent, tokens=[], role="app")
    items = [{**ITEM, "name": f"i{n}"} for n in range(4)]
    standin.rules(expired=1)
    result = standin.fetch(items, vault=standin.login("app"))
    check_equal((result.text(), len(result.values)), ("", 4), "with the second token")
    check_equal(len(standin.requests("login")), 2, "logins")
    standin.rules(expired=1 << 20)
    check_refused(standin.fetch([ITEM], vault=standin.login("app")), "denied: 127.0.0.1: it answers 403: permission denied",
                  standin)
    check_equal((len(standin.requests("login")), len(standin.requests("read"))), (2, 2), "requests")
    for fault, said in (("503", "it answers 503: Vault is sealed"), ("reset", ""), ("429", "it answers 429"), ("truncated", "")):
        standin.rules(fault=fault, call="login", count=1)
        result = standin.fetch([ITEM], vault=standin.login("app"))
        check_equal((result.text(), result.values.get("it")), ("", VALUE.encode()), fault)
        standin.rules(fault=fault, call="login")
        result = standin.fetch([ITEM], vault=standin.login("app"), wait_ms=1200)
        check_refused(result, "unavailable: not there after 1200 ms; the last try: .*" + said)
    for fault, said in (("tokenless", "the answer has no token"), ("injecting", "the answer has no token"),
                        ("no-auth", "the answer has no token"), ("not-json", "not JSON"), ("html", "not JSON"),
                        ("403", "it answers 403"), ("redirect", "it answers 307"), ("terminal", "it answers 400")):
        standin.rules(fault=fault, call="login")
        check_refused(standin.fetch([ITEM], vault=standin.login("app")), "credentials: 127.0.0.1: the login: " + said)
    agent.rules(agent="garbage")
    standin.rules()
    check_refused(standin.fetch([ITEM], vault=standin.login("app"), wait_ms=1200), "credentials: not there after 1200 ms")


FATAL = {
    "403": "denied: 127.0.0.1: it answers 403: permission denied ",
    "html-403": "denied: 127.0.0.1: it answers 403 ", "400": "refused: 127.0.0.1: it answers 400: missing client token ",
    "404": "not-found: 127.0.0.1: it answers 404 ", "deleted": "not-found: 127.0.0.1: it answers 404: the version is deleted ",
    "no-mount": "refused: 127.0.0.1: it answers 404: no handler for route ",
    "html-404": "refused: 127.0.0.1: it answers 404 ", "no-body": "refused: 127.0.0.1: it answers 404 ",
    "405": "refused: 127.0.0.1: it answers 405: unsupported operation ", "redirect": "refused: 127.0.0.1: it answers 307 ",
    "echo": "denied: 127.0.0.1: it answers 403: a reason that is not known here ", "terminal": "refused: 127.0.0.1: it answers 400: a reason that is not known here ",
    "html": "malformed: not JSON: byte ", "not-json": "malformed: not JSON: byte ", "tail": "malformed: not JSON: byte ",
    "twice": "malformed: not JSON: byte ", "twice-inside": "malformed: not JSON: byte ",
    "null": "malformed: the answer has no object data.data", "list": "malformed: the answer has no object data.data",
    "kv1": "malformed: the answer has no object data.data", "no-version": "malformed: the answer has no metadata with a version",
    "other-version": "malformed: the answer is another version", "destroyed": "malformed: the answer is a version that is destroyed",
    "empty": 'length: 0 bytes, and "bytes" has 1 to 65536 ', "nul": 'malformed: json-key "password": its text holds a NUL ',
}
PASSING = {"429": "it answers 429", "472": "it answers 472", "473": "it answers 473", "500": "it answers 500: internal error",
           "503": "it answers 503: Vault is sealed", "412": "it answers 412", "html-503": "it answers 503", "reset": "",
           "truncated": "", "garbage": "", "huge": ""}


@case("faults of Vault that do not pass: refused at once, one sentence with class and request, nothing handed over")
def fatal():
    standin = vault()
    for fault, expected in FATAL.items():
        standin.rules(fault=fault)
        version = {"version": "2"} if fault == "other-version" else {}
        result = standin.fetch([{**ITEM, **version}])
        check_refused(result, expected, standin)
        check_equal(len(standin.requests()), 1, f"{fault}: requests")
    standin.rules()
    for token in ("", "a b", "CANARY\r\nX-Evil: 1", "x" * 5000):
        standin.token.chmod(0o600)
        standin.token.write_bytes(token.encode())
        check_refused(standin.fetch([ITEM]), "credentials: token file .*: the token is not 1 to 4096 printable characters")
    standin.token.unlink()
    check_refused(standin.fetch([ITEM]), "credentials: token file .*: No such file")
    check_equal(standin.requests(), [], "requests without a token")
    standin.check_rules()


@case("faults of Vault that pass are tried again until they have, and until the deadline")
def passing():
    standin = vault()
    rows = list(PASSING.items())
    for fault, said in rows:
        standin.rules(fault=fault, count=1 if fault == "429" else 2)
        result = standin.fetch([ITEM])
        check_equal((result.text(), result.values.get("it")), ("", VALUE.encode()), fault)
    for fault, said in rows if laz.LONG else rows[::3]:
        standin.rules(fault=fault)
        check_refused(standin.fetch([ITEM], wait_ms=1100), "unavailable: not there after 1100 ms; the last try: .*" + said)
    standin.rules(fault="429", count=1, retry_after=1)
    result = standin.fetch([ITEM])
    check(result.text() == "" and result.seconds >= 1, f"Retry-After: {result.text()}, {result.seconds} s")
    standin.check_rules()


def policy_of(standin, token=None, **more):
    items = [{"name": "password", "from": {"vault": PATH, "version": 2}, "json-key": "password", "file": {"path": "db/password"}},
             {"name": "user", "from": {"vault": PATH}, "json-key": "user", "fd": {"number": 20, "variable": "USER_FD"}}]
    told = {"address": f"https://127.0.0.1:{standin.port}", "ca": str(standin.ca), 
            "auth": {"token": token or {"file": str(standin.token)}}}
    return World(items, {}, real=True, changes={"secrets": {"start-deadline": "8s", "vault": told, **more}})


@case("where nothing of Vault's is asked for, neither its CA nor credentials are: a policy may name a Vault that this start does not need")
def unneeded():
    unneeded_vault = {"address": "https://127.0.0.1:9", "ca": "/nowhere/vault.pem", "role": "app"}
    items = [{"name": "given", "variable": "GIVEN"}, {"name": "it", "vault": PATH, "json-key": "user"}]
    alone = Helper(items[:1], inherited={"given": b"CANARYgiven"}, vault=unneeded_vault).end()
    check_equal((alone.text(), alone.values, alone.code), ("", {"given": b"CANARYgiven"}, 0), "no item of Vault's")
    renewed = Helper(items, inherited={"given": b"CANARYgiven"}, vault=unneeded_vault, want=["given"], whole=False).end()
    check_equal((renewed.text(), renewed.values, renewed.code), ("", {"given": b"CANARYgiven"}, 0), "none that is asked for")
    needed = Helper(items, inherited={"given": b"CANARYgiven"}, vault=unneeded_vault).end()
    check("secrets.vault.ca: " in needed.text(), f"where one is asked for, it is: {needed.text()}")


@case("the real init: what Vault has reaches the workload as file and descriptor; the token is nowhere in its reach")
def arrives():
    standin = vault()
    with policy_of(standin) as world:
        with world.start("time.sleep(30)", numbers=(20,), env=fence.ENVIRONMENT) as run:
            seen = world.seen()
            check_equal(seen["files"]["db/password"][0], VALUE.encode().hex(), "the file")
            check_equal(seen["fds"]["20"][0], b"app".hex(), "the descriptor")
            for pid in [run.pid, *(p for p in run.children() if fence.comm(p).startswith("lazaret"))]:
                for name, content in fence.memory(pid):
                    check(TOKEN.encode() not in content, f"the token is in {name} of {fence.comm(pid)}")
            run.kill(fence.TERM)
            run.wait()
        fetched = {r["obj"]: (r["act"], r["d"]["version"]) for r in world.records("secret.fetch")}
        check_equal(fetched, {"password": ("fetched", "2"), "user": ("fetched", "2")}, "records")
        check("CANARY" not in json.dumps(world.records()) + run.stderr(), "a value or the token in what was said")
    standin.check_rules()


@case("the real init: a token that is a variable of the container leaves its environment, and serves renewals as well")
def leaves():
    standin = vault()
    environment = {**fence.ENVIRONMENT, "VAULT_TOKEN": TOKEN, "OTHER": "CANARYother"}
    more = {"refresh": {"interval": "10s", "min-interval": "1s"}}
    with policy_of(standin, token={"variable": "VAULT_TOKEN"}, **more) as world:
        with world.start("time.sleep(60)", numbers=(20,), env=environment) as run:
            check_equal(world.seen()["files"]["db/password"][0], VALUE.encode().hex(), "the file")
            ours = [p for p in run.children() if fence.comm(p).startswith("lazaret")]
            workload = [p for p in run.children() if p not in ours]
            check(workload and ours, f"processes: {[fence.comm(p) for p in run.children()]}")
            for pid in [run.pid, *ours, *workload]:
                shown = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
                check(TOKEN.encode() not in shown and b"VAULT_TOKEN" not in shown, f"environment of {fence.comm(pid)}: {shown}")
            for pid in [run.pid, *ours]:
                for name, content in fence.memory(pid):
                    check(TOKEN.encode() not in content, f"the token is in {name} of {fence.comm(pid)}")
            asked = len(standin.requests("read"))
            check_equal(world.lazaret("secrets", "rotate", "password")[0], 0, "rotate")
            ship_world.until(lambda: len(standin.requests("read")) > asked, lambda: "nothing was asked for again", 30)
            def state():
                items = json.loads(world.lazaret("secrets", "status", "--json")[1])["secrets"]
                return next(i for i in items if i["name"] == "password")

            ship_world.until(lambda: state()["next_s"] > 2, lambda: f"{state()}", 30)  # 1 s after a failure
            check_equal(state()["state"], "good", f"{state()}")
            run.kill(fence.TERM)
            run.wait()
        check("CANARY" not in json.dumps(world.records()) + run.stderr(), "a value or the token in what was said")
    standin.check_rules()


@case("the real init: each fault ends the start with 103 and one sentence, the workload never ran, nothing lies on the tmpfs")
def faults():
    standin = vault()
    rows = {**{f: s for f, s in FATAL.items() if f != "other-version"}, **{f: "unavailable: " for f in ("503", "reset", "huge")}}
    for fault, expected in list(rows.items()) if laz.LONG else list(rows.items())[::4]:
        standin.rules(fault=fault)
        with policy_of(standin, **{"start-deadline": "1s"} if expected == "unavailable: " else {}) as world:
            code, errors = world.outcome(env=fence.ENVIRONMENT)
            check_equal(code, 103, f"{fault}: {errors}")
            check(re.search(r"secret-unavailable: secrets\.items\[\w+\]: " + expected.rstrip(), errors), f"{fault}: {errors}")
            check(not world.marker.exists(), "the workload ran")
            check_equal([n for n in world.left() if ".." in n], [], "what is left on the tmpfs")
            check("CANARY" not in errors + json.dumps(world.records()), errors)
    standin.check_rules()


laz.main()
