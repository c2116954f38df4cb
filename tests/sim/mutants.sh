#!/bin/sh
# Plants one mistake after the other in a copy of a source file, by the rule of a .sed file that names
# the file in its first line, and asks the simulation to find it within a million events. A rule that
# changes nothing is a failure: the code has moved away from it.
set -eu
: "${BUILD:=build}" "${MAKE:=make}"
away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT
failed=0
say() { echo "$1 - mutant $2: $3"; case $1 in not*) failed=1 ;; esac; }

cp -r Makefile common proto coordinator worker tests deploy "$away"
for rule in "$@"; do
    name=$(basename "$rule" .sed)
    file=$(sed -n '1s/# //p' "$rule")
    sed -f "$rule" "$file" > "$away/$file"
    if cmp -s "$file" "$away/$file"; then
        say "not ok" "$name" "its rule changes nothing in $file"
        continue
    fi
    if ! $MAKE --no-print-directory -s -C "$away" BUILD="$away/build" "$away/build/tests/sim/sim" \
        > "$away/log" 2>&1; then
        say "not ok" "$name" "$(grep -m1 error "$away/log" || echo 'it cannot be built')"
    elif "$away/build/tests/sim/sim" --events 1000000 --blind > "$away/log"; then
        say "not ok" "$name" "not found in a million events"
    else
        say ok "$name" "$(grep -m1 'not ok' "$away/log" | cut -d: -f2-)"
    fi
    cp "$file" "$away/$file"
done
exit $failed
