# SPDX-License-Identifier: Apache-2.0
"""lazaret install runtime --divert-runc: the shim in the place of runc, on hosts that are folders, and with the real dpkg-divert
above this machine's own root, of which nothing is changed. At no moment is there no runc.
"""
import ctypes
import os
import pathlib
import subprocess
import threading

import area
import laz
from install_world import RUNC, SHIM, STATE, YAML, Host, calls_of, check_finding, differences, kill_at
from laz import case, check, check_equal

CLONE_NEWNS = 0x20000
PLACE, REAL = "usr/sbin/runc", "usr/sbin/runc.real"
RENAMED = YAML.replace("runtime: /usr/sbin/runc #", "runtime: /usr/sbin/runc.real #")
WORDS = ("--divert-runc",)


def state(host):
    """Who is at which name, and what runtime.yaml says."""
    place, real = host.root / PLACE, host.root / REAL
    return (os.readlink(place) if place.is_symlink() else place.read_bytes(), real.read_bytes() if real.exists() else None,
            (host.root / "etc/lazaret/runtime.yaml").read_text())


BEFORE, AFTER = (RUNC, None, YAML), (SHIM, RUNC, RENAMED)


@case("what it shows is what it does: the shim has runc's name, runc another, runtime.yaml that one; and all is as it was after --undo")
def round_trip():
    host = Host()
    before = host.look()
    shown = host.as_json(*WORDS, expect=1)["parts"]
    check_equal(shown[0]["diff"].split("\n"), [
        "  ln /usr/sbin/runc /usr/sbin/runc.real", "  /etc/lazaret/runtime.yaml: runtime: /usr/sbin/runc.real",
        "  ln -s /usr/libexec/lazaret/lazaret-shim /usr/sbin/runc, in the place of runc", ""], "the steps")
    check_finding(host.call(*WORDS, "--check"), "not-installed", "/usr/sbin/runc is not diverted to lazaret-shim")
    check_equal(host.look(), before, "after looking")
    check_equal(host.as_json(*WORDS, "--apply")["parts"][0]["diff"], shown[0]["diff"], "what was done")
    check_equal(state(host), AFTER, "after --apply")
    after = host.look()
    for word in ("--check", "--apply"):
        check_equal(host.call(*WORDS, word, expect=0).out, "divert: /usr/sbin/runc is lazaret-shim: nothing to do\n", word)
    check_equal(host.look(), after, "after doing it again")
    host.call(*WORDS, "--undo", expect=0)
    check_equal(differences(before, host.look()), [], "after --undo")
    check("nothing to undo" in host.call(*WORDS, "--undo", expect=0).out, "a second time")


@case("with an engine both are done, and both undone; another runtime than runc in runtime.yaml stays")
def beside():
    host = Host()
    host.put("usr/bin/crun", RUNC, 0o755)
    host.put("etc/lazaret/runtime.yaml", YAML.replace("/usr/sbin/runc", '"/usr/bin/crun"'))
    before = host.look()
    said = host.as_json("--engine", "docker", *WORDS, "--apply")
    check_equal([(part["part"], part["state"]) for part in said["parts"]], [("docker", "names lazaret-shim now"), ("divert", "is lazaret-shim now")], "parts")
    check_equal(state(host)[2], YAML.replace("/usr/sbin/runc", '"/usr/bin/crun"'), "runtime.yaml")
    host.call("--engine", "docker", *WORDS, "--check", expect=0)
    host.call("--engine", "docker", *WORDS, "--undo", expect=0)
    check_equal(differences(before, host.look()), [], "after --undo")


@case("the first place that has a runc is taken; a value in quotes is exchanged in them")
def first_place():
    host = Host()
    host.put("usr/bin/runc", RUNC, 0o755)
    (host.root / PLACE).unlink()
    (host.root / PLACE).symlink_to("/usr/bin/runc")
    host.put("etc/lazaret/runtime.yaml", "version: 1\ndefault-policy: pass-through\nruntime:   '/usr/bin/runc'\n")
    host.call(*WORDS, "--apply", expect=0)
    check_equal(os.readlink(host.root / "usr/bin/runc"), SHIM, "/usr/bin")
    check_equal((host.root / "etc/lazaret/runtime.yaml").read_text().splitlines()[2], "runtime:   '/usr/bin/runc.real'", "runtime.yaml")
    check_equal(os.readlink(host.root / PLACE), "/usr/bin/runc", "the other one")
    host.call(*WORDS, "--check", expect=0)


@case("another runc where engines look for one is a finding, and nothing is done; a name of the same one, and what nobody can run, are not")
def others():
    for path in ("usr/local/sbin/runc", "usr/local/bin/runc", "sbin/runc", "bin/runc"):
        host = Host()
        host.put(path, RUNC, 0o755)
        before = host.look()
        for words in ((), ("--apply",), ("--check",)):
            check_finding(host.call(*WORDS, *words), "engine-file-refused",
                          f"/{path} is another runc than /usr/sbin/runc, and engines may call that one: remove it, or make it a link to /usr/sbin/runc")
        check_equal(host.look(), before, f"nothing was changed for {path}")
        (host.root / path).unlink()
        host.call(*WORDS, "--apply", expect=0)
        host.call(*WORDS, "--check", expect=0)
        host.put(path, RUNC, 0o755)
        check_finding(host.call(*WORDS, "--check"), "engine-file-refused", f"/{path} is another runc than /usr/sbin/runc")
        host.call(*WORDS, "--undo", expect=0)
        host.close()
    host = Host()
    host.call(*WORDS, "--apply", expect=0)
    other = host.put("usr/bin/runc", RUNC, 0o755)  # which comes first, where there is a choice
    check_finding(host.call(*WORDS, "--check"), "engine-file-refused", "/usr/bin/runc is another runc than /usr/sbin/runc")
    host.call(*WORDS, "--undo", expect=0)
    check_equal((state(host), other.read_bytes()), (BEFORE, RUNC), "what was diverted is undone")
    host.close()
    host = Host()
    (host.root / "sbin").symlink_to("usr/sbin")
    (host.root / "usr/local/sbin").mkdir(parents=True)
    (host.root / "usr/local/sbin/runc").symlink_to("../../sbin/runc")
    (host.root / "usr/bin").mkdir()
    (host.root / "usr/bin/runc").symlink_to("/nowhere")
    host.put("usr/local/bin/runc", RUNC, 0o644)
    (host.root / "bin/runc").mkdir(parents=True)
    for words in ("--apply", "--check"):
        host.call(*WORDS, words, expect=0)
    (host.root / "bin/runc").rmdir()
    os.link(host.root / REAL, host.root / "bin/runc")
    check_finding(host.call(*WORDS, "--check"), "engine-file-refused", "/bin/runc is another runc")


@case("where runtime.yaml names nvidia's program, which calls runc by its name itself, a note says so until its file names the other one")
def nvidia():
    host = Host()
    yaml = YAML + "runtime-by-name: {gpu: /usr/bin/nvidia-container-runtime, other: /usr/bin/crun}\n"
    for path in ("usr/bin/nvidia-container-runtime", "usr/bin/crun"):
        host.put(path, RUNC, 0o755)
    note = ("runtime-by-name: gpu is /usr/bin/nvidia-container-runtime, which looks for runc by that name, and finds lazaret-shim: each container would be judged twice, "
            'the second time as runc\'s; in /etc/nvidia-container-runtime/config.toml: runtimes = ["/usr/sbin/runc.real"]\n')
    host.put("etc/lazaret/runtime.yaml", yaml)
    check_equal(host.as_json(*WORDS, expect=1)["notes"], note, "before")
    check_equal(host.as_json(*WORDS, "--apply")["notes"], note, "--apply")
    for text, expected in (('[nvidia-container-runtime]\nruntimes = ["runc", "/usr/sbin/runc.real"]\n', note), ('[other]\nruntimes = ["/usr/sbin/runc.real"]\n', note),
                           ('[nvidia-container-runtime]\nruntimes = [\n"/usr/sbin/runc.real"]\n', note), ('[nvidia-container-runtime]\nruntimes = ["/usr/sbin/runc.real"]\n', "")):
        host.put("etc/nvidia-container-runtime/config.toml", text)
        check_equal(host.as_json(*WORDS, "--check")["notes"], expected, text)
    host.put("etc/lazaret/runtime.yaml", host.root.joinpath("etc/lazaret/runtime.yaml").read_text().replace("gpu: /usr/bin/nvidia-container-runtime, ", ""))
    (host.root / "etc/nvidia-container-runtime/config.toml").unlink()
    check_equal(host.as_json(*WORDS, "--check")["notes"], "", "without nvidia's")


@case("a runc that is not root's alone, a link, or of Lazaret, and a runc.real of somebody's, are refused by name, and nothing is changed")
def refused():
    def no_runc(host):
        (host.root / PLACE).unlink()

    def link(host):
        host.put("opt/runc", RUNC, 0o755)
        (host.root / PLACE).unlink()
        (host.root / PLACE).symlink_to("/opt/runc")

    for spoil, name, why in (
            (lambda host: (host.root / SHIM[1:]).unlink(), "program-unfit", "lazaret-shim: nothing is there"),
            (lambda host: (host.root / "etc/lazaret/runtime.yaml").unlink(), "host-absent", "runtime.yaml: nothing is there"),
            (no_runc, "host-absent", "/usr/sbin/runc: nothing is there"),
            (link, "host-unsafe", "/usr/sbin/runc is a link"),
            (lambda host: (host.root / PLACE).chmod(0o775), "host-unsafe", "/usr/sbin/runc may be written by others"),
            (lambda host: (host.root / PLACE).chmod(0o644), "engine-file-refused", "/usr/sbin/runc is not executable"),
            (lambda host: host.put(PLACE, (host.root / SHIM[1:]).read_bytes(), 0o755), "engine-file-refused", "is a program of Lazaret, and no runc"),
            (lambda host: host.put(REAL, RUNC, 0o755), "engine-file-refused", "runc.real is there, and is not what would be called so"),
            (lambda host: host.put("var/lib/dpkg/diversions", "/a\n/b\n:\n/usr/sbin/runc\n/usr/sbin/runc.old\n:\n"), "engine-file-refused",
             "/usr/sbin/runc is diverted to /usr/sbin/runc.old already"),
            (lambda host: host.put("etc/lazaret/runtime.yaml", YAML + "runtime-by-name: {x: /usr/sbin/runc}\n"), "engine-file-refused", "runtime-by-name has a program"),
            (lambda host: host.put("etc/lazaret/runtime.yaml", YAML.replace("/usr/sbin/runc", '"/usr/sbin\\x2frunc"')), "engine-file-refused", "is not written plainly")):
        host = Host()
        spoil(host)
        before = host.look()
        done = host.call(*WORDS, "--apply")
        check_finding(done, name, why)
        left = [path for path in differences(before, host.look()) if path not in ("var/lib/lazaret", STATE, f"{STATE}/divert.json", REAL)]
        check_equal(left, [], why)
        check_equal((host.root / PLACE).is_symlink(), spoil is link, "the shim is not in its place")
        host.close()


@case("without the real runc behind the shim nothing is done: there would be no runc")
def no_way_back():
    host = Host()
    host.call(*WORDS, "--apply", expect=0)
    (host.root / REAL).unlink()
    before = host.look()
    for word in ("--undo", "--apply"):
        done = host.call(*WORDS, word)
        check(done.code == 1 and "/usr/sbin/runc.real" in done.err, f"{word}: {done}")
    check_finding(host.call(*WORDS, "--check"), "not-installed", "is not diverted")
    check_equal(host.look(), before, "nothing was changed")


@case("a new runc that a package put over the link: --check finds it, --apply diverts the new one, --undo leaves it")
def upgraded():
    host = Host()
    new = RUNC.replace(b"version 1", b"version 2")
    host.call(*WORDS, "--apply", expect=0)
    host.put(PLACE, new, 0o755)
    check_finding(host.call(*WORDS, "--check"), "not-installed", "is not diverted")
    host.call(*WORDS, "--apply", expect=0)
    check_equal(state(host), (SHIM, new, RENAMED), "the new one")
    host.put(PLACE, RUNC, 0o755)
    host.call(*WORDS, "--undo", expect=0)
    check_equal(state(host), BEFORE, "the last one that a package brought")


@case("killed before any of its system calls there is a runc, or the shim with runc behind it, and the next run goes on")
def killed():
    trace = area.folder("killed") / "trace"
    host = Host()
    before = host.look()
    there = {"--apply": AFTER, "--undo": BEFORE}
    for mode, other in (("--apply", "--undo"), ("--undo", "--apply")):
        words = host.words(*WORDS, mode)
        calls = calls_of(words, trace)
        host.call(*WORDS, other, expect=0)
        first = max(0, next(n for n, (name, _) in enumerate(calls) if name == "flock") - 2)
        seen = set()
        for number, call in enumerate(calls[first::5 if laz.sanitized() and not laz.LONG else 1]):
            kill_at(call, words, trace)
            place, real, text = state(host)
            check(place == RUNC or (place == SHIM and real == RUNC and text == RENAMED), f"{mode} {call}: {state(host)}")
            check(real == RUNC or text == YAML, f"{mode} {call}: runtime.yaml names what is not there")
            seen.add(place)
            finish = mode if number % 2 else other  # on, or back
            host.call(*WORDS, finish, expect=0)
            check_equal(state(host), there[finish], f"{mode} {call}, then {finish}")
            host.call(*WORDS, other, expect=0)
            check_equal(state(host), there[other], f"{mode} {call}, and back")
            if other == "--undo":
                check_equal(differences(before, host.look()), [], f"{mode} {call}: what is left")
        check_equal(seen, {RUNC, SHIM}, "both were seen")
        host.call(*WORDS, mode, expect=0)


@case("while it is done and undone again and again, whoever runs runc always finds one")
def always_there():
    host = Host()
    place = host.root / PLACE
    missing, stop = [], threading.Event()

    def watch():
        while not stop.is_set():
            try:
                os.close(os.open(place, os.O_PATH | os.O_NOFOLLOW))
            except OSError as why:
                missing.append(str(why))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(200 if laz.LONG else 40):
        host.call(*WORDS, "--apply", expect=0)
        host.call(*WORDS, "--undo", expect=0)
    stop.set()
    watcher.join()
    check_equal(missing[:3], [], "moments without a runc")


# ---- dpkg --------------------------------------------------------------------------------------------


def overlay():
    """A host above this machine's root: what is changed there is changed there alone."""
    check_equal(ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS), 0, "unshare")
    top = area.folder("above")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", top], check=True)
    for name in ("upper", "work", "root"):
        (top / name).mkdir()
    subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={top}/upper,workdir={top}/work", "overlay", top / "root"], check=True)
    host = Host.__new__(Host)
    host.root = top / "root"
    for name in ("lazaret-shim", "lazaret-prepare", "lazaret-init", "lazaret-setup", "lazaret-helper", "lazaret-hook"):
        host.put(f"usr/libexec/lazaret/{name}", area.program(name).read_bytes(), 0o755)
    host.put("etc/lazaret/runtime.yaml", YAML)
    return host, top / "upper"


@case("with dpkg: it keeps packages away from runc's name, is told so again where it was not, and has forgotten it after --undo")
def with_dpkg():
    area.require_program("dpkg-divert")
    machine = pathlib.Path("/usr/sbin/runc").read_bytes()
    host, upper = overlay()

    def truename():
        return subprocess.run(["chroot", host.root, "dpkg-divert", "--truename", "/usr/sbin/runc"], check=True, capture_output=True, text=True).stdout.strip()

    check_equal(truename(), "/usr/sbin/runc", "before")
    shown = host.call(*WORDS, expect=1).out
    check("  dpkg-divert --local --no-rename --divert /usr/sbin/runc.real --add /usr/sbin/runc\n" in shown, shown)
    check(not (upper / "usr/sbin").exists(), "looking changes nothing")
    host.call(*WORDS, "--apply", expect=0)
    check_equal(truename(), "/usr/sbin/runc.real", "dpkg's name for runc")
    check_equal((os.readlink(host.root / PLACE), (host.root / REAL).read_bytes() == machine), (SHIM, True), "who is where")
    subprocess.run(["chroot", host.root, "dpkg-divert", "--local", "--no-rename", "--remove", "/usr/sbin/runc"], check=True, capture_output=True)
    check_finding(host.call(*WORDS, "--check"), "not-installed", "is not diverted")
    host.call(*WORDS, "--apply", expect=0)
    check_equal(truename(), "/usr/sbin/runc.real", "told again")
    host.call(*WORDS, "--check", expect=0)
    host.call(*WORDS, "--undo", expect=0)
    check_equal(truename(), "/usr/sbin/runc", "after --undo")
    check_equal(((host.root / PLACE).read_bytes() == machine, (host.root / REAL).exists(), (host.root / PLACE).is_symlink()), (True, False, False), "runc")
    check_equal(pathlib.Path("/usr/sbin/runc").read_bytes() == machine and not pathlib.Path("/usr/sbin/runc.real").exists(), True, "the machine's own")


if __name__ == "__main__":
    laz.main()
