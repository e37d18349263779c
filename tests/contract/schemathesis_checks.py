"""What Schemathesis lacks: rules of this contract that hold of every response it gets.

Loaded through `hooks` in schemathesis.toml. The two checks that send a request again do so a few
times for each operation.
"""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import requests
import schemathesis
from schemathesis import GenerationMode

from voice_sandbox.calls.provider import ID_PREFIX
from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.problems import PROBLEMS, undocumented
from voice_sandbox.contract.reader import find_contract, load_contract
from voice_sandbox.contract.validation import Validator

# Schemathesis loads this file by its path alone.
sys.path.append(str(Path(__file__).parent))
from playable import playable

MAX_REPETITIONS = 10
CONTRACT = load_contract(find_contract())
CONTROL = load_contract(find_contract("control.yaml"), components_from=CONTRACT)
OPERATIONS = {**CONTROL.operations, **CONTRACT.operations}
SAMPLE = str(read_catalogue(CONTRACT).sample.call_id)
OTHER_KEY = "Bearer sandbox_schemathesis_other_key"


@schemathesis.hook
def map_case(ctx: Any, case: Any) -> Any:
    """A generated request that fits the control contract names what exists, in a possible order."""
    if case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE:
        case.body = playable(case.operation.definition.raw["operationId"], case.body)
    return case


def is_service(case: Any) -> bool:
    return bool(case.operation.path.startswith("/v1"))


@schemathesis.check
def nothing_provider_internal(ctx: Any, response: Any, case: Any) -> None:
    """No byte of a response of the service names the provider's id of a call."""
    if is_service(case):
        headers = "\n".join(value for values in response.headers.values() for value in values)
        assert ID_PREFIX.encode() not in response.content, "the body names the provider's id"
        assert ID_PREFIX not in headers, "a header names the provider's id"


@schemathesis.check
def problem_is_consistent(ctx: Any, response: Any, case: Any) -> None:
    """A problem agrees with HTTP, with the catalogue and with its own headers."""
    if response.status_code < 400 or case.method.upper() == "HEAD":
        return
    document = response.json()
    problem = PROBLEMS.get(document["code"])
    assert problem is not None, f"the code {document['code']!r} is not in the catalogue"
    assert document["status"] == response.status_code, "status differs from the HTTP status"
    assert problem.status == response.status_code, f"{problem.code} belongs to {problem.status}"
    assert document["title"] == problem.title, f"the title of {problem.code} is another"
    assert document["type"].endswith(problem.type), "type does not point at the code's entry"
    operation = OPERATIONS[case.operation.definition.raw["operationId"]]
    if (documented := operation.responses.get(response.status_code)) is not None:
        assert undocumented(documented, document) == []
    assert [document["request_id"]] == response.headers["x-request-id"], "request_id differs"


VALIDATORS: dict[tuple[str, int], Validator] = {}


@schemathesis.check
def response_keeps_every_rule(ctx: Any, response: Any, case: Any) -> None:
    """A response fits the rules that the contract keeps from generators, too."""
    name = case.operation.definition.raw["operationId"]
    documented = OPERATIONS[name].responses.get(response.status_code)
    if documented is None or documented.media_type != "application/json" or not response.content:
        return
    contract = CONTRACT if name in CONTRACT.operations else CONTROL
    key = name, response.status_code
    if key not in VALIDATORS:
        VALIDATORS[key] = Validator(contract, documented.schema or {})
    assert VALIDATORS[key].errors(response.json()) == []


class Again:
    """Sends a request again with something altered, a bounded number of times an operation."""

    def __init__(self) -> None:
        self._sent: Counter[str] = Counter()

    def send(self, case: Any, response: Any, **headers: str) -> requests.Response | None:
        self._sent[case.operation.label] += 1
        if self._sent[case.operation.label] > MAX_REPETITIONS:
            return None
        again = response.request.copy()
        again.headers.update(headers)
        with requests.Session() as session:
            session.trust_env = False
            return session.send(again, timeout=10)


@schemathesis.check
class OtherMediaTypesAreRejected(Again):
    """A body that was accepted is 415 when it says that it is something else."""

    def after_response(self, ctx: Any, response: Any, case: Any) -> None:
        if response.status_code >= 300 or not response.request.body:
            return
        again = self.send(case, response, **{"Content-Type": "text/plain"})
        assert again is None or again.status_code == 415, (
            f"the same body as text/plain is answered {again and again.status_code}"
        )


@schemathesis.check
class OtherKeysSeeNothing(Again):
    """What one key reads by an id of its own does not exist for another key."""

    def after_response(self, ctx: Any, response: Any, case: Any) -> None:
        if response.status_code != 200 or "call_id" not in (case.path_parameters or {}):
            return
        if case.method.upper() != "GET" or is_sample(case):
            return
        again = self.send(case, response, Authorization=OTHER_KEY)
        assert again is None or again.status_code == 404, (
            f"another key reads the same call and is answered {again and again.status_code}"
        )


def is_sample(case: Any) -> bool:
    """Whether it is the sample call, which every key has."""
    return str(case.path_parameters["call_id"]).lower() == SAMPLE
