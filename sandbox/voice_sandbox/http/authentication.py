"""Sandbox keys: which tokens open which namespace.

A namespace is named by a digest, so no token is ever stored. A deployment may list the keys that
it accepts, themselves or their digests. Beside the keys of integrators there is one credential of
the simulated provider; it lives in this process alone.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from voice_sandbox.contract.problems import ProblemError
from voice_sandbox.sandbox_key import PATTERN

DEMO_KEY: Final = "sandbox_demo"
HOW_A_KEY_LOOKS: Final = (
    f"A sandbox key is sandbox_ followed by 4 to 64 letters, digits, _ or -, such as {DEMO_KEY}."
)

_NOT_A_KEY: Final = f"This token is not accepted. {HOW_A_KEY_LOOKS}"
_NO_SCHEME: Final = (
    "The header Authorization does not say Bearer before the token. "
    "Write Authorization: Bearer YOUR_SERVICE_API_KEY."
)
_OTHER_SCHEME: Final = (
    "The header Authorization names another scheme than Bearer. "
    "Write Authorization: Bearer YOUR_SERVICE_API_KEY."
)
_NOTHING_FOLLOWS: Final = (
    "The header Authorization says Bearer, but no token follows. "
    "Write Authorization: Bearer YOUR_SERVICE_API_KEY."
)
_MOST_KNOWN: Final = 4096
_NAMESPACE_BYTES: Final = 16

_SANDBOX_KEY: Final = re.compile(PATTERN)
_DIGEST: Final = re.compile(r"[0-9A-Fa-f]{64}")
# RFC 9110, section 11.1: the scheme is case-insensitive. RFC 6750, section 2.1: the token follows.
_BEARER: Final = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*) *")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_REALM: Final = 'Bearer realm="voice-api"'


class KeysError(Exception):
    """The list of keys cannot be used; the message says which line to put right."""


class Principal(msgspec.Struct, frozen=True):
    """Who sent a request: the namespace, and whether it was the simulated provider."""

    namespace: bytes
    is_provider: bool


class Keyring:
    """Tells who a request comes from."""

    def __init__(
        self,
        secret: str,
        *,
        allowed: frozenset[bytes] | None = None,
        admit: Callable[[bytes], None] | None = None,
    ) -> None:
        """``secret`` makes the provider's credential unguessable, ``allowed`` are the digests of
        the keys that are accepted, and ``admit`` rejects a namespace that sends too much.
        """
        self._provider_prefix = f"provider.{secret}."
        self._allowed = allowed
        self._namespaces = _namespaces(allowed)
        self._admit = admit
        # The same key comes again and again. A rejection is not kept, so nobody can fill this.
        self._known = lru_cache(_MOST_KNOWN)(self._principal)

    def allow(self, allowed: frozenset[bytes]) -> None:
        """Accepts the keys of those digests, and no others, from now on."""
        self._allowed = allowed
        self._namespaces = _namespaces(allowed)
        self._known.cache_clear()

    def accepts(self, namespace: bytes) -> bool:
        """Whether the key of a namespace is still accepted, for a response that has not ended."""
        return self._namespaces is None or namespace in self._namespaces

    def principal(self, authorization: Sequence[bytes]) -> Principal:
        """From all values of the header ``Authorization``.

        Raises: `ProblemError` ``missing_token`` or ``invalid_token``, both with
        ``WWW-Authenticate``, or ``rate_limited``.
        """
        if not authorization:
            raise ProblemError(
                "missing_token",
                "This request carries no Bearer token. "
                "Add the header Authorization: Bearer YOUR_SERVICE_API_KEY.",
                headers={"WWW-Authenticate": _REALM},
            )
        if len(authorization) > 1:
            raise _invalid_token()
        principal = self._known(authorization[0])
        if self._admit is not None and not principal.is_provider:
            self._admit(principal.namespace)
        return principal

    def provider_authorization(self, namespace: bytes) -> bytes:
        """The header with which the simulated provider posts into a namespace."""
        return f"Bearer {self._provider_prefix}{namespace.hex()}".encode()

    def _principal(self, authorization: bytes) -> Principal:
        if bearer := _BEARER.fullmatch(authorization.decode("latin-1")):
            token = bearer[1]
            if _SANDBOX_KEY.fullmatch(token):
                return self._integrator(token)
            prefix, namespace = token[:-32], token[-32:]
            if hmac.compare_digest(prefix, self._provider_prefix):
                return Principal(bytes.fromhex(namespace), is_provider=True)
        raise _invalid_token(_wrong_form(authorization))

    def _integrator(self, token: str) -> Principal:
        # Looked up by digest: what the time of it could tell leads back to no key.
        if self._allowed is not None and _digest(token) not in self._allowed:
            raise _invalid_token(
                "This deployment accepts the keys on its list alone, and yours is not one of them. "
                "Ask whoever runs it for a key."
            )
        return Principal(namespace_of(token), is_provider=False)


def read_keys(path: Path) -> frozenset[bytes]:
    """The digests of the keys in a file: one key, or the SHA-256 of one in hexadecimal, a line.

    Empty lines and lines that begin with ``#`` say nothing. Raises: `KeysError`.
    """
    try:
        # Some editors begin a file with a byte order mark.
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KeysError(f"The list of keys {path} cannot be read: {error}.") from error
    digests = set()
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        if _SANDBOX_KEY.fullmatch(line):
            digests.add(_digest(line))
        elif _DIGEST.fullmatch(line):
            digests.add(bytes.fromhex(line))
        else:  # what stands there may be a secret, so it is not repeated
            raise KeysError(
                f"{path}:{number} is neither a key nor the SHA-256 of one in 64 hexadecimal "
                f"digits. {HOW_A_KEY_LOOKS}"
            )
    if not digests:
        raise KeysError(f"{path} lists no key, so nobody could use this deployment. Add one.")
    return frozenset(digests)


def is_sandbox_key(token: str) -> bool:
    """Whether a token has the form that opens a namespace of a sandbox."""
    return _SANDBOX_KEY.fullmatch(token) is not None


def namespace_of(token: str) -> bytes:
    """The name of a key's namespace: 16 bytes of its SHA-256."""
    return _digest(token)[:_NAMESPACE_BYTES]


def _namespaces(allowed: frozenset[bytes] | None) -> frozenset[bytes] | None:
    return None if allowed is None else frozenset(digest[:_NAMESPACE_BYTES] for digest in allowed)


def _wrong_form(authorization: bytes) -> str:
    """What is wrong with a header that names no key, without a word of what it says."""
    scheme, _, token = authorization.decode("latin-1").partition(" ")
    if scheme.lower() == "bearer":
        return _NOT_A_KEY if token.strip() else _NOTHING_FOLLOWS
    return _OTHER_SCHEME if token and _SCHEME.fullmatch(scheme) else _NO_SCHEME


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _invalid_token(detail: str = _NOT_A_KEY) -> ProblemError:
    return ProblemError(
        "invalid_token",
        detail,
        headers={"WWW-Authenticate": f'{_REALM}, error="invalid_token"'},
    )
