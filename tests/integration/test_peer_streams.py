"""What happens to TCP and TLS on the way: pieces, several messages at once, lost connections, wrong names."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import CallState
from phone_emulator.phone import Call
from tests.integration.harness.certificates import Certificates, ServerCertificate
from tests.integration.harness.far_end import Peers, TlsFront, Transport
from tests.integration.harness.live import outcomes
from tests.integration.harness.net import TLS_PORT, Net
from tests.integration.harness.relay import Relay
from tests.integration.harness.script import answer, hear, hear_first, reply, say, sdp
from tests.patience import until

pytestmark = pytest.mark.integration
streams = pytest.mark.parametrize("transport", ["tcp", "tls"])

UP = [hear_first(), answer(100), answer(180), answer(200, sdp()), hear("ACK")]
PHONE_HANGS_UP = [hear("BYE"), reply(200)]


def certificate_for(transport: Transport, peers: Peers) -> ServerCertificate | None:
    """What a relay over *transport* needs."""
    return peers.certificate if transport == "tls" else None


def answered(call: Call) -> None:
    """The call was answered at the first attempt, and is over."""
    assert (call.result, call.via, call.state) == ("answered", "primary", "ended"), call.reason
    assert outcomes(call.route) == [("primary", "answered")]


async def hang_up(call: Call) -> None:
    """Wait for the answer, and hang up."""
    assert await call.settled() == "answered", call.reason
    await call.hang_up()


# -- how the bytes come --------------------------------------------------------------------------------------


@streams
def test_every_byte_alone(transport: Transport, peers: Peers, net: Net) -> None:
    relay = Relay(net.primary, certificate_for(transport, peers), bytewise=True)
    answered(peers.place(transport, [*UP, *PHONE_HANGS_UP], hang_up, relay=relay))


@streams
def test_several_messages_at_once(transport: Transport, peers: Peers, net: Net) -> None:
    """100, 180 and 200 come in one piece; later three requests do."""
    requests = [say("INFO", 1), say("OPTIONS", 2), say("BYE", 3), hear(200), hear(200), hear(200)]
    relay = Relay(net.primary, certificate_for(transport, peers), gathered=[b"SIP/2.0 200", b"BYE sip:"])

    async def act(call: Call) -> None:
        assert await call.settled() == "answered"

    answered(peers.place(transport, [*UP, *requests], act, relay=relay))
    assert peers.ladder == [
        *("> INVITE", "< 100", "< 180", "< 200", "> ACK"),
        *("< INFO", "> 200", "< OPTIONS", "> 200", "< BYE", "> 200"),
    ]


@streams
def test_keep_alives_between_messages(transport: Transport, peers: Peers, net: Net) -> None:
    """Empty lines before each message (RFC 3261 section 7.5, RFC 5626 section 3.5.1)."""
    relay = Relay(net.primary, certificate_for(transport, peers), before=b"\r\n\r\n")
    answered(peers.place(transport, [*UP, *PHONE_HANGS_UP], hang_up, relay=relay))


# -- lost connections ----------------------------------------------------------------------------------------


@streams
def test_the_connection_ends_before_any_answer(transport: Transport, peers: Peers, net: Net) -> None:
    """Nothing is owed by that server any more: the call goes to the fallback server. rule C6"""
    peers.start("udp", [*UP, *PHONE_HANGS_UP], address=net.fallback, name="fallback")
    relay = Relay(net.primary, certificate_for(transport, peers), cut_at=b"SIP/2.0 100")
    steps = [hear_first(), answer(100)]
    call = peers.place(
        transport, steps, hang_up, {"account.1.sip_server.2.address": net.fallback}, relay=relay
    )
    assert (call.result, call.via) == ("answered", "fallback"), call.reason
    assert outcomes(call.route) == [("primary", "send-failed"), ("fallback", "answered")]
    assert "closed" in call.route[0].detail


def test_the_connection_ends_while_it_rings(peers: Peers, net: Net) -> None:
    """The server connects anew, to where the INVITE came from, and answers there (section 18.2.2)."""
    relay = Relay(net.primary, cut_before=b"SIP/2.0 200")
    steps = [hear_first(), answer(180), answer(200, sdp()), hear("ACK")]

    async def act(call: Call) -> None:
        await until(lambda: relay.has_cut and call.state is CallState.RINGING, "ringing")
        await relay.reach(net.phone)
        await hang_up(call)

    answered(peers.place("tcp", [*steps, *PHONE_HANGS_UP], act, relay=relay))


@streams
def test_the_connection_ends_during_the_call(transport: Transport, peers: Peers, net: Net) -> None:
    """The phone makes another for its BYE."""
    relay = Relay(net.primary, certificate_for(transport, peers))

    async def act(call: Call) -> None:
        assert await call.settled() == "answered"
        await peers.came("> ACK")
        relay.cut()
        connections = peers.live.phone.context.endpoint.transports._connections
        await until(lambda: not connections._open, "the phone to notice")
        await call.hang_up()

    answered(peers.place(transport, [*UP, *PHONE_HANGS_UP], act, relay=relay))
    assert relay.connections == 2


@streams
def test_the_connection_ends_instead_of_the_answer_to_a_bye(
    transport: Transport, peers: Peers, net: Net
) -> None:
    """The call is over at once: nobody waits for that answer."""
    relay = Relay(net.primary, certificate_for(transport, peers), cut_at=b"CSeq: 2 BYE\r\nContact: <sip:1002")
    call = peers.place(transport, [*UP, *PHONE_HANGS_UP], hang_up, relay=relay)
    assert (call.result, call.state) == ("answered", "ended")
    assert call.ended is not None
    assert call.answered_at is not None
    assert call.ended - call.answered_at < 2.0


# -- TLS -----------------------------------------------------------------------------------------------------


def fallen_back(peers: Peers, net: Net, why: str) -> None:
    """A call whose primary draws no SIP since TLS fails there; the fallback server answers. rule C6"""
    peers.start("udp", [*UP, *PHONE_HANGS_UP], address=net.fallback, name="fallback")
    calls: list[Call] = []

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SIP/2.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await reader.read()
        writer.close()

    async def story() -> None:
        speaks_no_tls = None if why else await asyncio.start_server(plain, net.primary, TLS_PORT)
        calls.append(peers.live.phone.dial("1002"))
        await hang_up(calls[0])
        await calls[0].over()
        if speaks_no_tls is not None:
            speaks_no_tls.close()

    peers.play(story, "tls", {"account.1.sip_server.2.address": net.fallback})
    (call,) = calls
    assert outcomes(call.route) == [("primary", "tls-failed"), ("fallback", "answered")]
    assert call.route[0].sent == 0
    assert why in call.route[0].detail


@pytest.mark.parametrize(
    ("name", "trusted", "why"),
    [("another.example", True, "is for another.example"), (None, False, "unknown")],
    ids=["wrong-name", "unknown-authority"],
)
def test_a_certificate_that_proves_nothing(
    name: str | None, trusted: bool, why: str, peers: Peers, net: Net, certificates: Certificates
) -> None:
    front = TlsFront(peers.stage, net.primary, certificates.issue(name or net.primary, trusted=trusted))
    peers.stage.processes.append(front)
    front.start()
    fallen_back(peers, net, why)


def test_a_server_that_speaks_no_tls(peers: Peers, net: Net) -> None:
    fallen_back(peers, net, "")
