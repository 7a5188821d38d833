#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every header compiles alone, twice over, and its guard names folders and file: lib/core/err.h is
LAZ_CORE_ERR_H. Test programs that stand alone drop the LAZ_."""
import pathlib
import re

from tree import Tree

tree = Tree("headers")
files = tree.files("*.h", without=["tests/data/*"])
command = ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
           "-I", "lib", "-I", "."]
if tree.build:
    command += ["-I", str(tree.build / "generated")]
for path in files:
    header = path.removeprefix("lib/")
    code, output = tree.run(
        [*command, "-include", header, "-include", header, "-x", "c", "/dev/null"])
    if code != 0:
        tree.complain(path, 0, f"does not compile alone:\n{output}")
    parts = pathlib.PurePosixPath(header).parts
    named = parts[-2:] if parts[0] == "tests" else parts
    guard = re.sub(r"\W", "_", "_".join(named)).upper()
    guards = rf"^#ifndef ((?:LAZ_)?{guard})\n#define \1$" if parts[0] == "tests" \
        else rf"^#ifndef (LAZ_{guard})\n#define \1$"
    if not re.search(guards, tree.text(path), re.MULTILINE):
        tree.complain(path, 1, f"include guard is not LAZ_{guard}")
tree.finish(files)
