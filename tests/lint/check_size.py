#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No file outgrows its reader: 700 lines, 250 for a header. Tables (.def) may be long."""
from tree import Tree

LIMITS = ((".h", 250), (".c", 700), (".py", 700), (".sh", 300), ("CMakeLists.txt", 360))

tree = Tree("size")
files = tree.files(*("*" + ending for ending, _ in LIMITS), without=["tests/data/*"])
for path in files:
    lines = tree.text(path).splitlines()
    limit = next(limit for ending, limit in LIMITS if path.endswith(ending))
    if len(lines) > limit:
        tree.complain(path, len(lines), f"{len(lines)} lines, at most {limit}")
tree.finish(files)
