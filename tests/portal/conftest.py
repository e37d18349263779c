"""Markdown as the portal renders it, from the real contract or from a changed copy of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from bs4 import BeautifulSoup
from markdown import Markdown
from markdown.extensions import Extension

from voice_portal.extension import PortalExtension
from voice_portal.sources import Sources, load_sources
from voice_sandbox.calls.scenarios import load_scenarios
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.pointers import at, read_yaml
from voice_sandbox.contract.reader import load_contract

Render = Callable[..., BeautifulSoup]


@pytest.fixture(scope="session")
def sources() -> Iterator[Sources]:
    """What the pages are made from."""
    sources = load_sources()
    yield sources
    sources.responses.close()


@pytest.fixture
def render(sources: Sources) -> Iterator[Render]:
    """Renders Markdown that begins on line 5 of docs/guide.md."""
    used = []

    def render(text: str, changed: Sources | None = None) -> BeautifulSoup:
        used.append(changed or sources)
        portal = PortalExtension(sources=used[-1], page="guide.md", first_line=5)
        extensions: list[str | Extension] = ["attr_list", "toc", "pymdownx.superfences", portal]
        return BeautifulSoup(Markdown(extensions=extensions).convert(text), "html.parser")

    yield render
    for each in used:
        each.responses.close()


@pytest.fixture
def changed(contract_path: Path, tmp_path: Path) -> Callable[[str, str], Sources]:
    """Sources from a copy of the contract in which one text was replaced by another."""

    def change(old: str, new: str) -> Sources:
        text = contract_path.read_text(encoding="utf-8")
        assert old in text
        copy = tmp_path / "openapi.yaml"
        copy.write_text(text.replace(old, new), encoding="utf-8")
        contract = load_contract(copy)
        return Sources(contract, load_scenarios(read_catalogue(contract)))

    return change


@pytest.fixture
def altered(contract_path: Path, tmp_path: Path) -> Callable[..., Sources]:
    """Sources from a copy of the contract whose document a function has changed in place.

    `alter` may be the JSON Pointer of a mapping, and is then given its keyword and its new value.
    """

    def alter(change: Callable[[Any], None] | str, keyword: str = "", value: Any = None) -> Sources:
        document = read_yaml(contract_path.read_bytes(), contract_path)
        if isinstance(change, str):
            at(document, change)[keyword] = value
        else:
            change(document)
        copy = tmp_path / "openapi.yaml"
        copy.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8")
        contract = load_contract(copy)
        return Sources(contract, load_scenarios(read_catalogue(contract)))

    return alter
