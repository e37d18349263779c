"""Pages, messages and contracts are written in plain words, and a figure says how plain."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from built_pages import PAGES
from voice_sandbox.cli.main import command_contexts
from voice_sandbox.contract.problems import PROBLEMS

RESPONSE = "the an this last second first stored every its each same any"
RETIRED = {
    rf"\b(?:{'|'.join(RESPONSE.split())}) answers?\b": "response",
    r"\banswered with\b": "gets the response",
    # `refusal` without an article is a member of the control contract.
    r"\brefus(?:e|es|ed|als|ing)\b|\b(?:a|the|every|each) refusal\b": "reject, problem",
    r"\bprovok\w+": "trigger",
    r"\bput(?:s|ting)? (?:it |them |the request )?right\b": "fix",
    r"\bmend\w*": "fix",
    r"\bturn(?:s|ed)? (?:the clock|it forward|around)": "advance the clock",
    r"\bwhat (?:becomes?|became) of\b": "outcome, result",
    r"\b(?:is|are|was) over\b": "has ended",
    r"\bmade-up\b|\bmak(?:e|es|ing) up\b": "generate",
    r"\banew\b": "again",
    r"\btold to\b": "when it receives",
    r"\bleaves? with\b": "exit with",
    r"\b(?:hold|held) (?:to|against)\b": "check against",
    r"\banswered (?:by|so|as|\d{3})\b": "gets the response",
    r"\bgateways? answers?\b|\bservers? answers?\b": "responds",
    r"\banswering\b(?! machine)": "responding",
    r"\b(?:met|meets?)\b(?! < )": "covered, receives",
    r"\btold otherwise\b": "by default",
    r"\bletter by letter\b|\bto the letter\b": "character by character, exactly",
    r"\b(?:provider's|unknown|status) words?\b|\bword of the provider\b": "value, status",
    r"\bstands? twice\b": "is sent twice",
}
"""What is not written any more → the ordinary word."""
READING_EASE = 60
SENTENCE_WORDS = 14


def texts_of_commands() -> Iterator[tuple[str, str]]:
    for name, context in command_contexts().items():
        yield f"{name} --help", context.get_help()


def described(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The texts of a contract that people read."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name in FOR_PEOPLE and isinstance(value, str):
                yield f"{path}/{name}", value
            else:
                yield from described(value, f"{path}/{name}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from described(value, f"{path}/{number}")


def retired_in(places: Iterator[tuple[str, str]]) -> list[str]:
    return [
        f"{place}: {found[0]!r}, write: {instead}"
        for place, text in places
        for pattern, instead in RETIRED.items()
        for found in re.finditer(pattern, re.sub(r"`[^`]*`", "", text), re.IGNORECASE)
    ]


def test_pages_use_no_retired_word(root: Path) -> None:
    """A word that people do not search for, or that says two things, is gone from every page."""
    pages = ((name, (root / "docs" / f"{name}.md").read_text("utf-8")) for name in PAGES)
    assert retired_in(pages) == []


def test_commands_use_no_retired_word() -> None:
    """The same holds for what the terminal shows."""
    assert retired_in(texts_of_commands()) == []


def test_problems_use_no_retired_word() -> None:
    """The same holds for what a client reads of a problem."""
    texts = ((p.code, f"{p.title} {p.meaning} {p.remedy}") for p in PROBLEMS.values())
    assert retired_in(texts) == []


CONTRACTS = (
    "openapi.yaml",
    "arazzo.yaml",
    "contract/changes.yaml",
    "portal/voice_portal/problem_requests.yaml",
    "sandbox/voice_sandbox/control.yaml",
    "sandbox/voice_sandbox/scenarios.yaml",
    "sandbox/voice_sandbox/rehearsal/acts.yaml",
)
FOR_PEOPLE = "description summary title detail line never about why expects".split()


@pytest.mark.parametrize("name", CONTRACTS)
def test_contracts_use_no_retired_word(root: Path, name: str) -> None:
    """The same holds for the reference."""
    document = yaml.safe_load((root / name).read_text("utf-8"))
    assert retired_in(described(document)) == []


def messages(path: Path) -> Iterator[tuple[str, str]]:
    """The texts of several words in a Python module that are no docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in alone and " " in str(node.value):
            yield f"{path.name}:{node.lineno}", str(node.value)


def test_messages_use_no_retired_word(root: Path) -> None:
    """The same holds for every message of the sandbox and of the portal's build."""
    for folder in ("sandbox/voice_sandbox", "portal/voice_portal"):
        for path in sorted((root / folder).rglob("*.py")):
            assert retired_in(messages(path)) == []


def shown(path: Path) -> Iterator[tuple[str, str]]:
    """The text of a template without tags, and the texts of several words of a script."""
    source = path.read_text("utf-8")
    if path.suffix == ".html":
        yield path.name, re.sub(r"<[^>]*>|\{%.*?%\}|\{\{.*?\}\}", " ", source)
        return
    source = re.sub(r"^\s*(?://|/?\*).*$", "", source, flags=re.MULTILINE)
    for line, text in enumerate(source.splitlines(), start=1):
        for parts in re.findall(r"\"([^\"]* [^\"]*)\"|'([^']* [^']*)'|`([^`]* [^`]*)", text):
            yield f"{path.name}:{line}", re.sub(r"\$\{[^}]*\}", "x", "".join(parts))


def test_cards_and_inspector_use_no_retired_word(root: Path) -> None:
    """The same holds for what the cards and the inspector show."""
    templates = sorted((root / "portal/voice_portal").rglob("*.html"))
    scripts = sorted((root / "docs/assets/javascripts").rglob("*.js"))
    assert [line for path in (*templates, *scripts) for line in retired_in(shown(path))] == []


def test_readme_uses_no_retired_word(root: Path) -> None:
    """The same holds for the first page of the repository."""
    assert retired_in(iter([("README", (root / "README.md").read_text("utf-8"))])) == []


def prose(source: str) -> list[str]:
    """The sentences of a page: no code, tables, headings, fences or link targets."""
    text = re.sub(r"^---\n.*?\n---\n", "", source, flags=re.DOTALL)
    text = re.sub(r"^( *)```.*?^\1```", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<[^>]+>|\{\{.*?\}\}|\{[^}]*\}", " ", text)
    lines = [
        line.strip()
        for line in text.splitlines()
        if not re.match(r"\s*(?:[#|!:<]|--8<--|=== )", line)
    ]
    text = " ".join(re.sub(r"^(?:[-*] |\d+\. )", "", line) for line in lines)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("*", "")
    text = re.sub(r"`[^`]*`", "code", text)
    found = re.split(r"(?<=[.!?:])\s+", text)
    return [sentence for sentence in found if len(sentence.split()) > 2]


def syllables(word: str) -> int:
    word = re.sub(r"[^a-z]", "", word.lower())
    word = re.sub(r"(?:es|ed|e)$", "", word) if len(word) > 3 else word
    return max(1, len(re.findall(r"[aeiouy]+", word)))


def figures(source: str) -> tuple[float, float]:
    """Words in a sentence on average, and the Flesch reading ease."""
    sentences = prose(source)
    words = [word for sentence in sentences for word in re.findall(r"[A-Za-z'-]+", sentence)]
    length = len(words) / len(sentences)
    return length, 206.835 - 1.015 * length - 84.6 * sum(map(syllables, words)) / len(words)


@pytest.mark.parametrize("name", PAGES)
def test_page_is_easy_to_read(root: Path, name: str) -> None:
    """Sentences are short and words are common."""
    length, ease = figures((root / "docs" / f"{name}.md").read_text("utf-8"))
    assert length <= SENTENCE_WORDS
    assert ease >= READING_EASE


def test_figures_tell_hard_from_easy() -> None:
    """The measure itself: a plain text is easier than a riddle."""
    plain = "Send the key with every request. The call ends. Read it again.\n"
    hard = (
        "Notwithstanding considerable organisational heterogeneity, implementation "
        "responsibilities necessitate comprehensive interdepartmental communication.\n"
    )
    assert figures(plain)[1] > 80 > 0 > figures(hard)[1]


def test_retired_words_are_found() -> None:
    """Each pattern finds what it is for."""
    samples: Mapping[str, str] = {
        "the answer comes": "response",
        "it is refused": "reject, problem",
        "the call is over": "has ended",
        "turn the clock": "advance the clock",
    }
    for text, instead in samples.items():
        assert retired_in(iter([("sample", text)])) == [
            f"sample: {found!r}, write: {instead}"
            for found in [next(m[0] for p in RETIRED for m in re.finditer(p, text))]
        ]
