"""What an offer and its answer come to (RFC 3264)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.media import sdp
from phone_emulator.media.negotiation import Agreed, Fault, Unusable, negotiated

OWN = sdp.offer("192.168.1.21", 11780, ("g722", "pcmu", "pcma"), 1, 1, 20, 101)
EVENTS = "a=rtpmap:101 telephone-event/8000"


def described(*lines: str, connection: str = "c=IN IP4 192.168.1.13") -> bytes:
    """A description of the far end with the media lines *lines*."""
    head = ["v=0", "o=- 1 1 IN IP4 192.168.1.13", "s=-", connection, "t=0 0"]
    return "".join(f"{line}\r\n" for line in [*head, *lines] if line).encode()


def answered(formats: str, *attributes: str, offer: bytes = OWN) -> Agreed:
    """What an answer with *formats* comes to."""
    return negotiated(offer, described(f"m=audio 4000 RTP/AVP {formats}", *attributes), answered_here=False)


def refused(*lines: str, connection: str = "c=IN IP4 192.168.1.13", offer: bytes = OWN) -> Unusable:
    """Why an answer with *lines* cannot be used."""
    with pytest.raises(Unusable) as caught:
        negotiated(offer, described(*lines, connection=connection), answered_here=False)
    return caught.value


@pytest.mark.parametrize(
    ("formats", "said", "heard"),
    [
        ("0", "pcmu", {0: "pcmu"}),
        ("101 0", "pcmu", {0: "pcmu"}),
        ("3 0 101", "pcmu", {0: "pcmu"}),
        ("4 8 0", "pcma", {8: "pcma", 0: "pcmu"}),
        ("18 9", "g722", {9: "g722"}),
        ("8 0 9", "pcma", {8: "pcma", 0: "pcmu", 9: "g722"}),
    ],
)
def test_the_first_common_format_is_said_and_all_of_them_are_heard(
    formats: str, said: str, heard: dict[int, str]
) -> None:
    """Section 7: the offerer sends what the answer lists first, as far as it was offered."""
    agreed = answered(formats, EVENTS)
    assert (agreed.codec.name, {number: codec.name for number, codec in agreed.heard.items()}) == (
        said,
        heard,
    )
    assert (agreed.host, agreed.port, agreed.direction) == ("192.168.1.13", 4000, "sendrecv")


@pytest.mark.parametrize("formats", ["18", "101", "97", "3", "4 18 101", "13"])
def test_nothing_common(formats: str) -> None:
    wrong = refused(f"m=audio 4000 RTP/AVP {formats}", EVENTS)
    assert str(wrong).startswith("a session description without a common codec: ")
    assert str(wrong).endswith("; this phone has 9 (G.722), 0 (PCMU), 8 (PCMA), 101 (telephone events)")
    assert wrong.fault is Fault.MEDIA_FORMAT


def test_the_formats_of_an_answer_are_named() -> None:
    odd = refused("m=audio 4000 RTP/AVP 18 97 98", "a=rtpmap:97 \x1b[31m/8000")
    assert ": 18 (G.729), 97 (\\x1b[31m/8000), 98; this" in str(odd)
    many = refused(f"m=audio 4000 RTP/AVP {' '.join(str(96 + n % 32) for n in range(500))}")
    assert len(str(many)) < 300


def test_numbers_belong_to_who_receives() -> None:
    """Section 5.1: each end is sent to under the numbers of its own description."""
    theirs = ("a=rtpmap:96 PCMU/8000", "a=rtpmap:97 telephone-event/8000")
    agreed = answered("96 97", *theirs)
    assert (agreed.payload, {*agreed.heard}) == (96, {0})
    assert (agreed.events_sent, agreed.events_heard) == (97, 101)
    answer = sdp.answer(
        sdp.parse(described("m=audio 4000 RTP/AVP 96 97", *theirs)),
        "192.168.1.21", 11780, ["pcmu"], 1, 1, 101,
    )  # fmt: skip
    assert answer is not None
    here = negotiated(described("m=audio 4000 RTP/AVP 96 97", *theirs), answer, answered_here=True)
    assert (here.payload, {*here.heard}, here.events_sent, here.events_heard) == (96, {96}, 97, 97)


def test_a_number_means_what_its_own_description_says() -> None:
    """The same number may stand for another codec at the other end; without a word it stands for the same."""
    assert answered("8", "a=rtpmap:8 PCMU/8000").codec.name == "pcmu"
    assert refused("m=audio 4000 RTP/AVP 0", "a=rtpmap:0 GSM/8000").fault is Fault.MEDIA_FORMAT
    assert answered("0 101").events_sent == 101
    assert answered("0 101", "a=rtpmap:101 opus/48000/2").events_sent is None


@pytest.mark.parametrize(
    ("formats", "attributes", "digits"),
    [
        ("0", [EVENTS], ""),
        ("0 101", [EVENTS], "0123456789*#ABCD"),
        ("0 101", [EVENTS, "a=fmtp:101 0-15"], "0123456789*#ABCD"),
        ("0 101", [EVENTS, "a=fmtp:101 0-11"], "0123456789*#"),
        ("0 101", [EVENTS, "a=fmtp:101 0-9,11,16,66"], "0123456789#"),
        ("0 101", [EVENTS, "a=fmtp:101 events=0-3"], "0123"),
        ("0 101", [EVENTS, "a=fmtp:101 nonsense"], "0123456789*#ABCD"),
        ("0 101", [EVENTS.replace("8000", "48000")], ""),
    ],
)
def test_which_digits_the_far_end_takes(formats: str, attributes: list[str], digits: str) -> None:
    agreed = answered(formats, *attributes)
    assert agreed.digits == digits
    assert (agreed.events_sent is None) is (digits == "")


def test_no_telephone_events_where_this_end_has_offered_none() -> None:
    offer = sdp.offer("192.168.1.21", 11780, ("pcmu",), 1, 1, 20, None)
    assert answered("0 101", EVENTS, offer=offer).events_sent is None


@pytest.mark.parametrize(
    ("formats", "attributes", "comfort"),
    [
        ("0", [], {13}),
        ("0 13", [], {13}),
        ("0 98", ["a=rtpmap:98 CN/16000"], {13, 98}),
        ("0 98", ["a=rtpmap:98 cn/8000"], {13, 98}),
        ("0 9", ["a=rtpmap:9 CN/8000"], {13}),
        ("0", ["a=rtpmap:x CN/8000"], {13}),
    ],
)
def test_comfort_noise_may_come_under_its_numbers(
    formats: str, attributes: list[str], comfort: set[int]
) -> None:
    """RFC 3551 section 6, RFC 3389 section 4; never under a number that this end has for something else."""
    assert answered(formats, *attributes).comfort == comfort


@pytest.mark.parametrize(
    ("attributes", "own", "ptime"),
    [
        ([], 20, 20),
        ([], 30, 30),
        ([], 0, 20),
        (["a=ptime:40"], 20, 40),
        (["a=ptime:10"], 60, 10),
        (["a=ptime:33"], 20, 33),
        (["a=ptime:20.5"], 20, 20),
        (["a=ptime:5"], 20, 10),
        (["a=ptime:200"], 20, 60),
        (["a=ptime:0"], 30, 30),
        (["a=maxptime:20"], 40, 20),
        (["a=ptime:40", "a=maxptime:30"], 20, 30),
        (["a=ptime:20", "a=maxptime:150"], 20, 20),
        (["a=maxptime:0"], 20, 20),
        (["a=maxptime:5"], 20, 10),
    ],
)
def test_what_the_far_end_asks_for_is_sent_else_what_this_end_asks_for(
    attributes: list[str], own: int, ptime: int
) -> None:
    """RFC 4566 section 6: ptime, and maxptime, which is never passed; 10 to 60 ms in any case."""
    offer = sdp.offer("192.168.1.21", 11780, ("g722", "pcmu", "pcma"), 1, 1, own, 101)
    assert answered("0 101", EVENTS, *attributes, offer=offer).ptime == ptime


def test_the_own_answer_says_what_this_end_wants_where_the_offer_says_nothing() -> None:
    offer = described("m=audio 4000 RTP/AVP 0")
    answer = sdp.answer(sdp.parse(offer), "192.168.1.21", 11780, ["pcmu"], 1, 1, 101, ptime=40)
    assert answer is not None
    assert b"a=ptime:40\r\n" in answer
    assert negotiated(offer, answer, answered_here=True).ptime == 40


def test_a_maximum_that_is_no_number_makes_no_description() -> None:
    assert "maxptime: expected a number" in str(refused("m=audio 4000 RTP/AVP 0", "a=maxptime:soon"))


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([], Fault.MEDIA_TYPE),
        (["m=audio 0 RTP/AVP 0"], Fault.MEDIA_TYPE),
        (["m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/AVP 0"], Fault.MEDIA_TYPE),
        (["m=video 4000 RTP/AVP 31"], Fault.MEDIA_TYPE),
        (["m=video 0 RTP/AVP 31", "m=audio 4000 RTP/AVP 0"], Fault.MEDIA_TYPE),
        (["m=audio 4000 RTP/SAVP 0"], Fault.TRANSPORT),
        (["m=audio 4000 udptl 0"], Fault.TRANSPORT),
    ],
)
def test_the_line_at_the_place_of_the_offered_one_counts(lines: list[str], fault: Fault) -> None:
    """Section 6: one line for each that was offered, in its place."""
    assert refused(*lines).fault is fault


def test_lines_that_nobody_offered_are_passed_over() -> None:
    agreed = negotiated(
        OWN, described("m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 31"), answered_here=False
    )
    assert agreed.port == 4000


def test_the_own_answer_says_which_of_the_offered_lines_it_is() -> None:
    offer = described("m=audio 4000 RTP/SAVP 0", "m=video 4002 RTP/AVP 31", "m=audio 4004 RTP/AVP 8")
    answer = sdp.answer(sdp.parse(offer), "192.168.1.21", 11780, ["pcma"], 1, 1, 101)
    assert answer is not None
    agreed = negotiated(offer, answer, answered_here=True)
    assert (agreed.port, agreed.codec.name) == (4004, "pcma")


@pytest.mark.parametrize(
    ("connection", "fault"),
    [
        ("", Fault.OTHER),
        ("c=IN IP6 2001:db8::1", Fault.ADDRESS_FORMAT),
        ("c=IN IP4 pbx.example.com", Fault.ADDRESS_FORMAT),
        ("c=IN IP4 224.2.1.1/127", Fault.MULTICAST),
        ("c=IN IP4 255.255.255.255", Fault.MULTICAST),
    ],
)
def test_an_address_that_nothing_can_be_sent_to(connection: str, fault: Fault) -> None:
    assert refused("m=audio 4000 RTP/AVP 0", connection=connection).fault is fault


def test_an_ipv4_address_in_ipv6_is_one() -> None:
    """RFC 5118 section 4.9."""
    mapped = described("m=audio 4000 RTP/AVP 0", connection="c=IN IP6 ::ffff:192.0.2.2")
    assert negotiated(OWN, mapped, answered_here=False).host == "192.0.2.2"


@pytest.mark.parametrize(
    ("ours", "theirs", "way", "held"),
    [
        ("sendrecv", "a=sendrecv", "sendrecv", False),
        ("sendrecv", "a=sendonly", "recvonly", True),
        ("sendrecv", "a=recvonly", "sendonly", False),
        ("sendrecv", "a=inactive", "inactive", True),
        ("sendonly", "a=recvonly", "sendonly", False),
        ("sendonly", "a=sendrecv", "sendonly", False),
        ("sendonly", "a=sendonly", "inactive", True),
        ("inactive", "a=inactive", "inactive", None),
        ("sendrecv", "", "sendrecv", False),
    ],
)
def test_sound_goes_the_ways_that_both_allow(ours: str, theirs: str, way: str, held: bool | None) -> None:
    """Section 6.1; an answer may not ask for more than was offered."""
    offer = OWN.replace(b"a=sendrecv", f"a={ours}".encode())
    agreed = answered("0", theirs, offer=offer)
    assert (agreed.direction, agreed.far_held) == (way, held)


def test_the_old_hold_is_no_fault() -> None:
    agreed = negotiated(
        OWN, described("m=audio 4000 RTP/AVP 0", connection="c=IN IP4 0.0.0.0"), answered_here=False
    )
    assert (agreed.host, agreed.far_held) == ("0.0.0.0", True)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "no session description"),
        (b"rubbish", r"a session description that cannot be read \(SDP line 1: expected a letter"),
    ],
)
def test_what_is_no_description(answer: bytes, why: str) -> None:
    with pytest.raises(Unusable, match=why):
        negotiated(OWN, answer, answered_here=False)


def test_a_codec_that_is_only_declared() -> None:
    """``--offer declared``: one that can be spoken goes before it; alone it makes a call without sound."""
    offer = sdp.offer("192.168.1.21", 11780, ("g729", "pcmu"), 1, 1, 20, 101)
    assert answered("18 0", offer=offer).codec.name == "pcmu"
    alone = answered("18", offer=offer)
    assert (alone.codec.name, alone.unspoken, alone.heard) == ("g729", "G.729", {})


@given(st.binary(max_size=60), st.integers(0, 200), st.integers(0, 30))
def test_any_answer_is_agreed_on_or_refused_in_words(junk: bytes, at: int, cut: int) -> None:
    answer = described("m=audio 4000 RTP/AVP 0 8 101", EVENTS, "a=fmtp:101 0-15", "a=sendrecv")
    mutant = answer[:at] + junk + answer[at + cut :]
    told = ""
    try:
        agreed = negotiated(OWN, mutant, answered_here=False)
    except Unusable as error:
        told = str(error)
    else:
        assert agreed.codec.name in ("pcmu", "pcma", "g722")
    assert told.isprintable()


# -- RTCP ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "where"),
    [
        ((), ("192.168.1.13", 4001)),
        (("a=rtcp:5000",), ("192.168.1.13", 5000)),
        (("a=rtcp:5000 IN IP4 192.168.1.99",), ("192.168.1.99", 5000)),
        (("a=rtcp:0",), None),
        (("a=rtcp:70000",), None),
        (("a=rtcp:x",), None),
        (("a=rtcp:",), None),
        (("a=rtcp:5000 IN IP4 224.0.0.1",), None),
        (("a=rtcp:5000 IN IP4 0.0.0.0",), None),
        (("a=rtcp:5000 IN IP6 2001:db8::1",), None),
        (("a=rtcp:5000 somewhere",), None),
    ],
)
def test_reports_go_to_the_next_port_or_where_a_rtcp_says(
    attributes: tuple[str, ...], where: tuple[str, int] | None
) -> None:
    """RFC 3550 section 11, RFC 3605: no fault in it spoils the call."""
    assert answered("0", *attributes).rtcp == where


def test_there_is_no_port_above_the_last() -> None:
    described_last = described("m=audio 65535 RTP/AVP 0")
    assert negotiated(OWN, described_last, answered_here=False).rtcp == ("192.168.1.13", 65535)


def test_an_end_that_is_to_be_sent_nothing_is_sent_no_reports_either() -> None:
    """RFC 2543 appendix B.5."""
    held = described("m=audio 4000 RTP/AVP 0", connection="c=IN IP4 0.0.0.0")
    assert negotiated(OWN, held, answered_here=False).rtcp is None


def test_rtcp_at_the_port_of_rtp_takes_both_ends() -> None:
    """RFC 5761 section 5.1.1."""
    theirs = described("m=audio 4000 RTP/AVP 0", "a=rtcp-mux")
    assert not negotiated(OWN, theirs, answered_here=False).rtcp_mux
    for takes in (True, False):
        own = sdp.answer(sdp.parse(theirs), "192.168.1.21", 11780, ("pcmu",), 1, 1, 101, rtcp_mux=takes)
        assert own is not None
        assert own.endswith(b"a=rtcp-mux\r\n") is takes
        assert negotiated(theirs, own, answered_here=True).rtcp_mux is takes


def test_who_does_not_offer_rtcp_mux_is_not_answered_it() -> None:
    theirs = described("m=audio 4000 RTP/AVP 0")
    own = sdp.answer(sdp.parse(theirs), "192.168.1.21", 11780, ("pcmu",), 1, 1, 101, rtcp_mux=True)
    assert own is not None
    assert b"rtcp" not in own
    assert b"rtcp" not in OWN
