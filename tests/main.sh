#!/bin/sh
# Writes the main of a test program: every function test_* of the file is a test, none is listed twice.
set -eu
names=$(sed -n 's/^void \(test_[a-z0-9_]*\)(.*/\1/p' "$1") # a long one has its argument on the next line
[ -n "$names" ] || { echo "$1: no 'void test_...(void **state)' in it" >&2; exit 1; }
cat <<'C'
#include "tests/test.h"
C
for n in $names; do echo "void $n(void **state);"; done
echo "int main(int argc, char **argv)"
echo "{"
echo "    static const struct CMUnitTest tests[] = {"
for n in $names; do echo "        cmocka_unit_test($n),"; done
echo "    };"
echo "    if (argc > 1) cmocka_set_test_filter(argv[1]);"
echo "    return cmocka_run_group_tests_name(\"$(basename "$1" .c)\", tests, NULL, NULL) != 0;"
echo "}"
