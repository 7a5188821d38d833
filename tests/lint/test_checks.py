#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checks themselves can fail: a small good tree passes each of them, and each planted mistake is
refused with its place and its reason. A check that stopped looking turns a row of this file red. So does
a tally that loses a failure."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LINT = pathlib.Path(__file__).resolve().parent
ROOT = LINT.parents[1]
sys.path.insert(0, str(ROOT / "tests"))
import tally  # noqa: E402 (found through the line above)

SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
SCRIPT = "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n"
INCLUDE = '#include "core/good.h"\n\n'
FUNCTION = "int laz_core_one(void)\n{\n    return 1;\n}\n"



def generated(source, lines):
    """A page with a table from the source."""
    return (f"<!-- SPDX-License-Identifier: Apache-2.0 -->\n<!-- generated from {source} -->\n\n{lines}\n\n"
            "<!-- end of what is generated -->\n")


GOOD = {
    "LICENSE": "text\n",
    "lib/core/good.h": SPDX + "#ifndef LAZ_CORE_GOOD_H\n#define LAZ_CORE_GOOD_H\n\n"
                              "int laz_core_one(void);\n\n#endif\n",
    "lib/core/good.c": SPDX + INCLUDE + FUNCTION,
    "tests/unit/core/good_test.c":
        SPDX + INCLUDE + "#include <criterion/criterion.h>\n\n"
        "static void expect_one(int n)\n{\n    cr_assert(n == 1);\n}\n\n"
        "Test(core_good, is_one)\n{\n    expect_one(laz_core_one());\n}\n",
    "tests/good.sh": SCRIPT + 'echo "$1"\n',
    "docs/man/good.1":
        '.\\" SPDX-License-Identifier: Apache-2.0\n.Dd November 21, 2026\n.Dt GOOD 1\n.Os\n.Sh NAME\n'
        ".Nm good\n.Nd is good\n.Sh DESCRIPTION\nGood.\n.Sh SEE ALSO\n.Xr not-installed 1\n",
    "lib/core/err.def": SPDX + 'LAZ_ERROR(BAD, "bad", 101, "A \\"cause\\".", "A remedy.")\n',
    "lib/confine/degradation.h":
        SPDX + "#ifndef LAZ_CONFINE_DEGRADATION_H\n#define LAZ_CONFINE_DEGRADATION_H\n\n"
        '#define LAZ_DEGRADATIONS(X) X(ONE, "one", "means one")\n\n#endif\n',
    "lib/confine/confine.h":
        SPDX + "#ifndef LAZ_CONFINE_CONFINE_H\n#define LAZ_CONFINE_CONFINE_H\n\n"
        '#define LAZ_CONFINE_STEPS(X) X(FORK, "start", "") X(USER, "set it", "first")\n\n#endif\n',
    "docs/reference/errors.md": generated(
        "lib/core/err.def", "| error | exit code | cause | remedy |\n|---|---|---|---|\n"
                            '| `bad` | 101 | A "cause". | A remedy. |'),
    "docs/reference/exit-codes.md": generated(
        "lib/core/err.def", "| exit code | errors |\n|---|---|\n| 101 | `bad` |"),
    "docs/reference/degradations.md": generated(
        "lib/confine/degradation.h", "| name | what it means |\n|---|---|\n| `one` | means one |"),
    "lib/sense/events.def": SPDX + 'LAZ_SENSE_EVENT(BAD, "a.b", 6, 10, "T1", "It is.")\n',
    "docs/reference/sense.md": generated(
        "lib/sense/events.def", "| `ev` | severity | level | ATT&CK | what it says |\n|---|---|---|---|---|\n"
                                "| `a.b` | 6 | 10 | T1 | It is. |"),
    "lib/sink/ocsf.def": SPDX + 'LAZ_OCSF_EVENT("a.b", 1007, 1, "Process Activity", "Launch", "A title")\n',
    "docs/reference/ocsf.md": generated(
        "lib/sink/ocsf.def", "| `ev` | class | activity | title |\n|---|---|---|---|\n"
                             "| `a.b` | 1007 Process Activity | 1 Launch | A title |"),
    # The columns that a comment names, as each of the real lists does, are no row.
    "cli/task_findings.def": SPDX + '/* LAZ_FINDING(ENUM, "name", LEVEL, "what it means") */\n'
                                    'LAZ_FINDING(BAD, "bad", ERROR, "It is /* as it is */ bad.")\n',
    "docs/reference/task-definition.md": generated(
        "cli/task_findings.def", "| finding | level | what it means |\n|---|---|---|\n"
                                 "| `bad` | error | It is /* as it is */ bad. |"),
    "docs/explanation/start-up.md": generated(
        "lib/confine/confine.h", "| step | what | why here |\n|---|---|---|\n| 7.1 | set it | first |"),
}

# (check, path, content to add to the good file of that path or of a new one, what the finding says)
CORE = "lib/core/good.c"
BAD = [
    ("format", CORE, "int  two ( void );\n", r"good\.c:8:\d+: error"),
    ("layers", CORE, '#include "policy/policy.h"\n', r'good\.c:8: "policy/policy\.h" is not below'),
    ("layers", CORE, '#include "lib/core/good.h"\n', r"is not below this layer"),
    ("layers", CORE, '#include "good.h"\n', r"area/file\.h"),
    ("layers", CORE, '#  include <yaml.h>\n', r"foreign library <yaml\.h>"),
    ("layers", "lib/filter/a.c", SPDX + "#include <seccomp.h>\n", r"foreign library"),
    ("layers", "lib/policy/load.c", SPDX + "#include <yaml.h>\n", r"foreign library"),
    ("layers", "lib/confine/a.c", SPDX + '#include "policy/policy.h"\n', r"is not below"),
    ("layers", "init/pid1/pid1.c", SPDX + '#include "filter/filter.h"\n', r"is not below"),
    ("layers", "init/pid1/pid1.c", SPDX + '#include "policy/policy.h"\n', r"is not below"),
    ("layers", "cli/main.c", SPDX + '#include "init/pid1/step.h"\n', r"is not below"),
    ("layers", "lib/nowhere/a.c", SPDX, r"no row of"),
    ("headers", "lib/core/bad.h", SPDX + "#ifndef LAZ_CORE_BAD_H\n#define LAZ_CORE_BAD_H\n"
                                         "int f(size_t n);\n#endif\n", r"bad\.h: does not compile alone"),
    ("headers", "lib/core/bad.h", SPDX + "#ifndef BAD_H\n#define BAD_H\n#endif\n", r"LAZ_CORE_BAD_H"),
    ("mistakes", CORE, "void f(char *a)\n{\n    strcpy(a, a);\n}\n", r"good\.c:10: `strcpy\("),
    ("mistakes", CORE, "int n = atoi(a);\n", r"core/num\.h"),
    ("mistakes", CORE, "    snprintf(a, 1, b);\n", r"truncation"),
    ("mistakes", CORE, "    char buf[256];\n", r"named constant"),
    ("mistakes", CORE, "    if (p != NULL) {\n        free(p);\n    }\n", r"free accepts NULL"),
    ("mistakes", CORE, "    if (p) free(p);\n", r"free accepts NULL"),
    ("mistakes", CORE, "    printf(a);\n", r"never prints"),
    ("mistakes", CORE, "    goto again;\n", r"goto"),
    ("mistakes", CORE, "/* TO" "DO: later */\n", r"good\.c:8: TO" "DO without"),
    ("mistakes", CORE, "#ifdef HAVE_LANDLOCK\n#endif\n", r"probed at run time"),
    ("size", CORE, "\n" * 700, r"good\.c:707: 707 lines, at most 700"),
    ("size", "lib/core/good.h", "\n" * 250, r"at most 250"),
    ("layout", "stray/a.c", SPDX, r"stray is not a name of the top level"),
    ("layout", "lib/core/utils.c", SPDX, r"drawer"),
    ("layout", "lib/core/b.c", "int x;\n", r"b\.c:1: no line"),
    ("layout", "lib/core/b.c", SPDX, r"b\.c: no CMakeLists\.txt lists"),
    ("layout", "tests/e2e/new_test.py", "# SPDX-License-Identifier: Apache-2.0\n", r"no laz_e2e\(new\)"),
    ("tests", "tests/unit/core/good_test.c", "Test(core_good, idle)\n{\n    laz_core_one();\n}\n",
     r"good_test\.c:15: Test\(core_good, idle\) asserts nothing"),
    ("globals", CORE, "int laz_core_counter;\n", r"mutable global laz_core_counter in \.bss"),
    ("globals", CORE, "int f(void);\nint f(void)\n{\n    static int n = 1;\n    return n++;\n}\n",
     r"mutable global n in \.data"),
    ("text", "tests/good.sh", "rm $1\n", r"SC2086"),
    ("text", "tests/good.sh", "# reci" "eve\n", r"codespell"),
    ("text", "docs/man/good.1", ".Xx what\n", r"mandoc"),
    ("text", "docs/man/good.1", ".Pp\n.Xr lazaret-none 8\n", r"not found: Xr lazaret-none 8"),
    ("generated", "lib/core/err.def", 'LAZ_ERROR(NEW, "new", 102, "C.", "R.")\n', r"errors\.md:7: stale"),
    ("generated", "lib/core/err.def", 'LAZ_ERROR(NEW, "new", 102, "C.", "R.")\n', r"exit-codes\.md:7: stale"),
    ("generated", "docs/explanation/start-up.md", "<!-- generated from lib/confine/confine.h -->\n",
     r"start-up\.md: not exactly one"),
    ("generated", "cli/main.c", SPDX, r"bin/lazaret is not built"),
    ("tidy", CORE, "int bare_name(void)\n{\n    return 1;\n}\n", r"identifier-naming"),
    ("tidy", CORE, "#include <fcntl.h>\nint laz_f(const char *p);\nint laz_f(const char *p)\n{\n"
                   "    return open(p, O_RDONLY);\n}\n", r"android-cloexec-open"),
    ("tidy", CORE, "int laz_f(int n);\nint laz_f(int n)\n{\n    if (n > 1)\n        return laz_f(n - 1);\n"
                   "    return n;\n}\n", r"braces-around-statements|no-recursion"),
]

# A program small enough for PID 1's limit, which glibc's own start-up is not.
PROGRAM = "void __stack_chk_fail(void) {}\nvoid NAME(void) {}\nvoid _start(void) { for (;;) {} }\n"
PADDED = "#ifdef PAD\nconst char pad[200000] = {1};\n#endif\n#ifdef MORE\nconst char more[1 << 20] = {1};\n#endif\n"
GOOD_LINK = "-DNAME=other -nostdlib -fPIE -static-pie -Wl,-z,relro,-z,now,-z,noexecstack"
PROGRAMS = [
    (GOOD_LINK, None),
    (GOOD_LINK.replace("-static-pie", "-pie"), r"bin/lazaret-init: has an interpreter"),
    (GOOD_LINK.replace("-static-pie", "-static -no-pie"), r"bin/lazaret: not position independent"),
    (GOOD_LINK.replace("noexecstack", "execstack"), r"stack may be executable"),
    (GOOD_LINK.replace("-z,now,", ""), r"no BIND_NOW"),
    (GOOD_LINK.replace("-z,relro", "-z,norelro"), r"no RELRO"),
    (GOOD_LINK.replace("other", "SSL_new"), r"PID 1 must not hold SSL_new"),
    (GOOD_LINK.replace("other", "yaml_parser_parse"), r"the helper must not hold yaml_parser_parse"),
    (GOOD_LINK.replace("other", "laz_policy_load"), r"the helper must not hold laz_policy_load"),
    (GOOD_LINK.replace("other", "posix_spawn"), r"the helper must not hold posix_spawn"),
    (GOOD_LINK.replace("other", "vfork"), r"the shim must not hold vfork"),
    (GOOD_LINK.replace("other", "getenv"), r"the shim must not hold getenv"),
    (GOOD_LINK.replace("other", "printf_core"), r"the shim must not hold printf_core"),
    (GOOD_LINK + " -DPAD -DMORE", r"lazaret-shim: loads \d+ bytes, at most"),
    (GOOD_LINK + " -DPAD", r"lazaret-init: loads \d+ bytes, at most"),
]

# With every tracked file of these checks taken away, an empty look is not a pass.
NEEDS_FILES = ("format", "layers", "headers", "mistakes", "tests", "globals", "text", "tidy", "generated")


def plant(folder, files):
    """A git tree with these files, and beside it a build that knows the good ones."""
    tree, build = folder / "tree", folder / "build"
    for path, content in files.items():
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
    (tree / "tests/lint").mkdir(parents=True, exist_ok=True)
    for name in (".clang-format", ".clang-tidy"):
        shutil.copy(ROOT / name, tree / name)
    shutil.copy(LINT / "layers.txt", tree / "tests/lint/layers.txt")
    subprocess.run(["git", "init", "-q", tree], check=True)
    subprocess.run(["git", "-C", tree, "add", "-A"], check=True)
    build.mkdir()
    commands = []
    for number, path in enumerate(p for p in GOOD if p.endswith(".c")):
        command = f"gcc -std=gnu17 -fPIE -Ilib -c {path} -o {build}/{number}.o"
        commands.append({"directory": str(tree), "file": path, "command": command})
        if path in files:
            subprocess.run(command.split(), cwd=tree, check=False, stderr=subprocess.DEVNULL)
    (build / "compile_commands.json").write_text(json.dumps(commands), encoding="utf-8")
    (build / "CTestTestfile.cmake").write_text("", encoding="utf-8")
    return tree, build


def run(check, files):
    with tempfile.TemporaryDirectory() as folder:
        tree, build = plant(pathlib.Path(folder), files)
        done = subprocess.run(
            [sys.executable, LINT / f"check_{check}.py", "--root", tree, "--build", build], text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout


def check_programs(flags):
    """The release check over programs of every name, made with these flags."""
    with tempfile.TemporaryDirectory() as folder:
        tree, build = plant(pathlib.Path(folder), GOOD)
        for name in ("lazaret", *(f"lazaret-{word}" for word in ("helper", "hook", "init", "prepare", "setup", "shim"))):
            program, symbols = build / "bin" / name, build / "debug" / f"{name}.debug"
            program.parent.mkdir(exist_ok=True)
            symbols.parent.mkdir(exist_ok=True)
            compile_it = ["gcc", *flags.split(), "-x", "c", "-", "-o", program]
            subprocess.run(compile_it, input=PROGRAM + PADDED, text=True, check=True)
            subprocess.run(["objcopy", "--only-keep-debug", program, symbols], check=True)
            subprocess.run(["strip", program], check=True)
        done = subprocess.run(
            [sys.executable, LINT / "check_artefacts.py", "--root", tree, "--build", build], text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout


# (CTest's status, what the program said, (passed, failed, skipped))
SYNTHESIS = "[====] Synthesis: Tested: {} | Passing: {} | Failing: {} | Crashing: {} \n"
TALLY = [
    ("run", "no count of its own", (1, 0, 0)),
    ("fail", "no count of its own", (0, 1, 0)),
    ("notrun", "Unable to find executable", (0, 1, 0)),
    ("disabled", "", (0, 0, 1)),
    ("run", SYNTHESIS.format(3, 3, 0, 0), (3, 0, 0)),
    ("fail", SYNTHESIS.format(3, 1, 2, 1), (1, 2, 0)),
    ("fail", SYNTHESIS.format(0, 0, 0, 0), (0, 1, 0)),
    ("run", "[SKIP] a::b: no reason\n" + SYNTHESIS.format(1, 1, 0, 0), (1, 0, 1)),
    ("fail", SYNTHESIS.format(3, 3, 0, 0) + "AddressSanitizer: leak\n", (3, 1, 0)),
    ("run", "a_test: 4 passed, 0 failed, 0 skipped\n", (4, 0, 0)),
    ("fail", "a_test: 4 passed, 1 failed, 2 skipped\n", (4, 1, 2)),
    ("fail", "a_test: 4 passed, 0 failed, 2 skipped\n", (4, 0, 2)),
    ("fail", "a_test: 4 passed, 0 failed, 0 skipped\n", (4, 1, 0)),
]

passed = failed = 0


def claim(name, holds, output):
    global passed, failed
    if holds:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {name}:\n{output}")


for check in sorted({row[0] for row in BAD}):
    status, output = run(check, GOOD)
    claim(f"{check}: a good tree passes", status == 0, output)
for check, path, addition, reason in BAD:
    status, output = run(check, {**GOOD, path: GOOD.get(path, "") + addition})
    claim(f"{check}: {addition.strip()[:40]!r} is refused", status != 0 and re.search(reason, output), output)
for check in NEEDS_FILES:
    status, output = run(check, {"LICENSE": "text\n"})
    claim(f"{check}: an empty tree is refused", status != 0, output)

for flags, reason in PROGRAMS:
    status, output = check_programs(flags)
    claim(f"artefacts: {flags}", (status == 0) if reason is None else re.search(reason, output), output)

for status, output, expected in TALLY:
    seen = tally.count(status, output)
    claim(f"tally: {status} {output.strip()!r} is {expected}", seen == expected, f"saw {seen}")

with tempfile.TemporaryDirectory() as folder:
    empty = pathlib.Path(folder, "empty.xml")
    empty.write_text("<testsuite></testsuite>", encoding="utf-8")
    one = pathlib.Path(folder, "one.xml")
    one.write_text('<testsuite><testcase name="a" status="run"/></testsuite>', encoding="utf-8")

    def results(name, **tests):
        """A file of results: how each test ended."""
        path = pathlib.Path(folder, f"{name}.xml")
        path.write_text("<testsuite>" + "".join(
            f'<testcase name="{test}" status="{status}"><system-out>{said}</system-out></testcase>'
            for test, (status, said) in tests.items()) + "</testsuite>", encoding="utf-8")
        return path

    fine, bad, skip = ("run", ""), ("fail", ""), ("run", "e2e_a: 1 passed, 0 failed, 1 skipped")
    red = results("red", e2e_a=bad, e2e_b=fine)
    green, still, skips = results("green", e2e_a=fine), results("still", e2e_a=bad), results("skips", e2e_a=skip)
    unit = results("unit", e2e_a=bad, unit_a=bad)
    many = results("many", **{f"e2e_{i}": bad for i in range(tally.UNSTEADY + 1)})
    many_green = results("many_green", **{f"e2e_{i}": fine for i in range(tally.UNSTEADY + 1)})
    some = results("some", **{f"e2e_{i}": bad for i in range(tally.UNSTEADY)})
    for arguments, expected in [([one], 0), ([one, empty], 1), ([one, "broken:dev"], 1), ([empty], 1),
                                ([one, pathlib.Path(folder, "absent.xml")], 1), ([red], 1), ([red, f"again:{green}"], 0),
                                ([red, f"again:{still}"], 1), ([red, f"again:{skips}"], 1), ([red, f"again:{empty}"], 1),
                                ([one, f"again:{green}", red], 1), ([red, one, f"again:{green}"], 1),
                                ([unit, f"again:{green}"], 1), ([many, f"again:{many_green}"], 1),
                                ([some, f"again:{many_green}"], 0)]:
        done = subprocess.run(
            [sys.executable, ROOT / "tests/tally.py", *arguments], text=True, stdout=subprocess.PIPE, check=False)
        names = [pathlib.PurePath(a).name for a in arguments]
        claim(f"tally: {names} exits {expected}", done.returncode == expected, done.stdout)
        repeated = any(str(a).startswith("again:") for a in arguments) and expected == 0
        claim(f"tally: {names} names what is unsteady", ("unsteady: e2e_" in done.stdout) == repeated, done.stdout)
    for path, expected in [(red, ["e2e_a"]), (green, []), (unit, []), (many, []), (some, [f"e2e_{i}" for i in range(tally.UNSTEADY)]),
                           (empty, [])]:
        done = subprocess.run([sys.executable, ROOT / "tests/tally.py", "--failed", path], text=True, stdout=subprocess.PIPE, check=False)
        claim(f"tally: of {path.name}, to be run again: {expected}", done.stdout.split() == expected, done.stdout)

covered = {row[0] for row in BAD} | {"artefacts"}
unproved = {p.stem.removeprefix("check_") for p in LINT.glob("check_*.py")} - covered
unproved -= {"syscall_table"}  # has a test of its own
claim("every check is proved here", not unproved, f"no row for: {sorted(unproved)}")
print(f"lint_selftest: {passed} passed, {failed} failed, 0 skipped")
sys.exit(1 if failed else 0)
