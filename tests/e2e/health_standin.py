# SPDX-License-Identifier: Apache-2.0
"""The health socket of a container, for what asks it: health_standin.py ANSWER [uid=N] [hang] [control] -- COMMAND...
With `control` it is that socket, of packets.

The first process of its own namespaces, as init is. ANSWER is a file with all that a connection gets, read anew for
each. The command's exit code is its own.
"""
import os
import socket
import subprocess
import sys
import threading

answer, *options = sys.argv[1:sys.argv.index("--")]
command = sys.argv[sys.argv.index("--") + 1:]
uid = next((int(o[4:]) for o in options if o.startswith("uid=")), 0)

subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "none", "/run"], check=True)
os.mkdir("/run/lazaret")
path = f"/run/lazaret/{'control' if 'control' in options else 'health'}.{os.stat('/proc/self/ns/pid').st_ino}"
kind = socket.SOCK_SEQPACKET if "control" in options else socket.SOCK_STREAM


def serve(listener):
    """Everybody, one after the other."""
    while True:
        conn, _ = listener.accept()
        conn.recv(4096)
        if "hang" in options:
            continue
        with open(answer, "rb") as text:
            conn.sendall(text.read())
        conn.close()


if uid:  # somebody else listens: another process, because PID 1 is believed
    os.chmod("/run/lazaret", 0o777)
    if os.fork() == 0:
        os.setuid(uid)
        server = socket.socket(socket.AF_UNIX, kind)
        server.bind(path)
        server.listen(8)
        serve(server)
    while not os.path.exists(path):
        pass
elif "nobody" not in options:
    server = socket.socket(socket.AF_UNIX, kind)
    server.bind(path)
    server.listen(8)
    threading.Thread(target=serve, args=(server,), daemon=True).start()
sys.exit(subprocess.run(command, check=False).returncode)
