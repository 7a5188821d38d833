#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every Criterion test asserts something: a cr_ assertion, or a function of its file that makes one."""
import re

from tree import Tree, line_of, without_comments

TEST = re.compile(r"\b(?:Test|ParameterizedTest|Theory)\s*\(([^)]*)\)\s*\{")
FUNCTION = re.compile(r"^\w[\w \t*]*?\b(\w+)\([^;{}]*\)\s*\{", re.MULTILINE)
ASSERTION = r"\b(?:cr_(?:assert|expect|fatal|fail)\w*|assert)\s*\("


def body_after(code, brace):
    depth = 0
    for offset in range(brace, len(code)):
        depth += {"{": 1, "}": -1}.get(code[offset], 0)
        if depth == 0:
            return code[brace:offset]
    return code[brace:]


def asserting_functions(code):
    """Names of functions that assert, directly or through one another."""
    bodies = {m.group(1): body_after(code, m.end() - 1) for m in FUNCTION.finditer(code)}
    names, before = set(), -1
    while len(names) != before:
        before = len(names)
        wanted = "|".join([ASSERTION, *(rf"\b{n}\s*\(" for n in names)])
        names |= {n for n, body in bodies.items() if re.search(wanted, body)}
    return names


tree = Tree("tests")
files = tree.files("tests/unit/*.c")
# A header of the area's tests may hold the asserting functions that its files share.
shared = without_comments("\n".join(tree.text(p) for p in tree.files("tests/unit/*.h")))
for path in files:
    code = without_comments(tree.text(path))
    names = asserting_functions(code + "\n" + shared)
    names |= set(re.findall(r"#define\s+(\w*(?:assert|expect|check)\w*)\(", code + shared))
    asserts = "|".join([ASSERTION, *(rf"\b{n}\s*\(" for n in names)])
    tests = list(TEST.finditer(code))
    for test in tests:
        if not re.search(asserts, body_after(code, test.end() - 1)) and ".signal" not in test.group(1) \
                and ".exit_code" not in test.group(1):
            tree.complain(path, line_of(code, test.start()), f"Test({test.group(1)}) asserts nothing")
    if not tests and "cr_" not in code:
        tree.complain(path, 0, "a file of unit tests without a test")
tree.finish(files)
