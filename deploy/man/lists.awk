# Turns proto/param.def or proto/metric.def into the entries of a manual page, in place of the line
# ".\" @parameters" or ".\" @metrics": awk -f lists.awk -v params=proto/param.def -v metrics=proto/metric.def PAGE
function fields(line, out,    n, i, c, quoted, text) {
    sub(/^[A-Z]+\(/, "", line); sub(/\)$/, "", line)
    n = 1; text = ""; quoted = 0
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c == "\"") quoted = !quoted
        else if (c == "," && !quoted) { out[n++] = text; text = ""; sub(/^ /, "", line) }
        else if (!(c == " " && text == "" && !quoted)) text = text c
    }
    out[n] = text
    return n
}
function roff(text) { gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text); sub(/^[.']/, "\\\\\\&&", text); return text }
function entry(name, extra, meaning) { printf ".TP\n.BR %s \"  (%s)\"\n%s\n", roff(name), roff(extra), roff(meaning) }
function parameters(    line, f, n, usual) {
    while ((getline line < params) > 0) {
        if (line !~ /^(CHOICE|INT|REAL|SEED|BOOL)\(/) continue
        split("", f); n = fields(line, f)
        usual = f[2] == f[3] || f[1] == "task" ? "default " f[2] : f[3] == "-" ? "modular_addition only; default " f[2] : \
                f[2] == "-" ? "ising only; default " f[3] : "default " f[2] ", ising " f[3]
        if (line ~ /^CHOICE/) entry(f[1], "one of: " f[4] "; " usual, f[5])
        else if (line ~ /^SEED/) entry(f[1], "integer; follows seed", f[2])
        else if (line ~ /^BOOL/) entry(f[1], "true or false; " usual, f[4])
        else entry(f[1], (line ~ /^INT/ ? "integer" : "number") " from " f[4] " to " f[5] "; " usual, f[6])
    }
}
function measures(table,    line, f, n) {
    while ((getline line < metrics) > 0) {
        if (line !~ /^METRIC\(/) continue
        split("", f); n = fields(line, f)
        if (f[3] == table) entry(f[2], f[5] == "" ? "text" : f[5], f[6] (f[4] == "TIMING" ? " (a timing: may differ between machines)" : ""))
    }
    close(metrics)
}
/^\.\\" @parameters/ { parameters(); next }
/^\.\\" @epochs/ { measures("epochs"); next }
/^\.\\" @geometry/ { measures("geometry"); next }
{ print }
