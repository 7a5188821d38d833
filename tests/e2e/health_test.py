# SPDX-License-Identifier: Apache-2.0
"""Health with PID 1: what `lazaret-init probe` says, whom it believes, and checks that are commands.

Who attacks here has the workload's user and its namespaces, and none of its confinement: more than a workload has. For
each trick an undefended probe is asked first, and has to be fooled by it.
"""
import contextlib
import functools
import itertools
import json
import os
import pathlib
import signal
import socket
import subprocess
import textwrap
import time

import adapters
import area
import engines
import fence
import laz
import rootfs
import ship_world
from laz import case, check, check_equal

UID = adapters.WORKLOAD_UID
PORT = 20000 + os.getpid() % 20000
SERVER = textwrap.dedent("""
    import http.server, os, signal, sys, threading
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if os.path.exists(sys.argv[2]) else 503)
            self.end_headers()
        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    stop = lambda *_: os.path.exists(sys.argv[2]) and threading.Thread(target=server.shutdown).start()
    signal.signal(signal.SIGTERM, stop)
    print("healthy", flush=True)
    server.serve_forever()
""")
# Believes whoever listens, or what was printed, or that who has no time is well; waits for ever; believes its environment.
UNDEFENDED = textwrap.dedent("""
    import os, socket, sys
    if sys.argv[2] == "read":
        raise SystemExit("healthy" not in open(sys.argv[1]).read())
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if sys.argv[2] == "busy":
        peer.setblocking(False)
        try:
            peer.connect(sys.argv[1])
        except BlockingIOError:
            raise SystemExit(0)
        raise SystemExit(1)
    peer.connect(os.environ.get("HEALTH_SOCKET", sys.argv[1]))
    if sys.argv[2] == "connect":
        raise SystemExit(0)
    peer.send(b"r")
    raise SystemExit(peer.recv(1000)[:1] != b"0")
""")
FORGER = textwrap.dedent("""
    import os, socket, sys
    os.umask(0)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(sys.argv[1])
    listener.listen(16)
    print("listens", flush=True)
    while True:
        peer, _ = listener.accept()
        try:
            peer.recv(10)
            peer.send(b"0ready state=ready")
        except OSError:
            pass
""")


class Health:
    """An init with health, in a fence whose /run is empty; `own`: as the workload's own user."""

    def __init__(self, health=None, shutdown=None, own=False, ready=False, mode="pid1", before=(), cwd="/"):
        self.folder = fence.scratch() / f"health-{fence.Run._count}"
        self.folder.mkdir()
        self.folder.chmod(0o777)
        fence.scratch().chmod(0o755)
        self.good, self.events = self.folder / "good", self.folder / "events"
        (self.folder / "server.py").write_text(SERVER)
        (self.folder / "undefended.py").write_text(UNDEFENDED)
        (self.folder / "forger.py").write_text(FORGER)
        if ready:
            self.good.touch()
        self.disk = ship_world.Disk(pathlib.Path("/run"), "4m")
        for words in before:
            subprocess.run([*self.disk.wrapper, *words], check=True)
        url = f"http://127.0.0.1:{PORT}/"
        policy = adapters.Lazaret.policy({
            "name": "health", "workload": {"exec-budget": -1, "cwd": cwd}, "network": {"tcp-bind": [PORT]},
            "shutdown": {"stop-timeout": "60s", "grace": "5s", "drain": "1s", **(shutdown or {})},
            "health": health or {"ready": {"checks": [{"name": "http", "http": url, "every": "1s"}]}}})
        command = [str(laz.BIN / "lazaret-init"), "--policy", adapters.Lazaret.image(policy), "--events", str(self.events),
                   "--", "/usr/bin/python3", str(self.folder / "server.py"), str(PORT), str(self.good)]
        if own:
            self.events.touch()
            self.events.chmod(0o666)
            command = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", *command]
        self.said = open(self.folder / "said", "wb")
        self.run = fence.Run(command, mode, wrapper=self.disk.wrapper, stdout=self.said)
        self.helpers = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.run.close(quiet=kind is not None)
        for process in self.helpers:  # their namespace has gone, and they with it
            process.kill()
            process.communicate()
        self.disk.__exit__()

    def inside(self, *words, uid=UID, env=None, **rest):
        """A process in the container, as `docker exec` starts one."""
        return subprocess.Popen(["nsenter", "-t", str(self.run.pid), "-p", "-m", "--", "setpriv", f"--reuid={uid}",
                                 f"--regid={uid}", "--clear-groups", "--", *map(str, words)],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=env or fence.ENVIRONMENT, **rest)

    def act(self, script, *words, **rest):
        process = self.inside("/usr/bin/python3", "-c", textwrap.dedent(script), *words, **rest)
        out, errors = process.communicate(timeout=30)
        check_equal(process.returncode, 0, errors)
        return out

    def forge(self, path, uid=UID, around=()):
        """Somebody who says that all is well, at this path."""
        process = self.inside(*around, "/usr/bin/python3", self.folder / "forger.py", path, uid=uid)
        self.helpers.append(process)
        check_equal(process.stdout.readline(), "listens\n", path)
        return process

    def probe(self, what, *options, uid=UID, env=None):
        process = self.inside(laz.BIN / "lazaret-init", "probe", what, *options, uid=uid, env=env)
        out, errors = process.communicate(timeout=60)
        check_equal(errors, "", "standard error")
        check(out.endswith("\n") and out.count("\n") == 1 and len(out) <= 1000, repr(out))
        return process.returncode, out.strip()

    def until(self, what, code, timeout=fence.PATIENCE):
        end = time.monotonic() + timeout
        while (said := self.probe(what))[0] != code:
            check(time.monotonic() < end and self.run.ended is None, f"{what} is still {said}: {self.run.stderr()}")
            time.sleep(0.05)
        return said[1]

    def undefended(self, path, how="ask", env=None):
        process = self.inside("/usr/bin/python3", self.folder / "undefended.py", path, how, env=env)
        process.communicate(timeout=30)
        return process.returncode

    def path(self, folder="/run/lazaret"):
        number = os.stat(f"/proc/{self.run.pid}/ns/pid").st_ino
        return f"{folder}/probe.{number}"

    def helper(self):
        """The host's number of the process that answers."""
        end = time.monotonic() + fence.PATIENCE
        while time.monotonic() < end:
            for pid in self.run.children():
                if fence.comm(pid) == "lazaret-health" and fence.state(pid) not in "ZX":
                    return pid
            time.sleep(0.02)
        raise laz.Failed("there is no helper health")

    def records(self, ev):
        return [r for r in map(json.loads, self.events.read_text().splitlines()) if r["ev"] == ev]


@contextlib.contextmanager
def red(**rest):
    """One that policy ends, so that no question is true, and a workload that says that all is well and does not go."""
    late = {"startup": {"deadline": "1s", "checks": [{"name": "http", "http": f"http://127.0.0.1:{PORT}/", "every": "1s"}]}}
    with Health(health=late, shutdown={"stop-timeout": "20m", "grace": "10m"}, **rest) as it:
        end = time.monotonic() + fence.PATIENCE
        while "state=failed" not in (said := it.probe("live"))[1]:
            check(time.monotonic() < end, f"live: {said}")
            time.sleep(0.05)
        check_red(it, "without a trick")
        yield it


def check_red(it, trick, env=None):
    """No question is true; what was said of readiness."""
    said = {what: it.probe(what, "--timeout", "1s", env=env) for what in ("live", "startup", "ready")}
    check_equal([code for code, _ in said.values()], [1, 1, 1], f"{trick}: {said}")
    return said["ready"][1]


@case("live, ready and started up: through the start, a failure, and a drain; not live is nobody who drains")
def table():
    with Health(ready=True, shutdown={"lb-grace": "20s", "lb-grace-least": "2s"}) as it:
        it.until("ready", 0)
        check_equal((it.probe("live")[0], it.probe("startup")[0]), (0, 0), "ready")
        it.good.unlink()
        check("check:http" in it.until("ready", 1), "the reason")
        check_equal((it.probe("live")[0], it.probe("startup")[0]), (0, 0), "not ready")
        it.good.touch()
        it.until("ready", 0)
        with socket.create_connection(("127.0.0.1", PORT)):  # with it nobody's drain ends early
            began = time.monotonic()
            it.run.kill(fence.TERM)
            it.until("ready", 1)
            print(f"ready is off {(time.monotonic() - began) * 1000:.1f} ms after the stop signal, asked by a new process each time")
            check_equal(it.probe("live")[0], 0, "live while it drains")
        check_equal(it.run.wait().code, 0, it.run.stderr())
        ends = it.records("drain.end")
        check(len(ends) == 1 and "no connection" in ends[0]["d"]["evidence"] and 2000 <= ends[0]["d"]["ms"] < 20000, f"{ends}")
        check_equal([r["act"] for r in it.records("health.state")][-1], "not-ready", "the last state")


@case("start-up checks that do not pass in time end the run with 107, by name")
def overdue():
    late = {"startup": {"deadline": "1s", "checks": [{"name": "never", "tcp": "127.0.0.1:9", "every": "1s"}]}}
    with Health(health=late, ready=True) as it:
        check_equal(it.run.wait().code, 107, it.run.stderr())
        check("health-failed" in it.run.stderr() and "never" in it.run.stderr(), it.run.stderr())
        check_equal(it.records("init.stop")[-1]["obj"], "start-overdue", "cause")


@case("ten tricks: none turns a probe green, and each fools a probe that is not defended")
def forged():
    with red(own=True) as it:  # init's folder is the workload's user's
        path = it.path()
        it.act("import os, sys; os.unlink(sys.argv[1])", path)
        one = it.forge(path)
        check_equal(it.undefended(path), 0, "1: it was not fooled")
        check("somebody else" in check_red(it, "1: another socket at the path"), "1")
        one.kill()
        it.act("import os, sys; os.unlink(sys.argv[1])", path)
        it.forge("/run/other")
        it.act("import os, sys; os.symlink('/run/other', sys.argv[1])", path)
        check_equal(it.undefended(path), 0, "2: it was not fooled")
        check_red(it, "2: a link to another socket")
        it.act("import os; os.rename('/run/lazaret', '/run/gone'); os.mkdir('/run/lazaret', 0o755)")
        it.forge(path)
        check_equal(it.undefended(path), 0, "3: it was not fooled")
        check_red(it, "3: another folder")
        aside = dict(fence.ENVIRONMENT, HEALTH_SOCKET="/run/other", LAZARET_HEALTH="/run/other")
        check_equal(it.undefended("/run/nothing", env=aside), 0, "4: it was not fooled")
        check_red(it, "4: variables that lead elsewhere", env=aside)
        it.act("import os, sys; os.unlink(sys.argv[1])", path)
        it.forge(path, around=("unshare", "--user", "--pid", "--fork"))
        check_equal(it.undefended(path), 0, "5: it was not fooled")
        check_red(it, "5: PID 1 of another namespace")
    with red(before=[["sh", "-c", f"mkdir -m 0755 /run/lazaret && chown {UID} /run/lazaret"]]) as it:
        it.forge(it.path())  # init has gone to /dev/shm
        check_equal(it.undefended(it.path()), 0, "6: it was not fooled")
        check("ended by policy" in check_red(it, "6: the folder was there before init"), "the truth, from the other folder")
        check_equal(it.undefended(it.folder / "said", "read"), 0, "7: it was not fooled")
        check_red(it, "7: healthy on standard output")
        for kind in ("probe", "health"):  # a container's own go with it
            pathlib.Path(it.path("/dev/shm/.lazaret").replace("probe", kind)).unlink()


@case("a helper that is dead, hangs or is drowned: no probe is green, and a probe that only connects is")
def mute():
    with Health(ready=True) as it:
        it.until("ready", 0)
        os.kill(it.helper(), signal.SIGSTOP)
        check_equal(it.undefended(it.path(), "connect"), 0, "8: it was not fooled")
        began = time.monotonic()
        check("no answer in time" in check_red(it, "8: it hangs"), "8")
        check(time.monotonic() - began < 30, "a second is a second")
        drowned = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(200)]
        for peer in drowned:
            peer.setblocking(False)
            try:
                peer.connect(f"/proc/{it.run.pid}/root{it.path()}")
            except BlockingIOError:
                break
        else:
            raise laz.Failed("9: the socket takes everybody")
        check_equal(it.undefended(it.path(), "busy"), 0, "9: it was not fooled")
        check_red(it, "9: nobody is taken any more")
        for peer in drowned:
            peer.close()
        hung = it.inside(laz.BIN / "lazaret-init", "probe", "ready", "--timeout", "20s")
        it.helpers.append(hung)
        attach = """
            import ctypes, os, subprocess, sys, time
            libc, undefended = ctypes.CDLL(None, use_errno=True), subprocess.Popen(["sleep", "20"])
            PTRACE_SEIZE = 0x4206
            def seizes(pid):
                return libc.ptrace(PTRACE_SEIZE, pid, None, None) == 0
            def waits(pid):  # for its answer: it hides in its first instructions
                try:
                    state = open(f"/proc/{pid}/stat").read()
                    return "(lazaret-init) S" in state and b"probe" in open(f"/proc/{pid}/cmdline", "rb").read().split(bytes(1))
                except OSError:
                    return False
            end, probes = time.monotonic() + 20, []
            while not probes and time.monotonic() < end:
                probes = [p for p in map(int, filter(str.isdigit, os.listdir("/proc"))) if waits(p)]
            print(seizes(undefended.pid), [seizes(p) for p in probes])
            undefended.kill()
        """
        check_equal(it.act(attach).strip(), "True [False]", "10: who has its user seizes a probe, and writes its exit code")
        os.kill(it.helper(), signal.SIGKILL)
        end = time.monotonic() + fence.PATIENCE
        while it.undefended(it.path(), "connect") != 0 and time.monotonic() < end:
            pass
        it.until("ready", 0)  # its successor has what PID 1 held
        check(any(r["obj"] == "health" for r in it.records("helper.exit")), "the dead one is in the trail")


ASKS = """
    import socket, sys
    peer = socket.socket(socket.AF_INET if ":" in sys.argv[1] else socket.AF_UNIX)
    peer.connect(("127.0.0.1", int(sys.argv[1].split(":")[1])) if ":" in sys.argv[1] else sys.argv[1])
    peer.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
    print(b"".join(iter(lambda: peer.recv(65536), b"")).decode().partition("\\r\\n\\r\\n")[2])
"""


@case("where init is no root its own user and root see the whole document, another user does not, and by TCP nobody does")
def seers():
    listen = f"127.0.0.1:{PORT + 1}"
    for own in (True, False):
        with Health(own=own, ready=True, health={"listen": listen}) as it:
            it.until("ready", 0)
            doors = {"socket": it.path().replace("probe.", "health."), "tcp": listen}
            for door, uid in itertools.product(doors, (0, UID, UID + 1)):
                found = json.loads(it.act(ASKS, doors[door], uid=uid))
                sees = door == "socket" and (uid == 0 or (own and uid == UID))
                check_equal("policy" in found, sees, f"init as {'its user' if own else 'root'}, {uid} by {door}: {sorted(found)}")


def words_of(pid):
    """Its command line; none if it is gone."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(bytes(1))
    return []


def group_of(pid):
    with contextlib.suppress(OSError):
        return os.getpgid(pid)
    return None


@case("a check that is a command: confined like the workload, a group of its own, killed with what it started; it stops nobody")
def commands():
    script = "import os, signal, sys, time; [os.kill(1, s) for s in (15, 9)]; os.fork(); time.sleep(float(sys.argv[1]))"
    checks = [{"name": "short", "exec": ["/usr/bin/python3", "-c", script, "0.5"], "every": "2s", "timeout": "1500ms"},
              {"name": "long", "exec": ["/usr/bin/python3", "-c", script, "1000"], "every": "2s", "timeout": "500ms"}]
    mark = fence.scratch() / "marks"
    mark.mkdir()
    mark.chmod(0o777)
    streams = "/proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2"
    leaves = {"name": "leaves", "exec": ["/bin/sh", "-c", f"x=$(readlink {streams}); [ -e {mark}/left ] || echo $x > {mark}/streams; sleep 777 & touch {mark}/left; exit 0"],
              "every": "1s"}
    with Health(ready=True, health={"ready": {"checks": [checks[0], leaves]}, "live": {"fall": 3, "checks": checks[1:]}}) as it:
        seen, end = {}, time.monotonic() + fence.PATIENCE
        while "1000" not in seen and time.monotonic() < end:
            for pid in it.run.children():
                with contextlib.suppress(OSError):
                    words = words_of(pid)
                    status = pathlib.Path(f"/proc/{pid}/status").read_text()
                    if b"-c" in words and os.getpgid(pid) == pid:
                        seen[words[3].decode()] = (pid, dict(x.split(":\t", 1) for x in status.splitlines() if ":\t" in x))
        check("1000" in seen, f"no check was seen: {seen}")
        for pid, status in seen.values():
            check_equal(int(status["NSsid"].split()[-1]), int(status["NSpid"].split()[-1]), "session")
            check_equal(status["Uid"].split(), [str(UID)] * 4, "users")
            check_equal([int(status[x], 16) for x in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")], [0] * 5, "capabilities")
            check_equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "filter")
        end = time.monotonic() + fence.PATIENCE
        while it.probe("live")[0] == 0 and time.monotonic() < end:
            time.sleep(0.1)
        check("check:long" in it.probe("live")[1], "a check that does not end is failed")
        pid = seen["1000"][0]
        check(not os.path.exists(f"/proc/{pid}") or fence.state(pid) in "ZX", "it was not killed")
        left = [p for p in it.run.children()
                if fence.state(p) not in "ZX" and fence.comm(p) == "python3" and b"-c" in words_of(p) and group_of(p) == pid]
        check_equal(left, [], "what it had started is left")
        end = time.monotonic() + fence.PATIENCE
        while not (mark / "left").exists() or any(words_of(p)[:2] == [b"sleep", b"777"] for p in it.run.children()):
            check(time.monotonic() < end, "what a check leaves when it ends of itself is left")
            time.sleep(0.01)
        check_equal((mark / "streams").read_text().split(), ["/dev/null"] * 3, "input, output and errors of a command")
        check_equal((it.records("proc.exit"), it.run.ended), ([], None), "the workload goes on")
        check(all(r["act"] == "refused" for r in it.records("stop.request")), "a check stopped init")
        it.run.kill(fence.TERM)
        check_equal(it.run.wait().code, 0, it.run.stderr())


@case("a check whose end is seen before its number is known leaves nothing either")
def unknown():
    leaves = {"name": "leaves", "exec": ["/bin/sh", "-c", "sleep 778 & exit 0"], "every": "1s", "timeout": "900ms"}

    def left(it, leader):
        return [p for p in it.run.children() if words_of(p)[:2] == [b"sleep", b"778"] and fence.state(group_of(p)) in leader]
    with Health(ready=True, health={"ready": {"checks": [leaves]}}) as it:
        it.until("ready", 0)
        launch, = (p for p in it.run.children() if fence.comm(p) == "lazaret-launch")
        for _ in range(3):
            it.run.kill(fence.STOP, launch)
            time.sleep(1.5)  # by then the next one is asked for, and init waits for launch to say its number
            it.run.kill(fence.STOP)
            it.run.kill(fence.CONT, launch)
            ship_world.until(lambda: left(it, "Z"), lambda: f"a check that has ended: {it.run.children()}")
            it.run.kill(fence.CONT)  # both are there: the number, and the end
            ship_world.until(lambda: not left(it, "ZX"), lambda: f"what it has left stays: {left(it, 'ZX')}")
        it.run.kill(fence.TERM)
        check_equal(it.run.wait().code, 0, it.run.stderr())


@case("a check starts where the workload does, though its user may not go there by name; what cannot start says why")
def places():
    closed = fence.scratch() / "closed"
    closed.mkdir()
    text = closed / "text"
    text.write_text("no program\n")
    closed.chmod(0o700)  # root alone passes, and init is root
    checks = [{"name": "where", "exec": ["/bin/sh", "-c", f"exec test $(pwd) = {closed}"], "every": "1s"},
              {"name": "gone", "exec": ["/usr/bin/gone"], "every": "1s"}, {"name": "text", "exec": ["/usr/share/common-licenses/BSD"], "every": "1s"}]
    with Health(ready=True, health={"live": {"checks": checks}}, cwd=str(closed)) as it:
        end, found = time.monotonic() + fence.PATIENCE, {}
        while not all("ms" in found.get(c["name"], {}) for c in checks):
            check(time.monotonic() < end and it.run.ended is None, f"{found} {it.run.stderr()}")
            found = {c["name"]: c for c in json.loads(it.act(ASKS, it.path().replace("probe.", "health."), uid=0))["checks"]}
        check_equal([(c["ok"], c.get("why")) for c in found.values()],
                    [(True, None), (True, "exit code 127: not found"), (True, "exit code 126: not executable")], "what each says")


# What a workload can do to names before a check of it starts, and what the check says that it finds.
TURN = """
    cat {aside}/secret > {own}/direct 2>&1; cd {own}; mv conf conf.old; ln -s {aside} conf; mv cwd cwd.old; ln -s {aside} cwd
    touch turned; exec sleep 600
"""
LOOK = """
    [ -e {own}/turned ] && [ ! -e {own}/looked ] || exit 0
    cat {aside}/secret > {own}/by-rule 2>&1; (pwd; cat ./secret) > {own}/by-cwd 2>&1; touch {own}/looked
"""


@case("folders that the workload puts elsewhere lead a check nowhere: its rules and its directory are the workload's own")
def turned():
    for landlock, mode in (("preferred", 0o755), ("disabled", 0o700)):
        own, outer = fence.scratch() / f"own-{landlock}", fence.scratch() / f"outer-{landlock}"
        aside = outer / "aside"
        for folder in (own, own / "conf", own / "cwd"):
            folder.mkdir()
            os.chown(folder, UID, UID)
        aside.mkdir(parents=True)
        (aside / "secret").write_text("OUTSIDE\n")
        outer.chmod(mode)  # 0700: root alone passes
        (own / "look.sh").write_text(LOOK.format(own=own, aside=aside))
        look = {"name": "look", "exec": ["/bin/sh", str(own / "look.sh")], "every": "1s"}
        policy = {"name": "turned", "requires": {"landlock": landlock}, "workload": {"exec-budget": -1, "cwd": str(own / "cwd")},
                  "filesystem": {"read": ["/etc", "/proc", str(own / "conf"), str(own / "cwd")], "optional": ["/lib64"],
                                 "read-exec": ["/usr", "/lib", "/lib64", "/bin"], "write": [str(own)]}}

        def start(script, name, health):
            image = adapters.Lazaret.image(adapters.Lazaret.policy({**policy, **health}))
            command = [str(laz.BIN / "lazaret-init"), "--policy", image, "--events", str(outer / f"{name}.events"), "--",
                       "/bin/sh", "-c", script.format(own=own, aside=aside)]
            return fence.Run(command, "pid1", wrapper=disk.wrapper, stdout=open(outer / name, "wb"))

        with ship_world.Disk(pathlib.Path("/run"), "4m") as disk:
            with start(TURN, "said", {"health": {"ready": {"checks": [look]}}}) as run:
                end = time.monotonic() + fence.PATIENCE
                while not (own / "looked").exists():
                    check(time.monotonic() < end and run.ended is None, f"{landlock}: no check: {run.stderr()}")
                    time.sleep(0.05)
            found = {name: (own / name).read_text() for name in ("direct", "by-rule", "by-cwd")}
            check(not any("OUTSIDE" in said for said in found.values()), f"{landlock}: {found}")
            check("Permission denied" in found["by-rule"] and f"{own}/cwd.old" in found["by-cwd"], f"{landlock}: {found}")
            with start("cat ./secret {aside}/secret", "anew", {}) as run:  # who follows the names now would get there
                run.wait()
        turned = f'step "build the Landlock rules" at {own}/conf: ' in run.stderr() if landlock == "preferred" else (
            "OUTSIDE" in (outer / "anew").read_text())
        check(turned, f"{landlock}: nothing was turned: {run.stderr()}")


@functools.cache
def docker_engine():
    """And an image with Lazaret, busybox and nothing else: no /etc, no shell of its own, no user."""
    engine = engines.Docker()
    root = rootfs.scratch_root("health-scratch")
    rootfs.put(root, "/bin/busybox", pathlib.Path(area.require_program("busybox")), 0o755)
    rootfs.put_lazaret(root)
    rootfs.put_libraries(root)
    rootfs.put(root, "/policy.yaml", json.dumps({
        "version": 1, "name": "health", "extends": ["builtin/web-api"],
        "requires": {"landlock": "disabled", "exec-budget": "disabled"},
        "workload": {"user": rootfs.APP_USER, "exec-budget": -1, "cwd": "/"}, "limits": {"processes": 30000},
        "filesystem": {"read-exec": ["/bin"]},
        "health": {"live": {"checks": [{"name": "alive", "exec": ["/bin/busybox", "true"], "every": "1s"}]}},
        "shutdown": {"stop-timeout": "60s", "grace": "1s", "lb-grace": "10s", "lb-grace-least": "1s"}}))
    return engine, engine.import_root(root, "lazaret-health", 'ENTRYPOINT ["/lazaret-init", "--policy", "/policy.yaml", "--"]')


def docker_until(engine, name, user, what):
    end = time.monotonic() + fence.PATIENCE
    while (said := engine.call("exec", "--user", user, name, "/lazaret-init", "probe", what)).code != 0:
        check(time.monotonic() < end, f"{name} as {user}: {what}: {said}; {engine.call('logs', name).err[-2000:]}")
        time.sleep(0.1)
    return said


@case("under Docker: any user, no variable, an empty image, a read-only root, and docker's own init in front")
def docker():
    engine, image = docker_engine()
    for options, users in (((), ("0", "10001", "65534")), (("--read-only",), ("0", "4711")), (("--init",), ("0", "10001"))):
        name = engine.start(image, ["/bin/busybox", "sleep", "1000"], options=options)
        for user, what in itertools.product(users, ("ready", "live", "startup")):
            said = docker_until(engine, name, user, what)
            check_equal((said.out.count("\n"), said.err), (1, ""), f"{options} as {user}: {what}")
        engine.call("rm", "--force", name)


@case("containers that share a PID namespace: each probe believes the init of its own, and no other's root answers for it")
def shared():
    engine, image = docker_engine()
    words = ["/bin/busybox", "sleep", "1000"]
    first = engine.start(image, words, options=("--ipc", "shareable", "--read-only"))  # its sockets are in /dev/shm
    for user in ("0", "10001"):
        docker_until(engine, first, user, "live")
    plain = engine.start(image, words[1:], options=("--pid", f"container:{first}", "--ipc", f"container:{first}", "--entrypoint", words[0]))
    for user in ("0", "10001"):  # it has no init, and finds that of the first, which is PID 1 to it as well
        said = engine.call("exec", "--user", user, plain, "/lazaret-init", "probe", "live")
        check(said.code == 1 and "somebody else listens" in said.out, f"{user}: the first container's init answers: {said}")
    beside = engine.start(image, words, options=("--pid", f"container:{first}"))  # one with folders of its own
    for name, user in itertools.product((first, beside), ("0", "10001")):
        docker_until(engine, name, user, "live")
    second = engine.start(image, words, options=("--pid", f"container:{first}", "--ipc", f"container:{first}", "--read-only"))
    for user in ("0", "10001"):
        docker_until(engine, second, user, "live")  # it has taken the names in /dev/shm
        said = engine.call("exec", "--user", user, first, "/lazaret-init", "probe", "live")
        check(said.code == 1 and "somebody else listens" in said.out, f"{user}: another container's init answers: {said}")
        docker_until(engine, beside, user, "live")
    for name in (second, beside, plain, first):
        engine.call("rm", "--force", name)


if __name__ == "__main__":
    laz.main()
