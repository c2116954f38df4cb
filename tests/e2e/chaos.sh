#!/bin/bash
# A sweep of forty short runs under random faults: FAULTS of them (200) drawn from SEED (7), spread over its
# progress; for more faults the runs are longer. What is acknowledged is written down by the workers and must be
# stored; the numbers must be those of the undisturbed sweep. The last line says what came of it; the last three of its
# counts must be 0. It fails, too, if the database or a file beside it is not sound, or if more than a tenth of the
# faults were in vain.
. "$(dirname "$0")/lib.sh"
SWEEP=$WORK/chaos.yaml
DIR=$WORK/chaos
FAULTS=${FAULTS:-200}
SEED=${SEED:-7}
LENGTH=$((FAULTS < 20 ? 4000 : FAULTS * 200))
RUNS=40 EPOCHS=$((40 * (LENGTH + 1)))
sed "s/^  epochs: .*/  epochs: {value: $LENGTH}/" "$ROOT/tests/e2e/chaos.yaml" >"$SWEEP"
QUICK="--heartbeat 200ms --lease 1500ms"
declare -A DONE=()
UNEXPECTED=0 LATE=0 VAIN=0 BROKEN=0 WITHOUT=() CLOCK=()

pause() { sleep "$1"; }
below() { echo $((RANDOM % $1)); }
# Up to two seconds, but no longer than the sweep needs not to get ahead of the faults.
a_while() {
    local tenths=$((RANDOM % 20)) ahead=$((($(stored) * (FAULTS + 10) / EPOCHS) - N))
    [ $ahead -lt 3 ] || tenths=$((tenths / 4))
    pause "$((tenths / 10)).$((tenths % 10))"
}
worker_name() { [ $((RANDOM % 2)) = 0 ] && echo one || echo two; }
stored() { query "SELECT cast(total(epochs_done + 1) AS INTEGER) FROM runs" 2>/dev/null || echo 0; }
# A copy of the pid: the variables are named after the process.
pid_of() { local pid=${1}_PID; echo "${!pid}"; }
# A worker that has just started has none for a moment.
slot_of() {
    local try
    for try in $(seq 40); do
        pgrep -P "$(pid_of "$1")" | head -1 | grep . && return
        pause 0.05
    done
}

# ---- processes, which are started again whenever they have ended, as a service manager would

# Before each start, for what is lost in between may be trained again.
start_coord() {
    kept_so_far "$GROKD_LEDGER" || BROKEN=$((BROKEN + 1))
    start coord "${CLOCK[@]}" "$BUILD/grokd-coord" --dir "$DIR/data" --listen "$ENDPOINT" $QUICK "$SWEEP"
    await 60 listening || { tail -3 "$DIR/coord.err"; return 1; }
    ENDPOINT=$(sed -n 's/^listening on //p' "$DIR/coord.out")
    CLOCK=()
}

start_worker() {
    local end=${1}_way_END
    start "$1" "${CLOCK[@]}" "$BUILD/grokd-worker" --access "$DIR/data/access" --connect "${!end}" -j 1
    CLOCK=()
}

# gone NAME CODES: waits for its end; a code that is none of these is not expected.
gone() {
    local code=0
    wait "$(pid_of "$1")" || code=$?
    case " $2 " in *" $code "*) return ;; esac
    echo "# $1 ended with $code: $(tail -1 "$DIR/$1.err")"
    UNEXPECTED=$((UNEXPECTED + 1))
}

revive() {
    kill -0 "$coord_PID" 2>/dev/null || { gone coord "${1:-137}"; start_coord; }
    kill -0 "$one_PID" 2>/dev/null || { gone one 137; start_worker one; }
    kill -0 "$two_PID" 2>/dev/null || { gone two 137; start_worker two; }
}

# A worker whose slots ended again and again is in quarantine, and somebody looks after it.
tend() {
    ! holds "SELECT count(*) FROM workers WHERE state = 'quarantined'" || { leave one; leave two; }
}

# ---- faults; each ends with everything as it was, and fails if it changed nothing

kill_worker() { local w; w=$(worker_name); kill -9 "$(pid_of "$w")" || return; gone "$w" 137; start_worker "$w"; }
kill_coordinator() {
    kill -9 "$coord_PID" || return
    gone coord 137
    [ "$(below 3)" != 0 ] || a_while
    start_coord
}
kill_both() { kill -9 "$coord_PID" "$one_PID" || return; gone coord 137; gone one 137; start_coord; start_worker one; }
stop_worker() { local w; w=$(pid_of "$(worker_name)"); kill -STOP "$w"; a_while; kill -CONT "$w"; }
stop_coordinator() { kill -STOP "$coord_PID"; a_while; kill -CONT "$coord_PID"; }
leave() { kill -TERM "$(pid_of "$1")" || return; gone "$1" 0; start_worker "$1"; }
leave_worker() { leave "$(worker_name)"; }
leave_coordinator() { kill -TERM "$coord_PID" || return; gone coord 0; start_coord; }
kill_slot() { kill -9 $(slot_of "$(worker_name)"); }
crash_slot() { kill -SEGV $(slot_of "$(worker_name)"); }
stop_slot() { local s; s=$(slot_of "$(worker_name)"); kill -STOP $s; a_while; kill -CONT $s; }

net() { local w; w=$(worker_name)_way; order "$w" "$@"; a_while; order "$w" pass; }
hold_up() { net hold up; }
hold_down() { net hold down; }
drop_up() { net drop up; }
drop_down() { net drop down; }
half_open() { net half; }
shut_port() { net shut; }
tiny_segments() { net tiny; }
slow_network() { net delay $((20 + $(below 400))); }
cut_connections() { order one_way cut; order two_way cut; }
cut_network() { for w in one_way two_way; do order $w hold up; order $w hold down; done; a_while
    for w in one_way two_way; do order $w pass; done; }

full_disk() { fill_disk || return; a_while; empty_disk; }

reading_snapshot() { { echo 'BEGIN; SELECT count(*) FROM epochs;'; a_while; } | sqlite3 "$DIR/data/results.db" >/dev/null; }
writing_user() { { echo '.timeout 5000'; echo 'BEGIN IMMEDIATE;'; a_while; } | sqlite3 "$DIR/data/results.db" >/dev/null; }

inject() {
    timeout 2 strace -qq -f -p "$coord_PID" -o "$DIR/injected" -e trace="$1" -e inject="$1:error=EIO:when=$2"
    revive "4 137"
    grep -q INJECTED "$DIR/injected"
}
failing_sync() { inject fdatasync 1; }
failing_write() { inject pwrite64 "$((1 + $(below 20)))"; }

torn_checkpoint() {
    local file
    kill -9 "$coord_PID"
    gone coord 137
    file=$(ls -t "$DIR"/data/checkpoints/* 2>/dev/null | head -1)
    [ -z "$file" ] || truncate -s $(($(stat -c %s "$file") * $(below 100) / 100)) "$file"
    start_coord
    [ -n "$file" ]
}

other_clock() {
    local sign=+
    [ "$(below 2)" = 0 ] || sign=-
    CLOCK=(env LD_PRELOAD="$FAKETIME_LIB" FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME="${sign}3650d")
    if [ "$(below 2)" = 0 ]; then kill_coordinator; else kill_worker; fi
}

KINDS=(kill_worker kill_coordinator kill_both stop_worker stop_coordinator leave_worker leave_coordinator kill_slot
    crash_slot stop_slot hold_up hold_down drop_up drop_down half_open shut_port tiny_segments slow_network
    cut_connections cut_network reading_snapshot writing_user torn_checkpoint)

# ---- the sweep

# without KINDS WHY: they cannot be made here.
without() { WITHOUT+=("without $1: $2"); echo "${WITHOUT[-1]}"; }

open_all() {
    if small_disk 700m; then
        KINDS+=(full_disk)
    else
        without full_disk "no permission to mount a small one"
    fi
    trap 'stop_chaos; no_small_disk; rm -rf "$WORK"' EXIT
    if strace -qq -o /dev/null true 2>/dev/null; then
        KINDS+=(failing_sync failing_write)
    else
        without "failing_sync and failing_write" "strace may not look here"
    fi
    # The library alone: the program faketime would stand between us and the process.
    FAKETIME_LIB=$(ls /usr/lib/*/faketime/libfaketimeMT.so.1 2>/dev/null | head -1)
    if [ -n "$FAKETIME_LIB" ]; then KINDS+=(other_clock); else without other_clock "no faketime"; fi
    export GROKD_LEDGER=$DIR/ledger
    ENDPOINT=tcp://127.0.0.1:0
    start_coord
    proxy one_way
    proxy two_way
    start_worker one
    start_worker two
}

stop_chaos() { kill -9 "$coord_PID" "$one_PID" "$two_PID" "${PIDS[@]}" 2>/dev/null; wait 2>/dev/null; }

# Faults are spread over the progress of the sweep; where nothing goes on, the next comes after two seconds.
trouble() {
    local kind until
    for N in $(seq "$FAULTS"); do
        until=$((SECONDS + 2))
        while [ "$(stored)" -lt $((N * EPOCHS / (FAULTS + 10))) ] && [ $SECONDS -lt $until ]; do pause 0.05; done
        kind=${KINDS[RANDOM % ${#KINDS[@]}]}
        DONE[$kind]=$((${DONE[$kind]:-0} + 1))
        ! over || LATE=$((LATE + 1))
        echo "$SECONDS s: fault $N: $kind" >>"$DIR/faults.log"
        $kind 2>>"$DIR/faults.log" || { VAIN=$((VAIN + 1)); echo "fault $N changed nothing" >>"$DIR/faults.log"; }
        revive
        tend
    done
}

over() { ! holds "SELECT count(*) FROM runs WHERE state IN ('waiting', 'running')"; }

report() {
    local status=0
    judge "$GROKD_LEDGER" || status=1
    LOST=$((LOST + BROKEN))
    [ $BROKEN = 0 ] || { echo "# acknowledgements were not stored at $BROKEN starts of the coordinator"; status=1; }
    mostly_felt "$FAULTS" $((LATE + VAIN)) || status=1
    is "SELECT count(*) || ' ' || (SELECT count(*) FROM epochs) FROM runs" "$RUNS $EPOCHS" || status=1
    [ $UNEXPECTED = 0 ] || { echo "# $UNEXPECTED processes ended otherwise than expected"; status=1; }
    for kind in "${!DONE[@]}"; do echo "  $kind ${DONE[$kind]}"; done | sort
    [ ${#WITHOUT[@]} = 0 ] || printf '  %s\n' "${WITHOUT[@]}"
    query "SELECT '  attempts ' || outcome || ' ' || count(*) FROM attempts GROUP BY outcome"
    echo "  faults after the end of the last run $LATE, faults that changed nothing $VAIN"
    echo "  acknowledgements $(wc -l <"$GROKD_LEDGER")"
    echo "chaos: $FAULTS faults of seed $SEED in $SECONDS s:" \
        "$(query "SELECT count(*) FROM runs WHERE state = 'finished'") runs finished," \
        "$(query 'SELECT count(*) FROM epochs') epochs stored, $LOST lost, $DUPLICATED duplicated, $DIFFERING differing"
    return $status
}

RANDOM=$SEED
undisturbed || exit 1
open_all || exit 1
trouble
await 150 over || { query "SELECT run_id, state, reason FROM runs WHERE state IN ('waiting', 'running')"; exit 1; }
report
