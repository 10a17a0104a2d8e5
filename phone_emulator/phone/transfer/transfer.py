"""This phone transfers a call: REFER, and what the far end tells of it (RFC 3515, RFC 5589).

Theory of operation: the call is held, a REFER in its dialog names whom the far end is to call, and NOTIFYs in
the same dialog tell how that goes (an implicit subscription, RFC 3515 section 2.4.4). A 2xx told there ends
the call with a BYE; anything else fails the transfer, and the call is taken back. The subscription is a
usage of the dialog of its own: where the call ends first, its NOTIFYs are still heard (RFC 5057).
"""

from __future__ import annotations

import asyncio
import contextlib

from phone_emulator.events import CallState, TransferChanged, TransferRole, TransferState
from phone_emulator.numbers import MAX_UINT32, number
from phone_emulator.phone.calls.call import Call
from phone_emulator.phone.calls.states import UP
from phone_emulator.phone.dialling.number import as_written, dialled, why_undialable
from phone_emulator.phone.wire.content import read_body
from phone_emulator.phone.wire.credentials import words_of
from phone_emulator.phone.wire.errors import CallError
from phone_emulator.phone.wire.event_package import event_id, event_of, state_of
from phone_emulator.phone.wire.known import Sources
from phone_emulator.sip import refer, values
from phone_emulator.sip.headers import delta_seconds, parameter
from phone_emulator.sip.message import MessageError, Request
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.world.faults import as_reason

EVENT = "refer"
LONGEST_LEASE = 3600
"""Seconds that the far end is believed to need for telling how a transfer ended, whatever it says."""


class Transfer:
    """One REFER that this phone has sent, and the subscription that it makes.

    Args:
        call: that is transferred.
        to: whom to, for people.
    """

    def __init__(self, call: Call, to: str) -> None:
        self.to = to
        self._call = call
        self._first_cseq = 0
        """Of the REFER when it was sent first; it counts on where credentials are asked for."""
        self._cseq: int | None = None
        """Of the REFER that was answered; None before."""
        self._patience = 64 * call.seat.context.config.timers.t1
        """Seconds until the next NOTIFY must have come: timer N at first (RFC 6665 section 4.1.2.4)."""
        self._told: tuple[int, str] | None = None
        """The last status and reason that a NOTIFY told."""
        self._over = ""
        """Why no further NOTIFY will come; empty while one may."""
        self._news = asyncio.Event()

    async def run(self, refer_to: str) -> None:
        """Send the REFER and wait for the end of what it asks for; raises CallError where that fails.

        Args:
            refer_to: the value of its Refer-To.
        """
        call = self._call
        self._tell(TransferState.STARTED, f"the far end is asked to call {self.to}")
        held_here = call.state is CallState.TALKING
        try:
            if held_here:
                await call.hold()
            await self._refer(refer_to)
            await self._outcome()
        except CallError as error:
            self._tell(TransferState.FAILED, str(error))
            if held_here and call.state is CallState.HELD:
                with contextlib.suppress(CallError):
                    await call.resume()
            raise
        finally:
            self._release()
        call.transferred_to = self.to
        self._tell(TransferState.DONE, f"{self.to} answered")

    def call_ended(self) -> None:
        """NOTIFYs in the call's dialog are for the transfer alone now."""
        if self._call.dialog is not None:
            self._call.seat.dialogs.confirm(self, self._call.dialog)

    def stop(self, reason: str) -> None:
        """No NOTIFY will come any more."""
        self._over = self._over or reason
        self._news.set()

    # -- what comes in -------------------------------------------------------------------------------------

    @property
    def sources(self) -> Sources:
        """Where messages of the call's dialog may come from."""
        return self._call.sources

    def receive(self, server: ServerTransaction) -> None:
        """A request came in within the dialog of a call that is over."""
        dialog = self._call.dialog
        if dialog is not None and not dialog.accept_cseq(server.request):
            server.respond(self._call.channel.identity.response(server.request, 500))
        elif not self.take(server):
            server.respond(self._call.channel.identity.response(server.request, 481))

    def acknowledged(self, ack: Request) -> None:
        """An ACK came in; a subscription has no use for one."""

    def take(self, server: ServerTransaction) -> bool:
        """A request came in within the dialog; whether it is a NOTIFY for this, and was answered.

        Raises MessageError where its Contact cannot be read.
        """
        try:
            return self._take(server)
        except MessageError:
            raise
        except Exception as error:
            self.stop(as_reason(error))  # what it told is lost, and it may have been the last one
            raise

    def _take(self, server: ServerTransaction) -> bool:
        request = server.request
        if request.method != "NOTIFY" or event_of(request) != EVENT:
            return False
        if self._over or not self._is_own(event_id(request)):
            return False
        part, refusal = read_body(request, refer.SIPFRAG, unsaid=refer.SIPFRAG)
        if refusal is not None:
            self._call.answer_with(server, refusal)
            return True
        if self._call.dialog is not None:
            self._call.channel.refresh(self._call.dialog, request, server.source.host)
        server.respond(self._call.channel.identity.response(request, 200))
        if part is not None:
            self._told = refer.parse_sipfrag(part.body) or self._told
        self._patience = _lease(request.headers.get("Subscription-State") or "")
        if state_of(request) == "terminated":
            self.stop("the far end tells no more of it")
        self._news.set()
        return True

    def _is_own(self, named: str) -> bool:
        """Whether the id of an event is the CSeq number of the REFER (RFC 3515 section 2.4.6).

        One without an id is believed: there are far ends that number no REFER of a dialog, and one transfer
        of a call goes on at a time.
        """
        if not named:
            return True
        dialog, count = self._call.dialog, number(named, MAX_UINT32)
        if dialog is None or count is None:
            return False
        if self._cseq is not None:
            return count == self._cseq
        return self._first_cseq <= count <= dialog.local_cseq  # the NOTIFY has overtaken the answer

    # -- the course of it ----------------------------------------------------------------------------------

    async def _refer(self, refer_to: str) -> None:
        call = self._call
        assert call.dialog is not None
        self._first_cseq = call.dialog.local_cseq + 1
        headers = [("Refer-To", refer_to)]
        if not call.seat.account.anonymous_call:  # it would name whom From hides (RFC 3323 section 4.1)
            headers.append(("Referred-By", f"<{call.channel.identity.address_of_record}>"))
        response = await call.request_in_dialog("REFER", extra=headers)
        if response is None or response.status >= 300:
            said = "no response" if response is None else words_of(response)
            raise CallError(f"the far end refused the transfer: {said}")
        self._cseq = response.cseq.number

    async def _outcome(self) -> None:
        """Wait until a final status is told; raises CallError unless it is a 2xx."""
        while not (self._told is not None and self._told[0] >= 200) and not self._over:
            self._news.clear()
            try:
                async with asyncio.timeout(self._patience):
                    await self._news.wait()
            except TimeoutError:
                raise CallError(f"no NOTIFY told within {self._patience:g} s how it ended") from None
        if self._told is None or self._told[0] < 200:
            raise CallError(self._over)
        status, reason = self._told
        if status >= 300:
            raise CallError(f"{self.to} could not be reached: {status} {reason}")

    def _release(self) -> None:
        call = self._call
        call.usages.remove(self)
        if call.dialog is not None and call.state is CallState.ENDED:
            call.seat.dialogs.release(call.dialog)

    def _tell(self, state: TransferState, reason: str) -> None:
        context, line = self._call.seat.context, self._call.seat.number
        context.bus.tell(
            TransferChanged(
                at=context.world.now(),
                line=line,
                call=self._call.id,
                role=TransferRole.TRANSFEROR,
                state=state,
                to=self.to,
                reason=reason,
            )
        )


async def transfer_blind(call: Call, number: str) -> None:
    """Send the far end of *call* to *number*; returns when it is there and *call* has ended.

    Raises CallError, in words for people, where that fails; *call* is then as it was before.
    """
    config = call.seat.context.config
    if wrong := why_undialable(number, config.call_num_filter):
        raise CallError(wrong)
    number = dialled(number, config.call_num_filter)
    _check(call)
    uri = call.channel.identity.uri_of(as_written(number, config))
    await _carry_out(call, number, refer.refer_to(uri))


async def transfer_to(call: Call, other: Call) -> None:
    """Join the far ends of *call* and *other*; returns when they talk and both calls have ended.

    Where *other* still rings it is a semi-attended transfer: with ``transfer.semi_attend_tran_enable`` the
    far end takes the ringing call's place, without it that one is cancelled and the transfer is blind.
    Raises CallError where that fails; *call* is then as it was before.
    """
    if call is other:
        raise CallError("a call cannot be transferred to itself")
    _check(call)
    if other.state in UP and other.dialog is not None:
        dialog = other.dialog
    elif not other.ringing_dialogs:
        raise CallError(f"the other call is {other.state}, neither up nor ringing at its far end")
    elif call.seat.context.config.semi_attended_transfer:
        dialog = other.ringing_dialogs[-1]
    else:
        await other.hang_up()
        await other.over()  # until then whom it rings at is busy
        await transfer_blind(call, other.remote)
        return
    uri = dialog.remote_target
    if not call.seat.account.transfer_to_contact:
        with contextlib.suppress(ValueError):
            uri = str(values.address(dialog.remote_address).uri)
    # A null tag is written as 0 (RFC 3891 section 3).
    replaces = refer.Replaces(dialog.call_id, dialog.remote_tag or "0", dialog.local_tag)
    await _carry_out(call, other.remote, refer.refer_to(uri, replaces))
    await other.finish(f"the far end was joined with {call.remote}")


async def transfer_into(call: Call, conference: Call) -> None:
    """Send the far end of *call* into the one that *conference* is a call to; *call* has ended then.

    It is named as its focus names itself (RFC 4579: a Contact with ``isfocus``), else as it was dialled.
    Raises CallError, in words for people, where that fails; *call* is then as it was before.
    """
    if not conference.session.focus:
        await transfer_blind(call, conference.remote)
        return
    _check(call)
    await _carry_out(call, conference.remote, refer.refer_to(conference.session.focus))


def under_way(call: Call) -> Transfer | None:
    """The transfer of *call* that goes on."""
    return next((usage for usage in call.usages if isinstance(usage, Transfer)), None)


def _check(call: Call) -> None:
    if call.state not in UP:
        raise CallError(f"the call is {call.state}, not up")
    if under_way(call) is not None:
        raise CallError("the call is being transferred already")
    if call.conference is not None:
        raise CallError("the call is in a conference: split it first")


async def _carry_out(call: Call, to: str, refer_to: str) -> None:
    transfer = Transfer(call, to)
    call.usages.append(transfer)
    await transfer.run(refer_to)
    await call.finish(f"transferred to {to}")


def _lease(subscription_state: str) -> float:
    """Seconds until the subscription ends unless a NOTIFY comes (RFC 6665 section 8.2.3)."""
    said = delta_seconds(parameter(subscription_state, "expires"))
    return float(LONGEST_LEASE if said is None else min(said, LONGEST_LEASE))
