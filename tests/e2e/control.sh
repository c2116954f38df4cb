#!/bin/bash
# The person at the keyboard: grokctl and sqlite3 while a sweep runs.
. "$(dirname "$0")/lib.sh"
SWEEP=$ROOT/tests/e2e/small.yaml

test_plan_counts_and_stores_nothing() {
    "$BUILD/grokctl" --dir "$DIR/data" plan "$SWEEP" >"$DIR/plan"
    grep -q '6 runs' "$DIR/plan"
    [ ! -e "$DIR/data/results.db" ]
}

test_pause_lets_running_runs_end_and_resume_goes_on() {
    coord "$SWEEP"
    worker one -j 1
    await 30 holds "SELECT count(*) FROM runs WHERE state = 'running' AND epochs_done > 0"
    ctl pause 1
    is "SELECT state FROM sweeps" paused
    await 60 holds "SELECT count(*) = 0 FROM runs WHERE state = 'running'"
    holds "SELECT count(*) FROM runs WHERE state = 'waiting'"
    holds "SELECT count(*) FROM runs WHERE state = 'finished'"
    ctl resume 1
    await 60 holds "SELECT count(*) = 6 FROM runs WHERE state = 'finished'"
    await 10 holds "SELECT state = 'done' FROM sweeps"
}

test_cancel_stops_running_runs_and_keeps_their_rows() {
    coord "$SWEEP"
    worker one -j 2
    await 30 holds "SELECT count(*) FROM runs WHERE state = 'running' AND epochs_done > 20"
    ctl cancel 1
    await 20 holds "SELECT count(*) = 6 FROM runs WHERE state IN ('cancelled', 'finished')"
    holds "SELECT count(*) FROM epochs"
    is "SELECT state FROM sweeps" cancelled
}

test_a_run_that_diverges_fails_once_keeps_its_rows_and_can_be_tried_again() {
    cat >"$DIR/d.yaml" <<'END'
name: diverges
method: grid
parameters:
  modulus: {value: 23}
  beta2: {value: 0}          # a step is then m/|g|, without bound where a gradient vanishes
  epsilon: {value: 0}
  weight_decay: {value: 0}
  epochs: {value: 50}
END
    coord --exit-when-done "$DIR/d.yaml"
    worker one -j 1
    ends coord 1
    is "SELECT state || ' ' || attempt FROM runs" "failed 1"
    holds "SELECT reason LIKE '%diverged at epoch %' FROM runs"
    ctl runs --filter failed | grep -q diverged
    coord
    worker two -j 1
    ctl retry --failed
    await 20 holds "SELECT attempt = 2 AND state = 'failed' FROM runs"
    ctl retry --fresh | grep -q '1 run waits again'
    await 20 holds "SELECT attempt = 3 AND state = 'failed' FROM runs"
    is "SELECT count(*) FROM events WHERE text LIKE '%begin anew'" 1
}

test_reading_verbs_work_on_the_database_alone() {
    coord --exit-when-done --local 2 "$SWEEP"
    ends coord 0
    ctl status >"$DIR/status"
    grep -q 'small' "$DIR/status"
    [ "$(ctl --output json runs | grep -c '"run_id"')" -ge 1 ]
    ctl export --format csv --table epochs >"$DIR/epochs.csv"
    [ "$(wc -l <"$DIR/epochs.csv")" = $((6 * 6001 + 1)) ]
    ctl explain 1
    ctl verify 1 | grep -q '^run 1: trained again, 6001 epochs, .* equal$'
    sqlite3 "$DIR/data/results.db" "UPDATE epochs SET test_loss = test_loss + 1e-15 WHERE run_id = 2 AND epoch = 77"
    refuses ctl verify 2 2>"$DIR/answer"
    grep -q 'run 2, epoch 77: test_loss was stored as' "$DIR/answer"
    sqlite3 "$DIR/data/results.db" "DELETE FROM pruning WHERE run_id = 3 AND epoch = 10 AND fraction > 0.99"
    refuses ctl verify 3 2>"$DIR/answer"
    grep -q 'run 3, epoch 10: ' "$DIR/answer"
    refuses ctl pause 1 2>"$DIR/answer"
    grep -q 'no coordinator' "$DIR/answer"
}

test_an_open_snapshot_and_a_writers_lock_lose_nothing() {
    coord --exit-when-done --local 2 "$SWEEP"
    await 30 holds "SELECT count(*) > 100 FROM epochs"
    mkfifo "$DIR/reader"
    sqlite3 -readonly "$DIR/data/results.db" <"$DIR/reader" >"$DIR/reader.out" &
    exec 9>"$DIR/reader"
    echo "BEGIN; SELECT count(*) FROM epochs;" >&9
    await 10 test -s "$DIR/reader.out"
    sqlite3 -cmd '.timeout 5000' "$DIR/data/results.db" "BEGIN IMMEDIATE; SELECT count(*) FROM epochs; COMMIT;"
    ends coord 0
    exec 9>&-
    every_epoch_once
}

run_tests
