"""What a phone and its far end say to each other so that every kind of message comes up once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from phone_emulator.events import Address, MessageSent
from phone_emulator.phone import PhoneOptions
from phone_emulator.phone.transfer.transfer import transfer_blind
from phone_emulator.sip.digest import challenge_value
from phone_emulator.sip.message import Message, Request, Response
from phone_emulator.sip.parser import parse
from tests.lab.peers import PHONE, ack_to
from tests.phone.far_end import Play, Story, offer, play

CHALLENGE = challenge_value("example.com", "abc")
PROXY_CHALLENGE = challenge_value("example.com", "abc", qop="")


async def registering(on: Play) -> None:
    """REGISTER, 401, REGISTER with credentials, refresh at once, un-REGISTER."""
    cycle = asyncio.create_task(on.phone.register())
    on.far.answer(await on.far.heard("REGISTER"), 401, extra=[("WWW-Authenticate", CHALLENGE)])
    on.far.answer(await on.far.heard("REGISTER"), 200, extra=[("Expires", "3600")])
    await cycle
    again = asyncio.create_task(on.phone.register())
    on.far.answer(await on.far.heard("REGISTER"), 200, extra=[("Expires", "3600")])
    await again
    ending = asyncio.create_task(on.phone.line().registrar.unregister())
    on.far.answer(await on.far.heard("REGISTER"), 200)
    await ending


async def calling(on: Play) -> None:
    """INVITE, 407, ACK, INVITE with credentials, 200, ACK, hold, digit, BYE."""
    call = on.phone.dial("*72#5")
    on.far.answer(await on.far.heard("INVITE"), 407, extra=[("Proxy-Authenticate", PROXY_CHALLENGE)])
    await on.far.heard("ACK")
    on.far.answer(await on.far.heard("INVITE"), 200, body=offer())
    await on.far.heard("ACK")
    await call.settled()
    holding = asyncio.create_task(call.hold())
    on.far.answer(await on.far.heard("INVITE"), 200, body=offer("recvonly"))
    await on.far.heard("ACK")
    await holding
    ending = asyncio.create_task(call.hang_up())
    on.far.answer(await on.far.heard("BYE"), 401, extra=[("WWW-Authenticate", CHALLENGE)])
    on.far.answer(await on.far.heard("BYE"), 200)
    await ending


async def cancelling(on: Play) -> None:
    """INVITE, 180, CANCEL, 487, ACK."""
    call = on.phone.dial("1002")
    invite = await on.far.heard("INVITE")
    on.far.answer(invite, 180)
    await on.rest()
    await call.hang_up()
    on.far.answer(await on.far.heard("CANCEL"), 200)
    on.far.answer(invite, 487)
    await on.far.heard("ACK")
    await call.over()


async def being_called(on: Play) -> None:
    """180, 200, 200 to UPDATE and BYE."""
    route = [("Record-Route", "<sip:192.168.1.13;lr>")]
    invite, response, _ = await on.taken(extra=route)
    own, phone = invite.headers.get("From") or "", response.headers.get("To") or ""
    for number, (method, body) in enumerate((("UPDATE", offer("sendonly")), ("BYE", b"")), 2):
        on.far.send(on.far.inside(method, "in-1", own, phone, number, body=body))
        await on.far.response(200, method)


async def refusing(on: Play) -> None:
    """486, 404, 481, 405, 487 and the 200 to a CANCEL, 200 to OPTIONS."""
    invite, _, call = await on.ringing()
    call.reject()
    on.far.send(ack_to(invite, await on.far.response(486)))
    for method, user in (("INVITE", "9"), ("BYE", "1001"), ("REFER", "1001"), ("OPTIONS", "1001")):
        host = "example.com" if method == "INVITE" else "192.168.1.21"  # else it would be a direct call
        to = f"<sip:{user}@192.168.1.21>"
        request = on.far.make(method, f"sip:{user}@{host}", to=to, call_id=f"alone-{method}")
        on.far.send(request)
        response = await on.far.hear()
        assert isinstance(response, Response)
        if method == "INVITE":
            on.far.send(ack_to(request, response))
    invite, _, _ = await on.ringing(call_id="in-2")
    on.far.send(on.far.make("CANCEL", invite.uri, branch=invite.branch or "", call_id="in-2", user="1002"))
    await on.far.response(200, "CANCEL")
    on.far.send(ack_to(invite, await on.far.response(487)))


async def subscribing(on: Play) -> None:
    """SUBSCRIBE, 200 to the NOTIFY."""
    cycle = asyncio.create_task(on.phone.register())
    on.far.answer(await on.far.heard("REGISTER"), 200, extra=[("Expires", "3600")])
    await cycle
    subscribe = await on.far.heard("SUBSCRIBE")
    on.far.answer(subscribe, 200, extra=[("Expires", "3600")])
    await on.rest()
    notify = on.from_far("NOTIFY", subscribe)
    notify.headers.add("Event", "message-summary")
    notify.headers.add("Subscription-State", "active;expires=3600")
    on.far.send(notify)
    await on.far.response(200, "NOTIFY")


async def dialling_digits(on: Play) -> None:
    """INFO."""
    _, call = await on.talking()
    digits = asyncio.create_task(call.send_dtmf("5"))
    on.far.answer(await on.far.heard("INFO"), 200)
    await digits


async def transferring(on: Play) -> None:
    """REFER, 200 to the NOTIFY."""
    invite, call = await on.talking()
    task = asyncio.create_task(transfer_blind(call, "1003"))
    on.far.answer(await on.far.heard("INVITE"), 200, body=offer("recvonly"))
    await on.far.heard("ACK")
    on.far.answer(await on.far.heard("REFER"), 202)
    notify = on.from_far("NOTIFY", invite)
    notify.headers.add("Event", "refer")
    notify.headers.add("Subscription-State", "terminated;reason=noresource")
    notify.headers.add("Content-Type", "message/sipfrag")
    notify.body = b"SIP/2.0 200 OK\r\n"
    on.far.send(notify)
    await on.far.response(200, "NOTIFY")
    on.far.answer(await on.far.heard("BYE"), 200)
    await task


async def being_transferred(on: Play) -> None:
    """202 to the REFER, NOTIFYs, INVITE with Referred-By and Replaces."""
    invite, _ = await on.talking()
    refer = on.from_far("REFER", invite)
    refer.headers.add("Contact", "<sip:1002@192.168.1.13>")
    refer.headers.add("Refer-To", "<sip:1003@192.168.1.13?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>")
    refer.headers.add("Referred-By", "<sip:1002@192.168.1.13>")
    on.far.send(refer)
    await on.far.response(202, "REFER")
    for _ in range(4):
        message = await on.far.hear()
        assert isinstance(message, Request)
        if message.method != "ACK":
            on.far.answer(message, 200, body=offer() if message.method == "INVITE" else b"")


async def being_watched(on: Play) -> None:
    """200 to the SUBSCRIBE, NOTIFYs about a call."""
    subscribe = on.far.make("SUBSCRIBE", f"sip:1001@{PHONE}", call_id="watch")
    subscribe.headers.add("Contact", "<sip:1002@192.168.1.13>")
    subscribe.headers.add("Event", "dialog")
    subscribe.headers.add("Expires", "600")
    on.far.send(subscribe)
    await on.far.response(200, "SUBSCRIBE")
    on.far.answer(await on.far.heard("NOTIFY"), 200)


async def forwarding(on: Play) -> None:
    """302."""
    invite = on.far.invite()
    on.far.send(invite)
    on.far.send(ack_to(invite, await on.far.response(302)))
    await on.rest()


async def calling_reliably(on: Play) -> None:
    """INVITE with 100rel, PRACK."""
    call = on.phone.dial("1002")
    invite = await on.far.heard("INVITE")
    on.far.answer(invite, 183, body=offer(), extra=[("Require", "100rel"), ("RSeq", "7")])
    on.far.answer(await on.far.heard("PRACK"), 200)
    on.far.answer(invite, 200)
    await on.far.heard("ACK")
    await call.settled()


async def being_called_reliably(on: Play) -> None:
    """180 with RSeq, 200 to the PRACK."""
    invite = on.far.invite(extra=[("Supported", "100rel")])
    on.far.send(invite)
    ringing = await on.far.response(180)
    own, phone = invite.headers.get("From") or "", ringing.headers.get("To") or ""
    prack = on.far.inside("PRACK", "in-1", own, phone, 2)
    prack.headers.add("RAck", f"{ringing.headers.get('RSeq')} 1 INVITE")
    on.far.send(prack)
    await on.far.response(200, "PRACK")


async def refreshing(on: Play) -> None:
    """INVITE with a session timer, UPDATE."""
    await on.talking(
        extra=[("Allow", "UPDATE"), ("Session-Expires", "90;refresher=uac"), ("Require", "timer")]
    )
    on.far.answer(await on.far.heard("UPDATE"), 200, extra=[("Session-Expires", "90;refresher=uac")])


async def being_refreshed(on: Play) -> None:
    """200 with a session timer."""
    await on.taken(extra=[("Supported", "timer"), ("Session-Expires", "90;refresher=uac")])


async def keeping_alive(on: Play) -> None:
    """OPTIONS or NOTIFY, 30 s after the registration."""
    cycle = asyncio.create_task(on.phone.register())
    on.far.answer(await on.far.heard("REGISTER"), 200, extra=[("Expires", "3600")])
    await cycle
    request = await on.far.hear()
    assert isinstance(request, Request)
    on.far.answer(request, 200)
    await on.rest()


ALL_OPTIONS: dict[str, Any] = {
    "account__1__register_line": 1,
    "account__1__register_mac": 1,
    "account__1__nat__rport": 1,
    "account__1__enable_user_equal_phone": 1,
    "account__1__display_name": 'Zoë "Z" \\ Ltd.',
    "account__1__auth_name": "auth1001",
    "sip__mac_in_ua": 1,
    "sip__use_23_as_pound": 0,
}
STORIES: dict[str, tuple[Story, dict[str, Any]]] = {
    "register": (registering, {}),
    "register-options": (registering, ALL_OPTIONS),
    "register-tcp": (registering, {"account__1__sip_server__1__transport_type": 1}),
    "call": (calling, {}),
    "call-options": (calling, {**ALL_OPTIONS, "account__1__custom_ua": "Reception/1.0"}),
    "cancel": (cancelling, {}),
    "called": (being_called, {}),
    "refused": (refusing, {}),
}


def sent(story: Story, settings: dict[str, Any], options: PhoneOptions | None = None) -> list[bytes]:
    """What the phone sends in *story*."""
    options = options or PhoneOptions()
    found: list[bytes] = []

    async def told(on: Play) -> None:
        on.far.remote = Address(PHONE.host, options.device.style.listen_port)
        await story(on)
        found.extend(event.data for event in on.events if isinstance(event, MessageSent))

    play(told, options, **settings)
    return found


def kind_of(message: Message) -> str:
    """The name that a message goes by: ``INVITE``, ``re-INVITE``, ``180-INVITE``, ``ACK-refused`` …"""
    if isinstance(message, Response):
        return f"{message.status}-{message.cseq.method}"
    assert isinstance(message, Request)
    if message.method == "INVITE" and message.to_tag:
        return "re-INVITE"
    return (
        "ACK-refused" if message.method == "ACK" and "User-Agent" not in message.headers else message.method
    )


def by_kind(options: PhoneOptions, settings: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Every message of the stories that are about kinds of messages, with its kind."""
    for story, own in TOUR:
        for data in sent(story, {**settings, **own}, options):
            yield kind_of(parse(data)), data


TIMER = {"account__1__session_timer__enable": 1, "account__1__session_timer__expires": 90}
TOUR: tuple[tuple[Story, dict[str, Any]], ...] = (
    (registering, {}),
    (calling, {}),
    (cancelling, {}),
    (being_called, {}),
    (refusing, {}),
    (subscribing, {"account__1__subscribe_mwi": 1}),
    (dialling_digits, {"account__1__dtmf__type": 2}),
    (calling_reliably, {"account__1__100rel_enable": 1}),
    (being_called_reliably, {"account__1__100rel_enable": 1}),
    (refreshing, TIMER),
    (being_refreshed, TIMER),
    (transferring, {}),
    (being_transferred, {}),
    (being_watched, {}),
    (forwarding, {"forward__always__enable": 1, "forward__always__target": "1009"}),
    (keeping_alive, {"account__1__nat__udp_update_enable": 2}),
    (keeping_alive, {"account__1__nat__udp_update_enable": 3}),
)
"""Stories, and the settings that they need."""
