# SPDX-License-Identifier: Apache-2.0
"""The Python server of the runtimes suite: HTTP on 8080 and TLS on 8443, a thread for each connection.

Each path does one kind of thing that services do, and answers "ok" or 500 with the reason. Ends itself with
exit code 0 on SIGTERM. Must not start programs: it runs under an exec budget of 1.
"""
import http.server
import mmap
import os
import pathlib
import queue
import signal
import socket
import socketserver
import sqlite3
import ssl
import tempfile
import threading
import time
import urllib.request

PORT, TLS_PORT = 8080, 8443


def files():
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = pathlib.Path(name)
        with open(folder / "new", "wb") as out:
            out.write(b"record\n" * 10000)
            out.flush()
            os.fsync(out.fileno())
            os.truncate(out.fileno(), 700)
        (folder / "new").rename(folder / "old")
        (folder / "old").chmod(0o600)
        (folder / "link").symlink_to("old")
        assert sorted(os.listdir(folder)) == ["link", "old"]
        with open(folder / "link", "rb") as back, mmap.mmap(back.fileno(), 0, prot=mmap.PROT_READ) as view:
            assert len(view) == 700 and view[:7] == b"record\n"


def threads():
    work, done = queue.Queue(), queue.Queue()

    def worker():
        for item in iter(work.get, None):
            time.sleep(0.001)
            done.put(item * item)

    crew = [threading.Thread(target=worker) for _ in range(8)]
    for thread in crew:
        thread.start()
    for item in [*range(100), *[None] * 8]:
        work.put(item)
    for thread in crew:
        thread.join()
    assert sum(done.get() for _ in range(100)) == sum(n * n for n in range(100))


def names():
    addresses = {info[4][0] for info in socket.getaddrinfo("localhost", PORT, proto=socket.IPPROTO_TCP)}
    assert addresses & {"127.0.0.1", "::1"}, addresses
    try:
        socket.getaddrinfo("no-such-host.invalid", PORT)
    except socket.gaierror:
        return
    raise AssertionError("a name that cannot exist was found")


def timers():
    rang, began = threading.Event(), time.monotonic()
    threading.Timer(0.02, rang.set).start()
    assert rang.wait(5) and time.monotonic() - began >= 0.02


def sockets():
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/hello", timeout=10) as answer:
        assert answer.read() == b"hello\n"
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(folder + "/socket")
        listener.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(folder + "/socket")
            with listener.accept()[0] as server:
                client.sendall(b"unix")
                assert server.recv(16) == b"unix"
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as two:
        one.bind(("127.0.0.1", 0))
        two.sendto(b"datagram", one.getsockname())
        assert one.recvfrom(16)[0] == b"datagram"


def runtime():
    """A database, and a child process that runs no other program, as pre-forking servers have them."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        base = sqlite3.connect(folder + "/claims.db")
        base.execute("pragma journal_mode = wal")
        base.execute("create table claims (id integer primary key, text)")
        with base:
            base.executemany("insert into claims (text) values (?)", [("claim",)] * 1000)
        assert base.execute("select count(*) from claims").fetchone() == (1000,)
        base.close()
    child = os.fork()
    if child == 0:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def write_execute():
    """Whether memory may be writable and executable: what requires.write-xor-execute forbids."""
    try:
        mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
    except PermissionError:
        return "refused"
    return "granted"


PATHS = {f"/{work.__name__}": work for work in (files, threads, names, timers, sockets, runtime)}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, code, body):
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/hello":
            self.answer(200, b"hello\n")
        elif self.path == "/write-execute":
            self.answer(200, write_execute().encode())
        else:
            try:
                PATHS[self.path]()
                self.answer(200, b"ok")
            except Exception as why:
                self.answer(500, repr(why).encode())

    def do_POST(self):
        self.answer(200, self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main():
    plain, secure = Server(("0.0.0.0", PORT), Handler), Server(("0.0.0.0", TLS_PORT), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain("/app/tls.crt", "/app/tls.key")
    secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
    serving = [threading.Thread(target=server.serve_forever) for server in (plain, secure)]
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    for thread in serving:
        thread.start()
    print("serving", flush=True)
    signal.sigwait([signal.SIGTERM])
    for server in (plain, secure):
        server.shutdown()
    for thread in serving:
        thread.join()


main()
