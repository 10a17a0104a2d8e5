"""Reports on the quality of calls, as they end (RFC 6035, ``account.X.vq_rtcpxr``)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from phone_emulator.events import Address, AttemptEnded
from phone_emulator.phone import Call
from phone_emulator.phone.calls.audio import Audio
from phone_emulator.phone.calls.reports import ReportStyle
from phone_emulator.sip.message import Request
from tests.lab.peers import PHONE, SERVER
from tests.phone.calls.test_direct_calls import Another
from tests.phone.calls.test_tapped import Keeper
from tests.phone.far_end import Play, play
from tests.phone.wire.quality_grammar import follows, plain
from tests.phone.wire.wire_stories import CHALLENGE

COLLECTOR = Address("192.0.2.9", 5060)
ON: dict[str, Any] = {
    "phone_setting__vq_rtcpxr__session_report__enable": 1,
    "account__1__vq_rtcpxr__collector_server_host": COLLECTOR.host,
}
Story = Callable[[Play, Another], Awaitable[None]]


def reported(story: Story, at: Address = COLLECTOR, **settings: Any) -> None:
    """*story* with somebody who collects reports at the address *at*."""

    async def whole(on: Play) -> None:
        await story(on, await Another(on.world).settle(at))

    play(whole, **ON | settings)


async def speak(on: Play, call: Call, *, extended: bool = False) -> None:
    """Let the far end speak for ten seconds, and tell how it hears the phone."""
    audio = call.voice.audio
    assert audio is not None
    style = ReportStyle("far", extended=extended)
    far = Audio(on.world, Address(SERVER.host, 4000), stream=True, reports=style)
    await far.open()
    far.set_remote(audio.local, rtcp=Address(audio.local.host, audio.local.port + 1))
    await asyncio.sleep(10)
    far.close()


async def spoken(on: Play, *, extended: bool = False) -> tuple[Request, Call]:
    """The phone has called, been spoken to, and hung up: its INVITE, and the call."""
    on.phone.bus.tap = Keeper()
    invite, call = await on.talking()
    await speak(on, call, extended=extended)
    await hung_up(on, call)
    return invite, call


async def hung_up(on: Play, call: Call) -> None:
    ending = asyncio.create_task(call.hang_up())
    on.far.answer(await on.far.heard("BYE"), 200)
    await ending


def body_of(publish: Request) -> list[str]:
    """The lines of a report that follows its grammar."""
    text = plain(publish.body)
    assert follows(text), text
    return text.splitlines()


def outcomes(on: Play) -> list[tuple[str, str, str]]:
    """What became of each PUBLISH."""
    ended = [event.attempt for event in on.events if isinstance(event, AttemptEnded)]
    return [(str(a.target), str(a.outcome), a.detail) for a in ended if a.method == "PUBLISH"]


def test_a_call_is_reported_when_it_is_over() -> None:
    """``phone_setting.vq_rtcpxr.session_report.enable``"""

    async def story(on: Play, collector: Another) -> None:
        invite, _ = await spoken(on)
        assert on.world.now() < 11, "the call does not wait for the collector"
        publish = await collector.heard("PUBLISH")
        assert publish.uri == "sip:192.0.2.9:5060"
        told = {
            name: publish.headers.get(name) for name in ("To", "Event", "Content-Type", "CSeq", "Expires")
        }
        assert told == {
            "To": "<sip:192.0.2.9:5060>",
            "Event": "vq-rtcpxr",
            "Content-Type": "application/vq-rtcpxr",
            "CSeq": "1 PUBLISH",
            "Expires": None,
        }
        assert (publish.headers.get("From") or "").startswith('"Alice" <sip:1001@192.168.1.13:5060>;tag=')
        assert publish.call_id != invite.call_id
        lines = body_of(publish)
        assert lines[:5] == [
            "VQSessionReport: CallTerm",
            f"CallID: {invite.call_id}",
            'LocalID: "Alice" <sip:1001@192.168.1.13:5060>',
            "RemoteID: <sip:1002@192.168.1.13:5060>",
            'OrigID: "Alice" <sip:1001@192.168.1.13:5060>',
        ]
        assert lines[5].startswith(f"LocalAddr: IP={PHONE.host} PORT=11780 SSRC=0x")
        assert lines[6].startswith(f"RemoteAddr: IP={SERVER.host} PORT=4000 SSRC=0x")
        assert not lines[6].endswith("SSRC=0x00000000")
        assert lines[-1] == f"DialogID:{invite.call_id};to-tag=far-tag;from-tag={invite.from_tag}"
        metrics = lines[lines.index("LocalMetrics:") : lines.index("RemoteMetrics:")]
        assert metrics[1:] == [
            "Timestamps:START=1970-01-01T00:00:00Z STOP=1970-01-01T00:00:10Z",
            "SessionDesc:PT=0 PD=PCMU SR=8000 PPS=50 PLC=1 SSUP=off",
            "JitterBuffer:JBA=3 JBR=0 JBN=60 JBM=60 JBX=240",
            "PacketLoss:NLR=0.00 JDR=0.00",
            metrics[5],
            "Delay:RTD=0 ESD=80 IAJ=0",
            "QualityEst:RCQ=93 MOSCQ=4.4 QoEEstAlg=G.107",
        ]
        assert metrics[5].startswith("BurstGapLoss:BLD=0.00 BD=0 GLD=0.00 GD=")
        told_of_it = lines[lines.index("RemoteMetrics:") + 1 : -1]
        assert told_of_it == [metrics[1], "PacketLoss:NLR=0.00", "Delay:IAJ=0"]
        collector.answer(publish, 200)
        await on.rest()
        [(where, outcome, _)] = outcomes(on)
        assert (where, outcome) == ("direct 192.0.2.9:5060/udp", "answered")

    reported(story)


def test_what_the_far_end_has_told_in_extended_reports_is_reported() -> None:
    async def story(on: Play, collector: Another) -> None:
        await spoken(on, extended=True)
        publish = await collector.heard("PUBLISH")
        collector.answer(publish, 200)
        lines = body_of(publish)
        told = lines[lines.index("RemoteMetrics:") + 1 : -1]
        assert [line.partition(":")[0] for line in told] == [
            "Timestamps", "JitterBuffer", "PacketLoss", "BurstGapLoss", "Delay", "QualityEst",
        ]  # fmt: skip
        assert told[1] == "JitterBuffer:JBA=3 JBR=0 JBN=60 JBM=60 JBX=240"

    reported(story)


def test_a_call_that_came_in_is_reported() -> None:
    async def story(on: Play, collector: Another) -> None:
        on.phone.bus.tap = Keeper()
        invite, response, call = await on.taken()
        await speak(on, call)
        own, phone = invite.headers.get("From") or "", response.headers.get("To") or ""
        on.far.send(on.far.inside("BYE", invite.call_id, own, phone))
        publish = await collector.heard("PUBLISH")
        collector.answer(publish, 200)
        lines = body_of(publish)
        caller = own.partition(";")[0]
        assert [lines[3], lines[4]] == [f"RemoteID: {caller}", f"OrigID: {caller}"]
        tags = f"to-tag={response.to_tag};from-tag={invite.from_tag}"
        assert lines[-1] == f"DialogID:{invite.call_id};{tags}"

    reported(story)


def test_whom_it_is_reported_to() -> None:
    """``account.X.vq_rtcpxr.collector_name``, ``.collector_server_host``, ``.collector_server_port``."""

    async def story(on: Play, collector: Another) -> None:
        await spoken(on)
        publish = await collector.heard("PUBLISH")
        collector.answer(publish, 200)
        assert publish.uri == "sip:voice%20quality@192.0.2.44:5099"
        assert publish.headers.get("To") == f"<{publish.uri}>"

    there = Address("192.0.2.44", 5099)
    reported(
        story,
        there,
        account__1__vq_rtcpxr__collector_name="voice quality",
        account__1__vq_rtcpxr__collector_server_host=there.host,
        account__1__vq_rtcpxr__collector_server_port=there.port,
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"phone_setting__vq_rtcpxr__session_report__enable": 0},
        {"account__1__vq_rtcpxr__collector_server_host": ""},
    ],
)
def test_nothing_is_reported(settings: dict[str, Any]) -> None:
    async def story(on: Play, collector: Another) -> None:
        await spoken(on)
        await asyncio.sleep(40)
        assert on.sent("PUBLISH") == []

    reported(story, **settings)


def test_a_call_without_sound_is_not_reported() -> None:
    """In virtual time where nobody looks on."""

    async def story(on: Play, collector: Another) -> None:
        _, call = await on.talking()
        await hung_up(on, call)
        failed = on.phone.dial("1003")
        on.far.answer(await on.far.heard("INVITE"), 404)
        await on.far.heard("ACK")
        await failed.over()
        await asyncio.sleep(40)
        assert on.sent("PUBLISH") == []

    reported(story)


def test_what_a_collector_that_refuses_is_told_of() -> None:
    """It is none of the line's servers: no credentials are shown, and nobody else is asked."""

    async def story(on: Play, collector: Another) -> None:
        await spoken(on)
        collector.answer(await collector.heard("PUBLISH"), 401, extra=[("WWW-Authenticate", CHALLENGE)])
        await asyncio.sleep(40)
        assert len(on.sent("PUBLISH")) == 1
        [(where, outcome, detail)] = outcomes(on)
        assert (where, outcome) == ("direct 192.0.2.9:5060/udp", "rejected")
        assert "none of the line's servers" in detail

    reported(story)


def test_a_collector_that_is_the_lines_server_gets_its_credentials() -> None:
    async def story(on: Play) -> None:
        await spoken(on)
        on.far.answer(await on.far.heard("PUBLISH"), 401, extra=[("WWW-Authenticate", CHALLENGE)])
        publish = await on.far.heard("PUBLISH")
        assert publish.headers.get("Authorization") is not None
        on.far.answer(publish, 200)

    play(story, **ON | {"account__1__vq_rtcpxr__collector_server_host": SERVER.host})


def test_a_collector_that_is_not_there_is_told_of_and_harms_no_call() -> None:
    async def story(on: Play, collector: Another) -> None:
        _, call = await spoken(on)
        assert call.end is not None
        assert call.end.answered
        await asyncio.sleep(40)
        [(_, outcome, detail)] = outcomes(on)
        assert outcome == "no-response"
        assert detail.startswith("no response within 64*T1 = 32.0 s")
        _, again = await on.talking()
        await hung_up(on, again)

    reported(story)


def test_a_name_that_is_unknown_is_told_of() -> None:
    async def story(on: Play, collector: Another) -> None:
        await spoken(on)
        await asyncio.sleep(40)
        assert on.sent("PUBLISH") == []
        assert [outcome for _, outcome, _ in outcomes(on)] == ["unresolved"]

    reported(story, account__1__vq_rtcpxr__collector_server_host="nowhere.example")


def test_a_phone_that_stops_reports_its_last_call() -> None:
    async def story(on: Play, collector: Another) -> None:
        on.phone.bus.tap = Keeper()
        _, call = await on.talking()
        await speak(on, call)
        stopping = asyncio.create_task(on.phone.stop())
        on.far.answer(await on.far.heard("BYE"), 200)
        publish = await collector.heard("PUBLISH")
        await asyncio.sleep(1)
        assert not stopping.done()
        collector.answer(publish, 200)
        await stopping
        assert [outcome for _, outcome, _ in outcomes(on)] == ["answered"]

    reported(story)


def test_a_phone_that_loses_power_reports_nothing() -> None:
    async def story(on: Play, collector: Another) -> None:
        on.phone.bus.tap = Keeper()
        _, call = await on.talking()
        await speak(on, call)
        await on.phone.stop(unregister=False)
        assert on.sent("PUBLISH") == []

    reported(story)


@pytest.mark.parametrize(
    ("settings", "times"),
    [
        ({"phone_setting__vq_rtcpxr__interval_report__enable": 0}, []),
        ({}, [20, 40]),
        ({"phone_setting__vq_rtcpxr_interval_period": 15}, [15, 30, 45]),
    ],
)
def test_a_call_is_reported_while_it_goes_on(settings: dict[str, Any], times: list[int]) -> None:
    """``phone_setting.vq_rtcpxr.interval_report.enable``, ``phone_setting.vq_rtcpxr_interval_period``."""

    async def story(on: Play, collector: Another) -> None:
        on.phone.bus.tap = Keeper()
        _, call = await on.talking()
        began = on.world.now()
        await speak(on, call)
        for time in times:
            publish = await collector.heard("PUBLISH")
            assert on.world.now() - began == pytest.approx(time, abs=0.1)
            collector.answer(publish, 200)
            lines = body_of(publish)
            assert lines[0] == "VQIntervalReport"
            metrics = lines[lines.index("LocalMetrics:") :]
            assert metrics[1] == f"Timestamps:START=1970-01-01T00:00:00Z STOP=1970-01-01T00:00:{time}Z"
        await asyncio.sleep(began + 50 - on.world.now())
        await hung_up(on, call)
        assert len({message.call_id for _, message in on.sent("PUBLISH")}) == len(times)
        await asyncio.sleep(60)
        assert len({message.call_id for _, message in on.sent("PUBLISH")}) == len(times)

    keys = {
        "phone_setting__vq_rtcpxr__session_report__enable": 0,
        "phone_setting__vq_rtcpxr__interval_report__enable": 1,
    }
    reported(story, **keys | settings)
