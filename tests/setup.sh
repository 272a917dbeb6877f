#!/bin/sh
# Brings what the tests need besides Rust: .venv with the packages of tests/real-llm/requirements.txt, and
# the tiny model in target/real-llm. Does nothing that is already done.
set -eu
cd "$(dirname "$0")/.."

requirements=tests/real-llm/requirements.txt
done_with=.venv/requirements.txt
model="${CARGO_TARGET_DIR:-target}/real-llm/tiny.gguf"

if ! cmp -s "$requirements" "$done_with"; then
    # ensurepip is what Debian leaves out of python3.
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        if [ "$(id -u)" != 0 ]; then
            echo "tests/setup.sh: python3 with venv is missing; install python3 and python3-venv" >&2
            exit 1
        fi
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv
    fi
    python3 -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$done_with"
fi

if [ ! -f "$model" ] || [ tests/real-llm/make_tiny_model.py -nt "$model" ]; then
    .venv/bin/python tests/real-llm/make_tiny_model.py "$model"
fi
