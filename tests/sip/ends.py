"""An endpoint in the simulated world, and peers that speak to it.

The endpoint is 192.168.1.21, its peer 192.168.1.13.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from phone_emulator.events import Address, Bus, Event, MessageIgnored, MessageReceived
from phone_emulator.sip.endpoint import Endpoint
from phone_emulator.sip.flow import Flow
from phone_emulator.sip.message import Headers, Message, Request, Response
from phone_emulator.sip.parser import parse
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.sip.timers import Timers
from phone_emulator.world.base import Stream, TlsServer
from phone_emulator.world.simulated import SimulatedWorld

HERE = Address("192.168.1.21", 5060)
THERE = Address("192.168.1.13", 5060)


class Far:
    """A socket or a connection of the far end."""

    def __init__(self, world: SimulatedWorld) -> None:
        self.world = world
        self.heard: list[Message] = []
        self.lost: list[str] = []
        self.icmp: list[str] = []
        self.pongs = 0
        self.streams: list[Stream] = []

    async def bind(self, address: Address = THERE) -> Far:
        """Over UDP."""
        socket = await self.world.open_udp(address, self)
        self.raw: Callable[[bytes], None] = lambda data: socket.send(data, HERE)
        self.close = socket.close
        return self

    async def listen(self, address: Address = THERE, tls: TlsServer | None = None) -> Far:
        """For connections."""
        listener = await self.world.listen(address, self._accept, tls=tls)
        self.close = listener.close
        return self

    async def connect(self) -> Far:
        """To the endpoint."""
        stream = await self.world.connect(HERE, self, local_host=THERE.host)
        self.streams.append(stream)
        self.raw, self.close = stream.send, stream.close
        return self

    def _accept(self, stream: Stream) -> Far:
        self.streams.append(stream)
        self.raw = stream.send
        return self

    def send(self, message: Message) -> None:
        self.raw(message.to_bytes())

    def datagram_received(self, data: bytes, remote: Address) -> None:
        self.heard.append(parse(data))

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        self.icmp.append(reason)

    def data_received(self, data: bytes) -> None:
        if data == b"\r\n":
            self.pongs += 1
        else:
            self.heard.append(parse(data))

    def connection_lost(self, reason: str) -> None:
        self.lost.append(reason)

    @property
    def responses(self) -> list[Response]:
        return [message for message in self.heard if isinstance(message, Response)]


class Ends:
    """The endpoint and what it was told."""

    def __init__(self, world: SimulatedWorld, port: int = 5060) -> None:
        self.world = world
        self.events: list[Event] = []
        self.requests: list[ServerTransaction] = []
        self.acks: list[Request] = []
        self.strays: list[Response] = []
        bus = Bus()
        bus.subscribe(self.events.append)
        self.endpoint = Endpoint(
            world,
            bus,
            Timers(),
            host=HERE.host,
            port=port,
            user_agent="UA",
            on_request=self.requests.append,
            on_ack=lambda ack, flow: self.acks.append(ack),
            on_stray=self._stray,
        )

    def _stray(self, response: Response, flow: Flow) -> None:
        self.strays.append(response)

    @property
    def ignored(self) -> list[str]:
        return [event.reason for event in self.events if isinstance(event, MessageIgnored)]

    @property
    def received(self) -> int:
        return sum(isinstance(event, MessageReceived) for event in self.events)


def run(story: Callable[[Ends], Awaitable[Any]]) -> None:
    """Run *story* with an open endpoint; nothing may be left of it."""
    world = SimulatedWorld(seed=3)

    async def main() -> None:
        ends = Ends(world)
        await ends.endpoint.open()
        await story(ends)
        await ends.endpoint.close()

    world.run(main())
    assert world.pending_tasks() == []
    assert world.pending_timers() == []


def request(method: str, call_id: str = "c1", *, cseq: int = 1, via: str = "", **extra: str) -> Request:
    """A request; without *via*, one for the endpoint to send."""
    headers = Headers([("Via", via)] if via else [])
    headers.add("From", "<sip:a@x>;tag=1")
    headers.add("To", extra.pop("to", "<sip:b@x>"))
    headers.add("Call-ID", call_id)
    headers.add("CSeq", f"{cseq} {method}")
    for name, value in extra.items():
        headers.add(name.replace("_", "-"), value)
    return Request(method, "sip:b@x", headers)


def incoming(method: str, branch: str = "z9hG4bK1", sent_by: str = "192.168.1.13", **how: Any) -> Request:
    """A request of the far end."""
    return request(method, via=f"SIP/2.0/UDP {sent_by};branch={branch}", **how)
