"""Writes a pattern to a disk and flushes it, or looks whether it is there.

    write_pattern.py URI write|verify
"""

import sys

import nbd

BLOCK_BYTES = 4096
BLOCKS = 256

handle = nbd.NBD()
handle.connect_uri(sys.argv[1])
for block in range(BLOCKS):
    wanted = block.to_bytes(8, "little") * (BLOCK_BYTES // 8)
    offset = block * 7 * BLOCK_BYTES
    if sys.argv[2] == "write":
        handle.pwrite(wanted, offset)
    else:
        assert handle.pread(BLOCK_BYTES, offset) == wanted, f"block {block} has other bytes"
handle.flush()
