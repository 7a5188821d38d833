# SPDX-License-Identifier: Apache-2.0
"""Failures of fetching, hundreds of them, each made so that a careless message would repeat a value.

Made from the formats alone: every source, every kind of fault, and in each place of an answer a value that must not be said.
"""
import base64
import json
import secrets

from secret_world import KEY

CALLS = {"GetSecretValue": "secrets-manager", "GetParameter": "parameter", "Decrypt": "variable", "KV": "vault"}
TYPE = ("Content-Type", "application/x-amz-json-1.1")
UUID = "11111111-2222-3333-4444-555555555555"


class Case:
    """One item, what is answered to whoever asks for it, and what must not be said of it."""

    def __init__(self, number, title, item, canary, **more):
        self.word, self.title, self.canary = f"drive{number}x", title, canary
        self.item = {"name": "it", **item}
        self.raw, self.inherited, self.environment = more.get("raw"), more.get("inherited", {}), more.get("environment", {})
        self.text = more.get("text")  # of a file


def answer(body=b"", status="200 OK", headers=(), length=None):
    lines = [f"HTTP/1.1 {status}".encode(), *(b"%s: %s" % (as_bytes(n), as_bytes(v)) for n, v in (TYPE, *headers))]
    if length != 0:
        lines.append(b"Content-Length: %d" % (len(body) if length is None else length))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def value(kind):
    """A value of the kind that is looked for: one that could be a name of something, and one that has to be escaped."""
    random = secrets.token_hex(12)
    return f"CANARY{random}" if kind == "word" else f'CANARY/{random}+="\\{random[:5]}'


def said(call, word, plain, **changes):
    """The answer that would be right, with this value; what is None is left out."""
    if call == "GetSecretValue":
        parts = {"ARN": f"arn:aws:secretsmanager:eu-west-1:1:secret:{word}-AbCdEf", "Name": word, "VersionId": UUID,
                 "VersionStages": ["AWSCURRENT"], "SecretString": plain}
    elif call == "GetParameter":
        parts = {"ARN": f"arn:aws:ssm:eu-west-1:1:parameter/{word}", "Name": word, "Type": "SecureString", "Value": plain, "Version": 3}
    elif call == "KV":
        parts = {"data": {"a": plain}, "metadata": {"version": 1, "created_time": "2026-01-01T00:00:00Z", "deletion_time": "",
                                                    "destroyed": False}}
    else:
        parts = {"KeyId": KEY, "Plaintext": base64.b64encode(as_bytes(plain)).decode(), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    held = {name: changes.get(name, part) for name, part in {**parts, **changes}.items() if changes.get(name, part) is not None}
    if call == "KV":
        return {"request_id": UUID, "lease_id": "", "data": held, "warnings": None, "auth": None}
    return {"Parameter": held} if call == "GetParameter" else held


def name_of_value(call):
    return {"GetSecretValue": "SecretString", "GetParameter": "Value", "Decrypt": "Plaintext", "KV": "data"}[call]


def refusals(v):
    """A service that says the value where it says what is wrong."""
    def coded(**body):
        return answer(json.dumps(body).encode(), "400 Bad Request", [("x-amzn-RequestId", UUID)])

    html = f"<html><body>{v}</body></html>".encode()
    denied = b'{"__type":"AccessDeniedException"}'
    yield "its code", coded(__type=v)
    yield "its code, with a name space", coded(__type=f"com.amazonaws#{v}", message=v)
    yield "its code, in other members", coded(code=v, Code=v, message=v)
    yield "its code, and Exception", coded(__type=f"{v}Exception")
    yield "its name space", coded(__type=f"{v}#AccessDeniedException")
    yield "behind its code", coded(__type=f"AccessDeniedException:{v}")
    yield "its message", coded(__type="AccessDeniedException", message=v, Message=v, reason=[v, {v: v}])
    yield "KMS's own words", coded(__type="InvalidCiphertextException", message=f"cannot decrypt {v}")
    yield "a name in JSON", coded(**{v: "AccessDeniedException"})
    yield "a page", answer(html, "403 Forbidden")
    yield "plain text", answer(v.encode(), "400 Bad Request")
    yield "Vault's own words", answer(json.dumps({"errors": [f"permission denied: {v}", v], "warnings": [v]}).encode(), "403 Forbidden")
    yield "a version of Vault's that is deleted", answer(json.dumps({"data": {"data": None, "metadata": {"version": v, v: v}}}).encode(), "404")
    yield "a list of errors", answer(json.dumps({"errors": [v]}).encode(), "404 Not Found")
    yield "a redirect", answer(b"", "302 Found", [("Location", f"https://{v}@127.0.0.1:1/{v}?{v}")], None)
    yield "the id of the request", answer(denied, "400 Bad Request", [("x-amzn-RequestId", v)])
    yield "the id of the request, with hyphens", answer(denied, "400 Bad Request", [("x-amzn-RequestId", f"{v[:8]}-{v}")])
    yield "the header of the code", answer(b"", "400 Bad Request", [("x-amzn-ErrorType", v)])
    yield "behind the header's code", answer(b"", "400 Bad Request", [("x-amzn-ErrorType", f"AccessDenied:{v}")])
    yield "any header", answer(denied, "400 Bad Request", [("X-Thing", v), ("Date", v), ("Server", v), ("Retry-After", v)])
    yield "the type", answer(denied, "400 Bad Request", [("Content-Type", v)])
    yield "the reason", answer(denied, f"400 {v}")


def malformed(call, word, v):
    """An answer that would have the value, and is none."""
    name, quoted = name_of_value(call), json.dumps(v)
    good = json.dumps(said(call, word, v))
    for title, text in {
            "cut behind it": good[:good.index(json.dumps(said(call, word, v).get(name, v))) + 12] if call in ("GetSecretValue", "Decrypt") else good[:good.index(v[:6]) + 20],
            "it alone": v, "it alone, quoted": quoted, "a list": f"[{good}]", "it again behind": good + quoted,
            "a page": f"<p>{v}", "a byte-order mark": "\ufeff" + good, "deep": "[" * 60 + quoted + "]" * 60,
            "not quoted": f'{{"{name}": {v}}}', "quoted otherwise": f"{{'{name}': '{v}'}}", "no escape": f'{{"{name}": "\\q{v}"}}',
            "half a pair": f'{{"{name}": "\\ud800{v}"}}', "a control byte": f'{{"{name}": "{v[:9]}\x01{v[9:]}"}}',
            "a name twice": f"{{{quoted}: 1, {quoted}: 2}}", "a comment": good + f"//{v}", "a name without value": f"{{{quoted}}}"}.items():
        yield title, answer(text.encode())
    yield "no UTF-8", answer(b'{"%s": "\xff%s\xfe"}' % (name.encode(), v.encode()))
    if call == "KV":
        for title, changes in {"no member": {"data": {v: v}}, "null": {"data": {"a": None, "b": v}}, "metadata that is none": {"metadata": v},
                               "an object that is none": {"data": v}, "another version": {"metadata": {"version": v}},
                               "twice as long": {"data": {"a": v * 3000}}, "a NUL": {"data": {"a": f"{v}\0"}}}.items():
            yield title, answer(json.dumps(said(call, word, v, **changes)).encode())
        return
    about = "KeyId" if call == "Decrypt" else "Name"
    for title, changes in {"of no type": {name: None, "Other": v}, "an object": {name: {v: v}}, "a list in its place": {name: [v]},
                           "a number": {name: 7, "Other": v}, "about it": {about: v, "ARN": v}, "a NUL": {name: f"{v}\0"},
                           "twice as long": {name: v * 3000}}.items():
        yield title, answer(json.dumps(said(call, word, v, **changes)).encode())
    if call == "GetSecretValue":
        for title, changes in {"a version that is none": {"VersionId": 7, "Other": v}, "a long version": {"VersionId": v * 9},
                               "other stages": {"VersionStages": [v]}, "stages that are none": {"VersionStages": v},
                               "two values": {"SecretBinary": v}, "no binary": {"SecretString": None, "SecretBinary": v + "*"}}.items():
            yield title, answer(json.dumps(said(call, word, v, **changes)).encode())


def broken(v):
    """No HTTP, or a server that fails; all of it is tried again until there is no time left."""
    text = v.encode()
    yield "no HTTP", text + b"\r\n\r\n"
    yield "a version of HTTP", b"HTTP/" + text + b" 200 OK\r\n\r\n"
    yield "a header that is none", answer(headers=[(v + " ", v)])
    yield "a length", b"HTTP/1.1 200 OK\r\nContent-Length: " + text + b"\r\n\r\n"
    yield "a coding", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + text + b"\r\n\r\n"
    yield "the size of a chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + text + b"\r\n"
    yield "the end of a chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab" + text + b"\r\n"
    yield "an end too early", answer(text, length=len(text) + 50)
    yield "another protocol", b"HTTP/1.1 101 " + text + b"\r\nUpgrade: " + text + b"\r\n\r\n"
    yield "a long head", b"HTTP/1.1 200 OK\r\nX: " + text * 2000 + b"\r\n\r\n"
    yield "a server that fails", answer(json.dumps({"__type": v, "message": v}).encode(), "500 " + v, [("x-amzn-RequestId", v)])
    yield "a throttle", answer(json.dumps({"__type": "ThrottlingException", "message": v}).encode(), "400 " + v,
                               [("x-amz-retry-after", v)])


def unfit(v):
    """Keys of an item that do not fit what its source has: (title, keys, text of the source)."""
    yield "no base64", {"decode": "base64"}, v + "*"
    yield "no base64url", {"decode": "base64url"}, v + "*"
    yield "no hex", {"decode": "hex"}, v
    yield "no JSON", {"json-key": "a"}, v
    yield "another member", {"json-key": "a"}, json.dumps({v: v})
    yield "a member that is null", {"json-key": "a"}, json.dumps({"a": None, v: v})
    yield "a member twice", {"json-key": "a"}, f"{{{json.dumps(v)}: 1, {json.dumps(v)}: {json.dumps(v)}}}"
    yield "a member with a NUL", {"json-key": "a"}, json.dumps({"a": v + "\0"})
    yield "a member cut", {"json-key": "a"}, json.dumps({"a": v})[:-4]
    yield "a member that is no hex", {"json-key": "a", "decode": "hex"}, json.dumps({"a": v})
    yield "too short", {"min": 4000, "max": 5000}, v
    yield "too long", {"min": 1, "max": 8}, v


AGENT = {"a page": lambda v: answer(f"<p>{v}".encode()), "its code": lambda v: answer(json.dumps({"code": v, "message": v}).encode(), "400 " + v),
         "half": lambda v: answer(json.dumps({"AccessKeyId": v}).encode()),
         "a key that is none": lambda v: answer(json.dumps({"AccessKeyId": v + " x", "SecretAccessKey": v, "Token": v,
                                                            "Expiration": "2099-01-01T00:00:00Z"}).encode()),
         "a token with a line": lambda v: answer(json.dumps({"AccessKeyId": "ASIAX", "SecretAccessKey": v, "Token": v + "\r\nX: y",
                                                             "Expiration": "2099-01-01T00:00:00Z"}).encode()),
         "a time that is none": lambda v: answer(json.dumps({"AccessKeyId": "ASIAX", "SecretAccessKey": v, "Token": v,
                                                             "Expiration": v}).encode()),
         "a redirect": lambda v: answer(b"", "302 " + v, [("Location", f"http://{v}/")], None), "no HTTP": lambda v: v.encode()}


FAMILIES = {"refused": lambda call, word, v: refusals(v), "malformed": malformed, "broken": lambda call, word, v: broken(v)}


def item_of(call, word):
    if call == "Decrypt":
        return {"variable": "V", "key": KEY, "context": {"app": word}}, {"it": b"blob" * 9}
    if call == "KV":
        return {"vault": f"kv/data/{word}", "json-key": "a"}, {}
    return {CALLS[call]: word}, {}


def cases():
    """All of them."""
    made = []

    def add(title, make, canary):
        number = len(made)
        item, more = make(f"drive{number}x")
        made.append(Case(number, title, item, canary.encode(), **more))

    def from_service(call, find):
        def make(word):
            item, inherited = item_of(call, word)
            return item, {"raw": find(word), "inherited": inherited}
        return make

    for kind in ("word", "odd"):
        for call in CALLS:
            for family, find in FAMILIES.items():
                for title in [title for title, _ in find(call, "word", value(kind))]:
                    v = value(kind)
                    add(f"{call}, {kind}, {family}: {title}", from_service(call, lambda w, c=call, v=v, f=find, t=title: dict(f(c, w, v))[t]), v)
        for number in range(len(list(unfit("v")))):
            for source in ("GetSecretValue", "GetParameter", "file", "variable"):
                v = value(kind)
                title, keys, text = list(unfit(v))[number]
                add(f"{source}, {kind}, unfit: {title}", fit(source, keys, text), v)
        for title, make in AGENT.items():
            v = value(kind)
            add(f"agent, {kind}: {title}", agent(make, v), v)
    return made


def fit(source, keys, text):
    def make(word):
        if source in CALLS:
            return {CALLS[source]: word, **keys}, {"raw": answer(json.dumps(said(source, word, text)).encode())}
        if source == "file":
            return {"file": word, **keys}, {"text": text}
        return {"variable": "V", **keys}, {"inherited": {"it": text.encode()}}
    return make


def agent(make_answer, v):
    def make(word):
        return {"secrets-manager": word}, {"raw": make_answer(v), "environment": {"word": word}}
    return make
