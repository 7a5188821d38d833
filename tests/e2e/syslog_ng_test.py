# SPDX-License-Identifier: Apache-2.0
"""syslog-ng decodes what our syslog sinks send, on every transport: one message for each record, with our header and the
record's exact bytes, whatever the workload had written."""
import json
import re
import socket

import hostile
import laz
import sinks_peers as peers
import trail_judge
from laz import case, check, check_equal
from ship_world import World
from sinks_peers import Drive, record
from syslog_ng import SyslogNg

TRANSPORTS = ("tls", "tcp", "tcp-lf", "udp", "unix")
DATAGRAM_MAX = {"udp": 8192, "unix": 65536}


def where(peer, transport):
    return {"path": peer.folder / "socket"} if transport == "unix" else {"host": "127.0.0.1", "port": peer.ports[transport]}


def expected(line):
    """What is to be read in the header of a record's message."""
    fields = json.loads(line)
    sev = fields.get("sev", 0)
    severity = next(level for least, level in ((10, 1), (8, 2), (6, 3), (4, 4), (2, 5), (0, 6)) if sev >= least)
    name = fields["ev"] if re.fullmatch("[a-z0-9.-]{1,32}", fields["ev"]) else ""
    return {"pri": str(13 * 8 + severity), "time": fields["ts"].replace("Z", "+00:00"), "app": "lazaret", "msgid": name,
            "sd": ""}


def check_messages(peer, lines, host):
    """All of them, in order, and nothing else: as bytes, and as syslog-ng has decoded them."""
    check(peer.lines() == lines, f"{len(peer.lines())} lines are not the {len(lines)} that were sent")
    messages = peer.messages()
    check_equal(len(messages), len(lines), "messages")
    for line, message in zip(lines, messages):
        rest = {key: message.get(key, "") for key in ("pri", "time", "app", "msgid", "sd")}
        rest["sd"] = re.sub(r'^\[meta sequenceId="\d+"\]$', "", rest["sd"])  # a local source counts by itself
        check_equal({**rest, "host": message["host"]}, {**expected(line), "host": host}, f"{line[:300]!r}")
        check_equal(message["msg"].encode(), line, "the message")


@case("every transport: all records, once, in order, decoded as they were sent")
def transports():
    peer, lines = SyslogNg("transports"), []
    for transport in TRANSPORTS:
        burst = [record(len(lines) + n) for n in range(50 if transport == "udp" else 500)]
        drive = Drive(type="syslog", transport=transport, name="web-1.example", **where(peer, transport),
                      **(peers.client() if transport == "tls" else {}))
        drive.end(burst)
        lines += burst
        check_equal(drive.of("settled") + drive.of("down"), [str(len(burst))], f"{transport}: what was said")
        peers.wait_until(lambda: len(peer.lines()) >= len(lines), transport, peer.said)
    peer.stop()
    check_messages(peer, lines, "web-1.example")


@case("a stranger's certificate gets nothing in")
def stranger():
    peer = SyslogNg("stranger")
    drive = Drive(type="syslog", transport="tls", seconds=1, **where(peer, "tls"), **peers.client("foreign"))
    drive.end([record(0)], code=None)
    peer.stop()
    check_equal(peer.lines(), [], "what arrived")


@case("a workload's hostile lines are records of ours alone, and its bytes, over TLS and TCP")
def streams():
    for transport, content in (("tls", hostile.text()), ("tcp", hostile.text()), ("tcp-lf", hostile.text()[:300000])):
        peer, pki = SyslogNg(f"hostile-{transport}"), peers.pki()
        sink = {"name": "collector", "type": "syslog", "transport": transport, "to": f"127.0.0.1:{peer.ports[transport]}",
                "classes": ["audit", "ids", "log"]}
        if transport == "tls":
            sink["tls"] = {"ca": str(pki / "ca.pem"), "cert": str(pki / "client.pem"), "key": str(pki / "client.key"),
                           "peer": "server.test"}
        world = World({"logs": {"max-line": "64KiB"}})
        world.sinks = [world.file_sink(), sink]
        hostile.said(world, content, "65536,200")
        peers.wait_until(lambda peer=peer, world=world: len(peer.lines()) >= len(world.bytes().splitlines()), transport,
                         peer.said)
        peer.stop()
        data = b"".join(line + b"\n" for line in peer.lines())
        hostile.check_form(world, data, transport)
        check(world.stream(data=data) == content, f"{transport}: the stream is not what was said")
        world.judge(trail_judge.FINE, data=data)
        check_messages(peer, world.bytes().splitlines(), peer.messages()[0]["host"])


@case("the same records as datagrams: those that fit arrive as they were, the others are rejected by name")
def datagrams():
    world = World({"logs": {"max-line": "64KiB"}})
    hostile.said(world, hostile.text(), "65536,200")
    for transport, most in DATAGRAM_MAX.items():
        peer, batch, count = SyslogNg(f"datagrams-{transport}"), [], 0
        lines = [line for line in world.bytes().splitlines() if len(line) < most - 400]
        if transport == "udp":
            lines = lines[:: max(1, len(lines) // 300)]
        drive = Drive(type="syslog", transport=transport, name="web-1.example", **where(peer, transport))
        for line in lines:
            batch.append(line)
            if len(batch) == 20:  # nobody tells us how much it has room for
                drive.feed(batch)
                count, batch = count + len(batch), []
                peers.wait_until(lambda n=count, peer=peer: len(peer.lines()) >= n, transport, peer.said)
        drive.end([*batch, record(0, "x" * most)])
        check_equal([text.split()[0] for text in drive.of("rejected")], [str(len(lines) + 1)], f"{transport}: rejected")
        peers.wait_until(lambda n=len(lines), peer=peer: len(peer.lines()) >= n, transport, peer.said)
        peer.stop()
        check_messages(peer, lines, "web-1.example")


@case("control: what a workload says, put into a message as it is, does forge headers and records there")
def control():
    peer = SyslogNg("control")
    forged = b"<8>1 2026-01-01T00:00:00Z trusted kernel - - - forged"
    with socket.create_connection(("127.0.0.1", peer.ports["tcp-lf"])) as naive:
        naive.sendall(b"<110>1 - web-1.example app - - - said: x\n" + forged + b"\n")
    peers.wait_until(lambda: len(peer.lines()) == 2, "both", peer.said)
    peer.stop()
    check_equal([(m["host"], m["app"]) for m in peer.messages()], [("web-1.example", "app"), ("trusted", "kernel")], "headers")


if __name__ == "__main__":
    laz.main()
