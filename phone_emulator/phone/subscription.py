"""A line's subscriptions: voice mail waiting (RFC 3842) over SUBSCRIBE and NOTIFY (RFC 6665), and F6.

Subscriptions use server 1 only. With ``failback_subscribe.enable`` they are renewed at once wherever the line
has registered at another IP address; without it they stay where they are until they have to be refreshed.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from phone_emulator.config.model import FailbackMode
from phone_emulator.events import Attempt, MessagesWaiting, Target
from phone_emulator.redundancy import Try, hops, refresh_delay
from phone_emulator.sip.dialog import Dialog, dialog_of_response
from phone_emulator.sip.endpoint import ServerTransaction
from phone_emulator.sip.message import MessageError, Request, Response, response_to

from .exchange import Draft
from .identity import new_call_id

if TYPE_CHECKING:
    from .line import Line

EVENT = "message-summary"
ACCEPT = "application/simple-message-summary"
LEAST_EXPIRES = 10
"""Seconds; a server that grants less cannot make the phone subscribe without end."""
_VOICE = re.compile(r"^Voice-Message:\s*(\d{1,6})/(\d{1,6})", re.IGNORECASE | re.MULTILINE)
_WAITING = re.compile(r"^Messages-Waiting:\s*(yes|no)", re.IGNORECASE | re.MULTILINE)


class MwiSubscription:
    """The line's subscription to its own mailbox (``account.X.subscribe_mwi``)."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.target: Target | None = None
        """Where it is subscribed; None while it is not."""
        self.attempts: list[Attempt] = []
        """The SUBSCRIBE attempts of the last round."""
        self._dialog: Dialog | None = None
        self._task: asyncio.Task[None] | None = None

    def registered_at(self, target: Target) -> None:
        """Server 1 accepted a REGISTER at *target*: subscribe, or renew there at once (F6)."""
        if not self._line.account.subscribe_mwi:
            return
        moved = self.target is not None and self.target.address != target.address
        if self._task is None or (moved and self._follows_registration()):
            self._restart()

    async def stop(self) -> None:
        """Forget the subscription; the server lets it expire."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._forget()

    # -- what comes in -------------------------------------------------------------------------------------

    def receive(self, server: ServerTransaction) -> None:
        """A request came in within the subscription's dialog."""
        request = server.request
        assert self._dialog is not None
        if request.method != "NOTIFY":
            server.respond(response_to(request, 501))
            return
        if not self._dialog.accept_cseq(request):
            server.respond(response_to(request, 500))
            return
        server.respond(response_to(request, 200))
        self._line.message_summary(request.body)
        state = (request.headers.get("Subscription-State") or "").lower()
        if state.startswith("terminated"):
            self._restart()

    def acknowledged(self, ack: Request) -> None:
        """An ACK came in; a subscription has no use for one."""

    # -- keeping subscribed --------------------------------------------------------------------------------

    def _follows_registration(self) -> bool:
        hop = hops(self._line.account)[0]
        remembers = hop.failover.failback_mode is not FailbackMode.NEW_REQUESTS
        return hop.failover.failback_subscribe and remembers

    def _restart(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._forget()
        name = f"voice mail subscription of line {self._line.number}"
        self._task = asyncio.create_task(self._keep(), name=name)

    def _forget(self) -> None:
        self.target = None
        if self._dialog is not None:
            self._line.release(self._dialog)
            self._dialog = None

    async def _keep(self) -> None:
        account = self._line.account
        while True:
            lease = await self._subscribe()
            if lease is None:
                await asyncio.sleep(max(account.sub_fail_retry_interval, LEAST_EXPIRES))
            else:
                await asyncio.sleep(refresh_delay(lease, account.subscribe_expires_overlap))

    async def _subscribe(self) -> float | None:
        """One SUBSCRIBE along server 1's targets; seconds granted, or None."""
        line = self._line
        hop = hops(line.account)[0]
        identity = line.context.identity(line.account, hop.identity)
        source = line.context.world.random
        request = identity.subscribe(
            new_call_id(source, line.account, line.context.host),
            line.context.endpoint.new_tag(),
            EVENT,
            ACCEPT,
            line.account.subscribe_mwi_expires,
        )
        draft = Draft(identity, request)
        granted: list[tuple[Response, Target, Request]] = []

        async def send(step: Try) -> None:
            found = await line.exchange.run(step.attempt, draft)
            if found is not None and found[0].status < 300:
                granted.append((found[0], step.attempt.target, draft.request))

        walk = line.walk("SUBSCRIBE", [hop])
        self.attempts = walk.route
        await line.follow(walk, send)
        self._forget()
        if not granted:
            return None
        response, target, sent = granted[0]
        try:
            self._dialog = dialog_of_response(sent, response)
        except MessageError:
            return None
        self.target = target
        line.confirm(self, self._dialog)
        text = (response.headers.get("Expires") or "").strip()
        asked = line.account.subscribe_mwi_expires
        return float(max(int(text) if text.isdigit() and len(text) < 10 else asked, LEAST_EXPIRES))


def read_summary(body: bytes, line: int, at: float) -> MessagesWaiting | None:
    """What a message-summary says (RFC 3842 section 5.2), or None where it says nothing."""
    text = body[:4096].decode("utf-8", "replace")
    waiting = _WAITING.search(text)
    if waiting is None:
        return None
    voice = _VOICE.search(text)
    return MessagesWaiting(
        at=at,
        line=line,
        waiting=waiting[1].lower() == "yes",
        new=int(voice[1]) if voice else 0,
        old=int(voice[2]) if voice else 0,
    )
