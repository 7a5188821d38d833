# SPDX-License-Identifier: Apache-2.0
"""A CA of a test's own, what it has signed, and how the helper's answers about identities are read."""
import functools
import json
import pathlib
import re
import subprocess

import area
import secret_world
from laz import check, check_equal

AUTHORITY = pathlib.Path(__file__).resolve().parent / "authority.py"
PARTS = ("cert", "chain", "key", "bundle")
NAMES = {"dns": ["app.internal", "*.app.internal"], "ip": ["10.0.0.7", "2001:db8::7"], "uri": ["spiffe://corp/app"]}
LEAF = {"issuer": "inter", "cn": "app.internal", "purposes": ["server"], **NAMES}
PUBLIC = [
    {"name": "root", "cn": "a test's root", "ca": True},
    {"name": "other", "cn": "another root", "ca": True},
    {"name": "inter", "cn": "a test's intermediate", "ca": True, "path": 0, "issuer": "root"},
    {"name": "second", "cn": "a second one", "ca": True, "path": 1, "issuer": "root"},
    {"name": "third", "cn": "below the second one", "ca": True, "path": 0, "issuer": "second"},
    {"name": "narrow", "cn": "for others", "ca": True, "path": 0, "issuer": "root", "permitted": ["other.internal"]},
    {"name": "past", "cn": "an old one", "ca": True, "path": 0, "issuer": "root", "from": -9000, "to": -100},
    {"name": "server-ca", "cn": "for servers", "ca": True, "path": 0, "issuer": "root", "purposes": ["server"]},
    {"name": "client-ca", "cn": "for clients", "ca": True, "path": 0, "issuer": "root", "purposes": ["client"]},
    {"name": "k1-ca", "cn": "on another curve", "ca": True, "path": 0, "issuer": "root", "key": "ec-k1"},
    {"name": "edwards", "cn": "of another algorithm", "ca": True, "path": 1, "issuer": "root", "key": "ed25519"},
    {"name": "below-edwards", "cn": "below that", "ca": True, "path": 0, "issuer": "edwards"},
    {"name": "weak-ca", "cn": "a weak one", "ca": True, "path": 0, "issuer": "root", "key": "rsa-1024"},
]
GOOD = [
    {**LEAF, "name": "ec"}, {**LEAF, "name": "rsa", "key": "rsa-2048"}, {**LEAF, "name": "p384", "key": "ec-p384"},
    {**LEAF, "name": "deep", "issuer": "third"}, {**LEAF, "name": "traditional", "form": "TraditionalOpenSSL"},
    {**LEAF, "name": "both", "purposes": ["server", "client"]}, {**LEAF, "name": "clock", "from": 200},
    {**LEAF, "name": "locked", "password": "CANARYpassphrase"},
]


def certificates(*rows):
    """A folder with these, and with the CAs of above."""
    folder = area.folder(f"authority-{rows[0]['name']}")
    done = subprocess.run([secret_world.PYTHON, AUTHORITY, folder], input=json.dumps([*PUBLIC, *rows]).encode(),
                          capture_output=True, check=False, timeout=120)
    check_equal(done.returncode, 0, done.stderr.decode())
    return folder


def texts(folder, *names):
    return b"".join((folder / f"{n}.pem").read_bytes() for n in names)


@functools.cache
def good():
    folder = certificates(*GOOD)
    (folder / "chain.pem").write_bytes(texts(folder, "ec", "inter"))
    return folder


def policy(folder, **identity):
    return {"name": "web", "from": {"file": {"certificate": str(folder / "chain.pem"), "key": str(folder / "ec.key")}},
            "ca": str(folder / "root.pem"), "san": NAMES, "files": {"dir": "tls/web"}, **identity}


def check_refused(result, expected):
    said = result.text()
    check(result.error is not None, f"it was not refused: {result.items}")
    check_equal((result.error[0], result.values, result.items, result.is_done, result.code), ("SECRET", {}, {}, False, 1), said)
    check(said.startswith("tls.identities[web]: "), said)
    check(re.search(expected, said), f"{said!r} is not {expected!r}")
    check("PRIVATE" not in said and "MII" not in said, said)


def openssl(*words, text=b""):
    done = subprocess.run(["openssl", *words], input=text, capture_output=True, check=False, timeout=60)
    check_equal(done.returncode, 0, f"openssl {' '.join(map(str, words))}: {done.stderr.decode()}")
    return done.stdout
