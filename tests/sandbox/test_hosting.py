"""The examples of the hosting page, run as they stand but for ports, paths and certificates."""

import configparser
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from sandbox_process import ROOT, STOP_SECONDS, SandboxServer, read_banner, start_sandbox
from voice_sandbox.contract.reader import find_contract, load_contract
from voice_sandbox.testing.client import SandboxClient

from .conftest import CONTRACT, assert_conforms, new_call
from .test_cli import free_port
from .test_faults_from_clients import CALL, EXPECTED, PATIENCE_SECONDS, PHONE, TOLD

EXAMPLES = ROOT / "docs" / "examples"
KEY = "sandbox_hosted"
TOKEN = {"Authorization": f"Bearer {KEY}"}
NAME = "voice.example.com"
NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))


# nginx


@dataclass(frozen=True)
class Proxied:
    """A sandbox behind nginx."""

    sandbox: SandboxServer
    http: str
    https: str
    trust: ssl.SSLContext
    host: str

    def client(self, **headers: str) -> httpx2.Client:
        """A client that calls the example's name; only the address is this machine's."""
        headers = {**TOKEN, "Host": self.host, **headers}
        return httpx2.Client(base_url=self.https, verify=self.trust, headers=headers, timeout=20)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """The example's nginx before a sandbox that trusts it."""
    if NGINX is None:
        pytest.skip("There is no nginx: tools/nginx.sh installs Debian's where it may.")
    if shutil.which("openssl") is None:
        pytest.skip("There is no openssl to make a certificate with.")
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text("Overview")
    options = ["--trusted-proxy", "127.0.0.1", "--site", str(folder / "site")]
    with start_sandbox(folder, *options) as sandbox:
        ports = {"80": str(free_port()), "443": str(free_port())}
        _make_certificate(folder)
        with _nginx(folder, _for_this_machine(folder, ports, sandbox.url)):
            trust = ssl.create_default_context(cafile=str(folder / "certificate.pem"))
            trust.check_hostname = False
            http, https = (f"http://127.0.0.1:{ports['80']}", f"https://127.0.0.1:{ports['443']}")
            yield Proxied(sandbox, http, https, trust, f"{NAME}:{ports['443']}")


def _make_certificate(folder: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")),
        ],
        check=True,
        capture_output=True,
    )


def _for_this_machine(folder: Path, ports: dict[str, str], sandbox_url: str) -> str:
    """The example with other ports and certificates, and with nothing else changed."""
    example = (EXAMPLES / "nginx.conf").read_text("utf-8")
    changes = {
        "server 127.0.0.1:8010;": f"server {sandbox_url.removeprefix('http://')};",
        "listen 80;": f"listen 127.0.0.1:{ports['80']};",
        "listen 443 ssl;": f"listen 127.0.0.1:{ports['443']} ssl;",
        "/etc/ssl/voice.example.com/fullchain.pem": str(folder / "certificate.pem"),
        "/etc/ssl/voice.example.com/privkey.pem": str(folder / "key.pem"),
    }
    for old, new in changes.items():
        assert example.count(old) == 1, f"the example no longer says {old}"
        example = example.replace(old, new)
    return example


@contextmanager
def _nginx(folder: Path, example: str) -> Iterator[None]:
    (folder / "example.conf").write_text(example)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    main = folder / "nginx.conf"
    main.write_text(
        f"daemon off; pid {folder}/nginx.pid; {'user root;' if os.getuid() == 0 else ''}\n"
        "worker_processes 1; events { worker_connections 64; }\n"
        f"http {{ access_log off; {temporary}\n include {folder}/example.conf; }}\n"
    )
    command = [str(NGINX), "-c", str(main), "-p", str(folder), "-e", str(folder / "error.log")]
    tried = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr
    assert "warn" not in tried.stderr, tried.stderr
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        give_up_at = time.monotonic() + STOP_SECONDS
        while not (folder / "nginx.pid").is_file() or not (folder / "nginx.pid").read_text():
            assert time.monotonic() < give_up_at, (folder / "error.log").read_text()
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def test_nginx_serves_portal_and_api(proxied: Proxied) -> None:
    """Pages and API answer by TLS, with the headers of both."""
    with proxied.client() as client:
        page = client.get("/")
        created = client.post("/v1/calls", json=new_call())
    assert page.text == "Overview"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers.get_list("x-content-type-options") == ["nosniff"]
    assert_conforms(CONTRACT, created)
    assert created.status_code == 201
    assert created.headers["strict-transport-security"] == "max-age=31536000"


def test_nginx_sends_plain_http_to_tls(proxied: Proxied) -> None:
    """Who asks without TLS is sent to the same address with it."""
    response = httpx2.get(f"{proxied.http}/v1/agents", headers={"Host": NAME})
    assert (response.status_code, response.headers["location"]) == (
        301,
        f"https://{NAME}/v1/agents",
    )


def test_exports_name_the_address_of_the_client(proxied: Proxied) -> None:
    """A command from the journal goes where the client's own request went."""
    with proxied.client() as client:
        asked = client.get("/v1/agents").headers["x-request-id"]
        exchange = client.get(f"/sandbox/exchanges/{asked}").json()
    assert f"https://{proxied.host}/v1/agents" in exchange["curl"]


def test_forged_headers_are_overwritten(proxied: Proxied) -> None:
    """What a client claims to have been forwarded is lost at the proxy."""
    forged = {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}
    with proxied.client(**forged) as client:
        asked = client.get("/v1/agents").headers["x-request-id"]
        exchange = client.get(f"/sandbox/exchanges/{asked}").json()
    assert "evil.example" not in exchange["curl"]
    assert "https://" in exchange["curl"]


def test_too_large_a_body_gets_the_contract_s_rejection(proxied: Proxied) -> None:
    """nginx lets through what the sandbox rejects in the words of the contract."""
    operations = load_contract(find_contract()).operations.values()
    largest = max(operation.body.max_bytes for operation in operations if operation.body)
    with proxied.client() as client:
        rejected = client.post(
            "/v1/calls",
            content=b" " * (largest + 1),
            headers={"Content-Type": "application/json"},
        )
    assert_conforms(CONTRACT, rejected)
    assert rejected.status_code == 413


@pytest.mark.parametrize("kind", EXPECTED)
def test_fault_is_seen_through_nginx(proxied: Proxied, kind: str) -> None:
    """As without a proxy, but that a reset connection is the proxy's own 502, as the page says."""
    key = f"sandbox_{secrets.token_hex(8)}"
    with SandboxClient(proxied.sandbox.url, key) as sandbox:
        sandbox.fail("createCall", kind, **TOLD.get(kind, {}))
        with proxied.client(Authorization=f"Bearer {key}") as client:
            client.timeout = PATIENCE_SECONDS
            try:
                response = client.post(
                    "/v1/calls", content=CALL, headers={"Content-Type": "application/json"}
                )
                seen: int | None = response.status_code
            except httpx2.TransportError:
                seen = None
        is_reset = kind in ("reset", "lost_response")
        assert seen == (502 if is_reset else EXPECTED[kind].status)
        assert sandbox.rings(PHONE) == EXPECTED[kind].rings


def test_events_come_through_nginx_as_they_happen(proxied: Proxied) -> None:
    """An exchange is seen on the stream while the stream is still open."""
    with (
        proxied.client() as watching,
        proxied.client() as acting,
        watching.stream("GET", "/sandbox/journal/stream") as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines).startswith("id:")
        asked = acting.get("/v1/agents").headers["x-request-id"]
        seen = next(line for line in lines if line.startswith("data:") and asked in line)
    assert json.loads(seen.removeprefix("data:"))["status"] == 200


# systemd


class _Unit(configparser.ConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.fixture
def unit() -> configparser.ConfigParser:
    """The example, with its continued lines joined."""
    text = (EXAMPLES / "voice-sandbox.service").read_text("utf-8")
    parsed = _Unit(strict=False, interpolation=None, comment_prefixes=("#",))
    parsed.read_string(re.sub(r"\\\n\s*", "", text))
    return parsed


PROGRAM = "/srv/voice-sandbox/.venv/bin/voice-sandbox"


@pytest.fixture
def command(unit: configparser.ConfigParser, tmp_path: Path) -> list[str]:
    """The unit's command with this machine's folders, ports and program."""
    state, settings = tmp_path / "state", tmp_path / "etc"
    for folder in (state / "voice-sandbox", settings / "voice-sandbox"):
        folder.mkdir(parents=True)
    (settings / "voice-sandbox" / "keys").write_text(KEY)
    words = shlex.split(unit["Service"]["ExecStart"])
    assert words[0] == PROGRAM
    places = {"%S": state, "%E": settings}
    for place, folder in places.items():
        assert any(place in word for word in words), f"the unit no longer names {place}"
        words = [word.replace(place, str(folder)) for word in words]
    port = words.index("--metrics-port") + 1
    words[port] = str(free_port())
    return [sys.executable, "-u", "-m", "voice_sandbox", *words[1:], "--port", "0"]


def test_command_of_the_unit_serves(command: list[str], unit: configparser.ConfigParser) -> None:
    """The unit starts, takes new keys when it is reloaded, and stops within its time."""
    assert shlex.split(unit["Service"]["ExecReload"])[-2:] == ["-HUP", "$MAINPID"]
    keys = Path(command[command.index("--keys-file") + 1])
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        said = read_banner(process)
        url = re.search(r"API +(http://\S+)/v1", said)[1]  # type: ignore[index]
        assert httpx2.get(f"{url}/v1/agents", headers=TOKEN).status_code == 200
        metrics = f"http://127.0.0.1:{command[command.index('--metrics-port') + 1]}"
        assert "voice_sandbox_requests_total" in httpx2.get(metrics).text
        keys.write_text("sandbox_another")
        process.send_signal(signal.SIGHUP)
        give_up_at = time.monotonic() + STOP_SECONDS
        while httpx2.get(f"{url}/v1/agents", headers=TOKEN).status_code != 401:
            assert time.monotonic() < give_up_at
        process.terminate()
        assert process.wait(int(unit["Service"]["TimeoutStopSec"])) == 0
    finally:
        process.kill()
        process.communicate(timeout=STOP_SECONDS)


def test_unit_allows_time_for_the_drain(unit: configparser.ConfigParser) -> None:
    """systemd waits longer than a drain with its delay can take."""
    words = shlex.split(unit["Service"]["ExecStart"])
    delay = float(words[words.index("--drain-delay") + 1])
    assert float(unit["Service"]["TimeoutStopSec"]) > delay + 10


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """systemd finds nothing to complain of, and rates the unit as well shut off."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("There is no systemd-analyze: the package systemd has it.")
    text = (EXAMPLES / "voice-sandbox.service").read_text("utf-8")
    # systemd checks that the program is there, and on this machine it is elsewhere.
    copy = tmp_path / "voice-sandbox.service"
    copy.write_text(text.replace(PROGRAM, sys.executable))
    verified = subprocess.run(
        [analyze, "verify", "--man=no", "--generators=no", "--recursive-errors=no", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    rated = subprocess.run(
        [analyze, "security", "--offline=yes", "--no-pager", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", rated.stdout)
    assert exposure, rated.stdout + rated.stderr
    assert float(exposure[1]) < 2.0, rated.stdout


# The page


def test_page_lists_every_metric() -> None:
    """What Prometheus gets and what the page names are the same."""
    from prometheus_client import CollectorRegistry

    from voice_sandbox.server.metrics import Metrics

    registry = CollectorRegistry()
    Metrics(registry)
    kept = {"counter": "_total"}
    measured = {family.name + kept.get(family.type, "") for family in registry.collect()}
    page = (ROOT / "docs" / "hosting.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(voice_sandbox_\w+)` \|", page, re.MULTILINE)) == measured


def test_page_shows_a_line_of_the_log(tmp_path: Path) -> None:
    """The line on the page has the fields of a real one, in their order."""
    page = (ROOT / "docs" / "hosting.md").read_text("utf-8")
    [shown] = re.findall(r'^\{"time".*\}$', page, re.MULTILINE)
    with start_sandbox(tmp_path) as server:
        httpx2.post(f"{server.url}/v1/calls", headers=TOKEN, json=new_call())
    real = next(line for line in server.log_path.read_text().splitlines() if line[0] == "{")
    assert list(json.loads(shown)) == list(json.loads(real))


def test_listed_digest_is_of_the_key_beside_it() -> None:
    """The digest in the page's list is what the page's command prints."""
    page = (ROOT / "docs" / "hosting.md").read_text("utf-8")
    [command] = re.findall(r"^printf .* sha256sum$", page, re.MULTILINE)
    made = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert made.stdout.split()[0] in page
