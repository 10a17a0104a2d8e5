"""A conference of the phone: each far end hears the other and the phone, and never itself."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import CallState, ConferenceChanged
from phone_emulator.media.sound import Sound
from phone_emulator.phone import Call, CallError, CallResult
from phone_emulator.phone.calls.audio import Audio
from phone_emulator.phone.calls.conference import Conference
from phone_emulator.sip.message import Request
from tests.media.listening import amplitude, decibels, tone
from tests.phone.far_end import Play, lines, offer
from tests.phone.far_end import play as play_with_far_end
from tests.phone.stage import Stage, play

LOUD = 8000.0
HERTZ = {"far 0": 440.0, "far 1": 800.0, "far 2": 1100.0, "here": 1500.0}


def states(*calls: Call) -> list[str]:
    return [str(call.state) for call in calls]


async def dialled(stage: Stage, *numbers: str) -> list[Call]:
    """Calls to *numbers*, one after the other: the last one talks, the others are held."""
    calls: list[Call] = []
    for number in numbers:
        call = stage.phone.dial(number)
        assert await call.settled() is CallResult.ANSWERED
        await stage.phone.floor.quiet()
        calls.append(call)
    return calls


async def joined(stage: Stage, *numbers: str) -> tuple[Conference, list[Call]]:
    calls = await dialled(stage, *(numbers or ("1002", "1003")))
    conference = Conference(most=max(2, len(calls)))
    await conference.join(calls)
    return conference, calls


def far_sounds(stage: Stage) -> list[Audio]:
    """The sound of the far ends, in the order in which they were called."""
    found = [call.voice.audio for call in stage.lab.callee._phone.calls]
    assert None not in found
    return [audio for audio in found if audio is not None]


async def what_is_heard(stage: Stage, *calls: Call, talks: tuple[str, ...] = ()) -> dict[str, set[str]]:
    """Who hears whom while all of *talks* (everybody) play a tone for a second."""
    fars = far_sounds(stage)
    ends = {f"far {number}": audio for number, audio in enumerate(fars)}
    talks = talks or (*ends, "here")
    for name, audio in ends.items():
        audio.record(1.5)
        if name in talks:
            audio.play(tone(16000, HERTZ[name], 1.0, LOUD))
    for call in calls:
        if call.voice.audio is not None:
            call.voice.audio.record(1.5)
    if "here" in talks and calls[0].voice.audio is not None:
        calls[0].voice.audio.play(tone(8000, HERTZ["here"], 1.0, LOUD))
    await asyncio.sleep(2)
    return {name: present(audio.recording) for name, audio in ends.items()}


def present(sound: Sound) -> set[str]:
    """Whose tones are in *sound*: there at their full level, or not at all."""
    middle = Sound(sound.rate, sound.samples[sound.rate // 5 : sound.rate * 4 // 5])
    if not middle.samples:
        return set()
    levels = {name: decibels(amplitude(middle, hertz), LOUD) for name, hertz in HERTZ.items()}
    assert all(abs(level) < 1.5 or level < -35 for level in levels.values()), levels
    return {name for name, level in levels.items() if level > -1.5}


# -- who hears whom ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", ["pcmu", "pcma", "g722"])
def test_each_of_three_hears_the_other_two(second: str) -> None:
    """The second call may be in another codec, of another rate."""

    async def story(stage: Stage) -> None:
        first = (await dialled(stage, "1002"))[0]
        line = stage.phone.line(1)
        object.__setattr__(
            line.seat.account, "codecs", tuple(each for each in line.account.codecs if each.name == second)
        )
        other = (await dialled(stage, "1003"))[0]
        assert other.voice.agreed is not None
        assert other.voice.agreed.codec.name == second
        await Conference().join([first, other])
        heard = await what_is_heard(stage, first, other)
        assert heard == {"far 0": {"far 1", "here"}, "far 1": {"far 0", "here"}}

    play(story, {"account.1.codec.g722.enable": "1"})


def test_what_is_played_on_either_call_is_heard_by_both() -> None:
    async def story(stage: Stage) -> None:
        _, (first, other) = await joined(stage)
        heard = await what_is_heard(stage, other, first, talks=("here",))
        assert heard == {"far 0": {"here"}, "far 1": {"here"}}

    play(story)


def test_the_number_of_calls_is_a_matter_of_a_number() -> None:
    async def story(stage: Stage) -> None:
        conference, calls = await joined(stage, "1002", "1003", "1004")
        assert states(*calls) == ["talking"] * 3
        heard = await what_is_heard(stage, *calls)
        everybody = {"far 0", "far 1", "far 2", "here"}
        assert heard == {name: everybody - {name} for name in ("far 0", "far 1", "far 2")}
        await calls[1].hang_up()
        assert conference.calls == (calls[0], calls[2])

    play(story)


def test_a_further_call_joins() -> None:
    async def story(stage: Stage) -> None:
        first, second = await dialled(stage, "1002", "1003")
        conference = Conference(most=3)
        await conference.join([first, second])
        [third] = await dialled(stage, "1004")
        assert states(first, second, third) == ["held", "held", "talking"]
        await conference.join([third])
        assert states(first, second, third) == ["talking"] * 3
        heard = await what_is_heard(stage, third, talks=("far 2",))
        assert heard == {"far 0": {"far 2"}, "far 1": {"far 2"}, "far 2": set()}

    play(story)


def test_in_virtual_time_a_conference_in_which_nobody_speaks_costs_nothing() -> None:
    async def story(stage: Stage) -> None:
        _, calls = await joined(stage)
        far_sounds(stage)[0].play(tone(8000, 440, 0.1))
        await asyncio.sleep(3600)
        sent = [call.voice.audio.counts.sent for call in calls if call.voice.audio is not None]
        assert sent[0] == 0
        assert 5 <= sent[1] <= 10  # the tone, and the 60 ms that it is late

    play(story)


# -- the floor -----------------------------------------------------------------------------------------------


def test_the_held_one_is_taken_back_and_nobody_is_held() -> None:
    async def story(stage: Stage) -> None:
        calls = await dialled(stage, "1002", "1003")
        assert states(*calls) == ["held", "talking"]
        stage.mark()
        await Conference().join(calls)
        await asyncio.sleep(1)
        assert states(*calls) == ["talking", "talking"]
        assert [lines(each.body, "a=send") for each in stage.requests("INVITE")] == [["a=sendrecv"]]
        told = [each for each in stage.events if isinstance(each, ConferenceChanged)]
        assert [(each.calls, each.reason) for each in told] == [
            (("call-1", "call-2"), "call-1 and call-2 talk together")
        ]

    play(story)


def test_a_call_outside_holds_all_of_it_and_taking_one_back_takes_all() -> None:
    async def story(stage: Stage) -> None:
        _, calls = await joined(stage)
        [third] = await dialled(stage, "1004")
        assert states(*calls, third) == ["held", "held", "talking"]
        await stage.phone.swap(calls[1])
        await stage.phone.floor.quiet()
        assert states(*calls, third) == ["talking", "talking", "held"]
        heard = await what_is_heard(stage, *calls)
        assert heard == {"far 0": {"far 1", "here"}, "far 1": {"far 0", "here"}, "far 2": set()}

    play(story)


# -- hold, split, the end ------------------------------------------------------------------------------------


def test_a_hold_holds_the_whole() -> None:
    async def story(stage: Stage) -> None:
        _, calls = await joined(stage)
        stage.mark()
        await calls[0].hold()
        assert states(*calls) == ["held", "held"]
        assert [lines(each.body, "a=send") for each in stage.requests("INVITE")] == [["a=sendonly"]] * 2
        heard = await what_is_heard(stage, *calls)
        assert heard == {"far 0": set(), "far 1": set()}
        await calls[1].resume()
        assert states(*calls) == ["talking", "talking"]
        heard = await what_is_heard(stage, *calls)
        assert heard == {"far 0": {"far 1", "here"}, "far 1": {"far 0", "here"}}

    play(story)


def test_a_split_makes_two_held_calls() -> None:
    """phone.md section F: "split releases to two held calls"."""

    async def story(stage: Stage) -> None:
        conference, calls = await joined(stage)
        stage.events.clear()
        await conference.split()
        assert states(*calls) == ["held", "held"]
        assert conference.calls == ()
        told = [each for each in stage.events if isinstance(each, ConferenceChanged)]
        assert [(each.calls, each.reason) for each in told] == [
            ((), "split: call-1 and call-2 are calls of their own again")
        ]
        await calls[0].resume()
        assert states(*calls) == ["talking", "held"]
        heard = await what_is_heard(stage, *calls)
        assert heard == {"far 0": {"here"}, "far 1": set()}

    play(story)


@pytest.mark.parametrize("by_us", [True, False])
@pytest.mark.parametrize("leaves", [0, 1])
def test_one_leaves_and_the_rest_goes_on_as_a_call(leaves: int, by_us: bool) -> None:
    async def story(stage: Stage) -> None:
        conference, calls = await joined(stage)
        stays = calls[1 - leaves]
        if by_us:
            await calls[leaves].hang_up()
        else:
            await stage.lab.callee._phone.calls[leaves].hang_up()
        await asyncio.sleep(1)
        assert (stays.state, stays.conference, stays.usages) == (CallState.TALKING, None, [])
        assert conference.calls == ()
        assert (await what_is_heard(stage, stays))["far 0"] == {"here"}
        told = [each for each in stage.events if isinstance(each, ConferenceChanged)]
        gone = calls[leaves].id
        assert (told[-1].calls, told[-1].reason) == ((), f"{gone} has ended, {stays.id} goes on as a call")

    play(story)


# -- what comes to nothing -----------------------------------------------------------------------------------


def test_what_cannot_be_joined() -> None:
    async def story(stage: Stage) -> None:
        _, calls = await joined(stage)
        third, fourth = await dialled(stage, "1004", "1005")
        with pytest.raises(CallError, match="call-1 is in a conference already"):
            await Conference().join([calls[0], third])
        with pytest.raises(CallError, match="a conference has 2 calls at most"):
            await Conference().join([third, fourth, third])
        await third.hang_up()
        with pytest.raises(CallError, match="call-3 is ended, not up"):
            await Conference().join([third, fourth])

    play(story)


async def joining_two(on: Play) -> tuple[Call, Call, asyncio.Future[None], Request, Request]:
    """Two calls that join, the INVITE of the second, and that which takes the first one back."""
    _, first = await on.talking()
    second = on.phone.dial("1003")
    invite = await on.second_call()
    on.far.answer(invite, 200, body=offer(), tag="other-tag")
    await on.far.heard("ACK")
    joining = asyncio.ensure_future(Conference().join([first, second]))
    return first, second, joining, invite, await on.far.heard("INVITE")


def test_a_far_end_that_cannot_be_taken_back_stays_held() -> None:
    async def story(on: Play) -> None:
        first, second, joining, _, again = await joining_two(on)
        on.far.answer(again, 488)
        await on.far.heard("ACK")
        with pytest.raises(CallError, match="the far end refused: 488"):
            await joining
        assert states(first, second) == ["held", "talking"]
        assert (first.conference, second.conference) == (None, None)
        assert not [each for each in on.events if isinstance(each, ConferenceChanged)]

    play_with_far_end(story)


def test_a_call_that_ends_while_the_other_is_taken_back() -> None:
    async def story(on: Play) -> None:
        first, second, joining, invite, again = await joining_two(on)
        on.far.send(on.from_far("BYE", invite, tag="other-tag"))
        await on.far.response(200, "BYE")
        on.far.answer(again, 200, body=offer())
        await on.far.heard("ACK")
        with pytest.raises(CallError, match="call-1 and call-2 do not talk together: call-2 is ended"):
            await joining
        assert states(first, second) == ["talking", "ended"]
        assert (first.conference, second.conference) == (None, None)

    play_with_far_end(story)
