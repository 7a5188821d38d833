# SPDX-License-Identifier: Apache-2.0
"""One container that is watched: a policy with `sense`, an init inside the fence, a workload that does what it is told.

The container has a network of its own, so that nobody else's ports are in it. Must never start an init in any other
way than ship_world does.
"""
import contextlib
import fcntl
import functools
import json
import pathlib
import subprocess
import time

import fence
import laz
import readme
import ship_world
from laz import check_equal
from ship_world import until

HERE = pathlib.Path(__file__).resolve().parent
SENSE_UID = 65312
INTERVAL = 0.1
NAME = "lazaret-sense"
FINDS = ("exec.foreign", "net.listen", "fim.change", "cred.change", "exec.drift", "exec.memfd", "plain.connect", "plain.listen",
         "volume.change")


@functools.cache
def act():
    out = fence.build_folder()
    with open(out / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return str(fence.compile_program("act", ["act.c"], HERE / "sense", out))


def programs(how):
    """Init with a stand-in for sense that behaves so; for all else its helper is the real one."""
    return ship_world.with_helper(ship_world.program("eye", "eye.c"), how, f"eye-{how}")


class World(ship_world.World):
    """A world whose workload obeys; with `sense` as its policy has it."""

    def __init__(self, sense=None, changes=None):
        self.sense = {"interval": f"{int(INTERVAL * 1000)}ms", "window": "1s", **(sense or {})}
        super().__init__({**(changes or {}), "sense": self.sense})
        self.orders, self.done = self.folder / "orders", self.folder / "done"
        self.watched = self.folder / "watched"
        self.watched.mkdir(exist_ok=True)
        self.watched.chmod(0o777)

    @contextlib.contextmanager
    def watch(self, wrapper=("unshare", "-n"), **rest):
        """The container, once sense has said that it looks."""
        for path in (self.orders, self.done):
            path.write_bytes(b"")
            path.chmod(0o666)
        app = [act(), str(self.orders), str(self.done)]
        with self.start(app=app, wrapper=wrapper, **rest) as run:
            until(lambda: self.records("sense.start"), lambda: f"sense.start: {run.describe()}")
            yield run

    def tell(self, *lines):
        """Have the workload do these things, and wait until it has."""
        before = self.done.stat().st_size
        with open(self.orders, "a", encoding="ascii") as orders:
            orders.write("".join(f"{line}\n" for line in lines))
        until(lambda: self.done.stat().st_size == before + len(lines), lambda: f"done: {self.run.describe()}")

    def sense_pid(self):
        return next((p for p in self.run.children() if fence.comm(p) == NAME and fence.state(p) not in "ZX"), None)

    def settle(self, looks=3):
        """Long enough for so many looks, and for what they find to arrive."""
        time.sleep(looks * INTERVAL + 0.3)

    def finds(self, ev=None, **fields):
        return [r for r in self.records() if (r["ev"] == ev if ev else r["ev"] in FINDS) and
                all(r.get(k) == v for k, v in fields.items())]

    def await_find(self, ev, count=1, timeout=90.0, **fields):
        """The records of such a find, once they count so many."""
        def found():
            records = self.finds(ev, **fields)
            return records if sum(r["d"]["count"] for r in records) >= count else None
        records = until(found, lambda: f"{ev} {fields} x {count}: {[(r['ev'], r['obj'], r['act'], r['d']['count']) for r in self.finds()]}",
                        timeout, 0.02)
        check_equal(sum(r["d"]["count"] for r in records), count, f"{ev} {fields}: counted")
        return records

    def check_quiet(self, but=()):
        """Nothing was found but this."""
        self.settle()
        seen = [(r["ev"], r["obj"], r["act"]) for r in self.finds() if r["ev"] not in but]
        check_equal(seen, [], "found although nothing was done")

    def exec_foreign(self, *command, **rest):
        """A process put into the container from outside, as `docker exec` does it."""
        return subprocess.Popen(["nsenter", "-t", str(self.run.pid), "-p", "-m", *command], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **rest)


def members(value):
    """The keys, in their order, as deep as they go."""
    return {k: members(v) for k, v in value.items()} if isinstance(value, dict) else type(value).__name__


def check_page(real, events):
    """Records of these events on the page of sense have the members, in the order, that real ones have, by event and act."""
    blocks = [json.loads(b.text) for b in readme.blocks(laz.ROOT / "docs" / "reference" / "sense.md") if b.kind == "json find"]
    blocks = [record for record in blocks if record["ev"] in events]
    check_equal(sorted(record["ev"] for record in blocks), events, "records on the page")
    for record in blocks:
        seen = {k: v for k, v in real[record["ev"], record["act"]].items() if k not in ("chain", "prev", "h")}
        free = {"is", "expected", "unavailable"}  # which of them are there depends on what was found
        for side in (record, seen):
            side["d"] = {k: None if k in free else v for k, v in side["d"].items()}
        check_equal(list(record), list(seen), record["ev"])
        check_equal(members(record["d"]), members(seen["d"]), f"{record['ev']}: d")
        check_equal((record["sev"], record["d"]["level"], record["d"]["attack"]),
                    (seen["sev"], seen["d"]["level"], seen["d"]["attack"]), f"{record['ev']}: weight")
