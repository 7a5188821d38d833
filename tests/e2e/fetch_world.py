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
