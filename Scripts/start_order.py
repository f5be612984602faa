"""The symbols of a program that its runs touch, code and data: start-order.txt's lines.

Usage: start_order.py PROGRAM TRACE... -- ARGUMENT...

A trace is one of `valgrind --tool=lackey --trace-mem=yes`; of all but the first only code counts.
valgrind's processor is another one than this machine's: it tells of no hypervisor, and the C library
chooses other variants of its functions for it. So the program is run with the arguments besides,
instruction by instruction.
"""

import bisect
import ctypes
import os
import platform
import re
import subprocess
import sys

# linux/ptrace.h, and where user_regs_struct of x86-64 has the address of the next instruction.
TRACEME, PEEKUSER, SINGLESTEP, ADDRESS = 0, 3, 9, 128


class Symbols:
    """Names by address; several functions that are equal share theirs."""

    def __init__(self, program):
        self.names, self.ends = {}, {}
        words = ["nm", "--print-size", "--defined-only", program]
        text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        for match in re.finditer(r"^(\w{16}) (\w{16}) . ([A-Za-z_$.]\S*)$", text, re.M):
            start, size = int(match[1], 16), int(match[2], 16)
            self.names.setdefault(start, []).append(match[3])
            self.ends[start] = max(self.ends.get(start, 0), start + size)
        self.starts = sorted(self.names)

    def at(self, address):
        index = bisect.bisect_right(self.starts, address) - 1
        start = self.starts[max(index, 0)]
        names = self.names[start] if start <= address < self.ends[start] else []
        # A constant that has hundreds of names is in a section of its own kind, which has no order.
        return names if len(names) <= 100 else []


def touched(trace, kinds):
    """Of lines as `I  006057f0,2` and ` S 1fff000648,8`: an instruction, a store."""
    with open(trace) as lines:
        matches = (re.match(rf"{kinds} +([0-9a-f]+),\d+$", line) for line in lines)
        return {int(match[1], 16) for match in matches if match}


def executed(words):
    """The addresses of all instructions of a run."""
    if platform.machine() != "x86_64":
        return set()
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.restype = ctypes.c_long
    ptrace.argtypes = [ctypes.c_long] * 4
    child = os.fork()
    if child == 0:
        os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
        ptrace(TRACEME, 0, 0, 0)
        os.execv(words[0], words)
    addresses = set()
    while os.WIFSTOPPED(os.waitpid(child, 0)[1]):
        addresses.add(ptrace(PEEKUSER, child, ADDRESS, 0))
        ptrace(SINGLESTEP, child, 0, 0)
    return addresses


def main(program, *words):
    end = words.index("--")
    addresses = executed([program, *words[end + 1 :]])
    addresses |= touched(words[0], "(?:I | [LSM])")
    for trace in words[1:end]:
        addresses |= touched(trace, "I ")
    symbols = Symbols(program)
    print("\n".join(sorted({name for address in addresses for name in symbols.at(address)})))


main(*sys.argv[1:])
