#!/usr/bin/env bash
# Every target under libFuzzer for so many seconds each (20 by default).
set -euo pipefail
cd "$(dirname "$0")"
export RUSTC_BOOTSTRAP=1
cargo fuzz build --sanitizer none
for target in $(cargo fuzz list); do
    mkdir -p "corpus/$target"
    printf '%-18s ' "$target"
    cargo fuzz run --sanitizer none "$target" "corpus/$target" "seeds/$target" -- -max_total_time="${1:-20}" -max_len=65536 2>&1 |
        grep -E '^Done|panicked|SUMMARY|crash-' || echo "see above"
done
