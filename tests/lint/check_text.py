#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scripts, words and man pages: shellcheck, codespell and mandoc have nothing to say."""
import re

from tree import Tree

# Words that codespell takes for misspelt others.
WORDS = "ue,te,hist,clos,ans,crate,fo,inout,nd,inh"

tree = Tree("text")


def ask(tool, command, files, reason="nothing to look at, which is not a pass"):
    if not files:
        tree.complain(tool, 0, reason)
        return
    code, output = tree.run([*command, *files])
    if code != 0:
        tree.findings += max(1, len(output.splitlines()))
        print(f"{tool}:\n{output}")


scripts = [p for p in tree.files("*", without=["tests/data/*", "tests/fuzz/corpus/*"])
           if p.endswith(".sh") or tree.text(p)[:64].startswith(("#!/bin/sh", "#!/bin/bash"))]
ask("shellcheck", ["shellcheck", "-x"], scripts)

words = tree.files("*", without=["LICENSE", "*.def", "tests/data/*", "tests/fuzz/corpus/*"])
ask("codespell", ["codespell", "-L", WORDS], words)

# mandoc looks for the pages that a page refers to among those that are installed here. Ours are not, and those of
# other packages may not be: of references only those to pages of our own are judged, by what the tree has.
REFERENCE = re.compile(r"referenced manual not found: Xr (\S+) (\S+)|mandoc\.db lacks")
pages = tree.files("docs/man/*.[1-8]")
if not pages:
    tree.complain("mandoc", 0, "nothing to look at, which is not a pass")
else:
    for line in tree.run(["mandoc", "-T", "lint", "-W", "style", *pages])[1].splitlines():
        reference = REFERENCE.search(line)
        name = f"{reference.group(1)}.{reference.group(2)}" if reference else ""
        if not reference or (name.startswith("lazaret") and f"docs/man/{name}" not in pages):
            tree.complain("mandoc", 0, line)

tree.finish(scripts + words + pages)
