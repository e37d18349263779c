"""What can go wrong with a call, a test for each failure."""

# --8<-- [start:head]
import httpx2
import pytest

CALL = {"phone": "{{ scenarios.answered }}", "agent": "{{ quickstart.agent }}"}
# --8<-- [end:head]


# --8<-- [start:lost-response]
def test_a_retry_after_a_lost_response_calls_nobody_twice(voice_sandbox):
    voice_sandbox.fail("createCall", "lost_response")
    headers = {"Idempotency-Key": "order-1842"}
    with pytest.raises(httpx2.TransportError):
        voice_sandbox.client.post("/v1/calls", json=CALL, headers=headers)
    again = voice_sandbox.client.post("/v1/calls", json=CALL, headers=headers)
    assert again.status_code == 201
    assert voice_sandbox.rings(CALL["phone"]) == 1


# --8<-- [end:lost-response]


# --8<-- [start:double-dial]
def test_a_retry_without_a_key_calls_twice(voice_sandbox):
    voice_sandbox.fail("createCall", "internal_error_after_work")
    assert voice_sandbox.client.post("/v1/calls", json=CALL).status_code == 500
    voice_sandbox.client.post("/v1/calls", json=CALL)
    assert voice_sandbox.rings(CALL["phone"]) == 2  # this is the bug to look for


# --8<-- [end:double-dial]


# --8<-- [start:provider-unavailable]
def test_the_third_attempt_works(voice_sandbox):
    call = {**CALL, "phone": voice_sandbox.scenarios()["unstable"]}
    headers = {"Idempotency-Key": "order-1842"}
    statuses = []
    for _ in range(3):
        response = voice_sandbox.client.post("/v1/calls", json=call, headers=headers)
        statuses.append(response.status_code)
    assert statuses == [503, 503, 201]


# --8<-- [end:provider-unavailable]


# --8<-- [start:rate-limit]
def test_retry_after_says_how_long_to_wait(voice_sandbox):
    voice_sandbox.fail("createCall", "problem", code="rate_limited", retry_after=7)
    rejected = voice_sandbox.client.post("/v1/calls", json=CALL)
    assert rejected.status_code == 429
    assert rejected.headers["Retry-After"] == "7"
    assert voice_sandbox.client.post("/v1/calls", json=CALL).status_code == 201


# --8<-- [end:rate-limit]


# --8<-- [start:gateway-error]
def test_a_gateway_error_is_no_json(voice_sandbox):
    voice_sandbox.fail("createCall", "gateway_error", status=504)
    headers = {"Idempotency-Key": "order-1842"}
    failed = voice_sandbox.client.post("/v1/calls", json=CALL, headers=headers)
    assert failed.status_code == 504
    assert failed.headers["Content-Type"] == "text/html"
    voice_sandbox.client.post("/v1/calls", json=CALL, headers=headers)
    assert voice_sandbox.rings(CALL["phone"]) == 1


# --8<-- [end:gateway-error]


# --8<-- [start:stuck]
def test_a_call_that_rings_and_rings(voice_sandbox):
    call_id = voice_sandbox.call("stuck_ringing")
    voice_sandbox.advance(3600)
    assert voice_sandbox.status(call_id)["status"] == "ringing"


# --8<-- [end:stuck]


# --8<-- [start:late-result]
def test_the_result_comes_a_minute_late(voice_sandbox):
    call_id = voice_sandbox.call("delivered_late")
    voice_sandbox.advance(30)
    assert voice_sandbox.status(call_id)["status"] == "in_progress"
    voice_sandbox.until_idle()
    assert voice_sandbox.status(call_id)["status"] == "completed"


# --8<-- [end:late-result]


# --8<-- [start:hang-up]
def test_a_call_that_breaks_off(voice_sandbox):
    call_id = voice_sandbox.call("dropped")
    voice_sandbox.until_idle()
    call = voice_sandbox.status(call_id)
    assert call["status"] == "failed"
    assert call["transcript"] is not None


# --8<-- [end:hang-up]


# --8<-- [start:voicemail]
def test_voicemail_answers(voice_sandbox):
    call_id = voice_sandbox.call("voicemail")
    voice_sandbox.until_idle()
    call = voice_sandbox.status(call_id)
    assert call["status"] == "completed"
    assert "leave a message" in call["transcript"]


# --8<-- [end:voicemail]


# --8<-- [start:silence]
def test_nobody_speaks(voice_sandbox):
    call_id = voice_sandbox.call("silence")
    voice_sandbox.until_idle()
    call = voice_sandbox.status(call_id)
    assert call["status"] == "completed"
    assert call["transcript"] is None


# --8<-- [end:silence]
