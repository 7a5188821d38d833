# SPDX-License-Identifier: Apache-2.0
"""The role fetch on its own: what init would tell it, written byte by byte here, and what it answers.

Must never take its word for a value: what counts is the memfd that came, its seals and its bytes.
"""
import array
import atexit
import base64
import fcntl
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import time

import area
import laz
import sinks_peers as peers

PYTHON = "/usr/bin/python3"  # the one that Debian's python3-botocore is for
SOURCES = ("file", "variable", "secrets-manager", "parameter", "vault", "identity", "parameters", "parameter-tree")
PARTS = ("cert", "chain", "key", "bundle", "p12")
IDENTITY_SOURCES = ("secrets", "acm-pca", "vault-pki")
IDENTITY_KEYS = ("ec-p256", "ec-p384", "rsa-2048", "rsa-3072")
SIGNINGS = ("SHA256WITHECDSA", "SHA384WITHECDSA", "SHA512WITHECDSA", "SHA256WITHRSA", "SHA384WITHRSA", "SHA512WITHRSA")
PURPOSES = {"server": 1, "client": 2, "both": 3}
SAN_TYPES = ("dns", "ip", "uri")
FORMS = ("raw", "base64", "base64url", "hex", "json", "dotenv", "jwk", "jwks", "pem")
ALGS = ("", "A128GCM", "A192GCM", "A256GCM")
VARIABLES = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
             "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
             "AWS_EC2_METADATA_DISABLED", "AWS_REGION", "AWS_DEFAULT_REGION")
MESSAGES = re.findall(r"^LAZ_MESSAGE\((\w+)", (laz.ROOT / "lib/ipc/msg.def").read_text(), re.M)
ERRORS = ["NONE", *re.findall(r"^LAZ_ERROR\((\w+)", (laz.ROOT / "lib/core/err.def").read_text(), re.M)]
SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:"
UID = 65313


# A call of Landlock's that strace fails, and what a helper says of it; the first one is the control. The first ruleset asks for the ABI.
LANDLOCK = (("", None), ("landlock_create_ruleset:error=ENOMEM:when=2", "Landlock: Cannot allocate memory"),
            ("landlock_restrict_self:error=EPERM", "Landlock: Operation not permitted"))


def landlock(fault):
    """Words before a helper's with which it is traced, and this fails; and the trace."""
    trace = area.folder(f"landlock-{fault.partition(':')[0]}") / "trace"
    return ["strace", "-D", "-f", "-qq", "-o", trace, "-e", "trace=landlock_create_ruleset,landlock_restrict_self",
            *(["-e", f"inject={fault}"] if fault else [])], trace


def text(value):
    return value.encode() + b"\0"


def vault_section(vault):
    """Vault's part of it; None: there is none."""
    vault = {"mount": "aws" if vault and "role" in vault else "", **(vault or {})}
    login = 1 if "token" in vault or "variable" in vault else 2 if "role" in vault else 0
    names = [str(vault.get(key, "")) for key in ("address", "ca", "namespace", "token", "variable", "role", "mount", "server-id", "region")]
    return b"".join(map(text, names[:3])) + bytes((login,)) + b"".join(map(text, names[3:]))


def section(items, endpoint="", ca="", region="", imds=False, endpoints=None, profile=0, vault=None,
            identities=(), workload=(10001, 10001, ())):
    """The helper's section of a compiled policy, in the layout of docs/reference/policy-image.md."""
    out = struct.pack("<I", 6) + text(region)
    for service in ("secrets-manager", "ssm", "kms", "acm-pca"):
        out += text((endpoints or {}).get(service, endpoint))
    out += text(str(ca)) + bytes((0, imds, profile, 0)) + struct.pack("<I", 20000) + vault_section(vault)
    out += struct.pack("<I", len(items))
    for item in items:
        source = next(s for s in SOURCES if s in item)
        known = {source, "name", "optional", "region", "json-key", "stage", "version", "decode", "key", "context", "min",
                 "max", "form", "alg", "newline", "part", "is-key", "previous", "exposed"}
        assert set(item) <= known, set(item) - known
        context = item.get("context", {})
        out += text(item["name"]) + bytes((item.get("is-key", False), item.get("optional", False), SOURCES.index(source)))
        out += text(str(item[source]))
        for key in ("region", "json-key", "stage", "version"):
            out += text(item.get(key, ""))
        out += bytes((FORMS.index(item.get("decode", "raw")),)) + text(item.get("key", ""))
        out += struct.pack("<I", len(context)) + b"".join(text(k) + text(v) for k, v in context.items())
        out += struct.pack("<II", item.get("min", 1), item.get("max", 65536))
        out += bytes((FORMS.index(item.get("form", "raw")), ALGS.index(item.get("alg", "")), item.get("newline", False)))
        previous = [i["name"] for i in items].index(item["previous"]) + 1 if "previous" in item else 0
        number = [i["name"] for i in identities].index(item["identity"]) if source == "identity" else 0
        out += bytes((previous, number, PARTS.index(item.get("part", "cert")), item.get("exposed", False)))
    out += struct.pack("<I", len(identities)) + b"".join(identity_bytes(i, items) for i in identities)
    user, group, groups = workload
    return out + struct.pack(f"<III{len(groups)}I", user, group, len(groups), *groups)


def identity_bytes(identity, items):
    """One identity, as a policy says it; its items are those that it is made of, by name."""
    said = identity["from"]
    kind = next(k for k in IDENTITY_SOURCES if k in said)
    numbers = [[i["name"] for i in items].index(said[kind][k]) if kind == "secrets" else 0 for k in ("certificate", "key")]
    sans = [(t, name) for t in SAN_TYPES for name in identity.get("san", {}).get(t, [])]
    out = text(identity["name"]) + bytes((IDENTITY_SOURCES.index(kind), *numbers))
    out += text("" if kind == "secrets" else said[kind]) + text(said.get("template", ""))
    out += bytes((SIGNINGS.index(said.get("signing", SIGNINGS[0])), IDENTITY_KEYS.index(identity.get("key", "ec-p256"))))
    renew = (0, 0) if kind == "secrets" else identity.get("renew", (66, 5))
    out += struct.pack("<IBB", said.get("validity", 0), *renew)
    out += bytes(([i["name"] for i in items].index(identity["p12"]["password"]) + 1 if "p12" in identity else 0,))
    out += text(str(identity.get("ca", "")))
    out += bytes((PURPOSES[identity.get("purpose", "server")],)) + struct.pack("<I", len(sans))
    return out + b"".join(bytes((SAN_TYPES.index(t),)) + text(name) for t, name in sans)


class Result:
    """What came of one run: items and why not and masks by name, the error (kind, text), the exit code, seconds."""

    def __init__(self):
        self.items, self.values, self.masks, self.error, self.code = {}, {}, {}, None, None
        self.words, self.seconds, self.is_done, self.why, self.times, self.at = [], 0, False, {}, {}, {}

    def text(self):
        return "" if self.error is None else self.error[1]


def memfd(value):
    fd = os.memfd_create("inherited", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, value)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
    return fd


def take(fd):
    """The bytes of a memfd, which has to be sealed."""
    laz.check_equal(fcntl.fcntl(fd, fcntl.F_GET_SEALS) & SEALS, SEALS, "seals")
    value = os.pread(fd, 1 << 24, 0)
    laz.check_equal(len(value), os.fstat(fd).st_size, "size")
    os.close(fd)
    return value


def masks_of(data):
    found = []
    while data:
        length, = struct.unpack_from("<I", data)
        found.append(data[4:4 + length])
        laz.check_equal(len(found[-1]), length, "length of a mask")
        data = data[4 + length:]
    return found


class Helper:
    """One lazaret-helper fetch, told everything; `end` is what it made of it."""

    def __init__(self, items, environment=None, inherited=None, wrapper=(), want=None, whole=True, key=None, wait_ms=20000,
                 last=None, **keys):
        self.items, self.result = items, Result()
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        os.set_inheritable(theirs.fileno(), True)
        self.began = time.monotonic()
        run = f"exec 3<&{theirs.fileno()} {theirs.fileno()}<&-; exec \"$@\"" if theirs.fileno() != 3 else 'exec "$@"'
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "bash", "-c", run, "-", *wrapper, laz.BIN / "lazaret-helper", "fetch"],
            pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={"PATH": area.PATH, **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}})
        theirs.close()
        self.say("CONFIG", section(items, **keys))
        for name, value in (environment or {}).items():
            self.say("VARIABLE", bytes((VARIABLES.index(name),)) + text(value))
        for name, value in (inherited or {}).items():
            names = [i["name"] for i in items]
            self.say_with_file("INHERITED", value, struct.pack("<I", names.index(name) if name in names else len(names)))
        if last is not None:  # a wrong order, behind which no other may lie unread: its answer would be lost
            self.say_with_file(last[0], last[1]) if last[0] == "KEY" else self.say(*last)
            return
        self.say_with_file("KEY", os.urandom(32) if key is None else key)
        names = [i["name"] for i in items]
        wanted = sum(1 << names.index(name) for name in (names if want is None else want))
        self.say("WANT", struct.pack("<IBI", wanted, whole, wait_ms))
        self.say("BEGIN")

    def say_with_file(self, word, content, fields=b""):
        fd = memfd(content)
        self.say(word, fields, fd)
        os.close(fd)

    def say(self, word, fields=b"", *fds):
        message = struct.pack("<HHI", MESSAGES.index(word), 0, len(fields)) + fields
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.ours.sendmsg([message], ancillary)

    def hear(self, seconds):
        """The next message: word, fields, descriptors; None at the end."""
        self.ours.settimeout(seconds)
        try:
            message, fds, _, _ = socket.recv_fds(self.ours, 16384, 4)
        except ConnectionResetError:
            return None
        if not message:
            return None
        kind, zero, length = struct.unpack_from("<HHI", message)
        laz.check_equal((zero, length), (0, len(message) - 8), "a message's header")
        self.result.words.append(MESSAGES[kind])
        return MESSAGES[kind], message[8:], fds

    def await_ready(self):
        word, fields, _ = self.hear(30)
        laz.check_equal(word, "READY", f"the first word; {fields!r}")

    def end(self, seconds=60):
        result = self.result
        while heard := self.hear(seconds):
            self.note(*heard)
        out, _ = self.process.communicate(timeout=30)
        result.code, result.seconds = self.process.returncode, time.monotonic() - self.began
        laz.check_no_report(out.decode(errors="replace"))
        laz.check_equal(out, b"", "what it wrote")
        self.ours.close()
        return result

    def note(self, word, fields, fds):
        result = self.result
        laz.check_equal(len(fds), 1 if word in ("VALUE", "MASKS") else 0, f"descriptors of {word}")
        if word == "ITEM":
            number, outcome, renew, expires = struct.unpack_from("<IBQQ", fields)
            version, fingerprint, why = (s.decode() for s in fields[21:-1].split(b"\0"))
            name = self.items[number]["name"]
            laz.check(name not in result.items, f"{name} twice")
            result.items[name] = (("fetched", "absent", "failed")[outcome], version, fingerprint)
            result.why[name], result.times[name], result.at[name] = why, (renew, expires), time.monotonic() - self.began
        elif word == "VALUE":
            result.values[self.items[struct.unpack("<I", fields)[0]]["name"]] = take(fds[0])
        elif word == "MASKS":
            result.masks[self.items[struct.unpack("<I", fields)[0]]["name"]] = masks_of(take(fds[0]))
        elif word == "FAILED":
            result.error = (ERRORS[struct.unpack_from("<I", fields)[0]], fields[4:-1].decode())
        elif word == "DONE":
            result.is_done = True
        else:
            laz.check_equal(word, "READY", "a word of its")


class Standin:
    """One stand-in (aws_standin.py) in a folder of its own."""

    _count = 0
    PROGRAM, PORTS = "aws_standin.py", 2

    def __init__(self, certificate="server", wrapper=(), addresses=(), **data):
        Standin._count += 1
        found = subprocess.run([PYTHON, "-c", "import botocore.auth"], capture_output=True, check=False)
        if found.returncode != 0:
            laz.skip("python3-botocore is not installed")
        self.folder = area.folder(f"aws-{Standin._count}")
        shutil.copy(peers.pki() / f"{certificate}.pem", self.folder / "server.pem")
        shutil.copy(peers.pki() / f"{certificate}.key", self.folder / "server.key")
        self.ca, self.epoch = peers.pki() / "ca.pem", 0
        self.data(**data)
        self.rules()
        self.process = subprocess.Popen(
            [*wrapper, "setpriv", "--pdeathsig", "KILL", PYTHON, laz.ROOT / "tests/e2e" / self.PROGRAM, self.folder,
             *["0"] * self.PORTS, *addresses],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.folder / "said", "ab"))
        atexit.register(self.process.kill)
        words = self.process.stdout.readline().decode().split()
        laz.check_equal(words[:1], ["listens"], (self.folder / "said").read_text()[-800:])
        self.port, *agent = map(int, words[1:])
        self.agent = agent[0] if agent else None

    def _put(self, name, value):
        temporary = self.folder / f"{name}.new"
        temporary.write_text(json.dumps(value))
        temporary.rename(self.folder / name)

    def data(self, **data):
        """What the services hold."""
        self._put("data", data)

    def raw(self, answers):
        """Whole answers, {word of a request: bytes}, for requests that have it."""
        self._put("raw", {word: base64.b64encode(text).decode() for word, text in answers.items()})

    def change(self, **rules):
        """What goes wrong from now on."""
        self.epoch += 1
        self._put("control", {"epoch": self.epoch, **rules})

    def rules(self, **rules):
        """The same; requests are counted anew."""
        self.change(**rules)
        (self.folder / "requests").unlink(missing_ok=True)

    def _lines(self, name):
        path = self.folder / name
        data = path.read_bytes() if path.exists() else b""
        return [json.loads(line) for line in data[:data.rfind(b"\n") + 1].splitlines()]

    def requests(self, call=None):
        return [r for r in self._lines("requests") if call in (None, r["call"])]

    def check_rules(self):
        laz.check_equal(self._lines("violations"), [], "rules that were broken")
        laz.check_equal((self.folder / "said").read_text(), "", "what the stand-in said")

    def environment(self, **more):
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{self.agent}/v2/credentials/CANARYpath",
                "AWS_REGION": "eu-west-1", **more}

    def helper(self, items, environment=None, **keys):
        keys = {"endpoint": f"https://127.0.0.1:{self.port}", "ca": self.ca, **keys}
        return Helper(items, environment=self.environment(**(environment or {})), **keys)

    def fetch(self, items, **keys):
        return self.helper(items, **keys).end()


def secret(name, value, version="11111111-2222-3333-4444-555555555555", stages=("AWSCURRENT",)):
    """One secret of the stand-in's data, as {name: ...}."""
    held = {"SecretBinary": base64.b64encode(value).decode()} if isinstance(value, bytes) else \
        {"SecretString": value}
    return {name: {"ARN": f"{ARN}{name}-AbCdEf", "versions": {version: {"stages": list(stages), **held}}}}
