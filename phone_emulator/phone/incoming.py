"""An incoming call: ringing, answering, refusing (RFC 3261 section 13.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from phone_emulator.events import CallState, Direction
from phone_emulator.media import sdp
from phone_emulator.sip.dialog import dialog_of_request
from phone_emulator.sip.endpoint import ServerTransaction
from phone_emulator.sip.message import Request, Response, response_to

from .call import Call, CallError, CallResult
from .identity import ALLOW, ALLOW_EVENTS, Identity
from .voice import VoiceError

if TYPE_CHECKING:
    from .line import Line


class IncomingCall(Call):
    """A call that somebody places to this phone."""

    direction = Direction.INCOMING

    def __init__(
        self, line: Line, call_id: str, remote: str, identity: Identity, server: ServerTransaction
    ) -> None:
        super().__init__(line, call_id, remote, identity)
        self._server = server
        self._tag = line.context.endpoint.new_tag()
        self._acknowledged = asyncio.Event()
        self._late_offer = b""
        """This end's offer, where the INVITE had none."""
        self.dialog = dialog_of_request(server.request, self._tag)
        self.flow = server.flow
        server.on_cancel = self._cancelled

    def ring(self) -> None:
        """Answer 180 and ring, for ``phone_setting.ringing_timeout`` seconds."""
        assert self.dialog is not None
        self.line.confirm(self, self.dialog)
        self._server.respond(self._response(180))
        self._change(CallState.RINGING, f"{self.remote} calls")
        self._spawn(self._ring_out(), "ringing timeout")

    def answer(self) -> None:
        """Answer the call; raises CallError when it does not ring or no codec fits."""
        if self.state is not CallState.RINGING:
            raise CallError(f"the call is {self.state}, it does not ring")
        request = self._server.request
        try:
            fits = not request.body or self.voice.answer(request.body) is not None
        except sdp.SdpError as error:
            self._refuse(488, f"the offer cannot be used: {error}")
            raise CallError(self.reason) from None
        if not fits:
            self._refuse(488, "no common codec")
            raise CallError(self.reason)
        self.answered_at = self.line.context.world.now()
        self._settle(CallResult.ANSWERED, "answered by this phone", 200)
        self._change(CallState.TALKING, "answered by this phone")
        self._spawn(self._accept(request.body), "200")

    def reject(self, status: int | None = None) -> None:
        """Refuse the call (``features.normal_refuse_code``); raises CallError when it does not ring."""
        if self.state is not CallState.RINGING:
            raise CallError(f"the call is {self.state}, it does not ring")
        self._refuse(status or self.line.context.config.normal_refuse_code, "rejected by this phone")

    async def hang_up(self) -> None:
        """End the call; a ringing one is refused."""
        if self.state is CallState.RINGING:
            self.reject()
        else:
            await super().hang_up()

    def acknowledged(self, ack: Request) -> None:
        """The ACK to the 200 came in; after a late offer it carries the answer."""
        self._acknowledged.set()
        if ack.body and self._late_offer:
            self.voice.connect(ack.body, ack.body, own=self._late_offer)

    async def _accept(self, offer: bytes) -> None:
        """Send the 200 with this end's description, and see to it that it arrives."""
        try:
            await self.voice.open()
        except VoiceError as error:
            self._server.respond(self._response(500))
            self._end(str(error))
            return
        if offer:
            body = self.voice.answer(offer) or b""
            self.voice.connect(offer, body, own=body)
        else:
            body = self._late_offer = self.voice.offer()
        await self._repeat_until_acknowledged(self._response(200, body))

    async def _repeat_until_acknowledged(self, response: Response) -> None:
        """Repeat the 200 until its ACK comes, for 64*T1 at most (RFC 3261 section 13.3.1.4)."""
        timers = self.line.context.config.timers
        self._server.respond(response)
        interval, waited = timers.t1, 0.0
        while waited < 64 * timers.t1:
            try:
                async with asyncio.timeout(interval):
                    await self._acknowledged.wait()
                return
            except TimeoutError:
                waited += interval
                interval = min(2 * interval, timers.t2, 64 * timers.t1 - waited)
                if waited < 64 * timers.t1:
                    self._server.respond(response)
        if self.state is not CallState.ENDED:
            self.reason = f"no ACK within 64*T1 = {64 * timers.t1:.1f} s"
            await super().hang_up()

    async def _ring_out(self) -> None:
        config = self.line.context.config
        await asyncio.sleep(config.ringing_timeout)
        if self.state is CallState.RINGING:
            self._refuse(config.no_answer_code, f"not answered for {config.ringing_timeout} s")

    def _cancelled(self) -> None:
        if self.state is CallState.RINGING:
            self._refuse(487, "the caller hung up", CallResult.CANCELLED)

    def _refuse(self, status: int, reason: str, result: CallResult = CallResult.REJECTED) -> None:
        self._server.respond(self._response(status))
        self._settle(result, reason, status)
        self._end(reason)

    def _response(self, status: int, body: bytes = b"") -> Response:
        """A response in the phone's own header order."""
        flow = self._server.flow
        extra = []
        if status < 300:
            extra.append(("Contact", self.identity.contact(flow.local, flow.transport)))
        if body:
            extra.append(("Content-Type", "application/sdp"))
        if status < 300:
            extra.append(("Allow", ALLOW))
        extra.append(("User-Agent", self.identity.user_agent))
        if status < 300:
            extra.append(("Allow-Events", ALLOW_EVENTS))
        return response_to(self._server.request, status, to_tag=self._tag, extra=extra, body=body)
