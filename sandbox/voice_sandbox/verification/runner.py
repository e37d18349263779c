"""Runs checks one after another and says what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from voice_sandbox import clock
from voice_sandbox.calls.scenarios import load_scenarios
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.model import Contract
from voice_sandbox.verification.api import Api, Target
from voice_sandbox.verification.check import Check, Needs
from voice_sandbox.verification.curl import as_curl
from voice_sandbox.verification.finding import CannotTell, Finding
from voice_sandbox.verification.guard import Guard, NotAllowed
from voice_sandbox.verification.http1 import Http1Client, NoResponse, ReceivedResponse, SentRequest
from voice_sandbox.verification.response_validation import ResponseValidator

MAX_REQUESTS_SHOWN = 50
OWN_KEY = "VOICE_API_KEY"
OTHER_KEY = "OTHER_VOICE_API_KEY"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one check: ``finding`` and ``doubt`` are empty where it holds."""

    check: Check
    seconds: float
    finding: str = ""
    """One sentence that says what is wrong."""
    symptom: str = ""
    """What findings with one cause have in common."""
    doubt: str = ""
    """One sentence that says why nothing can be told."""
    curl: str = ""
    """The request that shows it."""
    requests: tuple[str, ...] = ()
    """All requests of the check up to it, as curl commands."""
    has_no_response: bool = False
    """Whether the finding is that no response came."""
    key: str = ""
    """The sandbox key under which that happened; a key that a person gave is never kept."""


def make_target(
    client: Http1Client,
    contract: Contract,
    control: Contract,
    *,
    is_sandbox: bool,
    new_key: Callable[[], str],
    numbers: Iterable[str] = (),
    share: int = 1,
    listed_keys: Iterable[str] = (),
) -> Target:
    """What the checks of one run share."""
    named = tuple(dict.fromkeys(numbers))
    catalogue = read_catalogue(contract)
    return Target(
        guard=Guard(client, is_sandbox=is_sandbox, numbers=named),
        contract=contract,
        control_contract=control,
        catalogue=catalogue,
        scenarios=tuple(load_scenarios(catalogue)),
        service=ResponseValidator(contract),
        control=ResponseValidator(control, may_name_provider=True),
        new_key=new_key,
        numbers=named,
        share=share,
        listed_keys=tuple(listed_keys),
    )


def applicable(checks: Iterable[Check], target: Target) -> list[Check]:
    """The checks that a deployment allows: no sandbox, no call but to numbers that were named."""
    if target.guard.is_sandbox:
        return [one for one in checks if one.needs is not Needs.CALL]
    return [
        one
        for one in checks
        if one.needs is Needs.READ or (one.needs is Needs.CALL and target.numbers)
    ]


def run(checks: Iterable[Check], target: Target, *, key: str, base_url: str) -> Iterator[Outcome]:
    """Each check in a namespace of its own where there are namespaces, else under ``key``."""
    for one in checks:
        yield run_one(one, target, key=key, base_url=base_url)


def run_one(one: Check, target: Target, *, key: str, base_url: str) -> Outcome:
    """Runs one check. Whatever it cannot judge is a doubt, never a pass."""
    own = target.new_key() if target.guard.is_sandbox else key
    api = Api(target, own)
    started = clock.monotonic()
    finding = symptom = doubt = ""
    has_no_response = False
    shown: ReceivedResponse | None = None
    unanswered: SentRequest | None = None
    try:
        one.run(api)
    except Finding as found:
        finding, symptom, shown = found.sentence, found.symptom, found.response
    except CannotTell as error:
        doubt = str(error)
    except NotAllowed as error:  # a bug of the check, which must not be blamed on the deployment
        doubt = f"The check was held back: {error}"
    except NoResponse as error:
        finding, has_no_response = f"The deployment gave no response: {error}.", True
        unanswered = error.sent
    except (LookupError, TypeError, AttributeError, ArithmeticError, ValueError) as error:
        # A response that fits the contract cannot cause these.
        finding = f"A response does not keep what the contract promises ({error!r})."
    responses = api.exchanges
    if shown is not None and shown in responses:
        responses = responses[: responses.index(shown) + 1]

    requests = [response.sent for response in responses]
    if unanswered is not None:
        requests.append(unanswered)

    def curl(sent: SentRequest) -> str:
        others = {
            value.removeprefix("Bearer "): OTHER_KEY
            for name, value in sent.headers
            if name == "Authorization" and value.startswith("Bearer sandbox_verify_")
        }
        others |= dict.fromkeys(target.listed_keys, OTHER_KEY)
        return as_curl(sent, base_url=base_url, keys={**others, own: OWN_KEY})

    has_failed = bool(finding) and bool(requests)
    return Outcome(
        check=one,
        seconds=clock.monotonic() - started,
        finding=finding,
        symptom=symptom or finding,
        doubt=doubt,
        has_no_response=has_no_response,
        curl=curl(requests[-1]) if has_failed else "",
        requests=tuple(map(curl, requests[-MAX_REQUESTS_SHOWN:])) if has_failed else (),
        key=own if has_failed and target.guard.is_sandbox and not target.listed_keys else "",
    )
