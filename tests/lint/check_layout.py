#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tree has known names at its top, no drawer files, a licence line in each file and, with --build,
no C file and no end-to-end suite that the build does not know. The programs that end-to-end
suites compile for themselves are theirs to know."""
import json
import pathlib
import re

from tree import Tree

TOP = {
    "CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE", "CHANGELOG.md",
    "lib", "init", "shim", "hooks", "cli", "policies", "tests", "examples", "docs",
}
# A helper is a process here.
NO_DRAWERS = re.compile(r"^init/pid1/helpers?\.[ch]$|^tests/unit/init/helper_test\.c$")
DRAWERS = re.compile(r"(^|/)(utils?|helpers?|misc|common|manager|stuff)(\.\w+)?(/|$)")
NO_LICENCE_LINE = ["LICENSE", "*.json", "*.svg", "*.png", "tests/data/*", "tests/fuzz/corpus/*"]
SELF_BUILT = ["examples/*", "tests/attack/*", "tests/e2e/*", "tests/bench/*", "tests/data/*"]
LICENCE = "SPDX-License-Identifier: Apache-2.0"

tree = Tree("layout")
files = tree.files("*")
for path in files:
    top = path.split("/")[0]
    if top not in TOP and not top.startswith("."):
        tree.complain(path, 0, f"{top} is not a name of the top level")
    if DRAWERS.search(path) and not NO_DRAWERS.search(path):
        tree.complain(path, 0, "a name for a drawer: say what the file is responsible for")
for path in tree.files("*", without=NO_LICENCE_LINE):
    if LICENCE not in "\n".join(tree.text(path).splitlines()[:4]):
        tree.complain(path, 1, f"no line \"{LICENCE}\" at the top")

if tree.build:
    commands = json.loads((tree.build / "compile_commands.json").read_text(encoding="utf-8"))
    built = {pathlib.Path(c["directory"], c["file"]).resolve() for c in commands}
    for path in tree.files("*.c", without=SELF_BUILT):
        if (tree.root / path).resolve() not in built:
            tree.complain(path, 0, "no CMakeLists.txt lists this file")
    _, output = tree.run(["ctest", "--test-dir", str(tree.build), "--show-only=json-v1"])
    known = {t["name"] for t in json.loads(output)["tests"]}
    for path in tree.files("tests/e2e/*_test.py"):
        name = "e2e_" + pathlib.PurePosixPath(path).name.removesuffix("_test.py")
        if name not in known:
            tree.complain(path, 0, f"no laz_e2e({name.removeprefix('e2e_')}) registers this suite")
tree.finish(files)
