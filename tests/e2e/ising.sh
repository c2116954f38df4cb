#!/bin/bash
# The Ising task end to end: a small sweep, the same bits on any slot, and what its tables hold.
. "$(dirname "$0")/lib.sh"

# sweep NAME LOCAL: the small sweep into $DIR/NAME with LOCAL slots, which becomes $DIR/data.
sweep() {
    cat >"$DIR/ising.yaml" <<'END'
name: small-ising
method: grid
parameters:
  task: {value: ising}
  lattice: {value: 8}
  train_size: {value: 100}
  test_size: {value: 150}
  glauber_sweeps: {value: 16}
  weight_multiplier: {values: [1, 10]}
  seed: {min: 0, max: 1}
  epochs: {value: 1000}
grokd:
  measure: {every: 100, curve_epochs: [0, final]}
END
    rm -rf "$DIR/data"
    start coord "$BUILD/grokd-coord" --dir "$DIR/data" --listen tcp://127.0.0.1:0 --local "$1" --exit-when-done \
        "$DIR/ising.yaml"
    ends coord 0
}

test_a_sweep_on_two_slots_fills_every_table() {
    sweep 2
    is "SELECT count(*) FROM runs WHERE state = 'finished'" 4
    every_epoch_once
    is "SELECT count(*) FROM epochs WHERE train_loss IS NULL OR test_accuracy IS NULL" 0
    is "SELECT count(*) FROM epochs WHERE corr_energy BETWEEN 0 AND 1 AND corr_abs_magnetization BETWEEN 0 AND 1
        AND compressibility >= 1 AND weight_norm > 0 AND epoch % 100 = 0" $((4 * 11))
    is "SELECT count(*) FROM epochs WHERE corr_energy IS NOT NULL AND epoch % 100 <> 0" 0
    is "SELECT count(*) FROM features" $((4 * 11 * (36 + 12) + 4 * 2 * (50 + 6)))
    is "SELECT count(*) FROM features JOIN epochs USING (run_id, epoch)
        WHERE layer = 'fc1' AND name = 'energy_weighted' AND value = corr_energy" $((4 * 11))
    is "SELECT count(*) FROM geometry WHERE step_fisher > 0 AND step_fisher_class > 0
        AND abs(cos_origin_fisher) <= 1 AND abs(cos_origin_fisher_class) <= 1" $((4 * 10))
    is "SELECT count(*) FROM pruning" $((4 * 2 * 21))
    is "PRAGMA journal_mode" delete
}

test_columns_of_the_other_task_are_null() {
    sweep 2
    is "SELECT count(*) FROM runs WHERE modulus IS NULL AND train_fraction IS NULL AND lattice = 8 AND hidden = 100" 4
    is "SELECT count(ipr_input) + count(ipr_output) FROM epochs" 0
    is "SELECT count(*) FROM run_summary WHERE t_plateau_end IS NULL AND t_train IS NOT NULL" 4
    is "SELECT count(*) FROM seed_mean WHERE seeds = 2 AND epoch = 1000 AND corr_energy_error >= 0" 2
    ctl export --table features | grep -q '^1,0,conv1,energy_mean,'
}

test_one_slot_gives_the_bits_of_two() {
    sweep 2
    values "$DIR/two"
    sweep 1
    values "$DIR/one"
    cmp "$DIR/one" "$DIR/two"
    grep -q "^features " "$DIR/one"
}

test_stored_numbers_are_those_of_grokd_train() {
    sweep 2
    "$BUILD/grokd-train" "$DIR/ising.yaml" --run 3 >"$DIR/run.jsonl"
    (echo '['; paste -sd, "$DIR/run.jsonl"; echo ']') >"$DIR/run.json"
    is "SELECT count(*) FROM epochs AS e JOIN json_each(readfile('$DIR/run.json')) AS j ON e.epoch = j.key
        WHERE run_id = (SELECT run_id FROM runs WHERE point = 3) AND json_extract(value, '\$.train_loss') = train_loss
        AND json_extract(value, '\$.test_loss') = test_loss
        AND json_extract(value, '\$.corr_energy') IS corr_energy" 1001
}

run_tests
