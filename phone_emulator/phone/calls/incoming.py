"""An incoming call: ringing, answering, refusing (RFC 3261 section 13.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from functools import partial

from phone_emulator.events import CallState, Direction, EndedBy
from phone_emulator.media.negotiation import Unusable
from phone_emulator.phone.wire import content
from phone_emulator.phone.wire.answer import Answer
from phone_emulator.phone.wire.caller import Caller
from phone_emulator.phone.wire.identity import Identity
from phone_emulator.phone.wire.option_tags import RELIABLE, understood
from phone_emulator.sip.body import SDP, sdp_of
from phone_emulator.sip.dialog import Dialog, dialog_of_request
from phone_emulator.sip.headers import delta_seconds
from phone_emulator.sip.message import Request, Response
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.world.base import TimerHandle

from . import ending, forwarding
from .call import Call, CallError, CallLine, CallResult
from .forwarding import Forward
from .intercom import asked_delay
from .reliable import ReliableProvisional, rack_of
from .states import CallEvent
from .voice import Agreement, VoiceError

STOPPED = 480
"""What a call that rings is refused with when the phone stops."""
FIRST_RSEQ = 2**31 - 1
"""The highest number that the first reliable provisional response may have (RFC 3262 section 3)."""


class IncomingCall(Call):
    """A call that somebody places to this phone."""

    direction = Direction.INCOMING

    def __init__(
        self, line: CallLine, call_id: str, caller: Caller, identity: Identity, server: ServerTransaction
    ) -> None:
        super().__init__(line, call_id, caller.number, identity)
        self._server = server
        self._tag = server.to_tag = line.seat.context.endpoint.new_tag()
        self._ringing: TimerHandle | None = None
        self._answering: TimerHandle | None = None
        """When the phone answers by itself."""
        self._expiring: TimerHandle | None = None
        """When the caller wants no answer any more."""
        self._replaced: Call | None = None
        """The call that this one takes the place of, as soon as it is accepted."""
        self._announced = asyncio.Event()
        """Whether the 180 has left, or none is to leave first."""
        self._announced.set()
        self._provisional: ReliableProvisional | None = None
        """The 180, where it is to be acknowledged."""
        self._agreement: Agreement | None = None
        """What both ends have described, where that is settled before the call is answered."""
        self._moved_since = ""
        """Why the far end has to be told where the phone is, once the call is up; empty for not at all."""
        self._forward_to = ""
        """Who gets the call when nobody answers here."""
        self.caller = caller
        self.diverted_by = caller.diverted_by
        """Who sent the call here, as Diversion says; empty for nobody."""
        self.left = line.servers.left(server.source.host)
        """Which server it came through, where that is not one in use (R17)."""
        self.dialog = dialog_of_request(server.request, self._tag)
        self.channel.begin(server, self.dialog)
        self.session.note(server.request)
        self.voice.host = line.seat.context.host_for(server.source.host)
        server.on_cancel = self._cancelled
        server.admits = line.seat.known.__contains__
        self.heard_at = self.seat.now

    def ring(self) -> None:
        """Answer 180 and ring, for ``phone_setting.ringing_timeout`` seconds."""
        if not self._begin():
            return
        lifetime = delta_seconds(self._server.request.headers.get("Expires"))
        if lifetime == 0:
            self._expire(lifetime)
            return
        if self.seat.account.reliable_provisional and understood(self._server.request, RELIABLE):
            self._announced.clear()
            self.spawn(self._ring_reliably(), "180")
        else:
            self._server.respond(self._response(180))
        config, world = self.seat.context.config, self.seat.context.world
        self._forward_to = forwarding.target(self.seat, self._server.request, Forward.NO_ANSWER)
        patience = forwarding.patience(self.seat) if self._forward_to else config.ringing_timeout
        self._ringing = self.tasks.call_at(world.now() + patience, self._ring_out, "ringing out")
        if lifetime is not None and lifetime <= patience:
            expire = partial(self._expire, lifetime)
            self._expiring = self.tasks.call_at(world.now() + lifetime, expire, "expiring")
        sent_by = f", sent by {self.diverted_by}" if self.diverted_by else ""
        through = f", {self.left}" if self.left else ""
        self._happened(CallEvent.INVITE, f"{self.remote} calls{sent_by}{through}")
        delay = asked_delay(self._server.request) if config.intercom and self.sources.founded else None
        if delay is None and self.seat.account.auto_answer:
            delay = config.auto_answer_delay
        if delay is not None and self.floor.alone(self):
            self._answering = self.tasks.call_at(world.now() + delay, self._answer_by_itself, "answering")

    def replace(self, other: Call) -> None:
        """Take the place of *other*: answer at once, and then end that one (RFC 3891 section 3)."""
        if not self._begin():
            return
        self._happened(CallEvent.INVITE, f"{self.remote} takes the place of {other.remote}")
        self._replaced = self.beside = other
        self.answer()

    def _settle(self, result: CallResult, reason: str, status: int | None = None) -> None:
        super()._settle(result, f"{reason}; it came {self.left}" if self.left else reason, status)

    def answer(self) -> None:
        """Answer the call; another one that talks is held. Raises CallError when it does not ring."""
        if self.state is not CallState.RINGING:
            raise CallError(f"the call is {self.state}, it does not ring")
        with self.ordered("answering"):
            self._stop_ringing()
            self._happened(CallEvent.SUCCESS, "answered by this phone")
            self.session.accept(self._accept(sdp_of(self._server.request)))

    def told_to(self, event: str) -> None:
        """``talk`` also answers a call that rings."""
        if event == "talk" and self.state is CallState.RINGING:
            self.answer()
        else:
            super().told_to(event)

    def reject(self, status: int | None = None) -> None:
        """Refuse the call (``features.normal_refuse_code``); raises CallError when it does not ring."""
        if self.state is not CallState.RINGING:
            raise CallError(f"the call is {self.state}, it does not ring")
        with self.ordered("refusing"):
            self._refuse(status or self.seat.context.config.normal_refuse_code, "rejected by this phone")

    async def _hang_up(self, why: str) -> None:
        """End the call; a ringing one is refused."""
        if self.state is not CallState.RINGING:
            await super()._hang_up(why)
        elif why:
            with self.ordered("refusing"):
                self._refuse(STOPPED, why, CallResult.CANCELLED)
        else:
            self.reject()

    def moved(self, left: Collection[str], why: str) -> asyncio.Task[None] | None:
        """The phone has another address; one that rings rings on, and is answered from there."""
        if self.state is CallState.RINGING:
            self.voice.host = self.seat.context.host_for(self.voice.host)
            if self._agreement is not None or (self._provisional is not None and self._provisional.offer):
                self._moved_since = why  # what was described for the call names the old address
        return super().moved(left, why)

    @property
    def missed(self) -> bool:
        """Whether it has ended without anybody taking it, here or elsewhere."""
        end = self.end
        if end is None or end.elsewhere or self.answered_at is not None:
            return False
        return end.by in (EndedBy.THEM, EndedBy.TIMEOUT)

    @property
    def unanswered(self) -> bool:
        """Whether the first INVITE has no final response yet."""
        return self._server.final is None

    def far_end_hung_up(self) -> None:
        """A BYE came in."""
        if self.unanswered:  # BYE in an early dialog: its INVITE is owed a 487 (section 15.1.2)
            self._refuse(487, ending.because(self.end, "the caller hung up"), CallResult.CANCELLED)
        else:
            super().far_end_hung_up()

    def _begin(self) -> bool:
        """Take the dialog up; whether its offer can be answered, else the call is refused."""
        assert self.dialog is not None
        self.seat.dialogs.confirm(self, self.dialog)
        unusable = self.voice.refusal(sdp_of(self._server.request))
        if unusable is not None:
            self._refuse_with(unusable)
        return unusable is None

    async def _ring_reliably(self) -> None:
        """Send the 180 until its PRACK comes (RFC 3262 section 3), with an offer if the INVITE has none."""
        context, offer = self.seat.context, b""
        if not sdp_of(self._server.request):
            try:
                await self.voice.open()
            except VoiceError as error:
                self._refuse(500, str(error))
                return
            offer = self.voice.offer()
        if not self.unanswered:  # the caller hung up meanwhile
            self.voice.close()
            return
        rseq = context.world.unguessable.randint(1, FIRST_RSEQ)
        timers = context.config.timers
        ringing = self._provisional = ReliableProvisional(self._server, timers, rseq, offer)
        self._announced.set()
        arrived = await ringing.run(self._response(180, offer, ringing.headers))
        if not arrived and self.unanswered:
            reason = f"no PRACK within 64*T1 = {64 * timers.t1:.1f} s"
            self.note_end(EndedBy.TIMEOUT, reason)
            self._refuse(500, reason, CallResult.FAILED)

    def acknowledge_provisional(self, server: ServerTransaction) -> None:
        """A PRACK came in (RFC 3262 section 3)."""
        rack, ringing = rack_of(server.request), self._provisional
        if rack is None:
            self.respond(server, 400)
        elif ringing is None or not ringing.matches(rack):
            self.respond(server, 481)
        elif refusal := content.unreadable(server.request, SDP):
            self.answer_with(server, refusal)
        else:
            self.respond(server, 200)
            if ringing.offer:
                body = sdp_of(server.request)
                self._agreement = Agreement(ringing.offer, body, answered_here=False)
            ringing.acknowledge()

    def agreed(self, dialog: Dialog, agreement: Agreement) -> None:
        """An offer of the far end in *dialog* was answered; nothing is said before the call is."""
        if self.unanswered:
            self._agreement = agreement
        else:
            super().agreed(dialog, agreement)

    def owes_answer(self, dialog: Dialog) -> bool:
        """Whether the INVITE's offer is not answered yet, or its answer asked for by no offer yet."""
        return self.unanswered and self._agreement is None and not self.awaits_answer(dialog)

    def awaits_answer(self, dialog: Dialog) -> bool:
        """Whether an offer of this end waits for its answer: at first that of the 180."""
        ringing = self._provisional
        offered = ringing is not None and bool(ringing.offer) and not ringing.acknowledged
        return (self.unanswered and offered) or super().awaits_answer(dialog)

    async def _accept(self, offer: bytes) -> None:
        """Send the 200 with this end's description, and see to it that it arrives."""
        await self._announced.wait()
        try:
            await self.voice.open()
        except VoiceError as error:
            self._refuse(500, str(error), CallResult.FAILED)
            return
        ringing = self._provisional
        if ringing is not None:
            if ringing.offer:
                await ringing.over()  # its PRACK brings the answer (RFC 3262 section 5)
            ringing.stop()
        if not self.unanswered:  # the caller hung up meanwhile
            self.voice.close()
            return
        body = late_offer = b""
        if self._agreement is not None:
            if wrong := self.session.connect(self._agreement):
                told = f"the PRACK answers this phone's offer with {wrong}"
                self._refuse_with(self.voice.not_acceptable(Unusable(told, wrong.fault)), CallResult.FAILED)
                return
        elif offer:
            if unusable := self.voice.refusal(offer):  # what the phone can may have changed since it rang
                self._refuse_with(unusable, CallResult.FAILED)
                return
            body = self.voice.answer(offer)
            self.session.connect(Agreement(offer, body, answered_here=True))
        else:
            body = late_offer = self.voice.offer()
        response = self._response(200, body, self.session.grant(self._server.request))
        if not late_offer:
            self.came_up()
        await self.session.repeat(self._server, response, late_offer=late_offer)

    def came_up(self) -> None:
        """The call is answered, and can be talked in: with the ACK that answers a late offer."""
        if self.result is not None:
            return
        self.answered_at = self.seat.now
        self._settle(CallResult.ANSWERED, f"answered by this phone{self.session.muteness}", 200)
        if self._moved_since:
            self._relocation.tell_far_end(self._moved_since)
        if self._replaced is not None:
            reason = f"{self.remote} took the place of {self._replaced.remote}"
            self.spawn(self._replaced.finish(reason), "the end of another")

    def _expire(self, lifetime: int) -> None:
        """The caller wants an answer within *lifetime* seconds or none (section 13.3.1)."""
        reason = f"the caller waited for {lifetime} s only (Expires)"
        self.note_end(EndedBy.TIMEOUT, reason)
        self._refuse(487, reason, CallResult.CANCELLED)

    def _ring_out(self) -> None:
        config, request = self.seat.context.config, self._server.request
        if not self._forward_to:
            reason = f"not answered for {config.ringing_timeout} s"
            self.note_end(EndedBy.TIMEOUT, reason)
            self._refuse(config.no_answer_code, reason)
            return
        identity, number = self.channel.identity, self._forward_to
        extra = forwarding.headers(self.seat, identity, request, number, Forward.NO_ANSWER)
        self._server.respond(identity.response(request, 302, to_tag=self._tag, extra=extra))
        forwarding.tell(self.seat, self.remote, number, Forward.NO_ANSWER)
        reason = f"forwarded to {number}: not answered for {forwarding.patience(self.seat)} s"
        self._settle(CallResult.REJECTED, reason, 302)
        self._end(reason, CallEvent.FINAL)

    def _break_off(self, reason: str) -> bool:
        """End the call without waiting for it: an INVITE that is not answered is owed a 500."""
        if self.unanswered:
            self._refuse(500, reason, CallResult.FAILED)
            return True
        return super()._break_off(reason)

    def _answer_by_itself(self) -> None:
        if self.state is CallState.RINGING:
            self.answer()

    def _stop_ringing(self) -> None:
        for timer in (self._ringing, self._answering, self._expiring):
            if timer is not None:
                timer.cancel()
        self._ringing = self._answering = self._expiring = None

    def _end(self, reason: str, event: CallEvent = CallEvent.OVER) -> None:
        self._stop_ringing()
        self._announced.set()
        if self._provisional is not None:
            self._provisional.stop()
        self._settle(CallResult.FAILED, reason, 200)  # its late offer was never answered
        super()._end(reason, event)

    def _cancelled(self, cancel: Request) -> None:
        if self.unanswered:
            self.note_end_by(EndedBy.THEM, "the caller hung up", cancel)
            self._refuse(487, ending.because(self.end, "the caller hung up"), CallResult.CANCELLED)

    def _refuse(self, status: int, reason: str, result: CallResult = CallResult.REJECTED) -> None:
        self._refuse_with(Answer(status, why=reason), result)

    def _refuse_with(self, answer: Answer, result: CallResult = CallResult.REJECTED) -> None:
        try:
            self._server.respond(self._response(answer.status, extra=answer.headers), answer.why)
        finally:
            self._settle(result, answer.why, answer.status)
            self._end(answer.why, CallEvent.FINAL)

    def _response(self, status: int, body: bytes = b"", extra: Iterable[tuple[str, str]] = ()) -> Response:
        """A response in the phone's own header order."""
        contact = self.channel.contact(self._server.flow) if status < 300 else ""
        return self.channel.identity.response(
            self._server.request,
            status,
            to_tag=self._tag,
            contact=contact,
            body=self.voice.as_told(body),
            extra=extra,
        )
