# SPDX-License-Identifier: Apache-2.0
"""Values that must be nowhere, in all the ways in which programs write them, and the search for them.

Knows nothing of how the product masks: made from the formats alone.
"""
import base64
import json
import pathlib
import re
import urllib.parse


def ways(secret):
    """{name: how it is written}; of base64 what depends on nothing but the secret."""
    found = {"hex": secret.hex().encode(), "HEX": secret.hex().upper().encode(),
             "url": urllib.parse.quote_from_bytes(secret, safe="").encode()}
    if b"\n" not in secret:
        found["raw"] = secret
    if secret.isascii():
        found["json"] = json.dumps(secret.decode())[1:-1].encode()
        found["json-slash"] = found["json"].replace(b"/", rb"\/")
    for front in range(3):
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            digits = encode(b"x" * front + secret)
            found[f"{name}-{front}"] = digits[(8 * front + 5) // 6:8 * (front + len(secret)) // 6]
    return found


def lines(secret):
    """Of one with several lines, those that are no boundary of PEM: logs have nothing but lines."""
    return [line for line in secret.splitlines() if b"\n" in secret and len(line) >= 8 and not line.startswith(b"-----")]


def found(data, secrets):
    """[(beginning of the secret, way)] of all that is in the bytes."""
    seen = [(secret[:12], way) for secret in secrets for way, text in ways(secret).items() if len(text) >= 6 and text in data]
    return seen + [(line[:12], "line") for secret in secrets for line in lines(secret) if line in data]


def mappings(pid):
    """(line of smaps, flags, bytes) of each mapping of a process that can be read."""
    text = pathlib.Path(f"/proc/{pid}/smaps").read_text()
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for part in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", text)[1:]:
            start, end = (int(x, 16) for x in part.split(maxsplit=1)[0].split("-"))
            flags = re.search(r"^VmFlags: (.*)$", part, re.M).group(1).split()
            if part.split()[1][0] != "r" or "io" in flags:
                continue
            try:
                memory.seek(start)
                yield part.splitlines()[0], flags, memory.read(end - start)
            except (OSError, ValueError):
                continue
