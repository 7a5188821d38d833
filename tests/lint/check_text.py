#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scripts, words and man pages: shellcheck, codespell and mandoc have nothing to say."""
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

pages = tree.files("docs/man/*.[1-8]")
ask("mandoc", ["mandoc", "-T", "lint", "-W", "style"], pages)

tree.finish(scripts + words + pages)
