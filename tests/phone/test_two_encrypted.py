"""Two phones and SRTP: what comes of each pair of settings, and sound that nobody else can read."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import CallState, Event, MediaChanged, MessageSent
from phone_emulator.media.crypto import SUITES, OptionalSrtp
from phone_emulator.phone import Call, Device
from phone_emulator.phone.calls.audio import Audio
from tests.media.listening import loudest, tone
from tests.phone.far_end import lines
from tests.phone.test_two_phones import Pair, play

Keys = dict[str, object]
SHA1_80 = "AES_CM_128_HMAC_SHA1_80"
AVP, SAVP = "RTP/AVP", "RTP/SAVP"
ONE, TWO = OptionalSrtp.ONE_LINE, OptionalSrtp.TWO_LINES


def srtp(value: int, ciphers: str = "") -> Keys:
    chosen: Keys = {"srtp.cipher_list": ciphers} if ciphers else {}
    return {"srtp_encryption": value, **chosen}


def sound_of(call: Call) -> Audio:
    assert call.voice.audio is not None
    return call.voice.audio


async def hear_each_other(one: Call, other: Call) -> None:
    """Each hears the tone of the other, and sends digits that arrive."""
    for call, hertz in ((one, 440), (other, 700)):
        sound_of(call).record(1)
        sound_of(call).play(tone(8000, hertz, 0.5, 8000.0))
    await asyncio.sleep(1.1)
    assert [loudest(sound_of(call).recording) for call in (one, other)] == [700, 440]
    before = sound_of(other).digits
    await one.send_dtmf("12")
    await asyncio.sleep(0.1)
    assert sound_of(other).digits == f"{before}12"
    assert {sound_of(call).counts.undecrypted for call in (one, other)} == {0}
    assert {sound_of(call).counts.ignored for call in (one, other)} == {0}


TABLE = [
    # The caller's and the called end's account.X.srtp_encryption; what comes of it over one line, over two.
    (0, 0, AVP, AVP),
    (0, 1, AVP, AVP),
    (0, 2, "the offer has no key (a=crypto): encryption is compulsory (account.1.srtp_encryption = 2)", ""),
    (1, 0, AVP, AVP),
    (1, 1, f"{AVP} {SHA1_80}", f"{SAVP} {SHA1_80}"),
    (1, 2, f"{AVP} {SHA1_80}", f"{SAVP} {SHA1_80}"),
    (2, 0, "no common codec: the audio is not plain RTP (RTP/AVP)", ""),
    (2, 1, f"{SAVP} {SHA1_80}", f"{SAVP} {SHA1_80}"),
    (2, 2, f"{SAVP} {SHA1_80}", f"{SAVP} {SHA1_80}"),
]


@pytest.mark.parametrize("offered", [ONE, TWO])
@pytest.mark.parametrize(("caller", "called", "one_line", "two_lines"), TABLE)
def test_what_comes_of_each_pair_of_settings(
    caller: int, called: int, one_line: str, two_lines: str, offered: OptionalSrtp
) -> None:
    expected = one_line if offered is ONE else two_lines or one_line

    async def story(pair: Pair) -> None:
        if expected.startswith("RTP"):
            profile, _, suite = expected.partition(" ")
            calling, taken = await pair.talking()
            for call in (calling, taken):
                assert call.voice.agreed is not None
                assert (call.voice.agreed.profile, call.voice.encrypted) == (profile, suite)
            await hear_each_other(calling, taken)
            await calling.hold()
            await calling.resume()
            await taken.hold()
            await taken.resume()
            assert calling.voice.encrypted == taken.voice.encrypted == suite
            await hear_each_other(calling, taken)
            return
        calling = pair.alice.dial("1002")
        await calling.settled()
        [refused] = pair.bob.history
        assert (calling.result, calling.status, refused.status) == ("rejected", 488, 488)
        assert refused.reason == expected
        insists = "; encryption is compulsory (account.1.srtp_encryption = 2)" if caller == 2 else ""
        assert (
            calling.reason
            == f"answered 488 Not Acceptable Here: an answer, no other server is tried{insists}"
        )

    play(story, more=(srtp(caller), srtp(called)), optional_srtp=offered)


@pytest.mark.parametrize(
    ("caller", "called", "agreed"),
    [
        *((name, name, name) for name in SUITES),
        (
            "AES_CM_128_HMAC_SHA1_32,AEAD_AES_128_GCM",
            "AEAD_AES_128_GCM,AES_CM_128_HMAC_SHA1_80",
            "AEAD_AES_128_GCM",
        ),
        ("AES_CM_128_HMAC_SHA1_32,AES_CM_128_HMAC_SHA1_80", "", "AES_CM_128_HMAC_SHA1_32"),
        ("F8_128_HMAC_SHA1_80,AES_CM_128_HMAC_SHA1_80", "", SHA1_80),
    ],
)
def test_ciphers_are_offered_in_order_and_the_first_common_one_is_taken(
    caller: str, called: str, agreed: str
) -> None:
    # account.X.srtp.cipher_list
    async def story(pair: Pair) -> None:
        calling, taken = await pair.talking()
        offered = [line.split()[1] for line in lines(calling.voice.described, "a=crypto")]
        assert offered == [name for name in caller.split(",") if name in SUITES]
        assert [line.split()[1] for line in lines(taken.voice.described, "a=crypto")] == [agreed]
        assert (calling.voice.encrypted, taken.voice.encrypted) == (agreed, agreed)
        await hear_each_other(calling, taken)

    play(story, more=(srtp(2, caller), srtp(2, called)))


@pytest.mark.parametrize(
    ("caller", "called", "where", "reason"),
    [
        (
            "F8_128_HMAC_SHA1_80",
            "",
            "caller",
            "nothing can be encrypted: account.1.srtp.cipher_list names F8_128_HMAC_SHA1_80",
        ),
        (
            "",
            "F8_128_HMAC_SHA1_80",
            "called",
            "nothing can be encrypted: account.1.srtp.cipher_list names F8_128_HMAC_SHA1_80",
        ),
        (
            "AEAD_AES_128_GCM",
            SHA1_80,
            "called",
            "no common cipher: the offer has AEAD_AES_128_GCM; this phone has AES_CM_128_HMAC_SHA1_80:"
            " encryption is compulsory (account.1.srtp_encryption = 2)",
        ),
    ],
)
def test_compulsory_encryption_without_a_common_cipher(
    caller: str, called: str, where: str, reason: str
) -> None:
    async def story(pair: Pair) -> None:
        calling = pair.alice.dial("1002")
        await calling.settled()
        failed = calling if where == "caller" else pair.bob.history[0]
        assert failed.reason == reason
        assert (calling.result, calling.status) == (
            ("failed", None) if where == "caller" else ("rejected", 488)
        )

    play(story, more=(srtp(2, caller), srtp(2, called)))


@pytest.mark.parametrize(
    ("firmware", "compulsory"),
    [("66.86.0.15", 2), ("28.72.0.25", 2), ("38.70.14.5", 1), ("6.61.0.84", 1), ("9.60.0.110", 1)],
)
def test_the_firmware_says_which_value_is_compulsory(firmware: str, compulsory: int) -> None:
    # account.X.srtp_encryption: the meaning of 1 and 2 was swapped.
    async def story(pair: Pair) -> None:
        calling = pair.alice.dial("1002")
        await asyncio.sleep(0.5)
        [sent] = [data for data in sends if data.startswith(b"INVITE")]
        assert (b"RTP/SAVP" in sent, b"RTP/AVP" in sent) == (True, False)
        assert calling.state is CallState.RINGING

    sends: list[bytes] = []

    async def listening(pair: Pair) -> None:
        def hear(event: Event) -> None:
            if isinstance(event, MessageSent):
                sends.append(event.data)

        pair.alice.bus.subscribe(hear)
        await story(pair)

    device = Device(firmware=firmware)
    keys = srtp(compulsory) | {"sip_server.1.port": device.style.listen_port}
    play(listening, more=(keys, keys), device=device)


def test_what_is_told_of_an_encrypted_call() -> None:
    async def story(pair: Pair) -> None:
        told: list[Event] = []
        pair.alice.bus.subscribe(told.append)
        calling, called = await pair.talking()
        changes = [event for event in told if isinstance(event, MediaChanged)]
        text = f"encrypted ({SHA1_80}), keys in the clear"
        assert {(each.encrypted, each.keys_in_clear, each.reason) for each in changes} == {
            (SHA1_80, True, text)
        }
        assert len(changes) == 2
        assert calling.session.secrecy == called.session.secrecy == text
        await hear_each_other(calling, called)

    play(story, more=(srtp(1), srtp(1)))


def test_nothing_is_repeated_where_sequence_numbers_begin_anew() -> None:
    """22 minutes of sound: the roll-over counter of both ends goes on, digits and tones still arrive."""

    async def story(pair: Pair) -> None:
        calling, called = await pair.talking()
        sound_of(calling).record(65536 / 50 + 10)
        await asyncio.sleep(65536 / 50 + 11)
        assert sound_of(calling).counts.sent > 65536
        assert sound_of(called).counts.received == sound_of(calling).counts.sent
        assert (sound_of(called).counts.undecrypted, sound_of(called).counts.ignored) == (0, 0)
        await hear_each_other(calling, called)

    play(story, more=(srtp(2), srtp(2)))
