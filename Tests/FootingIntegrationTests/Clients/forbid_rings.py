"""Runs a command to which seccomp(2) forbids io_uring_setup(2): forbid_rings.py COMMAND..."""

import ctypes
import os
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, FILTER = 22, 38, 2
IO_URING_SETUP, EPERM = 425, 1
LOAD_NUMBER, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000

program = b"".join(
    struct.pack("HBBI", *line)
    for line in (
        (LOAD_NUMBER, 0, 0, 0),
        (JUMP_EQUAL, 0, 1, IO_URING_SETUP),
        (RETURN, 0, 0, ERROR | EPERM),
        (RETURN, 0, 0, ALLOW),
    )
)
lines = ctypes.create_string_buffer(program)


class Program(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("lines", ctypes.c_void_p)]


libc = ctypes.CDLL(None, use_errno=True)
wanted = Program(len(program) // 8, ctypes.addressof(lines))
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
    PR_SET_SECCOMP, FILTER, ctypes.byref(wanted)
):
    raise SystemExit(f"seccomp: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
