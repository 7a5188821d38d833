# SPDX-License-Identifier: Apache-2.0
"""One container with a trail: a policy with sinks, an init inside the fence, and what came out of it.

A World knows its folder, its trail, who of the processes is who, and how to hold what was delivered against what was
said: both verifiers agree, and every byte of the workload is in a record or counted in a gap. Must never look into the
spool or the product's memory for an answer.
"""
import base64
import contextlib
import datetime
import fcntl
import functools
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import threading
import time

import adapters
import fence
import laz
import trail_judge
from laz import check, check_equal

HERE = pathlib.Path(__file__).resolve().parent
SHIP_UID = 65311
NAMES = {"launch": "lazaret-launch", "ship": "lazaret-ship", "health": "lazaret-health"}


# A collector that is not there.
NOWHERE = {"name": "trail", "type": "relp", "to": "127.0.0.1:1", "classes": ["audit", "ids", "log"], "required": True}


@functools.cache
def program(name, *sources):
    """One of the programs in ship/, built if need be."""
    out = fence.build_folder()
    with open(out / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return str(fence.compile_program(name, list(sources), HERE / "ship", out))


def talk():
    return program("talk", "talk.c", "pry.c")


def with_helper(helper, orders, folder):
    """The init of a folder in which this program stands in for the helper, and does as the orders say.

    It may hand a role to the real one, which lies beside it.
    """
    folder = fence.scratch() / folder
    if not folder.exists():
        folder.mkdir()
        for name, target in (("lazaret-init", "lazaret-init"), ("lazaret-setup", "lazaret-setup"), ("lazaret-helper", "real")):
            shutil.copy(laz.BIN / name, folder / target)
        shutil.copy(helper, folder / "lazaret-helper")
    (folder / "do").write_text(orders + "\n")
    return folder / "lazaret-init"


def kept_mode(conditions):
    """Of the folder of a trail. An init that is not root keeps nobody apart, and has to make its file there."""
    return 0o777 if any(c.startswith("uid=") for c in conditions) else 0o755


def until(found, what, timeout=30.0, pause=0.005):
    """The first answer that is true."""
    end = time.monotonic() + timeout
    while True:
        answer = found()
        if answer:
            return answer
        check(time.monotonic() < end, f"no {what() if callable(what) else what} within {timeout} s")
        time.sleep(pause)


def at_rest(value, what, for_s=1.5, timeout=60.0):
    """What does not change for a while any more."""
    end, seen, since = time.monotonic() + timeout, value(), time.monotonic()
    while time.monotonic() < since + for_s:
        check(time.monotonic() < end, f"{what} still changes after {timeout} s: {seen}")
        time.sleep(0.05)
        now = value()
        if now != seen:
            seen, since = now, time.monotonic()
    return seen


def listens(pid):
    """Whether a helper's event loop has its channel, which is descriptor 3."""
    with contextlib.suppress(OSError):
        for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
            if re.search(r"^tfd:\s+3 ", info.read_text(), re.M):
                return True
    return False


def expects(pid, number):
    """Whether a process has said what is to happen at this signal: talk has for TERM before its first word."""
    with contextlib.suppress(OSError):
        masks = re.findall(r"^Sig(?:Cgt|Ign):\s+(\w+)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
        return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)
    return False


class World:
    """What several runs in turn may share: folder, spool, file sink."""

    _count = 0

    def __init__(self, changes=None, sinks=None, folder=None):
        World._count += 1
        self.folder = folder or fence.scratch() / f"world-{World._count}"
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o777)
        self.kept = self.folder.with_name(self.folder.name + "-kept")  # the workload may write in the other
        self.kept.mkdir(mode=0o755, exist_ok=True)
        self.trail, self.spool = self.kept / "trail.jsonl", self.kept / "run" / "spool"
        self.shared = self.folder / "said"
        self.sinks = sinks or [self.file_sink()]
        self.changes, self.run = changes or {}, None

    def file_sink(self, **changes):
        return {"name": "trail", "type": "file", "path": str(self.trail), "classes": ["audit", "ids", "log"],
                "required": True, **changes}

    def policy(self):
        base = adapters.Lazaret.policy({
            "name": "ship", "sinks": self.sinks, "workload": {"exec-budget": -1},
            "spool": {"dir": str(self.spool), "max": "16MiB", "segment": "1MiB"},
            "audit": {"checkpoint": {"records": 4096}},
            "shutdown": {"grace": "2s", "drain": "200ms"}})
        return adapters.merged(base, self.changes)

    # --- its life ------------------------------------------------------------------------------------

    def command(self, words, app=None, init=None, options=()):
        argv = app if app is not None else [talk(), f"share={self.shared}", *words]
        return [str(init or laz.BIN / "lazaret-init"), "--policy", adapters.Lazaret.image(self.policy()), *options, "--",
                *map(str, argv)]

    @contextlib.contextmanager
    def start(self, *words, mode="pid1", conditions=(), app=None, init=None, options=(), ready=True, **rest):
        """The init with talk, which says `words`, as its workload; with `ready`, once ship and talk are."""
        self.shared.write_bytes(bytes(4096))
        self.shared.chmod(0o666)
        self.kept.chmod(kept_mode(conditions))
        command = self.command(words, app, init, options)
        with fence.Run(command, "pid1" if mode == "pid1" else "nested", conditions, **rest) as run:
            self.run = run
            if ready:
                until(lambda: run.has_ended(0.002) or self.records("init.start"), lambda: f"start: {run.describe()}")
            if ready and app is None:
                until(lambda: run.has_ended(0.002) or expects(self.workload(), fence.TERM), lambda: f"talk: {run.describe()}")
            yield run

    def outcome(self, *words, timeout=60, **rest):
        """Exit code and stderr of a run that ends by itself."""
        with self.start(*words, ready=False, **rest) as run:
            code = run.wait(timeout).code
            return code, run.stderr()

    def said(self):
        """Bytes that the workload has got rid of."""
        return struct.unpack_from("<Q", self.shared.read_bytes())[0]

    def enough(self):
        """Lets a workload that says lines until it is enough go on to its next word."""
        with open(self.shared, "r+b", buffering=0) as page:
            page.seek(8)
            page.write(struct.pack("<Q", 1))

    def pid(self, role):
        """Host pid of a helper that lives, or None."""
        for pid in self.run.children():
            if fence.comm(pid) == NAMES[role] and fence.state(pid) not in "ZX":
                return pid
        return None

    def workload(self):
        return next((p for p in self.run.children() if fence.comm(p) == "talk"), None)

    def ship(self, other_than=None, timeout=30.0):
        """Host pid of the ship that runs, as soon as it is another than this one."""
        def found():
            pid = self.pid("ship")
            return pid if pid != other_than else None
        return until(found, lambda: f"ship: {self.run.describe()}", timeout)

    def ready(self):
        """Host pid of a ship that listens to init, which it begins to do last, just before it says that it is ready."""
        def found():
            pid = self.pid("ship")
            return pid if pid and listens(pid) else None
        pid = until(found, lambda: f"ship that is ready: {self.run.describe()}", 60)
        time.sleep(0.03)
        return pid

    # --- what came out -------------------------------------------------------------------------------

    def bytes(self):
        """The whole lines of the trail, so far."""
        try:
            data = self.trail.read_bytes()
        except FileNotFoundError:
            return b""
        return data[:data.rfind(b"\n") + 1]

    def spooled(self):
        """What whoever has the recovery key reads in the spool."""
        done = subprocess.run([laz.BIN / "lazaret", "spool", "read", "--key", recovery_key()[0], self.spool],
                              capture_output=True, check=False)
        return done.stdout

    def records(self, ev=None, data=None):
        """Records in the order of the file, what was repeated once."""
        found = {}
        for line in (self.bytes() if data is None else data).splitlines():
            record = json.loads(line)
            found.setdefault((record["chain"], record["seq"]), record)
        return [r for r in found.values() if ev is None or r["ev"] == ev]

    def judge(self, *expected, data=None, **counts):
        """Both verifiers see one chain, or as many as `expected` has verdicts, and say so."""
        return trail_judge.judged(f"world {self.folder.name}", self.bytes() if data is None else data,
                                  list(expected), **counts)

    def account(self, produced=None, verdict=None, stream="stdout", data=None):
        """The numbers of the lines that are missing, each counted in a gap, line and byte.

        produced: the bytes of the stream, of which the first word of each line is its number.
        """
        records = sorted(self.records(data=data), key=lambda r: r["seq"])
        gaps = [r["d"] for r in records if r["ev"] == "chain.gap"]
        seen = [text_of(r).split(b" ")[0] for r in records if r["ev"] == "log" and r["obj"] == stream]
        lines = produced.splitlines(keepends=True)
        numbers = [line.split(b" ")[0].rstrip(b"\n") for line in lines]
        check_equal(len(seen), len(set(seen)), "lines that are there, and those that differ")
        there = set(seen)
        missing = [n for n in numbers if n not in there]
        check_equal([n for n in numbers if n in there], seen, "the lines in their order")
        lost = sum(len(line) for line, n in zip(lines, numbers) if n not in there)
        check_equal((sum(g["count"] for g in gaps), sum(g["bytes"] for g in gaps)), (len(missing), lost),
                    "lines and bytes that the gaps count, and those that are missing")
        self.judge(verdict or ("ok gap single" if missing else trail_judge.FINE), data=data)
        return missing

    def stream(self, stream="stdout", data=None):
        """The bytes of a stream, put together from its records."""
        records = sorted(self.records("log", data), key=lambda r: r["seq"])
        return b"".join(bytes_of(r) for r in records if r["obj"] == stream)


def check_rejects(world, sink, most):
    """Where a sink rejects everything: few records say so, and their counts are what it has rejected until the last.

    most: of a run of less than ten seconds.
    """
    records = world.records()
    said = [i for i, r in enumerate(records) if r["ev"] == "sink.reject" and r["obj"] == sink]
    before_stop = next(i for i, r in enumerate(records) if r["ev"] == "stop.request")
    times = [datetime.datetime.fromisoformat(records[i]["ts"].replace("Z", "+00:00")) for i in said]
    most += int((times[-1] - times[0]).total_seconds() / 10) if said else 0
    check(2 <= len(said) <= most, f"{len(said)} records say so, {most} at most: at once, each 10 seconds, and at the end")
    check(before_stop <= sum(records[i]["d"]["count"] for i in said) <= said[-1],
          f"{[records[i]['d'] for i in said]}: {before_stop} records before the stop, {said[-1]} before the last that says so")
    check(said[-1] > before_stop > 100, f"{before_stop} records before the stop")
    check_equal(records[-1]["ev"], "chain.final", "the last record")


@functools.cache
def recovery_key():
    """(private, public), of X25519."""
    private, public = fence.scratch() / "recovery.key", fence.scratch() / "recovery.pem"
    for words in (["genpkey", "-algorithm", "x25519", "-out", private], ["pkey", "-in", private, "-pubout", "-out", public]):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
    return private, public


def sealed(opens=False, **spool):
    """A policy's changes: sealed to the recovery key, and, with `opens`, opened with it."""
    private, public = recovery_key()
    return {"spool": {"seal-to": [str(public)], **({"open-with": str(private)} if opens else {}), **spool}}


def text_of(record):
    """The words of a log record, to the byte."""
    d = record["d"]
    if "raw" in d:
        return base64.b64decode(d["raw"] + "=" * (-len(d["raw"]) % 4), validate=True)
    return d["msg"].encode()


def bytes_of(record):
    return text_of(record) + (b"\n" if record["d"].get("eol", True) else b"")


def numbered(count, width):
    """What talk's lines=COUNT,WIDTH says."""
    width = max(10, width)
    return b"".join((f"{i:08d} ".encode()).ljust(width, bytes([97 + i % 26])) + b"\n" for i in range(1, count + 1))


class Disk:
    """A file system of its own size at a folder, for those that are started with `wrapper`; gone with the suite."""

    def __init__(self, folder, size, mode="0777"):
        folder.mkdir(parents=True, exist_ok=True)
        self.holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "sh", "-c",
             f"mount -t tmpfs -o size={size},mode={mode} none {folder} && echo mounted && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check_equal(self.holder.stdout.readline(), b"mounted\n", "mount")
        self.wrapper = ("nsenter", "-t", str(self.holder.pid), "-m")

    def seen(self, path):
        """The same path as we see it."""
        return pathlib.Path(f"/proc/{self.holder.pid}/root{path}")

    def grow(self, folder, size):
        subprocess.run([*self.wrapper, "mount", "-o", f"remount,size={size}", str(folder)], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.holder.kill()
        self.holder.communicate()


class Output:
    """The container's own output, a pipe. Nobody reads it before `read` is called; then all of it is `data`."""

    def __init__(self):
        self.read_end, self.write_end = os.pipe()
        self.data, self.pieces, self.thread = b"", [], None

    def read(self):
        """From now on."""
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while piece := os.read(self.read_end, 1 << 20):
            self.pieces.append(piece)
        self.data = b"".join(self.pieces)

    def so_far(self):
        """What has been read by now."""
        return b"".join(self.pieces)

    def all(self):
        """After the container's end."""
        if self.thread is None:
            self.read()
        os.close(self.write_end)
        self.thread.join(60)
        os.close(self.read_end)
        return self.data


# ---- Crash points ----


class Tracer:
    """A program that traces a process, for a while."""

    def __init__(self, pid, words):
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.pid = pid
        until(self.is_attached, f"tracer at {pid}")

    def is_attached(self):
        if self.process.poll() is not None:
            return True
        try:
            status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return True
        return f"TracerPid:\t{self.process.pid}\n" in status

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Injector(Tracer):
    """strace, which kills a process, with `follow` one that it starts, before its n-th use of a call."""

    def __init__(self, pid, call, n, follow=False):
        super().__init__(pid, ["strace", *(["-f"] if follow else []), "-qq", "-o", "/dev/null", "-e",
                               f"inject={call}:signal=KILL:when={n}", "-e", f"trace={call}", "-p", str(pid)])


class Refuser(Tracer):
    """Lets a call fail: from the first-th use on each step-th."""

    def __init__(self, pid, call, error, first=1, step=1):
        super().__init__(pid, [program("refuse", "refuse.c"), *map(str, (pid, fence.system_calls()[call], error, first, step))])
