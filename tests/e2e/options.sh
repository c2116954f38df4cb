#!/bin/bash
# The options of a run, from a sweep file to SQL: a grid over them, what a plan says, what is stored, what is refused.
. "$(dirname "$0")/lib.sh"

# grid LINE...: a small sweep with these axes in $DIR/sweep.yaml.
grid() {
    printf 'name: options\nmethod: grid\nparameters:\n' >"$DIR/sweep.yaml"
    printf '  modulus: {value: 11}\n  hidden: {value: 16}\n  batch_size: {value: 16}\n  epochs: {value: 20}\n' >>"$DIR/sweep.yaml"
    printf '  %s\n' "$@" >>"$DIR/sweep.yaml"
    printf 'grokd:\n  measure: {every: 10}\n' >>"$DIR/sweep.yaml"
}

test_a_grid_over_options_is_planned_trained_and_stored() {
    grid 'optimizer: {values: [adam, adamw, sgd]}' 'loss: {values: [cross_entropy, mse, stablemax]}' \
        'gradient_filter: {values: [none, grokfast_ema, grokfast_ma]}' 'grokfast_window: {value: 30}' \
        'orthogonal_gradient: {values: [false, true]}' 'learning_rate: {value: 0.01}'
    "$BUILD/grokctl" plan "$DIR/sweep.yaml" >"$DIR/plan"
    grep -q '^options: 54 runs' "$DIR/plan"
    grep -q 'point 0: gradient_filter=none loss=cross_entropy optimizer=adam orthogonal_gradient=false' "$DIR/plan"
    coord --exit-when-done --local 2 "$DIR/sweep.yaml"
    ends coord 0
    is "SELECT count(*) FROM runs WHERE state = 'finished'" 54
    is "SELECT count(DISTINCT config_hash) FROM runs" 54
    every_epoch_once
    # every option changes what is learned
    is "SELECT count(DISTINCT train_loss) FROM epochs WHERE epoch = 20" 54
    # and the weight of slow gradients follows the filter
    is "SELECT group_concat(DISTINCT gradient_filter || ' ' || grokfast_lambda) FROM (SELECT * FROM runs ORDER BY gradient_filter)" \
        "grokfast_ema 2.0,grokfast_ma 5.0,none 0.0"
    # probabilities are measured where they are the softmax of the logits, nowhere else
    is "SELECT group_concat(DISTINCT loss) FROM runs JOIN geometry USING (run_id) WHERE progress IS NOT NULL" cross_entropy
    is "SELECT count(*) FROM runs JOIN geometry USING (run_id) WHERE epoch = 20 AND step_euclid IS NULL" 0
}

test_operations_and_squares_are_trained_and_stored() {
    grid 'operation: {values: [addition, subtraction, multiplication, division, x2_plus_y2]}' \
        'activation: {values: [relu, square]}'
    coord --exit-when-done --local 2 "$DIR/sweep.yaml"
    ends coord 0
    is "SELECT count(*) FROM runs WHERE state = 'finished'" 10
    every_epoch_once
    is "SELECT group_concat(DISTINCT operation) FROM (SELECT * FROM runs JOIN epochs USING (run_id)
        WHERE ipr_output IS NOT NULL ORDER BY operation)" addition,subtraction
}

test_s5_is_learned_by_the_same_network() {
    "$BUILD/grokd-train" operation=s5 hidden=64 epochs=2 train_fraction=0.9 grokd.measure.every=0 >"$DIR/rows" 2>"$DIR/s5.err"
    [ "$(wc -l <"$DIR/rows")" = 3 ]
    [ "$(sqlite3 :memory: "SELECT json_extract('$(head -1 "$DIR/rows")', '\$.test_loss') > 4")" = 1 ]
    "$BUILD/grokctl" plan "$ROOT/deploy/sweeps/operations.yaml" >"$DIR/plan"
    grep -q 'operation=s5' "$DIR/plan"
}

test_what_does_not_fit_together_is_refused_with_its_point() {
    local code=0
    grid 'operation: {values: [addition, s5]}'
    "$BUILD/grokctl" plan "$DIR/sweep.yaml" 2>"$DIR/plan.err" || code=$?
    [ $code = 2 ]
    grep -q 'sweep.yaml:[0-9]*:3: point 1 .*modulus: 11 does not fit; s5 has 120 elements: leave it out' "$DIR/plan.err"
    [ "$(wc -l <"$DIR/plan.err")" = 1 ]
}

# A run that remembers gradients, stopped and resumed, is one that never was.
test_a_run_with_filters_is_resumed_to_the_bit() {
    local run="modulus=11 hidden=16 batch_size=16 grokd.measure.every=0 gradient_filter=grokfast_ma grokfast_window=50
        orthogonal_gradient=true optimizer=sgd momentum=0.9 loss=mse learning_rate=1e-4 epochs=8000"
    # shellcheck disable=SC2086
    "$BUILD/grokd-train" $run --out "$DIR/one" >/dev/null 2>"$DIR/one.err"
    # shellcheck disable=SC2086
    start two "$BUILD/grokd-train" $run --out "$DIR/two"
    await 20 grep -q '"epoch": 300,' "$DIR/two/epochs.jsonl"
    kill -TERM "$two_PID"
    ends two 143
    refuses grep -q "\"epoch\": 8000," "$DIR/two/epochs.jsonl"
    # shellcheck disable=SC2086
    "$BUILD/grokd-train" $run --out "$DIR/two" --resume "$DIR/two/checkpoint.safetensors" >/dev/null 2>"$DIR/two.err"
    cmp <(sed -E 's/"[a-z_]*seconds": [^,]*, //g' "$DIR/one/epochs.jsonl") <(sed -E 's/"[a-z_]*seconds": [^,]*, //g' "$DIR/two/epochs.jsonl")
}

test_a_network_disk_is_refused_unless_told_otherwise() {
    local nfs="env LD_PRELOAD=$BUILD/tests/e2e/nfs.so" code=0
    $nfs "$BUILD/grokd-coord" --dir "$DIR/data" --listen tcp://127.0.0.1:0 2>"$DIR/refused.err" || code=$?
    [ $code = 4 ]
    grep -q 'lies on NFS, .*--network-disk' "$DIR/refused.err"
    [ ! -e "$DIR/data/results.db" ]
    start coord $nfs "$BUILD/grokd-coord" --dir "$DIR/data" --listen tcp://127.0.0.1:0 --network-disk
    await 20 listening
    grep -q 'network_disk .*system=NFS' "$DIR/coord.err"
}

run_tests
