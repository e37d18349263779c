"""``python -m voice_sandbox`` is ``voice-sandbox``."""

from voice_sandbox.cli.main import main

main(prog_name="voice-sandbox")
