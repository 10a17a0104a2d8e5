"""What proves an address: nobody gets more by writing another's address into a datagram.

A *spoofed* datagram leaves the socket of the bystander, the victim: the attacker, which is the stranger,
writes that address into it, and knows nothing that only the victim would have heard. Nobody answers what the
victim gets.
"""

from __future__ import annotations

import asyncio
import itertools
from functools import partial

import pytest

from phone_emulator.events import Address, CallState, MessageSent
from phone_emulator.phone import IncomingCall
from phone_emulator.sip.allowance import FACTOR
from phone_emulator.sip.message import Request, response_to
from phone_emulator.world.base import Stream
from phone_emulator.world.reasons import ICMP_PORT_UNREACHABLE
from tests.hostile.scene import Scene, Silent, Somebody, neighbour, play
from tests.lab.peers import ack_to
from tests.patience import until

SHORT = (
    b"INVITE sip:1001@h SIP/2.0\r\nv:SIP/2.0/UDP %s;branch=z9hG4bK%d\r\nf:<sip:h>;tag=1\r\nt:<sip:h>\r\n"
    b"i:%d\r\nm:<sip:h>\r\nCSeq:1 INVITE\r\nAccept:x/y\r\nSubject:%s\r\n\r\n"
)
"""Draws a refusal that is longer, and repeated for 32 s."""
A_WHILE = 40.0
"""Seconds in which every repetition of an answer has left."""


async def drawn(on: Scene, victim: Somebody, spoofed: int) -> None:
    """Let requests in *victim*'s name follow the *spoofed* bytes: it gets what an unproven one may get."""
    for number in range(10):
        data = SHORT % (b"h", number, number, b"")
        victim.raw(data)
        spoofed += len(data)
    await asyncio.sleep(A_WHILE)
    assert 0 < on.bytes_sent_to(victim.place.host) < FACTOR * spoofed


# -- what the phone has told one address proves no other one -------------------------------------------------


def test_a_tag_proves_only_the_address_that_it_was_sent_to() -> None:
    async def story(on: Scene) -> None:
        invite = on.stranger.ask("INVITE", extra=[("Accept", "x/y")])
        on.stranger.send(invite)
        ack = ack_to(invite, await on.stranger.response(406))
        on.bystander.send(ack)
        await on.passed()
        await drawn(on, on.bystander, len(ack.to_bytes()))

    play("simulated", story)


def test_a_branch_proves_only_the_address_that_it_was_sent_to() -> None:
    async def story(on: Scene) -> None:
        up = await on.up(on.stranger)
        up.call.spawn(up.call.hang_up(), "BYE")
        answer = response_to(await on.stranger.heard("BYE"), 200)
        on.bystander.send(answer)
        await on.passed()
        await drawn(on, on.bystander, len(answer.to_bytes()))

    play("simulated", story)


def test_the_tags_of_a_call_prove_only_the_address_that_they_were_sent_to() -> None:
    """A caller behind the server knows them, and names the victim as its Contact."""

    async def story(on: Scene) -> None:
        up = await on.up(on.server, contact=f"<sip:1002@{on.bystander.place}>")
        request = up.request(on.bystander, "OPTIONS", 101)
        on.bystander.send(request)
        await on.passed()
        await drawn(on, on.bystander, len(request.to_bytes()))

    play("simulated", story)


# -- every way to an address counts --------------------------------------------------------------------------

OTHER_WAYS = {
    "another port": "<sip:1002@{host}:5070>",
    "the usual port, from another": "<sip:1002@{host}>",
    "over TCP": "<sip:1002@{host}:5070;transport=tcp>",
    "over TCP, to another service": "<sip:1002@{host}:22;transport=tcp>",
}


@pytest.mark.parametrize("way", OTHER_WAYS)
def test_the_bye_of_a_call_that_was_never_proven_counts(way: str) -> None:
    """The call ends for want of an ACK; its Contact names another way to the victim."""

    async def story(on: Scene) -> None:
        host = on.bystander.place.host
        await on.another(host, 5070, Silent)
        victim = await on.another(host, 6000, Silent) if "from another" in way else on.bystander
        connections: list[Stream] = []

        def accept(stream: Stream) -> Somebody:
            connections.append(stream)
            return victim

        listeners = [await on.world.listen(Address(host, port), accept) for port in (22, 5070)]
        invite = victim.ask("INVITE", contact=OTHER_WAYS[way].format(host=host))
        victim.send(invite)
        await until(lambda: bool(on.phone.calls), "the call")
        answer(on)
        await asyncio.sleep(120)
        assert on.phone.calls == []
        assert on.bytes_sent_to(host) < FACTOR * len(invite.to_bytes())
        assert connections == []
        for each in listeners:
            each.close()

    play("simulated", story)


def answer(on: Scene) -> None:
    """Answer each call that rings."""
    for call in list(on.phone.calls):
        if isinstance(call, IncomingCall) and call.state is CallState.RINGING:
            call.answer()


def test_repetitions_on_the_way_back_after_icmp_count() -> None:
    """The Via names another port of the victim's; where the request came from, nobody listens."""

    async def story(on: Scene) -> None:
        victim = on.bystander
        await on.another(victim.place.host, 6000, Silent)
        sent_by = f"{victim.place.host}:6000;rport".encode()
        data = SHORT % (sent_by, 1, 1, b"x" * 100)
        victim.raw(data)
        await on.passed()
        [refusal, *_] = on.sent_to(victim.place.host)
        layer = on.phone.context.endpoint.transports
        layer.datagram_failed(victim.place, ICMP_PORT_UNREACHABLE, refusal)
        await asyncio.sleep(A_WHILE)
        ports = {
            each.remote.port
            for each in on.events
            if isinstance(each, MessageSent) and each.remote.host == victim.place.host
        }
        assert ports == {5060, 6000}
        assert on.bytes_sent_to(victim.place.host) < FACTOR * len(data)

    play("simulated", story)


def test_late_answers_of_a_callee_make_no_storm() -> None:
    """Whom a proxy has passed the INVITE on to has read its branch; its 200s say they come from a victim."""

    async def story(on: Scene) -> None:
        call = on.phone.dial("1002")
        invite = await on.server.heard("INVITE")
        await call.over()
        host = on.bystander.place.host
        await on.another(host, 5070, Silent)
        came = 0
        for number in range(20):
            contact = ("Contact", f"<sip:1002@{host}:5070>")
            late = response_to(invite, 200, to_tag=f"t{number}", extra=[contact])
            on.bystander.send(late)
            came += len(late.to_bytes())
        await asyncio.sleep(60)
        assert on.bytes_sent_to(host) < FACTOR * came

    play("simulated", story)


# -- two packets ---------------------------------------------------------------------------------------------

CONTACTS = [
    "",
    "<sip:1@{own}:5070>",
    "<sip:1@{own}:5070;transport=tcp>",
    "<sips:1@{own}>",
    "<sip:1@{third}>",
    "<tel:1>",
    "<sip:1@x;maddr={own}>",
    "*",
]
ROUTES = ["", "<sip:{own}:5070;lr>", "<sip:{third}:5060;lr>", "<sip:x;maddr={third};lr>", "<sip:{own}:5070>"]


def then(second: str, victim: Somebody, invite: Request) -> Request:
    """What follows the *invite*: its repetition, its CANCEL, a request beside it."""
    if second == "repetition":
        return invite
    if second != "CANCEL":
        return victim.ask(second, call_id=invite.call_id)
    cancel = Request("CANCEL", invite.uri, invite.headers.copy())
    cancel.headers.set("CSeq", "1 CANCEL")
    cancel.headers.remove("Content-Type")
    return cancel


def connected(victim: Somebody, stream: Stream) -> Somebody:
    """Who hears what comes over *stream*."""
    return victim


@pytest.mark.parametrize("second", ["", "CANCEL", "BYE", "repetition", "PRACK", "UPDATE", "ACK"])
def test_no_first_and_second_packet_draws_more_than_three_times_their_bytes(second: str) -> None:
    """Contact and Record-Route name other ports of the victim's, and a third one; each call is answered."""

    async def story(on: Scene) -> None:
        third = on.bystander.place.host
        for number, (contact, route) in enumerate(itertools.product(CONTACTS, ROUTES)):
            host = neighbour(100 + number)
            victim, *_ = [await on.another(host, port, Silent) for port in (5060, 5070, 5061)]
            accept = partial(connected, victim)
            listeners = [await on.world.listen(Address(host, port), accept) for port in (5070, 5061)]
            extra = [("Supported", "100rel, timer"), ("Session-Expires", "90;refresher=uas")]
            if route:
                extra.append(("Record-Route", route.format(own=host, third=third)))
            named = contact.format(own=host, third=third)
            invite = victim.ask("INVITE", call_id=f"c{number}", contact=named, extra=extra)
            packets = [invite, then(second, victim, invite)] if second else [invite]
            for packet in packets:
                victim.send(packet)
                await asyncio.sleep(0.1)
            answer(on)
            await asyncio.sleep(200)
            came = sum(len(packet.to_bytes()) for packet in packets)
            assert on.bytes_sent_to(host) < FACTOR * came, (contact, route)
            for each in listeners:
                each.close()
        assert on.bystander.bytes_heard == 0

    play("simulated", story, account__1__session_timer__enable=1)
