"""What a sandbox keeps of a request opens no door: tokens of any form, secrets by name, keys."""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Final
from urllib.parse import quote

from voice_sandbox.verification.api import JSON, Api
from voice_sandbox.verification.check import Needs, check
from voice_sandbox.verification.finding import must, must_be
from voice_sandbox.verification.guard import CALLS_PATH, WEBHOOK_PATH
from voice_sandbox.verification.http1 import ReceivedResponse, SentRequest

WHOLE: Final = "/sandbox/journal?limit=999"
_LETTERS: Final = string.ascii_letters + string.digits

_FORMS: Final[Mapping[str, Callable[[bytes], str]]] = {
    "hex": bytes.hex,
    "base62": lambda value: _base62(value),
    "base64": lambda value: base64.b64encode(value).decode(),
    "base64url": lambda value: base64.urlsafe_b64encode(value).decode().rstrip("="),
    "base32": lambda value: base64.b32encode(value).decode().rstrip("="),
    "JSON Web Token": lambda value: f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.{_base62(value)}",
    "issued with a prefix": lambda value: f"sk_live_{_base62(value)}",
    "short with a prefix": lambda value: f"live_{_base62(value)[:10]}7",
    "key of a sandbox": lambda value: f"sandbox_{_base62(value)[:12]}",
}
"""How a secret of random bytes is written."""
_NAMES: Final = (
    *("password", "client_secret", "api_key", "apiKey", "access_token", "privateKey"),
    *("Authorization", "credentials", "refresh-token"),
)
"""Members whose value is a secret, however short."""
_IN_CLEAR: Final = "plain-7"
_KEYS: Final = ("order-1001", "order-1002", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "k", "K")


@check(Needs.SANDBOX)
def tokens_of_every_form_appear_nowhere(api: Api) -> None:
    """No form of token can be read again, in whichever part of a request it was sent."""
    api.create("never_completes")
    random = Random(7)  # noqa: S311  (the same tokens each time, so that a finding can be repeated)
    planted = [
        (form, place, _token(random, written), request)
        for form, written in _FORMS.items()
        for place, request in _PLACES.items()
    ]
    sent = []
    for form, place, token, request in api.some(planted):
        made = request(api, token)
        # Digits of a token may look like a number to call.
        if api.target.guard.allows(made):
            sent.append((form, place, token, api.send(made)))
    _must_have_kept(api, [response for *_, response in sent])
    for view in _views(api):
        shown = view.body.decode()
        for form, place, token, _ in sent:
            must(
                _readable(token) not in shown,
                f"A view of the journal shows a token ({form}) that was sent in {place}.",
                view,
            )
    for form, place, token, response in sent:
        if response.status >= 400:
            must(
                _readable(token) not in response.body.decode(),
                f"A problem repeats a token ({form}) that was sent in {place}.",
                response,
            )


@check(Needs.SANDBOX)
def members_named_like_secrets_are_redacted(api: Api) -> None:
    """A value is not kept where its name is that of a secret, and is kept under another name."""
    bodies: list[dict[str, Any]] = [{name: f"x{index}-secret"} for index, name in enumerate(_NAMES)]
    bodies += [
        {name: {"inner": [1, f"y{index}-secret"], "more": {"deep": f"w{index}-secret"}}}
        for index, name in enumerate(_NAMES)
    ]
    sent = [api.post(CALLS_PATH, {**body, "note": _IN_CLEAR}) for body in bodies]
    for index, name in enumerate(_NAMES):
        path = f"/v1/agents?{quote(name)}=z{index}-secret&note={_IN_CLEAR}"
        sent.append(api.get(path))
    _must_have_kept(api, sent)
    for view in _views(api):
        shown = view.body.decode()
        for index, name in enumerate(_NAMES):
            for value in (f"{letter}{index}-secret" for letter in "xywz"):
                must(value not in shown, f"The journal shows the value of {name}.", view)
    for response in sent:
        detail = _detail(api, response)
        words = detail["request"]["body"] + detail["path"]
        must(_IN_CLEAR in words, "The journal must keep what is no secret.", api.last())


@check(Needs.SANDBOX)
def numbers_are_shortened_and_not_removed(api: Api) -> None:
    """A number in any notation stays a text of its length in the journal, and cannot be dialled."""
    phones = ("+99912345678", "99912345678", "+999 12345678", "999-123-456-78", "+999123456789012")
    sent = [api.post(CALLS_PATH, {**api.new_call(), "phone": one, "zebra": 1}) for one in phones]
    _must_have_kept(api, sent)
    for phone, response in zip(phones, sent, strict=True):
        kept = _detail(api, response)["request"]["body"]
        try:
            shown = str(json.loads(kept).get("phone"))
        except ValueError:
            shown = ""
        must(
            len(shown) == len(phone) and shown != phone,
            f"The journal must show a number of {len(phone)} characters shortened, as a text of "
            f"the same length, but it shows {kept[:120]}.",
            api.last(),
        )


@check(Needs.SANDBOX)
def headers_named_like_secrets_are_redacted(api: Api) -> None:
    """Keys, cookies and signatures of any header are left out, and other headers are kept."""
    secret = {
        "Cookie": "theme=dark-a1",
        "X-Api-Key": "short-b2",
        "X-Signature": "short-c3",
        "X-Session-Id": "short-d4",
        "X-Auth": "short-e5",
        "X-Client-Secret": "short-f6",
        "Proxy-Authorization": "Basic c2hvcnQtZzc=",
    }
    kept = {"X-Note": "a-note", "Accept-Language": "ky", "X-Trace": "trace-1"}
    response = api.get("/v1/agents", *secret.items(), *kept.items())
    must_be(response, 200, when="headers are sent that nothing reads")
    headers = dict(_detail(api, response)["request"]["headers"])
    shown = api.last().body.decode()
    for name, value in secret.items():
        must(value not in shown, f"The journal shows the value of {name}.", api.last())
    for name, value in kept.items():
        must(
            headers.get(name.lower()) == value,
            f"The journal must show {name}: {value}.",
            api.last(),
        )


@check(Needs.SANDBOX)
def idempotency_keys_are_recognised_and_not_read(api: Api) -> None:
    """The journal shows one text for each key: the same for the same, none of them the key."""
    shown: dict[str, str] = {}
    for _ in range(2):
        for key in _KEYS:
            response = api.post(CALLS_PATH, api.new_call("busy"), ("Idempotency-Key", key))
            must_be(response, 201, when="a call is created under an Idempotency-Key")
            detail = _detail(api, response)
            found = dict(detail["request"]["headers"]).get("idempotency-key", "")
            must(
                shown.setdefault(key, found) == found,
                "The journal must show the same text for the same Idempotency-Key.",
                api.last(),
            )
            must(
                len(found) == len(key),
                f"The text for an Idempotency-Key of {len(key)} characters has {len(found)}.",
                api.last(),
            )
    long = [key for key in _KEYS if len(key) > 1]
    for key in long:
        must(key not in shown.values(), "The journal shows an Idempotency-Key.", api.last())
    must(
        len({shown[key] for key in long}) == len(long),
        "The journal shows one text for two Idempotency-Keys.",
        api.last(),
    )


# Where a token can stand


def _signed(api: Api, *headers: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return (("Authorization", f"Bearer {api.key}"), *headers)


def _reading(path: str, *headers: tuple[str, str]) -> Callable[[Api, str], SentRequest]:
    """A read whose path and headers have the token for ``{}``."""

    def made(api: Api, token: str) -> SentRequest:
        filled = [(name, value.replace("{}", token)) for name, value in headers]
        escaped = path.replace("{}", quote(token, safe=""))
        return SentRequest("GET", escaped, _signed(api, *filled))

    return made


def _posting(path: str, body: Callable[[Api, str], Any]) -> Callable[[Api, str], SentRequest]:
    def made(api: Api, token: str) -> SentRequest:
        written = json.dumps(body(api, token)).encode()
        return SentRequest("POST", path, _signed(api, JSON), written)

    return made


def _form(api: Api, token: str) -> SentRequest:
    body = f"a=1&b={quote(token, safe='')}".encode()
    form = ("Content-Type", "application/x-www-form-urlencoded")
    return SentRequest("POST", CALLS_PATH, _signed(api, form), body)


def _as_another_bearer(api: Api, token: str) -> SentRequest:
    headers = _signed(api, ("X-Forwarded-Authorization", f"Bearer {token}"))
    return SentRequest("GET", "/v1/agents", headers)


_PLACES: Final[Mapping[str, Callable[[Api, str], SentRequest]]] = {
    "a query": _reading("/v1/agents?q={}"),
    "the name of a parameter": _reading("/v1/agents?{}"),
    "a path": _reading("/v1/{}"),
    "an id of a call": _reading("/v1/calls/{}"),
    "a header": _reading("/v1/agents", ("X-Note", "a {} b")),
    "Referer": _reading("/v1/agents", ("Referer", "https://shop.test/a?session={}#top")),
    "a cookie": _reading("/v1/agents", ("Cookie", "session={}")),
    "User-Agent": _reading("/v1/agents", ("User-Agent", "shop/1.2 ({}; Linux)")),
    "a second Bearer": _as_another_bearer,
    "a member": _posting(CALLS_PATH, lambda api, token: {**api.new_call(), "agent": token}),
    "a nested value": _posting(CALLS_PATH, lambda api, token: {"a": [{"b": ["x", token]}]}),
    "the name of a member": _posting(CALLS_PATH, lambda api, token: {**api.new_call(), token: 1}),
    "a transcript": _posting(
        WEBHOOK_PATH, lambda api, token: api.completion(transcript=f"user: my key is {token}")
    ),
    "a reference": _posting(
        WEBHOOK_PATH, lambda api, token: api.completion(provider_call_id=token)
    ),
    "a form": _form,
}


def _base62(value: bytes) -> str:
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in value)


def _token(random: Random, written: Callable[[bytes], str]) -> str:
    return written(random.randbytes(24))


def _readable(token: str) -> str:
    """The longest part of a token that no mark interrupts: what a reader could still use."""
    return max("".join(" " if one in "/+.=" else one for one in token).split(), key=len)


# What is shown of it


def _views(api: Api) -> Iterator[ReceivedResponse]:
    """Every view of the journal of a key."""
    whole = api.get(WHOLE)
    yield whole
    yield api.get("/sandbox/journal/har")
    for entry in whole.json()["exchanges"]:
        yield api.get(f"/sandbox/exchanges/{entry['request_id']}")


def _must_have_kept(api: Api, responses: list[ReceivedResponse]) -> None:
    """A token could be missing only because its exchange is."""
    sent = {_id(response) for response in responses}

    def holds(response: ReceivedResponse) -> bool:
        return sent <= {entry["request_id"] for entry in response.json()["exchanges"]}

    journal = api.get_until(WHOLE, holds)
    must(holds(journal), "The journal must hold each exchange of its key.", journal)


def _detail(api: Api, response: ReceivedResponse) -> dict[str, Any]:
    path = f"/sandbox/exchanges/{_id(response)}"
    found = api.get_until(path, lambda read: read.status == 200)
    must_be(found, 200, when="an exchange of the same key is read")
    detail: dict[str, Any] = found.json()
    return detail


def _id(response: ReceivedResponse) -> str:
    return response.values("x-request-id")[0]
