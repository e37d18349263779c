"""One file to change: a new base URL and renamed agents in the contract reach every page."""

from pathlib import Path

from built_pages import build_in, copy_sources
from voice_portal.sources import Sources


def test_contract_alone_changes_every_page(root: Path, tmp_path: Path, sources: Sources) -> None:
    """After the change no old word is left in any file of the site."""
    old_agent = sources.agents[0]
    changes = {
        sources.live_url: "https://voice.example.test",
        old_agent["key"]: "zamira",
        old_agent["name"]: "Zamira",
    }
    copy_sources(root, tmp_path)
    contract = tmp_path / "openapi.yaml"
    text = contract.read_text("utf-8")
    for old, new in changes.items():
        text = text.replace(old, new)
    contract.write_text(text, "utf-8")

    built = build_in(tmp_path)
    assert built.returncode == 0, built.stdout + built.stderr
    left = [
        f"{path.relative_to(tmp_path)}: {old}"
        for path in (tmp_path / "site").rglob("*")
        if path.suffix in {".html", ".json", ".yaml", ".js", ".css", ".xml"}
        for old in changes
        if old in path.read_text("utf-8")
    ]
    assert left == []
    quickstart = (tmp_path / "site/quickstart/index.html").read_text("utf-8")
    assert all(new in quickstart for new in ("https://voice.example.test", "zamira"))


def test_facts_of_the_contract_stand_there_alone(root: Path, sources: Sources) -> None:
    """No page, template or script repeats what the contract may change."""
    facts = [sources.live_url.removeprefix("http://")]
    facts += [agent[part] for agent in sources.agents for part in ("key", "name")]
    body = sources.contract.operations["createCall"].body
    assert body is not None
    facts.append(body.examples["quickstart"].value["phone"])
    repeated = [
        f"{path.relative_to(root)}: {fact}"
        for folder in ("docs", "portal", "sandbox", "tests")
        for path in (root / folder).rglob("*")
        if path.suffix in {".md", ".py", ".html", ".js", ".css", ".yaml", ".yml", ".sql"}
        for fact in facts
        if fact in path.read_text("utf-8")
    ]
    assert repeated == []
