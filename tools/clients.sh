#!/usr/bin/env bash
# Sees to the real clients that test/clients drives. kubectl and docker are looked for on PATH; buildx and compose are
# built with Go where that is installed, into a cache folder outside of the project. What can't be had is named, and the
# tests that need it say that they are skipped, and why.
set -euo pipefail
cache="${LONGSHORE_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore/clients}"
mkdir -p "$cache"
say() { printf 'longshore: %s\n' "$*" >&2; }

build() { # name, Go package, version
  local name="$1" package="$2" version="$3"
  [ -x "$cache/$name-$version" ] && return
  if ! command -v go >/dev/null; then say "Go is missing, so $name can't be built; its tests are skipped."; return; fi
  say "building $name $version with Go (a few minutes, once) …"
  local bin; bin="$(mktemp -d)"
  if GOBIN="$bin" GOFLAGS=-buildvcs=false go install "$package@$version" >"$cache/$name.log" 2>&1; then
    mv "$bin"/* "$cache/$name-$version"
  else
    say "building $name failed (see $cache/$name.log); its tests are skipped."
  fi
  rmdir "$bin" 2>/dev/null || rm -rf "$bin"
}

for client in docker kubectl; do
  command -v "$client" >/dev/null || say "$client is not on PATH; its tests are skipped."
done
build buildx github.com/docker/buildx/cmd/buildx v0.33.0
build compose github.com/docker/compose/v5/cmd v5.0.2
build helm helm.sh/helm/v4/cmd/helm v4.3.1
