# SPDX-License-Identifier: Apache-2.0
"""lazaret-hook as runc and crun run it: what it records, what it brings, and what it refuses by name."""
import fcntl
import json
import os
import pathlib
import re
import signal
import shutil
import subprocess
import time

import area
import hook_world as world
import laz
import rootfs
from hook_world import SECRETS, check_refused
from laz import case, check, check_equal

PATIENCE_S = 60


def script(text):
    return ["/bin/sh", "-c", text]


def refusal(runtime, done, error, words, what):
    """crun keeps what a hook says to itself: there the ledger says it."""
    check(done.code != 0, f"{what}: the container ran: {done}")
    if runtime.name == "runc":
        check_refused(done, error, words, what)
    said = [r for r in runtime.ledger() if r["ev"] == "hook.refuse"]
    check(said, f"{what}: nothing is recorded")
    check_equal(said[-1]["d"]["error"], error, f"{what}: {said[-1]}")
    check(words in said[-1]["d"]["why"], f"{what}: {said[-1]}")


# ---- Records -----------------------------------------------------------------------------------------


@case("a container is recorded on the host when it is created and when it ends")
def container_is_recorded():
    for runtime in world.runtimes():
        made = world.bundle(world.config(script("exit 7")))
        done, name = runtime.run(made)
        check_equal(done.code, 7, f"{runtime.name}: {done}")
        create, secrets, end = runtime.ledger()
        check_equal([r["ev"] for r in (create, secrets, end)], ["hook.create", "hook.secrets", "hook.end"], runtime.name)
        check_equal([r["act"] for r in (create, secrets, end)], ["create", "deliver", "end"], runtime.name)
        for record in (create, secrets, end):
            check_equal((record["obj"], record["ctr"], record["sev"]), (name, "task", 1), runtime.name)
            check_equal(record["d"]["policy_sha256"], world.policy_digest(), runtime.name)
            check_equal(record["d"]["config_as_recorded"], True, runtime.name)
            root = (made / "rootfs").stat()
            check_equal((record["d"]["root_device"], record["d"]["root_inode"]), (root.st_dev, root.st_ino), "root")
            check_equal((record["d"]["uid"], record["d"]["gid"]), (world.UID, world.UID), "user")
            check_equal(record["d"]["bundle"], str(made), "bundle")
        check(create["pid"] > 1, f"{create}")
        check_equal(secrets["d"]["items"], ["db-password", "api-key"], "items")
        check(not runtime.host(f"/run/lazaret/{world.HASH}/{name}.json").exists(), "the record of an ended container")


@case("what a container is called is in its record by letters that need no escape, at most 128 of them, by whichever engine's annotation")
def names():
    runtime = next(world.runtimes())
    for key, member in (("nerdctl/name", "name"), ("io.kubernetes.cri.container-name", "name"), ("io.kubernetes.cri-o.ImageName", "image"), ("io.kubernetes.pod.name", "pod")):
        runtime.set_up()
        made = world.bundle({**world.config(script("exit 0")), "annotations": {key: 'a"b\\c d\te\x7f~!' + "x" * 200}})
        check_equal(runtime.run(made)[0].code, 0, key)
        record = runtime.ledger()[0]
        check_equal(record["d"][member], "a?b?c?d?e?~!" + "x" * 116, key)
        check_equal(record["d"]["root"], "rootfs", "root")


@case("the end of a container is recorded, and its record goes, also where its bundle has gone before")
def bundle_is_gone():
    runtime = next(world.runtimes())
    made = world.bundle()
    runtime.record("gone", made)
    shutil.rmtree(made)
    done = runtime.direct("audit-end", {"ociVersion": "1.0.2", "id": "gone", "status": "stopped", "bundle": str(made)})
    check_equal((done.code, done.err), (0, ""), "audit-end")
    (record,) = runtime.ledger()
    check_equal((record["ev"], record["obj"], record["ctr"], record["d"]["bundle"]), ("hook.end", "gone", "task", str(made)), "the record")
    check_equal([key for key in ("root", "uid", "config_as_recorded") if key in record["d"]], [], "what nobody knows any more")
    check(not runtime.host(f"/run/lazaret/{world.HASH}/gone.json").exists(), "what is remembered")


@case("what was changed in config.json behind the shim is said")
def changed_config_is_said():
    for runtime in world.runtimes():
        runtime.run(world.bundle(), **{"config-digest": "1" * 64})
        check_equal([r["d"]["config_as_recorded"] for r in runtime.ledger()], [False] * 3, runtime.name)


@case("what cannot be recorded does not begin, unless the host says otherwise")
def record_is_required():
    for runtime in world.runtimes():
        log = runtime.host("/var/log/lazaret")
        log.mkdir()
        log.chmod(0o777)
        done, _ = runtime.run(world.bundle(world.config(script("echo ran"))))
        check(done.code != 0 and "ran" not in done.out, f"{runtime.name}: {done}")
        if runtime.name == "runc":
            check_refused(done, "host-unsafe", "/var/log/lazaret others than root may write, mode 0777", "ledger")
        host = runtime.host("/etc/lazaret/runtime.yaml")
        host.write_text(host.read_text() + "audit: {required: false}\n")
        done, _ = runtime.run(world.bundle(world.config(script("echo ran"))))
        check_equal((done.code, done.out), (0, "ran\n"), f"{runtime.name}: {done.err}")
        check_equal(list(log.iterdir()), [], "records")


@case("who holds the lock of the file of records for good stops no hook for good: it says so by name")
def record_is_locked():
    runtime = world.runtime("runc")
    runtime.set_up()
    check_equal(runtime.run(world.bundle())[0].code, 0, "the control")
    with open(runtime.host(world.LEDGER), "rb") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)
        done, _ = runtime.run(world.bundle(world.config(script("echo ran"))))
    check(done.out == "", f"{done}")
    check_refused(done, "host-busy", "has had the lock of", "the lock")


# ---- Secrets -----------------------------------------------------------------------------------------


@case("a secret of the host is a file of the workload's own, on a mount that nobody writes to")
def secret_is_delivered():
    look = (f"cd {SECRETS}; stat -c '%n %u:%g %a' db api.key; stat -c '%u:%g %a' .; cat db api.key; ls /none 2>/dev/null; "
            "for f in db new; do (echo x > $f) 2>&1; done; umount . 2>&1; mount -o remount,rw . 2>&1; echo MOUNTS; cat /proc/self/mountinfo")
    for runtime in world.runtimes():
        for user in (world.UID, 0):
            runtime.set_up()
            done, _ = runtime.run(world.bundle(world.config(script(look), user=user, caps=["DAC_OVERRIDE"] if not user else [])))
            check_equal(done.code, 0, f"{runtime.name}: {done}")
            lines = done.out.splitlines()
            check_equal(lines[:3], [f"db {world.UID}:0 440", f"api.key {world.UID}:0 440", "0:0 711"], f"{runtime.name} {done}")
            values = runtime.values
            check(values["db"] + values["api.key"] in done.out, f"{runtime.name}: {done}")
            errors, _, table = done.out[done.out.index(values["api.key"]) + len(values["api.key"]):].partition("MOUNTS\n")
            (mount,) = [line.split() for line in table.splitlines() if line.split()[4] == SECRETS]
            check({"ro", "nosuid", "nodev", "noexec"} <= set(mount[5].split(",")), f"{runtime.name}: {mount}")
            check_equal(errors.count("Read-only file system"), 2, f"{runtime.name}: {errors}")
            check("umount" in errors and errors.count("ermi") + errors.count("perm") >= 2, f"{runtime.name}: {errors}")
        control, _ = runtime.run(world.bundle(world.config(script(f"ls {SECRETS}"), user=12345)))
        check(control.code != 0, "another user sees the names")


@case("a secret is in the container alone: not in its files, its state, its environment or a record")
def secret_is_nowhere_else():
    for runtime in world.runtimes():
        made = world.bundle(world.config(script(f"cat {SECRETS}/db; while :; do sleep 1; done")))
        name = f"{runtime.fence.cgroup}-kept-{runtime.name}"
        runtime.record(name, made)
        output = area.root() / f"kept-{runtime.name}"
        with open(output, "wb") as out:
            process = subprocess.Popen(runtime.fence.command(runtime.path, "--root", runtime.state, "run", "--bundle", made, name),
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            value = runtime.values["db"].encode()
            deadline = time.monotonic() + PATIENCE_S
            while value not in output.read_bytes():
                check(process.poll() is None and time.monotonic() < deadline, output.read_text())
                time.sleep(0.02)
        state = runtime.call("state", name)
        pid = json.loads(state.out)["pid"]
        inside = pathlib.Path(f"/proc/{runtime.fence.pid}/root/proc/{pid}")
        check(value in (inside / "root" / SECRETS[1:] / "db").read_bytes(), "it is not where it should be")
        export = rootfs.tar_of(made / "rootfs").read_bytes()
        places = {"state": state.out.encode(), "environ": (inside / "environ").read_bytes(), "export": export,
                  "config.json": (made / "config.json").read_bytes(), "ledger": runtime.host(world.LEDGER).read_bytes(),
                  "record": runtime.host(f"/run/lazaret/{world.HASH}/{name}.json").read_bytes()}
        for place, content in places.items():
            check(content and value not in content, f"{runtime.name}: {place}")
        for path in runtime.state.rglob("*"):
            check(not path.is_file() or value not in path.read_bytes(), f"{runtime.name}: {path}")
        runtime.call("kill", name, "KILL")
        process.wait(PATIENCE_S)
        runtime.call("delete", "--force", name)
        (area.root() / "rootfs.tar").unlink()


@case("a container whose secret cannot be had does not begin, and leaves nothing on the host")
def missing_secret_refuses():
    rows = [
        ("absent", None, {}, "secret-unavailable", "db-password: the host has no /etc/lazaret/secrets.d/task/db"),
        ("empty", "", {}, "secret-unavailable", "/etc/lazaret/secrets.d/task/db has 0 bytes, and may have 1 to 131072"),
        ("too long", "x" * 131073, {}, "secret-unavailable", "has 131073 bytes"),
        ("read by others", "v", {"mode": 0o644}, "host-unsafe", "may be read by others than root, mode 0644"),
        ("another's", "v", {"owner": (5, 0)}, "host-unsafe", "secrets.d/task/db belongs to user 5, not to root"),
        ("absent, behind one that is there", None, {"name": "api.key"}, "secret-unavailable", "the host has no /etc/lazaret/secrets.d/task/api.key"),
    ]
    for runtime in world.runtimes():
        for what, text, how, error, words in rows:
            canary = world.Canary()
            made = world.bundle(world.config(script("echo ran")))
            runtime.set_up()
            name = how.get("name", "db")
            runtime.put(f"{world.SOURCE}/task/{name}", text, **{"mode": 0o600, **{key: value for key, value in how.items() if key != "name"}})
            mounts = runtime.mounts()
            done, _ = runtime.run(made)
            check("ran" not in done.out, f"{what}: {done}")
            refusal(runtime, done, error, words, f"{runtime.name}: {what}")
            check_equal(runtime.mounts(), mounts, f"{runtime.name}: {what}: mounts of the host")
            check_equal(list((made / "rootfs" / "run" / "lazaret" / "host-secrets").iterdir()), [], "the image")
            canary.check_untouched(what)
            canary.close()


@case("the policy is the one that was recorded, as it was then, and the host's own word counts")
def record_decides():
    for runtime in world.runtimes():
        rows = [
            ("no record", {"known": False}, "container-unknown", f"has no record in /run/lazaret/{world.HASH}"),
            ("another digest", {"policy-digest": "2" * 64}, "policy-pin-mismatch",
             "policy task is not as it was when the container was created"),
            ("no policy", {"policy": "absent"}, "host-absent", "absent"),
            ("no name", {"policy": "../task"}, "policy-invalid", ""),
            ("a record of another's hand", {"mode": "a b"}, "oci-state-refused", "mode"),
        ]
        for what, record, error, words in rows:
            runtime.set_up()
            done, _ = runtime.run(world.bundle(), **record)
            refusal(runtime, done, error, words, f"{runtime.name}: {what}")
        for stage, verb in (("createRuntime", "audit-create"), ("createContainer", "secrets")):
            runtime.set_up()
            said = {**world.config(), "hooks": {stage: [world.entry(verb)]}}
            done, _ = runtime.run(world.bundle(said), **{"policy-digest": "2" * 64})
            refusal(runtime, done, "policy-pin-mismatch", "policy task is not as it was", f"{runtime.name}: by {verb} alone")
        runtime.set_up()
        runtime.put("/etc/lazaret/runtime.yaml", None)
        done, _ = runtime.run(world.bundle())
        check(done.code != 0, f"{runtime.name}: without a runtime.yaml: {done}")
        if runtime.name == "runc":
            check_refused(done, "host-absent", "/etc/lazaret/runtime.yaml", "runtime.yaml")


@case("the entries and the mount are those of the page")
def page_is_right():
    page = (laz.ROOT / "docs" / "reference" / "hook.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```json (mount|entry)\n(.*?)^```$", page, re.M | re.S))
    check_equal(json.loads(blocks["mount"]), world.TMPFS, "mount")
    entry = json.loads(blocks["entry"])
    check_equal({**entry, "path": str(world.hook())}, {**world.entry("secrets"), "env": entry["env"]}, "entry")
    words = dict(re.findall(r"^\| `(hook\.[a-z]+)` \| `([a-z]+)` \|", page, re.M))
    check_equal(words, {"hook.create": "create", "hook.secrets": "deliver", "hook.end": "end", "hook.refuse": "refuse"}, "records")


# ---- The process -------------------------------------------------------------------------------------


def waiting_hook(process):
    """The folder of /proc of the hook that reads its input below this process."""
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for pid in map(pathlib.Path("/proc").joinpath, children.read_text().split()):
            is_hook = (pid / "comm").read_text() == "lazaret-hook\n"
            if is_hook and (pid / "cwd").readlink() == pathlib.Path("/") and "\tS (" in (pid / "status").read_text():
                return pid
        time.sleep(0.005)
    raise laz.Failed("no hook waits for its input")


@case("a hook has nothing of what it was started with, and ends in time")
def hook_is_clean():
    runtime = next(world.runtimes())
    read, write = os.pipe()
    ready, ours = os.pipe()
    begin = (f'cd /tmp; umask 0; trap "" TERM PIPE; ulimit -c unlimited; export HOSTILE=canary; '
             f'exec "$0" secrets {world.HASH}')
    process = subprocess.Popen(runtime.fence.command("sh", "-c", begin, world.hook()), stdin=read, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, pass_fds=(ready, ours))
    os.close(read)
    pid = waiting_hook(process)
    check_equal(sorted(path.name for path in (pid / "fd").iterdir()), ["0", "1", "2"], "descriptors")
    status = dict(line.split(":\t", 1) for line in (pid / "status").read_text().splitlines() if ":\t" in line)
    check_equal(status["Umask"], "0077", "umask")
    check_equal(int(status["SigIgn"], 16) & ~(3 << 31), 0, "ignored signals")
    check_equal(int(status["SigBlk"], 16), 0, "blocked signals")
    check_equal(int(status["SigCgt"], 16), 1 << signal.SIGALRM - 1, "handled signals")
    check((pid / "environ").read_bytes().strip(b"\0") == b"", "its environment is there to be read")
    check("Max core file size        0" in (pid / "limits").read_text(), "core")
    check_equal((pid / "environ").stat().st_uid, 0, "dumpable")
    out, err = process.communicate(timeout=PATIENCE_S)
    check_equal((process.returncode, out, err), (1, b"", b"lazaret-hook: error: hook-late: not done within 8 s\n"), "late")
    for fd in (write, ready, ours):
        os.close(fd)


@case("words that are none of its own are refused")
def words_are_checked():
    runtime = next(world.runtimes())
    rows = [("", (world.HASH,), 'no verb is called ""'), ("poststop", (world.HASH,), 'no verb is called "poststop"'),
            ("secrets", (), "a verb and the hash of the runtime's root"),
            ("secrets", (world.HASH, "x"), "a verb and the hash of the runtime's root"),
            ("secrets", ("../" + world.HASH[3:],), "is 32 digits, 0 to 9 and a to f"),
            ("secrets", (world.HASH.upper(),), "is 32 digits, 0 to 9 and a to f"), ("secrets", ("",), "is 32 digits, 0 to 9")]
    for verb, words, said in rows:
        done = runtime.direct(verb, {}, words=words)
        check_equal(done.code, 1, f"{verb} {words}")
        check_refused(done, "bad-option", said, f"{verb} {words}")


laz.main()
