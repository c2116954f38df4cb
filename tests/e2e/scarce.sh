#!/bin/bash
# Memory that runs out: each request for it fails once, and then that one and all after it. A program says so in one
# line and ends, or does all that it should; a coordinator that ends so has lost nothing.
. "$(dirname "$0")/lib.sh"
SWEEP=$ROOT/tests/e2e/small.yaml
MOST=120 # requests of a program that are tried
CRASHES=0

# scarce VARIABLE N COMMAND...: the command without the N-th block of memory.
scarce() { env "$1=$2" LD_PRELOAD="$BUILD/tests/e2e/scarce.so" "${@:3}"; }

timeless() { sed -E 's/"(measure_)?seconds": [^,]*,//g' "$1"; }

# run_short VARIABLE N COMMAND...: it gives what it gave with memory, or one line and exit code 4.
run_short() {
    local code=0
    scarce "$@" >"$DIR/out" 2>"$DIR/err" || code=$?
    if [ $code = 0 ]; then cmp <(timeless "$DIR/right") <(timeless "$DIR/out"); return; fi
    if [ $code = 139 ]; then CRASHES=$((CRASHES + 1)); return; fi
    if [ $code = 4 ] && [ "$(wc -l <"$DIR/err")" = 1 ] && grep -q 'memory' "$DIR/err"; then return; fi
    echo "# $* ends with $code"
    sed 's/^/#   /' "$DIR/err"
    return 1
}

# each_request COMMAND...: its requests, one after the other.
each_request() {
    local n asked step
    scarce SCARCE_COUNT "$DIR/count" "$@" >"$DIR/right"
    asked=$(cat "$DIR/count")
    step=$((1 + asked / MOST))
    for ((n = 1; n <= asked; n += step)); do
        run_short SCARCE_AT $n "$@"
        run_short SCARCE_FROM $n "$@"
    done
    echo "# $asked requests, every ${step}th failed"
}

# libfyaml 0.7 crashes when it finds no memory for its first input (fy_parse_input_append): nothing is open by then.
test_a_plan_without_memory_is_refused_in_a_line() {
    each_request "$BUILD/grokctl" plan "$SWEEP"
    [ $CRASHES -le 4 ]
}

test_training_without_memory_ends_in_a_line() {
    each_request "$BUILD/grokd-train" modulus=5 hidden=4 epochs=3
    [ $CRASHES = 0 ]
}

test_questions_without_memory_end_in_a_line() {
    coord --exit-when-done --local 2 "$SWEEP"
    ends coord 0
    each_request "$BUILD/grokctl" --dir "$DIR/data" status
    each_request "$BUILD/grokctl" --dir "$DIR/data" runs
    [ $CRASHES = 0 ]
}

ended() { ! kill -0 "$coord_PID"; }
up() { ended || listening; }
over() { ended || holds "SELECT min(state) = 'finished' FROM runs"; }

# libzmq ends the process when it finds no memory; everything of ours ends with exit code 4, and what could not be read
# for want of memory is as if it had been lost on the way.
test_a_coordinator_without_memory_loses_nothing() {
    local n code codes=
    for n in 3000 20000 22000 25000 30000 40000; do
        start coord env SCARCE_AT=$n LD_PRELOAD="$BUILD/tests/e2e/scarce.so" "$BUILD/grokd-coord" \
            --dir "$DIR/data" --listen tcp://127.0.0.1:0 --heartbeat 200ms --lease 2s "$SWEEP"
        await 20 up
        if listening; then worker w$n -j 2; fi
        await 30 over
        code=0
        kill -9 "$coord_PID" 2>/dev/null || true
        wait "$coord_PID" || code=$?
        codes="$codes $code"
        case $code in 4 | 134 | 137) ;; *) echo "# without block $n it ends with $code"; return 1 ;; esac
    done
    echo "# ended with$codes"
    coord --exit-when-done --heartbeat 200ms --lease 2s --local 2 "$SWEEP"
    ends coord 0
    same_as_undisturbed
}

run_tests
