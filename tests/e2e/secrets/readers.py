# SPDX-License-Identifier: Apache-2.0
"""What programs make of a key and a certificate that were delivered to them: each reads them by a path, and has to use them.

readers.py CONFIG: JSON with `work` (a folder to write to), `ways` ({way: {what: path}}), `ca`, `ports`, `data`
(PostgreSQL's), `java`, `classes`, `password`, `only` and `out`. Writes {program: {way: [start, reload]}} to `out`. Runs as
the workload, below init or in its place; must never say more of a value than whether it was read.
"""
import contextlib
import glob
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

CONFIG = json.loads(pathlib.Path(sys.argv[1]).read_text())
WORK, PORTS = pathlib.Path(CONFIG["work"]), iter(CONFIG["ports"])
NUMBERS = [n for n in range(10, 256) if os.path.exists(f"/proc/self/fd/{n}")]
PATIENCE = 20.0
OK, NONE, ABSENT = "yes", "-", "absent"


class Refused(Exception):
    """The program does not take it; its own words go to the log beside."""


def until(found, what, process=None):
    end = time.monotonic() + PATIENCE
    while not found():
        if process is not None and process.poll() is not None:
            raise Refused(f"ended with {process.returncode}")
        if time.monotonic() > end:
            raise Refused(f"no {what}")
        time.sleep(0.02)


def run(argv, log, **rest):
    with open(log, "ab") as out:
        return subprocess.Popen(list(map(str, argv)), stdout=out, stderr=out, stdin=subprocess.DEVNULL, pass_fds=NUMBERS, **rest)


def succeed(argv, log, **rest):
    if run(argv, log, **rest).wait(PATIENCE) != 0:
        raise Refused("failed")


def shake(port):
    """A handshake in which the server proves to have the key of the certificate; True if it came to that."""
    context = ssl.create_default_context(cafile=CONFIG["ca"])
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as plain, context.wrap_socket(plain, server_hostname="127.0.0.1"):
            return True
    except ConnectionError:
        return False
    except OSError as why:
        raise Refused(f"no handshake: {why}") from why


@contextlib.contextmanager
def server(argv, log, port, end=signal.SIGTERM):
    """A TLS server that answers, and is gone afterwards."""
    process = run(argv, log, start_new_session=True)
    try:
        until(lambda: shake(port), "handshake", process)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(end)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def children(pid):
    return set(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def reload(process, port, number, done):
    """The signal by which it reads its files again; that it has, and that it still serves."""
    def has_come():
        process.send_signal(number)  # again: haproxy's master, which executes itself anew, may miss one
        time.sleep(0.2)
        return done()

    until(has_come, "reload", process)
    until(lambda: shake(port), "handshake after the reload", process)


# ---- Programs. Each gets the paths and a folder of its own, and returns whether it can reload. ----


def nginx(paths, folder):
    port, log = next(PORTS), folder / "log"
    (folder / "conf").write_text(f"""daemon off; pid {folder}/pid; error_log {log} notice; worker_processes 1;
events {{ worker_connections 16; }}
http {{ access_log off; {"".join(f"{n}_temp_path {folder}/{n}; " for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))}
server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {paths["certificate"]}; ssl_certificate_key {paths["key"]}; }} }}""")
    with server(["nginx", "-e", log, "-c", folder / "conf"], log, port) as process:
        before = children(process.pid)
        reload(process, port, signal.SIGHUP, lambda: children(process.pid) - before and not children(process.pid) & before)
    return OK


def haproxy(paths, folder):
    port, log = next(PORTS), folder / "log"
    (folder / "conf").write_text(f"""global
  maxconn 16
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend in
  bind 127.0.0.1:{port} ssl crt {paths["bundle"]}
  http-request return status 200
""")
    # -W: a master, which starts itself again by USR2, and then new workers
    with server(["haproxy", "-W", "-f", folder / "conf"], log, port) as process:
        before = children(process.pid)
        reload(process, port, signal.SIGUSR2, lambda: children(process.pid) - before)
    return OK


def stunnel(paths, folder):
    port, log = next(PORTS), folder / "log"
    (folder / "conf").write_text(f"""foreground = yes
pid =
syslog = no
[in]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:1
cert = {paths["certificate"]}
key = {paths["key"]}
""")
    with server(["stunnel4", folder / "conf"], log, port) as process:
        times = log.read_text().count("Configuration successful")
        reload(process, port, signal.SIGHUP, lambda: log.read_text().count("Configuration successful") > times)
    return OK


def redis(paths, folder):
    port, log = next(PORTS), folder / "log"
    words = ["--port", 0, "--tls-port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder, "--tls-auth-clients", "no",
             "--tls-ca-cert-file", CONFIG["ca"], "--tls-cert-file", paths["certificate"], "--tls-key-file", paths["key"]]
    with server(["redis-server", *words], log, port):
        succeed(["redis-cli", "-e", "-h", "127.0.0.1", "-p", port, "--tls", "--cacert", CONFIG["ca"],
                 "config", "set", "tls-key-file", paths["key"]], log)
        until(lambda: shake(port), "handshake after CONFIG SET")
    return OK


def postgres_words(paths, port):
    program = shutil.which("postgres") or sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))[-1]
    settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "ssl": "on", "fsync": "off",
                "ssl_cert_file": paths["certificate"], "ssl_key_file": paths["key"], "ssl_ca_file": CONFIG["ca"],
                "shared_buffers": "1MB", "dynamic_shared_memory_type": "mmap", "max_connections": 8}
    return [program, "-D", CONFIG["data"], *(word for k, v in settings.items() for word in ("-c", f"{k}={v}"))]


def psql(port, paths, log, **more):
    keys = {"host": "127.0.0.1", "port": port, "user": "postgres", "dbname": "postgres", "sslmode": "verify-full",
            "sslrootcert": CONFIG["ca"], "connect_timeout": 5, **more}
    keys |= {"sslcert": paths["certificate"], "sslkey": paths["key"]} if paths else {"sslcert": "/nowhere"}
    succeed(["psql", "-XAtc", "select 1", " ".join(f"{k}={v}" for k, v in keys.items())], log)


@contextlib.contextmanager
def database(paths, log):
    """PostgreSQL with that key; nobody without a certificate gets in."""
    port = next(PORTS)
    process = run(postgres_words(paths, port), log)
    try:
        until(lambda: "ready to accept connections" in log.read_text(), "server", process)
        yield port, process
    finally:
        process.send_signal(signal.SIGINT) if process.poll() is None else None
        process.wait(PATIENCE)


def postgresql(paths, folder):
    log, own = folder / "log", CONFIG["own"]
    with database(paths, log) as (port, process):
        psql(port, own, log)
        process.send_signal(signal.SIGHUP)
        until(lambda: "reloading configuration files" in log.read_text(), "reload", process)
        psql(port, own, log)
        if "SSL configuration was not reloaded" in log.read_text():
            raise Refused("not reloaded")
    return OK


def libpq(paths, folder):
    with database(CONFIG["own"], folder / "log") as (port, _):
        psql(port, paths, folder / "log")
    return NONE


def java(paths, folder):
    port = next(PORTS)
    words = [paths["store"], paths["certificate"], paths["key"], CONFIG["password"], port]
    with server([CONFIG["java"], "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", CONFIG["classes"], "Reader", *words], folder / "log", port):
        pass
    return NONE


PYTHON = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
with socket.create_server(("127.0.0.1", int(sys.argv[3]))) as server:
    while True:
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        try:
            context.wrap_socket(server.accept()[0], server_side=True).close()
        except OSError as why:
            print(why)
"""
NODE = """
const fs = require("fs"), [certificate, key, port] = process.argv.slice(1);
const read = () => ({cert: fs.readFileSync(certificate), key: fs.readFileSync(key)});
const server = require("tls").createServer(read(), (s) => s.on("error", () => 0).end());
server.listen(+port, "127.0.0.1", () => fs.writeSync(1, "listens\\n"));
process.on("SIGHUP", () => { server.setSecureContext(read()); fs.writeSync(1, "reloaded\\n"); });
"""


def python(paths, folder):
    port = next(PORTS)
    with server([sys.executable, "-c", PYTHON, paths["certificate"], paths["key"], port], folder / "log", port):
        until(lambda: shake(port), "second handshake, for which it reads again")
    return OK


def node(paths, folder):
    port, log = next(PORTS), folder / "log"
    with server(["node", "-e", NODE, paths["certificate"], paths["key"], port], log, port) as process:
        reload(process, port, signal.SIGHUP, lambda: "reloaded" in log.read_text())
    return OK


def openssl(paths, folder):
    port, log = next(PORTS), folder / "log"
    succeed(["openssl", "pkey", "-in", paths["key"], "-noout", "-check"], log)
    with server(["openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", "-cert", paths["certificate"], "-key", paths["key"]],
                log, port):
        return NONE


def curl(paths, folder):
    """As a client that has to have a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(CONFIG["own"]["certificate"], CONFIG["own"]["key"])
    context.load_verify_locations(CONFIG["ca"])
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as one:
            one.recv(4096)
            one.sendall(b"HTTP/1.0 204 x\r\n\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listener:
        succeed(["curl", "-sSf", "--max-time", "10", "--cacert", CONFIG["ca"], "--cert", paths["certificate"], "--key", paths["key"],
                 f"https://127.0.0.1:{listener.getsockname()[1]}/"], folder / "log")
    return NONE


def shell(paths, folder):
    """A child of a child, twice."""
    with open(folder / "out", "wb") as out:
        for _ in range(2):
            done = subprocess.run(["sh", "-c", 'sh -c \'cat "$1"\' sh "$1"', "sh", paths["key"]], stdout=out,
                                  stderr=subprocess.DEVNULL, pass_fds=NUMBERS, check=False)
            if done.returncode != 0:
                raise Refused("cat failed")
    text = (folder / "out").read_text()
    (folder / "out").unlink()
    if text[:len(text) // 2] * 2 != text or "PRIVATE KEY" not in text:
        raise Refused("another text")
    return NONE


PROGRAMS = {"nginx": nginx, "haproxy": haproxy, "stunnel4": stunnel, "redis-server": redis, "postgres": postgresql, "psql": libpq,
            "java": java, "python3": python, "node": node, "openssl": openssl, "curl": curl, "sh": shell}


def is_there(program):
    found = {"postgres": glob.glob("/usr/lib/postgresql/*/bin/postgres"), "java": [CONFIG["java"]] if CONFIG["java"] else []}
    return bool(found.get(program) or shutil.which(program))


def judge(program, way, paths):
    folder = WORK / f"{program}-{way}"
    folder.mkdir()
    if not is_there(program):
        return [ABSENT, ABSENT]
    try:
        return [OK, PROGRAMS[program](paths, folder)]
    except Refused as why:
        log = folder / "log"
        print(program, way, why, log.read_text(errors="replace")[-600:] if log.exists() else "", file=sys.stderr, flush=True)
        return ["refused", NONE]


def main():
    seen = {program: {way: judge(program, way, paths) for way, paths in CONFIG["ways"].items()}
            for program in PROGRAMS if program in CONFIG["only"]}
    out = pathlib.Path(CONFIG["out"])
    out.with_suffix(".part").write_text(json.dumps(seen))
    out.with_suffix(".part").rename(out)


main()
