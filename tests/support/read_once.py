"""The contracts, read once: they are frozen, and reading them takes longer than most tests."""

from functools import cache
from pathlib import Path

from sandbox.contract import Contract, find_contract, load_contract


@cache
def contracts() -> tuple[Contract, Contract]:
    """The service's contract and the control contract."""
    contract = load_contract(find_contract())
    return contract, load_contract(find_contract("control.yaml"), lender=contract)


def load_once(path: Path, *, lender: Contract | None = None) -> Contract:
    """`load_contract`, which reads neither of the two again."""
    contract, control = contracts()
    if lender is None:
        return contract if path == contract.path else load_contract(path)
    if (path, lender.path) == (control.path, contract.path):
        return control
    return load_contract(path, lender=lender)
