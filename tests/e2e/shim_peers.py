# SPDX-License-Identifier: Apache-2.0
"""containerd and podman with lazaret-shim as their runtime, for suites: inside the area's fence, in folders of their own.

Must never touch an engine, an image or a container that it did not make. Needs root; a missing engine is a skip.
"""
import signal
import subprocess
import time

import area
import laz
import shim_world as world

PATIENCE_S = 60


class Containerd:
    """A containerd of our own. Use as a context manager."""

    def __init__(self):
        daemon, client = area.require_program("containerd"), area.require_program("ctr")
        self.fence = area.fence()
        home = area.folder("containerd")
        config = home / "config.toml"
        config.write_text(f'version = 2\nroot = "{home}/root"\nstate = "{home}/state"\n'
                          'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                          f'[grpc]\n  address = "{home}/socket"\n')
        with open(home / "log", "wb") as log:
            self.process = subprocess.Popen(self.fence.command(daemon, "--config", config), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env={"PATH": area.PATH})
        self.ctr = [client, "--address", home / "socket"]
        self.run = [*self.ctr, "run", "--runc-binary", world.SHIM, "--cgroup", f"/{self.fence.cgroup}/ctr", "--rootfs"]
        end = time.monotonic() + PATIENCE_S
        while area.run([*self.ctr, "version"]).code != 0:
            laz.check(time.monotonic() < end, "containerd does not answer")
            time.sleep(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)


class Podman:
    """podman with folders of its own."""

    def __init__(self, name="podman"):
        program = area.require_program("podman")
        area.require_program("conmon")
        self.fence = area.fence()
        home = world.OPT / name  # whose runroot may have 50 characters
        home.mkdir()
        self.env = {"PATH": area.PATH, "HOME": str(home), "TMPDIR": str(home), "CONTAINERS_CONF": "/dev/null"}
        self.words = self.fence.command(
            program, "--root", home / "root", "--runroot", home / "run", "--tmpdir", home / "tmp", "--storage-driver", "vfs",
            "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", world.SHIM)
        self.options = ["--network", "none", "--cgroup-parent", f"/{self.fence.cgroup}", "--log-driver", "k8s-file"]

    def call(self, *words):
        """One command; podman's own "runtime error" is no sanitizer's, so that it is not looked for."""
        done = subprocess.run([*map(str, self.words), *map(str, words)], env=self.env, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=PATIENCE_S)
        return area.Result(done.returncode, done.stdout, done.stderr)
