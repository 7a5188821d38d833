# SPDX-License-Identifier: Apache-2.0
"""The fenced code blocks of the documentation, so that suites run what readers read.

A block's kind is what stands behind its opening fence, "json record" for example. Never changes a page.
"""
import collections
import json
import re

import laz

README = laz.ROOT / "README.md"

Block = collections.namedtuple("Block", "path line kind text")

_FENCE = re.compile(r"^```(.*?)$\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pages():
    """Every page that a reader may open."""
    return [README, *sorted((laz.ROOT / "docs").rglob("*.md"))]


def blocks(path):
    """The fenced blocks of a page, in order."""
    text = path.read_text(encoding="utf-8")
    return [Block(path, text.count("\n", 0, m.start()) + 1, m.group(1).strip(), m.group(2))
            for m in _FENCE.finditer(text)]


def block(kind, path=README):
    """The text of the one block of this kind in a page: block("dockerfile") is README's Dockerfile."""
    found = [b.text for b in blocks(path) if b.kind == kind]
    laz.check_equal(len(found), 1, f"blocks of kind {kind!r} in {path.name}")
    return found[0]


def entrypoint():
    """The words of ENTRYPOINT in README's Dockerfile."""
    lines = [line for line in block("dockerfile").splitlines() if line.startswith("ENTRYPOINT ")]
    return json.loads(lines[0].removeprefix("ENTRYPOINT "))
