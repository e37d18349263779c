"""A link that leads nowhere stops the build; the message says where it is and what was meant."""

from voice_portal.link_check import Rendered, dead_links

PAGES = [
    Rendered(
        path="calls.md",
        url="calls/",
        source="# Calls\n\nRead [errors](errors.md#call_not_found), [the file](../openapi.yaml).",
        html='<h1 id="calls">Calls</h1><a href="../errors/#call_not_found">the errors</a>'
        '<a href="../openapi.yaml">the file</a><a href="/sandbox">API</a>'
        '<a href="https://example.test/elsewhere">out</a><a href="#calls">here</a>',
    ),
    Rendered(path="errors.md", url="errors/", source="", html='<h3 id="call_not_found">x</h3>'),
    Rendered(path="sandbox-guide.md", url="sandbox-guide/", source="", html=""),
]
FILES = ["openapi.yaml"]
API = ("/sandbox/", "/v1/")


def test_links_that_lead_somewhere_are_let_through() -> None:
    """Pages, anchors, files, the API and other hosts are no dead links."""
    assert list(dead_links(PAGES, FILES, api=API)) == []


def broken(html: str, source: str) -> list[str]:
    page = Rendered(path="guide.md", url="guide/", source=source, html=html)
    return list(dead_links([page, *PAGES], FILES, api=API))


def test_unknown_page_is_named_with_line_and_fix() -> None:
    """A page that does not exist: its file and line, and the nearest one that does."""
    assert broken('<a href="error.md">x</a>', "# Guide\n\n[x](error.md)\n") == [
        "docs/guide.md:3: The link error.md leads nowhere. Did you mean errors.md?"
    ]


def test_unknown_anchor_is_named_with_line_and_fix() -> None:
    """An anchor that its page does not have, on another page as on the same one."""
    assert broken(
        '<h2 id="begin">x</h2><a href="../errors/#call_not_fond">x</a><a href="#begun">y</a>',
        "[x](errors.md#call_not_fond)\n[y](#begun)\n",
    ) == [
        "docs/guide.md:1: The link ../errors/#call_not_fond leads to a page that has no "
        "#call_not_fond. Did you mean #call_not_found?",
        "docs/guide.md:2: The link #begun leads to a page that has no #begun. Did you mean #begin?",
    ]


def test_page_whose_name_begins_like_the_api_is_looked_at() -> None:
    """Only /sandbox itself is the API: a page beside it may be named wrongly like any other."""
    [found] = broken('<a href="../sandbox-guide/#keys">x</a>', "[x](sandbox-guide.md#keys)\n")
    assert found.startswith("docs/guide.md:1: The link ../sandbox-guide/#keys leads to a page")


def test_link_that_a_fence_made_is_named_by_its_file() -> None:
    """Where no line of the page holds the link, the file alone is named."""
    [found] = broken('<a href="../lost/">x</a>', "```operations\n```\n")
    assert found == "docs/guide.md: The link ../lost/ leads nowhere."
