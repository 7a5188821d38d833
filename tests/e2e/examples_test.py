# SPDX-License-Identifier: Apache-2.0
"""examples/ecs and examples/beanstalk: every file is what AWS takes, by botocore's own models, fits the policy beside it, and
its scripts run: the shell steps of the Jenkinsfile, taken out of it, against an `aws` that records its calls; the hook's function
against clients that check what they are asked; cloud-config and .ebextensions command by command."""
import concurrent.futures
import datetime
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import botocore.stub
import yaml

import area
import aws_models
import laz
from aws_models import complaints
from laz import case, check, check_equal

ECS = laz.ROOT / "examples" / "ecs"
BEANSTALK = laz.ROOT / "examples" / "beanstalk"
DEFINITIONS = sorted(ECS.glob("task-definition*.json"))


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def load_yaml(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def policy_check(folder, *words):
    """(code, errors and warnings) of lazaret policy check --json."""
    done = area.run([laz.BIN / "lazaret", "policy", "check", "--json", "policy.yaml", *words], cwd=folder)
    found = json.loads(done.out)["policies"][0]
    said = [d["message"] for d in found["diagnostics"]] + \
        [f"{f['path']}: {f['message']}" for f in found.get("task", {}).get("findings", []) if f["severity"] != "note"]
    return done.code, said, found


# ---- ECS ----


@case("every task definition is what register-task-definition takes, and fits its policy and target group: no error, no warning")
def definitions():
    check_equal([d.name for d in DEFINITIONS], ["task-definition-ec2.json", "task-definition-exec.json", "task-definition-firelens.json",
                                                "task-definition.json"], "files")
    for definition in DEFINITIONS:
        check_equal(complaints("ecs", "RegisterTaskDefinition", load(definition)), [], definition.name)
        code, said, found = policy_check(ECS, "--task-definition", definition.name, "--target-group", "target-group.json",
                                         "--target-group", "target-group-attributes.json")
        check_equal((code, said, found["task"]["container"]), (0, [], "claims-api"), definition.name)


@case("the definitions differ in what they are examples of, and in nothing else")
def alike():
    base = load(ECS / "task-definition.json")
    different = {"task-definition-ec2.json": {"requiresCompatibilities", "dockerSecurityOptions", "linuxParameters"},
                 "task-definition-exec.json": {"volumes", "mountPoints"},
                 "task-definition-firelens.json": {"logConfiguration", "dependsOn", "containers"}}
    for name, expected in different.items():
        other = load(ECS / name)
        ours, theirs = base["containerDefinitions"], other["containerDefinitions"]
        found = {k for k in set(base) | set(other) if k != "containerDefinitions" and base.get(k) != other.get(k)}
        found |= {k for k in set(ours[0]) | set(theirs[0]) if ours[0].get(k) != theirs[0].get(k)}
        found |= {"containers"} if len(ours) != len(theirs) else set()
        check_equal(found, expected, name)


@case("target group, attributes, listener and service are what their operations take; names, ports and weights go together")
def balancer():
    operations = {"target-group.json": ("elbv2", "CreateTargetGroup"), "target-group-attributes.json": ("elbv2", "ModifyTargetGroupAttributes"),
                  "listener.json": ("elbv2", "CreateListener"), "service.json": ("ecs", "CreateService")}
    for name, (service, operation) in operations.items():
        check_equal(complaints(service, operation, load(ECS / name)), [], name)
    groups = load(ECS / "listener.json")["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
    check_equal([g["Weight"] for g in groups], [100, 0], "weights: all of it to blue")
    service = load(ECS / "service.json")
    balanced, = service["loadBalancers"]
    check_equal([balanced["targetGroupArn"], balanced["advancedConfiguration"]["alternateTargetGroupArn"]],
                [g["TargetGroupArn"] for g in groups], "blue and green")
    check_equal(load(ECS / "target-group-attributes.json")["TargetGroupArn"], groups[0]["TargetGroupArn"], "whose attributes")
    container, = load(ECS / "task-definition.json")["containerDefinitions"]
    check_equal((balanced["containerName"], {"containerPort": balanced["containerPort"]} in container["portMappings"]),
                (container["name"], True), "container and port")
    check_equal(load(ECS / "target-group.json")["Port"], balanced["containerPort"], "port of the target group")
    deadline = re.search(r"deadline: (\d+)s", (ECS / "policy.yaml").read_text(encoding="utf-8"))
    check(service["healthCheckGracePeriodSeconds"] >= int(deadline[1]), "the service waits for the start-up checks")


@case("appspec.yaml: what create-deployment takes, the container and port of the task definition, and hooks that CodeDeploy has")
def appspec():
    spec = load_yaml(ECS / "appspec.yaml")
    check_equal(complaints("codedeploy", "CreateDeployment", {"applicationName": "claims-api", "deploymentGroupName": "prod", "revision": {
        "revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(spec)}}}), [], "create-deployment")
    target = spec["Resources"][0]["TargetService"]
    check_equal((str(spec["version"]), target["Type"]), ("0.0", "AWS::ECS::Service"), "what it is")
    check_equal(target["Properties"]["LoadBalancerInfo"], {"ContainerName": "claims-api", "ContainerPort": 8443}, "LoadBalancerInfo")
    known = {"BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"}
    check_equal({k for hook in spec["Hooks"] for k in hook} - known, set(), "hooks")


@case("roles: each action is an operation of its service")
def roles():
    for path in (ECS / "task-role.json", ECS / "hook" / "role.json"):
        for statement in load(path)["Statement"]:
            for action in statement["Action"]:
                prefix, operation = action.split(":")
                service = {"elasticloadbalancing": "elbv2"}.get(prefix, prefix)
                check(aws_models.has_operation(service, operation), f"{path.name}: {action}")


def commands_of(text):
    """What of a cloud-config runs: argument lists, or shell text."""
    return [entry if isinstance(entry, list) else ["sh", "-c", entry] for entry in text["runcmd"]]


def tool(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@case("user-data.yaml: cloud-config whose commands run; the agent's settings are NAME=value")
def user_data():
    text = (ECS / "user-data.yaml").read_text(encoding="utf-8")
    check(text.startswith("#cloud-config\n"), "cloud-init goes by the first line")
    data = yaml.safe_load(text)
    check_equal(set(data), {"write_files", "runcmd"}, "keys")
    files = {f["path"]: f for f in data["write_files"]}
    settings = dict(line.split("=", 1) for line in files["/etc/ecs/ecs.config"]["content"].splitlines())
    check(all(re.fullmatch(r"ECS_[A-Z_]+", name) for name in settings), f"{settings}")
    granted = int(re.fullmatch(r"(\d+)m", settings["ECS_CONTAINER_STOP_TIMEOUT"])[1]) * 60
    for definition in DEFINITIONS:
        check(max(c.get("stopTimeout", 0) for c in load(definition)["containerDefinitions"]) <= granted, definition.name)
    folder = area.folder("user-data")
    tool(folder, "sysctl", 'echo "sysctl $*"')
    said = []
    for words in commands_of(data):
        if words[:2] == ["sh", "-c"]:
            check_equal(area.run(["sh", "-n", "-c", words[2]]).code, 0, words[2])
        done = area.run(words, env={"PATH": f"{folder}:{area.PATH}"})
        check_equal(done.code, 0, f"{words}: {done.err}")
        said.append(done.out.strip())
    check_equal(said[0], "sysctl --load=/etc/sysctl.d/60-lazaret.conf", "the first command")
    check("/etc/sysctl.d/60-lazaret.conf" in files and "Landlock" in said[1], f"{said}")


# ---- The hook ----

ARN = "arn:aws:ecs:us-east-1:111122223333:"
BLUE_TASK, TASK = (f"{ARN}task/prod/{n}f03e41243824aea923aca126495f66" for n in (7, 8))
BLUE, GREEN = (f"{ARN}task-definition/claims-api:{n}" for n in (23, 24))
DETAILS = {"executionDetails": {"serviceArn": f"{ARN}service/prod/claims-api",
                                "targetServiceRevisionArn": f"{ARN}service-revision/prod/claims-api/2000000000000000002"}}
REVISION = DETAILS["executionDetails"]["targetServiceRevisionArn"]
BLUE_GROUP, GROUP = [g["TargetGroupArn"] for g in load(ECS / "listener.json")["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]]
DRIVER = """
import importlib.util, json, sys, types
sys.path.insert(0, {tests!r})
import examples_test
now, boto3, statuses = {{}}, types.ModuleType("boto3"), json.loads(sys.argv[3])
boto3.client = lambda name: examples_test.stubbed(name, now, statuses)
sys.modules["boto3"] = boto3
spec = importlib.util.spec_from_file_location("hook", sys.argv[1])
hook = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hook)
for event in json.loads(sys.argv[2]):
    now.clear(), now.update(event)
    print("answer", json.dumps(hook.handler(event, None)))
"""


def running(arn, definition, address):
    return {"taskArn": arn, "taskDefinitionArn": definition, "lastStatus": "RUNNING", "healthStatus": "HEALTHY",
            "createdAt": datetime.datetime(2026, 11, 23), "attachments": [{
                "type": "ElasticNetworkInterface", "status": "ATTACHED", "details": [{"name": "privateIPv4Address", "value": address}]}]}


def task_set(deployment, definition, group):
    return {"id": f"ecs-svc/{deployment}", "externalId": deployment, "taskDefinition": definition,
            "loadBalancers": [{"targetGroupArn": group, "containerName": "claims-api", "containerPort": 8443}]}


def stubbed(name, event, statuses):
    """boto3.client, with one answer to each thing that the hook may ask at this event, both checked by the service's model. The
    service has blue's tasks and green's. statuses: what is to be put to CodeDeploy, one after the other."""
    whose = [("describe_service_revisions", {"failures": [], "serviceRevisions": [{
        "serviceRevisionArn": REVISION, "taskDefinition": GREEN, "resolvedConfiguration": {"loadBalancers": [{"targetGroupArn": GROUP}]}}]},
        {"serviceRevisionArns": [REVISION]})]
    if "DeploymentId" in event:
        whose = [("describe_services", {"failures": [], "services": [{"serviceName": "claims-api", "taskSets": [
            task_set("d-OLD", BLUE, BLUE_GROUP), task_set("d-ABC", GREEN, GROUP)]}]}, {"cluster": "prod", "services": ["claims-api"]})]
    answers = {
        "ecs": [*whose, ("list_tasks", {"taskArns": [BLUE_TASK, TASK]}, {"cluster": "prod", "serviceName": "claims-api"}),
                ("describe_tasks", {"failures": [], "tasks": [running(BLUE_TASK, BLUE, "10.0.1.100"), running(TASK, GREEN, "10.0.2.100")]},
                 {"cluster": "prod", "tasks": [BLUE_TASK, TASK]})],
        "elbv2": [("describe_target_health", {"TargetHealthDescriptions": [
            {"Target": {"Id": "10.0.2.100", "Port": 8443}, "TargetHealth": {"State": "healthy"}}]}, {"TargetGroupArn": GROUP})],
    }
    made = aws_models.client(name)
    stub = botocore.stub.Stubber(made)
    wanted = answers.get(name) or [("put_lifecycle_event_hook_execution_status", {}, {
        "deploymentId": "d-ABC", "lifecycleEventHookExecutionId": "e-1", "status": statuses.pop(0)})]
    for operation, answer, parameters in wanted:
        aws_models.answer(made, stub, operation, answer, parameters)
    stub.activate()
    return made


def hook(events, prints, statuses=(), **environment):
    """What the hook answers to these events, one after the other, and the words with which it ran the gate, which prints these."""
    folder = area.folder(f"hook-{next(_count)}")
    for name in ("hook.py", "rollout.yaml"):
        shutil.copy(ECS / "hook" / name, folder)
    for number, text in enumerate(prints):
        (folder / f"prints-{number}").write_text(text)
    tool(folder, "lazaret", f"""cd {folder}
for word in "$@"; do case "$word" in *.json) cp "$word" . ;; esac; done
number=$(ls words-* 2>/dev/null | wc -l)
printf '%s\\n' "$@" >"words-$number"
echo 'why' >&2
cat "prints-$number\"""")
    env = {"PATH": area.PATH, "CLUSTER": "prod", "SERVICE": "claims-api", "HOME": str(folder), **environment}
    done = area.run([sys.executable, "-c", DRIVER.format(tests=str(pathlib.Path(__file__).parent)), folder / "hook.py", json.dumps(events),
                     json.dumps(statuses)], env=env)
    check_equal(done.code, 0, done.err)
    answers = [json.loads(line.removeprefix("answer ")) for line in done.out.splitlines() if line.startswith("answer ")]
    return answers, [(folder / f"words-{n}").read_text().splitlines() for n in range(len(events))], folder


_count = itertools.count()


@case("the hook as a lifecycle hook of ECS: the gate gets tasks, target health and addresses, and its answer is handed on")
def ecs_hook():
    rows = [("PRE_PRODUCTION_TRAFFIC_SHIFT", '{"hookStatus":"SUCCEEDED"}\n', "SUCCEEDED"),
            ("POST_PRODUCTION_TRAFFIC_SHIFT", '{"hookStatus":"SUCCEEDED"}\n', "SUCCEEDED"),
            *(("PRE_PRODUCTION_TRAFFIC_SHIFT", prints, wanted) for prints, wanted in (
                ('{"hookStatus":"FAILED"}', "FAILED"), ('{"hookStatus":"IN_PROGRESS"}', "IN_PROGRESS"), ("", "FAILED"),
                ('{"hookStatus":"MAYBE"}', "FAILED"), ("no JSON", "FAILED"), ("[]", "FAILED")))]
    answers, words, folder = hook([{"lifecycleStage": row[0], "executionId": "x", **DETAILS} for row in rows], [row[1] for row in rows])
    check_equal([a["hookStatus"] for a in answers], [row[2] for row in rows], "answers")
    check_equal([w[1] for w in words[:2]], ["promote", "verify"], "commands")
    for said in words:
        check_equal((said[0], said[2:4]), ("gate", ["--config", f"{folder}/rollout.yaml"]), f"{said}")
        check_equal(said[said.index("--targets") + 1], "10.0.2.100:9100", "targets")
        check_equal(said[said.index("--format") + 1], "ecs-hook", "format")
    check_equal([(t["taskArn"], t["lastStatus"]) for t in load(folder / "tasks.json")["tasks"]], [(TASK, "RUNNING")], "green's tasks alone")
    check_equal(load(folder / "target-health.json")["TargetHealthDescriptions"][0]["TargetHealth"]["State"], "healthy", "target health")


@case("the hook as one of CodeDeploy: Succeeded only where the gate says so, by put-lifecycle-event-hook-execution-status")
def codedeploy_hook():
    prints = ["Succeeded\n", "Failed\n", "", "Perhaps"]
    wanted = ["Succeeded", "Failed", "Failed", "Failed"]
    event = {"DeploymentId": "d-ABC", "LifecycleEventHookExecutionId": "e-1"}
    answers, words, folder = hook([event] * 4, prints, wanted, GATE="verify")
    check_equal([a["status"] for a in answers], wanted, "answers")
    check_equal({(*said[:2], *(said[said.index(o) + 1] for o in ("--format", "--targets"))) for said in words},
                {("gate", "verify", "codedeploy", "10.0.2.100:9100")}, "commands")
    check_equal([t["taskArn"] for t in load(folder / "tasks.json")["tasks"]], [TASK], "green's tasks alone")


# ---- Elastic Beanstalk ----


@case("Dockerrun, version 1 and version 2: their keys; the containers of version 2 are containers of ECS, and fit the policy")
def dockerrun():
    first, second = load(BEANSTALK / "Dockerrun.aws.json"), load(BEANSTALK / "Dockerrun.v2.aws.json")
    check_equal(first["AWSEBDockerrunVersion"], "1", "version 1 is a string")
    check_equal(set(first) - {"AWSEBDockerrunVersion", "Image", "Ports", "Entrypoint", "Command", "Logging", "Volumes", "Authentication"}, set(), "keys")
    check_equal(second["AWSEBDockerrunVersion"], 2, "version 2 is a number")
    check_equal(complaints("ecs", "RegisterTaskDefinition", {"family": "x", "volumes": second["volumes"],
                                                             "containerDefinitions": second["containerDefinitions"]}), [], "containers")
    code, said, _ = policy_check(BEANSTALK, "--task-definition", "Dockerrun.v2.aws.json")
    check_equal((code, said), (0, []), "policy check")
    ports = {p["ContainerPort"] for p in first["Ports"]}
    check_equal(ports, {p["containerPort"] for p in second["containerDefinitions"][0]["portMappings"]}, "ports")


def settings_of(config):
    return [{"Namespace": namespace, "OptionName": name, "Value": value}
            for namespace, options in config["option_settings"].items() for name, value in options.items()]


@case(".ebextensions: option settings that update-environment takes, the balancer's 12 s are the policy's lb-grace, commands that run")
def extensions():
    config = load_yaml(BEANSTALK / ".ebextensions" / "lazaret.config")
    check_equal(set(config), {"option_settings", "commands", "container_commands", "Resources"}, "keys")
    check_equal(complaints("elasticbeanstalk", "UpdateEnvironment", {"EnvironmentName": "claims-green", "OptionSettings": settings_of(config)}), [], "settings")
    process = config["option_settings"]["aws:elasticbeanstalk:environment:process:default"]
    late = int(process["HealthCheckInterval"]) * int(process["UnhealthyThresholdCount"]) + int(process["HealthCheckTimeout"])
    policy = (BEANSTALK / "policy.yaml").read_text(encoding="utf-8")
    check(f"lb-grace: {late}s" in policy, f"H is {late} s")
    check_equal(process["HealthCheckPath"], "/readyz", "path")
    check(f'0.0.0.0:{config["Resources"]["AWSEBV2LoadBalancerTargetGroup"]["Properties"]["HealthCheckPort"]}' in policy, "health port")
    rules = json.loads(config["option_settings"]["aws:elasticbeanstalk:healthreporting:system"]["ConfigDocument"])
    check_equal(rules["Version"], 1, "the rules of enhanced health")
    folder = area.folder("extensions")
    tool(folder, "sysctl", 'echo "sysctl $*"')
    for name in ("docker-compose.yml", "policy.yaml"):
        shutil.copy(BEANSTALK / name, folder)
    environment = {"PATH": f"{folder}:{area.PATH}"}
    for command in (*config["commands"].values(), *config["container_commands"].values()):
        check_equal(area.run(["sh", "-n", "-c", command["command"]]).code, 0, command)
        done = area.run(["sh", "-c", command["command"]], cwd=folder, env=environment)
        check_equal(done.code, 0, f"{command}: {done.err}")
    (folder / "policy.yaml").write_text(policy.replace("45s", "60s"))
    check(area.run(["sh", "-c", config["container_commands"]["01_fits"]["command"]], cwd=folder, env=environment).code != 0, "another time")


# ---- The Jenkinsfile ----

LIVE, IDLE = "claims-blue", "claims-green"
AWS = """import json, os, sys
folder = os.environ["RECORD"]
words = sys.argv[1:]
with open(folder + "/calls", "a") as file:
    file.write(json.dumps(["aws", *words]) + "\\n")
if words[1] in os.environ.get("BROKEN", "").split():
    sys.exit(254)
# A change takes two looks.
left = folder + "/left"
n = int(open(left).read()) if os.path.exists(left) else 0
if words[1] in ("update-environment", "swap-environment-cnames", "describe-environments"):
    open(left, "w").write(str(max(n - 1, 0) if words[1] == "describe-environments" else 2))
status = os.environ["STATUS"] if n else "Ready"
answers = {"describe-environments": {"Environments": [{"Status": status, "VersionLabel": os.environ["DEPLOYED"]}]},
           "describe-instances": {"Reservations": [{"Instances": [{"PrivateIpAddress": "10.0.2.100", "InstanceId": "i-1"}]}, {"Instances": [{"PrivateIpAddress": "10.0.3.7", "InstanceId": "i-2"}]}]},
           "describe-environment-health": {"EnvironmentName": "claims-green", "Color": "Green", "Status": status, "HealthStatus": "Ok"}}
answer = answers.get(words[1], {})
if "--query" in words:
    import jmespath
    print(jmespath.search(words[words.index("--query") + 1], answer))
elif words[:2] == ["ecr", "get-login-password"]:
    print("CANARY-registry")
else:
    print(json.dumps(answer))
"""


def stages():
    """(name, RETIRE or not, shell text) of each stage, as Groovy hands it to sh."""
    text = (BEANSTALK / "Jenkinsfile").read_text(encoding="utf-8")
    found = []
    for block in re.split(r"\n    stage\('", text)[1:]:
        name, script = block.split("'")[0], re.search(r"sh '''\n(.*?)'''", block, re.DOTALL)[1]
        found.append((name, "expression { params.RETIRE }" in block, script.replace("\\\n", "").replace("\\\\", "\\")))
    return found


def pipeline(retire=False, gate=(), broken="", status="Updating", deployed="1.4-17"):
    """Run the steps as Jenkins does: sh -xe, each only where the one before passed. gate: exit codes of the gate, one for each
    call; status: the environment's during a change; deployed: its version then. (code, calls, what was printed, the folder)."""
    folder = area.folder(f"jenkins-{next(_count)}")
    work = folder / "work"
    shutil.copytree(BEANSTALK, work)
    tools = folder / "tools"
    tools.mkdir()
    (tools / "aws.py").write_text(AWS)
    tool(tools, "aws", f'exec {sys.executable} "{tools}/aws.py" "$@"')
    record = f"exec_python={sys.executable}\n" + '''"$exec_python" -S -c 'import json, sys; print(json.dumps(sys.argv[1:]))' "$0name" "$@" >>"$RECORD/calls"'''
    tool(tools, "sleep", "")
    for name in ("docker", "zip", "curl"):
        tool(tools, name, record.replace("$0name", name) + ('\n[ "$1" != login ] || cat >/dev/null'))
    (folder / "gate").write_text("".join(f"{code}\n" for code in gate))
    tool(tools, "lazaret", record.replace("$0name", "lazaret") + f'''
[ "$1" = gate ] || exec "{laz.BIN}/lazaret" "$@"
cp eb.json "{folder}/eb-$2.json" 2>/dev/null
code=$(head -n 1 "{folder}/gate"); sed -i 1d "{folder}/gate"
exit "$code"''')
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "RECORD": str(folder), "BROKEN": broken, "STATUS": status, "DEPLOYED": deployed,
                   "APPLICATION": "claims", "REPOSITORY": "111122223333.dkr.ecr.us-east-1.amazonaws.com/claims-web",
                   "BUCKET": "elasticbeanstalk-us-east-1-111122223333", "VERSION": "1.4-17", "LIVE": LIVE, "IDLE": IDLE, "HOME": str(folder)}
    code, said = 0, ""
    for _, is_retire, script in stages():
        if is_retire != retire or code != 0:
            continue
        done = subprocess.run(["sh", "-xe"], input=script, cwd=work, env=environment, capture_output=True, text=True, timeout=120, check=False)
        code, said = done.returncode, said + done.stdout + done.stderr
    calls = [json.loads(line) for line in (folder / "calls").read_text().splitlines()]
    for words in called(calls, "aws"):
        check_equal(aws_models.command_faults(words[1:]), [], f"{words}")
    return code, calls, said, folder


def called(calls, *words):
    return [c for c in calls if c[:len(words)] == list(words)]


def swaps(calls):
    return [[c[c.index(o) + 1] for o in ("--source-environment-name", "--destination-environment-name")]
            for c in called(calls, "aws", "elasticbeanstalk", "swap-environment-cnames")]


@case("Jenkinsfile: check, build, deploy to the idle environment, gate, swap, gate, in this order; every call is one that aws has")
def jenkins():
    code, calls, said, folder = pipeline(gate=(0, 0, 0))
    check_equal(code, 0, said)
    brief = [" ".join(c[:3] if c[0] in ("aws", "lazaret") else c[:2]) for c in calls if c[:2] != ["docker", "login"]]
    check_equal(brief, [
        "lazaret policy check", "docker build", "aws ecr get-login-password", "docker push", "zip -q", "aws s3 cp",
        *(f"aws elasticbeanstalk {c}" for c in ("create-application-version", "update-environment", *["describe-environments"] * 4,
                                                "describe-environment-health")),
        "aws ec2 describe-instances", "aws ec2 describe-volumes", "aws ec2 describe-instances", "curl -sf", "aws ec2 describe-instances",
        "lazaret gate promote", "aws elasticbeanstalk swap-environment-cnames",
        *["aws elasticbeanstalk describe-environments"] * 3,
        *["aws elasticbeanstalk describe-environment-health", "aws ec2 describe-volumes", "lazaret gate verify"] * 2], "calls")
    check_equal(len(called(calls, "docker", "login")), 1, "log-ins")
    check_equal(swaps(calls), [[LIVE, IDLE]], "one swap")
    gate, = called(calls, "lazaret", "gate", "promote")
    check_equal(gate[gate.index("--targets") + 1], "10.0.2.100:9100,10.0.3.7:9100", "the idle environment's instances")
    volumes = called(calls, "aws", "ec2", "describe-volumes")
    check(len(volumes) == 3 and all("Name=attachment.instance-id,Values=i-1,i-2" in v for v in volumes), f"volumes: {volumes}")
    for words in called(calls, "lazaret", "gate"):
        check({"--volumes", "--baseline", "--eb-health"} < set(words) and {"--targets", "--health"} & set(words), f"what rollout.yaml names: {words}")
    stands = called(calls, "lazaret", "gate", "verify")[1]
    check_equal(stands[stands.index("--health") + 1], "verify.json", "the polls of the one before")
    for mode in ("promote", "verify"):
        check_equal(load(folder / f"eb-{mode}.json")["Status"], "Ready", f"{mode} is asked while a change is under way")
    update, = called(calls, "aws", "elasticbeanstalk", "update-environment")
    check_equal(update[update.index("--environment-name") + 1], IDLE, "what is deployed to")
    check("CANARY" not in said, "the registry's password is in the log")


@case("Jenkinsfile: a gate that fails, or cannot tell, never leads to a swap; one that fails afterwards leads back, and nothing else does")
def jenkins_fails():
    for verdict in (10, 11, 2, 70):
        code, calls, said, _ = pipeline(gate=(verdict,))
        check_equal((code, swaps(calls)), (verdict, []), f"promote {verdict}: {said}")
    for gate in ((0, 10), (0, 0, 10), (0, 11), (0, 0, 11), (0, 2), (0, 70)):
        code, calls, said, _ = pipeline(gate=gate)
        check_equal((code, swaps(calls)), (gate[-1], [[LIVE, IDLE]] * (2 if gate[-1] == 10 else 1)), f"verify {gate}: {said}")
    code, calls, said, _ = pipeline(gate=(0, 0, 0), deployed="1.4-16")
    check((code, swaps(calls), called(calls, "lazaret", "gate")) == (1, [], []), f"a deployment that was rolled back: {said}")
    code, calls, said, _ = pipeline(gate=(0, 0, 0), status="Terminating")
    check((code, swaps(calls)) == (1, []) and f"ready.sh: {IDLE} is not Ready: Terminating" in said, f"{said[-500:]}")
    for broken in ("create-application-version", "update-environment", "describe-instances"):
        code, calls, said, _ = pipeline(gate=(0, 0, 0), broken=broken)
        check_equal((code != 0, swaps(calls)), (True, []), f"{broken}: {said}")
    code, calls, said, _ = pipeline(gate=(0, 0, 0), broken="swap-environment-cnames")
    check((code, len(swaps(calls))) == (254, 1) and not called(calls, "lazaret", "gate", "verify"), f"swap: {said}")


@case("ready.sh looks every ten seconds, for an hour, whether the environment is Ready, and says so where it is not")
def ready():
    folder = area.folder("ready")
    tool(folder, "sleep", f'echo "$1" >>"{folder}/slept"')
    for said, code, looks in (("Ready", 0, 1), ("Updating", 1, 360), ("Terminated", 1, 1), ("None", 1, 1)):
        tool(folder, "aws", f"echo {said}")
        (folder / "slept").write_text("")
        done = area.run([BEANSTALK / "ready.sh", IDLE], env={"PATH": f"{folder}:{area.PATH}"})
        check_equal((done.code, done.err), (code, f"ready.sh: {IDLE} is not Ready: {said}\n" if code else ""), said)
        check_equal((folder / "slept").read_text().split(), ["10"] * looks, said)
    check_equal(area.run([BEANSTALK / "ready.sh", IDLE], env={"PATH": f"{folder / 'nowhere'}:{area.PATH}"}).code, 127, "no aws")


@case("the bundle for Beanstalk has all that it names, builds nothing, and runs the image that was pushed")
def bundle():
    _, calls, _, folder = pipeline(gate=(0, 0, 0))
    push, = called(calls, "docker", "push")
    packed = folder / "work" / "bundle"
    check_equal({str(p.relative_to(packed)) for p in packed.rglob("*") if p.is_file()},
                {"docker-compose.yml", "policy.yaml", ".ebextensions/lazaret.config"}, "files")
    services = load_yaml(packed / "docker-compose.yml")["services"]
    check_equal({name: (service["image"], "build" in service) for name, service in services.items()}, {"claims-web": (push[2], False)}, "images")
    ours = {**load_yaml(BEANSTALK / "docker-compose.yml")["services"]["claims-web"], "image": push[2]}
    check_equal(services["claims-web"], ours, "what the example says")
    tools = folder / "tools"
    tool(tools, "sysctl", "")
    config = load_yaml(packed / ".ebextensions" / "lazaret.config")
    for command in (*config["commands"].values(), *config["container_commands"].values()):
        done = area.run(["sh", "-c", command["command"]], cwd=packed, env={"PATH": f"{tools}:{area.PATH}"})
        check_equal(done.code, 0, f"{command}: {done.err}")
    zipped, = called(calls, "zip")
    check_equal(zipped, ["zip", "-q", "-r", "../1.4-17.zip", "."], "what is packed")


@case("Jenkinsfile: what is retired is terminated only after the gate says that nobody connects any more; nothing else runs then")
def jenkins_retire():
    for verdict in (0, 10, 11):
        code, calls, said, _ = pipeline(retire=True, gate=(verdict,))
        check_equal(code, verdict, said)
        ended = called(calls, "aws", "elasticbeanstalk", "terminate-environment")
        check_equal([c[c.index("--environment-name") + 1] for c in ended], [IDLE] if verdict == 0 else [], f"retire {verdict}")
        check_equal((swaps(calls), called(calls, "docker")), ([], []), "nothing else")


def real_gate(folder, words):
    """The real gate, with the words of an example, as quick as its rollout file can be made; its exit code."""
    config = words[words.index("--config") + 1]
    text = pathlib.Path(config).read_text(encoding="utf-8")
    for old, new in ((r"every: \S+", "every: 100ms"), (r"consecutive: \d+", "consecutive: 2"), (r"bake: \S+", "bake: 1s")):
        text, count = re.subn(old, new, text)
        check_equal(count, 1, f"{config}: {old}")
    (folder / "quick.yaml").write_text(text)
    words = [str(folder / "quick.yaml") if w == config else w for w in words]
    if "--timeout" in words:
        del words[words.index("--timeout"):words.index("--timeout") + 2]
    if "--targets" in words:
        words[words.index("--targets") + 1] = "127.0.0.1:9,127.0.0.1:7"
        words += ["--timeout", "2s"]
    done = area.run([laz.BIN / "lazaret", *words], cwd=folder)
    return done.code, done.out + done.err


@case("the words with which the examples run the gate are words that the real one takes, and so are their rollout files; nobody answers: 11")
def real():
    _, calls, _, _ = pipeline(gate=(0, 0, 0))
    _, retired, _, _ = pipeline(retire=True, gate=(0,))
    events = [{"lifecycleStage": "PRE_PRODUCTION_TRAFFIC_SHIFT", **DETAILS}, {"DeploymentId": "d-ABC", "LifecycleEventHookExecutionId": "e-1"}]
    _, said, kept = hook(events, ["", ""], ["Failed"])
    rows = []
    for words in (*called(calls, "lazaret", "gate"), *called(retired, "lazaret", "gate")):
        words[words.index("--config") + 1] = str(BEANSTALK / words[words.index("--config") + 1])
        rows.append((area.folder(f"real-gate-{len(rows)}"), words[1:]))
        (rows[-1][0] / "eb.json").write_text("{}")
        (rows[-1][0] / "verify.json").write_text(json.dumps({"samples": [{"target": f"10.0.2.{n}:9100", "error": "no answer"} for n in (1, 2)]}))
    for words in said:
        rows.append((area.folder(f"real-gate-{len(rows)}"), [str(kept / pathlib.Path(w).name) if w.endswith(".json") else w for w in words]))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(lambda row: real_gate(*row), rows))
    for (folder, words), (code, printed) in zip(rows, outcomes):
        if "--junit" in words:
            check_equal(code, 11, f"{words}: {printed}")
            check(all((folder / words[words.index(option) + 1]).exists() for option in ("--junit", "--json")), f"{words}: no evidence")
        else:  # one task, where there have to be two
            check_equal((code, printed.splitlines()[0] in ('{"hookStatus":"FAILED"}', "Failed")), (10, True), f"{words}: {printed}")


@case("the checker of calls can fail: an option that is not there, one that is missing, no such operation")
def checker():
    faults = aws_models.command_faults
    check_equal(faults(["elasticbeanstalk", "swap-environment-cnames", "--source-environment", "x"]), ["SwapEnvironmentCNAMEs has no --source-environment"], "no option")
    check_equal(faults(["elasticbeanstalk", "create-application-version"]),
                ["CreateApplicationVersion needs --application-name", "CreateApplicationVersion needs --version-label"], "missing")
    check_equal(faults(["elasticbeanstalk", "swap"]), ["no operation elasticbeanstalk swap"], "no operation")
    check_equal(faults(["elasticbeanstalk", "wait", "never"]), ["no waiter never"], "no waiter")
    check(complaints("ecs", "CreateService", {"serviceNam": "x"}), "a model that takes everything")


@case("no image of the examples has a command that lazaret would not take: both Dockerfiles start it as the first word, with a health command")
def dockerfiles():
    for folder in (ECS, BEANSTALK):
        lines = dict(line.split(None, 1) for line in (folder / "Dockerfile").read_text(encoding="utf-8").splitlines() if not line.startswith(("COPY", "#")))
        entry = json.loads(lines["ENTRYPOINT"])
        probe = json.loads(lines["HEALTHCHECK"].split(" CMD ")[1])
        check_equal((entry[:2], probe), ([probe[0], "--"], [entry[0], "probe", "live"]), str(folder))


if __name__ == "__main__":
    laz.main()
