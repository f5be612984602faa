"""What the interface to codecs costs, against the same library called without it.

A part of bench.py; described in docs/BENCHMARKS.md.
"""

import json
import statistics
import subprocess

LEAST = 0.9


def samples(program, rounds):
    """By operation and block size: the ratios, and the speeds of the interface."""
    found = {}
    for _ in range(rounds):
        words = [program, "accelerators", "--bench", "--json"]
        answer = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
        for line in answer["bench"]:
            ratios, speeds = found.setdefault((line["name"], line["blockBytes"]), ([], []))
            ratios.append(line["ratio"])
            speeds.append(line["bytesPerSecond"])
    return found


def measure(report, program, rounds):
    """Each operation at each size; the bar is judged by the median over the rounds."""
    found = samples(program, rounds)
    if not found:
        raise SystemExit("accelerators --bench measured nothing")
    rows = []
    for (name, block_bytes), (ratios, speeds) in sorted(found.items()):
        ratio = statistics.median(ratios)
        size = f"{block_bytes >> 10} KiB"
        report.bar(
            f"{name}, blocks of {size}",
            f"at least {LEAST}x the bare library",
            f"{ratio:.2f}x",
            ratio >= LEAST,
            f"{min(ratios):.2f} to {max(ratios):.2f}",
        )
        rows.append((name, size, f"{statistics.median(speeds) / 2**20:.0f}", f"{ratio:.2f}"))
        report.figures[f"{name}, {size}"] = {"ratios": ratios, "bytesPerSecond": speeds}
    report.table(("operation", "block", "MiB/s", "of the bare library"), rows)
