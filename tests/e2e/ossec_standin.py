# SPDX-License-Identifier: Apache-2.0
"""A stand-in for an OSSEC manager: its agent protocol over UDP and its enrolment over TLS, written from the protocol's
description. Not OSSEC: ossec_real.py asks that. Strict where the real one is: the sum, the padding, the form of the
counters, that they rise, who somebody is. It keeps what it took in `messages` and why it refused in `refused`."""
import ctypes
import ctypes.util
import hashlib
import os
import re
import socket
import ssl
import threading
import time
import zlib

crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
for _name in ("EVP_CIPHER_CTX_new", "EVP_aes_256_cbc"):
    getattr(crypto, _name).restype = ctypes.c_void_p

MAX = 6144
INNER = re.compile(rb"^(\d{5})(\d{10}):(\d{4}):(.*)$", re.DOTALL)
REQUEST = re.compile(rb"^(?:OSSEC PASS: (\S+) )?OSSEC A:'([A-Za-z0-9._-]{2,128})'\n$")


def aes(key, iv, text, encrypt):
    """AES-256-CBC with PKCS#7; None if the padding is wrong."""
    context, n, last = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new()), ctypes.c_int(), ctypes.c_int()
    out = ctypes.create_string_buffer(len(text) + 32)
    crypto.EVP_CipherInit_ex(context, ctypes.c_void_p(crypto.EVP_aes_256_cbc()), None, key, iv, int(encrypt))
    crypto.EVP_CipherUpdate(context, out, ctypes.byref(n), text, len(text))
    done = crypto.EVP_CipherFinal_ex(context, ctypes.byref(out, n.value), ctypes.byref(last))
    crypto.EVP_CIPHER_CTX_free(context)
    return out.raw[:n.value + last.value] if done == 1 else None


def seal(key, payload, counter, number=0, padding=None, spoil=lambda inner: inner):
    """A datagram as either side makes it, without an id."""
    inner = b"%05d%010d:%04d:%s" % (number, *counter, payload)
    packed = zlib.compress(hashlib.md5(spoil(inner)).hexdigest().encode() + inner, 9)
    packed = b"!" * (padding or 8 - len(packed) % 8) + packed
    iv = os.urandom(16)
    return b"#AES:" + iv + aes(key, iv, packed, True)


class Refused(Exception):
    """What the real one writes to its log and then forgets."""


def unseal(key, datagram):
    """(random, (global, local), payload); Refused with the reason."""
    if not datagram.startswith(b"#AES:"):
        raise Refused("not AES")
    packed = aes(key, datagram[5:21], datagram[21:], False)
    if packed is None or not packed.startswith(b"!"):
        raise Refused("wrong key")
    body = packed.lstrip(b"!")
    if len(packed) % 8 or not 1 <= len(packed) - len(body) <= 8:
        raise Refused("padding")
    try:
        plain = zlib.decompress(body)
    except zlib.error as error:
        raise Refused(f"zlib: {error}") from error
    inner = plain[32:]
    if len(plain) > MAX or hashlib.md5(inner).hexdigest().encode() != plain[:32]:
        raise Refused("checksum")
    found = INNER.match(inner)
    if not found:
        raise Refused("format")
    number, outer, local, payload = found.groups()
    if int(number) > 65535 or int(local) > 9997:
        raise Refused("numbers")
    return int(number), (int(outer), int(local)), payload


class Manager:
    """One manager on a free port of loopback. `agents` maps ids to the keys' texts."""

    def __init__(self, agents=None, push=None, port=0):
        self.agents = {} if agents is None else agents
        self.push = push  # the text of merged.mg that agents should have
        self.messages, self.times, self.refused, self.controls, self.counters, self.names = [], [], [], [], {}, {}
        self.answer = True      # does it acknowledge
        self.after_ack = []     # payloads that follow each acknowledgement
        self.pushed = 0
        self.sender = [100, 0]
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.peer = None
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self.socket.close()

    def key(self, agent):
        return hashlib.md5(self.agents[agent].encode()).hexdigest().encode()

    def line(self, agent, name="task", address="any"):
        """Of client.keys."""
        return f"{agent} {name} {address} {self.agents[agent]}\n"

    def _serve(self):
        while True:
            try:
                datagram, peer = self.socket.recvfrom(65536)
            except OSError:
                return
            try:
                self._take(datagram, peer)
            except Refused as refused:
                self.refused.append(str(refused))

    def _take(self, datagram, peer):
        found = re.match(rb"^!(\d+)!", datagram)
        if not found or found.group(1).decode() not in self.agents:
            raise Refused("who")
        agent = found.group(1).decode()
        _, counter, payload = unseal(self.key(agent), datagram[found.end():])
        if counter <= self.counters.get(agent, (0, 0)):
            raise Refused(f"duplicate: {counter} after {self.counters[agent]}")
        self.counters[agent] = counter
        self.peer = peer
        if payload.startswith(b"#!-"):
            self._control(agent, payload[3:], peer)
            return
        if not re.match(rb"^[1-9]:[^:]+:", payload):
            raise Refused(f"queue: {payload[:20]!r}")
        self.times.append(time.monotonic())
        self.messages.append(payload)

    def send(self, agent, payload, peer=None):
        self.sender[1] += 1
        self.socket.sendto(seal(self.key(agent), payload, tuple(self.sender)), peer or self.peer)

    def _control(self, agent, text, peer):
        self.controls.append(text)
        if not self.answer:
            return
        self.send(agent, b"#!-agent ack ", peer)
        for payload in self.after_ack:
            self.send(agent, payload, peer)
        if text.startswith(b"agent ") or self.push is None:
            return
        wanted = hashlib.md5(self.push).hexdigest().encode()
        lines = text.split(b"\n")
        if len(lines) < 2 or lines[1] != wanted + b" merged.mg":
            self.pushed += 1
            self.send(agent, b"#!-up file " + wanted + b" merged.mg\n", peer)
            for at in range(0, len(self.push), 900):
                self.send(agent, self.push[at:at + 900], peer)
            self.send(agent, b"#!-close file ", peer)


class Authd:
    """Who enrols agents of a manager, over TLS."""

    def __init__(self, manager, certificate, key, password=None, answer=None):
        self.manager, self.password, self.answer = manager, password, answer
        self.requests, self.next = [], 1024
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(connection, server_side=True) as session:
                    self._serve(session)
            except OSError:
                continue

    def _serve(self, session):
        request = b""
        while not request.endswith(b"\n"):
            more = session.recv(4096)
            if not more:
                return
            request += more
        self.requests.append(request)
        found = REQUEST.match(request)
        if self.answer is not None:
            session.sendall(self.answer)
        elif not found:
            session.sendall(b"ERROR: Invalid request for new agent.\n\n")
        elif self.password is not None and (found.group(1) or b"").decode() != self.password:
            session.sendall(b"ERROR: Invalid password. Unable to add agent.\n\n")
        elif found.group(2) in self.manager.names:
            session.sendall(b"ERROR: Invalid agent name: " + found.group(2) + b". Unable to add agent.\n\n")
        else:
            agent, self.next = str(self.next), self.next + 1
            self.manager.names[found.group(2)] = agent
            self.manager.agents[agent] = os.urandom(32).hex()
            session.sendall(f"OSSEC K:'{agent} {found.group(2).decode()} any {self.manager.agents[agent]}'\n\n".encode())
        try:
            session.unwrap()
        except OSError:
            pass
