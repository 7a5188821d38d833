# SPDX-License-Identifier: Apache-2.0
"""Runs an init inside a fence: PID and mount namespaces of its own, with bystanders that must hear nothing.

A Run starts `probe/fence.c` around a command and talks to it; the probe application inside writes what it
sees to a FIFO. Every wait here has a time-out and ends in Failed with the state of the processes, so that
a hanging init is a failure and never a hanging suite. Must never start an init in any other way.
"""
import atexit
import collections
import ctypes
import errno
import fcntl
import functools
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import laz

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = {
    "fence": ["fence.c", "conditions.c", "wire.c"],
    "probe": ["probe.c", "state.c", "strays.c", "wire.c"],
    "race": ["race.c", "wire.c"],
    "clock": ["clock.c", "wire.c"],
    "web": ["web.c"],
}
FLAGS = ["-std=gnu17", "-O2", "-static", "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Werror"]
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}
PATIENCE = 30.0  # of whoever waits for what comes in milliseconds: who fails pays for it, and nobody else

TERM, INT, QUIT, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP
KILL, STOP, CONT, CHLD, TSTP = signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT, signal.SIGCHLD, signal.SIGTSTP
USR1, USR2, WINCH = signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH
FORWARDABLE = [n for n in range(1, 65) if n not in (KILL, STOP, CHLD, 32, 33)]

_libc = ctypes.CDLL(None, use_errno=True)
_SYS_RT_SIGQUEUEINFO = {"x86_64": 129, "aarch64": 138}[os.uname().machine]


def compile_program(name, sources, folder, out):
    """Build one static test program with musl, unless it is newer than all of its sources."""
    target = out / name
    inputs = [folder / s for s in sources] + list(folder.glob("*.h"))
    if target.exists() and all(target.stat().st_mtime >= i.stat().st_mtime for i in inputs):
        return target
    triplet = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True, check=True).stdout.strip()
    headers = ["-idirafter", "/usr/include", "-idirafter", f"/usr/include/{triplet}"]
    fresh = out / f"{name}.{os.getpid()}"
    built = subprocess.run(["musl-gcc", *FLAGS, *headers, *[str(folder / s) for s in sources], "-o", str(fresh)],
                           capture_output=True, text=True)
    if built.returncode != 0:
        raise RuntimeError(f"{name} does not compile:\n{built.stderr}")
    fresh.rename(target)
    return target


def build_folder():
    """Where test programs are built; shared by concurrent suites under a lock."""
    out = laz.ROOT / "build" / "e2e-probe"
    out.mkdir(parents=True, exist_ok=True)
    return out


@functools.cache
def tool(name):
    """The path of one of the programs in probe/, built if need be."""
    out = build_folder()
    with open(out / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return str(compile_program(name, PROGRAMS[name], HERE / "probe", out))


@functools.cache
def system_calls():
    """name -> number on this machine, from the kernel's own headers."""
    defined = subprocess.run(["gcc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                             capture_output=True, text=True, check=True).stdout
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)$", defined, re.M)}


def scratch():
    """One directory per test process, readable for every uid, gone at the end."""
    if not hasattr(scratch, "path"):
        scratch.path = pathlib.Path(tempfile.mkdtemp(prefix="laz-e2e-"))
        scratch.path.chmod(0o755)
        owner = os.getpid()
        atexit.register(lambda: owner == os.getpid() and shutil.rmtree(scratch.path, ignore_errors=True))
    return scratch.path


def memory(pid):
    """Every readable byte of a process, region by region, with the region's name."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            span, rights, *rest = line.split()
            start, end = (int(x, 16) for x in span.split("-"))
            if "r" not in rights or rest[-1] in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                continue
            try:
                mem.seek(start)
                yield f"memory {rest[-1]}", mem.read(end - start)
            except OSError:
                pass


def mask(*signals):
    """Signals as the fence's and the probe's options want them."""
    return ",".join(str(int(s)) for s in signals)


class Ended:
    """How an init ended: code (-1 if by signal), signal, seconds since it was started."""

    def __init__(self, message, started):
        self.code, self.signal, self.core = message["code"], message["signal"], message["core"]
        self.cpu_us = message["cpu_us"]
        self.t = message["t"]
        self.seconds = (message["t"] - started) / 1e9

    def __str__(self):
        return f"exit {self.code}" if self.code >= 0 else f"signal {self.signal}"


class Run:
    """One init inside a fence. Use as a context manager: leaving it checks the bystanders."""

    _count = 0

    def __init__(self, command, mode="pid1", conditions=(), env=None, stdin=None, stdout=None, log=None, wrapper=()):
        Run._count += 1
        self.mode = mode
        self.folder = scratch() / f"run-{Run._count}"
        self.folder.mkdir(mode=0o755)
        self.lines, self.messages, self.bystander, self.terminal, self.tracer = [], [], [], None, None
        self._taken, self._partial, self.ended, self.pidfd, self.pid = set(), b"", None, None, None
        self._all_errors = ""
        self._fifo = open_log(log) if log else None
        self.errors = self.folder / "stderr"
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control = ours
        argv = [*wrapper, tool("fence"), f"--control={theirs.fileno()}", f"--mode={mode}",
                *[f"--{c}" for c in conditions], "--", *command]
        self.argv = argv
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                argv, pass_fds=[theirs.fileno()], env=ENVIRONMENT if env is None else env,
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=subprocess.DEVNULL if stdout is None else stdout, stderr=errors)
        theirs.close()
        self.started = self._message("started")["t"]
        self.warden = children(self.process.pid)[0]
        with open(f"/proc/self/fdinfo/{self.pidfd}") as info:
            self.pid = int(re.search(r"^Pid:\s+(-?\d+)", info.read(), re.M).group(1))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(quiet=kind is not None)

    # --- what comes back -------------------------------------------------------------------------

    def _receive_message(self):
        data, fds, _, _ = socket.recv_fds(self.control, 4096, 2)
        if not data:
            raise laz.Failed(f"the fence ended early: {self.stderr()}")
        message = json.loads(data)
        self.messages.append(message)
        if message["ev"] == "started":
            self.pidfd = fds[0]
            self.terminal = fds[1] if len(fds) > 1 else None
        elif message["ev"] == "ended":
            self.ended = Ended(message, self.started)
        elif message["ev"] == "bystander":
            self.bystander.append(message)

    def _receive_log(self):
        self._partial += os.read(self._fifo, 65536)
        *whole, self._partial = self._partial.split(b"\n")
        self.lines += [json.loads(w) for w in whole]
        broken = [line for line in self.lines[-len(whole):] if line["ev"] == "failed"] if whole else []
        laz.check(not broken, f"the probe could not do its part: {broken}")

    def pump(self, timeout=0.0):
        """Take in what has arrived; wait at most timeout for the first of it. True if anything came."""
        sources = [self.control] + ([self._fifo] if self._fifo is not None else [])
        ready, _, _ = select.select(sources, [], [], max(0.0, timeout))
        for source in ready:
            if source is self.control:
                self._receive_message()
            else:
                self._receive_log()
        return bool(ready)

    def _until(self, found, timeout, what):
        end = time.monotonic() + timeout
        while True:
            answer = found()
            if answer is not None:
                return answer
            left = end - time.monotonic()
            if self.ended is not None:
                left = min(left, (self.ended.t - time.monotonic_ns()) / 1e9 + 0.5)  # nothing comes from the dead
            if left <= 0:
                raise laz.Failed(f"no {what} within {timeout} s\n{self.describe()}")
            self.pump(left)

    def _message(self, name, timeout=PATIENCE):
        return self._until(lambda: next((m for m in self.messages if m["ev"] == name), None), timeout, name)

    def wait_exec(self, timeout=PATIENCE):
        """The moment (CLOCK_MONOTONIC, ns) at which the init's own execve succeeded."""
        message = self._message("execd", timeout)
        laz.check(message["errno"] == 0, f"the fence could not exec the init: errno {message['errno']}")
        return message["t"]

    def expect(self, ev, timeout=PATIENCE, **fields):
        """The first line of the probe's log with these fields that no earlier call has returned."""

        def found():
            for i, line in enumerate(self.lines):
                if i not in self._taken and line["ev"] == ev and all(line.get(k) == v for k, v in fields.items()):
                    self._taken.add(i)
                    return line
            return None

        return self._until(found, timeout, f"{ev} {fields}")

    def seen(self, ev, settle=0.0, **fields):
        """All lines so far with these fields, after waiting `settle` seconds for more."""
        end = time.monotonic() + settle
        while self.pump(end - time.monotonic()) or time.monotonic() < end:
            pass
        return [x for x in self.lines if x["ev"] == ev and all(x.get(k) == v for k, v in fields.items())]

    def wait(self, timeout=PATIENCE):
        """The end of the init."""
        ended = self._until(lambda: self.ended, timeout, "end of the init")
        self.pump(0.0)
        return ended

    def has_ended(self, within):
        """True if the init ends within so many seconds."""
        end = time.monotonic() + within
        while self.ended is None and time.monotonic() < end:
            self.pump(end - time.monotonic())
        return self.ended is not None

    # --- what goes in ----------------------------------------------------------------------------

    def kill(self, number, pid=None):
        """Send from outside the PID namespace: the init sees ssi_pid 0."""
        if pid is not None:
            os.kill(pid, number)
        elif self.ended is None:
            try:
                signal.pidfd_send_signal(self.pidfd, number)
            except ProcessLookupError:
                pass

    def queue(self, number, value, pid=None, sender=None, uid=0):
        """sigqueue() from outside the PID namespace; sender, uid: who it says it is from, which the kernel lets it."""
        info = (ctypes.c_char * 128)()
        ctypes.c_int.from_buffer(info, 0).value = number
        ctypes.c_int.from_buffer(info, 8).value = -1
        ctypes.c_int.from_buffer(info, 16).value = os.getpid() if sender is None else sender
        ctypes.c_int.from_buffer(info, 20).value = uid
        ctypes.c_long.from_buffer(info, 24).value = value
        if _libc.syscall(_SYS_RT_SIGQUEUEINFO, pid or self.pid, number, info) != 0:
            error = ctypes.get_errno()
            if error != errno.ESRCH:  # it has ended, as it may for kill()
                raise OSError(error, "rt_sigqueueinfo")

    def kill_thread(self, number):
        """tgkill() from outside the PID namespace."""
        if _libc.syscall(system_calls()["tgkill"], self.pid, self.pid, int(number)) != 0:
            raise OSError(ctypes.get_errno(), "tgkill")

    def wait_armed(self):
        """Wait until init blocks or catches TERM; nothing can be said about a signal before that."""
        end = time.monotonic() + PATIENCE
        while self.ended is None and time.monotonic() < end:
            status = self.status()
            if (int(status["SigBlk"], 16) | int(status["SigCgt"], 16)) >> (TERM - 1) & 1:
                return
        raise laz.Failed(f"init was never seen to block or catch TERM\n{self.describe()}")

    def parent_kill(self, number):
        """Send from the init's own parent (the fence); in nested mode it is in the same namespace."""
        self.control.send(f"send {int(number)}".encode())

    def go(self):
        """Let an init that was started with the condition "hold" exec."""
        self.control.send(b"go")

    def trace(self, *options, follow=True):
        """Attach strace to an init that is held, from outside of all namespaces, and let it go.

        Its log is run.folder/"trace". Of the calls that it counts, the first read and the first execve are
        the fence's own.
        """
        self.tracer = subprocess.Popen(["strace", *(["-f"] if follow else []), "-ttt", "-o", str(self.folder / "trace"), *options,
                                        "-p", str(self.pid)], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        wait_attached(self.tracer.stderr, "strace")
        self.go()

    def attach(self, name, *arguments):
        """Attach a tracer of probe/ to an init that is held and let it go; its output is run.folder/"trace"."""
        with open(self.folder / "trace", "wb") as out:
            self.tracer = subprocess.Popen([tool(name), str(self.pid), *map(str, arguments)],
                                           stdout=out, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        wait_attached(self.tracer.stderr, name)
        self.go()

    def traced(self):
        """The lines of the trace; all of them once the init and whatever it started have ended."""
        if self.ended is not None:
            try:
                self.tracer.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                pass
        return (self.folder / "trace").read_text().splitlines()

    def inject(self, words, uid=None, wait=True):
        """Run the probe beside the init, in its namespaces, as `docker exec` would; returns its log lines."""
        argv = ["nsenter", "-t", str(self.pid), "-p", "-m"]
        argv += ["--setgid", str(uid), "--setuid", str(uid)] if uid is not None else []
        process = subprocess.Popen([*argv, tool("probe"), *words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        if not wait:
            return process
        out, _ = process.communicate(timeout=PATIENCE)
        return [json.loads(line) for line in out.splitlines()]

    # --- what can be looked at -------------------------------------------------------------------

    def status(self, pid=None):
        """/proc/PID/status as a dictionary."""
        with open(f"/proc/{pid or self.pid}/status") as text:
            return {k: v.strip() for k, v in (line.split(":", 1) for line in text)}

    def children(self, pid=None):
        """Host pids of the processes whose parent is the init (or pid)."""
        return children(pid or self.pid)

    def inhabitants(self):
        """Host pids of everything in the fence, its own three processes included."""
        found = [self.warden]
        for pid in found:
            found += children(pid)
        return found

    def leftovers(self):
        """Host pids of probe processes that still live."""
        return [p for p in self.inhabitants() if comm(p) == "probe" and state(p) not in "ZX"]

    def stderr(self):
        """What the init and the fence wrote to stderr, so far or, after the end, in all."""
        if self.control is None:
            return self._all_errors
        return self.errors.read_text(errors="replace")

    def describe(self):
        """A picture of the moment, for failure messages."""
        rows = [f"  command: {' '.join(self.argv)}", f"  stderr: {self.stderr()[-800:]!r}",
                f"  messages: {self.messages[-4:]}", f"  log: {self.lines[-6:]}"]
        for pid in (self.inhabitants() if self.pid else [])[:8]:
            try:
                status = self.status(pid)
                rows.append(f"  {pid} {status['Name']} {status['State']} blk={status['SigBlk']} "
                            f"pnd={status['ShdPnd']} ign={status['SigIgn']} cgt={status['SigCgt']}")
            except OSError:
                pass
        return "\n".join(rows)

    # --- the end ---------------------------------------------------------------------------------

    def close(self, quiet=False):
        """End everything inside; fail if a bystander heard a signal."""
        if self.control is None:
            return
        try:
            self.control.send(b"finish")
            end = time.monotonic() + PATIENCE
            while not any(m["ev"] == "done" for m in self.messages) and time.monotonic() < end:
                self.pump(end - time.monotonic())
        except (OSError, laz.Failed):
            pass
        self._all_errors = self.stderr()
        self.control.close()
        self.control = None
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.tracer is not None:
            self.tracer.wait(PATIENCE)
            self.tracer.stderr.close()
        for fd in (self.pidfd, self._fifo, self.terminal):
            if fd is not None:
                os.close(fd)
        done = any(m["ev"] == "done" for m in self.messages)
        shutil.rmtree(self.folder, ignore_errors=True)
        laz.check_no_report(self._all_errors)
        if not quiet:
            laz.check(done, "the fence did not report its bystanders")
            laz.check(not self.bystander, f"a bystander was signalled: {self.bystander}")


TRACE_LINE = re.compile(r"^(\d+)\s+[\d.]+ (\w+)\(")


def calls_of(lines, first_pid, only=None, until_exec_of=None):
    """(name, k) of the calls in a trace after the held process's exec, k as strace's "when" counts them.

    only: of this process alone. until_exec_of: up to the exec of a program whose path ends so.
    """
    counts, found, started = collections.defaultdict(collections.Counter), {}, False
    for line in lines:
        match = TRACE_LINE.match(line)
        if match is None or (only and int(match.group(1)) != only):
            continue
        pid, name = match.groups()
        counts[pid][name] += 1
        if started:
            found.setdefault((name, counts[pid][name]), None)
        started = started or (name == "execve" and int(pid) == first_pid)
        if until_exec_of and re.search(rf'execve\("[^"]*{until_exec_of}"', line):
            break
    return list(found)


def wait_attached(stream, name):
    """Read what a tracer says until it says that it is attached."""
    said = []
    while not said or "attached" not in said[-1]:
        line = stream.readline().decode(errors="replace")
        laz.check(line, f"{name} did not attach: {said}")
        said.append(line)


def open_log(path):
    """A FIFO that any uid may write to; open for reading and writing, so that it never reports an end."""
    os.mkfifo(path)
    os.chmod(path, 0o666)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def comm(pid):
    """The name of a process, or "gone"."""
    try:
        with open(f"/proc/{pid}/comm") as text:
            return text.read().strip()
    except OSError:
        return "gone"


def state(pid):
    """One letter: R, S, T, Z, or X when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as text:
            return text.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "X"


def children(pid):
    """Host pids of a process's children. Not by walking /proc, which takes longer than all the rest of a run."""
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
