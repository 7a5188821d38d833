# SPDX-License-Identifier: Apache-2.0
"""`health` in words: what `policy check` and `explain` say of it, and that docs/how-to/health.md shows no other words."""
import json
import re
import subprocess

import laz
import readme
from cli import FOLDER, WEB, as_json, lazaret, write
from laz import case, check, check_equal

PAGE = laz.ROOT / "docs" / "how-to" / "health.md"

HEALTH = """\
health:
  listen: "[::]:9100"
  startup: {deadline: 90s, checks: [{name: port, tcp: "127.0.0.1:8080", every: 1s}]}
  ready: {rise: 2, fall: 4, checks: [{name: rpc, grpc: "[::1]:50051", service: claims.Api, every: 3s}]}
  live: {checks: [{name: ping, exec: [/usr/bin/app, --ping, "1", "a b"], every: 15s, timeout: 4500ms}]}
  ready-requires: {mode: enforce}
shutdown: {stop-timeout: 60s, lb-grace: 20s, lb-grace-least: 500ms, unhealthy-threshold: 3}
"""
LINES = [
    "listens on [::]:9100, clear text, shows the short document",
    "startup port: tcp 127.0.0.1:8080, every 1s, 500ms at most; must have passed by 90s",
    "ready rpc: grpc [::1]:50051 claims.Api, every 3s, 1500ms at most; "
    "a hung workload is noticed after at most 4 x 3s + 1500ms = 13500ms",
    "live ping: exec /usr/bin/app --ping 1 \"a b\", every 15s, 4500ms at most; "
    "a hung workload is noticed after at most 3 x 15s + 4500ms = 49500ms",
    "ready requires mode enforce",
    "drain of 500ms to 20s, over when every balancer that asks was refused 3 times, or none asks and nobody has connected for 2s; "
    "then the workload has 37s to end",
]


@case("check and explain: each check with what it asks, how often, and how soon a hung workload is noticed")
def words():
    write("health.yaml", WEB + HEALTH)
    text = lazaret("policy", "check", "health.yaml", expect=0).stdout
    for number, line in enumerate(LINES):
        check(f"\n  {'health' if number == 0 else '':<12}{line}\n" in text, f"{line}: {text}")
    facts = as_json("policy", "explain", "health.yaml")["facts"]["health"]
    check_equal([fact["text"] for fact in facts], LINES, "explain")
    check(facts[2]["at"].endswith("health.yaml:26:38"), f"where it was said: {facts[2]}")
    found = as_json("policy", "check", "health.yaml")["policies"][0]["health"]
    check_equal((found["host"], found["port"], found["tls"], found["expose"]), ("::", 9100, False, "minimal"), "listen")
    check_equal([(one["name"], one["list"], one["kind"], one["target"], one["every_ms"], one["timeout_ms"],
                  one.get("noticed_ms")) for one in found["checks"]],
                [("port", "startup", "tcp", "127.0.0.1:8080", 1000, 500, None),
                 ("rpc", "ready", "grpc", "[::1]:50051 claims.Api", 3000, 1500, 13500),
                 ("ping", "live", "exec", '/usr/bin/app --ping 1 "a b"', 15000, 4500, 49500)], "checks")
    check_equal((found["startup_deadline_ms"], found["lb_grace_least_ms"], found["lb_grace_ms"]), (90000, 500, 20000),
                "times")
    write("without.yaml", WEB)
    check("health" not in as_json("policy", "check", "without.yaml")["policies"][0], "a policy without health")
    check("\n  health" not in lazaret("policy", "check", "without.yaml", expect=0).stdout, "without, in words")


@case("docs/how-to/health.md: what it says that check prints, check prints")
def page():
    blocks = readme.blocks(PAGE)
    policies = [block for block in blocks if block.kind == "yaml"]
    write("shown.yaml", policies[0].text)
    shown = [block.text for block in blocks if block.kind == "text health"]
    check_equal(len(shown), 1, "blocks of what check prints")
    check(shown[0] in lazaret("policy", "check", "shown.yaml", expect=0).stdout, "the words of the page")
    wrong = policies[0].text.replace("shutdown: {stop-timeout: 60s, lb-grace: 25s}",
                                     "shutdown: {stop-timeout: 30s, lb-grace: 25s, grace: 10s}")
    write("wrong.yaml", wrong)
    shown = [block.text for block in blocks if block.kind == "text health-error"]
    check_equal(len(shown), 1, "blocks of an error")
    check(shown[0].strip() in lazaret("policy", "check", "wrong.yaml", expect=1).stderr, "the error of the page")


@case("docs/how-to/health.md: its health commands are those of the examples, and the policy with sense expects them")
def commands():
    page = PAGE.read_text(encoding="utf-8")
    lines = re.findall(r"`(HEALTHCHECK [^`]+)`", page)
    check_equal(len(lines), 1, "lines of a Dockerfile")
    check(lines[0] in (laz.ROOT / "examples/ecs/Dockerfile").read_text(encoding="utf-8").splitlines(), "the image's")
    lines = re.findall(r'`"healthCheck": ({[^`]+})`', page)
    check_equal(len(lines), 1, "members of a task definition")
    task = json.loads((laz.ROOT / "examples/ecs/task-definition.json").read_text(encoding="utf-8"))
    check_equal([json.loads(lines[0])], [one["healthCheck"] for one in task["containerDefinitions"]], "the task's")
    watched = [block.text for block in readme.blocks(PAGE) if block.kind == "yaml" and "\nsense:" in block.text]
    check_equal([text.count("allow: [lazaret-init]") for text in watched], [1], "foreign.allow")


@case("docs/reference/health.md: the states of its diagram are those of its schema and of its table")
def states():
    reference = laz.ROOT / "docs" / "reference" / "health.md"
    diagrams = [block.text for block in readme.blocks(reference) if block.kind == "text states"]
    check_equal(len(diagrams), 1, "diagrams of states")
    schema = json.loads((laz.ROOT / "policies" / "health-1.schema.json").read_text(encoding="utf-8"))
    known = set(schema["properties"]["state"]["enum"])
    check_equal(set(re.findall(r"[a-z-]+", diagrams[0])) - {"from", "any"}, known, "the diagram")
    table = reference.read_text(encoding="utf-8").split("| State |")[1].split("\n\n")[0]
    check_equal(set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)), known, "the table")


RENEWED = """
secrets: {refresh: {interval: 5m}, grace: GRACE}
tls:
  identities:
    - {name: web, from: {file: {certificate: /etc/web.pem, key: /etc/web.key}}, files: {dir: tls/web}}
"""
CHECKS = """
health:
  startup: {deadline: 60s, checks: [{name: up, tcp: "127.0.0.1:8080"}]}
  ready: {fall: 2, checks: [{name: web, http: "http://127.0.0.1:8080/", every: 5s, timeout: 2s}]}
"""


@case("check: where certificates are renewed, it says whether one that the workload fails with goes back, and why not")
def rollback():
    plain = WEB
    for what, text, said, goes in (
            ("in time", plain + RENEWED.replace("GRACE", "30s") + CHECKS, "a new certificate goes back, once, if a check fails within 30s", True),
            ("too late", plain + RENEWED.replace("GRACE", "12s") + CHECKS,
             'no new certificate goes back: a check takes 12s to notice, and "secrets.grace" is 12s', False),
            ("start-up alone", plain + RENEWED.replace("GRACE", "30s") + CHECKS.partition("  ready:")[0],
             'no new certificate goes back: no "ready" or "live" check of "health" says how the workload is with it', False),
            ("no health", plain + RENEWED.replace("GRACE", "30s"),
             'no new certificate goes back: no "ready" or "live" check of "health" says how the workload is with it', False),
            ("nothing is renewed", plain + RENEWED.replace("refresh: {interval: 5m}, grace: GRACE", "start-deadline: 5s") + CHECKS, None, None),
            ("no identity", plain + "\nsecrets: {refresh: {interval: 5m}, items: [{name: a, from: /a, file: {path: a}}]}\n" + CHECKS, None, None)):
        write("renewed.yaml", text)
        lines = [line.split(maxsplit=1)[1] for line in lazaret("policy", "check", "renewed.yaml", expect=0).stdout.splitlines()
                 if line.startswith("  rollback ")]
        check_equal(lines, [said] if said else [], what)
        found = json.loads(lazaret("policy", "check", "--json", "renewed.yaml", expect=0).stdout)["policies"][0]
        check_equal(found.get("rollback"), goes, what)


@case("the compiled policy has the commands and the section, and is another one for each word of them")
def compiled():
    write("health.yaml", WEB + HEALTH)
    lazaret("policy", "compile", "health.yaml", "-o", "one.img", expect=0)
    write("health.yaml", WEB + HEALTH.replace("--ping", "--pong"))
    lazaret("policy", "compile", "health.yaml", "-o", "two.img", expect=0)
    one, two = ((FOLDER / name).read_bytes() for name in ("one.img", "two.img"))
    check(b"\x04\0\0\0/usr/bin/app\0--ping\x001\0a b\0" in one, "the words of the command")
    check(b"--ping" not in two and b"--pong" in two, "the other policy's")
    check(b"claims.Api\0" in one, "the section")


@case("a probe that is asked in other words says which were meant, on one line, and fails")
def probe_words():
    usage = "usage: lazaret-init probe live|ready|startup [--timeout 2s]"
    time = "health: --timeout takes a number and its unit, such as 2s or 500ms, at most 60s, not "
    for words, said in ((["alive"], f'health: nobody is asked "alive" (did you mean live?); {usage}'),
                        (["healthy"], f'health: nobody is asked "healthy" (did you mean live?); {usage}'),
                        (["Readiness"], f'health: nobody is asked "Readiness" (did you mean ready?); {usage}'),
                        (["started"], f'health: nobody is asked "started" (did you mean startup?); {usage}'),
                        (["x\n\033" + 90 * "y"], f'health: nobody is asked "x??{29 * "y"}"; {usage}'),
                        ([], usage), ([""], usage), (["live", "--timeout=2s"], usage), (["live", "--timeout"], usage),
                        (["live", "2s"], usage), (["live", "--timeout", "2s", "more"], usage),
                        (["live", "--timeout", "2"], time + '"2"'), (["live", "--timeout", "61s"], time + '"61s"'),
                        (["live", "--timeout", "0s"], time + '"0s"'), (["live", "--timeout", ""], time + '""')):
        done = subprocess.run([laz.BIN / "lazaret-init", "probe", *words], capture_output=True, text=True, timeout=60, check=False)
        check_equal((done.returncode, done.stdout, done.stderr), (1, said + "\n", ""), f"probe {words}")


laz.main()
