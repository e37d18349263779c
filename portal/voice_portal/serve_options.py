"""The options of ``voice-sandbox serve`` as rows of a table, from where the command has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import click

from voice_portal.fence_options import choose
from voice_sandbox.server.options import serve_options

# The help ends with its default where click cannot know it.
_DEFAULT: Final = re.compile(r"\s*\[default: ([^\]]+)\]$")


def options(names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The named options, or all. Raises: `FenceError` for an unknown one."""
    command = click.Command("serve", params=click.command()(serve_options(_nothing)).params)
    known = {str(option.name): option for option in command.params if option.envvar}
    chosen = [known[choose(name, known, "option")] for name in names] or list(known.values())
    return [_row(option) for option in chosen if isinstance(option, click.Option)]


def _nothing(**_: Any) -> None:
    """Stands for the command."""


def _row(option: click.Option) -> dict[str, Any]:
    meaning = option.help or ""
    written = _DEFAULT.search(meaning)
    default = written[1] if written else ""
    if not default and option.show_default:
        default = f"{option.default:g}" if isinstance(option.default, float) else option.default
    return {
        "name": option.opts[0],
        "variable": option.envvar,
        "default": default,
        "meaning": _DEFAULT.sub("", meaning),
    }
