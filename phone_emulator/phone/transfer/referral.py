"""The far end transfers this phone: a REFER that comes in, and the call that it leads to (RFC 3515).

Theory of operation: a REFER is answered 202 and makes a subscription in its dialog. The phone calls whom it
names, as if the user had dialled (the walk along the servers is the same), and NOTIFYs tell the sender how
that goes: 100 at once, then the status of the new call, the last one with ``terminated`` (section 2.4.5).
What becomes of the call that the REFER came in is up to its sender, who ends it with a BYE.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from phone_emulator.events import CallChanged, CallState, Event, TransferChanged, TransferRole, TransferState
from phone_emulator.phone.calls.call import Call
from phone_emulator.phone.calls.outgoing import OutgoingCall
from phone_emulator.phone.dialling.channel import Channel
from phone_emulator.phone.dialling.number import why_undialable
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire.event_package import event_id, event_of, expires_of
from phone_emulator.phone.wire.known import Sources
from phone_emulator.sip import refer
from phone_emulator.sip.dialog import Dialog, dialog_of_request
from phone_emulator.sip.headers import key_of
from phone_emulator.sip.message import Headers, MessageError, Request
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.sip.uri_request import UriRequest
from phone_emulator.world.faults import as_reason

MAX_REFERRALS = 4
"""REFERs that one dialog may have going on at a time."""
MAX_CALLS = 100
"""Live calls of a line beyond which no REFER makes another one, and REFERs that a line may have going on: one
goes on after its call where the sender does not answer the NOTIFYs."""
MAX_REFERRED_BY = 1024
"""Characters of a Referred-By that are passed on; a longer one is left out."""
LEASE = 600
"""Seconds that the subscription lasts: longer than any call takes to be answered or refused."""


class Dial(Protocol):
    """Places a call, as if the user had dialled it; raises CallError."""

    def __call__(
        self, number: str, line: int, *, headers: Sequence[tuple[str, str]], beside: Call | None = None
    ) -> OutgoingCall:
        """Call *number* from *line*; the INVITE carries *headers* too, and *beside* is not held for it."""


class Referral:
    """One REFER that this phone follows.

    Args:
        dial: places the call that is asked for.
        channel: how its sender is reached.
        dialog: that it came in, or that it made.
        request: the REFER, whose Refer-To can be followed.
        call: the call that it came in; None where it came outside of calls.
        numbered: whether its NOTIFYs tell which REFER they are about: all but the first of a dialog must.
    """

    def __init__(
        self,
        dial: Dial,
        channel: Channel,
        dialog: Dialog,
        request: Request,
        call: Call | None,
        *,
        numbered: bool,
    ) -> None:
        self._dial = dial
        self._channel = channel
        self._dialog = dialog
        self._call = call
        self._refer_to = target_of(request)
        self._referred_by = request.headers.get("Referred-By") or ""
        self.number = request.cseq.number
        number = str(self.number)
        self._event = f"refer;id={number}" if numbered else "refer"
        self._ids = {number} if numbered else {"", number}
        self._status = 100
        """Of the new call, as it was told last."""
        self._statuses: asyncio.Queue[int] = asyncio.Queue()
        self._ends_at = channel.seat.now + LEASE

    async def follow(self) -> None:
        """Place the call, and tell the sender of the REFER how it goes."""
        seat = self._channel.seat
        ignored = self._refer_to.passed_over
        but = f", and for {ignored} in the INVITE, which it does not get" if ignored else ""
        self._tell(TransferState.STARTED, f"the far end asks to call {self._refer_to.uri}{but}")
        call = self._dial(self._refer_to.uri, seat.number, headers=self._headers(), beside=self._call)
        self._statuses.put_nowait(self._status)

        def ringing(event: Event) -> None:
            if isinstance(event, CallChanged) and event.call == call.id and event.state is CallState.RINGING:
                unsubscribe()  # once is enough
                self._statuses.put_nowait(180)

        unsubscribe = seat.context.bus.subscribe(ringing)
        settled = seat.tasks.spawn(
            self._settle(call),
            f"the end of the referred {call.id}",
            on_fault=lambda _: self._statuses.put_nowait(500),
        )
        try:
            while await self._notify(await self._statuses.get()):
                pass
            await settled
        finally:
            unsubscribe()
            settled.cancel()

    def failed(self, error: Exception) -> None:
        """Following it raised *error*."""
        self._tell(TransferState.FAILED, as_reason(error))

    def over(self) -> None:
        """Nobody follows it any more."""
        if self._call is not None:
            self._call.usages.remove(self)
        else:
            self._channel.seat.dialogs.release(self._dialog)

    @property
    def sources(self) -> Sources:
        """Where messages of its dialogs may come from."""
        return self._channel.sources

    def receive(self, server: ServerTransaction) -> None:
        """A request came in within a dialog that a REFER outside of calls has made."""
        if not self._dialog.accept_cseq(server.request):
            server.respond(self._channel.identity.response(server.request, 500))
        elif not self.take(server):
            server.respond(self._channel.identity.response(server.request, 481))

    def acknowledged(self, ack: Request) -> None:
        """An ACK came in; a subscription has no use for one."""

    def call_ended(self) -> None:
        """Its sender may still be told how the new call goes."""

    def stop(self, reason: str) -> None:
        """Whoever follows it ends with the line."""

    def take(self, server: ServerTransaction) -> bool:
        """A SUBSCRIBE prolongs the subscription, or ends it (RFC 6665 section 4.2.1); False where it is
        for another one.

        Raises MessageError for an Expires that is no number.
        """
        request = server.request
        if (request.method, event_of(request)) != ("SUBSCRIBE", "refer") or event_id(
            request
        ) not in self._ids:
            return False
        ends = expires_of(request, LEASE) == 0
        self._channel.refresh(self._dialog, request, server.source.host)
        self._ends_at = self._channel.seat.now + (0 if ends else LEASE)
        flow = server.flow
        identity = self._channel.identity
        contact = identity.contact(flow.local, flow.transport)
        extra = [("Expires", "0" if ends else str(LEASE))]
        server.respond(identity.response(request, 200, contact=contact, extra=extra))
        if self._statuses.empty():  # else something is about to be told anyway
            self._statuses.put_nowait(self._status)
        return True

    async def _settle(self, call: OutgoingCall) -> None:
        await call.settled()
        status = final_status(call)
        if status < 300:
            self._tell(TransferState.DONE, f"{self._refer_to.uri} answered")
        else:
            self._tell(TransferState.FAILED, f"{self._refer_to.uri} could not be reached: {status}")
        self._statuses.put_nowait(status)

    async def _notify(self, status: int) -> bool:
        """Tell how far the call is; whether there is more to tell, to somebody who listens."""
        self._status = status
        left = self._ends_at - self._channel.seat.now
        if status >= 200:
            state = "terminated;reason=noresource"
        elif left <= 0:
            state = "terminated;reason=timeout"
        else:
            state = f"active;expires={int(left)}"
        response = await self._channel.converse(
            self._dialog,
            "NOTIFY",
            refer.sipfrag(status),
            refer.SIPFRAG_2_0,
            extra=[("Subscription-State", state), ("Event", self._event)],
        )
        return response is not None and response.status < 300 and state.startswith("active")

    def _headers(self) -> list[tuple[str, str]]:
        """What the INVITE carries because it was asked for (RFC 3892 section 2.2, RFC 3891 section 5)."""
        headers = dict(self._refer_to.taken)
        if 0 < len(self._referred_by) <= MAX_REFERRED_BY:
            headers = {name: value for name, value in headers.items() if key_of(name) != "referred-by"}
            headers["Referred-By"] = self._referred_by
        return list(headers.items())

    def _tell(self, state: TransferState, reason: str) -> None:
        seat = self._channel.seat
        seat.tell(
            TransferChanged(
                at=seat.now,
                line=seat.number,
                call=self._call.id if self._call is not None else None,
                role=TransferRole.TRANSFEREE,
                state=state,
                to=self._refer_to.uri,
                reason=reason,
            )
        )


def target_of(request: Request) -> UriRequest:
    """Whom a REFER asks to call; raises MessageError where it cannot be followed.

    400: not exactly one Refer-To, or one that cannot be read; 416: its scheme is unknown here; 603: it asks
    for something else than a call.
    """
    given = request.headers.values("Refer-To")
    if len(given) != 1:
        raise MessageError("a REFER has exactly one Refer-To")
    found = refer.parse_refer_to(given[0])
    if found.method != "INVITE":
        raise MessageError(f"Refer-To: this phone makes calls for others, it sends no {found.method}", 603)
    refer.replaces_of(Headers(found.headers))
    if wrong := why_undialable(found.uri):
        raise MessageError(f"Refer-To: {wrong}")
    return found


class Referrals:
    """The REFERs that one phone follows.

    Args:
        dial: places a call.
    """

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._followed: Counter[int] = Counter()
        """How many each line follows."""

    def in_dialog(self, call: Call, server: ServerTransaction) -> None:
        """A REFER came in within a dialog of *call*; raises MessageError where it cannot be followed."""
        if call.dialog is None or call.state not in (CallState.TALKING, CallState.HELD):
            call.respond(server, 481 if call.state is CallState.ENDING else 603)
            return
        _ = target_of(server.request)
        if not (call.sources.founded or server.source.host in call.seat.known):
            raise MessageError("a stranger asks: who is called would hear this phone's name", 603)
        if len(followed(call)) >= MAX_REFERRALS:
            raise MessageError(f"{MAX_REFERRALS} REFERs of this call go on already", 486)
        self._check_room(call.seat)
        call.channel.refresh(call.dialog, server.request, server.source.host)
        referral = Referral(
            self._dial, call.channel, call.dialog, server.request, call, numbered=call.was_referred
        )
        call.was_referred = True
        call.usages.append(referral)
        self._accept(referral, call.channel, server)

    def outside(self, seat: Seat, server: ServerTransaction, *, known: bool) -> None:
        """A REFER for the line of *seat* came in outside of dialogs.

        Only the line's own servers may have the phone call somebody: others draw 603.

        Args:
            seat: of the line.
            server: the REFER.
            known: whether it came from one of the line's servers.

        Raises:
            MessageError: it cannot be followed.
        """
        request, context = server.request, seat.context
        _ = target_of(request)
        if not known:
            raise MessageError("a REFER outside of calls is taken from the line's own servers only", 603)
        self._check_room(seat)
        channel = Channel(seat, context.identity(seat.account, seat.account.servers[0]))
        dialog = dialog_of_request(request, context.endpoint.new_tag())
        channel.begin(server, dialog)
        referral = Referral(self._dial, channel, dialog, request, None, numbered=False)
        seat.dialogs.confirm(referral, dialog)
        self._accept(referral, channel, server, to_tag=dialog.local_tag)

    def _check_room(self, seat: Seat) -> None:
        """Raise MessageError where the line of *seat* can follow no further REFER."""
        if len(seat.calls) >= MAX_CALLS:
            raise MessageError("the line has as many calls as it can hold", 486)
        if self._followed[seat.number] >= MAX_CALLS:
            raise MessageError("the line follows as many REFERs as it can", 486)

    def _accept(
        self, referral: Referral, channel: Channel, server: ServerTransaction, to_tag: str | None = None
    ) -> None:
        seat = channel.seat
        contact = channel.identity.contact(server.flow.local, server.flow.transport)
        self._followed[seat.number] += 1
        server.respond(channel.identity.response(server.request, 202, to_tag=to_tag, contact=contact))
        name = f"following REFER {referral.number}"
        following = seat.tasks.spawn(referral.follow(), name, on_fault=referral.failed)

        def over(_: object) -> None:  # also where it is stopped before it begins
            self._followed[seat.number] -= 1
            referral.over()

        following.add_done_callback(over)


def followed(call: Call) -> list[Referral]:
    """The REFERs of *call*'s far end that this phone follows."""
    return [usage for usage in call.usages if isinstance(usage, Referral)]


def final_status(call: Call) -> int:
    """The status that tells how *call* ended: that of the far end, else what comes closest to it."""
    if call.status is not None and call.status >= 200:
        silent = call.status < 300 and call.result == "failed"  # answered with nothing that could be said
        return 488 if silent else call.status
    return 487 if call.result == "cancelled" else 503
