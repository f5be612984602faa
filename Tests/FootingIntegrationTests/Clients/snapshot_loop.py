"""Makes snapshots of a disk under writes, kills the server, and checks what each of them holds.

    snapshot_loop.py PROGRAM DISK SOCKET ROUNDS SEED

One client numbers its writes, one block each: so the disk after the first n of them is known, and
every snapshot must be the disk after some n. n lies between what was acknowledged before the
snapshot was asked for and what had been sent when it was confirmed. A snapshot that was confirmed
must be there after the kill; one that was not is there as a whole or not at all.
"""

import json
import random
import struct
import subprocess
import sys
import threading
import time

import nbd
from serving import Server

BLOCK = 4096


class Loop:
    def __init__(self, server, program, disk, seed):
        self.server = server
        self.program = program
        self.disk = disk
        self.random = random.Random(seed)
        self.sent = 0
        self.done = 0
        self.flushed = 0
        # By name: least and most n, and whether it was confirmed.
        self.snapshots = {}
        self.made = 0
        self.rollbacks = 0
        self.slowest = 0

    def footing(self, *words):
        result = subprocess.run(
            [self.program, "disk", "snapshot", *words, "--json"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )
        return json.loads(result.stdout) if result.returncode == 0 else None

    def connect(self, name):
        handle = nbd.NBD()
        uri = self.server.uri.replace(":///", ":///" + name)
        handle.connect_uri(uri)
        self.blocks = handle.get_size() // BLOCK
        return handle

    def place(self, number):
        return number * 7 % self.blocks

    def write(self, seconds, stop):
        """Writes until it is time to kill, which is told before: whoever makes a snapshot from then
        on may find no server, and recover the disk instead of it."""
        handle = self.connect("")
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.sent += 1
                number = self.sent
                handle.pwrite(struct.pack("<Q", number) * 512, self.place(number) * BLOCK)
                self.done = number
                if self.random.random() < 0.02:
                    handle.flush()
                    self.flushed = number
            stop.set()
            self.server.kill()
        except nbd.Error:
            assert self.server.process is None or self.server.process.poll() is not None

    def make(self, stop):
        """Makes snapshots meanwhile."""
        while not stop.is_set():
            self.made += 1
            name = f"s{self.made}"
            self.snapshots[name] = [self.done, None, False]
            answer = self.footing("create", self.disk, name)
            if stop.is_set():
                # The server may have been gone, and the disk opened and recovered instead of it;
                # or it made the snapshot, and what came later was flushed.
                self.snapshots[name][0] = min(self.snapshots[name][0], self.flushed)
                return
            self.snapshots[name][1] = self.sent
            if answer:
                self.snapshots[name][2] = True
                self.slowest = max(self.slowest, answer["nanoseconds"])
                time.sleep(0.02)
            # Few, or they would fill the container.
            while len(self.snapshots) > 5 and not stop.is_set():
                old = self.random.choice(list(self.snapshots)[:-1])
                self.snapshots[old][2] = False
                if self.footing("delete", self.disk, old):
                    del self.snapshots[old]

    def moment(self, handle):
        """The n after which the disk was as it is now; checks every block."""
        numbers = []
        for start in range(0, self.blocks, 256):
            count = min(256, self.blocks - start)
            data = bytes(handle.pread(count * BLOCK, start * BLOCK))
            for i in range(count):
                block = data[i * BLOCK : (i + 1) * BLOCK]
                assert block == block[:8] * 512, f"block {start + i} is torn"
                numbers.append(struct.unpack_from("<Q", block)[0])
        last = max(numbers)
        expected = [0] * self.blocks
        for number in range(max(1, last - self.blocks + 1), last + 1):
            expected[self.place(number)] = number
        assert numbers == expected, f"after {last} writes this is no state of the disk"
        return last

    def judge(self):
        handle = self.connect("")
        last = self.moment(handle)
        assert self.flushed <= last <= self.sent, f"{last}, flushed {self.flushed} of {self.sent}"
        handle.shutdown()
        self.sent = self.done = self.flushed = last
        there = {s["name"] for s in self.footing("list", self.disk)["snapshots"]}
        for name, (least, most, confirmed) in list(self.snapshots.items()):
            assert name in there or not confirmed, f"{name} was confirmed and is gone"
            if name not in there:
                del self.snapshots[name]
                continue
            handle = self.connect("disk.footing@" + name)
            assert handle.is_read_only()
            n = self.moment(handle)
            handle.shutdown()
            most = n if most is None else most
            assert least <= n <= most, f"{name} is of {n}, not {least} to {most}"
            # What was read once stays.
            self.snapshots[name] = [n, n, True]
        assert there == set(self.snapshots), f"{there} and {set(self.snapshots)}"

    def roll_back(self):
        name = self.random.choice(list(self.snapshots))
        answer = None
        for _ in range(100):
            answer = self.footing("rollback", self.disk, name)
            if answer:
                break
            # The server has not noticed yet that its clients left.
            time.sleep(0.02)
        assert answer, "no rollback"
        self.rollbacks += 1
        self.sent = self.done = self.flushed = self.snapshots[name][0]

    def run(self, rounds):
        self.server.start()
        for _ in range(rounds):
            stop = threading.Event()
            maker = threading.Thread(target=self.make, args=[stop])
            maker.start()
            killer = 0.1 + 0.5 * self.random.random()
            self.write(killer, stop)
            stop.set()
            maker.join()
            self.server.start()
            self.judge()
            if self.snapshots and self.random.random() < 0.4:
                self.roll_back()
                self.judge()
        assert self.made > rounds and self.rollbacks > 0, "too little happened"
        print(f"{rounds} kills, {self.made} snapshots, {self.rollbacks} rollbacks, the slowest "
              f"snapshot took {self.slowest / 1e6:.1f} ms")


def main():
    program, disk, socket, rounds, seed = sys.argv[1:6]
    server = Server(program, disk, socket)
    try:
        Loop(server, program, disk, int(seed)).run(int(rounds))
    finally:
        server.kill()


main()
