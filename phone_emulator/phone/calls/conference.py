"""A conference of the phone (``account.X.conf_type = 0``): calls that talk together, mixed here.

Theory of operation: each call that is in it keeps its own dialog, codec and RTP; only its sound goes further.
What its far end says is heard by every other one, and so is what the phone plays; nobody hears itself. Among
its calls the floor rule does not hold: a held one is taken back as it joins. A hold holds them all. Where all
but one have ended, the last one goes on as a call; a split makes calls of them again, which are held.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Iterable, Sequence

from phone_emulator.events import CallState, ConferenceChanged
from phone_emulator.media.alignment import DELAY
from phone_emulator.media.mixer import Mixer
from phone_emulator.phone.wire.errors import CallError
from phone_emulator.sip.server import ServerTransaction

from .call import Call
from .states import UP

MOST_CALLS = 2
"""Calls of a conference: with the phone itself it is a three-way one, as the real phone's is."""
RATE = 16000
"""Samples a second that a conference mixes at most; codecs of more are heard in wide band there."""


class Conference:
    """Calls that talk together.

    Args:
        most: calls that it holds.
    """

    def __init__(self, most: int = MOST_CALLS) -> None:
        self._most = most
        self._parties: list[Party] = []
        self._mixer: Mixer | None = None
        """None until it is known what rate the first codecs need."""

    @property
    def calls(self) -> tuple[Call, ...]:
        """Those that are in it, in the order in which they joined."""
        return tuple(party.call for party in self._parties)

    async def join(self, calls: Sequence[Call]) -> None:
        """Let *calls* talk together with those that are in it already; raises CallError.

        One whose far end cannot be taken back stays held, and out of it.
        """
        for call in calls:
            if call.state not in UP:
                raise CallError(f"{call.id} is {call.state}, not up")
            if call.conference is not None:
                raise CallError(f"{call.id} is in a conference already")
        if len(self._parties) + len(calls) > self._most:
            raise CallError(f"a conference has {self._most} calls at most")
        for call in calls:
            call.conference = self
        try:
            await all_done(
                call.resume_alone() for call in (*self.calls, *calls) if call.state is CallState.HELD
            )
        finally:
            self._take_in(calls)
        for call in calls:
            if call.state is not CallState.TALKING:
                raise CallError(f"{_listed(calls)} do not talk together: {call.id} is {call.state}")

    def _take_in(self, calls: Sequence[Call]) -> None:
        """Those of *calls* that talk are in, unless one would be alone."""
        talking = [call for call in calls if call.state is CallState.TALKING]
        staying = talking if len(self._parties) + len(talking) > 1 else []
        for call in calls:
            if call not in staying:
                call.conference = None
        if staying:
            self._begin(staying)

    def _begin(self, calls: Sequence[Call]) -> None:
        mixer = self._mixer = self._mixer or Mixer(min(RATE, max(_rate_of(call) for call in calls)))
        parties = [Party(call, self, mixer) for call in calls]
        self._parties += parties
        for party in parties:
            party.begin()
        for call in self.calls:
            others = [each.id for each in self.calls if each is not call]
            call.conferred_with = list(dict.fromkeys((*call.conferred_with, *others)))
        self._tell(f"{_listed(self.calls)} talk together")

    async def hold(self) -> None:
        """Hold every far end; raises CallError where one cannot be."""
        await all_done(call.hold_alone() for call in self.calls if call.state is CallState.TALKING)

    async def resume(self) -> None:
        """Take every far end back; raises CallError where one cannot be."""
        await all_done(call.resume_alone() for call in self.calls if call.state is CallState.HELD)

    async def split(self) -> None:
        """Make calls of it again, all of them held; raises CallError where one cannot be."""
        calls = self.calls
        self._dissolve(f"split: {_listed(calls)} are calls of their own again")
        await all_done(call.hold_alone() for call in calls if call.state is CallState.TALKING)

    def dissolve(self, why: str) -> None:
        """Make calls of it again, as they stand, for the reason *why*, for people."""
        if self._parties:
            self._dissolve(why)

    def ended(self, party: Party) -> None:
        """The call of *party* is over."""
        if party not in self._parties:
            return
        if len(self._parties) > 2:
            self._parties.remove(party)
            party.end()
            self._tell(f"{party.call.id} has ended, {_listed(self.calls)} talk on")
        else:
            rest = next(each.call for each in self._parties if each is not party)
            then = f", {rest.id} goes on as a call" if rest.state in UP else ""
            self._dissolve(f"{party.call.id} has ended{then}")

    def _dissolve(self, why: str) -> None:
        parties, self._parties = self._parties, []
        for party in parties:
            party.end()
        self._tell(why, parties[0].call)

    def heard_from(self, party: Party) -> None:
        """*party* has said something: what it says is sent to the others, also where nothing else is."""
        for other in self._parties:
            if other is not party:
                other.wake()

    def _tell(self, why: str, of: Call | None = None) -> None:
        seat = (of or self._parties[0].call).seat
        calls = tuple(call.id for call in self.calls)
        seat.tell(ConferenceChanged(at=seat.now, calls=calls, reason=why))


class Party:
    """One call's place in a conference: a usage of the call, and the company of its sound.

    Args:
        call: whose.
        conference: in which.
        mixer: of the conference.
    """

    def __init__(self, call: Call, conference: Conference, mixer: Mixer) -> None:
        self.call = call
        self._conference = conference
        self._mixer = mixer
        self._voice, self._own = call.id, f"{call.id}, this phone"
        """The far end's, and what this phone says to it."""

    def begin(self) -> None:
        """It is in."""
        self._mixer.join(self._voice)
        self._mixer.join(self._own)
        self.call.usages.append(self)
        self.call.voice.join(self)

    def end(self) -> None:
        """It is out."""
        self.call.conference = None
        self.call.voice.join(None)
        self.call.usages.remove(self)
        self._mixer.leave(self._voice)
        self._mixer.leave(self._own)

    def wake(self) -> None:
        """There is something to be sent to its far end."""
        if self.call.voice.audio is not None:
            self.call.voice.audio.hear_company()

    # -- the call ------------------------------------------------------------------------------------------

    def take(self, server: ServerTransaction) -> bool:
        """No request of the dialog is for a conference."""
        return False

    def call_ended(self) -> None:
        """The call is over."""
        self._conference.ended(self)

    def stop(self, reason: str) -> None:
        """The phone stops, which ends the call."""

    # -- its sound -----------------------------------------------------------------------------------------

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self._mixer.rate

    def hear(self, samples: array[int], at: float) -> None:
        """The far end says *samples*, heard from *at* on."""
        self._mixer.say(self._voice, samples, at)
        self._conference.heard_from(self)

    def say(self, samples: array[int], at: float) -> None:
        """This phone says *samples* to the far end; the others hear it as late as they hear each other."""
        self._mixer.say(self._own, samples, at + DELAY)
        self._conference.heard_from(self)

    def others(self, at: float, seconds: float) -> array[int]:
        """What the others say, and the phone to them."""
        return self._mixer.without((self._voice, self._own), at, seconds)

    def sounds(self, at: float) -> bool:
        """Whether they say something at *at* or later."""
        return self._mixer.sounds((self._voice, self._own), at)


def conference_of(call: Call) -> Conference | None:
    """The one that *call* is in."""
    return call.conference if isinstance(call.conference, Conference) else None


def _rate_of(call: Call) -> int:
    agreed = call.voice.agreed
    return 8000 if agreed is None else agreed.codec.rate


async def all_done(orders: Iterable[Awaitable[None]]) -> None:
    """Do all of *orders* at once; raises the first CallError when all are done."""
    done = await asyncio.gather(*orders, return_exceptions=True)
    for error in done:
        if isinstance(error, BaseException):
            raise error


def _listed(calls: Sequence[Call]) -> str:
    *first, last = [call.id for call in calls]
    return f"{', '.join(first)} and {last}" if first else last
