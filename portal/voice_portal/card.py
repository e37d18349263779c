"""The Try API card: what it sends, and the response to it when the page was built, as HTML.

It is complete without a script. The script gets plain data of the contract in one attribute; it
adds nothing of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from voice_portal.card_request import CardRequest
from voice_portal.fence_options import FenceError, choose
from voice_portal.links import links_of
from voice_portal.markup import first_sentence, highlight, marked, phrase, pretty
from voice_portal.page import Page
from voice_portal.placeholders import filled
from voice_portal.reference import page_of
from voice_portal.request_options import request_of, requests_of
from voice_portal.sandbox_responses import RecordedResponse
from voice_portal.snippets import Snippet, snippets
from voice_portal.sources import PROBLEM_REQUESTS_FILE, Sources
from voice_portal.tables import ended, grouped_scenarios, unfinished_states
from voice_sandbox.contract.model import Contract
from voice_sandbox.contract.problems import PROBLEMS, documented_codes

FOLLOW: Final = "getCall"
"""The operation that a new call is followed with, where a link leads to it."""
IDEMPOTENCY: Final = "Idempotency-Key"
_PARTS: Final = ("call",)
"""What a card can open when its request has succeeded: only a new call has more than a response."""
PROBLEM_REQUESTS: Final = f"portal/voice_portal/{PROBLEM_REQUESTS_FILE.name}"


@dataclass(frozen=True, slots=True)
class Choice:
    """What the page chose: names are checked against the contract before this is made."""

    requests: tuple[CardRequest, ...]
    """The last one is what the card is about."""
    title: str
    line: str
    chain: bool
    expect: str | None
    """The code of the problem that the card triggers."""
    opens: str | None
    """The part that a success opens, where that is not the response."""

    @property
    def request(self) -> CardRequest:
        return self.requests[-1]


def tried(sources: Sources, options: Mapping[str, Any]) -> tuple[Choice, list[RecordedResponse]]:
    """What the options of a card choose, and the sandbox's response to each of its requests.

    Raises: `FenceError` where one of them succeeds or fails against what the page says.
    """
    choice = _choice(sources, options)
    responses = sources.responses.record(choice.requests)
    for request, response in zip(choice.requests, responses, strict=False):
        expected = choice.expect if request is choice.request else None
        code = (response.body or {}).get("code") if response.status >= 400 else None
        if code != expected:
            raise FenceError(
                f"The response to {request.method} {request.as_example().target} is "
                f"{response.status} {code or 'with success'}, not {expected or 'with success'}: "
                f"{(response.body or {}).get('detail', '')}"
            )
    return choice, responses


def problem_card(page: Page, code: str) -> tuple[Mapping[str, Any], str | None]:
    """The options of the card that triggers a problem, or why nothing can trigger it.

    Raises: `FenceError`.
    """
    requests = page.sources.problem_requests
    choose(code, PROBLEMS, "problem")
    choose(code, requests, f"entry of {PROBLEM_REQUESTS} for")
    options = {"title": f"Trigger {code}", "chain": False, **filled(requests[code], page)}
    if never := options.pop("never", None):
        return {}, str(never)
    return {**options, "expect": code}, None


def view(choice: Choice, sources: Sources, response: RecordedResponse) -> dict[str, Any]:
    """The values of the template ``card.html``."""
    request = choice.request.as_example()
    is_of_contract = all(_is_of_contract(each, sources.contract) for each in choice.requests)
    return {
        "request": request,
        "endpoint": request.path if "://" not in request.path else request.operation.path,
        "title": choice.title,
        "line": choice.line,
        "reference": page_of(request.operation.operation_id),
        "tabs": [
            {"label": s.label, "lexer": s.lexer, "html": _live_spans(s, choice, sources)}
            for s in snippets(
                choice.requests, base=sources.sandbox_url, fails=choice.expect is not None
            )
        ],
        "live_url": sources.live_url if is_of_contract else None,
        "sandbox_url": sources.sandbox_url,
        "body": request.text if request.pad_to == 0 else None,
        "raw": request.raw is not None,
        "path_parameters": [
            {"name": name, "value": value} for name, value in request.parameters.items()
        ],
        "outcomes": grouped_scenarios(sources) if _picks_outcome(choice) else [],
        "phone": request.body["phone"] if _picks_outcome(choice) else None,
        "other_end": ended(sources.scenarios.default, sources.contract),
        "own_token": request.token is not None,
        "status": response.status,
        "phrase": phrase(response.status),
        "meaning": _meaning(request, response.status),
        "headers": {name.title(): value for name, value in response.shown_headers.items()},
        "response": None if response.body is None else highlight(pretty(response.body), "json"),
        "data": _data(choice, sources),
    }


def _choice(sources: Sources, options: Mapping[str, Any]) -> Choice:
    requests = requests_of(sources, options)
    request, expect = requests[-1], options.get("expect")
    title = options.get("title") or (request.example or request.operation).summary
    choice = Choice(
        requests=requests,
        title=str(title),
        line=str(options.get("line") or _default_line(request)),
        chain=options.get("chain", True) is not False,
        expect=None if expect is None else choose(str(expect), PROBLEMS, "problem"),
        opens=options.get("opens"),
    )
    if choice.expect is not None and not _documents(request, choice.expect):
        raise FenceError(f"{request.operation.operation_id} documents no problem {choice.expect}.")
    if choice.opens is not None:
        choose(str(choice.opens), _PARTS if _life(choice, sources) else (), "part to open")
    return choice


def _documents(request: CardRequest, code: str) -> bool:
    """Whether the operation documents the problem, or none can: its path or method is changed."""
    if request.is_changed:
        return True
    return any(code in documented_codes(r) for r in request.operation.responses.values())


def _default_line(request: CardRequest) -> str:
    """The card's one line: the example's own words, else the operation's."""
    if request.example is not None and request.example.description:
        return request.example.description
    return first_sentence(request.operation.description)


def _is_of_contract(request: CardRequest, contract: Contract) -> bool:
    """Whether the live service would understand it too."""
    return request.operation.operation_id in contract.operations and "Prefer" not in request.headers


def _picks_outcome(choice: Choice) -> bool:
    """A card that calls a number the reader may choose offers the catalogue of outcomes."""
    body = choice.request.body
    return choice.expect is None and isinstance(body, Mapping) and "phone" in body


def _meaning(request: CardRequest, status: int) -> str:
    response = request.operation.responses.get(status)
    return response.description if response else ""


def _live_spans(snippet: Snippet, choice: Choice, sources: Sources) -> Markup:
    """The snippet with spans around the values that the script keeps up to date."""
    html = highlight(snippet.before, snippet.lexer)
    if snippet.body:
        html += Markup("<span data-body>{}</span>{}").format(
            highlight(snippet.body, snippet.lexer), highlight(snippet.after, snippet.lexer)
        )
    for name, value in choice.request.parameters.items():
        if isinstance(value, str):  # a linked one is a variable of the program
            html = marked(html, value, f'data-parameter="{name}"')
    return marked(html, sources.sandbox_url, "data-base")


def _data(choice: Choice, sources: Sources) -> dict[str, Any]:
    return {
        "title": choice.title,
        "chain": choice.chain,
        "expect": choice.expect,
        "requests": [_request_data(request, sources.contract) for request in choice.requests],
        "example": choice.request.example.value if choice.request.example else None,
        "newCall": _new_call(choice.request, sources),
        "life": _life(choice, sources),
        "opens": choice.opens,
    }


def _new_call(request: CardRequest, sources: Sources) -> dict[str, Any] | None:
    """The request that makes a call for this one, where it is about a call."""
    creating = sources.contract.operations["createCall"]
    followers = {link.operation_id for link in creating.success.links.values()}
    if request.operation.operation_id not in followers:
        return None
    request = request_of(sources, {"operation": creating.operation_id})
    return _request_data(request, sources.contract)


def _request_data(request: CardRequest, contract: Contract) -> dict[str, Any]:
    request = request.as_example()
    operation = request.operation
    return {
        # A response is checked against this operation; another path or method has none.
        "operation": None if request.is_changed else operation.operation_id,
        "documented": {"method": operation.method, "path": operation.path}
        if request.is_changed
        else None,
        "summary": operation.summary,
        "method": request.method,
        "path": request.path,
        "parameters": dict(request.parameters),
        "query": dict(request.query),
        "headers": dict(request.headers),
        "token": request.token,
        "mediaType": request.media_type if request.text is not None else None,
        "body": request.body,
        "raw": request.raw,
        "padTo": request.pad_to,
        "idempotent": any(p.name == IDEMPOTENCY for p in operation.parameters),
        "responses": {
            str(status): {"phrase": phrase(status), "meaning": response.description}
            for status, response in operation.responses.items()
        },
        "links": [
            {
                "operation": link.operation_id,
                "parameters": dict(link.parameters),
                "body": link.body,
            }
            for link in links_of(operation, contract)
        ],
    }


def _life(choice: Choice, sources: Sources) -> Mapping[str, Any] | None:
    """How to follow what the operation created, or nothing if it creates nothing to follow."""
    links = links_of(choice.request.operation, sources.contract)
    link = next((link for link in links if link.operation_id == FOLLOW), None)
    if link is None or choice.expect is not None:
        return None
    contract, control = sources.contract, sources.control
    target = contract.operations[link.operation_id]
    states = contract.schema("CallStatus")
    return {
        "method": target.method,
        "path": target.path,
        "parameters": dict(link.parameters),
        "states": states["enum"],
        "meanings": states["x-enumDescriptions"],
        "unfinished": unfinished_states(contract),
        "inspectPath": control.operations["inspectCall"].path,
        "clockPath": control.operations["advanceClock"].path,
        "webhookPath": contract.operations["callCompleted"].path,
    }
