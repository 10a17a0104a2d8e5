"""One subscription of a line (RFC 6665): made along server 1's targets, refreshed in its dialog, made anew.

What is subscribed to is a `Topic`; what its NOTIFYs say is read by whoever wants it. A subscription is made
anew when a refresh shows that it is gone, and as the reason says when the server ends it. Of several servers
that a forked SUBSCRIBE reached, the first one heard of keeps the subscription; the others' NOTIFYs draw 481.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from phone_emulator.events import Attempt, SubscriptionChanged, SubscriptionState, Target
from phone_emulator.phone.dialling.channel import Channel
from phone_emulator.phone.registration.servers import Servers
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire.content import read_body
from phone_emulator.phone.wire.credentials import words_of
from phone_emulator.phone.wire.event_package import (
    GONE,
    Over,
    Topic,
    ended,
    event_id,
    event_of,
    pause,
    state_of,
)
from phone_emulator.phone.wire.exchange import Draft
from phone_emulator.phone.wire.identity import ALLOW, new_call_id
from phone_emulator.phone.wire.known import Sources
from phone_emulator.phone.wire.xml_body import XmlError
from phone_emulator.redundancy import Try, hops, refresh_delay
from phone_emulator.sip.body import Part
from phone_emulator.sip.dialog import Dialog, dialog_of_notify, dialog_of_response
from phone_emulator.sip.headers import delta_seconds, parameter
from phone_emulator.sip.message import MessageError, Request, Response
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.world.faults import as_reason
from phone_emulator.world.tasks import Tasks

LEAST_EXPIRES = 10
"""Seconds; a server that grants less cannot make the phone subscribe without end."""
LEAST_PAUSE = 1.0
"""Seconds from one SUBSCRIBE to the next, however often the server ends the subscription, or tells a part."""
LAST_WORDS = 8
"""Times T1: how long a phone that stops waits for the answer to its SUBSCRIBE with Expires: 0."""
MAX_LONGER = 3
"""How often a refresh is asked for with the longer time that a 423 wants."""


class Subscription:
    """One topic, kept subscribed to.

    Args:
        seat: of the line that subscribes.
        servers: where.
        topic: to what.
        hear: called with what each NOTIFY says, in order; may raise XmlError.
        lost: called when nothing is known of the topic any more.
    """

    def __init__(
        self,
        seat: Seat,
        servers: Servers,
        topic: Topic,
        hear: Callable[[Part], None],
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.topic = topic
        self.target: Target | None = None
        """Where it is subscribed, or was tried last; None before the first try."""
        self.attempts: list[Attempt] = []
        """The SUBSCRIBE attempts of the last round outside a dialog."""
        self._seat = seat
        self._servers = servers
        self._account = seat.account
        self._hear = hear
        self._lost = lost
        self._tasks = Tasks(seat.context.world, f"line {seat.number}")
        self._task: asyncio.Task[None] | None = None
        self._channel: Channel
        self._request: Request | None = None
        """The SUBSCRIBE whose answer or first NOTIFY is awaited, or that made the dialog."""
        self._dialog: Dialog | None = None
        self._heard = False
        """Whether a NOTIFY has come."""
        self._early: ServerTransaction | None = None
        """A NOTIFY from elsewhere than the line's servers, which waits for the answer to the SUBSCRIBE."""
        self._expires = topic.expires
        self._expires_at = self._refresh_at = self._asked_at = 0.0
        self._asked_from = 0
        """How often the phone's address had changed when the last SUBSCRIBE left."""
        self._over: Over | None = None
        self._told = SubscriptionState.ENDED
        self._changed = asyncio.Event()

    @property
    def started(self) -> bool:
        """Whether it was ever wanted, whatever has become of it."""
        return self._task is not None

    def start(self) -> None:
        """Subscribe, anew if it is subscribed already; the old server hears nothing of it (C8)."""
        if self._task is not None:
            self._task.cancel()
        self._forget()
        name = f"the {self.topic.event} subscription"
        self._task = self._tasks.spawn(self._keep(), name, on_fault=self._given_up)

    def _given_up(self, error: Exception) -> None:
        """Keeping it raised *error*: nobody does it any more."""
        self._forget()
        self._tell(SubscriptionState.ENDED, as_reason(error))

    def refresh(self) -> None:
        """Refresh as soon as may be instead of when it is due: the full state is wanted."""
        self._refresh_at = min(self._refresh_at, self._asked_at + LEAST_PAUSE)
        self._changed.set()

    def moved(self) -> None:
        """The phone's address has changed: refresh from there (a target refresh), or subscribe anew."""
        if self._task is None or self._asked_from == self._seat.context.moves:
            return
        if self._dialog is not None:
            self.refresh()
        else:
            self.start()

    async def stop(self, *, unsubscribe: bool) -> None:
        """End it; with *unsubscribe* the server is told, and waited for a little."""
        if self._task is not None:
            await self._tasks.stop()
            self._task = None
        if unsubscribe and self._dialog is not None and self._over is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS * self._seat.context.config.timers.t1):
                    await self._in_dialog(0)
            # The dialog stays for the NOTIFY that ends it.
            self._lost()
            self._tell(SubscriptionState.ENDED, "un-subscribed")
        else:
            self._forget()

    def cancel(self) -> None:
        """Do nothing more for it."""
        self._tasks.cancel()

    # -- what comes in -------------------------------------------------------------------------------------

    @property
    def sources(self) -> Sources:
        """Where messages of its dialogs may come from."""
        return self._channel.sources

    def awaits(self, notify: Request) -> bool:
        """Whether *notify*, of no known dialog, is the first of this subscription (RFC 6665 4.4.1)."""
        request = self._request
        return (
            request is not None
            and self._dialog is None
            and notify.call_id == request.call_id
            and notify.to_tag == request.from_tag
            and event_of(notify) == self.topic.event
            and not event_id(notify)  # its SUBSCRIBEs name none
        )

    def adopt(self, server: ServerTransaction) -> None:
        """Take the NOTIFY that it awaits: it came before the answer to the SUBSCRIBE. Raises MessageError.

        One that comes from elsewhere than the line's servers waits for the answer, which may name its sender.
        """
        assert self._request is not None
        dialog = dialog_of_notify(self._request, server.request)
        if self.sources.admits(server.source.host):
            self._confirm(dialog)
            self.receive(server)
        elif self._early is None:
            self._early = server
        else:
            self._respond(server, 481)

    def _answered(self, dialog: Dialog) -> None:
        """The 200 to the SUBSCRIBE has made *dialog*; a NOTIFY that waits for it is taken, or refused."""
        self._confirm(dialog)
        attempt, early = self.attempts[-1], self._early
        self.sources.heard((attempt.answered_by or attempt.target.remote).host, dialog)
        if early is None or not self.sources.admits(early.source.host):
            return
        self._early = None
        if early.request.from_tag == dialog.remote_tag:
            with self._tasks.guarded("taking a NOTIFY", expected=(MessageError,)):
                self.receive(early)
        else:
            self._respond(early, 481)

    def receive(self, server: ServerTransaction) -> None:
        """A request came in within the subscription's dialog."""
        notify = server.request
        assert self._dialog is not None
        if notify.method != "NOTIFY":
            self._respond(server, 405, [("Allow", ALLOW)])
            return
        if not self._dialog.accept_cseq(notify):
            self._respond(server, 500)
            return
        if event_of(notify) != self.topic.event:
            self._respond(server, 489, [("Allow-Events", self.topic.event)])
            return
        if event_id(notify):
            self._respond(server, 481)
            return
        part, refusal = read_body(notify, *self.topic.content_types, unsaid=self.topic.content_types[0])
        if refusal is not None:
            self._respond(server, refusal.status, refusal.headers)
            return
        self._channel.refresh(self._dialog, notify, server.source.host)
        self._respond(server, 200)
        if self._task is None:  # un-subscribed: what is told still counts for nothing
            if state_of(notify) == "terminated":
                self._drop_dialog()
            return
        self._heard = True
        self._changed.set()
        try:
            if part is not None:  # without one nothing new is told
                self._hear(part)
        except XmlError as error:
            transports = self._seat.context.endpoint.transports
            transports.ignored(server.flow, f"{self.topic.event}: {error}", notify.raw or notify.to_bytes())
        self._take_state(notify)

    def acknowledged(self, ack: Request) -> None:
        """An ACK came in; a subscription has no use for one."""

    def _take_state(self, notify: Request) -> None:
        """Act upon what the NOTIFY's Subscription-State says."""
        value = notify.headers.get("Subscription-State") or ""
        state = state_of(notify)
        seconds = delta_seconds(parameter(value, "expires"))
        if state == "terminated":
            self._over = ended(value, self._account) if self.topic.expires else Over("asked once", None)
            self._changed.set()
        elif seconds is not None:
            # Only a shorter time counts: each NOTIFY repeats what is left of what was granted.
            ends_at = self._seat.now + max(seconds, LEAST_EXPIRES)
            if ends_at < self._expires_at - 1:
                self._granted(max(seconds, LEAST_EXPIRES))
        if state != "terminated":
            pending = state == "pending"
            self._tell(
                SubscriptionState.PENDING if pending else SubscriptionState.ACTIVE,
                "the server has not decided yet" if pending else f"subscribed at {self.target}",
            )

    def _respond(self, server: ServerTransaction, status: int, extra: Iterable[tuple[str, str]] = ()) -> None:
        server.respond(self._channel.identity.response(server.request, status, extra=extra))

    # -- keeping subscribed --------------------------------------------------------------------------------

    async def _keep(self) -> None:
        seat = self._seat
        while True:
            began = seat.now
            over = await self._once()
            self._forget()
            self._tell(SubscriptionState.ENDED, over.reason)
            if over.again is None:
                return
            await asyncio.sleep(max(over.again, began + LEAST_PAUSE - seat.now))

    async def _once(self) -> Over:
        """One subscription from its SUBSCRIBE to its end."""
        over = await self._subscribe()
        if over is not None:
            return over
        while self._over is None:
            if not await self._due(self._refresh_at):
                await self._refresh()
        return self._over

    async def _subscribe(self) -> Over | None:
        """A SUBSCRIBE along server 1's targets, until its first NOTIFY; why there is none, or None."""
        seat, topic = self._seat, self.topic
        account, context = seat.account, seat.context
        hop = hops(account)[0]
        identity = context.identity(account, hop.identity)
        self._channel = Channel(seat, identity)
        request = identity.subscribe(
            new_call_id(context.world.unguessable, account, context.host, identity.style),
            context.endpoint.new_tag(),
            topic.event,
            topic.accept,
            topic.expires,
            number=topic.number,
        )
        if topic.supported:
            request.headers.add("Supported", topic.supported)
        draft = Draft(identity, request)
        self._request, self._over, self._heard = request, None, False
        self._asked_at, self._asked_from = context.world.now(), context.moves
        self._expires = topic.expires
        answered: list[Response] = []

        async def send(step: Try) -> None:
            self.target = step.attempt.target
            self.sources.takes_connections = step.attempt.target.transport.reliable
            found = await seat.exchange.run(step.attempt, draft)
            if found is None or found[0].status >= 300:
                self._drop_dialog()  # where a NOTIFY had made one
            if found is not None:
                answered[:] = [found[0]]
                self._channel.flow, self._channel.target = found[1], step.attempt.target

        walk = self._servers.walk("SUBSCRIBE", [hop])
        self.attempts = walk.route
        await self._servers.follow(walk, send)
        response = answered[-1] if answered else None
        if response is None or response.status >= 300:
            return self._refused(response)
        return await self._established(draft.request, response)

    def _refused(self, response: Response | None) -> Over:
        if response is None:
            return Over("no server responded", pause(None, self._account))
        said = f"answered {words_of(response)}"
        if response.status == 489:
            return Over(said, None)  # it would know the event no better in half a minute
        return Over(said, pause(response.headers.get("Retry-After"), self._account))

    async def _established(self, request: Request, response: Response) -> Over | None:
        """The SUBSCRIBE was accepted: wait for the first NOTIFY (timer N)."""
        asked = delta_seconds(request.headers.get("Expires"))
        self._expires = self.topic.expires if asked is None else asked
        granted = delta_seconds(response.headers.get("Expires"))
        self._granted(max(self._expires if granted is None else granted, LEAST_EXPIRES))
        if self._dialog is None:
            try:
                self._answered(dialog_of_response(request, response))
            except MessageError as error:
                return Over(f"the answer cannot be used: {error}", pause(None, self._account))
        elif self._dialog.local_cseq < request.cseq.number:
            self._dialog.local_cseq = request.cseq.number
        sent = self.attempts[-1].sends
        timer_n = 64 * self._seat.context.config.timers.t1
        deadline = (sent[-1] if sent else self._seat.now) + timer_n
        while not self._heard and self._over is None:
            if not await self._due(deadline):
                return Over(f"no NOTIFY within 64*T1 = {timer_n:.1f} s", pause(None, self._account))
        return None

    async def _refresh(self) -> None:
        """SUBSCRIBE in the dialog; a server that does not know it any more is asked for a new one."""
        for _ in range(MAX_LONGER):
            response = await self._in_dialog(self._expires)
            if response is None:
                self._over = Over("no response to the refresh", 0.0)
                return
            least = delta_seconds(response.headers.get("Min-Expires"))
            if response.status != 423 or least is None or least <= self._expires:
                await self._refreshed(response)
                return
            self._expires = least
        self._over = Over("every interval is too brief for the server", pause(None, self._account))

    async def _refreshed(self, response: Response) -> None:
        """Take the answer to a refresh."""
        said = f"{words_of(response)} to the refresh"
        if response.status < 300:
            granted = delta_seconds(response.headers.get("Expires"))
            self._granted(max(self._expires if granted is None else granted, LEAST_EXPIRES))
        elif response.status in GONE:
            self._over = Over(said, 0.0)
        else:  # it is valid until it lapses (RFC 6665 section 4.1.2.2)
            while self._over is None and await self._due(self._expires_at):
                pass
            self._over = self._over or Over(f"{said}: it has lapsed", 0.0)

    async def _in_dialog(self, expires: int) -> Response | None:
        assert self._dialog is not None
        self._asked_at, self._asked_from = self._seat.now, self._seat.context.moves
        headers = [
            ("Accept", self.topic.accept),
            ("Expires", str(expires)),
            ("Event", self.topic.event),
        ]
        if self.topic.supported:
            headers.append(("Supported", self.topic.supported))
        return await self._channel.converse(self._dialog, "SUBSCRIBE", extra=headers)

    async def _due(self, when: float) -> bool:
        """Wait until *when*; True when something has come in before."""
        seat = self._seat
        while seat.now < when:
            if self._over is not None:
                return True
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(when - seat.now):
                    await self._changed.wait()
                    return True
        return False

    def _granted(self, seconds: float) -> None:
        """The subscription holds for *seconds* from now."""
        now = self._seat.now
        self._expires_at = now + seconds
        self._refresh_at = now + refresh_delay(seconds, self._account.subscribe_expires_overlap)

    # -- the dialog ----------------------------------------------------------------------------------------

    def _confirm(self, dialog: Dialog) -> None:
        self._dialog = dialog
        self._seat.dialogs.confirm(self, dialog)

    def _drop_dialog(self) -> None:
        if self._dialog is not None:
            self._seat.dialogs.release(self._dialog)
            self._dialog = None

    def _forget(self) -> None:
        """Nothing is subscribed to any more."""
        early, self._early = self._early, None
        if early is not None:
            self._respond(early, 481)
        self._drop_dialog()
        self._request = None
        self._lost()

    def _tell(self, state: SubscriptionState, reason: str) -> None:
        if state is self._told is not SubscriptionState.ENDED:
            return
        self._told = state
        self._seat.tell(
            SubscriptionChanged(
                at=self._seat.now,
                line=self._seat.number,
                event=self.topic.event,
                about=self.topic.number,
                state=state,
                target=None if state is SubscriptionState.ENDED else self.target,
                reason=reason,
            )
        )
