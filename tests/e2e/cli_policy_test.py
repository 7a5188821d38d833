# SPDX-License-Identifier: Apache-2.0
"""What the commands say of a policy beside their own rules: its schema against its loader, names of an unpacked
image, and what stands behind a call that the policy allows."""
import json

import jsonschema
import yaml

import laz
from cli import FOLDER, as_json, lazaret, write
from laz import case, check, check_equal

HEAD = """version: 1
extends: [builtin/web-api]
workload: {user: "10001:10001"}
filesystem: {read-exec: [/usr]}
"""
SINK = "sinks: [{name: t, type: stdout}]\n"
PCA = "arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/1234abcd-12ab-34cd-56ef-1234567890ab"
VAULT = "secrets: {vault: {address: 'https://v.internal:8200', auth: {aws: {role: app}}}, items: [{name: db, from: {vault: kv/data/db, version: %s}, json-key: p, file: {path: db}}]}\n"
BOTH = [  # what it is, what follows HEAD, whether it is right
    ("a command with a word twice", "health: {live: {checks: [{name: a, exec: [/usr/bin/test, a, '=', a], every: 15s}]}}\n", True),
    ("a path twice", SINK + "volumes: [{path: /data, require: 7}]\n", False),
    ("Vault's version as a number", VAULT % 3, True),
    ("Vault's version as text", VAULT % "'3'", True),
    ("Vault's version as a list", VAULT % "[3]", False),
    ("a synonym of an errno", "syscalls: {rules: [{names: [chown], action: errno, errno: EWOULDBLOCK}, {names: [chmod], action: errno, errno: ENOTSUP}]}\n", True),
    ("no errno", "syscalls: {rules: [{names: [chown], action: errno, errno: EWHATEVER}]}\n", False),
    ("an address in large letters", f"secrets: {{}}\ntls: {{identities: [{{name: web, from: {{acm-pca: '{PCA}', signing: SHA256WITHECDSA, validity: 7d}}, ca: /etc/ca.pem, "
     "san: {ip: ['2001:DB8::7']}, files: {dir: tls/web}}]}\n", True),
    ("a word that YAML 1.1 takes for false", "tls: {fips: off}\n", True),
    ("a word of nowhere", "tls: {fips: of}\n", False),
    ("a group twice", "syscalls: {groups: [jvm, jvm]}\n", False),
]


@case("schema: takes what the loader takes, as an editor reads it, and refuses what that refuses")
def schema():
    validator = jsonschema.Draft202012Validator(json.loads(lazaret("policy", "schema", expect=0).stdout))
    for name, more, is_right in BOTH:
        write("both.yaml", HEAD + more)
        found = as_json("policy", "check", "both.yaml", expect=0 if is_right else 1)["policies"][0]
        check_equal(found["ok"], is_right, f"{name}: {found}")
        errors = [f"{'/'.join(map(str, e.path))}: {e.message[:200]}" for e in validator.iter_errors(yaml.safe_load(HEAD + more))]
        check_equal(not errors, is_right, f"{name}: {errors}")


@case("--root: links of the image lead to files of the image, and out of it to none")
def root_links():
    write("image/lib/passwd", "app:x:4242:4343::/:/bin/false\n")
    write("image/etc/group", "app:x:4343:\n")
    write("outside", "app:x:6666:6666::/:/bin/false\n")
    write("named.yaml", HEAD.replace('"10001:10001"', "app"))
    link = FOLDER / "image/etc/passwd"
    for target, uid in (("/lib/passwd", 4242), ("../../../../../lib/passwd", 4242), (str(FOLDER / "outside"), None),
                        ("../../outside", None), ("/proc/self/root/etc/passwd", None)):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        found = as_json("policy", "check", "--root=image", "named.yaml", expect=0 if uid else 1)["policies"][0]
        check_equal(found.get("uid"), uid, f"{target}: {found}")
        said = " ".join(line["message"] for line in found["diagnostics"])
        check(uid or "image/etc/passwd" in said, f"{target}: {said}")


@case("explain clone: a user namespace asks for no capability, and that is said")
def namespaces():
    write("clone.yaml", HEAD.replace("extends: [builtin/web-api]\n", "") + "syscalls: {groups: [default, basic-io, process]}\n")
    layers = {line["layer"]: line["text"] for line in as_json("policy", "explain", "clone.yaml", "clone")["layers"]}
    check("for a user namespace (CLONE_NEWUSER) none is asked for" in layers["capabilities"], f"{layers}")
    layers = {line["layer"]: line["text"] for line in as_json("policy", "explain", "clone.yaml", "mount")["layers"]}
    check("namespace" not in layers["capabilities"], f"{layers}")


laz.main()
