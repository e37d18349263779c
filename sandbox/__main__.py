"""``python -m sandbox`` is ``voice-sandbox``."""

from sandbox.cli import main

main(prog_name="voice-sandbox")
