#!/bin/sh
# Place a call and wait for its end, whatever happens to requests and responses on the way.
set -u

url="${VOICE_API_URL:-{{ sandbox_url }}}"
give_up_at=$(($(date +%s) + ${CALL_DEADLINE_SECONDS:-300}))
files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT

fail() {
  echo "The call was not made, or its end is not known: $1" >&2
  exit 1
}

# Leaves the JSON of a response in $files/body; what may pass is sent again until the deadline.
send() {
  pause=2
  while :; do
    : >"$files/head"
    : >"$files/body"
    status=$(curl -sS --max-time 10 -o "$files/body" -D "$files/head" -w '%{http_code}' \
      -H "Authorization: Bearer $VOICE_API_KEY" "$@" 2>"$files/errors")
    is_whole=$?
    wait=$pause
    case "$is_whole $status" in
      "0 2"*) jq -e . "$files/body" >/dev/null 2>&1 && return ;;
      "0 429" | "0 5"*)
        after=$(tr -d '\r' <"$files/head" | awk 'tolower($1) == "retry-after:" { print $2 }')
        wait=${after:-$pause}
        ;;
      "0 4"*) fail "$(jq -r .title "$files/body")" ;;
    esac
    [ $(($(date +%s) + wait)) -lt "$give_up_at" ] || fail "no response in time"
    sleep "$wait"
    [ "$pause" -ge 30 ] || pause=$((2 * pause))
  done
}

# Save the key beside your order before you send it. The same key places no second call.
key="order-$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')"
send "$url/v1/calls" -H "Content-Type: application/json" -H "Idempotency-Key: $key" \
  -d '{"phone": "{{ quickstart.phone }}", "agent": "{{ quickstart.agent }}"}'
call_id=$(jq -r .call_id "$files/body")

while send "$url/v1/calls/$call_id" && jq -e '.duration == null' "$files/body" >/dev/null; do
  [ $(($(date +%s) + 2)) -lt "$give_up_at" ] || fail "the call is still $(jq -r .status "$files/body")"
  sleep 2
done
jq -r '.status, .duration, .transcript' "$files/body"
