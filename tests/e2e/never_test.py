# SPDX-License-Identifier: Apache-2.0
"""Where a delivered secret must never be: in a real container, searched from outside, in all ways of writing it.

One container gets its secrets, keys and identities from each source and says them itself in its log. The same search is held against another
one that leaks, place by place: a place where it finds nothing there is not looked at.
"""
import base64
import json
import os
import pathlib
import secrets
import shutil
import time

import area
import canaries
import certificate_world
import engines
import laz
import rootfs
import secret_world
import vault_world
from certificate_world import NAMES
from laz import case, check, check_equal
from ship_world import until

RANDOM = secrets.token_hex(8)
KEY = secrets.token_bytes(32)
CANARIES = {  # what each source has
    "file": f'canary/{RANDOM}+"file"\\x'.encode(), "variable": f"canary.{RANDOM}-variable".encode(),
    "secrets-manager": f"canary {RANDOM} manager&<>".encode(), "parameter": f"canary~{RANDOM}~parameter=".encode(),
    "kms": KEY, "vault": f"canary:{RANDOM}:vault%25".encode()}
DATA_KEY = secrets.token_bytes(32)  # of `keys`
BLOB = b"blob of KMS " * 8
LEAK = f"canary-{RANDOM}-leaks".encode()
# Of the task's role: what the stand-in gives out begins so.
CREDENTIALS = [b"CANARYsecret", b"CANARYtoken", vault_world.TOKEN.encode()]
PSEUDO = {"tmpfs", "proc", "sysfs", "devpts", "cgroup", "cgroup2", "mqueue", "devtmpfs"}
TMPFS = "/run/secrets:mode=0755"

# What a careless program does with what it is given: reads it all, and says it in its log in every way.
WORKLOAD = r"""
for f in /run/secrets/*; do
  case "$f" in */..*) continue;; esac
  cat "$f"; echo; base64 "$f"; xxd -p "$f"; xxd -p "$f" | tr -d '\n'; echo; echo "x$(cat "$f")" | base64
done
base64 <&20
for f in /run/secrets/tls/*/key.pem /run/secrets/keys/*; do  # of long ones, what is broken into lines is another text
  cat "$f"; echo; base64 -w 0 "$f"; echo; xxd -p "$f" | tr -d '\n'; echo
done
echo up-and-running
trap 'exit 0' TERM
while :; do sleep 1; done
"""
SAYS = r"""cat /run/secrets/file; echo; base64 -w 0 /run/secrets/file; xxd -p /run/secrets/file | tr -d '\n'; echo
echo up-and-running; sleep 1000"""
# And what a hostile one does, with a value that is an argument. One child has it in its environment.
LEAKS = r"""
echo "$1"
LEAKED="$1" sleep 1000 &
mkdir /tmp/leaks; touch "/tmp/leaks/$1"; cat /source/ways > /tmp/leaks/ways
echo up-and-running
trap 'exit 0' TERM
while :; do sleep 1; done
"""
_made = {}


def docker():
    if "docker" not in _made:
        _made["docker"] = engines.Docker()
    return _made["docker"]


def policy(**more):
    return {"version": 1, "name": "never", "extends": ["builtin/web-api"],
            "requires": {"landlock": "preferred", "exec-budget": "disabled"},
            "workload": {"user": rootfs.APP_USER, "env": {"pass": ["PATH"]}, "exec-budget": -1},
            "limits": {"processes": 30000},
            "filesystem": {"read-exec": ["/bin"], "read": ["/etc", "/proc", "/source"], "write": ["/tmp"], "optional": ["/source"],
                           "devices": ["/dev/null"]},
            "network": {"families": ["unix"], "tcp-bind": [], "tcp-connect": []},
            "syscalls": {"allow": ["setuid", "setgid"]}, "shutdown": {"stop-timeout": "5s", "grace": "1s", "drain": "200ms"}, **more}


def image(name, wanted):
    root = rootfs.busybox_root(f"never-{name}")
    rootfs.put_lazaret(root)
    rootfs.put_libraries(root)
    rootfs.put(root, "/etc/lazaret/policy.yaml", json.dumps(wanted))
    for path in ("/var/lib", "/var/log", "/run/secrets", "/source"):
        rootfs.put_folder(root, path)
    return docker().import_root(root, f"never-{name}", 'ENTRYPOINT ["/lazaret-init", "--"]', f"ENV PATH={area.PATH}")


SINKS = {
    "sinks": [{"name": "trail", "type": "file", "path": "/var/log/trail.jsonl", "classes": ["audit", "ids", "log"], "required": True},
              {"name": "stdout", "type": "stdout", "classes": ["audit", "ids", "log"]}],
    "spool": {"dir": "/var/lib/spool", "max": "16MiB", "segment": "1MiB"}}


def with_file(**more):
    return policy(secrets={"items": [{"name": "file", "from": {"file": "/source/file"}, "file": {"path": "file"}}]},
                  **{**SINKS, **more})


IDENTITIES = ("own", "made")  # from a file, and with a key that is made in the container


def with_secrets(standin, vault):
    service = f"https://127.0.0.1:{standin.port}"
    own = {"file": {"certificate": "/source/chain.pem", "key": "/source/own.key"}}
    made = {"vault-pki": "pki/sign/web", "validity": "24h"}
    kms = {"key": secret_world.KEY, "context": {"app": "emr"}}
    return policy(
        secrets={"ca": "/source/ca.pem", "region": "eu-west-1", "start-deadline": "20s",
                 "endpoints": {"secrets-manager": service, "ssm": service, "kms": service}, "items": [
                     {"name": "file", "from": {"file": "/source/file"}, "file": {"path": "file"}},
                     {"name": "variable", "from": {"variable": "CANARY"}, "file": {"path": "variable", "mode": "0444"}},
                     {"name": "secrets-manager", "from": {"secrets-manager": "prod/db"}, "file": {"path": "manager"}},
                     {"name": "parameter", "from": "/prod/db", "file": {"path": "parameter"}},
                     {"name": "kms", "from": {"file": "/source/blob"}, "decrypt": kms, "form": "hex", "file": {"path": "kms"},
                      "fd": {"number": 20, "variable": "KMS_FD"}},
                     {"name": "vault", "from": {"vault": vault_world.PATH}, "json-key": "password", "file": {"path": "vault"}}],
                 "vault": {"address": f"https://127.0.0.1:{vault.port}", "ca": "/source/ca.pem",
                           "auth": {"token": {"file": "/source/token"}}}},
        tls={"identities": [{"name": name, "from": said, "ca": "/source/root.pem", "san": NAMES, "files": {"dir": f"tls/{name}"}}
                            for name, said in zip(IDENTITIES, (own, made))]},
        keys=[{"name": "phi", "from": {"secrets-manager": "prod/phi"}, "bytes": 32, "form": "jwks", "alg": "A256GCM",
               "file": {"path": "keys/phi"}}],
        **SINKS)


def source():
    """A folder on a tmpfs of the machine, for what a container reads and nobody may write to a disk."""
    folder = pathlib.Path(f"/dev/shm/{area.PREFIX}{os.getpid()}-{len(_made)}")
    folder.mkdir()
    _made[folder] = True
    return folder


class Container:
    """One that runs, and the places where a secret of it could be."""

    def __init__(self, name, files, args, options):
        self.folder = source()
        for path, content in files.items():
            (self.folder / path).write_bytes(content)
        self.name = docker().start(name, args, options=["--tmpfs", TMPFS, "--volume", f"{self.folder}:/source:ro", *options])
        self.id = docker().must("inspect", "--format", "{{.Id}}", self.name)
        until(lambda: b"up-and-running" in docker().bytes_of("logs", self.name),
              lambda: docker().bytes_of("logs", self.name)[-2000:].decode(errors="replace"), 30)

    def pids(self, comm=""):
        """Seen from here, of all of its processes, or of those with that name."""
        def is_ours(pid):
            try:
                return (self.id in pathlib.Path(f"/proc/{pid}/cgroup").read_text()
                        and comm in pathlib.Path(f"/proc/{pid}/comm").read_text())
            except OSError:
                return False
        return [int(p) for p in os.listdir("/proc") if p.isdigit() and is_ours(p)]

    def init(self):
        return self.pids("lazaret-init\n")[0]

    def delivered(self, path):
        """What the workload has there."""
        return pathlib.Path(f"/proc/{self.init()}/root/run/secrets/{path}").read_bytes()

    def of_processes(self, name):
        for pid in self.pids():
            try:
                yield f"{name} of {pid}", pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
            except ProcessLookupError:
                continue

    def memory(self, comm):
        for pid in self.pids(comm):
            for mapping, flags, data in canaries.mappings(pid):
                is_for_it = "dd" in flags or "memfd:lazaret-ring" in mapping  # what it masks by, and what it has not masked yet
                if not (comm == "lazaret-ship" and is_for_it):
                    yield f"{comm}: {mapping}", data

    def disk(self):
        """The daemon's own folder, where the container's upper directory is, and all that is mounted in the container."""
        yield from files_below(docker().home / "data")
        inside = pathlib.Path(f"/proc/{self.init()}/root")
        for line in pathlib.Path(f"/proc/{self.init()}/mountinfo").read_text().splitlines():
            words = line.split()
            kind, where = words[words.index("-") + 1], words[4]
            if kind not in PSEUDO:
                yield from files_below(inside / where.lstrip("/"))

    def places(self):
        """{place: [(what, bytes)]}"""
        call = docker().bytes_of
        return {
            "environ": self.of_processes("environ"), "cmdline": self.of_processes("cmdline"),
            "memory of init": self.memory("lazaret-init"), "disk": self.disk(),
            "docker diff": [("diff", call("diff", self.name))], "docker export": [("export", call("export", self.name))],
            "docker cp": [("cp /tmp", call("cp", f"{self.name}:/tmp", "-")), ("cp /var", call("cp", f"{self.name}:/var", "-"))],
            "docker inspect": [("inspect", call("inspect", self.name))], "docker logs": [("logs", call("logs", self.name))]}

    def close(self):
        docker().call("rm", "--force", self.name)
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()


def files_below(top):
    device = os.stat(top).st_dev
    for folder, folders, names in os.walk(top):
        folders[:] = [f for f in folders if os.lstat(os.path.join(folder, f)).st_dev == device]
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path, f"{name}\n".encode() + pathlib.Path(path).read_bytes()


def leaks(places, wanted):
    """{place: [(what, secret, way)]}"""
    return {place: [(what, *hit) for what, data in parts for hit in canaries.found(data, wanted)] for place, parts in places.items()}


# Docker itself keeps what a task definition puts into the environment, and init can do nothing about that: the reason to
# have no secret there. These are the only places where the one that came so may be.
DOCKERS_OWN = ("inspect", "config.v2.json", "meta.db")


@case("every source, identities and keys, and a workload that says all of it in its log: no value and no credential is in any place")
def nowhere():
    standin = secret_world.Standin(
        secrets={**secret_world.secret("prod/db", CANARIES["secrets-manager"].decode()), **secret_world.secret("prod/phi", DATA_KEY)},
        parameters={"/prod/db": {"Value": CANARIES["parameter"].decode(), "Version": 3}},
        ciphertexts=[{"blob": base64.b64encode(BLOB).decode(), "key": secret_world.KEY, "plain": base64.b64encode(KEY).decode(),
                      "context": {"app": "emr"}}])
    vault = vault_world.Vault(tokens=[vault_world.TOKEN], roles={"pki/sign/web": {}},
                              secrets=vault_world.secret({"password": CANARIES["vault"].decode()}))
    issued = certificate_world.good()
    for name in ("root.pem", "inter.pem", "inter.key"):
        shutil.copy(issued / name, vault.folder)
    own = (issued / "ec.key").read_bytes()
    files = {"file": CANARIES["file"], "blob": BLOB, "ca.pem": standin.ca.read_bytes(), "token": vault_world.TOKEN.encode(),
             "root.pem": (issued / "root.pem").read_bytes(), "chain.pem": (issued / "chain.pem").read_bytes(), "own.key": own}
    environment = {**standin.environment(), "CANARY": CANARIES["variable"].decode()}
    options = ["--network", "host", *(word for k, v in environment.items() for word in ("--env", f"{k}={v}"))]
    container = Container(image("secrets", with_secrets(standin, vault)), files, ["/bin/sh", "-c", WORKLOAD], options)
    try:
        made = [container.delivered(f"tls/{name}/key.pem") for name in IDENTITIES]
        check(all(b"PRIVATE KEY" in key for key in made) and made[0] != made[1], "no keys")
        wanted = [*CANARIES.values(), KEY.hex().encode(), *CREDENTIALS, DATA_KEY, own, *made]
        hits = leaks(container.places(), wanted)
        mine = CANARIES["variable"][:12]
        theirs = {place: [h for h in of if h[1] == mine and str(h[0]).endswith(DOCKERS_OWN)] for place, of in hits.items()}
        check_equal({place: [h for h in of if h not in theirs[place]] for place, of in hits.items()},
                    {place: [] for place in hits}, "what is there")
        check(theirs["docker inspect"] and theirs["disk"], "docker does not keep what it is given: the search is wrong")
        others = {f"memory of {c}": container.memory(c) for c in ("lazaret-launch", "lazaret-ship")}
        check_equal(leaks(others, wanted), {place: [] for place in others}, "what is in the helpers")
        check_equal(container.pids("lazaret-fetch"), [], "who has fetched them and is still there")
        trail = docker().bytes_of("exec", container.name, "/bin/cat", "/var/log/trail.jsonl")
        check_said(trail)
        standin.check_rules()
        vault.check_rules()
    finally:
        container.close()


def check_said(trail):
    """The workload has said all of them, and each was masked; the events say what came, without it."""
    records = [json.loads(line) for line in trail.splitlines()]
    masked = sum(r["d"].get("redacted", {}).get("secret", 0) for r in records if r["ev"] == "log")
    check(masked >= 4 * len(CANARIES), f"{masked} are masked in {len(records)} records")
    fetched = sorted(r["obj"] for r in records if r["ev"] == "secret.fetch")
    parts = [f"{name}.{part}" for name in IDENTITIES for part in ("cert", "chain", "key", "bundle")]
    check_equal(fetched, sorted([*CANARIES, "phi", *parts, "own.in.cert", "own.in.key"]), "what was fetched")


@case("positive control: of a container that leaks, the same search finds every place, and on the disk every way")
def everywhere():
    said = b"\n".join(b"".join((name.encode(), b" ", text)) for name, text in canaries.ways(LEAK).items())
    environment = ["--env", f"GIVEN={LEAK.decode()}"]
    container = Container(image("leaks", policy()), {"ways": said}, ["/bin/sh", "-c", LEAKS, "sh", LEAK.decode()], environment)
    try:
        hits = leaks(container.places(), [LEAK])
        check_equal([place for place, of in hits.items() if not of], [], "places where nothing was found")
        for place in ("disk", "docker export", "docker cp"):
            check_equal({way for _, _, way in hits[place]}, set(canaries.ways(LEAK)), f"ways that were found: {place}")
        check(any("/proc/" in str(what) for what, _, _ in hits["disk"]), "nothing was found below a mount of the container")
        check(any("overlay" in str(what) or "vfs" in str(what) for what, _, _ in hits["disk"]), "nor in its upper directory")
    finally:
        container.close()


@case("positive control: passed through as it is said, the log that docker keeps has it in every way, and nothing else has")
def passed_through():
    wanted = with_file(logs={"passthrough": True}, sinks=SINKS["sinks"][:1])
    container = Container(image("passthrough", wanted), {"file": CANARIES["file"]}, ["/bin/sh", "-c", SAYS], [])
    try:
        hits = leaks(container.places(), [CANARIES["file"]])
        check_equal({place for place, of in hits.items() if of}, {"docker logs", "disk"}, "where it is")
        check({"raw", "base64-0", "hex"} <= {way for _, _, way in hits["docker logs"]}, f"ways: {hits['docker logs']}")
        check_equal({str(what).endswith("-json.log") for what, _, _ in hits["disk"]}, {True}, "on the disk it is in docker's log alone")
    finally:
        container.close()


@case("positive control: what is in the memory of ship to mask by is found there, where no core has it")
def in_ship():
    container = Container(image("masks", with_file()), {"file": CANARIES["file"]}, ["/bin/sh", "-c", "echo up-and-running; sleep 1000"], [])
    try:
        pid = container.pids("lazaret-ship")[0]
        where = [flags for _, flags, data in canaries.mappings(pid) if CANARIES["file"] in data]
        check(where, "it is not there: the search of memory finds nothing")
        check_equal([flags for flags in where if "dd" not in flags], [], "mappings that a core would have")
    finally:
        container.close()


if __name__ == "__main__":
    laz.main()
