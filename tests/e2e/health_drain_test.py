# SPDX-License-Identifier: Apache-2.0
"""The end of a drain, by the role health on its own: what is evidence that nobody comes any more, and what is none."""
import json
import os
import pathlib
import re
import socket
import threading
import time

import area
import laz
from health_world import Init, Workload
from laz import case, check, check_equal


@case("a drain ends where nobody comes, and only then", beside=True)
def drains():
    with Workload() as app:
        with Init(lb=(30000, 1000, 600, 2)) as init:
            init.status("RUNNING")
            init.wait_state("ready")
            began = time.monotonic()
            init.status("LB_GRACE")
            init.wait_word("DRAINED")
            check(time.monotonic() - began >= 0.95, "not before lb-grace-least")
            check(re.fullmatch(r"no connection is open, and none came for \d+ ms", init.more["DRAINED"]), init.more["DRAINED"])
        with Init(lb=(30000, 500, 600, 2)) as init, socket.create_connection(("127.0.0.1", app.port)) as held:
            init.status("RUNNING")
            init.wait_state("ready")
            init.status("LB_GRACE")
            until = time.monotonic() + 2.5
            while time.monotonic() < until:  # a balancer's own questions are no clients
                check_equal(init.tcp("/readyz")[0], 503, "readiness")
            check("DRAINED" not in init.words, "somebody is still there")
            held.close()
            init.wait_word("DRAINED")
        with Init(lb=(30000, 500, 1500, 2)) as init:
            init.status("RUNNING")
            init.wait_state("ready")
            init.status("LB_GRACE")
            until = time.monotonic() + 4
            while time.monotonic() < until:
                socket.create_connection(("127.0.0.1", app.port)).close()
                time.sleep(0.3)
            check("DRAINED" not in init.words, "they come and go")
            init.wait_word("DRAINED")


@case("a drain ends where every balancer has had its refusals, though others still come")
def balancers():
    agent = {"User-Agent": "ELB-HealthChecker/2.0"}
    stop = threading.Event()
    with Workload() as app, Init(lb=(30000, 500, 20000, 2)) as init:
        init.status("RUNNING")
        init.wait_state("ready")
        check_equal(init.tcp("/readyz", headers=agent)[0], 200, "ready")
        init.status("LB_GRACE")
        thread = threading.Thread(target=lambda: [socket.create_connection(("127.0.0.1", app.port)).close() or stop.wait(0.1)
                                                  for _ in iter(stop.is_set, True)])
        thread.start()
        try:
            check_equal(init.tcp("/readyz", headers=agent)[0], 503, "the first refusal")
            time.sleep(1.5)
            check("DRAINED" not in init.words, "one is not enough")
            check_equal(init.tcp("/readyz", headers=agent)[0], 503, "the second")
            init.wait_word("DRAINED")
        finally:
            stop.set()
            thread.join()
        check_equal(init.more["DRAINED"], "no connection is open, and 1 balancer has had 2 refusals each", "evidence")


@case("a client that has said all, and an open UDP port, hold a drain up", beside=True)
def holders():
    def half_closed():
        server = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(server.getsockname())
        client.shutdown(socket.SHUT_WR)
        return server, client, server.accept()[0]

    def udp():
        open_one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        open_one.bind(("0.0.0.0", 9000 + os.getpid() % 1000))  # below those that the kernel gives
        return open_one,

    for make, why in ((half_closed, "SIGTERM"), (udp, "SIGTERM; a UDP port is open: lb-grace does not end early")):
        held = make()
        with Init(lb=(30000, 300, 500, 2)) as init:
            init.status("RUNNING")
            init.wait_state("ready")
            init.status("LB_GRACE")
            init.wait_state("draining", why)
            time.sleep(1.5)
            check("DRAINED" not in init.words, make.__name__)
            _ = [one.close() for one in held]
            init.wait_word("DRAINED")


@case("while a balancer has not been refused, quiet ends no drain", beside=True)
def unrefused():
    agent = {"User-Agent": "ELB-HealthChecker/2.0"}
    with Init(lb=(30000, 500, 500, 2)) as init:
        init.status("RUNNING")
        init.wait_state("ready")
        check_equal(init.tcp("/readyz", headers=agent)[0], 200, "ready")
        init.status("LB_GRACE")
        for _ in range(2):
            time.sleep(1.5)
            check("DRAINED" not in init.words, "it may send requests yet")
            check_equal(init.tcp("/readyz", headers=agent)[0], 503, "refused")
        init.wait_word("DRAINED")


@case("a successor does not know who asked the one before it: quiet and a balancer's refusals end nothing", beside=True)
def successor():
    agent = {"User-Agent": "ELB-HealthChecker/2.0"}
    with Init(lb=(30000, 300, 300, 2), restarts=1) as init:  # in the first word that it hears
        init.status("RUNNING")
        init.wait_state("ready")
        init.status("LB_GRACE")
        init.wait_state("draining", "SIGTERM; a helper was started anew: lb-grace does not end early")
        for _ in range(3):
            check_equal(init.tcp("/readyz", headers=agent)[0], 503, "refused")
        time.sleep(1.5)
        check("DRAINED" not in init.words, "another balancer may not have asked yet")


@case("where /proc/net cannot be read nothing ends a drain early, and that is said")
def blind():
    net = area.folder("health-net")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(net / "tcp6"))  # what is there, and cannot be opened
    for name in ("tcp", "udp", "udp6", "snmp"):
        (net / name).write_text(pathlib.Path("/proc/net", name).read_text(encoding="ascii"), encoding="ascii")
    for hide in ("mount -t proc -o subset=pid proc /proc", f"mount --bind {net} /proc/$$/net"):
        with Init(lb=(30000, 200, 200, 2), wrapper=["unshare", "-m", "bash", "-c", f'{hide} && exec "$@"', "-"]) as init:
            init.status("RUNNING")
            init.wait_state("ready")
            init.status("LB_GRACE")
            init.wait_state("draining", "SIGTERM; /proc/net cannot be read: lb-grace does not end early")
            time.sleep(1)
            check("DRAINED" not in init.words, "without evidence")
            check_equal(json.loads(init.unix("/healthz")[2])["net"], {"reason": "/proc/net cannot be read"}, hide)


if __name__ == "__main__":
    laz.main()
