# SPDX-License-Identifier: Apache-2.0
"""The role tunnel when many come at once, or stay longer than they should: nobody takes the place of those who are good."""
import contextlib
import os
import random
import resource
import select
import signal
import socket
import ssl
import struct
import threading
import time

import fence
import laz
import sinks_peers as peers
import tunnel_world as tunnels
from key_updates import KeyUpdates
from laz import case, check, check_equal
from tunnel_world import Server, World, echo, end

DIALS = 300


def room():
    """As many descriptors as the system gives: the suite plays both sides."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Names:
    """A name server of one name, server.test, which answers when it is told to."""

    def __init__(self):
        self.asked, self.gate = 0, threading.Event()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.address = "127." + ".".join(str(random.randint(2, 250)) for _ in range(3))
        self.socket.bind((self.address, 53))
        self.file = fence.scratch() / "resolv.conf"
        self.file.write_text(f"nameserver {self.address}\n")
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            self.asked += 1
            self.gate.wait(30)
            is_a = query[-4:-2] == b"\0\1"
            answer = query[:2] + b"\x81\x80" + query[4:6] + struct.pack(">HHH", is_a, 0, 0) + query[12:]
            if is_a:
                answer += b"\xc0\x0c\0\1\0\1" + struct.pack(">IH", 60, 4) + bytes((127, 0, 0, 1))
            self.socket.sendto(answer, peer)


@case("hundreds that dial a slow server by its name at once: the name is looked up once, and none lacks a descriptor")
def dials():
    room()
    gate, names = threading.Event(), Names()

    def slow(connection):
        gate.wait(60)
        connection.settimeout(60)
        connection = server.context.wrap_socket(connection, server_side=True)
        connection.sendall(b"hello")
        end(connection)

    # 2 for each and what the helper has: with a socket to the name server for each they would not be enough.
    prefix = ["prlimit", "--nofile=800:800", "unshare", "-m", "sh", "-c",
              f'mount --bind {names.file} /etc/resolv.conf && exec "$@"', "-"]
    with Server(slow, wrap=False) as server, World(
            [{"name": "db", "to": f"server.test:{server.port}", "handshake-timeout": "60s", "max-connections": DIALS}], prefix=prefix).start() as world:
        tunnel = world.pid()
        held = [world.dial("db") for _ in range(DIALS)]
        peers.wait_until(lambda: len(os.listdir(f"/proc/{tunnel}/fd")) > DIALS, "all were accepted", seconds=30)
        names.gate.set()
        peers.wait_until(lambda: len(os.listdir(f"/proc/{tunnel}/fd")) > 2 * DIALS, "all have dialled", seconds=30)
        gate.set()
        for plain in held:
            plain.settimeout(60)
            check_equal(plain.recv(5), b"hello", f"what came of one of {DIALS}: {world.records('tunnel.refused')}")
            plain.close()
        check_equal(world.records("tunnel.refused"), [], "refusals")
        check(1 <= names.asked <= 12, f"{names.asked} questions: two kinds of addresses, three attempts")  # some may come late


@case("bytes that are no record yet are nothing that moves: idle-timeout ends such a connection")
def trickle():
    with Server(echo, wrap=False) as server, World(listen=[{"name": "https", "to": server.to, "idle-timeout": "1s"}]).start() as world:
        wire = world.dial_tls("https")
        wire.sendall(b"hello")
        check_equal(wire.recv(5), b"hello", "before")
        raw, began = wire.detach(), time.monotonic()
        header = iter(b"\x17\x03\x03\x40\x00" + bytes(16384))
        try:
            with contextlib.suppress(OSError):
                while time.monotonic() < began + 30:
                    os.write(raw, bytes((next(header),)))
                    time.sleep(0.1)
            check(time.monotonic() < began + 30, "a byte each 100 ms kept it open")
        finally:
            os.close(raw)


@case("a peer that has said its end and is reset is seen, though nothing more is read from it")
def reset():
    ended, broken = threading.Event(), threading.Event()

    def stays(connection):
        check_equal(connection.recv(100), b"", "the end")
        ended.set()
        poll = select.poll()
        poll.register(connection, 0)  # an error or an end of both directions, and nothing else
        if poll.poll(30_000):
            broken.set()

    with Server(stays, wrap=False) as server, World(listen=[{"name": "https", "to": server.to}]).start() as world:
        wire = world.dial_tls("https")
        wire.setblocking(False)
        with contextlib.suppress(OSError):
            wire.unwrap()  # our end; nobody waits for the other one
        check(ended.wait(30), "the workload saw the end")
        check(not broken.wait(1.5), "it goes on without the reset")
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(wire.detach())
        check(broken.wait(30), f"the workload's connection is still there: {server.errors}")


def from_there(world, address, name="https"):
    """A verified TLS connection from an address of our choice."""
    context = ssl.create_default_context(cafile=tunnels.identities() / "ca.pem")
    plain = socket.create_connection(("127.0.0.1", world.ports[name]), 30, (address, 0))
    return context.wrap_socket(plain, server_hostname="server.test")


def several(number, world):
    """Those of so many connections that come about."""
    found = []
    for _ in range(number):
        with contextlib.suppress(OSError):
            found.append(from_there(world, "127.0.0.77"))
    return found


def is_served(wire):
    try:
        wire.sendall(b"hello")
        return wire.recv(5) == b"hello"
    except OSError:  # refused: by an end, or a reset
        return False


@case("silent sockets, from an address of their own or from ours, keep nobody out; what is open stays; finished handshakes do count")
def silent():
    room()
    stop = threading.Event()

    def flood(port):
        held = []
        while not stop.is_set():
            with contextlib.suppress(OSError):
                held.append(socket.create_connection(("127.0.0.1", port), 5, ("127.0.0.66", 0)))
            time.sleep(0.001)  # one in 256 times both addresses are one crowd, and then the handshake has to be faster than 32 of these
            for old in held[:-200]:
                old.close()
            del held[:-200]

    with Server(echo, wrap=False) as server, World(listen=[
            {"name": "https", "to": server.to, "max-connections": 64, "handshake-timeout": "60s"}]).start() as world:
        early = from_there(world, "127.0.0.1")
        check(is_served(early), "before the flood")
        quiet = [tunnels.dial(f"127.0.0.1:{world.ports['https']}") for _ in range(200)]
        check(is_served(from_there(world, "127.0.0.1")), "behind 200 from the same address")
        flooding = threading.Thread(target=flood, args=(world.ports["https"],))
        flooding.start()
        try:
            for n in range(20):
                check(is_served(from_there(world, "127.0.0.77")), f"the {n}th, in the middle of a flood")
        finally:
            stop.set()
            flooding.join()
        check(is_served(early), "what was open before")
        said = world.wait_for("tunnel.refused", obj="https")
        check_equal((said["act"], said["d"]["why"]),
                    ("ceiling", "too many have come and begun nothing: the oldest from where most came from gave way"), "record")
        for plain in quiet:
            plain.close()
        served = sum(is_served(wire) for wire in several(80, world))  # the control: these have shown who they are
        check(32 <= served <= 63, f"{served} of 80 beside one, with max-connections 64")


@case("where descriptors are short each entry has its part: what comes in cannot keep the workload from its database")
def parts():
    room()
    with Server(echo) as remote, Server(echo, wrap=False) as server, World(
            [{"name": "db", "to": remote.to}], listen=[{"name": "https", "to": server.to}], prefix=["prlimit", "--nofile=300:300"]).start() as world:
        held = several(100, world)
        served = sum(is_served(wire) for wire in held)
        check(20 < served < 60, f"{served} of what came in were served")
        said = world.wait_for("tunnel.refused", obj="https")
        check_equal((said["act"], said["d"]["why"]), ("ceiling", "as many connections are open as the limit of open files allows"), "record")
        for _ in range(20):
            plain = world.dial("db")
            check(is_served(plain), "the way out")
            held.append(plain)


@case("a client that changes its keys without end takes nobody's turn")
def updates():
    def is_served_meanwhile(world, wire):
        """While the other's waits, all of it there before we ask for anything."""
        hostile = KeyUpdates(world.ports["https"])
        check_equal(hostile.exchange(b"hello"), b"hello", "it is a client as others")
        os.kill(world.pid(), signal.SIGSTOP)
        n = hostile.fill()
        check(n > 5000, f"{n} changes of the keys are no flood")
        wire.sendall(b"hello")
        os.kill(world.pid(), signal.SIGCONT)
        check_equal(wire.recv(5), b"hello", "an answer")
        return hostile.left() > 0

    with Server(echo, wrap=False) as server, World(listen=[{"name": "https", "to": server.to}]).start() as world:
        wire = world.dial_tls("https")
        check(is_served(wire), "before")
        # We may be late, never early: one time in which it was so is enough.
        check(any(is_served_meanwhile(world, wire) for _ in range(10)), "it was served only when all of the flood was over")


if __name__ == "__main__":
    laz.main()
