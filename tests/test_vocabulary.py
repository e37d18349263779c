"""One name for a thing: names that were replaced by standard terms do not come back.

What counts is what a program names: identifiers of Python, SQL and JavaScript, and names of files.
Prose, messages and texts in quotes may use any word.
"""

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("sandbox", "portal", "tests", "bench", "tools", "docs/assets/javascripts")

# Retired → what it is called now. One matches wherever its words stand in a name, in any spelling:
# `pace` is found in `Pace`, `_pace` and `max_pace`, and not in `namespace`.
RETIRED = {
    "pace": "rate_limits, RateLimiter",
    "world": "simulation, Simulation",
    "desk": "ControlContext",
    "outbox": "write_coalescing",
    "gathered": "CoalescingTransport",
    "housekeeping": "expiry",
    "page_policy": "content_security_policy",
    "keeping_apart": "isolation",
    "placing": "live_call",
    "given_keys": "listed_keys",
    "wire": "http1, Http1Client",
    "conformity": "response_validation, ResponseValidator",
    "nobody_looks": "ignore",
    "lender": "components_from",
    "posing": "fake_live_service",
    "workshop": "FaultInjector",
    "shop": "injector",
    "chains": "links",
    "recorder": "sandbox_responses",
    "spare": "deferred-cards",
    "mend": "fix",
    "mends": "fixes",
    "mended": "fixed, repaired",
    "refusal": "problem, rejection",
    "refusals": "problems, rejections",
    "refuse": "reject",
    "refuses": "rejects",
    "refused": "rejected",
    "provoke": "trigger",
    "provoked": "triggered",
    "made_up": "generated",
}
# Words that are good in other places: these names alone are retired, letter by letter.
RETIRED_NAMES = {
    "Answer": "Response",
    "RawAnswer": "RawResponse",
    "answer": "response",
    "answers": "responses",
    "Ask": "a request of its side of the wire",
    "Reply": "a response of its side of the wire",
    "Sent": "SentRequest",
    "Together": "Batcher",
    "together": "batching",
    "Watch": "AddressGuard",
    "ask": "request",
    "reply": "response",
    "most": "limit",
}
# Modules whose name is good for something else: path from the root → where its content went.
RETIRED_MODULES = {
    "voice_sandbox/keys.py": "http/authentication.py",
    "voice_sandbox/service.py": "http/pipeline.py",
    "voice_sandbox/notices.py": "server/program_log.py",
    "voice_sandbox/log.py": "server/access_log.py",
    "voice_sandbox/listen.py": "server/sockets.py",
    "voice_sandbox/deployment.py": "server/serve.py",
    "voice_sandbox/entries.py": "journal/entry.py",
    "voice_sandbox/replay.py": "journal/pytest_export.py",
    "voice_sandbox/remote.py": "cli/commands.py",
    "store/database.py": "store/postgres_database.py",
    "store/queries.py": "store/sql_files.py",
    "voice_portal/step.py": "voice_portal/card_request.py",
    "voice_portal/steps.py": "voice_portal/card_request.py",
    "voice_portal/serving.py": "voice_portal/serve_options.py",
    "voice_portal/text.py": "voice_portal/markup.py",
    "shared/nodes.js": "dom.js",
}

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# What names nothing comes first, so that no name is looked for in it.
_SQL = re.compile(r"--[^\n]*|'(?:[^']|'')*'|\b(?P<name>[A-Za-z_]\w*)")
_JAVASCRIPT = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`"
    r"|\b(?P<name>[A-Za-z_$][\w$]*)",
    re.DOTALL,
)


def sources() -> list[Path]:
    """Every file that a person wrote a program in."""
    return [
        path
        for folder in SOURCES
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".py", ".sql", ".js", ".cjs", ".mjs", ".ts")
        and "node_modules" not in path.parts
    ]


def names(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name of each identifier in a file."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME:
                yield token.start[0], token.string
        return
    for match in (_SQL if path.suffix == ".sql" else _JAVASCRIPT).finditer(text):
        if match["name"]:
            yield text.count("\n", 0, match.start()) + 1, match["name"]


def retired(name: str) -> str | None:
    """The retired name that a name is, or holds."""
    if name in RETIRED_NAMES:
        return name
    words = f"_{'_'.join(_WORD.findall(name)).lower()}_"
    return next((old for old in RETIRED if f"_{old}_" in words), None)


def replacement(name: str) -> str | None:
    """What to write instead of a name, where it is or holds a retired one."""
    old = retired(name)
    return None if old is None else (RETIRED | RETIRED_NAMES)[old]


def test_no_name_is_a_retired_one() -> None:
    """Identifiers use the standard terms."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name} → {new}"
        for path in sources()
        for line, name in names(path)
        if (new := replacement(name))
    ]
    assert found == []


def test_no_file_has_a_retired_name() -> None:
    """Files use the standard terms, so that one guess finds a module and its test."""
    found = [
        f"{path.relative_to(ROOT)} → {new}"
        for path in sources()
        if (new := replacement(path.stem) or RETIRED_MODULES.get("/".join(path.parts[-2:])))
    ]
    assert found == []


def test_no_class_name_stands_twice() -> None:
    """The name of a class says which one is meant, in the sandbox and the portal together."""
    places = defaultdict(list)
    for package in ("sandbox/voice_sandbox", "portal/voice_portal"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    ("name", "is_retired"),
    [
        ("Pace", True),
        ("max_pace", True),
        ("givenKeys", True),
        ("namespace", False),
        ("HTTPWire", True),
        ("outbox", True),
        ("Response", False),
        ("at_most", False),
    ],
)
def test_retired_words_are_found_in_any_spelling(name: str, is_retired: bool) -> None:
    """A retired word is found inside a name, and never inside another word."""
    assert (retired(name) is not None) == is_retired


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".py", '"""Pace"""\n# pace\nx = "pace"\n'),
        (".sql", "-- pace\nSELECT 'pace' AS x;\n"),
        (".js", "// pace\n/* pace */\nconst x = `pace` + 'pace' + \"pace\"\n"),
    ],
)
def test_prose_and_texts_name_nothing(suffix: str, text: str, tmp_path: Path) -> None:
    """Comments and texts in quotes may use any word."""
    path = tmp_path / f"example{suffix}"
    path.write_text(text, "utf-8")
    assert [name for _, name in names(path) if retired(name)] == []
