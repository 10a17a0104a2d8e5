"""Digits leave only in a way that the far end has agreed to (``account.X.dtmf.type``)."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import Address, CallState
from phone_emulator.media import dtmf, rtp
from phone_emulator.phone import Call, CallError
from phone_emulator.sip.message import Request
from tests.phone.far_end import Play, Story, offer, play

IN_BAND, EVENTS, INFO, BOTH = range(4)
NONE = offer()
"""A description without telephone events."""
NOT_AGREED = "the far end has not agreed to telephone events"


def taking(number: int = 101, events: str = "") -> bytes:
    """A description of the far end that takes the telephone *events* under *number*."""
    return offer(events=number) + (f"a=fmtp:{number} {events}\r\n".encode() if events else b"")


def playing(story: Story, kind: int) -> None:
    """Run *story* with a phone that sends digits in the way *kind*."""
    play(story, account__1__dtmf__type=kind)


class Ear:
    """The far end's RTP port, and the telephone events that come in."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, str]] = []

    def datagram_received(self, data: bytes, remote: Address) -> None:
        packet = rtp.parse(data)
        event = dtmf.parse_event(packet.payload)
        if packet.marker:
            self.heard.append((packet.payload_type, dtmf.DIGITS[event.event]))

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        raise AssertionError(reason)


async def up(on: Play, body: bytes) -> tuple[Call, Ear]:
    """The phone is in a call with a far end of that description."""
    ear = Ear()
    await on.world.open_udp(Address("192.168.1.13", 4000), ear)
    _, call = await on.talking(body=body)
    return call, ear


def invite_of(on: Play) -> Request:
    """The INVITE that the phone has sent."""
    [(_, invite)] = on.sent("INVITE")
    assert isinstance(invite, Request)
    return invite


async def infos(on: Play, sending: asyncio.Task[None], *statuses: int) -> list[bytes]:
    """The far end answers the phone's INFOs so; their bodies."""
    bodies = []
    for status in statuses:
        info = await on.far.heard("INFO")
        bodies.append(info.body)
        on.far.answer(info, status)
    await asyncio.wait([sending])
    await on.far.nothing()
    return bodies


@pytest.mark.parametrize("number", [96, 97, 101, 127])
def test_the_number_of_the_events_is_the_receivers(number: int) -> None:
    async def story(on: Play) -> None:
        call, ear = await up(on, taking(number))
        await call.send_dtmf("1#")
        await on.rest()
        assert ear.heard == [(number, "1"), (number, "#")]
        assert call.voice.audio is not None
        event = dtmf.Event(5, True, 10, 800).pack()
        for arrives in {101, number}:
            packet = rtp.Packet(arrives, 1, 1, arrives, event, marker=True)
            call.voice.audio.datagram_received(packet.pack(), Address("192.168.1.13", 4000))
        assert call.voice.audio.digits == "5", "only under this end's own number"

    playing(story, EVENTS)


def test_an_offer_of_the_far_end_names_the_number() -> None:
    async def story(on: Play) -> None:
        ear = Ear()
        await on.world.open_udp(Address("192.168.1.13", 4000), ear)
        _, _, call = await on.taken(body=taking(98))
        await call.send_dtmf("7")
        assert ear.heard == [(98, "7")]

    playing(story, EVENTS)


@pytest.mark.parametrize(
    ("body", "digits", "why"),
    [
        (NONE, "12", NOT_AGREED),
        (taking().replace(b"telephone-event/8000", b"telephone-event/48000"), "1", NOT_AGREED),
        (taking().replace(b"AVP 0 101", b"AVP 0"), "1", NOT_AGREED),
        (taking(events="0-11"), "1A", "the far end takes no A as a telephone event"),
        (taking(events="0-9"), "#", "the far end takes no # as a telephone event"),
    ],
)
@pytest.mark.parametrize("kind", [EVENTS, BOTH])
def test_events_that_are_not_agreed(kind: int, body: bytes, digits: str, why: str) -> None:
    """They fail in words, or INFO goes alone."""

    async def story(on: Play) -> None:
        call, ear = await up(on, body)
        sending = asyncio.create_task(call.send_dtmf(digits))
        if kind == BOTH:
            bodies = await infos(on, sending, *[200] * len(digits))
            assert [body.split(b"\r\n")[0].decode() for body in bodies] == [f"Signal={d}" for d in digits]
            sending.result()
        else:
            with pytest.raises(CallError, match=why):
                await sending
            await on.far.nothing()
        assert ear.heard == []
        assert call.state is CallState.TALKING

    playing(story, kind)


def test_both_ways_where_both_are_agreed() -> None:
    async def story(on: Play) -> None:
        call, ear = await up(on, taking())
        await infos(on, sending := asyncio.create_task(call.send_dtmf("1")), 200)
        sending.result()
        assert ear.heard == [(101, "1")]

    playing(story, BOTH)


def test_a_far_end_that_refuses_info_has_the_events() -> None:
    async def story(on: Play) -> None:
        call, ear = await up(on, taking())
        await infos(on, sending := asyncio.create_task(call.send_dtmf("12")), 405)
        sending.result()
        assert ear.heard == [(101, "1"), (101, "2")]

    playing(story, BOTH)


@pytest.mark.parametrize(("kind", "body"), [(INFO, taking()), (BOTH, NONE)])
def test_an_info_that_is_refused_fails(kind: int, body: bytes) -> None:
    async def story(on: Play) -> None:
        call, ear = await up(on, body)
        await infos(on, sending := asyncio.create_task(call.send_dtmf("12")), 200, 415)
        with pytest.raises(CallError, match="the far end refused the digit 2: 415"):
            sending.result()
        assert ear.heard == []

    playing(story, kind)


@pytest.mark.parametrize("kind", [IN_BAND, EVENTS, INFO, BOTH])
def test_what_is_no_digit_is_refused_before_anything_leaves(kind: int) -> None:
    async def story(on: Play) -> None:
        call, ear = await up(on, taking())
        with pytest.raises(CallError, match="'x' is no DTMF digit"):
            await call.send_dtmf("1x")
        await on.far.nothing()
        assert ear.heard == []
        assert call.state is CallState.TALKING

    playing(story, kind)


@pytest.mark.parametrize("held_by", ["this phone", "the far end"])
@pytest.mark.parametrize("kind", [EVENTS, INFO, BOTH])
def test_a_hold_stops_the_digits_that_wait(kind: int, held_by: str) -> None:
    async def story(on: Play) -> None:
        call, ear = await up(on, taking())
        sending = asyncio.create_task(call.send_dtmf("12"))
        if kind == EVENTS:
            await asyncio.sleep(0.11)
            assert ear.heard == [(101, "1")]
        else:
            info = await on.far.heard("INFO")
        if held_by == "this phone":
            holding = asyncio.create_task(call.hold())
            on.far.answer(await on.far.heard("INVITE"), 200, body=offer("recvonly"))
            await on.far.heard("ACK")
            await holding
        else:
            update = on.from_far("UPDATE", next(r for _, r in on.sent("INVITE")), body=offer("sendonly"))  # type: ignore[arg-type]
            on.far.send(update)
            await on.far.response(200, "UPDATE")
        if kind != EVENTS:
            on.far.answer(info, 200)
        with pytest.raises(CallError, match="not every digit was sent"):
            await sending
        await on.far.nothing()
        assert ear.heard == ([(101, "1")] if kind == EVENTS else [])

    playing(story, kind)


def test_digits_that_wait_when_the_far_end_takes_them_no_longer() -> None:
    async def story(on: Play) -> None:
        call, ear = await up(on, taking())
        sending = asyncio.create_task(call.send_dtmf("12"))
        await asyncio.sleep(0.05)
        on.far.send(on.from_far("UPDATE", invite_of(on), body=NONE))
        await on.far.response(200, "UPDATE")
        with pytest.raises(CallError, match=f"not every digit was sent: {NOT_AGREED}"):
            await sending
        assert ear.heard == [(101, "1")]

    playing(story, EVENTS)
