"""The browser's check of responses agrees with jsonschema-rs, whatever the response."""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from node_tools import NodeTools
from voice_portal.browser_contract import browser_contract, plain
from voice_portal.sources import Sources
from voice_sandbox.contract.reader import _SCHEMA_KEYWORDS
from voice_sandbox.contract.validation import enforced

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 100_000)
    | st.sampled_from([12.0, 0.5, 1e9])
    | st.text(max_size=5)
    | st.sampled_from(
        [
            "01890a5d-ac96-774b-bcce-b302099a8057",
            "completed",
            "busy",
            "queued",
            "+12025550111",
            "/phone",
            "~",
            "/errors/#call_not_found",
            "2026-11-24T09:30:00.000Z",
            "2026-11-24T25:30:00.000Z",
            "req_00000000",
            "😀" * 64,
            "x" * 65,
        ]
    )
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner)
)


@st.composite
def damaged(draw: Any, value: Any) -> Any:
    """An example of the contract after up to three small changes."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(value))
        if not places:
            return draw(VALUES)
        holder, key = draw(st.sampled_from(places))
        change = draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "replace":
            holder[key] = draw(VALUES)
        elif change == "remove":
            del holder[key]
        elif isinstance(holder, dict):
            holder[draw(st.text(max_size=8))] = draw(VALUES)
        else:
            holder.append(copy.deepcopy(holder[key]))
    return value


def _places(value: Any) -> Any:
    """Every place inside a value: its holder, and its key or index there."""
    if not isinstance(value, (dict, list)):
        return
    for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        yield from _places(item)


def _examples_after_damage(number: Any, response: Any) -> Any:
    examples = [example.value for example in response.examples.values()]
    values = list(examples)

    @seed(number)
    @settings(
        max_examples=60,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(examples).flatmap(damaged))
    def collect(value: Any) -> None:
        values.append(value)

    collect()
    return values


@pytest.fixture(scope="module")
def cases(sources: Sources) -> Any:
    """Schema and damaged examples of every response of both contracts."""
    found = []
    operations = [*sources.contract.operations.values(), *sources.control.operations.values()]
    responses = {
        f"{r.schema} {list(r.examples)}": r
        for o in operations
        for r in o.responses.values()
        if r.schema is not None
    }
    for number, response in enumerate(responses.values()):
        values = _examples_after_damage(number, response)
        found.append((response.schema, values))
    return found


def test_browser_and_sandbox_agree_on_every_response(
    cases: Any, sources: Sources, root: Path, node_tools: NodeTools
) -> None:
    """For thousands of responses, fitting and damaged, both say the same."""
    components = sources.control.components
    schemas = browser_contract(sources)["schemas"]
    work = [{"schema": plain(schema), "values": values} for schema, values in cases]
    module = (root / "docs/assets/javascripts/card/schema.js").as_uri()
    program = (
        f"import {{ violation }} from {json.dumps(module)};"
        "import { readFileSync } from 'node:fs';"
        "const { schemas, work } = JSON.parse(readFileSync(0, 'utf-8'));"
        "console.log(JSON.stringify(work.map(({ schema, values }) =>"
        "  values.map((value) => violation(schema, value, schemas) === null))));"
    )
    ran = subprocess.run(
        [node_tools.node, "--no-warnings", "--input-type=module", "-e", program],
        input=json.dumps({"schemas": schemas, "work": work}),
        capture_output=True,
        text=True,
        check=True,
    )
    verdicts = json.loads(ran.stdout)
    different, fitting = [], 0
    for (schema, values), responses in zip(cases, verdicts, strict=True):
        validator = jsonschema_rs.Draft202012Validator(
            enforced({**schema, "components": components}), validate_formats=True
        )
        for value, fits in zip(values, responses, strict=True):
            fitting += fits
            if validator.is_valid(value) != fits:
                different.append((value, fits, [e.message for e in validator.iter_errors(value)]))
    assert different[:3] == []
    assert all(any(fits) for fits in verdicts), "an example fits nowhere"
    assert sum(len(values) for values in verdicts) - fitting > 1000


PROBLEM = {
    "type": "/errors/#call_not_found",
    "title": "No such call",
    "status": 404,
    "detail": "There is no such call.",
    "code": "call_not_found",
    "request_id": "req_12345678",
}


@pytest.mark.parametrize(
    ("operation", "change", "finding"),
    [
        ("getCall", {}, None),
        ("getCall", {"status": 400}, "/status must be 404"),
        ("getCall", {"code": "not_found"}, "/code must be one of call_not_found"),
        (None, {"code": "not_found"}, None),
        (None, {}, "/code must be one of not_found, method_not_allowed, internal_error"),
    ],
)
def test_browser_knows_which_problem_a_response_may_be(
    sources: Sources, root: Path, node_tools: NodeTools, operation: Any, change: Any, finding: Any
) -> None:
    """All problems have one schema: a card checks status and code as the operation documents."""
    response = {
        "status": 404,
        "headers": {"Content-Type": "application/problem+json", "X-Request-Id": "req_12345678"},
        "json": PROBLEM | change,
    }
    module = (root / "docs/assets/javascripts/card/response-check.js").as_uri()
    program = (
        f"import {{ checkResponse }} from {json.dumps(module)};"
        "import { readFileSync } from 'node:fs';"
        "const { contract, operation, response } = JSON.parse(readFileSync(0, 'utf-8'));"
        "globalThis.fetch = async () => ({ ok: true, json: async () => contract });"
        "console.log(JSON.stringify(await checkResponse(operation, response)));"
    )
    sent = {"contract": browser_contract(sources), "operation": operation, "response": response}
    ran = subprocess.run(
        [node_tools.node, "--no-warnings", "--input-type=module", "-e", program],
        input=json.dumps(sent),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ran.stdout).get("reason") == finding


def test_script_understands_every_keyword_that_a_contract_may_use(root: Path) -> None:
    """A keyword that the reader of contracts lets in is checked in the browser too."""
    script = (root / "docs/assets/javascripts/card/schema.js").read_text("utf-8")
    prose = {"title", "description", "examples", "x-enumDescriptions", "x-normalized-status"}
    prose |= {"discriminator", "x-allOf"}  # the latter reaches the browser as allOf
    missing = [word for word in _SCHEMA_KEYWORDS - prose if f"\n  {word}:" not in script]
    assert missing == []
