# SPDX-License-Identifier: Apache-2.0
"""docs/reference/numbers.md: a section for each bench, as it was printed, and above them the goals that they name."""
import os
import re

import harness

PAGE = harness.HERE.parents[1] / "docs" / "reference" / "numbers.md"
GOAL = re.compile(r"goal: (?P<name>.+): (?P<value>[0-9.]+) (?P<unit>\S*), at most (?P<limit>[0-9.]+) \S*: "
                  r"(?P<met>met|MISSED)$")
# Goals that are known to be missed, and what we know of the cause.
WHY = {
    "a record verified":
        "a third of it is the reading of the line's members, byte by byte, a fifth the signatures, a tenth SHA-256.",
    "ship at rest, private memory that it wrote to":
        "most of it are the buffers of blocks that it keeps for the next burst.",
    "start, compiled policy, against the bare program":
        "the least init (fork, exec, wait) takes 1.2 of it already; the rest is, in this order, the load of the "
        "workload's filter, the fork, PID 1's own start, the reading back at the gate, the child's sixty other "
        "steps, and the end. Without Landlock and events it is 0.1 less.",
    "a writer of single lines, against cat":
        "one thread frames, packs, hashes and encrypts the line, writes it to the spool, and writes its record, which is "
        "two and a half times as long, to the sink. SHA-256 and AES-GCM are a fifth of that, the two writes a third.",
    "a writer of 64 KiB, against s6-log":
        "one thread of `ship` is busy all the time, with 480 ns for a line (by perf): 130 in the kernel, which copies "
        "128 bytes into the ring, 156 into the spool and 300 into the sink; 90 SHA-256; 30 AES-GCM; 70 to make the "
        "record; 60 to make the sink's line of it and to know what it is; 35 memcpy; 25 signatures. s6-log writes 154 "
        "bytes and neither hashes nor encrypts. The goal was set with a prototype that had no sink, 330 ns. A second "
        "thread that hashes, encrypts and writes the spool would leave 340, which misses it as well.",
    "chunks of 64 KiB, the writer's time against s6-log":
        "as for a writer of 64 KiB: by processor time a line takes s6-log as long as us. Where others wait for the "
        "processors, processor time is the comparison that holds.",
    "chunks of 64 KiB, the writer's time against conmon":
        "conmon looks for the line feed, puts 46 bytes in front and writes both from where it has read them; SHA-256 "
        "and AES-GCM alone take more than the goal leaves. The goal was set with conmon under podman, and the prototype.",
    "chunks of 64 KiB, the writer's time against Docker's json-file":
        "a line takes dockerd between two and three times our processor time, and it has threads for both processors; "
        "the goal was set with the prototype.",
    "PID 1's own memory with twenty secrets, over none":
        "what is known of each item (256 bytes: its descriptors, version, fingerprint and times, of now and of what came last) and "
        "its plan (56 bytes), on three pages; no value is among them.",
    "PID 1 resident":
        "140 KiB are the program itself, nearly all of its file: the kernel maps what is beside a page that is read, as it lies in the "
        "page cache. Its own are 52 to 56 KiB: data and state 32, stack 12 to 16, the policy, and the page that it shares with the workload.",
    "what a request waits longer, against stunnel":
        "the client's own TLS, and the wake-up of a process more on either way, are in it for all three. A request takes us "
        "six system calls, hitch thirteen (strace), and it waits about as long.",
    "start, YAML, against the bare program":
        "on top of the compiled start: fork, exec and confinement of lazaret-setup, parsing, compiling, and the "
        "proof of both filters, all with cold caches.",
    "start through the shim, against a static wrapper":
        "19 system calls with the runtime's, two to five page faults more than the wrapper has, and a program of 200 KiB, which is "
        "relocated at each start: that it may lie anywhere in memory, as each of our programs, is 9 us of the 33.",
    "create under a policy, against a static wrapper":
        "beyond a verb that changes nothing, 42 us to read config.json, 94 to judge what it asks for and to find what was made of the "
        "policy, 94 to rewrite it, of which 38 read once more what was written, 65 for its SHA-256 and the folder of records, 36 to "
        "hold containers of one name apart, and 16 to put it in its place. 1.5 million instructions, 130 system calls, and 26 page "
        "faults more than the wrapper has.",
    "exec under a policy, against a static wrapper":
        "beyond a verb that changes nothing, 50 us for the container's record and the policy, 43 to read and to change process.json, "
        "46 for its copy and the old one that goes, and 55 for the host's record. 0.34 million instructions, 95 system calls, and 15 "
        "page faults more than the wrapper has.",
    "docker run under a policy, against runc alone":
        "three runs of 100 under a load of 8 to 15 gave 0.99, 1.03 and 1.07; four fifths of runc's own runs lie between 0.76 and 1.36 of "
        "their median. By the shim's calls alone it would be some 2 ms of 380 to 630; lazaret-init's start, and the hooks, come to that.",
    "a log line in memory, all of it":
        "SHA-256 and AES-256-GCM of the packed record take two fifths of it, redaction and escaping a third.",
    "a log line through a pipe, against s6-log":
        "the same: s6-log puts 26 bytes in front of the line and neither hashes nor encrypts.",
}


def load():
    """The machine's load, of the last minute."""
    with open("/proc/loadavg") as average:
        return average.read().split()[0]


def conditions(before):
    """One line: how busy the machine was, and whether we went first."""
    nice = os.nice(0)
    first = ", at real-time priority" if os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO) else ""
    return f"  load {before} before, {load()} after{f', at nice {nice}' if nice else ''}{first}"


def machine():
    """What it was measured on."""
    kernel = re.match(r"\d+\.\d+", os.uname().release)[0]
    return f"{os.cpu_count()} CPUs, Linux {kernel}, load {load()}"


def _read():
    """{name: lines} of the page as it is."""
    sections = {}
    if PAGE.exists():
        for part in PAGE.read_text(encoding="utf-8").split("\n### ")[1:]:
            name, text = part.split("\n", 1)
            sections[name] = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    return sections


def write(measured):
    """Put what was measured into the page, in the benches' order, and the goals of all of it on top."""
    known = {**_read(), **measured}
    sections = {name: known[name] for name in harness.benches if name in known}
    found = [goal for lines in sections.values() for goal in map(GOAL.search, lines) if goal]
    goals = [f"| {goal['name']} | {goal['value']} {goal['unit']} | {goal['limit']} {goal['unit']} | "
             f"{'yes' if goal['met'] == 'met' else '**no**'} |" for goal in found]
    missed = [f"- *{goal['name']}*: {WHY.get(goal['name'], 'cause not known')}" for goal in found if goal["met"] != "met"]
    parts = [f"### {name}\n\n{harness.benches[name].__doc__.splitlines()[0]}\n\n" + "\n".join("    " + x for x in lines)
             for name, lines in sections.items()]
    kernel = machine().rsplit(",", 1)[0]
    PAGE.write_text(f"""<!-- SPDX-License-Identifier: Apache-2.0 -->
<!-- written by tests/bench/run.py --page; do not edit -->
# Numbers

Measured with `tests/bench/run.py --page` on {kernel}, Lazaret and its peers (Debian's packages, unchanged) in turn
within one run. Ratios and medians are the result; absolute times belong to that machine and that hour. In brackets:
the 10th and the 90th percentile. `run.py --page NAME` measures one section anew; each says how loaded the machine was.

## Goals

| what | measured | at most | met |
|---|---|---|---|
{chr(10).join(goals)}

What is missed, and why:

{chr(10).join(missed) or "- nothing"}

## All of it

{chr(10).join(part + chr(10) for part in parts)}""", encoding="utf-8")
