"""Verifies any deployment of the contract, the sandbox included, by base URL and key alone.

Nothing here knows how the sandbox is built: it sends requests and looks at answers.
"""
