"""Sandbox keys: which tokens open which namespace.

A namespace is named by a digest, so no token is ever stored. Beside the keys of integrators there
is one credential of the simulated provider; it lives in this process alone.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from sandbox.problems import Refusal

DEMO_KEY: Final = "sandbox_demo"
HOW_A_KEY_LOOKS: Final = (
    f"A sandbox key is sandbox_ followed by 4 to 64 letters, digits, _ or -, such as {DEMO_KEY}."
)

_SANDBOX_KEY: Final = re.compile(r"sandbox_[A-Za-z0-9_-]{4,64}")
# RFC 9110, section 11.1: the scheme is case-insensitive. RFC 6750, section 2.1: the token follows.
_BEARER: Final = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*) *")
_REALM: Final = 'Bearer realm="voice-api"'


class Principal(msgspec.Struct, frozen=True):
    """Who sent a request: the namespace, and whether it was the simulated provider."""

    namespace: bytes
    is_provider: bool


class Keyring:
    """Tells who a request comes from. ``secret`` makes the provider's credential unguessable."""

    def __init__(self, secret: str) -> None:
        self._provider_prefix = f"provider.{secret}."

    def principal(self, authorization: Sequence[bytes]) -> Principal:
        """From all values of the header ``Authorization``.

        Raises: `Refusal` ``missing_token`` or ``invalid_token``, both with ``WWW-Authenticate``.
        """
        if not authorization:
            raise Refusal(
                "missing_token",
                "This request carries no Bearer token. "
                "Add the header Authorization: Bearer YOUR_SERVICE_API_KEY.",
                headers={"WWW-Authenticate": _REALM},
            )
        bearer = _BEARER.fullmatch(authorization[0].decode("latin-1"))
        if bearer and len(authorization) == 1:
            token = bearer[1]
            if _SANDBOX_KEY.fullmatch(token):
                return Principal(namespace_of(token), is_provider=False)
            prefix, namespace = token[:-32], token[-32:]
            if hmac.compare_digest(prefix, self._provider_prefix):
                return Principal(bytes.fromhex(namespace), is_provider=True)
        raise Refusal(
            "invalid_token",
            f"This token is not accepted. {HOW_A_KEY_LOOKS}",
            headers={"WWW-Authenticate": f'{_REALM}, error="invalid_token"'},
        )

    def provider_authorization(self, namespace: bytes) -> bytes:
        """The header with which the simulated provider posts into a namespace."""
        return f"Bearer {self._provider_prefix}{namespace.hex()}".encode()


def is_sandbox_key(token: str) -> bool:
    """Whether a token has the form that opens a namespace of a sandbox."""
    return _SANDBOX_KEY.fullmatch(token) is not None


def namespace_of(token: str) -> bytes:
    """The name of a key's namespace: 16 bytes of its SHA-256."""
    return hashlib.sha256(token.encode()).digest()[:16]
