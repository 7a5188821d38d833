# SPDX-License-Identifier: Apache-2.0
"""The stand-in of cloudwatch_standin.py as the suites use it: started, told what goes wrong, killed, and asked.

Must never take the sink's word for anything: what was stored is what the stand-in's file has.
"""
import atexit
import collections
import json
import shutil
import subprocess

import area
import laz
import sinks_peers as peers

PYTHON = "/usr/bin/python3"  # the one that Debian's python3-botocore is for
GROUP, STREAM, REGION = "/lazaret/audit", "driven-policy/host.example", "eu-central-1"
CANARY = b"CANARY"


class Standin:
    """One stand-in in a folder of its own."""

    _count = 0

    def __init__(self, tls=True, addresses=(), wrapper=(), **rules):
        Standin._count += 1
        found = subprocess.run([PYTHON, "-c", "import botocore.auth"], capture_output=True, check=False)
        if found.returncode != 0:
            laz.skip("python3-botocore is not installed")
        self.folder = area.folder(f"cloudwatch-{Standin._count}")
        self.logs, self.agent, self.imds = 0, 0, 0
        self.epoch = 0
        self.addresses, self.wrapper, self.process = addresses, wrapper, None
        if addresses:
            self.agent = self.imds = 80
        if tls:
            for name in ("server.pem", "server.key"):
                shutil.copy(peers.pki() / name, self.folder / name)
        self.tls = tls
        self.rules(**rules)
        self.start()

    def rules(self, **rules):
        """What goes wrong from now on."""
        temporary = self.folder / "control.new"
        temporary.write_text(json.dumps({"epoch": self.epoch, **rules}))
        temporary.rename(self.folder / "control")

    def again(self, **rules):
        """As one that has just been started; importing botocore takes its time."""
        self.epoch += 1
        for path in self.folder.iterdir():
            if path.name in ("events", "requests", "violations") or path.name.startswith("made-"):
                path.unlink()
        self.rules(**rules)
        return self

    def start(self):
        self.process = subprocess.Popen(
            [*self.wrapper, "setpriv", "--pdeathsig", "KILL", PYTHON, laz.ROOT / "tests/e2e/cloudwatch_standin.py",
             self.folder, *map(str, (self.logs, self.agent, self.imds)), *self.addresses],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.folder / "said", "ab"))
        atexit.register(self.process.kill)
        words = self.process.stdout.readline().decode().split()
        laz.check_equal(words[:1], ["listens"], (self.folder / "said").read_text()[-800:])
        self.logs, self.agent, self.imds = map(int, words[1:])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def _lines(self, name):
        path = self.folder / name
        data = path.read_bytes() if path.exists() else b""
        return [json.loads(line) for line in data[:data.rfind(b"\n") + 1].splitlines()]

    def events(self):
        return self._lines("events")

    def requests(self, call=None):
        return [r for r in self._lines("requests") if call in (None, r["call"])]

    def messages(self):
        return [event["message"].encode() for event in self.events()]

    def check_rules(self, but=()):
        """Nobody broke a documented rule."""
        laz.check_equal([v for v in self._lines("violations") if v not in but], [], "rules that were broken")

    def keys(self, **more):
        """The keys of sink_drive."""
        keys = {"type": "cloudwatch", "host": "127.0.0.1", "port": self.logs, "group": GROUP,
                "stream": "{policy}/{host}", "region": REGION,
                "full_uri": f"http://127.0.0.1:{self.agent}/v2/credentials/CANARYpath"}
        return {**keys, **({"ca": peers.pki() / "ca.pem"} if self.tls else {}), **more}

    def drive(self, *prefix, **more):
        return peers.Drive(*prefix, **self.keys(**more))


def account(standin, drive, count, repeats=0):
    """Delivered and rejected by name are what was produced, each at least once; repetitions are those of breaks."""
    seen = collections.Counter(json.loads(message)["seq"] for message in standin.messages())
    rejected = {int(line.split(" ")[0]) - 1 for line in drive.of("rejected")}
    for message in standin.messages():
        number = json.loads(message)["seq"]
        laz.check(message == peers.record(number) or b"POISON" in message or len(message) > 500,
                  f"not a record as it was sent: {message[:300]!r}")
    laz.check_equal(sorted(set(seen) | rejected), list(range(count)), "delivered or rejected")
    extra = sum(seen.values()) - len(seen)
    laz.check(extra <= repeats, f"{extra} repetitions, {repeats} at most")
    return seen, rejected
