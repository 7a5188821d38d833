# SPDX-License-Identifier: Apache-2.0
"""The how-to that takes an ECS task's secrets out of its environment: its steps fit each other, and they work, with init,
fetch, launch and a workload that are real and a stand-in for AWS (aws_standin.py)."""
import json
import re

import area
import engines
import fence
import laz
import readme
import ship_world
from laz import case, check, check_equal
from secret_world import Standin, secret

PAGE = laz.ROOT / "docs" / "how-to" / "deliver-secrets.md"
START_UP = laz.ROOT / "docs" / "explanation" / "start-up.md"
PASSWORD, TOKEN = "CANARY-correct-horse", "CANARY-partner-token-1"
KEPT = {"CHOWN", "KILL", "SETGID", "SETPCAP", "SETUID"}
LOOK = """
import json, os, sys
found = {}
for name in ("DB_PASSWORD_FILE", "PARTNER_TOKEN_FILE"):
    path = os.environ[name]
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        found[name] = [file.read().decode(), oct(status.st_mode & 0o7777), status.st_uid, status.st_gid]
folder = sys.argv[1]
links = {n: os.readlink(os.path.join(folder, n)) for n in os.listdir(folder) if os.path.islink(os.path.join(folder, n))}
print(json.dumps({"files": found, "links": links, "environment": sorted(os.environ)}), flush=True)
"""


def container(kind):
    task = json.loads(readme.block(kind, PAGE))
    found, = task["containerDefinitions"]
    return task, found


def needs(path):
    """What `lazaret secrets check` says that AWS must permit: (action, resource)."""
    done = area.run([laz.BIN / "lazaret", "secrets", "check", "--json", path])
    check_equal(done.code, 0, done.out + done.err)
    found = json.loads(done.out)
    return found, {(p["action"], p["resource"]) for s in found["secrets"] for p in s["permissions"]}


@case("the how-to's steps fit each other: valueFrom unchanged, the role exactly what is needed, tmpfs and capabilities as they must be")
def steps():
    _, before = container("json task-before")
    task, after = container("json task-after")
    text = readme.block("yaml", PAGE)
    for item in before["secrets"]:
        check(f'from: "{item["valueFrom"]}"' in text, f"{item['valueFrom']} is not in the policy as it is")
    path = area.folder("how-to") / "policy.yaml"
    path.write_text(text)
    said, needed = needs(path)
    dockerfile = readme.block("dockerfile", PAGE)
    check_equal(dockerfile, readme.block("dockerfile"), "the Dockerfile, and README's, which is built")
    check_equal(dockerfile.split("\n")[0], f"FROM {before['image']}", "the image of before")
    check_equal(after["entryPoint"] + after["command"], readme.entrypoint(), "what is started")
    check_equal((after["command"], after["portMappings"]), (before["command"], before["portMappings"]), "what stays")
    names = [e["name"] for e in before["environment"]]
    check(f"pass: [{', '.join(names)}]" in text, f"{names} do not reach the workload")
    check_equal([e["name"] for e in after["environment"]], [*names, "LAZARET_EVENTS"], "environment")
    check_equal(len(said["secrets"]), len(before["secrets"]), "secrets")
    granted = {(action, s["Resource"]) for s in json.loads(readme.block("json secrets-policy", PAGE))["Statement"]
               for action in s["Action"]}
    check_equal(granted, needed, "what the role of the page may do, and what is needed")
    check("secrets" not in after, f"still in the environment: {after}")
    check("taskRoleArn" in task, "without a task role nothing can be fetched")
    mounts = [m["containerPath"] for m in after["linuxParameters"]["tmpfs"]]
    check_equal(mounts, [said["dir"]], "the tmpfs, and where the policy has files")
    dropped = set(after["linuxParameters"]["capabilities"]["drop"])
    check_equal(set(engines.DOCKER_CAPS) - dropped, KEPT, "what is left of the default capabilities")
    check_equal(dropped - set(engines.DOCKER_CAPS), set(), "dropped, but not there by default")


def held(token=TOKEN):
    """What the page's account has."""
    values = secret("prod/claims-db", json.dumps({"user": "claims", "password": PASSWORD}))
    values["prod/claims-db"]["ARN"] = "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/claims-db-AbCdEf"
    return Standin(regions={"secretsmanager": "us-east-1", "ssm": "us-east-1"}, secrets=values, parameters={"/prod/claims/partner-token": {
        "ARN": "arn:aws:ssm:us-east-1:111122223333:parameter/prod/claims/partner-token", "Value": token, "Version": 7}})


def start(standin, disk, name, path, output, environment=None):
    """The page's policy, with the stand-in's addresses and a workload that looks."""
    text = readme.block("yaml", PAGE)
    folder = area.folder(name)
    for old, new in (("secrets:\n", f'secrets:\n  dir: {path}/secrets\n  ca: {standin.ca}\n  start-deadline: 10s\n  endpoints: '
                      f'{{secrets-manager: "https://127.0.0.1:{standin.port}", ssm: "https://127.0.0.1:{standin.port}"}}\n'),
                     ("/run/secrets/", f"{path}/secrets/")):
        check(old in text, f"no {old!r} in the policy")
        text = text.replace(old, new)
    source, image = folder / "policy.yaml", folder / "policy.img"
    source.write_text(text)
    done = area.run([laz.BIN / "lazaret", "policy", "compile", source, "-o", image])
    check_equal(done.code, 0, done.err)
    image.chmod(0o644)
    command = [str(laz.BIN / "lazaret-init"), "--policy", str(image), "--events", str(folder / "events"), "--",
               "/usr/bin/python3", "-c", LOOK, f"{path}/secrets"]
    environment = {**(environment or standin.environment(AWS_REGION="us-east-1")), "PATH": area.PATH, "LOG_LEVEL": "info"}
    return fence.Run(command, "pid1", (), environment, stdout=output, wrapper=disk.wrapper), folder


@case("the how-to's policy works: both values are files of the workload's own, and nothing of AWS or of them is in its environment")
def works():
    standin = held()
    path = area.folder("how-to-tmpfs")
    with ship_world.Disk(path, "1m") as disk, open(path.parent / "how-to.out", "w+b") as output:
        run, folder = start(standin, disk, "how-to-run", path, output)
        with run:
            check_equal(run.wait(30).code, 0, run.stderr())
        output.seek(0)
        found = json.loads(output.read())
    check_equal(found["files"], {"DB_PASSWORD_FILE": [PASSWORD, "0o400", 10001, 10001],
                                 "PARTNER_TOKEN_FILE": [TOKEN, "0o400", 10001, 10001]}, "what the workload reads")
    shown = dict(re.findall(r"^/run/secrets/(\S+) -> (\S+)$", readme.block("text folders", START_UP), re.M))
    check_equal(shown, {k: v for k, v in found["links"].items() if k in shown}, "links on the start-up page")
    check_equal(set(found["links"]) - set(shown), {"partner-token"}, "links that it does not show")
    check("LOG_LEVEL" in found["environment"], f"environment: {found['environment']}")
    check(not [n for n in found["environment"] if n.startswith("AWS_")], f"environment: {found['environment']}")
    records = [json.loads(line) for line in (folder / "events").read_text().splitlines()]
    for event in ("secret.fetch", "secret.deliver"):
        check_equal(sorted(r["obj"] for r in records if r["ev"] == event), ["db-password", "partner-token"], event)
    check("CANARY" not in (folder / "events").read_text() + run.stderr(), "a value in an event")
    standin.check_rules()


@case("the how-to's lengths count: a token that somebody has shortened is 103 by name, with the request, and the workload never runs")
def shortened():
    standin = held(token="CANARY-x")
    path = area.folder("how-to-short")
    with ship_world.Disk(path, "1m") as disk, open(path.parent / "how-to-short.out", "w+b") as output:
        run, folder = start(standin, disk, "how-to-refused", path, output)
        with run:
            check_equal(run.wait(30).code, 103, run.stderr())
        said = run.stderr()
        output.seek(0)
        check_equal(output.read(), b"", "what the workload has said")
    check("secret-unavailable: secrets.items[partner-token]: " in said, said)
    check("CANARY" not in said + (folder / "events").read_text(), "a value in a message")


@case("what goes wrong at the first try is told by the words of the how-to's table")
def first_tries():
    standin = held()
    rows = re.findall(r"^\| `([a-z-]+)`[^|]*\| step|^\| `([a-z-]+)` \| the task has", PAGE.read_text(), re.M)
    check_equal([a or b for a, b in rows], ["denied", "credentials", "secret-undeliverable"], "rows of the table")
    for word, rules, environment, mounted in (("denied: .*AccessDeniedException", {"fault": "denied"}, None, True),
                                              ("credentials: ", {}, {"AWS_REGION": "us-east-1"}, True), ("secret-undeliverable: ", {}, None, False)):
        standin.rules(**rules)
        path = area.folder(f"how-to-{word[:6]}")
        with ship_world.Disk(path if mounted else area.folder("how-to-elsewhere"), "1m") as disk, open(path.parent / "how-to.out", "w+b") as output:
            run, _ = start(standin, disk, f"how-to-try-{word[:6]}", path, output, environment)
            with run:
                check_equal(run.wait(30).code, 103, f"{word}: {run.stderr()}")
            check(re.search(word, run.stderr()), f"{word}: {run.stderr()}")
            check_equal(output.read(), b"", f"{word}: what the workload has said")


@case("a value that somebody has written into the policy is an error, and nothing that a start says has it; the command shows the line")
def pasted():
    text = readme.block("yaml", PAGE)
    path = area.folder("pasted") / "policy.yaml"
    for words in ("from: CANARY1", "value: CANARY1", "from: {value: CANARY1}", 'from: "CANARY1: x"', "from: CANARY1: x", "from: *CANARY1", "from: 'CANARY1",
                  "from: 84729310", "from: /84729310+CANARY="):
        path.write_text(re.sub(r'from: "arn:aws:secretsmanager[^"]*"', words, text))
        path.chmod(0o644)
        with fence.Run([str(laz.BIN / "lazaret-init"), "--policy", str(path), "--", "/bin/true"]) as run:
            check_equal(run.wait(20).code, 101, run.stderr())
            check(f"{path}:" in run.stderr(), f"{words}: no position: {run.stderr()}")
            check("CANARY" not in run.stderr() and "84729310" not in run.stderr(), f"{words}: {run.stderr()}")
    path.write_text(re.sub(r'from: "arn:aws:secretsmanager[^"]*"', "from: CANARY1", text))
    done = area.run([laz.BIN / "lazaret", "policy", "check", path])
    check("CANARY" in done.out + done.err, "the control: the command shows the line")


if __name__ == "__main__":
    laz.main()
