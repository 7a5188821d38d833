# SPDX-License-Identifier: Apache-2.0
"""A second reader of spools, written from docs/reference/spool-format.md alone.

It reads what `lazaret spool read` reads, and names what that names. It must never be written, or mended, from the
product's source: where the two disagree, the page decides, and where the page does not, the page is what is wrong.
Only AES-256-GCM is libcrypto's, and RSA is the openssl command's.
"""
import base64
import ctypes
import ctypes.util
import hashlib
import hmac
import os
import re
import stat
import subprocess

SEGMENT_MAX = 16 << 20
TEXT_MAX = 4194434
BLOCK_HEAD, TAG = 72, 16
SPKI_X25519 = bytes.fromhex("302a300506032b656e032100")

# ---- AES-256-GCM ----

crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
for name, result in (("EVP_CIPHER_CTX_new", ctypes.c_void_p), ("EVP_aes_256_gcm", ctypes.c_void_p)):
    getattr(crypto, name).restype = result
SET_TAG = 0x11


def gcm_open(key, nonce, beside, text, tag):
    """What was encrypted, or None if the tag does not hold."""
    context = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
    out, n = ctypes.create_string_buffer(len(text) + TAG), ctypes.c_int(0)
    try:
        crypto.EVP_DecryptInit_ex(context, ctypes.c_void_p(crypto.EVP_aes_256_gcm()), None, key, nonce)
        crypto.EVP_DecryptUpdate(context, None, ctypes.byref(n), beside, len(beside))
        if text:
            crypto.EVP_DecryptUpdate(context, out, ctypes.byref(n), text, len(text))
        crypto.EVP_CIPHER_CTX_ctrl(context, SET_TAG, TAG, ctypes.create_string_buffer(tag, TAG))
        holds = crypto.EVP_DecryptFinal_ex(context, ctypes.create_string_buffer(TAG), ctypes.byref(n)) == 1
        return out.raw[:len(text)] if holds else None
    finally:
        crypto.EVP_CIPHER_CTX_free(context)


# ---- Keys ----

P = 2 ** 255 - 19


def x25519(scalar, u):
    """RFC 7748, section 5."""
    k = (int.from_bytes(scalar, "little") & ~7 & (2 ** 255 - 1)) | 2 ** 254
    x1 = int.from_bytes(u, "little") & (2 ** 255 - 1)
    x2, z2, x3, z3 = 1, 0, x1, 1
    swapped = 0
    for bit in range(254, -1, -1):
        now = k >> bit & 1
        if swapped != now:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swapped = now
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def hkdf(secret, salt, info):
    """RFC 5869 with SHA-256, one block."""
    extracted = hmac.new(salt, secret, "sha256").digest()
    return hmac.new(extracted, info + b"\1", "sha256").digest()


class RecoveryKey:
    def __init__(self, path):
        self.path = path
        der = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"], check=True,
                             capture_output=True).stdout
        self.id = hashlib.sha256(der).digest()[:8]
        self.kind = 1 if der.startswith(SPKI_X25519) else 2
        if self.kind == 1:
            text = re.search(r"-----BEGIN PRIVATE KEY-----(.*?)-----END", path.read_text(), re.DOTALL).group(1)
            self.private = base64.b64decode(text)[-32:]
            self.public = der[len(SPKI_X25519):]

    def unseal(self, seals):
        for kind, key_id, sealed in seals:
            if (kind, key_id) != (self.kind, self.id):
                continue
            if kind == 2:
                done = subprocess.run(
                    ["openssl", "pkeyutl", "-decrypt", "-inkey", self.path, "-pkeyopt", "rsa_padding_mode:oaep",
                     "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256"], input=sealed,
                    capture_output=True, check=False)
                key = done.stdout if done.returncode == 0 else None
            elif len(sealed) == 80:
                once, text, tag = sealed[:32], sealed[32:64], sealed[64:]
                wraps = hkdf(x25519(self.private, once), once + self.public, b"lazaret-spool-1 x25519")
                key = gcm_open(wraps, bytes(12), b"", text, tag)
            else:
                key = None
            if key is not None and len(key) == 32:
                return key
        return None


# ---- Segments ----


def number(data, at, size):
    return int.from_bytes(data[at:at + size], "big")


class Head:
    """The head of a segment; ValueError if it is none."""

    def __init__(self, data, name_number):
        if len(data) < 160 or data[:4] != b"LZSP" or number(data, 4, 2) != 1 or number(data, 6, 2) != 1:
            raise ValueError("no segment of this version")
        self.length = number(data, 8, 4)
        self.segment, self.chain = number(data, 12, 4), data[16:32]
        self.previous_end, count = number(data, 40, 4), number(data, 44, 4)
        self.previous, self.salt = data[48:80], data[80:112]
        if not 160 <= self.length <= len(data) or count > 8:
            raise ValueError("damaged")
        self.digest, self.tag = data[self.length - 48:self.length - 16], data[self.length - 16:self.length]
        if hashlib.sha256(data[:self.length - 48]).digest() != self.digest:
            raise ValueError("damaged")
        self.seals, at = [], 112
        for _ in range(count):
            size = number(data, at + 2, 2)
            self.seals.append((number(data, at, 2), data[at + 4:at + 12], data[at + 12:at + 12 + size]))
            at += 12 + size
        if at != self.length - 48 or self.segment != name_number:
            raise ValueError("damaged")

    def key(self, run_key):
        """Of the segment, or None if the head's tag says that one of the two is wrong."""
        key = hkdf(run_key, self.salt, b"lazaret-spool-1 segment" + self.chain + self.segment.to_bytes(4, "big"))
        nonce = self.segment.to_bytes(4, "big") + bytes(8)
        return key if gcm_open(key, nonce, self.digest, b"", self.tag) is not None else None


def block_at(data, at, head, key):
    """(its end, its records), or None."""
    if at + BLOCK_HEAD + TAG > len(data):
        return None
    block = data[at:at + BLOCK_HEAD]
    length = number(block, 0, 4)
    if not 2 <= length <= TEXT_MAX or at + BLOCK_HEAD + length + TAG > len(data) or \
            number(block, 56, 4) != head.segment or number(block, 60, 8) == 0 or \
            hashlib.sha256(head.digest + block[:68]).digest()[:4] != block[68:]:
        return None
    end = at + BLOCK_HEAD + length
    text = gcm_open(key, block[56:68], head.digest + block + data[at - 16:at], data[at + BLOCK_HEAD:end],
                    data[end:end + TAG])
    if text is None or number(text, 0, 2) > 128:
        return None
    return end + TAG, text[2 + number(text, 0, 2):]


def next_block(data, at, head, key):
    """Where the next block begins behind a damaged one; None if none does."""
    wanted = head.segment.to_bytes(4, "big")
    found = data.find(wanted, at + 1 + 56)
    while found >= 0:
        if block_at(data, found - 56, head, key):
            return found - 56
        found = data.find(wanted, found + 1)
    return None


def unpack(text):
    """(the lines of a block, whether all of it is records)."""
    lines, at, middle = [], 0, b""
    while at < len(text):
        if text[at]:
            end = text.find(b"\n", at) + 1 or len(text)
            lines.append(text[at:end])
            at = end
            continue
        seq, sizes, at = number(text, at, 8), (number(text, at + 8, 4), number(text, at + 12, 4)), at + 16
        if at + sum(sizes) > len(text):
            return b"".join(lines), False
        middle = text[at:at + sizes[0]] or middle
        at += sum(sizes)
        if not middle or len(middle) + sizes[1] > 1 << 20:
            return b"".join(lines), False
        lines.append(b'{"lz":1,"ev":"log","seq":%d%s,"d":{%s}}\n' % (seq, middle, text[at - sizes[1]:at]))
    return b"".join(lines), True


class Reading:
    """All records of a folder, and what is wrong with it: (segment, offset or None)."""

    def __init__(self, folder, key):
        self.records, self.findings = b"", []
        self.before = None  # head, end, and where what is left behind it begins (None: it is zero)
        names = sorted(n for n in os.listdir(folder) if re.fullmatch(r"[0-9]{8}\.lzs", n) and int(n[:8]) > 0)
        for name in names:
            self.read(folder / name, int(name[:8]), key)
        self.settle(None)

    def read(self, path, name_number, key):
        data = b""
        status = path.lstat()
        regular = stat.S_ISREG(status.st_mode) and status.st_size <= SEGMENT_MAX
        try:
            data = path.read_bytes() if regular else b""
            head = Head(data, name_number)
        except ValueError:
            self.settle(None)
            self.before = None
            self.findings.append((name_number, None))
            return
        self.settle(head)
        self.before = None
        run_key = key.unseal(head.seals)
        segment_key = run_key and head.key(run_key)
        if not segment_key:
            self.findings.append((name_number, None))
            return
        self.blocks(data, head, segment_key)

    def blocks(self, data, head, key):
        at = head.length
        while at < len(data) and data[at:].strip(b"\0"):
            block = block_at(data, at, head, key)
            if block:
                lines, whole = unpack(block[1])
                self.records += lines
                self.findings += [] if whole else [(head.segment, at)]
                at = block[0]
                continue
            behind = next_block(data, at, head, key)
            if behind is None:
                self.before = (head, at, at)
                return
            self.findings.append((head.segment, at))
            at = behind
        self.before = (head, at, None)

    def settle(self, following):
        """The end of the segment before, now that its successor is known."""
        if self.before is None:
            return
        head, end, left = self.before
        same_run = following is not None and following.chain == head.chain
        follows = same_run and following.segment == head.segment + 1
        if same_run and not follows:
            self.findings.append((head.segment + 1, None))
        if follows and following.previous != head.digest:
            self.findings.append((head.segment, None))
        elif follows and end < following.previous_end:
            self.findings.append((head.segment, end))
        elif not follows and left is not None:
            self.findings.append((head.segment, left))
