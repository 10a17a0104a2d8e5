"""Opus: as long as libopus and opuslib are there, and what becomes of it where they are not."""

from __future__ import annotations

import ctypes.util
import sys
from array import array
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.media import codecs, opus, sdp
from phone_emulator.media.codecs import CODECS
from phone_emulator.media.coder import Terms
from phone_emulator.media.negotiation import negotiated
from phone_emulator.media.opus import Opus
from phone_emulator.media.sound import Sound

from .listening import amplitude, decibels, tone
from .opus import needs_opus


@pytest.fixture
def looked_up_anew() -> Iterator[None]:
    """What was found of Opus is forgotten, before the test and behind it."""
    kept = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "opuslib"}
    for name in kept:
        del sys.modules[name]
    opus.missing.cache_clear()
    opus._library.cache_clear()
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "opuslib"]:
        del sys.modules[name]
    sys.modules.update(kept)
    opus.missing.cache_clear()
    opus._library.cache_clear()


@pytest.mark.usefixtures("looked_up_anew")
def test_without_the_extra_it_is_neither_offered_nor_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opuslib", None)
    assert opus.missing() == "the extra opus is not installed: pip install 'phone-emulator[opus]'"
    assert codecs.spoken(["opus", "pcmu"]) == ["pcmu"]
    assert codecs.told_of_unspoken(["opus"]) == (
        "Opus (the extra opus is not installed: pip install 'phone-emulator[opus]')"
        " is enabled and cannot be spoken here: it is not offered"
    )


@needs_opus
@pytest.mark.usefixtures("looked_up_anew")
def test_without_libopus_it_is_neither_offered_nor_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    assert opus.missing() == "the system has no libopus"
    assert CODECS["opus"].coder is None
    assert codecs.unspoken_titles(["opus"]) == ["Opus"]


@needs_opus
@pytest.mark.parametrize("milliseconds", opus.PACKETS)
def test_a_packet_of_each_length(milliseconds: int) -> None:
    """RFC 6716 section 2.1.4: what comes back is as long; silence is, too."""
    one, other = Opus(), Opus()
    samples = tone(16000, 440, milliseconds / 1000).samples
    assert len(other.decode(one.encode(samples))) == len(samples)
    assert len(other.decode(one.silence(len(samples)))) == len(samples)


@needs_opus
@pytest.mark.parametrize(
    ("wanted", "most", "ptime"),
    [
        (20, None, 20),
        (30, None, 20),
        (50, None, 40),
        (60, None, 60),
        (10, None, 10),
        (40, 30, 20),
        (5, 5, 10),
    ],
)
def test_packets_are_as_near_below_as_opus_has_them(wanted: int, most: int | None, ptime: int) -> None:
    assert CODECS["opus"].ptime(wanted, most) == ptime


def said(terms: Terms, hertz: int, count: int = 50) -> tuple[list[bytes], Sound]:
    """The packets of a second of a tone, and what is heard of it behind its beginning."""
    one, other, sound, heard = Opus(terms), Opus(), tone(16000, hertz, count / 50), Sound(16000)
    packets = [one.encode(sound.samples[place : place + 320]) for place in range(0, 320 * count, 320)]
    for packet in packets:
        heard.samples.extend(other.decode(packet))
    return packets, Sound(16000, heard.samples[6400:])


@needs_opus
def test_bit_rate_is_what_the_far_end_asks_for_at_most() -> None:
    """RFC 7587 section 6.1: maxaveragebitrate, which is 6000 at least."""
    for asked, least, most in (("", 18000, 22000), ("maxaveragebitrate=12000", 10000, 15000)):
        packets, _ = said(Terms(far=asked), 440)
        assert least < 8 * sum(map(len, packets)) < most, asked
    assert 8 * sum(map(len, said(Terms(far="maxaveragebitrate=510000"), 440)[0])) < 22000
    assert said(Terms(far="maxaveragebitrate=1"), 440) == said(Terms(far="maxaveragebitrate=6000"), 440)


@needs_opus
@pytest.mark.parametrize(
    ("terms", "passes"),
    [
        (Terms(), True),
        (Terms(far="maxplaybackrate=48000"), True),
        (Terms(far="maxplaybackrate=16000; useinbandfec=1"), True),
        (Terms(far="maxplaybackrate=12000"), False),
        (Terms(far="maxplaybackrate=8000"), False),
        (Terms(own=opus.fmtp("opus-nb")), False),
        (Terms(own=opus.fmtp("opus-mb")), False),
        (Terms(own=opus.fmtp("opus-fb")), True),
    ],
)
def test_no_wider_band_is_sent_than_both_ends_say(terms: Terms, passes: bool) -> None:
    """RFC 7587 section 6.1: maxplaybackrate of the far end, sprop-maxcapturerate of this one."""
    _, heard = said(terms, 7000)
    assert (decibels(amplitude(heard, 7000), 8000) > -6) is passes
    assert decibels(amplitude(said(terms, 440)[1], 440), 8000) == pytest.approx(0, abs=0.5)


@needs_opus
def test_packets_are_all_as_long_where_the_far_end_wants_that() -> None:
    """RFC 7587 section 6.1: cbr."""
    assert len({len(packet) for packet in said(Terms(far="cbr=1"), 440)[0]}) == 1
    assert len({len(packet) for packet in said(Terms(far="cbr=0"), 440)[0]}) > 1


@needs_opus
@pytest.mark.parametrize("junk", ["", "=", ";;;", "maxaveragebitrate=many", "x=1; cbr", "maxplaybackrate=-1"])
def test_junk_of_the_far_end_changes_nothing(junk: str) -> None:
    assert said(Terms(far=junk), 440, 5) == said(Terms(), 440, 5)


@needs_opus
@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=5))
def test_any_octets_are_sound_or_nothing(payloads: list[bytes]) -> None:
    ear = Opus()
    for payload in payloads:
        assert len(ear.decode(payload)) <= 120 * 16
    assert ear.decode(b"") == array("h")


@needs_opus
def test_what_both_ends_say_comes_to_the_coder() -> None:
    offer = sdp.offer("192.168.1.21", 11780, ("opus", "pcmu"), 1, 1, 20, 101)
    answer = (
        b"v=0\r\no=- 1 1 IN IP4 192.168.1.13\r\ns=-\r\nc=IN IP4 192.168.1.13\r\nt=0 0\r\n"
        b"m=audio 4 RTP/AVP 111\r\n"
        b"a=rtpmap:111 opus/48000/2\r\na=fmtp:111 maxaveragebitrate=12000\r\na=ptime:30\r\n"
    )
    agreed = negotiated(offer, answer, answered_here=False)
    assert agreed.terms == Terms("maxaveragebitrate=12000", opus.fmtp())
    assert (agreed.codec.name, agreed.payload, agreed.ptime, [*agreed.heard]) == ("opus", 111, 20, [107])
