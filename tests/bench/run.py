# SPDX-License-Identifier: Apache-2.0
"""Measures Lazaret beside its peers, all in one run and in turn, and prints ratios beside their goals.

    tests/bench/run.py [--smoke] [--page] [NAME...]      names: see --list

Absolute times are for scale; the ratios are the result. A goal that is missed is printed as missed. --smoke
runs tiny counts and only checks that every bench gives its numbers: nothing is judged by time in CI. --page
writes what was measured into docs/reference/numbers.md, which nobody edits by hand; what was not measured stays
as it is there, and each part says how loaded the machine was.
Everything runs inside a fence (tests/e2e/fence.py). LAZARET_BIN names the build, as for the suites.
"""
import os
import statistics
import subprocess
import sys
import time

import harness
import page
from harness import HERE, SMOKE, bench, count, goal, payload, say, show, small, timer

import adapters
import fence
import laz
import sinks_peers

LIST = HERE / "docker-default.txt"
# builtin/web-api with everything on that the kernel has; one refused call answers without an event.
POLICY = {"requires": {"landlock": "preferred"}, "limits": {"processes": 60000}, "events": {"quiet": ["add_key"]},
          "filesystem": {"read-exec": ["/"], "write": [str(fence.scratch())]}}


# --- programs -----------------------------------------------------------------------------------------


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


def in_turn(measure, rounds, commands, timeout=900):
    """{name: [value of each round]} of timer.c's rounds over several inits."""
    argv = [timer(), measure, str(rounds), "--"]
    for i, one in enumerate(commands.values()):
        argv += (["//"] if i else []) + one
    table = payload(argv, timeout)
    return {name: [row[i] for row in table] for i, name in enumerate(commands)}


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
    """`lazaret verify` over a trail of events, beside sha256sum over the same bytes: processor time."""
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
            process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = status
            laz.check_equal(status, 0, name)
            found[name].append((used.ru_utime + used.ru_stime) * 1e9)
    for name in commands:
        show(name, found[name], "ms", found["sha256sum"], 1e6)
    say(f"  {events} records of {os.path.getsize(trail) / events:.0f} bytes, "
        f"{events / statistics.median(found['lazaret verify']) * 1e3:.2f} million a second")
    goal("a record verified", statistics.median(found["lazaret verify"]) / events, 1000, "ns")


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


import fetching  # noqa: E402, F401  behind those above, and so in the page
import health  # noqa: E402, F401
import logs  # noqa: E402, F401
import quiet  # noqa: E402, F401
import rest  # noqa: E402, F401
import shimming  # noqa: E402, F401
import tunnels  # noqa: E402, F401


# --- main ---------------------------------------------------------------------------------------------


def main():
    benches = harness.benches
    if "--list" in sys.argv:
        for name, function in benches.items():
            print(f"{name:10s} {function.__doc__.splitlines()[0]}")
        return 0
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")] or list(benches)
    missing = [init.name for init in [adapters.LAZARET, *adapters.PEERS.values()] if not init.installed()]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}")
    say(f"{page.machine()}{' (smoke: the numbers mean nothing)' if SMOKE else ''}")
    failed = 0
    sections = {}
    for name in wanted:
        say(f"{name}: {benches[name].__doc__.splitlines()[0]}")
        first = len(harness.said)
        load = page.load()
        try:
            benches[name]()
            sections[name] = [page.conditions(load), *harness.said[first:]]
        except (laz.Failed, laz.Skip, KeyError, ValueError, OSError, subprocess.SubprocessError) as why:
            failed += 1
            say(f"  FAIL {name}: {why}")
    if not SMOKE:
        say("\nGoals:")
        for name, value, limit, unit, met in harness.rows:
            say(f"  {'met   ' if met else 'MISSED'} {name}: {value:.2f} {unit} (at most {limit:.4g} {unit})")
    if "--page" in sys.argv and not failed and not SMOKE:
        page.write(sections)
    say(f"bench: {len(wanted) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
