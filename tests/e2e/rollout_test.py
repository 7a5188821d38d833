# SPDX-License-Identifier: Apache-2.0
"""A switch from one colour to the other loses no request, whichever side acts first; and the ways to lose some do.

Each case starts the second colour, puts load on the balancer, lets it take the second one and removes the first one.
The workloads end at once when they get the stop signal, with whatever is under way: it is init that keeps it from them
until the balancer has turned away, and no longer. LAZARET_ROLLOUT_RATE: requests a second.
"""
import functools
import socket
import threading
import time

import laz
import rollout_world as world
from laz import case, check, check_equal

SWITCHES = 10 if laz.LONG else 1  # of each kind; five in each direction
SETTLE_S = 1.0 if laz.LONG else 0.6
LB_GRACE = 15  # seconds, at most: no balancer here takes so long


@functools.cache
def balancer():
    return world.Balancer()


class Scene:
    """Who serves now; where a case ends, the last colour still does."""

    task = None


def other(colour):
    return world.COLOURS[1 - world.COLOURS.index(colour)]


def serving(lb_grace, workload="nginx"):
    """The task that serves, of this kind; a new one where the last case left another."""
    if Scene.task is None or Scene.task.wanted != (lb_grace, workload):
        last = Scene.task
        Scene.task = up("blue" if last is None else other(last.colour), lb_grace, workload)
        if last is not None:
            balancer().deregister(last.colour)
            last.remove()
    return Scene.task


def started(colour, lb_grace, workload="nginx", ready=True, **more):
    """A task of a colour, whose both ports answer, not yet registered."""
    balancer().deregister(colour)
    task = world.Task(colour, lb_grace, workload, ready, **more)
    task.wanted = (lb_grace, workload)
    return task


def register(task):
    balancer().register(task.colour)
    world.wait_until(lambda: balancer().is_up(task.colour), f"{task.colour} is in service", also=task.logs)


def up(colour, lb_grace, workload):
    task = started(colour, lb_grace, workload)
    register(task)
    return task


class Stop:
    """`docker stop` beside the rest."""

    def __init__(self, task):
        self.task, self.result = task, None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        self.result = self.task.stop()

    def join(self):
        self.thread.join()
        check(self.result is not None, f"docker stop failed: {self.task.logs()}")
        return self.result


# ---- The ways to remove a colour ---------------------------------------------------------------------


def deregister_first(task):
    balancer().deregister(task.colour)
    time.sleep(1.0)
    return Stop(task).join()


def stop_first(task, lag_s):
    """The balancer hears of it only `lag_s` later: it does not even look at the check."""
    balancer().blind(task.colour)
    stop = Stop(task)
    time.sleep(lag_s)
    balancer().deregister(task.colour)
    return stop.join()


def check_only(task):
    """Nobody tells the balancer: it finds out by its check, two failures of one every two seconds."""
    result = Stop(task).join()
    check(not balancer().is_up(task.colour), f"{task.colour} is still in service")
    return result


# ---- One switch, and what is said about it -----------------------------------------------------------


def switch(remove, lb_grace, workload="nginx", client="hey"):
    """(the client's count, the exit code and seconds of the removed task)."""
    old = serving(lb_grace, workload)
    new = started(other(old.colour), lb_grace, workload)
    check_equal((world.ask(old.address, world.CHECK, "/readyz") or [0])[0], 200, f"{old.colour}'s check port")
    balancer().mark()
    with world.load(client) as load:
        time.sleep(SETTLE_S)
        register(new)
        time.sleep(SETTLE_S)
        Scene.task = new
        ended = remove(old)
        old.remove()
        after = len(balancer().lines())
        time.sleep(SETTLE_S)
    balance(load.count)
    lines = balancer().lines()
    colours = {colour for _, colour, _ in lines}
    check({old.colour, new.colour} <= colours, f"not both have served: {colours}")
    late = [line for line in lines[after:] if line[1] == new.colour]
    check(late, f"{new.colour} served nobody at the end: {lines[-3:]}")
    return load, ended


def balance(count):
    """The client, the balancer's log and its counters tell the same."""
    lines = balancer().lines()
    world.wait_until(lambda: len(balancer().lines()) >= count.fine, "the balancer's log", also=lambda: count.said)
    lines = balancer().lines()
    logged = sum(1 for code, _, _ in lines if code == "200")
    counted = balancer().counted()
    check_equal(counted.get("2xx", 0), logged, "answers by the counters and by the log")
    # A client that is told to end may give up what it has just asked for.
    check(count.fine <= logged <= count.fine + world.WORKERS, f"the client had {count.fine} answers, the balancer gave {logged}")
    check_equal(counted.get("again", 0), 0, "attempts repeated or sent elsewhere: the balancer hides failures")
    bad = sum(1 for code, _, ended in lines if code != "200" and not ended.startswith("C"))
    check((count.failed == 0) == (bad == 0), f"the client lost {count.failed}, the balancer {bad}: {count.said[-500:]}")


def lossless(remove, workload="nginx", client="hey"):
    """Every switch of them without one failed request."""
    for number in range(SWITCHES):
        load, (code, took) = switch(remove, LB_GRACE, workload, client)
        count = load.count
        print(f"  switch {number + 1}: {count.fine} answered, {count.failed} failed, "
              f"{(count.fine + count.failed) / load.seconds:.0f}/s; stopped in {took:.1f} s with {code}", flush=True)
        check_equal(count.failed, 0, f"failed requests of switch {number + 1} ({count.said[-700:]})")
        check(count.fine > 100 or workload == "slow", f"{count.fine} requests are no load")
        check(code in (0, 143), f"exit code {code} of the removed task")
        # A balancer that was told otherwise asks no more, and was never refused: then there is no evidence.
        check(took < LB_GRACE or remove is not check_only, f"refused often enough, and it was stopped after {took:.1f} s")
        check(took < 29, f"the removed task was killed after {took:.1f} s")


@case("deregistered first, then stopped: no request fails")
def deregister_first_loses_none():
    lossless(deregister_first)


@case("the same under wrk, as fast as it goes")
def deregister_first_under_wrk():
    lossless(deregister_first, client="wrk")


@case("stopped first, and the balancer hears of it three seconds later: no request fails")
def stop_first_loses_none():
    lossless(functools.partial(stop_first, lag_s=3))


@case("removed by its health check alone, two failures of one every two seconds: no request fails")
def check_only_loses_none():
    lossless(check_only)


@case("requests of three seconds in flight, deregistered a second after the stop: all are answered", beside=True)
def slow_requests_are_finished():
    lossless(functools.partial(stop_first, lag_s=1), workload="slow", client="slow")


@case("a second task that never becomes ready gets no request, and the first one keeps all of them", beside=True)
def never_ready():
    old = serving(LB_GRACE)
    new = started(other(old.colour), LB_GRACE, ready=False)
    balancer().mark()
    with world.load() as load:
        balancer().register(new.colour)
        time.sleep(3 if not laz.LONG else 15)
        check_equal(balancer().is_up(new.colour), False, f"{new.colour} is in service")
        balancer().deregister(new.colour)
        new.remove()
        time.sleep(SETTLE_S)
    balance(load.count)
    check_equal(load.count.failed, 0, f"failed requests ({load.count.said[-500:]})")
    # The client that is told to end may close a connection before its request is whole: nobody is chosen for that.
    served = {colour for _, colour, ended in balancer().lines() if colour != "<NOSRV>" or not ended.startswith("C")}
    check_equal(served, {old.colour}, "who served")


# ---- The drain that ends early, of a task alone --------------------------------------------------------


def drained(task):
    """What `drain.end` says: evidence, seconds."""
    events, _ = world.engines.events_of(task.all_logs())
    found = [e for e in events if e["ev"] == "drain.end"]
    check_equal(len(found), 1, f"records of the drain's end ({task.logs()})")
    return found[0]


def nobody_comes():
    """The workload is stopped by evidence, and not after the whole of lb-grace; how soon is the bench's to say."""
    task = started("blue", 20)
    code, took = task.stop()
    record = drained(task)
    check(took <= 15, f"stopped after {took:.1f} s of 20: {record}")
    check("no connection is open" in record["d"]["evidence"] and record["d"]["ms"] <= 12000, f"{record}")
    check_equal(code, 0, "exit code")


def a_request_is_waited_for():
    """Of eight seconds, and it is answered."""
    task = started("blue", 20, "slow", seconds=8)
    answers = []
    client = threading.Thread(target=lambda: answers.append(world.ask(task.address, world.SERVICE, "/", 20)))
    client.start()
    time.sleep(1.0)
    _, took = task.stop()
    client.join()
    check_equal(answers, [(200, "blue\n")], "the answer")
    check(6.5 <= took <= 15, f"stopped after {took:.1f} s: {drained(task)}")


def a_slow_client_is_not():
    """Who never ends is not waited for longer than lb-grace."""
    task = started("blue", 6)
    with socket.create_connection((task.address, world.SERVICE), 5) as conn:
        conn.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        _, took = task.stop()
    check("lb-grace is over" in str(drained(task)), f"{drained(task)}")
    check(5.5 <= took <= 10, f"stopped after {took:.1f} s")


@case("the drain ends early by evidence: not for a request of eight seconds, and not later than lb-grace for a client that never ends",
      beside=True)
def by_evidence():
    for one in (nobody_comes, a_request_is_waited_for, a_slow_client_is_not):
        one()


# ---- What does lose requests: without these, nothing above would mean anything ------------------------


def loses(remove, lb_grace):
    load, _ = switch(remove, lb_grace)
    print(f"  {load.count.fine} answered, {load.count.failed} failed", flush=True)
    check(load.count.failed > world.RATE // 20, f"only {load.count.failed} requests failed: the load shows nothing")


@case("control: without lb-grace the workload ends at once, and requests fail")
def without_grace_some_are_lost():
    loses(functools.partial(stop_first, lag_s=3), lb_grace=0)


@case("control: with an lb-grace shorter than the balancer's lag, requests fail", beside=True)
def short_grace_loses_some():
    loses(functools.partial(stop_first, lag_s=3), lb_grace=1)


laz.main()
