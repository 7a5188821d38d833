# SPDX-License-Identifier: Apache-2.0
"""The Debian package and the tarball: what is in them and whose it is, the same bytes each time, installed by dpkg on this machine's own root
under a layer that is thrown away, used there by a real dockerd, and removed again."""
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import tarfile

import area
import engines
import host_root
import laz
import rootfs
from laz import case, check, check_equal

PACKAGING = laz.ROOT / "shim" / "package"
LIBEXEC = "/usr/libexec/lazaret/"
PROGRAMS = ["/usr/bin/lazaret", *(f"{LIBEXEC}lazaret-{name}" for name in ("helper", "hook", "init", "prepare", "setup", "shim"))]
# All that is not below /usr/share, with its mode.
ENTRIES = {
    **{path: 0o755 for path in ("/", "/etc", "/etc/lazaret", "/etc/lazaret/policies.d", "/etc/logrotate.d", "/usr", "/usr/bin", "/usr/libexec",
                                "/usr/libexec/lazaret", "/usr/share", "/var", "/var/log", *PROGRAMS)},
    "/etc/lazaret/secrets.d": 0o700, "/var/log/lazaret": 0o700, "/etc/logrotate.d/lazaret": 0o644}
RUNTIME = "version: 1\nruntime: /usr/sbin/runc\ndefault-policy: {}\n"
POLICY = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text().replace("/app, ", "").replace("name: docker", "name: shell")


@functools.cache
def package():
    found = host_root.dist("dist")
    check_equal(sorted(p.name for p in found.iterdir()), sorted(
        ["SHA256SUMS", f"lazaret-{host_root.version()}-linux-{os.uname().machine}.tar.gz", f"lazaret_{host_root.version()}_{host_root.architecture()}.deb"]), "files")
    return next(found.glob("*.deb"))


def members(archive):
    """path -> TarInfo."""
    with tarfile.open(archive) as tar:
        return {("/" + m.name.removeprefix(".")).replace("//", "/"): m for m in tar.getmembers()}


def fields():
    """Of the package's control file."""
    text = area.run(["dpkg-deb", "-f", package()]).out
    return dict(re.findall(r"^(\S+): (.*(?:\n .*)*)", text, re.MULTILINE))


@case("the package has these files and folders, root's, with these modes; no link, and nothing that anybody else may write or that is set-uid")
def entries():
    data = area.folder("data") / "data.tar"
    data.write_bytes(subprocess.run(["dpkg-deb", "--fsys-tarfile", package()], check=True, capture_output=True).stdout)
    found = members(data)
    check_equal({(m.uid, m.gid) for m in found.values()}, {(0, 0)}, "owners")
    check_equal({p: m.type for p, m in found.items() if not (m.isfile() or m.isdir())}, {}, "what is neither file nor folder")
    check_equal({p: oct(m.mode) for p, m in found.items() if not p.startswith("/usr/share/")}, {p: oct(m) for p, m in ENTRIES.items()}, "outside of /usr/share")
    shared = {p: m.mode for p, m in found.items() if p.startswith("/usr/share/")}
    check_equal({p: oct(m) for p, m in shared.items() if m not in (0o644, 0o755)}, {}, "modes in /usr/share")
    pages = {f"/usr/share/man/man{p.suffix[1:]}/{p.name}.gz" for p in (laz.ROOT / "docs" / "man").glob("*.[1-8]")}
    check_equal({p for p, m in found.items() if "/man/" in p and m.isfile()}, pages, "pages")
    sources = {"lazaret": laz.ROOT / "policies", "doc/lazaret/docs": laz.ROOT / "docs", "doc/lazaret/examples": laz.ROOT / "examples"}
    for place, source in sources.items():
        wanted = {f"/usr/share/{place}/{p.relative_to(source)}" for p in source.rglob("*") if p.is_file() and source / "man" not in p.parents}
        check_equal({p for p, m in found.items() if p.startswith(f"/usr/share/{place}/") and m.isfile()}, wanted, place)
    check({"README.md", "CHANGELOG.md", "copyright", "changelog.gz"} <= {p.rsplit("/", 1)[1] for p in shared if p.count("/") == 5}, "papers")


@case("its fields: the version and the architecture of the programs, no dependency, the libraries in them with their versions, one conffile")
def control():
    found = fields()
    check_equal((found["Package"], found["Version"], found["Architecture"]), ("lazaret", host_root.version(), host_root.architecture()), "what it is")
    check_equal({"Depends", "Pre-Depends", "Recommends"} & set(found), set(), "what it asks for: the programs are static")
    for name in PROGRAMS:
        program = laz.BIN / name.rsplit("/", 1)[1]
        check("statically linked" in area.run(["ldd", program]).out + area.run(["ldd", program]).err, f"{name}: libraries")
    for library in ("openssl", "glibc", "musl", "libyaml", "libseccomp", "libevent", "zlib"):
        check(re.search(rf"\b{library} \(= \S+\)", found["Static-Built-Using"]), f"{library}: {found['Static-Built-Using']}")
    check_equal(area.run(["dpkg-deb", "--info", package(), "conffiles"]).out, "/etc/logrotate.d/lazaret\n", "conffiles")


@case("made twice, with another umask, place, language, time zone and other times of the sources: the same bytes, of the package and of the tarball; and no program knows where it was built")
def reproducible():
    first = package().parent
    pages = [laz.ROOT / "docs" / name for name in ("man/lazaret.1", "README.md")]
    times = {page: page.stat().st_mtime_ns for page in pages}
    os.umask(0o077)
    try:
        for page in pages:
            os.utime(page)
        again = host_root.dist("again", TMPDIR=str(area.folder("elsewhere")), LC_ALL="C.UTF-8", TZ="Asia/Tokyo")
    finally:
        os.umask(0o022)
        for page, ns in times.items():
            os.utime(page, ns=(ns, ns))

    def sums(folder):
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir() if p.name.startswith("lazaret")}

    check_equal(sums(again), sums(first), "the same")
    symbols = {p.name: str(laz.ROOT).encode() in p.read_bytes() for p in (laz.BIN.parent / "debug").glob("lazaret*.debug")}
    check_equal((len(symbols), [n for n, has in symbols.items() if has]), (len(PROGRAMS), []), "programs whose id depends on where they were built")
    check_equal(dict(reversed(line.split()) for line in (first / "SHA256SUMS").read_text().splitlines()), sums(first), "SHA256SUMS")


@case("the tarball has what the package has, uncompressed and without Debian's papers, and root's")
def tarball():
    found = members(next(package().parent.glob("*.tar.gz")))
    check_equal({(m.uid, m.gid, m.uname, m.gname) for m in found.values()}, {(0, 0, "", "")}, "owners")
    wanted = {p: oct(m) for p, m in ENTRIES.items() if "lazaret" in p}
    check_equal({p: oct(m.mode) for p, m in found.items() if not p.startswith("/usr/share")}, wanted, "modes, and no folder of the host's")
    check_equal({p for p, m in found.items() if m.isdir() and "/lazaret" not in p}, set(), "folders of the host's")
    check_equal({p for p in found if p.endswith(".gz") or "lintian" in p}, set(), "Debian's")


@case("lintian finds nothing, not of pedantry either, but what overrides name; each of these says why, and is needed")
def lint():
    area.require_program("lintian")
    done = area.run(["lintian", "--allow-root", "--display-info", "--pedantic", "--show-overrides", package()], timeout=120)
    said = [line for line in (done.out + done.err).splitlines() if re.match(r"[EWIPXOM]: ", line)]
    check_equal([line for line in said if line[0] in "EWP" and "unused-override" not in line], [], "findings")
    ours = {tag for tag in re.findall(r"^I: lazaret: (\S+)", "\n".join(said), re.MULTILINE)}
    check_equal(ours - {"binary-has-unneeded-section", "spelling-error-in-binary", "typo-in-manual-page"}, set(), "remarks")
    check_equal([line for line in said if "unused-override" in line], [], "overrides that nothing needs")
    check_equal(len([line for line in said if line.startswith("O: ")]) > 5, True, f"the control, overrides: {said}")
    lines = (PACKAGING / "debian" / "overrides").read_text().splitlines()
    check(lines[0].startswith("# "), "the first override does not say why")


# ---- Installed -----------------------------------------------------------------------------------------


def dpkg(*words):
    return area.run(["dpkg", "--force-unsafe-io", *words], timeout=120, env={"PATH": area.PATH, "DEBIAN_FRONTEND": "noninteractive"})


RECORDS = pathlib.Path("/var/log/lazaret/host-audit.jsonl")
_before = set()


@functools.cache
def installed():
    package()
    host_root.enter()
    _before.update(host_root.changed())
    done = dpkg("-i", package())
    check_equal(done.code, 0, f"dpkg -i: {done}")


def put(path, text):
    path = pathlib.Path(path)
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)


def daemon():
    installed()
    put("/etc/lazaret/runtime.yaml", RUNTIME.format("pass-through"))
    put("/etc/lazaret/policies.d/shell.yaml", POLICY)
    engine = engines.Docker(["--add-runtime", f"lazaret={LIBEXEC}lazaret-shim", "--default-runtime", "lazaret"])
    engine.import_root(rootfs.busybox_root("package"), "shell", "ENV PATH=/bin:/usr/bin")
    return engine


@case("dpkg -i: every file is as it was built, the shim can work with it, and each page is found")
def install():
    installed()
    check_equal(dpkg("--verify", "lazaret"), (0, "", ""), "dpkg --verify")
    for name in PROGRAMS:
        check_equal(pathlib.Path(name).read_bytes() == (laz.BIN / name.rsplit("/", 1)[1]).read_bytes(), True, name)
    done = area.run(["lazaret", "runtime", "check"])
    check(done.code == 1 and "/etc/lazaret/runtime.yaml: nothing is there" in done.err, f"nothing is decided for anybody: {done}")
    example = "/usr/share/doc/lazaret/examples/host/runtime.yaml"
    put("/etc/lazaret/runtime.yaml", pathlib.Path(example).read_text())
    done = area.run(["lazaret", "runtime", "check"])
    check_equal(done.code, 0, f"the example: {done}")
    done = area.run(["sh", "-c", "zcat /usr/share/man/man?/lazaret*.gz | mandoc -T utf8 >/dev/null"])
    check_equal(done.code, 0, f"pages: {done}")


@case("a real dockerd runs containers by the installed programs; pass-through at first, then under a policy; what was recorded is verified to be there")
def used():
    engine = daemon()
    status = engine.run("shell", ["cat", "/proc/self/status"])
    check("NoNewPrivs:\t0" in status.out, f"pass-through: {status}")
    put("/etc/lazaret/runtime.yaml", RUNTIME.format("shell"))
    status = engine.run("shell", ["cat", "/proc/self/status"])
    check("NoNewPrivs:\t1" in status.out and f"Uid:\t{rootfs.APP_UID}" in status.out, f"under the policy: {status}")
    seen = [json.loads(line)["ev"] for line in RECORDS.read_text().splitlines()]
    check({"hook.create", "hook.end"} <= set(seen), f"records: {seen}")
    # logrotate, as Debian's timer calls it: a file of its own begins, from 0
    done = area.run(["logrotate", "--force", "--state", area.folder("logrotate") / "state", "/etc/logrotate.d/lazaret"])
    check_equal((done.code, done.err), (0, ""), "logrotate")
    check_equal(RECORDS.exists(), False, "it was renamed")
    check_equal(engine.run("shell", ["true"]).code, 0, "the next container")
    check_equal((json.loads(RECORDS.read_text().splitlines()[0])["seq"], RECORDS.stat().st_mode & 0o777), (0, 0o600), "the new file")
    check_equal(len(list(RECORDS.parent.glob("host-audit.jsonl-*"))), 1, "the old one")
    name = engine.start("shell", ["sleep", "1000"])
    check_equal(dpkg("-i", package()).code, 0, "an upgrade")
    check("NoNewPrivs:\t1" in engine.must("exec", name, "cat", "/proc/self/status"), "an exec after it")
    upgrade_refused(engine.must("inspect", "-f", "{{.Id}}", name))
    check("NoNewPrivs:\t1" in engine.must("exec", name, "cat", "/proc/self/status"), "an exec after an upgrade that was refused")
    ident = engine.must("inspect", "-f", "{{.Id}}", name)
    root, = {path.parent for path in engine.home.rglob(ident) if path.parent.parent.name.startswith("runtime-")}
    refused(f"container {ident} was made by the shim and is still there (--root {root})", "lazaret-shim --root ROOT delete --force ID")
    engine.must("rm", "--force", name)
    engine.close()


def write_format(image, number):
    """In place: it is mounted into a container."""
    with image.open("r+b") as file:
        file.seek(8)
        file.write(number.to_bytes(4, "little"))


def upgrade_refused(ident):
    """Where the programs that come read another format than that of a container that runs; what no container has mounted does not matter."""
    (record,) = pathlib.Path("/run/lazaret").glob(f"*/{ident}.json")
    (image,) = pathlib.Path("/run/lazaret/images").glob(json.loads(record.read_text())["policy-digest"] + "-*.img")
    before = image.read_bytes()
    older = image.with_name(image.name.replace(".img", "x.img"))  # of an earlier version, since the boot
    older.write_bytes(before)
    write_format(older, 3)
    done = dpkg("-i", package())
    check_equal((done.code, "is not upgraded" in done.err), (0, False), f"with an image of the same policy that no container has: {done}")
    write_format(image, 3)
    done = dpkg("-i", package())
    write_format(image, int.from_bytes(before[8:12], "little"))
    check(done.code != 0, "it was upgraded")
    for text in ("lazaret is not upgraded", f"container {ident}: its policy is of format 3\n"):
        check(text in done.err, f"no {text!r} in {done.err}")
    check_equal(dpkg("--verify", "lazaret"), (0, "", ""), "all is still there")
    check_equal(dpkg("-i", package()).code, 0, "as it was")


def refused(*texts):
    """The package is not removed, and why."""
    done = dpkg("--remove", "lazaret")
    check(done.code != 0, "it was removed")
    for text in (*texts, "lazaret install runtime --engine"):
        check(text in done.err, f"no {text!r} in {done.err}")
    check_equal(dpkg("--verify", "lazaret"), (0, "", ""), "all is still there")
    check("ok installed" in area.run(["dpkg-query", "-W", "-f", "${Status}", "lazaret"]).out, "status")


@case("it is not removed while an engine's file, a drop-in or a diverted runc names its programs; a comment is no use")
def kept():
    installed()
    shim = f"{LIBEXEC}lazaret-shim"
    rows = [("/etc/docker/daemon.json", json.dumps({"runtimes": {"lazaret": {"path": shim}}})),
            ("/etc/containerd/config.toml", f'BinaryName = "{shim}"\n'), ("/etc/containerd/conf.d/lazaret.toml", f'BinaryName = "{shim}"\n'),
            ("/etc/containers/containers.conf.d/50-lazaret.conf", f'lazaret = ["{shim}"]\n'),
            ("/etc/systemd/system/docker.service.d/lazaret.conf", (laz.ROOT / "examples/host/systemd/lazaret.conf").read_text())]
    for path, text in rows:
        before = pathlib.Path(path).read_text() if pathlib.Path(path).exists() else None
        put(path, text)
        refused(f"{path} names a program of this package")
        if before is None:
            pathlib.Path(path).unlink()
            _before.add(os.path.dirname(path))
        else:
            put(path, before)
    put("/etc/lazaret/runtime.yaml", RUNTIME.format("pass-through"))
    for engine in ("docker", "containerd", "podman"):
        words = ["lazaret", "install", "runtime", "--engine", engine]
        check_equal(area.run([*words, "--apply"]).code, 0, f"{engine}: --apply")
        refused("names a program of this package", f"lazaret install runtime has installed it for: {engine}")
        check_equal(area.run([*words, "--undo"]).code, 0, f"{engine}: --undo")
    runc = pathlib.Path("/usr/sbin/runc")
    runc.rename("/usr/sbin/runc.real")
    os.link(shim, runc)
    refused("/usr/sbin/runc is the shim")
    runc.unlink()
    pathlib.Path("/usr/sbin/runc.real").rename(runc)
    _before.add(str(runc))
    put("/etc/containers/containers.conf.d/99-x.conf", f"# {shim}\n")  # and `removed` below removes it


@case("the drop-in for systemd is what systemd takes, for Docker's own unit and containerd's, and its check is the command's; a word that it does not know is found")
def drop_in():
    installed()
    text = (laz.ROOT / "examples" / "host" / "systemd" / "lazaret.conf").read_text()
    for service in ("docker.service", "containerd.service"):
        path = pathlib.Path(f"/etc/systemd/system/{service}.d/lazaret.conf")
        put(path, text)
        done = area.run(["systemd-analyze", "verify", service])
        check_equal((done.code, "lazaret" in done.err), (0, False), f"{service}: {done}")
        put(path, text.replace("RequiresMountsFor", "RequireMountsFor"))
        check("lazaret.conf:6: Unknown key" in area.run(["systemd-analyze", "verify", service]).err, f"{service}: the control")
        path.unlink()
        _before.add(str(path.parent))
    command, = re.findall(r"^ExecStartPre=(.*)$", text, re.MULTILINE)
    put("/etc/lazaret/runtime.yaml", RUNTIME.format("pass-through"))
    check_equal(area.run(command.split()).code, 0, command)
    put("/etc/lazaret/runtime.yaml", RUNTIME.format("nobody"))
    check_equal(area.run(command.split()).code, 1, f"{command}, without such a policy")


@case("removed, nothing is left but the conffile, the host's own files and its records; purged, nothing but these")
def removed():
    installed()
    put("/etc/lazaret/runtime.yaml", RUNTIME.format("pass-through"))
    put("/etc/lazaret/policies.d/shell.yaml", POLICY)
    stale = pathlib.Path("/run/lazaret/0123")  # a record of a container that is gone
    stale.mkdir(parents=True, exist_ok=True)
    put(stale / "gone.json", "{}")
    refused("container gone was made by the shim and is still there (its runtime's root is not known)")
    put(stale / "root", "/run/nowhere\n")
    RECORDS.touch()
    done = dpkg("--remove", "lazaret")
    check_equal(done.code, 0, f"remove: {done}")
    kept_files = {"/etc/lazaret", "/etc/lazaret/policies.d", "/etc/lazaret/runtime.yaml", "/etc/lazaret/policies.d/shell.yaml"}
    check_equal(left(), kept_files | {"/etc/logrotate.d/lazaret"}, "left")
    check_equal(pathlib.Path("/run/lazaret").exists(), False, "/run/lazaret")
    check_equal(dpkg("--purge", "lazaret").code, 0, "purge")
    check_equal(left(), kept_files, "after a purge")
    check(RECORDS.exists(), "records are kept")


def left():
    """What was not there before the package, but for what dpkg and engines write for themselves, and records."""
    others = re.compile(r"/(var/lib|var/cache|run|root|mnt|tmp)/|/var/log/|/etc/(docker|containerd|containers)\b")
    return {p for p in host_root.changed() - _before if pathlib.Path(p).exists() and not others.match(p)}


if __name__ == "__main__":
    laz.main()
