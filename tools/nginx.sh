#!/bin/sh
# Makes sure, where it may, that there is an nginx for the test of the hosting page's example.
# Without one that test is skipped; nothing else needs it.
set -eu

command -v nginx >/dev/null && exit 0
[ -x /usr/sbin/nginx ] && exit 0

if command -v apt-get >/dev/null; then
  if [ "$(id -u)" -eq 0 ]; then
    as_root="env"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n env"
  fi
fi
if [ -z "${as_root:-}" ]; then
  echo "There is no nginx, so the test of its example is skipped (Debian: apt-get install nginx-light)." >&2
  exit 0
fi

echo "Installing nginx …"
# A policy of 101 keeps Debian from starting it: the test starts its own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  $as_root sh -c "printf '#!/bin/sh\nexit 101\n' > $policy && chmod +x $policy"
  trap '$as_root rm -f "$policy"' EXIT
fi
$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq update
$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends nginx-light >/dev/null
