"""The repository holds together: facts stand once, imports point down, locks name no address."""

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

import voice_sandbox
from voice_sandbox.installation import PUBLISHED
from voice_sandbox.sandbox_key import PATTERN

ROOT = Path(__file__).resolve().parent.parent

# Time enters through one module, and only what serves or drives a sandbox may reach for a network.
CLOCK = "clock"
NETWORKED = {
    *("server.accepting", "server.sockets", "server.uvicorn_server"),
    *("server.serve", "server.workers"),
    *("testing.client", "testing.async_client", "testing.operations", "testing.pytest_plugin"),
    *("verification.generation_guard", "verification.http1"),
}
NETWORK_MODULES = {
    *("socket", "ssl", "http.client", "urllib.request", "urllib3", "requests", "httpx", "httpx2")
}


@pytest.fixture(scope="module")
def contract(contract_path: Path) -> dict[str, Any]:
    """The contract as plain data, read without the sandbox's own reader."""
    document: dict[str, Any] = yaml.safe_load(contract_path.read_text("utf-8"))
    return document


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Every text file of the repository, those that are about to be added included: path → text."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = {}
    for name in sorted(set(filter(None, listed.split("\0")))):
        path = ROOT / name
        if not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" not in content:
            found[name] = content.decode("utf-8")
    return found


def _places(texts: dict[str, str], pattern: str) -> list[str]:
    """`"docs/index.md:12: match"` for each match."""
    expression = re.compile(pattern)
    return [
        f"{name}:{number}: {match.group()}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        for match in expression.finditer(line)
    ]


def _without_contract(texts: dict[str, str]) -> dict[str, str]:
    """All texts but the contract of today and those that were released."""
    contracts = ("openapi.yaml", "contract/released/")
    return {name: text for name, text in texts.items() if not name.startswith(contracts)}


def _words(words: set[str]) -> str:
    return rf"(?i)\b({'|'.join(map(re.escape, sorted(words)))})\b"


# One contract


def test_agents_are_named_in_the_contract_alone(
    contract: dict[str, Any], texts: dict[str, str]
) -> None:
    """Renaming an agent in openapi.yaml leaves no old word behind."""
    listed = contract["paths"]["/v1/agents"]["get"]["responses"]["200"]["content"]
    examples = listed["application/json"]["examples"].values()
    agents = [agent for example in examples for agent in example["value"]["agents"]]
    names = {agent[field] for agent in agents for field in ("key", "name")}
    assert names
    assert _places(_without_contract(texts), _words(names)) == []


def test_live_host_stands_in_the_contract_alone(
    contract: dict[str, Any], texts: dict[str, str]
) -> None:
    """Changing the live base URL in openapi.yaml moves everything that mentions it."""
    hosts = {urlsplit(server["url"]).hostname or "" for server in contract["servers"]}
    live = {host for host in hosts if not _is_loopback(host)}
    assert live
    assert _places(_without_contract(texts), _words(live)) == []


def test_reference_number_stands_in_the_contract_alone(
    contract: dict[str, Any], texts: dict[str, str]
) -> None:
    """The number that cards and snippets call is the one of the first example."""
    body = contract["paths"]["/v1/calls"]["post"]["requestBody"]["content"]["application/json"]
    phone = next(iter(body["examples"].values()))["value"]["phone"]
    assert _places(_without_contract(texts), re.escape(phone.lstrip("+"))) == []


def test_form_of_a_sandbox_key_stands_once_in_each_language(texts: dict[str, str]) -> None:
    """Python and the pages' scripts write the same form, each in one place."""
    places = {
        name: text.count(PATTERN)
        for name, text in texts.items()
        if name.endswith((".py", ".js")) and PATTERN in text
    }
    assert PATTERN not in texts["sandbox/voice_sandbox/sandbox_key.py"]  # put together there
    assert places == {"docs/assets/javascripts/shared/session.js": 1}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# This machine and its surroundings


def test_no_file_names_a_registry(texts: dict[str, str]) -> None:
    """Where packages come from is the business of the machine that installs them."""
    hosts = [
        "pypi" + ".org",
        "pythonhosted" + ".org",
        "npmjs" + ".org",
        "npmjs" + ".com",
        "yarnpkg" + ".com",
        "debian" + ".org",
    ]
    assert _places(texts, "|".join(map(re.escape, hosts))) == []


def test_no_file_names_a_path_of_a_machine(texts: dict[str, str]) -> None:
    """What is committed works in any folder of any machine."""
    assert _places(texts, r"(?<![\w.~)}-])/(?:home|root|Users|work|opt)/\w+") == []


# Locks


def _pins(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / lock).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", ["run.txt", "serve.txt", "dev.txt"])
def test_python_lock_names_no_address(lock: str) -> None:
    """A lock says what to install, with a hash each, and never from where."""
    text = (ROOT / "requirements" / lock).read_text("utf-8")
    assert not re.search(r"://|--index-url|--extra-index-url|--find-links|^-e|@ ", text, re.M)
    assert text.count("==") > 10
    assert all("--hash=sha256:" in block for block in re.split(r"^(?=[a-z])", text, flags=re.M)[1:])


@pytest.mark.parametrize("lock", ["run.txt", "serve.txt"])
def test_lock_is_part_of_dev_lock(lock: str) -> None:
    """What `make serve` and an integrator install is what the tests have seen."""
    assert _pins(lock).items() <= _pins("dev.txt").items()


def test_no_page_installs_a_name_that_no_index_has(texts: dict[str, str]) -> None:
    """A stranger could publish a package of this name, so commands install from a file or git."""
    install = r"\b(pip3?|pipx|uv tool|uv pip) install\b[^`\n]*[ '\"]voice[-_]sandbox(?![\w.-])"
    assert PUBLISHED is None
    named = _places(texts, install)
    assert [place for place in named if not place.startswith("tests/")] == []


def test_npm_lock_names_no_address() -> None:
    """Every npm package is pinned by its hash and without an address."""
    lock = json.loads((ROOT / "package-lock.json").read_text("utf-8"))
    packages = {path: entry for path, entry in lock["packages"].items() if path}
    assert lock["lockfileVersion"] == 3
    assert [path for path, entry in packages.items() if "resolved" in entry] == []
    assert [path for path, entry in packages.items() if "integrity" not in entry] == []


def test_npm_packages_are_pinned_exactly() -> None:
    """package.json names one version of each package, and nothing that a user would install."""
    package = json.loads((ROOT / "package.json").read_text("utf-8"))
    assert package["private"] is True
    assert "dependencies" not in package
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", pin) for pin in package["devDependencies"].values())


def test_no_lock_with_addresses_is_committed(texts: dict[str, str]) -> None:
    """uv.lock and pylock.toml carry download addresses by design."""
    assert {Path(name).name for name in texts}.isdisjoint({"uv.lock", "pylock.toml", "yarn.lock"})


# Two commands


def test_every_make_target_in_a_page_exists(texts: dict[str, str]) -> None:
    """README and pages name no `make` target that the Makefile lacks."""
    targets = set(re.findall(r"^([a-z-]+):", texts["Makefile"], re.MULTILINE))
    pages = {name: text for name, text in texts.items() if name.endswith(".md")}
    named = {
        name: set(re.findall(r"(?:^\s*(?:\$ )?|`)make ([a-z][a-z-]*)", text, re.MULTILINE))
        for name, text in pages.items()
    }
    assert {"serve", "test"} <= named["README.md"]
    assert {name: unknown for name, words in named.items() if (unknown := words - targets)} == {}


def test_make_help_lists_every_target(texts: dict[str, str]) -> None:
    """Whoever types `make` learns what there is."""
    said = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    documented = set(re.findall(r"^  make ([a-z-]+) ", said, re.MULTILINE))
    [phony_line] = re.findall(r"^\.PHONY: (.+)$", texts["Makefile"], re.MULTILINE)
    phony = set(phony_line.split())
    assert phony - documented == {"chromium", "nginx", "wrk"}
    assert documented <= phony


# The distribution


def test_version_is_said_once() -> None:
    """The installed distribution, the module and the changelog agree."""
    assert version("voice-sandbox") == voice_sandbox.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["dynamic"] == ["version"]


# Modules


def _modules() -> dict[str, ast.Module]:
    """Module name inside the package (`"store.sqlite"`) → syntax tree."""
    package = ROOT / "sandbox" / "voice_sandbox"
    found = {}
    for path in sorted(package.rglob("*.py")):
        name = ".".join(path.relative_to(package).with_suffix("").parts)
        found[name.removesuffix("__init__").rstrip(".")] = ast.parse(path.read_text("utf-8"))
    return found


def _imports(tree: ast.Module) -> Iterator[str]:
    """Every absolute name that is imported anywhere in a module, in functions too.

    `from voice_sandbox import clock` yields `voice_sandbox.clock`.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: name the module in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_time_enters_through_the_clock_alone() -> None:
    """Nothing but the clock asks what time it is, so a virtual clock governs everything."""
    asks = {"now", "utcnow", "today"}
    found = []
    for module, tree in _modules().items():
        if module == CLOCK:
            continue
        if any(name.partition(".")[0] == "time" for name in _imports(tree)):
            found.append(f"{module} imports time")
        found += [
            f"{module}:{node.lineno} datetime.{node.attr}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and node.attr in asks
            and isinstance(node.value, ast.Name)
            and node.value.id in {"datetime", "date"}
        ]
    assert found == []


def test_sandbox_has_no_network_code() -> None:
    """The simulated provider has nothing to reach another host with."""
    found = [
        f"{module} imports {name}"
        for module, tree in _modules().items()
        if module not in NETWORKED
        for name in _imports(tree)
        if any(name == known or name.startswith(f"{known}.") for known in NETWORK_MODULES)
    ]
    assert found == []
