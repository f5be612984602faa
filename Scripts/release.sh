#!/usr/bin/env bash
# Builds the static program and puts it, stripped, at bin/footing.
set -euo pipefail

# Other flags than the debug build's: a folder of its own, or each build would undo the other.
options=(-c release --scratch-path .build/static -Xswiftc -static-executable)
swift build "${options[@]}" --product footing
built=$(swift build "${options[@]}" --show-bin-path)/footing
mkdir -p bin
strip -o bin/footing "$built"

if ldd bin/footing >/dev/null 2>&1; then
    echo "bin/footing needs shared libraries:" >&2
    ldd bin/footing >&2
    exit 1
fi
echo "bin/footing $(bin/footing --version): static, $(stat -c %s bin/footing) bytes"
