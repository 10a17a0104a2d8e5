"""Messages: what is read, refused, and put out again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.sip.message import CSeq, Headers, Message, MessageError, Request, Response, response_to
from phone_emulator.sip.parser import parse
from phone_emulator.sip.statuses import REASONS


def wire(text: str, body: str = "") -> bytes:
    """Lines of a message as bytes."""
    return (text.strip("\n").replace("\n", "\r\n") + "\r\n\r\n" + body).encode()


INVITE = wire(
    """
INVITE sip:1002@pbx.example.com:5060 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK3882207522;rport
From: "1001" <sip:1001@pbx.example.com:5060>;tag=1234567890
To: <sip:1002@pbx.example.com:5060>
Call-ID: 0_3882207522@192.0.2.1
CSeq: 1 INVITE
Contact: <sip:1001@192.0.2.1:5060>
Max-Forwards: 70
X-Unusual:no blank
Content-Length: 5""",
    "hello",
)

COMPACT = wire(
    """
SIP/2.0 180 Ringing, soon
v: SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bK1;received=2001:db8::2 , SIP/2.0/UDP pbx1;branch=z9hG4bK2
f: sip:1001@pbx1;tag=a.b-c
t: "Mr. \\"X\\" <sip:no@body>;tag=wrong" <sip:1002@pbx1;tag=neither>;x="<>;tag=nor this";Tag=right
i: one
CSEQ: 0007   INVITE
m: "A, B" <sip:a@pbx1?X=1>;+sip.instance="<urn:uuid:1>", <sip:b@pbx1>
l: 0"""
)

TORTURE = (
    b"INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n"
    b"TO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n"
    b'from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n'
    b"MaX-fOrWaRdS: 0068\r\n"
    b"Call-ID: wsinv.ndaksdj@192.0.2.1\r\n"
    b"Content-Length   : 4\r\n"
    b"cseq: 0009\r\n  INVITE\r\n"
    b"Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\n"
    b"v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n"
    b" SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n"
    b"NewFangledHeader:   newfangled value\r\n continued newfangled value\r\n"
    b"UnknownHeaderWithUnusualValue: ;;,,;;,;\r\n\r\nbody"
)
"""In the manner of RFC 4475 section 3.1.1.1: all the freedom that blanks and folds have."""

ODD_BYTES = INVITE.replace(b"Max-Forwards: 70\r\n", b"Subject: \xff\xfe\x80 J\xc3\xbcrgen\r\n")


def request(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message


def response(data: bytes) -> Response:
    message = parse(data)
    assert isinstance(message, Response)
    return message


def with_line(line: str) -> bytes:
    """The INVITE with one header line more."""
    return INVITE.replace(b"Max-Forwards", line.encode() + b"\r\nMax-Forwards")


def test_a_request_is_read() -> None:
    message = request(INVITE)
    assert (message.method, message.uri) == ("INVITE", "sip:1002@pbx.example.com:5060")
    assert message.call_id == "0_3882207522@192.0.2.1"
    assert message.cseq == CSeq(1, "INVITE")
    assert message.branch == "z9hG4bK3882207522"
    assert (message.from_tag, message.to_tag) == ("1234567890", None)
    assert (message.body, message.raw) == (b"hello", INVITE)
    assert message.from_address.name == "1001"
    assert message.to_address.uri.user == "1002"
    assert message.request_uri.port == 5060
    assert message.top_via.parameters["rport"] is None
    assert [str(contact.uri) for contact in message.contacts] == ["sip:1001@192.0.2.1:5060"]


def test_a_response_is_read_with_compact_names() -> None:
    message = response(COMPACT)
    assert (message.status, message.reason) == (180, "Ringing, soon")
    assert message.cseq == CSeq(7, "INVITE")
    assert message.branch == "z9hG4bK1"
    assert (message.from_tag, message.to_tag) == ("a.b-c", "right")
    assert message.top_via.parameters["received"] == "2001:db8::2"
    assert message.top_via.host == "[2001:db8::1]"
    assert [via.partition(";")[0] for via in message.headers.values("Via")] == [
        "SIP/2.0/TCP [2001:db8::1]:5060",
        "SIP/2.0/UDP pbx1",
    ]
    assert message.to_address.name == 'Mr. "X" <sip:no@body>;tag=wrong'
    assert [contact.uri.user for contact in message.contacts] == ["a", "b"]
    assert message.contacts[0].parameters["+sip.instance"] == "<urn:uuid:1>"


def test_folds_and_blanks_are_read() -> None:
    message = request(TORTURE)
    assert message.cseq == CSeq(9, "INVITE")
    assert (message.from_tag, message.to_tag) == ("98asjd8", "1918181833n")
    assert message.branch == "390skdjuw"
    assert message.from_address.name == 'J Rosenberg \\"'
    assert message.top_via.host == "192.0.2.2"
    assert len(message.headers.values("via")) == 3
    assert message.headers.get("newfangledheader") == "newfangled value continued newfangled value"
    assert message.headers.get("Max-Forwards") == "0068"
    assert message.body == b"body"


@pytest.mark.parametrize("data", [INVITE, COMPACT, TORTURE, ODD_BYTES])
def test_what_nobody_changed_leaves_as_it_came(data: bytes) -> None:
    assert parse(data).to_bytes() == data


def test_changing_one_line_leaves_the_others() -> None:
    message = request(TORTURE)
    message.headers.set("Max-Forwards", "67")
    assert message.to_bytes() == TORTURE.replace(b"MaX-fOrWaRdS: 0068", b"Max-Forwards: 67")


def test_content_length_is_made_right() -> None:
    message = request(INVITE)
    message.body = b"longer body"
    assert message.to_bytes().endswith(b"Content-Length: 11\r\n\r\nlonger body")
    message.headers.remove("l")
    message.headers.add("After", "all")
    assert message.to_bytes().endswith(b"After: all\r\nContent-Length: 11\r\n\r\nlonger body")


def test_a_datagram_may_begin_with_line_ends_and_end_with_more_than_the_body() -> None:
    message = parse(b"\r\n\r\n" + INVITE + b"excess")
    assert message.body == b"hello"


def test_a_datagram_without_content_length_is_body_to_its_end() -> None:
    assert parse(INVITE.replace(b"Content-Length: 5\r\n", b"")).body == b"hello"


def without(name: str) -> bytes:
    """The INVITE without the header *name*."""
    return b"\r\n".join(
        line for line in INVITE.split(b"\r\n") if not line.lower().startswith(name.lower().encode())
    )


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_missing_header_is_named(name: str) -> None:
    with pytest.raises(MessageError, match=f"^{name}: missing$"):
        parse(without(name + ":"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"\r\n\r\n\r\n", "empty"),
        (INVITE[:200], "no empty line"),
        (INVITE.replace(b"SIP/2.0\r", b"SIP/3.0\r", 1), r"expected SIP/2\.0 .* got 'SIP/3\.0'"),
        (INVITE.replace(b" SIP/2.0\r", b"\r", 1), "got something else"),
        (INVITE.replace(b"INVITE sip", b"INV@TE sip", 1), "does not begin with a method"),
        (INVITE.replace(b"INVITE sip", b"INVITE  sip", 1), "Request-URI"),
        (INVITE.replace(b"sip:1002@pbx.example.com:5060 S", b"<sip:1002@b> S", 1), "Request-URI"),
        (INVITE.replace(b"INVITE sip", b"BYE sip", 1), "CSeq names INVITE, but the request is BYE"),
        (INVITE.replace(b"CSeq: 1 ", b"CSeq: 4294967296 "), "CSeq: expected a number below"),
        (INVITE.replace(b"CSeq: 1 ", b"CSeq: -1 "), "CSeq: expected a number below"),
        (INVITE.replace(b"CSeq: 1 ", b"CSeq: " + b"9" * 5000 + b" "), "CSeq: expected a number and"),
        (INVITE.replace(b"CSeq: 1 INVITE", b"CSeq: 1"), "CSeq: expected a number and a method"),
        (INVITE.replace(b"CSeq: 1 INVITE", b"CSeq:"), "CSeq: expected a number and a method"),
        (INVITE.replace(b"0_3882207522@192.0.2.1", b""), "Call-ID: expected ASCII text"),
        (INVITE.replace(b"0_3882207522", b"\xff"), "Call-ID: expected ASCII text"),
        (INVITE.replace(b"sip:1002", b"sip:\xff", 1), "Request-URI"),
        (INVITE.replace(b"h: 5", b"h: 6"), "is 6, but only 5 bytes of body came"),
        (INVITE.replace(b"h: 5", b"h: -5"), "Content-Length: expected a number, got '-5'"),
        (INVITE.replace(b"h: 5", b"h: five"), "Content-Length: expected a number, got 'five'"),
        (INVITE.replace(b"h: 5", b"h: \xc2\xb2"), "Content-Length: expected a number"),
        (INVITE.replace(b"h: 5", b"h: " + b"9" * 5000), r"Content-Length: 9{20} is more"),
        (INVITE.replace(b"h: 5", b"h: 5\r\nl: 0"), "Content-Length: there may be one only, 2 came"),
        (INVITE.replace(b"To:", b"t: <sip:x@y>\r\nTo:"), "To: there may be one only, 2 came"),
        (with_line("no colon"), "header line 7 does not begin with a name and a colon"),
        (with_line("Supported"), "header line 7 does not begin with a name and a colon"),
        (with_line(": no name"), "header line 7 does not begin with a name and a colon"),
        (with_line("a b: c"), "header line 7 does not begin with a name and a colon"),
        (with_line("Subject: a\nb: c"), "CR or LF alone"),
        (with_line("Subject: a\rb: c"), "CR or LF alone"),
        (with_line("Subject: \0"), "NUL"),
        (INVITE.replace(b"Via", b" Via", 1), "begins with a blank"),
        (INVITE.replace(b"X-Un", b"A: b\r\n" * 200 + b"X-Un"), "209 header lines are more than 200"),
        (INVITE + b"x" * 65535, "bytes are more than a message may have"),
        (COMPACT.replace(b"SIP/2.0 180", b"SIP/1.0 180"), r"expected SIP/2\.0, got 'SIP/1.0'"),
        (COMPACT.replace(b"SIP/2.0 180", b"SIP/2.0 99"), "status: expected 100 to 699, got '99'"),
        (COMPACT.replace(b"SIP/2.0 180", b"SIP/2.0 700"), "status: expected 100 to 699, got '700'"),
        (COMPACT.replace(b"SIP/2.0 180", b"SIP/2.0 4_0"), "status: expected 100 to 699"),
        (COMPACT.replace(b"SIP/2.0 180", "SIP/2.0 \u0661\u0668\u0660".encode()), "status: expected"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "header|Via|SIP version"),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(MessageError, match=why) as caught:
        parse(data)
    assert "\n" not in str(caught.value)


def test_a_quoted_nul_is_allowed() -> None:
    assert request(with_line('Subject: "\\\0"')).headers.get("Subject") == '"\\\0"'


@pytest.mark.parametrize(
    "data",
    [
        INVITE.replace(b"sip:1002@pbx.example.com:5060 SIP", b"sip:u:hunter2@pbx x SIP", 1),
        INVITE.replace(b"SIP/2.0\r", b"hunter2\r", 1),
        with_line('Authorization Digest response="hunter2"'),
        with_line('Authorization: Digest response="hunter2\0"'),
        with_line('Authorization: Digest response="\nhunter2"'),
    ],
)
def test_errors_quote_no_credentials(data: bytes) -> None:
    with pytest.raises(MessageError) as caught:
        parse(data)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "name", "attribute"),
    [
        (b"Via: SIP/2.0/UDP;branch=z", "Via", "top_via"),
        (b"From: <sip:hunter2@>;tag=1", "From", "from_address"),
        (b"To: hunter2 <sip:1002@b", "To", "to_address"),
        (b"To: <sip:a@b>hunter2", "To", "to_address"),
        (b"To: <sip:a@b;self=hunter2>", "To", "to_address"),
        (b"Contact: <sip:ok@b>, <mailto:hunter2@b>", "Contact", "contacts"),
    ],
)
def test_a_value_that_breaks_the_grammar_is_named_when_asked_for(
    line: bytes, name: str, attribute: str
) -> None:
    header = line.partition(b":")[0] + b":"
    lines = [line if old.startswith(header) else old for old in INVITE.split(b"\r\n")]
    message = parse(b"\r\n".join(lines))
    with pytest.raises(MessageError, match=f"^{name}: ") as caught:
        getattr(message, attribute)
    assert "hunter2" not in str(caught.value)


def test_a_request_uri_that_breaks_the_grammar() -> None:
    with pytest.raises(MessageError, match=r"^Request-URI: "):
        Request("INVITE", "http://example.com").request_uri  # noqa: B018


def test_a_tel_uri() -> None:
    assert Request("INVITE", "tel:+1-201-555-0123;phone-context=x").request_uri.user == "+1-201-555-0123"
    with pytest.raises(MessageError, match=r"^Request-URI: "):
        Request("INVITE", f"tel:+{'1' * 60_000}x").request_uri  # noqa: B018


def test_contact_star_is_no_address() -> None:
    assert request(INVITE.replace(b"<sip:1001@192.0.2.1:5060>", b"*")).contacts == []


def test_bytes_that_are_no_utf8_do_not_reach_the_screen() -> None:
    message = response(
        COMPACT.replace(b"Ringing, soon", b"Occup\xe9")
        .replace(b"f: ", b'f: "J\xfcrgen" ')
        .replace(b"sip:1001@pbx1", b"<sip:1001@pbx1>")
    )
    assert message.reason == "Occup\ufffd"
    assert message.from_address.name == "J\ufffdrgen"
    with pytest.raises(MessageError, match=r"^Via: "):
        parse(INVITE.replace(b";rport", b";x=\xff")).top_via  # noqa: B018


def test_a_line_break_cannot_be_smuggled_in() -> None:
    headers = Headers()
    with pytest.raises(MessageError, match="Subject: a header cannot hold a line break"):
        headers.set("Subject", "a\r\nVia: b")
    with pytest.raises(MessageError, match="the start line cannot hold a line break"):
        Request("INVITE", "sip:a\r\nVia: b").to_bytes()


class TestHeaders:
    """Order, spelling, compact names."""

    def test_lookup_ignores_case_and_knows_compact_names(self) -> None:
        headers = Headers([("v", "one"), ("VIA", "two"), ("x-own", "three")])
        assert headers.get("Via") == "one"
        assert headers.get_all("via") == ["one", "two"]
        assert headers.get("X-Own") == "three"
        assert headers.get("Route") is None
        assert "Via" in headers
        assert "Route" not in headers
        assert list(headers) == [("v", "one"), ("VIA", "two"), ("x-own", "three")]
        assert len(headers) == 3

    def test_values_split_at_commas_outside_quotes_and_brackets(self) -> None:
        headers = Headers([("Route", '<sip:a,b@c>, "x, \\", y" <sip:d@e>;f="g,h" ,'), ("Route", "<sip:i@j>")])
        assert headers.values("Route") == ["<sip:a,b@c>", '"x, \\", y" <sip:d@e>;f="g,h"', "<sip:i@j>"]

    def test_set_replaces_in_place_and_drops_later_ones(self) -> None:
        headers = Headers([("A", "1"), ("t", "2"), ("B", "3"), ("To", "4")])
        headers.set("To", "5")
        headers.set("C", "6")
        assert list(headers) == [("A", "1"), ("To", "5"), ("B", "3"), ("C", "6")]
        assert headers.get("To") == "5"

    def test_lines_are_put_where_they_belong(self) -> None:
        headers = Headers([("Max-Forwards", "70"), ("Route", "1"), ("Route", "2"), ("To", "3")])
        headers.prepend("Route", "0")
        headers.prepend("Via", "top")
        headers.insert_after("Route", "Authorization", "a")
        headers.insert_after("Absent", "Last", "z")
        assert [f"{name} {value}" for name, value in headers] == [
            "Via top",
            "Max-Forwards 70",
            "Route 0",
            "Route 1",
            "Route 2",
            "Authorization a",
            "To 3",
            "Last z",
        ]

    def test_remove_first_takes_one_value(self) -> None:
        headers = Headers([("v", "one, two"), ("Via", "three")])
        headers.remove_first("Via")
        assert list(headers) == [("v", "two"), ("Via", "three")]
        headers.remove_first("Via")
        headers.remove_first("Via")
        headers.remove_first("Via")
        assert list(headers) == []

    def test_remove_takes_all(self) -> None:
        headers = Headers([("v", "one"), ("To", "x"), ("Via", "three")])
        headers.remove("Via")
        assert list(headers) == [("To", "x")]
        assert headers.get("Via") is None

    def test_a_copy_is_changed_apart(self) -> None:
        headers = Headers([("To", "x")])
        copy = headers.copy()
        copy.set("To", "y")
        copy.add("From", "z")
        assert list(headers) == [("To", "x")]

    def test_representation_shows_no_values(self) -> None:
        headers = Headers([("Authorization", "hunter2")])
        assert repr(headers) == "<Headers Authorization>"
        message = Request("INVITE", "sip:a:hunter2@b", headers)
        assert repr(message) == "<Request INVITE>"
        assert repr(Response(486, "hunter2")) == "<Response 486>"


class TestResponseTo:
    """RFC 3261 section 8.2.6."""

    PROXIED = INVITE.replace(
        b"Via:", b"Record-Route: <sip:p1;lr>\r\nTimestamp: 5\r\nv: SIP/2.0/UDP proxy;branch=z9hG4bK0\r\nVia:"
    )

    def names(self, status: int) -> list[str]:
        return [name for name, _ in response_to(request(self.PROXIED), status, to_tag="9").headers]

    def test_headers_and_their_order(self) -> None:
        answer = response_to(
            request(self.PROXIED), 200, to_tag="77", extra=[("Contact", "<sip:me@here>")], body=b"sdp"
        )
        assert answer.to_bytes().decode().split("\r\n") == [
            "SIP/2.0 200 OK",
            "v: SIP/2.0/UDP proxy;branch=z9hG4bK0",
            "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK3882207522;rport",
            "Record-Route: <sip:p1;lr>",
            'From: "1001" <sip:1001@pbx.example.com:5060>;tag=1234567890',
            "To: <sip:1002@pbx.example.com:5060>;tag=77",
            "Call-ID: 0_3882207522@192.0.2.1",
            "CSeq: 1 INVITE",
            "Contact: <sip:me@here>",
            "Content-Length: 3",
            "",
            "sdp",
        ]

    @pytest.mark.parametrize(
        ("status", "copied"), [(100, False), (180, True), (200, True), (302, False), (503, False)]
    )
    def test_record_route_only_where_a_dialog_may_begin(self, status: int, copied: bool) -> None:
        assert ("Record-Route" in self.names(status)) is copied

    def test_timestamp_goes_into_100_only(self) -> None:
        assert "Timestamp" in self.names(100)
        assert "Timestamp" not in self.names(180)

    def test_a_tag_is_not_replaced(self) -> None:
        within = request(
            INVITE.replace(b"To: <sip:1002@pbx.example.com:5060>", b"To: <sip:1002@pbx>;tag=old")
        )
        assert response_to(within, 200, to_tag="new").to_tag == "old"

    def test_reasons(self) -> None:
        message = request(INVITE)
        assert response_to(message, 486).reason == REASONS[486] == "Busy Here"
        assert response_to(message, 486, "Gone fishing").reason == "Gone fishing"
        assert response_to(message, 599).reason == ""

    def test_the_request_stays_as_it_was(self) -> None:
        message = request(INVITE)
        response_to(message, 200, to_tag="77", extra=[("Contact", "x")])
        assert message.to_bytes() == INVITE


SEEDS = [INVITE, COMPACT, TORTURE, ODD_BYTES]
PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"\r\n", b"\r\n ", b"\r", b"\n", b"\0", b"\xff", b"%", b"@", b"\\", b'"', b"<", b">"]),
    st.sampled_from([b":", b";", b",", b"[::", b"SIP/2.0", b"Via: ", b";self=1", b"l: ", b"l: " + b"9" * 20]),
)


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """Messages with a few places cut out, doubled or written over."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 12)))
        data = data[:start] + draw(PIECES) + data[draw(st.sampled_from([start, end])) :]
    return data


def one_line(error: MessageError) -> None:
    """Errors are one line of text."""
    assert str(error)
    assert len(str(error).splitlines()) == 1


def use(message: Message) -> None:
    """Ask for everything a message can be asked for."""
    assert message.branch != ""
    assert message.from_tag != ""
    assert message.to_tag != ""
    for attribute in ("call_id", "cseq", "top_via", "from_address", "to_address", "contacts", "request_uri"):
        try:
            value = getattr(message, attribute, None)
        except MessageError as error:
            one_line(error)
        else:
            str(value).encode()


@settings(max_examples=400)
@given(st.one_of(mutants(), st.binary(max_size=200)))
def test_any_bytes_are_a_message_or_a_message_error(data: bytes) -> None:
    try:
        message = parse(data)
    except MessageError as error:
        one_line(error)
        return
    use(message)
    again = parse(message.to_bytes())
    assert again.to_bytes() == message.to_bytes()
    assert list(again.headers) == list(message.headers) or "Content-Length" not in message.headers
    if isinstance(message, Request):
        use(response_to(message, 200, to_tag="1"))
