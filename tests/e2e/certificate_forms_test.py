# SPDX-License-Identifier: Apache-2.0
"""Keys and certificates in other forms: PEM of an item written anew, and a key store with a password."""
import re
import subprocess

import adapters
import fence
import laz
from certificate_world import PARTS, check_refused, good, openssl, policy, texts
from laz import case, check, check_equal
from secret_world import Helper
from secrets_world import World

UID = adapters.WORKLOAD_UID


@case("form: pem: a key and certificates of an item are written anew, junk and passphrases are refused by line")
def pem_items():
    folder = good()
    for name, text, wanted in (
            ("PKCS#8", (folder / "ec.key").read_bytes(), openssl("pkey", "-in", folder / "ec.key")),
            ("traditional", b"\n" + (folder / "traditional.key").read_bytes().replace(b"\n", b"\r\n"), openssl("pkey", "-in", folder / "traditional.key")),
            ("RSA", (folder / "rsa.key").read_bytes(), openssl("pkey", "-in", folder / "rsa.key")),
            ("certificates", texts(folder, "ec", "inter"), b"".join(openssl("x509", "-in", folder / f"{n}.pem") for n in ("ec", "inter")))):
        result = Helper([{"name": "it", "variable": "IT", "form": "pem"}], inherited={"it": text}).end()
        check_equal((result.text(), result.values.get("it")), ("", wanted), name)
        line = b"".join(line for line in wanted.splitlines() if not line.startswith(b"-"))
        check({wanted.rstrip(), text.rstrip(), line} <= set(result.masks["it"]), f"{name}: masks")
    for name, text, expected in (
            ("a passphrase", (folder / "locked.key").read_bytes(), "line 1: the key has a passphrase"),
            ("junk", (folder / "ec.key").read_bytes() + b"CANARYjunk\n", r"line \d+: (text that belongs to no block|something follows the private key)"),
            ("both", (folder / "ec.key").read_bytes() + texts(folder, "ec"), r"line \d+: something follows the private key"),
            ("a key behind", texts(folder, "ec") + (folder / "ec.key").read_bytes(), r"line \d+: a private key among certificates"),
            ("words", b"CANARYsecret", "line 1: text that belongs to no block")):
        result = Helper([{"name": "it", "variable": "IT", "form": "pem"}], inherited={"it": text}).end()
        check(re.match(r"secrets\.items\[it\]: malformed: form: pem: " + expected, result.text()), f"{name}: {result.text()}")
        check("CANARY" not in result.text() and not result.values, result.text())


PASSWORD = "CANARYpass word'1"


def stores(chain, key, password, want=None, whole=True, secret_key=None):
    """Likewise, with a key store whose password is an item."""
    identity = {"name": "web", "from": {"secrets": {"certificate": "c", "key": "k"}}, "p12": {"password": "pw"}}
    items = [{"name": n, "variable": n.upper()} for n in ("c", "k", "pw")]
    items += [{"name": f"web.{p}", "identity": "web", "part": p} for p in (*PARTS, "p12")]
    return Helper(items, inherited={"c": chain, "k": key, "pw": password.encode()}, identities=[identity], want=want, whole=whole,
                  key=secret_key).end()


def check_store(path, folder, name):
    """What OpenSSL and Java read of it."""
    said = ["pkcs12", "-in", path, "-passin", f"pass:{PASSWORD}"]
    check_equal(openssl("pkey", text=openssl(*said, "-nodes", "-nocerts")), openssl("pkey", "-in", folder / f"{name}.key"), "its key")
    certificates_of = openssl(*said, "-nokeys")
    for certificate in (name, "inter"):
        check(openssl("x509", "-in", folder / f"{certificate}.pem") in certificates_of, f"{certificate} is not in it")
    done = subprocess.run(["openssl", *said, "-info", "-noout"], capture_output=True, text=True, check=False, timeout=30)
    for words in ("PBES2, PBKDF2, AES-256-CBC, Iteration 10000, PRF hmacWithSHA256", "MAC: sha256, Iteration 10000"):
        check(words in done.stderr, f"{words}: {done.stderr}")
    wrong = subprocess.run(["openssl", "pkcs12", "-in", path, "-passin", "pass:wrong", "-noout"], capture_output=True, check=False, timeout=30)
    check(wrong.returncode != 0, "another password opens it")
    listed = subprocess.run(["keytool", "-list", "-v", "-storetype", "PKCS12", "-keystore", path, "-storepass", PASSWORD],
                            capture_output=True, text=True, check=False, timeout=60)
    check_equal(listed.returncode, 0, listed.stdout + listed.stderr)
    for words in ("Alias name: web", "Entry type: PrivateKeyEntry", "Certificate chain length: 2"):
        check(words in listed.stdout, f"{words}: {listed.stdout}")


@case("p12: key and chain as PKCS#12 with the password of an item, which OpenSSL and Java's keytool read; a new one is no change")
def key_store():
    folder = good()
    for name in ("ec", "rsa"):
        chain, key = texts(folder, name, "inter"), (folder / f"{name}.key").read_bytes()
        first, second = (stores(chain, key, PASSWORD, secret_key=b"k" * 32) for _ in range(2))
        check_equal(first.text(), "", name)
        (folder / "bundle.p12").write_bytes(first.values["web.p12"])
        check_store(folder / "bundle.p12", folder, name)
        check(first.values["web.p12"] != second.values["web.p12"], "salts")
        check_equal(first.items["web.p12"], second.items["web.p12"], "its fingerprint")
        other = stores(chain, key, PASSWORD + "2", secret_key=b"k" * 32)
        check(other.items["web.p12"][2] != first.items["web.p12"][2], "another password is a change")
        check_equal(first.masks["web.p12"], [], "its key and its password are masked as themselves")
        part = stores(chain, key, PASSWORD, want=["web.p12"], whole=False)
        check_equal((part.text(), sorted(part.values)), ("", ["web.p12"]), "with what it is made of")
        without = stores(chain, key, PASSWORD, want=["web.cert"], whole=False)
        check_equal((without.text(), sorted(without.values)), ("", ["web.cert"]), "without it")
    for password in ("x" * 129, "CANARY\n", "CANARYé", "CANARY\0"):
        result = stores(chain, key, password)
        check_refused(result, "certificate: the password of its PKCS#12 is not 1 to 128 characters that can be typed")
        check("CANARY" not in result.text(), result.text())


@case("the real init: a workload gets its key store beside the other files, and its password")
def whole_way_of_store():
    folder = good()
    changes = {"tls": {"identities": [policy(folder, p12={"password": "pw"})]}}
    items = [{"name": "pw", "from": {"variable": "PW"}, "file": {"path": "tls/password"}}]
    with World(items, {}, real=True, changes=changes) as world:
        code, errors = world.outcome(env={**fence.ENVIRONMENT, "PW": PASSWORD})
        check_equal(code, 0, errors)
        seen = world.seen()["files"]
        check_equal(seen["tls/web/bundle.p12"][1:], [UID, UID, "0o400"], "the file")
        check_equal(bytes.fromhex(seen["tls/password"][0]), PASSWORD.encode(), "the password")
        (folder / "real.p12").write_bytes(bytes.fromhex(seen["tls/web/bundle.p12"][0]))
    check_store(folder / "real.p12", folder, "ec")


if __name__ == "__main__":
    laz.main()
