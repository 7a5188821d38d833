# SPDX-License-Identifier: Apache-2.0
"""A Lambda function that has `lazaret gate` judge a deployment: a lifecycle hook of ECS (blue/green by ECS itself), or a
hook of CodeDeploy. It collects what the gate reads, runs it, and hands its verdict on; it judges nothing by itself.

The program `lazaret` and rollout.yaml lie beside this file in the function's package. The function is in the VPC, since the
gate asks the tasks at HEALTH_PORT. Which service: CLUSTER and SERVICE of its environment. Blue's tasks are the same service's:
whose task definition and target group are green's, the service revision says, or CodeDeploy's task set. Where that is blue's
definition once more their tasks cannot be told apart, and the gate does not pass.
"""
import json
import os
import pathlib
import subprocess
import tempfile

import boto3

HERE = pathlib.Path(__file__).resolve().parent
# Before production traffic comes the gate judges whether green may have it; afterwards whether it stands.
VERIFYING = {"POST_PRODUCTION_TRAFFIC_SHIFT"}
# The gate polls for as long; Lambda ends a function after 15 minutes at the latest.
TIMEOUT = os.environ.get("GATE_TIMEOUT", "10m")


def green(ecs, event):
    """The task definition and the target group of what is deployed."""
    if "DeploymentId" in event:
        service, = ecs.describe_services(cluster=os.environ["CLUSTER"], services=[os.environ["SERVICE"]])["services"]
        found, = [s for s in service["taskSets"] if s.get("externalId") == event["DeploymentId"]]
        balancers = found["loadBalancers"]
    else:
        revision = event["executionDetails"]["targetServiceRevisionArn"]
        found, = ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"]
        balancers = found["resolvedConfiguration"]["loadBalancers"]
    balancer, = balancers
    return found["taskDefinition"], balancer["targetGroupArn"]


def collect(event, folder):
    """What the gate reads, as files; and the addresses of the tasks."""
    ecs, balancer = boto3.client("ecs"), boto3.client("elbv2")
    cluster, service = os.environ["CLUSTER"], os.environ["SERVICE"]
    definition, group = green(ecs, event)
    listed = ecs.list_tasks(cluster=cluster, serviceName=service)["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=listed) if listed else {"tasks": [], "failures": []}
    tasks["tasks"] = [t for t in tasks["tasks"] if t["taskDefinitionArn"] == definition]
    health = balancer.describe_target_health(TargetGroupArn=group)
    for name, answer in (("tasks.json", tasks), ("target-health.json", health)):
        answer.pop("ResponseMetadata", None)
        (folder / name).write_text(json.dumps(answer, default=lambda time: time.isoformat()))
    details = [d for t in tasks["tasks"] for a in t.get("attachments", []) for d in a.get("details", [])]
    return [d["value"] for d in details if d["name"] == "privateIPv4Address"]


def judge(event, command, form):
    """The last line that the gate prints in this form; None where it could not judge at all."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        addresses = collect(event, folder)
        port = os.environ.get("HEALTH_PORT", "9100")
        words = [HERE / "lazaret", "gate", command, "--config", HERE / "rollout.yaml", "--format", form, "--timeout", TIMEOUT,
                 "--tasks", folder / "tasks.json", "--target-health", folder / "target-health.json"]
        if addresses:
            words += ["--targets", ",".join(f"{a}:{port}" for a in addresses)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        print(done.stderr)
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else None


def handler(event, _context):
    """What ECS, or CodeDeploy, calls."""
    if "LifecycleEventHookExecutionId" in event:  # CodeDeploy, which does not say which of its hooks this is
        command = os.environ.get("GATE", "promote")
        verdict = judge(event, command, "codedeploy")
        status = verdict if verdict in ("Succeeded", "Failed") else "Failed"
        boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"], lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"], status=status)
        return {"status": status}
    verdict = judge(event, "verify" if event.get("lifecycleStage") in VERIFYING else "promote", "ecs-hook")
    try:
        status = json.loads(verdict)["hookStatus"]
    except (TypeError, ValueError, KeyError):
        status = None
    return {"hookStatus": status if status in ("SUCCEEDED", "FAILED", "IN_PROGRESS") else "FAILED"}
