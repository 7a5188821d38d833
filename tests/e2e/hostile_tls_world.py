# SPDX-License-Identifier: Apache-2.0
"""Servers that no client of ours may speak to, and a few that it may: certificates by the openssl command, TLS by
Python's ssl, and what no library would send byte by byte.

Must never listen but on loopback, and takes no client's word: what counts is what came over the wire.
"""
import functools
import json
import os
import socket
import ssl
import struct
import subprocess
import threading
import warnings

import area
import laz

NAME = "db.hostile.test"  # whom the clients look for; /etc/hosts says that it is here
SAN = f"subjectAltName=DNS:{NAME}"
KEYS = {"ec": ("EC", "ec_paramgen_curve:P-256"), "rsa": ("RSA", "rsa_keygen_bits:2048"), "weak": ("RSA", "rsa_keygen_bits:1024"),
        "koblitz": ("EC", "ec_paramgen_curve:secp256k1"), "p192": ("EC", "ec_paramgen_curve:P-192"),
        "p521": ("EC", "ec_paramgen_curve:P-521"), "edwards": ("ED25519", None), "ca": ("EC", "ec_paramgen_curve:P-256"),
        "other": ("EC", "ec_paramgen_curve:P-256"), "between": ("RSA", "rsa_keygen_bits:2048")}
SERVER = ("basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth", SAN)
ISSUER = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")


class Pki:
    """Certificates in one folder. `ca.pem` is whom the clients trust."""

    def __init__(self):
        self.folder = area.folder("hostile-pki")
        area.require_program("openssl")
        self.serial = 1
        self._lock = threading.Lock()
        for name in ("ca", "other", "twin"):  # twin: another key under the CA's own name
            subject = "/O=hostile/CN=a test's CA" if name != "other" else "/O=hostile/CN=somebody else's CA"
            self._run("req", "-x509", "-key", self.key("ca" if name == "ca" else "other"), "-out", f"{name}.pem", "-days", "3",
                      "-subj", subject)

    def _run(self, *words):
        done = subprocess.run(["openssl", *map(str, words)], cwd=self.folder, capture_output=True, text=True, check=False,
                              timeout=60)
        laz.check_equal(done.returncode, 0, f"openssl {words}: {done.stderr}")

    def path(self, name):
        return self.folder / f"{name}.pem"

    @functools.cache
    def key(self, kind):
        algorithm, option = KEYS[kind]
        self._run("genpkey", "-algorithm", algorithm, *(("-pkeyopt", option) if option else ()), "-out", f"{kind}.key")
        return self.folder / f"{kind}.key"

    def issue(self, name, issuer="ca", key="ec", extensions=SERVER, digest="sha256", days="2", subject=f"/CN={NAME}",
              issuer_key=None, begins=None):
        """NAME.pem, signed by ISSUER.pem. `begins` as the CA command writes a time."""
        self.serial += 1
        (self.folder / f"{name}.ext").write_text("\n".join(extensions) + "\n")
        self._run("req", "-new", "-key", self.key(key), "-subj", subject, "-out", f"{name}.csr")
        by = self.key(issuer_key or ("ca" if issuer == "ca" else "other" if issuer in ("other", "twin") else "between"))
        if begins:
            (self.folder / "ca.conf").write_text(
                "[ca]\ndefault_ca=it\n[it]\ndatabase=index\nserial=serial\nnew_certs_dir=.\npolicy=all\nunique_subject=no\n"
                "email_in_dn=no\n[all]\ncommonName=optional\norganizationName=optional\n")
            (self.folder / "index").write_text("")
            (self.folder / "serial").write_text(f"{self.serial:04X}\n")
            self._run("ca", "-batch", "-config", "ca.conf", "-in", f"{name}.csr", "-cert", f"{issuer}.pem", "-keyfile", by,
                      "-md", digest, "-startdate", begins[0], "-enddate", begins[1], "-extfile", f"{name}.ext", "-notext",
                      "-out", f"{name}.pem")
        else:
            self._run("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", by, "-set_serial", self.serial,
                      "-days", days, f"-{digest}", *(("-extfile", f"{name}.ext") if extensions else ()), "-out", f"{name}.pem")
        return name

    def between(self, name, **keys):
        """A CA below the root."""
        return self.issue(name, **{"key": "between", "extensions": ISSUER, "subject": f"/O=hostile/CN={name}", **keys})

    def selfsigned(self, name):
        self._run("req", "-x509", "-key", self.key("ec"), "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN={NAME}", "-addext", SAN)
        return name

    def context(self, chain, key="ec", ciphers="ALL:@SECLEVEL=0", curve=None, most=None, least=None, options=0):
        """A server that has no scruples."""
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(ciphers)
        context.minimum_version = least or ssl.TLSVersion.TLSv1
        context.maximum_version = most or ssl.TLSVersion.TLSv1_3
        context.options |= options
        if curve:
            context.set_ecdh_curve(curve)
        path = self.folder / ("+".join(chain) + ".chain")
        with self._lock:
            if not path.exists():
                temporary = path.with_suffix(".new")
                temporary.write_bytes(b"".join(self.path(name).read_bytes() for name in chain))
                temporary.rename(path)
            key_path = self.key(key)
        context.load_cert_chain(path, key_path)
        return context


# ---- servers ----


class Server:
    """What came: `raw`, the bytes of each connection; `data`, what TLS made of them; `shaken`, handshakes that ended."""

    def __init__(self, serve):
        self.serve, self.raw, self.data, self.shaken = serve, [], b"", 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.raw.append(b"")
            threading.Thread(target=self._one, args=(connection, len(self.raw) - 1), daemon=True).start()

    def _one(self, connection, number):
        connection.settimeout(20)
        try:
            self.serve(self, Wire(self, connection, number))
        except (OSError, ssl.SSLError):
            pass
        finally:
            connection.close()

    def close(self):
        self.listener.close()


class Wire:
    """One connection, whose bytes the server keeps."""

    def __init__(self, server, connection, number):
        self.server, self.connection, self.number = server, connection, number

    def recv(self):
        data = self.connection.recv(65536)
        self.server.raw[self.number] += data
        return data

    def hello(self):
        """The client's first message, whole."""
        raw = b""
        while len(raw) < 5 or len(raw) < 5 + struct.unpack(">H", raw[3:5])[0]:
            data = self.recv()
            if not data:
                raise OSError("no hello")
            raw = self.server.raw[self.number]
        return raw

    def send(self, data):
        self.connection.sendall(data)

    def drain(self):
        while self.recv():
            pass

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def tls(context, answer=None):
    """TLS; `answer(session, send)` once the client has said something."""

    def serve(server, wire):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing, server_side=True)
        is_shaken = False
        while True:
            try:
                if not is_shaken:
                    session.do_handshake()
                    is_shaken = True
                    server.shaken += 1
                server.data += session.read(65536)
                if answer and answer(session, lambda: wire.send(outgoing.read())):
                    return
            except ssl.SSLWantReadError:
                if outgoing.pending:
                    wire.send(outgoing.read())
                data = wire.recv()
                if not data:
                    return
                incoming.write(data)
            except ssl.SSLError:
                if outgoing.pending:
                    wire.send(outgoing.read())
                wire.drain()
                return

    return serve


def says(data, then="drain"):
    """Sends this to whatever comes, once it has come."""

    def serve(_, wire):
        hello = wire.hello()
        wire.send(data(hello) if callable(data) else data)
        if then == "drain":
            wire.drain()
        elif then == "reset":
            wire.reset()

    return serve


def record(kind, body, version=0x0303):
    return struct.pack(">BHH", kind, version, len(body)) + body


def session_of(hello):
    return hello[44:44 + hello[43]]


RENEGOTIATION_INFO = b"\xff\x01\x00\x01\x00"
EXTENDED_MASTER_SECRET = b"\x00\x17\x00\x00"


def server_hello(suite, version=0x0303, compression=0, extensions=RENEGOTIATION_INFO + EXTENDED_MASTER_SECRET, random=None):
    """The first message of a server that chooses what it likes."""

    def make(hello):
        session = session_of(hello)
        body = struct.pack(">H", version) + (random or os.urandom(32)) + bytes([len(session)]) + session
        body += struct.pack(">HB", suite, compression) + struct.pack(">H", len(extensions)) + extensions
        return record(22, b"\x02" + len(body).to_bytes(3, "big") + body)

    return make


def of_13(group=None, length=32, retry=False):
    """Extensions of TLS 1.3: the version, and a share of a group, or in a retry the group alone."""
    share = b"" if group is None else struct.pack(">H", group) + (b"" if retry else struct.pack(">H", length) + os.urandom(length))
    return b"\x00\x2b\x00\x02\x03\x04" + (struct.pack(">HH", 51, len(share)) + share if share else b"")


# What RFC 8446 4.1.3 gives a ServerHello that asks to try again.
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


# ---- the first message, taken apart ----


def offers(raw):
    """suites, groups, signatures, versions and the numbers of the extensions of a ClientHello."""
    laz.check_equal((raw[0], raw[5]), (22, 1), "a ClientHello")
    at = 44 + raw[43]
    n, = struct.unpack_from(">H", raw, at)
    found = {"suites": list(struct.unpack_from(f">{n // 2}H", raw, at + 2))}
    at += 2 + n
    laz.check_equal(raw[at:at + 2], b"\x01\x00", "compression")
    at += 2
    end = at + 2 + struct.unpack_from(">H", raw, at)[0]
    at, extensions = at + 2, {}
    while at < end:
        kind, length = struct.unpack_from(">HH", raw, at)
        extensions[kind] = raw[at + 4:at + 4 + length]
        at += 4 + length
    for word, kind in (("groups", 10), ("signatures", 13)):
        found[word] = list(struct.unpack(f">{len(extensions[kind]) // 2 - 1}H", extensions[kind][2:]))
    found["versions"] = list(struct.unpack(">2H", extensions[43][1:]))
    return found | {"extensions": set(extensions)}


# ---- whoever gives credentials, which is not what is looked at ----


def agent():
    """A container agent, as a server; its port."""
    body = json.dumps({"AccessKeyId": "ASIAHOSTILE", "SecretAccessKey": "secret", "Token": "token",
                       "Expiration": "2038-01-01T00:00:00Z"}).encode()

    def serve(_, wire):
        while b"\r\n\r\n" not in wire.server.raw[wire.number]:
            if not wire.recv():
                return
        wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body)

    return Server(serve).port
