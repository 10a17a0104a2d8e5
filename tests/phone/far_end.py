"""A phone in the simulated world, and a far end that says exactly what a test makes it say.

The phone is 192.168.1.21; the far end is at once its server and its peer: 192.168.1.13, over UDP and TCP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from phone_emulator.config import load_text
from phone_emulator.events import (
    Address,
    Bus,
    CallChanged,
    Event,
    MessageIgnored,
    MessageSent,
    Transport,
)
from phone_emulator.phone import IncomingCall, OutgoingCall, Phone, PhoneOptions
from phone_emulator.sip.message import Headers, Message, Request, Response, response_to
from phone_emulator.sip.parser import parse
from phone_emulator.world.base import Stream
from phone_emulator.world.simulated import SimulatedWorld
from tests.lab.peers import PHONE, SERVER, Peer

STRANGER = Address("192.168.1.66", 5060)
UDP, TCP = Transport.UDP, Transport.TCP
CFG = {
    "account.1.enable": "1",
    "account.1.user_name": "1001",
    "account.1.display_name": "Alice",
    "account.1.password": "secret",
    "account.1.sip_server.1.address": SERVER.host,
    "account.1.sip_server.1.port": "5060",
    "account.1.codec.pcmu.enable": "1",
    "account.1.codec.pcmu.priority": "1",
    "account.1.codec.pcma.enable": "0",
    "account.1.codec.g722.enable": "0",
    "account.1.codec.g729.enable": "0",
}
OFFER = b"""v=0\r
o=- 1 1 IN IP4 192.168.1.13\r
s=-\r
c=IN IP4 192.168.1.13\r
t=0 0\r
m=audio 4000 RTP/AVP 0\r
a=rtpmap:0 PCMU/8000\r
a=%s\r
"""


def offer(direction: str = "sendrecv", events: int | None = None) -> bytes:
    """A session description of the far end, which takes telephone events under the number *events*."""
    described = OFFER % direction.encode()
    if events is None:
        return described
    described = described.replace(b"AVP 0\r\n", b"AVP 0 %d\r\n" % events)
    return described + b"a=rtpmap:%d telephone-event/8000\r\n" % events


def lines(body: bytes, *kinds: str) -> list[str]:
    """The lines of a session description that begin with one of *kinds*."""
    return [line for line in body.decode().splitlines() if line.startswith(kinds)]


class FarEnd(Peer):
    """The far end: what it heard last, and what it can say in a dialog."""

    streams: list[Stream]
    datagram: Callable[[bytes], None]
    """How it sends over UDP."""

    async def open(self) -> FarEnd:
        """Listen over UDP and TCP."""
        self.streams = []
        await self.bind(SERVER, remote=PHONE)
        self.datagram = self.raw
        await self.world.listen(SERVER, self.accept)
        return self

    def accept(self, stream: Stream) -> FarEnd:
        """A connection of the phone's."""
        self.streams.append(stream)
        self.raw, self.transport = stream.send, TCP
        return self

    async def heard(self, method: str) -> Request:
        """The next message, which is a request of that method."""
        request = await self.request()
        assert request.method == method, request.to_bytes().decode()
        return request

    def answer(
        self,
        request: Request,
        status: int,
        *,
        body: bytes = b"",
        extra: Iterable[tuple[str, str]] = (),
        tag: str = "far-tag",
    ) -> Response:
        """Answer *request*; a 2xx to an INVITE carries a Contact. *tag* tells one far end from another."""
        headers = list(extra)
        if 101 <= status < 300 and not any(name == "Contact" for name, _ in headers):
            headers.append(("Contact", f"<sip:1002@{SERVER};transport={self.transport}>"))
        if body:
            headers.append(("Content-Type", "application/sdp"))
        to_tag = None if status == 100 else tag
        response = response_to(request, status, to_tag=to_tag, extra=headers, body=body)
        self.send(response)
        return response

    async def accept_invite(self, **how: Any) -> Request:
        """Take the phone's INVITE with a 200; returns the INVITE, its ACK heard."""
        invite = await self.heard("INVITE")
        self.answer(invite, 200, **{"body": offer(), **how})
        await self.heard("ACK")
        return invite

    def invite(self, *, body: bytes | None = None, user: str = "1001", **how: Any) -> Request:
        """An INVITE to the phone, not sent yet."""
        request = self.make("INVITE", f"sip:{user}@{PHONE}", **{"call_id": "in-1", "user": "1002", **how})
        content = offer() if body is None else body
        if content:
            request.headers.add("Content-Type", "application/sdp")
        request.body = content
        return request

    def ack(self, invite: Request, response: Response, body: bytes = b"") -> Request:
        """The ACK to a 2xx, not sent yet."""
        headers = Headers(
            [
                ("Via", f"SIP/2.0/{self.transport.upper()} {SERVER};branch=z9hG4bKack{invite.cseq.number}"),
                ("From", invite.headers.get("From") or ""),
                ("To", response.headers.get("To") or ""),
                ("Call-ID", invite.call_id),
                ("CSeq", f"{invite.cseq.number} ACK"),
            ]
        )
        return Request("ACK", str(response.contacts[0].uri), headers, body)

    def inside(
        self, method: str, call_id: str, own: str, phone: str, cseq: int = 101, *, body: bytes = b""
    ) -> Request:
        """A request in a dialog; *own* and *phone* are the far end's From and To."""
        headers = Headers(
            [
                ("Via", f"SIP/2.0/{self.transport.upper()} {SERVER};branch=z9hG4bKin{method}{cseq}"),
                ("From", own),
                ("To", phone),
                ("Call-ID", call_id),
                ("CSeq", f"{cseq} {method}"),
                ("Max-Forwards", "70"),
            ]
        )
        if method in ("INVITE", "UPDATE"):
            headers.add("Contact", f"<sip:1002@{SERVER};transport={self.transport}>")
        if body:
            headers.add("Content-Type", "application/sdp")
        return Request(method, f"sip:1001@{PHONE}", headers, body)


class Play:
    """What a story plays on."""

    def __init__(self, world: SimulatedWorld, phone: Phone, far: FarEnd, events: list[Event]) -> None:
        self.world = world
        self.phone = phone
        self.far = far
        self.events = events

    async def stranger(self, at: Address = STRANGER) -> FarEnd:
        """A far end that is none of the line's servers."""
        return await FarEnd(self.world).bind(at, remote=PHONE)

    async def ringing(self, **how: Any) -> tuple[Request, Response, IncomingCall]:
        """The phone rings: the INVITE, its 180, the call."""
        invite = self.far.invite(**how)
        self.far.send(invite)
        response = await self.far.response(180)
        call = self.phone.calls[-1]
        assert isinstance(call, IncomingCall)
        return invite, response, call

    async def taken(self, **how: Any) -> tuple[Request, Response, IncomingCall]:
        """The phone has taken a call: the INVITE, its 200, the call."""
        invite, _, call = await self.ringing(**how)
        call.answer()
        response = await self.far.response(200, "INVITE")
        self.far.send(self.far.ack(invite, response))
        await self.rest()
        return invite, response, call

    async def talking(self, **how: Any) -> tuple[Request, OutgoingCall]:
        """The phone has called the far end: its INVITE, the call."""
        call = self.phone.dial("1002")
        invite = await self.far.accept_invite(**how)
        await call.settled()
        return invite, call

    async def second_call(self) -> Request:
        """The phone calls beside a call that talks, and holds that one: the INVITE of the new call."""
        hold, invite = await self.far.heard("INVITE"), await self.far.heard("INVITE")
        assert (hold.to_tag is not None, invite.to_tag) == (True, None)
        self.far.answer(hold, 200, body=offer("recvonly"))
        await self.far.heard("ACK")
        return invite

    def from_far(
        self, method: str, invite: Request, cseq: int = 101, *, body: bytes = b"", tag: str = "far-tag"
    ) -> Request:
        """A request of the far end in the dialog that the phone's *invite* made."""
        own, phone = f"{invite.headers.get('To')};tag={tag}", invite.headers.get("From") or ""
        return self.far.inside(method, invite.call_id, own, phone, cseq, body=body)

    async def rest(self) -> None:
        """Let everything that is due happen."""
        await asyncio.sleep(0.001)

    @property
    def ignored(self) -> list[str]:
        """What was ignored, and why."""
        return [event.reason for event in self.events if isinstance(event, MessageIgnored)]

    @property
    def states(self) -> list[str]:
        """The states that calls went through, with the reasons."""
        return [f"{event.state}: {event.reason}" for event in self.events if isinstance(event, CallChanged)]

    def sent(self, method: str) -> list[tuple[float, Message]]:
        """When the phone sent what concerns *method*, requests and responses."""
        found: list[tuple[float, Message]] = []
        for event in self.events:
            if isinstance(event, MessageSent):
                message = parse(event.data)
                if message.cseq.method == method:
                    found.append((round(event.at, 3), message))
        return found


Story = Callable[[Play], Awaitable[None]]


def play(story: Story, options: PhoneOptions | None = None, *, stop: bool = True, **settings: object) -> None:
    """Run *story*; *settings* are cfg keys over CFG, with ``__`` for the dots."""
    keys = CFG | {key.replace("__", "."): str(value) for key, value in settings.items()}
    text = "#!version:1.0.0.1\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
    config = load_text(text, name="test.cfg").config
    world, bus, events = SimulatedWorld(seed=7), Bus(), list[Event]()
    bus.subscribe(events.append)

    async def main() -> None:
        far = await FarEnd(world).open()
        phone = Phone(config, world, bus, options)
        await phone.start()
        await story(Play(world, phone, far, events))
        if stop:
            await phone.stop(unregister=False)

    world.run(main())
    if stop:
        assert world.pending_timers() == []
        assert world.pending_tasks() == []
