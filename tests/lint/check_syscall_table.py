#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The name tables of the policy language agree with the kernel headers that are installed: every
system call is there with its number, and in a group or with a reason why not; every constant has the
value that the headers give it. For both architectures, as far as there are headers for them; what
could not be compared is counted in the last lines."""
import pathlib
import re
import shutil
import tempfile

from tree import Tree

CALLS = "lib/policy/tables/syscalls.def"
GROUPS = "lib/policy/tables/groups.def"
CONSTANTS = "lib/policy/tables/constants.def"
NAMES = "lib/policy/tables/names.def"
ROWS = {
    CONSTANTS: r"^LAZ_CONSTANT\(\w+, (\w+), (\w+)\)$",
    NAMES: r'^LAZ_(?:CAPABILITY|SIGNAL|RLIMIT)\((?:"[\w-]+", )?"(\w+)", (\d+)\)$',
}
# Compiled one by one, because several of them cannot stand together.
HEADERS = """
sys/socket.h linux/termios.h netinet/tcp.h linux/tcp.h linux/in6.h linux/netlink.h sys/ioctl.h
netinet/in.h linux/sockios.h linux/fs.h linux/nsfs.h linux/if_tun.h linux/random.h linux/seccomp.h
linux/loop.h linux/kd.h linux/vt.h linux/prctl.h linux/sched.h linux/mman.h linux/fcntl.h fcntl.h
linux/stat.h sys/personality.h asm/prctl.h linux/futex.h linux/time.h linux/membarrier.h
linux/memfd.h linux/ptrace.h linux/keyctl.h sys/mount.h linux/mount.h linux/close_range.h
sys/ipc.h linux/shm.h linux/capability.h signal.h sys/resource.h
""".split()
ENUMERATORS = {  # not macros, so only the compiler knows whether they are there
    "sys/personality.h": r"(PER_|ADDR_|MMAP_PAGE|READ_IMPLIES|SHORT_|WHOLE_|STICKY_|UNAME26|FDPIC)\w*",
    "sys/mount.h": r"(MNT|UMOUNT)_\w+",
    "netinet/in.h": r"IPPROTO_\w+",
    "linux/membarrier.h": r"MEMBARRIER_\w+",
}
NOT_A_CALL = {"syscalls", "arch_specific_syscall"}
COMPILERS = {"x86_64": "x86_64-linux-gnu-gcc", "aarch64": "aarch64-linux-gnu-gcc"}

tree = Tree("syscall_table")
text = {path: tree.text(path) for path in tree.files(CALLS, GROUPS, CONSTANTS, NAMES)}
if len(text) != 4:
    raise SystemExit("syscall_table: a table is missing, which is not a pass")


def place(path, name):
    match = re.search(rf'[(" ]{re.escape(name)}[,")]', text[path])
    return path, text[path].count("\n", 0, match.start()) + 1 if match else 0


def compile_c(compiler, source, *options):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "t.c")
        file.write_text(source, encoding="utf-8")
        return tree.run([compiler, "-std=gnu17", "-D_GNU_SOURCE", "-w", *options, str(file)])


def calls_of(compiler):
    """The system calls of its headers, name -> number."""
    _, macros = compile_c(compiler, "#include <asm/unistd.h>\n", "-E", "-dM")
    names = set(re.findall(r"^#define __NR_([a-z_]\w*) ", macros, re.MULTILINE)) - NOT_A_CALL
    source = "#include <asm/unistd.h>\n" + "".join(f"@{n} __NR_{n}\n" for n in sorted(names))
    _, output = compile_c(compiler, source, "-E", "-P")
    return {n: int(nr) for n, nr in re.findall(r"^@(\w+) (\d+)$", output, re.MULTILINE)}


def check_numbers(arch, compiler):
    column = {"x86_64": 1, "aarch64": 2}[arch]
    ours = {row[0]: int(row[column]) for row in
            re.findall(r"^LAZ_SYSCALL\((\w+), (-?\d+), (-?\d+), ", text[CALLS], re.MULTILINE)}
    theirs = calls_of(compiler)
    if len(theirs) < 250:
        tree.complain(CALLS, 0, f"{arch}: only {len(theirs)} calls in the headers: {compiler}?")
    for name, number in sorted(theirs.items()):
        if name not in ours:
            tree.complain(CALLS, 0, f"{name} ({arch} {number}) is in the headers, not in the table")
        elif ours[name] != number:
            tree.complain(*place(CALLS, name), f"{name} is {number} on {arch}, not {ours[name]}")
    print(f"{arch}: {len(theirs)} numbers compared, {len(ours) - len(theirs)} more in the table")


def check_groups():
    quoted = set(re.findall(r'"(\w+)"', text[GROUPS]))
    excused = set(re.findall(r"^LAZ_UNGROUPED\((\w+), \"..", text[GROUPS], re.MULTILINE))
    for name in re.findall(r"^LAZ_SYSCALL\((\w+),", text[CALLS], re.MULTILINE):
        if name not in quoted | excused:
            tree.complain(*place(CALLS, name), f"{name} is in no group, and nothing says why")


def check_values(arch, compiler):
    wanted = {}
    for path, pattern in ROWS.items():
        for name, value in re.findall(pattern, text[path], re.MULTILINE):
            wanted[name] = (path, int(value, 0))
    total = len(wanted)
    for header in HEADERS:
        prefix = f"#include <linux/types.h>\n#include <linux/ioctl.h>\n#include <{header}>\n"
        code, macros = compile_c(compiler, prefix, "-E", "-dM")
        if code != 0:
            continue  # not on this architecture, or not installed: its names stay in `wanted`
        defined = set(re.findall(r"^#define (\w+) ", macros, re.MULTILINE))
        here = [n for n in wanted if n in defined
                or re.fullmatch(ENUMERATORS.get(header, "-"), n)]
        asserts = "".join(f'_Static_assert((unsigned long long)({n}) == {wanted[n][1]}ull, "{n}");\n'
                          for n in here)
        _, output = compile_c(compiler, prefix + asserts, "-fsyntax-only", "-fmax-errors=0")
        errors = dict(re.findall(r"t\.c:(\d+):\d+: error: (.*)", output))
        for line, name in enumerate(here, prefix.count("\n") + 1):
            error = errors.get(str(line), "")
            if "static assertion failed" in error:
                tree.complain(*place(wanted[name][0], name),
                              f"{name} is not {wanted[name][1]} on {arch} in <{header}>")
            if not error or "static assertion failed" in error:
                del wanted[name]
    print(f"{arch}: {total - len(wanted)} values compared, not in these headers: "
          + (" ".join(sorted(wanted)) or "none"))
    if len(wanted) > total // 4:
        tree.complain(CONSTANTS, 0, f"{arch}: {len(wanted)} of {total} could not be compared")


check_groups()
native = tree.run(["gcc", "-dumpmachine"])[1].split("-")[0]
for architecture, cross in COMPILERS.items():
    chosen = "gcc" if architecture == native else shutil.which(cross)
    if chosen:
        check_numbers(architecture, chosen)
        check_values(architecture, chosen)
    else:
        print(f"{architecture}: skipped, because there is no {cross}")
tree.finish(text)
