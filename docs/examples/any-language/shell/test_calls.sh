#!/bin/sh
# Each test calls new_sandbox: a key of its own has its own calls and its own clock.
set -eu

new_sandbox() {
  VOICE_API_KEY="sandbox_$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
}

send() {
  curl -sS --fail-with-body -X "$1" "$VOICE_SANDBOX_URL$2" -H "Authorization: Bearer $VOICE_API_KEY" \
    ${3:+-H "Content-Type: application/json" -d "$3"}
}

member() {
  sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"
}

test_busy_line_ends_the_call_as_busy() {
  new_sandbox
  agent=$(send GET /v1/agents | sed 's/.*"agents": *\[{"key": *"\([^"]*\)".*/\1/')
  call_id=$(send POST /v1/calls "{\"phone\": \"+12025550111\", \"agent\": \"$agent\"}" | member call_id)
  send POST /sandbox/clock '{"advance_seconds": 30}' >/dev/null
  test "$(send GET "/v1/calls/$call_id" | member status)" = busy
}

test_busy_line_ends_the_call_as_busy
echo "1 test passed"
