# SPDX-License-Identifier: Apache-2.0
"""Every client of ours against every server that is not the right one: each is refused with words that say why, and
none hears a byte of what was meant for another. A client is a row of CLIENTS, a server a row of the tables.
"""
import concurrent.futures
import contextlib
import functools
import json
import re
import socket
import ssl
import subprocess
import threading
import time

import area
import laz
import secret_world
import sinks_peers as peers
import tunnel_world
from hostile_tls_world import (ISSUER, NAME, RETRY, SAN, SERVER, Pki, Server, agent, of_13, offers, record, says,
                               server_hello, tls)
from laz import case, check, check_equal

PROFILES = ("sp800-52r2", "modern")
AT_ONCE = 12  # rows beside each other


# ---- the clients: what each says of the server, and whom it looked for ----


@functools.cache
def hosts():
    path = area.root() / "hosts"
    path.write_text(f"127.0.0.1 localhost {NAME}\n")
    return path


def wrapper():
    return ["unshare", "--mount", "sh", "-ec", 'mount --bind "$0" /etc/hosts; exec "$@"', hosts()]


@functools.cache
def credentials():
    return f"http://127.0.0.1:{agent()}/x"


def fetch(server, name=NAME, profile=0, settles=True, **variables):
    """The helper that fetches secrets. `settles`: whether it has to end by itself, and not at its deadline."""
    environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": credentials(), "AWS_REGION": "eu-west-1", **variables}
    helper = secret_world.Helper(
        [{"name": "it", "secrets-manager": "prod/it"}], environment=environment, wrapper=wrapper(), profile=profile,
        endpoint=f"https://{name}:{server.port}", ca=pki().path("ca"), wait_ms=20000 if settles else 1000)
    result = helper.end()
    check_equal(result.values, {}, "values")
    return result.text()


def giver_of_credentials(server, name=NAME, profile=0, settles=True):
    """The same, whose credentials come from an address with https."""
    uri = f"https://{name}:{server.port}/x"
    return fetch(server, "127.0.0.1", profile, settles, AWS_CONTAINER_CREDENTIALS_FULL_URI=uri)


def sink(**keys):
    def drive(server, name=NAME, profile=0, settles=True):
        del settles  # it goes on; the first reason is enough
        more = {"peer": name} if keys["type"] != "cloudwatch" else {"full_uri": credentials()}
        drive = peers.Drive(*wrapper(), host=name, port=server.port, ca=pki().path("ca"), connect=1000, answer=1000,
                            tls_profile=profile, **keys, **more)
        drive.feed([peers.record(0)])
        end = time.monotonic() + 20
        while not drive.of("down") and (not server.data or getattr(server, "ends", False)) and time.monotonic() < end:
            time.sleep(0.01)
        drive.kill()
        check(server.data or drive.arrived() == 0, f"what arrived where nothing was heard: {drive.said}")
        return "\n".join(drive.of("down"))

    return drive


CLIENTS = {
    "fetch": fetch,
    "credentials": giver_of_credentials,
    "relp": sink(type="relp"),
    "syslog": sink(type="syslog", transport="tls"),
    "cloudwatch": sink(type="cloudwatch", group="g", stream="s", region="eu-west-1"),
}
OF_HTTP = ("fetch", "credentials", "cloudwatch")


# ---- servers by their certificates ----


@functools.cache
def pki():
    return Pki()


def with_san(text, *more):
    return ("basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth", f"subjectAltName={text}", *more)


def nul_in_the_name():
    name = f"{NAME}\0.evil.test".encode()
    entry = b"\x82" + bytes([len(name)]) + name
    return with_san("DER:" + (b"\x30" + bytes([len(entry)]) + entry).hex(":"))


def below(between, **keys):
    """The chain of a server below a CA of its own."""

    def make(name):
        pki().between(f"{name}-ca", **between)
        pki().issue(name, issuer=f"{name}-ca", **keys)
        return [name, f"{name}-ca"]

    return make


def leaf(**keys):
    return lambda name: [pki().issue(name, **keys)]


def below_two(first, second):
    def make(name):
        pki().between(f"{name}-1", **first)
        pki().between(f"{name}-2", **{"issuer": f"{name}-1", **second})
        pki().issue(name, issuer=f"{name}-2")
        return [name, f"{name}-2", f"{name}-1"]

    return make


def without_its_issuer(name):
    return below({})(name)[:1]


def with_its_root(name):
    return [pki().issue(name, issuer="other"), "other"]


NO_NAME = "[Hh]ostname mismatch"
CLOCK = r" \(the clock here says 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\)"
YEARS = ("20010101000000Z", "20020101000000Z"), ("20700101000000Z", "20710101000000Z")

# name, chain, key of the server, words behind "the peer's certificate: "; and whom the client looks for, if it is another
CERTIFICATES = [
    ("another name", leaf(extensions=with_san("DNS:other.hostile.test")), "ec", NO_NAME),
    ("a name in the subject alone", leaf(extensions=SERVER[:2]), "ec", NO_NAME),
    ("no name at all", leaf(extensions=SERVER[:2], subject="/O=nobody"), "ec", NO_NAME),
    ("a part of a label as a wildcard", leaf(extensions=with_san("DNS:d*.hostile.test")), "ec", NO_NAME),
    ("a wildcard for two labels", leaf(extensions=with_san("DNS:*.test")), "ec", NO_NAME),
    ("a wildcard for everything", leaf(extensions=with_san("DNS:*")), "ec", NO_NAME),
    ("a wildcard inside", leaf(extensions=with_san("DNS:db.*.test")), "ec", NO_NAME),
    ("a NUL in the name", leaf(extensions=nul_in_the_name()), "ec", NO_NAME),
    ("the address as a name", leaf(extensions=with_san("DNS:127.0.0.1"), subject="/CN=127.0.0.1"), "ec", "IP address mismatch", "127.0.0.1"),
    ("another address", leaf(extensions=with_san("IP:127.0.0.2")), "ec", "IP address mismatch", "127.0.0.1"),
    ("an address where a name is due", leaf(extensions=with_san("IP:127.0.0.1")), "ec", NO_NAME),
    ("expired", leaf(days="-1"), "ec", "certificate has expired" + CLOCK),
    ("not yet valid", leaf(begins=YEARS[1]), "ec", "certificate is not yet valid" + CLOCK),
    ("an expired CA between", below({"begins": YEARS[0]}), "ec", "certificate has expired" + CLOCK),
    ("a client's certificate", leaf(extensions=(SERVER[0], "extendedKeyUsage=clientAuth", SAN)), "ec", "uns.*certificate purpose"),
    ("a CA between that is for clients", below({"extensions": (*ISSUER, "extendedKeyUsage=clientAuth")}), "ec", "(uns.*certificate purpose|invalid CA)"),
    ("another CA", leaf(issuer="other"), "ec", "unable to (get local issuer|verify the first) certificate"),
    ("another CA of the same name", leaf(issuer="twin"), "ec", "(certificate signature failure|unable to (get local issuer|verify the first))"),
    ("another CA, sent along", with_its_root, "ec", "self-signed certificate in certificate chain"),
    ("self-signed", lambda name: [pki().selfsigned(name)], "ec", "self-signed certificate"),
    ("without its issuer", without_its_issuer, "ec", "unable to (get local issuer|verify the first) certificate"),
    ("an issuer that is no CA", below({"extensions": SERVER}), "ec", "invalid CA certificate"),
    ("an issuer that says nothing of it", below({"extensions": ()}), "ec", "invalid CA certificate"),
    ("an issuer that may not sign certificates", below({"extensions": (ISSUER[0], "keyUsage=critical,digitalSignature")}), "ec",
     "(key usage does not include certificate signing|invalid CA certificate)"),
    ("a path that is too long", below_two({"extensions": ("basicConstraints=critical,CA:TRUE,pathlen:0", ISSUER[1])}, {}), "ec",
     "path length constraint exceeded"),
    ("a name that its CA may not name", below({"extensions": (*ISSUER, "nameConstraints=critical,permitted;DNS:corp.test")}), "ec",
     "permitted subtree violation"),
    ("a name that is kept from its CA", below({"extensions": (*ISSUER, "nameConstraints=critical,excluded;DNS:hostile.test")}), "ec",
     "excluded subtree violation"),
    ("an extension that nobody knows and must", leaf(extensions=(*SERVER, "1.2.3.4.5=critical,DER:05:00")), "ec", "unhandled critical extension"),
    ("RSA of 1024 bits", leaf(key="weak"), "weak", "EE certificate key too weak"),
    ("a CA between with RSA of 1024 bits", below({"key": "weak"}, issuer_key="weak"), "ec", "CA certificate key too weak"),
    ("a CA between with secp256k1", below({"key": "koblitz"}, issuer_key="koblitz"), "ec", "CA certificate key too weak"),
    ("signed with SHA-1", leaf(digest="sha1"), "ec", "CA signature digest algorithm too weak"),
    ("a CA between that is signed with SHA-1", below({"digest": "sha1"}), "ec", "CA signature digest algorithm too weak"),
    ("signed with SHA-224", leaf(digest="sha224"), "ec", "CA signature digest algorithm too weak"),
]

# ---- servers by their protocol ----

GOOD = "good"
V12, V11, V10 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1
NO_EMS = 1  # SSL_OP_NO_EXTENDED_MASTER_SECRET, which Python does not name
NOTHING_IN_COMMON = "TLS: .*(handshake failure|alert|unsupported protocol|no protocols|wrong version|wrong ssl version)"
CUT = "(the peer closed the connection|Connection reset by peer)"


MADE, MAKING = {}, threading.Lock()


def once(name, make):
    """The chain of that name, which several rows have beside each other."""
    with MAKING:
        if name not in MADE:
            MADE[name] = make(name)
        return MADE[name]


def of(key="rsa", **keys):
    return lambda: tls(pki().context([f"{GOOD}-{key}"], key=key, **keys))


def sends(*words):
    return lambda: says(*words)


def suites(names, key="rsa"):
    return of(key, ciphers=f"{names}:@SECLEVEL=0", most=V12)


# name, server, words behind "during the handshake: "
PROTOCOLS = [
    ("TLS 1.1", of(most=V11), NOTHING_IN_COMMON),
    ("TLS 1.0", of(most=V10), NOTHING_IN_COMMON),
    ("CBC alone", suites("ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA"), NOTHING_IN_COMMON),
    ("RSA key exchange alone", suites("AES256-GCM-SHA384:AES128-GCM-SHA256"), NOTHING_IN_COMMON),
    ("DHE alone", suites("DHE-RSA-AES256-GCM-SHA384"), NOTHING_IN_COMMON),
    ("CCM alone", suites("ECDHE-ECDSA-AES256-CCM:ECDHE-ECDSA-AES128-CCM8", "ec"), NOTHING_IN_COMMON),
    ("ChaCha20 alone, for the default profile", suites("ECDHE-RSA-CHACHA20-POLY1305"), NOTHING_IN_COMMON),
    ("X25519 alone, for the default profile", of(curve="X25519"), NOTHING_IN_COMMON),
    ("secp256k1 alone", of(curve="secp256k1"), NOTHING_IN_COMMON),
    ("a server's key on secp256k1", of("koblitz", most=V12), NOTHING_IN_COMMON + "|the peer's certificate: "),
    ("a server's key on P-192", of("p192", most=V12), NOTHING_IN_COMMON + "|the peer's certificate: "),
    ("a server's key of Ed25519, for the default profile", of("edwards"), NOTHING_IN_COMMON + "|the peer's certificate: "),
    ("TLS 1.2 without the extended master secret", of(most=V12, options=NO_EMS), "the peer has TLS 1.2 without the extended master secret"),
    ("static DH that nobody offered", sends(server_hello(0x00A0)), "TLS: (wrong|unknown) cipher returned"),
    ("static ECDH that nobody offered", sends(server_hello(0xC031)), "TLS: (wrong|unknown) cipher returned"),
    ("no encryption", sends(server_hello(0x0002)), "TLS: (wrong|unknown) cipher returned"),
    ("CBC that nobody offered", sends(server_hello(0xC013)), "TLS: (wrong|unknown) cipher returned"),
    ("compression that nobody offered", sends(server_hello(0xC02F, compression=1)), "TLS: .*compression"),
    ("SSL 3.0 that nobody offered", sends(server_hello(0xC02F, version=0x0300)), "TLS: .*(version|protocol)"),
    ("AES-CCM in 1.3", sends(server_hello(0x1304, extensions=of_13(23, 65))), "TLS: (wrong|unknown) cipher returned"),
    ("a share of X25519 that nobody offered", sends(server_hello(0x1301, extensions=of_13(29))), "TLS: (bad key share|illegal)"),
    ("a retry with a group that nobody offered", sends(server_hello(0x1301, extensions=of_13(30, retry=True), random=RETRY)),
     "TLS: (bad key share|illegal)"),
    ("a downgrade that is marked", sends(server_hello(0xC02F, random=b"x" * 24 + b"DOWNGRD\x01")), "TLS: inappropriate fallback"),
    ("no renegotiation that is safe", sends(server_hello(0xC02F, extensions=b"\x00\x17\x00\x00")), "TLS: unsafe legacy renegotiation"),
    ("an alert", sends(record(21, b"\x02\x28")), "TLS: .*handshake failure"),
    ("HTTP in plain text", sends(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"), "TLS: (wrong version number|http request|packet length)"),
    ("a banner in plain text", sends(b"220 smtp.hostile.test ESMTP\r\n"), "TLS: (wrong version number|packet length)"),
    ("a record that is too long", sends(record(22, b"\x02" + b"x" * 20000)), "TLS: (packet length too long|data length too long|encrypted length too long|record)"),
    ("a message that is too long", sends(record(22, b"\x02\xff\xff\xff" + b"x" * 1000)), "TLS: excessive message size"),
    ("a message that nobody expects", sends(record(22, b"\x14\x00\x00\x0c" + b"x" * 12)), "TLS: unexpected message"),
    ("data in place of a handshake", sends(record(23, b"hello")), "TLS: "),
    ("a reset in the handshake", sends(b"", "reset"), CUT),
    ("an end in the handshake", sends(b"", "close"), CUT),
    ("an end behind its first message", sends(server_hello(0xC02F), "close"), CUT),
    ("no answer", sends(b""), "no answer in|not there after 1000 ms"),
]

# name, server, whom the client looks for
GOOD_ONES = [
    ("RSA", of("rsa"), NAME, "both"),
    ("ECDSA", of("ec"), NAME, "both"),
    ("an address", lambda: tls(pki().context(once("good-address", leaf(extensions=with_san("IP:127.0.0.1"))))), "127.0.0.1", "both"),
    ("a wildcard", lambda: tls(pki().context(once("good-wildcard", leaf(extensions=with_san("DNS:*.hostile.test"))))), NAME, "both"),
    ("a CA between", lambda: tls(pki().context(once("good-below", below({"extensions": (*ISSUER, "nameConstraints=critical,permitted;DNS:hostile.test")})))),
     NAME, "both"),
    ("TLS 1.2", of("rsa", most=V12), NAME, "both"),
    ("P-521", of("p521"), NAME, "both"),
    ("X25519 alone", of("rsa", curve="X25519"), NAME, "modern"),
    ("ChaCha20 alone", suites("ECDHE-RSA-CHACHA20-POLY1305"), NAME, "modern"),
    ("Ed25519", of("edwards"), NAME, "modern"),
]


def beside_each_other(rows, do):
    """All rows, some at a time; the first that fails is the case's failure."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(do, row) for row in rows]:
            done.result()


def check_silent(what, server):
    """Nobody heard what was meant for another, and nobody heard plain text."""
    check_equal(server.data, b"", f"{what}: what the server heard")
    for raw in server.raw:
        check(raw == b"" or raw[:3] in (b"\x16\x03\x01", b"\x16\x03\x03"), f"{what}: not TLS: {raw[:40]!r}")
    check(server.raw, f"{what}: nobody came")


def driven(client, server, expected, name=NAME, settles=False):
    """What the client says. On a busy machine a second may be over before anything has come of it: then once more, for longer."""
    words = CLIENTS[client](server, name=name, settles=settles)
    if not settles and "unavailable: not there after" in words and not re.search(expected, words):
        words = CLIENTS[client](server, name=name, settles=True)
    return words


def refuse(client, row, serve, expected, name=NAME, settles=False):
    server = Server(serve)
    words = driven(client, server, expected, name, settles)
    server.close()
    what = f"{client}, {row}"
    check_silent(what, server)
    check(re.search(expected, words), f"{what}: {words!r}, expected {expected!r}")
    return words


def a_case_for_each(text, clients=CLIENTS):
    """One case of a suite for each client."""

    def register(function):
        for client in clients:
            case(f"{text} [{client}]")(functools.partial(function, client))

    return register


@a_case_for_each(f"{len(CERTIFICATES)} certificates that are not good are refused at once, by name; nothing is sent")
def certificates(client):
    chains = prepared()

    def one(number):
        name, _, key, words, *target = CERTIFICATES[number]
        expected = f"during the handshake: the peer's certificate: {words}"
        if client in ("fetch", "credentials"):
            expected = f"untrusted: .*{expected}"
        refuse(client, name, tls(pki().context(chains[number], key=key)), expected, *(target or [NAME]), settles=True)

    beside_each_other(range(len(CERTIFICATES)), one)


@functools.cache
def prepared():
    """The chains of CERTIFICATES, and the servers that are good."""
    for key in ("rsa", "ec", "p521", "edwards", "koblitz", "p192"):
        pki().issue(f"{GOOD}-{key}", key=key)
    return [row[1](f"c{number}") for number, row in enumerate(CERTIFICATES)]


@a_case_for_each(f"{len(PROTOCOLS)} servers of another protocol are refused by name, and never spoken to in plain text")
def protocols(client):
    prepared()

    def one(row):
        name, serve, words = row
        refuse(client, name, serve(), words)

    beside_each_other(PROTOCOLS, one)


@a_case_for_each("good servers are taken: RSA, ECDSA, an address, a wildcard, a chain; more of them by profile modern")
def good(client):
    prepared()

    def one(row):
        (name, serve, target, profile), number = row
        server = Server(serve())
        words = CLIENTS[client](server, name=target, profile=number, settles=False)
        server.close()
        wanted = profile == "both" or number == 1
        check_equal((server.data != b"", server.shaken > 0), (wanted, wanted), f"{client}, {name}, {PROFILES[number]}: {words}")

    beside_each_other([(row, number) for row in GOOD_ONES for number in range(len(PROFILES))], one)


SUITES = [0x1302, 0x1301, 0xC02C, 0xC030, 0xC02B, 0xC02F, 0x00FF]
OFFERS = {
    "sp800-52r2": {"suites": SUITES, "groups": [23, 24, 25]},
    "modern": {"suites": [*SUITES[:2], 0x1303, *SUITES[2:6], 0xCCA9, 0xCCA8, 0x00FF], "groups": [29, 23, 24, 25]},
}
SIGNATURES = [0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B, 0x0401, 0x0501, 0x0601]


@a_case_for_each("what a server sees: the suites, groups, signatures and versions of each profile, and nothing else")
def offered(client):
    prepared()
    for number, profile in enumerate(PROFILES):
        server = Server(of("rsa")())
        CLIENTS[client](server, profile=number, settles=False)
        server.close()
        seen = offers(server.raw[0])
        extensions = seen.pop("extensions")
        check_equal(seen, {**OFFERS[profile], "signatures": SIGNATURES + ([0x0807] if number else []), "versions": [0x0304, 0x0303]},
                    f"{client}, {profile}")
        check(23 in extensions, "the extended master secret is not asked for")
        check_equal(extensions & {35, 41, 42}, set(), "tickets, resumption, early data")


@a_case_for_each("no second handshake: a server that asks for one hears that there is none")
def renegotiation(client):
    prepared()
    port, = peers.free_ports(1)
    said = area.root() / f"s_server-{client}"
    with open(said, "wb") as out:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-tls1_2", "-msg",
             "-cert", pki().path(f"{GOOD}-rsa"), "-key", pki().key("rsa")], stdin=subprocess.PIPE, stdout=out, stderr=out)
    try:
        peers.wait_until(lambda: peers.listens(port), "openssl listens", said.read_text)
        server = Asking(port, process, said)
        CLIENTS[client](server, settles=False)
        peers.wait_until(lambda: len({server.text().count(word) for word in ("ClientHello", "ServerHelloDone")}) == 1,
                         f"{client}: an answer to each handshake that was begun", server.text)
        text = server.text()
        check("no_renegotiation" in text, f"{client}: {text[-1500:]}")
        check("HelloRequest" in text, "the control: nobody asked")
    finally:
        process.kill()
        process.wait()


# ---- tunnels: many servers of one init, so a case of their own ----


def tunnelled(rows, profile=0):
    """What a tunnel to each (server, name) says, after somebody has spoken to it; at most 16."""
    world = tunnel_world.World([{"name": f"t{i}", "to": f"127.0.0.1:{server.port}", "protocol": "raw", "server-name": name,
                                 "handshake-timeout": "2s"} for i, (server, name) in enumerate(rows)],
                               changes={"tls": {"profile": PROFILES[profile]}})
    world.tls["trust"][0]["file"] = str(pki().path("ca"))
    found = {}

    def is_settled():
        for record in world.records("tunnel.refused"):
            found.setdefault(record["obj"], f"during the handshake: {record['d']['why']}")
        return all(rows[i][0].data or f"t{i}" in found for i in range(len(rows)))

    with world.start():
        plain = []
        for i in range(len(rows)):
            with contextlib.suppress(OSError):  # a refusal may be there before the connection is
                plain.append(world.dial(f"t{i}"))
                plain[-1].sendall(b"hello\n")
        peers.wait_until(is_settled, "an end of each", lambda: f"{found}", 20)
        for connection in plain:
            connection.close()
    return [found.get(f"t{i}", "") for i in range(len(rows))]


def some(rows, n=16):
    return [rows[i:i + n] for i in range(0, len(rows), n)]


@case("a tunnel is as choosy: the same certificates and protocols are refused, the same good servers taken, and no plain text is sent on")
def tunnels():
    chains = prepared()
    hostile = [(name, tls(pki().context(chains[i], key=key)), f"during the handshake: the peer's certificate: {words}", *(target or [NAME]))
               for i, (name, _, key, words, *target) in enumerate(CERTIFICATES)]
    hostile += [(name, serve(), words + "|within handshake-timeout", NAME) for name, serve, words in PROTOCOLS]
    for rows in some(hostile):
        servers = [Server(serve) for _, serve, _, _ in rows]
        said = tunnelled(list(zip(servers, (row[3] for row in rows))))
        for (name, _, words, _), server, why in zip(rows, servers, said):
            server.close()
            check_silent(f"tunnel, {name}", server)
            check(re.search(words, why), f"tunnel, {name}: {why!r}, expected {words!r}")
    for profile, word in enumerate(PROFILES):
        servers = [Server(serve()) for _, serve, _, _ in GOOD_ONES]
        said = tunnelled(list(zip(servers, (row[2] for row in GOOD_ONES))), profile)
        for (name, _, _, wanted), server, why in zip(GOOD_ONES, servers, said):
            server.close()
            is_good = wanted in ("both", word)
            check_equal(server.data, b"hello\n" if is_good else b"", f"tunnel, {name}, {word}: {why}")


BODIES = {
    "fetch": json.dumps({"ARN": f"{secret_world.ARN}prod/it-AbCdEf", "Name": "prod/it", "SecretString": "CANARY",
                         "VersionId": "11111111-2222-3333-4444-555555555555", "VersionStages": ["AWSCURRENT"]}),
    "credentials": json.dumps({"AccessKeyId": "ASIAHOSTILE", "SecretAccessKey": "CANARY", "Token": "t",
                               "Expiration": "2038-01-01T00:00:00Z"}),
    "cloudwatch": "{}",
}


@a_case_for_each("an answer that says no length, or ends before it does, is none, however TLS ends", OF_HTTP)
def cut(client):
    prepared()
    body = BODIES[client].encode()
    control = Server(tls(pki().context([f"{GOOD}-rsa"], key="rsa"),
                         answers(b"content-length: %d\r\n\r\n" % len(body) + body, False)))
    rows = [("no length", b"\r\n" + body), ("half of it", b"content-length: %d\r\n\r\n" % (2 * len(body)) + body),
            ("a chunk without an end", b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(body) + body)]

    def one(row):
        (name, reply), says_so = row
        server = Server(tls(pki().context([f"{GOOD}-rsa"], key="rsa"), answers(reply, says_so)))
        server.ends = True
        expected = "the peer closed the connection|not HTTP"
        words = driven(client, server, expected)
        server.close()
        check(server.data, f"{client}, {name}: it was never asked")
        check("CANARY" not in words and re.search(expected, words),
              f"{client}, {name}, close_notify {says_so}: {words!r}")

    beside_each_other([(row, says_so) for row in rows for says_so in (False, True)], one)
    if client == "fetch":  # and whole it is one: the helper has a value, which `fetch` does not expect
        try:
            fetch(control)
        except laz.Failed as why:
            check("CANARY" in str(why), f"the control: {why}")
        else:
            check(False, "the control: a whole answer is none")
    control.close()


def answers(reply, says_so):
    """An HTTP answer and the connection's end, with close_notify or without."""

    def answer(session, send):
        session.write(b"HTTP/1.1 200 OK\r\n" + reply)
        send()
        if says_so:
            with contextlib.suppress(ssl.SSLError):
                session.unwrap()
            send()
        return True

    return answer


@case("the control: whoever looks at nothing is served by every server whose certificate is not good")
def careless():
    chains = prepared()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    for number, row in enumerate(CERTIFICATES):
        server = Server(tls(pki().context(chains[number], key=row[2])))
        with socket.create_connection(("127.0.0.1", server.port)) as plain, context.wrap_socket(plain, server_hostname=NAME) as secure:
            secure.sendall(b"careless")
            peers.wait_until(lambda server=server: server.data == b"careless", f"{row[0]}: the server hears")
        server.close()


class Asking:
    """openssl's server, as the clients know one; it asks for another handshake when it has heard something."""

    def __init__(self, port, process, said):
        self.port, self.process, self.said = port, process, said
        threading.Thread(target=self._ask, daemon=True).start()

    def text(self):
        return self.said.read_text(errors="replace")

    def _ask(self):
        peers.wait_until(lambda: re.search("^(GET|POST|1 open|[0-9]+ <[0-9]+>1)", self.text(), re.M), "something is heard")
        self.process.stdin.write(b"R\n")
        self.process.stdin.flush()

    @property
    def data(self):
        """Sinks go on until there is some: not before the answer is there."""
        return b"x" if "no_renegotiation" in self.text() else b""


if __name__ == "__main__":
    laz.main()
