"""The checks by subject; `voice_sandbox.verification.registry` is the closed list of all."""
