# SPDX-License-Identifier: Apache-2.0
"""The helper fetch as a process: whom it asks for credentials, what it is and holds while it waits, and how it ends."""
import base64
import os
import pathlib
import random
import re
import subprocess
import time

import area
import laz
import secret_world as world
from fetch_world import CANARY, ITEMS, check_fetched, check_refused, fetch_one, held
from laz import case, check, check_equal
from secret_world import Helper, Standin, secret


# ---- Whom it asks for credentials ----


@case("the addresses of ECS and of the instance: one request for credentials, or three of IMDSv2 where that is permitted, never version 1")
def addresses():
    area.require_root()
    area.require_program("ip")
    inside = ("unshare", "--net", "sh", "-c", "ip link set lo up && ip addr add 169.254.170.2/32 dev lo && "
              "ip addr add 169.254.169.254/32 dev lo && echo up && exec sleep 1000")
    holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *inside], stdout=subprocess.PIPE)
    try:
        check_equal(holder.stdout.readline(), b"up\n", "the addresses")
        wrapper = ("nsenter", "-t", str(holder.pid), "-n")
        standin = held(where={"wrapper": wrapper, "addresses": ("169.254.170.2", "169.254.169.254")})
        relative = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/CANARYpath"}
        # The relative one comes first, wherever the other leads.
        elsewhere = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://10.1.1.1/"}
        nobody = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": ""}

        def asked(call, imds=False, **environment):
            standin.rules()
            result = fetch_one(standin, call, imds=imds, environment=environment, wrapper=wrapper)
            return result, [r["call"] for r in standin.requests()]

        for call in ITEMS:
            result, calls = asked(call, **relative, **elsewhere)
            check_fetched(result, "it", CANARY.encode())
            check_equal(calls, ["credentials", call], f"{call} with the task's role")
            result, calls = asked(call, imds=True, **nobody)
            check_fetched(result, "it", CANARY.encode())
            check_equal(calls, ["imds-token", "imds", "imds", call], f"{call} with the instance's")
        result, calls = asked("GetSecretValue", imds=True, **relative, **elsewhere)
        check_equal((result.text(), calls), ("", ["credentials", "GetSecretValue"]), "the task's comes before the instance's")
        for imds, environment, expected in (
                (False, nobody, "the instance's may not be used (imds: permitted)"),
                (True, {**nobody, "AWS_EC2_METADATA_DISABLED": "true"}, "are disabled (AWS_EC2_METADATA_DISABLED)")):
            result, calls = asked("GetSecretValue", imds=imds, **environment)
            check_refused(result, "credentials: .*" + re.escape(expected))
            check_equal(calls, [], "what is asked of an instance that is in reach")
        for path in ("@10.0.0.1/x", "/a b"):
            result, calls = asked("GetSecretValue", AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=path)
            check_refused(result, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path")
            check_equal(calls, [], path)
        standin.rules(imds="hop")
        result = fetch_one(standin, imds=True, environment=nobody, wrapper=wrapper, wait_ms=2600)
        check_refused(result, r"the instance \(IMDSv2\): no answer in 2000 ms; is the instance's hop limit 2\?")
        standin.check_rules()
    finally:
        holder.kill()
        holder.wait()


# ---- What it is while it works ----


def waiting(standin, items, until, **keys):
    """A helper that awaits an answer."""
    helper = standin.helper(items, **keys)
    helper.await_ready()
    end = time.monotonic() + 20
    while not until() and time.monotonic() < end:
        time.sleep(0.02)
    check(until(), "it does not come so far")
    children = pathlib.Path(f"/proc/{helper.process.pid}/comm").read_text().strip()
    check_equal(children, "lazaret-fetch", "the process")
    return helper


@case("while it waits: another user, no capability, no new privilege, a filter, no core, nobody who looks in, no value in memory")
def confined():
    rng = random.Random(5)
    value = "CANARY" + "".join(rng.choice("abcdefghijkmnpqrstuvwxyz") for _ in range(4000))
    standin = Standin(secrets={**secret("first", value), **secret("slow", "x" * 10)}, parameters={"/p": {"Value": value[::-1],
                                                                                                          "Version": 1}})
    standin.rules(delay=4, slow="slow-marker")
    file = standin.folder / "f"
    file.write_text("FILE" + value)
    items = [{"name": "first", "secrets-manager": "first", "form": "hex"}, {"name": "p", "parameter": "/p"},
             {"name": "f", "file": file, "form": "base64"}, {"name": "v", "variable": "V"},
             {"name": "slow", "secrets-manager": "slow-marker", "optional": True}]
    helper = waiting(standin, items, lambda: len(standin.requests("GetSecretValue")) == 2 and standin.requests("GetParameter"),
                     inherited={"v": b"VARIABLE" + value.encode()})
    time.sleep(0.5)  # the fast ones are answered
    pid = helper.process.pid
    status = dict(re.findall(r"^(\w+):[ \t]*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M))
    uid = str(world.UID)
    check_equal((status["Uid"].split(), status["Gid"].split(), status["Groups"].split()), ([uid] * 4, [uid] * 4, []), "who")
    check_equal({status[f"Cap{n}"] for n in ("Inh", "Prm", "Eff", "Amb")}, {"0" * 16}, "capabilities")
    check_equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "confinement")
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    check(re.search(r"^Max core file size +0 +0 ", limits, re.M), limits)
    check_equal(os.stat(f"/proc/{pid}/environ").st_uid, 0, "the owner of what shows a process: it is not dumpable")
    maps = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", pathlib.Path(f"/proc/{pid}/smaps").read_text(), flags=re.M)
    hidden = [m for m in maps if re.search(r"^VmFlags:.* dd( |$)", m, re.M) and "[v" not in m.splitlines()[0]]
    check(sum(int(re.search(r"^Size:\s+(\d+)", m, re.M)[1]) for m in hidden) >= 320, "no memory that is in no dump")
    check(all(re.search(r"^VmFlags:.* lo( |$)", m, re.M) for m in hidden), "memory for values that is not locked")
    found = scan(pid, value)
    check(found.pop("marker"), "the search does not find what is there")
    check_equal(found, {k: 0 for k in found}, "values in memory while another is awaited")
    result = helper.end()
    check_equal((result.text(), len(result.values)), ("", 4), "how it ended")


@case("Landlock that cannot be had, or not be kept to, is named, and nothing is fetched")
def no_landlock():
    if laz.sanitized():
        laz.skip("LeakSanitizer does not work under a tracer")
    for fault, error in world.LANDLOCK:
        standin = held()
        prefix, trace = world.landlock(fault)
        result = standin.fetch([{"name": "it", "secrets-manager": "prod/db"}], wrapper=prefix)
        if error is None:
            check_fetched(result, "it", CANARY.encode())
            check(trace.read_text().count("landlock_restrict_self(") == 1 and "(INJECTED)" not in trace.read_text(), trace.read_text())
        else:
            check_equal((result.error, result.values, result.code), (("ENFORCE", error), {}, 1), trace.read_text())
            check_equal(standin.requests(), [], f"{fault}: requests")


def scan(pid, value):
    """How often pieces of the value are in its memory, in the forms that it had."""
    raw = value[100:140].encode()
    wanted = {"raw": raw, "hex": raw.hex().encode(), "reversed": value[::-1][100:140].encode(),
              "base64": base64.b64encode(("FILE" + value).encode())[200:240], "marker": b"slow-marker"}
    found = dict.fromkeys(wanted, 0)
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            start, end = (int(a, 16) for a in line.split()[0].split("-"))
            if " r" not in line or "[vvar" in line or "[vsyscall" in line:
                continue
            try:
                memory.seek(start)
                data = memory.read(end - start)
            except OSError:
                continue
            for name, text in wanted.items():
                found[name] += data.count(text)
    return found


@case("it ends with init, and with an order that no init gives")
def orders():
    standin = held()
    standin.rules(delay=30)
    helper = waiting(standin, [{"name": "it", **ITEMS["GetSecretValue"]}], lambda: standin.requests("GetSecretValue"))
    helper.ours.close()
    check_equal(helper.process.wait(timeout=10), 0, "its end after init's")
    for word, fields, fds in (("INHERITED", b"\0\0\0\0", 1), ("INHERITED", b"\7\0\0\0", 1), ("VARIABLE", b"\x63A\0", 0),
                              ("CONFIG", b"\1", 0), ("DONE", b"", 0)):
        helper = Helper([{"name": "it", "variable": "V"}], inherited={"it": b"CANARYx"} if word == "INHERITED" else {})
        # behind BEGIN or before, it is the same: what is wrong ends it, or it had ended well
        try:
            with open("/dev/null", "rb") as null:
                helper.say(word, fields, *[null.fileno()] * fds)
        except (BrokenPipeError, ConnectionResetError):
            pass
        result = helper.end()
        check(result.is_done or result.error is not None, f"{word}: {result.words}")


if __name__ == "__main__":
    laz.main()
