"""A call, its states, what the simulated provider does with it, and the scenarios: pure.

Owns every rule of how a call may proceed and end. Has no time of its own, no storage and no
network, so each function gives the same result for the same arguments. Imports only ``contract``.
Every package above it may import it, but for ``site``; so may the portal.
"""
