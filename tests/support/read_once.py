"""The contracts, read once: they are frozen, and reading them takes longer than most tests."""

from functools import cache
from pathlib import Path

from voice_sandbox.contract.model import Contract
from voice_sandbox.contract.reader import find_contract, load_contract


@cache
def contracts() -> tuple[Contract, Contract]:
    """The service's contract and the control contract."""
    contract = load_contract(find_contract())
    return contract, load_contract(find_contract("control.yaml"), components_from=contract)


def load_once(path: Path, *, components_from: Contract | None = None) -> Contract:
    """`load_contract`, which reads neither of the two again."""
    contract, control = contracts()
    if components_from is None:
        return contract if path == contract.path else load_contract(path)
    if (path, components_from.path) == (control.path, contract.path):
        return control
    return load_contract(path, components_from=components_from)
