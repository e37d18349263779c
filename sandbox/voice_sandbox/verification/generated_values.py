"""What Schemathesis must know beside the schemas: the agents that exist.

The contract leaves the key of an agent open, so that agents can be added without a new version.
A request with a key that nobody has is rejected, although it fits the schema.
"""

from __future__ import annotations

import json

from voice_sandbox.contract.catalogue import read_catalogue
from voice_sandbox.contract.model import Contract


def schemathesis_values(contract: Contract) -> str:
    """The part of a ``schemathesis.toml`` that takes agents from the catalogue."""
    keys = [agent.key for agent in read_catalogue(contract).agents]
    return f"""
[dictionaries]
agents.values = {json.dumps(keys)}

[[operations]]
include-operation-id = "createCall"
parameters = {{ "body.agent" = {{ dictionary = "agents", probability = 1.0 }} }}
"""
