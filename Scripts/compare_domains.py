#!/usr/bin/env python3
"""Compares footing's converter with domains that another converter made of the same manifests.

    Scripts/compare_domains.py FOLDER [PROGRAM]

FOLDER has NAME.vmi.yaml, NAME.xml (the domain to expect) and, where one is needed,
NAME.context.yaml with `asKubeVirt: true`. Where NAME.error stands instead of NAME.xml, the other
converter refused, and so must ours. Both domains are brought into canonical form (C14N 2.0, blanks
between elements left out); what differs is shown line by line. Ends with 1 if anything differs.
"""

import difflib
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree


def canonical(text):
    return ElementTree.canonicalize(text, strip_text=True).replace("><", ">\n<").splitlines()


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.split("\n\n")[1].strip())
    folder = pathlib.Path(sys.argv[1])
    program = sys.argv[2] if len(sys.argv) == 3 else "bin/footing-kubevirt"
    counts = {"identical": 0, "refused by both": 0, "different": 0}
    for manifest in sorted(folder.glob("*.vmi.yaml")):
        name = manifest.name.removesuffix(".vmi.yaml")
        expected = folder / f"{name}.xml"
        refusal = folder / f"{name}.error"
        context = folder / f"{name}.context.yaml"
        words = [program, "convert", manifest]
        if context.exists():
            words += ["--context", context]
        result = subprocess.run(words, capture_output=True, text=True)
        if refusal.exists():
            verdict = "refused by both" if result.returncode else "different"
            lines = [refusal.read_text().strip()] if verdict == "different" else []
        elif result.returncode:
            verdict, lines = "different", [result.stderr.strip()]
        else:
            lines = list(
                difflib.unified_diff(
                    canonical(expected.read_text()), canonical(result.stdout), lineterm="", n=1
                )
            )
            verdict = "different" if lines else "identical"
        counts[verdict] += 1
        print(f"{name}: {verdict}")
        for line in lines:
            print(f"    {line}")
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    sys.exit(counts["different"] > 0 or not any(counts.values()))


if __name__ == "__main__":
    main()
