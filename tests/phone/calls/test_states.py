"""The states of a call: every transition of the table is taken by a call that really happens."""

from __future__ import annotations

import asyncio
from typing import Any, Never

import pytest

from phone_emulator.events import CallState
from phone_emulator.phone.calls.call import Call
from phone_emulator.phone.calls.states import TABLE, UNANSWERED, UP, CallEvent, Do
from phone_emulator.world import Faulted, WorldError
from tests.lab.peers import ack_to
from tests.phone.far_end import Play, Story, offer, play

Cell = tuple[CallState, CallEvent]


def planted() -> None:
    raise LookupError("planted")


async def dialled(on: Play, *provisional: int) -> tuple[Any, Any]:
    """The phone has dialled, and the far end has given those responses."""
    call = on.phone.dial("1002")
    invite = await on.far.heard("INVITE")
    for status in provisional:
        on.far.answer(invite, status)
    await on.rest()
    return invite, call


async def answered_at_once_and_hung_up_by_the_far_end(on: Play) -> None:
    invite, call = await dialled(on)
    on.far.answer(invite, 200, body=offer())
    await on.far.heard("ACK")
    await call.settled()
    on.far.send(on.from_far("BYE", invite))
    await on.far.response(200, "BYE")


async def answered_held_and_hung_up(on: Play) -> None:
    invite, call = await dialled(on, 180)
    on.far.answer(invite, 200, body=offer())
    await on.far.heard("ACK")
    await call.settled()
    for order, body in (
        (call.resume, offer()),
        (call.hold, offer("recvonly")),
        (call.hold, offer("recvonly")),
    ):
        changing = asyncio.create_task(order())
        on.far.answer(await on.far.heard("INVITE"), 200, body=body)
        await on.far.heard("ACK")
        await changing
    changing = asyncio.create_task(call.resume())
    on.far.answer(await on.far.heard("INVITE"), 200, body=offer())
    await on.far.heard("ACK")
    await changing
    ending = asyncio.create_task(call.hang_up())
    on.far.answer(await on.far.heard("BYE"), 200)
    await ending


async def held(on: Play) -> tuple[Any, Any]:
    invite, call = await on.talking()
    holding = asyncio.create_task(call.hold())
    on.far.answer(await on.far.heard("INVITE"), 200, body=offer("recvonly"))
    await on.far.heard("ACK")
    await holding
    return invite, call


async def held_and_hung_up(on: Play) -> None:
    _, call = await held(on)
    ending = asyncio.create_task(call.hang_up())
    on.far.answer(await on.far.heard("BYE"), 200)
    await ending


async def held_and_hung_up_by_the_far_end(on: Play) -> None:
    invite, _ = await held(on)
    on.far.send(on.from_far("BYE", invite))
    await on.far.response(200, "BYE")


async def held_when_the_phone_stops(on: Play) -> None:
    await held(on)
    await on.phone.stop(unregister=False)


async def talking_when_the_phone_stops(on: Play) -> None:
    await on.talking()
    await on.phone.stop(unregister=False)


async def ringing_when_the_phone_stops(on: Play) -> None:
    await dialled(on, 180)
    await on.phone.stop(unregister=False)


async def calling_when_the_phone_stops(on: Play) -> None:
    await dialled(on)
    await on.phone.stop(unregister=False)


async def both_hang_up(on: Play) -> None:
    invite, call = await on.talking()
    ending = asyncio.create_task(call.hang_up())
    bye = await on.far.heard("BYE")
    on.far.send(on.from_far("BYE", invite))
    await on.far.response(200, "BYE")
    on.far.answer(bye, 200)
    await ending


async def refused(on: Play) -> None:
    invite, _ = await dialled(on)
    on.far.answer(invite, 486)
    await on.far.heard("ACK")


async def refused_while_ringing(on: Play) -> None:
    invite, _ = await dialled(on, 180)
    on.far.answer(invite, 603)
    await on.far.heard("ACK")


async def cancelled(on: Play, *provisional: int) -> None:
    invite, call = await dialled(on, *provisional)
    await call.hang_up()
    if not provisional:
        on.far.answer(invite, 100)
    on.far.answer(await on.far.heard("CANCEL"), 200)
    on.far.answer(invite, 487)
    await on.far.heard("ACK")


async def cancelled_before_any_response(on: Play) -> None:
    await cancelled(on)


async def cancelled_while_ringing(on: Play) -> None:
    await cancelled(on, 180)


async def rings_too_long(on: Play, *provisional: int) -> None:
    invite, call = await dialled(on, *provisional)
    on.far.answer(await on.far.heard("CANCEL"), 200)
    on.far.answer(invite, 487)
    await on.far.heard("ACK")
    await call.over()


async def tried_too_long(on: Play) -> None:
    await rings_too_long(on, 100)


async def rung_too_long(on: Play) -> None:
    await rings_too_long(on, 180)


async def hung_up_by_the_far_end_whose_answer_got_lost(on: Play) -> None:
    invite, _ = await dialled(on, 180)
    on.far.send(on.from_far("BYE", invite))
    await on.far.response(200, "BYE")
    on.far.answer(await on.far.heard("CANCEL"), 200)
    on.far.answer(invite, 487)
    await on.far.heard("ACK")


async def answered_with_nothing(on: Play, *provisional: int) -> None:
    invite, call = await dialled(on, *provisional)
    on.far.answer(invite, 200)
    await on.far.heard("ACK")
    on.far.answer(await on.far.heard("BYE"), 200)
    await call.over()


async def answered_with_nothing_at_once(on: Play) -> None:
    await answered_with_nothing(on)


async def answered_with_nothing_after_ringing(on: Play) -> None:
    await answered_with_nothing(on, 180)


async def faulty(on: Play, call: Call) -> None:
    call.tasks.call_at(on.world.now(), planted, "stumbling")
    await on.rest()


async def a_fault_while_calling(on: Play) -> None:
    invite, call = await dialled(on)
    await faulty(on, call)
    on.far.answer(invite, 486)
    await on.rest()


async def a_fault_while_ringing(on: Play) -> None:
    _, call = await dialled(on, 180)
    await faulty(on, call)


async def a_fault_while_talking(on: Play) -> None:
    _, call = await on.talking()
    await faulty(on, call)
    on.far.answer(await on.far.heard("BYE"), 200)
    await call.over()


async def a_fault_while_held(on: Play) -> None:
    _, call = await held(on)
    await faulty(on, call)
    on.far.answer(await on.far.heard("BYE"), 200)
    await call.over()


async def called_and_refused(on: Play) -> None:
    invite, _, call = await on.ringing()
    call.reject()
    on.far.send(ack_to(invite, await on.far.response(486)))


async def called_and_answered_without_a_port(on: Play) -> None:
    invite, _, call = await on.ringing()

    async def none(*args: object, **named: object) -> Never:
        raise WorldError("no port is left")

    on.world.open_udp = none  # type: ignore[method-assign]
    call.answer()
    on.far.send(ack_to(invite, await on.far.response(500)))


STORIES: tuple[tuple[Story, dict[str, Any]], ...] = (
    (answered_at_once_and_hung_up_by_the_far_end, {}),
    (answered_held_and_hung_up, {}),
    (held_and_hung_up, {}),
    (held_and_hung_up_by_the_far_end, {}),
    (held_when_the_phone_stops, {}),
    (talking_when_the_phone_stops, {}),
    (ringing_when_the_phone_stops, {}),
    (calling_when_the_phone_stops, {}),
    (both_hang_up, {}),
    (refused, {}),
    (refused_while_ringing, {}),
    (cancelled_before_any_response, {}),
    (cancelled_while_ringing, {}),
    (tried_too_long, {"phone_setting__ringback_timeout": 10}),
    (rung_too_long, {"phone_setting__ringback_timeout": 10}),
    (hung_up_by_the_far_end_whose_answer_got_lost, {}),
    (answered_with_nothing_at_once, {}),
    (answered_with_nothing_after_ringing, {}),
    (a_fault_while_calling, {}),
    (a_fault_while_ringing, {}),
    (a_fault_while_talking, {}),
    (a_fault_while_held, {}),
    (called_and_refused, {}),
    (called_and_answered_without_a_port, {}),
)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> set[Cell]:
    """The cells that calls take from now on."""
    cells: set[Cell] = set()
    happened = Call._happened

    def record(call: Call, event: CallEvent, reason: str) -> bool:
        before = call.state
        had_effect = happened(call, event, reason)
        if had_effect:
            cells.add((before, event))
            assert call.state is TABLE[before][event].then
        return had_effect

    monkeypatch.setattr(Call, "_happened", record)
    return cells


def test_every_transition_is_taken(taken: set[Cell]) -> None:
    for story, settings in STORIES:
        try:
            play(story, stop=False, **settings)
        except Faulted:
            assert "fault" in story.__name__, story.__name__
    assert taken == {(state, event) for state, row in TABLE.items() for event in row}


def test_what_the_table_promises() -> None:
    for state, row in TABLE.items():
        for event, step in row.items():
            assert (Do.LEAVE in step.do) is (step.then is CallState.ENDED), (state, event)
            if Do.CANCEL in step.do:
                assert state in UNANSWERED
                assert step.then is CallState.ENDING
    assert CallState.ENDED not in TABLE
    assert {*TABLE, CallState.ENDED} == set(CallState)
    assert {CallEvent(event) for row in TABLE.values() for event in row} == set(CallEvent)
    assert set(CallState) - {CallState.ENDING, CallState.ENDED} == UP | UNANSWERED
