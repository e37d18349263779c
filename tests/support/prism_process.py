"""Runs Prism, which has no way to choose a free port itself."""

import queue
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node_tools import NodeTools

START_SECONDS = 30
# Prism 5 never answers some malformed requests, so nothing here waits without end.
TIMEOUT_SECONDS = 10


@contextmanager
def prism_before(url: str, *, contract: Path, node_tools: NodeTools) -> Iterator[str]:
    """Run Prism as a proxy that holds a deployment to a contract; yields Prism's origin."""
    port = free_port()
    command = node_tools.command(
        "prism", "proxy", contract, url, "--host", "127.0.0.1", "--port", port
    )
    with prism_proxy(command, port=port) as origin:
        yield origin


@contextmanager
def prism_proxy(command: list[str], *, port: int) -> Iterator[str]:
    """Run Prism until the block ends; yields its origin."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        lines: queue.Queue[str] = queue.Queue()
        printed: list[str] = []

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                printed.append(line)
                lines.put(line)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        deadline = time.monotonic() + START_SECONDS
        try:
            while True:
                left = deadline - time.monotonic()
                try:
                    line = lines.get(timeout=max(left, 0.01))
                except queue.Empty:
                    raise AssertionError(f"Prism did not start:\n{''.join(printed)}") from None
                if "is listening on" in line:
                    break
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            reader.join(TIMEOUT_SECONDS)  # the block closes what it reads


def free_port() -> int:
    """A port that was free a moment ago; Prism cannot choose one itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
