#!/bin/bash
# A key for one worker: it comes in, it is shut out while it trains, another goes on.
. "$(dirname "$0")/lib.sh"
SWEEP=$ROOT/tests/e2e/small.yaml

test_a_worker_whose_key_is_revoked_ends_and_another_finishes_the_sweep() {
    coord --exit-when-done "$SWEEP"
    ctl key new gpu1 >/dev/null
    ctl key list | grep -q ' gpu1$'
    cp "$DIR/data/keys/gpu1.access" "$DIR/own.access"
    start gpu "$BUILD/grokd-worker" --access "$DIR/own.access" -j 1
    await 30 holds "SELECT count(*) FROM runs WHERE state = 'running' AND epochs_done > 0"
    ctl key revoke gpu1 >/dev/null
    ends gpu 1
    grep -q 'key of this worker was revoked' "$DIR/gpu.err"
    holds "SELECT count(*) FROM events WHERE kind = 'revoked' AND text LIKE '%gpu1%'"
    holds "SELECT count(*) FROM attempts WHERE reason = 'its worker''s key was revoked'"
    [ ! -e "$DIR/data/keys/gpu1.access" ]
    start late "$BUILD/grokd-worker" --access "$DIR/own.access" -j 1
    await 20 grep -q 'does not accept this key' "$DIR/late.err"
    worker one -j 2
    ends coord 0
    is "SELECT count(*) FROM runs WHERE state = 'finished'" 6
    is "SELECT sum(losses) + sum(failures) FROM runs" 0
}

test_a_key_made_elsewhere_comes_in_once_it_is_added() {
    local key
    coord --exit-when-done "$SWEEP"
    ctl key new gpu1 --file "$DIR/own.access" --unlisted >"$DIR/said"
    key=$(sed -n "s/.*: not allowed yet; grokctl key add '\(.*\)' gpu1$/\1/p" "$DIR/said")
    refuses grep -qF "$key" <(ctl key list)
    start gpu "$BUILD/grokd-worker" --access "$DIR/own.access" -j 2
    await 20 grep -q 'does not accept this key' "$DIR/gpu.err"
    refuses ctl key add "${key%????}" gpu1 2>/dev/null
    is "SELECT count(*) FROM workers" 0
    ctl key add "$key" gpu1 | grep -qx 'gpu1 may come in'
    ctl key list | grep -qxF "$key  gpu1"
    ends coord 0 # it tries again by itself
    is "SELECT count(*) FROM runs WHERE state = 'finished'" 6
    is "SELECT count(*) FROM workers" 1
}

test_keys_are_made_only_where_a_coordinator_was_and_names_are_names() {
    code=0; "$BUILD/grokctl" --dir "$DIR/data" key new one 2>"$DIR/none.err" || code=$?
    [ $code = 2 ]
    coord
    code=0; ctl key new ../one 2>"$DIR/name.err" || code=$?
    [ $code = 2 ]
    ctl key new >/dev/null
    ctl --output json key list | grep -q '"name": "worker-1"'
    code=0; ctl key frob 2>/dev/null || code=$?
    [ $code = 2 ]
}

run_tests
