"""A build hook of hatchling: the wheel and the sdist contain the built portal.

The portal is built from this checkout for every distribution, so that neither an old `site` nor
one for another origin gets into it. An sdist has the portal in it already, and needs no renderer.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED: Final = "portal/built"
"""Where the sdist has the built portal."""
# The theme's tools for its own developers, and the search in languages that the pages do not have.
_LEFT_OUT: Final = ("**/*.map", "assets/javascripts/lunr/**/*.js")
_KEPT: Final = tuple(f"lunr.{name}.min.js" for name in ("stemmer.support", "ru", "multi"))
"""What the worker of the search loads: docs/assets/javascripts/workers/search.js."""


class PortalHook(BuildHookInterface[Any]):
    """Adds the portal to what hatchling builds."""

    def dependencies(self) -> list[str]:
        """What builds the portal: the versions that the tests have seen."""
        if self._shipped.is_dir():
            return []
        lock = Path(self.root, "requirements", "serve.txt").read_text("utf-8")
        return re.findall(r"^[a-z0-9._-]+==[^\\\n]+?(?= *\\?$)", lock, re.MULTILINE)

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # `make` serves the portal of the checkout
            return
        folder = self._shipped if self._shipped.is_dir() else self._build()
        target = SHIPPED if self.target_name == "sdist" else "voice_sandbox/portal"
        build_data["force_include"][str(folder)] = target

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "_temporary"):
            self._temporary.cleanup()

    @property
    def _shipped(self) -> Path:
        return Path(self.root, SHIPPED)

    def _build(self) -> Path:
        self._temporary = TemporaryDirectory(prefix="voice-portal-")
        folder = Path(self._temporary.name, "portal")
        # No address of a deployment that the shell may name: these pages run anywhere.
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("SITE_URL", "VOICE_SANDBOX_ORIGIN", "VOICE_RECORD")
        }
        sources = [str(Path(self.root, name)) for name in ("sandbox", "portal")]
        known = os.environ.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([*sources, *([known] if known else [])])
        environment["NO_MKDOCS_2_WARNING"] = "true"
        build = ["-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
        subprocess.run([sys.executable, *build], cwd=self.root, env=environment, check=True)
        for pattern in _LEFT_OUT:
            for path in sorted(folder.glob(pattern)):
                if path.name not in _KEPT:
                    path.unlink()
        return folder
