"""The session of one call: offers and answers, holds, refreshes (RFC 3264, RFC 3311, RFC 4028)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol

from phone_emulator.events import (
    Address,
    CallState,
    DigitReceived,
    DigitWay,
    Direction,
    EndedBy,
    MediaChanged,
    RtpIgnored,
)
from phone_emulator.media.negotiation import Unusable
from phone_emulator.phone.dialling.channel import Channel
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire import content, option_tags, session_expires
from phone_emulator.phone.wire.answer import Answer
from phone_emulator.phone.wire.credentials import words_of
from phone_emulator.phone.wire.errors import CallError
from phone_emulator.sip.body import SDP, sdp_of
from phone_emulator.sip.dialog import Dialog
from phone_emulator.sip.headers import delta_seconds
from phone_emulator.sip.message import Message, MessageError, Request, Response
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.world.tasks import Tasks

from .acceptance import Acceptance
from .measuring import Measuring
from .session_timer import SessionTimer
from .states import UP
from .voice import Agreement, Voice

MAX_TRIES = 5
"""How often a re-INVITE or an UPDATE is tried that the far end asks to send again: 422, 491, Retry-After."""
DIGITS_KEPT = 1024
"""Digits of the far end that are remembered."""
LONGEST_PAUSE = 10
"""Seconds of a Retry-After that are waited for (RFC 3261 section 14.1)."""


class Dialogue(Protocol):
    """What a session needs of its call."""

    id: str
    state: CallState
    direction: Direction
    seat: Seat
    channel: Channel
    dialog: Dialog | None
    tasks: Tasks

    @property
    def unanswered(self) -> bool:
        """Whether the far end's first INVITE has no final response yet."""

    @property
    def keys_in_clear(self) -> bool:
        """Whether others could read the keys of its sound on their way."""

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run *work* beside the call."""

    def respond(
        self, server: ServerTransaction, status: int, extra: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """Answer a request of the dialog."""

    def answer_with(self, server: ServerTransaction, answer: Answer) -> None:
        """Answer a request of the dialog with *answer*."""

    def response_to(
        self, server: ServerTransaction, status: int, extra: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Response:
        """The response that `respond` sends."""

    def agreed(self, dialog: Dialog, agreement: Agreement) -> None:
        """An offer of the far end in *dialog* was answered."""

    def owes_answer(self, dialog: Dialog) -> bool:
        """Whether this end has not answered an offer of the far end in *dialog* yet."""

    def awaits_answer(self, dialog: Dialog) -> bool:
        """Whether an offer of this end in *dialog* waits for its answer."""

    async def request_in_dialog(
        self,
        method: str,
        body: bytes = b"",
        content_type: str = "",
        *,
        extra: Iterable[tuple[str, str]] = (),
    ) -> Response | None:
        """Send a request in the dialog; its final response, or None."""

    async def finish(self, reason: str, by: EndedBy = EndedBy.US) -> None:
        """End the call."""

    def came_to_nothing(self, reason: str) -> None:
        """Nothing can be said: the call has failed for *reason*, and ends with a BYE."""

    def stands(self) -> None:
        """Something has changed that decides which tone is heard."""

    def came_up(self) -> None:
        """What was offered last has its answer, and something can be said."""


class Session:
    """What both ends of a call have agreed to say to each other.

    Args:
        call: whose session it is.
    """

    def __init__(self, call: Dialogue) -> None:
        seat = call.seat
        sources = call.channel.sources
        self.voice = Voice(seat.context, seat.account, sources, self._tell_stranger, self.pressed)
        self.held = False
        """Whether this phone holds the far end."""
        self.far_held = False
        """Whether the far end holds this phone."""
        self.early = False
        """Whether the far end is heard before it answers."""
        self.unspoken = ""
        """What people call the agreed codec, where it cannot be spoken here; empty where it can."""
        self.withheld = ""
        """Why no sound is sent to where the far end wants it; empty where it is."""
        self.secrecy = ""
        """How it is encrypted, for people; empty where it is not."""
        self.silent = True
        """Whether both ends have not agreed yet on anything that can be said."""
        self.digits = ""
        """What the far end has pressed, by whatever way: the last DIGITS_KEPT."""
        self.measuring = Measuring(seat, call.id, call.tasks, self.voice)
        self.timer = SessionTimer(seat.context.world, call.tasks, self._refresh_due, self._expired)
        self.focus = ""
        """The URI of the conference that the far end is the focus of (RFC 4579); empty: of none."""
        self._call = call
        self._far_end_updates = False
        """Whether the far end takes UPDATE, as its Allow says (RFC 3311 section 4)."""
        self._confirming: set[asyncio.Task[None]] = set()
        """INVITEs of the far end that are accepted but not yet acknowledged."""
        self._acceptances: dict[int, Acceptance] = {}
        """The same by CSeq number, while their 2xx is repeated."""
        self._changing = asyncio.Lock()
        """Held while this end changes the session."""
        self._offering = False
        """Whether a re-INVITE of this end waits for its final response."""

    # -- what the far end says -----------------------------------------------------------------------------

    def connect(self, agreement: Agreement) -> Unusable | None:
        """Talk to the far end as negotiated.

        Returns:
            Why nothing can be said so, where nothing can: the old session stays.
        """
        wrong = None
        try:
            self.voice.connect(agreement)
            self.voice.expect()
            self.measuring.begin()
            self.silent = False
        except Unusable as error:
            wrong = error
        self.tell(far_held=self.voice.far_held, early=False)
        return wrong

    def tell(self, *, far_held: bool, early: bool) -> None:
        """Tell if it has changed whether the far end holds, is heard before it answers, or can be heard."""
        call, unspoken, withheld, reasons = self._call, self.voice.unspoken, self.voice.withheld, list[str]()
        secrecy = in_secrecy(self.voice.encrypted, in_clear=call.keys_in_clear)
        if far_held != self.far_held:
            reasons.append("held by the far end" if far_held else "resumed by the far end")
        elif early != self.early:
            reasons.append("the far end is heard before it answers" if early else "no early media any more")
        if unspoken != self.unspoken:
            reasons.append(f"the call is {in_unspoken(unspoken)}" if unspoken else "it can be spoken again")
        if withheld != self.withheld:
            # Nothing may be sent to nobody: where the sound ends, there is nothing new to tell.
            reasons += [withheld or "sound may be sent again"] if self.voice.agreed is not None else []
        if secrecy != self.secrecy:
            reasons += [secrecy or "it is not encrypted any more"] if self.voice.agreed is not None else []
        if not reasons:
            return
        self.far_held, self.early, self.unspoken, self.withheld = far_held, early, unspoken, withheld
        self.secrecy = secrecy
        world = call.seat.context.world
        call.seat.context.bus.tell(
            MediaChanged(
                at=world.now(),
                line=call.seat.number,
                call=call.id,
                far_held=far_held,
                early=early,
                unspoken=unspoken,
                withheld=withheld,
                encrypted=self.voice.encrypted,
                keys_in_clear=bool(self.voice.encrypted) and call.keys_in_clear,
                reason="; ".join(reasons),
            )
        )
        call.stands()

    def _tell_stranger(self, source: Address, why: str) -> None:
        """Packets of *source*, which is not the far end, came to the call's RTP port."""
        seat, call = self._call.seat, self._call.id
        seat.tell(RtpIgnored(at=seat.now, line=seat.number, call=call, remote=source, reason=why))

    def pressed(self, digit: str, by: DigitWay, duration: int = 0) -> None:
        """The far end has sent *digit*, which lasts *duration* milliseconds; 0 where that is not known."""
        self.digits = (self.digits + digit)[-DIGITS_KEPT:]
        seat, call = self._call.seat, self._call.id
        seat.tell(
            DigitReceived(at=seat.now, line=seat.number, call=call, digit=digit, duration=duration, by=by)
        )

    def note(self, message: Message) -> None:
        """Remember what the far end can, as *message* says it."""
        if "Allow" in message.headers:
            self._far_end_updates = "UPDATE" in message.headers.values("Allow")
        with contextlib.suppress(MessageError):
            for contact in message.contacts:
                self.focus = str(contact.uri) if "isfocus" in contact.parameters else ""

    @property
    def muteness(self) -> str:
        """Words behind "answered", where what was agreed cannot be spoken or sent here; else empty."""
        spoken = f", {in_unspoken(self.unspoken)}" if self.unspoken else ""
        return f"{spoken}, {self.withheld}" if self.withheld else spoken

    @property
    def offering(self) -> bool:
        """Whether an offer of this end waits for its answer."""
        return self._offering or any(each.offer and not each.over for each in self._acceptances.values())

    def answer(self, server: ServerTransaction, dialog: Dialog) -> None:
        """Answer a re-INVITE or an UPDATE (RFC 3261 section 14.2, RFC 3311 section 5.2)."""
        call, request = self._call, server.request
        refusal = self._refusal(request, dialog)
        if refusal is not None:
            call.answer_with(server, refusal)
            return
        _ = request.contacts  # raises before anything has changed
        body = late_offer = b""
        offer = sdp_of(request)
        if offer:
            if unusable := self.voice.refusal(offer):
                call.answer_with(server, unusable)
                return
            body = self.voice.answer(offer, again=True, held=self.held)
            call.agreed(dialog, Agreement(offer, body, answered_here=True))
        elif request.method == "INVITE":
            direction = self.voice.hold_direction if self.held else "sendrecv"
            body = late_offer = self.voice.offer(direction, again=True)
        call.channel.refresh(dialog, request, server.source.host)
        self.note(request)
        response = call.response_to(server, 200, self.grant(request), body)
        if request.method == "INVITE":
            self.accept(self.repeat(server, response, late_offer=late_offer))
        else:
            server.respond(response)

    def _refusal(self, request: Request, dialog: Dialog) -> Answer | None:
        """What a re-INVITE or an UPDATE is refused with that cannot be answered now."""
        call, invites = self._call, request.method == "INVITE"
        if call.state is CallState.ENDING:
            return Answer(481)
        if unreadable := content.unreadable(request, SDP):
            return unreadable
        offers = bool(sdp_of(request))
        if (invites and call.unanswered) or (offers and call.owes_answer(dialog)):
            # One offer at a time: the far end is to come again when the last one is answered.
            pause = call.seat.context.world.random.randrange(LONGEST_PAUSE + 1)
            return Answer(500, (("Retry-After", str(pause)),))
        calling = call.dialog is None  # this end's first INVITE goes on
        if (invites and calling) or ((invites or offers) and call.awaits_answer(dialog)):
            return Answer(491)
        if session_expires.too_brief(call.seat.account, request):
            return Answer(422, (("Min-SE", str(session_expires.MIN_INTERVAL)),))
        return None

    # -- the far end's INVITEs -----------------------------------------------------------------------------

    def grant(self, request: Request) -> list[tuple[str, str]]:
        """Agree on a session timer in the 2xx to *request*, which leaves now: its headers.

        No timer before the call is up: the 2xx to its first INVITE starts it.
        """
        if self._call.state not in UP:
            return []
        account = self._call.seat.account
        terms, headers = session_expires.granted(account, request, self.timer.terms)
        self.timer.start(terms)
        return headers

    def accept(self, accepting: Coroutine[Any, Any, None]) -> None:
        """Run *accepting*: a 2xx to an INVITE until its ACK comes, or an ACK; nothing overtakes it."""
        task = self._call.spawn(accepting, "200")
        self._confirming.add(task)
        task.add_done_callback(self._confirming.discard)

    async def repeat(self, server: ServerTransaction, response: Response, *, late_offer: bytes) -> None:
        """Send a 2xx to an INVITE and see to it that it arrives; the call ends where it does not."""
        number = server.request.cseq.number
        timers = self._call.seat.context.config.timers
        acceptance = self._acceptances[number] = Acceptance(server, timers, late_offer)
        arrived = await acceptance.run(response)
        if self._acceptances.get(number) is acceptance:  # else another INVITE came with the same number
            del self._acceptances[number]
        if not arrived:
            await self._call.finish(f"no ACK within 64*T1 = {64 * timers.t1:.1f} s", EndedBy.TIMEOUT)

    def acknowledged(self, ack: Request) -> None:
        """The ACK to a 2xx came in; after a late offer it carries the answer."""
        acceptance = self._acceptances.get(ack.cseq.number)
        if acceptance is None or acceptance.over:
            return
        acceptance.stop()
        if not acceptance.offer:
            return
        wrong = self.connect(Agreement(acceptance.offer, sdp_of(ack), answered_here=False))
        if self.silent:  # else the old session stays
            self._call.came_to_nothing(f"the ACK answers this phone's offer with {wrong}")
        else:
            self._call.came_up()

    def give_up(self, reason: str, by: EndedBy = EndedBy.US) -> None:
        """End the call, for *reason*, without waiting for it."""
        self._call.spawn(self._call.finish(reason, by), "BYE")

    async def confirmed(self) -> None:
        """Wait until the far end has acknowledged what it is owed a 2xx for."""
        waited_for = self._confirming - {asyncio.current_task()}
        if waited_for:
            await asyncio.wait(waited_for)

    # -- this end's changes --------------------------------------------------------------------------------

    async def hold(self, held: bool) -> str:
        """Hold the far end, or take it back; raises CallError.

        Nothing is said from the order on, whatever the far end answers. A call whose far end answers with
        nothing that can be said can be held, but not taken back.

        Returns:
            What is odd about the answer, for people; empty for nothing.
        """
        direction = self.voice.hold_direction if held else "sendrecv"
        async with self._changing:
            self.voice.hush(hushed=held or self.held)
            try:
                wrong = await self._offer(lambda: self.voice.offer(direction, again=True))
                if wrong and not held:
                    # The far end has taken the offer: what it hears next takes that back.
                    before = self.voice.hold_direction if self.held else direction
                    self.voice.described = self.voice.offer(before, again=True)
                    raise CallError(f"the far end answered with {wrong}")
                if wrong:
                    self.voice.silence()
                self.held = held
            finally:
                self.voice.hush(hushed=self.held)
        return f"the far end answered with {wrong}" if wrong else ""

    async def move(self) -> bool:
        """Go on from the phone's present address: Contact and description say it (RFC 3261 section 14.1).

        Raises CallError where the far end does not take it: it would send its sound to nobody, so that the
        old session cannot stay. Raises VoiceError where there is no RTP port.

        Returns:
            Whether all is done: False where the phone has moved on meanwhile, and another one follows.
        """
        call = self._call
        async with self._changing:
            context = call.seat.context
            moves = context.moves
            direction = self.voice.hold_direction if self.held else "sendrecv"
            try:
                await self.voice.move(self.voice.host)
                wrong = await self._offer(lambda: self.voice.offer(direction, again=True))
            except CallError:
                if context.moves == moves:
                    raise
                return False
            if wrong:
                raise CallError(f"the far end answered with {wrong}")
        return True

    async def refresh(self) -> None:
        """Keep the session alive, as it is (RFC 4028 section 10); raises CallError."""
        async with self._changing:
            if self._far_end_updates:
                try:
                    await self._renew("UPDATE", lambda: b"")
                    return
                except NotTaken:
                    self._far_end_updates = False
            offer = self.voice.described
            await self._offer(lambda: offer)

    async def _offer(self, make: Callable[[], bytes]) -> Unusable | None:
        """Send a re-INVITE with what *make* makes, and talk as it is answered (see `connect`).

        Raises CallError where it is not accepted.
        """
        offer = b""

        def made() -> bytes:
            nonlocal offer
            offer = make()
            return offer

        response = await self._renew("INVITE", made)
        return self.connect(Agreement(offer, sdp_of(response), answered_here=False))

    async def _renew(self, method: str, make: Callable[[], bytes]) -> Response:
        """Send a re-INVITE or an UPDATE until it is accepted; raises CallError, and the old session stays.

        *make* makes its offer, anew for each try; empty for none.
        """
        call, account = self._call, self._call.seat.account
        for _ in range(MAX_TRIES):
            await self.confirmed()  # while an INVITE of the far end goes on, none is sent (section 14.1)
            if call.state not in UP:
                raise CallError(f"the call is {call.state}, not up")
            headers = self._headers(method)
            self._offering = method == "INVITE"
            try:
                body = make()
                response = await call.request_in_dialog(method, body, SDP if body else "", extra=headers)
            finally:
                self._offering = False
            pause = None if response is None else self._pause_before_next(response)
            if pause is None:
                break
            await asyncio.sleep(pause)
        if response is None or response.status >= 300:
            if response is None:
                raise CallError("the far end did not respond")
            refused = NotTaken if response.status in (405, 501) else CallError
            raise refused(f"the far end refused: {words_of(response)}")
        if call.state not in UP:
            raise CallError(f"the call is {call.state}, not up")
        self.note(response)
        self.timer.start(session_expires.agreed(account, response))
        return response

    def _headers(self, method: str) -> list[tuple[str, str]]:
        """What a re-INVITE or an UPDATE says of the session timer."""
        timer, account = self.timer, self._call.seat.account
        if timer.terms is None:
            return []
        headers = session_expires.asked(account, timer.terms, timer.least)
        # An INVITE has its Supported anyway; a refresh by UPDATE names what it is about only.
        return headers if method == "INVITE" else [*headers, ("Supported", option_tags.TIMER)]

    def _pause_before_next(self, response: Response) -> float | None:
        """Seconds until a change is tried again that *response* refuses; None where it is not."""
        match response.status:
            case 422:
                least, timer = session_expires.least_of(response), self.timer
                if timer.terms is None or least <= max(timer.least, timer.terms.interval):
                    return None
                timer.least = least
                return 0.0
            case 491:
                # The end that made the Call-ID waits longer (section 14.1).
                first, last = (210, 400) if self._call.direction is Direction.OUTGOING else (0, 200)
                return self._call.seat.context.world.random.randint(first, last) / 100
            case 500:
                said = delta_seconds(response.headers.get("Retry-After"))
                return None if said is None or said > LONGEST_PAUSE else float(said)
            case _:
                return None

    # -- its clock -----------------------------------------------------------------------------------------

    def _refresh_due(self) -> None:
        self._call.spawn(self._refresh(), "session refresh")

    async def _refresh(self) -> None:
        try:
            await self.refresh()
        except CallError:
            if self._call.state in UP:
                self.timer.retry()

    def _expired(self, reason: str) -> None:
        self.give_up(reason, EndedBy.TIMEOUT)

    def close(self) -> None:
        """The call is over."""
        try:
            self.timer.stop()
            for acceptance in self._acceptances.values():
                acceptance.stop()
        finally:
            self.voice.close()
            self.measuring.end()


def in_unspoken(title: str) -> str:
    """What a call in the codec *title* comes to."""
    return f"in {title}, which cannot be spoken here: no sound is sent or heard"


def in_secrecy(cipher: str, *, in_clear: bool) -> str:
    """How a call is encrypted, for people; empty where it is not.

    *in_clear*: whether the keys have gone where others could read them.
    """
    told = ", keys in the clear" if in_clear else ""
    return f"encrypted ({cipher}){told}" if cipher else ""


class NotTaken(CallError):
    """The far end does not know the method."""
