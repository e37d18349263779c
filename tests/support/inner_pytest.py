"""Another pytest, as an integrator's own suite is run."""

import os
import subprocess
import sys
from pathlib import Path

# Of all that is installed here an integrator has only these; to import the rest takes longer than
# the tests.
PLUGINS = "voice_sandbox.testing.pytest_plugin,anyio.pytest_plugin,xdist.plugin"


def run_pytest(
    folder: Path, *arguments: str, plugins: str | None = PLUGINS
) -> subprocess.CompletedProcess[str]:
    """Runs the tests of a folder without any settings but the arguments.

    `plugins` are modules with a comma between; with None pytest finds what is installed.
    """
    # The folders that this pytest looks into are none of the other one's business.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if plugins is not None:
        environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": plugins}
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-c", os.devnull, "--rootdir", str(folder), *arguments),
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
