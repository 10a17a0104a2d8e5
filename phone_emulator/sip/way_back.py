"""Other ways back for responses that do not get through on theirs (RFC 3261 section 18.2.2).

Where their connection has ended, a new one is made to where the request came from, at the port of its Via;
where nobody takes it there, and where a datagram draws an ICMP error, the response goes to where the sent-by
of the Via leads (RFC 3263 section 5): to another host only where one of this end's servers has named it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from phone_emulator.events import Address, Transport
from phone_emulator.sip.parser import STATUSES
from phone_emulator.world.base import ConnectFailed, SendFailed, TlsFailed, World
from phone_emulator.world.faults import as_reason
from phone_emulator.world.tasks import Tasks

from .flow import Flow
from .message import Headers, MessageError, Response
from .refusal import readable
from .transaction import Key, server_key
from .transport import TransportLayer
from .values import Via

MOST = 100
"""Responses that may look for a way: a peer can hang up on as many requests as it likes."""

Locate = Callable[[str, int | None, Transport], Awaitable[Sequence[Address]]]
"""Where a sent-by leads, best first; none where it leads nowhere."""


async def nowhere(host: str, port: int | None, transport: Transport) -> Sequence[Address]:
    """Where a sent-by leads whose names nobody looks up."""
    return ()


@dataclass(slots=True, eq=False)
class _Datagrams:
    """Where the responses of one transaction go over UDP instead of where one drew an ICMP error."""

    response: Response
    """The latest."""
    at: Address | None = None
    """None as long as sent-by is looked up."""
    failed: asyncio.Future[str] | None = None
    """Gets the reason when one draws an ICMP error there too."""


class WaysBack:
    """The ways back of one endpoint.

    Args:
        world: its clock.
        transports: makes the connections.
        locate: looks up where a sent-by leads.
        patience: seconds that a response may wait: for a connection, or for the next ICMP error.
    """

    def __init__(self, world: World, transports: TransportLayer, locate: Locate, patience: float) -> None:
        self.locate = locate
        self._transports = transports
        self._patience = patience
        self._tasks = Tasks(world, "the responses")
        self._datagrams: dict[Key, _Datagrams] = {}
        """By the transaction."""

    def send(self, response: Response, flow: Flow, why: str) -> None:
        """Send *response* on another way than *flow*, which failed for the reason *why*."""
        try:
            via, key = response.via, server_key(response)
        except MessageError as error:
            self._tell(response, flow, f"{why}, and {error}")
            return
        datagrams = None if flow.transport.reliable else self._datagrams.get(key)
        if datagrams is not None:
            self._send_once_more(response, flow, why, datagrams)
            return
        if len(self._tasks) >= MOST:
            self._tell(response, flow, f"{why}, and {MOST} responses look for another way")
            return
        if flow.transport.reliable:
            way = self._send(response, via, flow, why)
        else:
            self._datagrams[key] = datagrams = _Datagrams(response)
            way = self._post(datagrams, via, flow, why, key)
        self._tasks.spawn(
            way,
            f"the way back to {flow.remote}",
            on_fault=lambda error: self._tell(response, flow, f"{why}, and {as_reason(error)}"),
        )

    def repeat(self, response: Response) -> None:
        """Repeat *response*, whose own way leads to a closed port, where another place was found for it."""
        datagrams = self._datagrams.get(server_key(response))
        if datagrams is not None and datagrams.at is not None:
            flow = Flow(Transport.UDP, self._transports.local(Transport.UDP, datagrams.at.host), datagrams.at)
            try:
                self._transports.send(response, flow)
            except SendFailed as error:
                self._send_once_more(response, flow, str(error), datagrams)

    async def close(self) -> None:
        """Give up all."""
        await self._tasks.stop()

    async def _send(self, response: Response, via: Via, flow: Flow, why: str) -> None:
        source = Address(flow.remote.host, via.port or flow.transport.default_port)
        failed = f"no new one to {source} within {self._patience:.1f} s"
        try:
            async with asyncio.timeout(self._patience):
                fault = await self._try(response, flow, source)
                if not fault:
                    return
                failed = f"no new one to {source}: {fault}"
                for place in await self._sent_by(via, flow):
                    if place != source and not await self._try(response, flow, place):
                        return
        except TimeoutError:
            pass
        self._tell(response, flow, f"{why}, and {failed}")

    async def _sent_by(self, via: Via, flow: Flow) -> Sequence[Address]:
        """Where the sent-by of *via* leads; a stranger's to its own host alone."""
        host = via.host.strip("[]")
        if host != flow.remote.host and not self._transports.known(flow.remote.host):
            return ()
        return await self.locate(host, via.port, flow.transport)

    async def _post(self, datagrams: _Datagrams, via: Via, flow: Flow, why: str, key: Key) -> None:
        """Send a response over UDP to one place after the other, until none draws an ICMP error."""
        failed = "and its Via leads nowhere else"
        try:
            async with asyncio.timeout(self._patience):
                for place in await self._sent_by(via, flow):
                    if place == flow.remote:
                        continue
                    datagrams.at, datagrams.failed = place, asyncio.get_running_loop().create_future()
                    fault = await self._try(datagrams.response, flow, place) or await datagrams.failed
                    failed = f"nor to {place}: {fault}"
        except TimeoutError:
            if datagrams.at is not None:
                return  # nobody says that it did not arrive
        finally:
            del self._datagrams[key]
        self._tell(datagrams.response, flow, f"{why}, {failed}")

    def _send_once_more(self, response: Response, flow: Flow, why: str, datagrams: _Datagrams) -> None:
        """*response* failed at *flow*, and its transaction is on the way to another place already."""
        datagrams.response = response
        if datagrams.at is None or datagrams.failed is None:
            return
        if flow.remote != datagrams.at:
            # A repetition, or a later response: each goes to the first place first.
            try:
                self._transports.send(response, Flow(flow.transport, flow.local, datagrams.at))
            except SendFailed as error:
                why = str(error)
            else:
                return
        if not datagrams.failed.done():
            datagrams.failed.set_result(why)

    async def _try(self, response: Response, flow: Flow, place: Address) -> str:
        """Send *response* to *place*; the reason why it did not leave, empty where it did."""
        try:
            way = await self._transports.flow(flow.transport, place, tls=flow.tls)
            self._transports.send(response, way)
        except (ConnectFailed, TlsFailed, SendFailed) as error:
            return str(error)
        return ""

    def _tell(self, response: Response, flow: Flow, why: str) -> None:
        reason = f"could not be sent: {why}"
        self._transports.ignored(flow, reason, response.to_bytes(), outwards=True)


def quoted_response(data: bytes) -> Response | None:
    """The response that begins with *data*, as far as an ICMP error quotes it; None where it is none."""
    head = data.partition(b"\r\n\r\n")[0] if b"\r\n\r\n" in data else data.rpartition(b"\r\n")[0]
    start, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    version, _, rest = start.partition(" ")
    status = STATUSES.get(rest.partition(" ")[0])
    if version != "SIP/2.0" or status is None:
        return None
    return Response(status, "", Headers.from_lines(readable(lines)))
