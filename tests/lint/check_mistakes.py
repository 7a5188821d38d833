#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Simple mistakes, each a pattern over C without comments and literals. A row earns its place by a
mistake that was made; what a compiler or clang-tidy sees better is not here."""
import re

from tree import Tree, line_of, without_comments

EVERYWHERE = ("*.c", "*.h", "*.def", "*.inc")
OURS = tuple(f"{top}/*.[ch]" for top in ("lib", "init", "cli", "shim", "hooks"))
LIB = ("lib/*.[ch]",)

# (files, pattern, what to do instead)
MISTAKES = [
    (EVERYWHERE, r"\b(strcpy|strcat|stpcpy|strncpy|strncat|v?sprintf|gets|strtok(_r)?)\s*\(",
     "bytes move through laz_buf"),
    (OURS, r"\b(ato[ifl]|atoll|strto(l|ul|ll|ull|d|f|imax|umax)|sscanf)\s*\(",
     "numbers are parsed by core/num.h"),
    (EVERYWHERE, r"\b(alloca|strdupa)\s*\(", "no memory of unknown size on the stack"),
    (EVERYWHERE, r"\b(system|popen|mktemp|tmpnam|rand|bzero|usleep)\s*\(",
     "has a hidden shell, race or limit"),
    (EVERYWHERE, r"^[ \t]*v?snprintf\s*\(", "truncation goes unseen: look at the result"),
    (OURS, r"\bchar\s+\w+\[\s*(\d{3,}|PATH_MAX|MAXPATHLEN|BUFSIZ)\s*(\+\s*1\s*)?\]", "a size is a named constant with its reason, or a laz_buf"),
    (EVERYWHERE, r"\bif\s*\(\s*(\w+)(\s*!=\s*(NULL|0))?\s*\)\s*\{?\s*(free|laz_\w+_free)\s*\(\s*\1\s*\)",
     "free accepts NULL"),
    (EVERYWHERE, r"\btypedef\s+(struct|union|enum)\b", "no typedef of structs"),
    (EVERYWHERE, r"\bgoto\s+(?!out\b)\w+", "goto goes forward, to out"),
    (EVERYWHERE, r"^[ \t]*#[ \t]*pragma\s+once", "guards are LAZ_AREA_NAME_H"),
    (EVERYWHERE, r"\bsignal\s*\(\s*SIG", "sigaction says what happens to the other flags"),
    (LIB, r"\b(v?f?printf|v?dprintf|puts|fputs|perror|syslog|exit|abort|errx?|warnx?)\s*\(",
     "lib/ returns errors; it never prints and never exits"),
    (OURS, r"^[ \t]*#[ \t]*if(def|ndef)?\s+.*(DEBUG|FEATURE|ENABLE_|HAVE_)",
     "features are probed at run time"),
]

tree = Tree("mistakes")
files = tree.files(*EVERYWHERE, without=["tests/data/*"])
for path in files:
    code = without_comments(tree.text(path))
    for patterns, wrong, instead in MISTAKES:
        if path not in tree.files(*patterns):
            continue
        for match in re.finditer(wrong, code, re.MULTILINE):
            what = " ".join(match.group().split())
            tree.complain(path, line_of(code, match.start()), f"`{what}`: {instead}")

OPEN_ENDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))")
everything = tree.files("*", without=["tests/lint/*", "tests/data/*", "tests/fuzz/corpus/*", "LICENSE"])
for path in everything:
    for number, line in enumerate(tree.text(path).splitlines(), 1):
        match = OPEN_ENDS.search(line)
        if match:
            tree.complain(path, number, f"{match.group()} without the number of an issue")
tree.finish(files)
