"""The recorded answers: what each card was answered when somebody last looked at it.

Every build asks the sandbox again. An answer that differs from the committed one stops the build,
so that no page shows what is no longer true, and no change goes unseen. ``make record`` takes the
new answers. Values that live in the contract alone stand as placeholders, so renaming an agent
changes no recording.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from voice_portal.page import Page
from voice_portal.recorder import Recorded
from voice_portal.sources import Sources
from voice_portal.steps import Refused

FOLDER: Final = Path(__file__).with_name("recordings")
RECORD_VARIABLE: Final = "VOICE_RECORD"
"""Set it, and a build writes what it was answered instead of comparing."""


def check(sources: Sources, page: Page, card: str, responses: list[Recorded]) -> None:
    """Compares the answers of a card with the recorded ones. Raises: `Refused` with both."""
    file = FOLDER / f"{page.path.removesuffix('.md')}.json"
    recorded = _read(file)
    fresh = [_as_data(sources, response) for response in responses]
    if recorded.get(card) == fresh:
        return
    if os.environ.get(RECORD_VARIABLE):
        _write(file, {**recorded, card: fresh})
        return
    place = f"{file.parent.name}/{file.name}"
    if card not in recorded:
        raise Refused(
            f"The card {card} has no answer in portal/voice_portal/{place}. "
            "Run `make record`, and look at it."
        )
    raise Refused(
        f"The card {card} is no longer answered as portal/voice_portal/{place} says.\n"
        f"  recorded: {json.dumps(recorded[card], ensure_ascii=False)}\n"
        f"  now:      {json.dumps(fresh, ensure_ascii=False)}\n"
        "If the change is meant, run `make record` and commit what it writes; if not, mend the "
        "sandbox."
    )


def left_over(cards: Mapping[str, set[str]]) -> list[str]:
    """Recordings of cards that no page has any more; while recording they are removed.

    ``cards`` are those of each page, such as ``{"calls.md": {"try-createcall"}}``.
    """
    left = []
    for file in sorted(FOLDER.glob("*.json")):
        recorded = _read(file)
        gone = sorted(set(recorded) - cards.get(f"{file.stem}.md", set()))
        if gone and os.environ.get(RECORD_VARIABLE):
            _write(file, {card: recorded[card] for card in recorded if card not in gone})
        else:
            left += [f"portal/voice_portal/{FOLDER.name}/{file.name}: {card}" for card in gone]
    return left


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _write(file: Path, recorded: Mapping[str, Any]) -> None:
    if not recorded:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(exist_ok=True)
    text = json.dumps(recorded, indent=2, ensure_ascii=False, sort_keys=True)
    file.write_text(f"{text}\n", encoding="utf-8")


def _as_data(sources: Sources, response: Recorded) -> dict[str, Any]:
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
        "headers": response.headers,
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
