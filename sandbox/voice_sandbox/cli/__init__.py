"""The command ``voice-sandbox``: ``main`` starts a sandbox, the others use one that runs.

Owns options, output and exit codes. May import every package of the sandbox; nothing imports it
but ``voice_sandbox.__main__``. A module that only one command needs is imported by that command,
so that every other command starts faster.
"""
