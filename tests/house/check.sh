#!/bin/sh
# The rules of the house, from its lists: check.sh rooms | doors | sizes | style. One line an offence.
set -eu
cd "$(dirname "$0")/../.."
files() { git ls-files -co --exclude-standard 'common/*' 'proto/*' 'coordinator/*' 'worker/*' 'tests/*' | grep '\.[ch]$'; }

# matches WORD PATTERN...: whether a shell pattern of the list fits.
matches() {
    word=$1; shift
    for pattern in "$@"; do
        # shellcheck disable=SC2254
        case $word in $pattern) return 0 ;; esac
    done
    return 1
}

rooms() {
    files | while read -r file; do
        rule=$(grep -v '^#' tests/house/rooms.txt | while IFS=: read -r pattern allowed; do
            set -f
            if matches "$file" $pattern; then echo "$allowed"; break; fi
        done)
        sed -n 's/^#include "\(.*\)"$/\1/p' "$file" | while read -r header; do
            set -f
            matches "$header" version.h $rule || echo "$file includes $header: it may only include$rule"
        done
    done
}

doors() {
    grep -v '^#' tests/house/doors.txt | while IFS=: read -r header owners; do
        set -f
        header=$(echo $header | sed 's/\*/.*/')
        files | grep -v '^tests/' | xargs grep -lE "#include <$header>" | while read -r file; do
            matches "$file" $owners || echo "$file opens $header: only$owners may"
        done
    done
}

# A function starts with a brace in column 0 and ends with one.
sizes() {
    files | xargs awk '
        FNR == 1 { if (last && lines > 500) print last ": " lines " lines, over 500"; last = FILENAME; start = 0 }
        { lines = FNR }
        /^[A-Za-z_].*\)$/ || /^    .*\)$/ && !start { head = $0 }
        /^\{/ { start = FNR }
        /^\}/ { if (start && FNR - start - 1 > 80) print FILENAME ":" start ": " FNR - start - 1 " lines, over 80: " head; start = 0 }
        END { if (lines > 500) print last ": " lines " lines, over 500" }'
}

# Another clang-format lays out some lines otherwise: only the one of the committed style is asked.
STYLE_VERSION=14
style() {
    version=$(clang-format --version | sed 's/.*version \([0-9]*\).*/\1/')
    if [ "$version" != $STYLE_VERSION ]; then
        echo "skip - style: clang-format $version here, the style is that of $STYLE_VERSION" >&2
        return
    fi
    files | xargs clang-format --dry-run 2>&1 | grep 'code should be clang-formatted' | cut -d: -f1 | sort -u |
        sed 's/$/: not in the committed style; make format mends it/'
}

found=$("$1")
[ -z "$found" ] || { echo "$found"; exit 1; }
echo "$1: kept"
