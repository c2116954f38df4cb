#!/bin/bash
# Runs go on from their checkpoints, elsewhere, and end with every number and every model of those that were
# never interrupted.
. "$(dirname "$0")/lib.sh"
SWEEP=$ROOT/tests/e2e/resume.yaml
QUICK="--heartbeat 500ms --lease 6s"

# same_with_models: ... and each model is in its place, with the bytes that were promised; no run that is over has
# a checkpoint.
same_with_models() {
    same_as_undisturbed
    models_kept
    no_checkpoints
    [ "$(ls "$DIR/data/models" | wc -l)" = 24 ]
}

# saved N: N runs that are under way have a checkpoint of epoch 300 or later.
saved() { holds "SELECT count(DISTINCT run_id) >= $1 FROM checkpoints JOIN runs USING (run_id)
                 WHERE state = 'running' AND epoch >= 300"; }

resumed() { holds "SELECT count(*) FROM attempts WHERE from_epoch > 1"; }

test_undisturbed_runs_begin_once_and_leave_24_models() {
    undisturbed
    DIR=$WORK/calm
    is "SELECT count(*), count(DISTINCT sha256), min(from_epoch), max(from_epoch) FROM models, attempts" "144|24|0|0"
    same_with_models
}

test_runs_of_a_worker_killed_go_on_from_their_checkpoints() {
    coord --exit-when-done $QUICK "$SWEEP"
    worker one -j 2
    await 30 saved 2
    kill -9 "$one_PID"
    worker two -j 2
    ends coord 0
    resumed
    same_with_models
}

# With checkpoints 10 minutes apart only the one that a worker makes when it leaves is there.
test_a_worker_told_to_leave_saves_its_runs() {
    sed 's/checkpoint_every: .*/checkpoint_every: 10m/' "$SWEEP" >"$DIR/rarely.yaml"
    coord --exit-when-done "$DIR/rarely.yaml"
    worker one -j 2
    await 30 holds "SELECT count(*) >= 2 FROM runs WHERE state = 'running' AND epochs_done >= 300"
    is "SELECT count(*) FROM checkpoints" 0
    kill -TERM "$one_PID"
    ends one 0
    # Nothing that was trained is trained again.
    is "SELECT count(*) > 0, min(epoch = epochs_done) FROM checkpoints JOIN runs USING (run_id)" "1|1"
    worker two -j 2
    ends coord 0
    is "SELECT count(*) FROM attempts a JOIN attempts b USING (run_id) WHERE b.attempt = a.attempt + 1
        AND a.to_epoch IS NOT NULL AND b.from_epoch <> a.to_epoch + 1" 0
    is "SELECT sum(losses) + sum(failures) FROM runs" 0
    same_with_models
}

# Of each run that has two, the newer checkpoint is torn: one by a bit, the others by a cut.
test_a_torn_checkpoint_is_noticed_and_the_one_before_is_used() {
    local endpoint path n=0
    coord $QUICK "$SWEEP"
    endpoint=$(sed -n 's/^listening on //p' "$DIR/coord.out")
    worker one -j 2
    await 30 saved 2
    kill -9 "$coord_PID" "$one_PID"
    wait "$coord_PID" "$one_PID" 2>/dev/null || true
    for path in $(query "SELECT path FROM checkpoints GROUP BY run_id HAVING epoch = max(epoch)"); do
        if [ $((n++)) = 0 ]; then
            printf x | dd of="$DIR/data/$path" bs=1 seek=9000 conv=notrunc status=none
        else
            truncate -s 10000 "$DIR/data/$path"
        fi
    done
    [ $n -ge 1 ]
    start coord "$BUILD/grokd-coord" --dir "$DIR/data" --listen "$endpoint" --exit-when-done $QUICK "$SWEEP"
    worker two -j 2
    ends coord 0
    is "SELECT count(*) FROM events WHERE kind = 'checkpoint' AND text LIKE '%is of no use: %torn%'" $n
    resumed
    same_with_models
}

test_without_its_files_a_run_begins_anew() {
    coord --exit-when-done $QUICK "$SWEEP"
    worker one -j 1
    await 30 saved 1
    kill -9 "$one_PID"
    wait "$one_PID" || true
    await 10 test -n "$(ls "$DIR/data/checkpoints")"
    rm "$DIR"/data/checkpoints/*
    worker two -j 2
    ends coord 0
    is "SELECT count(*) FROM attempts WHERE from_epoch > 0" 0
    same_with_models
}

test_everything_killed_again_and_again_goes_on_and_ends_the_same() {
    local endpoint=tcp://127.0.0.1:0 round target
    RANDOM=${KILL_SEED:-11}
    for round in $(seq "${KILL_ROUNDS:-8}"); do
        start coord "$BUILD/grokd-coord" --dir "$DIR/data" --listen "$endpoint" $QUICK "$SWEEP"
        await 20 listening
        endpoint=$(sed -n 's/^listening on //p' "$DIR/coord.out")
        worker one -j 2
        await 20 grep -q 'info session' "$DIR/one.err" # from then on it knows what SIGTERM asks of it
        target=$(query "SELECT total(epochs_done + 1) FROM runs" | cut -d. -f1)
        target=$((target + RANDOM % 4000))
        await 30 holds "SELECT total(epochs_done + 1) >= $target OR min(state) = 'finished' FROM runs"
        case $((RANDOM % 4)) in
        0) kill -9 "$coord_PID" "$one_PID" ;;
        1) kill -9 "$one_PID"; kill -TERM "$coord_PID" ;;
        2) kill -TERM "$one_PID"; ends one 0; kill -9 "$coord_PID" ;;
        3) kill -9 "$(pgrep -P "$one_PID" | head -1)" || true; kill -TERM "$coord_PID" "$one_PID" ;;
        esac
        wait "$coord_PID" "$one_PID" 2>/dev/null || true
        kept_so_far "$DIR/ledger"
    done
    start coord "$BUILD/grokd-coord" --dir "$DIR/data" --listen "$endpoint" --exit-when-done $QUICK "$SWEEP"
    worker one -j 2
    ends coord 0
    resumed
    same_with_models
}

run_tests
