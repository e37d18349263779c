"""A request as a curl command for a POSIX shell.

Owns how method, headers and body become words of a command. What such a command shows of a key or
of a long body is for its callers to say: the journal and the verification know different things.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence


def curl_command(
    method: str | None,
    url: str,
    *,
    headers: Iterable[tuple[str, str]],
    options: Sequence[str] = (),
    data: Sequence[str] = (),
    quote: Callable[[str], str] = shlex.quote,
) -> str:
    """Such as ``curl -X POST http://…``; without a method curl takes its own.

    ``data`` are the words for the body, such as ``["--data-binary", "@-"]``.
    """
    words = ["curl", *options]
    if method == "HEAD":
        words.append("--head")
    elif method is not None:
        words += ["-X", quote(method)]
    words.append(quote(url))
    for name, value in headers:
        # To curl a name with a semicolon is an empty header, and one with a colon is none.
        words += ["-H", quote(f"{name}: {value}" if value else f"{name};")]
    return " ".join([*words, *data])
