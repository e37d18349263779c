"""Sandbox keys: which tokens open which namespace, and which open none."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_sandbox.contract.problems import ProblemError
from voice_sandbox.http.authentication import DEMO_KEY, Keyring, KeysError, namespace_of, read_keys

RING = Keyring("0123456789abcdef")
NAMESPACE = bytes(range(16))

ACCEPTED = [
    b"Bearer sandbox_demo",
    b"bearer sandbox_demo",
    b"BEARER sandbox_demo",
    b"Bearer   sandbox_demo",
    b"Bearer sandbox_demo ",
]
REJECTED = [
    b"",
    b" ",
    b"Bearer",
    b"Bearer ",
    b"sandbox_demo",
    b"Bearersandbox_demo",
    b"Basic c2FuZGJveF9kZW1vOg==",
    b"Basic sandbox_demo",
    b"Token sandbox_demo",
    b"Bearer sandbox_",
    b"Bearer sandbox_abc",
    b"Bearer sandbox_" + b"a" * 65,
    b"Bearer sandbox_" + b"a" * 100_000,
    b"Bearer SANDBOX_demo",
    b"Bearer Sandbox_demo",
    b"Bearer xsandbox_demo",
    b"Bearer sandbox-demo",
    b"Bearer sandbox_de mo",
    b"Bearer sandbox_demo sandbox_demo",
    b"Bearer sandbox_demo,",
    b"Bearer sandbox_demo, Bearer sandbox_demo",
    b"Bearer sandbox_demo\n",
    b"Bearer\tsandbox_demo",
    b" Bearer sandbox_demo",
    b'Bearer "sandbox_demo"',
    b"Bearer sandbox_demo==",
    b"Bearer sandbox_demo.x",
    b"Bearer sandbox_dem/o",
    b"Bearer sandbox_d%65mo",
    "Bearer sandbox_dèmo".encode(),
    "Bearer sandbox_dèmo".encode("latin-1"),
    b"Bearer sandbox_\xff\xfe\xfd\xfc",
    b"Bearer sandbox_demo\x00",
    b"Bearer YOUR_SERVICE_API_KEY",
    b"Bearer provider",
    b"Bearer provider.",
    b"Bearer provider.wrong." + NAMESPACE.hex().encode(),
    b"Bearer provider.." + NAMESPACE.hex().encode(),
    b"Bearer " + NAMESPACE.hex().encode(),
    RING.provider_authorization(NAMESPACE)[:-1],
    RING.provider_authorization(NAMESPACE) + b"0",
    RING.provider_authorization(NAMESPACE).upper(),
    Keyring("another secret").provider_authorization(NAMESPACE),
]


@pytest.mark.parametrize("value", ACCEPTED)
def test_scheme_is_case_insensitive(value: bytes) -> None:
    """The scheme may be written in any case (RFC 9110, section 11.1)."""
    assert RING.principal([value]).namespace == namespace_of(DEMO_KEY)


@pytest.mark.parametrize("length", [4, 64])
def test_key_of_every_allowed_length_opens(length: int) -> None:
    """The shortest and the longest key open a namespace."""
    token = "sandbox_" + "aZ9_-"[: min(length, 5)].ljust(length, "x")
    assert RING.principal([f"Bearer {token}".encode()]).namespace == namespace_of(token)


@pytest.mark.parametrize("value", REJECTED)
def test_wrong_token_opens_nothing(value: bytes) -> None:
    """Whatever is not a sandbox key is rejected as invalid."""
    with pytest.raises(ProblemError) as rejected:
        RING.principal([value])
    assert rejected.value.code == "invalid_token"


def test_rejection_repeats_no_token() -> None:
    """What was sent as a token may be a secret of the live service."""
    with pytest.raises(ProblemError) as rejected:
        RING.principal([b"Bearer live-secret"])
    assert "live-secret" not in f"{rejected.value} {rejected.value.headers}"


def test_rejection_shows_how_a_key_looks() -> None:
    """Whoever sent a wrong token learns which one is right."""
    with pytest.raises(ProblemError, match=f"4 to 64 letters.*{DEMO_KEY}"):
        RING.principal([b"Bearer x"])


@pytest.mark.parametrize(
    ("value", "explained"),
    [
        (b"sandbox_demo", "does not say Bearer before the token"),
        (b"live-secret.with+signs", "does not say Bearer before the token"),
        (b"", "does not say Bearer before the token"),
        (b"Basic c2FuZGJveF9kZW1v", "names another scheme than Bearer"),
        (b"Token sandbox_demo", "names another scheme than Bearer"),
        (b"Bearer", "no token follows"),
        (b"bearer  ", "no token follows"),
        (b"Bearer live-secret", "This token is not accepted"),
    ],
)
def test_what_is_wrong_with_a_header_is_said(value: bytes, explained: str) -> None:
    """A missing scheme, another scheme and a missing token are told apart from a wrong key."""
    with pytest.raises(ProblemError, match=explained) as rejected:
        RING.principal([value])
    assert rejected.value.code == "invalid_token"


def test_two_headers_open_nothing() -> None:
    """Nobody guesses which of two tokens was meant."""
    with pytest.raises(ProblemError) as rejected:
        RING.principal([b"Bearer sandbox_demo", b"Bearer sandbox_demo"])
    assert rejected.value.code == "invalid_token"


def test_no_header_is_another_problem() -> None:
    """A request without a token is told so."""
    with pytest.raises(ProblemError) as rejected:
        RING.principal([])
    assert rejected.value.code == "missing_token"


@pytest.mark.parametrize("values", [[], [b"Bearer x"]])
def test_rejection_challenges(values: list[bytes]) -> None:
    """Every 401 says how to authenticate (RFC 9110, section 15.5.2)."""
    with pytest.raises(ProblemError) as rejected:
        RING.principal(values)
    assert rejected.value.headers["WWW-Authenticate"].startswith('Bearer realm="')


def test_provider_opens_the_namespace_of_its_call() -> None:
    """The simulated provider acts in the namespace that it names."""
    principal = RING.principal([RING.provider_authorization(NAMESPACE)])
    assert (principal.namespace, principal.is_provider) == (NAMESPACE, True)


def test_integrator_is_no_provider() -> None:
    """A sandbox key never acts as the provider."""
    assert not RING.principal([b"Bearer sandbox_demo"]).is_provider


@given(st.text("sandbox_", min_size=4, max_size=64), st.text("demo_-9Z", min_size=4, max_size=64))
def test_two_keys_have_two_namespaces(one: str, other: str) -> None:
    """No two keys share a namespace."""
    same = namespace_of(f"sandbox_{one}") == namespace_of(f"sandbox_{other}")
    assert same == (one == other)


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_no_bytes_break_the_reading(values: list[bytes]) -> None:
    """Whatever stands in the header, there is a principal or a rejection."""
    try:
        RING.principal(values)
    except ProblemError as error:
        code = error.code
        assert code == ("invalid_token" if values else "missing_token")


# A list of keys


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def opens(ring: Keyring, key: str) -> bool:
    """Whether the key opens a namespace."""
    try:
        return not ring.principal([f"Bearer {key}".encode()]).is_provider
    except ProblemError:
        return False


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a byte order mark"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["Unix", "Windows"])
def test_list_of_keys_from_any_editor_is_read(tmp_path: Path, mark: str, ends: str) -> None:
    """How an editor begins a file and ends its lines changes no key."""
    path = tmp_path / "keys"
    path.write_bytes(f"{mark}sandbox_alice{ends}sandbox_robert{ends}".encode())
    ring = Keyring("secret", allowed=read_keys(path))
    assert [opens(ring, key) for key in ("sandbox_alice", "sandbox_robert")] == [True, True]


def test_listed_keys_open_and_no_others(tmp_path: Path) -> None:
    """With a list of keys, every other key is rejected, however well it is formed."""
    path = tmp_path / "keys"
    path.write_text(f"# team\n\n  sandbox_alice\n{digest('sandbox_robert').hex().upper()}\n")
    ring = Keyring("secret", allowed=read_keys(path))
    keys = ["sandbox_alice", "sandbox_robert", "sandbox_carol", DEMO_KEY]
    assert [opens(ring, key) for key in keys] == [True, True, False, False]


def test_a_digest_is_no_key(tmp_path: Path) -> None:
    """Who steals a list of digests has no key."""
    path = tmp_path / "keys"
    path.write_text(digest("sandbox_alice").hex())
    assert not opens(Keyring("secret", allowed=read_keys(path)), digest("sandbox_alice").hex())


def test_list_can_change() -> None:
    """A new list takes the place of the old one."""
    ring = Keyring("secret", allowed=frozenset({digest("sandbox_alice")}))
    ring.allow(frozenset({digest("sandbox_carol")}))
    assert [opens(ring, key) for key in ("sandbox_alice", "sandbox_carol")] == [False, True]


def test_provider_needs_no_list() -> None:
    """Calls complete whatever keys are listed."""
    ring = Keyring("secret", allowed=frozenset())
    assert ring.principal([ring.provider_authorization(NAMESPACE)]).is_provider


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sandbox_alice\nlive-secret\n", "keys:2 is neither a key"),
        ("sandbox_al\n", "keys:1 is neither a key"),
        (digest("x").hex()[:-1], "keys:1 is neither a key"),
        ("# nobody yet\n", "lists no key"),
    ],
)
def test_wrong_list_is_explained(tmp_path: Path, text: str, said: str) -> None:
    """A line that is no key is named by its number, and never repeated."""
    path = tmp_path / "keys"
    path.write_text(text)
    with pytest.raises(KeysError, match=said) as rejected:
        read_keys(path)
    assert "live-secret" not in str(rejected.value)


def test_missing_list_is_explained(tmp_path: Path) -> None:
    """A list that is not there does not mean that every key is welcome."""
    with pytest.raises(KeysError, match="cannot be read"):
        read_keys(tmp_path / "gone")
