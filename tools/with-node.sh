#!/usr/bin/env bash
# Runs a command with Node 24 or later first on PATH: the machine's own if it is new enough, else the one that npm installed.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
major() { "$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }
for dir in "$root"/node_modules/node-linux-*/bin; do
  if [ -x "$dir/node" ] && [ "$(major "$dir/node")" -ge 24 ]; then PATH="$dir:$PATH"; export PATH; break; fi
done
exec "$@"
