# SPDX-License-Identifier: Apache-2.0
"""However a process comes into a container under a policy, by whichever engine and runtime: it is as confined as the workload.

docker, ctr and podman with runc behind lazaret-shim; crun by bundles of our own, without rules for devices: for those it needs limits
that not every machine grants. The control of each is the same without a policy.
"""
import json
import subprocess

import area
import engines
import laz
import rootfs
import shim_peers
import shim_world as world
from laz import case, check, check_equal
from shim_confined import POLICY, STATUS, check_confined, check_open
from shim_world import SHIM, configure

UNIFIED = 'mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"'  # crun wants control groups of version 2 alone
_made = {}


def prepare(runtime, policy):
    """The host, with this runtime behind the shim."""
    path = area.require_program(runtime)
    world.host()
    world.install(shell=POLICY)
    configure(f"version: 1\nruntime: {path}\ndefault-policy: {policy}\naudit: {{file: {world.OPT}/audit/host.jsonl}}\n")


def root():
    """An image that knows nothing of Lazaret."""
    if "root" not in _made:
        _made["root"] = rootfs.busybox_root("shim-matrix")
    return _made["root"]


@case("docker: run, exec, exec --privileged, exec -u")
def by_docker():
    world.host()
    engine = engines.Docker(["--add-runtime", f"lazaret={SHIM}"])
    engine.import_root(root(), "shell", "ENV PATH=/bin:/usr/bin")
    for policy, judge in (("shell", check_confined), ("pass-through", check_open)):
        prepare("runc", policy)
        what = f"docker, {policy}"
        options = ["--runtime", "lazaret"]
        judge(engine.run("shell", STATUS, options=options), f"{what}: run")
        name = engine.start("shell", ["sleep", "1000"], options=options)
        ways = [[], ["-u", "0"], ["--privileged"]] if policy == "shell" else [[]]
        for way in ways:
            judge(engine.call("exec", *way, name, *STATUS), f"{what}: exec {way}")
        engine.must("rm", "--force", name)


@case("ctr: run and task exec")
def by_ctr():
    world.host()
    with shim_peers.Containerd() as containerd:
        for policy, judge in (("shell", check_confined), ("pass-through", check_open)):
            prepare("runc", policy)
            what = f"ctr, {policy}"
            name = f"ctr-{policy}"
            judge(area.run([*containerd.run, "--rm", root(), f"{name}-run", *STATUS]), f"{what}: run")
            result = area.run([*containerd.run, "-d", root(), name, "/bin/sleep", "1000"])
            check_equal(result.code, 0, f"{what}: {result.err}")
            judge(area.run([*containerd.ctr, "task", "exec", "--exec-id", "one", name, *STATUS]), f"{what}: exec")
            area.run([*containerd.ctr, "task", "rm", "--force", name])


@case("podman: run, exec, exec --privileged, exec -u")
def by_podman():
    world.host()
    podman = shim_peers.Podman("p")
    for policy, judge in (("shell", check_confined), ("pass-through", check_open)):
        prepare("runc", policy)
        what, name = f"podman, {policy}", f"podman-{policy}"
        judge(podman.call("run", "--rm", *podman.options, "--rootfs", root(), *STATUS), f"{what}: run")
        result = podman.call("run", "-d", *podman.options, "--name", name, "--rootfs", root(), "/bin/sleep", "1000")
        check_equal(result.code, 0, f"{what}: {result.err}")
        for way in [[], ["--user", "0"], ["--privileged"]] if policy == "shell" else [[]]:
            judge(podman.call("exec", *way, name, *STATUS), f"{what}: exec {way}")
        podman.call("rm", "--force", "--time", "0", name)


@case("crun, by hand: run, exec of a file and exec of words")
def by_crun():
    world.host()
    fence = area.fence()
    process = area.folder("crun-process") / "process.json"
    for policy, judge in (("shell", check_confined), ("pass-through", check_open)):
        prepare("crun", policy)
        bundle = area.folder(f"crun-{policy}")
        area.run(["runc", "spec", "--bundle", bundle])
        config = json.loads((bundle / "config.json").read_text())
        caps = ["CAP_" + name for name in engines.DOCKER_CAPS]
        config["process"].update(terminal=False, args=STATUS, capabilities={k: caps for k in ("bounding", "effective", "permitted")})
        config["root"] = {"path": str(root()), "readonly": False}
        config["linux"].update(cgroupsPath=f"/{fence.cgroup}/crun", resources={})
        process.write_text(json.dumps(config["process"]))
        begin = fence.command("unshare", "-m", "sh", "-c", UNIFIED, "sh", SHIM, "--root", "/run/crun-test")

        def call(*words):
            return area.run([*begin, *words], env={"PATH": area.PATH})

        (bundle / "config.json").write_text(json.dumps(config))
        judge(call("run", "--bundle", bundle, "one"), f"crun, {policy}: run")
        config["process"]["args"] = ["/bin/sleep", "1000"]
        (bundle / "config.json").write_text(json.dumps(config))
        words = [str(word) for word in [*begin, "run", "--detach", "--bundle", bundle, "two"]]  # which keeps what it may write to
        done = subprocess.run(words, env={"PATH": area.PATH}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False, timeout=60)
        check_equal(done.returncode, 0, "crun run --detach")
        judge(call("exec", "--process", process, "two"), f"crun, {policy}: exec of a file")
        judge(call("exec", "two", *STATUS), f"crun, {policy}: exec of words")
        call("delete", "--force", "two")


if __name__ == "__main__":
    laz.main()
