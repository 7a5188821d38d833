# SPDX-License-Identifier: Apache-2.0
"""What of /proc/self/status shows that a process is as confined as a policy for hosts says, whoever started it."""
import laz
import rootfs
from laz import check, check_equal

POLICY = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text().replace("/app, ", "")
STATUS = ["/bin/cat", "/proc/self/status"]


def fields(result, what):
    """The lines of /proc/self/status that a command printed."""
    check_equal(result.code, 0, f"{what}: {result.err}")
    found = dict(line.split(":", 1) for line in result.out.splitlines() if ":" in line)
    check("CapBnd" in found, f"{what}: {result}")
    return {name: value.split() for name, value in found.items()}


def check_confined(result, what):
    """As the policy says."""
    status = fields(result, what)
    check_equal(status["Uid"], [str(rootfs.APP_UID)] * 4, f"{what}: uids")
    for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        check_equal(int(status[caps][0], 16), 0, f"{what}: {caps}")
    check_equal((status["NoNewPrivs"], status["Seccomp"]), (["1"], ["2"]), f"{what}: no_new_privs, seccomp")


def check_open(result, what):
    """The control."""
    status = fields(result, what)
    check(status["Uid"][0] == "0" and int(status["CapBnd"][0], 16) != 0, f"{what}: {status['Uid']} {status['CapBnd']}")
