"""SRTP as the far end sees it: what is offered, answered, refused, changed in mid-call, and told of."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from phone_emulator.events import Address, CallState, Event, MediaChanged, MessageSent, RtpIgnored
from phone_emulator.media import rtp
from phone_emulator.media.crypto import SUITES, Crypto, Key, OptionalSrtp, Security, Suite, read
from phone_emulator.media.srtp import Protection
from phone_emulator.phone import Call, Device, PhoneOptions
from phone_emulator.report.wire import masked, shown_text
from phone_emulator.sip.message import Request, Response
from tests.lab.peers import ack_to
from tests.media.listening import tone
from tests.phone import stage
from tests.phone.far_end import Play, lines, offer, play
from tests.phone.stage import Stage, server_1

SHA1_80, SHA1_32, GCM, LONG_GCM = SUITES.values()
OPTIONAL: dict[str, Any] = {"account__1__srtp_encryption": 1}
COMPULSORY: dict[str, Any] = {"account__1__srtp_encryption": 2}
INSISTS = "encryption is compulsory (account.1.srtp_encryption = 2)"
FAR = Address("192.168.1.13", 4000)
STRANGER = Address("192.168.1.66", 4000)


def far_key(number: int = 1, suite: Suite = SHA1_80) -> Key:
    return Key(bytes((number * 16 + each) % 256 for each in range(suite.octets)))


def line_of(tag: int = 1, number: int = 1, suite: Suite = SHA1_80) -> str:
    return Crypto(tag, suite, far_key(number, suite)).line()


def of(profile: str, *cryptos: str) -> bytes:
    """The far end's description, with events and these ``a=crypto`` lines."""
    said = offer(events=101).replace(b"RTP/AVP", profile.encode())
    return said + "".join(f"{each}\r\n" for each in cryptos).encode()


def keys_of(message: Request | Response) -> list[Crypto]:
    return [read(line.removeprefix("a=crypto:")) for line in lines(message.body, "a=crypto:")]


class Speaker:
    """What the far end says and hears, as it takes its own and the phone's key."""

    def __init__(self, own: Key, phones: Crypto) -> None:
        self.protection = Protection()
        self.protection.agree(Security(phones.suite, own, phones.key))
        self.sequence = 0

    def packet(self) -> bytes:
        self.sequence += 1
        return self.protection.protect(
            rtp.Packet(0, self.sequence, self.sequence * 160, 5, b"\xff" * 160).pack()
        )


class Ear:
    """Where the far end listens: what it can decrypt with the key that it has taken."""

    def __init__(self, phones: Crypto) -> None:
        self.heard: list[bytes] = []
        self.take(phones)

    def take(self, phones: Crypto) -> None:
        self.protection = Protection()
        self.protection.agree(Security(phones.suite, far_key(), phones.key))

    def datagram_received(self, data: bytes, remote: Address) -> None:
        self.heard.append(self.protection.unprotect(data))

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        raise AssertionError(f"{remote}: {reason}")


async def say(call: Call) -> None:
    """Say 100 ms of something."""
    assert call.voice.audio is not None
    call.voice.audio.play(tone(8000, 440, 0.1, 8000.0))
    await asyncio.sleep(0.2)


def taken(call: Call, data: bytes, source: Address = FAR) -> bool:
    """Whether *call* takes the packet *data*."""
    audio = call.voice.audio
    assert audio is not None
    before = audio.counts.received
    audio.datagram_received(data, source)
    return audio.counts.received > before


def media(events: list[Event]) -> list[tuple[str, bool, str]]:
    return [
        (each.encrypted, each.keys_in_clear, each.reason) for each in events if isinstance(each, MediaChanged)
    ]


# -- what is offered -----------------------------------------------------------------------------------------


def shape(body: bytes) -> list[str]:
    """A description without keys and session lines."""
    return [re.sub(r"inline:.*", "inline:", line) for line in body.decode().splitlines()[5:]]


CRYPTO_LINES = ["a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:", "a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:"]
REST = [
    "a=rtpmap:0 PCMU/8000",
    "a=ptime:20",
    "a=sendrecv",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-15",
]
PLAIN, SECURE = "m=audio 11780 RTP/AVP 0 101", "m=audio 11780 RTP/SAVP 0 101"


@pytest.mark.parametrize(
    ("value", "options", "expected"),
    [
        (0, PhoneOptions(), [PLAIN, *REST]),
        (1, PhoneOptions(), [PLAIN, *CRYPTO_LINES, *REST]),
        (1, PhoneOptions(optional_srtp=OptionalSrtp.TWO_LINES), [SECURE, *CRYPTO_LINES, *REST, PLAIN, *REST]),
        (2, PhoneOptions(), [SECURE, *CRYPTO_LINES, *REST]),
        (2, PhoneOptions(optional_srtp=OptionalSrtp.TWO_LINES), [SECURE, *CRYPTO_LINES, *REST]),
    ],
)
def test_what_is_offered(value: int, options: PhoneOptions, expected: list[str]) -> None:
    async def story(on: Play) -> None:
        on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        assert shape(invite.body) == expected
        keys = [each.key for each in keys_of(invite)]
        assert len({*keys}) == len(keys)

    play(story, options, account__1__srtp_encryption=value)


@pytest.mark.parametrize("firmware", ["66.86.0.15", "38.72.14.5", "6.61.0.84"])
def test_where_the_key_stands_in_an_answer(firmware: str) -> None:
    style = Device(firmware=firmware).style

    async def story(on: Play) -> None:
        on.far.remote = Address("192.168.1.21", style.listen_port)
        _, response, _ = await on.taken(body=of("RTP/SAVP", line_of(7)))
        found = [line for line in shape(response.body) if not line.startswith(("a=ptime", "a=fmtp"))]
        port = 11780 + style.skipped_rtp_ports
        assert found == [
            f"m=audio {port} RTP/SAVP 0 101",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:",
            "a=sendrecv",
        ]

    optional: dict[str, Any] = {"account__1__srtp_encryption": 2 if firmware.startswith("6.") else 1}
    play(story, PhoneOptions(device=Device(firmware=firmware)), **optional)


# -- what is answered ----------------------------------------------------------------------------------------


def both(first: str, second: str, *, plain_first: bool = False) -> bytes:
    """A line with a key and one without, one behind the other."""
    head, _, tail = of(first).partition(b"m=")
    key = b"" if plain_first else f"{line_of()}\r\n".encode()
    other = f"{line_of()}\r\n".encode() if plain_first else b""
    return head + b"m=" + tail + key + b"m=" + tail.replace(first.encode(), second.encode()) + other


@pytest.mark.parametrize(
    ("settings", "body", "expected"),
    [
        (OPTIONAL, of("RTP/SAVP", line_of()), [SECURE]),
        (OPTIONAL, of("RTP/SAVPF", line_of()), [SECURE.replace("SAVP", "SAVPF")]),
        (OPTIONAL, of("RTP/AVP", line_of()), [PLAIN]),
        (COMPULSORY, of("RTP/AVP", line_of()), [PLAIN]),
        (OPTIONAL, both("RTP/SAVP", "RTP/AVP"), [SECURE, "m=audio 0 RTP/AVP 0 101"]),
        (OPTIONAL, both("RTP/AVP", "RTP/SAVP", plain_first=True), ["m=audio 0 RTP/AVP 0 101", SECURE]),
        (COMPULSORY, both("RTP/AVP", "RTP/SAVP", plain_first=True), ["m=audio 0 RTP/AVP 0 101", SECURE]),
    ],
)
def test_offers_with_keys_are_answered_with_one(
    settings: dict[str, Any], body: bytes, expected: list[str]
) -> None:
    async def story(on: Play) -> None:
        _, response, call = await on.taken(body=body)
        assert lines(response.body, "m=") == expected
        [own] = keys_of(response)
        assert (own.tag, own.suite) == (1, SHA1_80)
        assert call.voice.encrypted == SHA1_80.name
        assert taken(call, Speaker(far_key(), own).packet())

    play(story, **settings)


@pytest.mark.parametrize(
    ("settings", "body", "expected"),
    [
        ({}, of("RTP/AVP", line_of()), [PLAIN]),
        ({}, both("RTP/SAVP", "RTP/AVP"), ["m=audio 0 RTP/SAVP 0 101", PLAIN]),
        (OPTIONAL, of("RTP/AVP"), [PLAIN]),
        (OPTIONAL, of("RTP/AVP", "a=crypto:1 NEW_CIPHER inline:AAAA"), [PLAIN]),
        (OPTIONAL, of("RTP/AVP", "a=crypto:nonsense"), [PLAIN]),
    ],
)
def test_offers_that_are_answered_in_the_clear(
    settings: dict[str, Any], body: bytes, expected: list[str]
) -> None:
    async def story(on: Play) -> None:
        _, response, call = await on.taken(body=body)
        assert lines(response.body, "m=", "a=crypto") == expected
        assert call.voice.encrypted == ""
        assert media(on.events) == []

    play(story, **settings)


SHORT = line_of()[:-8]


@pytest.mark.parametrize(
    ("settings", "body", "reason"),
    [
        ({}, of("RTP/SAVP", line_of()), "no common codec: the audio is not plain RTP (RTP/AVP)"),
        (OPTIONAL, of("RTP/SAVP"), "the offer has no key (a=crypto)"),
        (
            OPTIONAL,
            of("RTP/SAVP", SHORT),
            "the offer's key (a=crypto) cannot be used: a key of 30 octets was expected, not 24",
        ),
        (
            OPTIONAL,
            of("RTP/SAVP", line_of().replace("AES_CM", "F8")),
            "the offer's key (a=crypto) cannot be used: the cipher F8_128_HMAC_SHA1_80 cannot be done here",
        ),
        (
            OPTIONAL,
            of("RTP/SAVP", line_of(suite=GCM)),
            "no common cipher: the offer has AEAD_AES_128_GCM;"
            " this phone has AES_CM_128_HMAC_SHA1_80, AES_CM_128_HMAC_SHA1_32",
        ),
        (COMPULSORY, of("RTP/AVP"), f"the offer has no key (a=crypto): {INSISTS}"),
        (
            COMPULSORY,
            of("RTP/AVP", line_of() + " UNENCRYPTED_SRTP"),
            "the offer's key (a=crypto) cannot be used: the parameter UNENCRYPTED_SRTP cannot be used here:"
            f" {INSISTS}",
        ),
        (COMPULSORY, of("RTP/SAVP", line_of()).replace(b" 0 101", b" 18"), "no common codec"),
        (COMPULSORY, of("RTP/SAVP", line_of()).replace(b"RTP/SAVP", b"UDP/TLS/RTP/SAVPF"), None),
    ],
)
def test_offers_that_are_refused(settings: dict[str, Any], body: bytes, reason: str | None) -> None:
    async def story(on: Play) -> None:
        invite = on.far.invite(body=body)
        on.far.send(invite)
        response = await on.far.response(488)
        on.far.send(ack_to(invite, response))
        expected = reason or "no common codec: the audio is not plain RTP (RTP/AVP)"
        assert on.phone.history[0].reason.startswith(expected)
        fault = 305 if expected == "no common codec" else 302
        said = f'{fault} 192.168.1.21 "{expected}'
        assert (response.headers.get("Warning") or "").startswith(said.removesuffix("(RTP/AVP)"))

    play(story, **settings)


# -- answers of the far end ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "profile", "tag"),
    [
        (COMPULSORY, "RTP/SAVP", 1),
        (COMPULSORY, "RTP/SAVP", 2),
        (OPTIONAL, "RTP/AVP", 2),
        (OPTIONAL, "RTP/SAVP", 1),
    ],
)
def test_an_answer_with_one_of_the_offered_ciphers(settings: dict[str, Any], profile: str, tag: int) -> None:
    suite = (SHA1_80, SHA1_32)[tag - 1]

    async def story(on: Play) -> None:
        invite, call = await on.talking(body=of(profile, line_of(tag, suite=suite)))
        assert call.voice.encrypted == suite.name
        assert call.state is CallState.TALKING
        assert taken(call, Speaker(far_key(suite=suite), keys_of(invite)[tag - 1]).packet())
        assert media(on.events)[-1] == (suite.name, True, f"encrypted ({suite.name}), keys in the clear")

    play(story, **settings)


A = "a session description"


@pytest.mark.parametrize(
    ("settings", "body", "why"),
    [
        (COMPULSORY, of("RTP/SAVP"), f"{A} without a key (a=crypto), where encryption is compulsory"),
        (COMPULSORY, of("RTP/AVP"), f"{A} without a key (a=crypto), where encryption is compulsory"),
        (OPTIONAL, of("RTP/SAVP"), f"{A} without a key (a=crypto), where encryption is compulsory"),
        (
            COMPULSORY,
            of("RTP/SAVP", line_of(), line_of(2, suite=SHA1_32)),
            f"{A} with several keys (a=crypto), where one was to be chosen",
        ),
        (
            COMPULSORY,
            of("RTP/SAVP", line_of(3)),
            f"{A} whose key (a=crypto) is for none of the offered ciphers",
        ),
        (
            COMPULSORY,
            of("RTP/SAVP", line_of(1, suite=SHA1_32)),
            f"{A} whose key (a=crypto) is for none of the offered ciphers",
        ),
        (
            OPTIONAL,
            of("RTP/AVP", SHORT),
            f"{A} whose key (a=crypto) cannot be used: a key of 30 octets was expected, not 24",
        ),
        ({}, of("RTP/SAVP", line_of()), f"{A} whose audio has not been offered (RTP/SAVP)"),
    ],
)
def test_an_answer_that_does_not_do_fails_the_call(settings: dict[str, Any], body: bytes, why: str) -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 200, body=body)
        await on.far.heard("ACK")
        on.far.answer(await on.far.heard("BYE"), 200)
        await call.over()
        assert (call.result, call.reason) == ("failed", f"answered with {why}")

    play(story, **settings)


def test_keys_that_nobody_has_asked_for_are_passed_over() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking(body=of("RTP/AVP", line_of()))
        assert (call.state, call.voice.encrypted) == (CallState.TALKING, "")

    play(story)


def test_a_late_offer_has_keys_too() -> None:
    async def story(on: Play) -> None:
        invite, _, call = await on.ringing(body=b"")
        call.answer()
        response = await on.far.response(200, "INVITE")
        assert lines(response.body, "m=") == [SECURE]
        ack = on.far.ack(invite, response, of("RTP/SAVP", line_of()))
        ack.headers.add("Content-Type", "application/sdp")
        on.far.send(ack)
        await on.rest()
        assert (call.state, call.voice.encrypted) == (CallState.TALKING, SHA1_80.name)
        assert taken(call, Speaker(far_key(), keys_of(response)[0]).packet())

    play(story, **COMPULSORY)


def test_early_media_is_encrypted_and_each_fork_has_its_key() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        for number, tag in enumerate(("one", "other"), 1):
            on.far.answer(invite, 183, body=of("RTP/SAVP", line_of(1, number)), tag=tag)
            await on.rest()
            assert taken(call, Speaker(far_key(number), keys_of(invite)[0]).packet())
        on.far.answer(invite, 200, body=of("RTP/SAVP", line_of(1, 1)), tag="one")
        await on.far.heard("ACK")
        again = Speaker(far_key(1), keys_of(invite)[0])
        assert [taken(call, again.packet()) for _ in range(2)] == [False, True]  # the first came already

    play(story, **COMPULSORY)


# -- in mid-call ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_the_far_end_brings_a_new_key(method: str) -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking(body=of("RTP/SAVP", line_of()))
        own = keys_of(invite)[0]
        old, new = Speaker(far_key(1), own), Speaker(far_key(2, SHA1_32), Crypto(1, SHA1_32, own.key))
        assert taken(call, old.packet())
        again = on.from_far(method, invite, 101, body=of("RTP/SAVP", line_of(4, 2, SHA1_32)))
        on.far.send(again)
        response = await on.far.response(200, method)
        if method == "INVITE":
            on.far.send(on.far.ack(again, response))
        await on.rest()
        [answered] = keys_of(response)
        assert (answered.tag, answered.suite, answered.key == keys_of(invite)[1].key) == (4, SHA1_32, True)
        assert taken(call, old.packet())  # on its way when the key changed
        assert taken(call, new.packet())
        assert not taken(call, old.packet())
        assert media(on.events)[-1][0] == SHA1_32.name

    play(story, **COMPULSORY)


def test_a_hold_keeps_the_keys_and_nothing_is_encrypted_twice_alike() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking(body=of("RTP/AVP", line_of()))
        task = call.spawn(hold(call), "hold")
        again = await on.far.heard("INVITE")
        assert [each.key for each in keys_of(again)] == [each.key for each in keys_of(invite)]
        on.far.answer(again, 200, body=of("RTP/AVP", line_of()).replace(b"sendrecv", b"recvonly"))
        await on.far.heard("ACK")
        await task
        speaker = Speaker(far_key(), keys_of(invite)[0])
        first = speaker.packet()
        assert taken(call, first)
        assert not taken(call, first)
        assert len(media(on.events)) == 1

    async def hold(call: Call) -> None:
        await call.hold()

    play(story, **OPTIONAL)


@pytest.mark.parametrize("encrypted", [True, False])
def test_of_two_lines_none_is_missing_later(encrypted: bool) -> None:
    """RFC 3264 section 8."""
    offered = ["m=audio 11780 RTP/SAVP 0 101", "m=audio 11780 RTP/AVP 0 101"]

    def answered(direction: bytes) -> bytes:
        head, _, tail = of("RTP/AVP").partition(b"m=")
        secure = tail.replace(b"RTP/AVP", b"RTP/SAVP") + f"{line_of()}\r\n".encode()
        lines_of = (
            (secure, tail.replace(b"4000", b"0")) if encrypted else (secure.replace(b"4000", b"0"), tail)
        )
        return head + b"".join(b"m=" + each for each in lines_of).replace(b"sendrecv", direction)

    async def story(on: Play) -> None:
        invite, call = await on.talking(body=answered(b"sendrecv"))
        assert lines(invite.body, "m=") == offered
        holding = asyncio.create_task(call.hold())
        again = await on.far.heard("INVITE")
        assert lines(again.body, "m=") == offered
        on.far.answer(again, 200, body=answered(b"recvonly"))
        await on.far.heard("ACK")
        await holding
        assert call.voice.encrypted == (SHA1_80.name if encrypted else "")

    play(story, PhoneOptions(optional_srtp=OptionalSrtp.TWO_LINES), **OPTIONAL)


def test_an_encrypted_call_that_goes_on_in_the_clear_is_told_of() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking(body=of("RTP/AVP", line_of()))
        on.far.send(on.from_far("UPDATE", invite, 101, body=of("RTP/AVP")))
        response = await on.far.response(200, "UPDATE")
        assert lines(response.body, "a=crypto") == []
        assert media(on.events)[1:] == [("", False, "it is not encrypted any more")]
        assert taken(call, rtp.Packet(0, 1, 160, 5, b"\xff" * 160).pack())

    play(story, **OPTIONAL)


def test_where_encryption_is_compulsory_nothing_goes_on_in_the_clear() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking(body=of("RTP/SAVP", line_of()))
        on.far.send(on.from_far("UPDATE", invite, 101, body=of("RTP/AVP")))
        await on.far.response(488, "UPDATE")
        assert call.voice.encrypted == SHA1_80.name
        assert not taken(call, rtp.Packet(0, 1, 160, 5, b"\xff" * 160).pack())
        assert taken(call, Speaker(far_key(), keys_of(invite)[0]).packet())

    play(story, **COMPULSORY)


def test_another_address_of_the_phone_has_other_keys() -> None:
    """RFC 4568 section 7.1.4; until the far end has them, what is said goes out under those of before."""

    async def story(on: Play) -> None:
        invite, call = await on.talking(body=of("RTP/SAVP", line_of()))
        ear = Ear(keys_of(invite)[0])
        await on.world.open_udp(FAR, ear)
        await say(call)
        on.world.readdress("192.168.1.21", "192.168.1.22")
        again = await on.far.heard("INVITE")
        assert not {each.key for each in keys_of(again)} & {each.key for each in keys_of(invite)}
        await say(call)
        assert len(ear.heard) == 10
        on.far.answer(again, 200, body=of("RTP/SAVP", line_of(number=2)))
        await on.far.heard("ACK")
        await on.rest()
        ear.take(keys_of(again)[0])
        await say(call)
        assert len(ear.heard) == 15
        assert taken(call, Speaker(far_key(2), keys_of(again)[0]).packet())

    play(story, **COMPULSORY)


# -- keys that do not fit ------------------------------------------------------------------------------------

WRONG = "packets cannot be decrypted: the far end's key does not fit"


def wrongs(events: list[Event]) -> list[str]:
    return [str(event) for event in events if isinstance(event, RtpIgnored)]


def test_a_key_that_does_not_fit_is_told_once() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking(body=of("RTP/SAVP", line_of()))
        audio = call.voice.audio
        assert audio is not None
        speaker = Speaker(far_key(9), keys_of(invite)[0])
        for _ in range(9):
            assert not taken(call, speaker.packet())
        assert wrongs(on.events) == []
        for _ in range(30):
            assert not taken(call, speaker.packet())
        assert wrongs(on.events) == [f"sound from {FAR} is not heard: {WRONG}"]
        assert (audio.counts.undecrypted, audio.counts.ignored) == (39, 0)
        assert "the far end's key does not fit" in audio.counts.problem
        assert audio.heard_at is None

    play(story, **COMPULSORY)


def test_strangers_without_the_key_neither_take_the_far_ends_place_nor_are_told_as_it() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking(body=of("RTP/SAVP", line_of()))
        audio = call.voice.audio
        assert audio is not None
        speaker, stranger = Speaker(far_key(), keys_of(invite)[0]), Speaker(far_key(9), keys_of(invite)[0])
        for _ in range(5):
            assert not taken(call, stranger.packet(), STRANGER)  # before the far end was heard
        assert taken(call, speaker.packet())
        for _ in range(50):
            assert not taken(call, stranger.packet(), STRANGER)
        assert wrongs(on.events) == [f"sound from {STRANGER} is not heard: the far end's comes from {FAR}"]
        assert (audio.counts.strangers, audio.counts.undecrypted) == (50, 5)
        for odd in (b"", b"\x80", b"\x80\xc8" + bytes(40), b"\x80\x00" + bytes(2000), bytes(60)):
            assert not taken(call, odd)
        assert audio.counts.ignored == 5

    play(story, **COMPULSORY)


# -- what is told --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("transport", "in_clear"), [(0, True), (1, True), (2, False)])
def test_over_tls_nobody_reads_the_keys(transport: int, in_clear: bool) -> None:
    """The called users of the lab speak SRTP where the phone does."""
    keys = server_1(transport_type=transport, port=5061 if transport == 2 else 5060)

    async def story(on: Stage) -> None:
        call = on.phone.dial("1002")
        assert await call.settled() == "answered"
        text = f"encrypted ({SHA1_80.name})" + (", keys in the clear" if in_clear else "")
        assert call.session.secrecy == text
        assert media(on.events)[0] == (SHA1_80.name, in_clear, text)
        await call.hang_up()

    stage.play(story, {"account.1.srtp_encryption": "2", **keys})


def test_no_key_is_in_anything_that_people_see() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking(body=of("RTP/SAVP", line_of()))
        texts = [line.split("inline:")[1] for line in lines(invite.body, "a=crypto:")]
        texts.append(line_of().split("inline:")[1])
        sent = [event.data for event in on.events if isinstance(event, MessageSent)]
        seen = [shown_text(data) for data in sent] + [masked(data).decode() for data in sent]
        seen += [str(event) for event in on.events if not hasattr(event, "data")]
        seen += [repr(call.voice.agreed), repr(call.reason), repr(call.route)]
        assert "AES_CM_128_HMAC_SHA1_80 inline:" in "".join(seen)
        for text in texts:
            assert not any(text in each or text[:12] in each for each in seen)

    play(story, **COMPULSORY)
