# SPDX-License-Identifier: Apache-2.0
"""Programs that people run, and what they make of a key and a certificate that Lazaret has delivered: the table of the docs.

The same programs get the same key in ways that nobody should deliver it, and then have to refuse: that is what owner and
mode are for. `secret_readers_test.py --write` writes the table; without it this suite fails when the page says anything else.
"""
import collections
import fcntl
import functools
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import sys

import area
import fence
import laz
import ship_world
import sinks_peers
from laz import case, check, check_equal
from secrets_world import HERE, World

PAGE = laz.ROOT / "docs" / "reference" / "secret-readers.md"
# PostgreSQL starts for nobody without a name; where it is not installed, any user does.
USER = "postgres" if any(u.pw_name == "postgres" for u in pwd.getpwall()) else "nobody"
PASSWORD = "a test's"
ROWS = {"nginx": "nginx", "haproxy": "HAProxy, `crt`", "stunnel4": "stunnel", "redis-server": "redis, `tls-key-file`",
        "postgres": "PostgreSQL, `ssl_key_file`", "psql": "libpq, `sslkey`", "java": "OpenJDK, `KeyStore`, `Files`",
        "python3": "Python, `load_cert_chain`", "node": "Node, `readFileSync`", "openssl": "`openssl s_server`, `pkey`",
        "curl": "curl, `--key`", "sh": "`cat` of a shell of a shell"}
RELOADS = {"nginx": "HUP", "haproxy": "USR2 (`-W`)", "stunnel4": "HUP", "redis-server": "`CONFIG SET`", "postgres": "HUP",
           "python3": "reads again", "node": "reads again"}
GOOD = {"file": "file, `0400`", "fd": "`/dev/fd/N`"}
LOOSE = {"file-0440": "file, `0440`"}
NAIVE = {"memfd": "memfd as it is made", "memfd-0400": "memfd, `0400`, root's", "pipe": "pipe"}
WAYS = {**GOOD, **LOOSE, **NAIVE}
FILES = ("key", "certificate", "bundle", "store")  # of one identity


def must(*words, **rest):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False, timeout=60, **rest)
    check_equal(done.returncode, 0, f"{words[0]}: {done.stdout}{done.stderr}")


@functools.cache
def identity():
    """{what: path} of what is delivered, readable for root alone."""
    pki, folder = sinks_peers.pki(), area.folder("identity")
    key, certificate = pki / "server.key", folder / "signed.pem"
    (folder / "ext").write_text("subjectAltName=DNS:server.test,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
    must("openssl", "x509", "-req", "-in", pki / "server.csr", "-CA", pki / "ca.pem", "-CAkey", pki / "ca.key", "-days", "2",
         "-out", certificate, "-extfile", folder / "ext")
    made = {name: folder / name for name in FILES}
    shutil.copy(key, made["key"])
    shutil.copy(certificate, made["certificate"])
    made["bundle"].write_bytes(key.read_bytes() + certificate.read_bytes())  # as bundle.pem has it
    must("openssl", "pkcs12", "-export", "-inkey", key, "-in", certificate, "-out", made["store"], "-passout", f"pass:{PASSWORD}")
    for path in made.values():
        path.chmod(0o400)
    return made


@functools.cache
def java():
    """(program, folder of classes), or ("", "") if there is none."""
    found = sorted(pathlib.Path("/usr/lib/jvm").glob("java-*-openjdk-*/bin/java"))
    if not found:
        return "", ""
    classes = area.folder("classes")
    must(found[-1], "-m", "jdk.compiler/com.sun.tools.javac.Main", "-d", classes, HERE / "secrets" / "Reader.java")
    return str(found[-1]), str(classes)


class Place:
    """A folder of the user's own, with what the programs need beside the key, and what came of them."""

    _count = 0

    def __init__(self, ways, only):
        Place._count += 1
        self.user, self.folder = pwd.getpwnam(USER), area.folder(f"place-{Place._count}")
        pki, own = sinks_peers.pki(), {}
        for name in ("key", "pem"):
            own[name] = self.folder / f"own.{name}"
            shutil.copy(pki / f"server.{name}", own[name])
            own[name].chmod(0o400)
        shutil.copy(pki / "ca.pem", self.folder / "ca.pem")
        (self.folder / "work").mkdir()
        for path in (self.folder, *self.folder.iterdir()):
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        program, classes = java()
        self.out, self.config = self.folder / "seen.json", self.folder / "config.json"
        self.config.write_text(json.dumps({
            "work": str(self.folder / "work"), "ways": ways, "ca": str(self.folder / "ca.pem"), "only": list(only),
            "ports": sinks_peers.free_ports(len(ways) * len(ROWS)), "data": str(self.database()), "java": program, "classes": classes,
            "own": {"key": str(own["key"]), "certificate": str(own["pem"])}, "password": PASSWORD, "out": str(self.out)}))

    def database(self):
        data = self.folder / "data"
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if found:
            must(*self.as_user(), found[-1], "-D", data, "-U", USER, "-N", "-A", "trust", "--no-locale", cwd="/")
            (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust clientcert=verify-ca\n")
        return data

    def as_user(self):
        return ["setpriv", "--reuid", self.user.pw_uid, "--regid", self.user.pw_gid, "--clear-groups", "--inh-caps=-all"]

    def seen(self):
        return json.loads(self.out.read_text())


def written(mode):
    """The same pair as an identity: its bundle.pem is written by Lazaret."""
    made = identity()
    return {"name": "web", "from": {"file": {what: str(made[what]) for what in ("certificate", "key")}},
            "san": {"dns": ["server.test"], "ip": ["127.0.0.1"]}, "purpose": "both", "files": {"dir": "web", "mode": mode}}


def items(mode):
    """Each of the identity's files as a file and as a descriptor."""
    return [{"name": name, "from": {"file": str(path)}, "file": {"path": f"tls/{name}", "mode": mode},
             "fd": {"number": 20 + n, "variable": f"{name.upper()}_FD"}} for n, (name, path) in enumerate(identity().items())]


def delivered(ways, mode, only=ROWS):
    """What the programs see as the workload of a real init."""
    changes = {"workload": {"user": USER}, "syscalls": {"allow": ["shmget", "shmat", "shmdt", "shmctl"]},
               "tls": {"identities": [written(mode)]}}
    with World(items(mode), {}, real=True, changes=changes) as world:
        paths = {"file": {name: str(world.dir / "tls" / name) for name in FILES},
                 "fd": {name: f"/dev/fd/{20 + n}" for n, name in enumerate(FILES)}}
        paths["file"]["bundle"] = str(world.dir / "web" / "bundle.pem")
        place = Place({way: paths[way.split("-")[0]] for way in ways}, only)
        script = str(HERE / "secrets" / "readers.py")
        then = f"import runpy; sys.argv = ['readers.py', {str(place.config)!r}]; runpy.run_path({script!r})"
        with world.start(then, numbers=range(20, 24)) as run:
            ship_world.until(lambda: place.out.exists() or run.has_ended(0.1), lambda: run.describe(), 120, 0.1)
            check_equal(str(run.wait()), "exit 0", run.stderr())
            said = run.stderr()
        return place.seen(), said


def naive():
    """What they see where a program of root's just hands a memfd, or a pipe, on: no owner, no mode, or one and not the other."""
    held, ways = [], {}
    for way in NAIVE:
        ways[way] = {}
        for name, path in identity().items():
            if way == "pipe":
                number, end = os.pipe()
                os.write(end, path.read_bytes())
                os.close(end)
            else:
                number = os.memfd_create(name)
                os.write(number, path.read_bytes())
            if way == "memfd-0400":
                os.fchmod(number, 0o400)
            held.append(fcntl.fcntl(number, fcntl.F_DUPFD, 60))  # below ten they are a shell's
            os.close(number)
            ways[way][name] = f"/dev/fd/{held[-1]}"
    place = Place(ways, ROWS)
    done = subprocess.run([str(w) for w in [*place.as_user(), "python3", HERE / "secrets" / "readers.py", place.config]], pass_fds=held,
                          capture_output=True, text=True, check=False, timeout=120, cwd="/", env=fence.ENVIRONMENT)
    check_equal(done.returncode, 0, done.stderr)
    for number in held:
        os.close(number)
    return place.seen(), done.stderr


_seen = collections.defaultdict(dict)
_said = []


def look(of, *args):
    found, said = of(*args)
    _said.append(said)
    for program, ways in found.items():
        _seen[program] |= ways
    return found


def absent():
    return sorted(program for program, ways in _seen.items() if any(start == "absent" for start, _ in ways.values()))


@case("what is delivered, as a file and as a descriptor, is read by every program, and again when it reloads")
def good():
    found = look(delivered, list(GOOD), "0400")
    wanted = {program: {way: ["yes", "yes" if program in RELOADS else "-"] for way in GOOD} for program in ROWS}
    there = {program: ways for program, ways in found.items() if program not in absent()}
    print(f"     {len(there)} programs read it, {len(absent())} are absent {absent()}", flush=True)
    check_equal(there, {program: wanted[program] for program in there}, "".join(_said))
    if absent():
        laz.skip(f"not installed: {', '.join(absent())}")


@case("control: with a mode that lets the group read, libpq and PostgreSQL refuse, and nobody else")
def loose():
    found = look(delivered, list(LOOSE), "0440")
    refused = [program for program in found if found[program]["file-0440"][0] == "refused"]
    check_equal(set(refused) | set(absent()), {"psql", "postgres", *absent()}, "".join(_said))


@case("control: from somebody who only hands a descriptor on, those that look at owner and mode refuse; root's 0400, and a pipe, all")
def handed_on():
    found = look(naive)
    refused = {way: {p for p in found if found[p][way][0] == "refused"} for way in NAIVE}
    everybody = set(ROWS) - set(absent())
    check_equal(refused["memfd"], {"psql", "postgres"} & everybody, "".join(_said))
    check_equal((refused["memfd-0400"], refused["pipe"]), (everybody, everybody), "".join(_said))


# ---- The page ----

INTRODUCTION = """<!-- SPDX-License-Identifier: Apache-2.0 -->
# Programs that read delivered secrets

What real programs make of a private key, its certificate and a PKCS #12 store that an item of `secrets.items` has
delivered, and of the same ones handed over in ways that Lazaret does not use. It is generated: `tests/e2e/secret_readers_test.py
--write` runs every program of Debian 12, as an ordinary user, below `lazaret-init`; each has to complete a TLS handshake with the
key, or to print it. The test suite fails when this page says anything else than what it sees.

The last three columns are what a wrapper does that makes a memfd or a pipe and executes the program as another user; there
is no Lazaret in them. That is why a delivered descriptor belongs to the workload's user and has the mode `0400`.
"""
NOTES = """
"yes" of `reload`: it reads the same paths again, while it runs, and serves on. A descriptor is the same sealed bytes for ever:
what has to be renewed is delivered as a file.

- `/dev/fd/N` is opened anew each time, from its beginning, as often as the program likes, as long as it, or its parent, has kept
  the descriptor open. Python's `subprocess`, Java's `ProcessBuilder` and Node's `child_process` close it in children unless they
  are told otherwise (`pass_fds`, `stdio`); a shell hands it on.
- What resolves a path first fails with `/dev/fd/N`, because it leads to no file: `Path.toRealPath()`, `Path.resolve(strict=True)`,
  `realpathSync`. Such a program needs `file`.
- libpq and PostgreSQL refuse a key that anybody but its owner may read: `mode: "0440"` is not for them.
- HAProxy wants certificate and key in one file. Here that is the `bundle.pem` of an
  [identity](certificates.md#what-the-workload-gets), where the key comes first.
"""


def page():
    out = [INTRODUCTION, f"| | {' | '.join(GOOD.values())} | reload | {' | '.join([*LOOSE.values(), *NAIVE.values()])} |",
           "|---" * (3 + len(WAYS) - 1) + "|"]
    for program, title in ROWS.items():
        ways = _seen[program]
        again = {ways[way][1] for way in GOOD}
        cells = [ways[way][0] for way in GOOD]
        cells += [f"{RELOADS[program]}: {'/'.join(sorted(again))}" if program in RELOADS else "-"]
        out.append(f"| {title} | {' | '.join(cells + [ways[way][0] for way in (*LOOSE, *NAIVE)])} |")
    return "\n".join(out) + "\n" + NOTES


@case("the published table says what was seen")
def published():
    if absent():
        laz.skip(f"not installed: {', '.join(absent())}")
    for way in WAYS:
        check(all(way in ways for ways in _seen.values()) and _seen, "only where all cases have run")
    rows = [line for line in page().splitlines() if line.startswith("| ")]
    there = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    check_equal(there, rows, "the published table")


if __name__ == "__main__":
    if "--write" in sys.argv:
        for part in ((delivered, list(GOOD), "0400"), (delivered, list(LOOSE), "0440"), (naive,)):
            look(*part)
        print("".join(_said))
        PAGE.write_text(page())
        sys.exit(0)
    laz.main()
