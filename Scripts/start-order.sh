#!/usr/bin/env bash
# Writes Scripts/start-order.txt anew: the functions that `footing detect` runs, which the linker
# puts side by side. Needs valgrind, which sees each of them once, whatever the machine's speed.
#
# Worth it after a change of what detection does; a stale list costs some page faults, no more.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }
Scripts/release.sh
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
# Without the debugger's tables, which valgrind cannot read all of.
strip --strip-debug -o "$work/footing" .build/static/release/footing
for arguments in "detect --json --no-network" "detect --no-network" "--version"; do
    # shellcheck disable=SC2086 # words on purpose
    valgrind --quiet --tool=callgrind --demangle=no --callgrind-out-file="$work/calls.%p" \
        "$work/footing" $arguments >/dev/null
done
# "fn=(12) name" or "cfn=(12) name"; recursion adds 'N.
sed -nE "s/^c?fn=\([0-9]+\) ([A-Za-z_\$][^ ']*).*/\1/p" "$work"/calls.* |
    LC_ALL=C sort --unique >Scripts/start-order.txt
echo "Scripts/start-order.txt: $(wc -l <Scripts/start-order.txt) functions"
Scripts/release.sh
