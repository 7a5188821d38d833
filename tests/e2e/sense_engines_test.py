# SPDX-License-Identifier: Apache-2.0
"""What sense sees of real engines: `runc exec`, `docker exec` and Docker's health command, in an image with nothing in it."""
import functools
import json
import pathlib
import subprocess
import time

import area
import engines
import laz
import rootfs
import sense_world
from laz import case, check, check_equal
from ship_world import until

IDS, AUDIT = "/var/log/ids.jsonl", "/var/log/audit.jsonl"
POLICY = {
    "version": 1,
    "name": "watched",
    "extends": ["builtin/web-api"],
    "workload": {"user": "10001:10001", "exec-budget": -1},
    "filesystem": {"read-exec": ["/act"], "read": ["/orders"], "write": ["/done"]},
    "spool": {"dir": "/run/lazaret/spool", "max": "8MiB", "segment": "1MiB"},
    "sinks": [{"name": "ids", "type": "file", "path": IDS, "classes": ["ids"]},
              {"name": "audit", "type": "file", "path": AUDIT, "classes": ["audit"], "required": True}],
    "sense": {"interval": "100ms", "window": "1s", "foreign": {"allow": ["checked"]}, "files": {"watch": ["/act", "/policy.yaml"]}},
    "limits": {"processes": 30000},
}
WORDS = ["/lazaret-init", "--policy", "/policy.yaml", "--", "/act", "/orders", "/done"]


@functools.cache
def the_runc():
    return engines.Runc()


def watched_root(name):
    """Our three programs, the policy as YAML, and a workload, which is also what is put in from outside."""
    root = rootfs.scratch_root(name)
    for program in ("lazaret-init", "lazaret-setup", "lazaret-helper"):
        rootfs.put(root, f"/{program}", area.program(program), 0o755)
    for path in ("/act", "/checked"):
        rootfs.put(root, path, pathlib.Path(sense_world.act()), 0o755)
    rootfs.put(root, "/orders", b"", 0o644)
    rootfs.put(root, "/done", b"", 0o666)
    rootfs.put_folder(root, "/var/log")
    rootfs.put_folder(root, "/run")
    rootfs.put(root, "/policy.yaml", json.dumps(POLICY))
    return root


def records(text, ev):
    return [r for r in map(json.loads, text.splitlines()) if r["ev"] == ev]


def check_growth(runc, container, read):
    """A process of root that `runc exec` put in, and that left its parent, is found; and again when it gains in place."""
    for _ in range(3):  # seen before it has left its parent, it is foreign, and stays that
        before = len(records(read(IDS), "cred.change"))
        check(runc.exec_detached(container, ["/act", "grow"], "0:0"), "runc exec")
        time.sleep(2)
        found = records(read(IDS), "cred.change")[before:]
        if found:
            break
    check_equal(len(found), 2, f"finds: {found}")
    first, second = found
    check_equal(first["pid"], second["pid"], "who was found")
    check("cap_eff" in first["obj"] and "cap_amb" not in first["obj"], f"at first: {first}")
    check("cap_inh" in second["obj"] and "cap_amb" in second["obj"], f"then: {second}")
    check_equal(second["d"]["is"]["cap_amb"], f"{1 << 10:016x}", "what it gained")
    check_equal(second["d"]["expected"]["cap_amb"], "0" * 16, "what it should have")


def check_foreign(read, count, what):
    """So many finds, by the sink of class ids and by that of class audit, which has all; and nothing else."""
    def found():
        return sum(r["d"]["count"] for r in records(read(IDS), "exec.foreign")) >= count
    until(found, lambda: f"{count} finds after {what}: {read(IDS)}", 15, 0.1)
    time.sleep(0.5)
    for path in (IDS, AUDIT):
        seen = records(read(path), "exec.foreign")
        check_equal(sum(r["d"]["count"] for r in seen), count, f"{what}: finds in {path}")
    for ev in ("net.listen", "fim.change", "cred.change", "exec.drift"):
        check_equal(records(read(AUDIT), ev), [], f"{what}: {ev}")
    check_equal(records(read(IDS), "chain.genesis"), [], "what is of class audit")


@case("runc: each `runc exec` is a find, what the policy allows is none, what gains capabilities in place is one, and a changed program too")
def by_runc():
    runc = the_runc()
    root = watched_root("sense-runc")
    words, container = runc.command(root, WORDS)

    def read(path):
        return (root / path[1:]).read_text() if (root / path[1:]).exists() else ""

    run = subprocess.Popen([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: records(read(AUDIT), "init.start"), "start", 30, 0.1)
        (start,) = records(read(IDS), "sense.start")
        check_equal(list(start["d"]["unavailable"]), ["executables"], "what cannot be watched with Docker's capabilities")
        for _ in range(2):
            check(runc.exec_detached(container, ["/act", "sleep"], "0:0"), "runc exec")
        check(runc.exec_detached(container, ["/checked", "sleep"], "0:0"), "runc exec of what is allowed")
        check_foreign(read, 2, "runc exec")
        check_growth(runc, container, read)
        (root / "act").chmod(0o4755)
        until(lambda: records(read(IDS), "fim.change"), "change", 10, 0.1)
        (change,) = records(read(IDS), "fim.change")
        check_equal((change["obj"], change["act"], change["d"]["after"]["mode"]), ("/act", "mode", "4755"), "the change")
    finally:
        runc.signal(container, 9)
        run.wait(30)
        area.run(runc.fence.command(runc.path, "--root", runc.state, "delete", "--force", container))


@case("runc, a /proc that hides others' processes: ports and files are watched, the rest is unavailable by name")
def hidden():
    runc = the_runc()
    root = watched_root("sense-hidepid")
    over = [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["hidepid=2"]}]
    words, container = runc.command(root, WORDS, mounts=over)
    trail = root / AUDIT[1:]
    with open(area.folder("sense-hidepid-said") / "stderr", "wb") as said:
        run = subprocess.Popen([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        until(lambda: run.poll() is not None or (trail.exists() and records(trail.read_text(), "sense.start")), "start", 30, 0.1)
        (start,) = records(trail.read_text(), "sense.start")
        check_equal(start["d"]["watching"], ["listen", "files"], "what is watched")
        why = "/proc does not show processes of others"
        check_equal(start["d"]["unavailable"], {k: why for k in ("foreign", "credentials", "executables")}, "what is not")
        check(runc.exec_detached(container, ["/act", "sleep"], "0:0"), "runc exec")
        (root / "act").chmod(0o4755)
        until(lambda: records(trail.read_text(), "fim.change"), "change", 10, 0.1)
        check_equal(records(trail.read_text(), "exec.foreign"), [], "what cannot be seen")
    finally:
        runc.signal(container, 9)
        run.wait(30)
        area.run(runc.fence.command(runc.path, "--root", runc.state, "delete", "--force", container))


def health(program):
    return f'HEALTHCHECK --interval=1s --timeout=1s CMD ["{program}", "sleep"]'


@case("docker: `docker exec` is a find; the health command is one unless the policy names it")
def by_docker():
    docker = engines.Docker()
    root = watched_root("sense-docker")

    def reader(container):
        def read(path):
            done = subprocess.run([docker.path, "cp", f"{container}:{path}", "-"], env=docker.env, capture_output=True, check=False)
            return done.stdout[512:].rstrip(b"\0").decode()
        return read

    def start(program):
        docker.import_root(root, "lazaret-sense", health(program))
        container = docker.start("lazaret-sense", WORDS)
        read = reader(container)
        until(lambda: records(read(AUDIT), "init.start"), "start", 30, 0.2)
        return container, read

    def checks(container):
        return len(json.loads(docker.must("inspect", "--format", "{{json .State.Health.Log}}", container)))

    container, read = start("/checked")
    docker.must("exec", "--detach", container, "/act", "sleep")
    until(lambda: checks(container) >= 2, "two health checks", 20, 0.2)
    check_foreign(read, 1, "docker exec")
    docker.must("kill", container)
    container, read = start("/act")
    until(lambda: records(read(IDS), "exec.foreign"), "the health command", 20, 0.2)
    check_equal({r["obj"] for r in records(read(IDS), "exec.foreign")}, {"/act"}, "what was found")
    docker.must("kill", container)


if __name__ == "__main__":
    laz.main()
