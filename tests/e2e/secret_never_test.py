# SPDX-License-Identifier: Apache-2.0
"""Where a delivered value must never be, outside of a container engine: cores that are forced, memory, and other users' hands.

never_test looks at a real container's disk, logs and environments; this one at processes. Each search is held against
something in which it has to find the value: a helper that was linked without what wipes, a workload that asks for a core.
"""
import contextlib
import json
import os
import pathlib
import re
import resource
import secrets
import signal
import subprocess
import time

import adapters
import canaries
import fence
import laz
import ship_world
import tunnel_world as tunnels
from laz import case, check, check_equal
from secret_world import Standin, secret
from secrets_world import World

UID = adapters.WORKLOAD_UID
RANDOM = secrets.token_hex(10)
FILE, FD = f'canary/{RANDOM}+"file"'.encode(), f"canary~{RANDOM}~descriptor".encode()
UNDEFENDED = laz.BIN.parent / "tests" / "undefended_helper"
NUMBER = 20
UNLIMITED = ("prlimit", "--core=unlimited", "--")


def world(**more):
    """One item as a file and one as a descriptor, of files that only root may read."""
    made = World([], {}, real=True, **more)
    for name, value in (("file", FILE), ("fd", FD)):
        (made.kept / name).write_bytes(value)
        (made.kept / name).chmod(0o400)
    made.items = [{"name": "file", "from": {"file": str(made.kept / "file")}, "file": {"path": "deep/file"}},
                  {"name": "fd", "from": {"file": str(made.kept / "fd")}, "fd": {"number": NUMBER, "variable": "THE_FD"}}]
    return made


def with_all_helpers(made):
    made.sinks = [{"name": "trail", "type": "file", "path": str(made.trail), "classes": ["audit", "ids", "log"], "required": True}]
    made.changes = adapters.merged(made.changes, {"sense": {"interval": "1s", "files": {"watch": ["/etc/ssl"]}}})
    return made


def ours(run):
    """{name: pid} of init and its helpers."""
    found = {fence.comm(pid): pid for pid in run.children() if fence.comm(pid).startswith("lazaret-")}
    return {"lazaret-init": run.pid, **found}


# ---- Memory ----


def of_fetch(program):
    """What is found of values that have been handed over, in a fetch that still waits for another one: {source: ways}."""
    values = {n: f"canary-{n}-{secrets.token_hex(40)}" for n in ("manager", "parameter", "file", "variable")}
    standin = Standin(secrets={**secret("manager", values["manager"]), **secret("slow", "x" * 10)},
                      parameters={"/p": {"Value": values["parameter"], "Version": 1}})
    standin.rules(delay=3, slow="slow-one")
    path = standin.folder / "file"
    path.write_text(values["file"])
    items = [{"name": "manager", "secrets-manager": "manager", "form": "hex"}, {"name": "parameter", "parameter": "/p"},
             {"name": "file", "file": path, "form": "base64"}, {"name": "variable", "variable": "V"},
             {"name": "slow", "secrets-manager": "slow-one", "optional": True}]
    wrapper = ["sh", "-c", 'exec "$0" fetch', program] if program else []
    helper = standin.helper(items, inherited={"variable": values["variable"].encode()}, wrapper=wrapper)
    helper.await_ready()
    ship_world.until(lambda: len(standin.requests("GetSecretValue")) == 2 and standin.requests("GetParameter"), "requests")
    time.sleep(0.5)  # the fast ones are answered
    parts = [data for _, _, data in canaries.mappings(helper.process.pid)]
    check(any(b"slow-one" in data for data in parts), "the search does not see its memory")
    found = {n: sorted({way for data in parts for _, way in canaries.found(data, [v.encode()])}) for n, v in values.items()}
    check_equal(len(helper.end().values), 4, "values that came all the same")
    return found


@case("memory of fetch while another value is awaited: nothing of those that were handed over; without what wipes, it is found")
def memory_of_fetch():
    check_equal(of_fetch(None), {n: [] for n in ("manager", "parameter", "file", "variable")}, "values in its memory")
    if laz.instrumented():
        return
    found = of_fetch(UNDEFENDED)
    print(f"     without what wipes: {found}", flush=True)
    check(found["manager"] and found["parameter"], f"control: the search finds nothing where nothing is wiped: {found}")


@case("memory of init, launch and sense after hand-over: in no way of writing; of ship only what it masks by, which is in no core")
def memory_of_others():
    with with_all_helpers(world()) as made:
        with made.start("keep = open(sys.argv[1] + '/deep/file').read(); time.sleep(30)", numbers=(NUMBER,)) as run:
            made.seen()
            ship_world.until(lambda: len(ours(run)) == 4, lambda: f"helpers: {ours(run)}")
            check_equal(sorted(ours(run)), ["lazaret-init", "lazaret-launch", "lazaret-sense", "lazaret-ship"], "who is there")
            masks = 0
            for who, pid in ours(run).items():
                for name, flags, data in canaries.mappings(pid):
                    hits = canaries.found(data, [FILE, FD])
                    if who == "lazaret-ship" and "dd" in flags:
                        masks += len(hits)
                    else:
                        check_equal(hits, [], f"{who}: {name}")
                for name in ("environ", "cmdline"):
                    check_equal(canaries.found(pathlib.Path(f"/proc/{pid}/{name}").read_bytes(), [FILE, FD]), [], f"{name} of {who}")
            check(masks > 0, "control: what ship masks by is not found in it")
            workload = next(p for p in run.children() if fence.comm(p) == "python3")
            hits = [hit for _, _, data in canaries.mappings(workload) for hit in canaries.found(data, [FILE])]
            check(hits, "control: it is not found in the workload that has read it")
            run.kill(fence.TERM)
            run.wait()


# ---- Cores ----


def cores(folder):
    return sorted(p for p in pathlib.Path(folder).glob("*core*") if p.is_file() and p.stat().st_size > 0)


def pattern():
    """The machine's own, which a test must not change: a file beside the process."""
    text = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if text.startswith(("|", "/")) or "core" not in text:
        laz.skip(f"kernel.core_pattern is {text}: where a core goes cannot be seen from here")


ABORTS = "keep = open(sys.argv[1] + '/deep/file').read(); os.chdir({folder!r}); {before}; os.abort()"
ASKS = "open('/proc/self/coredump_filter', 'w').write('0x7f')"


def core_of_workload(before, size):
    """The cores of a workload that has read its secrets and aborts, in a container without a limit on cores."""
    with world(changes={"limits": {"core-size": size}} if size else {}) as made:
        where = made.folder / "cores"
        where.mkdir()
        where.chmod(0o777)
        with made.start(ABORTS.format(folder=str(where), before=before), numbers=(NUMBER,), wrapper=UNLIMITED) as run:
            made.seen()
            check_equal(str(run.wait()), "exit 134", run.stderr())
        return [hit for path in cores(where) for hit in canaries.found(path.read_bytes(), [FILE, FD])], len(cores(where))


@case("a core of the workload, forced where the container has no limit: none with a built-in; else one without its memory; control")
def core_of_the_workload():
    pattern()
    check_equal(core_of_workload("pass", None), ([], 0), "with the built-in's core-size: 0")
    check_equal(core_of_workload(ASKS, None), ([], 0), "the same, and it asks for all of its memory")
    check_equal(core_of_workload("pass", "256MiB"), ([], 1), "with a limit of its own, as init has set what is in it")
    hits, count = core_of_workload(ASKS, "256MiB")
    check(hits and count == 1, f"control: not found in the core of a workload that asks for all of its memory: {count} cores")


def crash(pid):
    """As root from outside: no limit on cores any more, where the machine lets root, and then a fault of its own."""
    with contextlib.suppress(PermissionError):  # without CAP_SYS_RESOURCE
        resource.prlimit(pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    limit = re.search(r"^Max core file size +(\S+)", pathlib.Path(f"/proc/{pid}/limits").read_text(), re.M)[1]
    done = subprocess.run(["gdb", "-nx", "-batch", "-p", str(pid), "-ex", "set confirm off", "-ex", "set $pc = 0", "-ex", "detach"],
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60)
    check("detached" in done.stdout, done.stdout + done.stderr)
    return limit


@case("crashed by root while it fetches, and has a value in its hands, fetch leaves no core")
def core_of_fetch():
    pattern()
    value = f"canary-{secrets.token_hex(40)}"
    standin = Standin(secrets=secret("slow", "x" * 10))
    standin.rules(delay=3, slow="slow-one")
    helper = standin.helper([{"name": "held", "variable": "V", "form": "hex"}, {"name": "slow", "secrets-manager": "slow-one"}],
                            inherited={"held": value.encode()}, wrapper=UNLIMITED)
    helper.await_ready()
    ship_world.until(lambda: standin.requests("GetSecretValue"), "request")
    pid = helper.process.pid
    folder = os.open(f"/proc/{pid}/root{os.readlink(f'/proc/{pid}/cwd')}", os.O_PATH)
    before = cores(f"/proc/self/fd/{folder}")
    crash(pid)
    check_equal((helper.process.wait(10), cores(f"/proc/self/fd/{folder}")), (-signal.SIGSEGV, before), "its end, and cores")
    os.close(folder)


def crash_another(name):
    """The control: a process of nobody's, with a value in its environment, leaves a core that has it."""
    where = fence.scratch() / name
    where.mkdir()
    with subprocess.Popen([*UNLIMITED, "sleep", "60"], cwd=where, env={"A": FILE.decode()}) as other:
        ship_world.until(lambda: fence.comm(other.pid) == "sleep", "another process")
        crash(other.pid)
    check([hit for path in cores(where) for hit in canaries.found(path.read_bytes(), [FILE])], "control: another process leaves no core")


@case("crashed by root, which takes away what limits on cores it may, init, launch, ship and sense leave none; control: others do")
def cores_of_ours():
    pattern()
    crash_another("of-others")
    with with_all_helpers(world()) as made:
        with made.start("time.sleep(60)", "nested", numbers=(NUMBER,), wrapper=UNLIMITED) as run:
            made.seen()
            ship_world.until(lambda: len(ours(run)) == 4, lambda: f"helpers: {ours(run)}")
            pids = ours(run)
            folders = {who: os.open(f"/proc/{pid}/root{os.readlink(f'/proc/{pid}/cwd')}", os.O_PATH) for who, pid in pids.items()}
            before = {who: cores(f"/proc/self/fd/{folder}") for who, folder in folders.items()}
            limits = {}
            for who in ("lazaret-sense", "lazaret-ship", "lazaret-launch", "lazaret-init"):
                limits[who] = crash(pids[who])
                ship_world.until(lambda who=who: fence.state(pids[who]) in "ZX", f"the end of {who}")
                if who in ("lazaret-sense", "lazaret-ship"):  # without ship, and nobody to start it again, init ends by itself
                    ship_world.until(lambda who=who: ours(run).get(who, pids[who]) != pids[who], f"the successor of {who}")
            print(f"     limits on cores when they crashed: {limits}", flush=True)
            check_equal((limits["lazaret-init"], run.wait().signal), ("unlimited", signal.SIGSEGV), "how init ended")
            for who, folder in folders.items():
                check_equal(cores(f"/proc/self/fd/{folder}"), before[who], f"cores of {who}")
                os.close(folder)


def check_no_core(pid):
    """Each of what keeps a core away by itself: where it could write none anyway, a search alone would see nothing."""
    limits, status = (pathlib.Path(f"/proc/{pid}/{name}").read_text() for name in ("limits", "status"))
    check_equal(re.search(r"^Max core file size +(\S+) +(\S+)", limits, re.M).groups(), ("0", "0"), "its limits on cores")
    check_equal(int(pathlib.Path(f"/proc/{pid}/coredump_filter").read_text(), 16), 0, "what of its memory a core would have")
    check(not re.search(r"^Uid:\s+0\s", status, re.M), "it is root: whose /proc is does not tell whether it is dumpable")
    check_equal(os.stat(f"/proc/{pid}/maps").st_uid, 0, "whose its memory is: its own user's, where it is dumpable")


@case("crashed by root while it serves with an identity's key, tunnel leaves no core, for each of three reasons, and its successor serves; control")
def core_of_tunnel():
    pattern()
    crash_another("beside-tunnel")
    with tunnels.Server(tunnels.echo, wrap=False) as server:
        with tunnels.World(listen=[{"name": "https", "to": server.to}], prefix=UNLIMITED).start() as world:
            world.dial_tls("https").close()
            pid = world.pid()
            folder = os.open(f"/proc/{pid}/root{os.readlink(f'/proc/{pid}/cwd')}", os.O_PATH)
            before = cores(f"/proc/self/fd/{folder}")
            check_no_core(pid)
            check_equal(os.stat(f"/proc/{world.pid('sleep')}/maps").st_uid, UID, "control: whose the workload's memory is")
            print(f"     limit on cores when it crashed: {crash(pid)}", flush=True)
            ended = world.wait_for("helper.exit", obj="tunnel")["d"]["message"]
            check_equal(ended, "lazaret-helper tunnel ended by signal 11", "its end")
            check_equal(cores(f"/proc/self/fd/{folder}"), before, "cores")
            os.close(folder)
            world.dial_tls("https").close()  # the port has stayed
            check(world.pid() not in (None, pid), "who serves is not the successor")
            world.run.kill(fence.TERM)
            world.run.wait()


# ---- Other users ----

PROBE = r"""
import json, os, sys
def read(path):
    try:
        with open(path, "rb", buffering=0) as file:
            return "read" if file.read(1) else "empty"
    except OSError as why:
        return why.strerror
print(json.dumps({name: read(path) for name, path in json.loads(sys.argv[1]).items()}))
"""
DOCKER = "+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap"
WHO = {  # as `docker exec --user` would start it
    "another user": (UID + 1, UID + 1, "-all"), "the user, another group": (UID, UID + 1, "-all"),
    "the user": (UID, UID, "-all"), "root without capabilities": (0, 0, "-all"), "root with Docker's": (0, 0, f"-all,{DOCKER}")}
NO = {"Permission denied", "Operation not permitted", "No such file or directory"}  # the last: of a number that init has not
MAY_FILE, MAY_FD = {"the user", "the user, another group", "root with Docker's"}, {"the user"}


def look_as(run, who, paths):
    uid, gid, caps = WHO[who]
    argv = ["nsenter", "-t", str(run.pid), "-p", "-m", "setpriv", "--reuid", uid, "--regid", gid, "--clear-groups",
            "--bounding-set", caps, "--inh-caps", caps, "/usr/bin/python3", "-c", PROBE, json.dumps(paths)]
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, timeout=30)
    check_equal(done.returncode, 0, done.stderr)
    return json.loads(done.stdout)


@case("who can read what is delivered, beside the workload: its user, and of the file root with DAC_OVERRIDE; of init nobody")
def readers():
    with world() as made:
        with made.start("time.sleep(60)", numbers=(NUMBER,)) as run:
            made.seen()
            workload = next(p for p in run.children() if fence.comm(p) == "python3")
            number = int(run.status(workload)["NSpid"].split()[-1])
            paths = {"file": str(made.dir / "deep" / "file"), "descriptor": f"/proc/{number}/fd/{NUMBER}",
                     "mem of init": "/proc/1/mem", "environ of init": "/proc/1/environ", "maps of init": "/proc/1/maps",
                     **{f"descriptor {n} of init": f"/proc/1/fd/{n}" for n in range(3, 12)}}
            for who in WHO:
                seen = look_as(run, who, paths)
                check_equal(seen.pop("file") == "read", who in MAY_FILE, f"{who}: the file")
                check_equal(seen.pop("descriptor") == "read", who in MAY_FD, f"{who}: the workload's descriptor")
                check_equal({n: s for n, s in seen.items() if s not in NO}, {}, f"{who}: of init")
            run.kill(fence.TERM)
            run.wait()


@case("whatever the umask, files and folders are the workload's own, and nobody else's")
def umask():
    for mask in ("0", "077", "777"):
        with world() as made:
            with made.start("import stat\nfor top, _, _ in os.walk(os.path.realpath(data)):\n"
                            "    assert stat.S_IMODE(os.stat(top).st_mode) & 0o022 == 0, top",
                            numbers=(NUMBER,), wrapper=("sh", "-c", f'umask {mask}; exec "$@"', "-")) as run:
                seen = made.seen()
                check_equal(str(run.wait()), "exit 0", run.stderr())
            check_equal(seen["files"], {"deep/file": [FILE.hex(), UID, UID, "0o400"]}, f"umask {mask}: files")
            check_equal(seen["fds"][str(NUMBER)][2:4], [UID, "0o400"], f"umask {mask}: descriptor")


@case("the task's credentials are not the workload's, unless the policy names them")
def credentials():
    given = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/canary-path", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "canary-token"}
    for names in ([], list(given)):
        with world(changes={"workload": {"env": {"pass": ["PATH", *names]}}}) as made:
            with made.start(numbers=(NUMBER,), env={**fence.ENVIRONMENT, **given}) as run:
                seen = made.seen()
                check_equal(str(run.wait()), "exit 0", run.stderr())
            check_equal(sorted(set(given) & set(seen["environ"])), sorted(names), "what the workload has of them")


if __name__ == "__main__":
    laz.main()
