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

# within SECONDS COMMAND...: until the command succeeds, which may take so long.
within() {
    local limit=$((SECONDS + $1)); shift
    until "$@" 2>/dev/null; do
        [ $SECONDS -lt $limit ] || { echo "# waited in vain for: $*"; return 1; }
    done
}

# await SECONDS COMMAND...: ... the clock only bounds the wait, generously, since a machine that others use may be
# several times slower.
await() { within $((4 * $1)) "${@:2}"; }

# listening: the coordinator's endpoint, once it says so.
listening() { grep -q '^listening on tcp://' "$DIR/coord.out"; }

# coord ARGS...: a coordinator on $DIR/data, ready for workers when this returns.
coord() {
    start coord "$BUILD/grokd-coord" --dir "$DIR/data" --listen tcp://127.0.0.1:0 "$@"
    await 20 listening || { cat "$DIR/coord.err"; return 1; }
}

# worker NAME ARGS...: it notes what it is told is stored, as all workers of a test do (run_tests).
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

# departed NAME: a started process is gone.
departed() { local pid=${1}_PID; ! kill -0 "${!pid}" 2>/dev/null; }

# leaves NAME SECONDS: told to, it ends in time, and with 0.
leaves() {
    local pid=${1}_PID
    kill -TERM "${!pid}"
    within "$2" departed "$1"
    ends "$1" 0
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
    sound
}

# sound: the database is whole, and no row points at one that is not there.
sound() { is "PRAGMA integrity_check" ok && is "SELECT count(*) FROM pragma_foreign_key_check" 0; }

# no_checkpoints: they go when their runs are over, rows and files.
no_checkpoints() { is "SELECT count(*) FROM checkpoints" 0 && refuses grep . <(ls "$DIR/data/checkpoints" 2>/dev/null); }

# files_of TABLE: its rows as sha256sum reads them.
files_of() { query "SELECT sha256 || '  ' || path FROM $1"; }

# models_kept: each model is in its file with the bytes that were promised, and there is no other file.
models_kept() {
    files_of models >"$DIR/models.sha256"
    cmp <(sed 's/.*models.//' "$DIR/models.sha256" | sort) <(ls "$DIR/data/models" | sort) || return
    [ ! -s "$DIR/models.sha256" ] || (cd "$DIR/data" && sha256sum -c --quiet "$DIR/models.sha256")
}

# quoted TABLE WHERE: an expression of its columns that a sweep has alike each time.
quoted() {
    query "SELECT group_concat('quote(' || name || ')', ' || '','' || ') FROM pragma_table_info('$1')
        WHERE name NOT IN ('seconds', 'measure_seconds', 'attempt') AND $2"
}

# values FILE: everything a sweep found, timings and identities of processes apart, to compare sweeps with. A line is
# a table, the key of a row, and what it holds.
values() {
    local table
    for table in epochs geometry pruning predictions features models summaries; do
        query "SELECT '$table ' || $(quoted $table 'pk > 0') || ' ' || $(quoted $table 'pk = 0') FROM $table ORDER BY 1"
    done >"$1"
    [ -s "$1" ]
}

# undisturbed: the values of $SWEEP when nothing goes wrong, in $WORK/undisturbed; made once, in $WORK/calm.
undisturbed() {
    [ -s "$WORK/undisturbed" ] && return
    (
        DIR=$WORK/calm
        mkdir -p "$DIR"
        export GROKD_LEDGER=$DIR/ledger
        coord --exit-when-done --local 2 "$SWEEP"
        ends coord 0
        values "$WORK/undisturbed"
    )
}

# same_as_undisturbed: what workers were told is true, and every run finished, with every number of the undisturbed
# sweep.
same_as_undisturbed() {
    kept "$DIR/ledger"
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

# kept_so_far LEDGER: ... in the midst of a sweep, where there may be none yet. What is lost in between may be trained
# again, and be there at the end.
kept_so_far() { [ ! -s "$1" ] || kept "$1"; }

# differences: how many rows of the undisturbed sweep are not in $DIR/values, how many there it does not have, and how
# many are in both and hold something else.
differences() {
    diff --speed-large-files "$WORK/undisturbed" "$DIR/values" | awk '/^[<>]/ {rows[$2 " " $3] = rows[$2 " " $3] $1}
        END {for (r in rows) n[rows[r]]++; print n["<"] + 0, n[">"] + 0, n["<>"] + n["><"]}'
}

# judge LEDGER: what came of a sweep after trouble, in LOST, DUPLICATED and DIFFERING; what else is wrong is said. Fails
# unless all is as in the undisturbed sweep and as its workers were told.
judge() {
    local wrong=0 broken finished
    values "$DIR/values" || { echo "# the sweep left no values"; wrong=1; }
    read -r LOST DUPLICATED DIFFERING < <(differences)
    kept "$1" || wrong=1
    broken=$(broken_promises "$1") # not a number: it could not be asked
    finished=$(query "SELECT count(*) - count(DISTINCT run_id) FROM attempts WHERE outcome = 'finished'")
    LOST=$((LOST + ${broken:-1})) DUPLICATED=$((DUPLICATED + ${finished:-1}))
    is "SELECT count(*) FROM runs WHERE state <> 'finished'" 0 || wrong=1
    sound || wrong=1
    no_checkpoints || wrong=1
    models_kept || wrong=1
    [ "$LOST $DUPLICATED $DIFFERING $wrong" = "0 0 0 0" ]
}

# mostly_felt FAULTS VAIN: of so many faults so many came too late or changed nothing: a tenth at most, or the trouble
# was none.
mostly_felt() { [ $(($2 * 10)) -le "$1" ] || { echo "# of $1 faults $2 were in vain"; return 1; }; }

# ---- a disk that is full

# small_disk SIZE: $DIR/data is a disk of its own, where that is allowed.
small_disk() { mkdir -p "$DIR/data"; mount -t tmpfs -o size="$1" tmpfs "$DIR/data" 2>/dev/null; }
no_small_disk() { ! mountpoint -q "$DIR/data" || umount -l "$DIR/data"; }

# fill_disk: to the last byte; fails, with no file left, if there is room without end.
fill_disk() {
    ! dd if=/dev/zero of="$DIR/data/filler" bs=64k count=100000 2>/dev/null || { empty_disk; return 1; }
}
empty_disk() { rm -f "$DIR/data/filler"; }

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
        export GROKD_LEDGER=$DIR/ledger
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
    no_small_disk
    exit $status
}
