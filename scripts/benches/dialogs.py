"""What a dialog takes, and whether a message costs more where many transactions and dialogs are alive."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from benches.measuring import Bench

PEER = "192.168.1.13"
CFG = "\n".join(
    (
        "#!version:1.0.0.1",
        "account.1.enable = 1",
        "account.1.user_name = 1001",
        f"account.1.sip_server.1.address = {PEER}",
        "account.1.sip_server.1.port = 5060",
        "account.1.sip_server.1.register_on_enable = 0",
        "static.network.port.min_rtpport = 20000",
        "static.network.port.max_rtpport = 40000",
        "",
    )
)
SDP = b"\r\n".join(
    (
        b"v=0",
        b"o=- 1 1 IN IP4 192.168.1.13",
        b"s=-",
        b"c=IN IP4 192.168.1.13",
        b"t=0 0",
        b"m=audio 4000 RTP/AVP 0 101",
        b"a=rtpmap:0 PCMU/8000",
        b"a=rtpmap:101 telephone-event/8000",
        b"a=inactive",
        b"",
    )
)


class Peer:
    """Answers every INVITE and every BYE with 200, and takes whatever else comes."""

    def __init__(self) -> None:
        self.tags = 0

    async def open(self, world: Any) -> None:
        from phone_emulator.events import Address

        self.socket = await world.open_udp(Address(PEER, 5060), self)

    def datagram_received(self, data: bytes, remote: Any) -> None:
        from phone_emulator.sip.message import Request, response_to
        from phone_emulator.sip.parser import parse

        if data.startswith((b"INVITE ", b"BYE ", b"CANCEL ")):
            request = parse(data)
            assert isinstance(request, Request)
            self.tags += 1
            extra = [("Contact", f"<sip:1002@{PEER}:5060>"), ("Content-Type", "application/sdp")]
            body = SDP if request.method == "INVITE" else b""
            answer = response_to(request, 200, to_tag=f"far{self.tags}", extra=extra, body=body)
            self.socket.send(answer.to_bytes(), remote)

    def datagram_failed(self, remote: object, reason: str) -> None:
        raise AssertionError(reason)


def with_phones(story: Callable[[list[Any], Peer], Any], count: int) -> Any:
    """Run *story* with so many phones in a simulated world, and their peer."""
    from phone_emulator.config import load_text
    from phone_emulator.phone import Phone, PhoneOptions
    from phone_emulator.world import SimulatedWorld

    world = SimulatedWorld(seed=1)

    async def main() -> Any:
        peer = Peer()
        await peer.open(world)
        config = load_text(CFG).config
        places = (f"10.0.{number // 250}.{number % 250 + 1}" for number in range(count))
        phones = [Phone(config, world, options=PhoneOptions(local_address=place)) for place in places]
        for phone in phones:
            await phone.start()
        result = await story(phones, peer)
        for phone in phones:
            await phone.stop(unregister=False)
        return result

    return world.run(main())


def with_phone(story: Callable[[Any, Peer], Any]) -> Any:
    """Run *story* with a phone in a simulated world, and its peer."""
    return with_phones(lambda phones, peer: story(phones[0], peer), 1)


def dialog_memory() -> str:
    """Python's memory for a dialog, and for a whole call of the phone in which it talks."""
    from phone_emulator.sip.dialog import dialog_of_request
    from phone_emulator.sip.message import Request
    from phone_emulator.sip.parser import parse

    def dialog(number: int) -> Any:
        request = parse(in_dialog("INVITE", number, 1, "").replace(b";tag=own", b""))
        assert isinstance(request, Request)
        return dialog_of_request(request, "own")

    dialog(0)
    gc.collect()
    tracemalloc.start()
    kept = [dialog(number) for number in range(2000)]
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] / len(kept)
    tracemalloc.stop()

    async def story(phones: list[Any], peer: Peer) -> float:
        # A phone talks in one call at a time: a phone a call, there before its memory is looked at.
        for number, phone in enumerate(phones, 1):
            phone.dial(str(5000 + number))
            await asyncio.sleep(0.1)
            if number == 200:  # what is remembered for all calls is there now
                await asyncio.sleep(60)
                gc.collect()
                tracemalloc.start()
        await asyncio.sleep(60)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] / 1000
        tracemalloc.stop()
        assert all(len(phone.dialogs) == 1 for phone in phones), "not every call has its dialog"
        return taken

    call: float = with_phones(story, 1200)
    return (
        f"{taken / 1024:.1f} KiB a dialog, {call / 1024:.1f} KiB a call that talks, its dialog included"
        " (asked for: under 10)"
    )


def in_dialog(method: str, number: int, cseq: int, mark: str) -> bytes:
    """A request of the peer within dialog *number*."""
    lines = (
        f"{method} sip:1001@192.168.1.21:5060 SIP/2.0",
        f"Via: SIP/2.0/UDP {PEER}:5060;branch=z9hG4bK{mark}{number}x{cseq};rport",
        f"From: <sip:1002@{PEER}>;tag=far{number}",
        f"To: <sip:1001@{PEER}>;tag=own",
        f"Call-ID: call-{number}@{PEER}",
        f"CSeq: {cseq} {method}",
        f"Contact: <sip:1002@{PEER}:5060>",
        "Max-Forwards: 70",
        "Content-Length: 0",
        "",
        "",
    )
    return "\r\n".join(lines).encode()


class Anybody:
    """Where messages of a dialog may come from: anywhere."""

    def admits(self, host: str, transport: object) -> bool:
        return True

    def prove(self, host: str) -> bool:
        return False


class Owner:
    """Whose dialogs they are: answers at once."""

    sources = Anybody()

    def receive(self, server: Any) -> None:
        from phone_emulator.sip.message import response_to

        server.respond(response_to(server.request, 200))

    def acknowledged(self, ack: Any) -> None:
        pass


def growth() -> str:
    """CPU for a request within a dialog and its response, by how many transactions and dialogs are alive."""
    from phone_emulator.events import Address, Transport
    from phone_emulator.sip.message import Headers, Request

    async def alive(phone: Any, many: int) -> float:
        from phone_emulator.sip.dialog import Dialog

        endpoint, remote = phone.context.endpoint, Address(PEER, 5060)
        flow = await endpoint.transports.flow(Transport.UDP, Address(PEER, 5060))
        for number in range(many):
            own, far = f"<sip:1001@{PEER}>;tag=own", f"<sip:1002@{PEER}>;tag=far{number}"
            names = {"local_tag": "own", "remote_tag": f"far{number}", "remote_target": f"sip:1002@{PEER}"}
            call = f"call-{number}@{PEER}"
            phone.dialogs.confirm(
                Owner(), Dialog(call_id=call, local_address=own, remote_address=far, **names)
            )
            headers = Headers([("From", own), ("To", far), ("Call-ID", call), ("CSeq", "1 OPTIONS")])
            endpoint.clients.request(Request("OPTIONS", f"sip:1002@{PEER}", headers), flow, timeout=1e6)
        best, live = float("inf"), endpoint.live_transactions
        for attempt in range(30):
            requests = [in_dialog("OPTIONS", n * 7919 % many, attempt + 1, f"{n}r") for n in range(200)]
            began = time.process_time()
            for data in requests:
                endpoint.transports.datagram_received(data, remote)
            best = min(best, time.process_time() - began)
            assert endpoint.live_transactions == live + 200 * (attempt + 1)
        return 1e6 * best / 200

    costs = [
        f"{many:,}: {with_phone(lambda phone, _, many=many: alive(phone, many)):.0f} us"
        for many in (1, 100, 10_000)
    ]
    return ", ".join(costs) + " (asked for: no growth)"


BENCHES: dict[str, Bench] = {
    "memory of a dialog": dialog_memory,
    "a message among live ones": growth,
}
