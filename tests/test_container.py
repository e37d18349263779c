"""Container, compose file and manifests: their rules, and their commands in a plain folder.

No container engine is needed: the folder stands for the root of the image.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

import voice_sandbox
import wheelhouse as wheelhouse_of
from prism_process import free_port
from sandbox_process import read_banner
from serve_settings import settings_given
from voice_sandbox.server.options import Settings

EXAMPLES = Path(__file__).resolve().parents[1] / "docs" / "examples" / "container"
LIMIT_SECONDS = 60
DRAIN_SECONDS = 10
"""As long as a drain may take, beside its delay."""
Instruction = tuple[str, str]


@pytest.fixture(scope="module")
def instructions() -> list[Instruction]:
    """`[("FROM", "python:3.13-slim"), …]`."""
    text = (EXAMPLES / "Containerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = [line.partition(" ") for line in joined.splitlines() if line]
    return [(name, rest.strip()) for name, _, rest in found]


def _all(instructions: list[Instruction], name: str) -> list[str]:
    return [rest for found, rest in instructions if found == name]


def _one(instructions: list[Instruction], name: str) -> str:
    [rest] = _all(instructions, name)
    return rest


def _environment(instructions: list[Instruction]) -> dict[str, str]:
    words = [word for rest in _all(instructions, "ENV") for word in shlex.split(rest)]
    return dict(word.split("=", 1) for word in words)


def _health_check(instructions: list[Instruction]) -> list[str]:
    command: list[str] = json.loads(_one(instructions, "HEALTHCHECK").partition("CMD ")[2])
    return command


# Rules


def test_image_is_named_with_its_version(instructions: list[Instruction]) -> None:
    """A build is the same tomorrow, and takes its base from where the machine takes images."""
    base = _one(instructions, "FROM")
    assert re.fullmatch(r"python:3\.\d+-slim", base)


def test_container_runs_as_a_user_without_rights(instructions: list[Instruction]) -> None:
    """The last user is a number that is not root, so that an orchestrator can check it."""
    user, group = _one(instructions, "USER").split(":")
    assert int(user) >= 10000
    assert int(group) >= 10000
    names = [name for name, _ in instructions]
    assert names.index("USER") > max(names.index("RUN"), names.index("COPY"))


def test_container_starts_without_a_shell(instructions: list[Instruction]) -> None:
    """The sandbox is process 1 and gets SIGTERM itself."""
    for name in ("ENTRYPOINT", "CMD"):
        assert isinstance(json.loads(_one(instructions, name)), list)


def test_nothing_is_installed_without_its_hash(instructions: list[Instruction]) -> None:
    """Every `pip install` demands hashes, keeps no cache, and nothing is fetched otherwise."""
    runs = " ".join(_all(instructions, "RUN"))
    assert runs.count("pip install") == runs.count("pip install --require-hashes") == 1
    assert _environment(instructions)["PIP_NO_CACHE_DIR"] == "1"
    assert not re.search(r"\b(curl|wget|sudo|apt-get|git)\b", runs)
    assert _all(instructions, "ADD") == []


def test_image_has_no_secret(instructions: list[Instruction]) -> None:
    """What is secret is given when the container starts."""
    given = [*_environment(instructions), *_all(instructions, "ARG")]
    assert [name for name in given if re.search("PASS|TOKEN|SECRET|KEY", name)] == []


def test_volume_port_and_health_check_fit_the_command(instructions: list[Instruction]) -> None:
    """The database lies in the volume, and port and path are those of the sandbox."""
    settings = _settings(json.loads(_one(instructions, "CMD")), _environment(instructions))
    assert settings.database == f"sqlite:///{_one(instructions, 'VOLUME')}/voice-sandbox.db"
    assert str(settings.port) == _one(instructions, "EXPOSE")
    assert f"http://127.0.0.1:{settings.port}/healthz" in " ".join(_health_check(instructions))


def _settings(command: list[str], environment: dict[str, str]) -> Settings:
    """What the sandbox understands of a command and its environment."""
    assert command[0] == "serve"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return settings_given(*command[1:])


# The commands


@pytest.fixture(scope="module")
def image(
    instructions: list[Instruction],
    wheel: Path,
    wheelhouse: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The folder after COPY and RUN, with a virtual environment for what the base image has."""
    context = tmp_path_factory.mktemp("context") / "files"
    shutil.copytree(wheel.parent, context)
    wheelhouse_of.pin(context / "requirements.txt", wheelhouse)
    root = tmp_path_factory.mktemp("image")
    commands = wheelhouse_of.new_environment(root / "usr", "pip", wheels=wheelhouse)
    # Only root may give a folder away.
    chown = commands / "chown"
    chown.write_text(f'#!/bin/sh\necho "$@" > "{root}/chown"\n')
    chown.chmod(0o755)
    folder = _inside(root, _one(instructions, "WORKDIR"))
    folder.mkdir(parents=True)
    *patterns, target = _one(instructions, "COPY").split()
    assert target == "./"
    for pattern in patterns:
        for file in context.glob(pattern):
            shutil.copy(file, folder)
    for command in _all(instructions, "RUN"):
        subprocess.run(
            ["sh", "-e", "-c", _in_folder(command, root)],
            cwd=folder,
            env=_variables(instructions, root, wheelhouse),
            check=True,
        )
    return root


def _inside(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _in_folder(text: str, root: Path) -> str:
    return re.sub(r"(?<![\w.:/])/data\b", f"{root}/data", text)


def _variables(instructions: list[Instruction], root: Path, wheels: Path) -> dict[str, str]:
    given = {name: _in_folder(v, root) for name, v in _environment(instructions).items()}
    path = os.pathsep.join([str(root / "usr" / "bin"), os.environ["PATH"]])
    return wheelhouse_of.offline(wheels, PATH=path, PYTHONDONTWRITEBYTECODE="1", **given)


@pytest.fixture
def running(
    image: Path, instructions: list[Instruction], wheelhouse: Path
) -> Iterator[tuple[str, dict[str, str]]]:
    """The origin of the container's own command, and the environment in which it runs."""
    port = str(free_port())
    environment = _variables(instructions, image, wheelhouse)
    environment.update(VOICE_SANDBOX_HOST="127.0.0.1", VOICE_SANDBOX_PORT=port)
    program, *_ = json.loads(_one(instructions, "ENTRYPOINT"))
    process = subprocess.Popen(
        [image / "usr" / "bin" / program, *json.loads(_one(instructions, "CMD"))],
        cwd=_inside(image, _one(instructions, "WORKDIR")),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        read_banner(process)
        yield f"http://127.0.0.1:{port}", environment
        process.terminate()
        assert process.wait(LIMIT_SECONDS) == 0
    finally:
        process.kill()
        process.communicate(timeout=LIMIT_SECONDS)


def _files(image: Path) -> set[Path]:
    return {path for path in image.rglob("*") if image / "data" not in path.parents}


def test_container_serves_and_is_healthy(
    image: Path, instructions: list[Instruction], running: tuple[str, dict[str, str]]
) -> None:
    """Its command serves portal and API, its health check succeeds, and only `/data` is written."""
    url, environment = running
    before = _files(image)
    python, *arguments = _health_check(instructions)
    check = [argument.replace("http://127.0.0.1:8010", url) for argument in arguments]
    program = image / "usr" / "bin" / python
    assert subprocess.run([program, *check], env=environment, check=False).returncode == 0
    assert httpx2.get(f"{url}/quickstart/").status_code == 200
    headers = {"Authorization": "Bearer sandbox_container"}
    assert httpx2.get(f"{url}/v1/agents", headers=headers).status_code == 200
    assert (image / "data" / "voice-sandbox.db").is_file()
    assert _files(image) == before


def test_health_check_fails_where_nothing_responds(
    image: Path, instructions: list[Instruction], wheelhouse: Path
) -> None:
    """An engine learns from the exit code that the sandbox does not respond."""
    python, *arguments = _health_check(instructions)
    check = [a.replace(":8010", f":{free_port()}") for a in arguments]
    ended = subprocess.run(
        [image / "usr" / "bin" / python, *check],
        env=_variables(instructions, image, wheelhouse),
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert ended.returncode != 0


def test_data_belongs_to_the_user_of_the_container(
    image: Path, instructions: list[Instruction]
) -> None:
    """The one folder that is written belongs to the one who writes."""
    given = (image / "chown").read_text().split()
    assert given == [_one(instructions, "USER"), str(image / "data")]


# Compose


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((EXAMPLES / "compose.yaml").read_text("utf-8"))


REPLICAS = ("sandbox-1", "sandbox-2")


@pytest.mark.parametrize("name", REPLICAS)
def test_replica_of_compose_is_understood_and_drains(compose: Any, name: str) -> None:
    """Options and variables mean something to the sandbox, and it has the time to drain."""
    replica = compose["services"][name]
    settings = _settings(replica["command"], replica["environment"])
    assert settings.database.startswith("postgresql://")
    [network] = settings.proxies
    [subnet] = compose["networks"]["default"]["ipam"]["config"]
    assert str(network) == subnet["subnet"]
    grace = int(replica["stop_grace_period"].removesuffix("s"))
    assert grace > settings.drain_delay + DRAIN_SECONDS


@pytest.mark.parametrize("name", REPLICAS)
def test_replica_of_compose_can_write_nothing(compose: Any, name: str) -> None:
    """Root file system read-only, no capability, no new right."""
    replica = compose["services"][name]
    assert replica["read_only"] is True
    assert replica["cap_drop"] == ["ALL"]
    assert replica["security_opt"] == ["no-new-privileges:true"]


def test_compose_names_images_without_a_registry(compose: Any) -> None:
    """Each image has a version, and comes from where the machine takes images."""
    images = {service["image"] for service in compose["services"].values()}
    assert f"voice-sandbox:{voice_sandbox.__version__}" in images
    assert [image for image in images if not re.fullmatch(r"[a-z-]+:[\d.]+(-alpine)?", image)] == []


def test_compose_holds_no_password(compose: Any) -> None:
    """The password comes from `.env`, and its absence is an error."""
    given = [
        value
        for service in compose["services"].values()
        for name, value in service.get("environment", {}).items()
        if "PASSWORD" in name
    ]
    assert given
    assert all(re.fullmatch(r"\$\{DATABASE_PASSWORD:\?.+\}", value) for value in given)


def test_nginx_of_compose_knows_every_replica(compose: Any) -> None:
    """The proxy sends requests to each replica at the port of the container."""
    content = compose["configs"]["nginx"]["content"]
    assert re.findall(r"server (\S+):8010 resolve;", content) == list(REPLICAS)
    # Compose puts a variable in the place of one dollar sign.
    assert re.findall(r"(?<!\$)\$(?!\$)", content) == []


# Kubernetes


@pytest.fixture(scope="module")
def manifests() -> dict[str, Any]:
    """Kind → manifest."""
    documents = yaml.safe_load_all((EXAMPLES / "kubernetes.yaml").read_text("utf-8"))
    return {document["kind"]: document for document in documents}


@pytest.fixture(scope="module")
def pod(manifests: dict[str, Any]) -> Any:
    return manifests["Deployment"]["spec"]["template"]["spec"]


def test_pod_is_understood_and_drains(pod: Any) -> None:
    """Options and variables mean something to the sandbox, and it has the time to drain."""
    [container] = pod["containers"]
    environment = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    settings = _settings(container["args"], environment)
    assert settings.database.startswith("postgresql://")
    assert settings.drain_delay > 0
    assert pod["terminationGracePeriodSeconds"] > settings.drain_delay + DRAIN_SECONDS
    # A pod must be found not ready before its drain begins.
    ready = container["readinessProbe"]
    assert ready["periodSeconds"] * ready["failureThreshold"] <= settings.drain_delay


def test_probes_are_on_the_paths_that_say_it(pod: Any) -> None:
    """Readiness asks the database too; liveness asks the process alone."""
    [container] = pod["containers"]
    paths = {name: container[name]["httpGet"]["path"] for name in container if "Probe" in name}
    assert paths == {
        "readinessProbe": "/readyz",
        "livenessProbe": "/healthz",
        "startupProbe": "/healthz",
    }


def test_pod_has_no_rights(pod: Any, instructions: list[Instruction]) -> None:
    """The restricted standard of Kubernetes: no root, no capability, a read-only root."""
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    user = f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert user == _one(instructions, "USER")
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert container["image"] == f"voice-sandbox:{voice_sandbox.__version__}"


def test_service_and_budget_choose_the_pods(manifests: dict[str, Any]) -> None:
    """All labels agree, and the port of the Service is one of the container."""
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert manifests["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert manifests["Service"]["spec"]["selector"] == labels
    assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    [container] = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    [port] = manifests["Service"]["spec"]["ports"]
    assert port["targetPort"] in {each["name"] for each in container["ports"]}
