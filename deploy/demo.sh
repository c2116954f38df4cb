#!/bin/sh
# make demo: a coordinator with local worker slots runs deploy/sweeps/demo.yaml in demo-data/, then the
# database answers the paper's question. Started again it continues, or only prints the table.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}
"$build/grokd-coord" --dir demo-data --listen tcp://127.0.0.1:0 --local "$(nproc)" --exit-when-done \
    deploy/sweeps/demo.yaml

echo
echo "Does sudden learning end in another model than steady learning? Means over seeds:"
echo
echo "    sqlite3 -readonly -box demo-data/results.db < deploy/demo.sql"
echo
sqlite3 -readonly -box demo-data/results.db <deploy/demo.sql
