# make demo [KEEP=1]   one citizen from declaration to a verified chip; leaves demo-out/
# make test            every test, skipped ones counted
# make interop         readers that we did not write read our chip over the real PC/SC stack
# make bench           figures with their anchors, for docs/benchmarks.md
# make check           formatting and lints
.PHONY: demo test interop bench check
SHELL := /bin/bash -o pipefail

demo:
	@tests/setup.sh demo
	@cargo build --quiet --bins
	@cargo run --quiet --package tests --bin demo -- $(if $(KEEP),--keep)

test:
	@tests/setup.sh test
	@mkdir -p target
	cargo build --workspace --bins
	cargo test --workspace --no-fail-fast -- --show-output 2>&1 | tee target/test.log | grep -vE '^(successes:|$$)|^    [a-z_:]+$$'
	@echo "skipped: $$(grep -c '^SKIPPED' target/test.log || true)"; grep '^SKIPPED' target/test.log | sort -u || true

interop:
	@tests/setup.sh interop
	cargo build --workspace --bins
	tests/interop/run.sh

bench:
	@tests/setup.sh test
	cargo bench --package tests --bench figures

check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
