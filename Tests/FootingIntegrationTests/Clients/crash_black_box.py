"""Records every write of the running program, and recovers from what each crash would have left.

    crash_black_box.py PROGRAM DISK SOCKET OPERATIONS POINTS SEED [--key-file FILE] [--manage]
                       [--forget]

The container DISK is served through QEMU's storage daemon, whose driver blklogwrites
records each write and each flush as they reach the device. The server is under the load of
crash_loop.py, is killed in the middle of it and started again, so that a recovery is in the record
too. Then, for POINTS places of that record, or for all of them ('all'), images are made as a power
failure there could have left them: all that was written until there; only what had been flushed; or
that and an arbitrary part of the rest, torn at 512 bytes. Each is checked by `disk check`, served,
read as a whole, and must hold what had been acknowledged as flushed by then, or something newer,
but nothing that was asked for later.

With '--manage' snapshots are made and deleted and the disk grows under the load. DISK must be a
file with room for that behind it: what shows it cannot make it longer. Every image must have the
size and the snapshots that were acknowledged by then, with what the disk held when they were made.

With '--forget' the images lack what the last flush made durable: that must be found.
"""

import argparse
import bisect
import itertools
import json
import multiprocessing
import random
import subprocess
import sys
import time

import serving
from crash_loop import IN_FLIGHT, SECTOR, Loop
from managing import Manager
from recording import FLUSH, Images, Recorder, copy_data

# A server that is there for a moment, hundreds of times, needs not listen to the machine's memory.
BRIEF = ["--memory", "32M", "--fixed-memory"]
JUDGES = 3
# So many commands are answered in each of the two loads, however long that takes.
ANSWERS_LEAST = 12


class RecordedLoop(Loop):
    """Remembers what had to be durable when the record was how long."""

    def __init__(self, server, recorder, seed):
        super().__init__(server, None, seed)
        self.recorder = recorder
        self.manager = None
        self.history = []
        # By number: what it was, and how long the record was before.
        self.everything = {0: self.kinds[0]}
        self.lengths = [-1]
        # The disk has grown, which the connections do not know.
        self.isStale = False

    def start(self):
        self.server.start()
        self.connect()

    def prepare(self):
        super().prepare()
        self.promises = 0

    def adopt(self):
        """Connects anew after the disk has grown; what is new holds zeros."""
        self.connect()
        self.sectors = self.handles[0].get_size() // SECTOR
        for numbers in (self.issued, self.durable, self.acknowledged):
            numbers += [0] * (self.sectors - len(numbers))
        self.isStale = False

    def issue(self, busy):
        self.lengths.append(self.recorder.count())
        super().issue(busy)
        self.everything[self.number] = self.kinds[self.number]

    def note(self):
        if self.flushes + self.forced > self.promises:
            self.promises = self.flushes + self.forced
            self.history.append((self.recorder.count(), list(self.durable)))

    def load(self, operations):
        """Writes, flushes now and then, and is killed with operations in flight."""
        busy = {}
        flushes, most = self.flushes, IN_FLIGHT
        last = self.number + operations
        answers = self.manager.answers + ANSWERS_LEAST if self.manager else 0
        while self.number < last or self.manager and self.manager.answers < answers:
            if self.flushes > flushes:
                # The fewer there are at a time, the fewer of them share one write to the device.
                flushes, most = self.flushes, self.random.choice([1, 2, 4, IN_FLIGHT])
            while len(busy) < most and not self.isStale:
                self.issue(busy)
                if self.random.random() < 0.2:
                    self.flush()
            for handle in self.handles:
                handle.poll(1)
            self.note()
            if self.isStale and not any(handle.aio_in_flight() for handle in self.handles):
                self.adopt()
            elif self.manager and not self.isStale:
                self.manager.step()
        if self.manager:
            self.manager.end()
        self.server.kill()
        self.recorder.settle()

    def judge_recovery(self):
        """After a kill the device has everything; what was in flight may be there or not."""
        self.start()
        self.adopt()
        self.judge()
        self.history.append((self.recorder.count(), list(self.durable)))
        if self.manager:
            self.manager.judge(self.recorder.count() + 1)

    def judge_crash(self, length):
        """Compares what is served now with what a crash after so many entries may lose."""
        self.start()
        self.sectors = self.handles[0].get_size() // SECTOR
        durable = []
        for count, promised in self.history:
            if count <= length:
                durable = promised
        self.durable = durable + [0] * (self.sectors - len(durable))
        # What was asked for with so long a record is in an entry behind it.
        last = bisect.bisect_left(self.lengths, length) - 1
        self.kinds = dict(itertools.islice(self.everything.items(), last + 1))
        self.issued = [last] * self.sectors
        self.judge()
        if self.manager:
            self.manager.judge(length)


def whole_sectors(options):
    """Up to three pages less than a segment are there as a whole."""
    info = subprocess.run(
        [options.program, "disk", "info", options.disk, "--json"], capture_output=True, check=True
    )
    return (json.loads(info.stdout)["segmentBytes"] - 3 * 4096) // SECTOR


def record(options, key):
    """Gives the loop, and what its two servers wrote."""
    recorder = Recorder(options.disk)
    try:
        server = serving.server(options.program, recorder.device, options.socket, *key)
        loop = RecordedLoop(server, recorder, options.seed)
        try:
            loop.whole = min(loop.whole, whole_sectors(options))
            loop.start()
            loop.prepare()
            if options.manage:
                loop.manager = Manager(options.program, loop)
            loop.load(options.operations)
            loop.judge_recovery()
            loop.load(options.operations)
        finally:
            loop.server.kill()
        return loop, recorder.entries()
    finally:
        recorder.end()


def places(entries, points):
    """How many entries an image has, and in which ways it may have been left."""
    step = max(1, len(entries) * 3 // int(points)) if points != "all" else 1
    result = []
    pending = False
    for length, (flags, _, data) in enumerate(entries, 1):
        pending = bool(data) or pending and not flags & FLUSH
        isLast = length == len(entries)
        if length % step and not isLast:
            continue
        kinds = ["all", "torn"] if pending else []
        # What was flushed is the same until the next flush, and most is promised of it there.
        if step > 1 or isLast or entries[length][0] & FLUSH:
            kinds.append("flushed")
        result.append((length, kinds))
    return result


class Judge(multiprocessing.Process):
    """One of several that take turns at the places: much of the time each waits for its device."""

    def __init__(self, options, key, loop, entries, turn):
        super().__init__()
        self.options, self.key, self.loop, self.entries = options, key, loop, entries
        self.turn = turn
        self.count = multiprocessing.Value("i", 0)
        self.snapshots = multiprocessing.Value("i", 0)

    def run(self):
        options, loop = self.options, self.loop
        crashed = f"{options.disk}.crashed{self.turn}"
        images = Images(options.disk + ".begin", crashed, options.forget)
        socket = options.socket + str(self.turn)
        loop.server = serving.server(options.program, crashed, socket, *BRIEF, *self.key)
        added = 0
        for length, kinds in places(self.entries, options.points)[self.turn :: JUDGES]:
            for entry in self.entries[added:length]:
                images.add(*entry)
            added = length
            for kind in kinds:
                # The same image whoever judges it.
                images.make(kind, random.Random(f"{options.seed} {length}"))
                try:
                    self.judge(crashed, length)
                except AssertionError as error:
                    error.args = (f"{kind} after entry {length} of {len(self.entries)}: {error}",)
                    raise
                self.count.value += 1
        if loop.manager:
            self.snapshots.value = loop.manager.judged

    def judge(self, image, length):
        try:
            check = subprocess.run(
                [self.options.program, "disk", "check", image, *self.key],
                capture_output=True, text=True,
            )
            assert check.returncode == 0, f"disk check: {check.stdout}{check.stderr}"
            self.loop.judge_crash(length)
        finally:
            self.loop.server.kill()


def main():
    parser = argparse.ArgumentParser()
    for name in ("program", "disk", "socket"):
        parser.add_argument(name)
    parser.add_argument("operations", type=int)
    parser.add_argument("points")
    parser.add_argument("seed", type=int)
    parser.add_argument("--key-file")
    parser.add_argument("--manage", action="store_true")
    parser.add_argument("--forget", action="store_true")
    options = parser.parse_args()
    key = ["--key-file", options.key_file] if options.key_file else []
    copy_data(options.disk, options.disk + ".begin")
    started = time.monotonic()
    loop, entries = record(options, key)
    recorded = time.monotonic()
    judges = [Judge(options, key, loop, entries, turn) for turn in range(JUDGES)]
    for judge in judges:
        judge.start()
    for judge in judges:
        judge.join()
    flushes = sum(1 for entry in entries if entry[0] & FLUSH)
    print(f"{sum(judge.count.value for judge in judges)} crashes judged, {len(entries)} entries, "
          f"{flushes} of them flushes, {loop.number} operations, recorded in "
          f"{recorded - started:.0f} s, judged in {time.monotonic() - recorded:.0f} s")
    if loop.manager:
        compared = sum(judge.snapshots.value for judge in judges)
        print(f"{loop.manager.summary()}, {compared} of them compared")
    sys.exit(any(judge.exitcode for judge in judges))


main()
