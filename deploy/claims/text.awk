# The files C01.sql ... as a table of C: name, sentence and text of each claim. A claim's line
# "-- C1. Sentence." gives the first two; the whole file is the query.
BEGIN { print "static const struct {\n    const char *name, *title, *sql;\n} claims_text[] = {" }
{ gsub(/\\/, "\\\\"); gsub(/"/, "\\\"") }
/^-- C[0-9]+\. / {
    if (claims++) print "    },"
    name = $2
    sub(/\./, "", name)
    title = $0
    sub(/^-- C[0-9]+\. /, "", title)
    print "    {\"" name "\", \"" title "\","
}
FNR > 1 { print "     \"" $0 "\\n\"" }
END { print "    }\n};" }
