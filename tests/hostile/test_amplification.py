"""How much the phone sends to an address that has not shown to be there, for each byte that came from it.

The list of first packets is made: each method, with each set of headers that makes the phone say more, or say
it for longer. Each comes from a host of its own that says nothing else. ``pytest -s`` prints the table.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest

from phone_emulator.config import load_text
from phone_emulator.events import Address, Bus, Event, MessageSent
from phone_emulator.phone import IncomingCall, Phone, PhoneOptions
from phone_emulator.sip.allowance import FACTOR
from phone_emulator.sip.message import METHODS, Request
from phone_emulator.world.simulated import SimulatedWorld
from tests.hostile.scene import Silent, Somebody
from tests.phone.far_end import CFG

PHONE = Address("10.0.0.1", 5060)
KNOWN = sorted(METHODS)
Header = tuple[str, str]
SETS: dict[str, list[Header]] = {
    "100rel": [("Supported", "100rel, timer, replaces")],
    "required": [("Require", "x" * 40 + ", 100rel")],
    "watching": [("Event", "dialog"), ("Expires", "3600")],
    "replacing": [("Replaces", "a;to-tag=b;from-tag=c")],
    "referring": [("Refer-To", "<sip:a@x>")],
    "routed": [("Record-Route", f"<sip:{'r' * 60}@10.9.9.9;lr>")],
    "unread": [("Content-Disposition", "x;handling=required"), ("Content-Type", "x/y")],
    "old": [("Session-Expires", "10"), ("Min-SE", "10")],
}
"""Headers that change what the phone answers."""
SHORTEST = (
    b"%s sip:1001@h SIP/2.0\r\nv:SIP/2.0/UDP h;branch=z9hG4bK%d\r\n"
    b"f:<sip:h>;tag=1\r\nt:<sip:h>\r\ni:%d\r\nCSeq:1 %s\r\n"
)
"""As little as can be said: each answer is long for it."""


def combinations() -> Iterator[tuple[str, ...]]:
    """No set, each set, each two of them, all."""
    for size in (0, 1, 2):
        yield from itertools.combinations(SETS, size)
    yield tuple(SETS)


def packets(
    method: str, peer: Somebody, number: int, names: tuple[str, ...], body: bytes
) -> dict[str, bytes]:
    """What a stranger may begin with: a usual request, a short one, one that cannot be read."""
    headers = [header for name in names for header in SETS[name]]
    usual = peer.ask(method, call_id=f"c{number}", extra=headers, body=body)
    short = SHORTEST % (method.encode(), number, number, method.encode())
    short += b"".join(f"{name}:{value}\r\n".encode() for name, value in headers)
    tagged = Request(method, usual.uri, usual.headers.copy(), body)
    tagged.headers.set("To", f"{usual.headers.get('To')};tag=1")
    return {
        "usual": usual.to_bytes(),
        "short": short + b"\r\n",
        "with a To tag": tagged.to_bytes(),
        "unreadable": short.replace(b"CSeq:1", b"CSeq:x") + b"\r\n",
    }


@pytest.mark.parametrize("answering", [False, True], ids=["ringing", "answering"])
@pytest.mark.parametrize("method", [*KNOWN, "FOO"])
def test_no_first_packet_draws_more_than_three_times_its_bytes(method: str, answering: bool) -> None:
    keys = CFG | {"account.1.100rel_enable": "1", "account.1.auto_answer": str(int(answering))}
    keys |= {"account.1.sip_server.1.address": "10.0.0.2", "account.1.session_timer.enable": "1"}
    text = "#!version:1.0.0.1\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
    config = load_text(text, name="hostile.cfg").config
    found: dict[str, tuple[float, int]] = {}

    async def from_each_host(names: tuple[str, ...], body: bool) -> None:
        """Let a phone of its own hear every kind of packet, and let all that it does pass."""
        bus, sent = Bus(), dict[str, int]()

        def count(event: Event) -> None:
            if isinstance(event, MessageSent):
                sent[event.remote.host] = sent.get(event.remote.host, 0) + len(event.data)

        bus.subscribe(count)
        phone = Phone(config, world, bus, PhoneOptions(local_address=PHONE.host))
        await phone.start()
        came: dict[str, tuple[str, int]] = {}
        peers: list[Somebody] = []
        for number, kind in enumerate(("usual", "short", "with a To tag", "unreadable")):
            peer = await Silent(world).at(Address(f"10.1.0.{number}", 5060), PHONE)
            described = peer.sdp() if body else b""
            data = packets(method, peer, number, names, described)[kind]
            came[peer.place.host] = (f"{kind} {'+'.join(names)}{' with SDP' * body}", len(data))
            peer.raw(data)
            peers.append(peer)
        await asyncio.sleep(1)
        for call in list(phone.calls):
            if answering and isinstance(call, IncomingCall) and call.state == "ringing":
                call.answer()
        await asyncio.sleep(400)
        for host, (kind, size) in came.items():
            found[kind] = (sent.get(host, 0) / size, size)
        assert set(sent) <= {*came}, "to nobody else"
        await phone.stop(unregister=False)
        for peer in peers:
            peer.socket.close()

    async def main() -> None:
        for names in combinations():
            for body in (False, True):
                await from_each_host(names, body)

    world = SimulatedWorld(seed=7, phone_host=PHONE.host)
    world.run(main())
    worst, (factor, size) = max(found.items(), key=lambda each: each[1][0])
    print(f"{method:<10} {factor:4.2f} times, of {len(found)} first packets: {worst}, {size} bytes")
    assert factor < FACTOR
