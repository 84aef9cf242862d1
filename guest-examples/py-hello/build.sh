#!/usr/bin/env bash
# Builds app.wasm from app.py with componentize-py, which it installs beside it the first time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    echo "py-hello: Python 3.10 or later with venv is missing. Type: apt-get install python3 python3-venv" >&2
    exit 1
fi
if [[ ! -x .venv/bin/componentize-py ]]; then
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check componentize-py==0.25.1
fi

rm -rf build && mkdir -p build/wit/deps
cp world.wit build/wit/ && cp ../../wit/deps/*.wit build/wit/deps/
.venv/bin/componentize-py -d build/wit -w app componentize app -o build/app.wasm
mv build/app.wasm app.wasm
