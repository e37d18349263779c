"""What MkDocs must do beside rendering: publish the contract, and tell the extension its page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from voice_portal import (
    assets,
    for_agents,
    link_check,
    moved_pages,
    plain_text,
    recordings,
    reference,
    script_bundle,
)
from voice_portal.browser_contract import browser_contract
from voice_portal.collection import collection
from voice_portal.page import Page as PortalPage
from voice_portal.search_index import SearchTermsError, terms_of_sources, with_terms
from voice_portal.sources import ACTS_FILE, WORKFLOWS_FILE, Sources, load_sources
from voice_portal.two_columns import contents_menu, in_two_columns
from voice_sandbox.calls.scenarios import ScenarioError
from voice_sandbox.contract.model import Contract, ContractError

EXTENSION: Final = "voice_portal.extension"
_NAMED_SEARCH: Final = 'data-md-component="search" role="dialog" aria-label="Search"'
_FRAME: Final = re.compile(r'<iframe [^>]*\bid="(?P<id>\w+)"[^>]*\bsrc="(?P<src>[^"]+)"[^>]*>')
_BODY: Final = re.compile(r"<body [^>]*>")
# The sign is drawn by a stylesheet: a reader of the text is not told a sign behind each title.
_PARAGRAPH_SIGN: Final = ">&para;</a>"
_NO_SIGN: Final = "></a>"
_SEARCH_WORKER: Final = re.compile(r"assets/javascripts/workers/(search\.\w+\.min\.js)")
REFERENCE_COPY: Final = "reference/openapi.sandbox.json"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Tells the templates the sandbox's base URL, the one stylesheet, and what scripts import.

    They also get the fonts of every page. The navigation gets the pages of the reference.
    """
    docs = Path(config.docs_dir)
    try:
        config.extra["sandbox_url"] = load_sources().sandbox_url
        config.nav = reference.navigation(config.nav or [], load_sources())
    except (ContractError, ScenarioError) as error:
        raise Abort(str(error)) from None
    config.extra["stylesheet"] = list(config.extra_css)
    config.extra["fonts"] = assets.first_fonts(docs)
    path, _ = assets.stylesheet(docs, config.extra_css)
    config.extra_css = [path]
    try:
        config.extra["scripts"] = script_bundle.bundles(docs, map(str, config.extra_javascript))
    except script_bundle.BundleError as error:
        raise Abort(str(error)) from None
    [portal, *_] = config.extra["scripts"]
    [script, *_] = [each for each in config.extra_javascript if not isinstance(each, str)]
    script.path = portal.path
    config.extra_javascript = [script]
    return config


def on_post_build(config: MkDocsConfig) -> None:
    """Ends the sandbox that was asked for responses, and looks for recordings without a card.

    Swagger UI's own page has a style inside its tag, which a strict policy forbids; swagger.css
    says the same. It lists no models: the page Schemas does.
    """
    _write_search_index(config)
    for path in assets.THEME_FILES:
        for file in Path(config.site_dir).glob(path):
            file.write_text(assets.with_earlier_navigation(file.read_text("utf-8")), "utf-8")
    for frame in Path(config.site_dir).glob("*/swagger-*.html"):
        text = _BODY.sub("<body>", frame.read_text("utf-8"), count=1)
        text = text.replace('"validatorUrl":', '"defaultModelsExpandDepth": -1, "validatorUrl":', 1)
        frame.write_text(text, "utf-8")
    responses = load_sources().responses
    left = recordings.left_over(responses.cards)
    responses.close()
    if left:
        raise Abort(f"No page has these cards any more: {', '.join(left)}. Run `make record`.")


def _write_search_index(config: MkDocsConfig) -> None:
    """Adds the words that people type to the index that MkDocs has written by now."""
    path = Path(config.site_dir) / "search" / "search_index.json"
    index = json.loads(path.read_text("utf-8"))
    try:
        index = with_terms(
            index,
            terms_of_sources(load_sources()),
            reference.search_terms(load_sources()),
            config.extra["search_terms"],
        )
    except SearchTermsError as error:
        raise Abort(str(error)) from None
    path.write_text(json.dumps(index, separators=(",", ":"), ensure_ascii=False), "utf-8")


def on_build_error(error: Exception) -> None:
    """Ends the sandbox that was asked for responses, if the build came that far."""
    with suppress(ContractError, ScenarioError):
        load_sources().responses.close()


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the reference, the contract in its forms and the one stylesheet; makes scripts small."""
    sources = load_sources()
    contract = sources.contract
    generated = {
        "openapi.yaml": contract.path.read_text(encoding="utf-8"),
        # Its source description is ./openapi.yaml, which lies beside it here as well.
        "arazzo.yaml": WORKFLOWS_FILE.read_text(encoding="utf-8"),
        "rehearsal-acts.yaml": ACTS_FILE.read_text(encoding="utf-8"),
        "openapi.json": json.dumps(contract.document, indent=2, ensure_ascii=False),
        "postman.json": json.dumps(collection(sources), indent=2, ensure_ascii=False),
        "assets/outcomes.json": json.dumps(outcomes(sources), separators=(",", ":")),
        "assets/contract.json": json.dumps(browser_contract(sources), separators=(",", ":")),
        REFERENCE_COPY: json.dumps(
            sandbox_copy(contract, origin=config.extra.get("sandbox_origin") or ""),
            ensure_ascii=False,
        ),
    }
    parts = config.extra["stylesheet"]
    generated.update([assets.stylesheet(Path(config.docs_dir), parts)])
    for part in parts:
        files.remove(files.src_uris[part])
    later = {part: each.path for each in config.extra["scripts"] for part in each.modules}
    for bundle in config.extra["scripts"]:
        generated[bundle.path] = assets.script(bundle.text(later))
        for part in bundle.modules:
            files.remove(files.src_uris[part])
    for file in files.javascript_files():
        if file.src_dir == config.docs_dir:  # the theme's own are as small as they get
            file.content_string = assets.script(file.content_string)
    for path, content in reference.pages(sources).items():
        files.append(File.generated(config, path, content=content))
    for path, content in generated.items():
        files.append(File.generated(config, path, content=_of_this_sandbox(content, config)))
    return files


def outcomes(sources: Sources) -> list[dict[str, str]]:
    """Each scenario as the palette of the search offers it."""
    return [
        {"name": each.name, "number": each.number, "line": each.line} for each in sources.scenarios
    ]


def sandbox_copy(contract: Contract, *, origin: str) -> dict[str, Any]:
    """The contract as Swagger UI gets it: the sandbox is its only server.

    Swagger UI fills in every example of a parameter, and an `Idempotency-Key` that nobody chose
    would make its second request a replay of the first: what may be left out is left empty.
    """
    # Relative to this copy, which lies one folder below the site.
    sandbox = {"url": origin or "../", "description": contract.servers[0].description}
    components = contract.document["components"]
    parameters = {
        name: parameter
        if parameter.get("required")
        else {key: value for key, value in parameter.items() if key != "example"}
        for name, parameter in components["parameters"].items()
    }
    return {
        **contract.document,
        "servers": [sandbox],
        "components": {**components, "parameters": parameters},
    }


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Tells the Markdown extension which file it renders, and on which line the text begins."""
    source = page.file.content_string
    start = source.find(markdown.strip()[:200]) if markdown.strip() else 0
    config.mdx_configs[EXTENSION] = {
        "page": page.file.src_uri,
        "checks_recordings": True,
        "first_line": source.count("\n", 0, max(start, 0)) + 1 - _leading_newlines(markdown),
    }
    # The API's own response is a link like any other, and leads to the sandbox wherever that is.
    return markdown.replace("](/sandbox)", f"]({config.extra.get('sandbox_origin') or ''}/sandbox)")


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Writes the page as Markdown too, and puts its cards beside the text.

    Fences that are wrong have stopped the build by now.
    """
    text = page_text(page.markdown or "", source_path=page.file.src_uri, config=config)
    page.meta["text"] = _of_this_sandbox(_of_this_site(text, config), config)
    page.meta["structured_data"] = for_agents.structured_data(page.title or "", config.site_name)
    html = html.replace(_PARAGRAPH_SIGN, _NO_SIGN)
    up = "../" * page.url.removeprefix("./").count("/")
    for path in for_agents.PUBLISHED:
        html = html.replace(f'href="{path}"', f'href="{up}{path}"')
    one_card = reference.is_of_operation(page.file.src_uri, load_sources())
    shown = in_two_columns(html, one_card=one_card)
    if "toc" in (page.meta.get("hide") or ()):
        return shown
    return contents_menu(page.toc, is_listed=shown == html) + shown


def page_text(markdown: str, *, source_path: str, config: MkDocsConfig) -> str:
    """The page as Markdown that needs nothing else to be read."""
    place = PortalPage(path=source_path, first_line=1, sources=load_sources())
    lines = markdown.splitlines()
    for folder in config.mdx_configs.get("pymdownx.snippets", {}).get("base_path", ()):
        lines = plain_text.included(lines, Path(config.config_file_path).parent / folder)
    return plain_text.page(lines, place)


def on_env(env: Any, *, config: MkDocsConfig, files: Files) -> Any:
    """Looks at all links, and writes each page as Markdown, and all of them for language models."""
    pages = [file.page for file in files.documentation_pages() if file.page]
    rendered = [
        link_check.Rendered(
            path=page.file.src_uri,
            url=page.url.removeprefix("./"),
            source=page.file.content_string,
            html=page.content or "",
        )
        for page in pages
    ]
    config.extra["search_terms"] = {
        page.url.removeprefix("./"): page.meta.get("search_terms") or {} for page in pages
    }
    others = [file.url for file in files if not file.page]
    texts = [*(f"{page.url}index.md" for page in rendered), *for_agents.PUBLISHED]
    contracts = (load_sources().contract, load_sources().control)
    paths = (operation.path for each in contracts for operation in each.operations.values())
    api = tuple({f"/{path.split('/')[1]}/" for path in paths})
    if dead := list(link_check.dead_links(rendered, [*others, *texts], api=api)):
        raise Abort("\n".join(dead))
    order = list(_nav_pages(config.nav))
    pages.sort(key=lambda page: order.index(page.file.src_uri))
    site = Path(config.site_dir)
    for page in pages:
        target = site / page.url.removeprefix("./") / "index.md"
        target.parent.mkdir(parents=True, exist_ok=True)
        text = _of_this_site(for_agents.with_pointer(page.meta["text"]), config)
        target.write_text(text, encoding="utf-8")
    listed = [(page.title, page.url.removeprefix("./"), page.meta["text"]) for page in pages]
    contract = load_sources().contract
    index = _of_this_site(plain_text.index(contract, listed), config)
    (site / "llms.txt").write_text(index, encoding="utf-8")
    for path, text in (
        (for_agents.SKILL, for_agents.skill(load_sources())),
        (for_agents.CATALOGUE, for_agents.catalogue(load_sources())),
    ):
        (site / path).parent.mkdir(exist_ok=True)
        written = _of_this_sandbox(_of_this_site(text, config), config)
        (site / path).write_text(written, encoding="utf-8")
    everything = "\n\n---\n\n".join(page.meta["text"] for page in pages)
    (site / "llms-full.txt").write_text(everything, encoding="utf-8")
    _write_moved_pages({url: str(title) for title, url, _ in listed}, config)
    return env


def _write_moved_pages(titles: Mapping[str, str], config: MkDocsConfig) -> None:
    """Writes a page at each old address. Neither search nor llms.txt has it."""
    try:
        written = dict(moved_pages.files(titles, site_url=config.site_url or ""))
    except moved_pages.MovedPageError as error:
        raise Abort(str(error)) from None
    for path, text in written.items():
        target = Path(config.site_dir) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_of_this_sandbox(_of_this_site(text, config), config), encoding="utf-8")


def _of_this_site(text: str, config: MkDocsConfig) -> str:
    """The text with links to the published site, or to the sandbox that serves it.

    The sandbox puts its own address there when it serves the text.
    """
    sandbox = "" if config.extra.get("sandbox_origin") else load_sources().sandbox_url
    return text.replace("](/", f"]({(config.site_url or sandbox).rstrip('/')}/")


def _of_this_sandbox(text: str, config: MkDocsConfig) -> str:
    """The text with the origin of the sandbox that the build was told, if it was told one."""
    origin = config.extra.get("sandbox_origin")
    return text.replace(load_sources().sandbox_url, origin) if origin else text


def _nav_pages(nav: Any) -> Iterator[str]:
    """The files of the navigation in their order."""
    if isinstance(nav, str):
        yield nav
    elif nav:
        for item in nav.values() if isinstance(nav, dict) else nav:
            yield from _nav_pages(item)


def _leading_newlines(markdown: str) -> int:
    return len(markdown) - len(markdown.lstrip("\n"))


def on_post_template(output_content: str, *, template_name: str, config: MkDocsConfig) -> str:
    """The page for unknown addresses is a template, and has a search too."""
    return named_search(output_content) if template_name == "404.html" else output_content


def named_search(output: str) -> str:
    """Names the dialog of the search, and gives it the worker that knows stems and numbers."""
    output = _SEARCH_WORKER.sub(r"assets/javascripts/workers/search.js?\1", output)
    return output.replace('data-md-component="search" role="dialog"', _NAMED_SEARCH)


@event_priority(-100)
def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Gives the frame of Swagger UI a name, and leaves to scripts when it loads."""
    output = named_search(output)
    if 'class="swagger-ui-iframe"' not in output:
        return output
    start = output.rindex("<script>document$.subscribe")
    end = output.index("</script>", start) + len("</script>")
    # The plugin's frame has a handler and a style inside its tag: a strict policy forbids them.
    return _FRAME.sub(
        r'<iframe class="swagger-ui-iframe" title="Swagger UI" '
        r'id="\g<id>" data-src="\g<src>">',
        output[:start] + output[end:],
    )
