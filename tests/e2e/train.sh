#!/bin/bash
# grokd-train by itself: what it prints, what it writes, how it ends.
. "$(dirname "$0")/lib.sh"
SMALL="modulus=11 hidden=32 batch_size=16"

# train ARGS...: standard output in $DIR/rows, standard error in $DIR/train.err; gives its exit code.
train() { "$BUILD/grokd-train" "$@" >"$DIR/rows" 2>"$DIR/train.err"; }

# fails CODE TEXT ARGS...: ends with that code, one line on standard error that holds the text, no row.
fails() {
    local want=$1 text=$2 code=0; shift 2
    train "$@" || code=$?
    [ "$code" = "$want" ] || { echo "# $*: $code, not $want"; return 1; }
    [ "$(wc -l <"$DIR/train.err")" = 1 ] && grep -qF -- "$text" "$DIR/train.err" || { echo "# $*"; return 1; }
    [ "$want" = 1 ] || [ ! -s "$DIR/rows" ]
}

# ask SQL: over the table rows(row) of the JSON objects printed.
ask() {
    (echo '['; paste -sd, "$DIR/rows"; echo ']') >"$DIR/rows.json"
    sqlite3 :memory: "CREATE TABLE rows AS SELECT value AS row FROM json_each(readfile('$DIR/rows.json')); $1"
}

# same FILE FILE: rows alike but for the timings.
same() { diff <(sed -E 's/"[a-z_]*seconds": [^,]*, //g' "$1") <(sed -E 's/"[a-z_]*seconds": [^,]*, //g' "$2"); }

test_one_json_object_an_epoch() {
    train $SMALL epochs=5 grokd.measure.every=2 grokd.measure.pruning.points=3
    [ "$(ask "SELECT group_concat(json_extract(row, '\$.epoch')) FROM rows")" = 0,1,2,3,4,5 ]
    [ "$(ask "SELECT group_concat(json_extract(row, '\$.weight_norm') > 0) FROM rows")" = 1,1,1,1 ]
    [ "$(ask "SELECT json_extract(row, '\$.compressibility_rule') FROM rows LIMIT 1")" = "trapezoid 3" ]
    [ "$(ask "SELECT json_array_length(row, '\$.pruning') FROM rows LIMIT 1 OFFSET 5")" = 3 ]
    [ ! -s "$DIR/train.err" ]
}

test_the_same_point_gives_the_same_rows_and_measures_change_none() {
    train $SMALL epochs=20; mv "$DIR/rows" "$DIR/one"
    train $SMALL epochs=20; same "$DIR/one" "$DIR/rows"
    ask "SELECT json_extract(row, '\$.train_loss', '\$.test_loss', '\$.test_accuracy') FROM rows" >"$DIR/a"
    train $SMALL epochs=20 grokd.measure.every=0
    ask "SELECT json_extract(row, '\$.train_loss', '\$.test_loss', '\$.test_accuracy') FROM rows" >"$DIR/b"
    [ "$(wc -l <"$DIR/a")" = 21 ]
    cmp "$DIR/a" "$DIR/b"
}

test_a_folder_holds_all_to_do_it_again() {
    train $SMALL epochs=4 seed=3 --out "$DIR/deep/out" grokd.save_model=0,final
    cmp "$DIR/rows" "$DIR/deep/out/epochs.jsonl"
    [ "$(cd "$DIR/deep/out"; echo *)" = "data.safetensors epochs.jsonl run.json weights-0.safetensors weights-4.safetensors" ]
    [ "$(sqlite3 :memory: "SELECT json_extract(j, '\$.seed', '\$.modulus', '\$.learning_rate', '\$.optimizer', '\$.shuffle')
        FROM (SELECT readfile('$DIR/deep/out/run.json') AS j)")" = '[3,11,0.005,"adam",false]' ]
    mv "$DIR/rows" "$DIR/one"
    train $SMALL epochs=4 seed=99 --init "$DIR/deep/out/weights-0.safetensors" --data "$DIR/deep/out/data.safetensors"
    same "$DIR/one" "$DIR/rows"
    train $SMALL epochs=0 --init "$DIR/deep/out/weights-4.safetensors" --data "$DIR/deep/out/data.safetensors"
    [ "$(ask "SELECT json_extract(row, '\$.test_loss') FROM rows")" = \
        "$(sqlite3 :memory: "SELECT json_extract('$(tail -1 "$DIR/one")', '\$.test_loss')")" ]
}

test_a_point_of_a_sweep_is_the_same_as_its_values() {
    train "$ROOT/tests/worker/train_sweep.yaml" --run 3 $SMALL epochs=3; mv "$DIR/rows" "$DIR/one"
    train $SMALL epochs=3 seed=8 weight_multiplier=10 grokd.measure.every=4
    same "$DIR/one" "$DIR/rows"
}

test_the_stop_rule_ends_the_run() {
    train $SMALL epochs=400 weight_decay=1e-3 grokd.measure.every=0 grokd.stop.test_accuracy=0.05 grokd.stop.after=7
    [ "$(ask "WITH t AS (SELECT min(json_extract(row, '\$.epoch')) AS first FROM rows
        WHERE json_extract(row, '\$.test_accuracy') >= 0.05) SELECT max(json_extract(row, '\$.epoch')) - first FROM rows, t")" = 7 ]
}

test_a_second_pass_splits_the_steps_of_the_first_by_its_end() {
    local run="$SMALL epochs=30 grokd.measure.every=10"
    train $run --out "$DIR/out" grokd.save_model=final; mv "$DIR/rows" "$DIR/one"
    train $run --stiff "$DIR/out/weights-30.safetensors"
    for column in train_loss step_fisher cos_previous_fisher; do
        cmp <(sed "s/.*\"$column\": \([^,]*\),.*/\1/" "$DIR/one") <(sed "s/.*\"$column\": \([^,]*\),.*/\1/" "$DIR/rows")
    done
    [ "$(ask "SELECT count(*) FROM rows, json_each(row, '\$.features') AS f
        WHERE json_extract(f.value, '\$.layer') IN ('stiff', 'sloppy')")" = $((3 * 6 - 2 + 2)) ]
    fails 2 "nosuch.safetensors" $run --stiff nosuch.safetensors
    fails 2 "variants=regression" $run --stiff "$DIR/out/weights-30.safetensors" grokd.measure.fisher.variants=full
}

test_exit_codes_and_one_line_of_error() {
    fails 1 "diverged at epoch 1" $SMALL beta2=0 epsilon=0 weight_decay=0 epochs=9
    fails 2 "did you mean learning_rate?" learning_rat=3
    fails 2 "nosuch.safetensors" --resume nosuch.safetensors
    fails 2 "nosuch.yaml" nosuch.yaml
    fails 2 "nosuch.safetensors" --init nosuch.safetensors
    echo "method: grid
parameters:
  sead: {value: 1}" >"$DIR/bad.yaml"
    fails 2 "bad.yaml:3:3: unknown parameter \"sead\"; did you mean seed?" "$DIR/bad.yaml"
    echo "no tensors" >"$DIR/bad.safetensors"
    fails 2 "bad.safetensors" --data "$DIR/bad.safetensors"
    fails 2 "/dev/null: is there and no folder" --out /dev/null/x
    "$BUILD/grokd-train" --help | grep -q '^  weight_multiplier (1): '
    "$BUILD/grokd-train" --version | grep -q '^grokd-train [0-9]'
}

test_a_full_disk_is_storage_trouble() {
    local code=0
    "$BUILD/grokd-train" $SMALL epochs=1 >/dev/full 2>"$DIR/train.err" || code=$?
    [ $code = 4 ] && grep -q "standard output: No space left" "$DIR/train.err"
}

test_sigterm_ends_it_with_143() {
    start long "$BUILD/grokd-train" $SMALL epochs=100000000 grokd.measure.every=0
    await 20 test -s "$DIR/long.out"
    kill -TERM "$long_PID"
    ends long 143
}

# The rows and the folder of a run that was stopped and resumed are those of one that never was.
test_a_run_stopped_by_sigterm_goes_on_to_the_same_rows() {
    local run="$SMALL epochs=12000 grokd.measure.every=10 grokd.save_model=5000"
    train $run --out "$DIR/one"
    start long "$BUILD/grokd-train" $run --out "$DIR/two"
    await 20 grep -q '"epoch": 300,' "$DIR/two/epochs.jsonl"
    kill -TERM "$long_PID"
    ends long 143
    fails 2 "a checkpoint with config_hash" $run seed=9 --resume "$DIR/two/checkpoint.safetensors"
    train $run --out "$DIR/two" --resume "$DIR/two/checkpoint.safetensors"
    [ "$(wc -l <"$DIR/rows")" -lt 11701 ]
    same "$DIR/one/epochs.jsonl" "$DIR/two/epochs.jsonl"
    rm "$DIR"/*/epochs.jsonl
    diff -r "$DIR/one" "$DIR/two"
}

test_sigterm_ends_a_long_measure_and_leaves_where_to_go_on() {
    local run="$SMALL epochs=5 grokd.measure.llc.steps=1000000"
    start long "$BUILD/grokd-train" $run --out "$DIR/out"
    await 20 grep -q '"epoch": 4,' "$DIR/out/epochs.jsonl"
    kill -TERM "$long_PID"
    ends long 143
    [ "$(wc -l <"$DIR/out/epochs.jsonl")" = 5 ]
    start next "$BUILD/grokd-train" $run --out "$DIR/out" --resume "$DIR/out/checkpoint.safetensors"
    kill -TERM "$next_PID"
    ends next 143
}

test_checkpoints_are_written_as_often_as_asked() {
    start long "$BUILD/grokd-train" $SMALL epochs=1000000 grokd.checkpoint_every=1ms --out "$DIR/out"
    await 20 test -s "$DIR/out/checkpoint.safetensors"
    kill -9 "$long_PID"
    ends long 137
    cp "$DIR/out/checkpoint.safetensors" "$DIR/torn"
    printf x | dd of="$DIR/torn" bs=1 seek=5000 conv=notrunc status=none
    fails 2 "torn" $SMALL epochs=1000000 --resume "$DIR/torn"
    start next "$BUILD/grokd-train" $SMALL epochs=1000000 --resume "$DIR/out/checkpoint.safetensors"
    await 20 test -s "$DIR/next.out"
    kill -TERM "$next_PID"
    ends next 143
    [ "$(head -1 "$DIR/next.out" | sed 's/,.*//')" != '{"epoch": 0' ]
}

test_the_same_bits_whatever_openblas_would_choose() {
    train --blas
    grep -qE '^grokd [0-9a-f]{64}$' "$DIR/rows"
    cmp "$DIR/rows" <(OPENBLAS_CORETYPE=Haswell "$BUILD/grokd-train" --blas)
    train $SMALL epochs=5; mv "$DIR/rows" "$DIR/one"
    OPENBLAS_CORETYPE=Haswell train $SMALL epochs=5
    same "$DIR/one" "$DIR/rows"
}

# built CC FLAG: grokd-train by another compiler, at another level of optimisation, gives the rows in $DIR/ours.
built() {
    local build=$DIR/$1$2
    MAKEFLAGS='' make -s -C "$ROOT" CC="$1" BUILD="$build" CFLAGS="$2" "$build/grokd-train" >"$DIR/$1$2.log"
    "$build/grokd-train" $SMALL epochs=8 grokd.measure.every=1 >"$DIR/$1$2.rows"
    same "$DIR/ours" "$DIR/$1$2.rows"
}

test_the_same_bits_by_every_compiler_and_level_of_optimisation() {
    train $SMALL epochs=8 grokd.measure.every=1
    mv "$DIR/rows" "$DIR/ours"
    [ "$(wc -l <"$DIR/ours")" = 9 ]
    built clang -O0
    built gcc -O3
}

test_a_family_of_openblas_is_used_when_it_is_named() {
    local family
    train --blas grokd.blas=Haswell
    grep -qE '^Haswell [0-9a-f]{64}$' "$DIR/rows"
    cmp "$DIR/rows" <(OPENBLAS_CORETYPE=Zen "$BUILD/grokd-train" --blas grokd.blas=Haswell)
    train $SMALL epochs=5; mv "$DIR/rows" "$DIR/ours"
    train $SMALL epochs=5 grokd.blas=Haswell --out "$DIR/out"; mv "$DIR/rows" "$DIR/theirs"
    train $SMALL epochs=5 grokd.blas=Haswell
    same "$DIR/theirs" "$DIR/rows"
    [ "$(sqlite3 :memory: "SELECT json_extract(readfile('$DIR/out/run.json'), '\$.blas')")" = Haswell ]
    refuses same "$DIR/ours" "$DIR/theirs" >"$DIR/diff"
    paste -d '\n' "$DIR/ours" "$DIR/theirs" >"$DIR/rows" # by turns: rows n and n + 1 are of one epoch
    [ "$(ask "WITH r AS (SELECT rowid AS n, json_extract(row, '\$.test_loss') AS loss FROM rows)
        SELECT count(*) = 6 AND max(abs(a.loss - b.loss) / b.loss) < 1e-5
        FROM r AS a JOIN r AS b ON b.n = a.n + 1 WHERE a.n % 2 = 1")" = 1 ]
    fails 2 'grokd.blas: "Haswelll" is no family that OpenBLAS has here' grokd.blas=Haswelll
}

test_the_bar_is_for_terminals_only() {
    script -qec true /dev/null </dev/null >/dev/null 2>&1 || { echo "skip - no terminal to be had"; return 0; }
    train $SMALL epochs=3
    [ ! -s "$DIR/train.err" ]
    script -qec "$BUILD/grokd-train $SMALL epochs=3 >$DIR/rows" /dev/null </dev/null >"$DIR/screen"
    grep -q '3/3 ########################' "$DIR/screen"
    [ "$(wc -l <"$DIR/rows")" = 4 ]
}

run_tests
