"""Logs are written beside the event loop, and a pipe that nobody reads stops nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import httpx2
import pytest

from voice_sandbox.server.log_writer import LogWriter

from .test_cli import free_port

LINE = b"x" * 999 + b"\n"
LIMIT_SECONDS = 30


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """The end that is read, and the stream that is written to."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        yield reading, stream
    os.close(reading)


def dropped(count: int) -> bytes:
    """The line about lines that could not be written."""
    return b"%d dropped\n" % count


def read_until(reading: int, end: bytes) -> bytes:
    """All that is written up to the end."""
    read = b""
    while end not in read:
        read += os.read(reading, 65536)
    return read


def test_lines_are_written_in_order(pipe: tuple[int, TextIO]) -> None:
    """What is read is what was logged, and closing writes the rest."""
    reading, stream = pipe
    writer = LogWriter(stream, dropped=dropped)
    for number in range(20):
        writer.write(b"line %d\n" % number)
    writer.close()
    read = read_until(reading, b"line 19\n")
    assert read == b"".join(b"line %d\n" % number for number in range(20))


def test_unread_lines_are_dropped_and_counted(pipe: tuple[int, TextIO]) -> None:
    """Writing goes on at once without a reader; a later one learns how many lines are missing."""
    reading, stream = pipe
    writer = LogWriter(stream, dropped=dropped)
    for _ in range(5000):
        writer.write(LINE)
    read = read_until(reading, b" dropped\n")
    lines = read.splitlines(keepends=True)
    assert int(lines[-1].split()[0]) == 5000 - lines.count(LINE)
    writer.write(b"after\n")
    assert read_until(reading, b"after\n") == b"after\n"


def test_reader_that_is_gone_is_no_error() -> None:
    """Lines for a closed pipe are lost, and nothing breaks."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        writer = LogWriter(stream, dropped=dropped)
        for _ in range(10):
            writer.write(LINE)
        writer.close()


@pytest.mark.parametrize("streams", ["stderr", "both"])
def test_server_goes_on_when_nobody_reads_its_log(tmp_path: Path, streams: str) -> None:
    """A thousand requests are served and SIGTERM ends the process, though the pipe is full."""
    port = free_port()
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "voice_sandbox", "serve", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--database", "sqlite:///:memory:"],
        cwd=tmp_path,
        stdout=writing if streams == "both" else subprocess.DEVNULL,
        stderr=writing,
    )
    os.close(writing)
    try:
        transport = httpx2.HTTPTransport(retries=20)
        with httpx2.Client(transport=transport, timeout=LIMIT_SECONDS) as client:
            for number in range(1000):
                response = client.get(f"http://127.0.0.1:{port}/v1/nowhere/{number}{'x' * 100}")
                assert response.status_code == 404
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reading)
