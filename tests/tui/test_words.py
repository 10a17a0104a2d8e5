"""What the screen calls the state of a call."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.phone import Call
from phone_emulator.tui.rows.history import history_rows
from phone_emulator.tui.rows.log import log_rows
from phone_emulator.tui.rows.route import Mark, route_view
from phone_emulator.tui.words import call_word
from tests.phone.far_end import Play, offer, play


def test_a_call_that_the_far_end_holds() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        words = [call_word(call)]
        for number, direction in ((101, "sendonly"), (102, "sendrecv")):
            on.far.send(on.from_far("UPDATE", invite, number, body=offer(direction)))
            await on.far.response(200, "UPDATE")
            words.append(call_word(call))
        assert words == ["Talking", "Held", "Talking"]
        said = [row.text for row in log_rows(on.events) if "far end" in row.text]
        assert said == ["held by the far end", "resumed by the far end"]

    play(story)


def sentence(call: Call) -> tuple[Mark, str]:
    view = route_view(call, call.seat.now, None)
    return view.mark, view.sentence


@pytest.mark.parametrize(
    ("status", "fault", "mark", "told"),
    [
        (200, "", Mark.GOOD, ""),
        (481, "", Mark.GOOD, ""),
        (403, "BYE refused", Mark.BAD, "; hung up; the BYE was refused: 403 Forbidden"),
        (
            None,
            "BYE not answered",
            Mark.BAD,
            "; hung up; the BYE was not answered: no response within 64*T1 = 32.0 s; "
            "the far end was last heard at 0.0 s",
        ),
    ],
)
def test_a_bye_in_vain(status: int | None, fault: str, mark: Mark, told: str) -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        hanging_up = asyncio.create_task(call.hang_up())
        bye = await on.far.heard("BYE")
        assert history_rows([call])[0].fault == ""  # it may still be answered
        if status is not None:
            on.far.answer(bye, status)
        await hanging_up
        assert history_rows([call])[0].fault == fault
        assert sentence(call) == (mark, f"answered via primary after 0.0 s{told}")
        assert log_rows(on.events)[-1].bad is (status is None)

    play(story)


def test_a_far_end_that_hangs_up() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        bye = on.from_far("BYE", invite)
        bye.headers.add("Reason", "Q.850;cause=16")
        on.far.send(bye)
        await on.far.response(200, "BYE")
        assert history_rows([call])[0].fault == ""
        told = "answered via primary after 0.0 s; the far end hung up: Q.850 16"
        assert sentence(call) == (Mark.GOOD, told)

    play(story)


@pytest.mark.parametrize(
    ("reason", "word", "good"),
    [
        (None, "Missed call", False),
        ("SIP;cause=487", "Missed call", False),
        ('SIP;cause=200;text="Call completed elsewhere"', "Answered elsewhere", True),
    ],
)
def test_a_caller_who_hangs_up_first(reason: str | None, word: str, good: bool) -> None:
    async def story(on: Play) -> None:
        invite, response, call = await on.ringing()
        own, phone = invite.headers.get("From") or "", response.headers.get("To") or ""
        bye = on.far.inside("BYE", invite.call_id, own, phone)
        if reason is not None:
            bye.headers.add("Reason", reason)
        on.far.send(bye)
        await on.far.response(200, "BYE")
        [row] = history_rows([call])
        assert (row.word, row.good) == (call_word(call), good) == (word, good)

    play(story)


def test_a_call_that_nobody_picks_up_here() -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.ringing()
        await on.far.response(486)
        assert history_rows([call])[0].word == "Missed call"

    play(story, phone_setting__ringing_timeout=30)


def test_a_call_that_is_refused_here() -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.ringing()
        call.reject()
        assert history_rows([call])[0].word == "Rejected"

    play(story)
