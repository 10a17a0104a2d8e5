"""The conference key, and what becomes of a conference when this phone leaves it.

Theory of operation: with ``account.X.conf_type = 0`` the phone mixes its calls itself, see
`calls/conference.py`. With 2 a server does: the phone calls ``account.X.conf_uri``, and when that is up it
sends each far end there by a REFER in its own call, which ends as any transfer does (RFC 4579). The line of
the call in hand says which.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from phone_emulator.events import CallState
from phone_emulator.phone.calls.call import Call, CallResult
from phone_emulator.phone.calls.conference import Conference, all_done, conference_of
from phone_emulator.phone.calls.outgoing import OutgoingCall
from phone_emulator.phone.calls.states import UP
from phone_emulator.phone.wire.errors import CallError

from .referral import Dial
from .transfer import transfer_into, transfer_to

NETWORK = 2
"""``account.X.conf_type``: a server mixes."""


async def confer(call: Call, calls: Sequence[Call], dial: Dial) -> OutgoingCall | None:
    """Let *call* talk together with *calls*; raises CallError.

    Where one of them is in a conference, the others join that.

    Args:
        call: the one in hand.
        calls: the others.
        dial: places the call to a server's conference.

    Returns:
        That call, where one was placed.
    """
    everybody = tuple(dict.fromkeys((*calls, call)))
    if len(everybody) < 2:
        raise CallError("there is no other call to talk together with")
    if call.seat.account.conference_type == NETWORK:
        return await _in_network(call, everybody, dial)
    await _here(everybody)
    return None


async def _here(calls: Sequence[Call]) -> None:
    if not calls[0].seat.context.config.local_conference:
        raise CallError("features.conference.local.enable = 0: this phone mixes no calls")
    conferences = {id(found): found for each in calls if (found := conference_of(each))}
    if len(conferences) > 1:
        raise CallError("they are in two conferences: split one first")
    conference = next(iter(conferences.values()), None) or Conference()
    await conference.join([each for each in calls if each.conference is not conference])


async def _in_network(call: Call, calls: Sequence[Call], dial: Dial) -> OutgoingCall | None:
    """Send the far ends of *calls* into the conference at a server, which one of them may be a call to."""
    for each in calls:
        if each.state not in UP:
            raise CallError(f"{each.id} is {each.state}, not up")
    uri = call.seat.account.conference_uri
    there = next((each for each in calls if each.session.focus or each.remote == uri), None)
    placed = None if there else await _called(call, dial)
    conference = there or placed
    assert conference is not None
    await all_done(transfer_into(each, conference) for each in calls if each is not conference)
    return placed


async def _called(call: Call, dial: Dial) -> OutgoingCall:
    """The call to ``account.X.conf_uri`` of the line of *call*, which is taken back where that fails."""
    account = call.seat.account
    if not account.conference_uri:
        key = f"account.{account.index}"
        raise CallError(f"{key}.conf_type = 2, but {key}.conf_uri names no conference")
    talked = call.state is CallState.TALKING
    placed = dial(account.conference_uri, account.index, headers=())
    if await placed.settled() is not CallResult.ANSWERED:
        if talked and call.state is CallState.HELD:
            with contextlib.suppress(CallError):
                await call.resume()
        raise CallError(f"the conference {account.conference_uri} could not be reached: {placed.reason}")
    await placed.floor.quiet()
    return placed


async def split(call: Call) -> None:
    """Make calls of the conference of *call* again, all of them held; raises CallError."""
    conference = conference_of(call)
    if conference is None:
        raise CallError(f"{call.id} is in no conference")
    await conference.split()


async def leave(call: Call) -> None:
    """Hang up: *call*, and all of its conference.

    With ``transfer.tran_others_after_conf_enable`` the two others of a conference are joined first, as by an
    attended transfer; where that fails, all end.
    """
    conference = conference_of(call)
    if conference is None:
        await call.hang_up()
        return
    calls = conference.calls
    if call.seat.context.config.conference_goes_on and len(calls) == 2:
        conference.dissolve("this phone leaves: the others are joined")
        with contextlib.suppress(CallError):
            await transfer_to(*calls)
    else:
        conference.dissolve("this phone leaves: the calls end")
    await asyncio.gather(*(each.hang_up() for each in calls if each.state in UP))
