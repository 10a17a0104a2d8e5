"""SRTP with baresip and pjsip, whoever calls: what comes of each pair of settings, and tones both ways."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from phone_emulator.media import rtp
from phone_emulator.media.crypto import OptionalSrtp
from phone_emulator.media.g711 import PCMU as PCMU_CODER
from phone_emulator.media.sound import Sound
from phone_emulator.phone import Call
from phone_emulator.report.spool import MediaSpool
from tests.integration.harness.baresip import Account, Baresip
from tests.integration.harness.certificates import Certificates
from tests.integration.harness.far_end import only_server
from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.live import LivePhone
from tests.integration.harness.net import Net
from tests.integration.harness.pjsip import Pjsip
from tests.integration.harness.scene import CAST, kamailio
from tests.integration.harness.stage import Stage
from tests.integration.test_sound import assert_level
from tests.media.listening import amplitude, loudest, tone
from tests.patience import until

pytestmark = pytest.mark.integration

Encryption = Literal["", "srtp", "srtp-mand", "srtp-mandf"]
OWN, THEIRS, AMPLITUDE, SECONDS = 440, 700, 8000.0, 0.6
SHA1_80, SHA1_32 = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"
GCM, LONG_GCM = "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"
ONE, TWO = OptionalSrtp.ONE_LINE, OptionalSrtp.TWO_LINES
PCMU = {"account.1.codec.g722.enable": "0", "account.1.codec.pcma.enable": "0"}


def srtp(value: int, ciphers: str = "") -> dict[str, str]:
    named = {"account.1.srtp.cipher_list": ciphers} if ciphers else {}
    return {"account.1.srtp_encryption": str(value), **PCMU, **named}


async def heard(call: Call) -> Sound:
    """What the phone hears while it says its own tone."""
    audio = call.voice.audio
    assert audio is not None
    audio.record(10 * SECONDS)
    audio.play(tone(8000, OWN, SECONDS, AMPLITUDE))
    await until(lambda: audio.recording.seconds >= SECONDS and not audio.playing, "both tones")
    counts = audio.counts
    assert (counts.undecrypted, counts.ignored, counts.lost) == (0, 0, 0), counts
    return audio.recording


@pytest.fixture
def baresip(stage: Stage, net: Net) -> Callable[[Encryption], Baresip]:
    """A baresip at the primary's address that speaks PCMU, encrypted as it is told."""

    def start(encryption: Encryption) -> Baresip:
        account = Account(
            "1002", "", f"{net.primary}:5060", registers=False, outbound=False, encryption=encryption
        )
        peer = Baresip(net.primary, stage.folder("baresip"), [account], hertz=THEIRS, records=True)
        stage.processes.append(peer)
        return peer.start()

    return start


AGREED = [
    # Who calls, baresip's mediaenc and the phone's account.X.srtp_encryption; the profile of the call and its
    # cipher. baresip's srtp-mand takes RTP/SAVP only.
    ("phone", "", 1, ONE, "RTP/AVP", ""),
    ("phone", "", 1, TWO, "RTP/AVP", ""),
    ("phone", "srtp", 0, ONE, "RTP/AVP", ""),
    ("phone", "srtp", 1, ONE, "RTP/AVP", SHA1_80),
    ("phone", "srtp", 1, TWO, "RTP/SAVP", SHA1_80),
    ("phone", "srtp-mand", 1, TWO, "RTP/SAVP", SHA1_80),
    ("phone", "srtp-mand", 2, ONE, "RTP/SAVP", SHA1_80),
    ("baresip", "", 1, ONE, "RTP/AVP", ""),
    ("baresip", "srtp", 0, ONE, "RTP/AVP", ""),
    ("baresip", "srtp", 1, ONE, "RTP/AVP", SHA1_80),
    ("baresip", "srtp", 2, ONE, "RTP/AVP", SHA1_80),
    ("baresip", "srtp-mand", 1, ONE, "RTP/SAVP", SHA1_80),
    ("baresip", "srtp-mandf", 2, ONE, "RTP/SAVPF", SHA1_80),
]


@pytest.mark.parametrize(("caller", "encryption", "own", "offered", "profile", "suite"), AGREED)
def test_each_hears_the_other(
    caller: str,
    encryption: Encryption,
    own: int,
    offered: OptionalSrtp,
    profile: str,
    suite: str,
    baresip: Callable[[Encryption], Baresip],
    lone: LivePhone,
    net: Net,
) -> None:
    peer, sounds = baresip(encryption), list[Sound]()

    async def story() -> None:
        call = await lone.talking_with(peer, caller)
        assert call.voice.agreed is not None
        assert call.voice.agreed.profile == profile
        assert call.voice.encrypted == suite
        sounds.append(await heard(call))
        await call.hang_up()

    lone.play(story, only_server(peer.address, "udp") | srtp(own), optional_srtp=offered)
    peer.stop()  # which closes its files
    said_there, heard_there = peer.sounds()
    assert_level(sounds[0], THEIRS, amplitude(said_there, THEIRS))
    assert_level(heard_there, OWN, AMPLITUDE)


@pytest.mark.parametrize("suite", [SHA1_80, SHA1_32, GCM, LONG_GCM])
def test_each_cipher(suite: str, baresip: Callable[[Encryption], Baresip], lone: LivePhone) -> None:
    peer, sounds = baresip("srtp-mand"), list[Sound]()

    async def story() -> None:
        call = lone.phone.dial("1002")
        assert await call.settled() == "answered", call.reason
        assert call.voice.encrypted == suite
        sounds.append(await heard(call))
        await call.hold()
        await call.resume()
        assert call.voice.encrypted == suite
        await heard(call)
        await call.hang_up()

    lone.play(story, only_server(peer.address, "udp") | srtp(2, suite))
    assert loudest(sounds[0]) == THEIRS


def test_a_capture_plays_what_was_heard(
    baresip: Callable[[Encryption], Baresip], lone: LivePhone, tmp_path: Path
) -> None:
    peer, spool, sounds = baresip("srtp-mand"), MediaSpool(tmp_path / "x.pcapng"), list[Sound]()
    spool.begin()

    async def story() -> None:
        lone.phone.bus.tap = spool
        call = lone.phone.dial("1002")
        assert await call.settled() == "answered", call.reason
        sounds.append(await heard(call))
        await call.hang_up()

    lone.play(story, only_server(peer.address, "udp") | srtp(2))
    ((packets, streams),) = spool.parts()
    assert len(streams) == 2
    own, far = Sound(8000), Sound(8000)
    with contextlib.closing(spool):
        for packet in packets:
            if packet.local.port % 2:
                continue  # RTCP, which baresip begins with a word in the clear
            assert packet.clear is not None
            said = own if packet.outwards else far
            said.samples.extend(PCMU_CODER.decode(rtp.parse(packet.clear).payload))
    assert (loudest(own), loudest(far)) == (OWN, THEIRS)


def test_what_baresip_refuses_is_told(baresip: Callable[[Encryption], Baresip], lone: LivePhone) -> None:
    peer = baresip("")

    async def story() -> None:
        call = lone.phone.dial("1002")
        assert await call.settled() in ("rejected", "failed")
        assert "encryption is compulsory" in call.reason

    lone.play(story, only_server(peer.address, "udp") | srtp(2))


@pytest.fixture(scope="module")
def server(lasting_stage: Stage, certificates: Certificates) -> Kamailio:
    return kamailio(lasting_stage, certificates).start()


@pytest.mark.parametrize(
    ("caller", "theirs", "own", "offered", "suite", "transport"),
    [
        # pjsip that insists takes RTP/SAVP only.
        ("phone", "optional", 0, ONE, "", "udp"),
        ("phone", "optional", 1, ONE, SHA1_80, "udp"),
        ("phone", "mandatory", 1, TWO, SHA1_80, "udp"),
        ("phone", "mandatory", 2, ONE, SHA1_80, "tls"),
        ("pjsip", "optional", 0, ONE, "", "udp"),
        ("pjsip", "optional", 1, ONE, SHA1_80, "tls"),
        ("pjsip", "optional", 2, ONE, SHA1_80, "udp"),
        ("pjsip", "mandatory", 1, ONE, SHA1_80, "udp"),
    ],
)
def test_pjsip_and_the_phone(
    caller: str,
    theirs: str,
    own: int,
    offered: OptionalSrtp,
    suite: str,
    transport: Literal["udp", "tls"],
    lone: LivePhone,
    server: Kamailio,
    stage: Stage,
    certificates: Certificates,
    net: Net,
) -> None:
    async def story() -> None:
        pjsip = Pjsip(
            stage.folder("1002"),
            {
                "address": net.peer,
                "transport": transport,
                "server": f"{server.address}:{5061 if transport == 'tls' else 5060}",
                "user": "1002",
                "password": CAST["1002"],
                "ca_file": str(certificates.ca_file),
                "srtp": theirs,
            },
        )
        async with pjsip:
            await lone.phone.register()
            if caller == "phone":
                call: Call = lone.phone.dial("1002")
                await pjsip.told("called")
                pjsip.do("answer")
                assert await call.settled() == "answered", call.reason
            else:
                pjsip.do("call", "1001")
                incoming = await lone.called()
                incoming.answer()
                call = incoming
            await pjsip.told("confirmed")
            assert call.voice.encrypted == suite
            in_clear = ", keys in the clear" if transport == "udp" else ""
            assert call.session.secrecy == (f"encrypted ({suite}){in_clear}" if suite else "")
            sound = await heard(call)
            assert loudest(Sound(sound.rate, sound.samples[-sound.rate // 10 :])) == 440
            await call.hang_up()
            await until(lambda: not lone.phone.calls, "all calls to end")

    lone.play(story, only_server(server.address, transport) | srtp(own), optional_srtp=offered)
