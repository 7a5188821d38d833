# SPDX-License-Identifier: Apache-2.0
"""Secrets that change while the workload runs: the real init, the real helpers, and the stand-in for AWS.

What has changed is a whole new generation behind the same link, hidden from the logs before it is there, and told to the
workload. What has not changed is not touched; what fails leaves what was there, by itself, and says so.
"""
import os
import secrets

import fence
import laz
import secret_world
import ship_world
from laz import case, check, check_equal
from secret_world import ARN, Standin
from secrets_world import World

# Says each HUP, and what the password then is; and prints it, for the logs to hide.
WORKLOAD = """
import signal, sys
folder, out = sys.argv[1], sys.argv[2]
def hup(*_):
    value = open(folder + '/db/password').read()
    print('hup', value, flush=True)
    with open(out + '.hups', 'a') as file:
        file.write(value + '\\n')
signal.signal(signal.SIGHUP, hup)
print('first', open(folder + '/db/password').read(), flush=True)
open(out + '.ready', 'w').close()
time.sleep(60)
"""


def canary():
    return "CANARY" + secrets.token_hex(12)


class Rotating:
    """One container with two secrets, password and token, of a stand-in that others can change."""

    def __init__(self, **more):
        self.password, self.token, self.version = canary(), canary(), 1
        self.services = Standin(**self.held())
        url = f"https://127.0.0.1:{self.services.port}"
        items = [{"name": "password", "from": ARN + "prod/db-AbCdEf", "bytes": {"min": 8, "max": 64},
                  "file": {"path": "db/password"}, "on-change": {"signal": "HUP"}},
                 {"name": "token", "from": "/prod/token", "file": {"path": "token"}},
                 {"name": "fixed", "from": "/prod/token", "file": {"path": "fixed"}, "refresh": False}]
        said = {"ca": str(self.services.ca), "start-deadline": "8s", "grace": "1s",
                "endpoints": {"secrets-manager": url, "ssm": url},
                "refresh": {"interval": "10s", "jitter": "0%", "min-interval": "1s"}, **more}
        self.world = World(items, {}, real=True, changes={"secrets": said})
        self.world.sinks = [{"name": "trail", "type": "file", "path": str(self.world.trail),
                             "classes": ["audit", "ids", "log"], "required": True}]

    def held(self):
        return {"secrets": secret_world.secret("prod/db", self.password, f"{self.version:08d}-2222-3333-4444-555555555555"),
                "parameters": {"/prod/token": {"Value": self.token, "Version": self.version}}}

    def change(self, **values):
        self.__dict__.update(values)
        self.version += 1
        self.services.data(**self.held())

    def start(self, workload=WORKLOAD):
        return self.world.start(workload, env={**fence.ENVIRONMENT, **self.services.environment()})

    def until(self, ev, obj=None, act=None, seconds=20):
        """The first record of this kind; it has to come."""
        def find():
            return [r for r in self.world.records(ev) if (obj is None or r["obj"] == obj) and (act is None or r["act"] == act)]
        ship_world.until(lambda: find() or self.world.run.has_ended(0.01),
                         lambda: f"no {ev} of {obj}: {self.world.run.describe()} {self.world.records()}", seconds)
        check(find(), f"no {ev} of {obj}, and it has ended: {self.world.run.describe()}")
        return find()[0]

    def until_ready(self):
        ready = self.world.seen_path.with_name("seen.json.ready")
        ship_world.until(ready.exists, lambda: self.world.run.describe(), 15)

    def hups(self):
        path = self.world.seen_path.with_name("seen.json.hups")
        return path.read_text().split() if path.exists() else []

    def link(self):
        """The link that swaps: where it leads, and which it is."""
        path = self.world.disk.seen(self.world.dir) / "..data"
        return os.readlink(path), os.lstat(path).st_ino

    def file(self, name):
        return (self.world.disk.seen(self.world.dir) / os.readlink(
            self.world.disk.seen(self.world.dir) / "..data") / name).read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.world.close()


@case("a value that has changed: another generation, the link swapped, HUP at the workload, both values hidden; then the old one is gone")
def changes():
    with Rotating() as it:
        old = it.password
        with it.start() as run:
            it.until_ready()
            before = it.link()
            it.change(password=canary())
            seen = it.until("secret.rotate", "password")
            check_equal((seen["act"], seen["d"]["version"][:8], seen["d"]["old_version"][:8], seen["d"]["generation"]),
                        ("rotated", "00000002", "00000001", 2), "the record")
            check(seen["d"]["fingerprint"] != seen["d"]["old_fingerprint"], f"{seen}")
            check_equal((before[0], it.link()[0]), ("..g1", "..g2"), "the link")
            check_equal((it.file("db/password"), it.file("token"), it.file("fixed")), (it.password, it.token, it.token), "files")
            check_equal(it.until("secret.signal")["act"], "sent", "the signal")
            ship_world.until(it.hups, run.describe, 5)
            check_equal(it.hups(), [it.password], "what the workload read when it was told")
            ship_world.until(lambda: not any(n.startswith("..g1") for n in it.world.left()), run.describe, 5)
            check(not it.world.records("secret.rotate")[1:], "only one of them has changed")
            run.kill(15)
            run.wait()
        trail = it.world.trail.read_bytes()
        check(b"hup " in trail and b"first " in trail, "what the workload printed is not in the trail")
        for value in (old, it.password):
            check(value.encode() not in trail, "a value is in the trail")
        check_equal(it.world.left(), [], "what is left on the tmpfs")
    it.services.check_rules()


if __name__ == "__main__":
    laz.main()
