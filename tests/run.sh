#!/bin/bash
# Runs tests and counts: run.sh NAME=COMMAND... [-- NAME=COMMAND...]. Each command is a check (one test), a
# cmocka program or a script that prints "ok - ..." and "not ok - ..." lines. Those behind -- run one more at a
# time than there are processors, as many of them wait; the others one after another. Ends with "N passed, N failed".

# One item: a line of counts, with what went wrong or was skipped.
one() {
    local name=${1%%=*} command=${1#*=} log start=$SECONDS status ok bad
    log=$(mktemp)
    timeout --foreground "${TEST_TIMEOUT:-1200}" bash -c "$command" >"$log" 2>&1 </dev/null
    status=$?
    ok=$(grep -cE '^(\[       OK \]|ok - )' "$log")
    # cmocka names a failed test twice: where it fails and in a list below.
    bad=$(grep -E '^(\[  FAILED  \] test_[a-z0-9_]+$|not ok - )' "$log" | sort -u | grep -c .)
    # Nothing counted: the command itself is the test. Died after some: that is a failure of its own.
    [ "$ok$bad" = 00 ] && [ $status = 0 ] && ok=1
    [ "$bad" = 0 ] && [ $status != 0 ] && bad=1
    {
        printf '%-44s %4d passed %3d failed %4d s\n' "$name" "$ok" "$bad" $((SECONDS - start))
        [ "$bad" = 0 ] || sed 's/^/    /' "$log"
        grep -E '^(skip - |\[  SKIPPED \] test)' "$log" | sort -u | sed 's/^/    /'
    } >"$log.told"
    cat "$log.told" # at once: others write too
    rm -f "$log" "$log.told"
}

if [ "$1" = --one ]; then
    one "$2"
    exit 0
fi
told=$(mktemp)
trap 'rm -f "$told"' EXIT
at_a_time=1
while [ $# -gt 0 ]; do
    items=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        items+=("$1")
        shift
    done
    [ ${#items[@]} = 0 ] || printf '%s\0' "${items[@]}" | xargs -0 -n 1 -P "$at_a_time" "$0" --one | tee -a "$told"
    shift
    at_a_time=$(($(nproc) + 1))
done
# Again at the end, where they are looked for.
grep -E ' passed +[1-9][0-9]* failed +[0-9]+ s$' "$told" | grep -v '^ ' | sed 's/ *[0-9]* passed.*//; s/^/failed: /'
awk '/ passed .* failed +[0-9]+ s$/ && !/^ / {for (i = 2; i <= NF; i++) {if ($i == "passed") p += $(i-1); if ($i == "failed") f += $(i-1)}}
     END {printf "%d passed, %d failed\n", p, f; exit f > 0}' "$told"
