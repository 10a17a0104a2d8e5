"""A software emulator of a Yealink IP phone."""

__version__ = "0.2.0"
