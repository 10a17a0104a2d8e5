"""How long the phone takes to act on an answer before it moves on (``--reaction``)."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.phone import CallResult
from tests.phone.stage import SUCCESSIVE, Answer, Stage, play, server_1

REACTION = 0.07
REFUSED = {"INVITE": [[Answer(0.0, 503)]], "REGISTER": [[Answer(0.0, 403)]]}


def test_the_next_server_is_asked_that_much_later() -> None:
    # rule C2
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [
            ("primary", "unavailable", 0.0, 0.0),  # what was answered is told when it was
            ("secondary", "unavailable", 0.07, 0.07),
            ("fallback", "answered", 0.14, 0.14),
        ]
        assert [line for line in stage.sent("INVITE", "ACK") if line.what == "ACK"][:2] == [
            (0.0, ".13", "ACK"),
            (0.07, ".14", "ACK"),
        ]

    play(story, primary=503, secondary=503, reaction=REACTION)


def test_it_is_no_wait_for_what_is_no_answer() -> None:
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        assert stage.route(call.route) == [
            ("primary", "no-response", 0.0, 7.5),
            ("secondary", "icmp", 7.5, 7.5),
            ("fallback", "answered", 7.5, 7.5),
        ]

    play(
        story,
        server_1(invite_retry_counts=3),
        primary="silent",
        secondary="refuse",
        reaction=REACTION,
    )


@pytest.mark.parametrize(("status", "settled"), [(486, 0.0), (503, 0.14)])
def test_the_end_of_the_search_needs_none(status: int, settled: float) -> None:
    # rule C3
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        assert round(call.elapsed, 3) == settled

    play(story, primary=status, secondary=status, fallback=status, reaction=REACTION)


def test_registrations_too() -> None:
    # rule R1
    # rule R6
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.route(stage.registers()) == [
            ("primary", "unavailable", 0.0, 0.0),
            ("secondary", "rejected", 0.07, 0.07),
            ("fallback", "answered", 0.14, 0.14),
        ]

    play(
        story,
        SUCCESSIVE | {"account.1.redundancy_with_reg_fail.enable": "1"},
        primary=503,
        secondary={"REGISTER": 403},
        reaction=REACTION,
    )


def test_a_register_that_goes_first_and_is_refused() -> None:
    # rule R9
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [
            ("primary", "unavailable", 0.0, 0.0),
            ("secondary", "rejected", 0.07, 0.07),
            ("fallback", "answered", 0.14, 0.14),
        ]

    play(
        story,
        server_1(register_on_enable=1),
        primary=503,
        secondary={"REGISTER": 403},
        reaction=REACTION,
    )


def test_hanging_up_meanwhile() -> None:
    # rule C9
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(0.5)
        assert [each.target.role for each in call.to_come] == ["secondary", "fallback"]
        await call.hang_up()
        await call.over()
        assert (stage.world.now(), call.result) == (0.5, CallResult.CANCELLED)
        await asyncio.sleep(60)
        assert stage.sent("INVITE", "CANCEL") == [(0.0, ".13", "INVITE")]

    play(story, actors={"primary": REFUSED}, reaction=1.0)
