"""What is told: typed events, and the words a route is told in. Imports nothing of the rest."""

from .bus import Bus, Listener
from .kinds import (
    AttemptEnded,
    AttemptProgressed,
    AttemptStarted,
    CallChanged,
    CallState,
    Direction,
    DnsAnswered,
    Event,
    MessageIgnored,
    MessageReceived,
    MessageSent,
    MessagesWaiting,
    RegistrationChanged,
    RegistrationState,
    ServerChanged,
)
from .route import Address, Attempt, Outcome, Source, Target, Transport, Wait, role_name

__all__ = [
    "Address",
    "Attempt",
    "AttemptEnded",
    "AttemptProgressed",
    "AttemptStarted",
    "Bus",
    "CallChanged",
    "CallState",
    "Direction",
    "DnsAnswered",
    "Event",
    "Listener",
    "MessageIgnored",
    "MessageReceived",
    "MessageSent",
    "MessagesWaiting",
    "Outcome",
    "RegistrationChanged",
    "RegistrationState",
    "ServerChanged",
    "Source",
    "Target",
    "Transport",
    "Wait",
    "role_name",
]
