# SPDX-License-Identifier: Apache-2.0
"""The real servers behind a tunnel: PostgreSQL and Redis of Debian, in folders of their own, with TLS and nothing else."""
import atexit
import functools
import pathlib
import pwd
import shutil
import subprocess

import area
import laz
import sinks_peers as peers

USER = "postgres"  # PostgreSQL starts for nobody without a name
PASSWORD = "a test's"


def must(*words, **rest):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False, timeout=120, **rest)
    laz.check_equal(done.returncode, 0, f"{words[0]}: {done.stdout}{done.stderr}")
    return done.stdout


def as_user(*words):
    user = pwd.getpwnam(USER)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *map(str, words)]


def own(path, mode=0o600):
    user = pwd.getpwnam(USER)
    shutil.chown(path, user.pw_uid, user.pw_gid)
    path.chmod(mode)
    return path


@functools.cache
def postgres(tls=True):
    """The port of a server that wants SCRAM and, with `tls`, has TLS 1.3."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        laz.skip("PostgreSQL is not installed")
    folder = own(area.folder(f"postgres-{tls}"), 0o700)
    port, = peers.free_ports(1)
    for end in ("key", "pem"):
        shutil.copy(peers.pki() / f"server.{end}", folder / f"server.{end}")
        own(folder / f"server.{end}")
    (folder / "password").write_text(PASSWORD + "\n")
    own(folder / "password")
    must(*as_user(found[-1], "-D", folder / "data", "-U", "app", "-A", "scram-sha-256", f"--pwfile={folder / 'password'}",
                  "--no-sync", "--no-locale", "-E", "UTF8"))
    with open(folder / "data" / "postgresql.auto.conf", "a", encoding="ascii") as conf:
        conf.write(f"port={port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories=''\nfsync=off\n")
        if tls:
            conf.write(f"ssl=on\nssl_cert_file='{folder}/server.pem'\nssl_key_file='{folder}/server.key'\n"
                       "ssl_min_protocol_version='TLSv1.3'\n")
    (folder / "data" / "pg_hba.conf").write_text(
        f"{'hostssl' if tls else 'host'} all all 127.0.0.1/32 scram-sha-256\n")
    own(folder / "data" / "pg_hba.conf")
    with open(folder / "said", "wb") as said:
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *as_user(found[-1].parent / "postgres", "-D", folder / "data")],
                                   stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    atexit.register(process.wait, 10)
    atexit.register(process.terminate)
    peers.wait_until(lambda: b"ready to accept" in (folder / "said").read_bytes(), "PostgreSQL is ready",
                     (folder / "said").read_text)
    return port


@functools.cache
def redis():
    """The port of a server with TLS alone."""
    area.require_program("redis-server")
    folder = area.folder("redis")
    port, = peers.free_ports(1)
    pki = peers.pki()
    with open(folder / "said", "wb") as said:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "redis-server", "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1",
             "--tls-cert-file", pki / "server.pem", "--tls-key-file", pki / "server.key", "--tls-ca-cert-file",
             pki / "ca.pem", "--tls-auth-clients", "no", "--save", "", "--dir", folder],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    atexit.register(process.kill)
    peers.wait_until(lambda: b"Ready to accept" in (folder / "said").read_bytes(), "Redis is ready",
                     (folder / "said").read_text)
    return port


def psql(port, statement, mode="disable", host="127.0.0.1", user="app"):
    """Exit code and output of psql."""
    done = subprocess.run(["psql", "-X", "-A", "-t", f"host={host} port={port} user={user} dbname=postgres sslmode={mode} connect_timeout=15",
                           "-c", statement], capture_output=True, text=True, check=False, timeout=60,
                          env={"PATH": area.PATH, "PGPASSWORD": PASSWORD, "LC_ALL": "C"})
    return done.returncode, done.stdout + done.stderr
