"""A phone with an IPv4 and an IPv6 address: targets of both, and the right address towards each."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

import pytest

from phone_emulator.config import load_text
from phone_emulator.events import Address, Attempt
from phone_emulator.lab.nameserver import NameServer
from phone_emulator.lab.zone import parse_zone
from phone_emulator.phone import Phone, PhoneOptions
from phone_emulator.sip.message import Message, Request, Response, response_to
from phone_emulator.sip.parser import parse
from phone_emulator.world import RealWorld, SimulatedWorld, World, WorldError
from tests.patience import patient

FOUR, SIX = "192.168.1.21", "fd00::21"
DNS = Address("192.168.1.53", 53)
CFG = """\
account.1.enable = 1
account.1.user_name = 1001
account.1.sip_server.1.address = pbx.test
account.1.sip_server.1.port = 0
account.1.sip_server.1.transport_type = 3
"""
SIX_THEN_FOUR = """\
$ORIGIN pbx.test.
$TTL 3600
_sip._udp SRV 1 1 5060 six
_sip._udp SRV 2 1 5060 four
six AAAA fd00::13
four A 192.168.1.14
"""


class Server:
    """Answers each request with *status*, an INVITE's 200 with a description of its own."""

    def __init__(self, host: str, status: int = 200, port: int = 5060) -> None:
        self.address = Address(host, port)
        self.status = status
        self.heard: list[Message] = []
        self.answered = asyncio.Event()

    async def start(self, world: World) -> None:
        self._socket = await world.open_udp(self.address, self)
        self.address = self._socket.local

    def close(self) -> None:
        self._socket.close()

    def send(self, message: Message, remote: Address) -> None:
        self._socket.send(message.to_bytes(), remote)

    def datagram_received(self, data: bytes, remote: Address) -> None:
        message = parse(data)
        self.heard.append(message)
        if isinstance(message, Request) and message.method != "ACK":
            status = self.status if message.method in ("INVITE", "REGISTER") else 200
            extra = [("Contact", f"<sip:1002@{self.address}>")]
            answer = response_to(message, status, to_tag="far", extra=extra)
            if message.method == "INVITE" and status == 200:
                answer.headers.add("Content-Type", "application/sdp")
                answer.body = description(self.address.host)
            self.send(answer, remote)
        self.answered.set()

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        raise AssertionError(f"{remote}: {reason}")

    def requests(self, method: str) -> list[Request]:
        return [each for each in self.heard if isinstance(each, Request) and each.method == method]

    @property
    def responses(self) -> list[Response]:
        return [each for each in self.heard if isinstance(each, Response)]


def description(host: str) -> bytes:
    version = "IP6" if ":" in host else "IP4"
    return (
        f"v=0\r\no=- 1 1 IN {version} {host}\r\ns=-\r\nc=IN {version} {host}\r\nt=0 0\r\n"
        "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    ).encode()


def addresses_in(request: Request) -> tuple[str, str, str]:
    """The phone's own address in the topmost Via, in Contact and in the session description."""
    media = [line for line in request.body.decode().split("\r\n") if line.startswith("c=")]
    return request.via.host.strip("[]"), request.contacts[0].uri.host.strip("[]"), media[0].split()[-1]


def play(
    story: Callable[[Phone, SimulatedWorld], Awaitable[None]],
    zone: str,
    *servers: Server,
    local: str = f"{FOUR},{SIX}",
) -> None:
    world = SimulatedWorld(1, [DNS])
    phone = Phone(load_text(CFG).config, world, options=PhoneOptions(local_address=local))

    async def main() -> None:
        nameserver = NameServer(world, DNS, parse_zone(zone))
        await nameserver.start()
        for server in servers:
            await server.start(world)
        await phone.start()
        await story(phone, world)
        await phone.stop(unregister=False)
        await nameserver.stop()

    world.run(main())
    assert world.pending_tasks() == []


def outcomes(route: list[Attempt]) -> list[tuple[str, str]]:
    return [(attempt.target.address, str(attempt.outcome)) for attempt in route]


@pytest.mark.parametrize("local", [f"{FOUR},{SIX}", f"{SIX},{FOUR}"])
def test_a_call_fails_over_from_ipv6_to_ipv4(local: str) -> None:
    # rule C1, rule C7
    six, four = Server("fd00::13", 503), Server("192.168.1.14")

    async def story(phone: Phone, world: SimulatedWorld) -> None:
        call = phone.dial("1002")
        await call.settled()
        assert outcomes(call.route) == [("fd00::13", "unavailable"), ("192.168.1.14", "answered")]
        await asyncio.sleep(1)
        (first,), (second,) = six.requests("INVITE"), four.requests("INVITE")
        assert addresses_in(first) == (SIX, SIX, SIX)
        assert addresses_in(second) == (FOUR, FOUR, FOUR)
        assert (first.call_id, first.from_tag, first.cseq) == (second.call_id, second.from_tag, second.cseq)
        assert first.call_id.endswith(f"@{SIX}")
        assert call.voice.audio is not None
        assert call.voice.audio.local.host == FOUR
        await call.hang_up()
        assert [request.via.host for request in four.requests("ACK") + four.requests("BYE")] == [FOUR, FOUR]

    play(story, SIX_THEN_FOUR, six, four, local=local)


def test_no_rtp_port_of_the_other_version_is_a_failed_target(monkeypatch: pytest.MonkeyPatch) -> None:
    # rule C2
    async def story(phone: Phone, world: SimulatedWorld) -> None:
        openly = world.open_udp

        async def only_six(local: Address, *more: Any, **named: Any) -> Any:
            if local.host == FOUR and local.port >= 11780:  # not those of DNS
                raise WorldError("no port is left")
            return await openly(local, *more, **named)

        monkeypatch.setattr(world, "open_udp", only_six)
        call = phone.dial("1002")
        await call.settled()
        assert outcomes(call.route) == [("fd00::13", "unavailable"), ("192.168.1.14", "send-failed")]
        assert call.route[1].detail == "no RTP port is free: no port is left"
        assert (call.route[1].started, call.route[1].ended, call.route[1].sent) == (0.0, 0.0, 0)

    play(story, SIX_THEN_FOUR, Server("fd00::13", 503), Server("192.168.1.14"), local=f"{SIX},{FOUR}")


def test_each_version_alone_serves_a_phone_that_has_both() -> None:
    async def story(phone: Phone, world: SimulatedWorld) -> None:
        call = phone.dial("1002")
        await call.settled()
        assert outcomes(call.route) == [("fd00::13", "answered")]
        await call.hang_up()

    play(story, "$ORIGIN pbx.test.\n@ 60 AAAA fd00::13\n", Server("fd00::13"))


def test_an_ipv4_phone_knows_nothing_of_ipv6() -> None:
    async def story(phone: Phone, world: SimulatedWorld) -> None:
        call = phone.dial("1002")
        await call.settled()
        assert outcomes(call.route) == [("192.168.1.14", "answered")]
        await call.hang_up()

    play(story, SIX_THEN_FOUR, Server("fd00::13"), Server("192.168.1.14"), local=FOUR)


def test_registered_at_one_version_and_then_at_the_other() -> None:
    # rule R1
    six, four = Server("fd00::13", 503), Server("192.168.1.14")

    async def story(phone: Phone, world: SimulatedWorld) -> None:
        await phone.register()
        assert [target.address for target in phone.line(1).bindings.targets] == ["192.168.1.14"]
        assert six.requests("REGISTER")[0].contacts[0].uri.host == f"[{SIX}]"
        assert four.requests("REGISTER")[0].contacts[0].uri.host == FOUR

    play(story, SIX_THEN_FOUR, six, four)


@pytest.mark.parametrize("offered", ["fd00::13", "192.168.1.13"])
@pytest.mark.parametrize("came", ["fd00::13", "192.168.1.13"])
def test_an_incoming_call_is_answered_in_the_version_of_its_offer(came: str, offered: str) -> None:
    far = Server(came)

    async def story(phone: Phone, world: SimulatedWorld) -> None:
        own = Address(SIX if ":" in came else FOUR, 5060)
        invite = Request("INVITE", f"sip:1001@{own}", body=description(offered))
        for name, value in (
            ("Via", f"SIP/2.0/UDP {far.address};branch=z9hG4bKin"),
            ("From", "<sip:1002@pbx.test>;tag=1"),
            ("To", "<sip:1001@pbx.test>"),
            ("Call-ID", "in"),
            ("CSeq", "1 INVITE"),
            ("Contact", f"<sip:1002@{far.address}>"),
            ("Content-Type", "application/sdp"),
        ):
            invite.headers.add(name, value)
        far.send(invite, own)
        await asyncio.sleep(0.1)
        assert far.responses[0].status == 180
        call = phone.calls[0]
        call.answer()  # type: ignore[attr-defined]
        await asyncio.sleep(0.1)
        answer = far.responses[-1]
        assert answer.status == 200
        assert answer.contacts[0].uri.host.strip("[]") == own.host
        expected = SIX if ":" in offered else FOUR
        assert f"IN IP{'6' if ':' in offered else '4'} {expected}" in answer.body.decode()
        assert call.voice.audio is not None
        assert call.voice.audio.local.host == expected

    play(story, SIX_THEN_FOUR, far)


@pytest.mark.parametrize(
    ("mode", "hosts"), [("0", (FOUR,)), ("1", (SIX,)), ("2", (FOUR, SIX)), ("", (FOUR,))]
)
def test_the_file_says_which_versions_the_phone_has(mode: str, hosts: tuple[str, ...]) -> None:
    config = load_text(f"{CFG}static.network.ip_address_mode = {mode}\n").config
    world = SimulatedWorld(1, [DNS])

    async def main() -> None:
        phone = Phone(config, world)
        await phone.start()
        assert phone.context.hosts == hosts
        await phone.stop()

    world.run(main())


@pytest.mark.parametrize("local", [f"{FOUR},192.168.1.22", f"{SIX},fd00::22", f"{FOUR},{SIX},fd00::22"])
def test_one_address_of_each_version_is_enough(local: str) -> None:
    world = SimulatedWorld(1, [DNS])

    async def main() -> None:
        with pytest.raises(WorldError, match="one IPv4 and one IPv6 address at most"):
            await Phone(load_text(CFG).config, world, options=PhoneOptions(local_address=local)).start()

    world.run(main())


def has_ipv6() -> bool:
    try:
        with closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="the machine has no IPv6")
@pytest.mark.parametrize("uvloop", [False, True])
def test_on_the_machines_own_sockets(uvloop: bool) -> None:
    """From an IPv6 server 1 to an IPv4 server 2."""
    if uvloop:
        pytest.importorskip("uvloop")
    world = RealWorld(1, fast=uvloop)
    six, four = Server("::1", 503, port=0), Server("127.0.0.1", port=0)

    async def main() -> None:
        await six.start(world)
        await four.start(world)
        config = load_text(
            "account.1.enable = 1\naccount.1.user_name = 1001\n"
            f"account.1.sip_server.1.address = ::1\naccount.1.sip_server.1.port = {six.address.port}\n"
            f"account.1.sip_server.2.address = 127.0.0.1\naccount.1.sip_server.2.port = {four.address.port}\n"
        ).config
        phone = Phone(config, world, options=PhoneOptions(local_address="127.0.0.1,::1", local_port=0))
        await phone.start()
        call = phone.dial("1002")
        await patient(call.settled())
        assert outcomes(call.route) == [("::1", "unavailable"), ("127.0.0.1", "answered")]
        assert addresses_in(six.requests("INVITE")[0]) == ("::1", "::1", "::1")
        assert addresses_in(four.requests("INVITE")[0]) == ("127.0.0.1", "127.0.0.1", "127.0.0.1")
        await patient(call.hang_up())
        await phone.stop(unregister=False)
        six.close()
        four.close()

    world.run(main())
