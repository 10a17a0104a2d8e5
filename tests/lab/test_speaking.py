"""What called users say: a tone for each server, or what they are told to; and who calls says it, too."""

from __future__ import annotations

import asyncio
from array import array
from pathlib import Path

import pytest

from phone_emulator.config import load_text
from phone_emulator.events import Bus
from phone_emulator.lab.behaviour import CalleeBehaviour
from phone_emulator.lab.callee import TONES
from phone_emulator.lab.calling import call_in
from phone_emulator.lab.lab import Lab, Place
from phone_emulator.lab.plans import simulated
from phone_emulator.lab.zone import parse_zone
from phone_emulator.media import tones
from phone_emulator.media.judgement import level, silences, strongest, tone
from phone_emulator.media.sound import Sound
from phone_emulator.media.wav import write_wav
from phone_emulator.phone import Call, IncomingCall, Phone, PhoneOptions
from phone_emulator.world import SimulatedWorld

CFG = """\
#!version:1.0.0.1
account.1.enable = 1
account.1.user_name = 2001
account.1.password = secret-1
account.1.sip_server.1.address = 192.168.1.13
account.2.enable = 1
account.2.user_name = 2002
account.2.password = secret-2
account.2.sip_server.1.address = 192.168.1.14
"""
PLACES = [Place(name="one", address="192.168.1.13"), Place(name="other", address="192.168.1.14")]


def talk(
    behaviour: object = "answer",
    *,
    line: int = 1,
    listens: bool = True,
    called: bool = False,
    hold: bool = False,
    folder: Path | None = None,
) -> tuple[Call, Sound]:
    """A call of two seconds on *line*, *called* or placed, and what the phone hears in it."""
    stage = simulated(load_text(CFG).config, PLACES, parse_zone(""), CalleeBehaviour.parse(behaviour, folder))
    world = SimulatedWorld(0, stage.plan.nameservers)
    lab = Lab(world, stage.plan, stage.config, bus := Bus(), listens=listens)
    phone = Phone(stage.config, world, bus, lab.phone_options(PhoneOptions(listens=listens)))

    async def main() -> tuple[Call, Sound]:
        await lab.start()
        await phone.start()
        await phone.register()
        call: Call
        if called:
            call = await call_in(lab, phone, line)
            assert isinstance(call, IncomingCall)
            call.answer()
        else:
            call = phone.dial("1002", line)
        await call.settled()
        if hold:
            await call.hold()
            await call.resume()
        began = world.now()
        await asyncio.sleep(2)
        heard = Sound(8000) if call.voice.heard is None else call.voice.heard.between(began, world.now())
        await phone.stop()
        await lab.stop()
        return call, heard

    return world.run(main())


@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("line", [1, 2])
def test_each_server_has_a_tone_of_its_own(line: int, called: bool) -> None:
    _, heard = talk(line=line, called=called)
    assert strongest(heard) == TONES[line - 1]
    assert tone(heard, TONES[line - 1]) == pytest.approx(2.0, abs=0.1)
    assert level(heard.samples) == pytest.approx(-22, abs=0.5)


def test_a_tone_has_no_step_where_it_begins_again() -> None:
    _, heard = talk()
    assert silences(Sound(heard.rate, heard.samples[: -heard.rate // 10])) == []
    steps = [abs(one - other) for one, other in zip(heard.samples, heard.samples[1:], strict=False)]
    assert max(steps) < 2 * max(steps[:1600])


def test_it_says_the_tone_that_it_is_told_to() -> None:
    assert strongest(talk({"tone": "1000Hz"})[1]) == 1000
    assert strongest(talk({"tone": "6000Hz"})[1]) == 6000


def test_it_says_nothing_where_it_is_told_to() -> None:
    _, heard = talk({"tone": "none"})
    assert strongest(heard) == 0
    assert heard.seconds == pytest.approx(2.0)


def test_it_says_a_file_over_and_over(tmp_path: Path) -> None:
    sound = Sound(44100, array("h", tones.sine((700,), 510, rate=44000)))
    write_wav(tmp_path / "a.wav", sound)
    _, heard = talk({"play": "a.wav"}, folder=tmp_path)
    assert tone(heard, round(700 * 44100 / 44000)) > 1.8


def test_it_goes_on_after_a_hold() -> None:
    assert strongest(talk(hold=True)[1]) == TONES[0]


def test_in_virtual_time_nothing_is_said_where_nobody_listens() -> None:
    call, _ = talk(listens=False)
    assert call.voice.heard is None
    assert call.voice.said is None
