"""Inline placeholders such as ``{{ live_url }}``: values of the contract inside running text.

They work in prose, in code and in fences. An unknown one stops the build.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import voice_sandbox
from voice_portal.page import Page
from voice_portal.sources import Sources

VERSION: Final = voice_sandbox.__version__
"""The version of the sandbox that the pages describe."""

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([\w.]*)\s*\}\}")
_FENCE: Final = re.compile(r"\s*(`{3,}|~{3,})")
# What Markdown or HTML could take for markup. In prose it becomes a character reference.
_MARKUP: Final = re.compile(r"[\\`*_\[\]<>&|{}!#~^=\"']")


def fill(lines: Sequence[str], page: Page) -> Iterator[str]:
    """The lines with every placeholder replaced. Raises: `PageError` on an unknown one."""
    values = _values(page.sources)
    fence = ""
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""

        def value(
            found: re.Match[str], *, fenced: str = fence, line: str = line, number: int = number
        ) -> str:
            text = _look_up(found[1], values, page, number)
            in_code = bool(fenced) or line[: found.start()].count("`") % 2 == 1
            return text if in_code else _MARKUP.sub(lambda c: f"&#{ord(c[0])};", text)

        yield _PLACEHOLDER.sub(value, line)


def filled(value: Any, page: Page) -> Any:
    """The value with every placeholder in its texts replaced. Raises: `PageError`."""
    if isinstance(value, Mapping):
        return {key: filled(item, page) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, page) for item in value]
    if not isinstance(value, str):
        return value
    values = _values(page.sources)
    return _PLACEHOLDER.sub(lambda found: _look_up(found[1], values, page, None), value)


def _values(sources: Sources) -> Mapping[str, Any]:
    contract = sources.contract
    created = contract.operations["createCall"].body
    return {
        "live_url": sources.live_url,
        "sandbox_url": sources.sandbox_url,
        "call_id": sources.call_id,
        "agents": sources.agents,
        "version": VERSION,
        "contract": {"title": contract.title, "version": contract.version},
        **{name: example.value for name, example in (created.examples if created else {}).items()},
        "scenarios": {
            "first": sources.scenarios.range_first,
            "last": sources.scenarios.range_last,
            **{scenario.name: scenario.number for scenario in sources.scenarios},
        },
    }


def _look_up(name: str, values: Mapping[str, Any], page: Page, line: int | None) -> str:
    value: Any = values
    for step in name.split("."):
        known = (
            list(value)
            if isinstance(value, Mapping)
            else [str(i) for i in range(len(value))]
            if isinstance(value, list)
            else []
        )
        if step not in known:
            raise page.error(
                f"There is no value for the placeholder {{{{ {name} }}}}: {step or 'nothing'} is "
                f"not one of {', '.join(known) or 'any names, for a value has no parts'}. "
                "Write one of these, or add it to portal/voice_portal/placeholders.py.",
                line=line,
            )
        value = value[int(step)] if isinstance(value, list) else value[step]
    if isinstance(value, (Mapping, list)):
        raise page.error(
            f"The placeholder {{{{ {name} }}}} stands for several values. Name one of its parts: "
            f"{', '.join(value if isinstance(value, Mapping) else map(str, range(len(value))))}.",
            line=line,
        )
    return str(value)
