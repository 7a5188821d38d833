# SPDX-License-Identifier: Apache-2.0
"""The role health on its own: three answers, by three ways, in every state of a run; and whoever tries to change one.
Init, balancers, probes and workloads are this suite; the helper is the real one, confined as it is in a container."""
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import fence
import health_world as world
import jsonschema
import laz
import sinks_peers as peers
import tunnel_world as tunnels
from health_world import Init, Workload
from laz import case, check, check_equal

SCHEMA = jsonschema.Draft202012Validator(json.loads((laz.ROOT / "policies/health-1.schema.json").read_text()))
PATHS = {"/livez": (b"l", "live"), "/readyz": (b"r", "ready"), "/startupz": (b"s", "started")}
SEATS = 64
RESTS = 100  # wakings in 2 s, and no more, of who rests; who polls each millisecond has 1,500

# phase and what else init says; state, live, ready, started
STATES = [
    ("init", "SETUP", {}, "init", 1, 0, 0),
    ("starting", "STARTING", {}, "starting", 1, 0, 0),
    ("running", "RUNNING", {}, "ready", 1, 1, 1),
    ("not fit", "RUNNING", {"mode": 1}, "not-ready", 1, 0, 1),
    ("an item is stale", "RUNNING", {"items": (("stale", 0),)}, "not-ready", 1, 0, 1),
    ("an item has expired", "RUNNING", {"items": (("expired", 1),)}, "not-ready", 1, 0, 1),
    ("a certificate ends soon", "RUNNING", {"items": (("good", int(time.time()) + 3600),)}, "not-ready", 1, 0, 1),
    ("lb-grace", "LB_GRACE", {}, "draining", 1, 0, 1),
    ("stopping", "STOPPING", {}, "stopping", 1, 0, 1),
    ("killing", "KILLING", {}, "stopping", 1, 0, 1),
    ("flushing", "FLUSHING", {}, "exited", 1, 0, 1),
    ("ended by itself", "DRAINING", {"asked": False}, "exited", 0, 0, 1),
    ("ended by policy", "STOPPING", {"forced_code": 105}, "failed", 0, 0, 1),
]


def document(body):
    found = json.loads(body)
    errors = [e.message for e in SCHEMA.iter_errors(found)]
    check_equal(errors, [], f"against the schema: {found}")
    return found


@case("in every state each way says the same of live, ready and started")
def truth_table():
    for name, phase, more, state, *wanted in STATES:
        with Init(enforce=True, certificate_s=86400, items=["cert"]) as init:
            if phase not in ("SETUP", "STARTING"):
                init.status("RUNNING")
                init.wait_state("ready")
            init.status(phase, **more)
            init.wait(lambda: init.verdicts and init.verdicts[-1][:4] == (*map(bool, wanted), state), f"{name}: {state} {wanted}")
            for (path, (byte, key)), is_fine in zip(PATHS.items(), wanted):
                for way, ask in (("tcp", init.tcp), ("unix", init.unix)):
                    status, headers, body = ask(path)
                    said = json.loads(body)
                    what = f"{name}: {way} {path}: {said}"
                    check_equal((status, said[key], said["state"]), (200 if is_fine else 503, bool(is_fine), state), what)
                    check_equal((said["color"], said["version"]), ("green", "1.4.2"), what)
                    check_equal((headers["Connection"], headers["Cache-Control"], "Date" in headers), ("close", "no-store", True), what)
                    check_equal(("Retry-After" in headers, "reason" in said), (not is_fine,) * 2, what)
                verdict, line = init.probe(byte)
                check_equal(verdict, "0" if is_fine else "1", f"{name}: probe {byte}: {line}")
                check(re.fullmatch(r"[ -~]{1,990}", line) and f"state={state}" in line, f"{name}: {line!r}")
                check(line.startswith(key if is_fine else f"not {key}"), f"{name}: the worst comes first: {line!r}")
            found = document(init.unix("/healthz")[2])
            check_equal((found["state"], found["live"], found["ready"], found["started"]), (state, *map(bool, wanted)), name)


@case("readiness is off before anything else happens, and says for how long")
def off_at_once():
    with Init(lb=(20000, 3000, 2000, 2)) as init:
        init.status("RUNNING")
        init.wait_state("ready")
        init.status("LB_GRACE")
        status, headers, body = init.tcp("/readyz")  # behind the order: it is never seen as ready again
        said = json.loads(body)
        check_equal((status, said["reason"], headers["Retry-After"]), (503, "SIGTERM", "10"), said)
        check(0 <= said["drain_elapsed_ms"] < 20000 and said["retry_after_s"] == 10, said)


@case("everything is for root and init's user; others, and TCP, get the short document")
def full_document():
    canary = "itemCANARY"
    with Init(items=[canary], checks=[{"name": "checkCANARY", "list": "live", "exec": 3}]) as init, Init(full=True) as open_one:
        for one in (init, open_one):
            one.status("RUNNING", items=(("good", int(time.time()) + 40 * 86400 + 60),), denied=5, degraded=1)
            one.gauges(ecs={"az": "us-west-2d", "revision": "24"}, spool={"used": 5, "limit": 10, "full": False},
                       logs=[{"sink": "sinkCANARY", "required": True, "up": True, "behind_bytes": 9, "dropped": 2, "last_ack_age_s": 1}])
            one.wait_state("ready")
        found = document(init.unix("/healthz")[2])
        check_equal((found["tls"][0]["name"], found["tls"][0]["days_left"], found["policy"]["violations"]), (canary, 40, 5), found)
        check_equal((found["ecs"], found["spool"]["used"]), ({"az": "us-west-2d", "revision": "24"}, 5), found)
        check_equal(found["logs"], [{"sink": "sinkCANARY", "required": True, "up": True, "backlog_bytes": 9, "dropped": 2,
                                     "last_ack_age_s": 1}], "logs")
        check_equal(found["policy"]["degraded"], ["events-absent"], "degraded")
        check_equal((found["build"]["policy"], found["build"]["policy_sha256"]), ("portal", "ab" * 32), "build")
        check("net" in found and found["checks"][0]["name"] == "checkCANARY", found)
        for who, body in (("nobody", init.unix("/healthz", uid=65534)[2]), ("the workload", init.unix("/healthz", uid=10001)[2]),
                          ("tcp", init.tcp("/healthz")[2]), ("metrics by tcp", init.tcp("/metrics")[2]),
                          ("metrics for nobody", init.unix("/metrics", uid=65534)[2])):
            check(b"CANARY" not in body and b"ab" * 32 not in body and b"us-west" not in body, f"{who}: {body}")
            if "metrics" not in who:
                check(re.fullmatch(r"[0-9T:-]+Z", document(body)["since"]), f"since is known to the second: {document(body)['since']}")
                check_equal(set(document(body)) - {"uptime_s"}, {"schema", "state", "live", "ready", "started", "since", "now", "color",
                                                                 "version"}, who)
        check("net" in document(open_one.tcp("/healthz")[2]), "expose: full")
        metrics(init.unix("/metrics")[2].decode(), ("lazaret_tls_not_after_timestamp_seconds", "lazaret_sink_up", "lazaret_ecs_info"))


def metrics(text, wanted):
    """Prometheus' text format, by its grammar: each family has its head once, and its samples behind it."""
    families, seen = {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            check(name not in families and kind in ("gauge", "counter"), line)
            families[name] = kind
        elif not line.startswith("# HELP "):
            match = re.fullmatch(r'([a-z_0-9]+)(\{(?:[a-z_0-9]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? [0-9]+(\.[0-9]+)?', line)
            check(match and match[1] == list(families)[-1], f"{line!r} in {list(families)[-1:]}")
            check(line.rpartition(" ")[0] not in seen, f"twice: {line}")
            seen.add(line.rpartition(" ")[0])
            check_equal(match[1].endswith("_total"), families[match[1]] == "counter", line)
    check(set(wanted) <= set(families), f"{wanted} of {sorted(families)}")


@case("only two methods and five paths; heads and bodies have ceilings")
def requests():
    with Init() as init:
        init.status("RUNNING")
        init.wait_state("ready")
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            status, headers, _ = init.unix("/readyz", method)
            check_equal((status, headers["Allow"]), (405, "GET, HEAD"), method)
        status, headers, body = init.tcp("/readyz", "HEAD")
        check_equal((status, body), (200, b""), "HEAD")
        for path in ("/", "/readyz/", "/livez/../readyz", "/healthz%00", "//readyz"):
            check_equal(init.tcp(path)[0], 404, path)
        check_equal(init.tcp("/readyz?a=b#c")[0], 200, "a query changes nothing")
        check(init.tcp("/readyz", headers={"X": "a" * 20000})[0] in (400, 413), "a long head")
        for raw in (b"POST /readyz HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"a" * 100000,
                    b"POST /readyz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n" + b"a" * 1000,
                    b"BREW /readyz HTTP/1.1\r\n\r\n", b"\0" * 5000, b"GET /readyz HTTP/9.9\r\n\r\n", b"GET\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", init.port), 30) as plain, contextlib.suppress(OSError):
                plain.sendall(raw)
                plain.shutdown(socket.SHUT_WR)
                check(b" 200 " not in plain.recv(300), f"{raw[:60]}")
        for packet in (b"", b"x", b"ll", b"\0", b"r" * 500):
            if packet:
                check_equal(init.probe(packet), ("", ""), f"probe {packet[:9]}")
        check_equal(init.probe()[0], "0", "and it goes on")


@case("the port is there for a successor, and nobody else's meanwhile")
def successor():
    with Init() as first:
        first.wait_word("LISTENER")
        first.status("RUNNING")
        first.wait_state("ready")
        with socket.socket(fileno=os.dup(first.kept[0])) as listener:
            first.process.kill()
            first.process.wait()
            with contextlib.suppress(OSError), socket.socket() as thief:
                thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                thief.bind(("127.0.0.1", first.port))
                raise laz.Failed("the port could be taken")
            waits = socket.create_connection(("127.0.0.1", first.port), 30)  # for whoever comes
            waits.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
            with Init(listener=listener) as second:
                check("LISTENER" not in second.words, "made again")
                second.status("RUNNING")
                second.wait_state("ready")
                check(b" 200 " in waits.recv(1000), "the one that waited")
        first.process = second.process  # its end is known
        first.code = 0


@case("what init does not say in words that fit ends the helper by name")
def forged():
    good = b"\2" + b"\0" * 86
    for word, fields, fds in (("STATUS", b"", 0), ("STATUS", b"\x63" + good[1:], 0), ("STATUS", good + b"\0", 0),
                              ("CHECKED", b"\0", 0), ("VARIABLE", b"\0A\0", 0), ("CONFIG", b"\1", 0),
                              ("LISTEN", b"\0\0\0\0", 1), ("IDENTITY", b"\0\0\0\0", 2), ("DONE", b"", 0), ("READY", b"\0", 0)):
        init = Init()
        init.wait_word("READY")
        with open("/dev/null", "rb") as null:
            init.say(word, fields, *[null.fileno()] * fds)
        init.wait_word("END")
        init.end()
        check(init.code == 1 and init.error is not None and init.error[0] in ("INTERNAL", "IMAGE_CORRUPT"), f"{word}: {init.code} {init.error}")
    with Init() as init:  # what ship wrote may be anything: it changes nothing, and ends nobody
        init.status("RUNNING")
        init.wait_state("ready")
        now = bytes(4)
        for bad in (now + b"{nonsense\0", now + b"no end", now + b"{}\0behind", b"", b"\0", now + b'{"logs":[{}]}\0'):
            init.say("GAUGED", bad)
        check_equal(init.tcp("/readyz")[0], 200, "after nonsense of ship's")
        check(b"lazaret_gauges_refused_total 6\n" in init.unix("/metrics")[2], "counted")
    init = Init()
    init.wait_word("READY")
    init.ours.shutdown(socket.SHUT_RDWR)
    check_equal(init.process.wait(timeout=30), 0, "without init it ends")
    init.end()


def wakings(pid):
    return int(re.search(r"^voluntary_ctxt_switches:\t(\d+)$", open(f"/proc/{pid}/status", encoding="ascii").read(), re.M)[1])


def check_rests(names, when):
    before = {pid: wakings(pid) for pid in names}
    time.sleep(2)
    seen = {name: wakings(pid) - before[pid] for pid, name in names.items()}
    check(max(seen.values()) <= RESTS, f"{when}: wakings in 2 s: {seen}")


@case("an init that does not answer is not live, until it does", beside=True)
def dead_init():
    with Init() as init:
        init.status("RUNNING")
        init.wait_state("ready")
        with init.lock:
            init.answers = False
            before = init.asks
        init.wait(lambda: init.asks >= before + 2, "questions go on")
        check_equal(init.tcp("/livez")[0], 200, "not at once")
        init.wait_state("ready", "init does not answer")
        status, _, body = init.tcp("/livez")
        check_equal((status, json.loads(body)["reason"], init.probe()[0]), (503, "init does not answer", "1"), body)
        check_rests({init.process.pid: "health"}, "while nobody answers")
        with init.lock:
            init.answers = True
        init.wait_state("ready", "")
        check_equal(init.tcp("/livez")[0], 200, "it does again")
        check_rests({init.process.pid: "health"}, "it is answered")
        before = wakings(init.process.pid)
        for _ in range(5 * RESTS):
            init.probe()
        check(wakings(init.process.pid) - before > RESTS, "control: who is woken is counted")


def livez(port):
    return world.exchange(http.client.HTTPConnection("127.0.0.1", port, timeout=30), "GET", "/livez", None)[0]


@case("while init is stopped, and when it goes on, none of its helpers polls", beside=True)
def stopped_init():
    port, = peers.free_ports(1)
    with Workload() as app:
        one = tunnels.World(
            connect=[{"name": "far", "to": f"127.0.0.1:{app.port}"}],
            changes={"sense": {"interval": "10s"}, "health": {"listen": f"127.0.0.1:{port}", "ready": {"checks": [
                {"name": "web", "http": f"http://127.0.0.1:{app.port}/", "every": "2s"}]}}})
        with one.start() as here:
            names = {pid: fence.comm(pid) for pid in here.run.children() if fence.comm(pid).startswith("lazaret-")}
            check({"lazaret-health", "lazaret-ship", "lazaret-sense", "lazaret-tunnel"} <= set(names.values()), names)
            os.kill(here.run.pid, signal.SIGSTOP)
            peers.wait_until(lambda: livez(port) == 503, "init does not answer", seconds=60)
            check_rests(names, "while init is stopped")
            os.kill(here.run.pid, signal.SIGCONT)
            peers.wait_until(lambda: livez(port) == 200, "it answers again", seconds=30)
            check_rests(names, "when init goes on")
            here.run.kill(fence.TERM)
            check_equal(here.run.wait(30).code, 143, "exit code")


@case("checks pass and fail by what they find, and say what it was")
def checks():
    closed, = peers.free_ports(1)
    with Workload() as app, Workload(name="server") as tls:
        rows = {"tcp": {"tcp": ("127.0.0.1", app.port)}, "closed": {"tcp": ("127.0.0.1", closed)},
                "name": {"tcp": ("localhost", app.port)},
                "http": {"http": ("127.0.0.1", app.port), "path": "/health?a=b"},
                "moved": {"http": ("127.0.0.1", app.port), "expect": (300, 399)},
                "https": {"http": ("127.0.0.1", tls.port), "ca": str(peers.pki() / "ca.pem"), "server-name": "server.test"},
                "other-ca": {"http": ("127.0.0.1", tls.port), "ca": str(peers.pki() / "other.pem"), "server-name": "server.test"},
                "other-name": {"http": ("127.0.0.1", tls.port), "ca": str(peers.pki() / "ca.pem"), "server-name": "else.test"},
                "plain": {"http": ("127.0.0.1", tls.port)}}
        with Init(checks=[{"name": n, "list": "live", "timeout": 900, **row} for n, row in rows.items()], live_fall=1) as init:
            init.status("RUNNING")

            def found():
                return {c["name"]: c for c in document(init.unix("/healthz")[2])["checks"]}
            peers.wait_until(lambda: all("ms" in c for c in found().values()), "every check", found, 30)
            wanted = {"tcp": "", "closed": "Connection refused", "name": "", "http": "", "moved": "status 200, not 300-399", "https": "",
                      "other-ca": "certificate", "other-name": "hostname mismatch", "plain": "peer"}
            for name, why in wanted.items():
                one = found()[name]
                check_equal(one["ok"], why == "", f"{name}: {one}")
                check(why in one.get("why", ""), f"{name}: {one}")
            check_equal(init.verdicts[-1][:2] + init.verdicts[-1][4:], (False, False, "check:closed"), "the first one that is down")
        path, headers = next((p, h) for p, h in app.seen if p.startswith("/health"))
        check_equal((path, headers["Host"], headers["Connection"]), ("/health?a=b", f"127.0.0.1:{app.port}", "close"), "the request")
        check(headers["User-Agent"].startswith("lazaret-health/"), headers)


@contextlib.contextmanager
def grpc_server(*words):
    """A real one, and its port."""
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "/usr/bin/python3", laz.ROOT / "tests/e2e/grpc_server.py", *words],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@case("a real server of gRPC serves, does not, is slow, or has no such service")
def grpc():
    with grpc_server() as port, grpc_server("without") as other, Workload() as app:
        rows = {"whole": (port, "", ""), "one": (port, "portal.v1", ""), "down": (port, "down", "not serving: status 2"),
                "absent": (port, "absent", "no health status: is the service there?"), "slow": (port, "slow", "no answer in 900 ms"),
                "without": (other, "", "no health status: is the service there?"), "web": (app.port, "", "the answer is not gRPC")}
        checks = [{"name": n, "list": "live", "grpc": ("127.0.0.1", where), "service": service, "timeout": 900, "every": 2000}
                  for n, (where, service, _) in rows.items()]
        with Init(checks=checks, live_fall=1) as init:
            init.status("RUNNING")

            def found():
                return {c["name"]: c for c in document(init.unix("/healthz")[2])["checks"]}
            peers.wait_until(lambda: all("ms" in c for c in found().values()), "every check", found, 30)
            for name, (_, _, why) in rows.items():
                check_equal((found()[name]["ok"], found()[name].get("why", "")), (why == "", why), name)


@case("a check that hangs has failed at its time-out, holds up no other, and is asked again", beside=True)
def hung():
    with Workload() as app, Workload() as good:
        app.delay = 600
        with Init(checks=[{"name": "hangs", "list": "ready", "http": ("127.0.0.1", app.port), "timeout": 300},
                          {"name": "good", "list": "ready", "http": ("127.0.0.1", good.port)}]) as init:
            init.status("RUNNING")
            init.wait_state("not-ready", "check:hangs")
            peers.wait_until(lambda: len(good.seen) >= 3 and len(app.seen) >= 2, "more questions", lambda: (good.seen, app.seen), 30)
            one = next(c for c in document(init.unix("/healthz")[2])["checks"] if c["name"] == "hangs")
            check(one["why"] == "no answer in 300 ms" and one["ms"] >= 300, one)
            app.delay = 0
            init.wait_state("ready", "")
            app.raw = b"SSH-2.0-x\r\n"
            init.wait_state("not-ready", "check:hangs")
            app.raw = b""
            app.status = 204
            init.wait_word("VERDICT")


@case("commands are asked for by number, one at a time, and cancelled when their time is over", beside=True)
def commands():
    with Init(checks=[{"name": "run", "list": "live", "exec": 5}], live_fall=1) as init:
        init.status("RUNNING")
        init.wait(lambda: init.runs.get("CHECK") == [5], "CHECK 5")
        init.wait(lambda: init.runs.get("CANCEL") == [5], "CANCEL 5")
        init.wait_state("ready", "check:run")
        time.sleep(1.2)  # longer than `every`: it runs still, and is not started again
        check_equal(init.runs["CHECK"], [5], "one at a time")
        init.checked(5, 9)  # killed, as asked
        init.wait(lambda: init.runs["CHECK"] == [5, 5], "again")
        init.checked(5, 0)
        init.wait_state("ready", "")
        for status, why in ((256, "exit code 1"), (109 << 8, "exit code 109: not confined"), (11, "ended by signal 11"), (-2, "it cannot be run: No such file or directory")):
            count = len(init.runs["CHECK"])
            init.wait(lambda: len(init.runs["CHECK"]) > count, "CHECK")
            init.checked(5, status)
            init.wait_state("ready", "check:run")
            check_equal(document(init.unix("/healthz")[2])["checks"][0]["why"], why, status)
            count = len(init.runs["CHECK"])
            init.wait(lambda: len(init.runs["CHECK"]) > count, "CHECK")
            init.checked(5, 0)
            init.wait_state("ready", "")
        init.checked(4, 256)  # nobody asked
        init.status("STOPPING")
        init.wait_state("stopping")


@case("a command that cannot be killed fails anew each time that it were to run again", beside=True)
def stuck():
    for name, fall in (("ready", {"fall": 3}), ("live", {"live_fall": 3})):
        with Init(checks=[{"name": "run", "list": name, "exec": 5}], **fall) as init:
            init.status("RUNNING")
            init.wait(lambda init=init: init.runs.get("CHECK") == [5], "CHECK 5")
            init.checked(5, 0)
            init.wait_state("ready", "")
            init.wait(lambda init=init: len(init.runs["CHECK"]) == 2, "again")
            init.wait_state("ready" if name == "live" else "not-ready", "check:run")  # and its end never comes
            check_equal(init.runs["CHECK"], [5, 5], f"{name}: one at a time")
            check(len(init.runs["CANCEL"]) >= 3, f"{name}: {init.runs}")
            one, = document(init.unix("/healthz")[2])["checks"]
            check_equal((one["ok"], one["why"]), (False, "the last run has not ended"), name)
            init.checked(5, 9)
            init.wait(lambda init=init: len(init.runs["CHECK"]) == 3, "it has ended, and is asked again")
            init.checked(5, 0)
            init.wait_state("ready", "")


@case("start-up checks end warming once, and their deadline is said once")
def startup():
    port, = peers.free_ports(1)
    with Init(checks=[{"name": "port", "list": "startup", "tcp": ("127.0.0.1", port)}], deadline=1500) as init:
        init.status("RUNNING")
        init.wait_state("warming", "check:port")
        check_equal([init.tcp(p)[0] for p in PATHS], [200, 503, 503], "while it warms up")
        init.wait_word("OVERDUE")
        check_equal(init.more["OVERDUE"], "port", "which")
        with socket.create_server(("127.0.0.1", port)):
            init.wait_state("ready", "")
        check_equal(init.words.count("OVERDUE"), 1, "once")
        time.sleep(1.2)
        check_equal([init.tcp(p)[0] for p in PATHS], [200, 200, 200], "what has started has started")


@case("a successor believes init that start-up is over, or asks for itself", beside=True)
def later():
    port, = peers.free_ports(1)
    check_one = {"name": "port", "list": "startup", "tcp": ("127.0.0.1", port)}
    long_ago = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 10 * 10**9
    with Init(checks=[check_one], deadline=1500) as init:
        init.status("RUNNING", has_started=1, started_ns=long_ago)
        init.wait_state("ready", "")
        check("OVERDUE" not in init.words, "what has started has started")
    with Init(checks=[check_one], deadline=1500) as init:
        init.status("RUNNING", started_ns=long_ago)
        init.wait_state("warming", "check:port")
        init.wait_word("OVERDUE")
        check_equal([init.tcp(p)[0] for p in PATHS], [200, 503, 503], "not ready before it passes")


@case("silent and slow peers keep nobody out, and are closed", beside=True)
def slow():
    with Init() as init:
        init.status("RUNNING")
        init.wait_state("ready")
        crowd = [socket.create_connection(("127.0.0.1", init.port), 30) for _ in range(3 * SEATS)]
        for number, one in enumerate(crowd):
            with contextlib.suppress(ConnectionError):
                one.sendall(b"GET /readyz HTTP/1.1\r\nX: a"[:number % 20])
        for _ in range(20):
            check_equal((init.tcp("/readyz")[0], init.unix("/readyz")[0], init.probe()[0]), (200, 200, "0"), "beside a crowd")
        probes = []
        for _ in range(60):
            probes.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            probes[-1].settimeout(30)
            world.call(probes[-1], init.probe_path)
        check_equal(init.probe()[0], "0", "beside silent probes")
        open_fds = len(os.listdir(f"/proc/{init.process.pid}/fd"))
        check(open_fds < SEATS + 32 + 40, f"{open_fds} descriptors")
        began = time.monotonic()
        while (open_now := sum(not is_closed(one) for one in crowd)) and time.monotonic() - began < 30:
            for one in crowd[-20:]:  # a byte now and then earns no time
                with contextlib.suppress(ConnectionError):
                    one.sendall(b"a")
            time.sleep(0.5)
        check_equal(open_now, 0, "still open")
        for one in (*crowd, *probes):
            one.close()
        init.process.send_signal(signal.SIGSTOP)  # as many as the backlog takes, all at once
        sudden = [socket.socket() for _ in range(3 * SEATS)]
        for one in sudden:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", init.port))
        init.process.send_signal(signal.SIGCONT)
        peers.wait_until(lambda: world.answers(init), "an answer after a sudden crowd", seconds=30)
        check_equal(init.probe()[0], "0", "after a sudden crowd")
        for one in sudden:
            one.close()


def is_closed(connection):
    try:
        connection.setblocking(False)
        return connection.recv(4096) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@case("a flood of requests does not starve checks, orders or probes")
def flood():
    stop = threading.Event()
    counts = [0] * 6

    def hammer(number):
        while not stop.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", init.port), 30) as one:
                one.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
                while one.recv(65536):
                    pass
                counts[number] += 1

    with Workload() as app, Init(checks=[{"name": "http", "list": "ready", "http": ("127.0.0.1", app.port), "timeout": 900}]) as init:
        init.status("RUNNING")
        init.wait_state("ready")
        threads = [threading.Thread(target=hammer, args=(n,)) for n in range(len(counts))]
        for thread in threads:
            thread.start()
        try:
            before = len(app.seen)
            peers.wait_until(lambda: sum(counts) > 500, "a flood", lambda: counts, 30)
            peers.wait_until(lambda: len(app.seen) >= before + 3, "checks go on", lambda: len(app.seen), 30)
            check_equal(init.probe()[0], "0", "a probe")
            init.status("LB_GRACE")
            init.wait_state("draining")
        finally:
            stop.set()
            for thread in threads:
                thread.join()


@case("TLS is the only way in where it is asked for, and a renewed certificate is the next one shown")
def tls():
    ca = peers.pki() / "ca.pem"
    with Init(identity="server") as init:
        init.status("RUNNING")
        init.wait_state("ready")
        check_equal(init.tcp("/readyz", cafile=ca)[0], 200, "by TLS")
        with socket.create_connection(("127.0.0.1", init.port), 30) as plain, contextlib.suppress(ConnectionError):
            plain.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
            check(b"HTTP" not in plain.recv(1000), "plain text on the TLS port")
        shown = serial(init, ca)
        init.show("nameless")
        init.wait_word("RENEWED")
        check_equal(init.more["RENEWED"], "", "renewed")
        check(serial(init, ca) != shown, "the same certificate")
        shown = serial(init, ca)
        init.say("IDENTITY", b"\0\0\0\0", *[os.open("/dev/null", os.O_RDONLY)] * 2)
        init.wait_word("RENEWED", 2)
        check("health.tls" in init.more["RENEWED"], init.more["RENEWED"])
        check_equal(serial(init, ca), shown, "one that does not work changes nothing")


def serial(init, ca):
    context = ssl.create_default_context(cafile=ca)
    context.check_hostname = False
    with socket.create_connection(("127.0.0.1", init.port), 30) as plain, context.wrap_socket(plain) as wrapped:
        return wrapped.getpeercert()["serialNumber"]


@case("sinks, spool and what they say decide where the policy asks")
def gauges():
    with Init(sinks=["trail"], spool=90) as init:
        init.status("RUNNING")
        init.wait_state("not-ready", "sink")
        good = {"sink": "trail", "required": True, "up": True, "behind_bytes": 0, "dropped": 0}
        spool = {"used": 10, "limit": 100, "full": False}
        for logs, held, why in (([good], spool, ""), ([{**good, "up": False}], spool, "sink"), ([{**good, "sink": "else"}], spool, "sink"),
                                ([good], {**spool, "used": 89}, ""), ([good], {**spool, "used": 90}, "spool"),
                                ([good], {**spool, "full": True}, "spool"), ([good], spool, "")):
            init.gauges(logs=logs, spool=held)
            init.wait_state("ready" if why == "" else "not-ready", why)
    with Init(sinks=["trail"], spool=90, gauges={"logs": [good], "spool": spool}) as init:  # a successor
        init.status("RUNNING", has_started=1)
        init.wait_state("ready", "")
        check_equal([v for v in init.verdicts if v[4] in ("sink", "spool")], [], "it knows at once")
        init.gauges(age_ms=29000, logs=[good], spool=spool)
        init.wait_state("not-ready", "sink")  # what is 30 s old is not known any more


@case("what cannot begin says so by name")
def refusals():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        rows = (({"tcp": False, "listen": ("127.0.0.1", port)}, f"health.listen: 127.0.0.1:{port}: Address already in use"),
                ({"identity": "expired", "tls_files": False}, "health.tls: there is no certificate"),
                ({"checks": [{"name": "web", "list": "live", "http": ("127.0.0.1", 1), "ca": "/nowhere/ca.pem", "server-name": "a"}]},
                 "health: check web: ca: /nowhere/ca.pem: "))
        for keys, text in rows:
            init = Init(**keys)
            init.wait_word("END")
            init.end()
            check_equal((init.code, init.error and init.error[0]), (1, "HEALTH"), f"{keys}: {init.error}")
            check(init.error[1].startswith(text), f"{init.error[1]!r}, not {text!r}")


@case("it is nobody: no root, no capability, no file, no other call, and little memory")
def confined():
    with Init() as init:
        init.status("RUNNING")
        init.wait_state("ready")
        status = open(f"/proc/{init.process.pid}/status", encoding="ascii").read()
        for line in (rf"Uid:\t{world.UID}\t{world.UID}\t{world.UID}\t{world.UID}", rf"Gid:\t{world.UID}", "CapEff:\t0000000000000000",
                     "CapPrm:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "Groups:\t *\n"):
            check(re.search(line, status), f"{line}: {status}")
        init.process.send_signal(signal.SIGCONT)
        check_equal(init.tcp("/livez")[0], 200, "it works")


def ask_tls(port, path):
    context = ssl.create_default_context(cafile=tunnels.identities() / "ca.pem")
    context.check_hostname = False
    return world.exchange(http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context), "GET", path, None)


@case("under a real init: the successor of a helper that died shows the same certificate, also where nothing is renewed")
def heir():
    port, = peers.free_ports(1)
    one = tunnels.World(changes={"health": {"listen": f"127.0.0.1:{port}", "tls": "web"}, "shutdown": {"lb-grace": "0s"}})
    one.identity("web", "server")
    del one.tls["connect"]
    with one.start():
        peers.wait_until(lambda: ask_tls(port, "/readyz")[0] == 200, "readiness", lambda: ask_tls(port, "/readyz"), 30)
        first = one.pid("lazaret-health")
        os.kill(first, fence.KILL)
        peers.wait_until(lambda: one.pid("lazaret-health") not in (None, first), "a successor", lambda: one.records("helper.exit"), 30)
        peers.wait_until(lambda: ask_tls(port, "/readyz")[0] == 200, "readiness of the successor", lambda: ask_tls(port, "/readyz"), 30)
        died, = one.records("helper.exit", obj="health")
        check_equal((died["act"], died["d"]["message"]), ("restarted", "lazaret-helper health ended by signal 9"), died)
        one.run.kill(fence.TERM)
        check_equal(one.run.wait(30).code, 143, "exit code")


@case("under a real init: a delivered certificate, what ship says of its sinks, a command, and a drain by evidence")
def under_init():
    port, = peers.free_ports(1)
    one = tunnels.World(changes={
        "health": {"listen": f"127.0.0.1:{port}", "tls": "web", "expose": "full",
                   "live": {"fall": 3, "checks": [{"name": "run", "exec": ["/bin/true"], "every": "1s", "timeout": "900ms"}]},
                   "ready-requires": {"certificates": "1h", "sinks": ["trail"], "spool": "95%", "mode": "enforce"}},
        "shutdown": {"stop-timeout": "60s", "lb-grace": "50s", "lb-grace-least": "500ms", "lb-quiet": "500ms", "grace": "3s", "drain": "200ms"}})
    one.identity("web", "server")
    del one.tls["connect"]

    with one.start(), socket.create_server(("127.0.0.1", 0)) as listener:
        peers.wait_until(lambda: ask_tls(port, "/readyz")[0] == 200, "readiness", lambda: ask_tls(port, "/readyz"), 30)
        peers.wait_until(lambda: document(ask_tls(port, "/healthz")[2])["checks"][0].get("ok"), "the command", lambda: ask_tls(port, "/healthz"), 30)
        found = document(ask_tls(port, "/healthz")[2])
        check_equal([entry["name"] for entry in found["tls"]], ["web.chain", "web.key"], "tls")
        check(all(entry["days_left"] in (1, 2) for entry in found["tls"]), f"two days, or a second less: {found['tls']}")
        check_equal([(sink["sink"], sink["up"]) for sink in found["logs"]], [("trail", True)], "logs")
        check(found["pid1"] and found["policy"]["mode"] == "enforce" and found["spool"]["limit"] == 16 << 20, found)
        with socket.create_connection(listener.getsockname()), listener.accept()[0]:  # a client holds the drain up
            one.run.kill(fence.TERM)
            peers.wait_until(lambda: ask_tls(port, "/readyz")[0] == 503, "readiness off", seconds=30)
            check_equal(ask_tls(port, "/livez")[0], 200, "live, while it drains")
        check_equal(one.run.wait(30).code, 143, "exit code")
    ended, = one.records("drain.end")
    check("no connection is open" in ended["d"]["evidence"] and ended["d"]["ms"] < 50000, ended)


if __name__ == "__main__":
    laz.main()
