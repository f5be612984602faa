"""Measures how a disk gives memory back, in virtual machines; docs/BENCHMARKS.md says what and why.

The host takes 724 MiB from a guest of 1 GiB without swap whose disk holds 600 MiB of cached blocks
and is under load. The passive twin is the same program with --fixed-memory. Each is filled once,
saved, and started from there for every run, in turns.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import bench_guest

GUEST_MEBIBYTES = 1024
REMAINING_MEBIBYTES = 300
BUDGET_MEBIBYTES = 740
FILLED_MEBIBYTES = 640
# The neighbour's file, and what the host leaves to the guest so that the passive twin just lives.
FILE_MEBIBYTES = 128
SPARED_MEBIBYTES = 824
WATCH_SECONDS = 15
# From the balloon's first growth until nine tenths of the deficit are released.
RELEASE_MILLISECONDS = 1000
KINDS = {"footing": "", "passive": "--fixed-memory"}
SOCKET = "/tmp/s"


def say(text):
    print(text, flush=True)


def container(folder):
    """A disk of 64 GiB whose first blocks are written, made here, where it takes a second."""
    path = f"{folder}/container"
    subprocess.run(["bin/footing", "disk", "create", path, "--size", "64G"], check=True)
    server = subprocess.Popen(
        ["bin/footing", "serve", path, "--socket", f"{folder}/s"], stdout=subprocess.PIPE, text=True
    )
    for line in server.stdout:
        if line.startswith("ready"):
            break
    load = f"{bench_guest.KIT}/load"
    subprocess.run([load, f"{folder}/s", "write", str(FILLED_MEBIBYTES)], check=True)
    server.terminate()
    server.communicate()
    if server.returncode != 0:
        raise RuntimeError(f"serve ended with {server.returncode}")
    return path


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.initramfs = f"{folder}/initramfs"
        bench_guest.archive(self.initramfs)
        self.file = f"{folder}/file"
        with open(self.file, "wb") as file:
            file.truncate(FILE_MEBIBYTES << 20)
        original = container(folder)
        self.saved = {}
        for kind, options in KINDS.items():
            copy = f"{folder}/{kind}"
            subprocess.run(["cp", "--sparse=always", original, copy], check=True)
            self.saved[kind] = (copy, self.fill(kind, copy, options))
        os.remove(original)

    def guest(self, disk, saved=None):
        disks = [("container", disk, saved is not None), ("file", self.file, True)]
        return bench_guest.Guest(GUEST_MEBIBYTES, self.initramfs, disks, saved)

    def fill(self, kind, disk, options):
        """Boots, serves, fills the cache, and saves."""
        with self.guest(disk) as guest:
            guest.shell("until [ -b /dev/vdb ]; do busybox usleep 20000; done")
            options += f" --socket={SOCKET} --memory {BUDGET_MEBIBYTES}M"
            guest.shell(
                f"footing serve /dev/vda {options} >/tmp/log 2>&1 & echo $! >/tmp/pid; "
                "until busybox grep -q ^ready /tmp/log; do kill -0 $!; busybox usleep 20000; done"
            )
            guest.shell(f"load {SOCKET} scan {FILLED_MEBIBYTES}")
            status = guest.shell("busybox cat /proc/$(busybox cat /tmp/pid)/status")
            held = int(status.split("VmRSS:")[1].split()[0])
            say(f"{kind}: {held >> 10} MiB are held")
            return guest.save(f"{self.folder}/{kind}.state")

    def restored(self, kind):
        disk, state = self.saved[kind]
        return self.guest(disk, state)

    def squeeze(self, kind):
        """One deadly run: what the guest and this machine saw."""
        with self.restored(kind) as guest:
            process = guest.shell(
                f"( load {SOCKET} mix {FILLED_MEBIBYTES} {WATCH_SECONDS} >/tmp/load 2>&1 ) & "
                "busybox cat /tmp/pid"
            ).strip()
            time.sleep(1)
            before = guest.resident()
            start = time.monotonic()
            guest.start("/bin/memory", "watch", process, str(WATCH_SECONDS))
            guest.balloon(REMAINING_MEBIBYTES)
            host = []
            while (at := time.monotonic() - start) < WATCH_SECONDS - 1:
                host.append((at * 1000, guest.resident(), guest.actual()))
                time.sleep(0.02)
            lines = guest.end()[1].splitlines()
            rows = [[int(word) for word in line.split()] for line in lines]
            return Run(rows, host, before, guest.shell("busybox cat /tmp/load || true"))

    def neighbour(self, kind, seconds):
        """MiB per second that a program beside the disk reads through the page cache; none where
        the balloon missed its target, the program ended, or the disk was killed."""
        with self.restored(kind) as guest:
            guest.balloon(SPARED_MEBIBYTES)
            deadline = time.monotonic() + 15
            while guest.actual() > SPARED_MEBIBYTES and time.monotonic() < deadline:
                time.sleep(0.05)
            actual = guest.actual()
            # The first pass fills the page cache, as far as there is room.
            guest.shell("memory read /dev/vdb 4 || true")
            text = guest.shell(f"memory read /dev/vdb {seconds} || true")
            # Who was killed has no memory, even before it is reaped.
            alive = "busybox grep -q ^VmRSS: /proc/$(busybox cat /tmp/pid)/status"
            found = {
                "leftMebibytes": actual,
                "atTarget": actual == SPARED_MEBIBYTES,
                "killed": "killed" in guest.shell(f"{alive} || echo killed"),
                "rate": None,
            }
            words = text.split()
            if found["atTarget"] and not found["killed"] and words[-2:-1] == ["read"]:
                found["rate"] = int(words[-1]) / seconds / bench_guest.MEBIBYTE
            return found


class Untold(Exception):
    """A run without any figures."""


class Run:
    """The figures of one deadly run."""

    def __init__(self, rows, host, before, load):
        dead = [row[0] for row in rows if row[1] < 0]
        alive = [row for row in rows if row[1] >= 0]
        self.killed = bool(dead)
        if not alive:
            raise Untold("the guest told nothing before its server was gone")
        # Microseconds, of the twin that is killed until then.
        self.stall = alive[-1][4] - alive[0][4]
        # The least that was left for everybody, in MiB.
        self.available = min(row[3] for row in alive) >> 10
        # Milliseconds from the balloon's first growth until nine tenths of the deficit were given
        # back, until nine tenths of all that ever was were, and until the balloon had its target.
        first = next((row[0] for row in rows if row[2] > rows[0][2]), None)
        held, least = alive[0][1], min(row[1] for row in alive)
        late = [row[0] for row in alive if row[1] <= held - 0.9 * (held - least)]
        self.release = late[0] - first if first is not None and not dead else None
        self.deficit, self.deficit_release = self.first_deficit(rows), None
        if self.release is not None:
            enough = held - 0.9 * self.deficit * 1024
            given = [row[0] for row in alive if row[1] <= enough]
            self.deficit_release = given[0] - first if given else None
        # How much of its way the balloon had made by then, in percent.
        self.way = None
        if self.deficit_release is not None:
            now = [row[2] for row in rows if row[0] <= first + self.deficit_release][-1]
            self.way = 100 * (now - rows[0][2]) / (rows[-1][2] - rows[0][2])
        # All of it, from when the balloon had grown so far as to need that much; negative: before.
        final = rows[-1][2]
        need = [row[0] for row in rows if row[2] << 2 >= (final << 2) - 0.1 * (held - least)]
        self.behind = late[0] - need[0] if not dead else None
        wanted = (GUEST_MEBIBYTES - REMAINING_MEBIBYTES) << 8
        full = [row[0] for row in rows if row[2] >= wanted]
        self.balloon = full[0] - first if full and first is not None else None
        # What the host has again, in MiB: until a twin is killed, and when the watch ends.
        self.before, self.host = before, [(round(at), size) for at, size, _ in host]
        self.dead = dead[0] if dead else None
        self.returned = self.returned_at(float("inf") if self.dead is None else self.dead)
        self.returned_finally = self.returned_at(float("inf"))
        words = load.split()
        self.errors = int(words[words.index("errors") + 1]) if "errors" in words else None

    @staticmethod
    def first_deficit(rows):
        """What the balloon was to take beyond what was available at its first growth, in MiB."""
        row = next((row for row in rows if row[2] > rows[0][2]), rows[0])
        wanted = (GUEST_MEBIBYTES - REMAINING_MEBIBYTES) - (row[2] >> 8)
        return max(0, wanted - (row[3] >> 10))

    def returned_at(self, milliseconds):
        """What the host had again by then, in MiB."""
        seen = [size for at, size in self.host if at <= milliseconds]
        return self.before - (seen or [self.before])[-1]

    def figures(self):
        return {name: value for name, value in vars(self).items() if name != "host"}


def at_death(runs):
    """What each kind had returned when the passive twin of the same turn was killed."""
    turns = [turn for turn in zip(runs["footing"], runs["passive"]) if turn[1].killed]
    return [[turn[at].returned_at(turn[1].dead) for turn in turns] for at in range(len(KINDS))]


class Table:
    """Figures side by side: of all runs, or of as many as are told with them.

    Footing has to have each figure in every run; the twin is killed in some.
    """

    def __init__(self):
        self.failures = []
        say("\n| what | footing | passive |\n|---|---|---|")

    def row(self, name, texts):
        say(f"| {name} | {' | '.join(texts)} |")

    def count(self, name, runs, holds, expected=False):
        """In how many runs something holds; expected: whether it has to, in each of Footing's."""
        texts = []
        for kind, some in runs.items():
            number = sum(bool(holds(run)) for run in some)
            texts.append(f"{number} of {len(some)}")
            if expected and kind == "footing" and number < len(some):
                texts[-1] = self.failed(name, texts[-1])
        self.row(name, texts)

    def failed(self, name, text):
        self.failures.append(f"{name}: {text}")
        return f"FAILED: {text}"

    def fold(self, name, form, function, values):
        """One figure of many: values has a list for each kind, with None where a run has none."""
        texts = []
        for kind, some in zip(KINDS, values):
            known = [value for value in some if value is not None]
            text = form.format(function(known)) if known else "-"
            if len(known) < len(some):
                text += f" ({len(known)} of {len(some)} runs)"
                if kind == "footing":
                    text = self.failed(name, text)
            texts.append(text)
        self.row(name, texts)


def report(runs, neighbours):
    """Prints the table, and gives what of it Footing failed."""
    table = Table()

    def fold(name, form, function, of):
        table.fold(name, form, function, [[of(run) for run in runs[kind]] for kind in KINDS])

    median = statistics.median
    table.row("deadly runs", [str(len(runs[kind])) for kind in KINDS])
    table.count("alive in the end", runs, lambda run: not run.killed, expected=True)
    table.count("load ended", runs, lambda run: run.errors is not None, expected=True)
    table.count("balloon at its target", runs, lambda run: run.balloon is not None, expected=True)
    table.count("90 % released", runs, lambda run: run.release is not None, expected=True)
    fold("balloon's first growth to its target, ms", "{:.0f}", median, lambda run: run.balloon)
    fold("deficit at the first growth, MiB", "{:.0f}", median, lambda run: run.deficit)
    name = "first growth to 90 % of the deficit released, ms"
    fold(name, "{:.0f}", median, lambda run: run.deficit_release)
    fold("the same at worst, ms", "{:.0f}", max, lambda run: run.deficit_release)
    table.count(
        f"the same under {RELEASE_MILLISECONDS} ms",
        runs,
        lambda run: run.deficit_release is not None
        and run.deficit_release < RELEASE_MILLISECONDS,
        expected=True,
    )
    fold("the balloon's way by then, %", "{:.0f}", median, lambda run: run.way)
    name = "first growth to 90 % of all that was ever released, ms"
    fold(name, "{:.0f}", median, lambda run: run.release)
    fold("the same at worst, ms", "{:.0f}", max, lambda run: run.release)
    fold("90 % released, behind the balloon's need, ms", "{:.0f}", median, lambda run: run.behind)
    fold("the same at worst, ms", "{:.0f}", max, lambda run: run.behind)
    fold("least available, MiB", "{:.0f}", median, lambda run: run.available)
    fold("stall by PSI, ms", "{:.1f}", median, lambda run: run.stall / 1000)
    name = "returned to the host, MiB; of a twin that is killed, until then"
    fold(name, "{:.0f}", median, lambda run: run.returned)
    name = "the same of both when the twin of the same turn is killed, MiB"
    table.fold(name, "{:.0f}", median, at_death(runs))
    name = f"the same of both after {WATCH_SECONDS - 1} s, MiB; a dead twin's memory is free"
    fold(name, "{:.0f}", median, lambda run: run.returned_finally)
    fold("I/O errors at worst", "{}", max, lambda run: run.errors)
    table.row("runs beside a neighbour", [str(len(neighbours[kind])) for kind in KINDS])
    table.count("balloon at its target", neighbours, lambda one: one["atTarget"], expected=True)
    table.count("alive in the end", neighbours, lambda one: not one["killed"], expected=True)
    rates = [[one["rate"] for one in neighbours[kind]] for kind in KINDS]
    table.fold("a neighbour's reads, MiB/s", "{:.0f}", median, rates)
    return table.failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20, help="deadly runs of each")
    parser.add_argument("--neighbours", type=int, default=5, help="runs beside a neighbour")
    parser.add_argument("--seconds", type=float, default=8, help="length of a neighbour's run")
    parser.add_argument("--results", type=os.path.abspath, help="a JSON file for every figure")
    wanted = parser.parse_args()
    os.chdir(pathlib.Path(__file__).resolve().parent.parent)
    needed = ("bin/footing", f"{bench_guest.KIT}/load", "/usr/bin/qemu-system-x86_64")
    for path in needed:
        if not os.path.exists(path):
            sys.exit(f"{path} is missing: run 'make deps release' and 'Scripts/guests.sh'")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        failures = measure(Bench(folder), wanted)
    if failures:
        sys.exit("Footing failed:\n" + "\n".join(failures))


def keep(path, runs, neighbours):
    """Writes what there is so far; whoever reads it never sees half of it."""
    if path is None:
        return
    deadly = {kind: [vars(run) for run in some] for kind, some in runs.items()}
    with open(f"{path}.new", "w") as file:
        json.dump({"deadly": deadly, "neighbours": neighbours}, file)
    os.replace(f"{path}.new", path)


def told(bench, kind):
    """A run; the twin dies so early at times that nothing is known of how, and is run again."""
    for _ in range(2):
        try:
            return bench.squeeze(kind)
        except Untold as error:
            # Footing's own death is what this looks for.
            if kind != "passive":
                sys.exit(f"{kind}: {error}")
            say(f"{kind}, again: {error}")
    return bench.squeeze(kind)


def measure(bench, wanted):
    runs, neighbours = {kind: [] for kind in KINDS}, {kind: [] for kind in KINDS}
    try:
        for index in range(wanted.runs):
            for kind in KINDS:
                runs[kind].append(told(bench, kind))
                say(f"{index + 1} {kind}: {runs[kind][-1].figures()}")
                keep(wanted.results, runs, neighbours)
        for index in range(wanted.neighbours):
            for kind in KINDS:
                neighbours[kind].append(bench.neighbour(kind, wanted.seconds))
                say(f"{index + 1} {kind}, beside a neighbour: {neighbours[kind][-1]}")
                keep(wanted.results, runs, neighbours)
    except BaseException:
        # An hour's figures are worth a table even where the next run could not be made.
        report(runs, neighbours)
        raise
    return report(runs, neighbours)


if __name__ == "__main__":
    main()
