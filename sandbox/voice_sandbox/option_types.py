"""Numbers as options of a command, and the sentences that say which numbers an option takes.

The words of click name types of Python and ranges such as ``1<=x<=999``.
"""

from __future__ import annotations

from typing import Any

import click


class Number(click.FloatRange):
    """A number of a range; ``nan`` is in none."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number of a text. A text that is none, or is out of range, is a usage error."""
        try:
            number = self._read(value)
        except (ValueError, OverflowError):
            self.fail(f"{value} is not a {self.name}. Give {self._wanted()}.", param, ctx)
        if not self._holds(number):
            self.fail(f"{value} is out of range. Give {self._wanted()}.", param, ctx)
        return number

    def _read(self, text: Any) -> float:
        return float(text)

    def _holds(self, number: float) -> bool:
        above = self.min is None or (number > self.min if self.min_open else number >= self.min)
        return above and (self.max is None or number <= self.max)

    def _wanted(self) -> str:
        return f"a {self.name} {self._describe_range()}".rstrip()

    def _describe_range(self) -> str:
        """Such as ``from 1 to 999``; help texts show it too."""
        lowest = "" if self.min is None else f"{self.min:,}".removesuffix(".0")
        limit = "" if self.max is None else f"{self.max:,}".removesuffix(".0")
        if self.min_open:
            return f"more than {lowest}, at most {limit}" if limit else f"more than {lowest}"
        return f"from {lowest} to {limit}" if limit else f"of {lowest} or more"


class WholeNumber(Number):
    """A number without a fraction."""

    name = "whole number"

    def _read(self, text: Any) -> int:
        return int(text)
