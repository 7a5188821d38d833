# SPDX-License-Identifier: Apache-2.0
"""Secrets at the start: they are there, as the policy says, before the workload runs; or it does not run, by name.

What lies where, whose it is and who can read it; what is left of it afterwards; and what happens when fetch, launch, the
tmpfs or the capabilities fail.
"""
import json
import os
import pathlib
import re
import secrets
import socket
import subprocess
import time

import adapters
import fence
import laz
import ship_world
from laz import case, check, check_equal
from secrets_world import FETCH, World

UID = adapters.WORKLOAD_UID
PASSWORD = f"laz-canary-{secrets.token_hex(12)}".encode()
KEY = secrets.token_bytes(64)
VARIABLE = f"laz-variable-{secrets.token_hex(12)}"
HOUSEHOLD = {**fence.ENVIRONMENT, "OLD_TOKEN": VARIABLE}


def item(name, **rest):
    return {"name": name, "from": {"file": f"/nowhere/{name}"}, **rest}


def three():
    """A file, a descriptor, and one that is both and was a variable."""
    return [item("one", file={"path": "db/password"}),
            item("two", fd={"number": 20, "variable": "KEY_FD"}),
            {"name": "three", "from": {"variable": "OLD_TOKEN"}, "file": {"path": "token", "mode": "0444"},
             "fd": {"number": 200, "variable": "TOKEN_FD"}}]


VALUES = {0: PASSWORD, 1: KEY}


def check_seen(seen, uid=UID):
    check_equal(seen["files"], {"db/password": [PASSWORD.hex(), uid, uid, "0o400"],
                                "token": [VARIABLE.encode().hex(), uid, uid, "0o444"]}, "files")
    check_equal(seen["links"], {"..data": "..g1", "db": "..data/db", "token": "..data/token"}, "links")
    expected = {"20": KEY.hex(), "200": VARIABLE.encode().hex()}
    check_equal(seen["fds"], {n: [v, v, uid, "0o400", "Bad file descriptor"] for n, v in expected.items()}, "descriptors")
    check_equal(seen["open"], [0, 1, 2, 20, 200], "what is open")
    check_equal((seen["environ"].get("KEY_FD"), seen["environ"].get("TOKEN_FD")), ("20", "200"), "variables")
    check(VARIABLE not in json.dumps(seen["environ"]), "the variable is still in the environment")


def file_sink(path):
    return {"name": "trail", "type": "file", "path": str(path), "classes": ["audit", "ids", "log"],
            "required": True}


def with_sinks(world):
    world.sinks = [file_sink(world.trail)]
    return world


def both_ways(name):
    """A case without sinks, and one with them."""
    def register(function):
        for way, prepare in (("secrets alone", lambda world: world), ("with a sink", with_sinks)):
            def run(prepare=prepare):
                function(prepare)
            case(f"{name} [{way}]")(run)
        return function
    return register


@both_ways("files and descriptors are there before the workload runs, whole, its own, and removed when it has ended")
def there(prepare):
    for mode in adapters.MODES:
        with prepare(World(three(), VALUES)) as world:
            with world.start("sys.exit(7)", mode, numbers=(20, 200), env=HOUSEHOLD) as run:
                check_seen(world.seen())
                check_equal(str(run.wait()), "exit 7", run.stderr())
            check_equal(world.left(), [], "what is left on the tmpfs")
            fetched = [(r["obj"], r["act"], r["d"]) for r in world.records("secret.fetch")]
            d = {"version": "v1", "fingerprint": "0011223344556677"}
            check_equal(fetched, [(n, "fetched", d) for n in ("one", "two", "three")], "records")
            delivered = [(r["obj"], r["act"], r["d"]) for r in world.records("secret.deliver")]
            check_equal(sorted(delivered, key=str), sorted([
                ("one", "delivered", {"dir": str(world.dir), "path": "db/password"}),
                ("two", "delivered", {"fd": 20}), ("three", "delivered", {"fd": 200}),
                ("three", "delivered", {"dir": str(world.dir), "path": "token"})], key=str), "records")
            events = [r["ev"] for r in world.records()]
            check(events.index("secret.deliver") < events.index("init.start"), f"{events}")


@case("nobody holds a value but the workload's files and descriptors: no environment, no memory of init or launch")
def nowhere():
    for prepare in (lambda world: world, with_sinks):
        with prepare(World(three(), VALUES)) as world:
            with world.start("keep = open('/proc/self/fd/20', 'rb').read(); print(flush=True); time.sleep(30)",
                             numbers=(20, 200), env=HOUSEHOLD) as run:
                world.seen()
                workload = next(p for p in run.children() if fence.comm(p) == "python3")
                ship_world.until(lambda: any(KEY in content for _, content in fence.memory(workload)),
                                 "value in the workload: the search shows nothing")
                ours = [p for p in run.children() if fence.comm(p).startswith("lazaret")]
                check(world.pid(FETCH) is None, "fetch still lives")
                for pid in [run.pid, *ours]:
                    who = fence.comm(pid)
                    for value in (PASSWORD, KEY, VARIABLE.encode()):
                        found = [name for name, content in fence.memory(pid) if value in content]
                        check(who.startswith("lazaret-ship") or not found, f"{who}: {found}")
                for pid in [run.pid, *run.children()]:
                    for name in ("environ", "cmdline"):
                        with open(f"/proc/{pid}/{name}", "rb") as file:
                            content = file.read()
                        for value in (PASSWORD, KEY, VARIABLE.encode()):
                            check(value not in content, f"{name} of {fence.comm(pid)}")
                run.kill(fence.TERM)
                run.wait()
            said = json.dumps(world.records()) + run.stderr()
            for value in (PASSWORD.decode(), KEY.hex(), VARIABLE):
                check(value not in said, "in the records")


def from_files(folder):
    """The same three items, of sources that the real helper has, which come out of it as VALUES."""
    (folder / "one").write_bytes(PASSWORD)
    (folder / "two").write_bytes(KEY)
    items = three()
    for number, name in ((0, "one"), (1, "two")):
        items[number]["from"] = {"file": str(folder / name)}
        (folder / name).chmod(0o400)
    return items


@both_ways("the real helper, of files that only root may read, and of a variable: all of it is there, its descriptors too")
def real(prepare):
    for mode in adapters.MODES:
        with prepare(World([], VALUES, real=True)) as world:
            world.items = from_files(world.kept)
            with world.start("print(open(sys.argv[1] + '/db/password').read(), flush=True)", mode, numbers=(20, 200),
                             env=HOUSEHOLD) as run:
                check_seen(world.seen())
                check_equal(str(run.wait()), "exit 0", run.stderr())
            check_equal(world.left(), [], "what is left on the tmpfs")
            prints = [r["d"]["fingerprint"] for r in world.records("secret.fetch")]
            check_equal((len(prints), len(set(prints)), {len(p) for p in prints}), (3, 3, {16}), "fingerprints")
            check_equal(world.records("helper.exit"), [], "records")
            logged = json.dumps(world.records("log"))
            check(PASSWORD.decode() not in logged, "the log has it")
            check_equal(logged.count("[REDACTED:secret]"), 1 if world.sinks else 0, "masked")


@both_ways("the real helper, of what is not there: 103, by the item's name, and nothing lies there; an optional one is absent")
def real_missing(prepare):
    with prepare(World([], VALUES, real=True)) as world:
        world.items = from_files(world.kept)
        (world.kept / "two").unlink()
        refused(world, 103, "secret-unavailable: secrets.items[two]:", env=HOUSEHOLD)
        world.items = from_files(world.kept)
        (world.folder / "events").unlink(missing_ok=True)
        world.trail = world.kept / "trail-2.jsonl"
        world.sinks = [{**s, "path": str(world.trail)} for s in world.sinks]
        refused(world, 103, "secret-unavailable: secrets.items[three]:")  # the variable is not set
        world.items[2]["optional"] = True
        with world.start(numbers=(20, 200)) as run:
            seen = world.seen()
            check_equal(str(run.wait()), "exit 0", run.stderr())
        check_equal((list(seen["files"]), seen["fds"]["200"]), (["db/password"], "Bad file descriptor"), "what is there")


@case("killed before any step of the delivery, launch leaves nothing behind, and the workload does not run")
def launch_killed_while_it_delivers():
    for call, times in (("mkdirat", 2), ("sendfile", 2), ("fchmod", 4), ("fchown", 4), ("symlinkat", 3), ("renameat", 1)):
        for n in range(1, times + 1) if laz.LONG else (times,):
            with World(three(), VALUES, "slow", 9) as world:
                with world.start(env=HOUSEHOLD) as run:
                    ship_world.until(lambda: world.starts() == 1, "fetch")
                    with ship_world.Injector(world.pid("lazaret-launch"), call, n):
                        check_equal(run.wait().code, 103, f"{call} {n}: {run.stderr()}")
                    check("the process that delivers secrets has ended" in run.stderr(), f"{call} {n}: {run.stderr()}")
                check(not world.marker.exists(), f"{call} {n}: the workload ran")
                check_equal(world.left(), [], f"{call} {n}: what is left")


REFUSALS = {"mkdirat": "make the folder of a generation", "openat": "", "sendfile": "write the file", "fchmod": "set the mode",
            "fchown": "set the owner", "symlinkat": "", "renameat": "swap the generation"}


@case("a call of launch that fails: 103 with the step, by name, and nothing is left")
def launch_refused():
    for call, step in REFUSALS.items():
        for n in (1, 2) if laz.LONG else (2 if call == "fchmod" else 1,):
            if (call, n) == ("renameat", 2):
                continue
            with World([item("one", file={"path": "db/password"}), item("two", file={"path": "key"})], VALUES,
                       "slow", 9) as world:
                with world.start() as run:
                    ship_world.until(lambda: world.starts() == 1, "fetch")
                    with ship_world.Tracer(world.pid("lazaret-launch"), [
                            "strace", "-qq", "-o", "/dev/null", "-e", f"inject={call}:error=EIO:when={n}", "-e", f"trace={call}",
                            "-p", str(world.pid("lazaret-launch"))]):
                        check_equal(run.wait().code, 103, f"{call} {n}: {run.stderr()}")
                    errors = run.stderr()
                    why = any(libc in errors for libc in ("I/O error", "Input/output error"))
                    check(re.search(r'secret-undeliverable: (secrets\.dir: |item "(one|two)": )', errors) and why, f"{call} {n}: {errors}")
                    check(step in errors or (call, n) in (("mkdirat", 2), ("fchmod", 1), ("fchmod", 2)), f"{call} {n}: {errors}")
                check(not world.marker.exists(), f"{call} {n}: the workload ran")
                check_equal(world.left(), [], f"{call} {n}: what is left")


@both_ways("kill -9 of launch while the workload runs: it runs on, its code counts, nobody waits, and the files stay")
def launch_killed_later(prepare):
    with prepare(World(three(), VALUES)) as world:
        with world.start("time.sleep(0.5); sys.exit(7)", env=HOUSEHOLD) as run:
            world.seen()
            os.kill(world.pid("lazaret-launch"), fence.KILL)
            ended = run.wait()
            check_equal(ended.code, 7, run.stderr())
        check("..data" in world.left(), f"{world.left()}")
        check_equal([(r["obj"], r["act"]) for r in world.records("helper.exit")], [("launch", "lost")], "records")


@case("a ship that takes over masks them too")
def masked_after_a_crash():
    with with_sinks(World(three(), VALUES)) as world:
        say = "print('before', open(sys.argv[1] + '/db/password').read(), flush=True)"
        with world.start(f"{say}\nwhile not os.path.exists({str(world.folder / 'go')!r}): time.sleep(0.01)\n"
                         f"{say.replace('before', 'after')}", env=HOUSEHOLD) as run:
            world.seen()
            ship = world.pid("lazaret-ship")
            os.kill(ship, fence.KILL)
            ship_world.until(lambda: world.pid("lazaret-ship") not in (None, ship), "another ship")
            (world.folder / "go").touch()
            check_equal(str(run.wait()), "exit 0", run.stderr())
        logged = [r["d"]["msg"] for r in world.records("log")]
        check_equal(logged, ["before [REDACTED:secret]", "after [REDACTED:secret]"], "the log")


@case("a value that is said to be is in the workload's environment; in no environment and no memory of ours, in no record, and not in init")
def exposed():
    long = secrets.token_hex(16384).encode()
    items = [item("one", **{"expose-in-environment": {"variable": "DB_PASSWORD"}}),
             item("two", fd={"number": 20, "variable": "KEY_FD"}),
             {"name": "three", "from": {"variable": "OLD_TOKEN"}, "expose-in-environment": {"variable": "OLD_TOKEN"}},
             item("four", file={"path": "long"}, **{"expose-in-environment": {"variable": "LONG"}}),
             item("five", optional=True, **{"expose-in-environment": {"variable": "ABSENT"}})]
    for mode in adapters.MODES:
        for prepare in (lambda world: world, with_sinks):
            with prepare(World(items, {**VALUES, 3: long})) as world:
                with world.start("print(os.environ['DB_PASSWORD'], flush=True); time.sleep(30)", mode, numbers=(20,), env=HOUSEHOLD) as run:
                    seen = world.seen()
                    names = ("DB_PASSWORD", "OLD_TOKEN", "LONG", "KEY_FD", "ABSENT")
                    check_equal([seen["environ"].get(n) for n in names], [PASSWORD.decode(), VARIABLE, long.decode(), "20", None], "environment")
                    check_equal((list(seen["files"]), seen["open"]), (["long"], [0, 1, 2, 20]), "files and descriptors")
                    workload = next(p for p in run.children() if fence.comm(p) == "python3")
                    shown = pathlib.Path(f"/proc/{workload}/environ").read_bytes()
                    check(PASSWORD in shown, "the environment of the workload is not seen: the search shows nothing")
                    ours = [p for p in run.children() if fence.comm(p).startswith("lazaret")]
                    for pid in [run.pid, *ours]:
                        who = fence.comm(pid)
                        shown = pathlib.Path(f"/proc/{pid}/environ").read_bytes() + pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                        for value in (PASSWORD, VARIABLE.encode(), long):
                            check(value not in shown, f"environment or command line of {who}")
                            found = [name for name, content in fence.memory(pid) if value in content]
                            check(who.startswith("lazaret-ship") or not found, f"{who}: {found}")
                    held = [os.readlink(f) for f in pathlib.Path(f"/proc/{run.pid}/fd").iterdir()]
                    check_equal(len([h for h in held if "lazaret-value" in h]), 4, f"what a ship would mask by, and nothing else: {held}")
                    run.kill(fence.TERM)
                    run.wait()
                delivered = {(r["obj"], r["d"].get("variable")) for r in world.records("secret.deliver")}
                check(delivered >= {("one", "DB_PASSWORD"), ("three", "OLD_TOKEN"), ("four", "LONG")}, f"{delivered}")
                start = world.records("init.start")[0]["d"]["relaxations"]
                check("secrets: one is in the environment, as DB_PASSWORD" in start, f"{start}")
                if world.sinks:
                    said = world.trail.read_text()
                    check("[REDACTED" in said and PASSWORD.decode() not in said and VARIABLE not in said, f"the trail: {said[-2000:]}")


@case("behind Landlock, without a word about it in the policy, the workload reads its files")
def landlock():
    folder = fence.scratch() / "written"
    folder.mkdir()
    folder.chmod(0o777)
    granted = {"read-exec": ["/usr", "/lib", "/lib64"], "read": ["/etc", "/proc", "/dev", str(laz.ROOT / "tests")],
               "write": [str(folder)], "optional": ["/lib64"]}
    with World(three(), VALUES, changes={"requires": {"landlock": "required"}, "filesystem": granted}) as world:
        world.seen_path, world.marker = folder / "seen.json", folder / "ran"
        with world.start(numbers=(20, 200), env=HOUSEHOLD) as run:
            check_seen(world.seen())
            check_equal(str(run.wait()), "exit 0", run.stderr())


@case("an optional secret that is absent: no file, a closed descriptor, and a record that says so")
def absent():
    items = [item("one", file={"path": "a"}), item("two", optional=True, file={"path": "b/c"},
                                                   fd={"number": 30, "variable": "TWO_FD"})]
    with World(items, {0: PASSWORD}) as world:
        with world.start(numbers=(30,)) as run:
            seen = world.seen()
            check_equal(str(run.wait()), "exit 0", run.stderr())
        check_equal((list(seen["files"]), seen["fds"]), (["a"], {"30": "Bad file descriptor"}), "what is there")
        acts = [(r["obj"], r["act"], r["sev"]) for r in world.records("secret.fetch")]
        check_equal(acts, [("one", "fetched", 1), ("two", "absent", 3)], "records")
        check_equal([r["obj"] for r in world.records("secret.deliver")], ["one"], "delivered")


def refused(world, code, words, **start):
    """The run is refused with this code and these words, the workload has not run, and nothing lies on the tmpfs."""
    seen, errors = world.outcome(**start)
    check_equal(seen, code, errors)
    check(words in errors, f"{words!r} is not in {errors}")
    check(not world.marker.exists(), "the workload ran")
    records = world.records("init.stop")
    check_equal([(r["act"], r["d"]["exit"]) for r in records], [("refused", code)], "records")
    check_equal([n for n in world.left() if ".." in n], [], "what is left on the tmpfs")


@both_ways("what fetch says that it is not to be had is the reason, word by word, and 103; it is not asked again")
def failed(prepare):
    with prepare(World(three(), VALUES, "failed", 9)) as world:
        refused(world, 103, "secret-unavailable: secrets.items[one]: denied: AccessDeniedException (request 4711)")
        check_equal(world.starts(), 1, "starts")


@both_ways("a fetch that crashes before it has said all is started again, and what it had brought is replaced")
def crashes(prepare):
    with prepare(World(three(), VALUES, "crash", 2)) as world:
        with world.start(numbers=(20, 200), env=HOUSEHOLD) as run:
            check_seen(world.seen())
            check_equal(str(run.wait()), "exit 0", run.stderr())
        check_equal(world.starts(), 3, "starts")
        exits = [(r["act"], r["d"]["message"]) for r in world.records("helper.exit")]
        check_equal([a for a, _ in exits], ["restarted"] * 2, f"{exits}")


BREACHES = {"unsealed": 'item "one": lazaret-helper fetch sent a value that is not sealed',
            "large": 'item "one": lazaret-helper fetch sent a value that is too large',
            "folder": 'item "one": lazaret-helper fetch sent a value that is not sealed',
            "number": "lazaret-helper fetch sent what came of an item that there is not",
            "early": "lazaret-helper fetch sent the end, and not everything before it",
            "leaves": "lazaret-helper fetch ended by exit 0"}


@case("a fetch that breaks the rules is ended and replaced; for ever, it is the reason when the time is over")
def breaches():
    changes = {"secrets": {"start-deadline": "1s"}}
    for how, words in BREACHES.items():
        with World(three(), VALUES, how, 1) as world:
            code, errors = world.outcome(numbers=(20, 200), env=HOUSEHOLD)
            check_equal((code, world.starts()), (0, 2), f"{how}: {errors}")
            check_equal([r["d"]["message"] for r in world.records("helper.exit")], [words], how)
    with World(three(), VALUES, "unsealed", 99, changes=changes) as world:
        refused(world, 103, f"within 1000 ms (secrets.start-deadline): {BREACHES['unsealed']}")
        check(world.starts() > 2, f"{world.starts()} starts")


@both_ways("a fetch that never comes up: three tries, and 103; one that says nothing: 103 when its time is over")
def mute(prepare):
    with prepare(World(three(), VALUES, "dies", 99)) as world:
        refused(world, 103, "lazaret-helper does not stay up: lazaret-helper fetch ended by exit 5")
        check_equal(world.starts(), 3, "starts")
    with prepare(World(three(), VALUES, "silent", 99, changes={"secrets": {"start-deadline": "1s"}})) as world:
        began = time.monotonic()
        refused(world, 103, "the secrets were not there within 1000 ms (secrets.start-deadline)")
        check(2.5 < time.monotonic() - began < 20, f"after {time.monotonic() - began:.1f} s")


@both_ways("kill -9 of fetch while it fetches: another one brings everything; a fetch that stays is ended")
def killed(prepare):
    with prepare(World(three(), VALUES, "silent", 1)) as world:
        with world.start(numbers=(20, 200), env=HOUSEHOLD) as run:
            pid = ship_world.until(lambda: world.starts() == 1 and world.pid(FETCH), "fetch")
            time.sleep(0.05)
            os.kill(pid, fence.KILL)
            check_seen(world.seen())
            check_equal(str(run.wait()), "exit 0", run.stderr())
        check_equal(world.starts(), 2, "starts")
    with prepare(World(three(), VALUES, "stays")) as world:
        with world.start(numbers=(20, 200), env=HOUSEHOLD) as run:
            check_seen(world.seen())
            check(world.pid(FETCH) is None, "it lives on")
            check_equal(str(run.wait()), "exit 0", run.stderr())
        check_equal(world.records("helper.exit"), [], "records")


@both_ways("kill -9 of launch while secrets are fetched: 103 by name, at once")
def launch_killed(prepare):
    with prepare(World(three(), VALUES, "silent", 9)) as world:
        with world.start() as run:
            ship_world.until(lambda: world.starts() == 1, "fetch")
            os.kill(world.pid("lazaret-launch"), fence.KILL)
            check_equal(run.wait().code, 103, run.stderr())
            check("the process that delivers secrets has ended" in run.stderr(), run.stderr())
        check(not world.marker.exists(), "the workload ran")


@both_ways("a stop signal while secrets are fetched: the workload never starts, 128 + n, at once")
def stopped(prepare):
    for mode in adapters.MODES:
        with prepare(World(three(), VALUES, "silent", 9)) as world:
            with world.start(mode=mode) as run:
                ship_world.until(lambda: world.starts() == 1, "fetch")
                time.sleep(0.05)
                began = time.monotonic()
                run.kill(fence.TERM)
                check_equal(run.wait().code, 128 + fence.TERM, run.stderr())
                check(time.monotonic() - began < 10, "it took its time")
            check(not world.marker.exists(), "the workload ran")
            check_equal([n for n in world.left() if ".." in n], [], "what is left on the tmpfs")


@case("a tmpfs that is too small: 103 names the item, and not a byte of it stays")
def full():
    values = {0: PASSWORD, 1: secrets.token_bytes(60000)}
    items = [item("one", file={"path": "one"}), item("two", file={"path": "deep/er/two"})]
    with World(items, values, size="40k") as world:
        refused(world, 103, 'secret-undeliverable: item "two": write the file: No space left on device; '
                            "the tmpfs at secrets.dir is too small")
    with World(items, values, size="100k") as world:
        check_equal(world.outcome()[0], 0, "with room for it")


@case("a folder that is not on a tmpfs is refused with 103, by name, and nothing was fetched")
def not_tmpfs():
    with World(three(), VALUES) as world:
        for there in (True, False):
            world.dir = world.folder / f"disk-{there}"
            if there:
                world.dir.mkdir()
            code, errors = world.outcome(env=HOUSEHOLD)
            check_equal(code, 103, errors)
            check(f"secrets.dir: {world.dir} is not on a tmpfs" in errors[:4000], errors)
            check_equal((world.starts(), world.dir.exists()), (0, there), "starts, and the folder")


@case("where the policy has health and tunnels as well, a start that is refused before they begin is refused with its code, by name")
def before_others():
    more = {"network": {"tcp-bind": [8080], "tcp-connect": [6432]},
            "health": {"ready": {"checks": [{"name": "web", "http": "http://127.0.0.1:8080/"}]}},
            "tls": {"trust": [{"name": "ca", "file": "/nowhere/ca.pem"}], "connect": [
                {"name": "db", "bind": "127.0.0.1:6432", "to": "db.internal:5432", "trust": "ca"}]}}
    for mode in adapters.MODES:
        for prepare in (lambda world: world, with_sinks):
            with prepare(World(three(), VALUES, changes=more)) as world:
                world.dir = world.folder / "disk"
                source = world.kept / "policy.yaml"  # unlike a compiled one it is read when the loop has begun
                source.write_text(json.dumps(world.policy()))
                code, errors = world.outcome(mode=mode, env=HOUSEHOLD, options=("--policy", str(source)))
                check_equal(code, 103, errors)
                check(f"secret-undeliverable: secrets.dir: {world.dir} is not on a tmpfs" in errors, errors)
                check_equal((world.starts(), world.marker.exists()), (0, False), "starts, and whether the workload ran")
        with with_sinks(World(three(), VALUES, changes=more)) as world:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            code, errors = world.outcome(mode=mode, env=HOUSEHOLD, options=("--events", str(world.folder / "said")), stdin=theirs)
            theirs.close()
            check_equal(code, 101, errors)
            check("--events: the policy has sinks, and events go there" in errors, errors)
            check_equal(ours.recv(100), b"", "what whoever started it has heard by its descriptor 0")


@case("a file sink whose folder is not there, beside secrets: 106, by name, and nothing is said of a trail that never was")
def no_sink():
    with World(three(), VALUES) as world:
        path = world.kept / "nowhere" / "trail.jsonl"
        world.sinks = [file_sink(path)]
        code, errors = world.outcome(env=HOUSEHOLD)
        check_equal(code, 106, errors)
        check(f"sink trail: {path}: No such file or directory; its folder has to be there\n" in errors, errors)
        check_equal((errors.count("error: "), world.marker.exists()), (1, False), f"errors, and whether the workload ran: {errors}")


@case("a folder in which somebody else may rename is refused with 103, by name: what lies there would be that one's choice")
def others():
    with World(three(), VALUES) as world:
        for mode, owner, is_good in ((0o777, 0, False), (0o770, 0, False), (0o755, 10002, False), (0o1777, 0, True)):
            world.dir = world.folder / "tmpfs" / f"{mode:o}-{owner}"
            subprocess.run([*world.disk.wrapper, "install", "-d", f"-m{mode:o}", f"-o{owner}", world.dir], check=True)
            code, errors = world.outcome(env=HOUSEHOLD)
            check_equal(code, 0 if is_good else 103, errors)
            check(is_good or f"secrets.dir: others may write to {world.dir}" in errors[:4000], errors)


@case("without CAP_CHOWN a secret cannot be given to a user of its own: 103, by name; as that user itself it can")
def capabilities():
    with World(three(), VALUES) as world:
        dropped = ("setpriv", "--bounding-set", "-chown", "--inh-caps", "-chown")
        refused(world, 103, f"secrets: lazaret-init lacks CAP_CHOWN, and cannot give a secret to user {UID}", wrapper=dropped)
        check_equal(world.starts(), 0, "starts")


@case("root with no more capabilities than the how-to leaves delivers all of it, and what was held open reads zeros afterwards")
def few_capabilities():
    few = "-dac_override,-dac_read_search,-fowner,-fsetid,-mknod,-net_bind_service,-net_raw,-setfcap,-sys_chroot,-audit_write"
    with World(three(), VALUES) as world:
        with world.start("time.sleep(0.5)", numbers=(20, 200), env=HOUSEHOLD,
                         wrapper=("setpriv", "--bounding-set", few, "--inh-caps", few)) as run:
            check_seen(world.seen())
            with open(world.disk.seen(world.dir) / "..g1" / "db" / "password", "rb", buffering=0) as held:
                check_equal(str(run.wait()), "exit 0", run.stderr())
                check_equal(held.read(), bytes(len(PASSWORD)), "what is read by who holds it open")


@case("started as the workload's own user, it works")
def as_user():
    with World(three(), VALUES) as world:
        for path in (world.bin, world.bin / "do", world.bin / "seen"):
            path.touch() if path != world.bin else None
            os.chown(path, UID, UID)
        with world.start(conditions=[f"uid={UID}"], numbers=(20, 200), env=HOUSEHOLD) as run:
            check_seen(world.seen())
            check_equal(str(run.wait()), "exit 0", run.stderr())
        check_equal([n for n in world.left() if ".." in n], [], "what is left on the tmpfs")


@case("what an earlier run has left is removed first; what is somebody else's stays, and where it is in the way, that is said")
def leftovers():
    with World(three(), VALUES) as world:
        folder = world.disk.seen(world.dir)
        (folder / "..g7" / "old").mkdir(parents=True)
        (folder / "..g7" / "old" / "key").write_text("old")
        (folder / "..data").symlink_to("..g7")
        (folder / "old").symlink_to("..data/old")
        (folder / "mine").symlink_to("/etc")
        (folder / "..gx").write_text("mine")
        with world.start(env=HOUSEHOLD) as run:
            seen = world.seen()
            check_equal(str(run.wait()), "exit 0", run.stderr())
        check_equal(seen["links"], {"..data": "..g1", "db": "..data/db", "mine": "/etc", "token": "..data/token"}, "links")
        check_equal(world.left(), ["..gx", "mine"], "what is left")
        (folder / "token").write_text("in the way")
        code, errors = world.outcome(env=HOUSEHOLD)
        check_equal(code, 103, errors)
        check("link a name to the generation: File exists" in errors, errors)
        check_equal(world.left(), ["..gx", "mine", "token"], "what is left")


@case("whoever has a file open when it is removed reads zeros from then on")
def overwritten():
    with World(three(), VALUES) as world:
        with world.start("time.sleep(30)", env=HOUSEHOLD) as run:
            world.seen()
            with open(world.disk.seen(world.dir) / "db" / "password", "rb", buffering=0) as file:
                check_equal(file.read(), PASSWORD, "before")
                run.kill(fence.TERM)
                run.wait()
                file.seek(0)
                check_equal(file.read(), bytes(len(PASSWORD)), "after")


@case("what the workload has sent into a pipe without a copy is the value, also for a reader that comes when the container is gone")
def sent_on():
    send = f"import os; f = os.open('SECRETS', 0); assert os.sendfile(1, f, 0, 1000) == {len(PASSWORD)}"
    with World(three(), VALUES) as world:
        ours, theirs = os.pipe()
        with world.start(send.replace("SECRETS", f"{world.dir}/db/password"), env=HOUSEHOLD, stdout=theirs) as run:
            os.close(theirs)
            check_equal(str(run.wait()), "exit 0", run.stderr())
        check_equal(world.left(), [], "what is left on the tmpfs")
        with open(ours, "rb", buffering=0) as reader:
            check_equal(reader.read(), PASSWORD, "what the reader gets")


if __name__ == "__main__":
    laz.main()
