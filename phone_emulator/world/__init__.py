"""The worlds a phone can live in: the real one, with sockets, and a simulated one, with a virtual clock.

The two are imported when they are first named, so that what needs only their promises starts fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import (
    Accept,
    ConnectFailed,
    DatagramReceiver,
    DatagramSocket,
    Listener,
    PortInUse,
    SendFailed,
    Stream,
    StreamReceiver,
    TimerHandle,
    TlsClient,
    TlsFailed,
    TlsServer,
    World,
    WorldError,
)
from .faults import Faulted, as_reason
from .tasks import Tasks

if TYPE_CHECKING:
    from .loop import Deadlock
    from .network import Host, Network
    from .real import RealWorld
    from .simulated import SimulatedWorld

__all__ = [
    "Accept",
    "ConnectFailed",
    "DatagramReceiver",
    "DatagramSocket",
    "Deadlock",
    "Faulted",
    "Host",
    "Listener",
    "Network",
    "PortInUse",
    "RealWorld",
    "SendFailed",
    "SimulatedWorld",
    "Stream",
    "StreamReceiver",
    "Tasks",
    "TimerHandle",
    "TlsClient",
    "TlsFailed",
    "TlsServer",
    "World",
    "WorldError",
    "as_reason",
]

_LATE = {
    "Deadlock": "loop",
    "Host": "network",
    "Network": "network",
    "RealWorld": "real",
    "SimulatedWorld": "simulated",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LATE[name]}", __name__), name)
