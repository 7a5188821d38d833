# SPDX-License-Identifier: Apache-2.0
"""lazaret doctor: what it says, against processes from which something was taken away."""
import ctypes
import hashlib
import json
import os
import re
import resource
import shutil
import socket
import struct
import subprocess
import time

import laz
from cli import FOLDER, LAZARET, as_json, check_page, lazaret, web, write
from ecs_world import ID, TASK_ID, Agent
from laz import case, check, check_equal



def doctor(*words, expect=0, **more):
    data = as_json("doctor", *words, expect=expect, **more)
    check_equal(data["ok"], expect == 0, "ok")
    for line in data["checks"]:
        check(line["seen"] and line["means"], f"{line}: says nothing")
        if line["state"] == "no" and line["name"] != "platform-filter":
            check("remedy" in line, f"{line}: no remedy")
    return {line["name"]: line for line in data["checks"]}


def need_root():
    if os.getuid() != 0:
        laz.skip("needs root")


def without_room(text):
    """How much is free changes between two looks."""
    return re.sub(r"\d+ MiB free", "some MiB free", text)


@case("doctor: tries what it tells; text and JSON say the same")
def doctor_here():
    need_root()
    lines = doctor()
    for name in ("kernel", "proc", "open-files", "change-user", "no-new-privileges", "seccomp", "events"):
        check_equal(lines[name]["state"], "yes", f"{name}: {lines[name]['seen']}")
    text = lazaret("doctor", expect=0).stdout
    flat = without_room(" ".join(text.split()))
    for name, line in lines.items():
        check(f"{line['state']} {name} {without_room(line['seen'])}" in flat and line["means"] in flat, f"{name}: not in the text")


@case("doctor: what an outer filter refuses is said with its reason")
def doctor_injected():
    rows = [
        ("landlock_create_ruleset:error=EOPNOTSUPP", "landlock", "lsm=", 0),
        ("landlock_create_ruleset:error=ENOSYS", "landlock", "CONFIG_SECURITY_LANDLOCK", 0),
        ("landlock_create_ruleset:error=EPERM", "landlock", "outer filter", 0),
        ("close_range:error=ENOSYS", "close-range", "5.11", 0),
        ("signalfd4:error=ENOSYS", "signalfd", "signalfd4", 0),
        ("seccomp:error=EPERM", "seccomp", "outer filter", 1),
        ("ioctl:retval=0", "events", "Linux 5.0", 0),
        ("seccomp:retval=0", "seccomp", "outer filter", 1),
        ("landlock_restrict_self:retval=0", "landlock", "landlock among", 0),
        ("prctl:retval=0", "no-new-privileges", "emulation", 1),
        ("seccomp:signal=SYS", "seccomp", "outer filter", 1),
    ]
    for fault, name, remedy, code in rows:
        line = doctor(expect=code, around=["strace", "-f", "-qq", "-o", "log", "-e", f"inject={fault}"])[name]
        check_equal(line["state"], "no", fault)
        check(remedy in line["remedy"], f"{fault}: {line}")
        how, _, value = fault.partition(":")[2].partition("=")
        wanted = {"error": value, "retval": "said yes and did nothing", "signal": "SIGSYS"}[how]
        check(wanted in line["seen"], f"{fault}: {line['seen']}")
    check_equal(line["vital"], True, "seccomp is vital")


def hold_listener():
    """Load a filter with a listener and keep it: the kernel gives no second one to what runs below."""

    class Insn(ctypes.Structure):
        _fields_ = [("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32)]

    class Program(ctypes.Structure):
        _fields_ = [("len", ctypes.c_uint16), ("insns", ctypes.POINTER(Insn))]

    libc = ctypes.CDLL(None, use_errno=True)
    insns = (Insn * 1)(Insn(0x06, 0, 0, 0x7FFF0000))  # return ALLOW
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    number = {"x86_64": 317, "aarch64": 277}[os.uname().machine]
    fd = libc.syscall(number, 1, 8, ctypes.byref(Program(1, insns)))  # SET_MODE_FILTER, NEW_LISTENER
    os.set_inheritable(fd, True)


@case("doctor: a listener of the platform's takes the events away (EBUSY), and is counted as its filter")
def doctor_listener():
    lines = doctor(preexec_fn=hold_listener, close_fds=False)
    check_equal((lines["events"]["state"], lines["events"]["degradation"]), ("no", "events-absent"), "events")
    check("EBUSY" in lines["events"]["seen"] and "only one" in lines["events"]["remedy"], f"{lines['events']}")
    check_equal(lines["platform-filter"]["state"], "yes", "platform-filter")
    check_equal(lines["seccomp"]["state"], "yes", "seccomp")


@case("doctor: without root it names the degradations, and which policy can start")
def doctor_user():
    need_root()
    FOLDER.chmod(0o755)
    web("here.yaml", a=("/usr, /opt/java", "/usr"), b=("[/app, /etc]", "[/etc]"), c=("[/app/cache, /tmp]", "[/tmp]"),
        d=("  optional: [/opt/java]\n", ""), e=("cwd: /app", "cwd: /"), f=("[NET_BIND_SERVICE]", "[]"))
    program = FOLDER / "lazaret"
    shutil.copy(LAZARET, program)
    user = ["setpriv", "--reuid=10001", "--regid=10001", "--clear-groups", "--"]
    done = subprocess.run([*user, program, "doctor", "--json", "here.yaml"], cwd=FOLDER, capture_output=True,
                          text=True, check=False)
    check_equal(done.returncode, 0, f"{done.stdout}{done.stderr}")
    lines = {line["name"]: line for line in json.loads(done.stdout)["checks"]}
    check_equal((lines["change-user"]["state"], lines["change-user"]["degradation"]), ("no", "shared-user"), "user")
    check_equal(lines["bounding-set"]["degradation"], "bounding-set-kept", "bounding set")
    for name in ("shared-user", "bounding-set-kept", "groups-inherited"):
        check(name in lines["policy"]["seen"], f"{name}: {lines['policy']}")
    as_root = doctor("here.yaml")["policy"]
    check_equal(as_root["state"], "yes", f"as root: {as_root}")
    check("shared-user" not in as_root["seen"], f"as root: {as_root}")
    check("lines of their own" not in as_root["means"], f"without sinks: {as_root}")
    check_equal(as_root["means"], "everything that it asks for is enforced", "enforced")
    write("observes.yaml", "mode: observe\n" + (FOLDER / "here.yaml").read_text())
    observing = doctor("observes.yaml")["policy"]
    check("in mode observe" in observing["seen"], f"{observing}")
    check("mode observe lets refused calls" in observing["means"], f"{observing}")
    check("everything" not in observing["means"], f"{observing}")


@case("doctor: file systems in memory, the IPC namespace, locked memory and the helpers' users are looked at")
def doctor_place():
    need_root()
    lines = doctor(around=["unshare", "--mount", "--ipc", "sh", "-c", 'mount -t tmpfs -o size=8m none /run && exec "$@"', "-"],
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 131072)))
    check("/run: tmpfs, 8 MiB free" in lines["tmpfs"]["seen"], f"{lines['tmpfs']}")
    check_equal((lines["ipc-namespace"]["state"], lines["ipc-namespace"]["seen"]), ("yes", "one of its own"), "IPC")
    check_equal(lines["locked-memory"]["seen"], "64 KiB may be locked, 128 KiB at most", "locked memory")
    check_equal(lines["helper-users"]["state"], "yes", f"{lines['helper-users']}")
    bare = 'mount --bind /usr /run && mount --bind /usr /dev/shm && exec "$@"'
    line = doctor(around=["unshare", "--mount", "sh", "-c", bare, "-"])["tmpfs"]
    check("/run: tmpfs" not in line["seen"] and "/dev/shm: tmpfs" not in line["seen"], f"{line}")
    check_equal(line["state"], "yes" if "/tmp: tmpfs" in line["seen"] else "no", f"{line}")
    is_first = os.readlink("/proc/self/ns/ipc") == f"ipc:[{0xefffffff}]"
    check_equal(doctor()["ipc-namespace"]["state"], "no" if is_first else "yes", "IPC, where this runs")
    write("taken/etc/passwd", "root:x:0:0::/:/bin/sh\nscan:x:65312:65312::/:/bin/false\n")
    line = doctor("--root=taken")["helper-users"]
    check_equal((line["state"], line["seen"]), ("no", "65312 is scan in taken/etc/passwd"), f"{line}")
    sleeper = subprocess.Popen(["setpriv", "--reuid=65315", "--clear-groups", "sleep", "60"])
    try:
        until_user(sleeper.pid, 65315)
        line = doctor()["helper-users"]
        check_equal((line["state"], line["seen"]), ("no", f"process {sleeper.pid} runs as user 65315"), f"{line}")
    finally:
        sleeper.kill()
        sleeper.wait()


def until_user(pid, uid):
    deadline = time.monotonic() + 5
    while os.stat(f"/proc/{pid}").st_uid != uid:
        check(time.monotonic() < deadline, "the process does not become that user")
        time.sleep(0.01)


def shipping(spool, sinks, name="ship.yaml"):
    """A policy that would start here, with this spool and these sinks."""
    web("here.yaml", a=("/usr, /opt/java", "/usr"), b=("[/app, /etc]", "[/etc]"), c=("[/app/cache, /tmp]", "[/tmp]"),
        d=("  optional: [/opt/java]\n", ""), e=("cwd: /app", "cwd: /"), f=("[NET_BIND_SERVICE]", "[]"))
    text = (FOLDER / "here.yaml").read_text(encoding="utf-8")
    return write(name, f"{text}spool: {json.dumps(spool)}\nsinks: {json.dumps(sinks)}\n")


def segment(folder, number, size, sealed):
    """A file that has a segment's head, and nothing else."""
    seals = struct.pack(">HH", 1, 80) + bytes(88) if sealed else b""
    length = 112 + len(seals) + 48
    head = b"LZSP" + struct.pack(">HHII16sQII32s32s", 1, 1, length, number, b"c" * 16, 1, 0, int(sealed), bytes(32), bytes(32))
    head += seals
    with open(folder / f"{number:08}.lzs", "wb") as file:
        file.write(head + hashlib.sha256(head).digest() + bytes(16))
        file.truncate(size)


@case("doctor FILE: the spool's folder: can it be had, on what is it, how full is it; and the keys")
def doctor_spool():
    need_root()
    key, there = FOLDER / "key.pem", FOLDER / "spool"
    key.write_text("a key\n", encoding="ascii")
    sinks = [{"name": "a", "type": "file", "path": str(FOLDER / "a"), "classes": ["audit", "ids"]}]
    spool = {"dir": str(there), "max": "4MiB", "seal-to": [str(key)]}
    shipping(spool, sinks)
    lines = doctor("ship.yaml")
    check_equal(lines["keys"]["state"], "yes", f"{lines['keys']}")
    check_equal(lines["helper"]["state"], "yes", f"{lines['helper']}")
    check(f"{there} can be made: " in lines["spool"]["seen"] and "4 MiB wanted" in lines["spool"]["seen"], f"{lines['spool']}")
    check("spool-content" not in lines, "content of what is not there")
    check("unless a line below" in lines["policy"]["seen"], f"{lines['policy']}")
    there.mkdir()
    check_equal(doctor("ship.yaml")["spool-content"]["means"], "nothing is left of earlier runs", "an empty one")
    for number in (1, 2, 3):
        segment(there, number, 1 << 20, sealed=number < 3)
    line = doctor("ship.yaml")["spool-content"]
    check_equal((line["state"], line["seen"]),
                ("yes", "3 segments, 3072 of 4096 KiB; 2 of them, 2048 KiB, sealed to a recovery key"), f"{line}")
    segment(there, 3, 1 << 20, sealed=True)
    segment(there, 4, 1 << 19, sealed=True)
    line = doctor("ship.yaml")["spool-content"]
    check_equal((line["state"], line["vital"]), ("no", False), f"nearly full: {line}")
    check("lazaret spool read --key recovery.key" in line["remedy"], f"{line}")
    segment(there, 4, 1 << 20, sealed=True)
    line = doctor("ship.yaml", expect=1)["spool-content"]
    check_equal((line["state"], line["vital"], line["means"]),
                ("no", True, "the next run finds no room, and refuses with 106"), f"full: {line}")
    shipping({**spool, "open-with": str(key)}, sinks)
    check_equal(doctor("ship.yaml")["spool-content"]["state"], "yes", "one that can be opened")
    for dir_, why in ((key / "spool", "Not a directory"), (FOLDER / "link", "Too many levels of symbolic links")):
        if not os.path.lexists(FOLDER / "link"):
            os.symlink(there, FOLDER / "link")
        shipping({**spool, "dir": str(dir_)}, sinks)
        line = doctor("ship.yaml", expect=1)["spool"]
        check(line["vital"] and why in line["seen"], f"{line}")
    shipping({**spool, "dir": "/dev/shm/lazaret-doctor", "seal-to": ["/none.pem"]}, sinks)
    lines = doctor("ship.yaml", expect=1)
    check("tmpfs" in lines["spool"]["seen"] and "ends with the container" in lines["spool"]["means"], f"{lines['spool']}")
    check_equal((lines["keys"]["vital"], lines["keys"]["seen"]),
                (True, "spool.seal-to: /none.pem: No such file or directory"), f"{lines['keys']}")


@case("doctor FILE: where sinks lead; only with --connect is it tried, and nothing is sent")
def doctor_sinks():
    need_root()
    (FOLDER / "logs").mkdir()
    listener, closed, datagrams = socket.socket(), socket.socket(), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with listener, closed, datagrams:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        closed.bind(("127.0.0.1", 0))
        datagrams.bind(str(FOLDER / "log.sock"))
        tcp = {"type": "syslog", "transport": "tcp", "plain": True, "classes": ["audit"]}
        shipping({"dir": str(FOLDER / "spool-of-sinks"), "max": "4MiB"}, [
            {"name": "up", "to": f"127.0.0.1:{listener.getsockname()[1]}", **tcp},
            {"name": "down", "to": f"127.0.0.1:{closed.getsockname()[1]}", **tcp},
            {"name": "nobody", "to": "nobody.invalid:514", **tcp},
            {"name": "udp", "to": "127.0.0.1:514", **tcp, "transport": "udp"},
            {"name": "unix", "type": "syslog", "transport": "unix", "path": str(FOLDER / "log.sock"), "classes": ["audit"]},
            {"name": "file", "type": "file", "path": str(FOLDER / "logs" / "a"), "classes": ["ids"]},
            {"name": "out", "type": "stdout", "classes": ["ids"]}])

        def sinks(*words):
            lines = as_json("doctor", "ship.yaml", *words, expect=0)["checks"]
            return {line["sink"]: line for line in lines if line["name"] == "sink"}
        quiet = sinks()
        check_equal({name: line["state"] for name, line in quiet.items()},
                    {"up": "unknown", "down": "unknown", "nobody": "unknown", "udp": "unknown", "unix": "yes", "file": "yes",
                     "out": "yes"}, "without --connect")
        listener.settimeout(0.2)
        check(not accepts(listener), "a connection that nobody asked for")
        tried = sinks("--connect")
        check_equal({name: line["state"] for name, line in tried.items()},
                    {"up": "yes", "down": "no", "nobody": "no", "udp": "unknown", "unix": "yes", "file": "yes", "out": "yes"}, "with it")
        check("refused" in tried["down"]["seen"], f"{tried['down']}")
        check("nobody.invalid port 514: it cannot be looked up" in tried["nobody"]["seen"], f"{tried['nobody']}")
        with accepts(listener) as peer:
            check_equal(peer.recv(64), b"", "what was sent")
    os.symlink("/dev/null", FOLDER / "logs" / "link")
    for path, why in (("/none/a", "No such file or directory"), (FOLDER / "logs" / "link", "Too many levels of symbolic links")):
        shipping({"dir": str(FOLDER / "spool-of-sinks"), "max": "4MiB"}, [
            {"name": "lost", "type": "file", "path": str(path), "classes": ["ids", "audit"]}])
        line = doctor("ship.yaml", expect=1)["sink"]
        check_equal((line["state"], line["vital"], line["seen"]), ("no", True, f"lost: {path}: {why}"), f"{line}")


@case("doctor FILE: a sink's file and a key in which the workload has a hand are refused here as they are at the start, and good without it")
def doctor_hands():
    need_root()
    open_to_all, its_own, file, key = (FOLDER / name for name in ("open", "own", "own-file", "own-key"))
    for folder in (open_to_all, its_own):
        folder.mkdir()
    for path in (file, key):
        path.write_text("")
    spool = {"dir": str(FOLDER / "spool-of-hands"), "max": "4MiB"}

    def line_of(path, name, expect, **more):
        shipping({**spool, **more}, [{"name": "a", "type": "file", "path": str(path), "classes": ["ids", "audit"]}])
        return doctor("ship.yaml", expect=expect)[name]

    def change():
        open_to_all.chmod(0o1777)
        for path in (its_own, file, key):
            os.chown(path, 10001, 10001)
    rows = (("sink", open_to_all / "a", {}, f"{open_to_all} is a folder where everybody may make files"),
            ("sink", its_own / "a", {}, f"{its_own} belongs to the workload, user 10001"),
            ("sink", file, {}, "belongs to the workload, user 10001"),
            ("keys", FOLDER / "a", {"seal-to": [str(key)]}, "belongs to the workload, user 10001"))
    for name, path, more, _ in rows:
        check_equal(line_of(path, name, 0, **more)["state"], "yes", f"{path}, before")
    change()
    for name, path, more, why in rows:
        line = line_of(path, name, 1, **more)
        check_equal((line["state"], line["vital"]), ("no", True), f"{line}")
        check(line["seen"].endswith(why) and "mode=0755" in line["remedy"], f"{line}")


def accepts(listener):
    """Who connects, or None."""
    try:
        return listener.accept()[0]
    except TimeoutError:
        return None


@case("doctor FILE: a policy that would not start is a finding, with the error that init would name")
def doctor_policy():
    need_root()
    line = doctor(web(), expect=1)["policy"]
    check("filesystem: /app: " in line["seen"], f"{line}")
    web("newer.yaml", mode=("limits:", "requires: {landlock: {level: required, min-abi: 64}}\nlimits:"))
    line = doctor("newer.yaml", expect=1)["policy"]
    check("required-absent: requires.landlock: " in line["seen"] and "min-abi is 64" in line["seen"], f"{line}")
    fault = ["strace", "-f", "-qq", "-o", "log", "-e", "inject=landlock_create_ruleset:error=ENOSYS"]
    line = doctor("web.yaml", around=fault)["policy"]
    check("landlock-absent" in line["seen"], f"Landlock away: {line}")
    write("image/etc/passwd", "app:x:0:0::/:/bin/false\n")
    web("named.yaml", user=('"10001:10001"', "app\n  allow-root: true"))
    check("filesystem: /app: " in doctor("--root=image", "named.yaml", expect=1)["policy"]["seen"], "--root")
    check_equal(as_json("doctor", "absent.yaml", expect=1)["error"]["name"], "policy-absent", "no file")


@case("doctor FILE: where init can have no folder for its sockets, health and secrets are degraded as init.start says it")
def doctor_sockets():
    need_root()
    shipping({}, {})
    write("probed.yaml", (FOLDER / "here.yaml").read_text(encoding="utf-8") + "health: {listen: \"127.0.0.1:9100\"}\nshutdown: {lb-grace: 5s, stop-timeout: 60s}\n")
    full = ["unshare", "--mount", "sh", "-c", 'for at in /run /dev/shm; do mount -t tmpfs -o ro none $at || exit 1; done; exec "$@"', "-"]
    one = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o ro none /run && mount -t tmpfs none /dev/shm && exec "$@"', "-"]
    theirs = ["unshare", "--mount", "sh", "-c", 'for at in /run /dev/shm; do mount -t tmpfs none $at || exit 1; done; '
              'mkdir /run/lazaret /dev/shm/.lazaret && chown 1 /run/lazaret /dev/shm/.lazaret && exec "$@"', "-"]
    write("secret.yaml", (FOLDER / "here.yaml").read_text(encoding="utf-8") +
          'secrets: {items: [{name: db, from: {variable: DB}, file: {path: db}}]}\n')
    lines = as_json("doctor", "secret.yaml", expect=1, around=full, env={**os.environ, "DB": "x"})["checks"]
    check_equal([", control-absent" in x["seen"] or ": control-absent" in x["seen"] for x in lines if x["name"] == "policy"], [True], f"{lines}")
    for around, file, is_lost in ((full, "probed.yaml", True), (theirs, "probed.yaml", True), (one, "probed.yaml", False), (full, "here.yaml", False)):
        line = doctor(file, around=around)["policy"]
        check_equal("health-socket-absent" in line["seen"], is_lost, f"{around[-2]} {file}: {line}")
        check_equal(line["means"].startswith("init.start names the same") or not is_lost, True, f"{line}")


@case("doctor: no /proc or too few descriptors keep every policy from starting")
def doctor_vital():
    need_root()
    bare = ["unshare", "--mount", "sh", "-c", 'umount -l /proc && exec "$@"', "-"]
    lines = doctor(expect=1, around=bare)
    check_equal((lines["proc"]["state"], lines["proc"]["vital"]), ("no", True), "proc")
    check_equal(lines["change-user"]["state"], "unknown", "capabilities cannot be read")
    lines = doctor(expect=1, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12)))
    check_equal((lines["open-files"]["state"], lines["open-files"]["vital"]), ("no", True), "open-files")


TASK_CHECKS = ("ecs-task", "ecs-launch-type", "ecs-clock", "ecs-capabilities", "ecs-user-namespaces", "ecs-cgroup",
               "ecs-read-only-root", "ecs-task-role", "ecs-protection", "ecs-stop-time")


@case("doctor: in a task of ECS, what the platform leaves to it; elsewhere no word of that")
def doctor_task():
    need_root()
    check_equal([n for n in doctor() if n.startswith("ecs-")], [], "outside of a task")
    agent = Agent()
    role = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{agent.port}/v2/credentials/x"}
    lines = doctor(env=agent.environment(**role))
    check_equal(tuple(n for n in lines if n.startswith("ecs-")), TASK_CHECKS, "checks of a task")
    said = {name: (lines[name]["state"], lines[name]["seen"]) for name in TASK_CHECKS}
    check_equal(said["ecs-task"], ("yes", f"{TASK_ID} of portal:24 in default, us-west-2d"), "ecs-task")
    check_equal(said["ecs-launch-type"], ("yes", "FARGATE"), "ecs-launch-type")
    check_equal(said["ecs-clock"], ("yes", "SYNCHRONIZED, wrong by 545 microseconds at most"), "ecs-clock")
    check_equal(said["ecs-task-role"], ("yes", "there is one; --connect tries its agent"), "ecs-task-role")
    check_equal(said["ecs-protection"][0], "unknown", "ecs-protection")
    check_equal(agent.asked(), ["container", "task"], "what was asked")
    lines = doctor("--connect", env=agent.again().environment(**role))
    check_equal(lines["ecs-task-role"]["seen"], "there is one, and its agent is there", "ecs-task-role")
    check_equal((lines["ecs-protection"]["state"], lines["ecs-protection"]["seen"]), ("yes", "not protected"), "ecs-protection")
    agent.again(faults=[{"path": "protection", "fault": "no-role"}, {"fault": "404"}], task={"ClockDrift": None})
    lines = doctor("--connect", env=agent.environment())
    check_equal((lines["ecs-task"]["state"], lines["ecs-task"]["seen"]),
                ("no", "the container agent: container: it answers 404"), "ecs-task")
    check_equal(lines["ecs-protection"]["seen"], "127.0.0.1: it answers 403 AccessDeniedException", "ecs-protection")
    check_equal((lines["ecs-task-role"]["state"], lines["ecs-clock"]["state"]), ("no", "unknown"), "role, clock")
    check(ID not in json.dumps(lines), "the id was printed")


@case("doctor: in a task, capabilities, a read-only root and the folders of ECS Exec are what they are, and not what was expected")
def doctor_task_tried():
    need_root()
    environment = {**os.environ, "AWS_EXECUTION_ENV": "AWS_ECS_EC2"}
    lines = doctor(env=environment)
    check_equal((lines["ecs-launch-type"]["seen"], lines["ecs-task"]["state"]), ("EC2", "no"), "without an address")
    check_equal(lines["ecs-read-only-root"]["state"], "no", "the root of this machine")
    capped = ["setpriv", "--bounding-set", "-sys_admin,-sys_ptrace"]
    few = doctor(env=environment, around=capped)["ecs-capabilities"]["seen"]
    more = lines["ecs-capabilities"]["seen"]
    check("SYS_ADMIN" in more.upper() and "SYS_ADMIN" not in few.upper(), f"capabilities: {more}, {few}")
    script = ('mount --bind / /mnt && mount -o remount,bind,ro /mnt && mount -t tmpfs none /mnt/var/lib && '
              'mkdir -p /mnt/var/lib/amazon/ssm && mount -t proc proc /mnt/proc && exec chroot /mnt "$@"')
    lines = doctor(env=environment, around=["unshare", "--mount", "sh", "-c", script, "-"])
    check_equal((lines["ecs-read-only-root"]["state"], lines["ecs-read-only-root"]["seen"]), (
        "yes", "the root is read-only; /managed-agents is not writable: no ECS Exec; /var/lib/amazon/ssm is a writable volume; "
        "/var/log/amazon/ssm is not writable: no ECS Exec"), "a read-only root")


@case("every option of doctor in lazaret(1) was run by a case above, and no other exists")
def page():
    check_page("doctor")


laz.main()
