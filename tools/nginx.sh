#!/bin/sh
# Makes sure, where it may, that there is an nginx for the test of the hosting page's example.
# Without one that test is skipped; nothing else needs it.
set -eu

command -v nginx >/dev/null && exit 0
[ -x /usr/sbin/nginx ] && exit 0

# A policy of 101 keeps Debian from starting it: the test starts its own.
policy=/usr/sbin/policy-rc.d
if [ "$(id -u)" -eq 0 ] && [ -d /usr/sbin ] && [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
"$(dirname "$0")/debian.sh" nginx-light ||
  echo "There is no nginx, so the test of its example is skipped (Debian: apt-get install nginx-light)." >&2
