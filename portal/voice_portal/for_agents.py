"""What the portal publishes for programs that read: a pointer on each page, a skill, a catalogue.

The skill says in one file what an agent must know before it writes a client. The catalogue of
RFC 9727 leads from an origin to the contract of its API. The data of a page follow schema.org.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from voice_portal.sources import Sources

SKILL: Final = "skill.md"
CATALOGUE: Final = ".well-known/api-catalog"
"""RFC 9727, section 2."""
PUBLISHED: Final = ("llms.txt", "llms-full.txt", SKILL, CATALOGUE)
"""What the build writes into the site after the pages: MkDocs knows none of these files."""
_SKILL_FILE: Final = Path(__file__).with_name("skill.md")


def with_pointer(text: str) -> str:
    """A page as Markdown that says below its title where the others are."""
    title, _, rest = text.partition("\n")
    return f"{title}\n\n> For AI agents: [llms.txt](/llms.txt) lists all pages.\n{rest}"


def skill(sources: Sources) -> str:
    """The file ``skill.md``, with the addresses of the contract."""
    text = _SKILL_FILE.read_text("utf-8").replace("{sandbox_url}", sources.sandbox_url)
    return text.replace("{live_url}", sources.live_url)


def catalogue(sources: Sources) -> str:
    """The API catalogue as a linkset (RFC 9264): contract, pages and health of the API."""
    url = sources.sandbox_url
    api: dict[str, Any] = {
        "anchor": url,
        "service-desc": [
            {"href": f"{url}/openapi.yaml", "type": "application/yaml"},
            {"href": f"{url}/openapi.json", "type": "application/json"},
        ],
        "service-doc": [
            {"href": f"{url}/", "type": "text/html"},
            {"href": f"{url}/llms.txt", "type": "text/plain"},
        ],
        "status": [{"href": f"{url}/readyz", "type": "application/json"}],
    }
    return json.dumps({"linkset": [api]}, indent=2)


def structured_data(title: str, site_name: str) -> dict[str, Any]:
    """What a page is, in the words of schema.org. Its Markdown lies beside it."""
    return {
        "@context": "https://schema.org",
        "@type": "TechArticle",
        "headline": title,
        "inLanguage": "en",
        "isPartOf": {"@type": "WebSite", "name": site_name},
        "encoding": {
            "@type": "MediaObject",
            "encodingFormat": "text/markdown",
            "contentUrl": "index.md",
        },
    }
