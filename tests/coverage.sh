#!/bin/sh
# Prints which share of the rules and of the loop their tests run, crate by crate, and fails below 90 % of the
# lines of any. Installs what it needs: cargo-llvm-cov, and the tools of the LLVM that rustc was built with.
set -eu
cd "$(dirname "$0")/.."

llvm=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
if [ -z "${LLVM_COV:-}" ] && ! rustup component list --installed 2>/dev/null | grep -q '^llvm-tools'; then
    if [ ! -x "/usr/lib/llvm-$llvm/bin/llvm-cov" ]; then
        if [ "$(id -u)" != 0 ]; then
            echo "tests/coverage.sh: install the package llvm-$llvm, or: rustup component add llvm-tools" >&2
            exit 1
        fi
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "llvm-$llvm"
    fi
    LLVM_COV=/usr/lib/llvm-$llvm/bin/llvm-cov
    LLVM_PROFDATA=/usr/lib/llvm-$llvm/bin/llvm-profdata
    export LLVM_COV LLVM_PROFDATA
fi
cargo llvm-cov --version >/dev/null 2>&1 || cargo install --locked cargo-llvm-cov
cargo nextest --version >/dev/null 2>&1 || cargo install --locked cargo-nextest

# What runs the loop besides its own tests: the simulation, and the contract of the embedded adapters.
cargo llvm-cov nextest --locked --no-report --no-cfg-coverage \
    -p fleet-deliberation -p fleet-orchestrator -p fleet-worker -p fleet-simulation -p fleet-embedded

below=
for crate in deliberation orchestrator worker; do
    others=$(ls crates | grep -vx "$crate" | paste -sd '|')
    echo
    echo "$crate:"
    cargo llvm-cov report --fail-under-lines 90 \
        --ignore-filename-regex "crates/($others)/|/src/contract" || below="$below $crate"
done
if [ -n "$below" ]; then
    echo "tests/coverage.sh: below 90 % of the lines of:$below" >&2
    exit 1
fi
