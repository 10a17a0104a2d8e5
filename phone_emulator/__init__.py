"""A software emulator of a Yealink IP phone."""

__version__ = "0.1.0"
