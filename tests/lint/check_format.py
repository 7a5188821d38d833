#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-format decides: every tracked C file is as it would write it."""
from tree import Tree

tree = Tree("format")
files = tree.files("*.c", "*.h")
if files:
    code, output = tree.run(["clang-format", "--dry-run", "-Werror", "--ferror-limit=3", *files])
    if code != 0:
        tree.findings += max(1, output.count(": error:"))
        print(output, "to repair: git ls-files '*.c' '*.h' | xargs clang-format -i", sep="\n")
tree.finish(files)
