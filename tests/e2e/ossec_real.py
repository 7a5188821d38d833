# SPDX-License-Identifier: Apache-2.0
"""By hand, not part of the suite: what a real OSSEC makes of Lazaret's lines.

    tests/e2e/ossec_real.py FOLDER

FOLDER is an OSSEC 4.x installation of its own (a copy of /var/ossec, or what `make TARGET=server PREFIX=FOLDER install`
made) whose files this changes: etc/ossec.conf, local_decoder.xml, rules. Everything runs in own mount, PID and network
namespaces, as root of them. docs/reference/ossec.md says what was seen, and with which version."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import area
import laz
import ossec_rules
import sinks_peers as peers
from laz import case, check, check_equal

OSSEC = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else "/nowhere")
INSIDE = "LAZARET_OSSEC_INSIDE"
USERS = {"ossec": 7001, "ossecm": 7002, "ossecr": 7003}
STOCK = ("net.listen", "exec.foreign", "fim.change")  # what an agent leaves to the rules that are there anyway
RULES = re.compile(r"Rule id: '(\d+)'\s+Level: '(\d+)'")


def go_inside():
    """This program again, where nothing of the machine's can be hurt."""
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc",
                          sys.executable, __file__, str(OSSEC), *sys.argv[1:]])


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def configure(log):
    """OSSEC's users exist in here, and its configuration is ours on top of its own rules."""
    folder = area.folder("etc")
    for name in ("passwd", "group"):
        text = pathlib.Path("/etc", name).read_text(encoding="utf-8")
        for user, number in USERS.items():
            text += f"{user}:x:{number}:7001::/:/bin/false\n" if name == "passwd" else ""
        write(folder / name, text + ("ossec:x:7001:\n" if name == "group" else ""))
        subprocess.run(["mount", "--bind", folder / name, f"/etc/{name}"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", "10.0.0.1/32", "dev", "lo"], check=True)  # or nobody has an address to bind
    for name in ("syscheck", "rootcheck", "rids", "fts", "agent-info"):
        shutil.rmtree(OSSEC / "queue" / name, ignore_errors=True)  # what an earlier run knew
    for name in ("etc/shared", "rules", "stats", "tmp", "var/run", "logs/archives", "logs/alerts", "logs/firewall", "queue/alerts",
                 "queue/ossec", "queue/fts", "queue/syscheck", "queue/rootcheck", "queue/agent-info", "queue/agents", "queue/rids",
                 "queue/diff"):
        (OSSEC / name).mkdir(parents=True, exist_ok=True)
    stock = re.findall(r"<include>(.*?)</include>", (OSSEC / "etc" / "ossec.conf").read_text(encoding="utf-8"))
    names = [name for name in stock if name not in ("lazaret_rules.xml", "local_rules.xml")]  # the order counts
    rules = "".join(f"<include>{name}</include>" for name in [*names, "lazaret_rules.xml"])
    shutil.copy(ossec_rules.FOLDER / "lazaret_rules.xml", OSSEC / "rules")
    shutil.copy(ossec_rules.FOLDER / "lazaret_decoder.xml", OSSEC / "etc" / "local_decoder.xml")
    write(OSSEC / "etc" / "ossec.conf", f"""<ossec_config>
<global><email_notification>no</email_notification></global><rules>{rules}</rules>
<alerts><log_alert_level>1</log_alert_level></alerts>
<remote><connection>secure</connection></remote>
<localfile><log_format>syslog</log_format><location>{log}</location></localfile>
<syscheck><disabled>yes</disabled><directories>/nowhere</directories></syscheck>
<rootcheck><disabled>yes</disabled></rootcheck></ossec_config>\n""")
    write(OSSEC / "etc" / "local_internal_options.conf", "logcollector.loop_timeout=1\n")
    (OSSEC / "logs" / "alerts" / "alerts.log").unlink(missing_ok=True)
    write(OSSEC / "logs" / "ossec.log", "")
    subprocess.run(["chown", "-R", "ossec:ossec", *(OSSEC / n for n in ("logs", "queue", "stats", "var", "etc", "rules", "tmp"))],
                   check=True)
    subprocess.run(["chmod", "-R", "ug+rwX", *(OSSEC / n for n in ("logs", "queue", "stats", "var", "etc"))], check=True)


def program(name, *words):
    where = [] if name == "logcollector" else ["-D", OSSEC]  # which knows the folder that it was built for
    return subprocess.Popen([OSSEC / "bin" / f"ossec-{name}", "-f", *where, *words], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def own_log():
    return (OSSEC / "logs" / "ossec.log").read_text(errors="replace")[-1500:]


def alerts():
    """(rule, level, the line) of each alert so far."""
    path = OSSEC / "logs" / "alerts" / "alerts.log"
    text = path.read_text(errors="replace") if path.exists() else ""
    return [(int(found[1]), int(found[2]), found[3]) for found in
            re.finditer(r"^Rule: (\d+) \(level (\d+)\) -> .*?\n(?:\w+: .*\n)*((?:.+\n)*)", text, re.MULTILINE)]


def ask(lines):
    """What ossec-logtest makes of the lines: (rule, level) of each."""
    done = subprocess.run([OSSEC / "bin" / "ossec-logtest", "-D", OSSEC], input="\n".join(lines) + "\n", text=True,
                          capture_output=True, check=False, timeout=60)
    phases = done.stderr.split("**Phase 1:")[1:]
    found = [RULES.search(phase) for phase in phases]
    check_equal(len(phases), len(lines), f"lines that it looked at {done.stderr[-600:]}")
    return [(int(one[1]), int(one[2])) if one else None for one in found]


@case("ossec-logtest ends each sample at the rule and the level of the reference, with and without a header")
def logtest():
    samples = [*ossec_rules.SAMPLES, *ossec_rules.STRANGE]
    for header in (True, False):
        got = [found for event, _, _, more in samples for found in ask([ossec_rules.line(event, header=header, **more)])]
        for (event, level, rule, more), found in zip(samples, got):
            check_equal(found, (rule, level), f"{event} {more} header {header}")


@case("the fourth refused call within a minute is rule 100813")
def again():
    line = ossec_rules.line("seccomp.deny", sev=6, obj="socket", act="EPERM", members={"count": 1})
    check_equal(ask([line] * 4), [(100810, 10)] * 3 + [(100813, 14)], "four refused calls")


@case("sink, RELP with TLS, rsyslogd, log collector, analysis daemon: every record raises its alert")
def relay():
    folder, pki = area.folder("relay"), peers.pki()
    text = (ossec_rules.FOLDER / "rsyslog.conf").read_text(encoding="utf-8")
    for old, new in (("/etc/rsyslog.d/tls/ca.pem", pki / "ca.pem"), ("/etc/rsyslog.d/tls/collector.pem", pki / "server.pem"),
                     ("/etc/rsyslog.d/tls/collector.key", pki / "server.key"), ("/var/log/lazaret", LOG.parent),
                     ("claims-api.internal", "client.test"), ("0640", "0644")):
        text = text.replace(old, str(new))
    write(folder / "conf", f'global(workDirectory="{folder}")\n{text}')
    peers.start_rsyslogd(folder, [2514, 2515])
    daemons = [program("analysisd"), program("logcollector")]
    peers.wait_until(lambda: "Analyzing file" in own_log(), "the log collector reads", own_log)
    time.sleep(3)
    before = len(alerts())
    loud = [sample for sample in ossec_rules.SAMPLES if sample[1] > 0 and sample[0] != "seccomp.deny"]
    drive = peers.Drive(type="relp", format="ossec", host="127.0.0.1", port=2515, **peers.client())
    long = {"sev": 7, "obj": "execve", "act": "EPERM", "members": {"text": "x" * 9000}}
    lines = [ossec_rules.line(event, header=False, **more) for event, _, _, more in loud]
    drive.end([line.encode() for line in [*lines, ossec_rules.line("exec.budget", header=False, **long)]])
    wanted = sorted([*((rule, level) for _, level, rule, _ in loud), (100815, 10)])
    peers.wait_until(lambda: len(alerts()) - before >= len(wanted), "the alerts", lambda: f"{alerts()} {own_log()}", seconds=40)
    check_equal(sorted((rule, level) for rule, level, _ in alerts()[before:]), wanted, "alerts")
    stop(daemons)


def wait_for_alerts(before, count):
    peers.wait_until(lambda: len(alerts()) - before >= count, "the alerts", lambda: f"{[alert[:2] for alert in alerts()[before:]]} {own_log()}",
                     seconds=40)


def stop(daemons):
    for daemon in daemons:
        daemon.kill()
        daemon.wait()


@case("as an agent of remoted: known, sent what the manager shares once, every record its alert, files and ports by stock rules")
def agent():
    write(OSSEC / "etc" / "client.keys", f"001 task-1 any {'5a' * 32}\n")
    write(OSSEC / "etc" / "shared" / "agent.conf", "<agent_config>" + "<!-- x -->" * 2000 + "</agent_config>\n")
    daemons = [program("analysisd"), program("remoted")]
    peers.wait_until(lambda: "Started (pid" in own_log() and (OSSEC / "queue" / "rids" / "sender_counter").exists(), "remoted",
                     own_log)
    time.sleep(3)
    before = len(alerts())
    loud = [sample for sample in ossec_rules.SAMPLES if sample[1] > 0 and sample[0] not in ("seccomp.deny", *STOCK)]
    key = area.folder("agent") / "client.keys"
    shutil.copy(OSSEC / "etc" / "client.keys", key)
    drive = peers.Drive(type="ossec", host="127.0.0.1", port=1514, path=key, answer=2000, seconds=60)
    drive.feed(ossec_rules.line(event, header=False, **more).encode() for event, _, _, more in loud)
    wanted = sorted((rule, level) for _, level, rule, _ in loud)
    wait_for_alerts(before, len(wanted))
    check_equal(sorted((rule, level) for rule, level, _ in alerts()[before:] if rule >= 100000), wanted, "alerts")
    before = len(alerts())
    sums = {side: {"kind": "file", "mode": "0644", "uid": 0, "gid": 0, "size": 12, "sha256": digit * 64}
            for side, digit in (("before", "a"), ("after", "b"))}
    drive.feed([ossec_rules.line("net.listen", sev=6, obj="tcp 4444", header=False).encode(),
                ossec_rules.line("exec.foreign", sev=6, obj="sh", header=False).encode(),
                ossec_rules.line("fim.change", sev=6, obj="/app/config", act="modified", members=sums, header=False).encode()])
    wait_for_alerts(before, 3)
    check_equal(sorted((rule, level) for rule, level, _ in alerts()[before:]), [(510, 7), (510, 7), (550, 7)], "stock rules")
    told = (OSSEC / "logs" / "alerts" / "alerts.log").read_text(errors="replace")
    for word in ("net.listen", "tcp 4444", "/app/config", "a" * 64, "b" * 64):
        check(word in told, f"no {word} in {told}")
    time.sleep(5)  # a keepalive or two
    said = own_log()
    check("uplicate" not in said and "rong key" not in said and "ncorrect" not in said, said)
    again = peers.Drive(type="ossec", host="127.0.0.1", port=1514, path=key)
    drive.end()
    before = len(alerts())
    again.end([ossec_rules.line("exec.budget", sev=7, obj="execve", act="EPERM", header=False).encode()])
    wait_for_alerts(before, 1)
    stop(daemons)


@case("enrolled by authd with a password, and then an agent that remoted knows")
def enrolled():
    pki = peers.pki()
    write(OSSEC / "etc" / "client.keys", f"001 task-1 any {'5a' * 32}\n")  # without any remoted ends
    write(OSSEC / "etc" / "authd.pass", "open-sesame\n")
    for name in ("client.keys", "authd.pass"):
        subprocess.run(["chown", "ossec:ossec", OSSEC / "etc" / name], check=True)
    password = area.folder("enrolled") / "password"
    write(password, "open-sesame\n")
    daemons = [program("analysisd"), program("remoted"),
               program("authd", "-x", str(pki / "server.pem"), "-k", str(pki / "server.key"))]
    peers.wait_until(lambda: peers.listens(1515), "authd listens", own_log)
    time.sleep(3)
    before = len(alerts())
    drive = peers.Drive(type="ossec", host="127.0.0.1", port=1514, enrol_host="127.0.0.1", enrol_port=1515, connect=20000,
                        enrol_name="task-7", enrol_password=password, ca=pki / "ca.pem", peer="server.test", seconds=90)
    drive.end([ossec_rules.line("exec.budget", sev=7, obj="execve", act="EPERM", header=False).encode()], seconds=100)
    wait_for_alerts(before, 1)
    check_equal([rule for rule, _, _ in alerts()[before:] if rule >= 100000], [100815], "alerts")
    keys = (OSSEC / "etc" / "client.keys").read_text(encoding="utf-8")
    check(" task-7 any " in keys, keys)
    stop(daemons)


if __name__ == "__main__":
    if not (OSSEC / "bin" / "ossec-analysisd").exists():
        sys.exit(f"{OSSEC} is no installation of OSSEC: name one")
    if INSIDE not in os.environ:
        go_inside()
    LOG = area.folder("log") / "ossec.log"
    LOG.touch()
    LOG.parent.chmod(0o755)
    configure(LOG)
    laz.main()
