# SPDX-License-Identifier: Apache-2.0
"""What Docker's health command, a balancer and a neighbour in the container are told, in every state of a real container:
live, ready and startup, each by `docker exec`, by HTTP on the port and by HTTP on the unix socket; and what Docker
itself makes of it. A state is held for as long as it is looked at; no cell is left out.
"""
import contextlib
import http.client
import json
import pathlib
import re
import socket
import subprocess
import time

import adapters
import area
import engines
import fence
import laz
import rootfs
import secret_world
import sinks_peers as peers
from laz import case, check, check_equal
from ship_world import until

PATHS = {"live": "/livez", "ready": "/readyz", "startup": "/startupz"}
WAYS = ("exec", "http", "socket")
LIVE, READY, STARTED = (1, 0, 0), (1, 1, 1), (1, 0, 1)  # live, ready, started up
RETRIES = 2
# Serves /shared/www from when it is told to; at its stop signal it goes on until it may end.
WORKLOAD = """
    trap 'while [ ! -e /shared/may-end ]; do sleep 0.1; done; exit 0' TERM
    while [ ! -e /shared/may-serve ]; do sleep 0.1; done
    httpd -f -p 127.0.0.1:{port} -h /shared/www &
    while :; do sleep 0.1; done
"""
TALKS = "while :; do echo {x}; done"
AUTHORITY = laz.ROOT / "tests" / "e2e" / "authority.py"

_made = {}


def docker():
    """The suite's daemon, and images of which each has a health command of its own."""
    if "docker" not in _made:
        engine = _made["docker"] = engines.Docker()
        root = rootfs.busybox_root("probe-table")
        rootfs.put_lazaret(root)
        for question in PATHS:
            health = f'HEALTHCHECK --interval=1s --timeout=10s --retries={RETRIES} CMD ["/lazaret-init", "probe", "{question}"]'
            engine.import_root(root, f"probe-{question}", 'ENTRYPOINT ["/lazaret-init", "--policy", "/policy.yaml", "--"]', health)
    return _made["docker"]


class Box:
    """A container on the suite's own loopback, whose /run and /shared the suite sees."""

    _count = 0

    def __init__(self, health, shutdown=None, command="live", script=WORKLOAD, env=(), options=(), **changes):
        Box._count += 1
        self.engine = docker()
        self.folder = area.folder(f"box-{Box._count}")
        self.folder.chmod(0o755)
        for name in ("run", "shared", "shared/www", "kept"):
            (self.folder / name).mkdir()
        self.port, self.serves = peers.free_ports(2)
        for name in ("alive", "good"):
            (self.folder / "shared/www" / name).touch()
        url = f"http://127.0.0.1:{self.serves}"
        policy = {
            "version": 1, "name": "probe-table", "extends": ["builtin/web-api"],
            "requires": {"landlock": "disabled", "exec-budget": "disabled"},
            "workload": {"user": rootfs.APP_USER, "exec-budget": -1, "cwd": "/", "env": {"pass": ["PATH"]}},
            "limits": {"processes": 30000}, "filesystem": {"read-exec": ["/bin"]}, "syscalls": {"allow": ["setuid", "setgid"]},
            "health": {"listen": f"127.0.0.1:{self.port}", **self.checks(url, **health)},
            "shutdown": {"stop-timeout": "20m", "lb-grace": "2m", "lb-grace-least": "500ms", "lb-quiet": "500ms", "grace": "2m",
                         **(shutdown or {})}}
        (self.folder / "policy.yaml").write_text(json.dumps(adapters.merged(policy, changes)))
        options = [*options, "--network", "host", "--volume", f"{self.folder}/policy.yaml:/policy.yaml:ro"]
        options += [w for name in ("run", "shared", "kept") for w in ("--volume", f"{self.folder}/{name}:/{name}")]
        self.name = self.engine.start(f"probe-{command}", ["/bin/sh", "-c", script.format(port=self.serves, x="x" * 4000)],
                                      options=[*options, *(w for word in env for w in ("--env", word))])

    @staticmethod
    def checks(url, **health):
        """`{url}` is where the workload serves."""
        return json.loads(json.dumps(health).replace("{url}", url))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.engine.call("rm", "--force", self.name)

    def may(self, what):
        (self.folder / "shared" / f"may-{what}").touch()

    def tell(self, word, name):
        """A signal from outside for those of that name."""
        self.engine.must("exec", self.name, "/bin/busybox", "killall", f"-{word}", name)

    # ---- who asks ----

    def exec(self, question, user="10001"):
        said = self.engine.call("exec", "--user", user, self.name, "/lazaret-init", "probe", question)
        check(said.code in (0, 1) and said.out.count("\n") == 1 and len(said.out) <= 1000, f"probe {question}: {said}")
        check(said.code or not said.err, f"probe {question} passes, and writes {said.err!r}")
        found = re.search(r"\bstate=(\S+)", said.out)
        return int(said.code == 0), found and found[1], said.out

    def unix(self):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(3)
        path, = (self.folder / "run/lazaret").glob("health.*")
        connection.sock.connect(str(path))
        return connection

    @staticmethod
    def exchange(connect, path):
        """No answer is no good answer."""
        try:
            with contextlib.closing(connect()) as connection:
                connection.request("GET", path)
                reply = connection.getresponse()
                body = reply.read()
        except OSError as why:
            return 0, None, str(why)
        check(reply.status in (200, 503), f"{path}: {reply.status} {body}")
        return int(reply.status == 200), json.loads(body)["state"], body.decode()

    def http(self, question):
        return self.exchange(lambda: http.client.HTTPConnection("127.0.0.1", self.port, timeout=3), PATHS[question])

    def socket(self, question):
        return self.exchange(self.unix, PATHS[question])

    def document(self):
        with contextlib.closing(self.unix()) as connection:
            connection.request("GET", "/healthz")
            return json.loads(connection.getresponse().read())

    def why(self):
        return self.engine.call("logs", "--tail", "20", self.name).err[-3000:]

    def cells(self, row, state, wanted, word=""):
        """Once it is in that state, all nine cells; whoever says no says why."""
        until(lambda: list((self.folder / "run/lazaret").glob("health.*")), lambda: f"{row}: sockets: {self.why()}", fence.PATIENCE)
        until(lambda: (said := self.socket("ready"))[1] == state and word in said[2],
              lambda: f"{row}: {state} {word}, but {self.socket('ready')} {self.why()}", fence.PATIENCE, 0.05)
        self.nine(row, state, wanted)

    def nine(self, row, state, wanted):
        for question, is_good in zip(PATHS, wanted):
            for way in WAYS:
                good, said_state, said = getattr(self, way)(question)
                check_equal((good, said_state), (is_good, state), f"{row}: {question} by {way}: {said}")
        print(f"     {row}: {', '.join(f'{q} {bool(w)}' for q, w in zip(PATHS, wanted))} by {', '.join(WAYS)}")

    # ---- what Docker makes of it ----

    def health(self):
        return json.loads(self.engine.must("inspect", "--format", "{{json .State.Health}}", self.name))

    def becomes(self, status, row):
        until(lambda: self.health()["Status"] == status, lambda: f"{row}: {status}: {self.health()} {self.why()}", 2 * fence.PATIENCE, 0.1)

    def runs(self, row, wanted, count):
        """So many further runs of the health command have ended thus."""
        seen, before = {}, {run["Start"] for run in self.health()["Log"] or []}

        def enough():
            seen.update({run["Start"]: run for run in self.health()["Log"] if run["Start"] not in before})
            return len(seen) >= count + 1  # the first may have begun before
        until(enough, lambda: f"{row}: runs of the health command: {seen}", 2 * fence.PATIENCE, 0.1)
        codes = [seen[start]["ExitCode"] for start in sorted(seen)][1:]
        check_equal(codes, [wanted] * len(codes), f"{row}: {[seen[s]['Output'] for s in sorted(seen)]}")

    def statuses(self):
        """What Docker has said of the container, one after the other."""
        out = self.engine.must("events", "--since", "0", "--until", f"{time.time():.9f}", "--filter", f"container={self.name}",
                               "--filter", "event=health_status", "--format", "{{.Status}}")
        return [line.rpartition(" ")[2] for line in out.splitlines()]

    def code(self):
        return int(self.engine.must("wait", self.name, timeout=fence.PATIENCE))


def shipping(port):
    """A collector that the start waits for, and the end."""
    return {"sinks": [{"name": "trail", "type": "relp", "to": f"127.0.0.1:{port}", "classes": ["audit"], "required": True}],
            "spool": {"dir": "/kept/spool", "max": "4MiB", "segment": "1MiB"}, "audit": {"durability": "acked", "start-wait": "5m"}}


WEB = {"startup": {"deadline": "5m", "checks": [{"name": "up", "http": "{url}/alive", "every": "1s"}]},
       "ready": {"fall": 2, "checks": [{"name": "good", "http": "{url}/good", "every": "1s", "timeout": "500ms"}]},
       "live": {"fall": 3, "checks": [{"name": "alive", "http": "{url}/alive", "every": "1s", "timeout": "500ms"}]}}


@case("from the start to the end, what each way says of live, ready and startup; Docker calls a drain healthy, and what hangs unhealthy")
def life():
    collector = peers.Rsyslog("collector")
    collector.stop()
    with Box(WEB, {"flush": "2m"}, **shipping(collector.ports["relp"])) as box:
        box.cells("starting", "starting", LIVE)
        collector.start()
        box.cells("warming", "warming", LIVE, "check:up")
        box.becomes("healthy", "warming")
        box.may("serve")
        box.cells("ready", "ready", READY)
        good = box.folder / "shared/www/good"
        good.unlink()
        box.cells("not ready", "not-ready", STARTED, "check:good")
        good.touch()
        box.cells("ready again", "ready", READY)
        hangs(box)
        check_equal(box.statuses(), ["healthy", "unhealthy", "healthy"], "Docker's own words so far")
        collector.stop()
        with socket.create_connection(("127.0.0.1", box.serves)):  # a client holds the drain up
            box.engine.must("kill", "--signal", "TERM", box.name)
            box.cells("draining", "draining", STARTED)
            box.runs("draining", 0, RETRIES + 1)
            box.nine("draining still", "draining", STARTED)
        box.cells("stopping", "stopping", STARTED)
        box.runs("stopping", 0, RETRIES + 1)
        box.may("end")
        box.cells("ended as it was asked to, and the collector is waited for", "exited", STARTED)
        box.runs("ended as it was asked to", 0, RETRIES + 1)
        check_equal(len(box.statuses()), 3, f"never unhealthy from the stop signal on: {box.statuses()}")
        collector.start()
        check_equal(box.code(), 0, f"exit code: {box.why()}")


def hangs(box):
    """A workload that hangs is not live from the fall-th question without an answer on, and no sooner."""
    box.tell("STOP", "httpd")
    seen = []

    def unanswered():
        found = box.document()
        fails = next(c["fails"] for c in found["checks"] if c["name"] == "alive")
        seen.append((fails, found["live"]))
        return not found["live"]
    began = time.monotonic()
    until(unanswered, lambda: f"it hangs: {seen[-20:]}", fence.PATIENCE)
    print(f"     not live {time.monotonic() - began:.1f} s after it hangs: three questions, one each second")
    wrong = [one for one in seen if (one[0] >= 3) == one[1]]
    check_equal(wrong, [], f"(failures, live) of {len(seen)} documents, where three failures are not live")
    box.cells("a workload that hangs", "not-ready", (0, 0, 1))
    box.becomes("unhealthy", "a workload that hangs")
    box.tell("CONT", "httpd")
    box.cells("it answers again", "ready", READY)
    box.becomes("healthy", "it answers again")


@case("a helper that hangs: nobody answers, which is no by every way; its successor says yes", beside=True)
def helper_hangs():
    with Box(WEB) as box:
        box.may("serve")
        box.cells("ready", "ready", READY)
        box.becomes("healthy", "ready")
        box.tell("STOP", "lazaret-health")
        box.nine("a helper that hangs", None, (0, 0, 0))
        box.becomes("unhealthy", "a helper that hangs")
        box.tell("KILL", "lazaret-health")
        box.cells("its successor", "ready", READY)
        box.becomes("healthy", "its successor")
        check_equal(box.statuses(), ["healthy", "unhealthy", "healthy"], "Docker's own words")


@case("a health command that asks for readiness is unhealthy while its container drains: what the other one must not be", beside=True)
def control():
    with Box({}, command="ready") as box:
        box.may("serve")
        box.becomes("healthy", "ready")
        until(lambda: peers.listens(box.serves), "the workload's port")
        with socket.create_connection(("127.0.0.1", box.serves)):
            box.engine.must("kill", "--signal", "TERM", box.name)
            box.cells("draining", "draining", STARTED)
            box.becomes("unhealthy", "it asks for readiness while it drains")
            box.nine("draining still", "draining", STARTED)


@case("nobody answers before the secrets are there: no question is true by any way, and Docker waits for its start period", beside=True)
def secret_waits():
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes who comes, and answers nobody
        secrets = {"dir": "/keys/secrets", "start-deadline": "10m", "ca": "/ca.pem",
                   "items": [{"name": "it", "from": "/prod/it", "file": {"path": "it"}}]}
        env = [f"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:{silent.getsockname()[1]}/role", "AWS_REGION=us-east-1"]
        options = ["--tmpfs", "/keys:mode=0755", "--volume", f"{peers.pki()}/ca.pem:/ca.pem:ro", "--health-start-period", "10m"]
        with Box({}, env=env, options=options, secrets=secrets) as box:
            silent.settimeout(fence.PATIENCE)
            with silent.accept()[0]:
                box.nine("a secret that does not come", None, (0, 0, 0))
                box.runs("a secret that does not come", 1, RETRIES + 1)
                check_equal((box.health()["Status"], box.statuses()), ("starting", []), "Docker's own words")


@case("a run that policy ends is not live while its workload lasts, and Docker calls it unhealthy", beside=True)
def failed():
    health = {"startup": {"deadline": "2s", "checks": [{"name": "up", "http": "{url}/alive", "every": "1s"}]}}
    with Box(health, {"grace": "5m"}) as box:
        box.cells("start-up checks did not pass in time", "failed", (0, 0, 0))
        box.becomes("unhealthy", "start-up checks did not pass in time")
        box.may("end")
        check_equal(box.code(), 107, f"exit code: {box.why()}")


@case("an expired certificate and a full spool are not ready, and live: Docker leaves them alone", beside=True)
def worn():
    certificates = area.folder("certificates")
    said = [{"name": "root", "cn": "root of the table", "ca": True},
            {"name": "web", "cn": "web", "dns": ["web.test"], "issuer": "root", "purposes": ["server"], "to": 15}]
    closed, = peers.free_ports(1)
    ships = shipping(closed)
    del ships["audit"]
    ships["sinks"][0] |= {"classes": ["audit", "log"]}
    certificates_at = ["--volume", f"{certificates}:/certificates:ro", "--tmpfs", "/keys:mode=0755"]
    identity = {"name": "web", "from": {"file": {"certificate": "/certificates/web.pem", "key": "/certificates/web.key"}},
                "ca": "/certificates/root.pem", "files": {"dir": "tls"}}
    subprocess.run([secret_world.PYTHON, AUTHORITY, certificates], input=json.dumps(said).encode(), check=True, timeout=60)
    with Box({}, options=certificates_at, tls={"identities": [identity]},
             secrets={"dir": "/keys/secrets", "refresh": {"interval": "10s", "min-interval": "1s"}}) as expires, \
            Box({"ready-requires": {"spool": "50%"}}, script=TALKS, **ships) as fills:
        expires.cells("a certificate that is good still", "ready", READY)
        for box, row, word in ((expires, "an expired certificate", "expired"), (fills, "a full spool", "spool")):
            box.cells(row, "not-ready", STARTED, word)
            box.runs(row, 0, RETRIES + 1)
            check_equal(box.statuses(), ["healthy"], f"{row}: Docker's own words")
            box.nine(f"{row} still", "not-ready", STARTED)


if __name__ == "__main__":
    laz.main()
