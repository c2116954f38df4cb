#!/bin/bash
# Networks so wide that their checkpoints and weights travel in parts: runs go on from them elsewhere, and end with
# every number of those that were never interrupted.
. "$(dirname "$0")/lib.sh"
SWEEP=$ROOT/tests/e2e/wide.yaml
QUICK="--heartbeat 500ms --lease 6s"

# the_same: ... and nothing is left that was on its way.
the_same() {
    same_as_undisturbed
    no_checkpoints
}

# saved: both runs are under way and have a checkpoint of some epoch.
saved() { holds "SELECT count(DISTINCT run_id) = 2 FROM checkpoints JOIN runs USING (run_id)
                 WHERE state = 'running' AND bytes > 1e7 AND epoch > 0"; }

travelling() { [ -n "$(ls "$DIR"/data/checkpoints/*.part)" ]; }

# gone_on: both runs, whose first attempts ended too early, went on after their checkpoints.
gone_on() {
    is "SELECT count(DISTINCT run_id) FROM attempts WHERE from_epoch > 1" 2
    is "SELECT count(*) FROM events WHERE kind = 'checkpoint'" 0
    refuses grep checkpoint_gone "$DIR"/*.err
}

test_runs_of_a_worker_killed_go_on_from_checkpoints_in_parts() {
    coord --exit-when-done $QUICK "$SWEEP"
    worker one -j 2
    await 60 saved
    kill -9 "$one_PID"
    worker two -j 2
    ends coord 0
    gone_on
    the_same
}

# What one process has of a file is worth nothing to the next: the worker sends it again. Its slots stand still
# meanwhile, so that the file is no newer one.
test_a_coordinator_killed_while_files_travel_gets_them_again() {
    local endpoint round file cut again=0
    coord $QUICK "$SWEEP"
    endpoint=$(sed -n 's/^listening on //p' "$DIR/coord.out")
    worker one -j 2
    for round in 1 2 3; do
        await 60 travelling
        kill -9 "$coord_PID"
        pkill -STOP -P "$one_PID"
        wait "$coord_PID" || true
        cut=$(ls "$DIR/data/checkpoints" | sed -n 's/part$/safetensors/p')
        start coord "$BUILD/grokd-coord" --dir "$DIR/data" --listen "$endpoint" $QUICK "$SWEEP"
        await 20 listening
        for file in $cut; do
            await 60 holds "SELECT count(*) FROM checkpoints WHERE path = 'checkpoints/$file'"
            again=$((again + 1))
        done
        pkill -CONT -P "$one_PID"
    done
    [ $again -gt 0 ]
    await 60 saved
    is "SELECT sum(losses) + sum(failures) FROM runs" 0
    kill -9 "$one_PID"
    worker two -j 2
    await 60 holds "SELECT min(state = 'finished') FROM runs"
    kill -TERM "$coord_PID"
    ends coord 0
    gone_on
    the_same
}

test_a_worker_told_to_leave_saves_what_is_large_too() {
    sed 's/checkpoint_every: .*/checkpoint_every: 10m/' "$SWEEP" >"$DIR/rarely.yaml"
    coord --exit-when-done "$DIR/rarely.yaml"
    worker one -j 2
    await 60 holds "SELECT min(epochs_done) >= 2 FROM runs"
    kill -TERM "$one_PID"
    ends one 0
    is "SELECT count(*), min(epoch = epochs_done) FROM checkpoints JOIN runs USING (run_id)" "2|1"
    worker two -j 2
    ends coord 0
    is "SELECT sum(losses) + sum(failures) FROM runs" 0
    gone_on
    the_same
}

# Weights of 8 MB, a row and a file for each of the epochs asked for.
test_models_too_large_for_a_message_are_kept() {
    sed -e 's/hidden: .*/hidden: {value: 60000}/; s/seed: .*/seed: {value: 0}/; s/epochs: .*/epochs: {value: 3}/' \
        -e 's/checkpoint_every: .*/save_model: [1, final]/' "$SWEEP" >"$DIR/models.yaml"
    coord --exit-when-done --local 1 "$DIR/models.yaml"
    ends coord 0
    is "SELECT group_concat(epoch), min(bytes) > 8e6 FROM models" "1,3|1"
    models_kept
    ctl verify 1 | grep -q ', 2 models, equal$'
    sqlite3 "$DIR/data/results.db" "UPDATE models SET sha256 = upper(sha256) WHERE epoch = 3"
    refuses ctl verify 1 2>"$DIR/answer"
    grep -q 'run 1, epoch 3: SHA-256 of the model was stored as' "$DIR/answer"
}

run_tests
