"""Stories that come by every place where the phone begins work in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Never

from phone_emulator.events import Address
from phone_emulator.phone.registration.binding import Binding
from phone_emulator.phone.transfer.transfer import transfer_blind, transfer_to
from phone_emulator.sip.message import Response
from tests.lab.peers import PHONE, SERVER, Peer, ack_to
from tests.phone.calls.test_reliable import SPOKEN, prack
from tests.phone.far_end import Play, offer
from tests.phone.transfer.test_replaces import meaning, replacing
from tests.phone.wire import wire_stories


class OwnFault(Exception):
    """Raised by a story itself, to come by what follows from a fault."""


PlayStory = Callable[[Play], Awaitable[None]]


async def answering_twice(on: Play) -> None:
    """The 200 again, which draws the ACK again, and one of another far end, which draws ACK and BYE."""
    invite, _ = await on.talking()
    on.far.answer(invite, 200, body=offer())
    await on.far.heard("ACK")
    on.far.answer(invite, 200, body=offer(), tag="another")
    await on.far.heard("ACK")
    on.far.answer(await on.far.heard("BYE"), 200)


async def answering_too_late(on: Play) -> None:
    """A 200 after the INVITE was given up: ACK and BYE."""
    call = on.phone.dial("1002")
    invite = await on.far.heard("INVITE")
    await call.settled()
    while not on.far.inbox.empty():
        await on.far.hear()
    on.far.answer(invite, 200, body=offer())
    await on.far.heard("ACK")
    on.far.answer(await on.far.heard("BYE"), 200)


async def asking_right_behind_the_answer(on: Play) -> None:
    """An INFO of the far end comes together with its 200."""
    on.phone.dial("1002")
    invite = await on.far.heard("INVITE")
    on.far.answer(invite, 200, body=offer())
    on.far.send(on.from_far("INFO", invite))
    await on.far.hear()
    await on.far.hear()


async def answering_with_nothing(on: Play) -> None:
    """A 200 without a session description: ACK and BYE."""
    call = on.phone.dial("1002")
    on.far.answer(await on.far.heard("INVITE"), 200)
    await on.far.heard("ACK")
    on.far.answer(await on.far.heard("BYE"), 200)
    await call.over()


async def ringing_too_long(on: Play) -> None:
    """The called end rings, and never answers."""
    call = on.phone.dial("1002")
    on.far.answer(await on.far.heard("INVITE"), 180)
    await call.settled()


async def ringing_out(on: Play) -> None:
    """Nobody answers this phone."""
    _, _, call = await on.ringing()
    await call.over()


async def waiting_so_long_only(on: Play) -> None:
    """Two INVITEs with Expires: nobody takes the one in time, nobody hears the other."""
    invite, _, call = await on.ringing(extra=[("Expires", "2")])
    on.far.send(ack_to(invite, await on.far.response(487)))
    await call.over()
    outgoing = on.phone.dial("1002", headers=[("Expires", "2")])
    await on.far.heard("INVITE")
    await outgoing.settled()


async def answering_by_itself(on: Play) -> None:
    """The phone takes the call after two seconds."""
    invite, _, _ = await on.ringing(extra=[("Call-Info", "<sip:x>;answer-after=2")])
    on.far.send(on.far.ack(invite, await on.far.response(200, "INVITE")))


async def being_replaced(on: Play) -> None:
    """An INVITE takes the place of a call."""
    first, _ = await on.talking()
    invite = replacing(on, meaning(first))
    on.far.send(invite)
    for message in (await on.far.hear(), await on.far.hear()):
        if message.cseq.method == "BYE":
            on.far.answer(message, 200)  # type: ignore[arg-type]
        else:
            on.far.send(on.far.ack(invite, message))  # type: ignore[arg-type]


async def being_told_to(on: Play) -> None:
    """NOTIFYs that hold the call and take it back."""
    invite, _ = await on.talking()
    for number, (event, direction) in enumerate((("hold", "recvonly"), ("talk", "sendrecv")), 101):
        notify = on.from_far("NOTIFY", invite, number)
        notify.headers.add("Event", event)
        on.far.send(notify)
        await on.far.response(200, "NOTIFY")
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer(direction))
        await on.far.heard("ACK")


async def being_unknown(on: Play) -> None:
    """A re-INVITE draws 481: the call is over at the far end."""
    _, call = await on.talking()
    holding = asyncio.create_task(call.hold())
    on.far.answer(await on.far.heard("INVITE"), 481)
    await on.far.heard("ACK")
    on.far.answer(await on.far.heard("BYE"), 481)
    await asyncio.gather(holding, return_exceptions=True)


async def not_being_acknowledged(on: Play) -> None:
    """No ACK comes to the phone's 200."""
    _, _, call = await on.ringing()
    call.answer()
    await asyncio.sleep(40)


async def expiring(on: Play) -> None:
    """The far end is to refresh the session, and does not."""
    await on.taken(extra=[("Supported", "timer"), ("Session-Expires", "90;refresher=uac")])
    await asyncio.sleep(100)


async def refreshing_in_vain(on: Play) -> None:
    """The far end refuses the refresh: it is tried once more before the session expires."""
    extra = [("Allow", "UPDATE"), ("Session-Expires", "90;refresher=uac"), ("Require", "timer")]
    await on.talking(extra=extra)
    on.far.answer(await on.far.heard("UPDATE"), 503)
    on.far.answer(await on.far.heard("UPDATE"), 200, extra=[("Session-Expires", "90;refresher=uac")])


async def pressing_keys(on: Play) -> None:
    """Digits as telephone events."""
    _, call = await on.talking(body=offer(events=101))
    await call.send_dtmf("12")


async def calling_at_length(on: Play) -> None:
    """An INVITE that is too large for UDP."""
    call = on.phone.dial("1002", headers=[("Subject", "x" * 1400)])
    await on.far.accept_invite()
    await call.settled()


async def hanging_up_on_a_response(on: Play) -> None:
    """The connection over which an INVITE came is gone before its answer."""
    peer = await Peer(on.world).connect(PHONE, local_host=SERVER.host)
    far_udp, on.far.transport = on.far.raw, peer.transport
    on.far.raw = peer.raw
    on.far.send(on.far.invite())
    while not on.phone.calls:
        await on.rest()
    peer.close()
    await on.rest()
    call = on.phone.calls[0]
    call.reject()  # type: ignore[attr-defined]
    on.far.raw = far_udp
    await call.over()
    await asyncio.sleep(1)


async def datagrams_that_return(on: Play) -> None:
    """The response draws an ICMP error, and its Via leads elsewhere."""
    invite = on.far.invite()
    invite.headers.set("Via", "SIP/2.0/UDP 192.168.1.99:7070;branch=z9hG4bKreturn")
    away = await Peer(on.world).bind(Address(SERVER.host, 6060), PHONE)
    away.send(invite)
    await asyncio.sleep(1)


async def being_asked_from_elsewhere(on: Play) -> None:
    """A request within a dialog whose route names somebody who may be its sender."""
    routes = ("Record-Route", f"<sip:elsewhere.example;lr>, <sip:{SERVER};lr>")
    invite, _ = await on.talking(extra=[routes])
    far = await on.stranger()
    options = on.from_far("OPTIONS", invite)
    options.headers.set("Via", f"SIP/2.0/UDP {far.local};branch=z9hG4bKelsewhere")
    far.send(options)
    await asyncio.sleep(1)


async def stopping(on: Play) -> None:
    """The phone stops: a call is up, another is dialled, a watcher watches, the line is registered."""
    await wire_stories.subscribing(on)
    await wire_stories.being_watched(on)
    await on.talking()
    on.phone.dial("1003")
    on.far.answer(await on.far.heard("INVITE"), 180)
    robot = asyncio.create_task(answering(on.far))
    await on.phone.stop()
    await on.phone.start()
    robot.cancel()


async def stopping_at_once(on: Play) -> None:
    """The phone stops as if it lost power."""
    await wire_stories.subscribing(on)
    await on.phone.stop(unregister=False)
    await on.phone.start()


async def subscribing_again(on: Play) -> None:
    """A subscription that is refreshed, and made anew when the server has forgotten it."""
    await wire_stories.subscribing(on)
    await asyncio.sleep(1)
    robot = asyncio.create_task(answering(on.far))
    await asyncio.sleep(7200)
    robot.cancel()


async def transferring_with_consultation(on: Play) -> None:
    """REFER with Replaces; the second call ends too."""
    _, first = await on.talking()
    robot = asyncio.create_task(answering(on.far, on))
    second = on.phone.dial("1003")
    await second.settled()
    await transfer_to(first, second)
    robot.cancel()


async def being_transferred_outside(on: Play) -> None:
    """A REFER outside of calls, from the line's own server."""
    await wire_stories.registering(on)
    refer = on.far.make("REFER", f"sip:1001@{PHONE}", call_id="refer-1", user="1002")
    refer.headers.add("Refer-To", "<sip:1003@192.168.1.13>")
    on.far.send(refer)
    await on.far.response(202, "REFER")
    robot = asyncio.create_task(answering(on.far))
    await asyncio.sleep(10)
    robot.cancel()


async def answering_a_late_offer(on: Play) -> None:
    """An INVITE without an offer: the ACK to the phone's 200 brings the answer."""
    invite, _, call = await on.ringing(body=b"")
    call.answer()
    ack = on.far.ack(invite, await on.far.response(200, "INVITE"), offer())
    ack.headers.add("Content-Type", "application/sdp")
    on.far.send(ack)
    await on.rest()


async def watching_longer(on: Play) -> None:
    """A watcher prolongs its subscription."""
    await wire_stories.being_watched(on)
    watched = next(each for each in reversed(on.sent("SUBSCRIBE")) if isinstance(each[1], Response))[1]
    own, phone = watched.headers.get("From") or "", watched.headers.get("To") or ""
    subscribe = on.far.inside("SUBSCRIBE", "watch", own, phone, 2)
    subscribe.headers.add("Contact", "<sip:1002@192.168.1.13>")
    subscribe.headers.add("Event", "dialog")
    subscribe.headers.add("Expires", "600")
    on.far.send(subscribe)
    await on.far.hear()


async def hanging_up_on_a_transfer(on: Play) -> None:
    """The far end hangs up before it tells how the transfer went."""
    invite, call = await on.talking()
    task = asyncio.create_task(transfer_blind(call, "1003"))
    on.far.answer(await on.far.heard("INVITE"), 200, body=offer("recvonly"))
    await on.far.heard("ACK")
    on.far.answer(await on.far.heard("REFER"), 202)
    await on.rest()
    on.far.send(on.from_far("BYE", invite, 101))
    await on.far.response(200, "BYE")
    notify = on.from_far("NOTIFY", invite, 102)
    notify.headers.add("Event", "refer")
    notify.headers.add("Subscription-State", "terminated;reason=noresource")
    notify.headers.add("Content-Type", "message/sipfrag")
    notify.body = b"SIP/2.0 200 OK\r\n"
    on.far.send(notify)
    await on.far.hear()
    await asyncio.gather(task, return_exceptions=True)


async def subscribing_to_a_referral(on: Play) -> None:
    """A REFER outside of calls, whose sender wants to hear of it for longer."""
    await wire_stories.registering(on)
    refer = on.far.make("REFER", f"sip:1001@{PHONE}", call_id="refer-1", user="1002")
    refer.headers.add("Refer-To", "<sip:1003@192.168.1.13>")
    on.far.send(refer)
    accepted = await on.far.response(202, "REFER")
    own, phone = accepted.headers.get("From") or "", accepted.headers.get("To") or ""
    subscribe = on.far.inside("SUBSCRIBE", "refer-1", own, phone, 2)
    subscribe.headers.add("Event", "refer")
    on.far.send(subscribe)
    robot = asyncio.create_task(answering(on.far))
    await asyncio.sleep(10)
    robot.cancel()


async def failing(on: Play) -> None:
    """What is done beside a call that is up raises."""
    _, call = await on.talking()

    async def fail() -> None:
        raise OwnFault

    call.tasks.spawn(fail(), "something")
    on.far.answer(await on.far.heard("BYE"), 200)
    await call.over()


async def failing_at_the_answer(on: Play) -> None:
    """The same before the call is up, when its 200 has come."""
    call = on.phone.dial("1002")
    invite = await on.far.heard("INVITE")
    client = call._client
    assert client is not None
    expected = client.on_success
    assert expected is not None

    def fail(response: Response) -> None:
        expected(response)
        call.tasks.fault(OwnFault(), "something", call.fault)

    client.on_success = fail
    on.far.answer(invite, 200, body=offer())
    await on.far.heard("ACK")
    on.far.answer(await on.far.heard("BYE"), 200)
    await call.over()


async def registered_no_more(on: Play) -> None:
    """What keeps the line registered raises: once the lease is over, it is not registered any more."""
    registrar = on.phone.line().registrar

    async def fail(binding: Binding) -> Never:
        del registrar._refresh_due  # once
        raise OwnFault

    registrar._refresh_due = fail  # type: ignore[method-assign]
    cycle = asyncio.create_task(on.phone.register())
    on.far.answer(await on.far.heard("REGISTER"), 200, extra=[("Expires", "3600")])
    await cycle
    await asyncio.sleep(3599)
    assert registrar.bindings.targets
    await asyncio.sleep(2)
    assert not registrar.bindings.targets
    assert registrar.bindings[1].reason.startswith("internal fault: ")


THERE = "192.168.1.22"
"""Where the phone may move to."""


async def moving(on: Play) -> None:
    """The phone's address changes during a call."""
    await on.talking()
    on.world.readdress(PHONE.host, THERE)
    on.far.answer(await on.far.heard("INVITE"), 200, body=offer())
    await on.far.heard("ACK")
    await on.rest()


async def failing_to_move(on: Play) -> None:
    """The same, and the move raises: it is tried again after a while."""
    mobility = on.phone._mobility
    assert mobility is not None

    async def fail(hosts: tuple[str, ...], why: str) -> Never:
        del mobility._go  # once
        raise OwnFault

    mobility._go = fail  # type: ignore[method-assign]
    on.world.readdress(PHONE.host, THERE)
    await asyncio.sleep(9)
    assert on.phone.context.host == PHONE.host
    await asyncio.sleep(2)
    assert on.phone.context.host == THERE


async def moving_while_it_rings(on: Play) -> None:
    """The same while the phone rings, and has described itself already."""
    invite, ringing, call = await on.ringing(body=b"", extra=SPOKEN)
    await prack(on, invite, ringing, body=offer())
    await on.far.response(200, "PRACK")
    on.world.readdress(PHONE.host, THERE)
    await on.rest()
    call.answer()
    on.far.send(on.far.ack(invite, await on.far.response(200, "INVITE")))
    on.far.answer(await on.far.heard("INVITE"), 200, body=offer())
    await on.far.heard("ACK")


async def losing_its_address(on: Play) -> None:
    """The phone's address goes during a call, and comes back too late."""
    cycle = asyncio.create_task(on.phone.register())
    on.far.answer(await on.far.heard("REGISTER"), 200, extra=[("Expires", "60")])
    await cycle
    invite, _ = await on.talking()
    on.world.readdress(PHONE.host, "")
    await asyncio.sleep(100)
    on.world.readdress("", PHONE.host)
    await on.rest()
    on.far.send(on.from_far("BYE", invite))
    on.far.answer(await on.far.heard("REGISTER"), 200, extra=[("Expires", "60")])
    await on.far.response(481, "BYE")


async def idling(on: Play) -> None:
    """A connection that nobody uses is closed; one with half a message earlier."""
    idle = await Peer(on.world).connect(PHONE, local_host=SERVER.host)
    half = await Peer(on.world).connect(PHONE, local_host=SERVER.host)
    half.raw(b"INVITE sip:1001@192.168.1.21 SIP/2.0\r\n")
    await half.failure()
    await asyncio.sleep(600)
    assert idle.lost


async def answering(far: Peer, on: Play | None = None) -> None:
    """Answer every request with a 200, as long as it is let; a REFER is told to have succeeded."""
    while True:
        message = await far.inbox.get()
        if not hasattr(message, "method") or message.method == "ACK":
            continue
        extra = [("Expires", "3600")] if message.method in ("REGISTER", "SUBSCRIBE") else []
        body = offer() if message.method == "INVITE" else b""
        far.answer(message, 200, body=body, extra=extra)  # type: ignore[attr-defined]
        if message.method == "REFER" and on is not None:
            own, phone = message.headers.get("To") or "", message.headers.get("From") or ""
            notify = on.far.inside("NOTIFY", message.call_id, own, phone)
            notify.headers.add("Event", "refer")
            notify.headers.add("Subscription-State", "terminated;reason=noresource")
            notify.headers.add("Content-Type", "message/sipfrag")
            notify.body = b"SIP/2.0 200 OK\r\n"
            far.send(notify)


MWI = {"account__1__subscribe_mwi": 1}
TCP = {"account__1__sip_server__1__transport_type": 1}
TIMER = wire_stories.TIMER
WITH_THE_FAR_END: tuple[tuple[PlayStory, dict[str, Any]], ...] = (
    *wire_stories.TOUR,
    (wire_stories.registering, TCP),
    (answering_twice, {}),
    (asking_right_behind_the_answer, {}),
    (answering_too_late, {}),
    (answering_a_late_offer, {}),
    (answering_with_nothing, {}),
    (ringing_too_long, {"phone_setting__ringback_timeout": 20}),
    (ringing_out, {}),
    (waiting_so_long_only, {}),
    (answering_by_itself, {"features__intercom__allow": 1}),
    (being_replaced, {}),
    (being_told_to, {}),
    (being_unknown, {}),
    (not_being_acknowledged, {}),
    (expiring, TIMER),
    (refreshing_in_vain, TIMER),
    (pressing_keys, {}),
    (calling_at_length, {}),
    (hanging_up_on_a_response, {}),
    (datagrams_that_return, {}),
    (being_asked_from_elsewhere, {}),
    (stopping, MWI),
    (stopping_at_once, MWI),
    (subscribing_again, MWI),
    (transferring_with_consultation, {}),
    (being_transferred_outside, {}),
    (failing, {}),
    (failing_at_the_answer, {}),
    (registered_no_more, {}),
    (moving, {}),
    (failing_to_move, {}),
    (moving_while_it_rings, {"account__1__100rel_enable": 1}),
    (losing_its_address, {}),
    (idling, {}),
)
