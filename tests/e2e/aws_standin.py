# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Secrets Manager, Parameter Store, KMS, Private CA and the container agent: written from AWS's documentation, not AWS.

aws_standin.py FOLDER SERVICES AGENT [ECS INSTANCE]: two ports of 127.0.0.1, 0 for any; and port 80 of two addresses. It needs botocore, whose signer judges every
request. SERVICES is TLS, with server.pem and server.key of FOLDER. FOLDER/data (JSON) has what the services hold,
FOLDER/control (JSON) what goes wrong; both are read for each request, so that a case changes them while all run. FOLDER/raw
(JSON) has whole answers in base64, byte for byte, for requests with a word in them. Each request is appended to FOLDER/requests, what breaks a documented rule to FOLDER/violations.
"""
import base64
import datetime
import json
import sys
import threading
import time
import uuid
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler

import issuing
import standin
from standin import secret_of, token_of

FOLDER = standin.Folder(sys.argv[1])
load, append, violation = FOLDER.load, FOLDER.append, FOLDER.violation
PCA = issuing.Pca(FOLDER)
LOCK = threading.Lock()
FAULTS = standin.Faults()
SAID = {}  # how many keys were made, and how often the agent was asked
TARGETS = {"secretsmanager.GetSecretValue": "secretsmanager", "AmazonSSM.GetParameter": "ssm", "AmazonSSM.GetParametersByPath": "ssm",
           "TrentService.Decrypt": "kms", "ACMPrivateCA.IssueCertificate": "acm-pca",
           "ACMPrivateCA.GetCertificate": "acm-pca"}
TYPE = "application/x-amz-json-1.1"


def make_credentials():
    seconds = load("control").get("lifetime", 3600)
    with LOCK:
        SAID["keys"] = SAID.get("keys", 0) + 1
        access_key = f"ASIA{int(time.time() + seconds):010d}{SAID['keys']:06d}"
    expires = datetime.datetime.fromtimestamp(int(access_key[4:14]), datetime.timezone.utc)
    return {"AccessKeyId": access_key, "SecretAccessKey": secret_of(access_key), "Token": token_of(access_key),
            "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"), "RoleArn": "arn:aws:iam::1:role/x"}


# ---- Services ----


class Services(BaseHTTPRequestHandler):
    """All three at one port; the target says which is meant."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return formatdate(time.time() + load("control").get("clock", 0), usegmt=True)

    def answer(self, status, body, *more, cut=False, content=TYPE):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (("Content-Type", content), ("Content-Length", str(len(text))),
                            ("x-amzn-RequestId", self.request_id), *more):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text[:len(text) // 2] if cut else text)
        self.close_connection = self.close_connection or cut

    def refuse(self, status, code, *more):
        self.answer(status, {"__type": f"com.amazonaws#{code}", "message": "CANARYmessage"}, *more)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.headers.get("X-Amz-Target", "")
        call = target.rpartition(".")[2]
        rules = load("control")
        self.request_id = str(uuid.uuid4())
        service = TARGETS.get(target)
        region = load("data").get("regions", {}).get(service, "eu-west-1")
        problem = standin.judge(FOLDER, self, body, region, service, rules.get("clock", 0))
        request = json.loads(body)
        fault = None if problem else self.fault(rules, call, request)
        append("requests", {"call": call, "fault": fault, "problem": problem, "at": time.time(), "id": self.request_id,
                            "what": request.get("SecretId") or request.get("Name") or request.get("KeyId"),
                            "request": request, "port": self.client_address[1]})
        if rules.get("slow", "") in json.dumps(request):
            time.sleep(rules.get("delay", 0))
        raw = None if problem else FOLDER.raw(body.decode())
        if raw is not None:
            self.wfile.write(raw)
            self.close_connection = True
        elif problem:
            self.refuse(*problem)
        elif self.path != "/" or self.headers.get("Content-Type") != TYPE or target not in TARGETS:
            self.refuse(400, violation("no such service"))
        elif not self.do_fault(fault, rules):
            self.finish_answer(*getattr(self, call)(request), fault, rules)

    do_GET = do_PUT = do_HEAD = lambda self: self.refuse(400, violation("a method that is not asked for"))

    def fault(self, rules, call, request):
        """The fault of this request: of this call or any."""
        about = request.get("SecretId") or request.get("Name") or request.get("Path") or ""
        about += " " + request.get("VersionStage", "")
        return FAULTS.find(rules, lambda rule: rule.get("call", call) == call and rule.get("about", "") in about)

    def do_fault(self, fault, rules):
        """False: what comes is an answer to the request."""
        html = b"<html><body>CANARYhtml</body></html>"
        plain = {"403": (403, b"CANARYnothing"), "404": (404, b"{}"), "500": (500, b""), "503": (503, html),
                 "html": (200, html), "html-403": (403, html), "redirect": (302, b"")}
        codes = {"denied": (400, "AccessDeniedException"), "gone": (400, "ResourceNotFoundException"),
                 "no-parameter": (400, "ParameterNotFound"), "429": (429, "TooManyRequestsException"),
                 "throttle": (400, "ThrottlingException"), "expired": (400, "ExpiredTokenException"),
                 "invalid": (400, "InvalidCiphertextException"), "deleted": (400, "InvalidRequestException"),
                 "signature": (403, "InvalidSignatureException"), "disabled": (400, "DisabledException")}
        if fault in plain:
            more = [("Location", "https://127.0.0.1:1/CANARYstolen")] if fault == "redirect" else []
            self.answer(*plain[fault], *more, content="text/html")
        elif fault in codes:
            more = [("x-amz-retry-after", str(rules["retry_after"]))] if "retry_after" in rules else []
            self.refuse(*codes[fault], *more)
        elif fault == "header-code":
            self.answer(400, b"", ("x-amzn-ErrorType", "AccessDeniedException:http://internal/"))
        else:
            return standin.break_off(self, fault, rules)
        return True

    def finish_answer(self, status, body, fault, rules):
        """An answer, or what somebody makes of it."""
        if status != 200:
            self.refuse(status, body)
            return
        text = json.dumps(body).encode()
        if "Parameters" in body:
            self.give_page(body, fault)
            return
        holder = body.get("Parameter", body)
        names = ("SecretString", "SecretBinary", "Value", "Plaintext", "CertificateArn", "Certificate")
        name = next(n for n in names if n in holder)
        changes = {"empty": "", "wrong-type": 7, "null": None, "nul": "CANARY\0value", "object": {"a": "b"},
                   "long": "L" * 65537, "base64": "CANARY*"}
        if fault in changes:
            holder[name] = changes[fault]
            text = json.dumps(body).encode()
        elif fault == "twice":
            text = text[:-1] + b', "' + (name if holder is body else "Parameter").encode() + b'": "CANARYother"}'
        elif fault == "missing":
            del holder[name]
            text = json.dumps(body).encode()
        elif fault == "other":
            other = {"ARN": "arn:aws:secretsmanager:eu-west-1:1:secret:other-AAAAAA", "Name": "other",
                     "KeyId": "arn:aws:kms:eu-west-1:111122223333:key/other",
                     "CertificateArn": "arn:aws:acm-pca:eu-west-1:1:certificate-authority/other/certificate/1"}
            holder.update({k: v for k, v in other.items() if k in holder})
            text = json.dumps(body).encode()
        elif fault == "not-json":
            text = b'{"SecretString": "CANARYhalf'
        elif fault == "huge":
            text = b'{"a": "' + b"h" * 600000 + b'"}'
        elif fault == "list":
            text = b"[" + text + b"]"
        elif fault == "tail":
            text += b"{}"
        elif fault not in (None, "truncated"):
            violation(f"no such fault: {fault}")
        self.answer(200, text, cut=fault == "truncated")

    def give_page(self, body, fault):
        page = body["Parameters"]
        if page and fault in ("page-twice", "page-elsewhere", "page-value", "page-deep"):
            page.append({**page[0], **{"page-twice": {}, "page-elsewhere": {"Name": "/other/CANARY"}, "page-value": {"Value": None},
                                       "page-deep": {"Name": page[0]["Name"] + "/CANARY"}}[fault]})
        elif fault == "page-token":
            body["NextToken"] = ["CANARY"]
        elif fault == "page-none":
            del body["Parameters"]
        text = b"[" if fault == "not-json" else json.dumps(body).encode()
        self.answer(200, text, cut=fault == "truncated")

    def GetSecretValue(self, request):
        secrets = load("data").get("secrets", {})
        for name, secret in secrets.items():
            arn = secret["ARN"]
            if request["SecretId"] not in (name, arn, arn[:-7]):
                continue
            for version, held in secret["versions"].items():
                stage = request.get("VersionStage", None if "VersionId" in request else "AWSCURRENT")
                if request.get("VersionId", version) == version and stage in (None, *held["stages"]):
                    value = {k: held[k] for k in ("SecretString", "SecretBinary") if k in held}
                    return 200, {"ARN": arn, "CreatedDate": 1.5e9, "Name": name, "VersionId": version,
                                 "VersionStages": held["stages"], **value}
        return 400, "ResourceNotFoundException"

    def GetParameter(self, request):
        if request.get("WithDecryption") is not True:
            violation("a parameter without decryption")
        for name, held in load("data").get("parameters", {}).items():
            arn = held.get("ARN", f"arn:aws:ssm:eu-west-1:111122223333:parameter/{name.lstrip('/')}")
            if request["Name"] in (name, arn, f"{name}:{held['Version']}"):
                return 200, {"Parameter": {"ARN": arn, "DataType": "text", "LastModifiedDate": 1.5e9, "Name": name,
                                           "Type": "SecureString", "Value": held["Value"], "Version": held["Version"]}}
        return 400, "ParameterNotFound"

    def GetParametersByPath(self, request):
        """Pages of three; the first one is empty, and has a token all the same."""
        if request.get("WithDecryption") is not True or not 1 <= request.get("MaxResults", 10) <= 10:
            violation("how parameters are asked for")
        path, rules = request["Path"].rstrip("/") + "/", load("control")
        found = [(name, held) for name, held in load("data").get("parameters", {}).items()
                 if name.startswith(path) and (request.get("Recursive") or "/" not in name[len(path):])]
        at = int(request.get("NextToken", "token=-3\"\\").removeprefix("token=").removesuffix('"\\'))
        page = [{"ARN": "arn:x", "DataType": "text", "LastModifiedDate": 1.5e9, "Name": name, "Type": "SecureString",
                 "Value": held["Value"], "Version": held["Version"]} for name, held in (found[at:at + 3] if at >= 0 else [])]
        has_more = at + 3 < len(found) or rules.get("fault") == "endless"
        return 200, {"Parameters": page, **({"NextToken": f'token={max(at, -3) + 3}"\\'} if has_more else {})}

    def IssueCertificate(self, request):
        with LOCK:
            return PCA.issue(request, int(time.time()))

    def GetCertificate(self, request):
        with LOCK:
            return PCA.get(request)

    def Decrypt(self, request):
        blob = base64.b64decode(request["CiphertextBlob"], validate=True)
        for held in load("data").get("ciphertexts", []):
            if base64.b64decode(held["blob"]) != blob:
                continue
            if request.get("EncryptionContext", {}) != held.get("context", {}):
                return 400, "InvalidCiphertextException"
            if request.get("KeyId") != held["key"]:
                return 400, "IncorrectKeyException"
            return 200, {"EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "KeyId": held["key"], "Plaintext": held["plain"]}
        return 400, "InvalidCiphertextException"


# ---- Credentials ----


class Agent(BaseHTTPRequestHandler):
    """The container agent's endpoint."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        rules = load("control")
        append("requests", {"call": "credentials", "path": self.path, "at": time.time(),
                            "authorization": self.headers.get("Authorization")})
        raw = FOLDER.raw(self.path)
        if raw is not None:
            self.wfile.write(raw)
            self.close_connection = True
            return
        status, text = 200, json.dumps(make_credentials()).encode()
        with LOCK:
            SAID["agent"] = SAID.get("agent", 0) + 1
            is_due = SAID["agent"] <= rules.get("agent_count", 1 << 30)
        fault = rules.get("agent") if is_due else None
        if fault == "unready":
            status, text = 503, b'{"code":"CredentialsUninitialized","message":"CANARYmessage"}'
        elif fault == "garbage":
            text = b"CANARYgarbage"
        elif self.path != "/v2/credentials/CANARYpath":
            status, text = 400, violation("the path of credentials").encode()
        elif rules.get("token") and self.headers.get("Authorization") != rules["token"]:
            status, text = 401, b'{"code":"Unauthorized"}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def main():
    standin.serve([standin.Server(("127.0.0.1", int(sys.argv[2])), Services, standin.tls_of(FOLDER)),
                   standin.Server(("127.0.0.1", int(sys.argv[3])), Agent),
                   *(standin.Server((address, 80), handler) for address, handler in
                     zip(sys.argv[4:], (Agent, standin.instance(FOLDER, make_credentials))))])


main()
