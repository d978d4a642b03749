#!/usr/bin/env bash
# Numbers of leases with a worker killed every second, by hand: none is drawn twice, each kill loses at most the lease in hand, and that
# one is listed. On SQLite, or on the PostgreSQL that ISSUANCE_DATABASE names (an empty database).
#
#   cargo build --release -p issuance && ISSUANCE=target/release/issuance tests/operations/leases.sh 100000000
#
# Without a number: a million. Needs 13 bytes of disk a number, twice.
set -Eeuo pipefail
trap 'echo "failed in line $LINENO: $BASH_COMMAND" >&2' ERR
root=$(cd "$(dirname "$0")/../.." && pwd)
issuance=${ISSUANCE:-${CARGO_TARGET_DIR:-$root/target}/debug/issuance} wanted=${1:-1000000} workers=${WORKERS:-2}
# Seconds between two kills, and numbers of a lease: a build that is not optimized draws some thousand in a second.
every=${EVERY:-1} size=${SIZE:-10000}
T=$(mktemp -d "${TMPDIR:-/tmp}/leases.XXXXXX")
trap 'rm -rf "$T"' EXIT
export ISSUANCE_DATA=$T/data
"$issuance" init > /dev/null
# A service is started once: it makes the tables.
"$issuance" serve --listen 127.0.0.1:0 > "$T/served" 2> "$T/errors" &
serving=$!
until grep -q listens "$T/served"; do kill -0 "$serving" || { cat "$T/errors" >&2; exit 1; }; sleep 0.1; done
kill "$serving"
wait "$serving"
began=$(date +%s.%N) run=0 kills=0 drawn=0
while [ "$drawn" -lt "$wanted" ]; do
    pids=() before=$run
    for _ in $(seq "$workers"); do
        run=$((run + 1)) sex=F
        [ $((run / 126 % 2)) = 0 ] || sex=M
        "$issuance" leases take --holder "worker $run" --province 001 --year $((1900 + run % 126)) --sex "$sex" \
            --numbers "$size" --leases $((1000000 / size)) > "$T/drawn.$run" 2>> "$T/errors" &
        disown
        pids+=($!)
    done
    sleep "$every"
    # A worker may have filled its cell and ended by itself.
    for pid in "${pids[@]}"; do kill -9 "$pid" 2> /dev/null && kills=$((kills + 1)); done
    for pid in "${pids[@]}"; do while kill -0 "$pid" 2> /dev/null; do sleep 0.05; done; done
    for i in $(seq $((before + 1)) "$run"); do drawn=$((drawn + $(grep -c "^[0-9]" "$T/drawn.$i" || true))); done
    [ "$drawn" -gt 0 ] || { echo "nothing was drawn:" >&2; cat "$T/errors" >&2; exit 1; }
done
seconds=$(awk -v a="$began" -v b="$(date +%s.%N)" 'BEGIN { printf "%.0f", b - a }')

# Whole lines only: the last one may have been cut.
for file in "$T"/drawn.*; do [ -z "$(tail -c 1 "$file")" ] || sed -i '$d' "$file"; done
all=$(cat "$T"/drawn.* | grep -c "^[0-9]")
distinct=$(cat "$T"/drawn.* | grep -v lease | LC_ALL=C sort -S 512M -T "$T" -u | wc -l)
[ "$all" = "$distinct" ] || { echo "$((all - distinct)) numbers were drawn twice" >&2; exit 1; }
"$issuance" leases list --json | jq -r '.[].id' | LC_ALL=C sort > "$T/listed"
cat "$T"/drawn.* | sed -n 's/^lease //p' | LC_ALL=C sort > "$T/told"
[ -z "$(LC_ALL=C comm -13 "$T/listed" "$T/told")" ] || { echo "a lease was told and is not listed" >&2; exit 1; }
untold=$(LC_ALL=C comm -23 "$T/listed" "$T/told" | wc -l)
short=$(awk -v size="$size" '/^lease/ { if (id && n < size) print id; id = $2; n = 0; next } { n++ } END { if (n < size) print id }' "$T"/drawn.* | wc -l)
[ $((untold + short)) -le $((kills + 1)) ] || { echo "$untold untold and $short unfinished leases after $kills kills" >&2; exit 1; }
# The lease in hand of a killed worker shows all its numbers, those that were drawn among them.
last=$(cat "$T"/drawn.* | sed -n 's/^lease //p' | tail -1)
[ "$("$issuance" leases show "$last" | tail -n +2 | wc -l)" = "$size" ]
echo "$all numbers drawn in $seconds s by $workers workers with $kills kills: all different; $(wc -l < "$T/listed") leases listed, $short unfinished and $untold untold"
