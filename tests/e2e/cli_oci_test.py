# SPDX-License-Identifier: Apache-2.0
"""lazaret oci import and export: what they print, what they name as lost, and that runc enforces what is exported; and
oci explain: what the shim would do to a container.

That the decisions are the same is for tests/unit/filter/profile_test.c, which has libseccomp's opinion of each.
"""
import hashlib
import json
import re

import engines
import laz
import rootfs
from cli import FOLDER, WEB, lazaret, write
from laz import case, check, check_equal

EXACT = """\
version: 1
workload: {user: "10001:10001", exec-budget: -1}
filesystem: {read-exec: [/]}
syscalls:
  default: {action: errno, errno: EPERM}
  unknown: {action: errno, errno: EPERM}
  foreign-abi: {action: kill}
  allow: [read, write]
  rules: [{names: [kill], action: allow, when: {arg: sig, not-in: [9]}}]
"""
# What runc needs between its filter and the program.
STARTED = """\
version: 1
extends: [builtin/web-api]
workload: {user: "10001:10001"}
filesystem: {read-exec: [/]}
syscalls: {allow: [capset, prctl, setgroups, setuid, setgid, setresuid, setresgid, setsid, clone3]}
"""
PROFILE = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [
    {"names": ["read", "openat", "chown32"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["chroot"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_CHROOT"]}},
    {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]}]}
IMPORTED = """\
# Imported from a seccomp profile for x86-64; to be named under `extends`.
version: 1
syscalls:
  default: {action: errno, errno: ENOSYS}
  unknown: {action: errno, errno: ENOSYS}
  allow: [
    openat, read]
  rules:
    - {names: [personality], action: allow, when: [{arg: persona, eq: 0x8}]}
"""
LOST = "lazaret: not exact: names: left out, because no ABI that a policy allows has them: chown32\n"


@case("a policy as a profile: JSON on standard output, what it cannot say on standard error, by name")
def exports():
    write("web.yaml", WEB)
    done = lazaret("oci", "export", "web.yaml", expect=0)
    profile = json.loads(done.stdout)
    check_equal((profile["defaultAction"], profile["defaultErrnoRet"]), ("SCMP_ACT_ERRNO", 1), "default")
    check(any(e["names"] == ["socket"] and e["args"][0]["op"] == "SCMP_CMP_MASKED_EQ" for e in profile["syscalls"]), done.stdout)
    check("\nlazaret: not exact: exec-budget: execve is allowed as often as anybody likes, not 1 time\n" in done.stderr, done.stderr)
    arm = json.loads(lazaret("oci", "export", "--arch", "aarch64", "web.yaml", expect=0).stdout)
    check_equal(arm["architectures"], ["SCMP_ARCH_AARCH64"], "architectures")


@case("with --strict what cannot be said is a finding, and nothing is printed; what can be is fine")
def strict():
    write("web.yaml", WEB)
    done = lazaret("oci", "export", "--strict", "web.yaml", expect=1)
    check_equal(done.stdout, "", "output")
    check("lazaret: error: oci-refused: web.yaml: " in done.stderr and "cannot be said exactly" in done.stderr, done.stderr)
    write("exact.yaml", EXACT)
    done = lazaret("oci", "export", "--strict", "exact.yaml", expect=0)
    check_equal(done.stderr, "", "errors")
    check_equal({e["action"] for e in json.loads(done.stdout)["syscalls"]}, {"SCMP_ACT_ALLOW"}, "actions")


@case("a profile as a policy: what it allows under the given capabilities, as a file that extends can name")
def imports():
    write("profile.json", json.dumps(PROFILE))
    done = lazaret("oci", "import", "--arch", "x86-64", "profile.json", expect=0)
    check_equal((done.stdout, done.stderr), (IMPORTED, LOST), "output, errors")
    write("imported.yaml", done.stdout)
    write("child.yaml", 'version: 1\nextends: [imported.yaml]\nworkload: {user: "1:1"}\nfilesystem: {read-exec: [/]}\n')
    lazaret("policy", "check", "child.yaml", expect=0)
    done = lazaret("oci", "import", "--capability", "SYS_CHROOT", "profile.json", expect=0)
    check("\n    chroot, openat, read]\n" in done.stdout, done.stdout)
    check_equal(lazaret("oci", "import", "--strict", "profile.json", expect=1).stdout, "", "output of --strict")


@case("what is no profile is refused by name")
def wrong():
    write("text.json", "no JSON")
    write("lax.json", '{"defaultAction": "SCMP_ACT_ALLOW"}')
    for words, code, why in (
            (["absent.json"], 1, "oci-refused: cannot open absent.json: No such file or directory"),
            (["text.json"], 1, "oci-refused: text.json: not JSON: byte 0"),
            (["lax.json"], 1, "oci-refused: lax.json: defaultAction: the profile allows what it does not name"),
            (["--capability", "SYS_NONSENSE", "lax.json"], 2, 'bad-option: --capability: unknown capability "SYS_NONSENSE"')):
        done = lazaret("oci", "import", *words, expect=code)
        check(why in done.stderr, done.stderr)


@case("runc takes an exported profile: the container runs, and is refused what the policy refuses")
def real():
    write("started.yaml", STARTED)
    profile = json.loads(lazaret("oci", "export", "started.yaml", expect=0).stdout)
    runc, root = engines.Runc(), rootfs.busybox_root("oci-root")
    script = ["/bin/sh", "-c", "echo up; chroot / /bin/echo free; echo $?"]
    done = runc.run(root, script)
    check_equal((done.code, done.out.split()), (0, ["up", "free", "0"]), f"without a profile: {done.err}")
    done = runc.run(root, script, seccomp=profile)
    check_equal((done.code, done.out.split()), (0, ["up", "1"]), f"with it: {done.out}{done.err}")
    check("chroot: can't change root directory to '/': Operation not permitted" in done.err, done.err)


# ---- oci explain ----


def bundle(name, change=lambda config: None):
    """A bundle with what an engine once wrote, changed."""
    config = json.loads((laz.ROOT / f"tests/data/oci/{name}.config.json").read_text())
    change(config)
    folder = FOLDER / "bundle"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def apply(config, lines):
    """The configuration that the lines say: first what goes, from behind, then what comes."""
    parsed = [re.fullmatch(r"([-+~]) (\S+): (.*)", line).groups() for line in lines]
    for mark, path, value in [p for p in reversed(parsed) if p[0] == "-"] + [p for p in parsed if p[0] != "-"]:
        *steps, last = [int(word[1:-1]) if word[0] == "[" else word for word in re.findall(r"\[\d+\]|[^.\[]+", path)]
        place = config
        for step in steps:
            place = place[step]
        if mark == "-":
            del place[last]
        elif mark == "+" and isinstance(place, list):
            place.insert(last, json.loads(value))
        else:
            place[last] = json.loads(value.rpartition(" -> ")[2])


@case("what the shim would change of a container, a line for each place; whoever does it changes nothing more")
def explains():
    write("web.yaml", WEB)

    def loosen(config):
        config["process"].update(noNewPrivileges=False)
        config["linux"].update(seccomp={"defaultAction": "SCMP_ACT_ERRNO"})

    folder = bundle("runc-spec", loosen)
    before = (folder / "config.json").read_bytes()
    lines = lazaret("oci", "explain", "web.yaml", folder, expect=0).stdout.splitlines()
    for line in ('~ process.noNewPrivileges: false -> true', '+ process.args[0]: "/.lazaret/lazaret-init"',
                 '- process.capabilities.bounding[0]: "CAP_AUDIT_WRITE"', '+ process.capabilities.inheritable: []'):
        check(line in lines, f"not said: {line}: {lines}")
    check_equal((folder / "config.json").read_bytes(), before, "the file")
    hooks = [line for line in lines if line.startswith("+ hooks")]  # of a program that this machine need not have
    check_equal(len(hooks), 1, f"lines with hooks in {lines}")
    rest = [line for line in lines if line not in hooks]
    bundle("runc-spec", lambda config: (config["linux"].update(seccomp={"defaultAction": "SCMP_ACT_ERRNO"}), apply(config, rest)))
    done = lazaret("oci", "explain", "web.yaml", folder, expect=0)
    check_equal(done.stdout.splitlines(), hooks, "what is left")
    made = "lazaret: this bundle was made by lazaret-shim already, and lazaret-init stands in front of its command: what another pass would change is no answer. Ask about what the engine wrote\n"
    check(done.stderr.endswith(made), done.stderr)
    done = lazaret("oci", "explain", "web.yaml", bundle("runc-spec", lambda config: (apply(config, rest), config["linux"].update(netDevices={"x": {}}))), expect=1)
    check(made in done.stderr and "request-refused" in done.stderr, f"also of one that is refused: {done.stderr}")
    for change in (lambda config: config["process"].update(args=["/.lazaret/lazaret-init"]), lambda config: config["process"].update(args=[]),
                   lambda config: config["mounts"].append({"destination": "/.lazaret-policy", "type": "bind", "source": "/srv/x", "options": ["bind", "ro"]})):
        check("already" not in lazaret("oci", "explain", "web.yaml", bundle("runc-spec", change)).stderr, "of what somebody else has written")


@case("the pin is the digest of the policy as it is compiled")
def explains_pin():
    write("web.yaml", WEB)
    lazaret("policy", "compile", "web.yaml", "-o", "web.img", expect=0)
    digest = hashlib.sha256((FOLDER / "web.img").read_bytes()).hexdigest()
    folder = bundle("runc-spec")
    lines = lazaret("oci", "explain", "web.yaml", folder, expect=0).stdout.splitlines()
    front = ["/.lazaret/lazaret-init", "--policy", "/.lazaret-policy", "--policy-sha256", digest, "--"]
    check_equal([line for line in lines if "process.args" in line], [f"+ process.args[{n}]: {json.dumps(word)}" for n, word in enumerate(front)], "words")


@case("what the shim would make of a container's seccomp profile, by host.seccomp")
def explains_seccomp():
    calls = {"names": ["read", "ptrace"], "action": "SCMP_ACT_ALLOW"}
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [calls]}
    supplied = '+ linux.seccomp: {"defaultAction":"SCMP_ACT_ERRNO",'
    for rule, given, begin, n in (("keep", profile, "", 0), ("keep", None, supplied, 1), ("narrow", profile, '- linux.seccomp.syscalls[0].names[1]: "ptrace"', 1),
                                  ("narrow", None, supplied, 1), ("events", profile, '+ linux.seccomp.', 100)):
        write("web.yaml", WEB + f"host: {{seccomp: {rule}}}\n")
        folder = bundle("runc-spec", lambda config, given=given: config["linux"].update({"seccomp": given} if given else {}))
        lines = [line for line in lazaret("oci", "explain", "web.yaml", folder, expect=0).stdout.splitlines() if "linux.seccomp" in line]
        check(len(lines) >= n and (n > 1 or len(lines) == n) and all(n > 1 or line.startswith(begin) for line in lines), f"{rule}, {given}: {lines[:3]}")


@case("what containerd's CRI binds into each pod by itself is no reason to refuse one; what else is there is")
def explains_pods():
    write("web.yaml", WEB)
    sandbox = "containerd/io.containerd.grpc.v1.cri/sandboxes/0123456789abcdef"
    pause = {"/etc/resolv.conf": "resolv.conf"}
    container = pause | {"/etc/hostname": "hostname", "/etc/hosts": "hosts"}

    def bind(at, source):
        return {"destination": at, "type": "bind", "source": source, "options": ["rbind", "rprivate", "rw"]}

    for files, why in ((pause, None), (container, None), ({"/mnt": ""}, "sandboxes/0123456789abcdef/"), ({"/mnt": "metadata"}, "sandboxes/0123456789abcdef/metadata")):
        def change(config, files=files):
            config["mounts"] = [m for m in config["mounts"] if m["destination"] != "/dev/shm"] + [bind("/dev/shm", f"/run/{sandbox}/shm")]
            config["mounts"] += [bind(at, f"/var/lib/{sandbox}/{name}") for at, name in files.items()]
        done = lazaret("oci", "explain", "web.yaml", bundle("runc-spec", change), expect=1 if why else 0)
        errors = [line for line in done.stderr.splitlines() if "error:" in line]
        wanted = [f"lazaret: error: request-refused: a bind mount of /var/lib/containerd/io.containerd.grpc.v1.cri/{why} (host.mounts)"] if why else []
        check_equal(errors, wanted, files)


@case("what the shim would refuse of a container, and what is no container, by name")
def explains_refusals():
    write("web.yaml", WEB)

    def unconfined(config):
        config.pop("hooks", None)
        config["process"].update(apparmorProfile="unconfined")

    rows = [
        ("request-refused: devices of the host (privileged) (host.privileged)", "docker-privileged", lambda config: config.pop("hooks")),
        ("request-refused: annotation run.oci. (host.annotations)", "podman-annotated", lambda config: None),
        ("request-refused: process.apparmorProfile: unconfined (privileged) (host.privileged)", "docker-default", unconfined),
        ("request-refused: linux.sysctl of the whole host: vm.swappiness (nothing allows it)", "runc-spec", lambda config: config["linux"].update(sysctl={"vm.swappiness": "0"})),
        ("oci-refused: config.json: process.Args: differs from args by case alone", "runc-spec",
         lambda config: config["process"].update(Args=[])),
        ("oci-refused: config.json: hooks: not an object", "runc-spec", lambda config: config.update(hooks=[])),
    ]
    for expected, name, change in rows:
        done = lazaret("oci", "explain", "web.yaml", bundle(name, change), expect=1)
        errors = [line for line in done.stderr.splitlines() if "error:" in line]
        check_equal((done.stdout, errors), ("", [f"lazaret: error: {expected}"]), name)
    write("clamp.yaml", WEB + "host: {privileged: clamp}\n")
    lazaret("oci", "explain", "clamp.yaml", bundle("docker-default", unconfined), expect=0)
    (FOLDER / "bundle" / "config.json").unlink()
    done = lazaret("oci", "explain", "web.yaml", FOLDER / "bundle", expect=1)
    check("bundle/config.json: open: No such file or directory" in done.stderr, done.stderr)
    check("policy-absent" in lazaret("oci", "explain", "absent.yaml", FOLDER / "bundle", expect=1).stderr, "no policy")


laz.main()
