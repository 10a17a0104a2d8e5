"""A tiny phone, a tiny callee and a lab server between them, for the tests of lab servers.

The phone is 192.168.1.21, the callee 192.168.1.30, the server 192.168.1.13, all in the simulated world.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Self

from phone_emulator.events import Address, Bus, Event, MessageIgnored, Transport
from phone_emulator.lab.server import SipServer
from phone_emulator.sip.digest import Session, challenges
from phone_emulator.sip.framing import Framer
from phone_emulator.sip.message import Headers, Message, MessageError, Request, Response
from phone_emulator.sip.parser import parse
from phone_emulator.world.base import (
    DatagramSocket,
    Stream,
    TlsClient,
    World,
)
from phone_emulator.world.simulated import SimulatedWorld
from tests.patience import patient

DOMAIN = "yealink.pbx.com"
SERVER = Address("192.168.1.13", 5060)
PHONE = Address("192.168.1.21", 5060)
CALLEE = Address("192.168.1.30", 5060)
UDP, TCP, TLS = Transport.UDP, Transport.TCP, Transport.TLS


class Peer:
    """A socket or a connection that speaks SIP messages."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.local = PHONE
        self.remote = SERVER
        self.transport = UDP
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.failed = asyncio.Event()
        self.icmp: list[str] = []
        self.lost: list[str] = []
        self.keepalives: list[tuple[float, bytes]] = []
        """Datagrams that are no messages, and when they came."""
        self.framer = Framer()
        self.raw: Callable[[bytes], None]

    async def bind(self, local: Address, remote: Address = SERVER) -> Self:
        """A UDP socket that sends to *remote*, or to whom it heard last."""
        socket: DatagramSocket = await self.world.open_udp(local, self)
        self.local = socket.local
        self.remote = remote
        self.raw = lambda data: socket.send(data, self.remote)
        return self

    async def connect(
        self,
        remote: Address = SERVER,
        transport: Transport = TCP,
        local_host: str = PHONE.host,
        tls: TlsClient | None = None,
    ) -> Self:
        """A connection to *remote*."""
        if transport is TLS and tls is None:
            tls = TlsClient(DOMAIN, ca_pem="lab")
        stream: Stream = await self.world.connect(remote, self, local_host=local_host, tls=tls)
        self.local, self.transport, self.raw = stream.local, transport, stream.send
        self.close = stream.close
        return self

    def datagram_received(self, data: bytes, remote: Address) -> None:
        self.remote = remote
        if data.strip(b"\r\n"):
            self.take(data)
        else:
            self.keepalives.append((self.world.now(), data))

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        self.icmp.append(reason)
        self.failed.set()

    def data_received(self, data: bytes) -> None:
        for message in self.framer.feed(data):
            self.take(message)

    def take(self, data: bytes) -> None:
        """A message came in."""
        self.inbox.put_nowait(parse(data))

    def connection_lost(self, reason: str) -> None:
        self.lost.append(reason)
        self.failed.set()

    def send(self, message: Message) -> None:
        self.raw(message.to_bytes())

    async def hear(self) -> Message:
        return await patient(self.inbox.get())

    async def failure(self) -> str:
        """Why the socket or the connection failed, once it has."""
        await patient(self.failed.wait())
        return (self.icmp + self.lost)[0]

    async def request(self) -> Request:
        message = await self.hear()
        assert isinstance(message, Request), message
        return message

    async def response(self, status: int, method: str = "") -> Response:
        message = await self.hear()
        assert isinstance(message, Response), message
        assert message.status == status
        assert method in ("", message.cseq.method)
        return message

    async def nothing(self, seconds: float = 40.0) -> None:
        await asyncio.sleep(seconds)
        assert self.inbox.empty()

    def make(
        self,
        method: str,
        uri: str = f"sip:1002@{DOMAIN}",
        *,
        cseq: int = 1,
        branch: str = "",
        call_id: str = "call-1",
        user: str = "1001",
        to: str = "",
        extra: list[tuple[str, str]] | None = None,
    ) -> Request:
        headers = [
            (
                "Via",
                f"SIP/2.0/{self.transport.upper()} {self.local}"
                f";branch={branch or f'z9hG4bK{call_id}-{cseq}-{method}'}",
            ),
            ("From", f"<sip:{user}@{DOMAIN}>;tag=from-1"),
            ("To", to or f"<{uri}>"),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Max-Forwards", "70"),
            ("Contact", f"<sip:{user}@{self.local};transport={self.transport}>"),
            *(extra or []),
        ]
        return Request(method, uri, Headers(headers))

    async def authenticated(self, request: Request, password: str = "secret") -> Request:
        """Send *request* and ACK its challenge where it is an INVITE; the answer to it, not sent yet."""
        self.send(request)
        challenged = await self.hear()
        assert isinstance(challenged, Response)
        assert challenged.status in (401, 407)
        if request.method == "INVITE":
            self.send(ack_to(request, challenged))
        return answer_to(request, challenged, password)

    async def register(self, contact: str = "", expires: int = 600, call_id: str = "reg-1") -> Response:
        request = self.make(
            "REGISTER",
            f"sip:{DOMAIN}",
            to=f"<sip:1001@{DOMAIN}>",
            call_id=call_id,
            extra=[("Expires", str(expires))],
        )
        if contact:
            request.headers.set("Contact", contact)
        self.send(await self.authenticated(request))
        return await self.response(200, "REGISTER")


class OpenPeer(Peer):
    """A peer that takes whatever comes back: a refusal copies what was wrong."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.starts: list[str] = []
        """The first line of each message."""

    def take(self, data: bytes) -> None:
        self.starts.append(data.partition(b"\r\n")[0].decode())
        with contextlib.suppress(MessageError):
            super().take(data)


def ack_to(invite: Request, response: Response) -> Request:
    """The ACK to a final response other than 2xx."""
    headers = Headers(
        [
            ("Via", invite.headers.get("Via") or ""),
            ("From", invite.headers.get("From") or ""),
            ("To", response.headers.get("To") or ""),
            ("Call-ID", invite.call_id),
            ("CSeq", f"{invite.cseq.number} ACK"),
        ]
    )
    return Request("ACK", invite.uri, headers)


def answer_to(
    request: Request, challenged: Response, password: str = "secret", user: str = "1001"
) -> Request:
    """The same request once more, with credentials."""
    [challenge] = challenges(challenged)
    number = request.cseq.number + 1
    again = Request(request.method, request.uri, request.headers.copy())
    again.headers.set("CSeq", f"{number} {request.method}")
    again.headers.set("Via", f"{request.headers.get('Via')}-{number}")
    value = Session(challenge).authorize(request.method, request.uri, user, password, "0a4f113b")
    again.headers.set("Authorization" if challenged.status == 401 else "Proxy-Authorization", value)
    return again


def within(
    peer: Peer, method: str, ok: Response, *, cseq: int, routes: list[str] | None = None, uri: str = ""
) -> Request:
    """A request of the caller inside the dialog that *ok* made."""
    target = uri or str(ok.contacts[0].uri)
    request = peer.make(method, target, cseq=cseq, call_id=ok.call_id, to=ok.headers.get("To") or "")
    for route in reversed(ok.headers.values("Record-Route")) if routes is None else routes:
        request.headers.add("Route", route)
    return request


class Lab:
    """One server, a phone and a callee in a simulated world."""

    def __init__(self, world: SimulatedWorld, transports: tuple[Transport, ...], **options: Any) -> None:
        self.world = world
        self.events: list[Event] = []
        bus = Bus()
        bus.subscribe(self.events.append)
        self.server = SipServer(
            world,
            "primary",
            SERVER,
            transports=transports,
            domain=DOMAIN,
            accounts={"1001": "secret", "1003": "secret"},
            bus=bus,
            **{"callee": CALLEE, **options},
        )

    async def phone(self, transport: Transport = UDP) -> Peer:
        if transport is UDP:
            return await Peer(self.world).bind(PHONE)
        port = self.server.ports[transport]
        return await Peer(self.world).connect(Address(SERVER.host, port), transport)

    async def callee(self) -> Peer:
        return await Peer(self.world).bind(CALLEE)

    @property
    def ignored(self) -> list[str]:
        return [event.reason for event in self.events if isinstance(event, MessageIgnored)]


def ladder(
    story: Callable[[Lab], Coroutine[Any, Any, None]],
    *,
    transports: tuple[Transport, ...] = (UDP, TCP),
    **options: Any,
) -> None:
    """Run *story* with a started server."""
    world = SimulatedWorld(seed=1)

    async def main() -> None:
        lab = Lab(world, transports, **options)
        await lab.server.start()
        await story(lab)
        await lab.server.stop()

    world.run(main())
