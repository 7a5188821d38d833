#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is shipped is what was promised, read from the files in bin/ of a release build: static-pie, no
interpreter, RELRO, BIND_NOW, no executable stack, stripped, no path of the build machine. PID 1 is small
and holds no parser, no TLS and no second opinion; the helper, which reads what others write and has sockets, holds no
parser of policies and starts no program; the shim reads what a container asks for, and neither YAML nor a compiler is in it."""
import re

from tree import Tree

EXPECTED = ("lazaret", "lazaret-helper", "lazaret-hook", "lazaret-init", "lazaret-prepare", "lazaret-setup", "lazaret-shim")
NOT_SHIPPED = ("attack",)  # plays the workload in tests
# Of what is loaded: a file has zeros too, which align its segments to pages, of 64 KiB on aarch64.
MAX_BYTES = {"lazaret-init": 144 << 10, "lazaret-shim": 208 << 10}
LOADED = re.compile(r"^ +LOAD +(?:0x[0-9a-f]+ +){3}0x([0-9a-f]+) ", re.M)  # FileSiz
INIT_NEVER = re.compile(r"\b(SSL_|EVP_|yaml_|seccomp_|cap_(get|set)_proc|getaddrinfo|dlopen)\w*")
HELPER_NEVER = re.compile(r"\b(?:yaml_|seccomp_|laz_(?:yaml|policy|filter|image)_)\w*|\b(?:f?execv\w*|posix_spawn\w*|popen|"
                          r"system)\b")

# It stands in front of each runtime call, and hands on what it was given. libc's printf, which an assert brings too,
# would be a tenth of it.
SHIM_NEVER = re.compile(r"\b(?:v?fork|clone|posix_spawn\w*|popen|system|execvp\w*|execlp|socket|printf_core|"
                        r"getenv|setenv|putenv|dlopen|SSL_\w*|EVP_\w*|(?:laz_)?yaml_\w*|seccomp_\w*|laz_filter_\w*|laz_policy_load)$", re.M)

UNDEFENDED = b"lazaret does not wipe here"  # tests/fixture/undefended.c

tree = Tree("artefacts")
if not tree.build:
    raise SystemExit("artefacts: needs --build")
programs = sorted(p for p in (tree.build / "bin").iterdir() if p.name not in NOT_SHIPPED)


def judge(path):
    """Yield what is wrong with one program."""
    _, header = tree.run(["readelf", "-hlW", str(path)])
    _, dynamic = tree.run(["readelf", "-dW", str(path)])
    _, sections = tree.run(["readelf", "-SW", str(path)])
    if not re.search(r"Type:\s+DYN", header):
        yield "not position independent"
    if "INTERP" in header:
        yield "has an interpreter: not static"
    if "(NEEDED)" in dynamic or "RPATH" in dynamic or "RUNPATH" in dynamic:
        yield "needs a shared library"
    if "GNU_RELRO" not in header:
        yield "no RELRO"
    if "BIND_NOW" not in dynamic and not re.search(r"FLAGS_1.*\bNOW\b", dynamic):
        yield "no BIND_NOW"
    if "TEXTREL" in dynamic:
        yield "has text relocations"
    if not re.search(r"GNU_STACK.* RW +0x", header):
        yield "the stack may be executable"
    if re.search(r"LOAD.* RWE ", header):
        yield "has a segment that is both writable and executable"
    if ".symtab" in sections:
        yield "not stripped"
    if str(tree.root).encode() in path.read_bytes():
        yield f"names the build machine's {tree.root}"
    if UNDEFENDED in path.read_bytes():
        yield "was built without what wipes values"
    _, symbols = tree.run(["nm", str(tree.build / "debug" / f"{path.name}.debug")])
    if "__stack_chk_fail" not in symbols:
        yield "no symbols in debug/, or no stack protector"
    if path.name in MAX_BYTES:
        size, most = sum(int(length, 16) for length in LOADED.findall(header)), MAX_BYTES[path.name]
        print(f"{path.name}: loads {size} bytes of at most {most}")
        if size > most:
            yield f"loads {size} bytes, at most {most}"
    if path.name == "lazaret-init":
        for match in INIT_NEVER.finditer(symbols):
            yield f"PID 1 must not hold {match.group()}"
    if path.name == "lazaret-shim":
        for match in SHIM_NEVER.finditer(symbols):
            yield f"the shim must not hold {match.group()}"
    if path.name == "lazaret-helper":
        for match in HELPER_NEVER.finditer(symbols):
            yield f"the helper must not hold {match.group()}"


for missing in sorted(set(EXPECTED) - {p.name for p in programs}):
    tree.complain(f"bin/{missing}", 0, "not built")
undefended = tree.build / "tests" / "undefended_helper"
if undefended.exists() and UNDEFENDED not in undefended.read_bytes():
    tree.complain("tests/undefended_helper", 0, "is not marked as built without what wipes values")
for program in programs:
    for wrong in judge(program):
        tree.complain(f"bin/{program.name}", 0, wrong)
tree.finish(programs)
