"""A sandbox of the voice API: it behaves like the service and rings nobody."""

__version__ = "0.1.0"
