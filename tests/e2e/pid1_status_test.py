# SPDX-License-Identifier: Apache-2.0
"""The exit status: the workload's own, whatever it is, whatever else ends in the same tick.

Rows C5, C17 to C19 and C21 of docs/reference/pid1-contract.md. A status that is lost or invented tells the
platform that a failed task succeeded.
"""
import os
import signal

import adapters
import fence
import laz
import scenarios
from adapters import both, sample
from fence import KILL, TERM

INIT = adapters.subject()
HARMLESS = (17, 18, 19, 20, 21, 22, 23, 28, 32, 33)


def ends_with(mode, words, expected, what, **rest):
    with INIT.start(words, mode, **rest) as run:
        laz.check_equal(str(run.wait()), expected, what)


@both("each exit code stays what it is")
def exit_codes(mode):
    for code in sample(range(256), 24):
        ends_with(mode, [f"exit={code}"], f"exit {code}", f"exit({code})")


@both("a workload that dies of signal n ends as 128+n")
def deaths(mode):
    for number in sample([n for n in range(1, 65) if n not in HARMLESS], 20):
        ends_with(mode, [f"die={number}"], f"exit {128 + number}", f"death by signal {number}")


@both("the exit record says status, signal, who asked and how long it ran")
def exit_record(mode):
    if not INIT.enforces:
        laz.skip("only Lazaret writes records")
    with INIT.start(["until=15", "exit=7"], mode) as run:
        run.expect("listening")
        run.kill(TERM)
        run.wait()
        records = adapters.events(run)
        names = [e["ev"] for e in records]
        for wanted in ("init.start", "proc.exit", "init.stop"):
            laz.check(wanted in names, f"no {wanted} in {names}")
        first = records[0]["seq"]
        laz.check_equal([e["seq"] for e in records], list(range(first, first + len(records))), "seq")
        laz.check_equal(adapters.events(run, "proc.exit")[0]["d"]["status"], 7, "status in proc.exit")
        laz.check_equal(adapters.events(run, "init.stop")[0]["d"]["exit"], 7, "exit in init.stop")


@both("proc.exit: an end by the requested stop is ordinary life; by the same signal unasked, another one or SIGKILL not")
def exit_severity(mode):
    if not INIT.enforces:
        laz.skip("only Lazaret writes records")
    mapped = {"signals": {"map": {"TERM": "QUIT"}}}
    short = {"shutdown": {"grace": "200ms", "drain": "100ms"}}
    rows = [("TERM, requested", ["say=up", "pause"], None, [TERM], ("killed", 15, 1)),
            ("TERM as QUIT, requested", ["say=up", "pause"], mapped, [TERM], ("killed", 3, 1)),
            ("TERM, by itself", ["say=up", "die=15"], None, [], ("killed", 15, 5)),
            ("SEGV, by itself", ["say=up", "die=11"], None, [], ("killed", 11, 5)),
            ("USR1, from outside", ["say=up", "pause"], None, [fence.USR1], ("killed", 10, 5)),
            ("TERM ignored, then KILL", ["ignore=15", "say=up", "pause"], short, [TERM], ("killed", 9, 5))]
    for what, words, policy, signals, expected in rows:
        with INIT.start(words, mode, policy=policy) as run:
            run.expect("say")
            for number in signals:
                run.kill(number)
            run.wait()
            record = adapters.events(run, "proc.exit")[0]
            laz.check_equal((record["act"], record["d"]["signal"], record["sev"]), expected, what)


@both("proc.exit says whether there was a core, and the code is 128 and the signal in any case")
def core_flag(mode):
    if not INIT.enforces:
        laz.skip("only Lazaret writes records")
    folder = fence.scratch() / f"core-{mode}"
    folder.mkdir()
    folder.chmod(0o777)
    for size, dumped in (("1MiB", True), (0, False)):
        policy = {"limits": {"core-size": size}, "workload": {"cwd": str(folder)}}
        with INIT.start([f"kill=self,{int(signal.SIGABRT)}", "sleep=3000"], mode, policy=policy) as run:
            laz.check_equal(str(run.wait()), f"exit {128 + signal.SIGABRT}", "status")
            said = adapters.events(run, "proc.exit")[0]["d"]
            laz.check_equal((said["signal"], said["core"]), (int(signal.SIGABRT), dumped), f"core of at most {size}")


MAP = {"exit": {"map": [{"from": 143, "to": 0, "only-if": "stop-requested"}, {"from": 9, "to": 90}]}}


@both("exit.map: 143 becomes 0 only if a stop was asked for")
def exit_map(mode):
    if not INIT.enforces:
        laz.skip("only Lazaret maps exit codes")
    ends_with(mode, ["exit=9"], "exit 90", "an unconditional entry", policy=MAP)
    ends_with(mode, ["die=15"], "exit 143", "143 that nobody asked for", policy=MAP)
    with INIT.start(["say=up", "pause"], mode, policy=MAP) as run:
        run.expect("say")
        run.kill(TERM)
        laz.check_equal(str(run.wait()), "exit 0", "143 after a stop")


@both("exit.map does not hide that SIGKILL was needed")
def exit_map_forced(mode):
    if not INIT.enforces:
        laz.skip("only Lazaret maps exit codes")
    policy = {"exit": {"map": [{"from": 137, "to": 0}]}, "shutdown": {"grace": "200ms", "drain": "100ms"}}
    with INIT.start(["until=10"], mode, policy=policy) as run:
        run.expect("listening")
        run.kill(TERM)
        laz.check_equal(str(run.wait()), "exit 137", "forced stop")


def file_with(name, text, mode=0o755):
    path = fence.scratch() / name
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def loop_of_links():
    path = fence.scratch() / "loop"
    if not path.is_symlink():
        path.symlink_to("loop")
    return str(path)


def exec_errors():
    """(what, argv, expected code): 127 for what is not there, 126 for what is there and does not run."""
    folder = fence.scratch() / "folder"
    folder.mkdir(exist_ok=True)
    return [
        ("missing path", ["/no/such/program"], 127),
        ("missing name", ["no-such-program-anywhere"], 127),
        ("not executable", [file_with("closed", "#!/bin/true\n", 0o644)], 126),
        ("directory", [str(folder)], 126),
        ("no format", [file_with("plain", "no program\n")], 126),
        ("loop of links", [loop_of_links()], 126),
        ("interpreter missing", [file_with("dangling", "#!/no/such/shell\n")], 127),
        ("component is no directory", ["/bin/true/x"], 126),
        ("name too long", ["/" + "x" * 300], 126),
        ("empty", [""], 127),
    ]


@both("what cannot be executed ends as 126 or 127 and says which file")
def exec_failures(mode):
    wrong = []
    for what, argv, code in exec_errors():
        with INIT.start(app=argv, mode=mode) as run:
            ended = str(run.wait())
            if ended != f"exit {code}":
                wrong.append(f"{what}: {ended} instead of {code} ({run.stderr()[-200:]!r})")
            elif not run.stderr().strip() and not adapters.events(run):
                wrong.append(f"{what}: nothing was said")
    laz.check(not wrong, "; ".join(wrong))


@both("arguments that are too big for the workload's limits end as 126")
def exec_too_big(mode):
    """The stack limit bounds the arguments; init's own exec has room, the workload's has not."""
    if not INIT.enforces:
        laz.skip("a peer sets no limits, so what fits for it fits for the workload")
    words = ["x" * 1000] * 400
    policy = {"limits": {"stack-size": "512KiB"}}
    with INIT.start(app=["/bin/true", *words], mode=mode, policy=policy) as run:
        laz.check_equal(str(run.wait()), "exit 126", f"E2BIG ({run.stderr()[-200:]!r})")


@both("a busy program file ends as 126")
def exec_busy(mode):
    path = fence.scratch() / f"busy-{mode}"
    path.write_bytes(open(fence.tool("probe"), "rb").read())
    path.chmod(0o755)
    with open(path, "r+b"):
        with INIT.start(app=[str(path)], mode=mode) as run:
            laz.check_equal(str(run.wait()), "exit 126", "ETXTBSY")


@both("PATH is searched: an empty element is the working directory, and a hit that cannot run is not the end")
def exec_path(mode):
    name, top = "laz-path-probe", fence.scratch() / "path"
    (top / "good").mkdir(parents=True, exist_ok=True)
    (top / "folder" / name).mkdir(parents=True, exist_ok=True)
    (top / "closed").mkdir(exist_ok=True)
    for where, rights in (("good", 0o755), ("closed", 0o644)):
        (top / where / name).write_text("#!/bin/sh\nexit 3\n")
        (top / where / name).chmod(rights)
    policy = {"workload": {"env": {"pass": ["PATH"]}, "exec-budget": 4, "cwd": str(top / "good")}}
    shell = "/bin:/usr/bin"
    rows = [(f"{top}/closed:{top}/good:{shell}", 3), (f"{top}/folder:{top}/good:{shell}", 3),
            (f"{top}/none:{top}/good:{shell}", 3), (f"{top}/closed", 126), (f"{top}/folder", 126), (f"{top}/none", 127)]
    if INIT.enforces:  # a peer stays where the engine has started it
        rows += [(f":{shell}", 3), (f"{shell}:", 3), (f"../closed:../good:{shell}", 3), (f"{top}/none::{shell}", 3)]
    for path, code in rows:
        with INIT.start(app=[name], mode=mode, env={"PATH": path}, policy=policy) as run:
            laz.check_equal(str(run.wait()), f"exit {code}", f"PATH={path} ({run.stderr()[-200:]!r})")


@both("a deleted working directory does not stop the start")
def cwd_deleted(mode):
    start = fence.scratch() / f"deleted-{mode}"
    start.mkdir()
    ends_with(mode, ["exit=7"], "exit 7", "deleted cwd", conditions=[f"cwd={start}", "cwd-deleted"])


@both("a storm of orphans in the tick of main's end does not touch its status")
def coalescing(mode):
    for count in (1, 300, 20000 if laz.LONG else 3000):
        with INIT.start([f"zombies={count}", "exit=42"], mode) as run:
            laz.check_equal(str(run.wait(60)), "exit 42", f"{count} zombies")


@both("an orphan that ends with main at any small distance does not touch its status")
def coalescing_swept(mode):
    for i in range(5000 if laz.LONG else 60):
        words = ["orphans=2", f"stray=double:{i % 7}", f"spin={i % 3}", "exit=42"]
        with INIT.start(words, mode, policy={"shutdown": {"drain": "300ms"}}) as run:
            laz.check_equal(str(run.wait()), "exit 42", f"sweep {i}")


@both("a workload that ends at once is not missed")
def quick_end(mode):
    for i in range(300 if laz.LONG else 30):
        ends_with(mode, ["exit=7"], "exit 7", f"run {i}")


@both("SIGKILL from outside ends as 137")
def killed(mode):
    with INIT.start(["say=up", "pause"], mode) as run:
        run.expect("say")
        os.kill(run.children()[0], KILL)
        laz.check_equal(str(run.wait()), "exit 137", "workload killed")


@both("a stopped and continued workload is not taken for one that ended")
def stopped_workload(mode):
    laz.check_equal(scenarios.stopped_workload(INIT, mode), "waited for", "stop and continue")


if __name__ == "__main__":
    laz.main()
