#!/bin/sh
# Makes sure that there is a wrk, which puts load on servers in the benchmark.
set -eu

command -v wrk >/dev/null && exit 0

if command -v apt-get >/dev/null; then
  if [ "$(id -u)" -eq 0 ]; then
    as_root="env"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n env"
  fi
fi
if [ -z "${as_root:-}" ]; then
  echo "The benchmark needs wrk. Install the package 'wrk' of your system (Debian: apt-get install wrk)." >&2
  exit 1
fi

echo "Installing wrk …"
$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq update
$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends wrk >/dev/null
command -v wrk >/dev/null
