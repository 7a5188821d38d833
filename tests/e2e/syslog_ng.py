# SPDX-License-Identifier: Apache-2.0
"""syslog-ng on loopback, as a collector that somebody else has written: unpacked by kernels/packages.py, because Debian
does not install it beside rsyslog. Each message is kept as it came, and beside it what syslog-ng makes of it, as JSON.
"""
import json
import os
import subprocess

import area
import laz
import sinks_peers as peers

UNPACKED = laz.ROOT / "build" / "packages" / "syslog-ng"
PORTS = ("tls", "tcp", "tcp-lf", "udp")
FIELDS = {"pri": "PRI", "time": "S_ISODATE", "host": "HOST", "app": "PROGRAM", "msgid": "MSGID", "sd": "SDATA",
          "msg": "MESSAGE"}

CONFIG = """@version: 3.38
options {{ keep-hostname(yes); use-dns(no); chain-hostnames(no); stats-freq(0); flush-lines(1); frac-digits(6);
          time-zone("UTC"); keep-timestamp(yes); log-msg-size(1100000); }};
source all {{
    syslog(ip("127.0.0.1") port({tls}) transport("tls") tls(key-file("{pki}/server.key") cert-file("{pki}/server.pem")
           ca-file("{pki}/ca.pem") peer-verify(required-trusted)));
    syslog(ip("127.0.0.1") port({tcp}) transport("tcp"));
    network(ip("127.0.0.1") port({tcp-lf}) transport("tcp") flags(syslog-protocol));
    syslog(ip("127.0.0.1") port({udp}) transport("udp") so-rcvbuf(8000000));
    unix-dgram("{folder}/socket" flags(syslog-protocol));
}};
destination parts {{ file("{folder}/parts" template("$(format-json {fields})\\n")); }};
destination records {{ file("{folder}/records" template("$MESSAGE\\n")); }};
log {{ source(all); destination(parts); destination(records); }};
"""


class SyslogNg:
    """One syslog-ng: messages() are dictionaries of FIELDS, lines() the messages alone."""

    def __init__(self, name):
        program = UNPACKED / "usr" / "sbin" / "syslog-ng"
        if not program.exists():
            laz.skip(f"{program} is not there: tests/e2e/kernels/packages.py unpacks it")
        self.folder = area.folder(name)
        self.ports = dict(zip(PORTS, peers.free_ports(len(PORTS))))
        fields = " ".join(f"{key}=${{{macro}}}" for key, macro in FIELDS.items())
        (self.folder / "conf").write_text(CONFIG.format(folder=self.folder, pki=peers.pki(), fields=fields, **self.ports))
        libraries = next(UNPACKED.glob("usr/lib/*-linux-gnu*"))
        with open(self.folder / "said", "wb") as said:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", program, "--foreground", "--stderr", "--no-caps",
                 f"--cfgfile={self.folder}/conf", f"--persist-file={self.folder}/persist", f"--pidfile={self.folder}/pid",
                 f"--control={self.folder}/ctl", f"--module-path={next(UNPACKED.glob('usr/lib/syslog-ng/*'))}"],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=self.folder,
                env={**os.environ, "LD_LIBRARY_PATH": f"{libraries}:{UNPACKED}/usr/lib/syslog-ng"})
        peers.wait_until(self._is_up, "syslog-ng listens", self.said)

    def _is_up(self):
        laz.check(self.process.poll() is None, f"syslog-ng ended: {self.said()}")
        return (self.folder / "socket").exists() and all(peers.listens(self.ports[n]) for n in ("tls", "tcp", "tcp-lf"))

    def said(self):
        return (self.folder / "said").read_text(errors="replace")[-600:]

    def stop(self):
        """All that it has taken is in the files afterwards."""
        self.process.terminate()
        self.process.wait(60)

    def lines(self):
        path = self.folder / "records"
        return path.read_bytes().split(b"\n")[:-1] if path.exists() else []

    def messages(self):
        return [json.loads(line) for line in (self.folder / "parts").read_bytes().splitlines()]
