# SPDX-License-Identifier: Apache-2.0
"""lazaret-shim as a program: what it hands on is what it was given, and what it refuses it refuses by name.

The runtime is a stand-in that writes down everything a process inherits. The command lines are those that dockerd with
containerd, ctr and podman give to a runtime, each in the circumstances in which they give it.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import area
import laz
import readme
import shim_world as world
from laz import case, check, check_equal
from shim_world import FILE, OPT, PASS_THROUGH, RUNTIME, SHIM, Caller, configure, records, refused

PAGE = laz.ROOT / "docs" / "reference" / "shim.md"
ID = "4fb1" * 16
BUNDLE = OPT / "bundle"
CONFIG = '{ "ociVersion":"1.0.2",\t"process": {"args": ["/bin/true"], "rlimits": [{"hard": 18446744073709551615}]} }\n'
PROCESS = '{"args":["/bin/ls" , "-l"],"cwd":"/"}'
COMMON = ["--root", "/run/docker/runtime-runc/moby", "--log", BUNDLE / "log.json", "--log-format", "json"]
CTR = ["--root", "/run/containerd/runc/default", *COMMON[2:]]
PODMAN_LOG = ["--log-format=json", "--log", BUNDLE / "oci-log"]
ACTING = ["create", "run", "restore", "exec", "update", "checkpoint"]
OTHERS = [["start", ID], ["kill", ID, "9"], ["delete", "--force", ID], ["pause", ID], ["resume", ID], ["state", ID], ["list"],
          ["ps", "--format", "json", ID], ["events", ID], ["features"], ["spec"], ["checkpoint", "--help"], ["--version"], ["-v"],
          ["--help"], ["create", "-h"], ["create", "--help"], ["exec", "-h"], ["--root", "/x", "exec", "--help"], ["update", "-h"],
          ["help", "create"], ["nobody-knows-this"], []]


def in_pairs(common, *, terminal):
    """The verbs of a containerd shim, in the order of a container's life."""
    ends = ["--console-socket", "/tmp/pty123/pty.sock"] if terminal else []
    exec_ends = ["--process", OPT / "process.json", *ends, "--detach", "--pid-file", BUNDLE / "1.pid", ID]
    return [[*common, *words] for words in (
        ["create", "--bundle", BUNDLE, "--pid-file", BUNDLE / "init.pid", *ends, ID], ["start", ID], ["exec", *exec_ends],
        ["kill", ID, "15"], ["kill", ID, "9"], ["kill", "--all", ID, "9"], ["kill", ID, "1"], ["pause", ID], ["resume", ID],
        ["ps", "--format", "json", ID],
        ["checkpoint", "--image-path", "/tmp/image", "--work-path", BUNDLE, "--leave-running", ID], ["delete", ID],
        ["delete", "--force", ID], ["state", ID])]


def by_conmon():
    """podman's, by way of conmon, with the runtime's log and without."""
    create = ["create", "--bundle", BUNDLE, "--pid-file", BUNDLE / "pidfile"]
    words = ["exec", "--pid-file", BUNDLE / "exec_pid", "--process", OPT / "process.json", "--detach"]
    return [[*create, ID], [*create, "--console-socket", "/tmp/conmon-term.X", ID], [*PODMAN_LOG, *create, ID], [*words, ID],
            [*words, "--tty", "--console-socket", "/tmp/conmon-term.X", ID], [*words, "--preserve-fds", "1", ID],
            [*PODMAN_LOG, *words, ID]]


BY_PODMAN = [["start", ID], ["kill", ID, "15"], ["pause", ID], ["resume", ID], ["delete", "--force", ID], ["--version"],
             ["update", f"--resources={OPT}/resources", ID]]
# What nobody was recorded with, and somebody may have.
ODD = [["exec", "-p", OPT / "process.json", "-d", ID], ["run", "-b", BUNDLE, ID], ["create", f"--bundle={BUNDLE}", ID],
       ["exec", ID, "ls", "-h", "--", "--help"], ["--debug", "--systemd-cgroup", "run", ID, "x"], ["exec", "--nobody", "knows"],
       ["", "", "-"], ["create", "\x01\xff weird \n", "--"]]


def prepare():
    """The host, with a bundle."""
    world.host()
    configure()
    BUNDLE.mkdir(exist_ok=True)
    for path, text in ((BUNDLE / "config.json", CONFIG), (OPT / "process.json", PROCESS), (OPT / "resources", "{}")):
        path.write_text(text)


def callers():
    """(name, caller, command lines) of every circumstance; what the descriptors are of, to be kept open."""
    prepare()
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    env = {"PATH": area.PATH, "HOME": "/root", "EMPTY": "", "LC_ALL": "C", "TTRPC_ADDRESS": "/run/containerd/x.sock.ttrpc",
           "GOMAXPROCS": "4", "LD_LIBRARY_PATH": "/opt/containerd/lib:"}
    conmon = {"_OCI_SYNCPIPE": "3", "_OCI_STARTPIPE": "4", "PATH": area.PATH, "HOME": "/root"}
    containerd = Caller(env=env, cwd=str(BUNDLE), death=9, descriptors=[ours.fileno()])
    kept = (ours, theirs, reading, writing)
    return [
        ("dockerd", containerd, in_pairs(COMMON, terminal=False)),
        ("dockerd, a terminal", containerd, in_pairs(COMMON, terminal=True)),
        ("dockerd itself", Caller(env=env, cwd="/"), [["--version"], ["features"]]),
        ("ctr", containerd, in_pairs(CTR, terminal=False)),
        ("conmon", Caller(env=conmon, cwd="/var", death=9, ignored=[signal.SIGPIPE], descriptors=[reading, writing, reading]),
         by_conmon()),
        ("podman", Caller(env={"XDG_RUNTIME_DIR": ""}, cwd="/usr", umask=0o027), BY_PODMAN),
        ("podman, cleaning up", Caller(env={"XDG_RUNTIME_DIR": ""}, blocked=[signal.SIGUSR1]), BY_PODMAN),
        ("somebody", Caller(cwd=str(BUNDLE), umask=0o077, ignored=[signal.SIGINT, 40], blocked=[signal.SIGTERM, 64],
                            descriptors=[None, reading, None, None, ours.fileno()]), ODD),
        ("somebody without an environment", Caller(env={}), ODD),
        ("somebody with nothing open", Caller(closed=[0, 1, 2]), OTHERS),
    ], kept


def given(caller, program, words):
    """What the stand-in was given; pids, which differ, told by what they have to be."""
    (OPT / "asked").write_text("for what a pipe or a terminal would bring\n")
    with open(OPT / "asked") as asked, open(OPT / "said", "w+") as said:
        process = caller.start([program, *words], stdin=asked, stdout=said, stderr=said)
        code = process.wait(60)
        said.seek(0)
        check_equal((code, said.read()), (0, ""), f"{program} {' '.join(map(str, words))}")
    found = records()
    check_equal(len(found), 1, "calls of the runtime")
    record = found[0]
    record["status"] = world.status_of(record)
    for name, expected in (("pid", process.pid), ("parent", os.getpid()), ("group", os.getpgrp()), ("session", os.getsid(0))):
        record[name] = record[name] == expected
    return record


def differences(with_shim, without):
    """The keys of what is not the same."""
    return [key for key in {**with_shim, **without} if with_shim.get(key) != without.get(key)]


@case("each recorded command line: words, environment, descriptors, folder, signals, limits and files are the caller's")
def transparent():
    count = 0
    found, kept = callers()
    for name, caller, lines in found:
        for words in lines:
            without = given(caller, RUNTIME, words)
            check_equal(without["words"], [s.encode("utf-8", "surrogateescape").decode("latin-1") for s in map(str, [RUNTIME, *words])],
                        "what the stand-in says of itself")
            check_equal(without["death-signal"], caller.death, "the death signal that it says")
            with_shim = given(caller, SHIM, words)
            for key in differences(with_shim, without):
                check_equal(with_shim.get(key), without.get(key), f"{name}: {' '.join(map(str, words))}: {key}")
            count += 1
    check_equal((BUNDLE / "config.json").read_text(), CONFIG, "config.json")
    check(count >= 60, f"{count} lines")
    check(kept, "open to here")


@case("a wrapper with a defect is found out, whatever it changes")
def control():
    found, kept = callers()
    caller = dict((name, c) for name, c, _ in found)["dockerd"]
    words = ["create", "--bundle", BUNDLE, ID]
    without = given(caller, RUNTIME, words)
    expected = {"forks": "pid", "name": "words", "drops": "words", "folder": "folder", "umask": "status", "mask": "status",
                "ignore": "status", "death": "death-signal", "environment": "environment", "leaks": "descriptors",
                "closes": "descriptors", "reads": "descriptors", "limits": "limits", "session": "group", "privileges": "status"}
    defects = OPT / "defects"
    defects.mkdir()
    for defect, key in expected.items():
        path = defects / defect
        shutil.copy(OPT / "wrapper", path)
        seen = differences(given(caller, path, words), without)
        check(key in seen, f"{defect}: only {seen} differ")
    path = defects / "none"
    shutil.copy(OPT / "wrapper", path)
    check_equal(differences(given(caller, path, words), without), [], "a wrapper without a defect")
    check(kept, "open to here")


@case("update --resources -: the pipe is the runtime's, from its first byte")
def pipe():
    prepare()
    for size in (2, 70000):
        result = Caller().call(SHIM, *COMMON, "update", "--resources", "-", ID, feed=b"{" + b" " * size + b"}")
        check_equal((result.code, result.err), (0, ""), "update")
        (record,) = records()
        check_equal(record["stdin"], "{" + " " * size + "}", "what the runtime reads")


@case("exec -p of a pipe: the runtime reads all of it")
def process_pipe():
    prepare()
    reading, writing = os.pipe()
    os.write(writing, PROCESS.encode())
    os.close(writing)
    result = Caller(descriptors=[None, None, reading]).call(SHIM, "exec", "-p", "/dev/fd/5", ID)
    check_equal((result.code, result.err), (0, ""), "exec")
    (record,) = records()
    check_equal(record["process"], PROCESS, "what the runtime reads")


@case("one process: no fork, no second execve, no socket; of descriptors only its own are touched")
def calls():
    prepare()
    trace = OPT / "trace"
    check_equal(Caller().call(SHIM, *COMMON, "create", "--bundle", BUNDLE, ID).code, 0, "what the file says is prepared")
    result = Caller().call("strace", "-f", "-o", trace, SHIM, *COMMON, "create", "--bundle", BUNDLE, ID)
    check_equal(result.code, 0, f"under strace: {result.err}")
    records()
    lines = trace.read_text().splitlines()
    ran = [n for n, line in enumerate(lines) if " execve(" in line]
    check_equal(len(ran), 2, "programs: the shim, and the runtime")
    between = lines[ran[0] + 1:ran[1] + 1]
    names = {match.group(1) for line in between if (match := re.match(r"^\d+ +(\w+)\(", line))}
    check(not names & {"fork", "vfork", "clone", "clone3", "socket", "connect", "dup2", "dup3", "prctl", "rt_sigaction"} - (
        set() if not laz.instrumented() else {"prctl", "rt_sigaction", "clone", "socket"}), f"calls: {sorted(names)}")
    check(f'execve("{RUNTIME}"' in between[-1], between[-1])
    if not laz.instrumented():
        opened = [line for line in between if "open" in line and "O_" in line]
        check(opened and all("O_CLOEXEC" in line for line in opened), f"opened: {opened}")
        check(not [line for line in between if re.search(r" close\([012]\)", line)], "a descriptor of the caller's was closed")


@case("what an image or a bundle could bring changes nothing: LD_PRELOAD, LD_LIBRARY_PATH, PATH, a program in the folder")
def surroundings():
    prepare()
    if laz.instrumented():
        laz.skip("an instrumented build is dynamic")
    trap = BUNDLE / "runc"
    shutil.copy(OPT / "wrapper", trap)
    (BUNDLE / "libc.so.6").write_text("not a library")
    env = {"LD_PRELOAD": "./libc.so.6", "LD_LIBRARY_PATH": "/nowhere:", "PATH": str(BUNDLE), "XDG_CONFIG_HOME": str(BUNDLE),
           "LAZARET_RUNTIME": str(trap), "LAZARET_POLICY": "x"}
    result = Caller(env=env, cwd=str(BUNDLE)).call(SHIM, "start", ID)
    check_equal((result.code, result.out, result.err), (0, "", ""), "the call")
    (record,) = records()
    check_equal(record["words"][0], str(RUNTIME), "who was called")


# ---- The runtime ------------------------------------------------------------------------------------


def other(name, mode=0o755, owner=0):
    """A copy of the stand-in beside it."""
    path = OPT / name
    path.unlink(missing_ok=True)
    shutil.copy(RUNTIME, path)
    os.chown(path, owner, 0)
    path.chmod(mode)
    return path


def runtimes():
    """(path, name of the refusal, what the message says)."""
    world.host()
    link, folder, wide, foreign, fifo, script = (OPT / n for n in ("link", "folder", "wide", "foreign", "fifo", "script"))
    for path in (folder, wide, foreign):
        path.mkdir(exist_ok=True)
        shutil.copy(RUNTIME, path / "runc")
    wide.chmod(0o777)
    os.chown(foreign, 1000, 0)
    link.unlink(missing_ok=True)
    link.symlink_to(RUNTIME)
    (OPT / "linked").unlink(missing_ok=True)
    (OPT / "linked").symlink_to(folder)
    if not fifo.exists():
        os.mkfifo(fifo)
    script.write_text("no program\n")
    script.chmod(0o755)
    twin = OPT / "twin"
    twin.unlink(missing_ok=True)
    os.link(SHIM, twin)
    copy = OPT / "copy"
    shutil.copy(SHIM, copy)
    return [
        (OPT / "nobody", "runtime-unusable", "/opt/nobody: nothing is there"),
        (OPT / "nobody" / "runc", "runtime-unusable", "nothing is there"),
        (RUNTIME / "runc", "runtime-unusable", "nothing is there"),
        (link, "host-unsafe", "/opt/link is a link"),
        (OPT / "linked" / "runc", "host-unsafe", "/opt/linked is a link"),
        (folder, "host-unsafe", "/opt/folder is not a regular file"),
        (fifo, "host-unsafe", "/opt/fifo is not a regular file"),
        (other("group", 0o775), "host-unsafe", "/opt/group may be written by others than root, mode 0775"),
        (other("world", 0o757), "host-unsafe", "/opt/world may be written by others than root, mode 0757"),
        (other("theirs", owner=1000), "host-unsafe", "/opt/theirs belongs to user 1000, not to root"),
        (wide / "runc", "host-unsafe", "/opt/wide may be written by others than root, mode 0777"),
        (foreign / "runc", "host-unsafe", "/opt/foreign belongs to user 1000, not to root"),
        (f"{OPT}/../opt/runtime", "host-unsafe", "is not a plain path from the root"),
        (f"{OPT}//runtime", "host-unsafe", "is not a plain path from the root"),
        (f"{OPT}/folder/", "host-unsafe", "is not a plain path from the root"),
        (SHIM, "runtime-unusable", "/opt/lazaret-shim is lazaret-shim itself"),
        (twin, "runtime-unusable", "/opt/twin is lazaret-shim itself"),
        (copy, "runtime-unusable", "/opt/copy is lazaret-shim itself"),
        (other("plain", 0o644), "runtime-unusable", "/opt/plain: execve: Permission-denied"),
        (script, "runtime-unusable", "/opt/script: execve: Exec format error"),
    ]


@case("a runtime that is absent, not root's alone, not plainly named, or the shim itself is refused for every verb, by name")
def runtime_refused():
    for path, kind, text in runtimes():
        configure(PASS_THROUGH.replace(str(RUNTIME), str(path)))
        for words in (["create", ID], ["exec", ID], ["kill", ID, "9"], ["--version"]):
            refused(Caller().call(SHIM, *words), kind, text)
    configure()
    check_equal(Caller().call(SHIM, "kill", ID, "9").code, 0, "the control")
    check_equal(len(records()), 1, "calls of the runtime")


# ---- The file ---------------------------------------------------------------------------------------


def spoil_owner():
    os.chown(FILE, 1000, 0)


def spoil_link():
    shutil.move(FILE, OPT / "moved")
    FILE.symlink_to(OPT / "moved")


def spoil_fifo():
    FILE.unlink()
    os.mkfifo(FILE)


def spoil_folder():
    FILE.unlink()
    FILE.mkdir()


# (what, text, what is done to it, name, what the message says, whether the runtime's line is still believed)
BROKEN = [
    ("absent", None, None, "host-absent", "nothing is there", False),
    ("not root's", PASS_THROUGH, spoil_owner, "host-unsafe", "belongs to user 1000", False),
    ("writable by its group", PASS_THROUGH, lambda: FILE.chmod(0o664), "host-unsafe", "mode 0664", False),
    ("writable by all", PASS_THROUGH, lambda: FILE.chmod(0o646), "host-unsafe", "mode 0646", False),
    ("in a folder of others", PASS_THROUGH, lambda: FILE.parent.chmod(0o777), "host-unsafe", "/etc/lazaret may be", False),
    ("a link", PASS_THROUGH, spoil_link, "host-unsafe", "is a link", False),
    ("a fifo", PASS_THROUGH, spoil_fifo, "host-unsafe", "is not a regular file", False),
    ("a folder", PASS_THROUGH, spoil_folder, "host-unsafe", "is not a regular file", False),
    ("empty", "", None, "policy-syntax", "runtime.yaml:1:1", False),
    ("no YAML", PASS_THROUGH + "- [\n", None, "policy-syntax", "runtime.yaml:4:", True),
    ("an unknown key", PASS_THROUGH + "default-polcy: x\n", None, "policy-invalid", "runtime.yaml:4:1", True),
    ("no version", PASS_THROUGH[11:], None, "policy-invalid", "version", True),
    ("another version", PASS_THROUGH.replace("1", "2", 1), None, "policy-invalid", "runtime.yaml:1:10", True),
    ("two runtimes", PASS_THROUGH + "runtime: /opt/other\n", None, "policy-syntax", "runtime.yaml:4:1", False),
    ("a relative runtime", PASS_THROUGH.replace("/opt/", ""), None, "policy-invalid", "runtime.yaml:2:10", False),
    ("no runtime", "version: 1\ndefault-policy: pass-through\n", None, "policy-invalid", "runtime", False),
    ("too large", PASS_THROUGH + "#" * 300000, None, "policy-too-large", "more than", False),
]


@case("a file that cannot be used: create, run, restore, exec, update and checkpoint are refused by name, and whatever stops a container passes")
def broken():
    prepare()
    area.require_program("runc")
    for what, text, spoil, kind, message, is_believed in BROKEN:
        configure(text)
        if spoil:
            spoil()
        for verb in ACTING:
            refused(Caller().call(SHIM, *COMMON, verb, ID), kind, message)
        for words in OTHERS if is_believed else []:
            result = Caller().call(SHIM, *words)
            check_equal((result.code, result.err, len(records())), (0, "", 1), f"{what}: {words}")
        if not is_believed:
            result = Caller().call(SHIM, "--version")
            check(result.out.startswith("runc version"), f"{what}: {result}")
            result = Caller().call(SHIM, "--root", OPT / "none", "kill", "nobody", "9")
            check("container does not exist" in result.err, f"{what}: runc's own words: {result}")
    configure()


@case("by its name: the program that runtime-by-name says, by the last part of argv[0]")
def by_name():
    prepare()
    named = OPT / "lazaret-nvidia"
    named.unlink(missing_ok=True)
    named.symlink_to(SHIM)
    for key in ("runtime-by-name", '"runtime-by\\x2dname"'):
        configure(PASS_THROUGH + f"{key}: {{lazaret-nvidia: {other('nvidia')}}}\n")
        for program, expected in ((named, "/opt/nvidia"), (SHIM, str(RUNTIME))):
            for words in (["create", "--bundle", BUNDLE, ID], ["start", ID]):
                check_equal(Caller().call(program, *words).code, 0, "the call")
                (record,) = records()
                check_equal(record["words"][0], expected, f"{key}: who was called by {program} {words}")
    configure()


@case("an option that is not understood, where the shim would have to act: refused only if a verb of its could be behind it")
def unclear():
    prepare()
    configure(None)
    for words in (["--new", "create", ID], ["--new", "x", "exec", ID], ["--version=false", "create", ID], ["-root", "/x", "run", ID],
                  ["create", "--new", ID], ["exec", "--help=false", ID]):
        refused(Caller().call(SHIM, *words), "host-absent")
    for words in (["--new", "--version"], ["--new", "x", "list"]):
        check(Caller().call(SHIM, *words).err.startswith("lazaret: ") is False, f"{words} are the runtime's to judge")
    configure()


# ---- How it says no ----------------------------------------------------------------------------------


def refuse(*words, caller=None):
    """A refusal, whatever for."""
    configure(None)
    return (caller or Caller()).call(SHIM, *words)


@case("a refusal is one line of the log too, as JSON or as text, behind what is there; the file is made where it is missing")
def logged():
    prepare()
    log = OPT / "log"
    log.unlink(missing_ok=True)
    for before in (0, 1):
        result = refuse("--log", log, "--log-format", "json", "create", ID)
        refused(result, "host-absent")
        lines = log.read_text().splitlines()
        check_equal(len(lines), before + 1, "lines")
        found = json.loads(lines[-1])
        check_equal(list(found), ["level", "msg", "time"], "keys")
        check_equal((found["level"], found["msg"]), ("error", result.err.rstrip("\n")), "what it says")
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["time"]), found["time"])
    log.unlink()
    for words in (["--log", log], [f"--log={log}", "--log-format=text"]):
        refused(refuse(*words, "run", ID), "host-absent")
        (line,) = log.read_text().splitlines()
        check(re.fullmatch(r'time="[^"]+Z" level=error msg="lazaret: host-absent: .*"', line), line)
        log.unlink()
    check_equal(log.exists(), False, "a log")
    refused(refuse("create", ID), "host-absent")
    configure(f"version: 1\nruntime: {RUNTIME}\nlog: {log}\n")
    refused(Caller().call(SHIM, "create", "--bundle", BUNDLE, ID), "request-refused", "no policy of /etc/lazaret/runtime.yaml is for this container (default-policy), with cgroup ")
    (line,) = log.read_text().splitlines()
    check("lazaret: request-refused: " in line, f"the host's own log: {line}")
    log.unlink()
    configure(f"version: 1\nruntime: /opt/absent\nlog: {log}\n")
    refused(Caller().call(SHIM, "start", ID), "runtime-unusable")
    (line,) = log.read_text().splitlines()
    check("lazaret: runtime-unusable: " in line, f"the host's own log, a verb that changes nothing: {line}")
    log.unlink()


@case("a log that is a link, a fifo, a folder or somebody else's is left alone, and the refusal stands")
def log_unsafe():
    prepare()
    target, link, fifo, theirs = (OPT / n for n in ("log-target", "log-link", "log-fifo", "log-theirs"))
    target.write_text("kept\n")
    theirs.write_text("kept\n")
    os.chown(theirs, 1000, 1000)
    theirs.chmod(0o666)
    for path, make in ((link, lambda: link.symlink_to(target)), (fifo, lambda: os.mkfifo(fifo))):
        path.unlink(missing_ok=True)
        make()
    dangling = OPT / "log-dangling"
    dangling.unlink(missing_ok=True)
    dangling.symlink_to(OPT / "log-made")
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    for path in (link, dangling, fifo, OPT / "folder-of-logs" / "log", OPT, theirs):
        refused(refuse("--log", path, "--log-format", "json", "create", ID), "host-absent")
    check_equal((target.read_text(), theirs.read_text(), (OPT / "log-made").exists()), ("kept\n", "kept\n", False), "files")
    check_equal(os.read(reading, 1), b"", "what came out of the fifo")
    os.close(reading)


@case("the page's file lets runc be called, and the page's refusal is what is said")
def page():
    prepare()
    area.require_program("runc")
    configure(readme.block("yaml runtime", PAGE))
    check(Caller().call(SHIM, "--version").out.startswith("runc version"), "the page's file")
    configure(PASS_THROUGH.replace(str(RUNTIME), str(other("world", 0o757))))
    check_equal(Caller().call(SHIM, "kill", ID, "9").err.strip(), readme.block("text refusal", PAGE).strip(), "the refusal")


@case("a caller that has closed what is written to, or does not read it, gets the exit code all the same")
def nobody_listens():
    prepare()
    configure(None)
    reading, writing = os.pipe()
    os.close(reading)
    log = OPT / "log"
    log.unlink(missing_ok=True)
    for caller, err in ((Caller(closed=[1, 2]), subprocess.DEVNULL), (Caller(closed=[0, 1, 2]), subprocess.DEVNULL), (Caller(), writing)):
        process = caller.start([SHIM, "--log", log, "--log-format", "json", "create", ID], stderr=err, stdout=subprocess.DEVNULL)
        check_equal(process.wait(60), 1, "exit code")
        check_equal(len(log.read_text().splitlines()), 1, "lines of the log")
        log.unlink()
    os.close(writing)


@case("the program is small: at most 1 MiB")
def small():
    if laz.instrumented():
        laz.skip("an instrumented build is larger")
    size = pathlib.Path(area.program("lazaret-shim")).stat().st_size
    check(size <= 1 << 20, f"{size} bytes")


if __name__ == "__main__":
    laz.main()
