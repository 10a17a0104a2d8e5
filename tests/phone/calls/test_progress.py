"""Which tone of the phone's own its user hears, as a call stands."""

from __future__ import annotations

import asyncio
from itertools import product

import pytest

from phone_emulator.config import load_text
from phone_emulator.events import CallState, Direction, ToneHeard, ToneKind
from phone_emulator.media.country_tones import COUNTRIES
from phone_emulator.phone import CallResult
from phone_emulator.phone.calls.progress import BUSY, Standing, tone_of
from tests.phone.far_end import Play, offer, play

OUT, IN = Direction.OUTGOING, Direction.INCOMING
RINGBACK, CUSTOM = "ringback", COUNTRIES["Custom"]


def tones(on: Play) -> list[str]:
    """What was told, each as its tone; empty for none."""
    return [event.tone or "" for event in on.events if isinstance(event, ToneHeard)]


def sounds(on: Play) -> list[tuple[str, str, float]]:
    """Each tone that was told, how it sounds and for how long."""
    heard = (event for event in on.events if isinstance(event, ToneHeard))
    return [(event.tone, event.sound, event.seconds) for event in heard if event.tone is not None]


@pytest.mark.parametrize(
    ("call", "tone"),
    [
        (Standing(CallState.CALLING, OUT), None),
        (Standing(CallState.RINGING, OUT), None),
        (Standing(CallState.RINGING, OUT, rings=True), ToneKind.RINGBACK),
        (Standing(CallState.RINGING, OUT, rings=True, early=True), None),
        (Standing(CallState.RINGING, IN), None),
        (Standing(CallState.RINGING, IN, another_talks=True), ToneKind.CALL_WAITING),
        (Standing(CallState.TALKING, OUT, rings=True, was_up=True), None),
        (Standing(CallState.ENDED, OUT, failed=True, status=486), ToneKind.BUSY),
        (Standing(CallState.ENDED, OUT, failed=True, status=600), ToneKind.BUSY),
        (Standing(CallState.ENDED, OUT, failed=True, status=503), ToneKind.CONGESTION),
        (Standing(CallState.ENDED, OUT, failed=True), ToneKind.CONGESTION),
        (Standing(CallState.ENDED, OUT), None),
        (Standing(CallState.ENDED, IN, failed=True, status=486), None),
        (Standing(CallState.ENDED, IN, was_up=True, hung_up=True), ToneKind.BUSY),
        (Standing(CallState.ENDED, OUT, was_up=True), None),
    ],
)
def test_the_tone_of_each_standing(call: Standing, tone: ToneKind | None) -> None:
    assert tone_of(call) is tone


def test_nobody_hears_a_tone_and_the_far_end() -> None:
    for state, way, rings, another in product(CallState, Direction, (True, False), (True, False)):
        up = state in (CallState.TALKING, CallState.HELD)
        call = Standing(state, way, rings=rings, early=not up, was_up=up, another_talks=another)
        assert tone_of(call) in (None, ToneKind.CALL_WAITING), call


def test_ringback_until_the_answer() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183)
        await on.rest()
        assert tones(on) == [], "nobody has said that it rings"
        on.far.answer(invite, 180)
        on.far.answer(invite, 180)
        await on.rest()
        assert call.progress.tone == RINGBACK
        assert sounds(on) == [(RINGBACK, CUSTOM.ringback, 0.0)]
        on.far.answer(invite, 200, body=offer())
        await on.far.heard("ACK")
        assert tones(on) == [RINGBACK, ""]
        await call.hang_up()

    play(story)


@pytest.mark.parametrize(("deal", "after"), [(1, [RINGBACK]), (0, [])])
def test_early_media_takes_the_place_of_ringback(deal: int, after: list[str]) -> None:
    """``phone_setting.is_deal180``"""

    async def story(on: Play) -> None:
        on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        on.far.answer(invite, 183, body=offer())
        await on.rest()
        assert tones(on) == [RINGBACK, ""]
        on.far.answer(invite, 180)
        await on.rest()
        assert tones(on) == [RINGBACK, "", *after]
        on.far.answer(invite, 486)
        await on.far.heard("ACK")
        assert tones(on)[-1] == "busy"

    play(story, phone_setting__is_deal180=deal)


@pytest.mark.parametrize("status", [404, 480, 486, 500, 600, 603])
def test_a_call_that_comes_to_nothing(status: int) -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), status)
        await call.over()
        kind, sound = ("busy", CUSTOM.busy) if status in BUSY else ("congestion", CUSTOM.congestion)
        assert sounds(on) == [(kind, sound, 5.0)]
        assert call.progress.heard == [kind]

    play(story)


def test_no_server_is_congestion() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")  # nobody answers
        assert await call.settled() is CallResult.FAILED
        await call.over()
        assert tones(on) == ["congestion"]

    play(story)


def test_who_gives_up_hears_nothing() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        await on.rest()
        ending = asyncio.ensure_future(call.hang_up())
        on.far.answer(await on.far.heard("CANCEL"), 200)
        on.far.answer(invite, 487)
        await ending
        assert tones(on) == [RINGBACK, ""]

    play(story)


@pytest.mark.parametrize(("delay", "told"), [(0, []), (3, [("busy", CUSTOM.busy, 3.0)])])
def test_the_far_end_hangs_up(delay: int, told: list[tuple[str, str, float]]) -> None:
    """``features.busy_tone_delay``"""

    async def story(on: Play) -> None:
        invite, call = await on.talking()
        on.far.send(on.from_far("BYE", invite))
        await call.over()
        assert sounds(on) == told

    play(story, features__busy_tone_delay=delay)


def test_this_phone_hangs_up() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        ending = asyncio.ensure_future(call.hang_up())
        on.far.answer(await on.far.heard("BYE"), 200)
        await ending
        assert tones(on) == []

    play(story, features__busy_tone_delay=5)


@pytest.mark.parametrize(("tone", "told"), [(1, ["call waiting", ""]), (0, [])])
def test_somebody_calls_while_another_call_talks(tone: int, told: list[str]) -> None:
    """``call_waiting.tone``"""

    async def story(on: Play) -> None:
        await on.talking()
        _, _, call = await on.ringing(call_id="in-2")
        assert (call.progress.tone == "call waiting") is bool(tone)
        call.reject()
        await on.far.response(486)
        await on.rest()
        assert tones(on) == told

    play(story, call_waiting__tone=tone)


def test_a_phone_that_does_nothing_rings_aloud() -> None:
    async def story(on: Play) -> None:
        await on.ringing()
        assert tones(on) == []

    play(story)


async def every_tone(on: Play) -> None:
    """Ringback, busy, congestion, call waiting."""
    call = on.phone.dial("1002")
    invite = await on.far.heard("INVITE")
    on.far.answer(invite, 180)
    on.far.answer(invite, 486)
    await on.far.heard("ACK")
    await call.over()
    on.phone.dial("1002")
    on.far.answer(await on.far.heard("INVITE"), 480)
    await on.far.heard("ACK")
    await on.talking()
    await on.ringing(call_id="in-2")


@pytest.mark.parametrize("country", ["United States", "Germany", "Great Britain"])
def test_the_tones_of_a_country(country: str) -> None:
    """``voice.tone.country``, which ``voice.tone.ring`` and the like do not touch."""

    async def story(on: Play) -> None:
        await every_tone(on)
        assert [sound for _, sound, _ in sounds(on)] == list(COUNTRIES[country][1:])

    play(story, voice__tone__country=country, voice__tone__ring="1000/100")


def test_tones_of_ones_own() -> None:
    """``voice.tone.ring``, ``.busy``, ``.congestion``, ``.callwaiting``; 0 is no tone."""

    async def story(on: Play) -> None:
        await every_tone(on)
        assert [sound for _, sound, _ in sounds(on)] == ["800/100", "900/100", "!1100/100"]

    play(
        story,
        voice__tone__ring="800/100",
        voice__tone__busy="900/100",
        voice__tone__congestion="0",
        voice__tone__callwaiting="!1100/100",
    )


def test_what_is_no_tone_and_no_country_is_told() -> None:
    text = "#!version:1.0.0.1\naccount.1.enable = 1\naccount.1.sip_server.1.address = a\n"
    text += "voice.tone.country = Atlantis\nvoice.tone.busy = 425*2\nvoice.tone.ring =\n"
    loaded = load_text(text, "x.cfg")
    assert (loaded.config.tone_country, loaded.config.tone_busy) == ("Custom", "")
    told = [str(each) for each in loaded.diagnostics if each.code == "bad-value"]
    assert len(told) == 2
    assert "expected one of Custom, Australia, " in told[0]
    assert "expected a tone, 440+480/2000,0/4000" in told[1]
