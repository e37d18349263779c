"""The recorded responses: what each card was sent when somebody last looked at it.

Every build asks the sandbox again. A response that differs from the committed one stops the build,
so that no page shows what is no longer true, and no change goes unseen. ``make record`` takes the
new responses. Values that live in the contract alone stand as placeholders, so renaming an agent
changes no recording.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from voice_portal.fence_options import FenceError, choose
from voice_portal.page import Page
from voice_portal.sandbox_responses import RecordedResponse
from voice_portal.sources import Sources

_MODES: Final = ("write", "ignore")
FOLDER: Final = Path(__file__).with_name("recordings")
RECORD_VARIABLE: Final = "VOICE_RECORD"
"""Set it to ``write``, and a build writes the responses instead of comparing them. With ``ignore``
it does neither, so that tests of pages run while another test says what is stale."""


def check(sources: Sources, page: Page, card: str, responses: list[RecordedResponse]) -> None:
    """Compares the responses of a card with the recorded ones. Raises: `FenceError` with both."""
    mode = _mode()
    if mode == "ignore":
        return
    file = FOLDER / f"{page.path.removesuffix('.md')}.json"
    recorded = _read(file)
    fresh = [_as_data(sources, response) for response in responses]
    if recorded.get(card) == fresh:
        return
    if mode == "write":
        _write(file, {**recorded, card: fresh})
        return
    place = f"{FOLDER.name}/{file.relative_to(FOLDER).as_posix()}"
    if card not in recorded:
        raise FenceError(
            f"The card {card} has no response in portal/voice_portal/{place}. "
            "Run `make record`, and look at it."
        )
    raise FenceError(
        f"The card {card} no longer shows the response that is in portal/voice_portal/{place}.\n"
        f"  recorded: {json.dumps(recorded[card], ensure_ascii=False)}\n"
        f"  now:      {json.dumps(fresh, ensure_ascii=False)}\n"
        "If the change is meant, run `make record` and commit what it writes; if not, fix the "
        "sandbox."
    )


def left_over(cards: Mapping[str, set[str]]) -> list[str]:
    """Recordings of cards that no page has any more; while recording they are removed.

    ``cards`` are those of each page, such as ``{"calls.md": {"try-createcall"}}``.
    """
    mode = _mode()
    if mode == "ignore":
        return []
    left = []
    for file in sorted(FOLDER.rglob("*.json")):
        recorded = _read(file)
        name = file.relative_to(FOLDER).as_posix()
        gone = sorted(set(recorded) - cards.get(f"{name.removesuffix('.json')}.md", set()))
        if gone and mode == "write":
            _write(file, {card: recorded[card] for card in recorded if card not in gone})
        else:
            left += [f"portal/voice_portal/{FOLDER.name}/{name}: {card}" for card in gone]
    return left


def _mode() -> str:
    mode = os.environ.get(RECORD_VARIABLE, "")
    return choose(mode, _MODES, f"value of {RECORD_VARIABLE}") if mode else mode


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _write(file: Path, recorded: Mapping[str, Any]) -> None:
    if not recorded:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(recorded, indent=2, ensure_ascii=False, sort_keys=True)
    file.write_text(f"{text}\n", encoding="utf-8")


def _as_data(sources: Sources, response: RecordedResponse) -> dict[str, Any]:
    names = _names(sources)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(value)}(?!\w)" for value in names))

    def symbolic(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: symbolic(item) for key, item in value.items()}
        if isinstance(value, list):
            return [symbolic(item) for item in value]
        if isinstance(value, str):
            return pattern.sub(lambda found: f"{{{{ {names[found[0]]} }}}}", value)
        return value

    return {
        "status": response.status,
        "headers": response.shown_headers,
        "body": symbolic(response.body),
    }


def _names(sources: Sources) -> dict[str, str]:
    """Values that only the contract may state → the placeholder that stands for them."""
    agents = {
        agent[part]: f"agents.{number}.{part}"
        for number, agent in enumerate(sources.agents)
        for part in ("description", "name", "key")
    }
    created = sources.contract.operations["createCall"].body
    first = next(iter(created.examples.values())).value if created else {}
    return {**agents, str(first["phone"]): "quickstart.phone"}
