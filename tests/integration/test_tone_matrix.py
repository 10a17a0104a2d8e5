"""Each end hears the other's tone, by frequency and level: per peer, codec, plain or SRTP, and caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import pytest

from phone_emulator.media.codecs import CODECS
from phone_emulator.media.sound import Sound
from phone_emulator.media.wav import read_wav
from phone_emulator.phone import Call
from tests.integration.harness.baresip import Account, Baresip
from tests.integration.harness.certificates import Certificates
from tests.integration.harness.far_end import only_server
from tests.integration.harness.kamailio import USERS, Kamailio
from tests.integration.harness.live import LivePhone
from tests.integration.harness.net import Net
from tests.integration.harness.pjsip import Pjsip
from tests.integration.harness.rtpengine import Rtpengine
from tests.integration.harness.scene import CAST, kamailio
from tests.integration.harness.stage import Stage
from tests.integration.test_sound import only
from tests.media.listening import amplitude, decibels, loudest, tone
from tests.media.opus import needs_opus
from tests.patience import until

pytestmark = pytest.mark.integration

Peer = Literal["baresip", "pjsip", "baresip behind rtpengine"]
Caller = Literal["phone", "peer"]
CALLERS: tuple[Caller, ...] = ("phone", "peer")
FACTORY = "of the factory"
"""The codecs of the default cfg, with a peer that has all of its own."""
OWN, THEIRS = 440, 700
"""Hz: what the phone says, and what the peer says."""
AMPLITUDE = 8000.0
"""Of the phone's tone, and of pjsip's; baresip's own is in the file of what it says."""
SECONDS = 1.0
WITHIN, WITHIN_OPUS = 0.5, 1.0
"""dB between what is said and what is heard; Opus at 20 kbit/s is not steadier."""
ENOUGH = 3
"""Pieces of PIECE seconds that have the tone; a busy machine silences a peer at times."""
PIECE = 0.1
MODULES = ("opus", "g722", "g726", "gsm", "l16", "codec2", "g711")
"""baresip's codecs, in the order in which it offers and likes them."""
PJSIP_G722 = 2
"""Its G.722 is so much softer than others' in what it says, and louder in what it hears (its PCM shift)."""
SUITE = "AES_CM_128_HMAC_SHA1_80"
RTPENGINE_OPUS = 0.5**0.5
"""It makes two channels of one where it says Opus, each 3 dB softer; one who hears both as one hears that."""
BEHIND: Peer = "baresip behind rtpengine"
"""It has no SRTP, and where the phone has Opus alone, G.711 alone."""
FIRST: dict[tuple[Peer, Caller], str] = {
    ("baresip", "phone"): "g722",
    ("baresip", "peer"): "g722",
    ("pjsip", "phone"): "g722",
    # It offers PCMU before G.722, and the phone takes the first that it has.
    ("pjsip", "peer"): "pcmu",
    (BEHIND, "phone"): "g722",
    (BEHIND, "peer"): "g722",
}
"""What the codecs of the factory come to."""


@dataclass(frozen=True, slots=True)
class Row:
    """One call."""

    peer: Peer
    codec: str
    """The only one that the phone's cfg enables, or FACTORY; the peer has all of its own."""
    encrypted: bool
    """Whether both ends insist on SRTP, or neither speaks it; behind rtpengine only the phone does."""
    caller: Caller

    @property
    def spoken(self) -> str:
        """The codec of the call."""
        return FIRST[self.peer, self.caller] if self.codec == FACTORY else self.codec


BOTH_HAVE: dict[Peer, tuple[str, ...]] = {
    "baresip": (FACTORY, "pcmu", "pcma", "g722", "opus"),
    "pjsip": (FACTORY, "pcmu", "pcma", "g722"),
    BEHIND: (FACTORY, "opus"),
}
"""What both ends have."""
ROWS = [
    Row(peer, codec, encrypted, caller)
    for peer, codecs in BOTH_HAVE.items()
    for codec, encrypted, caller in product(codecs, (False, True), CALLERS)
    if encrypted or peer != BEHIND
]


def table() -> list[str]:
    """The calls as rows of a table: per peer and cfg what is spoken, and how, by who calls."""
    lines = []
    for peer, codec in dict.fromkeys((row.peer, row.codec) for row in ROWS):
        cells = [peer, codec if codec == FACTORY else CODECS[codec].title]
        for caller in CALLERS:
            calls = [row for row in ROWS if (row.peer, row.codec, row.caller) == (peer, codec, caller)]
            (spoken,) = {CODECS[row.spoken].title for row in calls}
            ways = " and ".join("SRTP" if row.encrypted else "plain" for row in calls)
            cells.append(f"{spoken}, {ways}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def marked(row: Row) -> object:
    """*row* as a parameter, with its name."""
    name = f"{row.codec.replace(' ', '-')}-{'srtp' if row.encrypted else 'rtp'}-{row.caller}-calls"
    return pytest.param(row, id=name, marks=needs_opus if row.codec == "opus" else ())


def settings(row: Row) -> dict[str, str]:
    return only(row.codec) | {"account.1.srtp_encryption": str(2 * row.encrypted)}


async def heard(call: Call, row: Row) -> Sound:
    """What the phone hears while it says its own tone."""
    assert call.voice.agreed is not None
    assert call.voice.agreed.codec.name == row.spoken
    assert call.voice.encrypted == (SUITE if row.encrypted else "")
    audio = call.voice.audio
    assert audio is not None
    audio.record(10 * SECONDS)
    audio.play(tone(8000, OWN, SECONDS, AMPLITUDE))
    await until(lambda: audio.recording.seconds >= SECONDS and not audio.playing, "both tones")
    sound, counts = audio.recording, audio.counts
    assert (counts.undecrypted, counts.ignored, counts.lost) == (0, 0, 0), counts
    await call.hang_up()
    return sound


def assert_tone(sound: Sound, hertz: int, level: float, within: float) -> None:
    """*sound* has the tone for a while, and nothing louder, at its level."""
    step = round(PIECE * sound.rate)
    starts = range(0, len(sound.samples) - step + 1, step)
    pieces = [Sound(sound.rate, sound.samples[at : at + step]) for at in starts]
    with_it = sorted(
        (found, at)
        for at, piece in enumerate(pieces)
        if (found := decibels(amplitude(piece, hertz), level)) > -6
    )
    assert len(with_it) >= ENOUGH, f"{len(with_it)} pieces of {len(pieces)} have {hertz} Hz"
    found, at = with_it[len(with_it) // 2]
    assert loudest(pieces[at]) == hertz
    assert found == pytest.approx(0, abs=within), with_it


Play = Callable[[Row, Account, Sequence[str], str], None]


@pytest.fixture
def play(lone: LivePhone, stage: Stage, net: Net) -> Play:
    """Plays a row with a baresip that has an account and modules, and calls a number."""

    def play(row: Row, account: Account, modules: Sequence[str], number: str) -> None:
        folder = stage.folder("baresip")
        peer = Baresip(net.peer, folder, [account], hertz=THEIRS, codecs=modules, records=True)
        stage.processes.append(peer)
        peer.start()
        sounds = list[Sound]()

        async def story() -> None:
            if row.caller != "phone" and account.registers:
                await lone.phone.register()
            call = await lone.talking_with(peer, row.caller, number)
            sounds.append(await heard(call, row))

        lone.play(story, only_server(account.server.partition(":")[0], "udp") | settings(row))
        peer.stop()  # which closes its files
        said_there, heard_there = peer.sounds()
        within = WITHIN_OPUS if row.spoken == "opus" else WITHIN
        level = amplitude(said_there, THEIRS)
        if row.peer == BEHIND and row.spoken == "opus":
            level *= RTPENGINE_OPUS
        assert_tone(sounds[0], THEIRS, level, within)
        assert_tone(heard_there, OWN, AMPLITUDE, within)

    return play


def rows(peer: Peer) -> pytest.MarkDecorator:
    """Parametrises a test with the rows of *peer*."""
    return pytest.mark.parametrize("row", [marked(row) for row in ROWS if row.peer == peer])


@rows("baresip")
def test_baresip(row: Row, play: Play, net: Net) -> None:
    """Without a server between."""
    encryption: Literal["", "srtp-mand"] = "srtp-mand" if row.encrypted else ""
    account = Account("1002", "", f"{net.peer}:5060", registers=False, outbound=False, encryption=encryption)
    play(row, account, MODULES, f"sip:1001@{net.phone}")


@pytest.fixture(scope="module")
def border(lasting_stage: Stage) -> Kamailio:
    """Kamailio and rtpengine, between SRTP on the side of 1001 and RTP on the other."""
    address = lasting_stage.net.secondary
    relay = Rtpengine(address, lasting_stage.folder("rtpengine"))
    lasting_stage.processes.append(relay)
    server = Kamailio(
        "border",
        address,
        lasting_stage.folder("border"),
        callee=f"{lasting_stage.net.callee}:9",
        relay=relay.start().control,
    )
    lasting_stage.processes.append(server)
    return server.start()


@rows(BEHIND)
def test_baresip_behind_rtpengine(row: Row, play: Play, border: Kamailio) -> None:
    """Which decrypts and encrypts, and transcodes Opus."""
    account = Account("1002", USERS["1002"], f"{border.address}:5060")
    play(row, account, ("g711",) if row.codec == "opus" else MODULES, "1001")


@pytest.fixture(scope="module")
def server(lasting_stage: Stage, certificates: Certificates) -> Kamailio:
    return kamailio(lasting_stage, certificates).start()


@rows("pjsip")
def test_pjsip(row: Row, server: Kamailio, lone: LivePhone, stage: Stage, net: Net) -> None:
    """Through Kamailio."""
    folder = stage.folder("1002")
    own = {
        "address": net.peer,
        "transport": "udp",
        "server": f"{server.address}:5060",
        "user": "1002",
        "password": CAST["1002"],
        "hertz": str(THEIRS),
        "volume": str(round(AMPLITUDE)),
        "records": str(folder / "heard.wav"),
    }
    sounds = list[Sound]()

    async def story() -> None:
        async with Pjsip(folder, own | ({"srtp": "mandatory"} if row.encrypted else {})) as pjsip:
            if row.caller == "phone":
                call: Call = lone.phone.dial("1002")
                await pjsip.told("called")
                pjsip.do("answer")
                assert await call.settled() == "answered", call.reason
            else:
                await lone.phone.register()
                pjsip.do("call", "1001")
                incoming = await lone.called()
                incoming.answer()
                call = incoming
            await pjsip.told("confirmed")
            sounds.append(await heard(call, row))

    lone.play(story, only_server(server.address, "udp") | settings(row))
    louder = PJSIP_G722 if row.spoken == "g722" else 1
    assert_tone(sounds[0], THEIRS, AMPLITUDE / louder, WITHIN)
    assert_tone(read_wav(folder / "heard.wav"), OWN, AMPLITUDE * louder, WITHIN)
