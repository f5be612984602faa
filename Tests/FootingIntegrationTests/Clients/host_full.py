"""Writes until the file system under the disk is full, and on when there is room again.

    host_full.py PROGRAM DISK SOCKET BALLAST

The server must say ENOSPC, live on and read; what was flushed must be there; once BALLAST is gone,
writes must succeed.
"""

import errno
import os
import sys
import time

import nbd
from serving import Server

BLOCK = 64 << 10


def content(number):
    return number.to_bytes(8, "big") * (BLOCK // 8)


def check(handle, count, what):
    for number in range(count):
        data = handle.pread(BLOCK, number * BLOCK)
        assert data == content(number + 1), f"{what}: block {number} of {count} is lost"


def until_full(handle):
    """Blocks that were flushed before the first error, which must be ENOSPC."""
    flushed = 0
    try:
        for number in range(handle.get_size() // BLOCK):
            handle.pwrite(content(number + 1), number * BLOCK)
            if number % 8 == 7:
                handle.flush()
                flushed = number + 1
    except nbd.Error as error:
        assert error.errnum == errno.ENOSPC, error
        return flushed
    raise AssertionError("the file system was never full")


def main():
    program, disk, socket, ballast = sys.argv[1:5]
    server = Server(program, disk, socket)
    try:
        server.start()
        handle = nbd.NBD()
        handle.connect_uri(server.uri)
        flushed = until_full(handle)
        assert flushed > 0, "full before anything was flushed"
        check(handle, flushed, "while full")
        assert server.process.poll() is None, "the server has ended"

        os.unlink(ballast)
        end = time.monotonic() + 10
        while True:
            try:
                handle.pwrite(content(flushed + 1), flushed * BLOCK)
                handle.flush()
                break
            except nbd.Error as error:
                assert error.errnum == errno.ENOSPC, error
                assert time.monotonic() < end, "there is room, but writes fail"
                time.sleep(0.05)
        check(handle, flushed + 1, "with room again")
        server.kill()

        server.start()
        handle = nbd.NBD()
        handle.connect_uri(server.uri)
        check(handle, flushed + 1, "after a kill")
        handle.shutdown()
        assert server.terminate() == 0
        print(f"full after {flushed} blocks")
    finally:
        server.kill()


main()
