"""An incoming call: ringing, answering, refusing (RFC 3261 section 13.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phone_emulator.events import CallState, Direction
from phone_emulator.media import sdp
from phone_emulator.sip.dialog import dialog_of_request
from phone_emulator.sip.endpoint import ServerTransaction
from phone_emulator.sip.message import Response
from phone_emulator.world.base import TimerHandle

from .call import Call, CallError, CallResult
from .identity import Identity
from .voice import VoiceError

if TYPE_CHECKING:
    from .line import Line


AUTO_ANSWER_DELAY = 1.0
"""Seconds that a call rings before the phone takes it (``account.X.auto_answer``)."""


class IncomingCall(Call):
    """A call that somebody places to this phone."""

    direction = Direction.INCOMING

    def __init__(
        self, line: Line, call_id: str, remote: str, identity: Identity, server: ServerTransaction
    ) -> None:
        super().__init__(line, call_id, remote, identity)
        self._server = server
        self._tag = line.context.endpoint.new_tag()
        self._ringing: TimerHandle | None = None
        self.dialog = dialog_of_request(server.request, self._tag)
        self.channel.flow = server.flow
        server.on_cancel = self._cancelled

    def ring(self) -> None:
        """Answer 180 and ring, for ``phone_setting.ringing_timeout`` seconds."""
        assert self.dialog is not None
        self.line.confirm(self, self.dialog)
        unusable = self._unusable(self._server.request.body)
        if unusable:
            self._refuse(488, unusable)
            return
        self._server.respond(self._response(180))
        world, timeout = self.line.context.world, self.line.context.config.ringing_timeout
        self._ringing = world.call_at(world.now() + timeout, self._ring_out)
        self._change(CallState.RINGING, f"{self.remote} calls")
        others = any(each is not self for each in self.line.calls)
        if self.line.account.auto_answer and not others:
            world.call_at(world.now() + AUTO_ANSWER_DELAY, self._answer_by_itself)

    def answer(self) -> None:
        """Answer the call; raises CallError when it does not ring."""
        if self.state is not CallState.RINGING:
            raise CallError(f"the call is {self.state}, it does not ring")
        self._stop_ringing()
        self.answered_at = self.line.context.world.now()
        self._settle(CallResult.ANSWERED, "answered by this phone", 200)
        self._change(CallState.TALKING, "answered by this phone")
        self._confirm(self._accept(self._server.request.body))

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

    @property
    def unanswered(self) -> bool:
        """Whether the first INVITE has no final response yet."""
        return self._server.final is None

    def _far_end_hung_up(self) -> None:
        if self.unanswered:  # BYE in an early dialog: its INVITE is owed a 487 (section 15.1.2)
            self._refuse(487, "the caller hung up", CallResult.CANCELLED)
        else:
            super()._far_end_hung_up()

    def _unusable(self, offer: bytes) -> str:
        """Why *offer* cannot be answered; empty when it can."""
        try:
            fits = not offer or self.voice.answer(offer) is not None
        except sdp.SdpError as error:
            return f"the offer cannot be used: {error}"
        return "" if fits else "no common codec"

    async def _accept(self, offer: bytes) -> None:
        """Send the 200 with this end's description, and see to it that it arrives."""
        try:
            await self.voice.open()
        except VoiceError as error:
            self._server.respond(self._response(500))
            self._end(str(error))
            return
        if not self.unanswered:  # the caller hung up meanwhile
            self.voice.close()
            return
        if offer:
            body = self.voice.answer(offer) or b""
            self.voice.connect(offer, body, own=body)
        else:
            body = self.voice.offer()
        await self._accept_with(self._server, self._response(200, body), late_offer=b"" if offer else body)

    def _ring_out(self) -> None:
        config = self.line.context.config
        self._refuse(config.no_answer_code, f"not answered for {config.ringing_timeout} s")

    def _answer_by_itself(self) -> None:
        if self.state is CallState.RINGING:
            self.answer()

    def _stop_ringing(self) -> None:
        if self._ringing is not None:
            self._ringing.cancel()
            self._ringing = None

    def _end(self, reason: str) -> None:
        self._stop_ringing()
        super()._end(reason)

    def _cancelled(self) -> None:
        if self.unanswered:
            self._refuse(487, "the caller hung up", CallResult.CANCELLED)

    def _refuse(self, status: int, reason: str, result: CallResult = CallResult.REJECTED) -> None:
        self._server.respond(self._response(status))
        self._settle(result, reason, status)
        self._end(reason)

    def _response(self, status: int, body: bytes = b"") -> Response:
        """A response in the phone's own header order."""
        flow = self._server.flow
        contact = self.channel.identity.contact(flow.local, flow.transport) if status < 300 else ""
        return self.channel.identity.response(
            self._server.request, status, to_tag=self._tag, contact=contact, body=body
        )
