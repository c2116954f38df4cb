#!/bin/bash
# The operating system fails: syncs and writes, at chosen calls; kills between a commit and its acknowledgement and
# at every step of writing a checkpoint; a full disk; few descriptors; clocks that are years off. What was acknowledged
# is stored, and the sweep ends with every number of the undisturbed one.
. "$(dirname "$0")/lib.sh"
SWEEP=$WORK/saved.yaml
printf '  checkpoint_every: 20ms\n  max_losses: 100\n' | cat "$ROOT/tests/e2e/small.yaml" - >"$SWEEP"
QUICK="--exit-when-done --heartbeat 200ms --lease 3s"
FAKETIME_LIB=$(ls /usr/lib/*/faketime/libfaketimeMT.so.1 2>/dev/null | head -1)

can_trace() {
    strace -qq -o /dev/null true 2>/dev/null && return
    echo "skip - system calls that fail: strace may not look here"
    return 1
}

# with_faults INJECT...: a coordinator, at the endpoint it had before if it had one, and strace at it.
with_faults() {
    start coord "$BUILD/grokd-coord" --dir "$DIR/data" --listen "${endpoint:-tcp://127.0.0.1:0}" $QUICK "$SWEEP"
    await 20 listening
    endpoint=$(sed -n 's/^listening on //p' "$DIR/coord.out")
    start strace strace -f -qq -o /dev/null -p "$coord_PID" "$@"
}

again() {
    start coord "$BUILD/grokd-coord" --dir "$DIR/data" --listen "$endpoint" $QUICK "$SWEEP"
    ends coord 0
    no_checkpoints
    same_as_undisturbed
}

# fails CALL N...: the N-th such call of the coordinator gives EIO (N+: and all after it), and again of the next one.
fails() {
    local endpoint= at
    can_trace || return 0
    for at in "${@:2}"; do
        with_faults -e trace="$1" -e inject="$1:error=EIO:when=$at"
        [ "$at" != "$2" ] || worker one -j 2
        ends coord 4
        grep -q 'disk I/O error\|Input/output error' "$DIR/coord.err"
        kept_so_far "$DIR/ledger"
    done
    again
}

test_a_sync_that_fails_ends_the_coordinator_and_the_next_start_recovers() { fails fdatasync 9 1+ 2+ 3+ 14 27 8+; }
test_a_write_that_fails_ends_the_coordinator_and_the_next_start_recovers() { fails pwrite64 20 1+ 33+; }

# deadly CALL:N: a coordinator that dies at the N-th such call.
deadly() { with_faults -e trace="${1%:*}" -e inject="${1%:*}:signal=KILL:when=${1#*:}"; }

test_killed_before_commits_and_between_them_and_their_acknowledgements() {
    local endpoint= at
    can_trace || return 0
    for at in fdatasync:5 sendto:10 sendto:21 fdatasync:6 sendto:32; do
        deadly $at
        [ $at != fdatasync:5 ] || worker one -j 2
        ends coord 137
        kept_so_far "$DIR/ledger"
    done
    again
}

# The old file or the new one, never neither: each row names a file with its bytes.
checkpoints_usable() {
    files_of checkpoints >"$DIR/checkpoints.sha256"
    [ ! -s "$DIR/checkpoints.sha256" ] || (cd "$DIR/data" && sha256sum -c --quiet "$DIR/checkpoints.sha256")
}

# A file is made, written, synced, renamed, and its folder synced: every second fsync is a folder's. The worker dies as
# well: nobody but the checkpoint knows how the run goes on.
test_killed_at_every_step_of_writing_a_checkpoint() {
    local endpoint= at had=0
    can_trace || return 0
    for at in fchmod:3 fsync:3 rename:3 fsync:4 unlink:2; do
        deadly $at
        worker one -j 2
        ends coord 137
        kill -9 "$one_PID"
        wait "$one_PID" || true
        kept_so_far "$DIR/ledger"
        checkpoints_usable
        had=$((had + $(wc -l <"$DIR/checkpoints.sha256")))
    done
    [ $had -ge 5 ]
    worker one -j 2
    again
    holds "SELECT count(*) FROM attempts WHERE from_epoch > 1"
    is "SELECT count(*) FROM events WHERE kind = 'checkpoint'" 0
}

# Whoever removes or replaces the file under way is told so at once; put back, nothing acknowledged is missing.
test_a_database_that_is_moved_away_ends_the_coordinator_and_comes_back() {
    local endpoint=
    start coord "$BUILD/grokd-coord" --dir "$DIR/data" --listen tcp://127.0.0.1:0 $QUICK "$SWEEP"
    await 20 listening
    endpoint=$(sed -n 's/^listening on //p' "$DIR/coord.out")
    worker one -j 2
    await 30 holds "SELECT count(*) FROM runs WHERE epochs_done > 50"
    mkdir "$DIR/away"
    mv "$DIR/data"/results.db* "$DIR/away"
    ends coord 4
    grep -q 'results.db: was removed while it was in use' "$DIR/coord.err"
    [ -z "$(ls "$DIR/data"/results.db* 2>/dev/null)" ]
    mv "$DIR/away"/results.db* "$DIR/data"
    again
}

# While nothing can be written nothing is acknowledged, and the coordinator goes on by itself when there is room.
test_a_full_disk_is_waited_for_and_nothing_is_lost() {
    local had
    small_disk 64m || { echo "skip - a full disk: no permission to mount a small one"; return 0; }
    coord $QUICK "$SWEEP"
    worker one -j 2
    await 30 holds "SELECT count(*) FROM runs WHERE state = 'running' AND epochs_done > 100"
    fill_disk
    says_why() { ctl status | grep -q 'nothing is handed out or acknowledged: .*results.db: .*disk is full'; }
    await 20 says_why
    had=$(query "SELECT count(*) FROM epochs")
    grep -q 'store_waits' "$DIR/coord.err"
    kept "$DIR/ledger"
    is "SELECT count(*) FROM epochs" "$had"
    empty_disk
    ends coord 0
    no_checkpoints
    same_as_undisturbed
}

test_with_64_descriptors_a_coordinator_serves_its_worker() {
    local endpoint
    start coord bash -c "ulimit -n 64; exec '$BUILD/grokd-coord' --dir '$DIR/data' --listen tcp://127.0.0.1:0 $QUICK '$SWEEP'"
    await 20 listening
    worker one -j 2
    ends coord 0
    same_as_undisturbed
}

test_clocks_that_are_ten_years_off_change_no_number_and_cost_no_attempt() {
    [ -n "$FAKETIME_LIB" ] || { echo "skip - clocks that are years off: no libfaketime"; return 0; }
    start coord env LD_PRELOAD="$FAKETIME_LIB" FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME=+3650d \
        "$BUILD/grokd-coord" --dir "$DIR/data" --listen tcp://127.0.0.1:0 $QUICK "$SWEEP"
    await 20 listening
    start one env LD_PRELOAD="$FAKETIME_LIB" FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME=-3650d \
        "$BUILD/grokd-worker" --access "$DIR/data/access" -j 2
    ends coord 0
    is "SELECT count(*) FROM attempts WHERE outcome <> 'finished'" 0
    same_as_undisturbed
}

# The file of the clock is rewritten while all are at work: twenty years back at once.
test_a_clock_that_jumps_back_under_way_costs_no_attempt() {
    [ -n "$FAKETIME_LIB" ] || return 0
    export FAKETIME_TIMESTAMP_FILE=$DIR/clock FAKETIME_NO_CACHE=1
    echo +3650d >"$DIR/clock"
    export LD_PRELOAD="$FAKETIME_LIB" FAKETIME_DONT_FAKE_MONOTONIC=1
    coord $QUICK "$SWEEP"
    worker one -j 2
    unset LD_PRELOAD
    await 30 holds "SELECT count(*) FROM runs WHERE state = 'running' AND epochs_done > 100"
    echo -3650d >"$DIR/clock"
    ends coord 0
    is "SELECT count(*) FROM attempts WHERE outcome <> 'finished'" 0
    holds "SELECT min(finished_at) < max(started_at) FROM runs"
    same_as_undisturbed
}

run_tests
