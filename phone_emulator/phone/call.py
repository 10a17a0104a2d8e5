"""A call, in either direction: its state, its dialog, what both ends may do once it is up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from phone_emulator.events import (
    Attempt,
    CallChanged,
    CallState,
    Direction,
)
from phone_emulator.media import dtmf, sdp
from phone_emulator.sip.dialog import Dialog
from phone_emulator.sip.endpoint import ServerTransaction
from phone_emulator.sip.message import Request, Response

from .acceptance import Acceptance
from .channel import Channel
from .identity import Identity
from .voice import Voice, VoiceError

if TYPE_CHECKING:
    from .line import Line


MAX_GLARES = 5
"""How often a re-INVITE is tried that the far end answers with 491."""


class CallResult(StrEnum):
    """What became of a call."""

    ANSWERED = "answered"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"


class CallError(Exception):
    """The call cannot do that now; the text says why, for people."""


class Call:
    """What outgoing and incoming calls share.

    Args:
        line: the line that it is on.
        call_id: the id that people and scenarios know it by (not the SIP Call-ID).
        remote: the number or URI at the far end.
        identity: how the line names itself in this call.
    """

    direction: Direction

    def __init__(self, line: Line, call_id: str, remote: str, identity: Identity) -> None:
        self.line = line
        self.id = call_id
        self.remote = remote
        self.channel = Channel(line, identity)
        self.state = CallState.CALLING
        self.result: CallResult | None = None
        self.status: int | None = None
        self.reason = ""
        self.route: list[Attempt] = []
        self.started = line.context.world.now()
        self.answered_at: float | None = None
        self.settled_at: float | None = None
        """When the result was known."""
        self.ended: float | None = None
        self.dialog: Dialog | None = None
        self.held = False
        self.voice = Voice(line.context, line.account)
        self._settled = asyncio.Event()
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._confirming: set[asyncio.Task[None]] = set()
        """INVITEs of the far end that are accepted but not yet acknowledged."""
        self._acceptances: dict[int, Acceptance] = {}
        """The same by CSeq number, while their 2xx is repeated."""
        self._changing = asyncio.Lock()
        """Held while this end changes the session."""
        self._inviting = False
        """Whether a re-INVITE of this end waits for its final response."""

    # -- what people see -----------------------------------------------------------------------------------

    @property
    def via(self) -> str | None:
        """The role of the target that answered."""
        return self.route[-1].target.role if self.route and self.result is CallResult.ANSWERED else None

    @property
    def elapsed(self) -> float:
        """Seconds from dialling to the result, or to now."""
        end = self.settled_at if self.settled_at is not None else self.line.context.world.now()
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

    async def hang_up(self) -> None:
        """End the call, in any state; returns when the far end has answered the BYE, or none is owed."""
        await self._terminate("hung up")

    async def hold(self) -> None:
        """Put the far end on hold (``sip.rfc2543_hold`` aside, by direction attribute); raises CallError."""
        await self._offer_again("sendonly", CallState.HELD, "held by this phone")
        self.held = True

    async def resume(self) -> None:
        """Take the far end back; raises CallError."""
        await self._offer_again("sendrecv", CallState.TALKING, "resumed")
        self.held = False

    async def send_dtmf(self, digits: str) -> None:
        """Send *digits* as ``account.X.dtmf.type`` says: RTP events, INFO, or both; raises CallError."""
        if self.state is not CallState.TALKING:
            raise CallError(f"the call is {self.state}: no digits can be sent")
        account, config = self.line.account, self.line.context.config
        if account.dtmf_type in (2, 3):
            for digit in digits:
                content_type, body = dtmf.info_body(digit, config.dtmf_duration, account.dtmf_info_type)
                response = await self._request_in_dialog("INFO", body, content_type)
                if response is None or response.status >= 300:
                    said = "no response" if response is None else f"{response.status} {response.reason}"
                    raise CallError(f"the far end refused the digit {digit}: {said}")
        if account.dtmf_type != 2:
            try:
                await self.voice.send_digits(digits)
            except VoiceError as error:
                raise CallError(str(error)) from None

    # -- in the dialog -------------------------------------------------------------------------------------

    def receive(self, server: ServerTransaction) -> None:
        """A request came in within the dialog."""
        request = server.request
        assert self.dialog is not None
        if not self.dialog.accept_cseq(request):
            self._respond(server, 500)
            return
        match request.method:
            case "BYE":
                self._respond(server, 200)
                self._far_end_hung_up()
            case "INVITE" | "UPDATE":
                self._answer_again(server)
            case "INFO" | "OPTIONS" | "NOTIFY" | "MESSAGE":
                self._respond(server, 200)
            case _:
                self._respond(server, 501)

    def acknowledged(self, ack: Request) -> None:
        """The ACK to a 2xx came in; after a late offer it carries the answer."""
        acceptance = self._acceptances.get(ack.cseq.number)
        if acceptance is None or acceptance.over:
            return
        acceptance.stop()
        if ack.body and acceptance.offer:
            self.voice.connect(ack.body, ack.body, own=acceptance.offer)

    @property
    def unanswered(self) -> bool:
        """Whether the far end's first INVITE has no final response yet."""
        return False

    def _far_end_hung_up(self) -> None:
        self._end("the far end hung up")

    def _respond(
        self, server: ServerTransaction, status: int, extra: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        server.respond(self._response_to(server, status, extra, body))

    def _response_to(
        self, server: ServerTransaction, status: int, extra: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Response:
        refreshes = server.request.method in ("INVITE", "UPDATE") and status < 300
        contact = self.channel.identity.contact(server.flow.local, server.flow.transport) if refreshes else ""
        return self.channel.identity.response(server.request, status, contact=contact, body=body, extra=extra)

    def _answer_again(self, server: ServerTransaction) -> None:
        """Answer a re-INVITE or an UPDATE (RFC 3261 section 14.2, RFC 3311)."""
        assert self.dialog is not None
        request = server.request
        if self.unanswered:
            # One offer at a time: the caller is to come again when the first INVITE is answered.
            wait = self.line.context.world.random.randrange(11)
            self._respond(server, 500, [("Retry-After", str(wait))])
            return
        if self.state is CallState.ENDING:
            self._respond(server, 481)
            return
        if self._inviting or any(each.offer and not each.over for each in self._acceptances.values()):
            self._respond(server, 491)
            return
        target = self.dialog.target_of(request)
        body = late_offer = b""
        if request.body:
            try:
                answered = self.voice.answer(request.body, again=True, held=self.held)
            except sdp.SdpError:
                answered = None
            if answered is None:
                self._respond(server, 488)
                return
            body = answered
            self.voice.connect(request.body, body, own=body)
        elif request.method == "INVITE":
            body = late_offer = self.voice.offer("sendonly" if self.held else "sendrecv", again=True)
        self.dialog.remote_target = target
        response = self._response_to(server, 200, body=body)
        if request.method == "INVITE":
            self._confirm(self._accept_with(server, response, late_offer=late_offer))
        else:
            server.respond(response)

    def _confirm(self, accepting: Coroutine[Any, Any, None]) -> None:
        task = self._spawn(accepting, "200")
        self._confirming.add(task)
        task.add_done_callback(self._confirming.discard)

    async def _accept_with(self, server: ServerTransaction, response: Response, *, late_offer: bytes) -> None:
        """Send a 2xx to an INVITE and see to it that it arrives; the call ends where it does not."""
        number = server.request.cseq.number
        timers = self.line.context.config.timers
        acceptance = self._acceptances[number] = Acceptance(server, timers, late_offer)
        arrived = await acceptance.run(response)
        if self._acceptances.get(number) is acceptance:  # else another INVITE came with the same number
            del self._acceptances[number]
        if not arrived:
            await self._terminate(f"no ACK within 64*T1 = {64 * timers.t1:.1f} s")

    async def _confirmed(self) -> None:
        """Wait until the far end has acknowledged what it is owed a 2xx for."""
        waited_for = self._confirming - {asyncio.current_task()}
        if waited_for:
            await asyncio.wait(waited_for)

    async def _offer_again(self, direction: str, state: CallState, reason: str) -> None:
        async with self._changing:
            for _ in range(MAX_GLARES):
                await self._confirmed()  # while an INVITE of the far end goes on, none is sent (section 14.1)
                if self.state not in (CallState.TALKING, CallState.HELD):
                    raise CallError(f"the call is {self.state}, not up")
                offer = self.voice.offer(direction, again=True)
                self._inviting = True
                try:
                    response = await self._request_in_dialog("INVITE", offer, "application/sdp")
                finally:
                    self._inviting = False
                if response is None or response.status != 491:
                    break
                await asyncio.sleep(self._glare_pause())
            if response is None or response.status >= 300:
                said = "no response" if response is None else f"{response.status} {response.reason}"
                raise CallError(f"the far end refused: {said}")
            self.voice.connect(response.body, response.body, own=offer)
            if self.state in (CallState.TALKING, CallState.HELD):
                self._change(state, reason)

    def _glare_pause(self) -> float:
        """Seconds until the next try after a 491: the end that made the Call-ID waits longer (14.1)."""
        first, last = (210, 400) if self.direction is Direction.OUTGOING else (0, 200)
        return self.line.context.world.random.randint(first, last) / 100

    async def _terminate(self, reason: str) -> None:
        """End the dialog with a BYE, once the far end knows that it is up (section 15)."""
        if self.state in (CallState.ENDED, CallState.ENDING):
            return
        self._change(CallState.ENDING, reason)
        await self._confirmed()
        await self._bye(reason)

    async def _bye(self, reason: str) -> None:
        if self.state is CallState.ENDED:
            return
        try:
            await self._request_in_dialog("BYE")
        finally:
            self._end(reason)

    async def _request_in_dialog(
        self, method: str, body: bytes = b"", content_type: str = ""
    ) -> Response | None:
        """Send a request in the dialog, with credentials when asked for them (C11: no failover)."""
        if self.dialog is None:
            raise CallError(f"the call is {self.state}, not up")
        if not self.line.may_signal(self.channel.target):
            self._end(f"only_signal_with_registered = 1: {self.channel.target} is not the registered server")
            return None
        response = await self.channel.converse(self.dialog, method, body, content_type)
        if method != "BYE" and (response is None or response.status in (408, 481)):
            # The far end knows nothing of the call any more (section 12.2.1.2).
            said = "no response" if response is None else f"{response.status} {response.reason}"
            self._spawn(self._terminate(f"{said} to {method}"), "BYE")
        return response

    # -- state ---------------------------------------------------------------------------------------------

    def _settle(self, result: CallResult, reason: str, status: int | None = None) -> None:
        """The result is known."""
        if self.result is None:
            self.result, self.reason, self.status = result, reason, status
            self.settled_at = self.line.context.world.now()
            self._settled.set()

    def _end(self, reason: str) -> None:
        """The call is over."""
        if self.state is not CallState.ENDED:
            self.ended = self.line.context.world.now()
            for acceptance in self._acceptances.values():
                acceptance.stop()
            self._change(CallState.ENDED, reason)
            self.voice.close()
            self.line.call_ended(self)
        self._over.set()

    def _change(self, state: CallState, reason: str) -> None:
        self.state = state
        self.line.context.bus.tell(
            CallChanged(
                at=self.line.context.world.now(),
                line=self.line.number,
                call=self.id,
                direction=self.direction,
                state=state,
                remote=self.remote,
                reason=reason,
            )
        )

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run *work* beside the call; it ends with the phone at the latest."""
        task = asyncio.create_task(work, name=f"{name} of call {self.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def abandon(self) -> None:
        """Stop at once, telling nobody."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._settle(CallResult.CANCELLED, "the phone was stopped")
        self._end("the phone was stopped")
