# SPDX-License-Identifier: Apache-2.0
"""lazaret policy ...: what it prints, in both forms, and what it returns, against policies written here.

lazaret(1) and lazaret-policy(5) are held against the program: no option without a case, no page that the
field table does not say.
"""
import hashlib
import json
import re
import subprocess
import sys

import laz
from cli import (BAD, FOLDER, LAZARET, MACHINE, PAGE, WEB, as_json, check_page, exercised, lazaret, no_strays, web,
                 where, write)
from laz import case, check, check_equal

sys.path.insert(0, str(laz.ROOT / "docs" / "man"))
import policy_page  # noqa: E402  the page's generator lives with the page


# ---- Command line ----


@case("--version and --help print and return 0; each command's help names exactly its options")
def helps():
    check(re.fullmatch(r"lazaret \d+\.\d+\.\d+\n", lazaret("--version", expect=0).stdout), "version")
    overview = lazaret("--help", expect=0).stdout
    check_equal(lazaret("-h", expect=0).stdout, overview, "-h")
    commands = re.findall(r"^  ((?:policy )?\w+)  +\S", overview, re.MULTILINE)
    synopsis = PAGE[PAGE.index(".Sh SYNOPSIS"):PAGE.index(".Sh DESCRIPTION")]
    check_equal(set(commands), set(re.findall(r"^\.Cm ((?:policy )?\w+)$", synopsis, re.MULTILINE)), "commands of the overview, of the manual")
    check("doctor" not in lazaret("policy", "--help", expect=0).stdout.split("--help")[0], "policy --help")
    for command in commands:
        text = lazaret(*command.split(), "--help", expect=0).stdout
        check_equal(lazaret(*command.split(), "-h", expect=0).stdout, text, f"{command} -h")
        # Words of options stand below each other, or in the next line; no line ends with a blank.
        crooked = [row for row in re.findall(r"^  -.*|.* $", text, re.MULTILINE) if not re.fullmatch(r"  --\S+ \S+|.{21} \S.*\S", row)]
        check_equal(crooked, [], f"{command} --help")
        known = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", text, re.MULTILINE))
        for option in ("--json", "--arch=x86-64", "--root=/", "--output=x", "--running", "--no-logs", "--anchor=x", "--digest-key=x", "--key=x", "--help",
                       "--nonsense"):
            refused = "has no option" in lazaret(*command.split(), option).stderr
            check_equal(refused, option.split("=")[0] not in known, f"{command} {option}")


@case("a wrong command line returns 2, says what is wrong, and prints nothing else")
def usage():
    web()
    rows = [
        ([], "no command"), (["polcy"], "did you mean"),
        (["policy", "cheque"], 'did you mean "policy check"?'), (["check", "x"], 'did you mean "policy check"?'),
        (["doctr"], 'did you mean "doctor"?'), (["policy", "help"], "there are policy check, policy explain"),
        (["policy"], "policy needs a command; there are policy check"), (["--json", "policy"], "there are policy check"),
        (["policy", "check"], "needs FILE"), (["policy", "explain", "web.yaml", "socket", "x"], 'what to do with "x"'),
        (["policy", "schema", "x"], 'what to do with "x"'), (["doctor", "a", "b"], 'what to do with "b"'),
        (["policy", "test", "--arch", "mips", "web.yaml"], 'unknown architecture "mips"'),
        (["policy", "test", "web.yaml", "--arch"], "--arch needs a value"), (["policy", "test", "web.yaml", "--arch="], "--arch needs a value"),
        (["policy", "test", "web.yaml", "--json=1"], "--json takes no value"),
        (["policy", "compile", "web.yaml"], "needs -o IMAGE"),
        (["policy", "explain", "web.yaml", "opnat"], 'did you mean "openat"?'),
        (["policy", "explain", "web.yaml", "CAP_CHWON"], 'did you mean "CAP_CHOWN"?'),
        (["policy", "explain", "web.yaml", "net_admin"], 'did you mean "CAP_NET_ADMIN"?'),
        (["policy", "explain", "web.yaml", "0"], '"0": TCP ports are 1 to 65535'),
        (["policy", "explain", "web.yaml", "65536"], '"65536": TCP ports are 1 to 65535'),
        (["policy", "explain", "web.yaml", "tcp-bind:0"], '"tcp-bind:0": TCP ports are 1 to 65535'),
        *((["policy", "explain", "web.yaml", port], "Landlock knows TCP ports alone") for port in ("53/udp", "udp:53")),
        (["policy", "explain", "web.yaml", "80/sctp"], "behind a port stands /tcp or nothing"),
        (["policy", "explain", "web.yaml", "db.local:5432"], "not addresses: ask for 5432, tcp-bind:5432 or"),
        (["policy", "explain", "web.yaml", "[::1]:80"], "rules know ports, not addresses"),
        (["policy", "explain", "web.yaml", "tcp-bind:"], "no system call"),
        (["policy", "explain", "web.yaml", "8000-8010"], "no system call"),
        (["policy", "explain", "web.yaml", "app/data"], 'begin with "/"'),
        (["policy", "explain", "web.yaml", "/usr/../etc"], "name the path without"),
        (["policy", "explain", "web.yaml", "//usr"], "name the path without"),
        (["policy", "explain", "web.yaml", "/usr/."], "name the path without"),
    ]
    for words, message in rows:
        done = subprocess.run([LAZARET, *words], cwd=FOLDER, capture_output=True, text=True, check=False)
        check_equal(done.returncode, 2, f"exit code of {words}")
        check_equal(done.stdout, "", f"output of {words}")
        check(done.stderr.startswith("lazaret: error: bad-option: ") and message in done.stderr,
              f"{words}: {done.stderr}")
        check("\nlazaret: remedy: " in done.stderr, f"{words}: no remedy")


@case("options may stand anywhere; -- ends them")
def order():
    web()
    plain = lazaret("policy", "explain", "web.yaml", "bpf", "--arch", "aarch64", expect=0).stdout
    for words in (["--arch=aarch64", "web.yaml", "bpf"], ["web.yaml", "--arch", "aarch64", "--", "bpf"]):
        check_equal(lazaret("policy", "explain", *words, expect=0).stdout, plain, f"{words}")
    write("--json", WEB)
    check("--json: fine" in lazaret("policy", "check", "--", "--json", expect=0).stdout, "a file named --json")


@case("a full device is an error, not a silent success")
def full():
    with open("/dev/full", "w", encoding="ascii") as device:
        done = subprocess.run([LAZARET, "policy", "schema"], stdout=device, stderr=subprocess.PIPE,
                              text=True, check=False)
    check_equal(done.returncode, 1, "exit code")
    check("lazaret: error: system-error: standard output: " in done.stderr, done.stderr)


# ---- check ----


@case("check: all findings of all files, in order, each with line, caret and suggestion; 1")
def check_bad():
    write("bad.yaml", BAD)
    web()
    done = lazaret("policy", "check", "bad.yaml", "web.yaml", expect=1)
    lines = done.stderr.splitlines()
    check_equal(lines[:3], ['bad.yaml:2:1: error: unknown key "nome" (did you mean "name"?)', "    nome: oops", "    ^"],
                "first finding")
    check('bad.yaml:5:20: error: syscalls.allow[0]: unknown system call "opnat" (did you mean "openat"?)' in lines,
          done.stderr)
    check("lazaret: error: policy-invalid: bad.yaml: 2 errors" in lines, done.stderr)
    check(done.stdout.startswith("web.yaml: fine\n"), f"the good file: {done.stdout}")
    data = as_json("policy", "check", "bad.yaml", "web.yaml", expect=1)
    check_equal((data["ok"], [p["ok"] for p in data["policies"]]), (False, [False, True]), "ok")
    bad = data["policies"][0]
    check_equal([(d["severity"], d["line"], d["col"]) for d in bad["diagnostics"]],
                [("error", 2, 1), ("error", 5, 20)], "positions")
    check_equal(bad["error"]["name"], "policy-invalid", "error")
    check_equal("digest" in bad, False, "a digest of a policy that is none")


@case("check: a fine policy returns 0 with digest, counts that add up, relaxations by name, and warnings")
def check_fine():
    data = as_json("policy", "check", web())["policies"][0]
    digest = hashlib.sha256()
    for text in (WEB.encode(), (laz.ROOT / "policies/builtin/web-api.yaml").read_bytes()):
        digest.update(len(text).to_bytes(8, "little") + text)
    check_equal(data["digest"], digest.hexdigest(), "digest")
    check_equal(data["sources"], ["web.yaml", "builtin/web-api"], "sources")
    check_equal((data["name"], data["mode"], data["uid"], data["gid"], data["tests"]),
                ("claims-api", "enforce", 10001, 10001, 4), "facts")
    check_equal(data["relaxations"], [{"name": "capability: CAP_NET_BIND_SERVICE", "at": where("NET_BIND_SERVICE")}],
                "relaxations")
    table = (laz.ROOT / "lib/policy/tables/syscalls.def").read_text(encoding="utf-8")
    numbers = re.findall(r"^LAZ_SYSCALL\(\w+, (-?\d+), (-?\d+),", table, re.MULTILINE)
    for i, found in enumerate(data["filters"]):
        calls = dict(found["calls"])
        conditional = calls.pop("conditional")
        check_equal(found["arch"], ["x86-64", "aarch64"][i], "architecture")
        check_equal(sum(calls.values()), sum(int(row[i]) >= 0 for row in numbers), "calls of the table")
        check(calls["kill"] == 1 and 0 < conditional < calls["allow"], f"{found}")
        check(0 < found["longest_path"] < found["instructions"] < 260, f"{found}")
        check(found["points_proved"] > 2048, f"{found}")
    done = lazaret("policy", "check", "web.yaml", expect=0)
    check(digest.hexdigest() in done.stdout and f"({where('NET_BIND_SERVICE')})" in done.stdout, done.stdout)
    check(f"{where('NET_BIND_SERVICE')}: warning: " in done.stderr, f"the warning: {done.stderr}")
    check_equal([d["severity"] for d in data["diagnostics"]], ["warning"], "diagnostics")


SINKS = """
sinks:
  - {name: trail, type: file, path: /var/log/trail.jsonl, required: true}
  - {name: console, type: stdout, classes: [ids, log]}
  - {name: siem, type: syslog, transport: udp, to: "10.0.0.1:514", plain: true, min-severity: 4}
logs: {redact: {patterns: [pan]}, when-full: block}
"""


@case("check and explain: each sink with what its acknowledgement is worth; what is captured, and when it is full")
def sinks():
    write("sinks.yaml", WEB + SINKS)
    found = as_json("policy", "check", "sinks.yaml")["policies"][0]
    check_equal([(sink["name"], sink["type"], sink["required"], sink["classes"]) for sink in found["sinks"]],
                [("trail", "file", True, ["audit", "ids"]), ("console", "stdout", False, ["ids", "log"]),
                 ("siem", "syslog", False, ["audit", "ids"])], "sinks")
    begins = ["acked means written and synced", "never acked", "acked means sent"]
    for sink, begin in zip(found["sinks"], begins):
        check(sink["guarantee"].startswith(begin), f"{sink}: {begin}")
    check("sinks: siem is not encrypted" in [r["name"] for r in found["relaxations"]], f"{found['relaxations']}")
    text = lazaret("policy", "check", "sinks.yaml", expect=0).stdout
    for line in ("  sinks       trail (file, required): acked means ", "              console (stdout): never acked: "):
        check(f"\n{line}" in text, f"{line}: {text}")
    facts = as_json("policy", "explain", "sinks.yaml")["facts"]
    check_equal([fact["text"] for fact in facts["sinks"]],
                ["trail: audit+ids appended to /var/log/trail.jsonl, required",
                 "console: ids+log to the container's standard output",
                 "siem: audit+ids from severity 4 to 10.0.0.1 port 514 by syslog over udp, NOT encrypted"], "sinks")
    check_equal([fact["text"] for fact in facts["redacted"]], ["pan"], "redacted")
    check(facts["captured"][0]["text"].startswith("standard output and error"), f"{facts['captured']}")
    check(facts["when full"][0]["text"].startswith("the workload waits"), f"{facts['when full']}")
    check(facts["sealed to"][0]["text"].startswith("nobody"), f"{facts['sealed to']}")
    check_equal(as_json("policy", "explain", web())["facts"]["sinks"][0]["text"], "none", "without sinks")


@case("check: runs the policy's tests on every architecture: each that fails is a finding at its line; 1")
def check_tests():
    text = WEB.replace("{call: bpf, expect: kill}", "{call: bpf, expect: notify, errno: EACCES}")
    text += "  - {call: open, expect: kill}\n"
    write("broken.yaml", text)
    done = lazaret("policy", "check", "broken.yaml", expect=1)
    check_equal(done.stdout, "", "output")
    wanted = [where("NET_BIND_SERVICE", name="broken.yaml") + ": warning: ",
              "broken.yaml:21:5: error: tests: bpf(): expected notify EACCES, seen kill",
              "broken.yaml:23:5: error: tests: open(): expected kill, seen allow on x86-64",
              "lazaret: error: policy-test-failed: broken.yaml: 2 of 5 tests failed"]
    seen = [line for line in done.stderr.splitlines() if ": error: " in line or ": warning: " in line]
    check_equal(len(seen), len(wanted), f"findings: {done.stderr}")
    for line, begin in zip(seen, wanted):
        check(line.startswith(begin), f"{line}: {begin}")
    found = as_json("policy", "check", "broken.yaml", expect=1)["policies"][0]
    check_equal((found["ok"], found["error"]["name"], [d["name"] for d in found["diagnostics"][1:]]),
                (False, "policy-test-failed", ["policy-test-failed"] * 2), "JSON")
    write("observe.yaml", text.replace("limits:", "mode: observe\nlimits:"))
    check("observe.yaml: 2 of 5 tests failed" in lazaret("policy", "check", "observe.yaml", expect=1).stderr, "observe")
    check("tests passed: 4\n" in lazaret("policy", "check", web(), expect=0).stdout, "tests that hold")


@case("check: what only the compiled form cannot hold is a finding too")
def check_ceilings():
    groups = ", ".join(f'"{n}"' for n in range(100, 165))
    write("groups.yaml", WEB.replace("  cwd: /app", f"  groups: [{groups}]\n  cwd: /app"))
    name = as_json("policy", "check", "groups.yaml", expect=1)["policies"][0]["error"]["name"]
    check_equal(name, "policy-too-large", "too many groups")


@case("spool read, beside what spool_test shows of it: a key that is none, a folder that is none, nothing at all")
def no_spool():
    (FOLDER / "spool").mkdir()
    write("no.key", "nothing\n")
    done = lazaret("spool", "read", "--list", "spool", expect=0)
    check_equal(done.stdout + done.stderr, "", "output about nothing")
    done = lazaret("spool", "read", "--key", "no.key", "spool", expect=1)
    check("error: spool-failed: no.key: it is no private key" in done.stderr, f"a key that is none: {done.stderr}")
    done = lazaret("spool", "read", "--list", "no.key", expect=1)
    check("no.key: Not a directory" in done.stderr, f"a folder that is none: {done.stderr}")
    done = lazaret("spool", "read", "spool", expect=2)
    check("needs --key FILE, or --list" in done.stderr, f"neither: {done.stderr}")
    done = lazaret("spool", expect=2)
    check("spool needs a command" in done.stderr, f"a group alone: {done.stderr}")


@case("verify, beside what trail_test shows of it: no trail is a finding, and an anchor has one form")
def no_trail():
    write("no.trail", "nothing\n")
    done = lazaret("verify", "no.trail", expect=1)
    check_equal(done.stdout, "lines that are no records: 1\nthere is no record of any chain: this is no audit trail\n",
                "output")
    anchor = f"{'0' * 32}:7:{'f' * 64}"
    answer = as_json("verify", "--running", "--no-logs", "--anchor", anchor, "no.trail", expect=1)
    check_equal(answer["chains"][0]["completeness"], "truncated", "the anchor's chain")
    for wrong in ("x", anchor[1:], anchor + "0", anchor.replace(":7:", ":-7:")):
        done = lazaret("verify", "--anchor", wrong, "no.trail", expect=2)
        check(f'--anchor: "{wrong}" is not CHAIN:SEQ:H' in done.stderr, f"{wrong}: {done.stderr}")


@case("digest, beside what digest_test shows of it: a folder of nothing, and keys that are none")
def no_digest():
    (FOLDER / "nothing").mkdir()
    for words in ("genpkey -algorithm ed25519 -out sign.key", "pkey -in sign.key -pubout -out sign.pub"):
        subprocess.run(["openssl", *words.split()], cwd=FOLDER, check=True, capture_output=True)
    check_equal(lazaret("digest", "--key", "sign.key", "nothing", expect=0).stdout,
                "nothing/00000001.digest: 0 files that are new or have grown\n", "a digest of nothing")
    out = lazaret("verify", "--digest-key", "sign.pub", "nothing", expect=1).stdout
    check("digests: 1, each follows" in out and "there is no record of any chain" in out, out)
    write("no.trail", "nothing\n")
    for words in (("digest", "--key", "no.trail", "."), ("verify", "--digest-key", "no.trail", "no.trail")):
        done = lazaret(*words, expect=2)
        check("bad-option: no.trail: it is no Ed25519" in done.stderr, f"{words}: {done.stderr}")


@case("a file that is not there: 1, policy-absent, by every command")
def absent():
    for words in (["check"], ["explain"], ["test"], ["compile", "-o", "x.img"]):
        done = lazaret("policy", *words, "absent.yaml", expect=1)
        check(done.stderr.startswith("lazaret: error: policy-absent: "), f"{words}: {done.stderr}")
        check_equal(done.stdout, "", f"{words}: output")
    check_equal(as_json("policy", "test", "absent.yaml", expect=1)["error"]["name"], "policy-absent", "JSON")


@case("secrets rotate is about one item or about all: 2 for neither and for both, and nobody is asked")
def rotate_whom():
    for words in ((), ("--all", "db-password")):
        done = lazaret("secrets", "rotate", *words, expect=2)
        check("bad-option: secrets rotate needs NAME or --all" in done.stderr, f"{words}: {done.stderr}")


@case("a compiled policy where YAML is needed: 1, policy-compiled, by every command; also as a parent")
def compiled():
    lazaret("policy", "compile", web(), "-o", "web.img", expect=0)
    for words in (["policy", "check"], ["policy", "explain"], ["policy", "test"], ["policy", "compile", "-o", "x.img"],
                  ["doctor", "--connect"]):
        done = lazaret(*words, "web.img", expect=1)
        lines = [line for line in done.stderr.splitlines() if line.startswith("lazaret: ")]
        check_equal(lines, ["lazaret: error: policy-compiled: web.img is a compiled policy",
                            "lazaret: remedy: Name the YAML that it was compiled from; a compiled policy is for "
                            "lazaret-init alone (--policy)."], f"{words}: {done.stderr}")
    write("child.yaml", WEB.replace("builtin/web-api", "web.img"))
    check("child.yaml:3:11: error: extends[0]: web.img is a compiled policy\n"
          in lazaret("policy", "check", "child.yaml", expect=1).stderr, "as a parent")


@case("links are followed: to the policy, and to its parents beside the link")
def links():
    write("real/base.yaml", "version: 1\nextends: [builtin/web-api]\n")
    write("real/web.yaml", WEB.replace("builtin/web-api", "base.yaml"))
    (FOLDER / "mount").mkdir(exist_ok=True)
    for name in ("base.yaml", "web.yaml"):
        (FOLDER / "mount" / name).symlink_to(f"../real/{name}")
    digests = [as_json("policy", "check", f"{f}/web.yaml")["policies"][0]["digest"] for f in ("real", "mount")]
    check_equal(digests[0], digests[1], "digests")


@case("--root: users by name come from that root file system, by every command that loads a policy")
def root():
    write("image/etc/passwd", "app:x:4242:4343::/:/bin/false\n")
    write("image/etc/group", "app:x:4343:\n")
    web("named.yaml", user=('"10001:10001"', "app"))
    check("uid" not in as_json("policy", "check", "named.yaml", expect=1)["policies"][0], "a user of nowhere")
    found = as_json("policy", "check", "--root", "image", "named.yaml")["policies"][0]
    check_equal((found["uid"], found["gid"]), (4242, 4343), "check")
    explained = as_json("policy", "explain", "--root=image/", "named.yaml")
    check_equal(explained["facts"]["user"][0]["text"], "4242:4343", "explain")
    check_equal(as_json("policy", "test", "--root=image", "named.yaml")["failed"], 0, "test")
    check_equal(as_json("policy", "compile", "--root=image", "named.yaml", "-o", "named.img")["ok"], True, "compile")


# ---- explain ----


def explained(operand, policy="web.yaml", **more):
    data = as_json("policy", "explain", policy, operand, **more)
    check_equal([line["layer"] for line in data["layers"]],
                ["platform filter", "seccomp", "Landlock", "capabilities", "no_new_privs"], "layers")
    data["layer"] = {line["layer"]: line["text"] for line in data["layers"]}
    return data


@case("explain SYSCALL: decision, rule with its line, layers, errno")
def explain_call():
    web()
    killed = explained("bpf")
    check_equal((killed["decision"], killed["sees"]), ("refused", "its end by SIGSYS"), "bpf")
    check_equal([(r["action"], r["at"]) for r in killed["rules"]], [("kill", where("bpf], action"))], "rule of bpf")
    check("CAP_BPF is asked for by some uses; the policy does not keep it" in killed["layer"]["capabilities"], "bpf")
    refused = explained("ptrace")
    check_equal((refused["decision"], refused["sees"], refused["rules"][0]["errno"]), ("refused", "EPERM", "EPERM"),
                "ptrace")
    check_equal(refused["rules"][0]["text"], "by default: nothing allows it", "why ptrace is refused")
    check("debug (never granted as a group)" in [g["text"] for g in refused["facts"]["groups"]], "groups of ptrace")
    silent = explained("clone3")
    check_equal((silent["rules"][0]["action"], silent["sees"]), ("errno", "ENOSYS"), "clone3")
    allowed = explained("openat")
    check_equal((allowed["decision"], allowed["sees"]), ("allowed", "what the kernel answers"), "openat")
    check("the path decides" in allowed["layer"]["Landlock"], "openat")
    socket = explained("socket")
    check_equal(socket["decision"], "depends on the arguments", "socket")
    check_equal([r["rule"] for r in socket["rules"]], ["guard", "otherwise"], "rules of socket")
    check("domain is AF_UNIX (builtin/web-api:" in socket["rules"][0]["text"], socket["rules"][0]["text"])
    prctl = explained("prctl")["rules"]
    check_equal([(r["rule"], r["action"]) for r in prctl], [("allow", "allow"), ("otherwise", "notify")], "rules of prctl")
    check(prctl[0]["text"].startswith("if option is one of PR_"), prctl[0]["text"])
    clone = explained("clone")["rules"][0]
    check_equal((clone["rule"], clone["errno"]), ("refuse", "EPERM"), "clone")
    check("flags has one of CLONE_NEW" in clone["text"], clone["text"])
    execve = explained("execve")
    check("from attempt 2 on, its own start included, EPERM" in execve["sees"], execve["sees"])
    check("setuid bits" in execve["layer"]["no_new_privs"], "execve")


@case("explain SYSCALL: every operator of the language in words")
def explain_operators():
    rows = [
        ("arg: cmd, eq: TIOCSTI", "if cmd is TIOCSTI"), ("arg: cmd, in: [TIOCSTI, 7]", "if cmd is one of 7, TIOCSTI"),
        ("arg: cmd, not-in: [TIOCSTI, 7]", "if cmd is none of 7, TIOCSTI"), ("arg: cmd, not-in: [7]", "if cmd is not 7"),
        ("arg: prot, any-flags: PROT_EXEC", "if prot has PROT_EXEC"),
        ("arg: prot, any-flags: [PROT_EXEC, PROT_READ]", "if prot has one of PROT_READ, PROT_EXEC"),
        ("arg: prot, no-flags: [PROT_EXEC]", "if prot has none of PROT_EXEC"),
        ("arg: prot, flags-subset-of: [PROT_READ, PROT_EXEC]", "if prot has no other bits than PROT_READ, PROT_EXEC"),
    ]
    for condition, words in rows:
        call = "ioctl" if "cmd" in condition else "mprotect"
        rule = f"- {{names: [{call}], action: errno, errno: EXDEV, when: {{{condition}}}}}"
        web("operator.yaml", rule=("    - {names: [bpf]", f"    {rule}\n    - {{names: [bpf]"))
        rules = explained(call, policy="operator.yaml")["rules"]
        check_equal([r["text"] for r in rules if r.get("errno") == "EXDEV"], [words], condition)


@case("explain SYSCALL: how much of the filter it takes, never more than its longest path")
def explain_length():
    filters = {f["arch"]: f for f in as_json("policy", "check", web())["policies"][0]["filters"]}
    for arch, call in (("x86-64", "socket"), ("aarch64", "prctl"), ("x86-64", "getpid"), ("aarch64", "getpid")):
        text = as_json("policy", "explain", "--arch", arch, "web.yaml", call)["layers"][1]["text"]
        found = re.search(r"decided after (?:(\d+) to )?(\d+) of the filter's (\d+) instructions", text)
        check(found, text)
        shortest, longest, size = (int(n or found.group(2)) for n in found.groups())
        check(0 < shortest <= longest <= filters[arch]["longest_path"], f"{arch} {call}: {text}")
        check_equal(size, filters[arch]["instructions"], f"{arch} {call}: size")
        check_equal(shortest < longest, call in ("socket", "prctl"), f"{arch} {call}: {text}")
    gone = as_json("policy", "explain", "--arch=aarch64", "web.yaml", "open")
    check_equal(gone["facts"]["number"][0]["text"], "does not exist on aarch64", "open on aarch64")


@case("explain and the emitted filter agree about every call (sample: each eighth)")
def explain_agrees():
    table = (laz.ROOT / "lib/policy/tables/syscalls.def").read_text(encoding="utf-8")
    names = re.findall(r"^LAZ_SYSCALL\((\w+),", table, re.MULTILINE)
    web()
    tests = []
    for name in names if laz.LONG else names[::8]:
        rules = explained(name)["rules"]
        if len(rules) == 1:
            errno = f", errno: {rules[0]['errno']}" if "errno" in rules[0] else ""
            tests.append(f"  - {{call: {name}, expect: {rules[0]['action']}{errno}}}\n")
    check(len(tests) > 30, f"only {len(tests)} calls without conditions")
    write("agree.yaml", WEB[:WEB.index("tests:")] + "tests:\n" + "".join(tests))
    for arch in ("x86-64", "aarch64"):
        data = as_json("policy", "test", "--arch", arch, "agree.yaml")
        check_equal(data["passed"] + data["skipped"], len(tests), f"{arch}: {data}")


@case("explain: every call of the layers table has its line")
def explain_layers():
    rows = (laz.ROOT / "cli/layers.def").read_text(encoding="utf-8")
    needs = dict(re.findall(r'^LAZ_NEEDS\("(\w+)", (\w+),', rows, re.MULTILINE))
    watched = re.findall(r'^LAZ_WATCHES\("(\w+)",', rows, re.MULTILINE)
    check(len(needs) > 50 and len(watched) > 30, "the table was not read")
    for name in sorted({*needs, *watched} if laz.LONG else {*list(needs)[::6], *watched[::4]}):
        layer = explained(name)["layer"]
        check_equal(layer["capabilities"].split()[0], needs.get(name, "none"), f"{name}: capability")
        check_equal("says nothing" not in layer["Landlock"], name in watched, f"{name}: {layer['Landlock']}")


@case("explain PATH: the rules that cover it add up; what none covers is EACCES")
def explain_path():
    web()
    rows = [
        ("/usr/bin/env", "read, execute", ["read-exec under /usr"]), ("/usr", "read, execute", ["read-exec under /usr"]),
        ("/usrlocal", "refused", ["no rule covers it"]), ("/root", "refused", ["no rule covers it"]),
        ("/app/cache/x", "read, write", ["read under /app", "write under /app/cache"]),
        ("/app/x", "read", ["read under /app"]),
        ("/opt/java/bin/java", "read, execute", ["read-exec under /opt/java, if it exists"]),
        ("/", "refused", ["no rule covers it"]),
    ]
    for path, decision, rules in rows:
        data = explained(path)
        if decision != "refused":
            decision = f"Landlock grants {decision}; file permissions still apply"
        check_equal((data["kind"], data["decision"]), ("path", decision), path)
        check_equal(sorted(r["text"] for r in data["rules"]), sorted(rules), path)
        check_equal("EACCES" == data["sees"], decision == "refused", path)
    data = explained("/app/cache/x")
    check_equal({r["at"] for r in data["rules"]}, {where("/app, /etc"), where("/app/cache")}, "positions")
    check("write-file" in data["layer"]["Landlock"] and "execute" not in data["layer"]["Landlock"], f"{data['layer']}")
    check("count for uid 10001" in data["layer"]["capabilities"], "modes")
    web("off.yaml", mode=("limits:", "requires: {landlock: disabled}\nlimits:"))
    check_equal(explained("/root", policy="off.yaml")["decision"],
                "not restricted by Landlock; file permissions still apply", "Landlock disabled")
    web("root.yaml", keep=("[NET_BIND_SERVICE]", "[DAC_OVERRIDE]"))
    check_equal(explained("/etc", policy="root.yaml")["decision"],
                "Landlock grants read; file permissions do not bind (CAP_DAC_OVERRIDE)", "a capability")


@case("explain PORT: bind and connect, by list or by any; a port may be written as others write it")
def explain_port():
    web()
    rows = [("8080", "bind granted, connect refused"), ("443", "bind granted, connect granted"),
            ("5432", "bind refused, connect granted"), ("22", "bind refused, connect refused")]
    for port, decision in rows:
        check_equal(explained(port)["decision"], decision, port)
    for operand in (":443", "443/tcp", "tcp:443"):
        data = explained(operand)
        check_equal((data["decision"], data["subject"]), ("bind granted, connect granted", operand), operand)
    rows = [("tcp-bind:8080", "bind granted", "bind: tcp-bind lists 8080"),
            ("tcp-bind:5432", "bind refused", "bind: tcp-bind does not list it"),
            ("tcp-connect:5432", "connect granted", "connect: tcp-connect lists 5432"),
            ("tcp-connect:8080/tcp", "connect refused", "connect: tcp-connect does not list it")]
    for operand, decision, rule in rows:
        data = explained(operand)
        check_equal((data["decision"], [r["text"] for r in data["rules"]]), (decision, [rule]), operand)
    check_equal([r.get("at") for r in explained("5432")["rules"]], [None, where("5432")], "positions")
    check("which the policy keeps" in explained("443")["layer"]["capabilities"], "a low port")
    check_equal(explained("8080")["layer"]["capabilities"], "none is asked for", "a high port")
    web("any.yaml", ports=("tcp-connect: [443, 5432]", "tcp-connect: any"))
    data = explained("22", policy="any.yaml")
    check_equal(data["decision"], "bind refused, connect granted", "any")
    check(data["rules"][1]["at"].startswith("any.yaml:14:"), f"{data['rules']}")


@case("explain CAPABILITY: with and without CAP_, kept and dropped")
def explain_capability():
    web()
    kept = explained("NET_BIND_SERVICE")
    check_equal((kept["subject"], kept["decision"], kept["rules"][0]["at"]),
                ("CAP_NET_BIND_SERVICE", "kept", where("NET_BIND_SERVICE")), "kept")
    check("ambient" in kept["layer"]["capabilities"], "kept")
    dropped = explained("CAP_SYS_CHROOT")
    check_equal((dropped["decision"], dropped["sees"]), ("dropped", "EPERM wherever the kernel asks for it"), "dropped")
    check_equal(dropped["layer"]["seccomp"], "chroot refused with EPERM and an event", "calls that ask for it")


@case("explain FILE: the whole policy, each value with its line; text and JSON say the same")
def explain_policy():
    data = as_json("policy", "explain", web())
    facts = data["facts"]
    check_equal((data["kind"], data["subject"], "decision" in data), ("policy", "claims-api", False), "head")
    check_equal(facts["user"], [{"text": "10001:10001", "at": where('"10001:10001"')}], "user")
    check_equal([f["text"] for f in facts["tcp-connect"]], ["443", "5432"], "ports")
    check_equal([f["text"] for f in facts["families"]], ["unix", "inet", "inet6", "netlink-route"], "families")
    check_equal(facts["killed"], [{"text": "bpf", "at": where("bpf], action")}], "killed")
    check({"text": "/app/cache", "at": where("/app/cache")} in facts["write"], f"{facts['write']}")
    check({"text": "open-files 4096", "at": where("4096")} in facts["limits"], f"{facts['limits']}")
    check("socket" in [f["text"] for f in facts["on conditions"]], "conditions")
    text = lazaret("policy", "explain", "web.yaml", expect=0).stdout
    flat = " ".join(text.split())
    for key, values in facts.items():
        for value in values:
            check(value["text"] in flat, f"{key}: {value['text']} is not in the text")
    check(max(map(len, text.splitlines())) <= 100, "the text is wider than 100 columns")


# ---- test ----


@case("test: each line with position, expected and seen; a broken one returns 1")
def policy_test():
    data = as_json("policy", "test", web())
    check_equal((data["ok"], data["passed"], data["failed"], data["skipped"]), (True, 4, 0, 0), "all pass")
    check_equal([t["seen"] for t in data["tests"]], ["notify EPERM", "allow", "kill", "errno ENOSYS"], "seen")
    web("broken.yaml", one=("{call: bpf, expect: kill}", "{call: bpf, expect: notify, errno: EACCES}"))
    done = lazaret("policy", "test", "broken.yaml", expect=1)
    check("FAILED  broken.yaml:21:5: bpf(): expected notify EACCES, seen kill\n" in done.stdout, done.stdout)
    check("ok      broken.yaml:19:5: socket(domain=AF_VSOCK): expected notify, seen notify EPERM\n" in done.stdout,
          done.stdout)
    check("broken.yaml: 3 passed, 1 failed, 0 skipped" in done.stdout, done.stdout)
    web("errno.yaml", one=("errno: ENOSYS}", "errno: EPERM}"))
    check_equal(as_json("policy", "test", "errno.yaml", expect=1)["failed"], 1, "only the errno differs")


@case("test: --arch chooses the filter; what an architecture lacks is skipped and counted")
def policy_test_arch():
    extra = "  - {call: open, expect: allow}\n  - {call: getpid, abi: i386, expect: notify, errno: ENOSYS}\n" \
            "  - {call: getpid, abi: x32, expect: notify}\n  - {call: getpid, abi: arm, expect: notify}\n"
    write("arch.yaml", WEB + extra)
    for arch, counts in (("x86-64", (7, 0, 1)), ("aarch64", (5, 0, 3))):
        data = as_json("policy", "test", "--arch", arch, "arch.yaml")
        check_equal((data["passed"], data["failed"], data["skipped"]), counts, f"{arch}: {data}")
        check_equal(data["arch"], arch, "arch")


@case("mode observe: the tests tell what enforcement would do, explain what is let through")
def policy_test_observe():
    web("observe.yaml", mode=("limits:", "mode: observe\nlimits:"))
    check_equal(as_json("policy", "test", "observe.yaml")["passed"], 4, "observe")
    lifted = "; what would be refused is let through with an event, in mode observe"
    rows = [("ptrace", f"what the kernel answers{lifted}"), ("clone3", "ENOSYS"), ("read", "what the kernel answers"),
            ("mount", f"EPERM, from the kernel: the capability is not kept{lifted}"),
            ("socket", f"what the kernel answers{lifted}")]
    for call, sees in rows:
        check_equal(explained(call, policy="observe.yaml")["sees"], sees, call)
    sees = explained("execve", policy="observe.yaml")["sees"]
    check("from attempt 2 on, its own start included, an exec.budget event" in sees, sees)


# ---- compile ----


@case("compile: the image has mode 0644 under any umask, and the three digests")
def compile_image():
    done = as_json("policy", "compile", web(), "-o", "web.img", umask=0o077)
    image = FOLDER / "web.img"
    check_equal(oct(image.stat().st_mode & 0o7777), "0o644", "mode")
    check_equal(done["image_digest"], hashlib.sha256(image.read_bytes()).hexdigest(), "image digest")
    check_equal(done["source_digest"], as_json("policy", "check", "web.yaml")["policies"][0]["digest"], "source digest")
    check_equal((done["size"], done["arch"]), (image.stat().st_size, MACHINE), "size and architecture")
    check_equal(image.read_bytes()[:8], b"LAZPOLIC", "magic")
    text = lazaret("policy", "compile", "web.yaml", "--output=again.img", expect=0).stdout
    check(all(done[d] in text for d in ("source_digest", "image_digest", "filter_digest")), text)
    check_equal((FOLDER / "again.img").read_bytes(), image.read_bytes(), "a second compilation")
    no_strays()


@case("compile: --arch makes another image of the same source")
def compile_arch():
    web()
    digests = [as_json("policy", "compile", "web.yaml", "--arch", arch, "-oarch.img")
               for arch in ("x86-64", "aarch64")]
    check_equal(digests[0]["source_digest"], digests[1]["source_digest"], "source")
    check(digests[0]["filter_digest"] != digests[1]["filter_digest"], "filters are the same")


@case("compile: a policy that is wrong, or whose tests fail, leaves the old image alone")
def compile_refuses():
    write("kept.img", "old")
    write("bad.yaml", BAD)
    check_equal(as_json("policy", "compile", "bad.yaml", "-o", "kept.img", expect=1)["error"]["name"],
                "policy-invalid", "bad policy")
    web("broken.yaml", one=("{call: bpf, expect: kill}", "{call: bpf, expect: allow}"))
    done = lazaret("policy", "compile", "broken.yaml", "-o", "kept.img", expect=1)
    check("lazaret: error: policy-test-failed: broken.yaml:21:5: " in done.stderr, done.stderr)
    check_equal((FOLDER / "kept.img").read_text(encoding="utf-8"), "old", "the old image")
    no_strays()


@case("compile: written, flushed, renamed, in this order; any failure leaves the old image and nothing else")
def compile_atomic():
    web()
    write("log", "")
    trace = ["strace", "-qq", "-o", "log", "-e", "trace=write,fchmod,fsync,renameat,unlinkat"]
    lazaret("policy", "compile", "web.yaml", "-o", "order.img", expect=0, around=trace)
    calls = re.findall(r"^(\w+)\((\d+)", (FOLDER / "log").read_text(encoding="utf-8"), re.MULTILINE)
    names = [name for name, fd in calls if fd not in "12"]
    check_equal(names, ["write", "fchmod", "fsync", "renameat", "fsync"], "order")
    faults = ["write:error=ENOSPC:when=1", "fchmod:error=EPERM", "fsync:error=EIO:when=1", "renameat:error=EIO"]
    for fault in faults:
        write("kept.img", "old")
        done = lazaret("policy", "compile", "--json", "web.yaml", "-o", "kept.img", expect=1,
                       around=["strace", "-qq", "-o", "log", "-e", f"inject={fault}"])
        check("INJECTED" in (FOLDER / "log").read_text(encoding="utf-8"), f"{fault}: nothing injected")
        check_equal(json.loads(done.stdout)["error"]["name"], "system-error", fault)
        check_equal((FOLDER / "kept.img").read_text(encoding="utf-8"), "old", f"{fault}: the old image")
        no_strays()


@case("compile: a link that waits under the temporary name is not followed")
def compile_trap():
    web()
    write("victim", "old")
    script = 'ln -s victim .trap.img.$$-0 && exec "$@"'
    lazaret("policy", "compile", "web.yaml", "-o", "trap.img", expect=0, around=["sh", "-c", script, "-"])
    check_equal((FOLDER / "victim").read_text(encoding="utf-8"), "old", "what the link led to")
    for trap in FOLDER.glob(".trap.*"):
        check(trap.is_symlink(), f"{trap}")
        trap.unlink()
    check(not (FOLDER / "trap.img").is_symlink(), "the image is the link")


@case("compile: links are replaced, not followed; directories and missing ones are errors")
def compile_targets():
    web()
    write("target", "old")
    link = FOLDER / "link.img"
    link.unlink(missing_ok=True)
    link.symlink_to("target")
    lazaret("policy", "compile", "web.yaml", "-o", "link.img", expect=0)
    check(not link.is_symlink(), "the link is still one")
    check_equal((FOLDER / "target").read_text(encoding="utf-8"), "old", "what the link led to")
    (FOLDER / "folder").mkdir(exist_ok=True)
    for target in ("folder", "folder/", "absent/x.img"):
        done = lazaret("policy", "compile", "web.yaml", "-o", target, expect=1)
        check("lazaret: error: system-error: " in done.stderr, f"{target}: {done.stderr}")
    no_strays()


# ---- schema, reference, pages ----


@case("schema and reference: the same keys; lazaret-policy(5) is made of the reference")
def schema():
    data = json.loads(lazaret("policy", "schema", expect=0).stdout)
    check_equal(lazaret("policy", "schema", "--json", expect=0).stdout,
                lazaret("policy", "schema", expect=0).stdout, "schema --json")
    reference = lazaret("policy", "reference", expect=0).stdout
    keys = {k.split(".")[0].split("[")[0] for k in re.findall(r"^\| `([\w.\[\]-]+)` \|", reference, re.MULTILINE)}
    missing = [k for k in data["properties"] if k not in keys]
    check_equal(missing, [], "keys of the schema that the reference does not have")
    page = (laz.ROOT / "docs/man/lazaret-policy.5").read_text(encoding="utf-8")
    check_equal(page == policy_page.page(reference), True, "docs/man/lazaret-policy.5 is current (policy_page.py)")
    write("example.yaml", policy_page.EXAMPLE)
    check_equal(as_json("policy", "test", "example.yaml")["passed"], 1, "the example of the page")


@case("check --task-definition, beside what task_definition_test shows of it: one policy, and not alone")
def task_definition():
    web()
    data = laz.ROOT / "tests/data/task-definition"
    good, group = data / "lb-grace-short/good.json", data / "lb-grace-short/good-group.json"
    words = ["--task-definition", good, "--target-group", group, "--container", "app"]
    lazaret("policy", "check", data / "policy.yaml", *words, expect=0)
    check("held against one policy, and there are 2" in
          lazaret("policy", "check", "web.yaml", data / "policy.yaml", *words, expect=2).stderr, "two policies")
    for option in ("container", "target-group"):
        check_equal(lazaret("policy", "check", "web.yaml", f"--{option}=app", expect=2).stderr.splitlines()[0],
                    f"lazaret: error: bad-option: --{option} needs --task-definition", "alone")
    done = lazaret("policy", "check", "web.yaml", "--task-definition", good, *["--target-group=a"] * 9, expect=2)
    check("--target-group: at most 8" in done.stderr, done.stderr)


# ---- lazaret(1) ----


@case("every option of lazaret(1) was run by a case above, and no other exists")
def page():
    check_page("policy")
    items = re.findall(r"^\.It Fl (.*)$", PAGE[PAGE.index("The options:"):], re.MULTILINE)
    exercised.update({("oci export", "--strict"), ("oci import", "--capability")})  # by cli_oci; and by protect and secrets_rotate:
    exercised.update({("protect", "--minutes"), ("secrets rotate", "--all")})  # they take somebody who answers
    exercised.update({("install runtime", f"--{o}") for o in ("engine", "default", "divert-runc", "apply", "check", "undo")})  # by install
    listed = {f"-{o}" for item in items for o in re.findall(r"(?:^|, )(-?[\w-]+)", item)}
    check_equal(listed, {o for _, o in exercised}, "options of the list, options that were run")


laz.main()
