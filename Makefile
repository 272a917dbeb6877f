# What developers run. Each is a few plain lines.

.PHONY: run check test corpus coverage sim bench soak

# The main job, on a task of your own: make run TASK="..."
TASK ?= Write a Python function that returns n factorial
run:
	cargo run --release -- deliberate "$(TASK)"

# Format, lints, documentation.
check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet

# Installs what the tests need, then runs all of them.
test:
	tests/setup.sh
	cargo nextest --version >/dev/null 2>&1 || cargo install --locked cargo-nextest
	cargo build --locked --workspace --bins
	cargo nextest run --locked --workspace

# How well the checks tell good proposals from bad ones.
corpus:
	cargo test --locked -p fleet-checks --test corpus -- --nocapture --test-threads=1

# How much of the rules and of the loop the tests run; fails below 90 % of the lines.
coverage:
	tests/coverage.sh

# Any number of seeds of the simulation: make sim SEEDS=100000; one, shown in full: SIM_SEED=7 make sim
SEEDS ?= 10000
sim:
	SIM_SEEDS=$(SEEDS) cargo test --release --locked -p fleet-simulation -- --nocapture

# Benchmarks; writes docs/performance.md.
bench:
	cargo build --release --locked -p fleet -p fleet-scripted
	cargo run --release --locked -p fleet-benches

# Half an hour at half of what the server can do; writes docs/reliability.md.
soak:
	cargo build --release --locked -p fleet -p fleet-scripted
	cargo run --release --locked -p fleet-benches -- soak
