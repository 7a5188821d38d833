# SPDX-License-Identifier: Apache-2.0
"""A stand-in for CloudWatch Logs and for those who give credentials: written from AWS's documentation, not CloudWatch.

cloudwatch_standin.py FOLDER LOGS CREDENTIALS IMDS: three ports of 127.0.0.1, 0 for any. It needs botocore, whose signer judges
every request. Logs is TLS where FOLDER has server.pem and server.key. What it stores it appends to FOLDER/events
before it answers; each request to FOLDER/requests; what breaks a documented rule to FOLDER/violations. FOLDER/control
(JSON) says what goes wrong; it is read for each request, so that a case changes it while all run. Credentials are made
of their own expiry, so that one that was killed and started again knows them.
"""
import datetime
import hashlib
import json
import random
import socket
import struct
import sys
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler

import standin
from standin import secret_of, token_of

FOLDER = standin.Folder(sys.argv[1])
append, violation = FOLDER.append, FOLDER.violation
LOGS, CREDENTIALS, IMDS = map(int, sys.argv[2:5])
REGION = "eu-central-1"
LOCK = threading.Lock()
RNG = random.Random(7)
BATCH_BYTES, BATCH_EVENTS, EVENT_BYTES = 1048576, 10000, 1048576
HOURS = 3600 * 1000
SAID = {}  # how often a fault was done
MADE = []  # credentials


def control():
    """What goes wrong. With another `epoch` all is counted from the beginning."""
    try:
        rules = json.loads((FOLDER / "control").read_text())
    except (OSError, ValueError):
        return {}
    with LOCK:
        if SAID.get("epoch") != rules.get("epoch"):
            SAID.clear()
            SAID["epoch"] = rules.get("epoch")
    return rules


def make_credentials():
    seconds = control().get("lifetime", 3600)
    with LOCK:
        MADE.append(seconds)
        access_key = f"ASIA{int(time.time() + seconds):010d}{len(MADE):06d}"
    expires = datetime.datetime.fromtimestamp(int(access_key[4:14]), datetime.timezone.utc)
    return {"AccessKeyId": access_key, "SecretAccessKey": secret_of(access_key), "Token": token_of(access_key),
            "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}


# ---- Logs ----


def broken_rule(events):
    """Which documented rule of PutLogEvents the events break."""
    sizes = [len(e["message"].encode()) + 26 for e in events]
    times = [e["timestamp"] for e in events]
    if not 1 <= len(events) <= BATCH_EVENTS:
        return f"{len(events)} events"
    if sum(sizes) > BATCH_BYTES:
        return f"{sum(sizes)} bytes in a batch"
    if min(sizes) <= 26 or max(sizes) > EVENT_BYTES:
        return "the size of an event"
    if times != sorted(times):
        return "not in chronological order"
    if times[-1] - times[0] > 24 * HOURS:
        return "a span of more than 24 hours"
    if any(set(e) != {"timestamp", "message"} or not isinstance(e["timestamp"], int) for e in events):
        return "members of an event"
    return None


def store(request, rules):
    """(answer, what was stored) of events that break no rule."""
    events, now = request["logEvents"], (time.time() + rules.get("clock", 0)) * 1000
    first = sum(e["timestamp"] < now - 14 * 24 * HOURS for e in events)
    last = len(events) - sum(e["timestamp"] > now + 2 * HOURS for e in events)
    info, expired = {}, min(rules.get("expired", 0), last)
    old, new = max(first, rules.get("too-old", 0)), last - rules.get("too-new", 0)
    if old:
        info["tooOldLogEventEndIndex"] = min(old, len(events))
    if expired:
        info["expiredLogEventEndIndex"] = expired
    if new < len(events):
        info["tooNewLogEventStartIndex"] = max(new, 0)
    kept = events[max(old, expired):max(new, 0)]
    stored = b"".join(json.dumps({"group": request["logGroupName"], "stream": request["logStreamName"], **e}).encode() +
                      b"\n" for e in kept)
    append("events", stored)
    return {"nextSequenceToken": "x", **({"rejectedLogEventsInfo": info} if info else {})}


class Logs(BaseHTTPRequestHandler):
    """CloudWatch Logs, as far as a writer sees it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, value, cut=False, pause=0.0, more=()):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        head = [f"HTTP/1.1 {status} x", "Content-Type: application/x-amz-json-1.1", f"Content-Length: {len(body)}",
                f"Date: {formatdate(time.time() + control().get('clock', 0), usegmt=True)}", *more, "", ""]
        text = "\r\n".join(head).encode() + body
        text = text[:len(text) // 2] if cut else text
        for i in range(0, len(text), 16 if pause else len(text)):
            self.wfile.write(text[i:i + 16] if pause else text)
            time.sleep(pause)
        if cut:
            self.close_connection = True

    def refuse(self, status, code):
        asked = control().get("retry_after")
        more = [] if asked is None else [f"x-amz-retry-after: {asked}"]
        self.answer(status, {"__type": f"com.amazonaws.logs#{code}", "message": "no"}, more=more)

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        call = self.headers.get("X-Amz-Target", "").removeprefix("Logs_20140328.")
        rules = control()
        fault = self.fault(rules) if call == "PutLogEvents" else None
        problem = standin.judge(FOLDER, self, body, REGION, "logs", rules.get("clock", 0))
        entry = {"call": call, "fault": fault, "bytes": len(body), "problem": problem, "port": self.client_address[1], "at": time.monotonic(),
                 "format": self.headers.get("x-amzn-logs-format")}
        append("requests", entry)
        if problem:
            self.refuse(*problem)
        elif self.path != "/" or self.headers.get("Content-Type") != "application/x-amz-json-1.1":
            self.refuse(400, violation("no such service"))
        else:
            getattr(self, call, self.unknown)(json.loads(body), fault, rules)

    do_GET = do_PUT = do_HEAD = lambda self: self.refuse(400, violation("a method that is not asked for"))

    def unknown(self, *_):
        self.refuse(400, violation("UnknownOperationException"))

    def fault(self, rules):
        """The fault of this request, by chance or by number."""
        with LOCK:
            SAID["puts"] = SAID.get("puts", 0) + 1
            is_due = RNG.random() < rules.get("rate", 1) and SAID.get("faults", 0) < rules.get("count", 1 << 30)
            if not rules.get("fault") or not is_due:
                return None
            SAID["faults"] = SAID.get("faults", 0) + 1
            return RNG.choice(rules["fault"]) if isinstance(rules["fault"], list) else rules["fault"]

    def CreateLogGroup(self, request, *_):
        self.create(FOLDER / f"made-{hashlib.sha256(request['logGroupName'].encode()).hexdigest()}")

    def CreateLogStream(self, request, *_):
        name = request["logGroupName"] + ":" + request["logStreamName"]
        self.create(FOLDER / f"made-{hashlib.sha256(name.encode()).hexdigest()}")

    def create(self, path):
        if path.exists():
            self.refuse(400, "ResourceAlreadyExistsException")
        else:
            path.touch()
            self.answer(200, b"")

    def PutLogEvents(self, request, fault, rules):
        name = request["logGroupName"] + ":" + request["logStreamName"]
        before = {"throttle": (400, "ThrottlingException"), "unavailable": (503, "ServiceUnavailableException"),
                  "500": (500, "InternalFailure"), "denied": (400, "AccessDeniedException"),
                  "invalid": (400, "InvalidParameterException"), "expired": (400, "ExpiredTokenException")}
        if fault in before:
            self.refuse(*before[fault])
        elif fault == "html":
            self.answer(502, b"<html>bad gateway</html>")
        elif fault == "redirect":
            self.answer(302, b"", more=[f"Location: http://127.0.0.1:{CREDENTIALS}/stolen"])
        elif fault == "garbage":
            self.wfile.write(b"SSH-2.0-nothing\r\n\r\n")
            self.close_connection = True
        elif fault == "hang":
            time.sleep(rules.get("hang", 5))
            self.close_connection = True
        elif fault == "reset":
            self.reset()
        elif rules.get("create") and not (FOLDER / f"made-{hashlib.sha256(name.encode()).hexdigest()}").exists():
            self.refuse(400, "ResourceNotFoundException")
        elif broken_rule(request["logEvents"]):
            self.refuse(400, violation(broken_rule(request["logEvents"])))
        elif any("POISON" in e["message"] for e in request["logEvents"]):
            self.refuse(400, "InvalidParameterException")
        else:
            self.take(store(request, rules), fault)

    def take(self, answer, fault):
        """It is stored; what is heard of that is another matter."""
        if fault == "500-after":
            self.refuse(500, "InternalFailure")
        elif fault == "reset-after":
            self.reset()
        elif fault == "hang-after":
            time.sleep(control().get("hang", 5))
            self.close_connection = True
        elif fault == "nonsense-after":
            self.answer(200, {"rejectedLogEventsInfo": {"tooOldLogEventEndIndex": 1 << 40}})
        elif fault == "not-json-after":
            self.answer(200, b"{")
        elif fault == "close-after":
            self.answer(200, answer, more=["Connection: close"])
            self.close_connection = True
        else:
            self.answer(200, answer, cut=fault == "truncate-after", pause=0.01 if fault == "slow" else 0)


# ---- Credentials ----


class Agent(BaseHTTPRequestHandler):
    """The container agent's endpoint (ECS, EKS)."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, text, more=()):
        self.send_response(status)
        for name, value in more:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        rules = control()
        append("requests", {"call": "credentials", "path": self.path, "host": self.headers.get("Host"),
                            "authorization": self.headers.get("Authorization"), "accept": self.headers.get("Accept")})
        fault = rules.get("agent")
        if self.path != "/v2/credentials/CANARYpath":
            self.say(400, violation("the path of credentials").encode())
        elif rules.get("token") and self.headers.get("Authorization") != rules["token"]:
            self.say(401, b'{"code":"Unauthorized"}')
        elif fault == "hang":
            time.sleep(rules.get("hang", 5))
            self.close_connection = True
        elif fault == "unready":
            self.say(503, b'{"code":"CredentialsUninitialized","message":"CANARYmessage","HTTPErrorCode":503}')
        elif fault == "garbage":
            self.say(200, b"CANARYgarbage")
        elif fault == "redirect":
            self.say(302, b"", [("Location", "http://127.0.0.1:1/CANARY")])
        elif fault == "large":
            self.say(200, b'{"Token":"' + b"C" * 40000 + b'"}')
        elif fault == "twice":
            self.say(200, b'{"Token":"CANARYa","Token":"CANARYb"}')
        elif fault == "lacking":
            made = make_credentials()
            made.pop(rules.get("lacks", "Token"))
            self.say(200, json.dumps(made).encode())
        elif fault == "injecting":
            self.say(200, json.dumps({**make_credentials(), "Token": "CANARY\r\nx-evil: 1"}).encode())
        elif fault == "past":
            self.say(200, json.dumps({**make_credentials(), "Expiration": "2020-01-01T00:00:00Z"}).encode())
        else:
            self.say(200, json.dumps({"RoleArn": "arn:aws:iam::1:role/x", **make_credentials()}).encode())


def main():
    credentials, imds = (sys.argv[5:7] + ["127.0.0.1"] * 2)[:2]
    standin.serve([standin.Server(("127.0.0.1", LOGS), Logs, standin.tls_of(FOLDER)),
                   standin.Server((credentials, CREDENTIALS), Agent), standin.Server((imds, IMDS), standin.instance(FOLDER, make_credentials))])


main()
