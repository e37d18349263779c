"""State behind one protocol; ``open_store`` chooses the implementation by URL."""

from __future__ import annotations

from sandbox.store.protocol import Store
from sandbox.store.sqlite import SQLiteStore

__all__ = ["open_store"]


def open_store(url: str) -> Store:
    """The store of a database URL such as ``sqlite:///calls.db`` or ``sqlite:///:memory:``.

    Raises: `ValueError` for any other kind of URL, `sandbox.store.protocol.StoreError` when the
    database cannot be opened.
    """
    prefix = "sqlite:///"
    path = url.removeprefix(prefix)
    if not url.startswith(prefix) or not path:
        raise ValueError(
            f"The database {url!r} is not understood. Use sqlite:///FILE, where an absolute path "
            "gives four slashes in a row, or sqlite:///:memory: to keep nothing."
        )
    return SQLiteStore(path)
