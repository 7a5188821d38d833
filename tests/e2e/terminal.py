# SPDX-License-Identifier: Apache-2.0
"""A pseudo-terminal with a container engine's client on it, as somebody who types sees it."""
import os
import pty
import select
import subprocess
import time

import area
import laz


class Terminal:
    """A pseudo-terminal with a command on it, as its controlling terminal."""

    def __init__(self, words, env=None):
        self.master, slave = pty.openpty()
        self.seen = b""
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *map(str, words)], stdin=slave, stdout=slave,
            stderr=slave, env=env, close_fds=True)
        os.close(slave)

    def send(self, text):
        """Type."""
        os.write(self.master, text.encode())

    def _pump(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            more = os.read(self.master, 65536)
        except OSError:  # the other end is closed
            return False
        self.seen += more
        return bool(more)

    def wait_for(self, text, timeout=20):
        """Read until the text has appeared; fails the case if it does not."""
        deadline = time.monotonic() + timeout
        while text.encode() not in self.seen and time.monotonic() < deadline:
            if not self._pump(0.1):
                break
        laz.check(text.encode() in self.seen, f"no {text!r} on the terminal: {self.seen!r}")

    def finish(self, timeout=30):
        """Read until the command ends: its exit code, and all that was on the terminal."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self._pump(0.1):
            if self.process.poll() is not None:
                while self._pump(0.05) and select.select([self.master], [], [], 0)[0]:
                    pass
                break
        try:
            code = self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = None
        os.close(self.master)
        laz.check(code is not None, f"still running after {timeout} s: {self.seen!r}")
        return area.Result(code, self.seen.decode(errors="replace"), "")
