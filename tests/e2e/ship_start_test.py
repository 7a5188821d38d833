# SPDX-License-Identifier: Apache-2.0
"""What ship believes while it starts: with root's rights it opens files and looks into none, and nothing that an
image brings along, least of all a configuration of OpenSSL, changes what it does."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import adapters
import fence
import laz
import ship_world
import sinks_peers as peers
from laz import case, check, check_equal
from ship_world import World, sealed, until
from sinks_peers import RelpSession, Rsyslog, Scripted

MARK = "a module of the image ran"


def relp(port, **tls):
    return {"name": "collector", "type": "relp", "to": f"127.0.0.1:{port}", "classes": ["audit", "ids", "log"],
            "required": True, "tls": {key: str(value) for key, value in tls.items()}}


def own_calls(run):
    """The system calls of the first ship, in order, from a trace that followed."""
    lines = run.traced()
    ship = next(line.split()[0] for line in lines if 'lazaret-ship' in line and "prctl(PR_SET_NAME" in line)
    return [line.split(None, 2)[2] for line in lines if line.split()[0] == ship]


def index(calls, pattern, what):
    found = [i for i, call in enumerate(calls) if re.search(pattern, call)]
    check(found, f"{what}: no call like {pattern}")
    return found


def traced(world, code):
    """The calls of ship in a run that ends by itself."""
    with world.start("say=up", "exit=0", conditions=["hold"], ready=False) as run:
        run.trace("-y", "-e", "trace=openat,open,read,pread64,setresuid,seccomp,sendmsg,prctl")
        check_equal(str(run.wait(60)), f"exit {code}", f"the end: {run.stderr()}")
        return own_calls(run), run.stderr()


@case("certificates, keys and an earlier run's spool are looked into by the role's own user, behind its filter")
def narrowed_first():
    pki, rsyslog = peers.pki(), Rsyslog("narrowed-first")
    world = World(sealed(opens=True), [ship_world.NOWHERE])
    with world.start("lines=10", "sleep=60000", ready=False) as run:
        until(lambda: world.spooled().count(b'"ev":"log"') == 10, "lines in the spool")
        run.kill(fence.KILL)
        run.wait()
    world.sinks = [relp(rsyslog.ports["relps"], ca=pki / "ca.pem", cert=pki / "client.pem", key=pki / "client.key",
                        peer="server.test")]
    calls, errors = traced(world, 0)
    check_equal(errors, "", "stderr")
    user, = index(calls, rf"^setresuid\({ship_world.SHIP_UID}", "its user")[:1]
    behind, = index(calls, r"^seccomp\(SECCOMP_SET_MODE_FILTER", "its filter")[:1]
    check(user < behind, "the filter came before the user")
    for name in ("ca.pem", "client.pem", "client.key"):
        opened, *_ = index(calls, rf"^open(at)?\(.*[/\"]{name}\", O_RDONLY", name)
        read, *_ = index(calls, rf"^read\(\d+<[^>]*/{name}>", name)
        check(opened < user and behind < read, f"{name}: opened at {opened}, user {user}, filter {behind}, read at {read}")
    segments = index(calls, r'\.lzs"', "segments")
    check(behind < segments[0], f"a segment was opened at {segments[0]}, before the filter at {behind}")
    rsyslog.stop()
    check(sum(b'"ev":"log"' in line for line in rsyslog.lines()) == 11, "the lines of both runs have not arrived")


@case("a key, or a certificate, that is none is found behind the filter too, and named as ever")
def bad_ones():
    bad = fence.scratch() / "bad.pem"
    bad.write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    private, _ = ship_world.recovery_key()
    good = {"ca": peers.pki() / "ca.pem", "peer": "server.test"}
    rows = [("seal-to", sealed(**{"seal-to": [str(bad)]}), {}, f"recovery key 1: {bad}: "),
            ("private", sealed(**{"seal-to": [str(private)]}), {}, f"recovery key 1: {private}: this is a private key: never put it into the image"),
            ("open-with", sealed(**{"open-with": str(bad)}), {}, "spool"),
            ("ca", {}, {**good, "ca": bad}, f"sink collector: {bad}: no certificate in it")]
    for name, changes, tls, words in rows:
        world = World(changes)
        world.sinks = [relp(9, **tls)] if tls else world.sinks
        calls, errors = traced(world, 106)
        check(words in errors, f"{name}: {errors}")
        behind, *_ = index(calls, r"^seccomp\(SECCOMP_SET_MODE_FILTER", f"{name}: its filter")
        said, *_ = index(calls, r"^sendmsg\(3<", f"{name}: what it says to init")
        check(behind < said, f"{name}: said at {said}, filter at {behind}")


@case("a spool that killed runs have filled, sealed to a key that is not here: 106 by name; taken out as the page says, it starts")
def filled():
    down = {"name": "down", "type": "syslog", "transport": "tcp", "to": "127.0.0.1:9", "plain": True, "classes": ["audit", "log"]}
    world = World(sealed(max="4MiB", segment="1MiB"), [down])
    for _ in range(2):
        with world.start("lines=24000,120", "say=up", "term", ready=False) as run:
            until(lambda: run.ended or world.said() == 24000 * 121 + 3, lambda: f"what it says: {run.describe()}", 30)
            check_equal(run.ended, None, run.stderr())
            run.kill(fence.KILL)
            run.wait()
    segments = sorted(world.spool.glob("*.lzs"))
    left = (4 << 20) - sum(segment.stat().st_size for segment in segments)
    with open(segments[-1], "ab") as last:  # what events of Lazaret's own may take, which took many kills more
        last.write(b"\xff" * left)
    code, errors = world.outcome("exit=3")
    check_equal(code, 106, errors)
    check("are in the spool, and nobody here can read them" in errors, errors)
    policy = world.folder / "policy.yaml"
    policy.write_text(json.dumps(world.policy()))
    done = subprocess.run([laz.BIN / "lazaret", "doctor", "--json", policy], capture_output=True, check=False)
    (line,) = [c for c in json.loads(done.stdout)["checks"] if c["name"] == "spool-content"]
    check_equal((line["state"], line["vital"], done.returncode), ("no", True, 1), f"{line}")
    read = world.spooled()
    logs, geneses = (read.count(b'"ev":"%s"' % ev) for ev in (b"log", b"chain.genesis"))
    check(logs > 10000 and geneses == 2, f"what the key reads: {logs} lines, {geneses} geneses")
    for segment in world.spool.glob("*.lzs"):
        segment.unlink()
    world.sinks = [world.file_sink()]
    check_equal(world.outcome("exit=3")[0], 3, "a run with room")
    check_equal(world.records("chain.genesis")[0]["d"]["before"], None, "what its genesis names")


# ---- OpenSSL ----


@case("a file of a sink or of the spool that the workload leads elsewhere is read by no later ship; where its keeper leads is")
def led_elsewhere():
    pki, keys, secret = peers.pki(), ship_world.recovery_key(), fence.scratch() / "foreign"
    secret.write_text("CANARYforeign")
    secret.chmod(0o400)
    # In the order in which ship opens them, each in a folder of its own.
    sources = {"seal": keys[1], "open": keys[0], "ca": pki / "ca.pem", "cert": pki / "client.pem", "key": pki / "client.key"}
    files = {name: fence.scratch() / f"led-{name}" / "file" for name in sources}
    keeper = 100
    for name, source in sources.items():
        files[name].parent.mkdir()
        shutil.copy(source, files[name])
        os.chown(files[name].parent, keeper, 0)
    world = World({"spool": {"seal-to": [str(files["seal"])], "open-with": str(files["open"])}})
    tls = {name: files[name] for name in ("ca", "cert", "key")}
    world.sinks.append({**relp(9, **tls, peer="server.test"), "required": False})

    def lead(user, name):
        os.chown(files[name].parent, user, 0)
        subprocess.run(["setpriv", f"--reuid={user}", "--clear-groups", "ln", "-sfn", secret, files[name]], check=True)

    def refused(before, name):
        """Another ship than this one has come and gone; the file is then put back."""
        pid = world.ship(before)
        until(lambda: fence.state(pid) in "ZX", f"the end of a ship without {name}")
        os.chown(files[name].parent, keeper, 0)
        files[name].unlink()
        shutil.copy(sources[name], files[name])
        return pid

    def said():
        world.ready()
        return until(lambda: [r["d"]["message"] for r in world.records("helper.exit")], "records of it")

    with world.start("lines=10", "term", "exit=3") as run:
        for name in ("ca", "seal"):  # control: whoever keeps the folder may, and root reads it for them
            pid = world.ready()
            lead(keeper, name)
            os.kill(pid, fence.KILL)
            refused(pid, name)
            words = {"ca": f"sink collector: {files['ca']}: no certificate in it",
                     "seal": f"recovery key 1: {files['seal']}: a recovery key is no public key"}[name]
            until(lambda text=words: any(m.startswith(text) for m in said()), lambda n=name: f"what {n} leads to: {said()}")
        pid = world.ready()
        led = [name for name in files if laz.LONG or name in ("seal", "ca", "key")]
        for name in led:
            lead(adapters.WORKLOAD_UID, name)
        os.kill(pid, fence.KILL)
        for name in led:
            pid = refused(pid, name)
        for name, file in ((name, files[name]) for name in led):
            start = {"seal": "spool.seal-to", "open": "spool.open-with"}.get(name, "sink collector")
            words = f"{start}: {file}: {file.parent} belongs to the workload, user {adapters.WORKLOAD_UID}"
            until(lambda text=words: text in said(), lambda n=name: f"why not {n}: {said()}")
        run.kill(fence.TERM)
        check_equal(str(run.wait()), "exit 3", run.stderr())
    check(b"CANARY" not in world.bytes(), "what a path led to is in the trail")


def hostile(folder):
    """A configuration that loads code, and allows no version of TLS that we speak; and who starts with it."""
    source, module, mark = folder / "module.c", folder / "module.so", folder / "mark"
    source.write_text(f"""#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void run(void)
{{
    int fd = open("{mark}", O_WRONLY | O_CREAT, 0666);
    if (fd >= 0) {{
        (void)!write(fd, "{MARK}", {len(MARK)});
    }}
}}
""")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", module, source], check=True)
    config = folder / "openssl.cnf"
    config.write_text(f"""openssl_conf = init
[init]
providers = providers
ssl_conf = ssl
[providers]
hostile = hostile
[hostile]
module = {module}
activate = 1
[ssl]
system_default = defaults
[defaults]
MaxProtocol = TLSv1.1
""")
    place = subprocess.run(["openssl", "version", "-d"], capture_output=True, text=True, check=True).stdout.split('"')[1]
    where = (pathlib.Path(place) / "openssl.cnf").resolve()
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c",
            f'mount --bind {config} {where} && exec "$0" "$@"'), mark


@case("an openssl.cnf of the image loads no code into ship, and does not change what TLS it speaks")
def openssl_cnf():
    folder, pki = fence.scratch() / "hostile", peers.pki()
    folder.mkdir()
    wrapper, mark = hostile(folder)
    subprocess.run([*wrapper, "openssl", "list", "-providers"], capture_output=True, check=False)
    check(mark.exists() and mark.read_text() == MARK, "the control: openssl itself does not load the module")
    mark.unlink()
    seen = []

    def script(connection, _):
        with context.wrap_socket(connection, server_side=True) as secure:
            seen.append(secure.version())
            RelpSession(secure).take_all()

    context = peers.server_context()
    server = Scripted(script)
    world = World(sinks=[relp(server.port, ca=pki / "ca.pem", peer="server.test")])
    code, errors = world.outcome("say=up", "exit=3", wrapper=wrapper)
    check_equal((code, errors), (3, ""), "the end")
    check(not mark.exists(), MARK)
    check_equal(seen, ["TLSv1.3"], "what was spoken")
    environment = {**fence.ENVIRONMENT, "OPENSSL_CONF": str(folder / "openssl.cnf"), "OPENSSL_MODULES": str(folder)}
    code, errors = World(sinks=world.sinks).outcome("say=up", "exit=3", env=environment)
    check_equal((code, errors, mark.exists()), (3, "", False), "by the environment")


if __name__ == "__main__":
    laz.main()
