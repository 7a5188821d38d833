# SPDX-License-Identifier: Apache-2.0
"""lazaret policy check --task-definition: each finding has a file that has it, held word for word, and one that has it not.
What the good files say is what botocore's own model of ECS takes."""
import json
import re
import subprocess

import area
import laz
import readme
from aws_models import complaints
from laz import case, check, check_equal

DATA = laz.ROOT / "tests" / "data" / "task-definition"
TABLE = laz.ROOT / "cli" / "task_findings.def"
PAGE = laz.ROOT / "docs" / "reference" / "task-definition.md"
FINDINGS = dict(re.findall(r'^LAZ_FINDING\(\w+, "([\w-]+)", (\w+),', TABLE.read_text(encoding="utf-8"), re.MULTILINE))
STEP = 8 if laz.instrumented() and not laz.LONG else 1  # each run of an instrumented program takes a tenth of a second
LINE = re.compile(r"(\S+?):(\d+):(\d+): (error|warning|note): (\S+): (.*) \(([\w-]+)\)")
CANARY = "CANARY"


def run(*words, cwd=DATA):
    done = subprocess.run([laz.BIN / "lazaret", "policy", "check", *map(str, words)], cwd=cwd, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)
    laz.check_no_report(done.stderr)
    check(done.returncode in (0, 1, 2), f"{words}: {done.returncode}: {done.stderr}")
    return done


def words_of(name, which):
    """The command line of a file of the data, as one stands in its folder."""
    own = DATA / name / "policy.yaml"
    group = DATA / name / f"{which}-group.json"
    return [f"{name}/policy.yaml" if own.exists() else "policy.yaml", "--task-definition", f"{name}/{which}.json",
            "--container", "app", *(["--target-group", group.relative_to(DATA)] if group.exists() else [])]


def names_in(text, *levels):
    """The findings, by name, of these levels; every line is one."""
    found = []
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        check(match, f"no finding: {line!r}")
        check_equal(FINDINGS[match[7]].lower(), match[4], f"level of {line}")
        if match[4] in levels:
            found.append(match[7])
    return found


@case("every finding has a file that has it and one that has it not, and there are no others")
def complete():
    check_equal({p.name for p in DATA.iterdir() if p.is_dir()}, set(FINDINGS), "folders of tests/data, and findings")
    for name in FINDINGS:
        files = {p.name for p in (DATA / name).iterdir()}
        check({"bad.json", "good.json", "bad.txt"} <= files <= {
            "bad.json", "good.json", "bad.txt", "policy.yaml", "bad-group.json", "good-group.json"}, f"{name}: {files}")


@case("the bad files: every error and warning, and the note that it is about, at its place and word for word")
def bad():
    for name, level in FINDINGS.items():
        done = run(*words_of(name, "bad"))
        seen = [line for line in done.stderr.splitlines()
                if ": note: " not in line or line.endswith(f"({name})")]
        check_equal("\n".join(seen) + "\n", (DATA / name / "bad.txt").read_text(encoding="utf-8"), f"{name}: findings")
        check(name in names_in(done.stderr, level.lower()), f"{name}: {done.stderr}")
        check_equal(done.returncode, 1 if names_in(done.stderr, "error") else 0, f"{name}: exit code")
        check(": fine\n" in done.stdout and "  task        " in done.stdout, f"{name}: {done.stdout}")
        check(CANARY not in done.stdout + done.stderr, f"{name}: a value is repeated")


@case("the good files: no error, no warning, and not that note")
def good():
    for name in FINDINGS:
        done = run(*words_of(name, "good"))
        check_equal((done.returncode, names_in(done.stderr, "error", "warning")), (0, []), f"{name}: {done.stderr}")
        check(name not in names_in(done.stderr, "note"), f"{name}: {done.stderr}")


@case("JSON says the same as the lines, and ok is the exit code")
def as_json():
    for name in list(FINDINGS)[::STEP]:
        words = words_of(name, "bad")
        lines, done = run(*words), run(*words, "--json")
        check_equal((done.stderr, done.returncode), ("", lines.returncode), f"{name}: of the JSON run")
        answer = json.loads(done.stdout)
        task = answer["policies"][0]["task"]
        said = [f"{f['file']}:{f['line']}:{f['col']}: {f['severity']}: {f['path']}: {f['message']} ({f['name']})"
                for f in task["findings"]]
        check_equal(said, lines.stderr.splitlines(), f"{name}: findings")
        check_equal((answer["ok"], answer["policies"][0]["ok"]), (done.returncode == 0,) * 2, f"{name}: ok")
        check_equal([task[f"{level}s"] for level in ("error", "warning", "note")],
                    [len(names_in(lines.stderr, level)) for level in ("error", "warning", "note")], f"{name}: counts")
        check_equal((task["container"], task["file"]), ("app", f"{name}/bad.json"), name)
        check(CANARY not in done.stdout, f"{name}: a value is repeated")


@case("what is wrong with one health command is said at once: shell, question, path, time, and that nobody answers")
def whole_command():
    path, base = folder("command")
    silent = "version: 1\nextends: [builtin/web-api]\nworkload: {user: '10001:10001'}\nfilesystem: {read-exec: [/usr]}\n"
    (path / "silent.yaml").write_text(silent)
    init, word = "/usr/libexec/lazaret/lazaret-init", "health-command"
    for command, policy, wanted in (
            (["CMD-SHELL", "/sbin/lazaret-init  probe ready || exit 1"], "silent.yaml",
             ["health-policy", "health-program", "health-ready", "health-shell"]),
            (["CMD-SHELL", f"{init} probe live --timeout 5s || exit 1"], "policy.yaml", ["health-shell", "health-timeout"]),
            (["CMD-SHELL", "curl -f http://localhost/"], "policy.yaml", [word, "health-shell"]),
            (["CMD", "/sbin/lazaret-init", "probe", "startup"], "policy.yaml", ["health-program", "health-ready"]),
            (["CMD", init, "probe", "alive"], "policy.yaml", [word]), (["CMD", init, "probe", "live", "--timeout", "2"], "policy.yaml", [word]),
            (["CMD", init, "probe", "live", "--timeout=2s"], "policy.yaml", [word]), (["CMD", init, "probe"], "policy.yaml", [word]),
            (["CMD", init, "probe", "live", "--timeout", "61s"], "policy.yaml", [word]), ([], "policy.yaml", [word]),
            (["CMD", init, "probe", "live", "now"], "policy.yaml", [word]), (["CMD", init, "probe", "live"], "policy.yaml", []),
            (["CMD", init, "probe", "live", "--timeout", "1500ms"], "policy.yaml", [])):
        base["containerDefinitions"][0]["healthCheck"]["command"] = command
        (path / "td.json").write_text(json.dumps(base))
        done = run(policy, "--task-definition", "td.json", cwd=path)
        check_equal(sorted(n for n in names_in(done.stderr, "error", "warning") if n.startswith("health-")), sorted(wanted), f"{command}: {done.stderr}")


# ---- Shapes ----


@case("the good files are what register-task-definition and create-target-group take, by botocore's own models")
def models():
    for name in FINDINGS:
        value = json.loads((DATA / name / "good.json").read_text(encoding="utf-8"))
        check_equal(complaints("ecs", "RegisterTaskDefinition", value), [], name)
    check(complaints("ecs", "RegisterTaskDefinition", {"family": "x", "containerDefinitions": [{"stopTimeout": "30"}]}), "nothing")


def folder(name, **files):
    """A folder with these files, the data's policy, and a good definition."""
    path = area.folder(name)
    base = json.loads((DATA / "lb-grace-short" / "good.json").read_text(encoding="utf-8"))
    (path / "policy.yaml").write_text((DATA / "policy.yaml").read_text(encoding="utf-8"))
    (path / "td.json").write_text(json.dumps(base))
    for file, value in files.items():
        (path / f"{file}.json").write_text(value if isinstance(value, str) else json.dumps(value, indent=2))
    return path, base


def refused(path, said, *words, code=1):
    done = run("policy.yaml", *words, cwd=path)
    check_equal((done.returncode, done.stderr.splitlines()[0]), (code, f"lazaret: error: {said}"), f"{words}")
    return done


@case("what describe-task-definition prints is taken as well; its empty lists and nulls say nothing")
def described():
    path, base = folder("described")
    described = {**base, "taskDefinitionArn": "arn:aws:ecs:us-east-1:111122223333:task-definition/app:7", "revision": 7, "status": "ACTIVE",
                 "volumes": [], "placementConstraints": [], "compatibilities": ["EC2", "FARGATE"], "pidMode": None}
    described["containerDefinitions"][0].update(
        {"environment": [], "mountPoints": [], "volumesFrom": [], "systemControls": [], "dependsOn": None, "cpu": 0})
    described["containerDefinitions"][0]["linuxParameters"]["devices"] = []
    (path / "described.json").write_text(json.dumps({"taskDefinition": described, "tags": []}, indent=4))
    done = run("policy.yaml", "--task-definition", "described.json", cwd=path)
    check_equal((done.returncode, names_in(done.stderr, "error", "warning")), (0, []), done.stderr)
    check("described.json:" in done.stderr and ": note: taskDefinition.containerDefinitions[0]." in done.stderr, done.stderr)


@case("the container: by name, the only one, the one with lazaret-init; else it says what it needs, and returns 2")
def container():
    path, base = folder("container")
    app = base["containerDefinitions"][0]
    side = {"name": "side", "image": "side:1"}
    for name, containers in {"both": [side, app], "none": [side, {**side, "name": "other"}], "two": [app, {**app, "name": "app2"}]}.items():
        (path / f"{name}.json").write_text(json.dumps({**base, "containerDefinitions": containers}))
    done = run("policy.yaml", "--task-definition", "both.json", cwd=path)
    check_equal(done.returncode, 0, done.stderr)
    check("both.json, container app: " in done.stdout, done.stdout)
    for name, many in (("none", "no"), ("two", "more than one")):
        refused(path, f"bad-option: {name}.json: {many} container's entryPoint has lazaret-init; say with --container which one the "
                "policy is for", "--task-definition", f"{name}.json", code=2)
    refused(path, 'bad-option: --container: both.json has no container "web"', "--task-definition", "both.json", "--container", "web", code=2)


@case("files that are none are named: not there, not JSON with its place, a key twice, no task definition, no target group")
def broken():
    path, base = folder("broken", cut='{"family": "x", ', comma='{\n  "containerDefinitions": [\n    {"name": "é",}\n  ]\n}\n', twice='{"a": 1, "a": 2}', array="[]", empty={"containerDefinitions": []},
                        unnamed={"containerDefinitions": [{}]}, group={"LoadBalancers": []})
    wanted = ("no task definition: it has no list containerDefinitions; wanted is what `aws ecs describe-task-definition` prints, or "
              "what `register-task-definition --cli-input-json` takes")
    for file, said in {"nowhere": "system-error: nowhere.json: No such file or directory",
                       "cut": "policy-syntax: cut.json:1:17: not JSON: byte 16: no key",
                       "comma": "policy-syntax: comma.json:3:18: not JSON: byte 48: no key",
                       "twice": "policy-syntax: twice.json:1:10: not JSON: byte 9: a key twice",
                       "array": f"policy-invalid: array.json: {wanted}", "empty": f"policy-invalid: empty.json: {wanted}",
                       "unnamed": "policy-invalid: unnamed.json: no task definition: a container has no name"}.items():
        done = refused(path, said, "--task-definition", f"{file}.json")
        check("  task " not in done.stdout, done.stdout)
    refused(path, "policy-invalid: group.json: no target group: wanted is what `aws elbv2 describe-target-groups` or "
            "`describe-target-group-attributes` prints, or what `create-target-group --cli-input-json` takes",
            "--task-definition", "td.json", "--target-group", "group.json")
    (path / "large.json").write_bytes(b" " * (1 << 20) + b"{}")
    done = run("policy.yaml", "--task-definition", "large.json", cwd=path)
    check(done.returncode == 1 and "policy-too-large: large.json" in done.stderr, done.stderr)


@case("a policy that is wrong is said, and nothing is held against it")
def wrong_policy():
    path, _ = folder("wrong-policy")
    (path / "policy.yaml").write_text("version: 1\nnome: x\n")
    done = run("policy.yaml", "--task-definition", "td.json", cwd=path)
    check(done.returncode == 1 and "td.json" not in done.stdout + done.stderr, done.stderr)


# ---- Arithmetic ----


def lines_with(text, name):
    return [line for line in text.splitlines() if line.endswith(f"({name})")]


@case("H is interval x unhealthy + timeout, with the balancer's defaults where nothing is said; lb-grace of H is enough, less is not")
def late():
    path, _ = folder("late")
    for interval, unhealthy, timeout in ((None, None, None), (5, 2, 2), (10, 3, 6), (6, 2, 5), (30, 10, 5)):
        group = {"Name": "app", "TargetType": "ip", "HealthCheckPath": "/readyz"}
        said = {"HealthCheckIntervalSeconds": interval, "UnhealthyThresholdCount": unhealthy, "HealthCheckTimeoutSeconds": timeout}
        group.update({k: v for k, v in said.items() if v is not None})
        check_equal(complaints("elbv2", "CreateTargetGroup", group), [], "the target group")
        (path / "group.json").write_text(json.dumps(group))
        wanted = (interval or 30) * (unhealthy or 2) + (timeout or 5)
        for grace in (wanted - 1, wanted):
            (path / "policy.yaml").write_text((DATA / "policy.yaml").read_text(encoding="utf-8").replace(
                "stop-timeout: 30s, lb-grace: 12s", f"stop-timeout: {grace + 13}s, lb-grace: {grace}s"))
            done = run("policy.yaml", "--task-definition", "td.json", "--target-group", "group.json", cwd=path)
            found = lines_with(done.stderr, "lb-grace-short")
            check_equal(len(found), 1 if grace < wanted else 0, f"H = {wanted}, lb-grace {grace}: {done.stderr}")
            if found:
                total = wanted + 10 + 3
                check(f"= {wanted} s that a task is not ready, and shutdown.lb-grace is {grace} s" in found[0], found[0])
                check(f"lb-grace {wanted} s + grace 10 s + drain 3 s + flush 0 s = {total} s" in found[0], found[0])
                check_equal("more than Fargate's 120 s" in found[0], total > 120, f"{total} s: {found[0]}")


@case("a stop timeout that is exactly the policy's is enough; a millisecond less is not, and the default of 30 s counts as said")
def stop():
    path, base = folder("stop")
    for said, wanted, short in ((30, "30s", False), (30, "30001ms", True), (None, "30s", False), (None, "31s", True)):
        app = {**base["containerDefinitions"][0], "stopTimeout": said}
        (path / "td.json").write_text(json.dumps({**base, "containerDefinitions": [app]}))
        (path / "policy.yaml").write_text((DATA / "policy.yaml").read_text(encoding="utf-8").replace("stop-timeout: 30s", f"stop-timeout: {wanted}"))
        done = run("policy.yaml", "--task-definition", "td.json", cwd=path)
        check_equal(bool(lines_with(done.stderr, "stop-timeout-short")), short, f"{said} s, {wanted}: {done.stderr}")


# ---- Names and values of secrets ----

SECRET_NAMES = {
    "DB_PASSWORD": True, "password": True, "API_KEY": True, "STRIPE_API_KEY": True, "TOKEN": True, "GITHUB_TOKEN": True,
    "TOKEN_FOR_X": True, "JWT_SECRET": True, "SECRET_KEY_BASE": True, "AWS_SECRET_ACCESS_KEY": True, "PGPASSWORD": True,
    "PWD": False, "DB_PWD": True, "DB_PASSWORD_FILE": False, "SECRET_ARN": False, "TOKEN_URL": False, "API_KEY_ID": False,
    "COMPASSWORD": False, "TOKENIZER": False, "SECRETARY": False, "LOG_LEVEL": False, "PASSWORD_PATH": False, "ACCESS_KEY": True,
}
SECRET_VALUES = {
    "AKIAIOSFODNN7EXAMPLE": True, "ASIAIOSFODNN7EXAMPLE": True, "AKIAIOSFODNN7EXAMPL": False, "AKIA": False,
    "-----BEGIN EC PRIVATE KEY-----\nMHc": True, "-----BEGIN CERTIFICATE-----\nMII": False,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln": True, "eyJ": False, "ghp_0123456789abcdef": True,
    "postgres://app:horse@db/app": True, "postgres://app@db/app": False, "https://db/?a=b:c@d": False, "redis://:horse@db": True,
    "https://example.org:8443/": False, "": False,
}


@case("what is the name of a secret and what is not, and what looks like one: a table")
def secrets():
    path, base = folder("secret-words")
    for name, is_secret in SECRET_NAMES.items():
        app = {**base["containerDefinitions"][0], "environment": [{"name": name, "value": "x"}]}
        (path / "td.json").write_text(json.dumps({**base, "containerDefinitions": [app]}))
        done = run("policy.yaml", "--task-definition", "td.json", cwd=path)
        check_equal(bool(lines_with(done.stderr, "secret-plain")), is_secret, name)
    for value, is_secret in SECRET_VALUES.items():
        app = {**base["containerDefinitions"][0], "environment": [{"name": "LOG_LEVEL", "value": value}]}
        (path / "td.json").write_text(json.dumps({**base, "containerDefinitions": [app]}))
        done = run("policy.yaml", "--task-definition", "td.json", cwd=path)
        check_equal(bool(lines_with(done.stderr, "secret-value")), is_secret, value)
        check(len(value) < 5 or value not in done.stdout + done.stderr, f"{value} is repeated")


# ---- Robustness ----


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))


def replaced(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@case("any one value of another type is an answer, never a crash: every place of some files, by null, numbers, [] and {}")
def types():
    path = area.folder("types")
    (path / "policy.yaml").write_text((DATA / "secret-twice" / "policy.yaml").read_text(encoding="utf-8"))
    count = 0
    for name in ("secret-twice", "log-router-order", "exec-paths", "restart-refused", "ulimit-fargate")[:None if laz.LONG else 2]:
        value = json.loads((DATA / name / "good.json").read_text(encoding="utf-8"))
        for place in list(places(value))[::STEP]:
            for new in (None, True, -1, 1e300, "x" * 2000, [], {}, [None], {"name": 1}) if laz.LONG else (None, -1, [], {}):
                (path / "td.json").write_text(json.dumps(replaced(value, place, new)))
                done = run("policy.yaml", "--task-definition", "td.json", "--container", "app", cwd=path)
                if done.returncode != 2 and ": error: " in done.stderr and not done.stderr.startswith("lazaret: "):
                    names_in(done.stderr)
                count += 1
    check(count * STEP > 300, f"{count} only")


# ---- The page ----


@case("the command of the page says what the page shows")
def page():
    path = area.folder("page")
    source = DATA / "stop-timeout-short"
    (path / "policy.yaml").write_text((source / "policy.yaml").read_text(encoding="utf-8"))
    (path / "task-definition.json").write_text((source / "bad.json").read_text(encoding="utf-8"))
    (path / "target-group.json").write_text((DATA / "lb-grace-short" / "good-group.json").read_text(encoding="utf-8"))
    words = readme.block("sh task-definition", PAGE).split()
    check_equal(words[:3], ["lazaret", "policy", "check"], "the command")
    done = run(*words[3:], cwd=path)
    shown = " ".join(readme.block("text task-definition", PAGE).split())
    check(shown in done.stderr.splitlines(), f"{shown}\n{done.stderr}")


laz.main()
