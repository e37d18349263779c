"""Python imports this at start-up in every process whose PYTHONPATH names this folder."""

import network_guard

network_guard.install()
