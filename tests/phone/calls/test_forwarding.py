"""Calls that the phone sends elsewhere: always, when busy, when nobody answers (RFC 5806)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import CallForwarded, CallState
from phone_emulator.sip.message import Response
from tests.lab.peers import ack_to
from tests.phone.far_end import Play, play


def always(to: str = "1005", **more: object) -> dict[str, Any]:
    return {"forward__always__enable": 1, "forward__always__target": to, **more}


def busy(to: str = "1005", **more: object) -> dict[str, Any]:
    return {"forward__busy__enable": 1, "forward__busy__target": to, **more}


def no_answer(rings: int, to: str = "1005", **more: object) -> dict[str, Any]:
    return {
        "forward__no_answer__enable": 1,
        "forward__no_answer__target": to,
        "forward__no_answer__timeout": rings,
        **more,
    }


async def forwarded(on: Play, **how: Any) -> Response:
    """An INVITE, and the 302 that it draws."""
    invite = on.far.invite(**how)
    on.far.send(invite)
    response = await on.far.response(302, "INVITE")
    on.far.send(ack_to(invite, response))
    return response


def told(on: Play) -> list[str]:
    return [f"{event.remote}: {event.reason}" for event in on.events if isinstance(event, CallForwarded)]


def test_every_call_is_forwarded() -> None:
    async def story(on: Play) -> None:
        response = await forwarded(on)
        assert response.headers.get("Contact") == "<sip:1005@192.168.1.13:5060>"
        assert response.headers.get_all("Diversion") == [
            '"Alice" <sip:1001@192.168.1.13:5060>;reason=unconditional'
        ]
        assert on.phone.calls == []
        assert told(on) == ["1002: forwarded to 1005: every call is forwarded"]

    play(story, **always())


@pytest.mark.parametrize(
    ("target", "contact"),
    [
        ("030 12-34", "sip:0301234@192.168.1.13:5060"),
        ("tel:+49-30-12", "sip:+493012@192.168.1.13:5060"),
        ("192.0.2.5", "sip:192.0.2.5"),
        ("1005@192.0.2.5", "sip:1005@192.0.2.5"),
    ],
)
def test_targets_are_read_as_numbers_that_people_type(target: str, contact: str) -> None:
    async def story(on: Play) -> None:
        response = await forwarded(on)
        assert response.headers.get("Contact") == f"<{contact}>"

    play(story, **always(target))


def test_without_diversion() -> None:
    async def story(on: Play) -> None:
        assert "Diversion" not in (await forwarded(on)).headers

    play(story, **always(features__fwd_diversion_enable=0))


def test_a_call_that_was_diverted_before_tells_by_whom() -> None:
    async def story(on: Play) -> None:
        before = "<sip:1004@pbx>;reason=user-busy"
        response = await forwarded(on, extra=[("Diversion", before)])
        assert response.headers.get_all("Diversion")[1:] == [before]

    play(story, **always())


def test_a_call_that_goes_round_in_circles_rings() -> None:
    async def story(on: Play) -> None:
        extra = [("Diversion", f"<sip:{n}@pbx>") for n in range(5)]
        await on.ringing(extra=extra)

    play(story, **always())


@pytest.mark.parametrize(
    ("target", "uri"), [("sip:bob@example.com", "sip:bob@example.com"), ("a b", ""), ("", "")]
)
def test_where_it_goes(target: str, uri: str) -> None:
    async def story(on: Play) -> None:
        if uri:
            assert (await forwarded(on)).headers.get("Contact") == f"<{uri}>"
        else:
            await on.ringing()

    play(story, **always(target))


def test_forwarding_comes_before_do_not_disturb() -> None:
    async def story(on: Play) -> None:
        await forwarded(on)

    play(story, **always(account__1__dnd__enable=1))


def test_forwarding_may_be_forbidden() -> None:
    async def story(on: Play) -> None:
        await on.ringing()

    play(story, **always(features__fwd__allow=0))


def test_each_line_may_have_its_own() -> None:
    # features.fwd_mode = 1: forward.* counts for nothing
    async def story(on: Play) -> None:
        response = await forwarded(on)
        assert response.headers.get("Contact") == "<sip:1007@192.168.1.13:5060>"

    own: dict[str, Any] = {"account__1__always_fwd__enable": 1, "account__1__always_fwd__target": "1007"}
    play(story, **always(features__fwd_mode=1, **own))


def test_a_busy_phone_forwards() -> None:
    async def story(on: Play) -> None:
        await on.taken()
        response = await forwarded(on, call_id="in-2")
        assert response.headers.get("Contact") == "<sip:1005@192.168.1.13:5060>"
        assert ";reason=user-busy" in (response.headers.get("Diversion") or "")
        assert told(on) == ["1002: forwarded to 1005: the line is busy"]

    play(story, **busy(call_waiting__enable=0))


def test_with_call_waiting_it_is_not_busy() -> None:
    async def story(on: Play) -> None:
        await on.taken()
        await on.ringing(call_id="in-2")

    play(story, **busy())


@pytest.mark.parametrize(("rings", "seconds"), [(0, 0), (1, 6), (2, 12), (20, 120)])
def test_nobody_answers(rings: int, seconds: int) -> None:
    async def story(on: Play) -> None:
        start = on.world.now()
        invite = on.far.invite()
        on.far.send(invite)
        await on.far.response(180)
        await asyncio.sleep(seconds)
        response = await on.far.response(302, "INVITE")
        on.far.send(ack_to(invite, response))
        [call] = on.phone.history
        assert round(on.world.now() - start, 3) == seconds
        assert ";reason=no-answer" in (response.headers.get("Diversion") or "")
        assert (call.state, call.result, call.status) == (CallState.ENDED, "rejected", 302)
        assert call.reason == f"forwarded to 1005: not answered for {seconds} s"

    play(story, **no_answer(rings))


def test_who_answers_in_time_keeps_the_call() -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.taken()
        await on.far.nothing(30)
        assert call.state is CallState.TALKING

    play(story, **no_answer(1))
