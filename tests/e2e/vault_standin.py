# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Vault: KV version 2, PKI and the login by AWS; written from Vault's documentation, not Vault.

vault_standin.py FOLDER PORT: TLS at a port of 127.0.0.1, 0 for any. It needs botocore, whose signer judges the request of
STS that a login holds. FOLDER/data (JSON) has what it holds, FOLDER/control (JSON) what goes wrong, FOLDER/raw (JSON) whole
answers in base64 for requests with a word in them; all are read for each request. Each request is appended to FOLDER/requests, what breaks a documented rule to FOLDER/violations.
"""
import base64
import hmac
import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import issuing
import standin

FOLDER = standin.Folder(sys.argv[1])
load, append, violation = FOLDER.load, FOLDER.append, FOLDER.violation
LOCK = threading.Lock()
FAULTS = standin.Faults()
SAID = {"logins": 0}  # how many tokens were given
BODY = "Action=GetCallerIdentity&Version=2011-06-15"


def identity_problem(request, data):
    """Why STS, or Vault before it, would not take a login's signed request; None: it would."""
    try:
        url, body = (base64.b64decode(request[k], validate=True).decode() for k in ("iam_request_url", "iam_request_body"))
        headers = json.loads(base64.b64decode(request["iam_request_headers"], validate=True))
    except (KeyError, ValueError) as error:
        return f"a login without its parts: {error}"
    region = data.get("region", "")
    host = f"sts.{region}.amazonaws.com" if region else "sts.amazonaws.com"
    if (request.get("iam_http_request_method"), url, body) != ("POST", f"https://{host}/", BODY):
        return f"another request: {url} {body}"
    headers = {name.lower(): value for name, value in headers.items()}
    found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/(\d{8})/([a-z0-9-]+)/sts/aws4_request, "
                         r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})", headers.get("authorization", ""))
    if not found or headers.get("host") != host:
        return "no signature of STS"
    access_key, day, scope, names, seen = found.groups()
    names = names.split(";")
    wanted = {"host", "x-amz-date", "x-amz-security-token"} | ({"x-vault-aws-iam-server-id"} if "server_id" in data else set())
    if not wanted <= set(names) or headers.get("x-vault-aws-iam-server-id") != data.get("server_id"):
        return "a header that is not signed, or another server id"
    if (day, scope) != (headers["x-amz-date"][:8], region or "us-east-1"):
        return "a scope of something else"
    made = standin.signature(headers, names, body.encode(), (day, scope, "sts"), access_key)
    if headers["x-amz-security-token"] != standin.token_of(access_key) or not hmac.compare_digest(made, seen):
        return "InvalidSignatureException"
    return None


class Vault(BaseHTTPRequestHandler):
    """The part of the API that reads secrets."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, *more, cut=False, content="application/json"):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (("Content-Type", content), ("Content-Length", str(len(text))), ("Cache-Control", "no-store"),
                            *more):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text[:len(text) // 2] if cut else text)
        self.close_connection = self.close_connection or cut

    def refuse(self, status, *errors):
        self.answer(status, {"errors": list(errors)})

    def serve(self):
        data, rules = load("data"), load("control")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        call = "login" if url.path.startswith("/v1/auth/") else "sign" if "/sign/" in url.path else "read"
        fault = self.fault(rules, call, url.path)
        append("requests", {"call": call, "path": self.path, "method": self.command, "fault": fault, "at": time.time(),
                            "id": self.headers.get("X-Correlation-Id"), "namespace": self.headers.get("X-Vault-Namespace"),
                            "token": self.headers.get("X-Vault-Token"), "port": self.client_address[1]})
        if len(self.headers) != len({n.lower() for n in self.headers}):
            violation("a header twice")
        if self.headers.get("X-Vault-Request") != "true":
            self.refuse(412, violation("no X-Vault-Request"))
        elif self.headers.get("X-Vault-Namespace") != data.get("namespace"):
            self.refuse(404, violation("another namespace"))
        elif (raw := FOLDER.raw(self.path)) is not None:
            self.wfile.write(raw)
            self.close_connection = True
        elif not self.do_fault(fault, rules):
            getattr(self, call)(data, url, body, fault)

    do_GET = do_POST = do_PUT = do_HEAD = serve

    def fault(self, rules, call, path):
        """The fault of this request: of reading, unless another call is named."""
        return FAULTS.find(rules, lambda rule: rule.get("call", "read") == call and rule.get("about", "") in path)

    def do_fault(self, fault, rules):
        """False: what comes is an answer to the request."""
        html = b"<html><body>CANARYhtml</body></html>"
        plain = {"html": (200, html), "html-403": (403, html), "html-404": (404, html), "html-503": (503, html),
                 "redirect": (307, b""), "no-body": (404, b"")}
        words = {"403": (403, "1 error occurred:\n\t* permission denied\n\n"), "400": (400, "missing client token"),
                 "404": (404,), "no-mount": (404, 'no handler for route "kv/data/prod/db". route entry not found.'),
                 "405": (405, "unsupported operation"), "429": (429, "request path rate limit quota exceeded"),
                 "472": (472, "standby"), "473": (473, "performance standby"), "500": (500, "internal error"),
                 "503": (503, "Vault is sealed"), "412": (412, "required index state not present"),
                 "echo": (403, f"bad token {self.headers.get('X-Vault-Token')}"),
                 "terminal": (400, "\x1b[2J\u202eCANARY" + "w" * 2000)}
        if fault in plain:
            more = [("Location", "https://127.0.0.1:1/CANARYstolen")] if fault == "redirect" else []
            self.answer(*plain[fault], *more, content="text/html")
        elif fault in words:
            status, *errors = words[fault]
            more = [("Retry-After", str(rules["retry_after"]))] if "retry_after" in rules else []
            self.answer(status, {"errors": errors}, *more)
        elif fault == "deleted":
            metadata = {"version": 2, "created_time": "2026-01-01T00:00:00Z", "deletion_time": "2026-02-01T00:00:00Z",
                        "destroyed": False}
            self.answer(404, {"data": {"data": None, "metadata": metadata}, "request_id": "x"})
        else:
            return standin.break_off(self, fault, rules)
        return True

    def login(self, data, url, body, fault):
        request = json.loads(body)
        problem = identity_problem(request, data)
        if self.command != "POST" or url.path != f"/v1/auth/{data.get('mount', 'aws')}/login":
            self.refuse(404, violation("another method of login"))
        elif "X-Vault-Token" in self.headers:
            self.refuse(400, violation("a login with a token"))
        elif problem:
            self.refuse(400, "failed to verify IAM identity: " + violation(problem))
        elif request.get("role") != data.get("role"):
            self.refuse(400, "entry for role %s not found" % request.get("role"))
        else:
            with LOCK:
                SAID["logins"] += 1
                token = f"hvs.CANARYlogin{SAID['logins']:06d}"
            auth = {"client_token": token, "accessor": "x", "policies": ["default"], "lease_duration": 3600, "renewable": True}
            text = json.dumps({"request_id": "x", "lease_id": "", "data": None, "auth": auth}).encode()
            changes = {"tokenless": b'{"auth":{}}', "injecting": b'{"auth":{"client_token":"CANARY\\r\\nX-Evil: 1"}}',
                       "no-auth": b'{"auth":null}', "not-json": b'{"auth":'}
            self.answer(200, changes.get(fault, text), cut=fault == "truncated")

    def may_read(self, data):
        token = self.headers.get("X-Vault-Token", "")
        given = re.fullmatch(r"hvs\.CANARYlogin(\d{6})", token)
        return token in data.get("tokens", []) or (given and int(given[1]) > load("control").get("expired", 0))

    def sign(self, data, url, body, _):
        role = data.get("roles", {}).get(url.path.removeprefix("/v1/"))
        if self.command != "POST" or not self.may_read(data):
            self.refuse(403, "permission denied")
        elif role is None:
            self.refuse(400, "unknown role: " + url.path.rpartition("/")[2])
        else:
            status, answer = issuing.vault_sign(FOLDER, json.loads(body), role)
            if status == 200:
                self.answer(200, {"request_id": "x", "lease_id": "", "renewable": False, "lease_duration": 0, "data": answer,
                                  "wrap_info": None, "warnings": None, "auth": None})
            else:
                self.refuse(status, answer)

    def read(self, data, url, body, fault):
        held = data.get("secrets", {}).get(url.path.removeprefix("/v1/"))
        if self.command != "GET" or body:
            self.refuse(405, violation("a read that is no GET"))
            return
        if not self.may_read(data):
            self.refuse(403, "permission denied")
            return
        if held is None:
            self.refuse(404)
            return
        number = parse_qs(url.query).get("version", [max(held, key=int)])[0]
        if number not in held:
            self.refuse(404)
            return
        metadata = {"version": int(number), "created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": False,
                    "custom_metadata": None}
        inner = {"data": held[number], "metadata": metadata}
        whole = {"request_id": "x", "lease_id": "", "renewable": False, "lease_duration": 0, "data": inner, "wrap_info": None,
                 "warnings": None, "auth": None}
        self.give(whole, inner, metadata, fault)

    def give(self, whole, inner, metadata, fault):
        """An answer, or what somebody makes of it."""
        if fault == "null":
            inner["data"] = None
        elif fault == "list":
            inner["data"] = [{"password": "CANARYlist"}]
        elif fault == "kv1":
            whole["data"] = inner["data"]
        elif fault == "no-version":
            del metadata["version"]
        elif fault == "other-version":
            metadata["version"] += 1
        elif fault == "destroyed":
            metadata["destroyed"] = True
        elif fault == "wrong-type":
            inner["data"]["password"] = {"CANARY": ["object"]}
        elif fault == "empty":
            inner["data"]["password"] = ""
        elif fault == "nul":
            inner["data"]["password"] = "CANARY\0value"
        text = json.dumps(whole).encode()
        changes = {"twice": text[:-1] + b', "data": {"data": {"password": "CANARYother"}}}',
                   "not-json": b'{"data": {"data": {"password": "CANARYhalf', "tail": text + b"{}", "huge": b'{"a": "' + b"h" * 600000 + b'"}',
                   "twice-inside": text.replace(b'"password":', b'"password": "CANARYother", "password":')}
        self.answer(200, changes.get(fault, text), cut=fault == "truncated")


def main():
    standin.serve([standin.Server(("127.0.0.1", int(sys.argv[2])), Vault, standin.tls_of(FOLDER))])


main()
