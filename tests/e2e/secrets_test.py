# SPDX-License-Identifier: Apache-2.0
"""What the container was given is not to be had from PID 1, not even by its own uid, and looking at PID 1
from outside does not upset it.

What pid1_secrecy does not look at: values that are not passed on, the start
from YAML, the workload itself as the thief with a filter that would let it, and stops from outside.
"""
import ctypes
import os
import random
import select
import subprocess
import time

import adapters
import fence
import laz
from inject import harness
from inject.harness import Scenario

MARKER = "laz-planted-7c1e05d2"
PASSED = "laz-passed-on-51b3f8aa"
ENVIRONMENT = {**fence.ENVIRONMENT, "DATABASE_PASSWORD": MARKER, "AWS_CONTAINER_AUTHORIZATION_TOKEN": MARKER + "-2",
               "LAZARET_EVENTS": "/dev/null", "GREETING": PASSED}
SEED = 20
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
PTRACE_CONT, PTRACE_ATTACH, PTRACE_DETACH, WALL = 7, 16, 17, 0x40000000


def policy(**changes):
    base = {
        "name": "secrets",
        "requires": {"landlock": "disabled"},
        "workload": {"cwd": "/", "env": {"pass": ["PATH", "GREETING"]}},
        "syscalls": {"allow": ["prctl"]},
        "shutdown": {"grace": "2s", "drain": "200ms"},
    }
    return adapters.merged(base, changes)


OPEN_FILTER = policy(syscalls={"allow": ["prctl", "ptrace", "process_vm_readv", "pidfd_open", "pidfd_getfd", "kcmp"]})


def scenarios(words, conditions=(), changed=None):
    for mode in adapters.MODES:
        for source in (False, True):
            label = ("PID 1" if mode == "pid1" else "not PID 1") + (", from YAML" if source else "")
            yield Scenario(label, mode, list(conditions), changed or policy(), source, words)


class Started:
    """An init that runs its workload, with the planted environment."""

    def __init__(self, scenario):
        self.run = harness.held(scenario, ENVIRONMENT)
        self.text, self.out = b"", self.run.process.stdout
        os.set_blocking(self.out.fileno(), False)
        self.run.go()

    def __enter__(self):
        self.run.__enter__()
        return self

    def __exit__(self, *details):
        self.run.__exit__(*details)
        self.out.close()

    def line(self, number=0, timeout=10.0):
        """The n-th line that the workload wrote."""
        end = time.monotonic() + timeout
        while self.text.count(b"\n") <= number:
            left = end - time.monotonic()
            laz.check(left > 0, f"no line {number} from the workload: {self.text[-200:]} {self.run.stderr()}")
            select.select([self.out], [], [], left)
            self.text += self.out.read() or b""
        return self.text.split(b"\n")[number].decode()

    def workload(self):
        return next(p for p in self.run.children() if fence.comm(p) == "confined")


def places(pid):
    """Name and content of everything that root outside can see of a process."""
    yield from fence.memory(pid)
    for name in ("environ", "cmdline", "auxv", "comm"):
        with open(f"/proc/{pid}/{name}", "rb") as file:
            yield name, file.read()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        target = os.readlink(f"/proc/{pid}/fd/{fd}")
        yield f"fd {fd}", target.encode()
        if target.startswith(("/memfd:", "/")) and not target.startswith("/dev/"):
            with open(f"/proc/{pid}/fd/{fd}", "rb") as file:
                yield f"content of fd {fd}", file.read()


def holding(pid, marker):
    return [name for name, content in places(pid) if marker.encode() in content]


def planted(scenario):
    with Started(scenario) as started:
        started.line()
        workload = started.workload()
        laz.check(holding(workload, PASSED), "the workload lacks what was passed on: the search shows nothing")
        laz.check_equal(holding(workload, MARKER), [], "the workload got what was not passed on, in")
        for marker in (MARKER, PASSED):
            laz.check_equal(holding(started.run.pid, marker), [], f"{marker} is still in the init, in")
        others = [p for p in started.run.inhabitants() if fence.comm(p) not in ("fence", "confined", "lazaret-init")]
        laz.check_equal([fence.comm(p) for p in others], [], "somebody else is left who could hold it")
        started.run.kill(fence.TERM)
        laz.check_equal(str(started.run.wait()), f"exit {harness.WORKLOAD_CODE}", "the end")
        laz.check(MARKER not in started.run.stderr() + started.run.events_path.read_text(), "it was printed")


for each in scenarios(["term"]):
    laz.case(f"what the container was given is nowhere in init, and what was not passed on nowhere [{each.name}]")(
        lambda s=each: planted(s))


@laz.case("a start that fails prints none of it")
def refused_start():
    """A start that fails must not say what it was given."""
    with Started(Scenario("", "pid1", [], policy(workload={"cwd": "/nowhere"}), False, ["term"])) as started:
        laz.check_equal(started.run.wait().code, 102, "exit code of a start without its directory")
        laz.check(MARKER not in started.run.stderr() + started.run.events_path.read_text(), "it was printed")


def bare():
    """The control: a program in the init's place that keeps its environment."""
    process = subprocess.Popen([harness.tool("confined"), harness.forbidden(), "term"], env=ENVIRONMENT,
                               stdout=subprocess.PIPE)
    process.stdout.readline()
    found = holding(process.pid, MARKER)
    process.kill()
    process.communicate()
    laz.check("environ" in found and any(f.startswith("memory") for f in found), f"found only in {found}")


laz.case("control: the search finds the same values in a program that keeps them")(bare)


# --- the workload as the thief ------------------------------------------------------------------------------


def pried(scenario):
    """With a filter that allows all of it: what refuses is that init is not dumpable, or another's."""
    with Started(scenario) as started:
        target = int(started.run.status()["NSpid"].split()[-1])
        laz.check_equal(str(target), scenario.words[1], "init's number")
        got = harness.parsed(started.line(1))
        readable = sorted(name for name, answer in got.items() if answer == 0)
        laz.check_equal(readable, [], "what the workload can read of init")


# Init is number 4 of the fence where it is not PID 1: after the fence itself and two bystanders.
for mode, words in (("pid1", ["pry", "1", "term"]), ("nested", ["pry", "4", "term"])):
    for whose, conditions in (("of another user", []), ("of its user", [f"uid={adapters.WORKLOAD_UID}"])):
        label = ("PID 1, " if mode == "pid1" else "not PID 1, ") + whose
        laz.case(f"the workload can read nothing of init, whatever its filter allows [{label}]")(
            lambda s=Scenario(label, mode, conditions, OPEN_FILTER, False, words): pried(s))


@laz.case("control: the same looks at the workload's own state succeed")
def pry_control():
    """The same calls on a process of the same uid that may be looked at."""
    with Started(Scenario("", "pid1", [f"uid={adapters.WORKLOAD_UID}"], OPEN_FILTER, False,
                          ["pry", "2", "term"])) as started:
        got = harness.parsed(started.line(1))
        allowed = {"environ", "maps", "auxv", "root", "cwd", "exe", "fd", "mem", "process_vm_readv", "pidfd_getfd"}
        laz.check(all(got[name] == 0 for name in allowed), f"its own state is closed to the workload: {got}")


# --- looked at from outside -----------------------------------------------------------------------------------


def attach_and_leave(pid):
    """What a debugger does: attach, wait for the stop, leave."""
    laz.check(_libc.ptrace(PTRACE_ATTACH, pid, None, None) == 0, "attach")
    number = 0
    while number != fence.STOP:  # the exec of init may come first, as a SIGTRAP
        laz.check(number == 0 or _libc.ptrace(PTRACE_CONT, pid, None, None) == 0, "continue")
        number = os.WSTOPSIG(os.waitpid(pid, WALL)[1])
    laz.check(_libc.ptrace(PTRACE_DETACH, pid, None, None) == 0, "detach")


def stop_and_go(pid, seconds):
    os.kill(pid, fence.STOP)
    time.sleep(seconds)
    os.kill(pid, fence.CONT)


def disturbed_start(mode):
    """Stopped, or attached to, at moments of its start and just after it."""
    chance = random.Random(SEED)
    for i in range(200 if laz.LONG else 30):
        scenario = Scenario("", mode, [], policy(), False, ["work", "term"])
        with Started(scenario) as started:
            time.sleep(chance.uniform(0, 0.004))
            if i % 2:
                stop_and_go(started.run.pid, 0.005)
            else:
                attach_and_leave(started.run.pid)
            started.line()
            started.run.kill(fence.TERM)
            laz.check_equal(str(started.run.wait()), f"exit {harness.WORKLOAD_CODE}", f"run {i}")


def disturbed_life(mode):
    with Started(Scenario("", mode, [], policy(), False, ["work", "term"])) as started:
        started.line()
        for _ in range(20):
            attach_and_leave(started.run.pid)
            stop_and_go(started.run.pid, 0.002)
        laz.check(not started.run.has_ended(0.05), "it ended of being looked at")
        os.kill(started.run.pid, fence.STOP)
        started.run.kill(fence.TERM)
        laz.check(not started.run.has_ended(0.1), "a stopped init handled a signal")
        os.kill(started.run.pid, fence.CONT)
        laz.check_equal(str(started.run.wait()), f"exit {harness.WORKLOAD_CODE}", "the stop request came while stopped")


def ends_meanwhile(mode):
    with Started(Scenario("", mode, [], policy(), False, ["term"])) as started:
        started.line()
        workload = started.workload()
        os.kill(started.run.pid, fence.STOP)
        os.kill(workload, fence.TERM)
        end = time.monotonic() + 5
        while fence.state(workload) != "Z" and time.monotonic() < end:
            time.sleep(0.005)
        laz.check_equal(fence.state(workload), "Z", "the workload's state while init is stopped")
        os.kill(started.run.pid, fence.CONT)
        laz.check_equal(str(started.run.wait()), f"exit {harness.WORKLOAD_CODE}", "the code of that workload")


for mode in adapters.MODES:
    label = "PID 1" if mode == "pid1" else "not PID 1"
    laz.case(f"stopped or attached to while it starts, it starts all the same [{label}]")(
        lambda m=mode: disturbed_start(m))
    laz.case(f"stopped and attached to while it supervises, it forgets nothing [{label}]")(
        lambda m=mode: disturbed_life(m))
    laz.case(f"a workload that ends while init is stopped keeps its code [{label}]")(lambda m=mode: ends_meanwhile(m))


if __name__ == "__main__":
    laz.main()
