#!/usr/bin/env bash
# Brings what a run of Longshore needs onto a Debian machine, and says what it does: Node 24 and the npm
# dependencies by the lockfile, and the OS packages named as arguments. Talks on standard error alone.
# Where it may not install, it says exactly what to install and ends with 1.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
say() { printf 'longshore: %s\n' "$*" >&2; }

node_dependencies() {
  local stamp="$root/node_modules/.longshore-lock"
  if [ -f "$stamp" ] && cmp -s "$stamp" "$root/package-lock.json"; then return; fi
  if ! command -v npm >/dev/null; then
    say "npm is missing. Install Node.js 20 or later with npm (Debian: apt-get install nodejs npm), then run this again."
    exit 1
  fi
  say "installing npm dependencies by the lockfile (Node 24 is one of them) …"
  # The binaries that we use come inside their packages; no package needs its install script.
  if ! (cd "$root" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 2>&1); then
    say "npm ci failed in $root. Check the network or the npm registry's settings, then run this again."
    exit 1
  fi
  cp "$root/package-lock.json" "$stamp"
}

# name of a program (or /path of a file) : Debian package that brings it
declare -A package_of=(
  [runc]=runc [conmon]=conmon [nft]=nftables [ip]=iproute2 [busybox]=busybox-static [debootstrap]=debootstrap
  [strace]=strace [tmux]=tmux [wrk]=wrk [h2load]=nghttp2-client [openssl]=openssl [ps]=procps [git]=git
)

os_packages() {
  local missing=() program
  for program in "$@"; do
    command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ] || [ -x "/sbin/$program" ] || missing+=("${package_of[$program]}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || [ "${LONGSHORE_NO_INSTALL:-}" = 1 ]; then
    say "these packages are missing: ${missing[*]}. Install them as root (Debian: apt-get install ${missing[*]}), then run this again."
    exit 1
  fi
  say "installing Debian packages: ${missing[*]} …"
  # Package lists may be absent or old on a fresh machine.
  if ! { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 \
    || { apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2; }; }; then
    say "apt-get could not install: ${missing[*]}. Install them by hand, then run this again."
    exit 1
  fi
}

node_dependencies
os_packages "$@"
