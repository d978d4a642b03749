#!/usr/bin/env bash
# Station and service of one version apart: builds `card-agent` and `issuance` of an earlier commit out of the history, and lets them work
# with the present ones. The commit is the last one that spoke version 1 of the station protocol; the version before the present one.
set -euo pipefail
cd "$(dirname "$0")/../.."
commit=668eba54116dd800d8b1464bf04ec6eb75502461
here="$(realpath -m "${CARGO_TARGET_DIR:-target}")"
older="$here/older-$commit"
if ! git cat-file -e "$commit^{commit}" 2>/dev/null; then
  echo "SKIPPED: station and service of one version apart: the history has no commit $commit (a shallow clone; \`git fetch --unshallow\`)"
  echo "In all: 0 passed, 0 failed, 0 ignored, and 1 said that it skipped something"
  exit 0
fi
if [ ! -x "$older/debug/card-agent" ] || [ ! -x "$older/debug/issuance" ]; then
  mkdir -p "$older/src"
  git archive "$commit" | tar -x -C "$older/src"
  # In a folder of its own, once: cargo tells the crates of a workspace apart by their place in it, and these have the same places.
  CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 CARGO_TARGET_DIR="$older" \
    cargo build --quiet --locked --manifest-path "$older/src/Cargo.toml" --workspace --bin issuance --bin card-agent
fi
cargo run --quiet --package tests --bin apart -- --older "$older/debug"
