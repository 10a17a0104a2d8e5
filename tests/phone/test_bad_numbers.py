"""Each number that a message can carry, and something else in its place: an answer, and the phone goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import CallState, MessageIgnored, MessageSent
from phone_emulator.sip.message import Response, response_to
from tests.bad_numbers import NO_NUMBERS, bad_numbers, shown, with_value
from tests.lab.peers import PHONE, SERVER, OpenPeer
from tests.phone.far_end import Play, offer, play
from tests.phone.presence.watching import DIALOG_INFO, notify, registered, subscribed

SETTINGS: dict[str, Any] = {"account__1__100rel_enable": 1, "account__1__session_timer__enable": 1}
MAILBOX: dict[str, Any] = {"account__1__subscribe_mwi": 1, "account__1__subscribe_mwi_expires": 3600}


async def stranger(on: Play) -> OpenPeer:
    """Another socket of the far end's host, which takes refusals that cannot be read, too."""
    return await OpenPeer(on.world).bind(SERVER._replace(port=5099), remote=PHONE)


async def answers(on: Play, peer: OpenPeer, data: bytes) -> list[int]:
    """The statuses that the request *data* draws; none where it was ignored with a reason."""
    start = len(on.events)
    peer.raw(data)
    await on.rest()
    sent = [event.data for event in on.events[start:] if isinstance(event, MessageSent)]
    return [int(data[8:11]) for data in sent if data.startswith(b"SIP/2.0 ")]


async def goes_on(on: Play) -> None:
    """The phone answers, and can be called."""
    far = await OpenPeer(on.world).bind(SERVER._replace(port=5098), remote=PHONE)
    far.send(far.make("OPTIONS", f"sip:1001@{PHONE}", call_id="still-there"))
    assert isinstance(answer := await far.hear(), Response)
    assert answer.status == 200


REQUESTS = [
    *[("INVITE", name, "{}") for name in ("Session-Expires", "Min-SE", "Expires", "Max-Forwards")],
    ("INVITE", "Session-Expires", "{};refresher=uas"),
    ("INVITE", "Contact", "<sip:1002@192.168.1.13>;expires={};q={}"),
    ("INVITE", "Alert-Info", "<http://a>;answer-after={}"),
    ("UPDATE", "Session-Expires", "{}"),
    ("UPDATE", "Min-SE", "{}"),
    ("PRACK", "RAck", "{} 1 INVITE"),
    ("PRACK", "RAck", "1 {} INVITE"),
    ("SUBSCRIBE", "Expires", "{}"),
    ("NOTIFY", "Subscription-State", "active;expires={}"),
    ("NOTIFY", "Subscription-State", "terminated;retry-after={}"),
    ("NOTIFY", "Event", "refer;id={}"),
    ("MESSAGE", "Expires", "{}"),
    ("OPTIONS", "CSeq", "{} OPTIONS"),
    ("OPTIONS", "Content-Length", "{}"),
    ("OPTIONS", "Max-Forwards", "{}"),
    ("OPTIONS", "Via", "SIP/2.0/UDP 192.168.1.13:{};branch=z9hG4bKbad"),
    ("OPTIONS", "Via", "SIP/2.0/UDP 192.168.1.13:5099;branch=z9hG4bKbad;rport={};ttl={}"),
    ("OPTIONS", "From", "<sip:1002@192.168.1.13:{}>;tag=from-1"),
    ("OPTIONS", "Contact", "<sip:1002@192.168.1.13:{}>"),
]


@bad_numbers
@pytest.mark.parametrize(("method", "name", "value"), REQUESTS)
@pytest.mark.parametrize("within", [True, False], ids=["within the call", "outside"])
def test_a_number_of_a_request(method: str, name: str, value: str, within: bool, bad: str) -> None:
    async def story(on: Play) -> None:
        invite, answered, call = await on.taken()
        peer = await stranger(on)
        request = peer.make(method, f"sip:1001@{PHONE}", call_id="new", user="1002")
        if within:
            for key in ("From", "Call-ID"):
                request.headers.set(key, invite.headers.get(key) or "")
            request.headers.set("To", answered.headers.get("To") or "")
            request.headers.set("CSeq", f"101 {method}")
        request.headers.set("Event", "dialog" if method == "SUBSCRIBE" and not within else "refer")
        request.headers.set("Content-Type", "application/sdp")
        request.headers.set("Supported", "timer, 100rel")
        request.body = offer() if method in ("INVITE", "UPDATE") else b""
        statuses = await answers(on, peer, with_value(request, name, value.replace("{}", bad)))
        # A response to where a Via cannot be read, or has no such port, cannot be sent: it is told instead.
        assert statuses or (name == "Via" and any(isinstance(event, MessageIgnored) for event in on.events))
        assert 500 not in statuses
        assert call.state is CallState.TALKING
        await goes_on(on)
        await asyncio.sleep(40)

    play(story, **SETTINGS)


@pytest.mark.parametrize("bad", [bad for bad in NO_NUMBERS if not bad.startswith("9")], ids=shown)
def test_a_subscription_that_asks_for_no_number_of_seconds(bad: str) -> None:
    async def story(on: Play) -> None:
        peer = await stranger(on)
        request = peer.make("SUBSCRIBE", f"sip:1001@{PHONE}", extra=[("Event", "dialog"), ("Expires", bad)])
        assert await answers(on, peer, request.to_bytes()) == [400]
        assert on.phone.notifier.watchers == 0

    play(story)


@bad_numbers
def test_who_is_told_of_a_refer_asks_for_no_number_of_seconds(bad: str) -> None:
    async def story(on: Play) -> None:
        _, answered, call = await on.taken()
        own, phone = "<sip:1002@yealink.pbx.com>;tag=from-1", answered.headers.get("To") or ""
        refer = on.far.inside("REFER", "in-1", own, phone, 101)
        refer.headers.add("Refer-To", "<sip:1003@192.168.1.13>")
        refer.headers.add("Contact", f"<sip:1002@{SERVER}>")
        on.far.send(refer)
        await on.far.response(202)
        peer = await stranger(on)
        again = on.far.inside("SUBSCRIBE", "in-1", own, phone, 102)
        again.headers.add("Event", "refer")
        again.headers.add("Expires", bad)
        assert await answers(on, peer, again.to_bytes()) == [200 if bad.startswith("9") else 400]
        assert call.state is not CallState.ENDED
        await goes_on(on)

    play(story, account__1__transfer_refer=1)


PLACES_OF_SDP = {
    "port": (b"4000 RTP", b"%s RTP"),
    "payload type": (b"RTP/AVP 0", b"RTP/AVP %s"),
    "clock": (b"PCMU/8000", b"PCMU/%s"),
    "channels": (b"PCMU/8000", b"PCMU/8000/%s"),
    "ptime": (b"a=sendrecv", b"a=ptime:%s\r\na=sendrecv"),
    "maxptime": (b"a=sendrecv", b"a=maxptime:%s\r\na=sendrecv"),
    "session": (b"o=- 1 1", b"o=- %s %s"),
}


@bad_numbers
@pytest.mark.parametrize("place", PLACES_OF_SDP)
def test_a_number_of_an_offer(place: str, bad: str) -> None:
    before, after = PLACES_OF_SDP[place]

    async def story(on: Play) -> None:
        peer = await stranger(on)
        request = peer.make(
            "INVITE", f"sip:1001@{PHONE}", user="1002", extra=[("Content-Type", "application/sdp")]
        )
        request.body = offer().replace(before, after.replace(b"%s", bad.encode()))
        assert await answers(on, peer, request.to_bytes())
        await goes_on(on)
        await asyncio.sleep(40)

    play(story)


@bad_numbers
@pytest.mark.parametrize("place", PLACES_OF_SDP)
def test_a_number_of_an_answer(place: str, bad: str) -> None:
    before, after = PLACES_OF_SDP[place]

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 200, body=offer().replace(before, after.replace(b"%s", bad.encode())))
        await on.far.heard("ACK")
        await call.settled()
        await goes_on(on)
        await call.hang_up()

    play(story)


@bad_numbers
@pytest.mark.parametrize(
    ("body", "digits"),
    [("Signal=5\r\nDuration={}\r\n", 200), ("Signal={}\r\nDuration=100\r\n", 400)],
)
def test_a_number_of_an_info(body: str, digits: int, bad: str) -> None:
    async def story(on: Play) -> None:
        _, answered, _ = await on.taken()
        info = on.far.inside(
            "INFO", "in-1", "<sip:1002@yealink.pbx.com>;tag=from-1", answered.headers.get("To") or ""
        )
        info.headers.add("Content-Type", "application/dtmf-relay")
        info.body = body.replace("{}", bad).encode()
        assert await answers(on, await stranger(on), info.to_bytes()) == [digits]
        await goes_on(on)

    play(story)


ANSWERS = [
    (200, "Session-Expires", "{};refresher=uac"),
    (200, "Expires", "{}"),
    (180, "RSeq", "{}"),
    (302, "Contact", "<sip:1003@192.168.1.13>;q={};expires={}"),
    (302, "Contact", "<sip:1003@192.168.1.13:{}>"),
    (422, "Min-SE", "{}"),
    (423, "Min-Expires", "{}"),
    (500, "Retry-After", "{}"),
    (503, "Retry-After", "{} (busy);duration={}"),
    (200, "CSeq", "{} INVITE"),
    (200, "Content-Length", "{}"),
]


@bad_numbers
@pytest.mark.parametrize(("status", "name", "value"), ANSWERS)
def test_a_number_of_an_answer_to_an_invite(status: int, name: str, value: str, bad: str) -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        body = offer() if status == 200 else b""
        extra = [("Contact", f"<sip:1002@{SERVER}>"), ("Require", "100rel")]
        response = response_to(invite, status, to_tag="far-tag", extra=extra, body=body)
        if body:
            response.headers.set("Content-Type", "application/sdp")
        on.far.raw(with_value(response, name, value.replace("{}", bad)))
        await on.rest()
        await goes_on(on)
        await call.hang_up()
        await call.over()
        assert call.result is not None

    play(story, **SETTINGS)


@bad_numbers
@pytest.mark.parametrize(
    ("status", "name", "value"),
    [
        (200, "Expires", "{}"),
        (200, "Contact", "<sip:1001@192.168.1.21:5060>;expires={}"),
        (423, "Min-Expires", "{}"),
        (503, "Retry-After", "{}"),
    ],
)
def test_a_number_of_an_answer_to_a_register(status: int, name: str, value: str, bad: str) -> None:
    async def story(on: Play) -> None:
        registering = asyncio.create_task(on.phone.register())
        register = await on.far.heard("REGISTER")
        on.far.answer(register, status, extra=[(name, value.replace("{}", bad))])
        if (status, bad[:1]) == (423, "9"):
            # More seconds than there can be count as the most that there can be (RFC 3261 section 20.19).
            register = await on.far.heard("REGISTER")
            assert register.headers.get("Expires") == "4294967295"
            on.far.answer(register, 200)
        await registering
        assert bool(on.phone.line(1).bindings.targets) is (status == 200 or (status, bad[:1]) == (423, "9"))
        await goes_on(on)

    play(story)


@bad_numbers
@pytest.mark.parametrize(
    ("status", "name"), [(200, "Expires"), (423, "Min-Expires"), (480, "Retry-After"), (503, "Retry-After")]
)
def test_a_number_of_an_answer_to_a_subscribe(status: int, name: str, bad: str) -> None:
    async def story(on: Play) -> None:
        await registered(on)
        on.far.answer(await on.far.heard("SUBSCRIBE"), status, extra=[(name, bad)])
        await on.rest()
        await goes_on(on)

    play(story, **MAILBOX)


DOCUMENT = (
    '<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{}" state="full"'
    ' entity="sip:1002@192.168.1.13"/>'
)


@bad_numbers
@pytest.mark.parametrize(
    ("state", "kind", "body"),
    [
        ("active;expires={}", "application/simple-message-summary", "Messages-Waiting: yes\r\n"),
        ("terminated;reason=probation;retry-after={}", "application/simple-message-summary", ""),
        (
            "active",
            "application/simple-message-summary",
            "Messages-Waiting: yes\r\nVoice-Message: {}/{} (0/0)\r\n",
        ),
        ("active", DIALOG_INFO, DOCUMENT),
    ],
)
def test_a_number_of_a_notify(state: str, kind: str, body: str, bad: str) -> None:
    async def story(on: Play) -> None:
        subscribe = await subscribed(on)
        on.far.send(
            notify(
                on.far,
                subscribe,
                2,
                state.replace("{}", bad),
                body=body.replace("{}", bad).encode(),
                content_type=kind,
            )
        )
        assert isinstance(await on.far.hear(), Response)
        await goes_on(on)

    play(story, **MAILBOX)
