"""Styles in one file that is kept for good, scripts asked for at once."""

import json
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup

from built_pages import PAGES, built
from node_tools import NodeTools
from voice_portal.assets import script, stylesheet

PARTS = [
    f"assets/stylesheets/{name}.css"
    for name in ("fonts", "portal", "card", "columns", "reference", "inspector")
]

APART = ("any-origin.js", "workers/search.js")
BUNDLES = ("portal", "inspector")


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
def test_page_asks_for_one_style_and_one_script_of_ours(root: Path, site: Path, name: str) -> None:
    """The style carries its hash, so it is kept; no script waits for another to be found."""
    page = BeautifulSoup((site / built(name)).read_text("utf-8"), "html.parser")
    styles = [str(link["href"]) for link in page.find_all("link", rel="stylesheet")]
    path, text = stylesheet(root / "docs", PARTS)
    # Those of the theme have the hash of what they were before the build changed a width in them.
    own = [_of_site(one) for one in styles if not urlsplit(one).path.endswith(".min.css")]
    assert own == [path]
    assert (site / path).read_text("utf-8") == text
    scripts = [_of_site(str(script["src"])) for script in page.find_all("script", type="module")]
    assert scripts == ["assets/javascripts/portal.js"]


def _of_site(path: str) -> str:
    return re.sub(r"^(\.\./|\./)*", "", path)


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


def test_site_has_every_script_once_and_no_types(root: Path, site: Path) -> None:
    """Each script is in one of the bundles, but for those that cannot be modules."""
    published = site / "assets/javascripts"
    sources = root / "docs/assets/javascripts"
    for name in APART:
        assert (published / name).read_text("utf-8") == script((sources / name).read_text("utf-8"))
    whole = "".join((published / f"{name}.js").read_text("utf-8") for name in BUNDLES)
    bundled = {str(path.relative_to(sources)) for path in sources.rglob("*.js")} - {*APART}
    found = re.findall(r'^modules\["assets/javascripts/(.+)"\] = ', whole, re.MULTILINE)
    assert sorted(found) == sorted(bundled)
    assert not any((published / name).exists() for name in bundled - {"inspector.js"})
    assert list(published.rglob("*.d.ts")) == []
