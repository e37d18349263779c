"""Clients that nobody here wrote: generated from the contract as it is, compiled, and run.

Each generator runs without a warning. Each client goes through the quickstart, a busy line and
three errors whose fields it reads. Toolchains that a machine lacks are skipped with a sentence.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from node_tools import NodeTools
from sandbox_process import SandboxServer, start_sandbox

CLIENTS = Path(__file__).with_name("clients")
# No types but those of this project, whatever else lies in node_modules.
COMPILER = {
    "strict": True,
    "noEmit": True,
    "noUncheckedIndexedAccess": True,
    "target": "es2022",
    "lib": ["es2023", "dom", "dom.iterable"],
    "module": "esnext",
    "moduleResolution": "bundler",
    "allowImportingTsExtensions": True,
    "types": [],
}
TYPESCRIPT = {
    "openapi-fetch": ["openapi-typescript", "CONTRACT", "--output", "generated/voice-api.d.ts"],
    "hey-api": [
        *("openapi-ts", "--input", "CONTRACT", "--output", "generated/hey-api"),
        *("--client", "@hey-api/client-fetch", "--no-log-file"),
    ],
    "orval": [
        *("orval", "--input", "CONTRACT", "--output", "generated/orval.ts", "--client", "fetch"),
    ],
    "redocly": [
        *("redocly", "generate-client", "CONTRACT", "--output", "generated/redocly/client.ts"),
        *("--error-mode", "result", "--import-ext", "ts"),
    ],
}
"""The program of each client in TypeScript, and the command that generates what it imports."""
Run = Callable[[list[str], Path], str]


def run(command: list[str], folder: Path, **variables: str) -> str:
    """What a command prints. Raises: AssertionError with it, where the command fails."""
    ran = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", **variables},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    printed = ran.stdout + ran.stderr
    assert ran.returncode == 0, printed
    return printed


def generate(node_tools: NodeTools, folder: Path, words: list[str], contract: Path) -> None:
    """Runs a generator. Raises: AssertionError where it says a word of warning."""
    tool, *arguments = [str(contract) if word == "CONTRACT" else word for word in words]
    printed = run(node_tools.command(tool, *arguments), folder)
    # The generator itself is experimental, and says so.
    complaints = [
        line
        for line in printed.splitlines()
        if any(word in line.lower() for word in ("warn", "error", "deprecat", "⚠"))
    ]
    assert complaints == []


def program(folder: Path, *names: str) -> None:
    """Copies programs of `tests/contract/clients` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(CLIENTS / name, folder)


@pytest.fixture
def access(sandbox_server: SandboxServer, key: str) -> dict[str, str]:
    """How the programs find the sandbox."""
    return {"VOICE_API_URL": sandbox_server.url, "VOICE_API_KEY": key}


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """A folder of an integrator who has the packages of package.json."""
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "node_modules").symlink_to(root / "node_modules")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "globals.d.ts").write_text(
        "declare const process: { env: Record<string, string | undefined> }\n"
    )
    return folder


def compiled(node_tools: NodeTools, folder: Path, *files: str) -> None:
    """Raises: AssertionError with what the TypeScript compiler says of files in a folder."""
    project = folder / "tsconfig.json"
    project.write_text(json.dumps({"compilerOptions": COMPILER, "files": files}))
    assert run(node_tools.command("tsc", "--project", project), folder) == ""


def run_typescript(node_tools: NodeTools, folder: Path, name: str, access: dict[str, str]) -> None:
    """Bundles a program as its author would, and runs it."""
    bundle = folder / f"{name}.mjs"
    options = ("--bundle", "--platform=node", "--format=esm", "--log-level=warning")
    bundled = node_tools.command("esbuild", f"{name}.ts", *options, f"--outfile={bundle}")
    assert run(bundled, folder) == ""
    run([str(node_tools.node), str(bundle)], folder, **access)


@pytest.mark.parametrize("name", TYPESCRIPT)
def test_typescript_client_runs(
    node_tools: NodeTools, typescript: Path, contract_path: Path, access: dict[str, str], name: str
) -> None:
    """Generated without a warning, compiled at the strictest, bundled and run."""
    program(typescript, f"{name}.ts", "scenario.ts")
    generate(node_tools, typescript, TYPESCRIPT[name], contract_path)
    compiled(node_tools, typescript, f"{name}.ts", "globals.d.ts")
    run_typescript(node_tools, typescript, name, access)


def test_typescript_notices_a_wrong_field(
    node_tools: NodeTools, typescript: Path, contract_path: Path
) -> None:
    """The types can fail: a status that the contract lacks does not compile."""
    generate(node_tools, typescript, TYPESCRIPT["openapi-fetch"], contract_path)
    (typescript / "wrong.ts").write_text(
        "import type { components } from './generated/voice-api.d.ts'\n"
        "export const status: components['schemas']['CallStatus'] = 'engaged'\n"
    )
    with pytest.raises(AssertionError, match="engaged"):
        compiled(node_tools, typescript, "wrong.ts")


def python_client(folder: Path, contract: Path) -> Path:
    """Has openapi-python-client generate `voice_client` beside its program."""
    program(folder, "openapi_python_client.py")
    programs = Path(sys.executable).parent  # ruff, with which it formats what it wrote
    where = ["--path", str(contract), "--output-path", str(folder / "voice_client")]
    options = [*where, "--meta", "none", "--fail-on-warning"]
    run(
        [str(programs / "openapi-python-client"), "generate", *options],
        folder,
        PATH=os.pathsep.join([str(programs), os.environ["PATH"]]),
    )
    return folder


def test_openapi_python_client_runs(
    tmp_path: Path, contract_path: Path, access: dict[str, str]
) -> None:
    """Every error is a model, and a wrong number is told by its pointer."""
    python_client(tmp_path, contract_path)
    run([sys.executable, "-m", "ruff", "check", "voice_client", "--isolated"], tmp_path)
    run([sys.executable, "openapi_python_client.py"], tmp_path, **access)


def redocly_client(node_tools: NodeTools, folder: Path, language: str, contract: Path) -> None:
    """Has Redocly generate `voice_client.…` in a language."""
    output = "client.ts" if language != "python" else "voice_client.ts"
    words = ["redocly", "generate-client", "CONTRACT", "--generator", language, "--output", output]
    generate(node_tools, folder, words, contract)


def test_redocly_python_client_runs(
    node_tools: NodeTools, tmp_path: Path, contract_path: Path, access: dict[str, str]
) -> None:
    """Without a warning, even from Python itself."""
    program(tmp_path, "redocly_python.py")
    redocly_client(node_tools, tmp_path, "python", contract_path)
    run([sys.executable, "-W", "error", "redocly_python.py"], tmp_path, **access)


def toolchain(name: str) -> str:
    """Where a program of a toolchain lies; skips the test where it does not."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed, so what was generated is not compiled here.")
    return found


def test_redocly_go_client_runs(
    node_tools: NodeTools, tmp_path: Path, contract_path: Path, access: dict[str, str]
) -> None:
    """Vetted, compiled and run without any package but its own."""
    program(tmp_path, "main.go")
    (tmp_path / "go.mod").write_text("module voice\n\ngo 1.19\n")
    (tmp_path / "client").mkdir()
    redocly_client(node_tools, tmp_path / "client", "go", contract_path)
    assert "package client" in (tmp_path / "client" / "client.go").read_text("utf-8")
    go = toolchain("go")
    offline = {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOCACHE": str(tmp_path / "cache")}
    run([go, "vet", "./..."], tmp_path, **offline)
    run([go, "run", "."], tmp_path, **offline, **access)


def test_redocly_php_client_runs(
    node_tools: NodeTools, tmp_path: Path, contract_path: Path, access: dict[str, str]
) -> None:
    """Parsed and run by PHP with its curl extension."""
    program(tmp_path, "redocly.php")
    redocly_client(node_tools, tmp_path, "php", contract_path)
    assert (tmp_path / "client.php").read_text("utf-8").startswith("<?php")
    php = toolchain("php")
    run([php, "--syntax-check", "client.php"], tmp_path)
    if "curl" not in run([php, "-m"], tmp_path):
        pytest.skip("PHP has no curl extension here, so what was generated is only parsed.")
    run([php, "-d", "error_reporting=-1", "redocly.php"], tmp_path, **access)


def test_redocly_java_client_runs(
    node_tools: NodeTools, tmp_path: Path, contract_path: Path, access: dict[str, str]
) -> None:
    """Compiled with every warning an error, and run."""
    program(tmp_path, "Quickstart.java")
    redocly_client(node_tools, tmp_path, "java", contract_path)
    assert "public final class Client" in (tmp_path / "Client.java").read_text("utf-8")
    javac, java = toolchain("javac"), toolchain("java")
    files = ["Quickstart.java", "Client.java"]
    run([javac, "-Xlint:all", "-Werror", "-d", "classes", *files], tmp_path)
    run([java, "-cp", "classes", "voiceapi.Quickstart"], tmp_path, **access)


def test_client_from_before_an_agent_was_added_still_passes(
    node_tools: NodeTools, tmp_path: Path, contract_path: Path, typescript: Path, key: str
) -> None:
    """A new first agent reaches clients that were generated when nobody knew its key."""
    document: Any = yaml.safe_load(contract_path.read_text("utf-8"))
    media = document["paths"]["/v1/agents"]["get"]["responses"]["200"]["content"]
    agents = media["application/json"]["examples"]["catalogue"]["value"]["agents"]
    agents.insert(0, agents[0] | {"key": "new_one", "name": "New one"})
    later = tmp_path / "later" / "openapi.yaml"
    later.parent.mkdir()
    later.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    python_client(tmp_path / "python", contract_path)
    program(typescript, "openapi-fetch.ts", "scenario.ts")
    generate(node_tools, typescript, TYPESCRIPT["openapi-fetch"], contract_path)
    with start_sandbox(tmp_path, "--contract", str(later)) as server:
        access = {"VOICE_API_URL": server.url, "VOICE_API_KEY": key}
        run([sys.executable, "openapi_python_client.py"], tmp_path / "python", **access)
        run_typescript(node_tools, typescript, "openapi-fetch", access)


SECTION = re.compile(r"```sh\n(?P<command>\S+ .*)\n```\n\n```\w+ title=\"(?P<file>.*)\"\n")
PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
COMMANDS = {found["file"]: found["command"] for found in SECTION.finditer(PAGE.read_text("utf-8"))}
"""The program of each section of the page Clients, and the command before it."""
EXAMPLES = PAGE.parent / "examples" / "clients"


def started(node_tools: NodeTools, folder: Path, file: str, access: dict[str, str]) -> str:
    """What a program of the page prints, compiled first where its language is."""
    match file.rpartition(".")[2]:
        case "ts":
            compiled(node_tools, folder, file, "globals.d.ts")
            bundle = [file, "--bundle", "--platform=node", "--format=esm", "--outfile=program.mjs"]
            run(node_tools.command("esbuild", *bundle), folder)
            return run([str(node_tools.node), "program.mjs"], folder, **access)
        case "py":
            return run([sys.executable, file], folder, **access)
        case "go":
            (folder / "go.mod").write_text("module voice\n\ngo 1.19\n")
            offline = {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOCACHE": str(folder / "cache")}
            return run([toolchain("go"), "run", "."], folder, **offline, **access)
        case "php":
            return run([toolchain("php"), file], folder, **access)
        case "java":
            classes = ["-d", "classes", file, "Client.java"]
            run([toolchain("javac"), *classes], folder)
            return run(["java", "-cp", "classes", "voiceapi.CreateCall"], folder, **access)
        case other:
            raise AssertionError(f"no test runs a program in {other}")


@pytest.mark.parametrize("file", COMMANDS)
def test_page_shows_what_works(
    node_tools: NodeTools,
    root: Path,
    contract_path: Path,
    tmp_path: Path,
    access: dict[str, str],
    file: str,
) -> None:
    """The command of a section generates what its program needs, and that creates a call."""
    shutil.copy(contract_path, tmp_path / "openapi.yaml")
    shutil.copy(EXAMPLES / file, tmp_path)
    (tmp_path / "node_modules").symlink_to(root / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "globals.d.ts").write_text(
        "declare const process: { env: Record<string, string | undefined> }\n"
    )
    tool, *arguments = COMMANDS[file].removeprefix("npx ").split()
    if tool == "openapi-python-client":
        run([str(Path(sys.executable).with_name(tool)), *arguments], tmp_path)
    else:
        names = {"@redocly/cli": "redocly", "@hey-api/openapi-ts": "openapi-ts"}
        run(node_tools.command(names.get(tool, tool), *arguments), tmp_path)
    assert re.fullmatch(r"[0-9a-f-]{36}\n", started(node_tools, tmp_path, file, access))


def test_page_names_the_versions_that_are_tested(root: Path) -> None:
    """Each generator has a row with the version of the lock, and each program a section."""
    packages = json.loads((root / "package.json").read_text("utf-8"))["devDependencies"]
    packages["openapi-python-client"] = metadata.version("openapi-python-client")
    page = PAGE.read_text("utf-8")
    for command in COMMANDS.values():
        package = command.removeprefix("npx ").split()[0]
        assert f"| {packages[package]} " in page, package
    assert set(COMMANDS) == {path.name for path in EXAMPLES.iterdir()}
