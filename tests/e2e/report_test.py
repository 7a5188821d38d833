# SPDX-License-Identifier: Apache-2.0
"""`lazaret report`: what the page and its JSON say is what the records say, and what stands in records stays text."""
import collections
import copy
import html.parser
import json
import re
import subprocess

import area
import cli
import laz
import readme
import ship_world
import trail_forge as forge
import trail_judge
from cli import FOLDER, as_json, lazaret
from laz import case, check, check_equal
from trail_judge import CLOSED, KEYS

EVENTS = laz.ROOT / "docs" / "reference" / "events.md"
SENSE = EVENTS.with_name("sense.md")
CONTROLS = ["164.312(a)(1)", "164.312(a)(2)(i)", "164.312(a)(2)(ii)", "164.312(a)(2)(iii)", "164.312(a)(2)(iv)", "164.312(b)",
            "164.312(c)(1)", "164.312(c)(2)", "164.312(d)", "164.312(e)(1)", "164.312(e)(2)(i)", "164.312(e)(2)(ii)"]
CHROMIUM = "chromium-headless-shell"


class Page(html.parser.HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.head = collections.Counter(), set(), "", 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        self.head += tag == "style"

    def handle_endtag(self, tag):
        self.head -= tag == "style"

    def handle_data(self, data):
        self.text += " " + data if not self.head else ""


def report(path, expect=0):
    """(the JSON, the page) of the same trail."""
    answer = as_json("report", path, expect=expect)
    check_equal(answer["schema"], "lazaret.report/1", "schema")
    check_equal([c["id"] for c in answer["controls"]], CONTROLS, "safeguards")
    check(all(c["limit"] for c in answer["controls"]), "a safeguard without a limit")
    done = lazaret("report", path, expect=expect)
    check_equal(done.stderr, "", "standard error of a page")
    return answer, Page(done.stdout)


def control(answer, name):
    return next(c for c in answer["controls"] if c["id"] == f"164.312{name}")


def write(name, trail):
    (FOLDER / name).write_bytes(trail if isinstance(trail, bytes) else forge.encode(trail))
    return name


def documented(page, ev, act=None):
    """The record of an event that the documentation shows."""
    lines = [line for b in readme.blocks(page) if b.kind in ("json record", "json find") for line in b.text.splitlines()]
    return next(r for r in map(json.loads, lines) if r["ev"] == ev and act in (None, r["act"]))


def trail_of(*told):
    """A whole trail, signed, with these records in it."""
    trail = trail_judge.records(CLOSED, KEYS)
    for record in told:
        new = copy.deepcopy(trail[1])
        new.update({key: record[key] for key in ("ev", "sev", "pid", "exe", "obj", "act", "d")})
        trail.insert(2, new)
    return forge.rewrite(trail, KEYS)


def made(ev, act="", obj="x", sev=6, **d):
    return {"ev": ev, "sev": sev, "pid": 0, "exe": "", "obj": obj, "act": act, "d": d}


@case("of a real run: who started, how it was confined, what was refused, how it ended")
def real():
    world = ship_world.World()
    check_equal(world.outcome("lines=300,60,10", "deny=9", "exit=7"), (7, ""), "exit code, stderr")
    write("trail", world.trail.read_bytes())
    answer, page = report("trail")
    start, = world.records("init.start")
    run, = answer["runs"]
    check_equal((run["start"]["policy"], run["start"]["mode"], run["start"]["program"]), (start["obj"], start["act"], start["exe"]), "start")
    for key in ("read", "probed", "policy_sha256", "filter_sha256", "degraded", "relaxations"):
        check_equal(run["start"][key], start["d"][key], key)
    check_equal((run["stop"]["why"], run["stop"]["exit"]), ("workload-exit", 7), "end")
    refused = sum(r["d"]["count"] for r in world.records("seccomp.deny"))
    check_equal([(e["obj"], e["count"]) for e in answer["events"] if e["ev"] == "seccomp.deny"], [("swapoff", refused)], "refused")
    check_equal(answer["log_lines"], len(world.records("log")), "lines of the workload")
    check_equal(answer["inputs"][0]["sha256"], subprocess.run(["sha256sum", FOLDER / "trail"], capture_output=True, text=True,
                                                              check=True).stdout.split()[0], "digest")
    for word in (start["exe"], start["d"]["policy_sha256"], "swapoff", "the trails are whole", *CONTROLS):
        check(word in page.text, f"the page lacks {word}")
    for given in answer["controls"]:
        for sentence in (given["title"], given["limit"], *given["evidence"]):
            check(sentence in page.text, f"the page lacks {sentence!r}")


@case("each safeguard is judged by the records that speak of it, and no other")
def safeguards():
    start = documented(EVENTS, "init.start")
    plain = made("init.start", "enforce", "ship", 1, **{**start["d"], "degraded": [], "relaxations": []})
    seen = lambda *watching, **more: made("sense.start", "started", "ship", 1, watching=watching, **more)  # noqa: E731
    limited = made("sense.start", "limited", "files", 3, max=8192)
    rows = [  # records, safeguard, verdict, what it has to say
        ([plain], "(a)(1)", "shown", "in mode enforce: 1; not as root: 1; without any capability: 1"),
        ([documented(EVENTS, "seccomp.deny")], "(a)(1)", "shown", "refused system calls that the policy does not allow: 2"),
        ([start], "(a)(1)", "findings", "less than the policy prefers"),
        ([made("init.start", "observe", "ship", 1, **plain["d"])], "(a)(1)", "findings", "only observes, and refuses nothing: 1"),
        ([seen("credentials")], "(a)(1)", "shown", "compared with the policy while they ran: 1"),
        ([made("cred.change", "unreadable", "status", 7)], "(a)(1)", "findings", "did not show what they are: 1"),
        ([made("seccomp.deny", "observed", "ptrace", count=4), made("exec.budget", "observed", "execve")], "(a)(1)", "findings", "let through, because its mode only observes: 5"),
        ([made("init.start", "enforce", "ship", 1, **{**plain["d"], "events": "errno"})], "(a)(1)", "shown", "leave no record, so that there may have been any: 1"),
        ([documented(SENSE, "cred.change")], "(a)(1)", "findings", "more than the policy says: 1"),
        ([plain], "(a)(2)(i)", "shown", "other than root"),
        ([made("init.start", "enforce", "ship", 1, **{**plain["d"], "degraded": ["shared-user"]})], "(a)(2)(i)", "findings", "shares its user id"),
        ([made("init.start", "enforce", "ship", 1, **{**plain["d"], "read": {**start["d"]["read"], "uid": 0}})], "(a)(2)(i)", "shown", "as root: 1"),
        ([seen("foreign")], "(a)(2)(ii)", "silent", "who comes in from outside, and nobody was seen: 1"),
        ([documented(SENSE, "exec.foreign")], "(a)(2)(ii)", "shown", "from outside"),
        ([plain], "(a)(2)(iii)", "silent", ""),
        ([made("secret.deliver", "delivered", "db", 1)] * 3, "(a)(2)(iv)", "shown", "handed to a service in memory, and not on a disk: 3"),
        ([seen(volumes={"/data": {"state": "encrypted"}})], "(a)(2)(iv)", "shown", "volumes were compared with what the policy requires of them: 1"),
        ([made("secret.rotate", "failed", "db", 7)], "(a)(2)(iv)", "findings", "could not be handed over: 1"),
        ([made("secret.rollback", "rolled-back", "web.cert", 7)], "(a)(2)(iv)", "findings", "failed its checks with when they were new: 1"),
        ([documented(SENSE, "volume.change")], "(a)(2)(iv)", "findings", "not as the policy requires"),
        ([made("secret.expired", "expired", "db", 7)], "(a)(2)(iv)", "findings", "stale or expired: 1"),
        ([plain], "(b)", "shown", "trails: 1; "),
        ([made("sink.reject", "rejected", "trail", 7, count=5)], "(b)", "findings", "trouble with the trail itself, which the events name: 5"),
        ([seen("files", files=3)], "(c)(1)", "shown", "files that the policy names were watched for changes: 1"),
        ([seen("executables", starts=n) for n in (1, 2)], "(c)(1)", "shown", "with the image: 1"),
        ([documented(SENSE, "sense.start"), limited], "(c)(1)", "shown", "not possible for all of these files"),
        ([made("exec.drift", "unreadable", "hidden", 7)], "(c)(1)", "findings", "hid which program they run: 1"),
        ([documented(SENSE, "fim.change")], "(c)(1)", "findings", "changes of watched files: 1"),
        ([plain], "(c)(2)", "shown", "as they were written: 1 of 1"),
        ([made("tunnel.stat", "counted", "db", 1, opened=n) for n in (9, 2, 5)], "(d)", "shown", "in the policy: 14"),
        ([made("tunnel.identity", "kept", "web")], "(d)", "findings", "the old ones stayed: 1"),
        ([made("tunnel.refused", "unverified", "db")], "(d)", "shown", "could not prove who it is: 1"),
        ([made("init.start", "enforce", "ship", 1, **{**plain["d"], "probed": {**start["d"]["probed"], "tls_plain": "enforced"}})], "(e)(1)", "shown",
         "but for those of tls.plain.allow: 1"),
        ([seen("plain")], "(e)(1)", "shown", "clear text were watched for: 1"),
        ([made("plain.connect", "connected", "10.0.0.7:5432/tcp", 7)], "(e)(1)", "findings", "must not be: 1"),
        ([made("tunnel.refused", "no-tls", "db")], "(e)(2)(ii)", "shown", "had no TLS: 1"),
        ([plain], "(e)(2)(ii)", "silent", ""),
    ]
    for number, (told, name, verdict, words) in enumerate(rows):
        answer, _ = report(write("trail", trail_of(*told)))
        given = control(answer, name)
        check_equal(given["verdict"], verdict, f"row {number}, {name}: {given}")
        check(words in " ".join(given["evidence"]), f"row {number}, {name}: no {words!r} in {given['evidence']}")
        check_equal(bool(given["explain"]), verdict == "findings", f"row {number}, {name}: {given}")
        check(verdict != "findings" or words in " ".join(given["explain"]), f"row {number}, {name}: it is not said which: {given}")
    check_equal({name for _, name, *_ in rows} | {"(e)(2)(i)"}, {c.removeprefix("164.312") for c in CONTROLS}, "safeguards with a row")


@case("a claim that no record makes is not made: what is not watched, not refused, or granted anyway")
def not_claimed():
    start = documented(EVENTS, "init.start")
    beginning = lambda mode, **more: made("init.start", mode, "ship", 1, **{**start["d"], "degraded": [], "relaxations": [], **more})  # noqa: E731
    helper = lambda **more: made("sense.start", "degraded", "ship", 3, **more)  # noqa: E731
    rows = [  # records, safeguard, what it must not say, its verdict
        ([helper(watching=["foreign", "listen", "credentials"], unavailable={"executables": "no"})], "(c)(1)", "watched", "silent"),
        ([helper()], "(c)(1)", "watched", "silent"),
        ([helper(watching=["files"], files=0)], "(c)(1)", "watched", "silent"),
        ([helper(watching=["listen", "files"], files=2)], "(a)(2)(ii)", "watched", "silent"),
        ([helper(watching=["listen"])], "(e)(1)", "watched", "silent"),
        ([helper(watching=["files"], volumes={})], "(a)(2)(iv)", "volumes", "silent"),
        ([helper(watching=["files"])], "(a)(1)", "compared", "shown"),
        ([made("seccomp.deny", "observed", "ptrace")], "(a)(1)", "does not allow: 2", "findings"),
        ([made("cred.change", "unreadable", "status")], "(a)(1)", "more than the policy says", "findings"),
        ([made("exec.drift", "unreadable", "hidden")], "(c)(1)", "not in the image", "findings"),
        ([beginning("observe")], "(a)(1)", "refuses system calls: 1", "findings"),
        ([beginning("enforce", probed={**start["d"]["probed"], "landlock": 'not probed: "/" is granted'})], "(a)(1)", "(Landlock): 1", "shown"),
        ([made("secret.rotate", "failed", "db", 7)], "(a)(2)(iv)", "secrets that were changed", "findings"),
        ([made("volume.change", "restored", "/data", 7)], "(a)(2)(iv)", "not as the policy", "silent"),
        ([made("stop.request", "accepted", "signal 15", 1)], "(d)", "refused", "silent"),
    ]
    for number, (told, name, words, verdict) in enumerate(rows):
        given = control(report(write("trail", trail_of(*told)))[0], name)
        check_equal(given["verdict"], verdict, f"row {number}, {name}: {given}")
        check(words not in " ".join(given["evidence"]), f"row {number}, {name}: {given['evidence']}")
    answer, page = report(write("trail", trail_of(made("seccomp.deny", "observed", "ptrace"))))
    refused, _, rest = page.text.partition("What was refused")[2].partition("The technical safeguards")
    check("EPERM" in refused and "observed" not in refused and "observed" in rest, f"what was let through stands among the refused: {refused}")
    check("To be explained: system calls that" in " ".join(page.text.split()), "the page does not say what is to be explained")
    total = sum(chain["records"] for chain in answer["chains"])
    check_equal(answer["records"] + answer["log_lines"], total, "records and lines are those of the chains")
    check_equal(len(re.findall(rf"records(?: in them)?: {total}, and of these lines of the services: {answer['log_lines']}\b", page.text)), 2,
                f"one number at the head and in (b): {page.text[:500]}")


@case("a trail that is broken, cut or lossy: code 1, on the page and in (b) or (c)(2)")
def not_fine():
    trail = trail_judge.records(CLOSED)
    broken = forge.modified(copy.deepcopy(trail), 5)
    for name, data, safeguard, words in (("broken", broken, "(c)(2)", "broken at 5"), ("cut", trail[:7], "(b)", "open: no final record"),
                                         ("lossy", trail_judge.make("log a\ngap 0 0 4 44 rate\nfinal 0\n"), "(b)", "4 lost and named")):
        answer, page = report(write("trail", data), expect=1)
        check_equal((answer["ok"], control(answer, safeguard)["verdict"]), (False, "findings"), name)
        check("something is to be explained" in page.text and words in page.text, f"{name}: {page.text[:900]}")
    check_equal(lazaret("report", "--running", write("trail", trail[:7]), expect=0).stderr, "", "a run that goes on")


@case("copies of a trail are counted once, whether files or a folder; what is no trail is an error")
def inputs():
    trail = trail_of(documented(EVENTS, "seccomp.deny"))
    (FOLDER / "sinks").mkdir()
    write("sinks/one", trail[:8])
    write("sinks/two", trail)
    answer, page = report("sinks")
    check_equal((answer["records"], answer["log_lines"]), (len([r for r in trail if r["ev"] != "log"]), 3), "records, lines")
    check_equal(sorted(i["name"] for i in answer["inputs"]), ["one", "two"], "names")
    check("one" in page.text and "two" in page.text, "names on the page")
    check_equal(answer["digest_findings"], [], "findings of digests")
    # A digest of a day, and a file of it that is another one: said by name.
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", "day.key"], cwd=FOLDER, check=True, capture_output=True)
    (FOLDER / "day").mkdir()
    write("day/one", trail)
    lazaret("digest", "--key", "day.key", "day", expect=0)
    write("day/one", trail[:8])
    answer, page = report("day", expect=1)
    check(len(answer["digest_findings"]) > 0 and all(f"To be explained: {said}" in " ".join(page.text.split()) for said in answer["digest_findings"]),
          f"the page does not name {answer['digest_findings']}")
    write("words", b"just\nwords\n")
    done = lazaret("report", "words", expect=1)
    check("this is no audit trail" in done.stderr and not done.stdout, f"{done.stdout}{done.stderr}")
    check_equal(as_json("report", "absent", expect=1)["error"]["name"], "system-error", "JSON of an error")
    lazaret("report", expect=2)
    lazaret("report", "--anchor", "x", "words", expect=2)


HOSTILE = ["<script>document.title='taken'</script>", '"><img src=x onerror="document.title=\'taken\'">', "</td></table><h1>all is well</h1>",
           "a\u202etxt.exe", "\u2066x\u2069", "line\u0001feed", "&lt;b&gt;", "é ✓ 漢"]


@case("what stands in records stays text: no markup, nothing that loads or runs, no line that is turned around")
def hostile():
    told = [made("seccomp.deny", act, obj, count=1) for obj in HOSTILE for act in ("EPERM", obj)]
    told += [made("init.start", "enforce", HOSTILE[0], 1, read={"uid": HOSTILE[1]}, policy_sha256=HOSTILE[2], degraded=HOSTILE, relaxations=HOSTILE)]
    write("trail", trail_of(*told))
    path = FOLDER / HOSTILE[2].replace("/", "")
    path.write_bytes((FOLDER / "trail").read_bytes())
    page = Page(lazaret("report", path.name, expect=0).stdout)
    check(not page.tags.keys() & {"script", "img", "h1x", "iframe", "object", "link", "a", "form"}, f"elements {page.tags}")
    check_equal(page.tags["h1"], 1, "headlines")
    check(page.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class", "colspan"}, f"attributes {page.attributes}")
    check(not re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", page.text), "a character that turns a line around")
    for text in (HOSTILE[0], HOSTILE[1], "a\\u202etxt.exe", "\\u2066x\\u2069", "line\\u0001feed", "&lt;b&gt;", "é ✓ 漢"):
        check(text in page.text, f"the page lacks {text!r}")
    as_json("report", "trail")
    return path


def browse(path, *options):
    """What a browser makes of a page."""
    words = ["setpriv", "--pdeathsig", "KILL", area.require_program(CHROMIUM), "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--user-data-dir={area.root() / 'browser'}", *options, f"file://{path}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL)
    check_equal(done.returncode, 0, f"{CHROMIUM}: {done.stderr[-600:]}")
    return done.stdout


@case("in a real browser: all of it is there, nothing of a hostile record runs, and it fits a telephone")
def in_a_browser():
    hostile_trail = hostile()
    page = FOLDER / "page.html"
    page.write_text(lazaret("report", hostile_trail.name, expect=0).stdout)
    tree = Page(browse(page, "--dump-dom"))
    check_equal((tree.tags["section"], tree.tags["h1"], tree.tags["img"], tree.tags["script"]), (len(CONTROLS), 1, 0, 0), "elements")
    check("Lazaret report" in tree.text and "taken" in tree.text, "the title, and the words that did not run")
    # The control: the same browser does run such words, where they are markup.
    bad = FOLDER / "bad.html"
    bad.write_text(f"<title>good</title><p>{HOSTILE[0]}")
    check("<title>taken</title>" in browse(bad, "--dump-dom"), "this browser runs nothing: nothing is shown")
    # A script of ours, without the page's own rule against scripts, measures it.
    wide = page.read_text().replace("default-src 'none'; ", "").replace(
        "</body>", "<script>document.body.innerHTML='<p id=w>'+document.documentElement.scrollWidth+'</p>'</script></body>")
    (FOLDER / "wide.html").write_text(wide)
    width = int(re.search(r"<p id=\"w\">(\d+)", browse(FOLDER / "wide.html", "--dump-dom", "--window-size=500,900"))[1])
    check(width <= 500, f"the page is {width} pixels wide in a window of 500")
    # Tables that are wider than a telephone scroll by themselves, and each of them says so; on a desk none does.
    for window, expected in ((500, "true"), (1200, "false")):
        script = ("[...document.querySelectorAll('.scroll')].map(e=>(e.scrollWidth>e.clientWidth)+'='+"
                  "(getComputedStyle(e,'::before').content.includes('sideways'))).join(' ')")
        (FOLDER / "wide.html").write_text(page.read_text().replace("default-src 'none'; ", "").replace(
            "</body>", f"<script>document.body.innerHTML='<p id=w>'+{script}+'</p>'</script></body>"))
        told = re.search(r"<p id=\"w\">([^<]+)", browse(FOLDER / "wide.html", "--dump-dom", f"--window-size={window},900"))[1].split()
        check(set(told) <= {"true=true", "false=false"} and f"{expected}={expected}" in told, f"at {window} pixels (cut off=said): {told}")


@case("the manual's options of report are those that there are")
def page_of_the_manual():
    trail = write("trail", trail_of())
    anchor = ":".join(map(str, trail_judge.place(trail_judge.records(CLOSED)[1])))
    lazaret("report", "--running", "--no-logs", "--anchor", anchor, trail)
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", "sign.key"], cwd=FOLDER, check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", "sign.key", "-pubout", "-out", "sign.pub"], cwd=FOLDER, check=True, capture_output=True)
    lazaret("report", "--digest-key", "sign.pub", trail)
    cli.check_page("report")


laz.main()
