"""The built pages, parsed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from built_pages import ALL_PAGES, built
from sandbox_process import SandboxServer
from voice_portal.sources import Sources, load_sources


@pytest.fixture(scope="session")
def sandbox_server(portal_server: SandboxServer) -> SandboxServer:
    """The sandbox that serves the portal: what pages tell to run asks it for pages too."""
    return portal_server


@pytest.fixture(scope="session")
def sources() -> Sources:
    """What the pages are made from."""
    return load_sources()


@pytest.fixture(scope="session")
def html(site: Path) -> Mapping[str, BeautifulSoup]:
    """Every page of the site by its path, the one for unknown addresses included."""
    return {
        path.relative_to(site).as_posix(): BeautifulSoup(path.read_text("utf-8"), "html.parser")
        for path in site.rglob("*.html")
        if "assets" not in path.parts
    }


@pytest.fixture(scope="session")
def articles(html: Mapping[str, BeautifulSoup]) -> Mapping[str, Any]:
    """The text of every page by its name, without header and navigation."""
    return {name: html[built(name)].find("article") for name in ALL_PAGES}
