"""Provisional responses that are acknowledged: 100rel and PRACK (RFC 3262)."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from phone_emulator.config.model import TimerConfig
from phone_emulator.numbers import MAX_UINT32, number
from phone_emulator.phone.wire import option_tags
from phone_emulator.phone.wire.option_tags import RELIABLE
from phone_emulator.sip.message import CSeq, Request, Response
from phone_emulator.sip.server import ServerTransaction

from .repetition import repeated


class RAck(NamedTuple):
    """What a PRACK acknowledges (section 7.2)."""

    rseq: int
    cseq: CSeq

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq.number} {self.cseq.method}"


def wants_prack(response: Response) -> bool:
    """Whether *response* is a provisional one that wants to be acknowledged (section 4)."""
    return 100 < response.status < 200 and option_tags.named(response, "Require", RELIABLE)


def rseq_of(response: Response) -> int | None:
    """The RSeq of a provisional response that wants to be acknowledged; None where there is none.

    0 is no RSeq (section 7.1).
    """
    return number(response.headers.get("RSeq") or "", MAX_UINT32) or None if wants_prack(response) else None


def rack_of(prack: Request) -> RAck | None:
    """The RAck of a PRACK; None where it cannot be read."""
    words = (prack.headers.get("RAck") or "").split()
    if len(words) != 3:
        return None
    rseq, count = number(words[0], MAX_UINT32), number(words[1], MAX_UINT32)
    return None if rseq is None or count is None else RAck(rseq, CSeq(count, words[2]))


class InOrder:
    """Which reliable provisional responses of one early dialog are due (section 4): one by one, each once."""

    def __init__(self) -> None:
        self._last: int | None = None

    def due(self, rseq: int) -> bool:
        """Whether the response *rseq* is the next one: not one again, and none was lost before it."""
        if self._last is not None and rseq != self._last + 1:
            return False
        self._last = rseq
        return True


class ReliableProvisional:
    """A provisional response of this end, repeated until its PRACK comes (section 3).

    Args:
        server: the INVITE.
        timers: T1, in seconds.
        rseq: its number.
        offer: this end's offer, where it carries one: the PRACK brings the answer.
    """

    def __init__(self, server: ServerTransaction, timers: TimerConfig, rseq: int, offer: bytes = b"") -> None:
        self.offer = offer
        self.acknowledged = False
        """Whether its PRACK has come."""
        self._server = server
        self._timers = timers
        self._rack = RAck(rseq, server.request.cseq)
        self._over = asyncio.Event()

    @property
    def headers(self) -> list[tuple[str, str]]:
        """What makes it reliable."""
        return [("Require", RELIABLE), ("RSeq", str(self._rack.rseq))]

    def matches(self, rack: RAck) -> bool:
        """Whether a PRACK with *rack* is for it, and the first one."""
        return rack == self._rack and not self.acknowledged

    def acknowledge(self) -> None:
        """Its PRACK has come."""
        self.acknowledged = True
        self._over.set()

    def stop(self) -> None:
        """The INVITE has got its final response: no repetition any more, though a PRACK may still come."""
        self._over.set()

    async def over(self) -> bool:
        """Wait until it is repeated no more; whether its PRACK has come."""
        await self._over.wait()
        return self.acknowledged

    async def run(self, response: Response) -> bool:
        """Send *response* at 0, T1, 3*T1, 7*T1, …; False when it is given up after 64*T1."""
        return await repeated(lambda: self._server.respond(response), self._over, t1=self._timers.t1)
