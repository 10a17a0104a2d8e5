"""The lab's name server: its answers, its misbehaviour, and garbage."""

from __future__ import annotations

import asyncio
import contextlib

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.events import Address
from phone_emulator.lab.nameserver import IDLE, MAX_CONNECTIONS, MAX_PENDING, Behaviour, NameServer
from phone_emulator.lab.zone import parse_zone
from phone_emulator.world import ConnectFailed, RealWorld, SimulatedWorld, World, WorldError
from tests.patience import NET, patient

ADDRESS = Address("192.168.1.53", 53)
ZONE = parse_zone(
    """
$ORIGIN pbx.com.
yealink NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.yealink
_sip._udp.yealink SRV 1 1 5060 srv1
_sip._udp.yealink SRV 2 1 5060 srv2
srv1 60 A 192.168.1.13
srv1 60 AAAA fd00::13
srv2 A 192.168.1.14
alias CNAME srv1
far CNAME srv1.elsewhere.example.
dangling CNAME nothere
circle CNAME circle2
circle2 CNAME circle
many A 10.0.0.9
many A 10.0.0.1
many A 10.0.0.5
"""
    + "\n".join(f"big A 10.1.0.{number}" for number in range(100))
)


class Client:
    """A UDP socket that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.failures: list[str] = []
        self.anything = asyncio.Event()

    def datagram_received(self, data: bytes, remote: Address) -> None:
        self.heard.append(data)
        self.anything.set()

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        self.failures.append(reason)
        self.anything.set()


class TcpClient:
    """A connection that keeps what it hears."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost: str | None = None
        self.two = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.heard += data
        if len(self.messages) == 2 and len(self.messages[1]) > 1600:
            self.two.set()

    def connection_lost(self, reason: str) -> None:
        self.lost = reason

    @property
    def messages(self) -> list[bytes]:
        rest, found = self.heard, []
        while rest:
            size = int.from_bytes(rest[:2], "big")
            found.append(rest[2 : 2 + size])
            rest = rest[2 + size :]
        return found


def idle_server() -> NameServer:
    return NameServer(SimulatedWorld(), ADDRESS, ZONE)


def query(name: str, rdtype: str = "A", rdclass: str = "IN") -> dns.message.QueryMessage:
    return dns.message.make_query(name, rdtype, rdclass, id=7)


def ask(name: str, rdtype: str = "A", rdclass: str = "IN") -> dns.message.Message:
    """What the server says over TCP, where nothing is too large."""
    data = idle_server().reply_to(query(name, rdtype, rdclass).to_wire(), udp=False)
    assert data is not None
    return dns.message.from_wire(data)


def lines(section: list[dns.rrset.RRset]) -> list[str]:
    return [line for rrset in section for line in rrset.to_text().splitlines()]


# -- answers ---------------------------------------------------------------------------------------------


def test_records_are_answered_with_authority_in_the_order_of_the_zone() -> None:
    for _ in range(5):
        reply = ask("MANY.pbx.com")
        assert [line.split()[-1] for line in lines(reply.answer)] == ["10.0.0.9", "10.0.0.1", "10.0.0.5"]
    assert reply.flags & dns.flags.AA
    assert (reply.id, reply.rcode()) == (7, dns.rcode.NOERROR)
    assert reply.question[0].to_text() == "MANY.pbx.com. IN A"


def test_each_type_is_answered() -> None:
    assert lines(ask("yealink.pbx.com", "NAPTR").answer) == [
        'yealink.pbx.com. 3600 IN NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.yealink.pbx.com.'
    ]
    assert lines(ask("srv1.pbx.com", "AAAA").answer) == ["srv1.pbx.com. 60 IN AAAA fd00::13"]
    assert len(ask("srv1.pbx.com", "ANY").answer) == 2
    assert ask("pbx.com", "SOA").answer[0].name.to_text() == "pbx.com."


def test_srv_brings_the_addresses_of_its_targets_along() -> None:
    reply = ask("_sip._udp.yealink.pbx.com", "SRV")
    assert len(lines(reply.answer)) == 2
    assert lines(reply.additional) == [
        "srv1.pbx.com. 60 IN A 192.168.1.13",
        "srv1.pbx.com. 60 IN AAAA fd00::13",
        "srv2.pbx.com. 3600 IN A 192.168.1.14",
    ]


@pytest.mark.parametrize(
    ("name", "rdtype", "rcode"),
    [
        ("nothere.pbx.com", "A", dns.rcode.NXDOMAIN),
        ("srv1.pbx.com", "NAPTR", dns.rcode.NOERROR),
        ("_udp.yealink.pbx.com", "A", dns.rcode.NOERROR),
        ("pbx.com", "A", dns.rcode.NOERROR),
    ],
)
def test_an_absence_comes_with_the_soa(name: str, rdtype: str, rcode: dns.rcode.Rcode) -> None:
    reply = ask(name, rdtype)
    assert reply.rcode() == rcode
    assert reply.answer == []
    assert [rrset.rdtype.name for rrset in reply.authority] == ["SOA"]


def test_aliases_are_followed_as_far_as_the_zone_goes() -> None:
    assert [line.split()[-2:] for line in lines(ask("alias.pbx.com").answer)] == [
        ["CNAME", "srv1.pbx.com."],
        ["A", "192.168.1.13"],
    ]
    assert lines(ask("alias.pbx.com", "CNAME").answer) == ["alias.pbx.com. 3600 IN CNAME srv1.pbx.com."]
    far = ask("far.pbx.com")
    assert (len(far.answer), far.rcode(), far.authority) == (1, dns.rcode.NOERROR, [])
    assert ask("dangling.pbx.com").rcode() == dns.rcode.NXDOMAIN
    assert len(ask("circle.pbx.com").answer) == 2


@pytest.mark.parametrize(
    ("name", "rdtype", "rdclass"),
    [("pbx.example", "A", "IN"), ("com", "A", "IN"), (".", "NS", "IN"), ("pbx.com", "AXFR", "IN"),
     ("srv1.pbx.com", "A", "CH")],
)  # fmt: skip
def test_what_is_not_the_zones_is_refused(name: str, rdtype: str, rdclass: str) -> None:
    reply = ask(name, rdtype, rdclass)
    assert reply.rcode() == dns.rcode.REFUSED
    assert not reply.flags & dns.flags.AA


def test_updates_and_questions_without_question_are_told_off() -> None:
    server = idle_server()
    status = query("srv1.pbx.com")
    status.set_opcode(dns.opcode.STATUS)
    empty = query("srv1.pbx.com")
    empty.question.clear()
    for message, rcode in ((status, dns.rcode.NOTIMP), (empty, dns.rcode.FORMERR)):
        data = server.reply_to(message.to_wire(), udp=True)
        assert data is not None
        assert dns.message.from_wire(data).rcode() == rcode


@pytest.mark.parametrize(("payload", "most"), [(None, 512), (4096, 1232), (1, 512)])
def test_what_is_too_large_for_udp_is_truncated(payload: int | None, most: int) -> None:
    message = dns.message.make_query("big.pbx.com", "A", use_edns=payload is not None, payload=payload or 0)
    data = idle_server().reply_to(message.to_wire(), udp=True)
    assert data is not None
    assert len(data) <= most
    assert dns.message.from_wire(data).flags & dns.flags.TC
    whole = idle_server().reply_to(message.to_wire(), udp=False)
    assert whole is not None
    assert len(lines(dns.message.from_wire(whole).answer)) == 100


def test_answers_are_never_answered() -> None:
    assert (
        idle_server().reply_to(dns.message.make_response(query("srv1.pbx.com")).to_wire(), udp=True) is None
    )


@given(st.binary(max_size=300), st.booleans())
def test_garbage_is_no_harm(data: bytes, udp: bool) -> None:
    reply = idle_server().reply_to(data, udp=udp)
    assert reply is None or len(reply) >= 12


@given(st.data())
def test_a_damaged_query_is_no_harm(data: st.DataObject) -> None:
    message = bytearray(query("_sip._udp.yealink.pbx.com", "SRV").to_wire())
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    reply = idle_server().reply_to(bytes(message), udp=True)
    assert reply is None or len(reply) <= 1232


# -- behaviours, in both worlds --------------------------------------------------------------------------


async def udp_exchange(world: World, server: NameServer, seconds: float) -> Client:
    client = Client()
    socket = await world.open_udp(Address(world.local_address_for(server.address.host), 0), client)
    socket.send(query("srv1.pbx.com").to_wire(), server.address)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await client.anything.wait()
    socket.close()
    return client


def rcode_of(client: Client) -> str:
    return dns.rcode.to_text(dns.message.from_wire(client.heard[0]).rcode())


@pytest.mark.parametrize("kind", ["simulated", "real"])
def test_behaviours_are_switched_while_it_runs(kind: str) -> None:
    world: SimulatedWorld | RealWorld
    if kind == "real":
        world, address = RealWorld(1), Address("127.0.0.53", 0)
    else:
        world, address = SimulatedWorld(1), ADDRESS

    async def main() -> None:
        server = NameServer(world, address, ZONE)
        await server.start()
        assert rcode_of(await udp_exchange(world, server, NET)) == "NOERROR"
        await server.behave("servfail")
        assert rcode_of(await udp_exchange(world, server, NET)) == "SERVFAIL"
        await server.behave("refused")
        assert rcode_of(await udp_exchange(world, server, NET)) == "REFUSED"
        await server.behave(Behaviour.TRUNCATE)
        truncated = dns.message.from_wire((await udp_exchange(world, server, NET)).heard[0])
        assert truncated.flags & dns.flags.TC
        assert truncated.answer == []
        await server.behave("refuse")
        assert (await udp_exchange(world, server, NET)).failures == ["ICMP port unreachable"]
        with pytest.raises(ConnectFailed):
            await world.connect(server.address, TcpClient())
        await server.behave("ok")
        assert server.behaviour is Behaviour.OK
        assert rcode_of(await udp_exchange(world, server, NET)) == "NOERROR"
        client = TcpClient()
        stream = await world.connect(server.address, client)
        wire = query("big.pbx.com").to_wire()
        for piece in (b"\0", bytes([len(wire)]) + wire[:5], wire[5:] + b"\0" + bytes([len(wire)]) + wire):
            stream.send(piece)
            await asyncio.sleep(0)
        await patient(client.two.wait())
        assert len(lines(dns.message.from_wire(client.messages[1]).answer)) == 100
        stream.close()
        await server.stop()
        await server.stop()
        assert (await udp_exchange(world, server, NET)).failures == ["ICMP port unreachable"]

    world.run(main())


def test_a_silent_server_reads_and_says_nothing_and_an_unknown_word_is_an_error() -> None:
    world = SimulatedWorld()

    async def main() -> None:
        server = NameServer(world, ADDRESS, ZONE)
        await server.start()
        await server.behave("silent")
        client = await udp_exchange(world, server, 5)
        assert (client.heard, client.failures) == ([], [])
        with pytest.raises(ValueError, match="sulky"):
            await server.behave("sulky")
        assert server.behaviour is Behaviour.SILENT

    world.run(main())


def test_a_server_that_is_told_to_refuse_before_it_starts_opens_nothing() -> None:
    world = SimulatedWorld()

    async def main() -> None:
        world.network.add_host(ADDRESS.host)
        server = NameServer(world, ADDRESS, ZONE)
        await server.behave("refuse")
        await server.start()
        assert (await udp_exchange(world, server, 1)).failures == ["ICMP port unreachable"]

    world.run(main())


def test_an_answer_can_be_delayed_and_a_stop_forgets_it() -> None:
    world = SimulatedWorld()

    async def main() -> None:
        server = NameServer(world, ADDRESS, ZONE)
        await server.start()
        server.delay = 2.0
        client = Client()
        socket = await world.open_udp(Address("192.168.1.21", 0), client)
        socket.send(query("srv1.pbx.com").to_wire(), ADDRESS)
        await asyncio.sleep(1.99)
        assert client.heard == []
        await asyncio.sleep(0.02)
        assert len(client.heard) == 1
        for _ in range(MAX_PENDING + 10):
            socket.send(query("srv1.pbx.com").to_wire(), ADDRESS)
        await asyncio.sleep(2.5)
        assert len(client.heard) == 1 + MAX_PENDING
        socket.send(query("srv1.pbx.com").to_wire(), ADDRESS)
        await asyncio.sleep(1)
        await server.stop()
        await asyncio.sleep(5)
        assert len(client.heard) == 1 + MAX_PENDING
        assert world.pending_timers() == []

    world.run(main())


def test_the_zone_can_be_replaced_while_it_runs() -> None:
    server = idle_server()
    server.zone = parse_zone("srv1.pbx.com. A 10.0.0.77")
    data = server.reply_to(query("srv1.pbx.com").to_wire(), udp=True)
    assert data is not None
    assert "10.0.0.77" in lines(dns.message.from_wire(data).answer)[0]


def test_idle_connections_are_closed_and_too_many_are_refused() -> None:
    world = SimulatedWorld()

    async def main() -> None:
        server = NameServer(world, ADDRESS, ZONE)
        await server.start()
        clients = [TcpClient() for _ in range(MAX_CONNECTIONS + 3)]
        for client in clients:
            await world.connect(ADDRESS, client)
        await asyncio.sleep(1)
        assert sum(client.lost is not None for client in clients) == 3
        await asyncio.sleep(IDLE)
        assert all(client.lost is not None for client in clients)
        await server.stop()
        assert world.pending_timers() == []

    world.run(main())


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=50), max_size=4))
def test_garbage_over_the_wire_leaves_the_server_answering(noise: list[bytes]) -> None:
    world = SimulatedWorld()

    async def main() -> None:
        server = NameServer(world, ADDRESS, ZONE)
        await server.start()
        socket = await world.open_udp(Address("192.168.1.21", 0), Client())
        stream = await world.connect(ADDRESS, TcpClient())
        for data in noise:
            socket.send(data, ADDRESS)
            stream.send(data)
        await asyncio.sleep(0.1)
        socket.close()
        stream.abort()
        assert rcode_of(await udp_exchange(world, server, 5)) == "NOERROR"
        await server.stop()

    world.run(main())


def test_a_port_that_is_taken_is_told_and_nothing_stays_open() -> None:
    world = SimulatedWorld()

    async def main() -> None:
        await world.listen(ADDRESS, lambda stream: TcpClient())
        server = NameServer(world, ADDRESS, ZONE)
        with pytest.raises(WorldError, match="already in use"):
            await server.start()
        assert not world.network.host(ADDRESS.host).udp

    world.run(main())
