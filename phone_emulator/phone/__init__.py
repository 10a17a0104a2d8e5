"""The phone itself: lines, registrations, calls."""

from .call import Call, CallError, CallResult
from .identity import Device
from .incoming import IncomingCall
from .outgoing import OutgoingCall
from .phone import Phone, PhoneOptions

__all__ = [
    "Call",
    "CallError",
    "CallResult",
    "Device",
    "IncomingCall",
    "OutgoingCall",
    "Phone",
    "PhoneOptions",
]
