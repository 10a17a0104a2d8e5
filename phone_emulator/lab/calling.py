"""Somebody of the lab calls a phone: wait until it rings, or has refused."""

from __future__ import annotations

import asyncio

from phone_emulator.events import CallChanged, CallRefused, CallState, Direction, Event
from phone_emulator.lab.lab import Lab
from phone_emulator.phone import Call, CallError, CallResult, Phone
from phone_emulator.world import Tasks

ASKED_FOR_MORE = (401, 407, 422)
"""Refusals that the caller may answer with a better INVITE: it may ring after all."""


class Refused(CallError):
    """The phone has refused the call, and did not ring.

    Args:
        refused: what it told, or the call itself where it was taken up first (no common codec).
    """

    def __init__(self, refused: CallRefused | Call) -> None:
        super().__init__(f"the call did not ring: {refused.status}: {refused.reason}")
        self.refused = refused


async def call_in(
    lab: Lab, phone: Phone, line: int | None = None, server: str | None = None, caller: str | None = None
) -> Call:
    """Let somebody call a line of *phone*, as :meth:`Lab.call_phone` does; the call, when it rings.

    Raises Refused where the phone refuses it, CallError where it does not get to the phone.
    """
    known = set(phone.calls)
    heard = asyncio.Event()
    calls: list[Call] = []
    refusals: list[CallRefused] = []

    def hear(event: Event) -> None:
        if isinstance(event, CallRefused):
            refusals.append(event)
        elif isinstance(event, CallChanged) and event.direction is Direction.INCOMING:
            call = phone.call(event.call)
            if call is not None and call not in known:
                calls.append(call)
        heard.set()

    theirs = lab.call_phone(phone, line, server, caller)
    if theirs is None:
        raise CallError(f"line {phone.line(line).number} is registered nowhere: nobody can call it")
    settled = Tasks(phone.world, "the lab").spawn(theirs.settled(), "waiting for an answer")
    settled.add_done_callback(lambda task: heard.set())
    unsubscribe = phone.bus.subscribe(hear)
    try:
        while not calls and not settled.done():
            if refusals and refusals[-1].status not in ASKED_FOR_MORE:
                break
            heard.clear()
            await heard.wait()
    finally:
        unsubscribe()
        settled.cancel()
    if calls:
        if calls[0].state is CallState.ENDED and calls[0].result is CallResult.REJECTED:
            raise Refused(calls[0])
        return calls[0]
    if refusals:
        raise Refused(refusals[-1])
    raise CallError(f"the call did not reach the phone: {theirs.reason}")
