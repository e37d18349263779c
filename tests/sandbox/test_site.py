"""The portal beside the API: its folder and nothing else, with a fitting 404 for everybody."""

import base64
import gzip
import hashlib
import mimetypes
import os
import shutil
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from starlette.types import Receive, Scope, Send

from sandbox_process import ROOT
from voice_sandbox import create_app
from voice_sandbox.contract.reader import find_contract
from voice_sandbox.http.proxy import proxies
from voice_sandbox.server.uvicorn_server import layered
from voice_sandbox.site.content_security_policy import ContentSecurityPolicy
from voice_sandbox.site.media_types import media_type_of

from .conftest import FakeWall, RawResponse, Sandbox, raw_request, running_sandbox

pytestmark = pytest.mark.anyio
BROWSER = [(b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8")]
SECRET = "outside the folder"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A built site, beside a file that is not part of it."""
    (tmp_path / "secret.txt").write_text(SECRET)
    site = tmp_path / "site"
    (site / "calls").mkdir(parents=True)
    (site / "index.html").write_text("<title>Overview</title>")
    (site / "404.html").write_text("<title>Not here</title>")
    (site / "calls" / "index.html").write_text("<title>Calls</title>")
    (site / "style.css").write_text("body {}")
    (site / "link.txt").symlink_to(tmp_path / "secret.txt")
    (site / "linked").symlink_to(tmp_path)
    return site


@pytest.fixture
async def portal(folder: Path, wall: FakeWall) -> AsyncIterator[Sandbox]:
    async with running_sandbox("sqlite:///:memory:", wall, site=folder) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("path", "text"),
    [("/", "Overview"), ("/calls/", "Calls"), ("/style.css", "body"), ("/index.html", "Overview")],
)
async def test_serves_the_site(portal: Sandbox, path: str, text: str) -> None:
    """Pages and files of the built site are served without a token."""
    response = await portal.raw("GET", path)
    assert (response.status, text in response.body.decode()) == (200, True)


async def test_folder_leads_to_its_page(portal: Sandbox) -> None:
    """A page without its trailing slash is found all the same."""
    response = await portal.raw("GET", "/calls")
    assert response.status in (301, 302, 307, 308)
    assert (response.header("location") or "").endswith("/calls/")


async def test_head_has_no_body(portal: Sandbox) -> None:
    """HEAD answers as GET does, without the body."""
    response = await portal.raw("HEAD", "/")
    assert (response.status, response.body) == (200, b"")


TRAVERSALS = [
    "/../secret.txt",
    "/../../secret.txt",
    "/calls/../../secret.txt",
    "/./../secret.txt",
    "//secret.txt",
    "/..\\secret.txt",
    "/calls/..\\..\\secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/....//secret.txt",
    "/.../secret.txt",
    "/..;/secret.txt",
    "/link.txt",
    "/linked/secret.txt",
    "/C:/secret.txt",
    "/C:\\secret.txt",
    "/\\\\host\\share\\secret.txt",
    "/secret.txt::$DATA",
    "/CON",
    "/calls%5c..%5c..%5csecret.txt",
    "/calls/..",
    "/..",
    "/~/secret.txt",
    "/secret.txt\0.html",
    "/\0",
    "/../secret.txt\0",
    "/" + "a" * 5000,
    "/" + "a/" * 5000,
    "/index.html/",
    "/index.html/../../secret.txt",
    "/\udcff\udcfe",
    "/\ufffd",
    "/\n",
]


@pytest.mark.parametrize("path", TRAVERSALS, ids=ascii)
@pytest.mark.parametrize("headers", [[], BROWSER], ids=["program", "browser"])
async def test_never_leaves_the_folder(
    portal: Sandbox, path: str, headers: list[tuple[bytes, bytes]]
) -> None:
    """However a path is written, nothing outside the folder is read and nothing breaks."""
    response = await portal.raw("GET", path, headers=headers)
    assert SECRET not in response.body.decode()
    assert response.status < 500


async def test_absolute_path_never_leaves_the_folder(portal: Sandbox, tmp_path: Path) -> None:
    """The path of a file on this machine is not a path of the site."""
    response = await portal.raw("GET", f"/{tmp_path}/secret.txt")
    assert SECRET not in response.body.decode()


async def test_browser_gets_the_site_s_own_404(portal: Sandbox) -> None:
    """A person who lost the way sees a page."""
    response = await portal.raw("GET", "/gone", headers=BROWSER)
    assert (response.status, b"Not here" in response.body) == (404, True)


@pytest.mark.parametrize("accept", [None, b"*/*", b"application/json"])
async def test_program_gets_a_problem(portal: Sandbox, accept: bytes | None) -> None:
    """A program that lost the way gets a problem document."""
    headers = [] if accept is None else [(b"accept", accept)]
    assert _is_not_found(await portal.raw("GET", "/gone", headers=headers))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
@pytest.mark.parametrize("path", ["/", "/gone", "/calls/"])
async def test_other_method_gets_a_problem(portal: Sandbox, method: str, path: str) -> None:
    """Only reading makes sense beside the API, for a browser too."""
    assert _is_not_found(await portal.raw(method, path, headers=BROWSER))


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/gone", "/v1/calls/", "/sandbox/gone"])
async def test_api_paths_are_never_pages(portal: Sandbox, path: str) -> None:
    """Under the API's own roots even a browser gets a problem."""
    assert _is_not_found(await portal.raw("GET", path, headers=BROWSER))


async def test_path_that_only_begins_like_the_api_is_the_site_s(portal: Sandbox) -> None:
    """The API owns whole path segments."""
    response = await portal.raw("GET", "/v1x", headers=BROWSER)
    assert b"Not here" in response.body


async def test_without_a_site_everything_else_is_a_problem() -> None:
    """A sandbox that serves the API alone says so at every other path."""
    assert _is_not_found(await raw_request(create_app(), "GET", "/", headers=BROWSER))


def _is_not_found(response: RawResponse) -> bool:
    assert response.header("content-type") == "application/problem+json"
    return (response.status, response.json()["code"]) == (404, "not_found")


GZIP = [(b"accept-encoding", b"br;q=0.9, gzip, deflate")]


async def test_text_travels_compressed(portal: Sandbox, folder: Path) -> None:
    """A client that takes gzip gets it, one that does not gets the file as it stands."""
    (folder / "long.css").write_text("body { color: red }\n" * 100)
    packed = await portal.raw("GET", "/long.css", headers=GZIP)
    plain = await portal.raw("GET", "/long.css")
    assert packed.header("content-encoding") == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 4
    assert packed.header("vary") == plain.header("vary") == "Accept-Encoding"
    assert packed.header("etag") != plain.header("etag")
    rejected = await portal.raw(
        "GET", "/long.css", headers=[(b"accept-encoding", b"gzip;q=0, identity")]
    )
    assert rejected.header("content-encoding") is None


async def test_client_that_has_the_content_gets_none(portal: Sandbox, folder: Path) -> None:
    """The tag goes by content: unchanged content is 304, changed content is sent."""
    tag = (await portal.raw("GET", "/style.css")).header("etag") or ""
    condition = [(b"if-none-match", f'"other", W/{tag}'.encode())]
    (folder / "style.css").touch()
    again = await portal.raw("GET", "/style.css", headers=condition)
    assert (again.status, again.body, again.header("etag")) == (304, b"", tag)
    (folder / "style.css").write_text("body { color: blue }")
    changed = await portal.raw("GET", "/style.css", headers=condition)
    assert (changed.status, changed.header("etag") == tag) == (200, False)


@pytest.mark.parametrize(
    ("name", "kept"),
    [("bundle.a5f9d56c.min.js", True), ("try-api.js", False), ("index.html", False)],
)
async def test_only_what_names_its_hash_is_kept(
    portal: Sandbox, folder: Path, name: str, kept: bool
) -> None:
    """A browser asks again for everything whose content may change under its name."""
    (folder / name).write_text("content")
    response = await portal.raw("GET", f"/{name}")
    assert ("immutable" in (response.header("cache-control") or "")) == kept


async def test_page_for_unknown_addresses_is_never_not_modified(portal: Sandbox) -> None:
    """A 404 stays a 404, whatever the client has."""
    response = await portal.raw("GET", "/gone", headers=[*BROWSER, (b"if-none-match", b"*")])
    assert response.status == 404


# What a page may do in a browser


def _policy(response: RawResponse) -> dict[str, str]:
    """The directives of a response's policy."""
    parts = (response.header("content-security-policy") or "").split(";")
    return dict(part.strip().split(" ", 1) for part in parts)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize("path", ["/", "/calls/", "/style.css", "/calls", "/gone"])
async def test_every_response_of_the_site_carries_its_policy(portal: Sandbox, path: str) -> None:
    """Pages, files, redirects and the 404 page say the same about what they may do."""
    response = await portal.raw("GET", path, headers=BROWSER)
    assert _policy(response)["default-src"] == "'none'"
    assert response.header("referrer-policy") == "same-origin"
    assert response.header("cross-origin-opener-policy") == "same-origin"
    assert response.header("cross-origin-resource-policy") == "same-origin"
    assert "camera=()" in (response.header("permissions-policy") or "")


async def test_unchanged_page_carries_it_too(portal: Sandbox) -> None:
    """A browser that keeps a page takes over the headers of the 304."""
    tag = (await portal.raw("GET", "/")).header("etag") or ""
    again = await portal.raw("GET", "/", headers=[(b"if-none-match", tag.encode())])
    assert (again.status, "default-src" in _policy(again)) == (304, True)


async def test_policy_allows_what_the_pages_hold(portal: Sandbox, folder: Path) -> None:
    """Inline scripts, handlers and styles of any page are allowed on every page, by hash."""
    page = folder / "calls" / "index.html"
    page.write_text(
        "<script>\nrun();\n</script><script src='x.js'></script>"
        '<script type="application/json">{"data": 1}</script><style>b { top: 0 }</style>'
        '<b style="color: &quot;red&quot;" onload="go(&amp;x)">'
    )
    policy = _policy(await portal.raw("GET", "/"))
    assert policy["script-src"] == f"'self' {_hash(chr(10) + 'run();' + chr(10))}"
    assert policy["script-src-attr"] == f"'unsafe-hashes' {_hash('go(&x)')}"
    assert policy["style-src"] == f"'self' {_hash('b { top: 0 }')}"
    assert (
        policy["style-src-attr"]
        == f"'unsafe-hashes' {_hash('color: ' + chr(34) + 'red' + chr(34))}"
    )


async def test_policy_follows_a_new_build(portal: Sandbox, folder: Path) -> None:
    """Pages that are built anew while the sandbox runs are allowed what they hold now."""
    assert _policy(await portal.raw("GET", "/"))["script-src"] == "'self'"
    (folder / "index.html").write_text("<script>later()</script>")
    assert _hash("later()") in _policy(await portal.raw("GET", "/"))["script-src"]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("", "'self'"),
        ("https://sandbox.example.com:8443", "'self' https://sandbox.example.com:8443"),
        ("https://x; script-src *", "'self' https://x"),
        ("javascript:alert(1)", "'self'"),
    ],
)
async def test_cards_may_ask_the_sandbox_of_the_build(
    portal: Sandbox, folder: Path, origin: str, allowed: str
) -> None:
    """The origin that cards were built to send to is the one other that pages may ask."""
    meta = f'<meta name="voice-sandbox" content="{origin}" data-written="x">'
    (folder / "index.html").write_text(meta)
    assert _policy(await portal.raw("GET", "/"))["connect-src"] == allowed


@pytest.mark.parametrize("path", ["/calls", "//calls", "///calls", "/./calls"])
async def test_redirect_never_leaves_the_site(portal: Sandbox, path: str) -> None:
    """The way to a folder's page is a path, so neither `Host` nor slashes lead elsewhere."""
    response = await portal.raw("GET", path, headers=[(b"host", b"evil.example"), *BROWSER])
    location = response.header("location")
    assert location is None or (location[0] == "/" != location[1] and location.endswith("calls/"))


# A site that is built anew


async def test_file_that_vanished_is_404(portal: Sandbox, folder: Path) -> None:
    """What the last build had and this one has not is not there, and comes back with the next."""
    paths = ("/", "/calls/", "/style.css")
    assert [(await portal.raw("GET", path)).status for path in paths] == [200] * 3
    folder.rename(folder.with_name("old"))
    assert [(await portal.raw("GET", path)).status for path in paths] == [404] * 3
    folder.with_name("old").rename(folder)
    assert [(await portal.raw("GET", path)).status for path in paths] == [200] * 3


async def test_file_that_vanishes_while_it_is_served_is_404(
    portal: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between finding a file and reading it a build may remove it."""
    read_bytes = Path.read_bytes

    def vanish(path: Path) -> bytes:
        path.unlink()
        return read_bytes(path)

    (folder / "brief.css").write_text("a {}")
    monkeypatch.setattr(Path, "read_bytes", vanish)
    assert (await portal.raw("GET", "/brief.css")).status == 404


@pytest.mark.parametrize("kind", ["loop", "nowhere", "pipe", "folder"])
async def test_what_is_no_file_is_404(portal: Sandbox, folder: Path, kind: str) -> None:
    """Only files are served, whatever else has a name in the folder."""
    odd = folder / "odd.css"
    if kind in ("loop", "nowhere"):
        odd.symlink_to(odd if kind == "loop" else folder / "missing.css")
    elif kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.mkdir()
    assert (await portal.raw("GET", "/odd.css")).status == 404


async def test_site_may_be_built_after_the_start(tmp_path: Path, wall: FakeWall) -> None:
    """A folder that is not there yet is an empty site."""
    site = tmp_path / "later"
    async with running_sandbox("sqlite:///:memory:", wall, site=site) as sandbox:
        assert (await sandbox.raw("GET", "/", headers=BROWSER)).status == 404
        site.mkdir()
        (site / "index.html").write_text("<title>Here</title>")
        assert (await sandbox.raw("GET", "/", headers=BROWSER)).status == 200


async def test_disk_is_never_waited_for_by_everybody(
    portal: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are looked up, read and looked through outside of the event loop's thread."""
    threads: list[int] = []

    def noted(name: str) -> None:
        original = getattr(os, name)

        def note(*arguments: object, **options: object) -> object:
            threads.append(threading.get_ident())
            return original(*arguments, **options)

        monkeypatch.setattr(os, name, note)

    for name in ("stat", "walk", "lstat"):
        noted(name)
    for path in ("/", "/style.css", "/missing"):
        await portal.raw("GET", path, headers=BROWSER)
    assert threads
    assert threading.get_ident() not in threads


def test_folder_is_looked_at_once_a_second(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files are asked for, the pages are looked through once a second."""
    now = 100.0
    looks: list[float] = []
    walk = os.walk

    def note(top: str) -> object:
        looks.append(now)
        return walk(top)

    monkeypatch.setattr(os, "walk", note)
    policy = ContentSecurityPolicy(folder, monotonic=lambda: now)
    for _ in range(100):
        policy.headers()
    assert looks == [100.0]
    (folder / "new.html").write_text("<script>later()</script>")
    now = 100.9
    policy.headers()
    assert looks == [100.0]
    now = 101.0
    assert _hash("later()") in policy.headers()["Content-Security-Policy"]
    shutil.rmtree(folder)
    now = 102.0
    assert _hash("later()") not in policy.headers()["Content-Security-Policy"]


# Addresses follow the reader


WRITTEN = "http://127.0.0.1:8010"
TEXTS = (
    "llms.txt",
    "llms-full.txt",
    "openapi.yaml",
    "openapi.json",
    "postman.json",
    ".well-known/api-catalog",
    "a/index.md",
    "a/",
)


@pytest.fixture
def texts(folder: Path) -> Path:
    """A site whose texts name the address that the build wrote."""
    (folder / "index.html").write_text(f'<meta name=x data-written="{WRITTEN}">')
    (folder / "a").mkdir()
    (folder / "examples").mkdir()
    (folder / ".well-known").mkdir()
    for name in (*TEXTS, "examples/recipe.txt", "examples/manifest.yaml"):
        file = folder / (f"{name}index.html" if name.endswith("/") else name)
        file.write_text(f"{WRITTEN}/v1 {WRITTEN} {WRITTEN}0 [a]({WRITTEN}/a/) " * 20)
    return folder


def _body(response: RawResponse) -> str:
    return response.body.decode()


@pytest.mark.parametrize("name", TEXTS)
async def test_text_names_the_origin_it_was_fetched_from(
    portal: Sandbox, texts: Path, name: str
) -> None:
    """Whoever copies a text copies the address that they can reach."""
    response = await portal.raw("GET", f"/{name}", headers=[(b"host", b"voice.example.com:8443")])
    assert response.status == 200
    assert _body(response).startswith(
        "http://voice.example.com:8443/v1 http://voice.example.com:84"
    )
    assert f"{WRITTEN}0 " in _body(response)  # the port of something else
    assert WRITTEN not in _body(response).replace(f"{WRITTEN}0", "")


@pytest.mark.parametrize("name", ["examples/recipe.txt", "examples/manifest.yaml"])
async def test_example_stays_as_it_was_built(portal: Sandbox, texts: Path, name: str) -> None:
    """An example may mean another machine than the reader's."""
    response = await portal.raw("GET", f"/{name}", headers=[(b"host", b"voice.example.com")])
    assert "voice.example.com" not in _body(response)


async def test_page_keeps_the_note_of_what_the_build_wrote(portal: Sandbox, texts: Path) -> None:
    """Scripts learn the usual port of a sandbox from it."""
    response = await portal.raw("GET", "/", headers=[(b"host", b"voice.example.com")])
    assert _body(response) == (texts / "index.html").read_text()


async def test_page_that_was_built_for_another_sandbox_stays_as_it_is(
    portal: Sandbox, texts: Path
) -> None:
    """Cards go to the sandbox that the build named, and so do the commands beside them."""
    meta = f'<meta name="voice-sandbox" content="{WRITTEN}" data-written="{WRITTEN}">'
    (texts / "a" / "index.html").write_text(meta)
    response = await portal.raw("GET", "/a/", headers=[(b"host", b"voice.example.com")])
    assert _body(response) == meta


async def test_text_of_each_origin_has_its_own_etag(portal: Sandbox, texts: Path) -> None:
    """No cache takes the text of one origin for that of another."""
    hosts = (b"127.0.0.1:8010", b"a.example.com", b"b.example.com")
    responses = [await portal.raw("GET", "/llms.txt", headers=[(b"host", host)]) for host in hosts]
    tags = {response.header("etag") for response in responses}
    assert len(tags) == len(hosts)
    for host, response in zip(hosts, responses, strict=True):
        known = [(b"host", host), (b"if-none-match", str(response.header("etag")).encode())]
        assert (await portal.raw("GET", "/llms.txt", headers=known)).status == 304


async def test_compressed_text_and_its_length_are_the_reader_s(
    portal: Sandbox, texts: Path
) -> None:
    """HEAD, gzip and plain say the same of the text with the reader's addresses."""
    host = (b"host", b"voice.example.com")
    plain = await portal.raw("GET", "/llms.txt", headers=[host])
    packed = await portal.raw("GET", "/llms.txt", headers=[host, (b"accept-encoding", b"gzip")])
    head = await portal.raw("HEAD", "/llms.txt", headers=[host])
    assert gzip.decompress(packed.body) == plain.body
    assert head.header("content-length") == str(len(plain.body))


@pytest.mark.parametrize(
    "host", [b"", b"a b", b"a/../b", b'evil"]\n', b"x" * 300, b"<script>", b"\xff"]
)
async def test_host_that_is_none_stands_in_no_text(
    portal: Sandbox, texts: Path, host: bytes
) -> None:
    """What a client writes into `Host` gets into a text only where it is the name of a host."""
    response = await portal.raw("GET", "/llms.txt", headers=[(b"host", host)])
    assert _body(response) == (texts / "llms.txt").read_text()


async def test_path_of_a_mount_adds_no_markup(folder: Path, texts: Path, wall: FakeWall) -> None:
    """A parameter in the path that the sandbox is mounted at is no way into a page."""
    async with running_sandbox("sqlite:///:memory:", wall, site=folder) as sandbox:

        async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
            prefix = '/"><b>'
            await sandbox.app(
                {**scope, "path": prefix + scope["path"], "root_path": prefix}, receive, send
            )

        response = await raw_request(mounted, "GET", "/a/", headers=[(b"host", b"docs.test")])
    assert _body(response).startswith("http://docs.test/%22%3E%3Cb%3E/v1 ")


@pytest.mark.parametrize("host", [b"[::1]:8010", b"localhost:1", b"voice.example.com"])
async def test_contract_is_valid_yaml_from_every_origin(
    texts: Path, portal: Sandbox, host: bytes
) -> None:
    """The contract can be read by a program wherever it was fetched."""
    (texts / "openapi.yaml").write_bytes(find_contract().read_bytes())
    response = await portal.raw("GET", "/openapi.yaml", headers=[(b"host", host)])
    servers = yaml.safe_load(response.body)["servers"]
    assert servers[0]["url"] == f"http://{host.decode()}"


async def test_text_behind_a_proxy_names_the_proxy_and_its_path(
    folder: Path, texts: Path, wall: FakeWall
) -> None:
    """Below a path, and behind a proxy that speaks TLS, texts lead through the proxy."""
    async with running_sandbox("sqlite:///:memory:", wall, site=folder) as sandbox:
        app = layered(sandbox.app, root_path="/voice", proxies=proxies(["127.0.0.1"]))
        forwarded = [
            (b"host", b"127.0.0.1:8010"),
            (b"x-forwarded-host", b"docs.example.com"),
            (b"x-forwarded-proto", b"https"),
        ]

        async def from_the_proxy(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "client": ("127.0.0.1", 50000)}, receive, send)

        response = await raw_request(from_the_proxy, "GET", "/voice/llms.txt", headers=forwarded)
    assert _body(response).startswith("https://docs.example.com/voice/v1 ")


# What a file is


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("A.JS", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.html", "text/html; charset=utf-8"),
        ("openapi.yaml", "application/yaml"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.woff2", "font/woff2"),
        ("a.unknown", "application/octet-stream"),
        ("name", "application/octet-stream"),
        (
            "api-catalog",
            'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"',
        ),
    ],
)
async def test_media_type_is_the_same_on_each_machine(
    portal: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, media_type: str
) -> None:
    """Whatever the system's own table says, a script is a script."""
    monkeypatch.setattr(mimetypes, "guess_type", lambda *_, **__: ("text/plain", None))
    (folder / name).write_text("content")
    assert (await portal.raw("GET", f"/{name}")).header("content-type") == media_type


def test_each_file_of_the_portal_has_a_media_type() -> None:
    """No kind of file among the portal's sources is served as unknown bytes."""
    kinds = {path.suffix for path in (ROOT / "docs").rglob("*") if path.is_file()}
    unknown = {kind for kind in kinds if media_type_of(f"a{kind}") == "application/octet-stream"}
    assert unknown <= {""}


# Pages for readers of text


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/markdown", "text/markdown"),
        ("text/markdown, text/html;q=0.8, */*;q=0.1", "text/markdown"),
        ("text/html;q=0.5, text/markdown;q=0.9", "text/markdown"),
        ("text/html, text/markdown;q=0.9", "text/html"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("text/markdown;q=0", "text/html"),
        ("text/markdown;q=x", "text/html"),
        ("", "text/html"),
        ("*/*", "text/html"),
    ],
)
async def test_page_is_markdown_for_who_asks_for_it(
    portal: Sandbox, texts: Path, accept: str, media_type: str
) -> None:
    """One address has two forms, and a cache is told so."""
    response = await portal.raw("GET", "/a/", headers=[(b"accept", accept.encode())])
    assert response.status == 200
    assert (response.header("content-type") or "").startswith(media_type)
    assert "Accept" in (response.header("vary") or "")


async def test_markdown_names_the_origin_of_its_reader(portal: Sandbox, texts: Path) -> None:
    """The other form of a page follows the reader too."""
    headers = [(b"accept", b"text/markdown"), (b"host", b"voice.example.com")]
    response = await portal.raw("GET", "/a/", headers=headers)
    assert WRITTEN + "/" not in _body(response)


async def test_markdown_lies_beside_the_page(portal: Sandbox, texts: Path) -> None:
    """`/page.md` is the same text as `/page/index.md`, and nothing else becomes one."""
    beside, within = [await portal.raw("GET", path) for path in ("/a.md", "/a/index.md")]
    assert (beside.status, _body(beside)) == (200, _body(within))
    for path in ("/none.md", "/.md", "/..md", "/../secret.md", "/a/b.md"):
        assert (await portal.raw("GET", path)).status == 404
