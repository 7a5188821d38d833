#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over every C file of the build, with .clang-tidy's checks as errors.

The flags that only gcc knows are left out; a source that is compiled twice (PID 1) is read once."""
import concurrent.futures
import json
import os
import pathlib
import shlex
import tempfile

from tree import Tree

KEPT = ("-D", "-U", "-I", "-std=", "-nostdinc")
KEPT_WITH_VALUE = ("-isystem", "-idirafter", "-include")


def for_clang(command):
    """The flags of one compile command that decide what the file means."""
    words, kept = iter(shlex.split(command)), []
    for word in words:
        if word in KEPT_WITH_VALUE:
            kept += [word, next(words)]
        elif word.startswith(KEPT) and word != "-D_FORTIFY_SOURCE=3":
            kept.append(word)
    return kept


tree = Tree("tidy")
if not tree.build:
    raise SystemExit("tidy: needs --build")
wanted = set(tree.files("lib/*.c", "init/*.c", "cli/*.c", "shim/*.c", "hooks/*.c"))
database = {}
for entry in json.loads((tree.build / "compile_commands.json").read_text(encoding="utf-8")):
    source = pathlib.Path(entry["directory"], entry["file"]).resolve()
    path = str(source.relative_to(tree.root)) if source.is_relative_to(tree.root) else None
    if path in wanted and path not in database:
        database[path] = {
            "directory": str(tree.root), "file": path,
            "arguments": ["clang", *for_clang(entry["command"]), "-c", path],
        }

with tempfile.TemporaryDirectory() as folder:
    pathlib.Path(folder, "compile_commands.json").write_text(
        json.dumps(list(database.values())), encoding="utf-8")

    def tidy(path):
        return path, tree.run(["clang-tidy", "--quiet", "-p", folder, path])

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, (code, output) in pool.map(tidy, sorted(database)):
            if code != 0:
                errors = [line for line in output.splitlines() if "warnings generated" not in line]
                tree.findings += max(1, output.count(": error:"))
                print("\n".join([f"{path}:", *errors]).replace(f"{tree.root}/", ""))
tree.finish(database)
