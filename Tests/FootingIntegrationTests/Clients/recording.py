"""A device that records what is written to it, and the images that crashes of it would have left.

Used by crash_black_box.py.
"""

import errno
import os
import struct
import subprocess
import time

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


class Images:
    """What crashes leave: the flushed part grows with the record, the rest is a matter of luck."""

    def __init__(self, disk, path, forgets):
        self.base, self.path, self.forgets = path + ".base", path, forgets
        self.pending = []
        self.recent = []
        copy_data(disk, self.base)
        self.file = os.open(self.base, os.O_RDWR)

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

    def make(self, kind, random):
        copy_data(self.base, self.path)
        if kind == "flushed":
            return
        file = os.open(self.path, os.O_RDWR)
        writes = list(self.pending)
        if kind == "torn":
            random.shuffle(writes)
        for offset, data in writes:
            if kind == "all" or random.random() < 0.3:
                os.pwrite(file, data, offset)
            elif random.random() < 0.5:
                for start in range(0, len(data), SECTOR):
                    if random.random() < 0.5:
                        os.pwrite(file, data[start : start + SECTOR], offset + start)
        os.close(file)


def copy_data(source, target):
    """Copies a file, but not its holes; much faster than to start a program for it."""
    with open(source, "rb") as source, open(target, "wb") as target:
        size = os.fstat(source.fileno()).st_size
        target.truncate(size)
        start = 0
        while start < size:
            try:
                start = os.lseek(source.fileno(), start, os.SEEK_DATA)
            except OSError as error:
                assert error.errno == errno.ENXIO, error
                break
            end = os.lseek(source.fileno(), start, os.SEEK_HOLE)
            while start < end:
                target.seek(start)
                start += os.sendfile(target.fileno(), source.fileno(), start, end - start)
