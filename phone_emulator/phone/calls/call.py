"""A call, in either direction: its state, its dialog, what both ends may do once it is up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Protocol

from phone_emulator.events import (
    Attempt,
    CallChanged,
    CallState,
    Direction,
    Ended,
    EndedBy,
    MediaNumbers,
    Transport,
)
from phone_emulator.phone.dialling.channel import Channel
from phone_emulator.phone.registration.servers import Servers
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire import content, option_tags
from phone_emulator.phone.wire.answer import Answer
from phone_emulator.phone.wire.caller import connected_party
from phone_emulator.phone.wire.credentials import words_of
from phone_emulator.phone.wire.errors import CallError as CallError
from phone_emulator.phone.wire.identity import ALLOW, Identity
from phone_emulator.phone.wire.known import Sources
from phone_emulator.redundancy import Try
from phone_emulator.sip.client import Moved, RequestFailed
from phone_emulator.sip.dialog import Dialog
from phone_emulator.sip.message import METHODS, Message, MessageError, Request, Response
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.world.faults import as_reason
from phone_emulator.world.tasks import Tasks

from . import ending, keypad
from .floor import Floor
from .progress import Progress, Standing
from .relocation import Relocation
from .session import Session
from .states import TABLE, UP, CallEvent, Do
from .voice import Agreement, Voice

BODILESS = frozenset({"BYE", "OPTIONS", "SUBSCRIBE", "REFER"})
"""In-dialog requests whose body is of no use; the others read theirs."""


class CallResult(StrEnum):
    """What became of a call."""

    ANSWERED = "answered"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Usage(Protocol):
    """What hangs on a call, and may outlive it: a transfer, a REFER that is followed (RFC 5057)."""

    def take(self, server: ServerTransaction) -> bool:
        """A NOTIFY or a SUBSCRIBE came in within the call's dialog; whether it was for this, and answered."""

    def call_ended(self) -> None:
        """The call is over."""

    def stop(self, reason: str) -> None:
        """The phone stops: nothing will come any more."""


Handler = Callable[["Call", ServerTransaction], None]
"""Takes a request of the far end within a call's dialog."""


class Together(Protocol):
    """Calls that talk together."""

    async def hold(self) -> None:
        """Hold every far end; raises CallError."""

    async def resume(self) -> None:
        """Take every far end back; raises CallError."""


class CallLine(Protocol):
    """What a call needs of its line."""

    @property
    def seat(self) -> Seat:
        """The line's place."""

    @property
    def servers(self) -> Servers:
        """Where its requests go."""

    @property
    def floor(self) -> Floor[Call]:
        """Which of the phone's calls talks."""

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """By the method, what takes a request of the far end within the dialog."""

    async def register_first(self, step: Try) -> bool:
        """REGISTER at the target of *step*; False where the target has failed by that (R9)."""

    def up(self, call: Call) -> None:
        """Both ends of *call* can talk."""

    def ended(self, call: Call) -> None:
        """*call* is over."""


class Call:
    """What outgoing and incoming calls share.

    Args:
        line: the line that it is on.
        call_id: the id that people and scenarios know it by (not the SIP Call-ID).
        remote: the number or URI at the far end.
        identity: how the line names itself in this call.
    """

    direction: Direction

    def __init__(self, line: CallLine, call_id: str, remote: str, identity: Identity) -> None:
        self._line = line
        self.seat = line.seat
        self.servers = line.servers
        self.id = call_id
        self.tasks = Tasks(line.seat.context.world, call_id, self.fault)
        """What is done beside it; it ends with the phone at the latest."""
        self.remote = remote
        self.party = remote
        """Who is at the far end, as it says itself (``account.X.cp_source``); *remote* until it does."""
        self.channel = Channel(line.seat, identity)
        self.state = CallState.CALLING
        self.result: CallResult | None = None
        self.status: int | None = None
        self.reason = ""
        self.route: list[Attempt] = []
        self.started = line.seat.now
        self.answered_at: float | None = None
        self.settled_at: float | None = None
        """When the result was known."""
        self.ended: float | None = None
        """When it was over."""
        self.end: Ended | None = None
        """How it ended; None before it is ended."""
        self.heard_at: float | None = None
        """When a message of the far end came in last."""
        self.dialog: Dialog | None = None
        self.beside: Call | None = None
        """A call that is not held for this one: it has asked for it, or ends when this one is up."""
        self.conference: Together | None = None
        """The calls that it talks together with; None where it is alone."""
        self.conferred_with: list[str] = []
        """The ids of those that it has talked together with."""
        self.usages: list[Usage] = []
        """What hangs on it."""
        self.rings = False
        """Whether the far end has said that it rings: a 180."""
        self.transferred_to = ""
        """The number or URI that its far end was sent to; empty where it was not."""
        self.was_referred = False
        """Whether the far end has asked this phone to call somebody yet."""
        self.progress = Progress(line.seat, call_id)
        """The tone that its user hears because of it."""
        self.session = Session(self)
        """What both ends have agreed to say to each other."""
        self._relocation = Relocation(self, tell=self._tell, over=lambda reason: self._end(reason))
        self._faulted = False
        self._settled = asyncio.Event()
        self._over = asyncio.Event()

    @property
    def to_come(self) -> list[Attempt]:
        """The attempts that are still to be made while nobody answers, as its walk foretells them."""
        return []

    # -- what people see -----------------------------------------------------------------------------------

    @property
    def via(self) -> str | None:
        """The role of the target that answered."""
        return self.route[-1].target.role if self.route and self.result is CallResult.ANSWERED else None

    @property
    def sources(self) -> Sources:
        """Where messages of its dialogs may come from."""
        return self.channel.sources

    @property
    def keys_in_clear(self) -> bool:
        """Whether others could read the keys of its sound on their way (RFC 4568 section 8.1)."""
        flow = self.channel.flow
        ways = [each.target.transport for each in self.route if each.sent]
        ways += [] if flow is None else [flow.transport]
        return any(way is not Transport.TLS for way in ways)

    @property
    def voice(self) -> Voice:
        """What it says and hears."""
        return self.session.voice

    @property
    def floor(self) -> Floor[Call]:
        """Which of the phone's calls talks."""
        return self._line.floor

    @property
    def held(self) -> bool:
        """Whether this phone holds the far end."""
        return self.session.held

    @property
    def far_held(self) -> bool:
        """Whether the far end holds this phone."""
        return self.session.far_held

    @property
    def digits_heard(self) -> str:
        """What the far end has pressed, by whatever way: the last 1024."""
        return self.session.digits

    @property
    def numbers(self) -> MediaNumbers | None:
        """How its sound fares, or has fared; None where it never had any."""
        return self.voice.numbers

    @property
    def last_heard(self) -> float | None:
        """When the far end was heard last: a message, or its sound."""
        audio = self.voice.audio
        heard = (self.heard_at, None if audio is None else audio.heard_at)
        return max((each for each in heard if each is not None), default=None)

    @property
    def missed(self) -> bool:
        """Whether it came in, and has ended without anybody taking it, here or elsewhere."""
        return False

    @property
    def elapsed(self) -> float:
        """Seconds from dialling to the result, or to now."""
        end = self.settled_at if self.settled_at is not None else self.seat.now
        return end - self.started

    async def settled(self) -> CallResult:
        """Wait until the result is known: answered, rejected, failed or cancelled."""
        await self._settled.wait()
        assert self.result is not None
        return self.result

    async def over(self) -> None:
        """Wait until the call has ended and nothing more of it will be sent."""
        await self._over.wait()

    # -- orders --------------------------------------------------------------------------------------------

    async def hang_up(self, why: str = "") -> None:
        """End the call, in any state; returns when the far end has answered the BYE, or none is owed.

        *why*, for people, where it is not the user's wish.
        """
        with self.tasks.guarded("hanging up"):
            await self._hang_up(why)

    async def _hang_up(self, why: str) -> None:
        await self._terminate(why or "hung up")

    async def finish(self, reason: str, by: EndedBy = EndedBy.US) -> None:
        """End the call, for *reason*, *by* whom; returns when the far end has answered the BYE."""
        if self.dialog is None:
            await self.hang_up(reason)
        else:
            with self.tasks.guarded("hanging up"):
                await self._terminate(reason, by=by)

    async def hold(self) -> None:
        """Hold the far end, and all of a conference with it; raises CallError."""
        await (self.hold_alone() if self.conference is None else self.conference.hold())

    async def resume(self) -> None:
        """Take the far end back, and all of a conference with it; raises CallError.

        Another call that talks is held.
        """
        await (self.resume_alone() if self.conference is None else self.conference.resume())

    async def hold_alone(self) -> None:
        """Hold this far end (``account.X.hold_use_inactive``, ``sip.rfc2543_hold``); raises CallError."""
        with self.ordered("holding"):
            odd = await self.session.hold(True)
            self._happened(CallEvent.HOLD, f"held by this phone; {odd}" if odd else "held by this phone")

    async def resume_alone(self) -> None:
        """Take this far end back; another call that talks is held. Raises CallError."""
        with self.ordered("resuming"):
            if self.state is CallState.HELD:
                self.floor.claim(self)
                await asyncio.sleep(0)  # the hold of the other one leaves first
            await self.session.hold(False)
            self._happened(CallEvent.RESUME, "resumed")

    def not_held(self, why: str) -> None:
        """It talks on, though another call of the phone is to talk."""
        self._tell(f"not held: {why}")

    @contextlib.contextmanager
    def ordered(self, what: str) -> Iterator[None]:
        """Somebody waits for what is done within; what it raises ends the call, and is a CallError."""
        try:
            yield
        except CallError:
            raise
        except Exception as error:
            self.tasks.fault(error, what, self.fault)
            raise CallError(as_reason(error)) from error

    def told_to(self, event: str) -> None:
        """A NOTIFY asks for something: ``hold`` holds a call that is up, ``talk`` takes it back."""
        order = {"hold": self.hold, "talk": self.resume}.get(event)
        wanted = CallState.TALKING if event == "hold" else CallState.HELD
        if order is not None and self.state is wanted:
            self.spawn(self._obey(order), event)

    async def _obey(self, order: Callable[[], Coroutine[Any, Any, None]]) -> None:
        with contextlib.suppress(CallError):  # the NOTIFY is answered already: nobody is left to be told
            await order()

    async def send_dtmf(self, digits: str) -> None:
        """Send *digits* as ``account.X.dtmf.type`` says; raises CallError."""
        keypad.check(self, "no digits can be sent")
        with self.ordered("sending digits"):
            await keypad.press(self, digits)

    # -- in the dialog -------------------------------------------------------------------------------------

    def receive(self, server: ServerTransaction) -> None:
        """A request came in within a dialog of this call."""
        self.heard_at = self.seat.now
        self.voice.prove()
        request = server.request
        dialog = self.dialog_of(request)
        if dialog is None:
            self.respond(server, 481)
        elif not dialog.accept_cseq(request):
            self.respond(server, 500)
        elif missing := option_tags.missing(request, self.seat.account):
            self.respond(server, 420, [("Unsupported", ", ".join(missing))])
        elif request.method in BODILESS and (refusal := content.unread(request)):
            self.answer_with(server, refusal)
            if request.method == "BYE":  # it ends the session whatever it draws (section 15.1.1)
                self.far_end_hung_up()
        elif handler := self._line.handlers.get(request.method):
            self._hand(handler, server)
        elif request.method in METHODS:
            self.respond(server, 405, [("Allow", ALLOW)])
        else:
            self.respond(server, 501)

    def _hand(self, handler: Handler, server: ServerTransaction) -> None:
        """Let *handler* take a request."""
        try:
            handler(self, server)
        except MessageError:
            raise
        except Exception as error:
            # One that is refused with a 500 has changed nothing; a BYE ends the call whatever it draws.
            method = server.request.method
            if server.final is not None or method == "BYE":
                self.tasks.fault(error, f"dealing with {method}", self.fault)
            raise
        self.sources.heard(server.source.host)

    def dialog_of(self, request: Request) -> Dialog | None:
        """The dialog that *request* of the far end belongs to."""
        return self.dialog

    def acknowledged(self, ack: Request) -> None:
        """The ACK to a 2xx came in."""
        self.heard_at = self.seat.now
        self.voice.prove()
        with self.tasks.guarded("dealing with ACK", expected=(MessageError,)):
            self.session.acknowledged(ack)

    def acknowledge_provisional(self, server: ServerTransaction) -> None:
        """A PRACK came in (RFC 3262 section 3): no response of this call waits for one."""
        self.respond(server, 481)

    def agreed(self, dialog: Dialog, agreement: Agreement) -> None:
        """An offer of the far end in *dialog* was answered."""
        self.session.connect(agreement)

    def owes_answer(self, dialog: Dialog) -> bool:
        """Whether this end has not answered an offer of the far end in *dialog* yet."""
        return False

    def awaits_answer(self, dialog: Dialog) -> bool:
        """Whether an offer of this end in *dialog* waits for its answer."""
        return self.session.offering

    @property
    def ringing_dialogs(self) -> list[Dialog]:
        """The early dialogs of a call that rings at the far end, the newest last."""
        return []

    @property
    def unanswered(self) -> bool:
        """Whether the far end's first INVITE has no final response yet."""
        return False

    def said_bye(self, bye: Request) -> None:
        """A BYE came in, and is answered."""
        self.note_end_by(EndedBy.THEM, "the far end hung up", bye)
        self.far_end_hung_up()

    def far_end_hung_up(self) -> None:
        """A BYE came in."""
        self._end(ending.because(self.end, "the far end hung up"), CallEvent.BYE)

    def respond(
        self, server: ServerTransaction, status: int, extra: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """Answer a request of the dialog with *status*, the headers *extra* and the session *body*."""
        server.respond(self.response_to(server, status, extra, body))

    def answer_with(self, server: ServerTransaction, answer: Answer) -> None:
        """Answer a request of the dialog with *answer*."""
        server.respond(self.response_to(server, answer.status, answer.headers), answer.why)

    def response_to(
        self, server: ServerTransaction, status: int, extra: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Response:
        """The response that `respond` sends."""
        refreshes = server.request.method in ("INVITE", "UPDATE") and status < 300
        contact = self.channel.contact(server.flow) if refreshes else ""
        body = self.voice.as_told(body)
        return self.channel.identity.response(server.request, status, contact=contact, body=body, extra=extra)

    async def _terminate(
        self, reason: str, event: CallEvent = CallEvent.HANG_UP, by: EndedBy = EndedBy.US
    ) -> None:
        """End the dialog with a BYE, once the far end knows that it is up (section 15)."""
        if self._happened(event, reason):
            self.note_end(by, reason)
            await self._take_leave(reason)

    async def _take_leave(self, reason: str) -> None:
        await self.session.confirmed()
        await self._bye(reason)

    async def _bye(self, reason: str) -> None:
        """Send the BYE; the call is over when it is answered, or will not be (section 15.1.1)."""
        if self.state is CallState.ENDED or self.dialog is None:
            return
        end = self.note_end(EndedBy.US, reason)
        if barred := self._barred:
            end.detail = f"{end.detail}; no BYE was sent: {barred}"
            self._end(barred)
            return
        end.at, end.method = self.seat.now, "BYE"
        self.voice.close()  # whether or not it is answered (section 15.1.1)
        try:
            response = await self.channel.ask(self.dialog, "BYE")
        except RequestFailed as failure:
            ending.unanswered(end, ending.words(failure, self.seat.context.config.timers.t1))
        except asyncio.CancelledError:
            ending.unanswered(end, "the phone did not wait for it any longer")
            self._end(reason)
            raise
        else:
            self.heard_at = end.last_heard = self.seat.now
            ending.answered(end, response)
        self._end(end.detail if end.answered is False else reason)

    async def request_in_dialog(
        self,
        method: str,
        body: bytes = b"",
        content_type: str = "",
        *,
        extra: Iterable[tuple[str, str]] = (),
    ) -> Response | None:
        """Send a request in the dialog, with credentials when asked for them (C11: no failover)."""
        if self.dialog is None:
            raise CallError(f"the call is {self.state}, not up")
        if barred := self._barred:
            self._end(barred)
            return None
        failure = None
        try:
            response = await self.channel.ask(self.dialog, method, body, content_type, extra=extra)
            self.heard_at = self.seat.now
        except RequestFailed as error:
            response, failure = None, error
        if isinstance(failure, Moved):
            return None  # whether the far end is still there shows from the new address
        if response is None or response.status in (408, 481):
            # The far end knows nothing of the call any more (section 12.2.1.2).
            said = "no response" if response is None else words_of(response)
            by = ending.by_failure(failure, response)
            self.spawn(self._terminate(f"{said} to {method}", by=by), "BYE")
        return response

    @property
    def _barred(self) -> str:
        """Why nothing may be sent in the dialog (R9); empty where it may."""
        if self.servers.may_signal(self.channel.target):
            return ""
        return f"only_signal_with_registered = 1: {self.channel.target} is not the registered server"

    # -- the phone's address -------------------------------------------------------------------------------

    def moved(self, left: Collection[str], why: str) -> asyncio.Task[None] | None:
        """The phone has another address, and none of *left* any more; *why*, for people.

        Returns:
            Tells the far end of a call that is up; None where there is nothing to tell.
        """
        return self._relocation.moved(left, why)

    def stranded(self, why: str) -> None:
        """The phone has no address; *why*, for people. A call that is up waits for one, for 64*T1."""
        self._relocation.stranded(why)

    # -- the end -------------------------------------------------------------------------------------------

    def note_end(
        self, by: EndedBy, why: str, method: str | None = None, *, answered: bool | None = None
    ) -> Ended:
        """Note how the call ends: *by* whom, *why*, with which request. What is noted first stays."""
        if self.end is None:
            self.end = Ended(self.seat.now, by, why, method, answered, last_heard=self.last_heard)
        return self.end

    def note_end_by(self, by: EndedBy, why: str, message: Message) -> Ended:
        """The same, where *message* of the far end did it, which may say why itself (RFC 3326)."""
        method = message.method if isinstance(message, Request) else None
        known, end = self.end is not None, self.note_end(by, why, method, answered=True if method else None)
        if not known:
            ending.explained(end, message, why)
        return end

    # -- state ---------------------------------------------------------------------------------------------

    def came_to_nothing(self, reason: str) -> None:
        """Nothing can be said after the answer: the call has failed for *reason*, and ends with a BYE."""
        self._settle(CallResult.FAILED, reason, 200)
        self.session.give_up(reason)

    def came_up(self) -> None:
        """A late offer has its answer: nothing new to a call that is up."""

    def _settle(self, result: CallResult, reason: str, status: int | None = None) -> None:
        """The result is known."""
        if self.result is None:
            self.result, self.reason, self.status = result, reason, status
            self.settled_at = self.seat.now
            self._settled.set()

    def _happened(self, event: CallEvent, reason: str) -> bool:
        """Go where the table leads from here; False where *event* has no effect now.

        Args:
            event: what has happened.
            reason: for people.
        """
        step = TABLE.get(self.state, {}).get(event)
        if step is None:
            return False
        if self.state in UP and step.then not in UP:
            self.voice.cease()
        if step.then is CallState.ENDED:
            self.ended = self.seat.now
            self.note_end(EndedBy.US, reason)
        comes_up = self.state not in UP and step.then in UP
        self.state = step.then
        with contextlib.ExitStack() as then:  # each, whatever another one raises
            if comes_up:
                then.callback(self._line.up, self)
            for each in reversed(step.do):
                then.callback(self._do, each)
            self._tell(reason)
        return True

    def _do(self, what: Do) -> None:
        if what is Do.CLAIM:
            self.floor.claim(self)
        elif what is Do.LEAVE:
            with contextlib.ExitStack() as last:  # the last one first
                for usage in reversed(self.usages):
                    last.callback(usage.call_ended)
                last.callback(self._line.ended, self)
                last.callback(self.session.close)

    def _end(self, reason: str, event: CallEvent = CallEvent.OVER) -> None:
        """The call is over; also where it was so before."""
        self._relocation.cancel()
        try:
            self._happened(event, reason)
        finally:
            self._over.set()

    def _tell(self, reason: str) -> None:
        """Tell how the call stands."""
        self.seat.tell(
            CallChanged(
                at=self.seat.now,
                line=self.seat.number,
                call=self.id,
                direction=self.direction,
                state=self.state,
                remote=self.party,
                reason=reason,
                ended=self.end if self.state is CallState.ENDED else None,
                missed=self.missed,
            )
        )
        self.stands()

    def stands(self) -> None:
        """Something has changed that decides which tone is heard."""
        end = self.end
        self.progress.update(
            Standing(
                state=self.state,
                direction=self.direction,
                rings=self.rings,
                early=self.session.early,
                was_up=self.answered_at is not None,
                failed=self.result in (CallResult.REJECTED, CallResult.FAILED),
                status=self.status,
                hung_up=end is not None and end.by is EndedBy.THEM,
                another_talks=self.floor.another_talks(self),
            )
        )

    def meet(self, message: Request | Response) -> None:
        """Take over who is at the far end, where *message* says it."""
        party = connected_party(message, self.seat.account)
        if party and party != self.party:
            self.party = party
            self._tell(f"connected to {party}")

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run *work* beside the call; it ends with the phone at the latest."""
        return self.tasks.spawn(work, name)

    def fault(self, error: Exception) -> None:
        """What was done for this call raised *error*: nobody knows how it stands, so it ends."""
        reason = as_reason(error)
        first, self._faulted = not self._faulted, True
        ending = False
        try:
            ending = first and self._break_off(reason)
        finally:
            if not ending:
                self._settle(CallResult.FAILED, reason)
                self._end(reason)

    def _break_off(self, reason: str) -> bool:
        """End the call without waiting for it; False where there is nothing to wait for."""
        self._settle(CallResult.FAILED, reason)
        for usage in tuple(self.usages):
            usage.stop(reason)
        ending = self.state is CallState.ENDING and self.dialog is not None
        if ending or self.state in UP:  # where it was ending, once more: no BYE may have left
            work = self._bye(reason) if ending else self._terminate(reason, CallEvent.FAULT)
            self.spawn(work, "BYE")
            return True
        return False

    async def abandon(self, why: str = "the phone was stopped") -> None:
        """Stop at once, telling nobody; *why*, for people."""
        await self.tasks.stop(why)
        self._settle(CallResult.CANCELLED, why)
        for usage in tuple(self.usages):
            usage.stop(why)
        self._end(why)
        self.voice.close()  # again, where the call ended badly
