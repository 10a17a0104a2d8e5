"""A peer that asks as fast as it is answered: REGISTERs over UDP, no two alike, from one plain socket."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field

WINDOW = 512
"""Requests on their way at a time; all of them fit into receive buffers made larger for that."""

PAUSE = 0.0005
"""Seconds of sleep when there is nothing to read: a peer that spins slows down the other core."""

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Bytes."""

BATCH = 32
"""Requests sent before answers are looked for."""

PATIENCE = 0.5
"""Seconds without any answer until the ones on their way count as lost, and others are sent."""

REGISTER = b"\r\n".join(
    (
        b"REGISTER sip:127.0.0.1:%(port)d SIP/2.0",
        b"Via: SIP/2.0/UDP 127.0.0.1:%(own)d;branch=z9hG4bK%(n)d;rport",
        b'From: "Line %(line)d" <sip:%(line)d@yealink.pbx.com:5060>;tag=%(tag)d',
        b'To: "Line %(line)d" <sip:%(line)d@yealink.pbx.com:5060>',
        b"Call-ID: 0_%(tag)d@127.0.0.1",
        b"CSeq: 1 REGISTER",
        b"Contact: <sip:%(line)d@127.0.0.1:%(own)d>",
        b"Allow: INVITE, INFO, PRACK, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REGISTER, SUBSCRIBE, REFER, PUBLISH,"
        b" UPDATE, MESSAGE",
        b"Max-Forwards: 70",
        b"User-Agent: Yealink SIP-T46S 66.86.0.15 001565aabbcc",
        b"Expires: 3600",
        b"Allow-Events: talk,hold,conference,refer,check-sync",
        b"Content-Length: 0",
        b"",
        b"",
    )
)
"""What a phone of the V8x firmware sends."""


@dataclass(slots=True)
class Heard:
    """What came of a load."""

    answered: int = 0
    lost: int = 0
    seconds: float = 0.0
    samples: list[bytes] = field(default_factory=list)
    """One answer in a thousand, to be looked at later."""


def registers(first: int, count: int, port: int, own: int) -> list[bytes]:
    """*count* REGISTERs; their numbers begin at *first*."""
    return [
        REGISTER
        % {
            b"port": port,
            b"own": own,
            b"n": 1_000_000_000 + n,
            b"line": 1000 + n % 9000,
            b"tag": 2_000_000_000 + n,
        }
        for n in range(first, first + count)
    ]


def drive(port: int, seconds: float, first: int = 0) -> Heard:
    """Send to *port* of loopback for *seconds*, with no more than WINDOW unanswered; counts 200s."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        return _drive(sock, port, seconds, first)


def _drive(sock: socket.socket, port: int, seconds: float, first: int) -> Heard:
    heard, own = Heard(), sock.getsockname()[1]
    send, receive, clock = sock.send, sock.recv, time.perf_counter
    on_way, sent, answered = 0, first, 0
    began = latest = clock()
    ends = began + seconds
    while (now := clock()) < ends:
        if on_way + BATCH <= WINDOW:
            for data in registers(sent, BATCH, port, own):
                send(data)
            sent += BATCH
            on_way += BATCH
            continue
        try:
            while True:
                data = receive(65535)
                if data.startswith(b"SIP/2.0 200 "):
                    on_way -= 1
                    answered += 1
                    if answered % 1000 == 1:
                        heard.samples.append(data)
                latest = now
        except BlockingIOError:
            pass
        if on_way + BATCH > WINDOW:
            time.sleep(PAUSE)
        if now - latest > PATIENCE:
            heard.lost += on_way
            on_way, latest = 0, now
    heard.answered, heard.seconds = answered, clock() - began
    return heard


class Registrar:
    """The other way round: answers REGISTERs with the first of their own lines, from one plain socket."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port = self._socket.getsockname()[1]

    def serve(self, seconds: float) -> float:
        """Answer for *seconds*; returns how many they were. Via, From, To, Call-ID, CSeq must come first."""
        receive, send, clock = self._socket.recvfrom, self._socket.sendto, time.perf_counter
        began = clock()
        while (now := clock()) < began + seconds:
            try:
                for _ in range(BATCH):
                    data, source = receive(65535)
                    head = data.split(b"\r\n", 6)[1:6]
                    send(b"\r\n".join((b"SIP/2.0 200 OK", *head, b"Content-Length: 0\r\n\r\n")), source)
            except TimeoutError:
                pass
        return now - began

    def close(self) -> None:
        """Close."""
        self._socket.close()
