"""The command that serves: it says where, stops when told, and explains what hinders it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import click
import httpx2
import pytest
from click.testing import CliRunner

import voice_sandbox
from sandbox_process import ROOT, start_sandbox
from serve_settings import settings_given
from voice_sandbox.cli.main import command_contexts, main, serve
from voice_sandbox.limits import Limits
from voice_sandbox.server.options import Settings

from .conftest import CATALOGUE, completion, new_call

OPTIONS = [parameter for parameter in serve.params if isinstance(parameter, click.Option)]
LIMIT_SECONDS = 20


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and output of a command that ends before it serves."""
    result = CliRunner().invoke(main, list(arguments), prog_name="voice-sandbox")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@contextmanager
def serving(
    folder: Path, *arguments: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The process, and the lines that it said before it was ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "voice_sandbox", "serve", *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": _path(),
            "PYTHONUNBUFFERED": "1",
            "XDG_DATA_HOME": str(folder / "data"),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said: list[str] = []
        while not said or "Ctrl+C" not in said[-1]:
            line = process.stdout.readline()
            assert line, f"It ended: {process.communicate(timeout=LIMIT_SECONDS)}"
            said.append(line.rstrip())
        yield process, said
    finally:
        process.kill()
        process.communicate(timeout=LIMIT_SECONDS)


def _path() -> str:
    return os.pathsep.join([str(ROOT / "sandbox"), os.environ.get("PYTHONPATH", "")])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# Help


def test_help_of_the_group_names_the_command() -> None:
    """The help of the command alone says how to start."""
    code, said = run("--help")
    assert (code, "serve" in said, "sandbox_" in said) == (0, True, True)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_help_names_every_option_with_its_variable(option: click.Option) -> None:
    """Each setting can be found with the environment variable that sets it too."""
    code, said = run("serve", "--help")
    assert code == 0
    assert option.opts[0] in said
    assert str(option.envvar) in said
    assert option.envvar == f"VOICE_SANDBOX_{(option.name or '').upper()}"


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("name", command_contexts())
def test_help_has_a_short_name(name: str, flag: str) -> None:
    """`-h` and `--help` work for each command, after its options have been read too."""
    settings_given()
    command_contexts()[name].get_help()
    assert run(name, flag)[0] == 0


def test_version_is_the_package_s() -> None:
    """The command says its version."""
    code, said = run("--version")
    assert (code, voice_sandbox.__version__ in said) == (0, True)


# What hinders it


def test_taken_port_is_explained() -> None:
    """A port that is taken is named, and so is a way on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, said = run("serve", "--port", str(port), "--database", "sqlite:///:memory:")
    assert code == 1
    assert f"Port {port} is taken" in said
    assert f"--port {port + 1}" in said
    assert f"PORT={port + 1}" in said


@pytest.mark.parametrize("host", ["192.0.2.1", "256.1.1.1", "no such host"])
def test_address_of_another_machine_is_explained(host: str) -> None:
    """An address that is not this machine's is named."""
    code, said = run("serve", "--host", host, "--port", "0")
    assert (code, host in said, "--host" in said) == (1, True, True)


@pytest.mark.parametrize(
    "url", ["mysql://localhost/x", "sqlite:calls.db", "sqlite:///", "sqlite:///x?synchronous=off"]
)
def test_unknown_database_is_explained(url: str) -> None:
    """A database of an unknown kind is named with one of a known kind."""
    code, said = run("serve", "--port", "0", "--database", url)
    assert (code, url in said, "sqlite:///FILE" in said) == (1, True, True)


def test_unusable_database_is_explained(tmp_path: Path) -> None:
    """A database in a folder that does not exist ends the command with one sentence."""
    database = f"sqlite:///{tmp_path}/gone/calls.db"
    ended = subprocess.run(
        [sys.executable, "-m", "voice_sandbox", "serve", "--port", "0", "--database", database],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert ended.returncode == 1
    assert "gone/calls.db cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_missing_site_is_explained(tmp_path: Path) -> None:
    """A named folder without a portal is an error, with the way to build one."""
    code, said = run("serve", "--port", "0", "--site", str(tmp_path))
    assert (code, str(tmp_path) in said, "make site" in said) == (1, True, True)


def test_contract_with_a_mistake_is_explained(changed_contract: Callable[..., Path]) -> None:
    """A contract that is not understood ends the command with file, line and fix."""
    path = changed_contract(("uniqueItems: true", "uniqeItems: true"))
    code, said = run(
        "serve", "--port", "0", "--database", "sqlite:///:memory:", "--contract", str(path)
    )
    assert code == 1
    assert "openapi.yaml:" in said
    assert "uniqeItems is not understood" in said


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--port", "65536"),
        ("--port", "-1"),
        ("--port", "http"),
        ("--speed", "0"),
        ("--speed", "-1"),
        ("--speed", "1000001"),
        ("--speed", "fast"),
    ],
)
def test_wrong_number_is_a_usage_error(option: str, value: str) -> None:
    """A number out of its range is rejected before anything starts."""
    code, said = run("serve", "--database", "sqlite:///:memory:", option, value)
    assert (code, option in said) == (2, True)


def test_speed_that_is_not_a_number_is_explained() -> None:
    """A clock cannot run `nan` times as fast as the wall."""
    code, said = run("serve", "--port", "0", "--database", "sqlite:///:memory:", "--speed", "nan")
    assert (code, "The speed nan" in said) == (1, True)


# Serving


@pytest.fixture
def site_folder(tmp_path: Path) -> Path:
    """A built portal of one page."""
    folder = tmp_path / "built"
    folder.mkdir()
    (folder / "index.html").write_text("Overview")
    return folder


def test_says_where_everything_is(tmp_path: Path, site_folder: Path) -> None:
    """The first lines give portal, API and key, ready to open and to copy."""
    with serving(tmp_path, "--port", "0", "--site", str(site_folder)) as (_, said):
        words = {line.split()[0]: line.split()[1] for line in said[1:4]}
        assert voice_sandbox.__version__ in said[0]
        assert httpx2.get(words["Portal"]).text == "Overview"
        response = httpx2.get(
            f"{words['API']}/agents", headers={"Authorization": f"Bearer {words['Key'][:-1]}"}
        )
    assert response.status_code == 200


def test_says_that_there_is_no_portal(tmp_path: Path) -> None:
    """Without a built portal the API is served alone, and the line says how to build it."""
    with serving(tmp_path, "--port", "0") as (_, said):
        assert "make site" in "\n".join(said)


VARIABLES = {
    "VOICE_SANDBOX_HOST": "127.0.0.2",
    "VOICE_SANDBOX_PORT": "8123",
    "VOICE_SANDBOX_DATABASE": "sqlite:///named.db",
    "VOICE_SANDBOX_SITE": "built",
    "VOICE_SANDBOX_SPEED": "25",
    "VOICE_SANDBOX_CLOCK": "polls",
    "VOICE_SANDBOX_CONTRACT": "openapi.yaml",
    "VOICE_SANDBOX_WORKERS": "3",
    "VOICE_SANDBOX_KEYS_FILE": "keys",
    "VOICE_SANDBOX_ROOT_PATH": "/voice/",
    "VOICE_SANDBOX_TRUSTED_PROXY": "10.0.0.5 fd00::/8",
    "VOICE_SANDBOX_CORS_ORIGIN": "https://docs.example.com http://localhost:8000",
    "VOICE_SANDBOX_METRICS_HOST": "127.0.0.3",
    "VOICE_SANDBOX_METRICS_PORT": "9123",
    "VOICE_SANDBOX_DRAIN_DELAY": "7.5",
    "VOICE_SANDBOX_LOG_LEVEL": "error",
    "VOICE_SANDBOX_QUIET": "1",
    "VOICE_SANDBOX_MAX_BODY": "5000",
    "VOICE_SANDBOX_MAX_HEAD": "4000",
    "VOICE_SANDBOX_MAX_CONNECTIONS": "50",
    "VOICE_SANDBOX_MAX_RATE": "12.5",
    "VOICE_SANDBOX_MAX_CALLS": "200",
    "VOICE_SANDBOX_MAX_STREAMS": "5",
    "VOICE_SANDBOX_MAX_JOURNAL": "30",
    "VOICE_SANDBOX_MAX_IDLE_HOURS": "1.5",
    "VOICE_SANDBOX_SCENARIOS": "numbers.yaml",
    "VOICE_SANDBOX_REQUEST_SECONDS": "4",
    "VOICE_SANDBOX_KEEP_ALIVE_SECONDS": "5",
    "VOICE_SANDBOX_STALL_SECONDS": "6",
}


def test_every_option_has_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an option sets, its environment variable sets too, lists included."""
    assert set(VARIABLES) == {str(option.envvar) for option in OPTIONS}
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert settings_given() == Settings(
        host="127.0.0.2",
        port=8123,
        database="sqlite:///named.db",
        site=Path("built"),
        speed=25.0,
        clock="polls",
        contract=Path("openapi.yaml"),
        scenarios=Path("numbers.yaml"),
        workers=3,
        keys_file=Path("keys"),
        root_path="/voice",
        proxies=(ip_network("10.0.0.5"), ip_network("fd00::/8")),
        cors_origins=("https://docs.example.com", "http://localhost:8000"),
        metrics_host="127.0.0.3",
        metrics_port=9123,
        drain_delay=7.5,
        log_level="error",
        quiet=True,
        limits=Limits(
            max_body=5000,
            max_head=4000,
            max_connections=50,
            max_rate=12.5,
            max_calls=200,
            max_journal=30,
            max_streams=5,
            max_idle_hours=1.5,
            request_seconds=4.0,
            keep_alive_seconds=5.0,
            stall_seconds=6.0,
        ),
    )


def test_limits_are_the_defaults_of_their_options() -> None:
    """A sandbox that is told nothing has the limits that the help names."""
    assert settings_given().limits == Limits()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--root-path", "voice", "such as /voice"),
        ("--root-path", "/a//b", "such as /voice"),
        ("--root-path", "/a?b", "such as /voice"),
        ("--trusted-proxy", "proxy.example", "named by its address"),
        ("--trusted-proxy", "10.0.0.1/8", "named by its address"),
        ("--cors-origin", "*", "such as https://docs.example.com"),
        ("--cors-origin", "https://docs.example.com/", "without a path"),
        ("--cors-origin", "docs.example.com", "such as https://docs.example.com"),
        ("--keys-file", "gone.txt", "gone.txt cannot be read"),
        ("--max-rate", "nan", "--max-rate is no number"),
        ("--max-idle-hours", "inf", "--max-idle-hours is no number"),
        ("--drain-delay", "nan", "--drain-delay is no number"),
    ],
)
def test_wrong_value_is_explained(option: str, value: str, said: str) -> None:
    """A value that means nothing ends the command with one that does."""
    memory = ["--port", "0", "--database", "sqlite:///:memory:"]
    code, output = run("serve", *memory, option, value)
    assert (code, said in output) == (1, True), output


def test_workers_need_a_database_to_share() -> None:
    """Several processes cannot share what one keeps in memory."""
    code, said = run("serve", "--port", "0", "--database", "sqlite:///:memory:", "--workers", "2")
    assert (code, "--database FILE" in said) == (1, True)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("calls.db", "sqlite:///calls.db"),
        ("/srv/calls.db", "sqlite:////srv/calls.db"),
        ("C:\\calls.db", "sqlite:///C:\\calls.db"),
        (":memory:", "sqlite:///:memory:"),
        ("sqlite:///calls.db?synchronous=full", "sqlite:///calls.db?synchronous=full"),
        ("postgresql://me@db/calls", "postgresql://me@db/calls"),
    ],
)
def test_database_is_written_as_people_write_it(given: str, url: str) -> None:
    """A file and `:memory:` are databases as they stand, and URLs stay what they were."""
    assert settings_given("--database", given).database == url


def test_calls_are_kept_in_the_user_s_data_folder(tmp_path: Path) -> None:
    """Nothing is written to the current folder, and the start says where calls are kept."""
    current = tmp_path / "current"
    current.mkdir()
    data = tmp_path / "data"
    with serving(current, "--port", "0", XDG_DATA_HOME=str(data)) as (_, said):
        [place] = [line.split(maxsplit=1)[1] for line in said if "Calls " in line]
        assert Path(place).is_file()
        assert Path(place).parent == data / "voice-sandbox"
    assert list(current.iterdir()) == []


@pytest.mark.parametrize(
    ("database", "said_of_it"),
    [(":memory:", "in memory"), ("calls.db", "calls.db")],
)
def test_start_says_where_calls_are_kept(tmp_path: Path, database: str, said_of_it: str) -> None:
    """Whoever chose another place for the calls sees it at the start."""
    with serving(tmp_path, "--port", "0", "--database", database) as (_, said):
        [place] = [line for line in said if "Calls " in line]
    assert said_of_it in place


def test_data_folder_that_cannot_be_created_is_explained(tmp_path: Path) -> None:
    """A home where nothing can be created ends the command with the two ways on."""
    (tmp_path / "file").write_text("")
    ended = subprocess.run(
        [sys.executable, "-m", "voice_sandbox", "serve", "--port", "0"],
        cwd=ROOT / "sandbox",
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "file")},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "--database FILE" in ended.stderr
    assert "--database :memory:" in ended.stderr


def test_portal_of_the_current_folder_is_not_taken(tmp_path: Path) -> None:
    """A folder `site` of somebody else's project is not shown as the portal."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("Somebody else's")
    with serving(tmp_path, "--port", "0") as (_, said):
        address = said[2].split()[1].removesuffix("/v1")
        assert "Somebody else's" not in httpx2.get(f"{address}/").text


def test_variables_reach_the_sandbox(
    tmp_path: Path, site_folder: Path, changed_contract: Callable[..., Path]
) -> None:
    """A sandbox can be set up by its surroundings alone."""
    port = free_port()
    contract = changed_contract(change=lambda document: document["info"].update(version="7.7.7"))
    environment = {
        "VOICE_SANDBOX_HOST": "127.0.0.2",
        "VOICE_SANDBOX_PORT": str(port),
        "VOICE_SANDBOX_DATABASE": f"sqlite:///{tmp_path}/named.db",
        "VOICE_SANDBOX_SITE": str(site_folder),
        "VOICE_SANDBOX_SPEED": "25",
        "VOICE_SANDBOX_CONTRACT": str(contract),
    }
    with serving(tmp_path, **environment):
        with httpx2.Client(
            base_url=f"http://127.0.0.2:{port}",
            headers={"Authorization": "Bearer sandbox_test"},
        ) as client:
            assert client.get("/").text == "Overview"
            assert client.get("/sandbox").json()["contract"]["version"] == "7.7.7"
            assert client.get("/sandbox/clock").json()["rate"] == 25
        assert (tmp_path / "named.db").is_file()


def test_option_wins_over_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed is meant."""
    monkeypatch.setenv("VOICE_SANDBOX_SPEED", "25")
    with start_sandbox(tmp_path, "--speed", "3") as server:
        clock = httpx2.get(
            f"{server.url}/sandbox/clock", headers={"Authorization": "Bearer sandbox_test"}
        )
    assert clock.json()["rate"] == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """Told to stop, it says so and ends with 0, without a word of complaint."""
    with serving(tmp_path, "--port", "0") as (process, _):
        process.send_signal(number)
        said, complained = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, said.strip(), complained) == (0, "Stopped.", "")


def test_stops_with_a_connection_open(tmp_path: Path) -> None:
    """A client that keeps its connection open does not keep the process."""
    with serving(tmp_path, "--port", "0") as (process, said), httpx2.Client() as client:
        client.get(f"{said[2].split()[1].removesuffix('/v1')}/sandbox")
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_SECONDS) == 0


def test_frees_its_port(tmp_path: Path) -> None:
    """After it stopped, the next one can take the same port at once."""
    port = str(free_port())
    for _ in range(2):
        with serving(tmp_path, "--port", port) as (process, _):
            httpx2.get(f"http://127.0.0.1:{port}/sandbox")
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT_SECONDS) == 0


def test_log_is_json_without_secrets(tmp_path: Path) -> None:
    """One JSON object a request on stderr, and no token, phone number or transcript in it."""
    with serving(tmp_path, "--port", "0") as (process, said):
        api = said[2].split()[1]
        with httpx2.Client(headers={"Authorization": "Bearer sandbox_very_secret"}) as client:
            client.post(f"{api}/calls", json=new_call())
            client.post(f"{api}/webhooks/call-completed", json=completion())
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=LIMIT_SECONDS)
    assert [json.loads(line)["operation_id"] for line in log.splitlines()] == [
        "createCall",
        "callCompleted",
    ]
    for secret in ("very_secret", CATALOGUE.sample.phone[1:], completion()["transcript"]):
        assert secret not in log


def test_raw_bytes_get_a_response(tmp_path: Path) -> None:
    """What is hardly HTTP is answered 4xx, and the process serves on."""
    with start_sandbox(tmp_path) as server:
        port = httpx2.URL(server.url).port
        for request in (
            b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /v1/%00%ff HTTP/1.1\r\nHost: x\r\n\r\n",
            b"nonsense\r\n\r\n",
            b"POST /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(request)
                assert connection.recv(1000).startswith(b"HTTP/1.1 4"), request
        assert httpx2.get(f"{server.url}/sandbox").status_code == 200
