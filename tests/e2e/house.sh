#!/bin/bash
# The checks of the house see what they are there to see: each is shown an offence in a copy of the tree.
. "$(dirname "$0")/lib.sh"

# offence CHECK FILE LINE...: a tree with one file too many; the check must name it.
offence() {
    local check=$1 file=$2; shift 2
    mkdir -p "$DIR/tree"
    git -C "$ROOT" archive HEAD | tar -x -C "$DIR/tree"
    cp -r "$ROOT/tests/house" "$DIR/tree/tests/"
    git -C "$DIR/tree" init -q
    "$DIR/tree/tests/house/check.sh" "$check"
    mkdir -p "$(dirname "$DIR/tree/$file")"
    printf '%s\n' "$@" >"$DIR/tree/$file"
    refuses "$DIR/tree/tests/house/check.sh" "$check" >"$DIR/said"
    grep -q "$file" "$DIR/said"
}

test_rooms_sees_training_that_knows_the_network() {
    offence rooms worker/train/bad.c '#include "worker/session.h"'
}

test_rooms_sees_a_decider_that_reads_the_clock() {
    offence rooms coordinator/sched_bad.c '#include "common/clock.h"'
}

test_doors_sees_a_second_door_of_sqlite() {
    offence doors coordinator/bad.c '#include <sqlite3.h>'
}

test_sizes_sees_a_function_of_81_lines() {
    offence sizes common/bad.c 'int bad(void)' '{' $(yes ';' | head -81) '}'
}

test_sizes_sees_a_file_of_501_lines() {
    offence sizes common/bad.c $(yes '/**/' | head -501)
}

test_style_sees_a_line_out_of_place() {
    if ! clang-format --version | grep -q 'version 14'; then
        echo "skip - style: another clang-format"
        return
    fi
    offence style common/bad.c 'int  bad ;'
}

run_tests
