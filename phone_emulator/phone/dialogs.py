"""Who each dialog of the phone belongs to, and what is owed to answers that nobody waits for any more."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol

from phone_emulator.sip.client import Clients
from phone_emulator.sip.dialog import Dialog
from phone_emulator.sip.flow import Flow
from phone_emulator.sip.message import Request, Response
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.world.tasks import Tasks

from .wire.known import Sources

LATE_ANSWERS = 180.0
"""Seconds that an abandoned INVITE may still be answered: proxies let it ring so long (timer C, RFC 3261)."""
UNWANTED = 100
"""Dialogs whose late answers are remembered, so that each is ended once."""

End = Callable[[Response, Flow], Coroutine[Any, Any, Response | None]]
"""Ends the dialog that a late 2xx makes."""


class DialogUser(Protocol):
    """Who a dialog belongs to: a call or a subscription (RFC 5057)."""

    @property
    def sources(self) -> Sources:
        """Where its messages may come from."""

    def receive(self, server: ServerTransaction) -> None:
        """A request came in within the dialog."""

    def acknowledged(self, ack: Request) -> None:
        """An ACK to a 2xx came in within the dialog."""


class Dialogs:
    """The dialogs of one phone.

    Args:
        tasks: of the phone.
        t1: in seconds (timer T1).
    """

    def __init__(self, tasks: Tasks, t1: float) -> None:
        self._tasks = tasks
        self._patience = max(LATE_ANSWERS, 64 * t1)
        self._users: dict[tuple[str, str, str], DialogUser] = {}
        self._abandoned: dict[tuple[str, str], tuple[Request, End, Callable[[str], bool]]] = {}
        self._unwanted: deque[tuple[str, str, str]] = deque(maxlen=UNWANTED)
        """Dialogs that were ended as soon as they were up."""

    def __len__(self) -> int:
        return len(self._users)

    def __iter__(self) -> Iterator[DialogUser]:
        return iter(self._users.values())

    def confirm(self, user: DialogUser, dialog: Dialog) -> None:
        """In-dialog requests of *dialog* belong to *user*."""
        self._users[dialog.key] = user

    def release(self, dialog: Dialog) -> None:
        """*dialog* is over."""
        self._users.pop(dialog.key, None)

    def release_all(self, user: DialogUser) -> None:
        """Every dialog of *user* is over."""
        for key in [key for key, known in self._users.items() if known is user]:
            del self._users[key]

    def user_of(self, request: Request) -> DialogUser | None:
        """Whose dialog a *request* of the far end is in; None for no dialog, or an unknown one."""
        return self._users.get((request.call_id, request.to_tag or "", request.from_tag or ""))

    # -- answers that come too late (C8) -------------------------------------------------------------------

    def unwanted(self, dialog: Dialog) -> bool:
        """Nobody wants *dialog*; whether that is new: it is ended once, however often its 2xx comes."""
        if dialog.key in self._unwanted:
            return False
        self._unwanted.append(dialog.key)
        return True

    def abandoned(self, invite: Request, end: End, admits: Callable[[str], bool]) -> None:
        """No answer came to *invite* in time: a late one is owed its ACK, a 2xx *end* too, for a while.

        *admits*: from which IP addresses one counts.
        """
        key = (invite.call_id, invite.branch or "")
        self._abandoned[key] = (invite, end, admits)

        async def forget() -> None:
            await asyncio.sleep(self._patience)
            self._abandoned.pop(key, None)

        self._tasks.spawn(forget(), f"forgetting the INVITE to {invite.uri}")

    def stray(self, response: Response, flow: Flow, clients: Clients) -> str | None:
        """Take a response without a transaction: a late final one is acknowledged, a 2xx ended too.

        Returns:
            Why it is ignored; None where it was of use.
        """
        known = self._abandoned.get((response.call_id, response.branch or ""))
        if known is None or response.cseq.method != "INVITE":
            return "it answers no request that still waits for an answer"
        if response.status < 200:
            return "too late: this server was given up before"
        invite, end, admits = known
        if not admits(flow.remote.host):
            return f"it came from {flow.remote}, which was not asked"
        if response.status >= 300:
            clients.acknowledge(invite, response, flow)
        else:
            self._tasks.spawn(end(response, flow), "BYE to a late answer")
        return None
