# SPDX-License-Identifier: Apache-2.0
"""`lazaret top` against a stand-in for the role health: what it makes of a document, of whom it believes it, and that
it leaves a terminal as it was."""
import json
import pathlib
import re
import subprocess
import sys

import area
import cli
import laz
from cli import FOLDER, LAZARET
from laz import case, check, check_equal
from terminal import Terminal

STANDIN = pathlib.Path(__file__).with_name("health_standin.py")
AROUND = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, STANDIN]

FULL = {
    "schema": "lazaret.health/1", "state": "not-ready", "live": True, "ready": False, "started": True, "reason": "sink",
    "since": "2026-11-22T00:28:33Z", "now": "2026-11-22T00:30:33.000001Z", "uptime_s": 7300, "color": "green", "version": "1.4.2", "pid1": True,
    "build": {"version": "0.1.0", "policy": "claims-api", "policy_sha256": "4ca1042ad975" + "0" * 52, "config_sha256": "4c"},
    "app": {"pid": 8, "restarts": 0, "signals": 1, "reaped": 2, "helper_restarts": 0},
    "policy": {"mode": "enforce", "violations": 12, "held": 0, "degraded": ["landlock-absent", "limits-lower"]},
    "tls": [{"name": "web", "not_after": "2027-01-01T00:00:00Z", "days_left": 40, "key_match": True},
            {"name": "old", "not_after": "2026-01-01T00:00:00Z", "days_left": -1, "key_match": True}],
    "items": [{"name": "db-password", "state": "stale"}],
    "logs": [{"sink": "trail", "required": True, "up": False, "backlog_bytes": 4200000, "dropped": 3, "last_ack_age_s": 130},
             {"sink": "console", "required": False, "up": True, "backlog_bytes": 0, "dropped": 0}],
    "spool": {"used": 4200000, "limit": 67108864, "full": False},
    "checks": [{"name": "http", "list": "ready", "kind": "http", "ok": False, "fails": 2, "ms": 2000, "why": "no answer in time"},
               {"name": "alive", "list": "live", "kind": "exec", "ok": True, "fails": 0, "ms": 3}],
    "net": {"established": 3, "passive_opens": 1042, "last_new_conn_age_s": 5}, "ecs": {"cluster": "prod"}}
MINIMAL = {key: FULL[key] for key in ("schema", "state", "live", "ready", "started", "reason", "since", "now", "color", "version")}

PAGE = """\
NOT READY  state not-ready: sink  since 2026-11-22T00:28:33Z
policy      claims-api, enforce, sha256 4ca1042ad975; refused calls: 12
degraded    landlock-absent, limits-lower
workload    pid 8, up for 2 h, color green, version 1.4.2
connections 3 open, 1042 accepted, the last one 5 s ago

CHECK               LIST      KIND    STATE       TOOK      WHY
http                ready     http    FAILED 2    2000 ms   no answer in time
alive               live      exec    ok          3 ms

CERTIFICATE                   DAYS LEFT   UNTIL
web                           40          2027-01-01T00:00:00Z
old                           EXPIRED     2026-01-01T00:00:00Z

FETCHED                       STATE
db-password                   stale

SINK                STATE     BEHIND      DROPPED     ACKED
trail               DOWN      4101 KiB    3           2 min ago   required
console             up        0 B         0           never
spool       4101 KiB of 64 MiB
"""


def answer(document, head="HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    (FOLDER / "answer").write_bytes(head.encode() + body)
    return FOLDER / "answer"


def around(document, *options):
    area.require_root()
    return [str(word) for word in (*AROUND, answer(document), *options, "--")]


def top(document, *words, expect, options=()):
    return cli.lazaret("top", *words, expect=expect, around=around(document, *options))


@case("everything that the document has is on the page; where it is no terminal, once and as plain text")
def full():
    done = top(FULL, expect=1)
    check_equal((done.stdout, done.stderr), (PAGE, ""), "page, standard error")
    fine = {**FULL, "ready": True, "state": "ready"}
    del fine["reason"]
    check(top(fine, expect=0).stdout.startswith("ready  state ready  since"), "a container that is ready")
    dead = top({**FULL, "live": False, "reason": "check:alive"}, expect=1).stdout
    check(dead.startswith("NOT LIVE  NOT READY  state not-ready: check:alive"), dead)


@case("whoever may not see all of it is told so, and what is not known is left out")
def minimal():
    said = top(MINIMAL, expect=1).stdout
    check_equal(said.splitlines()[1:], ["workload    color green, version 1.4.2", "", "Root of the container, and the user of its init, see more."], "minimal")
    blind = {**FULL, "net": {"reason": "/proc/net cannot be read"}}
    del blind["uptime_s"], blind["spool"]
    said = top(blind, expect=1).stdout
    check("connections not known: /proc/net cannot be read\n" in said and "up for" not in said and "spool " not in said, said)


@case("--json is the document as it came, and whether it is ready")
def as_json():
    done = top(FULL, "--json", expect=1)
    check_equal(json.loads(done.stdout), {"ok": False, "health": FULL}, "JSON")
    check_equal(json.loads(top({**FULL, "ready": True}, "--json", expect=0).stdout)["ok"], True, "ok")


@case("no byte of the document moves a cursor or ends a line")
def hostile():
    evil = "x\x1b[2J\r\n\x07\u0085\u202e\x7fy"
    told = {**FULL, "reason": evil, "color": evil, "checks": [{**FULL["checks"][0], "name": evil, "why": evil}],
            "tls": [{**FULL["tls"][0], "name": evil}], "logs": [{**FULL["logs"][0], "sink": evil}],
            "policy": {**FULL["policy"], "degraded": [evil]}}
    said = top(told, expect=1).stdout
    check(re.fullmatch(r"[ -~\n]*", said), f"bytes that are not printable: {said!r}")
    check_equal(said.count("x?[2J"), 7, "places")
    huge = top({**FULL, "reason": "r" * 5000, "checks": [FULL["checks"][0]] * 300}, expect=1).stdout
    check_equal(huge.count("no answer in time"), 300, "checks")


@case("nobody there, somebody else, no answer, no document: an error that says which")
def errors():
    rows = [(FULL, ["nobody"], "no init answers at /run/lazaret/health."), (FULL, ["uid=10001"], "somebody else listens at health."),
            (b"", [], "the health document"), (b"{", [], "the health document"),
            (b" " * 300000, [], "what answers is another version of Lazaret, or none"), (FULL, ["hang"], "no answer in time")]
    for document, options, words in rows:
        done = top(document, expect=1, options=options)
        check(words in done.stderr and not done.stdout, f"{options}: {done.stdout[:200]}{done.stderr}")
    (FOLDER / "answer").write_bytes(b"")
    words = around(FULL)
    answer(FULL, "HTTP/1.1 503 Busy\r\n\r\n")
    check("another version" in cli.lazaret("top", expect=1, around=words).stderr, "another status")
    said = json.loads(top(FULL, "--json", expect=1, options=["nobody"]).stdout)
    check_equal((said["ok"], said["error"]["name"]), (False, "system-error"), "JSON of an error")


@case("on a terminal it is drawn anew, follows what changes, and leaves everything as it was")
def on_a_terminal():
    words = [*around(FULL), "sh", "-c", f"stty -a | md5sum; {LAZARET} top; echo code $?; stty -a | md5sum"]
    terminal = Terminal(words)
    terminal.wait_for("NOT READY")
    terminal.wait_for("q: leave")
    answer({**FULL, "ready": True, "state": "ready", "reason": ""})
    terminal.wait_for("ready  state ready")
    terminal.send("q")
    terminal.wait_for("code 0")
    said = terminal.finish().out
    check("\x1b[?1049h" in said and said.count("\x1b[?1049l") == 1, f"the other screen: {said[-300:]!r}")
    sums = re.findall(r"[0-9a-f]{32}", said)
    check(len(sums) == 2 and sums[0] == sums[1], f"settings of the terminal: {sums}")


@case("the manual's options of top are those that there are")
def page_of_the_manual():
    cli.check_page("top")


laz.main()
