"""Words of the contract as HTML: escaped, with code spans; programs and JSON with their colors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from pygments import highlight as pygments_highlight
from pygments.filter import simplefilter
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.token import Name, Text, Whitespace

# RFC 9110, section 15.5: Python 3.11 still knows the older names.
_RENAMED: Final = {413: "Content Too Large", 422: "Unprocessable Content"}
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_FORMATTER: Final = HtmlFormatter(nowrap=True)


def inline(text: str) -> Markup:
    """A sentence of the contract as HTML: backticks become code, links their text."""
    return linked(text, {})


def linked(text: str, targets: Mapping[str, str]) -> Markup:
    """The same, with code that is one of the names in `targets` leading to its address."""
    parts = _LINK.sub(r"\1", " ".join(text.split())).split("`")
    return Markup("").join(
        _code(part, targets.get(part)) if i % 2 else escape(part) for i, part in enumerate(parts)
    )


def _code(text: str, address: str | None) -> Markup:
    code = Markup("<code>{}</code>").format(text)
    return Markup('<a href="{}">{}</a>').format(address, code) if address else code


def phrase(status: int) -> str:
    """The name of an HTTP status, such as ``Created``."""
    return _RENAMED.get(status) or HTTPStatus(status).phrase


def first_sentence(text: str) -> str:
    """The first line of a description: the contract writes one sentence a line."""
    return text.strip().splitlines()[0]


@lru_cache(maxsize=1024)
def highlight(code: str, lexer: str) -> Markup:
    """The code with the spans of Pygments, whose colors the theme knows."""
    options = {"startinline": not code.startswith("<?php")} if lexer == "php" else {}
    reader = get_lexer_by_name(lexer, stripnl=False, **options)
    reader.add_filter(_plain())
    html = pygments_highlight(code, reader, _FORMATTER)
    return Markup(html.removesuffix("\n"))  # noqa: S704  (Pygments has escaped it)


@simplefilter
def _plain(self: Any, lexer: Any, stream: Any, options: Any) -> Any:
    """Blanks and plain names have no color of their own: without a span a page is half as large."""
    for kind, value in stream:
        yield (Text if kind in (Whitespace, Name, Name.Other) else kind), value


def pretty(value: Any) -> str:
    """JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def marked(html: Markup, value: str, attribute: str) -> Markup:
    """The HTML with every occurrence of the value's text in a span that a script can find."""
    needle = escape(value)
    span = Markup("<span {}>{}</span>").format(Markup(attribute), value)  # noqa: S704  (our own)
    return Markup(html.replace(needle, span))  # noqa: S704  (both sides are escaped)


ENVIRONMENT: Final = Environment(
    loader=PackageLoader("voice_portal"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters.update(inline=inline, highlight=highlight, pretty=pretty)


def render(template: str, **values: Any) -> str:
    """The HTML of one template in ``portal/voice_portal/templates/``."""
    return ENVIRONMENT.get_template(f"{template}.html").render(**values)
