# SPDX-License-Identifier: Apache-2.0
"""The helper fetch on its own, against a stand-in (aws_standin.py) that judges every request and does what services do.

The claim is always the same: either every item's value comes, whole, sealed and as the policy wants it, or none does and
one sentence says which item, which class of fault and which request; and no value is in a sentence.
"""
import base64
import json
import os
import random
import re
import struct
import subprocess
import time
import urllib.request

import fence
import laz
import secret_world as world
from fetch_world import BLOB, CANARY, FATAL, ITEMS, PASSING, TEXT_ONLY, check_fetched, check_refused, fatal_of, fetch_one, held, sample
from laz import case, check, check_equal
from secret_world import ARN, KEY, Helper, Standin, secret

REQUESTS = 2000 if laz.LONG else 200


# ---- What goes well ----


@case("one item of every source, decoded, decrypted and in every form, comes in a sealed memfd; masks are what logs must not show")
def every_source():
    members = {"password": "CANARYpäss", "n": 1, "object": {"a": [1, 2]}, "yes": True}
    text = json.dumps(members).replace('"n": 1', '"n": 1.50e+06')
    standin = Standin(secrets={**secret("prod/db", text), **secret("binary", b"\0CANARY\xff"), **secret("none", "x" * 10)},
                      parameters={"/a/b": {"Value": "CANARYparameter", "Version": 3}, "flat": {"Value": "12345", "Version": 1}},
                      ciphertexts=[{"blob": base64.b64encode(BLOB).decode(), "key": KEY,
                                    "plain": base64.b64encode(b"CANARYkey" + bytes(23)).decode(), "context": {"app": "emr"}}])
    path = standin.folder / "file"
    path.write_bytes(b"CANARYfile\n")
    path.chmod(0o400)
    link = standin.folder / "link"
    link.symlink_to("file")
    hex_blob = base64.b64encode(BLOB).decode()
    items = [
        ({"secrets-manager": ARN + "prod/db-AbCdEf", "region": "eu-west-1", "json-key": "password"}, "CANARYpäss".encode()),
        ({"secrets-manager": ARN + "prod/db", "json-key": "n"}, b"1.50e+06"),
        ({"secrets-manager": "prod/db", "json-key": "object"}, b'{"a": [1, 2]}'),
        ({"secrets-manager": "prod/db", "json-key": "yes"}, b"true"),
        ({"secrets-manager": "binary", "form": "hex"}, b"\0CANARY\xff".hex().encode()),
        ({"parameter": "/a/b", "form": "base64", "newline": True}, base64.b64encode(b"CANARYparameter") + b"\n"),
        ({"parameter": "arn:aws:ssm:eu-west-1:111122223333:parameter/a/b", "region": "eu-west-1"}, b"CANARYparameter"),
        ({"parameter": "/a/b:3", "form": "base64url"}, base64.urlsafe_b64encode(b"CANARYparameter").rstrip(b"=")),
        ({"parameter": "flat"}, b"12345"),
        ({"file": path}, b"CANARYfile\n"),
        ({"file": link}, b"CANARYfile\n"),
        ({"variable": "PLAIN"}, b"CANARYvariable"),
        ({"variable": "BLOB", "decode": "base64", "key": KEY, "context": {"app": "emr"}, "min": 32, "max": 32},
         b"CANARYkey" + bytes(23)),
    ]
    named = [{"name": f"item-{n}", **item} for n, (item, _) in enumerate(items)]
    for wait in range(2):
        result = standin.fetch(named, inherited={"item-11": b"CANARYvariable", "item-12": hex_blob.encode()})
        check_equal((result.text(), result.code, result.words[0], result.words[-2:]), ("", 0, "READY", ["MASKS", "DONE"]),
                    "how it went")
        for n, (_, value) in enumerate(items):
            check_equal(result.values[f"item-{n}"], value, f"item-{n}")
        check_equal(result.items["item-0"][1], "11111111-2222-3333-4444-555555555555", "the version of a secret")
        check_equal((result.items["item-5"][1], result.items["item-9"][1]), ("3", ""), "versions")
        prints = [result.items[f"item-{n}"][2] for n in range(len(items))]
        check(all(re.fullmatch("[0-9a-f]{16}", p) for p in prints), f"fingerprints {prints}")
        check_equal((prints[5], prints[9]), (prints[7], prints[10]), "fingerprints of one value")
        check_equal(len(set(prints)), len(items) - 3, "fingerprints of different values")
        wanted = {"CANARYpäss".encode(), b"1.50e+06", b'{"a": [1, 2]}', b"\0CANARY\xff", b"\0CANARY\xff".hex().encode(),
                  b"CANARYparameter", base64.b64encode(b"CANARYparameter"), b"CANARYfile", b"CANARYvariable",
                  base64.urlsafe_b64encode(b"CANARYparameter").rstrip(b"="), b"CANARYkey" + bytes(23)}
        check_equal(set(sum(result.masks.values(), [])), wanted,
                    "masks: raw and as delivered, of six bytes at least, without line feeds")
        check_equal((result.masks["item-4"], result.masks["item-8"], list(result.masks)),
                    ([b"\0CANARY\xff", b"\0CANARY\xff".hex().encode()], [], [i["name"] for i in named]), "masks of one item")
        check(wait == 0 or prints != before, "a fingerprint is the same with another key")
        before = prints
    standin.check_rules()


@case("stage and version of an ECS string choose the version, and one whose rotation has not finished is not delivered")
def versions():
    old, new = "aaaaaaaa-2222-3333-4444-555555555555", "bbbbbbbb-2222-3333-4444-555555555555"
    held_ = secret("it", "CANARYnew", new)
    held_["it"]["versions"].update(secret("it", "CANARYold", old, ("AWSPREVIOUS", "mine"))["it"]["versions"])
    held_["it"]["versions"].update(secret("it", "CANARYnext", "c" * 36, ("AWSPENDING",))["it"]["versions"])
    standin = Standin(secrets=held_)
    for keys, value in (({}, b"CANARYnew"), ({"stage": "AWSPREVIOUS"}, b"CANARYold"), ({"version": old}, b"CANARYold"),
                        ({"stage": "mine", "version": old}, b"CANARYold"), ({"version": new}, b"CANARYnew")):
        check_fetched(standin.fetch([{"name": "it", "secrets-manager": "it", **keys}]), "it", value)
    for keys in ({"stage": "AWSPENDING"}, {"version": "c" * 36}):
        result = standin.fetch([{"name": "it", "secrets-manager": "it", **keys}])
        check_refused(result, "refused: the version is AWSPENDING: its rotation has not finished", standin)
    result = standin.fetch([{"name": "it", "secrets-manager": "it", "stage": "mine", "version": new}])
    check_refused(result, "not-found: .*answers 400 ResourceNotFoundException", standin)
    standin.check_rules()


@case("twenty secrets are fetched together: as long as the slowest one takes, with one request for credentials")
def together():
    standin = Standin(secrets={k: v for n in range(20) for k, v in secret(f"s{n}", f"CANARY{n}").items()})
    standin.rules(delay=2)
    result = standin.fetch([{"name": f"s{n}", "secrets-manager": f"s{n}"} for n in range(20)])
    check_equal(result.values, {f"s{n}": f"CANARY{n}".encode() for n in range(20)}, "values")
    asked = standin.requests("GetSecretValue")
    check_equal(len(standin.requests("credentials")), 1, "requests for credentials")
    check(asked[-1]["at"] - asked[0]["at"] < 2, "one waits for another")
    check(result.seconds < 20, f"{result.seconds:.2f} s, one after another 40")


@case("whatever the names and contexts: botocore's signer makes the same signature of every request")
def signatures():
    rng = random.Random(11)
    letters = "abcXYZ019/_+=.@-" + "é€😀\"\\ &?%"
    standin, seen = Standin(), 0

    def word(most):
        return "".join(rng.choice(letters) for _ in range(rng.randrange(1, most)))

    while seen < REQUESTS:
        items = [{"name": f"i{n}", "optional": True, rng.choice(("secrets-manager", "parameter")): word(60)}
                 for n in range(31)]
        check_equal(standin.fetch(items).text(), "", "optional items that are not there")
        context = {word(20): word(20) for _ in range(rng.randrange(8))}
        result = standin.fetch([{"name": "k", "variable": "V", "key": KEY, "context": context}], inherited={"k": BLOB})
        check_refused(result, "not-decrypted: .*InvalidCiphertextException", standin, about="k")
        seen += 32
    standin.check_rules()


BOTOCORE = """
import json, sys, botocore.session
port, ca, key, secret, token, calls = json.load(sys.stdin)
for service, call, keys in calls:
    client = botocore.session.Session().create_client(
        service, region_name="eu-west-1", endpoint_url=f"https://127.0.0.1:{port}", verify=ca,
        aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token)
    if "CiphertextBlob" in keys:
        keys["CiphertextBlob"] = bytes.fromhex(keys["CiphertextBlob"])
    answer = getattr(client, call)(**keys)
    value = answer.get("Plaintext") or answer.get("SecretBinary") or answer.get("SecretString")
    value = answer["Parameter"]["Value"] if "Parameter" in answer else value
    print((value if isinstance(value, bytes) else value.encode()).hex())
"""


@case("what is asked is what botocore's own clients ask, and they read the same values in the stand-in's answers")
def as_botocore():
    standin = held("CANARYé\n\"\\")
    value = "CANARYé\n\"\\".encode()
    version = "11111111-2222-3333-4444-555555555555"
    context = {"app": "emr"}
    items = [{"secrets-manager": "prod/db"}, {"secrets-manager": ARN + "prod/db-AbCdEf", "stage": "AWSCURRENT"},
             {"secrets-manager": "prod/db", "version": version}, {"parameter": "/prod/db"}, {"parameter": "/prod/db:3"},
             {"variable": "BLOB", "key": KEY, "context": context}]
    calls = [("secretsmanager", "get_secret_value", {"SecretId": "prod/db"}),
             ("secretsmanager", "get_secret_value", {"SecretId": ARN + "prod/db-AbCdEf", "VersionStage": "AWSCURRENT"}),
             ("secretsmanager", "get_secret_value", {"SecretId": "prod/db", "VersionId": version}),
             ("ssm", "get_parameter", {"Name": "/prod/db", "WithDecryption": True}),
             ("ssm", "get_parameter", {"Name": "/prod/db:3", "WithDecryption": True}),
             ("kms", "decrypt", {"CiphertextBlob": BLOB.hex(), "KeyId": KEY, "EncryptionContext": context})]
    result = standin.fetch([{"name": f"i{n}", **item} for n, item in enumerate(items)], inherited={"i5": BLOB})
    check_equal(result.values, {f"i{n}": value for n in range(len(items))}, result.text())
    ours = [r["request"] for r in standin.requests() if "request" in r]
    standin.rules()
    with urllib.request.urlopen(standin.environment()["AWS_CONTAINER_CREDENTIALS_FULL_URI"], timeout=10) as answer:
        made = json.load(answer)
    given = [standin.port, str(standin.ca), made["AccessKeyId"], made["SecretAccessKey"], made["Token"], calls]
    done = subprocess.run([world.PYTHON, "-c", BOTOCORE], input=json.dumps(given), capture_output=True, text=True, check=False,
                          timeout=120)
    check_equal((done.returncode, done.stdout.split()), (0, [value.hex()] * len(calls)), done.stderr[-2000:])
    theirs = [r["request"] for r in standin.requests() if "request" in r]
    check_equal(sorted(map(json.dumps, ours)), sorted(map(json.dumps, theirs)), "requests")
    standin.check_rules()


# ---- What goes wrong ----

@case("faults of each service that do not pass: refused at once, one sentence with class and request id, nothing handed over")
def fatal():
    standin = held()
    for call in ITEMS:
        rows = fatal_of(call)
        for fault in sample(rows, call):
            expected = rows[fault]
            standin.rules(fault=fault, call=call)
            result = fetch_one(standin, call)
            check_refused(result, r"^secrets\.items\[it\]: " + expected, standin)
            tries = len(standin.requests(call))
            check_equal(tries, 2 if fault in ("signature", "expired") else 1, f"{call}, {fault}: requests")
    standin.check_rules()


@case("faults that pass are tried again until they have; throttled ones more slowly, and as the service asks")
def passing():
    standin = held()
    for call in ITEMS:
        for fault in sample(PASSING, call):
            count = 1 if fault in ("429", "throttle") else 2
            standin.rules(fault=fault, call=call, count=count)
            check_fetched(fetch_one(standin, call), "it", CANARY.encode())
            check_equal(len(standin.requests(call)), count + 1, f"{call}, {fault}: requests")
    standin.rules(fault="throttle", count=1, retry_after=1500)
    result = fetch_one(standin)
    check_fetched(result, "it", CANARY.encode())
    check(result.seconds >= 1.5, f"it asked again after {result.seconds} s")
    standin.check_rules()


@case("faults that do not pass until the deadline: unavailable, with the last one; one item that fails delays no other")
def deadline():
    standin = held()
    rows = (("503", "it answers 503"), ("hang", "it has not been answered"),
            ("throttle", "it answers 400 ThrottlingException"), ("reset", "."), ("truncated", "."), ("huge", "."))
    for fault, said in rows if laz.LONG else rows[:3]:
        standin.rules(fault=fault, hang=20)
        result = fetch_one(standin, wait_ms=1200)
        check_refused(result, f"unavailable: not there after 1200 ms; the last try: .*{said}")
        check(1.2 <= result.seconds < 15, f"{fault}: {result.seconds} s")
    standin.data(secrets={**secret("good", "CANARYgood"), **secret("bad", "CANARYbad")})
    standin.rules(fault="503", about="bad")
    helper = standin.helper([{"name": "bad", "secrets-manager": "bad"}, {"name": "good", "secrets-manager": "good"}],
                         wait_ms=1500)
    check_refused(helper.end(), "unavailable: ", about="bad")
    times = [r["at"] for r in standin.requests() if r.get("what") == "bad"]
    check_equal(len([r for r in standin.requests() if r.get("what") == "good"]), 1, "requests for the one that is there")
    check(3 <= len(times) < 40, f"{len(times)} tries")
    standin.check_rules()


@case("an optional item may be missing, and nothing else: what is denied, unreadable or malformed is refused all the same")
def optional():
    standin = held()
    for item in ({"secrets-manager": "no"}, {"parameter": "/no"}, {"file": "/no/such"}, {"file": "/etc/passwd/x"},
                 {"variable": "NO"}):
        name = str(next(iter(item.values())))
        result = standin.fetch([{"name": "it", "optional": True, **item}, {"name": "is", "secrets-manager": "prod/db"}])
        check_equal((result.text(), result.items["it"], list(result.values)), ("", ("absent", "", ""), ["is"]), name)
        refused = standin.fetch([{"name": "it", **item}])
        check_refused(refused, "not-found: ")
        check(item.get("file", item.get("variable", "answers 400")) in refused.text(), refused.text())
    for fault in ("403", "404", "denied", "deleted", "html", "empty", "wrong-type"):
        standin.rules(fault=fault)
        check_refused(fetch_one(standin, optional=True), ": ", standin)
    standin.rules()
    for path, said in (("/etc", "Is a directory"), ("/dev/zero", "Invalid argument"), ("/proc/self/mem", "")):
        check_refused(standin.fetch([{"name": "it", "optional": True, "file": path}]), f"(refused|system): file {path}: {said}")


@case("a wrong clock is corrected by the service's, expired keys are replaced, a container agent that is late is waited for")
def corrections():
    standin = held()
    for clock in (86400, -86400, 7200):
        standin.rules(clock=clock)
        result = fetch_one(standin)
        check_fetched(result, "it", CANARY.encode())
        said = re.fullmatch(r"the clock here is (\d+) s (behind|ahead of) the service's, by which its requests were signed", result.why["it"])
        check(said and abs(int(said[1]) - abs(clock)) <= 2 and (said[2] == "behind") == (clock > 0), f"{clock}: {result.why}")
        check_equal([r["problem"] and r["problem"][1] for r in standin.requests("GetSecretValue")],
                    ["InvalidSignatureException", None], "answers")
    many = [{"name": f"i{n}", **ITEMS["GetSecretValue"]} for n in range(8)]
    check_equal(len(standin.fetch(many).values), 8, "items together, under a wrong clock")
    standin.rules(fault="expired", count=1)
    result = fetch_one(standin)
    check_fetched(result, "it", CANARY.encode())
    check_equal(result.why["it"], "", "what is said where the clock is right")
    check_equal(len(standin.requests("credentials")), 2, "requests for credentials")
    for fault in ("unready", "garbage"):
        standin.rules(agent=fault)
        result = fetch_one(standin, wait_ms=1000)
        check_refused(result, "credentials: not there after 1000 ms; the last try: credentials from the container agent: ")
        check_equal(standin.requests("GetSecretValue"), [], "requests without credentials")
    result = Helper([{"name": "it", **ITEMS["GetSecretValue"]}], endpoint=f"https://127.0.0.1:{standin.port}", ca=standin.ca,
                    region="eu-west-1").end()
    check_equal(result.error[0], "SECRET", "kind")
    check("no credentials: the task has no role" in result.text(), result.text())
    result = Helper([{"name": "it", **ITEMS["GetSecretValue"]}], ca=standin.ca).end()
    check_refused(result, "system: the region is not known: say secrets.region, or set AWS_REGION$")


@case("json-key, decode and bytes are strict: what does not fit is refused with what is wrong and without what it is")
def strict():
    rows = (
        ('{"a": "CANARYx", "a": "b"}', {"json-key": "a"}, "malformed: json-key \"a\": the value: not JSON: byte "),
        ('{"a": "CANARYx"}', {"json-key": "b"}, 'malformed: json-key "b": there is no such key'),
        ('{"a": null}', {"json-key": "a"}, 'malformed: json-key "a": it is null'),
        ('["CANARYx"]', {"json-key": "a"}, 'malformed: json-key "a": the value is no JSON object'),
        ("CANARYx", {"json-key": "a"}, 'malformed: json-key "a": the value: not JSON'),
        ('{"a": "CANARY\\u0000x"}', {"json-key": "a"}, 'malformed: json-key "a": its text holds a NUL'),
        ('{"a": ""}', {"json-key": "a"}, "length: 0 bytes"),
        ("CANARYx\n", {"decode": "base64"}, "malformed: decode: base64: character 8 is none of base64"),
        ("CANARY===", {"decode": "base64"}, "malformed: decode: base64: its 9 characters are no base64"),
        ("CANARYx=", {"decode": "base64url"}, "malformed: decode: base64url: character 8 is none of base64url"),
        ("QUF=", {"decode": "base64"}, "malformed: decode: base64: its last character has bits left over"),
        ("abc", {"decode": "hex"}, "malformed: decode: hex: its 3 characters are no hex"),
        ("0g", {"decode": "hex"}, "malformed: decode: hex: character 2 is none of hex"),
        ('{"a": "zz"}', {"json-key": "a", "decode": "hex"}, "malformed: decode: hex: character 1 is none of hex"),
        ("CANARYx", {"min": 8, "max": 9}, 'length: 7 bytes, and "bytes" has 8 to 9'),
        ("CANARYx", {"min": 32, "max": 32}, 'length: 7 bytes, and not the 32 of "bytes"'),
    )
    standin = Standin()
    path = standin.folder / "value"
    for text, keys, said in rows:
        path.write_text(text)
        standin.data(secrets=secret("it", text))
        for item in ({"secrets-manager": "it"}, {"file": path}):
            check_refused(standin.fetch([{"name": "it", **item, **keys}]), re.escape(said))
        check_refused(standin.fetch([{"name": "it", "variable": "V", **keys}], inherited={"it": text.encode()}), re.escape(said))
    for value, said in ((b"CANARY\0x", "malformed: expose-in-environment: it holds a NUL: no variable can"),
                        (b"CANARY\xff", "malformed: expose-in-environment: it is not UTF-8, and goes to a variable"),
                        (b"CANARY" * 5462, "length: expose-in-environment: 32772 bytes, and a variable may have 32768")):
        path.write_bytes(value)
        check_refused(standin.fetch([{"name": "it", "file": path, "exposed": True}]), said)
        check_equal(standin.fetch([{"name": "it", "file": path}]).values["it"], value, "control: a file may have it")
    path.write_bytes("CANARY\n\U0001f600=".encode() + b"x" * 32756)
    check_equal(len(standin.fetch([{"name": "it", "file": path, "exposed": True}]).values["it"]), 32768, "as long as it may be")
    for size, expected in ((65536, None), (65537, "length: 65537 bytes"), (131072, "length: longer than 65536 bytes"),
                           (131073, "length: file .*: more than 131072 bytes")):
        path.write_bytes(b"v" * size)
        result = standin.fetch([{"name": "it", "file": path, "form": "hex", "newline": True}])
        if expected:
            check_refused(result, expected)
        else:
            check_fetched(result, "it", b"76" * size + b"\n")


@case("a server that is not the right one is never spoken to: CA, name, time and protocol [no fall back to plain text]")
def tls():
    for certificate in ("stranger", "expired", "nameless", "foreign"):
        standin = Standin(certificate=certificate, secrets=secret("prod/db", CANARY))
        result = fetch_one(standin, wait_ms=15000)
        check_refused(result, "untrusted: .*during the handshake: the peer's certificate: ")
        check(result.seconds < 8, f"refused after {result.seconds} s: it will not get better")
        check_equal(standin.requests("GetSecretValue"), [], "requests")
    standin = held()
    result = fetch_one(standin, wait_ms=1000, endpoint=f"https://127.0.0.1:{standin.agent}")
    check_refused(result, "unavailable: .*during the handshake: ")
    check_equal(len(standin.requests()), 1, "requests but the one for credentials")
    for ca, said in (("/no/such/ca.pem", "secrets.ca: /no/such/ca.pem: No such file"), ("/etc/passwd", "no certificate in it")):
        result = fetch_one(standin, ca=ca)
        check_equal(result.error[0], "SECRET", "kind")
        check(said in result.text(), result.text())
    result = fetch_one(standin, wait_ms=1000, endpoint=f"https://localhost:{standin.port}")
    check_refused(result, "untrusted: .*localhost: during the handshake: the peer's certificate: .*[Hh]ostname mismatch")
    result = fetch_one(standin, wait_ms=7000, endpoint="")  # longer than one try: the suite's network has no name server
    check_refused(result, "unavailable: .*secretsmanager.eu-west-1.amazonaws.com: it cannot be looked up: ")


# ---- Files ----

WORKLOAD = (10001, 10002, (10003,))


def readable_as(folder, mode=0o755, user=0, group=0):
    """A folder with a file of a foreign value, and a link to it, all of which this user keeps."""
    folder.mkdir()
    for path in (folder / "file", folder / "link"):
        if path.name == "file":
            path.write_bytes(b"CANARYforeign")
        else:
            path.symlink_to("file")
        os.chown(path, user, group, follow_symlinks=False)
    os.chown(folder, user, group)
    folder.chmod(mode)
    return folder


@case("a file, a CA or a token in which the workload has a hand is refused by its part; what others keep for it is read")
def hands():
    top = fence.scratch() / "hands"
    top.mkdir()
    kept = readable_as(top / "kept", 0o775, 100, 10004)
    own = readable_as(top / "own", user=WORKLOAD[0])
    group = readable_as(top / "group", 0o770, 100, WORKLOAD[2][0])
    for path in (kept / "file", kept / "link"):
        check_fetched(Helper([{"name": "it", "file": path}], workload=WORKLOAD).end(), "it", b"CANARYforeign")
    (top / "shared").mkdir()
    (top / "shared").chmod(0o1777)
    (top / "shared" / "kept").symlink_to(kept / "file")
    for path, part in ((own / "link", f"{own} belongs to the workload, user 10001"),
                       (group / "file", f"{group} may be written by the workload's group 10003, mode 0770"),
                       (top / "shared" / "kept", f"{top}/shared/kept is in a folder where everybody may make files")):
        refused = f"refused: file {path}: {part}"
        check_refused(Helper([{"name": "it", "file": path}], workload=WORKLOAD).end(), refused)
        check_refused(Helper([{"name": "it", "file": path, "optional": True}], workload=WORKLOAD).end(), refused)
        # Control: where nobody is kept apart the same path leads to the same file.
        check_fetched(Helper([{"name": "it", "file": path}], workload=(0, 0, ())).end(), "it", b"CANARYforeign")
    vault = {"address": "https://127.0.0.1:1", "ca": own / "link", "token": kept / "file"}
    item = [{"name": "it", "vault": "kv/data/a", "json-key": "a"}]
    agent = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/a", "AWS_REGION": "eu-west-1"}
    for result, said in (
            (Helper([{"name": "it", "secrets-manager": "a"}], agent, endpoint="https://127.0.0.1:1", ca=own / "link").end(),
             f"secrets.ca: {own}/link: {own} belongs"),
            (Helper(item, vault=vault).end(), f"secrets.vault.ca: {own}/link: {own} belongs"),
            (Helper(item, vault={**vault, "ca": world.peers.pki() / "ca.pem", "token": own / "link"}).end(),
             f"credentials: token file {own}/link: {own} belongs")):
        check_equal(result.error and result.error[0], "SECRET", said)
        check(said in result.text(), result.text())


@case("what is mounted for reading alone is nobody's to write: a volume as Kubernetes makes them is read through its links")
def read_only():
    volume = fence.scratch() / "volume"
    volume.mkdir()
    lines = (f"mount -t tmpfs -o mode=1777 none {volume}; mkdir {volume}/..1; echo -n CANARYfile > {volume}/..1/key",
             f"chown -R 10001 {volume}/..1; ln -s ..1 {volume}/..data; ln -s ..data/key {volume}/key")
    item = [{"name": "it", "file": volume / "key"}]
    for last, is_read in ((f"mount -o remount,ro {volume}", True), ("true", False)):
        wrapper = ("unshare", "--mount", "sh", "-ec", f'{"; ".join(lines)}; {last}; exec "$@"', "-")
        result = Helper(item, wrapper=wrapper, workload=WORKLOAD).end()
        if is_read:
            check_fetched(result, "it", b"CANARYfile")
        else:
            check_refused(result, f"refused: file {volume}/key: {volume}/key is in a folder where everybody may make files")


# ---- Each for itself ----


def check_failed(result, name, expected, standin=None):
    """Only this one, with its reason, in the words that a refusal would have."""
    why = result.why[name]
    check_equal((result.text(), result.is_done, result.code, result.items[name]), ("", True, 0, ("failed", "", "")), why)
    check(name not in result.values and name not in result.masks, f"{name} has a value")
    check(re.match(expected, why), f"{why!r} is not {expected!r}")
    check("CANARY" not in why and "ASIA" not in why and len(why) <= 255, f"{why!r}")
    if standin is not None:
        named = re.search(r"\(request ([0-9a-f-]+)\)$", why)
        check(named and named[1] in [r.get("id") for r in standin.requests()], f"{why!r} names no request")


@case("each for itself: every fault of a service is that item's own, by its class; the others come as if it were not there")
def each():
    standin = Standin(secrets={**secret("good", CANARY), **secret("bad", CANARY)},
                      parameters={"/bad": {"Value": CANARY, "Version": 3}})
    items = [{"name": "bad", "secrets-manager": "bad"}, {"name": "good", "secrets-manager": "good"},
             {"name": "parameter", "parameter": "/bad"}, {"name": "f", "file": "/no/such"}]
    faults = {k: v for k, v in {**FATAL, **TEXT_ONLY}.items() if k not in ("signature", "expired", "no-parameter")}
    for number, (fault, expected) in enumerate(faults.items()):
        if number % 3 and not laz.LONG:
            continue
        standin.rules(fault=fault, about="bad")
        result = standin.fetch(items, whole=False)
        expected = expected.replace("not-found", "(not-found|refused)")
        for name in ("bad", "parameter"):
            check_failed(result, name, expected, standin)
        check_failed(result, "f", "not-found: file /no/such: No such file or directory$")
        check_fetched(result, "good", CANARY.encode())
        check_equal((list(result.values), list(result.masks)), (["good"], ["good"]), f"{fault}: who has a value")
        check_equal(len(standin.requests("GetSecretValue")), 2, f"{fault}: requests")
    standin.check_rules()


@case("each for itself: the deadline ends only those that are not there, and whoever is there has been told of at once")
def each_deadline():
    names = ["first", "hangs", "down", "late", "gone"]
    standin = Standin(secrets={k: v for name in names[:4] for k, v in secret(name, "CANARY" + name).items()})
    standin.rules(hang=30, faults=[{"about": "hangs", "fault": "hang"}, {"about": "down", "fault": "503"},
                                  {"about": "late", "fault": "503", "count": 2}])
    items = [{"name": name, "secrets-manager": name, "optional": name == "gone"} for name in names]
    result = standin.fetch(items, whole=False, wait_ms=2500)
    check_failed(result, "hangs", "unavailable: not there after 2500 ms; the last try: it has not been answered$")
    check_failed(result, "down", r"unavailable: not there after 2500 ms; the last try: 127\.0\.0\.1: it answers 503 .*request ")
    for name in ("first", "late"):
        check_fetched(result, name, b"CANARY" + name.encode())
    check_equal(result.items["gone"][0], "absent", "an optional one that is not there")
    check(result.why["gone"].startswith("not-found: ") and result.why["first"] == "", f"{result.why}")
    check(result.at["first"] < 2.5 and result.at["hangs"] >= 2.5, f"{result.at}")
    check(2.5 <= result.seconds < 15, f"{result.seconds} s")
    asked = [r for r in standin.requests() if r.get("what") == "first"]
    check_equal(len(asked), 1, "requests for the one that was there")
    standin.check_rules()


@case("only what is wanted is asked for, opened and spoken of; a key makes fingerprints of two runs comparable")
def wanted():
    standin = Standin(secrets={**secret("a", CANARY), **secret("b", CANARY), **secret("c", CANARY + "c")})
    pipe = standin.folder / "pipe"
    os.mkfifo(pipe)
    items = [{"name": "a", "secrets-manager": "a"}, {"name": "b", "secrets-manager": "b"}, {"name": "c", "secrets-manager": "c"},
             {"name": "pipe", "file": pipe}]
    prints = {}
    for key, want, whole in (("k" * 32, "a", True), ("k" * 32, "bc", False), ("j" * 32, "a", False)):
        standin.rules()
        result = standin.fetch(items, want=list(want), whole=whole, key=key.encode())
        check_equal((result.text(), result.code, sorted(result.items)), ("", 0, list(want)), "what it speaks of")
        check_equal(sorted(r["what"] for r in standin.requests("GetSecretValue")), list(want), "what it asks for")
        check_equal(set(result.times.values()), {(0, 0)}, "times of what has none")
        prints.update({key[0] + name: item[2] for name, item in result.items.items()})
    check_equal(prints["ka"], prints["kb"], "one value, one key")
    check_equal(len(set(prints.values())), 3, f"other values or keys: {prints}")
    result = standin.fetch(items, want=["pipe"], whole=False)
    check_failed(result, "pipe", "refused: file ")
    check_equal(len(standin.requests("credentials")), 1, "credentials for a file")
    standin.check_rules()


@case("a reason that is too long for its message is cut, but not its request; a wish that no init has ends it by name")
def wishes():
    standin = Standin(secrets=secret("it", "{}"))
    result = standin.fetch([{"name": "it", "secrets-manager": "it", "json-key": "k" * 200}], whole=False)
    check_failed(result, "it", 'malformed: json-key "k{64}": there is no such key ', standin)
    path = "/no/" + "p" * 240
    result = standin.fetch([{"name": "it", "file": path}], whole=False)
    check_failed(result, "it", "not-found: file /no/ppp")
    good = struct.pack("<IBI", 1, 0, 1000)
    for fields in (b"", good + b"\0", struct.pack("<IBI", 0, 0, 1000), struct.pack("<IBI", 2, 0, 1000),
                   struct.pack("<IBI", 1, 2, 1000), struct.pack("<IBI", 1, 0, 0), struct.pack("<IBI", 1, 0, 600001)):
        result = Helper([{"name": "it", "variable": "V"}], last=("WANT", fields)).end()
        check_equal((result.error and result.error[0], result.is_done), ("INTERNAL", False), f"{fields}: {result.words}")
        check(result.text().startswith("no such wish: items "), result.text())
    for key in (b"", b"k" * 31):
        result = Helper([{"name": "it", "variable": "V"}], last=("KEY", key)).end()
        check_equal((result.error[0], result.text()), ("INTERNAL", "the key of fingerprints is not there"), f"{key}")


if __name__ == "__main__":
    laz.main()
