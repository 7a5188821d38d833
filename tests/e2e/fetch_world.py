# SPDX-License-Identifier: Apache-2.0
"""What the suites of the helper fetch share: a stand-in with one value at each service, and what came of one item."""
import base64
import re

import laz
from laz import check, check_equal
from secret_world import KEY, Standin, secret

CANARY = "CANARYvalue-0123456789"
BLOB = b"CANARYblob" * 10


def held(value=CANARY, where=None, **more):
    """The stand-in with one value at each service; `where` it is: wrapper, addresses."""
    plain = value if isinstance(value, bytes) else value.encode()
    return Standin(secrets=secret("prod/db", value, **more), parameters={"/prod/db": {"Value": str(value), "Version": 3}},
                   **(where or {}),
                   ciphertexts=[{"blob": base64.b64encode(BLOB).decode(), "key": KEY,
                                 "plain": base64.b64encode(plain).decode(), "context": {"app": "emr"}}])


ITEMS = {"GetSecretValue": {"secrets-manager": "prod/db"}, "GetParameter": {"parameter": "/prod/db"},
         "Decrypt": {"variable": "BLOB", "key": KEY, "context": {"app": "emr"}}}


def sample(rows, call):
    """All of them for one service, and of the others every third, each service its own; all under --long."""
    if laz.LONG or call == "GetSecretValue":
        return list(rows)
    return list(rows)[list(ITEMS).index(call)::3]


def fetch_one(standin, call="GetSecretValue", **more):
    """The one item of that service."""
    keys = {k: more.pop(k) for k in ("wait_ms", "ca", "endpoint", "environment", "imds", "wrapper") if k in more}
    inherited = {"it": BLOB} if call == "Decrypt" else {}
    return standin.fetch([{"name": "it", **ITEMS[call], **more}], inherited=inherited, **keys)


def check_refused(result, expected, standin=None, about="it"):
    """Nothing was handed over, and the sentence is the expected one, without anything of a value."""
    said = result.text()
    check(result.error is not None, f"it was not refused: {result.items}")
    check_equal((result.error[0], result.values, result.items, result.masks, result.is_done, result.code),
                ("SECRET", {}, {}, {}, False, 1), said)
    check(said.startswith(f"secrets.items[{about}]: "), said)
    check(re.search(expected, said), f"{said!r} is not {expected!r}")
    check("CANARY" not in said and "ASIA" not in said, f"a value in a message: {said}")
    if standin is not None:
        named = re.search(r"\(request ([0-9a-f-]+)\)$", said)
        check(named and named[1] in [r.get("id") for r in standin.requests()], f"{said!r} names no request")


def check_fetched(result, name, value):
    check_equal((result.text(), result.is_done, result.code), ("", True, 0), "how it ended")
    check_equal(result.values[name], value, f"the value of {name}")


# What a service answers: what is said of it, without the item in front and the request behind.
FATAL = {
    "403": "denied: 127.0.0.1: it answers 403 ", "html-403": "denied: 127.0.0.1: it answers 403 ",
    "404": "refused: 127.0.0.1: it answers 404 ", "redirect": "refused: 127.0.0.1: it answers 302 ",
    "denied": "denied: 127.0.0.1: it answers 400 AccessDeniedException ",
    "header-code": "denied: 127.0.0.1: it answers 400 AccessDeniedException ",
    "deleted": "refused: 127.0.0.1: it answers 400 InvalidRequestException ",
    "disabled": "refused: 127.0.0.1: it answers 400 DisabledException ",
    "gone": "not-found: 127.0.0.1: it answers 400 ResourceNotFoundException ",
    "no-parameter": "not-found: 127.0.0.1: it answers 400 ParameterNotFound ",
    "signature": "credentials: 127.0.0.1: it answers 403 InvalidSignatureException ",
    "expired": "credentials: 127.0.0.1: it answers 400 ExpiredTokenException ",
    "html": "malformed: not JSON: byte ", "not-json": "malformed: not JSON: byte ", "tail": "malformed: not JSON: byte ",
    "list": "malformed: the answer is no JSON object ", "twice": "malformed: not JSON: byte ",
    "missing": "malformed: ", "null": "malformed: the answer's value is no string ",
    "wrong-type": "malformed: the answer's value is no string ", "object": "malformed: the answer's value is no string ",
    "empty": 'length: 0 bytes, and "bytes" has 1 to 65536 ',
    "other": "(malformed: the answer is about another (secret|parameter)|other-key: KMS decrypted it with another key) ?",
}
TEXT_ONLY = {"nul": "malformed: the value's text holds a NUL ", "long": 'length: 65537 bytes, and "bytes" has 1 to 65536 '}
PASSING = ("500", "503", "429", "throttle", "reset", "truncated", "garbage", "huge")


def fatal_of(call):
    """What does not pass at this service, and what is said of it."""
    if call != "Decrypt":
        return {**FATAL, **TEXT_ONLY}
    return {**{k: v.replace("refused:", "not-decrypted:") for k, v in FATAL.items()}, "base64": "malformed: the answer's value: ",
            "invalid": "not-decrypted: 127.0.0.1: it answers 400 InvalidCiphertextException "}
