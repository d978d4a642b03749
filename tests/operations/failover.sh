#!/usr/bin/env bash
# The failover drill: two PostgreSQL with streaming replication, the primary killed under a service at work, the standby promoted, the
# service goes on by itself, and the old primary comes back as the standby. No acknowledged birth is lost, no number is given twice.
#
#   cargo build -p issuance --bins && tests/operations/failover.sh
#
# About a minute. Everything lies in a folder of its own that is removed at the end; nothing listens but the service, on loopback.
set -Eeuo pipefail
trap 'echo "the drill failed in line $LINENO: $BASH_COMMAND" >&2; tail -5 "$T"/*.log >&2 || true' ERR
root=$(cd "$(dirname "$0")/../.." && pwd)
issuance=${ISSUANCE:-${CARGO_TARGET_DIR:-$root/target}/debug/issuance}
programs=$(ls -d /usr/lib/postgresql/*/bin 2> /dev/null | sort -V | tail -1)
[ -x "${programs:-}/initdb" ] || { echo "SKIPPED: PostgreSQL is not installed (no /usr/lib/postgresql/*/bin/initdb)"; exit 0; }
T=$(mktemp -d "${TMPDIR:-/tmp}/failover.XXXXXX") children=()
chmod 0755 "$T" && mkdir "$T/pg" "$T/run"
ends() {
    kill "${children[@]}" 2> /dev/null || true
    for node in a b; do pg pg_ctl -D "$T/pg/$node" -m immediate -w stop > /dev/null 2>&1 || true; done
    rm -rf "$T"
}
trap ends EXIT
say() { awk -v a="$began" -v b="$(date +%s.%N)" -v words="$*" 'BEGIN { printf "%6.1f s  %s\n", b - a, words }'; }
began=$(date +%s.%N)

# --- PostgreSQL: node a on port 6001, node b on port 6002, unix sockets only. The ports stand in no file that pg_rewind copies. ---

if [ "$(id -u)" = 0 ]; then
    chown postgres "$T/pg" "$T/run"
    pg() { local program=$1; shift; (cd / && setpriv --reuid=postgres --regid=postgres --clear-groups env HOME="$T/pg" LC_ALL=C.UTF-8 "$programs/$program" "$@"); }
else
    pg() { local program=$1; shift; LC_ALL=C.UTF-8 "$programs/$program" "$@"; }
fi
port() { [ "$1" = a ] && echo 6001 || echo 6002; }
sql() { pg psql -X -q -A -t -h "$T/run" -p "$(port "$1")" -U issuance -d "${3:-citizen_card}" -c "$2"; }
starts() {
    pg pg_ctl -D "$T/pg/$1" -l "$T/pg/$1.log" -w -o "-p $(port "$1") -c listen_addresses= -c unix_socket_directories=$T/run" start > /dev/null
}
follows() { # NODE SLOT: the application name is what synchronous_standby_names names.
    sed -i "s|^primary_conninfo = '|&application_name=$2 |" "$T/pg/$1/postgresql.auto.conf"
}
waits_for() { # SECONDS COMMAND…
    for _ in $(seq "$((${1} * 10))"); do "${@:2}" && return; sleep 0.1; done
    echo "not within $1 s: ${*:2}" >&2
    return 1
}
is_synchronous() { [ "$(sql "$1" "select sync_state from pg_stat_replication where application_name = '$2'")" = sync ]; }

# -k: data checksums (or wal_log_hints), without which no server is rewound.
pg initdb -D "$T/pg/a" -U issuance -A trust -k -E UTF8 --locale=C.UTF-8 > /dev/null
starts a
sql a 'create database citizen_card' postgres
pg pg_basebackup -D "$T/pg/b" -h "$T/run" -p 6001 -U issuance -R -C -S to_b -X stream -c fast
follows b to_b
starts b
sql a "alter system set synchronous_standby_names = 'FIRST 1 (to_b)'"
sql a 'select pg_reload_conf()' > /dev/null
waits_for 30 is_synchronous a to_b
say "two nodes, b follows a synchronously"

# --- the service, which knows both ---

address() { echo "postgres:///citizen_card?host=$T/run&port=$(port "$1")&user=issuance"; }
cat > "$T/issuance.toml" << TOML
data = "data"
key_file = "kek"
database = "$(address a)"
database_standbys = ["$(address b)"]
listen = "127.0.0.1:0"
[population]
extra_provinces = [{ code = "003", name = "Tỉnh Mẫu" }]
TOML
export ISSUANCE_CONFIG=$T/issuance.toml
"$issuance" init > "$T/init.log" 2>&1
"$issuance" serve > "$T/serve.out" 2> "$T/serve.log" &
children+=($!)
waits_for 60 grep -q 'https://' "$T/serve.out"
SERVICE=https://localhost:$(grep -o 'https://[^ ]*' "$T/serve.out" | head -1 | sed 's|.*:\([0-9]*\).*|\1|')

call() { curl --silent --show-error --fail-with-body --max-time 30 --cacert "$T/data/tls-ca.pem" "$@"; }
signs_in() { call --json "{\"username\": \"$1\", \"password\": \"$2\"}" "$SERVICE/api/v1/sessions" | jq -r .token; }
post() { call -H "Authorization: Bearer $1" -H "Idempotency-Key: $2" --json "$4" "$SERVICE$3"; }
word='a long word that nobody guesses'
first=$(tr -d '\n' < "$T/data/admin-password")
admin=$(signs_in admin "$first")
post "$admin" k-1 /api/v1/me/password "{\"old\": \"$first\", \"new\": \"$word\"}" > /dev/null
admin=$(signs_in admin "$word")
owns() { call --json "{\"token\": \"$1\", \"password\": \"$word\"}" "$SERVICE/api/v1/password" > /dev/null; }
owns "$(post "$admin" k-2 /api/v1/officers '{"username": "admin-2", "roles": ["admin"], "office": "national"}' | jq -r .token)"
second=$(signs_in admin-2 "$word")
proposal=$(post "$admin" k-3 /api/v1/officers '{"username": "lan", "roles": ["registrar"], "office": "o-1"}' | jq -r .proposal_id)
owns "$(post "$second" k-4 "/api/v1/officer-proposals/$proposal/confirmation" '{}' | jq -r .token)"
lan=$(signs_in lan "$word")
say "the service is at work"

# --- the load: four desks, each message sent again under its key until it is acknowledged ---

today=$(date +%F)
desk() {
    local n=0 body said
    while [ ! -e "$T/closed" ]; do
        n=$((n + 1))
        body=$(printf '{"full_name": "Nguyễn Thị M%s", "birth_date": "%s", "sex": "F", "birth_registration": {"province": "003"},
            "place_of_origin": {"province": "003"}, "ethnic_group": "01", "registration": "%s/%s", "acknowledged": true,
            "because": "drill"}' "$(echo "$1$n" | tr 0-9 a-j)" "$today" "$1" "$n")
        until said=$(post "$lan" "birth-$1-$n" /api/v1/births "$body" 2>> "$T/refused.log"); do sleep 0.1; done
        echo "$(date +%s.%N) $(echo "$said" | jq -r .personal_number)" >> "$T/acknowledged.$1"
    done
}
for one in 1 2 3 4; do desk "$one" & children+=($!); done
births() { cat "$T"/acknowledged.* 2> /dev/null | wc -l; }
at_least() { [ "$(births)" -ge "$1" ]; }
waits_for 60 at_least 40
before=$(births) killed=$(date +%s.%N)
postmaster=$(head -1 "$T/pg/a/postmaster.pid")
# shellcheck disable=SC2046
kill -9 "$postmaster" $(pgrep -P "$postmaster")
say "node a is killed after $before acknowledged births"
pg pg_ctl -D "$T/pg/b" -w promote > /dev/null
# b waits for no standby as long as there is none.
sql b 'alter system reset synchronous_standby_names' && sql b 'select pg_reload_conf()' > /dev/null
say "node b is promoted"
waits_for 60 at_least $((before + 44))
after=$(cat "$T"/acknowledged.* | sort | awk -v killed="$killed" '$1 > killed + 0.05 { print $1 - killed; exit }')
say "the service found it by itself; the first birth was acknowledged $after s after the kill"

# --- the old primary comes back as the standby ---

# The timeline of the promotion is in the control file only after a checkpoint; without it pg_rewind sees nothing to do.
sql b CHECKPOINT
sql b "select pg_create_physical_replication_slot('to_a')" > /dev/null
rm -f "$T/pg/a/postmaster.pid"
pg pg_rewind --target-pgdata "$T/pg/a" --source-server "host=$T/run port=6002 user=issuance dbname=citizen_card" -R > "$T/rewind.log" 2>&1
sed -i "/^primary_slot_name/d; /^synchronous_standby_names/d" "$T/pg/a/postgresql.auto.conf"
echo "primary_slot_name = 'to_a'" >> "$T/pg/a/postgresql.auto.conf"
follows a to_a
starts a
sql b "alter system set synchronous_standby_names = 'FIRST 1 (to_a)'"
sql b 'select pg_reload_conf()' > /dev/null
waits_for 30 is_synchronous b to_a
say "node a was rewound and follows b synchronously"
now=$(births)
waits_for 60 at_least $((now + 10))
touch "$T/closed"
wait "${children[@]:1}"

# --- what must be so ---

cat "$T"/acknowledged.* | awk '{ print $2 }' | sort > "$T/numbers"
all=$(wc -l < "$T/numbers")
[ "$(sort -u "$T/numbers" | wc -l)" = "$all" ] || { echo "a number was given twice" >&2; exit 1; }
for node in a b; do
    sql $node 'select personal_number from personal_number order by personal_number' | LC_ALL=C sort > "$T/of-$node"
    lost=$(LC_ALL=C comm -23 <(LC_ALL=C sort "$T/numbers") "$T/of-$node" | wc -l)
    [ "$lost" = 0 ] || { echo "$lost acknowledged births are not on node $node" >&2; exit 1; }
done
# A birth that was not acknowledged before the kill was asked for again, and is there once.
[ "$(sql b 'select count(*) from personal_number')" = "$all" ] || { echo "more numbers are given than acknowledged" >&2; exit 1; }
say "$all births acknowledged, 0 lost, no number twice, on both nodes; $(wc -l < "$T/refused.log") requests were asked again"
