# SPDX-License-Identifier: Apache-2.0
"""One container with tunnels: a policy, an init inside the fence, and servers beside it.

The fence shares the network with the suite: what the workload would reach on 127.0.0.1 the suite reaches, too, and
plays its part.
"""
import contextlib
import functools
import json
import os
import socket
import ssl
import subprocess
import threading

import adapters
import area
import fence
import laz
import sinks_peers as peers
from laz import check

BLOCK = 65536


@functools.cache
def identities():
    """A folder with a CA, and web.pem and us.pem of it, each for one purpose; and their keys."""
    folder = area.folder("identities")
    authority = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
                 "-days", "2", "-subj", "/CN=a test's CA of identities", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    for name, host, purpose in (("", "", ""), ("web", "server.test", "serverAuth"), ("us", "client.test", "clientAuth"),
                                ("web2", "server.test", "serverAuth")):
        for words in [authority] if name == "" else (["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out",
                       f"{name}.csr", "-subj", f"/CN={host}"],
                      ["x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2", "-out",
                       f"{name}.pem", "-extfile", "ext"]):
            (folder / "ext").write_text(f"subjectAltName=DNS:{host}\nextendedKeyUsage={purpose}\n")
            done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
            laz.check_equal(done.returncode, 0, done.stderr)
    return folder


class World:
    """init with tunnels. `connect` are entries of tls.connect without what all have: bind, trust."""

    _count = 0

    def __init__(self, connect=(), listen=(), changes=None, sinks=True, app=("/bin/sleep", "600"), prefix=(), **rest):
        World._count += 1
        self.folder = fence.scratch() / f"tunnel-{World._count}"
        self.folder.mkdir()
        self.folder.chmod(0o777)
        kept = fence.scratch() / f"tunnel-{World._count}-kept"  # the workload may write in the other
        kept.mkdir(mode=0o755)
        self.trail = kept / "trail.jsonl"
        self.app, self.prefix, self.rest, self.changes, self.sinks = app, prefix, rest, changes or {}, sinks
        self.tls = {"trust": [{"name": "good", "file": str(peers.pki() / "ca.pem")}], "connect": []}
        self.ports = {}
        for entry in connect:
            entry = {"trust": "good", "server-name": "server.test", **entry}
            if "bind" not in entry:
                self.ports[entry["name"]], = peers.free_ports(1)
                entry["bind"] = f"127.0.0.1:{self.ports[entry['name']]}"
            self.tls["connect"].append(entry)
        for entry in listen:
            self.ports[entry["name"]], = peers.free_ports(1)
            self.tls.setdefault("listen", []).append(
                {"bind": f"127.0.0.1:{self.ports[entry['name']]}", "identity": "web", **entry})
        if listen:
            self.identity("web", "server")

    def identity(self, name, purpose):
        self.tls.setdefault("identities", []).append(
            {"name": name, "from": {"file": {"certificate": str(identities() / f"{name}.pem"), "key": str(identities() / f"{name}.key")}},
             "ca": str(identities() / "ca.pem"), "purpose": purpose})

    def policy(self):
        base = {"name": "tunnels", "workload": {"exec-budget": -1, "cwd": "/"},
                "shutdown": {"stop-timeout": "10s", "grace": "6s", "drain": "200ms"}, "tls": self.tls}
        if self.sinks:
            base |= {"sinks": [{"name": "trail", "type": "file", "path": str(self.trail), "classes": ["audit", "ids"],
                                "required": True}],
                     "spool": {"dir": str(self.trail.with_name("spool")), "max": "16MiB", "segment": "1MiB"},
                     "logs": {"capture": "disabled"}}
        return adapters.Lazaret.policy(adapters.merged(base, self.changes))

    @contextlib.contextmanager
    def start(self, ready=True):
        events = [] if self.sinks else ["--events", str(self.folder / "events")]
        command = [*self.prefix, str(laz.BIN / "lazaret-init"), "--policy", adapters.Lazaret.image(self.policy()), *events, "--", *self.app]
        with fence.Run(command, **self.rest) as run:
            self.run = run
            if ready:
                self.wait_start()
            yield self

    def records(self, ev=None, **fields):
        path = self.trail if self.sinks else self.folder / "events"
        whole, _, _ = path.read_text().rpartition("\n") if path.exists() else ("", "", "")  # the last one may still be written
        lines = whole.splitlines()
        found = [r for r in map(json.loads, lines) if ev is None or r["ev"] == ev]
        return [r for r in found if all(r.get(k) == v for k, v in fields.items())]

    def wait_for(self, ev, timeout=20, **fields):
        """The first record of this kind."""
        peers.wait_until(lambda: self.records(ev, **fields) or self.run.has_ended(0.01), f"a record {ev} {fields}",
                         lambda: f"{self.records()[-5:]} {self.run.describe()}", timeout)
        found = self.records(ev, **fields)
        check(found, f"no {ev} {fields}: {self.run.describe()}")
        return found[0]

    def wait_start(self):
        self.wait_for("init.start")

    def pid(self, name="lazaret-tunnel"):
        """Host pid of one of init's processes."""
        return next((p for p in self.run.children() if fence.comm(p) == name and fence.state(p) not in "ZX"), None)

    def dial_tls(self, name, client=None):
        """A verified TLS connection from outside, with a certificate of our own or without."""
        context = ssl.create_default_context(cafile=identities() / "ca.pem")
        if client is not None:
            context.load_cert_chain(peers.pki() / f"{client}.pem", peers.pki() / f"{client}.key")
        return context.wrap_socket(dial(f"127.0.0.1:{self.ports[name]}"), server_hostname="server.test")

    def dial(self, name):
        """A plain connection, as the workload's."""
        bind = next(e["bind"] for e in self.tls["connect"] if e["name"] == name)
        return dial(bind)


def dial(bind, timeout=20):
    if bind.startswith("unix:"):
        plain = socket.socket(socket.AF_UNIX)
        plain.settimeout(timeout)
        plain.connect(bind.removeprefix("unix:"))
        return plain
    host, _, port = bind.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout)


class Server:
    """A server with TLS in threads of the suite: `serve` gets each connection."""

    def __init__(self, serve, name="server", wrap=True, client_ca=None, setup=None):
        self.serve, self.wrap, self.errors, self.versions = serve, wrap, [], []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(peers.pki() / f"{name}.pem", peers.pki() / f"{name}.key")
        if client_ca is not None:
            self.context.load_verify_locations(client_ca)
            self.context.verify_mode = ssl.CERT_REQUIRED
        if setup is not None:
            setup(self.context)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.to = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.wrap:
                connection = self.context.wrap_socket(connection, server_side=True)
                self.versions.append(connection.version())
            self.serve(connection)
        except (OSError, ssl.SSLError) as error:
            self.errors.append(error)
        finally:
            connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def echo(connection):
    while data := connection.recv(BLOCK):
        connection.sendall(data)
    end(connection)


def end(connection):
    """TLS says that it ends, and waits for nobody."""
    if isinstance(connection, ssl.SSLSocket):
        with contextlib.suppress(OSError, ssl.SSLError):
            connection.settimeout(5)
            connection.unwrap()


def read_all(plain):
    found = bytearray()
    while data := plain.recv(BLOCK):
        found += data
    return bytes(found)
