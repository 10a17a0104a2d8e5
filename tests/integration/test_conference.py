"""A conference with two pjsips, in codecs of their own: each hears the other and the phone, not itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from phone_emulator.media.sound import Sound
from phone_emulator.media.wav import read_wav
from phone_emulator.phone import Call
from tests.integration.harness.certificates import Certificates
from tests.integration.harness.far_end import only_server
from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.live import LivePhone
from tests.integration.harness.net import Net
from tests.integration.harness.pjsip import Pjsip
from tests.integration.harness.scene import CAST, kamailio
from tests.integration.harness.stage import Stage
from tests.media.listening import amplitude, decibels, tone
from tests.patience import until

pytestmark = pytest.mark.integration

HERTZ = {"1002": 600, "1003": 1000, "here": 1500}
"""What each says."""
LEVEL = 8000.0
"""Of what the phone says."""
SECONDS = 2.0
STEP = 0.1


@pytest.fixture(scope="module")
def server(lasting_stage: Stage, certificates: Certificates) -> Kamailio:
    """Kamailio, which stays in the way of the dialogs."""
    return kamailio(lasting_stage, certificates).start()


@pytest.mark.parametrize("codecs", [("pcmu", "pcmu"), ("g722", "pcma"), ("g722", "g722")])
def test_each_hears_the_other_two(
    codecs: tuple[str, str], server: Kamailio, lone: LivePhone, stage: Stage, net: Net
) -> None:
    files = {user: stage.folder(user) / "heard.wav" for user in ("1002", "1003")}

    def peer(user: str, address: str) -> Pjsip:
        settings = {
            "address": address,
            "transport": "udp",
            "server": f"{server.address}:5060",
            "user": user,
            "password": CAST[user],
            "hertz": str(HERTZ[user]),
            "records": str(files[user]),
        }
        return Pjsip(files[user].parent, settings)

    async def story() -> None:
        await lone.phone.register()
        async with peer("1002", net.peer) as one, peer("1003", net.callee) as other:
            calls: list[Call] = []
            for line, (number, pjsip) in enumerate((("1002", one), ("1003", other)), 1):
                call = lone.phone.dial(number, line)
                await pjsip.told("called")
                pjsip.do("answer")
                assert await call.settled() == "answered", call.reason
                calls.append(call)
                await lone.phone.floor.quiet()
            await lone.phone.confer(calls[1], calls[0])
            assert [str(call.state) for call in calls] == ["talking", "talking"]
            audio = calls[0].voice.audio
            assert audio is not None
            audio.record(2 * SECONDS)
            audio.play(tone(8000, HERTZ["here"], SECONDS, LEVEL))
            await until(lambda: audio.recording.seconds >= SECONDS and not audio.playing, "the tones")
            await lone.phone.hang_up(calls[0])
            assert lone.phone.calls == []

    account = {f"account.2.{key}": value for key, value in {"enable": "1", "user_name": "1001"}.items()}
    account["account.2.password"] = CAST["1001"]
    servers = only_server(server.address, "udp")
    servers |= {key.replace("account.1", "account.2"): value for key, value in servers.items()}
    wanted = {
        f"account.{line}.codec.{each}.enable": str(int(each == codec))
        for line, codec in enumerate(codecs, 1)
        for each in ("g722", "pcmu", "pcma", "g729")
    }
    lone.play(story, servers | account | wanted)
    for own, other in (("1002", "1003"), ("1003", "1002")):
        together = [heard for heard in pieces(files[own]) if level(heard, "here") > -2]
        assert len(together) * STEP >= SECONDS / 2, f"{own} did not hear the phone"
        # pjsip doubles what it hears in G.722, until that would be too loud.
        with_the_other = [heard for heard in together if level(heard, other) > -6]
        assert len(with_the_other) >= len(together) * 0.8, f"{own} did not hear {other} all the time"
        # A piece in which a tone begins has a little of every frequency.
        assert max(level(heard, own) for heard in with_the_other[1:-1]) < -40, f"{own} heard itself"


def pieces(file: Path) -> list[Sound]:
    """What a peer heard, in pieces of STEP."""
    sound = read_wav(file)
    step = round(STEP * sound.rate)
    starts = range(0, len(sound.samples) - step, step)
    return [Sound(sound.rate, sound.samples[at : at + step]) for at in starts]


def level(sound: Sound, who: str) -> float:
    """How loud the tone of *who* is, in dB of LEVEL."""
    return decibels(amplitude(sound, HERTZ[who]), LEVEL)
