"""Clients that nobody here wrote: generated from the contract, they run the quickstart."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from node_tools import NodeTools
from sandbox_process import SandboxServer

CLIENTS = Path(__file__).with_name("clients")
# No types but those of this project, whatever else lies in node_modules.
COMPILER = {
    "strict": True,
    "noEmit": True,
    "noUncheckedIndexedAccess": True,
    "exactOptionalPropertyTypes": True,
    "target": "es2022",
    "lib": ["es2023", "dom"],
    "module": "nodenext",
    "allowImportingTsExtensions": True,
    "types": [],
}


def run(command: list[str], **variables: str) -> str:
    """What a command prints. Raises: AssertionError with it, where the command fails."""
    ran = subprocess.run(
        command,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def python_client(contract_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which openapi-python-client has made `voice_client`."""
    folder = tmp_path_factory.mktemp("python")
    generate = [str(Path(sys.executable).with_name("openapi-python-client")), "generate"]
    where = ["--path", str(contract_path), "--output-path", str(folder / "voice_client")]
    run([*generate, *where, "--meta", "none"])
    return folder


@pytest.fixture(scope="module")
def typescript(
    node_tools: NodeTools, contract_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder in which openapi-typescript has made the types."""
    folder = tmp_path_factory.mktemp("typescript")
    types = folder / "voice-api.d.ts"
    run(node_tools.command("openapi-typescript", contract_path, "--output", types))
    shutil.copy(CLIENTS / "quickstart.ts", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "globals.d.ts").write_text(
        "declare const process: { env: Record<string, string | undefined> }\n"
    )
    return folder


def test_python_client_runs_the_quickstart(
    python_client: Path, sandbox_server: SandboxServer, key: str
) -> None:
    """Create, read, complete and read again, through generated models alone."""
    path = os.pathsep.join([str(python_client), os.environ.get("PYTHONPATH", "")])
    run(
        [sys.executable, str(CLIENTS / "quickstart.py")],
        VOICE_API_URL=sandbox_server.url,
        VOICE_API_KEY=key,
        PYTHONPATH=path,
    )


def compiled(node_tools: NodeTools, folder: Path, *files: str) -> str:
    """What the TypeScript compiler says of files in a folder."""
    project = folder / "tsconfig.json"
    project.write_text(json.dumps({"compilerOptions": COMPILER, "files": files}))
    return run(node_tools.command("tsc", "--project", project))


def test_typescript_types_fit_the_quickstart(node_tools: NodeTools, typescript: Path) -> None:
    """The program compiles at the strictest against the generated types."""
    assert compiled(node_tools, typescript, "quickstart.ts", "globals.d.ts") == ""


def test_typescript_notices_a_wrong_field(node_tools: NodeTools, typescript: Path) -> None:
    """The types can fail: a status that the contract lacks does not compile."""
    (typescript / "wrong.ts").write_text(
        "import type { components } from './voice-api.d.ts'\n"
        "export const status: components['schemas']['CallStatus'] = 'engaged'\n"
    )
    with pytest.raises(AssertionError, match="engaged"):
        compiled(node_tools, typescript, "wrong.ts")


def test_typescript_program_runs(
    node_tools: NodeTools, typescript: Path, sandbox_server: SandboxServer, key: str
) -> None:
    """What compiles also runs: Node strips the types and the quickstart goes through."""
    run(
        [str(node_tools.node), str(typescript / "quickstart.ts")],
        VOICE_API_URL=sandbox_server.url,
        VOICE_API_KEY=key,
    )
