# SPDX-License-Identifier: Apache-2.0
"""Two how-tos and the example of ECS, whose policies work as they stand but for addresses. Certificates that renew themselves: a stand-in for the CA, a real
nginx with the page's two lines, and clients that see one serial number after another. TLS for a program that has none: a real
PostgreSQL, which talks to nobody without TLS. The example has both, and a secret. (secrets_ecs_test.py has the how-to of secrets.)"""
import datetime
import functools
import json
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import time

import area
import fence
import laz
import readme
import secret_world
import ship_world
import sinks_peers as peers
import tunnel_peers as real
import vault_world
from laz import case, check, check_equal

PAGE = laz.ROOT / "docs" / "how-to" / "certificates.md"
TLS_PAGE = PAGE.with_name("connect-by-tls.md")
AUTHORITY = pathlib.Path(__file__).resolve().parent / "authority.py"
PARTS = ("cert", "chain", "key", "bundle")
LIFE = 10  # seconds
CONF = """
daemon off;
worker_processes 1;
error_log stderr;
pid {folder}/pid;
events {{}}
http {{
access_log off;
client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4;
scgi_temp_path {folder}/5;
server {{ listen 8443 ssl;
{lines}
location / {{ return 200 "here\\n"; }} }}
}}
"""


@functools.cache
def authority():
    """A root, and an intermediate that signs."""
    folder = area.folder("authority")
    said = [{"name": "root", "cn": "the how-to's root", "ca": True},
            {"name": "inter", "cn": "the how-to's intermediate", "ca": True, "path": 0, "issuer": "root"}]
    subprocess.run([secret_world.PYTHON, AUTHORITY, folder], input=json.dumps(said).encode(), check=True, timeout=60)
    return folder


def with_ca(standin):
    for name in ("root.pem", "inter.pem", "inter.key"):
        shutil.copy(authority() / name, standin.folder / name)
    return standin


def policies():
    """The policies of the page: of AWS Private CA, and of Vault; and of Vault with health."""
    found = [b.text for b in readme.blocks(PAGE) if b.kind == "yaml"]
    check_equal([("acm-pca" in text, "vault-pki" in text, "\nhealth:" in text) for text in found],
                [(True, False, False), (False, True, False), (False, True, True)], "policies of the page")
    return found


def ca_of(text):
    return re.search(r'acm-pca: "(\S+)"', text)[1]


class Service:
    """nginx under the page's policy, or another program under another one, with the addresses of stand-ins."""

    def __init__(self, name, text, environment, *replaced, program=()):
        self.folder, self.environment, self.program = area.folder(name), environment, program
        self.work = self.folder / "work"
        self.work.mkdir()
        self.work.chmod(0o777)
        self.disk = ship_world.Disk(self.folder / "tmpfs", "1m")
        for words in (["mount", "-t", "tmpfs", "-o", "mode=0755", "none", "/run"], ["mkdir", "/run/secrets"]):
            subprocess.run([*self.disk.wrapper, *words], check=True)
        if not program:
            (self.folder / "nginx.conf").write_text(CONF.format(folder=self.work, lines=readme.block("text nginx", PAGE)))
            self.program = ("/usr/sbin/nginx", "-e", "stderr", "-c", str(self.folder / "nginx.conf"))
        self.policy(text, *replaced, ("refresh: {", "refresh: {min-interval: 1s, "), ("/etc/lazaret/corp-root.pem", str(authority() / "root.pem")),
                    ("read: [/etc, /proc]", f"read: [/etc, /proc, {self.folder}], write: [{self.work}]"))

    def policy(self, text, *replaced):
        for old, new in replaced:
            check(old in text, f"no {old!r} in the policy")
            text = text.replace(old, new)
        (self.folder / "policy.yaml").write_text(text)
        done = area.run([laz.BIN / "lazaret", "policy", "compile", self.folder / "policy.yaml", "-o", self.folder / "policy.img"])
        check_equal(done.code, 0, done.err)
        (self.folder / "policy.img").chmod(0o644)

    def __enter__(self):
        command = [str(laz.BIN / "lazaret-init"), "--policy", str(self.folder / "policy.img"), "--events", str(self.folder / "events"),
                   "--", *self.program]
        self.run = fence.Run(command, "pid1", (), {**self.environment, "PATH": area.PATH}, wrapper=self.disk.wrapper).__enter__()
        return self

    def __exit__(self, *why):
        self.run.kill(fence.TERM)
        self.run.wait(30)
        self.run.__exit__(*why)
        self.disk.__exit__()

    def records(self, event):
        path = self.folder / "events"
        whole, _, _ = path.read_text().rpartition("\n") if path.exists() else ("", "", "")
        return [r for r in map(json.loads, whole.splitlines()) if r["ev"] == event]

    def lazaret(self, *words):
        inside = ["nsenter", "-t", str(self.run.pid), "-p", "-m", "--"]
        done = subprocess.run([*inside, laz.BIN / "lazaret", *words], capture_output=True, text=True, check=False, timeout=30)
        return done.returncode, done.stdout + done.stderr

    def asked(self):
        """What the program answers to a client that believes the CA and the name, as soon as it is there."""
        context = ssl.create_default_context(cafile=authority() / "root.pem")
        end, why = time.monotonic() + fence.PATIENCE, "nothing"
        while time.monotonic() < end and not self.run.has_ended(0.02):
            try:
                with socket.create_connection(("127.0.0.1", 8443), 10) as plain, context.wrap_socket(
                        plain, server_hostname="claims-api.internal") as client:
                    if answer := b"".join(iter(lambda: client.recv(4096), b"")):
                        return json.loads(answer)
            except OSError as error:
                why = error
        raise laz.Failed(f"no answer: {why}, {self.run.describe()} {self.run.stderr()[-800:]}")

    def serial(self):
        """Of the certificate that a client gets who believes the CA and the name; "" where there is none."""
        client = subprocess.run(
            ["nsenter", "-n", "-t", str(self.run.pid), "openssl", "s_client", "-connect", "127.0.0.1:8443", "-CAfile", authority() / "root.pem",
             "-verify_return_error", "-verify_hostname", "claims-api.internal"],
            input=b"", capture_output=True, check=False, timeout=20)
        if client.returncode != 0:
            return ""
        done = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=client.stdout, capture_output=True, check=True)
        return done.stdout.decode().strip().partition("=")[2]

    def until_served(self, wanted=None, but=()):
        """A serial number that is none of these: a worker of before the reload may still take a connection."""
        end = time.monotonic() + fence.PATIENCE
        while time.monotonic() < end and not self.run.has_ended(0.02):
            if (seen := self.serial()) and seen not in but and wanted in (None, seen):
                return seen
        raise laz.Failed(f"nobody serves {wanted or f'anything else than {but}'}: {self.run.describe()} {self.run.stderr()[-800:]}")


def check_status(service, serial):
    """What the page shows of `secrets status`, with other numbers."""
    code, plain = service.lazaret("secrets", "status")
    check_equal(code, 0, plain)

    def shape(text):
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:]{8}Z", "TIME", text)
        text = re.sub(r"\b[0-9A-F]{6,}\b|\b[0-9a-f]{6,}\b|\d+", "N", re.sub(r" +", " ", text))
        return re.sub(r"\bN (s|min|h|d|days)\b", "N units", text).strip().splitlines()

    check_equal(shape(plain), shape(readme.block("text status", PAGE)), "secrets status")
    code, said = service.lazaret("secrets", "status", "--json")
    held = json.loads(said)["secrets"]
    end = datetime.datetime.fromtimestamp(held[0]["expires"], datetime.timezone.utc)
    check(f"good until {end:%Y-%m-%dT%H:%M:%SZ}\n" in plain, f"{end}: {plain}")
    check_equal({s["name"]: (s["state"], s["version"]) for s in held}, {f"web.{p}": ("good", serial) for p in PARTS}, "status")


def check_rotate(service, *before):
    """By hand, as the page says: all four are new, and nginx serves them."""
    already = len(service.records("secret.rotate"))
    end = time.monotonic() + fence.PATIENCE  # not within a second of the last time
    while service.lazaret("secrets", "rotate", "web.key")[0] != 0 and time.monotonic() < end:
        time.sleep(0.2)
    seen = service.until_served(but=before)
    told = service.records("secret.rotate")[already:already + 4]
    check_equal({r["obj"]: r["d"]["version"] for r in told}, {f"web.{p}": seen for p in PARTS}, "secret.rotate")
    return seen


@case("the page's role is exactly what `lazaret secrets check` says that the policy needs")
def role():
    folder = area.folder("role")
    for text in policies():
        (folder / "policy.yaml").write_text(text)
        done = area.run([laz.BIN / "lazaret", "secrets", "check", "--json", folder / "policy.yaml"])
        check_equal(done.code, 0, done.out + done.err)
        needed = {(p["action"], p["resource"]) for s in json.loads(done.out)["secrets"] for p in s["permissions"]}
        granted = {(action, s["Resource"]) for s in json.loads(readme.block("json secrets-policy", PAGE))["Statement"] for action in s["Action"]}
        check_equal(needed, granted if "acm-pca" in text else {("vault:update", "pki/sign/web")}, "permissions")


@case("AWS Private CA: nginx serves with a key that was made here, gets the next one while it runs, and another one by hand")
def by_pca():
    text, _, _ = policies()
    services = with_ca(secret_world.Standin(regions={"acm-pca": "us-east-1"}, pca=ca_of(text)))
    services.rules(issue={"to": LIFE})
    service = Service("pca", text, services.environment(AWS_REGION="us-east-1"), (
        "secrets:\n", f'secrets:\n  ca: {services.ca}\n  endpoints: {{acm-pca: "https://127.0.0.1:{services.port}"}}\n'))
    with service:
        first = service.until_served()
        check_status(service, first)
        second = service.until_served(but=(first,))
        check_equal({r["d"]["version"] for r in service.records("secret.rotate")[:4]}, {second}, "the renewal that nobody asked for")
        services.rules(issue={"to": 7 * 86400})
        check_rotate(service, first, second)
    services.check_rules()


def with_vault(name, text, *replaced):
    """The service, and the stand-ins that it needs."""
    agent = secret_world.Standin()
    vault = with_ca(vault_world.Vault(agent=agent, tokens=[], role="claims-api", roles={"pki/sign/web": {}}))
    service = Service(name, text, agent.environment(AWS_REGION="us-east-1"), (
        "https://vault.internal:8200", f"https://127.0.0.1:{vault.port}"), ("auth: {aws:", f"ca: {vault.ca}, auth: {{aws:"), *replaced)
    return service, vault


@case("Vault: the other policy of the page does the same")
def by_vault():
    service, vault = with_vault("vault", policies()[1])
    with service:
        first = service.until_served()
        check_status(service, first)
        check_rotate(service, first)
    vault.check_rules()


@case("with health as the page has it, nginx is asked as a client asks, a new certificate is watched, and one that is good stays")
def watched():
    service, vault = with_vault("watched", policies()[2], ("/etc/lazaret/clients-root.pem", str(authority() / "root.pem")),
                                ("every: 5s, timeout: 2s", "every: 1s, timeout: 500ms"), ("grace: 30s", "grace: 4s"))
    done = area.run([laz.BIN / "lazaret", "policy", "check", service.folder / "policy.yaml"])
    check("\n  rollback    a new certificate goes back, once, if a check fails within 4s\n" in done.out, f"{done.out}")
    with service:
        first = service.until_served()
        ship_world.until(lambda: [r for r in service.records("health.state") if r["act"] == "ready"], service.run.describe, 30)
        check_rotate(service, first)
        ship_world.until(lambda: not (service.disk.seen("/run/secrets") / "..g1").exists(), service.run.describe, 30)
        check_equal((service.records("secret.rollback"), service.records("health.state")[-1]["act"]), ([], "ready"), "it stays")
    vault.check_rules()


# The program of the page: it says what it was told, whom it can reach, and waits.
PROGRAM = """
import errno, os, socket, sys, time
said = [os.environ[n] for n in ("PGHOST", "PGPORT", "PGSSLMODE")]
for port in map(int, sys.argv[1:]):
    try:
        socket.create_connection(("127.0.0.1", port), 10).close()
        said.append("open")
    except OSError as why:
        said.append(errno.errorcode[why.errno])
print(*said, flush=True)
time.sleep(600)
"""


def wait_for_events(folder, event, **members):
    def find():
        path = folder / "events"
        whole, _, _ = path.read_text().rpartition("\n") if path.exists() else ("", "", "")
        return [r for r in map(json.loads, whole.splitlines()) if r["ev"] == event and members.items() <= r.items()]

    ship_world.until(find, lambda: f"no {event} {members}: {(folder / 'events').read_text()}", fence.PATIENCE)
    return find()[-1]


def by_tunnel(name, trust, to):
    """An init with the page's policy and these in it; its folder."""
    text, = (b.text for b in readme.blocks(TLS_PAGE) if b.kind == "yaml")
    for old, new in (("/etc/lazaret/rds-ca.pem", str(trust)), ('to: "db.internal:5432"', f"to: {json.dumps(to)}, server-name: server.test")):
        check(old in text, f"no {old!r} in the policy")
        text = text.replace(old, new)
    folder = area.folder(name)
    (folder / "policy.yaml").write_text(text)
    done = area.run([laz.BIN / "lazaret", "policy", "compile", folder / "policy.yaml", "-o", folder / "policy.img"])
    check_equal(done.code, 0, done.err)
    (folder / "policy.img").chmod(0o644)
    command = [str(laz.BIN / "lazaret-init"), "--policy", str(folder / "policy.img"), "--events", str(folder / "events"), "--",
               "/usr/bin/python3", "-c", PROGRAM, "6432", to.rpartition(":")[2]]
    return command, folder


@case("TLS for a program that has none: psql without TLS reaches a server that wants it, the program nothing else; what is refused has the page's words")
def connect():
    port = real.postgres()
    refusals = set(re.findall(r"^\| `([a-z-]+)` \|", TLS_PAGE.read_text(), re.M))
    check_equal(refusals, {"no-tls", "unverified", "unreachable"}, "rows of the page")
    closed, = peers.free_ports(1)
    for what, trust, to, refusal in (("works", "ca", port, None), ("untrusted", "other", port, "unverified"),
                                     ("plain", "ca", real.postgres(tls=False), "no-tls"), ("nobody", "ca", closed, "unreachable")):
        command, folder = by_tunnel(f"tunnel-{what}", peers.pki() / f"{trust}.pem", f"127.0.0.1:{to}")
        with open(folder / "said", "wb") as output, fence.Run(command, env={"PATH": area.PATH}, stdout=output) as run:
            ship_world.until(lambda: (folder / "said").read_bytes() or run.has_ended(0.01), run.describe, fence.PATIENCE)
            check_equal((folder / "said").read_text().split(), ["127.0.0.1", "6432", "disable", "open", "EACCES"], f"{what}: {run.stderr()}")
            code, said = real.psql(6432, "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()")
            check_equal((code, said.strip()) if not refusal else code != 0, (0, "t|TLSv1.3") if not refusal else True, f"{what}: {said}")
            if refusal:
                wait_for_events(folder, "tunnel.refused", act=refusal)
            run.kill(fence.TERM)
            run.wait(30)


ECS = laz.ROOT / "examples" / "ecs"
PASSWORD = "CANARY-correct-horse"

# The example's service: plain text on its own host. It answers with what it has.
SERVICE = """
import json, os, socket, sys
server = socket.create_server(("127.0.0.1", 8080))
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
    direct = "open"
except PermissionError:
    direct = "EACCES"
while True:
    with server.accept()[0] as client:
        said = {"password": open(os.environ["DB_PASSWORD_FILE"]).read(), "environment": sorted(os.environ), "direct": direct}
        try:
            client.sendall(json.dumps(said).encode())
        except OSError:
            pass
"""


@case("the example of ECS: its files fit each other, and the role is exactly what is needed")
def example_fits():
    task = json.loads((ECS / "task-definition.json").read_text())
    container, = task["containerDefinitions"]
    lines = dict(line.split(None, 1) for line in (ECS / "Dockerfile").read_text().splitlines() if not line.startswith(("COPY", "#")))
    check_equal(json.loads(lines["ENTRYPOINT"]), container["entryPoint"] + container["command"], "what is started")
    text = (ECS / "policy.yaml").read_text()
    for path in re.findall(r"/etc/lazaret/([a-z-]+\.pem)", text):
        check(path in (ECS / "Dockerfile").read_text(), f"{path} is not in the image")
    done = area.run([laz.BIN / "lazaret", "policy", "check", "--json", ECS / "policy.yaml"])
    check_equal((done.code, "warning" in done.out), (0, False), done.out + done.err)
    done = area.run([laz.BIN / "lazaret", "secrets", "check", "--json", ECS / "policy.yaml"])
    needed = {(p["action"], p["resource"]) for s in json.loads(done.out)["secrets"] for p in s["permissions"]}
    granted = {(action, s["Resource"]) for s in json.loads((ECS / "task-role.json").read_text())["Statement"] for action in s["Action"]}
    check_equal(granted, needed, "what the role may do, and what is needed")
    shown = json.loads(readme.block("json task-after", PAGE.with_name("deliver-secrets.md")))["containerDefinitions"][0]
    check_equal(container["linuxParameters"], shown["linuxParameters"], "tmpfs and capabilities, and those of the how-to, which are checked")
    check(f'bind: "0.0.0.0:{container["portMappings"][0]["containerPort"]}"' in text, "the port")
    check(f"stop-timeout: {container['stopTimeout']}s" in text, "stopTimeout")


@case("the example of ECS works: TLS in with a certificate that is renewed, a password as a file, TLS out to a PostgreSQL, and nothing else")
def example_works():
    text = (ECS / "policy.yaml").read_text()
    held = secret_world.secret("prod/claims-db", json.dumps({"user": "claims", "password": PASSWORD}))
    held["prod/claims-db"]["ARN"] = "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/claims-db-AbCdEf"
    services = with_ca(secret_world.Standin(regions={"secretsmanager": "us-east-1", "acm-pca": "us-east-1"}, secrets=held, pca=ca_of(text)))
    port, at = real.postgres(), f'"https://127.0.0.1:{services.port}"'
    service = Service("ecs", text, services.environment(AWS_REGION="us-east-1", LOG_LEVEL="info"), (
        "secrets:\n", f"secrets:\n  ca: {services.ca}\n  endpoints: {{secrets-manager: {at}, acm-pca: {at}}}\n"),
        ("/etc/lazaret/rds-ca.pem", str(peers.pki() / "ca.pem")), ('to: "claims-db.internal:5432"', f'to: "127.0.0.1:{port}", server-name: server.test'),
        program=("/usr/bin/python3", "-c", SERVICE, str(port)))
    with service:
        first = service.until_served()
        answer = service.asked()
        check_equal((answer["password"], answer["direct"]), (PASSWORD, "EACCES"), "what the service has, and whom it reaches without the tunnel")
        names = {"DB_PASSWORD_FILE", "LOG_LEVEL", "PATH", "PGHOST", "PGPORT", "PGSSLMODE"}
        check(set(answer["environment"]) - {"LC_CTYPE"} == names, f"environment: {answer['environment']}")
        code, said = real.psql(6432, "select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        check_equal((code, said.strip()), (0, "t"), "psql without TLS")
        check_equal(service.lazaret("secrets", "status")[0], 0, "secrets status")
        end = time.monotonic() + fence.PATIENCE
        while service.lazaret("secrets", "rotate", "web.key")[0] != 0 and time.monotonic() < end:
            time.sleep(0.2)
        service.until_served(but=(first,))
        check_equal(service.asked()["password"], PASSWORD, "afterwards")
    check("CANARY" not in (service.folder / "events").read_text() + service.run.stderr(), "the password is in what was said")
    services.check_rules()


if __name__ == "__main__":
    laz.main()
