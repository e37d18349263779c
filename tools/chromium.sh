#!/bin/sh
# Makes sure that there is a Chromium for the browser tests: $CHROMIUM, or `chromium` on PATH.
# Where apt-get can be used it installs Debian's; elsewhere it says what to do.
# Playwright's own browsers are never downloaded.
set -eu

if [ -n "${CHROMIUM:-}" ]; then
  command -v "$CHROMIUM" >/dev/null && exit 0
  echo "CHROMIUM is set to '$CHROMIUM', which is not a program. Name an installed Chromium, or unset it." >&2
  exit 1
fi
command -v chromium >/dev/null && exit 0
"$(dirname "$0")/debian.sh" chromium || {
  echo "The browser tests need Chromium. Install the package 'chromium' of your system (Debian: apt-get install chromium)," >&2
  echo "or name one that you have: make test CHROMIUM=/usr/bin/google-chrome" >&2
  exit 1
}
