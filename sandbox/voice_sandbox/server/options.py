"""The options of ``voice-sandbox serve``: what each is called, takes and does, in one place.

Each can be given as an environment variable too. The help, the variables and the table of the
portal's hosting page are made from these.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isfinite, isnan
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click
import msgspec

from voice_sandbox.clock import MODES, WALL_MODE
from voice_sandbox.http.proxy import Network, proxies, root_path
from voice_sandbox.limits import HELP, Limits
from voice_sandbox.option_types import Number, WholeNumber

LOG_LEVELS: Final = ("info", "warning", "error")

Command = TypeVar("Command", bound=Callable[..., Any])


class _Amount(Number):
    """A number that may be ``nan``: `settings_of` rejects it by the name of its option."""

    def _holds(self, number: float) -> bool:
        return isnan(number) or super()._holds(number)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What one deployment was told, checked."""

    host: str
    port: int
    database: str
    site: Path | None
    speed: float
    clock: str
    contract: Path | None
    scenarios: Path | None
    workers: int
    keys_file: Path | None
    root_path: str
    proxies: tuple[Network, ...]
    cors_origins: tuple[str, ...]
    metrics_host: str
    metrics_port: int | None
    drain_delay: float
    log_level: str
    quiet: bool
    limits: Limits


def settings_of(given: dict[str, Any]) -> Settings:
    """From the values that click found.

    Raises: `ValueError` with a sentence that says how to fix it.
    """
    for name in (*Limits.__struct_fields__, "drain_delay"):
        if given[name] is not None and not isfinite(given[name]):  # `nan` is within any range
            raise ValueError(f"The value of --{name.replace('_', '-')} is no number.")
    for name in ("host", "metrics_host"):
        if not given[name].strip():  # an empty address is every address
            raise ValueError(
                f"The address of --{name.replace('_', '-')} is empty. Use 127.0.0.1, or the "
                "address that the network is to reach."
            )
    limits = Limits(**{name: given.pop(name) for name in Limits.__struct_fields__})
    return Settings(
        database=_database(given.pop("database")),
        root_path=root_path(given.pop("root_path")),
        proxies=proxies(given.pop("trusted_proxy")),
        cors_origins=tuple(map(_origin, given.pop("cors_origin"))),
        limits=limits,
        **given,
    )


def default_database_file() -> Path:
    """Where calls are kept when nobody says where, such as
    ``~/.local/share/voice-sandbox/voice-sandbox.db`` on Linux.
    """
    # Only serving needs it, and each command would start later.
    from platformdirs import user_data_path

    return user_data_path("voice-sandbox", appauthor=False) / "voice-sandbox.db"


def _database(text: str | None) -> str:
    """The URL of a database, which people also write as a file or as ``:memory:``."""
    if text is None:
        return f"sqlite:///{default_database_file()}"
    if "://" in text or text == "" or _SCHEME.match(text):
        return text
    return f"sqlite:///{text}"


def _origin(text: str) -> str:
    """A web origin as browsers send it (RFC 6454, section 6.2)."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or text != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(
            f"The origin {text!r} is none. Use one such as https://docs.example.com: "
            "scheme and host, without a path."
        )
    return text.lower()


def _option(*names: str, **attributes: Any) -> Callable[[Command], Command]:
    variable = "VOICE_SANDBOX_" + re.sub(r"\W", "_", names[0].removeprefix("--")).upper()
    return click.option(*names, envvar=variable, show_envvar=True, **attributes)


def _limit(name: str) -> Callable[[Command], Command]:
    default = getattr(_DEFAULTS, name)
    field = next(f for f in msgspec.structs.fields(Limits) if f.name == name)
    is_whole = field.type in (int, int | None)
    smallest = 256 if name == "max_head" else 1
    return _option(
        "--" + name.replace("_", "-"),
        type=WholeNumber(smallest) if is_whole else _Amount(0, min_open=True),
        default=default,
        show_default=default is not None,
        help=HELP[name],
    )


_DEFAULTS: Final = Limits()
# Two letters at least: one is a drive of Windows. A URL without its slashes is no file.
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_OPTIONS: Final = (
    _option(
        "--host",
        default="127.0.0.1",
        show_default=True,
        help="Address to listen on. 0.0.0.0 opens it to the network.",
    ),
    _option(
        "--port",
        default=8010,
        show_default=True,
        type=WholeNumber(0, 65535),
        help="Port to listen on. 0 selects a free port and prints it.",
    ),
    _option(
        "--database",
        help="Where calls are stored: FILE for SQLite, :memory: to store nothing, or "
        "postgresql://USER@HOST/NAME for several replicas. Put the password into PGPASSWORD.  "
        "[default: a file in the user's data folder]",
    ),
    _option(
        "--site",
        type=click.Path(path_type=Path),
        help="Folder of another built portal.  [default: the installed portal]",
    ),
    _option(
        "--speed",
        default=1.0,
        show_default=True,
        type=_Amount(0, 1_000_000, min_open=True),
        help="Speed factor; 10 means ten times real time. "
        "A namespace keeps the speed of its first request.",
    ),
    _option(
        "--clock",
        type=click.Choice(MODES),
        default=WALL_MODE,
        show_default=True,
        help="What moves the clock of a new key. wall: real time. manual: only an advance. "
        "polls: each read of an unfinished call moves it to the next change of that call.",
    ),
    _option(
        "--contract",
        type=click.Path(path_type=Path),
        help="Another openapi.yaml to use.  [default: its own]",
    ),
    _option(
        "--scenarios",
        type=click.Path(path_type=Path),
        help="File that binds numbers to a scenario or to an outcome of your own, for every key.",
    ),
    _option(
        "--workers",
        default=1,
        show_default=True,
        type=WholeNumber(1, 64),
        help="Processes that share port and database. A process that dies is replaced.",
    ),
    _option(
        "--keys-file",
        type=click.Path(path_type=Path),
        help="File with the accepted keys or their SHA-256, one per line. "
        "After SIGHUP it is read again.  [default: any sandbox_… key]",
    ),
    _option(
        "--root-path",
        default="",
        help="Path at which a proxy serves the sandbox, such as /voice.",
    ),
    _option(
        "--trusted-proxy",
        multiple=True,
        help="Address or network of a proxy whose X-Forwarded headers are used. "
        "Repeat it for several; in the variable separate them by spaces.",
    ),
    _option(
        "--cors-origin",
        multiple=True,
        help="Origin of another portal, such as https://docs.example.com, whose pages may "
        "call this sandbox. Repeat it for several; in the variable separate them by spaces.",
    ),
    _option(
        "--metrics-port",
        type=WholeNumber(0, 65535),
        help="Port that serves Prometheus. Needs the extra metrics.  [default: no metrics]",
    ),
    _option(
        "--metrics-host",
        default="127.0.0.1",
        show_default=True,
        help="Address that serves Prometheus.",
    ),
    _option(
        "--drain-delay",
        default=0.0,
        show_default=True,
        type=_Amount(0, 600),
        help="Seconds for which it still takes requests after it received SIGTERM, while /readyz "
        "already says no.",
    ),
    _option(
        "--log-level",
        type=click.Choice(LOG_LEVELS),
        default=LOG_LEVELS[0],
        show_default=True,
        help="What the log contains. info: each request. warning: failures inside the sandbox. "
        "error: only what it could not do.",
    ),
    _option(
        "--quiet",
        is_flag=True,
        help="Print no welcome and log no requests. Warnings and errors are still logged.",
    ),
    *map(_limit, Limits.__struct_fields__),
)


def serve_options(command: Command) -> Command:
    """Gives the command every option."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
