# SPDX-License-Identifier: Apache-2.0
"""A how-to page for a host, done as it says, in the order in which it says it: its files are written, its commands run as root of a
machine of the suite's own (host_root), and print what the page shows.

Blocks: `console` is commands behind `# `, each with all that it prints and exit code 0; in `console fails` they end with another code. A `…` in
a line stands for any text, a line `…` for any lines. Any other block is the file that the line above it names last. Services are started by
a `systemctl` of the suite's own, without a network; `ecs` is a container with what the agent of ECS has.
"""
import atexit
import pathlib
import re
import shutil
import subprocess

import area
import host_root
import readme
from laz import check, check_equal

# Where systemd would start, stop and reload the services of the engines' packages. $1: what, $2: which.
SYSTEMCTL = """#!/bin/bash
exec </dev/null
pid() {{ cat "/run/$1.pid" 2>/dev/null; }}
stop() {{ local p; p=$(pid "$1") && kill "$p" && while kill -0 "$p" 2>/dev/null; do sleep 0.1; done; rm -f "/run/$1.pid"; }}
start() {{
    for drop in "/etc/systemd/system/$1.service.d/"*.conf; do
        [ -e "$drop" ] || continue
        while IFS= read -r line; do $line || {{ echo "Job for $1.service failed: $line" >&2; exit 1; }}; done < <(sed -n 's/^ExecStartPre=//p' "$drop")
    done
    case $1 in
    docker) setsid dockerd --pidfile /run/docker.pid --bridge=none --iptables=false --ip6tables=false --ip-forward=false --storage-driver vfs \\
        --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent /{cgroup} >/run/docker.log 2>&1 &
        for _ in $(seq 600); do docker version >/dev/null 2>&1 && return; sleep 0.1; done ;;
    containerd) setsid containerd >/run/containerd.log 2>&1 & echo $! >/run/containerd.pid
        for _ in $(seq 600); do ctr version >/dev/null 2>&1 && return; sleep 0.1; done ;;
    ecs) docker run -d --rm --name ecs-agent --init --network host --cap-add SYS_ADMIN --cap-add NET_ADMIN -v /run:/var/run -v /etc/ecs:/etc/ecs \\
        -v /sys/fs/cgroup:/sys/fs/cgroup busybox sleep 1000 >/run/ecs.log 2>&1 && return ;;
    esac
    cat "/run/$1.log" >&2
    exit 1
}}
case $1 in
daemon-reload) ;;
start) start "$2" ;;
stop) stop "$2" ;;
restart) stop "$2"; start "$2" ;;
reload)
    before=$(grep -c Reloaded "/run/$2.log")
    kill -HUP "$(pid "$2")"
    for _ in $(seq 600); do [ "$(grep -c Reloaded "/run/$2.log")" -gt "$before" ] && exit; sleep 0.1; done
    exit 1 ;;
*) echo "systemctl: $1?" >&2; exit 2 ;;
esac
"""


def remove_groups():
    """The control groups of what the pages call tasks of ECS: engines leave them."""
    for top in pathlib.Path("/sys/fs/cgroup").glob("*/ecs"):
        for folder in sorted((p for p in top.rglob("*") if p.is_dir()), reverse=True):
            folder.rmdir()
        top.rmdir()


class Page:
    """One page on a machine of its own."""

    def __init__(self, path):
        self.path = path
        host_root.enter()
        atexit.register(remove_groups)  # behind the fence, in which all ends
        self.fence = area.fence()
        subprocess.run(["dpkg", "--purge", "lazaret"], capture_output=True, check=False)
        for place in (*host_root.OURS, "/run/lazaret"):  # of a page before this one
            shutil.rmtree(place, ignore_errors=True)
        self.env = {"PATH": area.PATH, "HOME": "/root", "LC_ALL": "C.UTF-8"}
        self.write("/usr/local/sbin/systemctl", SYSTEMCTL.format(cgroup=self.fence.cgroup), 0o755)

    @staticmethod
    def write(path, text, mode=0o644):
        path = pathlib.Path(path)
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def sh(self, command, timeout=120):
        """(code, what it prints) of one command of root's."""
        words = self.fence.command("sh", "-c", f"cd /root && {command}")
        done = subprocess.run(words, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=timeout)
        return done.returncode, done.stdout.decode(errors="replace")

    def must(self, command):
        code, said = self.sh(command)
        check_equal(code, 0, f"{command}: {said}")
        return said

    def follow(self):
        """The whole page."""
        text = self.path.read_text(encoding="utf-8").splitlines()
        for block in readme.blocks(self.path):
            where = f"{self.path.name}:{block.line}"
            if block.kind in ("console", "console fails"):
                self._run(where, block)
            else:
                above = " ".join(text[max(0, block.line - 4):block.line - 1])
                named = re.findall(r"`(/[^`]*)`", above)
                check(named, f"{where}: no line above it names the file")
                self.write(named[-1], block.text)

    def _run(self, where, block):
        parts = re.split(r"^# ", block.text, flags=re.MULTILINE)
        check_equal(parts[0], "", f"{where}: what stands before the first command")
        for part in parts[1:]:
            command, _, expected = part.partition("\n")
            code, said = self.sh(command)
            check((code == 0) == (block.kind == "console"), f"{where}: {command}: exit code {code}: {said}")
            check(pattern(expected).fullmatch(said), f"{where}: {command} prints\n{said}\nand not\n{expected}")


def pattern(expected):
    """What the page shows, as a regular expression."""
    found = ""
    for line in expected.splitlines():
        if line == "…":
            found += r"(?:.*\n)*"
        else:
            found += ".*".join(re.escape(part) for part in line.rstrip().split("…")) + r"[ ]*\r?\n"
    return re.compile(found)
