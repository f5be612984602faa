"""What the hook costs a machine's start: the whole process, on a domain of 8 KiB.

A part of bench.py; described in docs/BENCHMARKS.md.
"""

import json
import os
import pathlib
import statistics
import subprocess
import time

DOMAIN_BYTES = 8192
FIXTURE = "Tests/FootingKubeVirtTests/Fixtures/large.xml"
GATE = """\
apiVersion: kubevirt.io/v1
kind: KubeVirt
metadata: {name: kubevirt}
spec: {configuration: {developerConfiguration: {featureGates: [Sidecar, HyperVL1VH]}}}
"""
ANNOTATIONS = {
    "footing/io-threads": "auto",
    "footing/queues": "auto",
    "footing/discard": "unmap",
    "footing/io": "native",
    "footing/cache": "none",
    "footing/numa-node": "0",
}


def manifest(annotations):
    """A machine that asks for the device."""
    limits = {"limits": {"devices.kubevirt.io/mshv": "1"}}
    spec = {"domain": {"resources": limits}}
    return json.dumps({"metadata": {"annotations": annotations}, "spec": spec})


def made_up_node(folder):
    """A root with the device and the gate."""
    root = pathlib.Path(folder, "node")
    for path in ("dev", "etc/footing"):
        (root / path).mkdir(parents=True, exist_ok=True)
    (root / "dev/mshv").touch()
    (root / "etc/footing/kubevirt.yaml").write_text(GATE)
    return str(root)


def peak(program, words):
    """Resident memory at most, by time(1): a child of this process is charged for Python's too."""
    line = ["/usr/bin/time", "-f", "%M", program, *words]
    result = subprocess.run(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return int(result.stderr.split()[-1]) / 1024


def measure(report, program, folder, rounds):
    """Passed through, of another type, and tuned as well, in turns."""
    domain = pathlib.Path(FIXTURE).read_text()
    rest = DOMAIN_BYTES - len(domain) - len("<!---->")
    domain = domain.replace("</domain>", f"<!--{'x' * rest}--></domain>")
    chosen = [program, "define-domain", "--root", made_up_node(folder)]
    kinds = {
        "passed through": ([program, "define-domain"], manifest({})),
        "type changed": (chosen, manifest({})),
        "type changed, disks tuned": (chosen, manifest(ANNOTATIONS)),
    }
    null = [(os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_WRONLY, 0) for number in (1, 2)]
    times = {title: [] for title in kinds}
    for _ in range(40 * rounds):
        for title, (words, machine) in kinds.items():
            words = [*words, "--vmi", machine, "--domain", domain]
            began = time.perf_counter()
            child = os.posix_spawn(program, words, os.environ, file_actions=null)
            _, status = os.waitpid(child, 0)
            times[title].append(time.perf_counter() - began)
            if status != 0:
                raise SystemExit(f"the hook failed: {words[:2]}")
    for title in kinds:
        milliseconds = statistics.median(times[title]) * 1000
        worst = max(times[title]) * 1000
        words, machine = kinds[title]
        mebibytes = peak(program, [*words[1:], "--vmi", machine, "--domain", domain])
        report.bar(
            f"KubeVirt's hook, 8 KiB, {title}",
            "at most 10 ms and 16 MiB",
            f"{milliseconds:.1f} ms, {mebibytes:.0f} MiB",
            milliseconds <= 10 and mebibytes <= 16,
            f"{worst:.1f} ms at worst of {len(times[title])}",
        )
