"""The operations: ``service`` for the service's contract, ``control`` for the sandbox's own.

Owns one function for each operationId, and nothing of HTTP: a handler gets a request that has
passed the contract, and gives a response or raises a problem. Imports ``simulation`` and
everything below it. Only ``app`` imports it.
"""
