"""The search index of the portal: the texts of the pages, and the words that people type.

Pages name synonyms in their front matter, for the page or for a section by its anchor:

    search_terms:
      page: [callback, webhook]
      polling: [wait, timeout]

Words of the contract need no such list: each problem entry is found by its code and status, each
scenario by its number, each command by its name. Code and the links to the next page are left
out: they hold the same words on every page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from voice_portal.command_line import commands
from voice_portal.sources import Sources
from voice_sandbox.contract.problems import PROBLEMS

PAGE: Final = "page"
"""The name of a page's own terms among those of its sections."""
_LEFT_OUT: Final = "Where to go next"
_CODE_BLOCK: Final = re.compile(r"<pre>.*?</pre>", re.DOTALL)

Terms = Mapping[str, Mapping[str, Iterable[str]]]
"""Address of a page → anchor, or `page` → words, such as ``{"calls/": {"polling": ["wait"]}}``."""


class SearchTermsError(ValueError):
    """A page names an anchor that it does not have."""


def terms_of_sources(sources: Sources) -> dict[str, dict[str, list[str]]]:
    """The terms of what is generated: codes and statuses, numbers of scenarios, commands."""
    problems = {problem.code: [problem.code, str(problem.status)] for problem in PROBLEMS.values()}
    named = {each["name"]: [each["name"], f"voice_sandbox_{each['name']}"] for each in commands()}
    names = [each.name for each in sources.scenarios if each.name not in PROBLEMS]
    scenarios = [*names, *(each.number for each in sources.scenarios)]
    return {
        "errors/": problems,
        "command-line/": named,
        "sandbox-guide/": {"scenarios": scenarios},
    }


def with_terms(index: Mapping[str, Any], *terms: Terms) -> dict[str, Any]:
    """The index with a field ``terms`` where there are any, without what stands on every page.

    Raises: `SearchTermsError`.
    """
    wanted: dict[str, list[str]] = {}
    for each in terms:
        for page, sections in each.items():
            for anchor, words in sections.items():
                location = page if anchor == PAGE else f"{page}#{anchor}"
                wanted.setdefault(location, []).extend(map(str, words))
    docs = []
    for doc in index["docs"]:
        if doc["title"] == _LEFT_OUT:
            continue
        location = doc["location"].removeprefix("./")
        text = _CODE_BLOCK.sub("", doc["text"])
        found = wanted.pop(location, [])
        docs.append({**doc, "text": text, **({"terms": found} if found else {})})
    if wanted:
        raise SearchTermsError(
            f"search_terms name what no page has: {', '.join(sorted(wanted))}. "
            "Write the anchor of a heading, or page."
        )
    return {**index, "docs": docs}
