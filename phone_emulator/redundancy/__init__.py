"""The redundancy rules, C1 to O3: which target next, and why. Pure: no SIP, no socket, no clock."""

from .failback import Failback
from .forecast import call_foretold, foretold
from .registration import refresh_delay, rest_after, retry_delay
from .servers import Hop, hops, server_order
from .waiting import Silence, wait_for
from .walk import Locate, Ordered, Step, Try, Walk, moves_on

__all__ = [
    "Failback",
    "Hop",
    "Locate",
    "Ordered",
    "Silence",
    "Step",
    "Try",
    "Walk",
    "call_foretold",
    "foretold",
    "hops",
    "moves_on",
    "refresh_delay",
    "rest_after",
    "retry_delay",
    "server_order",
    "wait_for",
]
