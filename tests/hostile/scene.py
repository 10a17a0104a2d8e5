"""A phone, its server, a stranger and a bystander: in virtual time, or on sockets of this machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from phone_emulator.config import load_text
from phone_emulator.events import Address, Bus, Event, MessageIgnored, MessageSent
from phone_emulator.phone import Call, IncomingCall, Phone, PhoneOptions
from phone_emulator.sip.message import Headers, Request, Response, response_to
from phone_emulator.world.base import World
from phone_emulator.world.real import RealWorld
from phone_emulator.world.simulated import SimulatedWorld
from tests.addresses import own_address
from tests.lab.peers import Peer
from tests.patience import until
from tests.phone.far_end import CFG, OFFER

WORLDS = ("simulated", "real")
Play = Callable[..., None]
"""`play`, in one of them."""
CHALLENGE = 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"'
ASKS = {401: ("WWW-Authenticate", CHALLENGE), 407: ("Proxy-Authenticate", CHALLENGE)}


def neighbour(last: int) -> str:
    """The address of this network that ends in *last*."""
    return f"{own_address().rpartition('.')[0]}.{last}"


class Somebody(Peer):
    """Somebody on the network: says what a test has them say, and counts what reaches them."""

    place: Address
    bytes_heard = 0

    async def at(self, place: Address, phone: Address) -> Somebody:
        """Take the socket *place*, to talk to *phone*."""
        self.socket = await self.world.open_udp(place, self)
        self.local, self.remote = place, phone
        self.raw = lambda data: self.socket.send(data, phone)
        self.place, self._phone = place, phone
        return self

    def datagram_received(self, data: bytes, remote: Address) -> None:
        self.bytes_heard += len(data)
        super().datagram_received(data, remote)

    def sdp(self, host: str = "") -> bytes:
        """A description of sound at *host*, or here."""
        return OFFER.replace(b"192.168.1.13", (host or self.place.host).encode()) % b"sendrecv"

    def ask(
        self,
        method: str,
        *,
        call_id: str = "hostile-1",
        cseq: int = 1,
        contact: str = "",
        extra: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        **how: Any,
    ) -> Request:
        """A request of no dialog to the phone, not sent yet; an INVITE has an offer."""
        uri = f"sip:1001@{self._phone}"
        request = self.make(method, uri, call_id=call_id, cseq=cseq, user="1002", extra=list(extra), **how)
        if contact:
            request.headers.set("Contact", contact)
        described = (self.sdp() if method == "INVITE" else b"") if body is None else body
        if described:
            request.headers.add("Content-Type", "application/sdp")
            request.body = described
        return request

    def within(
        self,
        method: str,
        own: str,
        phone: str,
        call_id: str,
        cseq: int = 100,
        *,
        contact: str = "",
        extra: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Request:
        """A request within a dialog, not sent yet; *own* and *phone* are the From and To of this end."""
        headers = Headers(
            [
                ("Via", f"SIP/2.0/UDP {self.place};branch=z9hG4bK{self.place.host}{method}{cseq}"),
                ("From", own),
                ("To", phone),
                ("Call-ID", call_id),
                ("CSeq", f"{cseq} {method}"),
                ("Max-Forwards", "70"),
                ("Contact", contact or f"<sip:1002@{self.place}>"),
                *extra,
            ]
        )
        if body:
            headers.add("Content-Type", "application/sdp")
        return Request(method, f"sip:1001@{self._phone}", headers, body)

    def answer(
        self, request: Request, status: int, *, contact: str = "", extra: Sequence[tuple[str, str]] = ()
    ) -> Response:
        """Answer *request*; a 2xx to an INVITE has an answer to its offer."""
        headers = (
            [("Contact", contact or f"<sip:1002@{self.place}>"), *extra] if status < 300 else list(extra)
        )
        body = b""
        if request.method == "INVITE" and status < 300:
            headers.append(("Content-Type", "application/sdp"))
            body = self.sdp()
        response = response_to(request, status, to_tag="far-tag", extra=headers, body=body)
        self.send(response)
        return response

    async def heard(self, method: str) -> Request:
        """The next message, which is a request of that method."""
        request = await self.request()
        assert request.method == method, request.to_bytes().decode()
        return request


class Silent(Somebody):
    """Hears, and says nothing more."""

    def take(self, data: bytes) -> None:
        pass


class Up:
    """A call that is up: who called, what both ends call themselves."""

    def __init__(self, call: Call, own: str, phone: str, call_id: str) -> None:
        self.call = call
        self.own, self.phone, self.call_id = own, phone, call_id

    def request(self, sender: Somebody, method: str, cseq: int = 100, **how: Any) -> Request:
        """A request of its far end, which *sender* makes, not sent yet."""
        return sender.within(method, self.own, self.phone, self.call_id, cseq, **how)


class Scene:
    """What a story plays on."""

    def __init__(self, world: World, phone: Phone, events: list[Event], people: Sequence[Somebody]) -> None:
        self.world = world
        self.phone = phone
        self.events = events
        self.server, self.stranger, self.bystander = people
        self.people = [*people]
        self._asked = 0

    async def another(self, host: str, port: int = 5060, kind: type[Somebody] = Somebody) -> Somebody:
        """One more socket of somebody's."""
        there = await kind(self.world).at(Address(host, port), self.phone_at)
        self.people.append(there)
        return there

    @property
    def phone_at(self) -> Address:
        """Where the phone listens."""
        return Address(own_address(), 5060)

    async def incoming(self, caller: Somebody, **how: Any) -> tuple[Request, Response, IncomingCall]:
        """The phone rings: *caller*'s INVITE, its 180, the call."""
        invite = caller.ask("INVITE", **how)
        caller.send(invite)
        ringing = await caller.response(180)
        call = self.phone.calls[-1]
        assert isinstance(call, IncomingCall)
        return invite, ringing, call

    async def up(self, caller: Somebody, **how: Any) -> Up:
        """A call from *caller* that is up."""
        invite, _, call = await self.incoming(caller, **how)
        call.answer()
        answer = await caller.response(200, "INVITE")
        up = Up(call, invite.headers.get("From") or "", answer.headers.get("To") or "", invite.call_id)
        caller.send(up.request(caller, "ACK", invite.cseq.number))
        await until(lambda: call.heard_at is not None and call.session.silent is False, "the call to be up")
        await self.passed()
        return up

    async def called(self) -> Up:
        """A call of the phone's, through its server, that is up."""
        call = self.phone.dial("1002")
        invite = await self.server.heard("INVITE")
        answer = self.server.answer(invite, 200)
        await self.server.heard("ACK")
        await call.settled()
        return Up(call, answer.headers.get("To") or "", invite.headers.get("From") or "", invite.call_id)

    async def passed(self) -> None:
        """Wait until the phone has dealt with what was sent to it before: it answers the server's OPTIONS."""
        self._asked += 1
        self.server.send(self.server.ask("OPTIONS", call_id=f"passed-{self._asked}"))
        await self.server.response(200, "OPTIONS")

    @property
    def refused(self) -> list[tuple[int | None, Address, str]]:
        """What was not obeyed: with which status, whose it was, and why."""
        return [(e.status, e.remote, e.reason) for e in self.events if isinstance(e, MessageIgnored)]

    def sent_to(self, host: str) -> list[bytes]:
        """The messages that the phone has sent to *host*."""
        return [e.data for e in self.events if isinstance(e, MessageSent) and e.remote.host == host]

    def bytes_sent_to(self, host: str) -> int:
        """How much that was."""
        return sum(map(len, self.sent_to(host)))

    @property
    def credentials(self) -> list[bytes]:
        """Messages of the phone's that carry a digest of its password."""
        sent = [e.data for e in self.events if isinstance(e, MessageSent)]
        return [data for data in sent if b"uthorization: Digest" in data]


Story = Callable[[Scene], Awaitable[None]]


def play(kind: str, story: Story, options: PhoneOptions | None = None, **settings: object) -> None:
    """Run *story* in the *kind* of world; *settings* are cfg keys, with ``__`` for the dots."""
    own = own_address()
    net = own.rpartition(".")[0]
    world: RealWorld | SimulatedWorld
    world = SimulatedWorld(seed=7, phone_host=own) if kind == "simulated" else RealWorld()
    keys = CFG | {key.replace("__", "."): str(value) for key, value in settings.items()}
    keys["account.1.sip_server.1.address"] = f"{net}.13"
    keys.setdefault("account.1.sip_server.1.port", "5060")
    text = "#!version:1.0.0.1\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
    config = load_text(text, name="hostile.cfg").config
    bus, events = Bus(), list[Event]()
    bus.subscribe(events.append)

    async def main() -> None:
        phone = Phone(config, world, bus, options or PhoneOptions(local_address=own))
        await phone.start()
        there = Address(own, 5060)
        people = [await Somebody(world).at(Address(f"{net}.{last}", 5060), there) for last in (13, 66, 77)]
        scene = Scene(world, phone, events, people)
        try:
            await story(scene)
        finally:
            await phone.stop(unregister=False)
            for each in scene.people:
                each.socket.close()

    world.run(main())
