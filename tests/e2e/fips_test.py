# SPDX-License-Identifier: Apache-2.0
"""tls.fips: OpenSSL's FIPS module computes, or the start is refused by name, or it is said that it does not.

What stands where the module would be is made here (fips/standin.c, which is no cryptography), and lies over OpenSSL's
own folders in the mount namespace of the run alone. A helper that is linked statically refuses whatever lies there.
With --long OpenSSL's own module (fips_module.py) does the work; no build without a loader of libraries can show that.
"""
import base64
import functools
import json
import pathlib
import re
import shutil
import socket
import subprocess

import area
import certificate_world
import fence
import fetch_world
import fips_module
import laz
import secrets_world
import ship_world
import sinks_peers as peers
import trail_judge
import tunnel_world
from laz import case, check, check_equal
from secret_world import KEY
from sinks_peers import Rsyslog

REMEDY = ("lazaret-init: remedy: Build with -DLAZARET_STATIC=OFF, in an image whose OpenSSL has the module and, from openssl "
          "fipsinstall, fipsmodule.cnf; or say tls.fips: prefer. (exit 103)\n")
CA = "arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/1234abcd-12ab-34cd-56ef-1234567890ab"
STATIC = "lazaret-helper is linked statically, and can load none"


@functools.cache
def is_static():
    """Whether the helper under test has no loader of libraries."""
    shown = subprocess.run(["readelf", "-lW", laz.BIN / "lazaret-helper"], capture_output=True, text=True, check=True).stdout
    return "INTERP" not in shown


@functools.cache
def system_folders():
    """Where OpenSSL looks: (for modules, for its configuration)."""
    shown = subprocess.run(["openssl", "version", "-m", "-d"], capture_output=True, text=True, check=True).stdout
    return re.search(r'MODULESDIR: "(.*)"', shown)[1], re.search(r'OPENSSLDIR: "(.*)"', shown)[1]


class Place:
    """What lies where OpenSSL looks for its module, in the runs that are started with this wrapper."""

    def __init__(self, name, module=None, config=None):
        self.modules, self.config = area.folder(f"{name}-modules"), area.folder(f"{name}-config")
        if module is not None:
            (self.modules / "fips.so").write_bytes(module)
        if config is not None:
            (self.config / "fipsmodule.cnf").write_bytes(config)

    @property
    def wrapper(self):
        modules, config = system_folders()
        script = f'mount --bind {self.modules} {modules} && mount --bind {self.config} {config} && exec "$@"'
        return ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")


@functools.cache
def standin(does):
    """The bytes of a module that does not work, in one of three ways."""
    source, target = pathlib.Path(__file__).parent / "fips" / "standin.c", area.folder(f"standin-{does}") / "fips.so"
    subprocess.run(["gcc", "-std=gnu17", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", f"-DDOES={does}", source, "-o", target],
                   check=True)
    return target.read_bytes()


CONFIG = b"[fips_sect]\nactivate = 1\nmodule-mac = 00:11\n"


@functools.cache
def places():
    """(what is wrong, the place, why in words, what init.start says where it is preferred)."""
    modules, config = system_folders()
    broken = "off: the module does not work"
    found = [
        ("absent", Place("absent"), f"{modules}/fips.so: No such file or directory", "off: there is no module"),
        ("cut short", Place("cut", standin(3)[:5000]), f"{modules}/fips.so: it is cut short", broken),
        ("text", Place("text", b"no library at all\n" * 20), f"{modules}/fips.so: could not load the shared library, and there is no fipsmodule.cnf", broken),
        ("refuses", Place("refuses", standin(1), CONFIG), f"{modules}/fips.so: init fail", broken),
        ("self-test", Place("selftest", standin(2), CONFIG), f"{modules}/fips.so: its self-test fails: it does not say why", broken),
        ("empty", Place("empty", standin(3), CONFIG), f"{modules}/fips.so: it has no SHA2-256", broken),
        ("other file", Place("other", standin(3), b"[other]\nmodule-mac = 00\n"), f'{config}/fipsmodule.cnf: it has no section "fips_sect"', broken),
        ("no file", Place("syntax", standin(3), b"[fips_sect\n"), f"{config}/fipsmodule.cnf: missing close square bracket", broken),
    ]
    return found if not is_static() else [(n, p, STATIC, "off: lazaret-helper is linked statically") for n, p, *_ in found]


def refused(code, stderr, why, what):
    check_equal((code, stderr), (103, f"lazaret-init: error: fips-unavailable: tls.fips: no FIPS module: {why}\n{REMEDY}"), what)


@case("required: whatever is wrong with the module, nothing starts, and the error says what and what to do")
def required():
    area.require_root()
    for name, place, why, _ in places():
        world = ship_world.World({"tls": {"fips": "required"}})
        code, stderr = world.outcome("say=up", "exit=3", wrapper=place.wrapper)
        refused(code, stderr, why, name)
        check_equal(world.said(), 0, f"{name}: bytes of the workload")


@case("preferred: it works as without, and init.start says that there is none, and why")
def preferred():
    area.require_root()
    for name, place, _, fact in places():
        world = ship_world.World({"tls": {"fips": "prefer"}})
        code, stderr = world.outcome("say=up", "exit=3", wrapper=place.wrapper)
        check_equal((code, stderr), (3, ""), name)
        check_equal([r["d"]["fips"] for r in world.records("init.start")], [fact], f"{name}: init.start")
        world.judge(trail_judge.FINE)


@case("required: whoever else computes refuses as well, fetch before it has fetched and tunnel before anybody connects")
def others():
    area.require_root()
    _, place, why, _ = places()[0]
    source = area.folder("fetched") / "source"
    source.write_bytes(b"laz-value")
    world = secrets_world.World([{"name": "one", "from": {"file": str(source)}, "file": {"path": "one"}}], {}, real=True,
                                changes={"tls": {"fips": "required"}})
    with world.start(wrapper=place.wrapper) as run:
        code, stderr = run.wait(60).code, run.stderr()
        refused(code, stderr, why, "fetch")
        check(not world.marker.exists(), "the workload has run")
    with tunnel_world.Server(tunnel_world.echo) as server:
        world = tunnel_world.World([{"name": "echo", "to": server.to}], sinks=False, wrapper=place.wrapper)
        world.tls["fips"] = "required"
        with world.start(ready=False):
            code, stderr = world.run.wait(60).code, world.run.stderr()
            refused(code, stderr, why, "tunnel")
        check_equal(server.versions, [], "connections")


def real(name, change=lambda module, config: (module, config)):
    """OpenSSL's own module and its file, or what `change` makes of them."""
    return Place(name, *change(*fips_module.module()))


def flipped(module, config):
    """One bit of what the module says of itself is another."""
    at = module.index(b"OpenSSL FIPS Provider")
    return module[:at] + bytes([module[at] ^ 1]) + module[at + 1:], config


if laz.LONG and not is_static():

    @case("OpenSSL's own module computes: trail, spool and tunnel are as ever, and init.start says on")
    def computes():
        area.require_root()
        place = real("real")
        for wanted in ("prefer", "required"):
            world = ship_world.World({"tls": {"fips": wanted}})
            check_equal(world.outcome("lines=100", "exit=3", wrapper=place.wrapper), (3, ""), wanted)
            check_equal([r["d"]["fips"] for r in world.records("init.start")], ["on"], wanted)
            world.judge(trail_judge.FINE)
        with tunnel_world.Server(tunnel_world.echo) as server:
            world = tunnel_world.World([{"name": "echo", "to": server.to}], [{"name": "in", "to": server.to}], wrapper=place.wrapper)
            world.tls["fips"] = "required"
            with world.start(), world.dial("echo") as plain:
                plain.sendall(b"x" * 100_000)
                plain.shutdown(socket.SHUT_WR)
                check_equal(len(tunnel_world.read_all(plain)), 100_000, "bytes that came back")
                check_equal(world.records("tunnel.refused"), [], "refusals")
                check_equal(set(server.versions), {"TLSv1.3"}, "versions")
                with world.dial_tls("in") as outside:
                    check_equal(outside.version(), "TLSv1.3", "from outside")

    @case("OpenSSL's own module computes for fetch, which signs, checks and makes a key, and for a collector over TLS; init.start says on")
    def computes_for_others():
        area.require_root()
        place, issued = real("real-others"), certificate_world.good()
        services = fetch_world.held()
        services.data(**json.loads((services.folder / "data").read_text()), pca=CA)
        for name in ("root.pem", "inter.pem", "inter.key"):
            shutil.copy(issued / name, services.folder)
        url = f"https://127.0.0.1:{services.port}"
        wrapped = {"from": {"variable": "WRAPPED"}, "decode": "base64", "decrypt": {"key": KEY, "context": {"app": "emr"}}}
        items = [{"name": name, **said, "file": {"path": name}} for name, said in
                 (("manager", {"from": {"secrets-manager": "prod/db"}}), ("parameter", {"from": "/prod/db"}), ("kms", wrapped))]
        made = {"name": "web", "from": {"acm-pca": CA, "signing": "SHA256WITHECDSA", "validity": "24h"}, "san": {"dns": ["app.internal"]},
                "ca": str(issued / "root.pem"), "files": {"dir": "tls/web"}}
        changes = {"tls": {"fips": "required", "identities": [made]},
                   "secrets": {"ca": str(services.ca), "start-deadline": "15s",
                               "endpoints": dict.fromkeys(("secrets-manager", "ssm", "kms", "acm-pca"), url)}}
        pki, rsyslog = peers.pki(), Rsyslog("fips")
        with secrets_world.World(items, {}, real=True, changes=changes) as world:
            tls = {"ca": pki / "ca.pem", "cert": pki / "client.pem", "key": pki / "client.key", "peer": "server.test"}
            world.sinks = [{"name": "trail", "type": "file", "path": str(world.trail), "classes": ["audit", "ids", "log"], "required": True},
                           {"name": "collector", "type": "relp", "to": f"127.0.0.1:{rsyslog.ports['relps']}", "required": True,
                            "classes": ["audit", "ids", "log"], "tls": {key: str(value) for key, value in tls.items()}}]
            env = {**fence.ENVIRONMENT, **services.environment(), "WRAPPED": base64.b64encode(fetch_world.BLOB).decode()}
            with world.start("time.sleep(60)", env=env, wrapper=place.wrapper) as run:
                world.seen()
                below = pathlib.Path(f"{world.disk.seen(world.dir)}/..data")
                check_equal([(below / name).read_text() for name in ("manager", "parameter", "kms")], [fetch_world.CANARY] * 3, "values")
                chain, key = (below / "tls/web" / f"{part}.pem" for part in ("chain", "key"))
                shown = [subprocess.run(["openssl", *words], capture_output=True, check=True).stdout
                         for words in (("x509", "-in", chain, "-noout", "-pubkey"), ("pkey", "-in", key, "-pubout"))]
                check_equal(shown[0], shown[1], "the key of the certificate")
                ship_world.until(lambda: sum(b'"ev":"init.start"' in line for line in rsyslog.lines()), run.describe, 30)
                run.kill(fence.TERM)
                run.wait()
            check_equal([r["d"]["fips"] for r in world.records("init.start")], ["on"], "init.start")
        rsyslog.stop()
        check(any(b'"ev":"chain.final"' in line for line in rsyslog.lines()), "the end of the trail has not arrived")
        services.check_rules()

    @case("OpenSSL's own module, changed by a bit or without its file, is refused in OpenSSL's own words")
    def changed():
        area.require_root()
        modules, _ = system_folders()
        for name, change, why in (
                ("flipped", flipped, "module integrity failure"),
                ("checksum", lambda m, c: (m, re.sub(rb"module-mac = ..", b"module-mac = 00", c)), "module integrity failure"),
                ("unsaid", lambda m, _: (m, None), "missing config data, and there is no fipsmodule.cnf")):
            world = ship_world.World({"tls": {"fips": "required"}})
            code, stderr = world.outcome("say=up", "exit=3", wrapper=real(name, change).wrapper)
            refused(code, stderr, f"{modules}/fips.so: {why}", name)


if __name__ == "__main__":
    if laz.LONG and not is_static():
        fips_module.module()  # here, because no case has a way to the distribution's servers
    laz.main()
