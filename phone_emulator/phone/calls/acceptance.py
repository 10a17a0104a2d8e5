"""A 2xx to an INVITE on its way: repeated until its ACK comes (RFC 3261 section 13.3.1.4)."""

from __future__ import annotations

import asyncio

from phone_emulator.config.model import TimerConfig
from phone_emulator.sip.message import Response
from phone_emulator.sip.server import ServerTransaction

from .repetition import repeated


class Acceptance:
    """The 2xx that accepts one INVITE.

    Args:
        server: the INVITE.
        timers: T1 and T2, in seconds.
        offer: this end's offer, where the INVITE had none: its answer comes in the ACK.
    """

    def __init__(self, server: ServerTransaction, timers: TimerConfig, offer: bytes = b"") -> None:
        self.offer = offer
        self._server = server
        self._timers = timers
        self._over = asyncio.Event()

    @property
    def over(self) -> bool:
        """Whether the ACK has come, or is not waited for any longer."""
        return self._over.is_set()

    def stop(self) -> None:
        """The ACK has come, or the call has ended without it."""
        self._over.set()

    async def run(self, response: Response) -> bool:
        """Send *response* at 0, T1, 3*T1, … (at most T2 apart); False when no ACK comes within 64*T1."""
        timers = self._timers
        return await repeated(
            lambda: self._server.respond(response), self._over, t1=timers.t1, longest=timers.t2
        )
