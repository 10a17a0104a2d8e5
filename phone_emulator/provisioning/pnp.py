"""Plug and play: asking the network where the phone's files are (SUBSCRIBE to ua-profile by multicast).

The answer is a 200, then a NOTIFY with a URL in its body. Whoever is on the network may answer.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import cast

from phone_emulator.config.local_files import NETWORK
from phone_emulator.events import Address
from phone_emulator.provisioning.errors import ProvisioningError
from phone_emulator.provisioning.handset import Handset
from phone_emulator.provisioning.location import LocationError, parse_location
from phone_emulator.sip.message import MessageError, Request, response_to
from phone_emulator.sip.parser import parse
from phone_emulator.world import WorldError, reasons
from phone_emulator.world.chance import SYSTEM

GROUP = Address("224.0.1.75", 5060)
"""Where SIP servers listen together (RFC 3261 section 18.1.1)."""
PORT = 5059
"""The phone's own, beside that of its lines."""
PATIENCE = 5.0
"""Seconds that an answer is waited for."""
T1 = 0.5
_HOPS = 4
"""Routers that the question may pass."""


async def find_server(
    handset: Handset, local_host: str, *, group: Address = GROUP, port: int = PORT, patience: float = PATIENCE
) -> str:
    """The URL that a server on the network names; raises ProvisioningError, WorldError.

    Args:
        handset: the phone.
        local_host: its IPv4 address, which also chooses the network.
        group: whom to ask.
        port: own UDP port, 0 for any.
        patience: seconds to wait.
    """
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.create_datagram_endpoint(
            lambda: _Listener(handset), sock=_socket(local_host, port)
        )
    except OSError as error:
        raise WorldError(f"--pnp: cannot use {local_host}:{port}/udp: {reasons.in_words(error)}") from None
    local = Address(local_host, transport.get_extra_info("sockname")[1])
    call_id = f"{SYSTEM.getrandbits(32)}@{local_host}"
    protocol.call_id = call_id
    data = _subscribe(handset, local, group, call_id).to_bytes()
    try:
        async with asyncio.timeout(patience):
            wait = T1
            while not protocol.url.done():
                transport.sendto(data, tuple(group))
                await asyncio.wait([protocol.url], timeout=wait)
                wait *= 2
    except TimeoutError:
        raise ProvisioningError([f"--pnp: nobody at {group} named a server within {patience:g} s"]) from None
    finally:
        transport.close()
    try:
        parse_location(protocol.url.result(), handset.variables(), source=NETWORK)
    except LocationError as error:
        raise ProvisioningError([f"--pnp: the server's URL {error}"]) from None
    return protocol.url.result()


class _Listener(asyncio.DatagramProtocol):
    """Waits for the NOTIFY with the URL, and answers it."""

    def __init__(self, handset: Handset) -> None:
        self.call_id = ""
        self.url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._handset = handset

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        try:
            message = parse(data)
        except MessageError:
            return
        if not isinstance(message, Request) or message.method != "NOTIFY" or message.call_id != self.call_id:
            return
        extra = [("User-Agent", self._handset.user_agent(with_mac=False))]
        self._transport.sendto(response_to(message, 200, extra=extra).to_bytes(), addr)
        url = message.body.decode("utf-8", "replace").strip().partition("\n")[0].strip()
        if url and not self.url.done():
            self.url.set_result(url)


def _subscribe(handset: Handset, local: Address, group: Address, call_id: str) -> Request:
    user = f"sip:MAC{handset.mac}"
    request = Request("SUBSCRIBE", f"{user}@{group.host}")
    product = f'vendor="Yealink";model="{handset.product}";version="{handset.firmware}"'
    for name, value in (
        ("Via", f"SIP/2.0/UDP {local};branch=z9hG4bK{SYSTEM.getrandbits(32)}"),
        ("From", f"<{user}@{group.host}>;tag={SYSTEM.getrandbits(32)}"),
        ("To", f"<{user}@{group.host}>"),
        ("Call-ID", call_id),
        ("CSeq", "1 SUBSCRIBE"),
        ("Contact", f"<{user}@{local}>"),
        ("Max-Forwards", "70"),
        ("User-Agent", handset.user_agent(with_mac=False)),
        ("Expires", "0"),
        ("Event", f'ua-profile;profile-type="device";{product}'),
        ("Accept", "application/url"),
    ):
        request.headers.add(name, value)
    return request


def _socket(local_host: str, port: int) -> socket.socket:
    """A UDP socket that sends multicast on the network of *local_host*; raises OSError."""
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        found.setblocking(False)
        found.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, struct.pack("b", _HOPS))
        found.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(local_host))
        found.bind((local_host, port))
    except BaseException:
        found.close()
        raise
    return found
