#!/usr/bin/env bash
# Runs every check and test, goes on after a failure, and ends with the sum of it all.
set -uo pipefail

# A crash ends the run at once instead of waiting at a debugger's prompt.
export SWIFT_BACKTRACE=enable=no
# Far beyond what any part takes: a hang ends too.
limit_seconds=2400

# Swift's tools leave folders behind wherever they run: these go when this ends. Not below /tmp,
# which may be memory, where TMPDIR says nothing else.
TMPDIR=$(mktemp -d "${TMPDIR:-/var/tmp}/footing-tests.XXXXXX") || exit 1
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

reports=.build/reports
rm -rf "$reports"
mkdir -p "$reports"
passed=0 failed=0 skipped=0
# What to look for further up, said again at the end.
failures=$reports/failures
: >"$failures"

# step NAME COMMAND...: one part that passes or fails as a whole.
step() {
    local name=$1 start=$SECONDS
    shift
    echo "== $name"
    if "$@" </dev/null; then
        passed=$((passed + 1))
        echo "== $name: done in $((SECONDS - start)) s"
    else
        failed=$((failed + 1))
        echo "$name" >>"$failures"
        echo "== $name: FAILED after $((SECONDS - start)) s"
    fi
}

# tests NAME OPTIONS...: a run of swift test, whose report is added to the sum.
tests() {
    local name=$1 report=$reports/$1.xml start=$SECONDS status counts ran wrong left
    shift
    echo "== $name tests"
    # The linker's remarks on the address sanitizer's own symbols would fill the log.
    timeout "$limit_seconds" "${optimized[@]}" \
        swift test --disable-xctest --xunit-output "$report" "$@" </dev/null 2>&1 |
        grep --line-buffered --invert-match 'Cannot export local symbol .__asan_' |
        tee "$reports/$name.log"
    status=${PIPESTATUS[0]}
    counts=$(sed -n 's/.*<testsuite .* tests="\([0-9]*\)" failures="\([0-9]*\)" skipped="\([0-9]*\)".*/\1 \2 \3/p' \
        "$report" 2>/dev/null)
    read -r ran wrong left <<<"${counts:-0 0 0}"
    # The report counts issues, of which a test can have several.
    if ((wrong > ran)); then wrong=$ran; fi
    # What is skipped is not among what ran.
    passed=$((passed + ran - wrong))
    # A crash or a sanitizer's report fails the run without failing a test in the report.
    if ((status != 0 && wrong == 0)); then wrong=1; fi
    # A filter that matches nothing passes; here that is a mistake.
    if ((ran + left == 0 && status == 0)); then
        echo "no test ran" >&2
        wrong=1
    fi
    failed=$((failed + wrong))
    if ((wrong > 0)); then
        echo "$name tests:" >>"$failures"
        grep --extended-regexp '^(✘|↳)|: (error|warning|fatal error): |^SUMMARY: |WARNING: Thread' \
            "$reports/$name.log" | cut --characters=1-300 | head -n 20 >>"$failures"
        ((status != 124)) || echo "did not end within $limit_seconds s" >>"$failures"
    fi
    skipped=$((skipped + left))
    echo "== $name tests: $ran in $((SECONDS - start)) s, $wrong failed, $left skipped"
}

# Without optimisation the simulations alone take ten minutes, and an hour under a sanitizer;
# preconditions and overflows are checked all the same. A folder of its own, or each build would undo
# the developer's.
optimized=(env FOOTING_OPTIMIZED=1)
tested=(--scratch-path .build/tested)
sanitized='^Footing(System|Acceleration|Disk|NBD|Host|Memory|Lifecycle|Commands|KubeVirt|Tuning)Tests\.'

step "format" make --no-print-directory lint
step "static program and plugin" Scripts/release.sh plugin
tests unit "${tested[@]}" --skip '^(FootingIntegration|FootingGuest)Tests\.'
if grep -qr '@Test' Tests/FootingIntegrationTests; then
    tests integration "${tested[@]}" --filter '^FootingIntegrationTests\.'
fi
step "guest kernels" Scripts/guests.sh
tests guest "${tested[@]}" --filter '^FootingGuestTests\.'
# They have allocators of their own: what the heap gives back cannot be seen.
export FOOTING_SANITIZED=1
tests thread-sanitizer --sanitize=thread --scratch-path .build/thread --filter "$sanitized"
# Leaks are not looked for: machines that a simulation lets crash, and the trees in which fields of
# manifests are read, stay behind in circles.
export ASAN_OPTIONS=detect_leaks=0
tests address-sanitizer --sanitize=address --scratch-path .build/address --filter "$sanitized"
if [[ -d Fuzz ]]; then
    step "fuzz corpora" Scripts/fuzz.sh corpus
fi

if ((failed > 0)); then
    echo "== what failed"
    cat "$failures"
fi
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
