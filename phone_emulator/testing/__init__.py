"""For tests written in Python: a phone in virtual time, and a lab on loopback, both without ``async``.

The names here are for the annotations of tests that use the fixtures (docs/pytest.md).
"""

from __future__ import annotations

from .sip_lab import LabServer, SipLab
from .virtual_phone import MakePhone, VirtualCall, VirtualPhone

__all__ = ["LabServer", "MakePhone", "SipLab", "VirtualCall", "VirtualPhone"]
