"""A hundred thousand generated requests: no 5xx, nothing told to the wrong key, nothing that grows.

    .venv/bin/python bench/fuzz.py                     100,000 requests, less than a minute
    .venv/bin/python bench/fuzz.py --seed 7 --server "sandbox, PostgreSQL"

Each request begins as one that the contracts have an example of and is changed in a few places:
method, path, query, headers, a value deep in the body, or its bytes. It is always framed well, so
each must be answered; bytes that are no HTTP are for `tests/sandbox/test_raw_bytes.py`.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import click
from load import resident_mb
from subjects import CATALOGUE, CONTRACT, SANDBOX, VARIANTS, Running, running

from voice_sandbox.calls.provider import ID_PREFIX
from voice_sandbox.contract.model import Operation
from voice_sandbox.contract.reader import find_contract, load_contract

CONTROL: Final = load_contract(find_contract("control.yaml"), components_from=CONTRACT)
OPERATIONS: Final = (*CONTRACT.operations.values(), *CONTROL.operations.values())
SERVERS: Final = {subject.name: subject for subject in (SANDBOX, *VARIANTS)}
CLIENTS: Final = 16
KEYS: Final = 8
BYSTANDER: Final = "sandbox_bystander"
WHISPER: Final = "What only the bystander may read."
ANSWER_SECONDS: Final = 30.0
MOST_GROWTH_MB: Final = 16.0

METHODS: Final = ("GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "get", "X")
WORDS: Final = (
    *("", "0", "x", ".", "..", "%00", "%2f", "%2e%2e", "%ff", "%D9%A0", "null", "{call_id}"),
    *("a" * 3000, "1e999", "-1", "01890a5d-ac96-774b-bcce-b302099a8057", "👩‍👩‍👧", "مرحبا", "‮"),
)
HEADERS: Final = (
    *(("Content-Type", value) for value in ("text/plain", "application/json;charset=utf-16", "")),
    *(("Content-Encoding", value) for value in ("gzip", "identity", "br, gzip")),
    *(("Idempotency-Key", value) for value in ("", "same", "x" * 300, "two words", "ключ")),
    *(("Prefer", value) for value in ("code=503", "code=rate_limited", "example=busy", "code=999")),
    *(("Authorization", value) for value in ("", "Bearer", "Bearer sk_live_1", "Basic eDp5")),
    *(("Accept", value) for value in ("text/html", "text/event-stream", "*/*;q=0")),
    *(("X-Forwarded-For", "127.0.0.1"), ("Range", "bytes=0-0"), ("Last-Event-ID", "~" * 99)),
    ("Cookie", "a=" + "b" * 4000),
)
VALUES: Final[Sequence[Any]] = (
    *(None, True, 0, -1, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, "", " ", [], {}, "\0"),
    *("+12025550100", "+1", "completed", "COMPLETED", "internal-provider-reference", ID_PREFIX),
    *("a" * 20_000, "</script>", "\u2028", "e\u0301", "\U0001f642", "\ud83d", [[[[]]]], ["x"] * 99),
)


class Request(NamedTuple):
    """A request before it is written; ``body`` is what is framed, whatever it is."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def octets(self) -> bytes:
        fields = [*self.headers, ("Host", "127.0.0.1"), ("Content-Length", str(len(self.body)))]
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        head = f"{self.method} {self.target} HTTP/1.1\r\n{lines}\r\n"
        return head.encode("utf-8", "surrogatepass") + self.body


class Response(NamedTuple):
    status: int
    media_type: str
    body: bytes


class Found:
    """What was seen, and everything that should not have been."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.faults: list[str] = []

    def judge(self, request: Request, response: Response) -> None:
        self.statuses[response.status] += 1
        if response.status >= 500 and not _prefers(request, response.status):
            self._fault(f"answered {response.status}", request)
        if WHISPER.encode() in response.body:
            self._fault("told what another key keeps", request)
        if ID_PREFIX.encode() in response.body and request.target.startswith("/v1/"):
            self._fault("named the provider", request)

    def _fault(self, what: str, request: Request) -> None:
        self.faults.append(f"{what}: {request.octets()[:300]!r}")


class Client:
    """One connection, made anew whenever the server has closed it."""

    def __init__(self, port: int, found: Found) -> None:
        self._port = port
        self._found = found
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: Request) -> Response:
        """Raises: `asyncio.IncompleteReadError` or `OSError` where there is no response."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request.octets())
        async with asyncio.timeout(ANSWER_SECONDS):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status_line, *lines = head.split("\r\n")[:-2]
            fields = dict(line.lower().split(": ", 1) for line in lines)
            status = int(status_line.split()[1])
            media_type = fields.get("content-type", "")
            body = b""
            is_stream = media_type.startswith("text/event-stream") and request.method != "HEAD"
            if is_stream:  # the journal's events have no end: the first ones do
                body = await reader.readuntil(b"\n\n")
            elif fields.get("transfer-encoding") == "chunked" and request.method != "HEAD":
                while size := int(await reader.readuntil(b"\r\n"), 16):
                    body += (await reader.readexactly(size + 2))[:-2]
                await reader.readexactly(2)
            elif request.method != "HEAD":
                body = await reader.readexactly(int(fields.get("content-length", "0")))
        if is_stream or fields.get("connection") == "close":
            self.close()
        return Response(status, media_type, body)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Fuzzer:
    """Makes requests up, the same ones for the same seed as far as the responses are the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  (no secret is made of it)
        self.seen = {
            "call_id": [str(CATALOGUE.sample.call_id)],
            "request_id": ["req_0"],
            "phone": ["default", CATALOGUE.sample.phone],
            "id": [f"fault_{0:032x}"],
        }

    def request(self) -> Request:
        operation = self._random.choice(OPERATIONS)
        request = self._example(operation)
        for _ in range(self._random.choice((0, 1, 1, 2, 3))):
            change: Callable[[Request], Request] = self._random.choice(
                (self._method, self._path, self._query, self._header, self._value, self._bytes)
            )
            request = change(request)
        return request

    def learn(self, response: Response) -> None:
        """Remembers ids, so that later requests ask for something that is there."""
        if not response.body:
            return
        if response.status == 201 and response.media_type.startswith("application/json"):
            self._remember("call_id", json.loads(response.body).get("call_id"))
        elif response.media_type.startswith("application/problem"):
            self._remember("request_id", json.loads(response.body).get("request_id"))

    def _remember(self, name: str, value: Any) -> None:
        if isinstance(value, str):
            self.seen[name] = [*self.seen[name][-50:], value]

    def _example(self, operation: Operation) -> Request:
        path = operation.path
        for name, values in self.seen.items():
            path = path.replace(f"{{{name}}}", self._random.choice(values))
        key = f"sandbox_fuzzed_{self._random.randrange(KEYS)}"
        if operation.operation_id == "armFault":
            # What is armed takes responses away, and each other request is to have one.
            key = "sandbox_fuzzed_armed"
        headers = [("Authorization", f"Bearer {key}")]
        body = b""
        if operation.body is not None:
            headers.append(("Content-Type", "application/json"))
            example = self._random.choice(list(operation.body.examples.values()))
            body = json.dumps(example.value).encode()
        return Request(operation.method, path, headers, body)

    def _method(self, request: Request) -> Request:
        return request._replace(method=self._random.choice(METHODS))

    def _path(self, request: Request) -> Request:
        parts = request.target.split("/")
        where = self._random.randrange(1, len(parts) + 1)
        parts[where : where + self._random.choice((0, 1))] = [self._word()]
        return request._replace(target="/".join(parts))

    def _query(self, request: Request) -> Request:
        names = ("operation", "status", "call_id", "since", "until", "text", "limit", "before", "x")
        pair = f"{self._random.choice(names)}={self._word()}"
        return request._replace(
            target=request.target + ("&" if "?" in request.target else "?") + pair
        )

    def _word(self) -> str:
        return quote(self._random.choice(WORDS), safe="%{}.")

    def _header(self, request: Request) -> Request:
        name, value = self._random.choice(HEADERS)
        kept = [h for h in request.headers if h[0] != name or self._random.random() < 0.3]
        return request._replace(headers=[*kept, (name, value)])

    def _value(self, request: Request) -> Request:
        try:
            value = json.loads(request.body)
        except (ValueError, RecursionError):  # its bytes were changed before
            return request
        return request._replace(body=json.dumps(self._changed(value)).encode())

    def _changed(self, value: Any) -> Any:
        """The value with something deep in it replaced, left out or added."""
        if isinstance(value, dict) and value and self._random.random() < 0.9:
            name = self._random.choice(list(value))
            match self._random.randrange(6):
                case 0:
                    return {other: kept for other, kept in value.items() if other != name}
                case 1:
                    return {**value, self._random.choice(("x", "", "\0", "sip")): 1}
                case _:
                    return {**value, name: self._changed(value[name])}
        return self._random.choice(VALUES)

    def _bytes(self, request: Request) -> Request:
        body = bytearray(request.body)
        for _ in range(self._random.randint(1, 4)):
            where = self._random.randint(0, len(body))
            new = self._random.choice((b"", b"\0", b"\xff", b'"', b"{", b"[" * 3000, b"\\ud800"))
            body[where : where + self._random.randint(0, 3)] = new
        return request._replace(body=bytes(body))


async def fuzz(server: Running, *, requests: int, seed: int, echo: Callable[[str], None]) -> Found:
    """Sends the requests over a few connections at once, and looks at each response."""
    fuzzer, found = Fuzzer(seed), Found()
    left = requests
    memory: list[float] = []

    async def client() -> None:
        nonlocal left
        connection = Client(server.port, found)
        while left > 0:
            left -= 1
            request = fuzzer.request()
            try:
                response = await connection.send(request)
            except (TimeoutError, asyncio.IncompleteReadError, OSError) as error:
                found.faults.append(f"no answer ({error!r}): {request.octets()[:300]!r}")
                connection.close()
                continue
            found.judge(request, response)
            fuzzer.learn(response)
            answered = sum(found.statuses.values())
            if answered % (requests // 10) == 0:
                memory.append(resident_mb(server.pids))
                echo(f"{answered:8,} answers  {memory[-1]:6.1f} MB")
        connection.close()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    if len(memory) > 5 and (growth := memory[-1] - memory[len(memory) // 2 - 1]) > MOST_GROWTH_MB:
        found.faults.append(f"the second half of the requests made it grow by {growth:.1f} MB")
    return found


@click.command()
@click.option("--requests", default=100_000, show_default=True, type=click.IntRange(100))
@click.option("--seed", type=int, help="Makes the same requests up again.  [default: a new one]")
@click.option("--server", type=click.Choice(list(SERVERS)), default=SANDBOX.name, show_default=True)
def main(requests: int, seed: int | None, server: str) -> None:
    """Send generated requests to a sandbox, and say what should not have been answered."""
    seed = secrets.randbelow(2**32) if seed is None else seed
    click.echo(f"seed {seed}")
    with tempfile.TemporaryDirectory() as name, running(SERVERS[server], Path(name)) as sandbox:
        call = {"phone": CATALOGUE.sample.phone, "agent": CATALOGUE.agents[0].key}
        created = sandbox.send("POST", "/v1/calls", call, key=BYSTANDER)
        end = {"status": "completed", "transcript": WHISPER, "duration": 1}
        sandbox.send("POST", f"/sandbox/calls/{created['call_id']}/end", end, key=BYSTANDER)
        before = sandbox.send("GET", f"/v1/calls/{created['call_id']}", key=BYSTANDER)
        files = _open_files(sandbox)
        found = asyncio.run(fuzz(sandbox, requests=requests, seed=seed, echo=click.echo))
        if sandbox.send("GET", f"/v1/calls/{created['call_id']}", key=BYSTANDER) != before:
            found.faults.append("the call of a bystander has changed")
        if (more := _open_files(sandbox) - files) > CLIENTS:
            found.faults.append(f"{more} more files are open than before")
        if "Traceback" in (Path(name) / "log").read_text("utf-8", "replace"):
            found.faults.append("the log holds a traceback")
    for status, count in sorted(found.statuses.items()):
        click.echo(f"{status}  {count:8,}")
    for fault in found.faults[:20]:
        click.echo(fault)
    click.echo(f"{sum(found.statuses.values()):,} answers, {len(found.faults)} faults")
    sys.exit(bool(found.faults))


def _prefers(request: Request, status: int) -> bool:
    """Whether the request itself asked for a response that the contract documents."""
    return any(name == "Prefer" and str(status) in value for name, value in request.headers)


def _open_files(server: Running) -> int:
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in server.pids)


if __name__ == "__main__":
    main()
