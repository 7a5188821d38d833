# SPDX-License-Identifier: Apache-2.0
"""A TLS client that changes its keys without end, by libssl itself: Python's ssl has no word for it."""
import ctypes
import fcntl
import socket
import struct
import termios

from laz import check

WANT_WRITE = 3
MOST = 50_000  # more than any of the two kernels holds at once


def _libssl():
    library = ctypes.CDLL("libssl.so.3")
    for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
        getattr(library, name).restype = ctypes.c_void_p
    return library


class KeyUpdates:
    """An open connection with TLS 1.3 to this port of ours; whom it reaches it does not ask."""

    def __init__(self, port):
        self.library = _libssl()
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.setblocking(True)
        context = ctypes.c_void_p(self.library.SSL_CTX_new(ctypes.c_void_p(self.library.TLS_client_method())))
        self.session = ctypes.c_void_p(self.library.SSL_new(context))
        check(self.library.SSL_set_fd(self.session, self.socket.fileno()) == 1, "SSL_set_fd")
        check(self.library.SSL_connect(self.session) == 1, "a handshake")

    def exchange(self, data):
        """What comes back of it."""
        check(self.library.SSL_write(self.session, data, len(data)) == len(data), "SSL_write")
        found = ctypes.create_string_buffer(len(data))
        check(self.library.SSL_read(self.session, found, len(data)) == len(data), "SSL_read")
        return found.raw

    def fill(self):
        """As many as the kernels take, up to MOST. How many."""
        self.socket.setblocking(False)
        n = 0
        while n < MOST and self.library.SSL_key_update(self.session, 0) == 1:
            result = self.library.SSL_do_handshake(self.session)
            if result != 1:
                check(self.library.SSL_get_error(self.session, result) == WANT_WRITE, "it was broken off")
                return n
            n += 1
        return n

    def left(self):
        """Bytes that the other side's kernel has not taken yet."""
        return struct.unpack("i", fcntl.ioctl(self.socket, termios.TIOCOUTQ, b"\0" * 4))[0]
