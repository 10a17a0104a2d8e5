"""Which codecs are offered and taken: those that can be spoken, or all that the cfg enables (``--offer``)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import CallState, CodecsNotSpoken, Event, MediaChanged, MessageIgnored
from phone_emulator.media.codecs import CODECS, Offer, spoken
from phone_emulator.phone import CallResult, PhoneOptions
from phone_emulator.sip.message import Request
from tests.lab.peers import ack_to
from tests.phone.far_end import Play, lines, offer, play

DECLARED = PhoneOptions(offer=Offer.DECLARED)
OF_THE_FACTORY: dict[str, Any] = {
    f"account__1__codec__{name}__enable": "" for name in ("pcmu", "pcma", "g722", "g729")
} | {"account__1__codec__pcmu__priority": ""}
"""The codecs of a phone whose cfg says nothing about them: G.722, PCMU, PCMA and G.729."""
ONLY_G729 = OF_THE_FACTORY | {f"account__1__codec__{name}__enable": 0 for name in ("pcmu", "pcma", "g722")}
MUTE = "in G.729, which cannot be spoken here: no sound is sent or heard"


def of(*formats: int) -> bytes:
    """A description of the far end with these static payload types and telephone events."""
    named = " ".join(map(str, (*formats, 101))).encode()
    return offer().replace(
        b"AVP 0\r\na=rtpmap:0 PCMU/8000", b"AVP %s\r\na=rtpmap:101 telephone-event/8000" % named
    )


def offered(invite: Request) -> list[str]:
    return lines(invite.body, "m=")


def told(events: list[Event]) -> list[tuple[str, str]]:
    """What was told of the media of calls."""
    return [(event.unspoken, event.reason) for event in events if isinstance(event, MediaChanged)]


def test_the_phone_of_the_factory_offers_what_can_be_spoken() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking(body=of(9))
        assert offered(invite) == ["m=audio 11780 RTP/AVP 9 0 8 101"]
        assert (call.reason, call.route[0].detail) == ("200 OK", "200 OK")
        assert told(on.events) == []

    play(story, **OF_THE_FACTORY)


def test_declared_it_offers_what_the_real_phone_offers_and_the_route_says_so() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking(body=of(0))
        assert offered(invite) == ["m=audio 11780 RTP/AVP 9 0 8 18 101"]
        remark = "offers G.729, which it cannot speak: --offer declared"
        assert call.route[0].detail == f"200 OK ({remark})"
        assert told(on.events) == []

    play(story, DECLARED, **OF_THE_FACTORY)


def test_a_far_end_that_chooses_what_cannot_be_spoken_is_told_of() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking(body=of(18))
        assert call.state is CallState.TALKING
        assert call.reason == f"200 OK, {MUTE}"
        assert call.route[0].detail.endswith(f" --offer declared), {MUTE}")
        assert told(on.events) == [("G.729", f"the call is {MUTE}")]
        audio = call.voice.audio
        assert audio is not None
        await call.send_dtmf("1")
        await asyncio.sleep(1)
        assert audio.counts.sent == 7  # the digit, and no sound

    play(story, DECLARED, **OF_THE_FACTORY)


def test_it_is_told_when_the_far_end_changes_to_what_can_be_spoken() -> None:
    async def story(on: Play) -> None:
        invite, _ = await on.talking(body=of(18))
        on.far.send(on.from_far("UPDATE", invite, 101, body=of(8)))
        response = await on.far.response(200, "UPDATE")
        assert lines(response.body, "m=") == ["m=audio 11780 RTP/AVP 8 101"]
        assert told(on.events)[1:] == [("", "it can be spoken again")]

    play(story, DECLARED, **OF_THE_FACTORY)


def test_an_offer_of_nothing_that_can_be_spoken_is_refused_and_told_of() -> None:
    async def story(on: Play) -> None:
        invite = on.far.invite(body=of(18))
        on.far.send(invite)
        on.far.send(ack_to(invite, await on.far.response(488)))
        [call] = on.phone.history
        assert call.reason == "no common codec: G.729 cannot be spoken here"
        assert [event.reason for event in on.events if isinstance(event, MessageIgnored)] == [call.reason]

    play(story, **OF_THE_FACTORY)


def test_a_new_session_of_nothing_that_can_be_spoken_leaves_the_old_one() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking(body=of(9))
        on.far.send(on.from_far("UPDATE", invite, 101, body=of(18)))
        await on.far.response(488, "UPDATE")
        assert on.ignored == ["no common codec: G.729 cannot be spoken here"]
        assert call.state is CallState.TALKING

    play(story, **OF_THE_FACTORY)


def test_declared_it_takes_what_the_real_phone_takes() -> None:
    async def story(on: Play) -> None:
        _, response, call = await on.taken(body=of(18))
        assert lines(response.body, "m=") == ["m=audio 11780 RTP/AVP 18 101"]
        assert call.reason == f"answered by this phone, {MUTE}"
        assert told(on.events) == [("G.729", f"the call is {MUTE}")]

    play(story, DECLARED, **OF_THE_FACTORY)


@pytest.mark.parametrize(
    ("settings", "why", "way_out"),
    [
        (
            ONLY_G729,
            "no enabled codec can be spoken here (G.729)",
            "; --offer declared offers what is enabled",
        ),
        (ONLY_G729 | {"account__1__codec__g729__enable": 0}, "no codec is enabled", ""),
    ],
)
def test_with_nothing_to_offer_no_call_comes_about(settings: dict[str, Any], why: str, way_out: str) -> None:
    reason = f"{why}: there is nothing to offer; {', '.join(spoken(CODECS))} can be spoken{way_out}"

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        assert await call.settled() is CallResult.FAILED
        assert (call.reason, call.route, call.state) == (reason, [], CallState.ENDED)
        invite = on.far.invite(body=b"")
        on.far.send(invite)
        on.far.send(ack_to(invite, await on.far.response(488)))
        assert on.phone.history[-1].reason == reason
        await on.far.nothing()

    play(story, **settings)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        (Offer.SPOKEN, "G.729 is enabled and cannot be spoken here: it is not offered"),
        (Offer.DECLARED, "G.729 is offered and cannot be spoken here (--offer declared)"),
    ],
)
def test_it_is_told_once_for_the_phone(option: Offer, reason: str) -> None:
    async def story(on: Play) -> None:
        for _ in range(2):
            _, call = await on.talking()
            hanging_up = asyncio.create_task(call.hang_up())
            on.far.answer(await on.far.heard("BYE"), 200)
            await hanging_up
        said = [event for event in on.events if isinstance(event, CodecsNotSpoken)]
        assert [(each.at, each.line, each.codecs, each.offered, each.reason) for each in said] == [
            (0.0, 1, ("G.729",), option is Offer.DECLARED, reason)
        ]

    second: dict[str, Any] = {"account__2__enable": 1, "account__2__sip_server__1__address": "192.168.1.13"}
    play(story, PhoneOptions(offer=option), **OF_THE_FACTORY, **second)
