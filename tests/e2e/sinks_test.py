# SPDX-License-Identifier: Apache-2.0
"""The sinks, driven record by record, against real receivers and against ones that misbehave.

The claim is always the same: what was said to have arrived is there, nothing is left out, and what is there twice is
what a break had left open. What is peculiar to syslog is in sinks_syslog_test.py; files and the container's output are
in sinks_local_test.py.
"""
import json
import re
import select
import signal
import socket
import ssl
import threading
import time
import warnings

import area
import laz
import readme
import sinks_peers as peers
from laz import case, check, check_equal
from sinks_peers import Drive, Proxy, RelpSession, Rsyslog, Scripted, record, settled

KILLS = 100 if laz.LONG else 10
CUTS = 300 if laz.LONG else 30
WINDOW = 128


def feed_until(drive, done):
    """Feed batches until done(number fed so far); the number fed."""
    number = 0
    while not done(number):
        drive.feed(record(n) for n in range(number, number + 100))
        number += 100
        time.sleep(0.004)
    return number


# ---- RELP and rsyslog ----


@case("RELP to rsyslog, plain and with mutual TLS: all of it, once, in order, and neither side complains")
def relp():
    rsyslog = Rsyslog("relp")
    plain = Drive(type="relp", host="127.0.0.1", port=rsyslog.ports["relp"])
    check_equal(plain.end(map(record, range(5000)))[-1], "settled 5000", "the end")
    tls = Drive(type="relp", host="127.0.0.1", port=rsyslog.ports["relps"], window=16, **peers.client())
    settled_lines = tls.end(map(record, range(5000, 10000)))
    check_equal(settled_lines[-1], "settled 5000", "the end")
    check_equal(plain.of("down") + tls.of("down"), [], "complaints of ours")
    rsyslog.stop()
    check_equal(peers.numbers(rsyslog.lines()), list(range(10000)), "what arrived")
    complaints = [line for line in rsyslog.said().splitlines() if re.search("error|warn|fail", line, re.I)]
    check_equal(complaints, [], "complaints of rsyslog")


@case("the receiver of the how-to, with its certificates, takes the longest record, refuses a stranger, writes what verify reads")
def how_to():
    page = laz.ROOT / "docs" / "how-to" / "rsyslog.md"
    folder = area.folder("how-to")
    port, = peers.free_ports(1)
    text = readme.block("rsyslog", page)
    made = area.run(["sh", "-eu", "-c", readme.block("sh", page)], cwd=folder)
    check_equal(made.code, 0, made.err)
    check_equal({oct((folder / f"{name}.key").stat().st_mode & 0o777) for name in ("ca", "collector", "client")}, {"0o600"}, "keys")
    keys = {"ca": folder / "ca.pem", "cert": folder / "client.pem", "key": folder / "client.key", "peer": "collector.internal"}
    for old, new in (("/etc/rsyslog.d/tls", folder), ("/var/log/lazaret", folder), ('"2514"', f'"{port}"')):
        check(old in text, f"no {old} in the configuration")
        text = text.replace(old, str(new))
    (folder / "conf").write_text(f'global(workDirectory="{folder}")\n{text}')
    rsyslog = peers.start_rsyslogd(folder, [port])
    drive = Drive(type="relp", host="127.0.0.1", port=port, **keys)
    lines = [record(0), record(1, "x" * ((1 << 20) - 2000)), record(2)]
    drive.end(lines)
    settled(drive, 3)
    nobody = {**keys, "cert": folder / "collector.pem", "key": folder / "collector.key"}  # of this CA, but another's name
    for stranger in (nobody, {**peers.client("stranger"), "ca": folder / "ca.pem", "peer": "collector.internal"}):
        Drive(type="relp", host="127.0.0.1", port=port, seconds=1, **stranger).end([record(3)], code=3)
    rsyslog.terminate()
    rsyslog.wait(20)
    check((folder / "trail.jsonl").read_bytes() == b"".join(line + b"\n" for line in lines), "the file of the how-to")
    check_equal(oct((folder / "trail.jsonl").stat().st_mode & 0o777), "0o640", "who may read it")


@case("the longest record, the shortest, and one at each power of two arrive whole")
def lengths():
    rsyslog = Rsyslog("lengths")
    empty = len(record(0, ""))
    texts = ["x" * (2 ** power + more - empty) for power in range(8, 20) for more in (-1, 0, 1)]
    texts += ["", "x" * ((1 << 20) - 1 - empty)]
    lines = [record(0, text) for text in texts]
    for keys in ({"type": "relp", "port": rsyslog.ports["relp"]},
                 {"type": "syslog", "transport": "tls", "port": rsyslog.ports["tls"], **peers.client()}):
        drive = Drive(host="127.0.0.1", seconds=20, **(peers.client() | keys if "transport" in keys else keys))
        drive.end(lines)
        settled(drive, len(lines))
    peers.wait_until(lambda: len(rsyslog.lines()) >= 2 * len(lines), "everything in the file", rsyslog.said_last)
    rsyslog.stop()
    check(rsyslog.lines() == 2 * lines, f"lengths: {[len(line) for line in rsyslog.lines()]}")


@case("rsyslogd is killed and comes back in mid-stream: nothing is lost, and repeated is a window at most")
def kills():
    rsyslog = Rsyslog("kills")
    rng = peers.at_random("kills")
    drive = Drive(type="relp", host="127.0.0.1", port=rsyslog.ports["relps"], quiet=1, seconds=600, **peers.client())
    state = {"kills": 0, "next": 500}

    def harm(_):
        if rsyslog.records.exists() and rsyslog.records.stat().st_size > state["next"] * 250:
            if state["kills"] == KILLS:
                return True
            rsyslog.kill()
            state["kills"] += 1
            state["next"] = rsyslog.records.stat().st_size // 250 + rng.randrange(50, 3000)
            rsyslog.start()
        return False

    count = feed_until(drive, harm)
    drive.end()
    settled_at = drive.of("settled")
    check_equal(settled_at, [str(count)], "what was settled")
    rsyslog.stop()
    peers.check_delivery(rsyslog.lines(), count, WINDOW, KILLS)
    check(len(drive.of("down")) >= KILLS, f"{len(drive.of('down'))} breaks were named for {KILLS} kills")


@case("a connection that is cut at any byte, in either direction: nothing is lost [plain, TLS]")
def cuts():
    for port in ("relp", "relps"):
        rsyslog = Rsyslog(f"cuts-{port}")
        rng = peers.at_random(f"cuts {port}")
        proxy = Proxy(rsyslog.ports[port], cut=lambda rng=rng: int(2 ** rng.uniform(4, 18)))
        more = peers.client() if port == "relps" else {}
        drive = Drive(type="relp", host="127.0.0.1", port=proxy.port, quiet=1, seconds=600, retry_max=20, **more)
        count = feed_until(drive, lambda n, proxy=proxy: proxy.n_cuts >= CUTS)
        proxy.cut = None
        drive.end()
        check_equal(drive.of("settled"), [str(count)], f"{port}: what was settled")
        rsyslog.stop()
        peers.check_delivery(rsyslog.lines(), count, WINDOW, proxy.n_cuts)
        proxy.close()


@case("a receiver that stands still: short enough is waited for, longer is named, and nothing is lost")
def stands_still():
    rsyslog = Rsyslog("stands-still")
    drive = Drive(type="relp", host="127.0.0.1", port=rsyslog.ports["relp"], quiet=1, answer=2000, connect=20000)
    count = feed_until(drive, lambda n: n >= 2000)
    for seconds, named in ((0.4, False), (4.0, True)):
        rsyslog.signal(signal.SIGSTOP)
        start = time.monotonic()
        more = [record(n) for n in range(count, count + 500)]
        drive.feed(more)
        count += 500
        time.sleep(max(0.0, seconds - (time.monotonic() - start)))
        rsyslog.signal(signal.SIGCONT)
        peers.wait_until(lambda: rsyslog.lines()[-1:] == [record(count - 1)], "it goes on", lambda: drive.said[-5:])
        check_equal(any("no answer in 2000 ms" in why for why in drive.of("down")), named, f"named after {seconds} s")
    drive.end()
    check_equal(drive.of("settled"), [str(count)], "what was settled")
    rsyslog.stop()
    peers.check_delivery(rsyslog.lines(), count, WINDOW, len(drive.of("down")) + 1)


@case("half-open: whoever swallows everything is left after the time for an answer")
def half_open():
    rsyslog = Rsyslog("half-open")
    proxy = Proxy(rsyslog.ports["relp"])
    drive = Drive(type="relp", host="127.0.0.1", port=proxy.port, answer=400)
    drive.feed(record(n) for n in range(100))
    peers.wait_until(lambda: drive.arrived() == 100, "the first 100 arrive")
    proxy.swallow = True
    drive.feed(record(n) for n in range(100, 200))
    peers.wait_until(lambda: drive.of("down"), "the break is named")
    check(drive.of("down")[0].endswith("no answer in 400 ms, while a record of 249 bytes was out") or
          drive.of("down")[0].endswith("no answer in 400 ms"), drive.of("down")[0])
    proxy.swallow = False
    drive.end()
    settled(drive, 200)
    rsyslog.stop()
    peers.check_delivery(rsyslog.lines(), 200, WINDOW, len(drive.of("down")))


@case("a slow reader slows the sink down, and breaks nothing")
def slow():
    rsyslog = Rsyslog("slow")
    proxy = Proxy(rsyslog.ports["relp"], chunk=8192, pause=0.005)
    start = time.monotonic()
    drive = Drive(type="relp", host="127.0.0.1", port=proxy.port, quiet=1, answer=10000)
    drive.end(record(n, "y" * 2000) for n in range(150))
    check_equal(drive.of("settled") + drive.of("down"), ["150"], "what was said")
    check(time.monotonic() - start > 0.8, "it was not slow")
    rsyslog.stop()
    check_equal(len(rsyslog.lines()), 150, "what arrived")


# ---- Who is spoken to ----


@case("whoever is not who the policy names, or refuses us, gets nothing, and is named [RELP, syslog]")
def certificates():
    server, expired = Rsyslog("certificates"), Rsyslog("expired", certificate="expired")
    nameless = Rsyslog("nameless", certificate="nameless")
    good, folder = peers.client(), peers.pki()
    without = {key: value for key, value in good.items() if key not in ("cert", "key")}
    refused = "TLS: |the peer closed the connection|Connection reset"
    rows = [
        ("another CA", server, good | {"ca": folder / "other.pem"}, "certificate: .*(issuer|self.signed)"),
        ("another name", server, good | {"peer": "other.test"}, "certificate: hostname mismatch"),
        ("another address", server, good | {"peer": "127.0.0.2"}, "certificate: IP address mismatch"),
        ("expired", expired, good, "certificate: certificate has expired"),
        ("a name in the subject alone", nameless, good, "certificate: hostname mismatch"),
        ("no certificate of ours", server, without, refused),
        ("a stranger's certificate", server, peers.client("stranger"), refused),
        ("a certificate of another CA", server, peers.client("foreign"), refused),
        ("TLS to a plain port", server, good | {"port": "plain"}, "handshake: (TLS: |no answer|the peer closed)"),
    ]
    drives = []
    for name, peer, keys, expected in rows:
        for port, plain, more in (("relps", "relp", {"type": "relp"}),
                                  ("tls", "tcp", {"type": "syslog", "transport": "tls"})):
            number = peer.ports[plain if keys.get("port") == "plain" else port]
            drive = Drive(host="127.0.0.1", seconds=8, connect=5000, answer=5000, **more, **(keys | {"port": number}))
            may_end = port == "tls" and expected == refused
            drive.feed(record(n) for n in (range(100, 105) if may_end else range(5)))
            drives.append((f"{name}, {port}", drive, expected, may_end))
    for name, drive, expected, may_end in drives:
        # Without an ack, a syslog sink learns of a refusal only when it has written, which may be too late; and
        # what a receiver does with it then is the receiver's.
        drive.end(code=None if may_end else 3)
        down = drive.of("down")
        check(any(re.search(expected, why) for why in down) or (may_end and not down), f"{name}: {down}")
        check(drive.arrived() == 0 or may_end, f"{name}: what arrived: {drive.said}")
    for peer in (server, expired, nameless):
        peer.stop()
        check_equal([line for line in peer.lines() if b'"seq":10' not in line and b'"lz":1' in line], [],
                    "what a receiver has that must not")


@case("an address as the peer's name is held against the certificate's addresses")
def address_as_name():
    rsyslog = Rsyslog("address")
    drive = Drive(type="relp", host="127.0.0.1", port=rsyslog.ports["relps"], **(peers.client() | {"peer": "127.0.0.1"}))
    drive.end(map(record, range(5)))
    settled(drive, 5)


@case("no TLS before 1.2, and no renegotiation")
def old_tls():
    folder = peers.pki()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.set_ciphers("ALL:@SECLEVEL=0")
    warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
    seen = []

    def script(connection, _):
        with context.wrap_socket(connection, server_side=True) as secure:
            seen.append(secure.version())
            RelpSession(secure).take_all()

    for version, good in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True),
                          (ssl.TLSVersion.TLSv1_3, True)):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
        server = Scripted(script)
        drive = Drive(type="relp", host="127.0.0.1", port=server.port, seconds=30 if good else 2, **peers.client())
        drive.end(map(record, range(5)), code=0 if good else 3)
        check(good or "TLS: " in drive.of("down")[0], f"{version}: {drive.said}")
        server.close()
    check_equal(seen, ["TLSv1.2", "TLSv1.3"], "versions that were spoken")


@case("no session is resumed: after a break both certificates are looked at again")
def no_resumption():
    folder = peers.pki()
    context, ours = peers.server_context(), ssl.create_default_context(cafile=folder / "ca.pem")
    seen = []

    def script(connection, number):
        with context.wrap_socket(connection, server_side=True) as secure:
            seen.append(secure.session_reused)
            session = RelpSession(secure)
            session.open()
            while number != 0:
                session.answer(session.frame()[0])

    server = Scripted(script)
    drive = Drive(type="relp", host="127.0.0.1", port=server.port, **peers.client())
    drive.end(map(record, range(5)))
    check_equal((seen[:2], drive.of("settled")), ([False, False], ["5"]), f"resumed, settled: {drive.said}")
    before = None
    for _ in range(2):  # the control: this server would
        with socket.create_connection(("127.0.0.1", server.port)) as plain, \
                ours.wrap_socket(plain, server_hostname="server.test", session=before) as secure:
            secure.sendall(b"1 open 15 commands=syslog\n2 close 0\n")
            secure.recv(100)
            before = secure.session
    peers.wait_until(lambda: seen[-1:] == [True], "the control's second session is resumed", lambda: seen)
    server.close()


@case("certificates and keys that are none are refused when the sink is opened, by name")
def bad_files():
    folder, good = peers.pki(), peers.client()
    (folder / "empty").write_bytes(b"")
    (folder / "half").write_bytes((folder / "ca.pem").read_bytes()[:200])
    (folder / "broken").write_bytes((folder / "ca.pem").read_bytes() + b"-----BEGIN CERTIFICATE-----\nAAAA\n")
    rows = [("ca", "nothing", "No such file"), ("ca", "empty", "no certificate in it"), ("ca", "half", "no certificate"),
            ("ca", "broken", "a certificate in it"), ("ca", "client.key", "no certificate in it"),
            ("cert", "empty", "it is no certificate to show"), ("key", "empty", "it is not the certificate's key"),
            ("key", "server.key", "it is not the certificate's key")]
    for key, name, expected in rows:
        drive = Drive(type="relp", host="127.0.0.1", port=9, **(good | {key: folder / name}))
        said = drive.end(code=1)
        check(any(re.search(f"^unopened sink-failed: sink driven: .*{name}: .*{expected}", line) for line in said),
              f"{key}={name}: {said}")


# ---- Servers that misbehave ----


def play(script, lines, **more):
    server = Scripted(script)
    drive = Drive(type="relp", host="127.0.0.1", port=server.port, **({"answer": 10000, "connect": 10000} | more))
    drive.end(lines)
    server.close()
    return drive


@case("servers that are none: each is named, gets no record but what a window holds, and nothing arrives")
def not_servers():
    def say(text, linger=0.3):
        def script(connection, _):
            connection.sendall(text)
            time.sleep(linger)
        return script

    def after_open(text):
        def script(connection, _):
            session = RelpSession(connection)
            session.open()
            session.frame()
            connection.sendall(text)
            time.sleep(0.3)
        return script

    rows = [
        ("speaks HTTP", say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "byte 0 is 0x48 where a transaction number is due"),
        ("greets", say(b"220 mail.test ESMTP\r\n"), 'byte 8 is 0x2e where a command is due'),
        ("says nothing", say(b"", 8), "no answer in 1000 ms"),
        ("closes after accept", say(b"", 0), "closed|reset"),
        ("refuses the session", say(b"1 rsp 10 500 NO WAY\n"), "refuses the session: 500 NO WAY"),
        ("offers no syslog", say(b"1 rsp 46 200 OK\nrelp_version=0\ncommands=syslogd,xsyslog\n"), "does not offer"),
        ("answers nothing that was asked", say(b"7 rsp 6 200 OK\n"), "an answer to 7, where 1 was due"),
        ("answers too much", after_open(b"2 rsp 6 200 OK\n" * 9), "an answer to 2, where"),
        ("answers out of order", after_open(b"3 rsp 6 200 OK\n"), "an answer to 3, where 2 was due"),
        ("has a command for us", after_open(b'2 syslog 6 200 OK\n'), 'a "syslog" from a receiver'),
        ("answers without a code", after_open(b"2 rsp 2 OK\n"), "an answer without a code"),
        ("answers at length", after_open(b"2 rsp 99999 "), "where a length of at most 4096 is due"),
        ("ends a frame too late", after_open(b"2 rsp 6 200 OK \n"), "where the line feed at the end is due"),
        ("hints that it closes", after_open(b"0 serverclose 0\n"), "the receiver closes the session"),
        ("never answers for a record", after_open(b""), "no answer in 1000 ms|closed"),
    ]
    plays = []
    for name, script, expected in rows:
        server = Scripted(script)
        drive = Drive(type="relp", host="127.0.0.1", port=server.port, window=2, seconds=6, answer=1000, connect=5000)
        drive.feed(map(record, range(3000)))  # one that answers too much takes one at a time
        plays.append((name, server, drive, expected))
    for name, server, drive, expected in plays:
        drive.end(code=3)
        server.close()
        check(any(re.search(expected, why) for why in drive.of("down")), f"{name}: {drive.said}")
        check_equal(drive.arrived() > 0, "too much" in name, f"{name}: whether something arrived")


@case("offers are read as a list: syslog among others, at any place")
def offers():
    for text in (b"commands=syslog", b"relp_version=1\ncommands=eventlog,syslog\nrelp_software=x", b"commands=syslog,x"):
        def script(connection, _, text=text):
            session = RelpSession(connection)
            session.open(text)
            while True:
                session.answer(session.frame()[0])
        settled(play(script, map(record, range(3))), 3)


def refusing(received, times):
    """Answers 500 to record n as often as times.get(n, 0) says; keeps what it was sent."""
    left = dict(times)

    def script(connection, _):
        session = RelpSession(connection)
        session.open()
        while True:
            txnr, _, data = session.frame()
            number = int(data.split(b'"seq":')[1].split(b",")[0])
            received.append(number)
            left[number] = left.get(number, 0) - 1
            session.answer(txnr, b"500 the disk\x1b[31m is full" if left[number] >= 0 else b"200 OK")
    return script


@case("a record that is refused is tried four times and then rejected by name; the others arrive once")
def refused_records():
    for times in ({3: 1}, {3: 3}, {3: 4}, {0: 4}, {9: 4}, {3: 4, 4: 4}, {2: 4, 5: 2, 7: 4}, {n: 4 for n in range(10)}):
        for window in (1, 4, 16):
            received = []
            drive = play(refusing(received, times), map(record, range(10)), window=window, retry_min=1)
            rejected = sorted(n for n, count in times.items() if count == 4)
            name = f"{times}, window {window}"
            check_equal(drive.of("rejected"), [
                f"{n + 1} the receiver refuses it: 500 the disk?[31m is full"
                for n in sorted(rejected, key=lambda n: int(n))], f"{name}: rejected")
            check_equal({n: received.count(n) for n in range(10)}, {n: min(times.get(n, 0), 3) + 1 for n in range(10)},
                        f"{name}: how often each was sent")
            check_equal(drive.of("settled") + drive.of("down"), ["10"], f"{name}: what was said")


@case("what arrived behind a refused record is not sent again, even over another connection")
def refused_and_broken():
    received = []

    def script(connection, number):
        session = RelpSession(connection)
        session.open()
        for _ in range(4 if number == 0 else 100):
            txnr, _, data = session.frame()
            seq = int(data.split(b'"seq":')[1].split(b",")[0])
            received.append((number, seq))
            session.answer(txnr, b"500 no" if (number, seq) == (0, 0) else b"200 OK")

    drive = play(script, map(record, range(4)), window=4)
    settled(drive, 4)
    check_equal(received[:4], [(0, n) for n in range(4)], "the first connection")
    check_equal(received[4:], [(1, 0)], "the second connection")


@case("a window is never exceeded, and is used")
def window():
    for size in (1, 7, 128):
        most = [0]

        def script(connection, _, most=most):
            session = RelpSession(connection)
            session.open()
            while True:
                batch = [session.frame()[0]]
                while session.data or select.select([connection], [], [], 0.4)[0]:  # until nothing more comes unasked
                    batch.append(session.frame()[0])
                most[0] = max(most[0], len(batch))
                for txnr in batch:
                    session.answer(txnr)
        drive = play(script, map(record, range(4 * size)), window=size, quiet=1, answer=20000)
        check_equal(drive.of("settled"), [f"{4 * size}"], "what was settled")
        check_equal(most[0], size, f"the most that was out with a window of {size}")


# ---- Names ----


@case("names: from /etc/hosts, from a name server, and what is none; the first address may be dead")
def names():
    area.require_root()
    rsyslog = Rsyslog("names")
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    asked = []

    def answer():
        while True:
            query, client = server.recvfrom(512)
            end = query.index(b"\0", 12)
            name, kind = query[12:end].lower(), query[end + 1:end + 3]
            asked.append((name, kind))
            found = [b"\x7f\0\0\x09", b"\x7f\0\0\1"] if b"collector" in name and kind == b"\0\1" else []
            body = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\x05\0\4" + address for address in found)
            code = b"\x81\x80" if b"collector" in name else b"\x81\x83"
            server.sendto(query[:2] + code + b"\0\1\0" + bytes([len(found)]) + b"\0\0\0\0" + query[12:end + 5] + body,
                          client)

    threading.Thread(target=answer, daemon=True).start()
    folder = area.folder("names-etc")
    (folder / "resolv.conf").write_text(f"nameserver 127.0.0.1:{server.getsockname()[1]}\noptions timeout:1\n")
    (folder / "hosts").write_text("127.0.0.1 localhost here.test\n")
    inside = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
              f"mount --bind {folder}/resolv.conf /etc/resolv.conf && mount --bind {folder}/hosts /etc/hosts && "
              'exec "$0" "$@"']
    for name, good in (("here.test", True), ("collector.test", True), ("nowhere.test", False)):
        drive = Drive(*inside, type="relp", host=name, port=rsyslog.ports["relp"], seconds=30 if good else 2)
        drive.end(map(record, range(3)), code=0 if good else 3)
        if good:
            check_equal(drive.of("down"), [], f"{name}: complaints, though its second address is good")
        else:
            check("it cannot be looked up: no such name" in drive.of("down")[0], f"{name}: {drive.said}")
    check_equal({name for name, _ in asked if b"\4here" in name}, set(), "what was asked though it is in /etc/hosts")


@case("in an empty image: no library, no NSS, no configuration but resolv.conf")
def empty_image():
    area.require_root()
    rsyslog = Rsyslog("empty-image")
    image = area.folder("image")
    (image / "etc").mkdir()
    (image / "etc/hosts").write_text("127.0.0.1 collector.test\n")
    (image / "drive").write_bytes(Drive.PROGRAM.read_bytes())
    (image / "drive").chmod(0o755)
    for name in ("ca.pem", "client.pem", "client.key"):
        (image / name).write_bytes((peers.pki() / name).read_bytes())
    drive = Drive("chroot", image, program="/drive", type="relp", host="collector.test", port=rsyslog.ports["relps"],
                  ca="/ca.pem", cert="/client.pem", key="/client.key", peer="server.test")
    drive.end(map(record, range(10)))
    settled(drive, 10)


# ---- Injection ----


def nasty():
    """Texts that are JSON already, as a record holds them: what a workload may have tried."""
    yield from ("<13>1 2026-11-21T23:59:01Z forged app 1 - - no", "%msg% %n %s %x", "[x@1 a=\\\"]\\\"]", "\\n<0>forged",
                "\\u0000\\u0001\\u001b[31m\\u007f", "\ufeff", "\u202e\u2066", "\u0085\u2028\u2029", "{\\\"lz\\\":1,", "\\\\",
                "2 syslog 3 abc", "100 <13>1 - - - - - -", "\U0001f600" * 100, ",\\\"ts\\\":\\\"2000-01-01T00:00:00.000000Z\\\"",
                "'; DROP TABLE x", "$(id)`id`", " ", "  ", "\u00a0", "#011", "\\t")
    yield from (chr(c) for c in range(0x80, 0x100))
    yield from (chr(c) for c in range(0x20, 0x7f) if chr(c) not in '"\\')


@case("whatever a workload writes is one message with our header [RELP, syslog over TLS, TCP with line feeds]")
def injection():
    rsyslog = Rsyslog("injection", parts=True)
    lines = [record(n, text.encode().decode()) for n, text in enumerate(nasty())]
    lines += [record(n, "x", event) for n, event in enumerate(("seccomp.deny", "a-b.c9", "x" * 32, "x" * 33, "BAD"))]
    expected = [re.sub(rb'.*"ev":"([^"]*)".*', rb"\1", line, flags=re.S).decode() for line in lines]
    expected = [event if re.fullmatch("[a-z0-9.-]{1,32}", event) else "-" for event in expected]
    count = 0
    for keys in ({"type": "relp", "port": rsyslog.ports["relp"]}, {"type": "syslog", "transport": "tls",
                 "port": rsyslog.ports["tls"], **peers.client()}, {"type": "syslog", "transport": "tcp-lf",
                 "port": rsyslog.ports["tcp"]}):
        drive = Drive(host="127.0.0.1", name="web-1.example", **keys)
        drive.end(lines)
        settled(drive, len(lines))
        count += len(lines)
        peers.wait_until(lambda count=count: len(rsyslog.lines()) >= count, f"{keys}", rsyslog.said_last)
    rsyslog.stop()
    messages = [json.loads(line) for line in (rsyslog.folder / "parts").read_bytes().splitlines()]
    check_equal(len(messages), count, "messages")
    for index, message in enumerate(messages):
        line = lines[index % len(lines)]
        check_equal(message["msg"].lstrip(" ").encode(), line, "the message")
        rest = {key: message[key] for key in ("pri", "time", "host", "app", "msgid", "sd")}
        check_equal(rest, {"pri": "110", "time": "2026-11-21T23:59:01.123456Z", "host": "web-1.example",
                           "app": "lazaret", "msgid": expected[index % len(lines)], "sd": "-"}, f"{line!r}")


@case("what is no record in one line is rejected, and the rest goes on [all transports]")
def not_records():
    rsyslog = Rsyslog("not-records")
    bad = [b"x", b"", b'{"lz":1}', b'{"lz":1,"ev":"', record(0) + b"\r", b" " + record(0)]
    bad += [record(0).replace(b"xxx", b"x" + bytes([c]) + b"x", 1) for c in (*range(10), *range(11, 32), 127)]
    lines = [line for number, text in enumerate(bad) for line in (record(number), text)] + [record(len(bad))]
    for keys in ({"type": "relp", "port": rsyslog.ports["relp"]}, {"type": "relp", "port": rsyslog.ports["relp"],
                 "window": 1}, {"type": "syslog", "transport": "tcp", "port": rsyslog.ports["tcp"]},
                 {"type": "syslog", "transport": "udp", "port": rsyslog.ports["udp"]}):
        drive = Drive(host="127.0.0.1", **keys)
        drive.end(lines)
        check_equal(drive.of("rejected"), [f"{2 * n + 2} it is not a record in one line" for n in range(len(bad))],
                    f"{keys}: rejected")
        check_equal(drive.of("settled"), [str(len(lines))], "what was settled")
    peers.wait_until(lambda: len(rsyslog.lines()) >= 4 * (len(bad) + 1), "the good ones", rsyslog.said_last)
    rsyslog.stop()
    check_equal(peers.numbers(rsyslog.lines()), 4 * list(range(len(bad) + 1)), "what arrived")


if __name__ == "__main__":
    laz.main()
