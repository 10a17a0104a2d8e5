"""A call, in either direction: its state, its dialog, what both ends may do once it is up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sipmessage

from phone_emulator.config.model import TransportType
from phone_emulator.dns import Unresolved
from phone_emulator.events import Address, Attempt, CallChanged, CallState, Direction, Target, Transport
from phone_emulator.media import dtmf, sdp
from phone_emulator.redundancy import Hop
from phone_emulator.sip import digest, values
from phone_emulator.sip.dialog import Dialog
from phone_emulator.sip.endpoint import RequestFailed, ServerTransaction
from phone_emulator.sip.message import Request, Response, response_to
from phone_emulator.sip.transport import Flow

from .identity import Identity, with_authorization
from .voice import Voice, VoiceError

if TYPE_CHECKING:
    from .line import Line


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
        self.identity = identity
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
        self.flow: Flow | None = None
        """Where the dialog's first exchange went."""
        self.target: Target | None = None
        """The server that the dialog was set up through."""
        self.held = False
        self.voice = Voice(line.context, line.account)
        self._settled = asyncio.Event()
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

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
        if self.state in (CallState.ENDED, CallState.ENDING):
            return
        self._change(CallState.ENDING, "hung up")
        await self._bye()

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
            server.respond(response_to(request, 500, extra=[("Retry-After", "0")]))
            return
        match request.method:
            case "BYE":
                server.respond(response_to(request, 200))
                self._end("the far end hung up")
            case "INVITE" | "UPDATE":
                self._answer_again(server)
            case "INFO" | "OPTIONS" | "NOTIFY" | "MESSAGE":
                server.respond(response_to(request, 200))
            case _:
                server.respond(response_to(request, 501))

    def acknowledged(self, ack: Request) -> None:
        """An ACK to a 2xx came in."""

    def _answer_again(self, server: ServerTransaction) -> None:
        """Answer a re-INVITE or an UPDATE (RFC 3261 section 14.2, RFC 3311)."""
        assert self.dialog is not None
        request = server.request
        self.dialog.refresh_target(request)
        body = b""
        if request.body:
            try:
                answered = self.voice.answer(request.body)
            except sdp.SdpError:
                answered = None
            if answered is None:
                server.respond(response_to(request, 488))
                return
            body = answered
            self.voice.connect(request.body, body, own=body)
        elif request.method == "INVITE":
            body = self.voice.offer("sendonly" if self.held else "sendrecv", again=True)
        extra = [("Contact", self.identity.contact(server.flow.local, server.flow.transport))]
        if body:
            extra.append(("Content-Type", "application/sdp"))
        server.respond(response_to(request, 200, extra=extra, body=body))

    async def _offer_again(self, direction: str, state: CallState, reason: str) -> None:
        if self.state not in (CallState.TALKING, CallState.HELD):
            raise CallError(f"the call is {self.state}, not up")
        offer = self.voice.offer(direction, again=True)
        response = await self._request_in_dialog("INVITE", offer, "application/sdp")
        if response is None or response.status >= 300:
            said = "no response" if response is None else f"{response.status} {response.reason}"
            raise CallError(f"the far end refused: {said}")
        self.voice.connect(response.body, response.body, own=offer)
        self._change(state, reason)

    async def _bye(self) -> None:
        try:
            await self._request_in_dialog("BYE")
        finally:
            self._end("hung up")

    async def _request_in_dialog(
        self, method: str, body: bytes = b"", content_type: str = ""
    ) -> Response | None:
        """Send a request in the dialog, with credentials when asked for them (C11: no failover)."""
        if self.dialog is None:
            raise CallError(f"the call is {self.state}, not up")
        if not self.line.may_signal(self.target):
            self._end(f"only_signal_with_registered = 1: {self.target} is not the registered server")
            return None
        endpoint = self.line.context.endpoint
        authorization: tuple[str, str] | None = None
        for _ in range(2):
            flow = await self._dialog_flow()
            if flow is None:
                return None
            contact = self.identity.contact(flow.local, flow.transport)
            request = self.identity.in_dialog(
                self.dialog, method, contact, body=body, content_type=content_type
            )
            if authorization is not None:
                with_authorization(request, *authorization)
            client = endpoint.request(request, flow, rport=self.line.account.rport)
            try:
                response = await client.final()
            except RequestFailed:
                return None
            if method == "INVITE" and response.status < 300:
                self.dialog.refresh_target(response)
                self._acknowledge(self.dialog, flow)
            if response.status not in (401, 407) or authorization is not None:
                return response
            authorization = self._credentials(request, response)
            if authorization is None:
                return response
        return response

    def _credentials(self, request: Request, response: Response) -> tuple[str, str] | None:
        challenge = digest.choose(digest.challenges(response))
        account = self.line.account
        if challenge is None or not account.password:
            return None
        cnonce = f"{self.line.context.world.random.getrandbits(32):08x}"
        value = digest.Session(challenge).authorize(
            request.method, request.uri, account.digest_user, account.password.reveal(), cnonce, request.body
        )
        return digest.header_name(challenge), value

    def _acknowledge(self, dialog: Dialog, flow: Flow) -> Request:
        ack = self.identity.in_dialog(dialog, "ACK", self.identity.contact(flow.local, flow.transport))
        self.line.context.endpoint.send_ack(ack, flow, rport=self.line.account.rport)
        return ack

    async def _dialog_flow(self, dialog: Dialog | None = None) -> Flow | None:
        """The way to the dialog's next hop (RFC 3261 section 12.2.1.1); None when there is none."""
        dialog = dialog or self.dialog
        assert dialog is not None
        try:
            uri = values.uri(dialog.next_hop())
        except ValueError:
            return self.flow
        transport = _uri_transport(uri)
        host = uri.host.strip("[]")
        if self.flow is not None and (
            host == self.identity.server.address or _same(self.flow, host, uri, transport)
        ):
            return self.flow
        types = {
            Transport.UDP: TransportType.UDP,
            Transport.TCP: TransportType.TCP,
            Transport.TLS: TransportType.TLS,
        }
        server = self.identity.server
        hop = Hop(server.number, host, uri.port or 0, types[transport], server.failover, server)
        try:
            targets = await self.line.locate_elsewhere(hop)
            return await self.line.exchange.flow_to(targets[0], 64 * self.line.context.config.timers.t1, "")
        except (Unresolved, RequestFailed):
            return None

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


def _uri_transport(uri: sipmessage.URI) -> Transport:
    """The transport that a SIP URI asks for (RFC 3263 section 4.1)."""
    if uri.scheme == "sips":
        return Transport.TLS
    named = (uri.parameters.get("transport") or "udp").lower()
    return Transport(named) if named in ("udp", "tcp", "tls") else Transport.UDP


def _same(flow: Flow, host: str, uri: sipmessage.URI, transport: Transport) -> bool:
    port = uri.port or transport.default_port
    return flow.remote == Address(host, port) and flow.transport is transport
