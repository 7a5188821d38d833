# SPDX-License-Identifier: Apache-2.0
"""Digests: documents that `lazaret digest` adds to a folder of trails, read here as docs/reference/digest-format.md says,
with Python's JSON and the suite's own Ed25519; and what `lazaret verify` finds when somebody changes folder or document."""
import hashlib
import json
import os
import shutil
import subprocess

import laz
import trail_judge
import trail_verifier
from cli import FOLDER, lazaret
from laz import case, check, check_equal

ONE, OTHER = trail_judge.make(trail_judge.CLOSED), trail_judge.make("event a.b x\nlog y\nfinal 0\n")
MEMBERS = ["digestVersion", "digestNumber", "digestStartTime", "digestEndTime", "digestPublicKeyFingerprint",
           "digestSignatureAlgorithm", "previousDigestHashValue", "previousDigestHashAlgorithm", "previousDigestSignature",
           "logFiles", "digestSignature"]


def key(name, kind="ed25519"):
    """Paths of a new private and public key."""
    private, public = FOLDER / f"{name}.key", FOLDER / f"{name}.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", kind, "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    return private, public


KEY, PUBLIC = key("digest")
STRANGER, STRANGER_PUBLIC = key("stranger")
DER = subprocess.run(["openssl", "pkey", "-pubin", "-in", PUBLIC, "-outform", "DER"], check=True, capture_output=True).stdout


def folder(name, **files):
    """A new folder with these files, digested twice: the second time nothing was new."""
    path = FOLDER / name
    path.mkdir()
    for file, data in (files or {"one": ONE}).items():
        (path / f"{file}.jsonl").write_bytes(data)
    for _ in range(2):
        lazaret("digest", "--key", KEY, path, expect=0)
    return path


def document(path, number):
    return (path / f"{number:08d}.digest").read_bytes()


def verified(path, public=PUBLIC, expect=None):
    """What verify says of the digests of a folder."""
    words = ["--digest-key", public] if public else []
    done = lazaret("verify", "--json", *words, path)
    answer = json.loads(done.stdout)
    check_equal(done.returncode, 0 if answer["ok"] else 1, "exit code")
    if expect is not None:
        check_equal(answer["digests"]["findings"], expect, f"findings in {path.name}")
        if expect:
            check(not answer["ok"], f"{path.name}: it is fine")
    return answer


def check_document(path, number):
    """A document, judged without the product; and what it says of files."""
    data = document(path, number)
    check(data.endswith(b"}\n") and data.count(b"\n") == 1 and b" " not in data, f"the form of {data}")
    found = json.loads(data)
    check_equal(list(found), MEMBERS, "members")
    check_equal((found["digestVersion"], found["digestNumber"], found["digestSignatureAlgorithm"]), (1, number, "Ed25519"), "head")
    check_equal(found["digestPublicKeyFingerprint"], hashlib.sha256(DER).hexdigest(), "fingerprint")
    before = document(path, number - 1) if number > 1 else b""
    wanted = ("", "", "")
    if before:
        last = json.loads(before)
        wanted = (last["digestEndTime"], hashlib.sha256(before).hexdigest(), last["digestSignature"])
    check_equal((found["digestStartTime"], found["previousDigestHashValue"], found["previousDigestSignature"]), wanted, "before")
    bare = data[:data.index(b',"digestSignature"')] + b"}"
    check(trail_verifier.is_signed(DER[-32:], b"lazaret-digest-1\0" + hashlib.sha256(bare).digest(),
                                   bytes.fromhex(found["digestSignature"])), f"the signature of {number}")
    for file in found["logFiles"]:
        text = (path / file["file"]).read_bytes()[:file["size"]]
        check_equal((len(text), hashlib.sha256(text).hexdigest()), (file["size"], file["hashValue"]), file["file"])
    return found["logFiles"]


@case("each digest says what is new or has grown, follows the one before, and is signed; silence is signed too")
def written():
    path = folder("written", one=ONE, two=ONE + OTHER)
    first, silent = check_document(path, 1), check_document(path, 2)
    check_equal(([f["file"] for f in first], silent), (["one.jsonl", "two.jsonl"], []), "files")
    records = [json.loads(line) for line in OTHER.splitlines()]
    check({"chain": records[0]["chain"], "firstSeq": 0, "lastSeq": len(records) - 1} in first[1]["chains"], f"{first[1]}")
    times = sorted(json.loads(line)["ts"] for line in (ONE + OTHER).splitlines())
    check_equal((first[1]["oldestEventTime"], first[1]["newestEventTime"]), (times[0], times[-1]), "times")
    with open(path / "one.jsonl", "ab") as grown:
        grown.write(OTHER)
    (path / "empty").touch()
    lazaret("digest", "--key", KEY, path, expect=0)
    check_equal([(f["file"], f["size"]) for f in check_document(path, 3)], [("empty", 0), ("one.jsonl", len(ONE + OTHER))], "grown")
    answer = verified(path, expect=[])
    check_equal(answer["digests"], {"count": 3, "signed": True, "undigested": 0, "findings": []}, "digests")
    check(answer["ok"], f"{answer}")
    out = lazaret("verify", "--digest-key", PUBLIC, path, expect=0).stdout
    check("digests: 3, each follows the one before and is signed by this key\n" in out, out)


@case("a file may grow behind what was digested, and a new one may come: both are fine, and the new one is counted")
def grows():
    path = folder("grows")
    with open(path / "one.jsonl", "ab") as grown:
        grown.write(OTHER)
    (path / "new.jsonl").write_bytes(OTHER)
    answer = verified(path, expect=[])
    check_equal((answer["ok"], answer["digests"]["undigested"]), (True, 1), "growing")
    check("files that no digest names: 1\n" in lazaret("verify", path, expect=0).stdout, "it is not counted")


@case("a trail that is written anew with keys of the attacker's own passes without digests, and not with them")
def anew():
    victim = trail_judge.records(trail_judge.CLOSED, trail_judge.KEYS)
    path = folder("anew", one=trail_judge.forge.encode(victim))
    victim[1]["obj"] = "/nothing/to/see"
    (path / "one.jsonl").write_bytes(trail_judge.forge.encode(trail_judge.forge.rewrite(victim, trail_judge.OTHER)))
    check(json.loads(lazaret("verify", "--json", path / "one.jsonl").stdout)["ok"], "the trail alone is whole")
    verified(path, expect=["one.jsonl: it is not what was digested"])
    done = lazaret("digest", "--key", KEY, path, expect=1)
    check("one.jsonl: it is not what was digested" in done.stderr, done.stderr)
    check(not (path / "00000003.digest").exists(), "it was signed all the same")


@case("what somebody does to a folder: each finding names the file, or the document, and why")
def attacks():
    late, broken = "00000003.digest", "it does not follow the digest before it"

    def rewritten(path, number, change):
        found = json.loads(document(path, number))
        change(found)
        (path / f"{number:08d}.digest").write_text(json.dumps(found, separators=(",", ":")) + "\n")

    def by_stranger(path):
        for number in (1, 2):
            (path / f"{number:08d}.digest").unlink()
        for _ in range(2):
            lazaret("digest", "--key", STRANGER, path, expect=0)

    def swapped(path):
        (path / "00000001.digest").rename(path / "x")
        (path / "00000002.digest").rename(path / "00000001.digest")
        (path / "x").rename(path / "00000002.digest")

    def third(path, *words):
        (path / "more.jsonl").write_bytes(OTHER)
        lazaret("digest", "--key", KEY, path, expect=0)
        for word in words:
            (path / word).unlink()

    other = "it says that another key has signed it"
    rows = [
        ("gone", lambda p: (p / "one.jsonl").unlink(), ["one.jsonl: a digest names it, and it is not there"]),
        ("a link", lambda p: ((p / "one.jsonl").rename(p.parent / "away"), (p / "one.jsonl").symlink_to(p.parent / "away")),
         ["one.jsonl: a digest names it, and it is not there"]),
        ("cut", lambda p: os.truncate(p / "one.jsonl", len(ONE) - 1), ["one.jsonl: it is shorter than when it was digested"]),
        ("the first digest is gone", lambda p: third(p, "00000001.digest"),
         ["00000001.digest: it is missing, and a later one is there"]),
        ("one between", lambda p: third(p, "00000002.digest"),
         ["00000002.digest: it is missing, and a later one is there", f"{late}: {broken}"]),
        ("the last, with its file [missed]", lambda p: third(p, late, "more.jsonl"), []),
        ("exchanged", swapped, ["00000001.digest: it is no digest of this number", "00000002.digest: it is no digest of this number",
                                ]),
        ("empty", lambda p: os.truncate(p / "00000002.digest", 0), ["00000002.digest: it is no digest of this number"]),
        ("another size", lambda p: rewritten(p, 1, lambda d: d["logFiles"][0].update(size=1)),
         ["00000001.digest: its signature is wrong", f"00000002.digest: {broken}", "one.jsonl: it is not what was digested"]),
        ("a file left out", lambda p: rewritten(p, 1, lambda d: d.update(logFiles=[])),
         ["00000001.digest: its signature is wrong", f"00000002.digest: {broken}"]),
        ("another time", lambda p: rewritten(p, 2, lambda d: d.update(digestStartTime="2020-01-01T00:00:00.000000Z")),
         ["00000002.digest: its signature is wrong"]),
        ("signed by another", by_stranger, [f"00000001.digest: {other}", f"00000002.digest: {other}"]),
        ("a member more", lambda p: rewritten(p, 2, lambda d: d.update(more=1)), ["00000002.digest: it is no digest of this number"]),
    ]
    for name, attack, expected in rows:
        path = folder(f"attacked {name}")
        attack(path)
        verified(path, expect=expected)
    check_equal(verified(FOLDER / "attacked signed by another", None, expect=[])["digests"]["signed"], False, "without a key")
    out = lazaret("verify", FOLDER / "attacked signed by another", expect=0).stdout
    check("digests: 2; nobody vouches for them: there is no --digest-key\n" in out, out)
    verified(FOLDER / "attacked signed by another", STRANGER_PUBLIC, expect=[])


@case("every byte of a document counts")
def bytes_count():
    path = folder("bytes")
    whole = document(path, 1)
    for at in range(0, len(whole), 1 if laz.LONG else 7):
        (path / "00000001.digest").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        check(verified(path)["digests"]["findings"], f"byte {at}: {whole[at:at + 1]}")
    (path / "00000001.digest").write_bytes(whole)
    verified(path, expect=[])


@case("a key that is none, a folder that is none, a name that has no place in a digest: errors that say so, and nothing is made")
def refused():
    path = folder("refused")
    x25519, x25519_public = key("x25519", "x25519")
    locked = FOLDER / "locked.key"
    subprocess.run(["openssl", "pkey", "-in", KEY, "-aes256", "-passout", "pass:x", "-out", locked], check=True, capture_output=True)
    kind = "it is no Ed25519 private key in PEM without a passphrase"
    for words, code, said in ((["--key", x25519, path], 2, kind), (["--key", PUBLIC, path], 2, kind), (["--key", locked, path], 2, kind),
                              (["--key", FOLDER / "nothing", path], 1, "No such file"), ([path], 2, "digest needs --key FILE"),
                              (["--key", KEY, path / "one.jsonl"], 1, "Not a directory"), (["--key", KEY], 2, "FOLDER")):
        done = lazaret("digest", *words, expect=code)
        check(said in done.stderr, f"{words}: {done.stderr}")
    done = lazaret("verify", "--digest-key", x25519_public, path, expect=2)
    check("it is no Ed25519 public key in PEM" in done.stderr, done.stderr)
    for name in ("with a blank", 'a"b', "a\\b", "a\nb", "\u00e9"):
        (path / name).write_bytes(b"x")
        done = lazaret("digest", "--key", KEY, path, expect=1)
        check("a digest can only name files of printable ASCII without blanks" in done.stderr, f"{name!r}: {done.stderr}")
        (path / name).unlink()
    check_equal(sorted(p.name for p in path.iterdir()), ["00000001.digest", "00000002.digest", "one.jsonl"], "the folder")
    shutil.rmtree(path)


@case("with a key each operand is asked for digests of its own: those of a folder vouch for no other, for no file, and for no stream")
def each_by_itself():
    path, bare = folder("vouched"), FOLDER / "bare"
    bare.mkdir()
    (bare / "two.jsonl").write_bytes(OTHER)
    stranger = bare / "two.jsonl"
    for words, unvouched in (([path], []), ([path, path], []), ([stranger], [stranger]), ([bare], [bare]), ([path, bare], [bare]), ([bare, path], [bare]),
                             ([path, stranger], [stranger]), ([path, "-"], ["-"]), (["-", bare, path], ["-", bare])):
        for command in ("verify", "report"):
            done = lazaret(command, "--json", "--digest-key", PUBLIC, *words, around=["sh", "-c", 'exec "$@" <"$0"', stranger])
            answer = json.loads(done.stdout)
            found = answer["digests"]["findings"] if command == "verify" else answer["digest_findings"]
            check_equal(found, [f"{x}: there is no digest, and a key was given" for x in unvouched], f"{command} {words}")
            check_equal((done.returncode, answer["ok"]), (1, False) if unvouched else (0, True), f"{command} {words}")
    lazaret("verify", path, bare, expect=0)  # without a key nobody is asked


if __name__ == "__main__":
    laz.main()
