"""Who watches this phone: SUBSCRIBEs to its dialogs, NOTIFYs that tell of its calls (RFC 6665, RFC 4235)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from phone_emulator.events import Bus, CallChanged, CallState, Direction, Event
from phone_emulator.phone.calls.call import Call
from phone_emulator.phone.dialling.channel import Channel
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire import dialog_info
from phone_emulator.phone.wire.answer import Answer
from phone_emulator.phone.wire.dialog_info import DialogInfo, DialogState
from phone_emulator.phone.wire.event_package import GONE, event_id, event_of, expires_of
from phone_emulator.phone.wire.identity import ALLOW, ALLOW_EVENTS, Identity
from phone_emulator.phone.wire.known import Sources
from phone_emulator.sip.body import accepts
from phone_emulator.sip.dialog import dialog_of_request
from phone_emulator.sip.message import MessageError, Request, Response
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.world.tasks import Tasks

from .subscription import LAST_WORDS

MAX_WATCHERS = 50
"""Subscriptions beyond these are refused with 503, so that a peer cannot use up the memory."""
DEFAULT_EXPIRES = 3600
"""Seconds that a SUBSCRIBE without Expires stands for (RFC 4235 section 3.4)."""
LEAST_EXPIRES = 60
"""Seconds; a briefer subscription draws 423."""
MOST_EXPIRES = 86400
"""Seconds that are granted at most."""
PACE = 1.0
"""Seconds from one NOTIFY to the next, at least, unless a SUBSCRIBE asks for it (RFC 4235 section 3.10)."""
RETRY_AFTER = 60
"""Seconds after which a refused watcher may come again."""

PHASES = {
    CallState.CALLING: "trying",
    CallState.RINGING: "early",
    CallState.TALKING: "confirmed",
    CallState.HELD: "confirmed",
}
"""What a call's state is called in a dialog-info; every other one is over."""


class Notifier:
    """Keeps the watchers of one phone.

    Args:
        bus: where the phone's calls are told.
        calls: its live ones.
    """

    def __init__(self, bus: Bus, calls: Sequence[Call]) -> None:
        self._bus = bus
        self.calls = calls
        self._watchers: list[Watcher] = []
        self._silence: Callable[[], None] = _nothing
        """Stops listening to the bus."""

    @property
    def watchers(self) -> int:
        """How many there are."""
        return len(self._watchers)

    def subscribed(self, server: ServerTransaction, seat: Seat, identity: Identity) -> Answer | None:
        """A SUBSCRIBE to the line of *seat* outside a dialog; what it is refused with, None where it is not.

        *identity*: who is watched.

        Raises MessageError for a Contact or a Record-Route that cannot be read.
        """
        request = server.request
        if event_of(request) != dialog_info.EVENT:
            return Answer(489, (("Allow-Events", f"{ALLOW_EVENTS},{dialog_info.EVENT}"),))
        if not accepts(request, dialog_info.CONTENT_TYPE):  # where it does not say: RFC 4235 section 3.5
            return Answer(406, (("Accept", dialog_info.CONTENT_TYPE),))
        if not request.contacts:
            raise MessageError("Contact: missing or empty")
        expires = min(expires_of(request, DEFAULT_EXPIRES), MOST_EXPIRES)
        if 0 < expires < LEAST_EXPIRES:
            return Answer(423, (("Min-Expires", str(LEAST_EXPIRES)),))
        if len(self._watchers) >= MAX_WATCHERS:
            return Answer(503, (("Retry-After", str(RETRY_AFTER)),))
        watcher = Watcher(self, seat, identity, server, expires)
        if not self._watchers:
            self._silence = self._bus.subscribe(self._hear)
        self._watchers.append(watcher)
        watcher.start(server)
        return None

    def moved(self) -> None:
        """The phone's address has changed: each watcher hears from there, and of everything."""
        for watcher in self._watchers:
            watcher.tell_all()

    async def stop(self, *, tell: bool) -> None:
        """End every subscription; with *tell* the watchers hear of it, and are waited for a little."""
        watchers = tuple(self._watchers)
        await asyncio.gather(*(watcher.stop(tell=tell) for watcher in watchers))

    def cancel(self) -> None:
        """End every subscription at once, telling nobody."""
        for watcher in tuple(self._watchers):
            watcher.cancel()
            self.over(watcher)

    def over(self, watcher: Watcher) -> None:
        """*watcher* watches no more."""
        if watcher in self._watchers:
            self._watchers.remove(watcher)
            if not self._watchers:
                self._silence()

    def _hear(self, event: Event) -> None:
        if isinstance(event, CallChanged):
            for watcher in self._watchers:
                watcher.changed.set()


class Watcher:
    """One subscription to the dialogs of a line.

    Args:
        notifier: keeps it.
        seat: of the line that is watched.
        identity: who is watched; of the line's calls, theirs count.
        server: the SUBSCRIBE.
        expires: seconds; 0 asks once.
    """

    def __init__(
        self, notifier: Notifier, seat: Seat, identity: Identity, server: ServerTransaction, expires: int
    ) -> None:
        self.changed = asyncio.Event()
        """A call may have changed its state."""
        context = seat.context
        self._notifier = notifier
        self._seat = seat
        self._identity = identity
        self._dialog = dialog_of_request(server.request, context.endpoint.new_tag())
        self._channel = Channel(seat, identity)
        self._channel.begin(server, self._dialog)
        self._event = server.request.headers.get("Event") or dialog_info.EVENT
        self._event_id = event_id(server.request)
        self._expires_at = context.world.now() + expires
        self._ending = None if expires else "timeout"
        """The reason of Subscription-State, once it ends."""
        self._full = True
        """Whether the next NOTIFY tells every dialog."""
        self._version = 0
        self._told: dict[str, DialogState] = {}
        self._told_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._tasks = Tasks(context.world, f"line {seat.number}")

    def start(self, server: ServerTransaction) -> None:
        """Answer the SUBSCRIBE, then tell how things are."""
        self._seat.dialogs.confirm(self, self._dialog)
        self._accept(server)
        self._task = self._tasks.spawn(self._run(), "NOTIFYs to a watcher")

    def tell_all(self) -> None:
        """Tell every dialog in the next NOTIFY, which leaves now."""
        self._full = True
        self.changed.set()

    async def stop(self, *, tell: bool) -> None:
        """The phone stops."""
        if self._task is None:
            return
        if tell and self._ending is None:
            self._ending = "probation"
            self.changed.set()
            await asyncio.wait([self._task], timeout=LAST_WORDS * self._seat.context.config.timers.t1)
        await self._tasks.stop()
        self._notifier.over(self)

    def cancel(self) -> None:
        """Do nothing more for it."""
        self._tasks.cancel()

    # -- in the dialog -------------------------------------------------------------------------------------

    @property
    def sources(self) -> Sources:
        """Where messages of its dialogs may come from."""
        return self._channel.sources

    def receive(self, server: ServerTransaction) -> None:
        """A request came in within the subscription's dialog."""
        request = server.request
        if request.method != "SUBSCRIBE":
            self._respond(server, 405, ("Allow", ALLOW))
            return
        if not self._dialog.accept_cseq(request):
            self._respond(server, 500)
            return
        if event_of(request) != dialog_info.EVENT:
            self._respond(server, 489, ("Allow-Events", f"{ALLOW_EVENTS},{dialog_info.EVENT}"))
            return
        if event_id(request) != self._event_id:
            self._respond(server, 481)
            return
        expires = min(expires_of(request, DEFAULT_EXPIRES), MOST_EXPIRES)
        if 0 < expires < LEAST_EXPIRES:
            self._respond(server, 423, ("Min-Expires", str(LEAST_EXPIRES)))
            return
        if self._ending is not None:
            self._respond(server, 481)
            return
        self._channel.refresh(self._dialog, request, server.source.host)
        self._expires_at = self._seat.now + expires
        self._ending = None if expires else "timeout"
        self._full = True
        self._accept(server)
        self.changed.set()

    def acknowledged(self, ack: Request) -> None:
        """An ACK came in; a subscription has no use for one."""

    def _accept(self, server: ServerTransaction) -> None:
        contact = self._identity.contact(server.flow.local, server.flow.transport)
        expires = round(self._expires_at - self._seat.now)
        response = self._identity.response(
            server.request,
            200,
            to_tag=self._dialog.local_tag,
            contact=contact,
            extra=[("Expires", str(expires))],
        )
        server.respond(response)

    def _respond(self, server: ServerTransaction, status: int, *extra: tuple[str, str]) -> None:
        server.respond(self._identity.response(server.request, status, extra=extra))

    # -- telling -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while await self._tell():
                await self._next()
        finally:
            self._seat.dialogs.release(self._dialog)
            self._notifier.over(self)

    async def _next(self) -> None:
        """Wait until there is something to tell."""
        while self._ending is None and not self._full:
            now = self._seat.now
            if now >= self._expires_at:
                self._ending = "timeout"
                return
            until = self._expires_at
            if self._news(self._dialogs()):
                due = self._told_at + PACE
                if now >= due:
                    return
                until = min(until, due)
            self.changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(until - now):
                    await self.changed.wait()

    async def _tell(self) -> bool:
        """Send one NOTIFY; whether the subscription goes on."""
        now = self._seat.now
        ending, full = self._ending, self._full or self._ending is not None
        dialogs = self._dialogs()
        told = tuple(dialogs.values()) if full else self._news(dialogs)
        body = dialog_info.write(
            DialogInfo(
                entity=self._identity.address_of_record, version=self._version, full=full, dialogs=told
            )
        )
        self._version += 1
        self._full, self._told, self._told_at = False, dialogs, now
        state = f"active;expires={round(self._expires_at - now)}"
        if ending is not None:
            state = f"terminated;reason={ending}"
            state += f";retry-after={RETRY_AFTER}" if ending == "probation" else ""
        extra = [("Subscription-State", state), ("Event", self._event)]
        response = await self._channel.converse(
            self._dialog, "NOTIFY", body, dialog_info.CONTENT_TYPE, extra=extra
        )
        return ending is None and _heard(response)

    def _dialogs(self) -> dict[str, DialogState]:
        found = (self._state_of(call) for call in self._notifier.calls if call.seat is self._seat)
        return {each.id: each for each in found if each is not None}

    def _news(self, dialogs: dict[str, DialogState]) -> tuple[DialogState, ...]:
        """What has changed since the last NOTIFY."""
        changed = [each for key, each in dialogs.items() if self._told.get(key) != each]
        over = [replace(each, phase="terminated") for key, each in self._told.items() if key not in dialogs]
        return (*changed, *over)

    def _state_of(self, call: Call) -> DialogState | None:
        phase = PHASES.get(call.state)
        if phase is None or call.channel.identity.account.user_name != self._identity.account.user_name:
            return None
        dialog = call.dialog
        return DialogState(
            id=call.id,
            phase=phase,
            incoming=call.direction is Direction.INCOMING,
            held=call.state is CallState.HELD,
            call_id=dialog.call_id if dialog is not None else "",
            local_tag=dialog.local_tag if dialog is not None else "",
            remote_tag=dialog.remote_tag if dialog is not None else "",
            local=self._identity.address_of_record,
            remote=self._identity.uri_of(call.remote),
        )


def _nothing() -> None:
    """No watcher, nothing to stop."""


def _heard(response: Response | None) -> bool:
    """Whether a watcher who answers a NOTIFY so still watches (RFC 6665 section 4.2.2)."""
    return response is not None and response.status not in GONE
