# SPDX-License-Identifier: Apache-2.0
"""Values of several members: as JSON, and as dotenv files that a shell, Python and Node read as one and the same.

The claim is about readers that we did not write: what all of them read is what the source has, or the value is refused.
"""
import base64
import hashlib
import json
import random
import shutil
import subprocess

import area
import laz
from laz import case, check, check_equal
from secret_world import PYTHON, Standin, secret

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


laz.main()
