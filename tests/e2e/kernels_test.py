# SPDX-License-Identifier: Apache-2.0
"""Other kernels and the other architecture, for real: the product on Debian's 6.1 and 6.12, x86-64 and aarch64,
each booted under emulation, with Landlock and without. Every case looks at what came back from one guest.

What a kernel has is written down here (FACTS) and not asked from it: a probe that is wrong on an old kernel
would otherwise only be compared with itself.
"""
import json
import os
import pathlib
import re
import struct
import subprocess
import sys

import attempts
import engines
import guests
import laz
from attempts import ATTACK, POLICY, UID
from laz import case, check, check_equal

HERE = pathlib.Path(__file__).resolve().parent
BIN = {"x86_64": laz.BIN,
       "aarch64": pathlib.Path(os.environ.get("LAZARET_BIN_AARCH64", laz.ROOT / "build" / "aarch64" / "bin"))}
ARCHITECTURES = ("x86_64", "aarch64")
LOADER = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
ARCH_NAME = {"x86_64": "x86-64", "aarch64": "aarch64"}

# Landlock's ABI, and whether memory can be W^X for good.
FACTS = {"6.1": {"landlock": 2, "mdwe": 0}, "6.12": {"landlock": 6, "mdwe": 1}}
WITHOUT_LANDLOCK = "lsm=lockdown,yama"
APP = 10001
X_ROWS = ("57", "62", "63", "64", "101")  # what becomes of them does depend on the exec budget

CELL = "env -i PATH=/bin ATTACK_CANARY=1 cell"
STARTS = {"P": "--caps all", "R": "--caps docker", "r": f"--caps docker --user {UID}",
          "N": "--caps docker", "n": f"--caps docker --user {UID}", "X": "--caps docker"}
STARTED = {"P": "as root with all capabilities", "R": "as root", "r": "as the user", "N": "as root, Landlock off",
           "n": "as the user, Landlock off", "X": "as root, no exec budget"}


def sh(text):
    """A shell's quoting of one word."""
    return "'" + text.replace("'", "'\\''") + "'"


# Programs of the 32-bit ABI that the kernel has beside its own: getpid; exit 7 if it was answered, and an
# instruction that nobody has if it was not (ENOSYS), because exit would not be answered either.
FOREIGN = {
    "x86_64": (3, 0, "b814000000cd80" "83f8da" "7502" "0f0b" "bb07000000" "b801000000" "cd80" "0f0b"),
    "aarch64": (40, 0x05000000, "1470a0e3" "000000ef" "260070e3" "0000001a" "f000f0e7" "0700a0e3" "0170a0e3"
                "000000ef" "f000f0e7"),
}


def foreign_program(arch):
    """An ELF file of 32 bits around one of FOREIGN."""
    machine, flags, code = FOREIGN[arch]
    code, base, head = bytes.fromhex(code), 0x10000, 52 + 32
    size = head + len(code)
    return (b"\x7fELF\1\1\1" + bytes(9) +
            struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, base + head, 52, 0, flags, 52, 32, 1, 0, 0, 0) +
            struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 0x1000) + code)


# ---- What a guest holds and does -------------------------------------------------------------------------


def program(arch, name):
    """A program under test for an architecture. This machine's own has to be there; the other is a build of its own."""
    path = BIN[arch] / name
    if not path.exists() and arch != os.uname().machine:
        laz.skip(f"{path} does not exist: build the preset aarch64 first (or set LAZARET_BIN_AARCH64)")
    check(path.exists(), f"{path} does not exist: build it first (or set LAZARET_BIN)")
    return path


def compiled(arch, policy):
    """A policy compiled here for an architecture."""
    with open(os.devnull, "wb") as nothing:
        out = guests.scratch() / f"{policy}.{arch}.img"
        subprocess.run([program(os.uname().machine, "lazaret"), "policy", "compile", f"--arch={ARCH_NAME[arch]}",
                        HERE / "kernels" / f"{policy}.yaml", "-o", out], check=True, stdout=nothing)
    return out.read_bytes()


def fill(archive, guest):
    """The image of every cell: attacked files, busybox, our programs, policies."""
    arch = guest.arch
    attack = program(arch, "attack")
    for path in ("/proc", "/sys", "/dev"):
        archive.folder("/image" + path)
    archive.folder("/image/tmp", 0o1777)
    archive.put("/image/etc/passwd", f"root:x:0:0:root:/:/bin/sh\napp:x:{UID}:{UID}::/:/bin/sh\n")
    archive.put("/image/etc/group", f"root:x:0:\napp:x:{UID}:\n")
    for path, content, mode, owner in attempts.image(attack):
        if content is None:
            archive.folder("/image" + path, mode, owner)
        else:
            archive.put("/image" + path, content, mode, owner)
    for name in ("lazaret-init", "lazaret-setup", "lazaret"):
        archive.put(f"/image/{name}", program(arch, name), 0o755)
    archive.put("/image/bin/busybox", guests.require(arch, guest.line) / "busybox", 0o755)
    archive.put("/image/bin/foreign", foreign_program(arch), 0o755)
    for applet in ("sh", "cat", "sleep", "sync", "hostname"):
        archive.link(f"/image/bin/{applet}", "busybox")
    for policy in sorted((HERE / "kernels").glob("guest*.yaml")):
        archive.put(f"/image/etc/lazaret/{policy.name}", policy)
    for other in ARCHITECTURES:
        archive.put(f"/image/etc/lazaret/{ARCH_NAME[other]}.img", compiled(other, "guest-once"))
    if any(job.startswith("unit-") for job in guest.jobs):
        fill_units(archive, arch)


# audit is arithmetic alone, for which an emulated processor takes longer than its tests wait.
UNITS = sorted({folder.name for folder in (laz.ROOT / "tests" / "unit").iterdir() if folder.is_dir()} - {"audit"})
UNITS_BUT = {"policy": "policy_load/hostile_texts_end_quickly"}  # it measures time


def fill_units(archive, arch):
    """The unit tests with what they load and read. Their libraries have the same names for both architectures."""
    for unit in UNITS:
        archive.put(f"/units/unit_{unit}", program(arch, f"../tests/unit_{unit}"), 0o755)
    for folder in ("/usr/bin", "/lib64"):
        archive.folder(folder)  # rules of Landlock name them
    for folder in ("tests/data", "policies", "docs"):
        archive.tree(f"/source/{folder}", laz.ROOT / folder)
    root = pathlib.Path("/") if arch == os.uname().machine else guests.PACKAGES / arch
    here = [program(os.uname().machine, f"../tests/unit_{unit}") for unit in UNITS]
    listed = subprocess.run(["ldd", *here], check=True, capture_output=True, text=True)
    for library in re.findall(r"(\S+) => /", listed.stdout):
        archive.put(f"/lib/{arch}-linux-gnu/{library}", root / "usr/lib" / f"{arch}-linux-gnu" / library, 0o755)
    loader = LOADER[arch]
    archive.put(loader, root / loader.lstrip("/"), 0o755)


def under(policy, command, options="--caps docker"):
    """A job: a command under lazaret-init in a cell."""
    return f"{CELL} {options} /cell /lazaret-init --policy /etc/lazaret/{policy} -- {command}\n"


def shell(text, options="--caps docker", policy="guest.yaml"):
    """A job: a shell's script as the workload."""
    return under(policy, f"/bin/sh -c {sh(text)}", options)


ORPHANS = """n=0; while [ $n -lt 50 ]; do (sh -c "exit 1" &); n=$((n+1)); done; sleep 1
zombies=0; for f in /proc/[0-9]*/status; do while read -r key value; do
case "$key$value" in State:Z*) zombies=$((zombies+1));; esac; done <$f; done; echo zombies $zombies; exit 5"""

USER = f"--caps docker --user {APP}"
ON_TERM = "--signal 15 /cell/tmp/ready"
READY = ": >/tmp/ready; while :; do sleep 0.1; done"


def basic_jobs():
    """Jobs of every guest but the attempts."""
    status = "/bin/cat /proc/self/status"
    return {
        "kernel": "uname -r; cat /sys/kernel/security/lsm; echo; cell /cell /bin/attack kernel\n",
        "read-back": under("guest-once.yaml", status),
        "read-back-user": under("guest-once.yaml", status, USER),
        "read-back-shell": under("guest.yaml", status),
        "compiled": under("{own}.img", status),
        "compiled-foreign": under("{other}.img", status),
        "compile": f"{CELL} /cell /lazaret policy compile /etc/lazaret/guest-once.yaml -o /tmp/own.img\n"
                   "cmp /cell/tmp/own.img /cell/etc/lazaret/{own}.img && echo same\n",
        "observe": shell("hostname cell && exit 6", policy="guest-observe.yaml", options="--caps docker"),
        "nested": f"{CELL} --caps docker /cell /bin/sh -c "
                  + sh(f"/lazaret-init --policy /etc/lazaret/guest-once.yaml -- {status}; exit $?") + "\n",
        "foreign": under("guest.yaml", "/bin/foreign"),
        "foreign-control": f"{CELL} /cell /bin/foreign\n",
        "exit": shell("exit 7"),
        "exit-signal": shell("kill -9 $$"),
        "exit-filter": under("guest.yaml", "/bin/sync"),
        "exit-absent": under("guest.yaml", "/bin/absent"),
        "exit-forbidden": under("guest.yaml", "/app/data"),
        "exit-policy": "echo 'version: 2' >/cell/etc/lazaret/bad.yaml\n" + under("bad.yaml", status),
        "strict": under("guest-strict.yaml", status),
        "stop": shell(READY, f"--caps docker {ON_TERM}"),
        "stop-user": shell(READY, f"{USER} {ON_TERM}"),
        "stop-handled": shell("trap 'exit 3' TERM; " + READY, f"--caps docker {ON_TERM}"),
        "stop-deaf": shell("trap '' TERM; " + READY, f"--caps docker {ON_TERM}"),
        "orphans": shell(ORPHANS),
        "orphans-user": shell(ORPHANS, USER),
        "strays": shell("sleep 1000 & (trap '' TERM; sleep 1000) & sleep 0.3; exit 4"),
        "doctor": f"{CELL} --caps docker /cell /lazaret doctor --json\n",
        "doctor-user": f"{CELL} {USER} /cell /lazaret doctor --json /etc/lazaret/guest.yaml\n",
    }


def attack_jobs(letters):
    """The attempts, without Lazaret and with it."""
    jobs = {}
    for letter in letters:
        options = f"{STARTS[letter].replace('--caps all', '')} --beside {UID} {ATTACK} bystander /cell"
        if letter in "PRr":
            jobs[f"control-{letter}"] = f"{CELL} {options} {ATTACK} run-beside\n"
        policy, only = ("/etc/lazaret/attack-exec.yaml", " ".join(X_ROWS)) if letter == "X" else (POLICY, "")
        jobs[f"attack-{letter}"] = f"{CELL} {options} /lazaret-init --policy {policy} -- {ATTACK} run-beside {only}\n"
    return jobs


def unit_jobs():
    """The unit tests, which load real filters among other things."""
    start = "mkdir -p /dev/shm; mount -t tmpfs shm /dev/shm; cd /source && LD_BIND_NOW=1 /units/unit_"
    but = {unit: f" --filter '!({name})'" for unit, name in UNITS_BUT.items()}
    return {f"unit-{unit}": f"{start}{unit}{but.get(unit, '')}\n" for unit in UNITS}


def for_arch(jobs, arch):
    """Jobs with the names of the compiled policies of an architecture."""
    other = next(a for a in ARCHITECTURES if a != arch)
    return {name: text.replace("{own}", ARCH_NAME[arch]).replace("{other}", ARCH_NAME[other])
            for name, text in jobs.items()}


# What a sample boots; --long boots everything. Both architectures on the older kernel, which lacks the most;
# the newer one where nothing else ever runs; and once no Landlock at all.
SAMPLE = {
    ("x86_64", "6.1", True): "R",
    ("aarch64", "6.1", True): "R",
    ("aarch64", "6.12", True): "r",
    ("aarch64", "6.1", False): "n",
}


def declare_guests():
    """Every guest, by (architecture, kernel line, whether Landlock is on)."""
    found = {}
    for arch in ARCHITECTURES:
        for line in FACTS:
            for landlock in (True, False):
                key = (arch, line, landlock)
                letters = ("PRrX" if landlock else "Nn") if laz.LONG else SAMPLE.get(key)
                if letters is not None:
                    jobs = {**basic_jobs(), **attack_jobs(letters), **(unit_jobs() if laz.LONG and landlock else {})}
                    parameters = "" if landlock else WITHOUT_LANDLOCK
                    found[key] = guests.Guest(arch, line, fill, for_arch(jobs, arch), parameters)
    return found


# ---- What has to come back -------------------------------------------------------------------------------


class Seen:
    """What one guest said, with what its kernel is known to have."""

    def __init__(self, key):
        self.arch, self.line, self.landlock_on = key
        self.guest = POOL.get(key)
        self.facts = dict(FACTS[self.line], **({} if self.landlock_on else {"landlock": 0}))

    def job(self, name):
        return self.guest.result(name)

    def events(self, name):
        """The events of a job, which are complete, and its Result."""
        result = self.job(name)
        events, _ = engines.events_of(result.err)
        attempts.check_frame(events)
        return events, result

    def landlock_degraded(self):
        """What of Landlock this kernel lacks, by the names of init.start."""
        if self.facts["landlock"] == 0:
            return ["landlock-absent"]
        since = {2: "refer", 3: "truncate", 4: "network", 5: "ioctl-dev", 6: "scope"}
        return [f"landlock-no-{what}" for abi, what in since.items() if self.facts["landlock"] < abi]


AS_USER = ["bounding-set-kept", "securebits-unset", "shared-user", "groups-inherited"]
DOCKER_BOUNDING = "00000000a80425fb"
NO_CAPS = "0" * 16


def status_of(text):
    """/proc/self/status as the workload printed it."""
    return {k: v.strip() for k, v in (line.split(":", 1) for line in text.splitlines() if ":" in line)}


def check_start(seen, start, user, degraded, bounding=NO_CAPS, mdwe=-1):
    """init.start: what was read back, what was probed, and exactly the degradations of this kernel."""
    data = start["d"]
    expected = [*seen.landlock_degraded(), *degraded, "events-stream-shared"]
    check_equal(sorted(data["degraded"]), sorted(expected), "degraded")
    check_equal(data["events"], "notify", "events")
    check_equal(data["kernel"], seen.job("kernel").out.split()[0], "kernel")
    check_equal(data["pid1"], True, "pid1")
    expected = {"uid": user, "gid": user, "groups": [], "no_new_privs": 1, "seccomp": 2, "seccomp_filters": 1}
    check_equal({key: data["read"][key] for key in expected}, expected, "read")
    caps = [data["read"]["cap_" + name] for name in ("inh", "prm", "eff", "amb", "bnd")]
    check_equal(caps, [NO_CAPS] * 4 + [bounding], "capabilities")
    probed = data["probed"]
    check_equal(probed["landlock_abi"], seen.facts["landlock"], "Landlock ABI")
    check_equal(probed["landlock"], "EACCES" if seen.facts["landlock"] else "absent", "the path that no rule grants")
    check_equal(probed["write_xor_execute"], mdwe, "write-xor-execute")  # on, or not there
    check_equal(probed["securebits"], 0 if degraded and "securebits-unset" in degraded else 239, "securebits")


def check_read_back(seen, job, degraded=(), bounding=NO_CAPS):
    """What the workload sees of itself is what init said that it had read, and nothing was refused."""
    events, result = seen.events(job)
    check_equal(result.code, 0, f"exit code ({result.err})")
    check_start(seen, events[0], APP, list(degraded), bounding)
    own = status_of(result.out)
    check_equal({own["Uid"], own["Gid"]}, {"\t".join([str(APP)] * 4)}, "Uid and Gid")
    names = {"Groups": "", "CapInh": NO_CAPS, "CapPrm": NO_CAPS, "CapEff": NO_CAPS, "CapAmb": NO_CAPS,
             "CapBnd": bounding, "NoNewPrivs": "1", "Seccomp": "2", "Seccomp_filters": "1", "SigBlk": NO_CAPS}
    check_equal({name: own[name] for name in names}, names, "/proc/self/status")
    check_equal([e["ev"] for e in events], ["init.start", "proc.exit", "init.stop"], "events")


def boots(seen):
    """The kernel is the one that was meant, and has what FACTS says."""
    release, lsm, kernel, *_ = seen.job("kernel").out.splitlines()
    check(release.startswith(seen.line + "."), f"{release} is not {seen.line}")
    check_equal("landlock" in lsm.split(","), seen.landlock_on, f"landlock in {lsm}")
    check_equal(attempts.kernel_of(kernel), seen.facts, "what the kernel has")


def reads_back(seen):
    check_read_back(seen, "read-back")
    check_read_back(seen, "read-back-shell")


def reads_back_as_user(seen):
    check_read_back(seen, "read-back-user", AS_USER, DOCKER_BOUNDING)


def takes_compiled(seen):
    """An image compiled on another machine starts, equals the one compiled here, and is for one architecture."""
    check_read_back(seen, "compiled")
    digests = [seen.events(job)[0][0]["d"]["filter_sha256"] for job in ("compiled", "read-back")]
    check_equal(digests[0], digests[1], "filter digest, compiled and from YAML")
    check(seen.job("compile").out.endswith("same\n"), f"compiled in the guest: {seen.job('compile')}")
    foreign = seen.job("compiled-foreign")
    check_equal(foreign.code, 101, f"exit code of a foreign image ({foreign.err})")
    check("for another architecture" in foreign.err, f"a foreign image: {foreign.err}")


def refuses_foreign(seen):
    """A program of the kernel's 32-bit ABI runs without Lazaret, and under it gets no answer to any call."""
    check_equal(seen.job("foreign-control").code, 7, "without Lazaret")
    events, result = seen.events("foreign")
    check_equal(result.code, 128 + 4, f"exit code ({result.err})")
    refused = [(e["obj"], e["act"], e["sev"]) for e in events if e["ev"] == "seccomp.deny"]
    check_equal(refused, [("foreign_20", "ENOSYS", 7)], "events")


def observes(seen):
    """In mode observe the kernel goes on with a call that would be refused, after its event."""
    events, result = seen.events("observe")
    observed = [(e["obj"], e["act"]) for e in events if e["ev"] == "seccomp.deny"]
    check_equal(observed, [("sethostname", "observed")], f"events ({result.err})")
    check_equal(result.code, 1, "exit code: the kernel itself refuses this user")


def nests(seen):
    """Where it is not PID 1 it confines just the same."""
    events, result = seen.events("nested")
    check_equal(result.code, 0, f"exit code ({result.err})")
    check_equal(events[0]["d"]["pid1"], False, "pid1")
    own = status_of(result.out)
    check_equal([own[name] for name in ("Seccomp", "NoNewPrivs", "CapBnd")], ["2", "1", NO_CAPS], "/proc/self/status")


def exits(seen):
    """Exit codes as a shell's, and refusals by their own."""
    expected = {"exit": 7, "exit-signal": 137, "exit-filter": 159, "exit-absent": 127, "exit-forbidden": 126,
                "exit-policy": 101}
    check_equal({job: seen.job(job).code for job in expected}, expected, "exit codes")
    check_equal(seen.events("exit-filter")[0][1]["d"]["signal"], 31, "the signal of a filter that kills")


def requires(seen):
    """Where all is required, the start depends on what the kernel has, and says what it lacks."""
    result = seen.job("strict")
    if seen.facts["landlock"] >= 6:
        check_equal(result.code, 0, f"exit code ({result.err})")
        events, _ = seen.events("strict")
        check_start(seen, events[0], APP, [], mdwe=1)
        return
    check_equal(result.code, 108, f"exit code ({result.err})")
    check("required-absent: requires.landlock" in result.err and result.out == "", f"{result.err}{result.out}")


def stops(seen):
    """SIGTERM from outside reaches the workload, whose end decides; a deaf one is killed when its grace is over."""
    for job, code, last in (("stop", 143, "stop.request"), ("stop-user", 143, "stop.request"),
                            ("stop-handled", 3, "stop.request"), ("stop-deaf", 137, "stop.forced")):
        events, result = seen.events(job)
        check_equal(result.code, code, f"{job}: exit code ({result.err})")
        requests = [e for e in events if e["ev"] == "stop.request"]
        check_equal([(e["act"], e["d"]["sender_pid"]) for e in requests], [("accepted", 0)], f"{job}: requests")
        check(last in [e["ev"] for e in events], f"{job}: no {last}")
        check_equal(events[-1]["d"]["exit"], code, f"{job}: exit in init.stop")


def reaps(seen):
    """50 orphans leave no zombie; strays end with the workload, and its exit code is the container's."""
    for job in ("orphans", "orphans-user"):
        events, result = seen.events(job)
        check_equal((result.code, result.out), (5, "zombies 0\n"), f"{job} ({result.err})")
        check(events[-1]["d"]["reaped"] >= 51, f"{job}: reaped {events[-1]['d']['reaped']}")
    events, result = seen.events("strays")
    check_equal(result.code, 4, f"strays: exit code ({result.err})")
    check_equal(events[-1]["d"]["reaped"], 3, "strays: reaped")


def doctors(seen):
    """lazaret doctor finds by trying what FACTS says."""
    abi, mdwe = seen.facts["landlock"], seen.facts["mdwe"]
    for job, root in (("doctor", True), ("doctor-user", False)):
        result = seen.job(job)
        check_equal(result.code, 0, f"{job}: exit code ({result.err})")
        lines = {line["name"]: line for line in json.loads(result.out)["checks"]}
        yes = {"proc", "children", "open-files", "no-new-privileges", "seccomp", "events", "wait-killable",
               "close-range", "signalfd", "subreaper"}
        yes |= ({"landlock"} if abi else set()) | ({"write-xor-execute"} if mdwe else set())
        yes |= {"change-user", "kill", "bounding-set"} if root else {"policy"}
        for name in lines.keys() & (yes | {"landlock", "write-xor-execute", "change-user", "bounding-set"}):
            check_equal(lines[name]["state"], "yes" if name in yes else "no", f"{job}: {name}: {lines[name]}")
        check(f"Linux {seen.line}." in lines["kernel"]["seen"] and ARCH_NAME[seen.arch] in lines["kernel"]["seen"],
              f"{job}: {lines['kernel']}")
        said = lines["landlock"]["seen"]
        check(f"ABI {abi};" in said if abi else "lsm=" in lines["landlock"]["remedy"], f"{job}: {lines['landlock']}")


BASIC = {
    "the kernel is the one that was meant": boots,
    "web-api as root: what the workload sees of itself is what init read": reads_back,
    "web-api as the user: likewise, less what only root can do, by name": reads_back_as_user,
    "a policy compiled elsewhere starts; one for another architecture does not": takes_compiled,
    "a program of the foreign ABI gets no answer": refuses_foreign,
    "mode observe lets through, with an event": observes,
    "not as PID 1": nests,
    "exit codes": exits,
    "what is required and absent refuses with 108": requires,
    "SIGTERM from outside stops": stops,
    "orphans and strays are reaped": reaps,
    "doctor finds what the kernel has": doctors,
}


def rows():
    """The table of attempts."""
    done = subprocess.run([program(os.uname().machine, "attack"), "list"], check=True, capture_output=True, text=True)
    return attempts.table(done.stdout)


def absent_rows(seen, outcomes):
    """Attempts that this kernel has no code for."""
    absent = {i for i, (outcome, _) in outcomes.items() if outcome in attempts.NOT_BUILT}
    return absent | (set() if seen.facts["mdwe"] else {"103"})


def check_control(seen, letter):
    result = seen.job(f"control-{letter}")
    check_equal(result.code, 0, f"exit code ({result.err})")
    outcomes, table = attempts.outcomes_of(result.out), rows()
    check_equal(set(outcomes), set(table), "rows")
    wrong = attempts.failed_controls(table, outcomes, letter, absent_rows(seen, outcomes))
    check(not wrong, "attempts that have to work without Lazaret did not:\n  " + "\n  ".join(wrong))


def check_attack(seen, letter):
    events, result = seen.events(f"attack-{letter}")
    check_equal(result.code, 0, f"exit code ({result.err[-2000:]})")
    outcomes = attempts.outcomes_of(result.out)
    table = {i: row for i, row in rows().items() if letter != "X" or i in X_ROWS}
    check_equal(set(outcomes), set(table), "rows")
    as_user = letter in "rn"
    if letter in "Nn":  # the table means an outer filter that answers for Landlock; here the kernel itself has none
        table["209"].exceptions, table["209"].seen = "-", letter
    degraded = (AS_USER if as_user else []) + ([] if seen.facts["mdwe"] else ["write-xor-execute-absent"])
    bounding = DOCKER_BOUNDING if as_user else NO_CAPS
    check_start(seen, events[0], UID, degraded, bounding, mdwe=1 if seen.facts["mdwe"] else -1)
    wrong = attempts.broken_promises(table, outcomes, events, letter, seen.facts)
    check(not wrong, "promises not kept:\n  " + "\n  ".join(wrong))


def check_unit(seen, unit):
    result = seen.job(f"unit-{unit}")
    tested = re.search(r"Tested: (\d+) \| Passing: (\d+) \| Failing: 0 \| Crashing: 0", result.out + result.err)
    passed = result.code == 0 and tested is not None and int(tested.group(1)) > 0
    check(passed, f"exit code {result.code}: {result.out}{result.err}")


def declare_cases():
    for key, guest in GUESTS.items():
        for name, function in BASIC.items():
            case(f"{guest.name}: {name}")(lambda key=key, function=function: function(Seen(key)))
        for job in guest.jobs:
            kind, _, letter = job.partition("-")
            if kind == "control":
                case(f"{guest.name}: control, {STARTED[letter]}: what has to work without Lazaret works")(
                    lambda key=key, letter=letter: check_control(Seen(key), letter))
            elif kind == "attack":
                case(f"{guest.name}: Lazaret, {STARTED[letter]}: every attempt ends as promised, with its event")(
                    lambda key=key, letter=letter: check_attack(Seen(key), letter))
            elif kind == "unit":
                case(f"{guest.name}: unit tests of {letter}")(lambda key=key, unit=letter: check_unit(Seen(key), unit))


@case("docs/explanation/kernels.md has the Landlock ABIs of FACTS")
def documented():
    page = (laz.ROOT / "docs/explanation/kernels.md").read_text(encoding="utf-8")
    abis = " | ".join(str(facts["landlock"]) for facts in FACTS.values())
    for row in (f"| | {' | '.join(FACTS)} | Landlock off |", f"| Landlock ABI | {abis} | none |"):
        check(row in page, f"no row {row!r}")


if __name__ == "__main__":
    GUESTS = declare_guests()
    POOL = guests.Pool(GUESTS, together=all(word.startswith("-") for word in sys.argv[1:]))
    declare_cases()
    laz.main()
