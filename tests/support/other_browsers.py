"""Firefox and WebKit by the commands of WebDriver, in profiles that reach this machine alone.

Firefox takes the commands through Marionette, which is part of it; WebKitGTK through the program
WebKitWebDriver. Both are used where they are installed, as Debian has them.
"""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2

from prism_process import free_port

START_SECONDS = 60
SCRIPT_SECONDS = 60
NOWHERE = "127.0.0.1:9"
"""A proxy that does not exist, for every address but this machine's."""
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name of a reference, as WebDriver defines it
_PREFERENCES = {
    "marionette.port": 0,
    "network.proxy.type": 1,
    **{f"network.proxy.{kind}": NOWHERE.partition(":")[0] for kind in ("http", "ssl", "socks")},
    **{f"network.proxy.{kind}_port": 9 for kind in ("http", "ssl", "socks")},
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}
_WEBKIT = "*/webkit2gtk-4.*/MiniBrowser"
"""Where Debian has it, in the folder of libraries."""
_LIBRARIES = Path("/usr/lib")
Send = Callable[[str, dict[str, Any]], Any]


class Window:
    """The one window of a browser."""

    def __init__(self, send: Send) -> None:
        self._send = send
        send("SetTimeouts", {"script": SCRIPT_SECONDS * 1000, "pageLoad": START_SECONDS * 1000})

    def open(self, url: str) -> None:
        """Goes to an address, and returns when the page is loaded."""
        self._send("Navigate", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """What the body of a function returns; the arguments are its ``arguments``."""
        return self._send("ExecuteScript", {"script": script, "args": list(arguments)})

    def wait(self, condition: str, *arguments: Any) -> Any:
        """The value of an expression once it is true. Raises: `AssertionError` after a minute."""
        deadline = time.monotonic() + SCRIPT_SECONDS
        while not (value := self.run(f"return {condition}", *arguments)):
            assert time.monotonic() < deadline, f"{condition} {arguments} stays {value!r}"
            time.sleep(0.1)
        return value

    def click(self, selector: str) -> None:
        """Clicks as a person does: on what can be seen."""
        self._send("ElementClick", {"id": self._element(selector)})

    def type(self, selector: str, text: str) -> None:
        """Types into a field, key by key."""
        self._send("ElementSendKeys", {"id": self._element(selector), "text": text})

    def _element(self, selector: str) -> str:
        found = self._send("FindElement", {"using": "css selector", "value": selector})
        return str(found[_ELEMENT])


@contextmanager
def firefox(folder: Path) -> Iterator[Window]:
    """A Firefox without a window on the screen."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    assert program
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in _PREFERENCES.items()]
    (folder / "user.js").write_text("".join(lines), "utf-8")
    port = folder / "MarionetteActivePort"
    command = [program, "--headless", "--no-remote", "--marionette", "--profile", str(folder)]
    with _running(command, env={**os.environ, "MOZ_CRASHREPORTER_DISABLE": "1"}):
        _wait_until(lambda: port.is_file() and port.read_text().strip().isdigit())
        with closing(socket.create_connection(("127.0.0.1", int(port.read_text())))) as connection:
            yield Window(_marionette(connection))


def _marionette(connection: socket.socket) -> Send:
    """Sends commands as ``length:[type, number, name, parameters]``."""
    connection.settimeout(SCRIPT_SECONDS + 30)
    stream = connection.makefile("rb")
    number = 0

    def read() -> Any:
        digits = b""
        while (one := stream.read(1)) != b":":
            assert one, "Firefox has ended."
            digits += one
        return json.loads(stream.read(int(digits)))

    def send(name: str, parameters: dict[str, Any]) -> Any:
        nonlocal number
        number += 1
        packet = json.dumps([0, number, f"WebDriver:{name}", parameters]).encode()
        connection.sendall(b"%d:%b" % (len(packet), packet))
        _, _, error, value = read()
        assert error is None, error
        return value["value"] if set(value or {}) == {"value"} else value

    read()  # what it says of itself
    send("NewSession", {"capabilities": {"alwaysMatch": {}}})
    return send


@contextmanager
def webkit(folder: Path) -> Iterator[Window]:
    """The small browser of WebKitGTK, on a screen that nobody sees."""
    program = shutil.which("WebKitWebDriver")
    [browser] = sorted(_LIBRARIES.glob(_WEBKIT))[-1:]
    assert program
    port = free_port()
    environment = {
        **os.environ,
        "HOME": str(folder),
        "http_proxy": f"http://{NOWHERE}",
        "https_proxy": f"http://{NOWHERE}",
        "no_proxy": "127.0.0.1",
        "WEBKIT_DISABLE_COMPOSITING_MODE": "1",
    }
    with ExitStack() as running:
        environment["DISPLAY"] = running.enter_context(_screen())
        running.enter_context(_running([program, f"--port={port}"], env=environment))
        client = running.enter_context(
            httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=SCRIPT_SECONDS + 30)
        )
        _wait_until(lambda: _responds(client))
        options = {"binary": str(browser), "args": ["--automation"]}
        yield Window(_webdriver(client, {"webkitgtk:browserOptions": options}))


@contextmanager
def _screen() -> Iterator[str]:
    """The name of a screen of its own, such as ``:3``."""
    program = shutil.which("Xvfb")
    assert program
    command = [program, "-displayfd", "1", "-screen", "0", "1366x768x24", "-nolisten", "tcp"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield f":{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def _webdriver(client: httpx2.Client, capabilities: dict[str, Any]) -> Send:
    """Sends the same commands to their paths (W3C WebDriver, section 6.3)."""
    wanted = {"capabilities": {"alwaysMatch": capabilities}}
    session = client.post("/session", json=wanted).raise_for_status().json()["value"]["sessionId"]
    paths = {
        "SetTimeouts": "timeouts",
        "Navigate": "url",
        "ExecuteScript": "execute/sync",
        "FindElement": "element",
        "ElementClick": "element/{id}/click",
        "ElementSendKeys": "element/{id}/value",
    }

    def send(name: str, parameters: dict[str, Any]) -> Any:
        path = paths[name].format(**parameters)
        response = client.post(f"/session/{session}/{path}", json=parameters)
        assert response.status_code == 200, response.text
        return response.json()["value"]

    return send


def _responds(client: httpx2.Client) -> bool:
    try:
        return client.get("/status").status_code == 200
    except httpx2.TransportError:
        return False


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "The browser did not start."
        time.sleep(0.05)


@contextmanager
def _running(command: list[str], **options: Any) -> Iterator[None]:
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def missing(name: str) -> str:
    """What a browser lacks on this machine; empty where it can be used."""
    if name == "firefox":
        found = shutil.which("firefox-esr") or shutil.which("firefox")
        return "" if found else "Firefox is not installed (Debian: firefox-esr)"
    if not shutil.which("WebKitWebDriver") or not list(_LIBRARIES.glob(_WEBKIT)):
        return "WebKit is not installed (Debian: webkit2gtk-driver)"
    return "" if shutil.which("Xvfb") else "WebKit needs a screen (Debian: xvfb)"


BROWSERS = {"firefox": firefox, "webkit": webkit}
