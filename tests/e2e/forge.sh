#!/bin/bash
# Clients that have a key and keep to no rule: forged reports, another's name, other versions, floods, crowds. Nothing
# that they say is stored, nobody else notices them, and memory and log stay small.
. "$(dirname "$0")/lib.sh"
SWEEP=$ROOT/tests/e2e/small.yaml
QUICK="--heartbeat 200ms --lease 3s"

# forge NAME ACCESS: says what `order NAME WORDS...` tells it; what it hears is in $DIR/NAME.out.
forge() { ordered "$1" "$BUILD/tests/e2e/forge" "$2"; }

# heard NAME PATTERN: some line of its answers matches.
heard() { grep -q "$2" "$DIR/$1.out"; }

# said NAME N: it has said N things.
said() { [ "$(grep -c '^said$' "$DIR/$1.out")" = "$2" ]; }

# peak PID: most memory that it ever had, in MiB.
peak() { awk '/^VmHWM/ {print int($2 / 1024)}' "/proc/$1/status"; }

half_way() { holds "SELECT count(*) = 6 AND min(epochs_done) > 50 FROM runs WHERE state = 'running'"; }

test_reports_on_the_runs_of_others_are_stopped_and_not_stored() {
    local run lines=0
    coord --exit-when-done $QUICK "$SWEEP"
    worker one -j 6
    await 30 half_way
    forge mallory "$DIR/data/access"
    order mallory epochs 1 1 0 10 # before it said who it is
    order mallory hello mallory
    await 20 heard mallory '^welcome'
    for run in 1 2 3 4 5 6; do
        order mallory epochs $run 1 0 900 # written already, with other numbers
        order mallory epochs $run 1 5000 5100
        order mallory epochs $run 2 0 10 # an attempt to come
        order mallory epochs $run 9223372036854775807 0 10
        order mallory finished $run 1 6000
        order mallory heartbeat $run 1
    done
    order mallory epochs 7 1 0 10 # no such run
    await 20 said mallory 39
    for run in 1 2 3 4 5 6; do await 20 heard mallory "^stop $run 1$"; done
    ends coord 0
    refuses heard mallory '^ack'
    refuses heard mallory '^work'
    is "SELECT count(*) FROM epochs WHERE train_loss = 12345" 0
    is "SELECT group_concat(DISTINCT outcome || attempt) FROM attempts" finished1
    same_as_undisturbed
}

test_the_name_of_another_worker_is_refused_to_another_key() {
    local uuid
    coord --exit-when-done $QUICK "$SWEEP"
    ctl key new mallory >/dev/null
    worker one -j 6
    await 30 half_way
    uuid=$(query "SELECT uuid FROM workers")
    forge mallory "$DIR/data/keys/mallory.access"
    order mallory hello "$uuid"
    await 20 heard mallory '^refuse this uuid belongs to a worker with another key'
    order mallory finished 1 1 6000
    ends coord 0
    refuses heard mallory '^ack'
    is "SELECT group_concat(DISTINCT outcome || attempt) FROM attempts" finished1
    same_as_undisturbed
}

# With the same key it is a copy of the process: one of the two has to end, and no number suffers.
test_of_two_workers_with_one_name_the_first_ends() {
    coord --exit-when-done $QUICK "$SWEEP"
    worker one -j 2
    await 30 holds "SELECT count(*) FROM runs WHERE epochs_done > 50"
    forge twin "$DIR/data/access"
    order twin hello "$(query 'SELECT uuid FROM workers')"
    ends one 1
    grep -q "another connection speaks for this worker's uuid" "$DIR/one.err"
    kill -9 "$twin_PID"
    worker two -j 2
    ends coord 0
    same_as_undisturbed
}

test_another_version_is_told_so_and_what_is_new_is_passed_over() {
    coord $QUICK
    forge old "$DIR/data/access"
    order old major 2
    await 20 heard old '^refuse .*version'
    order old newer later
    await 20 heard old '^welcome'
    is "SELECT state FROM workers" connected
}

test_floods_cost_little_memory_and_few_lines_of_log() {
    local before
    coord $QUICK
    before=$(peak "$coord_PID")
    forge flood "$DIR/data/access"
    order flood raw 1000000 1
    order flood raw 1000 0
    order flood raw 20 16777216
    order flood frames 20000 1
    ctl submit "$SWEEP" >/dev/null
    worker one -j 2
    await 60 said flood 4
    forge polite "$DIR/data/access" # answered once what came before is dealt with
    order polite major 7
    await 60 heard polite '^refuse .*version'
    await 60 holds "SELECT count(*) = 6 FROM runs WHERE state = 'finished'"
    echo "# $before MiB, then $(peak "$coord_PID")"
    [ "$(peak "$coord_PID")" -lt $((before + 512)) ] # the twenty large ones may all wait at once
    [ "$(stat -c %s "$DIR/coord.err")" -lt 65536 ]
    is "SELECT group_concat(DISTINCT outcome || attempt) FROM attempts" finished1
    same_as_undisturbed
}

# libzmq gathers all frames of a message before anybody sees the first, whatever its limits: only the system's limit of
# memory (MemoryMax in deploy/grokd-coord.service) ends that, and the connection or the coordinator with it.
test_a_message_larger_than_the_memory_loses_nothing() {
    local endpoint code=0
    start coord bash -c "ulimit -c 0 -v 1000000; exec '$BUILD/grokd-coord' --dir '$DIR/data' --listen tcp://127.0.0.1:0 --exit-when-done $QUICK '$SWEEP'"
    await 20 listening
    endpoint=$(sed -n 's/^listening on //p' "$DIR/coord.out")
    worker one -j 2
    await 30 holds "SELECT count(*) FROM runs WHERE epochs_done > 50"
    forge endless "$DIR/data/access"
    order endless frames 150000 8192
    await 30 said endless 1
    wait "$coord_PID" || code=$?
    kill -9 "$endless_PID"
    if [ $code -gt 128 ]; then
        start coord "$BUILD/grokd-coord" --dir "$DIR/data" --listen "$endpoint" --exit-when-done $QUICK "$SWEEP"
        ends coord 0
    fi
    same_as_undisturbed
}

# A worker that is in goes on while more wait outside than there are descriptors, and the log says what to do.
test_more_workers_than_descriptors_wait_outside() {
    start coord bash -c "ulimit -n 64; exec '$BUILD/grokd-coord' --dir '$DIR/data' --listen tcp://127.0.0.1:0 $QUICK"
    await 20 listening
    worker one -j 2
    await 20 holds "SELECT count(*) FROM workers"
    forge crowd "$DIR/data/access"
    order crowd crowd 200
    await 20 grep -q 'no_descriptors limit=64' "$DIR/coord.err"
    await 20 holds "SELECT count(*) > 1 FROM workers" # some of them have come in
    refuses heard crowd '^crowd 200$'
    is "SELECT count(*) < 64 FROM workers" 1
    kill -9 "$crowd_PID"
    await 20 holds "SELECT count(*) = 1 FROM workers WHERE state = 'connected'"
    worker two -j 1
    await 20 holds "SELECT count(*) = 2 FROM workers WHERE state = 'connected'"
    ctl submit "$SWEEP" >/dev/null
    await 60 holds "SELECT count(*) = 6 FROM runs WHERE state = 'finished'"
    same_as_undisturbed
}

# The soft limit of a shell is far below: the coordinator raises its own.
test_five_thousand_workers_at_once_are_all_welcomed() {
    local i begun
    [ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 5200 ] ||
        { echo "skip - five thousand workers: only $(ulimit -Hn) descriptors here"; return 0; }
    ulimit -Sn 1024
    coord $QUICK
    ulimit -Sn "$(ulimit -Hn)"
    begun=$SECONDS
    for i in 1 2 3 4 5; do
        forge crowd$i "$DIR/data/access"
        order crowd$i crowd 1000
    done
    for i in 1 2 3 4 5; do await 30 heard crowd$i '^crowd 1000$'; done
    echo "# welcomed within $((SECONDS - begun)) s, $(peak "$coord_PID") MiB"
    is "SELECT count(*) FROM workers" 5000
    kill -9 "$crowd1_PID" "$crowd2_PID" "$crowd3_PID" "$crowd4_PID" "$crowd5_PID"
    await 20 holds "SELECT count(*) = 5000 FROM workers WHERE state = 'lost'"
    ctl submit "$SWEEP" >/dev/null
    worker one -j 2
    await 60 holds "SELECT count(*) = 6 FROM runs WHERE state = 'finished'"
    same_as_undisturbed
}

run_tests
