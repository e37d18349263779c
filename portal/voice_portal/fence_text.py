"""Each fence as Markdown: one function a fence, for readers of text and language models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from voice_portal import card, command_line, serve_options, tables
from voice_portal.fields import kind, listed
from voice_portal.markup import first_sentence, phrase, pretty
from voice_portal.page import Page, text_address
from voice_portal.placeholders import VERSION
from voice_portal.snippets import snippets
from voice_sandbox.contract.faults import FAULTS
from voice_sandbox.contract.problems import PROBLEMS
from voice_sandbox.contract.rejection import STAGES


def try_api(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    choice, [*_, response] = card.tried(page.sources, options)
    request = choice.request
    [curl, *_] = snippets(
        choice.requests, base=page.sources.sandbox_url, fails=choice.expect is not None
    )
    yield from (f"**{choice.title}** (`{request.method} {request.path}`)", "")
    yield from ("```sh", *curl.code.splitlines(), "```", "")
    yield f"Response, recorded from the sandbox: {response.status} {phrase(response.status)}"
    yield ""
    if response.body is not None:
        yield from ("```json", *pretty(response.body).splitlines(), "```")


def fields(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for field in listed(page.sources.contract, options):
        yield f"- `{field.name}` ({kind(field)}): {' '.join(field.meaning.split())}"


def operations(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for row in tables.operations(page.sources, **options):
        operation = row["operation"]
        request = f"`{operation.method} {operation.path}`"
        if options:
            request = f"[{request}]({text_address(row['page'])})"
        yield f"- {request} ({operation.operation_id}): {row['line']}"


def connection(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    yield f"- Sandbox: {page.sources.sandbox_url}"
    yield f"- Live: {page.sources.live_url}"
    yield "- `Authorization: Bearer YOUR_SERVICE_API_KEY`"


def api_base(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    yield f"- Base URL: {page.sources.sandbox_url}; the live service has {page.sources.live_url}"
    yield f"- Sandbox: version {VERSION}"
    yield f"- Contract: version {page.sources.contract.version}, [openapi.yaml](/openapi.yaml)"


def agents(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for agent in page.sources.agents:
        speaks = ", ".join(agent["languages"])
        yield f"- `{agent['key']}`, {agent['name']}: {agent['description']} Speaks {speaks}."


def statuses(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for status in tables.statuses(page.sources.contract):
        word = "over" if status["has_ended"] else "not over"
        yield f"- `{status['name']}` ({word}): {status['meaning']}"


def faults(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for fault in FAULTS.values():
        yield f"- `{fault.kind}` ({fault.strikes}): {fault.line} {fault.seen}"


def states(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    life = tables.life(page.sources.contract)
    yield from ("```text", " → ".join(life["path"]))
    yield f"before anybody answers: {' | '.join(life['before'])}"
    yield from (f"after somebody answered: {' | '.join(life['after'])}", "```")


def outcomes(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for outcome in tables.outcomes(page.sources.contract):
        words = ", ".join(f"`{word}`" for word in outcome["words"])
        yield f"- {words} → `{outcome['name']}`: {outcome['meaning']}"


def limits(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for limit in tables.limits(page.sources.contract):
        code = f" A larger one is rejected with `{limit['code']}`." if limit["code"] else ""
        yield f"- {limit['what']}: at most {limit['greatest']}.{code}"


def results(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for row in tables.results(page.sources.contract):
        yield (
            f"- `{row['status']}`: `transcript` is {row['transcript']}, "
            f"`duration` is {row['duration']}"
        )


def responses(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for row in tables.responses(page.sources.contract.operations[options["operation"]]):
        codes = ", ".join(f"`{code}`" for code in row["codes"])
        yield f"- {row['status']} {row['phrase']}: {row['meaning']}{f' ({codes})' if codes else ''}"


def scenarios(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for row in tables.scenarios(page.sources):
        yield f"- `{row['number']}` {row['name']}: {row['line']}"
        yield f"  `{row['command']}`: {', '.join(row['times']) or 'nothing happens'}."


def problem_index(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for status, codes in tables.problem_index().items():
        yield f"- {status} {phrase(status)}: {', '.join(f'`{code}`' for code in codes)}"


def rejection_order(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for number, stage in enumerate(STAGES, start=1):
        yield f"{number}. {stage.judges} ({', '.join(f'`{code}`' for code in stage.codes)})"


def serve_options_list(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for row in serve_options.options(options.get("names", "").split()):
        default = f" Default: {row['default']}." if row["default"] else ""
        yield f"- `{row['name']}` (`{row['variable']}`): {row['meaning']}{default}"


def command(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    shown = command_line.command(options["name"])
    yield from (f"`{shown['usage']}`", "")
    for paragraph in shown["paragraphs"]:
        yield from (paragraph, "")
    for row in shown["options"]:
        variable = f" (`{row['variable']}`)" if row["variable"] else ""
        default = f" Default: {row['default']}." if row["default"] else ""
        yield f"- `{row['name']}`{variable}: {row['meaning']}{default}"


def commands(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for row in command_line.commands():
        yield f"- `{row['name']}`: {row['meaning']}"


def exit_codes(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for row in command_line.codes():
        yield f"- `{row['code']}`: {row['meaning']}"


def workflows(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    for workflow in tables.workflows(page.sources):
        yield from (f"### {workflow['line']}", "")
        for number, step in enumerate(workflow["steps"], start=1):
            yield f"{number}. `{step['operation'].operation_id}` {step['line']}"
        yield ""


def problem(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    shown, never = card.problem_card(page, str(options["code"]))
    found = PROBLEMS[options["code"]]
    yield f"`{found.code}`, status {found.status}."
    yield from (found.meaning, found.remedy, "")
    if never:
        yield first_sentence(never)
    else:
        yield from try_api(page, shown)


def sandbox_inspector(page: Page, options: Mapping[str, Any]) -> Iterator[str]:
    yield "The inspector is an interactive page."
