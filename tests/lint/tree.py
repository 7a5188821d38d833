# SPDX-License-Identifier: Apache-2.0
"""What every check shares: the tracked files, C without comments, and findings that say where.

Command line of a check: [--root DIR] [--build DIR] [--long]. It exits 0 only if it looked at something
and found nothing; its last line says how many files it saw.
"""
import argparse
import fnmatch
import os
import pathlib
import re
import subprocess
import sys

_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)


class Tree:
    """One run of one check."""

    def __init__(self, name):
        options = argparse.ArgumentParser(prog=name)
        options.add_argument("--root", default=pathlib.Path(__file__).resolve().parents[2])
        options.add_argument("--build")
        options.add_argument("--long", action="store_true")
        chosen = options.parse_args()
        self.name = name
        self.root = pathlib.Path(chosen.root).resolve()
        self.build = chosen.build and pathlib.Path(chosen.build).resolve()
        self.long = chosen.long or os.environ.get("LAZARET_LONG") == "1"
        self.findings = 0
        listing = subprocess.run(
            ["git", "-C", self.root, "ls-files", "-z"], check=True, stdout=subprocess.PIPE, text=True)
        # A tracked file that was deleted but not yet committed is not there to be read.
        self._tracked = [p for p in listing.stdout.split("\0") if p and (self.root / p).is_file()]

    def files(self, *patterns, without=()):
        """Tracked paths that match a pattern ('*' crosses '/'), less those in `without`."""
        return [
            p for p in self._tracked
            if any(fnmatch.fnmatchcase(p, w) for w in patterns)
            and not any(fnmatch.fnmatchcase(p, w) for w in without)
        ]

    def text(self, path):
        return (self.root / path).read_text(encoding="utf-8", errors="surrogateescape")

    def complain(self, path, line, message):
        self.findings += 1
        print(f"{path}:{line}: {message}" if line else f"{path}: {message}")

    def run(self, command, **options):
        """Run a tool in the tree; its output, and a finding if it fails without saying anything."""
        done = subprocess.run(
            command, cwd=self.root, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, check=False, **options)
        return done.returncode, done.stdout

    def finish(self, seen):
        if not seen:
            print(f"{self.name}: nothing to look at, which is not a pass")
            sys.exit(1)
        print(f"{self.name}: {len(seen)} files, {self.findings} findings")
        sys.exit(1 if self.findings else 0)


def without_comments(text, keep_strings=False):
    """C text with comments (and the inside of literals) blanked; every line keeps its number."""

    def blank(match):
        token = match.group()
        if token[0] in "\"'":
            return token if keep_strings else token[0] + token[0]
        return re.sub(r"[^\n]", " ", token)

    return _TOKEN.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1
