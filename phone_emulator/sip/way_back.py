"""The way back for responses, as the top Via of their request says it (RFC 3261 section 18.2, RFC 3581).

Where their connection has ended, a new one is made to where the request came from, at the port of its Via;
where nobody takes it there, to where the sent-by of the Via leads (RFC 3263 section 5).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence

from phone_emulator.events import Address, Transport
from phone_emulator.world.base import ConnectFailed, SendFailed, TlsFailed

from .message import Message, MessageError, Response
from .transport import Flow, TransportLayer
from .values import Via

STAMPS = re.compile(r"\s*;\s*(?:rport|received)\s*(?:=[^;]*)?(?=;|$)", re.IGNORECASE)
"""The parameters of a Via that its receiver sets."""
MOST = 100
"""Responses that may wait for a connection: a peer can hang up on as many requests as it likes."""

Locate = Callable[[str, int | None, Transport], Awaitable[Sequence[Address]]]
"""Where a sent-by leads, best first; none where it leads nowhere."""


async def nowhere(host: str, port: int | None, transport: Transport) -> Sequence[Address]:
    """Where a sent-by leads whose names nobody looks up."""
    return ()


class WaysBack:
    """The ways back of one endpoint.

    Args:
        transports: makes the connections.
        locate: looks up where a sent-by leads.
        patience: seconds that a response may wait.
    """

    def __init__(self, transports: TransportLayer, locate: Locate, patience: float) -> None:
        self.locate = locate
        self._transports = transports
        self._patience = patience
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, response: Response, flow: Flow, why: str) -> None:
        """Send *response* on another connection than *flow*, which failed for the reason *why*."""
        try:
            via = response.via
        except MessageError as error:
            self._tell(response, flow, f"{why}, and {error}")
            return
        if len(self._tasks) >= MOST:
            self._tell(response, flow, f"{why}, and {MOST} responses wait for new ones")
            return
        task = asyncio.create_task(self._send(response, via, flow, why), name=f"way back to {flow.remote}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up all."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, response: Response, via: Via, flow: Flow, why: str) -> None:
        source = Address(flow.remote.host, via.port or flow.transport.default_port)
        failed = f"no new one to {source} within {self._patience:.1f} s"
        try:
            async with asyncio.timeout(self._patience):
                fault = await self._try(response, flow, source)
                if not fault:
                    return
                failed = f"no new one to {source}: {fault}"
                for place in await self.locate(via.host.strip("[]"), via.port, flow.transport):
                    if place != source and not await self._try(response, flow, place):
                        return
        except TimeoutError:
            pass
        self._tell(response, flow, f"{why}, and {failed}")

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


def stamp_source(message: Message, via: Via, flow: Flow) -> None:
    """Note in the top Via where the request came from (RFC 3261 section 18.2.1, RFC 3581 section 4)."""
    host, port = flow.remote
    asked = "rport" in via.parameters
    if not asked and via.host.strip("[]") == host:
        return
    headers = message.headers
    line = headers.first["via"]
    usual = line[-6:] == ";rport" and line[:5] == "Via: " and "," not in line
    if usual and len(via.parameters) == 2 and "branch" in via.parameters:
        # As nearly all are: nothing is to be looked for.
        headers.set_line("via", f"{line[:-6]};received={host};rport={port}")
        return
    top, *others = message.headers.values("Via")
    plain = STAMPS.sub("", top)
    rport = f";rport={port}" if asked else ""
    message.headers.remove("Via")
    for value in reversed([f"{plain};received={host}{rport}", *others]):
        message.headers.prepend("Via", value)


def response_flow(via: Via, flow: Flow) -> Flow:
    """Where responses to the request go whose top Via is *via* (RFC 3261 section 18.2.2, RFC 3581)."""
    if flow.stream is not None:
        return flow
    if "rport" in via.parameters:
        return flow
    return Flow(
        flow.transport, flow.local, Address(flow.remote.host, via.port or flow.transport.default_port)
    )
