# SPDX-License-Identifier: Apache-2.0
"""Two names that are exchanged, again and again, while somebody else looks."""
import ctypes
import threading

from laz import check

AT_FDCWD, RENAME_EXCHANGE = -100, 2


class Swaps:
    """A thread that does it, from here to the end of the block. n: how often."""

    def __init__(self, first, second):
        self.names = [str(name).encode() for name in (first, second)]
        self.n, self.is_over = 0, False
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.thread = threading.Thread(target=self.work)

    def work(self):
        while not self.is_over:
            self.n += self.libc.renameat2(AT_FDCWD, self.names[0], AT_FDCWD, self.names[1], RENAME_EXCHANGE) == 0

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()
        check(self.n > 0, f"{self.names} were never exchanged")
