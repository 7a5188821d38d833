# SPDX-License-Identifier: Apache-2.0
"""Writes and rewrites audit trails with keys that are known: what an attacker can do who has them, or has not.

A trail is a list of records (dicts, in the order of their members); encode() makes the bytes of it.
"""
import hashlib
import json
import os

from trail_verifier import KINDS, SIGNED, public_of, sign


def encode_record(record):
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def encode(records):
    return b"".join(encode_record(r) for r in records)


def decode(data):
    return [json.loads(line) for line in data.splitlines()]


def hash_of(record, before):
    """`h` of a record, from the page: text without h and, in those that have one, without sig."""
    bare = {key: value for key, value in record.items() if key != "h"}
    if record["ev"] in SIGNED:
        bare["d"] = {key: value for key, value in record["d"].items() if key != "sig"}
    text = encode_record(bare)[:-1]
    head = bytes([KINDS.get(record["ev"], 1)]) + bytes.fromhex(record["chain"]) + record["seq"].to_bytes(8, "big")
    return hashlib.sha256(head + len(text).to_bytes(4, "big") + text + before).digest()


def sign_record(record, seed):
    return sign(seed, b"lazaret-trail-1\0" + bytes.fromhex(record["h"])).hex()


def rewrite(records, keys=None, start=0):
    """Rewrite a whole trail, from record `start` of the list on, so that as much of it as possible is consistent: numbers, hashes, blocks; and
    signatures, where `keys` has the seed of the epoch."""
    keys = keys or {}
    before, logs, checkpoint, lost, epoch = bytes(32), [], 0, 0, 0
    new = {}
    for place, record in enumerate(records):
        d, ev = record["d"], record["ev"]
        if ev == "log":
            if place >= start:
                record["seq"] = place
            logs.append(record)
            continue
        if place >= start:
            record["seq"] = place
            if ev == "log.block":
                text = encode(logs)
                d.update(first=logs[0]["seq"], last=logs[-1]["seq"], bytes=len(text),
                         sha256=hashlib.sha256(text).hexdigest())
            if ev in ("chain.checkpoint", "chain.final"):
                d.update(epoch=epoch, lost=lost)
                d["anchors"] = [a | new.get(a["h"], {}) for a in d["anchors"]]
                d["records"] = place - checkpoint - 1 if ev == "chain.checkpoint" else place + 1
            signer = 0 if ev == "chain.genesis" else epoch
            following = 0 if ev == "chain.genesis" else epoch + 1
            if "pk" in d and following in keys:
                d["pk"] = public_of(keys[following]).hex()
            record["prev"] = before.hex()[:16]
            old, record["h"] = record["h"], hash_of(record, before).hex()
            new[old] = {"seq": place, "h": record["h"]}
            if ev in SIGNED and signer in keys:
                d["sig"] = sign_record(record, keys[signer])
        before = bytes.fromhex(record["h"])
        if ev == "log.block":
            logs = []
        elif ev == "chain.gap":
            lost += d["count"]
        elif ev == "chain.checkpoint":
            checkpoint, epoch = place, epoch + 1
    return records
