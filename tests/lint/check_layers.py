#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every #include is allowed by layers.txt: areas know only the areas below them, and foreign libraries
stay in the files that are named for them."""
import fnmatch
import pathlib
import re
import sys

from tree import Tree, line_of, without_comments

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
FOREIGN = re.compile(
    r"^(yaml\.h|seccomp\.h|sys/capability\.h|zlib\.h|curl/|(openssl|event2|criterion)/)")


def read_layers(path):
    """[(pattern, {folders and headers}, {foreign prefixes})], in the order of the file."""
    layers = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        cells = [c.strip() for c in line.split("|")]
        if len(cells) != 3:
            sys.exit(f"{path}:{number}: expected three cells")
        layers.append((cells[0], set(cells[1].split()), set(cells[2].split())))
    return layers


def own_folder(path):
    """The prefix under which a file's own folder is included: lib/core/err.c is core."""
    parts = pathlib.PurePosixPath(path).parts
    return parts[1] if parts[0] == "lib" else "/".join(parts[:-1])


def judge(path, quote, header, allowed, foreign):
    """Why this include is refused, or None."""
    if FOREIGN.match(header):
        if any(header == f or header.startswith(f + "/") for f in foreign):
            return None
        return f"foreign library <{header}> is not for this layer"
    if quote == "<":
        return None
    folder, _, name = header.rpartition("/")
    if not folder and path.startswith(("tests/", "examples/")):
        return None  # programs that stand alone name their neighbours
    if not folder:
        return f'"{header}": project includes are written "area/file.h"'
    top = folder.split("/")[0]
    if {folder, header, top} & (allowed | {own_folder(path)}):
        return None
    return f'"{header}" is not below this layer (allowed: {" ".join(sorted(allowed)) or "nothing"})'


tree = Tree("layers")
layers = read_layers(tree.root / "tests/lint/layers.txt")
files = tree.files("*.c", "*.h", "*.def", "*.inc", without=["tests/data/*"])
for path in files:
    row = next((row for row in layers if fnmatch.fnmatchcase(path, row[0])), None)
    if row is None:
        tree.complain(path, 0, "no row of tests/lint/layers.txt says what this file may include")
        continue
    code = without_comments(tree.text(path), keep_strings=True)
    for match in INCLUDE.finditer(code):
        reason = judge(path, match.group(1), match.group(2), row[1], row[2])
        if reason:
            tree.complain(path, line_of(code, match.start()), reason)
tree.finish(files)
