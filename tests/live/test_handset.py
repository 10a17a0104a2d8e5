"""The machine's microphone and loudspeaker in calls: a scripted device in virtual time."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable
from typing import Any

import pytest

from phone_emulator.events import Address, CallState, LiveSound
from phone_emulator.live.device import PERIOD, RATE, Exchange, NoDevice
from phone_emulator.live.handset import Handset
from phone_emulator.media.sound import Sound
from phone_emulator.phone.calls.audio import Audio
from phone_emulator.world.base import TimerHandle
from tests.lab.peers import SERVER
from tests.media.listening import amplitude, loudest, tone
from tests.phone.far_end import Play, offer, play

PERSON, FAR = 500, 700
"""Hz of what each says."""


class ScriptedDevice:
    """A person who says one tone all the time, and hears."""

    name = "a scripted device"

    def __init__(self, on: Play, pace: float = 1.0) -> None:
        self._on = on
        self._said = tone(RATE, PERSON, 30.0)
        self._place = 0
        self._period = PERIOD / 1000 * pace
        self._exchange: Exchange | None = None
        self._timer: TimerHandle | None = None
        self.heard = array("h")
        self.opened = self.closed = 0

    def start(self, exchange: Exchange) -> None:
        self.opened += 1
        self._exchange = exchange
        self._turn()

    def stop(self) -> None:
        self.closed += 1
        self._exchange = None
        if self._timer is not None:
            self._timer.cancel()

    def _turn(self) -> None:
        if self._exchange is None:
            return
        count = RATE * PERIOD // 1000
        said = self._said.samples[self._place : self._place + count]
        self._place += count
        self.heard.extend(self._exchange(said))
        self._timer = self._on.world.call_at(self._on.world.now() + self._period, self._turn)

    def last(self, seconds: float) -> Sound:
        """What was heard in the last *seconds*."""
        return Sound(RATE, self.heard[-round(seconds * RATE) :])


async def at_once(work: Callable[..., Any], /, *args: Any) -> Any:
    return work(*args)


def live(on: Play, pace: float = 1.0) -> tuple[Handset, ScriptedDevice]:
    device = ScriptedDevice(on, pace)
    return Handset(on.phone, lambda: device, at_once), device


async def far_sound(on: Play, *, codec: str = "pcmu") -> Audio:
    """The RTP of the far end, which says its tone and keeps what it hears."""
    audio = Audio(on.world, Address(SERVER.host, 4000), stream=True)
    await audio.open()
    call = on.phone.calls[-1]
    assert call.voice.audio is not None
    audio.set_remote(call.voice.audio.local, codec=codec)
    audio.record(30)
    audio.play(tone(8000, FAR, 30.0))
    return audio


def told(on: Play) -> list[tuple[bool, str]]:
    return [(event.on, event.reason) for event in on.events if isinstance(event, LiveSound)]


@pytest.mark.parametrize("pace", [1.0, 0.98, 1.02])
def test_both_hear_each_other_and_nobody_itself(pace: float) -> None:
    """Also where the clock of the device is not the phone's."""

    async def story(on: Play) -> None:
        handset, device = live(on, pace)
        _, call = await on.talking()
        far = await far_sound(on)
        await asyncio.sleep(3)
        for sound, wanted, own in (
            (Sound(8000, far.recording.samples[8000:]), PERSON, FAR),
            (device.last(2), FAR, PERSON),
        ):
            assert loudest(sound) == wanted
            assert amplitude(sound, wanted) == pytest.approx(8000, rel=0.15)
            assert amplitude(sound, own) < 80
        assert min(handset.levels or (0, 0)) > 6000
        assert told(on) == [(True, "live sound: microphone and loudspeaker by a scripted device")]
        hanging_up = asyncio.ensure_future(call.hang_up())
        on.far.answer(await on.far.heard("BYE"), 200)
        await hanging_up
        await asyncio.sleep(0.1)
        assert (device.opened, device.closed) == (1, 1)
        assert not handset.levels
        far.close()
        await handset.stop()

    play(story)


def test_nobody_is_listened_to_before_there_is_a_call() -> None:
    async def story(on: Play) -> None:
        handset, device = live(on)
        await asyncio.sleep(1)
        call = on.phone.dial("1002")
        await on.far.heard("INVITE")
        await asyncio.sleep(0.2)
        assert device.opened == 0
        assert handset.levels is None
        ending = asyncio.ensure_future(call.hang_up())
        await asyncio.sleep(40)
        await ending
        await handset.stop()

    play(story)


def test_ringback_is_heard_until_the_far_end_is() -> None:
    """``voice.tone.ring``"""

    async def story(on: Play) -> None:
        handset, device = live(on)
        on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        await asyncio.sleep(0.6)
        assert loudest(device.last(0.4)) == 600
        on.far.answer(invite, 183, body=offer())
        far = await far_sound(on)
        await asyncio.sleep(1)
        assert loudest(device.last(0.4)) == FAR
        assert amplitude(device.last(0.4), 600) < 80
        far.close()
        await handset.stop()

    play(story, voice__tone__ring="600/5000")


def test_the_tone_of_a_busy_far_end_lasts_and_ends() -> None:
    """``voice.tone.busy``"""

    async def story(on: Play) -> None:
        handset, device = live(on)
        on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 486)
        await on.far.heard("ACK")
        await asyncio.sleep(4)
        assert loudest(device.last(1.0)) == 620
        await asyncio.sleep(2)
        assert (device.opened, device.closed) == (1, 1)
        assert len(device.heard) / RATE == pytest.approx(5.0, abs=0.1)
        await handset.stop()

    play(story, voice__tone__busy="620/30000")


def test_a_held_far_end_hears_silence_and_is_not_heard() -> None:
    async def story(on: Play) -> None:
        handset, device = live(on)
        _, call = await on.talking()
        far = await far_sound(on)
        await asyncio.sleep(1)
        holding = asyncio.ensure_future(call.hold())
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        await holding
        assert call.state is CallState.HELD
        far.record(30)
        await asyncio.sleep(1)
        assert not any(far.recording.samples)
        assert device.closed == 1
        far.close()
        await handset.stop()

    play(story)


@pytest.mark.parametrize("why", ["miniaudio is not installed", "no microphone"])
def test_without_a_device_calls_go_on_and_it_is_told_once(why: str) -> None:
    def refuse() -> ScriptedDevice:
        raise NoDevice(why)

    async def story(on: Play) -> None:
        handset = Handset(on.phone, refuse, at_once)
        _, call = await on.talking()
        await asyncio.sleep(1)
        assert call.state is CallState.TALKING
        hanging_up = asyncio.ensure_future(call.hang_up())
        on.far.answer(await on.far.heard("BYE"), 200)
        await hanging_up
        await on.talking()
        assert told(on) == [(False, f"no live sound: {why}")]
        await handset.stop()

    play(story)
