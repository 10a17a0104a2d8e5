"""One TCP or TLS connection: bytes in, messages out, and an end to what leads nowhere.

A peer may fall silent in the middle of a message, or never send one; it is waited for, but not for ever.
"""

from __future__ import annotations

from typing import Protocol

from phone_emulator.world.base import TimerHandle, World
from phone_emulator.world.faults import as_reason
from phone_emulator.world.tasks import Tasks

from .flow import Flow
from .framing import MAX_SIZE, PING, PONG, Framer
from .headers import MessageError

IDLE = 600.0
"""Seconds after which a connection is closed over which nothing came or went, and no line is registered."""
MESSAGE_TIME = 32.0
"""Seconds within which a message that has begun must be whole: what a transaction lasts (64*T1)."""


PONG_TIME = 10.0
"""Seconds within which a keep-alive is answered; else the connection is dead (RFC 5626 section 4.4.1)."""


class ConnectionUser(Protocol):
    """Who is told what a connection brings: the transport layer."""

    def message_received(self, data: bytes, flow: Flow) -> None:
        """The bytes of one message came in."""

    def message_broken(self, data: bytes, flow: Flow, error: MessageError) -> None:
        """*data* came, which *error* keeps from being cut into messages."""

    def pong(self, flow: Flow) -> None:
        """Answer a keep-alive on a connection (RFC 5626 section 4.4.1)."""

    def ignored(
        self,
        flow: Flow,
        reason: str,
        data: bytes,
        status: int | None = None,
        *,
        outwards: bool = False,
        unread: bool = False,
    ) -> None:
        """Tell that something that came in is not acted upon."""

    def connection_lost(self, connection: Connection, reason: str) -> None:
        """*connection* has ended."""


class Connection:
    """One connection of *layer*; ``flow`` is set as soon as it is open.

    Args:
        layer: is told what comes, and the end.
        world: its clock.
        tasks: whose its timer is.
    """

    flow: Flow

    def __init__(self, layer: ConnectionUser, world: World, tasks: Tasks) -> None:
        self._layer = layer
        self._world = world
        self._tasks = tasks
        self._framer = Framer()
        self._begun: float | None = None
        """When the message began to come that is not whole yet."""
        self._pinged: float | None = None
        """When the first keep-alive left since something came."""
        self._answers_pings = False
        """Whether the peer does: many pass keep-alives over, and are not dead for that."""
        self._timer: TimerHandle | None = None
        self.lost = False
        self.closed = False
        """Whether this end has closed it."""

    def opened(self, flow: Flow) -> None:
        """The connection is up."""
        self.flow = flow
        flow.opened = flow.used = self._world.now()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """The next bytes."""
        self.flow.used = now = self._world.now()
        if self._pinged is not None:
            self._pinged = None
            self._answers_pings = self._answers_pings or data == PONG
        try:
            messages = self._framer.feed(data)
            for message in messages:
                if not self.lost:
                    self._layer.message_received(message, self.flow)
            self._framer.feed(b"")  # tells at once what is wrong behind the last whole message
        except MessageError as error:
            self._give_up(error)
            return
        if not self._framer.pending:
            self._begun = None
            if data == PING:  # not beside a message: peers that send line ends there know no answer to them
                self._layer.pong(self.flow)
        elif messages or self._begun is None:
            self._begun = now
            self._watch()

    def connection_lost(self, reason: str) -> None:
        """The connection has ended."""
        if self.lost:
            return
        if self._framer.pending and not self.closed:
            lacking = f"half a message, and the connection has ended: {self._framer.lacking}"
            self._layer.ignored(self.flow, lacking, self._framer.rest, unread=True)
        self.lost = True
        self._rest()
        if hasattr(self, "flow"):
            self._layer.connection_lost(self, reason)

    def close(self) -> None:
        """Close the connection."""
        self.closed = True
        self._rest()
        if self.flow.stream is not None:
            self.flow.stream.close()

    def ping(self) -> None:
        """Send a keep-alive; raises SendFailed. A peer that has answered one must answer each in time."""
        now = self._world.now()
        if self.flow.stream is not None:
            self.flow.stream.send(PING)
            self.flow.used = now
            if self._pinged is None:
                self._pinged = now
                self._watch()

    def _give_up(self, error: MessageError) -> None:
        """Refuse the request that cannot be cut, and close: nothing tells where the next one starts."""
        if not self.lost:
            why = MessageError(f"{error}; connection closed", error.status)
            self._layer.message_broken(self._framer.rest[:MAX_SIZE], self.flow, why)
            self.close()
            self.connection_lost(str(error))

    def _break_off(self, reason: str, data: bytes) -> None:
        """Close the connection for *reason*, which *data* shows."""
        if not self.lost:
            self._layer.ignored(self.flow, f"{reason}; connection closed", data, unread=True)
            self.close()
            self.connection_lost(reason)

    def _abort(self, reason: str) -> None:
        """Reset a dead connection: nobody would answer an orderly end."""
        self.closed = True
        if self.flow.stream is not None:
            self.flow.stream.abort()
        self.connection_lost(reason)

    # -- waiting -------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Look again when this connection may have to end; what happens until then only moves the time."""
        self._rest()
        if self.lost:
            return
        now = self._world.now()
        if self._begun is not None and now >= self._begun + MESSAGE_TIME:
            lacking = f"half a message, and no more of it within {MESSAGE_TIME:.0f} s"
            self._break_off(f"{lacking}: {self._framer.lacking}", self._framer.rest)
            return
        pong_due = None
        if self._pinged is not None and self._answers_pings:
            pong_due = self._pinged + PONG_TIME
            if now >= pong_due:
                self._abort(f"no answer to a keep-alive within {PONG_TIME:.0f} s")
                return
        idle_since = now if self.flow.registrations else self.flow.used
        if now >= idle_since + IDLE:
            self.close()
            self.connection_lost(f"closed after {IDLE:.0f} s without use")
            return
        due = idle_since + IDLE
        if self._begun is not None:
            due = min(due, self._begun + MESSAGE_TIME)
        if pong_due is not None:
            due = min(due, pong_due)
        name = f"watching the connection with {self.flow.remote}"
        self._timer = self._tasks.call_at(due, self._watch, name, on_fault=self._fault)

    def _fault(self, error: Exception) -> None:
        """Watching it raised *error*: nobody would end it any more."""
        self.close()
        self.connection_lost(as_reason(error))

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
