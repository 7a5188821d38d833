# SPDX-License-Identifier: Apache-2.0
"""What of /proc/self/status shows that a process is as confined as a policy for hosts says, whoever started it."""
import laz
import rootfs
from laz import check, check_equal

POLICY = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text().replace("/app, ", "")
STATUS = ["/bin/cat", "/proc/self/status"]


def status_of(text):
    """The lines of /proc/self/status."""
    return {name: value.strip() for name, value in (line.split(":", 1) for line in text.splitlines() if ":" in line)}


def check_status(text, what, filters="2"):
    """As the policy says; None: however many filters there are."""
    status = status_of(text)
    check("CapBnd" in status, f"{what}: {text!r}")
    check_equal(status["Uid"].split(), [str(rootfs.APP_UID)] * 4, f"{what}: uids")
    for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        check_equal(int(status[caps], 16), 0, f"{what}: {caps}")
    check_equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), f"{what}: no_new_privs, seccomp")
    check(filters is None or status["Seccomp_filters"] == filters, f"{what}: {status['Seccomp_filters']} filters")


def check_confined(result, what):
    """Of a command that printed it, whatever the engine's own filters are."""
    check_equal(result.code, 0, f"{what}: {result.err}")
    check_status(result.out, what, None)


def check_open(result, what):
    """The control."""
    check_equal(result.code, 0, f"{what}: {result.err}")
    status = status_of(result.out)
    check(status["Uid"].split()[0] == "0" and int(status["CapBnd"], 16) != 0, f"{what}: {status['Uid']} {status['CapBnd']}")
