#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No mutable globals, read from the object files of a build: nothing of ours lies in .data, .bss, common
or thread-local storage. A `static` inside a function counts. Exceptions are named here, with their reason."""
import json
import pathlib
import re
import shlex

from tree import Tree

ALLOWED = {
    "init/pid1/main.c": {"pid1": "PID 1 has no heap; 80 KiB that are mostly never touched do not go on a stack"},
    "init/setup/heap.c": {"chunk": "a heap is one; the program lives for a millisecond"},
}
OURS = ("lib/*.c", "init/*.c", "cli/*.c", "shim/*.c", "hooks/*.c")
CONSTANT = re.compile(r"^\.(rodata|data\.rel\.ro|text|init_array|fini_array|eh_frame|debug|comment|note)")
# objdump -t: value, seven flag characters, section, size, name; 'O' is an object.
SYMBOL = re.compile(r"^[0-9a-f]+ .{6}O (\S+)\s+[0-9a-f]+\s+(?:\.hidden )?(\S+)$", re.MULTILINE)

tree = Tree("globals")
if not tree.build:
    raise SystemExit("globals: needs --build")
commands = json.loads((tree.build / "compile_commands.json").read_text(encoding="utf-8"))
ours = set(tree.files(*OURS))
seen = []
for command in commands:
    source = pathlib.Path(command["directory"], command["file"]).resolve()
    path = str(source.relative_to(tree.root)) if source.is_relative_to(tree.root) else None
    if path not in ours:
        continue
    words = shlex.split(command["command"])
    target = pathlib.Path(command["directory"], words[words.index("-o") + 1])
    if not target.exists():
        tree.complain(path, 0, f"not built: {target}")
        continue
    seen.append(path)
    _, output = tree.run(["objdump", "-t", str(target)])
    for section, name in SYMBOL.findall(output):
        plain = re.sub(r"\.\d+$", "", name)
        if not CONSTANT.match(section) and plain not in ALLOWED.get(path, {}):
            tree.complain(path, 0, f"mutable global {plain} in {section}")
tree.finish(seen)
