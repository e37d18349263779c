"""The built portal as static files, with its content security policy.

Owns paths, links and caching of files, and rejects every path that leads out of the folder.
Knows nothing of the contract, and imports no other package. Only ``app`` imports it.
"""
