"""How a sandbox key looks: it stands here for whoever accepts, redacts or shows one."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "sandbox_"
PATTERN: Final = PREFIX + "[A-Za-z0-9_-]{4,64}"
"""A regular expression, without anchors."""
