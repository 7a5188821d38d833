# SPDX-License-Identifier: Apache-2.0
"""Hundreds of failures of fetching, driven one by one: whatever a service answers, no message repeats anything of a value.

Each goes through the real helper; some of them through the whole of init as well, where its stderr, the events, the trail and
the spool are searched. All of them under --long.
"""
import base64
import collections
import concurrent.futures
import json

import adapters
import canaries
import driven
import fence
import laz
import vault_world
from laz import case, check, check_equal
from secret_world import KEY, Standin
from secrets_world import World

COUNT = 200
WIDTH = 8  # bytes of a value that no message may have
ALL = driven.cases()
_made = {}


def standin():
    if "standin" not in _made:
        _made["standin"] = Standin()
        _made["standin"].raw({c.word: c.raw for c in ALL if c.raw is not None})
    return _made["standin"]


def vault():
    if "vault" not in _made:
        _made["vault"] = vault_world.Vault()
        _made["vault"].raw({c.word: c.raw for c in ALL if c.raw is not None})
    return _made["vault"]


def pieces(canary):
    """Whatever is in a text of a value, whole in any way of writing it, or a piece of it as it is."""
    whole = [way for way, text in canaries.ways(canary).items() if len(text) >= 6]
    return whole, {canary[at:at + WIDTH] for at in range(6, len(canary) - WIDTH + 1)}


def said_of(text, canary):
    data, (_, parts) = text.encode(errors="replace"), pieces(canary)
    return canaries.found(data, [canary]) + [part for part in parts if part in data]


def environment(one):
    port, word = standin().agent, one.environment.get("word")
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{port}/{word}"} if word else {}


def drive(one):
    """The error that comes of it: (kind, text)."""
    item = dict(one.item)
    if "file" in item:
        path = standin().folder / one.word
        path.write_text(one.text)
        item["file"] = str(path)
    if "vault" in item:
        result = vault().helper([item], wait_ms=1000).end()
    else:
        result = standin().fetch([item], environment=environment(one), inherited=one.inherited, wait_ms=1000)
    check(result.error is not None and not result.values, f"{one.title}: it was not refused: {vars(result)}")
    return one, result.error


@case(f"at least {COUNT} different failures: each is one sentence that names the item, and none has anything of a value")
def two_hundred():
    chosen = adapters.sample(ALL, COUNT)
    check(len({c.title for c in chosen}) == len(chosen) >= COUNT, f"{len(chosen)} failures")
    standin(), vault()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        results = list(pool.map(drive, chosen))
    classes = collections.Counter()
    found = {}
    for one, (kind, text) in results:
        check_equal((kind, text.startswith("secrets.items[it]: ")), ("SECRET", True), f"{one.title}: {text}")
        classes[text.split(": ")[1]] += 1
        if hits := said_of(text, one.canary):
            found[one.title] = (text, hits)
    print(f"     {len(results)} failures: " + ", ".join(f"{n} {word}" for word, n in sorted(classes.items())), flush=True)
    check_equal(found, {}, "messages that repeat a value")
    check(len(classes) >= 7, f"{classes}")
    standin().check_rules()
    vault().check_rules()


@case("control: a value that a message does say, the name of a file, is found by the same search")
def control():
    canary = driven.value("word").encode()
    result = standin().fetch([{"name": "it", "file": f"/nowhere/{canary.decode()}"}])
    check(said_of(result.text(), canary), f"not found in {result.text()}")
    check(said_of(base64.b64encode(b"x" + canary).decode(), canary), "not found in base64")
    check(said_of(f"it begins with {canary[6:15].decode()}", canary), "a piece is not found")


def policy_item(one):
    """The same item as a policy has it."""
    kept = {key: one.item[key] for key in ("json-key", "decode", "secrets-manager", "parameter") if key in one.item}
    base = {"name": "it", "file": {"path": "it"}}
    source = next((s for s in ("secrets-manager", "parameter") if s in kept), None)
    if source is not None:
        base["from"] = {source: kept.pop(source)}
    else:
        base["from"] = {"variable": "V"}
    if "key" in one.item:
        base["decrypt"] = {"key": KEY, "context": one.item["context"]}
    if "min" in one.item:
        base["bytes"] = {"min": one.item["min"], "max": one.item["max"]}
    return {**base, **kept}


@case("through the whole of init: its stderr, the events, the trail and what is on the spool's disk have nothing of it either")
def whole():
    services = standin()
    url = f"https://127.0.0.1:{services.port}"
    through = [c for c in ALL if not {"file", "vault"} & set(c.item) and "agent" not in c.title]
    for one in adapters.sample(through, len(through) // 3 if laz.LONG else 9):
        changes = {"secrets": {"ca": str(services.ca), "start-deadline": "1s",
                               "endpoints": {"secrets-manager": url, "ssm": url, "kms": url}}}
        with World([policy_item(one)], {}, real=True, changes=changes) as world:
            world.sinks = [{"name": "trail", "type": "file", "path": str(world.trail), "classes": ["audit", "ids", "log"], "required": True}]
            given = {"V": one.inherited["it"].decode()} if one.inherited else {}
            code, errors = world.outcome(env={**fence.ENVIRONMENT, **services.environment(), **given})
            check_equal(code, 103, f"{one.title}: {errors}")
            check("secrets.items[it]" in errors, f"{one.title}: {errors}")
            check(not world.marker.exists(), "the workload ran")
            records = json.dumps(world.records())
            check("secrets.items[it]" in records, f"{one.title}: no record says it: {records}")
            disk = b"".join(p.read_bytes() for p in (world.kept / "run").rglob("*") if p.is_file())
            for where, text in (("stderr", errors), ("records", records), ("spool", disk.decode(errors="replace"))):
                check_equal(said_of(text, one.canary), [], f"{one.title}: {where}: {text[:2000]}")


if __name__ == "__main__":
    laz.main()
