"""The checks by subject; `sandbox.verification.registry` is the closed list of all."""
