"""Calls that the phone takes by itself because their caller asks for it."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import CallState
from phone_emulator.phone.calls.intercom import asked_delay
from phone_emulator.sip.message import Headers, Request
from tests.phone.far_end import Play, play


def delay(*headers: tuple[str, str], uri: str = "sip:1001@phone") -> float | None:
    return asked_delay(Request("INVITE", uri, Headers(headers)))


@pytest.mark.parametrize(
    ("name", "value", "seconds"),
    [
        ("Alert-Info", "Auto Answer", 0),
        ("Alert-Info", "<http://x/y>;info=alert-autoanswer", 0),
        ("Alert-Info", '<http://x/y>;info="alert-autoanswer";delay=0', 0),
        ("Alert-Info", "<sip:x>;answer-after=2", 2),
        ("Call-Info", "<http://www.notused.com>; answer-after=0", 0),
        ("Call-Info", "<http://a>;purpose=icon, <sip:x>;answer-after=3", 3),
        ("Alert-Info", "info=alert-autoanswer", 0),
        ("Alert-Info", ";info=alert-autoanswer", 0),
        ("Alert-Info", " info = Alert-AutoAnswer ", 0),
        ("Alert-Info", '"info=alert-autoanswer"', 0),
        ("Alert-Info", "<info=alert-autoanswer>", 0),
        ("Alert-Info", "<http://x/y> ; info = alert-autoanswer ; delay = 3", 3),
        ("Alert-Info", "<http://x/bell.wav>, <http://x>;info=alert-autoanswer", 0),
        ("Alert-Info", "alert-autoanswer", 0),
        ("Alert-Info", '"Auto Answer"', 0),
        ("Alert-Info", "<sip:x>;Auto  Answer", 0),
        ("Alert-Info", "info=Auto Answer", 0),
        ("Alert-Info", "<Auto Answer>", 0),
        ("Alert-Info", "auto answer;delay=2", 2),
        ("Alert-Info", "<sip:x;intercom=true>", 0),
        ("Alert-Info", "intercom = true", 0),
        ("Call-Info", '<sip:x>;intercom="true"', 0),
        ("Call-Info", "answer-after=0", 0),
        ("Call-Info", ";answer-after=0", 0),
        ("Call-Info", "\\;answer-after=0", 0),
        ("Call-Info", '"answer-after=1"', 1),
        ("Call-Info", '<sip:x> ; answer-after = "2"', 2),
        ("Call-Info", "<sip:x;answer-after=0>", 0),
        ("Alert-Info", "answer-after=0", 0),
        ("To", "<sip:1001@phone;intercom=true>", 0),
        ("To", "<sip:1001@phone;transport=udp; intercom = TRUE >", 0),
        ("To", "<sip:1001@phone>;intercom=true", 0),
        ("To", "sip:1001@phone;intercom=true", 0),
        ("To", "<sip:1001;intercom=true@phone>", None),
        ("Alert-Info", "<http://x/auto answer/y>", None),
        ("Alert-Info", "<http://x/?info=alert-autoanswer-not>;info=ring", None),
        ("Alert-Info", "info=alert-external", None),
        ("Alert-Info", "auto answer not", None),
        ("Call-Info", "<sip:x>;intercom=false", None),
        ("Call-Info", "<sip:x>;answer-after=31", None),
        ("Call-Info", "<sip:x>;answer-after=-1", None),
        ("Call-Info", "<sip:x>;answer-after=", None),
        ("Alert-Info", "<http://x/bell.wav>", None),
        ("Subject", "Auto Answer", None),
    ],
)
def test_how_a_caller_asks(name: str, value: str, seconds: float | None) -> None:
    assert delay((name, value)) == seconds


def test_by_the_request_uri() -> None:
    assert delay(uri="sip:1001@phone;intercom=true") == 0


def test_the_phone_answers() -> None:
    async def story(on: Play) -> None:
        start = on.world.now()
        invite, _, call = await on.ringing(extra=[("Call-Info", "<sip:x>;answer-after=2")])
        response = await on.far.response(200, "INVITE")
        assert round(on.world.now() - start, 3) == 2
        on.far.send(on.far.ack(invite, response))
        assert call.state is CallState.TALKING

    play(story)


def test_it_may_be_forbidden() -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.ringing(extra=[("Alert-Info", "Auto Answer")])
        await asyncio.sleep(20)
        assert call.state is CallState.RINGING

    play(story, features__intercom__allow=0)


def test_not_during_another_call() -> None:
    async def story(on: Play) -> None:
        await on.taken()
        _, _, call = await on.ringing(call_id="in-2", extra=[("Alert-Info", "Auto Answer")])
        await asyncio.sleep(20)
        assert call.state is CallState.RINGING

    play(story)


@pytest.mark.parametrize("seconds", [1, 4])
def test_auto_answer_has_its_own_delay(seconds: int) -> None:
    async def story(on: Play) -> None:
        start = on.world.now()
        invite, _, _ = await on.ringing()
        response = await on.far.response(200, "INVITE")
        assert round(on.world.now() - start, 3) == seconds
        on.far.send(on.far.ack(invite, response))

    play(story, account__1__auto_answer=1, features__auto_answer_delay=seconds)


def test_nothing_is_left_of_a_call_that_ends_before_its_answer() -> None:
    async def story(on: Play) -> None:
        await on.ringing(extra=[("Call-Info", "<sip:x>;answer-after=30")])

    play(story)  # which sees to it that no timer is left


def test_a_name_asks_for_nothing() -> None:
    assert delay(("To", '"intercom=true" <sip:1001@phone>')) is None
    assert delay(uri="sip:intercom=true@phone") is None
