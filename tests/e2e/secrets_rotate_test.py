# SPDX-License-Identifier: Apache-2.0
"""Secrets that change while the workload runs: the real init, the real helpers, and the stand-in for AWS.

What has changed is a whole new generation behind the same link, hidden from the logs before it is there, and told to the
workload. What has not changed is not touched; what fails leaves what was there, by itself, and says so.
"""
import json
import os
import secrets
import shutil
import signal
import subprocess
import time

import adapters
import fence
import laz
import secret_world
import ship_world
from laz import case, check, check_equal
from secret_world import ARN, Standin
from secrets_world import World

# Says each HUP, and what the password then is; and prints it, for the logs to hide.
WORKLOAD = """
import signal, sys
folder, out = sys.argv[1], sys.argv[2]
def hup(*_):
    value = open(folder + '/db/password').read()
    print('hup', value, flush=True)
    with open(out + '.hups', 'a') as file:
        file.write(value + '\\n')
signal.signal(signal.SIGHUP, hup)
print('first', open(folder + '/db/password').read(), flush=True)
open(out + '.ready', 'w').close()
time.sleep(60)
"""


def canary():
    return "CANARY" + secrets.token_hex(12)


class Rotating:
    """One container with two secrets, password and token, of a stand-in that others can change."""

    def __init__(self, **more):
        self.password, self.token, self.version = canary(), canary(), 1
        self.services = Standin(**self.held())
        url = f"https://127.0.0.1:{self.services.port}"
        items = [{"name": "password", "from": ARN + "prod/db-AbCdEf", "bytes": {"min": 8, "max": 64},
                  "file": {"path": "db/password"}, "on-change": {"signal": "HUP"}},
                 {"name": "token", "from": "/prod/token", "file": {"path": "token"}},
                 {"name": "fixed", "from": "/prod/token", "file": {"path": "fixed"}, "refresh": False}]
        said = {"ca": str(self.services.ca), "start-deadline": "8s", "grace": "1s",
                "endpoints": {"secrets-manager": url, "ssm": url},
                "refresh": {"interval": "10s", "jitter": "0%", "min-interval": "1s"}, **more}
        self.world = World(items, {}, real=True, changes={"secrets": said})
        self.world.sinks = [{"name": "trail", "type": "file", "path": str(self.world.trail),
                             "classes": ["audit", "ids", "log"], "required": True}]

    def held(self):
        return {"secrets": secret_world.secret("prod/db", self.password, f"{self.version:08d}-2222-3333-4444-555555555555"),
                "parameters": {"/prod/token": {"Value": self.token, "Version": self.version}}}

    def change(self, **values):
        self.__dict__.update(values)
        self.version += 1
        self.services.data(**self.held())

    def start(self, workload=WORKLOAD):
        return self.world.start(workload, env={**fence.ENVIRONMENT, **self.services.environment()})

    def until(self, ev, obj=None, act=None, seconds=20):
        """The first record of this kind; it has to come."""
        def find():
            return [r for r in self.world.records(ev) if (obj is None or r["obj"] == obj) and (act is None or r["act"] == act)]
        ship_world.until(lambda: find() or self.world.run.has_ended(0.01),
                         lambda: f"no {ev} of {obj}: {self.world.run.describe()} {self.world.records()}", seconds)
        check(find(), f"no {ev} of {obj}, and it has ended: {self.world.run.describe()}")
        return find()[0]

    def until_ready(self):
        ready = self.world.seen_path.with_name("seen.json.ready")
        ship_world.until(ready.exists, lambda: self.world.run.describe(), 15)

    def hups(self):
        path = self.world.seen_path.with_name("seen.json.hups")
        return path.read_text().split() if path.exists() else []

    def link(self):
        """The link that swaps: where it leads, and which it is."""
        path = self.world.disk.seen(self.world.dir) / "..data"
        return os.readlink(path), os.lstat(path).st_ino

    def file(self, name):
        return (self.world.disk.seen(self.world.dir) / os.readlink(
            self.world.disk.seen(self.world.dir) / "..data") / name).read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.world.close()


    def status(self):
        """What `lazaret secrets status` says of each."""
        code, out, errors = self.world.lazaret("secrets", "status", "--json")
        check(out, errors)
        return code, {s["name"]: s for s in json.loads(out)["secrets"]}

    def rotate(self, *words):
        code, out, errors = self.world.lazaret("secrets", "rotate", *words)
        check_equal(code, 0, errors)
        return out


def ticks(pid):
    """Of the processor that a process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return sum(map(int, file.read().rpartition(")")[2].split()[11:13]))


@case("a value that has changed: another generation, the link swapped, HUP at the workload, both values hidden; then the old one goes")
def changes():
    with Rotating() as it:
        old = it.password
        with it.start() as run:
            it.until_ready()
            before = it.link()
            it.change(password=canary())
            seen = it.until("secret.rotate", "password")
            check_equal((seen["act"], seen["d"]["version"][:8], seen["d"]["old_version"][:8], seen["d"]["generation"]),
                        ("rotated", "00000002", "00000001", 2), "the record")
            check(seen["d"]["fingerprint"] != seen["d"]["old_fingerprint"], f"{seen}")
            check_equal((before[0], it.link()[0]), ("..g1", "..g2"), "the link")
            check_equal((it.file("db/password"), it.file("token"), it.file("fixed")), (it.password, it.token, it.token), "files")
            check_equal(it.until("secret.signal")["act"], "sent", "the signal")
            ship_world.until(it.hups, run.describe, fence.PATIENCE)
            check_equal(it.hups(), [it.password], "what the workload read when it was told")
            ship_world.until(lambda: not any(n.startswith("..g1") for n in it.world.left()), run.describe, fence.PATIENCE)
            check_equal([r["obj"] for r in it.world.records("secret.rotate")], ["password"], "only one of them has changed")
            run.kill(fence.TERM)
            run.wait()
        trail = it.world.trail.read_bytes()
        check(b"hup " in trail and b"first " in trail, "what the workload printed is not in the trail")
        for value in (old, it.password):
            check(value.encode() not in trail, "a value is in the trail")
        check_equal(it.world.left(), [], "what is left on the tmpfs")
    it.services.check_rules()


@case("asked for by hand: what has not changed is not touched and nobody hears of it; a value that is no good leaves the old one, and says so", beside=True)
def by_hand():
    with Rotating(refresh={"interval": "600s", "min-interval": "1s"}) as it:
        with it.start() as run:
            it.until_ready()
            before = it.link()
            time.sleep(1.1)  # min-interval
            asked = len(it.services.requests("GetSecretValue"))
            check("asked for" in it.rotate("password"), "what rotate says")
            ship_world.until(lambda: len(it.services.requests("GetSecretValue")) > asked, run.describe, fence.PATIENCE)
            ship_world.until(lambda: it.status()[1]["password"]["next_s"] > 100, run.describe, fence.PATIENCE)
            check_equal(it.link(), before, "the link")
            check_equal(len(it.services.requests("GetParameter")), 2, "the others are not asked for")
            check_equal((it.hups(), it.world.records("secret.rotate"), it.world.records("secret.signal")), ([], [], []), "what anybody heard")

            good = it.password
            it.change(password="short")
            said = it.rotate("password")
            check("asked for in 1 s" in said or "asked for now" in said or "asked for in 2 s" in said, f"min-interval: {said}")
            failed = it.until("secret.fetch", "password", "failed")
            check(failed["d"]["message"].startswith("length: "), f"{failed}")
            check("short" not in json.dumps(failed).replace("shorter", "").replace("too short", ""), f"the value is in {failed}")
            code, all_of = it.status()
            check_equal((code, all_of["password"]["state"], all_of["token"]["state"]), (1, "failing", "good"), "status")
            check(all_of["password"]["message"].startswith("length: "), f"{all_of}")
            check_equal((it.link(), it.file("db/password")), (before, good), "what the workload has")

            it.change(password=good)
            ship_world.until(lambda: it.status()[1]["password"]["state"] == "good", run.describe, 20)
            check_equal(it.until("secret.fetch", "password", "unchanged")["sev"], 1, "it is well again")
            check_equal(it.link(), before, "the link")

            it.change(password=canary(), token=canary())
            check_equal(it.rotate("--all").count("asked for"), 2, "the items that are renewed")
            for name in ("password", "token"):
                it.until("secret.rotate", name, "rotated")
            check_equal((it.file("db/password"), it.file("token")), (it.password, it.token), "files")
            check(it.file("fixed") != it.token, "what is not renewed has changed")
            run.kill(fence.TERM)
            run.wait()
    it.services.check_rules()


# Prints at each HUP what its descriptor has, which is the first value, and all that its file ever had.
HOLDS = """
import os, signal, sys, time
path, out, seen = sys.argv[1] + '/db/password', sys.argv[2], []
def hup(*_):
    value = open(path).read()
    seen.append(value)
    print('held', len(seen), os.pread(20, 4096, 0).decode(), *seen, flush=True)
signal.signal(signal.SIGHUP, hup)
hup()
open(out + '.ready', 'w').close()
time.sleep(60)
"""


@case("a descriptor keeps the first value, and the logs hide it after four renewals as ever, also of another ship", beside=True)
def held_by_a_descriptor():
    with Rotating(refresh={"interval": "600s", "min-interval": "1s"}) as it:
        it.world.items[0]["fd"] = {"number": 20}
        values = [it.password]

        def printed(count):
            return [m for r in it.world.records("log") if (m := ship_world.text_of(r).decode()).startswith(f"held {count} ")]

        with it.start(HOLDS) as run:
            it.until_ready()
            for number in range(2, 6):
                values.append(canary())
                it.change(password=values[-1])
                it.rotate("password")
                ship_world.until(lambda n=number: printed(n), run.describe, 20)
            # Masked are the first and the last three; the one between is the control.
            mask = "[REDACTED:secret]"
            check_equal(printed(5), [f"held 5 {mask} {mask} {values[1]} {mask} {mask} {mask}"], "what is printed")
            ship = it.world.pid("lazaret-ship")
            os.kill(ship, signal.SIGKILL)
            ship_world.until(lambda: it.world.pid("lazaret-ship") not in (None, ship), run.describe)
            run.kill(signal.SIGHUP)  # which init hands on
            ship_world.until(lambda: printed(6), run.describe, 20)
            check_equal(printed(6), [f"held 6 {mask} {mask} {values[1]} {mask} {mask} {mask} {mask}"], "of another ship")
            run.kill(fence.TERM)
            run.wait()
        check(values[0].encode() not in it.world.trail.read_bytes(), "the first value is in the trail")


@case("a source that the workload leads elsewhere while it runs is not read, and what it has stays; of a CA likewise")
def led_elsewhere():
    with Rotating(refresh={"interval": "600s", "min-interval": "1s"}) as it:
        folder, foreign = it.world.kept / "agent", it.world.kept / "foreign"
        folder.mkdir()
        shutil.chown(folder, 100)
        foreign.write_text("CANARYforeign")
        foreign.chmod(0o400)
        (folder / "token").write_text("CANARYfirst")
        shutil.copy(it.services.ca, folder / "ca.pem")
        it.world.items.append({"name": "agent", "from": {"file": str(folder / "token")}, "file": {"path": "agent"}})
        it.world.changes["secrets"]["ca"] = str(folder / "ca.pem")

        def lead(user, name="token"):
            subprocess.run(["setpriv", f"--reuid={user}", "--clear-groups", "ln", "-sfn", foreign, folder / name], check=True)

        with it.start() as run:
            it.until_ready()
            check_equal(it.file("agent"), "CANARYfirst", "at the start")
            time.sleep(1.1)  # min-interval
            lead(100)  # control: whoever keeps the folder may, and root reads it for them
            it.rotate("agent")
            it.until("secret.rotate", "agent", "rotated")
            check_equal(it.file("agent"), "CANARYforeign", "what its owner leads to")
            (folder / "token").unlink()
            (folder / "token").write_text("CANARYsecond")
            time.sleep(1.1)
            it.rotate("agent")
            ship_world.until(lambda: it.file("agent") == "CANARYsecond", run.describe, 20)
            shutil.chown(folder, adapters.WORKLOAD_UID)
            lead(adapters.WORKLOAD_UID)
            time.sleep(1.1)
            it.rotate("agent")
            failed = it.until("secret.fetch", "agent", "failed")["d"]["message"]
            check(failed.startswith(f"refused: file {folder}/token: {folder} belongs to the workload"), failed)
            check_equal(it.file("agent"), "CANARYsecond", "what the workload has")
            it.rotate("password")
            failed = it.until("secret.fetch", "password", "failed")["d"]["message"]
            check(f"secrets.ca: {folder}/ca.pem: {folder} belongs to the workload" in failed, failed)
            run.kill(fence.TERM)
            run.wait()


@case("lazaret secrets: codes and words, for whoever may ask and whoever may not")
def command():
    with Rotating() as it:
        code, _, errors = it.world.lazaret("secrets", "status")
        check_equal(code, 1, "nobody answers")
        check("no init answers at /run/lazaret/control." in errors, errors)
        with it.start() as run:
            it.until_ready()
            code, out, _ = it.world.lazaret("secrets", "status")
            check_equal(code, 0, out)
            check_equal([line.split()[:2] for line in out.splitlines()],
                        [["password", "good"], ["token", "good"], ["fixed", "good"]], "status")
            check(out.splitlines()[2].endswith("not renewed"), out)
            for words, code, said in ((("rotate", "nothing"), 2, "there is no such item"),
                                      (("rotate", "fixed"), 1, "it is not renewed"),
                                      (("rotate",), 2, "needs NAME or --all"), (("rotate", "a", "--all"), 2, "needs NAME or --all"),
                                      (("status", "a"), 2, "does not know what to do")):
                got, _, errors = it.world.lazaret("secrets", *words)
                check_equal(got, code, f"{words}: {errors}")
                check(said in errors, f"{words}: {errors}")
            user = ("setpriv", "--reuid=10001", "--clear-groups")
            code, _, errors = it.world.lazaret("secrets", "status", wrapper=user)
            check_equal(code, 1, errors)
            check("only the user that lazaret-init runs as may ask" in errors, errors)
            run.kill(fence.TERM)
            run.wait()
            start = it.world.records("init.start")[0]
            check("control-absent" not in start["d"]["degraded"], f"{start}")


@case("too old: not ready at the stated second, with the reason; confirmed again, ready. Where the policy says so, the run stops with 103", beside=True)
def stale():
    with Rotating(stale={"max": "11s", "then": "not-ready"}) as it, \
            Rotating(stale={"max": "11s", "then": "stop"}) as other:
        with it.start() as run, other.start() as stopped:
            for one in (it, other):
                one.until_ready()
                one.services.rules(fault="denied", call="GetSecretValue")
            off = it.until("ready.off")
            check_equal((off["obj"], off["d"]), ("stale", {"item": "password"}), "why")
            old = it.until("secret.stale")
            check_equal((old["obj"], old["d"]["seconds"]), ("password", 11), "what is stale, and since when")
            check("denied: " in old["d"]["message"], f"{old}")
            check_equal((it.status()[1]["password"]["state"], it.status()[1]["token"]["state"]), ("stale", "good"), "status")
            check_equal(it.file("db/password"), it.password, "it is there all the same")
            it.services.rules()
            check_equal(it.until("ready.on")["obj"], "stale", "again")
            check_equal(str(stopped.wait(20)), "exit 103", stopped.stderr())
            run.kill(fence.TERM)
            run.wait()
        check_equal(other.world.records("init.stop")[0]["obj"], "secret-stale", "why it stopped")
        check_equal(other.world.left(), [], "what is left on the tmpfs")


# No handler, and HUP held back: for moments, as a libc does around fork; or by all threads for good, one of which looks for it.
MOMENTS = """
import random, signal, sys, time
open(sys.argv[2] + '.ready', 'w').close()
end = time.monotonic() + 60
while time.monotonic() < end:
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    time.sleep(random.uniform(0, 0.05))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, range(1, 65))
    time.sleep(random.uniform(0.05, 0.1))
"""
WAITS = """
import signal, sys, threading, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
def wait():
    while signal.SIGHUP not in signal.sigpending():  # as a signalfd would say
        time.sleep(0.02)
    open(sys.argv[2] + '.hups', 'w').write('heard')
threading.Thread(target=wait, daemon=True).start()
open(sys.argv[2] + '.ready', 'w').close()
time.sleep(60)
"""


@case("the signal waits for a handler, or for who waits for it: a workload that does neither is not ended by it", beside=True)
def deferred():
    late = WORKLOAD.replace("signal.signal(signal.SIGHUP, hup)", "").replace(
        "time.sleep(60)", "while not os.path.exists(out + '.go'): time.sleep(0.05)\nsignal.signal(signal.SIGHUP, hup)\ntime.sleep(60)")
    rare = {"refresh": {"interval": "600s", "min-interval": "1s"}}
    with Rotating(**rare) as it, Rotating(**rare) as moments, Rotating(**rare) as waits:
        with it.start(late) as run, moments.start(MOMENTS) as spawning, waits.start(WAITS) as waiting:
            for one in (it, moments, waits):
                one.until_ready()
                one.change(password=canary())
                one.rotate("password")
                check_equal(one.until("secret.signal")["act"], "deferred", "the signal")
            check_equal(it.file("db/password"), it.password, "the file is there already")
            it.world.seen_path.with_name("seen.json.go").touch()
            it.until("secret.signal", act="sent")
            ship_world.until(it.hups, run.describe, fence.PATIENCE)
            check_equal([r["act"] for r in it.world.records("secret.signal")], ["deferred", "sent"], "and once")
            waits.until("secret.signal", act="sent", seconds=30)
            ship_world.until(waits.hups, waiting.describe, 30)
            check_equal(len(moments.world.records("secret.signal")), 1, "who blocks it for moments")
            check(not spawning.has_ended(0.01), spawning.describe())
            for one in (run, spawning, waiting):
                one.kill(fence.TERM)
                one.wait()


if laz.LONG:  # the short run has it in tests/unit/init/renewal_test.c, with a clock of its own
    @case("where ship lives and does not answer, a change is given up after half a minute, with the reason, and made when it answers again", beside=True)
    def mute():
        with Rotating(refresh={"interval": "600s", "min-interval": "1s"}) as it:
            with it.start() as run:
                it.until_ready()
                old = it.password
                ship = next(p for p in run.children() if fence.comm(p) == "lazaret-ship")
                os.kill(ship, signal.SIGSTOP)
                began = time.monotonic()
                it.change(password=canary())
                it.rotate("password")
                ship_world.until(lambda: it.status()[1]["password"]["state"] == "failing", run.describe, 90)
                waited = time.monotonic() - began
                check(29 < waited < 60, f"given up after {waited:.1f} s")
                check_equal(it.status()[1]["password"]["message"],
                            "lazaret-helper ship does not say that the logs hide what is new", "why")
                check_equal(it.file("db/password"), old, "what the workload has")
                os.kill(ship, signal.SIGCONT)
                check_equal(it.until("secret.rotate", "password", "failed")["sev"], 7, "the record")
                it.until("secret.rotate", "password", "rotated", 60)
                check_equal(it.file("db/password"), it.password, "and then")
                run.kill(fence.TERM)
                run.wait()


@case("where launch has ended and an old generation cannot be removed any more, PID 1 does not look for that without a pause", beside=True)
def without_launch():
    with Rotating(grace="2s") as it:
        with it.start() as run:
            it.until_ready()
            it.change(password=canary())
            it.until("secret.rotate", "password")
            launch = next(p for p in run.children() if fence.comm(p) == "lazaret-launch")
            os.kill(launch, fence.KILL)
            it.until("helper.exit", "launch")
            time.sleep(3)  # the grace of the old generation is over
            before = ticks(run.pid)
            time.sleep(2)
            used = (ticks(run.pid) - before) / os.sysconf("SC_CLK_TCK")
            check(used < 0.5, f"PID 1 has used {used} s of two seconds")
            run.kill(fence.TERM)
            run.wait()



if __name__ == "__main__":
    laz.main()
