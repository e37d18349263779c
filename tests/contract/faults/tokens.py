"""Faults of authorization: whose token is accepted, and where it is looked for."""

import re

from fault_injection import FaultInjector, FaultyRequest, FaultyResponse
from faults.altering import (
    WEBHOOK,
    authorize,
    become,
    change_responses,
    is_posted,
    lenient,
)
from faults.fault import fault
from voice_sandbox.sandbox_key import PATTERN, PREFIX


def sandbox_key(injector: FaultInjector, pattern: bytes) -> None:
    """Let another pattern say which token is good."""

    def change(values: list[bytes]) -> list[bytes]:
        return [
            b"Bearer sandbox_somebody" if re.fullmatch(b"Bearer " + pattern, value) else value
            for value in values
        ]

    authorize(injector, change)


@fault("auth", "missing_token_is_401")
def no_token_is_needed(injector: FaultInjector) -> None:
    """A request without a token is served."""
    authorize(injector, lambda values: values or [b"Bearer sandbox_nobody"])


@fault("auth", "wrong_tokens_are_401")
def any_token_is_accepted(injector: FaultInjector) -> None:
    """A token of any form is accepted."""
    sandbox_key(injector, rb"[A-Za-z0-9._~+/-]+=*")


@fault("auth", "wrong_tokens_are_401")
def start_of_the_token_decides(injector: FaultInjector) -> None:
    """Whatever starts like a good token is accepted."""
    sandbox_key(injector, PATTERN.encode() + b".+")


@fault("auth", "wrong_tokens_are_401")
def short_tokens_are_accepted(injector: FaultInjector) -> None:
    """A token shorter than allowed is accepted."""
    sandbox_key(injector, rb"sandbox_[A-Za-z0-9_-]{0,3}")


@fault("auth", "wrong_tokens_are_401")
def long_tokens_are_accepted(injector: FaultInjector) -> None:
    """A token longer than allowed is accepted."""
    sandbox_key(injector, rb"sandbox_[A-Za-z0-9_-]{65,}")


@fault("auth", "wrong_tokens_are_401")
def token_ignores_case(injector: FaultInjector) -> None:
    """A token in capitals is accepted."""
    sandbox_key(injector, PATTERN.replace(PREFIX, PREFIX.upper()).encode())


@fault("auth", "wrong_tokens_are_401")
def basic_is_accepted(injector: FaultInjector) -> None:
    """The scheme of Authorization is not looked at."""
    authorize(injector, lambda values: [re.sub(rb"^(Basic|Token) ", b"Bearer ", v) for v in values])


@fault("auth", "wrong_tokens_are_401")
def bare_token_is_accepted(injector: FaultInjector) -> None:
    """A token without a scheme is accepted."""
    authorize(injector, lambda values: [re.sub(rb"^(?=sandbox_)", b"Bearer ", v) for v in values])


@fault("auth", "bearer_is_written_in_any_case")
def bearer_must_be_capitalized(injector: FaultInjector) -> None:
    """`bearer` in lower case is rejected."""
    authorize(injector, lambda values: [re.sub(rb"^bearer ", b"no-bearer ", v) for v in values])


@fault("auth", "token_given_twice_is_401")
def first_of_two_tokens_counts(injector: FaultInjector) -> None:
    """Of two Authorization headers the first counts."""
    authorize(injector, lambda values: values[:1])


@fault("auth", "token_counts_in_its_header_alone")
def cookie_is_accepted(injector: FaultInjector) -> None:
    """A token in a cookie is accepted."""

    def alter(request: FaultyRequest) -> None:
        for cookie in request.values("cookie"):
            if match := re.search(rb"access_token=([^;]+)", cookie):
                request.put("authorization", b"Bearer " + match[1])

    injector.on_request(alter)


@fault("auth", "webhook_needs_a_token")
def webhook_is_open(injector: FaultInjector) -> None:
    """The webhook takes completions without a token."""

    def alter(request: FaultyRequest) -> None:
        if request.path == WEBHOOK and not request.values("authorization"):
            request.put("authorization", b"Bearer sandbox_nobody")

    injector.on_request(alter)


@fault("auth", "rejected_token_says_how_to_authenticate")
def challenge_is_missing(injector: FaultInjector) -> None:
    """A 401 carries no WWW-Authenticate."""
    change_responses(
        injector, lambda _, r: r.status == 401, lambda r: r.put("www-authenticate", None)
    )


@fault("auth", "rejected_token_says_how_to_authenticate")
def challenge_asks_for_basic(injector: FaultInjector) -> None:
    """A 401 asks for Basic, and browsers open a window."""
    change_responses(
        injector,
        lambda _, r: r.status == 401,
        lambda r: r.put("www-authenticate", b"Basic realm=x"),
    )


@fault("auth", "wrong_tokens_are_401")
def wrong_token_is_403(injector: FaultInjector) -> None:
    """A wrong token is 403."""
    change_responses(injector, lambda _, r: r.status == 401, lambda r: setattr(r, "status", 403))


@fault("auth", "missing_token_is_401")
def missing_token_is_called_invalid(injector: FaultInjector) -> None:
    """A missing token has the code of a wrong one."""
    become(injector, 401, "invalid_token")


@fault("auth", "rejected_token_says_how_to_authenticate")
def rejection_repeats_the_token(injector: FaultInjector) -> None:
    """A 401 shows the token that was sent."""

    def alter(request: FaultyRequest, response: FaultyResponse) -> None:
        if response.status == 401 and request.values("authorization") and response.body:
            token = request.values("authorization")[0].decode("latin-1")
            response.put_json(
                response.json | {"detail": f"The token {token[:200]} is not accepted."}
            )

    injector.on_response(alter)


@fault("auth", "rejections_come_in_order")
def body_is_looked_at_before_the_token(injector: FaultInjector) -> None:
    """A wrong body without a token is rejected for the body."""

    def alter(request: FaultyRequest) -> None:
        if is_posted(request) and not request.values("authorization") and not lenient(request.body):
            request.put("authorization", b"Bearer sandbox_nobody")

    injector.on_request(alter)


@fault("auth", "token_is_taken_from_nowhere_else")
def token_in_the_query_is_accepted(injector: FaultInjector) -> None:
    """A token in the query, which every log keeps, is accepted."""

    def alter(request: FaultyRequest) -> None:
        if match := re.search(rb"access_token=([^&]+)", request.query):
            request.put("authorization", b"Bearer " + match[1])

    injector.on_request(alter)


@fault("auth", "token_is_taken_from_nowhere_else")
def api_key_header_is_accepted(injector: FaultInjector) -> None:
    """A token in X-Api-Key is accepted."""

    def alter(request: FaultyRequest) -> None:
        for value in request.values("x-api-key"):
            request.put("authorization", b"Bearer " + value)

    injector.on_request(alter)
