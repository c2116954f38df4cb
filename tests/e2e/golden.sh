#!/bin/bash
# The golden runs (tests/golden/make_golden.py, PyTorch in double precision) replayed through grokd-train with
# their initial weights and their data. float32 against float64: close at first, drifting apart slowly.
. "$(dirname "$0")/lib.sh"
GOLDEN=$ROOT/tests/golden

# replay TASK PREFIX EPOCHS: a golden run from its init/ or final/ weights; its rows as one JSON array in $DIR/rows.json.
replay() {
    TASK=$1
    local modular="task=modular_addition modulus=43 hidden=128 train_fraction=0.8 batch_size=32 learning_rate=5e-3
        weight_decay=1e-4" ising="task=ising learning_rate=2e-3 weight_decay=0.02"
    # shellcheck disable=SC2086
    "$BUILD/grokd-train" --init "$GOLDEN/$TASK.safetensors:$2" --data "$GOLDEN/${TASK}_data.safetensors" \
        ${!TASK} "epochs=$3" grokd.measure.every=1 grokd.measure.fisher.samples=16 grokd.measure.pruning.points=21 \
        >"$DIR/rows.jsonl" 2>"$DIR/train.err"
    (echo '['; paste -sd, "$DIR/rows.jsonl"; echo ']') >"$DIR/rows.json"
}

# golden SQL: with tables ours(epoch, row) and gold(epoch, row), and gold's final measures as final(doc).
golden() {
    sqlite3 :memory: "
        CREATE TABLE ours AS SELECT json_extract(value, '\$.epoch') AS epoch, value AS row
            FROM json_each(readfile('$DIR/rows.json'));
        CREATE TABLE gold AS SELECT json_extract(value, '\$.epoch') AS epoch, value AS row
            FROM json_each(readfile('$GOLDEN/$TASK.json'), '\$.epochs');
        CREATE TABLE final AS SELECT json_extract(readfile('$GOLDEN/$TASK.json'), '\$.final') AS doc;
        $1"
}

# near COLUMN PATH FIRST LAST TOLERANCE: relative differences of our column from gold's path, all rows there.
near() {
    local bad
    bad=$(golden "SELECT '# epoch ' || epoch || ' $1: ' || ifnull(a, 'NULL') || ', not ' || b FROM (
            SELECT epoch, json_extract(ours.row, '\$.$1') AS a, json_extract(gold.row, '\$.$2') AS b
            FROM gold LEFT JOIN ours USING (epoch) WHERE epoch BETWEEN $3 AND $4)
        WHERE b IS NULL OR a IS NULL OR abs(a - b) > $5 * abs(b)")
    [ -z "$bad" ] || { echo "$bad"; return 1; }
}

test_losses_follow_the_golden_run() {
    replay modular init/ 60
    [ "$(wc -l <"$DIR/rows.jsonl")" = 61 ]
    near train_loss running_train_loss 1 5 1e-4
    near test_loss test_loss 0 5 1e-4
    near train_loss_end train_loss 0 5 1e-4
    near train_loss running_train_loss 60 60 1e-2
    near test_loss test_loss 60 60 1e-2
    near train_loss_end train_loss 60 60 1e-2
    near train_accuracy running_train_accuracy 1 5 1e-9
    near test_accuracy test_accuracy 0 5 1e-9
    near train_accuracy_end train_accuracy 0 5 1e-9
    near train_accuracy running_train_accuracy 60 60 1e-2
    near test_accuracy test_accuracy 60 60 1e-2
    near weight_norm weight_norm 0 5 1e-5
    near weight_norm weight_norm 60 60 1e-3
}

test_geometry_follows_the_golden_run() {
    replay modular init/ 60
    near step_euclid geometry_diagonal.euclidean.step 1 5 1e-3
    near cos_origin_euclid geometry_diagonal.euclidean.cos_origin 1 5 1e-3
    near cos_previous_euclid geometry_diagonal.euclidean.cos_previous 2 5 1e-3
    near step_fisher geometry_diagonal.regression.step 1 5 1e-3
    near cos_origin_fisher geometry_diagonal.regression.cos_origin 1 5 1e-3
    near cos_previous_fisher geometry_diagonal.regression.cos_previous 2 5 1e-3
    near step_fisher_class geometry_diagonal.classification.step 1 5 1e-3
    near cos_origin_fisher_class geometry_diagonal.classification.cos_origin 1 5 1e-3
    near cos_previous_fisher_class geometry_diagonal.classification.cos_previous 2 5 1e-3
    near step_euclid geometry_diagonal.euclidean.step 60 60 5e-2
    near step_fisher geometry_diagonal.regression.step 60 60 5e-2
}

test_measures_of_the_final_weights_are_golden() {
    replay modular final/ 0
    [ "$(golden "SELECT max(abs(a - b) / b) < 1e-4 AND count(*) = 3 FROM (
        SELECT json_extract(row, '\$.ipr_output') AS a, json_extract(doc, '\$.fourier.W.real') AS b FROM ours, final
        UNION ALL SELECT json_extract(row, '\$.ipr_input'),
            (json_extract(doc, '\$.fourier.U.real') + json_extract(doc, '\$.fourier.V.real')) / 2 FROM ours, final
        UNION ALL SELECT json_extract(row, '\$.compressibility'),
            json_extract(doc, '\$.pruning.layer.compressibility') FROM ours, final)")" = 1 ]
    # The whole curve: `final` is epoch 0 here. Accuracies are shares of whole samples, so they are equal.
    [ "$(golden "SELECT count(*) || ' ' || (max(abs(a - b)) < 1e-12) || ' ' || (max(abs(c - d) / d) < 1e-4) FROM (
        SELECT json_extract(p.value, '\$.accuracy') AS a, json_extract(doc, '\$.pruning.layer.accuracy[' || p.key || ']') AS b,
            json_extract(p.value, '\$.loss') AS c, json_extract(doc, '\$.pruning.layer.loss[' || p.key || ']') AS d
        FROM ours, final, json_each(row, '\$.pruning') AS p)")" = "21 1 1" ]
}

test_losses_follow_the_golden_ising_run() {
    replay ising init/ 150
    [ "$(wc -l <"$DIR/rows.jsonl")" = 151 ]
    near train_loss running_train_loss 1 5 1e-4
    near test_loss test_loss 0 5 1e-4
    near train_loss_end train_loss 0 5 1e-4
    near train_loss running_train_loss 150 150 1e-2
    near test_loss test_loss 150 150 1e-2
    near train_accuracy running_train_accuracy 1 5 1e-9
    near test_accuracy test_accuracy 0 5 1e-9
    near train_accuracy running_train_accuracy 150 150 1e-2
    near test_accuracy test_accuracy 150 150 2e-2
    near weight_norm weight_norm 0 5 1e-5
    near weight_norm weight_norm 150 150 1e-3
}

test_geometry_follows_the_golden_ising_run() {
    replay ising init/ 75
    local metric
    for metric in "euclid euclidean" "fisher regression" "fisher_class classification"; do
        set -- $metric
        near "step_$1" "geometry_diagonal.$2.step" 1 75 1e-3
        near "cos_origin_$1" "geometry_diagonal.$2.cos_origin" 1 75 1e-3
        near "cos_previous_$1" "geometry_diagonal.$2.cos_previous" 2 75 1e-3
    done
}

test_measures_of_the_final_ising_weights_are_golden() {
    replay ising final/ 0
    [ "$(golden "SELECT count(*) || ' ' || (max(abs(a - b) / b) < 1e-4) FROM (
        SELECT json_extract(f.value, '\$.value') AS a, json_extract(doc, '\$.features.' || json_extract(f.value, '\$.layer') ||
            '.' || replace(replace(json_extract(f.value, '\$.name'), '_mean', '.mean'), '_weighted', '.weighted')) AS b
        FROM ours, final, json_each(row, '\$.features') AS f) WHERE b IS NOT NULL")" = "18 1" ]
    [ "$(golden "SELECT count(*) || ' ' || (max(abs(a - b)) < 1e-12) || ' ' || (max(abs(c - d) / d) < 1e-4) FROM (
        SELECT json_extract(p.value, '\$.accuracy') AS a, json_extract(doc, '\$.pruning.layer.accuracy[' || p.key || ']') AS b,
            json_extract(p.value, '\$.loss') AS c, json_extract(doc, '\$.pruning.layer.loss[' || p.key || ']') AS d
        FROM ours, final, json_each(row, '\$.pruning') AS p)")" = "21 1 1" ]
}

run_tests
