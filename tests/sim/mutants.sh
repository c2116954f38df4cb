#!/bin/sh
# Plants one mistake after the other in a copy of a source file, by the rule of a .sed file that names
# the file in its first line, and asks the simulation to find it within three million events, and then
# to find it again from the seed it names. A rule that changes nothing is a failure: the code has moved
# away from it; a crash or a simulation that never ends is no find.
set -eu
: "${BUILD:=build}" "${MAKE:=make}"
away=$(mktemp -d)
sim=$away/build/tests/sim/sim
trap 'rm -rf "$away"' EXIT
failed=0
say() { echo "$1 - mutant $2: $3"; case $1 in not*) failed=1 ;; esac; }

# What the simulation says is wrong, in one line; nothing, if that is nothing or it broke down.
found() { timeout 300 "$sim" "$@" 2> "$away/err" | grep -m1 '^not ok - seed' || true; }

cp -r Makefile common proto coordinator worker tests deploy "$away"
for rule in "$@"; do
    name=$(basename "$rule" .sed)
    file=$(sed -n '1s/# //p' "$rule")
    sed -f "$rule" "$file" > "$away/$file"
    if cmp -s "$file" "$away/$file"; then
        say "not ok" "$name" "its rule changes nothing in $file"
        continue
    fi
    if ! $MAKE --no-print-directory -s -C "$away" BUILD="$away/build" "$sim" > "$away/log" 2>&1; then
        say "not ok" "$name" "$(grep -m1 error "$away/log" || echo 'it cannot be built')"
        cp "$file" "$away/$file"
        continue
    fi
    wrong=$(found --events 3000000 --blind)
    seed=$(echo "$wrong" | sed -n 's/^not ok - seed \([0-9]*\).*/\1/p')
    if [ -z "$wrong" ]; then
        say "not ok" "$name" "not found in three million events"
    elif [ "$(found --seed "$seed")" != "$wrong" ]; then
        say "not ok" "$name" "seed $seed does not find it again: $wrong"
    else
        say ok "$name" "$(echo "$wrong" | cut -d: -f2-)"
    fi
    cp "$file" "$away/$file"
done
exit $failed
