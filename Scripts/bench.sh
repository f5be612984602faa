#!/usr/bin/env bash
# Measures bin/footing against its peers; docs/BENCHMARKS.md says what and how.
#
#   ROUNDS=5 SECONDS_PER_SAMPLE=3   how often and how long each server is measured
#   HOURS=1 or MINUTES=3            how long the run is that watches the memory
#   ONLY=detect,nbd,capped,recovery,memory   parts to run
#   TMPDIR=...                      where the images go: 15 GiB on a real disk
#   RESULTS=.build/bench.json       where the figures go as JSON
set -euo pipefail

PATH=$PATH:/usr/sbin:/sbin
for tool in python3 fio nbdcopy nbdkit qemu-nbd qemu-img; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: run 'make deps'" >&2; exit 1; }
done
exec python3 Scripts/bench.py
