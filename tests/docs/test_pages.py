"""The pages as a whole: nothing is missing or loaded from elsewhere, and every link leads on."""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import click
import pytest
import yaml

from built_pages import ALL_PAGES, PAGES, built
from voice_portal.sources import Sources
from voice_sandbox.cli.main import command_contexts
from voice_sandbox.contract.problems import PROBLEMS


def test_portal_can_be_published(build: Any) -> None:
    """The build succeeds, and each card shows the recorded response."""
    assert build.returncode == 0, build.stdout + build.stderr


def test_every_operation_has_a_card(articles: Mapping[str, Any], sources: Sources) -> None:
    """Each operation of the contract can be tried on at least one page."""
    tried = {
        json.loads(card["data-card"])["requests"][-1]["operation"]
        for article in articles.values()
        for card in article.find_all("try-api")
    }
    assert tried >= set(sources.contract.operations)


def test_every_request_example_has_a_card(articles: Mapping[str, Any], sources: Sources) -> None:
    """Each request example of the contract is a card that runs on some page."""
    tried = [
        json.loads(card["data-card"])["requests"][-1]["body"]
        for article in articles.values()
        for card in article.find_all("try-api")
    ]
    missing = [
        f"{operation.operation_id}/{example.name}"
        for operation in sources.contract.operations.values()
        for example in (operation.body.examples.values() if operation.body else ())
        if example.value not in tried
    ]
    assert missing == []


def test_every_problem_code_has_an_entry(articles: Mapping[str, Any]) -> None:
    """The Errors page has one heading for each code of the table, and no other."""
    entries = [heading["id"] for heading in articles["errors"].find_all("h3", id=True)]
    assert entries == list(PROBLEMS)


def test_every_problem_can_be_triggered(articles: Mapping[str, Any]) -> None:
    """Each entry of the Errors page has a card whose recorded response is that problem.

    Nothing can trigger one of them, and its entry says why.
    """
    triggered = {}
    for card in articles["errors"].find_all("try-api"):
        expected = json.loads(card["data-card"])["expect"]
        triggered[expected] = json.loads(card.find(class_="card-json").text)["code"]
    assert triggered == {code: code for code in PROBLEMS if code != "internal_error"}
    entry = articles["errors"].find(id="internal_error").find_next(class_="problem")
    assert "cannot be triggered" in entry.text


def test_every_scenario_has_a_row(articles: Mapping[str, Any], sources: Sources) -> None:
    """The Sandbox page lists each scenario of the catalogue with its number."""
    rows = articles["sandbox-guide"].select("table.scenarios tbody tr")
    listed = [[code.text for code in row.td.find_all("code")] for row in rows]
    assert listed == [[scenario.number, scenario.name] for scenario in sources.scenarios]


def test_every_option_of_the_server_is_documented(articles: Mapping[str, Any]) -> None:
    """The options of `voice-sandbox serve` and their environment variables are on the page."""
    serve = command_contexts()["serve"].command
    options = {
        (max(option.opts, key=len), option.envvar)
        for option in serve.params
        if isinstance(option, click.Option) and option.envvar
    }
    rows = articles["hosting"].select("table.options tbody tr")
    documented = [tuple(code.text for code in row.find("td").find_all("code")) for row in rows]
    assert len(documented) == len(set(documented))
    assert set(documented) == options


@pytest.mark.parametrize("name", ALL_PAGES)
def test_page_ends_where_the_next_step_begins(articles: Mapping[str, Any], name: str) -> None:
    """The last heading of each page tells where to go next; Swagger UI is its own last page."""
    headings = articles[name].find_all("h2")
    assert name == "swagger-ui" or headings[-1].text.startswith("Where to go next")


@pytest.mark.parametrize("name", [name for name in PAGES if name != "swagger-ui"])
def test_page_has_one_next_step(articles: Mapping[str, Any], name: str) -> None:
    """The end of a page leaves no choice: it links one page."""
    last = articles[name].find_all("h2")[-1]
    links = [link for element in last.find_next_siblings() for link in element.find_all("a")]
    assert len(links) == 1


def test_no_page_loads_anything_from_another_host(html: Mapping[str, Any]) -> None:
    """Scripts, styles, images and frames come from the site itself."""
    foreign = [
        f"{path}: {url}"
        for path, page in html.items()
        for element in page.find_all(["script", "img", "iframe", "link", "source", "video"])
        if element.get("rel") not in (["canonical"], ["prev"], ["next"])
        for url in (element.get("src"), element.get("href"))
        if url and urlsplit(url).netloc
    ]
    assert foreign == []


def test_no_style_or_script_names_another_host(root: Path) -> None:
    """The portal's own styles and scripts load nothing from elsewhere."""
    foreign = [
        path.name
        for folder in ("javascripts", "stylesheets")
        for path in (root / "docs/assets" / folder).rglob("*.*s")
        if "//"
        in path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "").replace("// ", "")
    ]
    assert foreign == []


def test_no_page_has_a_style_or_a_handler_inside_a_tag(html: Mapping[str, Any]) -> None:
    """A strict content security policy forbids both, so no part of a page may need them."""
    found = [
        f"{path}: {element.name} {name}"
        for path, page in html.items()
        for element in page.find_all(True)
        for name in element.attrs
        if name == "style" or name.startswith("on")
    ]
    assert found == []


def test_every_internal_link_resolves(html: Mapping[str, Any], site: Path) -> None:
    """Each link to a page, a file or an anchor of the site leads to something."""
    anchors = {path: {e["id"] for e in page.find_all(id=True)} for path, page in html.items()}
    broken = []
    for path, page in html.items():
        base = f"http://site/{path.removesuffix('index.html')}"
        for link in page.find_all("a", href=True):
            target = urlsplit(urljoin(base, link["href"]))
            if target.netloc != "site" or target.path == "/sandbox":
                continue
            file = target.path.lstrip("/")
            file += "index.html" if not file or file.endswith("/") else ""
            found = (site / file).is_file()
            if found and target.fragment and file in anchors:
                found = target.fragment in anchors[file] or target.fragment.startswith("__")
            if not found:
                broken.append(f"{path}: {link['href']}")
    assert broken == []


def test_no_page_takes_an_address_of_the_api(site: Path) -> None:
    """The sandbox serves the API under /v1 and /sandbox, so no page of the site may lie there."""
    assert not (site / "v1").exists()
    assert not (site / "sandbox").exists()


def test_contract_is_published_as_it_stands(
    site: Path, contract_path: Path, sources: Sources
) -> None:
    """`openapi.yaml` is the contract byte for byte, `openapi.json` the same document."""
    assert (site / "openapi.yaml").read_bytes() == contract_path.read_bytes()
    assert json.loads((site / "openapi.json").read_text("utf-8")) == yaml.safe_load(
        contract_path.read_text("utf-8")
    )


def test_reference_knows_only_the_sandbox(site: Path, sources: Sources) -> None:
    """The copy of the contract that Swagger UI reads has no live server to call."""
    copy = (site / "reference" / "openapi.sandbox.json").read_text("utf-8")
    assert [server["url"] for server in json.loads(copy)["servers"]] == ["../"]
    assert sources.live_url not in copy


def test_no_script_knows_the_live_service(
    html: Mapping[str, Any], site: Path, sources: Sources
) -> None:
    """The live base URL is text to read: neither scripts nor the data of cards hold it."""
    for page in html.values():
        for card in page.find_all("try-api"):
            assert sources.live_url not in card["data-card"]
    for script in (site / "assets" / "javascripts").rglob("*.js"):
        assert sources.live_url not in script.read_text("utf-8")


@pytest.mark.parametrize("name", ALL_PAGES)
def test_headings_descend_one_level_at_a_time(articles: Mapping[str, Any], name: str) -> None:
    """One h1 a page, and no level is skipped on the way down."""
    levels = [int(heading.name[1]) for heading in articles[name].find_all(["h1", "h2", "h3", "h4"])]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in itertools.pairwise(levels))


def test_every_page_is_in_the_navigation(html: Mapping[str, Any]) -> None:
    """Each page of docs/ can be reached from the navigation of the first page."""
    links = {link["href"] for link in html["index.html"].select("nav.md-nav--primary a[href]")}
    missing = [name for name in ALL_PAGES if name != "index" and f"{name}/" not in links]
    assert missing == []
    assert built("index") in html
