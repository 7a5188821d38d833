# SPDX-License-Identifier: Apache-2.0
"""Our JSON reader beside Python's, over texts that are made at random: right ones in odd clothes, and right ones with
something broken. What both take is the same value, and what we refuse beyond Python has a name: a key twice, a half
surrogate, NaN and the infinities, more than 64 arrays and objects inside each other. Nothing else may differ."""
import json
import random
import subprocess

import laz
from laz import case, check, check_equal

PROGRAM = laz.BIN.parent / "tests" / "json_drive"
COUNT = 400_000 if laz.LONG else 8_000
BATCH = 8_000
DEPTH = 64
DATA = sorted((laz.ROOT / "tests/data/oci").glob("*.json"))

CHARACTERS = ["a", "B", "0", " ", "/", "\"", "\\", "\n", "\t", "\b", "\x01", "\x1f", "\x7f", "\x80", "é", "ſ", "K", "\u2028",
              "\ufeff", "\ufffd", "\uffff", "😀", "\U0010ffff", "\x00"]
NUMBERS = ["0", "-0", "1", "-1", "18446744073709551615", "18446744073709551616", "9007199254740993", "0.1", "-0.0", "1e3", "1E+3",
           "1e-3", "1.5e400", "1.0", "123456789012345678901234567890"]
WORDS = ["true", "false", "null"]
PIECES = ["{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud83d", "\\udc00", "\\u0000", "0", "01", "-", "+1", ".5", "1.", "1e", "e", "NaN",
          "Infinity", "-Infinity", "true", "nul", "'", "//", "/**/", "\x00", "\t", "\n", "\x0b", "\x0c", "\u00a0", "\ufeff", "\xff", ",}", ",]",
          "\"a\":1,", "[[[[[[[[[[[[[[[[", "]]]]]]]]]]]]]]]]"]
# Texts that a generator would not find soon.
HARD = ["", " ", "{", "[", "\"", "\"\\", "\"\\u", "\"\\u12", "-", "[" * 64 + "]" * 64, "[" * 65 + "]" * 65, "{\"a\":" * 64 + "1" + "}" * 64,
        "{\"a\":" * 65 + "1" + "}" * 65, "\"\\ud83d\\ude00\"", "\"\\ude00\\ud83d\"", "\"\\ud83d\"", "\"\\ud83d\\u0041\"", "\"\\uD83D\\uDE00\"",
        "{\"😀\":1,\"\\ud83d\\ude00\":2}", "{\"\":1,\"\":2}", "{\"a\":1,\"A\":2}", "NaN", "[Infinity,-Infinity]", "\ufeff{}", "\x00", "{}\x00", "1 2",
        "\x0b1", "\u00a01", "1\u2028", "[1,]", "{,}", "{\"a\"}", "{\"a\":}", "{1:2}", "\"\x7f\"", "\"\t\"", "\"\\/\"", "\"\\'\"", "\"\\x41\"",
        "\"\\u00e9é\"", "1e", "1e+", "0x10", "1_000", "٣", "-٣", "1.٣", "ＮaN"]


class Refused(Exception):
    """Python takes no such text."""


def words_of(text):
    """The value as the program writes it, by Python's reader, and what in it is ours to refuse."""
    faults = set()

    def member(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            faults.add("a key twice")
        return ("{", pairs)

    def constant(word):
        faults.add("no number" if word.startswith("-") else "no value")
        return ("n", word)

    def string(value):
        try:
            raw = value.encode()
        except UnicodeEncodeError:
            faults.add("no escape")
            return "s"
        return "s-nul" if b"\0" in raw else "s" + raw.hex()

    def number(lexeme):
        return ("n", lexeme)

    try:
        decoded = text.decode()
        value = json.loads(decoded, object_pairs_hook=member, parse_int=number, parse_float=number, parse_constant=constant)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Refused(str(error)) from error
    words, deepest = [], 0
    left = [(value, 1)]
    while left:
        what, depth = left.pop()
        if isinstance(what, str):
            words.append(string(what))
        elif isinstance(what, bool) or what is None:
            words.append(json.dumps(what))
        elif isinstance(what, list):
            deepest = max(deepest, depth)
            words.append("[")
            left += [(("]", None), depth), *((item, depth + 1) for item in reversed(what))]
        elif what[0] == "{":
            deepest = max(deepest, depth)
            words.append("{")
            left.append((("}", None), depth))
            for key, item in reversed(what[1]):
                left += [(item, depth + 1), (key, depth + 1)]
        elif what[0] == "n":
            words.append("n" + what[1])
        else:
            words.append(what[0])
    if deepest > DEPTH:
        faults.add("too deep")
    return words, faults


def complaint(text, answer):
    """What is wrong with the program's answer, or None; and the reason why only we refuse."""
    ours, _, rest = answer.partition(" ")
    try:
        words, faults = words_of(text)
    except Refused as error:
        return (f"Python refuses ({error}), we do not" if ours == "accept" else None), None
    if ours == "accept":
        if faults:
            return f"accepted in spite of {faults}", None
        return (None if rest.split(" ") == words else f"another value: {rest} is not {' '.join(words)}"), None
    for fault in faults:
        if rest.endswith(": " + fault):
            return None, fault
    return f"refused ({rest}), and Python takes it with {faults or 'no fault'}", None


def answers(texts):
    """The program's line for each text."""
    sent = b"".join(b"%d\n%b" % (len(text), text) for text in texts)
    done = subprocess.run([PROGRAM], input=sent, capture_output=True, check=False, timeout=600)
    laz.check_no_report(done.stderr.decode(errors="replace"))
    check_equal(done.returncode, 0, "exit code of json_drive")
    lines = done.stdout.decode().splitlines()
    check_equal(len(lines), len(texts), "answers")
    return lines


# ---- texts ----


def blank(rng):
    return rng.choice(["", "", "", " ", "\n", "\t ", "\r\n"])


def a_string(rng):
    """A string in a JSON text: characters as they are, or escaped in one of the ways."""
    out = []
    for _ in range(rng.choice([0, 1, 1, 2, 3, 8])):
        character = rng.choice(CHARACTERS)
        units = [character.encode("utf-16-be")[i:i + 2].hex() for i in range(0, len(character.encode("utf-16-be")), 2)]
        escaped = "".join("\\u" + (unit.upper() if rng.random() < 0.5 else unit) for unit in units)
        short = {"\"": "\\\"", "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\b": "\\b", "/": "\\/"}.get(character)
        must = character in "\"\\" or ord(character) < 0x20
        if rng.random() < 0.3 or must:
            out.append(short if short and rng.random() < 0.7 else escaped)
        else:
            out.append(character)
    return "\"" + "".join(out) + "\""


def a_value(rng, depth):
    kind = rng.random()
    if kind < 0.005:
        return rng.choice(["NaN", "Infinity", "-Infinity"])
    if depth == 0 or kind < 0.5:
        return rng.choice([a_string, lambda r: r.choice(NUMBERS), lambda r: r.choice(WORDS)])(rng)
    count = rng.choice([0, 1, 2, 3, 5])
    if kind < 0.75:
        inside = [a_value(rng, depth - 1) for _ in range(count)]
        return "[" + ",".join(blank(rng) + item + blank(rng) for item in inside) + blank(rng) + "]"
    keys = [a_string(rng) if rng.random() < 0.4 else json.dumps(f"k{rng.random()}") for _ in range(count)]
    inside = [f"{blank(rng)}{key}{blank(rng)}:{blank(rng)}{a_value(rng, depth - 1)}{blank(rng)}" for key in keys]
    return "{" + ",".join(inside) + blank(rng) + "}"


def broken(rng, text):
    """A byte or a piece taken out, put in or put in the place of another, up to three times."""
    raw = bytearray(text)
    for _ in range(rng.choice([1, 1, 2, 3])):
        at = rng.randrange(len(raw) + 1)
        what = rng.random()
        piece = rng.choice(PIECES).encode("latin-1" if rng.random() < 0.2 else "utf-8", errors="ignore")
        if what < 0.3:
            del raw[at:at + rng.choice([1, 1, 2, 5])]
        elif what < 0.6:
            raw[at:at] = piece
        elif what < 0.8:
            raw[at:at + len(piece)] = piece
        else:
            raw[at:at + 1] = bytes([rng.randrange(256)])
    return bytes(raw)


def texts(rng, count):
    for number in range(count):
        text = (blank(rng) + a_value(rng, rng.choice([1, 2, 3, 4])) + blank(rng)).encode()
        yield text if number % 2 else broken(rng, text)


def run(made):
    """How often both took a text, both refused it, and only we did, by reason."""
    seen = {"accept": 0, "refuse": 0}
    for text, answer in zip(made, answers(made)):
        wrong, reason = complaint(text, answer)
        check(wrong is None, f"{text!r}: {wrong}")
        name = reason or answer.partition(" ")[0]
        seen[name] = seen.get(name, 0) + 1
    return seen


@case("the texts that are hard are read as Python reads them, or refused by name")
def hard():
    seen = run([text.encode() for text in HARD] + [b"\"\xed\xa0\x80\"", b"\"\xc0\xaf\"", b"\"\xf4\x90\x80\x80\"", b"\xff\xfe1\x00"])
    for name in ("accept", "refuse", "a key twice", "no escape", "no value", "too deep"):
        check(seen.get(name), f"not seen: {name}, {seen}")


@case("what engines wrote is read as Python reads it")
def recorded():
    check(len(DATA) >= 10, f"{len(DATA)} files")
    check_equal(run([path.read_bytes() for path in DATA]), {"accept": len(DATA), "refuse": 0}, "answers")


@case("texts at random are read as Python reads them, or refused by name")
def differential():
    seed = random.SystemRandom().randrange(2**32) if laz.LONG else 1
    print(f"  seed {seed}", flush=True)
    rng = random.Random(seed)
    total = {}
    for _ in range(COUNT // BATCH):
        for name, count in run(list(texts(rng, BATCH))).items():
            total[name] = total.get(name, 0) + count
    print(f"  {total}", flush=True)
    check(total["accept"] >= COUNT // 4 and total["refuse"] >= COUNT // 8, f"half of it is neither: {total}")
    for reason in ("a key twice", "no escape", "no value", "no number"):
        check(total.get(reason, 0) >= 5, f"seen too seldom: {reason}, {total}")


@case("an answer that is wrong would be seen")
def control():
    text = b"{\"a\":[1.0,\"x\"]}"
    right = answers([text])[0]
    check_equal(complaint(text, right), (None, None), "the right answer")
    for wrong in (right.replace("n1.0", "n1"), right.replace(" ]", ""), "refuse byte 1: no key", right.replace("s61", "s62")):
        check(complaint(text, wrong)[0] is not None, f"not seen: {wrong}")
    for bad in (b"{\"a\":1,\"a\":1}", b"[1,]", b"NaN"):
        check(complaint(bad, "accept null")[0] is not None, f"not seen: {bad!r}")


if __name__ == "__main__":
    laz.main()
