# What the end-to-end scripts share: real programs in a directory of their own, port 0, no sleeps.
# A script sources this, defines functions test_* and ends with run_tests.
set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
case ${BUILD:=build} in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
WORK=$(mktemp -d)
export XDG_RUNTIME_DIR=$WORK/run
unset GROKD_DIR GROKD_ACCESS
mkdir -m 700 "$XDG_RUNTIME_DIR"
PIDS=()

# ---- processes

# start NAME COMMAND...: in the background; output in $DIR/NAME.out and $DIR/NAME.err, pid in $NAME_PID.
start() {
    local name=$1; shift
    : >"$DIR/$name.out" # here, not in the child: nobody may read the lines of a process before
    "$@" >"$DIR/$name.out" 2>"$DIR/$name.err" </dev/null &
    printf -v "${name}_PID" '%s' $!
    PIDS+=($!)
}

# await SECONDS COMMAND...: until the command succeeds; the clock only bounds the wait, generously, since a
# machine that others use may be several times slower.
await() {
    local limit=$((SECONDS + 4 * $1)); shift
    until "$@" 2>/dev/null; do
        [ $SECONDS -lt $limit ] || { echo "# waited in vain for: $*"; return 1; }
    done
}

# listening: the coordinator's endpoint, once it says so.
listening() { grep -q '^listening on tcp://' "$DIR/coord.out"; }

# coord ARGS...: a coordinator on $DIR/data, ready for workers when this returns.
coord() {
    start coord "$BUILD/grokd-coord" --dir "$DIR/data" --listen tcp://127.0.0.1:0 "$@"
    await 20 listening || { cat "$DIR/coord.err"; return 1; }
}

# worker NAME ARGS...
worker() {
    local name=$1; shift
    start "$name" "$BUILD/grokd-worker" --access "$DIR/data/access" "$@"
}

# ends NAME CODE: waits for a started process and compares its exit code.
ends() {
    local pid=${1}_PID code
    code=0
    wait "${!pid}" || code=$?
    [ "$code" = "$2" ] || { echo "# $1 ended with $code, not $2"; tail -5 "$DIR/$1.err" | sed 's/^/#   /'; return 1; }
}

ctl() { "$BUILD/grokctl" --dir "$DIR/data" "$@"; }

# ---- the database

query() { sqlite3 -readonly -cmd '.timeout 5000' "$DIR/data/results.db" "$1"; }

# is SQL VALUE: compares and says both.
is() {
    local got
    got=$(query "$1")
    [ "$got" = "$2" ] || { echo "# $1"; echo "#   gives '$got', not '$2'"; return 1; }
}

# holds SQL: whether the query gives anything but 0 or nothing.
holds() {
    local got
    got=$(query "$1")
    [ -n "$got" ] && [ "$got" != 0 ]
}

# refuses COMMAND...: it fails, as it should; a plain ! would never end a test.
refuses() { if "$@"; then echo "# should have failed: $*"; return 1; fi; }

# every_epoch_once: each finished run has exactly the epochs 0..E.
every_epoch_once() {
    is "SELECT count(*) FROM runs r WHERE r.state = 'finished' AND (SELECT count(*) || ' ' || min(epoch) || ' ' ||
            max(epoch) FROM epochs e WHERE e.run_id = r.run_id) <> (r.epochs + 1) || ' 0 ' || r.epochs" 0
    is "PRAGMA integrity_check" ok
}

# values FILE: everything a sweep found, timings and identities of processes apart, to compare sweeps with.
values() {
    local table columns
    for table in epochs geometry pruning features models summaries; do
        columns=$(query "SELECT group_concat('quote(' || name || ')', ' || '','' || ')
            FROM pragma_table_info('$table') WHERE name NOT IN ('seconds', 'measure_seconds', 'attempt')")
        query "SELECT '$table', $columns FROM $table ORDER BY 1, 2"
    done >"$1"
    [ -s "$1" ]
}

# undisturbed: the values of $SWEEP when nothing goes wrong, in $WORK/undisturbed; made once.
undisturbed() {
    [ -s "$WORK/undisturbed" ] && return
    (
        DIR=$WORK/calm
        mkdir -p "$DIR"
        coord --exit-when-done --local 2 "$SWEEP"
        ends coord 0
        values "$WORK/undisturbed"
    )
}

# same_as_undisturbed: every run finished, with every number of the undisturbed sweep.
same_as_undisturbed() {
    undisturbed
    every_epoch_once
    is "SELECT count(*) FROM runs WHERE state <> 'finished'" 0
    values "$DIR/values"
    cmp "$WORK/undisturbed" "$DIR/values"
}

# broken_promises FILE: lines of workers' ledgers that the database does not hold.
broken_promises() {
    sqlite3 -cmd '.timeout 5000' -cmd "ATTACH 'file:$DIR/data/results.db?mode=ro' AS d" \
        -cmd 'CREATE TABLE ledger (run_id INTEGER, attempt INTEGER, epoch INTEGER, ended INTEGER)' \
        -cmd '.separator " "' -cmd ".import $1 ledger" :memory: "
        SELECT count(*) FROM ledger AS l LEFT JOIN d.runs AS r USING (run_id)
        LEFT JOIN d.attempts AS a ON a.run_id = l.run_id AND a.attempt = l.attempt
        WHERE coalesce(l.epoch > r.epochs_done, 1) OR (l.ended AND a.outcome IS NULL)"
}

# kept LEDGER: it has lines, and all of them are true.
kept() {
    [ -s "$1" ] || { echo "# $1 is empty"; return 1; }
    [ "$(broken_promises "$1")" = 0 ] || { echo "# $(broken_promises "$1") lines of $1 are not stored"; return 1; }
}

# ---- programs of ours that take orders: a network with faults (proxy.c), a client that keeps to no rule (forge.c)

# ordered NAME COMMAND...: as start, with a standard input for `order`.
ordered() {
    local name=$1 fd; shift
    mkfifo "$DIR/$name.fifo"
    : >"$DIR/$name.out"
    "$@" <"$DIR/$name.fifo" >"$DIR/$name.out" 2>"$DIR/$name.err" &
    printf -v "${name}_PID" '%s' $!
    PIDS+=($!)
    exec {fd}>"$DIR/$name.fifo"
    printf -v "${name}_FD" '%s' "$fd"
}

# order NAME WORDS...: what it does next, or from now on.
order() {
    local fd=${1}_FD
    echo "${@:2}" >&"${!fd}"
}

# proxy NAME: a proxy before the coordinator; the endpoint for workers is in $NAME_END.
proxy() {
    ordered "$1" "$BUILD/tests/e2e/proxy" "$(sed -n 's/^listening on .*://p' "$DIR/coord.out")"
    await 10 grep -q '^listening on' "$DIR/$1.out"
    printf -v "${1}_END" 'tcp://127.0.0.1:%s' "$(sed -n 's/^listening on //p' "$DIR/$1.out")"
}

# ---- running

run_tests() {
    local test status=0
    for test in $(declare -F | sed -n 's/^declare -f \(test_.*\)/\1/p'); do
        DIR=$WORK/$test
        mkdir -p "$DIR"
        # In a condition bash would ignore set -e: the status is taken afterwards.
        (set -e; trap stop_all EXIT; "$test") >"$WORK/log" 2>&1
        if [ $? = 0 ]; then
            echo "ok - ${test#test_}"
        else
            echo "not ok - ${test#test_}"
            sed 's/^/    /' "$WORK/log"
            tail -n 8 "$DIR"/*.err 2>/dev/null | sed 's/^/    /'
            status=1
        fi
        grep '^skip - ' "$WORK/log"
    done
    rm -rf "$WORK"
    exit $status
}

stop_all() {
    local status=$?
    set +e
    [ $status = 0 ] || echo "# ended with $status"
    [ ${#PIDS[@]} = 0 ] || kill -9 "${PIDS[@]}" 2>/dev/null
    wait 2>/dev/null
    exit $status
}
