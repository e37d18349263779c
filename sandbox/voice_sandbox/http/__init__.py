"""The way of one request: routing, authentication, limits, strict JSON, and the response.

Owns the order in which a request is rejected and the one place where a problem becomes a response.
Knows no operation by name: handlers are given to it. Imports ``store`` and what lies below it.
``journal`` and everything above it may import it, but for ``site`` and ``verification``.
"""
