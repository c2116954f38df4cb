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

# parts RUN: what grokctl stiff left of a run.
parts() { query "SELECT epoch, layer, name, quote(value) FROM features WHERE run_id = $1 AND layer IN ('stiff', 'sloppy')"; }

test_steps_are_split_by_the_end_of_a_finished_run() {
    cat >"$DIR/s.yaml" <<'END'
name: split
method: grid
parameters:
  modulus: {value: 11}
  hidden: {value: 32}
  seed: {min: 1, max: 2}
  epochs: {value: 40}
grokd:
  measure: {every: 10}
END
    sed 's/^name: .*/name: kept/; s/^grokd:/&\n  save_model: [final]/' "$DIR/s.yaml" >"$DIR/kept.yaml"
    coord --exit-when-done --local 2 "$DIR/s.yaml" "$DIR/kept.yaml"
    ends coord 0
    query "SELECT count(*) FROM features" >"$DIR/before"
    ctl stiff 1 | grep -qE '^run 1: [0-9.]+% of its parameters are stiff at epoch 40; 4 steps split'
    [ "$(parts 1 | wc -l)" = $((4 * 6 - 2 + 2)) ]
    is "SELECT count(*) - $(parts 1 | wc -l) FROM features" "$(cat "$DIR/before")"
    is "SELECT count(*) FROM features AS a JOIN features AS b USING (run_id, epoch, name) JOIN geometry USING (run_id, epoch)
        WHERE a.layer = 'stiff' AND b.layer = 'sloppy' AND name = 'step_fisher'
          AND abs(a.value * a.value + b.value * b.value - step_fisher * step_fisher) < 1e-12" 4
    ctl verify 1 | grep -q equal
    coord # a coordinator that runs writes it; the last weights are kept here
    [ "$(ctl --output json stiff 3 | grep -c '"steps": 4}')" = 1 ]
    cmp <(parts 1) <(parts 3)
    ctl stop
    ends coord 0
    sqlite3 "$DIR/data/results.db" "UPDATE epochs SET train_loss = train_loss + 1e-15 WHERE run_id = 2 AND epoch = 5"
    refuses ctl stiff 2 2>"$DIR/answer"
    grep -q 'run 2, epoch 5: train_loss was stored as' "$DIR/answer"
    [ -z "$(parts 2)" ]
    printf x >>"$DIR/data/$(query "SELECT path FROM models WHERE run_id = 4")"
    refuses ctl stiff 4 2>"$DIR/answer"
    grep -q 'is not the file that was stored' "$DIR/answer"
    sqlite3 "$DIR/data/results.db" "UPDATE runs SET state = 'cancelled' WHERE run_id = 2"
    refuses ctl stiff 2 2>"$DIR/answer"
    grep -q 'run 2 is cancelled: only a finished run' "$DIR/answer"
}

wal() { stat -c %s "$DIR/data/results.db-wal"; }

# While somebody reads, the log only grows: commits go on beyond what he sees, and it is cut when he lets go.
test_an_open_snapshot_and_a_writers_lock_lose_nothing() {
    local had before
    coord --local 2 "$SWEEP"
    await 30 holds "SELECT count(*) > 100 FROM epochs"
    mkfifo "$DIR/reader"
    sqlite3 -readonly "$DIR/data/results.db" <"$DIR/reader" >"$DIR/reader.out" &
    PIDS+=($!)
    exec 9>"$DIR/reader"
    echo "BEGIN; SELECT count(*) FROM epochs;" >&9
    await 10 test -s "$DIR/reader.out"
    before=$(wal)
    await 1 holds "SELECT count(*) > $(cat "$DIR/reader.out") FROM epochs"
    for _ in 1 2 3; do
        had=$(query "SELECT count(*) FROM epochs")
        await 1 holds "SELECT count(*) > $had OR (SELECT state = 'done' FROM sweeps) FROM epochs"
    done
    sqlite3 -cmd '.timeout 5000' "$DIR/data/results.db" "BEGIN IMMEDIATE; SELECT count(*) FROM epochs; COMMIT;"
    await 60 holds "SELECT state = 'done' FROM sweeps"
    had=$(wal)
    [ "$had" -gt $((before + 1000000)) ]
    exec 9>&-
    shorter() { [ "$(wal)" -lt $((had / 10)) ]; }
    await 10 shorter
    ctl stop
    ends coord 0
    every_epoch_once
}

# Whoever holds the write lock stops the store as a full disk does, and the whole time of it `status` says so.
test_status_says_why_nothing_goes_on() {
    coord --exit-when-done --local 2 "$SWEEP"
    await 30 holds "SELECT count(*) > 100 FROM epochs"
    refuses grep -q 'nothing is handed out' <(ctl status)
    mkfifo "$DIR/writer"
    sqlite3 -cmd '.timeout 5000' "$DIR/data/results.db" <"$DIR/writer" >"$DIR/writer.out" &
    PIDS+=($!)
    exec 9>"$DIR/writer"
    echo "BEGIN IMMEDIATE; SELECT 1;" >&9
    await 10 test -s "$DIR/writer.out"
    says_why() { ctl status | grep -q 'nothing is handed out or acknowledged: .*results.db: .*database is locked'; }
    await 20 says_why
    ctl --output json status | grep -q '"trouble": "nothing is handed out'
    kill -STOP "$coord_PID"
    ctl status | grep -q 'cannot be reached\|did not answer'
    kill -CONT "$coord_PID"
    exec 9>&-
    ends coord 0
    every_epoch_once
}

run_tests
