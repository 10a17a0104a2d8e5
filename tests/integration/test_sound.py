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
from tests.media.opus import needs_opus
from tests.patience import until

pytestmark = pytest.mark.integration

OWN, THEIRS = 440, 700
"""Hz: what the phone says, and what baresip says."""
AMPLITUDE = 8000.0
SECONDS = 0.6
CODECS = ("g722", "pcmu", "pcma", "g729", "opus")


def started(stage: Stage, net: Net, ptime: int = 0) -> Baresip:
    """baresip with what the phone speaks, at the primary's address; it keeps what is said and heard."""
    account = Account("1002", "", f"{net.primary}:5060", registers=False, outbound=False, ptime=ptime)
    folder = stage.folder("baresip")
    modules = ("opus", "g722", "g711")
    peer = Baresip(net.primary, folder, [account], hertz=THEIRS, codecs=modules, records=True)
    stage.processes.append(peer)
    return peer.start()


@pytest.fixture
def baresip(stage: Stage, net: Net) -> Baresip:
    """The same with packets of 20 ms."""
    return started(stage, net)


@pytest.mark.parametrize(
    ("codec", "payload", "rate", "played"),
    [
        ("of the factory", 9, 16000, 8000),
        ("of the factory", 9, 16000, 16000),
        ("pcmu", 0, 8000, 16000),
        ("pcma", 8, 8000, 8000),
        pytest.param("opus", 107, 16000, 8000, marks=needs_opus),
        pytest.param("opus", 107, 16000, 16000, marks=needs_opus),
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
    assert (heard.rate, heard_there.rate) == (rate, 48000 if codec == "opus" else rate)
    assert_level(heard, THEIRS, amplitude(said_there, THEIRS))
    assert_level(heard_there, OWN, AMPLITUDE)
    assert min(counts[0].sent, counts[0].received) >= SECONDS * 50
    assert (counts[0].lost, counts[0].ignored) == (0, 0)


@pytest.mark.parametrize("caller", ["phone", "baresip"])
@pytest.mark.parametrize(
    ("codec", "asked"),
    [
        *((codec, asked) for codec in ("pcmu", "g722") for asked in (10, 30, 60)),
        # libopus makes no packets of 30 ms.
        *(pytest.param("opus", asked, marks=needs_opus) for asked in (10, 40, 60)),
    ],
)
def test_what_the_caller_asks_for_is_in_each_packet(
    codec: str, asked: int, caller: str, stage: Stage, net: Net, lone: LivePhone
) -> None:
    """``account.X.ptime`` where the phone calls, a=ptime where it is called; baresip follows."""
    peer = started(stage, net, asked if caller == "baresip" else 0)
    heard, counts = list[Sound](), list[AudioCounts]()

    async def story() -> None:
        call = await lone.talking_with(peer, caller)
        assert call.voice.agreed is not None
        assert (call.voice.agreed.codec.name, call.voice.agreed.ptime) == (codec, asked)
        audio = call.voice.audio
        assert audio is not None
        audio.record(10 * SECONDS)
        audio.play(tone(8000, OWN, SECONDS, AMPLITUDE))
        await until(lambda: audio.recording.seconds >= SECONDS and not audio.playing, "both tones")
        heard.append(audio.recording)
        counts.append(audio.counts)
        await call.hang_up()

    own = {"account.1.ptime": str(asked if caller == "phone" else 20)}
    lone.play(story, only_server(peer.address, "udp") | only(codec) | own)
    peer.stop()
    said_there, heard_there = peer.sounds()
    assert_level(heard[0], THEIRS, amplitude(said_there, THEIRS))
    assert_level(heard_there, OWN, AMPLITUDE)
    [count] = counts
    assert (count.lost, count.ignored) == (0, 0)
    if codec != "opus":
        assert count.sent_octets == 8 * asked * count.sent
        assert count.received_octets == 8 * asked * count.received


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
