#!/usr/bin/env bash
# Runs every fuzzer of Fuzz/: for a number of seconds each, or once over its stored corpus.
#
# A fuzzer is an executable target Fuzz/Sources/NAME with its seeds in Fuzz/Corpus/NAME. What it
# finds is left in Fuzz/.build/found/NAME, and belongs into the corpus once it is fixed.
set -euo pipefail

mode=${1:?usage: fuzz.sh SECONDS | corpus}
[[ -d Fuzz ]] || { echo "There is no Fuzz/ to run." >&2; exit 1; }

# Optimized, they try ten times as much; overflows and preconditions are checked all the same.
options=(--package-path Fuzz --configuration release --sanitize=fuzzer)
swift build "${options[@]}"
built=$(swift build "${options[@]}" --show-bin-path)
# Swift's own crash handler would end the process before the input that did it is written.
export SWIFT_BACKTRACE=enable=no

status=0
for source in Fuzz/Sources/*/; do
    name=$(basename "$source")
    seeds=Fuzz/Corpus/$name
    found=Fuzz/.build/found/$name
    [[ -x $built/$name ]] || continue
    mkdir -p "$found" "$seeds"
    if [[ $mode == corpus ]]; then
        inputs=(-runs=0 "$seeds")
    else
        inputs=(-max_total_time="$mode" "$found" "$seeds")
    fi
    echo "== $name"
    "$built/$name" -artifact_prefix="$found/" -timeout=20 \
        -print_final_stats=1 "${inputs[@]}" || status=1
done
exit "$status"
