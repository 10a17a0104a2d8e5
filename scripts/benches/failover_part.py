"""What the failover is measured with beside the two servers, a process each. Its arguments tell what it is.

``dns``: the lab's name server at the address in argument 2, whose zone leads by SRV to the servers in the
arguments after that, the preferred first; it tells its own address. ``phone``: this phone at the IP address
in argument 2, which asks the name server in argument 3 and dials for each line on its standard input; it
says when it is ready. Both end with their standard input.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from phone_emulator.config import load_text
from phone_emulator.events import Address, Bus
from phone_emulator.lab.nameserver import NameServer
from phone_emulator.lab.zone import parse_zone
from phone_emulator.phone import Phone, PhoneOptions
from phone_emulator.world import RealWorld

DOMAIN = "bench.test"
CFG = "\n".join(
    (
        "#!version:1.0.0.1",
        "account.1.enable = 1",
        "account.1.user_name = 1001",
        f"account.1.sip_server.1.address = {DOMAIN}",
        "account.1.sip_server.1.port = 0",
        "account.1.sip_server.1.transport_type = 3",
        "account.1.sip_server.1.expires = 0",
        "",
    )
)


async def _orders(act: Callable[[], object]) -> None:
    """Act upon each line on standard input, until it ends."""
    over = asyncio.Event()

    def told() -> None:
        if sys.stdin.readline():
            act()
        else:
            over.set()

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), told)
    await over.wait()


async def name_server(world: RealWorld, own: str, *targets: str) -> None:
    """Serve the zone that leads to *targets*."""
    records = [f"$ORIGIN {DOMAIN}."]
    for number, target in enumerate(targets):
        host, _, port = target.rpartition(":")
        records += [f"_sip._udp SRV {number} 1 {port} srv{number}", f"srv{number} A {host}"]
    host, _, port = own.rpartition(":")
    server = NameServer(world, Address(host, int(port)), parse_zone("\n".join(records)))
    await server.start()
    print(server.address, flush=True)
    await _orders(lambda: None)
    await server.stop()


async def phone(world: RealWorld, own: str, asked: str) -> None:
    """Dial whenever told to; all events have a listener, as they have in every command."""
    host, _, port = asked.rpartition(":")
    options = PhoneOptions(local_address=own, local_port=0, nameservers=(Address(host, int(port)),))
    bus = Bus()
    bus.subscribe(lambda event: None)
    caller = Phone(load_text(CFG).config, world, bus, options)
    await caller.start()
    print("ready", flush=True)
    await _orders(lambda: caller.dial("1002"))
    await caller.stop(unregister=False)


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    own_world = RealWorld()
    own_world.run({"dns": name_server, "phone": phone}[what](own_world, *arguments))
