"""What a person says into the machine's microphone, and hears from its loudspeaker, in the phone's calls.

Theory of operation: the device's own thread puts what the microphone hears into one queue, and takes what the
loudspeaker says from another. Every 20 ms the loop empties the one and fills the other: both voices, and the
phone's own tone, lie on the clock of the world in a `Mixer`, as in a conference, of which this is one of two
(`Company`). So nobody waits for anybody, whatever the packets of the call are like. The device is open while
there is a call or a tone, and not before: nobody is listened to without one.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol, TypeVar

from phone_emulator.events import CallChanged, Event, LiveSound, ToneHeard
from phone_emulator.media.call_tone import CallTone, parse
from phone_emulator.media.mixer import Mixer, mixed
from phone_emulator.phone import Call, Phone
from phone_emulator.phone.calls.audio import Audio
from phone_emulator.phone.calls.states import UNANSWERED, UP
from phone_emulator.world.base import TimerHandle
from phone_emulator.world.tasks import Tasks

from .device import PERIOD, RATE, Device, NoDevice
from .frames import Frames

MOST = 200
"""Milliseconds that wait on either way at most."""
LEAD = 0.080
"""Seconds between the microphone and the packet: more than the longest packet holds, and a little late."""
_STEP = PERIOD / 1000
_T = TypeVar("_T")
_FAR_END, _MICROPHONE = "far end", "microphone"


class Elsewhere(Protocol):
    """Calls something that may block, without blocking who awaits it."""

    def __call__(self, work: Callable[..., _T], /, *args: Any) -> Awaitable[_T]:
        """What *work* returns."""


class Levels(NamedTuple):
    """The loudest of the last moment, 0 to 32767."""

    microphone: int
    loudspeaker: int


class Handset:
    """The microphone and the loudspeaker, for whichever call talks.

    Args:
        phone: whose calls.
        open_device: opens them, not in the loop's thread; raises NoDevice.
        elsewhere: awaits what may block, in a thread of its own.
    """

    rate = RATE
    """Samples a second of all that is said here."""

    def __init__(
        self, phone: Phone, open_device: Callable[[], Device], elsewhere: Elsewhere = asyncio.to_thread
    ) -> None:
        self._phone = phone
        self._world = phone.world
        self._open_device = open_device
        self._elsewhere: Elsewhere = elsewhere
        self._tasks = Tasks(phone.world, "the handset")
        self._heard, self._said = Frames(RATE * MOST // 1000), Frames(RATE * MOST // 1000)
        self._mixer = self._new_mixer()
        self._device: Device | None = None
        self._opening: asyncio.Task[None] | None = None
        self._timer: TimerHandle | None = None
        self._due = self._said_until = self._heard_until = 0.0
        self._tone: tuple[CallTone, float, float] | None = None
        """The tone of the phone, since when, and until when it is heard."""
        self._tone_of = ""
        self._audio: Audio | None = None
        """Of the call that is heard."""
        self._told = ""
        self.levels: Levels | None = None
        """None while nobody is listened to."""
        self._unsubscribe = phone.bus.subscribe(self._listen)

    async def stop(self) -> None:
        """Close the device, for good."""
        self._unsubscribe()
        self._let_go()
        self._tone = None
        await self._close()
        await self._tasks.stop()

    def levels_of(self, call: Call) -> Levels | None:
        """How loud both ends of *call* are; None where the person does not talk in it."""
        return self.levels if self._audio is not None and call.voice.audio is self._audio else None

    # -- the other of a call (`Company`) ---------------------------------------------------------------------

    def hear(self, samples: array[int], at: float) -> None:
        """The far end says *samples*, heard from *at* on."""
        self._mixer.say(_FAR_END, samples, at)

    def say(self, samples: array[int], at: float) -> None:
        """A file is played to the far end, which the person is spared."""

    def others(self, at: float, seconds: float) -> array[int]:
        """What the far end hears of the person."""
        return self._mixer.without({_FAR_END}, at, seconds)

    def sounds(self, at: float) -> bool:
        """Whether the microphone is open."""
        return self._device is not None

    # -- which call ------------------------------------------------------------------------------------------

    def _listen(self, event: Event) -> None:
        if isinstance(event, ToneHeard):
            self._take_tone(event)
        if isinstance(event, CallChanged | ToneHeard):
            self._wake()

    def _take_tone(self, event: ToneHeard) -> None:
        if event.tone is not None:
            until = event.at + event.seconds if event.seconds else float("inf")
            self._tone, self._tone_of = (parse(event.sound), event.at, until), event.call
        elif event.call == self._tone_of:
            self._tone = None

    def _call(self) -> Call | None:
        """The call that is heard: the one that talks, else one whose far end is heard before it answers."""
        calls = [call for call in self._phone.calls if call.conference is None and call.voice.audio]
        talking = (call for call in calls if call.state in UP and not call.held)
        early = (call for call in calls if call.state in UNANSWERED and call.session.early)
        return next(talking, None) or next(early, None)

    def _wanted(self) -> bool:
        return self._tone is not None or self._call() is not None

    def _wake(self) -> None:
        if self._device is None and self._opening is None and self._wanted():
            self._opening = self._tasks.spawn(self._open(), "opening the sound device")
            self._opening.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening = None

    async def _open(self) -> None:
        try:
            device = await self._elsewhere(self._open_device)
            self._heard.clear()
            self._said.clear()
            await self._elsewhere(device.start, self._exchange)
        except NoDevice as error:
            self._tell(on=False, reason=f"no live sound: {error}")
            return
        self._device = device
        self._mixer = self._new_mixer()
        self._due = self._said_until = self._heard_until = self._world.now()
        self._tell(on=True, reason=f"live sound: microphone and loudspeaker by {device.name}")
        self._tick()

    async def _close(self) -> None:
        device, self._device, self.levels = self._device, None, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if device is not None:
            await self._elsewhere(device.stop)

    async def _rest(self) -> None:
        """Close the device until there is something to hear again, which may be by then."""
        await self._close()
        self._wake()

    def _tell(self, *, on: bool, reason: str) -> None:
        """Tell it unless that was the last that was told."""
        if reason != self._told:
            self._told = reason
            self._phone.bus.tell(LiveSound(at=self._world.now(), on=on, reason=reason))

    # -- in the device's thread ------------------------------------------------------------------------------

    def _exchange(self, heard: array[int]) -> array[int]:
        self._heard.put(heard)
        return self._said.take(len(heard))

    # -- every 20 ms -----------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._timer = None
        if self._device is None:
            return
        now = self._world.now()
        if self._tone is not None and now >= self._tone[2]:
            self._tone = None
        self._follow(self._call())
        if not self._wanted():
            self._tasks.spawn(self._rest(), "closing the sound device")
            return
        microphone = self._from_microphone(now)
        loudspeaker = self._to_loudspeaker(now)
        self.levels = Levels(_loudest(microphone), _loudest(loudspeaker))
        self._due = max(self._due + _STEP, now)
        self._timer = self._tasks.call_at(self._due, self._tick, "live sound")

    def _follow(self, call: Call | None) -> None:
        audio = None if call is None else call.voice.audio
        if audio is not self._audio:
            self._let_go()
            self._audio = audio
        if audio is not None and audio.company is None:
            audio.join(self)

    def _let_go(self) -> None:
        if self._audio is not None and self._audio.company is self:
            self._audio.join(None)
        self._audio = None

    def _from_microphone(self, now: float) -> array[int]:
        samples = self._heard.take_all()
        if not now + LEAD - _STEP <= self._heard_until <= now + LEAD + MOST / 1000:
            self._heard_until = now + LEAD
        self._mixer.say(_MICROPHONE, samples, self._heard_until)
        self._heard_until += len(samples) / RATE
        return samples

    def _to_loudspeaker(self, now: float) -> array[int]:
        if abs(self._said_until - now) > MOST / 1000:
            self._said_until = now
        samples = array("h")
        while self._said_until <= now:
            at, self._said_until = self._said_until, self._said_until + _STEP
            voices = [self._mixer.without({_MICROPHONE}, at, _STEP)]
            if self._tone is not None:
                tone, since, _ = self._tone
                voices.append(tone.samples(max(round((at - since) * 1000), 0), PERIOD, rate=RATE))
            samples.extend(mixed(voices, RATE * PERIOD // 1000))
        self._said.put(samples)
        return samples

    def _new_mixer(self) -> Mixer:
        mixer = Mixer(RATE)
        mixer.join(_FAR_END)
        mixer.join(_MICROPHONE)
        return mixer


def _loudest(samples: array[int]) -> int:
    return min(max(max(samples), -min(samples)), 32767) if samples else 0
