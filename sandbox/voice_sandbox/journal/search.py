"""What to look for in the journal, and how an exchange is found by a text that it shows."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote_plus

import msgspec

from voice_sandbox.clock import as_shown
from voice_sandbox.journal.entry import JournalEntry
from voice_sandbox.store.protocol import LATEST_SEQ

EXCHANGES_LIMIT: Final = 1000


class Search(msgspec.Struct, frozen=True):
    """What to look for; ``None`` matches everything. ``before`` is the `seq` of a later entry."""

    before: str = LATEST_SEQ
    limit: int = EXCHANGES_LIMIT
    operation_id: str | None = None
    status_from: int | None = None
    status_to: int | None = None
    call_id: str | None = None
    since: float | None = None
    until: float | None = None
    text: str | None = None

    def matches(self, entry: JournalEntry) -> bool:
        """Whether everything fits but ``text``, which is looked for in what is shown.

        An instant counts as it is shown: whoever copies it from an exchange finds that exchange.
        """
        started_at = as_shown(entry.started_at)
        return (
            entry.seq < self.before
            and self.operation_id in (None, entry.operation_id)
            and (self.status_from is None or entry.status >= self.status_from)
            and (self.status_to is None or entry.status <= self.status_to)
            and self.call_id in (None, entry.call_id)
            and (self.since is None or started_at >= self.since)
            and (self.until is None or started_at < self.until)
        )

    def matches_shown(self, shown: dict[str, Any]) -> bool:
        """Whether ``text`` stands in what is shown, whatever the case of its letters."""
        return self.text is None or self.text.casefold() in _words(shown)


def _words(shown: dict[str, Any]) -> str:
    """All that a person reads of an exchange, in the form that ignores case."""
    words = [str(value) for value in shown.values() if isinstance(value, str | int)]
    words.append(unquote_plus(shown["path"]))
    for message in (shown["request"], shown["response"]):
        words += [f"{name}: {value}" for name, value in message["headers"]]
        words.append(message["body"])
    return "\n".join(words).casefold()
