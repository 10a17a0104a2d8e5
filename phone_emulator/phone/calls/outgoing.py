"""An outgoing call: the INVITE's walk along the servers, and hanging up at any point of it (C1-C11)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from functools import partial

from phone_emulator.events import Attempt, CallState, Direction, EndedBy, Outcome
from phone_emulator.media.negotiation import Unusable
from phone_emulator.numbers import MAX_UINT32
from phone_emulator.phone.dialling.channel import end_answered
from phone_emulator.phone.dialling.number import DirectAddress
from phone_emulator.phone.wire import session_expires
from phone_emulator.phone.wire.exchange import Draft, Watch
from phone_emulator.phone.wire.identity import Identity, new_call_id
from phone_emulator.redundancy import Try
from phone_emulator.sip.body import sdp_of
from phone_emulator.sip.client import ClientTransaction
from phone_emulator.sip.dialog import Dialog
from phone_emulator.sip.flow import Flow
from phone_emulator.sip.headers import delta_seconds
from phone_emulator.sip.message import MessageError, Request, Response
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.world.base import TimerHandle

from . import ending
from .call import Call, CallLine, CallResult
from .cancelling import Cancel
from .early import TERMINATED, Fork, Forks
from .early_sound import RINGING, EarlySound
from .reliable import RAck, rseq_of, wants_prack
from .states import UNANSWERED, UP, CallEvent, Do
from .voice import Agreement, VoiceError

NOT_ACCEPTABLE = (415, 488, 606)
"""What a far end refuses with that cannot do what is offered."""


class OutgoingCall(Call):
    """A call that this phone places."""

    direction = Direction.OUTGOING

    def __init__(
        self,
        line: CallLine,
        call_id: str,
        number: str,
        identity: Identity,
        headers: Sequence[tuple[str, str]] = (),
        directly: DirectAddress | None = None,
    ) -> None:
        super().__init__(line, call_id, number, identity)
        self._headers = headers
        """What the INVITE carries beside its usual headers."""
        self._directly = directly
        """Who is called past the line's servers; None goes the way of the servers."""
        self._drafts: dict[int, Draft] = {}
        self._offer = b""
        self._client: ClientTransaction | None = None
        self._provisional = False
        self._asked_at = 0.0
        """When the attempt that goes on began to send its INVITE."""
        self._ringing_out: TimerHandle | None = None
        """When it has rung for long enough."""
        self._forks = Forks()
        """Who has answered the INVITE with a 1xx."""
        self._early_sound = EarlySound(self.session, deal_180=self.seat.context.config.deal_180)
        self._cancel = Cancel(self)
        self._refusal: Response | None = None
        """What the last target that was asked has refused the call with."""
        self._behind: list[ServerTransaction] = []
        """What came in right behind the 2xx, and waits until the call is up."""
        self._acks: dict[str, Request] = {}
        """The ACK of each 2xx, by its To tag: a repeated 2xx draws it again."""
        over = None if directly is None else (directly.hop(identity.server),)
        self._walk = self.servers.walk("INVITE", over, call=self)
        self.route = self._walk.route
        self._runner: asyncio.Task[None] | None = None
        self._expiring: TimerHandle | None = None
        """When an answer is not wanted any more."""

    @property
    def ringing_dialogs(self) -> list[Dialog]:
        """Its early dialogs, until the call is up; the newest last."""
        return [fork.dialog for fork in self._forks] if self.state is CallState.RINGING else []

    @property
    def to_come(self) -> list[Attempt]:
        """The attempts that are still to be made while nobody answers, as its walk foretells them."""
        return self.servers.to_come(self._walk)

    def start(self) -> None:
        """Dial."""
        self._happened(CallEvent.DIAL, f"calling {self.remote}")
        self._runner = self.spawn(self._run(), "dialling")
        for name, value in self._headers:
            lifetime = delta_seconds(value) if name.lower() == "expires" else None
            if lifetime is not None:
                expire = partial(self._expire, lifetime)
                self._expiring = self.tasks.call_at(self.started + lifetime, expire, "expiring")

    def _expire(self, lifetime: int) -> None:
        """Give up after *lifetime* seconds without an answer, as the INVITE says (section 13.2.1)."""
        if self.result is None:
            reason = f"not answered within {lifetime} s (Expires)"
            self.spawn(
                self._call_off(CallEvent.TIME_OUT, Outcome.NO_RESPONSE, CallResult.FAILED, reason), "expiring"
            )

    async def _hang_up(self, why: str) -> None:
        """End the call: CANCEL before it is answered, held back until a 1xx allows it (C9), else BYE."""
        if self.dialog is not None or self.state in (CallState.ENDING, CallState.ENDED):
            await super()._hang_up(why)
            return
        reason = why or "hung up by the user"
        await self._call_off(CallEvent.HANG_UP, Outcome.CANCELLED, CallResult.CANCELLED, reason)

    async def _call_off(self, event: CallEvent, outcome: Outcome, result: CallResult, reason: str) -> None:
        """Give up what is not answered yet; the call is over at once where nothing has left."""
        self._give_up(event, outcome, result, reason)
        if self._client is None and self._runner is not None:
            # Nothing has left yet: a lookup or a connection is simply given up.
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
            self._end(reason)

    def _give_up(self, event: CallEvent, outcome: Outcome, result: CallResult, reason: str) -> None:
        """No further target; the attempt that goes on ends now, its transaction in the background."""
        self.note_end(EndedBy.TIMEOUT if event is CallEvent.TIME_OUT else EndedBy.US, reason)
        self._walk.stop()
        self._end_attempt(outcome, reason)
        self._settle(result, reason)
        self._happened(event, reason)

    def _do(self, what: Do) -> None:
        if what is not Do.CANCEL:
            super()._do(what)
        elif self._client is not None and self._provisional:
            self._cancel.send(self._client)

    def _end_attempt(self, outcome: Outcome, reason: str) -> None:
        attempt = self.route[-1] if self.route else None
        if attempt is not None and attempt.outcome is None:
            attempt.outcome, attempt.detail, attempt.ended = outcome, reason, self.seat.now

    def moved(self, left: Collection[str], why: str) -> asyncio.Task[None] | None:
        """The phone has another address: no answer to an INVITE from the old one finds it, so the call fails.

        A CANCEL from the new address stops the ringing. Where nobody is being asked, the call goes on.
        """
        if self.route and self.route[-1].outcome is None:
            self._fail_unanswered(why)
        elif self.state is CallState.ENDING and self._client is not None and self._cancel.sent:
            self._cancel.send_again(self._client)
        elif self.voice.audio is None:
            self.voice.host = self.seat.context.host_for(self.voice.host)
        return super().moved(left, why)

    def stranded(self, why: str) -> None:
        """The phone has no address: a call that is not answered fails at once."""
        self._fail_unanswered(why)
        super().stranded(why)

    def _fail_unanswered(self, why: str) -> None:
        client = self._client
        if self.dialog is not None or self.state not in UNANSWERED:
            return
        self.note_end(EndedBy.TRANSPORT, why)
        self._give_up(CallEvent.HANG_UP, Outcome.SEND_FAILED, CallResult.FAILED, why)
        if client is not None:
            self._expect_late_answers(client, self.channel.identity)
        elif self._runner is not None:
            self._runner.cancel()  # nothing has left yet
        self._end(why)

    def _break_off(self, reason: str) -> bool:
        """End the call without waiting for it; before it is up, no further target is tried."""
        runner, client = self._runner, self._client
        if self.dialog is not None:
            return super()._break_off(reason)
        if client is not None:
            self._expect_late_answers(client, self.channel.identity)
            if client.success is not None:  # nobody but the far end knows of the call
                self._disown(client.success, client, self._forks)
        if self.state not in UNANSWERED:
            return False
        self._give_up(CallEvent.FAULT, Outcome.CANCELLED, CallResult.FAILED, reason)
        return runner is not None and not runner.done()  # it waits for the end of the INVITE

    def _end(self, reason: str, event: CallEvent = CallEvent.OVER) -> None:
        if self._expiring is not None:
            self._expiring.cancel()
        super()._end(reason, event)
        self._catch_up()
        if self._client is not None:  # the INVITE goes on, and might without end
            self.seat.context.endpoint.clients.give_up(self._client, reason)

    async def abandon(self, why: str = "the phone was stopped") -> None:
        """Stop at once, telling nobody; the attempt that goes on ends with the phone."""
        self._end_attempt(Outcome.CANCELLED, why)
        await super().abandon(why)

    # -- the walk ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            if self.voice.speechless:
                raise VoiceError(self.voice.speechless)
            await self.voice.open()
        except VoiceError as error:
            self._settle(CallResult.FAILED, str(error))
            self._end(self.reason)
            return
        self._offer = self.voice.offer()
        answered = await self.servers.follow(self._walk, self._try, call=self.id)
        if self.dialog is not None:
            return
        if answered is None:
            tried = [attempt for attempt in self.route if attempt.outcome is not Outcome.SKIPPED]
            told = tried or self.route
            reasons = "; ".join(f"{each.target.role}: {each.detail}" for each in told)
            last = told[-1].status if told else None
            vain = "every server is exhausted" if self._directly is None else "nobody could be called there"
            self._settle(CallResult.FAILED, f"{vain}: {reasons}", last)
        else:
            self._settle(CallResult.REJECTED, answered.detail, answered.status)
        if answered is not None and self._refusal is not None:
            self.note_end_by(EndedBy.THEM, self.reason, self._refusal)
        else:
            self.note_end(ending.by_route(self.route), self.reason)
        self._end(self.reason, CallEvent.FINAL)

    async def _try(self, step: Try) -> None:
        attempt, hop = step.attempt, step.hop
        if step.register_first and not await self._line.register_first(step):
            return
        if not await self._meet(attempt):
            return
        if self._directly is not None:
            self.sources.dialled(attempt.target.address)
            self.seat.context.dialled(attempt.target.address)
        draft = self._drafts.get(hop.identity.number)
        if draft is None:
            draft = self._drafts[hop.identity.number] = self._draft(step)
        self.channel.identity = draft.identity
        if draft.credentials is not None:
            self.channel.credentials = draft.credentials
        watch = Watch(
            sent=lambda: self.servers.progressed(attempt, self.id),
            started=self._transaction_started,
            provisional=lambda response, client: self._heard(response, client, attempt),
        )
        self._asked_at = self.seat.now
        try:
            found = await self.seat.exchange.run(attempt, draft, watch)
        finally:
            self._ring_as_long_as_it_likes()
        if self.voice.pretends:
            attempt.detail = f"{attempt.detail} ({self.voice.pretends})"
        if self.voice.insists and attempt.status in NOT_ACCEPTABLE:
            attempt.detail = f"{attempt.detail}; {self.voice.insists}"
        client, forks = self._client, self._forks
        self._begin_attempt(None)
        if found is not None:
            self.heard_at = self.seat.now
        if self.end is not None and self.end.method == "CANCEL":
            self._cancel.answered(found is not None)
        if found is None:
            if client is not None:
                self._expect_late_answers(client, draft.identity)
            return
        response, flow = found
        self._refusal = response if response.status >= 300 else None
        if response.status < 300 and client is not None:
            try:
                await self._connected(client, response, flow, forks)
            except Exception:
                if self.state not in UP:
                    self.dialog = None  # nobody but the far end knows of the call
                    self._disown(response, client, forks)
                raise

    def _expect_late_answers(self, client: ClientTransaction, identity: Identity) -> None:
        """Nobody waits for an answer to *client*'s INVITE any more; one that comes is dealt with (C8)."""
        withheld = self._directly is not None
        end = partial(end_answered, self.seat, identity, client.request, withheld=withheld)
        asked = client.flow.remote.host
        self.seat.dialogs.abandoned(
            client.request, end, lambda host: host == asked or host in self.seat.known
        )

    async def _meet(self, attempt: Attempt) -> bool:
        """Offer an address of the IP version of *attempt*'s target; False where there is none to offer."""
        try:
            if await self.voice.speak_to(attempt.target.address):
                self._offer = self.voice.offer()
                for draft in self._drafts.values():
                    draft.request.body = self._offer
        except VoiceError as error:
            now = self.seat.now
            attempt.outcome, attempt.detail, attempt.ended = Outcome.SEND_FAILED, str(error), now
            return False
        return True

    def _draft(self, step: Try) -> Draft:
        """The INVITE as every target of one server gets it; another server gets a new one (C7)."""
        context = self.seat.context
        identity = context.identity(self.seat.account, step.hop.identity)
        request = identity.invite(
            self.remote if self._directly is None else self._directly.number,
            new_call_id(context.world.unguessable, self.seat.account, self.voice.host, identity.style),
            context.endpoint.new_tag(),
            "<sip:0.0.0.0>",
            self._offer,
            extra=[*self._headers, *session_expires.asked(self.seat.account)],
        )
        # Whoever is at an address that was dialled is no server of the line: no proof of its password.
        shown = self.seat.exchange.new_credentials(known=self._directly is None)
        return Draft(identity, request, credentials=shown)

    def _bound_ringing(self, attempt: Attempt) -> None:
        """Bound the time that a call may ring without an answer (C4; ``phone_setting.ringback_timeout``).

        It is as long from the INVITE on; so long once more where nobody had answered it by then.
        """
        limit, passed = self.seat.context.config.ringback_timeout, self.seat.now - self._asked_at
        spans = passed // limit + 1 if limit else 0

        def ring_out() -> None:
            if attempt.outcome is None and self._provisional:
                rang = f"answered {attempt.status}, then nothing for {limit} s"
                text = f"{rang} (phone_setting.ringback_timeout)"
                self._give_up(CallEvent.TIME_OUT, Outcome.NO_RESPONSE, CallResult.FAILED, text)

        self._ring_as_long_as_it_likes()
        self._ringing_out = self.tasks.call_at(self._asked_at + spans * limit, ring_out, "ringback timeout")

    def _ring_as_long_as_it_likes(self) -> None:
        if self._ringing_out is not None:
            self._ringing_out.cancel()
            self._ringing_out = None

    def _begin_attempt(self, client: ClientTransaction | None) -> None:
        self._client, self._provisional = client, False
        self._cancel.begin()
        for fork in self._forks:
            self.seat.dialogs.release(fork.dialog)
        self._forks = Forks()
        self._early_sound.silence()

    def _transaction_started(self, client: ClientTransaction) -> None:
        self._begin_attempt(client)
        self.sources.takes_connections = client.flow.transport.reliable
        forks = self._forks
        client.on_late = lambda response: self._late(response, client, forks)
        client.on_provisional = lambda response: self._know(response, client, forks)
        client.on_success = lambda response: self._expect(response, client, forks)

    def _know(self, response: Response, client: ClientTransaction, forks: Forks) -> None:
        """A 1xx came in, and is about to be heard: requests in its early dialog belong to this call."""
        fork = forks.heard(client.request, response)
        self.sources.proven = True
        if fork is not None:
            self.sources.heard(client.source.host, fork.dialog)
            self.seat.dialogs.confirm(self, fork.dialog)

    def _expect(self, response: Response, client: ClientTransaction, forks: Forks) -> None:
        """A 2xx came in, and is about to be heard: requests in its dialog belong to this call."""
        self.sources.proven = True
        with contextlib.suppress(MessageError):  # it will end the call
            dialog = forks.confirm(client.request, response)
            self.sources.heard(client.source.host, dialog)
            self.seat.dialogs.confirm(self, dialog)

    def receive(self, server: ServerTransaction) -> None:
        """A request came in within a dialog of this call; right behind the 2xx it waits for the call."""
        answer = None if self._client is None else self._client.success
        if answer is not None and server.request.from_tag == answer.to_tag:
            self._behind.append(server)
        else:
            super().receive(server)

    def _catch_up(self) -> None:
        """Deal with what came in right behind the 2xx."""
        behind, self._behind = self._behind, []
        for server in behind:
            try:
                super().receive(server)
            except MessageError as error:
                server.respond(self.response_to(server, error.status), str(error))

    def _heard(self, response: Response, client: ClientTransaction, attempt: Attempt) -> None:
        """A 1xx came: a CANCEL that was held back may leave now (RFC 3261 section 9.1)."""
        self.heard_at = self.seat.now
        if not self._provisional:
            self._provisional = True
            self._bound_ringing(attempt)
        fork = self._forks.heard(client.request, response)
        if fork is not None:
            self.channel.flow, self.channel.target = client.flow, attempt.target
        if self.state is CallState.ENDING:
            self._cancel.send(client)
            return
        rseq = rseq_of(response)
        if rseq is not None:
            if fork is None or not fork.order.due(rseq):
                return
            rack = RAck(rseq, client.request.cseq)
            self.spawn(self._acknowledge_fork(fork, rack), "PRACK")
        elif wants_prack(response):
            found = response.headers.get("RSeq") or "missing"
            why = f"its RSeq is {found}, expected a number from 1 to {MAX_UINT32}: no PRACK"
            transports = self.seat.context.endpoint.transports
            transports.ignored(client.flow, why, response.raw or response.to_bytes())
        self.servers.progressed(attempt, self.id)
        self.rings = self.rings or response.status == RINGING
        self.meet(response)
        if fork is not None:
            if response.status == TERMINATED:
                self._forks.end(fork)
                self.seat.dialogs.release(fork.dialog)
                self._early_sound.lose(fork, self._forks)
            else:
                self._early_sound.take(fork, response, self._offer, reliably=rseq is not None)
        if response.status > 100:
            said = f"{attempt.target.role} answered {response.status} {response.reason}"
            if not self._happened(CallEvent.PROVISIONAL, said):
                self.stands()

    async def _acknowledge_fork(self, fork: Fork, rack: RAck) -> None:
        """Send a PRACK; where it fails the far end ends the call itself (RFC 3262 section 3)."""
        await self.channel.converse(fork.dialog, "PRACK", extra=[("RAck", str(rack))])

    # -- before the answer ---------------------------------------------------------------------------------

    def dialog_of(self, request: Request) -> Dialog | None:
        """The dialog that *request* of the far end belongs to, early or not."""
        if self.dialog is not None:
            return self.dialog
        fork = self._forks.by_tag(request.from_tag or "")
        return None if fork is None else fork.dialog

    def agreed(self, dialog: Dialog, agreement: Agreement) -> None:
        """An offer of the far end in *dialog* was answered."""
        if self.dialog is not None:
            super().agreed(dialog, agreement)
        elif fork := self._forks.by_tag(dialog.remote_tag):
            fork.agreement = agreement
            self._early_sound.hear(fork)

    def awaits_answer(self, dialog: Dialog) -> bool:
        """Whether an offer of this end in *dialog* waits for its answer: at first that of the INVITE."""
        if self.dialog is not None:
            return super().awaits_answer(dialog)
        fork = self._forks.by_tag(dialog.remote_tag)
        return fork is not None and not fork.agreed

    def far_end_hung_up(self) -> None:
        """A BYE came in; before the call is up, the 200 of the only far end was lost for 64*T1."""
        if self.dialog is not None and self.state in UNANSWERED:  # right behind an answer that says nothing
            reason = "the far end hung up, and has answered with nothing that could be said"
            self._settle(CallResult.FAILED, reason, self.route[-1].status)
            self._end(reason, CallEvent.FINAL)
        elif self.dialog is not None:
            super().far_end_hung_up()
        elif len(list(self._forks)) == 1 and self.state in UNANSWERED:
            reason = "the far end hung up, and its answer never came"
            self._give_up(CallEvent.BYE, Outcome.NO_RESPONSE, CallResult.FAILED, reason)

    # -- answered ------------------------------------------------------------------------------------------

    async def _connected(
        self, client: ClientTransaction, response: Response, flow: Flow, forks: Forks
    ) -> None:
        try:
            dialog = forks.confirm(client.request, response)
        except MessageError as error:
            self._settle(CallResult.FAILED, f"the 2xx cannot be used: {error}", response.status)
            self.note_end(EndedBy.US, self.reason, "BYE")
            self._catch_up()
            self._disown(response, client, forks, own=True)
            return
        self.channel.flow, self.channel.target = flow, self.route[-1].target
        if self.state is CallState.ENDING:
            # Answered while the user hung up: the call is up and must be ended.
            self._catch_up()
            ending.answered_by_bye(self.end, await self.channel.acknowledge_and_bye(dialog))
            return
        self.dialog = dialog
        self.seat.dialogs.confirm(self, dialog)
        wrong = self._take(response, forks.answering(dialog.remote_tag))
        self.session.note(response)
        if not wrong:
            self._up(client, response)
        self.meet(response)
        self.session.accept(self._send_first_ack(dialog))  # no BYE and no re-INVITE overtakes it
        self._catch_up()
        if wrong and self.state in UNANSWERED:
            if self.session.silent:
                self._never_up(response, wrong)
            else:  # an offer right behind the answer has made up for it
                self._up(client, response)

    def _take(self, response: Response, fork: Fork | None) -> Unusable | None:
        """Talk as the 2xx *response* of *fork* has it, see `Session.connect`."""
        answer = sdp_of(response)
        agreement = Agreement(self._offer, answer, answered_here=False)
        if fork is not None and fork.agreement is not None and (fork.agreed or not answer):
            agreement = fork.agreement
        return self.session.connect(agreement)

    def _up(self, client: ClientTransaction, response: Response) -> None:
        """The far end has answered, and can be talked to."""
        session = self.session
        self.answered_at = self.seat.now
        session.timer.least = session_expires.least_of(client.request)
        session.timer.start(session_expires.agreed(self.seat.account, response))
        self.route[-1].detail += session.muteness
        words = f"{response.status} {response.reason}{session.muteness}"
        self._settle(CallResult.ANSWERED, words, response.status)
        self._happened(CallEvent.SUCCESS, f"answered at {self.route[-1].target}")

    def _never_up(self, response: Response, wrong: Unusable) -> None:
        """The far end has answered with nothing that could be said: ACK and BYE (section 13.2.2.4)."""
        self.voice.silence()
        attempt, reason = self.route[-1], f"answered with {wrong}"
        attempt.detail = f"{attempt.detail}, with {wrong}"
        self._settle(CallResult.FAILED, reason, response.status)
        self._happened(CallEvent.UNUSABLE, reason)
        self.spawn(self._take_leave(reason), "BYE")

    async def _send_first_ack(self, dialog: Dialog) -> None:
        """Acknowledge the 2xx; where nothing leads to who sent it, that goes the way of the INVITE."""
        flow = await self.channel.way(dialog)
        if flow is None:
            flow = self.channel.stay()
            self.session.give_up(f"there is no way to {dialog.next_hop()}", EndedBy.TRANSPORT)
        if flow is not None:
            self._acks[dialog.remote_tag] = self.channel.acknowledge(dialog, flow)

    def _late(self, response: Response, client: ClientTransaction, forks: Forks) -> None:
        """A further 2xx: repeated, or of another fork, which is ended at once (RFC 3261 section 13.2.2.4)."""
        tag = response.to_tag or ""
        if self.dialog is not None and tag == self.dialog.remote_tag:
            self.spawn(self._repeat_ack(tag), "ACK")
        elif self._is_of_the_first(response, client):
            pass
        elif tag not in self._acks:
            self._disown(response, client, forks)

    def _disown(
        self, response: Response, client: ClientTransaction, forks: Forks, *, own: bool = False
    ) -> None:
        """End what the 2xx *response* has made at its far end; *own*: it is what the call comes to."""
        self.spawn(self._end_fork(response, client, forks, own=own), "BYE to a fork")

    async def _end_fork(
        self, response: Response, client: ClientTransaction, forks: Forks, *, own: bool
    ) -> None:
        try:
            dialog = forks.confirm(client.request, response)
        except MessageError:
            identity = self.channel.identity
            withheld = self._directly is not None
            drawn = await end_answered(
                self.seat, identity, client.request, response, client.flow, withheld=withheld
            )
        else:
            self.sources.heard(client.source.host, dialog)
            drawn = await self.channel.acknowledge_and_bye(dialog)
        if own:
            ending.answered_by_bye(self.end, drawn)

    def _is_of_the_first(self, response: Response, client: ClientTransaction) -> bool:
        """Whether it came together with the first 2xx, whose dialog is about to be made."""
        wanted = self.state in UNANSWERED
        return wanted and client.success is not None and response.to_tag == client.success.to_tag

    async def _repeat_ack(self, tag: str) -> None:
        flow = await self.channel.way(self.dialog) if self.dialog is not None else None
        ack = self._acks.get(tag)
        if flow is not None and ack is not None:
            self.seat.context.endpoint.clients.send_ack(ack, flow, rport=self.seat.account.rport)
