"""Where everything comes in that a phone is sent: whose it is, and whether its sender may."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol

from phone_emulator.phone.calls.call import Call
from phone_emulator.phone.dialogs import Dialogs, DialogUser
from phone_emulator.phone.wire.answer import Answer
from phone_emulator.sip.flow import Flow
from phone_emulator.sip.message import MessageError, Request, Response
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.world.faults import as_reason
from phone_emulator.world.tasks import OnFault

from .desk import Desk
from .uas_core import UasCore, unsupported

UNKNOWN = "is known in no dialog: neither a server of the line, nor named by one"
"""Of who sends a request within a dialog that is not theirs, for people."""


class Spawn(Protocol):
    """Runs work beside everything else."""

    def __call__(
        self, work: Coroutine[Any, Any, None], name: str, on_fault: OnFault | None = None
    ) -> asyncio.Task[None]:
        """Run *work*, which ends with the phone at the latest."""


class Entrance:
    """The door of one phone.

    Args:
        desk: the phone.
        uas_core: takes what belongs to no dialog.
        dialogs: whose each of them is.
        knows: whether an IP address is that of a server of any line.
        spawn: runs what has to wait for names.
    """

    def __init__(
        self, desk: Desk, uas_core: UasCore, dialogs: Dialogs, knows: Callable[[str], bool], spawn: Spawn
    ) -> None:
        self._desk = desk
        self._uas_core = uas_core
        self._dialogs = dialogs
        self._knows = knows
        self._spawn = spawn

    def request(self, server: ServerTransaction) -> None:
        """A request came in; raises MessageError where it cannot be read."""
        request = server.request
        _ = request.request_uri  # raises: 416 for a scheme that is not known here, 400 for no URI
        user = self._dialogs.user_of(request)
        admitted = user is None or user.sources.admits(server.source.host, server.flow.transport)
        if self._may_be_known(server, None if admitted else user):
            name = f"whose {request.method} came from {server.source.host}"
            self._spawn(self._find_out(server, user), name, partial(self._answer_fault, server))
            return
        if not admitted:
            self._uas_core.answer(server, Answer(481, why=f"{server.source.host} {UNKNOWN}"))
            return
        if user is not None and user.sources.prove(server.source.host):
            server.flow.prove(self._desk.world.now())
        if isinstance(user, Call):
            user.receive(server)
            return
        refusal = unsupported(request, self._uas_core.line_called(request))
        if refusal is not None:
            self._uas_core.answer(server, refusal)
        elif user is not None:
            user.receive(server)
        else:
            self._uas_core.receive(server)

    def ack(self, ack: Request, flow: Flow) -> str | None:
        """An ACK to a 2xx came in; why nobody takes it, for people, or None."""
        user = self._dialogs.user_of(ack)
        if user is None:
            return "no such call is known here"
        if not user.sources.admits(flow.remote.host, flow.transport):
            return f"{flow.remote.host} {UNKNOWN}"
        if user.sources.prove(flow.remote.host):
            flow.prove(self._desk.world.now())
        user.acknowledged(ack)
        return None

    def stray(self, response: Response, flow: Flow) -> str | None:
        """A response came in that no transaction waits for; why nobody takes it, for people, or None."""
        for line in self._desk.lines.values():
            if late := line.registrar.late(response, flow):
                return late
        return self._dialogs.stray(response, flow, self._desk.context.endpoint.clients)

    def lost(self, flow: Flow, reason: str) -> None:
        """A connection is gone."""
        for line in self._desk.lines.values():
            line.registrar.connection_lost(flow, reason)

    def _may_be_known(self, server: ServerTransaction, user: DialogUser | None) -> bool:
        """Whether it matters who has sent the request of *server*, and names may still tell that it is known.

        *user*: in whose dialog it does not count as yet; None where that speaks against nothing.
        """
        if self._knows(server.source.host) or not (user or self._uas_core.guard.minds(server.request)):
            return False
        names = any(line.seat.known.unlocated for line in self._desk.lines.values())
        return names or (user is not None and user.sources.unresolved)

    def _answer_fault(self, server: ServerTransaction, error: Exception) -> None:
        """Finding out whose the request of *server* is raised *error*."""
        self._uas_core.answer(server, Answer(500, why=as_reason(error)))

    async def _find_out(self, server: ServerTransaction, user: DialogUser | None) -> None:
        """Look up whoever may have sent the request of *server*, then take it."""
        for line in self._desk.lines.values():
            await line.servers.locate_all()
        if user is not None:
            await user.sources.look_up()
        try:
            self.request(server)
        except MessageError as error:
            self._uas_core.answer(server, Answer(error.status, why=str(error)))
