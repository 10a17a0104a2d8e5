"""The harness itself: real servers against each other, without our phone."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import dns.rdatatype
import pytest

from tests.integration.harness.capture import Capture, Hop, Place
from tests.integration.harness.certificates import Certificates
from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.net import DOMAIN, Net, reserved_net
from tests.integration.harness.nsd import Nsd, guide_zone
from tests.integration.harness.process import group_members, require
from tests.integration.harness.sipp import SippCaller, SippUas
from tests.patience import NET

pytestmark = pytest.mark.integration


def options_request(net: Net, transport: str, server: str) -> bytes:
    """An OPTIONS request, whole."""
    return (
        f"OPTIONS sip:{server} SIP/2.0\r\n"
        f"Via: SIP/2.0/{transport} {net.phone}:5070;branch=z9hG4bK{transport}\r\n"
        f"From: <sip:probe@{net.phone}>;tag=1\r\nTo: <sip:{server}>\r\nCall-ID: probe-{transport}\r\n"
        "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def udp_options(net: Net, server: str, seconds: float = NET) -> bytes:
    """The answer to an OPTIONS over UDP; raises TimeoutError, ConnectionRefusedError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind((net.phone, 5070))
        client.settimeout(seconds)
        client.connect((server, 5060))
        client.send(options_request(net, "UDP", server))
        return client.recv(65536)


def sipsak_register(net: Net, server: str, password: str = "secret") -> subprocess.CompletedProcess[str]:
    """Register 1001 with sipsak."""
    require("sipsak")
    command = ["sipsak", "-U", "-s", f"sip:1001@{server}:5060", "-C", f"sip:1001@{net.phone}:5070"]
    command += ["-u", "1001", "-a", password, "-x", "60", "-vv", "-i", "-l", "5071"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=NET)


def test_register_with_digest_is_accepted(primary: Kamailio, net: Net, capture: Capture) -> None:
    done = sipsak_register(net, primary.address)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [binding.user for binding in primary.bindings()] == ["1001"]
    wire = capture.read()
    assert [message.status for message in wire.messages if message.status] == [401, 200]
    assert all(message.method == "REGISTER" for message in wire.messages)


def test_register_with_a_wrong_password_is_not(primary: Kamailio, net: Net) -> None:
    assert sipsak_register(net, primary.address, "wrong").returncode != 0
    assert primary.bindings() == []


@pytest.mark.parametrize(("option", "transport"), [("u1", "udp"), ("t1", "tcp")])
def test_call_through_the_proxy_reaches_the_callee(
    option: str,
    transport: str,
    primary: Kamailio,
    callee: SippUas,
    net: Net,
    capture: Capture,
    tmp_path: Path,
) -> None:
    caller = SippCaller(net.phone, tmp_path)
    assert caller.call(f"{primary.address}:5060", "1002", option), caller.messages
    assert "INVITE" in callee.messages
    wire = capture.read()
    assert wire.route(net.phone) == [Hop(Place(primary.address, 5060), transport, 2)]
    assert wire.route(net.primary) == [Hop(Place(net.callee, 5060), "udp", 1)]
    assert wire.responses(407, "INVITE", source=net.primary)
    first, second = wire.requests("INVITE", source=net.phone)
    assert first.branch != second.branch
    assert wire.responses(200, "INVITE", source=net.primary)[0].branch == second.branch
    byes = wire.requests("BYE")
    assert [(bye.source.host, bye.destination.host) for bye in byes] == [
        (net.phone, net.primary),
        (net.primary, net.callee),
    ]


def test_call_reaches_a_registered_phone(
    primary: Kamailio, callee: SippUas, net: Net, capture: Capture, tmp_path: Path
) -> None:
    contact = f"sip:1001@{net.prefix}.22:5060"
    register = [
        "sipsak",
        "-U",
        "-s",
        f"sip:1001@{net.primary}:5060",
        "-C",
        contact,
        "-u",
        "1001",
        "-a",
        "secret",
    ]
    require("sipsak")
    subprocess.run([*register, "-i", "-l", "5071"], capture_output=True, check=True, timeout=NET)
    registered = SippUas(f"{net.prefix}.22", tmp_path).start()
    try:
        assert SippCaller(net.phone, tmp_path).call(f"{primary.address}:5060", "1001")
    finally:
        registered.stop()
    assert [hop.destination.host for hop in capture.read().route(net.primary)] == [f"{net.prefix}.22"]
    assert "INVITE" not in callee.messages


def test_behaviours_can_be_switched_while_it_runs(primary: Kamailio, net: Net) -> None:
    assert udp_options(net, primary.address).startswith(b"SIP/2.0 200 ")
    primary.behave(503)
    assert udp_options(net, primary.address).startswith(b"SIP/2.0 503 ")
    primary.behave(404)
    assert udp_options(net, primary.address).startswith(b"SIP/2.0 404 ")
    primary.behave("silent")
    with pytest.raises(TimeoutError):
        udp_options(net, primary.address, 0.3)
    primary.behave("ok")
    assert udp_options(net, primary.address).startswith(b"SIP/2.0 200 ")
    primary.stop()
    with pytest.raises(ConnectionRefusedError):
        udp_options(net, primary.address)
    primary.start(503)
    assert udp_options(net, primary.address).startswith(b"SIP/2.0 503 ")


def test_invite_alone_can_be_refused(
    primary: Kamailio, callee: SippUas, net: Net, capture: Capture, tmp_path: Path
) -> None:
    primary.behave(503, "INVITE")
    assert udp_options(net, primary.address).startswith(b"SIP/2.0 200 ")
    assert sipsak_register(net, primary.address).returncode == 0
    assert not SippCaller(net.phone, tmp_path).call(f"{primary.address}:5060", "1002")
    wire = capture.read()
    assert wire.responses(503, "INVITE", source=net.primary)
    assert wire.route(net.primary) == []
    assert callee.messages == ""


def test_a_closed_port_shows_as_icmp(net: Net, capture: Capture) -> None:
    with pytest.raises(ConnectionRefusedError):
        udp_options(net, net.secondary)
    wire = capture.read()
    assert [(error.destination, error.type, error.code) for error in wire.icmp] == [(net.secondary, 3, 3)]
    assert len(wire.messages) == 1, "the request quoted in the ICMP error is not a message"


def test_two_messages_in_one_tcp_segment_are_read_as_two(
    primary: Kamailio, net: Net, capture: Capture
) -> None:
    request = options_request(net, "TCP", primary.address)
    with socket.create_connection((primary.address, 5060), NET, (net.phone, 0)) as client:
        client.sendall(request + request.replace(b"probe-", b"second-"))
        answers = b""
        while answers.count(b"SIP/2.0 200 ") < 2:
            answers += client.recv(65536)
    wire = capture.read()
    sent = wire.requests("OPTIONS", source=net.phone)
    assert [message.call_id for message in sent] == ["probe-TCP", "second-TCP"]
    assert sent[0].time == sent[1].time
    assert [connect.destination for connect in wire.connects] == [Place(net.primary, 5060)]


def test_tls_is_checked_against_the_domain_and_read_with_the_key_log(
    make_kamailio: Callable[..., Kamailio], certificates: Certificates, net: Net, capture: Capture
) -> None:
    server = make_kamailio("primary", net.primary, certificate=certificates.issue()).start()
    context = ssl.create_default_context(cafile=str(certificates.ca_file))
    context.keylog_filename = str(capture.key_log)
    with (
        socket.create_connection((server.address, 5061), NET, (net.phone, 0)) as plain,
        context.wrap_socket(plain, server_hostname=DOMAIN) as client,
    ):
        client.sendall(options_request(net, "TLS", server.address))
        assert client.recv(65536).startswith(b"SIP/2.0 200 ")
    wire = capture.read()
    assert [(message.method, message.status, message.transport) for message in wire.messages] == [
        ("OPTIONS", None, "tls"),
        ("OPTIONS", 200, "tls"),
    ]


@pytest.mark.parametrize(("name", "trusted"), [(DOMAIN, False), ("other.example", True)])
def test_a_wrong_certificate_is_refused(
    name: str, trusted: bool, make_kamailio: Callable[..., Kamailio], certificates: Certificates, net: Net
) -> None:
    server = make_kamailio(
        "primary", net.primary, certificate=certificates.issue(name, trusted=trusted)
    ).start()
    context = ssl.create_default_context(cafile=str(certificates.ca_file))
    with (
        socket.create_connection((server.address, 5061), NET, (net.phone, 0)) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(plain, server_hostname=DOMAIN)


def test_the_name_server_gives_the_guides_zone(nsd: Nsd, net: Net) -> None:
    def texts(name: str, rdtype: str) -> list[str]:
        answer = nsd.query(name, rdtype).answer
        return sorted(record.to_text() for rrset in answer for record in rrset)

    assert texts(DOMAIN, "NAPTR") == ['10 50 "s" "SIP+D2U" "" _sip._udp.yealink.pbx.com.']
    srv = nsd.query(f"_sip._udp.{DOMAIN}", "SRV")
    assert sorted(record.to_text() for record in srv.answer[0]) == [
        "0 1 5060 srv1.yealink.pbx.com.",
        "1 1 5060 srv2.yealink.pbx.com.",
    ]
    extra = {
        rrset.name.to_text(): rrset[0].to_text()
        for rrset in srv.additional
        if rrset.rdtype == dns.rdatatype.A
    }
    assert extra["srv1.yealink.pbx.com."] == net.primary
    assert texts(f"srv2.{DOMAIN}", "A") == [net.secondary]
    nsd.load(guide_zone(net, "SIPS+D2T", "SIP+D2T"))
    assert len(texts(DOMAIN, "NAPTR")) == 2
    assert texts(f"_sip._udp.{DOMAIN}", "SRV") == []


def test_stop_leaves_no_process(primary: Kamailio, callee: SippUas, nsd: Nsd) -> None:
    groups = [os.getpgid(pid) for pid in (primary.pid, callee.pid, nsd.pid)]
    assert len(group_members(groups[0])) > 2, "Kamailio works with several processes"
    for process in (primary, callee, nsd):
        process.stop()
        assert not process.running
    assert [group_members(group) for group in groups] == [[], [], []]


def test_each_test_process_has_a_net_of_its_own(net: Net) -> None:
    with reserved_net() as other:
        assert other != net
