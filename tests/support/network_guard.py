"""Keeps test processes on this machine: a reach for another host raises, and is remembered.

It listens to the interpreter's audit events, so nothing can slip past by having bound a socket
function earlier. `sitecustomize.py` beside it does the same in every Python process that a test
starts, and `network_guard.cjs` in every Node process. What neither can see is C code that opens
sockets without Python, such as uvloop's.
"""

import os
import socket
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

GUARDED_EVENTS = frozenset(
    {
        "socket.connect",
        "socket.sendto",
        "socket.sendmsg",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
    }
)
EVENTS_ABOUT_A_SOCKET = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})

# Every attempt since the list was last emptied: code under test may swallow the exception.
attempts: list[str] = []


class NetworkAttemptError(RuntimeError):
    """A test reached for another host."""


def is_local(host: object) -> bool:
    """Whether `host` (`"localhost"`, `b"::1"`, `None`) can only mean this machine."""
    if host is None:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in {"", "localhost"}:
        return True
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def install() -> None:
    """Guard this process from now on. An audit hook cannot be taken back."""
    sys.addaudithook(_reject_other_hosts)


def environment(inherited: dict[str, str]) -> dict[str, str]:
    """`inherited` with what makes the Python and Node processes that get it guard themselves."""
    here = Path(__file__).parent
    python_path = [str(here), *filter(None, [inherited.get("PYTHONPATH")])]
    node_options = [f'--require="{here / "network_guard.cjs"}"', inherited.get("NODE_OPTIONS", "")]
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(python_path),
        "NODE_OPTIONS": " ".join(filter(None, node_options)),
    }


def _reject_other_hosts(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in GUARDED_EVENTS:
        return
    if event in EVENTS_ABOUT_A_SOCKET:
        connection, address = arguments
        if connection.family not in {socket.AF_INET, socket.AF_INET6} or address is None:
            return
        host = address[0]
    else:
        host = arguments[0]
    if not is_local(host):
        attempts.append(f"{event} {host!r}")
        raise NetworkAttemptError(f"A test reached for another host: {event} {host!r}")
