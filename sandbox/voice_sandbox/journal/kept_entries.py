"""The entries that a namespace keeps, in order, with only a few of them in memory at a time.

The segments of a journal overlap where several processes wrote them. So their order is read first,
of which an entry takes some bytes, and then each segment when its entries are wanted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final, NamedTuple

from voice_sandbox.journal.entry import EntryHead, JournalEntry, decode_entries, decode_heads
from voice_sandbox.store.protocol import JournalStore

_PAGE: Final = 2
_DECODED_LIMIT: Final = 3
"""Segments of several processes whose entries come in turn."""


class _Segment(NamedTuple):
    """The segment that ends with the `seq` ``last``; the one before it ends with ``before``."""

    before: str
    last: str


class Place(NamedTuple):
    """Where an entry stands."""

    head: EntryHead
    segment: _Segment
    position: int


async def places(store: JournalStore, namespace: bytes) -> list[Place]:
    """Every entry that the namespace keeps, the oldest first."""
    found: list[Place] = []
    before = ""
    while page := await store.journal(namespace, after=before, limit=_PAGE):
        for encoded in page:
            heads = decode_heads(encoded)
            segment = _Segment(before, heads[-1].seq)
            found += [Place(head, segment, position) for position, head in enumerate(heads)]
            before = segment.last
    found.sort(key=lambda place: place.head.seq)
    return found


async def entries_at(
    store: JournalStore, namespace: bytes, wanted: Iterable[Place]
) -> AsyncIterator[JournalEntry]:
    """The entries at those places, without the ones that were dropped meanwhile."""
    decoded: OrderedDict[_Segment, Sequence[JournalEntry]] = OrderedDict()
    for place in wanted:
        segment = place.segment
        if segment not in decoded:
            while len(decoded) >= _DECODED_LIMIT:
                decoded.popitem(last=False)
            decoded[segment] = await _entries_of(store, namespace, segment)
        if entries := decoded[segment]:
            yield entries[place.position]


async def _entries_of(
    store: JournalStore, namespace: bytes, segment: _Segment
) -> Sequence[JournalEntry]:
    """The entries of a segment; none where it has been dropped."""
    encoded = await store.journal(namespace, after=segment.before, until=segment.last)
    entries = decode_entries(encoded[-1]) if encoded else []
    return entries if entries and entries[-1].seq == segment.last else ()
