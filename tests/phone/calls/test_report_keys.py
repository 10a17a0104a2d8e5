"""What the cfg file says of RTCP and of the jitter buffer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import Address
from phone_emulator.media import rtp
from phone_emulator.phone import Call
from phone_emulator.phone.calls.reports import ReportStyle
from tests.lab.peers import PHONE, SERVER
from tests.phone.far_end import Play, offer, play

FAR = Address(SERVER.host, 4000)


@pytest.mark.parametrize(("settings", "answered"), [({}, True), ({"voice__rtcp__enable": 0}, False)])
def test_rtcp_mux_is_answered_where_there_is_rtcp(settings: dict[str, Any], answered: bool) -> None:
    """``voice.rtcp.enable``; RFC 5761 section 5.1.1."""

    async def story(on: Play) -> None:
        _, response, call = await on.taken(body=offer() + b"a=rtcp-mux\r\n")
        assert (b"a=rtcp-mux" in response.body) is answered
        assert (call.voice.report_style is not None) is answered
        assert call.voice.agreed is not None
        assert call.voice.agreed.rtcp_mux is answered

    play(story, **settings)


@pytest.mark.parametrize(
    ("settings", "style"),
    [
        ({}, ReportStyle(f"1001@{PHONE.host}")),
        ({"voice__rtcp_cname": "desk 7"}, ReportStyle("desk 7")),
        ({"voice__rtcp_xr__enable": 1}, ReportStyle(f"1001@{PHONE.host}", extended=True)),
    ],
)
def test_what_reports_are_like(settings: dict[str, Any], style: ReportStyle) -> None:
    """``voice.rtcp_cname``, ``voice.rtcp_xr.enable``."""

    async def story(on: Play) -> None:
        _, call = await on.talking()
        assert call.voice.report_style == style

    play(story, **settings)


def late(call: Call, delays: list[float]) -> int:
    """How many packets come too late of 20 ms each, those at the end by *delays*."""
    audio = call.voice.audio
    assert audio is not None
    came = [(n * 0.02, n) for n in range(50)]
    came += [((50 + n) * 0.02 + delay, 50 + n) for n, delay in enumerate(delays)]
    for arrived, n in came:
        audio.hearing.receive(rtp.Packet(0, n, n * 160, 7, bytes(160)).pack(), FAR, arrived)
    return audio.numbers.heard.late


@pytest.mark.parametrize(
    ("settings", "delays", "lates"),
    [
        ({}, [0.061, 0.060], 1),
        ({}, [0.3, 0.239, 0.3], 2),
        ({"voice__jib__min": 100}, [0.099], 0),
        ({"voice__jib__max": 100}, [0.3, 0.099, 0.101], 2),
        ({"voice__jib__adaptive": 0}, [0.119, 0.121, 0.121], 2),
        ({"voice__jib__adaptive": 0, "voice__jib__normal": 40}, [0.039, 0.041], 1),
    ],
)
def test_the_jitter_buffer(settings: dict[str, Any], delays: list[float], lates: int) -> None:
    """``voice.jib.adaptive``, ``.min``, ``.normal``, ``.max``."""

    async def story(on: Play) -> None:
        _, call = await on.talking()
        assert late(call, delays) == lates

    play(story, **settings)


def test_time_without_sound_counts_once_the_call_is_up() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, body=offer())
        await asyncio.sleep(7)
        on.far.answer(invite, 200, body=offer())
        await asyncio.sleep(3)
        audio = call.voice.audio
        assert audio is not None
        assert audio.numbers.heard.longest_silence == pytest.approx(3, abs=0.01)
        again = on.from_far("INVITE", invite, body=offer("inactive"))
        on.far.send(again)
        await on.far.heard("ACK")
        on.far.send(on.far.ack(again, await on.far.response(200, "INVITE")))
        await asyncio.sleep(20)
        assert audio.numbers.heard.longest_silence < 4

    play(story)
