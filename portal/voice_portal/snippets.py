"""The same requests as commands of curl, a program in Python (httpx) and one in JavaScript.

Each runs as it stands once ``VOICE_API_KEY`` is set; the tests run every one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from voice_portal.step import Step

KEY_VARIABLE: Final = "VOICE_API_KEY"
_JSON: Final = "application/json"
_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][\w$]*\Z")


@dataclass(frozen=True, slots=True)
class Snippet:
    """``body`` is the part that changes when a reader edits the request, empty without one."""

    label: str
    lexer: str
    before: str
    body: str
    after: str

    @property
    def code(self) -> str:
        return self.before + self.body + self.after


def snippets(steps: Sequence[Step], *, base: str, refused: bool = False) -> tuple[Snippet, ...]:
    """All steps in each language. A request that is ``refused`` shows its answer all the same."""
    return (
        _join("curl", "bash", [curl(step, base) for step in steps]),
        _join(
            "Python",
            "python",
            [python(s, base, last=s is steps[-1], refused=refused) for s in steps],
            first="import os\n\nimport httpx\n\n"
            if any(step.token is None for step in steps)
            else "import httpx\n\n",
        ),
        _join(
            "JavaScript",
            "javascript",
            [javascript(s, base, last=s is steps[-1], refused=refused) for s in steps],
        ),
    )


def _join(
    label: str, lexer: str, parts: Sequence[tuple[str, str, str]], first: str = ""
) -> Snippet:
    *earlier, (before, body, after) = parts
    start = first + "".join("".join(part) + "\n\n" for part in earlier)
    if not body:
        return Snippet(label, lexer, start + before + after, "", "")
    return Snippet(label, lexer, start + before, body, after)


def curl(step: Step, base: str) -> tuple[str, str, str]:
    """One command: what stands before the body, the body, what stands after it."""
    text = step.text
    method = "" if step.method == "GET" else f"-X {step.method} "
    parts = [f"curl {method}{_shell(base + step.target)}"]
    if step.token is None:
        parts.append(f'-H "Authorization: Bearer ${KEY_VARIABLE}"')
    elif step.token:
        parts.append(f'-H "Authorization: Bearer {step.token}"')
    if text is not None:
        parts.append(f'-H "Content-Type: {step.media_type}"')
    parts += [f"-H {_double_quoted(f'{name}: {value}')}" for name, value in step.headers.items()]
    between = " \\\n  "
    if text is None:
        return between.join(parts), "", ""
    if step.pad_to:
        # printf fills up with spaces in front, and curl reads a long body from its input.
        line = _quoted(json.dumps(step.body, ensure_ascii=False))
        return (
            f"printf '%{step.pad_to}s' {line} |\n  {between.join([*parts, '--data-binary @-'])}",
            "",
            "",
        )
    body = _quoted(text if step.raw is not None else text.replace("\n", "\n  "))
    return between.join([*parts, "-d "]), body, ""


def python(step: Step, base: str, *, last: bool, refused: bool) -> tuple[str, str, str]:
    """One call of httpx. The last one prints what was answered."""
    headers = []
    if step.token is None:
        headers.append(f'"Authorization": f"Bearer {{os.environ[\'{KEY_VARIABLE}\']}}"')
    elif step.token:
        headers.append(f'"Authorization": "Bearer {step.token}"')
    as_text = step.text is not None and (
        step.raw is not None or step.pad_to > 0 or step.media_type != _JSON
    )
    if as_text:
        headers.append(f'"Content-Type": {_python(step.media_type)}')
    headers += [f"{_python(name)}: {_python(value)}" for name, value in step.headers.items()]
    call = f"httpx.{step.method.lower()}("
    lines = [f"answer = {call}" if last else call, f"    {_python(base + step.target)},"]
    if len(headers) == 1:
        lines.append(f"    headers={{{headers[0]}}},")
    elif headers:
        lines += ["    headers={", *(f"        {header}," for header in headers), "    },"]
    after = ")"
    if not last:
        after += ".raise_for_status()"
    elif refused:
        after += "\nprint(answer.status_code, answer.text)"
    else:
        after += "\nanswer.raise_for_status()\nprint(answer.json())"
    before, body = "\n".join(lines) + "\n", ""
    if step.text is not None:
        if step.pad_to:
            line = _python(json.dumps(step.body, ensure_ascii=False))
            before += f"    content={line}.rjust({step.pad_to}),\n"
        elif as_text:
            before, body, after = before + "    content=", _python(step.text), f",\n{after}"
        else:
            body = _python(step.body, indent=4)
            before, after = before + "    json=", f",\n{after}"
    return before, body, after


def javascript(step: Step, base: str, *, last: bool, refused: bool) -> tuple[str, str, str]:
    """One call of fetch. The last one prints what was answered."""
    headers = []
    if step.token is None:
        headers.append(f"Authorization: `Bearer ${{process.env.{KEY_VARIABLE}}}`")
    elif step.token:
        headers.append(f'Authorization: "Bearer {step.token}"')
    if step.text is not None:
        headers.append(f'"Content-Type": {json.dumps(step.media_type)}')
    headers += [
        f"{name if _IDENTIFIER.match(name) else json.dumps(name)}: {json.dumps(value)}"
        for name, value in step.headers.items()
    ]
    call = f"await fetch({json.dumps(base + step.target)}, {{"
    lines = [f"const answer = {call}" if last else call]
    if step.method != "GET":
        lines.append(f'  method: "{step.method}",')
    if len(headers) == 1:
        lines.append(f"  headers: {{ {headers[0]} }},")
    elif headers:
        lines += ["  headers: {", *(f"    {header}," for header in headers), "  },"]
    after = "});"
    if last and refused:
        after += "\nconsole.log(answer.status, await answer.text());"
    elif last:
        after += (
            "\nif (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);"
            "\nconsole.log(await answer.json());"
        )
    before, body = "\n".join(lines) + "\n", ""
    if step.text is not None:
        if step.pad_to:
            line = f"JSON.stringify({_javascript(step.body, indent=2)})"
            before += f"  body: {line}.padStart({step.pad_to}),\n"
        elif step.raw is not None:
            before, body, after = before + "  body: ", json.dumps(step.raw), f",\n{after}"
        else:
            body = _javascript(step.body, indent=2)
            before, after = before + "  body: JSON.stringify(", f"),\n{after}"
    if not headers and lines[-1].endswith("{") and step.text is None:
        before, after = before.removesuffix(", {\n"), after.removeprefix("}")
    return before, body, after


def _shell(text: str) -> str:
    """The text as one word of a POSIX shell, quoted only where it must be."""
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text, re.ASCII) else _quoted(text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _double_quoted(text: str) -> str:
    return '"' + re.sub(r'([$`"\\])', r"\\\1", text) + '"'


def _python(value: Any, *, indent: int = 0) -> str:
    if isinstance(value, dict):
        lines = [
            f"{' ' * (indent + 4)}{_python(key)}: {_python(item, indent=indent + 4)},"
            for key, item in value.items()
        ]
        return "\n".join(("{", *lines, " " * indent + "}"))
    if isinstance(value, list):
        return f"[{', '.join(_python(item, indent=indent) for item in value)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


def _javascript(value: Any, *, indent: int = 0) -> str:
    if isinstance(value, dict):
        lines = [
            f"{' ' * (indent + 2)}{key if _IDENTIFIER.match(key) else json.dumps(key)}: "
            f"{_javascript(item, indent=indent + 2)},"
            for key, item in value.items()
        ]
        return "\n".join(("{", *lines, " " * indent + "}"))
    if isinstance(value, list):
        return f"[{', '.join(_javascript(item, indent=indent) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)
