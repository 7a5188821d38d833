# SPDX-License-Identifier: Apache-2.0
"""tls.identities: a key and its certificates are judged together before the workload starts, and written anew.

Either all that an identity says holds, or nothing of it is handed over, and one sentence says what does not hold. The
refusals are those of the table in docs/reference/certificates.md; the real helper is told each, without an init around it.
"""
import calendar
import contextlib
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import adapters
import area
import fence
import laz
import secret_world
import ship_world
import vault_world
from certificate_world import LEAF, NAMES, PARTS, certificates, check_refused, good, openssl, policy, texts
from laz import case, check, check_equal
from secret_world import Helper
from secrets_world import World

DOCS = laz.ROOT / "docs/reference/certificates.md"
UID = adapters.WORKLOAD_UID


@contextlib.contextmanager
def about(what):
    """A failure within says which row it was."""
    try:
        yield
    except laz.Failed as why:
        raise laz.Failed(f"{what}: {why}") from None


def judge(chain, key, parts=("cert", "chain", "key", "bundle"), want=None, whole=True, **identity):
    """What the helper makes of these two texts, told as init would tell it. None: it is not there."""
    identity = {"name": "web", "from": {"secrets": {"certificate": "c", "key": "k"}}, **identity}
    items = [{"name": "c", "variable": "C"}, {"name": "k", "variable": "K"},
             *({"name": f"web.{p}", "identity": "web", "part": p} for p in parts)]
    inherited = {k: v for k, v in (("c", chain), ("k", key)) if v is not None}
    return Helper(items, inherited=inherited, identities=[identity], want=want, whole=whole).end()


# What is wrong with a leaf: what is said of it, and the sentence.
WRONG = {
    "another name": ({"dns": ["other.internal"]}, r'certificate: it does not have the name dns "app\.internal"'),
    "a name is missing": ({"uri": []}, r'certificate: it does not have the name uri "spiffe://corp/app"'),
    "an additional name": ({"dns": [*NAMES["dns"], "evil.internal"]},
                           r'certificate: it has a name that was not asked for: dns "evil\.internal"'),
    "an additional address": ({"ip": [*NAMES["ip"], "10.9.9.9"]},
                              r"certificate: it has a name that was not asked for: ip 10\.9\.9\.9"),
    "a name of another kind": ({"email": ["a@b.test"]}, r"not asked for: a name of another kind than dns, ip and uri"),
    "a common name": ({"cn": "evil.internal"}, r'it has a common name that was not asked for: "evil\.internal"'),
    "no names": ({"dns": [], "ip": [], "uri": []}, r"certificate: it has no alternative names"),
    "expired": ({"from": -9000, "to": -5}, r"certificate: it was good until 20.*Z; the clock here says 20"),
    "not yet valid": ({"from": 900, "to": 90000}, r"certificate: it is not good before 20.*Z; the clock here says 20"),
    "for clients": ({"purposes": ["client"]}, r"certificate: it is not for servers: no serverAuth"),
    "for more": ({"purposes": ["server", "code"]}, r"certificate: its extended key usage has more than serverAuth and clientAuth"),
    "for anything": ({"purposes": ["server", "any"]}, r"certificate: its extended key usage has more than"),
    "for nothing": ({"purposes": []}, r"certificate: it has no extended key usage"),
    "a CA": ({"ca": True}, r"certificate: it is that of a CA: CA:TRUE"),
    "signs certificates": ({"usage": ["digital_signature", "key_cert_sign"]}, r"certificate: (its key usage permits to sign|its chain does not hold)"),
    "no signatures": ({"usage": ["key_encipherment"]}, r"certificate: its key usage has no digitalSignature"),
    "a weak key": ({"key": "rsa-1024"}, r"certificate: its key is RSA of 1024 bits, and not of 2048 to 8192"),
    "another curve": ({"key": "ec-k1"}, r"certificate: its key is neither RSA nor on P-256, P-384 or P-521"),
    "another algorithm": ({"key": "ed25519"}, r"certificate: its key is neither RSA nor on P-256"),
    "SHA-1": ({"hash": "SHA1"}, r"certificate: its chain does not hold, at depth 0: .*(weak|too weak)"),
    "of another root": ({"issuer": "other"}, r"its chain does not hold, at depth \d: .*issuer certificate: an intermediate is missing"),
    "of one that may not": ({"issuer": "narrow"}, r"its chain does not hold, at depth 0: permitted subtree violation"),
    "of an expired one": ({"issuer": "past"}, r"its chain does not hold, at depth 1: certificate has expired"),
    "of one on another curve": ({"issuer": "k1-ca"}, r"its chain does not hold, at depth 1: its key is neither RSA nor on P-256, P-384 or P-521"),
    "below one of Ed25519": ({"issuer": "below-edwards"}, r"its chain does not hold, at depth 2: its key is neither RSA nor on P-256, P-384 or P-521"),
    "of a weak one": ({"issuer": "weak-ca"}, r"its chain does not hold, at depth 1: .*too weak"),
}


# What is sent of who is above the leaf, where that is not its issuer alone.
ABOVE = {"other": [], "below-edwards": ["below-edwards", "edwards"]}


def wrong_rows():
    return [{**LEAF, "name": f"wrong-{i}", **said} for i, (said, _) in enumerate(WRONG.values())]


@case("whatever a certificate is not that was asked for, it is refused by name, and nothing is handed over")
def refuses():
    rows = wrong_rows()
    folder = certificates(*rows)
    for (what, (_, expected)), row in zip(WRONG.items(), rows):
        chain = texts(folder, row["name"], *ABOVE.get(row["issuer"], [row["issuer"]]))
        with about(what):
            check_refused(judge(chain, (folder / f"{row['name']}.key").read_bytes(), san=NAMES, ca=folder / "root.pem"), expected)


def check_given(result, folder, name, above):
    """All four parts, written anew, and no more of the chain than leads to the CA."""
    check_equal(result.text(), "", "an error")
    values = {part: result.values[f"web.{part}"] for part in ("cert", "chain", "key", "bundle")}
    check_equal(values["cert"], openssl("x509", "-in", folder / f"{name}.pem"), "cert")
    check_equal(values["chain"], b"".join(openssl("x509", "-in", folder / f"{n}.pem") for n in (name, *above)), "chain")
    check_equal(values["key"], openssl("pkey", "-in", folder / f"{name}.key"), "key")
    check_equal(values["bundle"], values["key"] + values["chain"], "bundle")
    serial = openssl("x509", "-in", folder / f"{name}.pem", "-noout", "-serial").decode().strip().partition("=")[2]
    check_equal({result.items[f"web.{p}"][1] for p in values}, {serial}, "versions")
    lines = [line for line in values["key"].splitlines() if not line.startswith(b"-")]
    check_equal({k: v for k, v in result.masks.items() if k.startswith("web.") and v},
                {"web.key": [values["key"].rstrip(), b"".join(lines)]}, "what ship hides, line by line, of the parts")


@case("what holds is given: the leaf, its chain in order whatever order it came in, the key, and both in one file")
def gives():
    folder = good()
    root = folder / "root.pem"
    for name, given, above in (
            ("ec", ("ec", "inter"), ("inter",)), ("rsa", ("rsa", "inter"), ("inter",)), ("p384", ("p384", "inter"), ("inter",)),
            ("deep", ("deep", "third", "second"), ("third", "second")), ("deep", ("deep", "second", "third"), ("third", "second")),
            ("deep", ("deep", "root", "second", "other", "third"), ("third", "second")),
            ("traditional", ("traditional", "inter"), ("inter",)), ("clock", ("clock", "inter"), ("inter",))):
        with about(f"{name} of {given}"):
            check_given(judge(texts(folder, *given), (folder / f"{name}.key").read_bytes(), san=NAMES, ca=root), folder, name, above)
    key = (folder / "both.key").read_bytes()
    for purpose in ("server", "client", "both"):
        check_given(judge(texts(folder, "both", "inter"), key, purpose=purpose, ca=root), folder, "both", ("inter",))
    check_given(judge(texts(folder, "both", "inter", "root"), key), folder, "both", ("inter",))
    check_given(judge(texts(folder, "both"), key), folder, "both", ())


@case("each for itself: what an identity is made of is asked for with it, told of only if wanted, and missed by name")
def each():
    folder = good()
    chain, key = texts(folder, "ec", "inter"), (folder / "ec.key").read_bytes()
    parts = ["web.cert", "web.key"]
    given = judge(chain, key, want=parts, whole=False, san=NAMES, ca=folder / "root.pem")
    check_equal((given.text(), sorted(given.values), given.code), ("", parts, 0), f"{given.why}")
    for what, text, its_key, expected in (
            ("another key", chain, (folder / "rsa.key").read_bytes(), "certificate: it belongs to another key"),
            ("no chain", None, key, r"unavailable: secrets\.items\[c\] is not there: not-found: variable C: it is not set"),
            ("no key", chain, None, r"unavailable: secrets\.items\[k\] is not there: not-found: variable K: it is not set")):
        for want in (parts, ["c", "k", *parts]):
            with about(what):
                result = judge(text, its_key, want=want, whole=False, san=NAMES, ca=folder / "root.pem")
                check_equal((result.text(), result.is_done, result.code, sorted(result.items)), ("", True, 0, sorted(want)), "the end")
                for part in parts:
                    check_equal(result.items[part][0], "failed", part)
                    check(re.match(expected, result.why[part]), f"{result.why[part]!r} is not {expected!r}")
                there = {name for name, text_ in (("c", text), ("k", its_key)) if text_ is not None and name in want}
                check_equal(set(result.values), there, "what is there")


@case("a chain is as good as its narrowest CA: what is to be for both is for both all the way up")
def narrow_cas():
    both = {**LEAF, "purposes": ["server", "client"]}
    folder = certificates({**both, "name": "by-server", "issuer": "server-ca"}, {**both, "name": "by-client", "issuer": "client-ca"})
    for name, good_for in (("server", "server"), ("client", "client")):
        for purpose in ("server", "client", "both"):
            result = judge(texts(folder, f"by-{name}", f"{name}-ca"), (folder / f"by-{name}.key").read_bytes(),
                           purpose=purpose, ca=folder / "root.pem")
            with about(f"{purpose}, of a CA for {name}s"):
                if purpose == good_for:
                    check_given(result, folder, f"by-{name}", (f"{name}-ca",))
                else:
                    check_refused(result, r"its chain does not hold, at depth 1: unsuit(able|ed) certificate purpose")


@case("text that is no certificate or no key, in any way, is refused by its line, and nothing of it is said")
def malformed():
    folder = good()
    chain, key = texts(folder, "ec", "inter"), (folder / "ec.key").read_bytes()
    lines = chain.splitlines(keepends=True)
    for what, text, its_key, expected in (
            ("nothing", b"\n", key, "certificate: c: there is no certificate in it"),
            ("junk behind", chain + b"CANARYjunk\n", key, r"certificate: c: line \d+: text that belongs to no block"),
            ("junk before", b"CANARYjunk\n" + chain, key, "certificate: c: line 1: text that belongs to no block"),
            ("cut", chain[:-40], key, r"certificate: c: line \d+: "),
            ("a line less", b"".join(lines[:3] + lines[4:]), key, r"certificate: c: line \d+: no certificate ends here"),
            ("a short line", b"".join([*lines[:2], lines[2][:20] + b"\n", *lines[3:]]), key, r"c: line \d+: no base64 in lines of one length"),
            ("not base64", chain.replace(b"MII", b"M*I", 1), key, r"certificate: c: line 2: no base64"),
            ("a request", chain.replace(b"CERTIFICATE", b"CERTIFICATE REQUEST"), key, "c: line 1: a block that is no certificate"),
            ("a key among them", chain + key, key, r"certificate: c: line \d+: a private key among certificates"),
            ("seventeen", texts(folder, *["ec"] * 17), key, "certificate: c: more than 16 certificates"),
            ("NUL", chain + b"\0", key, r"certificate: c: line \d+: text that belongs"),
            ("no key", chain, b"", "certificate: k: there is no private key in it|length: "),
            ("a certificate for a key", chain, chain, r"certificate: k: line \d+: a certificate, and not a private key"),
            ("two keys", chain, key + key, r"certificate: k: line \d+: something follows the private key"),
            ("a passphrase", chain, (folder / "locked.key").read_bytes(), "certificate: k: line 1: the key has a passphrase"),
            ("half a key", chain, key[:60] + b"\n-----END PRIVATE KEY-----\n", "certificate: k: line "),
            ("another key", chain, (folder / "rsa.key").read_bytes(), "certificate: it belongs to another key"),
            ("the intermediate first", texts(folder, "inter", "ec"), key, "certificate: it belongs to another key"),
            ("no intermediate", texts(folder, "ec"), key, "at depth 0: .*issuer certificate: an intermediate is missing")):
        with about(what):
            result = judge(text, its_key or b"\n", san=NAMES, ca=folder / "root.pem")
            check_refused(result, expected)
            check("CANARY" not in result.text(), result.text())
    check_refused(judge(chain, key, ca=folder / "absent.pem"), r"refused: ca .*/absent\.pem: No such file")
    own = folder / "own"
    own.mkdir()
    os.chown(own, 10001, 0)
    (own / "ca.pem").symlink_to(folder / "root.pem")
    check_refused(judge(chain, key, ca=own / "ca.pem"), f"refused: ca {own}/ca.pem: {own} belongs to the workload")
    check_refused(judge(chain, key, ca=folder / "ec.key"), r"refused: ca .*/ec\.key: line \d+: a private key among")
    check_refused(judge(chain, key, ca=folder / "other.pem"), "its chain does not hold, at depth 1: ")
    check_refused(judge(chain, key, ca=folder / "inter.pem"), "its chain does not hold, at depth 1: ")


@case("each refusal of a certificate is in the table of the docs")
def documented():
    said = DOCS.read_text()
    for sentence in re.findall(r'"((?:it|its) [^"]{12,}?)(?:: [a-z]+|")', (laz.ROOT / "lib/secret/chain.c").read_text()):
        words = re.split(r"%[a-z.0-9]*", sentence)[0].strip()
        check(words in said, f"{words!r} is not in {DOCS.name}")


CA = "arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/1234abcd-12ab-34cd-56ef-1234567890ab"
TEMPLATE = "arn:aws:acm-pca:::template/EndEntityServerAuthCertificate/V1"
FROM_PCA = {"acm-pca": CA, "template": TEMPLATE, "signing": "SHA256WITHECDSA", "validity": 7 * 86400}
FROM_VAULT = {"vault-pki": "pki/sign/web", "validity": 86400}


def with_ca(standin):
    """The stand-in with the keys of a CA."""
    for name in ("root.pem", "inter.pem", "inter.key"):
        shutil.copy(good() / name, standin.folder / name)
    return standin


@functools.cache
def pca():
    return with_ca(secret_world.Standin(pca=CA))


@functools.cache
def vault():
    return with_ca(vault_world.Vault(tokens=[vault_world.TOKEN], roles={"pki/sign/web": {}}))


def issue(standin, name="web", parts=PARTS, keys=None, **identity):
    """An identity whose key is made in the helper."""
    source = FROM_VAULT if isinstance(standin, vault_world.Vault) else FROM_PCA
    identity = {"name": name, "from": source, "san": NAMES, "ca": good() / "root.pem", **identity}
    region = "eu-west-1" if "acm-pca" in identity["from"] else ""
    items = [{"name": f"{name}.{p}", "identity": name, "part": p, "region": region} for p in parts]
    return standin.fetch(items, identities=[identity], **(keys or {}))


def check_issued(result, seconds, kind="ec-p256", purposes=("TLS Web Server Authentication",)):
    """A new key, a certificate of it, and its chain up to the root."""
    check_equal(result.text(), "", "an error")
    values = {part: result.values[f"web.{part}"] for part in PARTS}
    check_equal(values["bundle"], values["key"] + values["chain"], "bundle")
    check(values["chain"].startswith(values["cert"]), "the leaf is not the first")
    inter = openssl("x509", "-in", good() / "inter.pem")
    check_equal(values["chain"], values["cert"] + inter, "the chain")
    said = openssl("x509", "-noout", "-text", text=values["cert"]).decode()
    check_equal(openssl("x509", "-noout", "-pubkey", text=values["cert"]), openssl("pkey", "-pubout", text=values["key"]), "the key")
    for name in ("DNS:app.internal", "DNS:*.app.internal", "IP Address:10.0.0.7", "URI:spiffe://corp/app", *purposes):
        check(name in said, f"{name} is not in {said}")
    check({"ec-p256": "prime256v1", "ec-p384": "secp384r1", "rsa-2048": "2048 bit", "rsa-3072": "3072 bit"}[kind] in said, said)
    end = subprocess.run(["openssl", "x509", "-noout", "-checkend", str(seconds - 60)], input=values["cert"], capture_output=True, check=False)
    check_equal(end.returncode, 0, "how long it is good for")
    return values


@case("AWS Private CA signs a key that is made here: of each kind, for each purpose, after it was asked again and again")
def of_pca():
    standin = pca()
    for kind in ("ec-p256", "ec-p384", "rsa-2048", *(("rsa-3072",) if laz.LONG else ())):
        standin.rules(pending=3)
        check_issued(issue(standin, key=kind), 7 * 86400, kind)
        check_equal([r["call"] for r in standin.requests() if r["call"] != "credentials"], ["IssueCertificate"] + ["GetCertificate"] * 4, kind)
    standin.rules()
    seen = {check_issued(issue(standin), 7 * 86400)["key"] for _ in range(2)}
    check_equal(len(seen), 2, "keys of two runs")
    both = {**FROM_PCA, "template": "arn:aws:acm-pca:::template/EndEntityCertificate/V1", "validity": 5400}
    check_issued(issue(standin, purpose="both", **{"from": both}), 5400,
                 purposes=("TLS Web Server Authentication", "TLS Web Client Authentication"))
    check_issued(issue(standin, ca=""), 7 * 86400)
    standin.check_rules()


@case("Vault signs a key that is made here")
def of_vault():
    standin = vault()
    for kind in ("ec-p256", "rsa-2048"):
        standin.rules()
        check_issued(issue(standin, key=kind), 86400, kind)
    check_equal([r["method"] for r in standin.requests()], ["POST"], "one call")
    check_refused(issue(standin, **{"from": {**FROM_VAULT, "vault-pki": "pki/sign/other"}}), r"^tls.identities\[web\]: refused: 127.0.0.1: it answers 400")
    for wrong, expected in (({"dns": ["evil.internal"]}, "it does not have the name"), ({"stranger": True}, "it belongs to another key"),
                            ({"to": 10 * 86400}, "it is good for longer than was asked for")):
        standin.rules(issue=wrong)
        check_refused(issue(standin), "certificate: " + expected)
    standin.check_rules()


@case("a CA that gives anything but what was asked for is refused by name, whoever it is")
def hostile():
    standin = pca()
    for wrong, expected in (
            ({"stranger": True}, "certificate: it belongs to another key"), ({"dns": ["evil.internal"]}, "certificate: it does not have the name dns"),
            ({"dns": [*NAMES["dns"], "evil.internal"]}, 'certificate: it has a name that was not asked for: dns "evil.internal"'),
            ({"cn": "evil.internal"}, "certificate: it has a common name that was not asked for"),
            ({"from": -9000, "to": -5}, "certificate: it was good until"), ({"from": 900}, "certificate: it is not good before"),
            ({"to": 8 * 86400}, "certificate: it is good for longer than was asked for"),
            ({"purposes": ["client"]}, "certificate: it is not for servers"), ({"ca": True}, "certificate: it is that of a CA"),
            ({"chain": "none"}, "certificate: its chain does not hold, at depth 0: .*an intermediate is missing"),
            ({"behind": "\nCANARYjunk"}, r"certificate: the answer: line \d+: text that belongs to no block"),
            ({"behind": "\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, r"the answer: line \d+: no certificate ends here")):
        standin.rules(issue=wrong)
        with about(str(wrong)):
            check_refused(issue(standin), expected + ".*")
    standin.rules(issue={"chain": "reversed"})
    check_issued(issue(standin), 7 * 86400)
    standin.check_rules()


PCA_FAULTS = (
    ({"fault": "denied", "call": "IssueCertificate"}, r"denied: 127.0.0.1: .*AccessDeniedException.*\(request [0-9a-f-]{36}\)"),
    ({"fault": "denied", "call": "GetCertificate"}, r"denied: 127.0.0.1: .*AccessDenied"),
    ({"fault": "gone", "call": "IssueCertificate"}, "not-found: "),
    ({"fault": "not-json", "call": "GetCertificate"}, "malformed: the answer"),
    ({"fault": "not-json", "call": "IssueCertificate"}, "malformed: the answer"),
    ({"fault": "other", "call": "IssueCertificate"}, "malformed: the answer has no CertificateArn of the CA"),
    ({"fault": "missing", "call": "GetCertificate"}, "malformed: the answer has no Certificate"),
    ({"fault": "null", "call": "GetCertificate"}, "malformed: the answer has no Certificate"))
VAULT_FAULTS = (
    ({"fault": "403", "call": "sign"}, "denied: 127.0.0.1: it answers 403"),
    ({"fault": "503", "call": "sign"}, "unavailable: "),
    ({"fault": "redirect", "call": "sign"}, "refused: "),
    ({"fault": "no-mount", "call": "sign"}, "(not-found|refused): "),
    ({"fault": "html", "call": "sign"}, "malformed: "))


@case("what a service says while it signs is told with its class, its request and what was asked")
def faults():
    standin = pca()
    for rules, expected in PCA_FAULTS:
        standin.rules(**rules)
        with about(str(rules)):
            check_refused(issue(standin), expected)
    standin.rules(pending=1 << 20)
    check_refused(issue(standin, keys={"wait_ms": 1500}), "unavailable: not there after 1500 ms; the last try: .*RequestInProgressException")
    standin.rules(fault="500", count=2)
    check_issued(issue(standin), 7 * 86400)
    check_equal(len({r["request"]["IdempotencyToken"] for r in standin.requests("IssueCertificate")}), 1, "tokens of one request")
    standin.rules()
    check_refused(issue(standin, **{"from": {**FROM_PCA, "signing": "SHA256WITHRSA"}}), "refused: .*InvalidArgsException")


def numbers(key):
    """What of a private key is secret: {name: {order of its bytes: as a number lies in memory}}."""
    said, found = openssl("pkey", "-noout", "-text", text=key).decode(), {}
    for name, digits in re.findall(r"(?m)^(priv|privateExponent|prime1|prime2):\s+((?:[0-9a-f:]|\s)+?)(?=\n\S)", said):
        number = int(re.sub(r"[^0-9a-f]", "", digits), 16)
        size = (number.bit_length() + 7) // 8
        found[name] = {order: number.to_bytes(size, order) for order in ("little", "big")}
    check(len(found) in (1, 3), f"numbers of a key: {list(found)}")
    return found


def snapshot(pid):
    """Every page of a process that can be written to: (is it locked and in no dump, its bytes)."""
    found, flags = [], {}
    for entry in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", pathlib.Path(f"/proc/{pid}/smaps").read_text())[1:]:
        place = entry.split()[0]
        flags[place] = re.search(r"VmFlags: (.*)", entry)[1].split()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for place, words in flags.items():
            first, last = (int(n, 16) for n in place.split("-"))
            if "wr" in words:
                memory.seek(first)
                try:
                    found.append(({"lo", "dd"} <= set(words), memory.read(last - first)))
                except OSError:
                    continue
    return found


@case("while a CA signs, the key that was made is in locked pages alone, which are in no dump; a text of it is nowhere")
def locked():
    standin = pca()
    for kind in ("ec-p256", "ec-p384", "rsa-2048"):
        standin.rules(pending=4)
        identity = {"name": "web", "from": FROM_PCA, "san": NAMES, "ca": good() / "root.pem", "key": kind}
        items = [{"name": f"web.{p}", "identity": "web", "part": p, "region": "eu-west-1"} for p in PARTS]
        helper = standin.helper(items, identities=[identity])
        ship_world.until(lambda: standin.requests("GetCertificate"), lambda: f"{kind}: nobody asked", 20)
        os.kill(helper.process.pid, signal.SIGSTOP)
        pages = snapshot(helper.process.pid)
        os.kill(helper.process.pid, signal.SIGCONT)
        result = helper.end()
        check_equal(result.text(), "", kind)
        key = result.values["web.key"]
        for name, forms in numbers(key).items():
            for order, text in forms.items():
                hits = [is_locked for is_locked, data in pages if text in data]
                check(all(hits), f"{kind}: {name} is in pages that are not locked, {order}-endian")
                check(hits or order == "big", f"{kind}: {name} is nowhere: the search sees nothing")
        for line in key.splitlines()[2:-2]:
            check(not any(line in data for _, data in pages), f"{kind}: a line of the PEM is in memory already")


def serving(world):
    """What a workload does that serves with its bundle, in Python."""
    return ("import socket, ssl; c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); "
            f"c.load_cert_chain('{world.dir}/tls/web/bundle.pem'); keep = open('{world.dir}/tls/web/key.pem').read(); "
            "s = socket.create_server(('127.0.0.1', 0)); "
            f"open('{world.folder}/port.new', 'w').write(str(s.getsockname()[1])); "
            f"import os; os.rename('{world.folder}/port.new', '{world.folder}/port')\n"
            "while True:\n n = s.accept()[0]\n try:\n  c.wrap_socket(n, server_side=True).sendall(b'hello')\n except OSError: pass\n")


def check_of_nobody_else(world, run, key):
    """While it serves: no line of the key's text and none of its numbers in a process of ours; of a text ship has what it masks."""
    ship_world.until(lambda: world.pid("lazaret-fetch") is None, "the end of fetch")
    texts_of, secret = key.splitlines()[2:-2], [text for forms in numbers(key).values() for text in forms.values()]
    ours = {fence.comm(p): p for p in [run.pid, *run.children()] if fence.comm(p).startswith("lazaret-")}
    expected = ["lazaret-init", "lazaret-launch", *(["lazaret-ship"] if world.sinks else [])]
    check_equal(sorted(ours), expected, "who is there")
    for who, pid in ours.items():
        for name, content in fence.memory(pid):
            check(not any(text in content for text in secret), f"{name} of {who}: a number of the key")
            check(who == "lazaret-ship" or not any(line in content for line in texts_of), f"{name} of {who}: a line of the key")
    workload = b"".join(content for _, content in fence.memory(world.pid("python3")))
    check(all(line in workload for line in texts_of), "control: the text is not found in the workload that has read it")
    check(any(text in workload for text in secret), "control: the number is not found in the workload that signs with it")


def check_served(world, folder, is_of_files, **start):
    """Files, a handshake that a client believes, events, and nothing left; what the files have."""
    with world.start(serving(world), **start) as run:
        seen = world.seen()
        files = {n: bytes.fromhex(v[0]) for n, v in seen["files"].items()}
        check_equal({n: v[1:] for n, v in seen["files"].items()},
                    {f"tls/web/{n}.pem": [UID, UID, "0o400"] for n in PARTS}, "files")
        greet(world, run, folder)
        check_of_nobody_else(world, run, files["tls/web/key.pem"])
        run.kill(fence.TERM)
        run.wait()
    serial = openssl("x509", "-noout", "-serial", text=files["tls/web/cert.pem"]).decode().strip().partition("=")[2]
    fetched = {r["obj"]: r["d"]["version"] for r in world.records("secret.fetch")}
    inner = {f"web.in.{n}": "" for n in ("cert", "key")} if is_of_files else {}
    check_equal(fetched, {**inner, **{f"web.{n}": serial for n in PARTS}}, "events")
    key = files["tls/web/key.pem"].splitlines()[1]
    check(key.decode() not in json.dumps(world.records()) + run.stderr(), "the key is in what was said")
    check_equal(world.left(), [], "what is left on the tmpfs")
    return files


@case("a workload gets the files of its identity, a server runs with them and is believed; events name the serial number")
def whole_way():
    folder = good()
    with World([], {}, real=True, changes={"tls": {"identities": [policy(folder)]}}) as world:
        files = check_served(world, folder, True)
        check_equal(files["tls/web/key.pem"], openssl("pkey", "-in", folder / "ec.key"), "key")


@case("a key that a container makes, and AWS Private CA signs, serves; no process of ours has it then, and of its text ship what it masks")
def whole_way_of_pca():
    services = pca()
    services.rules(pending=2)
    source = {"acm-pca": CA, "signing": "SHA256WITHECDSA", "validity": "24h"}
    changes = {"tls": {"identities": [policy(good(), **{"from": source})]},
               "secrets": {"ca": str(services.ca), "endpoints": {"acm-pca": f"https://127.0.0.1:{services.port}"}}}
    with World([], {}, real=True, changes=changes) as world:
        world.sinks = [{"name": "trail", "type": "file", "path": str(world.trail), "classes": ["audit", "ids", "log"], "required": True}]
        check_served(world, good(), False, env={**fence.ENVIRONMENT, **services.environment()})
    services.check_rules()


def greet(world, run, folder):
    """A client that believes the root alone, and the name."""
    ship_world.until(lambda: (world.folder / "port").exists(), run.describe, 15)
    port = int((world.folder / "port").read_text())
    out = subprocess.run(["nsenter", "-n", "-t", str(run.pid), "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile",
                          str(folder / "root.pem"), "-verify_return_error", "-verify_hostname", "app.internal", "-quiet"],
                         input=b"", capture_output=True, check=False, timeout=20)
    check(b"hello" in out.stdout, f"{out.stdout} {out.stderr}")


@case("a container whose identity is not what the policy says does not start: exit code 103, one sentence, no file")
def does_not_start():
    folder = good()
    changes = {"tls": {"identities": [policy(folder, san={"dns": ["other.internal"]})]}}
    with World([], {}, real=True, changes=changes) as world:
        code, said = world.outcome()
        check_equal(code, 103, said)
        check('tls.identities[web]: certificate: it does not have the name dns "other.internal"' in said, said)
        check(not world.marker.exists(), "the workload has run")
        check_equal(world.left(), [], "what is left")


@case("a CA that refuses, fails or says nonsense: the container does not start: exit code 103, one sentence, no file")
def does_not_start_without_its_ca():
    rows = [(pca, rules, expected) for rules, expected in PCA_FAULTS] + [(vault, rules, expected) for rules, expected in VAULT_FAULTS]
    for make, rules, expected in rows if laz.LONG else rows[::2]:
        standin = make()
        url = f"https://127.0.0.1:{standin.port}"
        source = {**FROM_PCA, "validity": "7d"} if make is pca else {**FROM_VAULT, "validity": "24h"}
        where = {"endpoints": {"acm-pca": url}} if make is pca else \
            {"vault": {"address": url, "ca": str(standin.ca), "auth": {"token": {"file": str(standin.token)}}}}
        changes = {"secrets": {"ca": str(standin.ca), "start-deadline": "1s" if expected.startswith("unavailable") else "8s", **where},
                   "tls": {"identities": [{**policy(good()), "from": source}]}}
        standin.rules(**rules)
        with about(f"{make.__name__}: {rules}"), World([], {}, real=True, changes=changes) as world:
            code, said = world.outcome(env={**fence.ENVIRONMENT, **(standin.environment() if make is pca else {})})
            check_equal(code, 103, said)
            check(re.search(r"tls\.identities\[web\]: " + expected, said), f"{expected!r} is not in {said}")
            check(not world.marker.exists(), "the workload has run")
            check_equal(world.left(), [], "what is left")
            check("PRIVATE" not in said and "CANARY" not in said, said)


LIFE = 90 if laz.LONG else 15  # seconds

# Loads the pair again and again, through the link and in one generation, as a program would; and says each HUP.
WATCHING = """
import signal, ssl
def say(word):
    with open(out + '.said', 'a') as file:
        file.write(word + '\\n')
signal.signal(signal.SIGHUP, lambda *_: say('hup ' + os.readlink(data)))
known = ''
while True:
    place = os.readlink(data)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        below = folder + '/' + place + '/tls/web/'
        context.load_cert_chain(below + 'chain.pem', below + 'key.pem')
        context.load_cert_chain(folder + '/tls/web/bundle.pem')
        if place != known:
            say('pair ' + place)
            known = place
    except (OSError, ssl.SSLError) as error:
        if place == os.readlink(data):
            say('mixed ' + repr(error))
    time.sleep(0.005)
"""


class Renewing:
    """A container whose identity is renewed, and what it says of it."""

    def __init__(self, env=None, secrets=None, **identity):
        said = {"grace": "2s", "start-deadline": "5s", "refresh": {"interval": "10s", "jitter": "0%", "min-interval": "1s"}}
        web = policy(good(), **{"on-change": {"signal": "HUP"}, **identity})
        self.world = World([], {}, real=True, changes={"tls": {"identities": [web]}, "secrets": {**said, **(secrets or {})}})
        self.env = {**fence.ENVIRONMENT, **(env or {})}

    @contextlib.contextmanager
    def start(self):
        with self.world, self.world.start(WATCHING, env=self.env) as run:
            self.run = run
            ship_world.until(lambda: "pair ..g1" in self.said(), run.describe, 20)
            yield self
            run.kill(fence.TERM)
            run.wait()
            check_equal([w for w in self.said() if w.startswith("mixed")], [], "pairs that are none")
            check_equal(self.world.left(), [], "what is left on the tmpfs")

    def said(self):
        path = self.world.seen_path.with_name("seen.json.said")
        return path.read_text().splitlines() if path.exists() else []

    def files(self):
        folder = self.world.disk.seen(self.world.dir)
        return {n: (folder / os.readlink(folder / "..data") / f"tls/web/{n}.pem").read_bytes() for n in PARTS}

    def until(self, ev, act, number=1, seconds=30):
        """So many records of this kind, which have to come."""
        def find():
            return [r for r in self.world.records(ev) if r["act"] == act]
        ship_world.until(lambda: len(find()) >= number or self.run.has_ended(0.01),
                         lambda: f"no {ev} {act}: {self.run.describe()} {self.world.records()[-6:]}", seconds)
        check(len(find()) >= number, f"{ev} {act}: {self.run.describe()} {self.world.records()[-6:]}")
        return find()

    def rotate(self):
        """By hand, by the name of any part."""
        code, _, errors = self.world.lazaret("secrets", "rotate", "web.key")
        check_equal(code, 0, errors)

    def check_rotated(self, before, rounds):
        """All parts that are other ones are of one generation and of one certificate, which is that of its key."""
        changed = 4 * rounds
        seen = self.until("secret.rotate", "rotated", changed, LIFE + 10)
        check_equal(sorted(r["obj"] for r in seen[-4:]), sorted(f"web.{p}" for p in PARTS), "what has changed")
        check_equal(len({(r["d"]["version"], r["d"]["generation"]) for r in seen[-4:]}), 1, f"{seen[-4:]}")
        ship_world.until(lambda: f"pair ..g{rounds + 1}" in self.said(), lambda: f"{self.said()}", 10)
        ship_world.until(lambda: f"hup ..g{rounds + 1}" in self.said(), lambda: f"{self.said()}", 10)
        check_equal(len([w for w in self.said() if w.startswith("hup")]), rounds, "each time once")
        files = self.files()
        check_equal(openssl("x509", "-noout", "-pubkey", text=files["cert"]), openssl("pkey", "-pubout", text=files["key"]), "the pair")
        check_equal(files["bundle"], files["key"] + files["chain"], "bundle")
        check(files["chain"].startswith(files["cert"]), "the chain is another one's")
        check(all(files[p] != before[p] for p in PARTS), "a part is as it was")
        return files


def end_of(certificate):
    """When it ends, in seconds of Unix time."""
    text = openssl("x509", "-noout", "-enddate", text=certificate).decode().strip().partition("=")[2]
    return calendar.timegm(time.strptime(text, "%b %d %H:%M:%S %Y GMT"))


@case("a new key and certificate at two thirds of its life, whole, told once by HUP; where the CA is down the pair stays, expires, and is renewed later", beside=True)
def renews():
    services = pca()
    services.rules(issue={"to": LIFE})
    source = {"acm-pca": CA, "signing": "SHA256WITHECDSA", "validity": "24h"}
    it = Renewing(services.environment(), {"ca": str(services.ca), "endpoints": {"acm-pca": f"https://127.0.0.1:{services.port}"}},
                  renew={"jitter": "0%"}, **{"from": source})
    with it.start():
        first = it.files()
        it.until("secret.rotate", "rotated", 4, LIFE + 10)
        passed = 1 - (end_of(first["cert"]) - time.time()) / LIFE
        services.rules(fault="denied", call="IssueCertificate", issue={"to": LIFE})
        check(0.55 < passed < 0.95, f"renewed after {passed:.2f} of its life")
        second = it.check_rotated(first, 1)
        failed = it.until("secret.fetch", "failed", 1, LIFE + 10)
        check_equal((failed[0]["obj"], failed[0]["d"]["failures"]), ("web.cert", 1), "the whole of it has failed, once")
        check(failed[0]["d"]["message"].startswith("denied: "), f"{failed}")
        off = it.until("ready.off", "not-ready", 1, LIFE + 10)[0]
        late = time.time() - end_of(second["cert"])
        check(-1 <= late < 5, f"not ready {late:.1f} s after its end")
        check_equal((off["obj"], off["d"]["item"]), ("expired", "web.cert"), "why")
        check_equal([r["obj"] for r in it.world.records("secret.expired")], ["web.cert"], "what has expired")
        services.rules(issue={"to": LIFE, "stranger": True})
        ship_world.until(lambda: "another key" in json.dumps(it.world.records("secret.fetch")), it.run.describe, 20)
        check_equal(it.files(), second, "what is there stays")
        services.rules(issue={"to": LIFE})
        it.rotate()
        it.until("ready.on", "ready", 1, 20)
        it.check_rotated(second, 2)
    services.check_rules()


@case("out of two files: asked for by hand, both are read again; a certificate without its key is not taken, and with it both are, at once", beside=True)
def renews_files():
    folder = area.folder("renewed")
    for name in ("chain.pem", "ec.key"):
        shutil.copy(good() / name, folder)
    source = {"file": {"certificate": str(folder / "chain.pem"), "key": str(folder / "ec.key")}}
    it = Renewing(**{"from": source})
    with it.start():
        first = it.files()
        (folder / "chain.pem").write_bytes(texts(good(), "p384", "inter"))
        it.rotate()
        failed = it.until("secret.fetch", "failed", 1, 20)
        check_equal(failed[0]["d"]["message"], "certificate: it belongs to another key", f"{failed}")
        check_equal(it.files(), first, "what is there stays")
        (folder / "ec.key").write_bytes((good() / "p384.key").read_bytes())
        it.rotate()
        it.check_rotated(first, 1)
        (folder / "chain.pem").write_bytes(texts(good(), "p384", "inter", "root"))
        it.rotate()
        time.sleep(3)
        check_equal(len(it.world.records("secret.rotate")), 4, "what is the same, and comes otherwise, is no change")


@case("what fetch says of times: when the first of the chain ends, and of what a CA gave, when to ask again")
def times():
    folder = good()
    end = min(end_of((folder / f"{n}.pem").read_bytes()) for n in ("ec", "inter"))
    result = judge(texts(folder, "ec", "inter"), (folder / "ec.key").read_bytes(), san=NAMES, ca=folder / "root.pem")
    check_equal({result.times[f"web.{p}"] for p in PARTS}, {(0, end)}, "of items")
    check_equal(result.times["c"], (0, 0), "an item itself")
    standin = pca()
    seen = set()
    for _ in range(8):
        standin.rules(issue={"to": 1000})
        now = time.time()
        said = issue(standin, renew=(50, 10)).times
        check_equal(len(set(said.values())), 1, f"{said}")
        renew, end = said["web.cert"]
        check(now + 398 <= renew <= now + 610, f"in {renew - now} s")
        check(now + 998 <= end <= now + 1010, f"until {end - now} s")
        seen.add(round(renew - now))
    check(len(seen) > 2, f"no jitter: {seen}")


if __name__ == "__main__":
    laz.main()
