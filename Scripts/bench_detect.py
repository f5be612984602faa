"""What `footing detect` costs, against the programs that answer a part of the same questions."""

import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time

MIB = 1 << 20


def timed(words, null):
    """Wall time from the start of a process to its end."""
    began = time.perf_counter()
    os.waitpid(os.posix_spawn(words[0], words, os.environ, file_actions=null), 0)
    return time.perf_counter() - began


def measure(report, footing, rounds):
    """The whole of `detect --json` against one peer and against four, in turns."""
    null = [(os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_WRONLY, 0) for number in (1, 2)]
    ours = [footing, "detect", "--json", "--no-network"]
    compare(report, ours, ["systemd-detect-virt"], 0.5, null, 40 * rounds)
    # It keeps its result, and would not look a second time; nor may it write into the real /run.
    os.environ["DI_LOG"] = os.environ["PATH_RUN_CI_CFG"] = "/dev/null"
    os.environ["PATH_RUN_CI"], os.environ["PATH_RUN_DI_RESULT"] = "/dev", "/dev/null"
    identify = os.environ.get("DS_IDENTIFY", "/usr/lib/cloud-init/ds-identify")
    others = ["virt-what", "lscpu", "lstopo-no-graphics", identify]
    compare(report, ours, others, 0.05, null, 10 * rounds)
    count_calls(report, ours)
    measure_peak(report, ours)


def measure_peak(report, words):
    """Peak of resident memory, by time(1): a child of this process would be charged for Python."""
    title = "`footing detect --json`, resident memory"
    if not os.path.exists("/usr/bin/time"):
        return report.skip(title, "GNU time is missing")
    line = ["/usr/bin/time", "-f", "%M", *words]
    told = [subprocess.run(line, capture_output=True, text=True).stderr for _ in range(10)]
    memory = max(int(text.split()[-1]) for text in told) * 1024
    report.bar(title, "at most 8 MiB", f"{memory / MIB:.1f} MiB", memory <= 8 * MIB)


def compare(report, ours, peers, bar, null, pair_count):
    """The ratio of our time to the sum of the peers' that are installed."""
    found = [shutil.which(peer) for peer in peers]
    missing = [os.path.basename(peer) for peer, path in zip(peers, found) if not path]
    names = ", ".join(os.path.basename(path) for path in found if path)
    title = "`footing detect --json`, wall time against "
    if not names:
        return report.skip(title + ", ".join(missing), "missing")
    pairs = []
    for _ in range(pair_count):
        mine = timed(ours, null)
        pairs.append((mine, sum(timed([path], null) for path in found if path)))
    ratio = statistics.median(a / b for a, b in pairs)
    mine, theirs = (statistics.median(values) * 1000 for values in zip(*pairs))
    report.figures.setdefault("detect", {})[names] = {"medianRatio": ratio, "seconds": pairs}
    measured = f"{ratio:.3f}x ({mine:.1f} ms to {theirs:.1f} ms)"
    if missing and ratio > bar:
        # The sum lacks the slowest ones: it proves nothing.
        why = f"not judged without {', '.join(missing)}: {measured}"
        return report.skip(title + names, why)
    note = f"median of {len(pairs)} pairs"
    report.bar(title + names, f"at most {bar}x", measured, ratio <= bar, note)


def count_calls(report, words):
    """System calls of a whole detection, and files that are opened more than once."""
    title = "`footing detect --json`, system calls"
    if not shutil.which("strace"):
        return report.skip(title, "strace is missing")
    with tempfile.NamedTemporaryFile(mode="r") as log:
        calls = ["strace", "-f", "-y", "-o", log.name, *words]
        subprocess.run(calls, check=True, stdout=subprocess.DEVNULL)
        lines = [line for line in log if re.match(r"\d+ +\w+\(", line)]
    # With -y a descriptor shows its path; a folder is opened once more to be listed.
    opened = [
        "/".join(part for part in match.groups() if part)
        for line in lines
        if "O_DIRECTORY" not in line and "O_PATH" not in line
        for match in [re.search(r"openat2?\(\w+<([^>]*)>, \"([^\"]*)\".*= \d+", line)]
        if match
    ]
    repeated = sorted({path for path in opened if opened.count(path) > 1})
    report.figures.setdefault("detect", {})["calls"] = len(lines)
    report.bar(
        title,
        "no file twice",
        f"{len(lines)} calls, {len(opened)} files, {len(repeated)} of them twice",
        not repeated,
        ", ".join(repeated),
    )
