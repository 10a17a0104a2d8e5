"""The phone itself: lines, registrations, calls."""

from .calls.call import Call, CallError, CallResult
from .calls.incoming import IncomingCall
from .calls.outgoing import OutgoingCall
from .phone import Phone, PhoneOptions
from .wire.certificates import Certificates
from .wire.identity import Device

__all__ = [
    "Call",
    "CallError",
    "CallResult",
    "Certificates",
    "Device",
    "IncomingCall",
    "OutgoingCall",
    "Phone",
    "PhoneOptions",
]
