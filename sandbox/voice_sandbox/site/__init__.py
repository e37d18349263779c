"""The built portal as static files, with its content security policy.

Owns paths, links and caching of files, and rejects every path that leads out of the folder.
Knows nothing of the contract, and imports the clock alone. Only ``app`` imports it.
"""
