# SPDX-License-Identifier: Apache-2.0
"""Benches of the workload's output: what a line costs on its way, and how fast a writer is rid of it, beside others."""
import fcntl
import os
import pathlib
import shlex
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

from harness import MEMORY, bench, count, goal, say, show, small

import area
import engines
import fence
import laz
import rootfs

STAGES = {"copy": "memcpy", "lines": "framing", "members": "and members", "redact": "and redaction",
          "chain": "and the chain", "all": "and sealed blocks", "told": "and the lines for a sink"}


def log_lines(lines):
    """A file of lines of 128 bytes, as programs write them."""
    words = ("GET POST request user claim status order handled cache miss hit retry timeout error pool worker "
             "queue batch invoice").split()
    path = fence.scratch() / "bench.log"
    with open(path, "w", encoding="ascii") as output:
        for i in range(lines):
            line = f"2026-11-22T08:{i // 1000 % 60:02d}:{i % 60:02d}.{i % 1000:03d}Z INFO web-{i % 7}"
            for k in range(32):
                line += f" {words[(i * 7 + k * 5) % len(words)]}" + (f"={i * k % 99991}" if k % 3 == 2 else "")
            output.write(line[:127] + "\n")
    return path


def through_pipe(path, argv):
    """Nanoseconds of processor time that argv takes for the file, out of a pipe as large as Lazaret asks for."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, 1031, 1 << 20)  # F_SETPIPE_SZ
    program = subprocess.Popen(argv, stdin=reader, stdout=subprocess.DEVNULL)
    os.close(reader)
    subprocess.run(["cat", str(path)], stdout=writer, check=True)
    os.close(writer)
    _, status, used = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode != 0:
        raise laz.Failed(f"{argv[0]} ended with {program.returncode}")
    return (used.ru_utime + used.ru_stime) * 1e9


@bench("log")
def log():
    """Log lines of 128 bytes into sealed blocks in memory, beside s6-log that stamps them into a file."""
    lines = count(400000, 2000)
    path = log_lines(lines)
    program = str(laz.BIN.parent / "tests" / "bench_log")
    folder = fence.scratch() / "s6-log"
    s6_log = [area.require_program("s6-log"), "-b", "n1", "s268435455", "t", str(folder)]  # into one file
    commands = {"memcpy": [program, "copy"], "Lazaret": [program, "all"], "s6-log, with stamps": s6_log}
    found = {name: [] for name in commands}
    stages = {stage: [] for stage in STAGES}
    for _ in range(count(9, 1)):
        for stage, values in stages.items():
            argv = [program, stage, str(path), str(count(3, 1))]
            values.append(float(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout))
        for name, argv in commands.items():
            found[name].append(through_pipe(path, argv) / lines)
    say("  in memory, processor time of a line:")
    for stage, name in STAGES.items():
        show(name, stages[stage], "ns")
    say("  through a pipe, processor time of a line (s6-log writes it to a file too):")
    for name, values in found.items():
        show(name, values, "ns", found["Lazaret"])
    say(f"  {1e3 / statistics.median(stages['all']):.2f} million lines a second in memory")
    goal("a log line in memory, all of it", statistics.median(stages["all"]), 400, "ns")
    ratio = statistics.median(found["Lazaret"]) / statistics.median(found["s6-log, with stamps"])
    goal("a log line through a pipe, against s6-log", ratio, 0.5)


SHIP_POLICY = """\
version: 1
name: bench
extends: [builtin/static]
workload: {{user: "10001:10001"}}
filesystem: {{read-exec: [/], write: [{folder}/took]}}
shutdown: {{stop-timeout: 60s, flush: 20s}}
spool: {{dir: {folder}/spool, max: 256MiB}}
sinks:
  - {{name: trail, type: file, path: {folder}/trail, classes: [audit, ids, log], required: true}}
"""


def lines_of(path, start=b""):
    """How many lines of a file begin so."""
    with open(path, "rb") as text:
        return sum(line.startswith(start) for line in text)


class Used(threading.Thread):
    """Processor time that the processes of a logger take between enter and exit; looked up until they are gone."""

    def __init__(self, find):
        super().__init__(daemon=True)
        self.find, self.ended = find, threading.Event()
        self.before, self.last = {}, {}

    def look(self):
        for pid in self.find():
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            self.last[pid] = int(fields[11]) + int(fields[12])

    def run(self):
        while not self.ended.wait(0.02):
            self.look()

    def __enter__(self):
        self.look()
        self.before = dict(self.last)
        self.start()
        return self

    def __exit__(self, *_):
        self.look()
        self.ended.set()
        self.join()

    def ns(self):
        ticks = max(1, sum(self.last.values()) - sum(self.before.values()))  # less is not seen
        return ticks * 1000000000 // os.sysconf("SC_CLK_TCK")


def named(tops, *names):
    """Pids below these with one of these names."""
    found = list(tops)
    for pid in found:
        found += fence.children(pid)
    return [pid for pid in found if fence.comm(pid) in names]


class Took:
    """A file into which bench/writer.c says how long it took to be rid of its lines, and a folder beside it."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lazaret-bench-", dir=MEMORY))
        self.folder.chmod(0o755)
        self.path = self.folder / "took"
        self.path.touch()
        self.path.chmod(0o666)

    def words(self, lines, per_write, path=None):
        return [small("writer"), str(lines), str(per_write), str(path or self.path)]

    def take(self, arrived, lines):
        """Nanoseconds; the folder is gone."""
        took = self.path.read_text()
        shutil.rmtree(self.folder)
        laz.check_equal(arrived, lines, "lines that arrived")
        laz.check(took, "the writer did not say how long it took")
        return int(took)


def shipped(lines, per_write):
    """ns until the writer is rid of its lines, until all is in the sink's file and closed, and those of `ship`."""
    took = Took()
    policy = took.folder / "policy.yaml"
    policy.write_text(SHIP_POLICY.format(folder=took.folder))
    began = time.monotonic_ns()
    init = [str(laz.BIN / "lazaret-init"), "--policy", str(policy), "--"]
    with fence.Run([*init, *took.words(lines, per_write)]) as run:
        with Used(lambda: [pid for pid in run.children() if fence.comm(pid) == "lazaret-ship"]) as used:
            code = run.wait(120).code
        whole = time.monotonic_ns() - began
        laz.check_equal(code, 0, f"exit code ({run.stderr()[-400:]})")
        arrived = lines_of(took.folder / "trail", b'{"lz":1,"ev":"log"')
    return took.take(arrived, lines), whole, used.ns()


def piped(lines, per_write, stamps):
    """The same of `writer | cat > file`, or of s6-log that stamps them into a file."""
    took = Took()
    s6_log = [area.require_program("s6-log"), "-b", "n1", "s268435455", "t", str(took.folder / "s6")]
    argv = s6_log if stamps else ["cat"]
    target = took.folder / "out"
    began = time.monotonic_ns()
    words = took.words(lines, per_write)
    with open(target, "wb") as out, subprocess.Popen(words, stdout=subprocess.PIPE) as writer:
        logger = subprocess.Popen(argv, stdin=writer.stdout, stdout=out)
        _, status, used = os.wait4(logger.pid, 0)
        logger.returncode = os.waitstatus_to_exitcode(status)
    whole = time.monotonic_ns() - began
    laz.check_equal(logger.returncode, 0, f"exit code of {argv[0]}")
    arrived = lines_of(took.folder / "s6" / "current" if stamps else target)
    return took.take(arrived, lines), whole, max(1, round((used.ru_utime + used.ru_stime) * 1e9))


RUNTIME = """\
#!/bin/sh
# An OCI runtime for conmon as far as it asks for one: `create ... --pid-file FILE ...` starts the writer.
while [ $# -gt 0 ]; do
    [ "$1" != --pid-file ] || file=$2
    shift
done
[ -n "$file" ] || exit 0
(sleep 0.2; exec {writer}) & # conmon is in its loop by then
echo $! >"$file"
"""


def by_conmon(lines, per_write):
    """The same of conmon, which writes them into a file of Kubernetes' form; the end of it all says nothing."""
    took = Took()
    runtime, ended = took.folder / "runtime", took.folder / "ended"
    runtime.write_text(RUNTIME.format(writer=shlex.join(took.words(lines, per_write))))
    runtime.chmod(0o755)
    ended.mkdir()
    (took.folder / "config.json").write_text("{}")
    subprocess.run(area.fence().command(
        area.require_program("conmon"), "--cid", "bench", "--cuuid", "bench", "--name", "bench",
        "--bundle", took.folder, "--runtime", runtime, "--container-pidfile", took.folder / "pid", "--no-sync-log",
        "--log-path", f"k8s-file:{took.folder}/log", "--exit-dir", ended, "--socket-dir-path", took.folder),
                   check=True, stderr=subprocess.DEVNULL, timeout=60)
    end = time.monotonic() + 120
    with Used(lambda: named([area.fence().pid], "conmon")) as used:
        used.before = {}  # all of it
        while not (ended / "bench").exists():
            laz.check(time.monotonic() < end, "conmon does not end")
            time.sleep(0.05)
    return took.take(lines_of(took.folder / "log"), lines), None, used.ns()


_docker = {}


def docker():
    """A dockerd of our own whose files are in memory too, and its image of the writer."""
    if not _docker:
        tempfile.tempdir = str(MEMORY)
        area.root()
        tempfile.tempdir = None
        engine = engines.Docker()
        root = rootfs.scratch_root("bench")
        rootfs.put(root, "/writer", pathlib.Path(small("writer")), 0o755)
        _docker["engine"], _docker["image"] = engine, engine.import_root(root, "lazaret-bench")
    return _docker["engine"], _docker["image"]


def by_docker(lines, per_write):
    """The same of dockerd and its shim, which write them by the driver json-file."""
    took = Took()
    engine, image = docker()
    tops = (engine.daemon.pid, area.fence().pid)  # a shim falls to the fence
    with Used(lambda: named(tops, "dockerd", "containerd", "containerd-shim")) as used:
        name = engine.start(image, ["/writer", lines, per_write, "/took"],
                            options=("--log-driver", "json-file", "--volume", f"{took.path}:/took"))
        laz.check_equal(engine.must("wait", name, timeout=240), "0", "exit code")
    path = engine.must("inspect", "--format", "{{.LogPath}}", name)
    end = time.monotonic() + 60
    while lines_of(path) < lines and time.monotonic() < end:
        time.sleep(0.1)
    arrived = lines_of(path)
    engine.must("rm", name)
    return took.take(arrived, lines), None, used.ns()


HERE_TOO = {"cat > file": lambda lines, per_write: piped(lines, per_write, False),
            "s6-log, with stamps": lambda lines, per_write: piped(lines, per_write, True),
            "Lazaret": shipped}
CONTAINERS = {"conmon, k8s-file": by_conmon, "dockerd, json-file": by_docker}


def logged(loggers, per_write, rounds):
    """{logger: rows of nanoseconds of a line}, in turn."""
    lines = 512 * count(3000, 6)
    found = {name: [] for name in loggers}
    for _ in range(count(rounds, 1)):
        for name, measure in loggers.items():
            found[name].append([ns and ns / lines for ns in measure(lines, per_write)])
    return found


def compare(found, index, against):
    """Show a column; {logger: median}."""
    columns = {name: [row[index] for row in rows] for name, rows in found.items() if rows[0][index]}
    for name, values in columns.items():
        show(name, values, "ns", columns[against])
    return {name: statistics.median(values) for name, values in columns.items()}


@bench("ship")
def ship():
    """A workload that logs lines of 128 bytes: into a signed trail by way of an encrypted spool; others into a file."""
    for what, per_write, title, other, most in (
            ("single", 1, "a writer of single lines, against cat", "cat > file", 1 / 0.95),
            ("in chunks", 512, "a writer of 64 KiB, against s6-log", "s6-log, with stamps", 0.5)):
        say(f"  {what}, until all is in the file, start and end of a container included, time of a line:")
        middle = compare(logged(HERE_TOO, per_write, 15), 1, "cat > file")
        goal(title, middle["Lazaret"] / middle[other], most)


@bench("chunks")
def chunks():
    """How fast a writer of 64 KiB is rid of its lines, into Lazaret's trail or by other loggers into a file."""
    found = logged({**HERE_TOO, **CONTAINERS}, 512, 5)
    say("  processor time of the logger for a line (dockerd: all of its threads, and its shim's):")
    compare(found, 2, "Lazaret")
    say("  until the writer is rid of it:")
    middle = compare(found, 0, "Lazaret")
    for title, name, most in (("s6-log", "s6-log, with stamps", 1 / 2), ("conmon", "conmon, k8s-file", 1 / 1.8),
                              ("Docker's json-file", "dockerd, json-file", 1 / 7)):
        goal(f"chunks of 64 KiB, the writer's time against {title}", middle["Lazaret"] / middle[name], most)
