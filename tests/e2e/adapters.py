# SPDX-License-Identifier: Apache-2.0
"""How each init is called, so that the same scenario runs under Lazaret and under its peers.

Only this file knows command lines, policies and exit codes of Lazaret; scenarios know behaviour. The peers
are Debian's packages, unchanged. LAZARET_E2E_INIT=tini runs the conformance suites against a peer: they
must then fail, which is how the suites themselves are shown to be able to.
"""
import hashlib
import json
import os
import shutil
import subprocess

import fence
import laz

# The signals that ask for the end, where the policy names no other.
STOP_SIGNALS = (fence.TERM, fence.INT)
# Own refusals of Lazaret, by what went wrong (docs/reference/exit-codes.md).
POLICY, ENFORCEMENT, SECRET, START_TIMEOUT, STOPPED, AUDIT, CHECKS, KERNEL, INTERNAL = range(101, 110)
# A user of each suite's own: the kernel counts processes and pending signals by user on the whole machine, and a storm
# in one suite is nothing that another's limits may see.
WORKLOAD_UID = 20000 + os.getpid() % 40000
MODES = ("pid1", "nested")


class Init:
    """A peer: a program in front of the workload's command."""

    enforces = False

    def __init__(self, name, command):
        self.name, self.base = name, [shutil.which(command[0]) or command[0], *command[1:]] if command else []

    def installed(self):
        return os.access(self.base[0], os.X_OK)

    def command(self, app, folder, policy=None, separator=True, source=False):
        """The whole argv that runs app; folder is for files that this run needs."""
        return [*self.base, *(["--"] if separator and self.base else []), *app]

    def start(self, words=(), mode="pid1", conditions=(), app=None, policy=None, env=None, separator=True, source=False,
              prepare=None, **rest):
        """A fence.Run with this init around the probe (or around app).

        source: start from YAML, not compiled. prepare: called with the folder in which the records will be "events".
        """
        folder = fence.scratch() / f"app-{fence.Run._count}"
        folder.mkdir()
        folder.chmod(0o777)
        log = str(folder / "log")
        argv = app if app is not None else [fence.tool("probe"), f"log={log}", *words]
        if prepare is not None:
            prepare(folder)
        command = self.command(argv, folder, policy, separator, source)
        if mode == "under-tini":
            command = [*PEERS["tini"].base, "-s", "--", *command]
        elif mode == "under-catatonit":
            command = [*PEERS["catatonit"].base, "--", *command]
        elif mode == "under-self":
            command = self.nested_command(command, folder)
        conditions = [*conditions, f"writable={fence.scratch()}"] if "read-only" in conditions else conditions
        run = fence.Run(command, "pid1" if mode == "pid1" else "nested", conditions, env, log=log, **rest)
        run.events_path = folder / "events"
        return run

    def nested_command(self, command, folder):
        """This init around itself."""
        return [*self.base, "--", *command]


class Lazaret(Init):
    """The init under test. A policy is a dictionary in the language of docs/reference/policy.md."""

    enforces = True
    _images = {}

    def __init__(self):
        super().__init__("lazaret", [str(laz.BIN / "lazaret-init")])

    @staticmethod
    def policy(changes=None):
        """The suites' policy: confined as a service would be, but free to read and write its log anywhere."""
        policy = {
            "version": 1,
            "name": "conformance",
            "extends": ["builtin/web-api"],
            "requires": {"landlock": "disabled"},
            "workload": {"user": f"{WORKLOAD_UID}:{WORKLOAD_UID}"},
            "limits": {"processes": 50000},  # storms of orphans need more than a service does
            "shutdown": {"stop-timeout": "10s", "grace": "5s", "drain": "1s"},
        }
        return merged(policy, changes or {})

    @classmethod
    def image(cls, policy):
        """The compiled form of a policy, made once per content."""
        text = json.dumps(policy, indent=1) + "\n"
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        if key not in cls._images:
            source = fence.scratch() / f"policy-{key}.yaml"
            image = fence.scratch() / f"policy-{key}.img"
            source.write_text(text)
            made = subprocess.run([laz.BIN / "lazaret", "policy", "compile", source, "-o", image],
                                  capture_output=True, text=True)
            if made.returncode != 0:
                raise laz.Failed(f"the suite's policy does not compile:\n{made.stdout}{made.stderr}\n{text}")
            cls._images[key] = str(image)
        return cls._images[key]

    def command(self, app, folder, policy=None, separator=True, source=False):
        image = self.image(self.policy(policy))
        image = image.removesuffix(".img") + ".yaml" if source else image
        dashes = ["--"] if separator else []
        return [*self.base, "--policy", image, "--events", str(folder / "events"), *dashes, *app]

    def nested_command(self, command, folder):
        """The outer one must let the inner one confine, which a service's policy would not."""
        outer = {
            "version": 1,
            "name": "outer",
            "requires": {"landlock": "disabled"},
            "workload": {"user": "0:0", "allow-root": True, "exec-budget": -1, "env": {"pass": ["PATH", "LANG"]}},
            "privileges": {"capabilities": {"keep": ["KILL", "SETUID", "SETGID", "SETPCAP"]}},
            "network": {"families": ["unix"]},
            "syscalls": {
                "default": {"action": "errno", "errno": "EPERM"},
                "unknown": {"action": "errno", "errno": "ENOSYS"},
                "groups": ["web-service", "setuid", "sandbox", "process", "signal"],
                "allow": ["clone", "socket", "prctl", "seccomp", "capset", "memfd_create", "landlock_create_ruleset"],
            },
        }
        image = self.image(outer)
        return [*self.base, "--policy", image, "--events", str(folder / "outer-events"), "--", *command]


def merged(base, changes):
    """base with changes laid over it, dictionary by dictionary."""
    out = dict(base)
    for key, value in changes.items():
        out[key] = merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out


def events(run, name=None):
    """The records that Lazaret wrote in this run, all or those with this name. One that is just being written is not
    there yet."""
    try:
        text = run.events_path.read_text()
    except FileNotFoundError:
        return []
    if run.ended is None:
        text = text[:text.rfind("\n") + 1]
    found = [json.loads(line) for line in text.splitlines()]
    return [e for e in found if name is None or e["ev"] == name]


PEERS = {
    "tini": Init("tini", ["tini"]),
    "dumb-init": Init("dumb-init", ["dumb-init"]),
    "catatonit": Init("catatonit", ["catatonit"]),
}
# Not in the published table; the loss and race suites need them as controls.
VARIANTS = {
    "tini -g": Init("tini -g", ["tini", "-g"]),
    "dumb-init -c": Init("dumb-init -c", ["dumb-init", "-c"]),
    "catatonit -g": Init("catatonit -g", ["catatonit", "-g"]),
}
LAZARET = Lazaret()
BARE = Init("bare", [])


def subject():
    """The init that the conformance suites judge."""
    name = os.environ.get("LAZARET_E2E_INIT", "lazaret")
    return LAZARET if name == "lazaret" else {**PEERS, **VARIANTS}[name]


def control(name):
    """A peer as a negative control; its absence is a skip that counts."""
    init = {**PEERS, **VARIANTS}[name]
    if not init.installed():
        laz.skip(f"{name} is not installed (Debian package {init.base[0]})")
    return init


def both(name):
    """Register a case twice: the init as PID 1, and as an ordinary process beside bystanders."""

    def register(function):
        for mode in MODES:
            label = "PID 1" if mode == "pid1" else "not PID 1"
            laz.case(f"{name} [{label}]")(lambda mode=mode: function(mode))
        return function

    return register


def sample(everything, count):
    """All of it with --long; otherwise count of it, spread evenly, first and last included."""
    everything = list(everything)
    if laz.LONG or len(everything) <= count:
        return everything
    step = (len(everything) - 1) / (count - 1)
    return [everything[round(i * step)] for i in range(count)]
