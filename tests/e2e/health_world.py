# SPDX-License-Identifier: Apache-2.0
"""The role health on its own: what init would tell it, written byte by byte here, and what it answers.

The suite plays init, balancers, probes and workloads; what it asks for goes over real sockets.
"""
import array
import contextlib
import http.client
import http.server
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import threading
import time

import area
import laz
import sinks_peers as peers

MESSAGES = re.findall(r"^LAZ_MESSAGE\((\w+)", (laz.ROOT / "lib/ipc/msg.def").read_text(), re.M)
ERRORS = ["NONE", *re.findall(r"^LAZ_ERROR\((\w+)", (laz.ROOT / "lib/core/err.def").read_text(), re.M)]
PHASES = re.findall(r"LAZ_PHASE_(\w+),", (laz.ROOT / "lib/ipc/status.h").read_text())
VARIABLES = len(re.findall(r"^ {4}X\(\w+, \"", (laz.ROOT / "lib/ipc/msg.h").read_text().split("LAZ_VARIABLES(X)")[1].split("\n\n")[0], re.M))
LISTS, KINDS = ("startup", "ready", "live"), ("tcp", "http", "exec", "grpc")
CHECKS = ("unknown", "pass", "fail")
STATES = ("good", "absent", "failing", "stale", "expired")
UID = 65315


def text(value):
    return str(value).encode() + b"\0"


def texts(values):
    return struct.pack("<I", len(values)) + b"".join(map(text, values))


def check_bytes(check):
    """One check, as {name, list, tcp|http|exec|grpc, every, timeout, ...}; times in ms."""
    kind = next(k for k in KINDS if k in check)
    host, port = ("", 0) if kind == "exec" else check[kind]
    is_tls = "ca" in check
    path = check.get("path", "/") if kind == "http" else ""
    expect = check.get("expect", (200, 299)) if kind == "http" else (0, 0)
    return (text(check["name"]) + bytes((LISTS.index(check["list"]), KINDS.index(kind))) + text(host) + struct.pack("<H", port)
            + text(path) + bytes((is_tls,)) + text(check.get("ca", "")) + text(check.get("server-name", ""))
            + struct.pack("<HH", *expect) + text(check.get("service", "")) + bytes((check[kind] if kind == "exec" else 255,))
            + struct.pack("<II", check.get("every", 1000), check.get("timeout", 500)))


def section(checks=(), listen=None, tls=False, full=False, deadline=None, rise=1, fall=2, live_fall=3, certificate_s=0, sinks=(),
            spool=0, enforce=False, lb=(10000, 500, 500, 2), items=(), own_ports=(), workload=(10001, 10001, ())):
    """The helper's section of a compiled policy, in the layout of docs/reference/policy-image.md."""
    host, port = listen or ("", 0)
    user, group, groups = workload
    if deadline is None:
        deadline = 60000 if any(c["list"] == "startup" for c in checks) else 0
    out = struct.pack("<I", 1) + struct.pack(f"<III{len(groups)}I", user, group, len(groups), *groups)
    out += text(host) + struct.pack("<H", port) + bytes((tls, 0, 0, full)) + struct.pack("<IIII", deadline, rise, fall, live_fall)
    out += struct.pack("<I", certificate_s) + texts(sinks) + bytes((spool, enforce)) + struct.pack("<IIII", *lb) + texts(items)
    own_ports = [*own_ports, port] if port else own_ports
    out += struct.pack(f"<I{len(own_ports)}H", len(own_ports), *own_ports)
    return out + struct.pack("<I", len(checks)) + b"".join(map(check_bytes, checks))


class Init:
    """One lazaret-helper health and init at the other end of its channel. Answers each question until told not to."""

    _count = 0

    def __init__(self, checks=(), tcp=True, identity=None, color="green", version="1.4.2", policy="portal", wrapper=(), begin=True,
                 listener=None, tls_files=True, listen=None, gauges=None, restarts=0, **keys):
        Init._count += 1
        self.folder = area.folder(f"health-{Init._count}")
        self.folder.chmod(0o755)
        self.port, = peers.free_ports(1) if tcp else (0,)
        self.verdicts, self.words, self.error, self.code = [], [], None, None
        self.answers, self.phase, self.more, self.asks, self.runs = True, "SETUP", {"restarts": restarts}, 0, {}
        self.kept, self.identity = [], identity
        self.lock = threading.Condition()
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        os.set_inheritable(theirs.fileno(), True)
        run = f"exec 3<&{theirs.fileno()} {theirs.fileno()}<&-; exec \"$@\"" if theirs.fileno() != 3 else 'exec "$@"'
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "bash", "-c", run, "-", *wrapper, laz.BIN / "lazaret-helper", "health"],
            pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={"PATH": area.PATH, **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}})
        theirs.close()
        self.probe_path, self.http_path = self.folder / "probe", self.folder / "health"
        self.probe_listener = self._bind(self.probe_path, socket.SOCK_SEQPACKET)
        self.http_listener = self._bind(self.http_path, socket.SOCK_STREAM)
        listen = ("127.0.0.1", self.port) if tcp else listen
        self.say("CONFIG", section(checks, listen=listen, tls=identity is not None, **keys))
        self.say("FACTS", text(policy) + text("ab" * 32) + text(""))
        self.say("VARIABLE", bytes((VARIABLES,)) + text(color))
        self.say("VARIABLE", bytes((VARIABLES + 1,)) + text(version))
        self.say("LISTEN", struct.pack("<I", 0), self.probe_listener.fileno())
        self.say("LISTEN", struct.pack("<I", 1), self.http_listener.fileno())
        if listener is not None:
            self.say("LISTEN", struct.pack("<I", 2), listener.fileno())
        if identity is not None and tls_files:
            self.show(identity)
        if gauges is not None:  # a successor's
            self.gauges(**gauges)
        if begin:
            self.say("BEGIN")
        threading.Thread(target=self._hear, daemon=True).start()

    @staticmethod
    def _bind(path, kind):
        listener = socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK)
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen(16)
        return listener

    def say(self, word, fields=b"", *fds):
        message = struct.pack("<HHI", MESSAGES.index(word), 0, len(fields)) + fields
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.ours.sendmsg([message], ancillary)

    def show(self, name):
        """An identity, as fetch would have delivered it."""
        fds = []
        for suffix in ("pem", "key"):
            fd = os.memfd_create("identity", os.MFD_CLOEXEC)
            os.write(fd, (peers.pki() / f"{name}.{suffix}").read_bytes())
            os.lseek(fd, 0, os.SEEK_SET)
            fds.append(fd)
        self.say("IDENTITY", struct.pack("<I", 0), *fds)
        for fd in fds:
            os.close(fd)

    def status(self, phase=None, **more):
        """How the run is, from now on."""
        with self.lock:
            self.phase, self.more = phase or self.phase, {**self.more, **more}
            if self.phase not in ("SETUP", "STARTING", "RUNNING") and "stop_ns" not in self.more and self.more.get("asked", True):
                self.more |= {"stop_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME), "stop_signal": 15}
            self._status()

    def _status(self):
        m = self.more
        started = m.get("started_ns", 0 if self.phase in ("SETUP", "STARTING") else time.clock_gettime_ns(time.CLOCK_BOOTTIME))
        m.setdefault("started_ns", started) if started else None
        items = m.get("items", ())
        self.say("STATUS", struct.pack("<BIIIQQIQQQQQQBBI", PHASES.index(self.phase), m.get("exit_code", 0) & 0xffffffff,
                                       m.get("forced_code", 0), m.get("stop_signal", 0), m.get("stop_ns", 0), started, m.get("pid", 7),
                                       m.get("denied", 0), m.get("held", 0), 1, 2, m["restarts"], m.get("degraded", 0), m.get("mode", 0),
                                       m.get("has_started", 0), len(items))
                 + b"".join(struct.pack("<BQ", STATES.index(state), expires) for state, expires in items))

    def gauges(self, age_ms=0, **gauges):
        self.say("GAUGED", struct.pack("<I", age_ms) + text(json.dumps({"logs": [], **gauges}, separators=(",", ":"))))

    def _hear(self):
        while True:
            try:
                message, fds, _, _ = socket.recv_fds(self.ours, 16384, 4)
            except ConnectionResetError:  # it left something unread; its last words come behind
                continue
            except OSError:
                message, fds = b"", []
            with self.lock:
                if message:
                    self._take(MESSAGES[struct.unpack_from("<H", message)[0]], message[8:], fds)
                else:
                    self.words.append("END")
                self.lock.notify_all()
            if not message:
                return

    def _take(self, word, fields, fds):
        self.words.append(word)
        self.kept += fds
        if word == "ASK":
            self.asks += 1
            if self.answers:
                with contextlib.suppress(OSError):
                    self._status()
        elif word == "VERDICT":
            state, why = (s.decode() for s in fields[4:-1].split(b"\0"))
            self.checks = CHECKS[fields[3]]
            self.verdicts.append((*map(bool, fields[:3]), state, why))
        elif word in ("DRAINED", "OVERDUE"):
            self.more[word] = fields[:-1].decode()
        elif word == "RENEWED":
            self.more[word] = fields[:-1].split(b"\0")[1].decode()
        elif word in ("CHECK", "CANCEL"):
            self.runs.setdefault(word, []).append(struct.unpack("<I", fields)[0])
        elif word == "FAILED":
            self.error = (ERRORS[struct.unpack_from("<I", fields)[0]], fields[4:-1].decode())

    def wait(self, condition, what, seconds=30):
        with self.lock:
            if not self.lock.wait_for(condition, seconds):
                raise laz.Failed(f"waited {seconds} s for {what}: {self.verdicts[-5:]} {self.words[-12:]} {self.error}")

    def wait_state(self, state, why=None):
        self.wait(lambda: self.verdicts and self.verdicts[-1][3] == state and why in (None, self.verdicts[-1][4]), f"{state} {why}")
        return self.verdicts[-1]

    def wait_word(self, word, count=1):
        self.wait(lambda: self.words.count(word) >= count, f"{count} {word}")

    def checked(self, command, status):
        self.say("CHECKED", struct.pack("<Ii", command, status))

    # ---- who asks ----

    def unix(self, path, method="GET", uid=None, headers=None):
        """(status, headers, body) over the unix socket."""
        if uid is not None:
            return self._as(uid, path)
        connection = http.client.HTTPConnection("localhost", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(30)
        connection.sock.connect(str(self.http_path))
        return exchange(connection, method, path, headers)

    def _as(self, uid, path):
        code = (f"import socket,sys;s=socket.socket(socket.AF_UNIX);s.connect({str(self.http_path)!r});"
                f"s.sendall(b'GET {path} HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')\nwhile d:=s.recv(65536): sys.stdout.buffer.write(d)")
        done = subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "/usr/bin/python3", "-c", code],
                              capture_output=True, check=False, timeout=60)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        laz.check(head, f"uid {uid}: {done.stderr}")
        return int(head.split()[1]), {}, body

    def tcp(self, path, method="GET", headers=None, cafile=None):
        if cafile is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        else:
            context = ssl.create_default_context(cafile=cafile)
            context.check_hostname = False
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)
        return exchange(connection, method, path, headers)

    def probe(self, byte=b"l", timeout=30):
        """The verdict and the line."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asks:
            asks.settimeout(timeout)
            call(asks, self.probe_path)
            asks.send(byte)
            packet = asks.recv(2000)
        return packet[:1].decode(), packet[1:].decode()

    def end(self):
        with contextlib.suppress(OSError):
            self.say("LEAVE")
        out, _ = self.process.communicate(timeout=30)
        self.code = self.process.returncode
        for listener in (self.probe_listener, self.http_listener, self.ours):
            listener.close()
        for fd in self.kept:
            os.close(fd)
        self.kept = []
        laz.check_no_report(out.decode(errors="replace"))
        laz.check_equal(out, b"", "what it wrote")

    def __enter__(self):
        self.wait_word("READY")
        return self

    def __exit__(self, kind, *_):
        self.end()
        if kind is None:
            laz.check_equal(self.code, 0, f"exit code; {self.error}")


def call(asks, path):
    """Connects, also where the backlog is full for a moment."""
    until = time.monotonic() + 30
    while True:
        try:
            return asks.connect(str(path))
        except BlockingIOError:
            laz.check(time.monotonic() < until, "nobody accepts")
            time.sleep(0.01)


def answers(init):
    """Whoever comes while the crowd is let in may be the oldest of too many, and is closed."""
    try:
        return init.unix("/readyz")[0] == 200
    except OSError:
        return False


def exchange(connection, method, path, headers):
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers or {})
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()


class Workload:
    """A web server that does what it is told: a status, a wait, silence, or other bytes."""

    def __init__(self, status=200, name=None):
        self.status, self.delay, self.raw, self.seen = status, 0, None, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.seen.append((self.path, dict(self.headers)))
                time.sleep(outer.delay)
                with contextlib.suppress(OSError):
                    if outer.raw is not None:
                        self.wfile.write(outer.raw)
                        return
                    self.send_response(outer.status)
                    self.end_headers()
                    self.wfile.write(b"hello")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        if name is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(peers.pki() / f"{name}.pem", peers.pki() / f"{name}.key")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
