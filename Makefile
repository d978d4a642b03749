# make demo [KEEP=1]   one citizen from declaration to a verified chip; leaves demo-out/
# make test            every test, skipped ones counted
# make interop         readers that we did not write read our chip over the real PC/SC stack
# make bench           figures with their anchors, for docs/benchmarks.md
# make check           formatting and lints
.PHONY: demo test interop bench check
SHELL := /bin/bash -o pipefail

demo:
	@tests/setup.sh $(if $(KEEP),keep,demo)
	@cargo build --bins
	@cargo run --quiet --package tests --bin demo -- $(if $(KEEP),--keep)

# Everything is in target/test.log; shown without the lists of what passed. A test that cannot run here says SKIPPED and why, and passes.
test:
	@tests/setup.sh test
	@mkdir -p target
	cargo build --workspace --bins
	@echo cargo test --workspace; status=0; { \
	cargo test --workspace --no-fail-fast --lib --bins --tests -- --show-output && code=0 || code=$$?; \
	cargo test --workspace --no-fail-fast --doc || code=$$?; exit $$code; } 2>&1 | tee target/test.log \
	| sed -uE '/^successes:$$/,/^$$/d; /^$$/d; /^running 0 tests/d; /^test result: ok. 0 passed; 0 failed; 0 ignored/d' || status=$$?; \
	awk '/^test result:/ { passed += $$4; failed += $$6; ignored += $$8 } /^SKIPPED/ { skipped[$$0]++; count++ } \
	END { for (why in skipped) print why (skipped[why] > 1 ? " (" skipped[why] " times)" : ""); \
	printf "\nIn all: %d passed, %d failed, %d ignored; of those passed, %d said that they skipped something\n", passed, failed, ignored, count }' \
	target/test.log; exit $$status

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
