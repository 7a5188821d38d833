# SPDX-License-Identifier: Apache-2.0
"""While what lazaret-shim reads is exchanged under it, again and again, a runtime that is a stand-in checks what it gets: a call
that is passed on is of one state, whole; none waits, and nothing is written where a link leads. Killed at any of its
system calls, an exec hands the runtime all of its copy or nothing.
"""
import json
import pathlib
import re

import area
import hook_world
import laz
import rootfs
import shim_world as world
from laz import case, check, check_equal
from shim_world import OPT, RUNTIME, SHIM, configure
from swaps import Swaps

POLICY = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text().replace("/app, ", "")
LEDGER = OPT / "audit" / "host.jsonl"
RUNTIME_YAML = f"version: 1\nruntime: {RUNTIME}\ndefault-policy: {{}}\naudit: {{{{file: {LEDGER}}}}}\n"
ROUNDS = 20000 if laz.LONG else 200
BATCH = 200  # whose records are looked at together
ALLOWED = {"CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID"}
INIT = "/.lazaret/lazaret-init"


def prepare():
    """The host with its policy, and a stand-in for the runtime."""
    world.host()
    world.install(shell=POLICY)
    configure(RUNTIME_YAML.format("shell"))


def bundle(name, change=lambda config: None):
    """A bundle, and the content of its config.json."""
    folder = area.folder(f"bundle-{name}")
    area.run(["runc", "spec", "--bundle", folder])
    config = json.loads((folder / "config.json").read_text())
    config["process"].update(terminal=False, args=["/bin/true"])
    config["root"] = {"path": str(rootfs.put_folder(area.folder(f"root-{name}"), "x").parent), "readonly": False}
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


LOOP = 'n=0; while [ $n -lt $1 ]; do "$2" --root /run/test $3 "$4" "$5" one$n 2>> "$6" >&2 </dev/null; echo $?; n=$((n + 1)); done'


def rounds(words, look, check_error, before=lambda: None):
    """Call the shim again and again; look at each call of the runtime, and at each refusal. How many there were of both."""
    passed = refused = 0
    errors = OPT / "errors"
    for _ in range(0, ROUNDS, BATCH):
        errors.unlink(missing_ok=True)
        world.records()
        before()
        done = area.run(["sh", "-c", LOOP, "sh", BATCH, SHIM, *words, errors], env={"PATH": area.PATH}, timeout=300)
        codes = done.out.split()
        check_equal(len(codes), BATCH, "rounds")
        check(set(codes) <= {"0", "1"}, f"exit codes: {set(codes)}")
        seen = world.records()
        check_equal(len(seen), codes.count("0"), "calls of the runtime, and calls that were not refused")
        for record in seen:
            look(record)
        for line in errors.read_text().splitlines() if errors.exists() else []:
            laz.check_no_report(line)
            check(line.startswith("lazaret: "), line)
            check_error(line)
        passed += len(seen)
        refused += codes.count("1")
        for path in pathlib.Path("/run/lazaret").glob("*/one*.json"):
            path.unlink()
    return passed, refused


def check_process(process, args, what):
    """Confined, whatever the caller asked for."""
    check(process["args"][0] == INIT and process["args"][-len(args) - 1:] == ["--", *args], f"{what}: {process['args']}")
    check_equal(process["noNewPrivileges"], True, what)
    for kind, names in process.get("capabilities", {}).items():
        check(set(names) <= ALLOWED, f"{what}: {kind}: {names}")
    check(not [v for v in process.get("env", []) if v.startswith(("LD_PRELOAD=", "LAZARET_"))], f"{what}: {process['env']}")


@case("process.json is exchanged: the runtime gets a copy of one of both, confined")
def swapped_process():
    prepare()
    folder = bundle("process")
    everything = ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE"]
    said = {
        "tame": {"args": ["/bin/tame"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["A=1"]},
        "evil": {"args": ["/bin/evil", "x" * 5000], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["LD_PRELOAD=/x", "LAZARET_EVENTS=/x"],
                 "noNewPrivileges": False, "capabilities": {k: everything for k in ("bounding", "effective", "permitted", "inheritable", "ambient")}}}
    path, other = folder / "process", folder / "other"
    path.write_text(json.dumps(said["tame"]))
    other.write_text(json.dumps(said["evil"]))
    seen = set()

    def look(record):
        process = json.loads(record["process"])
        name = process["args"][process["args"].index("--") + 1].rsplit("/", 1)[1]
        seen.add(name)
        check_process(process, said[name]["args"], name)
        check(record["words"][record["words"].index("--process") + 1].startswith("/run/lazaret/"), "the runtime reads the caller's file")

    def make_records():
        for n in range(BATCH):
            result = area.run([SHIM, "--root", "/run/test", "create", "--bundle", folder, f"one{n}"], env={"PATH": area.PATH})
            check_equal((result.code, result.err), (0, ""), "create")
        world.records()
        keep.update({p: p.read_bytes() for p in pathlib.Path("/run/lazaret").glob("*/one*.json")})

    keep = {}

    def restore():
        if not keep:
            make_records()
        for record, content in keep.items():
            record.write_bytes(content)
            record.chmod(0o600)

    with Swaps(path, other) as swaps:
        passed, refused = rounds(["exec", "--process", path], look, lambda line: check(False, line), restore)
    check_equal((passed, refused, seen), (ROUNDS, 0, {"tame", "evil"}), f"{swaps.n} exchanges")
    print(f"     {passed} execs, {swaps.n} exchanges")


@case("config.json is exchanged for a link to a file of the host: it is refused or rewritten, and the file stays as it is")
def swapped_config():
    prepare()
    folder = bundle("config")
    config, link, canary = folder / "config.json", folder / "other", hook_world.Canary()
    text = config.read_text()
    link.symlink_to(canary.root / "file")
    names = {str(config): 0, str(link): 0}

    def again():
        """The shim's rename replaces either of both: what was there is put back."""
        for path in (config, link):
            path.unlink(missing_ok=True)
        config.write_text(text)
        link.symlink_to(canary.root / "file")

    def look(record):
        names[str(config)] += 1
        check(record.get("config") is not None, "the runtime found nothing")

    def error(line):
        names[str(link)] += 1
        check(re.match(r"lazaret: (oci-refused|system-error): ", line), line)

    again()
    with Swaps(config, link) as swaps:
        passed, refused = rounds(["create", "--bundle", folder], look, error, again)
    check(passed > 0, f"{passed} passed, {refused} refused, {swaps.n} exchanges")
    canary.check_untouched("config.json")
    left = [p.name for p in folder.iterdir() if p.name not in ("config.json", "other")]
    check_equal(left, [], "what is in the bundle")
    print(f"     {passed} passed, {refused} refused, {swaps.n} exchanges")
    canary.close()


@case("a folder of the image is exchanged for a link to the host: it is refused, or passed, and nothing is made where the link leads")
def swapped_rootfs():
    prepare()
    folder = bundle("rootfs")
    canary = hook_world.Canary()
    root = pathlib.Path(json.loads((folder / "config.json").read_text())["root"]["path"])
    (root / ".lazaret").mkdir()
    (root / "other").symlink_to(canary.root)
    with Swaps(root / ".lazaret", root / "other") as swaps:
        passed, refused = rounds(["create", "--bundle", folder], lambda record: check_process(json.loads(record["config"])["process"], ["/bin/true"], "rootfs"),
                                 lambda line: check("something else at /.lazaret" in line, line))
    check(passed > 0 and refused > 0, f"{passed} passed, {refused} refused, {swaps.n} exchanges")
    canary.check_untouched("the root")
    print(f"     {passed} passed, {refused} refused, {swaps.n} exchanges")
    canary.close()


@case("the policy is exchanged: each container has one of both, in its capabilities, its limits and its compiled policy")
def swapped_policy():
    prepare()
    folder = bundle("policy", lambda c: c["process"].update(rlimits=[{"type": "RLIMIT_NOFILE", "hard": 500000, "soft": 500000}]))
    text = (folder / "config.json").read_text()
    first, second = world.FILE.parent / "policies.d" / "shell.yaml", world.FILE.parent / "policies.d" / "other.yaml"
    world.install(shell=POLICY.replace("limits: {", "limits: {open-files: 1001, "), other=POLICY.replace("limits: {", "limits: {open-files: 2002, "))
    pairs = {}

    def look(record):
        config = json.loads(record["config"])
        image = next(m["source"] for m in config["mounts"] if m["destination"] == "/.lazaret-policy")
        limit = next(r["hard"] for r in config["process"]["rlimits"] if r["type"] == "RLIMIT_NOFILE")
        name = record["words"][-1]
        (kept,) = pathlib.Path("/run/lazaret").glob(f"*/{name}.json")
        digest = json.loads(kept.read_text())["policy-digest"]
        check(digest in image, f"{image} is not of {digest}")
        pairs.setdefault(limit, set()).add(digest)

    def call(n):
        """Each begins with what the engine has written."""
        (folder / "config.json").write_text(text)
        return area.run([SHIM, "--root", "/run/test", "create", "--bundle", folder, f"one{n}"], env={"PATH": area.PATH})

    with Swaps(first, second) as swaps:
        for n in range(ROUNDS):
            result = call(n)
            check_equal((result.code, result.err), (0, ""), f"round {n}")
            (record,) = world.records()
            look(record)
            for path in pathlib.Path("/run/lazaret").glob("*/one*.json"):
                path.unlink()
    check_equal(sorted(pairs), [1001, 2002], f"{swaps.n} exchanges")
    check_equal([len(digests) for digests in pairs.values()], [1, 1], "one digest for each")
    print(f"     {ROUNDS} containers, {swaps.n} exchanges")


@case("runtime.yaml is exchanged for one that passes everything: each container has the policy whole, or nothing of it")
def swapped_file():
    prepare()
    folder = bundle("file")
    text = (folder / "config.json").read_text()
    other = world.FILE.with_name("other.yaml")
    other.write_text(RUNTIME_YAML.format("pass-through"))
    other.chmod(0o644)
    seen = {True: 0, False: 0}
    with Swaps(world.FILE, other) as swaps:
        for n in range(ROUNDS):
            (folder / "config.json").write_text(text)
            result = area.run([SHIM, "--root", "/run/test", "create", "--bundle", folder, f"one{n}"], env={"PATH": area.PATH})
            check_equal((result.code, result.err), (0, ""), f"round {n}")
            (record,) = world.records()
            is_passed = record["config"] == text
            seen[is_passed] += 1
            if not is_passed:
                check_process(json.loads(record["config"])["process"], ["/bin/true"], "confined")
            for path in pathlib.Path("/run/lazaret").glob("*/one*.json"):
                kept = json.loads(path.read_text())["policy"]
                check_equal(kept == "pass-through", is_passed or kept == "pass-through", "the record and what the runtime got")
                path.unlink()
    check(all(seen.values()), f"{seen}, {swaps.n} exchanges")
    print(f"     {seen[True]} passed, {seen[False]} confined, {swaps.n} exchanges")


@case("killed at any of its system calls, exec hands the runtime all of its copy or nothing, and the next one is as ever")
def killed_exec():
    prepare()
    folder = bundle("killed")
    process = folder / "process"
    process.write_text(json.dumps({"args": ["/bin/true"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["LD_PRELOAD=/x"]}))
    check_equal(area.run([SHIM, "--root", "/run/test", "create", "--bundle", folder, "one"], env={"PATH": area.PATH}).code, 0, "create")
    words = [SHIM, "--root", "/run/test", "exec", "--process", process, "one"]
    trace = OPT / "trace"
    world.records()

    def run(*options):
        area.run(["strace", "-o", trace, *options, *words], env={"PATH": area.PATH})
        return world.records()

    def judge(records, what):
        for record in records:
            check_process(json.loads(record["process"]), ["/bin/true"], what)
        for path in pathlib.Path("/run/lazaret").glob("*/*"):
            check(path.parent.name == "images" or path.stat().st_mode & 0o777 == 0o600, f"{what}: {path}")

    check_equal(len(run()), 1, "the whole call")
    calls, counts = [], {}
    for line in trace.read_text().splitlines():
        match = re.match(r"^(\w+)\(", line)
        if match:
            counts[match[1]] = counts.get(match[1], 0) + 1
            calls.append((match[1], counts[match[1]], str(RUNTIME) in line))
    last = next(n for n, (name, _, is_runtime) in enumerate(calls) if name == "execve" and is_runtime and n > 0)
    chosen = calls[1:last] if laz.LONG else calls[1:last][::4] + calls[last - 10:last]
    for name, count, _ in chosen:
        records = run("-e", f"inject={name}:signal=KILL:when={count}")
        check_equal(records, [], f"killed at {name} {count}: calls of the runtime")
        judge(records, f"killed at {name} {count}")
    records = run()
    check_equal(len(records), 1, "the next one")
    judge(records, "the next one")
    left = list(pathlib.Path("/run/lazaret").glob("*/*.exec-*"))
    check(len(left) <= 2, f"copies of those that were killed: {left}")
    print(f"     killed at {len(chosen)} of {last - 1} calls")


if __name__ == "__main__":
    laz.main()
