# SPDX-License-Identifier: Apache-2.0
"""What stock OSSEC makes of Lazaret's lines: samples of every event, and a small model of its decoders and rules,
written from its documentation, that says which rule a line ends at. ossec_real.py asks the real one the same."""
import json
import re
import xml.etree.ElementTree as ET

import laz

FOLDER = laz.ROOT / "examples" / "ossec"
HEADER = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 (\S+) ([^\[ :]+)(?:\[\d+\])?: (.*)$")


def line(ev, sev=1, obj="", act="", exe="", members=None, header=True):
    """A line as a sink with `format: ossec` writes it."""
    record = {"lz": 1, "ev": ev, "sev": sev, "seq": 7, "task": "", "ctr": "claims-api", "pid": 42, "exe": exe, "obj": obj,
              "act": act, "ts": "2026-11-21T23:59:01.123456Z", "chain": "0" * 32, "prev": "0" * 16, "h": "0" * 64,
              "d": members or {}}
    if ev == "log":
        record = {key: record[key] for key in ("lz", "ev", "seq", "task", "ctr", "obj", "ts", "chain", "d")}
    text = json.dumps(record, separators=(",", ":"))
    return ("2026-11-21T23:59:01.123456+00:00 task-1 lazaret[1]: " if header else "") + text


# What docs/reference/ossec.md says, row by row: event, level, rule, and what makes such a record.
SAMPLES = [
    ("seccomp.deny", 10, 100810, {"sev": 6, "obj": "socket", "act": "EPERM", "members": {"count": 1}}),
    ("seccomp.deny", 13, 100811, {"sev": 6, "obj": "ptrace", "act": "EPERM", "members": {"count": 1}}),
    ("seccomp.deny", 13, 100812, {"sev": 7, "obj": "foreign_11", "act": "ENOSYS", "members": {"count": 1}}),
    ("seccomp.deny", 14, 100814, {"sev": 6, "obj": "socket", "act": "EPERM", "members": {"tid": 1, "count": 40}}),
    ("exec.budget", 10, 100815, {"sev": 7, "obj": "execve", "act": "EPERM"}),
    ("proc.exit", 3, 100820, {"obj": "workload", "act": "exited", "members": {"status": 0}}),
    ("proc.exit", 7, 100821, {"sev": 5, "obj": "workload", "act": "killed", "members": {"signal": 9, "core": False}}),
    ("proc.exit", 10, 100822, {"sev": 5, "obj": "workload", "act": "killed", "members": {"signal": 31, "core": False}}),
    ("stop.request", 3, 100823, {"obj": "signal 15", "act": "accepted"}),
    ("stop.request", 8, 100824, {"sev": 5, "obj": "signal 15", "act": "refused"}),
    ("stop.forced", 7, 100825, {"sev": 4, "obj": "signal 15"}),
    ("signal.drop", 3, 100826, {"obj": "signal 1", "act": "dropped"}),
    ("signal.drop", 5, 100827, {"sev": 4, "obj": "signal 1", "act": "overflow"}),
    ("signal.undelivered", 8, 100828, {"sev": 8, "obj": "signal 9", "act": "EPERM"}),
    ("init.start", 3, 100830, {"obj": "claims-api", "act": "enforce"}),
    ("init.start", 5, 100831, {"sev": 3, "obj": "claims-api", "act": "enforce"}),
    ("init.stop", 3, 100832, {"obj": "workload-exit", "act": "stopped"}),
    ("init.stop", 12, 100833, {"sev": 8, "obj": "command-not-found", "act": "refused"}),
    ("events.gap", 12, 100834, {"sev": 6, "obj": "records", "act": "lost"}),
    ("helper.exit", 9, 100835, {"sev": 6, "obj": "ship", "act": "restarted"}),
    ("helper.refused", 12, 100836, {"sev": 8, "obj": "sense", "act": "dropped"}),
    ("secret.fetch", 3, 100837, {"obj": "db-password", "act": "fetched"}),
    ("secret.fetch", 5, 100838, {"sev": 3, "obj": "db-password", "act": "absent"}),
    ("secret.deliver", 3, 100839, {"obj": "db-password", "act": "delivered"}),
    ("secret.fetch", 8, 100870, {"sev": 5, "obj": "db-password", "act": "failed"}),
    ("secret.rotate", 3, 100871, {"sev": 2, "obj": "db-password", "act": "rotated"}),
    ("secret.rotate", 10, 100872, {"sev": 7, "obj": "db-password", "act": "failed"}),
    ("secret.rollback", 10, 100879, {"sev": 7, "obj": "web.cert", "act": "rolled-back"}),
    ("secret.stale", 10, 100873, {"sev": 7, "obj": "db-password", "act": "stale"}),
    ("secret.expired", 10, 100874, {"sev": 7, "obj": "db-password", "act": "expired"}),
    ("secret.signal", 3, 100875, {"obj": "signal 1", "act": "sent"}),
    ("secret.retire", 8, 100878, {"sev": 5, "obj": "generation 3", "act": "failed"}),
    ("ready.off", 10, 100876, {"sev": 7, "obj": "stale", "act": "not-ready"}),
    ("ready.on", 3, 100877, {"obj": "stale", "act": "ready"}),
    ("chain.genesis", 3, 100840, {}),
    ("chain.final", 3, 100840, {}),
    ("chain.checkpoint", 0, 100841, {}),
    ("log.block", 0, 100841, {}),
    ("chain.gap", 10, 100842, {"sev": 6}),
    ("sink.down", 7, 100843, {"sev": 7, "obj": "collector", "act": "waits", "members": {"message": "Connection refused"}}),
    ("sink.up", 3, 100844, {"sev": 2, "obj": "collector", "act": "connected"}),
    ("sink.reject", 10, 100845, {"sev": 7, "obj": "collector", "act": "rejected"}),
    ("sink.clock", 7, 100853, {"sev": 5, "obj": "cloud", "act": "corrected"}),
    ("ecs.metadata", 3, 100854, {"obj": "8f03e412", "act": "found"}),
    ("ecs.metadata", 5, 100855, {"sev": 3, "obj": "task", "act": "unavailable"}),
    ("spool.left", 3, 100846, {"sev": 2, "obj": "spool", "act": "shipped"}),
    ("spool.left", 9, 100847, {"sev": 7, "obj": "spool", "act": "kept"}),
    ("spool.left", 12, 100852, {"sev": 7, "obj": "spool", "act": "dropped"}),
    ("spool.corrupt", 14, 100848, {"sev": 9, "obj": "spool", "act": "skipped"}),
    ("spool.error", 12, 100849, {"sev": 8, "obj": "spool", "act": "EIO"}),
    ("log.unpassed", 5, 100850, {"sev": 4, "obj": "stdout", "act": "skipped"}),
    ("log", 0, 100851, {"obj": "stdout", "members": {"msg": "attack! \"error\" failed: Segmentation Fault"}}),
    ("sense.start", 3, 100860, {}),
    ("exec.foreign", 10, 100861, {"sev": 6, "obj": "sh"}),
    ("net.listen", 10, 100862, {"sev": 6, "obj": "tcp 4444"}),
    ("fim.change", 12, 100863, {"sev": 6, "obj": "/app/config"}),
    ("cred.change", 12, 100864, {"sev": 7, "obj": "uid"}),
    ("exec.drift", 12, 100865, {"sev": 7, "obj": "/tmp/x"}),
    ("exec.memfd", 13, 100866, {"sev": 7, "obj": "memfd:x"}),
    ("plain.connect", 12, 100867, {"sev": 7, "obj": "10.0.3.7:5432/tcp"}),
    ("plain.listen", 10, 100868, {"sev": 6, "obj": "0.0.0.0:4444/tcp"}),
    ("tunnel.refused", 7, 100880, {"sev": 4, "obj": "pg", "act": "unreachable"}),
    ("tunnel.refused", 12, 100881, {"sev": 6, "obj": "pg", "act": "unverified"}),
    ("tunnel.stat", 3, 100882, {"sev": 1, "obj": "pg", "act": "counted"}),
    ("tunnel.identity", 3, 100882, {"sev": 1, "obj": "web", "act": "renewed"}),
    ("tunnel.identity", 9, 100883, {"sev": 6, "obj": "web", "act": "kept"}),
    ("health.state", 3, 100884, {"sev": 1, "obj": "ready", "act": "ready"}),
    ("health.state", 5, 100885, {"sev": 3, "obj": "draining", "act": "not-ready"}),
    ("health.state", 10, 100886, {"sev": 5, "obj": "failed", "act": "not-live"}),
    ("drain.end", 3, 100884, {"sev": 1, "obj": "lb-grace", "act": "ended"}),
    ("volume.change", 12, 100869, {"sev": 7, "obj": "/var/lib/app", "act": "violated"}),
]
# In no table, because no Lazaret writes them.
STRANGE = [("from.tomorrow", level, rule, {"sev": sev}) for sev, level, rule in (
    (0, 3, 100890), (1, 3, 100890), (2, 5, 100891), (3, 5, 100891), (4, 8, 100892), (5, 8, 100892), (6, 10, 100893),
    (7, 10, 100893), (8, 12, 100894), (9, 12, 100894), (10, 14, 100895))]


class Decoders:
    """The decoders of a file. Only what ours use: a parent that is matched, and a child that extracts."""

    def __init__(self, text):
        root = ET.fromstring(f"<all>{text}</all>")
        self.parents, self.children = [], {}
        for one in root.findall("decoder"):
            if one.find("parent") is not None:
                self.children[one.findtext("parent")] = one
            else:
                self.parents.append(one)

    def decode(self, text):
        """(decoder's name, fields), or None."""
        found = HEADER.match(text)
        program, body = (found.group(2), found.group(3)) if found else (None, text)
        for parent in self.parents:
            wanted = parent.findtext("program_name_pcre2")
            if (wanted is None) != (program is None) or (wanted and not re.search(wanted, program)):
                continue
            start = re.search(parent.findtext("prematch_pcre2"), body)
            if not start:
                continue
            child = self.children[parent.get("name")]
            names = [name.strip() for name in child.findtext("order").split(",")]
            fields = re.search(child.findtext("pcre2"), body[start.end():])
            return parent.get("name"), dict(zip(names, fields.groups())) if fields else {}, body
        return None


class Rules:
    """The rules of a file: which one a record ends at. Without those that count over time."""

    FIELDS = {"id_pcre2": "id", "status_pcre2": "status", "extra_data_pcre2": "extra_data"}

    def __init__(self, text):
        self.all = ET.fromstring(text).findall("rule")
        for rule in self.all:
            known = {"if_sid", "decoded_as", "action", "pcre2", "description", "group", "if_matched_sid", *self.FIELDS}
            strange = {one.tag for one in rule} - known
            laz.check(not strange, f"rule {rule.get('id')} has {strange}, which this model does not know")

    @staticmethod
    def number(rule):
        return int(rule.get("id"))

    @staticmethod
    def level(rule):
        return int(rule.get("level"))

    def below(self, number):
        """The children of a rule in the order in which OSSEC tries them."""
        found = [rule for rule in self.all if rule.get("frequency") is None
                 and number in map(int, (rule.findtext("if_sid") or "").replace(",", " ").split())]
        return sorted(found, key=lambda rule: (self.level(rule) != 0, -self.level(rule)))

    def _holds(self, rule, decoder, fields, body):
        for tag, field in self.FIELDS.items():
            wanted = rule.findtext(tag)
            if wanted is not None and not re.search(wanted, fields.get(field, "")):
                return False
        return (rule.findtext("decoded_as") in (None, decoder) and rule.findtext("action") in (None, fields.get("action"))
                and (rule.find("pcre2") is None or re.search(rule.findtext("pcre2"), body) is not None))

    def judge(self, decoder, fields, body):
        """The number and the level of the rule that this ends at."""
        at = next(rule for rule in self.all if rule.findtext("decoded_as") == decoder)
        while True:
            under = [rule for rule in self.below(self.number(at)) if self._holds(rule, decoder, fields, body)]
            if not under:
                return self.number(at), self.level(at)
            at = under[0]


def decoders():
    return Decoders((FOLDER / "lazaret_decoder.xml").read_text(encoding="utf-8"))


def rules():
    return Rules((FOLDER / "lazaret_rules.xml").read_text(encoding="utf-8"))
