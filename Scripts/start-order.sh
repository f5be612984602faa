#!/usr/bin/env bash
# Writes Scripts/start-order.txt anew: the functions and the data that `footing detect` touches,
# which the linker puts side by side. Needs valgrind, which sees each of them, whatever the
# machine's speed.
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
trace() {
    valgrind --quiet --tool=lackey --trace-mem=yes --log-file="$work/$1" "$work/footing" "${@:2}"
}
trace json detect --json --no-network >/dev/null
trace text detect --no-network >/dev/null
trace version --version >/dev/null
python3 Scripts/start_order.py "$work/footing" "$work"/{json,text,version} -- \
    detect --json --no-network >"$work/order"
mv "$work/order" Scripts/start-order.txt
echo "Scripts/start-order.txt: $(wc -l <Scripts/start-order.txt) names"
Scripts/release.sh
