"""Takes new connections from the listening socket, several in each turn of the event loop.

uvloop takes about one connection a turn, so under load new clients wait for seconds; and where the
process may open no more files it resets them and says nothing. Here they are told apart: without a
free descriptor they wait in the system's queue, and the log says why.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from typing import Final

from voice_sandbox import clock

logger = logging.getLogger("voice_sandbox")

_BATCH: Final = 64
"""Connections taken in one turn, so that those that are open are served in between."""
_RETRY_SECONDS: Final = 0.1
_NOTICE_SECONDS: Final = 1.0
# accept(2): the process, the system or its memory allows no other connection for the moment.
_EXHAUSTED: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


class Acceptor:
    """Makes a protocol for each client of one listening socket, until it is closed."""

    def __init__(
        self, listener: socket.socket, new_protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        self._listener = listener
        self._new_protocol = new_protocol
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[object]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._noticed_at = -_NOTICE_SECONDS
        listener.setblocking(False)
        self._resume()

    def close(self) -> None:
        """Takes those that wait already, and no others."""
        if self._retry is not None:
            self._retry.cancel()
        self._loop.remove_reader(self._listener)
        while self._accept():
            pass

    async def wait_closed(self) -> None:
        """Returns when each connection that was taken has its protocol."""
        if self._connecting:
            await asyncio.wait(self._connecting)

    def _resume(self) -> None:
        self._retry = None
        self._loop.add_reader(self._listener, self._accept_some)

    def _accept_some(self) -> None:
        for _ in range(_BATCH):
            if not self._accept():
                return

    def _accept(self) -> bool:
        """Takes one connection, if there is one that can be had."""
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionAbortedError:  # this client is gone; the next may not be
            return True
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            self._wait(error)
            return False
        connection.setblocking(False)
        connecting = self._loop.connect_accepted_socket(self._new_protocol, connection)
        task: asyncio.Task[object] = self._loop.create_task(connecting)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return True

    def _wait(self, error: OSError) -> None:
        """Tries again soon: what is open goes on, and its end makes room."""
        if clock.monotonic() - self._noticed_at >= _NOTICE_SECONDS:
            self._noticed_at = clock.monotonic()
            logger.error(
                "new connections wait: %s. Allow more open files (ulimit -n), or set a lower "
                "--max-connections",
                error.strerror or error,
            )
        self._loop.remove_reader(self._listener)
        self._retry = self._loop.call_later(_RETRY_SECONDS, self._resume)
