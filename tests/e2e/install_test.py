# SPDX-License-Identifier: Apache-2.0
"""lazaret install runtime on hosts that are folders: what it shows, does, checks and undoes, and what it refuses to touch.

With real engines: install_engines_test.py. runc's place: install_divert_test.py.
"""
import json
import os
import random
import shutil
import tomllib

import area
import laz
import readme
from install_world import FILES, RUNC, SHIM, STATE, Host, calls_of, check_finding, differences, kill_at, stopped_at
from laz import case, check, check_equal

PAGE = laz.ROOT / "docs" / "reference" / "install.md"
ENGINES = tuple(FILES)
NAMED = {"runtimes": {"lazaret": {"path": SHIM}}}
PRETTY = '{\n    "log-driver": "journald",\n    "default-ulimits": {"core": {"Soft": 18446744073709551615}}\n}\n'
CRI = 'plugins."io.containerd.grpc.v1.cri"'
DEBIAN = """\
version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
  [plugins."io.containerd.internal.v1.opt"]
    path = "/var/lib/containerd/opt"
"""
FOUND = {"docker": [None, PRETTY, "{}", '{"runtimes":{}}', '{"runtimes": {"other": {"path": "/opt/x"}}, "debug": true}', ' { "runtimes" : null } '],
         "containerd": [None, DEBIAN, "version = 2", "version = 2\n[a]\n"], "podman": [None]}


@case("what it shows is what it does: nothing is changed by looking, and each engine's file is as it was after --undo")
def round_trip():
    for engine in ENGINES:
        for text in FOUND[engine]:
            host = Host()
            if text is not None:
                host.put(FILES[engine], text, 0o640, (0, 7))
            before = host.look()
            for words in (["--engine", engine], ["--engine", engine, "--default"]):
                shown = host.as_json(*words, expect=1)
                check_equal((shown["mode"], shown["findings"], shown["parts"][0]["state"]), ("show", [], "is to be changed"), f"{engine} {text!r}")
                check_equal(host.look(), before, "after looking")
                check_finding(host.call(*words, "--check"), "not-installed", f"/{FILES[engine]} does not name lazaret-shim")
                done = host.as_json(*words, "--apply")
                check_equal(done["parts"][0]["diff"], shown["parts"][0]["diff"], "what was shown and what was done")
                path = host.root / FILES[engine]
                status = path.stat()
                wanted = (0o644, 0, 0) if text is None else (0o640, 0, 7)
                check_equal((status.st_mode & 0o7777, status.st_uid, status.st_gid), wanted, "mode and owner")
                after = host.look()
                for again in ("--apply", "--check"):
                    check_equal(host.call(*words, again, expect=0).out, f"{engine}: /{FILES[engine]} names lazaret-shim: nothing to do\n", again)
                check_equal(host.look(), after, "after doing it again")
                check_equal(sorted(os.listdir(host.root / STATE)), sorted([f"{engine}.json"] + ([f"{engine}.before"] if text is not None else [])), "records")
                host.call("--engine", engine, "--undo", expect=0)
                check_equal(differences(before, host.look()), [], f"{engine} {text!r} after --undo")
            check("nothing to undo" in host.call("--engine", engine, "--undo", expect=0).out, "a second time")
            host.close()


@case("docker: runtimes.lazaret is all that comes, default-runtime where it is wanted, and every other byte stays")
def docker():
    host = Host()
    path = host.put(FILES["docker"], PRETTY)
    host.call("--engine", "docker", "--apply", expect=0)
    text = path.read_text()
    check_equal(json.loads(text), {**json.loads(PRETTY), **NAMED}, "with the runtime")
    check("18446744073709551615" in text and text.startswith(PRETTY.rstrip("\n}")), text)
    host.call("--engine", "docker", "--default", "--apply", expect=0)
    check_equal(json.loads(path.read_text()), {**json.loads(PRETTY), **NAMED, "default-runtime": "lazaret"}, "and by default")
    host.call("--engine", "docker", "--check", expect=0)
    host.call("--engine", "docker", "--undo", expect=0)
    check_equal(path.read_text(), PRETTY, "after both")
    path.write_text('{"runtimes": {"lazaret": {"path": "/old"}}, "default-runtime": "runc"}')
    done = host.call("--engine", "docker", "--default", "--apply", expect=0)
    check_equal(json.loads(path.read_text()), {**NAMED, "default-runtime": "lazaret"}, "an older path")
    check('-{"runtimes": {"lazaret": {"path": "/old"}}' in done.out and "then run: systemctl reload docker" in done.out, done.out)


@case("daemon.json that dockerd would read in another way than it is written is refused by name, and not touched")
def docker_refused():
    for text, why in (
            ('{"a": 1, "a": 2}', "key"), ('{"Runtimes": {}}', "Runtimes is read as the same key in small letters"),
            ('{"DEFAULT-runtime": "x"}', "DEFAULT-runtime is read"), ('// no\n{}', "daemon.json: "), ("{} {}", "daemon.json: "), ("", "daemon.json: "),
            ("[]", "is no object"), ('{"runtimes": []}', '"runtimes" is no object'), ('{"runtimes": {"lazaret": 1}}', "runtimes.lazaret is no object"),
            ('{"runtimes": {"lazaret": {"path": "/x", "runtimeArgs": ["--debug"]}}}', 'has more than "path"'),
            ("{" + " " * (1 << 20) + "}", "too large"), ('{"a": "\xff"}'.encode("latin-1"), "UTF-8")):
        host = Host()
        host.put(FILES["docker"], text)
        before = host.look()
        for words in ([], ["--apply"], ["--check"]):
            check_finding(host.call("--engine", "docker", *words), "engine-file-refused", why, "/etc/docker/daemon.json")
        check_equal(host.look(), before, f"{text[:80]!r}")
        host.close()


def make_link(host, path):
    (host.root / "elsewhere").write_text("{}")
    path.symlink_to("/elsewhere")


def make_folder_link(host, path):
    (host.root / "elsewhere").mkdir()
    path.parent.rmdir()
    path.parent.symlink_to("/elsewhere")


def make_names(host, path):
    host.put(FILES["docker"], "{}")
    os.link(path, host.root / "other")


HOSTILE = [
    ("a link", make_link, "engine-file-refused", "a link"),
    ("a fifo", lambda host, path: os.mkfifo(path), "engine-file-refused", "not a regular file"),
    ("a folder", lambda host, path: path.mkdir(), "engine-file-refused", "not a regular file"),
    ("two names", make_names, "engine-file-refused", "has 2 names"),
    ("another's", lambda host, path: host.put(FILES["docker"], "{}", owner=(1000, 0)), "host-unsafe", "belongs to user 1000"),
    ("writable", lambda host, path: host.put(FILES["docker"], "{}", 0o664), "host-unsafe", "may be written by others than root, mode 0664"),
    ("a folder that is a link", make_folder_link, "host-unsafe", "/etc/docker is a link, or no folder"),
    ("another's folder", lambda host, path: os.chown(path.parent, 1000, 0), "host-unsafe", "/etc/docker belongs to user 1000"),
    ("a writable folder", lambda host, path: path.parent.chmod(0o1777), "host-unsafe", "/etc/docker may be written by others than root, mode 1777"),
    ("a writable /etc", lambda host, path: (host.root / "etc").chmod(0o775), "host-unsafe", "/etc may be written by others"),
    ("a folder of records that is a link", lambda host, path: (host.root / "var/lib/lazaret").symlink_to("/etc"), "host-unsafe", "/var/lib/lazaret is a link"),
]


@case("a file, or a folder above it, in which somebody else has a hand is refused by name, and not touched")
def hostile():
    for what, make, name, why in HOSTILE:
        host = Host()
        path = host.root / FILES["docker"]
        path.parent.mkdir()
        make(host, path)
        before = host.look() if not path.is_fifo() else None
        for words in ([], ["--apply"], ["--check"], ["--undo"]):
            check_finding(host.call("--engine", "docker", *words), name, why)
        if before is not None:
            check_equal(host.look(), before, what)
        host.close()


@case("a file that somebody has changed since is neither changed nor put back: what to do by hand is said")
def edited():
    for engine in ENGINES:
        host = Host()
        host.call("--engine", engine, "--apply", expect=0)
        path = host.root / FILES[engine]
        text = path.read_text().replace("}\n}", '},\n"debug": true}') if engine == "docker" else path.read_text() + "# mine\n"
        path.write_text(text)
        before = host.look()
        check_finding(host.call("--engine", engine, "--undo"), "installation-edited",
                      f"/{FILES[engine]} is not as this command left it: ", f"then remove /{STATE}/{engine}.json")
        diff = host.as_json("--engine", engine, "--undo", expect=1)["parts"][0]["diff"].splitlines()
        check(("-\"debug\": true}" if engine == "docker" else "-# mine") in diff, f"{engine}: the difference: {diff}")
        check(any(line.startswith("-") and SHIM in line for line in diff), f"{engine}: what is to be taken out: {diff}")
        if engine != "podman":  # the name is there
            host.call("--engine", engine, "--check", expect=0)
            check_finding(host.call("--engine", engine, "--default", "--apply"), "installation-edited", "is not as this command left it")
        check_equal(host.look(), before, engine)
        path.unlink()  # by hand, as it was before
        host.call("--engine", engine, "--undo", expect=0)
        check_equal(list(host.look()).count(STATE), 0, "records")
        host.close()


RUN = "run/lazaret"
ROOTS = {"docker": "/var/run/docker/runtime-lazaret/moby", "containerd": "/run/containerd/runc/k8s.io", "podman": "", "nobody": "/srv/roots", "unknown": None}


def put_containers(host):
    """One of each engine's, one by hand, one whose root is not known, and one that is gone."""
    for n, (engine, root) in enumerate(ROOTS.items()):
        folder = f"{RUN}/{n:032x}"
        host.put(f"{folder}/of-{engine}.json", "{}", 0o600)
        host.put(f"{folder}/gone.json", "{}", 0o600)
        if root is None:
            (host.root / folder / "gone.json").unlink()
            continue
        host.put(f"{folder}/root", f"{root}\n", 0o600)
        (host.root / (root or "/run/crun").lstrip("/") / f"of-{engine}").mkdir(parents=True)


@case("--undo changes nothing as long as a container is there that the engine, or whoever calls runc, could not stop any more; each is named")
def containers_left():
    for engine in (*ENGINES, None):
        host = Host()
        words = ["--divert-runc"] if engine is None else ["--engine", engine]
        host.call(*words, "--apply", expect=0)
        put_containers(host)
        before = host.look()
        said = host.as_json(*words, "--undo", expect=1)
        check_equal({found["error"]["name"] for found in said["findings"]}, {"containers-left"}, engine)
        found = {finding["error"]["message"].split()[1]: finding["error"]["message"] for finding in said["findings"]}
        wanted = {"of-nobody", "of-unknown"} | ({f"of-{engine}"} if engine else {f"of-{name}" for name in ENGINES})
        check_equal(set(found), wanted, f"{engine}: whose are named")
        for name, root in ROOTS.items():
            if root and f"of-{name}" in found:
                check(f"(--root {root})" in found[f"of-{name}"], found)
        check_equal(host.look(), before, f"{engine}: what was changed")
        shutil.rmtree(host.root / RUN)
        host.call(*words, "--undo", expect=0)
        host.close()


@case("--undo changes nothing either where more containers are there than can be named")
def many_left():
    host = Host()
    words = ["--engine", "docker", "--divert-runc"]
    host.call(*words, "--apply", expect=0)
    folder, root = f"{RUN}/{0:032x}", ROOTS["docker"]
    host.put(f"{folder}/root", f"{root}\n", 0o600)
    for n in range(40):
        host.put(f"{folder}/c{n}.json", "{}", 0o600)
        (host.root / root.lstrip("/") / f"c{n}").mkdir(parents=True)
    before = host.look()
    said = host.as_json(*words, "--undo", expect=1)
    check(any("more containers are still there" in found["error"]["message"] for found in said["findings"]), f"{said}")
    check_equal(host.look(), before, "what was changed")
    host.close()


@case("a record that is damaged, or whose bytes are gone, puts nothing back")
def damaged():
    for name, content in (("docker.json", "{}"), ("docker.json", "x"), ("docker.json", '{"version":1,"before":"0","after":["0"],"folders":0}'),
                          ("docker.before", "{ }")):
        host = Host()
        host.put(FILES["docker"], "{}")
        host.call("--engine", "docker", "--apply", expect=0)
        host.put(f"{STATE}/{name}", content)
        before = host.look()
        check_finding(host.call("--engine", "docker", "--undo"), "installation-edited", f"/{STATE}/{name} ")
        check_equal(host.look(), before, name)
        host.close()
    host = Host()
    host.put(FILES["docker"], json.dumps(NAMED))
    check_finding(host.call("--engine", "docker", "--undo"), "installation-edited", "there is no record")


@case("without its programs, or with a runtime.yaml that cannot be used, nothing is applied, and --check finds it")
def around():
    def program(host, name):
        return host.root / "usr/libexec/lazaret" / name

    def other_version(host):
        path = program(host, "lazaret-helper")
        text = path.read_bytes()
        path.unlink()
        host.put("usr/libexec/lazaret/lazaret-helper", text.replace(b"lazaret-helper 0.", b"lazaret-helper 9.", 1), 0o755)

    def itself(host):
        shim = program(host, "lazaret-shim").read_bytes()
        host.put("usr/sbin/runc", shim, 0o755)

    for spoil, name, why in (
            (lambda host: program(host, "lazaret-hook").unlink(), "program-unfit", "lazaret-hook: nothing is there"),
            (lambda host: host.put("usr/libexec/lazaret/lazaret-init", "no\n", 0o755), "program-unfit", "lazaret-init is no program of Lazaret"),
            (lambda host: host.put("usr/libexec/lazaret/lazaret-setup", program(host, "lazaret-setup").read_bytes(), 0o744),
             "program-unfit", "lazaret-setup may not be executed by everybody, mode 0744"),
            (other_version, "program-unfit", "lazaret-helper is lazaret-helper 9."),
            (lambda host: os.chown(host.root / "usr/libexec/lazaret", 1000, 0), "host-unsafe", "/usr/libexec/lazaret belongs to user 1000"),
            (lambda host: (host.root / "etc/lazaret/runtime.yaml").unlink(), "host-absent", "/etc/lazaret/runtime.yaml: nothing is there"),
            (lambda host: host.put("etc/lazaret/runtime.yaml", "version: 1\nruntime: /usr/sbin/runc\nno: 1\n"), "policy-invalid", ":3:1: unknown key"),
            (lambda host: host.put("etc/lazaret/runtime.yaml", "version: 1\nruntime: /usr/sbin/runc\ndefault-policy: task\n"), "host-absent", "policy task: "),
            (itself, "runtime-unusable", "/usr/sbin/runc is lazaret-shim itself")):
        for engine in ENGINES if why.endswith("nothing is there") else ("docker",):
            host = Host()
            host.call("--engine", engine, "--apply", expect=0)
            host.call("--engine", engine, "--undo", expect=0)
            spoil(host)
            before = host.look()
            for words in ([], ["--apply"], ["--check"]):
                check_finding(host.call("--engine", engine, *words), name, why)
            check_equal(host.look(), before, why)
            host.close()


@case("killed before any of its system calls, --apply and --undo leave the old file or the new one, and the next run goes on")
def killed():
    trace = area.folder("killed") / "trace"
    for engine, text in (("docker", PRETTY), ("podman", None)):
        host = Host()
        path = host.root / FILES[engine]
        if text is not None:
            host.put(FILES[engine], text)
        before = host.look()
        there = {}
        for mode, other in (("--apply", "--undo"), ("--undo", "--apply")):
            words = host.words("--engine", engine, mode)
            there[other] = path.read_bytes() if path.exists() else None
            calls = calls_of(words, trace)
            there[mode] = path.read_bytes() if path.exists() else None
            host.call("--engine", engine, other, expect=0)
            first = max(0, next(n for n, (name, _) in enumerate(calls) if name == "flock") - 2)
            seen = set()
            for call in calls[first::1 if laz.LONG or (engine == "docker" and not laz.sanitized()) else 3]:
                kill_at(call, words, trace)
                now = path.read_bytes() if path.exists() else None
                check(now in (there[mode], there[other]), f"{engine} {mode} {call}: {now!r}")
                seen.add(now == there[mode])
                done = host.call("--engine", engine, mode, expect=0)
                check_equal(path.read_bytes() if path.exists() else None, there[mode], f"{call}, gone on with: {done}")
                host.call("--engine", engine, other, expect=0)
                check_equal(path.read_bytes() if path.exists() else None, there[other], f"{call}, and back")
                if mode == "--apply":
                    check_equal(differences(before, host.look()), [], f"{engine} {mode} {call}: what is left")
            check_equal(seen, {True, False}, "the old one and the new one")
            host.call("--engine", engine, mode, expect=0)
        check_equal(differences(before, host.look()), [], "at the end")


@case("what somebody writes between the look and the change stays: nothing is done, and the next run makes the change of that")
def edited_meanwhile():
    trace = area.folder("edited") / "trace"
    theirs = '{"userns-remap": "default"}'
    for text in ('{"debug": true}', None):
        for mode, call in (("--apply", "flock"), ("--apply", "fsync"), ("--undo", "flock")):
            host = Host()
            path = host.root / FILES["docker"]
            path.parent.mkdir(parents=True)
            if text is not None:
                host.put(FILES["docker"], text)
            if mode == "--undo":
                host.call("--engine", "docker", "--apply", expect=0)
            records = sorted(os.listdir(host.root / STATE)) if mode == "--undo" else []
            done = stopped_at(call, host.words("--engine", "docker", mode), trace, lambda: path.write_text(theirs))
            what = f"{text!r} {mode} {call}"
            check_finding(done, "engine-file-refused", "/etc/docker/daemon.json: somebody has changed it meanwhile: nothing was done, run the same command again")
            check_equal(path.read_text(), theirs, what)
            check_equal(sorted(os.listdir(host.root / STATE)) if (host.root / STATE).exists() else [], records, f"{what}: records")
            if mode == "--apply":
                host.call("--engine", "docker", "--apply", expect=0)
                check_equal(json.loads(path.read_text()), {"userns-remap": "default", **NAMED}, f"{what}: again")
                host.call("--engine", "docker", "--undo", expect=0)
                check_equal(path.read_text(), theirs, f"{what}: and back")
            host.close()


def toml_of(host):
    return tomllib.loads((host.root / FILES["containerd"]).read_text())["plugins"]["io.containerd.grpc.v1.cri"]["containerd"]


@case("containerd: the tables come at the end, the default where its table is, and runc's kind of control groups is kept")
def containerd():
    cri = 'plugins."io.containerd.grpc.v1.cri".containerd'
    ours = {"runtime_type": "io.containerd.runc.v2", "options": {"BinaryName": SHIM}}
    for text, default in (
            (DEBIAN, None), (DEBIAN + f"[{cri}]\n  default_runtime_name = \"runc\" # so\n  snapshotter = 'native'\n", "runc"),
            (DEBIAN + f"[ plugins . 'io.containerd.grpc.v1.cri' . containerd ]", None)):
        host = Host()
        path = host.put(FILES["containerd"], text)
        host.call("--engine", "containerd", "--apply", expect=0)
        check(path.read_text().startswith(text), path.read_text())
        check_equal(toml_of(host)["runtimes"]["lazaret"], ours, "the runtime")
        check_equal(toml_of(host).get("default_runtime_name"), default, "the default, untouched")
        host.call("--engine", "containerd", "--default", "--apply", expect=0)
        check_equal((toml_of(host)["default_runtime_name"], toml_of(host)["runtimes"]["lazaret"]), ("lazaret", ours), text)
        check_equal(toml_of(host).get("snapshotter"), "native" if default else None, "its neighbour")
        host.call("--engine", "containerd", "--default", "--check", expect=0)
        host.close()
    host = Host()
    host.put(FILES["containerd"], f"version = 2\n[{cri}.runtimes.runc.options]\n  SystemdCgroup = true\n")
    host.call("--engine", "containerd", "--apply", expect=0)
    check_equal(toml_of(host)["runtimes"]["lazaret"]["options"], {"BinaryName": SHIM, "SystemdCgroup": True}, "as runc has it")


@case("config.toml of which a line is not understood, or contradicts the change, is refused with that line, and not touched")
def containerd_refused():
    cri = 'plugins."io.containerd.grpc.v1.cri".containerd'
    for text, why in (
            ("", None), ("root = '/x'\n", "not `version = 2`"), ("version = 3\n", "not `version = 2`"), ("[version]\nversion = 2\n", "not `version = 2`"),
            ('version = 2\nimports = ["/etc/containerd/conf.d/*.toml"]\n', "imports other files"), ("version = 2\nimports = []\n", None),
            ('version = 2\ndisabled_plugins = ["cri"]\n', "disabled_plugins has the CRI plugin"),
            ("version = 2\ndisabled_plugins = ['io.containerd.grpc.v1.cri']\n", "disabled_plugins has the CRI plugin"),
            ('version = 2\ndisabled_plugins = ["cri-not"]\n', None),
            ("version = 2\nplugins = {}\n", "line 2: an inline table"), ("version = 2\n[[a]]\n", "line 2: an array of tables"),
            ('version = 2\na = """\n', "line 2: a string of more than one line"), ("version = 2\na = [\n1]\n", "line 2: an array of more than one line"),
            ('version = 2\na = "\\u0041"\n', "line 2: a string with an escape"), ("version = 2\n\na.b = 1\n", "line 3: a key with a dot"),
            ("version = 2\na\n", "line 2: a key without a value"), ("version = 2\na = \n", "line 2: a value that is not read"),
            ("version = 2\n[a] b = 1\n", "line 2: something behind its end"), ("version = 2\n[a\n", "line 2: what is no table"),
            ("version = 2\na = 'x\n", "line 2: a string that does not end in its line"), ("version = 2\n[" + ".".join("a" * 13) + "]\n", "too many others"),
            ("version = 2\nplugins = 1\n", "a table of the CRI plugin is a value there"), (f"version = 2\n[{cri}]\n  runtimes = 'x'\n", "is a value there"),
            (f"version = 2\n[{cri}.runtimes.lazaret]\n  runtime_type = \"io.containerd.kata.v2\"\n", "another runtime that is called lazaret"),
            (f"version = 2\n[{cri}.runtimes.lazaret.options]\n  BinaryName = \"/opt/other\"\n", "another runtime that is called lazaret")):
        host = Host()
        host.put(FILES["containerd"], text)
        before = host.look()
        if why is None:
            host.call("--engine", "containerd", "--apply", expect=0)
            check_equal(toml_of(host)["runtimes"]["lazaret"]["options"]["BinaryName"], SHIM, repr(text))
            continue
        for words in ([], ["--apply"]):
            check_finding(host.call("--engine", "containerd", *words), "engine-file-refused", why)
        check_equal(host.look(), before, repr(text))
        host.close()


HEADS = [f"[{CRI}]", f"[{CRI}.containerd]", "[plugins.'io.containerd.grpc.v1.cri'.containerd]  # a", f"[ plugins . \"io.containerd.grpc.v1.cri\" . containerd ]",
         f"[{CRI}.containerd.runtimes]", f"[{CRI}.containerd.runtimes.runc]", f"[{CRI}.containerd.runtimes.runc.options]", f"[{CRI}.containerd.runtimes.lazaret]",
         f"[{CRI}.cni]", "[plugins]", "[a]", "[a.b]", "[[c]]", "[grpc]", "[plugins.containerd]", "[containerd]", f"[{CRI}.containerd.runtimes.lazaret.options]", "[]", "[a"]
KEYS = ["default_runtime_name", "runtimes", "containerd", "lazaret", "plugins", "SystemdCgroup", "runtime_type", "BinaryName", "x", "y", '"q q"', "'r'", "imports", "disabled_plugins", "d.e",
        "options"]
VALUES = ['"runc"', "'runc'", "true", "17", "-1.5e3", "2026-11-23T00:00:00Z", '["a", "b"]', "[]", "['x']", '"a # b"', "'[plugins]'", '"# ["', "{}", '{a = 1}', '"""', "'''", '["a",', '"\\""',
          '["a]", "["]', "''", '""', '"lazaret"', '"io.containerd.runc.v2"', f'"{SHIM}"', "[1, 2,]", "[[1], [2]]", "1_000", "0x10", "# no", ""]
EQUALS = [" = ", "=", " =", "  =\t"]
OURS = {"runtime_type": "io.containerd.runc.v2", "options": {"BinaryName": SHIM}}


def some_toml(choose):
    """Lines as people, and those who mean harm, write them."""
    lines = [choose.choice(["version = 2", "version = 2", "version = 2", "version = 2 # the second", "version=2", "version = 3", "# none"])]
    for _ in range(choose.randrange(9)):
        kind = choose.random()
        if kind < 0.4:
            lines.append("  " * choose.randrange(3) + choose.choice(HEADS))
        elif kind < 0.9:
            lines.append(f"  {choose.choice(KEYS)}{choose.choice(EQUALS)}{choose.choice(VALUES)}{choose.choice(['', '', ' # [b]', ' x'])}")
        else:
            lines.append(choose.choice(["", "# [plugins]", '"""', "'''", "]", "   "]))
    return choose.choice(["\n", "\n", "\n", "\r\n"]).join(lines) + choose.choice(["\n", "", "\n\n"])


def with_ours(before):
    """What the text is to mean afterwards."""
    containerd = before.setdefault("plugins", {}).setdefault("io.containerd.grpc.v1.cri", {}).setdefault("containerd", {})
    runtimes = containerd.setdefault("runtimes", {})
    ours = json.loads(json.dumps(OURS))
    runc = runtimes.get("runc")
    told = runc.get("options") if isinstance(runc, dict) else None
    if isinstance(told, dict) and told.get("SystemdCgroup") is True:
        ours["options"]["SystemdCgroup"] = True
    runtimes.setdefault("lazaret", ours)
    containerd["default_runtime_name"] = "lazaret"
    return before


@case("config.toml: whatever is changed means what it did to Python's reader, and the runtime besides; nothing is taken for what it is not")
def containerd_by_another_reader():
    host = Host()
    seed = int.from_bytes(os.urandom(4))
    choose = random.Random(seed)
    changed = 0
    for number in range(20000 if laz.LONG else 300):
        text = some_toml(choose)
        try:
            before = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue
        host.put(FILES["containerd"], text.encode())
        done = host.call("--engine", "containerd", "--default", "--apply")
        if done.code == 0:
            changed += 1
            after = (host.root / FILES["containerd"]).read_bytes().decode()
            what = f"seed {seed}, {number}: {text!r} became {after!r}"
            try:
                check_equal(tomllib.loads(after), with_ours(before), what)
            except (tomllib.TOMLDecodeError, AttributeError, TypeError) as why:
                check(False, f"{what}: {why}")
            host.call("--engine", "containerd", "--undo")
        else:
            check_finding(done, "engine-file-refused", "/etc/containerd/config.toml: ")
            check_equal((host.root / FILES["containerd"]).read_bytes().decode(), text, "a file that was refused")
    check(changed > (2000 if laz.LONG else 25), f"{changed} texts were changed")


@case("podman: a file of that name that somebody else wrote is refused; hooks.d with an entry of ours is said to enforce nothing")
def podman():
    host = Host()
    host.put(FILES["podman"], "[engine]\n")
    check_finding(host.call("--engine", "podman", "--apply"), "engine-file-refused", "is there, and not as this command writes it")
    (host.root / FILES["podman"]).unlink()
    host.call("--engine", "podman", "--default", "--apply", expect=0)
    check_equal(tomllib.loads((host.root / FILES["podman"]).read_text()), {"engine": {"runtime": "lazaret", "runtimes": {"lazaret": [SHIM]}}}, "the file")
    check_equal(host.call("--engine", "podman", "--apply", expect=0).err, "", "without hooks.d")
    host.put("usr/share/containers/oci/hooks.d/one.json", '{"hook": {"path": "/usr/libexec/lazaret/lazaret-hook"}}')
    host.put("etc/containers/oci/hooks.d/two.json", '{"hook": {"path": "/opt/other"}}')
    said = host.call("--engine", "podman", "--check", expect=0).err
    check_equal(said, "lazaret: /usr/share/containers/oci/hooks.d/one.json enforces nothing: podman passes over a hook whose program is absent; "
                "the entries that the shim makes fail closed\n", "the note")


@case("podman: where it runs another program by itself than runtime.yaml names, that is said, and both are named")
def podman_runtime():
    host = Host()
    conf, crun = "etc/containers/containers.conf", "usr/bin/crun"

    def said(wanted):
        for words in ([], ["--check"]) if wanted else ([],):
            done = host.call("--engine", "podman", *words)
            lines = [line for line in done.err.splitlines() if "by itself" in line]
            check_equal(lines, [f"lazaret: {wanted}"] if wanted else [], f"{words}: {done}")

    differs = "podman runs {} by itself, and runtime: of /etc/lazaret/runtime.yaml is /usr/sbin/runc: containers would be run by another program than before"
    said("")  # neither a file nor a crun
    host.put(crun, RUNC, 0o755)
    said(differs.format("crun"))
    host.put(conf, '[containers]\nruntime = "kata"\n[engine]\n# runtime = "kata"\nruntime = "runc"\n')
    said("")
    host.put("etc/containers/containers.conf.d/90-x.conf", '[engine]\nruntime = "/usr/bin/crun"\n')
    said(differs.format("crun"))
    host.put("etc/containers/containers.conf.d/95-x.txt", '[engine]\nruntime = "youki"\n')
    host.call("--engine", "podman", "--default", "--apply", expect=0)  # our own file does not count
    said(differs.format("crun"))
    host.put("etc/containers/containers.conf.d/95-x.conf", "[containers]\ndefault_sysctls = [\n  'a=0',\n]\n[engine]\n  runtime='runc' # by hand")
    said("")
    host.put("etc/containers/containers.conf.d/96-x.conf", '[engine]\nruntime_supports_json = ["runc"]\nruntime = "youki"')
    said(differs.format("youki"))
    check("by itself" not in host.call("--engine", "podman", "--undo", expect=0).err, "of what is undone")
    host.close()


HERE = """\
top=$1; shift
mkdir -p "$top/usr/bin"
for folder in etc usr/libexec usr/sbin var/lib usr/bin; do mount --bind "$top/$folder" "/$folder" || exit 9; done
exec "$@"
"""


def runtime_check(host, *words):
    """lazaret runtime check, where this host is the machine's own."""
    return area.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", HERE, "sh", host.root, host.words()[0], "runtime", "check", *words])


@case("runtime check: an engine that was told of the shim, and whose file does not name it any more, is a finding, and runc's place too")
def kept():
    foreign = {"docker": '{"debug": true}', "containerd": "version = 2\n", "podman": "[engine]\n"}
    for engine in ENGINES:
        for default in ([], ["--default"]):
            host = Host()
            path = host.root / FILES[engine]
            words = ["--engine", engine, *default]
            why = f"/{FILES[engine]} does not name lazaret-shim any more{' as the default runtime' if default else ''}: lazaret install runtime {' '.join(words)}"
            if engine != "podman":
                host.put(FILES[engine], FOUND[engine][1])
            check_equal(runtime_check(host).code, 0, "before")
            host.call(*words, "--apply", expect=0)
            done = runtime_check(host)
            check_equal((done.code, done.err), (0, ""), f"{words}: applied")
            if engine == "docker":
                path.write_text(json.dumps({**json.loads(path.read_text()), "debug": True}))
                check_equal(runtime_check(host).code, 0, "changed, and names the shim")
            path.unlink()
            check_finding(runtime_check(host), "not-installed", why)
            if engine != "podman":  # whose file is the command's alone
                for text in (FOUND[engine][1], foreign[engine]):
                    host.put(FILES[engine], text)
                    check_finding(runtime_check(host), "not-installed", why)
                if default:
                    check_equal(json.loads(runtime_check(host, "--json").out)["unfit"], [why], "as JSON")
                host.call("--engine", engine, "--apply", expect=1)
                (host.root / STATE / f"{engine}.json").unlink()
                check_equal(runtime_check(host).code, 0, "nothing says that it was told")
            host.close()
    host = Host()
    host.put(FILES["docker"], PRETTY)
    host.call("--engine", "docker", "--default", "--apply", expect=0)
    host.put(FILES["docker"], json.dumps(NAMED))
    check_finding(runtime_check(host), "not-installed", "does not name lazaret-shim any more as the default runtime: lazaret install runtime --engine docker --default")
    host.put(FILES["docker"], "no JSON")
    check_finding(runtime_check(host), "engine-file-refused", "/etc/docker/daemon.json: ")
    host.close()


@case("runtime check: runc's place that was diverted, and is a runc again, or has another beside it, is a finding")
def kept_place():
    host = Host()
    host.call("--divert-runc", "--apply", expect=0)
    check_equal(runtime_check(host).code, 0, "diverted")
    host.put("usr/sbin/runc", RUNC, 0o755)
    check_finding(runtime_check(host), "not-installed", "/usr/sbin/runc is not diverted to lazaret-shim any more: lazaret install runtime --divert-runc")
    host.call("--divert-runc", "--apply", expect=0)
    host.put("usr/bin/runc", RUNC, 0o755)
    check_finding(runtime_check(host), "engine-file-refused", "/usr/bin/runc is another runc than /usr/sbin/runc")
    (host.root / "usr/bin/runc").unlink()
    host.call("--divert-runc", "--undo", expect=0)
    check_equal(runtime_check(host).code, 0, "undone")
    host.close()


@case("words that contradict each other, or say nothing, are usage errors")
def usage():
    host = Host()
    for words, why in (
            ([], "needs --engine docker, containerd or podman, or --divert-runc"), (["--default", "--divert-runc"], "--default needs --engine"),
            (["--engine", "crio"], 'unknown engine "crio"'), (["--engine", "docker", "--apply", "--undo"], "one of --apply, --check and --undo"),
            (["--engine", "docker", "x"], 'does not know what to do with "x"')):
        done = host.call(*words, expect=2)
        check(why in done.err, done.err)
    done = area.run([host.words()[0], "install", "runtime", "--engine", "docker", "--root", "/nowhere"])
    check_finding(done, "system-error", "--root: /nowhere: ")


@case("the page shows what the command prints")
def page():
    host = Host()
    host.put(FILES["docker"], '{\n    "log-driver": "journald"\n}\n')
    check_equal(host.call("--engine", "docker", "--default", expect=1).out, readme.block("text install", PAGE), "docker, shown")


if __name__ == "__main__":
    laz.main()
