"""Records every write of the running program, and recovers from what each crash would have left.

    crash_black_box.py PROGRAM DISK SOCKET OPERATIONS POINTS SEED [forget]

The container DISK is served through QEMU's storage daemon, whose driver blklogwrites
records each write and each flush as they reach the device. The server is under the load of
crash_loop.py, is killed in the middle of it and started again, so that a recovery is in the record
too. Then, for POINTS places of that record, an image is made as a power failure there could have
left it: all that was written until there; only what had been flushed; or that and an arbitrary part
of the rest, torn at 512 bytes. Each is checked by `disk check`, served, read as a whole, and must
hold what had been acknowledged as flushed by then, or something newer.

With 'forget' the images lack what the last flush made durable: that must be found.
"""

import os
import struct
import subprocess
import sys
import time

import nbd
import serving
from crash_loop import IN_FLIGHT, Loop

SECTOR = 512
FLUSH, DISCARD = 1, 4
# The layout is that of dm-log-writes, linux/drivers/md/dm-log-writes.c.
MAGIC, HEADER, ENTRY = 0x6A736677736872, struct.Struct("<QQQI"), struct.Struct("<QQQQ")


class Recorder:
    """The storage daemon, which records what is written to its export, and a file that shows it.

    The file is nbdfuse's: QEMU 7.2's own exports through FUSE mix requests up that overlap.
    """

    def __init__(self, disk):
        self.record, self.folder = disk + ".record", disk + ".shown"
        self.device = os.path.join(self.folder, "device")
        socket = disk + ".sock"
        open(self.record, "w").close()
        os.truncate(self.record, 16 << 30)
        os.mkdir(self.folder)
        self.daemon = subprocess.Popen(
            ["qemu-storage-daemon"]
            + ["--blockdev", f"driver=file,node-name=file,filename={disk},discard=unmap"]
            + ["--blockdev", f"driver=file,node-name=record,filename={self.record}"]
            + ["--blockdev", "driver=blklogwrites,node-name=log,file=file,log=record,"
               f"log-sector-size={SECTOR},log-super-update-interval=1"]
            + ["--nbd-server", f"addr.type=unix,addr.path={socket}"]
            + ["--export", "type=nbd,id=device,node-name=log,name=,writable=on"],
            stdin=subprocess.DEVNULL,
        )
        await_path(socket, self.daemon)
        self.mount = subprocess.Popen(
            ["nbdfuse", self.device, "--unix", socket], stdin=subprocess.DEVNULL
        )
        await_path(self.device, self.mount)
        self.descriptor = os.open(self.record, os.O_RDONLY)

    def count(self):
        """How many entries there are by now."""
        magic, version, count, size = HEADER.unpack(os.pread(self.descriptor, HEADER.size, 0))
        assert (magic, version, size) == (MAGIC, 1, SECTOR), "this is no record of writes"
        return count

    def settle(self):
        """Waits for the writes of a process that was killed.

        A kernel's own file system lets no process go before they have ended; FUSE does, and the
        next server would read what is recorded only later.
        """
        before = -1
        while before != self.count():
            before = self.count()
            time.sleep(0.2)

    def entries(self):
        """Each as its flags, and, where it writes, its place and bytes."""
        position, result = SECTOR, []
        for _ in range(self.count()):
            sector, count, flags, _ = ENTRY.unpack(
                os.pread(self.descriptor, ENTRY.size, position)
            )
            position += SECTOR
            data = b""
            if count and not flags & DISCARD:
                data = os.pread(self.descriptor, count * SECTOR, position)
                position += count * SECTOR
            result.append((flags, sector * SECTOR, data))
        return result

    def end(self):
        subprocess.run(["umount", self.folder], check=True)
        self.mount.wait(timeout=20)
        self.daemon.terminate()
        self.daemon.wait(timeout=20)


def await_path(path, process):
    while not os.path.exists(path):
        assert process.poll() is None, f"{path}: {process.args[0]} ended"
        time.sleep(0.01)


class RecordedLoop(Loop):
    """Remembers what had to be durable when the record was how long."""

    def __init__(self, server, recorder, seed):
        super().__init__(server, None, seed)
        self.recorder = recorder
        self.history = []
        self.everything = {0: self.kinds[0]}

    def start(self):
        self.server.start()
        self.connect()

    def issue(self, busy):
        super().issue(busy)
        self.everything[self.number] = self.kinds[self.number]

    def note(self):
        self.history.append((self.recorder.count(), list(self.durable)))

    def load(self, operations):
        """Writes, flushes now and then, and is killed with operations in flight."""
        busy = {}
        flushes = self.flushes
        last = self.number + operations
        while self.number < last:
            while len(busy) < IN_FLIGHT and self.number < last:
                self.issue(busy)
                if self.random.random() < 0.2:
                    self.flush()
            for handle in self.handles:
                handle.poll(1)
            if self.flushes > flushes:
                flushes = self.flushes
                self.note()
        self.server.kill()
        self.recorder.settle()

    def judge_crash(self, length):
        """Compares what is served now with what a crash after so many entries may lose."""
        self.durable = [0] * self.sectors
        for count, durable in self.history:
            if count <= length:
                self.durable = durable
        self.kinds = self.everything
        self.issued = [self.number] * self.sectors
        self.judge()


class Images:
    """What crashes leave: the flushed part grows with the record, the rest is a matter of luck."""

    def __init__(self, base, path, random, forgets):
        self.base, self.path, self.random, self.forgets = base, path, random, forgets
        self.pending = []
        self.recent = []
        self.file = os.open(base, os.O_RDWR)

    def add(self, flags, offset, data):
        if flags & FLUSH:
            # With 'forget' what a flush covers becomes durable one flush later.
            durable = self.recent if self.forgets else self.pending
            self.recent = self.pending
            for place, bytes_ in durable:
                os.pwrite(self.file, bytes_, place)
            self.pending = []
        if data:
            self.pending.append((offset, data))

    def make(self, kind):
        subprocess.run(
            ["cp", "--sparse=always", "--reflink=auto", self.base, self.path], check=True
        )
        if kind == "flushed":
            return
        file = os.open(self.path, os.O_RDWR)
        writes = list(self.pending)
        if kind == "torn":
            self.random.shuffle(writes)
        for offset, data in writes:
            if kind == "all" or self.random.random() < 0.3:
                os.pwrite(file, data, offset)
            elif self.random.random() < 0.5:
                for start in range(0, len(data), SECTOR):
                    if self.random.random() < 0.5:
                        os.pwrite(file, data[start : start + SECTOR], offset + start)
        os.close(file)


def record(program, disk, socket, operations, seed):
    """Gives the loop, and what its two servers wrote."""
    recorder = Recorder(disk)
    try:
        loop = RecordedLoop(serving.server(program, recorder.device, socket), recorder, seed)
        try:
            loop.start()
            loop.prepare()
            loop.load(operations)
            # After a kill the device has everything; what was in flight may be there or not.
            loop.start()
            loop.judge()
            loop.note()
            loop.load(operations)
        finally:
            loop.server.kill()
        return loop, recorder.entries()
    finally:
        recorder.end()


def main():
    program, disk, socket, operations, points, seed = sys.argv[1:7]
    base, crashed = disk + ".base", disk + ".crashed"
    subprocess.run(["cp", "--sparse=always", disk, base], check=True)
    loop, entries = record(program, disk, socket, int(operations), int(seed))
    images = Images(base, crashed, loop.random, "forget" in sys.argv[7:])
    step = max(1, len(entries) * 3 // int(points))
    judged = 0
    loop.server = serving.server(program, crashed, socket)
    for length, entry in enumerate(entries, 1):
        images.add(*entry)
        if length % step and length != len(entries):
            continue
        for kind in ("all", "flushed", "torn"):
            images.make(kind)
            try:
                check = subprocess.run(
                    [program, "disk", "check", crashed], capture_output=True, text=True
                )
                assert check.returncode == 0, f"disk check: {check.stdout}{check.stderr}"
                loop.start()
                loop.judge_crash(length)
            except AssertionError as error:
                error.args = (f"{kind} after entry {length} of {len(entries)}: {error}",)
                raise
            finally:
                loop.server.kill()
            judged += 1
    flushes = sum(1 for entry in entries if entry[0] & FLUSH)
    print(f"{judged} crashes judged, {len(entries)} entries, {flushes} of them flushes, "
          f"{loop.number} operations")


main()
