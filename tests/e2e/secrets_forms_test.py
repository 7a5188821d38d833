# SPDX-License-Identifier: Apache-2.0
"""Values of several members: as JSON, and as dotenv files that a shell, Python and Node read as one and the same.

The claim is about readers that we did not write: what all of them read is what the source has, or the value is refused.
"""
import base64
import hashlib
import json
import os
import random
import shutil
import subprocess

import area
import fence
import laz
import ship_world
from laz import case, check, check_equal
from secret_world import ARN, PYTHON, Standin, secret
from secrets_world import World

LETTERS = "abcXYZ019 #='\"\\$`{}!~*?[]()<>|&;%^@:,.-_+/\té€😀"
ROUNDS = 400 if laz.LONG else 20
ENVIRONMENT = {"PATH": area.PATH, "LANG": "C.UTF-8", "x": "EXPANDED", "a": "EXPANDED"}

SH = r'set -a; . "$1"; exec /usr/bin/python3 -c "import json,os; print(json.dumps(dict(os.environ)))"'
DOTENV = "import dotenv, json, sys; print(json.dumps(dotenv.dotenv_values(sys.argv[1])))"
NODE = "console.log(JSON.stringify(process.env))"


def run(*command):
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60)
    check_equal(done.returncode, 0, f"{command[0]}: {done.stderr[-800:]}")
    return json.loads(done.stdout)


def readers():
    """Name and command of each that is here; those that are not are counted."""
    found = [(name, [name, "-c", SH, "-"]) for name in ("dash", "bash") if shutil.which(name)]
    if subprocess.run([PYTHON, "-c", "import dotenv"], capture_output=True, check=False).returncode == 0:
        found.append(("python-dotenv", [PYTHON, "-c", DOTENV]))
    node = shutil.which("node")
    if node and subprocess.run([node, "--env-file=/dev/null", "-e", ""], capture_output=True, check=False).returncode == 0:
        found.append(("node", [node]))
    return found


def read_all(path, members):
    for name, command in readers():
        words = [*command, f"--env-file={path}", "-e", NODE] if name == "node" else [*command, path]
        seen = run(*words)
        for key, value in members.items():
            check_equal(seen.get(key), value, f"{key} as {name} reads it, of {open(path, encoding='utf-8').read()!r}")


def fetch(members, form):
    standin = fetch.standin
    standin.data(secrets=secret("it", members if isinstance(members, str) else json.dumps(members)))
    return standin.fetch([{"name": "it", "secrets-manager": "it", "form": form}])


@case("dotenv: a shell, bash, python-dotenv and Node read the same values, which are the source's")
def alike():
    fetch.standin = Standin()
    check(len(readers()) >= 3, f"only {[n for n, _ in readers()]} are here")
    rng = random.Random(5)
    path, taken, refused = fetch.standin.folder / "env", 0, 0
    members = {"PLAIN": "CANARYplain", "SPACE": " two words ", "HASH": "a#b # c", "QUOTE": "it's", "DOUBLE": 'say "x"', "EMPTY": "",
               "DOLLAR": "$x$a", "BACKSLASH": r"a\nb\t", "TICK": "`id`", "EQUALS": "a=b=c", "UNICODE": "é€😀", "BANG": "!a!"}
    number = '{"N": 1.50e+06, "B": true}'
    check_equal(fetch(number, "dotenv").values["it"], b"N='1.50e+06'\nB='true'\n", "numbers are as they are written")
    for n in range(ROUNDS):
        result = fetch(members, "dotenv")
        if result.error is None:
            taken += 1
            path.write_bytes(result.values["it"])
            check_equal(path.read_text().count("\n"), len(members), "lines")
            read_all(path, members)
        else:
            refused += 1
            check(n > 0, result.text())
            check("form: dotenv: member " in result.text() and "CANARY" not in result.text(), result.text())
        members = {f"V{i}": "".join(rng.choice(LETTERS) for _ in range(rng.randrange(20))) for i in range(2)}
    check(taken > ROUNDS / 4 and refused > 0, f"{taken} taken, {refused} refused")
    fetch.standin.check_rules()


@case("dotenv: what readers take for different values, and names that no variable has, are refused by the member's number")
def refused():
    fetch.standin = Standin()
    for value in ("a\\\\b", "end\\", "${x}", "a\nb", "a\rb", "it's $x", "it's \"x\"", "\x7f", "it's !"):
        result = fetch({"GOOD": "x", "V": "CANARY" + value}, "dotenv")
        check("malformed: form: dotenv: member 2 of the value is not the same" in result.text(), f"{value!r}: {result.text()}")
        check("CANARY" not in result.text() and not result.values, result.text())
    for name in ("a-b", "1a", "", "a b", "a.b", "é", "A=B"):
        result = fetch({name: "CANARYvalue"}, "dotenv")
        check("malformed: form: dotenv: the name of member 1 is no variable's" in result.text(), f"{name!r}: {result.text()}")


@case("json: the object in one spelling, numbers as they are written; members that are no single values are refused")
def objects():
    fetch.standin = Standin()
    text = ' {"b" : "CANARY\\u00e9\\/\\n", "a":1.50e+06 ,"t":true, "x y":"" } '
    result = fetch(text, "json")
    check_equal(result.values.get("it"), '{"b":"CANARYé/\\u000a","a":1.50e+06,"t":true,"x y":""}'.encode(), result.text())
    check_equal(json.loads(result.values["it"]), json.loads(text), "as a reader sees it")
    for bad, said in (('{"a":null}', "member 1"), ('{"a":1,"b":["CANARY"]}', "member 2"), ('{"a":{"CANARY":1}}', "member 1"),
                      ('["CANARY"]', "no JSON object"), ('"CANARY"', "no JSON object"), ("CANARY", "not JSON"), ("{}", "without members"),
                      ('{"a":1,"a":2}', "not JSON"), ('{"a":"CANARY\\u0000"}', "holds a NUL")):
        result = fetch(bad, "json")
        check(result.text().startswith("secrets.items[it]: malformed: form: json: ") and said in result.text(), f"{bad}: {result.text()}")
        check("CANARY" not in result.text() and not result.values, result.text())


@case("masks: the value, its form, and the value of each member of six bytes and more")
def masks():
    fetch.standin = Standin()
    text = '{"A": "CANARYone", "B":"CANARYt\\u0077o", "C":"short", "N":1234567}'
    for form, rendered in (("json", b'{"A":"CANARYone","B":"CANARYtwo","C":"short","N":1234567}'),
                           ("dotenv", b"A='CANARYone'\nB='CANARYtwo'\nC='short'\nN='1234567'")):
        result = fetch(text, form)
        check_equal(result.text(), "", form)
        check_equal(set(result.masks["it"]), {text.encode(), rendered, b"CANARYone", b"CANARYtwo", b"1234567"}, f"masks of {form}")


@case("masks: as many members as ship takes, and one more is refused by name")
def many():
    fetch.standin = Standin()
    whole = {f"n{i}": f"CANARY{i}" for i in range(512)}
    result = fetch(json.dumps(whole), "json")
    check_equal((result.text(), len(result.masks["it"])), ("", 514), "512 members")
    result = fetch(json.dumps({**whole, "more": "CANARY-more"}), "json")
    check(result.text().startswith("secrets.items[it]: length: it has more members of 6 bytes and more than logs can be kept free of "
                                   "(514 texts)"), f"513 members: {result.text()}")
    check(not result.values, "a value came all the same")


@case("jwk, jwks: the key, its kid and its alg as a reader of JSON sees them; k alone is masked; a key of another length is refused")
def keys():
    services = Standin()
    for value, alg in ((bytes(range(200, 232)), "A256GCM"), (b"\0" * 16, "A128GCM"), (b"\xff\xfe\xfd" * 9, "")):
        services.data(secrets=secret("it", value))
        jwk = {"kty": "oct", "k": base64.urlsafe_b64encode(value).decode().rstrip("="), "kid": hashlib.sha256(value).hexdigest()[:16],
               **({"alg": alg} if alg else {})}
        for form, wanted in (("jwk", jwk), ("jwks", {"keys": [jwk]})):
            result = services.fetch([{"name": "it", "secrets-manager": "it", "form": form, "alg": alg}])
            check_equal(json.loads(result.values.get("it", b"0")), wanted, result.text())
            check(jwk["k"].encode() in result.masks["it"] and value in result.masks["it"], f"masks {result.masks}")
    result = services.fetch([{"name": "it", "secrets-manager": "it", "form": "jwk", "alg": "A256GCM", "min": 32, "max": 32}])
    check(result.text().startswith('secrets.items[it]: length: 27 bytes, and not the 32 of "bytes"'), result.text())


NOW, BEFORE = bytes(range(32)), bytes(range(100, 132))


def jwk_of(key, alg="A256GCM"):
    """As any reader of RFC 7517 would have it."""
    return {"kty": "oct", "k": base64.urlsafe_b64encode(key).decode().rstrip("="), "kid": hashlib.sha256(key).hexdigest()[:16], "alg": alg}


OPENS = """
const {subtle} = require("crypto").webcrypto, bytes = (hex) => Buffer.from(hex, "hex");
(async () => {
    const said = [];
    for (const {jwk, nonce, sealed} of JSON.parse(require("fs").readFileSync(0))) {
        try {
            const key = await subtle.importKey("jwk", jwk, "AES-GCM", false, ["decrypt"]);
            said.push(Buffer.from(await subtle.decrypt({name: "AES-GCM", iv: bytes(nonce)}, key, bytes(sealed))).toString());
        } catch (why) { said.push(why.name); }
    }
    console.log(JSON.stringify(said));
})();
"""
SEALS = """
import json, os, sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
nonces = [os.urandom(12) for _ in sys.argv[1:]]
print(json.dumps([[nonce.hex(), AESGCM(bytes.fromhex(key)).encrypt(nonce, b"text", None).hex()] for nonce, key in zip(nonces, sys.argv[1:])]))
"""


def opened(pairs):
    """What Node's WebCrypto makes of each (JWK, raw key with which Python has sealed): the text, or the name of its error."""
    sealed = run(PYTHON, "-c", SEALS, *(key.hex() for _, key in pairs))
    rows = [{"jwk": jwk, "nonce": nonce, "sealed": text} for (jwk, _), (nonce, text) in zip(pairs, sealed)]
    done = subprocess.run(["node", "-e", OPENS], input=json.dumps(rows), env=ENVIRONMENT, capture_output=True, text=True, check=False,
                          timeout=60)
    check_equal(done.returncode, 0, done.stderr[-800:])
    return json.loads(done.stdout)


@case("jwk, jwks: Node's WebCrypto imports the key, and opens with it what Python has sealed with the raw one; no other key does")
def imported():
    if not shutil.which("node"):
        laz.skip("no node")
    services, pairs = Standin(), []
    for key, alg in ((NOW, "A256GCM"), (NOW[:16], "A128GCM"), (NOW, "")):
        services.data(secrets=secret("it", key))
        for form in ("jwk", "jwks"):
            result = services.fetch([{"name": "it", "secrets-manager": "it", "form": form, "alg": alg}])
            jwk = json.loads(result.values.get("it", b"0"))
            pairs.append((jwk["keys"][0] if form == "jwks" else jwk, key))
    services.data(secrets=rotated(NOW, BEFORE))
    both = json.loads(services.fetch(key_items()).values.get("phi", b"0"))["keys"]
    pairs += zip(both, (NOW, BEFORE))
    check_equal(opened(pairs), ["text"] * 8, "what Node opens")
    jwk = pairs[0][0]
    others = [(both[1], NOW), (jwk, bytes((NOW[0] ^ 1,)) + NOW[1:]), (jwk | {"alg": "A192GCM"}, NOW), (jwk | {"k": jwk["k"][:-4]}, NOW)]
    check_equal(opened(others), ["OperationError"] * 2 + ["DataError"] * 2, "control: other keys, and what is no such key")


def rotated(*keys):
    """A secret with these: the current one, the one before it."""
    versions = {}
    for n, (key, stage) in enumerate(zip(keys, ("AWSCURRENT", "AWSPREVIOUS"))):
        held = {"SecretBinary": base64.b64encode(key).decode()}
        versions[f"{n + 1}" * 8 + "-2222-3333-4444-555555555555"] = {"stages": [stage], **held}
    return {"phi": {"ARN": f"{ARN}phi-AbCdEf", "versions": versions}}


def key_items(**more):
    """What a policy's `keys` becomes: the key, and the item with the one before it."""
    both = {"secrets-manager": "phi", "is-key": True, "min": 32, "max": 32, **more}
    return [{"name": "phi", "form": "jwks", "alg": "A256GCM", "previous": "phi.previous", **both},
            {"name": "phi.previous", "stage": "AWSPREVIOUS", "optional": True, **both}]


@case("keys: a set has the current key first, and the one before it if there is one; which answer comes first changes nothing")
def sets():
    services = Standin()
    for keys, wanted in (((NOW, BEFORE), [NOW, BEFORE]), ((NOW,), [NOW]), ((NOW, NOW), [NOW])):
        services.data(secrets=rotated(*keys))
        for slow in ("AWSPREVIOUS", '"SecretId": "phi"}', ""):
            services.rules(**({"slow": slow, "delay": 0.3} if slow else {}))
            result = services.fetch(key_items())
            check_equal(json.loads(result.values.get("phi", b"0")), {"keys": [jwk_of(key) for key in wanted]}, f"{slow}: {result.text()}")
            check_equal(result.items["phi"][1][:8], "11111111", "the version is the current key's")
            check_equal(result.items["phi.previous"][0], "fetched" if len(keys) > 1 else "absent", "the one before")
            wanted_masks = {mask for key in wanted for mask in (key, jwk_of(key)["k"].encode())}
            check(wanted_masks <= set(result.masks["phi"]), f"masks {result.masks}")
    services.check_rules()


@case("keys: where each is for itself, the one before comes with its key, is not told of, and has changed where only that has")
def renewed():
    services, prints, key = Standin(), [], b"k" * 32
    for keys in ((NOW, BEFORE), (NOW, BEFORE), (NOW, NOW), (NOW,), (BEFORE, NOW)):
        services.data(secrets=rotated(*keys))
        result = services.fetch(key_items(), want=["phi"], whole=False, key=key)
        check_equal((result.text(), sorted(result.items), sorted(result.values)), ("", ["phi"], ["phi"]), f"{result.why}")
        prints.append(result.items["phi"][2])
    check_equal((prints[0] == prints[1], prints[2] == prints[3], len(set(prints))), (True, True, 3), f"{prints}")
    for fault, expected in (("denied", "unavailable: keys[phi.previous] is not there: denied: "),):
        services.data(secrets=rotated(NOW, BEFORE))
        for slow in ("AWSPREVIOUS", ""):
            services.rules(faults=[{"fault": fault, "about": "AWSPREVIOUS"}], **({"slow": slow, "delay": 0.3} if slow else {}))
            result = services.fetch(key_items(), want=["phi"], whole=False)
            check_equal((result.text(), result.items["phi"][0], result.values), ("", "failed", {}), f"{result.why}")
            check(result.why["phi"].startswith(expected), result.why["phi"])


@case("keys: one that is not as it must be, now or before, is refused by name, and nothing is handed over")
def no_keys():
    services = Standin()
    for keys, rules, expected in (
            ((NOW[1:], BEFORE), {}, 'keys[phi]: length: 31 bytes, and not the 32 of "bytes"'),
            ((NOW, BEFORE[1:]), {}, 'keys[phi.previous]: length: 31 bytes, and not the 32 of "bytes"'),
            ((), {}, "keys[phi]: not-found: "),
            ((NOW, BEFORE), {"faults": [{"fault": "denied", "about": "AWSPREVIOUS"}]}, "keys[phi.previous]: denied: "),
            ((NOW, BEFORE), {"slow": "AWSPREVIOUS", "delay": 4}, "keys[phi.previous]: unavailable: not there after 1000 ms")):
        services.data(secrets=rotated(*keys))
        services.rules(**rules)
        result = services.fetch(key_items(), wait_ms=1000)
        check(result.text().startswith(expected), f"{expected}: {result.text()}")
        check(not result.values and not result.items, f"{result.items}")


@case("the real init: a policy's keys are files and descriptors, in the forms of their readers")
def real_keys():
    services = Standin(secrets=rotated(NOW, BEFORE))
    source = {"from": {"secrets-manager": "phi"}, "bytes": 32}
    keys = [{"name": "set", **source, "form": "jwks", "alg": "A256GCM", "previous": {}, "file": {"path": "keys/set"}},
            {"name": "one", **source, "form": "jwk", "file": {"path": "keys/one", "mode": "0440"}},
            {"name": "raw", **source, "fd": {"number": 20, "variable": "PHI_KEY_FD"}},
            *({"name": form, **source, "form": form, "file": {"path": f"keys/{form}"}} for form in ("hex", "base64", "base64url"))]
    changes = {"keys": keys, "secrets": {"ca": str(services.ca), "endpoints": {"secrets-manager": f"https://127.0.0.1:{services.port}"}}}
    with World([], {}, real=True, changes=changes) as world:
        code, errors = world.outcome(numbers=(20,), env={**fence.ENVIRONMENT, **services.environment()})
        check_equal(code, 0, errors)
        files = {name: bytes.fromhex(seen[0]) for name, seen in world.seen()["files"].items()}
        check_equal(json.loads(files.pop("keys/set")), {"keys": [jwk_of(NOW), jwk_of(BEFORE)]}, "set")
        check_equal(json.loads(files.pop("keys/one")), {k: v for k, v in jwk_of(NOW).items() if k != "alg"}, "one")
        check_equal(bytes.fromhex(world.seen()["fds"]["20"][0]), NOW, "the descriptor")
        check_equal(files, {"keys/hex": NOW.hex().encode(), "keys/base64": base64.b64encode(NOW),
                            "keys/base64url": base64.urlsafe_b64encode(NOW).rstrip(b"=")}, "files")
        fetched = {r["obj"]: r["act"] for r in world.records("secret.fetch")}
        check_equal(fetched, dict.fromkeys([k["name"] for k in keys] + ["set.previous"], "fetched"), "events")
    services.check_rules()


@case("the real init: a key that is rotated becomes the first of its set, the one before stays readable, and nothing says either")
def rotated_key():
    services = Standin(secrets=rotated(NOW))
    source = {"from": {"secrets-manager": "phi"}, "bytes": 32, "form": "jwks", "alg": "A256GCM", "previous": {}}
    changes = {"keys": [{"name": "phi", **source, "file": {"path": "phi"}}],
               "secrets": {"ca": str(services.ca), "endpoints": {"secrets-manager": f"https://127.0.0.1:{services.port}"},
                           "refresh": {"interval": "10s", "min-interval": "1s", "jitter": "0%"}}}
    with World([], {}, real=True, changes=changes) as world:
        with world.start("time.sleep(60)", env={**fence.ENVIRONMENT, **services.environment()}) as run:
            check_equal(json.loads(bytes.fromhex(world.seen()["files"]["phi"][0])), {"keys": [jwk_of(NOW)]}, "at the start")
            services.data(secrets=rotated(BEFORE, NOW))
            ship_world.until(lambda: world.records("secret.rotate") or run.has_ended(0.01), run.describe, 25)
            check_equal([(r["obj"], r["act"]) for r in world.records("secret.rotate")], [("phi", "rotated")], "what has changed")
            folder = world.disk.seen(world.dir)
            path = folder / os.readlink(folder / "..data") / "phi"
            check_equal(json.loads(path.read_text()), {"keys": [jwk_of(BEFORE), jwk_of(NOW)]}, "the set")
            run.kill(fence.TERM)
            run.wait()
        said = json.dumps(world.records()) + run.stderr()
        check(not any(jwk_of(key)["k"] in said or key.hex() in said for key in (NOW, BEFORE)), "a key is in what was said")
    services.check_rules()


laz.main()
