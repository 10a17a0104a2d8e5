"""The phone's failover against real servers: what it says of its route is what tshark saw on the wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.harness.capture import Capture, Hop, Place, Reading
from tests.integration.harness.certificates import Certificates
from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.net import DOMAIN, Net
from tests.integration.harness.nsd import Nsd, guide_zone
from tests.integration.harness.phone import CallResult, Phone
from tests.patience import EARLY

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("callee")]

# A silent server that is not the last of its list is given up 1.5 s after the INVITE (rule C5); the last one
# has 64*T1 = 32 s to answer.
SHORT_WAIT = {"account.1.sip_server.1.invite_retry_counts": "1", "sip.timer_t1": "0.5"}


def agree(call: CallResult, wire: Reading, net: Net) -> None:
    """The route that the phone tells is the one on the wire: places, transports and number of sends."""
    assert call.hops == wire.route(net.phone), wire.ladder()
    assert [attempt["n"] for attempt in call.attempts] == list(range(1, len(call.attempts) + 1))


def answered_through(call: CallResult, wire: Reading, net: Net, role: str, server: str) -> None:
    """The call was answered by *role* at *server*: INVITE, 407, INVITE, 200, ACK, BYE all went there."""
    assert (call.exit_status, call.result, call.via) == (0, "answered", role), call.stderr
    assert call.outcomes[-1] == (role, "answered")
    assert wire.route(net.phone)[-1].destination.host == server
    # The proxy stays in the path, so ACK and BYE pass it as well. rule C11
    call_id = wire.requests("INVITE", source=net.phone)[-1].call_id
    for method in ("ACK", "BYE"):
        last = wire.requests(method, source=net.phone)[-1]
        assert (last.destination.host, last.call_id) == (server, call_id), wire.ladder()
    assert [bye.destination.host for bye in wire.requests("BYE", destination=net.callee)] == [net.callee]


def acknowledged(wire: Reading, net: Net, status: int, server: str) -> None:
    """Each *status* that *server* gave to an INVITE got an ACK there, in the INVITE's own transaction."""
    refusals = wire.responses(status, "INVITE", source=server)
    assert refusals, wire.ladder()
    acks = {(ack.branch, ack.to_tag) for ack in wire.requests("ACK", source=net.phone, destination=server)}
    assert {(refusal.branch, refusal.to_tag) for refusal in refusals} <= acks, wire.ladder()


def same_request(wire: Reading, net: Net, *servers: str) -> None:
    """The first INVITE at each of *servers* is one request with a new branch. rule C7"""
    firsts = [wire.requests("INVITE", source=net.phone, destination=server)[0] for server in servers]
    assert len({(first.call_id, first.from_tag, first.cseq, first.uri) for first in firsts}) == 1, (
        wire.ladder()
    )
    assert len({first.branch for first in firsts}) == len(servers), wire.ladder()


def new_request(wire: Reading, net: Net, before: str, after: str) -> None:
    """The INVITE at *after* is a request of its own, addressed to that server. rule C7"""
    old = wire.requests("INVITE", source=net.phone, destination=before)[0]
    new = wire.requests("INVITE", source=net.phone, destination=after)[0]
    assert new.call_id != old.call_id
    assert new.from_tag != old.from_tag
    assert DOMAIN in old.uri
    assert after in new.uri


def test_a_healthy_primary_takes_the_call(
    primary: Kamailio, secondary: Kamailio, net: Net, phone: Phone, capture: Capture
) -> None:
    call = phone.call()
    wire = capture.read()
    agree(call, wire, net)
    assert call.outcomes == [("primary", "answered")]  # rule C1
    answered_through(call, wire, net, "primary", net.primary)
    assert wire.route(net.phone) == [Hop(Place(net.primary, 5060), "udp", 2)], (
        "INVITE, 407, INVITE"
    )  # rule C3
    acknowledged(wire, net, 407, net.primary)


def test_primary_answers_503(
    primary: Kamailio, secondary: Kamailio, net: Net, phone: Phone, capture: Capture
) -> None:
    primary.behave(503, "INVITE")
    call = phone.call()
    wire = capture.read()
    agree(call, wire, net)
    assert call.outcomes == [("primary", "unavailable"), ("secondary", "answered")]  # rule C2
    assert call.attempts[0]["status"] == 503
    assert call.hops[0].sends == 1
    acknowledged(wire, net, 503, net.primary)  # rule C8
    answered_through(call, wire, net, "secondary", net.secondary)
    same_request(wire, net, net.primary, net.secondary)


def test_503_with_retry_after_moves_on_just_the_same(
    make_kamailio: Callable[..., Kamailio], secondary: Kamailio, net: Net, phone: Phone, capture: Capture
) -> None:
    make_kamailio("primary", net.primary, retry_after=30).start(503)
    call = phone.call()
    wire = capture.read()
    agree(call, wire, net)
    assert call.outcomes == [("primary", "unavailable"), ("secondary", "answered")]  # rule C2
    answered_through(call, wire, net, "secondary", net.secondary)


def test_primary_has_its_port_closed(secondary: Kamailio, net: Net, phone: Phone, capture: Capture) -> None:
    call = phone.call()
    wire = capture.read()
    agree(call, wire, net)
    assert call.outcomes == [("primary", "icmp"), ("secondary", "answered")]  # rule C2
    assert call.hops[0].sends == 1
    assert net.primary in [error.destination for error in wire.icmp]
    answered_through(call, wire, net, "secondary", net.secondary)
    same_request(wire, net, net.primary, net.secondary)


def test_primary_is_silent(
    primary: Kamailio, secondary: Kamailio, net: Net, phone: Phone, capture: Capture
) -> None:
    primary.behave("silent")
    call = phone.call(settings=SHORT_WAIT)
    wire = capture.read()
    agree(call, wire, net)
    assert call.outcomes == [("primary", "no-response"), ("secondary", "answered")]
    first, again = wire.requests("INVITE", source=net.phone, destination=net.primary)
    assert first.branch == again.branch, "a retransmission is the same request"
    moved = wire.requests("INVITE", source=net.phone, destination=net.secondary)[0]
    assert again.time - first.time > 0.5 - EARLY  # rule C5
    assert moved.time - first.time > 1.5 - EARLY  # rule C5
    answered_through(call, wire, net, "secondary", net.secondary)
    same_request(wire, net, net.primary, net.secondary)


def test_primary_says_trying_and_no_more(
    primary: Kamailio, secondary: Kamailio, net: Net, phone: Phone, capture: Capture
) -> None:
    primary.behave("trying", "INVITE")
    assert phone.interrupted_call("SIP/2.0 100", after=2, settings=SHORT_WAIT) == 130
    wire = capture.read()
    assert wire.route(net.phone) == [Hop(Place(net.primary, 5060), "udp", 1)]  # rule C4
    cancels = wire.requests("CANCEL", source=net.phone)
    assert {cancel.destination.host for cancel in cancels} == {net.primary}, wire.ladder()  # rule C11
    assert {cancel.branch for cancel in cancels} == {wire.requests("INVITE", source=net.phone)[-1].branch}


def test_primary_and_secondary_are_dead(
    primary: Kamailio, fallback: Kamailio, net: Net, phone: Phone, capture: Capture
) -> None:
    primary.behave("silent")
    call = phone.call(settings=SHORT_WAIT)
    wire = capture.read()
    agree(call, wire, net)
    assert call.outcomes == [
        ("primary", "no-response"),
        ("secondary", "icmp"),
        ("fallback", "answered"),
    ]  # rule C1
    answered_through(call, wire, net, "fallback", net.fallback)
    same_request(wire, net, net.primary, net.secondary)
    new_request(wire, net, net.secondary, net.fallback)


def test_every_server_answers_503(
    primary: Kamailio, secondary: Kamailio, fallback: Kamailio, net: Net, phone: Phone, capture: Capture
) -> None:
    servers = (primary, secondary, fallback)
    for server in servers:
        server.behave(503, "INVITE")
    call = phone.call()
    wire = capture.read()
    agree(call, wire, net)
    assert (call.exit_status, call.result, call.via) == (1, "failed", None)  # rule C1
    assert call.outcomes == [(role, "unavailable") for role in ("primary", "secondary", "fallback")]
    assert all(attempt["detail"] for attempt in call.attempts)
    for server in servers:
        acknowledged(wire, net, 503, server.address)  # rule C8
    assert [hop.sends for hop in wire.route(net.phone)] == [1, 1, 1]


def test_404_is_an_answer(
    primary: Kamailio, secondary: Kamailio, net: Net, phone: Phone, capture: Capture
) -> None:
    primary.behave(404, "INVITE")
    call = phone.call()
    wire = capture.read()
    agree(call, wire, net)
    assert (call.exit_status, call.result, call.call["status"]) == (1, "rejected", 404)  # rule C3
    assert call.outcomes == [("primary", "rejected")]
    acknowledged(wire, net, 404, net.primary)


def test_tcp_by_naptr_is_refused_at_the_primary(
    secondary: Kamailio, nsd: Nsd, net: Net, phone: Phone, capture: Capture
) -> None:
    nsd.load(guide_zone(net, "SIP+D2T", "SIP+D2U"))
    call = phone.call("1002", "--no-register")
    wire = capture.read()
    agree(call, wire, net)
    assert call.outcomes == [("primary", "connect-failed"), ("secondary", "answered")]  # rule C6
    assert [attempt["transport"] for attempt in call.attempts] == ["tcp", "tcp"]  # rule D2
    assert [attempt["sent"] for attempt in call.attempts] == [0, 2]
    tried = [connect.destination for connect in wire.connects if connect.source.host == net.phone]
    assert tried == [Place(net.primary, 5060), Place(net.secondary, 5060)], "one connection each, then reused"
    answered_through(call, wire, net, "secondary", net.secondary)


def test_tcp_by_transport_type_is_refused_at_the_primary(
    secondary: Kamailio, net: Net, phone: Phone, capture: Capture
) -> None:
    # rule D1: a port in the cfg means A records alone; the zone has the primary's first.
    settings = {"account.1.sip_server.1.port": "5060", "account.1.sip_server.1.transport_type": "1"}
    call = phone.call(settings=settings)
    wire = capture.read()
    agree(call, wire, net)
    assert call.outcomes == [("primary", "connect-failed"), ("secondary", "answered")]  # rule C6
    answered_through(call, wire, net, "secondary", net.secondary)


def test_tcp_primary_answers_503(
    primary: Kamailio, secondary: Kamailio, nsd: Nsd, net: Net, phone: Phone, capture: Capture
) -> None:
    nsd.load(guide_zone(net, "SIP+D2T"))
    primary.behave(503, "INVITE")
    call = phone.call()
    wire = capture.read()
    agree(call, wire, net)
    assert call.outcomes == [("primary", "unavailable"), ("secondary", "answered")]
    acknowledged(wire, net, 503, net.primary)  # rule C8
    answered_through(call, wire, net, "secondary", net.secondary)
    same_request(wire, net, net.primary, net.secondary)


def test_tls_with_a_certificate_for_the_domain(
    make_kamailio: Callable[..., Kamailio],
    certificates: Certificates,
    nsd: Nsd,
    net: Net,
    phone: Phone,
    capture: Capture,
) -> None:
    nsd.load(guide_zone(net, "SIPS+D2T", "SIP+D2U"))
    make_kamailio("secondary", net.secondary, certificate=certificates.issue()).start()
    call = phone.call("1002", "--no-register")
    wire = capture.read()
    agree(call, wire, net)
    assert call.outcomes == [("primary", "connect-failed"), ("secondary", "answered")]  # rule C6
    assert [attempt["transport"] for attempt in call.attempts] == ["tls", "tls"]  # rule D2
    tried = [connect.destination for connect in wire.connects if connect.source.host == net.phone]
    assert tried == [Place(net.primary, 5061), Place(net.secondary, 5061)], "one connection each, then reused"
    answered_through(call, wire, net, "secondary", net.secondary)


@pytest.mark.parametrize(
    ("name", "trusted"), [(DOMAIN, False), ("other.example", True)], ids=["unknown CA", "other name"]
)
def test_tls_with_a_wrong_certificate(
    name: str,
    trusted: bool,
    make_kamailio: Callable[..., Kamailio],
    certificates: Certificates,
    fallback: Kamailio,
    nsd: Nsd,
    net: Net,
    phone: Phone,
    capture: Capture,
) -> None:
    nsd.load(guide_zone(net, "SIPS+D2T"))
    wrong = certificates.issue(name, trusted=trusted)
    for role, address in (("primary", net.primary), ("secondary", net.secondary)):
        make_kamailio(role, address, certificate=wrong).start()
    call = phone.call("1002", "--no-register", settings={"static.security.cn_validation": "1"})
    wire = capture.read()
    agree(call, wire, net)
    assert call.outcomes == [
        ("primary", "tls-failed"),
        ("secondary", "tls-failed"),
        ("fallback", "answered"),
    ]  # rule C2
    assert all("certificate" in attempt["detail"] for attempt in call.attempts[:2])
    assert [attempt["sent"] for attempt in call.attempts[:2]] == [0, 0]
    tried = [connect.destination for connect in wire.connects if connect.source.host == net.phone]
    assert tried == [Place(net.primary, 5061), Place(net.secondary, 5061)]
    answered_through(call, wire, net, "fallback", net.fallback)
