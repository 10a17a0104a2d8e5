"""The numbers of a call's sound: told while it flows, and kept when the call is over."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import Bus, CallChanged, CallState, Event, MediaMeasured
from phone_emulator.phone import Phone
from phone_emulator.phone.calls.audio import Audio
from phone_emulator.phone.calls.measuring import EVERY
from phone_emulator.world import Faulted
from phone_emulator.world.network import Disturbance
from tests.phone.calls.test_tapped import Keeper
from tests.phone.test_two_phones import HOSTS, Pair, play

ALICE, BOB = HOSTS["1001"], HOSTS["1002"]


class Told:
    """What one phone tells, and what its sound is like on the wire."""

    def __init__(self, phone: Phone) -> None:
        self.events: list[Event] = []
        phone.context.bus = Bus()
        self.tap = phone.context.bus.tap = Keeper()
        phone.context.bus.subscribe(self.events.append)

    @property
    def measured(self) -> list[MediaMeasured]:
        return [each for each in self.events if isinstance(each, MediaMeasured)]

    @property
    def sent(self) -> int:
        """Packets of RTP."""
        return sum(each.outwards and each.local.port % 2 == 0 for each in self.tap.packets)


def test_told_every_few_seconds_and_at_the_end() -> None:
    async def story(pair: Pair) -> None:
        told, far = Told(pair.alice), Told(pair.bob)
        pair.world.network.disturb(ALICE, BOB, Disturbance(delay=0.040))
        pair.world.network.disturb(BOB, ALICE, Disturbance(delay=0.020))
        calling, called = await pair.talking()
        since = calling.answered_at
        assert since is not None
        await asyncio.sleep(3 * EVERY + 1)
        told_while_up = told.measured
        assert [each.at - since for each in told_while_up] == pytest.approx([EVERY, 2 * EVERY, 3 * EVERY])
        assert not any(each.last for each in told_while_up)
        assert [each.numbers.heard.packets for each in told_while_up] == pytest.approx([250, 500, 750], abs=3)
        numbers = told_while_up[-1].numbers
        assert numbers.round_trip == pytest.approx(0.060, abs=0.001)
        assert (numbers.scale, numbers.heard.lost, numbers.sent.lost) == ("wb", 0, 0)
        assert numbers.mos is not None
        assert numbers.mos > 4
        await calling.hang_up()
        await called.over()
        for call, own, other in ((calling, told, far), (called, far, told)):
            *_, last = own.measured
            assert (last.last, last.codec, last.encrypted) == (True, "G722", "")
            assert last.numbers is call.numbers
            assert last.numbers.sent.packets == own.sent, "all of it, as on the wire"
            assert last.numbers.heard.packets == pytest.approx(other.sent, abs=4)
            assert sum(each.last for each in own.measured) == 1

    play(story)


def test_the_words() -> None:
    async def story(pair: Pair) -> None:
        told, _ = Told(pair.alice), Told(pair.bob)
        calling, _ = await pair.talking()
        pair.world.network.disturb(BOB, ALICE, Disturbance(loss=0.1))
        await asyncio.sleep(10)
        await calling.hang_up()
        [*_, last] = told.measured
        heard, rating = last.numbers.heard, last.numbers.r_factor
        assert 20 < heard.lost < 80
        assert rating is not None
        assert str(last) == (
            f"sound: PCMU 20 ms, SRTP, {last.numbers.sent.packets} sent, {heard.packets} heard, "
            f"{heard.lost} lost ({100 * heard.lost / heard.expected:.1f} %), jitter 0.0 ms, round trip 0 ms, "
            f"MOS {last.numbers.mos:.1f} (R {rating:.0f})"
        )

    keys: dict[str, object] = {"srtp_encryption": 2, "codec.g722.enable": 0}
    play(story, more=(keys, keys))


def test_nothing_is_told_while_nothing_is_said() -> None:
    async def story(pair: Pair) -> None:
        told, _ = Told(pair.alice), Told(pair.bob)
        calling, called = await pair.talking()
        await calling.hold()
        await called.hold()
        await asyncio.sleep(EVERY)
        before = len(told.measured)
        await asyncio.sleep(10 * EVERY)
        assert len(told.measured) == before
        await called.resume()
        await calling.resume()
        await asyncio.sleep(2 * EVERY)
        assert len(told.measured) == before + 2

    play(story, more=({"hold_use_inactive": 1}, {"hold_use_inactive": 1}))


def test_in_virtual_time_without_sound_nothing_is_told() -> None:
    async def story(pair: Pair) -> None:
        told = Told(pair.alice)
        pair.alice.context.bus.tap = None
        calling, _ = await pair.talking()
        await calling.send_dtmf("12")
        await asyncio.sleep(3 * EVERY)
        await calling.hang_up()
        assert told.measured == []
        assert calling.numbers is not None
        assert calling.numbers.sent.packets > 0
        assert (calling.numbers.heard.packets, calling.numbers.mos) == (0, None)

    play(story)


def test_a_call_that_was_never_up_tells_nothing() -> None:
    async def story(pair: Pair) -> None:
        told, _ = Told(pair.alice), Told(pair.bob)
        calling = pair.alice.dial("1002")
        await asyncio.sleep(3 * EVERY)
        await calling.hang_up()
        assert told.measured == []

    play(story)


def test_after_the_handset_is_down_nobody_hears_the_silence() -> None:
    """A BYE that is never answered keeps the call for 32 s."""

    async def story(pair: Pair) -> None:
        told, _ = Told(pair.alice), Told(pair.bob)
        calling, _ = await pair.talking()
        await asyncio.sleep(4)
        pair.world.network.disturb(BOB, ALICE, Disturbance(loss=1.0))
        await asyncio.sleep(1)
        await calling.hang_up()
        ends = [each.at for each in told.events if isinstance(each, CallChanged) and each.call == calling.id]
        assert ends[-1] - ends[-2] >= 32
        assert calling.numbers is not None
        assert calling.numbers.heard.longest_silence == pytest.approx(1.0, abs=0.1)
        pair.world.network.disturb(BOB, ALICE, Disturbance())

    play(story)


def test_what_goes_wrong_in_telling_ends_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(audio: Audio) -> None:
        raise ValueError("no numbers")

    found: list[object] = []

    async def story(pair: Pair) -> None:
        told, _ = Told(pair.alice), Told(pair.bob)
        calling, _ = await pair.talking()
        with monkeypatch.context() as patch:
            patch.setattr(Audio, "numbers", property(broken))
            await asyncio.sleep(EVERY + 1)
        found.append(calling.state)
        await asyncio.sleep(EVERY)
        found.append(len(told.measured))
        await calling.hang_up()

    with pytest.raises(Faulted, match="measuring of call-1: ValueError: no numbers"):
        play(story)
    assert found == [CallState.TALKING, 1]
