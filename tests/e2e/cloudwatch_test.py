# SPDX-License-Identifier: Apache-2.0
"""The sink cloudwatch, driven record by record against a stand-in (cloudwatch_standin.py) that judges every request.

The claim is always the same: what was produced was delivered or rejected by name, no documented rule was broken, every
signature is botocore's, and what is there twice is what an answer that did not come had left open.
"""
import http.client
import json
import re
import shutil
import subprocess
import time

import area
import laz
import sinks_peers as peers
from cloudwatch_world import CANARY, GROUP, PYTHON, STREAM, Standin, account
from laz import case, check, check_equal
from sinks_peers import record

KILLS = 100 if laz.LONG else 8
BATCH_EVENTS, BATCH_BYTES = 10000, 1048576


def quiet(drive):
    """No credential, token or path of theirs in what the sink said."""
    said = "\n".join(drive.said).encode()
    check(CANARY not in said and b"ASIA" not in said, f"a credential in a message: {said[-2000:]!r}")


# ---- What goes well ----


@case("batches are full, in order and within every limit, to the group and stream of the policy [TLS, plain on loopback]")
def batches():
    for tls in (True, False):
        standin = Standin(tls=tls)
        drive = standin.drive(seconds=60, quiet=1)
        count = 25000
        drive.end([record(n) for n in range(count)])
        check_equal(drive.of("down"), [], "breaks")
        account(standin, drive, count)
        check_equal(standin.messages(), [record(n) for n in range(count)], "the order")
        check_equal({(e["group"], e["stream"]) for e in standin.events()}, {(GROUP, STREAM)}, "group and stream")
        puts = standin.requests("PutLogEvents")
        check(len(puts) <= count * (len(record(0)) + 26) // BATCH_BYTES + 4, f"{len(puts)} batches")
        check_equal(len({r["port"] for r in puts}), 1, "connections")
        check_equal(len(standin.requests("credentials")), 1, "times that credentials were asked for")
        standin.check_rules()
        quiet(drive)


@case("short records reach the limit of 10,000 events, long ones that of bytes to the byte, and longer ones are rejected")
def limits():
    standin = Standin()
    short = [b'{"a":%d}' % n for n in range(12000)]
    drive = standin.drive(seconds=60, quiet=1)
    drive.end(short)
    check_equal(standin.messages(), short, "what arrived")
    check(max(r["bytes"] for r in standin.requests("PutLogEvents")) > 400000, "no batch of 10,000")
    standin.check_rules()

    standin, room = Standin(), BATCH_BYTES - 26 - len(record(0, ""))
    texts = ["x" * (room - 1), "x" * room, "x" * (room + 1), "", '\\"' * (room // 4), "é" * (room // 2)]
    drive = standin.drive(seconds=60)
    drive.end([record(n, text) for n, text in enumerate(texts)])
    check_equal(drive.of("rejected"), ["3 it is longer than an event of CloudWatch Logs may be"], "what was rejected")
    check_equal(standin.messages(), [record(n, t) for n, t in enumerate(texts) if n != 2], "what arrived, byte for byte")
    standin.check_rules()


@case("what is no record in one line is rejected by name, and the rest arrives")
def no_records():
    standin = Standin()
    bad = [b"not a record", b'{"a":"\x1b"}', b'{"a":"\xff"}', b'{"a":"\x7f"}', b"{", b"\x00"]
    lines = [record(0), *bad, record(1 + len(bad))]
    drive = standin.drive()
    drive.end(lines)
    check_equal(drive.of("rejected"), [f"{n} it is not a record in one line" for n in range(2, 2 + len(bad))], "rejected")
    check_equal(standin.messages(), [lines[0], lines[-1]], "what arrived")
    only = standin.drive()
    only.end(bad)
    check_equal((len(only.of("rejected")), only.of("settled")), (len(bad), [str(len(bad))]), "nothing but those")


@case("a record's own time is the event's; one from yesterday, from the future or out of order is stamped by the rules")
def times():
    standin = Standin()
    now = time.time()

    def at(seconds):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now + seconds)) + ".250000Z"
        return record(0).replace(b"2026-11-21T23:59:01.123456Z", stamp.encode())

    drive = standin.drive()
    drive.end([at(-3600), at(-7200), at(-20 * 86400), at(-60), at(3 * 3600), at(-30)])
    check_equal(drive.of("rejected"), [], "what was rejected")
    offsets = [event["timestamp"] / 1000 - now for event in standin.events()]
    check(abs(offsets[0] + 3600) < 2 and abs(offsets[1] + 3600) < 2, f"own time, and never back: {offsets}")
    check(all(-2 < offset < 30 for offset in offsets[2:]), f"the time of sending: {offsets}")
    standin.check_rules()


# ---- What the service does ----


@case("partial rejects: those that the answer names are rejected by name, the others arrive [too old, expired, too new]")
def rejects():
    rows = [("too-old", "too old", range(0, 3)), ("expired", "older than the retention of the log group", range(0, 3)),
            ("too-new", "too new", range(7, 10))]
    standin = Standin()
    for rule, words, wanted in rows:
        standin.again(**{rule: 3})
        drive = standin.drive()
        drive.end([record(n) for n in range(10)])
        check_equal(drive.of("rejected"), [f"{n + 1} CloudWatch Logs rejects it: {words}" for n in wanted], rule)
        _, rejected = account(standin, drive, 10)
        check_equal(sorted(rejected), list(wanted), rule)


@case("each fault of the service, before or after it has stored a batch: delivered or rejected, and duplicates only")
def faults():
    before = ("throttle", "unavailable", "500", "html", "reset", "garbage")
    after = ("500-after", "reset-after", "truncate-after", "nonsense-after", "not-json-after", "close-after", "slow")
    standin = Standin()
    for fault in before + after:
        standin.again(fault=fault, rate=0.7, count=6)
        drive = standin.drive(seconds=40, quiet=1, answer=20000)
        batch, count = 300, 1800
        for start in range(0, count, batch):
            drive.feed([record(n) for n in range(start, start + batch)])
            time.sleep(0.12)
        drive.end()
        done = [r["fault"] for r in standin.requests("PutLogEvents") if r["fault"]]
        check(done, f"{fault}: it happened {len(done)} times")
        repeats = 0 if fault in before + ("close-after", "slow") else count * len(done)
        account(standin, drive, count, repeats)
        standin.check_rules()
        quiet(drive)


@case("a service that says when to come back is obeyed, for five seconds more at most")
def asked():
    standin = Standin()
    for value, least, most in ((1500, 1.5, 3), ("soon", 0, 1), (-1, 0, 1), (10 ** 30, 0, 1), (600000, 5, 7)):
        standin.again(fault="throttle", count=1, retry_after=value)
        drive = standin.drive(quiet=1, seconds=40)
        drive.end([record(n) for n in range(10)])
        account(standin, drive, 10)
        first, second = [r["at"] for r in standin.requests("PutLogEvents")]
        check(least <= second - first < most, f"{value}: it came back after {second - first:.2f} s")


@case("what does not get better is named, nothing is lost by it, and it goes on when it is")
def named():
    rows = [({"fault": "denied"}, {}, "127.0.0.1: it answers 400 AccessDeniedException to PutLogEvents"),
            ({"fault": "redirect"}, {}, "127.0.0.1: it answers 302 to PutLogEvents"),
            ({"fault": "garbage"}, {}, "127.0.0.1: not HTTP: no status line"),
            ({"fault": "hang", "hang": 1.2}, {"answer": 300}, "127.0.0.1: no answer in 300 ms"),
            ({"fault": "hang-after", "hang": 1.2}, {"answer": 300}, "127.0.0.1: no answer in 300 ms"),
            ({"fault": "throttle"}, {}, "127.0.0.1: it answers 400 ThrottlingException to PutLogEvents"),
            ({"fault": "invalid"}, {}, "127.0.0.1: it answers 400 InvalidParameterException to PutLogEvents"),
            ({"create": True}, {}, "127.0.0.1: the log group or the log stream does not exist (create: true makes them)")]
    standin = Standin()
    for rules, keys, expected in rows:
        standin.again(**rules)
        drive = standin.drive(quiet=1, **keys)
        drive.feed([record(n) for n in range(50)])
        peers.wait_until(lambda drive=drive, expected=expected: expected in drive.of("down"), expected,
                         lambda drive=drive: drive.said[-5:])
        check_equal(drive.of("down").count(expected), 1, "times that one reason was said")
        check_equal(drive.arrived(), 0, "what arrived by then")
        standin.rules()
        drive.end()
        account(standin, drive, 50, repeats=50 * 60 if rules.get("fault") == "hang-after" else 0)
        check(not [r for r in standin.requests() if r["call"] == "credentials"][1:] or "answer" in keys, "it followed")
        quiet(drive)


def request_of(connection, data=b""):
    """The bytes behind one request, which is read whole."""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or _gone()
    head, body = data.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"content-length: (\d+)", head).group(1))
    while len(body) < length:
        body += connection.recv(65536) or _gone()
    return body[length:]


def _gone():
    raise ConnectionResetError


GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@case("a kept connection that breaks under the next request is dialled anew, once, and nobody is told")
def stale():
    standin, seen = Standin(tls=False), []

    def script(connection, number):
        rest = request_of(connection)
        seen.append(number)
        connection.sendall(GOOD)
        if number % 2:
            while True:
                rest = request_of(connection, rest)
                connection.sendall(GOOD)
        connection.recv(1)
        peers.reset(connection)

    server = peers.Scripted(script)
    drive = standin.drive(port=server.port)
    for number in range(3):
        drive.feed([record(number)])
        peers.wait_until(lambda number=number: drive.arrived() == number + 1, "it arrives", lambda: drive.said)
    drive.end()
    check_equal((drive.of("down"), seen), ([], [0, 1]), "what was said, and connections")


@case("an answer that drips is waited for as long as any other, and no longer")
def drip():
    standin = Standin(tls=False)

    def script(connection, _):
        request_of(connection)
        for byte in GOOD * 100:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    server = peers.Scripted(script)
    drive = standin.drive(port=server.port, answer=500, seconds=2)
    drive.end([record(0)], code=3)
    check_equal(drive.of("down")[0], "127.0.0.1: no answer in 500 ms", "why")


@case("a record that the service refuses is found among thousands, rejected alone, and the others arrive once")
def poison():
    standin = Standin()
    poisoned = {700, 1500, 1501}
    lines = [record(n, "POISON" if n in poisoned else "x" * 60) for n in range(3000)]
    drive = standin.drive(seconds=60, quiet=1)
    drive.end(lines)
    check_equal(drive.of("rejected"), [f"{n + 1} CloudWatch Logs refuses it: InvalidParameterException" for n in
                                       sorted(poisoned)], "what was rejected")
    account(standin, drive, 3000)


@case("group and stream are made where the policy says so, by whoever comes first")
def create():
    standin = Standin(create=True)
    drives = [standin.drive(create=1) for _ in range(2)]
    for drive in drives:
        drive.feed([record(n) for n in range(20)])
    for drive in drives:
        drive.end()
        check_equal(drive.of("down"), [], "breaks")
    check_equal(len(standin.events()), 40, "events")
    calls = [r["call"] for r in standin.requests() if r["call"].startswith("Create")]
    check_equal(set(calls), {"CreateLogGroup", "CreateLogStream"}, "what was made")
    standin.check_rules()


@case(f"the service is killed {KILLS} times in mid-stream and comes back: nothing is lost")
def kills():
    standin = Standin()
    rng = peers.at_random("cloudwatch kills")
    drive = standin.drive(quiet=1, seconds=300, retry_max=40)
    number = 0
    for _ in range(KILLS):
        target = len(standin.events()) + 200
        while len(standin.events()) < target:
            drive.feed(record(n) for n in range(number, number + 100))
            number += 100
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.05))
        standin.kill()
        drive.feed(record(n) for n in range(number, number + 100))
        number += 100
        standin.start()
    drive.end()
    check_equal(drive.of("settled"), [str(number)], "what was settled")
    account(standin, drive, number, repeats=KILLS * BATCH_EVENTS)
    standin.check_rules()


@case("a clock that is wrong by hours is corrected by the service's Date, for the signature and the time of events")
def clock():
    standin = Standin()
    for seconds in (7200, -10800, -20 * 86400):
        standin.again(clock=seconds)
        drive = standin.drive(quiet=1)
        drive.end([record(n) for n in range(100)])
        _, rejected = account(standin, drive, 100)
        check_equal((drive.of("down"), rejected), ([], set()), "breaks, and what was rejected")
        wrong = [r for r in standin.requests("PutLogEvents") if r["problem"]]
        check_equal(len(wrong), 1, "signatures that were refused")
        (said,) = drive.of("corrected")
        check(abs(int(said) - seconds) <= 2, f"{said} seconds were said, for {seconds}")


# ---- Credentials ----


@case("credentials that end in mid-run are fetched anew in time, and those that are refused at once")
def expiry():
    standin = Standin(lifetime=63)
    drive = standin.drive(quiet=1, seconds=30)
    start, number = time.monotonic(), 0
    while time.monotonic() - start < 7:
        drive.feed(record(n) for n in range(number, number + 20))
        number += 20
        time.sleep(0.1)
    standin.rules(lifetime=3600, fault="expired", count=1)
    drive.feed(record(n) for n in range(number, number + 20))
    drive.end()
    account(standin, drive, number + 20)
    check_equal(drive.of("down"), [], "breaks")
    check(len(standin.requests("credentials")) >= 3, f"{len(standin.requests('credentials'))} times fetched")
    standin.check_rules()
    quiet(drive)


@case("an agent that fails is named by what it does, never by what it says; then it goes on")
def agent():
    front = "127.0.0.1: credentials from the container agent: "
    rows = [({"agent": "unready"}, "it answers 503 CredentialsUninitialized"),
            ({"agent": "garbage"}, "not JSON: byte 0: no value"), ({"agent": "redirect"}, "it answers 302"),
            ({"agent": "large"}, "not HTTP: longer than is read"), ({"agent": "twice"}, "not JSON: byte 19: a key twice"),
            ({"agent": "lacking"}, "credentials without Token"),
            ({"agent": "lacking", "lacks": "Expiration"}, "credentials without Expiration"),
            ({"agent": "injecting"}, "credentials without Token"),
            ({"agent": "past"}, "they have expired; is the clock right?"),
            ({"agent": "hang", "hang": 2.5}, "no answer in 2000 ms"), ({"token": "Bearer other"}, "it answers 401 Unauthorized")]
    standin = Standin()
    for rules, expected in rows:
        standin.again(**rules)
        drive = standin.drive()
        drive.feed([record(n) for n in range(5)])
        peers.wait_until(lambda drive=drive, expected=expected: front + expected in drive.of("down"), expected,
                         lambda drive=drive: drive.said[-5:])
        check_equal(standin.requests("PutLogEvents"), [], "what was sent without credentials")
        standin.rules()
        drive.end()
        account(standin, drive, 5)
        quiet(drive)


@case("the token of the agent is sent, from its file as it is at that moment, and none that would be a header more")
def token():
    folder = area.folder("token")
    path = folder / "token"
    standin = Standin()
    for text, keys in (("CANARYvalue", {"token": "CANARYvalue"}), ("CANARYfile", {"token_file": path, "token": "other"})):
        path.write_text("CANARYfile\n")
        standin.again(token=text)
        drive = standin.drive(**keys)
        drive.end([record(0)])
        check_equal([r["authorization"] for r in standin.requests("credentials")], [text], "what was sent")
        quiet(drive)
    for keys, expected in (({"token": "a\r\nx-evil: b"}, "the request cannot be made: is there a line feed in the token?"),
                           ({"token_file": folder / "none"}, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read")):
        standin.again()
        drive = standin.drive(seconds=1, **keys)
        drive.end([record(0)], code=3)
        check(any(why.endswith(expected) for why in drive.of("down")), f"{drive.said}")
        check_equal(standin.requests(), [], "what was asked")


@case("credentials are asked of this host, the agents' addresses or over TLS, and of nobody else")
def whom():
    unencrypted = "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an address of this host or of a container agent"
    rows = [({"full_uri": "http://10.0.0.1/x"}, unencrypted), ({"full_uri": "http://localhost/x"}, unencrypted),
            ({"full_uri": "http://169.254.170.20/x"}, unencrypted), ({"full_uri": "http://[fd00:ec2::24]/x"}, unencrypted),
            ({"full_uri": "http://127.0.0.1@10.0.0.1/x"}, unencrypted), ({"full_uri": "ftp://127.0.0.1/x"}, unencrypted),
            ({"full_uri": "http://127.1/x"}, unencrypted),
            ({"full_uri": "", "relative_uri": "@10.0.0.1/x"}, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path"),
            ({"full_uri": "", "relative_uri": "/a b"}, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path"),
            ({"full_uri": ""}, "may not be used (imds: permitted)"),
            ({"full_uri": "", "imds": 1, "no_imds": "TRUE"}, "are disabled (AWS_EC2_METADATA_DISABLED)"),
            ({"region": ""}, "the region is not known"), ({"region": "", "aws_region": "a.b/c"}, "the region is not known"),
            ({"ca": "/nonexistent"}, "No such file")]
    standin = Standin()
    for keys, expected in rows:
        drive = standin.drive(**keys)
        drive.end(code=1)
        check(expected in drive.of("unopened")[0], f"{keys}: {drive.said}")
    check_equal(standin.requests(), [], "what was asked")
    drive = standin.drive(region="", aws_region="eu-central-1")
    drive.end([record(0)])


@case("the addresses of ECS and of the instance: one request with credentials, or three of IMDSv2, and never version 1")
def addresses():
    area.require_root()
    inside = ("unshare", "--net", "sh", "-c", "ip link set lo up && ip addr add 169.254.170.2/32 dev lo && "
              "ip addr add 169.254.169.254/32 dev lo && exec sleep 1000")
    area.require_program("ip")
    holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *inside])
    try:
        wrapper = ("nsenter", "-t", str(holder.pid), "-n")
        peers.wait_until(lambda: b"169.254.169.254" in subprocess.run([*wrapper, "ip", "addr"], capture_output=True,
                                                                      check=False).stdout, "the addresses")
        standin = Standin(addresses=("169.254.170.2", "169.254.169.254"), wrapper=wrapper)
        agent_keys = {"full_uri": "http://10.1.1.1/", "relative_uri": "/v2/credentials/CANARYpath"}
        for keys, calls in ((agent_keys, ["credentials"]), ({"full_uri": "", "imds": 1}, ["imds-token", "imds", "imds"])):
            before = len(standin.requests())
            drive = standin.drive(*wrapper, **keys)
            drive.end([record(n) for n in range(5)])
            check_equal([r["call"] for r in standin.requests()[before:]], [*calls, "PutLogEvents"], "requests")
            quiet(drive)
        standin.check_rules()
        for rule, expected in (("role", "its answer is no name of a role"),
                               ("hop", "no answer in 2000 ms; is the instance's hop limit 2?")):
            standin.rules(imds=rule)
            drive = standin.drive(*wrapper, full_uri="", imds=1, seconds=3)
            drive.end([record(0)], code=3)
            check(any(why.endswith("the instance (IMDSv2): " + expected) for why in drive.of("down")), f"{drive.said}")
    finally:
        holder.kill()
        holder.wait()


# ---- Who is spoken to ----


@case("whoever is not the endpoint, or speaks no TLS, gets nothing of a request, and is named")
def certificates():
    folder = peers.pki()
    rows = [("another CA", {"ca": folder / "other.pem"}, None, "certificate: .*(issuer|self.signed)"),
            ("another name", {}, "nameless", "certificate: (IP address|hostname) mismatch"),
            ("no TLS", {"ca": folder / "ca.pem"}, False, "handshake: (TLS: |no answer|the peer closed)")]
    for name, keys, certificate, expected in rows:
        standin = Standin(tls=certificate is not False)
        if certificate:
            standin.kill()
            shutil.copy(folder / f"{certificate}.pem", standin.folder / "server.pem")
            shutil.copy(folder / f"{certificate}.key", standin.folder / "server.key")
            standin.start()
        drive = standin.drive(seconds=4, connect=3000, answer=3000, **keys)
        drive.end([record(0)], code=3)
        check(any(re.search(expected, why) for why in drive.of("down")), f"{name}: {drive.said}")
        check_equal(standin.requests("PutLogEvents"), [], f"{name}: what got there")


@case("not one byte of records, signature or token crosses in the clear: what a listener sees is TLS")
def wire():
    standin = Standin()
    seen = bytearray()

    class Tap(peers.Proxy):
        def _pump(self, source, sink, left):
            class Copy:
                def __getattr__(self, name):
                    return getattr(source, name)

                def recv(self, size):
                    data = source.recv(size)
                    seen.extend(data)
                    return data
            super()._pump(Copy(), sink, left)

    tap = Tap(standin.logs)
    drive = standin.drive(port=tap.port)
    # The signature covers the port that is asked: it is refused, which is as good.
    drive.feed([record(0)])
    peers.wait_until(lambda: standin.requests("PutLogEvents"), "a request")
    drive.kill()
    check(len(seen) > 1000, "nothing was seen")
    # Long enough not to come about by chance.
    for text in (b'\\"lz\\":1', b"Signature", b"Logs_2014", CANARY, b"ASIA", b"HTTP/1.1"):
        check(text not in seen, f"{text} in the clear")
    tap.close()


@case("signatures of hundreds of requests of any form are botocore's")
def signatures():
    rng = peers.at_random("signatures")
    standin = Standin(tls=False)
    for _ in range(5 if not laz.LONG else 50):
        stream = "".join(rng.choice("abcXYZ019._-/#@+=~") for _ in range(rng.randrange(1, 80)))
        drive = standin.drive(stream=stream, quiet=1, seconds=20)
        for n in range(10):
            text = "".join(rng.choice(["é", "\U0001f600", "\\\\", "a", " "]) for _ in range(rng.randrange(200)))
            drive.feed([record(n, text)])
            time.sleep(0.11)
        drive.end()
        check_equal(drive.of("down") + drive.of("rejected"), [], "complaints")
    check(len(standin.requests("PutLogEvents")) >= 25, f"{len(standin.requests('PutLogEvents'))} requests")
    check_equal([r for r in standin.requests("PutLogEvents") if r["problem"]], [], "requests that were refused")
    standin.check_rules()


@case("the stand-in itself refuses a request with one bit changed, one of yesterday and one without a signature")
def control():
    standin = Standin(tls=False)
    body = json.dumps({"logGroupName": "g", "logStreamName": "s",
                       "logEvents": [{"timestamp": int(time.time() * 1000), "message": "x"}]}).encode()
    script = """
import sys
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
import hashlib, json, time
a = f"ASIA{int(time.time()) + 900:010d}000001"
s = "CANARYsecret" + hashlib.sha256(a.encode()).hexdigest()[:28]
t = "CANARYtoken" + hashlib.sha256(b"token" + a.encode()).hexdigest() * 12
r = AWSRequest("POST", "http://127.0.0.1:%s/" % sys.argv[1], data=sys.stdin.buffer.read(), headers={
    "Host": "127.0.0.1:%s" % sys.argv[1], "Content-Type": "application/x-amz-json-1.1",
    "X-Amz-Target": "Logs_20140328.PutLogEvents"})
SigV4Auth(Credentials(a, s, t), "logs", "eu-central-1").add_auth(r)
print(json.dumps(dict(r.headers.items())))
"""
    done = subprocess.run([PYTHON, "-c", script, str(standin.logs)], input=body, capture_output=True, check=True)
    headers = json.loads(done.stdout)

    def post(data, changes):
        connection = http.client.HTTPConnection("127.0.0.1", standin.logs, timeout=10)
        sent = {k: v for k, v in {**headers, **changes}.items() if v is not None}
        connection.request("POST", "/", data, sent)
        answer = connection.getresponse()
        return answer.status, answer.read()

    check_equal(post(body, {})[0], 200, "botocore's own request")
    check_equal(post(body.replace(b'"x"', b'"y"'), {})[0], 403, "another body")
    check_equal(post(body, {"Authorization": None})[0], 403, "no signature")
    check_equal(post(body, {"X-Amz-Target": "Logs_20140328.CreateLogGroup"})[0], 403, "another call")
    standin.rules(clock=86400)
    check_equal(post(body, {})[0], 403, "a day later")


if __name__ == "__main__":
    laz.main()
