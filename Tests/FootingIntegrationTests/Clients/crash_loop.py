"""Kills the server under random writes, again and again, and checks what is there each time.

    crash_loop.py PROGRAM DISK SOCKET ROUNDS SEED [lose]

PROGRAM is the released one, or 'nbdkit PLUGIN'.

Two connections write, zero and trim at random, with up to 16 operations in flight. Every sector
carries the number of the operation that wrote it. After a kill a sector must hold what the last
flush covered or something newer, as a whole, and a write of up to 1 MiB of which any sector
survived must be there in all its sectors; longer ones go to the disk as they arrive. With 'lose'
the container is put back to an earlier state before it is served again: the program must then be
found guilty, or this check checks nothing.
"""

import os
import random
import shutil
import struct
import sys
import time

import nbd
import serving

SECTOR = 512
IN_FLIGHT = 16
WHOLE_SECTORS = (1 << 20) // SECTOR
WRITE, ZERO, TRIM = "write", "zero", "trim"


def content(number, first, count):
    """Sectors that say which operation wrote them, and where they belong."""
    return b"".join(struct.pack("<QQ", number, first + i) * 32 for i in range(count))


def numbers(handle):
    """The number in every sector of an export; 0 for zeros."""
    result = []
    step = 2048
    sectors = handle.get_size() // SECTOR
    for start in range(0, sectors, step):
        count = min(step, sectors - start)
        data = bytes(handle.pread(count * SECTOR, start * SECTOR))
        for i in range(count):
            sector = data[i * SECTOR : (i + 1) * SECTOR]
            number, place = struct.unpack_from("<QQ", sector)
            assert sector == sector[:16] * 32, f"sector {start + i} is torn"
            assert not number or place == start + i, f"sector {start + i} holds {place}'s"
            result.append(number)
    return result


def resolve(found, durable, issued, kinds, whole=WHOLE_SECTORS):
    """Compares the numbers in all sectors with the least and the most that each may have.

    A sector of zeros gets the number of the operation that explains it. Writes of so many sectors
    as are 'whole' are there in all of them or in none.
    """
    # Zeros have no number: the newest operation in question that zeroes explains them.
    zeroed = {}
    for number, (kind, first, count) in kinds.items():
        if kind != WRITE:
            for sector in range(first, first + count):
                zeroed[sector] = number
    for sector, number in enumerate(found):
        if number == 0:
            number = found[sector] = zeroed.get(sector, 0)
        least, most = durable[sector], issued[sector]
        assert least <= number <= most, (
            f"sector {sector} holds operation {number} {kinds.get(number)}, flushed was "
            f"{least} {kinds.get(least)}, the last was {most} {kinds.get(most)}"
        )
    for number in set(found):
        kind, first, count = kinds[number]
        if kind == WRITE and count <= whole:
            old = [s for s in range(first, first + count) if found[s] < number]
            assert not old, (
                f"of operation {number}, sectors {first} to {first + count - 1}, {len(old)} "
                f"are older: from {old[0]} to {old[-1]}"
            )


class Loop:
    def __init__(self, server, disk, seed):
        self.server = server
        self.disk = disk
        self.random = random.Random(seed)
        self.number = 0
        self.kinds = {0: (ZERO, 0, 0)}
        self.whole = WHOLE_SECTORS
        self.flushes = 0
        self.forced = 0
        self.survivors = 0

    def connect(self):
        self.handles = []
        for _ in range(2):
            handle = nbd.NBD()
            handle.connect_uri(self.server.uri)
            self.handles.append(handle)

    # The state of a sector is the number of an operation: the last one issued, the last one
    # acknowledged, and the last one that must survive.

    def prepare(self):
        self.sectors = self.handles[0].get_size() // SECTOR
        self.issued = [0] * self.sectors
        self.durable = [0] * self.sectors
        self.acknowledged = [0] * self.sectors

    def pick(self, busy):
        """An operation that overlaps none in flight: the order of two that do is nobody's."""
        while True:
            kind = self.random.choices([WRITE, ZERO, TRIM], [8, 1, 1])[0]
            if kind != WRITE:
                count = 8 * self.random.randint(1, 64)
                first = 8 * self.random.randrange((self.sectors - count) // 8)
            elif self.random.random() < 0.2:
                count = self.random.randint(1, 7)
                first = self.random.randrange(self.sectors - count)
            else:
                count = 8 * (self.random.randint(1, 256) if self.random.random() < 0.1 else 1)
                first = 8 * self.random.randrange((self.sectors - count) // 8)
            if all(first + count <= b[1] or b[1] + b[2] <= first for b in busy.values()):
                return kind, first, count

    def issue(self, busy):
        kind, first, count = self.pick(busy)
        self.number += 1
        number = self.number
        self.kinds[number] = (kind, first, count)
        busy[number] = (kind, first, count)
        self.issued[first : first + count] = [number] * count
        isForced = self.random.random() < 0.03
        flags = nbd.CMD_FLAG_FUA if isForced else 0
        handle = self.random.choice(self.handles)

        def completed(error):
            if not error:
                del busy[number]
                self.acknowledged[first : first + count] = [number] * count
                if isForced:
                    self.durable[first : first + count] = [number] * count
                    self.forced += 1
            return 1

        if kind == WRITE:
            data = nbd.Buffer.from_bytearray(bytearray(content(number, first, count)))
            handle.aio_pwrite(data, first * SECTOR, completion=completed, flags=flags)
        elif kind == ZERO:
            handle.aio_zero(count * SECTOR, first * SECTOR, completion=completed, flags=flags)
        else:
            handle.aio_trim(count * SECTOR, first * SECTOR, completion=completed, flags=flags)

    def flush(self):
        """Covers what either connection was told is done."""
        covered = list(self.acknowledged)

        def completed(error):
            if not error:
                # A forced write may have made something newer durable meanwhile.
                self.durable = list(map(max, self.durable, covered))
                self.flushes += 1
            return 1

        self.random.choice(self.handles).aio_flush(completion=completed)

    def load(self, seconds):
        """Writes until it is time to kill; the server is killed with operations in flight."""
        busy = {}
        end = time.monotonic() + seconds
        countdown = 0
        while time.monotonic() < end:
            while len(busy) < IN_FLIGHT:
                self.issue(busy)
                countdown -= 1
                if countdown < 0:
                    self.flush()
                    countdown = self.random.choice([1, 8, 8, 64])
            for handle in self.handles:
                handle.poll(0)
        self.server.kill()
        # What the server had answered before it died counts.
        for handle in self.handles:
            try:
                while handle.aio_is_ready() or handle.aio_is_processing():
                    if handle.poll(0) == 0:
                        break
            except nbd.Error:
                pass

    def found(self):
        """The number in every sector; 0 for zeros."""
        return numbers(self.handles[0])

    def judge(self):
        found = self.found()
        resolve(found, self.durable, self.issued, self.kinds, self.whole)
        self.survivors += sum(a > b for a, b in zip(found, self.durable))
        # What was read once stays, whatever comes.
        self.durable = found
        self.issued = list(found)
        self.acknowledged = list(found)
        kept = set(found)
        self.kinds = {n: k for n, k in self.kinds.items() if n in kept or n == 0}

    def start(self):
        while self.random.random() < 0.3:
            # Killed before it is ready, perhaps in the middle of its recovery.
            self.server.start(waits=False)
            time.sleep(self.random.random() * 0.02)
            self.server.kill()
        self.server.start()
        self.connect()

    def run(self, rounds, loses):
        self.start()
        self.prepare()
        for number in range(rounds):
            seconds = 0.05 + 0.6 * self.random.random()
            if loses and number == rounds - 1:
                copy = self.disk + ".copy"
                self.load(0.3)
                shutil.copyfile(self.disk, copy)
                self.start()
                self.judge()
                self.load(0.5)
                os.replace(copy, self.disk)
            else:
                self.load(seconds)
            self.start()
            self.judge()
        assert self.flushes > 0, "nothing was flushed"
        print(f"{rounds} kills, {self.number} operations, {self.flushes} flushes, "
              f"{self.survivors} unflushed sectors survived")


def main():
    program, disk, socket, rounds, seed = sys.argv[1:6]
    server = serving.server(program, disk, socket)
    try:
        Loop(server, disk, int(seed)).run(int(rounds), "lose" in sys.argv[6:])
    finally:
        server.kill()


if __name__ == "__main__":
    main()
