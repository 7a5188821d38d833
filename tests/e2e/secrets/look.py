# SPDX-License-Identifier: Apache-2.0
"""The workload of secrets_world: says what it sees of its secrets, as JSON, and then does what it is told.

look.py FOLDER OUT NUMBER,... MARKER CODE: each file below the folder with content, owner and mode; the links; each
descriptor, read, read again by its path, and written to.
"""
import json
import os
import sys
import time  # noqa: F401, for CODE

folder, out, numbers, marker = sys.argv[1], sys.argv[2], [int(n) for n in sys.argv[3].split(",") if n], sys.argv[4]
open(marker, "w").close()
seen = {"uid": os.getuid(), "files": {}, "links": {}, "fds": {}, "environ": dict(os.environ), "open": []}
for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
    path = os.path.join(folder, name)
    if os.path.islink(path):
        seen["links"][name] = os.readlink(path)
data = os.path.join(folder, "..data")
for top, _, names in os.walk(os.path.realpath(data)) if os.path.exists(data) else []:
    for name in names:
        path = os.path.join(top, name)
        s = os.stat(path)
        below = os.path.relpath(path, os.path.realpath(data))
        try:
            content = open(os.path.join(folder, below), "rb").read().hex()
        except OSError as why:
            content = str(why)
        seen["files"][below] = [content, s.st_uid, s.st_gid, oct(s.st_mode & 0o7777)]
for number in numbers:
    try:
        s = os.fstat(number)
        again = open(f"/proc/self/fd/{number}", "rb").read().hex()
        try:
            os.write(number, b"x")
            written = "written"
        except OSError as why:
            written = why.strerror
        seen["fds"][number] = [os.read(number, 1 << 20).hex(), again, s.st_uid, oct(s.st_mode & 0o7777), written]
    except OSError as why:
        seen["fds"][number] = why.strerror
seen["open"] = [n for n in sorted(map(int, os.listdir("/proc/self/fd"))) if os.path.exists(f"/proc/self/fd/{n}")]
with open(out + ".part", "w") as file:
    json.dump(seen, file)
os.rename(out + ".part", out)
exec(sys.argv[5])
