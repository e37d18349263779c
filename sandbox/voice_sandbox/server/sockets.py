"""A bound socket before anything else starts, and a clear word where it cannot be had."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Final

_OTHER_FILES: Final = 256
"""Database, site and pipes."""


class ListenError(Exception):
    """The address cannot be listened on; the message says how to go on."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one. Raises: `ListenError`."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ListenError(
                f"Port {port} is taken, perhaps by another sandbox. Stop that one, or choose "
                f"another port: voice-sandbox serve --port {port + 1} (make serve PORT={port + 1})."
            ) from error
        raise ListenError(
            f"Cannot listen on {host} port {port}: {error.strerror or error}. "
            "Choose another by --host and --port."
        ) from error
    return listener


def reset_when_closed(connection: socket.socket) -> None:
    """Lets the end of a connection be a reset, whatever was not sent yet (POSIX, SO_LINGER)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def make_room(connections: int) -> None:
    """Lets this process have that many connections, as far as the system allows it at all.

    The usual 1024 open files are fewer than the connections of a busy sandbox and its files.
    """
    try:
        import resource
    except ModuleNotFoundError:  # Windows knows no such limit
        return
    wanted = connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def origin_of(listener: socket.socket) -> str:
    """Such as ``http://127.0.0.1:8010``."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
