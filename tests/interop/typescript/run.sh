#!/usr/bin/env bash
# Lints the OpenAPI document with redocly, generates a TypeScript client from it, compiles it strictly, and makes one round trip
# with the running service. Says so where there is no Node >= 20.19, or npm cannot fetch the pinned packages.
set -euo pipefail
cd "$(dirname "$0")"
skip() {
    echo "SKIPPED: no TypeScript client is generated: $1"
    exit 0
}
command -v node > /dev/null && command -v npm > /dev/null || skip 'no node'
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    skip "node $(node --version) is older than 20.19"
npm ci --ignore-scripts --no-audit --no-fund --silent || skip 'npm cannot fetch the packages of package-lock.json'
root=$(cd ../../.. && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
cargo build --quiet --manifest-path "$root/Cargo.toml" --bin issuance
issuance=$target/debug/issuance
folder=$(mktemp -d)
service=
trap '[ -z "$service" ] || kill "$service"; rm -rf "$folder"' EXIT

"$issuance" openapi > openapi.json
npx redocly lint --config redocly.yaml openapi.json
npx openapi-typescript openapi.json --output client.ts > /dev/null
npx tsc --project .

(umask 077; head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$folder/kek")
"$issuance" init --data "$folder/data" --key-file "$folder/kek" > "$folder/init"
"$issuance" serve --data "$folder/data" --listen 127.0.0.1:0 > "$folder/out" 2> "$folder/log" &
service=$!
for _ in $(seq 300); do
    address=$(sed -n 's/^issuance listens on //p' "$folder/out")
    if [ -n "$address" ] || ! kill -0 "$service"; then break; fi
    sleep 0.1
done
[ -n "$address" ] || { cat "$folder/log"; echo 'the service does not listen' >&2; exit 1; }
NODE_EXTRA_CA_CERTS=$folder/data/tls-ca.pem node out/round-trip.js "$address" "$folder/data/admin-password"
