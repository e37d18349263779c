"""Broken JSON is marked where it is broken, in every browser alike, and said in words."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from node_tools import NodeTools

BODY = '{\n  "phone": "+12025550100",\n  "agent": "x",\n  "n": [1, -2.5e3, true, null]\n}'
DESCRIBED = [
    ('{\n  "phone": "+12025550100"\n  "agent": "x"\n}', (3, 3), "a comma or } is missing"),
    ('{"a": 1,}', (1, 8), "no comma may stand before }"),
    ("[1, 2,]", (1, 6), "no comma may stand before ]"),
    ("{a: 1}", (1, 2), "the name of a field needs double quotes"),
    ("{'a': 1}", (1, 2), "the name of a field needs double quotes"),
    ("{\"a\": 'b'}", (1, 7), "JSON takes double quotes"),
    ('{"a" 1}', (1, 6), "a colon is missing after the name"),
    ('{"a": }', (1, 7), "a value is missing"),
    ('{"a": somebody}', (1, 7), "a text needs double quotes; words are true, false and null"),
    ('{"a": True}', (1, 7), "a text needs double quotes; words are true, false and null"),
    ('{"a": NaN}', (1, 7), "a text needs double quotes; words are true, false and null"),
    ('{"a": 01}', (1, 7), "this is not a number"),
    ('{"a": 1.}', (1, 7), "this is not a number"),
    ('{"a": "b}', (1, 7), "the closing quote is missing"),
    ('{"a": "b\n"}', (1, 7), "the closing quote is missing; a line break in a text is written \\n"),
    ('{"a": "\t"}', (1, 8), "this character must be escaped in a text"),
    ('{"a": "\\x"}', (1, 8), "this is not an escape; a backslash itself is written \\\\"),
    ('{"a": 1', (1, 8), "the closing } is missing"),
    ("[1", (1, 3), "the closing ] is missing"),
    ('{"a": 1} {}', (1, 10), "nothing may follow the end"),
    ("", (1, 1), "there is nothing"),
    ("  \n ", (2, 2), "there is nothing"),
]


@pytest.fixture(scope="module")
def errors(root: Path, node_tools: NodeTools) -> Any:
    """Asks the script, in the order of the texts: what it finds, and whether it is JSON at all."""
    module = (root / "docs/assets/javascripts/card/json-syntax.js").as_uri()
    program = (
        f"import {{ firstError, syntaxError }} from {json.dumps(module)};"
        "import { readFileSync } from 'node:fs';"
        "const isJson = (text) => {"
        "  try { JSON.parse(text); return true; } catch { return false; }"
        "};"
        "const texts = JSON.parse(readFileSync(0, 'utf-8'));"
        "console.log(JSON.stringify(texts.map((text) =>"
        "  ({ error: syntaxError(text), first: firstError(text), isJson: isJson(text) }))));"
    )

    def check(texts: Any) -> Any:
        ran = subprocess.run(
            [node_tools.node, "--no-warnings", "--input-type=module", "-e", program],
            input=json.dumps(texts),
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(ran.stdout)

    return check


def test_syntax_error_is_described_at_its_place(errors: Any) -> None:
    """Each common slip has a line, a column and a reason that says what to do."""
    found = errors([text for text, _, _ in DESCRIBED])
    assert [((f["error"]["line"], f["error"]["column"]), f["error"]["reason"]) for f in found] == [
        (place, reason) for _, place, reason in DESCRIBED
    ]


def test_reader_and_browser_agree_on_what_is_json(errors: Any) -> None:
    """For thousands of damaged texts, an error is found exactly where JSON.parse finds one."""
    texts = [BODY]

    @seed(3)
    @settings(
        max_examples=1500,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(
            st.tuples(
                st.integers(0, len(BODY)),
                st.integers(0, 2),
                st.text('{}[],:"\\/\n\t +-.eE0123tfnu\x00\u2028é', max_size=2),
            ),
            max_size=3,
        )
    )
    def damage(changes: Any) -> None:
        text = BODY
        for place, cut, new in changes:
            text = text[:place] + new + text[place + cut :]
        texts.append(text)

    damage()
    found = errors(texts)
    different = [
        text
        for text, response in zip(texts, found, strict=True)
        if (response["first"] is None) != response["isJson"]
        or (response["error"] is None) != response["isJson"]
    ]
    assert different == []
    broken = [
        (len(text), response["first"]["offset"])
        for text, response in zip(texts, found, strict=True)
        if not response["isJson"]
    ]
    assert len(broken) > 500
    assert [place for place in broken if not 0 <= place[1] <= place[0]] == []


def test_deep_nesting_is_an_error_and_no_crash(errors: Any) -> None:
    """A text that breaks off at a depth no reader reaches is rejected like any other."""
    [response] = errors(["[" * 200_000])
    assert response["error"]["reason"] in ("it is nested too deep", "a value is missing")
