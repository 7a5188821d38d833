# SPDX-License-Identifier: Apache-2.0
"""What the stand-ins for services share: a folder that says what they do and keeps what they saw, and AWS's credentials.

Credentials are made of their own expiry, so that a stand-in that was killed and started again knows them. Signatures are
what botocore's signer makes of the same request.
"""
import base64
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import re
import socket
import ssl
import struct
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


class Folder:
    """Files of JSON that a case writes (`load`), and those that a case reads (`append`, `violation`)."""

    def __init__(self, path):
        self.path, self.lock = pathlib.Path(path), threading.Lock()

    def __truediv__(self, name):
        return self.path / name

    def load(self, name):
        try:
            return json.loads((self.path / name).read_text())
        except (OSError, ValueError):
            return {}

    def raw(self, text):
        """What a case wants to be said, byte for byte and nothing else, to a request with one of its words; or None."""
        return next((base64.b64decode(said) for word, said in self.load("raw").items() if word in text), None)

    def append(self, name, value):
        """Bytes, or a value as a line of JSON."""
        text = value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"
        with self.lock, open(self.path / name, "ab") as file:
            file.write(text)

    def violation(self, text):
        self.append("violations", text)
        return text


def secret_of(access_key):
    return "CANARYsecret" + hashlib.sha256(access_key.encode()).hexdigest()[:28]


def token_of(access_key):
    return "CANARYtoken" + hashlib.sha256(b"token" + access_key.encode()).hexdigest() * 12


def signature(headers, names, body, scope, access_key):
    """What botocore makes of the same request, at the time that it names; scope is (day, region, service)."""
    _, region, service = scope
    signed = {name: headers[name] for name in names if name not in ("host",)}
    request = AWSRequest(method="POST", url=f"https://{headers['host']}/", headers=signed, data=body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(access_key, secret_of(access_key)), service, region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return signer.signature(text, request)


def judge(folder, handler, body, region, service, clock):
    """None, or (status, code) for a request that AWS would not take there, whose clock is that many seconds off."""
    headers = {name.lower(): value for name, value in handler.headers.items()}
    if len(headers) != len(handler.headers.items()):
        return 400, folder.violation("a header twice")
    found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/(\d{8})/([a-z0-9-]+)/([a-z-]+)/aws4_request, "
                         r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})", headers.get("authorization", ""))
    if not found or not re.fullmatch(r"\d{8}T\d{6}Z", headers.get("x-amz-date", "")):
        return 403, folder.violation("MissingAuthenticationTokenException")
    access_key, *scope, names, seen = found.groups()
    names = names.split(";")
    if not {"host", "x-amz-date", "x-amz-target", "content-type", "x-amz-security-token"} <= set(names):
        return 403, folder.violation("a header that is not signed")
    if scope != [headers["x-amz-date"][:8], region, service]:
        return 403, folder.violation(f"a scope of something else: {scope}")
    if headers["x-amz-security-token"] != token_of(access_key):
        return 403, folder.violation("UnrecognizedClientException")
    if not hmac.compare_digest(signature(headers, names, body, scope, access_key), seen):
        return 403, folder.violation("InvalidSignatureException")
    if int(access_key[4:14]) <= time.time():
        return 400, "ExpiredTokenException"
    then = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if abs(then.timestamp() - time.time() - clock) > 300:
        return 403, "InvalidSignatureException"
    return None


class Faults:
    """What goes wrong now, of the `faults` that a case has asked for, or of the one rule that it wrote: the first that is
    meant and due, `count` times or always. Another `epoch` begins to count anew."""

    def __init__(self):
        self.lock, self.epoch, self.said = threading.Lock(), None, {}

    def find(self, rules, is_meant):
        with self.lock:
            if self.epoch != rules.get("epoch"):
                self.epoch, self.said = rules.get("epoch"), {}
            for number, rule in enumerate(rules.get("faults", [rules])):
                if not rule.get("fault") or not is_meant(rule):
                    continue
                self.said[number] = self.said.get(number, 0) + 1
                if self.said[number] <= rule.get("count", 1 << 30):
                    return rule["fault"]
        return None


def break_off(handler, fault, rules):
    """Faults of a connection. False: it is none of them, and the request waits for its answer."""
    if fault == "reset":
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif fault == "hang":
        time.sleep(rules.get("hang", 30))
    elif fault == "garbage":
        handler.wfile.write(b"SSH-2.0-nothing\r\n\r\n")
    else:
        return False
    handler.close_connection = True
    return True


def instance(folder, make_credentials):
    """A handler: IMDSv2 of an EC2 instance; version 1 is off, as it should be."""

    class Instance(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        TOKEN = "CANARYimds=="

        def log_message(self, *_):
            pass

        def say(self, status, text):
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_PUT(self):
            folder.append("requests", {"call": "imds-token", "path": self.path})
            if self.path != "/latest/api/token" or not self.headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
                self.say(400, folder.violation("how a token is asked for").encode())
            elif self.headers.get("X-Forwarded-For"):
                self.say(403, folder.violation("through a proxy").encode())
            elif folder.load("control").get("imds") == "hop":
                time.sleep(5)  # the answer dies on its way
                self.close_connection = True
            else:
                self.say(200, self.TOKEN.encode())

        def do_GET(self):
            folder.append("requests", {"call": "imds", "path": self.path})
            base = "/latest/meta-data/iam/security-credentials/"
            if self.headers.get("X-aws-ec2-metadata-token") != self.TOKEN:
                self.say(401, folder.violation("IMDS without a token").encode())
            elif self.path == base:
                self.say(200, b"../CANARY" if folder.load("control").get("imds") == "role" else b"web-role")
            elif self.path == base + "web-role":
                self.say(200, json.dumps({"Code": "Success", "Type": "AWS-HMAC", **make_credentials()}).encode())
            else:
                self.say(404, folder.violation("what is asked of the instance").encode())

    return Instance


class Server(ThreadingHTTPServer):
    """Quiet about connections that break."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address, handler, context=None):
        self.context = context
        super().__init__(address, handler)

    def finish_request(self, request, client_address):
        if self.context:  # here, so that a slow handshake holds nobody up
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def shutdown_request(self, request):
        request.close()

    def handle_error(self, *_):
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc()  # a defect of a stand-in


def tls_of(folder):
    """With server.pem and server.key; None where there are none."""
    if not (folder / "server.pem").exists():
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context


def serve(servers):
    """Until nobody holds our standard input any more."""
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("listens", *(server.server_address[1] for server in servers), flush=True)
    sys.stdin.read()
    os._exit(0)
