"""The conference key, and what becomes of a conference when this phone leaves it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from phone_emulator.phone.calls.call import Call
from phone_emulator.phone.calls.conference import Conference, conference_of
from phone_emulator.phone.calls.states import UP
from phone_emulator.phone.wire.errors import CallError

from .transfer import transfer_to


async def confer(call: Call, calls: Sequence[Call]) -> None:
    """Let *call* talk together with *calls*; raises CallError.

    Where one of them is in a conference, the others join that.
    """
    everybody = (*calls, call)
    if len(set(everybody)) < 2:
        raise CallError("there is no other call to talk together with")
    if not call.seat.context.config.local_conference:
        raise CallError("features.conference.local.enable = 0: this phone mixes no calls")
    conferences = {id(found): found for each in everybody if (found := conference_of(each))}
    if len(conferences) > 1:
        raise CallError("they are in two conferences: split one first")
    conference = next(iter(conferences.values()), None) or Conference()
    await conference.join([each for each in dict.fromkeys(everybody) if each.conference is not conference])


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
