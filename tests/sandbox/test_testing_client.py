"""The clients of a sandbox: where their key goes, and what a stream may hold."""

import asyncio
import json
from collections.abc import Iterator

import httpx2
import pytest

from voice_sandbox.testing.async_client import AsyncSandboxClient
from voice_sandbox.testing.client import SandboxClient, SandboxError
from voice_sandbox.testing.operations import is_loopback

from .conftest import completion

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
SEPARATORS = [chr(code) for code in range(0x3000) if len(f"a{chr(code)}b".splitlines()) > 1]
"""Every character at which Python splits lines."""


@pytest.fixture(params=["http://127.0.0.1:9", "socks5://127.0.0.1:9"])
def proxied(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment with a proxy that does not respond, or of a kind that is not supported."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name in PROXIES:
        monkeypatch.setenv(name, request.param)
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")


@pytest.mark.usefixtures("proxied")
def test_no_proxy_receives_the_key_of_a_request_to_this_machine(voice_sandbox_url: str) -> None:
    """Both clients reach a sandbox on this machine, whatever the environment says of proxies."""
    with SandboxClient(voice_sandbox_url, "sandbox_proxies") as client:
        assert client.identify()["sandbox"] is True

    async def identify() -> dict[str, object]:
        async with AsyncSandboxClient(voice_sandbox_url, "sandbox_proxies") as client:
            return await client.identify()

    assert asyncio.run(identify())["sandbox"] is True


@pytest.mark.usefixtures("proxied")
def test_a_proxy_that_fails_is_named() -> None:
    """Where another host is asked by way of a proxy, the error does not hide the proxy."""
    with (
        pytest.raises(SandboxError, match="A proxy of the environment"),
        SandboxClient("http://sandbox.invalid", "sandbox_proxies") as client,
    ):
        client.identify()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, True) for host in ("127.0.0.1", "127.9.8.7", "127.1", "localhost", "LOCALHOST")),
        *((host, True) for host in ("localhost.", "a.localhost", "[::1]", "[::ffff:127.0.0.1]")),
        *((host, True) for host in ("0.0.0.0", "[::]")),
        *((host, False) for host in ("10.0.0.1", "voice.test", "localhost.test", "[fe80::1]")),
        *((host, False) for host in ("127.0.0.1.test", "notlocalhost")),
    ],
)
def test_an_address_of_this_machine_is_known(host: str, expected: bool) -> None:
    """Every spelling of a loopback address counts, and no name that only looks like one."""
    assert is_loopback(f"http://{host}:8010") is expected


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:80x", "http://[::1", "http://a..b", "ftp://x", "x", ""]
)
def test_a_wrong_url_is_a_sandbox_error(url: str) -> None:
    """Whatever is wrong with an address, the error is the one that callers expect."""
    with pytest.raises(SandboxError), SandboxClient(url, "sandbox_urls") as client:
        client.identify()


class Chunks(httpx2.SyncByteStream):
    """A response body that arrives in the chunks given."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.chunks)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_an_event_may_hold_every_separator(size: int) -> None:
    """A stream is split at line feeds alone, wherever its chunks end."""
    event = {"seq": "1", "path": "".join(SEPARATORS)}
    stream = f"event: exchange\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, stream=Chunks(chunks)))
    with SandboxClient("http://sandbox.test", "sandbox_lines", transport=transport) as client:
        assert list(client.follow()) == [event]


def test_a_stream_splits_alike_for_every_reader(voice_sandbox: SandboxClient) -> None:
    """No separator but the line feed stands in the stream, so no other client breaks either."""
    body = completion(transcript=f"agent: {''.join(SEPARATORS)}")
    start = {"Last-Event-ID": "0" * 32}
    voice_sandbox.client.post(
        "/v1/webhooks/call-completed", content=json.dumps(body, ensure_ascii=False).encode()
    )
    voice_sandbox.client.post("/v1/webhooks/call-completed", json=body)
    stream_url = "/sandbox/journal/stream"
    with voice_sandbox.client.stream("GET", stream_url, headers=start) as stream:
        events = (line for line in stream.iter_lines() if line.startswith('data: {"'))
        assert all(json.loads(next(events).removeprefix("data: ")) for _ in range(2))


def test_failures_are_one_line_each(voice_sandbox: SandboxClient) -> None:
    """A lost response is armed, met, and proved to have rung once."""
    voice_sandbox.fail("createCall", "lost_response", times=1)
    with pytest.raises(SandboxError):
        voice_sandbox.call("busy")
    assert voice_sandbox.rings("busy") == 1
    assert [ring["count"] for ring in voice_sandbox.dialled()] == [1]
    assert [fault["struck"] for fault in voice_sandbox.faults()] == [1]
    voice_sandbox.disarm(voice_sandbox.faults()[0]["id"])
    assert voice_sandbox.faults() == []


def test_reads_of_an_unchanged_loop_move_the_clock(voice_sandbox: SandboxClient) -> None:
    """With `clock_mode("polls")` a loop needs no sleep and no advance."""
    voice_sandbox.clock_mode("polls")
    call_id = voice_sandbox.call("answered")
    seen = [voice_sandbox.status(call_id)["status"] for _ in range(4)]
    assert seen == ["queued", "ringing", "in_progress", "completed"]


def test_number_of_a_fixture_plays_what_the_test_needs(voice_sandbox: SandboxClient) -> None:
    """A scenario by its name, or an outcome with a transcript of one's own."""
    completion = {"after": 5, "status": "completed", "transcript": "agent: 4:2"}
    voice_sandbox.number("+996700000001", "busy")
    voice_sandbox.number("+996700000002", ringing=1, in_progress=2, completions=[completion])
    calls = [voice_sandbox.call(f"+99670000000{n}") for n in (1, 2)]
    voice_sandbox.until_idle()
    ends = [voice_sandbox.status(call_id) for call_id in calls]
    assert [(end["status"], end["transcript"]) for end in ends] == [
        ("busy", None),
        ("completed", "agent: 4:2"),
    ]
    voice_sandbox.unbind("+996700000001")
    assert [number["phone"] for number in voice_sandbox.numbers()] == ["+996700000002"]
