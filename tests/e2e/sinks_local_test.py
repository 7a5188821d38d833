# SPDX-License-Identifier: Apache-2.0
"""The sinks that need no network: files, through kills, full disks and failing syncs; and the container's output,
which others share, so that neither a full one may hold the process nor anybody's flags may change."""
import contextlib
import fcntl
import os
import pathlib
import signal
import socket
import termios
import threading
import time
import tty

import area
import laz
import sinks_peers as peers
from laz import case, check, check_equal
from sinks_peers import Drive, record

KILLS = 100 if laz.LONG else 10
# A leak check does not work under a tracer.
STRACE = ["strace", "-f", "-E", "ASAN_OPTIONS=exitcode=99:detect_leaks=0"]


def lines_of(path):
    data = pathlib.Path(path).read_bytes()
    check(data.endswith(b"\n") or not data, f"half a line at the end: {data[-100:]!r}")
    return data.split(b"\n")[:-1]


# ---- Files ----


@case("a file: whole lines, in order, and arrived only after a sync")
def file():
    area.require_program("strace")
    path = area.folder("file") / "trail"
    drive = Drive(*STRACE, "-o", path.parent / "calls", "-e", "trace=write,fdatasync", type="file", path=path)
    drive.end(map(record, range(2000)))
    check_equal(drive.of("settled"), ["2000"], "what was settled")
    check_equal(peers.numbers(lines_of(path)), list(range(2000)), "what is there")
    calls = (path.parent / "calls").read_text()
    synced = False
    for line in calls.splitlines():
        synced = synced or "fdatasync(" in line
        check(synced or '"arrived' not in line, f"arrived before a sync: {line}")
    check(calls.count("fdatasync(") <= 20, f"{calls.count('fdatasync(')} syncs of 2000 records")


@case("a predecessor's half record is cut off; what is somebody else's stays, and gets its line's end")
def torn():
    folder = area.folder("torn")
    whole = record(0) + b"\n" + record(1) + b"\n"
    rows = [(b"", b""), (whole, whole), (whole[:-1], record(0) + b"\n"), (whole[:-200], record(0) + b"\n"),
            (record(0)[:100], b""), (b"{", b""), (whole + b'{"lz":1', whole), (b"words", b"words\n"),
            (whole + b"words", whole + b"words\n"), (b"\n", b"\n"), (whole + b"\0" * 5000, whole + b"\0" * 5000 + b"\n"),
            (whole + b'{"lz":1,' + b"x" * 900000, whole)]
    for index, (before, kept) in enumerate(rows):
        path = folder / str(index)
        path.write_bytes(before)
        Drive(type="file", path=path).end([record(7)])
        check(path.read_bytes() == kept + record(7) + b"\n", f"{before[-80:]!r} became {path.read_bytes()[-400:]!r}")


@case("killed at any moment and gone on with: no half line, nothing missing, repeated only what had not arrived")
def killed():
    path = area.folder("killed") / "trail"
    rng = peers.at_random("killed")
    first, repeatable = 0, set()
    for _ in range(KILLS):
        drive = Drive(type="file", path=path, first=first)
        with contextlib.suppress(BrokenPipeError):
            drive.feed(record(n) for n in range(first, first + rng.randrange(1, 4000)))
        time.sleep(rng.uniform(0, 0.03))
        drive.kill()
        first = max(first, drive.arrived())
        repeatable |= set(range(first, first + 4000))
    Drive(type="file", path=path, first=first).end(record(n) for n in range(first, first + 100))
    highest = -1
    seen = set()
    for number in peers.numbers(lines_of(path)):
        check(number <= highest + 1, f"{number} came after {highest}")
        check(number not in seen or number in repeatable, f"{number} is there twice, and had arrived")
        seen.add(number)
        highest = max(highest, number)
    check(len(seen) >= first + 100, f"{len(seen)} records of {first + 100}")


@case("a full disk is named once and waited for; afterwards all is there, once, and whole")
def full_disk():
    fence, folder = area.fence(), area.folder("full")
    area.run(fence.command("mount", "-t", "tmpfs", "-o", "size=256k", "none", folder))
    inside = pathlib.Path(f"/proc/{fence.pid}/root{folder}")
    (inside / "ballast").write_bytes(b"x" * 150000)
    drive = Drive(*fence.command(), type="file", path=folder / "trail")
    drive.feed(map(record, range(700)))
    peers.wait_until(lambda: drive.of("down"), "it is named", lambda: drive.said)
    time.sleep(0.5)
    for line in (inside / "trail").read_bytes().split(b"\n")[:-1]:
        check(line.endswith(b"}}"), f"a torn line while the disk is full: {line[:80]!r}")
    check_equal(drive.of("down"), [f"{folder}/trail: write: No space left on device"], "what was named")
    (inside / "ballast").unlink()
    drive.end()
    check_equal(drive.of("settled"), ["700"], "what was settled")
    check_equal(peers.numbers(lines_of(inside / "trail")), list(range(700)), "what is there")


@case("a sync or a write that fails: what is not known to be there is written again")
def failing():
    folder = area.folder("failing")
    area.require_program("strace")
    for name, inject, word in (("sync", "fdatasync:error=EIO:when=2", "sync: Input/output error"),
                               ("sync-first", "fdatasync:error=EIO:when=1", "sync: Input/output error"),
                               ("write", "write:error=EIO:when=2", "write: Input/output error"),
                               ("write-often", "write:error=ENOSPC:when=1..5", "write: No space left"),
                               ("cut", "ftruncate:error=EIO:when=1", None),
                               ("interrupted", "write:error=EINTR:when=1..3", None)):
        path = folder / name
        path.write_bytes(b'{"lz":1,"half')
        drive = Drive(*STRACE, "-o", "/dev/null", "-P", path, "-e", "trace=write,fdatasync,ftruncate", "-e",
                      f"inject={inject}", type="file", path=path)
        for start in range(0, 1000, 100):  # each behind the one before, so that there are as many writes
            drive.feed(record(n) for n in range(start, start + 100))
            peers.wait_until(lambda n=start + 100: drive.arrived() == n, f"{name}: a batch", lambda: drive.said[-5:])
        drive.end()
        check_equal(drive.of("settled"), ["1000"], f"{name}: what was settled")
        check_equal(peers.numbers(lines_of(path)), list(range(1000)), f"{name}: what is there")
        check(word is None or any(word in why for why in drive.of("down")), f"{name}: {drive.of('down')}")


@case("two containers with one file: the second waits until the first has gone")
def two_writers():
    path = area.folder("two") / "trail"
    first = Drive(type="file", path=path)
    first.feed([record(0)])
    peers.wait_until(first.arrived, "the first has it")
    second = Drive(type="file", path=path)
    second.feed([record(1)])
    peers.wait_until(lambda: second.of("down"), "the second says so")
    check_equal(second.of("down"), [f"{path}: another container writes this file"], "what the second says")
    time.sleep(0.1)
    check_equal(second.arrived(), 0, "what the second wrote")
    first.end()
    second.end()
    check_equal(peers.numbers(lines_of(path)), [0, 1], "what is there")


@case("what is not a regular file is refused when it is opened")
def not_files():
    for path in ("/dev/null", "/dev/zero"):
        said = Drive(type="file", path=path).end(code=1)
        check_equal(said, [f"unopened sink-failed: sink driven: {path} is not a regular file"], path)


# ---- The container's output ----


class Reader(threading.Thread):
    """Reads to the end, as slowly as asked for."""

    def __init__(self, fd, pause=0.0, size=65536):
        super().__init__(daemon=True)
        self.fd, self.pause, self.size, self.data = fd, pause, size, b""
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while more := os.read(self.fd, self.size):
                self.data += more
                time.sleep(self.pause)


@case("the output: a pipe, a slow pipe, a socket, a file, a terminal; all of it, and its flags as they were")
def streams():
    lines = [record(n, "x" * (n * 7 % 9000)) for n in range(300)]
    text = b"".join(line + b"\n" for line in lines)
    file_path = area.folder("streams") / "out"

    def terminal():
        master, slave = os.openpty()
        tty.setraw(slave)
        return master, slave

    def sockets():
        return [one.detach() for one in socket.socketpair()]

    rows = [("pipe", os.pipe, 0), ("slow pipe", os.pipe, 0.002), ("socket", sockets, 0.0005), ("terminal", terminal, 0),
            ("file", lambda: (None, os.open(file_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)), 0)]
    for name, make, pause in rows:
        read_end, write_end = make()
        reader = Reader(read_end, pause, 16384) if read_end is not None else None
        drive = Drive(type="stdout", fd=1, stdout=write_end)
        drive.end(lines)
        check_equal(drive.of("settled") + drive.of("down"), ["300"], f"{name}: what was said")
        check_equal(fcntl.fcntl(write_end, fcntl.F_GETFL) & os.O_NONBLOCK, 0, f"{name}: O_NONBLOCK")
        os.close(write_end)
        if reader is not None:
            reader.join(60)
        check((reader.data if reader else file_path.read_bytes()) == text, f"{name}: not what was written")


@case("a full output holds nobody up: a pipe, a socket, a stopped terminal")
def full_output():
    def stopped_terminal():
        master, slave = os.openpty()
        tty.setraw(slave)
        termios.tcflow(slave, termios.TCOOFF)
        return master, slave

    for name, make in (("pipe", os.pipe), ("socket", lambda: [s.detach() for s in socket.socketpair()]),
                       ("terminal", stopped_terminal)):
        ends = make()
        start = time.monotonic()
        drive = Drive(type="stdout", fd=1, seconds=1, stdout=ends[1])
        drive.end((record(n, "x" * 1000) for n in range(2000)), code=3)
        check(time.monotonic() - start < 15, f"{name}: it took {time.monotonic() - start:.1f} s to end after 1 s")
        check_equal(drive.of("down"), [], f"{name}: what was said")
        for end in ends:
            os.close(end)


@case("others write the same pipe as fast as they can: nobody's line is torn, and nobody waits for us")
def shared_pipe():
    read_end, write_end = os.pipe()
    reader = Reader(read_end, 0.0002, 8192)
    stop = []

    def compete():
        with contextlib.suppress(OSError):
            while not stop:
                os.write(write_end, b"other " + b"y" * 500 + b"\n")

    others = [threading.Thread(target=compete, daemon=True) for _ in range(2)]
    for other in others:
        other.start()
    drive = Drive(type="stdout", fd=1, seconds=60, stdout=write_end)
    lines = [record(n, "x" * (n * 13 % 3000)) for n in range(300)]
    drive.end(lines)
    stop.append(True)
    for other in others:
        other.join(10)
    os.close(write_end)
    reader.join(60)
    ours = [line for line in reader.data.splitlines() if not line == b"other " + b"y" * 500]
    check(ours == lines, f"{len(ours)} lines are ours, of {len(lines)}; torn: {[x for x in ours if x not in lines][:3]}")


@case("a reader that goes is named; the next one gets every line whole, behind an empty one")
def reader_goes():
    fifo = area.folder("goes") / "fifo"
    os.mkfifo(fifo)
    read_end = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    write_end = os.open(fifo, os.O_WRONLY)
    drive = Drive(type="stdout", fd=1, stdout=write_end)
    line = record(0, "x" * 200000)
    drive.feed([line])
    got = b""
    while len(got) < 10000:
        with contextlib.suppress(BlockingIOError):
            got += os.read(read_end, 4096)
    os.close(read_end)
    drive.feed([record(1)])
    peers.wait_until(lambda: drive.of("down"), "it is named", lambda: drive.said)
    check_equal(drive.of("down")[0], "whoever read the container's output has gone", "the name")
    reader = Reader(os.open(fifo, os.O_RDONLY))
    os.close(write_end)
    drive.end([record(2)])
    check_equal(drive.of("settled"), ["3"], "what was settled")
    reader.join(60)
    expected = b"".join(x + b"\n" for x in (line, record(1), record(2)))
    check(reader.data.endswith(b"x\n" + expected), f"{len(reader.data)} bytes that end in {reader.data[-500:]!r}")
    check_equal(set(reader.data[:-len(expected) - 1]), {ord("x")}, "what was left in the pipe")


@case("a successor begins with an empty line, for the half one that its predecessor may have left")
def successor():
    read_end, write_end = os.pipe()
    Drive(type="stdout", fd=1, first=5, stdout=write_end).end([record(5)])
    os.close(write_end)
    check_equal(os.read(read_end, 65536), b"\n" + record(5) + b"\n", "the output")


@case("an output that fails is named once, and tried again: /dev/full; /dev/null takes all")
def devices():
    with open("/dev/full", "wb") as full, open("/dev/null", "wb") as null:
        drive = Drive(type="stdout", fd=1, seconds=1, stdout=full)
        drive.end([record(0)], code=3)
        check_equal(drive.of("down"), ["the container's output: No space left on device"], "/dev/full")
        check(len(drive.of("wants")) > 2, f"it was not tried again: {drive.said}")
        Drive(type="stdout", fd=1, stdout=null).end(map(record, range(100)))


@case("a kill in mid-output loses nothing that had not arrived")
def killed_output():
    read_end, write_end = os.pipe()
    reader = Reader(read_end, 0.001, 8192)
    first = 0
    for _ in range(5):
        drive = Drive(type="stdout", fd=1, first=first, stdout=write_end)
        drive.feed(record(n) for n in range(first, first + 2000))
        time.sleep(0.05)
        drive.process.send_signal(signal.SIGKILL)
        drive.process.wait()
        drive.kill()
        first = max(first, drive.arrived())
    Drive(type="stdout", fd=1, first=first, stdout=write_end).end(record(n) for n in range(first, first + 10))
    os.close(write_end)
    reader.join(60)
    check(set(range(first + 10)) <= set(peers.numbers(x for x in reader.data.splitlines() if x)), "something is missing")


if __name__ == "__main__":
    laz.main()
