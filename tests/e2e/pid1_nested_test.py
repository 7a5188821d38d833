# SPDX-License-Identifier: Apache-2.0
"""Not PID 1: under other inits, under itself, in a PID namespace that others share.

Rows C14 and C25 of docs/reference/pid1-contract.md. Every run of every suite has bystanders that fail it when
they hear a signal; here they are what is tested. The first case shows that they can hear.
"""
import os
import time

import adapters
import fence
import laz
from fence import CONT, HUP, TERM, USR1

INIT = adapters.subject()
ABOVE = ("nested", "under-tini", "under-catatonit", "under-self")


def inner(run):
    """Host pid of the init under test: the child of the one above, or the run's own."""
    name = os.path.basename(INIT.base[0])
    found = [p for p in run.inhabitants() if fence.comm(p) == name[:15]]
    return max(found) if found else run.pid


def caught(words, **rest):
    """Run the bare probe beside the bystanders, and say what they heard."""
    run = adapters.BARE.start(words, "nested", **rest)
    run.wait()
    run.seen("nothing", settle=0.1)
    run.close(quiet=True)
    return sorted({(m["name"], m["sig"]) for m in run.bystander})


@laz.case("control: a bystander hears a broadcast, a signal to its group, and SIGKILL")
def bystanders_hear():
    heard = caught([f"block={int(TERM)}", f"kill=-1,{int(TERM)}", "exit=0"])
    laz.check_equal(heard, [("neighbour", 15), ("stranger", 15)], "kill(-1, TERM)")
    heard = caught([f"block={int(HUP)}", f"kill=0,{int(HUP)}", "exit=0"])
    laz.check_equal(heard, [("neighbour", 1)], "kill(0, HUP)")
    heard = caught(["kill=-1,9", "exit=0"])
    laz.check_equal([sig for _, sig in heard], [9, 9], "kill(-1, KILL)")


def each_above(name):
    """Register a case once for each thing that can be above the init."""

    def register(function):
        for mode in ABOVE:
            laz.case(f"{name} [{mode}]")(lambda mode=mode: function(mode))
        return function

    return register


@each_above("the status comes through")
def status(mode):
    for word, expected in (("exit=7", "exit 7"), ("die=9", "exit 137"), ("exit=0", "exit 0")):
        with INIT.start([word], mode) as run:
            laz.check_equal(str(run.wait()), expected, word)


@each_above("signals come through")
def signals(mode):
    with INIT.start(["until=15", "exit=7"], mode) as run:
        run.expect("listening")
        for number in (HUP, USR1, 40):
            run.kill(number)
            run.expect("signal", sig=int(number))
        run.kill(TERM)
        laz.check_equal(str(run.wait()), "exit 7", "status after TERM")


@each_above("strays are told, drained and gone; nobody else hears anything")
def strays(mode):
    if not INIT.enforces:
        laz.skip("no peer drains")
    words = ["stray=group:50", "stray=newgroup:50", "stray=double:50", "stray=session:deaf", "sleep=60", "exit=5"]
    with INIT.start(words, mode, policy={"shutdown": {"drain": "300ms"}}) as run:
        for _ in range(4):
            run.expect("stray")
        laz.check_equal(str(run.wait()), "exit 5", "status")
        heard = {x["name"] for x in run.seen("signal", sig=15)}
        laz.check_equal(heard, {"stray-group", "stray-newgroup", "stray-double", "stray-session"}, "who was told")
        end = time.monotonic() + fence.PATIENCE
        while run.leftovers() and time.monotonic() < end:
            time.sleep(0.02)
        laz.check_equal(run.leftovers(), [], "processes that are left")


@each_above("orphans are reaped by init, not left to whoever is above")
def orphans(mode):
    if not INIT.enforces:
        laz.skip("of the peers only catatonit is a subreaper unasked")
    with INIT.start(["stray=double:0", "orphans=5", "until=10"], mode) as run:
        run.expect("stray")
        run.expect("listening")
        zombies, end = [], time.monotonic() + fence.PATIENCE
        while time.monotonic() < end:
            zombies = [p for p in run.inhabitants() if fence.state(p) == "Z"]
            if not zombies and len(run.children(inner(run))) == 2:
                break
            time.sleep(0.02)
        laz.check_equal(len(run.children(inner(run))), 2, "children of init: the workload and the orphan")
        laz.check_equal(zombies, [], "zombies")


@each_above("the grace ends in SIGKILL here too")
def grace(mode):
    if not INIT.enforces:
        laz.skip("no peer has a grace")
    with INIT.start(["for=60000"], mode, policy={"shutdown": {"grace": "300ms", "drain": "100ms"}}) as run:
        run.expect("listening")
        run.kill(TERM)
        laz.check_equal(str(run.wait()), "exit 137", "deaf workload")
        laz.check_equal(run.leftovers(), [], "processes that are left")


@laz.case("in a shared PID namespace a sibling cannot stop it, the parent can")
def sibling():
    """A namespace that others share: a process of the same namespace, neither parent nor child."""
    if not INIT.enforces:
        laz.skip("only Lazaret tells senders apart")
    with INIT.start(["until=10"], "nested") as run:
        run.expect("listening")
        target = int(run.status()["NSpid"].split()[-1])
        run.inject([f"kill={target},{int(TERM)}"])
        laz.check(not run.has_ended(0.3), "a sibling stopped it")
        run.parent_kill(TERM)
        run.expect("signal", sig=15)


def parent_gone():
    """The one above dies without a word; init must not be left running a workload that nobody watches."""
    if not INIT.enforces:
        laz.skip("tini needs -p for that")
    with INIT.start(["until=10"], "under-tini") as run:
        run.expect("listening")
        own = inner(run)
        os.kill(run.pid, 9)
        run.wait()
        run.seen("nothing", settle=0.3)
        state = fence.state(own)
        laz.check(state != "T", f"init is {state}")
        # It may go on, adopted, or end; it must stay able to stop.
        if state not in "XZ":
            os.kill(own, TERM)
            run.expect("signal", sig=15)


laz.case("when the init above is killed, this one can still be stopped")(parent_gone)


@laz.case("under itself, the workload sees nothing of either")
def environment_is_clean():
    """Twice itself: variables and descriptors of the outer one do not reach the inner one's workload."""
    if not INIT.enforces:
        laz.skip("peers pass on what they get")
    with INIT.start(["state", "exit=0"], "under-self", conditions=["extra-fd=9"]) as run:
        state = run.expect("state")
        laz.check_equal([e for e in state["env"] if e.startswith("LAZARET")], [], "variables")
        laz.check_equal([fd for fd in state["fds"] if fd != 10], [0, 1, 2], "descriptors")


@laz.case("--enter is refused by name as PID 1, and as a child of PID 1: nobody is served twice, or not at all")
def entering():
    image = adapters.Lazaret.image(adapters.Lazaret.policy())
    for mode, text in (("pid1", "this is process 1"), ("nested", "this is a child of process 1")):
        for words, code in ((["--enter"], 101), ([], 0)):
            with fence.Run([str(laz.BIN / "lazaret-init"), *words, "--policy", image, "--", "/bin/true"], mode) as run:
                laz.check_equal(run.wait().code, code, f"{mode} {words}: {run.stderr()}")
                laz.check_equal(f"bad-option: --enter: {text}" in run.stderr(), bool(words), f"{mode} {words}: {run.stderr()}")


def frozen_above():
    """STOP and CONT of the one above reach nobody else."""
    with INIT.start(["until=10"], "under-tini") as run:
        run.expect("listening")
        run.kill(fence.STOP)
        run.kill(CONT)
        run.kill(USR1)
        run.expect("signal", sig=10)


laz.case("stopping and continuing the init above changes nothing")(frozen_above)


if __name__ == "__main__":
    laz.main()
