"""What ``openapi.yaml`` and ``control.yaml`` say, read once into frozen values.

Owns the reader, the model, the catalogue of agents, validation, and the one table of problems.
Rejects a keyword that nobody enforces, so that no rule in a contract is without effect. The lowest
package: it imports no other, and every other may import it, but for ``site``; so may the portal.
"""
