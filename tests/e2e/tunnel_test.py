# SPDX-License-Identifier: Apache-2.0
"""The role tunnel: what leaves the container leaves it by verified TLS, or not at all.

Real servers (PostgreSQL, Redis) and hostile ones; what breaks, breaks by name, and never becomes plain text.
"""
import contextlib
import hashlib
import os
import random
import select
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import warnings

import adapters
import area
import fence
import laz
import sinks_peers as peers
import tunnel_peers as real
import tunnel_world as tunnels
from laz import case, check, check_equal
from tunnel_world import Server, World, echo, end, read_all


def reset_or_end(plain):
    """What a client sees of a connection that does not come about: a reset, or an end; never a byte."""
    try:
        return plain.recv(100)
    except ConnectionResetError:
        return b""


@case("a plain connection becomes a verified TLS connection, and its bytes come back as they went")
def raw():
    with Server(echo) as server, World([{"name": "echo", "to": server.to}]).start() as world:
        for size in (1, 5, 16384, 16385, 3_000_000):
            data = random.Random(size).randbytes(size)
            with world.dial("echo") as plain:
                sender = threading.Thread(target=lambda: (plain.sendall(data), plain.shutdown(socket.SHUT_WR)))
                sender.start()
                found = read_all(plain)
                sender.join()
                check(found == data, f"{size} bytes: {len(found)} came back")
        check_equal(set(server.versions), {"TLSv1.3"}, "versions")
        check_equal(server.errors, [], "errors of the server")
        check_equal(world.records("tunnel.refused"), [], "refusals")
        world.run.kill(fence.TERM)
        check_equal(world.run.wait(20).code, 143, "exit code")
        counted = world.records("tunnel.stat")[-1]
        check_equal((counted["obj"], counted["d"]["opened"], counted["d"]["open"]), ("echo", 5, 0), "counted")
        check(counted["d"]["bytes_up"] == counted["d"]["bytes_down"] > 3_000_000, f"counted {counted}")


@case("a unix socket is the workload's own, and carries what a port carries")
def unix_socket():
    world = World(app=("/bin/sleep", "600"))
    path = world.folder / "cache.sock"
    with Server(echo) as server:
        world.tls["connect"].append({"name": "local", "bind": f"unix:{path}", "to": server.to, "trust": "good",
                                     "server-name": "server.test"})
        path.parent.mkdir(exist_ok=True)
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(path))  # a container before this one left it
        with world.start():
            status = path.stat()
            check_equal((status.st_uid, status.st_gid, oct(status.st_mode & 0o777)), (adapters.WORKLOAD_UID,) * 2 + ("0o600",), "owner")
            with world.dial("local") as plain:
                plain.sendall(b"hello")
                plain.shutdown(socket.SHUT_WR)
                check_equal(read_all(plain), b"hello", "echo")


@case("an end goes over as an end: what comes after it still arrives")
def half_close():
    def late(connection):
        got = bytearray()
        while data := connection.recv(65536):
            got += data
        connection.sendall(hashlib.sha256(got).hexdigest().encode())
        end(connection)

    def early(connection):
        connection.sendall(b"first")
        connection.unwrap()  # our end, and the peer's, which comes when it has said all

    with Server(late) as server, World([{"name": "late", "to": server.to}]).start() as world:
        data = os.urandom(500_000)
        with world.dial("late") as plain:
            plain.sendall(data)
            plain.shutdown(socket.SHUT_WR)
            check_equal(read_all(plain), hashlib.sha256(data).hexdigest().encode(), "after the end")
    with Server(early) as server, World([{"name": "early", "to": server.to}]).start() as world:
        with world.dial("early") as plain:
            check_equal(read_all(plain), b"first", "before the end")
            plain.shutdown(socket.SHUT_WR)
        check_equal(server.errors, [], "errors of the server")
        check_equal(world.records("tunnel.refused"), [], "refusals")


@case("a connection that breaks on one side breaks on the other: no end that is none")
def breaks():
    def cut(connection):
        connection.sendall(b"half of it")
        raw = connection.detach()
        os.close(raw)  # no close_notify

    with Server(cut) as server, World([{"name": "cut", "to": server.to}]).start() as world:
        try:  # dialling too: it may be broken before we have looked whether it stands
            with world.dial("cut") as plain:
                found = read_all(plain)
                raise laz.Failed(f"it ended as if that were all: {found}")
        except ConnectionResetError:
            pass
        record = world.wait_for("tunnel.refused", act="broken")
        check_equal((record["obj"], record["d"]["why"]), ("cut", "the peer closed the connection"), "record")


@case("a side that does not read holds the other up, and memory does not grow")
def back_pressure():
    gate, total = threading.Event(), 40_000_000

    def slow(connection):
        gate.wait(30)
        got = 0
        while data := connection.recv(65536):
            got += len(data)
        connection.sendall(str(got).encode())
        end(connection)

    with Server(slow) as server, World([{"name": "slow", "to": server.to}]).start() as world:
        with world.dial("slow") as plain:
            sent = 0
            plain.settimeout(1)
            block = bytes(1 << 16)
            try:
                while sent < total:
                    sent += plain.send(block)
            except TimeoutError:
                pass
            check(sent < total, "all of it went, to a server that does not read")
            before = private_kib(world.pid())
            check(before < 8192, f"{before} KiB of memory for one connection that waits")
            gate.set()
            plain.settimeout(60)
            while sent < total:
                sent += plain.send(block[:total - sent])
            plain.shutdown(socket.SHUT_WR)
            check_equal(read_all(plain), str(total).encode(), "what came")


def private_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as text:
        return sum(int(line.split()[1]) for line in text if line.startswith(("Private_Dirty", "Private_Clean")))


def plain_server(answer):
    """A server that answers the request for TLS with these bytes, or does something else; and what it got after them."""
    got = []

    def serve(connection):
        got.append(connection.recv(8))
        if callable(answer):
            answer(connection)
            return
        connection.sendall(answer)
        connection.settimeout(3)
        while data := connection.recv(65536):
            got.append(data)

    server = Server(serve, wrap=False)
    server.got = got
    return server


STARTUP = b"\0\0\0\x21\0\3\0\0user\0app\0database\0postgres\0\0"
SSL_REQUEST = bytes.fromhex("0000000804d2162f")


def no_more(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


ANSWERS = {
    "N": (b"N", "no-tls", "the server does not offer TLS"),
    "an error": (b"E\0\0\0\x10SFATAL\0C08P01", "no-tls", "the server sent more than its answer before TLS began"),
    "E alone": (b"E", "no-tls", "the server answered in plain text when it was asked for TLS"),
    "S and more": (b"SR\0\0\0\x08\0\0\0\0", "no-tls", "the server sent more than its answer before TLS began"),
    "S and N": (b"SN", "no-tls", "the server sent more than its answer before TLS began"),
    "an end": (lambda connection: None, "no-tls", "the server closed the connection when it was asked for TLS"),
    "a reset": (no_more, "no-tls", "Connection reset by peer"),
    "a letter": (b"X", "no-tls", "the server answered in plain text when it was asked for TLS"),
    "S and no TLS": (lambda connection: (connection.sendall(b"S"), time.sleep(0.3), connection.sendall(b"R\0\0\0\x08\0\0\0\0")),
                     "handshake", "TLS: wrong version number"),
}


@case("a PostgreSQL server without TLS is not spoken to: N, E, more than a byte, an end, a reset; never plain text")
def never_plain():
    servers = {name: plain_server(answer) for name, (answer, _, _) in ANSWERS.items()}
    names = {name: f"a{i}" for i, name in enumerate(ANSWERS)}
    entries = [{"name": names[name], "to": server.to, "protocol": "postgres"} for name, server in servers.items()]
    with World(entries).start() as world:
        for name, (_, act, why) in ANSWERS.items():
            with world.dial(names[name]) as plain:
                plain.sendall(STARTUP)
                check_equal(reset_or_end(plain), b"", f"{name}: what the client got")
            record = world.wait_for("tunnel.refused", obj=names[name])
            check_equal((record["act"], record["d"]["why"]), (act, why), name)
            got = b"".join(servers[name].got)
            check_equal(got[:8], SSL_REQUEST, f"{name}: what it was asked")
            check(b"user" not in got and got[8:9] in (b"", b"\x16", b"\x15"), f"{name}: it got {got!r}")


@case("a PostgreSQL client that asks for encryption and has gone asks for nothing again and again")
def gone_client():
    world = World()
    path = world.folder / "pg.sock"
    world.tls["connect"].append({"name": "pg", "bind": f"unix:{path}", "to": "127.0.0.1:1", "trust": "good", "server-name": "server.test",
                                 "protocol": "postgres"})
    with world.start():
        helper = world.pid()
        os.kill(helper, signal.SIGSTOP)  # it hears of the question when nobody waits for the answer any more
        with world.dial("pg") as plain:
            plain.sendall(SSL_REQUEST)
        os.kill(helper, signal.SIGCONT)
        with world.dial("pg") as plain:
            plain.sendall(b"GET / HT")
            check_equal(reset_or_end(plain), b"", "who speaks something else")
        record = world.wait_for("tunnel.refused")
        check_equal((record["act"], record["d"]["why"], record["d"]["count"]), ("protocol", "the client does not speak PostgreSQL", 1), "record")


@case("PostgreSQL with SCRAM and TLS 1.3: psql with sslmode disable and prefer, end to end; and a query is cancelled")
def postgresql():
    port = real.postgres()
    entry = {"name": "pg", "to": f"127.0.0.1:{port}", "protocol": "postgres"}
    code, said = real.psql(port, "select 1")
    check(code != 0 and "no encryption" in said, f"the control: without TLS it lets nobody in: {said}")
    with World([entry]).start() as world:
        for mode in ("disable", "prefer"):
            code, said = real.psql(world.ports["pg"], "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()", mode)
            check_equal((code, said.strip()), (0, "t|TLSv1.3"), f"sslmode={mode}")
        code, said = real.psql(world.ports["pg"], "select 1", "require")
        check(code != 0 and "does not support SSL" in said, f"sslmode=require: {said}")
        code, said = real.psql(world.ports["pg"], "select count(*) from generate_series(1, 300000) as g, lateral (select repeat('x', 200) || g) as t(t)")
        check_equal((code, said.strip()), (0, "300000"), "a large answer")
        # psql cancels by itself when it is interrupted, over a connection of its own.
        began = time.monotonic()
        asking = subprocess.Popen(["psql", "-X", f"host=127.0.0.1 port={world.ports['pg']} user=app dbname=postgres sslmode=disable",
                                   "-c", "select pg_sleep(60)"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  env={"PATH": area.PATH, "PGPASSWORD": real.PASSWORD, "LC_ALL": "C"})
        time.sleep(1.5)
        asking.send_signal(signal.SIGINT)
        said = asking.communicate(timeout=30)[0]
        check("canceling statement due to user request" in said and time.monotonic() - began < 30, f"cancelled: {said}")
        check_equal(world.records("tunnel.refused"), [], "refusals")


@case("Redis behind a tunnel: TLS alone on its side, plain on ours")
def redis():
    port = real.redis()
    with World([{"name": "cache", "to": f"127.0.0.1:{port}"}]).start() as world:
        with world.dial("cache") as plain:
            plain.sendall(b"SET key " + b"v" * 50 + b"\r\nGET key\r\nQUIT\r\n")
            check_equal(read_all(plain), b"+OK\r\n$50\r\n" + b"v" * 50 + b"\r\n+OK\r\n", "answers")


def old_tls(context):
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1


@case("another name, another CA, an expired certificate, TLS 1.1, plain text, nobody: refused by name")
def hostile():
    def serve(connection):
        connection.sendall(b"it should not have come to this")

    def plain(connection):
        connection.sendall(b"220 hello, in plain text\r\n")
        time.sleep(0.5)

    closed, = peers.free_ports(1)
    cases = {
        "name": (Server(serve, "stranger"), "unverified", "the peer's certificate: hostname mismatch"),
        "ca": (Server(serve, "foreign"), "unverified", "the peer's certificate: unable to get local issuer certificate"),
        "expired": (Server(serve, "expired"), "unverified", "the peer's certificate: certificate has expired"),
        "nameless": (Server(serve, "nameless"), "unverified", "the peer's certificate: hostname mismatch"),
        "old": (Server(serve, setup=old_tls), "handshake", "TLS: tlsv1 alert protocol version"),
        "plain": (Server(plain, wrap=False), "handshake", "TLS: wrong version number"),
        "nobody": (None, "unreachable", "Connection refused"),
    }
    entries = [{"name": name, "to": f"127.0.0.1:{closed}" if server is None else server.to} for name, (server, _, _) in cases.items()]
    with World(entries).start() as world:
        for name, (_, act, why) in cases.items():
            with contextlib.suppress(ConnectionResetError, BrokenPipeError), world.dial(name) as connection:
                connection.sendall(b"secret")
                check_equal(reset_or_end(connection), b"", f"{name}: what the client got")
            record = world.wait_for("tunnel.refused", obj=name)
            said = record["d"]["why"].split(" (the clock here")[0]
            check_equal((record["act"], said, record["d"]["peer"]), (act, why, "127.0.0.1"), name)


@case("a server that says nothing has handshake-timeout; a flood of refusals is one record, with their number")
def limits():
    def silent(connection):
        connection.recv(1 << 16)  # the greeting
        connection.recv(1)  # until it is over

    closed, = peers.free_ports(1)
    with Server(silent, wrap=False) as server, World([
            {"name": "silent", "to": server.to, "handshake-timeout": "700ms"},
            {"name": "closed", "to": f"127.0.0.1:{closed}"},
            {"name": "few", "to": server.to, "max-connections": 2}]).start() as world:
        began = time.monotonic()
        with world.dial("silent") as plain:
            check_equal(reset_or_end(plain), b"", "answer")
            check(0.6 < time.monotonic() - began < 20, f"after {time.monotonic() - began} s")
        check_equal(world.wait_for("tunnel.refused", obj="silent")["act"], "timeout", "act")
        for _ in range(200):
            with contextlib.suppress(ConnectionResetError), world.dial("closed") as plain:
                reset_or_end(plain)
        world.wait_for("tunnel.refused", obj="closed")
        check_equal(len(world.records("tunnel.refused", obj="closed")), 1, "records of 200 refusals")
        held = [world.dial("few") for _ in range(2)]
        with world.dial("few") as plain:
            check_equal(reset_or_end(plain), b"", "one too many")
        record = world.wait_for("tunnel.refused", obj="few")
        check_equal((record["act"], record["d"]["why"]), ("ceiling", "as many connections are open as max-connections allows"), "record")
        for plain in held:
            plain.close()


@case("a tunnel that is killed loses its connections and no port; who waits at the port is served by the next one")
def killed():
    with Server(echo) as server, World([{"name": "echo", "to": server.to}]).start() as world:
        old = world.dial("echo")
        old.sendall(b"x")
        check_equal(old.recv(1), b"x", "before")
        first = world.pid()
        os.kill(first, fence.KILL)
        waiting = world.dial("echo")  # at once: the port is there
        waiting.sendall(b"hello")
        check_equal(waiting.recv(5), b"hello", "by the next one")
        check(world.pid() not in (None, first), "another process")
        check_equal(reset_or_end(old), b"", "the old connection")
        record = world.wait_for("helper.exit")
        check_equal((record["obj"], record["act"], record["d"]["error"]), ("tunnel", "restarted", "tunnel-failed"), "record")
        waiting.close()


@case("what cannot be listened on, or trusted, refuses the start by name: exit 103, and the workload does not run")
def refused():
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]

    def outcome(world, **changes):
        marker = world.folder / "ran"
        world.app = ("/bin/touch", str(marker))
        world.tls["connect"][0] |= {k: v for k, v in changes.items() if k != "trust_file"}
        if "trust_file" in changes:
            world.tls["trust"][0]["file"] = changes["trust_file"]
        with world.start(ready=False):
            code, said = world.run.wait(20).code, world.run.stderr()
        check(not marker.exists(), "the workload ran")
        return code, said

    entry = {"name": "a", "to": "127.0.0.1:1"}
    empty = fence.scratch() / "empty.pem"
    empty.write_text("nothing\n")
    own = fence.scratch() / "own"
    own.mkdir()
    (own / "ca.pem").symlink_to(peers.pki() / "ca.pem")
    shutil.chown(own, adapters.WORKLOAD_UID)
    for changes, why in (
            ({"bind": f"127.0.0.1:{port}"}, f"tls.connect[a]: bind 127.0.0.1:{port}: Address already in use"),
            ({"bind": "unix:/nowhere/a.sock"}, "tls.connect[a]: bind /nowhere/a.sock: No such file or directory"),
            ({"trust_file": "/nowhere/ca.pem"}, "tls.trust: /nowhere/ca.pem: No such file or directory"),
            ({"trust_file": f"{own}/ca.pem"}, f"tls.trust: {own}/ca.pem: {own} belongs to the workload, user {adapters.WORKLOAD_UID}"),
            ({"trust_file": str(empty)}, f"tls.connect[a]: {empty}: no certificate in it")):
        code, said = outcome(World([dict(entry)], sinks=False), **changes)
        check_equal(code, 103, said)
        check(f"tunnel-failed: {why}" in said, said)


@case("the workload cannot look into tunnel, stop it or take its socket; tunnel has nothing that it does not need")
def confined():
    with Server(echo) as server, World([{"name": "echo", "to": server.to}]).start() as world:
        pid = world.pid()
        status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status", encoding="ascii").read().splitlines())
        check_equal(status["Uid"].split(), ["65314"] * 4, "user")
        check_equal((status["Groups"].strip(), status["CapPrm"], status["CapBnd"].strip() != "", status["NoNewPrivs"], status["Seccomp"]),
                    ("", "0" * 16, True, "1", "2"), "confinement")
        done = subprocess.run(["setpriv", f"--reuid={adapters.WORKLOAD_UID}", f"--regid={adapters.WORKLOAD_UID}", "--clear-groups",
                               "python3", "-c", LOOK, str(pid)], capture_output=True, text=True, check=False, timeout=30)
        check_equal(done.stdout.split(), ["mem:EACCES", "fd:EACCES", "kill:EPERM", "vm:EPERM", "ptrace:EPERM"], done.stderr)


LOOK = """
import ctypes, errno, os, sys
pid, libc = int(sys.argv[1]), ctypes.CDLL(None, use_errno=True)
def name(e): return errno.errorcode[e]
def attempt(what, call):
    try:
        call()
        print(f"{what}:done")
    except OSError as error:
        print(f"{what}:{name(error.errno)}")
def raw(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
class Vec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
here = ctypes.create_string_buffer(16)
attempt("mem", lambda: open(f"/proc/{pid}/mem", "rb"))
attempt("fd", lambda: os.listdir(f"/proc/{pid}/fd"))
attempt("kill", lambda: os.kill(pid, 9))
attempt("vm", lambda: raw(libc.process_vm_readv(pid, ctypes.byref(Vec(ctypes.addressof(here), 16)), 1, ctypes.byref(Vec(0x10000, 16)), 1, 0)))
attempt("ptrace", lambda: raw(libc.ptrace(16, pid, 0, 0)))
"""


def plain_echo():
    return Server(echo, wrap=False)


def exchange(wire, data):
    """Sends and reads at the same time, so that both directions are full: what came back. In one thread: a session is
    not for two."""
    sent, found, timeout = 0, bytearray(), wire.gettimeout()
    wire.setblocking(False)
    while len(found) < len(data):
        check(any(select.select([wire], [wire] if sent < len(data) else [], [], timeout)),
              f"nothing moves: {sent} sent, {len(found)} back")
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            sent += wire.send(data[sent:sent + 16384]) if sent < len(data) else 0
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            piece = wire.recv(65536)
            check(piece, f"the end after {len(found)} bytes")
            found += piece
    wire.settimeout(timeout)
    return bytes(found)


@case("TLS comes in, and the workload gets plain text: by port, by unix socket, large, half-closed")
def listen():
    folder = fence.scratch() / "sockets"
    folder.mkdir()
    path = folder / "app.sock"
    local = socket.socket(socket.AF_UNIX)
    local.bind(str(path))
    os.chown(path, adapters.WORKLOAD_UID, adapters.WORKLOAD_UID)
    path.chmod(0o660)
    local.listen()

    def serve():
        while True:
            connection, _ = local.accept()
            with connection:
                echo(connection)

    threading.Thread(target=serve, daemon=True).start()
    with plain_echo() as server, World(listen=[{"name": "https", "to": server.to}, {"name": "local", "to": f"unix:{path}"}]).start() as world:
        for name in ("https", "local"):
            data = os.urandom(2_000_000)
            with world.dial_tls(name) as wire:
                check_equal(wire.version(), "TLSv1.3", "version")
                found = exchange(wire, data)
                check(found == data, f"{name}: {len(found)} bytes came back")
                wire.unwrap()
        check_equal(world.records("tunnel.refused"), [], "refusals")


def full_socket(path):
    """A socket of the workload's that nobody accepts from, and who waits there: not one more can."""
    listener, waiting = socket.socket(socket.AF_UNIX), []
    listener.settimeout(30)
    listener.bind(str(path))
    path.chmod(0o666)
    listener.listen(1)
    with contextlib.suppress(BlockingIOError):
        while True:
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            one.connect(str(path))
            waiting.append(one)
    return listener, waiting


@case("who comes while the queue of the workload's unix socket is full waits for a place, until handshake-timeout", beside=True)
def full():
    folder = fence.scratch() / "full"
    folder.mkdir()
    short, waiting = full_socket(folder / "short.sock")
    never, _kept = full_socket(folder / "never.sock")
    with short, never, plain_echo() as server, World(listen=[
            {"name": "https", "to": server.to}, {"name": "short", "to": f"unix:{folder}/short.sock", "handshake-timeout": "60s"},
            {"name": "never", "to": f"unix:{folder}/never.sock", "handshake-timeout": "8s"}]).start() as world:
        with world.dial_tls("short") as wire:
            wire.sendall(b"hello")
            with world.dial_tls("https") as other:  # by the one thread that has tried the queue before
                check_equal(exchange(other, b"x"), b"x", "another entry meanwhile")
            for _ in waiting:
                short.accept()[0].close()
            with short.accept()[0] as taken:
                check_equal(taken.recv(5), b"hello", "as soon as there is a place")
                taken.sendall(b"world")
                check_equal(wire.recv(5), b"world", "and back")
        check_equal(talk(world.dial_tls("never")), b"", "where no place comes")
        record = world.wait_for("tunnel.refused", timeout=60)
        check_equal((record["obj"], record["act"], record["d"]["why"]),
                    ("never", "timeout", "the workload takes no connection: the queue of its socket is full"), "record")
        check_equal(len(world.records("tunnel.refused")), 1, "refusals")


def talk(wire):
    """What comes back; "" where we are refused, which with TLS 1.3 shows at the first read."""
    try:
        wire.sendall(b"hello")
        return wire.recv(5)
    except (OSError, ssl.SSLError):
        return b""
    finally:
        wire.close()


@case("clients without a certificate, with another CA's, or without a name that is allowed, do not reach the workload")
def clients():
    reached = []

    def serve(connection):
        reached.append(connection.recv(65536))
        connection.sendall(reached[-1])

    server = Server(serve, wrap=False)
    entries = [{"name": "any", "to": server.to, "clients": {"trust": "good"}},
               {"name": "named", "to": server.to, "clients": {"trust": "good", "allow": ["dns:Client.test", "spiffe://corp/x"]}},
               {"name": "others", "to": server.to, "clients": {"trust": "good", "allow": ["dns:test", "dns:other.test", "spiffe://corp/client.test"]}},
               {"name": "asked", "to": server.to, "clients": {"trust": "good", "require": False}}]
    with server, World(listen=entries).start() as world:
        for name, client, answer in (("any", "client", b"hello"), ("any", None, b""), ("any", "foreign", b""), ("named", "client", b"hello"),
                                     ("named", "stranger", b""), ("named", None, b""), ("others", "client", b""), ("asked", None, b"hello"),
                                     ("asked", "client", b"hello"), ("asked", "foreign", b"")):
            reached.clear()
            check_equal(talk(world.dial_tls(name, client)), answer, f"{name} with {client}")
            check_equal(bool(reached), bool(answer), f"{name} with {client}: the workload was reached")
        record = world.wait_for("tunnel.refused", obj="others")
        check_equal((record["act"], record["d"]["why"]), ("unverified", "the client's certificate has none of the names that are allowed"), "record")
        check_equal(world.wait_for("tunnel.refused", obj="any")["d"]["why"], "TLS: peer did not return a certificate", "without one")


@case("the PROXY header, version 2, says who came, as nginx reads it")
def proxy():
    nginx = area.folder("nginx")
    port, = peers.free_ports(1)
    area.require_program("nginx")
    (nginx / "conf").write_text(f"""daemon off; worker_processes 1; pid {nginx}/pid; error_log {nginx}/error;
events {{ }}
http {{ access_log off; client_body_temp_path {nginx}; proxy_temp_path {nginx}; fastcgi_temp_path {nginx}; uwsgi_temp_path {nginx};
scgi_temp_path {nginx};
server {{ listen 127.0.0.1:{port} proxy_protocol;
location / {{ return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_port"; }} }} }}""")
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "nginx", "-c", nginx / "conf"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peers.wait_until(lambda: peers.listens(port), "nginx listens", seconds=20)
    try:
        with World(listen=[{"name": "https", "to": f"127.0.0.1:{port}", "proxy-protocol": True}]).start() as world:
            with world.dial_tls("https") as wire:
                own = wire.getsockname()[1]
                wire.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answer = read_all(wire).decode()
        check_equal(answer.rpartition("\r\n")[2], f"127.0.0.1 {own} {world.ports['https']}", answer)
    finally:
        process.terminate()
        process.wait(10)


@case("an identity is shown to a server that wants one; without it that server lets nobody in")
def client_certificate():
    def name(connection):
        connection.sendall(connection.getpeercert()["subjectAltName"][0][1].encode())
        end(connection)

    with Server(name, client_ca=tunnels.identities() / "ca.pem") as server:
        world = World([{"name": "with", "to": server.to, "identity": "us"}, {"name": "without", "to": server.to}])
        world.identity("us", "client")
        with world.start():
            with world.dial("with") as plain:
                check_equal(read_all(plain), b"client.test", "the name that the server saw")
            with world.dial("without") as plain:
                check_equal(reset_or_end(plain), b"", "without an identity")


@case("an identity that is renewed is shown to whoever comes then; who is connected stays so; half of a new one changes nothing")
def renewed():
    folder = area.folder("renewed-identity")
    for end_ in ("pem", "key"):
        shutil.copy(tunnels.identities() / f"web.{end_}", folder / f"web.{end_}")
    with plain_echo() as server:
        world = World(listen=[{"name": "https", "to": server.to}],
                      changes={"secrets": {"refresh": {"interval": "10s", "jitter": "0%", "min-interval": "1s"}}})
        world.tls["identities"][0]["from"] = {"file": {"certificate": str(folder / "web.pem"), "key": str(folder / "web.key")}}
        with world.start():
            wire = world.dial_tls("https")
            first = wire.getpeercert()["serialNumber"]
            shutil.copy(tunnels.identities() / "web2.pem", folder / "web.pem")
            failed = world.wait_for("secret.fetch", act="failed")
            check_equal(failed["d"]["message"], "certificate: it belongs to another key", f"{failed}")
            check_equal(world.records("tunnel.identity"), [], "half of it was shown")
            shutil.copy(tunnels.identities() / "web2.key", folder / "web.key")
            check_equal(world.wait_for("tunnel.identity", act="renewed")["obj"], "web", "what is renewed")
            with world.dial_tls("https") as other:
                check(other.getpeercert()["serialNumber"] != first, "the old one is shown")
                check_equal(talk_on(other), b"hello", "a new connection")
            check_equal(talk_on(wire), b"hello", "what was open")
            wire.close()


@case("from the stop signal on nobody new comes in; what is open goes on, and the workload's own way out stays")
def drains():
    with plain_echo() as server, Server(echo) as remote:
        world = World([{"name": "out", "to": remote.to}], listen=[{"name": "https", "to": server.to}],
                      app=("/bin/sh", "-c", "trap 'sleep 2; exit 7' TERM; while :; do sleep 0.1; done"))
        with world.start():
            wire = world.dial_tls("https")
            check_equal(talk_on(wire), b"hello", "before")
            world.run.kill(fence.TERM)

            def closed():
                try:
                    tunnels.dial(f"127.0.0.1:{world.ports['https']}", 1).close()
                    return False
                except ConnectionRefusedError:
                    return True

            peers.wait_until(closed, "nobody new comes in", seconds=30)
            check_equal(talk_on(wire), b"hello", "what was open")
            with world.dial("out") as plain:
                plain.sendall(b"x")
                check_equal(plain.recv(1), b"x", "the way out")
            check_equal(world.run.wait(20).code, 7, "exit code")


def talk_on(wire):
    wire.sendall(b"hello")
    return wire.recv(5)


if __name__ == "__main__":
    laz.main()
