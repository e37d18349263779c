"""Each fault as unchanged clients meet it: curl, Python, Node and Java see what its row says."""

import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from node_tools import NodeTools
from sandbox_process import SandboxServer
from voice_sandbox.contract.faults import FAULTS
from voice_sandbox.testing.client import SandboxClient

from .conftest import CATALOGUE

PHONE = "+996700000001"
CALL = json.dumps({"phone": PHONE, "agent": CATALOGUE.agents[0].key})
PATIENCE_SECONDS = 1.5
"""After which each client gives up."""
TOLD: dict[str, dict[str, Any]] = {
    "problem": {"code": "provider_unavailable", "retry_after": 2},
    "late_response": {"seconds": 10},
    "slow_body": {"seconds": 10},
    "gateway_error": {"status": 504},
}


class Seen(NamedTuple):
    """What a client sees of a creation, and how often the number rang."""

    status: int | None
    """Of a whole response; ``None`` where the client got none."""
    media_type: str
    body: str
    """``json``, ``html`` or nothing."""
    rings: int


NOTHING = ("", "")
EXPECTED = {
    "problem": Seen(503, "application/problem+json", "json", 0),
    "internal_error": Seen(500, "application/problem+json", "json", 0),
    "internal_error_after_work": Seen(500, "application/problem+json", "json", 1),
    "reset": Seen(None, *NOTHING, 0),
    "lost_response": Seen(None, *NOTHING, 1),
    "late_response": Seen(None, *NOTHING, 1),
    "slow_body": Seen(None, *NOTHING, 1),
    "truncated": Seen(None, *NOTHING, 1),
    "gateway_error": Seen(504, "text/html", "html", 1),
    "wrong_type": Seen(201, "text/html; charset=utf-8", "json", 1),
    "empty": Seen(200, "", "", 1),
}

IN_NODE = """
const [url, body, patience, ...keys] = process.argv.slice(1);
for (const key of keys) {
  try {
    const response = await fetch(url + "/v1/calls", {
      method: "POST",
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
      body,
      signal: AbortSignal.timeout(patience * 1000),
    });
    const text = await response.text();
    const type = response.headers.get("Content-Type") ?? "";
    console.log(JSON.stringify([response.status, type, text]));
  } catch {
    console.log("null");
  }
}
"""

IN_JAVA = """
import java.net.URI;
import java.net.http.*;
import java.time.Duration;

public class Faults {
    public static void main(String[] given) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (int i = 3; i < given.length; i++) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(given[0] + "/v1/calls"))
                .timeout(Duration.ofMillis((long) (1000 * Double.parseDouble(given[2]))))
                .header("Authorization", "Bearer " + given[i])
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(given[1])).build();
            try {
                // Its timeout ends with the head, so the wait for the body needs one of its own.
                var response = client.sendAsync(request, HttpResponse.BodyHandlers.ofString())
                    .get((long) (1000 * Double.parseDouble(given[2])),
                        java.util.concurrent.TimeUnit.MILLISECONDS);
                System.out.println("[" + response.statusCode() + ", \\""
                    + response.headers().firstValue("Content-Type").orElse("") + "\\", \\""
                    + response.body().replace("\\\\", "\\\\\\\\").replace("\\"", "\\\\\\"")
                        .replace("\\n", "\\\\n") + "\\"]");
            } catch (java.util.concurrent.ExecutionException
                    | java.util.concurrent.TimeoutException error) {
                System.out.println("null");
            }
        }
        System.exit(0);
    }
}
"""

Outcome = tuple[int, str, str] | None


def by_curl(url: str, keys: list[str], folder: Path) -> Iterator[Outcome]:
    for key in keys:
        ran = subprocess.run(
            [
                *("curl", "-s", "--max-time", str(PATIENCE_SECONDS), "-o", str(folder / "body")),
                *("-w", "%{http_code}\n%{content_type}", f"{url}/v1/calls", "-d", CALL),
                *("-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"),
            ],
            capture_output=True,
            text=True,
        )
        status, media_type = ran.stdout.split("\n")
        body = (folder / "body").read_text("utf-8") if (folder / "body").exists() else ""
        (folder / "body").unlink(missing_ok=True)
        yield None if ran.returncode else (int(status), media_type, body)


def by_httpx(url: str, keys: list[str], folder: Path) -> Iterator[Outcome]:
    for key in keys:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        try:
            with httpx2.stream(
                "POST",
                f"{url}/v1/calls",
                content=CALL,
                headers=headers,
                timeout=PATIENCE_SECONDS,
            ) as response:
                body = b""
                # Its timeout begins anew with each byte, so a slow body needs a deadline.
                for piece in response.iter_bytes():
                    body += piece
                    if time.monotonic() > give_up_at:
                        raise httpx2.ReadTimeout("the body is too slow")
        except httpx2.TransportError:
            yield None
        else:
            yield response.status_code, response.headers.get("Content-Type", ""), body.decode()


def printed(command: list[str], url: str, keys: list[str], folder: Path) -> Iterator[Outcome]:
    ran = subprocess.run(
        [*command, url, CALL, str(PATIENCE_SECONDS), *keys],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    for line in ran.stdout.splitlines():
        received = json.loads(line)
        yield None if received is None else tuple(received)


Client = Callable[[str, list[str], Path], Iterator[Outcome]]


@pytest.fixture(params=["curl", "httpx2", "node", "java"])
def client(request: pytest.FixtureRequest, node_tools: NodeTools) -> Client:
    name: str = request.param
    if name == "httpx2":
        return by_httpx
    if name == "node":
        words = [str(node_tools.node), "--input-type=module", "-e", IN_NODE, "--"]
        return lambda url, keys, folder: printed(words, url, keys, folder)
    if shutil.which(name) is None:
        pytest.skip(f"{name} is missing here. On Debian: apt-get install curl default-jdk-headless")
    if name == "curl":
        return by_curl

    def by_java(url: str, keys: list[str], folder: Path) -> Iterator[Outcome]:
        (folder / "Faults.java").write_text(IN_JAVA, "utf-8")
        return printed(["java", "Faults.java"], url, keys, folder)

    return by_java


def test_each_fault_is_seen_as_its_row_says(
    sandbox_server: SandboxServer, client: Client, tmp_path: Path
) -> None:
    """Status, type and body, or no response at all, and whether the number rang."""
    keys = {kind: f"sandbox_{secrets.token_hex(8)}" for kind in FAULTS}
    for kind, key in keys.items():
        with SandboxClient(sandbox_server.url, key) as sandbox:
            sandbox.fail("createCall", kind, **TOLD.get(kind, {}))
    responses = list(client(sandbox_server.url, list(keys.values()), tmp_path))
    seen = {}
    for (kind, key), received in zip(keys.items(), responses, strict=True):
        with SandboxClient(sandbox_server.url, key) as sandbox:
            rings = sandbox.rings(PHONE)
        status, media_type, body = received or (None, "", "")
        seen[kind] = Seen(status, media_type, form_of(body), rings)
    assert seen == EXPECTED


def form_of(body: str) -> str:
    if not body:
        return ""
    return (
        "html"
        if body.startswith("<html>")
        else type(json.loads(body)).__name__.replace("dict", "json")
    )


def test_table_of_expectations_is_whole() -> None:
    """Each fault of the table has a row here."""
    assert list(EXPECTED) == list(FAULTS)


@pytest.mark.parametrize("careful", [True, False], ids=["same key", "no key"])
def test_retry_after_a_lost_response_rings_once_or_twice(
    sandbox_server: SandboxServer, careful: bool
) -> None:
    """With an Idempotency-Key the phone rings once, without one it rings twice."""
    key = f"sandbox_{secrets.token_hex(8)}"
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    if careful:
        headers["Idempotency-Key"] = "order-1842"
    with SandboxClient(sandbox_server.url, key) as sandbox:
        sandbox.fail("createCall", "lost_response")
        with pytest.raises(httpx2.TransportError):
            httpx2.post(f"{sandbox_server.url}/v1/calls", content=CALL, headers=headers)
        again = httpx2.post(f"{sandbox_server.url}/v1/calls", content=CALL, headers=headers)
        assert again.status_code == 201
        assert sandbox.rings(PHONE) == (1 if careful else 2)
