"""One request as a program in PHP, Go, Java and C#, with nothing but what comes with the language.

The body stands in it as JSON text, in the form of literal that the language has for text of several
lines. Each program runs as it stands once ``VOICE_API_KEY`` is set, and prints status and body.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from voice_portal.card_request import CardRequest

_KEY: Final = "VOICE_API_KEY"


@dataclass(frozen=True, slots=True)
class Language:
    """How a program is written."""

    label: str
    lexer: str
    program: Callable[[CardRequest, str], tuple[str, str]]
    """What stands before the body and after it; without a body the first is the whole."""
    block: Callable[[str], str]
    """JSON text as a literal of several lines."""
    quoted: Callable[[str], str]
    """Any text as a literal of one line."""
    padded: Callable[[str, int], str]
    """A literal with blanks in front, up to so many characters."""

    def write(self, request: CardRequest, base: str) -> tuple[str, str, str]:
        """What stands before the body, the body, and what stands after it."""
        before, after = self.program(request, base)
        return before, self._body(request), after

    def _body(self, request: CardRequest) -> str:
        if request.text is None:
            return ""
        if request.raw is not None:
            return self.quoted(request.raw)
        if request.pad_to:
            line = json.dumps(request.body, ensure_ascii=False)
            return self.padded(self.quoted(line), request.pad_to)
        return self.block(request.text)


def _indented(text: str, blanks: int) -> str:
    """JSON of several lines; no other character than its own line breaks begins one."""
    return " " * blanks + text.replace("\n", "\n" + " " * blanks)


def _headers(request: CardRequest, token: str) -> Iterator[tuple[str, str]]:
    """Names and literals; ``token`` is the literal of the header with the reader's key."""
    if request.token is None:
        yield "Authorization", token
    elif request.token:
        yield "Authorization", json.dumps(f"Bearer {request.token}")
    if request.text is not None:
        yield "Content-Type", json.dumps(request.media_type)
    yield from ((name, json.dumps(value)) for name, value in request.headers.items())


def _php(request: CardRequest, base: str) -> tuple[str, str]:
    lines = [
        "<?php",
        f"$curl = curl_init({_php_quoted(base + request.target)});",
        "curl_setopt_array($curl, [",
        "    CURLOPT_RETURNTRANSFER => true,",
    ]
    if request.method != "GET":
        lines.append(f'    CURLOPT_CUSTOMREQUEST => "{request.method}",')
    lines.append("    CURLOPT_HTTPHEADER => [")
    for name, value in _headers(request, ""):
        if value:
            lines.append(f"        {_php_quoted(f'{name}: {json.loads(value)}')},")
        else:
            lines.append(f'        "{name}: Bearer " . getenv("{_KEY}"),')
    lines.append("    ],")
    end = [
        "]);",
        "$response = curl_exec($curl);",
        'echo curl_getinfo($curl, CURLINFO_RESPONSE_CODE), " ", $response, "\\n";',
    ]
    if request.text is None:
        return "\n".join([*lines, *end]), ""
    return "\n".join([*lines, "    CURLOPT_POSTFIELDS => "]), "\n".join([",", *end])


def _php_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _go(request: CardRequest, base: str) -> tuple[str, str]:
    uses_key = request.token is None
    packages = ["fmt", "io", "net/http", *(["os"] if uses_key else [])]
    packages += ["strings"] if request.text is not None else []
    body = "nil" if request.text is None else "body"
    lines = [
        "package main",
        "",
        "import (",
        *(f'\t"{name}"' for name in packages),
        ")",
        "",
        "func main() {",
    ]
    end = [
        f'\trequest, err := http.NewRequest("{request.method}", '
        f"{json.dumps(base + request.target)}, {body})",
        *_GO_CHECK,
        *(
            f"\trequest.Header.Set({json.dumps(name)}, {value})"
            for name, value in _headers(request, f'"Bearer "+os.Getenv("{_KEY}")')
        ),
        "\tresponse, err := http.DefaultClient.Do(request)",
        *_GO_CHECK,
        "\tdefer response.Body.Close()",
        "\ttext, err := io.ReadAll(response.Body)",
        *_GO_CHECK,
        "\tfmt.Println(response.StatusCode, string(text))",
        "}",
    ]
    if request.text is None:
        return "\n".join([*lines, *end]), ""
    return "\n".join([*lines, "\tbody := strings.NewReader("]), "\n".join([")", *end])


_GO_CHECK: Final = ("\tif err != nil {", "\t\tpanic(err)", "\t}")


def _java(request: CardRequest, base: str) -> tuple[str, str]:
    lines = [
        *(f"import java.net.{name};" for name in _JAVA_CLASSES),
        "",
        "public class Main {",
        "    public static void main(String[] args) throws Exception {",
        "        var request = HttpRequest"
        f".newBuilder(URI.create({json.dumps(base + request.target)}))",
        *(
            f"            .header({json.dumps(name)}, {value})"
            for name, value in _headers(request, f'"Bearer " + System.getenv("{_KEY}")')
        ),
    ]
    end = [
        "            .build();",
        "        var response = HttpClient.newHttpClient()",
        "            .send(request, HttpResponse.BodyHandlers.ofString());",
        '        System.out.println(response.statusCode() + " " + response.body());',
        "    }",
        "}",
    ]
    publisher = "HttpRequest.BodyPublishers."
    if request.text is None:
        if request.method != "GET":
            lines.append(f'            .method("{request.method}", {publisher}noBody())')
        return "\n".join([*lines, *end]), ""
    start = f'            .method("{request.method}", {publisher}ofString('
    return "\n".join([*lines, start]), "\n".join(["))", *end])


_JAVA_CLASSES: Final = ("URI", "http.HttpClient", "http.HttpRequest", "http.HttpResponse")


def _csharp(request: CardRequest, base: str) -> tuple[str, str]:
    key = f'"Bearer " + Environment.GetEnvironmentVariable("{_KEY}")'
    lines = [
        "using var client = new HttpClient();",
        f'using var request = new HttpRequestMessage(new HttpMethod("{request.method}"),',
        f"    {json.dumps(base + request.target)});",
        *(
            f"request.Headers.TryAddWithoutValidation({json.dumps(name)}, {value});"
            for name, value in _headers(request, key)
            if name != "Content-Type"
        ),
    ]
    end = [
        "using var response = await client.SendAsync(request);",
        "var text = await response.Content.ReadAsStringAsync();",
        'Console.WriteLine($"{(int)response.StatusCode} {text}");',
    ]
    if request.text is None:
        return "\n".join([*lines, *end]), ""
    after = [");", f"request.Content.Headers.ContentType = new({json.dumps(request.media_type)});"]
    return "\n".join([*lines, "request.Content = new StringContent("]), "\n".join([*after, *end])


COMPILED: Final = (
    Language(
        "PHP",
        "php",
        _php,
        block=lambda text: f"<<<'JSON'\n{_indented(text, 8)}\n        JSON",
        quoted=_php_quoted,
        padded=lambda literal, length: f'str_pad({literal}, {length}, " ", STR_PAD_LEFT)',
    ),
    Language(
        "Go",
        "go",
        _go,
        # A raw string has no escape for its own quote, but JSON has one.
        block=lambda text: "`" + text.replace("`", "\\u0060") + "`",
        quoted=json.dumps,
        padded=lambda literal, length: f'fmt.Sprintf("%{length}s", {literal})',
    ),
    Language(
        "Java",
        "java",
        _java,
        block=lambda text: '"""\n' + _indented(text.replace("\\", "\\\\"), 16) + '"""',
        quoted=json.dumps,
        padded=lambda literal, length: f'String.format("%{length}s", {literal})',
    ),
    Language(
        "C#",
        "csharp",
        _csharp,
        block=lambda text: f'"""\n{_indented(text, 4)}\n    """',
        quoted=json.dumps,
        padded=lambda literal, length: f"{literal}.PadLeft({length})",
    ),
)
