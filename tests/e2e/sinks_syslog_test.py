# SPDX-License-Identifier: Apache-2.0
"""The sink syslog over each transport, record by record, against rsyslog and a receiver that reads late."""
import contextlib
import re
import socket
import time

import laz
import sinks_peers as peers
from laz import case, check, check_equal
from sinks_peers import Drive, Rsyslog, Scripted, record, settled


@case("syslog over TLS, TCP and TCP with line feeds, UDP and a local socket: all of it, once, in order")
def syslog():
    rsyslog = Rsyslog("syslog")
    count = 0
    for transport, port, burst in (("tls", "tls", 2000), ("tcp", "tcp", 2000), ("tcp-lf", "tcp", 2000),
                                   ("udp", "udp", 50), ("unix", None, 500)):
        where = {"path": rsyslog.folder / "socket"} if port is None else {
            "host": "127.0.0.1", "port": rsyslog.ports[port]}
        drive = Drive(type="syslog", transport=transport, **where, **(peers.client() if transport == "tls" else {}))
        drive.end(record(n) for n in range(count, count + burst))
        settled(drive, burst)
        count += burst
        peers.wait_until(lambda count=count: len(rsyslog.lines()) >= count, transport, rsyslog.said_last)
    rsyslog.stop()
    check_equal(peers.numbers(rsyslog.lines()), list(range(count)), "what arrived")


@case("the last words of a run over TLS are not lost by closing the connection")
def last_words():
    rsyslog = Rsyslog("last-words")
    runs, burst = 20, 30
    for run in range(runs):
        drive = Drive(type="syslog", transport="tls", host="127.0.0.1", port=rsyslog.ports["tls"], **peers.client())
        drive.end(record(n) for n in range(run * burst, (run + 1) * burst))
    peers.wait_until(lambda: len(rsyslog.lines()) >= runs * burst, "all runs", rsyslog.said_last)
    rsyslog.stop()
    check_equal(sorted(peers.numbers(rsyslog.lines())), list(range(runs * burst)), "what arrived")


@case("a receiver that talks to us and reads late loses nothing at the end of a run")
def late_reader():
    got = []

    def script(connection, _):
        for _ in range(15):  # of the 200 ms in which a sink listens at its end
            with contextlib.suppress(OSError):
                connection.sendall(b"what nobody asked for")
            time.sleep(0.001)
        with contextlib.suppress(ConnectionResetError):
            while data := connection.recv(65536):
                got.append(data)
        got.append(None)

    server = Scripted(script)
    server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)  # so that the rest waits with the sender
    drive = Drive(type="syslog", transport="tcp-lf", host="127.0.0.1", port=server.port)
    drive.end(map(record, range(600)))
    peers.wait_until(lambda: got[-1:] == [None], "the end of the connection")
    check_equal(peers.numbers(line[line.index(b"{"):] for line in b"".join(got[:-1]).splitlines()), list(range(600)),
                "what arrived")


@case("what is longer than a datagram is rejected by name, and the rest goes on")
def long_datagrams():
    rsyslog = Rsyslog("datagrams")
    lines = [record(0), record(1, "x" * 9000), record(2), record(3, "x" * 70000), record(4)]
    arrived = 0
    for transport, rejected in (("udp", [2, 4]), ("unix", [4])):
        where = {"path": rsyslog.folder / "socket"} if transport == "unix" else {
            "host": "127.0.0.1", "port": rsyslog.ports["udp"]}
        drive = Drive(type="syslog", transport=transport, **where)
        drive.end(lines)
        check_equal([int(text.split()[0]) for text in drive.of("rejected")], rejected, f"{transport}: rejected")
        check(all("longer than a datagram may be" in text for text in drive.of("rejected")), f"{drive.said}")
        check_equal(drive.of("settled"), ["5"], "what was settled")
        arrived += 5 - len(rejected)
        peers.wait_until(lambda n=arrived: len(rsyslog.lines()) >= n, transport, rsyslog.said_last)


@case("a syslog receiver that goes is named, and found again when it is back [tcp, udp, unix]")
def syslog_returns():
    for transport in ("tcp", "udp", "unix"):
        rsyslog = Rsyslog(f"returns-{transport}")
        where = {"path": rsyslog.folder / "socket"} if transport == "unix" else {
            "host": "127.0.0.1", "port": rsyslog.ports[transport]}
        drive = Drive(type="syslog", transport=transport, seconds=60, **where)
        drive.feed([record(0)])
        peers.wait_until(lambda: len(rsyslog.lines()) == 1, "the first")
        rsyslog.kill()
        number = 1
        while not drive.of("down"):
            drive.feed([record(number)])
            number += 1
            time.sleep(0.02)
        check(re.search("refused|closed|reset|No such file|not connected", drive.of("down")[0]), drive.of("down")[0])
        (rsyslog.folder / "socket").unlink(missing_ok=True)
        rsyslog.start()
        drive.end([record(number)])
        settled(drive, number + 1)
        peers.wait_until(lambda n=number: record(n) in rsyslog.lines(), "the last")


if __name__ == "__main__":
    laz.main()
