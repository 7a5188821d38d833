# SPDX-License-Identifier: Apache-2.0
"""lazaret secrets check: what a policy fetches, in words and in JSON, also as check and explain say it."""
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import laz
from cli import FOLDER, WEB, as_json, check_page, lazaret, web, write
from laz import case, check, check_equal

SECRETS = WEB + '''
secrets:
  region: eu-west-1
  items:
    - {name: db-password, from: "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-AbCdEf:password::", file: {path: db/password, mode: "0440"}}
    - {name: user, from: /prod/db/user:3, optional: true, file: {path: db/user}}
    - name: phi-key
      from: {secrets-manager: prod/phi}
      decode: base64
      decrypt: {key: "arn:aws:kms:us-east-1:111122223333:key/1234", context: {app: emr, purpose: phi}}
      bytes: 32
      form: hex
      newline: true
      fd: {number: 20, variable: PHI_FD}
      file: {path: phi}
    - {name: old, from: {variable: OLD_TOKEN}, file: {path: old}}
    - {name: bare, from: {parameter: "arn:aws-cn:ssm:cn-north-1:111122223333:parameter/bare:live"}, file: {path: bare}}
'''
ALONE = '''version: 1
extends: [builtin/web-api]
workload: {user: "10001:10001"}
filesystem: {read-exec: [/usr]}
secrets: {dir: /nowhere, items: [{name: a, from: {file: /etc/hostname}, file: {path: a}}]}
'''
CA = "arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/1234abcd"
IDENTITIES = WEB + f'''
secrets:
  vault: {{address: "https://vault.internal:8200", auth: {{token: {{file: /etc/token}}}}}}
tls:
  identities:
    - name: web
      from: {{acm-pca: "{CA}", signing: SHA256WITHECDSA, validity: 7d}}
      trust: issuer
      san: {{dns: [app.internal]}}
    - {{name: peer, from: {{vault-pki: pki/sign/peer, validity: 24h}}, ca: /ca.pem, san: {{dns: [app.internal]}}, purpose: client}}
'''
SECRET_ARN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-AbCdEf"


@case("secrets check: an identity says what its CA must permit")
def identities():
    write("identities.yaml", IDENTITIES)
    answer = as_json("secrets", "check", "identities.yaml", expect=0)
    wanted = {"web": [{"action": f"acm-pca:{w}Certificate", "resource": CA} for w in ("Issue", "Get")],
              "peer": [{"action": "vault:update", "resource": "pki/sign/peer"}]}
    check_equal({i["name"]: i["permissions"] for i in answer["secrets"]},
                {f"{name}.{part}": said for name, said in wanted.items() for part in ("chain", "key")}, "permissions")
    words = " ".join(lazaret("secrets", "check", "identities.yaml", expect=0).stdout.split())
    check("web.chain from tls.identities, web" in words and f"needs acm-pca:IssueCertificate on {CA}" in words, words)
    check("to Lazaret alone" in words, words)
    for first, later, action in (("web.chain", "web.key", "acm-pca:IssueCertificate"), ("peer.chain", "peer.key", "vault:update")):
        check_equal(words.count(action), 1, f"{action} is said once")
        check(f"needs what {first} needs" in words.partition(f"{later} from")[2], f"{later}: {words}")


@case("secrets check: a key says what its set has, and the one of before says which set that is")
def keys():
    write("keys.yaml", WEB + """
keys:
  - {name: phi, from: {secrets-manager: prod/phi}, bytes: 32, form: jwks, alg: A256GCM, previous: {}, file: {path: keys/phi}}
""")
    words = " ".join(lazaret("secrets", "check", "keys.yaml", expect=0).stdout.split())
    source = "from Secrets Manager prod/phi"
    form = "form 32 bytes, delivered as jwks for A256GCM"
    check(f"phi {source} {form}, with the key of before to file keys/phi, mode 0400 needs" in words, words)
    check(f"phi.previous (optional) {source}, stage AWSPREVIOUS form 32 bytes, delivered as they are to the set of phi needs" in words, words)
    check("phi.previous (secrets-manager, optional): the set of phi" in " ".join(lazaret("policy", "check", "keys.yaml", expect=0).stdout.split()),
          "check")


@case("secrets check: source, form, delivery and the permissions of every item; the same in JSON, check and explain")
def secrets():
    write("secrets.yaml", SECRETS)
    text = lazaret("secrets", "check", "secrets.yaml", expect=0).stdout
    words = " ".join(text.split())
    for wanted in ("secrets.yaml: 5 secrets, below /run/secrets, within 60000 ms of the start; none was fetched",
                   f'db-password from Secrets Manager {SECRET_ARN}, its member "password"',
                   "to file db/password, mode 0440", f"needs secretsmanager:GetSecretValue on {SECRET_ARN} user",
                   "user (optional) from Parameter Store /prod/db/user:3",
                   "needs ssm:GetParameter on arn:aws:ssm:eu-west-1:*:parameter/prod/db/user phi-key",
                   "form written as base64; decrypted by arn:aws:kms:us-east-1:111122223333:key/1234; 32 bytes, delivered "
                   "as hex with a line feed", "to file phi, mode 0400, and descriptor 20, which PHI_FD says",
                   "needs secretsmanager:GetSecretValue on arn:aws:secretsmanager:eu-west-1:*:secret:prod/phi-?????? "
                   "kms:Decrypt on arn:aws:kms:us-east-1:111122223333:key/1234 where the context is app=emr, purpose=phi",
                   "old from variable OLD_TOKEN of the container", "needs nothing of AWS",
                   "needs ssm:GetParameter on arn:aws-cn:ssm:cn-north-1:111122223333:parameter/bare The role is the task's."):
        check(wanted in words, f"{wanted}: {text}")
    answer = as_json("secrets", "check", "secrets.yaml", expect=0)
    items = {item["name"]: item for item in answer["secrets"]}
    check_equal((answer["dir"], answer["start_deadline_ms"], len(items)), ("/run/secrets", 60000, 5), "the answer")
    check_equal(items["phi-key"]["permissions"], [
        {"action": "secretsmanager:GetSecretValue",
         "resource": "arn:aws:secretsmanager:eu-west-1:*:secret:prod/phi-??????"},
        {"action": "kms:Decrypt", "resource": "arn:aws:kms:us-east-1:111122223333:key/1234",
         "context": {"app": "emr", "purpose": "phi"}}], "permissions")
    check_equal((items["phi-key"]["fd"], items["phi-key"]["file"]),
                ({"number": 20, "variable": "PHI_FD"}, {"path": "phi", "mode": "0400"}), "deliveries")
    check_equal((items["old"]["source"], items["old"]["permissions"]), ("variable", []), "a variable")
    check_equal(as_json("policy", "check", "secrets.yaml", expect=0)["policies"][0]["secrets"], answer["secrets"], "check")
    text = lazaret("policy", "check", "secrets.yaml", expect=0).stdout
    check("secrets     db-password (secrets-manager): file db/password, mode 0440\n" in text, text)
    check("user (parameter, optional): file db/user, mode 0400\n" in text, text)
    facts = as_json("policy", "explain", "secrets.yaml", expect=0)["facts"]
    check_equal(len(facts["secrets"]), 5, "explain")
    check(facts["secrets"][1]["text"].endswith("to file db/user, mode 0400; the workload starts without it too"),
          facts["secrets"][1])
    check("/run/secrets" in [fact["text"] for fact in facts["read"]], "the workload may read them")
    check("PHI_FD=20" in [fact["text"] for fact in facts["env set"]], "and knows the descriptor")


@case("secrets check: a policy without any, one that is wrong, a compiled one; with --root")
def no_secrets():
    web()
    check_equal(lazaret("secrets", "check", "web.yaml", expect=0).stdout, "web.yaml: no secrets\n", "none")
    check_equal(as_json("secrets", "check", "web.yaml", expect=0)["secrets"], [], "none, in JSON")
    write("bad-secrets.yaml", SECRETS.replace("name: old, from: {variable: OLD_TOKEN}", "name: old, value: hunter2"))
    done = lazaret("secrets", "check", "bad-secrets.yaml", expect=1)
    check('unknown key "value"' in done.stderr and done.stdout == "", done.stderr)
    check_equal(as_json("secrets", "check", "bad-secrets.yaml", expect=1)["error"]["name"], "policy-invalid", "in JSON")
    (FOLDER / "image" / "etc").mkdir(parents=True, exist_ok=True)
    write("image/etc/passwd", "app:x:10001:10001::/:/bin/false\n")
    write("image/etc/group", "app:x:10001:\n")
    write("named-secrets.yaml", re.sub(r"user: .*", "user: app", SECRETS))
    lazaret("secrets", "check", "--root", "image", "named-secrets.yaml", expect=0)
    lazaret("policy", "compile", "secrets.yaml", "-o", "secrets.image", expect=0)
    check("policy-compiled" in lazaret("secrets", "check", "secrets.image", expect=1).stderr, "a compiled policy")
    check("secrets needs a command" in lazaret("secrets", expect=2).stderr, "a group alone")


@case("doctor: the folder of secrets is on a tmpfs, the sources in the container are there; what is not, by name")
def doctor():
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        text = SECRETS.replace("  region:", f"  dir: {folder}\n  region:").replace("variable: OLD_TOKEN", f"file: {folder}/old")
        write("doctor.yaml", text)
        (folder / "old").write_text("x")
        rows = [("there", "yes", f"{folder} is on a tmpfs", "yes", "files and variables are there")]
        for name, change in (("without a source", lambda: (folder / "old").unlink()),
                             ("a folder in its place", lambda: (folder / "old").mkdir())):
            why = "No such file or directory" if "without" in name else "not a regular file"
            rows.append((name, "yes", f"{folder} is on a tmpfs", "no", f"old: {folder}/old: {why}", change))
        for name, state, seen, source_state, source_seen, *change in rows:
            for act in change:
                act()
            lines = {line["name"]: line for line in as_json("doctor", "doctor.yaml", expect=None)["checks"]}
            check_equal((lines["secrets"]["state"], lines["secrets"]["seen"]), (state, seen), name)
            check_equal(lines["sources"]["state"], source_state, name)
            check(lines["sources"]["seen"].startswith(source_seen), f"{name}: {lines['sources']}")
        write("variable.yaml", SECRETS.replace("  region:", "  dir: /proc\n  region:"))
        lines = {line["name"]: line for line in as_json("doctor", "variable.yaml", expect=1)["checks"]}
        check_equal((lines["secrets"]["state"], lines["secrets"]["vital"]), ("no", True), "no tmpfs")
        check_equal(lines["secrets"]["remedy"], "Mount a tmpfs at secrets.dir.", "no tmpfs")
        check_equal((lines["sources"]["state"], lines["sources"]["seen"]), ("no", "old: OLD_TOKEN: not set"), "no variable")
        lines = as_json("doctor", "variable.yaml", expect=1, env={**os.environ, "OLD_TOKEN": "hunter2"})
        check("hunter2" not in str(lines) and "files and variables are there" in str(lines), f"with the variable: {lines}")
        write("nowhere.yaml", SECRETS.replace("  region:", "  dir: /nowhere\n  region:"))
        lines = {line["name"]: line for line in as_json("doctor", "nowhere.yaml", expect=1)["checks"]}
        check_equal(lines["secrets"]["seen"], "/nowhere: No such file or directory", "no folder")
        write("alone.yaml", ALONE)
        lines = {line["name"]: line for line in as_json("doctor", "alone.yaml", expect=1)["checks"]}
        check_equal([n for n, line in lines.items() if "/nowhere" in line["seen"]], ["secrets"], "where no folder is said, once")
        check("would start here, unless a line below says otherwise" in lines["policy"]["seen"], f"{lines['policy']}")
        write("both.yaml", ALONE.replace("read-exec: [/usr]", "read-exec: [/usr], read: [/no/such]"))
        lines = {line["name"]: line for line in as_json("doctor", "both.yaml", expect=1)["checks"]}
        check("filesystem: /no/such: No such file" in lines["policy"]["seen"], f"{lines['policy']}")
        web()
        check("secrets.dir" not in lazaret("doctor", "web.yaml").stdout, "a policy without secrets")
    finally:
        shutil.rmtree(folder)


@case("secrets status and rotate: whom the probe would not believe is not believed, and PID 1 is heard")
def believed():
    (FOLDER / "answer").write_bytes(b"\xff")
    standin = Path(__file__).with_name("health_standin.py")
    fence = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, standin, FOLDER / "answer"]
    for verb in (["status"], ["rotate", "db"]):
        said = {uid: lazaret("secrets", *verb, expect=1, around=[*fence, f"uid={uid}", "control", "--"]).stderr for uid in (0, 10001)}
        check("somebody else listens at control." in said[10001], f"{verb}: {said[10001]}")
        check("somebody else" not in said[0] and "init" in said[0], f"{verb}: PID 1 was heard, and what it said is nothing: {said[0]}")


@case("every option of secrets check in lazaret(1) was run by a case above, and no other exists")
def page():
    check_page("secrets check")


laz.main()
