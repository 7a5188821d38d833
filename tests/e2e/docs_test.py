# SPDX-License-Identifier: Apache-2.0
"""The documentation is true: its blocks run or are valid, its examples have the shape of what the programs print,
its tables name what exists. A block of a kind that nobody checks is a failure.

Kinds: yaml (a whole policy), sh (commands, run beside README's policy), sh commands (README's two, which continuous
integration runs), json record (events), json task-definition, dockerfile (docker_test.py builds it), text diagram,
text quickstart, text error, rsyslog (sinks_test.py sends to it), xml (ossec_test.py reads it), json iam-policy (ship_cloudwatch_test.py),
json task-before, task-after, secrets-policy and text folders (secrets_ecs_test.py), text nginx and text status (howtos_test.py),
sh and text task-definition (task_definition_test.py), text health, text health-error and text states (cli_health_test.py), yaml runtime and text refusal (shim_test.py),
console and console fails (howto_hosts_test.py).
"""
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

import adapters
import area
import engines
import fence
import laz
import readme
import rootfs
import trail_judge
from laz import case, check, check_equal

# What ECS knows, by its API reference: ContainerDefinition and LinuxParameters.
ECS_TASK = set("""containerDefinitions cpu ephemeralStorage executionRoleArn family ipcMode memory networkMode pidMode
placementConstraints proxyConfiguration requiresCompatibilities runtimePlatform tags taskRoleArn volumes""".split())
ECS_CONTAINER = {
    "command": list, "cpu": int, "dependsOn": list, "dockerLabels": dict, "dockerSecurityOptions": list,
    "entryPoint": list, "environment": list, "environmentFiles": list, "essential": bool, "extraHosts": list,
    "firelensConfiguration": dict, "healthCheck": dict, "hostname": str, "image": str, "interactive": bool,
    "linuxParameters": dict, "logConfiguration": dict, "memory": int, "memoryReservation": int, "mountPoints": list,
    "name": str, "portMappings": list, "privileged": bool, "pseudoTerminal": bool, "readonlyRootFilesystem": bool,
    "restartPolicy": dict, "secrets": list, "startTimeout": int, "stopTimeout": int, "systemControls": list,
    "ulimits": list, "user": str, "volumesFrom": list, "workingDirectory": str,
}
ECS_LINUX = {"capabilities", "devices", "initProcessEnabled", "maxSwap", "sharedMemorySize", "swappiness", "tmpfs"}
LAUNCH_CAPS = {"KILL", "SETGID", "SETPCAP", "SETUID"}

RECORD_KEYS = ["lz", "ev", "sev", "seq", "task", "ctr", "pid", "exe", "obj", "act", "ts", "d"]
EVENTS_PAGE = laz.ROOT / "docs" / "reference" / "events.md"
CONTRACT_PAGE = laz.ROOT / "docs" / "reference" / "pid1-contract.md"
ERRORS_PAGE = laz.ROOT / "docs" / "reference" / "errors.md"
MAP = laz.ROOT / "docs" / "README.md"
INIT_PAGE = laz.ROOT / "docs" / "man" / "lazaret-init.8"


def of_kind(kind):
    """All blocks of a kind; none is a failure, because then nothing is checked."""
    found = [b for page in readme.pages() for b in readme.blocks(page) if b.kind == kind]
    check(found, f"no block of kind {kind!r} in the documentation")
    return found


def place(block):
    return f"{block.path.relative_to(laz.ROOT)}:{block.line}"


def text_of(path):
    return (laz.ROOT / path).read_text(encoding="utf-8")


def sources(folder):
    """The C text of a folder, in one piece."""
    return "\n".join(p.read_text(encoding="utf-8") for p in sorted((laz.ROOT / folder).rglob("*.[ch]")))


def lazaret(*words, cwd=None):
    return area.run([area.program("lazaret"), *words], cwd=cwd)


KINDS = {"yaml", "sh", "sh commands", "json record", "json task-definition", "dockerfile", "text diagram",
         "text quickstart", "text error", "text verdict", "rsyslog", "xml", "json iam-policy",
         "text broken", "text truncated", "yaml runtime", "text refusal", "text open", "sh aws",
         "json task-before", "json task-after", "json secrets-policy", "text folders", "text nginx", "text status",
         "json find", "sh task-definition", "text task-definition", "text health", "text health-error", "text states",  # the first: sense_test
         "yaml rollout", "sh gate",  # gate_test, gate_live_test
         "json ecs", "sh protect", "text probe",  # ecs_test, protect_test, runbook_test
         "console", "console fails", "yaml runtime-class",  # howto_hosts_test: whole pages
         "json mount", "json entry",  # hook_test
         "sh host-file", "sh recipe",  # shim_audit_test, host_ledger_test
         "sh off", "yaml off",  # shim_images_test
         "text healthcheck", "yaml health-check",  # shim_exec_test
         "text install"}


@case("every block of the documentation is of a kind that is checked here")
def kinds():
    for page in readme.pages():
        for block in readme.blocks(page):
            check(block.kind in KINDS, f"{place(block)}: nobody checks blocks of kind {block.kind!r}")
        fences = len(re.findall(r"^\s*(```|~~~)", page.read_text(encoding="utf-8"), re.MULTILINE))
        check_equal(fences, 2 * len(readme.blocks(page)), f"fences of {page.name} that are blocks")


# ---- Policies and commands ---------------------------------------------------------------------------


@case("policies in the documentation are fine, without a warning, and so are their tests")
def policies():
    for number, block in enumerate(of_kind("yaml")):
        path = area.folder(f"policy-{number}") / "policy.yaml"
        path.write_text(block.text)
        for words in (["check", "--json"], ["test"]):
            result = lazaret("policy", *words, path)
            check_equal(result.code, 0, f"{place(block)}: policy {words[0]} ({result.out}{result.err})")
            if "--json" in words:
                check("warning" not in result.out + result.err, f"{place(block)}: {result.out}{result.err}")


SPOOL = b"event 3\nlog 5 200\nfinal\n"


def make_spool(folder):
    """A container's spool, and recovery.key, which opens it."""
    for words in (["genpkey", "-algorithm", "X25519", "-out", "recovery.key"],
                  ["pkey", "-in", "recovery.key", "-pubout", "-out", "recovery.pem"]):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    (folder / "spool").mkdir()
    make = laz.BIN.parent / "tests" / "spool_make"
    subprocess.run([make, "spool", "run", "recovery.pem"], cwd=folder, input=SPOOL, check=True, capture_output=True)


@case("commands in the documentation work, beside the README's policy, a trail and a spool")
def commands():
    for number, block in enumerate(of_kind("sh")):
        folder = area.folder(f"commands-{number}")
        (folder / "policy.yaml").write_text(readme.block("yaml"))
        (folder / "trail.jsonl").write_bytes(trail_judge.make(trail_judge.CLOSED))
        make_spool(folder)
        (folder / "examples").symlink_to(laz.ROOT / "examples")
        environment = dict(os.environ, PATH=f"{laz.BIN}:{area.PATH}")
        result = area.run(["sh", "-eu", "-c", block.text], cwd=folder, env=environment)
        check_equal(result.code, 0, f"{place(block)}: {result.err}")
        check(result.out, f"{place(block)}: prints nothing")


@case("a verdict in the documentation is what the command says of a whole trail")
def verdict():
    path = area.folder("verdict") / "trail.jsonl"
    path.write_bytes(trail_judge.make(trail_judge.CLOSED))
    said = lazaret("verify", path).out
    for block in of_kind("text verdict"):
        check(block.text in said, f"{place(block)}: {said}")


@case("what is broken, truncated or open looks as the documentation says")
def other_verdicts():
    lines = trail_judge.make(trail_judge.CLOSED).splitlines(keepends=True)
    trails = {"broken": [lines[0], lines[1].replace(b'"obj":"', b'"obj":"/other'), *lines[2:]], "open": lines[:-1],
              "truncated": [line for line in lines if b'"ev":"log",' not in line]}
    for name, trail in trails.items():
        path = area.folder(name) / "trail.jsonl"
        path.write_bytes(b"".join(trail))
        done = lazaret("verify", path)
        check_equal(done.code, 1, f"{name}: exit code")
        for block in of_kind(f"text {name}"):
            check(block.text in done.out, f"{place(block)}: {done.out}")


@case("what CloudWatch Logs answers, as the documentation has it read back, is the trail")
def read_back():
    trail = trail_judge.make(trail_judge.CLOSED)
    folder = area.folder("aws")
    (folder / "answer").write_text(json.dumps(trail.decode().splitlines()))
    (folder / "aws").write_text('#!/bin/sh\ncase "$*" in *"filter-log-events"*"--output json"*) cat answer ;; *) exit 9 ;; esac\n')
    (folder / "jq").write_text("#!/usr/bin/python3\nimport json, sys\nassert sys.argv[1:] == ['-r', '.[]']\n"
                               "print(*json.load(sys.stdin), sep='\\n')\n")
    for name in ("aws", "jq"):
        (folder / name).chmod(0o755)
    environment = dict(os.environ, PATH=f"{folder}:{laz.BIN}:{area.PATH}", STREAM="claims-api/task")
    for block in of_kind("sh aws"):
        done = area.run(["sh", "-eu", "-c", block.text], cwd=folder, env=environment)
        check_equal((done.code, (folder / "trail.jsonl").read_bytes()), (0, trail), f"{place(block)}: {done.err}")


@case("the README has two commands, and both can be run")
def two_commands():
    lines = readme.block("sh commands").splitlines()
    check_equal(len(lines), 2, "commands")
    for line in lines:
        program = laz.ROOT / line.removeprefix("sudo ")
        check(os.access(program, os.X_OK), f"{line}: {program} cannot be executed")
        done = area.run(["bash", "-n", program])
        check_equal(done.code, 0, f"{line}: {done.err}")
    check(lines[1] in text_of(".ci/run"), "continuous integration does not run the README's second command")


@case("a compiled policy has the fields, in the order, that its page lists")
def compiled():
    """Walks each file along the page's tables; the walk must end exactly at its end."""
    block, *told = re.split(r"\n## What the helper \w+ is told\n", text_of("docs/reference/policy-image.md"))
    check_equal(len(told), 5, "helpers that are told something")
    for parts in ((), (SINKS,), (SECRETS,), (SINKS, SECRETS), (TUNNELS,), (SINKS, TUNNELS), (HEALTH,), (TUNNELS, HEALTH),
                  (SECRETS, HEALTH.replace('{', '{tls: web, ', 1))):
        sinks, secrets, tunnels, health = (any(key in part for part in parts) for key in ("sinks:", "items:", "trust:", "health:"))
        folder = area.folder(f"compiled-{hashlib.sha256(''.join(parts).encode()).hexdigest()[:8]}")
        (folder / "policy.yaml").write_text(readme.block("yaml") + "".join(parts))
        digests = lazaret("policy", "compile", "policy.yaml", "-o", "policy.img", cwd=folder)
        check_equal(digests.code, 0, digests.err)
        data = (folder / "policy.img").read_bytes()
        check_equal((data[:8], int.from_bytes(data[12:16], "little")), (b"LAZPOLIC", len(data)), "magic and length")
        check_equal(hashlib.sha256(data[48:]).digest(), data[16:48], "the digest in the header")
        check(data[52:84].hex() in digests.out, "the digest of the sources is not the one that compile prints")
        of_helpers = walk_block(block, data)
        pages = [*(told[:2] if sinks else []), *(told[2:3] if secrets else []), *(told[3:4] if tunnels else []),
                 *(told[4:] if health else [])]
        check_equal(len(of_helpers), len(pages), "helpers that are told something")
        check_equal([walk_told(page, what) for page, what in zip(pages, of_helpers)],
                    [*([[2], [0]] if sinks else []), *([[9, 1]] if secrets else []), *([[2]] if tunnels else []), *([[2]] if health else [])],
                    "sinks, items, entries and checks of which they are told")


SECRETS = """
secrets:
  region: eu-west-1
  items:
    - {name: a, from: {variable: OLD}, file: {path: a/b}, fd: {number: 20, variable: A_FD}}
    - {name: b, from: /b, decrypt: {key: "arn:aws:kms:us-east-1:111122223333:key/1", context: {app: emr, for: x}}, file: {path: b}}
    - {name: c, from: {file: /c}, bytes: 32, form: hex, newline: true, fd: {number: 255}}
tls:
  identities:
    - {name: web, from: {file: {certificate: /c, key: /k}}, san: {dns: [a.b, c.d]}, files: {dir: tls}}
"""


TUNNELS = """
tls:
  trust: [{name: rds, file: /etc/ca.pem}, {name: own, file: /etc/own.pem}]
  connect:
    - {name: pg, bind: "127.0.0.1:5432", to: "db.internal:5432", protocol: postgres, trust: rds}
    - {name: cache, bind: "unix:/run/cache.sock", to: "cache.internal:6379", trust: own}
"""


HEALTH = """
health: {listen: "0.0.0.0:9100", color-from: COLOR, live: {checks: [
  {name: a, exec: [/usr/bin/true, x]}, {name: b, http: "https://a.b/c", ca: /etc/ca.pem}]}}
"""


SINKS = """
logs: {redact: {patterns: [mrn], mrn: 'MRN-[0-9]{8}', literals: [open sesame]}}
spool: {seal-to: [/etc/lazaret/recovery.pem]}
sense: {foreign: {allow: [curl]}, listen: {allow: [53/udp]}, files: {watch: [/app], except: [/app/cache]}}
sinks:
  - {name: trail, type: file, path: /var/log/lazaret/trail.jsonl, classes: [audit, ids, log], required: true}
  - {name: far, type: relp, to: "logs.internal:2514", tls: {ca: /etc/lazaret/ca.pem}}
"""


def rows_of(text):
    return re.findall(r"^\| (\d.*|string.*|list.*) \| (.*) \|$", text, re.MULTILINE)


def walk_block(page, data):
    """What the helpers are told: the fields that are lists of bytes; none if the block has no such fields."""
    at, told, absent = 0, [], 0
    for size, what in rows_of(page):
        if absent > 0:
            absent -= 1
            continue
        for field in fields_of(size):
            at = skip_field(data, start := at, field)
        skipped = re.search(r"if not, the next (\d+) rows are not there$", what)
        if skipped and data[start] == 0:
            absent = int(skipped.group(1))
        if size == "list of bytes":
            told.append(data[start + 4:at])
        if what.endswith("the block ends here") and data[start] == 0:
            break
    check_equal(at, len(data), "where the page's last field ends")
    return told


def walk_told(page, told):
    """The number of sinks, or of items and identities; 0 where the page has none."""
    at = start = 0
    once = [row for row in rows_of(page) if row[1].startswith("at the end, once: ")]
    rows = [row for row in rows_of(page) if row not in once]
    counts = []
    ends = [i + 1 for i, (_, what) in enumerate(rows) if what.endswith("and for each:")]
    for first, last in zip([0, *ends], [*ends, len(rows)]):
        # of what there is a number of, the rows but the last, which counts what is next, are there so often
        of_each = rows[first:last] if last == len(rows) else rows[first:last - 1]
        for size, _ in of_each * (counts[-1] if counts else 1):
            for field in fields_of(size):
                at = skip_field(told, at, field)
        if last < len(rows):
            at = skip_field(told, start := at, fields_of(rows[last - 1][0])[0])
            counts.append(int.from_bytes(told[start:at], "little"))
            check(counts[-1] < 1000, f"{counts[-1]} where there is a number of things: {rows[last - 1]}")
    for size, _ in once:
        for field in fields_of(size):
            at = skip_field(told, at, field)
    check_equal(at, len(told), "where the last field of the helper's ends")
    return counts or [0]


def fields_of(size):
    """The fields of one row: (kind, size of an entry, aligned)."""
    parts = re.split(r", (?![^(]*\))", size)
    if len(parts) > 1:
        return [field for part in parts for field in fields_of(part)]
    times = re.match(r"(\d+)(?: ×)? (.+)$", size)
    if times:
        return fields_of(times.group(2)) * int(times.group(1))
    of = re.match(r"(aligned )?lists? of (.*)$", size)
    if of:
        return [("list", of.group(2).strip("()").split(", "), bool(of.group(1)))]
    return [("plain", [size], False)]


def skip_field(data, at, field):
    """The offset behind a field."""
    kind, entry, aligned = field
    count = 1
    if kind == "list":
        count = int.from_bytes(data[at:at + 4], "little")
        at += 4
        at += -at % 8 if aligned else 0
    for _ in range(count):
        for word in entry:
            if word.startswith("list of "):
                at = skip_field(data, at, fields_of(word)[0])
            elif word in ("string", "strings"):
                at = data.index(b"\0", at) + 1
            else:
                at += 1 if word == "bytes" else int(word)
    return at


# ---- The image and the task --------------------------------------------------------------------------


@case("the Dockerfile has four lines, names programs that are built, and starts what it copied")
def dockerfile():
    instructions = [line.split(None, 1) for line in readme.block("dockerfile").splitlines()]
    words = readme.entrypoint()
    check_equal([i[0] for i in instructions], ["FROM", "COPY", "COPY", "ENTRYPOINT"], "instructions")
    *programs, target = instructions[1][1].split()
    check_equal(programs, list(rootfs.PROGRAMS), "the programs that suites put into images")
    check_equal(words[0], f"{target}{programs[0]}", "the program that the entrypoint starts")
    check_equal(instructions[2][1], "policy.yaml /etc/lazaret/", "where the policy goes")
    elsewhere = re.search(r'LAZ_LAUNCHER_ELSEWHERE\s+"(\S+)"', text_of("init/pid1/launcher.h")).group(1)
    check_equal(target, elsewhere, "the folder in which init looks for the programs that it starts")
    check('"/etc/lazaret/policy.yaml"' in text_of("init/pid1/options.h"), "init looks for its policy elsewhere")


@case("the task definition has keys that ECS knows, and agrees with policy and Dockerfile")
def task_definition():
    task = json.loads(readme.block("json task-definition"))
    check(set(task) <= ECS_TASK, f"keys {set(task) - ECS_TASK}")
    container, = task["containerDefinitions"]
    for key, value in container.items():
        check(key in ECS_CONTAINER, f"ECS knows no {key}")
        check(isinstance(value, ECS_CONTAINER[key]), f"{key}: {value!r}")
    linux = container["linuxParameters"]
    check(set(linux) <= ECS_LINUX, f"linuxParameters: {set(linux) - ECS_LINUX}")
    drop = set(linux["capabilities"]["drop"])
    check_equal(set(engines.DOCKER_CAPS) - drop, LAUNCH_CAPS, "what is left of the default capabilities")
    check_equal(drop - set(engines.DOCKER_CAPS), set(), "dropped, but not there by default")
    check_equal(container["entryPoint"] + container["command"], readme.entrypoint(), "what is started")
    check(container["readonlyRootFilesystem"], "the root file system can be written")
    names = {e["name"] for e in container["environment"]}
    check("LAZARET_EVENTS" in names, f"variables {names}")
    policy = readme.block("yaml")
    check(f"stop-timeout: {container['stopTimeout']}s" in policy, "stopTimeout is not the policy's stop-timeout")
    for port in container["portMappings"]:
        check(f"tcp-bind: [{port['containerPort']}]" in policy, f"port {port} is not the policy's")


# ---- Output ------------------------------------------------------------------------------------------


def fresh_clone():
    """A folder with the tracked files as they are, and nothing else."""
    clone = area.folder("clone")
    listed = subprocess.run(["git", "-C", laz.ROOT, "ls-files", "-z"], check=True, stdout=subprocess.PIPE)
    for name in listed.stdout.decode().split("\0"):
        if name and (laz.ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(laz.ROOT / name, clone / name)
    return clone


@case("the README's first command works in a fresh clone, and prints what the README shows")
def quickstart():
    area.require_root()
    command = readme.block("sh commands").splitlines()[0].removeprefix("sudo ")
    result = area.run([fresh_clone() / command], timeout=800)
    check_equal(result.code, 0, f"exit code ({result.out[-600:]}{result.err[-600:]})")
    printed = result.out.splitlines()
    degraded = next(line for line in printed if line.startswith("  degraded "))
    for line in readme.block("text quickstart").splitlines():
        label = re.match(r"  [A-Za-z_]+(?: [a-z]+|, [a-z]+)?  +", line)
        if label and not re.match(r"  (done|refused) ", line):  # values are this kernel's
            check(any(p.startswith(label.group()) for p in printed), f"no line like {line!r} in:\n{result.out}")
        elif "landlock" not in degraded:  # without it, attempts end otherwise
            check(line in printed, f"not printed: {line!r}; but:\n{result.out}")


@case("the error in the documentation is what init says")
def error():
    expected = readme.block("text error", ERRORS_PAGE)
    path = re.search(r"policy-absent: (\S+): ", expected).group(1)
    with fence.Run([str(area.program("lazaret-init")), "--policy", path, "--", "/bin/true"]) as run:
        run.wait()
        said = [line for line in run.stderr().splitlines() if not line.startswith("{")]
    check_equal("\n".join(said) + "\n", expected, "stderr")


@case("diagrams name programs that are built")
def diagrams():
    for block in of_kind("text diagram"):
        names = set(re.findall(r"\blazaret-\w+", block.text))
        check(names, f"{place(block)}: names no program")
        for name in names:
            area.program(name)


# ---- Events ------------------------------------------------------------------------------------------


def real_records():
    """(ev, act) -> record, from runs in which each of them happens."""
    found = {}

    def keep(run):
        run.wait()
        for record in adapters.events(run):
            found.setdefault((record["ev"], record["act"]), record)

    start = adapters.LAZARET.start
    script = "/usr/bin/unshare -U true; /bin/true; exit 3"
    policy = {"workload": {"exec-budget": 2}}
    with start(app=["/bin/sh", "-c", script], policy=policy) as run:
        keep(run)
    policy = {"signals": {"drop": ["HUP"]}, "shutdown": {"grace": "100ms", "drain": "100ms"}}
    with start([f"ignore={fence.TERM}", "say=up", "pause"], policy=policy) as run:
        run.expect("say")
        run.kill(fence.HUP)
        run.kill(fence.TERM)
        keep(run)
    with start(app=["/nowhere"]) as run:
        keep(run)
    for record in with_a_gap():
        found.setdefault((record["ev"], record["act"]), record)
    return found


def with_a_gap():
    """Records of a stream that nobody reads for a while: one page, less than three records."""
    folder = area.folder("gap")
    stream = folder / "stream"
    os.mkfifo(stream)
    image = adapters.LAZARET.image(adapters.LAZARET.policy())
    script = "import os, time\ndef refused():\n  try: os.chroot('/')\n  except OSError: pass\n" \
             "for _ in range(20): refused()\ntime.sleep(1)\nrefused()\n"
    reader = os.open(stream, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    command = [*adapters.LAZARET.base, "--policy", image, "--events", str(stream), "--",
               "/usr/bin/python3", "-c", script]
    text = b""
    with fence.Run(command) as run:
        while run.ended is None:
            run.has_ended(0.5)
            try:
                text += os.read(reader, 65536)
            except BlockingIOError:
                pass
    os.close(reader)
    return [json.loads(line) for line in text.splitlines()]


@case("records in the documentation have the members, in the order, that real ones have")
def records():
    real = real_records()
    seen = set()
    for block in of_kind("json record"):
        for line in block.text.splitlines():
            record = json.loads(line)
            check_equal(list(record), RECORD_KEYS, f"{place(block)}: keys")
            name = record["ev"], record["act"]
            seen.add(name)
            check(name in real, f"{place(block)}: no run had {name}")
            check_equal(list(record["d"]), list(real[name]["d"]), f"{place(block)}: members of {name}")
            for key, value in record["d"].items():
                inner = real[name]["d"][key]
                if isinstance(value, dict):
                    check_equal(list(value), list(inner), f"{place(block)}: members of {key}")
                check_equal(type(value), type(inner), f"{place(block)}: {name}: {key}")
            if name[0] != "init.start":  # whose severity depends on what is degraded
                check_equal(record["sev"], real[name]["sev"], f"{place(block)}: severity of {name}")
            compact = json.dumps(record, separators=(",", ":"))
            check_equal(line, compact, f"{place(block)}: written as init writes")
    # stop.forced has the members of stop.request, as its section says
    check_equal(set(real) - seen, {("stop.forced", "SIGKILL")}, "records without an example in the documentation")


@case("every event has a section, and every section an event")
def event_names():
    names = set(re.findall(r'"((?:init|seccomp|exec|proc|stop|signal|events|helper|secret|ready|tunnel|drain)\.[a-z]+|health\.state)"', sources("init")))
    sections = set(re.findall(r"^## ([a-z]+\.[a-z]+)$", EVENTS_PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    check_equal(sections, names, "sections of events.md, and names in init/")
    told = set(re.findall(r'"((?:sink|spool|log)\.[a-z]+)"', sources("init")))
    rows = set(re.findall(r"^\| `((?:sink|spool|log)\.[a-z]+)` \|", EVENTS_PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    check_equal(rows, told, "rows of ship's own events in events.md, and names in init/")


# ---- Names -------------------------------------------------------------------------------------------


def anchors(page):
    """Where links into a page may lead: its headings, as they are shown on the web."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title) for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def link_targets(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            yield target


@case("links lead to files, the map has every page, and pages that the source names are there")
def links():
    for page in readme.pages():
        for target in link_targets(page):
            check((page.parent / target).exists(), f"{page.relative_to(laz.ROOT)}: no {target}")
        for target, anchor in re.findall(r"\]\(((?:[^)#\s]+\.md)?)#([^)]*)\)", page.read_text(encoding="utf-8")):
            check("://" in target or anchor in anchors(page.parent / target if target else page), f"{page.relative_to(laz.ROOT)}: no {target}#{anchor}")
    of_map = {(MAP.parent / target).resolve() for target in link_targets(MAP)}
    missing = [p.name for p in readme.pages() if p != MAP and p.resolve() not in of_map]
    check_equal(missing, [], "pages that docs/README.md does not have")
    for folder in ("lib", "init", "cli", "docs", "tests/e2e", "tests/attack", "examples", "policies"):
        for path in sorted((laz.ROOT / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".def", ".py", ".sh", ".md", ".8", ".1", ".5", ".yaml"):
                text = path.read_text(encoding="utf-8")
                for name in re.findall(r"\bdocs/[\w/.-]+\.md\b", text):
                    check((laz.ROOT / name).exists(), f"{path.relative_to(laz.ROOT)}: no {name}")


# What is written like a key of a policy and is none: a sink's own keys, members of the health document, a folder, a host.
NO_KEYS = {"tls.ca", "tls.cert", "tls.key", "tls.peer", "tls.name", "logs.sink", "spool.used", "secrets.d", "logs.internal"}


@case("a key of a policy or of runtime.yaml that a page or a message of the command names is there")
def keys():
    reference = "".join((laz.ROOT / "docs" / "reference" / page).read_text(encoding="utf-8") for page in ("policy.md", "runtime.md"))
    named = re.findall(r"^\| `([a-z0-9.\[\]-]+)` \|", reference, re.MULTILINE)
    known = {key.replace("[]", "").rsplit(".", n)[0] for key in named for n in range(4)}
    events = set(re.findall(r'"([a-z]+\.[a-z]+)"', (laz.ROOT / "lib" / "sink" / "ocsf.def").read_text(encoding="utf-8")))
    sections = "|".join(sorted({key.split(".")[0] for key in known if "." in key}))
    key = rf"(?<![\w./$-])((?:{sections})(?:\[\w*\])?(?:\.[a-z][a-z0-9-]*(?:\[\w*\])?)+)(?![\w(/])"
    texts = [(page, re.findall(r"`[^`\n]+`", page.read_text(encoding="utf-8"))) for page in readme.pages()]
    texts += [(path, re.findall(r'"(?:[^"\\\n]|\\.)*"', path.read_text(encoding="utf-8"))) for path in (laz.ROOT / "cli").glob("*.c")]
    seen = 0
    for path, words in texts:
        for name in re.findall(key, "\n".join(words)):
            plain = re.sub(r"\[\w*\]", "", name)
            seen += plain in known
            check(plain in known | events | NO_KEYS, f"{path.relative_to(laz.ROOT)}: no key {name}")
    check(seen > 300, f"{seen} keys: the pattern finds none")


def cases_of(suite):
    """The names of a suite's cases, without what says how they run."""
    done = area.run([sys.executable, laz.ROOT / "tests" / "e2e" / f"{suite}_test.py", "--list"])
    check_equal(done.code, 0, f"{suite}: {done.err}")
    return [re.sub(r" \[[^]]*\]$", "", line) for line in done.out.splitlines()]


@case("the contract has rows C1 to C32, and the tests that they name exist")
def contract():
    text = CONTRACT_PAGE.read_text(encoding="utf-8")
    check_equal(re.findall(r"^\| (C\d+) \|", text, re.MULTILINE), [f"C{n}" for n in range(1, 33)], "rows")
    unit = "\n".join(p.read_text(encoding="utf-8") for p in (laz.ROOT / "tests" / "unit").rglob("*.c"))
    suites = {}
    for row in re.findall(r"^\| C\d+ \|.*$", text, re.MULTILINE):
        shown = row.rsplit("|", 2)[1]
        check("later part" in row or "`" in shown, f"nothing shows {row[:60]}")
    for suite, title in re.findall(r"`(\w+)`\s+\*([^*]+)\*", text):
        if not (laz.ROOT / "tests" / "e2e" / f"{suite}_test.py").exists():
            check(f"Test({suite}, {title})" in unit, f"no unit test {suite}, {title}")
            continue
        suites.setdefault(suite, cases_of(suite))
        # counts stand in front of some names, and differ between samples and full runs
        known = any(name == title or name.endswith(" " + title) for name in suites[suite])
        check(known, f"{suite} has no case {title!r}")


@case("lazaret-init(8) names every option, variable and exit code, and no other")
def manual():
    page = INIT_PAGE.read_text(encoding="utf-8")
    options = text_of("init/pid1/options.c")
    flags = set(re.findall(r"^\.It Fl -(\w[\w-]*)", page, re.MULTILINE))
    known = set(re.findall(r'"--(\w[\w-]*)"', options))
    check_equal(flags, known, "options")
    variables = set(re.findall(r"^\.It Ev (\w+)", page, re.MULTILINE))
    known = set(re.findall(r'"(LAZARET_\w+)"', options)) | set(re.findall(r'"((?:AWS|ECS)_\w+)"', text_of("lib/ipc/msg.h")))
    check_equal(variables, known, "variables")
    codes = {int(c) for c in re.findall(r'^LAZ_ERROR\(\w+, "[\w-]+", (\d+),', text_of("lib/core/err.def"), re.MULTILINE)}
    status = page[page.index(".Sh EXIT STATUS"):page.index(".Sh EXAMPLES")]
    listed = {int(c) for c in re.findall(r"^\.It (\d+)$", status, re.MULTILINE)}
    check_equal(listed, codes - {1} | {137}, "exit codes")  # 1 is of the host's programs


if __name__ == "__main__":
    laz.main()
