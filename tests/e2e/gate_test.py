# SPDX-License-Identifier: Apache-2.0
"""lazaret gate: golden inputs for each verdict, each thing that can be wrong with one, and what can never become a
pass. The inputs have the shape of AWS's own models; times are of now. Live targets: gate_live_test.py."""
import hashlib
import json
import random
import re
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import botocore.session
import jsonschema

import laz
import readme
from gate_world import CODES, GOLDEN, LAZARET, WHOLE, Inputs, expect_row, moment, rows_of, written
from laz import case, check, check_equal

PAGE = laz.ROOT / "docs" / "man" / "lazaret.1"
REFERENCE = laz.ROOT / "docs" / "reference" / "gate.md"

# ---- The inputs themselves ---------------------------------------------------------------------------

ANSWERS = [("tasks.json", "ecs", "DescribeTasks"), ("protection.json", "ecs", "GetTaskProtection"),
           ("targets-green.json", "elbv2", "DescribeTargetHealth"), ("targets-blue.json", "elbv2", "DescribeTargetHealth"),
           ("rules-before.json", "elbv2", "DescribeRules"), ("rules-after.json", "elbv2", "DescribeRules"),
           ("listeners.json", "elbv2", "DescribeListeners"), ("volumes.json", "ec2", "DescribeVolumes"),
           ("instances.json", "ec2", "DescribeInstances"), ("eb-health.json", "elasticbeanstalk", "DescribeEnvironmentHealth")]


def check_shape(value, shape, path):
    kinds = {"string": str, "integer": int, "long": int, "boolean": bool, "double": (int, float), "timestamp": str}
    if shape.type_name == "structure":
        for key, member in value.items():
            check(key in shape.members, f"{path}: the service has no member {key}")
            check_shape(member, shape.members[key], f"{path}.{key}")
    elif shape.type_name == "list":
        for i, member in enumerate(value):
            check_shape(member, shape.member, f"{path}[{i}]")
    elif shape.type_name != "map":
        check(isinstance(value, kinds[shape.type_name]), f"{path}: {value!r} is no {shape.type_name}")


@case("the golden inputs have the shape that the services' own models, and the schema of health documents, give to them")
def shapes():
    session = botocore.session.Session()
    for name, service, operation in ANSWERS:
        check_shape(GOLDEN[name], session.get_service_model(service).operation_model(operation).output_shape, name)
    schema = jsonschema.Draft202012Validator(json.loads((laz.ROOT / "policies/health-1.schema.json").read_text()))
    for name in ("health-green.json", "health-blue.json", "baseline.json"):
        found = json.loads(written(GOLDEN[name]))
        for document in [found] if isinstance(found, dict) else [s["health"] for s in found]:
            check_equal([e.message for e in schema.iter_errors(document)], [], f"{name}, by the schema of health documents")


# ---- Verdicts ----------------------------------------------------------------------------------------


@case("the golden inputs pass each gate, and each removed fact has its row")
def passes():
    for mode in WHOLE:
        said = Inputs().evidence(mode)
        bad = [r for r in said["checks"] if r["result"] not in ("pass", "skipped")]
        check_equal((said["verdict"], said["ok"], bad), ("pass", True, []), f"gate {mode}")
        check_equal(said["schema"], "lazaret.gate/1", "schema")
        bakes = {" and 15 s" in r["wanted"] for r in rows_of(said, "ready")}
        check_equal(bakes, {"promote": {False}, "verify": {True}}.get(mode, set()), f"gate {mode}: bake is wanted by verify alone")
        if mode == "verify":
            expect_row(said, "eb-requests", "", "pass", "0 of 5xx")


def task(files, i=0):
    return files["tasks.json"]["tasks"][i]


def docs(files, name="health-green.json", target=0):
    return [s["health"] for s in files[name] if s["target"].endswith(f"{100 + target}:9100")]


def last(files, name="health-green.json", target=0):
    return docs(files, name, target)[-1]


def shares(files, name="rules-before.json"):
    return files[name]["Rules"][0]["Actions"][0]["ForwardConfig"]["TargetGroups"]


def config(files, old, new, name="rollout.yaml"):
    check(old in files[name], f"no {old!r} in {name}")
    files[name] = files[name].replace(old, new)


def unrequire(files, key):
    files["rollout.yaml"] = re.sub(rf"  {key}.*\n", "", files["rollout.yaml"])


def put(where, key, value):
    where[key] = value


def put_all(list_of, key, value):
    for item in list_of:
        item[key] = value


def drop(files, name, *path):
    at = files[name]
    for key in path[:-1]:
        at = at[key]
    del at[path[-1]]


def flap(files, ups):
    """A green target that is ready as `ups` says, one letter for each poll."""
    first = docs(files)[0]
    others = [s for s in files["health-green.json"] if "100:" not in s["target"]]
    files["health-green.json"] = others + [
        {"target": "10.0.2.100:9100", "at": "{%d}" % (-5 * (len(ups) - i)),
         "health": {**first, "now": "{%d}" % (-5 * (len(ups) - i)), "ready": up == "+",
                    "state": {"+": "ready", "-": "not_ready", "w": "warming"}[up]}}
        for i, up in enumerate(ups)]


def unreached(files, uptime_s):
    """Blue, up for so long at the first poll, and nobody has ever come."""
    for target in (0, 1):
        for i, document in enumerate(docs(files, "health-blue.json", target)):
            document["uptime_s"] = uptime_s + 5 * i
            put(document["net"], "last_new_conn_age_s", None)
            put(document["net"], "passive_opens", 0)


OTHER = "ab" * 32
# (what is wrong, gate, how, verdict, check, part of the target, part of what was seen)
WRONG = [
    # tasks
    ("a task whose health is UNKNOWN", "promote", lambda f: put(task(f), "healthStatus", "UNKNOWN"), "inconclusive", "task-health", "8f03", "UNKNOWN"),
    ("an unhealthy task", "promote", lambda f: put(task(f), "healthStatus", "UNHEALTHY"), "fail", "task-health", "8f03", "UNHEALTHY"),
    ("a task that starts", "promote", lambda f: put(task(f), "lastStatus", "PENDING"), "inconclusive", "tasks", "", "1 of at least 2"),
    ("a task too few", "promote", lambda f: drop(f, "tasks.json", "tasks", 1), "fail", "tasks", "", "1 of at least 2"),
    ("a task that stops", "promote", lambda f: put(task(f), "lastStatus", "STOPPED"), "fail", "task-status", "8f03", "STOPPED"),
    ("a task that is to stop", "promote", lambda f: put(task(f), "desiredStatus", "STOPPED"), "fail", "task-desired", "8f03", "STOPPED"),
    ("a status that nobody knows", "promote", lambda f: put(task(f), "healthStatus", "SPLENDID"), "inconclusive", "task-health", "8f03", "SPLENDID"),
    ("a status that is a number", "promote", lambda f: put(task(f), "healthStatus", 1), "inconclusive", "task-health", "8f03", "does not say"),
    ("a task without a status", "promote", lambda f: drop(f, "tasks.json", "tasks", 0, "healthStatus"), "inconclusive", "task-health", "8f03", "does not say"),
    ("two images of one container", "promote", lambda f: put(task(f, 1)["containers"][1], "imageDigest", "sha256:" + OTHER), "fail", "image", "router", OTHER),
    ("an image that is not said", "promote", lambda f: put(task(f, 1)["containers"][1], "imageDigest", None), "inconclusive", "image", "router", "does not say"),
    ("another image than is required", "promote", lambda f: [put(t["containers"][0], "imageDigest", "sha256:" + OTHER) for t in f["tasks.json"]["tasks"]], "fail", "image-digest", "8f03", "no container has it"),
    ("two task definitions", "promote", lambda f: put(task(f, 1), "taskDefinitionArn", "arn:aws:ecs:us-west-2:111122223333:task-definition/portal:23"), "fail", "task-definition", "91aa", "portal:23"),
    ("a container too few", "promote", lambda f: drop(f, "tasks.json", "tasks", 1, "containers", 1), "inconclusive", "containers", "", "has 1"),
    ("a task that is missing", "promote", lambda f: f["tasks.json"]["failures"].append({"arn": "arn:aws:ecs:us-west-2:111122223333:task/prod/gone", "reason": "MISSING"}), "inconclusive", "tasks", "gone", "MISSING"),
    ("no tasks", "promote", lambda f: put(f["tasks.json"], "tasks", []), "inconclusive", "tasks", "", "no tasks"),
    ("tasks that are no list", "promote", lambda f: put(f["tasks.json"], "tasks", {}), "inconclusive", "tasks", "", "no tasks"),
    # the balancer
    ("an unhealthy target", "promote", lambda f: put(f["targets-green.json"]["TargetHealthDescriptions"][0], "TargetHealth", {"State": "unhealthy", "Reason": "Target.FailedHealthChecks"}), "fail", "target-state", "10.0.2.100:8080", "Target.FailedHealthChecks"),
    ("a target that is new", "promote", lambda f: put(f["targets-green.json"]["TargetHealthDescriptions"][0], "TargetHealth", {"State": "initial"}), "inconclusive", "target-state", "10.0.2.100:8080", "initial"),
    ("a target that leaves", "promote", lambda f: put(f["targets-green.json"]["TargetHealthDescriptions"][0], "TargetHealth", {"State": "draining"}), "inconclusive", "target-state", "10.0.2.100:8080", "draining"),
    ("a target that is not used", "promote", lambda f: put(f["targets-green.json"]["TargetHealthDescriptions"][0], "TargetHealth", {"State": "unused"}), "inconclusive", "target-state", "10.0.2.100:8080", "unused"),
    ("one target too few", "promote", lambda f: drop(f, "targets-green.json", "TargetHealthDescriptions", 1), "fail", "targets", "", "1 of at least 2"),
    ("a task that is not registered", "promote", lambda f: (config(f, "min-targets: 2", "min-targets: 1"), drop(f, "targets-green.json", "TargetHealthDescriptions", 1)), "inconclusive", "registered", "", "1 of 2"),
    ("production weight on a group where nobody is healthy", "promote", lambda f: [put(t["TargetHealth"], "State", "unhealthy") for t in f["targets-blue.json"]["TargetHealthDescriptions"]], "fail", "weights", "portal-blue", "no healthy target"),
    ("production weight on an empty group", "promote", lambda f: put(f["targets-blue.json"], "TargetHealthDescriptions", []), "fail", "weights", "portal-blue", "no healthy target"),
    ("a listener whose weights are all 0", "promote", lambda f: put_all(shares(f), "Weight", 0), "fail", "weights", "9683b2d02a6cabee", "all weights are 0"),
    ("a weight that is text", "promote", lambda f: put(shares(f)[0], "Weight", "100"), "inconclusive", "weights", "9683b2d02a6cabee", "cannot be read"),
    ("a weight that is missing", "promote", lambda f: shares(f)[1].pop("Weight"), "inconclusive", "weights", "9683b2d02a6cabee", "cannot be read"),
    ("weight on a group of which nothing is known", "promote", lambda f: put(shares(f)[0], "TargetGroupArn", shares(f)[0]["TargetGroupArn"].replace("portal-blue", "portal-grey")), "inconclusive", "weights", "portal-grey", "no --target-health"),
    ("an action that nobody knows", "promote", lambda f: put(f["rules-before.json"]["Rules"][0]["Actions"][0], "Type", "teleport"), "inconclusive", "weights", "9683b2d02a6cabee", "teleport"),
    ("rules that forward nowhere", "promote", lambda f: drop(f, "rules-before.json", "Rules", 0), "inconclusive", "weights", "", "there is none"),
    ("no share after the switch", "verify", lambda f: (put(shares(f, "rules-after.json")[0], "Weight", 100), put(shares(f, "rules-after.json")[1], "Weight", 0)), "fail", "share", "portal-green", "it has none"),
    ("a share that is left before retiring", "retire", lambda f: put(shares(f, "rules-after.json")[0], "Weight", 1), "fail", "share", "portal-blue", "it has weight"),
    ("weights of which one cannot be read before retiring", "retire", lambda f: put(shares(f, "rules-after.json")[1], "Weight", "100"), "inconclusive", "share", "portal-blue", "it has none"),
    ("a group of the same name, and of another ARN", "verify", lambda f: config(f, "target-group: portal-green", "target-group: " + shares(f)[1]["TargetGroupArn"][:-4] + "0000"), "fail", "share", "portal-green", "it has none"),
    ("a group that is not said", "verify", lambda f: config(f, "target-group: portal-green\n", ""), "inconclusive", "share", "", "not said"),
    # Elastic Beanstalk
    ("Yellow", "promote", lambda f: put(f["eb-health.json"], "Color", "Yellow"), "fail", "eb-color", "portal-green", "Yellow"),
    ("Red", "promote", lambda f: put(f["eb-health.json"], "Color", "Red"), "fail", "eb-color", "portal-green", "Red"),
    ("Grey", "promote", lambda f: put(f["eb-health.json"], "Color", "Grey"), "inconclusive", "eb-color", "portal-green", "Grey"),
    ("Severe", "promote", lambda f: put(f["eb-health.json"], "HealthStatus", "Severe"), "fail", "eb-health", "portal-green", "Severe"),
    ("Info", "promote", lambda f: put(f["eb-health.json"], "HealthStatus", "Info"), "inconclusive", "eb-health", "portal-green", "Info"),
    ("Updating", "promote", lambda f: put(f["eb-health.json"], "Status", "Updating"), "inconclusive", "eb-status", "portal-green", "Updating"),
    ("Terminating", "promote", lambda f: put(f["eb-health.json"], "Status", "Terminating"), "fail", "eb-status", "portal-green", "Terminating"),
    ("an instance too few", "promote", lambda f: put(f["eb-health.json"]["InstancesHealth"], "Ok", 1), "fail", "eb-instances", "portal-green", "1 of at least 2"),
    ("an instance that starts", "promote", lambda f: f["eb-health.json"]["InstancesHealth"].update(Ok=1, Pending=1), "inconclusive", "eb-instances", "portal-green", "1 of at least 2"),
    ("an instance too few, and others that are not counted", "promote", lambda f: (put(f["eb-health.json"]["InstancesHealth"], "Ok", 1), f["eb-health.json"]["InstancesHealth"].pop("NoData")), "fail", "eb-instances", "portal-green", "1 of at least 2"),
    ("no instance", "promote", lambda f: put(f["eb-health.json"]["InstancesHealth"], "Ok", 0), "fail", "eb-instances", "portal-green", "0 of at least 2"),
    ("instances that are not said", "promote", lambda f: f["eb-health.json"].pop("InstancesHealth"), "inconclusive", "eb-instances", "portal-green", "does not say"),
    ("requests that failed after the switch", "verify", lambda f: put(f["eb-health.json"]["ApplicationMetrics"]["StatusCodes"], "Status5xx", 1), "fail", "eb-requests", "portal-green", "1 of 5xx"),
    ("an instance that was not asked", "promote", lambda f: put(f["eb-health.json"]["InstancesHealth"], "Ok", 3), "inconclusive", "missing", "", "2 were asked, and there are 3"),
    ("a sick instance that was not asked", "promote", lambda f: put(f["eb-health.json"]["InstancesHealth"], "Severe", 1), "inconclusive", "missing", "", "2 were asked, and there are 3"),
    ("more requests that failed than are allowed", "verify", lambda f: (put(f["eb-health.json"]["ApplicationMetrics"]["StatusCodes"], "Status5xx", 3), config(f, "violations: 0", "violations: 0\n  eb-requests: 2")), "fail", "eb-requests", "portal-green", "3 of 5xx"),
    ("requests of which nothing is said", "verify", lambda f: f["eb-health.json"].pop("ApplicationMetrics"), "inconclusive", "eb-requests", "portal-green", "does not say"),
    ("an environment's health of an hour ago", "promote", lambda f: put(f["eb-health.json"], "RefreshedAt", "{-3600}"), "inconclusive", "input", "eb-health", "expired evidence: 3600 s"),
    ("an environment's health of the future", "promote", lambda f: put(f["eb-health.json"], "RefreshedAt", "{120}"), "inconclusive", "input", "eb-health", "clock skew"),
    ("an environment's health without a time", "promote", lambda f: f["eb-health.json"].pop("RefreshedAt"), "inconclusive", "input", "eb-health", "when it was written"),
    # volumes, protection
    ("a volume in the clear", "promote", lambda f: put(f["volumes.json"]["Volumes"][0], "Encrypted", False), "fail", "volumes", "vol-", "not encrypted"),
    ("a volume that does not say", "promote", lambda f: f["volumes.json"]["Volumes"][0].pop("Encrypted"), "inconclusive", "volumes", "vol-", "does not say"),
    ("no volumes", "promote", lambda f: put(f["volumes.json"], "Volumes", []), "inconclusive", "volumes", "", "no volumes"),
    ("a task that is protected", "retire", lambda f: put(f["protection.json"]["protectedTasks"][0], "protectionEnabled", True), "fail", "protection", "blue1", "at work"),
    ("protection that is not said", "retire", lambda f: f["protection.json"]["protectedTasks"][0].pop("protectionEnabled"), "inconclusive", "protection", "blue1", "does not say"),
    ("protection that could not be asked", "retire", lambda f: f["protection.json"]["failures"].append({"arn": "arn:a/blue3", "reason": "MISSING"}), "inconclusive", "protection", "blue3", "MISSING"),
    ("protection of nobody", "retire", lambda f: put(f["protection.json"], "protectedTasks", []), "inconclusive", "protection", "", "no tasks"),
    # what targets say
    ("a target that flaps", "promote", lambda f: flap(f, "+++-++"), "fail", "ready", "2.100", "2 good in a row of 6 polls, 1 failures"),
    ("a target that flaps within the limit, and is not good again for long enough", "promote", lambda f: (flap(f, "++++-+++"), config(f, "failure-limit: 0", "failure-limit: 1")), "inconclusive", "ready", "2.100", "3 good in a row of 8"),
    ("a target that still starts", "promote", lambda f: flap(f, "www+++"), "inconclusive", "ready", "2.100", "3 good in a row of 6 polls, 0 failures"),
    ("a target that starts under traffic", "verify", lambda f: flap(f, "w+++++"), "fail", "ready", "2.100", "1 failures"),
    ("a target that is being drained", "promote", lambda f: put(last(f), "state", "draining"), "fail", "ready", "2.100", "state draining"),
    ("a target that has failed", "promote", lambda f: put_all(docs(f), "state", "failed"), "fail", "ready", "2.100", "state failed"),
    ("a target that is ready and not live", "promote", lambda f: put(last(f), "live", False), "fail", "ready", "2.100", "not live"),
    ("a state without ready", "promote", lambda f: last(f).pop("ready"), "fail", "ready", "2.100", "ready unknown"),
    ("a bake that is too short", "verify", lambda f: config(f, "bake: 15s", "bake: 16s"), "inconclusive", "ready", "2.100", "4 good in a row"),
    ("too few polls", "promote", lambda f: config(f, "consecutive: 4", "consecutive: 5"), "inconclusive", "ready", "2.100", "4 good in a row"),
    ("one target too few to ask", "promote", lambda f: put(f, "health-green.json", [s for s in f["health-green.json"] if "101:" in s["target"]]), "fail", "number", "", "1 of at least 2"),
    ("a target that was not asked", "promote", lambda f: (config(f, "min-targets: 2", "min-targets: 1"), put(f, "health-green.json", [s for s in f["health-green.json"] if "101:" in s["target"]])), "inconclusive", "missing", "", "1 were asked, and there are 2"),
    ("a target that did not answer at the end", "promote", lambda f: [s.pop("health") for s in f["health-green.json"][-1:]], "inconclusive", "ready", "2.101", "no document was kept"),
    ("another policy than is required", "promote", lambda f: [put(d["build"], "policy_sha256", OTHER) for t in (0, 1) for d in docs(f, target=t)], "fail", "policy", "2.100", OTHER),
    ("two policies", "promote", lambda f: ([put(d["build"], "policy_sha256", OTHER) for d in docs(f)], unrequire(f, "policy-sha256")), "fail", "one-policy", "2.101", "and elsewhere"),
    ("two configurations", "promote", lambda f: [put(d["build"], "config_sha256", OTHER) for d in docs(f)], "fail", "one-config", "2.101", "and elsewhere"),
    ("a configuration that one does not say", "promote", lambda f: [d["build"].pop("config_sha256") for d in docs(f)], "inconclusive", "one-config", "", "not every target says it"),
    ("a policy that is not said", "promote", lambda f: [d["build"].pop("policy_sha256") for d in docs(f)], "inconclusive", "policy", "2.100", "does not say"),
    ("a policy that only observes", "promote", lambda f: put(last(f)["policy"], "mode", "observe"), "fail", "mode", "2.100", "observe"),
    ("a refused call", "promote", lambda f: put(last(f)["policy"], "violations", 1), "fail", "violations", "2.100", "1"),
    ("a refused call in between", "promote", lambda f: put(docs(f)[1]["policy"], "violations", 1), "fail", "violations", "2.100", "1"),
    ("violations that are not said", "promote", lambda f: put(last(f)["policy"], "violations", None), "inconclusive", "violations", "2.100", "does not say"),
    ("violations below 0", "promote", lambda f: put(last(f)["policy"], "violations", -1), "inconclusive", "violations", "2.100", "does not say"),
    ("a restart", "promote", lambda f: put(last(f)["app"], "restarts", 1), "fail", "restarts", "2.100", "1"),
    ("a record that was dropped", "promote", lambda f: put(last(f)["logs"][0], "dropped", 1), "fail", "log-dropped", "2.100", "1"),
    ("a sink that is down", "promote", lambda f: put(last(f)["logs"][0], "up", False), "fail", "sinks", "2.100", "trail is down"),
    ("sinks that are not said", "promote", lambda f: last(f).pop("logs"), "inconclusive", "sinks", "2.100", "does not say"),
    ("a certificate with too few days", "promote", lambda f: put(last(f)["tls"][0], "days_left", 13), "fail", "certificates", "2.100", "server has 13 days left"),
    ("a certificate without a day", "promote", lambda f: put(last(f)["tls"][0], "days_left", 0), "fail", "certificates", "2.100", "server has 0 days left"),
    ("a certificate that has expired", "promote", lambda f: (put(last(f)["tls"][0], "days_left", -2), config(f, "tls-min-days: 14", "tls-min-days: 0")), "fail", "certificates", "2.100", "server has expired"),
    ("a key that is another certificate's", "promote", lambda f: put(last(f)["tls"][0], "key_match", False), "fail", "certificates", "2.100", "do not fit"),
    ("a certificate that does not say when it ends", "promote", lambda f: last(f)["tls"][0].pop("days_left"), "inconclusive", "certificates", "2.100", "does not say"),
    ("no certificate", "promote", lambda f: put(last(f), "tls", []), "inconclusive", "certificates", "2.100", "no certificate"),
    ("a clock that is not synchronised", "promote", lambda f: put(last(f)["ecs"], "clock", "NOT_SYNCHRONIZED"), "fail", "clock", "2.100", "NOT_SYNCHRONIZED"),
    ("a clock of which nothing is known", "promote", lambda f: last(f)["ecs"].pop("clock"), "inconclusive", "clock", "2.100", "it does not say"),
    ("a clock where there is no ECS", "promote", lambda f: last(f).pop("ecs"), "inconclusive", "clock", "2.100", "it is not on ECS, which alone says it: leave clock out"),
    ("a minimal document", "promote", lambda f: [last(f).pop(k) for k in ("build", "policy", "app", "tls", "logs", "net")], "inconclusive", "policy", "2.100", "it does not say: the document is minimal (health.expose: full in the policy)"),
    ("a state of ready that is neither ready nor live", "promote", lambda f: last(f).update(ready=False, live=False, reason="check:ping", checks=[{"name": "web", "ok": False, "why": "status 500"}, {"name": "ping", "ok": False, "why": "exit code 1"}]), "fail", "ready", "2.100", "last: state ready, not ready, not live: check:ping (exit code 1)"),
    ("a target that is not ready, for another reason than a check that fails, too", "promote", lambda f: last(f).update(state="not-ready", ready=False, reason="sink", checks=[{"name": "web", "ok": True, "why": "x"}, {"name": "ping", "ok": False, "why": "exit code 1"}]), "fail", "ready", "2.100", "last: state not-ready, not ready: sink (ping: exit code 1)"),
    ("a clock that is behind", "promote", lambda f: put(last(f), "now", "{-95}"), "inconclusive", "clock-skew", "2.100", "clock skew: 90 s behind"),
    ("a clock that is ahead", "promote", lambda f: put(last(f), "now", "{40}"), "inconclusive", "clock-skew", "2.100", "ahead"),
    ("a clock that is not said", "promote", lambda f: last(f).pop("now"), "inconclusive", "clock-skew", "2.100", "does not say its time"),
    ("the version that blue has", "promote", lambda f: put(f["baseline.json"], "version", "1.4.2"), "fail", "version", "2.100", "1.4.2, as the baseline"),
    ("a version that is not said", "promote", lambda f: (last(f).pop("version"), last(f)["ecs"].pop("image_id")), "inconclusive", "version", "2.100", "it does not say"),
    ("the image that blue has, without a version", "promote", lambda f: [d.pop("version") for d in docs(f)], "fail", "version", "2.100", "as the baseline"),
    ("a baseline that does not say its version", "promote", lambda f: f["baseline.json"].pop("version"), "inconclusive", "version", "2.100", "the baseline does not say"),
    ("a baseline that never answered", "promote", lambda f: put(f, "baseline.json", [{"target": "10.0.1.100:9100", "at": "{-20}", "error": "timed out"}]), "inconclusive", "version", "2.100", "the baseline does not say"),
    ("facts of an hour ago", "promote", lambda f: [put(s, "at", "{%d}" % (i * 5 - 3600)) for i, s in enumerate(f["health-green.json"])], "inconclusive", "policy", "2.100", "a document expired evidence"),
    ("another schema", "promote", lambda f: put(last(f), "schema", "lazaret.health/2"), "inconclusive", "ready", "2.100", "schema is not"),
    ("samples of an hour ago", "promote", lambda f: [put(s, "at", "{%d}" % (i * 5 - 3600)) for i, s in enumerate(f["health-green.json"])], "inconclusive", "ready", "2.100", "expired evidence"),
    ("samples of the future", "promote", lambda f: put(f["health-green.json"][-2], "at", "{60}"), "inconclusive", "ready", "2.100", "clock skew"),
    ("samples without a time", "promote", lambda f: f["health-green.json"][-2].pop("at"), "inconclusive", "ready", "2.100", "are not said"),
    ("one sample, twice", "promote", lambda f: put(f["health-green.json"][-2], "at", f["health-green.json"][-4]["at"]), "inconclusive", "ready", "2.100", "do not rise"),
    # retiring
    ("a connection of a minute ago", "retire", lambda f: put(last(f, "health-blue.json")["net"], "last_new_conn_age_s", 60), "fail", "last-connection", "1.100", "60 s ago"),
    ("a connection of now", "retire", lambda f: put(last(f, "health-blue.json")["net"], "last_new_conn_age_s", 0), "fail", "last-connection", "1.100", "0 s ago"),
    ("a connection of exactly that time", "retire", lambda f: put(last(f, "health-blue.json")["net"], "last_new_conn_age_s", 1800), "fail", "last-connection", "1.100", "1800 s ago"),
    ("a last connection that is not known", "retire", lambda f: put(last(f, "health-blue.json")["net"], "last_new_conn_age_s", None), "inconclusive", "last-connection", "1.100", "none has come since the helper began"),
    ("a colour that nobody has reached yet, for exactly that time", "retire", lambda f: unreached(f, 1785), "inconclusive", "last-connection", "1.100", "none has come since the helper began"),
    ("a colour that nobody has reached since a helper was started anew", "retire", lambda f: (unreached(f, 5000), put_all([d["app"] for d in docs(f, "health-blue.json")], "helper_restarts", 1)), "inconclusive", "last-connection", "1.100", "none has come since the helper began"),
    ("a colour that nobody has reached, of whose helpers nothing is said", "retire", lambda f: (unreached(f, 5000), [d["app"].pop("helper_restarts") for d in docs(f, "health-blue.json")]), "inconclusive", "last-connection", "1.100", "none has come since the helper began"),
    ("a colour that nobody has reached, and that did not count once", "retire", lambda f: (unreached(f, 5000), docs(f, "health-blue.json")[1]["net"].pop("passive_opens")), "inconclusive", "last-connection", "1.100", "it does not say: it cannot count"),
    ("a colour that nobody has reached since it was started anew", "retire", lambda f: (unreached(f, 5000), put(docs(f, "health-blue.json")[0], "uptime_s", 9000)), "inconclusive", "last-connection", "1.100", "none has come since the helper began"),
    ("a helper that was started anew, and counts more", "retire", lambda f: (put(last(f, "health-blue.json")["app"], "helper_restarts", 1), put(last(f, "health-blue.json")["net"], "passive_opens", 1061)), "inconclusive", "accepted", "1.100", "a helper was started anew between two polls (helper_restarts 0, then 1)"),
    ("a helper that was started anew, and saw somebody", "retire", lambda f: (put(last(f, "health-blue.json")["app"], "helper_restarts", 1), put(last(f, "health-blue.json")["net"], "last_new_conn_age_s", 3)), "inconclusive", "last-connection", "1.100", "(helper_restarts 0, then 1)"),
    ("a helper that was started anew in between", "retire", lambda f: [put(d["app"], "helper_restarts", 2) for d in docs(f, "health-blue.json")[2:]], "inconclusive", "accepted", "1.100", "(helper_restarts 0, then 2)"),
    ("a target that was started anew, and is up for longer than before", "retire", lambda f: [put(d, "uptime_s", u) for d, u in zip(docs(f, "health-blue.json"), (5, 10, 15, 16))] + [put(s, "at", "{%d}" % (a - 100)) for s, a in zip(f["health-blue.json"], (-20, -20, -15, -15, -10, -10))], "inconclusive", "accepted", "1.100", "up for 15 s, then 16 s"),
    ("helpers of which fewer were started anew than before", "retire", lambda f: [put(d["app"], "helper_restarts", n) for d, n in zip(docs(f, "health-blue.json"), (2, 2, 0, 0))], "inconclusive", "accepted", "1.100", "(helper_restarts 2, then 0)"),
    ("a target that does not say any more for how long it is up", "retire", lambda f: last(f, "health-blue.json").pop("uptime_s"), "inconclusive", "accepted", "1.100", "it does not say any more for how long it is up"),
    ("connections that still come", "retire", lambda f: put(last(f, "health-blue.json")["net"], "passive_opens", 1043), "fail", "accepted", "1.100", "1 in 15 s"),
    ("more connections than health checks make", "retire", lambda f: (put(last(f, "health-blue.json")["net"], "passive_opens", 1047), config(f, "quiet: 30m", "quiet: 30m\nprobes-per-minute: 12", "retire.yaml")), "fail", "accepted", "1.100", "5 in 15 s, of which health checks explain "),
    ("a count that is not known", "retire", lambda f: last(f, "health-blue.json")["net"].pop("passive_opens"), "inconclusive", "accepted", "1.100", "it does not say: it cannot count"),
    ("a count that went back", "retire", lambda f: put(last(f, "health-blue.json")["net"], "passive_opens", 3), "inconclusive", "accepted", "1.100", "started anew"),
    ("a target that was started anew", "retire", lambda f: put(last(f, "health-blue.json"), "uptime_s", 3), "inconclusive", "accepted", "1.100", "started anew"),
    ("an old document under a new time", "retire", lambda f: put(last(f, "health-blue.json"), "now", "{-900}"), "inconclusive", "clock-skew", "1.100", "clock skew: 89"),
    ("an old document under a new time that does not say its own", "retire", lambda f: last(f, "health-blue.json").pop("now"), "inconclusive", "clock-skew", "1.100", "it does not say its time"),
    ("one document, again and again", "retire", lambda f: (put_all(docs(f, "health-blue.json"), "uptime_s", 120), config(f, "quiet: 30m", "quiet: 30m\nclock-skew: 10s", "retire.yaml")), "inconclusive", "accepted", "1.100", "up for 120 s, and 120 s when 15 s were over"),
    ("a look that was too short", "retire", lambda f: config(f, "bake: 15s", "bake: 16s", "retire.yaml"), "inconclusive", "accepted", "1.100", "0 in 15 s"),
    ("a target that does not answer any more", "retire", lambda f: f["health-blue.json"][-2].pop("health"), "inconclusive", "last-connection", "1.100", "not of now"),
    ("a client that is connected", "retire", lambda f: put(last(f, "health-blue.json")["net"], "established", 5), "fail", "open", "1.100", "5"),
    ("a client that stays, where health checks come", "retire", lambda f: (put_all([d["net"] for d in docs(f, "health-blue.json")[-2:]], "established", 1), config(f, "quiet: 30m", "quiet: 30m\nprobes-per-minute: 12", "retire.yaml")), "fail", "open", "1.100", "1"),
    ("a connection that may be a health check's", "retire", lambda f: (put(last(f, "health-blue.json")["net"], "established", 1), config(f, "quiet: 30m", "quiet: 30m\nprobes-per-minute: 12", "retire.yaml")), "inconclusive", "open", "1.100", "1 now, and none before: perhaps a health check"),
    ("connections of which nobody says how many are open", "retire", lambda f: last(f, "health-blue.json")["net"].pop("established"), "inconclusive", "open", "1.100", "it does not say: it cannot count"),
    ("connections below 0", "retire", lambda f: put(last(f, "health-blue.json")["net"], "established", -1), "inconclusive", "open", "1.100", "it does not say: it cannot count"),
    ("a target whose document becomes minimal", "retire", lambda f: [last(f, "health-blue.json").pop(k) for k in ("build", "policy", "app", "tls", "logs", "net")], "inconclusive", "open", "1.100", "the document is minimal (health.expose: full in the policy)"),
    ("one target of two", "retire", lambda f: put(f, "health-blue.json", f["health-blue.json"][::2]), "fail", "number", "", "1 of at least 2"),
    # files
    ("an answer that goes on elsewhere", "promote", lambda f: put(f["tasks.json"], "nextToken", "AAAA"), "inconclusive", "input", "tasks", "not all of it"),
    ("a file that is not there", "promote", lambda f: put(f, "volumes.json", None), "inconclusive", "input", "volumes", "No such file"),
    ("a file that is empty", "promote", lambda f: put(f, "volumes.json", b""), "inconclusive", "input", "volumes", "cannot be read"),
    ("a key that is there twice", "promote", lambda f: put(f, "volumes.json", b'{"Volumes":[{"Encrypted":false,"Encrypted":true}]}'), "inconclusive", "input", "volumes", "cannot be read"),
    ("an error of the command line", "promote", lambda f: put(f, "tasks.json", b"An error occurred (ExpiredTokenException)\n"), "inconclusive", "input", "tasks", "cannot be read"),
    ("a number", "promote", lambda f: put(f, "tasks.json", b"3"), "inconclusive", "input", "tasks", "neither an object nor an array"),
    ("more than 2 MiB", "promote", lambda f: put(f, "tasks.json", b'{"tasks":[]}' + b" " * (2 << 20)), "inconclusive", "input", "tasks", "larger than 2 MiB"),
    ("the answer of another call", "promote", lambda f: put(f, "targets-green.json", GOLDEN["tasks.json"]), "inconclusive", "targets", "", "no answer of describe-target-health"),
    ("health documents that are none", "promote", lambda f: put(f, "health-green.json", []), "inconclusive", "input", "health", "no health documents"),
]


@case("each thing that is wrong has its verdict, its row, and its words")
def wrong():
    for name, mode, change, verdict, check_name, target, seen in WRONG:
        said = Inputs(change).evidence(mode)
        check_equal(said["verdict"], verdict, f"{name}: {[r for r in said['checks'] if r['result'] not in ('pass', 'skipped')]}")
        result = "fail" if verdict == "fail" else "inconclusive"
        try:
            expect_row(said, check_name, target, result, seen)
        except laz.Failed as why:
            raise laz.Failed(f"{name}: {why}") from None


RIGHT = [
    ("health checks that explain the connections", "retire", lambda f: (put(last(f, "health-blue.json")["net"], "passive_opens", 1045), config(f, "quiet: 30m", "quiet: 30m\nprobes-per-minute: 12", "retire.yaml"))),
    ("clients that were there, and went", "retire", lambda f: put_all([d["net"] for d in docs(f, "health-blue.json")[:-1]], "established", 7)),
    ("a colour that nobody has ever reached, and that has been up for longer", "retire", lambda f: unreached(f, 1786)),
    ("a rule's share of 0 for a group of which nothing is known", "promote", lambda f: shares(f).append({"TargetGroupArn": shares(f)[0]["TargetGroupArn"].replace("portal-blue", "portal-grey"), "Weight": 0})),
    ("as many requests that failed as are allowed", "verify", lambda f: (put(f["eb-health.json"]["ApplicationMetrics"]["StatusCodes"], "Status5xx", 2), config(f, "violations: 0", "violations: 0\n  eb-requests: 2"))),
    ("requests of which nothing is said, and nothing is asked", "verify", lambda f: (f["eb-health.json"].pop("ApplicationMetrics"), config(f, "violations: 0", "violations: 0\n  eb-requests: any"))),
    ("a flap within the limit", "promote", lambda f: (flap(f, "+-++++"), config(f, "failure-limit: 0", "failure-limit: 1"))),
    ("a target that started, and then was good", "promote", lambda f: flap(f, "ww++++")),
    ("as much as is allowed", "promote", lambda f: (put(last(f)["policy"], "violations", 2), put(last(f)["app"], "restarts", 3), put(last(f)["logs"][0], "dropped", 4), put(last(f)["tls"][0], "days_left", 14), config(f, "violations: 0", "violations: 2"), config(f, "restarts: 0", "restarts: 3"), config(f, "log-dropped: 0", "log-dropped: 4"))),
    ("whatever is not required", "promote", lambda f: ([d.pop(k, None) for t in (0, 1) for d in docs(f, target=t) for k in ("policy", "app", "logs", "build", "tls")], f.update({"rollout.yaml": re.sub(r"require:\n(  .*\n)*", "require: {policy-sha256: any, image-digest: any, violations: any, restarts: any, log-dropped: any}\n", f["rollout.yaml"])}))),
    ("a configuration that nobody says", "promote", lambda f: [d["build"].pop("config_sha256") for t in (0, 1) for d in docs(f, target=t)]),
    ("targets that never say for how long they are up, where none was started anew", "retire", lambda f: [d.pop("uptime_s") for t in (0, 1) for d in docs(f, "health-blue.json", t)]),
    ("targets whose seconds do not move between two polls", "retire", lambda f: put_all([d for t in (0, 1) for d in docs(f, "health-blue.json", t)], "uptime_s", 120)),
    ("a counter that is still 0", "retire", lambda f: put_all([d["net"] for t in (0, 1) for d in docs(f, "health-blue.json", t)], "passive_opens", 0)),
    ("two images, where any is good", "promote", lambda f: (put(task(f, 1)["containers"][1], "imageDigest", "sha256:" + OTHER), f.update({"rollout.yaml": re.sub(r"image-digest: .*", "image-digest: any", f["rollout.yaml"])}))),
    ("a group alone, without a weight, and the largest weight", "promote", lambda f: (f["listeners.json"]["Listeners"][0]["DefaultActions"][0]["ForwardConfig"]["TargetGroups"][0].pop("Weight"), put(shares(f)[0], "Weight", 999))),
    ("members that AWS may add", "promote", lambda f: [put(x, "Novelty", {"a": [1, None]}) for x in (f["tasks.json"], task(f), f["eb-health.json"], last(f), f["rules-before.json"]["Rules"][0])]),
    ("a state other than ready, if that is wanted", "promote", lambda f: (put_all(docs(f) + docs(f, target=1), "state", "warming"), config(f, "state: ready", "state: warming"))),
    ("a clock as far away as is allowed", "promote", lambda f: (put(last(f), "now", "{-90}"), config(f, "clock-skew: 30s", "clock-skew: 2m"))),
    ("a group by its ARN", "verify", lambda f: config(f, "target-group: portal-green", "target-group: " + shares(f)[1]["TargetGroupArn"])),
    ("times in the form of the command line's first version", "promote", lambda f: put(f["eb-health.json"], "RefreshedAt", time.time() - 3)),
]


@case("what is allowed passes")
def right():
    for name, mode, change in RIGHT:
        said = Inputs(change).evidence(mode)
        bad = [r for r in said["checks"] if r["result"] not in ("pass", "skipped")]
        check_equal((said["verdict"], bad), ("pass", []), name)


# Each word that a service writes, where it stands, and what it comes to; all others are inconclusive.
WORDS = [
    ("promote", "task-status", lambda f, w: put(task(f), "lastStatus", w), {"pass": "RUNNING", "fail": "DEACTIVATING STOPPING DEPROVISIONING STOPPED DELETED",
     "inconclusive": "PROVISIONING PENDING ACTIVATING running"}),
    ("promote", "task-desired", lambda f, w: put(task(f), "desiredStatus", w), {"pass": "RUNNING", "fail": "STOPPED", "inconclusive": "PENDING"}),
    ("promote", "task-health", lambda f, w: put(task(f), "healthStatus", w), {"pass": "HEALTHY", "fail": "UNHEALTHY", "inconclusive": "UNKNOWN"}),
    ("promote", "target-state", lambda f, w: put(f["targets-green.json"]["TargetHealthDescriptions"][0], "TargetHealth", {"State": w}),
     {"pass": "healthy", "fail": "unhealthy unhealthy.draining", "inconclusive": "initial draining unused unavailable"}),
    ("promote", "eb-color", lambda f, w: put(f["eb-health.json"], "Color", w), {"pass": "Green", "fail": "Yellow Red", "inconclusive": "Grey"}),
    ("promote", "eb-health", lambda f, w: put(f["eb-health.json"], "HealthStatus", w),
     {"pass": "Ok", "fail": "Warning Degraded Severe", "inconclusive": "Info Pending Unknown NoData Suspended"}),
    ("promote", "eb-status", lambda f, w: put(f["eb-health.json"], "Status", w),
     {"pass": "Ready", "fail": "Terminating Terminated", "inconclusive": "Launching Updating"}),
]


@case("each word that a service writes is good, bad or neither")
def words_of_services():
    for mode, name, change, results in WORDS:
        for result, words in results.items():
            for word in words.split():
                said = Inputs(lambda f: change(f, word)).evidence(mode)
                found = {r["result"] for r in rows_of(said, name) if r["observed"] == word and "91aa" not in r["target"] and "101:" not in r["target"]}
                check_equal(found, {result}, f"{name} {word}: {rows_of(said, name)}")


@case("the colour's own group is judged, whether it is named or not, and by name or ARN")
def own_group():
    arn = shares(GOLDEN)[1]["TargetGroupArn"]
    for group in ("portal-green", arn):
        for state, verdict in (("healthy", "pass"), ("unhealthy", "fail")):
            inputs = Inputs(lambda f: put(f["targets-green.json"]["TargetHealthDescriptions"][0], "TargetHealth", {"State": state}))
            said = inputs.evidence("promote", without=[("--target-health", "targets-green.json")],
                                   more=["--target-health", f"{group}=targets-green.json"])
            check_equal(said["verdict"], verdict, f"{group}, {state}")
            expect_row(said, "target-state", "10.0.2.100:8080", verdict, state)


@case("what is neither required nor given is skipped, and so is what is not judged")
def unasked():
    for mode, name in (("promote", "rollout.yaml"), ("retire", "retire.yaml")):
        inputs = Inputs(lambda f: put(f, name, re.sub(r"inputs: .*", "inputs: [health]", f[name])))
        health = [w for w in inputs.whole(mode) if w == "--health" or w.startswith("health-")]
        said = inputs.evidence(mode, words=["--config", name, *health])
        check_equal(said["verdict"], "pass", f"{mode}: {[r for r in said['checks'] if r['result'] not in ('pass', 'skipped')]}")
        check_equal([r["check"] for r in said["checks"] if r["check"] == "version"], [], "a version without a baseline")
        for option in ("tasks", "target-health", "rules", "eb-health", "volumes", "protection", "baseline"):
            expect_row(said, "input", option, "skipped", "not given")
    inputs = Inputs(lambda f: put(f, "rollout.yaml", re.sub(r"inputs: .*", "inputs: [tasks]", f["rollout.yaml"])))
    said = inputs.evidence("promote", words=["--config", "rollout.yaml", "--tasks", "tasks.json"])
    check_equal((said["verdict"], rows_of(said, "number")), ("pass", []), "where no targets are asked for, none is missing")
    said = Inputs().evidence("retire", more=["--tasks", "tasks.json", "--eb-health", "eb-health.json"])
    check_equal(said["verdict"], "pass", "retire, with more")
    for name in ("tasks", "eb-health"):
        expect_row(said, name, "", "skipped", "is not judged by this gate")
    said = Inputs(lambda f: [unrequire(f, key) for key in ("mode", "tls-min-days", "clock")]).evidence("promote")
    for name in ("mode", "certificates", "clock"):
        check_equal([(r["result"], r["observed"]) for r in rows_of(said, name)], [("skipped", "not required")], name)
    said = Inputs().evidence("promote", more=["--protection", "protection.json"])
    expect_row(said, "protection", "", "skipped", "is not judged by this gate")


@case("files older than max-age, or from the future, decide nothing, and what they would fail is not said to fail")
def ages():
    for name, option in (("tasks.json", "tasks"), ("targets-green.json", "target-health"), ("rules-before.json", "rules"),
                         ("volumes.json", "volumes")):
        for seconds, words in ((660, "expired evidence: 66"), (-90, "clock skew")):
            inputs = Inputs(lambda f: put(f["volumes.json"]["Volumes"][0], "Encrypted", False) if name == "volumes.json" else None)
            inputs.age(name, seconds)
            said = inputs.evidence("promote")
            check_equal(said["verdict"], "inconclusive", f"{name}, {seconds} s")
            expect_row(said, "input", option, "inconclusive", words)
        inputs = Inputs()
        inputs.age(name, 590)
        check_equal(inputs.evidence("promote")["verdict"], "pass", f"{name}, in time")


# ---- What never becomes a pass -----------------------------------------------------------------------


@case("without any one of the required inputs nothing passes, whatever the others say")
def removed():
    rows = [("good", mode, None) for mode in WHOLE] + [(w[0], w[1], w[2]) for w in (WRONG if laz.LONG else WRONG[::6])]
    for name, mode, change in rows:
        inputs = Inputs(change)
        for pair in WHOLE[mode][1:]:
            # Both files of target-health, or of rules, are one input: the other one still is there.
            alike = [p for p in WHOLE[mode] if p[0] == pair[0]]
            done = inputs.run(mode, inputs.whole(mode, without=alike))
            check(done.returncode in (10, 11), f"{name} without {pair[0]}: {done.returncode}: {done.stdout}")
            check(f"{pair[0][2:]}" in done.stdout, f"{name} without {pair[0]}: {done.stdout}")


@case("no file that was cut, or in which a value has another type, turns what did not pass into a pass")
def mutilated():
    chosen = random.Random(5)
    for name, mode, change, *_ in (WRONG if laz.LONG else WRONG[::9]):
        inputs = Inputs(change)
        for _, file in WHOLE[mode][1:]:
            path = inputs.folder / file.split("=")[-1]
            if not path.exists() or path.stat().st_size > 100000:
                continue
            text = path.read_bytes()
            cut = text[:chosen.randrange(max(len(text), 1))]
            strings = [m for m in re.finditer(rb'"[^"]*"(?!\s*:)|\btrue\b|\b\d+\b', text)]
            swap = chosen.choice(strings) if strings else None
            for other in [cut] + ([text[:swap.start()] + b"[]" + text[swap.end():]] if swap else []):
                path.write_bytes(other)
                done = inputs.run(mode, inputs.whole(mode))
                check(done.returncode in (10, 11), f"{name}, {file} as {other[-200:]!r}: {done.stdout}")
            path.write_bytes(text)


@case("a good file that is cut anywhere is inconclusive")
def cut():
    inputs = Inputs()
    for _, file in WHOLE["promote"][1:]:
        path = inputs.folder / file.split("=")[-1]
        text = path.read_bytes()
        for length in sorted({0, 1, len(text) // 3, len(text) // 2, len(text.rstrip()) - 1}):
            path.write_bytes(text[:length])
            inputs.run("promote", inputs.whole("promote"), expect=11)
        path.write_bytes(text)
    inputs.run("promote", inputs.whole("promote"), expect=0)


@case("a required input that is not given is named by the options that give it")
def required():
    said = Inputs().evidence("promote", words=["--config", "rollout.yaml"])
    for name in ("tasks", "target-health", "rules", "eb-health", "volumes", "baseline"):
        expect_row(said, "input", name, "inconclusive", f"required, and not given: --{name} FILE")
    expect_row(said, "input", "health", "inconclusive", "required, and not given: --targets HOST:PORT,..., --dns NAME:PORT or --health FILE")


# ---- What is handed over -----------------------------------------------------------------------------


@case("the evidence says when, of which files, by which digests, and is a baseline for the next gate")
def evidence():
    inputs = Inputs()
    inputs.run("promote", inputs.whole("promote", more=["--json", "out.json", "--junit", "out.xml"]), expect=0)
    said = json.loads((inputs.folder / "out.json").read_text())
    check(said["started"] <= said["ended"] and said["started"][:10] in (moment(0)[:10], moment(-60)[:10]), f"times: {said['started']}")
    check_equal(said["config"]["sha256"], hashlib.sha256((inputs.folder / "rollout.yaml").read_bytes()).hexdigest(), "the rollout file")
    files = [p[1].split("=")[-1] for p in WHOLE["promote"][1:]]
    check_equal([(i["file"], i["sha256"]) for i in said["inputs"]],
                [(f, hashlib.sha256((inputs.folder / f).read_bytes()).hexdigest()) for f in files], "digests of the inputs")
    check_equal(len(said["samples"]), 8, "samples")
    (inputs.folder / "health-green.json").write_text(json.dumps(said["samples"]))
    check_equal(inputs.evidence("promote")["verdict"], "pass", "its samples, as documents")
    (inputs.folder / "health-green.json").write_bytes((inputs.folder / "out.json").read_bytes())
    again = inputs.evidence("promote")
    check_equal(again["verdict"], "pass", "the evidence itself, as documents")
    check_equal(again["samples"], said["samples"], "samples that were read again")
    (inputs.folder / "baseline.json").write_bytes((inputs.folder / "out.json").read_bytes())
    said = inputs.evidence("promote")
    check_equal(said["verdict"], "fail", "its own evidence as the baseline")
    expect_row(said, "version", "2.100", "fail", "as the baseline")


@case("JUnit has a case for each check and target, failures with what was wanted, and inconclusive is an error")
def junit():
    for change, verdict in ((None, "pass"), (lambda f: put(last(f)["policy"], "violations", 1), "fail"),
                            (lambda f: put(task(f), "healthStatus", '<&"\x01>'), "inconclusive")):
        inputs = Inputs(change)
        done = inputs.run("promote", inputs.whole("promote", more=["--junit", "out.xml", "--format", "json"]), expect=CODES[verdict])
        rows = json.loads(done.stdout)["checks"]
        suite = ElementTree.parse(inputs.folder / "out.xml").getroot().find("testsuite")
        cases = suite.findall("testcase")
        check_equal(suite.get("name"), "lazaret.gate.promote", "suite")
        check_equal(int(suite.get("tests")), len(cases), "tests")
        check_equal(len(cases), len(rows) + 1, "cases")
        for kind, element in (("fail", "failure"), ("inconclusive", "error"), ("skipped", "skipped")):
            expected = [r for r in rows if r["result"] == kind]
            found = [c.find(element) for c in cases[1:] if c.find(element) is not None]
            check_equal([e.get("message") for e in found], [r["observed"] for r in expected], element)
            number = len(expected) + (1 if verdict == kind else 0)
            check_equal(int(suite.get({"failure": "failures", "error": "errors"}.get(element, element))), number, element)
        for failed in (c.find("failure") for c in cases[1:] if c.find("failure") is not None):
            check("observed: 1\nwanted: at most 0" in failed.text, f"text: {failed.text}")
        check_equal([e.tag for e in cases[0]], {"pass": [], "fail": ["failure"], "inconclusive": ["error"]}[verdict], "the verdict's case")


@case("hooks are told a word: ECS to ask again, CodeDeploy no; the codes stay")
def hooks():
    for change, code, ecs, deploy in (
            (None, 0, "SUCCEEDED", "Succeeded"), (lambda f: put(last(f)["policy"], "violations", 1), 10, "FAILED", "Failed"),
            (lambda f: put(f, "tasks.json", None), 11, "IN_PROGRESS", "Failed")):
        inputs = Inputs(change)
        words = inputs.whole("promote")
        said = inputs.run("promote", [*words, "--format", "ecs-hook"], expect=code).stdout
        check_equal(json.loads(said), {"hookStatus": ecs}, "ECS")
        check_equal(inputs.run("promote", [*words, "--format=codedeploy"], expect=code).stdout, deploy + "\n", "CodeDeploy")


@case("the text is a line for each row, and ends with the verdict")
def text():
    inputs = Inputs(lambda f: put(task(f), "healthStatus", "UNHEALTHY"))
    done = inputs.run("promote", inputs.whole("promote"), expect=10)
    lines = done.stdout.splitlines()
    skipped = [line.startswith("skipped") for line in lines[:-1]]
    check(any(skipped) and skipped == sorted(skipped), f"what nobody asked for comes last: {done.stdout}")
    check(re.search(r"^fail +task-health +8f03\w+ +UNHEALTHY \(wanted: HEALTHY\)$", done.stdout, re.M), done.stdout)
    counts = {w: sum(line.startswith(w) for line in lines[:-1]) for w in ("pass", "fail", "inconclusive", "skipped")}
    check_equal(lines[-1], f"gate promote: fail ({counts['pass']} passed, {counts['fail']} failed, "
                f"{counts['inconclusive']} inconclusive, {counts['skipped']} skipped)", "last line")


# ---- The rollout file and the command line -----------------------------------------------------------

BAD = [
    ("version: 2\ninputs: [health]\n", '1:10: error: version: must be 1, not "2"'),
    ("inputs: [health]\n", '1:1: error: "version" is missing'),
    ("version: 1\n", '1:1: error: "inputs" is missing'),
    ("version: 1\ninputs: []\n", "2:9: error: inputs: must name at least one input"),
    ("version: 1\ninputs: health\n", "2:9: error: inputs: must be a list"),
    ("version: 1\ninputs: [helth]\n", '2:10: error: inputs[0]: must be the name of an input, not "helth" (did you mean "health"?)'),
    ("version: 1\ninputs: [tasks, tasks]\n", "2:17: error: inputs[1]: is there twice"),
    ("version: 1\ninputs: [health]\nbke: 5s\n", '3:1: error: unknown key "bke" (did you mean "bake"?)'),
    ("version: 1\ninputs: [health]\nbake: 5\n", '3:7: error: bake: must be a duration with its unit, such as 10s or 50ms, not "5"'),
    ("version: 1\ninputs: [health]\nbake: 25h\n", '3:7: error: bake: must be from 1000ms to 86400000ms, not "25h"'),
    ("version: 1\ninputs: [health]\nconsecutive: 0\n", '3:14: error: consecutive: must be from 1 to 1000, not "0"'),
    ("version: 1\ninputs: [health]\nmin-targets: \"2\"\n", "3:14: error: min-targets: numbers are written without quotes"),
    ("version: 1\ninputs: [health]\nrequire: []\n", "3:10: error: require: must be a mapping"),
    ("version: 1\ninputs: [health]\nrequire: {stat: ready}\n", '3:11: error: unknown key "stat" (did you mean "state"?)'),
    ("version: 1\ninputs: [health]\nrequire: {state: redi}\n", '3:18: error: require.state: must be one of the words of the reference, not "redi" (did you mean "ready"?)'),
    ("version: 1\ninputs: [health]\nrequire: {policy-sha256: abc}\n", '3:26: error: require.policy-sha256: must be 64 lower-case hexadecimal digits, or any, not "abc"'),
    ("version: 1\ninputs: [health]\nrequire: {image-digest: " + OTHER + "}\n", "3:25: error: require.image-digest: must be sha256: and 64"),
    ("version: 1\ninputs: [health]\nrequire: {violations: none}\n", '3:23: error: require.violations: must be a decimal number, not "none"'),
    ("version: 1\ninputs: [health]\nrequire: {clock: [a]}\n", "3:18: error: require.clock: must be a single value"),
    ("version: 1\ninputs: [health]\ntarget-group: a=b\n", "3:15: error: target-group: must be the name or the ARN"),
    ("version: 1\nversion: 1\ninputs: [health]\n", "2:1: error"),
    ("- a\n", "1:1: error: must be a mapping"),
    ("", "error"),
    ("version: 1\ninputs: [health]\nbake: *a\n", "3:7: error"),
]


@case("a rollout file that is wrong returns 2, and says where")
def bad_files():
    for text, message in BAD:
        inputs = Inputs(lambda f: put(f, "rollout.yaml", text.encode()))
        done = inputs.run("promote", ["--config", "rollout.yaml"], expect=2)
        check_equal(done.stdout, "", f"{text!r}: output")
        check(message in done.stderr and "rollout.yaml" in done.stderr, f"{text!r}: {done.stderr}")


@case("a wrong command line returns 2, says what is wrong, and decides nothing")
def usage():
    inputs = Inputs()
    whole = inputs.whole("promote")
    rows = [
        ([], "needs --config"), (["--config", "none.yaml"], "none.yaml: No such file"),
        (["--config", "."], "not a regular file"), (["--config", "rollout.yaml", "--config", "rollout.yaml"], "--config is there twice"),
        ([*whole, "--tasks", "tasks.json"], "--tasks is there twice"),
        ([*whole, "--target-health", "portal-blue=x"], "--target-health is there twice"),
        ([*whole, "--target-health", "=x"], "not [GROUP=]FILE"), ([*whole, "--target-health", "x="], "not [GROUP=]FILE"),
        ([*whole, "--targets", "10.0.0.1:1"], "--health is what targets said before"),
        (["--config", "rollout.yaml", "--targets", "10.0.0.1"], "is not HOST:PORT"),
        (["--config", "rollout.yaml", "--targets", "a:1,"], "is not HOST:PORT"),
        (["--config", "rollout.yaml", "--targets", "a:0"], "is not HOST:PORT"),
        (["--config", "rollout.yaml", "--targets", "a:65536"], "is not HOST:PORT"),
        (["--config", "rollout.yaml", "--targets", "::1:80"], "is not HOST:PORT"),
        (["--config", "rollout.yaml", "--targets", "a/b:80"], "is not HOST:PORT"),
        (["--config", "rollout.yaml", "--targets", "a:1,a:1"], "a:1 is there twice"),
        (["--config", "rollout.yaml", "--targets", "a:1", "--dns", "b:1"], "do not go together"),
        (["--config", "rollout.yaml", "--dns", "b"], "is not HOST:PORT"),
        (["--config", "rollout.yaml", "--server-name", "b"], "needs --ca"), (["--config", "rollout.yaml", "--ca", "b"], "needs --targets"),
        (["--config", "rollout.yaml", "--targets", "127.0.0.1:1", "--ca", "none.pem"], "--ca"),
        ([*whole, "--format", "xml"], "there are text, json, ecs-hook and codedeploy"),
        ([*whole, "--timeout", "5"], "1s to 24h"), ([*whole, "--timeout", "25h"], "1s to 24h"), ([*whole, "--timeout", "0s"], "1s to 24h"),
        (["--config", "rollout.yaml", "--targets", "127.0.0.1:1", "--timeout", "15s"],
         "--timeout of 15000 ms is over before the gate can pass: 4 polls (consecutive), one every 5000 ms, span 15000 ms; it has to be longer"),
        ([*whole, "x"], "does not know what to do"), ([*whole, "--arch", "x"], "has no option"),
    ]
    for words, message in rows:
        done = inputs.run("promote", words, expect=2)
        check_equal(done.stdout, "", f"output of {words}")
        check(message in done.stderr, f"{words}: {done.stderr}")
    short = Inputs(lambda f: config(f, "bake: 15s", "bake: 60s"))
    words = ["--config", "rollout.yaml", "--targets", "127.0.0.1:1", "--timeout", "60s"]
    for mode in ("verify", "retire"):
        done = short.run(mode, words, expect=2)
        check("--timeout of 60000 ms is over before the gate can pass: polls span at least the bake of 60000 ms; it has to be longer" in done.stderr, done.stderr)
    for words, message in ((["gate"], "gate needs a command"), (["gate", "promot"], 'did you mean "gate promote"?')):
        done = subprocess.run([LAZARET, *words], capture_output=True, text=True, check=False)
        check_equal(done.returncode, 2, f"{words}")
        check(message in done.stderr, done.stderr)


@case("evidence that cannot be written is 70, and no verdict")
def unwritable():
    inputs = Inputs()
    for option in ("--json", "--junit"):
        done = subprocess.run([LAZARET, "gate", "promote", *inputs.whole("promote"), option, "none/out"], cwd=inputs.folder,
                              capture_output=True, text=True, check=False)
        check_equal((done.returncode, done.stdout), (70, ""), f"{option}: {done.stderr}")
        check("none/out" in done.stderr, done.stderr)
    with open("/dev/full", "w") as full:
        done = subprocess.run([LAZARET, "gate", "promote", *inputs.whole("promote")], cwd=inputs.folder, stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False)
    check_equal(done.returncode, 70, f"/dev/full: {done.stderr}")


@case("rollout files of the documentation and of the examples are read")
def documented():
    found = [b for page in readme.pages() for b in readme.blocks(page) if b.kind == "yaml rollout"]
    check(len(found) >= 1, "no rollout file in the documentation")
    for block in found:
        inputs = Inputs(lambda f: put(f, "rollout.yaml", block.text))
        said = inputs.evidence("promote", words=["--config", "rollout.yaml"])
        check_equal(said["verdict"], "inconclusive", f"{block.path.name}:{block.line}, without any input")
    files = [p for p in (laz.ROOT / "examples").rglob("*.yaml") if p.name in ("rollout.yaml", "retire.yaml")]
    check(len(files) >= 3, f"rollout files of the examples: {files}")
    for path in files:
        said = Inputs().evidence("promote", words=["--config", path])
        check_equal(said["verdict"], "inconclusive", f"{path}, without any input")


@case("lazaret(1) and the reference name the options, the checks and the keys that there are")
def pages():
    page, reference = PAGE.read_text(), REFERENCE.read_text()
    said = subprocess.run([LAZARET, "gate", "promote", "--help"], capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"--([\w-]+)", said.split("Options:")[1])) - {"help"}
    synopsis = page[page.index(".Cm gate"):page.index(".Sh DESCRIPTION")]
    documented = set(re.findall(r"Fl -([\w-]+)", synopsis[:synopsis.index("\n.Nm\n.Op Cm policy")]))
    check_equal(documented, options, "options of the synopsis")
    for option in options:
        check(f"`--{option}" in reference, f"the reference does not have --{option}")
    keys = set(re.findall(r'\.key = "([\w-]+)"', (laz.ROOT / "lib/gate/config.c").read_text()))
    for key in keys:
        check(f"`{key}`" in reference, f"the reference does not have {key}")
    sources = "".join(p.read_text() for p in (laz.ROOT / "lib/gate").glob("judge*.c"))
    checks = set(re.findall(r'\.check = "([\w-]+)"', sources)) | set(re.findall(r'\{"([\w-]+)", (?:wants|is)_', sources))
    checks |= set(re.findall(r'"(eb-\w+)"', sources)) | {"task-health", "task-desired", "one-policy", "one-config"}
    for name in checks:
        check(f"`{name}`" in reference, f"the reference does not have the check {name}")


laz.main()
