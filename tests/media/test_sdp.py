"""Session descriptions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.media.codecs import CODECS
from phone_emulator.media.sdp import V6X, V7X, Sdp, SdpError, answer, offer, parse

DEFAULT = ("g722", "pcmu", "pcma", "g729")

V8X = """v=0
o=- 20211 20211 IN IP4 10.0.0.9
s=SDP data
c=IN IP4 10.0.0.9
t=0 0
m=audio 11808 RTP/AVP 9 0 8 18 101
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=ptime:20
a=sendrecv
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
"""

OTHER = """v=0
o=alice 2890844526 2890842807 IN IP4 host.example.com
s=
c=IN IP4 192.0.2.10/127
t=0 0
a=sendonly
m=video 51372 RTP/AVP 31
a=rtpmap:31 H261/90000
m=audio 49170/2 RTP/AVP 97 96 8 110 111
c=IN IP6 2001:db8::1
a=rtpmap:97 opus/48000/2
a=fmtp:97 useinbandfec=1
a=rtpmap:96 pcmu/8000/1
a=rtpmap:110 telephone-event/48000
a=rtpmap:111 Telephone-Event/8000
a=ptime:30
m=audio 49180 RTP/AVP 0
a=sendrecv
"""


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def answered(text: str, codecs: tuple[str, ...] = DEFAULT, dtmf: int | None = 101) -> list[str] | None:
    """The media lines of the answer."""
    found = answer(parse(text), "10.0.0.5", 11780, codecs, 20000, 20001, dtmf)
    return None if found is None else found.decode().split("\r\n")[5:-1]


class TestParse:
    """What others write."""

    def test_an_offer_of_the_phone(self) -> None:
        sdp = parse(crlf(V8X))
        assert (sdp.origin.username, sdp.origin.session_id, sdp.origin.version) == ("-", "20211", "20211")
        assert sdp.name == "SDP data"
        (media,) = sdp.media
        assert sdp.audio is media
        assert (media.kind, media.port, media.proto) == ("audio", 11808, "RTP/AVP")
        assert media.formats == ("9", "0", "8", "18", "101")
        assert media.connection == "10.0.0.9"
        assert media.rtpmap["18"] == "G729/8000"
        assert media.fmtp == {"18": "annexb=no", "101": "0-15"}
        assert (media.direction, media.ptime, media.held) == ("sendrecv", 20, False)
        assert [codec.name for each in media.formats if (codec := media.codec(each))] == [*DEFAULT]
        assert media.dtmf() == "101"

    def test_session_values_hold_where_media_has_none(self) -> None:
        sdp = parse(OTHER)
        video, audio, second = sdp.media
        assert sdp.audio is audio
        assert (video.connection, audio.connection) == ("192.0.2.10", "2001:db8::1")
        assert (video.direction, audio.direction, second.direction) == ("sendonly", "sendonly", "sendrecv")
        assert (audio.port, audio.ptime, second.ptime) == (49170, 30, None)
        assert audio.dtmf(110) == "111"
        assert second.dtmf() is None

    def test_static_payload_types_need_no_rtpmap(self) -> None:
        media = parse("v=0\no=- 1 1 IN IP4 a\nm=audio 4 RTP/AVP 0 8 18 9 3\n").media[0]
        assert [codec and codec.name for codec in map(media.codec, media.formats)] == [
            *("pcmu", "pcma", "g729", "g722"),
            None,
        ]

    @pytest.mark.parametrize(
        ("change", "held"),
        [
            (("a=sendrecv", "a=sendonly"), True),
            (("a=sendrecv", "a=inactive"), True),
            (("a=sendrecv", "a=recvonly"), False),
            (("c=IN IP4 10.0.0.9", "c=IN IP4 0.0.0.0"), True),
        ],
    )
    def test_hold(self, change: tuple[str, str], held: bool) -> None:
        assert parse(V8X.replace(*change)).media[0].held is held

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "line 1: expected a letter"),
            ("hello", "line 1: expected a letter"),
            ("v=1\n", "line 1: expected v=0"),
            ("v=0\ns=x\n", "no o= line"),
            ("v=0\no=- 1 1\n", "line 2: expected o="),
            ("v=0\n\no=- 1 1 IN IP4 a\n", "line 2: expected a letter"),
            (V8X.replace("c=IN IP4", "c=IN ATM"), "line 4: expected c="),
            (V8X.replace("m=audio 11808", "m=audio"), "line 6: port: expected a number up to 65535"),
            (V8X.replace("m=audio 11808", "m=audio 65536"), "line 6: port: .* got '65536'"),
            (V8X.replace("m=audio 11808", "m=audio -1"), "line 6: port: .* got '-1'"),
            (V8X.replace(" 11808 RTP/AVP 9 0 8 18 101", ""), "line 6: expected m="),
            (V8X.replace("RTP/AVP 9", "RTP/AVP <9"), "line 6: payload type: .* up to 127, got '<9'"),
            (V8X.replace("RTP/AVP 9", "RTP/AVP 128"), "line 6: payload type: .* got '128'"),
            (V8X.replace("a=rtpmap:9 G722/8000", "a=rtpmap:9"), "line 7: expected a=rtpmap"),
            (V8X.replace("ptime:20", "ptime:abc"), "line 12: ptime: expected a number"),
            (V8X.replace("SDP data", "\0"), "NUL"),
            (V8X + "a=x\n" * 2000, "lines are more than 1000"),
        ],
    )
    def test_what_is_no_description_is_refused_with_the_line(self, text: str, why: str) -> None:
        with pytest.raises(SdpError, match=why) as caught:
            parse(text)
        assert "\n" not in str(caught.value)

    @settings(max_examples=300)
    @given(st.data())
    def test_any_bytes_are_a_description_or_an_error(self, data: st.DataObject) -> None:
        text = crlf(data.draw(st.sampled_from([V8X, OTHER])))
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        mutant = text[:start] + data.draw(st.binary(max_size=10)) + text[end:]
        try:
            sdp = parse(data.draw(st.sampled_from([mutant, text[start:end]])))
        except SdpError:
            return
        made = answer(sdp, "10.0.0.5", 11780, DEFAULT, 20000, 20001, 101)
        if made is not None:
            assert len(parse(made).media) == len(sdp.media)


class TestOffer:
    """What the phone writes, in its order."""

    def test_the_v8x_trace(self) -> None:
        assert offer("10.0.0.9", 11808, DEFAULT, 20211, 20211, 20, 101) == crlf(V8X)

    def test_the_v7x_trace(self) -> None:
        text = offer("10.0.0.9", 11782, ["pcmu", "g729"], 20001, 20001, 20, 101, order=V7X).decode()
        assert text.split("\r\n")[5:-1] == [
            "m=audio 11782 RTP/AVP 0 18 101",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:18 G729/8000",
            "a=fmtp:18 annexb=no",
            "a=fmtp:101 0-15",
            "a=rtpmap:101 telephone-event/8000",
            "a=ptime:20",
            "a=sendrecv",
        ]

    def test_hold_ptime_and_ipv6(self) -> None:
        text = offer("2001:db8::5", 11780, ["pcma"], 20000, 20001, 0, 101, "sendonly").decode()
        assert text.split("\r\n")[1:] == [
            "o=- 20000 20001 IN IP6 2001:db8::5",
            "s=SDP data",
            "c=IN IP6 2001:db8::5",
            "t=0 0",
            "m=audio 11780 RTP/AVP 8 101",
            "a=rtpmap:8 PCMA/8000",
            "a=sendonly",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-15",
            "",
        ]

    def test_unknown_codecs_are_left_out_and_names_ignore_case(self) -> None:
        (media,) = parse(offer("10.0.0.9", 2, ["PCMU", "nonsense"], 1, 1, 20, None)).media
        assert media.formats == ("0",)

    def test_payload_types_do_not_collide(self) -> None:
        (media,) = parse(offer("10.0.0.9", 2, list(CODECS), 1, 1, 20, 107)).media
        assert len(set(media.formats)) == len(media.formats)
        assert media.dtmf() == "107"
        assert "opus/48000/2" in media.rtpmap.values()
        assert {codec.name for each in media.formats if (codec := media.codec(each))} >= {
            "opus",
            "ilbc",
            "g729",
        }


class TestAnswer:
    """One codec and telephone events; direction mirrored."""

    def test_order_of_the_lines(self) -> None:
        text = answer(parse(V8X), "10.0.0.5", 11780, ["g729"], 20000, 20001, 101)
        assert text is not None
        assert text.decode().split("\r\n") == [
            "v=0",
            "o=- 20000 20001 IN IP4 10.0.0.5",
            "s=SDP data",
            "c=IN IP4 10.0.0.5",
            "t=0 0",
            "m=audio 11780 RTP/AVP 18 101",
            "a=rtpmap:18 G729/8000",
            "a=fmtp:18 annexb=no",
            "a=rtpmap:101 telephone-event/8000",
            "a=sendrecv",
            "a=ptime:20",
            "a=fmtp:101 0-15",
            "",
        ]

    def test_the_older_order(self) -> None:
        text = answer(parse(V8X), "10.0.0.5", 11780, ["pcmu"], 20000, 20000, 101, order=V6X)
        assert text is not None
        assert text.decode().split("\r\n")[6:-1] == [
            "a=rtpmap:0 PCMU/8000",
            "a=ptime:20",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-15",
            "a=sendrecv",
        ]

    def test_the_order_of_the_offer_decides(self) -> None:
        lines = answered(V8X, ("pcma", "pcmu"))
        assert lines is not None
        assert lines[0] == "m=audio 11780 RTP/AVP 0 101"

    def test_other_media_is_refused_and_payload_types_are_the_offers(self) -> None:
        assert answered(OTHER) == [
            "m=video 0 RTP/AVP 31",
            "m=audio 11780 RTP/AVP 96 111",
            "a=rtpmap:96 PCMU/8000",
            "a=rtpmap:111 telephone-event/8000",
            "a=recvonly",
            "a=ptime:30",
            "a=fmtp:111 0-15",
            "m=audio 0 RTP/AVP 0",
        ]

    def test_opus_keeps_the_offered_number(self) -> None:
        lines = answered(OTHER, ("opus",))
        assert lines is not None
        assert lines[1:3] == ["m=audio 11780 RTP/AVP 97 111", "a=rtpmap:97 opus/48000/2"]

    @pytest.mark.parametrize(
        ("offered", "expected"),
        [
            ("sendrecv", "sendrecv"),
            ("sendonly", "recvonly"),
            ("recvonly", "sendonly"),
            ("inactive", "inactive"),
        ],
    )
    def test_direction_is_mirrored(self, offered: str, expected: str) -> None:
        lines = answered(V8X.replace("a=sendrecv", f"a={offered}"))
        assert lines is not None
        assert f"a={expected}" in lines

    def test_the_old_hold_is_answered_recvonly(self) -> None:
        lines = answered(V8X.replace("c=IN IP4 10.0.0.9", "c=IN IP4 0.0.0.0"))
        assert lines is not None
        assert "a=recvonly" in lines

    def test_no_telephone_events_where_none_are_offered_or_wanted(self) -> None:
        plain = "v=0\no=- 1 1 IN IP4 a\nm=audio 4 RTP/AVP 0\n"
        assert answered(plain) == [
            *("m=audio 11780 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=sendrecv", "a=ptime:20")
        ]
        lines = answered(V8X, dtmf=None)
        assert lines is not None
        assert lines[0] == "m=audio 11780 RTP/AVP 9"

    @pytest.mark.parametrize(
        "text",
        [
            V8X.replace("RTP/AVP", "RTP/SAVP"),
            V8X.replace("m=audio 11808", "m=audio 0"),
            V8X.replace("m=audio", "m=video"),
            "v=0\no=- 1 1 IN IP4 a\n",
        ],
    )
    def test_no_answer_where_nothing_is_common(self, text: str) -> None:
        assert answered(text) is None

    def test_no_answer_without_a_common_codec(self) -> None:
        assert answered(V8X, ("opus", "nonsense")) is None

    def test_bit_rates_of_one_encoding_are_told_apart(self) -> None:
        text = (
            "v=0\no=- 1 1 IN IP4 a\nm=audio 4 RTP/AVP 99\na=rtpmap:99 G7221/32000\na=fmtp:99 bitrate=32000\n"
        )
        assert answered(text, ("g722_1c_24kpbs",)) is None
        assert answered(text, ("g722_1c_24kpbs", "g722_1c_32kpbs")) is not None

    def test_every_codec_understands_itself(self) -> None:
        for name in CODECS:
            sdp: Sdp = parse(offer("10.0.0.9", 2, [name], 1, 1, 20, 101))
            assert answer(sdp, "10.0.0.5", 11780, [name], 1, 1, 101) is not None
