#!/bin/bash
# A sweep from its file to SQL, undisturbed: two workers, a laptop, files that are wrong, doors that stay shut.
. "$(dirname "$0")/lib.sh"
SWEEP=$ROOT/tests/e2e/small.yaml

test_two_workers_finish_a_sweep_and_every_epoch_is_stored_once() {
    coord --exit-when-done "$SWEEP"
    worker one -j 1
    worker two -j 1
    ends coord 0
    is "SELECT count(*) FROM runs WHERE state = 'finished'" 6
    is "SELECT count(DISTINCT worker_id) FROM attempts" 2
    is "SELECT count(*) FROM attempts WHERE outcome = 'finished'" 6
    is "SELECT count(*) FROM summaries" 6
    is "SELECT count(*) FROM run_summary WHERE final_test_loss IS NOT NULL" 6
    is "SELECT count(*) FROM pruning" $((6 * 2 * 21))
    every_epoch_once
    is "PRAGMA journal_mode" delete
    is "SELECT count(*) FROM sweeps WHERE aggregated_at IS NOT NULL AND aggregate_due = 0" 1
    is "SELECT count(*) FROM seed_stats AS y JOIN seed_mean AS x USING (sweep_id, setting, epoch)
        WHERE measure = 'test_loss' AND count = seeds AND abs(mean - test_loss) < 1e-12
        AND abs(error - test_loss_error) < 1e-7" "$(query "SELECT count(*) FROM seed_mean")"
    is "SELECT count(*) FROM events WHERE kind = 'not_finite'" 0
    is "SELECT count(*) FROM embedding" "$(query "SELECT count(*) FROM geometry WHERE sketch IS NOT NULL")"
    is "SELECT count(*) FROM embedding_anchors" "$(query "SELECT 5 * count(*) FROM evaluations")"
    is "SELECT count(*) FROM embedding_quality WHERE points = (SELECT count(*) FROM embedding)
        AND kept_1 <= kept_2 AND kept_2 <= kept_3 AND kept_3 <= 1" "$(query "SELECT count(*) FROM evaluations")"
    is "SELECT count(*) FROM summaries WHERE straightness_plateau > 0 AND peak_lag IS NOT NULL" 6
    query "SELECT * FROM seed_stats" >"$DIR/before"
    ctl aggregate last >"$DIR/answer" # nobody runs: grokctl writes it itself
    query "SELECT * FROM seed_stats" | cmp - "$DIR/before"
    is "PRAGMA journal_mode" delete
}

test_stored_numbers_are_those_of_grokd_train() {
    coord --exit-when-done --local 1 "$SWEEP"
    ends coord 0
    "$BUILD/grokd-train" "$SWEEP" weight_multiplier=10 seed=1 >"$DIR/run.jsonl"
    local run epoch
    run=$(query "SELECT run_id FROM runs WHERE weight_multiplier = 10 AND seed = 1")
    for epoch in 0 1 20 6000; do
        is "SELECT count(*) FROM epochs e, (SELECT value AS row FROM json_each('[$(sed -n $((epoch + 1))p "$DIR/run.jsonl")]'))
            WHERE run_id = $run AND epoch = $epoch AND json_extract(row, '\$.epoch') = epoch
            AND json_extract(row, '\$.train_loss') = train_loss AND json_extract(row, '\$.test_loss') = test_loss
            AND json_extract(row, '\$.compressibility') = compressibility" 1
    done
}

test_the_same_sweep_file_adds_nothing_twice() {
    coord "$SWEEP"
    ctl submit "$SWEEP"
    ctl submit "$SWEEP"
    is "SELECT count(*) || ' ' || (SELECT count(*) FROM runs) FROM sweeps" "1 6"
}

test_a_bad_sweep_file_gets_one_line_and_nothing_is_stored() {
    printf 'method: grid\nparameters:\n  weight_multiplyer: {value: 1}\n' >"$DIR/bad.yaml"
    start coord "$BUILD/grokd-coord" --dir "$DIR/data" --listen tcp://127.0.0.1:0 "$DIR/bad.yaml"
    ends coord 2
    grep -q 'bad.yaml:3:3: .*weight_multiplier' "$DIR/coord.err"
    [ "$(grep -c . "$DIR/coord.err")" = 1 ]
    [ ! -e "$DIR/data/results.db" ] || is "SELECT (SELECT count(*) FROM sweeps) + (SELECT count(*) FROM runs)" 0
}

test_a_bad_file_sent_to_a_running_coordinator_is_refused() {
    coord
    printf 'method: grid\nparameters:\n  seed: {values: []}\n' >"$DIR/bad.yaml"
    refuses ctl submit "$DIR/bad.yaml" 2>"$DIR/answer"
    refuses ctl aggregate 7 2>>"$DIR/answer"
    ctl aggregate >"$DIR/nothing" # the coordinator does it
    grep -q 'bad.yaml:3' "$DIR/answer"
    is "SELECT count(*) FROM sweeps" 0
}

test_a_second_coordinator_on_a_directory_refuses() {
    coord
    start second "$BUILD/grokd-coord" --dir "$DIR/data" --listen tcp://127.0.0.1:0
    refuses wait "$second_PID"
    grep -q "in use" "$DIR/second.err"
    kill -TERM "$coord_PID"
    ends coord 0
}

test_a_worker_with_a_strangers_key_is_refused() {
    coord "$SWEEP"
    # A key pair made elsewhere, the right endpoint and server key.
    start other "$BUILD/grokd-coord" --dir "$DIR/elsewhere" --listen tcp://127.0.0.1:0
    await 20 test -s "$DIR/elsewhere/access"
    kill -TERM "$other_PID"
    grep -E '^(endpoint|server) ' "$DIR/data/access" >"$DIR/stranger"
    grep -E '^(public|secret) ' "$DIR/elsewhere/access" >>"$DIR/stranger"
    chmod 600 "$DIR/stranger"
    start worker "$BUILD/grokd-worker" --access "$DIR/stranger" -j 1
    await 20 grep -q 'does not accept this key' "$DIR/worker.err"
    is "SELECT (SELECT count(*) FROM workers) + (SELECT count(*) FROM attempts)" 0
}

test_a_port_that_is_taken_ends_with_code_3() {
    coord
    local endpoint
    endpoint=$(sed -n 's/^listening on //p' "$DIR/coord.out")
    start second "$BUILD/grokd-coord" --dir "$DIR/second" --listen "$endpoint"
    ends second 3
}

# peak PID: the most memory a process has used, in KiB.
peak() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"; }

test_memory_stays_under_64_mib() {
    cat >"$DIR/many.yaml" <<'END'
name: many
method: grid
parameters:
  seed: {min: 0, max: 9999}
END
    coord "$DIR/many.yaml"
    await 20 holds "SELECT count(*) = 10000 FROM runs"
    worker one -j 1
    await 60 holds "SELECT epochs_done > 1 FROM runs WHERE state = 'running'"
    local slot
    slot=$(pgrep -P "$one_PID")
    echo "# KiB: coordinator $(peak "$coord_PID"), daemon $(peak "$one_PID"), slot $(peak "$slot")"
    [ "$(peak "$coord_PID")" -lt 65536 ]
    [ "$(peak "$one_PID")" -lt 65536 ]
    [ "$(peak "$slot")" -lt 65536 ]
}

run_tests
