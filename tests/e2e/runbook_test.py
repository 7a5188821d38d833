# SPDX-License-Identifier: Apache-2.0
"""The runbook's lines: each page of docs/how-to/runbook has what somebody sees at 3 a.m., and a container that was brought
there on purpose has to print the same. And it has to be over when the page says so.
"""
import contextlib
import http.server
import json
import os
import re
import signal
import subprocess
import threading
import time

import adapters
import area
import fence
import laz
import readme
import secret_world
import sinks_peers as peers
from laz import case, check, check_equal
from ship_world import Disk, until

RUNBOOK = laz.ROOT / "docs" / "how-to" / "runbook"
PAGES = sorted(page.stem for page in RUNBOOK.glob("*.md") if page.stem != "README")
AUTHORITY = laz.ROOT / "tests" / "e2e" / "authority.py"
TALKS = ["/usr/bin/python3", "-c", "import time\nwhile True: print('x' * 8000, flush=True); time.sleep(0.01)"]


class Web:
    """A workload's port, played by the suite: init shares its network."""

    def __init__(self):
        self.status = 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def check(self, name, **more):
        return {"name": name, "http": f"http://127.0.0.1:{self.port}/health", "every": "1s", "timeout": "500ms", **more}


class Box:
    """One container with `health`, and what else the page is about."""

    _count = 0

    def __init__(self, health, app=("/bin/sleep", "600"), env=None, **changes):
        Box._count += 1
        self.folder = fence.scratch() / f"box-{Box._count}"
        self.folder.mkdir()
        self.disk = Disk(self.folder / "tmpfs", "1m")
        subprocess.run([*self.disk.wrapper, "mount", "-t", "tmpfs", "-o", "mode=0755", "none", "/run"], check=True)
        self.app, self.env = app, env
        self.policy = adapters.merged(adapters.Lazaret.policy({
            "name": "runbook", "workload": {"exec-budget": -1, "cwd": "/"}, "health": health,
            "shutdown": {"stop-timeout": "30s", "grace": "3s", "drain": "200ms"}}), changes)

    @contextlib.contextmanager
    def start(self):
        events = [] if "sinks" in self.policy else ["--events", str(self.folder / "events")]
        words = [str(laz.BIN / "lazaret-init"), "--policy", adapters.Lazaret.image(self.policy), *events, "--", *self.app]
        with self.disk, fence.Run(words, "pid1", env=self.env, wrapper=self.disk.wrapper) as run:
            self.run = run
            yield self

    def inside(self, *words):
        """A command inside, as the health command of a task definition is: exit code, output, errors."""
        done = subprocess.run(["nsenter", "-t", str(self.run.pid), "-p", "-m", "--", *map(str, words)], capture_output=True, text=True,
                              check=False, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def probe(self, what, wait="2s"):
        code, out, err = self.inside(laz.BIN / "lazaret-init", "probe", what, "--timeout", wait)
        check(len(out) <= 1000 and out.count("\n") == 1, f"no line: {out!r} {err!r} {self.run.describe()}")
        check(code != 0 or not err, f"a probe that passes wrote {err!r}")
        return code, out.rstrip("\n")

    def pid(self, name):
        return next(p for p in self.run.children() if fence.comm(p) == name and fence.state(p) not in "ZX")

    def shows(self, what, line, code=1, seconds=fence.PATIENCE):
        """The probe comes to say this."""
        seen = []

        def says():
            seen[:] = [self.probe(what)]
            return seen[0][0] == code and alike(seen[0][1], line)

        until(says, lambda: f"{line!r}, but {seen} {self.run.describe()}", seconds, 0.1)

    def is_over(self):
        """Ready again, or for the first time."""
        self.shows("ready", "ready state=ready uptime=1s", 0)

    def records(self, ev):
        path = self.folder / "events"
        whole, _, _ = path.read_text().rpartition("\n") if path.exists() else ("", "", "")
        return [r for r in map(json.loads, whole.splitlines()) if r["ev"] == ev]


def alike(seen, line):
    """But for how long it ran, and how often a check has failed."""
    plain = lambda text: re.sub(r"\((\d+)\)|uptime=\d+s", "#", text)  # noqa: E731
    return plain(seen) == plain(line)


def lines(page):
    return [b.text.rstrip("\n") for b in readme.blocks(RUNBOOK / f"{page}.md") if b.kind == "text probe"]


_shown = set()


def of(page):
    """The lines of a page, in order: whoever asks for them shows all of them."""
    _shown.add(page)
    found = lines(page)
    check(found, f"{page} has no line")
    return found


# ---- The pages ---------------------------------------------------------------------------------------


@case("check-fails")
def check_fails():
    ready, live = of("check-fails")
    web, app = Web(), Web()
    with Box({"ready": {"checks": [web.check("http")]}, "live": {"fall": 3, "checks": [app.check("alive")]}}).start() as box:
        box.is_over()
        web.status = 500
        box.shows("ready", ready)
        check_equal(box.probe("live")[0], 0, "live, while it is not ready")
        code, page, err = box.inside(laz.BIN / "lazaret", "top")
        check_equal((code, err), (1, ""), "lazaret top")
        check(page.startswith("NOT READY  state not-ready: check:http") and re.search(r"^http +ready +http +FAILED \d", page, re.MULTILINE), page)
        web.status = 200
        box.is_over()
        app.status = 500
        box.shows("live", live)
        states = [(r["act"], r["d"]["why"]) for r in box.records("health.state")]
        check(("not-ready", "check:http") in states and states[-1][0] == "not-live", f"health.state: {states}")


@case("start-up-never-ends")
def start_up():
    line, = of("start-up-never-ends")
    web = Web()
    closed, = peers.free_ports(1)
    startup = {"deadline": "5s", "checks": [{"name": "port", "tcp": f"127.0.0.1:{closed}", "every": "1s", "timeout": "500ms"}]}
    with Box({"startup": startup, "ready": {"checks": [web.check("http")]}}).start() as box:
        box.shows("ready", line)
        check_equal(box.run.wait(30).code, 107, f"exit code ({box.run.stderr()})")
    startup["checks"][0]["tcp"] = f"127.0.0.1:{web.port}"
    with Box({"startup": startup}).start() as box:
        box.shows("startup", "started state=ready uptime=1s", 0)


def identity(seconds):
    """A certificate that is good for so long, as files."""
    folder = area.folder(f"identity-{seconds}")
    said = [{"name": "root", "cn": "the runbook's root", "ca": True},
            {"name": "web", "cn": "web", "dns": ["web.test"], "issuer": "root", "purposes": ["server"], "to": seconds}]
    subprocess.run([secret_world.PYTHON, AUTHORITY, folder], input=json.dumps(said).encode(), check=True, timeout=60)
    return folder, {"name": "web", "from": {"file": {"certificate": str(folder / "web.pem"), "key": str(folder / "web.key")}},
                    "ca": str(folder / "root.pem"), "files": {"dir": "tls"}}


def with_identity(health, seconds):
    folder, entry = identity(seconds)
    box = Box(health, tls={"identities": [entry]}, secrets={"refresh": {"interval": "10s", "min-interval": "1s"}})
    box.policy["secrets"]["dir"] = str(box.folder / "tmpfs" / "secrets")
    return folder, box


@case("certificate", beside=True)
def certificate():
    expired, near = of("certificate")
    _, box = with_identity({"ready-requires": {"certificates": "3d"}}, 86400)
    with box.start():
        box.shows("ready", near)
    folder, box = with_identity({}, 12)
    with box.start():
        box.is_over()
        box.shows("ready", expired)
        page = box.inside(laz.BIN / "lazaret", "top")[1]
        check(re.search(r"^web\.cert +EXPIRED ", page, re.MULTILINE), page)
        other, _ = identity(86401)
        for name in ("root.pem", "web.pem", "web.key"):
            os.replace(other / name, folder / name)
        code, out, err = box.inside(laz.BIN / "lazaret", "secrets", "rotate", "--all")
        check_equal(code, 0, f"secrets rotate: {out}{err}")
        box.is_over()


@case("secret-stale", beside=True)
def stale():
    line, = of("secret-stale")
    folder = area.folder("kept")
    (folder / "password").write_text("as-it-was-before")
    box = Box({}, secrets={"items": [{"name": "password", "from": {"file": str(folder / "password")}, "file": {"path": "password"}}],
                           "refresh": {"interval": "10s", "min-interval": "1s"}, "stale": {"max": "13s", "then": "not-ready"}})
    box.policy["secrets"]["dir"] = str(box.folder / "tmpfs" / "secrets")
    with box.start():
        box.is_over()
        (folder / "password").rename(folder / "gone")
        box.shows("ready", line, seconds=60)
        (folder / "gone").rename(folder / "password")
        box.inside(laz.BIN / "lazaret", "secrets", "rotate", "--all")
        box.is_over()


def shipping(port, spool="16MiB", **more):
    """A sink that is, or is not, there; and a file that is."""
    keys = {key: str(value) for key, value in peers.client().items()}
    folder = area.folder(f"shipping-{port}")
    return {"sinks": [{"name": "trail", "type": "file", "path": str(folder / "trail.jsonl"), "classes": ["audit", "ids"], "required": True},
                      {"name": "far", "type": "relp", "to": f"127.0.0.1:{port}", "classes": ["audit", "ids", "log"], "tls": keys}],
            "spool": {"dir": str(folder / "spool"), "max": spool, "segment": "1MiB"}, **more}


@case("sink-down")
def sink_down():
    line, = of("sink-down")
    far = peers.Rsyslog("runbook")
    with Box({"ready-requires": {"sinks": ["far"]}}, **shipping(far.ports["relps"])).start() as box:
        box.is_over()
        far.stop()
        box.shows("ready", line, seconds=60)
        page = box.inside(laz.BIN / "lazaret", "top")[1]
        check(re.search(r"^far +DOWN ", page, re.MULTILINE) and re.search(r"^trail +up .*required$", page, re.MULTILINE), page)
        far.start()
        box.is_over()


@case("spool-full")
def spool_full():
    line, = of("spool-full")
    closed, = peers.free_ports(1)
    with Box({"ready-requires": {"spool": "50%"}}, app=TALKS, **shipping(closed, "4MiB")).start() as box:
        box.shows("ready", line, seconds=60)
        check_equal(box.probe("live")[0], 0, "live")


@case("not-enforced")
def not_enforced():
    line, = of("not-enforced")
    box = Box({"ready-requires": {"mode": "enforce"}}, mode="observe")
    source = box.folder / "policy.yaml"
    source.write_text(json.dumps(box.policy))
    with box.disk, fence.Run([str(laz.BIN / "lazaret-init"), "--policy", str(source), "--", *box.app], "pid1", wrapper=box.disk.wrapper) as run:
        check_equal(run.wait(30).code, 101, "exit code")
        check(line in run.stderr(), run.stderr())


@case("helper-dead")
def helper_dead():
    line, = of("helper-dead")
    far = peers.Rsyslog("successor")
    with Box({"ready-requires": {"sinks": ["far"]}}, **shipping(far.ports["relps"])).start() as box:
        box.is_over()
        ship, dead = box.pid("lazaret-ship"), box.pid("lazaret-health")
        os.kill(ship, signal.SIGSTOP)  # it cannot tell the successor anything
        before = len(box.records("health.state"))
        os.kill(dead, signal.SIGKILL)
        peers.wait_until(lambda: "lazaret-health" in {fence.comm(p) for p in box.run.children() if p != dead}, "a successor", seconds=30)
        said, end = "not ready", time.monotonic() + 20
        while not said.startswith("ready"):
            said = box.probe("ready")[1]
            check("sink" not in said and time.monotonic() < end, said)
        os.kill(ship, signal.SIGCONT)
        box.is_over()
        whys = [r["d"]["why"] for r in box.records("health.state")[before:]]
        check("sink" not in whys, f"what init was told: {whys}")
    with Box({}).start() as box:
        box.is_over()
        health = box.pid("lazaret-health")
        os.kill(health, signal.SIGSTOP)
        check_equal(box.probe("live"), (1, line), "while it hangs")
        os.kill(health, signal.SIGKILL)
        box.is_over()
        check(box.pid("lazaret-health") != health, "the same helper")
        check_equal([r["obj"] for r in box.records("helper.exit")], ["health"], "helper.exit")


@case("init-does-not-answer", beside=True)
def init_hangs():
    line, = of("init-does-not-answer")
    with Box({}).start() as box:
        box.is_over()
        os.kill(box.run.pid, signal.SIGSTOP)
        box.shows("live", line, seconds=60)
        os.kill(box.run.pid, signal.SIGCONT)
        box.is_over()


@case("draining")
def draining():
    ready, live = of("draining")
    with Box({}, shutdown={"lb-grace": "10s"}).start() as box:
        box.is_over()
        box.run.kill(fence.TERM)
        box.shows("ready", ready)
        box.shows("live", live, 0)
        box.run.kill(fence.TERM)  # a second one ends the wait
        check_equal(str(box.run.wait(30)), "exit 143", f"the end: {box.run.stderr()}")


@case("every page has a case, and the index leads to every page")
def pages():
    with open(__file__, encoding="utf-8") as text:
        cases = re.findall(r'^@case\("([a-z-]+)"', text.read(), re.MULTILINE)
    check_equal(sorted(cases), PAGES, "cases, pages")
    index = (RUNBOOK / "README.md").read_text(encoding="utf-8")
    check_equal(sorted(re.findall(r"\]\(([a-z-]+)\.md\)", index)), PAGES, "pages of the index")


@case("what the index tells to type works with what README's image has, or after the copy that it names")
def look_closer():
    index = (RUNBOOK / "README.md").read_text(encoding="utf-8")
    readme_text = (laz.ROOT / "README.md").read_text(encoding="utf-8")
    copied, folder = re.search(r"^COPY (lazaret-init .*) (/\S+/)$", readme_text, re.MULTILINE).groups()
    check(f"COPY {copied} lazaret {folder}" in index, "the Dockerfile's line is another one in README.md")
    commands = [words.split() for words in re.findall(rf"`docker exec (?:-u 0 )?CONTAINER {folder}([^`]+)`", index)]
    check_equal(commands, [["lazaret-init", "probe", "ready"], ["lazaret", "top"]], "commands")
    target, = re.findall(r"`docker cp lazaret CONTAINER:([^`]+)`", index)
    check_equal(target, folder + "lazaret", "where it is copied to")
    check(commands[0][0] in copied.split(), "not in README's image")
    with Box({}).start() as box:
        box.is_over()
        check_equal(box.inside(laz.BIN / commands[0][0], *commands[0][1:])[0], 0, "probe")
        # It links nothing and runs nothing of the image; what is asked is in /run and /proc. In a mount namespace of its
        # own, or in a chroot, it would find that init is another container's.
        code, out, err = box.inside("/usr/bin/env", "-i", laz.BIN / "lazaret", "top")
        check_equal((code, err), (0, ""), "lazaret top in an image without it")
        check(out.startswith("ready  state ready"), out)


laz.main()
