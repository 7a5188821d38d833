# SPDX-License-Identifier: Apache-2.0
"""Is this an event of OCSF? Written from the schema's description alone, for the classes, objects and profiles that
Lazaret uses: which members are required, of which type, with which numbers. What is not listed here is an error too,
so that nothing gets in unseen. Knows nothing of the program that makes the events."""
import json
import re

import laz

VERSION = "1.9.0-dev"
CATEGORIES = {0: "Uncategorized", 1: "System Activity", 2: "Findings", 4: "Network Activity", 6: "Application Activity"}
# class: (name, activities, required beside what all have, other members)
SYSTEM = {"actor", "device"}
CLASSES = {
    0: ("Base Event", {0, 99}, set(), set()),
    1001: ("File System Activity", {*range(15), 99}, SYSTEM | {"file"}, set()),
    1007: ("Process Activity", {*range(6), 99}, SYSTEM | {"process"}, set()),
    1008: ("Event Log Activity", {*range(11), 99}, set(), {"device", "actor", "log_name"}),
    2004: ("Detection Finding", {0, 1, 2, 3, 99}, {"finding_info"}, {"device"}),
    4001: ("Network Activity", {*range(8), 99}, set(), {"src_endpoint"}),
    6002: ("Application Lifecycle", {*range(9), 99}, {"app"}, set()),
    6008: ("Application Error", {0, 1, 2, 99}, set(), set()),
}
AT_LEAST_ONE = {1008: {"log_name"}, 4001: {"src_endpoint"}}
PROFILES = {
    "container": set(), "host": {"actor", "device"}, "record_integrity": {"attestation_list"},
    "security_control": {"action_id", "disposition_id", "attacks"},
}
COMMON = {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"}
OPTIONAL = {"activity_name", "class_name", "message", "raw_data", "unmapped"}

INT, STRING = int, str


def enum(*values):
    return set(values)


# object: member -> (type, object, list of one, or set of numbers; is it required)
OBJECTS = {
    "metadata": {"product": ("product", True), "version": (STRING, True), "profiles": ([STRING], False),
                 "event_code": (STRING, False), "uid": (STRING, False), "sequence": (INT, False),
                 "original_time": (STRING, False)},
    "product": {"name": (STRING, True), "vendor_name": (STRING, False), "version": (STRING, False)},
    "container": {"name": (STRING, True)},
    "actor": {"process": ("process", False), "app_name": (STRING, False)},
    "process": {"pid": (INT, False), "name": (STRING, False), "path": (STRING, False)},
    "device": {"type_id": (enum(*range(16), 99), True), "hostname": (STRING, False), "name": (STRING, False),
               "container": ("container", False)},
    "file": {"name": (STRING, True), "path": (STRING, False), "type_id": (enum(*range(9), 99), True),
             "size": (INT, False), "hashes": (["fingerprint"], False)},
    "fingerprint": {"algorithm_id": (enum(*range(21), 99), True), "value": (STRING, True), "algorithm": (STRING, False),
                    "encoding_id": (enum(0, 1, 2, 3, 99), False), "serialization_id": (enum(*range(9), 99), False),
                    "serialization": (STRING, False)},
    "attestation": {"chain_uid": (STRING, False), "fingerprint": ("fingerprint", False), "prev_event": ("prev_event", False)},
    "prev_event": {"uid": (STRING, True)},
    "finding_info": {"uid": (STRING, True), "title": (STRING, False)},
    "attack": {"technique": ("technique", True)},
    "technique": {"uid": (STRING, True)},
    "endpoint": {"hostname": (STRING, True), "port": (INT, False)},
    "application": {"name": (STRING, True)},
}
MEMBERS = {
    "activity_id": INT, "category_uid": INT, "class_uid": INT, "severity_id": enum(*range(7), 99), "time": INT,
    "type_uid": INT, "metadata": "metadata", "activity_name": STRING, "class_name": STRING, "message": STRING,
    "raw_data": STRING, "unmapped": dict, "attestation_list": ["attestation"], "actor": "actor",
    "device": "device", "file": "file", "process": "process", "log_name": STRING, "finding_info": "finding_info",
    "action_id": enum(0, 1, 2, 3, 4, 99), "disposition_id": enum(*range(28), 99), "attacks": ["attack"],
    "src_endpoint": "endpoint", "app": "application",
}
ANY_OF = {"device": {"hostname", "name"}, "actor": {"process", "app_name"}, "process": {"pid", "name", "path"}, "attestation": {"fingerprint"}}


def _value(where, value, kind):
    if isinstance(kind, list):
        laz.check(isinstance(value, list) and value, f"{where}: a list that is empty or none")
        for number, item in enumerate(value):
            _value(f"{where}[{number}]", item, kind[0])
    elif isinstance(kind, set):
        laz.check(type(value) is int and value in kind, f"{where}: {value!r} is not one of {sorted(kind)}")
    elif isinstance(kind, str):
        _object(where, value, kind)
    else:
        laz.check(type(value) is kind, f"{where}: {value!r} is no {kind.__name__}")
        laz.check(kind is not STRING or value != "", f"{where}: empty")


def _object(where, value, name):
    known = OBJECTS[name]
    laz.check(isinstance(value, dict), f"{where}: no object")
    for key, (kind, required) in known.items():
        laz.check(not required or key in value, f"{where}: {key} is required")
        if key in value:
            _value(f"{where}.{key}", value[key], kind)
    laz.check_equal(sorted(set(value) - set(known)), [], f"{where}: members that {name} does not have")
    if name in ANY_OF:
        laz.check(ANY_OF[name] & set(value), f"{where}: one of {sorted(ANY_OF[name])} is needed")


def _no_twice(pairs):
    laz.check_equal(len(pairs), len({key for key, _ in pairs}), "members that are there once")
    return dict(pairs)


def check(line):
    """The event of a line, if it is one."""
    event = json.loads(line, object_pairs_hook=_no_twice)
    number = event.get("class_uid")
    laz.check(number in CLASSES, f"class {number}")
    name, activities, required, others = CLASSES[number]
    profiles = set(event["metadata"].get("profiles", []))
    laz.check_equal(sorted(profiles - set(PROFILES)), [], "profiles")
    allowed = COMMON | OPTIONAL | required | others | {key for profile in profiles for key in PROFILES[profile]}
    laz.check_equal(sorted((COMMON | required) - set(event)), [], f"{name}: members that are required and missing")
    laz.check_equal(sorted(set(event) - allowed), [], f"{name}: members that it does not have")
    laz.check_equal("container" in profiles, "container" in event.get("device", {}), "the profile of a container, and one")
    for key, value in event.items():
        _value(key, value, MEMBERS[key])
    laz.check(number not in AT_LEAST_ONE or AT_LEAST_ONE[number] & set(event), f"{name}: one of {AT_LEAST_ONE.get(number)}")
    laz.check(event["activity_id"] in activities, f"{name}: activity {event['activity_id']}")
    laz.check(event["activity_id"] != 99 or event.get("activity_name"), f"{name}: an activity 99 has a name")
    laz.check_equal(event["class_name"], name, "the name of the class")
    laz.check_equal(event["category_uid"], number // 1000, f"{name}: category")
    laz.check(event["category_uid"] in CATEGORIES, f"{name}: category")
    laz.check_equal(event["type_uid"], number * 100 + event["activity_id"], f"{name}: type")
    laz.check_equal(event["metadata"]["version"], VERSION, "the schema's version")
    laz.check(0 < event["time"] < 1 << 53, f"time {event['time']}")
    for one in event.get("attestation_list", []):
        value = one["fingerprint"]["value"]
        laz.check(re.fullmatch("[0-9a-f]{64}", value), f"a SHA-256: {value}")
    return event
