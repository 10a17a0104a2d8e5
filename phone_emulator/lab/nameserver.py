"""The lab's name server: answers from a zone over UDP and TCP, or misbehaves as told; in both worlds."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from phone_emulator.events import Address
from phone_emulator.world.base import DatagramSocket, Listener, SendFailed, Stream, TimerHandle, World
from phone_emulator.world.tasks import Tasks

from .zone import Zone

if TYPE_CHECKING:  # dnspython is imported when first used: it would slow every ``--help`` down.
    import dns.message
    import dns.name
    import dns.rdataset
    import dns.rdatatype
    import dns.rrset

MAX_UDP = 512
"""Bytes of a UDP answer to a client without EDNS (RFC 1035 section 2.3.4)."""
MAX_EDNS = 1232
"""Bytes of a UDP answer to any client: what every network carries in one piece."""
MAX_CHAIN = 16
"""How many CNAMEs one answer follows."""
MAX_CONNECTIONS = 100
IDLE = 10.0
"""Seconds that a TCP connection may say nothing."""
MAX_PENDING = 1000
"""How many answers may wait for their delay; queries beyond that are dropped."""


class Behaviour(StrEnum):
    """How the name server treats queries."""

    OK = "ok"
    SILENT = "silent"
    """Reads, answers nothing."""
    REFUSE = "refuse"
    """Its sockets are closed: UDP draws ICMP port unreachable, TCP a reset."""
    SERVFAIL = "servfail"
    REFUSED = "refused"
    """The answer is REFUSED."""
    TRUNCATE = "truncate"
    """Over UDP, every answer is empty and truncated."""


class NameServer:
    """A name server at *address*, for UDP and TCP. With port 0 both get the same free port.

    ``zone`` and ``delay`` (seconds before each answer) may be set while it runs; `behave` switches the rest.
    """

    def __init__(self, world: World, address: Address, zone: Zone) -> None:
        self.zone = zone
        self.delay = 0.0
        self._world = world
        self._tasks = Tasks(world, f"the DNS server {address}")
        self._address = address
        self._behaviour = Behaviour.OK
        self._started = False
        self._socket: DatagramSocket | None = None
        self._listener: Listener | None = None
        self._connections: set[_Connection] = set()
        self._pending: set[TimerHandle] = set()

    @property
    def address(self) -> Address:
        """Where it is; the real port once it has started."""
        return self._address

    @property
    def behaviour(self) -> Behaviour:
        """How it behaves now."""
        return self._behaviour

    async def start(self) -> None:
        """Begin to answer; raises WorldError when the address or port cannot be had."""
        self._started = True
        if self._behaviour is not Behaviour.REFUSE:
            await self._open()

    async def stop(self) -> None:
        """Close every socket and forget the answers that are still delayed. May be called more than once."""
        self._started = False
        self._close()

    async def behave(self, behaviour: Behaviour | str) -> None:
        """Behave differently from now on; raises ValueError for an unknown word, WorldError as in `start`."""
        self._behaviour = Behaviour(behaviour)
        if self._behaviour is Behaviour.REFUSE:
            self._close()
        elif self._started and self._socket is None:
            await self._open()

    async def _open(self) -> None:
        try:
            self._socket = await self._world.open_udp(self._address, self)
            self._address = self._socket.local
            self._listener = await self._world.listen(self._address, self._accept)
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in tuple(self._connections):
            connection.end(abort=True)
        for handle in self._pending:
            handle.cancel()
        self._pending.clear()

    # -- UDP ---------------------------------------------------------------------------------------------

    def datagram_received(self, data: bytes, remote: Address) -> None:
        """A query, or garbage."""
        reply = self.reply_to(data, udp=True)
        if reply is not None:
            self._after_delay(lambda: self._send(reply, remote))

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        """The asker has gone: nothing to do."""

    def _send(self, data: bytes, remote: Address) -> None:
        if self._socket is not None:
            try:
                self._socket.send(data, remote)
            except SendFailed:
                return

    # -- TCP ---------------------------------------------------------------------------------------------

    def _accept(self, stream: Stream) -> _Connection:
        connection = _Connection(self._world, self._tasks, stream, self._serve, self._connections.discard)
        self._connections.add(connection)
        if len(self._connections) > MAX_CONNECTIONS:
            connection.end(abort=True)
        return connection

    def _serve(self, connection: _Connection, data: bytes) -> None:
        reply = self.reply_to(data, udp=False)
        if reply is not None:
            self._after_delay(lambda: connection.send(reply))

    def _after_delay(self, send: Callable[[], None]) -> None:
        if self.delay <= 0:
            send()
        elif len(self._pending) < MAX_PENDING:
            handle: TimerHandle

            def due() -> None:
                self._pending.discard(handle)
                send()

            handle = self._tasks.call_at(self._world.now() + self.delay, due, "a late answer")
            self._pending.add(handle)

    # -- answers -----------------------------------------------------------------------------------------

    def reply_to(self, data: bytes, *, udp: bool) -> bytes | None:
        """The answer to the query in *data*, as the server behaves now; None where it gives none."""
        if self._behaviour in (Behaviour.SILENT, Behaviour.REFUSE):
            return None
        answer = _reply if len(data) <= MAX_UDP else _reply.__wrapped__  # hostile sizes are not remembered
        reply = answer(data[2:], self.zone, self._behaviour, udp)
        return None if reply is None else data[:2] + reply


class _Connection:
    """A TCP client: messages with two bytes of length before each (RFC 1035 section 4.2.2)."""

    def __init__(
        self,
        world: World,
        tasks: Tasks,
        stream: Stream,
        serve: Callable[[_Connection, bytes], None],
        ended: Callable[[_Connection], None],
    ) -> None:
        self._world = world
        self._tasks = tasks
        self._stream = stream
        self._serve = serve
        self._ended = ended
        self._buffer = bytearray()
        self._idle: TimerHandle | None = None
        self._await_more()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._await_more()
        while len(self._buffer) >= 2:
            end = 2 + int.from_bytes(self._buffer[:2], "big")
            if len(self._buffer) < end:
                return
            message = bytes(self._buffer[2:end])
            del self._buffer[:end]
            self._serve(self, message)

    def connection_lost(self, reason: str) -> None:
        self._forget()

    def send(self, data: bytes) -> None:
        try:
            self._stream.send(len(data).to_bytes(2, "big") + data)
        except SendFailed:
            self._forget()

    def end(self, *, abort: bool = False) -> None:
        self._forget()
        if abort:
            self._stream.abort()
        else:
            self._stream.close()

    def _await_more(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        due = self._world.now() + IDLE
        self._idle = self._tasks.call_at(due, self.end, "ending an idle connection")

    def _forget(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        self._ended(self)


@lru_cache(maxsize=4096)
def _reply(query_data: bytes, zone: Zone, behaviour: Behaviour, udp: bool) -> bytes | None:
    """The answer to a query, both without their ids: phones ask the same questions again and again."""
    import dns.flags
    import dns.message
    import dns.rcode

    try:
        query = dns.message.from_wire(b"\0\0" + query_data, ignore_trailing=True)
        if query.flags & dns.flags.QR:
            return None
        reply = dns.message.make_response(query, our_payload=MAX_EDNS)
    except Exception:  # hostile bytes: dnspython documents no closed list of what they raise
        return None
    if behaviour is Behaviour.SERVFAIL:
        reply.set_rcode(dns.rcode.SERVFAIL)
    elif behaviour is Behaviour.REFUSED:
        reply.set_rcode(dns.rcode.REFUSED)
    elif udp and behaviour is Behaviour.TRUNCATE:
        reply.flags |= dns.flags.TC
    else:
        _answer(query, reply, zone)
    limit = min(max(query.payload, MAX_UDP), MAX_EDNS) if udp else 65535
    # Without want_shuffle=False dnspython would mix the records up by its own dice.
    return reply.to_wire(max_size=limit, prefer_truncation=True, want_shuffle=False)[2:]


def _answer(query: dns.message.Message, reply: dns.message.Message, zone: Zone) -> None:
    """Fill *reply* with what *zone* says (RFC 1034 section 4.3.2)."""
    import dns.flags
    import dns.opcode
    import dns.rcode
    import dns.rdataclass
    import dns.rdatatype

    if query.opcode() != dns.opcode.QUERY:
        reply.set_rcode(dns.rcode.NOTIMP)
        return
    if len(query.question) != 1:
        reply.set_rcode(dns.rcode.FORMERR)
        return
    name, rdtype = query.question[0].name, query.question[0].rdtype
    origin = zone.origin_of(name)
    transfer = rdtype in (dns.rdatatype.AXFR, dns.rdatatype.IXFR)
    if origin is None or transfer or query.question[0].rdclass != dns.rdataclass.IN:
        reply.set_rcode(dns.rcode.REFUSED)
        return
    reply.flags |= dns.flags.AA
    given = {name}
    while rdtype != dns.rdatatype.CNAME:
        alias = zone.find(name, dns.rdatatype.CNAME)
        if alias is None:
            break
        reply.answer.append(_rrset(name, alias))
        name = alias[0].target
        if name in given or len(given) > MAX_CHAIN:
            return
        given.add(name)
        origin = zone.origin_of(name)
        if origin is None:
            return  # the alias leads elsewhere: the asker asks there
    found = _matching(zone, name, origin, rdtype)
    if found:
        reply.answer.extend(_rrset(name, rdataset) for rdataset in found)
        reply.additional.extend(_additional(zone, found))
        return
    if not zone.has_name(name) and name != origin:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    reply.authority.append(_rrset(origin, zone.soa(origin)))


def _matching(
    zone: Zone, name: dns.name.Name, origin: dns.name.Name, rdtype: dns.rdatatype.RdataType
) -> list[dns.rdataset.Rdataset]:
    import dns.rdatatype

    if rdtype == dns.rdatatype.ANY:
        return zone.all_of(name)
    if rdtype == dns.rdatatype.SOA and name == origin:
        return [zone.soa(origin)]
    found = zone.find(name, rdtype)
    return [] if found is None else [found]


def _additional(zone: Zone, answers: list[dns.rdataset.Rdataset]) -> list[dns.rrset.RRset]:
    """The addresses of the targets of SRV records (RFC 2782)."""
    import dns.rdatatype

    targets = [
        rdata.target for rdataset in answers if rdataset.rdtype == dns.rdatatype.SRV for rdata in rdataset
    ]
    return [
        _rrset(target, found)
        for target in dict.fromkeys(targets)
        for rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
        if (found := zone.find(target, rdtype)) is not None
    ]


def _rrset(name: dns.name.Name, rdataset: dns.rdataset.Rdataset) -> dns.rrset.RRset:
    import dns.rrset

    return dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset))
