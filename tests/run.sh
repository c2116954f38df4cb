#!/bin/bash
# Runs tests and counts: run.sh NAME=COMMAND... Each command is a check (one test), a cmocka program or a
# script that prints "ok - ..." and "not ok - ..." lines. Ends with "N passed, N failed".
passed=0 failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for item in "$@"; do
    name=${item%%=*} command=${item#*=}
    start=$SECONDS
    timeout --foreground "${TEST_TIMEOUT:-600}" bash -c "$command" >"$log" 2>&1 </dev/null
    status=$?
    ok=$(grep -cE '^(\[       OK \]|ok - )' "$log")
    # cmocka names a failed test twice: where it fails and in a list below.
    bad=$(grep -E '^(\[  FAILED  \] test_[a-z0-9_]+$|not ok - )' "$log" | sort -u | grep -c .)
    # Nothing counted: the command itself is the test. Died after some: that is a failure of its own.
    [ "$ok$bad" = 00 ] && [ $status = 0 ] && ok=1
    [ "$bad" = 0 ] && [ $status != 0 ] && bad=1
    passed=$((passed + ok)) failed=$((failed + bad))
    printf '%-44s %4d passed %3d failed %4d s\n' "$name" "$ok" "$bad" $((SECONDS - start))
    [ "$bad" = 0 ] || sed 's/^/    /' "$log"
    grep -E '^(skip - |\[  SKIPPED \] test)' "$log" | sed 's/^/    /'
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
