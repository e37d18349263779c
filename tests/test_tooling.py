"""The tools that guard the project can fail: each rule is broken once, and each guard is pushed."""

import copy
import importlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import network_guard

Contract = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent


def _new_call(contract: Contract) -> Any:
    return contract["components"]["schemas"]["NewCall"]


def _create_call(contract: Contract) -> Any:
    return contract["paths"]["/v1/calls"]["post"]


def _untype_an_object(contract: Contract) -> None:
    del _new_call(contract)["type"]


def _open_an_object(contract: Contract) -> None:
    del _new_call(contract)["additionalProperties"]


def _make_a_property_optional(contract: Contract) -> None:
    contract["components"]["schemas"]["Call"]["required"].remove("transcript")


def _loosen_one_alternative(contract: Contract) -> None:
    _new_call(contract)["properties"]["phone"] = {"type": "string", "pattern": "^[0-9]+|[a-z]+$"}


def _write_a_digit_class(contract: Contract) -> None:
    _new_call(contract)["properties"]["phone"] = {"type": "string", "pattern": r"^\d+$"}


def _unbound_a_string(contract: Contract) -> None:
    _new_call(contract)["properties"]["phone"] = {"type": ["string", "null"]}


def _default_to_false(contract: Contract) -> None:
    _new_call(contract)["properties"]["phone"] = {"type": "boolean", "default": False}


def _document_a_range_of_statuses(contract: Contract) -> None:
    responses = _create_call(contract)["responses"]
    responses["4XX"] = responses["400"]


def _forget_response(status: str) -> Callable[[Contract], None]:
    def forget(contract: Contract) -> None:
        del _create_call(contract)["responses"][status]

    return forget


def _name_an_operation_in_snake_case(contract: Contract) -> None:
    _create_call(contract)["operationId"] = "create_call"


def _make_the_request_id_optional(contract: Contract) -> None:
    contract["components"]["headers"]["XRequestId"]["required"] = False


def _empty_the_examples(contract: Contract) -> None:
    _create_call(contract)["requestBody"]["content"]["application/json"]["examples"] = {}


def _send_a_problem_as_json(contract: Contract) -> None:
    content = contract["components"]["responses"]["CallNotFound"]["content"]
    content["application/json"] = content.pop("application/problem+json")


BREACHES: dict[str, Callable[[Contract], None]] = {
    "object-typed": _untype_an_object,
    "object-closed": _open_an_object,
    "property-required": _make_a_property_optional,
    "pattern-anchored": _loosen_one_alternative,
    "pattern-portable": _write_a_digit_class,
    "string-bounded": _unbound_a_string,
    "no-default": _default_to_false,
    "status-exact": _document_a_range_of_statuses,
    "operation-documents-401": _forget_response("401"),
    "operation-documents-429": _forget_response("429"),
    "operation-documents-503": _forget_response("503"),
    "operation-id-camel-case": _name_an_operation_in_snake_case,
    "response-request-id": _make_the_request_id_optional,
    "media-type-examples": _empty_the_examples,
    "problem-media-type": _send_a_problem_as_json,
}


@pytest.fixture(scope="module")
def reported_rules(
    contract_path: Path,
    root: Path,
    node_tools: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, set[str]]:
    """Breach → the rules that Spectral reports for a contract with that one breach."""
    contract = yaml.safe_load(contract_path.read_text("utf-8"))
    folder = tmp_path_factory.mktemp("breaches")
    for breach, commit in {"none": lambda _: None, **BREACHES}.items():
        broken = copy.deepcopy(contract)
        commit(broken)
        (folder / f"{breach}.json").write_text(json.dumps(broken), "utf-8")
    report = folder / "report.txt"
    subprocess.run(
        node_tools.command("spectral", "lint", "--ruleset", root / ".spectral.yaml")
        + ["--quiet", "--format", "json", "--output", str(report)]
        + [str(path) for path in sorted(folder.glob("*.json"))],
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    rules: dict[str, set[str]] = {path.stem: set() for path in folder.glob("*.json")}
    for finding in json.loads(report.read_text("utf-8")):
        rules[Path(finding["source"]).stem].add(finding["code"])
    return rules


def test_the_contract_breaks_no_rule(reported_rules: dict[str, set[str]]) -> None:
    """The copy without a breach is clean, so what a broken copy reports is its breach."""
    assert reported_rules["none"] == set()


@pytest.mark.parametrize("rule", BREACHES)
def test_rule_reports_its_breach(rule: str, reported_rules: dict[str, set[str]]) -> None:
    """Breaking what a rule promises makes Spectral report that rule."""
    assert rule in reported_rules[rule]


def test_every_rule_has_a_breach(root: Path) -> None:
    """No rule of the project's own stands untested."""
    ruleset = yaml.safe_load((root / ".spectral.yaml").read_text("utf-8"))
    own = {name for name, rule in ruleset["rules"].items() if isinstance(rule, dict)}
    assert own == set(BREACHES)


# Addresses and a name that are reserved for documentation (RFC 5737, RFC 3849, RFC 2606).
REACHES: dict[str, Callable[[], object]] = {
    "connect": lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
    "connect_ipv6": lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80)),
    "connect_ex": lambda: socket.socket().connect_ex(("192.0.2.1", 80)),
    "sendto": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"", ("192.0.2.1", 53)),
    "getaddrinfo": lambda: socket.getaddrinfo("voice.example", 443),
    "gethostbyname": lambda: socket.gethostbyname("voice.example"),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("reach", REACHES)
def test_guard_rejects_other_hosts(reach: str) -> None:
    """No way of the standard library to another host works in a test, and the try is remembered."""
    with pytest.raises(network_guard.NetworkAttemptError, match="another host"):
        REACHES[reach]()
    assert len(network_guard.attempts) == 1
    network_guard.attempts.clear()


def test_guard_lets_loopback_through() -> None:
    """A test may talk to the servers that it started itself."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=1),
    ):
        pass
    assert socket.getaddrinfo("localhost", 80)


def test_guard_holds_in_python_children() -> None:
    """A Python process that a test starts cannot reach another host either."""
    program = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert child.returncode == 1
    assert "NetworkAttemptError" in child.stderr


@pytest.mark.parametrize(
    "program",
    [
        "fetch('http://192.0.2.1/').catch(error => { throw error.cause ?? error })",
        "fetch('http://voice.example/').catch(error => { throw error.cause ?? error })",
        "require('node:net').connect(80, '192.0.2.1')",
        "require('node:http').get('http://192.0.2.1/')",
        "require('node:dgram').createSocket('udp4').send('', 53, '192.0.2.1')",
    ],
    ids=["fetch-address", "fetch-name", "net", "http", "dgram"],
)
def test_guard_holds_in_node_children(program: str, node_tools: Any) -> None:
    """A Node process that a test starts cannot reach another host either."""
    child = subprocess.run([node_tools.node, "-e", program], capture_output=True, text=True)
    assert child.returncode != 0
    assert "A test reached for another host" in child.stderr


def test_guard_lets_node_reach_loopback(node_tools: Any) -> None:
    """Prism may answer, and may ask the sandbox on this machine."""
    program = """
        const server = require('node:http').createServer((_, answer) => answer.end('here'))
        server.listen(0, '127.0.0.1', async () => {
          const answer = await fetch(`http://127.0.0.1:${server.address().port}/`)
          console.log(await answer.text())
          server.closeAllConnections()
          server.close()
        })
    """
    child = subprocess.run([node_tools.node, "-e", program], capture_output=True, text=True)
    assert (child.stdout, child.returncode) == ("here\n", 0), child.stderr


PAGE_TESTS = """
import http.server
import threading

import pytest
from sandbox_process import SandboxServer

PAGES = {
    "/quiet": b"<title>quiet</title>",
    "/asks": b"<img src='http://192.0.2.1/pixel.png'>",
    "/logs": b"<script>console.error('out of paper')</script>",
    "/throws": b"<script>throw new Error('no ink')</script>",
}


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGES.get(self.path, b""))

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def sandbox_server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield SandboxServer(f"http://127.0.0.1:{server.server_port}", None, None)
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", PAGES)
def test_page(page, path):
    page.goto(path)


def test_expected(page, expected_console_errors):
    expected_console_errors.append("out of paper")
    page.goto("/logs")
"""


def test_a_page_that_complains_fails_its_test(root: Path, tmp_path: Path) -> None:
    """The `page` fixture notices foreign requests, logged errors and escaped exceptions."""
    (tmp_path / "conftest.py").write_bytes((root / "tests/browser/conftest.py").read_bytes())
    (tmp_path / "test_pages.py").write_text(PAGE_TESTS, "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    inner = subprocess.run(
        [*command, "-o", f"pythonpath={root / 'tests/support'}", "-rA", "--tb=line", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "200", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )
    assert "5 passed, 3 errors" in inner.stdout, inner.stdout + inner.stderr
    for path, complaint in {
        "asks": "a page asked another host",
        "logs": "a page logged errors",
        "throws": "an exception escaped in a page",
    }.items():
        assert f"ERROR test_pages.py::test_page[/{path}] - AssertionError: {complaint}" in (
            inner.stdout
        )


def test_profiler_knows_where_the_parts_are() -> None:
    """A part that no module belongs to would be counted as the event loop."""
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        profiling = importlib.import_module("profiling")
    finally:
        sys.path.remove(str(ROOT / "bench"))
    modules = [str(path.relative_to(ROOT / "sandbox")) for path in (ROOT / "sandbox").rglob("*.py")]
    for part, pattern in (*profiling._CAUSES, *profiling._PARTS):
        assert any(map(pattern.search, modules)), part
