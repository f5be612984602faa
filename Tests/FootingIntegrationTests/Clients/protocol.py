"""Every command of the protocol through libnbd, each with its flags: protocol.py URI"""

import errno
import os
import sys

import nbd

URI = sys.argv[1]
MIB = 1 << 20


def connect():
    handle = nbd.NBD()
    handle.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
    # What the library would refuse by itself is the server's to refuse here.
    handle.set_strict_mode(0)
    handle.connect_uri(URI)
    return handle


def refused(operation, *numbers):
    """The error number that the server answers with, which must be one of these."""
    try:
        operation()
    except nbd.Error as error:
        assert error.errnum in numbers, error
        return
    raise AssertionError("not refused")


def runs(handle, count, offset, flags=0):
    """Lengths and states that block status gives."""
    found = []

    def extent(context, start, entries, error):
        found.extend(zip(entries[0::2], entries[1::2]))

    handle.block_status(count, offset, extent, flags=flags)
    return found


def write_and_read(h):
    for offset, count in [(0, 512), (512, 512), (4096 - 512, 1024), (10 * MIB, 4096),
                          (3 * MIB + 512, MIB + 1024), (16 * MIB, 32 * MIB)]:
        data = os.urandom(count)
        h.pwrite(data, offset)
        assert h.pread(count, offset) == data, (offset, count)
        for flags in (0, nbd.CMD_FLAG_FUA):
            data = os.urandom(count)
            h.pwrite(data, offset, flags=flags)
            assert h.pread(count, offset) == data, (offset, count, flags)
    whole = h.pread(32 * MIB, 16 * MIB)
    chunks = bytearray(32 * MIB)

    def chunk(part, offset, status, error):
        chunks[offset - 16 * MIB : offset - 16 * MIB + len(part)] = part

    h.pread_structured(32 * MIB, 16 * MIB, chunk)
    assert bytes(chunks) == whole
    h.flush()


def zero_and_trim(h):
    h.pwrite(b"\xaa" * MIB, 0)
    h.zero(4096, 4096)
    assert h.pread(12288, 0) == b"\xaa" * 4096 + bytes(4096) + b"\xaa" * 4096
    # Less than a block becomes zeros as well.
    h.zero(512, 512, flags=nbd.CMD_FLAG_FUA)
    assert h.pread(2048, 0) == b"\xaa" * 512 + bytes(512) + b"\xaa" * 1024
    h.zero(8192, 32768, flags=nbd.CMD_FLAG_NO_HOLE)
    assert h.pread(8192, 32768) == bytes(8192)
    assert runs(h, 8192, 32768) == [(8192, 0)], "NO_HOLE must leave data"
    h.zero(65536, 65536, flags=nbd.CMD_FLAG_FAST_ZERO)
    assert h.pread(65536, 65536) == bytes(65536)
    both = nbd.CMD_FLAG_FAST_ZERO | nbd.CMD_FLAG_NO_HOLE
    h.pwrite(b"\xbb" * 4096, 131072)
    refused(lambda: h.zero(4096, 131072, flags=both), errno.ENOTSUP)
    assert h.pread(4096, 131072) == b"\xbb" * 4096, "a refused zero has changed data"
    h.trim(4096, 131072, flags=nbd.CMD_FLAG_FUA)
    assert h.pread(4096, 131072) == bytes(4096)


def block_status(h):
    h.trim(MIB, 4 * MIB)
    h.pwrite(b"x" * 8192, 4 * MIB + 65536)
    hole = nbd.STATE_HOLE | nbd.STATE_ZERO
    assert runs(h, MIB, 4 * MIB) == [(65536, hole), (8192, 0), (MIB - 65536 - 8192, hole)]
    one = runs(h, MIB, 4 * MIB, nbd.CMD_FLAG_REQ_ONE)
    assert one == [(65536, hole)], one
    h.cache(MIB, 4 * MIB)


def connections(h):
    """What one connection was told is done, another one reads and makes durable."""
    assert h.can_multi_conn()
    others = [connect() for _ in range(8)]
    for number, other in enumerate(others):
        other.pwrite(bytes([number + 1]) * 4096, 5 * MIB + number * 4096)
    for number in range(8):
        assert others[7 - number].pread(4096, 5 * MIB + number * 4096) == bytes([number + 1]) * 4096
    others[0].flush()
    for other in others:
        other.shutdown()


def refusals(h):
    size = h.get_size()
    refused(lambda: h.pread(512, size), errno.EINVAL)
    refused(lambda: h.pread(1024, size - 512), errno.EINVAL)
    refused(lambda: h.pwrite(b"x" * 512, size), errno.ENOSPC)
    refused(lambda: h.trim(512, size), errno.EINVAL, errno.ENOSPC)
    refused(lambda: h.pwrite(b"x" * 100, 0), errno.EINVAL)
    refused(lambda: h.pread(512, 100), errno.EINVAL)
    # And still there.
    h.pread(512, 0)


def main():
    handle = connect()
    for test in (write_and_read, zero_and_trim, block_status, connections, refusals):
        test(handle)
        print(test.__name__)
    handle.shutdown()


main()
