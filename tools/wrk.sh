#!/bin/sh
# Makes sure that there is a wrk, which puts load on servers in the benchmark.
set -eu

command -v wrk >/dev/null && exit 0
"$(dirname "$0")/debian.sh" wrk || {
  echo "The benchmark needs wrk. Install the package 'wrk' of your system (Debian: apt-get install wrk)." >&2
  exit 1
}
