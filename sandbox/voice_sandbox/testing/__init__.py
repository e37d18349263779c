"""For the tests of integrators: clients, a sandbox in a thread, and the pytest plugin.

Owns what a test needs to drive a sandbox. Nothing that serves a request needs it. Imports
``server``, ``app`` and what lies below them, and no module before a test asks for it. ``cli``
uses its client.
"""
