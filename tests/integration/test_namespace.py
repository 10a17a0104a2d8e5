"""The guide's own addresses in network namespaces, with real cuts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from tests.integration.harness.capture import Capture, Place, hops
from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.namespace import GUIDE_NET, Cut, Lan, guide_lan
from tests.integration.harness.nsd import Nsd, guide_zone
from tests.integration.harness.phone import Phone
from tests.integration.harness.sipp import SippUas
from tests.integration.harness.stage import Stage
from tests.patience import EARLY, NET, wait_until

pytestmark = pytest.mark.integration

# A silent server that is not the last of its list is given up 1.5 s after the request (rules C5, R2); the
# last one has 64*T1 = 32 s to answer.
SHORT_WAIT = {"account.1.sip_server.1.retry_counts": "1", "sip.timer_t1": "0.5"}
OVER_TCP = {"account.1.sip_server.1.port": "5060", "account.1.sip_server.1.transport_type": "1"}

BRIEF = ("--no-register", "--duration", "100ms")

# Sends one OPTIONS over a connected UDP socket that asks for all ICMP errors, and prints what came of it.
PROBE = """
import socket, sys
address = sys.argv[1]
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
client.settimeout(float(sys.argv[2]))
client.connect((address, 5060))
client.send((
    f"OPTIONS sip:{address} SIP/2.0\\r\\n"
    f"Via: SIP/2.0/UDP {client.getsockname()[0]}:5070;rport;branch=z9hG4bKx\\r\\n"
    f"From: <sip:a@{address}>;tag=1\\r\\nTo: <sip:{address}>\\r\\nCall-ID: x\\r\\nCSeq: 1 OPTIONS\\r\\n"
    "Max-Forwards: 70\\r\\nContent-Length: 0\\r\\n\\r\\n").encode())
try:
    print(client.recv(65536).decode().split()[1])
except OSError as error:
    print(type(error).__name__, error.errno)
"""


@pytest.fixture
def lan() -> Iterator[Lan]:
    """The phone's host, the three servers' hosts, the name server's and the called party's."""
    net = GUIDE_NET
    with guide_lan([net.phone, net.primary, net.secondary, net.fallback, net.dns, net.callee]) as lan:
        yield lan


@pytest.fixture
def make_server(lan: Lan, stage: Stage) -> Callable[[str, str], Kamailio]:
    """Starts Kamailio: ``make_server(name, address)``."""

    def make(name: str, address: str) -> Kamailio:
        callee, namespace = f"{lan.net.callee}:5060", lan.namespace(address)
        kamailio = Kamailio(name, address, stage.folder(name), callee=callee, namespace=namespace)
        stage.processes.append(kamailio)
        return kamailio.start()

    return make


@pytest.fixture
def server(make_server: Callable[[str, str], Kamailio], lan: Lan) -> Kamailio:
    """Kamailio at 192.168.1.13."""
    return make_server("primary", lan.net.primary)


@pytest.fixture
def secondary(make_server: Callable[[str, str], Kamailio], lan: Lan) -> Kamailio:
    """Kamailio at 192.168.1.14."""
    return make_server("secondary", lan.net.secondary)


@pytest.fixture
def capture(lan: Lan, stage: Stage) -> Capture:
    """A recording at the phone's own interface."""
    recording = Capture(
        lan.net, stage.folder("capture"), interface="eth0", namespace=lan.namespace(lan.net.phone)
    )
    stage.processes.append(recording)
    return recording.start()


@pytest.fixture
def phone(lan: Lan, stage: Stage, capture: Capture) -> Phone:
    """The phone under test at 192.168.1.21, with a name server and a called party."""
    net = lan.net
    nsd = Nsd(net.dns, stage.folder("nsd"), guide_zone(net, "SIP+D2U"), namespace=lan.namespace(net.dns))
    uas = SippUas(net.callee, stage.folder("callee"), namespace=lan.namespace(net.callee))
    stage.processes += [nsd, uas]
    nsd.start()
    uas.start()
    return Phone(net, stage.folder("phone"), namespace=lan.namespace(net.phone))


def probe(lan: Lan, address: str, seconds: float = NET) -> str:
    """What an OPTIONS from the phone's host to *address* gives."""
    return lan.run(lan.net.phone, sys.executable, "-c", PROBE, address, str(seconds)).strip()


@pytest.mark.parametrize(
    ("cut", "seen"),
    [
        ("drop", "TimeoutError None"),
        ("port-unreachable", "ConnectionRefusedError 111"),
        ("host-unreachable", "OSError 113"),
        ("net-unreachable", "OSError 101"),
        ("admin-prohibited", "OSError 113"),
    ],
)
def test_a_cut_shows_as_itself_and_heals(cut: Cut, seen: str, server: Kamailio, lan: Lan) -> None:
    assert probe(lan, server.address) == "200"
    lan.cut(server.address, cut)
    assert probe(lan, server.address, 0.5 if cut == "drop" else NET) == seen
    lan.heal(server.address)
    assert probe(lan, server.address) == "200"


def test_an_unplugged_host_is_unreachable_by_arp(server: Kamailio, lan: Lan) -> None:
    lan.unplug(server.address)
    assert probe(lan, server.address) == "OSError 113"


@pytest.mark.parametrize(
    ("cut", "outcome", "detail", "icmp"),
    [
        ("drop", "no-response", "no response to 1 retransmission", None),
        ("port-unreachable", "icmp", "ICMP port unreachable", (3, 3)),
        ("host-unreachable", "icmp", "ICMP host unreachable", (3, 1)),
        ("net-unreachable", "icmp", "ICMP network unreachable", (3, 0)),
        ("admin-prohibited", "icmp", "ICMP administratively prohibited", (3, 13)),
    ],
)
def test_a_cut_primary_over_udp(
    cut: Cut,
    outcome: str,
    detail: str,
    icmp: tuple[int, int] | None,
    server: Kamailio,
    secondary: Kamailio,
    lan: Lan,
    phone: Phone,
    capture: Capture,
) -> None:
    lan.cut(server.address, cut)
    call = phone.call("1002", *BRIEF, settings=SHORT_WAIT)
    wire = capture.read()
    assert call.hops == wire.route(lan.net.phone), wire.ladder()
    assert call.outcomes == [("primary", outcome), ("secondary", "answered")]  # rule C2
    assert detail in call.attempts[0]["detail"]
    heard = {(error.type, error.code) for error in wire.icmp if error.destination == server.address}
    assert heard == ({icmp} if icmp else set())
    assert call.hops[0].sends == (1 if icmp else 2)
    assert server.log.count("got INVITE") == 0


@pytest.mark.parametrize(
    ("cut", "detail", "seconds"),
    [
        ("drop", "no connection within 1.5 s", 1.5),
        ("tcp-reset", "connection refused", 0),
        ("port-unreachable", "connection refused", 0),
        ("host-unreachable", "host is unreachable", 0),
        ("admin-prohibited", "host is unreachable", 0),
    ],
)
def test_a_cut_primary_over_tcp(
    cut: Cut,
    detail: str,
    seconds: float,
    server: Kamailio,
    secondary: Kamailio,
    lan: Lan,
    phone: Phone,
    capture: Capture,
) -> None:
    lan.cut(server.address, cut)
    call = phone.call("1002", *BRIEF, settings=SHORT_WAIT | OVER_TCP)
    wire = capture.read()
    assert call.hops == wire.route(lan.net.phone), wire.ladder()
    assert call.outcomes == [("primary", "connect-failed"), ("secondary", "answered")]  # rule C6
    failed = call.attempts[0]
    assert detail in failed["detail"]
    assert failed["sent"] == 0
    assert failed["ended"] - failed["started"] > seconds - EARLY
    assert server.address in [connect.destination.host for connect in wire.connects]


def test_an_unplugged_primary(
    server: Kamailio, secondary: Kamailio, lan: Lan, phone: Phone, capture: Capture
) -> None:
    lan.unplug(server.address)
    # No ARP answer: the kernel says so after 3 s, long before 64*T1 are over.
    call = phone.call("1002", *BRIEF)
    wire = capture.read()
    assert call.outcomes == [("primary", "icmp"), ("secondary", "answered")]  # rule C2
    assert "ICMP host unreachable" in call.attempts[0]["detail"]
    # What ARP has no address for does not get as far as the wire.
    assert call.hops[1:] == wire.route(lan.net.phone), wire.ladder()


def test_the_phones_own_cable_is_out(lan: Lan, phone: Phone, capture: Capture) -> None:
    lan.run(lan.net.phone, "ip", "link", "set", "eth0", "down")
    call = phone.call("1002", *BRIEF)
    assert (call.exit_status, call.result, call.via) == (1, "failed", None)
    assert call.outcomes == [("primary", "unresolved"), ("fallback", "send-failed")]
    assert all("network is unreachable" in attempt["detail"] for attempt in call.attempts)
    assert call.hops == []


def test_a_primary_that_is_cut_between_two_calls_and_healed_before_a_third(
    server: Kamailio, secondary: Kamailio, lan: Lan, phone: Phone, capture: Capture
) -> None:
    steps = """
  - register: {line: 1}
    expect: {registered: [primary]}
  - call: {to: "1002", id: before}
    expect: {result: answered, via: primary}
  - hangup: before
  - wait: 10s  # in which the primary is cut
  - call: {to: "1002", id: cut}
    expect: {result: answered, via: secondary, route: [{primary: no-response}, {secondary: answered}]}
  - hangup: cut
  - wait: 10s  # in which it is healed
  - call: {to: "1002", id: healed}
    expect: {result: answered, via: primary, route: [{primary: answered}]}
"""
    with phone.start_scenario(steps, SHORT_WAIT) as run:
        wait_until(lambda: "got BYE" in server.log, "the first call to end")
        lan.cut(server.address, "drop")
        wait_until(lambda: "got BYE" in secondary.log, "the second call to end")
        lan.heal(server.address)
        result = run.result()
    wire = capture.read()
    assert (result["verdict"], result["failures"]) == ("passed", [])
    told = [attempt for call in result["calls"] for attempt in call["route"]]
    merged = hops(
        (Place(attempt["address"], attempt["port"]), attempt["transport"])
        for attempt in told
        for _ in range(attempt["sent"])
    )
    assert merged == wire.route(lan.net.phone), wire.ladder()
