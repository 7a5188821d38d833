# SPDX-License-Identifier: Apache-2.0
"""Bench of a tunnel by which TLS comes in, beside programs that do nothing else: hitch and stunnel, one process each, with the
same certificate, the same suite and the same server behind them. The client, the server and whoever is between share the
machine, so that the processor time of the one between is told, too."""
import contextlib
import pathlib
import re
import statistics
import subprocess
import time

from harness import bench, count, goal, say, show

import fence
import laz
import rest
import sinks_peers
import tunnel_world

SUITE = "TLS_AES_256_GCM_SHA384"
BODY = "x" * 1024
NGINX = """daemon off; pid {folder}/pid; error_log {folder}/log; worker_processes 1; events {{ worker_connections 2048; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}; proxy_temp_path {folder};
fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{body}"; }} }} }}
"""
HITCH = """frontend = "[127.0.0.1]:{port}"
backend = "[127.0.0.1]:{to}"
pem-file = "{pem}"
ciphersuites = "{suite}"
tls-protos = TLSv1.2 TLSv1.3
workers = 1
user = "nobody"
group = "nogroup"
quiet = on
"""
STUNNEL = """foreground = quiet
pid =
debug = 0
[https]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{to}
cert = {pem}
ciphersuites = {suite}
sslVersionMin = TLSv1.2
"""
LATENCY = re.compile(r"50%\s+([0-9.]+)(us|ms|s)")
RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")
SCALE = {"us": 1.0, "ms": 1e3, "s": 1e6}

def spawn(words, port, log):
    """A server that lives as long as this process."""
    with open(log, "wb") as errors:
        process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *map(str, words)], stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
    sinks_peers.wait_until(lambda: process.poll() is None and sinks_peers.listens(port), words[0], pathlib.Path(log).read_text)
    return process

def peers_of(folder, to):
    """{name: (port, the process that does the work)}"""
    identities = tunnel_world.identities()
    pem = folder / "web.pem"
    pem.write_bytes((identities / "web.key").read_bytes() + (identities / "web.pem").read_bytes())
    found = {}
    for name, text, words in (("hitch", HITCH, ["hitch", "--config"]), ("stunnel", STUNNEL, ["stunnel"])):
        port, = sinks_peers.free_ports(1)
        conf = folder / f"{name}.conf"
        conf.write_text(text.format(port=port, to=to, pem=pem, suite=SUITE))
        process = spawn([*words, conf], port, folder / f"{name}.log")
        workers = fence.children(process.pid)
        found[name] = (port, workers[0] if workers else process.pid)
    return found

def load(url, connections, seconds):
    """(requests a second, median latency in microseconds)"""
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url], capture_output=True, text=True, check=True, timeout=120)
    laz.check("Socket errors" not in done.stdout and "Non-2xx" not in done.stdout, done.stdout)
    number, unit = LATENCY.search(done.stdout).groups()
    return float(RATE.search(done.stdout)[1]), float(number) * SCALE[unit]

def measure(places, connections, rounds, seconds):
    """{name: ([requests a second], [median latency], [processor nanoseconds for a request])}"""
    found = {name: ([], [], []) for name in places}
    for _ in range(rounds):
        for name, (url, pid) in places.items():
            before = rest.cpu_ms([pid]) if pid else 0
            rate, latency = load(url, connections, seconds)
            used = (rest.cpu_ms([pid]) if pid else 0) - before
            for values, value in zip(found[name], (rate, latency, 1e6 * used / (rate * seconds))):
                values.append(value)
    return found

@contextlib.contextmanager
def in_front(*pids):
    """What is not measured takes nobody's turn. By session: each has its part of the processors, and a container is one of its own."""
    def put(nice):
        for pid in pids:
            with contextlib.suppress(OSError):  # a kernel without autogroups, or not root
                pathlib.Path(f"/proc/{pid}/autogroup").write_text(str(nice), encoding="ascii")

    put(count(-15, 0))
    try:
        yield
    finally:
        put(0)


@bench("tunnel")
def tunnel():
    """Requests of 1 KiB over TLS to nginx, on connections that stay open: how many, what they wait, and what it keeps."""
    folder = fence.scratch() / "tunnel-bench"
    folder.mkdir()
    folder.chmod(0o755)
    to, = sinks_peers.free_ports(1)
    (folder / "conf").write_text(NGINX.format(folder=folder, port=to, body=BODY))
    (folder / "log").touch()
    spawn(["nginx", "-e", folder / "log", "-c", folder / "conf"], to, folder / "out")
    peers = peers_of(folder, to)
    world = tunnel_world.World(listen=[{"name": "https", "to": f"127.0.0.1:{to}"}])
    with world.start(), contextlib.ExitStack() as held:
        pid = world.pid()
        places = {"the server itself, in plain text": (f"http://127.0.0.1:{to}/", None)}
        places |= {name: (f"https://127.0.0.1:{port}/", peer) for name, (port, peer) in peers.items()}
        places["lazaret"] = (f"https://127.0.0.1:{world.ports['https']}/", pid)
        laz.check_equal(list(fence.children(pid)), [], "it is one process")
        rounds, seconds = count(15, 1), 1
        with in_front("self", pid):
            many, one = (measure(places, n, rounds, seconds) for n in (32, 1))
        say("  -- 32 connections")
        for name in places:
            show(name, many[name][0], "/s", many["hitch"][0])
        say("  -- processor time of a request")
        for name in [*peers, "lazaret"]:
            show(name, many[name][2], "us", many["hitch"][2], 1000)
        plain = one["the server itself, in plain text"][1]
        added = {name: [a - b for a, b in zip(one[name][1], plain)] for name in [*peers, "lazaret"]}
        say("  -- one connection: what a request waits longer than in plain text, medians of each round")
        for name, values in added.items():
            show(name, values, "us", added["stunnel"])
        for _ in range(count(256, 8)):
            wire = held.enter_context(world.dial_tls("https"))
            wire.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            laz.check(b" 200 " in wire.recv(4096), "an answer")
        time.sleep(1)
        private, written = rest.private_kib(pid)
        say(f"  {'with 256 connections open':34s} {private} KiB of its own, {written} of them written to")
    goal("hitch's requests a second over ours", statistics.median(many["hitch"][0]) / statistics.median(many["lazaret"][0]), 1)
    goal("what a request waits longer, against stunnel", statistics.median(added["lazaret"]) / statistics.median(added["stunnel"]), 0.5)
    goal("a tunnel's private memory that it wrote to", written, 8192, "KiB")

