"""Lab servers in the real world: loopback sockets, the machine's own ICMP, resets and TLS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from phone_emulator.events import Address, Transport
from phone_emulator.lab.behaviour import Behaviour
from phone_emulator.lab.certificates import Authority, certificates
from phone_emulator.lab.server import MakeCertificate, SipServer
from phone_emulator.sip.message import response_to
from phone_emulator.world.base import ConnectFailed, TlsClient, TlsFailed, TlsServer
from phone_emulator.world.real import RealWorld
from tests.lab.peers import DOMAIN, TCP, TLS, UDP, Peer

SERVER = Address("127.0.0.13", 0)
PHONE = Address("127.0.0.21", 0)
CALLEE = Address("127.0.0.30", 0)


@pytest.fixture(scope="module")
def certificate() -> TlsServer:
    return certificates([DOMAIN, SERVER.host])


async def phone_of(
    world: RealWorld, server: SipServer, transport: Transport, certificate: TlsServer | None
) -> Peer:
    remote = Address(SERVER.host, server.ports[transport])
    if transport is UDP:
        return await Peer(world).bind(PHONE, remote)
    tls = TlsClient(DOMAIN, ca_pem=certificate.ca_pem) if certificate and transport is TLS else None
    return await Peer(world).connect(remote, transport, PHONE.host, tls)


def ladder(
    story: Callable[[SipServer, Callable[[Transport], Awaitable[Peer]], Peer], Coroutine[Any, Any, None]],
    transports: tuple[Transport, ...],
    certificate: TlsServer | None = None,
    bad_tls: MakeCertificate | None = None,
) -> None:
    """Run *story* with a started server, a way to make phones, and a callee."""
    world = RealWorld(seed=1)

    async def main() -> None:
        callee = await Peer(world).bind(CALLEE)
        server = SipServer(
            world,
            "primary",
            SERVER,
            transports=transports,
            tls=certificate,
            bad_tls=bad_tls,
            domain=DOMAIN,
            accounts={"1001": "secret"},
            callee=callee.local,
        )
        await server.start()
        await story(server, lambda transport: phone_of(world, server, transport, certificate), callee)
        await server.stop()

    world.run(main())


@pytest.mark.parametrize("transport", [UDP, TCP, TLS])
def test_registers_and_calls(transport: Transport, certificate: TlsServer) -> None:
    async def story(server: SipServer, phones: Callable[[Transport], Awaitable[Peer]], callee: Peer) -> None:
        phone = await phones(transport)
        await phone.register()
        assert list(server.bindings) == ["1001"]
        phone.send(await phone.authenticated(phone.make("INVITE")))
        offered = await callee.request()
        callee.send(response_to(offered, 200, to_tag="to-1"))
        await phone.response(200, "INVITE")

    ladder(story, (transport,), certificate)


def test_refuse_is_refused_by_the_machine_and_ends_again() -> None:
    # rule C2
    async def story(server: SipServer, phones: Callable[[Transport], Awaitable[Peer]], callee: Peer) -> None:
        phone, connected = await phones(UDP), await phones(TCP)
        ports = server.ports
        await server.behave(Behaviour.parse("refuse"))
        phone.send(phone.make("OPTIONS", f"sip:{DOMAIN}"))
        assert await phone.failure() == "ICMP port unreachable"
        assert "reset" in await connected.failure()
        with pytest.raises(ConnectFailed, match="refused"):
            await phones(TCP)
        await server.behave(Behaviour.parse("ok"))
        assert server.ports == ports
        for again in (phone, await phones(TCP)):
            again.send(again.make("OPTIONS", f"sip:{DOMAIN}"))
            await again.response(200)

    ladder(story, (UDP, TCP))


def test_silent_keeps_the_port_open() -> None:
    async def story(server: SipServer, phones: Callable[[Transport], Awaitable[Peer]], callee: Peer) -> None:
        await server.behave(Behaviour.parse({"OPTIONS": "silent"}))
        phone = await phones(TCP)
        phone.send(phone.make("OPTIONS", f"sip:{DOMAIN}"))
        phone.send(phone.make("REGISTER", f"sip:{DOMAIN}"))
        await phone.response(401, "REGISTER")
        assert server.received == {"OPTIONS": 1, "REGISTER": 1}
        assert phone.lost == []

    ladder(story, (UDP, TCP))


@pytest.mark.parametrize("transport", [UDP, TCP])
def test_mute_hears_and_is_not_heard(transport: Transport) -> None:
    async def story(server: SipServer, phones: Callable[[Transport], Awaitable[Peer]], callee: Peer) -> None:
        phone = await phones(transport)
        invite = await phone.authenticated(phone.make("INVITE"))
        await server.behave(Behaviour.parse("mute"))
        phone.send(invite)
        callee.send(response_to(await callee.request(), 200, to_tag="to-1"))
        phone.send(phone.make("MESSAGE", cseq=9))
        assert (await callee.request()).method == "MESSAGE"  # behind the 200, which was heard before it
        await server.behave(Behaviour.parse("ok"))
        phone.send(phone.make("OPTIONS", f"sip:{DOMAIN}", cseq=10))
        await phone.response(200, "OPTIONS")

    ladder(story, (UDP, TCP))


def test_the_next_two_requests_over_every_transport() -> None:
    async def story(server: SipServer, phones: Callable[[Transport], Awaitable[Peer]], callee: Peer) -> None:
        phone, connected = await phones(UDP), await phones(TCP)
        await server.behave(Behaviour.parse("next 2 503"))
        for peer, status in ((phone, 503), (connected, 503), (phone, 200)):
            peer.send(peer.make("OPTIONS", f"sip:{DOMAIN}", cseq=status))
            await peer.response(status)

    ladder(story, (UDP, TCP))


@pytest.mark.parametrize("transport", [TCP, TLS])
def test_close_after_ends_a_connection(transport: Transport, certificate: TlsServer) -> None:
    async def story(server: SipServer, phones: Callable[[Transport], Awaitable[Peer]], callee: Peer) -> None:
        phone = await phones(transport)
        await server.behave(Behaviour.parse("close-after 10ms"))
        assert await phone.failure() == ""
        await server.behave(Behaviour.parse("ok"))
        again = await phones(transport)
        again.send(again.make("OPTIONS", f"sip:{DOMAIN}"))
        await again.response(200)

    ladder(story, (transport,), certificate)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("expired", "certificate has expired"),
        ("wrong-name", f"certificate is for wrong-name.invalid, not {DOMAIN}"),
        ("unknown-ca", "certificate is signed by an unknown authority"),
    ],
)
def test_certificates_that_no_client_should_take(wrong: str, why: str) -> None:
    # RFC 5922
    authority = Authority()
    good = authority.issue([DOMAIN, SERVER.host])

    async def story(server: SipServer, phones: Callable[[Transport], Awaitable[Peer]], callee: Peer) -> None:
        phone = await phones(TLS)
        phone.send(phone.make("OPTIONS", f"sip:{DOMAIN}"))
        await phone.response(200)  # the server, too, has finished the handshake
        await server.behave(Behaviour.parse({"certificate": wrong}))
        assert await phone.failure() == ""
        with pytest.raises(TlsFailed, match=why):
            await phones(TLS)
        await server.behave(Behaviour.parse("ok"))
        again = await phones(TLS)
        again.send(again.make("OPTIONS", f"sip:{DOMAIN}"))
        await again.response(200)

    ladder(story, (TLS,), good, lambda wrong: authority.issue_bad(good.names, wrong))
