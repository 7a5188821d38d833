#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the docs take from the source is current: tables between markers in hand-written pages, and whole
files that the `lazaret` of the build prints. With --write it makes them current. A page that lost its
markers, or a source without rows, is a finding: this check never passes by looking at nothing."""
import re
import subprocess
import sys

from tree import Tree

WRITE = "--write" in sys.argv
sys.argv = [word for word in sys.argv if word != "--write"]

ERRORS = "lib/core/err.def"
OCSF = "lib/sink/ocsf.def"
DEGRADATIONS = "lib/confine/degradation.h"
STEPS = "lib/confine/confine.h"
FINDS = "lib/sense/events.def"
TASKS = "cli/task_findings.def"
PROGRAM = "cli/main.c"  # a tree that has it has a program that prints the whole files
PRINTED = {  # what it prints, and the script that makes the file of it
    "docs/reference/policy.md": (["policy", "reference"], None),
    "docs/man/lazaret-policy.5": (["policy", "reference"], "docs/man/policy_page.py"),
    "policies/policy-1.schema.json": (["policy", "schema"], None),
    "docs/reference/runtime.md": (["runtime", "reference"], None),
    "docs/man/lazaret-runtime.5": (["runtime", "reference"], "docs/man/policy_page.py"),
    "policies/runtime-1.schema.json": (["runtime", "schema"], None),
}
REPAIR = "tests/lint/check_generated.py --write --build DIR makes it current"

STRING = r'"(?:\\.|[^"\\])*"'
ARGUMENT = rf"(?:\w+|{STRING}(?:\s*{STRING})*)"
COMMENT = rf"({STRING})|/\*.*?\*/"


def rows(text, macro):
    """The arguments of each use of an X-macro: words as they are, adjacent string literals as one. What a
    comment says of its columns is no row."""
    text = re.sub(COMMENT, lambda match: match.group(1) or " ", text, flags=re.DOTALL)
    use = re.compile(rf"\b{macro}\(({ARGUMENT}(?:\s*,\s*{ARGUMENT})*)\s*\)")
    found = []
    for match in use.finditer(text):
        arguments = re.findall(ARGUMENT, match.group(1))
        found.append([
            "".join(s[1:-1].replace('\\"', '"') for s in re.findall(STRING, a)) if a[0] == '"' else a
            for a in arguments
        ])
    return found


def list_of(path, name):
    """The rows of `#define NAME(X)`, which ends with the first line that is not continued."""
    text = tree.text(path).replace("\\\n", " \x00")
    body = re.search(rf"^#define {name}\(X\)(.*)$", text, re.MULTILINE)
    return rows(body.group(1).replace("\x00", " "), "X") if body else []


def table(head, lines):
    return [head, "|---" * (head.count("|") - 1) + "|", *lines]


def error_rows():
    return table("| error | exit code | cause | remedy |", [
        f"| `{name}` | {code} | {cause} | {remedy} |"
        for _, name, code, cause, remedy in rows(tree.text(ERRORS), "LAZ_ERROR")
    ])


def exit_codes():
    names = {}
    for _, name, code, _, _ in rows(tree.text(ERRORS), "LAZ_ERROR"):
        names.setdefault(int(code), []).append(f"`{name}`")
    return table("| exit code | errors |", [f"| {c} | {', '.join(names[c])} |" for c in sorted(names)])


def degradations():
    return table("| name | what it means |", [
        f"| `{name}` | {meaning} |" for _, name, meaning in list_of(DEGRADATIONS, "LAZ_DEGRADATIONS")
    ])


def steps():
    return table("| step | what | why here |", [
        f"| 7.{number} | {what} | {why} |"
        for number, (_, what, why) in enumerate(list_of(STEPS, "LAZ_CONFINE_STEPS")) if why
    ])


def finds():
    return table("| `ev` | severity | level | ATT&CK | what it says |", [
        f"| `{ev}` | {severity} | {level} | {attack} | {says} |"
        for _, ev, severity, level, attack, says in rows(tree.text(FINDS), "LAZ_SENSE_EVENT")
    ])


def ocsf_classes():
    return table("| `ev` | class | activity | title |", [
        f"| `{ev}` | {number} {name} | {activity} {verb} | {title} |"
        for ev, number, activity, name, verb, title in rows(tree.text(OCSF), "LAZ_OCSF_EVENT")
    ])


def task_findings():
    return table("| finding | level | what it means |", [
        f"| `{name}` | {level.lower()} | {meaning} |"
        for _, name, level, meaning in rows(tree.text(TASKS), "LAZ_FINDING")
    ])


# (page, source, what the lines between the markers are)
TABLES = [
    ("docs/reference/errors.md", ERRORS, error_rows),
    ("docs/reference/exit-codes.md", ERRORS, exit_codes),
    ("docs/reference/degradations.md", DEGRADATIONS, degradations),
    ("docs/explanation/start-up.md", STEPS, steps),
    ("docs/reference/sense.md", FINDS, finds),
    ("docs/reference/ocsf.md", OCSF, ocsf_classes),
    ("docs/reference/task-definition.md", TASKS, task_findings),
]
END = "<!-- end of what is generated -->"


def refresh(path, old, new):
    """Complain about the first line that differs, or write."""
    if old == new:
        return
    if WRITE:
        (tree.root / path).write_text(new, encoding="utf-8")
        print(f"{path}: written")
        return
    before, after = old.splitlines(), new.splitlines()
    same = next((n for n, pair in enumerate(zip(before, after)) if pair[0] != pair[1]),
                min(len(before), len(after)))
    tree.complain(path, same + 1, f"stale: {REPAIR}")


def check_table(page, source, make):
    if not (tree.root / page).is_file() or not (tree.root / source).is_file():
        tree.complain(page, 0, f"the page or its source {source} is missing")
        return
    lines = make()
    begin = f"<!-- generated from {source} -->"
    text = tree.text(page)
    if text.count(begin) != 1 or text.count(END) != 1 or text.index(begin) > text.index(END):
        tree.complain(page, 0, f"not exactly one \"{begin}\" with one \"{END}\" behind it")
    elif len(lines) < 3:
        tree.complain(source, 0, "no rows found, which is not a pass")
    else:
        head, tail = text[:text.index(begin)], text[text.index(END):]
        refresh(page, text, head + "\n".join([begin, "", *lines, "", ""]) + tail)


def check_printed():
    """The files that the program prints."""
    program = tree.build / "bin" / "lazaret"
    if not program.exists():
        tree.complain(PROGRAM, 0, f"{program} is not built, so nothing that it prints was compared")
        return
    for path, (words, script) in PRINTED.items():
        text = ""
        for command in [[program, *words], *([[sys.executable, tree.root / script]] if script else [])]:
            done = subprocess.run(command, check=False, text=True, input=text, stdout=subprocess.PIPE)
            text = done.stdout if done.returncode == 0 else ""
        if not text:
            tree.complain(path, 0, f"nothing comes of lazaret {' '.join(words)}")
            continue
        refresh(path, tree.text(path) if (tree.root / path).is_file() else "", text)


tree = Tree("generated")
for row in TABLES:
    check_table(*row)
if tree.build and tree.files(PROGRAM):
    check_printed()
elif not tree.build:
    print("not compared without --build:", ", ".join(PRINTED))
tree.finish([page for page, _, _ in TABLES])
