# Each test calls new_sandbox: a key of its own has its own calls, faults and clock.

new_sandbox() {
  VOICE_API_KEY="sandbox_$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
  export VOICE_API_KEY
  PHONE="{{ scenarios.answered }}"
}

# Prints the status of the response, or 000 where none comes. Takes an Idempotency-Key.
create() {
  curl -sS -o body.txt -D headers.txt -w '%{http_code}' "$VOICE_API_URL/v1/calls" \
    -H "Authorization: Bearer $VOICE_API_KEY" \
    -H "Content-Type: application/json" \
    ${1:+-H "Idempotency-Key: $1"} \
    -d '{"phone": "'"$PHONE"'", "agent": "{{ quickstart.agent }}"}' 2>errors.txt || true
}

read_call() {
  curl -sS "$VOICE_API_URL/v1/calls/$1" -H "Authorization: Bearer $VOICE_API_KEY"
}

status() {
  read_call "$1" | jq -r .status
}

transcript() {
  read_call "$1" | jq -r .transcript
}

rings() {
  voice-sandbox rings --json | jq --arg phone "$PHONE" '.[] | select(.phone == $phone).count'
}
