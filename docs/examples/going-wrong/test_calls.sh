# What can go wrong with a call, a test for each failure.
# --8<-- [start:head]
set -eu
. ./sandbox.sh
# --8<-- [end:head]

# --8<-- [start:lost-response]
test_a_retry_after_a_lost_response_calls_nobody_twice() {
  new_sandbox
  voice-sandbox fail createCall lost_response
  test "$(create order-1842)" = 000
  test "$(create order-1842)" = 201
  test "$(rings)" = 1
}
# --8<-- [end:lost-response]

# --8<-- [start:double-dial]
test_a_retry_without_a_key_calls_twice() {
  new_sandbox
  voice-sandbox fail createCall internal_error_after_work
  test "$(create)" = 500
  test "$(create)" = 201
  test "$(rings)" = 2 # this is the bug to look for
}
# --8<-- [end:double-dial]

# --8<-- [start:provider-unavailable]
test_the_third_attempt_works() {
  new_sandbox
  PHONE="{{ scenarios.unstable }}"
  test "$(create order-1842) $(create order-1842) $(create order-1842)" = "503 503 201"
}
# --8<-- [end:provider-unavailable]

# --8<-- [start:rate-limit]
test_retry_after_says_how_long_to_wait() {
  new_sandbox
  voice-sandbox fail createCall problem --code rate_limited --retry-after 7
  test "$(create)" = 429
  grep -i "^Retry-After: 7" headers.txt
  test "$(create)" = 201
}
# --8<-- [end:rate-limit]

# --8<-- [start:gateway-error]
test_a_gateway_error_is_no_json() {
  new_sandbox
  voice-sandbox fail createCall gateway_error --status 504
  test "$(create order-1842)" = 504
  grep -i "^Content-Type: text/html" headers.txt
  test "$(create order-1842)" = 201
  test "$(rings)" = 1
}
# --8<-- [end:gateway-error]

# --8<-- [start:stuck]
test_a_call_that_rings_and_rings() {
  new_sandbox
  call_id=$(voice-sandbox call stuck_ringing)
  voice-sandbox clock advance 3600
  test "$(status "$call_id")" = ringing
}
# --8<-- [end:stuck]

# --8<-- [start:late-result]
test_the_result_comes_a_minute_late() {
  new_sandbox
  call_id=$(voice-sandbox call delivered_late)
  voice-sandbox clock advance 30
  test "$(status "$call_id")" = in_progress
  voice-sandbox clock idle
  test "$(status "$call_id")" = completed
}
# --8<-- [end:late-result]

# --8<-- [start:hang-up]
test_a_call_that_breaks_off() {
  new_sandbox
  call_id=$(voice-sandbox call dropped)
  voice-sandbox clock idle
  test "$(status "$call_id")" = failed
  test "$(transcript "$call_id")" != null
}
# --8<-- [end:hang-up]

# --8<-- [start:voicemail]
test_voicemail_answers() {
  new_sandbox
  call_id=$(voice-sandbox call voicemail)
  voice-sandbox clock idle
  test "$(status "$call_id")" = completed
  transcript "$call_id" | grep "leave a message"
}
# --8<-- [end:voicemail]

# --8<-- [start:silence]
test_nobody_speaks() {
  new_sandbox
  call_id=$(voice-sandbox call silence)
  voice-sandbox clock idle
  test "$(status "$call_id")" = completed
  test "$(transcript "$call_id")" = null
}
# --8<-- [end:silence]

test_a_retry_after_a_lost_response_calls_nobody_twice
test_a_retry_without_a_key_calls_twice
test_the_third_attempt_works
test_retry_after_says_how_long_to_wait
test_a_gateway_error_is_no_json
test_a_call_that_rings_and_rings
test_the_result_comes_a_minute_late
test_a_call_that_breaks_off
test_voicemail_answers
test_nobody_speaks
echo "10 tests passed"
