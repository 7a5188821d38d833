# SPDX-License-Identifier: Apache-2.0
"""PID 1 keeps nothing worth reading, and nobody of the workload's uid can read it; idle, it does nothing.

Rows C27 and C30 of docs/reference/pid1-contract.md. Markers are planted in the environment and looked
for in everything that the kernel shows of the process, as root and from outside.
"""
import fcntl
import os

import adapters
import fence
import laz
import scenarios
import ship_world
from adapters import both

INIT = adapters.subject()
MARKER = "laz-marker-0d9f6c1e"


def memory(pid):
    """All readable memory of a process, as root sees it."""
    out = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            span, rights = line.split()[:2]
            if "r" not in rights or "[vvar" in line or "[vsyscall]" in line:
                continue
            start, end = (int(x, 16) for x in span.split("-"))
            try:
                mem.seek(start)
                out.append(mem.read(end - start))
            except OSError:
                pass
    return b"".join(out)


def everything(pid):
    """Name and content of each place where a secret could stay."""
    yield "memory", memory(pid)
    for name in ("environ", "cmdline", "auxv"):
        with open(f"/proc/{pid}/{name}", "rb") as text:
            yield name, text.read()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        yield f"fd {fd}", os.readlink(f"/proc/{pid}/fd/{fd}").encode()


def found_in(init, mode):
    env = {**fence.ENVIRONMENT, "DATABASE_PASSWORD": MARKER, "AWS_SECRET": MARKER + "x"}
    policy = {"workload": {"env": {"pass": ["PATH", "DATABASE_PASSWORD"]}}}
    with init.start(["state", "until=15"], mode, env=env, policy=policy) as run:
        state = run.expect("state")
        laz.check(f"DATABASE_PASSWORD={MARKER}" in state["env"], "the workload lacks what was passed on")
        run.expect("listening")
        return [name for name, content in everything(run.pid) if MARKER.encode() in content]


@both("a secret of the environment is nowhere in init, once the workload runs")
def markers(mode):
    laz.check_equal(found_in(INIT, mode), [], "places that hold the marker")


@laz.case("control: the same search finds the secret in tini")
def markers_control():
    laz.check("memory" in found_in(adapters.control("tini"), "pid1"), "the search does not find what tini keeps")


@laz.case("the container's stdin is the workload's, and not its helpers'")
def streams_of_helpers():
    world = ship_world.World()
    with world.start("sleep=5000"):
        for pid in (world.ready(), world.pid("launch")):
            laz.check_equal([os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1)], ["/dev/null"] * 2,
                            f"standard input and output of {fence.comm(pid)}")


@both("nobody of init's own uid can look into it")
def pried(mode):
    laz.check_equal(scenarios.pries(INIT, mode), "nothing", "what a process of the same uid can read")


@laz.case("control: tini can be read by its own uid")
def pried_control():
    laz.check("environ" in scenarios.pries(adapters.control("tini"), "pid1"), "tini is not readable either")


@both("neither init nor what it starts dumps core, and after its start init holds few privileges")
def narrowed(mode):
    if not INIT.enforces:
        laz.skip("a peer keeps what it has")
    with INIT.start(["until=15"], mode) as run:
        run.expect("listening")
        status = run.status()
        kept = int(status["CapEff"], 16) | int(status["CapPrm"], 16) | int(status["CapInh"], 16)
        laz.check_equal(kept & ~(1 << 5), 0, f"capabilities beside KILL: {status['CapEff']}")
        laz.check_equal(status["Seccomp"], "2", "a filter of its own")
        laz.check_equal(status["NoNewPrivs"], "1", "no_new_privs")
        for pid in (run.pid, *run.children()):
            with open(f"/proc/{pid}/coredump_filter") as dump:
                laz.check_equal(int(dump.read(), 16), 0, f"what a core of {fence.comm(pid)} would hold")


F_GET_SEALS, ALL_SEALS = 1034, 0xf


@both("the policy that setup has left cannot be changed any more, by nobody")
def sealed(mode):
    if not INIT.enforces:
        laz.skip("a peer has no policy")
    with INIT.start(["until=15"], mode, source=True) as run:
        run.expect("listening")
        with open(f"/proc/{run.pid}/maps") as maps:
            spans = [line.split()[0] for line in maps if "memfd:lazaret-policy" in line]
        laz.check_equal(len(spans), 1, "mappings of the policy")
        span = "-".join(f"{int(address, 16):x}" for address in spans[0].split("-"))
        with open(f"/proc/{run.pid}/map_files/{span}", "rb") as policy:
            laz.check_equal(fcntl.fcntl(policy, F_GET_SEALS), ALL_SEALS, "seals")


@both("idle, init does not wake up")
def idle(mode):
    rate = scenarios.idle_wakeups(INIT, mode, 10.0 if laz.LONG else 2.0)
    laz.check_equal(rate, 0.0, "wake-ups a second")


@laz.case("control: tini wakes up every second")
def idle_control():
    rate = scenarios.idle_wakeups(adapters.control("tini"), "pid1")
    laz.check(rate > 0, "tini does not wake up either")


if __name__ == "__main__":
    laz.main()
