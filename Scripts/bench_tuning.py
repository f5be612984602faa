"""What `footing prove` finds on disks that somebody has set up badly; docs/tuning.md has the table.

Guests without KVM, each with one disk behind a host that is slow in a way that does not vary: one
lets through so many requests a second, whatever their size; at the other one each request takes so
long, and several are under way at a time. Flushes are answered at once by both, so that this
machine's own disk has no part in it.
"""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import time

import bench_guest
from bench_report import say

DEVICES = {
    "virtio-blk": ["virtio-blk-pci,drive=d,num-queues=1"],
    "virtio-scsi": ["virtio-scsi-pci,id=c,num_queues=1", "scsi-hd,bus=c.0,drive=d"],
    "NVMe": ["nvme,id=c,serial=first,max_ioqpairs=2", "nvme-ns,bus=c,drive=d,nsid=1"],
    "PVSCSI": ["pvscsi,id=c", "scsi-hd,bus=c.0,drive=d"],
}
REQUESTS_PER_SECOND = 800
DELAY_MILLISECONDS = 4
HOSTS = {
    "limited": f"{REQUESTS_PER_SECOND} requests a second",
    "distant": f"{DELAY_MILLISECONDS} ms a request, 16 at a time",
}
PLACES = [("limited", "virtio-blk"), ("limited", "virtio-scsi")]
PLACES += [("distant", device) for device in DEVICES]
# NVMe is a part of this kernel.
MODULES = ["virtio_pci", "virtio_blk", "virtio_scsi", "vmw_pvscsi", "sd_mod"]
# What somebody has set, as lists on the internet do; what the kernel does not take stays.
BAD = {
    "scheduler": "mq-deadline",
    "nr_requests": "4",
    "read_ahead_kb": "4",
    "wbt_lat_usec": "2000",
    "rq_affinity": "0",
    "add_random": "1",
}
# By which the whole is judged: measured by `footing bench`, apart from the proof.
OVERALL = {
    "random reads, 16 at a time": ("random-read-depth-16", "operations"),
    "random writes, 16 at a time": ("random-write-depth-16", "operations"),
    "reads in order, page cache": ("cached-read", "throughput"),
    "writes in order, page cache": ("cached-write", "throughput"),
}
SLICE_MILLISECONDS = 200
BENCH_SECONDS = 10
# Room for more than a pass of the measurement: else the kernel slows writers down by what it has
# learned of the disk's speed, which is another load's.
GUEST_MEBIBYTES = 1024
IMAGE_MEBIBYTES = 256
FORGETS = "format=raw,cache=unsafe"
LOOK = "busybox grep . {0}/queue/* {0}/queue/iosched/* 2>/dev/null || true"


def measure(report, folder, rounds, wanted=()):
    """Every place, or those whose names are wanted; adds tables and figures."""
    title = "tuning: a VM that is set up badly"
    lacking = missing()
    if lacking:
        return report.skip(title, lacking)
    initramfs, image = f"{folder}/tuning.initramfs", f"{folder}/tuning.image"
    places = chosen(wanted)
    if not places:
        return report.skip(title, unmatched(wanted))
    bench_guest.archive(initramfs, MODULES, ())
    found = report.figures["tuning"] = []
    try:
        for host, device in places:
            with disk(host, image, folder) as drive:
                more = ["-smp", "2", "-drive", f"if=none,id=d,{FORGETS},{drive}"]
                for words in DEVICES[device]:
                    more += ["-device", words]
                with bench_guest.Guest(GUEST_MEBIBYTES, initramfs, [], more=more) as guest:
                    found.append({"host": host, "device": device, **Trial(guest, rounds).run()})
            say(f"{device}, {host}: {overall_text(found[-1])}")
    finally:
        # Also after a failure: what was measured until then took long enough.
        table(report, found)


def chosen(wanted):
    """The places that have one of these names; without any, all of them."""
    return [place for place in PLACES if not wanted or set(place) & set(wanted)]


def unmatched(wanted):
    return f"no '{', '.join(wanted)}' among the workloads {', '.join([*HOSTS, *DEVICES])}"


def missing():
    """What is not here, and what to do about it; empty if nothing."""
    tools = ("qemu-system-x86_64", "mkfs.ext4", "nbdkit", "busybox")
    absent = [tool for tool in tools if not shutil.which(tool)]
    if absent:
        return f"{', '.join(absent)}: run 'make deps'"
    if not os.path.exists(f"{bench_guest.KIT}/cloud/complete"):
        return "the guests' kernel: run 'Scripts/guests.sh'"
    return ""


@contextlib.contextmanager
def disk(host, image, folder):
    """QEMU's words for an empty file system behind one of the hosts."""
    with open(image, "wb") as file:
        file.truncate(IMAGE_MEBIBYTES << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    if host == "limited":
        yield f"file={image},throttling.iops-total={REQUESTS_PER_SECOND}"
        return
    socket = f"{folder}/tuning.socket"
    delays = [f"{way}={DELAY_MILLISECONDS}ms" for way in ("rdelay", "wdelay")]
    words = ["nbdkit", "--foreground", "--unix", socket, "--threads", "64", "--filter", "delay"]
    server = subprocess.Popen([*words, "file", image, *delays], stdin=subprocess.DEVNULL)
    try:
        while not os.path.exists(socket):
            if server.poll() is not None:
                raise RuntimeError(f"nbdkit has ended with {server.returncode}")
            time.sleep(0.02)
        yield f"file=nbd+unix:///?socket={socket}"
    finally:
        server.terminate()
        server.wait()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(socket)


class Trial:
    """One guest: set up badly, proved, measured before and after, and put back."""

    def __init__(self, guest, rounds):
        # It wants three rounds at least.
        self.guest, self.rounds, self.problems = guest, max(rounds, 3), []
        name = guest.shell(
            "until busybox ls -d /sys/block/[vsn]* 2>/dev/null; do busybox usleep 20000; done"
        )
        self.name = os.path.basename(name.split()[0])
        self.path = f"/sys/block/{self.name}"
        guest.shell(
            f"until [ -b /dev/{self.name} ]; do busybox usleep 20000; done; "
            f"busybox mkdir -p /tmp/mnt; busybox mount -t ext4 /dev/{self.name} /tmp/mnt"
        )

    def run(self):
        fresh = self.bench()
        self.set(BAD)
        bad, before = self.bench(), self.values()
        proof = self.prove()
        kept = self.values()
        self.check(before, kept, proof)
        after = self.bench()
        self.guest.shell("footing rollback")
        self.require(before, "a rollback")
        # Once more of each, so that a guest that becomes slower or faster favours neither.
        bad = self.joined(bad, self.bench())
        steps = proof["outcome"]["steps"]
        self.set({step["target"].split("/", 1)[1]: step["to"] for step in steps})
        after = self.joined(after, self.bench())
        self.set(BAD)
        alone = [self.alone(rule, before) for rule in self.untried(proof)]
        gains = {
            name: {
                "afterOverBad": Ratio(after[name], bad[name]).figures(),
                # Measured once, at the beginning, and not in turns.
                "afterOverFresh": Ratio(after[name], fresh[name]).figures(),
            }
            for name in OVERALL
        }
        self.judge({name: gain["afterOverBad"] for name, gain in gains.items()}, proof)
        return {
            **{"fresh": fresh, "bad": bad, "after": after, "gains": gains},
            **{"values": before, "kept": kept, "proof": proof, "alone": alone},
            "problems": self.problems,
        }

    def set(self, values):
        """Writes attributes of the queue; what the kernel does not take stays as it is."""
        for attribute, value in values.items():
            self.guest.shell(f"echo {value} >{self.path}/queue/{attribute} 2>/dev/null || true")

    @staticmethod
    def joined(first, second):
        return {name: values + second[name] for name, values in first.items()}

    def values(self):
        """Each attribute of the queue and of its scheduler, by its name."""
        lines = self.guest.shell(LOOK.format(self.path)).splitlines()
        pairs = (line.split(":", 1) for line in lines)
        return {name.removeprefix(f"{self.path}/queue/"): value for name, value in pairs}

    def require(self, before, what):
        after = self.values()
        if after != before:
            names = [name for name in before | after if before.get(name) != after.get(name)]
            self.problems.append(f"{what} has left {', '.join(names)} otherwise")

    def judge(self, gains, proof):
        """Whether the whole helps, by figures that the proof did not decide by."""
        clear = [(name, gain) for name, gain in gains.items() if gain["isClear"]]
        for name, gain in clear:
            if gain["ratio"] < 1:
                self.problems.append(f"{name}: {ratio_text(gain)} with what is kept")
        kept = [trial for trial in proof["trials"] if trial["decision"] == "kept"]
        if kept and not any(gain["ratio"] > 1 for _, gain in clear):
            rules = ", ".join(rule for trial in kept for rule in trial["rules"])
            self.problems.append(f"{rules} kept, and nothing is faster by it as a whole")

    def check(self, before, after, proof):
        """The proof keeps to its own figures, and what it kept is all that is different now."""
        allowed = set()
        for trial in proof["trials"]:
            own = next(f for f in trial["figures"] if f["name"] == trial["figure"])
            if trial["decision"] != "kept":
                continue
            if not own["isBetter"] or any(figure["isWorse"] for figure in trial["figures"]):
                rules = ", ".join(trial["rules"])
                self.problems.append(f"{rules} is kept against the proof's own figures")
            for change in trial["changes"]:
                allowed.add(change["target"].split("/", 1)[1])
        if "scheduler" in allowed:
            allowed |= {"nr_requests", "wbt_lat_usec"}
        for name in before | after:
            # From Linux 7.0 on the depth is the queue's own.
            follows = name.startswith("iosched/") or name == "async_depth"
            moved = follows and allowed & {"scheduler", "nr_requests"}
            if before.get(name) != after.get(name) and name not in allowed and not moved:
                self.problems.append(f"{name} is different, and was not kept")

    def prove(self, *words):
        options = f"--rounds {self.rounds} --slice {SLICE_MILLISECONDS}ms --size 16M"
        line = f"footing prove --json {options} {' '.join(words)} /tmp/mnt"
        return json.loads(self.guest.shell(line, seconds=1200))

    @staticmethod
    def untried(proof):
        """Rules that had nothing left to change when their turn came."""
        return [
            skipped["rule"]
            for skipped in proof["skipped"]
            if skipped["reason"] == "nothing is left to change"
        ]

    def alone(self, rule, before):
        proof = self.prove("--rules", rule)
        self.guest.shell("footing rollback")
        self.require(before, f"a rollback of {rule}")
        return proof

    def bench(self):
        line = f"footing bench --json --size 16M --seconds {BENCH_SECONDS} --rounds 5 /tmp/mnt"
        found = json.loads(self.guest.shell(line, seconds=300))
        workloads = {workload["name"]: workload["figures"] for workload in found["workloads"]}
        return {
            title: next(f["values"] for f in workloads[workload] if f["name"] == figure)
            for title, (workload, figure) in OVERALL.items()
        }


class Ratio:
    """How many times one figure is another, and whether that is more than noise, as
    `footing bench --compare` has it: beyond 10 %, and beyond three times both deviations."""

    def __init__(self, values, others):
        self.value = statistics.median(values) / statistics.median(others)
        noise = sum(self.spread(series) for series in (values, others))
        self.threshold = max(0.1, 3 * noise)

    @staticmethod
    def spread(values):
        middle = statistics.median(values)
        return statistics.median(abs(value - middle) for value in values) / middle

    def figures(self):
        is_clear = self.value > 1 + self.threshold or self.value < 1 / (1 + self.threshold)
        return {"ratio": self.value, "threshold": self.threshold, "isClear": is_clear}


def ratio_text(ratio):
    return f"{ratio['ratio']:.2f}x" + ("" if ratio["isClear"] else " (noise)")


def ratio_pair(gain):
    return ", ".join(ratio_text(gain[name]) for name in ("afterOverBad", "afterOverFresh"))


def overall_text(one):
    gains = one["gains"].items()
    return ", ".join(f"{name} {ratio_text(gain['afterOverBad'])}" for name, gain in gains)


def rows(one):
    """A row for each rule of a guest."""
    trials = [(trial, "") for trial in one["proof"]["trials"]]
    trials += [(trial, " (alone)") for proof in one["alone"] for trial in proof["trials"]]
    for trial, note in trials:
        own = next(f for f in trial["figures"] if f["name"] == trial["figure"])
        changes = ", ".join(
            f"{change['target'].split('/', 1)[1]} {change['from']} -> {change['to']}"
            for change in trial["changes"]
        )
        decision = trial["decision"]
        if trial["harmed"]:
            decision += ": " + ", ".join(trial["harmed"])
        gain, noise = f"{own['gain']:.2f}x", f"{own['noise'] * 100:.0f} %"
        yield (", ".join(trial["rules"]) + note, changes, trial["figure"], gain, noise, decision)
    for skipped in one["proof"]["skipped"]:
        yield (skipped["rule"], "", "", "", "", f"not tried: {skipped['reason']}")


def table(report, found):
    """Adds a table of the rules and one of the whole for each host, and judges."""
    for host, what in HOSTS.items():
        here = [one for one in found if one["host"] == host]
        if not here:
            continue
        report.tables.append(f"### Tuning: a host with {what}")
        head = ("device", "rule", "change", "figure", "gain", "noise", "decision")
        report.table(head, [(one["device"], *row) for one in here for row in rows(one)])
        head = ("device", *(f"{name}: against bad, against the kernel's own" for name in OVERALL))
        cells = [[ratio_pair(one["gains"][name]) for name in OVERALL] for one in here]
        report.table(head, [(one["device"], *row) for one, row in zip(here, cells)])
        for one in here:
            report.bar(
                f"tuning: {one['device']} that is set up badly, {what}, with what is kept",
                "measured apart nothing is slower, and something faster; undone to the byte",
                overall_text(one),
                not one["problems"],
                "; ".join(one["problems"]),
            )
