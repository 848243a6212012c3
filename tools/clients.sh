#!/usr/bin/env bash
# Sees to the real clients that test/clients drives, in a cache folder outside of the project. docker and kubectl are
# taken from PATH, or out of Debian's packages, which are unpacked and not installed: no dockerd is to start. buildx,
# compose and helm are built with Go where that is installed; the tests that need them say that they are skipped, and why.
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

from_debian() { # program, then the packages that may bring it
  local program="$1" package dir; shift
  if command -v "$program" >/dev/null || [ -x "$cache/bin/$program" ]; then return; fi
  for package in "$@"; do
    say "taking $program out of Debian's package $package …"
    dir="$(mktemp -d)"; chmod 755 "$dir"
    if (cd "$dir" && { apt-get download -qq "$package" || { apt-get update -qq && apt-get download -qq "$package"; }; } >/dev/null 2>&1 && dpkg -x ./*.deb root) && [ -x "$dir/root/usr/bin/$program" ]; then
      install -D -m 755 "$dir/root/usr/bin/$program" "$cache/bin/$program"
    fi
    rm -rf "$dir"
    if [ -x "$cache/bin/$program" ]; then return; fi
  done
  say "$program is missing, and the tests drive it. Put it on PATH (Debian: the package $1), then run this again."
  exit 1
}

from_debian docker docker-cli docker.io
from_debian kubectl kubectl kubernetes-client
build buildx github.com/docker/buildx/cmd/buildx v0.33.0
build compose github.com/docker/compose/v5/cmd v5.0.2
build helm helm.sh/helm/v4/cmd/helm v4.3.1
