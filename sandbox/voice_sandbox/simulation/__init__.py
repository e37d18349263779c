"""The world that the handlers share: calls in a store, a clock for each key, a provider.

Owns the delivery of completions when they are due, and the expiry of idle namespaces. Sets no
result itself: a completion is a request to the application like any other. Imports ``journal``
and what lies below it. ``api`` and everything above it may import it, but for ``site`` and
``verification``.
"""
