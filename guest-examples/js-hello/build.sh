#!/usr/bin/env bash
# Builds app.wasm from app.js with componentize-js, which it installs beside it the first time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if ! command -v npm >/dev/null; then
    echo "js-hello: npm is missing. Install Node.js 20 or later: apt-get install nodejs npm" >&2
    exit 1
fi
[[ -x node_modules/.bin/componentize-js ]] || npm install --no-audit --no-fund --no-package-lock

rm -rf build && mkdir -p build/wit/deps
cp world.wit build/wit/ && cp ../../wit/deps/*.wit build/wit/deps/
node_modules/.bin/componentize-js --wit build/wit -n app -o build/app.wasm app.js
mv build/app.wasm app.wasm
