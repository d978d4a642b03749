.DEFAULT_GOAL := help
.PHONY: help demo test interop bench crash mutants check format advisories install deb
SHELL := /bin/bash -o pipefail
# Where tests/setup.sh puts the tools of `make check` and `make mutants`.
export PATH := $(HOME)/.cache/citizen-card/tools/bin:$(PATH)
# Where rustup has the version of rust-toolchain.toml only under the name stable, that is taken instead of a download.
PINNED := $(shell sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
ifeq ($(shell [ -z "$$RUSTUP_TOOLCHAIN" ] && command -v rustup >/dev/null && ! rustup toolchain list | grep -q '^$(PINNED)-' \
  && rustc +stable --version 2>/dev/null | grep -qF 'rustc $(PINNED) ' && echo yes),yes)
export RUSTUP_TOOLCHAIN := stable
endif

help: ## this list
	@awk -F ' *## *' '/^[a-z]+:.*##/ { sub(/:.*/, "", $$1); printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## one citizen from declaration to a verified chip; leaves demo-out/; with KEEP=1 leaves everything running, with KEEP=DIR also keeps it
	@tests/setup.sh $(if $(KEEP),keep,demo)
	@cargo build --bins
	@cargo run --quiet --package tests --bin demo -- $(if $(KEEP),$(if $(filter 1,$(KEEP)),--keep,--dir $(KEEP)))

# Everything is in target/test.log, and as JUnit in target/test.xml; shown without the lists of what passed. A test that cannot run here says SKIPPED and why, and passes.
test: ## every test; skipped ones are printed and counted
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
	target/test.log; awk -f .ci/junit.awk target/test.log > target/test.xml || status=$$?; exit $$status

interop: ## readers that we did not write read our chip over the real PC/SC stack; a generated client, one version apart, a fresh Debian
	@tests/setup.sh interop
	cargo build --workspace --bins
	tests/interop/run.sh
	tests/operations/failover.sh
	tests/operations/fresh-debian.sh

bench: ## figures with their anchors, for docs/benchmarks.md
	@tests/setup.sh test
	cargo bench --package tests --bench figures

crash: ## kills the service under work, a hundred times on each engine
	@tests/setup.sh test
	cargo build --workspace --bins
	for database in sqlite postgres; do cargo run --package tests --bin crash -- --kills 100 --database $$database || exit; done

# Hours. SHARD=3/8 does the fourth eighth of it; every mutant is judged alone, so the parts add up. Figures: docs/mutation.md.
mutants: ## mutates the code that decides what is believed; each mutant is to be caught by the tests of crypto
	@tests/setup.sh mutants
	@mkdir -p target
	cargo mutants --package crypto --output target $(if $(SHARD),--shard $(SHARD))

# What the work tree holds, to see that the run left it alone.
tree = { git status --porcelain; git diff | git hash-object --stdin; }

check: target/style ## formatting, comments, imports, spelling, dependencies, lints, documentation; no test
	@tests/setup.sh check
	@$(tree) > target/tree
	cargo fmt --all --check
	rustfmt --check .ci/style.rs
	target/style check
	typos
	cargo deny --locked check --hide-inclusion-graph bans licenses sources
	cargo clippy --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS='--deny warnings' cargo doc --workspace --no-deps
	.ci/openapi
	@$(tree) | diff target/tree - || { echo 'make check: the run changed the work tree' >&2; exit 1; }

format: target/style ## formats the code and rewraps comments over the limit
	cargo fmt --all
	rustfmt .ci/style.rs
	target/style wrap

# DESTDIR=/tmp/root make install puts everything below another root, for packages. Then: docs/operations.md.
PREFIX ?= /usr
COMMIT := $(shell git describe --always --dirty 2>/dev/null || echo unknown) of $(shell git log -1 --format=%cs 2>/dev/null || echo unknown)
install: ## builds for use and installs programs, units, manual pages and completions
	CITIZEN_CARD_COMMIT='0.1.0 (commit $(COMMIT))' cargo build --locked --release --package issuance --package card-agent
	install -D -m 0755 -t $(DESTDIR)$(PREFIX)/bin target/release/issuance target/release/card-agent
	install -D -m 0644 -t $(DESTDIR)/lib/systemd/system issuance/packaging/citizen-card-issuance.service \
	  issuance/packaging/citizen-card-archive.service issuance/packaging/citizen-card-crl.service issuance/packaging/citizen-card-crl.timer \
	  card-agent/packaging/citizen-card-station.service
	install -D -m 0644 issuance/packaging/sysusers.d/citizen-card-issuance.conf $(DESTDIR)/usr/lib/sysusers.d/citizen-card-issuance.conf
	install -D -m 0644 card-agent/packaging/sysusers.d/citizen-card-station.conf $(DESTDIR)/usr/lib/sysusers.d/citizen-card-station.conf
	install -D -m 0644 issuance/packaging/tmpfiles.d/citizen-card-issuance.conf $(DESTDIR)/usr/lib/tmpfiles.d/citizen-card-issuance.conf
	install -D -m 0644 issuance/issuance.toml $(DESTDIR)/etc/citizen-card/issuance.toml.example
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	target/release/issuance man $(DESTDIR)$(PREFIX)/share/man/man1
	target/release/issuance completions bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/issuance
	target/release/card-agent man --lang en --quiet $(DESTDIR)$(PREFIX)/share/man/man1
	target/release/card-agent man --lang vi --quiet $(DESTDIR)$(PREFIX)/share/man/vi/man1
	target/release/card-agent completions bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/card-agent
	target/release/card-agent config example station > $(DESTDIR)/etc/citizen-card/station.toml.example
	target/release/card-agent config example kiosk > $(DESTDIR)/etc/citizen-card/kiosk.toml.example

deb: ## Debian packages of service, station and simulator, in target/debian
	@tests/setup.sh deb
	CITIZEN_CARD_COMMIT='0.1.0 (commit $(COMMIT))' cargo build --locked --release --package issuance --package card-agent --package hardware-sim
	.ci/deb release
	@ls -l target/debian

advisories: ## known vulnerabilities of what we depend on; fetches the database of the RustSec project
	@tests/setup.sh check
	cargo deny --locked check --hide-inclusion-graph advisories

target/style: .ci/style.rs rust-toolchain.toml
	@tests/setup.sh check
	@mkdir -p target
	rustc --edition 2024 --test -o $@-tests $<
	$@-tests --quiet
	rustc --edition 2024 -O -o $@ $<
