#!/usr/bin/env bash
# pyxroad, a Python client of X-Road that we did not write, asks a running service through the security server of our tests: it
# fetches the description there, and makes its messages of it. Says so where there is no Python with venv, or pip cannot fetch the
# pinned packages.
set -euo pipefail
cd "$(dirname "$0")"
skip() {
    echo "SKIPPED: pyxroad does not ask: $1"
    exit 0
}
command -v python3 > /dev/null || skip 'no python3'
# Found again by the digest of the list, so that later runs need no network.
folder=$HOME/.cache/citizen-card/pyxroad-$(sha256sum requirements.txt | head -c 16)
if ! [ -e "$folder/complete" ]; then
    rm -rf "$folder"
    mkdir -p "$(dirname "$folder")"
    python3 -m venv "$folder" || skip 'python3 has no venv'
    "$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements.txt ||
        skip 'pip cannot fetch the packages of requirements.txt'
    touch "$folder/complete"
fi
PYXROAD_PYTHON=$folder/bin/python cargo test --quiet --manifest-path ../../../issuance/Cargo.toml --test it -- \
    --ignored --exact xroad::pyxroad_asks_through_a_security_server
