#!/bin/sh
# Installs a package of Debian where apt-get is there and may be used; fails where it is not.
set -eu

command -v apt-get >/dev/null || exit 1
if [ "$(id -u)" -eq 0 ]; then
  as_root="env"
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root="sudo -n env"
else
  exit 1
fi

echo "Installing $1 …"
$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq update
$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "$1" >/dev/null
