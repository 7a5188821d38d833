# SPDX-License-Identifier: Apache-2.0
"""What a rollout happens in: a balancer in front of two colours, and load on it.

The balancer is HAProxy as an ALB is one: it tries nothing again and sends nothing elsewhere, asks each colour's own
check port, takes a colour out of service by its runtime socket, and closes connections that it needs no more. A task is a container of the Docker Engine with
an address and a network of its own, as ECS gives one (awsvpc). Failures are counted twice: by the client, and by the
balancer's log and counters.
"""
import atexit
import collections
import contextlib
import csv
import functools
import io
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import area
import engines
import laz
import rootfs
from laz import check, check_equal

RATE = int(os.environ.get("LAZARET_ROLLOUT_RATE", "800"))  # requests a second, of hey
WORKERS = 40
PATIENCE = 30.0
COLOURS = ("blue", "green")
ADDRESS = {"blue": "10.88.1.2", "green": "10.88.2.2"}
SERVICE = 8080  # of both: each has an address of its own
CHECK = 9100    # the role health's
PORT = 8000  # of the balancer; the network is the suite's own

HAPROXY = """
global
    stats socket {folder}/socket mode 600 level admin
    log stdout len 256 format raw local0 info
    nbthread 1 # several leave out lines of the log when they meet there
    maxconn 4000
defaults
    mode http
    log global
    log-format "%ST %s %tsc %Ta"
    retries 0
    no option redispatch
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout check 1s
frontend in
    bind 127.0.0.1:{port}
    default_backend tg
backend tg
    balance roundrobin
    option httpchk
    http-check send meth GET uri /readyz hdr User-Agent ELB-HealthChecker/2.0
    http-check expect status 200
    default-server inter 2s downinter 200ms fall 2 rise 1 pool-purge-delay 500ms disabled
    server blue {blue}:{service} check port {check}
    server green {green}:{service} check port {check}
"""

NGINX = """
daemon off;
worker_processes 1;
error_log stderr;
pid /tmp/pid;
events {{ worker_connections 2048; }}
http {{
access_log off;
client_body_temp_path /tmp/1; proxy_temp_path /tmp/2; fastcgi_temp_path /tmp/3; uwsgi_temp_path /tmp/4; scgi_temp_path /tmp/5;
server {{
listen {port} backlog=2048;
location = /health {{ if (!-f /task/ready) {{ return 503; }} return 200 "fine\\n"; }}
location / {{ return 200 "{colour}\\n"; }}
}}
}}
"""

POLICY = """
version: 1
name: rollout
extends: [builtin/web-api]
requires: {{landlock: preferred, events: preferred}}
workload: {{user: "10001:10001"}}
limits: {{processes: 30000}}
filesystem: {{read-exec: [/usr, /lib, /lib64], read: [/etc, /proc, /task], write: [/tmp], optional: [/lib64]}}
network: {{tcp-bind: [8080]}}
health:
  listen: "0.0.0.0:9100"
  ready: {{checks: [{{name: web, http: "http://127.0.0.1:8080/health", every: 1s, timeout: 500ms}}]}}
shutdown: {{stop-timeout: 30s, lb-grace: {lb_grace}s, grace: 5s, drain: 1s}}
"""


def wait_until(true, what, seconds=PATIENCE, also=lambda: ""):
    """Poll until it is so."""
    deadline = time.monotonic() + seconds
    while not true():
        check(time.monotonic() < deadline, f"{what}: not within {seconds} s {also()}")
        time.sleep(0.02)


def ask(address, port, path, seconds=5.0):
    """(status, body) of one GET, or None where nobody answers."""
    try:
        with socket.create_connection((address, port), seconds) as conn:
            conn.settimeout(seconds)
            conn.sendall(f"GET {path} HTTP/1.1\r\nHost: rollout.test\r\nConnection: close\r\n\r\n".encode())
            said = b""
            while block := conn.recv(65536):
                said += block
    except OSError:
        return None
    head, _, body = said.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    return (int(words[1]), body.decode(errors="replace")) if len(words) == 3 else None


# ---- Tasks -------------------------------------------------------------------------------------------


@functools.cache
def docker():
    """The suite's daemon."""
    for program in ("haproxy", "hey", "wrk", "nginx"):
        area.require_program(program)
    return engines.Docker()


@functools.cache
def image():
    """An image with init alone; the machine's own files are mounted, and both web servers are among them."""
    root = rootfs.scratch_root("rollout")
    rootfs.put_users(root)
    rootfs.put_lazaret(root)
    for folder in ("/usr", "/task"):
        rootfs.put_folder(root, folder)
    for link in ("bin", "lib", "lib64"):
        (root / link).symlink_to(f"usr/{link}")
    return docker().import_root(root, "lazaret-rollout")


class Task:
    """One task of a colour: `workload` is nginx, or slow: a Python server whose requests take three seconds."""

    _count = 0

    def __init__(self, colour, lb_grace, workload="nginx", ready=True, seconds=3):
        Task._count += 1
        self.colour, self.address, self.workload = colour, ADDRESS[colour], workload
        self.folder = area.folder(f"task-{Task._count}")
        self.folder.chmod(0o755)
        self.ready_file = self.folder / "ready"
        self.set_ready(ready)
        (self.folder / "policy.yaml").write_text(POLICY.format(lb_grace=lb_grace))
        (self.folder / "nginx.conf").write_text(NGINX.format(colour=colour, port=SERVICE))
        (self.folder / "server.py").write_bytes((pathlib.Path(__file__).parent / "rollout" / "server.py").read_bytes())
        words = {"nginx": ["/usr/sbin/nginx", "-e", "stderr", "-c", "/task/nginx.conf"],
                 "slow": ["/usr/bin/python3", "-B", "/task/server.py", colour, str(seconds)]}[workload]
        self.name = docker().start(image(), ["--policy", "/task/policy.yaml", "--", *words], options=[
            "--entrypoint", "/lazaret-init", "--volume", "/usr:/usr:ro", "--volume", f"{self.folder}:/task:ro",
            "--ulimit", "nofile=4096"])
        self._plug()
        self.path = "/at-once" if workload == "slow" else "/"
        wait_until(lambda: ask(self.address, SERVICE, self.path) == (200, f"{colour}\n"), f"{colour} serves", also=self.logs)
        wait_until(lambda: (ask(self.address, CHECK, "/readyz") or [0])[0] == (200 if ready else 503), f"{colour}'s check port", also=self.logs)

    def _plug(self):
        """The container's own interface, as ECS plugs one into a task."""
        inside, outside = f"in-{self.colour}", f"out-{self.colour}"
        run = lambda *words: area.run(docker().fence.command(*words))  # noqa: E731
        run("ip", "link", "del", outside)
        pid = docker().must("inspect", "--format", "{{.State.Pid}}", self.name)
        check(pid != "0", f"the task has ended: {self.logs()}")
        enter = ["nsenter", "-t", pid, "-n", "ip"]
        for words in (["ip", "link", "add", "name", outside, "type", "veth", "peer", "name", inside, "netns", pid],
                      ["ip", "addr", "add", f"{self.address[:-1]}1/30", "dev", outside], ["ip", "link", "set", outside, "up"],
                      [*enter, "addr", "add", f"{self.address}/30", "dev", inside], [*enter, "link", "set", inside, "up"]):
            done = run(*words)
            check_equal(done.code, 0, f"{' '.join(words)}: {done.err}")

    def set_ready(self, ready):
        if ready:
            self.ready_file.touch()
        else:
            self.ready_file.unlink(missing_ok=True)

    def all_logs(self):
        said = docker().call("logs", self.name)
        return said.out + said.err

    def logs(self):
        return self.all_logs()[-1500:]

    def stop(self):
        """What ECS does to stop a task; the container's exit code, and the seconds that it took."""
        began = time.monotonic()
        docker().must("stop", "--time", "30", self.name)
        took = time.monotonic() - began
        return int(docker().must("inspect", "--format", "{{.State.ExitCode}}", self.name)), took

    def remove(self):
        docker().call("rm", "--force", self.name)


# ---- The balancer ------------------------------------------------------------------------------------


class Balancer:
    """HAProxy, and what it has counted since mark()."""

    def __init__(self):
        self.folder = area.folder("balancer")
        (self.folder / "conf").write_text(HAPROXY.format(
            folder=self.folder, port=PORT, service=SERVICE, check=CHECK, **ADDRESS))
        self.log = self.folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "haproxy", "-db", "-f", self.folder / "conf"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        atexit.register(self.process.kill)
        wait_until(lambda: (self.folder / "socket").exists() and self.stat("tg", "BACKEND"), "HAProxy",
                   also=lambda: self.log.read_text()[-800:])
        self.offset, self.before = 0, {}

    def say(self, *words):
        """One command on the runtime socket."""
        with socket.socket(socket.AF_UNIX) as conn:
            conn.settimeout(PATIENCE)
            conn.connect(str(self.folder / "socket"))
            conn.sendall(" ".join(words).encode() + b"\n")
            said = b""
            while block := conn.recv(65536):
                said += block
        return said.decode().strip()

    def order(self, *words):
        """One that answers nothing where it worked."""
        check_equal(self.say(*words), "", f"HAProxy: {' '.join(words)}")

    def stat(self, proxy, name):
        """A line of its counters, by their names."""
        try:
            text = self.say("show", "stat").removeprefix("# ")
        except OSError:
            return None
        return next((row for row in csv.DictReader(io.StringIO(text)) if (row["pxname"], row["svname"]) == (proxy, name)), None)

    def status(self, colour):
        """UP, DOWN, DRAIN, MAINT, or on the way to one of them."""
        return self.stat("tg", colour)["status"]

    def register(self, colour):
        """As a target is registered: it gets requests when its own check has passed."""
        self.order(f"set server tg/{colour} state drain")
        self.order(f"enable health tg/{colour}")
        self.order(f"set server tg/{colour} health down")
        self.order(f"set server tg/{colour} state ready")

    def deregister(self, colour):
        """No new requests; those under way go on."""
        self.order(f"set server tg/{colour} state drain")

    def is_up(self, colour):
        return self.status(colour) == "UP"

    def blind(self, colour):
        """It no longer looks at this colour's check: what it knows comes late."""
        self.order(f"disable health tg/{colour}")

    def counters(self):
        """Requests by class of answer, and whatever ALBs have not: attempts repeated or sent elsewhere."""
        front, back = self.stat("in", "FRONTEND"), self.stat("tg", "BACKEND")
        found = {f"{name}xx": int(front[f"hrsp_{name}xx"]) for name in "12345"}
        found |= {"other": int(front["hrsp_other"]), "again": int(back["wretr"]) + int(back["wredis"])}
        return collections.Counter(found)

    def mark(self):
        """What is counted from now on."""
        self.offset, self.before = self.log.stat().st_size, self.counters()

    def counted(self):
        """Since mark(): the counters."""
        return {name: n - self.before[name] for name, n in self.counters().items() if n != self.before[name]}

    def lines(self):
        """Since mark(): (status, colour, termination) of each request, in order of their ends."""
        with open(self.log, "rb") as text:
            text.seek(self.offset)
            whole, _, _ = text.read().rpartition(b"\n")
        found = [line.split() for line in whole.decode(errors="replace").splitlines()]
        return [(words[0], words[1], words[2]) for words in found if len(words) == 4 and re.fullmatch(r"-?\d+", words[0])]


# ---- Load --------------------------------------------------------------------------------------------

Count = collections.namedtuple("Count", "fine failed said")


def read_hey(text):
    """hey's own two distributions: answers by status, and errors."""
    answers = {int(code): int(n) for code, n in re.findall(r"^\s*\[(\d{3})\]\s+(\d+) responses", text, re.M)}
    _, _, errors = text.partition("Error distribution:")
    failed = sum(int(n) for n in re.findall(r"^\s*\[(\d+)\]\s", errors, re.M))
    check(answers or failed, f"hey counted nothing: {text[-800:]}")
    return Count(answers.get(200, 0), sum(n for code, n in answers.items() if code != 200) + failed, text)


def read_wrk(text):
    """wrk says how many in all, and those that were none, in lines that are there only if there are some."""
    every = re.search(r"(\d+) requests in", text)
    check(every, f"wrk counted nothing: {text[-800:]}")
    failed = sum(int(n) for n in re.findall(r"(?:Non-2xx or 3xx responses|connect|read|write|timeout):? (\d+)", text))
    answered = int(re.search(r"Non-2xx or 3xx responses: (\d+)|$", text)[1] or 0)
    return Count(int(every[1]) - answered, failed, text)


class Load:
    """Clients of the balancer, from start() to stop()."""

    def __init__(self, client, path):
        url = f"http://127.0.0.1:{PORT}{path}"
        self.client = client
        words = {"hey": ["hey", "-z", "300s", "-c", WORKERS, "-q", max(1, RATE // WORKERS), "-t", "25", url],
                 "slow": ["hey", "-z", "300s", "-c", 16, "-t", "25", url],
                 "wrk": ["wrk", "-t1", "-c4", "-d300s", "--timeout", "25s", url]}[client]
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, words)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.began = time.monotonic()

    def stop(self):
        """No new requests; what the client has counted when the last one has ended."""
        self.seconds = time.monotonic() - self.began
        self.process.send_signal(signal.SIGINT)
        try:
            text, _ = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise laz.Failed(f"{self.client} does not end") from None
        return (read_wrk if self.client == "wrk" else read_hey)(text)


@contextlib.contextmanager
def load(client="hey", path="/"):
    """Load while the block runs; the Load gets `.count`."""
    running = Load(client, path)
    try:
        yield running
        running.count = running.stop()
    finally:
        running.process.kill()
        running.process.wait()
