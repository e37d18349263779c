"""The portal for machines and readers of text: llms.txt, Markdown, collection, changelog."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from built_pages import ALL_PAGES
from voice_portal.sources import Sources
from voice_sandbox.contract.problems import PROBLEMS

# The essentials of collection.json 2.1.0, as the format's own schema has them.
COLLECTION = {
    "type": "object",
    "required": ["info", "item"],
    "properties": {
        "info": {"type": "object", "required": ["name", "schema"]},
        "variable": {"type": "array", "items": {"required": ["key", "value"]}},
        "item": {"type": "array", "items": {"$ref": "#/$defs/folder"}},
    },
    "$defs": {
        "folder": {
            "required": ["name", "item"],
            "properties": {"item": {"type": "array", "items": {"$ref": "#/$defs/request"}}},
        },
        "request": {
            "required": ["request"],
            "properties": {
                "request": {
                    "required": ["method", "url"],
                    "properties": {
                        "url": {"required": ["raw", "host", "path"]},
                        "body": {"properties": {"mode": {"const": "raw"}}, "required": ["raw"]},
                        "header": {"type": "array", "items": {"required": ["key", "value"]}},
                    },
                },
                "response": {"type": "array", "items": {"required": ["name", "code", "body"]}},
            },
        },
    },
}


def text_of(site: Path, name: str) -> Any:
    """The Markdown of a page."""
    folder = site if name == "index" else site / name
    return (folder / "index.md").read_text("utf-8")


@pytest.mark.parametrize("name", ALL_PAGES)
def test_page_as_markdown_needs_nothing_else(site: Path, name: str) -> None:
    """No placeholder, fence of the portal, include or attribute is left in a page's Markdown."""
    text = text_of(site, name)
    assert text.startswith("# ")
    assert "{{" not in text
    assert "--8<--" not in text
    fences = set(re.findall(r"^```([\w-]+)", text, re.MULTILINE))
    code = {"sh", "shell", "python", "js", "go", "java", "php"}
    assert fences <= {
        *code,
        "json",
        "text",
        "dockerfile",
        "py",
        "typescript",
        "yaml",
        "toml",
        "ini",
        "nginx",
        "sql",
    }
    assert not re.search(r"\{ ?[#.][\w-]+ ?\}", text)


@pytest.mark.parametrize("name", ALL_PAGES)
def test_links_of_a_page_as_markdown_lead_somewhere(
    site: Path, sources: Sources, name: str
) -> None:
    """Links between pages lead to the other page's Markdown; none depends on where it stands."""
    code = r"^```.*?^```|(?<!\[)`[^`\n]*`"
    outside_code = re.sub(code, "", text_of(site, name), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s]*)\)", outside_code)
    own = f"{sources.sandbox_url}/"
    targets = [link.removeprefix(own).partition("#")[0] for link in links if link.startswith(own)]
    assert [link for link in links if not re.match(r"#|https?://", link)] == []
    missing = [t for t in targets if not (site / t).is_file() and t != "sandbox"]
    assert missing == []


def test_markdown_has_every_code_and_every_card(site: Path, articles: Mapping[str, Any]) -> None:
    """What a page shows is in its Markdown too: problem codes, requests, recorded responses."""
    errors = text_of(site, "errors")
    assert [code for code in PROBLEMS if f"`{code}`" not in errors] == []
    for name in ALL_PAGES:
        cards = articles[name].find_all("try-api")
        assert text_of(site, name).count("recorded from the sandbox") == len(cards), name


def test_llms_txt_lists_every_page(site: Path, sources: Sources) -> None:
    """llms.txt has the form of llmstxt.org and leads to each page; llms-full.txt holds them all."""
    text = (site / "llms.txt").read_text("utf-8")
    assert re.match(r"# .+\n\n> .+\n", text)
    link = rf"^- \[.+\]\({re.escape(sources.sandbox_url)}/(.*?)\): \S"
    listed = re.findall(link, text, re.MULTILINE)
    assert {path for path in listed if path.endswith("index.md")} == {
        "index.md" if name == "index" else f"{name}/index.md" for name in ALL_PAGES
    }
    assert [path for path in listed if not (site / path).is_file()] == []
    full = (site / "llms-full.txt").read_text("utf-8")
    pointer = re.compile(r"^> For AI agents: .*\n\n", re.MULTILINE)
    assert all(pointer.sub("", text_of(site, name)).strip() in full for name in ALL_PAGES)


def test_collection_can_be_imported(site: Path, sources: Sources) -> None:
    """The collection has the form of Postman 2.1 and every request example of the contract."""
    collection = json.loads((site / "postman.json").read_text("utf-8"))
    assert [
        e.message for e in jsonschema_rs.validator_for(COLLECTION).iter_errors(collection)
    ] == []
    requests = [item["request"] for folder in collection["item"] for item in folder["item"]]
    sent = [(r["method"], json.loads(r["body"]["raw"]) if "body" in r else None) for r in requests]
    for operation in sources.contract.operations.values():
        bodies = [e.value for e in operation.body.examples.values()] if operation.body else [None]
        assert all((operation.method, body) in sent for body in bodies)


def test_changelog_knows_the_version_of_the_contract(
    articles: Mapping[str, Any], contract_path: Path
) -> None:
    """The contract's version has an entry, and it is the newest one."""
    version = yaml.safe_load(contract_path.read_text("utf-8"))["info"]["version"]
    headings = [heading["id"] for heading in articles["contract-changes"].find_all("h2", id=True)]
    [newest, *_] = [name for name in headings if re.fullmatch(r"v\d+-\d+-\d+", name)]
    assert newest == f"v{version.replace('.', '-')}"


def test_portal_publishes_the_workflows(root: Path, site: Path) -> None:
    """The file lies beside the contract that it names, and the page shows every step of it."""
    assert (site / "arazzo.yaml").read_bytes() == (root / "arazzo.yaml").read_bytes()
    [source] = yaml.safe_load((root / "arazzo.yaml").read_text())["sourceDescriptions"]
    assert (site / source["url"]).is_file()
    page = (site / "contract-testing" / "index.html").read_text("utf-8")
    for workflow in yaml.safe_load((root / "arazzo.yaml").read_text())["workflows"]:
        section = page.split(f'id="workflow-{workflow["workflowId"]}"')[1].split("</section>")[0]
        shown = re.findall("<li><code>([A-Za-z]+)</code>", section)
        assert shown == [step["operationId"].rpartition(".")[2] for step in workflow["steps"]]


@pytest.mark.parametrize("name", ALL_PAGES)
def test_page_tells_agents_where_the_others_are(site: Path, sources: Sources, name: str) -> None:
    """Below the title of its Markdown, and before the text of its HTML."""
    title, empty, pointer, *_ = text_of(site, name).splitlines()
    assert title.startswith("# ")
    assert (empty, pointer) == (
        "",
        f"> For AI agents: [llms.txt]({sources.sandbox_url}/llms.txt) lists all pages.",
    )


@pytest.mark.parametrize("name", ALL_PAGES)
def test_text_of_a_page_comes_before_the_navigation(site: Path, name: str) -> None:
    """A reader of the document meets what the page says first, and what it is before that."""
    page = (site / ("" if name == "index" else name) / "index.html").read_text("utf-8")
    pointer, text = page.index("For AI agents"), page.index("<h1")
    assert page.index("<article") < pointer < text < page.index("md-sidebar--primary")
    [written] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page)
    described = json.loads(written)
    assert (described["@type"], bool(described["headline"])) == ("TechArticle", True)
    beside = site / ("" if name == "index" else name) / described["encoding"]["contentUrl"]
    assert beside.is_file()


def test_skill_and_catalogue_lead_to_what_there_is(site: Path, sources: Sources) -> None:
    """What an agent reads first names every operation, and only files and paths that exist."""
    skill = (site / "skill.md").read_text("utf-8")
    assert yaml.safe_load(skill.split("---")[1]).keys() == {"name", "description"}
    for operation in sources.contract.operations.values():
        assert f"| {operation.operation_id} | `{operation.method} {operation.path}`" in skill
    assert sources.live_url in skill
    [api] = json.loads((site / ".well-known" / "api-catalog").read_text("utf-8"))["linkset"]
    links = [link["href"] for name in ("service-desc", "service-doc") for link in api[name]]
    links += re.findall(r"\]\((.*?)\)", skill)
    own = f"{sources.sandbox_url}/"
    paths = [link.removeprefix(own) for link in links]
    assert [path for path in paths if path and not (site / path).is_file()] == []
    assert [link["href"] for link in api["status"]] == [f"{own}readyz"]
