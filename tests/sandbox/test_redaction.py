"""Tokens and numbers are taken out wherever they are, and what is no secret stays as it was."""

import base64
import json
import time
from collections.abc import Callable
from random import Random
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_sandbox.http.redaction import public_words, redact, stand_in, with_short_numbers

BASE62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def base62(value: bytes) -> str:
    return "".join(BASE62[byte % 62] for byte in value)


FORMS: dict[str, Callable[[bytes], str]] = {
    "hex": bytes.hex,
    "base62": base62,
    "base64url": lambda value: base64.urlsafe_b64encode(value).decode().rstrip("="),
    "base32": lambda value: base64.b32encode(value).decode().rstrip("="),
    "jwt": lambda value: f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{base62(value)}",
    "issued": lambda value: f"sk_live_{base62(value)}",
    "short": lambda value: f"live_{base62(value)[:10]}7",
    "sandbox": lambda value: f"sandbox_{value.hex()[:8]}",
    "base64": lambda value: base64.b64encode(value).decode(),
}


def token(seed: int, form: Callable[[bytes], str]) -> str:
    random = Random(seed)
    return form(random.randbytes(random.randint(24, 40)))


TOKENS = st.builds(token, st.integers(0, 1_000_000), st.sampled_from(list(FORMS.values())))

PLACES: dict[str, Callable[[str], str]] = {
    "path": lambda token: f"/v1/calls/{token}",
    "segment": lambda token: f"/v1/{token}/calls",
    "escaped path": lambda token: "/v1/calls/" + "".join(f"%{ord(c):02X}" for c in token),
    "query": lambda token: f"/v1/calls?q={quote(token, safe='')}&page=2",
    "query name": lambda token: f"/v1/calls?{quote(token, safe='')}",
    "user agent": lambda token: f"shop/1.2 ({token}; Linux)",
    "referer": lambda token: f"https://shop.test/orders?session={token}#top",
    "origin": lambda token: f"https://{token}",
    "bearer": lambda token: f"bEaReR  {token}",
    "json": lambda token: json.dumps({"a": token}),
    "nested": lambda token: json.dumps({"a": [{"b": ["x", token]}]}),
    "member name": lambda token: json.dumps({token: 1}),
    "escaped json": lambda token: '{"a":"' + "".join(f"\\u{ord(c):04x}" for c in token) + '"}',
    "form": lambda token: f"a=1&b={token}",
    "pointer": lambda token: f"/{token}: There is no such field.",
    "text": lambda token: f"The value {token}, which was sent, is wrong.",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@given(token=TOKENS)
def test_a_token_is_recognised_wherever_it_is(place: Callable[[str], str], token: str) -> None:
    """No form of token can be read again from any place, and twice redacted is once redacted."""
    shown = redact(place(token).encode())
    secret = max(token.replace("/", " ").replace("+", " ").replace(".", " ").split(), key=len)
    assert secret.encode() not in shown
    assert b"[redacted]" in shown
    assert redact(shown) == shown
    assert shown.startswith(b"/") == place(token).startswith("/")


NAMES = ("token", "access_token", "api_key", "apiKey", "Password", "client-secret", "authorization")
VALUES = ('"x"', '"a\\"b"', "12", "null", '["x", ["y"]]', '{"x": {"y": "}"}}', '"cut off')


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", VALUES)
def test_a_value_with_the_name_of_a_secret_is_one(name: str, value: str) -> None:
    """Short, nested or cut: nothing of the value is left, and what stands around it is."""
    is_cut = value == VALUES[-1]
    sent = f'{{"a": 1, "{name}": {value}' + ("" if is_cut else ', "b": 2}')
    expected = f'{{"a": 1, "{name}": "[redacted]"' + ("" if is_cut else ', "b": 2}')
    assert redact(sent.encode()).decode() == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_field_with_the_name_of_a_secret_is_one(name: str) -> None:
    """In a query, in a form that begins with it, and in a part of a multipart form."""
    assert redact(f"/v1?{name}=abc&a=1".encode()) == f"/v1?{name}=[redacted]&a=1".encode()
    assert redact(f"{name}=abc&a=1".encode()) == f"{name}=[redacted]&a=1".encode()
    part = f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    assert redact(f"{part}a\r\nb\r\n--b--".encode()) == f"{part}[redacted]\r\n--b--".encode()


@pytest.mark.parametrize(
    "text",
    [
        "/v1/calls/01890a5d-ac96-774b-bcce-b302099a8058",
        "/v1/webhooks/call-completed?page=2&since=2026-11-24T09:30:00.123Z",
        "/v1/../v1/agents/[1-3]/{a}/%20",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0",
        "python-httpx2/2.16.2",
        "application/json; charset=utf-8",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "req_01890a5dac96774bbcceb302099a8057",
        '{"phone":"+12025550111","agent":"a_long_name_of_an_agent"}',
        '{"event_type":"call.completed","provider_call_id":"internal-provider-reference"}',
        '{"key":"first","word":"\\\\u005f"}',
        "http://internationalization.test/callCompletedNotification/someOtherLongCamelCaseName",
        "ended at 2026-11-24T09:30:00Z, completed by req_01890a5dac96774bbcceb302099a8057,",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Ids of the sandbox, times, names and ordinary headers are shown as they were sent."""
    assert redact(text.encode()).decode() == text


def test_what_the_contract_says_is_public() -> None:
    """An example of the contract is shown, and a neighbour of it is not."""
    public = public_words("the docs use `sandbox_demo`, +447911123456 and Bearer YOUR_SERVICE_KEY.")
    explained = b"Send Bearer YOUR_SERVICE_KEY, such as sandbox_demo. Not sandbox_demo2."
    assert redact(explained, public) == explained.replace(b"sandbox_demo2", b"[redacted]")
    assert with_short_numbers("+447911123456 +447911123457", public) == (
        "+447911123456 +447*******57"
    )


@given(value=st.binary(max_size=300), other=st.binary(max_size=300), key=st.binary(min_size=1))
def test_a_stand_in_is_recognised_and_not_read(value: bytes, other: bytes, key: bytes) -> None:
    """It has the length and the wrong characters of the value, and is the same for the same one."""
    shown = stand_in(value, key)
    assert len(shown) == len(value)
    assert [byte for byte in shown if byte < 0x21] == [byte for byte in value if byte < 0x21]
    assert shown == stand_in(value, key)
    if len(value) >= 8 and value.isalnum() and other != value:
        assert shown not in (value, stand_in(other, key))


@pytest.mark.parametrize(
    "text",
    [
        b'{"token":' * 400,
        b'"token":{' * 400 + b'"' * 400,
        b"%25" * 1300,
        b"token=" * 700,
        b"A1b" * 1300,
        b"name=token\n" * 350,
        b"a.a" * 1300,
        b"test_" * 800 + b"x",
        b"api_key" * 580,
    ],
)
def test_no_text_takes_long(text: bytes) -> None:
    """The work grows with the length alone: four times the text takes no forty times the steps."""

    def seconds(text: bytes) -> float:
        started = time.perf_counter()
        redact(text)
        return time.perf_counter() - started

    once, more = min(seconds(text) for _ in range(5)), min(seconds(text * 4) for _ in range(3))
    assert more < max(40 * once, 0.05)
