"""Transactions as their users hold them: a request on its way, and a request that came in."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from phone_emulator.events import Outcome
from phone_emulator.world.base import TimerHandle

from . import transaction as machines
from .message import Request, Response
from .tables import STRAIGHT
from .transaction import Transaction, server_kind
from .transport import Flow

if TYPE_CHECKING:
    from .endpoint import Endpoint


class RequestFailed(Exception):
    """A request got no usable answer.

    Args:
        outcome: ``NO_RESPONSE``, or what the transport said.
        detail: for people.
    """

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


class ClientTransaction:
    """A request on its way: await ``response`` for what comes back."""

    def __init__(
        self,
        machine: Transaction,
        flow: Flow,
        on_sent: Callable[[], None] | None,
        *,
        timeout: float | None = None,
        rport: bool = False,
    ) -> None:
        self.machine = machine
        self.key: machines.Key = ""
        """What responses find it by."""
        self.flow = flow
        self.on_sent = on_sent
        """Called each time the request leaves."""
        self.timeout = timeout
        self.rport = rport
        self.remark = ""
        """What is worth telling of its way, for people: that it went over TCP, and why."""
        self.size = 0
        """Bytes, where they were too many for UDP."""
        self.datagrams: Flow | None = None
        """The UDP flow that it was meant for, where it goes over TCP for its size."""
        self.detour: asyncio.Task[None] | None = None
        """Makes the TCP connection that it waits for."""
        self.on_late: Callable[[Response], None] | None = None
        """Called with each 2xx that comes after the first final response (RFC 6026)."""
        self.on_provisional: Callable[[Response], None] | None = None
        """Called with each 1xx at once: a request in the dialog that it makes may be right behind it."""
        self.on_success: Callable[[Response], None] | None = None
        """The same with the first 2xx."""
        self.timer: TimerHandle | None = None
        self.answered = False
        """Whether any response has come."""
        self.success: Response | None = None
        """The first 2xx."""
        self._inbox: deque[Response | RequestFailed] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._final = False

    @property
    def request(self) -> Request:
        """The request as it was sent."""
        assert isinstance(self.machine.request, Request)
        return self.machine.request

    async def response(self) -> Response:
        """The next response; raises RequestFailed."""
        while not self._inbox:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        item = self._inbox.popleft()
        if isinstance(item, RequestFailed):
            raise item
        return item

    async def final(self) -> Response:
        """The final response; raises RequestFailed."""
        while (response := await self.response()).status < 200:
            pass
        return response

    def deliver(self, item: Response | RequestFailed) -> None:
        """Put *item* before whoever waits."""
        if isinstance(item, Response):
            self.answered = True
            if self._final:
                if self.on_late is not None and 200 <= item.status < 300:
                    self.on_late(item)
                return
            self._final = item.status >= 200
            if not self._final and self.on_provisional is not None:
                self.on_provisional(item)
            if self._final and item.status < 300:
                self.success = item
                if self.on_success is not None:
                    self.on_success(item)
        elif self._final:
            return
        else:
            self._final = True
        self._inbox.append(item)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class ServerTransaction:
    """A request that came in: ``respond`` to it."""

    __slots__ = (
        "_endpoint",
        "_machine",
        "final",
        "flow",
        "key",
        "merge_key",
        "on_cancel",
        "request",
        "straight",
        "timer",
        "to_tag",
    )

    def __init__(self, endpoint: Endpoint, request: Request, flow: Flow, key: machines.Key) -> None:
        self._endpoint = endpoint
        self._machine: Transaction | None = None
        self.request = request
        """The request."""
        self.flow = flow
        self.straight = server_kind(request) in STRAIGHT
        """Whether the request was handed on, and nothing has happened since."""
        self.key = key
        """What repetitions find it by."""
        self.merge_key: machines.Key | None = None
        """What a copy of the request that came on another way finds it by."""
        self.timer: TimerHandle | None = None
        self.on_cancel: Callable[[], None] | None = None
        """Called when the peer CANCELs this INVITE (the CANCEL itself is answered already)."""
        self.to_tag: str | None = None
        """Of its responses, where it is chosen before the first one leaves: a CANCEL is answered with it."""
        self.final: Response | None = None
        """The final response given."""

    @property
    def machine(self) -> Transaction:
        """What decides; not made before there is something to decide (see ``tables.STRAIGHT``)."""
        if self._machine is None:
            endpoint, reliable = self._endpoint, self.flow.transport.reliable
            make = machines.invite_server if self.request.method == "INVITE" else machines.non_invite_server
            self._machine = make(self.request, reliable=reliable, timers=endpoint.timers)
            if self.straight:
                self.straight = False
                self._machine.start(endpoint.world.now())
        return self._machine

    def respond(self, response: Response, why: str = "") -> None:
        """Send *response* (again, for a 2xx to INVITE); *why* tells people what a refusal is about."""
        if response.status >= 200:
            if self.final is None and response.status >= 300:
                self._endpoint.tell_refused(self, response, why)
            self.final = response
        self._endpoint.respond(self, response)
