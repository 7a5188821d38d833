# SPDX-License-Identifier: Apache-2.0
"""Clear text to ports that are for TLS alone: refused where Landlock can, seen where it leaves the container, and silent
where it does not.

Real init, Landlock and sense. The container has a network of its own with two addresses on its only interface, so that
whoever connects there leaves by no wire and yet has no loopback address. Must never connect to anybody else.
"""
import contextlib
import os
import subprocess
import sys

import adapters
import fence
import laz
import sinks_peers
from laz import case, check, check_equal
from sense_world import World, check_page
from ship_world import until

PEER, OTHER, SIX = "10.77.0.1", "10.77.0.2", "fd77::1"
PORT, FREE = 5432, 8443
# Ends when nobody holds its standard input any more, and the network with it.
HOLDER = f"""
import socket, subprocess, sys
for words in ("link set lo up", "addr add {PEER}/24 dev lo", "addr add {OTHER}/24 dev lo", "-6 addr add {SIX}/64 dev lo nodad"):
    subprocess.run(["ip", *words.split()], check=True)
held = [socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64) for port in ({PORT}, {FREE})]
print("up", flush=True)
if len(sys.argv) > 1:
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    held.append(context.wrap_socket(held[0].accept()[0], server_side=True))
    print("tls", flush=True)
sys.stdin.read()
"""
NO_LANDLOCK = "refuse=444"  # landlock_create_ruleset

class Network:
    """A network with somebody in it who listens at both ports, on all addresses, before any container is there."""

    def __init__(self, *certificate):
        self.holder = subprocess.Popen(["unshare", "-n", sys.executable, "-c", HOLDER, *certificate], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE)
        check_equal(self.holder.stdout.readline(), b"up\n", "the network")

    @property
    def wrapper(self):
        return ("nsenter", f"--net=/proc/{self.holder.pid}/ns/net")

    def close(self):
        self.holder.communicate()


def world(plain, connect=None, sense=None, **changes):
    """Landlock is on: that is what refuses."""
    network = {"tcp-bind": [4440], "tcp-connect": connect if connect is not None else [FREE]}
    return World({"listen": "disabled", "credentials": "disabled", "executables": "disabled", **(sense or {})},
                 {"requires": {"landlock": "preferred"}, "filesystem": {"write-exec": ["/"]},
                  "network": network, **({"tls": {"plain": plain}} if plain else {}), **changes})


@contextlib.contextmanager
def running(here, certificate=(), **rest):
    """The container in such a network; with a certificate, the first connection to PORT is answered by TLS."""
    net = Network(*certificate)
    try:
        with here.watch(wrapper=net.wrapper, **rest) as run:
            run.net = net
            yield run
    finally:
        net.close()


def connect(here, where, port=PORT):
    """What connect(2) of the workload came to."""
    line = f"connect {where} {port}"
    before = errors(here).count(line)
    here.tell(line)
    until(lambda: errors(here).count(line) > before, f"{line}: {errors(here)}")
    return errors(here).rsplit(line, 1)[1].splitlines()[0].removeprefix(": ")


def errors(here):
    return "".join(r["d"]["msg"] + "\n" for r in here.records("log") if r["obj"] == "stderr")


@case("control: without tls.plain the workload connects wherever network.tcp-connect lets it, and nobody says a word")
def control():
    here = world(None, [PORT, FREE])
    with running(here):
        check_equal([connect(here, where) for where in (PEER, SIX, "127.0.0.1")], ["done"] * 3, "connections")
        here.tell("tcp 4440")
        here.check_quiet(("exec.foreign",))
        (start,) = here.records("init.start")
        check("tls_plain" not in start["d"]["probed"], f"{start}")


@case("enforce: connect(2) fails with EACCES at every address, the start says `enforced`, and another port is reached")
def enforce():
    here = world({"mode": "enforce", "tls-only": [PORT]})
    with running(here):
        (start,) = here.records("init.start")
        check_equal(start["d"]["probed"]["tls_plain"], "enforced", "the start")
        check_equal(start["d"]["degraded"].count("plain-only-detected"), 0, "degradations")
        check_equal([connect(here, where) for where in (PEER, SIX, "127.0.0.1")], ["Permission denied"] * 3, "refused")
        check_equal(connect(here, PEER, FREE), "done", "another port")
        here.check_quiet(("exec.foreign",))


@case("detect: one record for each peer, by either family, however often it connects; loopback and other ports are not reported")
def detect():
    here = world({"mode": "detect", "tls-only": [PORT]}, [PORT, FREE])
    with running(here):
        (start,) = here.records("init.start")
        check_equal(start["d"]["probed"]["tls_plain"], "detected", "the start")
        for where in (PEER, PEER, SIX, f"::ffff:{PEER}", "127.0.0.1", "::1"):
            check_equal(connect(here, where), "done", where)
        check_equal(connect(here, OTHER, FREE), "done", "another port")
        (record,) = here.await_find("plain.connect", 1, obj=f"{PEER}:{PORT}/tcp")
        check_equal((record["act"], record["sev"], record["d"]["uid"], record["d"]["port"]),
                    ("connected", 7, adapters.WORKLOAD_UID, PORT), "the record")
        here.await_find("plain.connect", 1, obj=f"[{SIX}]:{PORT}/tcp")
        here.tell("close")
        check_equal([connect(here, where) for where in (PEER, OTHER)], ["done"] * 2, "again")
        here.await_find("plain.connect", 1, obj=f"{OTHER}:{PORT}/tcp")
        here.settle()
        check_equal(sorted(r["obj"] for r in here.finds("plain.connect")),
                    sorted(f"{p}:{PORT}/tcp" for p in (PEER, OTHER, f"[{SIX}]")), "records")


@case("what was said is not said again by a sense that was killed, and a new peer is")
def killed():
    here = world({"mode": "detect", "tls-only": [PORT]}, [PORT])
    with running(here):
        check_equal(connect(here, PEER), "done", PEER)
        here.await_find("plain.connect", 1)
        os.kill(here.sense_pid(), fence.KILL)
        until(lambda: len(here.records("sense.start")) == 2, "another sense")
        check_equal(connect(here, OTHER), "done", OTHER)
        here.await_find("plain.connect", 1, obj=f"{OTHER}:{PORT}/tcp")
        here.settle()
        check_equal(len(here.finds("plain.connect")), 2, "records")


@case("an address that is allowed may have clear text, with enforce too; another one at that port is seen, for Landlock knows none")
def allowed():
    for mode in ("detect", "enforce"):
        here = world({"mode": mode, "tls-only": [PORT], "allow": [f"{PEER}:{PORT}", f"[{SIX}]:{PORT}"]}, [PORT])
        with running(here):
            check_equal([connect(here, where) for where in (PEER, SIX)], ["done"] * 2, "allowed")
            here.check_quiet(("exec.foreign",))
            check_equal(connect(here, OTHER), "done", "not allowed")
            here.await_find("plain.connect", 1, obj=f"{OTHER}:{PORT}/tcp")


@case("connections of init's helpers, whose users are 65311 to 65315, are not the workload's; those of a third party are neither")
def helpers():
    here = world({"mode": "detect", "tls-only": [PORT]}, [PORT])
    for uid, reported in ((65311, False), (65314, False), (4711, False), (adapters.WORKLOAD_UID, True)):
        with running(here) as run:
            script = (f"import encodings.idna, socket, os, time; os.setuid({uid}); s = socket.create_connection(('{PEER}', {PORT})); "
                      "print('up', flush=True); time.sleep(60)")
            command = [*run.net.wrapper, sys.executable, "-c", script]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
                check_equal(client.stdout.readline(), b"up\n", "the client")
                if reported:
                    here.await_find("plain.connect", 1)
                else:
                    here.settle()
                    check_equal(here.finds("plain.connect"), [], f"user {uid}")
                client.kill()


@case("where the tunnel leads is for TLS alone: it gets there and is not reported, the workload itself is refused")
def tunnel():
    here = world({"mode": "enforce"}, [15432])
    here.changes["tls"] |= {
        "trust": [{"name": "good", "file": str(sinks_peers.pki() / "ca.pem")}],
        "connect": [{"name": "pg", "bind": "127.0.0.1:15432", "to": f"{PEER}:{PORT}", "trust": "good", "server-name": "server.test"}]}
    certificate = [str(sinks_peers.pki() / f"server.{end}") for end in ("pem", "key")]
    with running(here, certificate) as run:
        check_equal(connect(here, "127.0.0.1", 15432), "done", "the tunnel's plain side")
        check_equal(run.net.holder.stdout.readline(), b"tls\n", "what the server has of it")
        check_equal(connect(here, PEER), "Permission denied", "past the tunnel")
        here.check_quiet(("exec.foreign",))
        (start,) = here.records("init.start")
        check_equal(start["d"]["probed"]["tls_plain"], "enforced", "the start")


@case("listening for others on a port that nobody named is a record, on loopback it is none; beside sense.listen both speak; the page shows such records")
def listeners():
    for level, others in (("disabled", []), ("preferred", ["0.0.0.0:4444/tcp", "0.0.0.0:4446/udp", "[::]:4445/tcp"])):
        here = world({"mode": "detect", "tls-only": [PORT]}, [PORT],
                     {"listen": {"level": level, "allow": ["4441/tcp"]}}, requires={"landlock": "disabled"})
        with running(here):
            here.tell("tcp 4440", "tcp 4441", "tcp 4444", "tcp6 4445", "udp 4446")
            for obj in ("0.0.0.0:4444/tcp", "[::]:4445/tcp"):
                (record,) = here.await_find("plain.listen", 1, obj=obj)
                check_equal((record["act"], record["sev"]), ("listening", 6), obj)
            here.settle()
            check_equal(sorted(r["obj"] for r in here.finds("plain.listen")), ["0.0.0.0:4444/tcp", "[::]:4445/tcp"], "plain.listen")
            check_equal(sorted(r["obj"] for r in here.finds("net.listen")), others, "net.listen")
            check_equal(connect(here, PEER), "done", "a connection")
            (connection,) = here.await_find("plain.connect", 1)
            check_page({("plain.listen", "listening"): record, ("plain.connect", "connected"): connection},
                       ["plain.connect", "plain.listen"])


@case("where Landlock has no rules for ports: preferred says by name that it is only detected, and does; required refuses the start")
def without_landlock():
    plain = {"mode": "enforce", "tls-only": [PORT]}
    here = world(plain)
    with running(here, conditions=(NO_LANDLOCK,)):
        (start,) = here.records("init.start")
        check("plain-only-detected" in start["d"]["degraded"], f"{start['d']['degraded']}")
        check_equal(start["d"]["probed"]["tls_plain"], "detected", "the start")
        check_equal(connect(here, PEER), "done", "nothing refuses it")
        here.await_find("plain.connect", 1, obj=f"{PEER}:{PORT}/tcp")
    here = world(plain, requires={"landlock": "required"})
    code, said = here.outcome(conditions=(NO_LANDLOCK,))
    check_equal(code, 108, said)
    check("requires.landlock" in said, said)


if __name__ == "__main__":
    laz.main()
