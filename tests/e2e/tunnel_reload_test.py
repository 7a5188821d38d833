# SPDX-License-Identifier: Apache-2.0
"""The role tunnel on its own: certificates that are renewed under load, as init would hand them over.

The helper is told everything byte by byte here; a broken certificate keeps the old one.
"""
import contextlib
import hashlib
import os
import random
import re
import socket
import ssl
import struct
import subprocess
import threading
import time

import area
import canaries
import laz
import sinks_peers as peers
import tunnel_world as tunnels
from laz import case, check, check_equal
from secret_world import ERRORS, LANDLOCK, MESSAGES, landlock, memfd, text
from tunnel_world import Server, echo

NONE = 255
LONG = bool(os.environ.get("LAZARET_LONG"))
PUMPS, RELOADS, SIZE = 10, 5, (20_000_000 if LONG else 2_000_000)


def section(port, to, others=(), most=1024):
    """One entry that listens, and others with its identity: docs/reference/policy-image.md, "What the helper tunnel is told"."""
    ports = [("https", port), *((f"https{i}", other) for i, other in enumerate(others))]
    out = struct.pack("<IIIIBB", 2, 10001, 10001, 0, 0, 0) + struct.pack("<I", 0) + struct.pack("<I", 1) + text("web") + struct.pack("<I", len(ports))
    for name, number in ports:
        out += text(name) + b"\1" + text("127.0.0.1") + struct.pack("<H", number) + text("127.0.0.1") + struct.pack("<H", to)
        out += b"\0" + text("") + bytes((NONE, 0, 0, 0)) + struct.pack("<I", 0) + struct.pack("<III", most, 10000, 0)
    return out


def outgoing(path, ca):
    """One entry that connects, from a unix socket."""
    out = struct.pack("<IIIIBB", 2, 10001, 10001, 0, 0, 0) + struct.pack("<I", 1) + text(str(ca)) + struct.pack("<I", 0) + struct.pack("<I", 1)
    out += text("db") + b"\0" + text(str(path)) + struct.pack("<H", 0) + text("127.0.0.1") + struct.pack("<H", 1)
    out += b"\0" + text("db.test") + bytes((0, NONE, 0, 0)) + struct.pack("<I", 0) + struct.pack("<III", 1024, 10000, 0)
    return out


class Helper:
    """One lazaret-helper tunnel: with an identity, or told nothing yet and started by others."""

    def __init__(self, port=None, to=None, chain=None, key=None, prefix=(), **keys):
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        run = f"exec 3<&{theirs.fileno()} {theirs.fileno()}<&-; exec \"$@\"" if theirs.fileno() != 3 else 'exec "$@"'
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "bash", "-c", run, "-", *prefix, laz.BIN / "lazaret-helper", "tunnel"],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env={"PATH": area.PATH})
        theirs.close()
        self.ours.settimeout(30)
        if port is None:
            return
        self.say("CONFIG", section(port, to, **keys))
        self.identity(chain, key)
        self.say("BEGIN")
        for _ in range(1 + len(keys.get("others", ()))):
            check_equal(self.hear()[0], "LISTENER", "first")
        name, fields = self.hear()
        check_equal(name, "READY", f"then: {fields}")

    def say(self, name, fields=b"", *fds):
        packet = struct.pack("<HHI", MESSAGES.index(name), 0, len(fields)) + fields
        socket.send_fds(self.ours, [packet], fds)

    def identity(self, chain, key):
        fds = [memfd(chain), memfd(key)]
        self.say("IDENTITY", struct.pack("<I", 0), *fds)
        for fd in fds:
            os.close(fd)

    def hear(self):
        data, fds, _, _ = socket.recv_fds(self.ours, 4096, 4)
        for fd in fds:
            os.close(fd)
        check(data, f"the helper has ended: {self.process.poll()}")
        kind, _, length = struct.unpack_from("<HHI", data)
        return MESSAGES[kind], data[8:8 + length]

    def renewed(self):
        """Why the identity was not renewed; "" if it was."""
        while True:
            name, fields = self.hear()
            if name == "RENEWED":
                identity, why, _ = fields.split(b"\0")
                check_equal(identity, b"web", "identity")
                return why.decode()

    def close(self):
        self.ours.close()
        check_equal(self.process.wait(20), 0, "exit code")


def pair(name):
    return [(tunnels.identities() / f"{name}.{end}").read_bytes() for end in ("pem", "key")]


def connect(port):
    context = ssl.create_default_context(cafile=tunnels.identities() / "ca.pem")
    return context.wrap_socket(tunnels.dial(f"127.0.0.1:{port}"), server_hostname="server.test")


def pump(port, seed, errors, begun):
    """Bytes both ways, with the digest of what went and of what came."""
    try:
        source, went, came = random.Random(seed), hashlib.sha256(), hashlib.sha256()
        with connect(port) as wire:
            for turn in range(SIZE // 40_000):
                block = source.randbytes(40_000)
                went.update(block)
                wire.sendall(block)
                left = len(block)
                while left:
                    data = wire.recv(left)
                    check(data, "it ended early")
                    came.update(data)
                    left -= len(data)
                if turn == 2:
                    begun.release()
            check_equal(came.digest(), went.digest(), "digest")
    except Exception as error:  # pylint: disable=broad-except
        errors.append(error)
        begun.release()


def serial(port):
    with connect(port) as wire:
        return wire.getpeercert()["serialNumber"]


@case("reload under load: connections go on with zero errors, new ones have the new certificate, a broken one keeps the old")
def under_load():
    port, = peers.free_ports(1)
    with Server(echo, wrap=False) as server:
        helper = Helper(port, server.port, *pair("web"))
        errors, begun = [], threading.Semaphore(0)
        pumps = [threading.Thread(target=pump, args=(port, seed, errors, begun)) for seed in range(PUMPS)]
        for thread in pumps:
            thread.start()
        for _ in pumps:
            check(begun.acquire(timeout=60), "the pumps do not begin")
        seen = [serial(port)]
        for turn in range(RELOADS):
            helper.identity(*pair(("web2", "web")[turn % 2]))
            check_equal(helper.renewed(), "", "renewed")
            seen.append(serial(port))
        check_equal(len(set(seen)), 2, f"certificates: {seen}")
        check(all(a != b for a, b in zip(seen, seen[1:])), f"each reload shows: {seen}")
        chain, key = pair("web")
        for broken, why in (((b"junk", key), "it is no certificate to show"), ((chain, pair("web2")[1]), "it is not the certificate's key")):
            before = serial(port)
            helper.identity(*broken)
            said = helper.renewed()
            check(why in said and "tls.identities[web]" in said, said)
            check_equal(serial(port), before, "the old one stays")
        for thread in pumps:
            thread.join(120)
        check_equal(errors, [], "errors of the pumps")
        helper.close()


def flood(connection):
    """More than a client wants."""
    with contextlib.suppress(OSError):
        for _ in range(500):
            connection.sendall(bytes(40_000))


@case("a client that says its end, and goes while bytes are on their way to it, costs its connection, and not the helper, however that was started")
def leaves():
    port, = peers.free_ports(1)
    with Server(flood, wrap=False) as server:
        helper = Helper(port, server.port, *pair("web"))
        for _ in range(20):
            into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
            context = ssl.create_default_context(cafile=tunnels.identities() / "ca.pem")
            session = context.wrap_bio(into, out, server_hostname="server.test")
            with tunnels.dial(f"127.0.0.1:{port}") as plain:
                while True:
                    try:
                        session.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        plain.sendall(out.read())
                        into.write(plain.recv(16384))
                with contextlib.suppress(ssl.SSLWantReadError):
                    session.unwrap()
                plain.sendall(out.read())
                plain.shutdown(socket.SHUT_WR)
                time.sleep(0.02)  # what is written then, into a connection with its end and a reset, is told by SIGPIPE
        check(helper.process.poll() is None, f"the helper has ended: {helper.process.poll()}")
        serial(port)
        helper.close()


def large_pairs():
    """Two certificates for one key, which takes the room of many."""
    folder = area.folder("large")
    chains = []
    for words in (["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096", "-out", "key"],
                  *(["req", "-x509", "-key", "key", "-days", "2", "-subj", f"/CN={name}", "-out", name] for name in ("one", "two"))):
        done = subprocess.run(["openssl", *words], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300)
        check_equal(done.returncode, 0, done.stderr)
        chains += [(folder / words[-1]).read_bytes()] if words[0] == "req" else []
    return [(chain, (folder / "key").read_bytes()) for chain in chains]


@case("connections that stay hold one key of each renewal, whatever has it; what there is no memory for is said, and tried again")
def held():
    port, other = peers.free_ports(2)
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE

    def shown(where):
        wire = anybody.wrap_socket(tunnels.dial(f"127.0.0.1:{where}"))
        return wire, ssl.DER_cert_to_PEM_cert(wire.getpeercert(binary_form=True)).encode()

    pairs = large_pairs()
    with Server(echo, wrap=False) as server:
        helper = Helper(port, server.port, *pairs[0], others=[other], most=70)  # that is 128 KiB for keys; each of these takes 2
        wires, why, turn = [], "", 0
        while why == "" and turn < 65:
            wires += [shown(where)[0] for where in (port, other)]
            turn += 1
            helper.identity(*pairs[turn % 2])
            why = helper.renewed()
        check_equal(why, "tls.listen[https]: tls.identities[web]: no memory for a key: open connections hold those of before", f"after {turn}")
        check(turn > 35, f"two entries with one key hold it once: {turn} renewals")
        wire, chain = shown(other)
        check_equal(chain, pairs[(turn - 1) % 2][0], "the one of before stays")
        for held_one in (*wires, wire):
            held_one.close()
        check_equal(helper.renewed(), "", "when there is room, nobody has to say it again")
        for where in (port, other):
            wire, chain = shown(where)
            wire.close()
            check_equal(chain, pairs[turn % 2][0], "the new one")
        helper.close()


@case("an identity's key is in locked pages alone, which are in no dump, also after handshakes and a renewal; its text is nowhere")
def keys():
    if laz.sanitized():
        laz.skip("a sanitizer keeps what was freed")
    port, = peers.free_ports(1)
    with Server(echo, wrap=False) as server:
        helper = Helper(port, server.port, *pair("web"))
        serial(port)
        seen = list(canaries.mappings(helper.process.pid))
        helper.identity(*pair("web2"))
        check_equal(helper.renewed(), "", "renewed")
        serial(port)
        for name, pages in (("web", seen), ("web2", list(canaries.mappings(helper.process.pid)))):
            path = tunnels.identities() / f"{name}.key"
            said = subprocess.run(["openssl", "pkey", "-noout", "-text", "-in", path], capture_output=True, text=True, check=True, timeout=60).stdout
            number = int(re.sub(r"[^0-9a-f]", "", re.search(r"priv:((?:[0-9a-f:]|\s)+)", said)[1]), 16)
            for order in ("little", "big"):
                hits = [line for line, flags, data in pages if number.to_bytes(32, order) in data and not {"lo", "dd"} <= set(flags)]
                check_equal(hits, [], f"{name}: pages with the key that are not locked, {order}-endian")
            check(any(number.to_bytes(32, "little") in data for _, _, data in pages), f"{name}: the search sees nothing")
            for line in path.read_bytes().splitlines()[1:-1]:
                check_equal([where for where, _, data in pages if line in data], [], f"{name}: a line of the PEM")
        helper.close()


@case("who puts another file in the place of a new unix socket gets nothing: that file stays whose it was, and nothing starts")
def exchanged():
    if laz.sanitized():
        laz.skip("LeakSanitizer does not work under a tracer")
    folder = area.folder("exchanged")
    path, victim = folder / "db.sock", folder / "victim"

    def swap(put):
        peers.wait_until(path.exists, "the socket", seconds=30)
        if put is not None:
            path.rename(folder / "away")
            put(victim, path)

    for name, put in (("none", None), ("link", os.symlink), ("hard link", os.link)):
        for old in (path, victim, folder / "away"):
            old.unlink(missing_ok=True)
        victim.write_text("root's")
        victim.chmod(0o644)
        # Long enough for the other one, whose turn it is between the bind and what comes next.
        helper = Helper(prefix=["strace", "-D", "-qq", "-o", "/dev/null", "-e", "trace=bind", "-e", "inject=bind:delay_exit=1500000"])
        other = threading.Thread(target=swap, args=(put,))
        other.start()
        helper.say("CONFIG", outgoing(path, tunnels.identities() / "ca.pem"))
        helper.say("BEGIN")
        said, fields = helper.hear()
        other.join(30)
        status = victim.stat()
        check_equal((status.st_uid, oct(status.st_mode & 0o777)), (0, "0o644"), f"{name}: whose the file is")
        if put is None:  # the control
            status = path.stat()
            check_equal((said, status.st_uid, status.st_gid, oct(status.st_mode & 0o777)), ("LISTENER", 10001, 10001, "0o600"), f"{fields}")
            check_equal(helper.hear()[0], "READY", "then")
            helper.close()
        else:
            check_equal(said, "FAILED", name)
            check(f"tls.connect[db]: give to the workload {path}: Stale file handle".encode() in fields, f"{name}: {fields}")
            helper.ours.close()
            helper.process.wait(20)


@case("Landlock that cannot be had, or not be kept to, is named, and nothing is served")
def no_landlock():
    if laz.sanitized():
        laz.skip("LeakSanitizer does not work under a tracer")
    for fault, error in LANDLOCK:
        port, = peers.free_ports(1)
        prefix, trace = landlock(fault)
        helper = Helper(prefix=prefix)
        helper.say("CONFIG", section(port, port))
        helper.identity(*pair("web"))
        helper.say("BEGIN")
        check_equal(helper.hear()[0], "LISTENER", "first")
        said, fields = helper.hear()
        if error is None:
            check_equal(said, "READY", f"{fields}")
            check(trace.read_text().count("landlock_restrict_self(") == 1 and "(INJECTED)" not in trace.read_text(), trace.read_text())
            serial(port)
            helper.close()
        else:
            check_equal((said, ERRORS[struct.unpack_from("<I", fields)[0]], fields[4:-1].decode()), ("FAILED", "ENFORCE", error), fault)
            helper.ours.close()
            check_equal(helper.process.wait(20), 1, f"{fault}: exit code")


if __name__ == "__main__":
    laz.main()
