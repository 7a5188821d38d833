# SPDX-License-Identifier: Apache-2.0
"""A stand-in for ECS's container agent: task metadata, the task role's credentials, task protection. Written from AWS's
documentation and the agent's published shapes, not AWS.

ecs_standin.py FOLDER PORT: a port of 127.0.0.1, 0 for any. The id in the paths is what the agent would give: whoever does
not know it gets 404 or 400. FOLDER/control (JSON) is read for each request: `faults`, a list of {path, method, fault, count,
about}; `container`, `task`, `credentials`, `protection`: members that replace what would be said (null: that member is
null). FOLDER/raw (JSON) has whole answers in base64, byte for byte, for requests with a word in them. Each request is
appended to FOLDER/requests, what the agent would not take to FOLDER/violations.
"""
import datetime
import json
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler

import standin
from standin import secret_of, token_of

FOLDER = standin.Folder(sys.argv[1])
FAULTS = standin.Faults()
ID, CREDENTIALS = "CANARYid-cd189a933e5849daa93386466019ab50-2495160603", "CANARYuuid-7c6b1e0a-2f0c-4d6e-9f5e-0d4a4a1d2b3c"
ARN = "arn:aws:ecs:us-west-2:111122223333"
TASK = f"{ARN}:task/default/8f03e41243824aea923aca126495f665"
LABELS = {"com.amazonaws.ecs.cluster": "default", "com.amazonaws.ecs.container-name": "app",
          "com.amazonaws.ecs.task-arn": TASK, "com.amazonaws.ecs.task-definition-family": "portal",
          "com.amazonaws.ecs.task-definition-version": "24"}
CONTAINER = {
    "DockerId": "ea32192c8553fbff06c9340478a2ff089b2bb5646fb718b4ee206641c9086d66", "Name": "app",
    "DockerName": "ecs-portal-24-app-cca48e8dcadd97805600",
    "Image": "111122223333.dkr.ecr.us-west-2.amazonaws.com/portal:1.4.2",
    "ImageID": "sha256:d691691e9652791a60114e67b365688d20d19940dde7c4736ea30e660d8d3553",
    "Ports": [{"ContainerPort": 8080, "Protocol": "tcp", "HostPort": 8080}], "Labels": LABELS, "DesiredStatus": "RUNNING",
    "KnownStatus": "RUNNING", "Limits": {"CPU": 10, "Memory": 128}, "CreatedAt": "2026-10-02T00:15:07.620912337Z",
    "StartedAt": "2026-10-02T00:15:08.062559351Z", "Type": "NORMAL",
    "Health": {"status": "HEALTHY", "statusSince": "2026-10-02T00:15:40Z", "exitCode": 0, "output": "live state=ready"},
    "LogDriver": "awslogs", "LogOptions": {"awslogs-group": "/ecs/portal", "awslogs-region": "us-west-2"},
    "ContainerARN": f"{ARN}:container/0206b271-b33f-47ab-86c6-a0ba208a70a9", "RestartCount": 0,
    "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.2.100"], "AttachmentIndex": 0,
                  "MACAddress": "0e:9e:32:c7:48:85", "IPv4SubnetCIDRBlock": "10.0.2.0/24", "DomainNameServers": ["10.0.0.2"],
                  "PrivateDNSName": "ip-10-0-2-100.us-west-2.compute.internal", "SubnetGatewayIpv4Address": "10.0.2.1/24"}]}
PAUSE = {"DockerId": "pause", "Name": "~internal~ecs~pause", "DockerName": "ecs-portal-24-pause", "Image": "amazon/pause:0.1.0",
         "ImageID": "", "Labels": {}, "DesiredStatus": "RESOURCES_PROVISIONED", "KnownStatus": "RESOURCES_PROVISIONED",
         "Limits": {"CPU": 0, "Memory": 0}, "Type": "CNI_PAUSE", "Health": None, "Networks": None}
TASK_ANSWER = {
    "Cluster": f"{ARN}:cluster/default", "TaskARN": TASK, "Family": "portal", "Revision": "24", "DesiredStatus": "RUNNING",
    "KnownStatus": "RUNNING", "Containers": [PAUSE, CONTAINER], "Limits": {"CPU": 0.25, "Memory": 512},
    "PullStartedAt": "2026-10-02T00:15:00.1Z", "PullStoppedAt": "2026-10-02T00:15:06.2Z", "AvailabilityZone": "us-west-2d",
    "LaunchType": "FARGATE", "ServiceName": "portal", "VPCID": "vpc-1",
    "ClockDrift": {"ClockErrorBound": 0.5458234999999999, "ReferenceTimestamp": "2026-10-02T00:15:00Z",
                   "ClockSynchronizationStatus": "SYNCHRONIZED"},
    "EphemeralStorageMetrics": {"Utilized": 261, "Reserved": 20496}, "FaultInjectionEnabled": False}
BOUNDS = range(1, 2881)  # ExpiresInMinutes


class Protection:
    """Of the one task that there is."""

    def __init__(self):
        self.lock, self.until = threading.Lock(), None

    def get(self):
        with self.lock:
            said = {"ProtectionEnabled": self.until is not None, "TaskArn": TASK}
            if self.until:
                said["ExpirationDate"] = datetime.datetime.fromtimestamp(
                    self.until, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            return {"protection": said}

    def put(self, request):
        """What is not exactly one of two members is refused, as the agent's decoder does."""
        enabled, minutes = request.get("ProtectionEnabled"), request.get("ExpiresInMinutes", 120)
        if not set(request) <= {"ProtectionEnabled", "ExpiresInMinutes"} or not isinstance(enabled, bool) or \
                not isinstance(minutes, int) or minutes not in BOUNDS:
            return None
        with self.lock:
            self.until = int(time.time()) + 60 * minutes if enabled else None
        return self.get()


PROTECTION = Protection()


def credentials():
    expires = int(time.time() + 3600)
    key = f"ASIA{expires:010d}000001"
    return {"RoleArn": "arn:aws:iam::111122223333:role/portal", "AccessKeyId": key, "SecretAccessKey": secret_of(key),
            "Token": token_of(key), "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires))}


class Agent(BaseHTTPRequestHandler):
    """All of it at one port, as the agent has it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, *more, cut=False):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(text))), *more):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text[:len(text) // 2] if cut else text)
        self.close_connection = self.close_connection or cut

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        rules = FOLDER.load("control")
        what = self.what()
        fault = FAULTS.find(rules, lambda r: r.get("path", what) == what and r.get("method", self.command) == self.command
                            and r.get("about", "") in body.decode(errors="replace"))
        FOLDER.append("requests", {"what": what, "method": self.command, "fault": fault, "at": time.time(),
                                   "body": body.decode(errors="replace")})
        raw = FOLDER.raw(what)
        if raw is not None:
            self.wfile.write(raw)
            self.close_connection = True
        elif not self.do_fault(fault, rules, what):
            self.say(what, body, rules, fault)

    do_GET = do_PUT = do_POST = do_HEAD = serve

    def what(self):
        """Which of the agent's paths this is."""
        known = {f"/v4/{ID}": "container", f"/v4/{ID}/task": "task", f"/v3/{ID}": "v3-container", f"/v3/{ID}/task": "v3-task",
                 f"/v4/{ID}/stats": "stats", f"/v4/{ID}/task/stats": "stats", f"/v2/credentials/{CREDENTIALS}": "credentials",
                 f"/api/{ID}/task-protection/v1/state": "protection"}
        return known.get(self.path, "unknown")

    def say(self, what, body, rules, fault):
        changes = rules.get(what.removeprefix("v3-"), {})
        if what in ("container", "v3-container") and self.command == "GET":
            old = {"ContainerARN", "LogDriver", "LogOptions", "RestartCount"} if what == "v3-container" else set()
            said = {k: v for k, v in CONTAINER.items() if k not in old} | changes
        elif what in ("task", "v3-task") and self.command == "GET":
            old = {"LaunchType", "ServiceName", "ClockDrift", "EphemeralStorageMetrics"} if what == "v3-task" else set()
            said = {k: v for k, v in TASK_ANSWER.items() if k not in old} | changes
        elif what == "stats" and self.command == "GET":
            said = {CONTAINER["DockerId"]: None, "pause": None}
        elif what == "credentials" and self.command == "GET":
            said = credentials() | changes
        elif what == "protection" and self.command in ("GET", "PUT"):
            self.protect(body)
            return
        else:
            FOLDER.violation(f"{self.command} of what there is not\n".encode())
            self.answer(404, b"V4 metadata: no container")
            return
        self.answer(200, self.changed(said, fault), cut=fault == "truncated")

    @staticmethod
    def changed(said, fault):
        """Bytes of an answer, or what somebody makes of it."""
        text = json.dumps(said).encode()
        return {"2mb": text[:-1] + b', "More": "' + b"m" * (2 << 20) + b'"}', "list": b"[" + text + b"]", "empty": b"",
                "not-json": text[:-1], "twice": text[:-1] + b', "TaskARN": "CANARYa", "TaskARN": "CANARYb"}',
                "deep": text[:-1] + b', "More": ' + b"[" * 200 + b"]" * 200 + b"}"}.get(fault, text)

    def protect(self, body):
        if self.command == "GET":
            self.answer(200, PROTECTION.get())
            return
        try:
            done = PROTECTION.put(json.loads(body))
        except (ValueError, AttributeError):
            done = None
        if done is None:
            FOLDER.violation(b"a body that the agent does not know: " + body[:200] + b"\n")
            self.refuse(400, "InvalidParameterException", "cannot unmarshal CANARYbody")
        else:
            self.answer(200, done)

    def refuse(self, status, code, message):
        self.answer(status, {"requestID": str(uuid.uuid4()), "error": {"Arn": TASK, "Code": code, "Message": message}})

    def do_fault(self, fault, rules, what):
        """False: what comes is an answer to the request."""
        codes = {"denied": (400, "AccessDeniedException", "not authorized to perform: ecs:UpdateTaskProtection CANARY"),
                 "no-role": (403, "AccessDeniedException", "Failed to get task role credentials CANARY"),
                 "gone": (404, "ResourceNotFoundException", "Failed to find a task for the request CANARY"),
                 "throttle": (400, "ThrottlingException", "Rate exceeded CANARY"),
                 "server": (500, "ServerException", "CANARY"), "canceled": (504, "RequestCanceled", "Timed out CANARY")}
        if fault in ("400", "404", "429", "500", "503") and what != "protection":
            more = [("Retry-After", str(rules["retry_after"]))] if "retry_after" in rules else []
            self.answer(int(fault), b"CANARYanswer", *more)
        elif fault in codes:
            self.refuse(*codes[fault])
        elif fault == "failure":
            self.answer(200, {"failure": {"Arn": TASK, "Detail": None, "Reason": "TASK_NOT_VALID"}})
        else:
            return standin.break_off(self, fault, rules)
        return True


if __name__ == "__main__":
    standin.serve([standin.Server(("127.0.0.1", int(sys.argv[2])), Agent)])
