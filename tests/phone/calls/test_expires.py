"""INVITEs that say how long they hold: Expires, in both directions (RFC 3261 sections 13.2.1 and 13.3.1)."""

from __future__ import annotations

import pytest

from phone_emulator.events import CallState
from phone_emulator.phone import CallResult
from tests.bad_numbers import NO_NUMBERS
from tests.lab.peers import ack_to
from tests.phone.far_end import Play, offer, play


def expires(value: str) -> list[tuple[str, str]]:
    return [("Expires", value)]


def test_a_call_that_nobody_takes_in_time_draws_487() -> None:
    async def story(on: Play) -> None:
        start = on.world.now()
        invite, _, call = await on.ringing(extra=expires("2"))
        on.far.send(ack_to(invite, await on.far.response(487)))
        assert on.world.now() - start == pytest.approx(2, abs=0.01)
        assert (call.result, call.reason) == (
            CallResult.CANCELLED,
            "the caller waited for 2 s only (Expires)",
        )
        assert on.phone.calls == []

    play(story)


def test_a_call_that_wants_no_answer_any_more_does_not_ring() -> None:
    async def story(on: Play) -> None:
        on.far.send(on.far.invite(extra=expires("0")))
        await on.far.response(487, "INVITE")
        assert "ringing" not in " ".join(on.states)

    play(story)


def test_a_call_that_is_taken_in_time_stays() -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.taken(extra=expires("2"))
        await on.far.nothing(10)
        assert call.state is CallState.TALKING

    play(story)


@pytest.mark.parametrize("value", ["4294967295", "Thu, 01 Dec 2011 16:00:00 GMT", *NO_NUMBERS])
def test_what_says_nothing_of_use_changes_nothing(value: str) -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.ringing(extra=expires(value))
        await on.far.nothing(50)
        assert call.state is CallState.RINGING

    play(story)


def test_a_call_of_this_phone_is_cancelled_in_time() -> None:
    async def story(on: Play) -> None:
        start = on.world.now()
        call = on.phone.dial("1002", headers=expires("3"))
        invite = await on.far.heard("INVITE")
        assert invite.headers.get("Expires") == "3"
        on.far.answer(invite, 180)
        cancel = await on.far.heard("CANCEL")
        assert on.world.now() - start == pytest.approx(3, abs=0.01)
        on.far.answer(cancel, 200)
        on.far.answer(invite, 487)
        await on.far.heard("ACK")
        await call.over()
        assert (call.result, call.reason) == (CallResult.FAILED, "not answered within 3 s (Expires)")
        assert len(call.route) == 1

    play(story)


def test_a_call_of_this_phone_that_hears_nothing_goes_to_no_other_server() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002", headers=expires("3"))
        await call.settled()
        assert (call.reason, round(on.world.now(), 3)) == ("not answered within 3 s (Expires)", 3)
        await call.over()

    play(story)


def test_a_call_of_this_phone_that_is_answered_in_time_stays() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002", headers=expires("3"))
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer())
        await on.far.heard("ACK")
        await on.far.nothing(10)
        assert call.state is CallState.TALKING

    play(story)
