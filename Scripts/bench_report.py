"""What the benchmarks found, as Markdown and as a file of figures."""

import json
import os
import pathlib
import statistics
import sys


def say(text):
    print(text, file=sys.stderr, flush=True)


def median(samples, key):
    return statistics.median(sample[key] for sample in samples)


def ratios(samples, peer):
    """The program's speed as a multiple of a peer's, in each round."""
    pairs = zip(samples["footing"], samples[peer])
    return [ours["perSecond"] / theirs["perSecond"] for ours, theirs in pairs]


class Report:
    """What goes to standard output, as Markdown, and into the file of figures."""

    def __init__(self, results):
        self.results = results
        self.bars = []
        self.tables = []
        self.figures = {}

    def bar(self, title, bar, measured, is_met, note=""):
        self.bars.append((title, bar, measured, "met" if is_met else "**not met**", note))
        say(f"{title}: {measured}, bar {bar}: {'met' if is_met else 'NOT MET'}")

    def skip(self, title, why):
        self.bars.append((title, "", "", "skipped", why))
        say(f"skipped: {title}: {why}")

    def table(self, head, rows):
        lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
        self.tables.append("\n".join(lines))

    def add(self, workload, samples):
        """Judges a workload by its bars and adds a row for each server."""
        peers = {p: statistics.median(ratios(samples, p)) for p in samples if p != "footing"}
        spread = {p: ratios(samples, p) for p in peers}
        for peer, least in workload.bars.items():
            if not peers or (peer != "best" and peer not in peers):
                continue
            name = min(peers, key=peers.get) if peer == "best" else peer
            low, high = min(spread[name]), max(spread[name])
            self.bar(
                workload.title,
                f"at least {least}x {'the best peer' if peer == 'best' else name}",
                f"{peers[name]:.2f}x {name}",
                peers[name] >= least,
                f"{low:.2f} to {high:.2f}",
            )
        if workload.processor_bar and "nbdkit-file" in samples:
            key = "processorMicroseconds"
            pairs = zip(samples["footing"], samples["nbdkit-file"])
            parts = [ours[key] / theirs[key] for ours, theirs in pairs if theirs[key] > 0]
            if parts:
                part = statistics.median(parts)
                self.bar(
                    f"{workload.title}: processor time for each",
                    f"at most {workload.processor_bar}x nbdkit-file",
                    f"{part:.2f}x",
                    part <= workload.processor_bar,
                    f"{min(parts):.2f} to {max(parts):.2f}",
                )
        self.figures[workload.title] = {
            "samples": samples,
            "ratios": spread,
            "medianRatios": peers,
        }
        rows = []
        for name, values in samples.items():
            ratio = "1" if name == "footing" else f"{peers[name]:.2f}"
            speed = median(values, "perSecond")
            latency = median(values, "p99Microseconds")
            processor = median(values, "processorMicroseconds")
            rows.append((name, f"{speed:.0f}", ratio, f"{latency:.0f}", f"{processor:.1f}"))
        head = ("server", "per second", "footing is x times it", "p99 µs", "CPU µs each")
        self.tables.append(f"### {workload.title}")
        self.table(head, rows)

    def print(self, machine):
        self.figures["machine"] = machine
        bars, self.tables = self.tables, []
        head = ("what", "bar", "measured", "result", "range over the rounds")
        self.table(head, self.bars)
        print("\n\n".join([machine["text"], *self.tables, *bars]))
        self.figures["bars"] = self.bars
        os.makedirs(os.path.dirname(os.path.abspath(self.results)), exist_ok=True)
        pathlib.Path(self.results).write_text(json.dumps(self.figures, indent=1, sort_keys=True) + "\n")
        say(f"the figures are in {self.results}")
