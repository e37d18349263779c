"""The log: one line a request, without a secret, whatever stands in the path."""

import asyncio
import io
import json

import pytest

from voice_sandbox import create_app
from voice_sandbox.server.access_log import Log

from .conftest import (
    CATALOGUE,
    KEY,
    FakeWall,
    RawResponse,
    Sandbox,
    client_of,
    completion,
    raw_request,
)

pytestmark = pytest.mark.anyio


class Terminal(io.StringIO):
    """A stream that a person reads."""

    def isatty(self) -> bool:
        return True


async def _used(stream: io.StringIO) -> None:
    """A call is placed, ended and read by a sandbox that logs to the stream."""
    log = Log(stream)
    app = create_app(wall=FakeWall(), observe=log)
    async with app.router.lifespan_context(app), client_of(app, KEY) as client:
        sandbox = Sandbox(app, FakeWall(), client)
        call_id = await sandbox.create(CATALOGUE.sample.phone)
        await sandbox.complete(transcript="agent: secret words")
        await sandbox.read(call_id)
        await client.get("/v1/nowhere")
    log.flush()


async def _asked(stream: io.StringIO, path: str) -> RawResponse:
    """One request to a sandbox that logs to the stream."""
    log = Log(stream)
    response = await raw_request(create_app(observe=log), "GET", path)
    log.flush()
    return response


async def test_each_exchange_is_one_json_object() -> None:
    """A machine reads one JSON object a line."""
    stream = io.StringIO()
    await _used(stream)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["operation_id"], line["status"], line["code"]) for line in lines] == [
        ("createCall", 201, None),
        ("callCompleted", 200, None),
        ("getCall", 200, None),
        (None, 404, "not_found"),
    ]


async def test_request_id_is_the_one_that_was_answered() -> None:
    """A line can be found by the X-Request-Id that a client quotes."""
    stream = io.StringIO()
    response = await _asked(stream, "/sandbox")
    assert json.loads(stream.getvalue())["request_id"] == response.header("x-request-id")


async def test_lines_are_written_without_being_asked_for() -> None:
    """What waits to be written together is written soon, while the sandbox goes on."""
    stream = io.StringIO()
    await raw_request(create_app(observe=Log(stream)), "GET", "/sandbox")
    assert stream.getvalue() == ""
    async with asyncio.timeout(10):
        while not stream.getvalue():
            await asyncio.sleep(0.01)
    assert json.loads(stream.getvalue())["operation_id"] == "describeSandbox"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["machine", "person"])
async def test_no_secret_is_logged(stream: io.StringIO) -> None:
    """No token, no phone number and no transcript ever stands in the log."""
    await _used(stream)
    said = stream.getvalue()
    assert said
    for secret in (KEY, CATALOGUE.sample.phone[1:], "secret words", completion()["transcript"]):
        assert secret not in said


async def test_a_person_reads_status_method_path_and_code() -> None:
    """A line at a terminal says what was asked and how it went."""
    stream = Terminal()
    await _asked(stream, "/v1/nowhere")
    [line] = stream.getvalue().splitlines()
    assert all(word in line for word in ("404", "GET", "/v1/nowhere", "not_found"))


TRICKS = ["\n200 fake", "\x1b[2Jgone", "\r", "\u202etxt", "\x9b1m", "\u2028"]


@pytest.mark.parametrize("trick", TRICKS, ids=ascii)
async def test_no_path_steers_a_terminal(trick: str) -> None:
    """A path with line breaks or escape sequences is shown, not obeyed."""
    stream = Terminal()
    await _asked(stream, f"/v1/{trick}")
    assert trick not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1


@pytest.mark.parametrize("trick", TRICKS, ids=ascii)
async def test_no_path_adds_a_line_for_machines(trick: str) -> None:
    """However the path looks, an exchange is one JSON object on one line."""
    stream = io.StringIO()
    await _asked(stream, f"/v1/{trick}")
    [line, rest] = stream.getvalue().split("\n")
    assert (json.loads(line)["path"], rest) == (f"/v1/{trick}", "")


class Pipe(io.StringIO):
    """A stream that remembers each write to it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return super().write(text)


async def test_lines_are_written_whole() -> None:
    """However many wait, no write is longer than what a pipe takes in one piece (PIPE_BUF).

    Several workers write into one pipe: of a longer write another's lines would break one.
    """
    stream = Pipe()
    app = create_app(observe=(log := Log(stream)))
    for number in range(200):
        await raw_request(app, "GET", f"/v1/{'é' * (number % 40)}")
    await raw_request(app, "GET", "/v1/" + "x" * 30_000)
    log.flush()
    assert len(stream.getvalue().splitlines()) == 201
    assert len(stream.writes) < 50
    for written in stream.writes:
        assert len(written.encode()) <= 4096
        assert written.endswith("\n")
