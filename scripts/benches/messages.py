"""Reading messages, side by side with two other libraries."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benches.measuring import Bench, in_turn

CALL = (
    (b"INVITE sip:%(b)d@yealink.pbx.com SIP/2.0", b"", 1, b"INVITE", b"a"),
    (b"SIP/2.0 100 Trying", b"", 1, b"INVITE", b""),
    (b"SIP/2.0 180 Ringing", b";tag=9876%(b)d", 1, b"INVITE", b"b"),
    (b"SIP/2.0 200 OK", b";tag=9876%(b)d", 1, b"INVITE", b"b"),
    (b"ACK sip:%(b)d@192.168.1.31:5060 SIP/2.0", b";tag=9876%(b)d", 2, b"ACK", b"a"),
    (b"BYE sip:%(b)d@192.168.1.31:5060 SIP/2.0", b";tag=9876%(b)d", 3, b"BYE", b"a"),
    (b"SIP/2.0 200 OK", b";tag=9876%(b)d", 3, b"BYE", b"b"),
)
"""The messages of a call: start line, tag of To, which branch, method, whose Contact."""

Facts = tuple[object, ...]
"""What a transaction needs of a message; see `ours`."""

Read = Callable[[bytes], Facts]


def messages_of_calls(calls: int) -> list[bytes]:
    """The seven messages of each of *calls* calls, no two of them alike."""
    found = []
    for number in range(calls):
        names = {b"a": 1000 + number, b"b": 5000 + number}
        for start, to_tag, branch, method, whose in CALL:
            lines = [
                start,
                b"Via: SIP/2.0/UDP 192.168.1.21:5060;branch=z9hG4bK23456%d%%(a)d" % branch,
                b"Record-Route: <sip:192.168.1.13;lr>",
                b'From: "Alice" <sip:%(a)d@yealink.pbx.com>;tag=1234%(a)d',
                b"To: <sip:%(b)d@yealink.pbx.com>" + to_tag,
                b"Call-ID: 0_12345%(a)d@192.168.1.21",
                b"CSeq: %d %s" % (2 if method == b"BYE" else 1, method),
                b"Contact: <sip:%%(%s)d@192.168.1.31:5060>" % (whose or b"b"),
                b"Max-Forwards: 70",
                b"User-Agent: somebody",
                b"Content-Length: 0",
                b"",
                b"",
            ]
            found.append(b"\r\n".join(lines) % names)
    return found


def ours(data: bytes) -> Facts:
    """Via: transport, host, port, branch, received, rport; From, To and Contact: name, user, host, port, tag;
    Call-ID; CSeq: number, method; the length of the body."""
    message = _parse(data)
    via, from_, to, [contact] = message.via, message.from_, message.to, message.contact_list
    own, cseq = via.parameters, message.cseq
    return (
        (via.transport, via.host, via.port, own.get("branch"), own.get("received"), own.get("rport")),
        (from_.name, from_.uri.user, from_.uri.host, from_.uri.port, from_.parameters.get("tag")),
        (to.name, to.uri.user, to.uri.host, to.uri.port, to.parameters.get("tag")),
        (contact.name, contact.uri.user, contact.uri.host, contact.uri.port, contact.parameters.get("tag")),
        (message.call_id, cseq.number, cseq.method, len(message.body)),
    )


def of_sipmessage(data: bytes) -> Facts:
    """The same by sipmessage."""
    message = _Sipmessage.parse(data)
    [via], from_, to, [contact] = message.via, message.from_address, message.to_address, message.contact
    own, cseq = via.parameters, message.cseq
    return (
        (via.transport, via.host, via.port, own.get("branch"), own.get("received"), own.get("rport")),
        (from_.name, from_.uri.user, from_.uri.host, from_.uri.port, from_.parameters.get("tag")),
        (to.name, to.uri.user, to.uri.host, to.uri.port, to.parameters.get("tag")),
        (contact.name, contact.uri.user, contact.uri.host, contact.uri.port, contact.parameters.get("tag")),
        (message.call_id, cseq.sequence, cseq.method, message.content_length),
    )


def of_sippy(data: bytes) -> Facts:
    """The same by sippy."""
    text = data.decode()
    message = (_SippyResponse if text.startswith("SIP/") else _SippyRequest)(text)
    body = message.getHFBody
    via, from_, to, contact = body("via"), body("from").address, body("to").address, body("contact").address
    own, cseq = via.params, body("cseq")
    return (
        (via.transport, via.hostname, via.port, own.get("branch"), own.get("received"), own.get("rport")),
        (from_.name or "", from_.url.username, from_.url.host, from_.url.port, from_.params.get("tag")),
        (to.name or "", to.url.username, to.url.host, to.url.port, to.params.get("tag")),
        (
            contact.name or "",
            contact.url.username,
            contact.url.host,
            contact.url.port,
            contact.params.get("tag"),
        ),
        (body("call-id").body, cseq.cseq, cseq.method, len(str(message.body or ""))),
    )


def messages_read() -> str:
    """The facts that a transaction needs, of every message; all libraries find the same ones.

    What is remembered of earlier messages is of the same round. ``calls`` are the seven messages of each of
    60 calls, ``strangers`` one message of each of 367 calls, which share next to no line with each other.
    """
    lines = []
    mixes = {"calls": messages_of_calls(60), "strangers": messages_of_calls(420)[::8]}
    for mix, messages in mixes.items():
        reads, absent = _libraries()
        facts = [ours(data) for data in messages]
        for name, read in reads.items():
            if [read(data) for data in messages] != facts:
                raise AssertionError(f"{name} reads other facts")
        seconds = in_turn(25, {name: partial(_all, read, messages) for name, read in reads.items()})
        rate = {name: len(messages) / took for name, took in seconds.items()}
        own = rate.pop("phone-emulator")
        parts = [f"{name} {other:,.0f}, {own / other:.1f} times" for name, other in rate.items()]
        lines.append(f"{mix}: {own:,.0f} a second of CPU; " + "; ".join([*parts, *absent]))
    return "\n".join(lines) + " (asked for: 5 times sipmessage)"


def _all(read: Read, messages: list[bytes]) -> None:
    _forget()
    for data in messages:
        read(data)


def _libraries() -> tuple[dict[str, Read], list[str]]:
    """How to read by each library that is installed, and what to say of the others."""
    global _forget, _parse, _Sipmessage, _SippyRequest, _SippyResponse
    import sipmessage

    from phone_emulator.sip.parser import forget, parse

    _parse, _forget, _Sipmessage = parse, forget, sipmessage.Message
    found: dict[str, Read] = {"phone-emulator": ours, "sipmessage": of_sipmessage}
    try:
        from sippy.SipRequest import SipRequest
        from sippy.SipResponse import SipResponse
    except ImportError:
        return found, ["sippy is not installed"]
    _SippyRequest, _SippyResponse = SipRequest, SipResponse
    return {**found, "sippy": of_sippy}, []


_forget: Any
_parse: Any
_Sipmessage: Any
_SippyRequest: Any
_SippyResponse: Any

BENCHES: dict[str, Bench] = {"SIP messages read": messages_read}
