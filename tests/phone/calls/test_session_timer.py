"""Session timers: who refreshes, when and how, and when a call that nobody refreshes ends (RFC 4028)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.config.model import AccountConfig
from phone_emulator.events import CallState
from phone_emulator.phone import Call, CallError
from phone_emulator.phone.wire.session_expires import Terms, agreed, ask_longer, granted, wish_of
from phone_emulator.sip.message import Headers, Request, Response
from tests.phone.far_end import Play, lines, offer, play

ON: dict[str, Any] = {"account__1__session_timer__enable": 1, "account__1__session_timer__expires": 90}
UPDATES = ("Allow", "INVITE, ACK, BYE, UPDATE")
THIS_END = ("Session-Expires", "90;refresher=uac")
FAR_END = ("Session-Expires", "90;refresher=uas")
Extra = list[tuple[str, str]]


def account(**settings: Any) -> AccountConfig:
    return AccountConfig(index=1, session_timer=True, **settings)


def message(*headers: tuple[str, str]) -> Request:
    return Request("INVITE", "sip:1", Headers(headers))


# -- the calling end -----------------------------------------------------------------------------------------


def test_an_invite_names_the_timer() -> None:
    async def story(on: Play) -> None:
        on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        assert invite.headers.get("Session-Expires") == "90;refresher=uac"
        assert invite.headers.get("Supported") == "replaces, timer"
        assert "Min-SE" not in invite.headers

    play(story, **ON)


def test_without_the_setting_there_is_no_timer() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking(extra=[UPDATES, THIS_END])
        assert "Session-Expires" not in invite.headers
        assert invite.headers.get("Supported") == "replaces"
        await on.far.nothing(200)
        assert call.state is CallState.TALKING

    play(story)


def test_the_refresh_is_an_update_at_half_the_interval() -> None:
    async def story(on: Play) -> None:
        await on.talking(extra=[UPDATES, THIS_END])
        up = on.world.now()
        for number in (2, 3):
            update = await on.far.heard("UPDATE")
            assert on.world.now() - up == 45.0
            assert update.cseq.number == number
            assert [name for name, _ in update.headers] == [
                *("Via", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", "User-Agent"),
                *("Session-Expires", "Supported", "Content-Length"),
            ]  # T7
            assert update.headers.get("Session-Expires") == "90;refresher=uac"
            assert update.headers.get("Supported") == "timer"
            on.far.answer(update, 200, extra=[THIS_END])
            up = on.world.now()

    play(story, **ON)


def test_a_far_end_without_update_is_refreshed_by_the_same_description() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking(extra=[("Allow", "INVITE, ACK, BYE"), THIS_END])
        up = on.world.now()
        again = await on.far.heard("INVITE")
        assert on.world.now() - up == 45.0
        assert again.body == invite.body, "the same version: nothing changes (RFC 3264 section 8)"
        assert again.headers.get("Session-Expires") == "90;refresher=uac"
        assert again.headers.get("Supported") == "replaces, timer"
        on.far.answer(again, 200, body=offer(), extra=[THIS_END])
        await on.far.heard("ACK")
        assert call.state is CallState.TALKING

    play(story, **ON)


def test_an_update_that_is_not_taken_is_followed_by_a_reinvite() -> None:
    async def story(on: Play) -> None:
        await on.talking(extra=[UPDATES, THIS_END])
        on.far.answer(await on.far.heard("UPDATE"), 501)
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer(), extra=[THIS_END])
        await on.far.heard("ACK")
        start = on.world.now()
        await on.far.heard("INVITE")
        assert on.world.now() - start == 45.0

    play(story, **ON)


def test_a_call_on_hold_stays_on_hold_when_it_is_refreshed() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking(extra=[THIS_END])
        holding = asyncio.create_task(call.hold())
        hold = await on.far.heard("INVITE")
        assert hold.headers.get("Session-Expires") == "90;refresher=uac"
        on.far.answer(hold, 200, body=offer("recvonly"), extra=[THIS_END])
        await on.far.heard("ACK")
        await holding
        start = on.world.now()
        again = await on.far.heard("INVITE")
        assert on.world.now() - start == 45.0, "a hold is a refresh too"
        assert again.body == hold.body
        on.far.answer(again, 200, body=offer("recvonly"), extra=[THIS_END])
        await on.far.heard("ACK")
        assert call.state is CallState.HELD

    play(story, **ON)


@pytest.mark.parametrize(("interval", "end"), [(90, 60.0), (96, 64.0), (120, 88.0), (1800, 1768.0)])
def test_a_call_that_the_far_end_does_not_refresh_ends(interval: int, end: float) -> None:
    """The lesser of 32 s and a third of the interval before its end (section 10)."""

    async def story(on: Play) -> None:
        _, call = await on.talking(extra=[UPDATES, ("Session-Expires", f"{interval};refresher=uas")])
        up = on.world.now()
        await asyncio.sleep(end - 1)
        bye = await on.far.heard("BYE")
        assert on.world.now() - up == pytest.approx(end, abs=0.0005)
        on.far.answer(bye, 200)
        await call.over()
        assert call.state is CallState.ENDED
        assert f"the session expired after {interval} s: the far end did not refresh it" in on.states[-1]

    play(story, **ON)


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_a_refresh_of_the_far_end_keeps_the_call(method: str) -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking(extra=[UPDATES, FAR_END])
        for number in (101, 102):
            await asyncio.sleep(59)
            again = on.from_far(method, invite, number, body=offer() if method == "INVITE" else b"")
            again.headers.add("Session-Expires", "90;refresher=uac")
            again.headers.add("Supported", "timer")
            on.far.send(again)
            response = await on.far.response(200, method)
            assert response.headers.get("Session-Expires") == "90;refresher=uac"
            assert response.headers.get("Require") == "timer"
            if method == "INVITE":
                on.far.send(on.far.ack(again, response))
        up = on.world.now()
        await asyncio.sleep(30)
        on.far.answer(await on.far.heard("BYE"), 200)
        assert on.world.now() - up == 60.0
        await call.over()

    play(story, **ON)


def test_a_refresh_that_is_refused_is_tried_again_until_the_end() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking(extra=[UPDATES, THIS_END])
        up, times = on.world.now(), []
        while (request := await on.far.request()).method == "UPDATE":
            times.append(on.world.now() - up)
            on.far.answer(request, 503)
        assert request.method == "BYE"
        assert times == [45.0, 52.5, 56.25, 58.125]
        assert on.world.now() - up == 60.0
        on.far.answer(request, 200)
        await call.over()
        assert "this phone's refresh failed" in on.states[-1]

    play(story, **ON)


def test_a_refresh_without_answer_ends_the_call() -> None:
    """The session ends before the UPDATE's transaction does."""

    async def story(on: Play) -> None:
        _, call = await on.talking(extra=[UPDATES, THIS_END])
        up = on.world.now()
        while (request := await on.far.request()).method == "UPDATE":
            pass
        assert on.world.now() - up == 60.0
        on.far.answer(request, 200)
        await call.over()

    play(story, **ON)


@pytest.mark.parametrize("status", [408, 481])
def test_a_refresh_that_finds_no_call_ends_it(status: int) -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking(extra=[UPDATES, THIS_END])
        on.far.answer(await on.far.heard("UPDATE"), status)
        on.far.answer(await on.far.heard("BYE"), 200)
        await call.over()

    play(story, **ON)


def test_a_2xx_without_session_expires_ends_the_timer() -> None:
    async def story(on: Play) -> None:
        await on.talking(extra=[UPDATES, THIS_END])
        on.far.answer(await on.far.heard("UPDATE"), 200)
        await on.far.nothing(200)

    play(story, **ON)


def test_a_422_is_answered_with_a_longer_interval() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        first = await on.far.heard("INVITE")
        on.far.answer(first, 422, extra=[("Min-SE", "300")])
        await on.far.heard("ACK")
        again = await on.far.heard("INVITE")
        assert again.call_id == first.call_id
        assert again.cseq.number == first.cseq.number + 1
        assert again.headers.get("Session-Expires") == "300;refresher=uac"
        assert again.headers.get("Min-SE") == "300"
        on.far.answer(again, 200, body=offer(), extra=[UPDATES, ("Session-Expires", "300;refresher=uac")])
        await on.far.heard("ACK")
        await call.settled()
        assert len(call.route) == 1
        assert call.route[0].sent == 2
        up = on.world.now()
        await asyncio.sleep(150)
        update = await on.far.heard("UPDATE")
        assert on.world.now() - up == 150.0
        assert update.headers.get("Min-SE") == "300", "remembered in the dialog (section 7.4)"

    play(story, **ON)


def test_a_422_that_asks_for_no_more_is_an_answer() -> None:
    # rule C3
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 422, extra=[("Min-SE", "90")])
        await on.far.heard("ACK")
        await call.over()
        assert call.status == 422

    play(story, **ON)


def test_a_422_to_a_refresh_lengthens_the_session() -> None:
    async def story(on: Play) -> None:
        await on.talking(extra=[UPDATES, THIS_END])
        on.far.answer(await on.far.heard("UPDATE"), 422, extra=[("Min-SE", "200")])
        again = await on.far.heard("UPDATE")
        assert again.headers.get("Session-Expires") == "200;refresher=uac"
        assert again.headers.get("Min-SE") == "200"
        on.far.answer(again, 200, extra=[("Session-Expires", "200;refresher=uac")])
        start = on.world.now()
        await asyncio.sleep(99)
        await on.far.heard("UPDATE")
        assert on.world.now() - start == 100.0

    play(story, **ON)


def test_who_refreshes_is_the_setting_of_the_caller() -> None:
    async def story(on: Play) -> None:
        on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        assert invite.headers.get("Session-Expires") == "90;refresher=uas"

    play(story, **ON, account__1__session_timer__refresher=1)


# -- the called end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "refresher", "answer"),
    [
        # table 2 of section 9: what the caller supports and asks for, the setting, the 200
        ([], 0, ("90;refresher=uas", None)),
        ([("Session-Expires", "600")], 0, ("90;refresher=uas", None)),
        ([("Session-Expires", "60")], 0, ("90;refresher=uas", None)),  # erratum 1687: raised, not refused
        ([("Supported", "timer")], 0, ("90;refresher=uac", "timer")),
        ([("Supported", "timer")], 1, ("90;refresher=uas", "timer")),
        ([("k", "timer"), ("x", "600;refresher=uac")], 1, ("90;refresher=uac", "timer")),
        (
            [("Supported", "timer"), ("Session-Expires", "600;refresher=uas")],
            0,
            ("90;refresher=uas", "timer"),
        ),
        (
            [("Supported", "timer"), ("Session-Expires", "600"), ("Min-SE", "300")],
            0,
            ("300;refresher=uac", "timer"),
        ),
        ([("Require", "timer"), ("Session-Expires", "90")], 0, ("90;refresher=uac", "timer")),
    ],
)
def test_what_a_call_is_taken_with(asked: Extra, refresher: int, answer: tuple[str, str | None]) -> None:
    async def story(on: Play) -> None:
        _, response, _ = await on.taken(extra=asked)
        found = response.headers.get("Session-Expires"), response.headers.get("Require")
        assert found == answer

    play(story, **ON, account__1__session_timer__refresher=refresher)


def test_the_called_phone_refreshes_where_it_is_to() -> None:
    async def story(on: Play) -> None:
        extra = [UPDATES, ("Supported", "timer"), ("Session-Expires", "90;refresher=uas")]
        await on.taken(extra=extra)
        up = on.world.now()
        update = await on.far.heard("UPDATE")
        assert on.world.now() - up == pytest.approx(45.0, abs=0.002)
        assert update.headers.get("Session-Expires") == "90;refresher=uac", "now it is the client"
        on.far.answer(update, 200, extra=[THIS_END])

    play(story, **ON)


def test_a_caller_that_does_not_refresh_is_hung_up_on() -> None:
    async def story(on: Play) -> None:
        extra = [("Supported", "timer"), ("Session-Expires", "90;refresher=uac")]
        _, _, call = await on.taken(extra=extra)
        up = on.world.now()
        await asyncio.sleep(30)
        on.far.answer(await on.far.heard("BYE"), 200)
        assert on.world.now() - up == pytest.approx(60.0, abs=0.002)
        await call.over()

    play(story, **ON)


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ([("Supported", "timer"), ("Session-Expires", "89")], 422),
        ([("Supported", "timer"), ("Session-Expires", "90")], 180),
        ([("Session-Expires", "89")], 180),  # the caller would not understand a 422
        ([("Supported", "timer"), ("Session-Expires", "rubbish")], 180),
    ],
)
def test_an_interval_that_is_too_small(extra: Extra, status: int) -> None:
    async def story(on: Play) -> None:
        on.far.send(on.far.invite(extra=extra))
        response = await on.far.response(status)
        assert response.headers.get("Min-SE") == ("90" if status == 422 else None)

    play(story, **ON)


def test_an_interval_that_is_too_small_in_a_call() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking(extra=[UPDATES, FAR_END])
        update = on.from_far("UPDATE", invite)
        update.headers.add("Session-Expires", "30")
        update.headers.add("Supported", "timer")
        on.far.send(update)
        response = await on.far.response(422, "UPDATE")
        assert response.headers.get("Min-SE") == "90"
        assert call.state is CallState.TALKING

    play(story, **ON)


@pytest.mark.parametrize("direction", ["outgoing", "incoming"])
def test_no_clock_runs_before_the_call_is_up(direction: str) -> None:
    """What an UPDATE asks for in an early dialog: the called end may send no BYE there (section 15)."""

    async def story(on: Play) -> None:
        if direction == "outgoing":
            call: Call = on.phone.dial("1002")
            invite = await on.far.heard("INVITE")
            on.far.answer(invite, 180)
            await on.rest()
            update = on.from_far("UPDATE", invite)
        else:
            invite, ringing, call = await on.ringing()
            own, phone = invite.headers.get("From") or "", ringing.headers.get("To") or ""
            update = on.far.inside("UPDATE", invite.call_id, own, phone, 2)
        update.headers.add("Session-Expires", "90;refresher=uac")
        update.headers.add("Supported", "timer")
        on.far.send(update)
        response = await on.far.response(200, "UPDATE")
        assert response.headers.get("Session-Expires") is None
        await on.far.nothing(70)
        assert call.state is CallState.RINGING

    play(story, **ON, phone_setting__ringing_timeout=200, phone_setting__ringback_timeout=200)


def test_a_hang_up_stops_the_clock() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking(extra=[UPDATES, THIS_END])
        ending = asyncio.create_task(call.hang_up())
        on.far.answer(await on.far.heard("BYE"), 200)
        await ending
        await on.far.nothing(200)

    play(story, **ON)


def test_a_refused_hold_leaves_the_clock_as_it_was() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking(extra=[UPDATES, THIS_END])
        up = on.world.now()
        await asyncio.sleep(20)
        holding = asyncio.create_task(call.hold())
        on.far.answer(await on.far.heard("INVITE"), 488)
        await on.far.heard("ACK")
        with pytest.raises(CallError):
            await holding
        await on.far.heard("UPDATE")
        assert on.world.now() - up == 45.0

    play(story, **ON)


# -- headers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "interval", "refresher"),
    [
        ("1800", 1800, ""),
        ("1800 ; refresher=UAS", 1800, "uas"),
        ("1800;x=y;refresher=uac", 1800, "uac"),
        ("1800;refresher=nobody", 1800, ""),
        ("99999999999", 2**32 - 1, ""),
    ],
)
def test_session_expires_is_read(value: str, interval: int, refresher: str) -> None:
    wish = wish_of(message(("Session-Expires", value)))
    assert wish is not None
    assert (wish.interval, wish.refresher) == (interval, refresher)


@pytest.mark.parametrize("value", ["", "x", "-90", "²", "٩٠", "9 0"])
def test_session_expires_that_is_none(value: str) -> None:
    assert wish_of(message(("Session-Expires", value))) is None


def test_an_interval_below_the_least_is_taken_for_the_least() -> None:
    """A far end cannot make the phone refresh all the time."""
    response = Response(200, "OK", Headers([("Session-Expires", "1;refresher=uac")]))
    assert agreed(account(), response) == Terms(90, ours=True)
    terms, _ = granted(account(), message(("Session-Expires", "1")))
    assert terms == Terms(90, ours=True)


def test_a_422_to_an_invite_without_timer_helps_nobody() -> None:
    response = Response(422, "Session Interval Too Small", Headers([("Min-SE", "200")]))
    assert not ask_longer(message(), response)


def test_each_422_must_ask_for_more() -> None:
    invite = message(("Session-Expires", "90;refresher=uac"))
    responses = [Response(422, "", Headers([("Min-SE", text)])) for text in ("200", "200", "300")]
    assert [ask_longer(invite, response) for response in responses] == [True, False, True]
    assert invite.headers.get("Min-SE") == "300"


def test_sdp_is_not_in_an_update() -> None:
    async def story(on: Play) -> None:
        await on.talking(extra=[UPDATES, THIS_END])
        update = await on.far.heard("UPDATE")
        assert lines(update.body, "v=") == []

    play(story, **ON)
