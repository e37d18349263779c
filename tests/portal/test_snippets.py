"""Snippets: one request in seven languages, quoted so that any value survives."""

import ast
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from node_tools import NodeTools
from other_languages import TOOLS, written
from voice_portal.request_options import request_of
from voice_portal.snippets import snippets
from voice_portal.sources import Sources

AWKWARD = {
    "text": 'it\'s "quoted" \\ $HOME `id` \n новая строка 🙂 \u2028 \\u0041 JSON',
    "": "",
    "nothing": None,
    "yes": True,
    "list": [1, 2.5, {"a-b": "c"}],
    "deep": {"er": {"est": False}},
}
# `body` of a fence is laid over the example.
BODY = {"advance_seconds": 30, **AWKWARD}
BASE = "http://127.0.0.1:9"


@pytest.fixture
def programs(sources: Sources) -> Any:
    """The snippets of requests by language."""

    def programs(*requests: Any, fails: Any = False) -> Any:
        found = [request_of(sources, options) for options in requests]
        return {s.lexer: s for s in snippets(found, base=BASE, fails=fails)}

    return programs


@pytest.fixture
def awkward(programs: Any) -> Any:
    """The snippets of one request with a body that is hard to quote."""
    return programs({"operation": "advanceClock", "example": "half_a_minute", "body": AWKWARD})


def test_curl_reads_like_the_reference_page(programs: Any) -> None:
    """The command has one option a line, in the order method, token, media type, body."""
    lines = programs({"operation": "createCall"})["bash"].code.splitlines()
    assert lines[:4] == [
        "curl -X POST http://127.0.0.1:9/v1/calls \\",
        '  -H "Authorization: Bearer $VOICE_API_KEY" \\',
        '  -H "Content-Type: application/json" \\',
        "  -d '{",
    ]


def test_path_parameter_is_the_sample_call(programs: Any, sources: Sources) -> None:
    """Reading a call works at once: the example id is a call that every sandbox key has."""
    code = programs({"operation": "getCall"})["bash"].code
    assert code.startswith(f"curl {BASE}/v1/calls/{sources.call_id} ")


def test_curl_quotes_for_the_shell(awkward: Any) -> None:
    """Quotes, dollars and backticks reach the server as they stand in the body."""
    words = shlex.split(awkward["bash"].code)
    assert json.loads(words[-1]).items() >= AWKWARD.items()


def test_python_writes_a_literal(awkward: Any) -> None:
    """The Python program holds the very same value."""
    assert eval(awkward["python"].body).items() >= AWKWARD.items()


def test_javascript_writes_a_literal(awkward: Any, node_tools: NodeTools) -> None:
    """The JavaScript program holds the very same value."""
    program = f"console.log(JSON.stringify({awkward['javascript'].body}))"
    ran = subprocess.run(
        [node_tools.node, "-e", program], capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout).items() >= AWKWARD.items()


LANGUAGES = ["bash", "python", "javascript", "php", "go", "java", "csharp"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_script_of_the_page_writes_the_same_literals(
    awkward: Any, root: Path, node_tools: NodeTools, language: str
) -> None:
    """An edited body is written by the page's script exactly as the build would write it."""
    written = written_by_page(root, node_tools, "literal", language, BODY)
    assert written == awkward[language].body


def written_by_page(root: Path, node_tools: NodeTools, function: str, *arguments: Any) -> str:
    """What a function of the page's literals.js returns."""
    module = (root / "docs/assets/javascripts/card/literals.js").as_uri()
    program = (
        f"import {{ {function} }} from {json.dumps(module)};"
        f"process.stdout.write({function}({', '.join(map(json.dumps, arguments))}))"
    )
    return subprocess.run(
        [node_tools.node, "--no-warnings", "--input-type=module", "-e", program],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_python_snippet_is_a_program(awkward: Any) -> None:
    """The whole snippet compiles."""
    ast.parse(awkward["python"].code)


def test_snippet_of_several_requests_sends_them_in_order(programs: Any) -> None:
    """A card that sends two requests shows two, so that a reader can do the same by hand."""
    found = programs({"operation": "createCall"}, {"operation": "callCompleted"})
    for snippet in found.values():
        assert snippet.code.index("/v1/calls") < snippet.code.index("/v1/webhooks/")
        assert "call.completed" in snippet.body


def test_live_key_is_never_part_of_a_snippet(programs: Any) -> None:
    """The key is named by its variable; a request without a token sends none."""
    for snippet in programs({"operation": "listAgents"}).values():
        assert "VOICE_API_KEY" in snippet.code
    for snippet in programs({"operation": "listAgents", "token": ""}).values():
        assert "VOICE_API_KEY" not in snippet.code
        assert "Authorization" not in snippet.code


@pytest.mark.parametrize("language", LANGUAGES)
def test_script_of_the_page_writes_the_same_texts(
    programs: Any, root: Path, node_tools: NodeTools, language: str
) -> None:
    """So is a body that is no JSON, quotes, dollars and backslashes included."""
    options = {"operation": "createCall", "raw": "{'a': \"$b\", \\n `c`"}
    found = programs(options)[language]
    written = written_by_page(root, node_tools, "textLiteral", language, options["raw"])
    assert written == found.body


AROUND = {
    "php": "<?php\necho ",
    "go": 'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Print(',
    "java": "public class Main {\n    public static void main(String[] a) throws Exception {\n"
    '        new java.io.PrintStream(System.out, true, "UTF-8").print(',
}
"""A program that prints a text, up to its literal."""
ENDS = {"php": ";\n", "go": ")\n}\n", "java": ");\n    }\n}\n"}


@pytest.mark.parametrize("language", TOOLS)
def test_compiled_literal_is_the_very_json(awkward: Any, tmp_path: Path, language: str) -> None:
    """Whatever its quotes, escapes and line breaks, the text that is sent is the body's JSON."""
    program = AROUND[language] + awkward[language].body + ENDS[language]
    command = written(language, program, folder=tmp_path)
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert json.loads(ran.stdout).items() >= AWKWARD.items()
