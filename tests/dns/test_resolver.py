"""The resolver against good, bad and absent name servers, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.config.model import DnsCacheType, DnsConfig, StaticRecord
from phone_emulator.dns import ResolveFailed, dns_servers
from phone_emulator.dns.message import Question
from phone_emulator.dns.records import AddressRecord, Answer, NoRecords, RdType, Result
from phone_emulator.dns.resolver import shown_source
from phone_emulator.events import Address
from phone_emulator.world import DatagramSocket, SimulatedWorld

from .conftest import FIRST, SECOND, Lab

ZONE = """
srv1.pbx.com. 60 A 192.168.1.13
_sip._udp.pbx.com. 60 SRV 1 1 5060 srv1.pbx.com.
alias.pbx.com. CNAME srv1.pbx.com.
away.pbx.com. CNAME srv1.elsewhere.example.
circle.pbx.com. CNAME circle2.pbx.com.
circle2.pbx.com. CNAME circle.pbx.com.
"""
A = RdType.A


class Fake:
    """A name server that answers each query with whatever *script* makes of it."""

    def __init__(self, world: SimulatedWorld, script: Callable[[bytes], list[bytes]]) -> None:
        self.world = world
        self.script = script
        self.queries: list[bytes] = []
        self.socket: DatagramSocket | None = None

    async def start(self, address: Address = FIRST) -> None:
        self.socket = await self.world.open_udp(address, self)

    def datagram_received(self, data: bytes, remote: Address) -> None:
        self.queries.append(data)
        assert self.socket is not None
        for reply in self.script(data):
            self.socket.send(reply, remote)

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        pass


def test_an_answer_has_records_ttl_and_source(lab: Lab) -> None:
    async def main() -> None:
        await lab.serve(ZONE)
        answer = await lab.resolver().query("SRV1.pbx.com", A)
        assert answer == Answer(
            "SRV1.pbx.com", A, (AddressRecord("192.168.1.13"),), 60, "192.168.1.53:53/udp"
        )

    lab.run(main)
    assert [(event.name, event.rdtype, event.source, event.answer) for event in lab.told] == [
        ("SRV1.pbx.com", "A", "192.168.1.53:53/udp", "1 record")
    ]


def test_no_such_name_and_no_such_type_are_told_apart(lab: Lab) -> None:
    async def main() -> None:
        await lab.serve(ZONE)
        resolver = lab.resolver()
        absent = await resolver.query("nothere.pbx.com", A)
        other = await resolver.query("srv1.pbx.com", RdType.NAPTR)
        assert absent == NoRecords("nothere.pbx.com", A, False, 60, "192.168.1.53:53/udp")
        assert other == NoRecords("srv1.pbx.com", RdType.NAPTR, True, 60, "192.168.1.53:53/udp")
        assert (str(absent), str(other)) == ("no such name", "no NAPTR record")

    lab.run(main)


# rule D8
def test_a_silent_server_is_asked_three_times_then_the_second_one(lab: Lab) -> None:
    silent = Fake(lab.world, lambda query: [])

    async def main() -> None:
        await silent.start()
        await lab.serve(ZONE, SECOND)
        answer = await lab.resolver([FIRST, SECOND]).query("srv1.pbx.com", A)
        assert answer.source == "192.168.1.54:53/udp"
        assert lab.world.now() == 9.0

    lab.run(main)
    assert len(silent.queries) == 3
    assert [(event.at, event.source, event.answer) for event in lab.told] == [
        (9.0, "192.168.1.53:53/udp", "no answer after 9.0 s"),
        (9.0, "192.168.1.54:53/udp", "1 record"),
    ]


# rule D8
def test_timeout_and_retries_are_the_configured_ones(lab: Lab) -> None:
    async def main() -> None:
        silent = Fake(lab.world, lambda query: [])
        await silent.start()
        resolver = lab.resolver(config=DnsConfig(query_timeout=2.0, retry_times=0))
        with pytest.raises(
            ResolveFailed, match=r"srv1.pbx.com: no answer after 2.0 s \(192.168.1.53\)"
        ) as failed:
            await resolver.query("srv1.pbx.com", A)
        assert not failed.value.heard
        assert lab.world.now() == 2.0

    lab.run(main)


# rule D8
def test_an_answer_to_an_earlier_try_still_counts(lab: Lab) -> None:
    async def main() -> None:
        server = await lab.serve(ZONE)
        server.delay = 4.0
        assert isinstance(await lab.resolver().query("srv1.pbx.com", A), Answer)
        assert lab.world.now() == 4.0

    lab.run(main)


# rule D8
@pytest.mark.parametrize(
    ("behaviour", "reason", "heard"),
    [
        ("refuse", "ICMP port unreachable", False),
        ("servfail", "SERVFAIL", True),
        ("refused", "REFUSED", True),
    ],
)
def test_a_server_that_says_no_is_passed_over_at_once(
    lab: Lab, behaviour: str, reason: str, heard: bool
) -> None:
    async def main() -> None:
        await (await lab.serve(ZONE)).behave(behaviour)
        second = await lab.serve(ZONE, SECOND)
        resolver = lab.resolver([FIRST, SECOND])
        assert (await resolver.query("srv1.pbx.com", A)).source == "192.168.1.54:53/udp"
        await second.behave(behaviour)
        with pytest.raises(ResolveFailed) as failed:
            await resolver.query("other.pbx.com", A)
        assert str(failed.value) == f"other.pbx.com: {reason} (192.168.1.53); {reason} (192.168.1.54)"
        assert failed.value.heard is heard
        assert lab.world.now() == 0

    lab.run(main)


# rule D8
def test_a_truncated_answer_is_asked_again_over_tcp(lab: Lab) -> None:
    async def main() -> None:
        await (await lab.serve(ZONE)).behave("truncate")
        assert (await lab.resolver().query("srv1.pbx.com", A)).source == "192.168.1.53:53/tcp"

    lab.run(main)


# rule D8
def test_an_answer_too_large_for_udp_arrives_whole(lab: Lab) -> None:
    async def main() -> None:
        await lab.serve("\n".join(f"big.pbx.com. A 10.0.{n // 250}.{n % 250}" for n in range(1500)))
        answer = await lab.resolver().query("big.pbx.com", A)
        assert isinstance(answer, Answer)
        assert answer.source == "192.168.1.53:53/tcp"
        assert len(answer.addresses) == 1500
        assert answer.addresses[-1] == "10.0.5.249"

    lab.run(main)


# rule D8
def test_sip_dns_transport_type_1_asks_over_tcp(lab: Lab) -> None:
    async def main() -> None:
        server = await lab.serve(ZONE)
        resolver = lab.resolver(config=DnsConfig(tcp=True))
        assert (await resolver.query("srv1.pbx.com", A)).source == "192.168.1.53:53/tcp"
        await server.behave("silent")
        with pytest.raises(ResolveFailed, match=r"no answer over TCP after 9.0 s"):
            await resolver.query("other.pbx.com", A)
        assert lab.world.now() == 9.0
        await server.behave("refuse")
        with pytest.raises(ResolveFailed, match="refused"):
            await resolver.query("other.pbx.com", A)
        assert lab.world.now() == 9.0

    lab.run(main)


def test_aliases_are_followed_within_an_answer_and_to_other_servers_zones(lab: Lab) -> None:
    async def main() -> None:
        await lab.serve(ZONE)
        await lab.serve("srv1.elsewhere.example. 30 A 192.168.1.99", SECOND)
        resolver = lab.resolver([FIRST, SECOND])
        inside = await resolver.query("alias.pbx.com", A)
        assert isinstance(inside, Answer)
        assert (inside.name, inside.addresses, inside.ttl) == ("alias.pbx.com", ("192.168.1.13",), 60)
        outside = await resolver.query("away.pbx.com", A)
        assert isinstance(outside, Answer)
        assert (outside.addresses, outside.ttl) == (("192.168.1.99",), 30)

    lab.run(main)


def test_aliases_in_a_circle_fail(lab: Lab) -> None:
    async def main() -> None:
        await lab.serve(ZONE)
        with pytest.raises(ResolveFailed, match="circle"):
            await lab.resolver().query("circle.pbx.com", A)

    lab.run(main)


def alias_to(make_target: Callable[[str], str]) -> Callable[[bytes], list[bytes]]:
    """A server that answers every question with an alias and nothing else."""

    def answer(data: bytes) -> list[bytes]:
        query = dns.message.from_wire(data)
        reply = dns.message.make_response(query)
        name = query.question[0].name
        target = make_target(name.to_text())
        reply.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", target))
        return [reply.to_wire()]

    return answer


@pytest.mark.parametrize(
    "make_target",
    [lambda name: "b.example." if name.startswith("a.") else "a.example.", lambda name: f"x.{name}"],
)
def test_aliases_that_lead_on_for_ever_from_answer_to_answer_fail(
    lab: Lab, make_target: Callable[[str], str]
) -> None:
    fake = Fake(lab.world, alias_to(make_target))

    async def main() -> None:
        await fake.start()
        with pytest.raises(ResolveFailed, match="circle, or too far"):
            await lab.resolver().query("a.example", A)

    lab.run(main)
    assert len(fake.queries) <= 9


# -- cache -----------------------------------------------------------------------------------------------


# rule D6
@pytest.mark.parametrize(
    ("cache_type", "asked"),
    [
        (DnsCacheType.NONE, ["SRV", "A", "SRV", "A"]),
        (DnsCacheType.TTL, ["SRV", "A"]),
        (DnsCacheType.TTL_AND_ADDITIONAL, ["SRV"]),
    ],
)
def test_what_is_asked_twice_depends_on_the_cache_type(
    lab: Lab, cache_type: DnsCacheType, asked: list[str]
) -> None:
    async def main() -> None:
        await lab.serve(ZONE)
        resolver = lab.resolver()
        for _ in range(2):
            await resolver.query("_sip._udp.pbx.com", RdType.SRV, cache_type=cache_type)
            await resolver.query("srv1.pbx.com", A, cache_type=cache_type)

    lab.run(main)
    assert [event.rdtype for event in lab.told if event.source != "cache"] == asked
    assert len(lab.told) == 4


# rule D6
def test_a_cached_answer_lives_for_its_ttl_only(lab: Lab) -> None:
    async def main() -> None:
        server = await lab.serve(ZONE)
        resolver = lab.resolver()
        await resolver.query("srv1.pbx.com", A)
        await server.behave("servfail")
        await asyncio.sleep(59.5)
        known = await resolver.query("srv1.pbx.com", A)
        assert (known.source, known.ttl) == ("cache", 0.5)
        await asyncio.sleep(0.5)
        with pytest.raises(ResolveFailed):
            await resolver.query("srv1.pbx.com", A)

    lab.run(main)


# rule D6
def test_an_absence_is_remembered_and_a_failure_is_not(lab: Lab) -> None:
    async def main() -> None:
        server = await lab.serve(ZONE)
        resolver = lab.resolver()
        await resolver.query("nothere.pbx.com", A)
        assert (await resolver.query("nothere.pbx.com", A)).source == "cache"
        await server.behave("servfail")
        with pytest.raises(ResolveFailed):
            await resolver.query("srv1.pbx.com", A)
        await server.behave("ok")
        assert isinstance(await resolver.query("srv1.pbx.com", A), Answer)
        resolver.forget()
        assert (await resolver.query("nothere.pbx.com", A)).source != "cache"

    lab.run(main)


# -- sharing ---------------------------------------------------------------------------------------------


def test_the_same_question_at_the_same_time_is_asked_once(lab: Lab) -> None:
    async def main() -> None:
        server = await lab.serve(ZONE)
        server.delay = 1.0
        resolver = lab.resolver()
        questions = [resolver.query(name, A) for name in ("srv1.pbx.com", "SRV1.pbx.com", "srv1.pbx.com.")]
        answers = await asyncio.gather(*questions)
        assert all(isinstance(answer, Answer) for answer in answers)

    lab.run(main)
    assert len(lab.asked) == 1


def test_a_shared_failure_reaches_each_who_waits(lab: Lab) -> None:
    async def main() -> None:
        silent = Fake(lab.world, lambda query: [])
        await silent.start()
        resolver = lab.resolver()
        results = await asyncio.gather(
            *(resolver.query("srv1.pbx.com", A) for _ in range(3)), return_exceptions=True
        )
        assert all(isinstance(result, ResolveFailed) for result in results)
        assert len({id(result) for result in results}) == 3

    lab.run(main)


def test_one_who_gives_up_does_not_end_the_lookup_of_others(lab: Lab) -> None:
    async def main() -> None:
        server = await lab.serve(ZONE)
        server.delay = 1.0
        resolver = lab.resolver()
        first = asyncio.create_task(resolver.query("srv1.pbx.com", A))
        second = asyncio.create_task(resolver.query("srv1.pbx.com", A))
        await asyncio.sleep(0.5)
        first.cancel()
        assert isinstance(await second, Answer)
        assert lab.world.now() == 1.0

    lab.run(main)


@pytest.mark.parametrize("tcp", [False, True])
def test_a_lookup_that_nobody_waits_for_any_more_leaves_no_socket(lab: Lab, tcp: bool) -> None:
    async def main() -> None:
        server = await lab.serve(ZONE)
        await server.behave("silent")
        resolver = lab.resolver(config=DnsConfig(tcp=tcp))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await resolver.query("srv1.pbx.com", A)
        await asyncio.sleep(0.1)
        phone = lab.world.network.host("192.168.1.21")
        assert not phone.udp
        assert not phone.streams
        await server.behave("ok")
        assert isinstance(await resolver.query("srv1.pbx.com", A), Answer)
        assert lab.world.now() == 1.1

    lab.run(main)


# -- static records --------------------------------------------------------------------------------------

STATIC = DnsConfig(
    static_records=(
        StaticRecord(name="srv1.pbx.com", rdtype="A", text="10.0.0.1", ttl=300),
        StaticRecord(name="static.pbx.com", rdtype="A", text="10.0.0.2", ttl=300),
    )
)


def address(result: Result) -> str:
    assert isinstance(result, Answer)
    return result.addresses[0]


# rule D7
def test_static_records_come_second_or_first(lab: Lab) -> None:
    async def main() -> None:
        await lab.serve(ZONE)
        resolver = lab.resolver(config=STATIC)
        assert address(await resolver.query("srv1.pbx.com", A)) == "192.168.1.13"
        assert address(await resolver.query("srv1.pbx.com", A, static_first=True)) == "10.0.0.1"
        assert address(await resolver.query("static.pbx.com", A)) == "10.0.0.2"

    lab.run(main)


# rule D7, rule D8
def test_static_records_help_when_no_server_answers(lab: Lab) -> None:
    async def main() -> None:
        silent = Fake(lab.world, lambda query: [])
        await silent.start()
        resolver = lab.resolver(config=STATIC)
        assert address(await resolver.query("srv1.pbx.com", A)) == "10.0.0.1"
        assert lab.world.now() == 9.0

    lab.run(main)


# rule D7
def test_without_server_there_are_static_records_only(lab: Lab) -> None:
    async def main() -> None:
        resolver = lab.resolver([], STATIC)
        assert address(await resolver.query("srv1.pbx.com", A)) == "10.0.0.1"
        with pytest.raises(ResolveFailed, match="x: no DNS server to ask, and no static record"):
            await resolver.query("x", A)

    lab.run(main)


# -- hostile and odd servers -----------------------------------------------------------------------------


def response(data: bytes, change: Callable[[dns.message.Message], None] = lambda message: None) -> bytes:
    query = dns.message.from_wire(data)
    reply = dns.message.make_response(query)
    reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", "10.6.6.6"))
    change(reply)
    return reply.to_wire()


def set_id(message: dns.message.Message) -> None:
    message.id ^= 1


def ask_for_another_name(message: dns.message.Message) -> None:
    message.question[0].name = dns.name.from_text("bank.example")


@pytest.mark.parametrize("change", [set_id, ask_for_another_name])
def test_an_answer_with_a_wrong_id_or_question_is_ignored(
    lab: Lab, change: Callable[[dns.message.Message], None]
) -> None:
    def script(data: bytes) -> list[bytes]:
        return [response(data, change), b"", b"\xff" * 2000, data]

    async def main() -> None:
        await Fake(lab.world, script).start()
        with pytest.raises(ResolveFailed, match="no answer"):
            await lab.resolver().query("srv1.pbx.com", A)

    lab.run(main)


def test_an_answer_from_another_address_is_ignored(lab: Lab) -> None:
    async def main() -> None:
        fake = Fake(lab.world, lambda query: [response(query)])
        other = Fake(lab.world, lambda query: [])
        await fake.start()
        await other.start(SECOND)
        honest, fake.socket = fake.socket, other.socket
        with pytest.raises(ResolveFailed, match="no answer"):
            await lab.resolver().query("srv1.pbx.com", A)
        assert honest is not None

    lab.run(main)


def test_ids_and_ports_change_from_question_to_question(lab: Lab) -> None:
    fake = Fake(lab.world, lambda query: [response(query)])

    async def main() -> None:
        await fake.start()
        resolver = lab.resolver()
        for number in range(50):
            await resolver.query(f"h{number}.example", A)

    lab.run(main)
    assert len({dns.message.from_wire(query).id for query in fake.queries}) > 45


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=100), max_size=3), st.booleans())
def test_whatever_a_server_sends_only_the_documented_error_comes(noise: list[bytes], keep_id: bool) -> None:
    lab = Lab()

    def script(data: bytes) -> list[bytes]:
        return [(data[:2] + b"\x81\x80" + data[4:12] if keep_id else b"") + bytes_ for bytes_ in noise]

    async def main() -> None:
        await Fake(lab.world, script).start()
        with contextlib.suppress(ResolveFailed):
            await lab.resolver().query("srv1.pbx.com", A)

    lab.run(main)


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=100), max_size=3))
def test_whatever_a_server_sends_over_tcp_only_the_documented_error_comes(noise: list[bytes]) -> None:
    lab = Lab()

    class Noisy:
        def data_received(self, data: bytes) -> None:
            pass

        def connection_lost(self, reason: str) -> None:
            pass

    async def main() -> None:
        def accept(stream: object) -> Noisy:
            for data in noise:
                stream.send(data)  # type: ignore[attr-defined]
            stream.close()  # type: ignore[attr-defined]
            return Noisy()

        await lab.world.listen(FIRST, accept)
        with pytest.raises(ResolveFailed):
            await lab.resolver(config=DnsConfig(tcp=True)).query("srv1.pbx.com", A)

    lab.run(main)


def test_what_is_no_domain_name_fails_without_asking(lab: Lab) -> None:
    async def main() -> None:
        await lab.serve(ZONE)
        with pytest.raises(ResolveFailed, match=r"a\.\.b: not a domain name"):
            await lab.resolver().query("a..b", A)

    lab.run(main)
    assert lab.told == []


def test_a_server_that_is_no_address_is_named(lab: Lab) -> None:
    async def main() -> None:
        with pytest.raises(ResolveFailed, match=r"'dns.example' is not an IP address"):
            await lab.resolver([Address("dns.example", 53)]).query("srv1.pbx.com", A)

    lab.run(main)


def test_a_name_server_that_only_refers_to_others_is_passed_over(lab: Lab) -> None:
    def script(data: bytes) -> list[bytes]:
        query = dns.message.from_wire(data)
        reply = dns.message.make_response(query)
        reply.authority.append(dns.rrset.from_text("pbx.com.", 60, "IN", "NS", "ns.pbx.com."))
        return [reply.to_wire()]

    async def main() -> None:
        await Fake(lab.world, script).start()
        with pytest.raises(ResolveFailed, match="only named other servers"):
            await lab.resolver().query("srv1.pbx.com", A)

    lab.run(main)


# -- which servers, from where ---------------------------------------------------------------------------


def test_questions_come_from_the_phones_address(lab: Lab) -> None:
    sources: list[str] = []

    class Ear(Fake):
        def datagram_received(self, data: bytes, remote: Address) -> None:
            sources.append(remote.host)
            super().datagram_received(data, remote)

    async def main() -> None:
        await Ear(lab.world, lambda query: [response(query)]).start()
        await lab.resolver(source_host="192.168.1.77").query("a.example", A)
        await lab.resolver(source_host="fd00::77").query("a.example", A)
        await lab.resolver().query("a.example", A)

    lab.run(main)
    assert sources == ["192.168.1.77", "192.168.1.21", "192.168.1.21"]


# rule D8
def test_the_cfg_names_the_servers_else_the_machine() -> None:
    world = SimulatedWorld(nameservers=[Address("10.0.0.53", 53)])
    assert dns_servers(DnsConfig(), world) == [Address("10.0.0.53", 53)]
    config = DnsConfig(primary="192.168.1.53", secondary="192.168.1.54")
    assert dns_servers(config, world) == [Address("192.168.1.53", 53), Address("192.168.1.54", 53)]
    assert dns_servers(DnsConfig(secondary="[::1]"), world) == [Address("::1", 53)]
    assert dns_servers(DnsConfig(primary="fd00::53"), world) == [Address("fd00::53", 53)]


def test_sources_are_shown_short() -> None:
    assert shown_source("192.168.1.53:53/udp") == "192.168.1.53"
    assert shown_source("127.0.0.53:5353/tcp") == "127.0.0.53:5353"
    assert shown_source("cache") == "cache"


def test_a_question_can_be_read_back() -> None:
    query = dns.message.from_wire(Question(7, "srv1.pbx.com", RdType.SRV).encode())
    assert (query.id, query.rcode()) == (7, dns.rcode.NOERROR)


# -- a phone that moves --------------------------------------------------------------------------------------


def test_a_resolver_that_moves_asks_from_there_and_other_servers_have_other_answers(lab: Lab) -> None:
    async def main() -> None:
        await lab.serve(ZONE)
        await lab.serve("srv1.pbx.com. 60 A 10.0.0.13", SECOND)
        resolver = lab.resolver(source_host="192.168.1.21")
        await resolver.query("srv1.pbx.com", A)
        lab.world.readdress("192.168.1.21", "192.168.1.22")
        resolver.move([FIRST], "192.168.1.22")
        assert (await resolver.query("srv1.pbx.com", A)).source == "cache"
        resolver.move([SECOND], "192.168.1.22")
        answer = await resolver.query("srv1.pbx.com", A)
        assert isinstance(answer, Answer)
        assert answer.records == (AddressRecord("10.0.0.13"),)

    lab.run(main)


def test_a_lookup_that_is_under_way_begins_anew_after_a_move(lab: Lab) -> None:
    async def main() -> None:
        server = await lab.serve(ZONE)
        server.delay = 1.0
        resolver = lab.resolver(source_host="192.168.1.21")
        before = asyncio.create_task(resolver.query("srv1.pbx.com", A))
        await asyncio.sleep(0.5)
        lab.world.readdress("192.168.1.21", "192.168.1.22")
        resolver.move([FIRST], "192.168.1.22")
        await asyncio.gather(before, resolver.query("srv1.pbx.com", A))
        assert lab.world.now() == 1.5

    lab.run(main)


def test_a_lookup_that_begins_anew_can_be_given_up(lab: Lab) -> None:
    async def main() -> None:
        resolver = lab.resolver(source_host="192.168.1.21")
        asked = asyncio.create_task(resolver.query("srv1.pbx.com", A))
        await asyncio.sleep(0.5)
        asked.cancel()
        resolver.move([FIRST], "192.168.1.22")
        with pytest.raises(asyncio.CancelledError):
            await asked

    lab.run(main)
