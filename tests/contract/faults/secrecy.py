"""Faults of what a sandbox keeps of a request, written after the checks that plant secrets."""

import re
from typing import Any

from faults.rows import Alter, as_fault
from voice_sandbox.http import redaction
from voice_sandbox.journal import entry

_TOKENS = "tokens_of_every_form_appear_nowhere"
_MEMBERS = "members_named_like_secrets_are_redacted"
_HEADERS = "headers_named_like_secrets_are_redacted"
_KEYS = "idempotency_keys_are_recognised_and_not_read"
_NEVER = re.compile(rb"(?!)")


def instead(owner: Any, name: str, value: Any) -> Alter:
    """Another function or pattern stands in the place of one."""
    return lambda injector: injector.replace(owner, name, value)


def overlooks_header(word: bytes) -> Alter:
    """A header with this word in its name is no secret."""

    def make(original: Any) -> Any:
        return lambda name: word not in name and original(name)

    return lambda injector: injector.wrap(entry, "is_secret_header", make)


def as_shown(change: Any) -> Alter:
    """An Idempotency-Key is shown as another text."""
    return instead(entry, "stand_in", change)


def overlooks_word(*words: bytes) -> Alter:
    """A member with one of these words in its name is no secret."""
    pattern = rb"|".join(words)

    def make(original: Any) -> Any:
        def members(text: bytes) -> Any:
            return text if re.search(pattern, text, re.I) else original(text)

        return members

    return lambda injector: injector.wrap(redaction, "_without_members", make)


def _but_capitals(original: Any) -> Any:
    return lambda word, least: word.upper() != word and original(word, least)


ROWS = [
    as_fault("journal", caught_by, name, sentence, alter)
    for caught_by, name, sentence, alter in (
        (
            _TOKENS,
            "random_words_are_shown",
            "A long random word without a known beginning is shown.",
            instead(redaction, "_is_random", lambda word, least: False),
        ),
        (
            _TOKENS,
            "only_long_tokens_are_hidden",
            "A token of fewer than 40 characters is shown.",
            instead(redaction, "_SHORTEST_TOKEN", 40),
        ),
        (
            _TOKENS,
            "issued_keys_are_shown",
            "A key with the beginning of its issuer is shown.",
            instead(redaction, "_ISSUED", re.compile(rb"sandbox_[\w-]{1,128}")),
        ),
        (
            _TOKENS,
            "keys_of_sandboxes_are_shown",
            "A key of another sandbox is shown.",
            instead(redaction, "_ISSUED", re.compile(rb"sk_live_\w+")),
        ),
        (
            _TOKENS,
            "capitals_are_no_token",
            "A token of capitals and digits alone is shown.",
            lambda injector: injector.wrap(
                redaction,
                "_is_random",
                _but_capitals,
            ),
        ),
        (
            _TOKENS,
            "escaped_words_are_shown",
            "A word with an escape in it is shown as it was sent.",
            instead(redaction, "_without_escaped_token", lambda public, word: word),
        ),
        (
            _MEMBERS,
            "members_of_secrets_are_shown",
            "A value is shown whatever its name is.",
            instead(redaction, "_without_members", lambda text: text),
        ),
        (
            _MEMBERS,
            "passwords_are_shown",
            "The value of a password is shown.",
            overlooks_word(rb"password"),
        ),
        (
            _MEMBERS,
            "keys_by_name_are_shown",
            "The value of a member that ends in key is shown.",
            overlooks_word(rb"api_?key", rb"privatekey"),
        ),
        (
            _MEMBERS,
            "secret_parameters_are_shown",
            "The value of a parameter with a secret's name is shown.",
            instead(redaction, "_FIELD", _NEVER),
        ),
        (
            _MEMBERS,
            "every_body_is_hidden",
            "A body with a secret in it is not shown at all.",
            instead(redaction, "_without_members", lambda text: b'"[redacted]"'),
        ),
        *(
            (
                _HEADERS,
                f"header_of_a_{word}_is_shown",
                f"A header with {word} in its name is shown.",
                overlooks_header(word.encode()),
            )
            for word in ("cookie", "signature", "session", "auth")
        ),
        (
            _HEADERS,
            "every_header_is_hidden",
            "No value of a header is shown.",
            instead(entry, "is_secret_header", lambda name: True),
        ),
        (
            _KEYS,
            "idempotency_keys_are_shown",
            "An Idempotency-Key is shown as it was sent.",
            as_shown(lambda value, key: value),
        ),
        (
            _KEYS,
            "idempotency_keys_look_alike",
            "Every Idempotency-Key is shown as the same text.",
            as_shown(lambda value, key: b"x" * len(value)),
        ),
        (
            _KEYS,
            "idempotency_keys_lose_their_length",
            "An Idempotency-Key is shown as a word.",
            as_shown(lambda value, key: b"[redacted]"),
        ),
    )
]
