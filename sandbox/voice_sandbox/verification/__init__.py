"""Verifies any deployment of the contract, the sandbox included, by base URL and key alone.

Owns the checks and how they are run and reported. Knows nothing of how the sandbox is built: it
sends requests and looks at responses. Imports ``contract``, ``calls`` and modules beside
them, such as ``curl``. Only ``cli`` imports it.
"""
