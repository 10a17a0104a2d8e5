"""What the fuzzers run: targets that take any bytes, and the seeds that their inputs are made from.

A target raises AssertionError where a promise is broken, and lets every other exception but the one that its
input deserves out too. ``scripts/fuzz`` runs them for long, test_fuzz.py for a moment. Whole phones are in
siege.py.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator

import dns.message as wire
from dns.zonefile import read_rrsets

from phone_emulator.dns import message as dns_message
from phone_emulator.dns.records import RdType
from phone_emulator.media import dtmf, rtcp, rtp, sdp
from phone_emulator.media.codecs import CODECS as TABLE
from phone_emulator.media.crypto import SUITES, Crypto, Key, Security, Srtp
from phone_emulator.media.negotiation import Unusable, negotiated
from phone_emulator.media.playout import Playout
from phone_emulator.media.reception import ReceptionStatistics
from phone_emulator.media.speech import Speech
from phone_emulator.media.srtp import Protection, SrtpError
from phone_emulator.media.xr import ExtendedReport, VoipMetrics
from phone_emulator.phone.presence.mwi import read_summary
from phone_emulator.phone.wire import dialog_info, xml_body
from phone_emulator.sip import digest, refer, values
from phone_emulator.sip.dialog import Dialog, dialog_of_request, dialog_of_response
from phone_emulator.sip.framing import MAX_SIZE, Framer
from phone_emulator.sip.headers import key_of
from phone_emulator.sip.message import Headers, Message, MessageError, Request, Response, response_to
from phone_emulator.sip.parser import parse
from phone_emulator.sip.refusal import refusal
from phone_emulator.sip.transaction import client_key, server_key
from tests.phone.far_end import offer
from tests.sip.torture.table import messages

Target = Callable[[bytes], None]
CODECS = ("pcmu", "g722", "opus", "ilbc", "g726_32")
URIS = [
    *("sip:1001@pbx1", "sips:a%20b:p%40ss@[2001:db8::1]:5061;transport=tcp;lr?X=%0d", "tel:+1-2;ext=3", "*"),
    *('"A \\"B\\" <x>" <sip:a@b;x="y">;tag=1;q="0,5";+sip.instance="<urn:uuid:1>"', "sip:a@b;tag=;tag=2"),
    *("SIP / 2.0 / UDP  [::1] : 5060 ; branch = z9hG4bK1 ;received=::2;rport", "SIP/2.0/TLS-SCTP a;self=1"),
]
CHALLENGES = [
    'Digest realm="a, b\\"", nonce="n", qop="auth,auth-int", algorithm=SHA-256, opaque="", stale=TRUE',
    'Basic realm="x", Digest realm="r", nonce="n2", algorithm=MD5-sess, qop=auth',
    'Digest username="u", realm="r", nonce="n", uri="sip:a", response="0", qop=auth, nc=00000001, cnonce="c"',
]


def message(data: bytes) -> None:
    """The parser, every typed header, the keys, the dialogs, and what is sent back."""
    try:
        parsed = parse(data)
    except MessageError as error:
        answer = refusal(data, error)
        assert answer is None or not answer.to_bytes().partition(b"\r\n\r\n")[2]
        return
    if isinstance(parsed, Request):
        response_to(parsed, 200, to_tag="1").to_bytes()
    again = parse(parsed.to_bytes())
    assert list(again.headers)[: len(parsed.headers)] == [
        (name, str(len(parsed.body)) if key_of(name) == "content-length" else value)
        for name, value in parsed.headers
    ]
    assert again.body == parsed.body
    for read in READERS:
        with contextlib.suppress(MessageError):
            read(parsed)


READERS: tuple[Callable[[Message], object], ...] = (
    lambda parsed: (parsed.via, str(parsed.top_via)),
    lambda parsed: str(parsed.from_address),
    lambda parsed: str(parsed.to_address),
    lambda parsed: [str(contact) for contact in parsed.contacts],
    lambda parsed: isinstance(parsed, Request) and str(parsed.request_uri),
    lambda parsed: (parsed.branch, parsed.from_tag, parsed.to_tag, parsed.cseq, parsed.call_id),
    lambda parsed: (client_key(parsed), server_key(parsed)),
    lambda parsed: _dialog_of(parsed).start_request("BYE").to_bytes(),
    lambda parsed: [parsed.headers.values(key) for key in parsed.headers.first],
    lambda parsed: digest.read_challenges(value for _, value in parsed.headers),
)


def _dialog_of(parsed: Message) -> Dialog:
    if isinstance(parsed, Response):
        headers = [("From", "<sip:a@b>;tag=1"), ("Call-ID", "1"), ("CSeq", "1 INVITE")]
        return dialog_of_response(Request("INVITE", "sip:a@b", Headers(headers)), parsed)
    assert isinstance(parsed, Request)
    return dialog_of_request(parsed, "1")


def session(data: bytes) -> None:
    """SDP: read, answered, and the answer read."""
    try:
        parsed = sdp.parse(data)
    except sdp.SdpError:
        return
    for srtp in Srtp:
        answer = sdp.answer(parsed, "192.0.2.1", 4000, CODECS, 1, 1, 101, srtp=srtp, keys=KEYS)
        if answer is not None:
            answered = sdp.parse(answer)
            assert len(answered.media) == len(parsed.media)
            assert answered.audio is not None
            with contextlib.suppress(Unusable):
                secured = negotiated(data, answer, answered_here=True).security is not None
                assert secured is bool(answered.audio.cryptos)
                assert secured or srtp is not Srtp.COMPULSORY


def uri(data: bytes) -> None:
    """URIs, addresses and Vias; the quick way agrees with the whole grammar."""
    text = data.decode("utf-8", "surrogateescape")
    for read in (values.uri, values.address, values.via):
        with contextlib.suppress(ValueError):
            str(read(text))


def auth(data: bytes) -> None:
    """Challenges answered, and credentials judged."""
    value = data.decode("utf-8", "surrogateescape").replace("\r", "").replace("\n", "")
    chosen = digest.choose(digest.read_challenges([value]))
    if chosen is not None:
        line = digest.Session(chosen).authorize("REGISTER", "sip:a", "user", "p4ssw0rd", "c")
        assert "p4ssw0rd" not in line or "p4ssw0rd" in value
    digest.verify(value, "INVITE", {"u": "pw"}, "r", lambda nonce: True)


def framing(data: bytes) -> None:
    """A stream gives the same messages however it is cut, and never keeps more than one."""
    step = data[0] % 97 + 1 if data else 1
    whole, cut = _framed([data]), _framed([data[n : n + step] for n in range(0, len(data), step)])
    assert whole == cut


def _framed(chunks: list[bytes]) -> tuple[list[bytes], bool]:
    framer, found = Framer(), list[bytes]()
    try:
        for chunk in chunks:
            found += framer.feed(chunk)
            assert len(framer._buffer) <= MAX_SIZE + len(chunk)
        framer.feed(b"")
    except MessageError:
        return found, True
    return found, False


def carried(data: bytes) -> None:
    """What NOTIFY and REFER carry: voice mail, dialogs, how a transfer goes; Refer-To and Replaces."""
    read_summary(data, 1, 0.0)
    refer.parse_sipfrag(data)
    with contextlib.suppress(xml_body.XmlError):
        info = dialog_info.read(data)
        again = dialog_info.read(dialog_info.write(info))
        assert len(again.dialogs) == len(info.dialogs)
    text = data.decode("utf-8", "surrogateescape")
    with contextlib.suppress(MessageError):
        refer.parse_refer_to(text)
    with contextlib.suppress(MessageError):
        replaces = refer.parse_replaces(text)
        assert refer.parse_replaces(str(replaces)) == replaces


def dns_answer(data: bytes) -> None:
    """A DNS server's answer, to each kind of question."""
    for rdtype in RdType:
        number = int.from_bytes(data[:2])
        reply = dns_message.decode(data, dns_message.Question(number, NAME, rdtype))
        assert reply is None or len(reply.records) <= len(data)


def sound(data: bytes) -> None:
    """An RTP packet, one after the other at the same port: counted, its digits taken, its sound heard."""
    with contextlib.suppress(rtp.RtpError, dtmf.DtmfError):
        packet = rtp.parse(data)
        assert rtp.parse(packet.pack()) == packet
        arrived = 0.02 * EAR.packets
        if EAR.receive(packet, arrived, 8000) and not BUFFER.takes(packet, arrived, 8000):
            EAR.discard(packet)
        assert EAR.stream is not None
        EAR.stream.report()
        DIGITS.receive(packet)
        for speech in SPEECH:
            speech.hear(packet.payload, packet.ssrc, 8000)


def reports(data: bytes) -> None:
    """An RTCP compound; what can be read can be written again, where it tells a name."""
    with contextlib.suppress(rtcp.RtcpError):
        packets = rtcp.parse(data)
        assert rtcp.parse(rtcp.compose([*packets, rtcp.Description(7, "a")]))[: len(packets)] == packets


def encrypted(data: bytes) -> None:
    """An SRTP packet, one after the other at the same port, under each cipher."""
    for suite, end in ENDS.items():
        with contextlib.suppress(SrtpError):
            plain = end.unprotect(data)
            assert len(plain) <= len(data), suite


KEYS = {suite: Key(bytes(suite.octets)) for suite in SUITES.values()}
ENDS = {suite: Protection() for suite in KEYS}
for _suite, _end in ENDS.items():
    _end.agree(Security(_suite, KEYS[_suite], KEYS[_suite]))
EAR, BUFFER, DIGITS = ReceptionStatistics(), Playout(), dtmf.DigitReceiver()
SPEECH = [Speech(codec, codec.coder) for codec in TABLE.values() if codec.coder is not None]
NAME = "pbx.example"

TARGETS: dict[str, Target] = {
    "message": message,
    "sdp": session,
    "uri": uri,
    "auth": auth,
    "framing": framing,
    "body": carried,
    "dns": dns_answer,
    "rtp": sound,
    "rtcp": reports,
    "srtp": encrypted,
}
BODIES = [
    b"Messages-Waiting: yes\r\nMessage-Account: sip:1001@pbx\r\nVoice-Message: 2/8 (0/2)\r\n",
    b'<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="3" state="full" '
    b'entity="sip:1002@pbx"><dialog id="1" call-id="a" local-tag="b" remote-tag="c" direction="recipient">'
    b"<state>confirmed</state><local><identity>sip:1002@pbx</identity><target uri='sip:1002@pbx'>"
    b'<param pname="+sip.rendering" pval="no"/></target></local><remote><identity display="&lt;B&gt;">'
    b"sip:1003@pbx</identity></remote></dialog></dialog-info>",
    b"SIP/2.0 180 Ringing\r\n",
    b"<sip:1003@pbx;method=INVITE?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc&X=1>",
    b"a@b;to-tag=1;from-tag=2;early-only",
    b"Signal=5\r\nDuration=160\r\n",
]


def _answers() -> Iterator[bytes]:
    """Answers of a DNS server: addresses, an alias, SRV with addresses beside it, NAPTR, nothing."""
    zone = {
        "A": ["@ A 192.0.2.1", "@ A 192.0.2.2"],
        "AAAA": ["@ CNAME a", "a AAAA 2001:db8::1"],
        "SRV": ["@ SRV 1 2 5060 a", "@ SRV 2 0 5061 b", "a A 192.0.2.3"],
        "NAPTR": ['@ NAPTR 10 20 "s" "SIP+D2U" "" _sip._udp'],
        "MX": [],
    }
    for rdtype, lines in zone.items():
        query = wire.make_query(NAME, rdtype, id=1)
        answer = wire.make_response(query)
        for rrset in read_rrsets("\n".join(lines), origin=NAME, default_ttl=300):
            section = answer.additional if rdtype == "SRV" and rrset.rdtype == 1 else answer.answer
            section.append(rrset)
        yield answer.to_wire()


TORTURE = [each.data for each in messages().values()]
SEEDS: dict[str, list[bytes]] = {
    "message": TORTURE,
    "sdp": [body for data in TORTURE if (body := data.partition(b"\r\n\r\n")[2])]
    + [offer(), offer("sendonly")]
    + [
        offer().replace(b"RTP/AVP", profile) + Crypto(1, suite, key).line().encode() + more + b"\r\n"
        for profile, more in ((b"RTP/SAVP", b"|2^20|1:4 WSH=64"), (b"RTP/AVP", b""))
        for suite, key in KEYS.items()
    ],
    "uri": [text.encode() for text in URIS],
    "auth": [text.encode() for text in CHALLENGES],
    "framing": [*TORTURE, b"".join(TORTURE[5:8])],
    "body": BODIES,
    "dns": [*_answers()],
    "rtp": [
        rtp.Packet(0, 1, 160, 7, b"\xff" * 160).pack(),
        *(
            packet.pack()
            for packet in dtmf.digit_packets("5", payload_type=101, sequence=2, timestamp=320, ssrc=7)
        ),
        b"\xb1\x00\x00\x05\x00\x00\x00\xa0\x00\x00\x00\x07\x00\x00\x00\x01\x00\x01\x00\x01abcdefgh\x01",
    ],
    "rtcp": [
        rtcp.compose(
            [
                rtcp.SenderReport(7, 1 << 40, 160, 1, 160, (rtcp.ReportBlock(8, 1, -2, 3, 4, 5, 6),)),
                rtcp.Description(7, "0123@host"),
                ExtendedReport(7, (VoipMetrics(8),)),
                rtcp.Goodbye((7,), "over"),
            ]
        ),
        rtcp.compose([rtcp.ReceiverReport(7), rtcp.Description(7, "a")]),
    ],
    "srtp": [
        end.protect(rtp.Packet(0, sequence, 160, 7, b"\xff" * 160).pack())
        for end in ENDS.values()
        for sequence in (1, 2, 40000)
    ],
}
PIECES = [
    *(
        b"\r\n",
        b" ",
        b"\t",
        b"\0",
        b"\xff",
        b"\xc3\xa9",
        b":",
        b";",
        b",",
        b"<",
        b">",
        b'"',
        b"\\",
        b"%00",
        b"=",
        b"@",
    ),
    *(
        b"\r\n ",
        b"\r\n\r\n",
        b"SIP/2.0",
        b"99999999999999999999",
        b"-1",
        b";tag=x",
        b"[::1]",
        b"*",
        b";lr",
        b"?a=b",
    ),
    *(
        b"INVITE",
        b"ACK",
        b"BYE",
        b"CANCEL",
        b"REGISTER",
        b"NOTIFY",
        b"UPDATE",
        b"REFER",
        b"PRACK",
        b"SUBSCRIBE",
    ),
    *(
        b"Require: x\r\n",
        b"Replaces: a;to-tag=b;from-tag=c\r\n",
        b"Content-Length: 3\r\n",
        b"RAck: 1 2 INVITE\r\n",
    ),
    *(
        b"Event: message-summary\r\n",
        b"Event: check-sync\r\n",
        b"Refer-To: <sip:a@b>\r\n",
        b"Session-Expires: 90\r\n",
    ),
]


def mutation(dice: random.Random, seed: bytes) -> bytes:
    """*seed* with a few bytes changed, cut, doubled or put in."""
    data = bytearray(seed)
    for _ in range(dice.randrange(1, 6)):
        place, kind = dice.randrange(len(data) + 1), dice.randrange(6)
        if kind == 0 and place < len(data):
            data[place] = dice.randrange(256)
        elif kind == 1:
            del data[place : place + dice.randrange(1, 40)]
        elif kind == 2:
            data[place:place] = data[place : place + dice.randrange(200)] * dice.choice((1, 1, 1, 20))
        elif kind == 3:
            other = bytes(data)
            lines = other.split(b"\r\n")
            first, second = dice.randrange(len(lines)), dice.randrange(len(lines))
            lines[first], lines[second] = lines[second], lines[first]
            data = bytearray(b"\r\n".join(lines))
        else:
            data[place:place] = dice.choice(PIECES)
    return bytes(data)
