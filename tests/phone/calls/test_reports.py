"""RTCP of a call: what is told, when, to whom, and what is made of what the far end tells (RFC 3550)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from phone_emulator.events import Address, EncryptedStream, MediaPacket
from phone_emulator.media import rtcp, rtp
from phone_emulator.media.crypto import SUITES, Key, Security, Suite
from phone_emulator.media.rtcp import Description, Goodbye, ReceiverReport, ReportBlock, SenderReport
from phone_emulator.media.srtp import Protection
from phone_emulator.media.xr import ExtendedReport
from phone_emulator.phone.calls.audio import Audio
from phone_emulator.phone.calls.reports import ReportStyle
from phone_emulator.world import RealWorld, SimulatedWorld, WorldError
from phone_emulator.world.network import Disturbance
from tests.patience import until

HERE, THERE = Address("192.168.1.21", 11780), Address("192.168.1.80", 30000)
REPORTS, STRANGER = Address(THERE.host, 30001), Address("192.168.1.66", 30001)
STYLE = ReportStyle("1001@192.168.1.21")
SSRC = 0xCAFE
NAMED = Description(SSRC, "far@end")


class Ear:
    """A socket of the far end, which keeps what it hears."""

    def __init__(self, world: SimulatedWorld) -> None:
        self.world = world
        self.raw: list[tuple[float, bytes]] = []

    def datagram_received(self, data: bytes, remote: Address) -> None:
        self.raw.append((self.world.now(), data))

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        raise AssertionError(reason)

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.raw]

    @property
    def compounds(self) -> list[list[rtcp.Packet]]:
        return [rtcp.parse(data) for _, data in self.raw]


class Far:
    """The far end: what comes to its two ports."""

    def __init__(self, world: SimulatedWorld) -> None:
        self.sound, self.reports = Ear(world), Ear(world)
        self.sequence = 0

    async def open(self, world: SimulatedWorld) -> None:
        self.socket = await world.open_udp(THERE, self.sound)
        self.reporting = await world.open_udp(REPORTS, self.reports)

    def say(self, *, ssrc: int = SSRC, sequence: int | None = None, timestamp: int | None = None) -> None:
        number = self.sequence if sequence is None else sequence
        self.sequence = number + 1
        stamp = number * 160 if timestamp is None else timestamp
        packet = rtp.Packet(0, number & 0xFFFF, stamp & 0xFFFFFFFF, ssrc, bytes(160))
        self.socket.send(packet.pack(), HERE)

    def report(self, *packets: rtcp.Packet, name: Description = NAMED) -> None:
        self.reporting.send(rtcp.compose([*packets, name]), Address(HERE.host, HERE.port + 1))


Main = Callable[[SimulatedWorld, Audio, Far], Coroutine[Any, Any, None]]


def run(main: Main, style: ReportStyle = STYLE, **options: Any) -> None:
    """Run *main* with an open Audio that has RTCP; nothing may be left over."""
    world = SimulatedWorld(seed=3)

    async def everything() -> None:
        far = Far(world)
        await far.open(world)
        audio = Audio(world, HERE, reports=style, **{"stream": True, **options})
        await audio.open()
        await main(world, audio, far)
        audio.close()

    world.run(everything())
    assert world.pending_tasks() == []
    assert world.pending_timers() == []


def the(kind: type[Any], compound: list[rtcp.Packet]) -> Any:
    """The one packet of that kind in *compound*."""
    (packet,) = [packet for packet in compound if isinstance(packet, kind)]
    return packet


# -- what is told, and when ----------------------------------------------------------------------------------


def test_reports_leave_from_the_odd_port_every_five_seconds_or_so() -> None:
    """RFC 3550 sections 6.2, 6.3.1 and 11: the first after half an interval, each with some chance."""

    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS)
        await asyncio.sleep(600)
        times = far.reports.times
        assert 2.5 / 2 / 1.22 <= times[0] <= 2.5 * 1.5 / 1.21
        gaps = [after - before for before, after in itertools.pairwise(times)]
        assert 5 / 2 / 1.22 <= min(gaps) < max(gaps) <= 5 * 1.5 / 1.21
        assert 4 <= sum(gaps) / len(gaps) <= 6

    run(main)


def test_a_sender_report_tells_what_left() -> None:
    """Section 6.4.1: counts of this SSRC, and one moment on both clocks."""

    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS)
        await asyncio.sleep(20)
        for (at, data), compound in zip(far.reports.raw, far.reports.compounds, strict=True):
            report = the(SenderReport, compound)
            first = rtp.parse(far.sound.raw[0][1])
            assert report.ssrc == first.ssrc
            assert report.packets == sum(when <= at for when in far.sound.times)
            assert report.octets == 160 * report.packets
            assert report.ntp / 2**32 == pytest.approx(at)
            assert report.timestamp - first.timestamp == pytest.approx(8000 * at, abs=1)
            assert report.blocks == ()
            assert compound[1] == Description(report.ssrc, STYLE.cname)
            assert len(data) == 28 + 4 + 24

    run(main)


def test_who_sends_nothing_sends_receiver_reports() -> None:
    """Section 6.4: SR only where sound has left since the report before the last."""

    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS, direction="recvonly")
        for _ in range(100):
            far.say()
            await asyncio.sleep(0.02)
        await asyncio.sleep(20)
        first, second, *_ = far.reports.compounds
        (block,) = the(ReceiverReport, first).blocks
        assert (block.ssrc, block.lost, block.fraction_lost) == (SSRC, 0, 0)
        assert the(ReceiverReport, second).blocks == ()
        assert far.sound.raw == []

    run(main)


def test_a_report_tells_what_was_lost() -> None:
    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS)
        while not far.reports.raw:
            far.sequence += far.sequence % 4 == 2
            far.say()
            await asyncio.sleep(0.02)
        (block,) = the(SenderReport, far.reports.compounds[0]).blocks
        assert block.lost == pytest.approx(block.highest / 4, abs=1)
        assert block.fraction_lost == pytest.approx(64, abs=1)

    run(main)


def test_a_report_tells_since_when_it_knows_the_senders_clock() -> None:
    """Section 6.4.1: LSR and DLSR."""

    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS)
        far.say()
        await asyncio.sleep(1)
        far.report(SenderReport(SSRC, 0x0000_1234_5678_0000, 0, 1, 160))
        await asyncio.sleep(5)
        at, _ = far.reports.raw[0]
        (block,) = the(SenderReport, far.reports.compounds[0]).blocks
        assert block.last_sr == 0x12345678
        assert block.delay == pytest.approx((at - 1) * 65536, abs=1)

    run(main)


@pytest.mark.parametrize("sends", [True, False])
def test_the_end_is_told_with_a_bye_where_anything_was(sends: bool) -> None:
    """Section 6.3.7: who has sent neither RTP nor RTCP leaves without a word."""

    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS, direction="sendrecv" if sends else "inactive")
        await asyncio.sleep(0.5)
        ssrc = audio.source.ssrc
        audio.close()
        audio.close()
        await asyncio.sleep(1)
        if not sends:
            assert far.reports.raw == []
            return
        (compound,) = far.reports.compounds
        assert the(Goodbye, compound) == Goodbye((ssrc,), "the call has ended")
        assert the(SenderReport, compound).ssrc == ssrc

    run(main)


def test_an_extended_report_tells_how_the_far_end_is_heard() -> None:
    """RFC 3611 section 4.7."""

    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS)
        while not far.reports.raw:
            far.sequence += far.sequence % 50 == 7
            far.say()
            await asyncio.sleep(0.02)
        (metrics,) = the(ExtendedReport, far.reports.compounds[0]).metrics
        assert (metrics.ssrc, metrics.loss_rate, metrics.discard_rate) == (SSRC, 5, 0)
        assert (metrics.nominal_delay, metrics.absolute_maximum) == (60, 240)
        numbers = audio.numbers
        assert numbers.r_factor is not None
        assert numbers.mos is not None
        assert (metrics.r_factor, metrics.mos_cq) == (round(numbers.r_factor), round(10 * numbers.mos))
        assert metrics.r_factor < 90

    run(main, ReportStyle("a", extended=True))


def test_without_the_extension_none_is_told() -> None:
    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS)
        far.say()
        await asyncio.sleep(4)
        assert [type(packet) for packet in far.reports.compounds[0]] == [SenderReport, Description]

    run(main)


# -- where to ------------------------------------------------------------------------------------------------


def test_a_held_call_goes_on_to_report_and_one_that_is_sent_to_nowhere_does_not() -> None:
    """RFC 3264 section 5.1: RTCP is sent whatever the direction."""

    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS, direction="inactive")
        await asyncio.sleep(20)
        held = len(far.reports.raw)
        assert held >= 3
        audio.set_remote(Address("0.0.0.0", 30000), rtcp=None)
        await asyncio.sleep(20)
        assert len(far.reports.raw) == held
        audio.set_remote(THERE, rtcp=REPORTS, mute=True)
        await asyncio.sleep(20)
        assert len(far.reports.raw) == held
        audio.unmute()
        await asyncio.sleep(20)
        assert len(far.reports.raw) > held

    run(main)


def test_where_both_ends_agree_on_it_reports_go_the_way_of_sound() -> None:
    """RFC 5761."""

    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS, rtcp_mux=True)
        await asyncio.sleep(4)
        report = next(data for _, data in far.sound.raw if rtcp.is_rtcp(data))
        ssrc = the(SenderReport, rtcp.parse(report)).ssrc
        far.socket.send(rtcp.compose([ReceiverReport(SSRC, (ReportBlock(ssrc, 0, 7, 0, 80),)), NAMED]), HERE)
        await asyncio.sleep(0.01)
        assert far.reports.raw == []
        assert (audio.numbers.sent.lost, audio.counts.ignored) == (7, 0)

    run(main)


def test_where_they_do_not_reports_at_the_port_of_sound_are_ignored() -> None:
    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS)
        far.socket.send(rtcp.compose([ReceiverReport(SSRC), NAMED]), HERE)
        await asyncio.sleep(0.01)
        assert audio.counts.ignored == 1

    run(main)


def test_a_port_pair_is_taken_whole_or_not_at_all() -> None:
    world = SimulatedWorld(seed=1)

    async def main() -> None:
        ear = Ear(world)
        taken = await world.open_udp(Address(HERE.host, HERE.port + 1), ear)
        audio = Audio(world, HERE, reports=STYLE)
        with pytest.raises(WorldError):
            await audio.open()
        taken.close()
        await audio.open()
        audio.close()
        for port in (HERE.port, HERE.port + 1):
            (await world.open_udp(Address(HERE.host, port), ear)).close()

    world.run(main())


def test_reports_go_on_from_another_address() -> None:
    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS)
        await asyncio.sleep(10)
        before = {
            packet.ssrc
            for packet in itertools.chain(*far.reports.compounds)
            if isinstance(packet, SenderReport)
        }
        count = len(far.reports.raw)
        await audio.move(Address("192.168.1.22", 11780))
        await asyncio.sleep(10)
        after = [the(SenderReport, compound) for compound in far.reports.compounds[count:]]
        assert after
        assert before not in [report.ssrc for report in after]
        assert after[0].packets < 400

    run(main)


# -- what the far end tells ----------------------------------------------------------------------------------


def test_the_round_trip_is_measured_and_the_far_ends_losses_are_known() -> None:
    """Section 6.4.1."""

    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        world.network.disturb(HERE.host, THERE.host, Disturbance(delay=0.040))
        world.network.disturb(THERE.host, HERE.host, Disturbance(delay=0.020))
        audio.set_remote(THERE, rtcp=REPORTS)
        assert audio.numbers.round_trip is None
        await asyncio.sleep(4)
        at, _ = far.reports.raw[0]
        report = the(SenderReport, far.reports.compounds[0])
        delay = round((world.now() - at) * 65536)
        block = ReportBlock(report.ssrc, 3, 12, 9, 80, rtcp.middle(report.ntp), delay)
        far.report(ReceiverReport(SSRC, (ReportBlock(99, 0, 5, 0, 0), block)))
        await asyncio.sleep(0.1)
        numbers = audio.numbers
        assert numbers.round_trip == pytest.approx(0.060, abs=0.001)
        assert (numbers.sent.lost, numbers.sent.jitter) == (12, 0.010)

    run(main)


@pytest.mark.parametrize("delay", [0.0, 0.150])
def test_two_phones_measure_the_same_way(delay: float) -> None:
    """What one has sent and what the other has heard is one number; both find the same round trip."""
    world = SimulatedWorld(seed=5)

    async def main() -> None:
        one, other = (
            Audio(world, HERE, stream=True, reports=STYLE),
            Audio(world, THERE, stream=True, reports=ReportStyle("other")),
        )
        for here, there in ((HERE, THERE), (THERE, HERE)):
            world.network.disturb(here.host, there.host, Disturbance(loss=0.05, delay=delay))
        for audio, far in ((one, other), (other, one)):
            await audio.open()
            audio.set_remote(far.local, rtcp=Address(far.local.host, far.local.port + 1))
            audio.expect()
        await asyncio.sleep(120)
        for audio, far in ((one, other), (other, one)):
            numbers, theirs = audio.numbers, far.numbers
            assert numbers.round_trip == pytest.approx(2 * delay, abs=0.001)
            assert numbers.heard.packets + numbers.heard.lost == pytest.approx(theirs.sent.packets, abs=9)
            assert theirs.sent.lost == pytest.approx(numbers.heard.lost, abs=30)
            assert 0.03 < numbers.heard.lost_share < 0.07
            assert numbers.mos is not None
            assert 1.5 < numbers.mos < 2.6
            assert max(0.02, delay) - 1e-6 <= numbers.heard.longest_silence <= 0.1 + delay
        one.close()
        other.close()

    world.run(main())


# -- others --------------------------------------------------------------------------------------------------


def test_strangers_reports_do_not_count() -> None:
    """Section 9: RTCP proves nothing of its sender either."""
    told: list[tuple[Address, str]] = []

    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS)
        await asyncio.sleep(4)
        ssrc = audio.source.ssrc
        stranger = await world.open_udp(STRANGER, Ear(world))
        block = ReportBlock(ssrc, 255, 999, 0, 0, 1, 1)
        for _ in range(3):
            stranger.send(rtcp.compose([ReceiverReport(ssrc, (block,)), NAMED]), Address(HERE.host, 11781))
        await asyncio.sleep(0.1)
        assert audio.numbers.sent.lost is None
        assert (audio.counts.strangers, audio.source.ssrc) == (3, ssrc)
        assert [source for source, _ in told] == [STRANGER]
        stranger.close()

    run(main, on_stranger=lambda source, why: told.append((source, why)))


@pytest.mark.parametrize("noise", [b"", b"\x80", b"\x80\xc8" + bytes(26), b"INVITE sip:a@b", bytes(1400)])
def test_what_is_no_rtcp_is_counted(noise: bytes) -> None:
    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS)
        far.reporting.send(noise, Address(HERE.host, 11781))
        await asyncio.sleep(0.1)
        assert (audio.counts.reports_ignored, audio.counts.ignored) == (1, 0)

    run(main)


def secured(suite: Suite) -> tuple[Security, Security]:
    one, other = Key(bytes(suite.octets)), Key(bytes(range(suite.octets)))
    return Security(suite, one, other), Security(suite, other, one)


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_encrypted_calls_have_encrypted_reports(suite: Suite) -> None:
    """RFC 3711 section 3.4; its tag is 80 bits long with either AES_CM suite (RFC 4568 section 6.2.2)."""
    own, theirs = secured(suite)

    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS, security=own)
        await asyncio.sleep(4)
        end = Protection()
        end.agree(theirs)
        sealed = far.reports.raw[0][1]
        assert STYLE.cname.encode() not in sealed
        compound = rtcp.parse(end.unprotect_rtcp(sealed))
        assert len(sealed) == 56 + 4 + (10 if suite.behind_mki else 16)
        block = ReportBlock(the(SenderReport, compound).ssrc, 0, 5, 0, 0)
        answer = rtcp.compose([ReceiverReport(SSRC, (block,)), NAMED])
        for data in (answer, end.protect_rtcp(answer), end.protect_rtcp(answer)[:-1] + b"\0"):
            far.reporting.send(data, Address(HERE.host, 11781))
        await asyncio.sleep(0.1)
        assert (audio.numbers.sent.lost, audio.counts.reports_ignored) == (5, 2)

    run(main)


class Looking:
    """A tap that keeps what it sees of RTCP."""

    def __init__(self) -> None:
        self.seen: list[MediaPacket] = []

    def packet(self, packet: MediaPacket) -> None:
        if rtcp.is_rtcp(packet.data):
            self.seen.append(packet)

    def stream(self, stream: EncryptedStream) -> None:
        pass


def test_who_looks_on_sees_reports_as_they_went_and_what_they_said() -> None:
    own, theirs = secured(SUITES["AES_CM_128_HMAC_SHA1_80"])
    tap, here = Looking(), Address(HERE.host, HERE.port + 1)

    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        end = Protection()
        end.agree(theirs)
        audio.set_remote(THERE, rtcp=REPORTS, security=own)
        await asyncio.sleep(4)
        clear = rtcp.compose([ReceiverReport(SSRC), NAMED])
        for data in (end.protect_rtcp(clear), clear):
            far.reporting.send(data, here)
        await asyncio.sleep(0.1)
        sent, taken, refused = tap.seen
        assert (sent.source, sent.destination) == (here, REPORTS)
        assert sent.data == far.reports.raw[0][1]
        assert sent.clear == end.unprotect_rtcp(sent.data)
        assert (taken.source, taken.destination, taken.clear) == (REPORTS, here, clear)
        assert (refused.data, refused.clear) == (clear, None)

    run(main, tap=tap)


def test_a_key_identifier_stands_before_the_tag_of_srtcp_too() -> None:
    """RFC 3711 section 3.4."""
    for suite in SUITES.values():
        own, theirs = secured(suite)
        mki = b"\0\0\0\7"
        receiving = Protection()
        receiving.agree(Security(suite, own.own, own.far, mki))
        sending = Protection()
        sending.agree(theirs)
        plain = rtcp.compose([ReceiverReport(SSRC), NAMED])
        sealed = sending.protect_rtcp(plain)
        place = len(sealed) - (10 if suite.behind_mki else 0)
        assert receiving.unprotect_rtcp(sealed[:place] + mki + sealed[place:]) == plain


def test_another_source_with_the_same_ssrc_makes_this_one_choose_again() -> None:
    """Section 8.2: BYE for the old one, and on under a new one."""

    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS)
        await asyncio.sleep(1)
        before = audio.source.ssrc
        far.say(ssrc=before, sequence=audio.source.sequence - 30000)
        await asyncio.sleep(1)
        assert audio.source.ssrc != before
        assert the(Goodbye, far.reports.compounds[0]).ssrcs == (before,)
        assert rtp.parse(far.sound.raw[-1][1]).ssrc == audio.source.ssrc

    run(main)


def test_so_does_one_that_shows_in_reports() -> None:
    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS)
        await asyncio.sleep(1)
        before = audio.source.ssrc
        far.report(ReceiverReport(before), name=Description(before, "far@end"))
        await asyncio.sleep(0.1)
        assert audio.source.ssrc != before

    run(main)


def test_an_echo_is_no_other_source() -> None:
    """Section 8.2: a loop; SIPp's rtp_echo is one, and who called it wants to hear it."""

    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        audio.set_remote(THERE, rtcp=REPORTS)
        before = audio.source.ssrc
        for _ in range(40):
            await asyncio.sleep(0.1)
            far.socket.send(far.sound.raw[-1][1], HERE)
        far.reporting.send(far.reports.raw[0][1], Address(HERE.host, 11781))
        await asyncio.sleep(0.1)
        assert audio.source.ssrc == before
        assert audio.counts.received == 40

    run(main)


# -- the real network ----------------------------------------------------------------------------------------


def test_two_real_ends_find_their_round_trip() -> None:
    world = RealWorld(seed=1)

    async def main() -> None:
        place = Address("127.0.0.1", 0)
        one, other = (Audio(world, place, stream=True, reports=ReportStyle(name)) for name in "ab")
        for audio in (one, other):
            await audio.open()
        for audio, far in ((one, other), (other, one)):
            audio.set_remote(far.local, rtcp=Address(far.local.host, far.local.port + 1))
        await until(lambda: one.numbers.round_trip is not None, "a round trip")
        assert one.numbers.round_trip == pytest.approx(0, abs=1)
        one.close()
        other.close()

    world.run(main())


def test_a_clock_that_goes_on_meanwhile_asks_for_no_report_over_and_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two readings of a real clock are never the same."""

    async def main(world: SimulatedWorld, audio: Audio, far: Far) -> None:
        readings, asked, now, call_at = itertools.count(), [], world.now, world.call_at

        def counted(when: float, callback: Callable[[], None]) -> Any:
            asked.append(when)
            return call_at(when, callback)

        monkeypatch.setattr(world, "now", lambda: now() + 1e-5 * next(readings))
        monkeypatch.setattr(world, "call_at", counted)
        audio.set_remote(THERE, rtcp=REPORTS)
        await asyncio.sleep(60)
        monkeypatch.undo()
        assert far.reports.raw
        assert len(asked) <= 5 * len(far.reports.raw)

    run(main, stream=False)
