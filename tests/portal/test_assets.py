"""Styles in one file that is kept for good, scripts asked for at once."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from built_pages import PAGES, built
from node_tools import NodeTools
from voice_portal.assets import modules, script, stylesheet

PARTS = [
    f"assets/stylesheets/{name}.css"
    for name in ("portal", "card", "columns", "reference", "inspector")
]


def test_name_of_the_stylesheet_follows_its_content(tmp_path: Path) -> None:
    """The same rules have the same name, other rules another; comments and indents are left out."""
    (tmp_path / "a.css").write_text("/* one\n two */\na {\n  color: red;\n}\n", "utf-8")
    name, text = stylesheet(tmp_path, ["a.css"])
    assert text == "a {\ncolor: red;\n}\n"
    assert stylesheet(tmp_path, ["a.css"]) == (name, text)
    (tmp_path / "a.css").write_text("a { color: blue; }\n", "utf-8")
    assert stylesheet(tmp_path, ["a.css"])[0] != name


def test_missing_part_of_the_style_stops_the_build(tmp_path: Path) -> None:
    """A style that mkdocs.yml names and nobody wrote is an error, not a page without colors."""
    with pytest.raises(FileNotFoundError, match=r"lost\.css"):
        stylesheet(tmp_path, ["lost.css"])


@pytest.mark.parametrize("name", PAGES)
def test_page_asks_for_one_style_of_ours_and_for_every_module(
    root: Path, site: Path, name: str
) -> None:
    """The style carries its hash, so it is kept; no module waits for another to be found."""
    page = BeautifulSoup((site / built(name)).read_text("utf-8"), "html.parser")
    links: dict[str, list[str]] = {str(link["rel"][0]): [] for link in page.find_all("link")}
    for link in page.find_all("link"):
        links[link["rel"][0]].append(re.sub(r"^(\.\./)*", "", str(link["href"])))
    path, text = stylesheet(root / "docs", PARTS)
    assert [p for p in links["stylesheet"] if not p.endswith(".min.css")] == [path]
    assert (site / path).read_text("utf-8") == text
    assert set(links["modulepreload"]) == {
        *modules(root / "docs", "assets/javascripts/try-api.js"),
        *modules(root / "docs", "assets/javascripts/shared/copy.js"),
        *modules(root / "docs", "assets/javascripts/card/deferred-cards.js"),
        *modules(root / "docs", "assets/javascripts/copy-page.js"),
    }
    assert "assets/javascripts/card/schema.js" in links["modulepreload"]
    assert not any("inspector" in path for path in links["modulepreload"])


def test_published_script_is_the_same_program(root: Path, node_tools: NodeTools) -> None:
    """A script loses comments and blank lines, and nothing that runs: both print as one program."""
    sources = sorted((root / "docs/assets/javascripts").rglob("*.js"))
    texts = [path.read_text("utf-8") for path in sources]
    program = (
        f"const ts = require({json.dumps(str(node_tools.packages / 'typescript'))});"
        "const pairs = JSON.parse(require('fs').readFileSync(0, 'utf-8'));"
        "const printed = (text) => ts.transpile(text, { target: 'esnext', removeComments: true });"
        "console.log(JSON.stringify(pairs.map((pair) => new Set(pair.map(printed)).size)));"
    )
    ran = subprocess.run(
        [node_tools.node, "-e", program],
        input=json.dumps([[text, script(text)] for text in texts]),
        capture_output=True,
        text=True,
        check=True,
    )
    programs = json.loads(ran.stdout)
    assert [path.name for path, n in zip(sources, programs, strict=True) if n != 1] == []
    assert not any("@param" in script(text) for text in texts)


def test_site_has_the_scripts_without_their_types(root: Path, site: Path) -> None:
    """What the site serves is the published form of every script, and no file of types."""
    published = site / "assets/javascripts"
    sources = root / "docs/assets/javascripts"
    for path in sources.rglob("*.js"):
        text = (published / path.relative_to(sources)).read_text("utf-8")
        assert text == script(path.read_text("utf-8")), path.name
    assert list(published.rglob("*.d.ts")) == []
