#!/usr/bin/env bash
# Measures bin/footing against its peers; docs/BENCHMARKS.md says what and how.
# Options: Scripts/bench.sh --help.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PATH:/usr/sbin:/sbin
for tool in python3 fio nbdcopy nbdkit qemu-nbd qemu-img qemu-storage-daemon; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: run 'make deps'" >&2; exit 1; }
done
exec python3 Scripts/bench.py "$@"
