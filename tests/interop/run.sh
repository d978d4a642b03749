#!/usr/bin/env bash
# Readers that we did not write, against our chip over the real PC/SC stack. Builds them, then lets the orchestrator compare.
# Before that clients that we did not write either, against the service: generated from the OpenAPI document, and from the description of
# the SOAP interface, and one of X-Road through a security server; after it station and service of one version apart.
set -euo pipefail
cd "$(dirname "$0")"
typescript/run.sh
zeep/run.sh
xroad/run.sh
mvn -q -B -Dstyle.color=never -f jmrtd/pom.xml package
cargo build --quiet --manifest-path dmrtd/Cargo.toml --target-dir "${CARGO_TARGET_DIR:-../../target}/interop-dmrtd"
cd ../..
cargo run --quiet --package tests --bin interop -- \
  --dmrtd "${CARGO_TARGET_DIR:-target}/interop-dmrtd/debug/read-with-dmrtd" --jmrtd tests/interop/jmrtd/target
tests/interop/apart.sh
