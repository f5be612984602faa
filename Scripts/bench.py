"""Measures bin/footing against its peers; started by bench.sh, described in docs/BENCHMARKS.md.

Every server gets an image of its own, written in full before, behind a Unix socket, and the same
client: fio. A round runs all servers, each round in another order; a server is started for its
sample, warmed, and has its file flushed, so that nobody pays for another's backlog. What counts is
the ratio to a peer within a round; medians over the rounds are printed.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

import bench_codec
import bench_detect
import bench_disk
import bench_kubevirt
import bench_tuning
from bench_report import Report, say
from bench_server import FOOTING, IMAGE_BYTES, LARGE, MIB, RANDOM, Server, all_servers, fio, run

ALL_PARTS = (
    *("detect", "nbd", "lz4", "aes", "capped", "amplification", "snapshots", "recovery"),
    *("memory", "codec", "kubevirt", "tuning"),
)


def parse():
    """The command line; `make bench` gives the same by variables."""

    def words(text):
        return [word for word in text.split(",") if word]

    def parts(text):
        unknown = set(words(text)) - set(ALL_PARTS)
        if unknown:
            raise argparse.ArgumentTypeError(f"no such part: {', '.join(sorted(unknown))}")
        return words(text)

    given = os.environ.get
    parser = argparse.ArgumentParser(
        prog="Scripts/bench.sh",
        description="Measure bin/footing against its peers; see docs/BENCHMARKS.md.",
        epilog="Each option's default is the variable in brackets, as in `make bench ROUNDS=3`. "
        "The images go below TMPDIR, /var/tmp by default: 15 GiB on a real disk.",
    )
    add = parser.add_argument
    add("--rounds", type=int, default=given("ROUNDS", "5"), help="rounds [ROUNDS]")
    add(
        "--seconds",
        type=float,
        default=given("SECONDS_PER_SAMPLE", "3"),
        help="length of a sample [SECONDS_PER_SAMPLE]",
    )
    add(
        "--minutes",
        type=float,
        default=float(given("HOURS") or 0) * 60 or given("MINUTES", "3"),
        help="length of the run that watches the memory [MINUTES or HOURS]",
    )
    add(
        "--rate",
        type=int,
        default=given("RATE", "0"),
        help="requests a second in that run, 0 for as many as possible [RATE]",
    )
    add(
        "--only",
        type=parts,
        default=given("ONLY", ",".join(ALL_PARTS)),
        help=f"parts to run, of {', '.join(ALL_PARTS)} [ONLY]",
    )
    add("--servers", type=words, default=given("SERVERS", ""), help="peers to run [SERVERS]")
    add(
        "--workloads",
        type=words,
        default=given("WORKLOADS", ""),
        help="words of the titles of the workloads to run [WORKLOADS]",
    )
    add("--results", default=given("RESULTS", ".build/bench.json"), help="figures [RESULTS]")
    return parser.parse_args()


OPTIONS = parse()
ROUNDS = OPTIONS.rounds
SAMPLE_SECONDS = OPTIONS.seconds
MEMORY_SECONDS = OPTIONS.minutes * 60
PARTS = OPTIONS.only
RESULTS = OPTIONS.results
CAPPED_WRITES = 2000


class Workload:
    def __init__(self, title, options, bars, prepare=None, processor_bar=None, is_cold=False):
        self.title = title
        self.options = options
        # Most processor time for each operation, as a part of nbdkit-file's.
        self.processor_bar = processor_bar
        # Whether the program's cache is to hold next to nothing.
        self.is_cold = is_cold
        # Least ratio by peer; "best" is whichever peer is fastest.
        self.bars = bars
        # Runs over the whole image before the sample, and seconds of rest between them; None for a
        # third of a sample of the same.
        self.prepare = prepare

    @property
    def direction(self):
        return "read" if "read" in self.options[0] else "write"


# A cache of some 1 % of the image. Peers that go to the device have none either way.
COLD_MEMORY = ["--memory", "32M"]
# Reading in sequence means little if the image was not written so, and reading at all if some
# servers have just written what the page cache then holds, and others past it.
REWRITE = ["--rw=write", *LARGE, "--end_fsync=1"]
# More than once: what memory a cache has no page for yet, it gets on the side, while it reads.
READ_ALL = ["--rw=read", *LARGE, "--loops=4"]
READ_ONCE = ["--rw=read", *LARGE]
# A quarter of the image written at random: what lies side by side is scattered then.
SCATTER = ["--rw=randwrite", *RANDOM, "--fsync=8", "--io_size=256m", "--end_fsync=1"]
# Each block once, in random order.
SCATTER_ALL = ["--rw=randwrite", *RANDOM, "--random_generator=lfsr", "--fsync=64", "--end_fsync=1"]


def random_reads(depth, bars, **options):
    words = ["--rw=randread", "--bs=4k", f"--iodepth={depth}"]
    kind = "cold" if options.get("is_cold") else "in the cache"
    return Workload(f"4 KiB random read, {depth} in flight, {kind}", words, bars, **options)


WORKLOADS = [
    Workload(
        "1 MiB sequential write, first after random writes",
        ["--rw=write", *LARGE],
        {},
        prepare=[SCATTER],
    ),
    Workload(
        "1 MiB sequential write, 4 in flight",
        ["--rw=write", *LARGE],
        {"nbdkit-file": 1.0},
        prepare=[REWRITE],
    ),
    Workload(
        "1 MiB sequential read, 4 in flight",
        ["--rw=read", *LARGE],
        {"nbdkit-file": 1.0},
        prepare=[REWRITE, READ_ALL],
    ),
    Workload(
        "4 KiB random write, flush every 8, 16 in flight",
        ["--rw=randwrite", *RANDOM, "--fsync=8"],
        {"best": 1.5},
        processor_bar=0.7,
    ),
    Workload(
        "4 KiB random write, one writer, flush after each",
        ["--rw=randwrite", "--bs=4k", "--iodepth=1", "--fsync=1"],
        {"best": 1.0},
        processor_bar=0.7,
    ),
    Workload(
        "4 KiB random write, 16 in flight",
        ["--rw=randwrite", *RANDOM],
        {"nbdkit-file": 1.0},
        processor_bar=0.7,
    ),
    *(
        random_reads(depth, {"nbdkit-file": 1.5}, prepare=[READ_ALL], processor_bar=0.7)
        for depth in (1, 16, 64)
    ),
    *(
        random_reads(depth, {"qemu-raw-direct": 1.2}, prepare=[], is_cold=True)
        for depth in (1, 16, 64)
    ),
    Workload(
        "1 MiB sequential read, first after random writes",
        ["--rw=read", *LARGE],
        {},
        prepare=[SCATTER],
    ),
    Workload(
        "1 MiB sequential read, first after every block was written at random",
        ["--rw=read", *LARGE],
        {"nbdkit-file": 0.6},
        prepare=[SCATTER_ALL],
    ),
    Workload(
        "1 MiB sequential read, the same, read twice since and a minute at rest",
        ["--rw=read", *LARGE],
        {"nbdkit-file": 1.0},
        prepare=[SCATTER_ALL, READ_ONCE, 12, READ_ONCE, 60],
        is_cold=True,
    ),
]
CAPPED = Workload(
    f"4 KiB random write, flush every 8, 16 in flight, {CAPPED_WRITES} writes/s",
    ["--rw=randwrite", *RANDOM, "--fsync=8"],
    {"qemu-qcow2-direct": 7.0},
)


def sample(server, workload, group=None):
    """One server, started for it, under one workload."""
    is_cold = workload.is_cold and server.name == "footing"
    server.start(group, COLD_MEMORY if is_cold else ())
    try:
        if workload.prepare is None:
            fio(server, workload.options + ["--end_fsync=1"], SAMPLE_SECONDS / 3)
        for options in workload.prepare or []:
            if isinstance(options, int):
                time.sleep(options)
            else:
                fio(server, options)
        server.settle()
        before = server.processor_seconds()
        job = fio(server, workload.options, SAMPLE_SECONDS)
        spent = server.processor_seconds() - before
        figures = job[workload.direction]
        return {
            "perSecond": figures["iops"],
            "p99Microseconds": figures["clat_ns"]["percentile"]["99.000000"] / 1000,
            "processorMicroseconds": spent * 1e6 / max(figures["total_ios"], 1),
        }
    finally:
        server.stop()


def half_random():
    """What shrinks by half, block by block."""
    return b"".join(os.urandom(2048) + bytes(2048) for _ in range(MIB // 4096))


def fill(servers, folder, content=lambda: os.urandom(MIB)):
    """Every image gets the same bytes by the same way."""
    source = os.path.join(folder, "source")
    with open(source, "wb") as file:
        for _ in range(IMAGE_BYTES // MIB):
            file.write(content())
    for server in servers:
        say(f"fill {server.name}")
        server.create()
        server.start()
        run("nbdcopy", "--flush", source, server.uri)
        server.stop()
        server.settle()
    os.unlink(source)


def rounds(servers, workloads, group=None):
    """Samples by workload title and server name, one for each round."""
    samples = {w.title: {s.name: [] for s in servers} for w in workloads}
    for number in range(ROUNDS):
        order = servers[number % len(servers) :] + servers[: number % len(servers)]
        for workload in workloads:
            line = []
            for server in order:
                result = sample(server, workload, group)
                samples[workload.title][server.name].append(result)
                line.append(f"{server.name} {result['perSecond']:.0f}")
            say(f"round {number + 1}: {workload.title}: {', '.join(line)}")
    return samples


class WriteLimit:
    """A control group that limits the writes per second to the device under a folder."""

    def __init__(self, folder):
        self.path = None
        device = os.stat(folder).st_dev
        block = pathlib.Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
        if not block.exists():
            raise OSError("the file system is not on one block device")
        # The limit belongs to the whole disk.
        whole = block.resolve().parent if (block / "partition").exists() else block.resolve()
        number = (whole / "dev").read_text().strip()
        name = f"footing-bench-{os.getpid()}"
        first = pathlib.Path("/sys/fs/cgroup/blkio")
        second = pathlib.Path("/sys/fs/cgroup")
        if (first / "blkio.throttle.write_iops_device").exists():
            self.make(first / name)
            file, limit = "blkio.throttle.write_iops_device", f"{number} {CAPPED_WRITES}"
        elif "io" in self.words(second / "cgroup.subtree_control"):
            self.make(second / name)
            file, limit = "io.max", f"{number} wiops={CAPPED_WRITES}"
        else:
            raise OSError("no blkio or io controller")
        try:
            (self.path / file).write_text(limit)
        except OSError:
            self.remove()
            raise

    @staticmethod
    def words(file):
        return file.read_text().split() if file.exists() else []

    def make(self, path):
        path.mkdir()
        self.path = path

    def enter(self):
        """Called in the child that becomes the server."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self):
        if self.path:
            self.path.rmdir()
            self.path = None


def measure_nbd(report, folder):
    wanted = OPTIONS.servers
    servers = [
        server
        for server in all_servers(folder)
        if not wanted or server.name in wanted or server.name == "footing"
    ]
    workloads = [
        workload
        for workload in WORKLOADS
        if all(word in workload.title for word in OPTIONS.workloads)
    ]
    try:
        fill(servers, folder)
        if "nbd" in PARTS:
            samples = rounds(servers, workloads)
            for workload in workloads:
                report.add(workload, samples[workload.title])
        if "capped" in PARTS:
            measure_capped(report, servers, folder)
    finally:
        for server in servers:
            server.stop()
            pathlib.Path(server.image).unlink(missing_ok=True)


def measure_lz4(report, folder):
    """The program with LZ4 against itself without, on data that shrinks by half."""
    content = ["--buffer_compress_percentage=50", "--buffer_compress_chunk=4k", "--refill_buffers"]
    create = ["--compression", "lz4"]
    measure_option(report, folder, "LZ4", 0.9, create, [], half_random, content)


def measure_aes(report, folder):
    """The program with AES-256-GCM against itself without."""
    key = os.path.join(folder, "key")
    with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(os.urandom(64))
    create = ["--encrypt", "--key-file", key]
    measure_option(report, folder, "AES-256-GCM", 0.8, create, ["--key-file", key])


def measure_option(
    report, folder, name, bar, more_create, more_serve, make_content=None, content=()
):
    """The program with an option against itself without; a bar that each workload has to reach."""
    serve = [FOOTING, "serve", "{image}", "--socket", "{socket}"]
    create = [FOOTING, "disk", "create", "{image}", "--size", "{bytes}"]
    servers = [
        Server("footing", folder, create + more_create, serve + more_serve),
        Server("footing-plain", folder, create, serve),
    ]
    rewrite = [*REWRITE, *content]
    kinds = [
        ("1 MiB sequential write", ["--rw=write", *LARGE], [rewrite]),
        ("1 MiB sequential read", ["--rw=read", *LARGE], [rewrite]),
        ("4 KiB random write", ["--rw=randwrite", *RANDOM, "--fsync=8"], None),
        ("4 KiB random read", ["--rw=randread", *RANDOM], [rewrite, READ_ALL]),
    ]
    workloads = [
        Workload(f"with {name}: {title}", [*options, *content], {"footing-plain": bar}, prepare)
        for title, options, prepare in kinds
        if all(word in title for word in OPTIONS.workloads)
    ]
    try:
        fill(servers, folder, *([make_content] if make_content else []))
        samples = rounds(servers, workloads)
        for workload in workloads:
            report.add(workload, samples[workload.title])
    finally:
        for server in servers:
            server.stop()
            pathlib.Path(server.image).unlink(missing_ok=True)


def measure_capped(report, servers, folder):
    """Only servers that write past the page cache: the others write when the kernel likes."""
    names = ("footing", "qemu-raw-direct", "qemu-qcow2-direct")
    direct = [server for server in servers if server.name in names]
    try:
        group = WriteLimit(folder)
    except OSError as error:
        return report.skip(CAPPED.title, f"no write limit can be set here: {error}")
    try:
        samples = rounds(direct, [CAPPED], group)
        report.add(CAPPED, samples[CAPPED.title])
    finally:
        for server in direct:
            server.stop()
        group.remove()


def describe_machine(folder):
    facts = json.loads(run(FOOTING, "detect", "--json", "--path", folder))
    versions = {
        "footing": run(FOOTING, "--version").strip(),
        "nbdkit": run("nbdkit", "--version").split()[1],
        "qemu": run("qemu-nbd", "--version").split()[1],
        "fio": run("fio", "--version").strip(),
    }
    kernel = os.uname().release
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    model = [
        line.split(":")[1].strip()
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    system = run("stat", "--file-system", "--format=%T", folder).strip()
    text = (
        f"{os.cpu_count()} x {model[0] if model else 'unnamed processor'}, {memory:.0f} GiB, "
        f"Linux {kernel}, {system}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + f"; {ROUNDS} rounds, {SAMPLE_SECONDS:g} s a sample."
    )
    return {"text": text, "detect": facts, "versions": versions, "kernel": kernel}


def main():
    if PARTS == ["tuning"] and not bench_tuning.chosen(OPTIONS.workloads):
        raise SystemExit(f"tuning: {bench_tuning.unmatched(OPTIONS.workloads)}")
    report = Report(RESULTS)
    folder = tempfile.mkdtemp(prefix="footing-bench.", dir=os.environ.get("TMPDIR", "/var/tmp"))
    # An end by signal cleans up like any other.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if run("stat", "--file-system", "--format=%T", folder).strip() in ("tmpfs", "ramfs"):
            raise SystemExit(f"{folder} is in memory: set TMPDIR to a folder on a disk")
        if shutil.disk_usage(folder).free < 16 << 30:
            raise SystemExit(f"{folder} has less than 16 GiB free: set TMPDIR")
        if "detect" in PARTS:
            bench_detect.measure(report, FOOTING, ROUNDS)
        if "codec" in PARTS:
            bench_codec.measure(report, FOOTING, ROUNDS)
        if "kubevirt" in PARTS:
            bench_kubevirt.measure(report, f"{FOOTING}-kubevirt", folder, ROUNDS)
        if "tuning" in PARTS:
            bench_tuning.measure(report, folder, ROUNDS, OPTIONS.workloads)
        if "snapshots" in PARTS:
            bench_disk.measure_snapshots(report, folder)
        if "nbd" in PARTS or "capped" in PARTS:
            measure_nbd(report, folder)
        if "amplification" in PARTS:
            bench_disk.measure_amplification(report, folder)
        if "lz4" in PARTS:
            measure_lz4(report, folder)
        if "aes" in PARTS:
            measure_aes(report, folder)
        if "recovery" in PARTS or "memory" in PARTS:
            server = bench_disk.large_disk(folder)
            try:
                if "recovery" in PARTS:
                    bench_disk.measure_recovery(report, server, ROUNDS)
                if "memory" in PARTS:
                    bench_disk.measure_memory(report, server, MEMORY_SECONDS, OPTIONS.rate)
            finally:
                server.stop()
    finally:
        # Also after a failure: what was measured until then took long enough.
        report.print(describe_machine(folder))
        shutil.rmtree(folder, ignore_errors=True)


main()
