"""Measures how a disk gives memory back, in virtual machines; docs/BENCHMARKS.md says what and why.

The host takes 724 MiB from a guest of 1 GiB without swap whose disk holds 600 MiB of cached blocks
and is under load. The passive twin is the same program with --fixed-memory. Each is filled once,
saved, and started from there for every run, in turns.
"""

import argparse
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
# The neighbour's file, and what the host takes so that the passive twin just lives.
FILE_MEBIBYTES = 128
SPARED_MEBIBYTES = 824
WATCH_SECONDS = 15
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
        """MiB per second that a program beside the disk reads through the page cache."""
        with self.restored(kind) as guest:
            guest.balloon(SPARED_MEBIBYTES)
            deadline = time.monotonic() + 15
            while guest.actual() > SPARED_MEBIBYTES and time.monotonic() < deadline:
                time.sleep(0.05)
            # The first pass fills the page cache, as far as there is room.
            guest.shell("memory read /dev/vdb 4")
            text = guest.shell(f"memory read /dev/vdb {seconds}")
            guest.shell("kill -0 $(busybox cat /tmp/pid)")
            return int(text.split()[-1]) / seconds / bench_guest.MEBIBYTE


class Run:
    """The figures of one deadly run."""

    def __init__(self, rows, host, before, load):
        dead = [row[0] for row in rows if row[1] < 0]
        alive = [row for row in rows if row[1] >= 0]
        self.killed = bool(dead)
        # Microseconds, of the twin that is killed until then.
        self.stall = alive[-1][4] - alive[0][4]
        # The least that was left for everybody, in MiB.
        self.available = min(row[3] for row in alive) >> 10
        # Milliseconds from the balloon's first growth until nine tenths of it all were given back,
        # and until the balloon had what it was to have.
        first = next((row[0] for row in rows if row[2] > rows[0][2]), None)
        held, least = alive[0][1], min(row[1] for row in alive)
        late = [row[0] for row in alive if row[1] <= held - 0.9 * (held - least)]
        self.release = late[0] - first if first is not None and not dead else None
        # The same from when the balloon had grown so far as to need that much; negative: before.
        final = rows[-1][2]
        need = [row[0] for row in rows if row[2] << 2 >= (final << 2) - 0.1 * (held - least)]
        self.behind = late[0] - need[0] if not dead else None
        wanted = (GUEST_MEBIBYTES - REMAINING_MEBIBYTES) << 8
        full = [row[0] for row in rows if row[2] >= wanted]
        self.balloon = full[0] - first if full and first is not None else None
        # What the host has again, in MiB; of the twin that is killed, until then.
        until = dead[0] if dead else float("inf")
        seen = [size for at, size, _ in host if at <= until] or [before]
        self.returned = before - seen[-1]
        words = load.split()
        self.errors = int(words[words.index("errors") + 1]) if "errors" in words else None


def median(values):
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def report(runs, rates):
    say("\n| what | footing | passive |\n|---|---|---|")

    def row(name, form, of):
        values = [of(runs[kind]) for kind in KINDS]
        texts = ["-" if value is None else form.format(value) for value in values]
        say(f"| {name} | {' | '.join(texts)} |")

    def middle(name, form, of):
        row(name, form, lambda some: median(of(run) for run in some))

    def worst(name, form, of):
        known = lambda some: [of(run) for run in some if of(run) is not None]
        row(name, form, lambda some: max(known(some), default=None))

    row("deadly runs", "{}", len)
    row("killed", "{}", lambda some: sum(run.killed for run in some))
    row("balloon at its target", "{}", lambda some: sum(run.balloon is not None for run in some))
    middle("balloon's first growth to its target, ms", "{:.0f}", lambda run: run.balloon)
    middle("first growth to 90 % released, ms", "{:.0f}", lambda run: run.release)
    worst("the same at worst, ms", "{:.0f}", lambda run: run.release)
    middle("90 % released, behind the balloon's need, ms", "{:.0f}", lambda run: run.behind)
    worst("the same at worst, ms", "{:.0f}", lambda run: run.behind)
    middle("least available, MiB", "{:.0f}", lambda run: run.available)
    middle("stall by PSI, ms", "{:.1f}", lambda run: run.stall / 1000)
    middle("returned to the host, MiB", "{:.0f}", lambda run: run.returned)
    worst("I/O errors at worst", "{}", lambda run: run.errors)
    rate = [median(rates[kind]) for kind in KINDS]
    texts = " | ".join("-" if value is None else f"{value:.0f}" for value in rate)
    say(f"| a neighbour's reads, MiB/s | {texts} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20, help="deadly runs of each")
    parser.add_argument("--neighbours", type=int, default=5, help="runs beside a neighbour")
    parser.add_argument("--seconds", type=float, default=8, help="length of a neighbour's run")
    wanted = parser.parse_args()
    os.chdir(pathlib.Path(__file__).resolve().parent.parent)
    needed = ("bin/footing", f"{bench_guest.KIT}/load", "/usr/bin/qemu-system-x86_64")
    for path in needed:
        if not os.path.exists(path):
            sys.exit(f"{path} is missing: run 'make deps release' and 'Scripts/guests.sh'")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        measure(Bench(folder), wanted)


def measure(bench, wanted):
    runs, rates = {kind: [] for kind in KINDS}, {kind: [] for kind in KINDS}
    for index in range(wanted.runs):
        for kind in KINDS:
            runs[kind].append(bench.squeeze(kind))
            say(f"{index + 1} {kind}: {vars(runs[kind][-1])}")
    for index in range(wanted.neighbours):
        for kind in KINDS:
            rates[kind].append(bench.neighbour(kind, wanted.seconds))
            say(f"{index + 1} {kind}: a neighbour reads {rates[kind][-1]:.0f} MiB/s")
    report(runs, rates)


if __name__ == "__main__":
    main()
