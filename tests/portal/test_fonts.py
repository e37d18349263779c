"""The fonts of the portal: made from their packages, small, and asked for where they are needed."""

import re
import subprocess
import sys
from pathlib import Path

from bs4 import BeautifulSoup

from node_tools import NodeTools

LATIN_BYTES = 40_000
"""What a page in English loads of both fonts, at most."""


def test_fonts_are_made_from_their_packages(root: Path, node_tools: NodeTools) -> None:
    """Each file in the repository is the one that tools/fonts.py makes of the pinned packages."""
    ran = subprocess.run(
        [sys.executable, root / "tools/fonts.py", "--check"], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr


def test_stylesheet_names_each_font(root: Path) -> None:
    """Every file is named once, with its range of characters, and none is missing."""
    sheet = (root / "docs/assets/stylesheets/fonts.css").read_text("utf-8")
    named = re.findall(r"url\(\"\.\./fonts/([^\"]+)\"\)", sheet)
    files = {path.name for path in (root / "docs/assets/fonts").glob("*.woff2")}
    assert sorted(named) == sorted(files)
    assert sheet.count("unicode-range:") == len(files)


def test_english_pages_load_little(root: Path) -> None:
    """The two parts that every page needs are small together."""
    parts = (root / "docs/assets/fonts").glob("*-latin.*.woff2")
    assert sum(path.stat().st_size for path in parts) < LATIN_BYTES


def test_pages_ask_for_the_fonts_first(site: Path) -> None:
    """Both are named in the head, from pages at any depth."""
    for path in ("index.html", "quickstart/index.html", "reference/create-call/index.html"):
        page = site / path
        soup = BeautifulSoup(page.read_text("utf-8"), "html.parser")
        links = [link["href"] for link in soup.find_all("link", rel="preload")]
        fonts = [page.parent / str(link) for link in links]
        assert len(fonts) == 2
        assert all(font.resolve().is_file() for font in fonts), links
