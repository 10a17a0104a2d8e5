"""What is measured against a peer: a process on a core of its own. Its arguments tell what it is.

1. ``endpoint``: this program's transactions, with a registrar that grants what is asked. ``empty``: asyncio's
   DatagramProtocol, which answers every datagram with the same bytes. ``splitting``: a bare socket and a loop
   that only splits the headers and repeats those that a response must have. ``client``: this program's
   transactions the other way round, asking the port in argument 5 as fast as it is answered.
2. ``uvloop`` or ``asyncio``. 3. The core. 4. T1, in seconds. 5. A port of loopback.

It tells its port, then answers each line on its standard input with what it has used so far.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benches.load import RECEIVE_BUFFER

CANNED = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1;received=127.0.0.1;rport=5060\r\n"
    b"From: <sip:1@a>;tag=1\r\nTo: <sip:1@a>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n"
    b"Contact: <sip:1@127.0.0.1:5060>;expires=3600\r\nContent-Length: 0\r\n\r\n"
)


class Empty(asyncio.DatagramProtocol):
    """The least that an asyncio server can do."""

    done = 0
    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.done += 1
        self.transport.sendto(CANNED, addr)


def split_and_answer() -> None:
    """The least that a SIP server in Python can do: no event loop, no transactions, no grammar."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    sock.bind(("127.0.0.1", 0))
    print(sock.getsockname()[1], flush=True)
    threading.Thread(target=_tell_cpu, daemon=True).start()
    while True:
        data, source = sock.recvfrom(65535)
        headers = {}
        for line in data.decode().split("\r\n")[1:-2]:
            name, _, value = line.partition(":")
            headers[name] = value.strip()
        copied = "".join(f"{name}: {headers[name]}\r\n" for name in ("Via", "From", "To", "Call-ID", "CSeq"))
        sock.sendto(f"SIP/2.0 200 OK\r\n{copied}Content-Length: 0\r\n\r\n".encode(), source)


def _tell_cpu() -> None:
    """Answer each line on standard input; end the process with it."""
    while sys.stdin.readline():
        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"cpu": time.process_time(), "done": 0, "live": 0, "kib": kib}), flush=True)
    os._exit(0)


class Asking:
    """Sends REGISTERs by `Endpoint.request`, some at a time, and awaits each answer."""

    done = 0

    async def ask(self, endpoint: Any, port: int) -> None:
        """One after the other, without end."""
        from phone_emulator.events import Address, Transport
        from phone_emulator.sip.message import Headers, Request

        flow = await endpoint.transports.flow(Transport.UDP, Address("127.0.0.1", port))
        while True:
            headers = [
                ("From", f'"Line" <sip:1001@yealink.pbx.com:5060>;tag={endpoint.new_tag()}'),
                ("To", '"Line" <sip:1001@yealink.pbx.com:5060>'),
                ("Call-ID", f"0_{endpoint.new_tag()}@127.0.0.1"),
                ("CSeq", "1 REGISTER"),
                ("Contact", f"<sip:1001@{flow.local}>"),
                ("Max-Forwards", "70"),
                ("User-Agent", "Yealink SIP-T46S 66.86.0.15 001565aabbcc"),
                ("Expires", "3600"),
                ("Allow-Events", "talk,hold,conference,refer,check-sync"),
            ]
            client = endpoint.clients.request(
                Request("REGISTER", "sip:127.0.0.1", Headers(headers)), flow, rport=True
            )
            response = await client.final()
            assert response.status == 200
            self.done += 1


async def main(what: str, t1: float, peer: int) -> None:
    """Serve, or ask, until standard input ends."""
    loop = asyncio.get_running_loop()
    asking, tasks = Asking(), list[asyncio.Task[None]]()
    if what == "empty":
        transport, _ = await loop.create_datagram_endpoint(Empty, local_addr=("127.0.0.1", 0))
        port = transport.get_extra_info("sockname")[1]
        own = transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        endpoint: Any = None
    else:
        endpoint = _endpoint(t1)
        await endpoint.open()
        from phone_emulator.events import Transport

        port = endpoint.transports.local(Transport.UDP).port
    if what == "client":
        tasks = [asyncio.create_task(asking.ask(endpoint, peer)) for _ in range(64)]
    print(port, flush=True)
    over = asyncio.Event()

    def asked() -> None:
        if not sys.stdin.readline():
            over.set()
            return
        used = {
            "cpu": time.process_time(),
            "done": asking.done,
            "live": endpoint.live_transactions if endpoint else 0,
            "kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }
        print(json.dumps(used), flush=True)

    loop.add_reader(sys.stdin.fileno(), asked)
    await over.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if endpoint:
        await endpoint.close()


def _endpoint(t1: float) -> Any:
    from phone_emulator.events import Bus
    from phone_emulator.sip.endpoint import Endpoint
    from phone_emulator.sip.message import response_to
    from phone_emulator.sip.server import ServerTransaction
    from phone_emulator.sip.timers import Timers
    from phone_emulator.world.real import RealWorld

    bindings: dict[str, str] = {}

    def registered(server: ServerTransaction) -> None:
        request = server.request
        get = request.headers.get
        contact = bindings[get("To") or ""] = f"{get('Contact')};expires={get('Expires')}"
        server.respond(response_to(request, 200, to_tag=endpoint.new_tag(), extra=[("Contact", contact)]))

    endpoint = Endpoint(
        RealWorld(),
        Bus(),
        Timers(t1=t1),
        host="127.0.0.1",
        port=0,
        on_request=registered,
        on_ack=lambda ack, flow: None,
        on_stray=lambda response, flow: None,
    )
    return endpoint


if __name__ == "__main__":
    which, kind, core, timer, asked_port = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    if which == "splitting":
        split_and_answer()
    if kind == "uvloop":
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    else:
        runner = asyncio.Runner()
    with runner:
        runner.run(main(which, float(timer), int(asked_port)))
