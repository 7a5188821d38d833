#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_syscall_table.py can fail: the tables as they are pass, and each planted mistake is refused with
its place and its reason."""
import pathlib
import re
import subprocess
import sys
import tempfile

LINT = pathlib.Path(__file__).resolve().parent
ROOT = LINT.parents[1]
TABLES = "lib/policy/tables/"

# (table, what stands there, what to make of it, what the finding says)
MISTAKES = [
    ("syscalls.def", "LAZ_SYSCALL(openat, 257, ", "LAZ_SYSCALL(openat, 258, ",
     r"syscalls\.def:\d+: openat is 257 on x86_64, not 258"),
    ("syscalls.def", "LAZ_SYSCALL(openat, 257, 56,", "LAZ_SYSCALL(openat, 257, -1,",
     r"openat is 56 on aarch64, not -1"),
    ("syscalls.def", "LAZ_SYSCALL(mkdirat, ", "LAZ_SYSCALL(mkdirta, ",
     r"mkdirat \(x86_64 258\) is in the headers, not in the table"),
    ("groups.def", '"mincore", ', "", r"syscalls\.def:\d+: mincore is in no group"),
    ("groups.def", "LAZ_UNGROUPED(tee, ", "LAZ_UNGROUPED(teee, ", r"tee is in no group"),
    ("constants.def", "AF_VSOCK, 40", "AF_VSOCK, 41",
     r"constants\.def:\d+: AF_VSOCK is not 41 on x86_64 in <sys/socket\.h>"),
    ("constants.def", "LAZ_CONSTANT(OPEN, O_EXCL,", "LAZ_CONSTANT(OPEN, O_DIRECTORY, 0x10000)\n"
     "LAZ_CONSTANT(OPEN, O_EXCL,", r"O_DIRECTORY is not 65536 on aarch64"),
    ("constants.def", "ADDR_NO_RANDOMIZE, 0x40000", "ADDR_NO_RANDOMIZE, 0x80000",
     r"ADDR_NO_RANDOMIZE is not 524288 on aarch64"),
    ("names.def", '"CAP_BPF", 39', '"CAP_BPF", 38', r"names\.def:\d+: CAP_BPF is not 38 on aarch64"),
    ("names.def", '"SIGUSR1", 10', '"SIGUSR1", 12', r"SIGUSR1 is not 12 on x86_64"),
    ("names.def", '"RLIMIT_NOFILE", 7', '"RLIMIT_NOFILE", 6', r"RLIMIT_NOFILE is not 6 on x86_64"),
]


def run(tables):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / TABLES).mkdir(parents=True)
        for name, text in tables.items():
            (root / TABLES / name).write_text(text, encoding="utf-8")
        subprocess.run(["git", "init", "-q", root], check=True)
        subprocess.run(["git", "-C", root, "add", "-A"], check=True)
        done = subprocess.run(
            [sys.executable, LINT / "check_syscall_table.py", "--root", root], text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout


good = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / TABLES).glob("*.def")}
status, output = run(good)
claims = [("the tables as they are", status == 0, output)]
skipped = output.count(": skipped, because")
for table, before, after, reason in MISTAKES:
    if any(f"{arch}: skipped" in output and arch in reason for arch in ("x86_64", "aarch64")):
        continue  # no headers for it here
    status, said = run({**good, table: good[table].replace(before, after, 1)})
    claims.append((after or f"no {before}", before in good[table] and status != 0
                   and re.search(reason, said) is not None, said))
status, said = run({name: text for name, text in good.items() if name != "names.def"})
claims.append(("no names.def", status != 0, said))

for name, holds, said in claims:
    if not holds:
        print(f"FAIL {name}:\n{said}")
failed = sum(not holds for _, holds, _ in claims)
print(f"syscall_table_selftest: {len(claims) - failed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed else 0)
