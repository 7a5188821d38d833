# SPDX-License-Identifier: Apache-2.0
"""lazaret gate against targets that answer, badly or not at all; and the how-tos' commands, with an `aws` that gives golden
answers."""
import concurrent.futures
import copy
import email.utils
import http.server
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import time

import laz
import readme
import sinks_peers as peers
from gate_world import CODES, GOLDEN, LAZARET, TOP, Inputs, expect_row, health_moment, rows_of
from health_world import Init
from laz import case, check, check_equal

GREEN = GOLDEN["health-green.json"][0]["health"]
CONFIG = """\
version: 1
inputs: [health]
every: 100ms
consecutive: 3
bake: 1s
min-targets: 1
require: {policy-sha256: %s, mode: enforce, tls-min-days: 14, clock: SYNCHRONIZED}
""" % GREEN["build"]["policy_sha256"]
GATE = "lazaret.health/1"


def document(**changes):
    """What a good green target says now."""
    return json.dumps({**copy.deepcopy(GREEN), "now": health_moment(0), **changes}).encode()


class Target:
    """Answers /healthz as `answer(n)` says for poll number n: bytes (a document), (status, bytes, headers), or None, and
    then it never does."""

    def __init__(self, answer, address=("127.0.0.1", 0), certificate=None):
        self.paths, self.hung, self.n = [], threading.Event(), 0
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                target.paths.append((self.path, dict(self.headers)))
                target.n += 1
                said = answer(target.n - 1)
                if said is None:
                    target.hung.wait()
                    self.close_connection = True
                    return
                status, body, headers = said if isinstance(said, tuple) else (200, said, {})
                self.wfile.write(b"HTTP/1.1 %d x\r\n" % status)
                headers = {"Content-Length": len(body), "Date": email.utils.formatdate(usegmt=True), **headers}
                self.wfile.write("".join(f"{k}: {v}\r\n" for k, v in headers.items() if v is not None).encode() + b"\r\n")
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(address, Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(peers.pki() / f"{certificate}.pem", peers.pki() / f"{certificate}.key")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.hung.set()
        self.server.shutdown()
        self.server.server_close()


def ask(mode, where, more=(), config=CONFIG, timeout="20s", change=lambda _: None):
    inputs = Inputs(lambda f: (f.update({"rollout.yaml": config}), change(f)))
    return inputs.evidence(mode, words=["--config", "rollout.yaml", "--targets", where, "--timeout", timeout, *more])


def ready(_):
    return document()


def poll_states(*words, then="ready"):
    """A target in these states, one for each poll, and then in another one."""
    def answer(n):
        state = words[n] if n < len(words) else then
        return document(state=state, ready=state == "ready")
    return answer


@case("targets that are ready are asked for /healthz until each was good often enough")
def passes():
    with Target(ready) as a, Target(poll_states("starting", "warming", "not_ready")) as b:
        said = ask("promote", f"127.0.0.1:{a.port},127.0.0.1:{b.port}", config=CONFIG.replace("min-targets: 1", "min-targets: 2"))
        check_equal(said["verdict"], "pass", f"{[r for r in said['checks'] if r['result'] != 'skipped']}")
        check_equal([p for p, _ in a.paths], ["/healthz"] * 6, "requests")
        check_equal({h["host"] for _, h in a.paths}, {f"127.0.0.1:{a.port}"}, "hosts")
        expect_row(said, "ready", str(b.port), "pass", "3 good in a row of 6 polls, 0 failures")
        at = [s["at"] for s in said["samples"] if s["target"].endswith(str(a.port))]
        check(len(at) == 6 and at == sorted(set(at)), f"times: {at}")


@case("verify takes at least as long as bake, and fails with the first poll that is bad")
def verify():
    with Target(ready) as a:
        began = time.monotonic()
        check_equal(ask("verify", f"127.0.0.1:{a.port}")["verdict"], "pass", "good")
        check(1.0 <= time.monotonic() - began < 15, "how long it took")
    with Target(poll_states("ready", "ready", "not_ready")) as a:
        said = ask("verify", f"127.0.0.1:{a.port}")
        check_equal((said["verdict"], a.n), ("fail", 3), "a bad poll")


@case("retire looks for as long as bake, and tells connections that still come", beside=True)
def retire():
    def blue(step, age=3600):
        return lambda n: document(net={"established": 0, "passive_opens": 100 + step * n, "last_new_conn_age_s": age})
    quiet = CONFIG + "quiet: 30m\n"
    for step, age, verdict in ((0, 3600, "pass"), (1, 3600, "fail"), (0, 5, "fail"), (0, None, "inconclusive")):
        with Target(blue(step, age)) as a:
            said = ask("retire", f"127.0.0.1:{a.port}", config=quiet, timeout="10m")
            check_equal(said["verdict"], verdict, f"{step} a poll, last {age}: {said['checks']}")


def at_once(function, rows):
    """They wait more than they work."""
    with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
        list(pool.map(function, rows))


def raw(text):
    return lambda n: text


# (what it answers, part of the row, check)
SILENT = [
    ("nothing", lambda n: None, "unreachable: no answer"), ("503", lambda n: (503, document(), {}), "answers 503"),
    ("a redirect", lambda n: (302, b"", {"Location": "/readyz"}), "answers 302"),
    ("nothing of JSON", raw(b"healthy"), "the document:"), ("half of it", lambda n: document()[:300], "the document:"),
    ("less than it says", lambda n: (200, document(), {"Content-Length": 100000, "Connection": "close"}), "unreachable"),
    ("a list", raw(b"[]"), "no object"), ("another schema", lambda n: document(schema="x"), "schema is not"),
    ("2 MB", lambda n: (200, b" " * (2 << 20), {}), "unreachable"),
    ("a key twice", raw(b'{"schema":"lazaret.health/1","state":"ready","ready":false,"ready":true}'), "the document:"),
    ("deep arrays", raw(b"[" * 5000), "the document:"),
]


@case("who does not answer, or answers what is no document, is inconclusive, and the row says why", beside=True)
def silent():
    def one(row):
        name, answer, words = row
        with Target(answer) as a, Target(ready) as b:
            said = ask("promote", f"127.0.0.1:{a.port},127.0.0.1:{b.port}", timeout="5s")
            check_equal(said["verdict"], "inconclusive", f"{name}: {rows_of(said, 'ready')}")
            expect_row(said, "ready", str(a.port), "inconclusive", words)
            expect_row(said, "ready", str(b.port), "pass" if name != "nothing" else "inconclusive")
    at_once(one, SILENT)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        said = ask("promote", f"127.0.0.1:{closed.getsockname()[1]}", timeout="1s", more=("--baseline", "baseline.json"))
        check_equal(said["verdict"], "inconclusive", "nobody listens")
        expect_row(said, "ready", "", "inconclusive", "unreachable: Connection refused")
        expect_row(said, "version", "", "inconclusive", "no document")


@case("a target that flaps fails; who was ready once and then does not answer is inconclusive", beside=True)
def flapping():
    with Target(poll_states("ready", "not_ready")) as a, Target(ready) as b:
        said = ask("promote", f"127.0.0.1:{b.port},127.0.0.1:{a.port}")
        check_equal(said["verdict"], "fail", "flaps")
        expect_row(said, "ready", str(a.port), "fail", "1 failures; last: state not-ready")
    with Target(lambda n: document() if n < 2 else (500, b"", {})) as a:
        check_equal(ask("promote", f"127.0.0.1:{a.port}", timeout="2s")["verdict"], "inconclusive", "falls silent")
    with Target(poll_states("warming", then="warming")) as a:
        check_equal(ask("promote", f"127.0.0.1:{a.port}", timeout="2s")["verdict"], "inconclusive", "never becomes ready")
    with Target(poll_states("warming", "failed")) as a:
        check_equal(ask("promote", f"127.0.0.1:{a.port}")["verdict"], "fail", "has failed")


@case("a fact that is wrong ends the gate with the first poll; a minimal document is inconclusive by name", beside=True)
def facts():
    with Target(lambda n: document(policy={"mode": "observe", "violations": 0})) as a:
        check_equal((ask("promote", f"127.0.0.1:{a.port}")["verdict"], a.n), ("fail", 1), "mode")
    minimal = json.dumps({"schema": GATE, "live": True, "ready": True, "state": "ready", "color": "green", "version": "1.4.2"}).encode()
    with Target(raw(minimal)) as a:
        said = ask("promote", f"127.0.0.1:{a.port}", timeout="10m")  # it ends by itself
        check_equal((said["verdict"], len(said["samples"])), ("inconclusive", 3), "minimal")
        for name in ("policy", "violations", "restarts", "log-dropped", "sinks", "certificates", "clock", "mode"):
            expect_row(said, name, str(a.port), "inconclusive", "it does not say: the document is minimal (health.expose: full in the policy)")
        expect_row(said, "ready", str(a.port), "pass")
        expect_row(said, "clock-skew", str(a.port), "pass")
        some = "version: 1\ninputs: [health]\nevery: 100ms\nconsecutive: 3\nmin-targets: 1\n" \
               "require: {policy-sha256: any, violations: any, restarts: any, log-dropped: any}\n"
        check_equal(ask("promote", f"127.0.0.1:{a.port}", config=some)["verdict"], "pass", "minimal, where that is enough")


@case("a clock that is wrong is named, by the document or by the header", beside=True)
def clocks():
    with Target(lambda n: document(now=health_moment(-95))) as a:
        said = ask("promote", f"127.0.0.1:{a.port}", timeout="2s")
        check_equal(said["verdict"], "inconclusive", "document")
        expect_row(said, "clock-skew", "", "inconclusive", "clock skew: 9")
    old = email.utils.formatdate(time.time() + 3600, usegmt=True)
    without = {k: v for k, v in GREEN.items() if k != "now"}
    with Target(lambda n: (200, json.dumps(without).encode(), {"Date": old})) as a:
        said = ask("promote", f"127.0.0.1:{a.port}", timeout="2s")
        expect_row(said, "clock-skew", "", "inconclusive", "ahead")
    with Target(lambda n: (200, json.dumps(without).encode(), {"Date": None})) as a:
        said = ask("promote", f"127.0.0.1:{a.port}", timeout="2s")
        expect_row(said, "clock-skew", "", "inconclusive", "does not say its time")


@case("over TLS, the certificate has to be of the CA, of the name, and of now", beside=True)
def tls():
    ca = ("--ca", peers.pki() / "ca.pem")
    rows = [("server", ca, "pass", ""), ("server", (*ca, "--server-name", "server.test"), "pass", ""),
            ("server", (*ca, "--server-name", "other.test"), "inconclusive", "unreachable"),
            ("server", ("--ca", peers.pki() / "other.pem"), "inconclusive", "unreachable"),
            ("stranger", ca, "inconclusive", "unreachable"),
            ("expired", (*ca, "--server-name", "server.test"), "inconclusive", "unreachable"),
            ("server", (), "inconclusive", "unreachable"), (None, ca, "inconclusive", "unreachable")]

    def one(row):
        certificate, words, verdict, why = row
        with Target(ready, certificate=certificate) as a:
            said = ask("promote", f"127.0.0.1:{a.port}", more=words, timeout="20s" if verdict == "pass" else "3s")
            check_equal(said["verdict"], verdict, f"{certificate} {words}: {rows_of(said, 'ready')}")
            expect_row(said, "ready", "", verdict, why)
    at_once(one, rows)


@case("a name is asked at each of its addresses, and one that there is not is inconclusive", beside=True)
def names():
    with Target(ready) as a:
        inputs = Inputs(lambda f: f.update({"rollout.yaml": CONFIG}))
        said = inputs.evidence("promote", words=["--config", "rollout.yaml", "--dns", f"localhost:{a.port}", "--timeout", "20s"])
        targets = {s["target"] for s in said["samples"]}
        check(f"127.0.0.1:{a.port}" in targets, f"targets: {targets}")
        said = inputs.evidence("promote", words=["--config", "rollout.yaml", "--dns", f"127.0.0.1:{a.port}"])
        check_equal(said["verdict"], "pass", "an address")
        said = inputs.evidence("promote", words=["--config", "rollout.yaml", "--dns", "nobody.invalid:1", "--timeout", "20s"])
        check_equal(said["verdict"], "inconclusive", "no such name")
        expect_row(said, "number", "", "inconclusive", "there is no target")


HOSTS = """\
127.0.0.2 dual.test
127.0.0.3 dual.test
::1 dual.test
fd00::1 dual.test
127.0.0.2 mixed.test
127.0.0.3 mixed.test
::1 mixed.test
""" + "".join(f"127.0.1.{n} {name}.test\n" for name, last in (("most", 16), ("many", 17)) for n in range(1, last + 1))
# (name, verdict, how many are asked, what the row `missing` says)
FAMILIES = [("dual", "pass", 2, ""), ("most", "pass", 16, ""),
            ("mixed", "inconclusive", 3, "the name has 2 addresses of IPv4 and 1 of IPv6, and some may be of one host"),
            ("many", "inconclusive", 16, "the name has more than 16 addresses: say all of them by --targets")]


@case("a host of two families is one target; a name that does not show all of its hosts is inconclusive", beside=True)
def families():
    hosts = TOP / "hosts"
    hosts.write_text(HOSTS)
    with Target(ready, ("0.0.0.0", 0)) as a:
        inputs = Inputs(lambda f: f.update({"rollout.yaml": CONFIG}))
        for name, verdict, number, words in FAMILIES:
            done = subprocess.run(["unshare", "-m", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "-", LAZARET, "gate",
                                   "promote", "--config", "rollout.yaml", "--dns", f"{name}.test:{a.port}", "--timeout", "20s",
                                   "--format", "json"], cwd=inputs.folder, capture_output=True, text=True, check=False, timeout=120)
            said = json.loads(done.stdout)
            check_equal(len({s["target"] for s in said["samples"]}), number, f"{name}: targets")
            check_equal([r["observed"].startswith(words) for r in rows_of(said, "missing")], [True] if words else [], f"{name}: {said['checks']}")
            check_equal((said["verdict"], done.returncode), (verdict, CODES[verdict]), name)


@case("with evidence that can never pass, the gate asks once around and does not wait for its time to be over")
def hopeless():
    with Target(ready) as a:
        began = time.monotonic()
        said = ask("promote", f"127.0.0.1:{a.port}", timeout="10m", config=CONFIG.replace("[health]", "[health, tasks]"))
        check_equal(said["verdict"], "inconclusive", "without tasks")
        check(time.monotonic() - began < 60, "how long it took")
        check_equal(len(said["samples"]), 3, "samples")


def without(*keys, **changes):
    return lambda n: json.dumps({k: v for k, v in json.loads(document(**changes)).items() if k not in keys}).encode()


@case("where only such rows are open that no further poll changes, the gate ends with consecutive; who may still become good is waited for", beside=True)
def settled():
    for answer, name, words in ((without(tls=[]), "certificates", "it has no certificate: leave tls-min-days out"),
                                (without("ecs"), "clock", "it is not on ECS")):
        with Target(answer) as a:
            said = ask("promote", f"127.0.0.1:{a.port}", timeout="10m")
            check_equal((said["verdict"], a.n), ("inconclusive", 3), f"{name}: {said['checks']}")
            expect_row(said, name, str(a.port), "inconclusive", words)
    with Target(lambda n: document() if n > 5 else without("logs")(n)) as a:  # a report that comes late
        said = ask("promote", f"127.0.0.1:{a.port}", timeout="10m")
        check_equal((said["verdict"], a.n), ("pass", 7), f"sinks: {said['checks']}")
    with Target(without("ecs")) as a, Target(poll_states("warming", "warming", "warming", "warming")) as b:
        said = ask("promote", f"127.0.0.1:{a.port},127.0.0.1:{b.port}", timeout="10m")
        check_equal((said["verdict"], b.n), ("inconclusive", 7), "one that still starts")
    with Target(lambda n: document(app={"restarts": 0, "helper_restarts": min(n, 1)},
                                   net={"established": 0, "passive_opens": 8 * min(n, 1), "last_new_conn_age_s": 3600})) as a:
        said = ask("retire", f"127.0.0.1:{a.port}", timeout="10m")
        check_equal((said["verdict"], a.n), ("inconclusive", 2), "a count that begins anew")
        expect_row(said, "accepted", "", "inconclusive", "helper_restarts 0, then 1")
    for net, name, words in (({"established": 0}, "accepted", "it does not say: it cannot count"),
                             ({"established": 0, "passive_opens": 8}, "last-connection", "none has come since the helper began")):
        with Target(lambda n: document(net=net)) as a:
            said = ask("retire", f"127.0.0.1:{a.port}", timeout="10m")
            check(said["verdict"] == "inconclusive" and a.n < 20, f"{name}: {a.n} polls: {said['checks']}")
            expect_row(said, name, "", "inconclusive", words)
    with Target(ready) as a:
        said = ask("promote", f"127.0.0.1:{a.port}", more=("--tasks", "tasks.json"), timeout="10m")
        check_equal((said["verdict"], a.n), ("inconclusive", 3), f"a task that is not asked: {said['checks']}")
        expect_row(said, "missing", "", "inconclusive", "1 were asked, and there are 2")
    with Target(ready) as a, Target(ready) as b:
        said = ask("promote", f"127.0.0.1:{a.port},127.0.0.1:{b.port}", timeout="10m", more=("--tasks", "tasks.json", "--target-health", "targets-green.json"),
                   change=lambda f: f["targets-green.json"]["TargetHealthDescriptions"].pop())
        check_equal((said["verdict"], a.n), ("inconclusive", 3), f"a task that is not registered: {said['checks']}")
        expect_row(said, "registered", "", "inconclusive", "1 of 2")
    with Target(ready) as a:
        said = ask("promote", f"127.0.0.1:{a.port}", more=("--baseline", "baseline.json"), timeout="10m", change=lambda f: f["baseline.json"].pop("version"))
        check_equal((said["verdict"], a.n), ("inconclusive", 3), f"a baseline without a version: {said['checks']}")
        expect_row(said, "version", "", "inconclusive", "the baseline does not say")


@case("while the gate waits, standard error has a line where something has changed, and no line more", beside=True)
def progress():
    with Target(poll_states("starting", *["warming"] * 8)) as a:
        inputs = Inputs(lambda f: f.update({"rollout.yaml": CONFIG}))
        done = inputs.run("promote", ["--config", "rollout.yaml", "--targets", f"127.0.0.1:{a.port}"], expect=0)
        lines = done.stderr.splitlines()
        words = [line.split("; last: ")[1] for line in lines]
        check_equal(words, ["state starting, not ready", "state warming, not ready", "state ready"], f"progress: {lines}")
        check(all(line.startswith("gate promote: after ") and f" 1 open: ready 127.0.0.1:{a.port}: " in line for line in lines), f"{lines}")
        check("after" not in done.stdout, f"what is printed is the result alone: {done.stdout}")


@case("what the role health really answers passes each gate, a minimal one is inconclusive, and a drain fails", beside=True)
def role():
    config = CONFIG.replace(GREEN["build"]["policy_sha256"], "ab" * 32)
    with Init(full=True, items=["cert"], identity="server") as init, Init() as minimal:
        for one in (init, minimal):
            one.status("RUNNING", items=[("good", int(time.time()) + 40 * 86400)] if one is init else [])
            one.gauges(ecs={"clock": "SYNCHRONIZED", "image_id": "sha256:" + "cd" * 32},
                       logs=[{"sink": "trail", "required": True, "up": True, "behind_bytes": 0, "dropped": 0, "last_ack_age_s": 1}])
            one.wait_state("ready")
        where, over = f"127.0.0.1:{init.port}", ("--ca", peers.pki() / "ca.pem")
        for mode in ("promote", "verify"):
            said = ask(mode, where, more=over, config=config)
            check_equal(said["verdict"], "pass", f"{mode}: {[r for r in said['checks'] if r['result'] not in ('pass', 'skipped')]}")
        said = ask("retire", where, more=over, config=config, timeout="4s")
        expect_row(said, "accepted", "", "pass", "0 in")  # the gate's own polls are no connections of clients
        expect_row(said, "last-connection", "", "inconclusive", "none has come since the helper began")
        said = ask("promote", f"127.0.0.1:{minimal.port}", config=config, timeout="3s")
        check_equal(said["verdict"], "inconclusive", "minimal")
        expect_row(said, "ready", "", "pass")
        expect_row(said, "policy", "", "inconclusive", "it does not say")
        init.status("RUNNING", denied=1)
        said = ask("promote", where, more=over, config=config)
        check_equal(said["verdict"], "fail", "a refused call")
        expect_row(said, "violations", "", "fail", "1")
        init.status("LB_GRACE", denied=0)
        init.wait_state("draining")
        said = ask("promote", where, more=over, config=config)
        expect_row(said, "ready", "", "fail", "state draining")


# ---- The how-tos -------------------------------------------------------------------------------------

FAKE_AWS = """#!%s
import json, os, pathlib, sys
words = sys.argv[1:]
open("calls", "a").write(" ".join(words) + "\\n")
name = words[1]
of = " ".join(words)
file = {"list-tasks": None, "describe-tasks": "tasks.json", "describe-rules": os.environ["RULES"],
        "describe-target-health": "targets-green.json" if "portal-green" in of else "targets-blue.json",
        "get-task-protection": "protection.json", "describe-environment-health": "eb-health.json",
        "describe-volumes": "volumes.json", "describe-instances": "instances.json", "describe-listeners": "listeners.json",
        "describe-target-groups": None, "describe-load-balancers": None, "describe-environments": None}[name]
data = pathlib.Path(os.environ["GOLDEN"])
colour = "blue" if "portal-blue" in of else "green"
group = {"green": "portal-green/0123456789abcdef", "blue": "portal-blue/fedcba9876543210"}[colour]
text = json.dumps({"taskArns": [f"arn:portal-{colour}/1", f"arn:portal-{colour}/2"],
                   "TargetGroups": [{"TargetGroupArn": "arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/" + group}],
                   "LoadBalancers": [{"LoadBalancerArn": "arn:balancer"}], "Environments": [{"Status": "Ready"}]}) if file is None else (data / file).read_text()
if colour == "blue" and file in ("tasks.json", "instances.json"):
    text = text.replace("10.0.2.", "10.0.1.")
if name == "describe-rules" and not words[words.index("--listener-arn") + 1].startswith("arn:"):
    sys.exit("no such listener: " + of)
if name == "describe-target-health" and ":targetgroup/portal-" not in of or name == "describe-volumes" and "Values=i-" not in of:
    sys.exit("no such thing: " + of)
if "--query" in words:
    import jmespath
    found = jmespath.search(words[words.index("--query") + 1], json.loads(text))
    text = found if isinstance(found, str) else "\\t".join(found)
print(text)
"""


def run_page(name):
    """Every block of a how-to, in order, against targets at the golden addresses; the gates' verdicts."""
    page = laz.ROOT / "docs" / "how-to" / name
    folder = Inputs().folder
    binaries = TOP / "aws"
    binaries.mkdir(exist_ok=True)
    (binaries / "aws").write_text(FAKE_AWS % sys.executable)
    (binaries / "aws").chmod(0o755)
    configs = [b.text for b in readme.blocks(page) if b.kind == "yaml rollout"]
    work = folder / "work"
    work.mkdir()
    for file, text in zip(("rollout.yaml", "retire.yaml"), configs, strict=True):
        (work / file).write_text(text.replace("every: 5s", "every: 100ms").replace("bake: 60s", "bake: 1s"))
    # Each block in a shell of its own, which knows nothing but the files that the page says to write.
    environment = dict(os.environ, PATH=f"{binaries}:{LAZARET.parent}:{os.environ['PATH']}", GOLDEN=str(folder))
    names, *blocks = [b.text for b in readme.blocks(page) if b.kind == "sh gate"]
    (work / "names.sh").write_text(names)
    verdicts = []
    for number, text in enumerate(blocks):
        environment["RULES"] = "rules-before.json" if number == 0 else "rules-after.json"
        done = subprocess.run(["sh", "-u", "-c", text], cwd=work, env=environment, capture_output=True, text=True,
                              check=False, timeout=120)
        verdicts.append((done.returncode, done.stdout[-300:] + done.stderr))
    for mode, colour in (("promote", "2"), ("verify", "2"), ("retire", "1")):
        asked = {s["target"] for s in json.loads((work / f"{mode}.json").read_text())["samples"]}
        check_equal(asked, {f"10.0.{colour}.100:9100", f"10.0.{colour}.101:9100"}, f"{name}: targets of {mode}")
    said = json.loads((work / "promote.json").read_text())
    check(rows_of(said, "version"), f"{name}: the version is not judged")
    return verdicts, work


@case("the how-tos' commands pass with the golden answers, and each of their gates sees a target that is bad", beside=True)
def howtos():
    for address in ("10.0.2.100", "10.0.2.101", "10.0.1.100", "10.0.1.101"):
        subprocess.run(["ip", "addr", "add", address + "/32", "dev", "lo"], check=False, capture_output=True)
    bad = {"on": False}

    def green(_):
        return document(state="failed" if bad["on"] else "ready", ready=not bad["on"])

    def blue(_):
        net = {"established": 0, "passive_opens": 5, "last_new_conn_age_s": 5 if bad["on"] else 90000}
        return document(version="1.4.1", color="blue", net=net)
    with Target(green, ("10.0.2.100", 9100)), Target(green, ("10.0.2.101", 9100)), Target(blue, ("10.0.1.100", 9100)), \
            Target(blue, ("10.0.1.101", 9100)):
        for name in ("blue-green-ecs.md", "blue-green-beanstalk.md"):
            bad["on"] = False
            verdicts, work = run_page(name)
            check_equal([code for code, _ in verdicts], [0, 0, 0], f"{name}: {verdicts}")
            for mode in ("promote", "verify", "stands", "retire"):
                check_equal(json.loads((work / f"{mode}.json").read_text())["verdict"], "pass", f"{name}: {mode}")
                check((work / f"{mode}.xml").exists(), f"{name}: {mode}.xml")
            polls, stands = (json.loads((work / f"{mode}.json").read_text()) for mode in ("verify", "stands"))
            asked = {i["input"]: i["modified"] for i in stands["inputs"] if i["input"] not in ("health", "baseline")}
            check(len(asked) > 1 and min(asked.values()) >= polls["ended"], f"{name}: of before the traffic: {asked}, {polls['ended']}")
            check_equal(len(stands["samples"]), len(polls["samples"]), f"{name}: polls")
            bad["on"] = True
            verdicts, _ = run_page(name)
            check_equal([code for code, _ in verdicts], [10, 10, 10], f"{name}, with bad targets: {verdicts}")


laz.main()
