#!/usr/bin/env bash
# All that `npm test` is: set-up, type check, lint, then every test under node:test, whose counts close the output.
# Arguments are passed on as test files: `npm test -- src/lib/clock.test.ts`.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
if [ "$(id -u)" != 0 ]; then
  echo "longshore: the tests start real containers and need root. Run them as root (sudo npm test)." >&2
  exit 1
fi
tools/setup.sh runc conmon nft ip busybox debootstrap strace tmux ps git
export PATH="$root/node_modules/.bin:$PATH"
tools/with-node.sh tsc --noEmit
tools/with-node.sh oxlint --type-aware --quiet
tools/clients.sh
PATH="$PATH:${LONGSHORE_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore/clients}/bin"
if [ $# -gt 0 ]; then files=("$@"); else mapfile -t files < <(find src test tools bench -name '*.test.ts' -not -path '*/node_modules/*' | sort); fi
# Two files at once: the machine that this must pass on has two cores.
exec tools/with-node.sh node --test --test-concurrency="${LONGSHORE_TEST_CONCURRENCY:-2}" --test-timeout=600000 --test-reporter=spec "${files[@]}"
