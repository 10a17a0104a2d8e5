"""What the sound of many calls is measured with, a process each. Its arguments tell what it is.

``far N``: the far ends: takes every call, sends each a packet every 20 ms and looks when those of the call
come, by the kernel's clock. It tells the port of its SIP socket, then answers lines on its standard input:
``begin`` forgets what has come, ``tell`` says it, ``clear`` ends all.

``bare PORT N SIZE``: the least that an event loop can do: it sends and takes N streams of datagrams of SIZE
octets, made beforehand, to and from the far ends at PORT.

``phones PORT N WHAT``: N phones, each in a call with a far end; WHAT is ``silence``, ``tone``, ``recorded``,
``g722`` or ``srtp``. Both say when they are ready, and end with their standard input.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import select
import socket
import struct
import sys
import time
from array import array
from collections.abc import Callable
from math import pi, sin
from statistics import median, quantiles

from phone_emulator.config import load_text
from phone_emulator.media.rtp import elapsed
from phone_emulator.media.sound import Sound
from phone_emulator.phone import CallResult, Phone, PhoneOptions
from phone_emulator.sip.message import Request, response_to
from phone_emulator.sip.parser import parse
from phone_emulator.world import RealWorld
from phone_emulator.world.system_loop import run_on_a_loop

FAR, NEAR = "127.0.78.13", "127.0.78.21"
TICK = 0.020
STEP = 160
"""Of the timestamps, from packet to packet."""
FIRST_PORT, PORTS = 20000, 20
"""Of RTP: the first one, and how many each phone has."""
LONGEST = 120
"""Seconds that the streams last at most."""
HEADER = struct.Struct("!BBHII")
CFG = "\n".join(
    (
        "#!version:1.0.0.1",
        "account.1.enable = 1",
        "account.1.user_name = 1001",
        f"account.1.sip_server.1.address = {FAR}",
        "account.1.sip_server.1.port = %s",
        "account.1.sip_server.1.register_on_enable = 0",
        "account.1.codec.pcma.enable = 0",
        "account.1.codec.g729.enable = 0",
        "account.1.codec.%s.enable = 0",
        "static.network.port.min_rtpport = %s",
        "static.network.port.max_rtpport = %s",
        "",
    )
)
KEY = base64.b64encode(bytes(range(30))).decode()

# Linux, <asm-generic/socket.h>: when the datagram came, by the kernel's clock (CLOCK_REALTIME).
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("=qq")


class Stream:
    """One far end."""

    def __init__(self, remote: tuple[str, int], payload_type: int, protect: Callable[[bytes], bytes]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.socket.bind((FAR, 0))
        self.port: int = self.socket.getsockname()[1]
        self.came: list[tuple[int, int]] = []
        """When, in ns, and with which timestamp."""
        self._remote = remote
        self._payload_type = payload_type
        self._protect = protect
        self._count = 0

    def send(self) -> None:
        count, payload = self._count & 0xFFFF, b"\x55\xaa" * 80
        packet = HEADER.pack(0x80, self._payload_type, count, self._count * STEP, self.port) + payload
        self._count += 1
        self.socket.sendto(self._protect(packet), self._remote)

    def read(self) -> None:
        while True:
            try:
                data, ancillary, _, _ = self.socket.recvmsg(2048, 128)
            except BlockingIOError:
                return
            seconds, ns = _TIMESPEC.unpack(ancillary[0][2])
            self.came.append((seconds * 1_000_000_000 + ns, HEADER.unpack_from(data)[3]))

    def lateness(self) -> list[float]:
        """How much later than the earliest of them each packet came, in ms, by its timestamp."""
        if not self.came:
            return []
        first = self.came[0][1]
        ahead = [at / 1e6 - elapsed(stamp, first) / 8 for at, stamp in self.came]
        return [each - min(ahead) for each in ahead]


class Far:
    """The far ends, and the socket that calls come in at."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sip.bind((FAR, 0))
        self._streams: dict[int, Stream] = {}
        self._epoll = select.epoll()
        self._epoll.register(self._sip.fileno(), select.EPOLLIN)
        self._epoll.register(sys.stdin.fileno(), select.EPOLLIN)

    def serve(self) -> None:
        """Until standard input ends."""
        print(self._sip.getsockname()[1], flush=True)
        due, place = time.monotonic(), 0
        while True:
            wait = due - time.monotonic()
            for descriptor, _ in self._epoll.poll(max(wait, 0)):
                if descriptor == sys.stdin.fileno():
                    line = sys.stdin.readline()
                    if not line:
                        return
                    self._obey(line.strip())
                elif descriptor == self._sip.fileno():
                    self._take(*self._sip.recvfrom(65535))
                elif descriptor in self._streams:
                    self._streams[descriptor].read()
            while time.monotonic() >= due:
                streams = list(self._streams.values())
                for stream in streams[place :: self._count]:
                    stream.send()
                place = (place + 1) % self._count
                due += TICK / self._count

    def _obey(self, order: str) -> None:
        late: list[float] = []
        for stream in self._streams.values():
            if order == "tell":
                late += stream.lateness()
            stream.came.clear()
        if order == "tell":
            told = {"received": len(late), "median": 0.0, "p99": 0.0}
            if len(late) > 1:
                told |= {"median": median(late), "p99": quantiles(late, n=100)[-1]}
            print(json.dumps(told), flush=True)
        elif order == "clear":
            for descriptor, stream in self._streams.items():
                self._epoll.unregister(descriptor)
                stream.socket.close()
            self._streams.clear()
            print(json.dumps({}), flush=True)

    def _add(self, stream: Stream) -> Stream:
        self._streams[stream.socket.fileno()] = stream
        self._epoll.register(stream.socket.fileno(), select.EPOLLIN)
        return stream

    def _take(self, data: bytes, source: tuple[str, int]) -> None:
        if data.startswith(b"BARE "):
            stream = self._add(Stream((source[0], source[1]), 0, bytes))
            self._sip.sendto(str(stream.port).encode(), source)
            return
        request = parse(data)
        if not isinstance(request, Request) or request.method not in ("INVITE", "BYE"):
            return
        body = self._answer(request.body.decode()) if request.method == "INVITE" else b""
        extra = [("Contact", f"<sip:{FAR}:{self._sip.getsockname()[1]}>")]
        extra += [("Content-Type", "application/sdp")] if body else []
        answer = response_to(request, 200, to_tag=f"far{len(self._streams)}", extra=extra, body=body)
        self._sip.sendto(answer.to_bytes(), source)

    def _answer(self, offer: str) -> bytes:
        found = re.search(r"^m=audio (\d+) (\S+) (\d+)", offer, re.MULTILINE)
        assert found is not None
        crypto = re.search(r"^a=crypto:(\d+) AES_CM_128_HMAC_SHA1_80 ", offer, re.MULTILINE)
        protect = _protector() if crypto else bytes
        stream = self._add(Stream((NEAR, int(found[1])), int(found[3]), protect))
        lines = ["v=0", f"o=- 1 1 IN IP4 {FAR}", "s=-", f"c=IN IP4 {FAR}", "t=0 0"]
        lines += [f"m=audio {stream.port} {found[2]} {found[3]} 101", "a=rtpmap:101 telephone-event/8000"]
        lines += [f"a=crypto:{crypto[1]} AES_CM_128_HMAC_SHA1_80 inline:{KEY}"] if crypto else []
        return "".join(f"{line}\r\n" for line in lines).encode()


def _protector() -> Callable[[bytes], bytes]:
    import pylibsrtp

    policy = pylibsrtp.Policy(
        key=base64.b64decode(KEY),
        ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND,
        srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    )
    protect: Callable[[bytes], bytes] = pylibsrtp.Session(policy=policy).protect
    return protect


class Bare(asyncio.DatagramProtocol):
    """One stream both ways, of an event loop and nothing else."""

    transport: asyncio.DatagramTransport

    def __init__(self, packets: list[bytes]) -> None:
        self.packets = packets
        self.received = self.sent = 0
        self.remote = (FAR, 0)
        self.due = 0.0

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self.remote[1]:
            self.remote = (FAR, int(data))
            self.due = asyncio.get_running_loop().time()
            self.send()
        else:
            self.received += 1

    def send(self) -> None:
        if self.sent == len(self.packets):
            return
        self.transport.sendto(self.packets[self.sent], self.remote)
        self.sent += 1
        self.due += TICK
        asyncio.get_running_loop().call_at(self.due, self.send)


async def _end() -> None:
    """Wait for the end of standard input."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), lambda: sys.stdin.readline() or over.set())
    print("ready", flush=True)
    await over.wait()


async def bare(port: int, count: int, size: int) -> None:
    """The least that can be done."""
    loop = asyncio.get_running_loop()
    payload = b"\x55" * (size - HEADER.size)
    packets = [HEADER.pack(0x80, 0, n & 0xFFFF, n * STEP, 1) + payload for n in range(round(LONGEST / TICK))]
    streams = []
    for _ in range(count):
        _, stream = await loop.create_datagram_endpoint(lambda: Bare(packets), local_addr=(NEAR, 0))
        streams.append(stream)
        stream.transport.sendto(b"BARE ", (FAR, port))
    await _end()
    for stream in streams:
        stream.transport.close()


async def phones(world: RealWorld, port: int, count: int, what: str) -> None:
    """A phone for each call."""
    rate = 16000 if what == "g722" else 8000
    second = array("h", (round(8000 * sin(2 * pi * 440 * n / rate)) for n in range(rate)))
    tone = Sound(rate, second * LONGEST)
    options = PhoneOptions(local_address=NEAR, local_port=0)
    callers = []
    for number in range(count):
        first = FIRST_PORT + PORTS * number
        other = "pcmu" if what == "g722" else "g722"
        text = CFG % (port, other, first, first + PORTS)
        config = load_text(text + "account.1.srtp_encryption = 2\n" * (what == "srtp")).config
        callers.append(Phone(config, world, options=options))
    for caller in callers:
        await caller.start()
        call = caller.dial("1002")
        assert await call.settled() is CallResult.ANSWERED, call.reason
        assert call.voice.audio is not None
        if what != "silence":
            call.voice.audio.play(tone)
        if what == "recorded":
            call.voice.audio.record(LONGEST)
    await _end()
    for caller in callers:
        await caller.stop(unregister=False)


if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    if kind == "far":
        Far(int(arguments[0])).serve()
    elif kind == "bare":
        run_on_a_loop(bare(*map(int, arguments)))
    else:
        own_world = RealWorld()
        own_world.run(phones(own_world, int(arguments[0]), int(arguments[1]), arguments[2]))
