# SPDX-License-Identifier: Apache-2.0
"""Parameters below a path: all pages become one value, or none does, and one sentence says why."""
import json
import random
import re
import string

import fence
from laz import case, check, check_equal
import laz
from secret_world import Standin
from secrets_world import World

PARAMETERS = {"/prod/api/DB_USER": "app", "/prod/api/DB_PASSWORD": "CANARYpass word", "/prod/api/TOKEN": "CANARYtoken",
              "/prod/api/deep/KEY": "CANARYdeep", "/prod/api2/OTHER": "CANARYother", "/prod/x": "CANARYx"}
FLAT = {"DB_PASSWORD": "CANARYpass word", "DB_USER": "app", "TOKEN": "CANARYtoken"}
ITEM = {"name": "it", "parameters": "/prod/api"}


def standin(values=None, **more):
    return Standin(parameters={k: {"Value": v, "Version": 1} for k, v in (values or PARAMETERS).items()}, **more)


def check_refused(result, expected):
    said = result.text()
    check(result.error is not None and re.search(r"^secrets\.items\[it\]: " + expected, said), f"{said!r} is not {expected!r}")
    check("CANARY" not in said and not result.values and not result.is_done, said)


@case("all pages of a path come as one object, sorted, flat or with what is further down, as json, dotenv or one member")
def whole():
    services = standin()
    text = json.dumps(FLAT, separators=(",", ":")).encode()
    tree = json.dumps({**FLAT, "deep/KEY": "CANARYdeep"}, separators=(",", ":")).encode()
    rows = [({"form": "json"}, text), ({"form": "dotenv"}, b"DB_PASSWORD='CANARYpass word'\nDB_USER='app'\nTOKEN='CANARYtoken'\n"),
            ({"json-key": "TOKEN"}, b"CANARYtoken"), ({"json-key": "DB_USER", "form": "hex"}, b"app".hex().encode())]
    for keys, value in rows:
        result = services.fetch([{**ITEM, **keys}])
        check_equal((result.text(), result.values.get("it")), ("", value), f"{keys}")
    result = services.fetch([{"name": "it", "parameter-tree": "/prod/api", "form": "json"}])
    check_equal((result.text(), result.values.get("it")), ("", tree), "with what is further down")
    result = services.fetch([{"name": "it", "parameter-tree": "/prod/api", "json-key": "deep/KEY"}])
    check_equal(result.values.get("it"), b"CANARYdeep", "one of those")
    check_refused(services.fetch([{"name": "it", "parameter-tree": "/prod/api", "form": "dotenv"}]),
                  "malformed: form: dotenv: the name of member 4 is no variable's")
    asked = [r["request"] for r in services.requests("GetParametersByPath")]
    check_equal(asked[:3], [{"Path": "/prod/api", "Recursive": False, "WithDecryption": True, "MaxResults": 10},
                            {"Path": "/prod/api", "Recursive": False, "WithDecryption": True, "MaxResults": 10, "NextToken": 'token=0"\\'},
                            {"Path": "/prod/api", "Recursive": False, "WithDecryption": True, "MaxResults": 10}], "what is asked")
    services.check_rules()


@case("hundreds of parameters with values of any characters: the object is the same whatever order they come in")
def many():
    rng = random.Random(3)
    values = {f"/p/{n:03}{rng.choice(string.ascii_letters)}": "".join(rng.choice('abc"\\/\n\té😀') for _ in range(rng.randrange(40)))
              for n in range(200)}
    seen = set()
    for _ in range(2):
        names = list(values)
        rng.shuffle(names)
        services = standin({n: values[n] for n in names})
        result = services.fetch([{"name": "it", "parameters": "/p", "form": "json"}])
        check_equal(json.loads(result.values.get("it", b"0")), {n[3:]: v for n, v in values.items()}, result.text())
        seen.add(result.values["it"])
        services.check_rules()
    check_equal(len(seen), 1, "spellings")


FATAL = {"page-twice": "malformed: the answer has a parameter twice", "page-elsewhere": "malformed: the answer has a parameter that is not below",
         "page-value": "malformed: the answer has a parameter without name or value", "page-token": "malformed: the answer's NextToken is none",
         "page-none": "malformed: the answer has no Parameters", "page-deep": "malformed: the answer has a parameter that is not below",
         "not-json": "malformed: not JSON", "denied": "denied: 127.0.0.1: it answers 400 AccessDeniedException", "403": "denied: ",
         "404": "refused: ", "redirect": "refused: ", "html": "malformed: not JSON"}


@case("faults: refused by name with the request's id, also on a later page; what passes is tried again; no end is an end")
def faults():
    services = standin()
    for fault, said in FATAL.items():
        services.rules(fault=fault)
        result = services.fetch([{**ITEM, "form": "json"}])
        check_refused(result, said + r".*\(request [0-9a-f-]{36}\)$")
    for fault in ("500", "throttle", "reset", "truncated"):
        services.rules(fault=fault, count=1)
        check_equal(services.fetch([{**ITEM, "json-key": "TOKEN"}]).values.get("it"), b"CANARYtoken", fault)
    services.rules(fault="endless")
    check_refused(services.fetch([{**ITEM, "form": "json"}], wait_ms=60000), "malformed: the answer has no end: 256 pages")
    services.rules()
    missing = {"name": "it", "parameters": "/nothing", "form": "json"}
    check_refused(services.fetch([missing]), "not-found: there is no parameter below the path")
    check_equal(services.fetch([{**missing, "optional": True}]).items["it"][0], "absent", "an optional item")
    large = standin({f"/p/{n}": "L" * 4000 for n in range(40)})
    check_refused(large.fetch([{"name": "it", "parameters": "/p", "form": "json"}]), "length: ")


@case("the real init: a path's parameters are a file that a shell reads; each member is masked; the policy says what it needs")
def arrives():
    services = standin()
    url = f"https://127.0.0.1:{services.port}"
    items = [{"name": "api", "from": {"parameters": "/prod/api/"}, "form": "dotenv", "file": {"path": "api.env"}}]
    with World(items, {}, real=True, changes={"secrets": {"ca": str(services.ca), "endpoints": {"ssm": url}}}) as world:
        code, errors = world.outcome(env={**fence.ENVIRONMENT, **services.environment()})
        check_equal(code, 0, errors)
        seen = bytes.fromhex(world.seen()["files"]["api.env"][0])
        check_equal(seen, b"DB_PASSWORD='CANARYpass word'\nDB_USER='app'\nTOKEN='CANARYtoken'\n", "the file")
    services.check_rules()


laz.main()
