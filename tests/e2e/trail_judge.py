# SPDX-License-Identifier: Apache-2.0
"""For trail_test.py: trails from the product's own writer, and what both verifiers say of one.

That the two agree is asked of every trail; what they say is stated by each case.
"""
import functools
import json
import subprocess

import laz
import trail_forge as forge
import trail_verifier
from cli import FOLDER, lazaret
from laz import check_equal

MAKE = laz.BIN.parent / "tests" / "trail_make"
KEYS = {epoch: bytes([epoch + 1]) * 32 for epoch in range(16)}   # of a victim whose keys can be stolen
OTHER = {epoch: bytes([epoch + 101]) * 32 for epoch in range(16)}  # an attacker's own
FINE = "ok closed single"
NO_H = "0" * 64
CLOSED = "event proc.exec /app\nlog one\nlog two\nblock\nevent seccomp.deny ptrace\ncheckpoint\nlog three\nfinal 0\n"


@functools.cache
def make(script):
    done = subprocess.run([MAKE], input=script.encode(), capture_output=True, timeout=60, check=False)
    laz.check_no_report(done.stderr.decode())
    check_equal(done.returncode, 0, f"trail_make: {done.stderr.decode()}")
    return done.stdout


def records(script, keys=None):
    """A trail as records; with `keys`, one whose writer had those."""
    made = forge.decode(make(script))
    return forge.seal(made, keys) if keys else made


def place(record):
    """A record as an anchor: (chain, seq, h)."""
    return record["chain"], record["seq"], record["h"]


def product(data, anchors=(), running=False, no_logs=False):
    """The finished process and its answer."""
    (FOLDER / "trail").write_bytes(data)
    words = [word for anchor in anchors for word in ("--anchor", ":".join(map(str, anchor)))]
    done = lazaret("verify", "--json", *words, *["--running"] * running, *["--no-logs"] * no_logs, "trail")
    answer = json.loads(done.stdout)
    laz.check_equal(answer.pop("skipped"), 0, "files that were not read")
    laz.check_equal(answer["lines"].pop("rendered"), 0, "events of OCSF")
    return done.returncode, answer


def said(chain):
    """The verdicts on a chain in one line: 'broken@5 closed single'."""
    integrity = f"broken@{chain['broken_seq']}" if chain["integrity"] == "broken" else chain["integrity"]
    uniqueness = f"forked@{chain['forked_seq']}" if chain["uniqueness"] == "forked" else chain["uniqueness"]
    return f"{integrity} {chain['completeness']} {uniqueness}"


def comparable(answer):
    """All that two verifiers must agree about: of a broken chain not what is left of it (see the page)."""
    chains = [{key: value for key, value in chain.items() if key != "why" and not (
        chain["integrity"] == "broken" and key in ("completeness", "missing", "unjudged", "lost", "unvouched", "tail"))}
        for chain in answer["chains"]]
    return {**answer, "chains": sorted(chains, key=lambda chain: chain["chain"])}


def both(name, data, anchors=(), running=False, no_logs=False):
    """The answer of both verifiers, who must agree; data is bytes or records."""
    data = data if isinstance(data, bytes) else forge.encode(data)
    code, theirs = product(data, anchors, running, no_logs)
    ours = trail_verifier.verify(data, anchors, running, no_logs)
    check_equal(comparable(theirs), comparable(ours), f"{name}: lazaret verify and the second verifier")
    check_equal(code, 0 if ours["ok"] else 1, f"{name}: exit code")
    return theirs


def judged(name, data, expected, anchors=(), no_logs=False, **counts):
    """Both verifiers say of the only chain, or of each in the order of the list, what is expected, and count so."""
    answer = both(name, data, anchors, no_logs=no_logs)
    verdicts = [said(chain) for chain in answer["chains"]]
    expected = [expected] if isinstance(expected, str) else expected
    check_equal(sorted(verdicts), sorted(expected), f"{name}: verdicts")
    for key, value in counts.items():
        seen = answer["lines"][key] if key in answer["lines"] else answer["chains"][0][key]
        check_equal(seen, value, f"{name}: {key}")
    return answer


def human(*words, expect):
    """What `lazaret verify` prints for a reader: (output, errors)."""
    done = lazaret("verify", *words, expect=expect)
    return done.stdout, done.stderr
