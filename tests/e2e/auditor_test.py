# SPDX-License-Identifier: Apache-2.0
"""examples/auditor: what somebody who believes openssl and not us finds out about a trail, whole or changed."""
import copy
import subprocess

import laz
import trail_forge as forge
from cli import FOLDER
from laz import case, check, check_equal
from trail_judge import make, records


@case("openssl says the same of hashes and signatures, by the auditor's script")
def by_openssl():
    script = laz.ROOT / "examples" / "auditor" / "check-signatures.sh"
    trail = records("event a.b x\ncheckpoint\nlog y\nlog z\nevent a.b \"\\\\é\nlog w\ncheckpoint\nfinal 0\n")
    signed = [i for i, r in enumerate(trail) if "sig" in r["d"]]
    check_equal(len(signed), 4, "signatures")
    path = FOLDER / "by-openssl"

    def asked(data, *words):
        path.write_bytes(data)
        done = subprocess.run([script, path, *words], capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    code, out = asked(forge.encode(trail))
    check_equal((code, out.count("ok: "), "4 signatures, 0 of them bad" in out), (0, 4, True), out)
    check("not checked" not in out, out)
    for i in signed:
        for name, value in (("sig", "00" * 64), ("pk", "11" * 32), ("epoch", 77)):
            changed = copy.deepcopy(trail)
            if name in changed[i]["d"]:
                changed[i]["d"][name] = value
                code, said = asked(forge.encode(changed))
                check_equal((code, "BAD" in said), (1, True), f"{name} of {trail[i]['ev']}: {said}")
    check_equal(asked(forge.encode([r for r in trail for _ in range(2)])), (0, out), "every record twice")
    prefixed = b"".join(b"<13>1 host - " + line for line in forge.encode(trail).splitlines(keepends=True))
    check_equal(asked(prefixed), (0, out), "behind what a transport puts in front")
    for i, record in enumerate(trail):  # any of them, between two signatures or not
        changed = copy.deepcopy(trail)
        changed[i]["task"] = "another"
        code, said = asked(forge.encode(changed))
        check_equal((code, "BAD hash" in said), (1, True), f"a changed {record['ev']}, seq {i}: {said}")
        if i > 0 and i < len(trail) - 1:
            code, said = asked(forge.encode(trail[:i] + trail[i + 1:]))
            caught = "not checked" if record["ev"] == "log" else "BAD"
            check_equal((code, caught in said), (int(caught == "BAD"), True), f"without seq {i}: {said}")
    twice = forge.encode(trail) + make("event a.b x\nfinal 0\n")
    code, said = asked(twice)
    check_equal((code, trail[0]["chain"] in said, "name one" in said), (2, True, True), said)
    check_equal(asked(twice, trail[0]["chain"]), (0, out), "one of two chains")
    code, said = asked(forge.encode(trail[1:]))
    check_equal((code, "no genesis" in said), (2, True), said)
    check_equal(asked(b"words\n")[0], 2, "what is no trail")


laz.main()
