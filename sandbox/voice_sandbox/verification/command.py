"""``voice-sandbox verify``: the contract checks against any deployment, by URL and key alone."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from voice_sandbox import clock
from voice_sandbox.contract.model import Contract, ContractError
from voice_sandbox.contract.reader import find_contract, load_contract
from voice_sandbox.option_types import Number, WholeNumber
from voice_sandbox.verification.api import Target
from voice_sandbox.verification.check import Check, Needs
from voice_sandbox.verification.generated_values import schemathesis_values
from voice_sandbox.verification.http1 import (
    JOURNAL_SECONDS,
    USER_AGENT,
    Http1Client,
    NoResponse,
    SentRequest,
)
from voice_sandbox.verification.identity import Identity, Kind, identify, no_longer_proved
from voice_sandbox.verification.listed_keys import ListedKeys
from voice_sandbox.verification.registry import CHECKS
from voice_sandbox.verification.report import Report, Verdict, as_json, as_junit
from voice_sandbox.verification.runner import OWN_KEY, Outcome, applicable, make_target, run_one

_PROGRESS_SECONDS: Final = 5.0
_NAMES_SHOWN: Final = 8
"""Checks that are named beside the first one that found the same."""
QUICK_SHARE: Final = 20
AT_ONCE: Final = 3
"""Checks that run at the same time. While one reads a response, another is being answered."""
_KEY: Final = re.compile(r"[!-~]{1,4096}")
_CONFIGURATION: Final = """\
hooks = {hooks}
request-timeout = 10.0
max-redirects = 0
suppress-health-check = ["too_slow"]
headers = {{ Authorization = "Bearer ${{{key}}}", User-Agent = "{agent}" }}
[generation]
max-examples = {examples}
[checks.positive_data_acceptance]
expected-statuses = ["200", "201", "204", "404", "409"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "404", "413", "415", "422"]
"""


@click.command()
@click.argument("url")
@click.option(
    "--key",
    "keys",
    multiple=True,
    envvar=OWN_KEY,
    show_envvar=True,
    help="The service key. A sandbox needs none, keys are generated as needed; one that accepts "
    "the keys on its list alone needs two of them that nothing else uses, since what is kept "
    "under them is removed. May be given again; in the variable separate them by a space.",
)
@click.option(
    "--call-number",
    "numbers",
    multiple=True,
    metavar="NUMBER",
    help="Place one real call to this number, where URL is no sandbox. May be given again.",
)
@click.option(
    "--generate",
    "examples",
    type=WholeNumber(1, 100_000),
    metavar="N",
    help="Let Hypothesis generate N sequences of requests, and Schemathesis N requests for each "
    "operation as well. Sandboxes only.",
)
@click.option(
    "--quick",
    is_flag=True,
    help=f"Send every {QUICK_SHARE}th of the requests that checks generate from the contract.",
)
@click.option(
    "--timeout",
    "timeout_seconds",
    type=Number(0.1, 300),
    default=10.0,
    show_default=True,
    help="Seconds to wait for each response, from the first on.",
)
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML to this file."
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all findings to this file.",
)
@click.option(
    "--contract",
    "contract_path",
    type=click.Path(path_type=Path),
    envvar="VOICE_SANDBOX_CONTRACT",
    show_envvar=True,
    help="Another openapi.yaml to check the deployment against.  [default: its own]",
)
@click.pass_context
def verify(
    context: click.Context,
    url: str,
    keys: tuple[str, ...],
    numbers: tuple[str, ...],
    examples: int | None,
    quick: bool,
    timeout_seconds: float,
    junit: Path | None,
    json_file: Path | None,
    contract_path: Path | None,
) -> None:
    """Check whether the deployment at URL keeps the contract.

    Only sandboxes receive test calls. Any other deployment may ring real phones, so it is only
    read. With --call-number one real call is placed to each of your own numbers.

    Exit codes: 0 it conforms, 1 it does not conform, 2 inconclusive.
    """
    sequences = () if examples is None else (_any_order(examples),)
    try:
        contract = load_contract(contract_path or find_contract())
        control = load_contract(find_contract("control.yaml"), components_from=contract)
        client = Http1Client(url.rstrip("/"), timeout_seconds=timeout_seconds)
    except (ContractError, ValueError) as error:
        raise _CannotTell(str(error)) from error
    _check_numbers(contract, numbers)
    try:
        deployment = _identified(client, contract, control, keys)
    except NoResponse as error:
        raise _CannotTell(f"{url} gives no response: {error}.") from error
    if not deployment.is_sandbox:
        if client.prefix.endswith("/v1"):
            raise _CannotTell(f"Leave /v1 out of the URL: {url.rstrip('/').removesuffix('/v1')}.")
        if deployment.identity.breach and not keys:
            raise _Breaks(deployment.identity.breach)
        _announce(examples, numbers)
        _check_key(client, keys)
    target = make_target(
        client,
        contract,
        control,
        is_sandbox=deployment.is_sandbox,
        new_key=deployment.new_key,
        numbers=() if deployment.is_sandbox else numbers,
        share=QUICK_SHARE if quick else 1,
        listed_keys=deployment.listed.keys if deployment.listed else (),
    )
    try:
        report = _run(
            url.rstrip("/"), deployment, target, [*sequences, *CHECKS.values()], *keys[:1]
        )
        _say(report)
        if junit is not None:
            _write(junit, as_junit(report))
        if json_file is not None:
            _write(json_file, as_json(report).encode())
        code = report.verdict.value
        if examples is not None and not report.stopped:
            generated = _generate(deployment, examples, new_key=target.new_key)
            code = max(code, generated, key=(0, 2, 1).index)
    finally:
        deployment.leave()
    context.exit(code)


@dataclass(frozen=True, slots=True)
class _Deployment:
    """What listens at the URL, and the keys under which it is verified."""

    client: Http1Client
    contract: Contract
    control: Contract
    identity: Identity
    listed: ListedKeys | None
    """The keys given, where a sandbox accepts no others."""

    @property
    def is_sandbox(self) -> bool:
        return self.identity.kind is Kind.SANDBOX

    def new_key(self) -> str:
        return self.listed.next() if self.listed else _new_key()

    def why_stop(self) -> str:
        """The proof once more, and fresh namespaces for what comes next; empty where both hold."""
        if not self.is_sandbox:
            return ""
        key = self.listed.keys[0] if self.listed else _new_key()
        if why_not := no_longer_proved(self.client, self.contract, self.control, key=key):
            return f"This is no sandbox any more, so the rest was not tried: {why_not}"
        return _emptied(self.listed) if self.listed else ""

    def leave(self) -> None:
        """Empties the namespaces of the keys given for the last time."""
        if not self.listed:
            return
        clock.sleep(JOURNAL_SECONDS / 2)  # what another worker writes down late goes too
        if why_not := self.why_stop():
            click.echo(f"The namespaces of the keys given are left as they are. {why_not}")


def _identified(
    client: Http1Client, contract: Contract, control: Contract, keys: Sequence[str]
) -> _Deployment:
    """Says what listens. Raises: `_CannotTell` where that can be no deployment, `NoResponse`."""
    identity = identify(client, contract, control, new_key=_new_key)
    listed: ListedKeys | None = None
    if identity.kind is Kind.LISTED:
        click.echo(identity.why)
        listed = _fitting(client, keys)
        identity = identify(client, contract, control, new_key=listed.next)
    click.echo(identity.why)
    if identity.kind is Kind.LISTED:
        raise _CannotTell("It rejects a key that it accepted a moment ago. Try again.")
    if identity.kind is Kind.MOCK:
        raise _CannotTell("A mock cannot keep this contract. Verify a sandbox or a service.")
    if identity.kind is not Kind.SANDBOX:
        listed = None
    return _Deployment(client, contract, control, identity, listed)


class _CannotTell(click.ClickException):
    """Ends the command before anything could be judged."""

    exit_code = Verdict.UNCLEAR.value


class _Breaks(click.ClickException):
    """Ends the command where what was seen before the first check breaks the contract."""

    exit_code = Verdict.BREAKS.value


def _new_key() -> str:
    return f"sandbox_verify_{secrets.token_hex(12)}"


def _check_numbers(contract: Contract, numbers: Sequence[str]) -> None:
    pattern = contract.schema("PhoneNumber")["pattern"]
    for number in numbers:
        if not re.fullmatch(pattern.removeprefix("^").removesuffix("$"), number):
            raise _CannotTell(
                f"--call-number {number} is not in E.164 form: a plus sign, the country code, "
                "then the number, without spaces or dashes."
            )


def _announce(examples: int | None, numbers: Sequence[str]) -> None:
    """Says before anything else is sent what will not be done, and what will."""
    if examples is not None:
        raise _CannotTell(
            "This is not known to be a sandbox: requests of --generate would ring "
            "the phones of strangers. Leave --generate out, or verify a sandbox."
        )
    if not numbers:
        click.echo("It may ring real phones, so it is only read from, and no call is placed.")
        return
    for number in dict.fromkeys(numbers):
        click.echo(f"It may ring real phones. One call will be placed to {number}.")


def _fitting(client: Http1Client, keys: Sequence[str]) -> ListedKeys:
    """The keys listed, where they do for a sandbox that accepts no generated ones."""
    listed = ListedKeys(client, keys)
    if why_not := listed.why_not():
        raise _CannotTell(why_not)
    click.echo("It is verified under the two keys given, whose namespaces are emptied meanwhile.")
    return listed


def _emptied(listed: ListedKeys) -> str:
    """Empties the namespaces of the keys given; says why where that fails."""
    try:
        why_not = listed.empty()
    except NoResponse as error:
        why_not = f"the deployment gave no response: {error}."
    return why_not and f"The namespaces of the keys given could not be emptied: {why_not}"


def _check_key(client: Http1Client, keys: Sequence[str]) -> None:
    if not keys:
        raise _CannotTell(f"Name the service key by --key or in {OWN_KEY}.")
    if len(keys) > 1:
        raise _CannotTell("This is not known to be a sandbox. Give the one key of the service.")
    [key] = keys
    if not _KEY.fullmatch(key):
        raise _CannotTell("The key must be visible ASCII without spaces.")
    try:
        signed = (("Authorization", f"Bearer {key}"),)
        response = client.exchange(SentRequest("GET", "/v1/agents", signed))
    except NoResponse as error:
        raise _CannotTell(f"The deployment gives no response: {error}.") from error
    if response.status in (401, 403):
        raise _CannotTell(f"The key is not accepted: GET /v1/agents is {response.status}.")


def _run(
    url: str, deployment: _Deployment, target: Target, known: Sequence[Check], key: str = ""
) -> Report:
    """Runs the checks that apply, some at once where each has a namespace of its own."""
    checks = applicable(known, target)
    left_out = [one for one in known if one not in checks]
    if target.guard.is_sandbox:
        left_out = [one for one in left_out if one.needs is not Needs.CALL]
    turn = _Turn(url, deployment, target, key)
    at_once = AT_ONCE if target.guard.is_sandbox and not target.listed_keys else 1
    outcomes: list[Outcome] = []
    progress = _Progress()
    with ThreadPoolExecutor(at_once) as threads:
        for number, (one, outcome) in enumerate(
            zip(checks, threads.map(turn.outcome, checks), strict=True), start=1
        ):
            progress.show(f"[{number}/{len(checks)}] {one.name}")
            if outcome is not None:
                outcomes.append(outcome)
    progress.end()
    return Report(url, deployment.identity, outcomes, left_out, turn.stopped)


class _Turn:
    """Runs one check after another until there is a reason to stop."""

    def __init__(self, url: str, deployment: _Deployment, target: Target, key: str) -> None:
        self._url = url
        self._deployment = deployment
        self._target = target
        self._key = key
        self.stopped = ""
        """Why the rest was not tried."""

    def outcome(self, one: Check) -> Outcome | None:
        """The outcome of a check, or ``None`` if it was not run."""
        # A deployment may be replaced while it is verified, so no proof is trusted for long.
        self.stopped = self.stopped or self._deployment.why_stop()
        if self.stopped:
            return None
        outcome = run_one(one, self._target, key=self._key, base_url=self._url)
        if outcome.has_no_response and not _still_responds(self._target, self._key):
            self.stopped = "The deployment stopped responding, so the rest was not tried."
        return outcome


def _still_responds(target: Target, key: str) -> bool:
    try:
        target.guard.exchange(
            SentRequest("GET", "/v1/agents", (("Authorization", f"Bearer {key}"),))
        )
    except NoResponse:
        return False
    return True


class _Progress:
    """How far the checks are: at a terminal in one line, elsewhere a line every few seconds."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._next = clock.monotonic() + _PROGRESS_SECONDS

    def show(self, text: str) -> None:
        if self._is_terminal:
            click.echo(f"\r\x1b[K{text}", err=True, nl=False)
        elif clock.monotonic() >= self._next:
            self._next = clock.monotonic() + _PROGRESS_SECONDS
            click.echo(text, err=True)

    def end(self) -> None:
        if self._is_terminal:
            click.echo("\r\x1b[K", err=True, nl=False)


def _say_finding(outcome: Outcome, also: Sequence[str]) -> None:
    """One finding with the requests that show it, and which checks ``also`` found it."""
    click.echo(f"\n✗ {outcome.finding}  [{outcome.check.name}]")
    if also:
        click.echo(f"  {_found_by(also)}")
    before = len(outcome.requests) - 1
    if outcome.key:
        click.echo(f"  {OWN_KEY}={outcome.key}")
    if 0 < before <= 5:
        for request in outcome.requests[:-1]:
            click.echo(f"  {request}")
    elif before > 0:
        click.echo(f"  # after {before} other requests; --json has them all")
    if outcome.curl:
        click.echo(f"  {outcome.curl}")


def _say(report: Report) -> None:
    for outcome, names in report.findings():
        _say_finding(outcome, names[1:])
    for outcome in report.outcomes:
        if outcome.doubt:
            click.echo(f"\n? {outcome.doubt}  [{outcome.check.name}]")
    if report.stopped:
        click.echo(f"\n? {report.stopped}")
    passed = sum(not (outcome.finding or outcome.doubt) for outcome in report.outcomes)
    left_out = f", {len(report.left_out)} need a sandbox" if report.left_out else ""
    verdict = {
        Verdict.CONFORMS: "It conforms",
        Verdict.BREAKS: "It does not conform",
        Verdict.UNCLEAR: "Inconclusive",
    }[report.verdict]
    click.echo(f"\n{verdict}: {passed} of {len(report.outcomes)} checks passed{left_out}.")


def _found_by(names: Sequence[str]) -> str:
    """Which further checks found the same, such as ``3 more checks found the same: a, b, c``."""
    checks = "1 more check" if len(names) == 1 else f"{len(names)} more checks"
    left = f" and {len(names) - _NAMES_SHOWN} others" if len(names) > _NAMES_SHOWN else ""
    return f"{checks} found the same: {', '.join(names[:_NAMES_SHOWN])}{left}."


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise _CannotTell(f"{path} cannot be written: {error.strerror}.") from error


def _generate(deployment: _Deployment, examples: int, *, new_key: Callable[[], str]) -> int:
    """Runs Schemathesis in the namespace of a key; returns its verdict as an exit code."""
    if why_not := deployment.why_stop():
        raise _CannotTell(why_not)
    client, contract, key = deployment.client, deployment.contract, new_key()
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith("SCHEMATHESIS_")
    }
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "schemathesis.toml"
        hooks = json.dumps(str(Path(__file__).with_name("generation_guard.py")))
        configuration.write_text(
            _CONFIGURATION.format(key=OWN_KEY, agent=USER_AGENT, examples=examples, hooks=hooks)
            + schemathesis_values(contract),
            "utf-8",
        )
        command = [_schemathesis(), f"--config-file={configuration}", "run", str(contract.path)]
        ran = subprocess.run(  # noqa: S603  (its own arguments, no shell)
            [*command, f"--url={client.origin}{client.prefix}"],
            env={
                **inherited,
                OWN_KEY: key,
                "NO_PROXY": "*",
                "NETRC": os.devnull,  # it would put another token in the place of ours
                "VOICE_PROVED_URL": f"{client.origin}{client.prefix}",
                "VOICE_PROVED_ADDRESS": client.address,
            },
            check=False,
        )
    return {0: 0, 1: 1}.get(ran.returncode, Verdict.UNCLEAR.value)


def _any_order(sequences: int) -> Check:
    """The check that generates sequences. Raises: `_CannotTell` where it lacks its packages."""
    _schemathesis()
    try:
        from voice_sandbox.verification.any_order import any_order
    except ImportError as error:
        raise _CannotTell(
            "--generate needs Schemathesis beside the sandbox, and Hypothesis, which comes with "
            f"it: {sys.executable} -m pip install schemathesis."
        ) from error
    return any_order(sequences)


def _schemathesis() -> str:
    """The program. Raises: `_CannotTell` where it is not installed."""
    beside = Path(sys.executable).with_name("schemathesis")
    program = str(beside) if beside.is_file() else shutil.which("schemathesis")
    if program is None:
        raise _CannotTell("--generate needs Schemathesis: pip install schemathesis.")
    return program
