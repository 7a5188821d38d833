# SPDX-License-Identifier: Apache-2.0
"""Drives a server of the runtimes suite from outside its container: client.py ROUNDS CERTIFICATE [PATH].

Waits until the server answers, then sends every kind of request, from two connections at once for each of
HTTP and TLS (CERTIFICATE "-": HTTP alone). Is also the name server that the container asks. Prints one JSON
object: how many requests went well, for each path the first reason why one did not, and the answer to a
request for PATH. Judges nothing.
"""
import collections
import http.client
import json
import socket
import ssl
import sys
import threading
import time

PATHS = ["/files", "/threads", "/names", "/timers", "/sockets", "/runtime"]
CONNECTIONS = 2
PATIENCE_S = 30

served, failed, lock = collections.Counter(), {}, threading.Lock()


def connect(context):
    if context is None:
        return http.client.HTTPConnection("127.0.0.1", 8080, timeout=PATIENCE_S)
    return http.client.HTTPSConnection("localhost", 8443, timeout=PATIENCE_S, context=context)


def ask(connection, method, path, body, expected):
    """One request; what went wrong is remembered once for each path."""
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        seen = (answer.status, answer.read())
    except (OSError, http.client.HTTPException) as why:
        connection.close()
        seen = (0, repr(why).encode())
    with lock:
        if seen == (200, expected):
            served[path] += 1
        else:
            failed.setdefault(path, f"{seen[0]} {seen[1][:200].decode(errors='replace')}")


def converse(context, rounds):
    """One connection that lives as long as the conversation."""
    connection = connect(context)
    for turn in range(rounds):
        ask(connection, "GET", "/hello", None, b"hello\n")
        body = bytes(turn % 256 for _ in range(100_000))
        ask(connection, "POST", "/echo", body, body)
        for path in PATHS:
            ask(connection, "GET", path, None, b"ok")
    connection.close()


def wait_for(context):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection = connect(context)
            connection.request("GET", "/hello")
            connection.getresponse().read()
            connection.close()
            return
        except (OSError, http.client.HTTPException):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def serve_names():
    """Answer every question about names with: there is no such name."""
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        while True:
            question, client = server.recvfrom(512)
            server.sendto(question[:2] + b"\x81\x83\0\1\0\0\0\0\0\0" + question[12:], client)


def fetch(path):
    """The body of one answer."""
    connection = connect(None)
    connection.request("GET", path)
    return connection.getresponse().read().decode()


def main():
    rounds, certificate = int(sys.argv[1]), sys.argv[2]
    threading.Thread(target=serve_names, daemon=True).start()
    contexts = [None]
    if certificate != "-":
        contexts.append(ssl.create_default_context(cafile=certificate))
    for context in contexts:
        wait_for(context)
    crowd = [threading.Thread(target=converse, args=(context, rounds))
             for context in contexts for _ in range(CONNECTIONS)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    answer = fetch(sys.argv[3]) if len(sys.argv) > 3 else None
    print(json.dumps({"served": served, "failed": failed, "answer": answer}))


main()
