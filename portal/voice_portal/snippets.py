"""The same requests as commands of curl, a program in Python (httpx2) and one in JavaScript.

A single request is a program in PHP, Go, Java and C# too. Each runs as it stands once
``VOICE_API_KEY`` is set.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from voice_portal.card_request import CardRequest
from voice_portal.compiled_snippets import COMPILED
from voice_portal.fence_options import FenceError
from voice_portal.links import LinkedValue

KEY_VARIABLE: Final = "VOICE_API_KEY"
_JSON: Final = "application/json"
_VARIABLE: Final = re.compile("(?:\ue000|%EE%80%80)(\\w+?)(?:\ue000|%EE%80%80)")
"""A marked variable, percent-encoded where it stands in a path."""
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


def snippets(
    requests: Sequence[CardRequest], *, base: str, fails: bool = False
) -> tuple[Snippet, ...]:
    """All requests in each language. One that ``fails`` on purpose shows its response all the same.

    What a later request takes from an earlier response is a variable.
    """
    taken: list[dict[str, LinkedValue]] = [{} for _ in requests]
    for request in requests:
        for value in request.linked:
            taken[value.request][value.name] = value
    filled = [request.filled(lambda value: _marked(value.name)) for request in requests]
    *earlier, last = filled
    before = list(zip(earlier, taken, strict=False))
    compiled = () if earlier else COMPILED
    return (
        _join("curl", "bash", [*(_earlier_curl(*each, base) for each in before), curl(last, base)]),
        _join(
            "Python",
            "python",
            [*(_earlier_python(*each, base) for each in before), python(last, base, fails=fails)],
            first="import os\n\nimport httpx2\n\n"
            if any(request.token is None for request in requests)
            else "import httpx2\n\n",
        ),
        _join(
            "JavaScript",
            "javascript",
            [
                *(_earlier_javascript(*each, base) for each in before),
                javascript(last, base, fails=fails),
            ],
        ),
        *(Snippet(one.label, one.lexer, *one.write(last, base)) for one in compiled),
    )


def _join(label: str, lexer: str, parts: Sequence[Any], first: str = "") -> Snippet:
    *earlier, (before, body, after) = parts
    start = first + "".join(f"{part}\n\n" for part in earlier)
    if not body:
        return Snippet(label, lexer, start + before + after, "", "")
    return Snippet(label, lexer, start + before, body, after)


def curl(request: CardRequest, base: str, *, silent: bool = False) -> tuple[str, str, str]:
    """One command: what stands before the body, the body, what stands after it."""
    text = request.text
    method = "" if request.method == "GET" else f"-X {request.method} "
    parts = [f"curl {'-s ' if silent else ''}{method}{_shell(base + request.target)}"]
    if request.token is None:
        parts.append(f'-H "Authorization: Bearer ${KEY_VARIABLE}"')
    elif request.token:
        parts.append(f'-H "Authorization: Bearer {request.token}"')
    if text is not None:
        parts.append(f'-H "Content-Type: {request.media_type}"')
    parts += [f"-H {_double_quoted(f'{name}: {value}')}" for name, value in request.headers.items()]
    between = " \\\n  "
    if text is None:
        return between.join(parts), "", ""
    if request.pad_to:
        # printf fills up with spaces in front, and curl reads a long body from its input.
        line = _quoted(json.dumps(request.body, ensure_ascii=False))
        command = between.join([*parts, "--data-binary @-"])
        return f"printf '%{request.pad_to}s' {line} |\n  {command}", "", ""
    body = _quoted(text if request.raw is not None else text.replace("\n", "\n  "))
    return between.join([*parts, "-d "]), body, ""


def _earlier_curl(request: CardRequest, taken: Mapping[str, LinkedValue], base: str) -> str:
    command = "".join(curl(request, base, silent=bool(taken)))
    if not taken:
        return command
    lines = [f"RESPONSE=$({command})"]
    for name, value in taken.items():
        *place, field = value.tokens
        if not isinstance(value.example, str) or any(t.isdigit() and t != "0" for t in place):
            raise FenceError(
                f"A command of curl cannot take {value.expression} from a response. Let the link "
                "name a text that is the first of its name there."
            )
        member = _quoted(f'"{field}": *"[^"]*"')
        lines.append(
            f'{name.upper()}=$(printf %s "$RESPONSE" | grep -o {member} | head -n 1'
            " | cut -d '\"' -f 4)"
        )
    return "\n".join(lines)


def python(request: CardRequest, base: str, *, fails: bool) -> tuple[str, str, str]:
    """One call of httpx2, which prints the response."""
    end = (
        "\nprint(response.status_code, response.text)"
        if fails
        else "\nresponse.raise_for_status()\nprint(response.json())"
    )
    return _python_call(request, base, start="response = ", end=end)


def _earlier_python(request: CardRequest, taken: Mapping[str, LinkedValue], base: str) -> str:
    call = _python_call(
        request,
        base,
        start="earlier = " if taken else "",
        end=".raise_for_status().json()" if taken else ".raise_for_status()",
    )
    lines = [f"{name} = earlier{_place(value)}" for name, value in taken.items()]
    return "\n".join(("".join(call), *lines))


def _python_call(request: CardRequest, base: str, *, start: str, end: str) -> tuple[str, str, str]:
    headers = []
    if request.token is None:
        headers.append(f'"Authorization": f"Bearer {{os.environ[\'{KEY_VARIABLE}\']}}"')
    elif request.token:
        headers.append(f'"Authorization": "Bearer {request.token}"')
    as_text = request.text is not None and (
        request.raw is not None or request.pad_to > 0 or request.media_type != _JSON
    )
    if as_text:
        headers.append(f'"Content-Type": {_python(request.media_type)}')
    headers += [f"{_python(name)}: {_python(value)}" for name, value in request.headers.items()]
    url = _VARIABLE.sub(r"{\1}", base + request.target)
    literal = _python(url) if url == base + request.target else f"f{_python(url)}"
    lines = [f"{start}httpx2.{request.method.lower()}(", f"    {literal},"]
    if len(headers) == 1:
        lines.append(f"    headers={{{headers[0]}}},")
    elif headers:
        lines += ["    headers={", *(f"        {header}," for header in headers), "    },"]
    before, body, after = "\n".join(lines) + "\n", "", f"){end}"
    if request.text is not None:
        if request.pad_to:
            line = _python(json.dumps(request.body, ensure_ascii=False))
            before += f"    content={line}.rjust({request.pad_to}),\n"
        elif as_text:
            before, body, after = before + "    content=", _python(request.text), f",\n{after}"
        else:
            body = _python(request.body, indent=4)
            before, after = before + "    json=", f",\n{after}"
    return before, body, after


def javascript(request: CardRequest, base: str, *, fails: bool) -> tuple[str, str, str]:
    """One call of fetch, which prints the response."""
    end = (
        "\nconsole.log(response.status, await response.text());"
        if fails
        else "\nif (!response.ok) throw new Error(`${response.status} ${await response.text()}`);"
        "\nconsole.log(await response.json());"
    )
    return _javascript_call(request, base, start="const response = ", end=end)


def _earlier_javascript(request: CardRequest, taken: Mapping[str, LinkedValue], base: str) -> str:
    number = next((value.request + 1 for value in taken.values()), 0)
    call = _javascript_call(
        request,
        base,
        start=f"const response{number} = " if taken else "",
        end=f"\nconst body{number} = await response{number}.json();" if taken else "",
    )
    lines = [f"const {name} = body{number}{_place(value)};" for name, value in taken.items()]
    return "\n".join(("".join(call), *lines))


def _javascript_call(
    request: CardRequest, base: str, *, start: str, end: str
) -> tuple[str, str, str]:
    headers = _javascript_headers(request)
    url = _VARIABLE.sub(r"${\1}", base + request.target)
    literal = json.dumps(url) if url == base + request.target else f"`{url}`"
    lines = [f"{start}await fetch({literal}, {{"]
    if request.method != "GET":
        lines.append(f'  method: "{request.method}",')
    if len(headers) == 1:
        lines.append(f"  headers: {{ {headers[0]} }},")
    elif headers:
        lines += ["  headers: {", *(f"    {header}," for header in headers), "  },"]
    before, body, after = "\n".join(lines) + "\n", "", f"}});{end}"
    if request.text is not None:
        if request.pad_to:
            line = f"JSON.stringify({_javascript(request.body, indent=2)})"
            before += f"  body: {line}.padStart({request.pad_to}),\n"
        elif request.raw is not None:
            before, body, after = before + "  body: ", json.dumps(request.raw), f",\n{after}"
        else:
            body = _javascript(request.body, indent=2)
            before, after = before + "  body: JSON.stringify(", f"),\n{after}"
    if not headers and lines[-1].endswith("{") and request.text is None:
        before, after = before.removesuffix(", {\n"), after.removeprefix("}")
    return before, body, after


def _javascript_headers(request: CardRequest) -> list[str]:
    """Each header as a member of an object."""
    headers = []
    if request.token is None:
        headers.append(f"Authorization: `Bearer ${{process.env.{KEY_VARIABLE}}}`")
    elif request.token:
        headers.append(f'Authorization: "Bearer {request.token}"')
    if request.text is not None:
        headers.append(f'"Content-Type": {json.dumps(request.media_type)}')
    headers += [
        f"{name if _IDENTIFIER.match(name) else json.dumps(name)}: {_javascript(value)}"
        for name, value in request.headers.items()
    ]
    return headers


def _marked(name: str) -> str:
    """What stands for a variable until a program is written, as no other text has it."""
    return f"\ue000{name}\ue000"


def _place(value: LinkedValue) -> str:
    """Such as ``["agents"][0]["key"]``, in Python and JavaScript alike."""
    return "".join(f"[{t if t.isdigit() else json.dumps(t)}]" for t in value.tokens)


def _shell(text: str) -> str:
    """The text as one word of a POSIX shell, quoted only where it must be."""
    if _VARIABLE.search(text):
        return _double_quoted(text)
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text, re.ASCII) else _quoted(text)


def _quoted(text: str) -> str:
    quoted = "'" + text.replace("'", "'\\''") + "'"
    return _VARIABLE.sub(lambda found: f"'\"${found[1].upper()}\"'", quoted)


def _double_quoted(text: str) -> str:
    quoted = '"' + re.sub(r'([$`"\\])', r"\\\1", text) + '"'
    return _VARIABLE.sub(lambda found: f"${{{found[1].upper()}}}", quoted)


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
        return _text(value)
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
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    """A string literal of Python and JavaScript alike, or the variable that the text stands for."""
    variable = _VARIABLE.fullmatch(value)
    return variable[1] if variable else json.dumps(value, ensure_ascii=False)
