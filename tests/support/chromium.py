"""The Chromium of a process of tests, and a watch over it.

On a busy machine Chromium sometimes stops responding to Playwright: a call to open or close a page
never returns, and it has no timeout. Then Chromium is ended, so that the call fails, and the test
runs again in another one. If a page keeps a processor busy, the page is wrong, and the test fails.
"""

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Error, Playwright

HUNG_SECONDS = 120.0
"""No test of the browser takes half as long, even on a busy machine."""
_BUSY_SHARE = 0.1
_MARK = f"--tests-of={os.getpid()}"
"""An argument that Chromium does not know, by which its process is found."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class HangReport:
    """Whether the browser of a test hung, and whether a page was busy then."""

    has_hung: bool = False
    was_busy: bool = False


@dataclass
class Chromium:
    """Starts Chromium for the first test, and again after it was ended."""

    playwright: Playwright
    _browser: Browser | None = None
    _shared: BrowserContext | None = None

    def browser(self) -> Browser:
        """The Chromium of this machine. Playwright's own browsers are never downloaded."""
        if self._browser is None or not self._browser.is_connected():
            program = shutil.which(os.environ.get("CHROMIUM") or "chromium")
            assert program, "Chromium is missing: run `make chromium`, or name one in $CHROMIUM."
            self._shared = None
            self._browser = self.playwright.chromium.launch(
                executable_path=program,
                args=[
                    "--no-sandbox",
                    # Drawing by a GPU that is not there takes a fifth of the time.
                    "--disable-gpu",
                    # No other host exists, whether it is asked for by name or by address.
                    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
                    _MARK,
                ],
            )
        return self._browser

    def shared_context(self, server: Any, new_context: Any) -> BrowserContext:
        """What the pages of most tests have in common: a process that is warm.

        A page that stays open keeps that process; each further page then costs half.
        """
        browser = self.browser()
        if self._shared is None:
            self._shared = new_context(browser, server)
            self._shared.new_page().goto("/")
        return self._shared

    def close(self) -> None:
        """Ends it, also where it has ended itself."""
        if self._browser is not None:
            try:
                self._browser.close()
            except Error:
                assert not self._browser.is_connected()


@contextmanager
def watched(seconds: float = HUNG_SECONDS) -> Iterator[HangReport]:
    """Ends Chromium where the block takes longer, so that the block goes on with an error."""
    watch = HangReport()

    def end() -> None:
        processes = family()
        watch.was_busy = _keep_busy(processes)
        watch.has_hung = True
        for process in processes:
            _kill(process)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield watch
    finally:
        timer.cancel()
        timer.join()  # a report that comes late would be that of the next test


def family(mark: str = _MARK) -> list[int]:
    """The process with the mark among its arguments, and all that it has started."""
    parents: dict[int, int] = {}
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile
            continue
        parents[int(folder.name)] = int(fields[1])
        if mark.encode() in arguments:
            found.append(int(folder.name))
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return list(dict.fromkeys(found))


def _keep_busy(processes: list[int]) -> bool:
    """Whether one of the processes uses a processor, as far as the machine lets it."""
    before = {process: _ticks(process) for process in processes}
    time.sleep(1)  # how busy a process is shows only over some time
    return any(_ticks(process) - ticks > _BUSY_SHARE * _TICKS for process, ticks in before.items())


def _ticks(process: int) -> int:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
