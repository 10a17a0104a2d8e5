"""The phone itself: lines, registrations, calls."""

from .call import Call, CallError, CallResult
from .certificates import Certificates
from .identity import Device
from .incoming import IncomingCall
from .outgoing import OutgoingCall
from .phone import Phone, PhoneOptions

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
