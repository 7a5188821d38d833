# SPDX-License-Identifier: Apache-2.0
"""Which system calls of a program may fail, and how: rows for strace's injection, from a trace of the program when all goes well."""
import re

import laz

# What the kernel does not fail, or not in a way that a program could notice; and who ends does not ask any more.
NEVER = {"alarm", "arch_prctl", "brk", "close", "exit_group", "getegid", "geteuid", "getgid", "getpid", "getppid", "gettid", "getuid", "munmap",
         "rseq", "rt_sigprocmask", "set_robust_list", "set_tid_address", "umask"}
# Of each call what the kernel may say; of the others EIO and ENOMEM. 0 of a read is a file that has just become shorter.
ANSWERS = {
    "flock": ["EINTR", "ENOLCK"], "execve": ["EACCES", "ENOMEM"], "execveat": ["EACCES", "ENOMEM"], "mmap": ["ENOMEM"],
    "open": ["EMFILE", "EIO"], "openat": ["EMFILE", "EIO"], "openat2": ["EMFILE", "EIO"], "pread64": ["EIO", 0], "read": ["EIO", 0, "EINTR"],
    "rename": ["ENOSPC"], "renameat": ["ENOSPC"], "sendfile": ["EIO", 0], "write": ["ENOSPC", "EIO", "EINTR"], "fsync": ["EIO"], "fdatasync": ["EIO"],
}
EVERY = 1 if laz.LONG else 5  # of the rows


def calls_of(trace):
    """Each call before the last program, with its number among those of its name."""
    counts, calls, last = {"execve": -1}, [], 0  # strace does not count its own
    for line in trace.read_text().splitlines():
        match = re.match(r"^(?:\d+ +)?(\w+)\(", line)
        if match:
            counts[match[1]] = counts.get(match[1], 0) + 1
            calls.append((match[1], counts[match[1]]))
            last = len(calls) if match[1] == "execve" and line.endswith(" = 0") else last
    return calls[1:last] if last > 1 else calls[1:]


def rows(trace):
    """(call, its number, answer) for each that can fail, or a sample that has each call by its name."""
    found = [(name, count, answer) for name, count in calls_of(trace) if name not in NEVER for answer in ANSWERS.get(name, ["EIO", "ENOMEM"])]
    seen = set()
    first = [row for row in found if not (row[0] in seen or seen.add(row[0]))]
    return [*first, *(row for row in found[::EVERY] if row not in first)]


def injection(row):
    """For strace."""
    name, count, answer = row
    said = f"error={answer}" if isinstance(answer, str) else f"retval={answer}"
    return ["-e", f"inject={name}:{said}:when={count}"]


def injected(trace, row):
    """The line of the call that was answered so; None: it did not come to that. And the row as text."""
    lines = [line for line in trace.read_text().splitlines() if line.endswith("(INJECTED)")]
    return lines[0] if lines else None, f"{row[0]} {row[1]} = {row[2]}"
