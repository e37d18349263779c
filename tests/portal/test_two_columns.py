"""Sections of a page are put into columns without a change of their order or content."""

import re

from voice_portal.two_columns import in_two_columns

CARD = '<try-api id="{0}" class="card"><div><p>a <b>card</b></p></div></try-api>'


def test_page_without_a_card_stays_as_it_is() -> None:
    """Nothing is wrapped where nothing stands beside the text."""
    html = "<h1>Title</h1>\n<p>Text</p>\n<h2>More</h2>"
    assert in_two_columns(html) == html


def test_card_within_another_element_stays_there() -> None:
    """The closed cards of the Errors page are in a column of their own already."""
    html = f"<h1>Title</h1>\n<details><summary>x</summary>{CARD.format('a')}</details>"
    assert in_two_columns(html) == html


def test_first_card_stands_beside_the_title() -> None:
    """Title, lead and first section are one group where the section has the first card."""
    html = f"<h1>T</h1>\n<p>lead</p>\n<h2>S</h2>\n<p>text</p>\n{CARD.format('a')}\n<p>after</p>"
    found = in_two_columns(html)
    assert found.count('<div class="columns">') == 1
    assert found.index("<h1>") < found.index("<try-api") < found.index("after")
    assert found.count('<div class="columns-text">') == 2


def test_text_before_a_second_card_goes_with_it() -> None:
    """A group has one card, and the paragraph that leads to a card is in its group."""
    html = (
        f"<h2>S</h2>\n<p>one</p>\n{CARD.format('a')}\n<p>between</p>\n<h3>H</h3>\n<p>two</p>\n"
        f"{CARD.format('b')}\n<p>end</p>"
    )
    first, second = in_two_columns(html).split('<div class="columns">')[1:]
    assert "between" in first
    assert "<h3>H</h3>" in second
    assert "two" in second
    assert 'id="b"' in second


def test_nothing_is_lost_or_moved() -> None:
    """Without the wrappers the page is what it was, entities and void elements included."""
    html = (
        "<h1>A &amp; B</h1>\n<p>x<br>y &lt; z</p>\n<h2>S</h2>\n"
        f'<p>line\u2028separator</p>\n<img src="a.png">\n{CARD.format("a")}\n<hr>\n'
        f"<h2>Without</h2>\n<p>text</p>\n<h2>Third</h2>\n{CARD.format('b')}"
    )
    found = in_two_columns(html)
    bare = re.sub(r'<div class="columns(?:-text)?">\n|\n</div>(?=\n|$)', "", found)
    assert re.sub(r"\s+", "", bare) == re.sub(r"\s+", "", html)
