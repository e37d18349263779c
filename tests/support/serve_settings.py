"""The settings that ``voice-sandbox serve`` takes from its options and its environment."""

from voice_sandbox.cli.main import command_contexts, serve
from voice_sandbox.server.options import Settings, settings_of


def settings_given(*arguments: str) -> Settings:
    """What the server understands of these arguments."""
    group = command_contexts()["serve"].parent
    return settings_of(serve.make_context("serve", list(arguments), parent=group).params)
