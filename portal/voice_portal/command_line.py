"""The commands of ``voice-sandbox`` and their exit codes as rows of tables."""

from __future__ import annotations

import re
from typing import Any

import click

from voice_portal.fence_options import choose
from voice_sandbox.cli import exit_codes
from voice_sandbox.cli.main import command_contexts


def commands() -> list[dict[str, str]]:
    """Every command with its first sentence."""
    return [
        {"name": name, "meaning": _paragraphs(context.command)[0]}
        for name, context in command_contexts().items()
    ]


def command(name: str) -> dict[str, Any]:
    """What a command takes and does. Raises: `FenceError` for an unknown one."""
    known = command_contexts()
    context = known[choose(name, known, "command")]
    found = context.command
    words = [
        parameter.make_metavar(context)
        for parameter in found.params
        if isinstance(parameter, click.Argument)
    ]
    return {
        "usage": " ".join(["voice-sandbox", name, "[OPTIONS]", *words]),
        "paragraphs": _paragraphs(found),
        "options": [_row(one) for one in found.params if isinstance(one, click.Option)],
    }


def codes() -> list[dict[str, str]]:
    """Every exit code with its meaning."""
    return [{"code": code, "meaning": meaning} for code, meaning in exit_codes.rows()]


def _paragraphs(command: click.Command) -> list[str]:
    """The help without examples, which stand in blocks that click keeps as they are."""
    parts = re.split(r"\n\s*\n", command.help or "")
    return [" ".join(part.split()) for part in parts if not part.lstrip().startswith("\b")]


def _row(option: click.Option) -> dict[str, Any]:
    default = option.default if option.show_default else ""
    return {
        "name": ", ".join(option.opts),
        "variable": option.envvar or "",
        "default": f"{default:g}" if isinstance(default, float) else default,
        "meaning": re.sub(r"\s*\[default: ([^\]]+)\]$", r" Default: \1.", option.help or ""),
    }
