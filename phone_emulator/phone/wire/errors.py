"""What goes wrong with a call."""

from __future__ import annotations


class CallError(Exception):
    """The call cannot do that now; the text says why, for people."""
