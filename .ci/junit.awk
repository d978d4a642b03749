# Reads the log of `cargo test -- --show-output` and writes it as JUnit XML. A test that said SKIPPED counts as skipped.
# Ends with 1 if the log's own sums are others: then a line was not understood.
BEGIN { suite = "tests" }
function text(raw) {
    gsub(/&/, "\\&amp;", raw); gsub(/</, "\\&lt;", raw); gsub(/>/, "\\&gt;", raw); gsub(/"/, "\\&quot;", raw)
    gsub(/[\001-\010\013\014\016-\037\177]/, "?", raw)
    return raw
}
function attribute(raw) { raw = text(raw); gsub(/[\t\n\r]/, " ", raw); return raw }
function close_suite(    i, name, key) {
    if (count == 0) return
    body = body sprintf("  <testsuite name=\"%s\" tests=\"%d\" failures=\"%d\" skipped=\"%d\" time=\"%s\">\n", \
        attribute(suite), count, bad, left, seconds)
    for (i = 1; i <= count; i++) {
        name = names[i]; key = suite SUBSEP name
        body = body sprintf("    <testcase classname=\"%s\" name=\"%s\"", attribute(suite), attribute(name))
        if (outcome[key] == "FAILED") {
            body = body sprintf(">\n      <failure message=\"%s\">%s</failure>\n    </testcase>\n", \
                attribute(why[key] == "" ? "failed" : why[key]), text(said[key]))
        } else if (outcome[key] == "ignored" || skip[key] != "") {
            body = body sprintf(">\n      <skipped message=\"%s\"/>\n    </testcase>\n", \
                attribute(skip[key] == "" ? "ignored" : skip[key]))
        } else body = body "/>\n"
    }
    body = body "  </testsuite>\n"
    tests += count; failures += bad; skipped += left; count = 0
}
function leave() { if (inside) { inside = 0; current = "" } }
/^ +Running .*\(.*\)$/ {
    leave(); close_suite()
    suite = $0; sub(/^ +Running (unittests )?/, "", suite)
    file = suite; sub(/.*\//, "", file); sub(/-[0-9a-f]+\)$/, "", file); sub(/ \(.*/, "", suite)
    suite = file ": " suite; suite = suite (times[suite]++ ? " (" times[suite] ")" : ""); bad = left = 0; seconds = 0; next
}
/^ +Doc-tests / { leave(); close_suite(); suite = "doc: " $2; bad = left = 0; seconds = 0; next }
/^running [0-9]+ tests?$/ { leave(); next }
/^test result:/ {
    leave()
    told_passed += $4; told_failed += $6; told_ignored += $8
    if (match($0, /finished in [0-9.]+s/)) seconds = substr($0, RSTART + 12, RLENGTH - 13)
    next
}
# Only before the outputs: a test may print such a line itself.
!inside && /^test .* \.\.\. (ok|FAILED|ignored)/ {
    name = $0; sub(/^test /, "", name)
    result = name; sub(/.* \.\.\. /, "", result); sub(/[ ,].*/, "", result)
    sub(/ \.\.\. (ok|FAILED|ignored).*/, "", name); sub(/ - should panic$/, "", name)
    names[++count] = name; outcome[suite SUBSEP name] = result
    if (result == "FAILED") { bad++; all_failed++ } else if (result == "ignored") { left++; all_ignored++ } else all_passed++
    next
}
/^---- .* (stdout|stderr) ----$/ {
    current = $0; sub(/^---- /, "", current); sub(/ (stdout|stderr) ----$/, "", current); sub(/ - should panic$/, "", current)
    inside = 1; next
}
/^(successes|failures):$/ { leave(); next }
inside {
    key = suite SUBSEP current
    if (/^SKIPPED/ && skip[key] == "" && outcome[key] == "ok") { skip[key] = $0; left++ }
    if (why[key] == "" && /panicked at/) why[key] = $0
    if (length(said[key]) < 20000) said[key] = said[key] $0 "\n"
}
END {
    close_suite()
    printf "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"%d\" failures=\"%d\" skipped=\"%d\">\n%s</testsuites>\n", \
        tests, failures, skipped, body
    if (all_passed + 0 != told_passed + 0 || all_failed + 0 != told_failed + 0 || all_ignored + 0 != told_ignored + 0) {
        printf "junit.awk: %d passed, %d failed, %d ignored were found; the log says %d, %d, %d\n", \
            all_passed, all_failed, all_ignored, told_passed, told_failed, told_ignored > "/dev/stderr"
        exit 1
    }
}
