# SPDX-License-Identifier: Apache-2.0
"""How often a service is asked while containers run, whatever some of their items do, and what logs show of old values.

The real init and helpers against the stand-in for AWS. One claim: an item's times are its own. What fails, hangs or is
slow changes neither when nor how often the others are asked for. The shortest interval is long: all containers run at
once, and each case looks at what came of some of them.
"""
import contextlib
import functools
import os
import secrets
import signal
import time

import fence
import laz
import secret_world
import ship_world
from laz import case, check, check_equal
from secret_world import Standin
from secrets_world import World

INTERVAL = 10  # seconds: the shortest that a policy may say
ROUNDS = 6 if laz.LONG else 2
GOOD = ("one", "two", "three")
PREFIXES = ("good", "denied", "hangs")
SLACK = 2.5  # seconds: what a fetch and a busy machine take; less than the 3 for which one is waited for that hangs
SINK = {"name": "trail", "type": "file", "classes": ["audit", "ids", "log"], "required": True}
PRINTS = """
seen = []
while True:
    value = open({path!r}).read()
    if value not in seen:
        seen.append(value)
        print('generation', len(seen), value, flush=True)
    print('known', *seen, flush=True)
    time.sleep(0.05)
"""


def container(services, prefix, names):
    """A world whose items are `names`, each a secret of that container's own."""
    items = [{"name": name, "from": {"secrets-manager": f"{prefix}/{name}"}, "file": {"path": name}} for name in names]
    url = f"https://127.0.0.1:{services.port}"
    changes = {"secrets": {"ca": str(services.ca), "start-deadline": "3s", "grace": "1s",
                           "refresh": {"interval": f"{INTERVAL}s", "jitter": "0%", "min-interval": "1s"},
                           "endpoints": {"secrets-manager": url, "ssm": url, "kms": url}}}
    return World(items, {}, real=True, changes=changes)


def held(names, value):
    """What the stand-in has: of all but the one that changes always the same."""
    texts = {**{name: "CANARY-" + name for name in names}, "app/one": value}
    version = value.encode().hex()[:36]
    return {k: v for name, text in texts.items() for k, v in secret_world.secret(name, text, version=version).items()}


class Day:
    """What came of it: worlds by prefix, requests, the values that there were."""

    def __init__(self):
        self.names = [f"{p}/{n}" for p in PREFIXES for n in (*GOOD, "bad")]
        self.values = ["CANARY" + secrets.token_hex(16) for _ in range(1 + ROUNDS)]
        self.services = Standin(secrets=held(self.names, self.values[0]))
        self.worlds = {prefix: container(self.services, prefix, (*GOOD, "bad")) for prefix in PREFIXES}
        self.worlds["app"] = app = container(self.services, "app", ("one",))
        app.sinks = [{**SINK, "path": str(app.trail)}]
        environment = {**fence.ENVIRONMENT, **self.services.environment()}
        told = {"app": PRINTS.format(path=f"{app.dir}/one")}
        with contextlib.ExitStack() as stack:
            for world in self.worlds.values():
                stack.enter_context(world)
            runs = [stack.enter_context(world.start(told.get(name, "time.sleep(600)"), env=environment))
                    for name, world in self.worlds.items()]
            for world in self.worlds.values():
                world.seen()
            self.pass_by()
            for run in runs:
                run.kill(fence.TERM)
            for run in runs:
                run.wait()
            self.records = {name: world.records() for name, world in self.worlds.items()}
            self.trail = app.trail.read_bytes()
            self.said = b"\n".join(map(ship_world.text_of, app.records("log")))

    def pass_by(self):
        self.first = self.services.requests("GetSecretValue")
        # from here on it goes wrong; what was asked before stays in the log
        self.services.change(hang=60, faults=[{"about": "denied/bad", "fault": "denied"}, {"about": "hangs/bad", "fault": "hang"}])
        end = time.monotonic() + ROUNDS * INTERVAL + 1.5 * SLACK
        for number in range(1, 1 + ROUNDS):
            self.services.data(secrets=held(self.names, self.values[number]))
            ship_world.until(lambda n=number: f"generation {n + 1} ".encode() in b"\n".join(
                map(ship_world.text_of, self.worlds["app"].records("log"))), lambda: self.worlds["app"].run.describe(), INTERVAL + 10)
        self.kill_ship()
        time.sleep(max(0, end - time.monotonic()))

    def kill_ship(self):
        """Of the container whose logs are looked at; its successor has to know what it knew."""
        app = self.worlds["app"]
        pid = app.pid("lazaret-ship")
        os.kill(pid, signal.SIGKILL)
        ship_world.until(lambda: app.pid("lazaret-ship") not in (None, pid), app.run.describe)
        said = len(app.records("log"))
        ship_world.until(lambda: len(app.records("log")) >= said + 10, app.run.describe)

    def asked(self, name):
        """When, in seconds after the first time."""
        times = [r["at"] for r in self.services.requests("GetSecretValue") if r["what"] == name]
        return [t - times[0] for t in times]

    def of(self, prefix, ev):
        return [r for r in self.records[prefix] if r["ev"] == ev]


@functools.cache
def day():
    return Day()


@case("one item that fails, at once or by never answering, changes neither when nor how often the others are asked for")
def rates():
    it = day()
    check_equal(sorted(r["what"] for r in it.first), sorted([*it.names, "app/one"]), "requests at the start")
    for prefix in PREFIXES:
        for name in GOOD:
            times = it.asked(f"{prefix}/{name}")
            check_equal(len(times), 1 + ROUNDS, f"{prefix}: how often {name} was asked for: {times}")
            late = [t - n * INTERVAL for n, t in enumerate(times)]
            check(all(-0.5 < t < SLACK for t in late), f"{prefix}: when {name} was asked for: {times}")
        failed = {r["obj"] for r in it.of(prefix, "secret.fetch") if r["act"] == "failed"}
        check_equal(failed, set() if prefix == "good" else {"bad"}, f"{prefix}: which items have failed")
        check_equal(it.of(prefix, "secret.rotate"), [], f"{prefix}: nothing has changed, but a version")
    check_equal(len(it.asked("good/bad")), 1 + ROUNDS, "the control: what does not fail is asked for as often")
    failing = it.asked("denied/bad")
    check(len(failing) > 1 + ROUNDS + 1, f"what fails is asked for again sooner: {failing}")
    check(all(b - a >= 0.9 for a, b in zip(failing[1:], failing[2:])), f"and no sooner than min-interval: {failing}")
    it.services.check_rules()


@case("old values stay masked: after each renewal the trail shows neither the new value nor the two before it; nor does another ship")
def masked():
    it = day()
    rotated = list({r["seq"]: r for r in it.of("app", "secret.rotate")}.values())  # some arrive twice: ship was killed
    check_equal([(r["obj"], r["act"]) for r in rotated], [("one", "rotated")] * ROUNDS, f"renewals: {rotated}")
    check(b"known" + b" [REDACTED:secret]" * 3 in it.said, "no line has the last three")
    for number, value in enumerate(it.values):
        # Those between are masked no more: they are worth nothing any more. The first is masked for good.
        if number == 0 or number + 3 > ROUNDS:
            check(value[6:26].encode() not in it.trail, f"value {number} is in the trail")


if __name__ == "__main__":
    laz.main()
