"""What is written in one turn leaves together, in order, and never piles up."""

import asyncio
from typing import Any

import pytest

from voice_sandbox.server.write_coalescing import CoalescingTransport, WriteCoalescer

pytestmark = pytest.mark.anyio


class Recording(asyncio.Transport):
    """A transport that remembers each write, and when it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes | str] = []

    def write(self, data: Any) -> None:
        self.seen.append(bytes(data))

    def close(self) -> None:
        self.seen.append("closed")


async def test_head_and_body_are_one_write() -> None:
    """Nothing leaves before the turn is over, and then all of it at once."""
    recording = Recording()
    transport = CoalescingTransport(recording, WriteCoalescer())
    transport.write(b"head ")
    transport.write(b"body")
    assert recording.seen == []
    await asyncio.sleep(0)
    assert recording.seen == [b"head body"]


async def test_responses_of_one_turn_follow_each_other() -> None:
    """Two connections of one server send in the order in which they wrote."""
    coalescer = WriteCoalescer()
    sent: list[bytes] = []
    for name in ("one", "other"):
        recording = Recording()
        recording.write = sent.append  # type: ignore[method-assign,assignment]
        CoalescingTransport(recording, coalescer).write(name.encode())
    await asyncio.sleep(0)
    assert sent == [b"one", b"other"]


async def test_later_turns_send_again() -> None:
    """A response in a later turn does not wait for anything."""
    recording = Recording()
    transport = CoalescingTransport(recording, WriteCoalescer())
    for number in range(3):
        transport.write(b"%d" % number)
        await asyncio.sleep(0)
    assert recording.seen == [b"0", b"1", b"2"]


async def test_much_is_not_held_back() -> None:
    """A writer that never pauses is told of a slow reader: little is held back."""
    recording = Recording()
    transport = CoalescingTransport(recording, WriteCoalescer())
    for _ in range(10):
        transport.write(b"x" * 50_000)
    assert sum(map(len, recording.seen)) >= 400_000


async def test_what_was_written_leaves_before_the_end() -> None:
    """Closing loses nothing, and nothing is sent twice."""
    recording = Recording()
    transport = CoalescingTransport(recording, WriteCoalescer())
    transport.write(b"last words")
    transport.close()
    await asyncio.sleep(0)
    assert recording.seen == [b"last words", "closed"]
