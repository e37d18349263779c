"""The watch over the browser: it tells a browser that hangs from a page that does."""

import os
import signal

import pytest
from playwright.sync_api import Error

from chromium import Chromium, family, watched


def test_browser_that_hangs_is_ended(chromium: Chromium) -> None:
    """A call that would never return fails, and the next test gets another browser."""
    page = chromium.browser().new_page()
    for process in family():
        os.kill(process, signal.SIGSTOP)
    with watched(2) as watch, pytest.raises(Error):
        page.evaluate("1")
    assert (watch.has_hung, watch.was_busy) == (True, False)
    assert chromium.browser().new_page().evaluate("1") == 1


def test_page_that_never_rests_is_no_browser_that_hangs(chromium: Chromium) -> None:
    """A page with a loop without end is told apart, and its test is not run again."""
    page = chromium.browser().new_page()
    with watched(2) as watch, pytest.raises(Error):
        page.evaluate("for (;;) {}")
    assert (watch.has_hung, watch.was_busy) == (True, True)
    assert chromium.browser().new_page().evaluate("1") == 1
