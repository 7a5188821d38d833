# SPDX-License-Identifier: Apache-2.0
"""Who a sink talks to in the suites: real rsyslogd on loopback, a proxy that does harm, and servers that follow a
script. Everything lives in one folder and dies with the suite; the machine's own syslog is never touched."""
import atexit
import contextlib
import functools
import os
import pathlib
import random
import re
import socket
import ssl
import struct
import subprocess
import threading
import time

import area
import laz

# Messages are kept as they came, one a line; what rsyslog makes of their headers goes beside them, as JSON.
CONFIG = """
global(workDirectory="{folder}" maxMessageSize="1100000" parser.escapeControlCharactersOnReceive="on"
       net.enableDNS="off" processInternalMessages="on")
module(load="imrelp" tls.tlslib="openssl")
module(load="imtcp" maxFrameSize="1100000" streamDriver.name="ossl" streamDriver.mode="1"
       streamDriver.authMode="x509/name" permittedPeer=["client.test"])
module(load="imptcp")
module(load="imudp")
module(load="imuxsock" SysSock.Use="off")
global(defaultNetstreamDriverCAFile="{pki}/ca.pem" defaultNetstreamDriverCertFile="{pki}/server.pem"
       defaultNetstreamDriverKeyFile="{pki}/server.key")
template(name="record" type="list") {{ property(name="msg") constant(value="\\n") }}
template(name="parts" type="list" option.jsonf="on") {{
    property(outname="pri" name="pri" format="jsonf")
    property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
    property(outname="host" name="hostname" format="jsonf")
    property(outname="app" name="app-name" format="jsonf")
    property(outname="msgid" name="msgid" format="jsonf")
    property(outname="sd" name="structured-data" format="jsonf")
    property(outname="msg" name="msg" format="jsonf")
}}
ruleset(name="in" queue.type="Direct") {{
    action(type="omfile" file="{folder}/records" template="record")
    {parts}
}}
input(type="imrelp" port="{relp}" address="127.0.0.1" ruleset="in" maxDataSize="1100000")
input(type="imrelp" port="{relps}" address="127.0.0.1" ruleset="in" maxDataSize="1100000" tls="on"
      tls.caCert="{pki}/ca.pem" tls.myCert="{pki}/server.pem" tls.myPrivKey="{pki}/server.key"
      tls.authMode="name" tls.permittedPeer=["client.test"])
input(type="imtcp" port="{tls}" address="127.0.0.1" ruleset="in")
input(type="imptcp" port="{tcp}" address="127.0.0.1" ruleset="in")
input(type="imudp" port="{udp}" address="127.0.0.1" ruleset="in")
input(type="imuxsock" socket="{folder}/socket" ruleset="in" useSpecialParser="off" parseHostname="on"
      rateLimit.interval="0" usePIDFromSystem="off" createPath="off")
syslog.* action(type="omfile" file="{folder}/internal")
"""
PORTS = ("relp", "relps", "tls", "tcp", "udp")


_taken = []  # sockets whose names keep other suites from the ports


def free_ports(count):
    """Ports that nobody has and nobody will get: below those that the kernel gives out by itself, and each behind a name
    that this process holds as long as it lives."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as text:
        above = int(text.read().split()[0])
    numbers = []
    for number in random.Random(os.getpid()).sample(range(10000, above), 2000):
        if len(numbers) < count and _is_free(number):
            numbers.append(number)
    laz.check_equal(len(numbers), count, "free ports")
    return numbers


def _is_free(number):
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0lazaret-port-{number}")
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.bind(("127.0.0.1", number))
    except OSError:
        name.close()
        return False
    _taken.append(name)
    return True


@functools.cache
def pki():
    """A folder with a CA and what it has signed, and another CA: {name}.pem, {name}.key."""
    folder = area.folder("pki")
    area.require_program("openssl")

    def run(*words):
        done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
        laz.check_equal(done.returncode, 0, f"openssl {' '.join(words)}: {done.stderr}")

    for ca in ("ca", "other"):
        run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{ca}.key",
            "-out", f"{ca}.pem", "-days", "2", "-subj", f"/CN=a test's {ca}")
    for name, ca, host, days in (("server", "ca", "server.test", "2"), ("client", "ca", "client.test", "2"),
                                 ("stranger", "ca", "stranger.test", "2"), ("expired", "ca", "server.test", "-1"),
                                 ("foreign", "other", "client.test", "2"), ("nameless", "ca", "server.test", "2")):
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out",
            f"{name}.csr", "-subj", f"/CN={host}")
        (folder / "ext").write_text(f"subjectAltName=DNS:{host}" + (",IP:127.0.0.1" if name == "server" else ""))
        run("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-days", days, "-out",
            f"{name}.pem", *([] if name == "nameless" else ["-extfile", "ext"]))
    return folder


def server_context():
    """TLS as the server that the sinks expect."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki() / "server.pem", pki() / "server.key")
    return context


def start_rsyslogd(folder, ports):
    """rsyslogd with the folder's `conf`, once it listens; its complaints go to the folder's `said`."""
    (folder / "pid").unlink(missing_ok=True)
    with open(folder / "said", "ab") as said:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "rsyslogd", "-n", "-f", folder / "conf", "-i", folder / "pid"],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    atexit.register(process.kill)
    wait_until(lambda: all(map(listens, ports)), "rsyslogd listens", (folder / "said").read_text)
    return process


def listens(port):
    """Whether somebody listens there. Nobody is called, for whoever is called may say so in the log that is judged."""
    found = re.compile(rf"^ *\d+: [0-9A-F]+:{port:04X} \S+ 0A ", re.MULTILINE)
    return any(found.search(pathlib.Path("/proc/net", kind).read_text(encoding="ascii")) for kind in ("tcp", "tcp6"))


class Rsyslog:
    """One rsyslogd. What it took is in `records`, what it says of itself in `internal` and `said`."""

    def __init__(self, name, parts=False, certificate="server"):
        area.require_program("rsyslogd")
        self.folder = area.folder(name)
        self.ports = dict(zip(PORTS, free_ports(len(PORTS))))
        self.records = self.folder / "records"
        action = f'action(type="omfile" file="{self.folder}/parts" template="parts")' if parts else ""
        text = CONFIG.format(folder=self.folder, pki=pki(), parts=action, **self.ports)
        (self.folder / "conf").write_text(text.replace("server.pem", f"{certificate}.pem")
                                          .replace("server.key", f"{certificate}.key"))
        self.process = None
        self.start()

    def start(self):
        self.process = start_rsyslogd(self.folder, [self.ports[name] for name in PORTS if name != "udp"])

    def said(self):
        texts = [self.folder / "said", self.folder / "internal"]
        return "\n".join(t.read_text(errors="replace") for t in texts if t.exists())

    def said_last(self):
        return self.said()[-600:]

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """What it had half written is no record, and would be the beginning of the next one."""
        self.process.kill()
        self.process.wait()
        if self.records.exists():
            os.truncate(self.records, self.records.read_bytes().rfind(b"\n") + 1)

    def stop(self):
        """All that it has taken is in the files afterwards."""
        self.process.terminate()
        self.process.wait(60)

    def lines(self):
        """What was received, without the blank that rsyslog leaves in front of a message."""
        text = self.records.read_bytes() if self.records.exists() else b""
        return [line.removeprefix(b" ") for line in text.split(b"\n")[:-1]]


def wait_until(condition, what, why=lambda: "", seconds=60):
    """Poll; fails the case after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        laz.check(time.monotonic() < end, f"not within {seconds} s: {what} {why()}")
        time.sleep(0.01)


def reset(connection):
    """Close so that the other side gets a reset, wherever it is."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)  # or whoever reads from it keeps it open
    connection.close()


class Proxy:
    """Passes bytes on to 127.0.0.1:port. `cut` gives how many bytes a connection lives, `pause` seconds after each
    `chunk`; `swallow` makes it pass nothing on any more."""

    def __init__(self, port, cut=None, chunk=65536, pause=0.0):
        self.port_behind, self.cut, self.chunk, self.pause = port, cut, chunk, pause
        self.swallow = False
        self.n_cuts = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                front, _ = self.listener.accept()
                back = socket.create_connection(("127.0.0.1", self.port_behind))
            except OSError:
                return
            if self.pause:
                front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            left = [self.cut() if self.cut else None]
            for pair in ((front, back), (back, front)):
                threading.Thread(target=self._pump, args=(*pair, left), daemon=True).start()

    def _pump(self, source, sink, left):
        with contextlib.suppress(OSError):
            while data := source.recv(self.chunk):
                if left[0] is not None and len(data) >= left[0]:
                    sink.sendall(data[:left[0]])
                    self.n_cuts += 1
                    reset(source)
                    reset(sink)
                    return
                if left[0] is not None:
                    left[0] -= len(data)
                if not self.swallow:
                    sink.sendall(data)
                time.sleep(self.pause)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()


class Scripted:
    """A server that calls `script(connection, number)` for each connection, in a thread; `number` counts from 0."""

    def __init__(self, script):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.script = script
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()
                self.connections += 1

    def _serve(self, connection, number):
        with contextlib.suppress(OSError), connection:
            self.script(connection, number)

    def close(self):
        self.listener.close()


class RelpSession:
    """The server's side of RELP, as far as the scripts need it; written from the specification."""

    def __init__(self, connection):
        self.connection, self.data = connection, b""

    def _upto(self, delimiters):
        while not any(d in self.data for d in delimiters):
            self._more()
        end = min(self.data.index(d) for d in delimiters if d in self.data)
        word, self.data = self.data[:end], self.data[end:]
        return word

    def _more(self):
        got = self.connection.recv(65536)
        if not got:
            raise ConnectionResetError
        self.data += got

    def frame(self):
        """(txnr, command, data) of the next frame; a goodbye is answered, and ends the script."""
        txnr = int(self._upto([b" "]))
        self.data = self.data[1:]
        command = self._upto([b" "])
        self.data = self.data[1:]
        length = int(self._upto([b" ", b"\n"]))
        while len(self.data) < length + (2 if length else 1):
            self._more()
        body = self.data[1:length + 1] if length else b""
        rest = self.data[length + 1:] if length else self.data
        laz.check_equal(rest[:1], b"\n", "the trailer of a frame")
        self.data = rest[1:]
        if command == b"close":
            self.answer(txnr, b"")
            raise ConnectionResetError
        return txnr, command, body

    def answer(self, txnr, text=b"200 OK"):
        self.connection.sendall(b"%d rsp %d%s\n" % (txnr, len(text), b" " + text if text else b""))

    def open(self, offers=b"relp_version=0\nrelp_software=script\ncommands=syslog"):
        txnr, command, data = self.frame()
        laz.check_equal((txnr, command), (1, b"open"), "how a session begins")
        laz.check(b"commands=syslog" in data.split(b"\n"), f"what is offered: {data!r}")
        self.answer(txnr, b"200 OK\n" + offers)

    def take_all(self):
        """Opens, and acknowledges whatever comes until the other end goes."""
        self.open()
        while True:
            self.answer(self.frame()[0])


class Drive:
    """One run of sink_drive, fed line by line. Keywords are its keys, with _ for -."""

    PROGRAM = laz.BIN.parent / "tests" / "sink_drive"

    def __init__(self, *prefix, program=PROGRAM, stdout=subprocess.DEVNULL, **keys):
        words = [f"{key.replace('_', '-')}={value}" for key, value in keys.items()]
        self.process = subprocess.Popen([*map(str, prefix), program, *words], stdin=subprocess.PIPE,
                                        stderr=subprocess.PIPE, stdout=stdout)
        self.said = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.said.append(line.decode(errors="replace").rstrip("\n"))

    def feed(self, lines):
        self.process.stdin.write(b"".join(line + b"\n" for line in lines))
        self.process.stdin.flush()

    def end(self, lines=(), code=0, seconds=60):
        """No more lines; what it said. Fails unless it exits with the code; None for any."""
        self.feed(lines)
        self.process.stdin.close()
        self.process.wait(seconds)
        self._reader.join()
        laz.check_no_report("\n".join(self.said))
        laz.check(code in (None, self.process.returncode),
                  f"exit code {self.process.returncode} of sink_drive, which said {self.said[-12:]}")
        return self.said

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        return self.said

    def of(self, word):
        """What followed the word, each time that it was said."""
        return [line.removeprefix(word + " ") for line in self.said if line.startswith(word + " ")]

    def arrived(self):
        return max(map(int, self.of("arrived")), default=0)


def record(number, text="x" * 60, event="log"):
    """A line of a trail as far as a sink can tell."""
    return (f'{{"lz":1,"ev":"{event}","sev":1,"seq":{number},"task":"","ctr":"web","pid":1,"exe":"","obj":"stdout",'
            f'"act":"","ts":"2026-11-21T23:59:01.123456Z","chain":"{"0" * 32}","d":{{"msg":"{text}"}}}}').encode()


def client(name="client"):
    """The keys of sink_drive for mutual TLS."""
    folder = pki()
    return {"ca": folder / "ca.pem", "cert": folder / f"{name}.pem", "key": folder / f"{name}.key",
            "peer": "server.test"}


def numbers(lines):
    """The numbers of records, each of which has to be exactly as it was made."""
    found = []
    for line in lines:
        number = int(line.split(b'"seq":', 1)[1].split(b",", 1)[0]) if b'"seq":' in line else -1
        laz.check(line == record(number), f"not a record as it was sent: {line[:300]!r}")
        found.append(number)
    return found


def check_delivery(lines, count, window, breaks):
    """All of `count` records are there, in order but for what each break repeated: a window at most."""
    seen, highest, repeated = set(), -1, 0
    for number in numbers(lines):
        laz.check(number <= highest + 1, f"{number} came after {highest}: something was left out")
        laz.check(number > highest - 2 * window, f"{number} was repeated after {highest}")
        repeated += number in seen
        seen.add(number)
        highest = max(highest, number)
    laz.check_equal(len(seen), count, "different records that arrived")
    laz.check(repeated <= window * breaks, f"{repeated} repetitions for {breaks} breaks of a window of {window}")
    return repeated


def at_random(seed):
    """A source of randomness that a failure can name."""
    return random.Random(f"{seed} {os.environ.get('LAZARET_SEED', '')}")


def settled(drive, count):
    laz.check_equal(drive.of("settled"), [str(count)], "what was settled")
    laz.check_equal(drive.arrived(), count, "the last that arrived")
