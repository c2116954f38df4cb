#!/bin/bash
# Processes that die or stand still half-way, and strangers on the port: what was acknowledged is stored, and the sweep
# finishes all the same, with every number of the undisturbed one.
. "$(dirname "$0")/lib.sh"
SWEEP=$ROOT/tests/e2e/small.yaml
QUICK="--heartbeat 200ms --lease 2s"
PATIENT="--heartbeat 500ms --lease 10s" # where none may run out, on a slow machine neither

# half_way: some run has stored epochs and is still going.
half_way() { holds "SELECT count(*) FROM runs WHERE state = 'running' AND epochs_done BETWEEN 100 AND 4000"; }

test_a_worker_killed_half_way_costs_only_its_attempts() {
    coord --exit-when-done $QUICK "$SWEEP"
    worker one -j 2
    await 30 half_way
    kill -9 "$one_PID"
    worker two -j 2
    ends coord 0
    holds "SELECT count(*) FROM attempts WHERE outcome = 'lost'"
    same_as_undisturbed
}

test_slots_do_not_outlive_their_daemon() {
    coord $QUICK "$SWEEP"
    worker one -j 2
    await 30 half_way
    local slots
    slots=$(pgrep -P "$one_PID")
    [ -n "$slots" ]
    kill -9 "$one_PID"
    for slot in $slots; do await 10 test ! -d "/proc/$slot"; done
}

test_the_coordinator_killed_half_way_continues_with_the_same_command() {
    coord --exit-when-done $PATIENT "$SWEEP"
    worker one -j 2
    await 30 half_way
    kill -9 "$coord_PID"
    wait "$coord_PID" || true
    local endpoint
    endpoint=$(sed -n 's/^listening on //p' "$DIR/coord.out")
    start coord "$BUILD/grokd-coord" --dir "$DIR/data" --listen "$endpoint" --exit-when-done $PATIENT "$SWEEP"
    ends coord 0
    # The worker stayed and went on with its runs: no attempt was lost.
    is "SELECT count(*) FROM attempts WHERE outcome = 'lost'" 0
    same_as_undisturbed
}

test_a_slot_killed_costs_that_attempt_and_the_daemon_lives() {
    coord --exit-when-done $PATIENT "$SWEEP"
    worker one -j 2
    await 30 half_way
    kill -9 "$(pgrep -P "$one_PID" | head -1)"
    ends coord 0
    kill -0 "$one_PID"
    is "SELECT count(*) FROM attempts WHERE outcome = 'lost'" 1
    same_as_undisturbed
}

# Its program lacks a parameter, as one of an older version: it ends every run that it gets at once.
test_a_worker_that_fails_all_it_gets_costs_the_sweep_no_run() {
    mkdir "$DIR/old"
    cp "$BUILD/grokd-worker" "$DIR/old"
    LC_ALL=C sed 's/gradient_filter/gradient_felter/g' "$BUILD/grokd-train" >"$DIR/old/grokd-train"
    chmod +x "$DIR/old/grokd-train"
    coord --exit-when-done $QUICK "$SWEEP"
    worker one -j 1
    start old "$DIR/old/grokd-worker" --access "$DIR/data/access" -j 2
    ends coord 0
    is "SELECT count(*) FROM events WHERE kind = 'quarantine'" 1
    holds "SELECT count(*) FROM attempts WHERE outcome = 'lost' AND reason LIKE '%gradient_filter%'"
    is "SELECT sum(losses) + sum(failures) FROM runs" 0
    same_as_undisturbed
}

test_a_worker_told_to_leave_hands_its_runs_back() {
    coord --exit-when-done "$SWEEP"
    worker one -j 2
    await 30 half_way
    kill -TERM "$one_PID"
    ends one 0
    holds "SELECT count(*) FROM attempts WHERE outcome = 'returned'"
    is "SELECT sum(losses) + sum(failures) FROM runs" 0
    worker two -j 2
    ends coord 0
    same_as_undisturbed
}

# It waits ten seconds for the acknowledgements of what it holds.
test_workers_told_to_leave_with_nobody_at_the_other_end_leave() {
    coord "$SWEEP"
    worker one -j 1
    worker two -j 1
    await 30 holds "SELECT count(*) = 2 FROM runs WHERE state = 'running' AND epochs_done > 0"
    kill -STOP "$coord_PID"
    leaves one 15
    kill -9 "$coord_PID"
    leaves two 15
}

test_a_coordinator_told_to_leave_with_nobody_at_the_other_end_leaves() {
    coord $QUICK "$SWEEP"
    worker one -j 1
    worker two -j 1
    await 30 holds "SELECT count(*) = 2 FROM runs WHERE state = 'running' AND epochs_done > 0"
    kill -9 "$one_PID"
    kill -STOP "$two_PID"
    leaves coord 8
    sound
    kept "$DIR/ledger"
}

test_a_worker_that_stood_still_past_its_lease_is_not_believed() {
    coord --exit-when-done $QUICK "$SWEEP"
    worker one -j 2
    await 30 half_way
    kill -STOP "$one_PID"
    await 20 holds "SELECT count(*) >= 2 FROM attempts WHERE outcome = 'lost'"
    worker two -j 2
    await 30 holds "SELECT count(*) FROM attempts WHERE attempt > 1"
    kill -CONT "$one_PID"
    ends coord 0
    same_as_undisturbed
}

# The six seconds are the fault: they are longer than the lease.
test_a_coordinator_that_stood_still_past_the_leases_takes_no_run_away() {
    coord --exit-when-done --heartbeat 500ms --lease 5s "$SWEEP"
    worker one -j 2
    await 30 half_way
    kill -STOP "$coord_PID"
    sleep 6
    kill -CONT "$coord_PID"
    ends coord 0
    is "SELECT count(*) FROM attempts WHERE outcome = 'lost'" 0
    same_as_undisturbed
}

# One asks for a page, one sends noise, one sends half a greeting and waits, some say nothing.
test_strangers_on_the_port_disturb_nobody() {
    local port fds=() fd
    coord --exit-when-done $QUICK "$SWEEP"
    port=$(sed -n 's/^listening on .*://p' "$DIR/coord.out")
    for _ in $(seq 40); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$port"
        fds+=("$fd")
    done
    printf 'GET / HTTP/1.1\r\nHost: a\r\n\r\n' >&"${fds[0]}"
    head -c 20000 "$BUILD/grokd-coord" >&"${fds[1]}" || true
    printf '\377\0\0\0' >&"${fds[2]}"
    worker one -j 2
    ends coord 0
    for fd in "${fds[@]}"; do exec {fd}>&-; done
    same_as_undisturbed
}

test_a_connection_that_says_nothing_is_closed_after_ten_seconds() {
    local fd begun=$SECONDS
    coord
    exec {fd}<>"/dev/tcp/127.0.0.1/$(sed -n 's/^listening on .*://p' "$DIR/coord.out")"
    timeout 60 cat <&"$fd" >"$DIR/heard" # to the end: libzmq greets, then hangs up
    exec {fd}>&-
    [ $((SECONDS - begun)) -ge 8 ]
    ctl status >/dev/null
}

test_everything_killed_again_and_again_still_ends_the_same() {
    local endpoint=tcp://127.0.0.1:0 round target
    RANDOM=${KILL_SEED:-7}
    for round in $(seq "${KILL_ROUNDS:-6}"); do
        start coord "$BUILD/grokd-coord" --dir "$DIR/data" --listen "$endpoint" $QUICK "$SWEEP"
        await 20 listening
        endpoint=$(sed -n 's/^listening on //p' "$DIR/coord.out")
        worker one -j 2
        target=$(query "SELECT total(epochs_done + 1) FROM runs" | cut -d. -f1)
        target=$((target + RANDOM % 6000))
        await 30 holds "SELECT total(epochs_done + 1) >= $target OR min(state) = 'finished' FROM runs"
        case $((RANDOM % 3)) in
        0) kill -9 "$coord_PID" "$one_PID" ;;
        1) kill -9 "$one_PID"; kill -TERM "$coord_PID" ;;
        2) kill -9 "$coord_PID"; kill -TERM "$one_PID"; kill -9 "$one_PID" || true ;;
        esac
        wait "$coord_PID" "$one_PID" 2>/dev/null || true
        kept_so_far "$DIR/ledger"
    done
    start coord "$BUILD/grokd-coord" --dir "$DIR/data" --listen "$endpoint" --exit-when-done $QUICK "$SWEEP"
    worker one -j 2
    ends coord 0
    same_as_undisturbed
}

run_tests
