"""Sound both ways with baresip, per codec: what one end says the other hears, by frequency and level."""

from __future__ import annotations

import statistics

import pytest

from phone_emulator.media.detector import Detector
from phone_emulator.media.resample import Resampler
from phone_emulator.media.sound import Sound
from phone_emulator.media.tones import FULL_SCALE_DBM0
from phone_emulator.phone.calls.audio import AudioCounts
from tests.integration.harness.baresip import Account, Baresip
from tests.integration.harness.far_end import only_server
from tests.integration.harness.live import LivePhone
from tests.integration.harness.net import Net
from tests.integration.harness.stage import Stage
from tests.media.listening import amplitude, decibels, loudest, tone
from tests.patience import until

pytestmark = pytest.mark.integration

OWN, THEIRS = 440, 700
"""Hz: what the phone says, and what baresip says."""
AMPLITUDE = 8000.0
SECONDS = 0.6
CODECS = ("g722", "pcmu", "pcma", "g729")


@pytest.fixture
def baresip(stage: Stage, net: Net) -> Baresip:
    """baresip with G.722 and G.711, at the primary's address; it writes what is said and heard to files."""
    account = Account("1002", "", f"{net.primary}:5060", registers=False)
    folder = stage.folder("baresip")
    peer = Baresip(net.primary, folder, [account], hertz=THEIRS, codecs=("g722", "g711"), records=True)
    stage.processes.append(peer)
    return peer.start()


@pytest.mark.parametrize(
    ("codec", "payload", "rate", "played"),
    [
        ("of the factory", 9, 16000, 8000),
        ("of the factory", 9, 16000, 16000),
        ("pcmu", 0, 8000, 16000),
        ("pcma", 8, 8000, 8000),
    ],
)
def test_each_hears_the_other(
    codec: str, payload: int, rate: int, played: int, baresip: Baresip, lone: LivePhone
) -> None:
    heard, counts = Sound(rate), list[AudioCounts]()

    async def story() -> None:
        call = lone.phone.dial("1002")
        assert await call.settled() == "answered"
        assert call.voice.described.split(b"RTP/AVP ")[1].split()[0] == str(payload).encode()
        audio = call.voice.audio
        assert audio is not None
        audio.record(10 * SECONDS)
        audio.play(tone(played, OWN, SECONDS, AMPLITUDE))
        await until(lambda: audio.recording.seconds >= SECONDS and not audio.playing, "both tones")
        heard.rate, heard.samples = audio.recording.rate, audio.recording.samples
        counts.append(audio.counts)
        await call.hang_up()

    lone.play(story, only_server(baresip.address, "udp") | only(codec))
    baresip.stop()  # which closes its files
    said_there, heard_there = baresip.sounds()
    assert (heard.rate, heard_there.rate) == (rate, rate)
    assert_level(heard, THEIRS, amplitude(said_there, THEIRS))
    assert_level(heard_there, OWN, AMPLITUDE)
    assert min(counts[0].sent, counts[0].received) >= SECONDS * 50
    assert (counts[0].lost, counts[0].ignored) == (0, 0)


@pytest.mark.parametrize(("codec", "rate"), [("g722", 16000), ("pcmu", 8000), ("pcma", 8000)])
def test_digits_in_the_sound(codec: str, rate: int, baresip: Baresip, lone: LivePhone) -> None:
    """What baresip heard has the two frequencies of each digit, at their levels."""

    async def story() -> None:
        call = lone.phone.dial("1002")
        assert await call.settled() == "answered"
        await call.send_dtmf("5D")
        audio = call.voice.audio
        assert audio is not None
        sent = audio.counts.sent
        await until(lambda: audio.counts.sent >= sent + 15, "what comes after them")
        await call.hang_up()

    keys = {"account.1.dtmf.type": "0", "features.dtmf.duration": "400"}
    lone.play(story, only_server(baresip.address, "udp") | only(codec) | keys)
    baresip.stop()
    _, heard = baresip.sounds()
    assert heard.rate == rate
    detector, narrow = Detector(), Resampler(rate, 8000).feed(heard.samples)
    assert detector.feed(narrow) == "5D"
    step = rate // 10
    parts = [Sound(rate, heard.samples[at : at + step]) for at in range(0, len(heard.samples), step)]
    each = 32767 * 10 ** ((-13.01 - FULL_SCALE_DBM0) / 20)
    for pair in ((770, 1336), (941, 1633)):
        for hertz in pair:
            level = max(amplitude(part, hertz) for part in parts)
            assert decibels(level, each) == pytest.approx(0, abs=0.5), hertz


def only(codec: str) -> dict[str, str]:
    """The cfg keys of a line that enables *codec* alone; none for the codecs of the factory."""
    if codec not in CODECS:
        return {}
    return {f"account.1.codec.{each}.enable": str(int(each == codec)) for each in CODECS}


def assert_level(sound: Sound, hertz: float, level: float) -> None:
    """Of the 100 ms that *sound* is made of most have the tone, at its level."""
    step = sound.rate // 10
    parts = [Sound(sound.rate, sound.samples[at : at + step]) for at in range(0, len(sound.samples), step)]
    whole = [part for part in parts if part.seconds == 0.1]
    assert statistics.mode(loudest(part) for part in whole) == hertz
    found = statistics.median(amplitude(part, hertz) for part in whole)
    assert decibels(found, level) == pytest.approx(0, abs=0.5)
