"""A phone in a call against everything that a network can send it: it stays up, answers or says why not."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.events import CallState, MessageIgnored, MessageReceived, MessageSent
from phone_emulator.phone import CallResult, IncomingCall
from phone_emulator.sip.message import Headers, Message, Request
from phone_emulator.sip.parser import parse
from tests.lab.peers import PHONE, OpenPeer, Peer
from tests.phone.far_end import Play, offer, play

EXAMPLES = settings(max_examples=60)
METHODS = (
    *("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "INFO", "UPDATE", "NOTIFY", "X-ODD"),
    "PRACK",
)
NAMES = (
    *("Via", "From", "To", "Call-ID", "CSeq", "Contact", "Record-Route", "Route", "Content-Type", "Require"),
    *("Content-Length", "Max-Forwards", "Expires", "Subject", "v", "m", "Supported", "Event"),
    *("RSeq", "RAck", "Session-Expires", "Min-SE", "Allow"),
)
ODD = (
    *("", " ", ",", ";", "<", ">", '"', "<sip:>", "<sip:a@>", "sip:@", "*", "\\", "=;=", "<tel:+1>"),
    *(
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ;branch=",
        "SIP/2.0/UDP a;branch=z9hG4bK;rport=x;received=y",
        "²",
        "99999999999",
    ),
    *("0 INVITE", "4294967296 INVITE", "-1 BYE", "<sip:a@[::1>", "<sip:a@b;lr;self=1>;tag=", "a\tb", "ÿ"),
    *("<sip:1001@192.168.1.21;transport=sctp>", "SIP/2.0/TLS x:99999;branch=z9hG4bKq;maddr=1.2.3.4"),
    *("application/sdp;boundary=x", "100rel", "timer", "1 1 INVITE", "1;refresher=uac", "4294967295"),
)


REFUSALS = (b"SIP/2.0 400 ", b"SIP/2.0 505 ")


async def survives(on: Play, attack: list[bytes]) -> None:
    """Send *attack* to a phone that is in a call, and see the call through to its end."""
    _, answered, call = await on.taken()
    stranger = await OpenPeer(on.world).bind(PHONE._replace(host="192.168.1.66", port=5066), remote=PHONE)
    heard = len(on.events)
    for data in attack:
        stranger.raw(data)
    await asyncio.sleep(0.01)
    since = on.events[heard:]
    taken = sum(isinstance(event, MessageReceived) for event in since)
    ignored = sum(isinstance(event, MessageIgnored) for event in since)
    assert taken + ignored >= sum(bool(data.strip(b"\r\n\0")) for data in attack)
    for event in since:
        if isinstance(event, MessageSent) and not event.data.startswith(REFUSALS):
            parse(event.data)
    assert call.state is CallState.TALKING
    for other in on.phone.calls[1:]:
        assert isinstance(other, IncomingCall)
        other.reject()
    await asyncio.sleep(400)
    assert on.phone.calls == [call]
    assert on.phone.context.endpoint.live_transactions == 0
    assert on.world.pending_timers() == []
    on.far.send(
        on.far.inside(
            "BYE", "in-1", "<sip:1002@yealink.pbx.com>;tag=from-1", answered.headers.get("To") or "", 999
        )
    )
    await asyncio.sleep(0.01)
    assert call.state.value == "ended"


def attacked(attack: list[bytes]) -> None:
    async def story(on: Play) -> None:
        await survives(on, attack)

    play(story, account__1__100rel_enable=1)


def message(method: str, seed: int = 1) -> Request:
    """A good request to the phone, with a dialog of its own."""
    headers = Headers(
        [
            ("Via", f"SIP/2.0/UDP 192.168.1.66:5066;branch=z9hG4bKbad{seed}"),
            ("From", f"<sip:66@192.168.1.66>;tag=bad{seed}"),
            ("To", f"<sip:1001@{PHONE.host}>"),
            ("Call-ID", f"bad-{seed}"),
            ("CSeq", f"1 {method}"),
            ("Contact", "<sip:66@192.168.1.66:5066>"),
            ("Max-Forwards", "70"),
            ("Content-Type", "application/sdp"),
        ]
    )
    return Request(method, f"sip:1001@{PHONE.host}", headers, offer())


@EXAMPLES
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5))
def test_random_bytes(attack: list[bytes]) -> None:
    attacked(attack)


@EXAMPLES
@given(st.sampled_from(METHODS), st.integers(0, 2**32), st.integers(1, 8))
def test_mutated_messages(method: str, seed: int, changes: int) -> None:
    dice = random.Random(seed)
    attack = []
    for number in range(5):
        data = bytearray(message(method, number).to_bytes())
        for _ in range(changes):
            place = dice.randrange(len(data))
            what = dice.randrange(4)
            if what == 0:
                data[place] = dice.randrange(256)
            elif what == 1:
                del data[place : place + dice.randrange(1, 30)]
            elif what == 2:
                data[place:place] = bytes(dice.choices(b' \r\n:;,<>@"=%\\\0\xff', k=dice.randrange(1, 5)))
            else:
                data[place:place] = data[place : place + dice.randrange(60)]
        attack.append(bytes(data))
    attacked(attack)


@EXAMPLES
@given(
    st.sampled_from(METHODS),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(ODD)), min_size=1, max_size=3),
    st.lists(st.sampled_from(NAMES), max_size=2),
    st.sampled_from([b"", b"v=0\r\n", b"\xff", offer()[:60], offer().replace(b"4000", b"99999"), offer()]),
)
def test_missing_and_odd_headers(
    method: str, odd: list[tuple[str, str]], missing: list[str], body: bytes
) -> None:
    request = message(method)
    request.body = body
    for name in missing:
        request.headers.remove(name)
    for place, (name, value) in enumerate(odd):
        (request.headers.add if place % 2 else request.headers.set)(name, value)
    attacked([request.to_bytes(), request.to_bytes()])


@EXAMPLES
@given(
    st.sampled_from([m for m in METHODS if m not in ("BYE", "ACK")]),
    st.lists(st.tuples(st.sampled_from(NAMES[5:]), st.sampled_from(ODD)), min_size=1, max_size=2),
    st.sampled_from([b"", b"\xff", b"v=0\r\no=\r\n", offer("inactive"), offer().replace(b"PCMU", b"XXXX")]),
)
def test_odd_requests_within_the_call(method: str, odd: list[tuple[str, str]], body: bytes) -> None:
    """They carry the right dialog and reach the call itself; where a 200 draws no ACK, it ends by itself."""

    async def story(on: Play) -> None:
        invite, answered, call = await on.taken()
        request = on.far.inside(
            method, "in-1", invite.headers.get("From") or "", answered.headers.get("To") or "", body=body
        )
        for name, value in odd:
            request.headers.set(name, value)
        start = len(on.events)
        on.far.raw(request.to_bytes())
        await asyncio.sleep(0.01)
        reactions = [e for e in on.events[start:] if isinstance(e, MessageSent | MessageIgnored)]
        assert reactions or method == "CANCEL"
        assert call.state is CallState.TALKING
        await asyncio.sleep(400)
        assert on.phone.context.endpoint.live_transactions == 0
        assert on.world.pending_tasks() == []
        assert on.world.pending_timers() == []

    play(story, account__1__100rel_enable=1)


@EXAMPLES
@given(
    st.sampled_from([100, 180, 183, 199, 200, 202, 302, 401, 407, 422, 423, 482, 491, 503, 600, 699]),
    st.lists(
        st.tuples(
            st.sampled_from(
                [*NAMES[5:], "To", "WWW-Authenticate", "Proxy-Authenticate", "Retry-After", "Min-Expires"]
            ),
            st.sampled_from(
                [*ODD, "Digest", 'Digest realm="x", nonce=""', 'Digest realm="', "Basic realm=x"]
            ),
        ),
        max_size=3,
    ),
    st.sampled_from(["INVITE", "REGISTER"]),
)
def test_odd_responses(status: int, odd: list[tuple[str, str]], method: str) -> None:
    """A call and a registration come to an end, whatever the server says."""

    async def story(on: Play) -> None:
        registering = asyncio.create_task(on.phone.register()) if method == "REGISTER" else None
        call = on.phone.dial("1002") if method == "INVITE" else None
        request = await on.far.heard(method)
        response = Headers([])
        for name in ("Via", "From", "To", "Call-ID", "CSeq"):
            response.add(name, request.headers.get(name) or "")
        response.set("To", f"{request.headers.get('To')};tag=t")
        for name, value in odd:
            response.set(name, value)
        lines = [f"SIP/2.0 {status} x", *(f"{name}: {value}" for name, value in response), "", ""]
        on.far.raw("\r\n".join(lines).encode())
        if registering is not None:
            await registering
        if call is not None:
            await call.settled()
            await call.hang_up()
            await call.over()
        # What is left may be retried for ever, so the phone is stopped with it.

    play(story, account__1__100rel_enable=1, account__1__session_timer__enable=1)


@pytest.mark.parametrize(
    ("status", "name", "value"),
    [(302, "Contact", "<nonsense"), (302, "Contact", "<sip:a@b>;q=x"), (407, "Proxy-Authenticate", "Digest")],
)
def test_answers_that_lead_nowhere_end_the_call(status: int, name: str, value: str) -> None:
    # rule C3
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), status, extra=[(name, value)])
        await on.far.heard("ACK")
        if value.startswith("<sip"):
            on.far.answer(await on.far.heard("INVITE"), 404)
            await on.far.heard("ACK")
            status_then = 404
        else:
            status_then = status
        await call.over()
        assert (call.result, call.status) == (CallResult.REJECTED, status_then)

    play(story)


def test_a_flood_of_requests_leaves_nothing() -> None:
    attacked([message(METHODS[number % len(METHODS)], number).to_bytes() for number in range(300)])


def test_an_open_connection_takes_garbage_too() -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.taken()
        for data in (b"\0" * 100, b"INVITE\r\n\r\n", b"\xff" * 70000, message("BYE").to_bytes()[:-3]):
            peer = Peer(on.world)
            await peer.connect(PHONE, local_host="192.168.1.66")
            peer.raw(data)
            await asyncio.sleep(0.01)
            if not peer.lost:
                peer.close()
        await asyncio.sleep(40)
        assert call.state is CallState.TALKING
        assert isinstance(parse(message("INFO").to_bytes()), Message)

    play(story)
