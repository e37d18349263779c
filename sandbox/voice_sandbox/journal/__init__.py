"""The exchanges of each key: recorded, redacted, searched, followed and exported.

Owns what is kept of an exchange, what is taken out of it, and its forms as curl, HAR and pytest
test, and how coverage is measured. Imports ``http``, ``store`` and what lies below them.
``simulation`` and everything above it may import it, but for ``site`` and ``verification``.
"""
