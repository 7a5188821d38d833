# SPDX-License-Identifier: Apache-2.0
"""Who is who beside the workload, what each of them may still do, and what the workload can do to them: nothing."""
import os
import pathlib
import re
import subprocess

import adapters
import fence
import laz
import ship_world
from laz import case, check, check_equal
from ship_world import SHIP_UID, World, sealed, talk, until
from trail_verifier import public_of

# With these the workload's filter refuses nothing of what pry.c tries: what refuses then is the kernel's own view of
# users, and that nobody is dumpable.
OPEN = {"syscalls": {"allow": ["prctl", "ptrace", "process_vm_readv", "pidfd_open", "pidfd_getfd", "kcmp", "setpriority",
                               "sched_setaffinity"]}}
DENIED = {1, 13}  # EPERM, EACCES


def attempts(world):
    """{(who, what): errno} of what pry tried."""
    found = {}
    for line in world.stream().decode().splitlines():
        match = re.fullmatch(r"pry (\S+) (\S+) (\d+)", line)
        if match:
            found[match.group(1), match.group(2)] = int(match.group(3))
    return found


@case("ps shows three processes of ours by name; none of them shows its environment or the workload's command twice")
def names():
    world = World()
    with world.start("say=up", "term", "exit=0", env={**fence.ENVIRONMENT, "PASSWORD": "laz-planted-1f"}) as run:
        ship, launch = world.ready(), world.pid("launch")
        shown = {}
        for name, pid in (("ship", ship), ("launch", launch), ("init", run.pid)):
            folder = pathlib.Path(f"/proc/{pid}")
            shown[name] = (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            check(b"laz-planted" not in (folder / "environ").read_bytes(), f"{name} keeps its environment")
        check_equal(shown["ship"], [b"lazaret-helper", b"ship"], "ship")
        check_equal(shown["launch"], [b"lazaret-init: launch"], "launch")
        check(shown["init"][0].endswith(b"lazaret-init"), f"init: {shown['init']}")
        check_equal((fence.comm(ship), fence.comm(launch), fence.comm(run.pid)),
                    ("lazaret-ship", "lazaret-launch", "lazaret-init"), "comm")
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 0", "the end")


@case("ship: its own user, no capability, no new privileges, a filter, Landlock, and no descriptor that it need not have")
def narrowed():
    world = World(sealed())
    with world.start("say=up", "term", "exit=0") as run:
        ship = world.ready()
        status = run.status(ship)
        check_equal((status["Uid"].split(), status["Gid"].split(), status["Groups"]),
                    ([str(SHIP_UID)] * 4, [str(SHIP_UID)] * 4, ""), "ids")
        check_equal({status[f"Cap{s}"] for s in ("Inh", "Prm", "Eff", "Amb")}, {"0" * 16}, "capabilities")
        check_equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "narrowed")
        owner = os.stat(f"/proc/{ship}/mem").st_uid
        check_equal(owner, 0, "owner of its /proc files, which says that it is not dumpable")
        launch = run.status(world.pid("launch"))
        # CHOWN, DAC_OVERRIDE, SETGID, SETUID, SETPCAP: what a helper needs to become its own user; SYS_PTRACE: for sense
        check_equal(int(launch["CapEff"], 16) & ~0x801c3, 0, f"capabilities of launch: {launch['CapEff']}")
        check_equal(launch["NoNewPrivs"], "1", "launch")
        links = {fd: os.readlink(f"/proc/{ship}/fd/{fd}") for fd in os.listdir(f"/proc/{ship}/fd")}
        known = re.compile(r"/dev/null|socket:.*|pipe:.*|/memfd:lazaret-(ring|ship) \(deleted\)|anon_inode:\[eventpoll\]"
                           rf"|{world.spool}(/.*)?|{world.trail}|{world.kept}|{run.errors}")
        strange = {fd: to for fd, to in links.items() if not known.fullmatch(to)}
        check_equal(strange, {}, "descriptors of ship")
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 0", "the end")


def syscall_in(pid, name, *arguments):
    """A system call that the process makes, by a `syscall` instruction at its own vDSO or program counter."""
    script = pathlib.Path(fence.scratch() / "call.gdb")
    registers = ["rdi", "rsi", "rdx", "r10", "r8", "r9"]
    lines = ["set confirm off", f"attach {pid}", "set $saved = $rip - 2", "set $rip = $saved",
             f"set $rax = {fence.system_calls()[name]}", "set $orig_rax = -1"]
    lines += [f"set ${register} = {value}" for register, value in zip(registers, arguments)]
    lines += ["stepi", "print/d $rax", "info program", "kill", "quit"]
    script.write_text("\n".join(lines) + "\n")
    done = subprocess.run(["gdb", "-nx", "-batch", "-x", str(script)], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=60)
    return done.stdout + done.stderr


@case("ship may not make a call outside of its list: it is killed for it, its end is in the trail, and another goes on")
def own_filter():
    if os.uname().machine != "x86_64":
        laz.skip("registers are named for x86-64")
    world = World()
    allowed = {"getpid": ()}
    forbidden = {"execve": (0, 0, 0), "ptrace": (16, 1), "socket": (16, 3, 0), "mmap": (0, 4096, 4, 34, -1, 0),
                 "kill": (1, 0), "fork": (), "bpf": (0, 0, 0), "openat2": (-100, 0, 0, 0)}
    with world.start("say=up", "term", "exit=0") as run:
        for name, arguments in {**allowed, **dict(adapters.sample(list(forbidden.items()), 4))}.items():
            ship = world.ready()
            answer = syscall_in(ship, name, *arguments)
            killed = "SIGSYS" in answer or "signal SIGSYS" in answer
            check_equal(killed, name in forbidden, f"{name}: {answer[-800:]}")
            world.ship(ship)
        until(lambda: len(world.records("helper.exit")) >= 5, lambda: f"ends: {world.records('helper.exit')}")
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 0", "the end")
    world.judge("ok closed single")


@case("the workload, whatever its filter allows, can neither look into our processes nor signal or slow them")
def pried():
    for conditions in ((), (f"uid={adapters.WORKLOAD_UID}",)):
        world = World({**OPEN, **sealed()})
        # Who has our user may delete what is in the spool, and starve us: then not all of it arrives.
        words = ["pry=/nowhere"] if conditions else [f"pry={world.spool}", "hamper"]
        with world.start("ignore=10", *words, "exit=0", conditions=conditions, ready=False) as run:
            check_equal(str(run.wait()), "exit 0", f"the end: {run.stderr()}")
        check_equal(run.stderr(), "", f"stderr, {conditions}")
        got = attempts(world)
        ours = {k: v for k, v in got.items() if k[0] in ("lazaret-init", "lazaret-ship", "lazaret-launch")}
        check_equal({who for who, _ in ours}, {"lazaret-init", "lazaret-ship", "lazaret-launch"}, "who was tried")
        # What the kernel grants to everybody, or, where all have one user, to that user.
        harmless = set() if not conditions else {"kill(0)", "kill(USR1)"}
        check_equal({what for _, what in ours} >= {"prlimit", "setpriority", "sched_setaffinity"}, not conditions, "hampered")
        done = sorted(k for k, v in ours.items() if v == 0 and k[1] not in harmless)
        check_equal(done, [], f"what the workload could do, {conditions}")
        spool = {what: v for (who, what), v in got.items() if who == "spool"}
        if not conditions:
            check(all(v in DENIED for v in spool.values()), f"the spool: {spool}")
        world.judge("ok closed single")
        check_equal(world.records("helper.exit"), [], f"ends of helpers, {conditions}")


@case("control: the same attempts succeed on a process of the workload's own that is dumpable")
def pry_control():
    world = World(OPEN)
    shell = f"cp {talk()} {world.folder}/lazaret-mine; {world.folder}/lazaret-mine ignore=10 sleep=60000 & " \
            "until grep -q '^SigIgn:.*[2367abef]..$' /proc/$!/status; do sleep 0.05; done; " \
            f"exec {talk()} share={world.shared} pry=/nowhere hamper exit=0"
    with world.start(app=["/bin/sh", "-c", shell], ready=False) as run:
        check_equal(str(run.wait()), "exit 0", f"the end: {run.stderr()}")
    got = {what for (who, what), v in attempts(world).items() if who == "lazaret-mine" and v == 0}
    wanted = {"environ", "maps", "mem", "exe", "cwd", "root", "fd/", "kill(0)", "kill(USR1)", "pidfd_getfd(1)", "prlimit",
              "setpriority", "sched_setaffinity"}
    check_equal(wanted - got, set(), "what did not succeed")


@case("the workload may write to its output by any name, and read it by none")
def own_output():
    world = World()
    with world.start(f"pry={world.spool}", "again=/dev/stdout", "say=again", "exit=0", ready=False) as run:
        check_equal(str(run.wait()), "exit 0", f"the end: {run.stderr()}")
    own = {what: v for (who, what), v in attempts(world).items() if who == "own"}
    for name in ("/proc/self/fd/1", "/dev/stdout", "/proc/self/fd/2"):
        check_equal(own[f"write:{name}"], 0, f"write to {name}")
        check(own[f"read:{name}"] in DENIED, f"read of {name}: errno {own[f'read:{name}']}")
        check(own[f"both:{name}"] in DENIED, f"read and write of {name}: errno {own[f'both:{name}']}")
    check(own["read(1)"] == 9, f"read(1): errno {own['read(1)']}")
    check(own["read-after-fchmod"] in DENIED, "with a mode of its own the workload reads what is on its way")
    check_equal(world.stream().splitlines()[-1], b"again", "the last line")


@case("neither the recovery key nor a line of the workload is in any file of the container in the clear but in its sinks")
def at_rest():
    world = World(sealed(opens=True), [ship_world.NOWHERE])
    private = ship_world.recovery_key()[0].read_bytes().splitlines()[1]
    marker = b"00000001 bbbbbbbb"
    with world.start("lines=200,100", "sleep=60000", ready=False) as run:
        until(lambda: world.said() == 200 * 101, "lines")
        ship = world.ready()
        until(lambda: marker in world.stream(data=world.spooled()), "lines in the spool", pause=0.1)
        check(list(world.spool.glob("*.lzs")), "no segment to look into")
        for path in (*world.folder.rglob("*"), *world.spool.rglob("*")):
            if path.is_file():
                data = path.read_bytes()
                check(marker not in data and private not in data, f"in the clear: {path}")
        for pid in (ship, run.pid, world.pid("launch")):
            found = [name for name, data in memory(pid) if private in data]
            check_equal(found, [], f"the recovery key is in the memory of {fence.comm(pid)}")
        run.kill(fence.KILL)
        run.wait()


def memory(pid):
    """Every readable byte of a process that is its own."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            span, rights, *rest = line.split()
            start, end = (int(x, 16) for x in span.split("-"))
            if "r" in rights and rest[-1] not in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                try:
                    mem.seek(start)
                    yield rest[-1], mem.read(end - start)
                except OSError:
                    pass


# Where struct laz_ship_state has its two slots, what is in front of a slot's chain, and in that the private key.
SLOTS, SLOT, HEAD, KEY = 56, 208, 16, slice(96, 128)


def keys_kept(run):
    """The private keys that init's page of ship's state holds."""
    page = next(path for path in pathlib.Path(f"/proc/{run.pid}/fd").iterdir() if "memfd:lazaret-ship " in os.readlink(path)).read_bytes()
    slots = (page[SLOTS + i * SLOT + HEAD:][KEY] for i in range(2))
    return [key for key in slots if any(key)]


def key_of_now(run, world):
    """The private key that is kept, once it is the only one, and is that of the last public key in the trail."""
    def found():
        keys = keys_kept(run)
        signed = [r for r in world.records() if r["ev"] in ("chain.genesis", "chain.checkpoint")]
        return keys[0] if len(keys) == 1 and signed and public_of(keys[0]).hex() == signed[-1]["d"]["pk"] else None
    return until(found, lambda: f"key that signs next, alone: {len(keys_kept(run))} keys", 60)


@case("the private key that has signed is nowhere any more, while nothing happens too, nor after a death of ship")
def keys_wiped():
    world = World({"audit": {"checkpoint": {"every": "1s"}}})
    with world.start("say=up", "term", "exit=0") as run:
        for _ in range(2):
            ship, old = world.ready(), key_of_now(run, world)
            until(lambda old=old: key_of_now(run, world) != old, "another key")
            where = [name for name, data in memory(ship) if old in data]
            check(old not in keys_kept(run) and not where, f"the key that has signed is still in {where}")
            os.kill(ship, fence.KILL)
            world.ship(ship)
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 0", "the end")
    world.judge("ok closed single")


if __name__ == "__main__":
    laz.main()
