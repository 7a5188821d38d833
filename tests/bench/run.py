# SPDX-License-Identifier: Apache-2.0
"""Measures Lazaret beside its peers, all in one run and in turn, and prints ratios beside their goals.

    tests/bench/run.py [--smoke] [--page] [NAME...]      names: see --list

Absolute times are for scale; the ratios are the result. A goal that is missed is printed as missed. --smoke
runs tiny counts and only checks that every bench gives its numbers: nothing is judged by time in CI. --page
writes all of it into docs/reference/numbers.md, which nobody edits by hand.
Everything runs inside a fence (tests/e2e/fence.py). LAZARET_BIN names the build, as for the suites.
"""
import fcntl
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import adapters  # noqa: E402
import fence  # noqa: E402
import laz  # noqa: E402
import sinks_peers  # noqa: E402

SMOKE = "--smoke" in sys.argv
PAGE = HERE.parents[1] / "docs" / "reference" / "numbers.md"
LIST = HERE / "docker-default.txt"
# builtin/web-api with everything on that the kernel has; one refused call answers without an event.
POLICY = {"requires": {"landlock": "preferred"}, "limits": {"processes": 60000}, "events": {"quiet": ["add_key"]},
          "filesystem": {"read-exec": ["/"], "write": [str(fence.scratch())]}}
benches = {}
rows = []
said = []
# Goals that are known to be missed, and what we know of the cause.
WHY = {
    "start, compiled policy, against the bare program":
        "the least init (fork, exec, wait) takes 1.2 of it already; the rest is, in this order, the load of the "
        "workload's filter, the fork, PID 1's own start, the reading back at the gate, the child's sixty other "
        "steps, and the end. Without Landlock and events it is 0.1 less.",
    "a writer of single lines, against cat":
        "one thread frames, packs, hashes and encrypts the line, writes it to the spool, and writes its record, which is "
        "two and a half times as long, to the sink. SHA-256 and AES-GCM are a fifth of that, the two writes a third.",
    "a writer of 64 KiB, against s6-log":
        "the same work for each line.",
    "start, YAML, against the bare program":
        "on top of the compiled start: fork, exec and confinement of lazaret-setup, parsing, compiling, and the "
        "proof of both filters, all with cold caches.",
    "a log line in memory, all of it":
        "SHA-256 and AES-256-GCM of the packed record take two fifths of it, redaction and escaping a third.",
    "a log line through a pipe, against s6-log":
        "the same: s6-log puts 26 bytes in front of the line and neither hashes nor encrypts.",
}


def bench(name):
    def register(function):
        benches[name] = function
        return function

    return register


def count(full, smoke):
    return smoke if SMOKE else full


# --- programs -----------------------------------------------------------------------------------------


def timer():
    """bench/timer.c, built like the test programs."""
    folder = fence.build_folder()
    wire = folder / "bench-sources"
    wire.mkdir(exist_ok=True)
    for source in (HERE / "timer.c", fence.HERE / "probe" / "wire.c", fence.HERE / "probe" / "wire.h"):
        copy = wire / source.name
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            copy.write_bytes(source.read_bytes())
    return str(fence.compile_program("timer", ["timer.c", "wire.c"], wire, folder))


def small(name):
    """bench/NAME.c on musl: `least`, as small as an init can be; `writer`, a workload that logs."""
    target = fence.build_folder() / name
    source = HERE / f"{name}.c"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["musl-gcc", "-O2", "-static", "-s", str(source), "-o", str(target)], check=True)
    return str(target)


def filter_bench():
    found = laz.BIN.parent / "tests" / "bench_filter"
    if not found.exists():
        sys.exit(f"{found} is not there: build the target bench_filter, or name the build with LAZARET_BIN")
    return str(found)


def call_number(name):
    return str(fence.system_calls()[name])


def command(init, app, source=False, policy=POLICY):
    """argv of an init around app, with the benches' policy if it is Lazaret."""
    folder = fence.scratch() / f"bench-{time.monotonic_ns()}"
    folder.mkdir()
    folder.chmod(0o777)
    return init.command(app, folder, policy, True, source)


def peer(name):
    return adapters.PEERS[name]


def payload(argv, timeout, mode="nested"):
    """Run argv inside a fence and return what it printed, as JSON."""
    reader, writer = os.pipe()
    output = bytearray()
    with fence.Run(argv, mode, stdout=writer) as run:
        os.close(writer)
        end = time.monotonic() + timeout
        os.set_blocking(reader, False)
        while run.ended is None or output[-1:] != b"\n":
            run.pump(0.02)
            try:
                output += os.read(reader, 65536)
            except BlockingIOError:
                pass
            if run.ended is not None and run.ended.code != 0:
                raise laz.Failed(f"{argv[:3]} ended with {run.ended}: {run.stderr()[-400:]}")
            if time.monotonic() > end:
                raise laz.Failed(f"{argv[:3]} took more than {timeout} s: {run.describe()}")
    os.close(reader)
    return json.loads(output)


def in_turn(measure, rounds, commands, timeout=900):
    """{name: [value of each round]} of timer.c's rounds over several inits."""
    argv = [timer(), measure, str(rounds), "--"]
    for i, one in enumerate(commands.values()):
        argv += (["//"] if i else []) + one
    table = payload(argv, timeout)
    return {name: [row[i] for row in table] for i, name in enumerate(commands)}


# --- printing -----------------------------------------------------------------------------------------


def quantiles(values):
    """(p10, p50, p90)"""
    ordered = sorted(values)
    at = lambda q: ordered[min(len(ordered) - 1, int(q * len(ordered)))]  # noqa: E731
    return at(0.1), statistics.median(ordered), at(0.9)


def say(text):
    said.append(text)
    print(text, flush=True)


def show(name, values, unit, against=None, scale=1.0):
    """One line: p50 (p10-p90), and the ratio to the medians of `against`."""
    low, middle, high = (x / scale for x in quantiles(values))
    ratio = f"{statistics.median(values) / statistics.median(against):6.2f} x" if against else " " * 8
    say(f"  {name:34s} {middle:10.2f} {unit:3s} ({low:.2f} - {high:.2f}) {ratio}")
    return statistics.median(values) / statistics.median(against) if against else middle


def goal(name, value, limit, unit="x"):
    """Print and remember whether a goal is met; 0 as a limit means none at all."""
    met = value <= limit
    rows.append((name, value, limit, unit, met))
    say(f"  goal: {name}: {value:.2f} {unit}, at most {limit:g} {unit}: {'met' if met else 'MISSED'}")


# --- benches ------------------------------------------------------------------------------------------


@bench("start")
def start():
    """Wall time of `INIT -- /bin/true` in a fresh PID and mount namespace."""
    app = ["/bin/true"]
    lazaret = adapters.LAZARET
    commands = {
        "bare": app,
        "the least init": [small("least"), *app],
        "tini": command(peer("tini"), app),
        "dumb-init": command(peer("dumb-init"), app),
        "catatonit": command(peer("catatonit"), app),
        "lazaret, compiled policy": command(lazaret, app),
        "lazaret, YAML": command(lazaret, app, source=True),
    }
    found = in_turn("start", count(250, 3), commands)
    ratios = {}
    for what, index in (("from the clone to the end", 0), ("from init's exec to the end", 1)):
        say(f"  -- {what}")
        bare = [pair[index] for pair in found["bare"]]
        for name in commands:
            ratios[name, index] = show(name, [pair[index] for pair in found[name]], "us",
                                       None if name == "bare" else bare, 1000)
    goal("start, compiled policy, against the bare program", ratios["lazaret, compiled policy", 0], 1.6)
    goal("start, YAML, against the bare program", ratios["lazaret, YAML", 0], 3.0)


@bench("armed")
def armed():
    """From init's exec to the first signal that it does not lose: a ladder of 31 signals."""
    app = [fence.tool("race"), "app"]
    inits = {"lazaret": (adapters.LAZARET, 3), "tini": (peer("tini"), 40), "dumb-init": (peer("dumb-init"), 40),
             "catatonit": (peer("catatonit"), 40)}
    found = {name: [] for name in inits}
    for _ in range(count(10, 1)):
        for name, (init, step) in inits.items():
            argv = [fence.tool("race"), "ladder", str(count(20, 3)), str(step), "pid1", "pinned", "1", "--",
                    *command(init, app)]
            found[name] += [v for v in payload(argv, 120)["armed_ns"] if v != -2]
    for name, values in found.items():
        late = sum(1 for v in values if v < 0)
        seen = [v if v >= 0 else 31 * inits[name][1] * 1000 for v in values]
        show(name, seen, "us", None, 1000)
        if late:
            say(f"    {late} of {len(values)} later than the whole ladder, counted as its length")
        if name == "lazaret":
            goal("exec to armed, median", statistics.median(seen) / 1000, 50, "us")


@bench("lost")
def lost():
    """TERM at a random moment within 200 microseconds after init listens; the controls lose some."""
    app = [fence.tool("race"), "app"]
    inits = {"lazaret": adapters.LAZARET, "tini": peer("tini"), "tini -g": adapters.VARIANTS["tini -g"],
             "dumb-init": peer("dumb-init")}
    for name, init in inits.items():
        runs = count(10000 if name == "lazaret" else 200, 5)
        argv = [fence.tool("race"), "armed", str(runs), "200", "pid1", "pinned", "7", "--", *command(init, app)]
        seen = payload(argv, 1800)
        gone = seen["lost"] + seen["hung"] + seen["other"]
        say(f"  {name:34s} {gone} of {runs} lost ({100 * gone / runs:.1f} %)")
        if name == "lazaret":
            goal("TERM lost after arming", gone, 0, "")


@bench("calls")
def calls():
    """What a system call costs under a filter: one that is allowed, one that is refused with an errno."""
    loops = str(count(1000000, 1000))
    app = [timer(), "app-calls", loops, call_number("add_key")]
    silent = {**POLICY, "requires": {"landlock": "preferred", "events": "disabled"}}
    kinds = {
        "no filter": app,
        "Docker's default filter": [filter_bench(), "docker-run", str(LIST), *app],
        "lazaret, web-api": command(adapters.LAZARET, app),
        "lazaret, web-api, no events": command(adapters.LAZARET, app, policy=silent),
    }
    found = {name: {"allowed": [], "refused": []} for name in kinds}
    for _ in range(count(25, 1)):
        for name, argv in kinds.items():
            seen = payload(["taskset", "-c", "1", *argv], 60)
            for which in ("allowed", "refused"):
                found[name][which].append(seen[which])
            if name != "no filter":
                laz.check_equal(seen["errno"], 1, f"errno of the refused call under {name}")
    for which in ("allowed", "refused"):
        say(f"  -- {which}")
        for name in kinds:
            base = found["no filter"][which]
            show(name, found[name][which], "ns", None if name == "no filter" else base)
    middle = {name: {w: statistics.median(v) for w, v in f.items()} for name, f in found.items()}
    # The difference of each round: two runs that follow each other share the machine's mood.
    over = [b - a for a, b in zip(found["no filter"]["allowed"], found["lazaret, web-api"]["allowed"])]
    goal("allowed call over no filter, median difference", statistics.median(over), 12, "ns")
    goal("refused call against Docker's filter",
         middle["lazaret, web-api"]["refused"] / middle["Docker's default filter"]["refused"], 0.6)


@bench("filter")
def filter_():
    """Size, compilation, proof and loading of web-api's filter."""
    rounds = str(count(100, 2))
    policy = adapters.LAZARET.image(adapters.LAZARET.policy(POLICY)).removesuffix(".img") + ".yaml"
    mine = payload([filter_bench(), "policy", policy, rounds], 120)
    docker = payload([filter_bench(), "docker", str(LIST), rounds], 120)
    say(f"  web-api: {mine['instructions']} instructions, longest path {mine['longest']}; "
        f"Docker's default: {docker['instructions']}")
    show("compile", mine["compile_ns"], "us", None, 1000)
    show("prove", mine["prove_ns"], "us", None, 1000)
    show("load", mine["load_ns"], "us", None, 1000)
    show("load Docker's default", docker["load_ns"], "us", mine["load_ns"], 1000)
    both = [a + b for a, b in zip(mine["compile_ns"], mine["prove_ns"])]
    goal("instructions of web-api", mine["instructions"], 260, "")
    goal("compile and prove, median", statistics.median(both) / 1e6, 1, "ms")
    goal("load, median", statistics.median(mine["load_ns"]) / 1000, 100, "us")


def memory_of(pid):
    """(RSS, PSS, private) in KiB."""
    sums = {"Rss": 0, "Pss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    with open(f"/proc/{pid}/smaps_rollup") as text:
        for line in text:
            name = line.split(":")[0]
            if name in sums:
                sums[name] = int(line.split()[1])
    return sums["Rss"], sums["Pss"], sums["Private_Clean"] + sums["Private_Dirty"]


@bench("memory")
def memory():
    """Memory of PID 1 with an idle workload, size on disk, and wake-ups while nothing happens."""
    seconds = count(10, 1)
    for name, init in {"lazaret": adapters.LAZARET, **adapters.PEERS}.items():
        with init.start(["until=15"], "pid1", policy=POLICY) as run:
            run.expect("listening")
            time.sleep(0.3)
            before = int(run.status()["voluntary_ctxt_switches"])
            time.sleep(seconds)
            woken = int(run.status()["voluntary_ctxt_switches"]) - before
            rss, pss, private = memory_of(run.pid)
        size = os.path.getsize(os.path.realpath(init.base[0])) / 1024
        say(f"  {name:34s} RSS {rss} KiB, PSS {pss}, private {private}; {size:.0f} KiB on disk; "
            f"{woken / seconds:.1f} wake-ups a second")
        if name == "lazaret":
            goal("PID 1 resident", rss, 150, "KiB")
            goal("PID 1 on disk", size, 160, "KiB")
            goal("idle wake-ups", woken, 0, "")


@bench("orphans")
def orphans():
    """20,000 zombies handed over at once: until the last is gone, and how long a signal waits behind them."""
    zombies = str(count(20000, 200))
    rounds = count(9, 1)
    inits = {"lazaret": adapters.LAZARET, **adapters.PEERS}
    drain = {"wait loop": [timer(), "wait-loop", timer(), "app-drain", zombies]}
    drain |= {name: command(init, [timer(), "app-drain", zombies]) for name, init in inits.items()}
    found = in_turn("drain", rounds, drain)
    say("  -- until the last zombie is gone")
    for name in drain:
        show(name, found[name], "ms", found["wait loop"], 1e6)
    ratio = statistics.median(found["lazaret"]) / statistics.median(found["wait loop"])
    goal("20,000 orphans against a wait loop", ratio, 1.2)
    behind = {name: command(init, [timer(), "app-behind", zombies]) for name, init in inits.items()}
    found = in_turn("behind", rounds, behind)
    say("  -- a signal behind them")
    for name in behind:
        show(name, found[name], "ms", None, 1e6)
    goal("a signal behind 20,000 orphans, median", statistics.median(found["lazaret"]) / 1e6, 5, "ms")


@bench("forward")
def forward():
    """From kill() of PID 1 to the workload's sigwaitinfo()."""
    app = [timer(), "app-forward"]
    commands = {"lazaret": command(adapters.LAZARET, app)} | {
        name: command(init, app) for name, init in adapters.PEERS.items()}
    commands = {"bare": app} | commands
    found = in_turn("forward", count(300, 3), commands)
    for name in commands:
        show(name, found[name], "us", None if name == "bare" else found["bare"], 1000)


@bench("spin")
def spin():
    """CPU time of PID 1 while the workload makes a refused call, with an event each, as fast as it can."""
    seconds = count(10, 1)
    app = [timer(), "app-spin", str(seconds), call_number("keyctl")]
    ticks = os.sysconf("SC_CLK_TCK")
    reader, writer = os.pipe()
    with fence.Run(command(adapters.LAZARET, app), "pid1", stdout=writer) as run:
        os.close(writer)
        used = 0.0
        began = time.monotonic()
        while run.ended is None and time.monotonic() - began < seconds + 10:
            with open(f"/proc/{run.pid}/stat") as text:
                fields = text.read().rsplit(")", 1)[1].split()
                used = (int(fields[11]) + int(fields[12])) / ticks
            run.pump(0.2)
        made = int(os.read(reader, 64) or b"0")
    os.close(reader)
    say(f"  {made} refused calls in {seconds} s; PID 1 used {used:.2f} s of CPU")
    goal("supervisor's share of a CPU", 100 * used / seconds, 1, "%")


@bench("verify")
def verify():
    """`lazaret verify` over a trail of events, beside sha256sum over the same bytes."""
    events = count(200000, 500)
    lines = [f"event seccomp.deny call-{i}" + ("\ncheckpoint" if i % 256 == 255 else "") for i in range(events)]
    trail = fence.scratch() / "bench.trail"
    maker = laz.BIN.parent / "tests" / "trail_make"
    with open(trail, "wb") as output:
        subprocess.run([str(maker)], input="\n".join([*lines, "final 0\n"]).encode(), stdout=output, check=True)
    commands = {"sha256sum": ["sha256sum", str(trail)], "lazaret verify": [str(laz.BIN / "lazaret"), "verify", str(trail)]}
    found = {name: [] for name in commands}
    for _ in range(count(15, 1)):
        for name, argv in commands.items():
            began = time.monotonic_ns()
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
            found[name].append(time.monotonic_ns() - began)
    for name in commands:
        show(name, found[name], "ms", found["sha256sum"], 1e6)
    say(f"  {events} records of {os.path.getsize(trail) / events:.0f} bytes, "
        f"{events / statistics.median(found['lazaret verify']) * 1e3:.2f} million a second")


@bench("relp")
def relp():
    """Records to rsyslogd (queue of type Direct) over RELP with mutual TLS, window 128: ours, and librelp's own client."""
    client = fence.build_folder() / "relp_client"
    source = HERE / "relp_client.c"
    if not client.exists() or client.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["gcc", "-O2", str(source), "-o", str(client), "-lrelp"], check=True)
    records = count(40000, 300)
    rsyslog = sinks_peers.Rsyslog("bench-relp")
    port, keys = rsyslog.ports["relps"], sinks_peers.client()
    plain, message = fence.scratch() / "bench.records", fence.scratch() / "bench.messages"
    header = b"<110>1 2026-11-21T23:59:01.123456Z host.example lazaret 1 log - "
    lines = [sinks_peers.record(n) for n in range(records)]
    plain.write_bytes(b"".join(line + b"\n" for line in lines))
    message.write_bytes(b"".join(header + line + b"\n" for line in lines))
    commands = {
        "librelp's client": ([client, port, 128, keys["ca"], keys["cert"], keys["key"], keys["peer"]], message),
        "the sink relp": ([sinks_peers.Drive.PROGRAM, "type=relp", "host=127.0.0.1", f"port={port}", "quiet=1", *(
            f"{key}={value}" for key, value in keys.items())], plain),
    }
    wall, cpu = ({name: [] for name in commands} for _ in range(2))
    for _ in range(count(9, 1)):
        for name, (argv, text) in commands.items():
            feed = subprocess.Popen(["cat", str(text)], stdout=subprocess.PIPE)
            began = time.monotonic_ns()
            process = subprocess.Popen([*map(str, argv)], stdin=feed.stdout, stderr=subprocess.PIPE, text=True)
            feed.stdout.close()
            _, status, used = os.wait4(process.pid, 0)
            wall[name].append(time.monotonic_ns() - began)
            cpu[name].append((used.ru_utime + used.ru_stime) * 1e9)
            feed.wait()
            laz.check(status == 0, f"{name} ended with {status}: {process.stderr.read()[-400:]}")
    rsyslog.stop()
    laz.check_equal(len(rsyslog.lines()), 2 * records * count(9, 1), "records that arrived")
    ratios = {}
    for what, found in (("until all are acknowledged", wall), ("CPU time of the client", cpu)):
        say(f"  -- {what}")
        for name in commands:
            ratios[what, name] = show(name, found[name], "ms", found["librelp's client"], 1e6)
    say(f"  {records} records of {len(lines[0]) + 1} bytes, "
        f"{records / statistics.median(wall['the sink relp']) * 1e6:.0f} thousand a second")
    goal("records over RELP and TLS against librelp's client", ratios["until all are acknowledged", "the sink relp"], 1.1)
    goal("CPU for them against librelp's client", ratios["CPU time of the client", "the sink relp"], 1)


STAGES = {"copy": "memcpy", "lines": "framing", "members": "and members", "redact": "and redaction",
          "chain": "and the chain", "all": "and sealed blocks"}


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
    commands = {"memcpy": [program, "copy"], "Lazaret": [program, "all"]}
    if shutil.which("s6-log"):
        commands["s6-log, with stamps"] = ["s6-log", "-b", "n1", "s268435455", "t", str(folder)]  # one file
    else:
        say("  s6-log is not installed, and left out")
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
    if len(found) == 3:
        ratio = statistics.median(found["Lazaret"]) / statistics.median(found["s6-log, with stamps"])
        goal("a log line through a pipe, against s6-log", ratio, 0.5)


MEMORY = pathlib.Path("/dev/shm")  # all of them write to a tmpfs: a disk would only measure itself
SHIP_POLICY = """\
version: 1
name: bench
extends: [builtin/static]
workload: {{user: "10001:10001"}}
filesystem: {{read-exec: [/]}}
shutdown: {{stop-timeout: 60s, flush: 20s}}
spool: {{dir: {folder}/spool, max: 256MiB}}
sinks:
  - {{name: trail, type: file, path: {folder}/trail, classes: [audit, ids, log], required: true}}
"""


def shipped(words):
    """Seconds that a workload and its trail take, until everything is in the sink's file and the chain is closed."""
    folder = MEMORY / f"lazaret-bench-{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "policy.yaml").write_text(SHIP_POLICY.format(folder=folder))
    began = time.monotonic_ns()
    with fence.Run([str(laz.BIN / "lazaret-init"), "--policy", str(folder / "policy.yaml"), "--", *words]) as run:
        code = run.wait(120).code
        took = time.monotonic_ns() - began
        with open(folder / "trail", "rb") as trail:
            records = sum(line.startswith(b'{"lz":1,"ev":"log"') for line in trail)
        if code != 0 or records != int(words[1]):
            raise laz.Failed(f"exit {code}, {records} records: {run.stderr()[-400:]}")
    shutil.rmtree(folder)
    return took


def piped(words, argv, target):
    """Nanoseconds of `words | argv`, to the end of both."""
    began = time.monotonic_ns()
    with open(target, "wb") as out, subprocess.Popen(words, stdout=subprocess.PIPE) as writer:
        subprocess.run(argv, stdin=writer.stdout, stdout=out, check=True)
    took = time.monotonic_ns() - began
    os.unlink(target)
    return took


@bench("ship")
def ship():
    """A workload that logs lines of 128 bytes, into a signed trail in a file by way of an encrypted spool; start and end of the container included."""
    lines = 512 * count(3000, 6)
    folder = MEMORY / f"lazaret-bench-s6-{os.getpid()}"
    goals = {"single": ("a writer of single lines, against cat", "cat > file", 1 / 0.95),
             "in chunks": ("a writer of 64 KiB, against s6-log", "s6-log, with stamps", 0.5)}
    for what, per_write in (("single", "1"), ("in chunks", "512")):
        words = [small("writer"), str(lines), per_write]
        found = {"cat > file": [], "s6-log, with stamps": [], "Lazaret": []}
        for _ in range(count(5, 1)):
            found["cat > file"].append(piped(words, ["cat"], MEMORY / f"lazaret-bench-cat-{os.getpid()}"))
            found["s6-log, with stamps"].append(
                piped(words, ["s6-log", "-b", "n1", "s268435455", "t", str(folder)], fence.scratch() / "s6"))
            shutil.rmtree(folder)
            found["Lazaret"].append(shipped(words))
        say(f"  {what}, time of a line:")
        for name, values in found.items():
            show(name, [v / lines for v in values], "ns", [v / lines for v in found["cat > file"]])
        title, against, most = goals[what]
        goal(title, statistics.median(found["Lazaret"]) / statistics.median(found[against]), most)


# --- main ---------------------------------------------------------------------------------------------


def machine():
    with open("/proc/loadavg") as load:
        average = load.read().split()[0]
    kernel = re.match(r"\d+\.\d+", os.uname().release)[0]
    return f"{os.cpu_count()} CPUs, Linux {kernel}, load {average}"


def write_page(sections):
    """docs/reference/numbers.md from what was just printed."""
    goals = [f"| {name} | {value:.2f} {unit} | {limit:g} {unit} | {'yes' if met else '**no**'} |"
             for name, value, limit, unit, met in rows]
    missed = [f"- *{name}*: {WHY.get(name, 'cause not known')}" for name, _, _, _, met in rows if not met]
    parts = [f"### {name}\n\n{benches[name].__doc__.splitlines()[0]}\n\n" + "\n".join("    " + x for x in lines)
             for name, lines in sections.items()]
    PAGE.write_text(f"""<!-- SPDX-License-Identifier: Apache-2.0 -->
<!-- written by tests/bench/run.py --page; do not edit -->
# Numbers

Measured with `tests/bench/run.py --page` on {machine()}, Lazaret and its peers (Debian's packages, unchanged) in turn
within one run. Ratios and medians are the result; absolute times belong to that machine and that hour. In brackets:
the 10th and the 90th percentile.

## Goals

| what | measured | at most | met |
|---|---|---|---|
{chr(10).join(goals)}

What is missed, and why:

{chr(10).join(missed) or "- nothing"}

## All of it

{chr(10).join(part + chr(10) for part in parts)}""", encoding="utf-8")


def main():
    if "--list" in sys.argv:
        for name, function in benches.items():
            print(f"{name:10s} {function.__doc__.splitlines()[0]}")
        return 0
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")] or list(benches)
    missing = [init.name for init in [adapters.LAZARET, *adapters.PEERS.values()] if not init.installed()]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}")
    say(f"{machine()}{' (smoke: the numbers mean nothing)' if SMOKE else ''}")
    failed = 0
    sections = {}
    for name in wanted:
        say(f"{name}: {benches[name].__doc__.splitlines()[0]}")
        first = len(said)
        try:
            benches[name]()
            sections[name] = said[first:]
        except (laz.Failed, KeyError, ValueError, OSError, subprocess.SubprocessError) as why:
            failed += 1
            say(f"  FAIL {name}: {why}")
    if not SMOKE:
        say("\nGoals:")
        for name, value, limit, unit, met in rows:
            say(f"  {'met   ' if met else 'MISSED'} {name}: {value:.2f} {unit} (at most {limit:g} {unit})")
    if "--page" in sys.argv and not failed and not SMOKE and wanted == list(benches):
        write_page(sections)
    say(f"bench: {len(wanted) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
