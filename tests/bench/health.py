# SPDX-License-Identifier: Apache-2.0
"""Benches of health: what a probe costs as the engine runs it, how soon readiness is off, how long a drain takes of which
nobody has need, and what the helper takes at rest."""
import contextlib
import http.client
import json
import statistics
import subprocess
import time

from harness import bench, count, goal, say, show

import adapters
import area
import fence
import laz
import rootfs
import sinks_peers
from quiet import used_ns
from rest import private_kib
from ship_world import until

POLICY = """
version: 1
name: bench
extends: [builtin/web-api]
workload: {user: "10001:10001"}
limits: {processes: 30000}
filesystem: {read-exec: [/usr, /lib, /lib64], optional: [/lib64]}
health: {}
"""
# How long a program takes from its fork to its end, so often, in nanoseconds.
INSIDE = """import os, sys, time
for _ in range(int(sys.argv[1])):
    began = time.monotonic_ns()
    pid = os.posix_spawn(sys.argv[2], sys.argv[2:], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    if os.waitpid(pid, 0)[1]:
        sys.exit("it failed")
    print(time.monotonic_ns() - began)
"""
CHECKS = [{"name": f"port-{i}", "tcp": "127.0.0.1:{port}"} for i in range(3)]


def container(docker):
    """The name of a container that is ready, with this machine's own programs in it."""
    root = rootfs.scratch_root("bench-health")
    rootfs.put_users(root)
    rootfs.put_lazaret(root)
    rootfs.put(root, "/etc/lazaret/policy.yaml", POLICY)
    rootfs.put_folder(root, "/usr")
    for link in ("bin", "lib", "lib64"):
        (root / link).symlink_to(f"usr/{link}")
    image = docker.import_root(root, "lazaret-bench-health")
    name = docker.start(image, ["--", "/usr/bin/sleep", "600"], options=["--entrypoint", "/lazaret-init", "--volume", "/usr:/usr:ro"])
    until(lambda: docker.call("exec", name, "/lazaret-init", "probe", "ready").code == 0, lambda: f"ready: {docker.call('logs', name)}")
    return name


@bench("probe")
def probe():
    """`lazaret-init probe live` as `docker exec` and beside the workload, and /bin/true the same way."""
    import logs  # pylint: disable=import-outside-toplevel  # its benches stand behind these
    docker, _ = logs.docker()
    name = container(docker)
    commands = {"/bin/true": ["/usr/bin/true"], "probe live": ["/lazaret-init", "probe", "live"]}
    found = {key: [] for key in commands}
    for _ in range(count(60, 2)):
        for key, words in commands.items():
            began = time.monotonic_ns()
            docker.must("exec", name, *words)
            found[key].append(time.monotonic_ns() - began)
    say("  -- as docker exec")
    for key in commands:
        ratio = show(key, found[key], "ms", found["/bin/true"], 1e6)
    goal("a probe as docker exec, against /bin/true", ratio, 1.2)
    say("  -- inside, from its fork to its end")
    inside = {key: [int(line) for line in docker.must("exec", name, "/usr/bin/python3", "-c", INSIDE, count(300, 3), *words).split()]
              for key, words in commands.items()}
    for key in commands:
        middle = show(key, inside[key], "ms", inside["/bin/true"], 1e6) and statistics.median(inside[key]) / 1e6
    goal("a probe inside, median", middle, 2, "ms")
    docker.must("rm", "--force", name)


class Box:
    """init with health around an idle workload, in a network of its own or in ours."""

    _count = 0

    def __init__(self, health, **shutdown):
        Box._count += 1
        self.events = fence.scratch() / f"bench-health-{Box._count}"
        self.policy = adapters.Lazaret.policy({"workload": {"exec-budget": -1, "cwd": "/"}, "health": health, "shutdown": {
            "stop-timeout": "60s", "grace": "2s", "drain": "200ms", **shutdown}})

    @contextlib.contextmanager
    def start(self, wrapper=()):
        words = [str(laz.BIN / "lazaret-init"), "--policy", adapters.Lazaret.image(self.policy), "--events", str(self.events), "--", "/bin/sleep", "600"]
        with fence.Run(words, "pid1", wrapper=wrapper) as run:
            until(lambda: any(r["ev"] == "health.state" and r["act"] == "ready" for r in self.records()), run.describe)
            yield run

    def records(self):
        whole, _, _ = self.events.read_text().rpartition("\n") if self.events.exists() else ("", "", "")
        return [json.loads(line) for line in whole.splitlines()]


def status_of(port):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    link.request("GET", "/readyz")
    answer = link.getresponse().status
    link.close()
    return answer


def readiness_off():
    """Nanoseconds from the kill() of init to an answer of /readyz that says no."""
    port, = sinks_peers.free_ports(1)
    box = Box({"listen": f"127.0.0.1:{port}"}, **{"lb-grace": "20s"})
    with box.start() as run:
        laz.check_equal(status_of(port), 200, "before")
        run.kill(fence.TERM)
        began = time.monotonic_ns()
        while status_of(port) == 200:
            pass
        took = time.monotonic_ns() - began
        run.kill(fence.TERM)
        run.wait()
    return took


def drained():
    """Milliseconds from the stop signal of an idle workload's container to its own."""
    box = Box({}, **{"lb-grace": "30s"})
    with box.start(wrapper=("unshare", "-n")) as run:
        run.kill(fence.TERM)
        run.wait(60)
    return next(r["d"]["ms"] for r in box.records() if r["ev"] == "drain.end")


@bench("health")
def health():
    """Readiness after the stop signal, the drain of an idle workload, and the helper at rest with three checks."""
    off = [readiness_off() for _ in range(count(31, 2))]
    show("the stop signal to a 503", off, "ms", None, 1e6)
    goal("readiness off after the stop signal, median", statistics.median(off) / 1e6, 5, "ms")
    ends = [drained() for _ in range(count(7, 1))]
    show("an idle workload's drain", ends, "ms")
    goal("an idle workload is drained, median", statistics.median(ends) / 1000, 4, "s")
    seconds = count(60, 1)
    port, web = sinks_peers.free_ports(2)
    server = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", area.require_program("python3"), "-m", "http.server", "-b", "127.0.0.1", str(web)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: sinks_peers.listens(web), "a port to check")
    checks = [{**one, "tcp": one["tcp"].format(port=web)} for one in CHECKS]
    with Box({"listen": f"127.0.0.1:{port}", "ready": {"checks": checks}}).start() as run:
        pid = next(p for p in run.children() if fence.comm(p) == "lazaret-health")
        time.sleep(1)
        before, began = used_ns(pid), time.monotonic_ns()
        time.sleep(seconds)
        share = 100 * (used_ns(pid) - before) / (time.monotonic_ns() - began)
        private, written = private_kib(pid)
    server.kill()
    server.wait()
    say(f"  {'health, three checks in 10 s':34s} {share:.3f} % of a CPU; {private} KiB of its own, {written} of them written to")
    goal("health's share of a CPU at rest", share, 0.05, "%")
    goal("health, private memory that it wrote to", written, 2048, "KiB")
