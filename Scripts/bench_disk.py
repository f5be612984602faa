"""Measures what only the program's own disks have: how much they write, recover and keep in memory.

A part of bench.py; described in docs/BENCHMARKS.md.
"""

import json
import pathlib
import signal
import statistics
import subprocess
import time

from bench_report import say
from bench_server import FOOTING, IMAGE_BYTES, LARGE, MIB, RANDOM, Server, fio, run


def amplification(folder, title, spare, part, options):
    """Bytes written to the container for each byte of a client, in the long run."""
    server = Server(
        "amplified",
        folder,
        [FOOTING, "disk", "create", "{image}", "--size", "{bytes}", "--spare", str(spare)],
        [FOOTING, "serve", "{image}", "--socket", "{socket}"],
    )
    size = f"--size={int(IMAGE_BYTES * part) // MIB}m"
    words = ["--rw=randwrite", *RANDOM, "--fsync=64", size, *options]

    def counters():
        text = run(FOOTING, "status", server.image, "--json")
        disk = json.loads(text)["disks"][0]["disk"]
        return disk["logBytes"] + 4096 * disk["mapPagesWritten"], 4096 * disk["blocksWritten"]

    server.create()
    server.start()
    try:
        fio(server, ["--rw=write", *LARGE, size, "--end_fsync=1"])
        # Three times over: the dead blocks have found their places.
        for _ in range(3):
            fio(server, words)
        before = counters()
        fio(server, words)
        after = counters()
    finally:
        server.stop()
        pathlib.Path(server.image).unlink(missing_ok=True)
    ratio = (after[0] - before[0]) / (after[1] - before[1])
    say(f"write amplification, {title}: {ratio:.2f}")
    return ratio


def measure_amplification(report, folder):
    # What is full is the data's part of the container, its spare room included.
    cases = (
        ("uniform overwrite at 70 % full", 33, 0.7 * 1.33, [], 2.0),
        (
            "90/10 overwrite at 80 % full",
            25,
            1.0,
            ["--random_distribution=zoned:90/10:10/90"],
            2.1,
        ),
    )
    for title, spare, part, options, most in cases:
        ratio = amplification(folder, title, spare, part, options)
        report.figures[f"write amplification, {title}"] = ratio
        report.bar(
            f"write amplification, {title}", f"at most {most}", f"{ratio:.2f}", ratio <= most
        )


def snapshot_times(server, count, load):
    """Wall times of the whole command, beside a client that writes if there is to be one."""
    writer = None
    if load:
        words = ["fio", "--name=load", "--ioengine=nbd", f"--uri={server.uri}", "--size=64m"]
        words += ["--rw=randwrite", *RANDOM, "--fsync=64", "--time_based", "--runtime=600"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        writer = subprocess.Popen(words, **quiet)
        time.sleep(1)
    times = []
    try:
        for number in range(count):
            name = f"snapshot-{number}"
            began = time.perf_counter()
            run(FOOTING, "disk", "snapshot", "create", server.image, name)
            times.append(time.perf_counter() - began)
            run(FOOTING, "disk", "snapshot", "delete", server.image, name)
    finally:
        if writer:
            writer.terminate()
            writer.wait()
    return times


def measure_snapshots(report, folder, count=40):
    """How long `disk snapshot create` takes, from its start to its end, while the disk is served."""
    for mebibytes in (64, 4096):
        server = Server(
            f"snapshots-{mebibytes}",
            folder,
            [FOOTING, "disk", "create", "{image}", "--size", f"{mebibytes}M"],
            [FOOTING, "serve", "{image}", "--socket", "{socket}"],
        )
        server.create()
        server.start()
        try:
            fio(server, ["--rw=write", *LARGE, f"--size={mebibytes}m", "--end_fsync=1"])
            server.settle()
            for load in (False, True):
                times = [value * 1000 for value in snapshot_times(server, count, load)]
                middle = statistics.median(times)
                report.bar(
                    f"creation of a snapshot, {mebibytes} MiB written"
                    + (", beside a client that writes" if load else ""),
                    "under 10 ms",
                    f"{middle:.1f} ms",
                    middle < 10,
                    f"{max(times):.1f} ms at worst of {count}",
                )
        finally:
            server.stop()
            pathlib.Path(server.image).unlink(missing_ok=True)


def large_disk(folder):
    """A disk of 10 GiB, written in full."""
    server = Server(
        "large",
        folder,
        [FOOTING, "disk", "create", "{image}", "--size", "10G"],
        [FOOTING, "serve", "{image}", "--socket", "{socket}", "--json", "--memory", "64M"],
    )
    say("fill 10 GiB")
    server.create()
    server.start()
    options = ["--rw=write", *LARGE, "--size=10g", "--refill_buffers", "--end_fsync=1"]
    fio(server, options)
    return server


def measure_recovery(report, server, rounds):
    """Kills the server under load and takes the time it then needs until it serves."""
    walls, inside, replayed = [], [], []
    for number in range(rounds):
        words = ["fio", "--name=load", "--ioengine=nbd", f"--uri={server.uri}", "--size=10g"]
        words += ["--rw=randwrite", *RANDOM, "--norandommap", "--fsync=64", "--randrepeat=0"]
        words += ["--time_based", "--runtime=600"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        load = subprocess.Popen(words, **quiet)
        time.sleep(5 + number)
        server.stop(signal.SIGKILL)
        load.wait()
        wall = server.start()
        said = server.said()["recovery"]
        walls.append(wall)
        inside.append(said["nanoseconds"] / 1e9)
        replayed.append(said["bytes"] / MIB)
        say(f"recovery {number + 1}: {said}, {wall:.3f} s until it listens")
    report.figures["recovery"] = {"wallSeconds": walls, "seconds": inside, "mebibytes": replayed}
    report.bar(
        "recovery of 10 GiB after kill -9 under load",
        "under 1 s",
        f"{statistics.median(walls):.2f} s until it listens, {max(walls):.2f} s at worst",
        max(walls) < 1,
        f"{min(replayed):.0f} to {max(replayed):.0f} MiB replayed",
    )


def measure_memory(report, server, seconds, rate):
    """The server's memory when it has just been started, and under random load on 10 GiB."""
    server.stop()
    server.start()
    # Until the collector has nothing left to do after what came before.
    time.sleep(3)
    while (before := server.processor_seconds()) is not None:
        time.sleep(3)
        if server.processor_seconds() - before < 0.03:
            break
    idle = server.memory()
    report.bar(
        "memory of `serve`, idle",
        "at most 24 MiB",
        f"{idle[1]:.1f} MiB resident, {idle[0]:.1f} MiB at most since the start",
        idle[1] <= 24,
    )
    mixed = ["--rw=randrw", "--rwmixread=50", *RANDOM, "--size=10g", "--fsync=32"]
    if rate:
        mixed.append(f"--rate_iops={rate // 2},{rate // 2}")
    history = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        fio(server, mixed, max(1, min(60, end - time.monotonic())))
        history.append(server.memory())
        say(f"memory: {history[-1][0]:.1f} MiB at most, {history[-1][1]:.1f} MiB resident")
    peak, resident = history[-1]
    report.figures["memory"] = {"idle": idle, "loaded": history, "seconds": seconds}
    report.bar(
        f"memory of `serve --memory 64M` after {seconds / 60:.0f} minutes of random load",
        "at most 96 MiB",
        f"{peak:.1f} MiB at most, {resident:.1f} MiB resident",
        peak <= 96,
    )
