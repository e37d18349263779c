"""The checkers from npm, run by the Node of the virtual environment."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class NodeTools:
    """Where Node lies, and the packages that package-lock.json pins."""

    node: Path
    packages: Path

    def command(self, name: str, *arguments: object) -> list[str]:
        """The words that start `name` (`"prism"`, `"redocly"`, `"spectral"`) without any shim."""
        return [str(self.node), str(self.packages / ".bin" / name), *map(str, arguments)]
