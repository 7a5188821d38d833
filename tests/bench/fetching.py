# SPDX-License-Identifier: Apache-2.0
"""Benches of secrets: what they add to the start, one and twenty, and to what PID 1 keeps.

Who answers is nginx, as the services would in the parts that are read, after a stated delay; nothing there looks at
signatures, which the suites do. A stand-in that does takes longer for twenty handshakes than we for all the rest.
"""
import os
import statistics
import subprocess
import time

from harness import MEMORY, bench, count, goal, say, show

import adapters
import fence
import laz
import rest
import sinks_peers

MANY = 20
DELAY_MS = 100
MODULE = "/usr/lib/nginx/modules/ngx_http_echo_module.so"
CONF = """load_module {module};
daemon off; pid {folder}/pid; error_log {folder}/log; worker_processes 1;
events {{ worker_connections 128; }}
http {{
access_log off; {temporary}
map $request_body $name {{ "~.SecretId.:.(?<n>[^\\"]+)" $n; }}
server {{
  listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key;
  location / {{
    echo_read_request_body; echo_sleep {delay};
    echo -n '{{"ARN":"arn:aws:secretsmanager:eu-west-1:1:secret:$name-AbCdEf","Name":"$name","SecretString":"value of $name",';
    echo -n '"VersionId":"11111111-2222-3333-4444-555555555555","VersionStages":["AWSCURRENT"]}}'; }} }}
server {{
  listen 127.0.0.1:{agent};
  location / {{ default_type application/json;
    return 200 '{{"AccessKeyId":"ASIAX","SecretAccessKey":"x","Token":"x","Expiration":"2099-01-01T00:00:00Z"}}'; }} }}
}}
"""


def services():
    """(port of the services, port of the agent) of an nginx that lives as long as this process."""
    folder = fence.scratch() / "services"
    folder.mkdir()
    (folder / "log").touch()
    port, agent = sinks_peers.free_ports(2)
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    (folder / "conf").write_text(CONF.format(
        module=MODULE, folder=folder, port=port, agent=agent, pki=sinks_peers.pki(), delay=DELAY_MS / 1000,
        temporary=" ".join(f"{name}_temp_path {folder}/{name};" for name in names)))
    process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "nginx", "-e", folder / "log", "-c", folder / "conf"])
    sinks_peers.wait_until(lambda: process.poll() is None and sinks_peers.listens(port), "nginx", (folder / "log").read_text)
    return port, agent


def policy(items, more):
    changes = {"workload": {"exec-budget": -1}}
    if items:
        folder = MEMORY / f"laz-bench-{os.getpid()}"
        changes["secrets"] = {"dir": str(folder), "items": items, **more}
    return changes


def command(app, items, **more):
    image = adapters.Lazaret.image(adapters.Lazaret.policy(policy(items, more)))
    return [str(laz.BIN / "lazaret-init"), "--policy", image, "--", *app]


@bench("fetch")
def fetch():
    """Wall time of `INIT -- /bin/true` without secrets, with one and with twenty, from a server that answers each after 100 ms."""
    port, agent = services()
    environment = ["/usr/bin/env", f"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:{agent}/v2/credentials/x", "AWS_REGION=eu-west-1"]
    service = {"ca": str(sinks_peers.pki() / "ca.pem"), "endpoints": {"secrets-manager": f"https://127.0.0.1:{port}"}}
    items = [{"name": f"s{n}", "from": {"secrets-manager": f"prod/s{n}"}, "file": {"path": f"s{n}"}} for n in range(MANY)]
    commands = {f"{n} secrets": environment + command(["/bin/true"], items[:n], **service) for n in (0, 1, MANY)}
    found = {name: [] for name in commands}
    for _ in range(count(25, 1)):
        for name, words in commands.items():
            began = time.monotonic_ns()
            with fence.Run(words, "pid1") as run:
                code = run.wait(60)
                found[name].append(time.monotonic_ns() - began)
            laz.check_equal(str(code), "exit 0", f"{name}: {run.stderr()}")
    for name, times in found.items():
        show(name, times, "ms", found["0 secrets"], 1e6)
    over = [b - a for a, b in zip(found["1 secrets"], found[f"{MANY} secrets"])]
    one = [b - a for a, b in zip(found["0 secrets"], found["1 secrets"])]
    say(f"  one adds {statistics.median(one) / 1e6:.1f} ms, {DELAY_MS} of them the server's")
    goal("twenty secrets over one, median difference", statistics.median(over) / 1e6, 20, "ms")


@bench("held")
def held():
    """What PID 1 keeps of its own with twenty secrets, as files and as descriptors, beside none."""
    source = fence.scratch() / "value"
    source.write_bytes(b"v" * 4096)
    items = [{"name": f"s{n}", "from": {"file": str(source)}, "file": {"path": f"s{n}"},
              "fd": {"number": 20 + n, "variable": f"S{n}"}} for n in range(MANY)]
    found = {}
    for _ in range(count(5, 1)):
        for name, wanted in (("no secrets", []), ("twenty secrets", items)):
            with fence.Run(command(["/bin/sleep", "60"], wanted), "pid1") as run:
                laz.check(not run.has_ended(0.5), f"{name}: {run.stderr()}")
                found.setdefault(name, []).append(rest.private_kib(run.pid)[1])
                run.kill(fence.TERM)
                run.wait()
    for name, sizes in found.items():
        say(f"  {name:34s} {statistics.median(sizes):.0f} KiB of PID 1 written to")
    more = statistics.median(found["twenty secrets"]) - statistics.median(found["no secrets"])
    goal("PID 1's own memory with twenty secrets, over none", more, 8, "KiB")
