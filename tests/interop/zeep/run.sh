#!/usr/bin/env bash
# A Python client that zeep makes from the description of the SOAP interface asks a running service over TLS with a partner's
# certificate; what it hears is compared with what REST says. Says so where there is no Python with venv, or pip cannot fetch the
# pinned packages.
set -euo pipefail
cd "$(dirname "$0")"
skip() {
    echo "SKIPPED: no client is made by zeep: $1"
    exit 0
}
command -v python3 > /dev/null || skip 'no python3'
# Found again by the digest of the list, so that later runs need no network.
folder=$HOME/.cache/citizen-card/zeep-$(sha256sum requirements.txt | head -c 16)
if ! [ -e "$folder/complete" ]; then
    rm -rf "$folder"
    mkdir -p "$(dirname "$folder")"
    python3 -m venv "$folder" || skip 'python3 has no venv'
    "$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements.txt ||
        skip 'pip cannot fetch the packages of requirements.txt'
    touch "$folder/complete"
fi
ZEEP_PYTHON=$folder/bin/python cargo test --quiet --manifest-path ../../../issuance/Cargo.toml --test it -- \
    --ignored --exact soap::a_client_that_zeep_makes_hears_what_rest_says
