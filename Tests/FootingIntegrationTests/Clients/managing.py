"""Snapshots that come and go and a disk that grows, under load; and what a crash may leave of them.

Used by crash_black_box.py.
"""

import hashlib
import os
import subprocess

import nbd
from crash_loop import SECTOR, numbers, resolve

# A snapshot keeps segments as a whole: many would fill a small disk.
SNAPSHOTS_MOST = 3
GROWTHS_MOST = 4
GROWTH = 1 << 20


class Snapshot:
    """What was promised of one, and how long the record was when it was."""

    def __init__(self, asked, least):
        self.asked, self.made = asked, None
        self.unwanted, self.gone = None, None
        # The number of the operation in each sector lies between these.
        self.least, self.most, self.kinds = least, None, None
        self.found, self.digest = None, None

    def must_be_there(self, length):
        isMade = self.made is not None and self.made <= length
        return isMade and (self.unwanted is None or length <= self.unwanted)

    def may_be_there(self, length):
        return self.asked < length and (self.gone is None or length < self.gone)

    def compare(self, handle, whole):
        """It never changes: in one image it must be right, and in all of them the same."""
        assert handle.is_read_only(), "it can be written"
        digest = hashlib.sha256()
        size, step = handle.get_size(), 1 << 20
        for start in range(0, size, step):
            digest.update(handle.pread(min(step, size - start), start))
        if self.digest is None:
            found = numbers(handle)
            assert len(found) == len(self.least), f"it has {len(found)} sectors"
            self.found = list(found)
            resolve(found, self.least, self.most, self.kinds, whole)
            self.digest = digest.digest()
        assert self.digest == digest.digest(), "it is another than in an image before"


class Manager:
    """Asks for one thing after the other by the command line, while the load goes on."""

    def __init__(self, program, loop):
        self.program, self.loop, self.recorder = program, loop, loop.recorder
        self.snapshots = {}
        # How long the record was when a size was asked for, and when it was there.
        self.sizes = [(-1, 0, loop.sectors * SECTOR)]
        self.process = self.done = None
        self.next = 0
        self.answers = 0
        self.judged = 0

    def step(self):
        """Looks for an answer, or asks for the next thing when it is time."""
        if self.process:
            if self.process.poll() is not None:
                self.end()
        elif self.loop.number >= self.next:
            self.next = self.loop.number + self.loop.random.randint(1, 20)
            self.begin()

    def begin(self):
        asked, random = self.recorder.count(), self.loop.random
        present = [name for name, one in self.snapshots.items() if one.unwanted is None]
        if len(self.sizes) <= GROWTHS_MOST and random.random() < 0.2:
            size = self.sizes[-1][2] + GROWTH
            self.done = lambda: self.grown(asked, size)
            self.ask("resize", "--size", str(size))
        elif len(present) >= SNAPSHOTS_MOST or present and random.random() < 0.3:
            name = random.choice(present)
            self.snapshots[name].unwanted = asked
            self.done = lambda: self.deleted(self.snapshots[name])
            self.ask("snapshot", "delete", name)
        elif random.random() < 0.1:
            self.done = lambda: None
            self.ask("compact")
        else:
            name = f"s{len(self.snapshots) + 1}"
            self.snapshots[name] = Snapshot(asked, list(self.loop.acknowledged))
            self.done = lambda: self.made(self.snapshots[name])
            self.ask("snapshot", "create", name)

    def ask(self, *words):
        """A disk that is served is not asked for its key."""
        count = 2 if words[0] == "snapshot" else 1
        words = [self.program, "disk", *words[:count], self.recorder.device, *words[count:]]
        self.process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self):
        """Waits for the answer to what is asked for, if anything is."""
        if self.process:
            output, _ = self.process.communicate(timeout=30)
            assert self.process.returncode == 0, f"{self.process.args}: {output}"
            self.process = None
            self.answers += 1
            self.done()

    def made(self, snapshot):
        snapshot.made = self.recorder.count()
        snapshot.most = list(self.loop.issued)
        snapshot.kinds = dict(self.loop.everything)

    def deleted(self, snapshot):
        snapshot.gone = self.recorder.count()

    def grown(self, asked, size):
        self.sizes.append((asked, self.recorder.count(), size))
        self.loop.isStale = True

    def judge(self, length):
        """Compares what there is with what a crash after so many entries may leave."""
        sizes = [size for asked, _, size in self.sizes if asked < length]
        least = max(size for _, there, size in self.sizes if there <= length)
        size = self.loop.sectors * SECTOR
        assert size in sizes and size >= least, f"the disk has {size} bytes, not {least}"
        disk = os.path.basename(self.loop.server.disk)
        there = {name.partition("@")[2] for name in self.exports()} - {""}
        for name, snapshot in self.snapshots.items():
            assert name in there or not snapshot.must_be_there(length), f"{name} is gone"
            if name not in there:
                continue
            assert snapshot.may_be_there(length), f"{name} is there"
            handle = nbd.NBD()
            handle.connect_uri(self.loop.server.uri.replace(":///", f":///{disk}@{name}"))
            try:
                snapshot.compare(handle, self.loop.whole)
                # What it holds the disk had, and zeros have no number.
                newer = [s for s, n in enumerate(snapshot.found) if n > self.loop.durable[s]]
                assert not newer, f"the disk is older than it, from sector {newer[0]}"
            except AssertionError as error:
                error.args = (f"snapshot {name}: {error}",)
                raise
            handle.shutdown()
            self.judged += 1
        unknown = there - set(self.snapshots)
        assert not unknown, f"nobody asked for {unknown}"

    def exports(self):
        handle = nbd.NBD()
        handle.set_opt_mode(True)
        handle.connect_uri(self.loop.server.uri)
        names = []
        handle.opt_list(lambda name, _: names.append(name) or 0)
        handle.opt_abort()
        return names

    def summary(self):
        gone = sum(1 for one in self.snapshots.values() if one.gone is not None)
        return (f"{len(self.snapshots)} snapshots made, {gone} deleted, "
                f"{len(self.sizes) - 1} growths")
