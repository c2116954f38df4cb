#!/bin/bash
# The judge of `make chaos` sees what it is there to see: a sweep that nothing disturbed is right, and the same sweep
# with one thing spoilt is not.
. "$(dirname "$0")/lib.sh"
SWEEP=$WORK/judged.yaml
cat >"$SWEEP" <<'END'
name: judged
method: grid
parameters:
  modulus: {value: 11}
  hidden: {value: 16}
  seed: {min: 0, max: 1}
  epochs: {value: 40}
grokd:
  measure: {every: 10, curve_epochs: [final]}
  save_model: [0, final]
END

# copied: the undisturbed sweep once more, to be spoilt.
copied() {
    undisturbed
    rm -rf "$DIR"
    cp -r "$WORK/calm" "$DIR"
}

# guilty LOST DUPLICATED DIFFERING: the judge says no, and these are his counts.
guilty() {
    refuses judge "$DIR/ledger" || return
    [ "$LOST $DUPLICATED $DIFFERING" = "$*" ] || { echo "# counted $LOST $DUPLICATED $DIFFERING, not $*"; return 1; }
}

# spoilt SQL COUNTS...
spoilt() {
    copied
    sqlite3 "$DIR/data/results.db" "$1"
    guilty "${@:2}"
}

test_an_undisturbed_sweep_is_right() {
    copied
    judge "$DIR/ledger"
    [ "$LOST $DUPLICATED $DIFFERING" = "0 0 0" ]
}

test_a_lost_row_of_any_table_is_seen() {
    spoilt "DELETE FROM epochs WHERE run_id = 1 AND epoch = 7" 1 0 0
    spoilt "DELETE FROM geometry WHERE run_id = 2 AND epoch = 20" 1 0 0
    spoilt "DELETE FROM pruning WHERE run_id = 1 AND epoch = 40 AND fraction > 0.99" 1 0 0
    spoilt "DELETE FROM features WHERE (run_id, epoch, layer, name) = (SELECT run_id, epoch, layer, name FROM features LIMIT 1)" 1 0 0
    spoilt "DELETE FROM models WHERE run_id = 2 AND epoch = 0" 1 0 0
    spoilt "DELETE FROM summaries WHERE run_id = 1" 1 0 0
}

test_a_value_that_differs_is_seen() {
    spoilt "UPDATE epochs SET test_loss = test_loss + 1e-15 WHERE run_id = 1 AND epoch = 40" 0 0 1
    spoilt "UPDATE pruning SET loss = NULL WHERE run_id = 2 AND epoch = 40 AND fraction > 0.99" 0 0 1
}

test_a_row_or_an_end_too_many_is_seen() {
    spoilt "INSERT INTO features VALUES (1, 40, 'model', 'joy', 1)" 0 1 0
    spoilt "INSERT INTO attempts SELECT run_id, 2, worker_id, started_at, ended_at, outcome, reason, from_epoch, to_epoch,
        blas, blas_fingerprint, seconds FROM attempts WHERE run_id = 1" 0 1 0
}

test_acknowledgements_that_are_false_or_missing_are_seen() {
    copied
    echo "1 1 41 0" >>"$DIR/ledger"
    guilty 1 0 0
    copied
    echo "1 2 40 1" >>"$DIR/ledger"
    guilty 1 0 0
    copied
    : >"$DIR/ledger"
    guilty 0 0 0
    rm "$DIR/ledger"
    guilty 0 0 0
}

test_a_database_that_is_not_sound_is_seen() {
    # An index that lacks a row.
    spoilt "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'due > 0', 'due >= 0')
        WHERE name = 'sweeps_to_aggregate'" 0 0 0
    spoilt "UPDATE attempts SET worker_id = 99 WHERE run_id = 1" 0 0 0
    spoilt "UPDATE runs SET state = 'failed' WHERE run_id = 1" 0 0 0
    copied
    : >"$DIR/data/results.db"
    refuses judge "$DIR/ledger"
    [ "$LOST" -gt 82 ]
}

test_files_that_are_not_as_promised_are_seen() {
    copied
    printf x >>"$(ls "$DIR"/data/models/* | head -1)"
    guilty 0 0 0
    copied
    rm "$(ls "$DIR"/data/models/* | head -1)"
    guilty 0 0 0
    copied
    touch "$DIR/data/models/3-0.safetensors"
    guilty 0 0 0
    copied
    mkdir -p "$DIR/data/checkpoints"
    touch "$DIR/data/checkpoints/1-40-1"
    guilty 0 0 0
    spoilt "INSERT INTO checkpoints VALUES (1, 40, 1, 'checkpoints/1-40-1', '', 0)" 0 0 0
}

test_trouble_that_was_in_vain_is_seen() {
    mostly_felt 40 4
    refuses mostly_felt 40 5
    refuses mostly_felt 0 1
}

run_tests
