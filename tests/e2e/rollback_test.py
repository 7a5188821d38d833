# SPDX-License-Identifier: Apache-2.0
"""A renewed identity that the workload fails its checks with is taken back, once: the real init, the real helpers.

The server of these runs is asked over TLS by health, which trusts one CA; both CAs are good enough for the identity. So
what the second one has signed is renewed and delivered, and no check passes with it.
"""
import contextlib
import json
import os
import shutil
import socket
import ssl

import area
import fence
import laz
import ship_world
from certificate_world import LEAF, PARTS, certificates, policy, texts
from laz import case, check, check_equal
from secrets_world import World

PORT, SHOWN = (22000 + os.getpid() % 4000 * 2 + n for n in (0, 1))
# Serves its pair, and takes it again at each HUP; 503 while a file says that it is unwell.
SERVER = """
import http.server, signal, ssl
port, tls, unwell = ITS_PORT, IS_TLS, out + '.unwell'
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if os.path.exists(unwell) else 200)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', port), Handler)
def hup(*_):
    context.load_cert_chain(folder + '/tls/web/chain.pem', folder + '/tls/web/key.pem')
    with open(out + '.hups', 'a') as file:
        file.write(os.readlink(folder + '/..data') + '\\n')
if tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + '/tls/web/chain.pem', folder + '/tls/web/key.pem')
    signal.signal(signal.SIGHUP, hup)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"""


def authority():
    """Pairs a, b and c, each good; and stray, of the CA that no check trusts."""
    rows = [{**LEAF, "name": name} for name in "abc"]
    folder = certificates(*rows, {**LEAF, "name": "stray", "issuer": "other"}, {**LEAF, "name": "stray2", "issuer": "other"})
    for name in "abc":
        (folder / f"{name}.chain").write_bytes(texts(folder, name, "inter"))
    for name in ("stray", "stray2"):
        (folder / f"{name}.chain").write_bytes(texts(folder, name))
    (folder / "both.pem").write_bytes(texts(folder, "root", "other"))
    return folder


def shown(port):
    """The certificate that is shown there, as PEM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as peer:
        return ssl.DER_cert_to_PEM_cert(peer.getpeercert(True))


class Serving:
    """A server with an identity out of two files, and, unless told otherwise, with health that asks it each second."""

    def __init__(self, watched=True, tunnel=False, grace="30s"):
        self.authority, self.source = authority(), area.folder(f"source-{fence.Run._count}")
        self.offer("a")
        source = {"file": {"certificate": str(self.source / "chain.pem"), "key": str(self.source / "web.key")}}
        web = policy(self.authority, **{"from": source, "ca": str(self.authority / "both.pem"), "on-change": {"signal": "HUP"}})
        if tunnel:
            web = {k: v for k, v in web.items() if k not in ("files", "on-change")}
        self.tls = {"identities": [web]}
        port = SHOWN if tunnel else PORT
        if tunnel:
            self.tls["listen"] = [{"name": "https", "bind": f"127.0.0.1:{SHOWN}", "to": f"127.0.0.1:{PORT}", "identity": "web"}]
        asked = {"name": "web", "http": f"https://127.0.0.1:{port}/", "ca": str(self.authority / "root.pem"), "server-name": "app.internal",
                 "every": "1s", "timeout": "900ms"}
        health = {"ready": {"rise": 1, "fall": 2, "checks": [asked]}}
        if not tunnel:
            health |= {"listen": f"127.0.0.1:{SHOWN}", "tls": "web"}
        self.world = World([], {}, real=True, changes={
            "tls": self.tls, "network": {"tcp-bind": [PORT], "tcp-connect": [PORT, SHOWN]},
            "secrets": {"grace": grace, "start-deadline": "8s", "refresh": {"interval": "1h", "jitter": "0%", "min-interval": "1s"}},
            **({"health": health, "shutdown": {"stop-timeout": "30s", "lb-grace": "0s"}} if watched else {})})
        self.watched, self.tunnel = watched, tunnel

    def offer(self, name):
        """From now on its source has this pair: the key first, as who asks meanwhile refuses the half of it."""
        shutil.copy(self.authority / f"{name}.key", self.source / "web.key")
        (self.source / "new.pem").write_bytes((self.authority / f"{name}.chain").read_bytes())
        os.rename(self.source / "new.pem", self.source / "chain.pem")

    @contextlib.contextmanager
    def start(self):
        script = SERVER.replace("ITS_PORT", str(PORT)).replace("IS_TLS", str(not self.tunnel))
        with self.world, self.world.start(script, env=fence.ENVIRONMENT) as run:
            self.run = run
            if self.watched:
                self.until("health.state", "ready")
            else:
                ship_world.until(self.serves, run.describe, 20)
            yield self
            run.kill(fence.TERM)
            run.wait()
            check_equal(self.world.left(), [], "what is left on the tmpfs")

    def serves(self):
        try:
            return shown(PORT)
        except OSError:
            return None

    def until(self, ev, act, number=1, seconds=60):
        """So many records of this kind, which have to come."""
        def find():
            return [r for r in self.world.records(ev) if r["act"] == act]
        ship_world.until(lambda: len(find()) >= number or self.run.has_ended(0.01),
                         lambda: f"no {ev} {act}: {self.run.describe()} {self.world.records()[-8:]}", seconds)
        check(len(find()) >= number, f"{ev} {act}: {self.run.describe()} {self.world.records()[-8:]}")
        return find()

    def count(self, ev, act):
        return len([r for r in self.world.records(ev) if r["act"] == act])

    def rotate(self):
        code, _, errors = self.world.lazaret("secrets", "rotate", "web.key")
        check_equal(code, 0, errors)

    def renew(self, name):
        """It has this pair now."""
        before = self.count("secret.rotate", "rotated")
        self.offer(name)
        self.rotate()
        return self.until("secret.rotate", "rotated", before + (2 if self.tunnel else 4))[before:]

    def refuse(self):
        """What its source has is asked for again, and is not taken."""
        before = self.count("secret.fetch", "failed")
        self.rotate()
        return self.until("secret.fetch", "failed", before + 1)[-1]["d"]["message"]

    def status(self):
        _, out, errors = self.world.lazaret("secrets", "status", "--json")
        check(out, errors)
        return {s["name"]: s for s in json.loads(out)["secrets"]}

    def files(self):
        folder = self.world.disk.seen(self.world.dir)
        return {n: (folder / os.readlink(folder / "..data") / f"tls/web/{n}.pem").read_bytes() for n in PARTS}

    def hups(self):
        path = self.world.seen_path.with_name("seen.json.hups")
        return path.read_text().split() if path.exists() else []

    def until_gone(self, generation):
        ship_world.until(lambda: not (self.world.disk.seen(self.world.dir) / generation).exists(), self.run.describe, 30)

    def unwell(self, yes):
        path = self.world.seen_path.with_name("seen.json.unwell")
        path.touch() if yes else path.unlink()

    def cert(self, name):
        return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert((self.authority / f"{name}.pem").read_text()))


@case("a certificate that the workload fails its checks with goes back, once, whole, and everybody who has it hears of it; the same "
      "one is not taken again, another one is", beside=True)
def once():
    it = Serving()
    with it.start():
        first, states = it.files(), it.count("health.state", "ready")
        rotated = it.renew("stray")
        back = it.until("secret.rollback", "rolled-back", 4)
        check_equal(sorted(r["obj"] for r in back), sorted(f"web.{p}" for p in PARTS), "which parts")
        for record in back:
            went = next(r for r in rotated if r["obj"] == record["obj"])["d"]
            mirrored = {"version": went["old_version"], "fingerprint": went["old_fingerprint"], "old_version": went["version"],
                        "old_fingerprint": went["fingerprint"], "generation": went["generation"] + 1}
            check_equal((record["sev"], record["d"]), (7, mirrored), record["obj"])
        check_equal(it.files(), first, "the files of before")
        it.until("health.state", "ready", states + 1)
        off = [r for r in it.world.records("health.state") if r["act"] == "not-ready"][-1]
        check_equal(off["d"]["why"], "check:web", "why it was not ready")
        ship_world.until(lambda: it.hups() == ["..g2", "..g3"], lambda: f"{it.hups()}", 10)
        check_equal((shown(PORT), shown(SHOWN)), (it.cert("a"), it.cert("a")), "who shows it, health among them")
        check_equal(it.until("tunnel.identity", "renewed", 2)[-1]["obj"], "health", "and said so")
        for n in range(2):
            check_equal(it.refuse(), "rolled-back: the workload failed its checks with what its source has", f"time {n}")
        state = it.status()["web.key"]
        check_equal((state["state"], state["message"][:13], state["failures"]), ("failing", "rolled-back: ", 3), "its status")
        check_equal(it.files(), first, "it is not taken again")
        it.renew("b")
        check_equal(shown(SHOWN), it.cert("b"), "another one is")
        check_equal((it.status()["web.key"]["state"], it.count("secret.rollback", "rolled-back")), ("good", 4), "and stays")
        it.renew("stray2")
        it.until("secret.rollback", "rolled-back", 8)
        check_equal(shown(SHOWN), it.cert("b"), "another one that fails goes back, too")


@case("nothing goes back where the workload is well with it, where it failed before, or later than grace", beside=True)
def not_to_blame():
    it = Serving(grace="4s")
    with it.start():
        it.renew("b")
        it.until_gone("..g1")
        before = it.count("health.state", "not-ready")
        it.unwell(True)  # the time for it is over with the files of before
        it.until("health.state", "not-ready", before + 1)
        it.renew("stray")
        it.unwell(False)
        it.until_gone("..g2")
        check_equal(it.world.records("secret.rollback"), [], "what went back")
        check_equal(shown(PORT), it.cert("stray"), "it stays: that the check fails has another cause, as far as anybody knows")


@case("without health nobody knows how the workload is: what it cannot serve with stays", beside=True)
def unwatched():
    it = Serving(watched=False, grace="2s")
    with it.start():
        it.renew("stray")
        it.until_gone("..g1")
        check_equal(it.world.records("secret.rollback"), [], "what went back")
        check_equal(shown(PORT), it.cert("stray"), "what is served")


@case("an identity that only the tunnel has goes back as well", beside=True)
def tunnel():
    it = Serving(tunnel=True)
    with it.start():
        it.renew("stray")
        back = it.until("secret.rollback", "rolled-back", 2)
        check_equal(sorted(r["obj"] for r in back), ["web.chain", "web.key"], "which parts")
        it.until("health.state", "ready", 2)
        check_equal(shown(SHOWN), it.cert("a"), "what new connections see")
        check_equal(it.refuse()[:12], "rolled-back:", "and the same one is not taken again")


if __name__ == "__main__":
    laz.main()
