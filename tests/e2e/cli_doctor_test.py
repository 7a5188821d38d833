# SPDX-License-Identifier: Apache-2.0
"""lazaret doctor: what it says, against processes from which something was taken away."""
import ctypes
import json
import os
import resource
import shutil
import subprocess

import laz
from cli import FOLDER, LAZARET, as_json, check_page, lazaret, web, write
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


@case("doctor: tries what it tells; text and JSON say the same")
def doctor_here():
    need_root()
    lines = doctor()
    for name in ("kernel", "proc", "open-files", "change-user", "no-new-privileges", "seccomp", "events"):
        check_equal(lines[name]["state"], "yes", f"{name}: {lines[name]['seen']}")
    text = lazaret("doctor", expect=0).stdout
    flat = " ".join(text.split())
    for name, line in lines.items():
        check(f"{line['state']} {name} {line['seen']}" in flat and line["means"] in flat, f"{name}: not in the text")


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
    check("Not looked at" not in as_root["means"], f"nothing is named that could be looked at: {as_root}")
    sinks = "spool: {seal-to: [/none.pem]}\nsinks: [{name: a, type: file, path: /none/a}]\n"
    write("shipping.yaml", (FOLDER / "here.yaml").read_text(encoding="utf-8") + sinks)
    shipping = doctor("shipping.yaml")["policy"]
    check("Not looked at: lazaret-helper, keys" in shipping["means"], f"with sinks: {shipping}")


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


@case("doctor: no /proc or too few descriptors keep every policy from starting")
def doctor_vital():
    need_root()
    bare = ["unshare", "--mount", "sh", "-c", 'umount -l /proc && exec "$@"', "-"]
    lines = doctor(expect=1, around=bare)
    check_equal((lines["proc"]["state"], lines["proc"]["vital"]), ("no", True), "proc")
    check_equal(lines["change-user"]["state"], "unknown", "capabilities cannot be read")
    lines = doctor(expect=1, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12)))
    check_equal((lines["open-files"]["state"], lines["open-files"]["vital"]), ("no", True), "open-files")


@case("every option of doctor in lazaret(1) was run by a case above, and no other exists")
def page():
    check_page("doctor")


laz.main()
