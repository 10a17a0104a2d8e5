"""What the fuzzers run: targets that take any bytes, and the seeds that their inputs are made from.

A target raises AssertionError where a promise is broken, and lets every other exception but the one that its
input deserves out too. ``scripts/fuzz`` runs them for long, test_fuzz.py for a moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
from collections.abc import Callable

from phone_emulator.events import CallState
from phone_emulator.media import sdp
from phone_emulator.sip import digest, values
from phone_emulator.sip.dialog import Dialog, dialog_of_request, dialog_of_response
from phone_emulator.sip.framing import MAX_SIZE
from phone_emulator.sip.headers import key_of
from phone_emulator.sip.message import (
    Framer,
    Headers,
    Message,
    MessageError,
    Request,
    Response,
    parse,
    response_to,
)
from phone_emulator.sip.refusal import refusal
from phone_emulator.sip.transaction import client_key, server_key
from tests.lab.peers import PHONE, Peer
from tests.phone.far_end import Play, offer, play
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
    lambda parsed: str(parsed.top_via),
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
    answer = sdp.answer(parsed, "192.0.2.1", 4000, CODECS, 1, 1, 101)
    if answer is not None:
        answered = sdp.parse(answer)
        assert len(answered.media) == len(parsed.media)
        assert answered.audio is not None


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


TARGETS: dict[str, Target] = {
    "message": message,
    "sdp": session,
    "uri": uri,
    "auth": auth,
    "framing": framing,
}
TORTURE = [each.data for each in messages().values()]
SEEDS: dict[str, list[bytes]] = {
    "message": TORTURE,
    "sdp": [body for data in TORTURE if (body := data.partition(b"\r\n\r\n")[2])]
    + [offer(), offer("sendonly")],
    "uri": [text.encode() for text in URIS],
    "auth": [text.encode() for text in CHALLENGES],
    "framing": [*TORTURE, b"".join(TORTURE[5:8])],
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


METHODS = (
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "INFO",
    "UPDATE",
    "NOTIFY",
    "REFER",
    "PRACK",
    "SUBSCRIBE",
)
REST = 400.0
"""Seconds, after which nothing is left of any request."""


class Stranger(Peer):
    """Takes whatever comes back."""

    def datagram_received(self, data: bytes, remote: object) -> None:
        with contextlib.suppress(MessageError):
            parse(data)

    def datagram_failed(self, remote: object, reason: str) -> None:
        pass


def endpoint(
    dice: random.Random,
    going_on: Callable[[], bool],
    watched: Callable[[Target], Target],
    inputs: int = 2000,
) -> None:
    """A phone in a call hears mutated messages, in and outside its dialog, while *going_on*.

    After each *inputs* it is left alone, and nothing may be left of them. *watched* wraps what takes them.
    """
    heard = list[Target]()
    watch = watched(lambda data: heard[-1](data))
    largest = 0
    while going_on():

        async def story(on: Play) -> None:
            invite, answered, call = await on.taken()
            stranger = await Stranger(on.world).bind(PHONE._replace(host="192.168.1.66"), remote=PHONE)
            transports = on.phone.context.endpoint.transports
            heard.append(lambda data: transports.datagram_received(data, stranger.local))
            own, phone = invite.headers.get("From") or "", answered.headers.get("To") or ""
            seeds = [
                *TORTURE,
                *(on.far.inside(method, "in-1", own, phone, body=offer()).to_bytes() for method in METHODS),
            ]
            seeds += [_outside(method) for method in METHODS]
            for number in range(inputs):
                watch(mutation(dice, dice.choice(seeds)).replace(b"=z9hG4bK", b"=z9hG4bK%d" % number, 1))
                on.events.clear()
                if number % 20 == 0:
                    await asyncio.sleep(dice.choice((0, 0.001, 0.6)))
                for other in on.phone.calls[3:]:
                    if other.state is CallState.RINGING:
                        await other.hang_up()
            await call.hang_up()
            for other in tuple(on.phone.calls):
                await other.hang_up()
            await asyncio.sleep(REST)
            assert on.phone.calls == []
            assert on.phone._dialogs == {}
            assert on.phone.context.endpoint.live_transactions == 0

        play(story)
        heard.clear()
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert not largest or used < largest * 1.3, f"{largest} KiB have become {used}"
        largest = largest or used


def _outside(method: str) -> bytes:
    """A request of no dialog."""
    headers = Headers(
        [
            ("Via", "SIP/2.0/UDP 192.168.1.66:5060;branch=z9hG4bK"),
            ("From", "<sip:66@192.168.1.66>;tag=1"),
            ("To", f"<sip:1001@{PHONE.host}>"),
            ("Call-ID", "outside"),
            ("CSeq", f"1 {method}"),
            ("Contact", "<sip:66@192.168.1.66>"),
            ("Content-Type", "application/sdp"),
        ]
    )
    return Request(method, f"sip:1001@{PHONE.host}", headers, offer()).to_bytes()
